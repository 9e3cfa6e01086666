/* parts.c - what decompositions share: primitives and constants named after their composite. */
#include "graph/ops/rules.h"

#include "base/dtype.h"

static qeff_value
add(qeff_builder *b, const qeff_node *node, bool is_last, qeff_op op, const qeff_value *inputs,
    size_t n_inputs, const qeff_attribute *attributes, size_t n_attributes)
{
    qeff_buffer name = {0};
    qeff_buffer_append_str(&name, node->name);
    if (!is_last) qeff_buffer_format(&name, "/%s", qeff_op_get(op)->onnx);
    qeff_buffer_append_byte(&name, 0);
    qeff_value value = QEFF_VALUE_NONE;
    if (name.failed)
        qb_fail(b, QEFF_ERR_NO_MEMORY, "out of memory");
    else
        value = qb_node(b, op, (const char *)name.data, inputs, n_inputs, attributes, n_attributes);
    qeff_buffer_deinit(&name);
    return value;
}

qeff_value qeff_part(qeff_builder *b, const qeff_node *node, qeff_op op, const qeff_value *inputs,
                     size_t n_inputs, const qeff_attribute *attributes, size_t n_attributes)
{
    return add(b, node, false, op, inputs, n_inputs, attributes, n_attributes);
}

qeff_value
qeff_part_last(qeff_builder *b, const qeff_node *node, qeff_op op, const qeff_value *inputs,
               size_t n_inputs, const qeff_attribute *attributes, size_t n_attributes)
{
    return add(b, node, true, op, inputs, n_inputs, attributes, n_attributes);
}

qeff_value qeff_part_unary(qeff_builder *b, const qeff_node *node, qeff_op op, qeff_value x)
{
    return qeff_part(b, node, op, &x, 1, NULL, 0);
}

qeff_value
qeff_part_binary(qeff_builder *b, const qeff_node *node, qeff_op op, qeff_value x, qeff_value y)
{
    const qeff_value inputs[] = {x, y};
    return qeff_part(b, node, op, inputs, 2, NULL, 0);
}

qeff_value qeff_part_with_ints(qeff_builder *b, const qeff_node *node, qeff_op op, qeff_value x,
                               const int64_t *ints, size_t n)
{
    const bool has_axes =
        op == QEFF_OP_UNSQUEEZE || op == QEFF_OP_SQUEEZE || op == QEFF_OP_REDUCE_SUM;
    const qeff_value second = qeff_part_ints(b, node, has_axes ? "axes" : "shape", ints, n);
    return qeff_part_binary(b, node, op, x, second);
}

qeff_value qeff_part_transpose(qeff_builder *b, const qeff_node *node, qeff_value x,
                               const int64_t *perm, size_t n)
{
    const qeff_attribute attribute = QEFF_ATTR_INTS("perm", perm, n);
    return qeff_part(b, node, QEFF_OP_TRANSPOSE, &x, 1, &attribute, 1);
}

qeff_value qeff_part_cast(qeff_builder *b, const qeff_node *node, qeff_value x, qeff_dtype to)
{
    const qeff_attribute attribute = QEFF_ATTR_INT("to", qeff_dtype_get(to)->onnx);
    return qeff_part(b, node, QEFF_OP_CAST, &x, 1, &attribute, 1);
}

static qeff_value constant(qeff_builder *b, const qeff_node *node, const char *name,
                           qeff_dtype dtype, size_t rank, int64_t size, const void *data)
{
    qeff_buffer full = {0};
    qeff_buffer_append_str(&full, node->name);
    qeff_buffer_format(&full, "/%s", name);
    qeff_buffer_append_byte(&full, 0);
    qeff_value value = QEFF_VALUE_NONE;
    if (full.failed)
        qb_fail(b, QEFF_ERR_NO_MEMORY, "out of memory");
    else
        value = qb_constant(b, (const char *)full.data, dtype, rank, &size, data);
    qeff_buffer_deinit(&full);
    return value;
}

qeff_value qeff_part_scalar(qeff_builder *b, const qeff_node *node, const char *name, float value)
{
    uint8_t bytes[4];
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    qeff_store_u32le(bytes, bits);
    return constant(b, node, name, QEFF_DTYPE_F32, 0, 0, bytes);
}

qeff_value qeff_part_ints(qeff_builder *b, const qeff_node *node, const char *name,
                          const int64_t *values, size_t n)
{
    uint8_t bytes[8 * QEFF_MAX_RANK] = {0};
    for (size_t i = 0; i < n && i < QEFF_MAX_RANK; i++)
        qeff_store_u64le(bytes + 8 * i, (uint64_t)values[i]);
    return constant(b, node, name, QEFF_DTYPE_I64, 1, (int64_t)n, bytes);
}

qeff_value qeff_part_int(qeff_builder *b, const qeff_node *node, const char *name, int64_t value)
{
    uint8_t bytes[8];
    qeff_store_u64le(bytes, (uint64_t)value);
    return constant(b, node, name, QEFF_DTYPE_I64, 0, 0, bytes);
}

qeff_value qeff_part_like(qeff_builder *b, const qeff_node *node, qeff_value weight, qeff_value x)
{
    if (qb_has_failed(b)) return QEFF_VALUE_NONE;
    const qeff_graph *graph = qb_graph(b);
    const qeff_dtype dtype = qeff_op_operand_dtype(graph, x);
    if (qeff_graph_value(graph, weight)->dtype == dtype) return weight;
    return qeff_part_cast(b, node, weight, dtype);
}
