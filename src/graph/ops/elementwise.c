/* elementwise.c - arithmetic, comparison, logic, selection, functions of one operand, casts. */
#include "graph/ops/rules.h"

#include "base/dtype.h"

#include <inttypes.h>

static qeff_status broadcast_operands(const qeff_op_call *call, qeff_shape *out, qeff_error *err)
{
    *out = (qeff_shape){.rank = 0};
    for (size_t i = 0; i < call->node->n_inputs; i++)
        QEFF_TRY(qeff_rule_broadcast(out, qeff_rule_shape(call, i), out, err));
    return QEFF_OK;
}

static qeff_status expect_bool(const qeff_op_call *call, size_t i, qeff_error *err)
{
    const qeff_dtype dtype = qeff_rule_dtype(call, i);
    if (dtype == QEFF_DTYPE_BOOL) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "operand %zu: expected bool, found %s", i,
                     qeff_dtype_name(dtype));
}

static qeff_status expect_number(qeff_dtype dtype, qeff_error *err)
{
    if (dtype != QEFF_DTYPE_BOOL) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "operand 0: expected numbers, found bool");
}

qeff_status qeff_shape_broadcast(qeff_op_call *call, qeff_error *err)
{
    qeff_dtype dtype;
    qeff_shape shape;
    QEFF_TRY(qeff_rule_common_dtype(call, 0, call->node->n_inputs, &dtype, err));
    QEFF_TRY(expect_number(dtype, err));
    QEFF_TRY(broadcast_operands(call, &shape, err));
    return qeff_rule_output(call, dtype, shape);
}

/* The exponent may be of another dtype. */
qeff_status qeff_shape_power(qeff_op_call *call, qeff_error *err)
{
    qeff_shape shape;
    const qeff_dtype dtype = qeff_rule_dtype(call, 0);
    QEFF_TRY(expect_number(dtype, err));
    QEFF_TRY(broadcast_operands(call, &shape, err));
    return qeff_rule_output(call, dtype, shape);
}

qeff_status qeff_shape_compare(qeff_op_call *call, qeff_error *err)
{
    qeff_dtype dtype;
    qeff_shape shape;
    QEFF_TRY(qeff_rule_common_dtype(call, 0, 2, &dtype, err));
    if (call->node->op != QEFF_OP_EQUAL) QEFF_TRY(expect_number(dtype, err));
    QEFF_TRY(broadcast_operands(call, &shape, err));
    return qeff_rule_output(call, QEFF_DTYPE_BOOL, shape);
}

qeff_status qeff_shape_logical(qeff_op_call *call, qeff_error *err)
{
    qeff_shape shape;
    for (size_t i = 0; i < call->node->n_inputs; i++)
        QEFF_TRY(expect_bool(call, i, err));
    QEFF_TRY(broadcast_operands(call, &shape, err));
    return qeff_rule_output(call, QEFF_DTYPE_BOOL, shape);
}

qeff_status qeff_shape_where(qeff_op_call *call, qeff_error *err)
{
    qeff_dtype dtype;
    qeff_shape shape;
    QEFF_TRY(expect_bool(call, 0, err));
    QEFF_TRY(qeff_rule_common_dtype(call, 1, 3, &dtype, err));
    QEFF_TRY(broadcast_operands(call, &shape, err));
    return qeff_rule_output(call, dtype, shape);
}

/* The bounds of clip are scalars of the operand's dtype. */
qeff_status qeff_shape_same(qeff_op_call *call, qeff_error *err)
{
    qeff_dtype dtype;
    QEFF_TRY(qeff_rule_common_dtype(call, 0, call->node->n_inputs, &dtype, err));
    if (call->node->op != QEFF_OP_IDENTITY) QEFF_TRY(expect_number(dtype, err));
    for (size_t i = 1; i < call->node->n_inputs; i++)
        if (qeff_rule_has(call, i)) QEFF_TRY(qeff_rule_expect_one_element(call, i, err));
    return qeff_rule_output(call, dtype, *qeff_rule_shape(call, 0));
}

static qeff_status check_approximation(const qeff_node *node, qeff_error *err)
{
    const qeff_str by = qeff_node_str(node, "approximate", "none");
    if (qeff_str_is(by, "none") || qeff_str_is(by, "tanh")) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "approximate: expected 'none' or 'tanh', found '%.*s'",
                     QEFF_STR_ARGS(by));
}

qeff_status qeff_shape_same_float(qeff_op_call *call, qeff_error *err)
{
    const qeff_dtype dtype = qeff_rule_dtype(call, 0);
    QEFF_TRY(qeff_rule_expect_float(dtype, 0, err));
    if (call->node->op == QEFF_OP_GELU) QEFF_TRY(check_approximation(call->node, err));
    if (call->node->op == QEFF_OP_L2_NORMALIZE && qeff_rule_shape(call, 0)->rank == 0)
        return qeff_fail(err, QEFF_ERR_FORMAT, "operand 0: expected rank 1 or more, found 0");
    return qeff_rule_output(call, dtype, *qeff_rule_shape(call, 0));
}

qeff_status qeff_shape_cast(qeff_op_call *call, qeff_error *err)
{
    const qeff_attribute *to = qeff_node_find_attribute(call->node, "to");
    if (!to) return qeff_fail(err, QEFF_ERR_FORMAT, "attribute 'to' is missing");
    const qeff_dtype dtype = qeff_dtype_from_onnx(to->i);
    if (dtype == QEFF_DTYPE_NONE)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "to: element type %" PRId64 " is not known",
                         to->i);
    return qeff_rule_output(call, dtype, *qeff_rule_shape(call, 0));
}
