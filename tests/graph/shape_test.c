/* shape_test.c - shape rules: what each op makes of named dims, and what it refuses. */
#include "graph/op.h"
#include "graph/support.h"

#include "base/span.h"

#include <stdlib.h>

#define F32  QEFF_DTYPE_F32
#define I64  QEFF_DTYPE_I64
#define BOOL QEFF_DTYPE_BOOL

enum { ONNX_FLOAT = 1, ONNX_INT64 = 7, ONNX_BOOL = 9 };

static qeff_builder *b; /* of the test that runs */

static int begin(void **state)
{
    (void)state;
    b = test_builder(NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    qb_destroy(b);
    return 0;
}

static qeff_value in(qeff_dtype dtype, const char *dims)
{
    return test_input(b, dtype, dims);
}

static qeff_value one(qeff_op op, qeff_value x)
{
    return test_node(b, op, &x, 1, NULL, 0);
}

static qeff_value two(qeff_op op, qeff_value x, qeff_value y)
{
    const qeff_value inputs[] = {x, y};
    return test_node(b, op, inputs, 2, NULL, 0);
}

static qeff_value one_with(qeff_op op, qeff_value x, qeff_attribute attribute)
{
    return test_node(b, op, &x, 1, &attribute, 1);
}

static qeff_value two_with(qeff_op op, qeff_value x, qeff_value y, qeff_attribute attribute)
{
    const qeff_value inputs[] = {x, y};
    return test_node(b, op, inputs, 2, &attribute, 1);
}

static qeff_value ints(size_t n, const int64_t *values)
{
    return qb_ints(b, values, n);
}

#define INTS(...)                                                                                  \
    ints(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[]){__VA_ARGS__})

static qeff_value scalar(int64_t value)
{
    return qb_constant(b, NULL, I64, 0, NULL, &value);
}

/* The builder fails at this node, and says so. */
static void refuses(qeff_op op, const qeff_value *inputs, size_t n, const qeff_attribute *attribute,
                    qeff_status status, const char *text)
{
    assert_int_equal(qb_node(b, op, "n", inputs, n, attribute, attribute ? 1 : 0), QEFF_VALUE_NONE);
    test_expect_failure(b, status, text);
    b = test_builder(NULL);
}

static void refuses_two(qeff_op op, qeff_value x, qeff_value y, const char *text)
{
    const qeff_value inputs[] = {x, y};
    refuses(op, inputs, 2, NULL, QEFF_ERR_FORMAT, text);
}

/* --- element-wise -------------------------------------------------------------------------------
 */

TEST(broadcast, keeps_equal_names)
{
    (void)state_;
    const qeff_value x = in(F32, "B,T,4"), y = in(F32, "B,T,4");
    test_expect_type(b, two(QEFF_OP_ADD, x, y), "f32 [B, T, 4]");
}

TEST(broadcast, stretches_ones_and_missing_dims)
{
    (void)state_;
    const qeff_value x = in(F32, "B,1,4"), y = in(F32, "T,1"), z = in(F32, "");
    test_expect_type(b, two(QEFF_OP_MUL, x, y), "f32 [B, T, 4]");
    test_expect_type(b, two(QEFF_OP_SUB, z, x), "f32 [B, 1, 4]");
}

TEST(broadcast, takes_the_number_beside_a_name)
{
    (void)state_;
    const qeff_value x = in(F32, "B"), y = in(F32, "4");
    test_expect_type(b, two(QEFF_OP_DIV, x, y), "f32 [4]");
}

TEST(broadcast, of_two_names_is_known_at_run_time_only)
{
    (void)state_;
    const qeff_value x = in(F32, "B"), y = in(F32, "C");
    const qeff_value sum = two(QEFF_OP_ADD, x, y);
    test_expect_type(b, sum, "f32 [?]");
    test_expect_type(b, two(QEFF_OP_ADD, sum, sum), "f32 [?]");
    assert_string_equal(qeff_graph_value(qb_graph(b), sum)->shape.dims[0].symbol, "add#0");
}

TEST(broadcast, refuses_sizes_that_do_not_fit)
{
    (void)state_;
    const qeff_value x = in(F32, "B,3"), y = in(F32, "4");
    refuses_two(QEFF_OP_ADD, x, y, "node 'n' (add): dimensions 3 and 4 do not broadcast");
}

TEST(broadcast, refuses_mixed_dtypes)
{
    (void)state_;
    const qeff_value x = in(F32, "B"), y = in(I64, "B");
    refuses_two(QEFF_OP_ADD, x, y, "operand 1: expected f32 as operand 0, found i64");
}

TEST(broadcast, takes_any_number_of_operands_of_min_and_max)
{
    (void)state_;
    const qeff_value inputs[] = {in(F32, "B,1,1"), in(F32, "T,1"), in(F32, "4")};
    test_expect_type(b, test_node(b, QEFF_OP_MAX, inputs, 3, NULL, 0), "f32 [B, T, 4]");
    test_expect_type(b, test_node(b, QEFF_OP_MIN, inputs, 1, NULL, 0), "f32 [B, 1, 1]");
}

TEST(power, may_have_an_exponent_of_another_dtype)
{
    (void)state_;
    const qeff_value x = in(F32, "B,4");
    test_expect_type(b, two(QEFF_OP_POW, x, scalar(2)), "f32 [B, 4]");
}

TEST(comparisons, give_bools)
{
    (void)state_;
    const qeff_value x = in(I64, "B,T"), flags = in(BOOL, "B,1");
    const qeff_value less = two(QEFF_OP_LESS, x, scalar(1));
    test_expect_type(b, less, "bool [B, T]");
    test_expect_type(b, two(QEFF_OP_EQUAL, x, x), "bool [B, T]");
    test_expect_type(b, two(QEFF_OP_EQUAL, flags, flags), "bool [B, 1]");
    test_expect_type(b, two(QEFF_OP_AND, less, flags), "bool [B, T]");
    test_expect_type(b, one(QEFF_OP_NOT, flags), "bool [B, 1]");
    refuses_two(QEFF_OP_AND, x, flags, "operand 0: expected bool, found i64");
}

TEST(where, broadcasts_all_three)
{
    (void)state_;
    const qeff_value inputs[] = {in(BOOL, "B,T,1"), in(F32, "4"), in(F32, "")};
    test_expect_type(b, test_node(b, QEFF_OP_WHERE, inputs, 3, NULL, 0), "f32 [B, T, 4]");
    const qeff_value wrong[] = {inputs[1], inputs[1], inputs[2]};
    refuses(QEFF_OP_WHERE, wrong, 3, NULL, QEFF_ERR_FORMAT, "operand 0: expected bool");
}

TEST(unary, keeps_type_and_shape)
{
    (void)state_;
    static const qeff_op ops[] = {QEFF_OP_SQRT, QEFF_OP_EXP,  QEFF_OP_ERF,     QEFF_OP_TANH,
                                  QEFF_OP_RELU, QEFF_OP_GELU, QEFF_OP_SILU,    QEFF_OP_NEG,
                                  QEFF_OP_ABS,  QEFF_OP_ELU,  QEFF_OP_SOFTPLUS};
    const qeff_value x = in(F32, "B,T,4");
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        test_expect_type(b, one(ops[i], x), "f32 [B, T, 4]");
    const qeff_value ids = in(I64, "B,T");
    refuses(QEFF_OP_TANH, &ids, 1, NULL, QEFF_ERR_FORMAT, "operand 0: expected floats, found i64");
}

TEST(clip, takes_scalar_bounds_that_may_be_absent)
{
    (void)state_;
    const qeff_value x = in(F32, "B,4"), low = qb_scalar_f32(b, 0);
    const qeff_value high_only[] = {x, QEFF_VALUE_NONE, low};
    test_expect_type(b, two(QEFF_OP_CLIP, x, low), "f32 [B, 4]");
    test_expect_type(b, test_node(b, QEFF_OP_CLIP, high_only, 3, NULL, 0), "f32 [B, 4]");
    refuses_two(QEFF_OP_CLIP, x, x, "operand 1: expected one element");
}

TEST(gelu, refuses_an_unknown_approximation)
{
    (void)state_;
    const qeff_value x = in(F32, "B,4");
    const qeff_attribute by = QEFF_ATTR_STR("approximate", QEFF_STR("guess"));
    refuses(QEFF_OP_GELU, &x, 1, &by, QEFF_ERR_FORMAT, "expected 'none' or 'tanh', found 'guess'");
}

TEST(cast, takes_onnx_element_types)
{
    (void)state_;
    const qeff_value x = in(I64, "B,T");
    test_expect_type(b, one_with(QEFF_OP_CAST, x, QEFF_ATTR_INT("to", ONNX_FLOAT)), "f32 [B, T]");
    test_expect_type(b, one_with(QEFF_OP_CAST, x, QEFF_ATTR_INT("to", ONNX_BOOL)), "bool [B, T]");
    const qeff_attribute to = QEFF_ATTR_INT("to", 99);
    refuses(QEFF_OP_CAST, &x, 1, &to, QEFF_ERR_UNSUPPORTED, "element type 99 is not known");
}

TEST(short_weights, count_as_f32_unless_they_meet_their_own_dtype)
{
    (void)state_;
    const qeff_value w = test_zeros(b, "w", QEFF_DTYPE_F16, "4");
    const qeff_value x = in(F32, "B,4"), h = in(QEFF_DTYPE_F16, "B,4");
    test_expect_type(b, two(QEFF_OP_ADD, x, w), "f32 [B, 4]");
    test_expect_type(b, two(QEFF_OP_ADD, w, h), "f16 [B, 4]");
    test_expect_type(b, two(QEFF_OP_ADD, w, w), "f32 [4]");
    const qeff_value bf = test_zeros(b, "bf", QEFF_DTYPE_BF16, "4");
    refuses_two(QEFF_OP_ADD, h, bf, "operand 1: expected f16 as operand 0, found bf16");
}

/* --- products -----------------------------------------------------------------------------------
 */

TEST(matmul, follows_numpy)
{
    (void)state_;
    const qeff_value x = in(F32, "B,T,4"), w = in(F32, "4,8"), v = in(F32, "4");
    const qeff_value q = in(F32, "B,12,T,4"), k = in(F32, "B,12,4,T"), k1 = in(F32, "1,1,4,T");
    test_expect_type(b, two(QEFF_OP_MATMUL, x, w), "f32 [B, T, 8]");
    test_expect_type(b, two(QEFF_OP_MATMUL, x, v), "f32 [B, T]");
    test_expect_type(b, two(QEFF_OP_MATMUL, v, w), "f32 [8]");
    test_expect_type(b, two(QEFF_OP_MATMUL, v, v), "f32 []");
    test_expect_type(b, two(QEFF_OP_MATMUL, q, k), "f32 [B, 12, T, T]");
    test_expect_type(b, two(QEFF_OP_MATMUL, q, k1), "f32 [B, 12, T, T]");
    refuses_two(QEFF_OP_MATMUL, w, w, "inner dimension: expected 8, found 4");
}

TEST(gemm, transposes_either_side_and_adds_a_row)
{
    (void)state_;
    const qeff_value x = in(F32, "B,4"), xt = in(F32, "4,B"), w = in(F32, "8,4"), c = in(F32, "8");
    const qeff_attribute both[] = {QEFF_ATTR_INT("transA", 1), QEFF_ATTR_INT("transB", 1)};
    const qeff_value inputs[] = {xt, w, c};
    test_expect_type(b, test_node(b, QEFF_OP_GEMM, inputs, 3, both, 2), "f32 [B, 8]");
    test_expect_type(b, two_with(QEFF_OP_GEMM, x, w, QEFF_ATTR_INT("transB", 1)), "f32 [B, 8]");
    refuses_two(QEFF_OP_GEMM, x, w, "inner dimension: expected 4, found 8");
}

TEST(linear, multiplies_by_rows_of_the_weight)
{
    (void)state_;
    const qeff_value x = in(F32, "B,T,4"), w = in(F32, "8,4"), c = in(F32, "8"), d = in(F32, "7");
    const qeff_value inputs[] = {x, w, c}, wrong[] = {x, w, d};
    test_expect_type(b, test_node(b, QEFF_OP_LINEAR, inputs, 3, NULL, 0), "f32 [B, T, 8]");
    test_expect_type(b, two(QEFF_OP_LINEAR, x, w), "f32 [B, T, 8]");
    refuses(QEFF_OP_LINEAR, wrong, 3, NULL, QEFF_ERR_FORMAT, "bias: expected 8, found 7");
}

/* --- reductions ---------------------------------------------------------------------------------
 */

TEST(reductions, drop_or_keep_their_axes)
{
    (void)state_;
    static const int64_t last[] = {-1}, first_two[] = {0, 1};
    const qeff_value x = in(F32, "B,T,4");
    const qeff_attribute drop[] = {QEFF_ATTR_INTS("axes", first_two, 2),
                                   QEFF_ATTR_INT("keepdims", 0)};
    test_expect_type(b, one_with(QEFF_OP_REDUCE_MEAN, x, QEFF_ATTR_INTS("axes", last, 1)),
                     "f32 [B, T, 1]");
    test_expect_type(b, test_node(b, QEFF_OP_REDUCE_MAX, &x, 1, drop, 2), "f32 [4]");
    test_expect_type(b, one(QEFF_OP_REDUCE_MIN, x), "f32 [1, 1, 1]");
    test_expect_type(b, two(QEFF_OP_REDUCE_SUM, x, INTS(1)), "f32 [B, 1, 4]");
    test_expect_type(b, one_with(QEFF_OP_REDUCE_SUM, x, QEFF_ATTR_INT("noop_with_empty_axes", 1)),
                     "f32 [B, T, 4]");
}

TEST(reductions, refuse_axes_that_are_wrong_or_not_constant)
{
    (void)state_;
    refuses_two(QEFF_OP_REDUCE_SUM, in(F32, "B,4"), INTS(2), "axis 2 outside rank 2");
    refuses_two(QEFF_OP_REDUCE_SUM, in(F32, "B,4"), INTS(1, -1), "axis 1 twice");
    const qeff_value inputs[] = {in(F32, "B,4"), in(I64, "1")};
    refuses(QEFF_OP_REDUCE_SUM, inputs, 2, NULL, QEFF_ERR_UNSUPPORTED,
            "operand 1: expected constants");
}

TEST(arg_max, gives_indices)
{
    (void)state_;
    const qeff_value x = in(F32, "B,T,4");
    const qeff_attribute drop[] = {QEFF_ATTR_INT("axis", -2), QEFF_ATTR_INT("keepdims", 0)};
    test_expect_type(b, test_node(b, QEFF_OP_ARG_MAX, &x, 1, drop, 2), "i64 [B, 4]");
    test_expect_type(b, one(QEFF_OP_ARG_MAX, x), "i64 [1, T, 4]");
}

TEST(cum_sum, softmax_and_norms_keep_the_shape)
{
    (void)state_;
    const qeff_value x = in(F32, "B,T,4"), w = in(F32, "4"), v = in(F32, "5");
    const qeff_value inputs[] = {x, w, w}, wrong[] = {x, v};
    test_expect_type(b, two(QEFF_OP_CUM_SUM, x, scalar(1)), "f32 [B, T, 4]");
    test_expect_type(b, one_with(QEFF_OP_SOFTMAX, x, QEFF_ATTR_INT("axis", 1)), "f32 [B, T, 4]");
    test_expect_type(b, test_node(b, QEFF_OP_LAYER_NORM, inputs, 3, NULL, 0), "f32 [B, T, 4]");
    test_expect_type(b, test_node(b, QEFF_OP_RMS_NORM, inputs, 2, NULL, 0), "f32 [B, T, 4]");
    refuses(QEFF_OP_LAYER_NORM, wrong, 2, NULL, QEFF_ERR_FORMAT, "scale: expected 4, found 5");
    refuses_two(QEFF_OP_RMS_NORM, in(F32, "B,T,4"), in(F32, "5"), "scale: expected 4, found 5");
}

/* --- layout -------------------------------------------------------------------------------------
 */

TEST(transpose, permutes_and_reverses)
{
    (void)state_;
    static const int64_t perm[] = {0, 2, 1, 3}, wrong[] = {0, 0, 1, 2};
    const qeff_value x = in(F32, "B,T,12,4");
    const qeff_attribute bad = QEFF_ATTR_INTS("perm", wrong, 4);
    test_expect_type(b, one_with(QEFF_OP_TRANSPOSE, x, QEFF_ATTR_INTS("perm", perm, 4)),
                     "f32 [B, 12, T, 4]");
    test_expect_type(b, one(QEFF_OP_TRANSPOSE, x), "f32 [4, 12, T, B]");
    refuses(QEFF_OP_TRANSPOSE, &x, 1, &bad, QEFF_ERR_FORMAT, "axis 0 is no permutation");
}

TEST(reshape, copies_dims_and_infers_one)
{
    (void)state_;
    const qeff_value x = in(F32, "B,T,48");
    test_expect_type(b, two(QEFF_OP_RESHAPE, x, INTS(0, 0, 12, 4)), "f32 [B, T, 12, 4]");
    test_expect_type(b, two(QEFF_OP_RESHAPE, x, INTS(0, -1, 48)), "f32 [B, T, 48]");
    test_expect_type(b, two(QEFF_OP_RESHAPE, x, INTS(0, 0, -1, 4)), "f32 [B, T, 12, 4]");
    test_expect_type(b, two(QEFF_OP_RESHAPE, x, INTS(-1, 48)), "f32 [?, 48]");
    test_expect_type(b, two(QEFF_OP_RESHAPE, x, INTS(-1)), "f32 [?]");
    test_expect_type(b, two(QEFF_OP_RESHAPE, in(F32, "6,4"), INTS(3, -1)), "f32 [3, 8]");
}

TEST(reshape, refuses_what_does_not_add_up)
{
    (void)state_;
    refuses_two(QEFF_OP_RESHAPE, in(F32, "6,4"), INTS(5, -1), "24 elements do not divide by the 5");
    refuses_two(QEFF_OP_RESHAPE, in(F32, "6,4"), INTS(5, 5), "expected 24 elements, found 25");
    refuses_two(QEFF_OP_RESHAPE, in(F32, "6,4"), INTS(-1, -1), "size -1 twice");
    refuses_two(QEFF_OP_RESHAPE, in(F32, "6,4"), INTS(24, 1, 0), "size 0 at 2 copies no dimension");
    refuses_two(QEFF_OP_RESHAPE, in(F32, "6,4"), INTS(-2, 12), "size -2");
}

TEST(reshape, follows_targets_that_are_computed_from_shapes)
{
    (void)state_;
    const qeff_value x = in(F32, "B,T,48");
    const qeff_value shape = one(QEFF_OP_SHAPE, x);
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 0);
    const qeff_value batch = two_with(QEFF_OP_GATHER, shape, scalar(0), axis);
    const qeff_value length = two_with(QEFF_OP_GATHER, shape, scalar(-2), axis);
    const qeff_value parts[] = {two(QEFF_OP_UNSQUEEZE, batch, INTS(0)),
                                two(QEFF_OP_UNSQUEEZE, length, INTS(0)), INTS(12), INTS(-1)};
    const qeff_value target = test_node(b, QEFF_OP_CONCAT, parts, 4, &axis, 1);
    test_expect_known(b, target, "{B, T, 12, -1}");
    test_expect_type(b, two(QEFF_OP_RESHAPE, x, target), "f32 [B, T, 12, 4]");
}

TEST(reshape, leaves_dims_open_that_only_run_time_knows)
{
    (void)state_;
    test_expect_type(b, two(QEFF_OP_RESHAPE, in(F32, "B,T,48"), in(I64, "3")), "f32 [?, ?, ?]");
}

TEST(flatten, multiplies_both_sides)
{
    (void)state_;
    const qeff_value x = in(F32, "B,3,4");
    test_expect_type(b, one(QEFF_OP_FLATTEN, x), "f32 [B, 12]");
    test_expect_type(b, one_with(QEFF_OP_FLATTEN, x, QEFF_ATTR_INT("axis", 0)), "f32 [1, ?]");
    test_expect_type(b, one_with(QEFF_OP_FLATTEN, x, QEFF_ATTR_INT("axis", 3)), "f32 [?, 1]");
}

TEST(squeeze, and_unsqueeze_are_opposites)
{
    (void)state_;
    const qeff_value x = in(I64, "B,T");
    const qeff_value wide = two(QEFF_OP_UNSQUEEZE, x, INTS(1, 2));
    test_expect_type(b, wide, "i64 [B, 1, 1, T]");
    test_expect_type(b, two(QEFF_OP_UNSQUEEZE, x, INTS(-1)), "i64 [B, T, 1]");
    test_expect_type(b, two(QEFF_OP_SQUEEZE, wide, INTS(1, -2)), "i64 [B, T]");
    refuses_two(QEFF_OP_SQUEEZE, in(I64, "B,4"), INTS(1), "axis 1: expected 1, found 4");
}

TEST(concat, adds_sizes_along_its_axis)
{
    (void)state_;
    const qeff_value inputs[] = {in(F32, "B,4"), in(F32, "B,8"), in(F32, "B,T")};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", -1);
    test_expect_type(b, test_node(b, QEFF_OP_CONCAT, inputs, 2, &axis, 1), "f32 [B, 12]");
    test_expect_type(b, test_node(b, QEFF_OP_CONCAT, inputs, 3, &axis, 1), "f32 [B, ?]");
    refuses(QEFF_OP_CONCAT, inputs, 2, NULL, QEFF_ERR_FORMAT, "attribute 'axis' is missing");
}

TEST(split, gives_as_many_outputs_as_sizes_or_as_asked_for)
{
    (void)state_;
    const qeff_value x = in(F32, "B,T,12");
    const qeff_value first = two_with(QEFF_OP_SPLIT, x, INTS(6, 4, 2), QEFF_ATTR_INT("axis", 2));
    test_expect_type(b, first, "f32 [B, T, 6]");
    test_expect_type(b, first + 2, "f32 [B, T, 2]");
    const qeff_attribute even[] = {QEFF_ATTR_INT("axis", -1), QEFF_ATTR_INT("num_outputs", 5)};
    const qeff_value fifth = test_node(b, QEFF_OP_SPLIT, &x, 1, even, 2) + 4;
    test_expect_type(b, fifth, "f32 [B, T, 0]");
    const qeff_value wrong[] = {in(F32, "12"), INTS(6, 4)};
    refuses(QEFF_OP_SPLIT, wrong, 2, NULL, QEFF_ERR_FORMAT, "sum of parts: expected 12, found 10");
}

TEST(expand, broadcasts_to_a_shape)
{
    (void)state_;
    const qeff_value x = in(F32, "B,1,4"), y = in(F32, "B,T,4");
    test_expect_type(b, two(QEFF_OP_EXPAND, x, INTS(1, 5, 1)), "f32 [B, 5, 4]");
    test_expect_type(b, two(QEFF_OP_EXPAND, x, one(QEFF_OP_SHAPE, y)), "f32 [B, T, 4]");
    test_expect_type(b, two(QEFF_OP_EXPAND, x, in(I64, "3")), "f32 [?, ?, 4]");
}

/* --- indices ------------------------------------------------------------------------------------
 */

static qeff_value slice(qeff_value x, int64_t start, int64_t stop, int64_t axis, int64_t step)
{
    const qeff_value inputs[] = {x, INTS(start), INTS(stop), INTS(axis), INTS(step)};
    return test_node(b, QEFF_OP_SLICE, inputs, 5, NULL, 0);
}

TEST(slice, counts_as_onnx_does)
{
    (void)state_;
    const qeff_value x = in(F32, "10,T");
    test_expect_type(b, slice(x, 2, 8, 0, 1), "f32 [6, T]");
    test_expect_type(b, slice(x, -3, INT64_MAX, 0, 1), "f32 [3, T]");
    test_expect_type(b, slice(x, 0, 10, 0, 3), "f32 [4, T]");
    test_expect_type(b, slice(x, -1, INT64_MIN, 0, -1), "f32 [10, T]");
    test_expect_type(b, slice(x, 8, 2, -2, -2), "f32 [3, T]");
    test_expect_type(b, slice(x, 5, 5, 0, 1), "f32 [0, T]");
    test_expect_type(b, slice(x, 20, 30, 0, 1), "f32 [0, T]");
    test_expect_type(b, slice(x, 0, INT64_MAX, 1, 1), "f32 [10, T]");
    test_expect_type(b, slice(x, 1, INT64_MAX, 1, 1), "f32 [10, ?]");
}

TEST(slice, by_a_dim_is_as_long_as_the_dim)
{
    (void)state_;
    const qeff_value ids = in(I64, "B,T"), table = in(I64, "1,512");
    const qeff_value shape = one(QEFF_OP_SHAPE, ids);
    const qeff_value length = two(QEFF_OP_GATHER, shape, INTS(1));
    const qeff_value inputs[] = {table, INTS(0), length, INTS(1)};
    test_expect_type(b, test_node(b, QEFF_OP_SLICE, inputs, 4, NULL, 0), "i64 [1, T]");
}

TEST(slice, refuses_a_step_of_0_and_bounds_of_different_length)
{
    (void)state_;
    const qeff_value x = in(F32, "10");
    const qeff_value zero[] = {x, INTS(0), INTS(5), INTS(0), INTS(0)};
    refuses(QEFF_OP_SLICE, zero, 5, NULL, QEFF_ERR_FORMAT, "step 0");
    const qeff_value uneven[] = {in(F32, "10"), INTS(0), INTS(5, 6)};
    refuses(QEFF_OP_SLICE, uneven, 3, NULL, QEFF_ERR_FORMAT,
            "operand 2: expected 1 elements, found 2");
}

TEST(gather, replaces_the_axis_by_the_indices)
{
    (void)state_;
    const qeff_value table = in(F32, "100,4"), ids = in(I64, "B,T");
    test_expect_type(b, two(QEFF_OP_GATHER, table, ids), "f32 [B, T, 4]");
    test_expect_type(
        b, two_with(QEFF_OP_GATHER, in(F32, "B,T,4"), scalar(0), QEFF_ATTR_INT("axis", 1)),
        "f32 [B, 4]");
    refuses_two(QEFF_OP_GATHER, table, in(F32, "B"), "operand 1: expected i64 or i32, found f32");
}

TEST(gather_elements, has_the_shape_of_its_indices)
{
    (void)state_;
    test_expect_type(b, two(QEFF_OP_GATHER_ELEMENTS, in(F32, "B,T,4"), in(I64, "B,1,4")),
                     "f32 [B, 1, 4]");
    refuses_two(QEFF_OP_GATHER_ELEMENTS, in(F32, "B,T,4"), in(I64, "B,1"),
                "operand 1: expected rank 3, found 2");
}

TEST(shape, may_be_a_part)
{
    (void)state_;
    const qeff_value x = in(F32, "B,T,4");
    const qeff_attribute part[] = {QEFF_ATTR_INT("start", 1), QEFF_ATTR_INT("end", -1)};
    const qeff_value whole = one(QEFF_OP_SHAPE, x),
                     some = test_node(b, QEFF_OP_SHAPE, &x, 1, part, 2);
    test_expect_type(b, whole, "i64 [3]");
    test_expect_known(b, whole, "{B, T, 4}");
    test_expect_type(b, some, "i64 [1]");
    test_expect_known(b, some, "{T}");
}

TEST(constant_of_shape, and_range_take_their_size_from_operands)
{
    (void)state_;
    const qeff_value shape = one(QEFF_OP_SHAPE, in(F32, "B,T"));
    const qeff_attribute as_int = QEFF_ATTR_INT("dtype", ONNX_INT64);
    test_expect_type(b, one(QEFF_OP_CONSTANT_OF_SHAPE, shape), "f32 [B, T]");
    test_expect_type(b, one_with(QEFF_OP_CONSTANT_OF_SHAPE, INTS(2, 3), as_int), "i64 [2, 3]");
    const qeff_value length = two(QEFF_OP_GATHER, shape, scalar(1));
    const qeff_value count[] = {scalar(0), length, scalar(1)};
    const qeff_value numbers[] = {scalar(10), scalar(0), scalar(-3)};
    const qeff_value open[] = {scalar(1), length, scalar(1)};
    test_expect_type(b, test_node(b, QEFF_OP_RANGE, count, 3, NULL, 0), "i64 [T]");
    test_expect_type(b, test_node(b, QEFF_OP_RANGE, numbers, 3, NULL, 0), "i64 [4]");
    test_expect_type(b, test_node(b, QEFF_OP_RANGE, open, 3, NULL, 0), "i64 [?]");
}

/* --- known elements -----------------------------------------------------------------------------
 */

TEST(known_elements, go_through_arithmetic)
{
    (void)state_;
    const qeff_value shape = one(QEFF_OP_SHAPE, in(F32, "B,6,4"));
    test_expect_known(b, two(QEFF_OP_MUL, shape, INTS(1, 2, 0)), "{B, 12, 0}");
    test_expect_known(b, two(QEFF_OP_ADD, shape, INTS(0, 2, -4)), "{B, 8, 0}");
    test_expect_known(b, two(QEFF_OP_DIV, shape, scalar(2)), "{?, 3, 2}");
    test_expect_known(b, two(QEFF_OP_SUB, shape, shape), "{0, 0, 0}");
}

TEST(known_elements, tell_that_no_dim_is_negative)
{
    (void)state_;
    const qeff_value shape = one(QEFF_OP_SHAPE, in(F32, "B,6,4"));
    const qeff_value is_open = two(QEFF_OP_EQUAL, shape, INTS(-1, -1, 4));
    test_expect_known(b, is_open, "{0, 0, 1}");
    const qeff_value inputs[] = {is_open, INTS(1, 1, 1), shape};
    test_expect_known(b, test_node(b, QEFF_OP_WHERE, inputs, 3, NULL, 0), "{B, 6, 1}");
}

TEST(known_elements, go_through_slices_and_casts)
{
    (void)state_;
    const qeff_value shape = one(QEFF_OP_SHAPE, in(F32, "B,6,4"));
    const qeff_value tail = slice(shape, 1, INT64_MAX, 0, 1);
    test_expect_known(b, tail, "{6, 4}");
    test_expect_known(b, slice(shape, -1, INT64_MIN, 0, -1), "{4, 6, B}");
    test_expect_known(b, one_with(QEFF_OP_CAST, shape, QEFF_ATTR_INT("to", ONNX_BOOL)),
                      "{?, 1, 1}");
    test_expect_known(b, one_with(QEFF_OP_CAST, shape, QEFF_ATTR_INT("to", ONNX_FLOAT)), "");
    test_expect_known(b, in(I64, "3"), "");
}

/* --- composites ---------------------------------------------------------------------------------
 */

static void refuses_attention(const char *mask, int64_t n_heads, const char *text)
{
    const qeff_value x = in(F32, "B,T,12");
    const qeff_value inputs[] = {x, x, x, in(I64, mask)};
    const qeff_attribute attributes[] = {QEFF_ATTR_INT("n_heads", n_heads),
                                         QEFF_ATTR_FLOAT("scale", 0.5)};
    assert_int_equal(qb_node(b, QEFF_OP_ATTENTION, NULL, inputs, 4, attributes, 2),
                     QEFF_VALUE_NONE);
    test_expect_failure(b, QEFF_ERR_FORMAT, text);
    b = test_builder(NULL);
}

TEST(attention, has_the_shape_of_the_queries)
{
    (void)state_;
    const qeff_value x = in(F32, "B,T,12");
    test_expect_type(b, qb_attention(b, x, x, x, in(I64, "B,T"), 3, 0.5), "f32 [B, T, 12]");
    refuses_attention("B,T", 5, "5 heads do not divide a last dimension of 12");
    refuses_attention("B,T", 0, "0 heads do not divide");
    refuses_attention("B,T,1", 3, "operand 3: expected rank 2, found 3");
}

TEST(position_ids, are_one_row_of_the_length_of_the_ids)
{
    (void)state_;
    test_expect_type(b, qb_position_ids(b, in(I64, "B,T"), 512), "i64 [1, T]");
    test_expect_type(b, qb_position_ids(b, in(I64, "B,512"), 512), "i64 [1, 512]");
    (void)qb_position_ids(b, in(I64, "B,513"), 512);
    test_expect_failure(b, QEFF_ERR_FORMAT, "length of 513 exceeds 512 positions");
    b = test_builder(NULL);
}

TEST(pool, gives_one_vector_a_sequence)
{
    (void)state_;
    const qeff_value x = in(F32, "B,T,4"), mask = in(I64, "B,T");
    test_expect_type(b, qb_pool(b, x, mask, "mean"), "f32 [B, 4]");
    test_expect_type(b, qb_l2_normalize(b, x, 1e-12), "f32 [B, T, 4]");
    (void)qb_pool(b, x, mask, "median");
    test_expect_failure(b, QEFF_ERR_UNSUPPORTED, "mode 'median' is not known");
    b = test_builder(NULL);
}

/* --- before rules -------------------------------------------------------------------------------
 */

TEST(nodes, are_checked_for_arity_and_attributes)
{
    (void)state_;
    const qeff_value x = in(F32, "B,4");
    const qeff_value three[] = {x, x, x}, missing[] = {x, QEFF_VALUE_NONE, x};
    refuses(QEFF_OP_ADD, &x, 1, NULL, QEFF_ERR_FORMAT, "expected at least 2 operands, found 1");
    const qeff_value y = in(F32, "B,4");
    (void)y;
    refuses(QEFF_OP_ADD, three, 3, NULL, QEFF_ERR_FORMAT, "expected at most 2 operands, found 3");
    (void)in(F32, "B,4");
    refuses(QEFF_OP_WHERE, missing, 3, NULL, QEFF_ERR_FORMAT, "operand 1 is missing");
    (void)in(F32, "B,4");
    const qeff_attribute kind = QEFF_ATTR_FLOAT("axis", 1);
    refuses(QEFF_OP_SOFTMAX, &x, 1, &kind, QEFF_ERR_FORMAT,
            "attribute 'axis' is of the wrong kind");
    (void)in(F32, "B,4");
    const qeff_attribute unknown = QEFF_ATTR_INT("speed", 1);
    refuses(QEFF_OP_SOFTMAX, &x, 1, &unknown, QEFF_ERR_FORMAT, "attribute 'speed' is not known");
    const qeff_value far = 7;
    refuses(QEFF_OP_TANH, &far, 1, NULL, QEFF_ERR_FORMAT, "operand 0 does not exist");
}

TEST(nodes, refuse_results_that_cannot_be_counted)
{
    (void)state_;
    const qeff_value x = in(F32, "1,1");
    const qeff_value inputs[] = {x, INTS(INT32_MAX, INT32_MAX)};
    refuses(QEFF_OP_EXPAND, inputs, 2, NULL, QEFF_ERR_FORMAT, "result of over 2^48 elements");
}

#define IN_BUILDER(subject, statement)                                                             \
    cmocka_unit_test_setup_teardown(subject##__##statement, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BUILDER(broadcast, keeps_equal_names),
        IN_BUILDER(broadcast, stretches_ones_and_missing_dims),
        IN_BUILDER(broadcast, takes_the_number_beside_a_name),
        IN_BUILDER(broadcast, of_two_names_is_known_at_run_time_only),
        IN_BUILDER(broadcast, refuses_sizes_that_do_not_fit),
        IN_BUILDER(broadcast, refuses_mixed_dtypes),
        IN_BUILDER(broadcast, takes_any_number_of_operands_of_min_and_max),
        IN_BUILDER(power, may_have_an_exponent_of_another_dtype),
        IN_BUILDER(comparisons, give_bools),
        IN_BUILDER(where, broadcasts_all_three),
        IN_BUILDER(unary, keeps_type_and_shape),
        IN_BUILDER(clip, takes_scalar_bounds_that_may_be_absent),
        IN_BUILDER(gelu, refuses_an_unknown_approximation),
        IN_BUILDER(cast, takes_onnx_element_types),
        IN_BUILDER(short_weights, count_as_f32_unless_they_meet_their_own_dtype),
        IN_BUILDER(matmul, follows_numpy),
        IN_BUILDER(gemm, transposes_either_side_and_adds_a_row),
        IN_BUILDER(linear, multiplies_by_rows_of_the_weight),
        IN_BUILDER(reductions, drop_or_keep_their_axes),
        IN_BUILDER(reductions, refuse_axes_that_are_wrong_or_not_constant),
        IN_BUILDER(arg_max, gives_indices),
        IN_BUILDER(cum_sum, softmax_and_norms_keep_the_shape),
        IN_BUILDER(transpose, permutes_and_reverses),
        IN_BUILDER(reshape, copies_dims_and_infers_one),
        IN_BUILDER(reshape, refuses_what_does_not_add_up),
        IN_BUILDER(reshape, follows_targets_that_are_computed_from_shapes),
        IN_BUILDER(reshape, leaves_dims_open_that_only_run_time_knows),
        IN_BUILDER(flatten, multiplies_both_sides),
        IN_BUILDER(squeeze, and_unsqueeze_are_opposites),
        IN_BUILDER(concat, adds_sizes_along_its_axis),
        IN_BUILDER(split, gives_as_many_outputs_as_sizes_or_as_asked_for),
        IN_BUILDER(expand, broadcasts_to_a_shape),
        IN_BUILDER(slice, counts_as_onnx_does),
        IN_BUILDER(slice, by_a_dim_is_as_long_as_the_dim),
        IN_BUILDER(slice, refuses_a_step_of_0_and_bounds_of_different_length),
        IN_BUILDER(gather, replaces_the_axis_by_the_indices),
        IN_BUILDER(gather_elements, has_the_shape_of_its_indices),
        IN_BUILDER(shape, may_be_a_part),
        IN_BUILDER(constant_of_shape, and_range_take_their_size_from_operands),
        IN_BUILDER(known_elements, go_through_arithmetic),
        IN_BUILDER(known_elements, tell_that_no_dim_is_negative),
        IN_BUILDER(known_elements, go_through_slices_and_casts),
        IN_BUILDER(attention, has_the_shape_of_the_queries),
        IN_BUILDER(position_ids, are_one_row_of_the_length_of_the_ids),
        IN_BUILDER(pool, gives_one_vector_a_sequence),
        IN_BUILDER(nodes, are_checked_for_arity_and_attributes),
        IN_BUILDER(nodes, refuse_results_that_cannot_be_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
