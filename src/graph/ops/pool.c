/* pool.c - one vector a sequence out of its token vectors.
 *
 * x [B, T, H], mask m [B, T] of 1 and 0 -> [B, H]; sums and maxima run over T:
 *   cls                   x at the first t with m = 1
 *   lasttoken             x at the last t with m = 1
 *   max                   max of x where m = 1; 0 where no m is 1
 *   mean                  sum(x m) / max(sum(m), 1e-9)
 *   mean_sqrt_len_tokens  sum(x m) / sqrt(max(sum(m), 1e-9))
 *   weightedmean          sum(x w) / max(sum(w), 1e-9) with w = m (t + 1)
 * Reference: sentence_transformers/models/Pooling.py. */
#include "graph/ops/rules.h"

#include <float.h>

static const char *const modes[] = {
    "cls", "lasttoken", "max", "mean", "mean_sqrt_len_tokens", "weightedmean"};

qeff_status qeff_shape_pool(qeff_op_call *call, qeff_error *err)
{
    qeff_dim dim;
    const qeff_str mode = qeff_node_str(call->node, "mode", "");
    const qeff_dtype dtype = qeff_rule_dtype(call, 0);
    bool is_known = false;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        is_known |= qeff_str_is(mode, modes[i]);
    if (!is_known)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "mode '%.*s' is not known",
                         QEFF_STR_ARGS(mode));
    QEFF_TRY(qeff_rule_expect_float(dtype, 0, err));
    QEFF_TRY(qeff_rule_expect_rank(call, 0, 3, err));
    QEFF_TRY(qeff_rule_expect_rank(call, 1, 2, err));
    if (qeff_rule_dtype(call, 1) != QEFF_DTYPE_BOOL)
        QEFF_TRY(qeff_rule_expect_integer(call, 1, err));
    const qeff_shape *x = qeff_rule_shape(call, 0), *mask = qeff_rule_shape(call, 1);
    QEFF_TRY(qeff_rule_match(x->dims[0], mask->dims[0], "batch of the mask", &dim, err));
    QEFF_TRY(qeff_rule_match(x->dims[1], mask->dims[1], "length of the mask", &dim, err));
    const qeff_shape shape = {.rank = 2, .dims = {x->dims[0], x->dims[2]}};
    return qeff_rule_output(call, dtype, shape);
}

/* --- one token ----------------------------------------------------------------------------------
 */

/* The index of the first or last 1 picks a row: [B] -> [B, 1, H] indices -> x [B, 1, H] -> [B, H].
 */
static qeff_value
pool_token(qeff_builder *b, const qeff_node *node, qeff_value x, qeff_value mask, bool takes_last)
{
    static const int64_t last_axis[] = {2}, along[] = {1};
    if (qb_has_failed(b)) return QEFF_VALUE_NONE;
    const qeff_attribute search[] = {QEFF_ATTR_INT("axis", 1), QEFF_ATTR_INT("keepdims", 1),
                                     QEFF_ATTR_INT("select_last_index", takes_last)};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 1);
    const int64_t width[] = {1, 1, qeff_graph_value(qb_graph(b), x)->shape.dims[2].size};
    qeff_value index = qeff_part_cast(b, node, mask, QEFF_DTYPE_I32);
    index = qeff_part(b, node, QEFF_OP_ARG_MAX, &index, 1, search, 3);
    index = qeff_part_with_ints(b, node, QEFF_OP_UNSQUEEZE, index, last_axis, 1);
    index = qeff_part_with_ints(b, node, QEFF_OP_EXPAND, index, width, 3);
    const qeff_value pick[] = {x, index};
    const qeff_value row = qeff_part(b, node, QEFF_OP_GATHER_ELEMENTS, pick, 2, &axis, 1);
    const qeff_value axes = qeff_part_ints(b, node, "axes", along, 1);
    const qeff_value last[] = {row, axes};
    return qeff_part_last(b, node, QEFF_OP_SQUEEZE, last, 2, NULL, 0);
}

/* --- maximum ------------------------------------------------------------------------------------
 */

static qeff_value pool_max(qeff_builder *b, const qeff_node *node, qeff_value x, qeff_value mask)
{
    static const int64_t last_axis[] = {2}, along[] = {1};
    const qeff_attribute reduce[] = {QEFF_ATTR_INTS("axes", along, 1),
                                     QEFF_ATTR_INT("keepdims", 0)};
    const qeff_attribute keep[] = {QEFF_ATTR_INTS("axes", along, 1), QEFF_ATTR_INT("keepdims", 1)};
    const qeff_value lowest = qeff_part_scalar(b, node, "lowest", -FLT_MAX);
    const qeff_value zero = qeff_part_scalar(b, node, "zero", 0.0f);
    const qeff_value is_token = qeff_part_cast(b, node, mask, QEFF_DTYPE_BOOL);
    const qeff_value column =
        qeff_part_with_ints(b, node, QEFF_OP_UNSQUEEZE, is_token, last_axis, 1);
    const qeff_value masked[] = {column, x, lowest};
    qeff_value h = qeff_part(b, node, QEFF_OP_WHERE, masked, 3, NULL, 0);
    h = qeff_part(b, node, QEFF_OP_REDUCE_MAX, &h, 1, reduce, 2);
    qeff_value has_token = qeff_part_cast(b, node, mask, QEFF_DTYPE_I32);
    has_token = qeff_part(b, node, QEFF_OP_REDUCE_MAX, &has_token, 1, keep, 2);
    has_token = qeff_part_cast(b, node, has_token, QEFF_DTYPE_BOOL);
    const qeff_value last[] = {has_token, h, zero};
    return qeff_part_last(b, node, QEFF_OP_WHERE, last, 3, NULL, 0);
}

/* --- means --------------------------------------------------------------------------------------
 */

/* m (t + 1) as f32 [B, T] */
static qeff_value
weigh_positions(qeff_builder *b, const qeff_node *node, qeff_value mask, qeff_value mask_f32)
{
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 0);
    const qeff_value shape = qeff_part_unary(b, node, QEFF_OP_SHAPE, mask);
    const qeff_value index = qeff_part_int(b, node, "axis", 1);
    const qeff_value gather[] = {shape, index};
    const qeff_value length = qeff_part(b, node, QEFF_OP_GATHER, gather, 2, &axis, 1);
    const qeff_value zero = qeff_part_int(b, node, "first", 0);
    const qeff_value one = qeff_part_int(b, node, "step", 1);
    const qeff_value range[] = {zero, length, one};
    qeff_value weight = qeff_part(b, node, QEFF_OP_RANGE, range, 3, NULL, 0);
    weight = qeff_part_binary(b, node, QEFF_OP_ADD, weight, one);
    weight = qeff_part_cast(b, node, weight, QEFF_DTYPE_F32);
    return qeff_part_binary(b, node, QEFF_OP_MUL, mask_f32, weight);
}

static qeff_value sum_tokens(qeff_builder *b, const qeff_node *node, qeff_value x, bool keeps)
{
    static const int64_t along[] = {1};
    const qeff_value axes = qeff_part_ints(b, node, "axes", along, 1);
    const qeff_value inputs[] = {x, axes};
    const qeff_attribute keepdims = QEFF_ATTR_INT("keepdims", keeps);
    return qeff_part(b, node, QEFF_OP_REDUCE_SUM, inputs, 2, &keepdims, 1);
}

static qeff_value
pool_mean(qeff_builder *b, const qeff_node *node, qeff_value x, qeff_value mask, qeff_str mode)
{
    static const int64_t last_axis[] = {2};
    qeff_value weight = qeff_part_cast(b, node, mask, QEFF_DTYPE_F32);
    if (qeff_str_is(mode, "weightedmean")) weight = weigh_positions(b, node, mask, weight);
    const qeff_value column = qeff_part_with_ints(b, node, QEFF_OP_UNSQUEEZE, weight, last_axis, 1);
    const qeff_value product = qeff_part_binary(b, node, QEFF_OP_MUL, x, column);
    const qeff_value sum = sum_tokens(b, node, product, false);
    const qeff_value floor = qeff_part_scalar(b, node, "floor", 1e-9f);
    qeff_value count = sum_tokens(b, node, weight, true);
    count = qeff_part_binary(b, node, QEFF_OP_CLIP, count, floor);
    if (qeff_str_is(mode, "mean_sqrt_len_tokens"))
        count = qeff_part_unary(b, node, QEFF_OP_SQRT, count);
    const qeff_value last[] = {sum, count};
    return qeff_part_last(b, node, QEFF_OP_DIV, last, 2, NULL, 0);
}

qeff_value qeff_decompose_pool(qeff_builder *b, const qeff_node *node, const qeff_value *inputs)
{
    const qeff_str mode = qeff_node_str(node, "mode", "mean");
    if (qeff_str_is(mode, "cls")) return pool_token(b, node, inputs[0], inputs[1], false);
    if (qeff_str_is(mode, "lasttoken")) return pool_token(b, node, inputs[0], inputs[1], true);
    if (qeff_str_is(mode, "max")) return pool_max(b, node, inputs[0], inputs[1]);
    return pool_mean(b, node, inputs[0], inputs[1], mode);
}
