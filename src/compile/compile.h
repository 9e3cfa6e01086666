/* compile.h - graph -> program folder: passes, backend, container.
 *
 * A program folder holds `programqpc.bin` (format: formats/qpc.h) and `integrity.json`, the digest
 * that tells a damaged file from a whole one. */
#ifndef COMPILE_COMPILE_H
#define COMPILE_COMPILE_H

#include "backend/backend.h"
#include "base/hash.h"

/** Bumped whenever a program's bytes or results change without anything in the key changing. */
#define QEFF_PROGRAM_FORMAT 3

#define QEFF_PROGRAM_FILE   "programqpc.bin"
#define QEFF_INTEGRITY_FILE "integrity.json"

typedef struct qeff_compile_request {
    const qeff_backend *backend;
    qeff_compile_options options;
    const char *folder;               /**< where the program is to appear */
    bool may_exist;                   /**< an entry that is already there is fine: a cache */
    const qeff_program_image *images; /**< more images for the container, such as tokenizer.json */
    size_t n_images;
} qeff_compile_request;

/** Compiles a graph of composites or primitives into `request->folder`, atomically.
 * @return QEFF_ERR_INVALID (the folder is there and not empty), QEFF_ERR_UNSUPPORTED (names the
 *         node), QEFF_ERR_IO, QEFF_ERR_NO_SPACE, QEFF_ERR_NO_MEMORY */
qeff_status
qeff_compile_graph(const qeff_graph *graph, const qeff_compile_request *request, qeff_error *err);

/** The precision of a name; NULL is fp32.
 * @return QEFF_ERR_INVALID */
qeff_status qeff_compile_precision(const char *name, qeff_precision *out, qeff_error *err);
const char *qeff_compile_precision_name(qeff_precision precision);

/** Begins manifest.json with what every program says of itself: an open object, and a comma. */
void qeff_compile_begin_manifest(const qeff_backend *backend, const qeff_compile_options *options,
                                 qeff_buffer *out);

/** The key of a program: everything that can change a result. `model` digests the model. */
qeff_status qeff_compile_key(const uint8_t model[QEFF_HASH_BYTES], const qeff_backend *backend,
                             const qeff_compile_options *options, uint8_t key[QEFF_HASH_BYTES],
                             qeff_error *err);

/** Checks `folder/programqpc.bin` against `folder/integrity.json`: size, every byte of the small
 * images, and one block of 4 KiB in each MiB of the large ones.
 * @return QEFF_ERR_NOT_FOUND (no integrity file), QEFF_ERR_FORMAT (damaged) */
qeff_status qeff_integrity_check(const char *folder, const qeff_qpc *qpc, qeff_error *err);
/** Writes the integrity file of a program that was just made. */
qeff_status qeff_integrity_write(const char *folder, const qeff_qpc *qpc, qeff_error *err);

#endif /* COMPILE_COMPILE_H */
