/* attention.c - multi-head attention with a padding mask, and position ids.
 *
 *   attention  softmax(q k^T * scale + (1 - mask) * lowest) v, by heads
 *              q, k, v [B, T, H] -> [B, N, T, D] with H = N D; mask [B, T] -> [B, 1, 1, T]
 * `lowest` is the lowest f32: a masked score stays finite, so that a row of padding alone gives
 * the mean of v and not NaN. */
#include "graph/ops/rules.h"

#include <float.h>
#include <inttypes.h>

static qeff_status expect_mask(const qeff_op_call *call, size_t i, qeff_error *err)
{
    QEFF_TRY(qeff_rule_expect_rank(call, i, 2, err));
    if (qeff_rule_dtype(call, i) == QEFF_DTYPE_BOOL) return QEFF_OK;
    return qeff_rule_expect_integer(call, i, err);
}

qeff_status qeff_shape_attention(qeff_op_call *call, qeff_error *err)
{
    qeff_dtype dtype;
    qeff_dim dim;
    const int64_t n_heads = qeff_node_int(call->node, "n_heads", 0);
    const qeff_shape *q = qeff_rule_shape(call, 0), *mask = qeff_rule_shape(call, 3);
    QEFF_TRY(qeff_rule_common_dtype(call, 0, 3, &dtype, err));
    QEFF_TRY(qeff_rule_expect_float(dtype, 0, err));
    for (size_t i = 0; i < 3; i++) {
        QEFF_TRY(qeff_rule_expect_rank(call, i, 3, err));
        for (size_t k = 0; k < 3; k++)
            QEFF_TRY(qeff_rule_match(q->dims[k], qeff_rule_shape(call, i)->dims[k], "dimension",
                                     &dim, err));
    }
    QEFF_TRY(expect_mask(call, 3, err));
    QEFF_TRY(qeff_rule_match(q->dims[0], mask->dims[0], "batch of the mask", &dim, err));
    QEFF_TRY(qeff_rule_match(q->dims[1], mask->dims[1], "length of the mask", &dim, err));
    if (q->dims[2].symbol || n_heads < 1 || q->dims[2].size % n_heads != 0)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "%" PRId64 " heads do not divide a last dimension of %" PRId64, n_heads,
                         q->dims[2].size);
    if (!qeff_node_find_attribute(call->node, "scale"))
        return qeff_fail(err, QEFF_ERR_FORMAT, "attribute 'scale' is missing");
    return qeff_rule_output(call, dtype, *q);
}

/* [B, T, H] -> [B, N, T, D], or [B, N, D, T] for the keys. */
static qeff_value split_heads(qeff_builder *b, const qeff_node *node, qeff_value x,
                              const int64_t shape[4], bool is_key)
{
    static const int64_t heads[] = {0, 2, 1, 3}, keys[] = {0, 2, 3, 1};
    x = qeff_part_with_ints(b, node, QEFF_OP_RESHAPE, x, shape, 4);
    return qeff_part_transpose(b, node, x, is_key ? keys : heads, 4);
}

/* [B, T] of 1 and 0 -> [B, 1, 1, T] of 0 and the lowest f32. */
static qeff_value mask_bias(qeff_builder *b, const qeff_node *node, qeff_value mask)
{
    static const int64_t axes[] = {1, 2};
    const qeff_value one = qeff_part_scalar(b, node, "one", 1.0f);
    const qeff_value lowest = qeff_part_scalar(b, node, "lowest", -FLT_MAX);
    qeff_value bias = qeff_part_cast(b, node, mask, QEFF_DTYPE_F32);
    bias = qeff_part_binary(b, node, QEFF_OP_SUB, one, bias);
    bias = qeff_part_binary(b, node, QEFF_OP_MUL, bias, lowest);
    return qeff_part_with_ints(b, node, QEFF_OP_UNSQUEEZE, bias, axes, 2);
}

qeff_value
qeff_decompose_attention(qeff_builder *b, const qeff_node *node, const qeff_value *inputs)
{
    static const int64_t merge[] = {0, 2, 1, 3};
    if (qb_has_failed(b)) return QEFF_VALUE_NONE;
    const int64_t n_heads = qeff_node_int(node, "n_heads", 1);
    const int64_t hidden = qeff_graph_value(qb_graph(b), inputs[0])->shape.dims[2].size;
    const int64_t split_shape[] = {0, 0, n_heads, hidden / n_heads};
    const int64_t merged_shape[] = {0, 0, hidden};
    const float scale = (float)qeff_node_float(node, "scale", 1);

    const qeff_value q = split_heads(b, node, inputs[0], split_shape, false);
    const qeff_value k = split_heads(b, node, inputs[1], split_shape, true);
    const qeff_value v = split_heads(b, node, inputs[2], split_shape, false);
    const qeff_value bias = mask_bias(b, node, inputs[3]);
    const qeff_value factor = qeff_part_scalar(b, node, "scale", scale);
    qeff_value h = qeff_part_binary(b, node, QEFF_OP_MATMUL, q, k);
    h = qeff_part_binary(b, node, QEFF_OP_MUL, h, factor);
    h = qeff_part_binary(b, node, QEFF_OP_ADD, h, bias);
    const qeff_attribute axis = QEFF_ATTR_INT("axis", -1);
    h = qeff_part(b, node, QEFF_OP_SOFTMAX, &h, 1, &axis, 1);
    h = qeff_part_binary(b, node, QEFF_OP_MATMUL, h, v);
    h = qeff_part_transpose(b, node, h, merge, 4);
    const qeff_value shape = qeff_part_ints(b, node, "shape", merged_shape, 3);
    const qeff_value last[] = {h, shape};
    return qeff_part_last(b, node, QEFF_OP_RESHAPE, last, 2, NULL, 0);
}
