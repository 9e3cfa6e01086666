/* verify.c - whether a graph is whole; the checks of a graph that any code may have made. */
#include "base/error.h"
#include "base/span.h"
#include "graph/names.h"
#include "graph/op.h"

#include <inttypes.h>

static qeff_status check_shape(const qeff_shape *shape, qeff_error *err)
{
    if (shape->rank > QEFF_MAX_RANK)
        return qeff_fail(err, QEFF_ERR_FORMAT, "rank %zu exceeds the limit of %d", shape->rank,
                         QEFF_MAX_RANK);
    for (size_t i = 0; i < shape->rank; i++) {
        const qeff_dim dim = shape->dims[i];
        if (dim.symbol ? dim.size == -1 && dim.symbol[0] : dim.size >= 0) continue;
        return qeff_fail(err, QEFF_ERR_FORMAT, "dimension %zu of size %" PRId64, i, dim.size);
    }
    return QEFF_OK;
}

static qeff_status check_weight(const qeff_value_info *info, qeff_error *err)
{
    uint64_t elements = 0, bytes = 0;
    if (!qeff_shape_count(&info->shape, &elements) ||
        __builtin_mul_overflow(elements, (uint64_t)qeff_dtype_size(info->dtype), &bytes))
        return qeff_fail(err, QEFF_ERR_FORMAT, "a weight's shape must be constant");
    if (bytes != info->data.size)
        return qeff_fail(err, QEFF_ERR_FORMAT, "expected %" PRIu64 " bytes, found %zu", bytes,
                         info->data.size);
    return QEFF_OK;
}

static qeff_status check_value(const qeff_graph *g, size_t index, qeff_error *err)
{
    const qeff_value_info *info = &g->values[index];
    if (info->name.size == 0) return qeff_fail(err, QEFF_ERR_FORMAT, "no name");
    if (qeff_dtype_size(info->dtype) == 0) return qeff_fail(err, QEFF_ERR_FORMAT, "no dtype");
    QEFF_TRY(check_shape(&info->shape, err));
    if (info->kind == QEFF_VALUE_WEIGHT) QEFF_TRY(check_weight(info, err));
    if (info->kind != QEFF_VALUE_RESULT) {
        if (info->node != -1) return qeff_fail(err, QEFF_ERR_FORMAT, "has a producer");
        return QEFF_OK;
    }
    if (info->node < 0 || (size_t)info->node >= g->n_nodes)
        return qeff_fail(err, QEFF_ERR_FORMAT, "no producer");
    const qeff_node *node = &g->nodes[info->node];
    for (size_t i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] == (qeff_value)index) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "node '%.*s' does not produce it",
                     QEFF_STR_ARGS(node->name));
}

static qeff_status check_values(const qeff_graph *g, qeff_error *err)
{
    qeff_names names = {0};
    qeff_status status = QEFF_OK;
    for (size_t i = 0; i < g->n_values && !status; i++) {
        const qeff_str name = g->values[i].name;
        status = check_value(g, i, err);
        if (!status && qeff_names_find(&names, name))
            status = qeff_fail(err, QEFF_ERR_FORMAT, "the name is taken");
        if (!status && !qeff_names_add(&names, name, 0))
            status = qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        status = qeff_within(err, status, "value '%.*s'", QEFF_STR_ARGS(name));
    }
    qeff_names_deinit(&names);
    return status;
}

/* Whether the value exists when node `index` runs. */
static bool is_defined(const qeff_graph *g, qeff_value value, size_t index)
{
    if (value < 0 || (size_t)value >= g->n_values) return false;
    const qeff_value_info *info = &g->values[value];
    return info->kind != QEFF_VALUE_RESULT || (size_t)info->node < index;
}

static qeff_status check_operands(const qeff_graph *g, size_t index, qeff_error *err)
{
    const qeff_node *node = &g->nodes[index];
    if (node->name.size == 0) return qeff_fail(err, QEFF_ERR_FORMAT, "no name");
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != QEFF_VALUE_NONE && !is_defined(g, node->inputs[i], index))
            return qeff_fail(err, QEFF_ERR_FORMAT, "operand %zu is used before it is defined", i);
    for (size_t i = 0; i < node->n_outputs; i++) {
        const qeff_value value = node->outputs[i];
        if (value < 0 || (size_t)value >= g->n_values || g->values[value].node != (int32_t)index)
            return qeff_fail(err, QEFF_ERR_FORMAT, "output %zu has another producer", i);
    }
    for (size_t i = 1; i < node->n_attributes; i++)
        if (strcmp(node->attributes[i - 1].name, node->attributes[i].name) >= 0)
            return qeff_fail(err, QEFF_ERR_FORMAT, "attribute '%s' is out of order",
                             node->attributes[i].name);
    return QEFF_OK;
}

/* A dim that the rule leaves open has a name of its own in the graph. */
static bool shape_fits(const qeff_shape *inferred, const qeff_shape *found)
{
    if (inferred->rank != found->rank) return false;
    for (size_t i = 0; i < found->rank; i++) {
        const qeff_dim wanted = inferred->dims[i];
        const bool is_open = !wanted.symbol && wanted.size < 0;
        if (is_open ? !found->dims[i].symbol : !qeff_dim_equal(wanted, found->dims[i]))
            return false;
    }
    return true;
}

static qeff_status check_results(const qeff_graph *g, size_t index, qeff_error *err)
{
    const qeff_node *node = &g->nodes[index];
    qeff_op_call call = {.graph = g, .node = node, .n_outputs = 1};
    QEFF_TRY(qeff_op_infer(&call, err));
    if (call.n_outputs != node->n_outputs)
        return qeff_fail(err, QEFF_ERR_FORMAT, "expected %zu outputs, found %zu", call.n_outputs,
                         node->n_outputs);
    for (size_t i = 0; i < call.n_outputs; i++) {
        const qeff_value_info *info = &g->values[node->outputs[i]];
        if (info->dtype != call.dtypes[i])
            return qeff_fail(err, QEFF_ERR_FORMAT, "output %zu: expected %s, found %s", i,
                             qeff_dtype_name(call.dtypes[i]), qeff_dtype_name(info->dtype));
        if (!shape_fits(&call.shapes[i], &info->shape))
            return qeff_fail(err, QEFF_ERR_FORMAT, "output %zu: shape is not what the rule infers",
                             i);
    }
    return QEFF_OK;
}

static qeff_status check_nodes(const qeff_graph *g, qeff_error *err)
{
    qeff_names names = {0};
    qeff_status status = QEFF_OK;
    for (size_t i = 0; i < g->n_nodes && !status; i++) {
        const qeff_node *node = &g->nodes[i];
        if ((int)node->op < 0 || node->op >= QEFF_OP_COUNT) {
            status = qeff_fail(err, QEFF_ERR_FORMAT, "node %zu of an unknown op", i);
            break;
        }
        status = check_operands(g, i, err);
        if (!status) status = check_results(g, i, err);
        if (!status && qeff_names_find(&names, node->name))
            status = qeff_fail(err, QEFF_ERR_FORMAT, "the name is taken");
        if (!status && !qeff_names_add(&names, node->name, 0))
            status = qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        status = qeff_within(err, status, "node '%.*s' (%s)", QEFF_STR_ARGS(node->name),
                             qeff_op_get(node->op)->name);
    }
    qeff_names_deinit(&names);
    return status;
}

static qeff_status check_ends(const qeff_graph *g, qeff_error *err)
{
    for (size_t i = 0; i < g->n_inputs; i++) {
        const qeff_value value = g->inputs[i];
        if (value < 0 || (size_t)value >= g->n_values || g->values[value].kind != QEFF_VALUE_INPUT)
            return qeff_fail(err, QEFF_ERR_FORMAT, "input %zu is no input value", i);
    }
    if (g->n_outputs == 0) return qeff_fail(err, QEFF_ERR_FORMAT, "graph without outputs");
    for (size_t i = 0; i < g->n_outputs; i++)
        if (g->outputs[i].value < 0 || (size_t)g->outputs[i].value >= g->n_values)
            return qeff_fail(err, QEFF_ERR_FORMAT, "output '%.*s': no value",
                             QEFF_STR_ARGS(g->outputs[i].name));
    return QEFF_OK;
}

qeff_status qeff_graph_verify(const qeff_graph *graph, qeff_error *err)
{
    QEFF_TRY(check_values(graph, err));
    QEFF_TRY(check_nodes(graph, err));
    return check_ends(graph, err);
}
