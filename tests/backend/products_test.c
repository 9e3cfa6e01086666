/* products_test.c - the matrix products of every variant against scalar.c, and what makes their
 * rows of 8 and 16 bits; built twice, as kernels_test.c is.
 *
 * Tolerances, relative to the largest term of the sum an element is made of:
 *   gemm              1e-5: sums in the same order, with and without FMA
 *   gemm_i8           exact sums of integers; 1e-5 with scales and what follows
 *   quantize_u8, round_row_bf16   the same bits; 2e-5 and a step where there is an activation */
#include "kernel_variants.h"

#include "base/span.h"

/* --- gemm ---------------------------------------------------------------------------------------
 */

typedef struct gemm_case {
    qeff_gemm g;
    float *x, *panels, *bias, *residual, *y;
} gemm_case;

static gemm_case make_gemm(size_t m, size_t k, size_t n, qeff_activation activation, bool has_bias,
                           bool has_residual)
{
    gemm_case c = {0};
    const size_t slots = qeff_gemm_panels(n) * QEFF_PANEL;
    c.x = numbers((m - 1) * (k + 3) + k);
    c.panels = numbers(slots * k);
    c.bias = numbers(slots);
    c.residual = numbers((m - 1) * (n + 1) + n);
    c.y = numbers((m - 1) * (n + 2) + n);
    c.g = (qeff_gemm){.n_rows = m,
                      .n_in = k,
                      .n_out = n,
                      .x = c.x,
                      .x_stride = k + 3,
                      .panels = c.panels,
                      .bias = has_bias ? c.bias : NULL,
                      .activation = activation,
                      .residual = has_residual ? c.residual : NULL,
                      .residual_stride = n + 1,
                      .y = c.y,
                      .y_stride = n + 2};
    return c;
}

static void free_gemm(gemm_case *c)
{
    test_free(c->x);
    test_free(c->panels);
    test_free(c->bias);
    test_free(c->residual);
    test_free(c->y);
}

static void check_gemm(size_t m, size_t k, size_t n, qeff_activation activation, bool has_bias,
                       bool has_residual)
{
    qeff_kernels kernels[3];
    const size_t n_variants = variants(kernels);
    gemm_case c = make_gemm(m, k, n, activation, has_bias, has_residual);
    const size_t size = (m - 1) * (n + 2) + n;
    float *expected = copy(c.y, size);
    c.g.y = expected;
    kernels[n_variants - 1].gemm_f32(&c.g, 0, qeff_gemm_panels(n));
    for (size_t v = 0; v + 1 < n_variants; v++) {
        float *found = copy(c.y, size);
        c.g.y = found;
        kernels[v].gemm_f32(&c.g, 0, qeff_gemm_panels(n));
        assert_close(expected, found, size, 1e-5); /* the gaps between rows are as they were, too */
        test_free(found);
    }
    test_free(expected);
    free_gemm(&c);
}

TEST(gemm, agrees_with_scalar_for_every_width_and_height)
{
    (void)state_;
    for (size_t n = 1; n <= SIZE_MAX_TESTED; n++)
        for (size_t m = 1; m <= 13; m++)
            check_gemm(m, 1 + (n + m) % 40, n, QEFF_ACTIVATION_NONE, n % 2 == 0, m % 2 == 0);
}

TEST(gemm, agrees_with_scalar_for_every_epilogue)
{
    (void)state_;
    for (int a = 0; a < QEFF_ACTIVATION_COUNT; a++)
        for (int bits = 0; bits < 4; bits++)
            for (size_t n = 13; n <= 57; n += 11)
                check_gemm(8, 20, n, (qeff_activation)a, (bits & 1) != 0, (bits & 2) != 0);
}

TEST(gemm, agrees_with_scalar_when_x_exceeds_the_cache)
{
    (void)state_;
    check_gemm(300, 900, 150, QEFF_ACTIVATION_GELU_ERF, true, false);
}

TEST(gemm, gives_each_row_the_same_bits_alone_and_among_others)
{
    enum { N = 56, STRIDE = N + 2 }; /* three whole panels and a part of one */
    (void)state_;
    qeff_kernels kernels[3];
    const size_t n_variants = variants(kernels);
    for (size_t v = 0; v < n_variants; v++)
        for (size_t m = 1; m <= 31; m++) {
            gemm_case c = make_gemm(m, 48, N, QEFF_ACTIVATION_GELU_ERF, true, true);
            kernels[v].gemm_f32(&c.g, 0, 4);
            for (size_t row = 0; row < m; row++) {
                float alone[N];
                qeff_gemm one = c.g;
                one.n_rows = 1;
                one.x += row * one.x_stride;
                one.residual += row * one.residual_stride;
                one.y = alone;
                kernels[v].gemm_f32(&one, 0, 1); /* panel by panel, as threads share them */
                kernels[v].gemm_f32(&one, 1, 3);
                assert_memory_equal(alone, c.y + row * STRIDE, sizeof alone);
            }
            free_gemm(&c);
        }
}

/* --- 8 and 16 bits -------------------------------------------------------------------------------
 */

typedef enum weights { ANY, EXTREME, PAIRED, EXTREME_PAIRED } weights;

/* Weight `i` of a panel, whose neighbour is a weight before or behind it. */
static int8_t make_weight(size_t i, weights kind, int8_t neighbour)
{
    const int sign = i / 64 % 2 ? -1 : 1;
    if (kind == EXTREME) return (int8_t)(sign * 127);
    if (kind == EXTREME_PAIRED) return (int8_t)(i % 2 ? sign * 128 - neighbour : sign * 127);
    const int w = (int)(uniform() * 127.9F);
    if (kind == ANY || i % 2 == 0 || abs(w + neighbour) <= 128) return (int8_t)w;
    return (int8_t)-w; /* the sum is smaller then */
}

/* A packed product [m, 4 groups] x [n, 4 groups] of random bytes, with all that it may read. */
typedef struct packed_operands {
    uint8_t *x;
    int8_t *w;
    float *x_scale, *w_scale, *bias, *residual;
    int32_t *zeros, *sums;
    qeff_gemm_packed g;
} packed_operands;

static packed_operands make_packed(size_t m, size_t groups, size_t n, size_t block)
{
    const size_t slots = qeff_gemm_panels(n) * QEFF_PANEL;
    const size_t n_blocks = block ? (groups + block - 1) / block : 1;
    packed_operands o = {.x = test_malloc(m * groups * 4), .w = test_malloc(slots * groups * 4)};
    o.x_scale = numbers(m * n_blocks);
    o.w_scale = numbers(slots * n_blocks);
    o.bias = numbers(slots);
    o.residual = numbers(m * n);
    o.zeros = test_malloc(m * n_blocks * sizeof *o.zeros);
    o.sums = test_malloc(slots * n_blocks * sizeof *o.sums);
    for (size_t i = 0; i < m * groups * 4; i++)
        o.x[i] = (uint8_t)((uniform() + 1.0F) * 127.9F);
    for (size_t i = 0; i < slots * groups * 4; i++)
        o.w[i] = (int8_t)(uniform() * 127.9F);
    for (size_t i = 0; i < m * n_blocks; i++)
        o.zeros[i] = (int32_t)((uniform() + 1.0F) * 127.9F);
    for (size_t i = 0; i < slots * n_blocks; i++)
        o.sums[i] = (int32_t)(uniform() * 1000.0F);
    o.g = (qeff_gemm_packed){.n_rows = m,
                             .n_groups = groups,
                             .n_out = n,
                             .block_groups = block,
                             .x = (const int32_t *)(const void *)o.x,
                             .x_stride = groups,
                             .panels = (const int32_t *)(const void *)o.w,
                             .x_scale = o.x_scale,
                             .x_zero = o.zeros,
                             .x_scale_stride = n_blocks,
                             .w_scale = o.w_scale,
                             .w_sum = o.sums,
                             .w_scale_stride = slots,
                             .residual_stride = n,
                             .y_stride = n};
    return o;
}

static void free_packed(packed_operands *o)
{
    test_free(o->x);
    test_free(o->w);
    test_free(o->x_scale);
    test_free(o->w_scale);
    test_free(o->bias);
    test_free(o->residual);
    test_free(o->zeros);
    test_free(o->sums);
}

static void fill_with(float *values, size_t n, float value)
{
    for (size_t i = 0; i < n; i++)
        values[i] = value;
}

/* Makes the bytes those of bf16. */
static void make_bf16(packed_operands *o)
{
    const size_t slots = qeff_gemm_panels(o->g.n_out) * QEFF_PANEL;
    for (size_t i = 0; i < o->g.n_rows * o->g.n_groups * 2; i++)
        qeff_store_u16le(o->x + 2 * i, qeff_f32_to_bf16(uniform()));
    for (size_t i = 0; i < slots * o->g.n_groups * 2; i++)
        qeff_store_u16le((uint8_t *)o->w + 2 * i, qeff_f32_to_bf16(uniform()));
}

/* Bytes that reach the ends of their ranges in every fourth case; unit scales, so that the results
 * are the sums of integers. `block` groups of K have zeros and sums of their own; 0: all. */
static void check_i8(size_t m, size_t k, size_t n, size_t block, weights kind)
{
    qeff_kernels kernels[PACKED_VARIANTS];
    const size_t n_variants = packed_variants(kernels), slots = qeff_gemm_panels(n) * QEFF_PANEL;
    const size_t groups = (k + 3) / 4, n_blocks = block ? (groups + block - 1) / block : 1;
    packed_operands o = make_packed(m, groups, n, block);
    float *y[PACKED_VARIANTS] = {NULL};
    if (kind == EXTREME || kind == EXTREME_PAIRED) memset(o.x, 255, m * groups * 4);
    for (size_t i = 0; i < slots * groups * 4; i++)
        o.w[i] = make_weight(i, kind, i > 0 ? o.w[i - 1] : 0);
    fill_with(o.x_scale, m * n_blocks, 1.0F);
    fill_with(o.w_scale, slots * n_blocks, 1.0F);
    o.g.w_pairs_fit = kind == PAIRED || kind == EXTREME_PAIRED;
    for (size_t v = 0; v < n_variants; v++) {
        o.g.y = y[v] = numbers(m * n);
        kernels[v].gemm_i8(&o.g, 0, qeff_gemm_panels(n));
        assert_memory_equal(y[v], y[0], m * n * sizeof(float));
    }
    for (size_t v = 0; v < n_variants; v++)
        test_free(y[v]);
    free_packed(&o);
}

TEST(gemm_i8, gives_the_same_sums_on_every_instruction_set)
{
    (void)state_;
    for (size_t n = 1; n <= SIZE_MAX_TESTED; n += 3)
        for (size_t m = 1; m <= 13; m++)
            check_i8(m, 1 + (n * 7 + m) % 60, n, 0, (weights)((n + m) % 4));
    check_i8(9, 4096, 48, 0, EXTREME);
    check_i8(9, 4096, 48, 0, EXTREME_PAIRED);
    check_i8(300, 4096, 40, 0, ANY);
    check_i8(300, 4096, 40, 0, PAIRED);
}

TEST(gemm_i8, adds_up_blocks_that_have_zeros_of_their_own)
{
    (void)state_;
    for (size_t n = 1; n <= SIZE_MAX_TESTED; n += 5)
        for (size_t m = 1; m <= 13; m += 2)
            check_i8(m, 4 * (n + m), n, 4 * (1 + (n + m) % 3), (weights)((n + m) % 4));
    check_i8(300, 1536, 40, 96, ANY);
    check_i8(300, 1536, 40, 48, PAIRED);
}

static void check_bf16(size_t m, size_t groups, size_t n)
{
    qeff_kernels kernels[PACKED_VARIANTS];
    const size_t n_variants = packed_variants(kernels);
    packed_operands o = make_packed(m, groups, n, 0);
    float *expected = numbers(m * n), *found = numbers(m * n);
    make_bf16(&o);
    o.g.bias = o.bias;
    o.g.residual = o.residual;
    o.g.activation = m % 2 ? QEFF_ACTIVATION_GELU_ERF : QEFF_ACTIVATION_NONE;
    o.g.y = expected;
    kernels[n_variants - 1].gemm_bf16(&o.g, 0, qeff_gemm_panels(n));
    o.g.y = found;
    for (size_t v = 0; v + 1 < n_variants; v++) {
        kernels[v].gemm_bf16(&o.g, 0, qeff_gemm_panels(n));
        assert_close(expected, found, m * n, groups > 1000 ? 1e-3 : 1e-5); /* sums of many terms */
    }
    test_free(expected);
    test_free(found);
    free_packed(&o);
}

TEST(gemm_bf16, agrees_with_scalar_for_every_width_and_height)
{
    (void)state_;
    for (size_t n = 1; n <= SIZE_MAX_TESTED; n += 3)
        for (size_t m = 1; m <= 13; m++)
            check_bf16(m, 1 + (n + m) % 20, n);
}

TEST(gemm_bf16, agrees_with_scalar_for_long_and_many_rows)
{
    (void)state_;
    check_bf16(60, 192, 40);
    check_bf16(29, 1536 / 2, 20);
    for (size_t m = 1; m <= 5; m++) /* longer than the buffer of the AVX2 variant */
        check_bf16(m, 9400, 20);
}

/* One packed product with everything behind it, of small numbers. */
static void check_packed_epilogue(bool is_i8, size_t n, qeff_activation activation, bool has_bias,
                                  bool has_residual)
{
    enum { M = 11, GROUPS = 9, BLOCK = 4, N_BLOCKS = 3 };
    qeff_kernels kernels[PACKED_VARIANTS];
    const size_t n_variants = packed_variants(kernels);
    packed_operands o = make_packed(M, GROUPS, n, is_i8 ? BLOCK : 0);
    float *y[PACKED_VARIANTS] = {NULL};
    if (!is_i8) make_bf16(&o);
    for (size_t i = 0; is_i8 && i < M * N_BLOCKS; i++)
        o.x_scale[i] *= 0.01F;
    for (size_t i = 0; is_i8 && i < o.g.w_scale_stride * N_BLOCKS; i++)
        o.w_scale[i] *= 0.01F;
    o.g.bias = has_bias ? o.bias : NULL;
    o.g.activation = activation;
    o.g.residual = has_residual ? o.residual : NULL;
    for (size_t v = 0; v < n_variants; v++) {
        o.g.y = y[v] = numbers(M * n);
        (is_i8 ? kernels[v].gemm_i8 : kernels[v].gemm_bf16)(&o.g, 0, qeff_gemm_panels(n));
    }
    for (size_t v = 0; v + 1 < n_variants; v++)
        assert_close(y[n_variants - 1], y[v], M * n, 1e-5);
    for (size_t v = 0; v < n_variants; v++)
        test_free(y[v]);
    free_packed(&o);
}

TEST(packed_gemm, agrees_with_scalar_for_every_epilogue)
{
    (void)state_;
    for (int is_i8 = 0; is_i8 < 2; is_i8++)
        for (int a = 0; a < QEFF_ACTIVATION_COUNT; a++)
            for (int bits = 0; bits < 4; bits++)
                for (size_t n = 13; n <= 63; n += 25)
                    check_packed_epilogue(is_i8 != 0, n, (qeff_activation)a, (bits & 1) != 0,
                                          (bits & 2) != 0);
}

typedef struct packed_rows {
    size_t m, groups;
    int32_t *y, *zero;
    float *scale;
} packed_rows;

/* Rows of which some hold what is no number, and one only zeros. */
static float *make_rows(size_t m, size_t n)
{
    float *x = numbers(m * n);
    if (m > 1) x[n + n / 2] = NAN;
    if (m > 2) x[2 * n + n / 2] = -INFINITY;
    for (size_t i = 0; m > 3 && i < n; i++)
        x[3 * n + i] = 0.0F;
    return x;
}

/* Rows 1 and 2 are no numbers. With an activation, variants may be off by a step in the last place.
 */
static void
check_quantized(const packed_rows *expected, const packed_rows *found, size_t n, bool is_exact)
{
    for (size_t row = 0; row < expected->m; row++) {
        const bool is_number = row != 1 && row != 2;
        const float *scales = expected->scale;
        const uint8_t *a = (const uint8_t *)(expected->y + row * expected->groups);
        const uint8_t *b = (const uint8_t *)(found->y + row * found->groups);
        assert_true(found->zero[row] >= 0 && found->zero[row] <= 255);
        if (!is_exact && !is_number) continue; /* an activation may take infinity to a number */
        assert_int_equal(isnan(found->scale[row]) == 0, is_number);
        if (!is_number) continue;
        if (is_exact) {
            assert_memory_equal(&found->scale[row], &scales[row], sizeof *scales);
            assert_memory_equal(b, a, expected->groups * sizeof *expected->y);
            continue;
        }
        assert_true(fabsf(found->scale[row] - scales[row]) <= 4e-5F / 255.0F);
        for (size_t i = 0; i < n; i++)
            assert_true(abs(a[i] - found->zero[row] - b[i] + expected->zero[row]) <= 1);
        for (size_t i = n; i < 4 * expected->groups; i++)
            assert_int_equal(b[i], 0);
    }
}

static packed_rows make_packed_rows(size_t m, size_t groups)
{
    return (packed_rows){.m = m,
                         .groups = groups,
                         .y = test_malloc(m * groups * sizeof(int32_t)),
                         .scale = numbers(m),
                         .zero = test_malloc(m * sizeof(int32_t))};
}

static void free_packed_rows(packed_rows *rows)
{
    test_free(rows->y);
    test_free(rows->scale);
    test_free(rows->zero);
}

static void check_quantize(size_t m, size_t n, bool has_factor, qeff_activation activation)
{
    qeff_kernels kernels[PACKED_VARIANTS];
    const size_t n_variants = packed_variants(kernels), groups = (n + 3) / 4;
    float *x = make_rows(m, n), *factor = numbers(n), *work = numbers(m * n);
    packed_rows rows[PACKED_VARIANTS];
    for (size_t v = n_variants; v-- > 0;) {
        rows[v] = make_packed_rows(m, groups);
        const qeff_quantize q = {.n_rows = m,
                                 .n = n,
                                 .x = x,
                                 .x_stride = n,
                                 .activation = activation,
                                 .work = activation ? work : NULL,
                                 .factor = has_factor ? factor : NULL,
                                 .y = rows[v].y,
                                 .y_stride = groups,
                                 .scale = rows[v].scale,
                                 .zero = rows[v].zero,
                                 .scale_stride = 1};
        kernels[v].quantize_u8(&q);
        check_quantized(&rows[n_variants - 1], &rows[v], n, activation == QEFF_ACTIVATION_NONE);
    }
    for (size_t v = 0; v < n_variants; v++)
        free_packed_rows(&rows[v]);
    test_free(x);
    test_free(factor);
    test_free(work);
}

TEST(quantize, gives_the_same_bits_on_every_instruction_set)
{
    (void)state_;
    for (size_t n = 1; n <= 2 * SIZE_MAX_TESTED; n++)
        for (size_t m = 1; m <= 13; m += m < 8 ? 1 : 5)
            check_quantize(m, n, (n + m) % 2 != 0, QEFF_ACTIVATION_NONE);
}

TEST(quantize, takes_every_activation_on_the_way)
{
    (void)state_;
    for (int a = 0; a < QEFF_ACTIVATION_COUNT; a++)
        for (size_t n = 1; n <= SIZE_MAX_TESTED; n += 3)
            check_quantize(1 + n % 9, n, n % 2 != 0, (qeff_activation)a);
}

TEST(round_to_bf16, gives_the_same_bits_on_every_instruction_set)
{
    (void)state_;
    qeff_kernels kernels[PACKED_VARIANTS];
    const size_t n_variants = packed_variants(kernels);
    for (size_t n = 1; n <= SIZE_MAX_TESTED; n++) {
        float *x = numbers(n);
        uint16_t *expected = test_malloc((n + 1) / 2 * 4), *found = test_malloc((n + 1) / 2 * 4);
        if (n % 3 == 0) x[n / 2] = NAN;
        if (n % 3 == 1) x[n / 2] = -INFINITY;
        kernels[n_variants - 1].round_row_bf16(expected, x, n);
        for (size_t v = 0; v + 1 < n_variants; v++) {
            kernels[v].round_row_bf16(found, x, n);
            assert_memory_equal(found, expected, (n + 1) / 2 * 4);
        }
        test_free(x);
        test_free(expected);
        test_free(found);
    }
}

int main(void)
{
    seed = 1;
    const struct CMUnitTest tests[] = {
        RUN(gemm, agrees_with_scalar_for_every_width_and_height),
        RUN(gemm, agrees_with_scalar_for_every_epilogue),
        RUN(gemm, agrees_with_scalar_when_x_exceeds_the_cache),
        RUN(gemm, gives_each_row_the_same_bits_alone_and_among_others),
        RUN(gemm_i8, gives_the_same_sums_on_every_instruction_set),
        RUN(gemm_i8, adds_up_blocks_that_have_zeros_of_their_own),
        RUN(gemm_bf16, agrees_with_scalar_for_every_width_and_height),
        RUN(gemm_bf16, agrees_with_scalar_for_long_and_many_rows),
        RUN(packed_gemm, agrees_with_scalar_for_every_epilogue),
        RUN(quantize, gives_the_same_bits_on_every_instruction_set),
        RUN(quantize, takes_every_activation_on_the_way),
        RUN(round_to_bf16, gives_the_same_bits_on_every_instruction_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
