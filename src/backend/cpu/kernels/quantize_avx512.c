/* quantize_avx512.c - rows as the packed products take them: u8 with a scale and a zero of their
 * own, or bf16. Two passes over a row that is in cache; tails by masks. */
#include "backend/cpu/kernels/kernels_avx512.h"

#include "backend/cpu/kernels/simd_avx512.h"

static inline __m512 load_scaled(const float *x, const float *factor, size_t i, __mmask16 mask)
{
    const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
    return factor ? _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, factor + i)) : v;
}

static inline float min_lanes(__m512 v)
{
    return -max_lanes(_mm512_xor_ps(v, _mm512_set1_ps(-0.0F)));
}

/* What the elements of a row, or of some lanes of it, range over; `nan` is zero or NaN. */
typedef struct range {
    __m512 least, most, nan;
} range;

/* The operand of a comparison with NaN that is returned is the second one: the range so far. */
static inline void widen(range *r, __m512 v)
{
    r->least = _mm512_min_ps(v, r->least);
    r->most = _mm512_max_ps(v, r->most);
    r->nan = _mm512_fmadd_ps(v, _mm512_setzero_ps(), r->nan);
}

static inline void join(range *r, const range *other)
{
    r->least = _mm512_min_ps(other->least, r->least);
    r->most = _mm512_max_ps(other->most, r->most);
    r->nan = _mm512_add_ps(r->nan, other->nan);
}

/* Four ranges at a time: one alone waits for its own last sum. */
static inline range find_range(const float *x, const float *factor, size_t n)
{
    const __m512 zero = _mm512_setzero_ps();
    range a = {zero, zero, zero}, b = a, c = a, d = a;
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        widen(&a, load_scaled(x, factor, i, 0xffff));
        widen(&b, load_scaled(x, factor, i + LANES, 0xffff));
        widen(&c, load_scaled(x, factor, i + 2 * LANES, 0xffff));
        widen(&d, load_scaled(x, factor, i + 3 * LANES, 0xffff));
    }
    for (; i < n; i += LANES)
        widen(&a, load_scaled(x, factor, i, lanes_left(n, i)));
    join(&a, &b);
    join(&c, &d);
    join(&a, &c);
    return a;
}

/* round(x factor by) as integers; what is not finite becomes the least one. */
static inline __m512i
scaled_integers(const float *x, const float *factor, size_t i, __mmask16 mask, __m512 by)
{
    return _mm512_cvtps_epi32(_mm512_mul_ps(load_scaled(x, factor, i, mask), by));
}

/* The numbers of 64 elements. Saturating steps keep them in range, around -128 until the end, and
 * what is not finite at zero. Packing goes by groups of four bytes in the lanes of 128 bits, so
 * one permutation brings them back in order. */
static inline void
quantize_64(uint8_t *y, const float *x, const float *factor, __m512 by, __m512i shift)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i a = scaled_integers(x, factor, 0, 0xffff, by);
    const __m512i b = scaled_integers(x, factor, LANES, 0xffff, by);
    const __m512i c = scaled_integers(x, factor, 2 * LANES, 0xffff, by);
    const __m512i d = scaled_integers(x, factor, 3 * LANES, 0xffff, by);
    const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(a, b), shift);
    const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(c, d), shift);
    const __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high));
    _mm512_storeu_si512(y, _mm512_xor_si512(bytes, _mm512_set1_epi8(-128)));
}

/* Up to 16 elements, with zeros up to a whole group. */
static inline void
quantize_16(uint8_t *y, const float *x, const float *factor, size_t n, __m512 by, __m512i shift)
{
    const __mmask16 mask = first_lanes(n);
    const __m512i q = scaled_integers(x, factor, 0, mask, by);
    const __m256i words =
        _mm256_adds_epi16(_mm512_cvtsepi32_epi16(q), _mm512_castsi512_si256(shift));
    const __m128i bytes = _mm_xor_si128(_mm256_cvtsepi16_epi8(words), _mm_set1_epi8(-128));
    _mm_mask_storeu_epi8(y, first_lanes((n + 3) / 4 * 4), _mm_maskz_mov_epi8(mask, bytes));
}

void qeff_quantize_row_u8_avx512(uint8_t *y, const float *x, const float *factor, size_t n,
                                 float *scale, int32_t *zero)
{
    const range r = find_range(x, factor, n);
    const __m512 by = _mm512_set1_ps(
        qeff_spread_u8(min_lanes(r.least), max_lanes(r.most), sum_lanes(r.nan), scale, zero));
    const __m512i shift = _mm512_set1_epi16((int16_t)(*zero - 128));
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        quantize_64(y + i, x + i, factor ? factor + i : NULL, by, shift);
    for (; i < n; i += LANES)
        quantize_16(y + i, x + i, factor ? factor + i : NULL, n - i < LANES ? n - i : LANES, by,
                    shift);
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
