/* quantize_avx512.c - rows as the packed products take them: u8 with a scale and a zero of their
 * own, or bf16. Two passes over a row that is in cache; tails by masks. */
#include "backend/cpu/kernels/kernels_avx512.h"

#include "backend/cpu/kernels/simd_avx512.h"

#include <math.h>

static inline __m512 load_scaled(const float *x, const float *factor, size_t i, __mmask16 mask)
{
    const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
    return factor ? _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, factor + i)) : v;
}

static inline __mmask16 lanes_left(size_t n, size_t i)
{
    return n - i >= LANES ? 0xffff : first_lanes(n - i);
}

static inline float min_lanes(__m512 v)
{
    return -max_lanes(_mm512_xor_ps(v, _mm512_set1_ps(-0.0F)));
}

/* The operand of a comparison with NaN that is returned is the second one: the range so far. */
void qeff_quantize_row_u8_avx512(uint8_t *y, const float *x, const float *factor, size_t n,
                                 float *scale, int32_t *zero)
{
    __m512 least = _mm512_setzero_ps(), most = least, nan = least;
    for (size_t i = 0; i < n; i += LANES) {
        const __m512 v = load_scaled(x, factor, i, lanes_left(n, i));
        least = _mm512_min_ps(v, least);
        most = _mm512_max_ps(v, most);
        nan = _mm512_fmadd_ps(v, _mm512_setzero_ps(), nan);
    }
    const float lowest = min_lanes(least), range = max_lanes(most) - lowest;
    const bool is_usable = range >= 1e-30F && range <= 1e38F;
    const float inverse = is_usable ? 255.0F / range : 0.0F;
    *scale = (is_usable ? range / 255.0F : 0.0F) + sum_lanes(nan) + (range <= 1e38F ? 0.0F : NAN);
    *zero = is_usable ? (int32_t)rintf(-lowest * inverse) : 0;
    const __m512 by = _mm512_set1_ps(inverse);
    const __m512i shift = _mm512_set1_epi32(*zero), top = _mm512_set1_epi32(255);
    for (size_t i = 0; i < n; i += LANES) {
        const __m512 v = _mm512_mul_ps(load_scaled(x, factor, i, lanes_left(n, i)), by);
        const __mmask16 is_finite =
            _mm512_cmp_ps_mask(_mm512_abs_ps(v), _mm512_set1_ps(INFINITY), _CMP_LT_OQ);
        __m512i q = _mm512_maskz_add_epi32(is_finite, _mm512_cvtps_epi32(v), shift);
        q = _mm512_min_epi32(_mm512_max_epi32(q, _mm512_setzero_si512()), top);
        const size_t left = n - i;
        if (left < LANES) { /* zeros up to a whole group */
            q = _mm512_maskz_mov_epi32(first_lanes(left), q);
            _mm_mask_storeu_epi8(y + i, first_lanes((left + 3) / 4 * 4), _mm512_cvtepi32_epi8(q));
        } else {
            _mm_storeu_si128((__m128i *)(void *)(y + i), _mm512_cvtepi32_epi8(q));
        }
    }
}

void qeff_round_row_bf16_avx512(uint16_t *y, const float *x, size_t n)
{
    const __m512i one = _mm512_set1_epi32(1), half = _mm512_set1_epi32(0x7fff);
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 mask = lanes_left(n, i);
        const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
        const __m512i bits = _mm512_castps_si512(v);
        const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
        __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, half));
        rounded = _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), bits,
                                       _mm512_set1_epi32(0x400000));
        const __m256i low = _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
        const size_t left = n - i < LANES ? (n - i + 1) / 2 * 2 : LANES;
        _mm256_mask_storeu_epi16(y + i, first_lanes(left), low);
    }
}
