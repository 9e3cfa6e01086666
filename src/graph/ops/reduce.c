/* reduce.c - reductions, cumulative sums, softmax, layer and rms norm, L2 normalisation.
 *
 *   rms_norm      x / sqrt(mean(x^2) + eps) * scale over the last dimension, as torch.nn.RMSNorm
 *   l2_normalize  x / max(||x||, eps) over the last dimension, as torch.nn.functional.normalize */
#include "graph/ops/rules.h"

/* Axes as bits; none given: all of them, unless that is said to mean none. */
static qeff_status read_axes(const qeff_op_call *call, size_t rank, unsigned *bits, qeff_error *err)
{
    int64_t axes[QEFF_KNOWN_ELEMENTS_MAX];
    size_t n = 0;
    const qeff_attribute *attribute = qeff_node_find_attribute(call->node, "axes");
    if (qeff_rule_has(call, 1)) {
        QEFF_TRY(qeff_rule_constants(call, 1, axes, &n, err));
    } else if (attribute) {
        n = attribute->n_ints;
        if (n > QEFF_MAX_RANK)
            return qeff_fail(err, QEFF_ERR_FORMAT, "%zu axes exceed rank %zu", n, rank);
        for (size_t i = 0; i < n; i++)
            axes[i] = attribute->ints[i];
    }
    const bool is_noop = qeff_node_int(call->node, "noop_with_empty_axes", 0) != 0;
    *bits = n || is_noop ? 0 : (1u << rank) - 1;
    for (size_t i = 0; i < n; i++) {
        size_t axis = 0;
        QEFF_TRY(qeff_rule_axis(axes[i], rank, &axis, err));
        if (*bits & 1u << axis) return qeff_fail(err, QEFF_ERR_FORMAT, "axis %zu twice", axis);
        *bits |= 1u << axis;
    }
    return QEFF_OK;
}

static qeff_shape without_axes(const qeff_shape *in, unsigned bits, bool keeps)
{
    qeff_shape out = {.rank = 0};
    for (size_t i = 0; i < in->rank; i++) {
        if (!(bits & 1u << i))
            out.dims[out.rank++] = in->dims[i];
        else if (keeps)
            out.dims[out.rank++] = qeff_dim_of(1);
    }
    return out;
}

qeff_status qeff_shape_reduce(qeff_op_call *call, qeff_error *err)
{
    unsigned bits = 0;
    const qeff_shape *x = qeff_rule_shape(call, 0);
    const qeff_dtype dtype = qeff_rule_dtype(call, 0);
    if (dtype == QEFF_DTYPE_BOOL)
        return qeff_fail(err, QEFF_ERR_FORMAT, "operand 0: expected numbers, found bool");
    QEFF_TRY(read_axes(call, x->rank, &bits, err));
    const bool keeps = qeff_node_int(call->node, "keepdims", 1) != 0;
    return qeff_rule_output(call, dtype, without_axes(x, bits, keeps));
}

qeff_status qeff_shape_arg_max(qeff_op_call *call, qeff_error *err)
{
    size_t axis = 0;
    const qeff_shape *x = qeff_rule_shape(call, 0);
    QEFF_TRY(qeff_rule_axis(qeff_node_int(call->node, "axis", 0), x->rank, &axis, err));
    const bool keeps = qeff_node_int(call->node, "keepdims", 1) != 0;
    return qeff_rule_output(call, QEFF_DTYPE_I64, without_axes(x, 1u << axis, keeps));
}

qeff_status qeff_shape_cum_sum(qeff_op_call *call, qeff_error *err)
{
    int64_t axis[QEFF_KNOWN_ELEMENTS_MAX];
    size_t n = 0, unused = 0;
    const qeff_shape *x = qeff_rule_shape(call, 0);
    QEFF_TRY(qeff_rule_expect_one_element(call, 1, err));
    QEFF_TRY(qeff_rule_constants(call, 1, axis, &n, err));
    QEFF_TRY(qeff_rule_axis(axis[0], x->rank, &unused, err));
    return qeff_rule_output(call, qeff_rule_dtype(call, 0), *x);
}

qeff_status qeff_shape_softmax(qeff_op_call *call, qeff_error *err)
{
    size_t axis = 0;
    const qeff_shape *x = qeff_rule_shape(call, 0);
    const qeff_dtype dtype = qeff_rule_dtype(call, 0);
    QEFF_TRY(qeff_rule_expect_float(dtype, 0, err));
    QEFF_TRY(qeff_rule_axis(qeff_node_int(call->node, "axis", -1), x->rank, &axis, err));
    return qeff_rule_output(call, dtype, *x);
}

/* Scale and bias broadcast to the normalised dimensions [axis, rank). */
qeff_status qeff_shape_layer_norm(qeff_op_call *call, qeff_error *err)
{
    size_t axis = 0;
    qeff_dtype dtype;
    const qeff_shape *x = qeff_rule_shape(call, 0);
    QEFF_TRY(qeff_rule_common_dtype(call, 0, 3, &dtype, err));
    QEFF_TRY(qeff_rule_expect_float(dtype, 0, err));
    QEFF_TRY(qeff_rule_axis(qeff_node_int(call->node, "axis", -1), x->rank, &axis, err));
    if (qeff_node_int(call->node, "stash_type", 1) != 1)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "stash_type other than f32");
    for (size_t i = 1; i < 3; i++) {
        qeff_dim matched;
        if (!qeff_rule_has(call, i)) continue;
        const qeff_shape *w = qeff_rule_shape(call, i);
        QEFF_TRY(qeff_rule_expect_rank(call, i, x->rank - axis, err));
        for (size_t k = 0; k < w->rank; k++)
            QEFF_TRY(qeff_rule_match(x->dims[axis + k], w->dims[k], i == 1 ? "scale" : "bias",
                                     &matched, err));
    }
    return qeff_rule_output(call, dtype, *x);
}

qeff_status qeff_shape_rms_norm(qeff_op_call *call, qeff_error *err)
{
    qeff_dtype dtype;
    qeff_dim matched;
    const qeff_shape *x = qeff_rule_shape(call, 0), *scale = qeff_rule_shape(call, 1);
    QEFF_TRY(qeff_rule_common_dtype(call, 0, 2, &dtype, err));
    QEFF_TRY(qeff_rule_expect_float(dtype, 0, err));
    if (x->rank == 0) return qeff_fail(err, QEFF_ERR_FORMAT, "operand 0: expected a dimension");
    QEFF_TRY(qeff_rule_expect_rank(call, 1, 1, err));
    QEFF_TRY(qeff_rule_match(x->dims[x->rank - 1], scale->dims[0], "scale", &matched, err));
    return qeff_rule_output(call, dtype, *x);
}

qeff_value qeff_decompose_rms_norm(qeff_builder *b, const qeff_node *node, const qeff_value *inputs)
{
    static const int64_t last_axis[] = {-1};
    const qeff_attribute attributes[] = {QEFF_ATTR_INTS("axes", last_axis, 1),
                                         QEFF_ATTR_INT("keepdims", 1)};
    const float epsilon = (float)qeff_node_float(node, "epsilon", 1e-5);
    const qeff_value square = qeff_part_binary(b, node, QEFF_OP_MUL, inputs[0], inputs[0]);
    qeff_value root = qeff_part(b, node, QEFF_OP_REDUCE_MEAN, &square, 1, attributes, 2);
    root =
        qeff_part_binary(b, node, QEFF_OP_ADD, root, qeff_part_scalar(b, node, "epsilon", epsilon));
    root = qeff_part_unary(b, node, QEFF_OP_SQRT, root);
    const qeff_value last[] = {qeff_part_binary(b, node, QEFF_OP_DIV, inputs[0], root), inputs[1]};
    return qeff_part_last(b, node, QEFF_OP_MUL, last, 2, NULL, 0);
}

qeff_value
qeff_decompose_l2_normalize(qeff_builder *b, const qeff_node *node, const qeff_value *inputs)
{
    static const int64_t last_axis[] = {-1};
    const qeff_attribute attributes[] = {QEFF_ATTR_INTS("axes", last_axis, 1),
                                         QEFF_ATTR_INT("keepdims", 1)};
    const float epsilon = (float)qeff_node_float(node, "epsilon", 1e-12);
    qeff_value norm = qeff_part(b, node, QEFF_OP_REDUCE_L2, inputs, 1, attributes, 2);
    const qeff_value floor = qeff_part_scalar(b, node, "epsilon", epsilon);
    norm = qeff_part_binary(b, node, QEFF_OP_CLIP, norm, floor);
    const qeff_value last[] = {inputs[0], norm};
    return qeff_part_last(b, node, QEFF_OP_DIV, last, 2, NULL, 0);
}
