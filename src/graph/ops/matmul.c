/* matmul.c - products of matrices, and the linear layer.
 *
 *   linear  x W^T + b: x [.., K], W [M, K], b [M] -> [.., M]
 * W keeps the layout of the checkpoint, transposed by a node, so that an export can copy its bytes
 * from file to file. */
#include "graph/ops/rules.h"

static qeff_status expect_not_scalar(const qeff_op_call *call, size_t i, qeff_error *err)
{
    if (qeff_rule_shape(call, i)->rank > 0) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "operand %zu: expected rank 1 or more, found 0", i);
}

/* numpy.matmul: vectors count as [1, K] and [K, 1], and lose that dimension again. */
qeff_status qeff_shape_matmul(qeff_op_call *call, qeff_error *err)
{
    qeff_dtype dtype;
    qeff_shape batch;
    qeff_dim inner;
    QEFF_TRY(qeff_rule_common_dtype(call, 0, 2, &dtype, err));
    QEFF_TRY(expect_not_scalar(call, 0, err));
    QEFF_TRY(expect_not_scalar(call, 1, err));
    const qeff_shape *x = qeff_rule_shape(call, 0), *y = qeff_rule_shape(call, 1);
    QEFF_TRY(qeff_rule_match(x->dims[x->rank - 1], y->dims[y->rank > 1 ? y->rank - 2 : 0],
                             "inner dimension", &inner, err));
    qeff_shape x_batch = *x, y_batch = *y;
    x_batch.rank = x->rank > 2 ? x->rank - 2 : 0;
    y_batch.rank = y->rank > 2 ? y->rank - 2 : 0;
    QEFF_TRY(qeff_rule_broadcast(&x_batch, &y_batch, &batch, err));
    if (x->rank > 1) batch.dims[batch.rank++] = x->dims[x->rank - 2];
    if (y->rank > 1) batch.dims[batch.rank++] = y->dims[y->rank - 1];
    return qeff_rule_output(call, dtype, batch);
}

qeff_status qeff_shape_gemm(qeff_op_call *call, qeff_error *err)
{
    qeff_dtype dtype;
    qeff_dim inner;
    QEFF_TRY(qeff_rule_common_dtype(call, 0, 3, &dtype, err));
    QEFF_TRY(qeff_rule_expect_rank(call, 0, 2, err));
    QEFF_TRY(qeff_rule_expect_rank(call, 1, 2, err));
    const qeff_shape *a = qeff_rule_shape(call, 0), *w = qeff_rule_shape(call, 1);
    const size_t a_inner = qeff_node_int(call->node, "transA", 0) ? 0 : 1;
    const size_t w_inner = qeff_node_int(call->node, "transB", 0) ? 1 : 0;
    QEFF_TRY(qeff_rule_match(a->dims[a_inner], w->dims[w_inner], "inner dimension", &inner, err));
    const qeff_shape shape = {.rank = 2, .dims = {a->dims[1 - a_inner], w->dims[1 - w_inner]}};
    if (qeff_rule_has(call, 2)) {
        qeff_shape sum;
        QEFF_TRY(qeff_rule_broadcast(&shape, qeff_rule_shape(call, 2), &sum, err));
        if (sum.rank != 2)
            return qeff_fail(err, QEFF_ERR_FORMAT, "operand 2: expected rank 2 or less, found %zu",
                             qeff_rule_shape(call, 2)->rank);
    }
    return qeff_rule_output(call, dtype, shape);
}

qeff_status qeff_shape_linear(qeff_op_call *call, qeff_error *err)
{
    qeff_dtype dtype;
    qeff_dim inner;
    QEFF_TRY(qeff_rule_common_dtype(call, 0, 3, &dtype, err));
    QEFF_TRY(qeff_rule_expect_float(dtype, 0, err));
    QEFF_TRY(expect_not_scalar(call, 0, err));
    QEFF_TRY(qeff_rule_expect_rank(call, 1, 2, err));
    qeff_shape shape = *qeff_rule_shape(call, 0);
    const qeff_shape *weight = qeff_rule_shape(call, 1);
    QEFF_TRY(qeff_rule_match(weight->dims[1], shape.dims[shape.rank - 1], "inner dimension", &inner,
                             err));
    if (qeff_rule_has(call, 2)) {
        QEFF_TRY(qeff_rule_expect_rank(call, 2, 1, err));
        QEFF_TRY(qeff_rule_match(weight->dims[0], qeff_rule_shape(call, 2)->dims[0], "bias", &inner,
                                 err));
    }
    shape.dims[shape.rank - 1] = weight->dims[0];
    return qeff_rule_output(call, dtype, shape);
}

qeff_value qeff_decompose_linear(qeff_builder *b, const qeff_node *node, const qeff_value *inputs)
{
    static const int64_t perm[] = {1, 0};
    const bool has_bias = node->n_inputs > 2;
    qeff_value weight = qeff_part_like(b, node, inputs[1], inputs[0]);
    weight = qeff_part_transpose(b, node, weight, perm, 2);
    const qeff_value product[] = {inputs[0], weight};
    if (!has_bias) return qeff_part_last(b, node, QEFF_OP_MATMUL, product, 2, NULL, 0);
    const qeff_value bias = qeff_part_like(b, node, inputs[2], inputs[0]);
    const qeff_value h = qeff_part(b, node, QEFF_OP_MATMUL, product, 2, NULL, 0);
    const qeff_value sum[] = {h, bias};
    return qeff_part_last(b, node, QEFF_OP_ADD, sum, 2, NULL, 0);
}
