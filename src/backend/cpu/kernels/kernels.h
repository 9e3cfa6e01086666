/* kernels.h - the inner loops of the CPU backend, as a struct of pointers that is filled for the
 * instruction set in use.
 *
 * Contract of every kernel and variant: any size >= 1, any alignment, nothing read or written
 * outside what the parameters describe, no allocation, no state. Each output element is reduced in
 * one fixed order that depends on the sizes of its own row alone, so its bits never depend on
 * neighbours, on how rows are split between calls, or on threads. Variants of one kernel agree
 * within the tolerances of tests/backend/kernels_test.c; scalar.c is the specification. NaN and
 * infinity pass through as in the formula.
 *
 * `y` may be `x` in the kernels of one row; other operands do not overlap. */
#ifndef BACKEND_CPU_KERNELS_KERNELS_H
#define BACKEND_CPU_KERNELS_KERNELS_H

#include <qeff/base.h>

#include <math.h>

/** Columns of a panel of packed weights. */
enum { QEFF_PANEL = 16 };

typedef enum qeff_activation {
    QEFF_ACTIVATION_NONE,
    QEFF_ACTIVATION_GELU_ERF,  /**< x (1 + erf(x / sqrt 2)) / 2 */
    QEFF_ACTIVATION_GELU_TANH, /**< x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 */
    QEFF_ACTIVATION_RELU,
    QEFF_ACTIVATION_SILU, /**< x / (1 + exp(-x)) */
    QEFF_ACTIVATION_TANH,
    QEFF_ACTIVATION_SIGMOID,
    QEFF_ACTIVATION_COUNT
} qeff_activation;

typedef enum qeff_arithmetic {
    QEFF_ARITHMETIC_ADD,
    QEFF_ARITHMETIC_SUB,
    QEFF_ARITHMETIC_MUL,
    QEFF_ARITHMETIC_DIV,
    QEFF_ARITHMETIC_COUNT
} qeff_arithmetic;

/** y = activation(x W^T + bias) + residual, for the panels [first, first + count) of W.
 *
 * W [N, K] is packed in panels of 16 output columns, [ceil(N / 16)][K][16], columns past N filled
 * with zeros. The sum over K runs from k = 0 upwards, one accumulator an element. Rows may overlap
 * where their stride says so, but y overlaps nothing else. */
typedef struct qeff_gemm {
    size_t n_rows, n_in, n_out; /**< M, K, N */
    const float *x;             /**< [M, K] */
    size_t x_stride;            /**< floats from row to row */
    const float *panels;
    const float *bias; /**< [N, rounded up to 16], or NULL */
    qeff_activation activation;
    const float *residual; /**< [M, N], or NULL */
    size_t residual_stride;
    float *y; /**< [M, N] */
    size_t y_stride;
} qeff_gemm;

static inline size_t qeff_gemm_panels(size_t n_out)
{
    return (n_out + QEFF_PANEL - 1) / QEFF_PANEL;
}

/** The same product of rows and weights of 8 or 16 bits, as 32-bit groups along K: four u8 and s8,
 * or two bf16. K is filled up to whole groups with zeros in W.
 *
 *   i8    y = activation(sum over the blocks b of K of
 *             (x_b - zero_b) W_b^T x_scale_b w_scale_b + bias) + residual,
 *         where the sum of integers of a block is exact; needs blocks of up to QEFF_INT8_WIDTH_MAX.
 *         Blocks are added one after the other. `w_sum` holds the sums of W's rows
 *   bf16  y = activation(x W^T + bias) + residual in f32; the two products of a group and the sum
 * so far may be added in any order. K has one block
 *
 * W [N, K] is packed as [ceil(N / 16)][groups][16], columns past N filled with zeros. */
typedef struct qeff_gemm_packed {
    size_t n_rows, n_groups, n_out; /**< M, ceil(K / 4) or ceil(K / 2), N */
    size_t block_groups;            /**< groups of a block; 0: K is one block */
    const int32_t *x;               /**< [M, groups] */
    size_t x_stride;                /**< groups from row to row */
    const int32_t *panels;
    const float *x_scale;  /**< i8: [M, blocks] */
    const int32_t *x_zero; /**< i8: [M, blocks], the number that stands for 0.0 */
    size_t x_scale_stride; /**< of x_scale and x_zero, from row to row */
    const float *w_scale;  /**< i8: [blocks, N rounded up to 16] */
    const int32_t *w_sum;  /**< i8: [blocks, N rounded up to 16] */
    size_t w_scale_stride; /**< of w_scale and w_sum, from block to block */
    bool w_pairs_fit;      /**< i8: the weights of columns 2k and 2k + 1 add up to -128 to 128 */
    const float *bias;     /**< [N, rounded up to 16], or NULL */
    qeff_activation activation;
    const float *residual; /**< [M, N], or NULL */
    size_t residual_stride;
    float *y; /**< [M, N] */
    size_t y_stride;
} qeff_gemm_packed;

static inline size_t qeff_gemm_block(const qeff_gemm_packed *g)
{
    return g->block_groups ? g->block_groups : g->n_groups;
}

/** Up to here 255 * 127 * K fits an int32_t. */
enum { QEFF_INT8_WIDTH_MAX = 1 << 16 };

/** y = softmax(q k^T scale) v for one head; there is no mask.
 *
 * Up to QEFF_ATTENTION_KEYS keys a variant may pack all of them and keep rows of scores. Beyond, it
 * takes the keys in blocks, equal in number but for the last, and keeps the maximum m, the sum l
 * and the result y so far of each query:
 *
 *   m' = max(m, max s)   l' = exp(m - m') l + sum exp(s - m')   y' = exp(m - m') y + exp(s - m') v
 *
 * Which blocks there are depends on the number of keys alone, so a row's bits do as well. The
 * variant for bf16 may round q scale, k and v to bf16 and the exponentials to 2^-7 of themselves;
 * where there are no instructions for that it is the one of f32. */
typedef struct qeff_attention {
    size_t n_queries, n_keys, head_dim; /**< S, T, D */
    const float *q, *k, *v;             /**< [S, D], [T, D], [T, D] */
    size_t q_stride, k_stride, v_stride;
    float scale;
    float *y; /**< [S, D] */
    size_t y_stride;
    float *scratch; /**< [qeff_attention_scratch(T, D)] */
} qeff_attention;

enum {
    QEFF_ATTENTION_ROWS = 48,     /**< of queries and scores that a variant may keep at a time */
    QEFF_ATTENTION_KEYS = 512,    /**< of a block */
    QEFF_ATTENTION_QUERIES = 1024 /**< of which m and l are kept, where there are several blocks */
};

/** Keys of a block where there are several: the panels of keys, shared out evenly. */
static inline size_t qeff_attention_block(size_t n_keys)
{
    const size_t n_blocks = (n_keys + QEFF_ATTENTION_KEYS - 1) / QEFF_ATTENTION_KEYS;
    return (qeff_gemm_panels(n_keys) + n_blocks - 1) / n_blocks * QEFF_PANEL;
}

/** Floats of scratch for T keys of D dimensions: K^T and V of a block in panels, some rows of
 * scores, m and l. Scalar code keeps the scores of one query. */
static inline size_t qeff_attention_scratch(size_t n_keys, size_t head_dim)
{
    const bool is_one_block = n_keys <= QEFF_ATTENTION_KEYS;
    const size_t block = is_one_block ? n_keys : QEFF_ATTENTION_KEYS;
    const size_t keys = qeff_gemm_panels(block) * QEFF_PANEL;
    const size_t dims = qeff_gemm_panels(head_dim) * QEFF_PANEL;
    const size_t size = (keys + block) * dims + QEFF_ATTENTION_ROWS * (keys + dims) +
                        (is_one_block ? 0 : 2 * QEFF_ATTENTION_QUERIES);
    return size > n_keys ? size : n_keys;
}

typedef enum qeff_pool_mode {
    QEFF_POOL_CLS,           /**< the first row */
    QEFF_POOL_MAX,           /**< largest of each column */
    QEFF_POOL_MEAN,          /**< sum / T */
    QEFF_POOL_MEAN_SQRT_LEN, /**< sum / sqrt(T) */
    QEFF_POOL_WEIGHTED_MEAN, /**< sum w x / sum w, with w = position + 1 */
    QEFF_POOL_LAST,          /**< the last row */
    QEFF_POOL_COUNT
} qeff_pool_mode;

/** One vector from the rows of one sequence. */
typedef struct qeff_pool {
    qeff_pool_mode mode;
    size_t n_rows, n; /**< T >= 1, H */
    const float *x;   /**< [T, H] */
    size_t x_stride;
    const int32_t *positions; /**< [T]; read by the weighted mean */
} qeff_pool;

/** y = round(activation(x) factor / scale) + zero in 0 to 255, with a scale and a zero for each
 * row, filled with zeros to a multiple of 4. Without an activation, every variant gives the same
 * bits; an activation may be off by 2e-5 here. Where an element is no number, or the range of a row
 * is not finite, the scale is NaN. */
typedef struct qeff_quantize {
    size_t n_rows, n; /**< M, K */
    const float *x;   /**< [M, K] */
    size_t x_stride;
    qeff_activation activation;
    float *work;         /**< [M, K], as far apart as x and maybe x itself; with an activation */
    const float *factor; /**< [K], or NULL */
    int32_t *y;          /**< [M, ceil(K / 4)], four u8 each */
    size_t y_stride;
    float *scale;        /**< [M] */
    int32_t *zero;       /**< [M] */
    size_t scale_stride; /**< of scale and zero, from row to row */
} qeff_quantize;

/** Scale and zero of a row: 255 numbers over [least, most], which holds 0, so that 0 has a number
 * of its own. A range below the normal ones is none; one that is not finite makes the scale NaN.
 * Shared, since every variant must give the same bits.
 * @return what x is multiplied with */
static inline float qeff_spread_u8(float least, float most, float *scale, int32_t *zero)
{
    const float range = most - least;
    const bool is_usable = range >= 1e-30F && range <= 1e38F;
    const float inverse = is_usable ? 255.0F / range : 0.0F;
    *scale = (is_usable ? range / 255.0F : 0.0F) + (range <= 1e38F ? 0.0F : NAN);
    *zero = is_usable ? (int32_t)rintf(-least * inverse) : 0;
    return inverse;
}

/*  round_row_bf16    y = x to nearest even, filled with a zero to a multiple of 2; NaN stays NaN.
 *                    The same bits in every variant, but that denormals may become zero
 *  layer_norm_f32    y = (x - mean) / sqrt(variance + eps) * gamma + beta; beta may be NULL
 *  rms_norm_f32      y = x / sqrt(mean of x^2 + eps) * gamma
 *  softmax_f32       y = exp(x - max x) / sum
 *  activate_f32      y = activation(x)
 *  arithmetic_f32    y = a op b
 *  add_row_f32       y = row, or y += row; the row is f32, f16 or bf16, little-endian
 *  l2_normalize_f32  y = x / max(|x|, eps) */
typedef struct qeff_kernels {
#define KERNEL(name, parameters) void(*name) parameters;
#include "backend/cpu/kernels/kernels.def"
#undef KERNEL
} qeff_kernels;

/** The best variant of each kernel for a set of QEFF_CPU_* flags. */
qeff_kernels qeff_kernels_for(unsigned cpu_flags);

/** Fills every entry. */
void qeff_kernels_scalar(qeff_kernels *kernels);
/** Overwrites what AVX2, FMA and F16C do better. */
void qeff_kernels_avx2(qeff_kernels *kernels);
/** Overwrites the product of 8 bits; on top of qeff_kernels_avx2(). */
void qeff_kernels_avxvnni(qeff_kernels *kernels);
void qeff_kernels_avx512(qeff_kernels *kernels);
/** Overwrite the products of 8 and of 16 bits; on top of qeff_kernels_avx512(). */
void qeff_kernels_avx512vnni(qeff_kernels *kernels);
void qeff_kernels_avx512bf16(qeff_kernels *kernels);

#endif /* BACKEND_CPU_KERNELS_KERNELS_H */
