/* attention_avx2.c - softmax(q k^T scale) v of one head, six queries at a time.
 *
 *   K^T [ceil(T / 16)][D][16] and V [ceil(D / 16)][T][16] are packed into scratch once, then for
 * each tile of queries: scores [rows, T] -> exp(scores - max), sum -> times V -> divided by the
 * sum.
 *
 * Scores stay in L1. The last panel of keys is filled up with zeros, whose scores count neither in
 * the maximum nor in the sum, nor are they multiplied with values. Many keys are taken in blocks
 * (kernels.h), each packed once for up to 1024 queries, so that what is read again and again stays
 * in L2. */
#include "backend/cpu/kernels/attention_blocks.h"
#include "backend/cpu/kernels/kernels_avx2.h"

#include "backend/cpu/kernels/simd_avx2.h"
#include "backend/cpu/kernels/tile_avx2.h"

#include <math.h>
#include <string.h>

/* Eight rows of eight, transposed: y[j][i] = x[i][j]. */
static inline void transpose_8x8(const float *x, size_t x_stride, float *y, size_t y_stride)
{
    const __m256 r0 = _mm256_loadu_ps(x), r1 = _mm256_loadu_ps(x + x_stride);
    const __m256 r2 = _mm256_loadu_ps(x + 2 * x_stride), r3 = _mm256_loadu_ps(x + 3 * x_stride);
    const __m256 r4 = _mm256_loadu_ps(x + 4 * x_stride), r5 = _mm256_loadu_ps(x + 5 * x_stride);
    const __m256 r6 = _mm256_loadu_ps(x + 6 * x_stride), r7 = _mm256_loadu_ps(x + 7 * x_stride);
    const __m256 a0 = _mm256_unpacklo_ps(r0, r1), a1 = _mm256_unpackhi_ps(r0, r1);
    const __m256 a2 = _mm256_unpacklo_ps(r2, r3), a3 = _mm256_unpackhi_ps(r2, r3);
    const __m256 a4 = _mm256_unpacklo_ps(r4, r5), a5 = _mm256_unpackhi_ps(r4, r5);
    const __m256 a6 = _mm256_unpacklo_ps(r6, r7), a7 = _mm256_unpackhi_ps(r6, r7);
#define QUAD(p, q, select) _mm256_shuffle_ps(p, q, select)
    const __m256 b0 = QUAD(a0, a2, 0x44), b1 = QUAD(a0, a2, 0xee);
    const __m256 b2 = QUAD(a1, a3, 0x44), b3 = QUAD(a1, a3, 0xee);
    const __m256 b4 = QUAD(a4, a6, 0x44), b5 = QUAD(a4, a6, 0xee);
    const __m256 b6 = QUAD(a5, a7, 0x44), b7 = QUAD(a5, a7, 0xee);
#undef QUAD
    _mm256_storeu_ps(y, _mm256_permute2f128_ps(b0, b4, 0x20));
    _mm256_storeu_ps(y + y_stride, _mm256_permute2f128_ps(b1, b5, 0x20));
    _mm256_storeu_ps(y + 2 * y_stride, _mm256_permute2f128_ps(b2, b6, 0x20));
    _mm256_storeu_ps(y + 3 * y_stride, _mm256_permute2f128_ps(b3, b7, 0x20));
    _mm256_storeu_ps(y + 4 * y_stride, _mm256_permute2f128_ps(b0, b4, 0x31));
    _mm256_storeu_ps(y + 5 * y_stride, _mm256_permute2f128_ps(b1, b5, 0x31));
    _mm256_storeu_ps(y + 6 * y_stride, _mm256_permute2f128_ps(b2, b6, 0x31));
    _mm256_storeu_ps(y + 7 * y_stride, _mm256_permute2f128_ps(b3, b7, 0x31));
}

/* [T, D] -> [ceil(T / 16)][D][16] */
static void pack_keys(const qeff_attention *a, float *panels)
{
    const size_t n_slots = qeff_gemm_panels(a->n_keys) * QEFF_PANEL;
    for (size_t t = 0; t < n_slots; t += LANES) {
        const size_t n = a->n_keys > t ? a->n_keys - t : 0;
        const float *k = a->k + (n ? t : 0) * a->k_stride;
        float *y = panels + t / QEFF_PANEL * QEFF_PANEL * a->head_dim + t % QEFF_PANEL;
        size_t d = 0;
        if (n >= LANES)
            for (; d + LANES <= a->head_dim; d += LANES)
                transpose_8x8(k + d, a->k_stride, y + d * QEFF_PANEL, QEFF_PANEL);
        for (; d < a->head_dim; d++)
            for (size_t i = 0; i < LANES; i++)
                y[d * QEFF_PANEL + i] = i < n ? k[i * a->k_stride + d] : 0.0F;
    }
}

/* [T, D] -> [ceil(D / 16)][T][16] */
static void pack_values(const qeff_attention *a, float *panels)
{
    for (size_t d = 0; d < a->head_dim; d += QEFF_PANEL) {
        const size_t n = a->head_dim - d < QEFF_PANEL ? a->head_dim - d : QEFF_PANEL;
        for (size_t t = 0; t < a->n_keys; t++, panels += QEFF_PANEL) {
            const float *v = a->v + t * a->v_stride + d;
            if (n == QEFF_PANEL) {
                _mm256_storeu_ps(panels, _mm256_loadu_ps(v));
                _mm256_storeu_ps(panels + LANES, _mm256_loadu_ps(v + LANES));
                continue;
            }
            for (size_t i = 0; i < QEFF_PANEL; i++)
                panels[i] = i < n ? v[i] : 0.0F;
        }
    }
}

/* 2^x for x <= 0: 2^n times a polynomial of degree 5 on |r| <= 1/2, relative error below 2e-7.
 * Below -126 the result is that of -126; the constant comes first in max, which returns the second
 * operand where one is NaN. */
static inline __m256 power_of_two(__m256 x)
{
    x = _mm256_max_ps(_mm256_set1_ps(-126.0F), x);
    const __m256 n = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256 r = _mm256_sub_ps(x, n);
    __m256 p = _mm256_set1_ps(1.326472731e-3F);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(9.671512991e-3F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.550733581e-2F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(2.402224243e-1F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(6.931470037e-1F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0F));
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}

/* The largest of `before` and of n scores times factor. */
static float find_most(const float *s, size_t n, float factor, float before)
{
    const __m256 by = _mm256_set1_ps(factor);
    const size_t whole = n / LANES * LANES;
    __m256 m = _mm256_set1_ps(before);
    for (size_t i = 0; i < whole; i += LANES)
        m = _mm256_max_ps(m, _mm256_mul_ps(_mm256_loadu_ps(s + i), by));
    if (whole < n) {
        const __m256 tail = _mm256_castsi256_ps(first_lanes(n - whole));
        const __m256 x = _mm256_mul_ps(_mm256_loadu_ps(s + whole), by);
        m = _mm256_max_ps(m, _mm256_blendv_ps(m, x, tail));
    }
    return max_lanes(m);
}

/* 2^(factor s - most) in place over n scores, and what fills the last vector; returns the sum of
 * the n. */
static float exponentiate(float *s, size_t n, float factor, float most)
{
    const __m256 by = _mm256_set1_ps(factor), m = _mm256_set1_ps(most);
    const size_t whole = n / LANES * LANES;
    __m256 sum = _mm256_setzero_ps();
    for (size_t i = 0; i < whole; i += LANES) {
        const __m256 e = power_of_two(_mm256_fmsub_ps(_mm256_loadu_ps(s + i), by, m));
        sum = _mm256_add_ps(sum, e);
        _mm256_storeu_ps(s + i, e);
    }
    if (whole < n) {
        const __m256 tail = _mm256_castsi256_ps(first_lanes(n - whole));
        const __m256 e = power_of_two(_mm256_fmsub_ps(_mm256_loadu_ps(s + whole), by, m));
        sum = _mm256_add_ps(sum, _mm256_and_ps(e, tail));
        _mm256_storeu_ps(s + whole, e);
    }
    return sum_lanes(sum);
}

static void store_scaled(const qeff_attention *a, size_t row, size_t rows, size_t d,
                         const float *tile, const float *factors)
{
    const size_t n = a->head_dim - d < QEFF_PANEL ? a->head_dim - d : QEFF_PANEL;
    for (size_t i = 0; i < rows; i++) {
        float *y = a->y + (row + i) * a->y_stride + d;
        for (size_t c = 0; c < n; c += LANES) {
            const __m256i mask = first_lanes(n - c < LANES ? n - c : LANES);
            const __m256 v = _mm256_mul_ps(_mm256_loadu_ps(tile + i * QEFF_PANEL + c),
                                           _mm256_set1_ps(factors[i]));
            _mm256_maskstore_ps(y + c, mask, v);
        }
    }
}

static void run_queries(const qeff_attention *a, size_t row, size_t rows, const float *keys,
                        const float *values, float *scores)
{
    const size_t n_slots = qeff_gemm_panels(a->n_keys) * QEFF_PANEL, stride = n_slots + QEFF_PANEL;
    const float factor = a->scale * LOG2_E;
    float most[QEFF_TILE_ROWS], factors[QEFF_TILE_ROWS], buffer[QEFF_TILE_ROWS * QEFF_PANEL];
    qeff_tile tile = {.x = a->q + row * a->q_stride,
                      .x_stride = a->q_stride,
                      .n_in = a->head_dim,
                      .prefetch = (const char *)scores,
                      .y_stride = stride};
    for (size_t t = 0; t < n_slots; t += QEFF_PANEL) {
        tile.panel = keys + t * a->head_dim;
        tile.y = scores + t;
        qeff_tile_avx2(rows, &tile);
    }
    /* All rows at each step: what one has to wait for goes on beside the next. */
    for (size_t i = 0; i < rows; i++)
        most[i] = find_most(scores + i * stride, a->n_keys, factor, -INFINITY);
    for (size_t i = 0; i < rows; i++)
        factors[i] = 1.0F / exponentiate(scores + i * stride, a->n_keys, factor, most[i]);
    tile.x = scores;
    tile.x_stride = stride;
    tile.n_in = a->n_keys;
    tile.y = buffer;
    tile.y_stride = QEFF_PANEL;
    for (size_t d = 0; d < a->head_dim; d += QEFF_PANEL) {
        tile.panel = values + d * a->n_keys;
        qeff_tile_avx2(rows, &tile);
        store_scaled(a, row, rows, d, buffer, factors);
    }
}

/* --- blocks of keys -----------------------------------------------------------------------------
 */

/* y = kept y + tile, without y for the first block. */
static void add_tile(const qeff_attention *a, size_t row, size_t rows, size_t d, const float *tile,
                     const float *kept, bool is_first)
{
    const size_t n = a->head_dim - d < QEFF_PANEL ? a->head_dim - d : QEFF_PANEL;
    for (size_t i = 0; i < rows; i++) {
        float *y = a->y + (row + i) * a->y_stride + d;
        const __m256 factor = _mm256_set1_ps(kept[i]);
        for (size_t c = 0; c < n; c += LANES) {
            const __m256i mask = first_lanes(n - c < LANES ? n - c : LANES);
            __m256 v = _mm256_loadu_ps(tile + i * QEFF_PANEL + c);
            if (!is_first) v = _mm256_fmadd_ps(_mm256_maskload_ps(y + c, mask), factor, v);
            _mm256_maskstore_ps(y + c, mask, v);
        }
    }
}

static void
run_block_queries(const qeff_attention *a, size_t row, size_t rows, const block_state *state)
{
    const size_t n_slots = qeff_gemm_panels(a->n_keys) * QEFF_PANEL, stride = n_slots + QEFF_PANEL;
    const float factor = a->scale * LOG2_E;
    float kept[QEFF_TILE_ROWS], buffer[QEFF_TILE_ROWS * QEFF_PANEL];
    qeff_tile tile = {.x = a->q + row * a->q_stride,
                      .x_stride = a->q_stride,
                      .n_in = a->head_dim,
                      .prefetch = (const char *)state->scores,
                      .y_stride = stride};
    for (size_t t = 0; t < n_slots; t += QEFF_PANEL) {
        tile.panel = state->keys + t * a->head_dim;
        tile.y = state->scores + t;
        qeff_tile_avx2(rows, &tile);
    }
    for (size_t i = 0; i < rows; i++) {
        float *s = state->scores + i * stride, *most = &state->most[row + i];
        const float before = *most;
        *most = find_most(s, a->n_keys, factor, before);
        kept[i] = _mm256_cvtss_f32(power_of_two(_mm256_set1_ps(before - *most)));
        state->sum[row + i] =
            state->sum[row + i] * kept[i] + exponentiate(s, a->n_keys, factor, *most);
    }
    tile.x = state->scores;
    tile.x_stride = stride;
    tile.n_in = a->n_keys;
    tile.y = buffer;
    tile.y_stride = QEFF_PANEL;
    for (size_t d = 0; d < a->head_dim; d += QEFF_PANEL) {
        tile.panel = state->values + d * a->n_keys;
        qeff_tile_avx2(rows, &tile);
        add_tile(a, row, rows, d, buffer, kept, state->is_first);
    }
}

static void run_block(const qeff_attention *a, const block_state *state)
{
    const size_t n_tiles = (a->n_queries + QEFF_TILE_ROWS - 1) / QEFF_TILE_ROWS;
    pack_keys(a, state->keys);
    pack_values(a, state->values);
    for (size_t t = 0; t < n_tiles; t++) {
        const size_t row = t * a->n_queries / n_tiles, end = (t + 1) * a->n_queries / n_tiles;
        run_block_queries(a, row, end - row, state);
    }
}

/* y / l; no score above -infinity makes that NaN. */
static void divide_by_sums(const qeff_attention *a, const block_state *state)
{
    for (size_t i = 0; i < a->n_queries; i++) {
        float *y = a->y + i * a->y_stride;
        const __m256 factor =
            _mm256_set1_ps(state->most[i] > -FLT_MAX ? 1.0F / state->sum[i] : NAN);
        for (size_t d = 0; d < a->head_dim; d += LANES) {
            const __m256i mask = first_lanes(a->head_dim - d < LANES ? a->head_dim - d : LANES);
            _mm256_maskstore_ps(y + d, mask,
                                _mm256_mul_ps(_mm256_maskload_ps(y + d, mask), factor));
        }
    }
}

void qeff_attention_f32_avx2(const qeff_attention *a)
{
    static const block_steps steps = {QEFF_TILE_ROWS, run_block, divide_by_sums};
    if (a->n_keys > QEFF_ATTENTION_KEYS) {
        run_blocks(a, &steps);
        return;
    }
    const size_t n_tiles = (a->n_queries + QEFF_TILE_ROWS - 1) / QEFF_TILE_ROWS;
    float *keys = a->scratch;
    float *values = keys + qeff_gemm_panels(a->n_keys) * QEFF_PANEL * a->head_dim;
    float *scores = values + qeff_gemm_panels(a->head_dim) * QEFF_PANEL * a->n_keys;
    pack_keys(a, keys);
    pack_values(a, values);
    for (size_t t = 0; t < n_tiles; t++) {
        const size_t row = t * a->n_queries / n_tiles, end = (t + 1) * a->n_queries / n_tiles;
        run_queries(a, row, end - row, keys, values, scores);
    }
}

/* Without products of bf16 there is nothing to gain from rounding. */
void qeff_attention_bf16_avx2(const qeff_attention *a)
{
    qeff_attention_f32_avx2(a);
}
