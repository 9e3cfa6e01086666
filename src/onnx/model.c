/* model.c - ModelProto: opening the file, versions, metadata, and what is refused at the top.
 *
 * A model needs an opset_import for the default domain, which came with IR version 3. Other domains
 * may be imported; an operator of theirs is refused where it is used. */
#include "onnx/model.h"

#include "base/error.h"
#include "base/span.h"
#include "base/utf8.h"
#include "onnx/messages.h"

#include <inttypes.h>

enum {
    MODEL_BYTES_MAX = INT32_MAX,
    IR_VERSION_MIN = 3,
    IR_VERSION_MAX = 14,
    OPSET_MIN = 7, /* operators broadcast as numpy does since then */
    PROPERTIES_MAX = 10000
};

qeff_status qeff_onnx_check_name(qeff_str name, const char *what, qeff_error *err)
{
    if (name.size > QEFF_ONNX_NAME_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%s name of %zu bytes exceeds the limit of %d", what,
                         name.size, QEFF_ONNX_NAME_MAX);
    if (!qeff_utf8_is_valid(name))
        return qeff_fail(err, QEFF_ERR_FORMAT, "%s name that is not UTF-8", what);
    for (size_t i = 0; i < name.size; i++)
        if ((unsigned char)name.data[i] < 0x20 || name.data[i] == 0x7f)
            return qeff_fail(err, QEFF_ERR_FORMAT, "%s name '%.*s' holds a control character", what,
                             QEFF_STR_ARGS(name));
    return QEFF_OK;
}

static bool is_default_domain(qeff_str domain)
{
    return domain.size == 0 || qeff_str_is(domain, "ai.onnx");
}

static qeff_status read_opset(qeff_onnx_model *model, qeff_protobuf r, qeff_error *err)
{
    qeff_str domain = {"", 0};
    int64_t version = 0;
    while (qeff_protobuf_next(&r)) {
        if (r.field == OPSET_DOMAIN) domain = qeff_protobuf_str(&r);
        if (r.field == OPSET_VERSION) version = qeff_protobuf_int(&r);
    }
    QEFF_TRY(qeff_protobuf_status(&r, err));
    if (!is_default_domain(domain)) return QEFF_OK;
    if (model->opset)
        return qeff_fail(err, QEFF_ERR_FORMAT, "two opsets, %" PRId64 " and %" PRId64, model->opset,
                         version);
    if (version < 1)
        return qeff_fail(err, QEFF_ERR_FORMAT, "opset %" PRId64 ": expected 1 or more", version);
    if (version < OPSET_MIN || version > QEFF_ONNX_OPSET_MAX)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "opset %" PRId64 ": expected %d to %d", version,
                         OPSET_MIN, QEFF_ONNX_OPSET_MAX);
    model->opset = version;
    return QEFF_OK;
}

static qeff_status read_property(qeff_protobuf r, qeff_onnx_property *out, qeff_error *err)
{
    while (qeff_protobuf_next(&r)) {
        if (r.field == ENTRY_KEY) out->key = qeff_protobuf_str(&r);
        if (r.field == ENTRY_VALUE) out->value = qeff_protobuf_str(&r);
    }
    return qeff_protobuf_status(&r, err);
}

/* Keys must differ: two readers must not be able to see two models in one file. */
static qeff_status read_metadata(qeff_onnx_model *model, qeff_protobuf r, size_t n, qeff_error *err)
{
    qeff_onnx_names keys = {NULL, 0};
    if (n == 0) return QEFF_OK;
    if (n > PROPERTIES_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%zu metadata entries exceed the limit of %d", n,
                         PROPERTIES_MAX);
    qeff_onnx_property *items = qeff_arena_array(&model->arena, n, sizeof *items);
    keys.items = qeff_arena_array(&model->arena, n, sizeof *keys.items);
    if (!items || !keys.items) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    while (qeff_protobuf_next(&r)) {
        if (r.field != MODEL_METADATA_PROPS) continue;
        qeff_onnx_property *item = &items[keys.n_items];
        QEFF_TRY(read_property(qeff_protobuf_message(&r), item, err));
        keys.items[keys.n_items] = (qeff_onnx_name){item->key, (int32_t)keys.n_items, 0};
        keys.n_items++;
    }
    qeff_onnx_names_sort(&keys);
    const qeff_onnx_name *twin = qeff_onnx_names_find_twin(&keys);
    if (twin)
        return qeff_fail(err, QEFF_ERR_FORMAT, "metadata key '%.*s' occurs twice",
                         QEFF_STR_ARGS(twin->text));
    model->metadata = (qeff_onnx_metadata){items, n};
    return QEFF_OK;
}

static qeff_status fail_function(qeff_protobuf r, qeff_error *err)
{
    enum { FUNCTION_NAME = 1, FUNCTION_DOMAIN = 10 };
    qeff_str name = {"", 0}, domain = {"", 0};
    while (qeff_protobuf_next(&r)) {
        if (r.field == FUNCTION_NAME) name = qeff_protobuf_str(&r);
        if (r.field == FUNCTION_DOMAIN) domain = qeff_protobuf_str(&r);
    }
    QEFF_TRY(qeff_protobuf_status(&r, err));
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                     "function '%.*s::%.*s': functions are not supported", QEFF_STR_ARGS(domain),
                     QEFF_STR_ARGS(name));
}

/* What a model says beside its graph, which may come first or last. */
static qeff_status read_top(qeff_onnx_model *model, qeff_protobuf *graph, qeff_error *err)
{
    qeff_protobuf r;
    size_t n_properties = 0;
    qeff_protobuf_init(&r, (qeff_bytes){model->file.data, model->file.size}, 0);
    const qeff_protobuf start = r;
    bool has_graph = false;
    while (qeff_protobuf_next(&r)) {
        switch (r.field) {
        case MODEL_IR_VERSION:
            model->ir_version = qeff_protobuf_int(&r);
            break;
        case MODEL_PRODUCER_NAME:
            model->producer = qeff_protobuf_str(&r);
            break;
        case MODEL_PRODUCER_VERSION:
            model->producer_version = qeff_protobuf_str(&r);
            break;
        case MODEL_GRAPH:
            if (has_graph) return qeff_fail(err, QEFF_ERR_FORMAT, "two graphs in one model");
            has_graph = true;
            *graph = qeff_protobuf_message(&r);
            break;
        case MODEL_OPSET_IMPORT:
            QEFF_TRY(read_opset(model, qeff_protobuf_message(&r), err));
            break;
        case MODEL_METADATA_PROPS:
            n_properties++;
            break;
        case MODEL_TRAINING_INFO:
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "training information is not supported");
        case MODEL_FUNCTIONS:
            return fail_function(qeff_protobuf_message(&r), err);
        default:
            break;
        }
    }
    QEFF_TRY(qeff_protobuf_status(&r, err));
    if (!has_graph) return qeff_fail(err, QEFF_ERR_FORMAT, "no graph: not an ONNX model");
    return read_metadata(model, start, n_properties, err);
}

static qeff_status check_versions(const qeff_onnx_model *model, qeff_error *err)
{
    if (model->ir_version < 1)
        return qeff_fail(err, QEFF_ERR_FORMAT, "no IR version: not an ONNX model");
    if (model->ir_version < IR_VERSION_MIN || model->ir_version > IR_VERSION_MAX)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "IR version %" PRId64 ": expected %d to %d",
                         model->ir_version, IR_VERSION_MIN, IR_VERSION_MAX);
    if (!model->opset) return qeff_fail(err, QEFF_ERR_FORMAT, "no opset for the default domain");
    return QEFF_OK;
}

static qeff_status
read_model(const char *path, qeff_onnx_model *model, qeff_graph **out, qeff_error *err)
{
    qeff_protobuf graph = {0};
    if (model->file.size == 0)
        return qeff_fail(err, QEFF_ERR_FORMAT, "empty file: not an ONNX model");
    if (model->file.size > MODEL_BYTES_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%zu bytes exceed the limit of %d of an ONNX file",
                         model->file.size, MODEL_BYTES_MAX);
    const char *slash = strrchr(path, '/');
    const size_t n = slash ? (size_t)(slash - path) + 1 : 0;
    QEFF_TRY(qeff_path_join("", (qeff_str){path, n}, model->folder, err));
    QEFF_TRY(read_top(model, &graph, err));
    QEFF_TRY(check_versions(model, err));
    return qeff_onnx_import_graph(model, graph, out, err);
}

qeff_status
qeff_onnx_import(const char *path, qeff_graph **out, qeff_onnx_model **owner, qeff_error *err)
{
    *out = NULL;
    *owner = NULL;
    qeff_onnx_model *model = qeff_alloc_zeroed(sizeof *model);
    if (!model) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': out of memory", path);
    qeff_status status = qeff_file_map(path, &model->file, err);
    if (!status) status = qeff_within(err, read_model(path, model, out, err), "'%s'", path);
    if (status)
        qeff_onnx_close(model);
    else
        *owner = model;
    return status;
}

void qeff_onnx_close(qeff_onnx_model *model)
{
    if (!model) return;
    for (size_t i = 0; i < model->n_files; i++)
        qeff_file_unmap(&model->files[i].file);
    qeff_free(model->files);
    qeff_arena_deinit(&model->arena);
    qeff_file_unmap(&model->file);
    qeff_free(model);
}

qeff_str qeff_onnx_producer(const qeff_onnx_model *model)
{
    return model->producer;
}

qeff_str qeff_onnx_producer_version(const qeff_onnx_model *model)
{
    return model->producer_version;
}

int64_t qeff_onnx_ir_version(const qeff_onnx_model *model)
{
    return model->ir_version;
}

int64_t qeff_onnx_opset(const qeff_onnx_model *model)
{
    return model->opset;
}

qeff_onnx_metadata qeff_onnx_get_metadata(const qeff_onnx_model *model)
{
    return model->metadata;
}

uint64_t qeff_onnx_file_bytes(const qeff_onnx_model *model)
{
    uint64_t bytes = model->file.size;
    for (size_t i = 0; i < model->n_files; i++)
        bytes += model->files[i].file.size;
    return bytes;
}
