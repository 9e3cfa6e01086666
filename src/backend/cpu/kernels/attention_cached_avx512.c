/* attention_cached_avx512.c - softmax(q k^T scale) v of one head whose scores stay in cache, up to
 * 48 queries at a time:
 *
 *   queries  [panels][D][16] = (q scale log2 e)^T
 *   scores   [T][16 panels]  = k queries          one row a key, one lane a query
 *            2^(scores - max), sum
 *   y        = scores^T v / sum
 *
 * With a query in each lane, maximum and sum go down the rows and never across lanes, keys and
 * values are read as they lie, and only the queries are transposed. Lanes without a query hold
 * zeros. */
#include "backend/cpu/kernels/attention_cached_avx512.h"

#include "backend/cpu/kernels/simd_avx512.h"
#include "backend/cpu/kernels/tile_avx512.h"
#include "backend/cpu/kernels/tile_values_avx512.h"

enum { BLOCK = QEFF_TILE512_PANELS * LANES };

/* [n, D], n <= 16 -> [D][16] times `factor` */
static void pack_queries(const qeff_attention *a, const float *q, size_t n, float *panel)
{
    const __m512 factor = _mm512_set1_ps(a->scale * 1.44269504F);
    for (size_t d = 0; d < a->head_dim; d += LANES) {
        const size_t n_columns = fewer(a->head_dim - d, LANES);
        const __mmask16 columns = first_lanes(n_columns);
        __m512 rows[16], transposed[16];
        for (size_t i = 0; i < 16; i++) {
            const float *row = q + fewer(i, n - 1) * a->q_stride + d;
            rows[i] = _mm512_mul_ps(factor, _mm512_maskz_loadu_ps(i < n ? columns : 0, row));
        }
        transpose_lanes(rows, transposed);
        if (n_columns == LANES)
            for (size_t i = 0; i < 16; i++)
                _mm512_storeu_ps(panel + (d + i) * LANES, transposed[i]);
        else
            for (size_t i = 0; i < n_columns; i++)
                _mm512_storeu_ps(panel + (d + i) * LANES, transposed[i]);
    }
}

/* 2^(scores - max) in place, down `n_keys` rows of sixteen; returns 1 / sum. */
static inline __m512 exponentiate_column(float *scores, size_t n_keys, size_t stride)
{
    __m512 most = _mm512_loadu_ps(scores), sum = _mm512_setzero_ps();
    for (size_t t = 1; t < n_keys; t++)
        most = _mm512_max_ps(most, _mm512_loadu_ps(scores + t * stride));
    for (size_t t = 0; t < n_keys; t++) {
        const __m512 e = power_of_two(_mm512_sub_ps(_mm512_loadu_ps(scores + t * stride), most));
        sum = _mm512_add_ps(sum, e);
        _mm512_storeu_ps(scores + t * stride, e);
    }
    return _mm512_div_ps(_mm512_set1_ps(1.0F), sum);
}

static void
run_queries(const qeff_attention *a, size_t first, size_t n, float *queries, float *scores)
{
    const size_t n_panels = qeff_gemm_panels(n), stride = n_panels * LANES;
    const size_t n_tiles = (a->n_keys + QEFF_TILE512_ROWS - 1) / QEFF_TILE512_ROWS;
    float factors[BLOCK];
    for (size_t p = 0; p < n_panels; p++)
        pack_queries(a, a->q + (first + p * LANES) * a->q_stride, fewer(n - p * LANES, LANES),
                     queries + p * LANES * a->head_dim);
    for (size_t t = 0; t < n_tiles; t++) {
        const size_t key = t * a->n_keys / n_tiles, end = (t + 1) * a->n_keys / n_tiles;
        const qeff_tile512 tile = {.x = a->k + key * a->k_stride,
                                   .x_stride = a->k_stride,
                                   .panel = queries,
                                   .n_in = a->head_dim,
                                   .prefetch = (const char *)scores,
                                   .y = scores + key * stride,
                                   .y_stride = stride};
        qeff_tile_avx512(end - key, n_panels, &tile);
    }
    for (size_t p = 0; p < n_panels; p++)
        _mm512_storeu_ps(factors + p * LANES,
                         exponentiate_column(scores + p * LANES, a->n_keys, stride));
    for (size_t i = 0; i < n; i += QEFF_VALUES512_ROWS)
        for (size_t d = 0; d < a->head_dim; d += QEFF_VALUES512_COLUMNS) {
            const qeff_values512 tile = {.n_keys = a->n_keys,
                                         .p = scores + i,
                                         .p_stride = stride,
                                         .v = a->v + d,
                                         .v_stride = a->v_stride,
                                         .factor = factors + i,
                                         .y = a->y + (first + i) * a->y_stride + d,
                                         .y_stride = a->y_stride};
            qeff_tile_values_avx512(fewer(n - i, QEFF_VALUES512_ROWS),
                                    fewer(a->head_dim - d, QEFF_VALUES512_COLUMNS), &tile);
        }
}

/* As many panels as the scratch has room for; it has for one. */
static size_t widest_block(const qeff_attention *a)
{
    const size_t room = qeff_attention_scratch(a->n_keys, a->head_dim);
    size_t n = QEFF_TILE512_PANELS;
    while (n > 1 && n * LANES * (a->head_dim + a->n_keys) > room)
        n--;
    return n * LANES;
}

void qeff_attention_cached_avx512(const qeff_attention *a)
{
    const size_t block = fewer(widest_block(a), qeff_gemm_panels(a->n_queries) * LANES);
    float *queries = a->scratch, *scores = queries + block * a->head_dim;
    for (size_t i = 0; i < a->n_queries; i += block)
        run_queries(a, i, fewer(a->n_queries - i, block), queries, scores);
}
