/* builder_modules.c - modules with weights, composites, activations by name. */
#include "graph/builder_private.h"

qeff_value
qb_embedding(qeff_builder *b, const char *name, qeff_value ids, int64_t n_rows, int64_t hidden)
{
    const int64_t shape[] = {n_rows, hidden};
    qb_enter(b, "%s", name);
    const qeff_value table = qb_weight(b, "weight", 2, shape);
    qb_leave(b);
    const qeff_value inputs[] = {table, ids};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 0);
    return qb_node(b, QEFF_OP_GATHER, name, inputs, 2, &axis, 1);
}

/* The last dimension of x, which a module's weights are shaped by. */
static int64_t last_size(qeff_builder *b, const char *name, qeff_value x)
{
    if (b->status) return 0;
    const qeff_shape *shape = &b->graph->values[x].shape;
    if (shape->rank > 0 && !shape->dims[shape->rank - 1].symbol)
        return shape->dims[shape->rank - 1].size;
    qb_fail(b, QEFF_ERR_FORMAT, "module '%s': expected an operand with a constant last dimension",
            name);
    return 0;
}

qeff_value qb_linear(qeff_builder *b, const char *name, qeff_value x, int64_t n_out, bool has_bias)
{
    const int64_t shape[] = {n_out, last_size(b, name, x)};
    qeff_value inputs[] = {x, QEFF_VALUE_NONE, QEFF_VALUE_NONE};
    qb_enter(b, "%s", name);
    inputs[1] = qb_weight(b, "weight", 2, shape);
    if (has_bias) inputs[2] = qb_weight(b, "bias", 1, &n_out);
    qb_leave(b);
    return qb_node(b, QEFF_OP_LINEAR, name, inputs, has_bias ? 3 : 2, NULL, 0);
}

qeff_value qb_layer_norm(qeff_builder *b, const char *name, qeff_value x, double eps)
{
    const int64_t size = last_size(b, name, x);
    qb_enter(b, "%s", name);
    const qeff_value weight = qb_weight(b, "weight", 1, &size);
    const qeff_value bias = qb_weight(b, "bias", 1, &size);
    qb_leave(b);
    const qeff_value inputs[] = {x, weight, bias};
    const qeff_attribute attributes[] = {QEFF_ATTR_INT("axis", -1),
                                         QEFF_ATTR_FLOAT("epsilon", eps)};
    return qb_node(b, QEFF_OP_LAYER_NORM, name, inputs, 3, attributes, 2);
}

qeff_value qb_gelu(qeff_builder *b, qeff_value x, bool by_tanh)
{
    const qeff_attribute approximate =
        QEFF_ATTR_STR("approximate", by_tanh ? QEFF_STR("tanh") : QEFF_STR("none"));
    return qb_node(b, QEFF_OP_GELU, NULL, &x, 1, &approximate, 1);
}

qeff_value qb_attention(qeff_builder *b, qeff_value q, qeff_value k, qeff_value v, qeff_value mask,
                        int64_t n_heads, double scale)
{
    const qeff_value inputs[] = {q, k, v, mask};
    const qeff_attribute attributes[] = {QEFF_ATTR_INT("n_heads", n_heads),
                                         QEFF_ATTR_FLOAT("scale", scale)};
    return qb_node(b, QEFF_OP_ATTENTION, NULL, inputs, 4, attributes, 2);
}

qeff_value qb_position_ids(qeff_builder *b, qeff_value ids, int64_t n_positions)
{
    const qeff_attribute attribute = QEFF_ATTR_INT("n_positions", n_positions);
    return qb_node(b, QEFF_OP_POSITION_IDS, NULL, &ids, 1, &attribute, 1);
}

qeff_value qb_pool(qeff_builder *b, qeff_value x, qeff_value mask, const char *mode)
{
    const qeff_value inputs[] = {x, mask};
    const qeff_attribute attribute = QEFF_ATTR_STR("mode", qeff_str_of(mode));
    return qb_node(b, QEFF_OP_POOL, NULL, inputs, 2, &attribute, 1);
}

qeff_value qb_l2_normalize(qeff_builder *b, qeff_value x, double eps)
{
    const qeff_attribute attribute = QEFF_ATTR_FLOAT("epsilon", eps);
    return qb_node(b, QEFF_OP_L2_NORMALIZE, NULL, &x, 1, &attribute, 1);
}

static const struct {
    const char *name;
    qeff_op op;
} activations[] = {
    {"relu", QEFF_OP_RELU}, {"silu", QEFF_OP_SILU},       {"tanh", QEFF_OP_TANH},
    {"elu", QEFF_OP_ELU},   {"sigmoid", QEFF_OP_SIGMOID}, {"softplus", QEFF_OP_SOFTPLUS},
};

qeff_value qb_activation(qeff_builder *b, const char *name, qeff_value x)
{
    if (strcmp(name, "identity") == 0) return x;
    if (strcmp(name, "gelu") == 0) return qb_gelu(b, x, false);
    if (strcmp(name, "gelu_new") == 0) return qb_gelu(b, x, true);
    if (strcmp(name, "leaky_relu") == 0) {
        const qeff_attribute slope = QEFF_ATTR_FLOAT("alpha", 0.01);
        return qb_node(b, QEFF_OP_LEAKY_RELU, NULL, &x, 1, &slope, 1);
    }
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (strcmp(name, activations[i].name) == 0) return qb_unary(b, activations[i].op, x);
    qb_fail(b, QEFF_ERR_UNSUPPORTED, "unknown activation '%s'", name);
    return QEFF_VALUE_NONE;
}
