/* import.c - GraphProto becomes a graph: inputs, initializers, nodes, outputs.
 *
 * The parts of a graph come in any order, so they are listed first, then all names, and only then
 * are values made. Counts are taken, and limited, before anything is allocated. Nodes must be
 * sorted, as the format demands: a node whose input is produced only later is refused, which
 * refuses cycles too. value_info is not read: the shape rules of the graph decide, and what the
 * file declares of its outputs is checked against them. */
#include "base/dtype.h"
#include "base/error.h"
#include "base/span.h"
#include "onnx/messages.h"
#include "onnx/model.h"

#include <inttypes.h>

typedef struct part_list {
    qeff_onnx_span *items;
    size_t n_items;
} part_list;

typedef struct graph_parts {
    qeff_str name;
    part_list nodes, initializers, inputs, outputs;
} graph_parts;

/* --- listing --------------------------------------------------------------------------------- */

static part_list *list_of(graph_parts *parts, uint32_t field)
{
    switch (field) {
    case GRAPH_NODE:
        return &parts->nodes;
    case GRAPH_INITIALIZER:
        return &parts->initializers;
    case GRAPH_INPUT:
        return &parts->inputs;
    case GRAPH_OUTPUT:
        return &parts->outputs;
    default:
        return NULL;
    }
}

static qeff_status fail_sparse(qeff_protobuf r, qeff_error *err)
{
    enum { SPARSE_VALUES = 1 };
    qeff_str name = {"", 0};
    while (qeff_protobuf_next(&r)) {
        if (r.field != SPARSE_VALUES) continue;
        qeff_protobuf tensor = qeff_protobuf_message(&r);
        while (qeff_protobuf_next(&tensor))
            if (tensor.field == TENSOR_NAME) name = qeff_protobuf_str(&tensor);
    }
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                     "initializer '%.*s': sparse tensors are not supported", QEFF_STR_ARGS(name));
}

static qeff_status count_parts(qeff_protobuf r, graph_parts *parts, qeff_error *err)
{
    while (qeff_protobuf_next(&r)) {
        part_list *list = list_of(parts, r.field);
        if (list) list->n_items++;
        if (r.field == GRAPH_NAME) parts->name = qeff_protobuf_str(&r);
        if (r.field == GRAPH_SPARSE_INITIALIZER) return fail_sparse(qeff_protobuf_message(&r), err);
    }
    QEFF_TRY(qeff_protobuf_status(&r, err));
    if (parts->nodes.n_items > QEFF_ONNX_NODES_MAX)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "%zu nodes exceed the limit of %d",
                         parts->nodes.n_items, QEFF_ONNX_NODES_MAX);
    if (parts->inputs.n_items > QEFF_ONNX_VALUES_MAX ||
        parts->initializers.n_items > QEFF_ONNX_VALUES_MAX ||
        parts->outputs.n_items > QEFF_ONNX_VALUES_MAX)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                         "%zu inputs, %zu initializers, %zu outputs exceed the limit of %d values",
                         parts->inputs.n_items, parts->initializers.n_items, parts->outputs.n_items,
                         QEFF_ONNX_VALUES_MAX);
    return qeff_onnx_check_name(parts->name, "graph", err);
}

static bool allocate_list(qeff_onnx_importer *im, part_list *list)
{
    list->items = qeff_arena_array(&im->scratch, list->n_items, sizeof *list->items);
    list->n_items = 0;
    return list->items != NULL;
}

static qeff_status
list_parts(qeff_onnx_importer *im, qeff_protobuf message, graph_parts *parts, qeff_error *err)
{
    QEFF_TRY(count_parts(message, parts, err));
    if (!allocate_list(im, &parts->nodes) || !allocate_list(im, &parts->initializers) ||
        !allocate_list(im, &parts->inputs) || !allocate_list(im, &parts->outputs))
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    while (qeff_protobuf_next(&message)) {
        part_list *list = list_of(parts, message.field);
        if (!list) continue;
        const qeff_protobuf part = qeff_protobuf_message(&message);
        list->items[list->n_items++] = qeff_onnx_span_of(&part);
    }
    return qeff_protobuf_status(&message, err);
}

/* --- names ----------------------------------------------------------------------------------- */

/* Counts names while `items` is NULL, else collects them. */
static void add_name(qeff_onnx_importer *im, qeff_onnx_names *names, qeff_str text, uint32_t flags)
{
    if (names->items)
        names->items[names->n_items] = (qeff_onnx_name){text, (int32_t)names->n_items, flags};
    else
        im->names_bytes += text.size;
    names->n_items++;
}

/* Names of all parts of one kind, whose message has its name in `field`. */
static qeff_status add_part_names(qeff_onnx_importer *im, const part_list *list, uint32_t field,
                                  uint32_t flags, const char *what, qeff_error *err)
{
    for (size_t i = 0; i < list->n_items; i++) {
        qeff_str name = {"", 0};
        qeff_protobuf r = qeff_onnx_span_open(im->model, list->items[i]);
        while (qeff_protobuf_next(&r))
            if (r.field == field) name = qeff_protobuf_str(&r);
        QEFF_TRY(qeff_protobuf_status(&r, err));
        QEFF_TRY(qeff_onnx_check_name(name, what, err));
        if (name.size == 0) return qeff_fail(err, QEFF_ERR_FORMAT, "%s without a name", what);
        add_name(im, &im->values, name, flags);
    }
    return QEFF_OK;
}

static qeff_status add_node_names(qeff_onnx_importer *im, const part_list *nodes, qeff_error *err)
{
    for (size_t i = 0; i < nodes->n_items; i++) {
        qeff_str node_name = {"", 0};
        qeff_protobuf r = qeff_onnx_span_open(im->model, nodes->items[i]);
        while (qeff_protobuf_next(&r)) {
            if (r.field == NODE_NAME) node_name = qeff_protobuf_str(&r);
            if (r.field != NODE_OUTPUT) continue;
            const qeff_str name = qeff_protobuf_str(&r);
            QEFF_TRY(qeff_onnx_check_name(name, "value", err));
            if (name.size) add_name(im, &im->values, name, QEFF_ONNX_NAME_RESULT);
        }
        QEFF_TRY(qeff_protobuf_status(&r, err));
        QEFF_TRY(qeff_onnx_check_name(node_name, "node", err));
        if (node_name.size) add_name(im, &im->nodes, node_name, 0);
    }
    return QEFF_OK;
}

static qeff_status add_names(qeff_onnx_importer *im, const graph_parts *parts, qeff_error *err)
{
    im->values.n_items = 0;
    im->nodes.n_items = 0;
    QEFF_TRY(add_part_names(im, &parts->inputs, VALUE_NAME, QEFF_ONNX_NAME_INPUT, "input", err));
    QEFF_TRY(add_part_names(im, &parts->initializers, TENSOR_NAME, QEFF_ONNX_NAME_INITIALIZER,
                            "initializer", err));
    return add_node_names(im, &parts->nodes, err);
}

/* An initializer may be listed as an input too, as IR version 3 demands: one value, a weight. */
static qeff_status merge_twins(qeff_onnx_names *names, qeff_error *err)
{
    const uint32_t both = QEFF_ONNX_NAME_INPUT | QEFF_ONNX_NAME_INITIALIZER;
    size_t n = 0;
    for (size_t i = 0; i < names->n_items; i++) {
        const qeff_onnx_name item = names->items[i];
        if (n > 0 && qeff_str_equal(names->items[n - 1].text, item.text)) {
            if ((names->items[n - 1].flags ^ item.flags) != both)
                return qeff_fail(err, QEFF_ERR_FORMAT, "two values are called '%.*s'",
                                 QEFF_STR_ARGS(item.text));
            names->items[n - 1].flags |= item.flags;
            continue;
        }
        names->items[n++] = item;
    }
    names->n_items = n;
    return QEFF_OK;
}

/* By the worst files that the tests know: a node of little more than its operator can have eight
 * dims that are named after its output. */
qeff_status qeff_onnx_charge(qeff_onnx_importer *im, size_t n_nodes, size_t n_weights,
                             size_t names_bytes, qeff_error *err)
{
    enum { NODE_BYTES = 1200, WEIGHT_BYTES = 400, NAME_FACTOR = 10 };
    im->structure_bytes +=
        n_nodes * NODE_BYTES + n_weights * WEIGHT_BYTES + names_bytes * NAME_FACTOR;
    if (im->structure_bytes <= QEFF_ONNX_STRUCTURE_MAX) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                     "nodes, values and names may take %zu bytes, more than the limit of %d",
                     im->structure_bytes, QEFF_ONNX_STRUCTURE_MAX);
}

static qeff_status collect_names(qeff_onnx_importer *im, const graph_parts *parts, qeff_error *err)
{
    QEFF_TRY(add_names(im, parts, err)); /* counts */
    if (im->values.n_items > QEFF_ONNX_VALUES_MAX)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "%zu values exceed the limit of %d",
                         im->values.n_items, QEFF_ONNX_VALUES_MAX);
    QEFF_TRY(qeff_onnx_charge(im, parts->nodes.n_items,
                              parts->inputs.n_items + parts->initializers.n_items, im->names_bytes,
                              err));
    im->values.items = qeff_arena_array(&im->scratch, im->values.n_items, sizeof *im->values.items);
    im->nodes.items = qeff_arena_array(&im->scratch, im->nodes.n_items, sizeof *im->nodes.items);
    if (!im->values.items || !im->nodes.items)
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    QEFF_TRY(add_names(im, parts, err));
    qeff_onnx_names_sort(&im->values);
    qeff_onnx_names_sort(&im->nodes);
    QEFF_TRY(merge_twins(&im->values, err));
    const qeff_onnx_name *twin = qeff_onnx_names_find_twin(&im->nodes);
    if (twin)
        return qeff_fail(err, QEFF_ERR_FORMAT, "two nodes are called '%.*s'",
                         QEFF_STR_ARGS(twin->text));
    for (size_t i = 0; i < im->values.n_items; i++)
        im->values.items[i].index = QEFF_VALUE_NONE;
    return QEFF_OK;
}

/* --- types ----------------------------------------------------------------------------------- */

/* ValueInfoProto of a tensor. */
typedef struct declaration {
    qeff_str name;
    bool has_tensor, has_shape;
    int64_t elem_type;
    qeff_shape shape; /* a symbol of NULL and a size of -1: not given */
} declaration;

static qeff_status read_dim(qeff_onnx_importer *im, qeff_protobuf r, qeff_dim *out, qeff_error *err)
{
    *out = (qeff_dim){-1, NULL};
    while (qeff_protobuf_next(&r)) {
        if (r.field == DIM_VALUE) {
            *out = qeff_dim_of(qeff_protobuf_int(&r));
            if (out->size < 0)
                return qeff_fail(err, QEFF_ERR_FORMAT, "dimension of %" PRId64, out->size);
        } else if (r.field == DIM_PARAM) {
            const qeff_str symbol = qeff_protobuf_str(&r);
            QEFF_TRY(qeff_onnx_check_name(symbol, "dimension", err));
            *out = (qeff_dim){-1, NULL};
            if (symbol.size == 0) continue;
            out->symbol = qeff_arena_str(&im->scratch, symbol).data;
            if (!out->symbol) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        }
    }
    return qeff_protobuf_status(&r, err);
}

static qeff_status
read_shape(qeff_onnx_importer *im, qeff_protobuf r, qeff_shape *out, qeff_error *err)
{
    out->rank = 0;
    while (qeff_protobuf_next(&r)) {
        if (r.field != SHAPE_DIM) continue;
        if (out->rank == QEFF_MAX_RANK)
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "rank exceeds the limit of %d",
                             QEFF_MAX_RANK);
        QEFF_TRY(read_dim(im, qeff_protobuf_message(&r), &out->dims[out->rank++], err));
    }
    return qeff_protobuf_status(&r, err);
}

static qeff_status
read_tensor_type(qeff_onnx_importer *im, qeff_protobuf r, declaration *out, qeff_error *err)
{
    out->has_tensor = true;
    while (qeff_protobuf_next(&r)) {
        if (r.field == TENSOR_TYPE_ELEM) out->elem_type = qeff_protobuf_int(&r);
        if (r.field != TENSOR_TYPE_SHAPE) continue;
        out->has_shape = true;
        QEFF_TRY(read_shape(im, qeff_protobuf_message(&r), &out->shape, err));
    }
    return qeff_protobuf_status(&r, err);
}

/* Other types than tensors may nest; nothing goes down into them. */
static qeff_status
read_declaration(qeff_onnx_importer *im, qeff_onnx_span span, declaration *out, qeff_error *err)
{
    *out = (declaration){0};
    qeff_protobuf r = qeff_onnx_span_open(im->model, span);
    while (qeff_protobuf_next(&r)) {
        if (r.field == VALUE_NAME) out->name = qeff_protobuf_str(&r);
        if (r.field != VALUE_TYPE) continue;
        qeff_protobuf type = qeff_protobuf_message(&r);
        while (qeff_protobuf_next(&type))
            if (type.field == TYPE_TENSOR)
                QEFF_TRY(read_tensor_type(im, qeff_protobuf_message(&type), out, err));
        QEFF_TRY(qeff_protobuf_status(&type, err));
    }
    return qeff_protobuf_status(&r, err);
}

/* --- values ---------------------------------------------------------------------------------- */

/* A dimension without a size or name gets one of its own: it differs from all others. */
static qeff_status name_free_dims(qeff_onnx_importer *im, declaration *d, qeff_error *err)
{
    for (size_t i = 0; i < d->shape.rank; i++) {
        qeff_dim *dim = &d->shape.dims[i];
        if (dim->symbol || dim->size >= 0) continue;
        qeff_buffer text = {0};
        qeff_buffer_format(&text, "%.*s_dim_%zu", QEFF_STR_ARGS(d->name), i);
        if (!text.failed) dim->symbol = qeff_arena_str(&im->scratch, qeff_buffer_str(&text)).data;
        qeff_buffer_deinit(&text);
        if (!dim->symbol) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    }
    return QEFF_OK;
}

static qeff_status
import_input(qeff_onnx_importer *im, const declaration *d, qeff_onnx_name *entry, qeff_error *err)
{
    const qeff_dtype dtype = qeff_dtype_from_onnx(d->elem_type);
    if (!d->has_tensor || dtype == QEFF_DTYPE_NONE)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "expected a tensor, found data type %" PRId64,
                         d->elem_type);
    if (!d->has_shape) return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "expected a shape");
    const qeff_str name = qeff_arena_str(&im->scratch, d->name);
    if (!name.data) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    entry->index = qb_input(im->builder, name.data, dtype, &d->shape);
    return QEFF_OK;
}

static qeff_status import_inputs(qeff_onnx_importer *im, const part_list *inputs, qeff_error *err)
{
    for (size_t i = 0; i < inputs->n_items && !qb_has_failed(im->builder); i++) {
        declaration d;
        qeff_status status = read_declaration(im, inputs->items[i], &d, err);
        qeff_onnx_name *entry = qeff_onnx_names_find(&im->values, d.name);
        if (!status && entry->flags & QEFF_ONNX_NAME_INITIALIZER) continue;
        if (!status) status = name_free_dims(im, &d, err);
        if (!status) status = import_input(im, &d, entry, err);
        if (status) return qeff_within(err, status, "input '%.*s'", QEFF_STR_ARGS(d.name));
    }
    return QEFF_OK;
}

static qeff_status
import_initializers(qeff_onnx_importer *im, const part_list *initializers, qeff_error *err)
{
    for (size_t i = 0; i < initializers->n_items && !qb_has_failed(im->builder); i++) {
        qeff_onnx_tensor tensor;
        const qeff_protobuf message = qeff_onnx_span_open(im->model, initializers->items[i]);
        QEFF_TRY(qeff_onnx_read_tensor(im->model, message, &tensor, err));
        qeff_onnx_name *entry = qeff_onnx_names_find(&im->values, tensor.name);
        entry->index = qeff_onnx_add_weight(im->builder, &tensor, tensor.name);
    }
    return QEFF_OK;
}

static qeff_status import_nodes(qeff_onnx_importer *im, const part_list *nodes, qeff_error *err)
{
    qeff_status status = QEFF_OK;
    for (size_t i = 0; i < nodes->n_items && !status && !qb_has_failed(im->builder); i++) {
        status = qeff_onnx_import_node(im, qeff_onnx_span_open(im->model, nodes->items[i]), err);
        qeff_arena_deinit(&im->node_memory);
    }
    return status;
}

/* --- outputs --------------------------------------------------------------------------------- */

/* Which names are outputs is known before the nodes are read. */
static qeff_status mark_outputs(qeff_onnx_importer *im, const part_list *outputs, qeff_error *err)
{
    for (size_t i = 0; i < outputs->n_items; i++) {
        declaration d;
        QEFF_TRY(read_declaration(im, outputs->items[i], &d, err));
        qeff_onnx_name *entry = qeff_onnx_names_find(&im->values, d.name);
        if (!entry)
            return qeff_fail(err, QEFF_ERR_FORMAT, "output '%.*s' is never produced",
                             QEFF_STR_ARGS(d.name));
        if (entry->flags & QEFF_ONNX_NAME_OUTPUT)
            return qeff_fail(err, QEFF_ERR_FORMAT, "output '%.*s' is listed twice",
                             QEFF_STR_ARGS(d.name));
        entry->flags |= QEFF_ONNX_NAME_OUTPUT;
    }
    return QEFF_OK;
}

static qeff_status
check_declaration(const declaration *d, const qeff_value_info *info, qeff_error *err)
{
    if (!d->has_tensor) return QEFF_OK;
    if (d->elem_type && d->elem_type != qeff_dtype_get(info->dtype)->onnx)
        return qeff_fail(err, QEFF_ERR_FORMAT, "declared as data type %" PRId64 ", computed as %s",
                         d->elem_type, qeff_dtype_name(info->dtype));
    if (!d->has_shape) return QEFF_OK;
    if (d->shape.rank != info->shape.rank)
        return qeff_fail(err, QEFF_ERR_FORMAT, "declared with rank %zu, computed with rank %zu",
                         d->shape.rank, info->shape.rank);
    for (size_t i = 0; i < d->shape.rank; i++) {
        const int64_t declared = d->shape.dims[i].size, computed = info->shape.dims[i].size;
        if (declared >= 0 && computed >= 0 && declared != computed)
            return qeff_fail(err, QEFF_ERR_FORMAT,
                             "dimension %zu declared as %" PRId64 ", computed as %" PRId64, i,
                             declared, computed);
    }
    return QEFF_OK;
}

static qeff_status import_outputs(qeff_onnx_importer *im, const part_list *outputs, qeff_error *err)
{
    for (size_t i = 0; i < outputs->n_items && !qb_has_failed(im->builder); i++) {
        declaration d;
        QEFF_TRY(read_declaration(im, outputs->items[i], &d, err));
        const qeff_onnx_name *entry = qeff_onnx_names_find(&im->values, d.name);
        const qeff_str name = qeff_arena_str(&im->scratch, d.name);
        if (!name.data) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        const qeff_value_info *info = qeff_graph_value(qb_graph(im->builder), entry->index);
        QEFF_TRY(qeff_within(err, check_declaration(&d, info, err), "output '%s'", name.data));
        qb_output(im->builder, name.data, entry->index);
    }
    return QEFF_OK;
}

/* --- the graph ------------------------------------------------------------------------------- */

static qeff_status import_parts(qeff_onnx_importer *im, graph_parts *parts, qeff_error *err)
{
    QEFF_TRY(collect_names(im, parts, err));
    QEFF_TRY(mark_outputs(im, &parts->outputs, err));
    if (parts->outputs.n_items == 0)
        return qeff_fail(err, QEFF_ERR_FORMAT, "graph without outputs");
    const qeff_str name = qeff_arena_str(&im->scratch, parts->name);
    if (!name.data) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    QEFF_TRY(qb_create(name.data, NULL, &im->builder, err));
    QEFF_TRY(import_inputs(im, &parts->inputs, err));
    QEFF_TRY(import_initializers(im, &parts->initializers, err));
    QEFF_TRY(import_nodes(im, &parts->nodes, err));
    return import_outputs(im, &parts->outputs, err);
}

qeff_status qeff_onnx_import_graph(qeff_onnx_model *model, qeff_protobuf message, qeff_graph **out,
                                   qeff_error *err)
{
    qeff_onnx_importer im = {.model = model};
    graph_parts parts = {0};
    *out = NULL;
    qeff_status status = list_parts(&im, message, &parts, err);
    if (!status) status = import_parts(&im, &parts, err);
    if (status)
        qb_destroy(im.builder);
    else
        status = qb_finish(im.builder, out, err);
    qeff_arena_deinit(&im.node_memory);
    qeff_arena_deinit(&im.scratch);
    return status;
}
