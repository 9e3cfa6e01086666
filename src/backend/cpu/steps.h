/* steps.h - running the steps of a ragged plan over some sequences. */
#ifndef BACKEND_CPU_STEPS_H
#define BACKEND_CPU_STEPS_H

#include "backend/cpu/plan.h"

/** Whole sequences whose rows go through the plan together. */
typedef struct qeff_chunk {
    size_t first_sequence, n_sequences;
    size_t first_token, n_tokens; /**< of the call */
} qeff_chunk;

/** What a call gives to each token, in the order of the packed rows. */
typedef struct qeff_batch {
    const size_t *offsets;    /**< [n_sequences + 1]: where each sequence begins */
    const int32_t *positions; /**< [n_tokens] */
    const size_t *elements;   /**< [n_tokens]: index into each token input */
    const void *inputs[QEFF_PLAN_IO_MAX];
} qeff_batch;

/** Memory for the rows of one chunk. */
typedef struct qeff_workspace {
    float **slots;  /**< [n_slots]: where each begins */
    float *scratch; /**< of attention and packed linears, one a worker */
} qeff_workspace;

typedef struct qeff_step_call {
    const qeff_plan *plan;
    const qeff_kernels *kernels;
    const qeff_batch *batch;
    const qeff_chunk *chunk;
    qeff_workspace workspace;
    size_t part, n_parts; /**< the share of this worker, where several run one chunk */
} qeff_step_call;

/** Runs this worker's share of one step. Shares of one step do not depend on each other; the next
 * step must wait for all of them. */
void qeff_step_run(const qeff_step_call *call, const qeff_step *step);

/** Floats of scratch that linears of 8 and 16 bits take, for a chunk of `n_rows` rows. */
size_t qeff_packed_scratch(const qeff_plan *plan, size_t n_rows);

/** First row of a view in the workspace. */
const float *qeff_step_rows(const qeff_step_call *call, qeff_view view, size_t *stride);

/** Element of a token input of dtype i64 or i32. */
int64_t qeff_input_element(const void *data, qeff_dtype dtype, size_t index);

#endif /* BACKEND_CPU_STEPS_H */
