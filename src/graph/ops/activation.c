/* activation.c - GELU and SiLU by primitives, in the order of torch's own export.
 *
 *   gelu "none"  0.5 * (x * (1 + erf(x / sqrt(2))))
 *   gelu "tanh"  0.5 * (x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))))
 *   silu         x * sigmoid(x)
 * Reference: torch/onnx/symbolic_opset9.py, torch/nn/functional.py. */
#include "graph/ops/rules.h"

static qeff_value by_erf(qeff_builder *b, const qeff_node *node, qeff_value x)
{
    const qeff_value root = qeff_part_scalar(b, node, "sqrt_2", 1.41421356237309515f);
    qeff_value h = qeff_part_binary(b, node, QEFF_OP_DIV, x, root);
    return qeff_part_unary(b, node, QEFF_OP_ERF, h);
}

static qeff_value by_tanh(qeff_builder *b, const qeff_node *node, qeff_value x)
{
    const qeff_value kappa = qeff_part_scalar(b, node, "kappa", 0.044715f);
    const qeff_value beta = qeff_part_scalar(b, node, "beta", 0.79788456080286536f);
    qeff_value h = qeff_part_binary(b, node, QEFF_OP_MUL, x, x);
    h = qeff_part_binary(b, node, QEFF_OP_MUL, x, h);
    h = qeff_part_binary(b, node, QEFF_OP_MUL, h, kappa);
    h = qeff_part_binary(b, node, QEFF_OP_ADD, x, h);
    h = qeff_part_binary(b, node, QEFF_OP_MUL, h, beta);
    return qeff_part_unary(b, node, QEFF_OP_TANH, h);
}

qeff_value qeff_decompose_gelu(qeff_builder *b, const qeff_node *node, const qeff_value *inputs)
{
    const bool is_tanh = qeff_str_is(qeff_node_str(node, "approximate", "none"), "tanh");
    qeff_value h = is_tanh ? by_tanh(b, node, inputs[0]) : by_erf(b, node, inputs[0]);
    const qeff_value one = qeff_part_scalar(b, node, "one", 1.0f);
    const qeff_value half = qeff_part_scalar(b, node, "half", 0.5f);
    h = qeff_part_binary(b, node, QEFF_OP_ADD, h, one);
    h = qeff_part_binary(b, node, QEFF_OP_MUL, inputs[0], h);
    const qeff_value last[] = {h, half};
    return qeff_part_last(b, node, QEFF_OP_MUL, last, 2, NULL, 0);
}

qeff_value qeff_decompose_silu(qeff_builder *b, const qeff_node *node, const qeff_value *inputs)
{
    const qeff_value gate = qeff_part_unary(b, node, QEFF_OP_SIGMOID, inputs[0]);
    const qeff_value last[] = {inputs[0], gate};
    return qeff_part_last(b, node, QEFF_OP_MUL, last, 2, NULL, 0);
}
