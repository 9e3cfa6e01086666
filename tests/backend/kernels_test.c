/* kernels_test.c - every variant of every kernel against scalar.c, on buffers of exactly the size
 * that the contract names (so that ASan sees a read past the end), for all small sizes; and the
 * rule that a row's bits depend on that row alone.
 *
 * Built twice: with the kernels of the library, at the levels that this machine has, and with
 * emulated instructions at all levels (emulated/).
 *
 * Tolerances, relative to the largest term of the sum an element is made of:
 *   attention         1e-5: means of values below 1, also where keys go by blocks, whose sums are
 * in another order than those of scalar.c
 *   attention_bf16    1e-2: what is rounded to bf16 is off by up to 2^-9 of itself, exponentials
 * by 2^-7
 *   rms norm          1e-6: squares are added in lanes, and none of them cancels
 *   layer norm        3e-6: sums of floats in lanes against sums of doubles
 *   activations       4e-7 absolute or 4e-7 relative, against double
 *   the rest          2e-6, exact where nothing is summed */
#include "kernel_variants.h"

/* --- attention ----------------------------------------------------------------------------------
 */

static void
check_attention(const qeff_kernels *kernels, size_t n_variants, size_t s, size_t t, size_t d)
{
    float *q = numbers((s - 1) * (d + 5) + d), *k = numbers((t - 1) * (d + 3) + d);
    float *v = numbers((t - 1) * (d + 1) + d), *y[3] = {NULL};
    for (size_t i = 0; i < n_variants; i++) {
        float *scratch = numbers(qeff_attention_scratch(t, d));
        y[i] = numbers(s * d);
        const qeff_attention a = {.n_queries = s,
                                  .n_keys = t,
                                  .head_dim = d,
                                  .q = q,
                                  .k = k,
                                  .v = v,
                                  .q_stride = d + 5,
                                  .k_stride = d + 3,
                                  .v_stride = d + 1,
                                  .scale = 1.7F,
                                  .y = y[i],
                                  .y_stride = d,
                                  .scratch = scratch};
        kernels[i].attention_f32(&a);
        test_free(scratch);
    }
    for (size_t i = 0; i + 1 < n_variants; i++)
        assert_close(y[n_variants - 1], y[i], s * d, 1e-5);
    for (size_t i = 0; i < n_variants; i++)
        test_free(y[i]);
    test_free(q);
    test_free(k);
    test_free(v);
}

TEST(attention, agrees_with_scalar_for_every_length_and_head_size)
{
    (void)state_;
    qeff_kernels kernels[3];
    const size_t n = variants(kernels);
    for (size_t t = 1; t <= SIZE_MAX_TESTED; t++) {
        check_attention(kernels, n, t, t, 32);
        check_attention(kernels, n, 1 + t % 7, t, 1 + t);
        check_attention(kernels, n, t, 1 + t % 19, 8 + t % 9);
    }
}

/* Queries of one head in one call, and each query in a call of its own. */
static void check_attention_alone(const qeff_kernels *kernels, size_t s, size_t t, size_t d)
{
    float *q = numbers(s * d), *k = numbers(t * d), *v = numbers(t * d);
    float *scratch = numbers(qeff_attention_scratch(t, d)), *all = numbers(s * d);
    float *one = numbers(d);
    qeff_attention a = {.n_queries = s,
                        .n_keys = t,
                        .head_dim = d,
                        .q = q,
                        .k = k,
                        .v = v,
                        .q_stride = d,
                        .k_stride = d,
                        .v_stride = d,
                        .scale = 0.3F,
                        .y = all,
                        .y_stride = d,
                        .scratch = scratch};
    kernels->attention_f32(&a);
    a.n_queries = 1;
    a.y = one;
    for (size_t i = 0; i < s; i++) {
        a.q = q + i * d;
        kernels->attention_f32(&a);
        assert_memory_equal(one, all + i * d, d * sizeof *one);
    }
    test_free(q);
    test_free(k);
    test_free(v);
    test_free(scratch);
    test_free(all);
    test_free(one);
}

TEST(attention, gives_each_query_the_same_bits_alone_and_among_others)
{
    (void)state_;
    qeff_kernels kernels[3];
    const size_t n = variants(kernels);
    for (size_t v = 0; v < n; v++)
        for (size_t t = 1; t <= 150; t += 1 + t / 3) {
            check_attention_alone(&kernels[v], t, t, 32);
            check_attention_alone(&kernels[v], 1 + 2 * t, t, 20 + t % 30);
        }
}

/* The first query alone, then all of them, into buffers of exactly their size. */
static void
check_attention_bf16(const qeff_kernels *kernels, size_t n_variants, size_t s, size_t t, size_t d)
{
    float *qkv = numbers(3 * t * d), *expected = numbers(s * d), *y = numbers(s * d);
    float *scratch = numbers(qeff_attention_scratch(t, d)), alone[80];
    qeff_attention a = {.n_queries = s,
                        .n_keys = t,
                        .head_dim = d,
                        .q = qkv,
                        .k = qkv + t * d,
                        .v = qkv + 2 * t * d,
                        .q_stride = d,
                        .k_stride = d,
                        .v_stride = d,
                        .scale = 0.3F,
                        .y = expected,
                        .y_stride = d,
                        .scratch = scratch};
    kernels[n_variants - 1].attention_f32(&a);
    a.y = y;
    for (size_t i = 0; i < n_variants; i++) {
        kernels[i].attention_bf16(&a);
        assert_close(expected, y, s * d, 1e-2);
        qeff_attention first = a;
        first.n_queries = 1;
        first.y = alone;
        kernels[i].attention_bf16(&first);
        assert_memory_equal(alone, y, d * sizeof *y);
    }
    test_free(qkv);
    test_free(expected);
    test_free(y);
    test_free(scratch);
}

TEST(attention, in_bf16_is_close_and_a_query_does_not_depend_on_others)
{
    (void)state_;
    static const size_t lengths[] = {1,  2,  3,  5,   16,  17,  31,  48,
                                     49, 79, 96, 113, 200, 511, 512, 513};
    static const size_t dims[9] = {1, 15, 16, 17, 32, 33, 48, 64, 80};
    qeff_kernels kernels[PACKED_VARIANTS];
    const size_t n = packed_variants(kernels);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths * 9; i++)
        check_attention_bf16(kernels, n, 1 + (lengths[i / 9] - 1) % 37, lengths[i / 9],
                             dims[i % 9]);
}

/* Lengths around the blocks' borders, and queries around their groups'. */
TEST(attention, agrees_with_scalar_where_keys_go_by_blocks)
{
    (void)state_;
    qeff_kernels kernels[3];
    const size_t n = variants(kernels);
    static const size_t lengths[] = {512, 513, 520, 528, 1024, 1025, 1041, 1537, 2100};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        check_attention(kernels, n, 1 + i * 3, lengths[i], 32);
        check_attention(kernels, n, 11, lengths[i], 5 + i * 9);
    }
    check_attention(kernels, n, 1030, 600, 8);
    check_attention(kernels, n, 700, 700, 20);
}

static qeff_attention make_long_attention(size_t t, size_t d)
{
    return (qeff_attention){.n_queries = t,
                            .n_keys = t,
                            .head_dim = d,
                            .q = numbers(t * d),
                            .k = numbers(t * d),
                            .v = numbers(t * d),
                            .q_stride = d,
                            .k_stride = d,
                            .v_stride = d,
                            .scale = 1.0F,
                            .y = numbers(t * d),
                            .y_stride = d,
                            .scratch = numbers(qeff_attention_scratch(t, d))};
}

static void free_long_attention(const qeff_attention *a)
{
    test_free((void *)(uintptr_t)a->q);
    test_free((void *)(uintptr_t)a->k);
    test_free((void *)(uintptr_t)a->v);
    test_free(a->y);
    test_free(a->scratch);
}

TEST(attention, by_blocks_gives_each_query_the_same_bits_alone)
{
    (void)state_;
    enum { T = 1100, D = 24 };
    qeff_kernels kernels[3];
    const size_t n_variants = variants(kernels);
    for (size_t v = 0; v < n_variants; v++) {
        const qeff_attention a = make_long_attention(T, D);
        kernels[v].attention_f32(&a);
        for (size_t row = 0; row < T; row += 37) {
            float alone[D];
            qeff_attention one = a;
            one.n_queries = 1;
            one.q += row * D;
            one.y = alone;
            kernels[v].attention_f32(&one);
            assert_memory_equal(alone, a.y + row * D, sizeof alone);
        }
        free_long_attention(&a);
    }
}

typedef void attention_variant(const qeff_attention *a);

static void assert_all_nan(const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_true(isnan(y[i]));
}

static void
check_extreme_scores(attention_variant *attention, size_t n_keys, size_t at, double tolerance)
{
    enum { D = 16 };
    qeff_attention a = make_long_attention(n_keys, D);
    float *k = copy(a.k, n_keys * D), *values = copy(a.v, n_keys * D);
    a.n_queries = 1;
    for (size_t i = 0; i < D; i++)
        k[at * D + i] = a.q[i] * 100.0F; /* far above the others: y is its value */
    qeff_attention b = a;
    b.k = k;
    attention(&b);
    assert_close(a.v + at * D, b.y, D, tolerance);
    k[at * D] = -INFINITY * a.q[0]; /* a score of -infinity does not count */
    values[at * D] = 1e30F;
    b.v = values;
    attention(&b);
    for (size_t i = 0; i < D; i++)
        assert_true(fabsf(b.y[i]) <= 1.0F);
    k[at * D] = INFINITY * a.q[0];
    attention(&b);
    assert_all_nan(b.y, D);
    k[at * D] = NAN;
    attention(&b);
    assert_all_nan(b.y, D);
    for (size_t i = 0; i < n_keys; i++)
        k[i * D] = -INFINITY * a.q[0];
    attention(&b);
    assert_all_nan(b.y, D);
    test_free(k);
    test_free(values);
    free_long_attention(&a);
}

/* With several blocks, the largest score is in the first, in a later one, or in none. */
TEST(attention, passes_extreme_scores_on)
{
    (void)state_;
    static const size_t lengths[] = {5, 20, 300, 1100};
    qeff_kernels kernels[3], packed[PACKED_VARIANTS];
    const size_t n = variants(kernels), n_packed = packed_variants(packed);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t at = 3; at < lengths[i]; at += 540) {
            for (size_t v = 0; v < n; v++)
                check_extreme_scores(kernels[v].attention_f32, lengths[i], at, 1e-6);
            for (size_t v = 0; v < n_packed; v++)
                check_extreme_scores(packed[v].attention_bf16, lengths[i], at, 1e-2);
        }
}

TEST(attention, takes_no_more_scratch_for_more_keys)
{
    (void)state_;
    assert_true(qeff_attention_scratch(8192, 32) == qeff_attention_scratch(513, 32));
    assert_true(qeff_attention_scratch(8192, 32) * sizeof(float) <= 256 << 10);
}

/* --- rows ---------------------------------------------------------------------------------------
 */

TEST(layer_norm, agrees_with_scalar_for_every_width)
{
    (void)state_;
    qeff_kernels kernels[3];
    const size_t n_variants = variants(kernels);
    for (size_t n = 1; n <= 400; n += n < SIZE_MAX_TESTED ? 1 : 57)
        for (int has_beta = 0; has_beta < 2; has_beta++) {
            float *x = numbers(n), *gamma = numbers(n), *beta = numbers(n), *y = numbers(n);
            const float eps = n == 1 ? 1.0F : 1e-5F;
            for (size_t i = 0; i < n; i++)
                x[i] += 3.0F; /* a mean far from zero */
            kernels[n_variants - 1].layer_norm_f32(y, x, gamma, has_beta ? beta : NULL, n, eps);
            for (size_t v = 0; v + 1 < n_variants; v++) {
                float *z = copy(x, n);
                kernels[v].layer_norm_f32(z, z, gamma, has_beta ? beta : NULL, n, eps);
                assert_close(y, z, n, n < 3 ? 2e-4 : 1e-5);
                test_free(z);
            }
            test_free(x);
            test_free(gamma);
            test_free(beta);
            test_free(y);
        }
}

TEST(rms_norm, agrees_with_scalar_for_every_width)
{
    (void)state_;
    qeff_kernels kernels[3];
    const size_t n_variants = variants(kernels);
    for (size_t n = 1; n <= 400; n += n < SIZE_MAX_TESTED ? 1 : 57) {
        float *x = numbers(n), *gamma = numbers(n), *y = numbers(n);
        kernels[n_variants - 1].rms_norm_f32(y, x, gamma, n, 1e-6F);
        for (size_t v = 0; v + 1 < n_variants; v++) {
            float *z = copy(x, n);
            kernels[v].rms_norm_f32(z, z, gamma, n, 1e-6F);
            assert_close(y, z, n, 1e-6);
            test_free(z);
        }
        test_free(x);
        test_free(gamma);
        test_free(y);
    }
}

TEST(softmax, agrees_with_scalar_for_every_width)
{
    (void)state_;
    qeff_kernels kernels[3];
    const size_t n_variants = variants(kernels);
    for (size_t n = 1; n <= SIZE_MAX_TESTED; n++) {
        float *x = numbers(n), *y = numbers(n);
        for (size_t i = 0; i < n; i++)
            x[i] *= 40.0F;
        kernels[n_variants - 1].softmax_f32(y, x, n);
        for (size_t v = 0; v + 1 < n_variants; v++) {
            float *z = copy(x, n);
            kernels[v].softmax_f32(z, z, n);
            assert_close(y, z, n, 1e-6);
            test_free(z);
        }
        test_free(x);
        test_free(y);
    }
}

static double exact_activation(double x, qeff_activation activation)
{
    switch (activation) {
    case QEFF_ACTIVATION_GELU_ERF:
        return 0.5 * x * (1.0 + erf(x * sqrt(0.5)));
    case QEFF_ACTIVATION_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case QEFF_ACTIVATION_RELU:
        return x > 0.0 ? x : 0.0;
    case QEFF_ACTIVATION_SILU:
        return x / (1.0 + exp(-x));
    case QEFF_ACTIVATION_TANH:
        return tanh(x);
    case QEFF_ACTIVATION_SIGMOID:
        return 1.0 / (1.0 + exp(-x));
    case QEFF_ACTIVATION_NONE:
    case QEFF_ACTIVATION_COUNT:
        break;
    }
    return x;
}

TEST(activation, is_within_4e7_of_the_formula)
{
    (void)state_;
    enum { N = 4001 };
    qeff_kernels kernels[3];
    const size_t n_variants = variants(kernels);
    float *x = numbers(N), *y = numbers(N);
    for (int scale = 1; scale <= 100; scale *= 10)
        for (int a = 0; a < QEFF_ACTIVATION_COUNT; a++)
            for (size_t v = 0; v < n_variants; v++) {
                for (size_t i = 0; i < N; i++)
                    x[i] = ((float)i / 2000.0F - 1.0F) * 9.0F * (float)scale;
                kernels[v].activate_f32(y, x, N, (qeff_activation)a);
                for (size_t i = 0; i < N; i++) {
                    const double exact = exact_activation((double)x[i], (qeff_activation)a);
                    const double bound = 4e-7 * fmax(1.0, fabs(exact));
                    if (!(fabs(exact - (double)y[i]) <= bound))
                        fail_msg("activation %d of %.9g: expected %.9g, found %.9g", a,
                                 (double)x[i], exact, (double)y[i]);
                }
            }
    test_free(x);
    test_free(y);
}

TEST(activation, passes_nan_and_infinity_on)
{
    (void)state_;
    qeff_kernels kernels[3];
    const size_t n_variants = variants(kernels);
    for (size_t v = 0; v < n_variants; v++)
        for (int a = 0; a < QEFF_ACTIVATION_COUNT; a++) {
            if (a == QEFF_ACTIVATION_NONE) continue;
            const float x[2] = {NAN, INFINITY};
            float y[2] = {0, 0};
            kernels[v].activate_f32(y, x, 2, (qeff_activation)a);
            assert_true(isnan(y[0]));
            if (a == QEFF_ACTIVATION_TANH || a == QEFF_ACTIVATION_SIGMOID)
                assert_true(y[1] == 1.0F);
            else
                assert_true(isinf(y[1]));
        }
}

TEST(activation, agrees_with_scalar_for_every_width)
{
    (void)state_;
    qeff_kernels kernels[3];
    const size_t n_variants = variants(kernels);
    for (int a = 0; a < QEFF_ACTIVATION_COUNT; a++)
        for (size_t n = 1; n <= SIZE_MAX_TESTED; n++) {
            float *x = numbers(n), *y = numbers(n);
            kernels[n_variants - 1].activate_f32(y, x, n, (qeff_activation)a);
            for (size_t v = 0; v + 1 < n_variants; v++) {
                float *z = copy(x, n);
                kernels[v].activate_f32(z, z, n, (qeff_activation)a);
                assert_close(y, z, n, 4e-7);
                test_free(z);
            }
            test_free(x);
            test_free(y);
        }
}

TEST(arithmetic, is_exact_for_every_width)
{
    (void)state_;
    qeff_kernels kernels[3];
    const size_t n_variants = variants(kernels);
    for (int operation = 0; operation < QEFF_ARITHMETIC_COUNT; operation++)
        for (size_t n = 1; n <= SIZE_MAX_TESTED; n++) {
            float *a = numbers(n), *b = numbers(n), *y = numbers(n);
            kernels[n_variants - 1].arithmetic_f32(y, a, b, n, (qeff_arithmetic)operation);
            for (size_t v = 0; v + 1 < n_variants; v++) {
                float *z = copy(a, n);
                kernels[v].arithmetic_f32(z, z, b, n, (qeff_arithmetic)operation);
                assert_memory_equal(y, z, n * sizeof *y);
                test_free(z);
            }
            test_free(a);
            test_free(b);
            test_free(y);
        }
}

TEST(add_row, is_exact_for_every_dtype_and_width)
{
    (void)state_;
    static const qeff_dtype dtypes[] = {QEFF_DTYPE_F32, QEFF_DTYPE_F16, QEFF_DTYPE_BF16};
    qeff_kernels kernels[3];
    const size_t n_variants = variants(kernels);
    for (size_t n = 1; n <= SIZE_MAX_TESTED; n++)
        for (size_t d = 0; d < 3; d++)
            for (int is_first = 0; is_first < 2; is_first++) {
                float *row = numbers(n), *x = numbers(n);
                float *y = copy(x, n);
                const size_t bytes = n * qeff_dtype_size(dtypes[d]);
                uint16_t *packed = test_malloc(bytes);
                if (dtypes[d] == QEFF_DTYPE_F32) memcpy(packed, row, bytes);
                for (size_t i = 0; i < n && dtypes[d] != QEFF_DTYPE_F32; i++)
                    packed[i] = qeff_f32_to_f16(row[i]);
                kernels[n_variants - 1].add_row_f32(y, packed, n, dtypes[d], is_first != 0);
                for (size_t v = 0; v + 1 < n_variants; v++) {
                    float *z = copy(x, n);
                    kernels[v].add_row_f32(z, packed, n, dtypes[d], is_first != 0);
                    assert_memory_equal(y, z, n * sizeof *y);
                    test_free(z);
                }
                test_free(packed);
                test_free(row);
                test_free(x);
                test_free(y);
            }
}

TEST(pool, agrees_with_scalar_for_every_mode_and_width)
{
    (void)state_;
    static const int32_t positions[] = {0, 2, 3, 7, 9};
    qeff_kernels kernels[3];
    const size_t n_variants = variants(kernels);
    for (int mode = 0; mode < QEFF_POOL_COUNT; mode++)
        for (size_t n = 1; n <= SIZE_MAX_TESTED; n++) {
            const size_t rows = 1 + n % 5;
            float *x = numbers((rows - 1) * (n + 3) + n), *y = numbers(n), *z = numbers(n);
            const qeff_pool p = {.mode = (qeff_pool_mode)mode,
                                 .n_rows = rows,
                                 .n = n,
                                 .x = x,
                                 .x_stride = n + 3,
                                 .positions = positions};
            kernels[n_variants - 1].pool_f32(y, &p);
            for (size_t v = 0; v + 1 < n_variants; v++) {
                kernels[v].pool_f32(z, &p);
                assert_close(y, z, n, 2e-6);
            }
            test_free(x);
            test_free(y);
            test_free(z);
        }
}

TEST(l2_normalize, agrees_with_scalar_and_keeps_zero)
{
    (void)state_;
    qeff_kernels kernels[3];
    const size_t n_variants = variants(kernels);
    for (size_t n = 1; n <= SIZE_MAX_TESTED; n++) {
        float *x = numbers(n), *y = numbers(n);
        kernels[n_variants - 1].l2_normalize_f32(y, x, n, 1e-12F);
        for (size_t v = 0; v + 1 < n_variants; v++) {
            float *z = copy(x, n), *zeros = copy(x, n);
            kernels[v].l2_normalize_f32(z, z, n, 1e-12F);
            assert_close(y, z, n, 1e-6);
            for (size_t i = 0; i < n; i++)
                zeros[i] = 0.0F;
            kernels[v].l2_normalize_f32(z, zeros, n, 1e-12F);
            assert_memory_equal(z, zeros, n * sizeof *z);
            test_free(z);
            test_free(zeros);
        }
        test_free(x);
        test_free(y);
    }
}

TEST(kernels, are_all_there_at_every_level)
{
    (void)state_;
    for (unsigned flags = 0; flags < 32; flags++) {
        const qeff_kernels k = qeff_kernels_for(flags);
#define KERNEL(name, parameters) assert_non_null(k.name);
#include "backend/cpu/kernels/kernels.def"
#undef KERNEL
    }
}

int main(void)
{
    seed = 1;
    const struct CMUnitTest tests[] = {
        RUN(kernels, are_all_there_at_every_level),
        RUN(attention, agrees_with_scalar_for_every_length_and_head_size),
        RUN(attention, in_bf16_is_close_and_a_query_does_not_depend_on_others),
        RUN(attention, gives_each_query_the_same_bits_alone_and_among_others),
        RUN(attention, agrees_with_scalar_where_keys_go_by_blocks),
        RUN(attention, by_blocks_gives_each_query_the_same_bits_alone),
        RUN(attention, passes_extreme_scores_on),
        RUN(attention, takes_no_more_scratch_for_more_keys),
        RUN(layer_norm, agrees_with_scalar_for_every_width),
        RUN(rms_norm, agrees_with_scalar_for_every_width),
        RUN(softmax, agrees_with_scalar_for_every_width),
        RUN(activation, is_within_4e7_of_the_formula),
        RUN(activation, passes_nan_and_infinity_on),
        RUN(activation, agrees_with_scalar_for_every_width),
        RUN(arithmetic, is_exact_for_every_width),
        RUN(add_row, is_exact_for_every_dtype_and_width),
        RUN(pool, agrees_with_scalar_for_every_mode_and_width),
        RUN(l2_normalize, agrees_with_scalar_and_keeps_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
