/* simd_avx2.h - idioms of the AVX2 kernels: tails, lane sums, exp, tanh, GELU. Only files of this
 * folder that are built for AVX2, FMA and F16C include it. */
#ifndef BACKEND_CPU_KERNELS_SIMD_AVX2_H
#define BACKEND_CPU_KERNELS_SIMD_AVX2_H

#include "backend/cpu/kernels/gelu_tables_avx2.h"

#include <immintrin.h>
#include <stddef.h>

enum { LANES = 8 };

/* All bits set in the first `n` lanes, 0 <= n <= 8. */
static inline __m256i first_lanes(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Those of a vector at `i` that lie before the end `n`. */
static inline __m256i lanes_left(size_t n, size_t i)
{
    return n - i >= LANES ? _mm256_set1_epi32(-1) : first_lanes(n - i);
}

/* ((0+4)+(2+6)) + ((1+5)+(3+7)) */
static inline float sum_lanes(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static inline float max_lanes(__m256 v)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

static inline __m256 absolute(__m256 x)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), x);
}

/* exp by 2^n times a polynomial of degree 5 on |r| <= ln 2 / 2, relative error below 3e-7 on
 * [-87.3, 88.3]; arguments outside are clamped to that, so exp never overflows and ends at 1e-38
 * instead of 0. The constant comes first in min and max: they return the second operand where one
 * is NaN. */
static inline __m256 exponential(__m256 x)
{
    x = _mm256_min_ps(_mm256_set1_ps(88.3F), _mm256_max_ps(_mm256_set1_ps(-87.3F), x));
    const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504F)),
                                     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375F), x);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4F), r);
    __m256 p = _mm256_set1_ps(1.3981999507e-3F);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.3334519073e-3F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.1665795894e-2F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.6666665459e-1F));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.0000001201e-1F));
    p = _mm256_fmadd_ps(p, _mm256_mul_ps(r, r), _mm256_add_ps(r, _mm256_set1_ps(1.0F)));
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}

/* 1 / (1 + exp(-x)) */
static inline __m256 sigmoid(__m256 x)
{
    const __m256 one = _mm256_set1_ps(1.0F);
    const __m256 e = exponential(_mm256_xor_ps(x, _mm256_set1_ps(-0.0F)));
    return _mm256_div_ps(one, _mm256_add_ps(one, e));
}

/* (1 - e) / (1 + e) with e = exp(-2 |x|); near zero, where that cancels, an odd polynomial of
 * degree 11. Absolute error below 2e-7. */
static inline __m256 hyperbolic_tangent(__m256 x)
{
    const __m256 one = _mm256_set1_ps(1.0F), a = absolute(x), square = _mm256_mul_ps(x, x);
    const __m256 e = exponential(_mm256_mul_ps(a, _mm256_set1_ps(-2.0F)));
    __m256 large = _mm256_div_ps(_mm256_sub_ps(one, e), _mm256_add_ps(one, e));
    large = _mm256_or_ps(large, _mm256_and_ps(x, _mm256_set1_ps(-0.0F)));
    __m256 p = _mm256_set1_ps(-5.70498872745e-3F);
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(2.06390887954e-2F));
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(-5.37397155531e-2F));
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(1.33314422036e-1F));
    p = _mm256_fmadd_ps(p, square, _mm256_set1_ps(-3.33332819422e-1F));
    const __m256 small = _mm256_fmadd_ps(_mm256_mul_ps(p, square), x, x);
    return _mm256_blendv_ps(large, small, _mm256_cmp_ps(a, _mm256_set1_ps(0.625F), _CMP_LT_OQ));
}

/* x / 2 + |x| g(|x|) with g(t) = erf(t / sqrt 2) / 2 as a polynomial of degree 6 on each of eight
 * segments of [0, 5.6], around their centres; beyond, g = 1/2. The segment's number is where adding
 * 1.5 * 2^23 leaves it: in the low bits, of which a permute reads three. One permute fetches each
 * coefficient. Absolute error below 4e-7, most of it the rounding of the result. */
static inline __m256 gelu_erf(__m256 x)
{
    const __m256 magic = _mm256_set1_ps(12582912.0F), a = absolute(x);
    const __m256 t = _mm256_min_ps(_mm256_set1_ps(5.6F), a);
    const __m256 shifted = _mm256_fmadd_ps(t, _mm256_set1_ps(1.0F / GELU_SEGMENT), magic);
    const __m256i index = _mm256_castps_si256(shifted);
    const __m256 r =
        _mm256_fnmadd_ps(_mm256_sub_ps(shifted, magic), _mm256_set1_ps(GELU_SEGMENT), t);
#define FETCH(d) _mm256_permutevar8x32_ps(_mm256_load_ps(gelu_coefficients[d]), index)
    __m256 p = FETCH(6);
    p = _mm256_fmadd_ps(p, r, FETCH(5));
    p = _mm256_fmadd_ps(p, r, FETCH(4));
    p = _mm256_fmadd_ps(p, r, FETCH(3));
    p = _mm256_fmadd_ps(p, r, FETCH(2));
    p = _mm256_fmadd_ps(p, r, FETCH(1));
    p = _mm256_fmadd_ps(p, r, FETCH(0));
#undef FETCH
    return _mm256_fmadd_ps(a, p, _mm256_mul_ps(x, _mm256_set1_ps(0.5F)));
}

/* x sigmoid(2 u): the same as x (1 + tanh u) / 2. */
static inline __m256 gelu_tanh(__m256 x)
{
    const __m256 cubed = _mm256_mul_ps(_mm256_mul_ps(x, x), x);
    const __m256 u = _mm256_fmadd_ps(_mm256_set1_ps(0.044715F), cubed, x);
    const __m256 one = _mm256_set1_ps(1.0F);
    const __m256 e = exponential(_mm256_mul_ps(u, _mm256_set1_ps(-1.5957691216057308F)));
    return _mm256_div_ps(x, _mm256_add_ps(one, e));
}

static inline __m256 silu(__m256 x)
{
    const __m256 e = exponential(_mm256_xor_ps(x, _mm256_set1_ps(-0.0F)));
    return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0F), e));
}

#endif /* BACKEND_CPU_KERNELS_SIMD_AVX2_H */
