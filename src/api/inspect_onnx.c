/* inspect_onnx.c - an ONNX file as it stands: operators, inputs, outputs, initializers.
 *
 * The messages are walked without being imported, so that files with operators that this build
 * does not know can be looked at too. The import is tried as well: it checks far more, and says
 * whether the file can be compiled. */
#include "api/inspect.h"
#include "base/alloc.h"
#include "base/checked.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/file.h"
#include "base/span.h"
#include "formats/protobuf.h"
#include "onnx/messages.h"
#include "onnx/onnx.h"

#include <stdlib.h>

enum { NODES_MAX = 1000000, NAME_BYTES_MAX = 4096 };

typedef struct op_type {
    qeff_str domain, name;
    size_t count;
} op_type;

/* What is found on the way; the walk is the same for each list of the graph. */
typedef struct walk {
    qeff_buffer *out;
    op_type *ops; /* [n_nodes], then folded to the kinds */
    size_t n_nodes;
    qeff_inspect_sum sum;
} walk;

static qeff_str shown(qeff_str name)
{
    if (name.size > NAME_BYTES_MAX) name.size = NAME_BYTES_MAX;
    return name.data ? name : QEFF_STR("");
}

/* --- types and tensors ------------------------------------------------------------------------ */

/* Symbols borrow from the file and are not NUL-terminated, so that shapes are written directly. */
static void put_dim(qeff_protobuf r, qeff_buffer *out)
{
    qeff_str symbol = {NULL, 0};
    int64_t size = -1;
    while (qeff_protobuf_next(&r)) {
        if (r.field == DIM_VALUE) size = qeff_protobuf_int(&r);
        if (r.field == DIM_PARAM) symbol = qeff_protobuf_str(&r);
    }
    if (symbol.size)
        qeff_inspect_str(out, NULL, shown(symbol));
    else if (size >= 0)
        qeff_inspect_int(out, NULL, size);
    else
        qeff_inspect_json(out, NULL, QEFF_STR("null"));
}

static void put_shape(qeff_protobuf r, qeff_buffer *out)
{
    qeff_inspect_begin(out, "shape", '[');
    while (qeff_protobuf_next(&r))
        if (r.field == SHAPE_DIM) put_dim(qeff_protobuf_message(&r), out);
    qeff_inspect_end(out, ']');
}

static void put_dtype(int64_t number, qeff_buffer *out)
{
    const qeff_dtype dtype = qeff_dtype_from_onnx(number);
    if (dtype != QEFF_DTYPE_NONE)
        qeff_inspect_str(out, "dtype", qeff_str_of(qeff_dtype_name(dtype)));
    else
        qeff_inspect_int(out, "onnx_dtype", number);
}

static void put_type(qeff_protobuf r, qeff_buffer *out)
{
    while (qeff_protobuf_next(&r)) {
        if (r.field != TYPE_TENSOR) continue;
        qeff_protobuf tensor = qeff_protobuf_message(&r);
        while (qeff_protobuf_next(&tensor)) {
            if (tensor.field == TENSOR_TYPE_ELEM) put_dtype(qeff_protobuf_int(&tensor), out);
            if (tensor.field == TENSOR_TYPE_SHAPE) put_shape(qeff_protobuf_message(&tensor), out);
        }
    }
}

static void put_value(walk *w, qeff_protobuf r)
{
    qeff_protobuf type = {0};
    qeff_str name = {"", 0};
    while (qeff_protobuf_next(&r)) {
        if (r.field == VALUE_NAME) name = qeff_protobuf_str(&r);
        if (r.field == VALUE_TYPE) type = qeff_protobuf_message(&r);
    }
    qeff_inspect_begin(w->out, NULL, '{');
    qeff_inspect_str(w->out, "name", shown(name));
    put_type(type, w->out);
    qeff_inspect_end(w->out, '}');
}

static void read_dims(qeff_protobuf *r, size_t *rank, int64_t dims[QEFF_MAX_RANK])
{
    uint64_t value = 0;
    for (size_t at = 0; qeff_protobuf_next_varint(r, &at, &value);)
        if (*rank < QEFF_MAX_RANK) dims[(*rank)++] = (int64_t)value;
}

/* What a file claims may be anything: sums of it stop at the largest number that can be shown. */
static uint64_t add_claimed(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;
    return qeff_add_u64(a, b, &sum) && sum <= INT64_MAX ? sum : INT64_MAX;
}

static void put_tensor(walk *w, qeff_protobuf r)
{
    int64_t dims[QEFF_MAX_RANK], type = 0;
    size_t rank = 0;
    qeff_str name = {"", 0};
    while (qeff_protobuf_next(&r)) {
        if (r.field == TENSOR_NAME) name = qeff_protobuf_str(&r);
        if (r.field == TENSOR_DATA_TYPE) type = qeff_protobuf_int(&r);
        if (r.field == TENSOR_DIMS) read_dims(&r, &rank, dims);
    }
    uint64_t elements = 0, bytes = 0;
    const qeff_dtype dtype = qeff_dtype_from_onnx(type);
    qeff_inspect_begin(w->out, NULL, '{');
    qeff_inspect_str(w->out, "name", shown(name));
    put_dtype(type, w->out);
    qeff_inspect_begin(w->out, "shape", '[');
    for (size_t d = 0; d < rank; d++)
        qeff_inspect_int(w->out, NULL, dims[d]);
    qeff_inspect_end(w->out, ']');
    if (qeff_tensor_bytes(dtype, rank, dims, &bytes) && bytes <= INT64_MAX &&
        qeff_shape_elements(rank, dims, &elements)) {
        qeff_inspect_int(w->out, "bytes", (int64_t)bytes);
        w->sum.parameters = add_claimed(w->sum.parameters, elements);
        w->sum.bytes = add_claimed(w->sum.bytes, bytes);
    }
    qeff_inspect_end(w->out, '}');
}

/* --- operators -------------------------------------------------------------------------------- */

static void read_op(walk *w, qeff_protobuf r)
{
    op_type *op = &w->ops[w->n_nodes++];
    *op = (op_type){{"", 0}, {"", 0}, 1};
    while (qeff_protobuf_next(&r)) {
        if (r.field == NODE_OP_TYPE) op->name = shown(qeff_protobuf_str(&r));
        if (r.field == NODE_DOMAIN) op->domain = shown(qeff_protobuf_str(&r));
    }
}

static int compare_ops(const void *a, const void *b)
{
    const op_type *x = a, *y = b;
    const int order = qeff_str_compare(x->domain, y->domain);
    return order ? order : qeff_str_compare(x->name, y->name);
}

static void put_ops(walk *w)
{
    qeff_inspect_begin(w->out, "operators", '[');
    if (w->n_nodes) qsort(w->ops, w->n_nodes, sizeof *w->ops, compare_ops);
    for (size_t i = 0; i < w->n_nodes;) {
        size_t n = 1;
        while (i + n < w->n_nodes && compare_ops(&w->ops[i], &w->ops[i + n]) == 0)
            n++;
        qeff_inspect_begin(w->out, NULL, '{');
        qeff_inspect_str(w->out, "name", w->ops[i].name);
        if (w->ops[i].domain.size) qeff_inspect_str(w->out, "domain", w->ops[i].domain);
        qeff_inspect_int(w->out, "count", (int64_t)n);
        qeff_inspect_end(w->out, '}');
        i += n;
    }
    qeff_inspect_end(w->out, ']');
}

/* --- lists of the graph ----------------------------------------------------------------------- */

static void
put_list(walk *w, qeff_protobuf graph, uint32_t field, void (*put)(walk *w, qeff_protobuf message))
{
    while (qeff_protobuf_next(&graph))
        if (graph.field == field) put(w, qeff_protobuf_message(&graph));
}

static void put_named_list(walk *w, qeff_protobuf graph, uint32_t field, const char *key,
                           void (*put)(walk *w, qeff_protobuf message))
{
    qeff_inspect_begin(w->out, key, '[');
    put_list(w, graph, field, put);
    qeff_inspect_end(w->out, ']');
}

static qeff_status put_graph(walk *w, qeff_protobuf graph, qeff_error *err)
{
    size_t n_nodes = 0;
    qeff_protobuf r = graph;
    while (qeff_protobuf_next(&r))
        n_nodes += r.field == GRAPH_NODE;
    QEFF_TRY(qeff_protobuf_status(&r, err));
    if (n_nodes > NODES_MAX)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "%zu nodes exceed the limit of %d", n_nodes,
                         NODES_MAX);
    w->ops = qeff_alloc_array(n_nodes, sizeof *w->ops);
    if (!w->ops) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    put_named_list(w, graph, GRAPH_INPUT, "inputs", put_value);
    put_named_list(w, graph, GRAPH_OUTPUT, "outputs", put_value);
    put_list(w, graph, GRAPH_NODE, read_op);
    put_ops(w);
    qeff_free(w->ops);
    put_named_list(w, graph, GRAPH_INITIALIZER, "tensors", put_tensor);
    qeff_inspect_total(w->out, &w->sum);
    return QEFF_OK;
}

/* --- the model -------------------------------------------------------------------------------- */

static void put_opset(qeff_protobuf r, qeff_buffer *out)
{
    qeff_str domain = {"", 0};
    int64_t version = 0;
    while (qeff_protobuf_next(&r)) {
        if (r.field == OPSET_DOMAIN) domain = qeff_protobuf_str(&r);
        if (r.field == OPSET_VERSION) version = qeff_protobuf_int(&r);
    }
    qeff_inspect_begin(out, NULL, '{');
    qeff_inspect_str(out, "domain", domain.size ? shown(domain) : QEFF_STR("ai.onnx"));
    qeff_inspect_int(out, "version", version);
    qeff_inspect_end(out, '}');
}

static void put_property(qeff_protobuf r, qeff_buffer *out)
{
    qeff_str key = {"", 0}, value = {"", 0};
    while (qeff_protobuf_next(&r)) {
        if (r.field == ENTRY_KEY) key = qeff_protobuf_str(&r);
        if (r.field == ENTRY_VALUE) value = qeff_protobuf_str(&r);
    }
    qeff_inspect_begin(out, NULL, '{');
    qeff_inspect_str(out, "key", shown(key));
    qeff_inspect_str(out, "value", shown(value));
    qeff_inspect_end(out, '}');
}

static void put_model_list(qeff_protobuf model, uint32_t field, const char *key,
                           void (*put)(qeff_protobuf message, qeff_buffer *out), qeff_buffer *out)
{
    qeff_inspect_begin(out, key, '[');
    while (qeff_protobuf_next(&model))
        if (model.field == field) put(qeff_protobuf_message(&model), out);
    qeff_inspect_end(out, ']');
}

static qeff_status describe(qeff_protobuf model, qeff_buffer *out, qeff_error *err)
{
    qeff_protobuf graph = {0};
    walk w = {.out = out};
    qeff_protobuf r = model;
    while (qeff_protobuf_next(&r)) {
        if (r.field == MODEL_IR_VERSION) qeff_inspect_int(out, "ir_version", qeff_protobuf_int(&r));
        if (r.field == MODEL_PRODUCER_NAME)
            qeff_inspect_str(out, "producer", shown(qeff_protobuf_str(&r)));
        if (r.field == MODEL_PRODUCER_VERSION)
            qeff_inspect_str(out, "producer_version", shown(qeff_protobuf_str(&r)));
        if (r.field == MODEL_GRAPH) graph = qeff_protobuf_message(&r);
    }
    QEFF_TRY(qeff_protobuf_status(&r, err));
    put_model_list(model, MODEL_OPSET_IMPORT, "opsets", put_opset, out);
    put_model_list(model, MODEL_METADATA_PROPS, "metadata", put_property, out);
    return put_graph(&w, graph, err);
}

/* That this build cannot run the file, or that its data files are elsewhere, does not keep it from
 * being shown. */
static qeff_status try_import(const char *path, qeff_buffer *out, qeff_error *err)
{
    qeff_error fault = {0};
    qeff_graph *graph = NULL;
    qeff_onnx_model *model = NULL;
    const qeff_status status = qeff_onnx_import(path, &graph, &model, &fault);
    qeff_graph_destroy(graph);
    qeff_onnx_close(model);
    if (status && status != QEFF_ERR_UNSUPPORTED && status != QEFF_ERR_NOT_FOUND) {
        if (err) *err = fault;
        return status;
    }
    qeff_inspect_bool(out, "compiles", !status);
    if (status) qeff_inspect_str(out, "problem", qeff_str_of(fault.message));
    return QEFF_OK;
}

qeff_status qeff_inspect_onnx(const char *path, qeff_buffer *out, qeff_error *err)
{
    qeff_file file = {0};
    qeff_protobuf model;
    qeff_inspect_str(out, "kind", QEFF_STR("onnx"));
    qeff_inspect_str(out, "path", qeff_str_of(path));
    QEFF_TRY(try_import(path, out, err));
    QEFF_TRY(qeff_file_map(path, &file, err));
    qeff_protobuf_init(&model, (qeff_bytes){file.data, file.size}, 0);
    const qeff_status status = describe(model, out, err);
    qeff_file_unmap(&file);
    return qeff_within(err, status, "'%s'", path);
}
