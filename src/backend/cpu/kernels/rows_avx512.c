/* rows_avx512.c - kernels over one row: layer and rms norm, embedding rows, activations. The others
 * are rare, and keep their AVX2 variant.
 *
 * Sums run in four accumulators of sixteen lanes, the last few elements through a lane mask, so
 * nothing past n is touched; moments are taken in two passes (mean, then squared distances from
 * it), which keeps their error near one rounding. Later passes find the row in L1. */
#include "backend/cpu/kernels/kernels_avx2.h"
#include "backend/cpu/kernels/kernels_avx512.h"

#include "backend/cpu/kernels/simd_avx512.h"

#include <math.h>

enum { UNROLLED = 4 * LANES };

static inline float sum_accumulators(const __m512 s[4])
{
    return sum_lanes(_mm512_add_ps(_mm512_add_ps(s[0], s[1]), _mm512_add_ps(s[2], s[3])));
}

static inline float sum_row(const float *x, size_t n)
{
    __m512 s[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                   _mm512_setzero_ps()};
    size_t i = 0;
    for (; i + UNROLLED <= n; i += UNROLLED)
        for (size_t j = 0; j < 4; j++)
            s[j] = _mm512_add_ps(s[j], _mm512_loadu_ps(x + i + j * LANES));
    for (; i < n; i += LANES)
        s[0] = _mm512_add_ps(s[0], _mm512_maskz_loadu_ps(lanes_left(n, i), x + i));
    return sum_accumulators(s);
}

/* sum (x - shift)^2 */
static inline float sum_squares(const float *x, size_t n, float shift)
{
    const __m512 v = _mm512_set1_ps(shift);
    __m512 s[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                   _mm512_setzero_ps()};
    size_t i = 0;
    for (; i + UNROLLED <= n; i += UNROLLED)
        for (size_t j = 0; j < 4; j++) {
            const __m512 d = _mm512_sub_ps(_mm512_loadu_ps(x + i + j * LANES), v);
            s[j] = _mm512_fmadd_ps(d, d, s[j]);
        }
    for (; i < n; i += LANES) {
        const __mmask16 mask = lanes_left(n, i);
        const __m512 d = _mm512_maskz_sub_ps(mask, _mm512_maskz_loadu_ps(mask, x + i), v);
        s[0] = _mm512_fmadd_ps(d, d, s[0]);
    }
    return sum_accumulators(s);
}

void qeff_layer_norm_f32_avx512(float *y, const float *x, const float *gamma, const float *beta,
                                size_t n, float eps)
{
    const float mean = sum_row(x, n) / (float)n;
    const float variance = sum_squares(x, n, mean) / (float)n;
    const __m512 shift = _mm512_set1_ps(mean), scale = _mm512_set1_ps(1.0F / sqrtf(variance + eps));
    size_t i = 0;
    for (; beta && i + LANES <= n; i += LANES) {
        const __m512 v = _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(x + i), shift), scale);
        _mm512_storeu_ps(y + i,
                         _mm512_fmadd_ps(v, _mm512_loadu_ps(gamma + i), _mm512_loadu_ps(beta + i)));
    }
    for (; i < n; i += LANES) {
        const __mmask16 mask = lanes_left(n, i);
        const __m512 v =
            _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), shift), scale);
        const __m512 b = beta ? _mm512_maskz_loadu_ps(mask, beta + i) : _mm512_setzero_ps();
        _mm512_mask_storeu_ps(y + i, mask,
                              _mm512_fmadd_ps(v, _mm512_maskz_loadu_ps(mask, gamma + i), b));
    }
}

void qeff_rms_norm_f32_avx512(float *y, const float *x, const float *gamma, size_t n, float eps)
{
    const __m512 scale = _mm512_set1_ps(1.0F / sqrtf(sum_squares(x, n, 0.0F) / (float)n + eps));
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 mask = lanes_left(n, i);
        const __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), scale);
        _mm512_mask_storeu_ps(y + i, mask,
                              _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, gamma + i)));
    }
}

/* Rows of 16 bits are rare; AVX2 widens them. */
void qeff_add_row_f32_avx512(float *y, const void *row, size_t n, qeff_dtype dtype, bool is_first)
{
    if (dtype != QEFF_DTYPE_F32) {
        qeff_add_row_f32_avx2(y, row, n, dtype, is_first);
        return;
    }
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 mask = lanes_left(n, i);
        __m512 v = _mm512_maskz_loadu_ps(mask, (const float *)row + i);
        if (!is_first) v = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y + i), v);
        _mm512_mask_storeu_ps(y + i, mask, v);
    }
}

#define OVER_ROW(expression)                                                                       \
    for (size_t i = 0; i < n; i += LANES) {                                                        \
        const __mmask16 mask = lanes_left(n, i);                                                   \
        const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);                                       \
        _mm512_mask_storeu_ps(y + i, mask, expression);                                            \
    }                                                                                              \
    break;

void qeff_activate_f32_avx512(float *y, const float *x, size_t n, qeff_activation activation)
{
    switch (activation) {
    case QEFF_ACTIVATION_NONE:
        OVER_ROW(v)
    case QEFF_ACTIVATION_GELU_ERF:
        OVER_ROW(gelu_erf(v))
    case QEFF_ACTIVATION_GELU_TANH:
        OVER_ROW(gelu_tanh(v))
    case QEFF_ACTIVATION_RELU:
        OVER_ROW(relu(v))
    case QEFF_ACTIVATION_SILU:
        OVER_ROW(silu(v))
    case QEFF_ACTIVATION_TANH:
        OVER_ROW(hyperbolic_tangent(v))
    case QEFF_ACTIVATION_SIGMOID:
        OVER_ROW(sigmoid(v))
    case QEFF_ACTIVATION_COUNT:
        break;
    }
}
#undef OVER_ROW
