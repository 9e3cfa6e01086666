/* tokenizer.c - opening tokenizers, their plain questions, and decoding. */
#include "tokenizer/tokenizer.h"

#include "base/error.h"
#include "base/file.h"
#include "base/span.h"

enum { FILE_BYTES_MAX = 256 << 20 };

qeff_status qeff_tokenizer_parse(qeff_bytes json, const qeff_tokenizer_options *options,
                                 qeff_tokenizer **out, qeff_error *err)
{
    qeff_buffer copy = {0};
    const qeff_tokenizer_settings settings = {.lowercase = options && options->lowercase};
    *out = NULL;
    if (json.size > FILE_BYTES_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "tokenizer.json of %zu bytes, expected at most %d",
                         json.size, FILE_BYTES_MAX);
    qeff_buffer_append(&copy, json.data, json.size);
    qeff_status status = qeff_buffer_status(&copy, err);
    if (!status) status = qeff_huggingface_read(&copy, &settings, out, err);
    qeff_buffer_deinit(&copy);
    return status;
}

/* The file's block becomes the buffer's: a second copy of a large file is never made. */
static qeff_status read_file(const char *path, qeff_buffer *out, qeff_error *err)
{
    qeff_file file = {0};
    QEFF_TRY(qeff_file_read(path, FILE_BYTES_MAX, &file, err));
    if (!file.is_mapped) {
        out->data = (uint8_t *)(uintptr_t)file.data;
        out->size = out->capacity = file.size;
        return QEFF_OK;
    }
    qeff_buffer_append(out, file.data, file.size);
    qeff_file_unmap(&file);
    return qeff_buffer_status(out, err);
}

/* `path` without its last part: "." where it has one part only. */
static qeff_status folder_of(const char *path, char out[QEFF_PATH_MAX], qeff_error *err)
{
    const char *slash = strrchr(path, '/');
    const size_t size = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    if (size >= QEFF_PATH_MAX)
        return qeff_fail(err, QEFF_ERR_INVALID, "path of more than %d bytes", QEFF_PATH_MAX - 1);
    memcpy(out, size ? path : ".", size ? size : 1);
    out[size ? size : 1] = '\0';
    return QEFF_OK;
}

/* Where the tokenizer is: its folder, and the file in it. */
typedef struct location {
    char folder[QEFF_PATH_MAX];
    char file[QEFF_PATH_MAX];
    bool is_vocab_txt;
} location;

static qeff_status locate(const char *path, location *out, qeff_error *err)
{
    size_t n = strlen(path);
    if (!qeff_path_is_folder(path)) {
        if (n >= QEFF_PATH_MAX)
            return qeff_fail(err, QEFF_ERR_INVALID, "path of more than %d bytes",
                             QEFF_PATH_MAX - 1);
        memcpy(out->file, path, n + 1);
        return folder_of(path, out->folder, err);
    }
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n >= QEFF_PATH_MAX)
        return qeff_fail(err, QEFF_ERR_INVALID, "path of more than %d bytes", QEFF_PATH_MAX - 1);
    memcpy(out->folder, path, n);
    out->folder[n] = '\0';
    QEFF_TRY(qeff_path_join(out->folder, QEFF_STR("tokenizer.json"), out->file, err));
    if (qeff_path_exists(out->file)) return QEFF_OK;
    QEFF_TRY(qeff_path_join(out->folder, QEFF_STR("vocab.txt"), out->file, err));
    out->is_vocab_txt = true;
    if (qeff_path_exists(out->file)) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_NOT_FOUND, "'%s': holds neither tokenizer.json nor vocab.txt",
                     out->folder);
}

static qeff_status open_at(const location *at, const qeff_tokenizer_options *options,
                           qeff_tokenizer **out, qeff_error *err)
{
    qeff_buffer json = {0};
    qeff_tokenizer_folder beside = {0};
    qeff_status status = qeff_tokenizer_folder_read(at->folder, &beside, err);
    beside.settings.lowercase = options && options->lowercase;
    if (!status)
        status = at->is_vocab_txt ? qeff_vocab_txt_read(at->folder, &beside.settings, &json, err)
                                  : read_file(at->file, &json, err);
    if (!status)
        status = qeff_within(err, qeff_huggingface_read(&json, &beside.settings, out, err), "'%s'",
                             at->file);
    qeff_arena_deinit(&beside.arena);
    qeff_buffer_deinit(&json);
    return status;
}

qeff_status qeff_tokenizer_open(const char *path, const qeff_tokenizer_options *options,
                                qeff_tokenizer **out, qeff_error *err)
{
    *out = NULL;
    location *at = qeff_alloc_zeroed(sizeof *at);
    if (!at) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': out of memory", path);
    qeff_status status = locate(path, at, err);
    if (!status) status = open_at(at, options, out, err);
    qeff_free(at);
    return status;
}

void qeff_tokenizer_destroy(qeff_tokenizer *tokenizer)
{
    if (!tokenizer) return;
    qeff_added_tokens_deinit(&tokenizer->added);
    qeff_vocab_deinit(&tokenizer->model.vocab);
    qeff_buffer_deinit(&tokenizer->json);
    qeff_arena_deinit(&tokenizer->arena);
    qeff_free(tokenizer);
}

qeff_str qeff_tokenizer_json(const qeff_tokenizer *tokenizer)
{
    return tokenizer->text;
}

size_t qeff_tokenizer_vocab_size(const qeff_tokenizer *tokenizer)
{
    size_t n = tokenizer->model.vocab.n;
    for (size_t i = 0; i < tokenizer->added.n; i++)
        n += qeff_vocab_find(&tokenizer->model.vocab, tokenizer->added.items[i].content) < 0;
    return n;
}

size_t qeff_tokenizer_id_limit(const qeff_tokenizer *tokenizer)
{
    const size_t model = tokenizer->model.vocab.id_limit, added = tokenizer->added.id_limit;
    return model > added ? model : added;
}

qeff_str qeff_tokenizer_token(const qeff_tokenizer *tokenizer, int32_t id)
{
    const qeff_added_token *added = qeff_added_tokens_find(&tokenizer->added, id);
    return added ? added->text : qeff_vocab_text(&tokenizer->model.vocab, id);
}

int32_t qeff_tokenizer_id(const qeff_tokenizer *tokenizer, qeff_str token)
{
    const int32_t id = qeff_added_tokens_id(&tokenizer->added, token);
    return id >= 0 ? id : qeff_vocab_find(&tokenizer->model.vocab, token);
}

int32_t qeff_tokenizer_special(const qeff_tokenizer *tokenizer, qeff_special_token role)
{
    return role < QEFF_TOKEN_ROLES ? tokenizer->special[role] : -1;
}

bool qeff_tokenizer_is_special(const qeff_tokenizer *tokenizer, int32_t id)
{
    const qeff_added_token *added = qeff_added_tokens_find(&tokenizer->added, id);
    return added && added->is_skipped;
}

size_t qeff_tokenizer_max_length(const qeff_tokenizer *tokenizer)
{
    return tokenizer->settings.max_length;
}

size_t qeff_tokenizer_n_added(const qeff_tokenizer *tokenizer, bool is_pair)
{
    const qeff_post_processor *p = &tokenizer->post_processor;
    return is_pair ? p->pair.n_added : p->single.n_added;
}

void qeff_text_deinit(qeff_text *text)
{
    qeff_free(text->data);
    *text = (qeff_text){0};
}

qeff_status qeff_tokenizer_decode(const qeff_tokenizer *tokenizer, const int32_t *ids, size_t n,
                                  bool skip_special, qeff_text *out, qeff_error *err)
{
    const qeff_decoder *decoder = &tokenizer->decoder;
    qeff_buffer buffer = {.data = (uint8_t *)out->data, .capacity = out->capacity};
    size_t n_tokens = 0;
    for (size_t i = 0; i < n; i++) {
        const qeff_str token = qeff_tokenizer_token(tokenizer, ids[i]);
        if (!token.data || (skip_special && qeff_tokenizer_is_special(tokenizer, ids[i]))) continue;
        decoder->append(decoder, n_tokens++, token, &buffer);
    }
    qeff_buffer_append_byte(&buffer, 0);
    const bool failed = buffer.failed;
    *out = (qeff_text){(char *)buffer.data, failed ? 0 : buffer.size - 1, buffer.capacity};
    return failed ? qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory") : QEFF_OK;
}
