/* st_modules.c - the modules behind the transformer, one config.json each.
 *
 *   Pooling    embedding_dimension | word_embedding_dimension, pooling_mode: word or list
 *              (up to 5.3: one flag a mode, concatenated in the order of `flags` below)
 *   Dense      in_features, out_features, bias, activation_function, use_residual;
 *              model.safetensors: linear.weight [out, in], linear.bias, residual.weight
 *   LayerNorm  dimension; model.safetensors: norm.weight, norm.bias
 *   Normalize  nothing, or module_input_name and module_output_name; the file may be absent
 *
 * Keys that are not listed are ignored, as in the reference. */
#include "models/st_modules.h"

#include "base/error.h"
#include "base/span.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { WIDTH_MAX = 1048576 };

static const struct {
    const char *flag, *mode;
} flags[] = {
    {"pooling_mode_cls_token", "cls"},
    {"pooling_mode_max_tokens", "max"},
    {"pooling_mode_mean_tokens", "mean"},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
    {"pooling_mode_weightedmean_tokens", "weightedmean"},
    {"pooling_mode_lasttoken", "lasttoken"},
};
enum { N_FLAGS = sizeof flags / sizeof *flags };

/* torch classes that take no arguments, and what they are here. Only these are looked up: a class
 * path is never imported. */
static const struct {
    const char *torch, *name;
} activations[] = {
    {"Identity", "identity"}, {"Tanh", "tanh"},         {"ReLU", "relu"},
    {"GELU", "gelu"},         {"SiLU", "silu"},         {"Sigmoid", "sigmoid"},
    {"ELU", "elu"},           {"Softplus", "softplus"}, {"LeakyReLU", "leaky_relu"},
};

const char *qeff_st_feature_name(qeff_st_feature feature)
{
    return feature == QEFF_ST_TOKENS ? "token_embeddings" : "sentence_embedding";
}

const char *qeff_st_pooling_mode(qeff_str name)
{
    for (size_t i = 0; i < N_FLAGS; i++)
        if (qeff_str_is(name, flags[i].mode)) return flags[i].mode;
    return NULL;
}

/* --- Pooling ------------------------------------------------------------------------------- */

static qeff_status add_mode(qeff_st_module *module, qeff_json value, qeff_error *err)
{
    qeff_str word = {NULL, 0};
    QEFF_TRY(qeff_within(err, qeff_json_to_str(value, &word, err), "key 'pooling_mode'"));
    const char *mode = qeff_st_pooling_mode(word);
    if (!mode)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                         "key 'pooling_mode': unknown '%.*s', known: cls, max, mean, "
                         "mean_sqrt_len_tokens, weightedmean, lasttoken",
                         QEFF_STR_ARGS(word));
    if (module->n_modes == QEFF_ST_POOLING_MODES_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key 'pooling_mode': more than %d modes",
                         QEFF_ST_POOLING_MODES_MAX);
    module->modes[module->n_modes++] = mode;
    return QEFF_OK;
}

static qeff_status read_mode_list(qeff_json list, qeff_st_module *module, qeff_error *err)
{
    const size_t n = qeff_json_count(list);
    if (n == 0) return qeff_fail(err, QEFF_ERR_FORMAT, "key 'pooling_mode': empty list");
    for (size_t i = 0; i < n; i++)
        QEFF_TRY(add_mode(module, qeff_json_at(list, i), err));
    return QEFF_OK;
}

static qeff_status read_mode_flags(qeff_json root, qeff_st_module *module, qeff_error *err)
{
    for (size_t i = 0; i < N_FLAGS; i++) {
        bool is_on = false;
        QEFF_TRY(qeff_json_optional_bool(root, flags[i].flag, &is_on, err));
        if (is_on) module->modes[module->n_modes++] = flags[i].mode;
    }
    if (module->n_modes == 0) module->modes[module->n_modes++] = "mean";
    return QEFF_OK;
}

static qeff_status read_pooling(qeff_json root, qeff_st_module *module, qeff_error *err)
{
    const char *key = "embedding_dimension";
    bool includes_prompt = true;
    if (qeff_json_kind_of(qeff_json_find(root, key)) == QEFF_JSON_MISSING)
        key = "word_embedding_dimension";
    if (qeff_json_kind_of(qeff_json_find(root, key)) == QEFF_JSON_MISSING)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key 'embedding_dimension': missing");
    QEFF_TRY(qeff_json_to_int(qeff_json_find(root, key), 1, WIDTH_MAX, &module->n_in, err));
    QEFF_TRY(qeff_json_optional_bool(root, "include_prompt", &includes_prompt, err));
    if (!includes_prompt)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                         "key 'include_prompt': pooling without the prompt is not supported");

    const qeff_json mode = qeff_json_find(root, "pooling_mode");
    const qeff_json_kind kind = qeff_json_kind_of(mode);
    if (kind == QEFF_JSON_MISSING)
        QEFF_TRY(read_mode_flags(root, module, err));
    else if (kind == QEFF_JSON_ARRAY)
        QEFF_TRY(read_mode_list(mode, module, err));
    else
        QEFF_TRY(add_mode(module, mode, err));
    module->input = QEFF_ST_TOKENS;
    module->output = QEFF_ST_SENTENCE;
    module->n_out = module->n_in * (int64_t)module->n_modes;
    return QEFF_OK;
}

/* --- Dense, LayerNorm, Normalize ------------------------------------------------------------ */

static qeff_status
read_feature(qeff_json root, const char *key, qeff_st_feature *out, qeff_error *err)
{
    qeff_str name = {NULL, 0};
    QEFF_TRY(qeff_json_optional_str(root, key, &name, err));
    if (!name.data) return QEFF_OK;
    if (qeff_str_is(name, "token_embeddings"))
        *out = QEFF_ST_TOKENS;
    else if (qeff_str_is(name, "sentence_embedding"))
        *out = QEFF_ST_SENTENCE;
    else
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                         "key '%s': unknown '%.*s', known: token_embeddings, sentence_embedding",
                         key, QEFF_STR_ARGS(name));
    return QEFF_OK;
}

static qeff_status read_features(qeff_json root, qeff_st_module *module, qeff_error *err)
{
    module->input = QEFF_ST_SENTENCE;
    QEFF_TRY(read_feature(root, "module_input_name", &module->input, err));
    module->output = module->input;
    QEFF_TRY(read_feature(root, "module_output_name", &module->output, err));
    if (module->input != module->output)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                         "key 'module_output_name': expected '%s' as the input, found '%s'",
                         qeff_st_feature_name(module->input), qeff_st_feature_name(module->output));
    return QEFF_OK;
}

static qeff_status read_activation(qeff_json root, qeff_st_module *module, qeff_error *err)
{
    qeff_str path = {NULL, 0};
    module->activation = "tanh";
    QEFF_TRY(qeff_json_optional_str(root, "activation_function", &path, err));
    if (!path.data) return QEFF_OK;
    const qeff_str name = qeff_str_after_last(path, '.');
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
        if (!qeff_str_is(name, activations[i].torch)) continue;
        if (!qeff_str_starts_with(path, "torch.nn.")) break;
        module->activation = activations[i].name;
        return QEFF_OK;
    }
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                     "key 'activation_function': unknown '%.*s', expected a class of torch.nn such "
                     "as Identity, Tanh, ReLU, GELU or SiLU",
                     QEFF_STR_ARGS(path));
}

static qeff_status read_dense(qeff_json root, qeff_st_module *module, qeff_error *err)
{
    module->has_bias = true;
    QEFF_TRY(
        qeff_json_to_int(qeff_json_find(root, "in_features"), 1, WIDTH_MAX, &module->n_in, err));
    QEFF_TRY(
        qeff_json_to_int(qeff_json_find(root, "out_features"), 1, WIDTH_MAX, &module->n_out, err));
    QEFF_TRY(qeff_json_optional_bool(root, "bias", &module->has_bias, err));
    QEFF_TRY(qeff_json_optional_bool(root, "use_residual", &module->has_residual, err));
    QEFF_TRY(read_activation(root, module, err));
    return read_features(root, module, err);
}

static qeff_status read_layer_norm(qeff_json root, qeff_st_module *module, qeff_error *err)
{
    module->input = module->output = QEFF_ST_SENTENCE;
    QEFF_TRY(qeff_json_to_int(qeff_json_find(root, "dimension"), 1, WIDTH_MAX, &module->n_in, err));
    module->n_out = module->n_in;
    return QEFF_OK;
}

/* --- weights -------------------------------------------------------------------------------- */

/* What does not fit, collected so that one message lists all of it. */
typedef struct misfits {
    size_t n, n_dtype, used;
    char text[600];
} misfits;

static void add_misfit(misfits *m, const char *format, ...) QEFF_PRINTF(2, 3);

static void add_misfit(misfits *m, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const int n =
        snprintf(m->text + m->used, sizeof m->text - m->used, "%s%s", m->n ? "; " : "", text);
    m->n++;
    if (n > 0 && (size_t)n < sizeof m->text - m->used)
        m->used += (size_t)n;
    else
        m->text[m->used] = '\0';
}

static void format_shape(size_t rank, const int64_t *shape, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < rank; i++) {
        const int n = snprintf(text + used, size - used, "%s%" PRId64, i ? ", " : "", shape[i]);
        if (n < 0 || (size_t)n >= size - used) return;
        used += (size_t)n;
    }
}

static void check_tensor(misfits *m, const qeff_weights *weights, const char *name, size_t rank,
                         int64_t n_rows, int64_t n_columns)
{
    const int64_t shape[] = {n_rows, n_columns};
    char wanted[64], found[200];
    format_shape(rank, shape, wanted, sizeof wanted);
    const qeff_tensor_view *t = qeff_weights_find(weights, qeff_str_of(name));
    if (!t) {
        add_misfit(m, "'%s' [%s] is missing", name, wanted);
        return;
    }
    format_shape(t->rank, t->shape, found, sizeof found);
    if (t->rank != rank || memcmp(t->shape, shape, rank * sizeof *shape) != 0)
        add_misfit(m, "'%s' has shape [%s], expected [%s]", name, found, wanted);
    else if (t->dtype != QEFF_DTYPE_F32 && t->dtype != QEFF_DTYPE_F16 &&
             t->dtype != QEFF_DTYPE_BF16) {
        m->n_dtype++;
        add_misfit(m, "'%s' has dtype %s, expected f32, f16 or bf16", name,
                   qeff_dtype_name(t->dtype));
    }
}

static qeff_status open_weights(const char *root, qeff_st_module *module, qeff_error *err)
{
    char folder[QEFF_PATH_MAX];
    misfits m = {0, 0, 0, ""};
    QEFF_TRY(qeff_path_join_untrusted(root, module->path, folder, err));
    QEFF_TRY(qeff_weights_open(folder, &module->weights, err));
    if (module->kind == QEFF_ST_DENSE) {
        check_tensor(&m, module->weights, "linear.weight", 2, module->n_out, module->n_in);
        if (module->has_bias) check_tensor(&m, module->weights, "linear.bias", 1, module->n_out, 0);
        if (module->has_residual && module->n_in != module->n_out)
            check_tensor(&m, module->weights, "residual.weight", 2, module->n_out, module->n_in);
    } else {
        check_tensor(&m, module->weights, "norm.weight", 1, module->n_in, 0);
        check_tensor(&m, module->weights, "norm.bias", 1, module->n_in, 0);
    }
    if (m.n == 0) return QEFF_OK;
    return qeff_fail(err, m.n == m.n_dtype ? QEFF_ERR_UNSUPPORTED : QEFF_ERR_FORMAT,
                     "'%s': tensors that do not fit config.json: %s", folder, m.text);
}

/* --- one module ----------------------------------------------------------------------------- */

static qeff_status read_config(qeff_json root, qeff_st_module *module, qeff_error *err)
{
    QEFF_TRY(qeff_json_expect(root, QEFF_JSON_OBJECT, err));
    switch (module->kind) {
    case QEFF_ST_POOLING:
        return read_pooling(root, module, err);
    case QEFF_ST_DENSE:
        return read_dense(root, module, err);
    case QEFF_ST_LAYER_NORM:
        return read_layer_norm(root, module, err);
    case QEFF_ST_NORMALIZE:
        return read_features(root, module, err);
    case QEFF_ST_DROPOUT:
    case QEFF_ST_TRANSFORMER:
        break;
    }
    return QEFF_OK;
}

static qeff_status
check_widths(size_t index, qeff_st_module *module, qeff_st_widths *widths, qeff_error *err)
{
    const int64_t before = widths->of[module->input];
    if (before == 0)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "module %zu '%.*s' needs '%s', which no module before it makes", index,
                         QEFF_STR_ARGS(module->type), qeff_st_feature_name(module->input));
    if (module->n_in == 0) module->n_in = module->n_out = before;
    if (module->n_in != before)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "module %zu '%.*s' expects vectors of %" PRId64 ", found %" PRId64, index,
                         QEFF_STR_ARGS(module->type), module->n_in, before);
    widths->of[module->output] = module->n_out;
    return QEFF_OK;
}

qeff_status qeff_st_read_module(const char *root, size_t index, qeff_model_files *files,
                                qeff_st_module *module, qeff_st_widths *widths, qeff_error *err)
{
    char path[QEFF_PATH_MAX], role[32];
    qeff_json_document *document = NULL;
    const bool is_optional = module->kind == QEFF_ST_NORMALIZE || module->kind == QEFF_ST_DROPOUT;
    (void)snprintf(role, sizeof role, "module %zu", index);
    module->input = module->output = QEFF_ST_SENTENCE;
    QEFF_TRY(qeff_model_files_read(files, root, module->path, "config.json", role, is_optional,
                                   path, &document, err));
    qeff_status status = QEFF_OK;
    if (document) status = read_config(qeff_json_root(document), module, err);
    qeff_json_close(document);
    if (!status) status = check_widths(index, module, widths, err);
    QEFF_TRY(qeff_within(err, status, "'%s'", path));
    if (module->kind == QEFF_ST_DENSE || module->kind == QEFF_ST_LAYER_NORM)
        QEFF_TRY(open_weights(root, module, err));
    return QEFF_OK;
}
