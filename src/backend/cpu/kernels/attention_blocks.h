/* attention_blocks.h - attention over more keys than fit one block (kernels.h), as the AVX2 and
 * AVX-512 variants share it: which queries and keys go together, and what is kept of each query. */
#ifndef BACKEND_CPU_KERNELS_ATTENTION_BLOCKS_H
#define BACKEND_CPU_KERNELS_ATTENTION_BLOCKS_H

#include "backend/cpu/kernels/kernels.h"

#include <float.h>

/* Scores count in powers of two. */
#define LOG2_E 1.44269504F

/** What a call keeps in scratch. The maximum m of a query is -FLT_MAX at least, so that a
 * difference from it is NaN only where the formula is. */
typedef struct block_state {
    float *keys, *values, *scores;
    float *most, *sum; /**< m, l: [queries] */
    bool is_first;
} block_state;

/** What a variant does with the queries and the one block of keys of `a`. */
typedef struct block_steps {
    size_t tile_rows; /**< of scores */
    void (*run_block)(const qeff_attention *a, const block_state *state);
    void (*divide_by_sums)(const qeff_attention *a, const block_state *state);
} block_steps;

/** Takes up to QEFF_ATTENTION_QUERIES queries at a time through all blocks of keys. */
static inline void run_blocks(const qeff_attention *a, const block_steps *steps)
{
    const size_t block = qeff_attention_block(a->n_keys);
    const size_t n_groups = (a->n_queries + QEFF_ATTENTION_QUERIES - 1) / QEFF_ATTENTION_QUERIES;
    block_state state = {.keys = a->scratch};
    state.values = state.keys + block * a->head_dim;
    state.scores = state.values + qeff_gemm_panels(a->head_dim) * QEFF_PANEL * block;
    state.most = state.scores + steps->tile_rows * (block + QEFF_PANEL);
    state.sum = state.most + QEFF_ATTENTION_QUERIES;
    for (size_t g = 0; g < n_groups; g++) {
        const size_t row = g * a->n_queries / n_groups;
        qeff_attention part = *a;
        part.n_queries = (g + 1) * a->n_queries / n_groups - row;
        part.q += row * a->q_stride;
        part.y += row * a->y_stride;
        for (size_t i = 0; i < part.n_queries; i++) {
            state.most[i] = -FLT_MAX;
            state.sum[i] = 0.0F;
        }
        for (size_t first = 0; first < a->n_keys; first += block) {
            part.n_keys = a->n_keys - first < block ? a->n_keys - first : block;
            part.k = a->k + first * a->k_stride;
            part.v = a->v + first * a->v_stride;
            state.is_first = first == 0;
            steps->run_block(&part, &state);
        }
        steps->divide_by_sums(&part, &state);
    }
}

#endif /* BACKEND_CPU_KERNELS_ATTENTION_BLOCKS_H */
