/* st_heads.c - the modules behind the transformer as nodes of a graph, and what they amount to.
 *
 *   tokens [B, T, H] --pooling--> sentence [B, H] --dense, layer norm, normalize--> [B, dim]
 *
 * Reference: sentence_transformers/sentence_transformer/modules/. A module of weights reads its
 * own file, in which names carry no path; here they get the module's number, as in the reference's
 * state dict: "2.linear.weight". */
#include "models/sentence_transformers.h"

#include "base/span.h"
#include "models/blocks.h"

#include <inttypes.h>
#include <stdio.h>

#define LAYER_NORM_EPS 1e-5  /* torch.nn.LayerNorm */
#define NORMALIZE_EPS  1e-12 /* torch.nn.functional.normalize */

/* A tensor of the module's own file; that it is there was checked when the file was opened. */
static qeff_value module_weight(qeff_builder *b, const qeff_st_module *module, const char *name)
{
    char full[64];
    const qeff_tensor_view *t = qeff_weights_find(module->weights, qeff_str_of(name));
    if (!t) {
        qb_fail(b, QEFF_ERR_INTERNAL, "module '%.*s' lost its tensor '%s'",
                QEFF_STR_ARGS(module->name), name);
        return QEFF_VALUE_NONE;
    }
    (void)snprintf(full, sizeof full, "%.*s.%s", QEFF_STR_ARGS(module->name), name);
    qeff_value_info info = {.name = qeff_str_of(full),
                            .kind = QEFF_VALUE_WEIGHT,
                            .dtype = t->dtype,
                            .shape = {.rank = t->rank},
                            .node = -1,
                            .data = t->data,
                            .source_fd = t->file->fd,
                            .source_offset = t->file_offset};
    for (size_t i = 0; i < t->rank; i++)
        info.shape.dims[i] = qeff_dim_of(t->shape[i]);
    return qb_borrowed(b, &info);
}

static qeff_value
append_pooling(qeff_builder *b, const qeff_st_module *module, qeff_value tokens, qeff_value mask)
{
    qeff_value parts[QEFF_ST_POOLING_MODES_MAX];
    for (size_t i = 0; i < module->n_modes; i++)
        parts[i] = qb_pool(b, tokens, mask, module->modes[i]);
    if (module->n_modes == 1) return parts[0];
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 1);
    return qb_node(b, QEFF_OP_CONCAT, NULL, parts, module->n_modes, &axis, 1);
}

/* act(x W^T + b), and with a residual + x or + x R^T. */
static qeff_value append_dense(qeff_builder *b, const qeff_st_module *module, qeff_value x)
{
    qeff_value inputs[3] = {x, QEFF_VALUE_NONE, QEFF_VALUE_NONE};
    inputs[1] = module_weight(b, module, "linear.weight");
    if (module->has_bias) inputs[2] = module_weight(b, module, "linear.bias");
    qeff_value h = qb_node(b, QEFF_OP_LINEAR, "linear", inputs, module->has_bias ? 3 : 2, NULL, 0);
    h = qeff_block_activation(b, module->activation, h);
    if (!module->has_residual) return h;
    qeff_value residual = x;
    if (module->n_in != module->n_out) {
        inputs[1] = module_weight(b, module, "residual.weight");
        residual = qb_node(b, QEFF_OP_LINEAR, "residual", inputs, 2, NULL, 0);
    }
    return qb_binary(b, QEFF_OP_ADD, h, residual);
}

static qeff_value append_layer_norm(qeff_builder *b, const qeff_st_module *module, qeff_value x)
{
    qeff_value inputs[3] = {x, QEFF_VALUE_NONE, QEFF_VALUE_NONE};
    inputs[1] = module_weight(b, module, "norm.weight");
    inputs[2] = module_weight(b, module, "norm.bias");
    const qeff_attribute attributes[] = {QEFF_ATTR_INT("axis", -1),
                                         QEFF_ATTR_FLOAT("epsilon", LAYER_NORM_EPS)};
    return qb_node(b, QEFF_OP_LAYER_NORM, "norm", inputs, 3, attributes, 2);
}

static qeff_value
append_module(qeff_builder *b, const qeff_st_module *module, qeff_value x, qeff_value mask)
{
    switch (module->kind) {
    case QEFF_ST_POOLING:
        return append_pooling(b, module, x, mask);
    case QEFF_ST_DENSE:
        return append_dense(b, module, x);
    case QEFF_ST_LAYER_NORM:
        return append_layer_norm(b, module, x);
    case QEFF_ST_NORMALIZE:
        return qb_l2_normalize(b, x, NORMALIZE_EPS);
    case QEFF_ST_DROPOUT:
    case QEFF_ST_TRANSFORMER:
        break;
    }
    return x;
}

/* Modules up to here count; behind it come only Dropout and, where they are left out, Normalize. */
static size_t count_modules(const qeff_st_config *config, bool with_normalize)
{
    size_t n = config->n_modules;
    for (; n > 1; n--) {
        const qeff_st_module *last = &config->modules[n - 1];
        const bool is_normalize =
            last->kind == QEFF_ST_NORMALIZE && last->output == QEFF_ST_SENTENCE;
        if (last->kind != QEFF_ST_DROPOUT && (with_normalize || !is_normalize)) break;
    }
    return n;
}

qeff_value qeff_st_append(qeff_builder *b, const qeff_st_config *config, qeff_value hidden_states,
                          qeff_value mask, bool with_normalize)
{
    qeff_value features[2] = {QEFF_VALUE_NONE, QEFF_VALUE_NONE};
    features[QEFF_ST_TOKENS] = hidden_states;
    const size_t n = count_modules(config, with_normalize);
    for (size_t i = 1; i < n; i++) {
        const qeff_st_module *module = &config->modules[i];
        qb_enter(b, "%.*s", QEFF_STR_ARGS(module->name));
        features[module->output] = append_module(b, module, features[module->input], mask);
        qb_leave(b);
    }
    return features[QEFF_ST_SENTENCE];
}

int64_t qeff_st_output_dim(const qeff_st_config *config)
{
    for (size_t i = config->n_modules; i > 0; i--)
        if (config->modules[i - 1].output == QEFF_ST_SENTENCE) return config->modules[i - 1].n_out;
    return 0;
}

bool qeff_st_ends_normalized(const qeff_st_config *config)
{
    const size_t n = count_modules(config, true);
    const qeff_st_module *last = &config->modules[n - 1];
    return last->kind == QEFF_ST_NORMALIZE && last->output == QEFF_ST_SENTENCE;
}

static void describe_module(const qeff_st_module *module, qeff_buffer *out)
{
    switch (module->kind) {
    case QEFF_ST_POOLING:
        for (size_t i = 0; i < module->n_modes; i++)
            qeff_buffer_format(out, "%s%s", i ? " + " : "", module->modes[i]);
        break;
    case QEFF_ST_DENSE:
        qeff_buffer_format(out, "dense %" PRId64 " %s%s", module->n_out, module->activation,
                           module->has_residual ? " with residual" : "");
        break;
    case QEFF_ST_LAYER_NORM:
        qeff_buffer_append_text(out, "layer norm");
        break;
    case QEFF_ST_NORMALIZE:
        qeff_buffer_append_text(out, "normalize");
        break;
    case QEFF_ST_DROPOUT:
        qeff_buffer_append_text(out, "dropout");
        break;
    case QEFF_ST_TRANSFORMER:
        qeff_buffer_append_text(out, "transformer");
        break;
    }
    if (module->kind != QEFF_ST_POOLING && module->input == QEFF_ST_TOKENS)
        qeff_buffer_append_text(out, " of tokens");
}

void qeff_st_describe(const qeff_st_config *config, qeff_buffer *out)
{
    for (size_t i = 1; i < config->n_modules; i++) {
        if (i > 1) qeff_buffer_append_text(out, ", ");
        describe_module(&config->modules[i], out);
    }
}
