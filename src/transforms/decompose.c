/* decompose.c - composites become primitives, which ONNX has operators for.
 *
 * Rules take a weight of f16 or bf16 for f32; ONNX does not. So it is cast, once, where a primitive
 * uses it as such. */
#include "transforms/transforms.h"

#include "base/dtype.h"
#include "base/error.h"
#include "base/span.h"
#include "graph/op.h"
#include "graph/rewrite.h"

typedef struct decomposition {
    qeff_rewrite rw;
    qeff_value *casts; /* [n_values] the f32 of a short weight, or QEFF_VALUE_NONE */
} decomposition;

/* Whether the node computes in the weight's own dtype, because other operands have it. */
static bool meets_own_dtype(const qeff_graph *g, const qeff_node *node, qeff_dtype dtype)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != QEFF_VALUE_NONE && !qeff_graph_is_weight(g, node->inputs[i]) &&
            g->values[node->inputs[i]].dtype == dtype)
            return true;
    return false;
}

static bool needs_cast(const qeff_graph *g, const qeff_node *node, qeff_value value)
{
    if (value == QEFF_VALUE_NONE || node->op == QEFF_OP_CAST || node->op == QEFF_OP_SHAPE)
        return false;
    const qeff_dtype dtype = g->values[value].dtype;
    return dtype != qeff_op_operand_dtype(g, value) && !meets_own_dtype(g, node, dtype);
}

static qeff_value cast_weight(decomposition *d, qeff_value old)
{
    if (d->casts[old] != QEFF_VALUE_NONE) return d->casts[old];
    const qeff_value weight = qeff_rewrite_value(&d->rw, old);
    const qeff_attribute to = QEFF_ATTR_INT("to", qeff_dtype_get(QEFF_DTYPE_F32)->onnx);
    qeff_buffer name = {0};
    qeff_buffer_append_str(&name, d->rw.in->values[old].name);
    qeff_buffer_append(&name, "/Cast", sizeof "/Cast");
    if (name.failed)
        qb_fail(d->rw.b, QEFF_ERR_NO_MEMORY, "out of memory");
    else
        d->casts[old] = qb_node(d->rw.b, QEFF_OP_CAST, (const char *)name.data, &weight, 1, &to, 1);
    qeff_buffer_deinit(&name);
    return d->casts[old];
}

static void add_node(decomposition *d, const qeff_node *node)
{
    if (qb_has_failed(d->rw.b)) return;
    qeff_value *inputs = qeff_alloc_array(node->n_inputs, sizeof *inputs);
    if (!inputs) {
        qb_fail(d->rw.b, QEFF_ERR_NO_MEMORY, "out of memory");
        return;
    }
    const qeff_op_info *op = qeff_op_get(node->op);
    for (size_t i = 0; i < node->n_inputs; i++) {
        const qeff_value old = node->inputs[i];
        inputs[i] = op->kind == QEFF_OP_PRIMITIVE && needs_cast(d->rw.in, node, old)
                        ? cast_weight(d, old)
                        : qeff_rewrite_value(&d->rw, old);
    }
    qeff_value value = QEFF_VALUE_NONE;
    if (op->kind == QEFF_OP_COMPOSITE)
        value = op->decompose(d->rw.b, node, inputs);
    else
        value = qb_node(d->rw.b, node->op, node->name.data, inputs, node->n_inputs,
                        node->attributes, node->n_attributes);
    for (size_t i = 0; i < node->n_outputs && value != QEFF_VALUE_NONE; i++)
        qeff_rewrite_set(&d->rw, node->outputs[i], value + (qeff_value)i);
    qeff_free(inputs);
}

qeff_status qeff_transform_decompose(const qeff_graph *in, qeff_graph **out, qeff_error *err)
{
    decomposition d = {.casts = qeff_alloc_array(in->n_values, sizeof *d.casts)};
    *out = NULL;
    if (!d.casts) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < in->n_values; i++)
        d.casts[i] = QEFF_VALUE_NONE;
    qeff_status status = qeff_rewrite_begin(&d.rw, in, err);
    if (!status) {
        for (size_t i = 0; i < in->n_nodes; i++)
            add_node(&d, &in->nodes[i]);
        status = qeff_rewrite_finish(&d.rw, out, err);
    }
    qeff_free(d.casts);
    return status;
}
