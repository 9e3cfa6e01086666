/* encode.c - texts, or ids, to vectors: prompt, tokenizer, ragged batches, cut to truncate_dim.
 *
 * Order of sentence-transformers: tokens -> modules (Normalize among them) -> first dimensions ->
 * unit length again only where that was asked for. */
#include "api/auto_model_private.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/float_mode.h"
#include "base/span.h"
#include "runtime/batching.h"

#include <math.h>

enum { BATCH_SIZE = 32, CALL_TOKENS_MAX = 8192 };

/* Ids of all texts, one after another. */
typedef struct token_list {
    const int64_t *ids; /* `owned`, or the caller's */
    int64_t *owned, *type_ids;
    size_t n, ids_capacity, types_capacity;
    int64_t *offsets; /* [n_texts + 1] */
    size_t n_truncated;
} token_list;

typedef struct encode_call {
    qeff_auto_model *model;
    const qeff_auto_model_encode_options *options;
    qeff_str prompt;
    size_t max_length;
    size_t dim; /* after the cut */
} encode_call;

static qeff_status choose_prompt(encode_call *c, qeff_error *err)
{
    const qeff_text_settings *text = &c->model->base.text;
    const qeff_auto_model_encode_options *o = c->options;
    c->prompt = (qeff_str){NULL, 0};
    if (o->prompt) {
        c->prompt = qeff_str_of(o->prompt);
        return QEFF_OK;
    }
    const qeff_str name = o->prompt_name ? qeff_str_of(o->prompt_name) : text->default_prompt_name;
    if (!o->prompt_name && name.size == 0) return QEFF_OK;
    const qeff_text_prompt *found = qeff_text_settings_find_prompt(text, name);
    if (found) {
        c->prompt = found->text;
        return QEFF_OK;
    }
    const qeff_status status =
        qeff_fail(err, QEFF_ERR_NOT_FOUND, "prompt '%.*s': the model has no such prompt",
                  QEFF_STR_ARGS(name));
    if (text->n_prompts == 0)
        qeff_hint(err, "the model has no prompts");
    else
        qeff_hint(err, "one of its %zu prompts is '%.*s'", text->n_prompts,
                  QEFF_STR_ARGS(text->prompts[0].name));
    return status;
}

static qeff_status choose_limits(encode_call *c, qeff_error *err)
{
    const qeff_text_settings *text = &c->model->base.text;
    const size_t most = (size_t)text->max_positions, usual = (size_t)text->max_seq_length;
    c->max_length = c->options->max_length ? c->options->max_length : usual ? usual : most;
    if (c->max_length > most)
        return qeff_fail(err, QEFF_ERR_INVALID, "max_length: expected at most %zu, found %zu", most,
                         c->max_length);
    c->dim = (size_t)text->dim;
    const size_t cut =
        c->options->truncate_dim ? c->options->truncate_dim : (size_t)text->truncate_dim;
    if (c->options->truncate_dim > c->dim)
        return qeff_fail(err, QEFF_ERR_INVALID, "truncate_dim: expected at most %zu, found %zu",
                         c->dim, cut);
    if (cut && cut < c->dim) c->dim = cut;
    return QEFF_OK;
}

static qeff_status
append_tokens(token_list *list, const qeff_encoding *e, bool with_types, qeff_error *err)
{
    for (size_t i = 0; i < e->n; i++) {
        int64_t *ids = qeff_grow(list->owned, list->n, &list->ids_capacity, sizeof *ids);
        if (!ids) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        list->ids = list->owned = ids;
        if (with_types) {
            int64_t *types =
                qeff_grow(list->type_ids, list->n, &list->types_capacity, sizeof *types);
            if (!types) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
            list->type_ids = types;
            list->type_ids[list->n] = e->type_ids[i];
        }
        ids[list->n++] = e->ids[i];
    }
    return QEFF_OK;
}

static qeff_status tokenize_one(const encode_call *c, size_t index, qeff_str text,
                                qeff_encoding *encoding, token_list *list, qeff_error *err)
{
    const qeff_encode_options options = {.no_offsets = true,
                                         .truncate_left =
                                             c->options->overflow == QEFF_OVERFLOW_TRUNCATE_LEFT,
                                         .max_length = c->max_length};
    QEFF_TRY(qeff_tokenizer_encode(c->model->base.tokenizer, text, &options, encoding, err));
    if (encoding->n == 0)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "the tokenizer gives no token for it");
    if (encoding->n_truncated) {
        list->n_truncated++;
        if (c->options->overflow == QEFF_OVERFLOW_ERROR)
            return qeff_fail(err, QEFF_ERR_CAPACITY, "expected at most %zu tokens, found %zu",
                             c->max_length, encoding->n + encoding->n_truncated);
    }
    QEFF_TRY(append_tokens(list, encoding, c->model->base.text.takes_type_ids, err));
    list->offsets[index + 1] = (int64_t)list->n;
    return QEFF_OK;
}

static qeff_status
tokenize(const encode_call *c, const qeff_str *texts, size_t n, token_list *list, qeff_error *err)
{
    qeff_encoding encoding = {0};
    qeff_buffer prefixed = {0};
    qeff_status status = QEFF_OK;
    size_t entries = 0;
    if (qeff_add_size(n, 1, &entries)) list->offsets = qeff_alloc_array(entries, sizeof(int64_t));
    if (!list->offsets) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for %zu texts", n);
    for (size_t i = 0; i < n && !status; i++) {
        qeff_str text = texts[i];
        if (c->prompt.size) {
            prefixed.size = 0;
            qeff_buffer_append_str(&prefixed, c->prompt);
            qeff_buffer_append_str(&prefixed, text);
            status = qeff_buffer_status(&prefixed, err);
            text = qeff_buffer_str(&prefixed);
        }
        if (!status) status = tokenize_one(c, i, text, &encoding, list, err);
        if (status) (void)qeff_within(err, status, "text %zu", i + 1);
    }
    qeff_buffer_deinit(&prefixed);
    qeff_encoding_deinit(&encoding);
    return status;
}

/* The reduction is in double and in one order, so a row's bits depend on the row alone. */
static void normalize_row(float *row, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)row[i] * (double)row[i];
    const double norm = sqrt(sum) > 1e-12 ? sqrt(sum) : 1e-12;
    for (size_t i = 0; i < n; i++)
        row[i] = (float)((double)row[i] / norm);
}

static void cut_rows(const encode_call *c, qeff_embeddings *e, size_t rows, size_t width)
{
    const qeff_text_settings *text = &c->model->base.text;
    const bool must_scale =
        c->model->wants_unit_length && text->is_pooled && (!text->is_normalized || c->dim < width);
    for (size_t r = 0; r < rows; r++) {
        float *row = e->values + r * c->dim;
        if (c->dim < width) memmove(row, e->values + r * width, c->dim * sizeof *row);
        if (must_scale) normalize_row(row, c->dim);
    }
}

static qeff_status allocate(qeff_embeddings **out, size_t n, size_t rows, size_t width,
                            bool is_pooled, qeff_error *err)
{
    size_t cells = 0;
    qeff_embeddings *e = qeff_alloc_zeroed(sizeof *e);
    if (e && qeff_mul_size(rows, width, &cells)) e->values = qeff_alloc_array(cells, sizeof(float));
    if (e && !is_pooled) e->offsets = qeff_alloc_array(n + 1, sizeof *e->offsets);
    if (!e || !e->values || (!is_pooled && !e->offsets)) {
        qeff_embeddings_destroy(e);
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for %zu vectors", rows);
    }
    *out = e;
    return QEFF_OK;
}

static qeff_status compute(const encode_call *c, const token_list *list, size_t n,
                           qeff_embeddings **out, qeff_error *err)
{
    const qeff_text_settings *text = &c->model->base.text;
    const size_t width = (size_t)text->dim;
    const size_t rows = text->is_pooled ? n : list->n;
    qeff_embeddings *e = NULL;
    const qeff_token_batch batch = {list->ids, list->type_ids, list->offsets, n};
    const qeff_batching_options options = {
        .batch_size = c->options->batch_size ? c->options->batch_size : BATCH_SIZE,
        .max_tokens = CALL_TOKENS_MAX,
        .progress = c->model->progress};
    QEFF_TRY(allocate(&e, n, rows, width, text->is_pooled, err));
    const qeff_status status = qeff_batch_run(c->model->session, &batch, &options, "output",
                                              text->is_pooled, width, e->values, err);
    if (status) {
        qeff_embeddings_destroy(e);
        return status;
    }
    cut_rows(c, e, rows, width);
    for (size_t i = 0; e->offsets && i <= n; i++)
        e->offsets[i] = (size_t)list->offsets[i];
    e->count = n;
    e->dim = c->dim;
    e->n_tokens = list->n;
    e->n_truncated = list->n_truncated;
    *out = e;
    return QEFF_OK;
}

static qeff_status
encode_texts(qeff_auto_model *model, const qeff_str *texts, size_t n,
             const qeff_auto_model_encode_options *options, qeff_embeddings **out, qeff_error *err)
{
    static const qeff_auto_model_encode_options defaults;
    encode_call c = {.model = model, .options = options ? options : &defaults};
    token_list list = {0};
    *out = NULL;
    if (!model->base.tokenizer)
        return qeff_fail(err, QEFF_ERR_NOT_FOUND,
                         "tokenizer.json: the model has neither it nor a vocab.txt");
    QEFF_TRY(choose_prompt(&c, err));
    QEFF_TRY(choose_limits(&c, err));
    qeff_status status = tokenize(&c, texts, n, &list, err);
    if (!status) status = qeff_auto_model_ready(model, err);
    if (!status) status = compute(&c, &list, n, out, err);
    qeff_free(list.owned);
    qeff_free(list.type_ids);
    qeff_free(list.offsets);
    return status;
}

qeff_status qeff_auto_model_encode(qeff_auto_model *model, const qeff_str *texts, size_t n,
                                   const qeff_auto_model_encode_options *options,
                                   qeff_embeddings **out, qeff_error *err)
{
    const qeff_float_mode mode = qeff_float_mode_enter();
    const qeff_status status = encode_texts(model, texts, n, options, out, err);
    qeff_float_mode_leave(&mode);
    return status;
}

/* Checks the offsets and copies them to `list`, which borrows the ids. */
static qeff_status take_ids(const encode_call *c, const int64_t *ids, const size_t *offsets,
                            size_t n, token_list *list, qeff_error *err)
{
    const size_t most = (size_t)c->model->base.text.max_positions;
    size_t entries = 0;
    if (qeff_add_size(n, 1, &entries)) list->offsets = qeff_alloc_array(entries, sizeof(int64_t));
    if (!list->offsets) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for %zu texts", n);
    if (offsets[0] != 0)
        return qeff_fail(err, QEFF_ERR_INVALID, "offsets: expected to begin at 0, found %zu",
                         offsets[0]);
    for (size_t i = 0; i < n; i++) {
        if (offsets[i + 1] <= offsets[i] || offsets[i + 1] > INT32_MAX)
            return qeff_fail(err, QEFF_ERR_INVALID, "offsets of sequence %zu: found %zu to %zu", i,
                             offsets[i], offsets[i + 1]);
        if (offsets[i + 1] - offsets[i] > most)
            return qeff_fail(err, QEFF_ERR_CAPACITY,
                             "sequence %zu: expected at most %zu tokens, found %zu", i, most,
                             offsets[i + 1] - offsets[i]);
        list->offsets[i + 1] = (int64_t)offsets[i + 1];
    }
    list->offsets[0] = 0;
    list->n = offsets[n];
    list->ids = ids;
    if (!c->model->base.text.takes_type_ids) return QEFF_OK;
    list->type_ids = qeff_alloc_zeroed(list->n * sizeof *list->type_ids + 1);
    return list->type_ids ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

static qeff_status
encode_ids(qeff_auto_model *model, const int64_t *ids, const size_t *offsets, size_t n,
           const qeff_auto_model_encode_options *options, qeff_embeddings **out, qeff_error *err)
{
    static const qeff_auto_model_encode_options defaults;
    encode_call c = {.model = model, .options = options ? options : &defaults};
    token_list list = {0};
    *out = NULL;
    QEFF_TRY(choose_limits(&c, err));
    qeff_status status = take_ids(&c, ids, offsets, n, &list, err);
    if (!status) status = qeff_auto_model_ready(model, err);
    if (!status) status = compute(&c, &list, n, out, err);
    qeff_free(list.type_ids);
    qeff_free(list.offsets);
    return status;
}

qeff_status
qeff_auto_model_encode_ids(qeff_auto_model *model, const int64_t *ids, const size_t *offsets,
                           size_t n, const qeff_auto_model_encode_options *options,
                           qeff_embeddings **out, qeff_error *err)
{
    const qeff_float_mode mode = qeff_float_mode_enter();
    const qeff_status status = encode_ids(model, ids, offsets, n, options, out, err);
    qeff_float_mode_leave(&mode);
    return status;
}

void qeff_embeddings_destroy(qeff_embeddings *embeddings)
{
    if (!embeddings) return;
    qeff_free(embeddings->values);
    qeff_free(embeddings->offsets);
    qeff_free(embeddings);
}
