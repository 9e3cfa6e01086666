/* rewrite.c - copying a graph through a builder. */
#include "graph/rewrite.h"

#include "base/error.h"

qeff_status qeff_rewrite_begin(qeff_rewrite *rw, const qeff_graph *in, qeff_error *err)
{
    *rw = (qeff_rewrite){.in = in};
    rw->map = qeff_alloc_array(in->n_values, sizeof *rw->map);
    if (!rw->map) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < in->n_values; i++)
        rw->map[i] = QEFF_VALUE_NONE;
    const qeff_status status = qb_create(in->name.data, NULL, &rw->b, err);
    if (status) {
        qeff_rewrite_abort(rw);
        return status;
    }
    for (size_t i = 0; i < in->n_inputs; i++) {
        const qeff_value_info *info = qeff_graph_value(in, in->inputs[i]);
        rw->map[in->inputs[i]] = qb_input(rw->b, info->name.data, info->dtype, &info->shape);
    }
    return QEFF_OK;
}

/* Bytes that the old graph owns are copied; those of checkpoints are borrowed again. */
static qeff_value copy_weight(qeff_rewrite *rw, const qeff_value_info *info)
{
    int64_t shape[QEFF_MAX_RANK];
    if (!info->is_owned) return qb_borrowed(rw->b, info);
    for (size_t i = 0; i < info->shape.rank; i++)
        shape[i] = info->shape.dims[i].size;
    return qb_constant(rw->b, info->name.data, info->dtype, info->shape.rank, shape,
                       info->data.data);
}

qeff_value qeff_rewrite_value(qeff_rewrite *rw, qeff_value old)
{
    if (old == QEFF_VALUE_NONE) return QEFF_VALUE_NONE;
    if (rw->map[old] == QEFF_VALUE_NONE && qeff_graph_is_weight(rw->in, old))
        rw->map[old] = copy_weight(rw, qeff_graph_value(rw->in, old));
    return rw->map[old];
}

void qeff_rewrite_set(qeff_rewrite *rw, qeff_value old, qeff_value replacement)
{
    rw->map[old] = replacement;
}

void qeff_rewrite_replace(qeff_rewrite *rw, const qeff_node *node, qeff_op op,
                          const qeff_value *inputs, size_t n_inputs,
                          const qeff_attribute *attributes, size_t n_attributes)
{
    if (qb_has_failed(rw->b)) return;
    qeff_value *mapped = qeff_alloc_array(n_inputs, sizeof *mapped);
    if (!mapped) {
        qb_fail(rw->b, QEFF_ERR_NO_MEMORY, "out of memory");
        return;
    }
    for (size_t i = 0; i < n_inputs; i++)
        mapped[i] = qeff_rewrite_value(rw, inputs[i]);
    const qeff_value first =
        qb_node(rw->b, op, node->name.data, mapped, n_inputs, attributes, n_attributes);
    qeff_free(mapped);
    for (size_t i = 0; i < node->n_outputs && first != QEFF_VALUE_NONE; i++)
        rw->map[node->outputs[i]] = first + (qeff_value)i;
}

void qeff_rewrite_copy(qeff_rewrite *rw, const qeff_node *node)
{
    qeff_rewrite_replace(rw, node, node->op, node->inputs, node->n_inputs, node->attributes,
                         node->n_attributes);
}

qeff_status qeff_rewrite_finish(qeff_rewrite *rw, qeff_graph **out, qeff_error *err)
{
    for (size_t i = 0; i < rw->in->n_outputs; i++) {
        const qeff_graph_output *output = &rw->in->outputs[i];
        const qeff_value value = qeff_rewrite_value(rw, output->value);
        qb_output(rw->b, output->name.data, value);
    }
    const qeff_status status = qb_finish(rw->b, out, err);
    rw->b = NULL;
    qeff_rewrite_abort(rw);
    return status;
}

void qeff_rewrite_abort(qeff_rewrite *rw)
{
    qb_destroy(rw->b);
    qeff_free(rw->map);
    *rw = (qeff_rewrite){0};
}
