/* export.c - a graph of primitives becomes an ONNX file and, for large tensors, a data file.
 *
 *   <model>.onnx          ModelProto; each tensor of at most 1,024 bytes inside
 *   <model>_0.onnx.data   the others, in the order of the graph's values, at offsets that are
 *                         multiples of 4096 from 1 MiB on (so that they can be mapped), else of 64
 *
 * A protobuf message starts with its length, so the graph is gone through twice: first to add up
 * the sizes of its parts, then to write them. Only one part is ever in memory. Reference:
 * github.com/onnx/onnx, docs/IR.md and docs/ExternalData.md. */
#include "base/dtype.h"
#include "base/error.h"
#include "base/file.h"
#include "base/span.h"
#include "base/utf8.h"
#include "formats/protobuf.h"
#include "graph/op.h"
#include "onnx/messages.h"
#include "onnx/names.h"
#include "onnx/onnx.h"
#include "onnx/operators.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    LARGE_BYTES = 1 << 20,
    LARGE_ALIGNMENT = 4096,
    SMALL_ALIGNMENT = 64,
    MODEL_NAME_MAX = 200,
    PROTO_BYTES_MAX = INT32_MAX /* what protobuf implementations read */
};

typedef struct exporter {
    const qeff_graph *graph;
    qeff_arena arena;
    qeff_str *names;     /* [n_values] in the file */
    int32_t *claims;     /* [n_values] index of the output that gave its name, or -1 */
    uint64_t *offsets;   /* [n_values] in the data file; of external tensors */
    qeff_str data_name;  /* of the data file */
    uint64_t data_bytes; /* of the data file */
    qeff_buffer part;    /* the part being made */
    qeff_writer *sink;   /* NULL while sizes are added up */
    uint64_t size;       /* of all parts so far */
} exporter;

/* --- names ----------------------------------------------------------------------------------- */

static bool make_table(exporter *e, size_t n, qeff_onnx_names *table)
{
    *table = (qeff_onnx_names){qeff_arena_array(&e->arena, n, sizeof *table->items), n};
    return table->items != NULL;
}

/* A value that bears an output's name without being that output steps aside: `name_1`, `name_2`. */
static qeff_str make_fresh_name(exporter *e, const qeff_onnx_names *values,
                                const qeff_onnx_names *outputs, qeff_str name)
{
    for (unsigned k = 1;; k++) {
        qeff_buffer text = {0};
        qeff_buffer_append_str(&text, name);
        qeff_buffer_format(&text, "_%u", k);
        const qeff_str candidate = qeff_buffer_str(&text);
        qeff_str fresh = {NULL, 0};
        const bool is_taken =
            qeff_onnx_names_find(values, candidate) || qeff_onnx_names_find(outputs, candidate);
        if (!text.failed && !is_taken) fresh = qeff_arena_str(&e->arena, candidate);
        const bool is_done = text.failed || !is_taken;
        qeff_buffer_deinit(&text);
        if (is_done) return fresh;
    }
}

static qeff_status resolve_output(exporter *e, const qeff_onnx_names *values,
                                  const qeff_onnx_names *outputs, int32_t index, qeff_error *err)
{
    const qeff_graph_output *output = &e->graph->outputs[index];
    const qeff_onnx_name *holder = qeff_onnx_names_find(values, output->name);
    if (!holder || e->claims[holder->index] == index) return QEFF_OK;
    const qeff_value_info *info = qeff_graph_value(e->graph, holder->index);
    if (info->kind == QEFF_VALUE_INPUT)
        return qeff_fail(err, QEFF_ERR_INVALID, "output '%.*s' has the name of an input",
                         QEFF_STR_ARGS(output->name));
    if (e->claims[holder->index] >= 0) return QEFF_OK; /* goes by another output's name anyway */
    const qeff_str fresh = make_fresh_name(e, values, outputs, output->name);
    if (!fresh.data) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    e->names[holder->index] = fresh;
    return QEFF_OK;
}

static qeff_status assign_names(exporter *e, qeff_error *err)
{
    const qeff_graph *g = e->graph;
    qeff_onnx_names values, outputs;
    if (!make_table(e, g->n_values, &values) || !make_table(e, g->n_outputs, &outputs))
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < g->n_values; i++) {
        e->names[i] = g->values[i].name;
        e->claims[i] = -1;
        values.items[i] = (qeff_onnx_name){.text = e->names[i], .index = (int32_t)i};
    }
    for (size_t i = 0; i < g->n_outputs; i++) {
        const qeff_value value = g->outputs[i].value;
        outputs.items[i] = (qeff_onnx_name){.text = g->outputs[i].name, .index = (int32_t)i};
        if (g->values[value].kind != QEFF_VALUE_RESULT || e->claims[value] >= 0) continue;
        e->claims[value] = (int32_t)i;
        e->names[value] = g->outputs[i].name;
    }
    qeff_onnx_names_sort(&values);
    qeff_onnx_names_sort(&outputs);
    const qeff_onnx_name *twin = qeff_onnx_names_find_twin(&outputs);
    if (twin)
        return qeff_fail(err, QEFF_ERR_INVALID, "two outputs are called '%.*s'",
                         QEFF_STR_ARGS(twin->text));
    for (size_t i = 0; i < g->n_outputs; i++)
        QEFF_TRY(resolve_output(e, &values, &outputs, (int32_t)i, err));
    return QEFF_OK;
}

/* --- parts ----------------------------------------------------------------------------------- */

/* Counts or writes what `part` holds, and empties it. */
static void flush_part(exporter *e)
{
    e->size += e->part.size;
    if (e->sink) qeff_writer_append(e->sink, e->part.data, e->part.size);
    e->part.size = 0;
}

static void put_attribute(qeff_buffer *out, const qeff_attribute *a)
{
    const size_t mark = qeff_protobuf_begin(out, NODE_ATTRIBUTE);
    qeff_protobuf_put_str(out, ATTRIBUTE_NAME, qeff_str_of(a->name));
    int type = ATTRIBUTE_TYPE_NONE;
    switch (a->kind) {
    case QEFF_ATTRIBUTE_FLOAT:
        qeff_protobuf_put_float(out, ATTRIBUTE_F, (float)a->f);
        type = ATTRIBUTE_TYPE_FLOAT;
        break;
    case QEFF_ATTRIBUTE_INT:
        qeff_protobuf_put_int(out, ATTRIBUTE_I, a->i);
        type = ATTRIBUTE_TYPE_INT;
        break;
    case QEFF_ATTRIBUTE_STR:
        qeff_protobuf_put_str(out, ATTRIBUTE_S, a->s);
        type = ATTRIBUTE_TYPE_STRING;
        break;
    case QEFF_ATTRIBUTE_INTS:
        for (size_t i = 0; i < a->n_ints; i++)
            qeff_protobuf_put_int(out, ATTRIBUTE_INTS, a->ints[i]);
        type = ATTRIBUTE_TYPE_INTS;
        break;
    }
    qeff_protobuf_put_int(out, ATTRIBUTE_TYPE, type);
    qeff_protobuf_end(out, mark);
}

/* value and dtype of the graph's node are one tensor of one element in the file. */
static void put_fill(qeff_buffer *out, const qeff_node *node)
{
    uint8_t element[8] = {0};
    const int64_t type = qeff_node_int(node, "dtype", qeff_dtype_get(QEFF_DTYPE_F32)->onnx);
    const qeff_dtype dtype = qeff_dtype_from_onnx(type);
    const qeff_attribute *value = qeff_node_find_attribute(node, "value");
    if (!value && dtype == QEFF_DTYPE_F32) return;     /* the default */
    (void)qeff_onnx_write_fill(dtype, value, element); /* its shape rule has checked it */
    const size_t mark = qeff_protobuf_begin(out, NODE_ATTRIBUTE);
    qeff_protobuf_put_str(out, ATTRIBUTE_NAME, QEFF_STR("value"));
    const size_t tensor = qeff_protobuf_begin(out, ATTRIBUTE_T);
    qeff_protobuf_put_int(out, TENSOR_DIMS, 1);
    qeff_protobuf_put_int(out, TENSOR_DATA_TYPE, type);
    qeff_protobuf_put_bytes(out, TENSOR_RAW_DATA, (qeff_bytes){element, qeff_dtype_size(dtype)});
    qeff_protobuf_end(out, tensor);
    qeff_protobuf_put_int(out, ATTRIBUTE_TYPE, ATTRIBUTE_TYPE_TENSOR);
    qeff_protobuf_end(out, mark);
}

static void emit_node(exporter *e, const qeff_node *node)
{
    qeff_buffer *out = &e->part;
    const size_t mark = qeff_protobuf_begin(out, GRAPH_NODE);
    for (size_t i = 0; i < node->n_inputs; i++) {
        const qeff_value input = node->inputs[i];
        qeff_protobuf_put_str(out, NODE_INPUT,
                              input == QEFF_VALUE_NONE ? (qeff_str){"", 0} : e->names[input]);
    }
    for (size_t i = 0; i < node->n_outputs; i++)
        qeff_protobuf_put_str(out, NODE_OUTPUT, e->names[node->outputs[i]]);
    qeff_protobuf_put_str(out, NODE_NAME, node->name);
    qeff_protobuf_put_str(out, NODE_OP_TYPE, qeff_str_of(qeff_op_get(node->op)->onnx));
    for (size_t i = 0; i < node->n_attributes; i++)
        if (!qeff_onnx_is_implied(node->op, node->attributes[i].name))
            put_attribute(out, &node->attributes[i]);
    if (node->op == QEFF_OP_CONSTANT_OF_SHAPE) put_fill(out, node);
    qeff_protobuf_end(out, mark);
    flush_part(e);
}

/* Gives a value that already has a name the name of a further output. */
static void emit_identity(exporter *e, qeff_str from, qeff_str to)
{
    qeff_buffer *out = &e->part;
    const size_t mark = qeff_protobuf_begin(out, GRAPH_NODE);
    qeff_protobuf_put_str(out, NODE_INPUT, from);
    qeff_protobuf_put_str(out, NODE_OUTPUT, to);
    qeff_protobuf_put_str(out, NODE_OP_TYPE, QEFF_STR("Identity"));
    qeff_protobuf_end(out, mark);
    flush_part(e);
}

static void put_entry(qeff_buffer *out, uint32_t field, qeff_str key, qeff_str value)
{
    const size_t mark = qeff_protobuf_begin(out, field);
    qeff_protobuf_put_str(out, ENTRY_KEY, key);
    qeff_protobuf_put_str(out, ENTRY_VALUE, value);
    qeff_protobuf_end(out, mark);
}

static void put_number_entry(qeff_buffer *out, const char *key, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    put_entry(out, TENSOR_EXTERNAL_DATA, qeff_str_of(key), qeff_str_of(text));
}

static bool is_external(const qeff_value_info *info)
{
    return info->kind == QEFF_VALUE_WEIGHT && info->data.size > QEFF_ONNX_INLINE_BYTES;
}

static void emit_initializer(exporter *e, qeff_value value)
{
    const qeff_value_info *info = qeff_graph_value(e->graph, value);
    qeff_buffer *out = &e->part;
    const size_t mark = qeff_protobuf_begin(out, GRAPH_INITIALIZER);
    for (size_t i = 0; i < info->shape.rank; i++)
        qeff_protobuf_put_int(out, TENSOR_DIMS, info->shape.dims[i].size);
    qeff_protobuf_put_int(out, TENSOR_DATA_TYPE, qeff_dtype_get(info->dtype)->onnx);
    qeff_protobuf_put_str(out, TENSOR_NAME, e->names[value]);
    if (is_external(info)) {
        put_entry(out, TENSOR_EXTERNAL_DATA, QEFF_STR("location"), e->data_name);
        put_number_entry(out, "offset", e->offsets[value]);
        put_number_entry(out, "length", info->data.size);
        qeff_protobuf_put_int(out, TENSOR_DATA_LOCATION, 1);
    } else {
        qeff_protobuf_put_bytes(out, TENSOR_RAW_DATA, info->data);
    }
    qeff_protobuf_end(out, mark);
    flush_part(e);
}

static void put_dim(qeff_buffer *out, qeff_dim dim)
{
    const size_t mark = qeff_protobuf_begin(out, SHAPE_DIM);
    if (dim.symbol)
        qeff_protobuf_put_str(out, DIM_PARAM, qeff_str_of(dim.symbol));
    else
        qeff_protobuf_put_int(out, DIM_VALUE, dim.size);
    qeff_protobuf_end(out, mark);
}

static void emit_value_info(exporter *e, uint32_t field, qeff_str name, qeff_value value)
{
    const qeff_value_info *info = qeff_graph_value(e->graph, value);
    qeff_buffer *out = &e->part;
    const size_t mark = qeff_protobuf_begin(out, field);
    qeff_protobuf_put_str(out, VALUE_NAME, name);
    const size_t type = qeff_protobuf_begin(out, VALUE_TYPE);
    const size_t tensor = qeff_protobuf_begin(out, TYPE_TENSOR);
    qeff_protobuf_put_int(out, TENSOR_TYPE_ELEM, qeff_dtype_get(info->dtype)->onnx);
    const size_t shape = qeff_protobuf_begin(out, TENSOR_TYPE_SHAPE);
    for (size_t i = 0; i < info->shape.rank; i++)
        put_dim(out, info->shape.dims[i]);
    qeff_protobuf_end(out, shape);
    qeff_protobuf_end(out, tensor);
    qeff_protobuf_end(out, type);
    qeff_protobuf_end(out, mark);
    flush_part(e);
}

/* --- the graph ------------------------------------------------------------------------------- */

static void emit_graph(exporter *e, qeff_str name)
{
    const qeff_graph *g = e->graph;
    e->size = 0;
    for (size_t i = 0; i < g->n_nodes; i++)
        emit_node(e, &g->nodes[i]);
    for (size_t i = 0; i < g->n_outputs; i++) {
        const qeff_graph_output *output = &g->outputs[i];
        if (e->claims[output->value] != (int32_t)i)
            emit_identity(e, e->names[output->value], output->name);
    }
    qeff_protobuf_put_str(&e->part, GRAPH_NAME, name);
    flush_part(e);
    for (size_t i = 0; i < g->n_values; i++)
        if (g->values[i].kind == QEFF_VALUE_WEIGHT) emit_initializer(e, (qeff_value)i);
    for (size_t i = 0; i < g->n_inputs; i++)
        emit_value_info(e, GRAPH_INPUT, e->names[g->inputs[i]], g->inputs[i]);
    for (size_t i = 0; i < g->n_outputs; i++)
        emit_value_info(e, GRAPH_OUTPUT, g->outputs[i].name, g->outputs[i].value);
    for (size_t i = 0; i < g->n_values; i++)
        if (g->values[i].kind == QEFF_VALUE_RESULT && e->claims[i] < 0)
            emit_value_info(e, GRAPH_VALUE_INFO, e->names[i], (qeff_value)i);
}

static int compare_properties(const void *a, const void *b)
{
    const qeff_onnx_property *x = a, *y = b;
    const size_t n = x->key.size < y->key.size ? x->key.size : y->key.size;
    const int order = n ? memcmp(x->key.data, y->key.data, n) : 0;
    return order ? order : (x->key.size > y->key.size) - (x->key.size < y->key.size);
}

/* A copy in the arena, sorted by key, so that the order of the caller does not matter. */
static qeff_status
sort_metadata(exporter *e, const qeff_onnx_metadata *from, qeff_onnx_metadata *out, qeff_error *err)
{
    *out = (qeff_onnx_metadata){NULL, 0};
    if (!from || from->n_items == 0) return QEFF_OK;
    qeff_onnx_property *items = qeff_arena_array(&e->arena, from->n_items, sizeof *items);
    if (!items) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    memcpy(items, from->items, from->n_items * sizeof *items);
    qsort(items, from->n_items, sizeof *items, compare_properties);
    for (size_t i = 1; i < from->n_items; i++)
        if (qeff_str_equal(items[i - 1].key, items[i].key))
            return qeff_fail(err, QEFF_ERR_INVALID, "metadata key '%.*s' occurs twice",
                             QEFF_STR_ARGS(items[i].key));
    *out = (qeff_onnx_metadata){items, from->n_items};
    return QEFF_OK;
}

static qeff_status write_model(exporter *e, qeff_str graph_name, const qeff_onnx_metadata *metadata,
                               qeff_writer *writer, qeff_error *err)
{
    emit_graph(e, graph_name); /* sizes only */
    if (e->size > PROTO_BYTES_MAX)
        return qeff_fail(err, QEFF_ERR_CAPACITY, "graph of %" PRIu64 " bytes exceeds %d", e->size,
                         PROTO_BYTES_MAX);
    qeff_buffer *out = &e->part;
    const uint64_t graph_bytes = e->size;
    e->sink = writer;
    qeff_protobuf_put_int(out, MODEL_IR_VERSION, QEFF_ONNX_IR_VERSION);
    qeff_protobuf_put_str(out, MODEL_PRODUCER_NAME, QEFF_STR("qeff"));
    qeff_protobuf_put_str(out, MODEL_PRODUCER_VERSION, qeff_str_of(qeff_version()));
    qeff_protobuf_put_header(out, MODEL_GRAPH, graph_bytes);
    flush_part(e);
    emit_graph(e, graph_name);
    const size_t mark = qeff_protobuf_begin(out, MODEL_OPSET_IMPORT);
    qeff_protobuf_put_str(out, OPSET_DOMAIN, (qeff_str){"", 0});
    qeff_protobuf_put_int(out, OPSET_VERSION, QEFF_ONNX_OPSET);
    qeff_protobuf_end(out, mark);
    for (size_t i = 0; i < metadata->n_items; i++)
        put_entry(out, MODEL_METADATA_PROPS, metadata->items[i].key, metadata->items[i].value);
    flush_part(e);
    return qeff_buffer_status(out, err);
}

/* --- the data file --------------------------------------------------------------------------- */

static uint64_t alignment_of(const qeff_value_info *info)
{
    return info->data.size >= LARGE_BYTES ? LARGE_ALIGNMENT : SMALL_ALIGNMENT;
}

static void plan_data(exporter *e)
{
    uint64_t at = 0;
    for (size_t i = 0; i < e->graph->n_values; i++) {
        const qeff_value_info *info = &e->graph->values[i];
        if (!is_external(info)) continue;
        const uint64_t unit = alignment_of(info);
        at = (at + unit - 1) / unit * unit;
        e->offsets[i] = at;
        at += info->data.size;
    }
    e->data_bytes = at;
}

static void write_data(const exporter *e, qeff_writer *writer)
{
    for (size_t i = 0; i < e->graph->n_values; i++) {
        const qeff_value_info *info = &e->graph->values[i];
        if (!is_external(info)) continue;
        qeff_writer_pad(writer, (size_t)alignment_of(info));
        if (info->source_fd >= 0)
            qeff_writer_copy(writer, info->source_fd, info->source_offset, info->data.size);
        else
            qeff_writer_append(writer, info->data.data, info->data.size);
    }
}

/* --- files ----------------------------------------------------------------------------------- */

/* Gives both files their names: data first, so that whoever sees the model finds its data. A model
 * that is being replaced goes before its data does: killed in between, there is no model, never an
 * old one with new weights. */
static qeff_status commit_files(qeff_writer *model, qeff_writer *data, qeff_error *err)
{
    const qeff_io *io = qeff_io_get();
    char data_path[QEFF_PATH_MAX];
    int error = 0;
    const bool has_data = data->is_open;
    memcpy(data_path, data->path, sizeof data_path);
    if (model->status) return qeff_writer_commit(model, err);
    if (has_data && !data->status) (void)io->unlink(io->ctx, model->path, &error);
    if (has_data) QEFF_TRY(qeff_writer_commit(data, err));
    const qeff_status status = qeff_writer_commit(model, err);
    if (status && has_data) (void)io->unlink(io->ctx, data_path, &error);
    return status;
}

static qeff_status write_files(exporter *e, const char *folder, const char *model_name,
                               const qeff_onnx_metadata *metadata, qeff_error *err)
{
    char path[QEFF_PATH_MAX], file_name[MODEL_NAME_MAX + 32];
    qeff_writer model = {0}, data = {0};
    const qeff_str graph_name = e->graph->name.size ? e->graph->name : qeff_str_of(model_name);
    (void)snprintf(file_name, sizeof file_name, "%s.onnx", model_name);
    qeff_status status = qeff_path_join(folder, qeff_str_of(file_name), path, err);
    if (!status) status = qeff_writer_open(&model, path, err);
    if (!status && e->data_bytes) {
        status = qeff_path_join(folder, e->data_name, path, err);
        if (!status) status = qeff_writer_open(&data, path, err);
        if (!status) write_data(e, &data);
    }
    if (!status) status = write_model(e, graph_name, metadata, &model, err);
    if (!status) status = commit_files(&model, &data, err);
    qeff_writer_abort(&model);
    qeff_writer_abort(&data);
    return status;
}

/* A weight of f16 or bf16 counts as f32 in the graph but not in ONNX, unless it meets operands of
 * its own dtype: it must have been cast. */
static bool is_uncast(const qeff_graph *graph, const qeff_node *node, qeff_value value)
{
    if (value == QEFF_VALUE_NONE || node->op == QEFF_OP_CAST || node->op == QEFF_OP_SHAPE)
        return false;
    const qeff_dtype dtype = graph->values[value].dtype;
    if (dtype == qeff_op_operand_dtype(graph, value)) return false;
    return graph->values[node->outputs[0]].dtype != dtype;
}

static qeff_status check_node(const qeff_graph *graph, const qeff_node *node, qeff_error *err)
{
    if (!qeff_op_get(node->op)->onnx)
        return qeff_fail(err, QEFF_ERR_INVALID, "'%s' has no operator in ONNX",
                         qeff_op_get(node->op)->name);
    for (size_t i = 0; i < node->n_inputs; i++)
        if (is_uncast(graph, node, node->inputs[i]))
            return qeff_fail(err, QEFF_ERR_INVALID, "weight '%.*s' of %s is not cast to f32",
                             QEFF_STR_ARGS(graph->values[node->inputs[i]].name),
                             qeff_dtype_name(graph->values[node->inputs[i]].dtype));
    return QEFF_OK;
}

/* ONNX has 8-bit floats since opset 19. */
static qeff_status check_dtypes(const qeff_graph *graph, qeff_error *err)
{
    for (size_t i = 0; i < graph->n_values; i++) {
        const qeff_value_info *info = &graph->values[i];
        if (info->dtype == QEFF_DTYPE_F8_E4M3 || info->dtype == QEFF_DTYPE_F8_E5M2)
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "value '%.*s': opset %d has no %s",
                             QEFF_STR_ARGS(info->name), QEFF_ONNX_OPSET,
                             qeff_dtype_name(info->dtype));
    }
    return QEFF_OK;
}

static qeff_status check_nodes(const qeff_graph *graph, qeff_error *err)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const qeff_node *node = &graph->nodes[i];
        QEFF_TRY(qeff_within(err, check_node(graph, node, err), "node '%.*s'",
                             QEFF_STR_ARGS(node->name)));
    }
    return QEFF_OK;
}

static bool is_file_name(const char *name)
{
    const qeff_str text = qeff_str_of(name);
    if (text.size == 0 || text.size > MODEL_NAME_MAX || text.data[0] == '.') return false;
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == '/' || name[i] == '\\') return false;
    return qeff_utf8_is_valid(text);
}

qeff_status qeff_onnx_export(const qeff_graph *graph, const char *folder, const char *model_name,
                             const qeff_onnx_metadata *metadata, qeff_error *err)
{
    exporter e = {.graph = graph};
    char data_name[MODEL_NAME_MAX + 32];
    qeff_onnx_metadata sorted;
    if (!is_file_name(model_name))
        return qeff_fail(err, QEFF_ERR_INVALID, "'%.100s': expected a plain file name", model_name);
    (void)snprintf(data_name, sizeof data_name, "%s_0.onnx.data", model_name);
    e.data_name = qeff_str_of(data_name);
    qeff_status status = check_nodes(graph, err);
    if (!status) status = check_dtypes(graph, err);
    if (status) goto done;
    e.names = qeff_arena_array(&e.arena, graph->n_values, sizeof *e.names);
    e.claims = qeff_arena_array(&e.arena, graph->n_values, sizeof *e.claims);
    e.offsets = qeff_arena_array(&e.arena, graph->n_values, sizeof *e.offsets);
    if (!e.names || !e.claims || !e.offsets) {
        status = qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        goto done;
    }
    status = assign_names(&e, err);
    if (!status) status = sort_metadata(&e, metadata, &sorted, err);
    if (status) goto done;
    plan_data(&e);
    status = write_files(&e, folder, model_name, &sorted, err);
done:
    qeff_buffer_deinit(&e.part);
    qeff_arena_deinit(&e.arena);
    return status;
}
