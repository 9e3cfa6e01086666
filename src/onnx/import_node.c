/* import_node.c - NodeProto becomes a node of the graph, in the form that opset 17 gives it.
 *
 * What moved between attribute and input over the opsets is evened out here:
 *   Squeeze, Unsqueeze, ReduceSum   axes: attribute before 13, then input    -> input
 *   ReduceMean, Max, Min, L2        axes: attribute before 18, then input    -> attribute
 *   Split                           parts: attribute before 13, then input   -> input, or their
 *                                   number (attribute since 18)              -> attribute
 * Constant nodes become weights; operators that others define are expanded (expand.c). An Identity
 * without a name in front of an output only gives the output its name, and is dropped. */
#include "base/dtype.h"
#include "base/error.h"
#include "base/span.h"
#include "graph/op.h"
#include "onnx/messages.h"
#include "onnx/node.h"
#include "onnx/operators.h"

#include <inttypes.h>
#include <math.h>

/* --- attributes ------------------------------------------------------------------------------ */

static int type_of_kind(qeff_attribute_kind kind)
{
    switch (kind) {
    case QEFF_ATTRIBUTE_INT:
        return ATTRIBUTE_TYPE_INT;
    case QEFF_ATTRIBUTE_FLOAT:
        return ATTRIBUTE_TYPE_FLOAT;
    case QEFF_ATTRIBUTE_INTS:
        return ATTRIBUTE_TYPE_INTS;
    case QEFF_ATTRIBUTE_STR:
        return ATTRIBUTE_TYPE_STRING;
    }
    return ATTRIBUTE_TYPE_NONE;
}

static qeff_status
convert_attribute(const qeff_onnx_attribute *a, const qeff_onnx_attribute_rule *rule,
                  qeff_attribute *out, qeff_error *err)
{
    QEFF_TRY(qeff_onnx_expect_type(a, type_of_kind(rule->kind), err));
    *out = (qeff_attribute){.name = rule->name,
                            .kind = rule->kind,
                            .i = a->i,
                            .f = (double)a->f,
                            .ints = a->ints,
                            .n_ints = a->n_ints,
                            .s = a->s};
    if (rule->kind == QEFF_ATTRIBUTE_STR) QEFF_TRY(qeff_onnx_check_name(a->s, "attribute", err));
    return QEFF_OK;
}

static const qeff_attribute *find_out(const qeff_onnx_node *n, const char *name)
{
    for (size_t i = 0; i < n->n_out; i++)
        if (strcmp(n->out[i].name, name) == 0) return &n->out[i];
    return NULL;
}

static void remove_out(qeff_onnx_node *n, const char *name)
{
    for (size_t i = 0; i < n->n_out; i++)
        if (strcmp(n->out[i].name, name) == 0) n->out[i--] = n->out[--n->n_out];
}

static qeff_status convert_attributes(qeff_op op, qeff_onnx_node *n, qeff_error *err)
{
    const qeff_onnx_operator *operator= qeff_onnx_operator_get(op);
    for (size_t i = 0; i < n->n_attributes; i++) {
        const qeff_onnx_attribute *a = &n->attributes[i];
        if (op == QEFF_OP_CONSTANT_OF_SHAPE && qeff_str_is(a->name, "value")) continue;
        const qeff_onnx_attribute_rule *rule = qeff_onnx_operator_find_attribute(op, a->name);
        if (!rule)
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "attribute '%.*s' is not known",
                             QEFF_STR_ARGS(a->name));
        QEFF_TRY(convert_attribute(a, rule, &n->out[n->n_out++], err));
    }
    for (size_t i = 0; i < QEFF_ONNX_RULE_ATTRIBUTES && operator->attributes[i].name; i++)
        if (operator->attributes[i].is_required && !find_out(n, operator->attributes[i].name))
            return qeff_fail(err, QEFF_ERR_FORMAT,
                             "attribute '%s' is missing", operator->attributes[i].name);
    return QEFF_OK;
}

/* --- evening out ----------------------------------------------------------------------------- */

/* Attribute -> second input. */
static qeff_status
move_to_input(qeff_onnx_importer *im, qeff_onnx_node *n, const char *name, qeff_error *err)
{
    const qeff_attribute *a = find_out(n, name);
    if (!a) return QEFF_OK;
    if (n->n_inputs > 1 && n->inputs[1] != QEFF_VALUE_NONE)
        return qeff_fail(err, QEFF_ERR_FORMAT, "'%s' both as attribute and as input", name);
    qeff_value *inputs = qeff_arena_array(&im->node_memory, 2, sizeof *inputs);
    if (!inputs) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    inputs[0] = n->n_inputs ? n->inputs[0] : QEFF_VALUE_NONE;
    inputs[1] = qb_ints(im->builder, a->ints, a->n_ints);
    n->inputs = inputs;
    n->n_inputs = 2;
    remove_out(n, name);
    return QEFF_OK;
}

/* Second input -> attribute. An empty list of axes means all of them, or, by
 * noop_with_empty_axes, none. */
static qeff_status
move_axes_to_attribute(qeff_onnx_importer *im, qeff_op *op, qeff_onnx_node *n, qeff_error *err)
{
    int64_t *axes = qeff_arena_array(&im->node_memory, QEFF_MAX_RANK, sizeof *axes);
    size_t n_axes = 0;
    if (!axes) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    const qeff_attribute *noop = find_out(n, "noop_with_empty_axes");
    const bool is_noop = noop && noop->i != 0;
    remove_out(n, "noop_with_empty_axes");
    if (n->n_inputs > 1 && n->inputs[1] != QEFF_VALUE_NONE) {
        if (find_out(n, "axes"))
            return qeff_fail(err, QEFF_ERR_FORMAT, "'axes' both as attribute and as input");
        if (!qeff_graph_read_ints(qb_graph(im->builder), n->inputs[1], QEFF_MAX_RANK, axes,
                                  &n_axes))
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "axes that are not a constant list");
        if (n_axes) n->out[n->n_out++] = QEFF_ATTR_INTS("axes", axes, n_axes);
    }
    if (n->n_inputs > 1) n->n_inputs = 1;
    if (is_noop && !find_out(n, "axes")) {
        *op = QEFF_OP_IDENTITY;
        n->n_out = 0;
    }
    return QEFF_OK;
}

/* Sizes of the parts where they do not come out even: all of the same size but the last. */
static qeff_status
add_uneven_parts(qeff_onnx_importer *im, qeff_onnx_node *n, int64_t size, qeff_error *err)
{
    const int64_t n_parts = (int64_t)n->n_outputs, part = size / n_parts + (size % n_parts != 0);
    int64_t *sizes = qeff_arena_array(&im->node_memory, n->n_outputs, sizeof *sizes);
    qeff_value *inputs = qeff_arena_array(&im->node_memory, 2, sizeof *inputs);
    if (!sizes || !inputs) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    for (int64_t i = 0, left = size; i < n_parts; i++, left -= sizes[i - 1])
        sizes[i] = left < part ? left : part;
    inputs[0] = n->inputs[0];
    inputs[1] = qb_ints(im->builder, sizes, n->n_outputs);
    n->inputs = inputs;
    n->n_inputs = 2;
    return QEFF_OK;
}

/* The size of the dimension that is split; -1 where it has none. */
static int64_t split_size(const qeff_onnx_importer *im, const qeff_onnx_node *n)
{
    const qeff_attribute *axis = find_out(n, "axis");
    if (n->n_inputs == 0 || n->inputs[0] == QEFF_VALUE_NONE) return -1;
    const qeff_shape *shape = &qeff_graph_value(qb_graph(im->builder), n->inputs[0])->shape;
    int64_t at = axis ? axis->i : 0;
    if (at < 0) at += (int64_t)shape->rank;
    return at < 0 || at >= (int64_t)shape->rank ? -1 : shape->dims[at].size;
}

/* Split makes as many parts as it has outputs; an operand with their sizes says the same. Only
 * from opset 18 on may the last one be smaller. */
static qeff_status count_parts(qeff_onnx_importer *im, qeff_onnx_node *n, qeff_error *err)
{
    const qeff_attribute *declared = find_out(n, "num_outputs");
    const int64_t size = split_size(im, n);
    if (declared && declared->i != (int64_t)n->n_outputs)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%" PRId64 " parts for %zu outputs", declared->i,
                         n->n_outputs);
    remove_out(n, "num_outputs");
    QEFF_TRY(move_to_input(im, n, "split", err));
    if (n->n_inputs > 1 && n->inputs[1] != QEFF_VALUE_NONE) return QEFF_OK;
    if (size >= 0 && size % (int64_t)n->n_outputs != 0) {
        if (!declared)
            return qeff_fail(err, QEFF_ERR_FORMAT, "%" PRId64 " elements in %zu even parts", size,
                             n->n_outputs);
        return add_uneven_parts(im, n, size, err);
    }
    n->out[n->n_out++] = QEFF_ATTR_INT("num_outputs", (int64_t)n->n_outputs);
    return QEFF_OK;
}

/* saturate and round_mode are of interest only where the target is an 8-bit float; there they must
 * be what opset 17 would have done, had it known the type. */
static qeff_status drop_cast_modes(qeff_onnx_node *n, qeff_error *err)
{
    const qeff_attribute *saturate = find_out(n, "saturate"), *to = find_out(n, "to");
    const qeff_dtype dtype = qeff_dtype_from_onnx(to->i);
    const bool is_f8 = dtype == QEFF_DTYPE_F8_E4M3 || dtype == QEFF_DTYPE_F8_E5M2;
    if (saturate && saturate->i != 1 && is_f8)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "attribute 'saturate' of %" PRId64,
                         saturate->i);
    remove_out(n, "saturate");
    remove_out(n, "round_mode");
    return QEFF_OK;
}

/* ConstantOfShape: the tensor "value" has one element, and its type is that of the result. The
 * graph's node leaves out a value of 0 and the type f32, as ONNX leaves out a float of 0. */
static qeff_status read_fill(qeff_onnx_importer *im, qeff_onnx_node *n, qeff_error *err)
{
    qeff_onnx_tensor tensor;
    if (n->n_attributes == 0) return QEFF_OK;
    const qeff_onnx_attribute *a = &n->attributes[0]; /* no other is known to the operator */
    QEFF_TRY(qeff_onnx_expect_type(a, ATTRIBUTE_TYPE_TENSOR, err));
    if (!a->has_tensor) return qeff_fail(err, QEFF_ERR_FORMAT, "attribute 'value' is empty");
    QEFF_TRY(qeff_onnx_read_tensor(im->model, a->tensor, &tensor, err));
    if (tensor.data.size != qeff_dtype_size(tensor.dtype))
        return qeff_fail(err, QEFF_ERR_FORMAT, "attribute 'value': expected one element");
    qeff_attribute fill;
    if (!qeff_onnx_read_fill(tensor.dtype, tensor.data, &fill))
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "attribute 'value': %s that is not supported",
                         qeff_dtype_name(tensor.dtype));
    const bool is_zero =
        fill.kind == QEFF_ATTRIBUTE_INT ? fill.i == 0 : fill.f == 0 && !signbit(fill.f);
    if (!is_zero) n->out[n->n_out++] = fill;
    if (tensor.dtype != QEFF_DTYPE_F32)
        n->out[n->n_out++] = QEFF_ATTR_INT("dtype", qeff_dtype_get(tensor.dtype)->onnx);
    return QEFF_OK;
}

static bool is_reduction(qeff_op op)
{
    return op == QEFF_OP_REDUCE_MEAN || op == QEFF_OP_REDUCE_MAX || op == QEFF_OP_REDUCE_MIN ||
           op == QEFF_OP_REDUCE_L2;
}

static qeff_status even_out(qeff_onnx_importer *im, qeff_op *op, qeff_onnx_node *n, qeff_error *err)
{
    if (is_reduction(*op)) return move_axes_to_attribute(im, op, n, err);
    if (*op == QEFF_OP_SQUEEZE || *op == QEFF_OP_UNSQUEEZE || *op == QEFF_OP_REDUCE_SUM)
        return move_to_input(im, n, "axes", err);
    if (*op == QEFF_OP_SPLIT) return count_parts(im, n, err);
    if (*op == QEFF_OP_CONSTANT_OF_SHAPE) return read_fill(im, n, err);
    if (*op == QEFF_OP_CAST) return drop_cast_modes(n, err);
    return QEFF_OK;
}

/* --- constants ------------------------------------------------------------------------------- */

/* A name that nothing else has: the node's, where no value of the file bears it, else the output's.
 */
static qeff_str choose_name(const qeff_onnx_importer *im, const qeff_onnx_node *n)
{
    if (n->name.size == 0 || qeff_str_equal(n->name, n->outputs[0])) return n->outputs[0];
    return qeff_onnx_names_find(&im->values, n->name) ? n->outputs[0] : n->name;
}

static void set_result(qeff_onnx_importer *im, qeff_str name, qeff_value value)
{
    qeff_onnx_name *entry = qeff_onnx_names_find(&im->values, name);
    if (entry) entry->index = value;
}

static qeff_status import_constant(qeff_onnx_importer *im, const qeff_onnx_node *n, qeff_error *err)
{
    qeff_onnx_tensor tensor;
    QEFF_TRY(qeff_onnx_read_constant(im, n, &tensor, err));
    set_result(im, n->outputs[0], qeff_onnx_add_weight(im->builder, &tensor, choose_name(im, n)));
    return QEFF_OK;
}

/* --- nodes ----------------------------------------------------------------------------------- */

/* What the exporter puts in front of an output that is not a result of its own. */
static bool is_output_name(const qeff_onnx_importer *im, qeff_op op, const qeff_onnx_node *n)
{
    if (op != QEFF_OP_IDENTITY || n->name.size || n->n_inputs != 1 ||
        n->inputs[0] == QEFF_VALUE_NONE)
        return false;
    const qeff_onnx_name *entry = qeff_onnx_names_find(&im->values, n->outputs[0]);
    return entry && entry->flags & QEFF_ONNX_NAME_OUTPUT;
}

static qeff_status check_outputs(qeff_op op, const qeff_onnx_node *n, qeff_error *err)
{
    if (op == QEFF_OP_SPLIT) return QEFF_OK;
    for (size_t i = 1; i < n->n_outputs; i++)
        if (n->outputs[i].size)
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "output %zu, '%.*s', is not supported", i,
                             QEFF_STR_ARGS(n->outputs[i]));
    return QEFF_OK;
}

static qeff_status
add_node(qeff_onnx_importer *im, qeff_op op, const qeff_onnx_node *n, qeff_error *err)
{
    const qeff_str name = qeff_arena_str(&im->node_memory, choose_name(im, n));
    if (!name.data) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    const qeff_value first =
        qb_node(im->builder, op, name.data, n->inputs, n->n_inputs, n->out, n->n_out);
    if (qb_has_failed(im->builder)) return QEFF_OK; /* reported by qb_finish() */
    const qeff_graph *graph = qb_graph(im->builder);
    const size_t n_made = graph->nodes[graph->n_nodes - 1].n_outputs;
    if (op == QEFF_OP_SPLIT && n_made != n->n_outputs)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%zu parts for %zu outputs", n_made, n->n_outputs);
    for (size_t i = 0; i < n_made; i++)
        if (n->outputs[i].size) set_result(im, n->outputs[i], first + (qeff_value)i);
    return QEFF_OK;
}

static qeff_status
import_operator(qeff_onnx_importer *im, qeff_op op, qeff_onnx_node *n, qeff_error *err)
{
    QEFF_TRY(check_outputs(op, n, err));
    if (is_output_name(im, op, n)) {
        set_result(im, n->outputs[0], n->inputs[0]);
        return QEFF_OK;
    }
    QEFF_TRY(convert_attributes(op, n, err));
    QEFF_TRY(even_out(im, &op, n, err));
    if (qb_has_failed(im->builder)) return QEFF_OK;
    return add_node(im, op, n, err);
}

static qeff_status import_expansion(qeff_onnx_importer *im, const qeff_onnx_expansion *expansion,
                                    const qeff_onnx_node *n, qeff_error *err)
{
    qeff_value value = QEFF_VALUE_NONE;
    QEFF_TRY(check_outputs(QEFF_OP_COUNT, n, err));
    const qeff_str name = qeff_arena_str(&im->node_memory, choose_name(im, n));
    if (!name.data) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    QEFF_TRY(qeff_onnx_charge(im, 2, 0, 2 * name.size, err)); /* further nodes */
    QEFF_TRY(qeff_onnx_expand(im, expansion, n, name.data, &value, err));
    set_result(im, n->outputs[0], value);
    return QEFF_OK;
}

static qeff_status fail_operator(const qeff_onnx_importer *im, const qeff_onnx_node *n,
                                 qeff_str label, qeff_op op, qeff_error *err)
{
    if (op == QEFF_OP_COUNT)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                         "operator '%.*s%s%.*s' of node '%.*s' is not known",
                         QEFF_STR_ARGS(n->domain), n->domain.size ? "::" : "",
                         QEFF_STR_ARGS(n->op_type), QEFF_STR_ARGS(label));
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                     "operator '%.*s' of node '%.*s' in opset %" PRId64
                     ": expected opset %d or later",
                     QEFF_STR_ARGS(n->op_type), QEFF_STR_ARGS(label), im->model->opset,
                     qeff_onnx_operator_get(op)->since);
}

static qeff_str first_output(qeff_protobuf r)
{
    while (qeff_protobuf_next(&r))
        if (r.field == NODE_OUTPUT) return qeff_protobuf_str(&r);
    return (qeff_str){"", 0};
}

qeff_status qeff_onnx_import_node(qeff_onnx_importer *im, qeff_protobuf message, qeff_error *err)
{
    qeff_onnx_node n;
    qeff_status status = qeff_onnx_read_node_head(message, &n, err);
    const qeff_str label = n.name.size ? n.name : first_output(message);
    if (status) return qeff_within(err, status, "node '%.*s'", QEFF_STR_ARGS(label));

    const bool is_default = n.domain.size == 0 || qeff_str_is(n.domain, "ai.onnx");
    const bool is_constant = is_default && qeff_str_is(n.op_type, "Constant");
    const qeff_op op = is_default ? qeff_op_find_onnx(n.op_type) : QEFF_OP_COUNT;
    const qeff_onnx_expansion *expansion =
        is_default ? qeff_onnx_expansion_find(n.op_type, im->model->opset) : NULL;
    if (!is_constant && !expansion &&
        (op == QEFF_OP_COUNT || im->model->opset < qeff_onnx_operator_get(op)->since))
        return fail_operator(im, &n, label, op, err);

    status = qeff_onnx_read_node_body(im, message, &n, err);
    if (!status && (n.n_outputs == 0 || n.outputs[0].size == 0))
        status = qeff_fail(err, QEFF_ERR_FORMAT, "no output");
    if (!status && is_constant)
        status = import_constant(im, &n, err);
    else if (!status && expansion)
        status = import_expansion(im, expansion, &n, err);
    else if (!status)
        status = import_operator(im, op, &n, err);
    return qeff_within(err, status, "node '%.*s'", QEFF_STR_ARGS(label));
}
