/* blocks.c - activations by name, layer norm under both of its names, rows of tables. */
#include "models/blocks.h"

#include "base/span.h"

#include <stdio.h>

const char *const qeff_block_activations[] = {
    "gelu",          "gelu_python", "gelu_new", "gelu_fast",  "gelu_pytorch_tanh",
    "gelu_accurate", "relu",        "silu",     "swish",      "tanh",
    "sigmoid",       "identity",    "linear",   "leaky_relu", NULL,
};

/* Names that stand for another one: the formula is the same, however the reference computes it. */
static const struct {
    const char *name, *means;
} aliases[] = {
    {"gelu_python", "gelu"},
    {"gelu_fast", "gelu_new"},
    {"gelu_pytorch_tanh", "gelu_new"},
    {"gelu_python_tanh", "gelu_new"},
    {"gelu_accurate", "gelu_new"},
    {"swish", "silu"},
    {"linear", "identity"},
};

qeff_value qeff_block_activation(qeff_builder *b, const char *name, qeff_value x)
{
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(name, aliases[i].name) == 0) return qb_activation(b, aliases[i].means, x);
    return qb_activation(b, name, x);
}

bool qeff_checkpoint_has(const qeff_checkpoint *checkpoint, const char *name)
{
    char full[256];
    const int n = snprintf(full, sizeof full, "%s%s", checkpoint->prefix, name);
    return n > 0 && (size_t)n < sizeof full &&
           qeff_weights_find(checkpoint->weights, qeff_str_of(full)) != NULL;
}

qeff_value qeff_block_layer_norm(qeff_builder *b, const char *name, qeff_value x, int64_t hidden,
                                 double eps, qeff_norm_names names)
{
    if (names == QEFF_NORM_WEIGHT_BIAS) return qb_layer_norm(b, name, x, eps);
    qb_enter(b, "%s", name);
    const qeff_value gamma = qb_weight(b, "gamma", 1, &hidden);
    const qeff_value beta = qb_weight(b, "beta", 1, &hidden);
    qb_leave(b);
    const qeff_value inputs[] = {x, gamma, beta};
    const qeff_attribute attributes[] = {QEFF_ATTR_INT("axis", -1),
                                         QEFF_ATTR_FLOAT("epsilon", eps)};
    return qb_node(b, QEFF_OP_LAYER_NORM, name, inputs, 3, attributes, 2);
}

qeff_value
qeff_block_table_row(qeff_builder *b, const char *name, int64_t n_rows, int64_t hidden, int64_t row)
{
    qb_enter(b, "%s", name);
    const int64_t shape[] = {n_rows, hidden};
    const qeff_value table = qb_weight(b, "weight", 2, shape);
    const int64_t n_indices = 1;
    const qeff_value index = qb_constant(b, "row", QEFF_DTYPE_I64, 1, &n_indices, &row);
    qb_leave(b);
    const qeff_value inputs[] = {table, index};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 0);
    return qb_node(b, QEFF_OP_GATHER, name, inputs, 2, &axis, 1);
}
