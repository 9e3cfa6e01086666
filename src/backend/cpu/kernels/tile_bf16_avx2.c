/* tile_bf16_avx2.c - bf16 rows times bf16 weights without an instruction for it: a bf16 is the
 * upper half of a float, so that a shift gives the even and a mask the odd elements; then
 * multiply-adds. No faster than f32 in cache, but half of the weights' memory. */
#define ACCUMULATOR               __m256
#define CLEAR                     _mm256_setzero_ps()
#define VECTOR                    __m256
#define EVEN_X(v)                 _mm256_castsi256_ps(_mm256_slli_epi32(v, 16))
#define ODD_X(v)                  _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32(-65536)))
#define EVEN_W(v)                 EVEN_X(v)
#define ODD_W(v)                  ODD_X(v)
#define DOT(sum, x, w)            _mm256_fmadd_ps(x, w, sum)
#define TO_FLOAT(t, sum, row, at) sum

#include "backend/cpu/kernels/packed_avx2.inc"

void qeff_gemm_bf16_avx2(const qeff_gemm_packed *g, size_t first_panel, size_t n_panels)
{
    run_gemm(g, first_panel, n_panels);
}
