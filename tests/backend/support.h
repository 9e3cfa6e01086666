/* support.h - programs for tests of backends: small encoders with seeded weights, compiled into a
 * folder of their own, loaded, and called. */
#ifndef TESTS_BACKEND_SUPPORT_H
#define TESTS_BACKEND_SUPPORT_H

#include "backend/backend.h"
#include "base/support.h"
#include "graph/builder.h"

/** A compiled and loaded program. */
typedef struct test_program {
    const qeff_backend *backend;
    test_folder folder;
    qeff_qpc *qpc;
    void *loaded;
} test_program;

/** Writes the images of a compilation to `path`. */
qeff_status test_program_write(qeff_compiled *compiled, const char *path, qeff_error *err);
/** Compiles for the given instruction sets; the graph may go afterwards. */
qeff_status test_program_compile(const qeff_backend *backend, const qeff_graph *graph,
                                 unsigned cpu_flags, test_program *program, qeff_error *err);
/** The same in another precision. */
qeff_status test_program_compile_precise(const qeff_backend *backend, const qeff_graph *graph,
                                         unsigned cpu_flags, qeff_precision precision,
                                         test_program *program, qeff_error *err);
/** Loads a container of these two images. */
qeff_status test_program_load(const qeff_backend *backend, qeff_bytes plan, qeff_bytes constants,
                              test_program *program, qeff_error *err);
void test_program_close(test_program *program);
/** An image of it. */
qeff_bytes test_program_image(const test_program *program, const char *name);

/** Instruction sets to test: all levels this machine has. Returns how many. */
size_t test_levels(unsigned flags[4]);

/** Seeded numbers in [-1, 1). */
void test_seed(uint64_t seed);
float test_uniform(void);
/** A constant of seeded numbers times `scale`, as f32, f16 or bf16. */
qeff_value
test_constant(qeff_builder *b, const char *name, qeff_dtype dtype, const char *dims, float scale);

/** A small BERT: 2 layers, H = 24 in 3 heads, F = 40, 50 words, 30 positions. */
typedef struct test_encoder {
    qeff_dtype dtype;    /**< of the weights; 0: f32 */
    bool has_type_input; /**< token_type_ids, 3 types */
    const char *pooling; /**< NULL: hidden states; "first": pooler, as BERT has one */
    bool is_normalized;  /**< L2, behind the pooling */
    bool has_dense;      /**< a dense module with tanh and a residual behind the pooling */
    int64_t n_columns;   /**< cut behind all that; 0: none */
    bool has_hidden;     /**< a second output: the hidden states before the pooling */
    bool is_wide;        /**< F = 400 */
} test_encoder;

enum { TEST_WORDS = 50, TEST_POSITIONS = 30, TEST_HIDDEN = 24 };

qeff_graph *test_encoder_graph(const test_encoder *options);

/** A padded or ragged call of an encoder program. */
typedef struct test_call {
    size_t batch, length;              /**< padded: B, T */
    const int64_t *offsets;            /**< ragged: [batch + 1]; else NULL */
    const int64_t *ids, *mask, *types; /**< types may be NULL */
    float *output;
    int64_t width;
    bool is_pooled;
} test_call;

qeff_status
test_reserve(const test_program *program, void *session, const test_call *call, qeff_error *err);
qeff_status
test_run(const test_program *program, void *session, const test_call *call, qeff_error *err);
/** Binds, reserves, runs, unbinds. */
qeff_status
test_run_once(const test_program *program, int n_threads, const test_call *call, qeff_error *err);

#endif /* TESTS_BACKEND_SUPPORT_H */
