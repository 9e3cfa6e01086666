/* tile_avx2.c - x [rows, K] times a panel [K][16]: two accumulators a row, one broadcast and two
 * FMAs a row and step of K, twelve chains in flight at six rows, which is what two FMA units of
 * four cycles' latency need.
 *
 * Accumulators are named variables, written by macros: clang 14 keeps an array of them in memory.
 * tools/lint/spills.py checks that the loop touches no stack. Bias and residual are added in
 * registers; activations run over the tile while it is in L1. */
#include "backend/cpu/kernels/tile_avx2.h"

#include "backend/cpu/kernels/simd_avx2.h"

static inline void store_pair(float *y, __m256 low, __m256 high)
{
    _mm256_storeu_ps(y, low);
    _mm256_storeu_ps(y + LANES, high);
}

#define DEFINE_FINISH(name, function)                                                              \
    static void finish_##name(size_t rows, size_t columns, const qeff_tile *t)                     \
    {                                                                                              \
        for (size_t i = 0; i < rows; i++)                                                          \
            for (size_t c = 0; c < columns; c += LANES) {                                          \
                float *y = t->y + i * t->y_stride + c;                                             \
                __m256 v = function(_mm256_loadu_ps(y));                                           \
                if (t->residual)                                                                   \
                    v = _mm256_add_ps(v,                                                           \
                                      _mm256_loadu_ps(t->residual + i * t->residual_stride + c));  \
                _mm256_storeu_ps(y, v);                                                            \
            }                                                                                      \
    }
DEFINE_FINISH(gelu_erf, gelu_erf)
DEFINE_FINISH(gelu_tanh, gelu_tanh)
DEFINE_FINISH(silu, silu)
DEFINE_FINISH(tanh, hyperbolic_tangent)
DEFINE_FINISH(sigmoid, sigmoid)
#define RELU(x) _mm256_max_ps(_mm256_setzero_ps(), x)
DEFINE_FINISH(relu, RELU)

static void finish(size_t rows, size_t columns, const qeff_tile *t)
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
        finish_tanh(rows, columns, t);
        break;
    case QEFF_ACTIVATION_SIGMOID:
        finish_sigmoid(rows, columns, t);
        break;
    case QEFF_ACTIVATION_NONE:
    case QEFF_ACTIVATION_COUNT:
        break;
    }
}

void qeff_tile_finish_avx2(size_t rows, const qeff_tile *t)
{
    finish(rows, QEFF_PANEL, t);
}

#define EACH_1(X) X(0)
#define EACH_2(X) EACH_1(X) X(1)
#define EACH_3(X) EACH_2(X) X(2)
#define EACH_4(X) EACH_3(X) X(3)
#define EACH_5(X) EACH_4(X) X(4)
#define EACH_6(X) EACH_5(X) X(5)

/* Rows 0 to 2 hang off one pointer and rows 3 to 5 off another, so that two pointers and the stride
 * address all six. */
#define ROW_0 x0
#define ROW_1 x0 + stride
#define ROW_2 x0 + 2 * stride
#define ROW_3 x3
#define ROW_4 x3 + stride
#define ROW_5 x3 + 2 * stride

#define CLEAR(i) __m256 low##i = _mm256_setzero_ps(), high##i = low##i;
#define STEP(i)                                                                                    \
    {                                                                                              \
        const __m256 a = _mm256_broadcast_ss(ROW_##i);                                             \
        low##i = _mm256_fmadd_ps(a, b0, low##i);                                                   \
        high##i = _mm256_fmadd_ps(a, b1, high##i);                                                 \
    }
#define ADD_BIAS(i)                                                                                \
    low##i = _mm256_add_ps(low##i, b0);                                                            \
    high##i = _mm256_add_ps(high##i, b1);
#define ADD_RESIDUAL(i)                                                                            \
    low##i = _mm256_add_ps(low##i, _mm256_loadu_ps(t->residual + (i)*t->residual_stride));         \
    high##i = _mm256_add_ps(high##i, _mm256_loadu_ps(t->residual + (i)*t->residual_stride + LANES));
#define STORE(i) store_pair(t->y + (i)*t->y_stride, low##i, high##i);

#define DEFINE_TILE(rows)                                                                          \
    static void tile_##rows(const qeff_tile *t)                                                    \
    {                                                                                              \
        const size_t stride = t->x_stride, step = t->prefetch_step;                                \
        const float *x0 = t->x, *x3 = t->x + ((rows) > 3 ? 3 * stride : 0), *panel = t->panel;     \
        const char *prefetch = t->prefetch;                                                        \
        EACH_##rows(CLEAR) for (size_t k = t->n_in; k > 0; k--)                                    \
        {                                                                                          \
            const __m256 b0 = _mm256_loadu_ps(panel), b1 = _mm256_loadu_ps(panel + LANES);         \
            _mm_prefetch(prefetch, _MM_HINT_T0);                                                   \
            EACH_##rows(STEP) panel += QEFF_PANEL;                                                 \
            prefetch += step;                                                                      \
            x0++;                                                                                  \
            x3++;                                                                                  \
        }                                                                                          \
        if (t->bias) {                                                                             \
            const __m256 b0 = _mm256_loadu_ps(t->bias), b1 = _mm256_loadu_ps(t->bias + LANES);     \
            EACH_##rows(ADD_BIAS)                                                                  \
        }                                                                                          \
        if (t->residual && t->activation == QEFF_ACTIVATION_NONE) {                                \
            EACH_##rows(ADD_RESIDUAL)                                                              \
        }                                                                                          \
        EACH_##rows(STORE) finish(rows, QEFF_PANEL, t);                                            \
    }
DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
DEFINE_TILE(5)
DEFINE_TILE(6)

/* Four rows by three vectors are twelve chains as well; two of 24 columns make three panels. */
#define CLEAR_WIDE(i) __m256 left##i = _mm256_setzero_ps(), middle##i = left##i, right##i = left##i;
#define STEP_WIDE(i)                                                                               \
    {                                                                                              \
        const __m256 a = _mm256_broadcast_ss(ROW_##i);                                             \
        left##i = _mm256_fmadd_ps(a, b0, left##i);                                                 \
        middle##i = _mm256_fmadd_ps(a, b1, middle##i);                                             \
        right##i = _mm256_fmadd_ps(a, b2, right##i);                                               \
    }
#define ADD_WIDE(i, v0, v1, v2)                                                                    \
    left##i = _mm256_add_ps(left##i, v0);                                                          \
    middle##i = _mm256_add_ps(middle##i, v1);                                                      \
    right##i = _mm256_add_ps(right##i, v2);
#define ADD_BIAS_WIDE(i) ADD_WIDE(i, b0, b1, b2)
#define ADD_RESIDUAL_WIDE(i)                                                                       \
    {                                                                                              \
        const float *r = t->residual + (i)*t->residual_stride;                                     \
        ADD_WIDE(i, _mm256_loadu_ps(r), _mm256_loadu_ps(r + LANES),                                \
                 _mm256_loadu_ps(r + 2 * LANES))                                                   \
    }
#define STORE_WIDE(i)                                                                              \
    store_pair(t->y + (i)*t->y_stride, left##i, middle##i);                                        \
    _mm256_storeu_ps(t->y + (i)*t->y_stride + 2 * LANES, right##i);

void qeff_tile_wide_avx2(const qeff_tile *t)
{
    const size_t stride = t->x_stride, step = t->prefetch_step, second = t->second,
                 third = t->third;
    const float *x0 = t->x, *x3 = t->x + 3 * stride, *panel = t->panel;
    const char *prefetch = t->prefetch;
    EACH_4(CLEAR_WIDE)
    for (size_t k = t->n_in; k > 0; k--) {
        const __m256 b0 = _mm256_loadu_ps(panel), b1 = _mm256_loadu_ps(panel + second);
        const __m256 b2 = _mm256_loadu_ps(panel + third);
        _mm_prefetch(prefetch, _MM_HINT_T0);
        EACH_4(STEP_WIDE)
        panel += QEFF_PANEL;
        prefetch += step;
        x0++;
        x3++;
    }
    if (t->bias) {
        const __m256 b0 = _mm256_loadu_ps(t->bias), b1 = _mm256_loadu_ps(t->bias + LANES);
        const __m256 b2 = _mm256_loadu_ps(t->bias + 2 * LANES);
        EACH_4(ADD_BIAS_WIDE)
    }
    if (t->residual && t->activation == QEFF_ACTIVATION_NONE) {
        EACH_4(ADD_RESIDUAL_WIDE)
    }
    EACH_4(STORE_WIDE)
    finish(4, QEFF_TILE_WIDE, t);
}

void qeff_tile_avx2(size_t rows, const qeff_tile *tile)
{
    static void (*const tiles[QEFF_TILE_ROWS + 1])(const qeff_tile *) = {
        NULL, tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};
    tiles[rows](tile);
}
