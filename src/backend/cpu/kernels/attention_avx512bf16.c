/* attention_avx512bf16.c - attention of up to 512 keys by VDPBF16PS, as attention_cached_avx512.h
 * has it, on
 *
 *   keys    [T][ceil(D / 2)]   pairs of columns
 *   values  [ceil(T / 2)][D]   pairs of rows
 *
 * in whole vectors, filled up with zeros. What is rounded to bf16 has an error of up to 2^-9 of
 * itself, an exponential of 2^-7; sums are in f32. More keys do not stay in cache and go by f32:
 * which way depends on their number alone. */
#include "backend/cpu/kernels/attention_cached_avx512.h"
#include "backend/cpu/kernels/kernels_avx512.h"
#include "backend/cpu/kernels/tile_avx512bf16.h"

static inline size_t pairs(size_t n)
{
    return (n + 1) / 2;
}

static inline size_t whole_vectors(size_t n)
{
    return qeff_gemm_panels(n) * LANES;
}

/* Elements 0 to 31 times `factor`, of which `low` and `high` are there. */
static inline __m512 load_pairs(const float *x, __mmask16 low, __mmask16 high, __m512 factor)
{
    const __m512 first = _mm512_mul_ps(factor, _mm512_maskz_loadu_ps(low, x));
    const __m512 second = _mm512_mul_ps(factor, _mm512_maskz_loadu_ps(high, x + LANES));
    return _mm512_castsi512_ps((__m512i)_mm512_cvtne2ps_pbh(second, first));
}

/* Of 32 elements, those of the second vector. */
static inline __mmask16 second_lanes(size_t n)
{
    return n > LANES ? first_lanes(fewer(n - LANES, LANES)) : 0;
}

static void pack_keys(const qeff_attention *a, float *keys)
{
    const __m512 one = _mm512_set1_ps(1.0F);
    const size_t n_keys = a->n_keys, k_stride = a->k_stride;
    const size_t stride = whole_vectors(pairs(a->head_dim));
    for (size_t d = 0; d < a->head_dim; d += 2 * LANES, keys += LANES) {
        const size_t left = a->head_dim - d;
        const __mmask16 low = first_lanes(fewer(left, LANES)), high = second_lanes(left);
        const float *k = a->k + d;
        float *y = keys;
        for (size_t t = 0; t < n_keys; t++, k += k_stride, y += stride)
            _mm512_storeu_ps(y, load_pairs(k, low, high, one));
    }
}

static void pack_values(const qeff_attention *a, float *values)
{
    const __m512i alternating =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const size_t n_keys = a->n_keys, v_stride = a->v_stride, stride = whole_vectors(a->head_dim);
    for (size_t d = 0; d < a->head_dim; d += LANES, values += LANES) {
        const __mmask16 mask = first_lanes(fewer(a->head_dim - d, LANES));
        const float *v = a->v + d;
        float *y = values;
        for (size_t t = 0; t < n_keys; t += 2, v += 2 * v_stride, y += stride) {
            const bool has_next = t + 1 < n_keys;
            const __m512 low = _mm512_maskz_loadu_ps(mask, v);
            const __m512 high =
                _mm512_maskz_loadu_ps(has_next ? mask : 0, has_next ? v + v_stride : v);
            const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
            _mm512_storeu_si512(y, _mm512_permutexvar_epi16(alternating, both));
        }
    }
}

/* Inlined, so that sixteen queries need no masks of rows. */
static inline void
pack_panel(const qeff_attention *a, const float *q, size_t n, float *panel, size_t stride)
{
    const __m512 factor = _mm512_set1_ps(a->scale * 1.44269504F);
    const size_t n_groups = pairs(a->head_dim);
    for (size_t g = 0; g < n_groups; g += LANES) {
        const size_t left = a->head_dim - 2 * g, n_rows = fewer(n_groups - g, LANES);
        const __mmask16 low = first_lanes(fewer(left, LANES)), high = second_lanes(left);
        float *y = panel + g * stride;
        __m512 rows[16], columns[16];
        for (size_t i = 0; i < 16; i++)
            rows[i] = load_pairs(q + fewer(i, n - 1) * a->q_stride + 2 * g, i < n ? low : 0,
                                 i < n ? high : 0, factor);
        transpose_lanes(rows, columns);
        if (n_rows == LANES)
            for (size_t i = 0; i < 16; i++)
                _mm512_storeu_ps(y + i * stride, columns[i]);
        else
            for (size_t i = 0; i < n_rows; i++)
                _mm512_storeu_ps(y + i * stride, columns[i]);
    }
}

static void
pack_queries(const qeff_attention *a, const float *q, size_t n, float *panel, size_t stride)
{
    if (n == LANES)
        pack_panel(a, q, LANES, panel, stride);
    else
        pack_panel(a, q, n, panel, stride);
}

/* How far 1 + f lies above 2^f, in 128ths, for f from 0 to 1 in 64 segments. */
static const int16_t excess[64] = {0,  1,  1,  2,  2,  3,  4,  4,  5,  5,  5,  6,  6,  7,  7,  8,
                                   8,  8,  9,  9,  9,  9,  10, 10, 10, 10, 10, 11, 11, 11, 11, 11,
                                   11, 11, 11, 11, 11, 11, 11, 11, 11, 10, 10, 10, 10, 10, 9,  9,
                                   9,  8,  8,  8,  7,  7,  6,  6,  5,  5,  4,  3,  3,  2,  1,  1};

/* 2^(score - max) of two rows, each to 16 bits with one conversion. With x = n + f rounded to
 * 128ths, 127 + n and f are exponent and fraction of the bf16 number 2^n (1 + f), and `shift` makes
 * them the upper half of an integer; then the excess is taken off the fractions. The error is below
 * 0.73 %, of which rounding to bf16 makes 0.39. Below -126 it stays there. NaN becomes the least
 * integer, and with it a number with a sign, which no other is. */
static inline __m512i power_pair(__m512 low, __m512 high, __m512 shift)
{
    const __m512 unit = _mm512_set1_ps(0x1p23F), least = unit;
    const __m512i first =
        _mm512_cvtps_epi32(_mm512_max_ps(least, _mm512_fmsub_ps(low, unit, shift)));
    const __m512i second =
        _mm512_cvtps_epi32(_mm512_max_ps(least, _mm512_fmsub_ps(high, unit, shift)));
    const __m512i pair = _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(first, 16), second);
    return _mm512_sub_epi16(pair, _mm512_permutex2var_epi16(_mm512_loadu_si512(excess),
                                                            _mm512_srli_epi16(pair, 1),
                                                            _mm512_loadu_si512(excess + 32)));
}

/* The sums are those of the rounded numbers. */
static __m512 exponentiate(float *scores, size_t n_rows, size_t stride)
{
    const __m512 bias = _mm512_set1_ps(127.0F * 0x1p23F + 0x1p15F);
    const __m512 shift =
        _mm512_fmsub_ps(max_column(scores, n_rows, stride), _mm512_set1_ps(0x1p23F), bias);
    const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
    __m512 even = _mm512_setzero_ps(), odd = even;
    __m512i seen = _mm512_setzero_si512();
    float *y = scores;
    for (size_t t = 0; t < n_rows; t += CACHED_ROWS, y += 2 * stride) {
        const float *s = scores + t * stride;
        const __m512i a = power_pair(_mm512_loadu_ps(s), _mm512_loadu_ps(s + stride), shift);
        const __m512i b =
            power_pair(_mm512_loadu_ps(s + 2 * stride), _mm512_loadu_ps(s + 3 * stride), shift);
        _mm512_storeu_si512(y, a);
        _mm512_storeu_si512(y + stride, b);
        even = _mm512_dpbf16_ps(even, (__m512bh)a, ones);
        odd = _mm512_dpbf16_ps(odd, (__m512bh)b, ones);
        seen = _mm512_or_si512(seen, _mm512_or_si512(a, b));
    }
    const __mmask16 is_nan = _mm512_test_epi32_mask(seen, _mm512_set1_epi16(INT16_MIN));
    return _mm512_mask_mov_ps(_mm512_div_ps(_mm512_set1_ps(1.0F), _mm512_add_ps(even, odd)), is_nan,
                              _mm512_set1_ps(NAN));
}

void qeff_attention_avx512bf16(const qeff_attention *a)
{
    static const cached_steps steps = {pack_queries, exponentiate, qeff_tile_attention_avx512bf16};
    if (a->n_keys > QEFF_ATTENTION_KEYS) {
        qeff_attention_f32_avx512(a);
        return;
    }
    cached_head h = {.keys_stride = whole_vectors(pairs(a->head_dim)),
                     .values_stride = whole_vectors(a->head_dim),
                     .column_steps = pairs(a->head_dim),
                     .key_steps = pairs(a->n_keys),
                     .queries = a->scratch};
    h.scores = h.queries + CACHED_QUERIES * pairs(a->head_dim);
    float *keys = h.scores + CACHED_QUERIES * (a->n_keys + CACHED_ROWS);
    float *values = keys + a->n_keys * h.keys_stride;
    pack_keys(a, keys);
    pack_values(a, values);
    h.keys = keys;
    h.values = values;
    run_cached(a, &h, &steps);
}
