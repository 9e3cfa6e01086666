/* tile_i8_avx2.c - u8 rows times s8 weights without VNNI, exactly, in one of two ways.
 *
 * VPMADDUBSW multiplies bytes and adds two products to 16 bits, where it saturates; VPMADDWD by
 * ones adds these to 32 bits: 3 instructions for 32 products, of which 2 multiply, so twice the
 * rate of f32. Two products fit where the two weights add up to 128 at most: 255 * 128 < 2^15.
 * Weights whose pairs do not fit are widened to 16 bits, even and odd bytes, for VPMADDWD: 4
 * instructions for 32 products, and those that widen.
 *
 * The addition is written out: gcc 12 would add two products before it adds them to the sum, for
 * which it lacks the registers. Tests build this for processors without AVX2, where the intrinsics
 * are emulated. */
#include <immintrin.h>

enum { TILE_ROWS = 4 };

static inline __m256i add(__m256i sum, __m256i products)
{
#if defined(__AVX2__)
    __asm__("vpaddd %1, %0, %0" : "+x"(sum) : "x"(products));
    return sum;
#else
    return _mm256_add_epi32(sum, products);
#endif
}

#define ACCUMULATOR __m256i
#define CLEAR       CLEAR_I8
#define TO_FLOAT    TO_FLOAT_I8

#include "backend/cpu/kernels/packed_avx2.inc"

#define PREPARE_PAIRED(panel)                                                                      \
    const __m256i w0 = load_groups(panel), w1 = load_groups((panel) + LANES);                      \
    const __m256i ones = _mm256_set1_epi16(1);
#define STEP_PAIRED(low, high, at)                                                                 \
    {                                                                                              \
        const __m256i x = _mm256_set1_epi32(*(at));                                                \
        low = add(low, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w0), ones));                      \
        high = add(high, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w1), ones));                    \
    }
DEFINE_TILE(1, tile_1_paired, PREPARE_PAIRED, STEP_PAIRED)
DEFINE_TILE(2, tile_2_paired, PREPARE_PAIRED, STEP_PAIRED)
DEFINE_TILE(3, tile_3_paired, PREPARE_PAIRED, STEP_PAIRED)
DEFINE_TILE(4, tile_4_paired, PREPARE_PAIRED, STEP_PAIRED)

#define EVEN(w) _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8)
#define ODD(w)  _mm256_srai_epi16(w, 8)
#define PREPARE(panel)                                                                             \
    const __m256i w0 = load_groups(panel), w1 = load_groups((panel) + LANES);                      \
    const __m256i w0_even = EVEN(w0), w0_odd = ODD(w0), w1_even = EVEN(w1), w1_odd = ODD(w1);
#define STEP(low, high, at)                                                                        \
    {                                                                                              \
        const __m256i x = _mm256_set1_epi32(*(at));                                                \
        const __m256i even = _mm256_and_si256(x, _mm256_set1_epi32(0x00ff00ff));                   \
        const __m256i odd = _mm256_srli_epi16(x, 8);                                               \
        low = add(low, _mm256_madd_epi16(even, w0_even));                                          \
        high = add(high, _mm256_madd_epi16(even, w1_even));                                        \
        low = add(low, _mm256_madd_epi16(odd, w0_odd));                                            \
        high = add(high, _mm256_madd_epi16(odd, w1_odd));                                          \
    }
DEFINE_TILE(1, tile_1, PREPARE, STEP)
DEFINE_TILE(2, tile_2, PREPARE, STEP)
DEFINE_TILE(3, tile_3, PREPARE, STEP)
DEFINE_TILE(4, tile_4, PREPARE, STEP)

void qeff_gemm_i8_avx2(const qeff_gemm_packed *g, size_t first_panel, size_t n_panels)
{
    static void (*const any[])(const packed_tile *) = {tile_1, tile_2, tile_3, tile_4};
    static void (*const paired[])(const packed_tile *) = {tile_1_paired, tile_2_paired,
                                                          tile_3_paired, tile_4_paired};
    const tiled_gemm product = {g, TILE_ROWS, g->w_pairs_fit ? paired : any};
    run_gemm(&product, first_panel, n_panels);
}
