/* op.h - what is known of each op: one table row from ops.def, its rules from ops/<family>.c.
 *
 * Primitives mean what ONNX says of their operator in opset 17, with these attributes:
 *   axis (arg_max, concat, gather, gather_elements, layer_norm, softmax, split, flatten)
 *   axes (reduce_mean, _max, _min, _l2; an operand of reduce_sum, squeeze, unsqueeze), keepdims,
 *   noop_with_empty_axes (reduce_sum), select_last_index (arg_max), exclusive, reverse (cum_sum)
 *   alpha (leaky_relu, elu, gemm), beta, transA, transB (gemm), epsilon (layer_norm), perm
 *   (transpose), allowzero (reshape), start, end (shape), to (cast: an ONNX element type)
 *   num_outputs (split without a second operand)
 *   value (constant_of_shape: INT or FLOAT; default 0) and dtype (an ONNX element type; default
 *   that of f32)
 * Composites:
 *   linear        x [.., K], weight [M, K], bias [M] (optional) -> [.., M]
 *   gelu          approximate "none" (erf) or "tanh"
 *   attention     q, k, v [B, T, H], mask [B, T] -> [B, T, H]; n_heads, scale
 *   position_ids  ids [B, T] -> [1, T] i64; n_positions
 *   pool          x [B, T, H], mask [B, T] -> [B, H]; mode, see qb_pool()
 *   l2_normalize  epsilon
 *
 * A weight of f16 or bf16 counts as f32, unless it meets results of its own dtype. */
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
/** Runs the op's shape rule on a node whose inputs exist. A dim that only run time can tell comes
 * out with size -1 and no symbol. Messages name operands, not the node. */
qeff_status qeff_op_infer(qeff_op_call *call, qeff_error *err);

/** The dtype that rules take an operand for: f32 for weights of f16 and bf16. */
qeff_dtype qeff_op_operand_dtype(const qeff_graph *graph, qeff_value value);

/** QEFF_OP_COUNT where there is none. */
qeff_op qeff_op_find_onnx(qeff_str onnx_name);
qeff_op qeff_op_find(qeff_str name);

#endif /* GRAPH_OP_H */
