/* tile_avxvnni.c - u8 rows times s8 weights by VPDPBUSD on processors that have it for ymm
 * registers only: four products a lane and instruction, at the rate of a multiply-add, added to 32
 * bits without saturation between them.
 *
 * The instruction is written out: for the intrinsic, gcc 12 copies sums before they are added to.
 * Tests build this for processors without it, where the intrinsic is emulated. */
#include <immintrin.h>

enum { TILE_ROWS = 6 };

static inline __m256i dot(__m256i sum, __m256i x, __m256i w)
{
#if defined(__AVXVNNI__)
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(x), "x"(w));
    return sum;
#else
    return _mm256_dpbusd_epi32(sum, x, w);
#endif
}

#define ACCUMULATOR __m256i
#define CLEAR       CLEAR_I8
#define TO_FLOAT    TO_FLOAT_I8

#include "backend/cpu/kernels/packed_avx2.inc"

#define PREPARE(panel) const __m256i w0 = load_groups(panel), w1 = load_groups((panel) + LANES);
#define STEP(low, high, at)                                                                        \
    {                                                                                              \
        const __m256i x = _mm256_set1_epi32(*(at));                                                \
        low = dot(low, x, w0);                                                                     \
        high = dot(high, x, w1);                                                                   \
    }
DEFINE_TILE(1, tile_1, PREPARE, STEP)
DEFINE_TILE(2, tile_2, PREPARE, STEP)
DEFINE_TILE(3, tile_3, PREPARE, STEP)
DEFINE_TILE(4, tile_4, PREPARE, STEP)
DEFINE_TILE(5, tile_5, PREPARE, STEP)
DEFINE_TILE(6, tile_6, PREPARE, STEP)

static void gemm_i8(const qeff_gemm_packed *g, size_t first_panel, size_t n_panels)
{
    static void (*const tiles[])(const packed_tile *) = {tile_1, tile_2, tile_3,
                                                         tile_4, tile_5, tile_6};
    const tiled_gemm product = {g, TILE_ROWS, tiles};
    run_gemm(&product, first_panel, n_panels);
}

void qeff_kernels_avxvnni(qeff_kernels *kernels)
{
    kernels->gemm_i8 = gemm_i8;
}
