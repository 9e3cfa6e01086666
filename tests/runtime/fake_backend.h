/* fake_backend.h - a backend for the runtime's tests: `output` of a sequence is a vector that only
 * its own ids decide, so every mix-up of rows shows. */
#ifndef TESTS_FAKE_BACKEND_H
#define TESTS_FAKE_BACKEND_H

#include "runtime/program.h"

enum { FAKE_DIM = 3 };

/** What the last calls looked like. */
typedef struct fake_log {
    size_t n_calls, largest_sequences, largest_tokens;
    bool fails;                /**< run() reports a device error */
    void (*on_run)(void *ctx); /**< called inside run(); NULL: nothing */
    void *ctx;
} fake_log;

extern fake_log fake;
extern const qeff_backend fake_backend;

/** A program with inputs input_ids, attention_mask [batch_size, seq_len] and output `output`
 * [batch_size, FAKE_DIM]. */
extern qeff_program fake_program;

/** The vector of one sequence. */
void fake_vector(const int64_t *ids, size_t n, float out[FAKE_DIM]);

#endif /* TESTS_FAKE_BACKEND_H */
