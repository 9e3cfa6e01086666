/* backend.h - what a target is to the rest of the library: one table of functions.
 *
 * compile: graph -> images of a program container. load: container -> program (immutable, shared
 * by threads). bind: program -> session (one caller at a time). run: tensors in, tensors out. */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include "base/buffer.h"
#include "formats/qpc.h"
#include "graph/graph.h"

#include <qeff/bench.h>

/** How a program's inputs and outputs look; shapes may hold named dims. */
typedef struct qeff_io_spec {
    qeff_str name;
    qeff_dtype dtype;
    qeff_shape shape;
} qeff_io_spec;

/** In which numbers the products with weights are computed; the rest stays in f32. */
typedef enum qeff_precision {
    QEFF_PRECISION_FP32 = 0,
    QEFF_PRECISION_BF16,
    QEFF_PRECISION_INT8,
    QEFF_PRECISION_INT8_MIXED, /**< int8, but bf16 where it costs the most accuracy */
    QEFF_PRECISION_COUNT
} qeff_precision;

typedef struct qeff_compile_options {
    unsigned cpu_flags;            /**< QEFF_CPU_* the kernels may use; packing follows it */
    qeff_precision precision;      /**< part of the program's key */
    const qeff_progress *progress; /**< may be NULL */
} qeff_compile_options;

/** One image a backend contributes to the container. `write` appends exactly `size` bytes to the
 * writer, or fails. Small images set `data` instead and leave `write` NULL. */
typedef struct qeff_program_image {
    const char *name; /**< static, such as "constants.bin" */
    uint64_t size;
    qeff_bytes data;
    qeff_status (*write)(void *ctx, qeff_qpc_writer *out, qeff_error *err);
    void *ctx;
} qeff_program_image;

enum { QEFF_PROGRAM_IMAGES_MAX = 16 };

/** The result of compile, until it is written. Owned by the backend: release with `destroy`. */
typedef struct qeff_compiled {
    size_t n_images;
    qeff_program_image images[QEFF_PROGRAM_IMAGES_MAX];
    void *ctx;
    void (*destroy)(void *ctx); /**< may be NULL */
} qeff_compiled;

/** A tensor handed to run(). Rank-2 padded calls are [B, T] with an attention mask. */
typedef struct qeff_run_tensor {
    qeff_str name;
    qeff_dtype dtype;
    size_t rank;
    int64_t shape[QEFF_MAX_RANK];
    void *data; /**< inputs are not written to */
} qeff_run_tensor;

/** One call. Ragged: `n_sequences` > 0 and `offsets` [n_sequences + 1] are set; token inputs are
 * rank 1 [offsets[n]], there is no attention_mask input, and an output with a sequence dimension
 * comes back as [tokens, …]; others as [n_sequences, …]. Padded: `n_sequences` is 0. */
typedef struct qeff_run_call {
    const qeff_run_tensor *inputs;
    size_t n_inputs;
    size_t n_sequences;
    const int64_t *offsets;
    qeff_run_tensor *outputs; /**< by name; `data` is the caller's, shape filled beforehand */
    size_t n_outputs;
} qeff_run_call;

typedef struct qeff_bind_options {
    int n_threads;     /**< >= 1 */
    size_t max_tokens; /**< tokens of one call at most; 0: grows as needed outside the step */
} qeff_bind_options;

typedef struct qeff_backend {
    const char *name; /**< "cpu" */
    /** QEFF_OK, or why this target cannot be used here. */
    qeff_status (*available)(qeff_error *err);
    bool (*supports)(const qeff_graph *graph, const qeff_node *node);
    /** Everything of this backend that may change results or files: kernels' version, packing. */
    void (*hash)(const qeff_compile_options *options, qeff_hash *hash);
    qeff_status (*compile)(const qeff_graph *graph, const qeff_compile_options *options,
                           qeff_compiled *out, qeff_error *err);
    /** `qpc` outlives the program. Everything in it is checked: it is untrusted. */
    qeff_status (*load)(const qeff_qpc *qpc, void **program, qeff_error *err);
    void (*unload)(void *program);
    /** What the loaded program takes and gives; valid until unload. */
    const qeff_io_spec *(*inputs)(const void *program, size_t *n);
    const qeff_io_spec *(*outputs)(const void *program, size_t *n);
    /** Whether run() takes ragged calls for this program. */
    bool (*is_ragged)(const void *program);
    /** Allocates all that run() needs for up to max_tokens. */
    qeff_status (*bind)(const void *program, const qeff_bind_options *options, void **session,
                        qeff_error *err);
    void (*unbind)(void *session);
    /** Makes room for calls of up to `n_tokens` tokens (padded: B x T, with T = `seq_len`); the
     * only part that may allocate. */
    qeff_status (*reserve)(void *session, size_t n_sequences, size_t n_tokens, size_t max_seq_len,
                           qeff_error *err);
    /** Never allocates. QEFF_ERR_INVALID (shape, dtype, name), QEFF_ERR_CAPACITY (not reserved),
     * QEFF_ERR_DEVICE. Ids are checked against the tables. */
    qeff_status (*run)(void *session, const qeff_run_call *call, qeff_error *err);
    /** Reports the steps of later runs (qeff/bench.h); a profile of NULL ends that. NULL, or
     * QEFF_ERR_UNSUPPORTED, where there are no steps. */
    qeff_status (*set_profile)(void *session, const qeff_profile *profile, qeff_error *err);
} qeff_backend;

#endif /* BACKEND_BACKEND_H */
