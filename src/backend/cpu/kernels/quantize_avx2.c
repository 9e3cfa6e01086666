/* quantize_avx2.c - rows as the packed products take them: u8 with a scale and a zero of their own,
 * or bf16. Two passes over a row that is in cache; what is left of a row goes through a buffer. */
#include "backend/cpu/kernels/kernels_avx2.h"

#include "backend/cpu/kernels/simd_avx2.h"

#include <math.h>
#include <string.h>

static inline __m256 load_scaled(const float *x, const float *factor, size_t i, __m256i mask)
{
    const __m256 v = _mm256_maskload_ps(x + i, mask);
    return factor ? _mm256_mul_ps(v, _mm256_maskload_ps(factor + i, mask)) : v;
}

static inline float min_lanes(__m256 v)
{
    return -max_lanes(_mm256_xor_ps(v, _mm256_set1_ps(-0.0F)));
}

/* Eight lanes in 0 to 255 as bytes. */
static inline void store_bytes(uint8_t *y, __m256i q, size_t count)
{
    uint8_t bytes[8];
    const __m128i pairs =
        _mm_packus_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
    _mm_storel_epi64((__m128i *)(void *)bytes, _mm_packus_epi16(pairs, pairs));
    memcpy(y, bytes, count);
}

/* The operand of a comparison with NaN that is returned is the second one: the range so far. */
static void
quantize_row(const float *x, const float *factor, size_t n, uint8_t *y, float *scale, int32_t *zero)
{
    __m256 least = _mm256_setzero_ps(), most = least, nan = least;
    for (size_t i = 0; i < n; i += LANES) {
        const __m256 v = load_scaled(x, factor, i, lanes_left(n, i));
        least = _mm256_min_ps(v, least);
        most = _mm256_max_ps(v, most);
        nan = _mm256_fmadd_ps(v, _mm256_setzero_ps(), nan);
    }
    const __m256 infinity = _mm256_set1_ps(INFINITY);
    const __m256 by =
        _mm256_set1_ps(qeff_spread_u8(min_lanes(least), max_lanes(most), scale, zero));
    const __m256i shift = _mm256_set1_epi32(*zero), top = _mm256_set1_epi32(255);
    *scale += sum_lanes(nan);
    for (size_t i = 0; i < n; i += LANES) {
        const __m256i mask = lanes_left(n, i);
        const __m256 v = _mm256_mul_ps(load_scaled(x, factor, i, mask), by);
        const __m256i is_finite =
            _mm256_castps_si256(_mm256_cmp_ps(absolute(v), infinity, _CMP_LT_OQ));
        __m256i q = _mm256_add_epi32(_mm256_cvtps_epi32(v), shift);
        q = _mm256_min_epi32(_mm256_max_epi32(q, _mm256_setzero_si256()), top);
        q = _mm256_and_si256(q, _mm256_and_si256(is_finite, mask));
        store_bytes(y + i, q, n - i < LANES ? (n - i + 3) / 4 * 4 : LANES);
    }
}

void qeff_quantize_u8_avx2(const qeff_quantize *q)
{
    for (size_t row = 0; row < q->n_rows; row++) {
        const float *x = q->x + row * q->x_stride;
        if (q->activation != QEFF_ACTIVATION_NONE) {
            float *work = q->work + row * q->x_stride;
            qeff_activate_f32_avx2(work, x, q->n, q->activation);
            x = work;
        }
        quantize_row(x, q->factor, q->n, (uint8_t *)(q->y + row * q->y_stride),
                     q->scale + row * q->scale_stride, q->zero + row * q->scale_stride);
    }
}

void qeff_round_row_bf16_avx2(uint16_t *y, const float *x, size_t n)
{
    const __m256i one = _mm256_set1_epi32(1), half = _mm256_set1_epi32(0x7fff);
    for (size_t i = 0; i < n; i += LANES) {
        const __m256 v = _mm256_maskload_ps(x + i, lanes_left(n, i));
        const __m256i bits = _mm256_castps_si256(v);
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), one);
        const __m256i nan = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
        __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, half));
        rounded = _mm256_blendv_epi8(rounded, nan,
                                     _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
        rounded = _mm256_srli_epi32(rounded, 16);
        uint16_t words[LANES];
        _mm_storeu_si128((__m128i *)(void *)words,
                         _mm_packus_epi32(_mm256_castsi256_si128(rounded),
                                          _mm256_extracti128_si256(rounded, 1)));
        memcpy(y + i, words, (n - i < LANES ? (n - i + 1) / 2 * 2 : LANES) * sizeof *y);
    }
}
