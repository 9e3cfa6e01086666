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

/** Whether an attribute of the graph's node is not written as it is: Split makes as many parts as
 * it has outputs; value and dtype of ConstantOfShape are one tensor. */
bool qeff_onnx_is_implied(qeff_op op, const char *name);

/** The element that ConstantOfShape repeats, as the graph's attribute "value" (FLOAT for floating
 * types, else INT) and as `qeff_dtype_size(dtype)` bytes. False where one cannot hold the other. */
bool qeff_onnx_read_fill(qeff_dtype dtype, qeff_bytes data, qeff_attribute *out);
bool qeff_onnx_write_fill(qeff_dtype dtype, const qeff_attribute *value, uint8_t out[8]);

#endif /* ONNX_OPERATORS_H */
