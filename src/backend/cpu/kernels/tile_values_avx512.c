/* tile_values_avx512.c - probabilities, one row a key, times values as they lie: one accumulator a
 * query and vector of columns, keys from the first to the last. The probabilities of a key lie side
 * by side, so their broadcasts share a cache line.
 *
 * Named accumulators and the check for spills are as in tile_avx512.c. */
#include "backend/cpu/kernels/tile_values_avx512.h"

#include "backend/cpu/kernels/simd_avx512.h"

#define EACH_1(X) X(0)
#define EACH_2(X) EACH_1(X) X(1)
#define EACH_3(X) EACH_2(X) X(2)
#define EACH_4(X) EACH_3(X) X(3)
#define EACH_5(X) EACH_4(X) X(4)
#define EACH_6(X) EACH_5(X) X(5)
#define EACH_7(X) EACH_6(X) X(6)
#define EACH_8(X) EACH_7(X) X(7)

#define CLEAR_1(i) __m512 a##i = _mm512_setzero_ps();
#define CLEAR_2(i) CLEAR_1(i) __m512 b##i = a##i;

/* The last vector of the columns goes through the mask. */
#define LOAD_1 const __m512 w0 = _mm512_maskz_loadu_ps(last, v);
#define LOAD_2 const __m512 w0 = _mm512_loadu_ps(v), w1 = _mm512_maskz_loadu_ps(last, v + LANES);

#define STEP_1(i)                                                                                  \
    const __m512 p##i = _mm512_set1_ps(p[i]);                                                      \
    a##i = _mm512_fmadd_ps(p##i, w0, a##i);
#define STEP_2(i) STEP_1(i) b##i = _mm512_fmadd_ps(p##i, w1, b##i);

#define FACTOR(i)  const __m512 f##i = _mm512_set1_ps(t->factor[i]);
#define Y(i)       t->y + (i)*t->y_stride
#define STORE_1(i) FACTOR(i) _mm512_mask_storeu_ps(Y(i), last, _mm512_mul_ps(a##i, f##i));
#define STORE_2(i)                                                                                 \
    FACTOR(i) _mm512_storeu_ps(Y(i), _mm512_mul_ps(a##i, f##i));                                   \
    _mm512_mask_storeu_ps(Y(i) + LANES, last, _mm512_mul_ps(b##i, f##i));

#define DEFINE_TILE(rows, vectors)                                                                 \
    static void tile_##rows##_##vectors(const qeff_values512 *t, __mmask16 last)                   \
    {                                                                                              \
        const size_t p_stride = t->p_stride, v_stride = t->v_stride;                               \
        const float *p = t->p, *v = t->v;                                                          \
        EACH_##rows(CLEAR_##vectors) for (size_t k = t->n_keys; k > 0; k--)                        \
        {                                                                                          \
            LOAD_##vectors EACH_##rows(STEP_##vectors) p += p_stride;                              \
            v += v_stride;                                                                         \
        }                                                                                          \
        EACH_##rows(STORE_##vectors)                                                               \
    }
#define DEFINE_TILES(rows) DEFINE_TILE(rows, 1) DEFINE_TILE(rows, 2)
DEFINE_TILES(1)
DEFINE_TILES(2)
DEFINE_TILES(3)
DEFINE_TILES(4)
DEFINE_TILES(5)
DEFINE_TILES(6)
DEFINE_TILES(7)
DEFINE_TILES(8)

#define TILES(rows)                                                                                \
    {                                                                                              \
        tile_##rows##_1, tile_##rows##_2                                                           \
    }

void qeff_tile_values_avx512(size_t rows, size_t columns, const qeff_values512 *tile)
{
    static void (*const tiles[QEFF_VALUES512_ROWS][2])(const qeff_values512 *, __mmask16) = {
        TILES(1), TILES(2), TILES(3), TILES(4), TILES(5), TILES(6), TILES(7), TILES(8)};
    const size_t vectors = (columns + LANES - 1) / LANES;
    tiles[rows - 1][vectors - 1](tile, first_lanes(columns - (vectors - 1) * LANES));
}
