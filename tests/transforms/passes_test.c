/* passes_test.c - each pass, before and after, as text. */
#include "graph/support.h"

#include "base/span.h"
#include "graph/op.h"
#include "transforms/transforms.h"

#include <math.h>
#include <stdlib.h>

#define F32 QEFF_DTYPE_F32
#define I64 QEFF_DTYPE_I64

typedef qeff_status (*pass)(const qeff_graph *in, qeff_graph **out, qeff_error *err);

static qeff_builder *b; /* of the test that runs */

static int begin(void **state)
{
    (void)state;
    b = test_builder(NULL);
    return 0;
}

static qeff_graph *finish(void)
{
    qeff_error err = {0};
    qeff_graph *graph = NULL;
    ASSERT_OK(qb_finish(b, &graph, &err));
    return graph;
}

static qeff_graph *run(pass transform)
{
    qeff_error err = {0};
    qeff_graph *out = NULL, *in = finish();
    char *before = test_graph_text(in);
    ASSERT_OK(transform(in, &out, &err));
    test_expect_text(in, before); /* a pass leaves its input as it is */
    free(before);
    qeff_graph_destroy(in);
    return out;
}

/* What the pass makes of the graph, from the first line that starts with `from`. */
static void gives(pass transform, const char *from, const char *expected)
{
    qeff_graph *out = run(transform);
    test_expect_text_from(out, from, expected);
    qeff_graph_destroy(out);
}

static qeff_value node(qeff_op op, const char *name, const qeff_value *inputs, size_t n)
{
    return qb_node(b, op, name, inputs, n, NULL, 0);
}

static qeff_value two(qeff_op op, const char *name, qeff_value x, qeff_value y)
{
    const qeff_value inputs[] = {x, y};
    return node(op, name, inputs, 2);
}

static qeff_value one(qeff_op op, const char *name, qeff_value x)
{
    return node(op, name, &x, 1);
}

static qeff_value scalar(const char *name, float value)
{
    return qb_constant(b, name, F32, 0, NULL, &value);
}

static qeff_value integer(const char *name, int64_t value)
{
    return qb_constant(b, name, I64, 0, NULL, &value);
}

static qeff_value integers(const char *name, const int64_t *values, size_t n)
{
    const int64_t size = (int64_t)n;
    return qb_constant(b, name, I64, 1, &size, values);
}

/* --- dce ----------------------------------------------------------------------------------------
 */

TEST(dce, leaves_out_what_no_output_needs)
{
    (void)state_;
    const qeff_value x = test_input(b, F32, "B,4"), unused = test_input(b, F32, "B");
    const qeff_value w = scalar("w", 2), v = scalar("v", 3);
    const qeff_value y = two(QEFF_OP_MUL, "y", x, w), dead = two(QEFF_OP_MUL, "dead", unused, v);
    (void)one(QEFF_OP_TANH, "deader", dead);
    qb_output(b, "y", y);
    gives(qeff_transform_dce, "graph",
          "graph test\n"
          "input x0: f32 [B, 4]\n"
          "input x1: f32 [B]\n"
          "weight w: f32 [] = {2}\n"
          "y: f32 [B, 4] = mul(x0, w)\n"
          "output y = y\n");
}

/* --- cse ----------------------------------------------------------------------------------------
 */

TEST(cse, keeps_the_first_of_equal_nodes)
{
    (void)state_;
    const qeff_value x = test_input(b, F32, "B,4");
    const qeff_value a = one(QEFF_OP_TANH, "a", x), same = one(QEFF_OP_TANH, "same", x);
    const qeff_value c = one(QEFF_OP_EXP, "c", same), d = one(QEFF_OP_EXP, "d", a);
    qb_output(b, "y", two(QEFF_OP_ADD, "sum", c, d));
    gives(qeff_transform_cse, "a:",
          "a: f32 [B, 4] = tanh(x0)\n"
          "c: f32 [B, 4] = exp(a)\n"
          "sum: f32 [B, 4] = add(c, c)\n"
          "output y = sum\n");
}

TEST(cse, tells_attributes_apart)
{
    (void)state_;
    const qeff_value x = test_input(b, F32, "B,4");
    const qeff_attribute first = QEFF_ATTR_INT("axis", 0), last = QEFF_ATTR_INT("axis", 1);
    const qeff_value p = qb_node(b, QEFF_OP_SOFTMAX, "p", &x, 1, &first, 1);
    const qeff_value q = qb_node(b, QEFF_OP_SOFTMAX, "q", &x, 1, &last, 1);
    qb_output(b, "y", two(QEFF_OP_ADD, "sum", p, q));
    gives(qeff_transform_cse, "sum:",
          "sum: f32 [B, 4] = add(p, q)\n"
          "output y = sum\n");
}

TEST(cse, merges_equal_constants_but_not_tensors_of_a_checkpoint)
{
    (void)state_;
    static const uint8_t bytes[16];
    qeff_value_info bias = {
        .dtype = F32, .shape = {1, {{4, NULL}}}, .data = {bytes, sizeof bytes}, .source_fd = -1};
    const qeff_value x = test_input(b, F32, "B,4");
    const qeff_value one_a = scalar("one_a", 1), one_b = scalar("one_b", 1);
    bias.name = QEFF_STR("bias_a");
    const qeff_value bias_a = qb_borrowed(b, &bias);
    bias.name = QEFF_STR("bias_b");
    const qeff_value bias_b = qb_borrowed(b, &bias);
    qeff_value h = two(QEFF_OP_ADD, "h0", x, one_a);
    h = two(QEFF_OP_ADD, "h1", h, one_b);
    h = two(QEFF_OP_ADD, "h2", h, bias_a);
    qb_output(b, "y", two(QEFF_OP_ADD, "h3", h, bias_b));
    gives(qeff_transform_cse, "graph",
          "graph test\n"
          "input x0: f32 [B, 4]\n"
          "weight one_a: f32 [] = {1}\n"
          "weight bias_a: f32 [4] = {0, 0, 0, 0}\n"
          "weight bias_b: f32 [4] = {0, 0, 0, 0}\n"
          "h0: f32 [B, 4] = add(x0, one_a)\n"
          "h1: f32 [B, 4] = add(h0, one_a)\n"
          "h2: f32 [B, 4] = add(h1, bias_a)\n"
          "h3: f32 [B, 4] = add(h2, bias_b)\n"
          "output y = h3\n");
}

/* --- fold ---------------------------------------------------------------------------------------
 */

TEST(fold, computes_with_floats_and_integers)
{
    (void)state_;
    const qeff_value x = test_input(b, F32, "B");
    const qeff_attribute to_float = QEFF_ATTR_INT("to", 1);
    const qeff_value two_ = integer("two", 2), eight = integer("eight", 8);
    const qeff_value sixteen = two(QEFF_OP_MUL, "sixteen", two_, eight);
    const qeff_value size = qb_node(b, QEFF_OP_CAST, "size", &sixteen, 1, &to_float, 1);
    const qeff_value root = one(QEFF_OP_SQRT, "root", size);
    const qeff_value scale = one(QEFF_OP_RECIPROCAL, "scale", root);
    qb_output(b, "y", two(QEFF_OP_MUL, "y", x, scale));
    qeff_error err = {0};
    qeff_graph *folded = run(qeff_transform_fold), *out = NULL;
    ASSERT_OK(qeff_transform_dce(folded, &out, &err));
    test_expect_text(out, "graph test\n"
                          "input x0: f32 [B]\n"
                          "weight scale: f32 [] = {0.25}\n"
                          "y: f32 [B] = mul(x0, scale)\n"
                          "output y = y\n");
    qeff_graph_destroy(folded);
    qeff_graph_destroy(out);
}

TEST(fold, knows_sizes_that_shapes_tell)
{
    (void)state_;
    static const int64_t last[] = {2}, parts[] = {12, -1};
    const qeff_value x = test_input(b, F32, "B,T,48");
    const qeff_value shape = one(QEFF_OP_SHAPE, "shape", x);
    const qeff_value width = two(QEFF_OP_GATHER, "width", shape, integers("last", last, 1));
    const qeff_value rest = integers("rest", parts, 2);
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 0);
    const qeff_value inputs[] = {width, rest};
    qb_output(b, "y", qb_node(b, QEFF_OP_CONCAT, "target", inputs, 2, &axis, 1));
    qb_output(b, "shape", shape);
    gives(qeff_transform_fold, "weight target",
          "weight target: i64 [3] = {48, 12, -1}\n"
          "shape: i64 [3] = shape(x0)\n"
          "output y = target\n"
          "output shape = shape\n");
}

TEST(fold, picks_rows_of_tables)
{
    (void)state_;
    static const float table[] = {1, 2, 3, 4, 5, 6};
    static const int64_t shape[] = {3, 2}, row[] = {-1};
    const qeff_value rows = qb_constant(b, "table", F32, 2, shape, table);
    qb_output(b, "y", two(QEFF_OP_GATHER, "y", rows, integers("row", row, 1)));
    gives(qeff_transform_fold, "weight y",
          "weight y: f32 [1, 2] = {5, 6}\n"
          "output y = y\n");
}

TEST(fold, slices_concatenates_and_expands)
{
    (void)state_;
    static const int64_t numbers[] = {0, 1, 2, 3, 4, 5}, shape[] = {2, 3}, axis_1[] = {1};
    static const int64_t start[] = {-1}, stop[] = {INT64_MIN}, step[] = {-2}, wide[] = {2, 2, 2};
    const qeff_value x = qb_constant(b, "x", I64, 2, shape, numbers);
    const qeff_value bounds[] = {x, integers("start", start, 1), integers("stop", stop, 1),
                                 integers("axis", axis_1, 1), integers("step", step, 1)};
    const qeff_value part = node(QEFF_OP_SLICE, "part", bounds, 5); /* {2, 0}, {5, 3} */
    const qeff_value both[] = {part, x};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 1);
    qb_output(b, "y", qb_node(b, QEFF_OP_CONCAT, "joined", both, 2, &axis, 1));
    qb_output(b, "z", two(QEFF_OP_EXPAND, "wide", part, integers("shape", wide, 3)));
    gives(qeff_transform_fold, "weight joined",
          "weight joined: i64 [2, 5] = {2, 0, 0, 1, 2, 5, 3, 3, 4, 5}\n"
          "weight shape: i64 [3] = {2, 2, 2}\n"
          "weight wide: i64 [2, 2, 2] = {2, 0, 5, 3, 2, 0, 5, 3}\n"
          "output y = joined\n"
          "output z = wide\n");
}

TEST(fold, compares_and_selects)
{
    (void)state_;
    static const int64_t numbers[] = {3, -1, 0};
    const qeff_value x = integers("x", numbers, 3), zero = integer("zero", 0);
    const qeff_value less = two(QEFF_OP_LESS, "less", x, zero);
    const qeff_value equal = two(QEFF_OP_EQUAL, "equal", x, zero);
    const qeff_value either = two(QEFF_OP_OR, "either", less, equal);
    const qeff_value inputs[] = {either, zero, x};
    qb_output(b, "y", node(QEFF_OP_WHERE, "y", inputs, 3));
    qb_output(b, "n", one(QEFF_OP_NOT, "n", either));
    gives(qeff_transform_fold, "weight either",
          "weight either: bool [3] = {false, true, true}\n"
          "weight y: i64 [3] = {3, 0, 0}\n"
          "weight n: bool [3] = {true, false, false}\n"
          "output y = y\n"
          "output n = n\n");
}

TEST(fold, leaves_to_run_time_what_has_no_exact_result)
{
    (void)state_;
    const qeff_value x = scalar("x", 2), zero = integer("zero", 0), one_ = integer("one", 1);
    qb_output(b, "exp", one(QEFF_OP_EXP, "exp", x));
    qb_output(b, "div", two(QEFF_OP_DIV, "div", one_, zero));
    qb_output(b, "nan", one(QEFF_OP_SQRT, "nan", scalar("minus", -1)));
    gives(qeff_transform_fold, "exp:",
          "exp: f32 [] = exp(x)\n"
          "div: i64 [] = div(one, zero)\n"
          "nan: f32 [] = sqrt(minus)\n"
          "output exp = exp\n"
          "output div = div\n"
          "output nan = nan\n");
}

TEST(fold, leaves_large_results)
{
    (void)state_;
    static const int64_t fits[] = {128, 128}, too_large[] = {129, 128};
    const qeff_value x = scalar("x", 2);
    qb_output(b, "y", two(QEFF_OP_EXPAND, "y", x, integers("fits", fits, 2)));
    qb_output(b, "z", two(QEFF_OP_EXPAND, "z", x, integers("large", too_large, 2)));
    gives(qeff_transform_fold, "weight y",
          "weight y: f32 [128, 128]\n"
          "weight large: i64 [2] = {129, 128}\n"
          "z: f32 [129, 128] = expand(x, large)\n"
          "output y = y\n"
          "output z = z\n");
}

TEST(fold, stops_growing_the_graph)
{
    (void)state_;
    static const int64_t shape[] = {128, 128}; /* 64 KiB each, 16 MiB in all */
    const qeff_value x = scalar("x", 2), size = integers("size", shape, 2);
    qeff_value sum = test_input(b, F32, "128,128");
    for (int i = 0; i < 300; i++)
        sum = two(QEFF_OP_ADD, "sum", sum, two(QEFF_OP_EXPAND, "wide", x, size));
    qb_output(b, "y", sum);
    qeff_graph *out = run(qeff_transform_fold);
    assert_int_equal(out->n_nodes, 300 + 300 - 256);
    qeff_graph_destroy(out);
}

TEST(fold, drops_nodes_that_change_nothing)
{
    (void)state_;
    const qeff_value x = test_input(b, F32, "B,T,4");
    const qeff_attribute to_float = QEFF_ATTR_INT("to", 1);
    qeff_value h = one(QEFF_OP_IDENTITY, "identity", x);
    h = qb_node(b, QEFF_OP_CAST, "cast", &h, 1, &to_float, 1);
    h = two(QEFF_OP_EXPAND, "expand", h, one(QEFF_OP_SHAPE, "shape", x));
    qb_output(b, "y", one(QEFF_OP_TANH, "tanh", h));
    gives(qeff_transform_fold, "tanh",
          "tanh: f32 [B, T, 4] = tanh(x0)\n"
          "output y = tanh\n");
}

TEST(fold, adds_a_row_once_that_all_tokens_take)
{
    (void)state_;
    static const float table[] = {1, 2, 3, 4};
    static const int64_t shape[] = {2, 2}, zeros[] = {0, 0, 0};
    const qeff_value x = test_input(b, F32, "B,T,2"), ids = test_input(b, I64, "B,T");
    const qeff_value rows = qb_constant(b, "types", F32, 2, shape, table);
    const int64_t flat[] = {1, 3};
    const qeff_value buffer = qb_constant(b, "buffer", I64, 2, flat, zeros);
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 1);
    const qeff_value pick[] = {buffer, ids};
    qeff_value types = qb_node(b, QEFF_OP_GATHER_ELEMENTS, "pick", pick, 2, &axis, 1);
    types = two(QEFF_OP_EXPAND, "types_all", types, one(QEFF_OP_SHAPE, "shape", ids));
    qb_output(b, "y", two(QEFF_OP_ADD, "y", two(QEFF_OP_GATHER, "row", rows, types), x));
    qeff_error err = {0};
    qeff_graph *folded = run(qeff_transform_fold), *out = NULL;
    ASSERT_OK(qeff_transform_dce(folded, &out, &err));
    test_expect_text_from(out, "weight",
                          "weight row_1: f32 [1, 2] = {1, 2}\n"
                          "y: f32 [B, T, 2] = add(row_1, x0)\n"
                          "output y = y\n");
    qeff_graph_destroy(folded);
    qeff_graph_destroy(out);
}

/* --- fp16_clip ----------------------------------------------------------------------------------
 */

TEST(fp16_clip, cuts_what_f16_cannot_hold)
{
    (void)state_;
    const float values[] = {65504,      65505,  -70000, INFINITY, -INFINITY,
                            (float)NAN, 1e-30f, -65504, 65503.9f};
    const int64_t size = 9;
    const qeff_value w = qb_constant(b, "w", F32, 1, &size, values);
    qb_output(b, "y", two(QEFF_OP_ADD, "y", test_input(b, F32, "B,9"), w));
    qeff_graph *out = run(qeff_transform_fp16_clip);
    float found[9];
    memcpy(found, out->values[1].data.data, sizeof found);
    assert_true(found[0] == 65504 && found[1] == 65504 && found[2] == -65504);
    assert_true(found[3] == 65504 && found[4] == -INFINITY && isnan(found[5]));
    assert_true(found[6] == 1e-30f && found[7] == -65504 && found[8] == 65503.9f);
    qeff_graph_destroy(out);
}

static const uint8_t *clipped_bytes(const float *values, int64_t n, bool *is_owned)
{
    const uint8_t *kept = (const uint8_t *)values;
    qeff_value_info info = {.name = QEFF_STR("w"),
                            .dtype = F32,
                            .shape = {1, {{n, NULL}}},
                            .data = {kept, (size_t)n * 4},
                            .source_fd = -1};
    qb_output(b, "y", qb_borrowed(b, &info));
    qeff_graph *out = run(qeff_transform_fp16_clip);
    const uint8_t *data = out->values[0].data.data;
    *is_owned = out->values[0].is_owned;
    qeff_graph_destroy(out);
    return *is_owned ? NULL : data;
}

TEST(fp16_clip, does_not_copy_weights_that_fit)
{
    (void)state_;
    static const float values[] = {65504, -65504, -INFINITY, (float)NAN};
    bool is_owned = true;
    assert_ptr_equal(clipped_bytes(values, 4, &is_owned), values);
    assert_false(is_owned);
}

TEST(fp16_clip, finds_one_value_in_the_last_chunk)
{
    (void)state_;
    static float values[(4 << 20) / 4 + 3];
    bool is_owned = false;
    values[(4 << 20) / 4 + 2] = 1e6f;
    (void)clipped_bytes(values, (4 << 20) / 4 + 3, &is_owned);
    assert_true(is_owned);
}

TEST(fp16_clip, leaves_other_dtypes)
{
    (void)state_;
    static const double value = 1e30;
    qb_output(b, "y", qb_constant(b, "w", QEFF_DTYPE_F64, 0, NULL, &value));
    gives(qeff_transform_fp16_clip, "weight w", "weight w: f64 [] = {1e+30}\noutput y = w\n");
}

/* --- decompose ----------------------------------------------------------------------------------
 */

TEST(decompose, linear_keeps_the_weight_as_it_is)
{
    (void)state_;
    const qeff_value inputs[] = {test_input(b, F32, "B,T,4"), test_zeros(b, "w", F32, "20,4"),
                                 test_zeros(b, "bias", F32, "20")};
    qb_output(b, "y", node(QEFF_OP_LINEAR, "dense", inputs, 3));
    gives(qeff_transform_decompose, "weight",
          "weight w: f32 [20, 4]\n"
          "weight bias: f32 [20]\n"
          "dense/Transpose: f32 [4, 20] = transpose(w) perm=[1, 0]\n"
          "dense/MatMul: f32 [B, T, 20] = matmul(x0, dense/Transpose)\n"
          "dense: f32 [B, T, 20] = add(dense/MatMul, bias)\n"
          "output y = dense\n");
}

TEST(decompose, casts_short_weights_once)
{
    (void)state_;
    const qeff_value x = test_input(b, F32, "B,4");
    const qeff_value w = test_zeros(b, "w", QEFF_DTYPE_F16, "4");
    const qeff_value h = two(QEFF_OP_MUL, "h", x, w);
    qb_output(b, "y", two(QEFF_OP_ADD, "y", h, w));
    gives(qeff_transform_decompose, "weight",
          "weight w: f16 [4] = {0, 0, 0, 0}\n"
          "w/Cast: f32 [4] = cast(w) to=1\n"
          "h: f32 [B, 4] = mul(x0, w/Cast)\n"
          "y: f32 [B, 4] = add(h, w/Cast)\n"
          "output y = y\n");
}

TEST(decompose, leaves_short_weights_among_their_own_kind)
{
    (void)state_;
    const qeff_value x = test_input(b, QEFF_DTYPE_F16, "B,4");
    qb_output(b, "y", two(QEFF_OP_MUL, "y", x, test_zeros(b, "w", QEFF_DTYPE_F16, "4")));
    gives(qeff_transform_decompose, "y:", "y: f16 [B, 4] = mul(x0, w)\noutput y = y\n");
}

TEST(decompose, gelu_in_the_order_of_torch)
{
    (void)state_;
    qb_output(b, "y", qb_gelu(b, test_input(b, F32, "B,4"), false));
    gives(qeff_transform_decompose, "weight",
          "weight gelu/sqrt_2: f32 [] = {1.4142135}\n"
          "weight gelu/one: f32 [] = {1}\n"
          "weight gelu/half: f32 [] = {0.5}\n"
          "gelu/Div: f32 [B, 4] = div(x0, gelu/sqrt_2)\n"
          "gelu/Erf: f32 [B, 4] = erf(gelu/Div)\n"
          "gelu/Add: f32 [B, 4] = add(gelu/Erf, gelu/one)\n"
          "gelu/Mul: f32 [B, 4] = mul(x0, gelu/Add)\n"
          "gelu: f32 [B, 4] = mul(gelu/Mul, gelu/half)\n"
          "output y = gelu\n");
}

TEST(decompose, position_ids_cut_a_table)
{
    (void)state_;
    qb_output(b, "y", qb_position_ids(b, test_input(b, I64, "B,T"), 4));
    gives(qeff_transform_decompose, "weight",
          "weight position_ids/positions: i64 [1, 4] = {0, 1, 2, 3}\n"
          "weight position_ids/axis: i64 [] = {1}\n"
          "weight position_ids/axes: i64 [1] = {0}\n"
          "weight position_ids/starts: i64 [1] = {0}\n"
          "weight position_ids/axes_1: i64 [1] = {1}\n"
          "position_ids/Shape: i64 [2] = shape(x0)\n"
          "position_ids/Gather: i64 [] = gather(position_ids/Shape, position_ids/axis) axis=0\n"
          "position_ids/Unsqueeze: i64 [1] = unsqueeze(position_ids/Gather, position_ids/axes)\n"
          "position_ids: i64 [1, T] = slice(position_ids/positions, position_ids/starts, "
          "position_ids/Unsqueeze, position_ids/axes_1)\n"
          "output y = position_ids\n");
}

TEST(decompose, leaves_no_composite)
{
    (void)state_;
    static const char *const modes[] = {
        "cls", "lasttoken", "max", "mean", "mean_sqrt_len_tokens", "weightedmean"};
    const qeff_value x = test_input(b, F32, "B,T,4"), mask = test_input(b, I64, "B,T");
    const qeff_value h = qb_attention(b, x, x, x, mask, 2, 0.5);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        qb_output(b, modes[i], qb_l2_normalize(b, qb_pool(b, h, mask, modes[i]), 1e-12));
    qb_output(b, "gelu", qb_gelu(b, h, true));
    qb_output(b, "silu", qb_unary(b, QEFF_OP_SILU, h));
    qeff_graph *out = run(qeff_transform_decompose);
    for (size_t i = 0; i < out->n_nodes; i++)
        assert_int_equal(qeff_op_get(out->nodes[i].op)->kind, QEFF_OP_PRIMITIVE);
    for (size_t i = 0; i < out->n_outputs; i++) { /* no dim was lost on the way */
        const qeff_shape *shape = &out->values[out->outputs[i].value].shape;
        for (size_t k = 0; k < shape->rank; k++)
            assert_true(!shape->dims[k].symbol || !strchr(shape->dims[k].symbol, '#'));
    }
    qeff_graph_destroy(out);
}

/* --- memory -------------------------------------------------------------------------------------
 */

static qeff_status export_and_back(const qeff_graph *in, qeff_graph **out, qeff_error *err)
{
    qeff_graph *lowered = NULL;
    *out = NULL;
    qeff_status status = qeff_pipeline_for_export(in, &lowered, err);
    if (!status) status = qeff_pipeline_for_backend(lowered, out, err);
    qeff_graph_destroy(lowered);
    return status;
}

TEST(pipelines, survive_every_failed_allocation)
{
    (void)state_;
    qeff_error err = {0};
    const qeff_value x = test_input(b, F32, "B,T,4"), mask = test_input(b, I64, "B,T");
    const qeff_value w = test_zeros(b, "w", QEFF_DTYPE_F16, "4,4");
    const qeff_value pre = test_zeros(b, "pre", F32, "4,4"), big = scalar("big", 1e6f);
    qeff_value h = two(QEFF_OP_LINEAR, "dense", x, w);
    h = two(QEFF_OP_ADD, "sum", h, two(QEFF_OP_ADD, "folded", big, big));
    h = two(QEFF_OP_MATMUL, "product", h, pre);
    h = qb_attention(b, h, h, x, mask, 2, 0.5);
    const qeff_value ids = qb_position_ids(b, mask, 8);
    const qeff_value table = test_zeros(b, "table", F32, "8,4");
    h = two(QEFF_OP_ADD, "positions", h, two(QEFF_OP_GATHER, "rows", table, ids));
    qb_output(b, "y", qb_pool(b, h, mask, "mean"));
    qeff_graph *graph = finish(), *out = NULL;
    TEST_EACH_ALLOCATION(export_and_back(graph, &out, &err), qeff_graph_destroy(out));
    qeff_graph_destroy(graph);
}

#define IN_BUILDER(subject, statement) cmocka_unit_test_setup(subject##__##statement, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BUILDER(dce, leaves_out_what_no_output_needs),
        IN_BUILDER(cse, keeps_the_first_of_equal_nodes),
        IN_BUILDER(cse, tells_attributes_apart),
        IN_BUILDER(cse, merges_equal_constants_but_not_tensors_of_a_checkpoint),
        IN_BUILDER(fold, computes_with_floats_and_integers),
        IN_BUILDER(fold, knows_sizes_that_shapes_tell),
        IN_BUILDER(fold, picks_rows_of_tables),
        IN_BUILDER(fold, slices_concatenates_and_expands),
        IN_BUILDER(fold, compares_and_selects),
        IN_BUILDER(fold, leaves_to_run_time_what_has_no_exact_result),
        IN_BUILDER(fold, leaves_large_results),
        IN_BUILDER(fold, stops_growing_the_graph),
        IN_BUILDER(fold, drops_nodes_that_change_nothing),
        IN_BUILDER(fold, adds_a_row_once_that_all_tokens_take),
        IN_BUILDER(fp16_clip, cuts_what_f16_cannot_hold),
        IN_BUILDER(fp16_clip, does_not_copy_weights_that_fit),
        IN_BUILDER(fp16_clip, finds_one_value_in_the_last_chunk),
        IN_BUILDER(fp16_clip, leaves_other_dtypes),
        IN_BUILDER(decompose, linear_keeps_the_weight_as_it_is),
        IN_BUILDER(decompose, casts_short_weights_once),
        IN_BUILDER(decompose, leaves_short_weights_among_their_own_kind),
        IN_BUILDER(decompose, gelu_in_the_order_of_torch),
        IN_BUILDER(decompose, position_ids_cut_a_table),
        IN_BUILDER(decompose, leaves_no_composite),
        IN_BUILDER(pipelines, survive_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
