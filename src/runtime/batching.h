/* batching.h - many tokenised texts through one session: sorted by length, cut into ragged calls,
 * the order restored. */
#ifndef RUNTIME_BATCHING_H
#define RUNTIME_BATCHING_H

#include "runtime/session.h"

/** Texts as ids, one after another. Borrows. */
typedef struct qeff_token_batch {
    const int64_t *ids;      /**< [offsets[n]] */
    const int64_t *type_ids; /**< [offsets[n]]; NULL where the program takes none */
    const int64_t *offsets;  /**< [n + 1] */
    size_t n;
} qeff_token_batch;

typedef struct qeff_batching_options {
    size_t batch_size;             /**< sequences a call, at least 1 */
    size_t max_tokens;             /**< tokens a call; one longer sequence goes alone */
    const qeff_progress *progress; /**< NULL: silent */
} qeff_batching_options;

/** Runs all sequences. `values` receives, for a pooled output, [n, D] in the order given; for an
 * output of tokens, [offsets[n], D].
 * @param is_pooled  whether `output` has one row a sequence */
qeff_status qeff_batch_run(qeff_session *session, const qeff_token_batch *batch,
                           const qeff_batching_options *options, const char *output, bool is_pooled,
                           size_t dim, float *values, qeff_error *err);

#endif /* RUNTIME_BATCHING_H */
