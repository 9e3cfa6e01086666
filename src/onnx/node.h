/* node.h - a NodeProto as it was read, before it means anything. */
#ifndef ONNX_NODE_H
#define ONNX_NODE_H

#include "onnx/model.h"

enum { QEFF_ONNX_ATTRIBUTES_MAX = 16 };

/** AttributeProto. Which of the values counts is told by `type`; all borrow from the file, or from
 * the importer until the node is done. */
typedef struct qeff_onnx_attribute {
    qeff_str name;
    int64_t type, i;
    float f;
    qeff_str s;
    bool has_tensor, has_reference;
    qeff_protobuf tensor;
    const int64_t *ints;
    const float *floats;
    size_t n_ints, n_floats;
} qeff_onnx_attribute;

/** NodeProto. */
typedef struct qeff_onnx_node {
    qeff_str name, op_type, domain;
    qeff_value *inputs; /**< QEFF_VALUE_NONE: optional and absent */
    size_t n_inputs;
    qeff_str *outputs;
    size_t n_outputs;
    qeff_onnx_attribute *attributes;
    size_t n_attributes;
    qeff_attribute out[QEFF_ONNX_ATTRIBUTES_MAX]; /**< what the graph's node gets */
    size_t n_out;
} qeff_onnx_node;

/** Name, operator and counts; operands and attributes are not looked at yet. */
qeff_status qeff_onnx_read_node_head(qeff_protobuf message, qeff_onnx_node *out, qeff_error *err);
/** The rest: `out` comes from qeff_onnx_read_node_head(). Inputs must be there already. */
qeff_status qeff_onnx_read_node_body(qeff_onnx_importer *im, qeff_protobuf message,
                                     qeff_onnx_node *out, qeff_error *err);

/** Fails unless the attribute is of that AttributeProto.AttributeType. */
qeff_status qeff_onnx_expect_type(const qeff_onnx_attribute *a, int type, qeff_error *err);

/** The value of a Constant node. */
qeff_status qeff_onnx_read_constant(qeff_onnx_importer *im, const qeff_onnx_node *n,
                                    qeff_onnx_tensor *out, qeff_error *err);

/** An operator that becomes several nodes, or a composite. */
typedef struct qeff_onnx_expansion {
    const char *op_type;
    int since; /**< first opset that has it */
    size_t n_inputs;
    bool has_approximate; /**< the attribute, "none" or "tanh" */
    qeff_value (*expand)(qeff_builder *b, const char *name, const qeff_value *inputs, bool by_tanh);
} qeff_onnx_expansion;

/** NULL where the operator is not one of them in that opset. */
const qeff_onnx_expansion *qeff_onnx_expansion_find(qeff_str op_type, int64_t opset);
/** Adds the nodes; the last one is called `name`. A failure of the builder's is left there. */
qeff_status
qeff_onnx_expand(qeff_onnx_importer *im, const qeff_onnx_expansion *expansion,
                 const qeff_onnx_node *n, const char *name, qeff_value *out, qeff_error *err);

#endif /* ONNX_NODE_H */
