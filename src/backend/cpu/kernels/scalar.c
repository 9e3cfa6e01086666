/* scalar.c - the kernels as obvious loops: the specification that the others are tested against,
 * and what runs where there is nothing faster.
 *
 * Sums over a row run from the first element to the last in one accumulator, but for the moments of
 * layer norm, of rms norm and the norm of a vector, which use double. Nothing here is contracted to
 * FMA, so that every compiler gives the same bits. */
#include "backend/cpu/kernels/kernels.h"

#include "base/dtype.h"
#include "base/span.h"

#include <math.h>

static float activate(float x, qeff_activation activation)
{
    switch (activation) {
    case QEFF_ACTIVATION_GELU_ERF:
        return 0.5F * x * (1.0F + erff(x * 0.70710678118654752F));
    case QEFF_ACTIVATION_GELU_TANH:
        return 0.5F * x * (1.0F + tanhf(0.79788456080286536F * (x + 0.044715F * x * x * x)));
    case QEFF_ACTIVATION_RELU:
        return x < 0.0F ? 0.0F : x;
    case QEFF_ACTIVATION_SILU:
        return x / (1.0F + expf(-x));
    case QEFF_ACTIVATION_TANH:
        return tanhf(x);
    case QEFF_ACTIVATION_SIGMOID:
        return 1.0F / (1.0F + expf(-x));
    case QEFF_ACTIVATION_NONE:
    case QEFF_ACTIVATION_COUNT:
        break;
    }
    return x;
}

/* One row against one panel. The sixteen sums are independent, so a compiler may vectorise across
 * them without changing a bit. */
static void dot_panel(const float *x, const float *panel, size_t n_in, float sums[QEFF_PANEL])
{
    for (size_t c = 0; c < QEFF_PANEL; c++)
        sums[c] = 0.0F;
    for (size_t k = 0; k < n_in; k++)
        for (size_t c = 0; c < QEFF_PANEL; c++)
            sums[c] += x[k] * panel[k * QEFF_PANEL + c];
}

static void gemm_f32(const qeff_gemm *g, size_t first_panel, size_t n_panels)
{
    for (size_t p = first_panel; p < first_panel + n_panels; p++) {
        const size_t column = p * QEFF_PANEL;
        const size_t n = g->n_out - column < QEFF_PANEL ? g->n_out - column : QEFF_PANEL;
        for (size_t row = 0; row < g->n_rows; row++) {
            float sums[QEFF_PANEL];
            dot_panel(g->x + row * g->x_stride, g->panels + column * g->n_in, g->n_in, sums);
            for (size_t c = 0; c < n; c++) {
                float y = sums[c];
                if (g->bias) y += g->bias[column + c];
                y = activate(y, g->activation);
                if (g->residual) y += g->residual[row * g->residual_stride + column + c];
                g->y[row * g->y_stride + column + c] = y;
            }
        }
    }
}

/* What both packed products do with the sum of an element. */
static void finish_element(const qeff_gemm_packed *g, size_t row, size_t column, float sum)
{
    float y = g->bias ? sum + g->bias[column] : sum;
    y = activate(y, g->activation);
    if (g->residual) y += g->residual[row * g->residual_stride + column];
    g->y[row * g->y_stride + column] = y;
}

/* The sum of integers over groups [first, last), less what the zero of the row adds. Unsigned,
 * since numbers of a file that was tampered with may overflow. */
static int32_t sum_i8(const int32_t *x, const int32_t *panel, size_t first, size_t last,
                      uint32_t zero, uint32_t w_sum)
{
    uint32_t sum = 0;
    for (size_t k = first; k < last; k++) {
        const uint8_t *u = (const uint8_t *)(x + k);
        const int8_t *w = (const int8_t *)(panel + k * QEFF_PANEL);
        for (size_t i = 0; i < 4; i++)
            sum += (uint32_t)((int32_t)u[i] * w[i]);
    }
    return (int32_t)(sum - zero * w_sum);
}

static void gemm_i8(const qeff_gemm_packed *g, size_t first_panel, size_t n_panels)
{
    const size_t block = qeff_gemm_block(g);
    for (size_t column = first_panel * QEFF_PANEL;
         column < (first_panel + n_panels) * QEFF_PANEL && column < g->n_out; column++) {
        const int32_t *panel = g->panels + column / QEFF_PANEL * g->n_groups * QEFF_PANEL;
        for (size_t row = 0; row < g->n_rows; row++) {
            float y = 0.0F;
            for (size_t b = 0; b * block < g->n_groups; b++) {
                const size_t last = (b + 1) * block < g->n_groups ? (b + 1) * block : g->n_groups;
                const size_t at = row * g->x_scale_stride + b, w = b * g->w_scale_stride + column;
                const int32_t sum =
                    sum_i8(g->x + row * g->x_stride, panel + column % QEFF_PANEL, b * block, last,
                           (uint32_t)g->x_zero[at], (uint32_t)g->w_sum[w]);
                y += (float)sum * g->w_scale[w] * g->x_scale[at];
            }
            finish_element(g, row, column, y);
        }
    }
}

static void gemm_bf16(const qeff_gemm_packed *g, size_t first_panel, size_t n_panels)
{
    for (size_t column = first_panel * QEFF_PANEL;
         column < (first_panel + n_panels) * QEFF_PANEL && column < g->n_out; column++) {
        const int32_t *panel = g->panels + column / QEFF_PANEL * g->n_groups * QEFF_PANEL;
        for (size_t row = 0; row < g->n_rows; row++) {
            const uint8_t *x = (const uint8_t *)(g->x + row * g->x_stride);
            float sum = 0.0F;
            for (size_t k = 0; k < g->n_groups; k++) {
                const uint8_t *w = (const uint8_t *)(panel + k * QEFF_PANEL + column % QEFF_PANEL);
                for (size_t i = 0; i < 2; i++)
                    sum += qeff_bf16_to_f32(qeff_load_u16le(x + 4 * k + 2 * i)) *
                           qeff_bf16_to_f32(qeff_load_u16le(w + 2 * i));
            }
            finish_element(g, row, column, sum);
        }
    }
}

static void activate_f32(float *y, const float *x, size_t n, qeff_activation activation)
{
    for (size_t i = 0; i < n; i++)
        y[i] = activate(x[i], activation);
}

static void
quantize_row(const qeff_quantize *q, const float *x, uint8_t *y, float *scale, int32_t *zero)
{
    float least = 0.0F, most = 0.0F, nan = 0.0F;
    for (size_t i = 0; i < q->n; i++) {
        const float v = q->factor ? x[i] * q->factor[i] : x[i];
        nan += v * 0.0F;
        if (v < least) least = v;
        if (v > most) most = v;
    }
    const float inverse = qeff_spread_u8(least, most, scale, zero);
    *scale += nan;
    for (size_t i = 0; i < q->n; i++) {
        const float v = (q->factor ? x[i] * q->factor[i] : x[i]) * inverse;
        const int32_t n = isfinite(v) ? (int32_t)rintf(v) + *zero : 0;
        y[i] = (uint8_t)(n < 0 ? 0 : n > 255 ? 255 : n);
    }
    for (size_t i = q->n; i % 4 != 0; i++)
        y[i] = 0;
}

static void quantize_u8(const qeff_quantize *q)
{
    for (size_t row = 0; row < q->n_rows; row++) {
        const float *x = q->x + row * q->x_stride;
        if (q->activation != QEFF_ACTIVATION_NONE) {
            float *work = q->work + row * q->x_stride;
            activate_f32(work, x, q->n, q->activation);
            x = work;
        }
        quantize_row(q, x, (uint8_t *)(q->y + row * q->y_stride), q->scale + row * q->scale_stride,
                     q->zero + row * q->scale_stride);
    }
}

static void round_row_bf16(uint16_t *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        qeff_store_u16le(&y[i], qeff_f32_to_bf16(x[i]));
    if (n % 2) y[n] = 0;
}

static void softmax_f32(float *y, const float *x, size_t n)
{
    float most = x[0], sum = 0.0F;
    for (size_t i = 1; i < n; i++)
        if (x[i] > most) most = x[i];
    for (size_t i = 0; i < n; i++) {
        y[i] = expf(x[i] - most);
        sum += y[i];
    }
    for (size_t i = 0; i < n; i++)
        y[i] /= sum;
}

static void attention_f32(const qeff_attention *a)
{
    float *scores = a->scratch;
    for (size_t s = 0; s < a->n_queries; s++) {
        const float *q = a->q + s * a->q_stride;
        float *y = a->y + s * a->y_stride;
        for (size_t t = 0; t < a->n_keys; t++) {
            const float *k = a->k + t * a->k_stride;
            float sum = 0.0F;
            for (size_t d = 0; d < a->head_dim; d++)
                sum += q[d] * k[d];
            scores[t] = sum * a->scale;
        }
        softmax_f32(scores, scores, a->n_keys);
        for (size_t d = 0; d < a->head_dim; d++)
            y[d] = 0.0F;
        for (size_t t = 0; t < a->n_keys; t++)
            for (size_t d = 0; d < a->head_dim; d++)
                y[d] += scores[t] * a->v[t * a->v_stride + d];
    }
}

static void attention_bf16(const qeff_attention *a)
{
    attention_f32(a);
}

static void
layer_norm_f32(float *y, const float *x, const float *gamma, const float *beta, size_t n, float eps)
{
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    const float shift = (float)mean;
    const float scale = (float)(1.0 / sqrt(squares / (double)n + (double)eps));
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - shift) * scale * gamma[i] + (beta ? beta[i] : 0.0F);
}

static void rms_norm_f32(float *y, const float *x, const float *gamma, size_t n, float eps)
{
    double squares = 0.0;
    for (size_t i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    const float scale = (float)(1.0 / sqrt(squares / (double)n + (double)eps));
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * scale * gamma[i];
}

static void
arithmetic_f32(float *y, const float *a, const float *b, size_t n, qeff_arithmetic operation)
{
    for (size_t i = 0; i < n; i++)
        switch (operation) {
        case QEFF_ARITHMETIC_ADD:
            y[i] = a[i] + b[i];
            break;
        case QEFF_ARITHMETIC_SUB:
            y[i] = a[i] - b[i];
            break;
        case QEFF_ARITHMETIC_MUL:
            y[i] = a[i] * b[i];
            break;
        case QEFF_ARITHMETIC_DIV:
            y[i] = a[i] / b[i];
            break;
        case QEFF_ARITHMETIC_COUNT:
            break;
        }
}

static float element(const uint8_t *row, size_t i, qeff_dtype dtype)
{
    if (dtype == QEFF_DTYPE_F16) return qeff_f16_to_f32(qeff_load_u16le(row + 2 * i));
    if (dtype == QEFF_DTYPE_BF16) return qeff_bf16_to_f32(qeff_load_u16le(row + 2 * i));
    const uint32_t bits = qeff_load_u32le(row + 4 * i);
    float value = 0.0F;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void add_row_f32(float *y, const void *row, size_t n, qeff_dtype dtype, bool is_first)
{
    for (size_t i = 0; i < n; i++) {
        const float value = element(row, i, dtype);
        y[i] = is_first ? value : y[i] + value;
    }
}

static void pool_f32(float *y, const qeff_pool *p)
{
    const float *last = p->x + (p->n_rows - 1) * p->x_stride;
    float total = 0.0F;
    const bool is_weighted = p->mode == QEFF_POOL_WEIGHTED_MEAN;
    for (size_t i = 0; i < p->n; i++)
        y[i] = p->mode == QEFF_POOL_LAST ? last[i] : p->x[i];
    if (p->mode == QEFF_POOL_CLS || p->mode == QEFF_POOL_LAST) return;
    for (size_t t = 0; t < p->n_rows; t++) {
        const float *x = p->x + t * p->x_stride;
        const float weight = is_weighted ? (float)p->positions[t] + 1.0F : 1.0F;
        total += weight;
        for (size_t i = 0; i < p->n; i++)
            if (p->mode == QEFF_POOL_MAX)
                y[i] = y[i] > x[i] ? y[i] : x[i];
            else
                y[i] = t == 0 ? weight * x[i] : y[i] + weight * x[i];
    }
    if (p->mode == QEFF_POOL_MAX) return;
    const float divisor = p->mode == QEFF_POOL_MEAN_SQRT_LEN ? sqrtf(total) : total;
    for (size_t i = 0; i < p->n; i++)
        y[i] /= divisor;
}

static void l2_normalize_f32(float *y, const float *x, size_t n, float eps)
{
    double squares = 0.0;
    for (size_t i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    const float norm = (float)sqrt(squares);
    const float divisor = norm < eps ? eps : norm;
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] / divisor;
}

void qeff_kernels_scalar(qeff_kernels *kernels)
{
#define KERNEL(name, parameters) kernels->name = name;
#include "backend/cpu/kernels/kernels.def"
#undef KERNEL
}
