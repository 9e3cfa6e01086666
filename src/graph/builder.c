/* builder.c - values and nodes, one at a time: names, scopes, shape inference, sticky errors. */
#include "graph/builder_private.h"

#include "graph/known.h"
#include "graph/op.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { VALUES_MAX = INT32_MAX / 2, OPERANDS_MAX = 65536, ATTRIBUTES_MAX = 64 };

/* --- life and errors ----------------------------------------------------------------------------
 */

qeff_status
qb_create(const char *graph_name, const qeff_weights *weights, qeff_builder **out, qeff_error *err)
{
    *out = NULL;
    qeff_builder *b = qeff_alloc_zeroed(sizeof *b);
    if (b) b->graph = qeff_alloc_zeroed(sizeof *b->graph);
    if (b && b->graph) b->graph->name = qeff_arena_str(&b->graph->arena, qeff_str_of(graph_name));
    if (!b || !b->graph || !b->graph->name.data) {
        qb_destroy(b);
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    }
    b->weights = weights;
    *out = b;
    return QEFF_OK;
}

void qb_destroy(qeff_builder *b)
{
    if (!b) return;
    qeff_graph_destroy(b->graph);
    qeff_buffer_deinit(&b->prefix);
    qeff_buffer_deinit(&b->scope);
    qeff_buffer_deinit(&b->text);
    qeff_names_deinit(&b->names);
    qeff_names_deinit(&b->symbols);
    qb_misfits_deinit(&b->misfits);
    qeff_free(b);
}

/* Misfits come first: what fails after one may be its consequence. */
qeff_status qb_finish(qeff_builder *b, qeff_graph **out, qeff_error *err)
{
    *out = NULL;
    if (!b) return qeff_fail(err, QEFF_ERR_INVALID, "no builder");
    qeff_status status = QEFF_OK;
    if (b->status != QEFF_ERR_NO_MEMORY) status = qb_misfits_status(&b->misfits, err);
    if (!status && b->status) {
        status = qeff_fail(err, b->status, "%s", b->error.message);
        if (b->error.hint[0]) qeff_hint(err, "%s", b->error.hint);
    }
    if (!status) status = qeff_graph_verify(b->graph, err);
    if (!status) {
        *out = b->graph;
        b->graph = NULL;
    }
    qb_destroy(b);
    return status;
}

void qb_fail(qeff_builder *b, qeff_status code, const char *format, ...)
{
    char text[QEFF_ERROR_MESSAGE_MAX];
    if (b->status) return;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    b->status = qeff_fail(&b->error, code, "%s", text);
}

qeff_value qb_fail_memory(qeff_builder *b)
{
    qb_fail(b, QEFF_ERR_NO_MEMORY, "out of memory");
    return QEFF_VALUE_NONE;
}

bool qb_has_failed(const qeff_builder *b)
{
    return b->status != QEFF_OK;
}

const qeff_graph *qb_graph(const qeff_builder *b)
{
    return b->graph;
}

/* --- scopes and names ---------------------------------------------------------------------------
 */

void qb_enter(qeff_builder *b, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (b->n_scopes == QB_SCOPES_MAX) {
        qb_fail(b, QEFF_ERR_INTERNAL, "scope '%s': nested too deep", text);
        return;
    }
    b->scope_ends[b->n_scopes++] = b->scope.size;
    qeff_buffer_append_text(&b->scope, text);
    qeff_buffer_append_byte(&b->scope, '.');
    if (b->scope.failed) (void)qb_fail_memory(b);
}

void qb_leave(qeff_builder *b)
{
    if (b->n_scopes > 0) b->scope.size = b->scope_ends[--b->n_scopes];
}

qeff_str qb_scoped(qeff_builder *b, const char *name)
{
    b->text.size = 0;
    qeff_buffer_append_str(&b->text, qeff_buffer_str(&b->scope));
    qeff_buffer_append_text(&b->text, name);
    if (!b->text.failed) return qeff_buffer_str(&b->text);
    (void)qb_fail_memory(b);
    return (qeff_str){NULL, 0};
}

/* A name nothing else has, in the arena. The counter stays with the name, so that a thousand
 * nodes called "add" do not take a million lookups. */
static qeff_str make_unique(qeff_builder *b, qeff_str wanted)
{
    const qeff_str base = qeff_arena_str(&b->graph->arena, wanted);
    qeff_names_entry *taken = qeff_names_find(&b->names, base);
    if (!base.data || !taken) return base;
    qeff_buffer text = {0};
    qeff_str unique = {NULL, 0};
    while (!text.failed) {
        text.size = 0;
        qeff_buffer_append_str(&text, base);
        qeff_buffer_format(&text, "_%u", (unsigned)++taken->n_copies);
        if (qeff_names_find(&b->names, qeff_buffer_str(&text))) continue;
        if (!text.failed) unique = qeff_arena_str(&b->graph->arena, qeff_buffer_str(&text));
        break;
    }
    qeff_buffer_deinit(&text);
    return unique;
}

static const char *intern_symbol(qeff_builder *b, const char *symbol)
{
    const qeff_names_entry *entry = qeff_names_find(&b->symbols, qeff_str_of(symbol));
    if (entry) return entry->text.data;
    const qeff_str copy = qeff_arena_str(&b->graph->arena, qeff_str_of(symbol));
    if (!copy.data || !qeff_names_add(&b->symbols, copy, 0)) return NULL;
    return copy.data;
}

/* A dim that only run time can tell is named after its value: "encoder.slice#1". Input dims may
 * not contain '#', so that no file can make such a dim equal to another one. Long names, which
 * would take their room once a dim, are replaced by the value's number. */
static const char *make_symbol(qeff_builder *b, qeff_str value_name, size_t axis)
{
    enum { NAME_MAX_BYTES = 64 };
    qeff_buffer text = {0};
    if (value_name.size > NAME_MAX_BYTES || value_name.data[0] == '#')
        qeff_buffer_format(&text, "#%zu", b->graph->n_values);
    else
        qeff_buffer_append_str(&text, value_name);
    qeff_buffer_format(&text, "#%zu", axis);
    const char *symbol =
        text.failed ? NULL : qeff_arena_str(&b->graph->arena, qeff_buffer_str(&text)).data;
    qeff_buffer_deinit(&text);
    return symbol;
}

/* --- values -------------------------------------------------------------------------------------
 */

static qeff_value_info *append_value(qeff_graph *g)
{
    if (g->n_values >= VALUES_MAX) return NULL;
    qeff_value_info *values =
        qeff_grow(g->values, g->n_values, &g->values_capacity, sizeof *values);
    if (!values) return NULL;
    g->values = values;
    return &values[g->n_values];
}

qeff_value qb_add_value(qeff_builder *b, const qeff_value_info *info)
{
    qeff_graph *g = b->graph;
    if (b->status) return QEFF_VALUE_NONE;
    qeff_value_info *value = append_value(g);
    if (!value) return qb_fail_memory(b);
    *value = *info;
    value->name = make_unique(b, info->name);
    if (!value->name.data) return qb_fail_memory(b);
    for (size_t i = 0; i < info->shape.rank; i++) {
        qeff_dim *dim = &value->shape.dims[i];
        if (!dim->symbol && dim->size < 0)
            dim->symbol = make_symbol(b, value->name, i);
        else if (info->kind == QEFF_VALUE_INPUT && dim->symbol)
            dim->symbol = intern_symbol(b, dim->symbol);
        else
            continue; /* a number, or a name that lies in the arena already */
        dim->size = -1;
        if (!dim->symbol) return qb_fail_memory(b);
    }
    if (!qeff_names_add(&b->names, value->name, (int32_t)g->n_values)) return qb_fail_memory(b);
    return (qeff_value)g->n_values++;
}

qeff_value qb_input(qeff_builder *b, const char *name, qeff_dtype dtype, const qeff_shape *shape)
{
    qeff_graph *g = b->graph;
    if (b->status) return QEFF_VALUE_NONE;
    if (qeff_names_find(&b->names, qeff_str_of(name))) {
        qb_fail(b, QEFF_ERR_FORMAT, "input '%s': the name is taken", name);
        return QEFF_VALUE_NONE;
    }
    for (size_t i = 0; i < shape->rank; i++) {
        if (!shape->dims[i].symbol || !strchr(shape->dims[i].symbol, '#')) continue;
        qb_fail(b, QEFF_ERR_FORMAT, "input '%s': dimension '%s' contains '#'", name,
                shape->dims[i].symbol);
        return QEFF_VALUE_NONE;
    }
    qeff_value *inputs = qeff_grow(g->inputs, g->n_inputs, &g->inputs_capacity, sizeof *inputs);
    if (!inputs) return qb_fail_memory(b);
    g->inputs = inputs;
    const qeff_value value = qb_add_value(b, &(qeff_value_info){.name = qeff_str_of(name),
                                                                .kind = QEFF_VALUE_INPUT,
                                                                .dtype = dtype,
                                                                .shape = *shape,
                                                                .node = -1,
                                                                .source_fd = -1});
    if (value != QEFF_VALUE_NONE) g->inputs[g->n_inputs++] = value;
    return value;
}

void qb_output(qeff_builder *b, const char *name, qeff_value value)
{
    qeff_graph *g = b->graph;
    if (b->status) return;
    if (value < 0 || (size_t)value >= g->n_values) {
        qb_fail(b, QEFF_ERR_FORMAT, "output '%s': no value", name);
        return;
    }
    for (size_t i = 0; i < g->n_outputs; i++) {
        if (!qeff_str_is(g->outputs[i].name, name)) continue;
        qb_fail(b, QEFF_ERR_FORMAT, "output '%s': the name is taken", name);
        return;
    }
    qeff_graph_output *outputs =
        qeff_grow(g->outputs, g->n_outputs, &g->outputs_capacity, sizeof *outputs);
    if (outputs) g->outputs = outputs;
    const qeff_str copy = qeff_arena_str(&g->arena, qeff_str_of(name));
    if (!outputs || !copy.data)
        (void)qb_fail_memory(b);
    else
        g->outputs[g->n_outputs++] = (qeff_graph_output){copy, value};
}

/* --- nodes --------------------------------------------------------------------------------------
 */

static int compare_attributes(const void *a, const void *b)
{
    return strcmp(((const qeff_attribute *)a)->name, ((const qeff_attribute *)b)->name);
}

static bool copy_attribute(qeff_arena *arena, const qeff_attribute *in, qeff_attribute *out)
{
    *out = (qeff_attribute){.kind = in->kind};
    out->name = qeff_arena_str(arena, qeff_str_of(in->name)).data;
    if (!out->name) return false;
    switch (in->kind) {
    case QEFF_ATTRIBUTE_INT:
        out->i = in->i;
        return true;
    case QEFF_ATTRIBUTE_FLOAT:
        out->f = qeff_float_shortest(in->f);
        return true;
    case QEFF_ATTRIBUTE_INTS: {
        int64_t *ints = qeff_arena_array(arena, in->n_ints, sizeof *ints);
        if (ints && in->n_ints) memcpy(ints, in->ints, in->n_ints * sizeof *ints);
        out->ints = ints;
        out->n_ints = in->n_ints;
        return ints != NULL;
    }
    case QEFF_ATTRIBUTE_STR:
        out->s = qeff_arena_str(arena, in->s);
        return out->s.data != NULL;
    }
    return false;
}

/* Inputs and attributes of a node, in the arena; absent inputs at the end are dropped. */
static bool copy_operands(qeff_builder *b, qeff_node *node, const qeff_value *inputs,
                          const qeff_attribute *attributes)
{
    qeff_arena *arena = &b->graph->arena;
    while (node->n_inputs > 0 && inputs[node->n_inputs - 1] == QEFF_VALUE_NONE)
        node->n_inputs--;
    qeff_value *own = qeff_arena_array(arena, node->n_inputs, sizeof *own);
    qeff_attribute *own_attributes =
        qeff_arena_array(arena, node->n_attributes, sizeof *attributes);
    if (!own || !own_attributes) return false;
    if (node->n_inputs) memcpy(own, inputs, node->n_inputs * sizeof *own);
    for (size_t i = 0; i < node->n_attributes; i++)
        if (!copy_attribute(arena, &attributes[i], &own_attributes[i])) return false;
    if (node->n_attributes > 1)
        qsort(own_attributes, node->n_attributes, sizeof *attributes, compare_attributes);
    node->inputs = own;
    node->attributes = own_attributes;
    return true;
}

static bool
check_operands(qeff_builder *b, const qeff_node *node, qeff_str name, const qeff_value *inputs)
{
    if (node->n_inputs > OPERANDS_MAX || node->n_attributes > ATTRIBUTES_MAX) {
        qb_fail(b, QEFF_ERR_FORMAT, "node '%.*s': %zu operands and %zu attributes exceed the limit",
                QEFF_STR_ARGS(name), node->n_inputs, node->n_attributes);
        return false;
    }
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (inputs[i] >= QEFF_VALUE_NONE && inputs[i] < (qeff_value)b->graph->n_values) continue;
        qb_fail(b, QEFF_ERR_FORMAT, "node '%.*s': operand %zu does not exist", QEFF_STR_ARGS(name),
                i);
        return false;
    }
    return true;
}

/* Names of the outputs, and what is known of their elements. */
static qeff_value
add_outputs(qeff_builder *b, qeff_node *node, const qeff_op_call *call, qeff_str name)
{
    qeff_value *outputs = qeff_arena_array(&b->graph->arena, call->n_outputs, sizeof *outputs);
    if (!outputs) return qb_fail_memory(b);
    for (size_t i = 0; i < call->n_outputs; i++) {
        qeff_buffer text = {0};
        qeff_buffer_append_str(&text, i ? node->name : name);
        if (i) qeff_buffer_format(&text, ":%zu", i);
        if (text.failed)
            outputs[i] = qb_fail_memory(b);
        else
            outputs[i] = qb_add_value(b, &(qeff_value_info){.name = qeff_buffer_str(&text),
                                                            .kind = QEFF_VALUE_RESULT,
                                                            .dtype = call->dtypes[i],
                                                            .shape = call->shapes[i],
                                                            .node = (int32_t)b->graph->n_nodes,
                                                            .source_fd = -1});
        qeff_buffer_deinit(&text);
        if (outputs[i] == QEFF_VALUE_NONE) return QEFF_VALUE_NONE;
        if (i == 0) node->name = b->graph->values[outputs[0]].name;
    }
    node->n_outputs = call->n_outputs;
    node->outputs = outputs;
    if (!qeff_known_evaluate(b->graph, node)) return qb_fail_memory(b);
    return outputs[0];
}

qeff_value qb_node(qeff_builder *b, qeff_op op, const char *name, const qeff_value *inputs,
                   size_t n_inputs, const qeff_attribute *attributes, size_t n_attributes)
{
    qeff_graph *g = b->graph;
    if (b->status) return QEFF_VALUE_NONE;
    qeff_node node = {.op = op, .n_inputs = n_inputs, .n_attributes = n_attributes};
    const qeff_str wanted = qb_scoped(b, name ? name : qeff_op_get(op)->name);
    if (!wanted.data || !check_operands(b, &node, wanted, inputs)) return QEFF_VALUE_NONE;
    if (!copy_operands(b, &node, inputs, attributes)) return qb_fail_memory(b);
    qeff_node *nodes = qeff_grow(g->nodes, g->n_nodes, &g->nodes_capacity, sizeof *nodes);
    if (!nodes) return qb_fail_memory(b);
    g->nodes = nodes;

    qeff_op_call call = {.graph = g, .node = &node, .n_outputs = 1};
    const qeff_status status = qeff_op_infer(&call, &b->error);
    if (status) {
        b->status = qeff_within(&b->error, status, "node '%.*s' (%s)", QEFF_STR_ARGS(wanted),
                                qeff_op_get(op)->name);
        return QEFF_VALUE_NONE;
    }
    const qeff_value first = add_outputs(b, &node, &call, wanted);
    if (first != QEFF_VALUE_NONE) g->nodes[g->n_nodes++] = node;
    return first;
}

qeff_value qb_unary(qeff_builder *b, qeff_op op, qeff_value x)
{
    return qb_node(b, op, NULL, &x, 1, NULL, 0);
}

qeff_value qb_binary(qeff_builder *b, qeff_op op, qeff_value x, qeff_value y)
{
    const qeff_value inputs[] = {x, y};
    return qb_node(b, op, NULL, inputs, 2, NULL, 0);
}
