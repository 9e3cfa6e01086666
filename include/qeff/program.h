/* qeff/program.h - a compiled program: a folder with `programqpc.bin`, mapped and immutable. */
#ifndef QEFF_PROGRAM_H
#define QEFF_PROGRAM_H

#include <qeff/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A compiled program. Immutable: any number of sessions, on any threads, may share one. */
typedef struct qeff_program qeff_program;

/** An input or output. Dimensions known only at run time are -1 and have a name. */
typedef struct qeff_program_io {
    const char *name; /**< "input_ids", "output", … */
    qeff_dtype dtype;
    size_t rank;
    int64_t shape[QEFF_MAX_RANK];         /**< [rank], -1 where named */
    const char *dim_names[QEFF_MAX_RANK]; /**< [rank], NULL where constant */
} qeff_program_io;

/** Zero means the default. */
typedef struct qeff_program_options {
    const char *target;            /**< "cpu", the default */
    const char *precision;         /**< "fp32", the default, "bf16", "int8" or "int8-mixed" */
    const qeff_progress *progress; /**< NULL: silent */
} qeff_program_options;

/** Opens a program folder, or its `programqpc.bin`. The file is mapped, not copied, and every
 * number in it is checked. The caller owns `*out`.
 * @return QEFF_ERR_NOT_FOUND (no program there), QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED (another
 *         target, or an instruction set this CPU lacks), QEFF_ERR_IO, QEFF_ERR_NO_MEMORY */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_program_open(const char *path, qeff_program **out,
                                                       qeff_error *err);

/** Compiles an ONNX file made of known operators into the program folder `folder`, which must not
 * exist or be empty; it appears complete or not at all.
 * @return QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED (names operator and node), QEFF_ERR_NOT_FOUND,
 *         QEFF_ERR_INVALID (the folder exists and is not empty), QEFF_ERR_IO, QEFF_ERR_NO_SPACE,
 *         QEFF_ERR_NO_MEMORY */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_program_compile_onnx(const char *onnx_path,
                                                               const char *folder,
                                                               const qeff_program_options *options,
                                                               qeff_error *err);

/** Releases the program. No session may be left on it. NULL is allowed. */
QEFF_API void qeff_program_close(qeff_program *program);

/** "cpu", … Borrows from the program, as all of these do. */
QEFF_API const char *qeff_program_target(const qeff_program *program);
QEFF_API size_t qeff_program_n_inputs(const qeff_program *program);
QEFF_API size_t qeff_program_n_outputs(const qeff_program *program);
/** `index` must be below the count. */
QEFF_API const qeff_program_io *qeff_program_input(const qeff_program *program, size_t index);
QEFF_API const qeff_program_io *qeff_program_output(const qeff_program *program, size_t index);

/** The manifest: one JSON object, NUL-terminated. */
QEFF_API const char *qeff_program_manifest(const qeff_program *program);

#ifdef __cplusplus
}
#endif
#endif /* QEFF_PROGRAM_H */
