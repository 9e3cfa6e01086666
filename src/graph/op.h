/* op.h - what is known of each op: one table row from ops.def, its rules from ops/<family>.c. */
#ifndef GRAPH_OP_H
#define GRAPH_OP_H

#include "graph/builder.h"

typedef enum qeff_op_kind {
    QEFF_OP_PRIMITIVE, /**< has an ONNX operator of opset 17 */
    QEFF_OP_COMPOSITE  /**< decomposes into primitives */
} qeff_op_kind;

/** What a shape rule sees and fills in. */
typedef struct qeff_op_call {
    const qeff_graph *graph; /**< for constants among the inputs */
    const qeff_node *node;   /**< op, inputs, attributes; outputs not yet set */
    size_t n_outputs;
    qeff_dtype dtypes[8]; /**< out: [n_outputs] */
    qeff_shape shapes[8]; /**< out: [n_outputs] */
} qeff_op_call;

/** Checks operands and attributes and infers the outputs. Messages do not name the node: the
 * caller adds it. */
typedef qeff_status (*qeff_shape_rule)(qeff_op_call *call, qeff_error *err);

/** Rewrites one composite as primitives in `b`; `inputs` are the operands there. Returns the value
 * that stands for its output. */
typedef qeff_value (*qeff_decompose)(qeff_builder *b, const qeff_node *node,
                                     const qeff_value *inputs);

/** The gradient rule comes with training; until then every op says NO_GRAD. */
typedef struct qeff_op_info {
    const char *id;   /**< "LAYER_NORM" */
    const char *name; /**< "layer_norm", as printed */
    qeff_op_kind kind;
    const char *onnx;           /**< "LayerNormalization"; NULL for a composite */
    int min_inputs, max_inputs; /**< max -1: any number */
    qeff_shape_rule shape;
    qeff_decompose decompose; /**< NULL for a primitive */
} qeff_op_info;

const qeff_op_info *qeff_op_get(qeff_op op);
/** QEFF_OP_COUNT where there is none. */
qeff_op qeff_op_find_onnx(qeff_str onnx_name);
qeff_op qeff_op_find(qeff_str name);

#endif /* GRAPH_OP_H */
