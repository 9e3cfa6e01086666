/* tile_bf16_avx2.c - bf16 rows times bf16 weights without an instruction for it: a bf16 is the
 * upper half of a float, so that a shift gives the even and a mask the odd elements; then
 * multiply-adds.
 *
 * As many rows as fit a buffer on the stack are widened at a time, and multiplied with all panels
 * in tiles of six rows. Weights are widened in the loop, where that is hidden behind the
 * multiply-adds: as fast as f32 in cache, with half of the weights' memory. Rows too long for the
 * buffer are widened in the loop, too, in tiles of four, which gives the same bits. */
#include <immintrin.h>

enum { TILE_ROWS = 6, LONG_TILE_ROWS = 4 };

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
DEFINE_TILE(1, tile_1_long, PREPARE, STEP)
DEFINE_TILE(2, tile_2_long, PREPARE, STEP)
DEFINE_TILE(3, tile_3_long, PREPARE, STEP)
DEFINE_TILE(4, tile_4_long, PREPARE, STEP)

/* The same on rows of floats, in the same order. Twelve sums, two weights and a row's element leave
 * no register for the mask, which is read from memory, nor for the groups, which are read twice;
 * the assembly keeps compilers from holding either in a register.
 * Tests build this for processors without AVX2, where the intrinsics are emulated. */
static const _Alignas(32) int32_t upper_halves[LANES] = {-65536, -65536, -65536, -65536,
                                                         -65536, -65536, -65536, -65536};

static inline __m256 load_odd(const int32_t *panel)
{
#if defined(__AVX2__)
    __asm__("" : "+r"(panel));
    __m256 w = _mm256_loadu_ps((const float *)(const void *)panel);
    __asm__("vandps %1, %0, %0" : "+x"(w) : "m"(upper_halves));
    return w;
#else
    return _mm256_and_ps(_mm256_loadu_ps((const float *)(const void *)panel),
                         _mm256_load_ps((const float *)(const void *)upper_halves));
#endif
}

static inline __m256 load_even(const int32_t *panel)
{
    return EVEN(load_groups(panel));
}

#define MULTIPLY(i, at)                                                                            \
    {                                                                                              \
        const __m256 x = _mm256_broadcast_ss((const float *)(const void *)(ROW_##i) + (at));       \
        low##i = _mm256_fmadd_ps(x, w0, low##i);                                                   \
        high##i = _mm256_fmadd_ps(x, w1, high##i);                                                 \
    }
#define DEFINE_WIDENED_TILE(rows, name)                                                            \
    static void name(const packed_tile *t)                                                         \
    {                                                                                              \
        const size_t stride = t->x_stride, step = t->prefetch_step;                                \
        const int32_t *x0 = t->x, *x3 = x0 + ((rows) > 3 ? 3 * stride : 0), *panel = t->panel;     \
        const char *prefetch = t->prefetch;                                                        \
        EACH_##rows(BEGIN, ) for (size_t k = t->n_groups; k > 0; k--)                              \
        {                                                                                          \
            {                                                                                      \
                const __m256 w0 = load_even(panel), w1 = load_even(panel + LANES);                 \
                EACH_##rows(MULTIPLY, 0)                                                           \
            }                                                                                      \
            {                                                                                      \
                const __m256 w0 = load_odd(panel), w1 = load_odd(panel + LANES);                   \
                EACH_##rows(MULTIPLY, 1)                                                           \
            }                                                                                      \
            _mm_prefetch(prefetch, _MM_HINT_T0);                                                   \
            panel += QEFF_PANEL;                                                                   \
            prefetch += step;                                                                      \
            x0 += 2;                                                                               \
            x3 += 2;                                                                               \
        }                                                                                          \
        const packed_tile out = *t;                                                                \
        (void)stride, (void)x3;                                                                    \
        EACH_##rows(STORE, )                                                                       \
    }
DEFINE_WIDENED_TILE(1, tile_1)
DEFINE_WIDENED_TILE(2, tile_2)
DEFINE_WIDENED_TILE(3, tile_3)
DEFINE_WIDENED_TILE(4, tile_4)
DEFINE_WIDENED_TILE(5, tile_5)
DEFINE_WIDENED_TILE(6, tile_6)

/* 12 rows of 1536, or 48 of 384; the gap keeps rows off the same sets of the cache. */
enum { BUFFER_FLOATS = 18624, ROW_GAP = 16 };

static void widen_row(float *y, const int32_t *x, size_t n_groups)
{
    size_t i = 0;
    for (; i + LANES / 2 <= n_groups; i += LANES / 2) {
        const __m128i words = _mm_loadu_si128((const __m128i *)(const void *)(x + i));
        _mm256_storeu_ps(y + 2 * i, EVEN(_mm256_cvtepu16_epi32(words)));
    }
    for (; i < n_groups; i++) {
        const __m128i words = _mm_cvtsi32_si128(x[i]);
        _mm_storel_epi64((__m128i *)(void *)(y + 2 * i),
                         _mm_slli_epi32(_mm_cvtepu16_epi32(words), 16));
    }
}

void qeff_gemm_bf16_avx2(const qeff_gemm_packed *g, size_t first_panel, size_t n_panels)
{
    static void (*const tiles[])(const packed_tile *) = {tile_1, tile_2, tile_3,
                                                         tile_4, tile_5, tile_6};
    static void (*const long_tiles[])(const packed_tile *) = {tile_1_long, tile_2_long, tile_3_long,
                                                              tile_4_long};
    const tiled_gemm long_rows = {g, LONG_TILE_ROWS, long_tiles};
    const size_t stride = 2 * g->n_groups + ROW_GAP;
    _Alignas(64) float buffer[BUFFER_FLOATS];
    if (stride > BUFFER_FLOATS) {
        run_gemm(&long_rows, first_panel, n_panels);
        return;
    }
    size_t n = BUFFER_FLOATS / stride;
    if (n > TILE_ROWS) n -= n % TILE_ROWS;
    for (size_t row = 0; row < g->n_rows; row += n) {
        qeff_gemm_packed part = *g;
        part.n_rows = g->n_rows - row < n ? g->n_rows - row : n;
        for (size_t i = 0; i < part.n_rows; i++)
            widen_row(buffer + i * stride, g->x + (row + i) * g->x_stride, g->n_groups);
        part.x = (const int32_t *)(const void *)buffer;
        part.x_stride = stride;
        part.y += row * g->y_stride;
        if (part.residual) part.residual += row * g->residual_stride;
        const tiled_gemm product = {&part, TILE_ROWS, tiles};
        run_gemm(&product, first_panel, n_panels);
    }
}
