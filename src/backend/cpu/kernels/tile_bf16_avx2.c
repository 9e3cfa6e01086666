/* tile_bf16_avx2.c - bf16 rows times bf16 weights without an instruction for it: a bf16 is the
 * upper half of a float, so that a shift gives the even and a mask the odd elements; then
 * multiply-adds. No faster than f32 in cache, but half of the weights' memory. */
#include <immintrin.h>

enum { TILE_ROWS = 4 };

#define ACCUMULATOR               __m256
#define CLEAR(t, row, at)         _mm256_setzero_ps()
#define TO_FLOAT(t, sum, row, at) sum

#include "backend/cpu/kernels/packed_avx2.inc"

#define EVEN(v) _mm256_castsi256_ps(_mm256_slli_epi32(v, 16))
#define ODD(v)  _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32(-65536)))
#define PREPARE(panel)                                                                             \
    const __m256i w0 = load_groups(panel), w1 = load_groups((panel) + LANES);                      \
    const __m256 w0_even = EVEN(w0), w0_odd = ODD(w0), w1_even = EVEN(w1), w1_odd = ODD(w1);
#define STEP(low, high, at)                                                                        \
    {                                                                                              \
        const __m256i x = _mm256_set1_epi32(*(at));                                                \
        const __m256 even = EVEN(x), odd = ODD(x);                                                 \
        low = _mm256_fmadd_ps(even, w0_even, low);                                                 \
        high = _mm256_fmadd_ps(even, w1_even, high);                                               \
        low = _mm256_fmadd_ps(odd, w0_odd, low);                                                   \
        high = _mm256_fmadd_ps(odd, w1_odd, high);                                                 \
    }
DEFINE_TILE(1, tile_1, PREPARE, STEP)
DEFINE_TILE(2, tile_2, PREPARE, STEP)
DEFINE_TILE(3, tile_3, PREPARE, STEP)
DEFINE_TILE(4, tile_4, PREPARE, STEP)

static packed_tile_function *choose_tile(const qeff_gemm_packed *g, size_t rows)
{
    static packed_tile_function *const tiles[TILE_ROWS] = {tile_1, tile_2, tile_3, tile_4};
    (void)g;
    return tiles[rows - 1];
}

void qeff_gemm_bf16_avx2(const qeff_gemm_packed *g, size_t first_panel, size_t n_panels)
{
    run_gemm(g, first_panel, n_panels);
}
