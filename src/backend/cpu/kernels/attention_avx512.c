/* attention_avx512.c - softmax(q k^T scale) v of one head over more keys than fit one block
 * (kernels.h), nine queries at a time; fewer keys go to attention_cached_avx512.c.
 *
 *   for up to 1024 queries, for each block of keys:
 *     K^T [ceil(T / 16)][D][16] and V [ceil(D / 16)][T][16] are packed into scratch
 *     for each tile of queries: scores [rows, T] -> 2^(scores - m'), sum -> times V -> added to y
 *
 * Scores stay in L1, keys and values in L2. The last panel of keys is filled up with zeros, whose
 * scores are masked out of the maximum and the sum. */
#include "backend/cpu/kernels/attention_blocks.h"
#include "backend/cpu/kernels/kernels_avx512.h"

#include "backend/cpu/kernels/simd_avx512.h"
#include "backend/cpu/kernels/tile_avx512.h"

#include <math.h>

_Static_assert((int)QEFF_TILE512_ROWS <= (int)QEFF_ATTENTION_ROWS,
               "scratch has rows for a tile's scores");

static inline void transpose_block(const float *x, size_t x_stride, float *y)
{
    __m512 rows[16], columns[16];
    for (size_t i = 0; i < 16; i++)
        rows[i] = _mm512_loadu_ps(x + i * x_stride);
    transpose_lanes(rows, columns);
    for (size_t i = 0; i < 16; i++)
        _mm512_storeu_ps(y + i * LANES, columns[i]);
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
                transpose_block(k + d, a->k_stride, panels + d * LANES);
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

/* 2^(scale s - m') in place over the `n` scores of a block; moves m and l on, returns 2^(m - m').
 */
static float exponentiate_block(float *s, size_t n, float scale, float *most, float *sum)
{
    const __m512 factor = _mm512_set1_ps(scale), before = _mm512_set1_ps(*most);
    const size_t whole = n / LANES * LANES;
    const __mmask16 tail = first_lanes(n - whole);
    __m512 m = before, l = _mm512_setzero_ps();
    for (size_t i = 0; i < whole; i += LANES)
        m = _mm512_max_ps(m, _mm512_mul_ps(_mm512_loadu_ps(s + i), factor));
    if (tail) m = _mm512_max_ps(m, _mm512_mask_mul_ps(m, tail, _mm512_loadu_ps(s + whole), factor));
    *most = max_lanes(m);
    m = _mm512_set1_ps(*most);
    for (size_t i = 0; i < whole; i += LANES) {
        const __m512 e = power_of_two(_mm512_fmsub_ps(_mm512_loadu_ps(s + i), factor, m));
        l = _mm512_add_ps(l, e);
        _mm512_storeu_ps(s + i, e);
    }
    if (tail) {
        const __m512 e = power_of_two(_mm512_fmsub_ps(_mm512_loadu_ps(s + whole), factor, m));
        l = _mm512_mask_add_ps(l, tail, l, e);
        _mm512_storeu_ps(s + whole, e);
    }
    const float kept = _mm512_cvtss_f32(power_of_two(_mm512_sub_ps(before, m)));
    *sum = *sum * kept + sum_lanes(l);
    return kept;
}

/* y = kept y + tile, without y for the first block. */
static void add_tile(const qeff_attention *a, size_t row, size_t rows, size_t d, const float *tile,
                     size_t tile_stride, const float *kept, bool is_first)
{
    for (size_t i = 0; i < rows; i++) {
        float *y = a->y + (row + i) * a->y_stride + d;
        const __m512 factor = _mm512_set1_ps(kept[i]);
        for (size_t c = 0; c < tile_stride && d + c < a->head_dim; c += LANES) {
            const size_t n = a->head_dim - d - c;
            const __mmask16 mask = first_lanes(n < LANES ? n : LANES);
            __m512 v = _mm512_loadu_ps(tile + i * tile_stride + c);
            if (!is_first) v = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, y + c), factor, v);
            _mm512_mask_storeu_ps(y + c, mask, v);
        }
    }
}

static void
run_block_queries(const qeff_attention *a, size_t row, size_t rows, const block_state *state)
{
    const size_t key_panels = qeff_gemm_panels(a->n_keys),
                 value_panels = qeff_gemm_panels(a->head_dim);
    const size_t stride = (key_panels + 1) * LANES;
    float kept[QEFF_TILE512_ROWS], buffer[QEFF_TILE512_ROWS * QEFF_TILE512_PANELS * LANES];
    qeff_tile512 tile = {.x = a->q + row * a->q_stride,
                         .x_stride = a->q_stride,
                         .n_in = a->head_dim,
                         .prefetch = (const char *)state->scores,
                         .y_stride = stride};
    for (size_t p = 0; p < key_panels; p += QEFF_TILE512_PANELS) {
        tile.panel = state->keys + p * LANES * a->head_dim;
        tile.y = state->scores + p * LANES;
        qeff_tile_avx512(rows, fewer(QEFF_TILE512_PANELS, key_panels - p), &tile);
    }
    for (size_t i = 0; i < rows; i++)
        kept[i] = exponentiate_block(state->scores + i * stride, a->n_keys, a->scale * LOG2_E,
                                     &state->most[row + i], &state->sum[row + i]);
    tile.x = state->scores;
    tile.x_stride = stride;
    tile.n_in = a->n_keys;
    tile.y = buffer;
    for (size_t p = 0; p < value_panels; p += QEFF_TILE512_PANELS) {
        const size_t n = fewer(QEFF_TILE512_PANELS, value_panels - p);
        tile.panel = state->values + p * LANES * a->n_keys;
        tile.y_stride = n * LANES;
        qeff_tile_avx512(rows, n, &tile);
        add_tile(a, row, rows, p * LANES, buffer, n * LANES, kept, state->is_first);
    }
}

static void run_block(const qeff_attention *a, const block_state *state)
{
    const size_t n_tiles = (a->n_queries + QEFF_TILE512_ROWS - 1) / QEFF_TILE512_ROWS;
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
        const __m512 factor =
            _mm512_set1_ps(state->most[i] > -FLT_MAX ? 1.0F / state->sum[i] : NAN);
        for (size_t d = 0; d < a->head_dim; d += LANES) {
            const __mmask16 mask = first_lanes(fewer(a->head_dim - d, LANES));
            _mm512_mask_storeu_ps(y + d, mask,
                                  _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, y + d), factor));
        }
    }
}

void qeff_attention_f32_avx512(const qeff_attention *a)
{
    static const block_steps steps = {QEFF_TILE512_ROWS, run_block, divide_by_sums};
    if (a->n_keys > QEFF_ATTENTION_KEYS)
        run_blocks(a, &steps);
    else
        qeff_attention_cached_avx512(a);
}
