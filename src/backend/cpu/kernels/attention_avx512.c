/* attention_avx512.c - softmax(q k^T scale) v of one head, nine queries at a time.
 *
 *   K^T [ceil(T / 16)][D][16] and V [ceil(D / 16)][T][16] are packed into scratch once, then for
 * each tile of queries: scores [rows, T] -> exp(scores - max), sum -> times V -> divided by the
 * sum.
 *
 * Scores stay in L1. The last panel of keys is filled up with zeros, whose scores are masked out of
 * the maximum and the sum. */
#include "backend/cpu/kernels/attention_cached_avx512.h"
#include "backend/cpu/kernels/kernels_avx512.h"

#include "backend/cpu/kernels/simd_avx512.h"
#include "backend/cpu/kernels/tile_avx512.h"

#include <math.h>

_Static_assert((int)QEFF_TILE512_ROWS <= (int)QEFF_ATTENTION_ROWS,
               "scratch has rows for a tile's scores");

/* Sixteen rows of sixteen, transposed in four rounds of interleaving. */
static inline void transpose_16x16(const float *x, size_t x_stride, float *y)
{
    __m512 a[16], b[16];
    for (size_t i = 0; i < 16; i++)
        a[i] = _mm512_loadu_ps(x + i * x_stride);
    for (size_t i = 0; i < 16; i += 2) {
        b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
    }
    for (size_t i = 0; i < 16; i += 4) {
        a[i] = _mm512_shuffle_ps(b[i], b[i + 2], 0x44);
        a[i + 1] = _mm512_shuffle_ps(b[i], b[i + 2], 0xee);
        a[i + 2] = _mm512_shuffle_ps(b[i + 1], b[i + 3], 0x44);
        a[i + 3] = _mm512_shuffle_ps(b[i + 1], b[i + 3], 0xee);
    }
    /* a[4 q + c] holds columns c, 4 + c, 8 + c, 12 + c of rows 4 q to 4 q + 3. */
    for (size_t c = 0; c < 4; c++) {
        const __m512 p = _mm512_shuffle_f32x4(a[c], a[4 + c], 0x88);
        const __m512 q = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0x88);
        const __m512 r = _mm512_shuffle_f32x4(a[c], a[4 + c], 0xdd);
        const __m512 s = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0xdd);
        _mm512_storeu_ps(y + c * LANES, _mm512_shuffle_f32x4(p, q, 0x88));
        _mm512_storeu_ps(y + (4 + c) * LANES, _mm512_shuffle_f32x4(r, s, 0x88));
        _mm512_storeu_ps(y + (8 + c) * LANES, _mm512_shuffle_f32x4(p, q, 0xdd));
        _mm512_storeu_ps(y + (12 + c) * LANES, _mm512_shuffle_f32x4(r, s, 0xdd));
    }
}

/* [T, D] -> [ceil(T / 16)][D][16] */
static void pack_keys(const qeff_attention *a, float *panels)
{
    for (size_t t = 0; t < a->n_keys; t += LANES, panels += a->head_dim * LANES) {
        const size_t n = a->n_keys - t < LANES ? a->n_keys - t : LANES;
        const float *k = a->k + t * a->k_stride;
        size_t d = 0;
        if (n == LANES)
            for (; d + LANES <= a->head_dim; d += LANES)
                transpose_16x16(k + d, a->k_stride, panels + d * LANES);
        for (; d < a->head_dim; d++)
            for (size_t i = 0; i < LANES; i++)
                panels[d * LANES + i] = i < n ? k[i * a->k_stride + d] : 0.0F;
    }
}

/* [T, D] -> [ceil(D / 16)][T][16] */
static void pack_values(const qeff_attention *a, float *panels)
{
    for (size_t d = 0; d < a->head_dim; d += LANES) {
        const __mmask16 mask = first_lanes(a->head_dim - d < LANES ? a->head_dim - d : LANES);
        for (size_t t = 0; t < a->n_keys; t++, panels += LANES)
            _mm512_storeu_ps(panels, _mm512_maskz_loadu_ps(mask, a->v + t * a->v_stride + d));
    }
}

/* exp(scale s - max) in place over `n` scores; returns 1 / sum. */
static float exponentiate_row(float *s, size_t n, float scale)
{
    const __m512 factor = _mm512_set1_ps(scale), lowest = _mm512_set1_ps(-INFINITY);
    __m512 most = lowest, sum = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 mask = first_lanes(n - i < LANES ? n - i : LANES);
        const __m512 x = _mm512_mask_mul_ps(lowest, mask, _mm512_loadu_ps(s + i), factor);
        most = _mm512_max_ps(most, x);
        _mm512_storeu_ps(s + i, x);
    }
    most = _mm512_set1_ps(max_lanes(most));
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 mask = first_lanes(n - i < LANES ? n - i : LANES);
        const __m512 e = exponential(_mm512_sub_ps(_mm512_loadu_ps(s + i), most));
        sum = _mm512_mask_add_ps(sum, mask, sum, e);
        _mm512_storeu_ps(s + i, e);
    }
    return 1.0F / sum_lanes(sum);
}

static void store_scaled(const qeff_attention *a, size_t row, size_t rows, size_t d,
                         const float *tile, size_t tile_stride, const float *factors)
{
    for (size_t i = 0; i < rows; i++) {
        float *y = a->y + (row + i) * a->y_stride + d;
        const __m512 factor = _mm512_set1_ps(factors[i]);
        for (size_t c = 0; c < tile_stride && d + c < a->head_dim; c += LANES) {
            const size_t n = a->head_dim - d - c;
            const __m512 v = _mm512_mul_ps(_mm512_loadu_ps(tile + i * tile_stride + c), factor);
            _mm512_mask_storeu_ps(y + c, first_lanes(n < LANES ? n : LANES), v);
        }
    }
}

static size_t fewer(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void run_queries(const qeff_attention *a, size_t row, size_t rows, const float *keys,
                        const float *values, float *scores)
{
    const size_t key_panels = qeff_gemm_panels(a->n_keys),
                 value_panels = qeff_gemm_panels(a->head_dim);
    const size_t stride = (key_panels + 1) * LANES;
    float factors[QEFF_TILE512_ROWS], buffer[QEFF_TILE512_ROWS * QEFF_TILE512_PANELS * LANES];
    qeff_tile512 tile = {.x = a->q + row * a->q_stride,
                         .x_stride = a->q_stride,
                         .n_in = a->head_dim,
                         .prefetch = (const char *)scores,
                         .y_stride = stride};
    for (size_t p = 0; p < key_panels; p += QEFF_TILE512_PANELS) {
        tile.panel = keys + p * LANES * a->head_dim;
        tile.y = scores + p * LANES;
        qeff_tile_avx512(rows, fewer(QEFF_TILE512_PANELS, key_panels - p), &tile);
    }
    for (size_t i = 0; i < rows; i++)
        factors[i] = exponentiate_row(scores + i * stride, a->n_keys, a->scale);
    tile.x = scores;
    tile.x_stride = stride;
    tile.n_in = a->n_keys;
    tile.y = buffer;
    for (size_t p = 0; p < value_panels; p += QEFF_TILE512_PANELS) {
        const size_t n = fewer(QEFF_TILE512_PANELS, value_panels - p);
        tile.panel = values + p * LANES * a->n_keys;
        tile.y_stride = n * LANES;
        qeff_tile_avx512(rows, n, &tile);
        store_scaled(a, row, rows, p * LANES, buffer, n * LANES, factors);
    }
}

void qeff_attention_f32_avx512(const qeff_attention *a)
{
    if (a->n_keys <= QEFF_ATTENTION_CACHED_KEYS) {
        qeff_attention_cached_avx512(a);
        return;
    }
    const size_t n_tiles = (a->n_queries + QEFF_TILE512_ROWS - 1) / QEFF_TILE512_ROWS;
    float *keys = a->scratch;
    float *values = keys + qeff_gemm_panels(a->n_keys) * LANES * a->head_dim;
    float *scores = values + qeff_gemm_panels(a->head_dim) * LANES * a->n_keys;
    pack_keys(a, keys);
    pack_values(a, values);
    for (size_t t = 0; t < n_tiles; t++) {
        const size_t row = t * a->n_queries / n_tiles, end = (t + 1) * a->n_queries / n_tiles;
        run_queries(a, row, end - row, keys, values, scores);
    }
}
