/* model.h - inside the importer: the open file, and how its messages become values and nodes. */
#ifndef ONNX_MODEL_H
#define ONNX_MODEL_H

#include "base/file.h"
#include "formats/protobuf.h"
#include "graph/builder.h"
#include "onnx/names.h"
#include "onnx/onnx.h"

/** One external data file, mapped. */
typedef struct qeff_onnx_data_file {
    qeff_str location; /**< as the model gives it */
    qeff_file file;
} qeff_onnx_data_file;

struct qeff_onnx_model {
    qeff_file file;
    char folder[QEFF_PATH_MAX]; /**< that holds it; external data lies in it */
    qeff_arena arena;           /**< decoded tensors, symbols, metadata */
    qeff_onnx_data_file *files;
    size_t n_files, files_capacity;
    uint64_t decoded_bytes; /**< of tensors that do not lie in the file as they are needed */
    qeff_str producer, producer_version;
    int64_t ir_version, opset;
    qeff_onnx_metadata metadata;
};

/** A part of the .onnx file: files over 2 GiB are refused. */
typedef struct qeff_onnx_span {
    uint32_t offset, size;
} qeff_onnx_span;

static inline qeff_onnx_span qeff_onnx_span_of(const qeff_protobuf *message)
{
    return (qeff_onnx_span){(uint32_t)message->origin, (uint32_t)message->data.size};
}

static inline qeff_protobuf qeff_onnx_span_open(const qeff_onnx_model *model, qeff_onnx_span span)
{
    qeff_protobuf r;
    qeff_protobuf_init(&r, (qeff_bytes){model->file.data + span.offset, span.size}, span.offset);
    return r;
}

/** Refuses a name that is over 4,096 bytes, not UTF-8, or holds control characters. */
qeff_status qeff_onnx_check_name(qeff_str name, const char *what, qeff_error *err);

/** A TensorProto. `data` lies in the file, in a data file, or in the model's arena. */
typedef struct qeff_onnx_tensor {
    qeff_str name;
    qeff_dtype dtype;
    size_t rank;
    int64_t dims[QEFF_MAX_RANK];
    qeff_bytes data;
    int source_fd; /**< or -1 */
    uint64_t source_offset;
} qeff_onnx_tensor;

qeff_status qeff_onnx_read_tensor(qeff_onnx_model *model, qeff_protobuf message,
                                  qeff_onnx_tensor *out, qeff_error *err);

/** Memory for elements that cannot be used where they lie; the sum of it is limited. */
qeff_status
qeff_onnx_allocate_decoded(qeff_onnx_model *model, uint64_t size, uint8_t **out, qeff_error *err);

/** Where an external tensor of `need` bytes lies: `entries` are the external_data fields of
 * `message`. Fills data, source_fd and source_offset. */
qeff_status qeff_onnx_find_external(qeff_onnx_model *model, qeff_protobuf message, uint64_t need,
                                    qeff_onnx_tensor *out, qeff_error *err);

/** Adds a tensor to the graph as a weight; QEFF_VALUE_NONE where the builder has failed. */
qeff_value qeff_onnx_add_weight(qeff_builder *b, const qeff_onnx_tensor *tensor, qeff_str name);

/** A GraphProto becomes a verified graph. */
qeff_status qeff_onnx_import_graph(qeff_onnx_model *model, qeff_protobuf message, qeff_graph **out,
                                   qeff_error *err);

/** What a name of the graph stands for. */
enum {
    QEFF_ONNX_NAME_INPUT = 1,
    QEFF_ONNX_NAME_INITIALIZER = 2,
    QEFF_ONNX_NAME_RESULT = 4,
    QEFF_ONNX_NAME_OUTPUT = 8 /**< also one of the graph's outputs */
};

/** A graph being read. The index of a name in `values` is its qeff_value, or QEFF_VALUE_NONE until
 * it is there. */
typedef struct qeff_onnx_importer {
    qeff_onnx_model *model;
    qeff_builder *builder;
    qeff_arena scratch;     /**< lists that live as long as the importer */
    qeff_arena node_memory; /**< emptied after each node */
    qeff_onnx_names values;
    qeff_onnx_names nodes;
    size_t names_bytes;     /**< of both */
    size_t structure_bytes; /**< that all of it may come to take */
} qeff_onnx_importer;

/** Counts what is going to be made towards QEFF_ONNX_STRUCTURE_MAX; QEFF_ERR_UNSUPPORTED beyond. */
qeff_status qeff_onnx_charge(qeff_onnx_importer *im, size_t n_nodes, size_t n_weights,
                             size_t names_bytes, qeff_error *err);

/** A NodeProto becomes a node, a weight, or another name for an existing value. A failure of the
 * builder's is left there. */
qeff_status qeff_onnx_import_node(qeff_onnx_importer *im, qeff_protobuf message, qeff_error *err);

#endif /* ONNX_MODEL_H */
