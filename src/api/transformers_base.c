/* transformers_base.c - what every wrapper shares: loading, name, configuration, digest. */
#include "api/auto_model_private.h"
#include "base/error.h"
#include "base/span.h"
#include "compile/digest_memo.h"
#include "formats/qpc.h"
#include "tokenizer/image.h"

enum { CONFIG_BYTES_MAX = 64 << 20 };

static qeff_status open_tokenizer(qeff_transformers_base *base, const char *folder, qeff_error *err)
{
    const qeff_tokenizer_options options = {.lowercase = base->text.do_lower_case};
    const qeff_status status = qeff_tokenizer_open(folder, &options, &base->tokenizer, err);
    /* A model without a tokenizer still exports and runs on ids; encode() says what is missing. */
    return status == QEFF_ERR_NOT_FOUND ? QEFF_OK : status;
}

/* An id beyond the table would be refused at run time; a mismatch is worth saying at once. */
static qeff_status
check_vocabulary(const qeff_transformers_base *base, const char *folder, qeff_error *err)
{
    const int64_t rows = qeff_model_hparams(base->model)->vocab;
    if (!base->tokenizer) return QEFF_OK;
    const size_t limit = qeff_tokenizer_id_limit(base->tokenizer);
    if (limit <= (uint64_t)rows) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT,
                     "'%s': the tokenizer has ids up to %zu, config.json a vocabulary of %lld",
                     folder, limit - 1, (long long)rows);
}

qeff_status
qeff_transformers_base_open(qeff_transformers_base *base, const char *folder, qeff_error *err)
{
    char path[QEFF_PATH_MAX];
    QEFF_TRY(qeff_model_open(folder, &base->model, err));
    const char *home = qeff_model_transformer_folder(base->model);
    QEFF_TRY(qeff_path_join(home, QEFF_STR("config.json"), path, err));
    QEFF_TRY(qeff_file_read(path, CONFIG_BYTES_MAX, &base->config_file, err));
    base->config = (qeff_str){(const char *)base->config_file.data, base->config_file.size};
    QEFF_TRY(qeff_text_settings_format(base->model, &base->options, &base->text_json, err));
    QEFF_TRY(qeff_text_settings_parse(qeff_buffer_str(&base->text_json), &base->text, err));
    QEFF_TRY(open_tokenizer(base, home, err));
    return check_vocabulary(base, home, err);
}

qeff_status qeff_transformers_base_open_program(qeff_transformers_base *base,
                                                const qeff_program *program, qeff_error *err)
{
    qeff_str text = {NULL, 0};
    if (!qeff_program_find_text(program, "text.json", &text)) {
        const qeff_status status = qeff_fail(
            err, QEFF_ERR_UNSUPPORTED, "'%s': a program without text settings", program->folder);
        qeff_hint(err, "a program compiled from an ONNX file takes arrays: use qeff run");
        return status;
    }
    qeff_status status = qeff_text_settings_parse(text, &base->text, err);
    if (!status && qeff_program_find_text(program, "tokenizer.json", &text)) {
        const qeff_bytes json = {(const uint8_t *)text.data, text.size};
        qeff_bytes image = {NULL, 0};
        status = qeff_qpc_find(program->qpc, QEFF_TOKENIZER_IMAGE, &image)
                     ? qeff_tokenizer_image_open(image, text, &base->tokenizer, err)
                     : qeff_tokenizer_parse(json, NULL, &base->tokenizer, err);
    }
    if (!status) (void)qeff_program_find_text(program, "config.json", &base->config);
    return qeff_within(err, status, "'%s'", program->folder);
}

void qeff_transformers_base_close(qeff_transformers_base *base)
{
    qeff_tokenizer_destroy(base->tokenizer);
    qeff_model_close(base->model);
    qeff_text_settings_deinit(&base->text);
    qeff_buffer_deinit(&base->text_json);
    if (base->config_file.data) qeff_file_unmap(&base->config_file);
}

const char *qeff_transformers_base_name(const qeff_transformers_base *base)
{
    return base->text.architecture.data;
}

const char *qeff_transformers_base_model_type(const qeff_transformers_base *base)
{
    return base->text.model_type.data;
}

qeff_str qeff_transformers_base_config(const qeff_transformers_base *base)
{
    return base->config;
}

enum { STAMPS_MAX = 64 };

/* Stamps of the files that hold weights; false where there are too many to be worth it. */
static bool add_stamps(const qeff_weights *weights, qeff_file_stamp *stamps, size_t *n)
{
    const qeff_file *last = NULL;
    for (size_t i = 0; weights && i < qeff_weights_count(weights); i++) {
        const qeff_file *file = qeff_weights_at(weights, i)->file;
        if (file == last) continue;
        last = file; /* tensors of one file mostly follow one another; a stamp twice does no harm */
        if (*n == STAMPS_MAX || !qeff_file_stamp_read(file->fd, &stamps[(*n)++])) return false;
    }
    return true;
}

/* Reads all weights, unless a digest of these very files is remembered. */
static qeff_status
digest_weights(const qeff_transformers_base *base, uint8_t digest[QEFF_HASH_BYTES], qeff_error *err)
{
    qeff_file_stamp stamps[STAMPS_MAX];
    size_t n = 0;
    const qeff_st_config *st = qeff_model_st_config(base->model);
    bool is_stamped = !base->no_cache && add_stamps(qeff_model_weights(base->model), stamps, &n);
    for (size_t i = 0; i < st->n_modules && is_stamped; i++)
        is_stamped = add_stamps(st->modules[i].weights, stamps, &n);
    if (is_stamped && qeff_digest_memo_find(stamps, n, digest)) return QEFF_OK;
    QEFF_TRY(qeff_model_weights_digest(base->model, digest, err));
    if (is_stamped) qeff_digest_memo_store(stamps, n, digest);
    return QEFF_OK;
}

qeff_status
qeff_transformers_base_hash(qeff_transformers_base *base, const char **hex, qeff_error *err)
{
    *hex = NULL;
    if (!base->has_digest) {
        qeff_hash hash = {0};
        uint8_t weights[QEFF_HASH_BYTES];
        if (base->model) QEFF_TRY(digest_weights(base, weights, err));
        qeff_hash_init(&hash);
        if (base->model) qeff_model_hash(base->model, &base->options, weights, &hash);
        if (base->tokenizer) qeff_hash_update_str(&hash, qeff_tokenizer_json(base->tokenizer));
        qeff_hash_update_str(&hash, qeff_buffer_str(&base->text_json));
        qeff_hash_update_str(&hash, base->config);
        QEFF_TRY(qeff_hash_finish(&hash, base->digest, err));
        qeff_hash_format(base->digest, base->hex);
        base->has_digest = true;
    }
    *hex = base->hex;
    return QEFF_OK;
}

static void describe_prompts(const qeff_text_settings *text, qeff_buffer *out)
{
    qeff_buffer_append_text(out, "\"prompts\": {");
    for (size_t i = 0; i < text->n_prompts; i++) {
        if (i) qeff_buffer_append_text(out, ", ");
        qeff_buffer_append_json(out, text->prompts[i].name);
        qeff_buffer_append_text(out, ": ");
        qeff_buffer_append_json(out, text->prompts[i].text);
    }
    qeff_buffer_append_text(out, "}, \"default_prompt_name\": ");
    qeff_buffer_append_json(out, text->default_prompt_name);
}

qeff_status
qeff_transformers_base_describe(const qeff_transformers_base *base, char **json, qeff_error *err)
{
    const qeff_text_settings *text = &base->text;
    qeff_buffer out = {0};
    *json = NULL;
    qeff_buffer_append_text(&out, "{\"architecture\": ");
    qeff_buffer_append_json(&out, text->architecture);
    qeff_buffer_append_text(&out, ", \"model_type\": ");
    qeff_buffer_append_json(&out, text->model_type);
    qeff_buffer_append_text(&out, ", \"pooling\": ");
    qeff_buffer_append_json(&out, text->pooling);
    qeff_buffer_format(&out, ", \"normalize\": %s, \"dim\": %lld, \"max_seq_length\": %lld, ",
                       text->is_normalized ? "true" : "false", (long long)text->dim,
                       (long long)text->max_seq_length);
    if (text->truncate_dim)
        qeff_buffer_format(&out, "\"truncate_dim\": %lld, ", (long long)text->truncate_dim);
    if (base->tokenizer)
        qeff_buffer_format(&out, "\"vocab_size\": %zu, ",
                           qeff_tokenizer_vocab_size(base->tokenizer));
    describe_prompts(text, &out);
    qeff_buffer_append_text(&out, "}");
    qeff_buffer_append_byte(&out, 0);
    const qeff_status status = qeff_buffer_status(&out, err);
    if (status)
        qeff_buffer_deinit(&out);
    else
        *json = (char *)out.data; /* the block now belongs to the caller */
    return status;
}
