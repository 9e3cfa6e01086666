/* immintrin.h - stands in for the compiler's, so that the kernels are built a second time with
 * every intrinsic computed lane by lane by SIMDe, and tested on machines that lack the
 * instructions.
 *
 * SIMDE_NO_NATIVE keeps SIMDe from the instructions that this machine has. What follows it are the
 * intrinsics that version 0.7.4 (Debian 12) lacks, rounds twice or reads too much for; each
 * replaces the one of a later version. `m` is a mask of lanes. */
#ifndef TESTS_BACKEND_EMULATED_IMMINTRIN_H
#define TESTS_BACKEND_EMULATED_IMMINTRIN_H

#define SIMDE_NO_NATIVE
#define SIMDE_NO_INLINE /* compiles in a tenth of the time */
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>

#include <math.h>
#include <stdint.h>
#include <string.h>

#if !defined(_MM_FROUND_NO_EXC)
#define _MM_FROUND_NO_EXC SIMDE_MM_FROUND_NO_EXC
#endif
#undef __mmask16
typedef simde__mmask16 __mmask16;

/* y[i] = expression of the lanes of v, for `n` lanes. */
#define CONVERT(name, to, to_lane, from, from_lane, n, expression)                                 \
    SIMDE_FUNCTION_ATTRIBUTES to emulated_##name(from v)                                           \
    {                                                                                              \
        from_lane x[n];                                                                            \
        to_lane y[n];                                                                              \
        to result;                                                                                 \
        memcpy(x, &v, sizeof x);                                                                   \
        for (int i = 0; i < (n); i++)                                                              \
            y[i] = expression;                                                                     \
        memcpy(&result, y, sizeof result);                                                         \
        return result;                                                                             \
    }
/* sign a b + sign_c c with one rounding. */
#define MULTIPLY_ADD(name, type, n, sign, sign_c)                                                  \
    SIMDE_FUNCTION_ATTRIBUTES type emulated_##name(type a, type b, type c)                         \
    {                                                                                              \
        float x[n], y[n], z[n];                                                                    \
        memcpy(x, &a, sizeof x);                                                                   \
        memcpy(y, &b, sizeof y);                                                                   \
        memcpy(z, &c, sizeof z);                                                                   \
        for (int i = 0; i < (n); i++)                                                              \
            z[i] = fmaf(sign x[i], y[i], sign_c z[i]);                                             \
        memcpy(&c, z, sizeof z);                                                                   \
        return c;                                                                                  \
    }
#define STORE_MASKED(name, mask, type, lane, n)                                                    \
    SIMDE_FUNCTION_ATTRIBUTES void emulated_##name(void *to, mask m, type v)                       \
    {                                                                                              \
        lane x[n], *y = (lane *)to;                                                                \
        memcpy(x, &v, sizeof x);                                                                   \
        for (int i = 0; i < (n); i++)                                                              \
            if (m >> i & 1) y[i] = x[i];                                                           \
    }

/* To nearest even; what does not fit, and NaN, becomes the lowest number. */
SIMDE_FUNCTION_ATTRIBUTES int32_t emulated_to_int(float x)
{
    const float rounded = rintf(x);
    return rounded >= -2147483648.0F && rounded < 2147483648.0F ? (int32_t)rounded : INT32_MIN;
}

SIMDE_FUNCTION_ATTRIBUTES __m512 emulated_maskz_loadu_512(__mmask16 m, const float *x)
{
    float lanes[16] = {0};
    __m512 v;
    for (int i = 0; i < 16; i++)
        if (m >> i & 1) lanes[i] = x[i];
    memcpy(&v, lanes, sizeof v);
    return v;
}

/* SIMDe's reads all lanes. */
SIMDE_FUNCTION_ATTRIBUTES __m256 emulated_maskload_256(const float *x, __m256i m)
{
    int32_t mask[8];
    float lanes[8] = {0};
    __m256 v;
    memcpy(mask, &m, sizeof mask);
    for (int i = 0; i < 8; i++)
        if (mask[i] < 0) lanes[i] = x[i];
    memcpy(&v, lanes, sizeof v);
    return v;
}

SIMDE_FUNCTION_ATTRIBUTES __m256 emulated_extract_256(__m512 v, int half)
{
    float lanes[16];
    __m256 y;
    memcpy(lanes, &v, sizeof lanes);
    memcpy(&y, lanes + 8 * half, sizeof y);
    return y;
}

SIMDE_FUNCTION_ATTRIBUTES float emulated_first(__m512 v)
{
    float lanes[16];
    memcpy(lanes, &v, sizeof lanes);
    return lanes[0];
}

/* Two quarters of a, then two of b. */
SIMDE_FUNCTION_ATTRIBUTES __m512 emulated_shuffle_quarters(__m512 a, __m512 b, int select)
{
    float x[16], y[16], lanes[16];
    memcpy(x, &a, sizeof x);
    memcpy(y, &b, sizeof y);
    for (int i = 0; i < 4; i++)
        memcpy(lanes + 4 * i, (i < 2 ? x : y) + 4 * (select >> 2 * i & 3), 4 * sizeof *lanes);
    memcpy(&a, lanes, sizeof a);
    return a;
}

/* bf16 of the lanes of `low`, then of `high`, to nearest even. */
SIMDE_FUNCTION_ATTRIBUTES __m512bh emulated_round_both(__m512 high, __m512 low)
{
    uint32_t bits[32];
    uint16_t halves[32];
    __m512bh y;
    memcpy(bits, &low, sizeof low);
    memcpy(bits + 16, &high, sizeof high);
    for (int i = 0; i < 32; i++)
        halves[i] = (uint16_t)((bits[i] & 0x7fffffffU) > 0x7f800000U
                                   ? bits[i] >> 16 | 0x40U
                                   : (bits[i] + 0x7fffU + (bits[i] >> 16 & 1U)) >> 16);
    memcpy(&y, halves, sizeof y);
    return y;
}

MULTIPLY_ADD(fmadd_256, __m256, 8, +, +)
MULTIPLY_ADD(fnmadd_256, __m256, 8, -, +)
MULTIPLY_ADD(fmsub_256, __m256, 8, +, -)
MULTIPLY_ADD(fmsub_512, __m512, 16, +, -)
MULTIPLY_ADD(fmadd_512, __m512, 16, +, +)
MULTIPLY_ADD(fnmadd_512, __m512, 16, -, +)
CONVERT(to_int_256, __m256i, int32_t, __m256, float, 8, emulated_to_int(x[i]))
CONVERT(to_int_512, __m512i, int32_t, __m512, float, 16, emulated_to_int(x[i]))
CONVERT(to_float_512, __m512, float, __m512i, int32_t, 16, (float)x[i])
CONVERT(narrow_8, __m128i, uint8_t, __m512i, uint32_t, 16, (uint8_t)x[i])
CONVERT(narrow_16, __m256i, uint16_t, __m512i, uint32_t, 16, (uint16_t)x[i])
STORE_MASKED(mask_store_512, __mmask16, __m512, float, 16)
STORE_MASKED(mask_store_8, __mmask16, __m128i, uint8_t, 16)
STORE_MASKED(mask_store_16, __mmask16, __m256i, uint16_t, 16)
#undef MULTIPLY_ADD
#undef CONVERT
#undef STORE_MASKED

#undef _mm256_fmadd_ps
#undef _mm256_fmsub_ps
#undef _mm256_fnmadd_ps
#undef _mm512_fmadd_ps
#undef _mm512_fmsub_ps
#undef _mm512_fnmadd_ps
#undef _mm256_cvtps_epi32
#undef _mm512_cvtps_epi32
#undef _mm512_cvtepi32_ps
#undef _mm512_cvtepi32_epi8
#undef _mm512_cvtepi32_epi16
#undef _mm512_mask_storeu_ps
#undef _mm_mask_storeu_epi8
#undef _mm256_mask_storeu_epi16
#undef _mm256_maskload_ps
#undef _mm512_maskz_loadu_ps
#undef _mm512_extractf32x8_ps
#undef _mm512_cvtss_f32
#undef _mm512_shuffle_f32x4
#undef _mm512_cvtne2ps_pbh
#define _mm256_fmadd_ps          emulated_fmadd_256
#define _mm256_fmsub_ps          emulated_fmsub_256
#define _mm256_fnmadd_ps         emulated_fnmadd_256
#define _mm512_fmadd_ps          emulated_fmadd_512
#define _mm512_fmsub_ps          emulated_fmsub_512
#define _mm512_fnmadd_ps         emulated_fnmadd_512
#define _mm256_cvtps_epi32       emulated_to_int_256
#define _mm512_cvtps_epi32       emulated_to_int_512
#define _mm512_cvtepi32_ps       emulated_to_float_512
#define _mm512_cvtepi32_epi8     emulated_narrow_8
#define _mm512_cvtepi32_epi16    emulated_narrow_16
#define _mm512_mask_storeu_ps    emulated_mask_store_512
#define _mm_mask_storeu_epi8     emulated_mask_store_8
#define _mm256_mask_storeu_epi16 emulated_mask_store_16
#define _mm256_maskload_ps       emulated_maskload_256
#define _mm512_maskz_loadu_ps    emulated_maskz_loadu_512
#define _mm512_extractf32x8_ps   emulated_extract_256
#define _mm512_cvtss_f32         emulated_first
#define _mm512_shuffle_f32x4     emulated_shuffle_quarters
#define _mm512_cvtne2ps_pbh      emulated_round_both

#endif /* TESTS_BACKEND_EMULATED_IMMINTRIN_H */
