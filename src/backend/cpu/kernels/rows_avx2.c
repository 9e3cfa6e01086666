/* rows_avx2.c - kernels over one row: layer and rms norm, softmax, activations, arithmetic,
 * embedding rows, L2 norm.
 *
 * Rows are read eight elements at a time, the last few through a lane mask, so nothing past n is
 * touched. Sums run in eight lanes, which are added up as sum_lanes() says; moments are taken in
 * two passes (mean, then squared distances from it), which keeps their error near one rounding. */
#include "backend/cpu/kernels/kernels_avx2.h"

#include "backend/cpu/kernels/simd_avx2.h"

#include <math.h>
#include <stdint.h>

static inline __m256 load_lanes(const float *x, __m256i mask)
{
    return _mm256_maskload_ps(x, mask);
}

static float sum_row(const float *x, size_t n)
{
    __m256 even = _mm256_setzero_ps(), odd = even;
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        even = _mm256_add_ps(even, _mm256_loadu_ps(x + i));
        odd = _mm256_add_ps(odd, _mm256_loadu_ps(x + i + LANES));
    }
    for (; i < n; i += LANES)
        even = _mm256_add_ps(even, load_lanes(x + i, lanes_left(n, i)));
    return sum_lanes(_mm256_add_ps(even, odd));
}

/* sum (x - shift)^2 */
static float sum_squares(const float *x, size_t n, float shift)
{
    const __m256 s = _mm256_set1_ps(shift);
    __m256 even = _mm256_setzero_ps(), odd = even;
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        const __m256 a = _mm256_sub_ps(_mm256_loadu_ps(x + i), s);
        const __m256 b = _mm256_sub_ps(_mm256_loadu_ps(x + i + LANES), s);
        even = _mm256_fmadd_ps(a, a, even);
        odd = _mm256_fmadd_ps(b, b, odd);
    }
    for (; i < n; i += LANES) {
        const __m256i mask = lanes_left(n, i);
        const __m256 a =
            _mm256_and_ps(_mm256_sub_ps(load_lanes(x + i, mask), s), _mm256_castsi256_ps(mask));
        even = _mm256_fmadd_ps(a, a, even);
    }
    return sum_lanes(_mm256_add_ps(even, odd));
}

void qeff_layer_norm_f32_avx2(float *y, const float *x, const float *gamma, const float *beta,
                              size_t n, float eps)
{
    const float mean = sum_row(x, n) / (float)n;
    const float variance = sum_squares(x, n, mean) / (float)n;
    const __m256 shift = _mm256_set1_ps(mean), scale = _mm256_set1_ps(1.0F / sqrtf(variance + eps));
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const __m256 v = _mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(x + i), shift), scale);
        const __m256 b = beta ? _mm256_loadu_ps(beta + i) : _mm256_setzero_ps();
        _mm256_storeu_ps(y + i, _mm256_fmadd_ps(v, _mm256_loadu_ps(gamma + i), b));
    }
    if (i < n) {
        const __m256i mask = lanes_left(n, i);
        const __m256 v = _mm256_mul_ps(_mm256_sub_ps(load_lanes(x + i, mask), shift), scale);
        const __m256 b = beta ? load_lanes(beta + i, mask) : _mm256_setzero_ps();
        _mm256_maskstore_ps(y + i, mask, _mm256_fmadd_ps(v, load_lanes(gamma + i, mask), b));
    }
}

void qeff_rms_norm_f32_avx2(float *y, const float *x, const float *gamma, size_t n, float eps)
{
    const __m256 scale = _mm256_set1_ps(1.0F / sqrtf(sum_squares(x, n, 0.0F) / (float)n + eps));
    for (size_t i = 0; i < n; i += LANES) {
        const __m256i mask = lanes_left(n, i);
        const __m256 v = _mm256_mul_ps(load_lanes(x + i, mask), scale);
        _mm256_maskstore_ps(y + i, mask, _mm256_mul_ps(v, load_lanes(gamma + i, mask)));
    }
}

void qeff_softmax_f32_avx2(float *y, const float *x, size_t n)
{
    const __m256 lowest = _mm256_set1_ps(-INFINITY);
    __m256 most = lowest, sum = _mm256_setzero_ps();
    for (size_t i = 0; i < n; i += LANES) {
        const __m256i mask = lanes_left(n, i);
        const __m256 v = load_lanes(x + i, mask);
        most = _mm256_max_ps(most, _mm256_blendv_ps(lowest, v, _mm256_castsi256_ps(mask)));
    }
    most = _mm256_set1_ps(max_lanes(most));
    for (size_t i = 0; i < n; i += LANES) {
        const __m256i mask = lanes_left(n, i);
        const __m256 e = exponential(_mm256_sub_ps(load_lanes(x + i, mask), most));
        sum = _mm256_add_ps(sum, _mm256_and_ps(e, _mm256_castsi256_ps(mask)));
        _mm256_maskstore_ps(y + i, mask, e);
    }
    const __m256 factor = _mm256_set1_ps(1.0F / sum_lanes(sum));
    for (size_t i = 0; i < n; i += LANES) {
        const __m256i mask = lanes_left(n, i);
        _mm256_maskstore_ps(y + i, mask, _mm256_mul_ps(load_lanes(y + i, mask), factor));
    }
}

#define OVER_ROW(expression)                                                                       \
    for (size_t i = 0; i < n; i += LANES) {                                                        \
        const __m256i mask = lanes_left(n, i);                                                     \
        const __m256 v = load_lanes(x + i, mask);                                                  \
        _mm256_maskstore_ps(y + i, mask, expression);                                              \
    }                                                                                              \
    break;

void qeff_activate_f32_avx2(float *y, const float *x, size_t n, qeff_activation activation)
{
    switch (activation) {
    case QEFF_ACTIVATION_NONE:
        OVER_ROW(v)
    case QEFF_ACTIVATION_GELU_ERF:
        OVER_ROW(gelu_erf(v))
    case QEFF_ACTIVATION_GELU_TANH:
        OVER_ROW(gelu_tanh(v))
    case QEFF_ACTIVATION_RELU:
        OVER_ROW(_mm256_max_ps(_mm256_setzero_ps(), v))
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

#define OVER_ROWS(function)                                                                        \
    for (size_t i = 0; i < n; i += LANES) {                                                        \
        const __m256i mask = lanes_left(n, i);                                                     \
        _mm256_maskstore_ps(y + i, mask,                                                           \
                            function(load_lanes(a + i, mask), load_lanes(b + i, mask)));           \
    }                                                                                              \
    break;

void qeff_arithmetic_f32_avx2(float *y, const float *a, const float *b, size_t n,
                              qeff_arithmetic operation)
{
    switch (operation) {
    case QEFF_ARITHMETIC_ADD:
        OVER_ROWS(_mm256_add_ps)
    case QEFF_ARITHMETIC_SUB:
        OVER_ROWS(_mm256_sub_ps)
    case QEFF_ARITHMETIC_MUL:
        OVER_ROWS(_mm256_mul_ps)
    case QEFF_ARITHMETIC_DIV:
        OVER_ROWS(_mm256_div_ps)
    case QEFF_ARITHMETIC_COUNT:
        break;
    }
}
#undef OVER_ROWS

/* Eight elements of a row as floats; the short types only where all eight are there. */
static inline __m256 widen(const uint8_t *row, size_t i, qeff_dtype dtype)
{
    const __m128i half = _mm_loadu_si128((const __m128i *)(const void *)(row + 2 * i));
    if (dtype == QEFF_DTYPE_F16) return _mm256_cvtph_ps(half);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

static inline __m256 widen_tail(const uint8_t *row, size_t i, size_t n, qeff_dtype dtype)
{
    uint8_t tail[16] = {0};
    for (size_t k = 0; k < 2 * (n - i); k++)
        tail[k] = row[2 * i + k];
    return widen(tail, 0, dtype);
}

void qeff_add_row_f32_avx2(float *y, const void *row, size_t n, qeff_dtype dtype, bool is_first)
{
    for (size_t i = 0; i < n; i += LANES) {
        const __m256i mask = lanes_left(n, i);
        __m256 v;
        if (dtype == QEFF_DTYPE_F32)
            v = load_lanes((const float *)row + i, mask);
        else if (n - i >= LANES)
            v = widen(row, i, dtype);
        else
            v = widen_tail(row, i, n, dtype);
        if (!is_first) v = _mm256_add_ps(load_lanes(y + i, mask), v);
        _mm256_maskstore_ps(y + i, mask, v);
    }
}

void qeff_l2_normalize_f32_avx2(float *y, const float *x, size_t n, float eps)
{
    const float norm = sqrtf(sum_squares(x, n, 0.0F));
    const __m256 divisor = _mm256_set1_ps(norm < eps ? eps : norm);
    for (size_t i = 0; i < n; i += LANES) {
        const __m256i mask = lanes_left(n, i);
        _mm256_maskstore_ps(y + i, mask, _mm256_div_ps(load_lanes(x + i, mask), divisor));
    }
}
