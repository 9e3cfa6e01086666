/* recompose_test.c - composites out of what other exporters write, and patterns that only look like
 * one. Our own export is in round_trip_test.c. */
#include "graph/support.h"

#include "base/span.h"
#include "graph/op.h"
#include "transforms/transforms.h"

#include <stdlib.h>

#define F32 QEFF_DTYPE_F32
#define I64 QEFF_DTYPE_I64

static qeff_builder *b; /* of the test that runs */

static int begin(void **state)
{
    (void)state;
    b = test_builder(NULL);
    return 0;
}

/* What the pass makes of the graph with the output y, from its first node on. */
static void gives(qeff_value y, const char *from, const char *expected)
{
    qeff_error err = {0};
    qeff_graph *in = NULL, *out = NULL;
    qb_output(b, "y", y);
    ASSERT_OK(qb_finish(b, &in, &err));
    ASSERT_OK(qeff_transform_recompose(in, &out, &err));
    test_expect_text_from(out, from, expected);
    qeff_graph_destroy(in);
    qeff_graph_destroy(out);
}

/* How many nodes of the op there are after the pass. */
static size_t count_of(qeff_op op, qeff_value y)
{
    qeff_error err = {0};
    size_t n = 0;
    qeff_graph *in = NULL, *out = NULL;
    qb_output(b, "y", y);
    ASSERT_OK(qb_finish(b, &in, &err));
    ASSERT_OK(qeff_transform_recompose(in, &out, &err));
    for (size_t i = 0; i < out->n_nodes; i++)
        n += out->nodes[i].op == op;
    qeff_graph_destroy(in);
    qeff_graph_destroy(out);
    return n;
}

static qeff_value
with(qeff_op op, const qeff_value *inputs, size_t n, const qeff_attribute *a, size_t n_attributes)
{
    return qb_node(b, op, NULL, inputs, n, a, n_attributes);
}

static qeff_value two(qeff_op op, qeff_value x, qeff_value y)
{
    return qb_binary(b, op, x, y);
}

static qeff_value transposed(qeff_value x, const int64_t *perm, size_t n)
{
    const qeff_attribute attribute = QEFF_ATTR_INTS("perm", perm, n);
    return with(QEFF_OP_TRANSPOSE, &x, 1, &attribute, 1);
}

static qeff_value reshaped(qeff_value x, const int64_t *shape, size_t n)
{
    const qeff_value target = qb_ints(b, shape, n);
    return two(QEFF_OP_RESHAPE, x, target);
}

/* --- linear -------------------------------------------------------------------------------------
 */

TEST(linear, takes_back_a_weight_that_was_transposed_before)
{
    (void)state_;
    static const float weight[] = {1, 2, 3, 4, 5, 6};
    static const int64_t shape[] = {2, 3}, three = 3;
    const qeff_value x = test_input(b, F32, "B,2");
    const qeff_value w = qb_constant(b, "w", F32, 2, shape, weight);
    const qeff_value bias = qb_constant(b, "bias", F32, 1, &three, weight);
    const qeff_value product = two(QEFF_OP_MATMUL, x, w);
    const qeff_value sum[] = {bias, product};
    gives(qb_node(b, QEFF_OP_ADD, "dense", sum, 2, NULL, 0), "weight",
          "weight w: f32 [3, 2] = {1, 4, 2, 5, 3, 6}\n"
          "weight bias: f32 [3] = {1, 2, 3}\n"
          "dense: f32 [B, 3] = linear(x0, w, bias)\n"
          "output y = dense\n");
}

TEST(linear, transposes_a_weight_once_for_all_its_uses)
{
    (void)state_;
    const qeff_value x = test_input(b, F32, "B,16"), w = test_zeros(b, "w", F32, "16,16");
    const qeff_value h = two(QEFF_OP_MATMUL, x, w);
    gives(two(QEFF_OP_MATMUL, h, w), "weight",
          "weight w: f32 [16, 16]\n"
          "matmul: f32 [B, 16] = linear(x0, w)\n"
          "matmul_1: f32 [B, 16] = linear(matmul, w)\n"
          "output y = matmul_1\n");
}

TEST(linear, comes_out_of_gemm)
{
    (void)state_;
    const qeff_value inputs[] = {test_input(b, F32, "B,2"), test_zeros(b, "w", F32, "9,2"),
                                 test_zeros(b, "bias", F32, "9")};
    const qeff_attribute by_rows = QEFF_ATTR_INT("transB", 1);
    const qeff_value h = with(QEFF_OP_GEMM, inputs, 3, &by_rows, 1);
    const qeff_value back[] = {h, inputs[1]};
    gives(with(QEFF_OP_GEMM, back, 2, NULL, 0), "gemm",
          "gemm: f32 [B, 9] = linear(x0, w, bias)\n"
          "gemm_1: f32 [B, 2] = linear(gemm, w_1)\n"
          "output y = gemm_1\n");
}

TEST(linear, is_not_a_product_of_two_results_nor_a_scaled_one)
{
    (void)state_;
    const qeff_value x = test_input(b, F32, "4,4");
    assert_int_equal(count_of(QEFF_OP_LINEAR, two(QEFF_OP_MATMUL, x, x)), 0);
    b = test_builder(NULL);
    const qeff_value inputs[] = {test_input(b, F32, "B,4"), test_zeros(b, "w", F32, "4,4")};
    const qeff_attribute twice = QEFF_ATTR_FLOAT("alpha", 2);
    assert_int_equal(count_of(QEFF_OP_LINEAR, with(QEFF_OP_GEMM, inputs, 2, &twice, 1)), 0);
}

TEST(linear, keeps_an_addend_that_is_no_bias)
{
    (void)state_;
    const qeff_value x = test_input(b, F32, "B,4"), w = test_zeros(b, "w", F32, "4,4");
    const qeff_value h = two(QEFF_OP_MATMUL, x, w);
    gives(two(QEFF_OP_ADD, h, x), "matmul",
          "matmul: f32 [B, 4] = linear(x0, w)\n"
          "add: f32 [B, 4] = add(matmul, x0)\n"
          "output y = add\n");
}

/* --- activations --------------------------------------------------------------------------------
 */

static qeff_value scaled(qeff_value x, float factor)
{
    const qeff_value constant = qb_scalar_f32(b, factor);
    return two(QEFF_OP_MUL, constant, x);
}

static qeff_value plus_one(qeff_value x)
{
    const qeff_value one = qb_scalar_f32(b, 1);
    return two(QEFF_OP_ADD, one, x);
}

TEST(gelu, is_found_in_any_order_of_its_factors)
{
    (void)state_;
    for (int order = 0; order < 3; order++) {
        if (order) b = test_builder(NULL);
        const qeff_value x = test_input(b, F32, "B,4");
        const qeff_value inner = scaled(x, 0.70710678f);
        const qeff_value erf = qb_unary(b, QEFF_OP_ERF, inner);
        const qeff_value gate = plus_one(erf);
        qeff_value y = QEFF_VALUE_NONE;
        if (order == 0) {
            const qeff_value product = two(QEFF_OP_MUL, gate, x);
            y = scaled(product, 0.5f);
        } else if (order == 1) {
            const qeff_value half = scaled(x, 0.5f);
            y = two(QEFF_OP_MUL, half, gate);
        } else {
            const qeff_value half = scaled(gate, 0.5f);
            y = two(QEFF_OP_MUL, x, half);
        }
        assert_int_equal(count_of(QEFF_OP_GELU, y), 1);
    }
}

TEST(gelu, by_tanh_is_found_with_a_power_and_in_the_short_form)
{
    (void)state_;
    const qeff_value x = test_input(b, F32, "B,4");
    const qeff_value three = qb_scalar_f32(b, 3);
    const qeff_value cube = two(QEFF_OP_POW, x, three);
    const qeff_value small = scaled(cube, 0.044715f);
    const qeff_value sum = two(QEFF_OP_ADD, x, small);
    const qeff_value argument = scaled(sum, 0.79788458f);
    const qeff_value tanh = qb_unary(b, QEFF_OP_TANH, argument);
    const qeff_value gate = plus_one(tanh);
    const qeff_value half = scaled(x, 0.5f);
    gives(two(QEFF_OP_MUL, half, gate), "mul",
          "mul_3: f32 [B, 4] = gelu(x0) approximate=\"tanh\"\noutput y = mul_3\n");

    b = test_builder(NULL);
    const qeff_value z = test_input(b, F32, "B,4");
    const qeff_value kz = scaled(z, 0.044715f);
    const qeff_value kzz = two(QEFF_OP_MUL, kz, z);
    const qeff_value slope = plus_one(kzz);
    const qeff_value bz = scaled(z, 0.79788458f);
    const qeff_value inner = two(QEFF_OP_MUL, bz, slope);
    const qeff_value short_tanh = qb_unary(b, QEFF_OP_TANH, inner);
    const qeff_value short_gate = plus_one(short_tanh);
    const qeff_value half_z = scaled(z, 0.5f);
    assert_int_equal(count_of(QEFF_OP_GELU, two(QEFF_OP_MUL, half_z, short_gate)), 1);
}

TEST(gelu, needs_its_constants)
{
    (void)state_;
    const qeff_value x = test_input(b, F32, "B,4");
    const qeff_value inner = scaled(x, 0.7f);
    const qeff_value erf = qb_unary(b, QEFF_OP_ERF, inner);
    const qeff_value gate = plus_one(erf);
    const qeff_value product = two(QEFF_OP_MUL, x, gate);
    assert_int_equal(count_of(QEFF_OP_GELU, scaled(product, 0.5f)), 0);
}

TEST(silu, is_x_times_its_sigmoid)
{
    (void)state_;
    const qeff_value x = test_input(b, F32, "B,4"), other = test_input(b, F32, "B,4");
    const qeff_value gate = qb_unary(b, QEFF_OP_SIGMOID, x);
    const qeff_value silu = two(QEFF_OP_MUL, gate, x);
    gives(two(QEFF_OP_MUL, other, gate), "sigmoid",
          "sigmoid: f32 [B, 4] = sigmoid(x0)\n"
          "mul_1: f32 [B, 4] = mul(x1, sigmoid)\n"
          "output y = mul_1\n");
    (void)silu;
    b = test_builder(NULL);
    const qeff_value z = test_input(b, F32, "B,4");
    assert_int_equal(count_of(QEFF_OP_SILU, two(QEFF_OP_MUL, z, qb_unary(b, QEFF_OP_SIGMOID, z))),
                     1);
}

/* --- norms --------------------------------------------------------------------------------------
 */

static qeff_value mean_of(qeff_value x, int64_t axis)
{
    const qeff_attribute axes = QEFF_ATTR_INTS("axes", &axis, 1);
    return with(QEFF_OP_REDUCE_MEAN, &x, 1, &axes, 1);
}

static qeff_value norm_of_parts(qeff_value x, int64_t axis, bool by_power)
{
    const qeff_value mean = mean_of(x, axis);
    const qeff_value d = two(QEFF_OP_SUB, x, mean);
    const qeff_value exponent = qb_scalar_f32(b, 2);
    const qeff_value square = by_power ? two(QEFF_OP_POW, d, exponent) : two(QEFF_OP_MUL, d, d);
    const qeff_value variance = mean_of(square, axis);
    const qeff_value eps = qb_scalar_f32(b, 1e-5f);
    const qeff_value sum = two(QEFF_OP_ADD, variance, eps);
    const qeff_value root = qb_unary(b, QEFF_OP_SQRT, sum);
    const qeff_value normal = two(QEFF_OP_DIV, d, root);
    const qeff_value scale = test_zeros(b, "scale", F32, "20");
    const qeff_value bias = test_zeros(b, "bias", F32, "20");
    const qeff_value product = two(QEFF_OP_MUL, normal, scale);
    return two(QEFF_OP_ADD, product, bias);
}

TEST(layer_norm, comes_out_of_means)
{
    (void)state_;
    gives(norm_of_parts(test_input(b, F32, "B,T,20"), -1, true), "weight",
          "weight scale: f32 [20]\n"
          "weight bias: f32 [20]\n"
          "add_1: f32 [B, T, 20] = layer_norm(x0, scale, bias) axis=-1 epsilon=1e-05\n"
          "output y = add_1\n");
    b = test_builder(NULL);
    assert_int_equal(
        count_of(QEFF_OP_LAYER_NORM, norm_of_parts(test_input(b, F32, "B,T,20"), 2, false)), 1);
}

TEST(layer_norm, is_not_over_another_axis)
{
    (void)state_;
    assert_int_equal(
        count_of(QEFF_OP_LAYER_NORM, norm_of_parts(test_input(b, F32, "B,20,20"), 1, true)), 0);
}

/* The ways to divide by the root: x / root, x (1 / root), x reciprocal(root). */
static qeff_value rms_norm_of_parts(qeff_value x, qeff_value mean, int way, bool is_scale_first)
{
    const qeff_value eps = qb_scalar_f32(b, 1e-6f);
    const qeff_value root = qb_unary(b, QEFF_OP_SQRT, two(QEFF_OP_ADD, mean, eps));
    const qeff_value scale = test_zeros(b, "scale", F32, "20");
    qeff_value y = QEFF_VALUE_NONE;
    if (way == 0) y = two(QEFF_OP_DIV, x, root);
    if (way == 1) {
        const qeff_value one = qb_scalar_f32(b, 1.0f);
        y = two(QEFF_OP_MUL, x, two(QEFF_OP_DIV, one, root));
    }
    if (way == 2) y = two(QEFF_OP_MUL, qb_unary(b, QEFF_OP_RECIPROCAL, root), x);
    return is_scale_first ? two(QEFF_OP_MUL, scale, y) : two(QEFF_OP_MUL, y, scale);
}

TEST(rms_norm, comes_out_of_a_mean_of_squares)
{
    (void)state_;
    qeff_value x = test_input(b, F32, "B,T,20");
    const qeff_value exponent = qb_scalar_f32(b, 2);
    const qeff_value square = two(QEFF_OP_POW, x, exponent);
    gives(rms_norm_of_parts(x, mean_of(square, -1), 1, true), "weight",
          "weight scale: f32 [20]\n"
          "mul_1: f32 [B, T, 20] = rms_norm(x0, scale) epsilon=1e-06\n"
          "output y = mul_1\n");
    for (int way = 0; way < 3; way++)
        for (int is_scale_first = 0; is_scale_first < 2; is_scale_first++) {
            b = test_builder(NULL);
            x = test_input(b, F32, "B,T,20");
            const qeff_value mean = mean_of(two(QEFF_OP_MUL, x, x), 2);
            assert_int_equal(
                count_of(QEFF_OP_RMS_NORM, rms_norm_of_parts(x, mean, way, is_scale_first != 0)),
                1);
        }
}

TEST(rms_norm, is_neither_over_another_axis_nor_of_another_value)
{
    (void)state_;
    qeff_value x = test_input(b, F32, "B,20,20");
    assert_int_equal(count_of(QEFF_OP_RMS_NORM,
                              rms_norm_of_parts(x, mean_of(two(QEFF_OP_MUL, x, x), 1), 0, true)),
                     0);
    b = test_builder(NULL);
    x = test_input(b, F32, "B,T,20");
    const qeff_value other = test_input(b, F32, "B,T,20");
    assert_int_equal(
        count_of(QEFF_OP_RMS_NORM,
                 rms_norm_of_parts(x, mean_of(two(QEFF_OP_MUL, other, other), 2), 0, true)),
        0);
}

TEST(l2_normalize, may_have_its_divisor_expanded)
{
    (void)state_;
    static const int64_t axes[] = {1};
    const qeff_value x = test_input(b, F32, "B,4");
    const qeff_attribute reduce[] = {QEFF_ATTR_INTS("axes", axes, 1), QEFF_ATTR_INT("keepdims", 1)};
    const qeff_value norm = with(QEFF_OP_REDUCE_L2, &x, 1, reduce, 2);
    const qeff_value eps = qb_scalar_f32(b, 1e-12f);
    const qeff_value bounded = two(QEFF_OP_MAX, norm, eps);
    const qeff_value shape = qb_unary(b, QEFF_OP_SHAPE, x);
    const qeff_value wide = two(QEFF_OP_EXPAND, bounded, shape);
    gives(two(QEFF_OP_DIV, x, wide), "div",
          "div: f32 [B, 4] = l2_normalize(x0) epsilon=1e-12\noutput y = div\n");
}

/* --- attention ----------------------------------------------------------------------------------
 */

typedef struct attention_form {
    float scale_scores, scale_q, scale_k; /* factors; 0: none */
    bool divides, swaps_keys, expands_mask, selects_mask;
    float lowest;
    int64_t perm_q[4];
} attention_form;

static qeff_value heads_of(qeff_value x, const int64_t perm[4])
{
    static const int64_t shape[] = {0, 0, 2, 4};
    return transposed(reshaped(x, shape, 4), perm, 4);
}

static qeff_value keys_of(qeff_value x, const attention_form *form)
{
    static const int64_t heads[] = {0, 2, 1, 3}, swap[] = {0, 1, 3, 2}, both[] = {0, 2, 3, 1};
    return form->swaps_keys ? transposed(heads_of(x, heads), swap, 4) : heads_of(x, both);
}

static qeff_value bias_of(qeff_value mask, const attention_form *form)
{
    static const int64_t axes[] = {1, 2};
    const qeff_attribute to_float = QEFF_ATTR_INT("to", 1), to_bool = QEFF_ATTR_INT("to", 9);
    const qeff_value wide = two(QEFF_OP_UNSQUEEZE, mask, qb_ints(b, axes, 2));
    const qeff_value number = with(QEFF_OP_CAST, &wide, 1, &to_float, 1);
    const qeff_value one = qb_scalar_f32(b, 1);
    const qeff_value inverted = two(QEFF_OP_SUB, one, number);
    const qeff_value lowest = qb_scalar_f32(b, form->lowest);
    if (form->selects_mask) {
        const qeff_value flag = with(QEFF_OP_CAST, &inverted, 1, &to_bool, 1);
        const qeff_value inputs[] = {flag, lowest, inverted};
        return with(QEFF_OP_WHERE, inputs, 3, NULL, 0);
    }
    return two(QEFF_OP_MUL, inverted, lowest);
}

static qeff_value attention_of(const attention_form *form)
{
    static const int64_t heads[] = {0, 2, 1, 3}, merged[] = {0, 0, 8};
    const qeff_value q = test_input(b, F32, "B,T,8"), k = test_input(b, F32, "B,T,8");
    const qeff_value v = test_input(b, F32, "B,T,8"), mask = test_input(b, I64, "B,T");
    qeff_value qh = heads_of(q, form->perm_q[1] ? form->perm_q : heads);
    qeff_value kh = keys_of(k, form);
    const qeff_value vh = heads_of(v, heads);
    if (form->scale_q != 0) qh = scaled(qh, form->scale_q);
    if (form->scale_k != 0) kh = scaled(kh, form->scale_k);
    qeff_value scores = two(QEFF_OP_MATMUL, qh, kh);
    const qeff_value by = qb_scalar_f32(b, form->scale_scores);
    if (form->scale_scores != 0)
        scores = two(form->divides ? QEFF_OP_DIV : QEFF_OP_MUL, scores, by);
    qeff_value bias = bias_of(mask, form);
    if (form->expands_mask) {
        const qeff_value shape = qb_unary(b, QEFF_OP_SHAPE, scores);
        static const int64_t batch_and_last[] = {0, 2, 3};
        const qeff_value parts = two(QEFF_OP_GATHER, shape, qb_ints(b, batch_and_last, 3));
        bias = two(QEFF_OP_EXPAND, bias, parts); /* [B, T, T] aligned at the end */
    }
    scores = two(QEFF_OP_ADD, scores, bias);
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 3);
    const qeff_value weights = with(QEFF_OP_SOFTMAX, &scores, 1, &axis, 1);
    const qeff_value context = two(QEFF_OP_MATMUL, weights, vh);
    const qeff_value rows = transposed(context, heads, 4);
    return reshaped(rows, merged, 3);
}

static void expect_attention(const attention_form *form, const char *scale)
{
    char expected[200];
    (void)snprintf(expected, sizeof expected,
                   "reshape_3: f32 [B, T, 8] = attention(x0, x1, x2, x3) n_heads=2 scale=%s\n"
                   "output y = reshape_3\n",
                   scale);
    gives(attention_of(form), "reshape_3", expected);
    b = test_builder(NULL);
}

TEST(attention, is_found_with_its_scale_in_any_place)
{
    (void)state_;
    expect_attention(&(attention_form){.scale_scores = 2, .divides = true, .lowest = -1e4f}, "0.5");
    expect_attention(&(attention_form){.scale_scores = 0.5f, .lowest = -65504}, "0.5");
    expect_attention(&(attention_form){.scale_q = 0.25f, .lowest = -3.4e38f}, "0.25");
    expect_attention(&(attention_form){.scale_q = 0.5f, .scale_k = 0.5f, .lowest = -3.4e38f},
                     "0.25");
    expect_attention(&(attention_form){.lowest = -1e4f}, "1");
    qb_destroy(b);
}

TEST(attention, is_found_with_swapped_keys_and_a_mask_by_selection)
{
    (void)state_;
    expect_attention(&(attention_form){.swaps_keys = true, .lowest = -1e4f}, "1");
    expect_attention(
        &(attention_form){
            .swaps_keys = true, .scale_k = 0.5f, .selects_mask = true, .lowest = -1e9f},
        "0.5");
    qb_destroy(b);
}

TEST(attention, is_not_found_with_a_weak_mask_or_other_heads)
{
    (void)state_;
    const attention_form weak = {.lowest = -1};
    assert_int_equal(count_of(QEFF_OP_ATTENTION, attention_of(&weak)), 0);
    b = test_builder(NULL);
    const attention_form aligned = {.expands_mask = true, .lowest = -1e4f};
    (void)aligned; /* B and T do not line up: the builder itself would see a free dim */
    static const int64_t other[] = {0, 2, 3, 1};
    const qeff_value x = test_input(b, F32, "B,4,8");
    assert_int_equal(count_of(QEFF_OP_ATTENTION, heads_of(x, other)), 0);
}

/* --- position ids -------------------------------------------------------------------------------
 */

static qeff_value positions_of(const int64_t table[4])
{
    static const int64_t shape[] = {1, 4}, zero[] = {0}, one[] = {1};
    const qeff_value ids = test_input(b, I64, "B,T");
    const qeff_value buffer = qb_constant(b, "buffer", I64, 2, shape, table);
    const qeff_value sizes = qb_unary(b, QEFF_OP_SHAPE, ids);
    const qeff_value index = qb_constant(b, NULL, I64, 0, NULL, one);
    const qeff_value length = two(QEFF_OP_GATHER, sizes, index);
    const qeff_value first_axis = qb_ints(b, zero, 1), axis = qb_ints(b, one, 1);
    const qeff_value stop = two(QEFF_OP_UNSQUEEZE, length, first_axis);
    const qeff_value inputs[] = {buffer, first_axis, stop, axis, axis};
    return with(QEFF_OP_SLICE, inputs, 5, NULL, 0);
}

TEST(position_ids, are_a_table_that_counts_up)
{
    (void)state_;
    static const int64_t counts[] = {0, 1, 2, 3}, shuffled[] = {0, 1, 3, 2};
    gives(positions_of(counts), "slice",
          "slice: i64 [1, T] = position_ids(x0) n_positions=4\noutput y = slice\n");
    b = test_builder(NULL);
    assert_int_equal(count_of(QEFF_OP_POSITION_IDS, positions_of(shuffled)), 0);
}

/* --- pooling ------------------------------------------------------------------------------------
 */

static qeff_value sum_over_tokens(qeff_value x)
{
    static const int64_t axes[] = {1};
    const qeff_value inputs[] = {x, qb_ints(b, axes, 1)};
    const qeff_attribute keepdims = QEFF_ATTR_INT("keepdims", 0);
    return with(QEFF_OP_REDUCE_SUM, inputs, 2, &keepdims, 1);
}

/* As sentence-transformers writes it: the mask as wide as x. */
static qeff_value wide_mean(float floor)
{
    static const int64_t axes[] = {-1};
    const qeff_value x = test_input(b, F32, "B,T,4"), mask = test_input(b, I64, "B,T");
    const qeff_attribute to_float = QEFF_ATTR_INT("to", 1);
    const qeff_value column = two(QEFF_OP_UNSQUEEZE, mask, qb_ints(b, axes, 1));
    const qeff_value shape = qb_unary(b, QEFF_OP_SHAPE, x);
    const qeff_value wide = two(QEFF_OP_EXPAND, column, shape);
    const qeff_value weight = with(QEFF_OP_CAST, &wide, 1, &to_float, 1);
    const qeff_value product = two(QEFF_OP_MUL, x, weight);
    const qeff_value sum = sum_over_tokens(product);
    const qeff_value count = sum_over_tokens(weight);
    const qeff_value low = qb_scalar_f32(b, floor);
    const qeff_value bounded = two(QEFF_OP_CLIP, count, low);
    return two(QEFF_OP_DIV, sum, bounded);
}

TEST(pool, takes_the_mean_with_an_expanded_mask)
{
    (void)state_;
    gives(wide_mean(1e-9f), "div",
          "div: f32 [B, 4] = pool(x0, x1) mode=\"mean\"\noutput y = div\n");
    b = test_builder(NULL);
    assert_int_equal(count_of(QEFF_OP_POOL, wide_mean(1e-3f)), 0);
}

/* --- short weights ------------------------------------------------------------------------------
 */

TEST(casts, of_short_weights_go)
{
    (void)state_;
    const qeff_attribute to_float = QEFF_ATTR_INT("to", 1);
    const qeff_value x = test_input(b, F32, "B,4");
    const qeff_value w = test_zeros(b, "w", QEFF_DTYPE_F16, "4");
    const qeff_value cast = with(QEFF_OP_CAST, &w, 1, &to_float, 1);
    gives(two(QEFF_OP_ADD, x, cast), "add", "add: f32 [B, 4] = add(x0, w)\noutput y = add\n");
}

TEST(casts, of_results_stay)
{
    (void)state_;
    const qeff_attribute to_float = QEFF_ATTR_INT("to", 1);
    const qeff_value x = test_input(b, QEFF_DTYPE_F16, "B,4");
    assert_int_equal(count_of(QEFF_OP_CAST, with(QEFF_OP_CAST, &x, 1, &to_float, 1)), 1);
}

#define IN_BUILDER(subject, statement) cmocka_unit_test_setup(subject##__##statement, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BUILDER(linear, takes_back_a_weight_that_was_transposed_before),
        IN_BUILDER(linear, transposes_a_weight_once_for_all_its_uses),
        IN_BUILDER(linear, comes_out_of_gemm),
        IN_BUILDER(linear, is_not_a_product_of_two_results_nor_a_scaled_one),
        IN_BUILDER(linear, keeps_an_addend_that_is_no_bias),
        IN_BUILDER(gelu, is_found_in_any_order_of_its_factors),
        IN_BUILDER(gelu, by_tanh_is_found_with_a_power_and_in_the_short_form),
        IN_BUILDER(gelu, needs_its_constants),
        IN_BUILDER(silu, is_x_times_its_sigmoid),
        IN_BUILDER(layer_norm, comes_out_of_means),
        IN_BUILDER(layer_norm, is_not_over_another_axis),
        IN_BUILDER(rms_norm, comes_out_of_a_mean_of_squares),
        IN_BUILDER(rms_norm, is_neither_over_another_axis_nor_of_another_value),
        IN_BUILDER(l2_normalize, may_have_its_divisor_expanded),
        IN_BUILDER(attention, is_found_with_its_scale_in_any_place),
        IN_BUILDER(attention, is_found_with_swapped_keys_and_a_mask_by_selection),
        IN_BUILDER(attention, is_not_found_with_a_weak_mask_or_other_heads),
        IN_BUILDER(position_ids, are_a_table_that_counts_up),
        IN_BUILDER(pool, takes_the_mean_with_an_expanded_mask),
        IN_BUILDER(casts, of_short_weights_go),
        IN_BUILDER(casts, of_results_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
