/* match_activation.c - GELU and SiLU.
 *
 *   gelu  0.5 x (1 + g), with the three factors in any order, and
 *         g = erf(x / sqrt(2))
 *         g = tanh(sqrt(2 / pi) (x + 0.044715 x^3))
 *         g = tanh(sqrt(2 / pi) x (1 + 0.044715 x x))
 *   silu  x sigmoid(x) */
#include "transforms/match.h"

#include "base/span.h"

#define SQRT_2         1.4142135623730951
#define SQRT_HALF      0.7071067811865476
#define SQRT_2_OVER_PI 0.7978845608028654
#define KAPPA          0.044715

static bool is_erf(const qeff_graph *g, qeff_value value, qeff_value x)
{
    const qeff_node *erf = qeff_match_producer(g, value, QEFF_OP_ERF);
    if (!erf) return false;
    const qeff_node *div = qeff_match_producer(g, erf->inputs[0], QEFF_OP_DIV);
    if (div) return div->inputs[0] == x && qeff_match_is_scalar(g, div->inputs[1], SQRT_2);
    return qeff_match_with_scalar(g, erf->inputs[0], QEFF_OP_MUL, SQRT_HALF) == x;
}

/* a b with a == x: b, for a product of two. */
static qeff_value factor_beside(const qeff_graph *g, qeff_value value, qeff_value x)
{
    const qeff_node *mul = qeff_match_producer(g, value, QEFF_OP_MUL);
    if (!mul) return QEFF_VALUE_NONE;
    if (mul->inputs[0] == x) return mul->inputs[1];
    return mul->inputs[1] == x ? mul->inputs[0] : QEFF_VALUE_NONE;
}

static bool is_square(const qeff_graph *g, qeff_value value, qeff_value x)
{
    const qeff_node *pow = qeff_match_producer(g, value, QEFF_OP_POW);
    if (pow) return pow->inputs[0] == x && qeff_match_is_scalar(g, pow->inputs[1], 2);
    const qeff_node *mul = qeff_match_producer(g, value, QEFF_OP_MUL);
    return mul && mul->inputs[0] == x && mul->inputs[1] == x;
}

static bool is_cube(const qeff_graph *g, qeff_value value, qeff_value x)
{
    const qeff_node *pow = qeff_match_producer(g, value, QEFF_OP_POW);
    if (pow) return pow->inputs[0] == x && qeff_match_is_scalar(g, pow->inputs[1], 3);
    const qeff_value square = factor_beside(g, value, x);
    return square != QEFF_VALUE_NONE && is_square(g, square, x);
}

/* 1 + kappa x x, as (kappa x) x or kappa (x x) */
static bool is_slope(const qeff_graph *g, qeff_value value, qeff_value x)
{
    const qeff_value rest = qeff_match_with_scalar(g, value, QEFF_OP_ADD, 1);
    if (rest == QEFF_VALUE_NONE) return false;
    const qeff_value square = qeff_match_with_scalar(g, rest, QEFF_OP_MUL, KAPPA);
    if (square != QEFF_VALUE_NONE && is_square(g, square, x)) return true;
    const qeff_value scaled = factor_beside(g, rest, x);
    return scaled != QEFF_VALUE_NONE && qeff_match_with_scalar(g, scaled, QEFF_OP_MUL, KAPPA) == x;
}

/* x + kappa x^3 */
static bool is_sum_with_cube(const qeff_graph *g, qeff_value value, qeff_value x)
{
    const qeff_node *add = qeff_match_producer(g, value, QEFF_OP_ADD);
    if (!add) return false;
    for (size_t i = 0; i < 2; i++) {
        const qeff_value cube = qeff_match_with_scalar(g, add->inputs[1 - i], QEFF_OP_MUL, KAPPA);
        if (add->inputs[i] == x && cube != QEFF_VALUE_NONE && is_cube(g, cube, x)) return true;
    }
    return false;
}

static bool is_tanh(const qeff_graph *g, qeff_value value, qeff_value x)
{
    const qeff_node *tanh = qeff_match_producer(g, value, QEFF_OP_TANH);
    if (!tanh) return false;
    const qeff_value sum = qeff_match_with_scalar(g, tanh->inputs[0], QEFF_OP_MUL, SQRT_2_OVER_PI);
    if (sum != QEFF_VALUE_NONE && is_sum_with_cube(g, sum, x)) return true;
    const qeff_node *mul = qeff_match_producer(g, tanh->inputs[0], QEFF_OP_MUL);
    for (size_t i = 0; mul && i < 2; i++)
        if (qeff_match_with_scalar(g, mul->inputs[i], QEFF_OP_MUL, SQRT_2_OVER_PI) == x &&
            is_slope(g, mul->inputs[1 - i], x))
            return true;
    return false;
}

/* x (1 + g) */
static bool match_gate(const qeff_graph *g, qeff_value x, qeff_value gate, qeff_match *out)
{
    const qeff_value inner = qeff_match_with_scalar(g, gate, QEFF_OP_ADD, 1);
    if (inner == QEFF_VALUE_NONE || qeff_graph_is_weight(g, x)) return false;
    const bool by_erf = is_erf(g, inner, x);
    if (!by_erf && !is_tanh(g, inner, x)) return false;
    *out = (qeff_match){.op = QEFF_OP_GELU, .n_inputs = 1, .n_attributes = 1};
    out->inputs[0] = x;
    out->attributes[0] = QEFF_ATTR_STR("approximate", by_erf ? QEFF_STR("none") : QEFF_STR("tanh"));
    return true;
}

bool qeff_match_gelu(qeff_matching *m, const qeff_node *root, qeff_match *out)
{
    const qeff_graph *g = m->graph;
    const qeff_value product = qeff_match_beside_scalar(g, root, 0.5);
    const qeff_node *mul = qeff_match_producer(g, product, QEFF_OP_MUL);
    for (size_t i = 0; mul && i < 2; i++) /* 0.5 (x gate) */
        if (match_gate(g, mul->inputs[i], mul->inputs[1 - i], out)) return true;
    for (size_t i = 0; i < 2; i++) {
        const qeff_value a = root->inputs[i], b = root->inputs[1 - i];
        const qeff_value half_a = qeff_match_with_scalar(g, a, QEFF_OP_MUL, 0.5);
        const qeff_value half_b = qeff_match_with_scalar(g, b, QEFF_OP_MUL, 0.5);
        if (half_a != QEFF_VALUE_NONE && match_gate(g, half_a, b, out)) return true;
        if (half_b != QEFF_VALUE_NONE && match_gate(g, a, half_b, out)) return true;
    }
    return false;
}

bool qeff_match_silu(qeff_matching *m, const qeff_node *root, qeff_match *out)
{
    for (size_t i = 0; i < 2; i++) {
        const qeff_node *gate = qeff_match_producer(m->graph, root->inputs[1 - i], QEFF_OP_SIGMOID);
        if (!gate || gate->inputs[0] != root->inputs[i]) continue;
        *out = (qeff_match){.op = QEFF_OP_SILU, .n_inputs = 1};
        out->inputs[0] = root->inputs[i];
        return true;
    }
    return false;
}
