/* attention_avx512bf16.c - softmax(q k^T scale) v of one head by VDPBF16PS, nine queries at a time.
 *
 *   K^T [ceil(T / 16)][ceil(D / 2)][16] in pairs of columns and V [ceil(D / 16)][ceil(T / 2)][16]
 * in pairs of rows are packed into scratch once, then for each tile of queries: scores [rows, T] in
 * f32 -> 2^(scores - max) in bf16, in place -> times V -> divided by the sum.
 *
 * Queries are multiplied by scale and log2 e before they are rounded. What is rounded has an error
 * of up to 2^-9 of itself; sums are in f32. Few keys do not pay for the packing, and many do not
 * stay in cache: those go by f32. Which way a head goes depends on its own sizes alone. */
#include "backend/cpu/kernels/kernels_avx512.h"

#include "backend/cpu/kernels/simd_avx512.h"
#include "backend/cpu/kernels/tile_avx512.h"
#include "backend/cpu/kernels/tile_avx512bf16.h"

#include <math.h>

enum { KEYS_MIN = 80, KEYS_MAX = 512, HEAD_MIN = 16 };

static inline size_t pairs(size_t n)
{
    return (n + 1) / 2;
}

/* Columns 0 to 31 of a row times `factor`, of which the first `n` are there, in pairs. */
static inline __m512i load_pairs(const float *x, size_t n, __m512 factor)
{
    const __m512 low = _mm512_maskz_loadu_ps(first_lanes(fewer(n, LANES)), x);
    const __mmask16 others = n > LANES ? first_lanes(fewer(n - LANES, LANES)) : 0;
    const __m512 high = _mm512_maskz_loadu_ps(others, x + LANES);
    return (__m512i)_mm512_cvtne2ps_pbh(_mm512_mul_ps(high, factor), _mm512_mul_ps(low, factor));
}

/* [T, D] -> [ceil(T / 16)][ceil(D / 2)][16] */
static void pack_keys(const qeff_attention *a, int32_t *panels)
{
    const size_t n_groups = pairs(a->head_dim);
    const __m512 one = _mm512_set1_ps(1.0F);
    for (size_t t = 0; t < a->n_keys; t += LANES, panels += n_groups * LANES) {
        const size_t n = fewer(a->n_keys - t, LANES);
        for (size_t g = 0; g < n_groups; g += LANES) {
            const float *k = a->k + t * a->k_stride + 2 * g;
            __m512 rows[16], columns[16];
            for (size_t i = 0; i < 16; i++)
                rows[i] = _mm512_castsi512_ps(load_pairs(k + fewer(i, n - 1) * a->k_stride,
                                                         i < n ? a->head_dim - 2 * g : 0, one));
            transpose_lanes(rows, columns);
            for (size_t i = 0; i < fewer(n_groups - g, 16); i++)
                _mm512_storeu_ps(panels + (g + i) * LANES, columns[i]);
        }
    }
}

/* [T, D] -> [ceil(D / 16)][ceil(T / 2)][16] */
static void pack_values(const qeff_attention *a, int32_t *panels)
{
    const __m512i alternating =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    for (size_t d = 0; d < a->head_dim; d += LANES) {
        const __mmask16 mask = first_lanes(fewer(a->head_dim - d, LANES));
        const float *v = a->v + d;
        for (size_t t = 0; t < a->n_keys; t += 2, v += 2 * a->v_stride, panels += LANES) {
            const bool has_next = t + 1 < a->n_keys;
            const __m512 low = _mm512_maskz_loadu_ps(mask, v);
            const __m512 high =
                _mm512_maskz_loadu_ps(has_next ? mask : 0, has_next ? v + a->v_stride : v);
            const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
            _mm512_storeu_si512(panels, _mm512_permutexvar_epi16(alternating, both));
        }
    }
}

static void pack_queries(const qeff_attention *a, size_t row, size_t rows, int32_t *queries)
{
    const size_t n_groups = pairs(a->head_dim);
    const __m512 factor = _mm512_set1_ps(a->scale * 1.44269504F);
    for (size_t i = 0; i < rows; i++)
        for (size_t g = 0; g < n_groups; g += LANES) {
            const float *q = a->q + (row + i) * a->q_stride + 2 * g;
            _mm512_mask_storeu_ps(queries + i * n_groups + g,
                                  first_lanes(fewer(n_groups - g, LANES)),
                                  _mm512_castsi512_ps(load_pairs(q, a->head_dim - 2 * g, factor)));
        }
}

/* 2^x for x <= 0 by a polynomial of degree 3 on |r| <= 1/2, relative error below 8e-5, a 25th of
 * what rounding to bf16 adds. The constant comes first in max, which returns the second operand
 * where one is NaN. */
static inline __m512 power_of_two_short(__m512 x)
{
    x = _mm512_max_ps(_mm512_set1_ps(-127.0F), x);
    const __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 r = _mm512_sub_ps(x, n);
    __m512 p = _mm512_set1_ps(5.5171668e-2F);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.42611122e-1F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.93260986e-1F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(9.99928074e-1F));
    return _mm512_scalef_ps(p, n);
}

/* 2^(s - max) as bf16 in place, with zeros behind the last of `n`; returns 1 / sum. */
static float exponentiate_row(float *s, size_t n)
{
    __m512 most = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += LANES)
        most = _mm512_mask_max_ps(most, first_lanes(fewer(n - i, LANES)), most,
                                  _mm512_loadu_ps(s + i));
    most = _mm512_set1_ps(max_lanes(most));
    for (size_t i = 0; i < n; i += 2 * LANES) {
        const size_t left = n - i;
        const __mmask16 first = first_lanes(fewer(left, LANES));
        const __mmask16 second = left > LANES ? first_lanes(fewer(left - LANES, LANES)) : 0;
        const __m512 low = _mm512_maskz_mov_ps(
            first, power_of_two_short(_mm512_sub_ps(_mm512_loadu_ps(s + i), most)));
        const __m512 high = _mm512_maskz_mov_ps(
            second, power_of_two_short(_mm512_sub_ps(_mm512_loadu_ps(s + i + LANES), most)));
        sum = _mm512_add_ps(sum, _mm512_add_ps(low, high));
        _mm512_storeu_si512(s + i / 2, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
    return 1.0F / sum_lanes(sum);
}

static void store_scaled(const qeff_attention *a, size_t row, size_t rows, size_t d,
                         const float *tile, size_t tile_stride, const float *factors)
{
    for (size_t i = 0; i < rows; i++) {
        float *y = a->y + (row + i) * a->y_stride + d;
        const __m512 factor = _mm512_set1_ps(factors[i]);
        for (size_t c = 0; c < tile_stride && d + c < a->head_dim; c += LANES)
            _mm512_mask_storeu_ps(
                y + c, first_lanes(fewer(a->head_dim - d - c, LANES)),
                _mm512_mul_ps(_mm512_loadu_ps(tile + i * tile_stride + c), factor));
    }
}

/* What the scratch holds; scores have one vector more than keys, which may be read. */
typedef struct packed_head {
    int32_t *keys, *values, *queries;
    float *scores;
} packed_head;

static void run_queries(const qeff_attention *a, size_t row, size_t rows, const packed_head *h)
{
    const size_t key_panels = qeff_gemm_panels(a->n_keys),
                 value_panels = qeff_gemm_panels(a->head_dim);
    const size_t stride = (key_panels + 1) * LANES;
    float factors[QEFF_TILE512_ROWS], buffer[QEFF_TILE512_ROWS * QEFF_TILE512_PANELS * LANES];
    qeff_tile_bf16 tile = {.x = h->queries,
                           .x_stride = pairs(a->head_dim),
                           .n_groups = pairs(a->head_dim),
                           .y_stride = stride};
    pack_queries(a, row, rows, h->queries);
    for (size_t p = 0; p < key_panels; p += QEFF_TILE512_PANELS) {
        tile.panel = h->keys + p * LANES * tile.n_groups;
        tile.y = h->scores + p * LANES;
        qeff_tile_avx512bf16(rows, fewer(QEFF_TILE512_PANELS, key_panels - p), &tile);
    }
    for (size_t i = 0; i < rows; i++)
        factors[i] = exponentiate_row(h->scores + i * stride, a->n_keys);
    tile.x = (const int32_t *)(const void *)h->scores;
    tile.x_stride = stride;
    tile.n_groups = pairs(a->n_keys);
    tile.y = buffer;
    for (size_t p = 0; p < value_panels; p += QEFF_TILE512_PANELS) {
        const size_t n = fewer(QEFF_TILE512_PANELS, value_panels - p);
        tile.panel = h->values + p * LANES * tile.n_groups;
        tile.y_stride = n * LANES;
        qeff_tile_avx512bf16(rows, n, &tile);
        store_scaled(a, row, rows, p * LANES, buffer, n * LANES, factors);
    }
}

/* Heads of at least 16 columns leave half of the room for keys, which takes nine rows of queries.
 */
void qeff_attention_avx512bf16(const qeff_attention *a)
{
    if (a->n_keys < KEYS_MIN || a->n_keys > KEYS_MAX || a->head_dim < HEAD_MIN) {
        qeff_attention_f32_avx512(a);
        return;
    }
    const size_t n_tiles = (a->n_queries + QEFF_TILE512_ROWS - 1) / QEFF_TILE512_ROWS;
    packed_head h = {.scores = a->scratch};
    h.keys = (int32_t *)(void *)(a->scratch +
                                 QEFF_TILE512_ROWS * (qeff_gemm_panels(a->n_keys) + 1) * LANES);
    h.values = h.keys + qeff_gemm_panels(a->n_keys) * LANES * pairs(a->head_dim);
    h.queries = h.values + qeff_gemm_panels(a->head_dim) * LANES * pairs(a->n_keys);
    pack_keys(a, h.keys);
    pack_values(a, h.values);
    for (size_t t = 0; t < n_tiles; t++) {
        const size_t row = t * a->n_queries / n_tiles, end = (t + 1) * a->n_queries / n_tiles;
        run_queries(a, row, end - row, &h);
    }
}
