/* simd_avx512.h - idioms of the AVX-512 kernels: tails, transposition, exp, tanh, GELU. Only files
 * of this folder that are built for AVX-512 F, BW, DQ and VL include it. */
#ifndef BACKEND_CPU_KERNELS_SIMD_AVX512_H
#define BACKEND_CPU_KERNELS_SIMD_AVX512_H

#include "backend/cpu/kernels/gelu_tables_avx512.h"

#include <immintrin.h>
#include <stddef.h>

enum { LANES = 16 };

/* The first `n` lanes, 0 <= n <= 16. */
static inline __mmask16 first_lanes(size_t n)
{
    return (__mmask16)((1U << n) - 1U);
}

static inline size_t fewer(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Those of a vector at `i` that lie before the end `n`. */
static inline __mmask16 lanes_left(size_t n, size_t i)
{
    return n - i >= LANES ? 0xffff : first_lanes(n - i);
}

/* ((0+8)+(4+12)) and so on: halves are added until one lane is left. */
static inline float sum_lanes(__m512 v)
{
    const __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static inline float max_lanes(__m512 v)
{
    const __m256 h = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

/* Sixteen rows of sixteen, transposed in four rounds of interleaving. */
static inline void transpose_lanes(__m512 a[16], __m512 y[16])
{
    __m512 b[16];
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
        y[c] = _mm512_shuffle_f32x4(p, q, 0x88);
        y[4 + c] = _mm512_shuffle_f32x4(r, s, 0x88);
        y[8 + c] = _mm512_shuffle_f32x4(p, q, 0xdd);
        y[12 + c] = _mm512_shuffle_f32x4(r, s, 0xdd);
    }
}

/* exp by 2^n times a polynomial of degree 5 on |r| <= ln 2 / 2, relative error below 3e-7 on
 * [-87.3, 88.3]; arguments outside are clamped to that. The constant comes first in min and max:
 * they return the second operand where one is NaN. */
static inline __m512 exponential(__m512 x)
{
    x = _mm512_min_ps(_mm512_set1_ps(88.3F), _mm512_max_ps(_mm512_set1_ps(-87.3F), x));
    const __m512 n =
        _mm512_cvtepi32_ps(_mm512_cvtps_epi32(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504F))));
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375F), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4F), r);
    __m512 p = _mm512_set1_ps(1.3981999507e-3F);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1F));
    p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), _mm512_add_ps(r, _mm512_set1_ps(1.0F)));
    return _mm512_scalef_ps(p, n);
}

/* The segment of t = |x| up to 7.5, in the low bits, and how far t is from its middle. */
static inline __m512i find_segment(__m512 x, __m512 *t, __m512 *r)
{
    const __m512 magic = _mm512_set1_ps(6291456.0F);
    *t = _mm512_min_ps(_mm512_set1_ps(7.5F), _mm512_abs_ps(x));
    const __m512 shifted = _mm512_add_ps(*t, magic);
    *r = _mm512_sub_ps(*t, _mm512_sub_ps(shifted, magic));
    return _mm512_castps_si512(shifted);
}

/* max(x, 0) - t q(t) with t = |x| up to 7.5, where q(t) = erfc(t / sqrt 2) / 2 is a polynomial of
 * degree 5 on each of sixteen segments around multiples of 1/2. Adding 1.5 * 2^22 rounds t to such
 * a multiple and leaves the segment's number in the low bits; one permute fetches each coefficient.
 * Adding, rounding and comparing keep off the units that multiply. Absolute error below 3e-7, most
 * of it the rounding of the result; minus infinity gives the limit, near 0. The constant comes
 * first in min and max: they return the second operand where one is NaN. */
static inline __m512 gelu_erf(__m512 x)
{
    __m512 t, r;
    const __m512i index = find_segment(x, &t, &r);
#define FETCH(d) _mm512_permutexvar_ps(index, _mm512_loadu_ps(gelu_complements[d]))
    __m512 p = FETCH(5);
    p = _mm512_fmadd_ps(p, r, FETCH(4));
    p = _mm512_fmadd_ps(p, r, FETCH(3));
    p = _mm512_fmadd_ps(p, r, FETCH(2));
    p = _mm512_fmadd_ps(p, r, FETCH(1));
    p = _mm512_fmadd_ps(p, r, FETCH(0));
#undef FETCH
    return _mm512_fnmadd_ps(t, p, _mm512_max_ps(_mm512_setzero_ps(), x));
}

/* The same to 2e-5, for results that are rounded to 8 bits. */
static inline __m512 gelu_erf_rough(__m512 x)
{
    __m512 t, r;
    const __m512i index = find_segment(x, &t, &r);
#define FETCH(d) _mm512_permutexvar_ps(index, _mm512_loadu_ps(gelu_rough[d]))
    __m512 p = FETCH(3);
    p = _mm512_fmadd_ps(p, r, FETCH(2));
    p = _mm512_fmadd_ps(p, r, FETCH(1));
    p = _mm512_fmadd_ps(p, r, FETCH(0));
#undef FETCH
    return _mm512_sub_ps(_mm512_max_ps(_mm512_setzero_ps(), x), p);
}

/* x sigmoid(2 u): the same as x (1 + tanh u) / 2. */
static inline __m512 gelu_tanh(__m512 x)
{
    const __m512 cubed = _mm512_mul_ps(_mm512_mul_ps(x, x), x);
    const __m512 u = _mm512_fmadd_ps(_mm512_set1_ps(0.044715F), cubed, x);
    const __m512 e = exponential(_mm512_mul_ps(u, _mm512_set1_ps(-1.5957691216057308F)));
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0F), e));
}

static inline __m512 silu(__m512 x)
{
    const __m512 e = exponential(_mm512_sub_ps(_mm512_set1_ps(-0.0F), x));
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0F), e));
}

static inline __m512 sigmoid(__m512 x)
{
    const __m512 e = exponential(_mm512_sub_ps(_mm512_set1_ps(-0.0F), x));
    return _mm512_div_ps(_mm512_set1_ps(1.0F), _mm512_add_ps(_mm512_set1_ps(1.0F), e));
}

/* (1 - e) / (1 + e) with e = exp(-2 |x|); near zero, where that cancels, an odd polynomial of
 * degree 11. Absolute error below 2e-7. */
static inline __m512 hyperbolic_tangent(__m512 x)
{
    const __m512 one = _mm512_set1_ps(1.0F), a = _mm512_abs_ps(x), square = _mm512_mul_ps(x, x);
    const __m512 e = exponential(_mm512_mul_ps(a, _mm512_set1_ps(-2.0F)));
    __m512 large = _mm512_div_ps(_mm512_sub_ps(one, e), _mm512_add_ps(one, e));
    large = _mm512_or_ps(large, _mm512_and_ps(x, _mm512_set1_ps(-0.0F)));
    __m512 p = _mm512_set1_ps(-5.70498872745e-3F);
    p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(2.06390887954e-2F));
    p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(-5.37397155531e-2F));
    p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(1.33314422036e-1F));
    p = _mm512_fmadd_ps(p, square, _mm512_set1_ps(-3.33332819422e-1F));
    const __m512 small = _mm512_fmadd_ps(_mm512_mul_ps(p, square), x, x);
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, _mm512_set1_ps(0.625F), _CMP_LT_OQ), large,
                                small);
}

static inline __m512 relu(__m512 x)
{
    return _mm512_max_ps(_mm512_setzero_ps(), x);
}

/* Without optimisation, gcc's intrinsic is a macro that converts a mask of all lanes to short. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"

/* 2^x for x <= 0, by 2^n times a polynomial of degree 5 on |r| <= 1/2, relative error below 2e-7.
 * Below -126 it stays there: arithmetic on numbers smaller than that takes some processors long.
 * The constant comes first in max, which returns the second operand where one is NaN. */
static inline __m512 power_of_two(__m512 x)
{
    x = _mm512_max_ps(_mm512_set1_ps(-126.0F), x);
    const __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 r = _mm512_sub_ps(x, n);
    __m512 p = _mm512_set1_ps(1.32647273e-3F);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(9.67151299e-3F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.55073358e-2F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.40222424e-1F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.93147004e-1F));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0F));
    return _mm512_scalef_ps(p, n);
}
#pragma GCC diagnostic pop

#endif /* BACKEND_CPU_KERNELS_SIMD_AVX512_H */
