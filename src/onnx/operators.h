/* operators.h - what ONNX says of the operators in ops.def: since which opset each means what it
 * means in opset 17, and its attributes. */
#ifndef ONNX_OPERATORS_H
#define ONNX_OPERATORS_H

#include "graph/graph.h"

typedef struct qeff_onnx_attribute_rule {
    const char *name; /**< NULL ends the list */
    qeff_attribute_kind kind;
    bool is_required;
} qeff_onnx_attribute_rule;

enum { QEFF_ONNX_RULE_ATTRIBUTES = 5 };

typedef struct qeff_onnx_operator {
    int since; /**< first opset read; 0: not an ONNX operator */
    qeff_onnx_attribute_rule attributes[QEFF_ONNX_RULE_ATTRIBUTES]; /**< over all opsets read */
} qeff_onnx_operator;

/** Never NULL; `since` is 0 for composites. */
const qeff_onnx_operator *qeff_onnx_operator_get(qeff_op op);

/** NULL where the operator has no such attribute. */
const qeff_onnx_attribute_rule *qeff_onnx_operator_find_attribute(qeff_op op, qeff_str name);

/** Whether an attribute of the graph's node is not written, as the file says it otherwise: Split
 * makes as many parts as it has outputs. */
bool qeff_onnx_is_implied(qeff_op op, const char *name);

#endif /* ONNX_OPERATORS_H */
