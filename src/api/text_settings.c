/* text_settings.c - writing and reading `text.json`. */
#include "api/text_settings.h"

#include "base/error.h"
#include "base/span.h"
#include "formats/json.h"

enum { DIM_MAX = 1 << 24, LENGTH_MAX = 1 << 24 };

static void append_bool(qeff_buffer *out, const char *key, bool value)
{
    qeff_buffer_format(out, "\"%s\": %s, ", key, value ? "true" : "false");
}

static void append_str(qeff_buffer *out, const char *key, qeff_str value)
{
    qeff_buffer_format(out, "\"%s\": ", key);
    qeff_buffer_append_json(out, value);
    qeff_buffer_append_text(out, ", ");
}

static void append_prompts(qeff_buffer *out, const qeff_st_config *st)
{
    qeff_buffer_append_text(out, "\"prompts\": {");
    for (size_t i = 0; i < st->n_prompts; i++) {
        if (i) qeff_buffer_append_text(out, ", ");
        qeff_buffer_append_json(out, st->prompts[i].name);
        qeff_buffer_append_text(out, ": ");
        qeff_buffer_append_json(out, st->prompts[i].text);
    }
    qeff_buffer_append_text(out, "}");
}

/* Whether the graph ends in unit length: the last module that does anything is Normalize. */
static bool ends_normalized(const qeff_st_config *st, const qeff_model_options *options)
{
    if (options->normalize != QEFF_MODEL_NORMALIZE_DEFAULT)
        return options->normalize == QEFF_MODEL_NORMALIZE_ON;
    if (options->pooling) return false;
    for (size_t i = st->n_modules; i > 0; i--)
        if (st->modules[i - 1].kind != QEFF_ST_DROPOUT)
            return st->modules[i - 1].kind == QEFF_ST_NORMALIZE;
    return false;
}

static void
append_pooling(qeff_buffer *out, const qeff_st_config *st, const qeff_model_options *options)
{
    qeff_buffer text = {0};
    if (options->pooling)
        qeff_buffer_append_text(&text, options->pooling);
    else
        qeff_st_describe(st, &text);
    out->failed |= text.failed;
    append_str(out, "pooling", qeff_buffer_str(&text));
    qeff_buffer_deinit(&text);
}

qeff_status qeff_text_settings_format(const qeff_model *model, const qeff_model_options *options,
                                      qeff_buffer *out, qeff_error *err)
{
    const qeff_st_config *st = qeff_model_st_config(model);
    const bool is_pooled = !options->pooling || strcmp(options->pooling, "none") != 0;
    int64_t dim = 0;
    QEFF_TRY(qeff_model_output_dim(model, options, &dim, err));
    qeff_buffer_append_text(out, "{");
    append_str(out, "architecture", qeff_str_of(qeff_model_class(model)));
    append_str(out, "model_type", qeff_str_of(qeff_model_arch(model)->model_type));
    append_pooling(out, st, options);
    append_bool(out, "is_pooled", is_pooled);
    append_bool(out, "is_normalized", is_pooled && ends_normalized(st, options));
    append_bool(out, "takes_type_ids", options->with_token_type_ids);
    append_bool(out, "has_modules", st->has_modules);
    append_bool(out, "do_lower_case", st->do_lower_case);
    qeff_buffer_format(out,
                       "\"dim\": %lld, \"max_seq_length\": %lld, \"max_positions\": %lld, "
                       "\"truncate_dim\": %lld, ",
                       (long long)dim, (long long)st->max_seq_length,
                       (long long)qeff_model_hparams(model)->n_positions,
                       (long long)(is_pooled ? st->truncate_dim : 0));
    append_str(out, "default_prompt_name", st->default_prompt_name);
    append_prompts(out, st);
    qeff_buffer_append_text(out, "}\n");
    return qeff_buffer_status(out, err);
}

static qeff_status
read_str(qeff_text_settings *s, qeff_json root, const char *key, qeff_str *out, qeff_error *err)
{
    qeff_str text = {NULL, 0};
    QEFF_TRY(qeff_json_to_str(qeff_json_find(root, key), &text, err));
    *out = qeff_arena_str(&s->arena, text);
    return out->data ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

static qeff_status read_bool(qeff_json root, const char *key, bool *out, qeff_error *err)
{
    return qeff_json_to_bool(qeff_json_find(root, key), out, err);
}

static qeff_status read_prompts(qeff_text_settings *s, qeff_json prompts, qeff_error *err)
{
    void *iterator = NULL;
    qeff_str name, text = {NULL, 0};
    qeff_json value;
    QEFF_TRY(qeff_json_expect(prompts, QEFF_JSON_OBJECT, err));
    s->prompts = qeff_arena_array(&s->arena, qeff_json_count(prompts), sizeof *s->prompts);
    if (!s->prompts) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    while (qeff_json_next(prompts, &iterator, &name, &value)) {
        QEFF_TRY(qeff_json_to_str(value, &text, err));
        qeff_text_prompt *p = &s->prompts[s->n_prompts++];
        p->name = qeff_arena_str(&s->arena, name);
        p->text = qeff_arena_str(&s->arena, text);
        if (!p->name.data || !p->text.data)
            return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    }
    return QEFF_OK;
}

static qeff_status read_settings(qeff_text_settings *s, qeff_json root, qeff_error *err)
{
    QEFF_TRY(qeff_json_expect(root, QEFF_JSON_OBJECT, err));
    QEFF_TRY(read_str(s, root, "architecture", &s->architecture, err));
    QEFF_TRY(read_str(s, root, "model_type", &s->model_type, err));
    QEFF_TRY(read_str(s, root, "pooling", &s->pooling, err));
    QEFF_TRY(read_bool(root, "is_pooled", &s->is_pooled, err));
    QEFF_TRY(read_bool(root, "is_normalized", &s->is_normalized, err));
    QEFF_TRY(read_bool(root, "takes_type_ids", &s->takes_type_ids, err));
    QEFF_TRY(read_bool(root, "has_modules", &s->has_modules, err));
    QEFF_TRY(read_bool(root, "do_lower_case", &s->do_lower_case, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_find(root, "dim"), 1, DIM_MAX, &s->dim, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_find(root, "max_seq_length"), 0, LENGTH_MAX,
                              &s->max_seq_length, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_find(root, "max_positions"), 1, LENGTH_MAX,
                              &s->max_positions, err));
    QEFF_TRY(
        qeff_json_to_int(qeff_json_find(root, "truncate_dim"), 0, DIM_MAX, &s->truncate_dim, err));
    QEFF_TRY(read_str(s, root, "default_prompt_name", &s->default_prompt_name, err));
    return read_prompts(s, qeff_json_find(root, "prompts"), err);
}

qeff_status qeff_text_settings_parse(qeff_str json, qeff_text_settings *out, qeff_error *err)
{
    qeff_json_document *document = NULL;
    *out = (qeff_text_settings){0};
    qeff_status status = qeff_json_parse(json, NULL, &document, err);
    if (!status) status = read_settings(out, qeff_json_root(document), err);
    qeff_json_close(document);
    if (status) qeff_text_settings_deinit(out);
    return qeff_within(err, status, "'text.json'");
}

void qeff_text_settings_deinit(qeff_text_settings *settings)
{
    qeff_arena_deinit(&settings->arena);
    *settings = (qeff_text_settings){0};
}

const qeff_text_prompt *
qeff_text_settings_find_prompt(const qeff_text_settings *settings, qeff_str name)
{
    for (size_t i = 0; i < settings->n_prompts; i++)
        if (qeff_str_equal(settings->prompts[i].name, name)) return &settings->prompts[i];
    return NULL;
}
