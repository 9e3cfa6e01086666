/* attention_cached_avx512.h - softmax(q k^T scale) v of one head whose scores stay in cache, up to
 * 48 queries at a time, as the variants of f32 and of bf16 share it:
 *
 *   queries  [steps of D][16 panels]  = (q scale log2 e)^T
 *   scores   [T][16 panels]           = keys queries      one row a key, one lane a query
 *            [steps of T][16 panels]  = 2^(scores - max), in place; sum
 *   y        = scores^T values / sum
 *
 * A step is one element, or a pair of bf16. With a query in each lane, maximum and sum go down the
 * rows and never across lanes, and only the queries are transposed. Lanes without a query hold
 * zeros; rows are filled up with scores of minus infinity to a multiple of four. */
#ifndef BACKEND_CPU_KERNELS_ATTENTION_CACHED_AVX512_H
#define BACKEND_CPU_KERNELS_ATTENTION_CACHED_AVX512_H

#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/kernels/simd_avx512.h"
#include "backend/cpu/kernels/tile_attention_avx512.h"

#include <math.h>

enum { CACHED_QUERIES = QEFF_ATTENTION512_COLUMNS, CACHED_COLUMNS = 32, CACHED_ROWS = 4 };

/** Keys and values as the products read them, and room for queries and scores. */
typedef struct cached_head {
    const float *keys, *values;
    size_t keys_stride, values_stride;
    size_t column_steps, key_steps; /**< of a key, of all keys */
    float *queries, *scores;
} cached_head;

/** What a variant does. */
typedef struct cached_steps {
    /** [n, D], n <= 16, to a panel whose rows are `stride` apart. */
    void (*pack_queries)(const qeff_attention *a, const float *q, size_t n, float *panel,
                         size_t stride);
    /** 2^(scores - max) in place, down `n_rows` rows, four at a time; returns 1 / sum. */
    __m512 (*exponentiate)(float *scores, size_t n_rows, size_t stride);
    void (*multiply)(size_t rows, size_t columns, const qeff_attention512 *tile);
} cached_steps;

/** Of each lane, down `n_rows` rows, four at a time. */
static inline __m512 max_column(const float *scores, size_t n_rows, size_t stride)
{
    __m512 a = _mm512_loadu_ps(scores), b = a, c = a, d = a;
    for (size_t t = 0; t < n_rows; t += CACHED_ROWS) {
        const float *s = scores + t * stride;
        a = _mm512_max_ps(a, _mm512_loadu_ps(s));
        b = _mm512_max_ps(b, _mm512_loadu_ps(s + stride));
        c = _mm512_max_ps(c, _mm512_loadu_ps(s + 2 * stride));
        d = _mm512_max_ps(d, _mm512_loadu_ps(s + 3 * stride));
    }
    return _mm512_max_ps(_mm512_max_ps(a, b), _mm512_max_ps(c, d));
}

/** Into how many parts of up to `most` something goes. */
static inline size_t shares(size_t n, size_t most)
{
    return (n + most - 1) / most;
}

static inline void score_queries(const qeff_attention *a, const cached_head *h, size_t stride,
                                 const cached_steps *steps)
{
    static const float ones[QEFF_ATTENTION512_ROWS] = {1, 1, 1, 1, 1, 1, 1, 1};
    const size_t n_tiles = shares(a->n_keys, QEFF_ATTENTION512_ROWS);
    for (size_t t = 0; t < n_tiles; t++) {
        const size_t key = t * a->n_keys / n_tiles, end = (t + 1) * a->n_keys / n_tiles;
        const qeff_attention512 tile = {.n_steps = h->column_steps,
                                        .x = h->keys + key * h->keys_stride,
                                        .x_row = h->keys_stride,
                                        .x_step = 1,
                                        .v = h->queries,
                                        .v_stride = stride,
                                        .factor = ones,
                                        .y = h->scores + key * stride,
                                        .y_stride = stride};
        steps->multiply(end - key, stride, &tile);
    }
    const __m512 none = _mm512_set1_ps(-INFINITY);
    for (size_t t = a->n_keys; t % CACHED_ROWS; t++)
        for (size_t i = 0; i < stride; i += LANES)
            _mm512_storeu_ps(h->scores + t * stride + i, none);
}

static inline void
weigh_values(const qeff_attention *a, const cached_head *h, size_t n, size_t stride,
             const float *factors, float *y, const cached_steps *steps)
{
    const size_t n_tiles = shares(n, QEFF_ATTENTION512_ROWS);
    for (size_t t = 0; t < n_tiles; t++) {
        const size_t i = t * n / n_tiles, end = (t + 1) * n / n_tiles;
        for (size_t d = 0; d < a->head_dim; d += CACHED_COLUMNS) {
            const qeff_attention512 tile = {.n_steps = h->key_steps,
                                            .x = h->scores + i,
                                            .x_row = 1,
                                            .x_step = stride,
                                            .v = h->values + d,
                                            .v_stride = h->values_stride,
                                            .factor = factors + i,
                                            .y = y + i * a->y_stride + d,
                                            .y_stride = a->y_stride};
            steps->multiply(end - i, fewer(a->head_dim - d, CACHED_COLUMNS), &tile);
        }
    }
}

static inline void
run_cached(const qeff_attention *a, const cached_head *h, const cached_steps *steps)
{
    const size_t n_panels = qeff_gemm_panels(a->n_queries);
    const size_t n_blocks = shares(a->n_queries, CACHED_QUERIES);
    float factors[CACHED_QUERIES];
    for (size_t b = 0; b < n_blocks; b++) {
        const size_t first = b * n_panels / n_blocks * LANES;
        const size_t stride = (b + 1) * n_panels / n_blocks * LANES - first;
        const size_t n = fewer(stride, a->n_queries - first);
        for (size_t p = 0; p < stride; p += LANES)
            steps->pack_queries(a, a->q + (first + p) * a->q_stride, fewer(n - p, LANES),
                                h->queries + p, stride);
        score_queries(a, h, stride, steps);
        for (size_t p = 0; p < stride; p += LANES)
            _mm512_storeu_ps(factors + p, steps->exponentiate(h->scores + p, a->n_keys, stride));
        weigh_values(a, h, n, stride, factors, a->y + first * a->y_stride, steps);
    }
}

#endif /* BACKEND_CPU_KERNELS_ATTENTION_CACHED_AVX512_H */
