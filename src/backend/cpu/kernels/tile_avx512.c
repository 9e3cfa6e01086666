/* tile_avx512.c - x [rows, K] times panels [K][16]: one accumulator a row and panel, one broadcast
 * a row and step of K. Nine rows by three panels are 27 accumulators of the 32 registers, and 12
 * loads for 27 FMAs, which leaves load slots to prefetch in.
 *
 * Accumulators are named variables, written by macros: clang 14 keeps an array of them in memory.
 * tools/lint/spills.py checks that the loops touch no stack. Bias and residual are added in
 * registers; activations run over the tile while it is in L1. */
#include "backend/cpu/kernels/tile_avx512.h"

#include "backend/cpu/kernels/simd_avx512.h"

#define EACH_1(X) X(0)
#define EACH_2(X) EACH_1(X) X(1)
#define EACH_3(X) EACH_2(X) X(2)
#define EACH_4(X) EACH_3(X) X(3)
#define EACH_5(X) EACH_4(X) X(4)
#define EACH_6(X) EACH_5(X) X(5)
#define EACH_7(X) EACH_6(X) X(6)
#define EACH_8(X) EACH_7(X) X(7)
#define EACH_9(X) EACH_8(X) X(8)

/* Three pointers and the stride address all nine rows. */
#define ROW_0 x0
#define ROW_1 x0 + stride
#define ROW_2 x0 + 2 * stride
#define ROW_3 x3
#define ROW_4 x3 + stride
#define ROW_5 x3 + 2 * stride
#define ROW_6 x6
#define ROW_7 x6 + stride
#define ROW_8 x6 + 2 * stride

#define CLEAR_1(i) __m512 a##i = _mm512_setzero_ps();
#define CLEAR_2(i) CLEAR_1(i) __m512 b##i = a##i;
#define CLEAR_3(i) CLEAR_2(i) __m512 c##i = a##i;

#define LOAD_1 const __m512 w0 = _mm512_loadu_ps(panel);
#define LOAD_2 LOAD_1 const __m512 w1 = _mm512_loadu_ps(panel + width);
#define LOAD_3 LOAD_2 const __m512 w2 = _mm512_loadu_ps(panel + 2 * width);

/* As many lines as the step of K reads: one tile alone has to fetch all of the next panels. */
enum { LINE = 64 };
#define PREFETCH_1 _mm_prefetch(prefetch, _MM_HINT_T0);
#define PREFETCH_2 PREFETCH_1 _mm_prefetch(prefetch + LINE, _MM_HINT_T0);
#define PREFETCH_3 PREFETCH_2 _mm_prefetch(prefetch + 2 * LINE, _MM_HINT_T0);

#define BROADCAST(i) const __m512 v##i = _mm512_set1_ps(*(ROW_##i));
#define STEP_1(i)    BROADCAST(i) a##i = _mm512_fmadd_ps(v##i, w0, a##i);
#define STEP_2(i)    STEP_1(i) b##i = _mm512_fmadd_ps(v##i, w1, b##i);
#define STEP_3(i)    STEP_2(i) c##i = _mm512_fmadd_ps(v##i, w2, c##i);

#define ADD(acc, from, p) acc = _mm512_add_ps(acc, _mm512_loadu_ps((from) + (p)*LANES));
#define ADD_BIAS_1(i)     ADD(a##i, t->bias, 0)
#define ADD_BIAS_2(i)     ADD_BIAS_1(i) ADD(b##i, t->bias, 1)
#define ADD_BIAS_3(i)     ADD_BIAS_2(i) ADD(c##i, t->bias, 2)
#define RESIDUAL(i)       t->residual + (i)*t->residual_stride
#define ADD_RESIDUAL_1(i) ADD(a##i, RESIDUAL(i), 0)
#define ADD_RESIDUAL_2(i) ADD_RESIDUAL_1(i) ADD(b##i, RESIDUAL(i), 1)
#define ADD_RESIDUAL_3(i) ADD_RESIDUAL_2(i) ADD(c##i, RESIDUAL(i), 2)
#define STORE(acc, i, p)  _mm512_storeu_ps(t->y + (i)*t->y_stride + (p)*LANES, acc);
#define STORE_1(i)        STORE(a##i, i, 0)
#define STORE_2(i)        STORE_1(i) STORE(b##i, i, 1)
#define STORE_3(i)        STORE_2(i) STORE(c##i, i, 2)

#define DEFINE_TILE(rows, panels)                                                                  \
    static void tile_##rows##_##panels(const qeff_tile512 *t)                                      \
    {                                                                                              \
        const size_t stride = t->x_stride, step = t->prefetch_step, width = t->n_in * LANES;       \
        const float *x0 = t->x, *x3 = x0 + ((rows) > 3 ? 3 * stride : 0);                          \
        const float *x6 = x0 + ((rows) > 6 ? 6 * stride : 0), *panel = t->panel;                   \
        const char *prefetch = t->prefetch;                                                        \
        (void)width;                                                                               \
        EACH_##rows(CLEAR_##panels) for (size_t k = t->n_in; k > 0; k--)                           \
        {                                                                                          \
            LOAD_##panels PREFETCH_##panels EACH_##rows(STEP_##panels) panel += LANES;             \
            prefetch += step;                                                                      \
            x0++;                                                                                  \
            x3++;                                                                                  \
            x6++;                                                                                  \
        }                                                                                          \
        if (t->bias) {                                                                             \
            EACH_##rows(ADD_BIAS_##panels)                                                         \
        }                                                                                          \
        if (t->residual && t->activation == QEFF_ACTIVATION_NONE) {                                \
            EACH_##rows(ADD_RESIDUAL_##panels)                                                     \
        }                                                                                          \
        EACH_##rows(STORE_##panels)                                                                \
    }
#define DEFINE_TILES(rows) DEFINE_TILE(rows, 1) DEFINE_TILE(rows, 2) DEFINE_TILE(rows, 3)
DEFINE_TILES(1)
DEFINE_TILES(2)
DEFINE_TILES(3)
DEFINE_TILES(4)
DEFINE_TILES(5)
DEFINE_TILES(6)
DEFINE_TILES(7)
DEFINE_TILES(8)
DEFINE_TILES(9)

#define DEFINE_FINISH(function)                                                                    \
    static void finish_##function(size_t rows, size_t columns, const qeff_tile512 *t)              \
    {                                                                                              \
        const float *residual = t->residual;                                                       \
        const size_t y_stride = t->y_stride, residual_stride = t->residual_stride;                 \
        float *y = t->y;                                                                           \
        for (size_t i = 0; i < rows; i++, y += y_stride) {                                         \
            for (size_t c = 0; c < columns; c += LANES)                                            \
                _mm512_storeu_ps(y + c, function(_mm512_loadu_ps(y + c)));                         \
            for (size_t c = 0; residual && c < columns; c += LANES)                                \
                _mm512_storeu_ps(                                                                  \
                    y + c, _mm512_add_ps(_mm512_loadu_ps(y + c), _mm512_loadu_ps(residual + c)));  \
            if (residual) residual += residual_stride;                                             \
        }                                                                                          \
    }
DEFINE_FINISH(gelu_erf)
DEFINE_FINISH(gelu_tanh)
DEFINE_FINISH(silu)
DEFINE_FINISH(hyperbolic_tangent)
DEFINE_FINISH(sigmoid)
DEFINE_FINISH(relu)

void qeff_tile_finish_avx512(size_t rows, size_t columns, const qeff_tile512 *t)
{
    switch (t->activation) {
    case QEFF_ACTIVATION_GELU_ERF:
        finish_gelu_erf(rows, columns, t);
        break;
    case QEFF_ACTIVATION_GELU_TANH:
        finish_gelu_tanh(rows, columns, t);
        break;
    case QEFF_ACTIVATION_RELU:
        finish_relu(rows, columns, t);
        break;
    case QEFF_ACTIVATION_SILU:
        finish_silu(rows, columns, t);
        break;
    case QEFF_ACTIVATION_TANH:
        finish_hyperbolic_tangent(rows, columns, t);
        break;
    case QEFF_ACTIVATION_SIGMOID:
        finish_sigmoid(rows, columns, t);
        break;
    case QEFF_ACTIVATION_NONE:
    case QEFF_ACTIVATION_COUNT:
        break;
    }
}

#define TILES(rows)                                                                                \
    {                                                                                              \
        NULL, tile_##rows##_1, tile_##rows##_2, tile_##rows##_3                                    \
    }

void qeff_tile_avx512(size_t rows, size_t panels, const qeff_tile512 *tile)
{
    static void (*const tiles[QEFF_TILE512_ROWS + 1][QEFF_TILE512_PANELS + 1])(
        const qeff_tile512 *) = {{NULL},   TILES(1), TILES(2), TILES(3), TILES(4),
                                 TILES(5), TILES(6), TILES(7), TILES(8), TILES(9)};
    tiles[rows][panels](tile);
    qeff_tile_finish_avx512(rows, panels * LANES, tile);
}
