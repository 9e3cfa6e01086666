/* inspect_model.c - a model folder: configuration, modules, text settings, tensors. */
#include "api/inspect.h"
#include "base/error.h"
#include "base/span.h"
#include "models/model.h"

#include <qeff/tokenizer.h>

static void put_config(const qeff_model *model, qeff_buffer *out)
{
    const qeff_hparams *hp = qeff_model_hparams(model);
    qeff_inspect_begin(out, "config", '{');
    qeff_inspect_int(out, "vocab_size", hp->vocab);
    qeff_inspect_int(out, "hidden_size", hp->hidden);
    qeff_inspect_int(out, "num_hidden_layers", hp->n_layers);
    qeff_inspect_int(out, "num_attention_heads", hp->n_heads);
    qeff_inspect_int(out, "intermediate_size", hp->ffn);
    qeff_inspect_int(out, "max_position_embeddings", hp->n_positions);
    qeff_inspect_int(out, "type_vocab_size", hp->n_types);
    qeff_inspect_real(out, "layer_norm_eps", hp->norm_eps);
    if (hp->activation) qeff_inspect_str(out, "hidden_act", qeff_str_of(hp->activation));
    qeff_inspect_end(out, '}');
}

static void put_module(const qeff_st_module *module, qeff_buffer *out)
{
    qeff_inspect_begin(out, NULL, '{');
    qeff_inspect_str(out, "name", module->name);
    qeff_inspect_str(out, "type", module->type);
    qeff_inspect_str(out, "path", module->path);
    qeff_inspect_int(out, "in", module->n_in);
    qeff_inspect_int(out, "out", module->n_out);
    if (module->n_modes) {
        qeff_inspect_begin(out, "modes", '[');
        for (size_t i = 0; i < module->n_modes; i++)
            qeff_inspect_str(out, NULL, qeff_str_of(module->modes[i]));
        qeff_inspect_end(out, ']');
    }
    if (module->activation) qeff_inspect_str(out, "activation", qeff_str_of(module->activation));
    qeff_inspect_end(out, '}');
}

static void put_text_settings(const qeff_model *model, qeff_buffer *out)
{
    const qeff_st_config *st = qeff_model_st_config(model);
    qeff_inspect_begin(out, "modules", '[');
    for (size_t i = 0; i < st->n_modules; i++)
        put_module(&st->modules[i], out);
    qeff_inspect_end(out, ']');
    qeff_buffer summary = {0};
    qeff_st_describe(st, &summary);
    qeff_inspect_str(out, "pooling", qeff_buffer_str(&summary));
    if (summary.failed) out->failed = true;
    qeff_buffer_deinit(&summary);
    qeff_inspect_bool(out, "normalize", qeff_st_ends_normalized(st));
    qeff_inspect_int(out, "dim", qeff_st_output_dim(st));
    if (st->truncate_dim) qeff_inspect_int(out, "truncate_dim", st->truncate_dim);
    qeff_inspect_int(out, "max_seq_length", st->max_seq_length);
    qeff_inspect_str(out, "similarity", st->similarity);
    qeff_inspect_begin(out, "prompts", '{');
    for (size_t i = 0; i < st->n_prompts; i++) {
        /* Names are not NUL-terminated: written by hand. */
        if (i) qeff_buffer_append_text(out, ", ");
        qeff_buffer_append_json(out, st->prompts[i].name);
        qeff_buffer_append_text(out, ": ");
        qeff_buffer_append_json(out, st->prompts[i].text);
    }
    qeff_inspect_end(out, '}');
    qeff_inspect_str(out, "default_prompt_name", st->default_prompt_name);
}

static void put_values(const qeff_graph *graph, qeff_buffer *out)
{
    qeff_inspect_begin(out, "inputs", '[');
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const qeff_value_info *v = qeff_graph_value(graph, graph->inputs[i]);
        qeff_inspect_value(out, v->name, v->dtype, &v->shape);
    }
    qeff_inspect_end(out, ']');
    qeff_inspect_begin(out, "outputs", '[');
    for (size_t i = 0; i < graph->n_outputs; i++) {
        const qeff_value_info *v = qeff_graph_value(graph, graph->outputs[i].value);
        qeff_inspect_value(out, graph->outputs[i].name, v->dtype, &v->shape);
    }
    qeff_inspect_end(out, ']');
}

static void put_extra(void *ctx, const qeff_tensor_view *tensor)
{
    qeff_inspect_str(ctx, NULL, tensor->name);
}

static void put_weights(const qeff_weights *weights, qeff_buffer *out)
{
    for (size_t i = 0; weights && i < qeff_weights_count(weights); i++)
        qeff_inspect_view(out, qeff_weights_at(weights, i));
}

static qeff_status put_tensors(const qeff_model *model, qeff_buffer *out, qeff_error *err)
{
    const qeff_st_config *st = qeff_model_st_config(model);
    qeff_inspect_sum sum = {0};
    qeff_inspect_add(&sum, qeff_model_weights(model));
    for (size_t i = 0; i < st->n_modules; i++)
        qeff_inspect_add(&sum, st->modules[i].weights);
    qeff_inspect_total(out, &sum);
    qeff_inspect_begin(out, "tensors", '[');
    put_weights(qeff_model_weights(model), out);
    for (size_t i = 0; i < st->n_modules; i++)
        put_weights(st->modules[i].weights, out);
    qeff_inspect_end(out, ']');
    qeff_inspect_begin(out, "extra_tensors", '[');
    QEFF_TRY(qeff_model_visit_extra_tensors(model, put_extra, out, err));
    qeff_inspect_end(out, ']');
    return QEFF_OK;
}

/* A folder without a tokenizer is a model all the same. */
static qeff_status put_tokenizer(const qeff_model *model, qeff_buffer *out, qeff_error *err)
{
    qeff_tokenizer *tokenizer = NULL;
    const char *folder = qeff_model_transformer_folder(model);
    const qeff_status status = qeff_tokenizer_open(folder, NULL, &tokenizer, err);
    if (status == QEFF_ERR_NOT_FOUND) return QEFF_OK;
    if (status) return status;
    qeff_inspect_int(out, "vocab_size", (int64_t)qeff_tokenizer_vocab_size(tokenizer));
    qeff_tokenizer_destroy(tokenizer);
    return QEFF_OK;
}

/* The graph is built, because that is what says whether all tensors are there. */
static qeff_status describe(const qeff_model *model, qeff_buffer *out, qeff_error *err)
{
    qeff_graph *graph = NULL;
    QEFF_TRY(qeff_model_build(model, NULL, &graph, err));
    qeff_inspect_str(out, "kind", QEFF_STR("model"));
    qeff_inspect_str(out, "path", qeff_str_of(qeff_model_folder(model)));
    qeff_inspect_str(out, "architecture", qeff_str_of(qeff_model_class(model)));
    qeff_inspect_str(out, "model_type", qeff_str_of(qeff_model_arch(model)->model_type));
    put_config(model, out);
    put_text_settings(model, out);
    put_values(graph, out);
    qeff_graph_destroy(graph);
    QEFF_TRY(put_tokenizer(model, out, err));
    return put_tensors(model, out, err);
}

qeff_status qeff_inspect_model(const char *path, qeff_buffer *out, qeff_error *err)
{
    qeff_model *model = NULL;
    QEFF_TRY(qeff_model_open(path, &model, err));
    const qeff_status status = describe(model, out, err);
    qeff_model_close(model);
    return status;
}
