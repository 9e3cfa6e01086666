/* tile_avx512vnni.c - u8 rows times s8 weights by VPDPBUSD: four products a lane and instruction,
 * at the rate of a multiply-add, added to 32 bits without saturation between them.
 *
 * The zero of a row is taken off before the loop, where the sums would otherwise be cleared:
 * sum (x - zero) w = sum x w - zero sum w. What follows the loop is a conversion, a
 * multiplication and a multiply-add an element.
 *
 * The instruction is written out: for the intrinsic, gcc 12 copies each sum before it is added to,
 * runs out of registers and spills a third of them in the loop. Tests build this for processors
 * without the instruction, where the intrinsic is emulated. */
#include <immintrin.h>

static inline __m512i dot(__m512i sum, __m512i x, __m512i w)
{
#if defined(__AVX512VNNI__)
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
#else
    return _mm512_dpbusd_epi32(sum, x, w);
#endif
}

#define ACCUMULATOR    __m512i
#define DOT(sum, x, w) dot(sum, x, w)
#define BEGIN(p)                                                                                   \
    _mm512_mullo_epi32(                                                                            \
        _mm512_set1_epi32(*x_zero),                                                                \
        _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_loadu_si512(w_sum + (p)*LANES)))
#define COLUMN(p)                                                                                  \
    const __m512 scale##p = _mm512_loadu_ps(w_scale + (p)*LANES),                                  \
                 bias##p = _mm512_loadu_ps(bias + (p)*LANES);
#define TO_FLOAT(sum, p)                                                                           \
    _mm512_fmadd_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale##p), _mm512_set1_ps(*x_scale),    \
                    bias##p)

#include "backend/cpu/kernels/packed_avx512.inc"

static void gemm_i8(const qeff_gemm_packed *g, size_t first_panel, size_t n_panels)
{
    run_gemm(g, first_panel, n_panels);
}

void qeff_kernels_avx512vnni(qeff_kernels *kernels)
{
    kernels->gemm_i8 = gemm_i8;
}
