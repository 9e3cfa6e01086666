/* tile_i8_avx2.c - u8 rows times s8 weights without VNNI: even and odd bytes widened to 16 bits,
 * two products a lane by VPMADDWD. VPMADDUBSW would take the bytes as they are, but saturates where
 * two products exceed 16 bits, which 8-bit numbers do; this is exact, and takes 4 instructions for
 * 64 products where f32 takes 8 for as many.
 *
 * The addition is written out: gcc 12 would add two products before it adds them to the sum, for
 * which it lacks the registers. Tests build this for processors without AVX2, where the intrinsics
 * are emulated. */
#include <immintrin.h>

static inline __m256i dot(__m256i sum, __m256i x, __m256i w)
{
    const __m256i products = _mm256_madd_epi16(x, w);
#if defined(__AVX2__)
    __asm__("vpaddd %1, %0, %0" : "+x"(sum) : "x"(products));
    return sum;
#else
    return _mm256_add_epi32(sum, products);
#endif
}

#define ACCUMULATOR    __m256i
#define CLEAR          _mm256_setzero_si256()
#define VECTOR         __m256i
#define EVEN_X(v)      _mm256_and_si256(v, _mm256_set1_epi32(0x00ff00ff))
#define ODD_X(v)       _mm256_srli_epi16(v, 8)
#define EVEN_W(v)      _mm256_srai_epi16(_mm256_slli_epi16(v, 8), 8)
#define ODD_W(v)       _mm256_srai_epi16(v, 8)
#define DOT(sum, x, w) dot(sum, x, w)
/* sum (x - zero) w = sum x w - zero sum w */
#define TO_FLOAT(t, sum, row, at)                                                                  \
    _mm256_mul_ps(                                                                                 \
        _mm256_mul_ps(                                                                             \
            _mm256_cvtepi32_ps(_mm256_sub_epi32(                                                   \
                sum, _mm256_mullo_epi32(_mm256_set1_epi32((t)->x_zero[row]),                       \
                                        _mm256_loadu_si256((                                       \
                                            const __m256i *)(const void *)((t)->w_sum + (at)))))), \
            _mm256_loadu_ps((t)->w_scale + (at))),                                                 \
        _mm256_set1_ps((t)->x_scale[row]))

#include "backend/cpu/kernels/packed_avx2.inc"

void qeff_gemm_i8_avx2(const qeff_gemm_packed *g, size_t first_panel, size_t n_panels)
{
    run_gemm(g, first_panel, n_panels);
}
