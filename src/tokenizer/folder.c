/* folder.c - what lies beside a tokenizer: tokenizer_config.json and special_tokens_map.json; and
 * the older form of a whole BERT tokenizer, vocab.txt with tokenizer_config.json.
 *
 *   vocab.txt              one token a line, its id the line's number from 0; white space at the
 *                          end of a line does not count; of equal lines the last counts
 *   tokenizer_config.json  do_lower_case (true), tokenize_chinese_chars (true), strip_accents
 *                          (null), model_max_length, unk_token …, added_tokens_decoder
 *   special_tokens_map     unk_token … where tokenizer_config.json does not name them
 *
 * A special token is a text, or an object with "content" and the flags of an added token. */
#include "base/error.h"
#include "base/file.h"
#include "base/span.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unicode.h"

enum { VOCAB_BYTES_MAX = 256 << 20 };

static const char *const role_keys[QEFF_TOKEN_ROLES] = {"unk_token", "cls_token", "sep_token",
                                                        "pad_token", "mask_token"};

/* "Very large" stands for "no limit": the reference writes 1e30 there. */
static size_t read_max_length(qeff_json config)
{
    double value = 0;
    if (qeff_json_to_real(qeff_json_find(config, "model_max_length"), &value, NULL)) return 0;
    return value >= 1 && value < 100e6 ? (size_t)value : 0;
}

static qeff_status
read_roles(qeff_json config, qeff_arena *arena, qeff_tokenizer_settings *settings, qeff_error *err)
{
    for (int i = 0; i < QEFF_TOKEN_ROLES; i++) {
        qeff_json value = qeff_json_find(config, role_keys[i]);
        qeff_str text = {NULL, 0};
        if (qeff_json_kind_of(value) == QEFF_JSON_OBJECT) value = qeff_json_find(value, "content");
        if (qeff_json_kind_of(value) != QEFF_JSON_STR || settings->special[i].size) continue;
        QEFF_TRY(qeff_json_to_str(value, &text, err));
        settings->special[i] = qeff_arena_str(arena, text);
        if (!settings->special[i].data) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    }
    return QEFF_OK;
}

static qeff_status
open_beside(const char *folder, const char *name, qeff_json_document **out, qeff_error *err)
{
    char path[QEFF_PATH_MAX];
    *out = NULL;
    QEFF_TRY(qeff_path_join(folder, qeff_str_of(name), path, err));
    if (!qeff_path_exists(path)) return QEFF_OK;
    qeff_status status = qeff_json_open(path, NULL, out, err);
    if (!status && qeff_json_kind_of(qeff_json_root(*out)) != QEFF_JSON_OBJECT) {
        status = qeff_fail(err, QEFF_ERR_FORMAT, "'%s': expected an object", path);
        qeff_json_close(*out);
        *out = NULL;
    }
    return status;
}

qeff_status
qeff_tokenizer_folder_read(const char *folder, qeff_tokenizer_folder *out, qeff_error *err)
{
    static const char *const names[] = {"tokenizer_config.json", "special_tokens_map.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        qeff_json_document *document = NULL;
        QEFF_TRY(open_beside(folder, names[i], &document, err));
        if (!document) continue;
        const qeff_json root = qeff_json_root(document);
        if (i == 0) out->settings.max_length = read_max_length(root);
        const qeff_status status = read_roles(root, &out->arena, &out->settings, err);
        qeff_json_close(document);
        QEFF_TRY(qeff_within(err, status, "'%s/%s'", folder, names[i]));
    }
    return QEFF_OK;
}

/* ---- vocab.txt ---- */

static qeff_str trim_end(qeff_str line)
{
    for (;;) {
        size_t begin = line.size;
        uint32_t c = 0;
        while (begin > 0 && ((unsigned char)line.data[begin - 1] & 0xc0) == 0x80)
            begin--;
        if (begin == 0) return line;
        (void)qeff_utf8_decode(line.data + begin - 1, line.size - (begin - 1), &c);
        if (!qeff_unicode_is_space(c)) return line;
        line.size = begin - 1;
    }
}

/* Lines become tokens; one that stands again has the later number. */
static qeff_status read_lines(qeff_str text, qeff_vocab *vocab, qeff_error *err)
{
    int32_t id = 0;
    qeff_str repeated;
    for (size_t at = 0; at < text.size; id++) {
        const char *end = memchr(text.data + at, '\n', text.size - at);
        const size_t size = end ? (size_t)(end - text.data) - at : text.size - at;
        const qeff_str line = trim_end((qeff_str){text.data + at, size});
        if (id == QEFF_VOCAB_SIZE_MAX)
            return qeff_fail(err, QEFF_ERR_FORMAT, "more than %d lines", QEFF_VOCAB_SIZE_MAX);
        if (!qeff_utf8_is_valid(line))
            return qeff_fail(err, QEFF_ERR_FORMAT, "line %d is not valid UTF-8", (int)id + 1);
        QEFF_TRY(qeff_within(err, qeff_vocab_add(vocab, line, id, err), "line %d", (int)id + 1));
        at += size + 1;
    }
    return qeff_vocab_finish(vocab, &repeated, err);
}

typedef struct bert_config {
    bool lowercase, chinese;
    const char *accents; /* "null", "true" or "false" */
    qeff_str roles[QEFF_TOKEN_ROLES];
} bert_config;

static qeff_status read_bert_config(qeff_json config, const qeff_tokenizer_settings *settings,
                                    bert_config *out, qeff_error *err)
{
    static const char *const usual[QEFF_TOKEN_ROLES] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]",
                                                        "[MASK]"};
    bool accents = false;
    *out = (bert_config){.lowercase = true, .chinese = true, .accents = "null"};
    QEFF_TRY(qeff_json_optional_bool(config, "do_lower_case", &out->lowercase, err));
    QEFF_TRY(qeff_json_optional_bool(config, "tokenize_chinese_chars", &out->chinese, err));
    QEFF_TRY(qeff_json_optional_bool(config, "strip_accents", &accents, err));
    if (qeff_json_kind_of(qeff_json_find(config, "strip_accents")) == QEFF_JSON_BOOL)
        out->accents = accents ? "true" : "false";
    for (int i = 0; i < QEFF_TOKEN_ROLES; i++)
        out->roles[i] = settings->special[i].size ? settings->special[i] : qeff_str_of(usual[i]);
    return QEFF_OK;
}

static void append_added(qeff_buffer *out, bool *is_first, qeff_str content, int32_t id,
                         qeff_json flags, bool special)
{
    static const char *const keys[] = {"single_word", "lstrip", "rstrip", "normalized"};
    qeff_buffer_format(out, "%s{\"id\":%d,\"content\":", *is_first ? "" : ",", (int)id);
    qeff_buffer_append_json(out, content);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        bool value = false;
        (void)qeff_json_optional_bool(flags, keys[i], &value, NULL);
        qeff_buffer_format(out, ",\"%s\":%s", keys[i], value ? "true" : "false");
    }
    (void)qeff_json_optional_bool(flags, "special", &special, NULL);
    qeff_buffer_format(out, ",\"special\":%s}", special ? "true" : "false");
    *is_first = false;
}

/* The roles' tokens that the vocabulary holds, with the flags that added_tokens_decoder or the
 * special token's own object gives; then the rest of added_tokens_decoder, in its order, which is
 * that of ids. */
static void append_added_tokens(qeff_buffer *out, qeff_json config, const bert_config *bert,
                                const qeff_vocab *vocab)
{
    const qeff_json decoder = qeff_json_find(config, "added_tokens_decoder");
    bool is_first = true, is_done[QEFF_TOKEN_ROLES] = {false};
    qeff_str key = {NULL, 0};
    qeff_json value = {0};
    for (void *it = NULL; qeff_json_next(decoder, &it, &key, &value);) {
        qeff_str content = {NULL, 0};
        if (qeff_json_to_str(qeff_json_find(value, "content"), &content, NULL)) continue;
        const int32_t id = qeff_vocab_find(vocab, content);
        for (int i = 0; i < QEFF_TOKEN_ROLES; i++)
            is_done[i] |= qeff_str_equal(content, bert->roles[i]);
        append_added(out, &is_first, content, id < 0 ? 0 : id, value, false);
    }
    for (int i = 0; i < QEFF_TOKEN_ROLES; i++) {
        const int32_t id = qeff_vocab_find(vocab, bert->roles[i]);
        if (id < 0 || is_done[i]) continue;
        append_added(out, &is_first, bert->roles[i], id, qeff_json_find(config, role_keys[i]),
                     true);
    }
}

static void append_model(qeff_buffer *out, const bert_config *bert, const qeff_vocab *vocab)
{
    qeff_buffer_append_text(out, "\"model\":{\"type\":\"WordPiece\",\"unk_token\":");
    qeff_buffer_append_json(out, bert->roles[QEFF_TOKEN_UNK]);
    qeff_buffer_append_text(out, ",\"continuing_subword_prefix\":\"##\","
                                 "\"max_input_chars_per_word\":100,\"vocab\":{");
    bool is_first = true;
    for (int32_t id = 0; (size_t)id < vocab->id_limit; id++) {
        const qeff_str text = qeff_vocab_text(vocab, id);
        if (qeff_vocab_find(vocab, text) != id) continue; /* the text of a later line as well */
        if (!is_first) qeff_buffer_append_byte(out, ',');
        qeff_buffer_append_json(out, text);
        qeff_buffer_format(out, ":%d", (int)id);
        is_first = false;
    }
    qeff_buffer_append_text(out, "}}");
}

static void
append_bert_processing(qeff_buffer *out, const bert_config *bert, int32_t cls, int32_t sep)
{
    qeff_buffer_append_text(out, "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[");
    qeff_buffer_append_json(out, bert->roles[QEFF_TOKEN_SEP]);
    qeff_buffer_format(out, ",%d],\"cls\":[", (int)sep);
    qeff_buffer_append_json(out, bert->roles[QEFF_TOKEN_CLS]);
    qeff_buffer_format(out, ",%d]},", (int)cls);
}

static qeff_status write_json(qeff_json config, const bert_config *bert, const qeff_vocab *vocab,
                              qeff_buffer *out, qeff_error *err)
{
    const int32_t cls = qeff_vocab_find(vocab, bert->roles[QEFF_TOKEN_CLS]);
    const int32_t sep = qeff_vocab_find(vocab, bert->roles[QEFF_TOKEN_SEP]);
    if (cls < 0 || sep < 0)
        return qeff_fail(err, QEFF_ERR_FORMAT, "no line holds the token '%.*s'",
                         QEFF_STR_ARGS(bert->roles[cls < 0 ? QEFF_TOKEN_CLS : QEFF_TOKEN_SEP]));
    qeff_buffer_append_text(out, "{\"version\":\"1.0\",\"added_tokens\":[");
    append_added_tokens(out, config, bert, vocab);
    qeff_buffer_format(out,
                       "],\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"
                       "\"handle_chinese_chars\":%s,\"strip_accents\":%s,\"lowercase\":%s},"
                       "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},",
                       bert->chinese ? "true" : "false", bert->accents,
                       bert->lowercase ? "true" : "false");
    append_bert_processing(out, bert, cls, sep);
    qeff_buffer_append_text(
        out, "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},");
    append_model(out, bert, vocab);
    qeff_buffer_append_byte(out, '}');
    return qeff_buffer_status(out, err);
}

qeff_status qeff_vocab_txt_read(const char *folder, const qeff_tokenizer_settings *settings,
                                qeff_buffer *json, qeff_error *err)
{
    char path[QEFF_PATH_MAX];
    qeff_file file = {0};
    qeff_json_document *document = NULL;
    bert_config bert;
    qeff_vocab vocab = {0};
    QEFF_TRY(qeff_path_join(folder, QEFF_STR("vocab.txt"), path, err));
    QEFF_TRY(qeff_file_read(path, VOCAB_BYTES_MAX, &file, err));
    qeff_status status = open_beside(folder, "tokenizer_config.json", &document, err);
    const qeff_json config = document ? qeff_json_root(document) : (qeff_json){0};
    if (!status)
        status = qeff_within(err, read_bert_config(config, settings, &bert, err),
                             "'%s/tokenizer_config.json'", folder);
    if (!status) {
        status = read_lines((qeff_str){(const char *)file.data, file.size}, &vocab, err);
        if (!status) status = write_json(config, &bert, &vocab, json, err);
        status = qeff_within(err, status, "'%s'", path);
    }
    qeff_json_close(document);
    qeff_vocab_deinit(&vocab);
    qeff_file_unmap(&file);
    return status;
}
