/* onnx.h - graphs to and from ONNX files.
 *
 * What is written: opset 17, IR version 8, every tensor named and shaped, tensors of over 1,024
 * bytes in one external data file. What is read: models of the default domain whose operators are
 * in ops.def, opset 7 to 25 as far as each operator meant the same then. */
#ifndef ONNX_ONNX_H
#define ONNX_ONNX_H

#include "graph/graph.h"

enum {
    QEFF_ONNX_OPSET = 17,          /**< written */
    QEFF_ONNX_IR_VERSION = 8,      /**< written */
    QEFF_ONNX_INLINE_BYTES = 1024, /**< larger tensors go to the data file */

    /* Read: what the format allows, cut so that a refused file cannot take more than 64 MiB. */
    QEFF_ONNX_OPSET_MAX = 25,
    QEFF_ONNX_NODES_MAX = 30000,
    QEFF_ONNX_VALUES_MAX = 60000,       /**< inputs, initializers and node outputs together */
    QEFF_ONNX_OUTPUTS_MAX = 10000,      /**< of the graph */
    QEFF_ONNX_NAME_MAX = 4096,          /**< bytes of any name */
    QEFF_ONNX_STRUCTURE_MAX = 60000000, /**< bytes that nodes, values and names may come to take */
    QEFF_ONNX_FILES_MAX = 1000          /**< external data files of a model */
};

/** One entry of the model's metadata_props. */
typedef struct qeff_onnx_property {
    qeff_str key;
    qeff_str value;
} qeff_onnx_property;

typedef struct qeff_onnx_metadata {
    const qeff_onnx_property *items;
    size_t n_items;
} qeff_onnx_metadata;

/** Writes `folder/model_name.onnx` and, where a tensor has over 1,024 bytes,
 * `folder/model_name_0.onnx.data`. The same graph gives the same bytes everywhere. Tensor data is
 * copied from file to file inside the kernel where the file system can, and never held in memory.
 *
 * Both files are complete before either gets its name; the data file gets it first, and a model of
 * the same name is removed before that. On failure
 * neither is new.
 *
 * Value names are kept, but a result that is a graph output goes by the output's name. An output
 * that is an input, a weight or an output already is fed by an Identity node without a name.
 *
 * @param graph     primitives only
 * @param metadata  written sorted by key; NULL for none
 * @return QEFF_ERR_INVALID   a composite in the graph, an f16 or bf16 weight that is used as f32
 *                            without a cast, two outputs of one name, an output with the name of an
 *                            input, or a model name that is no plain file name
 *         QEFF_ERR_UNSUPPORTED  a value of an 8-bit float type
 *         QEFF_ERR_CAPACITY  structure alone over the 2 GiB of a protobuf file
 *         QEFF_ERR_IO, QEFF_ERR_NO_SPACE, QEFF_ERR_NO_MEMORY */
qeff_status qeff_onnx_export(const qeff_graph *graph, const char *folder, const char *model_name,
                             const qeff_onnx_metadata *metadata, qeff_error *err);

/** An ONNX file that is open: its mapping, those of its data files, and what the graph does not
 * hold. The weights of the imported graph borrow from it. */
typedef struct qeff_onnx_model qeff_onnx_model;

/** Reads a model. Nodes are named by the file, their first outputs like their nodes, or, where a
 * node has no name, the other way round. Constant nodes become weights, initializers that are
 * listed as inputs too are weights, Identity nodes without a name in front of an output are
 * dropped.
 *
 * @param out    the graph, verified; release it with qeff_graph_destroy()
 * @param owner  release it with qeff_onnx_close() after the graph
 * @return QEFF_ERR_NOT_FOUND, QEFF_ERR_IO, QEFF_ERR_NO_MEMORY
 *         QEFF_ERR_FORMAT       damaged, inconsistent or hostile
 *         QEFF_ERR_UNSUPPORTED  operators, types or versions that this build does not know
 *         messages start with the path in quotes, and name node or tensor; both are NULL then */
qeff_status
qeff_onnx_import(const char *path, qeff_graph **out, qeff_onnx_model **owner, qeff_error *err);

/** NULL is allowed. */
void qeff_onnx_close(qeff_onnx_model *model);

/** What the file says about itself; all of it borrows from `model`. */
qeff_str qeff_onnx_producer(const qeff_onnx_model *model); /**< "qeff" */
qeff_str qeff_onnx_producer_version(const qeff_onnx_model *model);
int64_t qeff_onnx_ir_version(const qeff_onnx_model *model);
int64_t qeff_onnx_opset(const qeff_onnx_model *model);
/** Entries in the order of the file. */
qeff_onnx_metadata qeff_onnx_get_metadata(const qeff_onnx_model *model);
/** Bytes of the .onnx file and of all its data files together. */
uint64_t qeff_onnx_file_bytes(const qeff_onnx_model *model);

#endif /* ONNX_ONNX_H */
