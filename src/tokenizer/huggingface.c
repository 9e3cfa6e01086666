/* huggingface.c - reads tokenizer.json.
 *
 *   {"version": "1.0", "truncation": …, "padding": …, "added_tokens": […], "normalizer": …,
 *    "pre_tokenizer": …, "post_processor": …, "decoder": …,
 *    "model": {"type": "WordPiece", …, "vocab": {"[PAD]": 0, …}},
 *    "qeff": {"model_max_length": 512, …}}            the last key is ours, see tokenizer.h
 *
 * The vocabulary is nearly all of the file. It is pulled token by token, and only the rest becomes
 * a JSON document. */
#include "base/error.h"
#include "base/hash.h"
#include "base/span.h"
#include "formats/json_scan.h"
#include "tokenizer/tokenizer.h"

enum {
    FILE_BYTES_MAX = 256 << 20,
    SCAN_VALUES_MAX = 3 * QEFF_VOCAB_SIZE_MAX,
    REST_BYTES_MAX = 16 << 20, /* all but the vocabulary: that much becomes a document */
    PADDING_MAX = 1 << 20,     /* tokens: bounds what a file can make an encoding take */
};

static const char *const role_keys[QEFF_TOKEN_ROLES] = {"unk_token", "cls_token", "sep_token",
                                                        "pad_token", "mask_token"};

static qeff_status no_memory(qeff_error *err)
{
    return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

/* ---- the vocabulary ---- */

/* Text of a key; one with escapes goes into `unescaped`, until the next one. */
static qeff_str entry_text(const qeff_json_scan *scan, qeff_buffer *unescaped)
{
    if (!scan->has_escapes) return scan->content;
    unescaped->size = 0;
    uint8_t *text = qeff_buffer_extend(unescaped, scan->content.size + 1);
    if (!text) return (qeff_str){NULL, 0};
    return (qeff_str){(char *)text, qeff_json_scan_unescape(scan, (char *)text)};
}

/* The members of model.vocab; the scan stands behind its `{`, and behind its `}` afterwards. */
static qeff_status
read_vocab(qeff_json_scan *scan, qeff_vocab *vocab, qeff_buffer *unescaped, qeff_error *err)
{
    while (qeff_json_scan_next(scan) == QEFF_JSON_TOKEN_KEY) {
        const qeff_str text = entry_text(scan, unescaped);
        uint64_t id = 0;
        if (!text.data) return no_memory(err);
        const qeff_json_token value = qeff_json_scan_next(scan);
        if (scan->status) return scan->status;
        if (value != QEFF_JSON_TOKEN_NUMBER || !qeff_json_scan_to_u64(scan, &id) ||
            id >= QEFF_VOCAB_SIZE_MAX)
            return qeff_json_scan_fail(scan,
                                       "token '%.*s': expected an id, a whole number below %d",
                                       QEFF_STR_ARGS(text), QEFF_VOCAB_SIZE_MAX);
        QEFF_TRY(qeff_vocab_add(vocab, text, (int32_t)id, err));
    }
    return scan->status;
}

/* Finds model.vocab, reads it, and says which bytes it takes, braces included; an empty range where
 * it is missing or no object. The rest of the text is only passed over. */
static qeff_status extract_vocab(qeff_tokenizer *t, size_t *begin, size_t *end, qeff_error *err)
{
    const qeff_json_limits limits = {.max_bytes = FILE_BYTES_MAX, .max_values = SCAN_VALUES_MAX};
    qeff_json_scan scan;
    *begin = *end = 0;
    qeff_json_scan_init(&scan, qeff_buffer_str(&t->json), &limits, err);
    if (qeff_json_scan_next(&scan) != QEFF_JSON_TOKEN_OBJECT)
        return scan.status ? scan.status : qeff_json_scan_fail(&scan, "expected an object");
    while (qeff_json_scan_next(&scan) == QEFF_JSON_TOKEN_KEY) {
        const bool is_model = qeff_str_is(scan.content, "model");
        qeff_json_token value = qeff_json_scan_next(&scan);
        if (!is_model || value != QEFF_JSON_TOKEN_OBJECT) {
            qeff_json_scan_skip(&scan, value);
            continue;
        }
        while (qeff_json_scan_next(&scan) == QEFF_JSON_TOKEN_KEY) {
            const bool is_vocab = qeff_str_is(scan.content, "vocab") && *end == 0;
            value = qeff_json_scan_next(&scan);
            if (!is_vocab || value != QEFF_JSON_TOKEN_OBJECT) {
                qeff_json_scan_skip(&scan, value);
                continue;
            }
            *begin = scan.start;
            qeff_buffer unescaped = {0};
            const qeff_status status = read_vocab(&scan, &t->model.vocab, &unescaped, err);
            qeff_buffer_deinit(&unescaped);
            if (status) return status;
            *end = scan.at;
        }
    }
    return scan.status;
}

void qeff_huggingface_append_rest(const qeff_tokenizer *t, qeff_buffer *out)
{
    const size_t begin = t->vocab_begin, end = t->vocab_end;
    qeff_buffer_append_str(out, t->rest);
    if (t->rest.size || !t->json.data) return;
    qeff_buffer_append(out, t->json.data, begin);
    if (begin < end) qeff_buffer_append_text(out, "{}");
    qeff_buffer_append(out, t->json.data + end, t->json.size - end);
}

/* ---- truncation and padding ---- */

static qeff_status read_truncation(qeff_json json, qeff_encode_options *o, qeff_error *err)
{
    static const char *const strategies[] = {"LongestFirst", "OnlyFirst", "OnlySecond"};
    int64_t max_length = 0, stride = 0;
    qeff_str direction = QEFF_STR("Right"), strategy = {NULL, 0};
    QEFF_TRY(qeff_json_expect(json, QEFF_JSON_OBJECT, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_find(json, "max_length"), 0, INT32_MAX, &max_length, err));
    QEFF_TRY(qeff_json_optional_int(json, "stride", 0, INT32_MAX, &stride, err));
    if (stride > 0 && stride >= max_length)
        return qeff_fail(err, QEFF_ERR_FORMAT, "stride %d is not below max_length %d", (int)stride,
                         (int)max_length);
    QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "strategy"), &strategy, err));
    QEFF_TRY(qeff_json_optional_str(json, "direction", &direction, err));
    o->max_length = (size_t)max_length;
    o->truncate_left = qeff_str_is(direction, "Left");
    if (!o->truncate_left && !qeff_str_is(direction, "Right"))
        return qeff_fail(err, QEFF_ERR_FORMAT, "unknown direction '%.*s'",
                         QEFF_STR_ARGS(direction));
    for (int i = 0; i < 3; i++) {
        if (!qeff_str_is(strategy, strategies[i])) continue;
        o->strategy = (qeff_truncation)i;
        return QEFF_OK;
    }
    return qeff_fail(err, QEFF_ERR_FORMAT, "unknown strategy '%.*s'", QEFF_STR_ARGS(strategy));
}

static qeff_status read_padding(qeff_json json, qeff_tokenizer *t, qeff_str *pad, qeff_error *err)
{
    qeff_encode_options *o = &t->file_options;
    int64_t fixed = 0, unit = 0, id = 0, type_id = 0;
    qeff_str direction = {NULL, 0}, name = {NULL, 0};
    QEFF_TRY(qeff_json_expect(json, QEFF_JSON_OBJECT, err));
    const qeff_json strategy = qeff_json_find(json, "strategy");
    if (qeff_json_kind_of(strategy) == QEFF_JSON_OBJECT) {
        QEFF_TRY(qeff_json_to_int(qeff_json_find(strategy, "Fixed"), 0, PADDING_MAX, &fixed, err));
    } else {
        QEFF_TRY(qeff_json_to_str(strategy, &name, err));
        if (!qeff_str_is(name, "BatchLongest"))
            return qeff_fail(err, QEFF_ERR_FORMAT, "unknown strategy '%.*s'", QEFF_STR_ARGS(name));
    }
    QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "direction"), &direction, err));
    o->pad_left = qeff_str_is(direction, "Left");
    if (!o->pad_left && !qeff_str_is(direction, "Right"))
        return qeff_fail(err, QEFF_ERR_FORMAT, "unknown direction '%.*s'",
                         QEFF_STR_ARGS(direction));
    QEFF_TRY(qeff_json_optional_int(json, "pad_to_multiple_of", 0, PADDING_MAX, &unit, err));
    QEFF_TRY(
        qeff_json_to_int(qeff_json_find(json, "pad_id"), 0, QEFF_VOCAB_SIZE_MAX - 1, &id, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_find(json, "pad_type_id"), 0, INT32_MAX, &type_id, err));
    QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "pad_token"), pad, err));
    o->pad_to = (size_t)fixed;
    o->pad_to_multiple_of = (size_t)unit;
    t->pad_type_id = (int32_t)type_id;
    t->special[QEFF_TOKEN_PAD] = (int32_t)id;
    return QEFF_OK;
}

/* ---- our own key ---- */

static qeff_status read_settings(qeff_json json, qeff_tokenizer *t, qeff_error *err)
{
    int64_t max_length = 0;
    qeff_tokenizer_settings *s = &t->settings;
    *s = (qeff_tokenizer_settings){0};
    QEFF_TRY(qeff_json_expect(json, QEFF_JSON_OBJECT, err));
    QEFF_TRY(qeff_json_optional_int(json, "model_max_length", 0, INT32_MAX, &max_length, err));
    QEFF_TRY(qeff_json_optional_bool(json, "lowercase", &s->lowercase, err));
    s->max_length = (size_t)max_length;
    for (int i = 0; i < QEFF_TOKEN_ROLES; i++)
        QEFF_TRY(qeff_json_optional_str(json, role_keys[i], &s->special[i], err));
    return QEFF_OK;
}

static void format_settings(const qeff_tokenizer_settings *s, qeff_buffer *out)
{
    qeff_buffer_format(out, "\"qeff\":{\"model_max_length\":%zu,\"lowercase\":%s", s->max_length,
                       s->lowercase ? "true" : "false");
    for (int i = 0; i < QEFF_TOKEN_ROLES; i++) {
        if (s->special[i].size == 0) continue;
        qeff_buffer_format(out, ",\"%s\":", role_keys[i]);
        qeff_buffer_append_json(out, s->special[i]);
    }
    qeff_buffer_append_byte(out, '}');
}

/* Whether the text, an object, has a key "qeff" of its own. */
static bool has_settings(qeff_str text)
{
    bool found = false;
    const qeff_json_limits limits = {.max_bytes = FILE_BYTES_MAX, .max_values = SCAN_VALUES_MAX};
    qeff_json_scan scan;
    for (size_t i = 1; i < text.size && !found; i++) {
        const char *q = memchr(text.data + i, 'q', text.size - i);
        if (!q) return false;
        i = (size_t)(q - text.data);
        found = q[-1] == '"' && text.size - i >= 5 && memcmp(q, "qeff\"", 5) == 0;
    }
    if (!found) return false; /* the usual case, without a scan */
    qeff_json_scan_init(&scan, text, &limits, NULL);
    if (qeff_json_scan_next(&scan) != QEFF_JSON_TOKEN_OBJECT) return false;
    while (qeff_json_scan_next(&scan) == QEFF_JSON_TOKEN_KEY) {
        if (qeff_str_is(scan.content, "qeff")) return true;
        qeff_json_scan_skip(&scan, qeff_json_scan_next(&scan));
    }
    return false;
}

static bool is_json_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Puts the settings before the last `}`, so that places in messages stay those of the file. A text
 * that does not end so is malformed, and left for the parser to refuse. */
static void insert_settings(qeff_buffer *json, const qeff_tokenizer_settings *settings)
{
    size_t end = json->size;
    while (end > 0 && is_json_space(json->data[end - 1]))
        end--;
    if (end < 2 || json->data[end - 1] != '}') return;
    size_t last = end - 1;
    while (last > 0 && is_json_space(json->data[last - 1]))
        last--;
    json->size = end - 1;
    if (last > 0 && json->data[last - 1] != '{') qeff_buffer_append_byte(json, ',');
    format_settings(settings, json);
    qeff_buffer_append_text(json, "}");
}

/* ---- roles ---- */

static int32_t find_token(const qeff_tokenizer *t, qeff_str text)
{
    const int32_t id = qeff_added_tokens_id(&t->added, text);
    return id >= 0 ? id : qeff_vocab_find(&t->model.vocab, text);
}

/* Ids of the roles: by the names the settings give, else by what BERT and RoBERTa call them. */
static void find_roles(qeff_tokenizer *t, int32_t pad_of_file)
{
    static const char *const usual[QEFF_TOKEN_ROLES][2] = {{"[UNK]", "<unk>"},
                                                           {"[CLS]", "<s>"},
                                                           {"[SEP]", "</s>"},
                                                           {"[PAD]", "<pad>"},
                                                           {"[MASK]", "<mask>"}};
    for (int i = 0; i < QEFF_TOKEN_ROLES; i++) {
        t->special[i] = -1;
        if (t->settings.special[i].size) t->special[i] = find_token(t, t->settings.special[i]);
        for (int k = 0; k < 2 && t->special[i] < 0; k++)
            t->special[i] = find_token(t, qeff_str_of(usual[i][k]));
    }
    if (t->model.unk_id >= 0) t->special[QEFF_TOKEN_UNK] = t->model.unk_id;
    if (pad_of_file >= 0) t->special[QEFF_TOKEN_PAD] = pad_of_file;
}

/* ---- all of it ---- */

static bool is_given(qeff_json json)
{
    const qeff_json_kind kind = qeff_json_kind_of(json);
    return kind != QEFF_JSON_MISSING && kind != QEFF_JSON_NULL;
}

static qeff_status keep_settings(qeff_tokenizer *t, qeff_error *err)
{
    for (int i = 0; i < QEFF_TOKEN_ROLES; i++) {
        t->settings.special[i] = qeff_arena_str(&t->arena, t->settings.special[i]);
        if (!t->settings.special[i].data) return no_memory(err);
    }
    return QEFF_OK;
}

static qeff_status read_components(qeff_json root, qeff_tokenizer *t, qeff_error *err)
{
    const qeff_json model = qeff_json_find(root, "model");
    qeff_str version = QEFF_STR("1.0"), pad = {NULL, 0};
    QEFF_TRY(qeff_json_optional_str(root, "version", &version, err));
    if (!qeff_str_is(version, "1.0"))
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "unknown version '%.*s', expected '1.0'",
                         QEFF_STR_ARGS(version));
    const qeff_json own = qeff_json_find(root, "qeff");
    if (is_given(own)) QEFF_TRY(qeff_within(err, read_settings(own, t, err), "key 'qeff'"));
    QEFF_TRY(keep_settings(t, err));
    if (!is_given(model)) return qeff_fail(err, QEFF_ERR_FORMAT, "key 'model' is missing");
    QEFF_TRY(
        qeff_within(err, qeff_token_model_read(model, &t->arena, &t->model, err), "key 'model'"));
    QEFF_TRY(
        qeff_within(err,
                    qeff_normalizer_read(qeff_json_find(root, "normalizer"), t->settings.lowercase,
                                         &t->arena, &t->normalizer, err),
                    "key 'normalizer'"));
    QEFF_TRY(qeff_within(err,
                         qeff_pre_tokenizer_read(qeff_json_find(root, "pre_tokenizer"), &t->arena,
                                                 &t->pre_tokenizer, err),
                         "key 'pre_tokenizer'"));
    QEFF_TRY(qeff_within(err,
                         qeff_added_tokens_read(qeff_json_find(root, "added_tokens"), t->digest[1],
                                                &t->model.vocab, &t->normalizer, &t->arena,
                                                &t->added, err),
                         "key 'added_tokens'"));
    QEFF_TRY(qeff_within(err,
                         qeff_post_processor_read(qeff_json_find(root, "post_processor"), &t->arena,
                                                  &t->post_processor, err),
                         "key 'post_processor'"));
    QEFF_TRY(qeff_within(
        err, qeff_decoder_read(qeff_json_find(root, "decoder"), &t->arena, &t->decoder, err),
        "key 'decoder'"));
    const qeff_json truncation = qeff_json_find(root, "truncation");
    const qeff_json padding = qeff_json_find(root, "padding");
    if (is_given(truncation))
        QEFF_TRY(qeff_within(err, read_truncation(truncation, &t->file_options, err),
                             "key 'truncation'"));
    t->special[QEFF_TOKEN_PAD] = -1;
    if (is_given(padding))
        QEFF_TRY(qeff_within(err, read_padding(padding, t, &pad, err), "key 'padding'"));
    find_roles(t, t->special[QEFF_TOKEN_PAD]);
    /* Added tokens in normalized text need that text, and trimmed offsets the tokens' own. */
    t->is_bert = t->added.passes[1].matcher.n_nodes == 0 && !t->post_processor.trim_offsets &&
                 qeff_bert_words_init(&t->normalizer, &t->pre_tokenizer, &t->model, &t->bert);
    return QEFF_OK;
}

/* Ids in templates must be rows of the embedding table, or the model would read outside it. */
static qeff_status
check_template(const qeff_tokenizer *t, const qeff_template *template, qeff_error *err)
{
    for (size_t i = 0; i < template->n; i++) {
        const qeff_template_item *item = &template->items[i];
        if (item->kind == QEFF_TEMPLATE_TOKEN && !qeff_tokenizer_token(t, item->id).data)
            return qeff_fail(err, QEFF_ERR_FORMAT,
                             "key 'post_processor': no token has the id %d that it adds",
                             (int)item->id);
    }
    return QEFF_OK;
}

qeff_status qeff_huggingface_read_rest(qeff_tokenizer *t, qeff_str rest, qeff_error *err)
{
    const qeff_json_limits limits = {.max_bytes = REST_BYTES_MAX};
    qeff_json_document *document = NULL;
    QEFF_TRY(qeff_json_parse(rest, &limits, &document, err));
    qeff_status status = read_components(qeff_json_root(document), t, err);
    if (!status) status = check_template(t, &t->post_processor.single, err);
    if (!status) status = check_template(t, &t->post_processor.pair, err);
    qeff_json_close(document);
    return status;
}

static qeff_status read_all(qeff_tokenizer *t, qeff_error *err)
{
    uint8_t digest[QEFF_HASH_BYTES];
    qeff_buffer rest = {0};
    qeff_str repeated = {NULL, 0};
    QEFF_TRY(qeff_hash_bytes(qeff_buffer_bytes(&t->json), digest, err));
    t->digest[0] = qeff_load_u64le(digest);
    t->digest[1] = qeff_load_u64le(digest + 8);
    QEFF_TRY(extract_vocab(t, &t->vocab_begin, &t->vocab_end, err));
    QEFF_TRY(qeff_vocab_finish(&t->model.vocab, &repeated, err));
    if (repeated.data)
        return qeff_fail(err, QEFF_ERR_FORMAT, "token '%.*s' stands twice in 'vocab'",
                         QEFF_STR_ARGS(repeated));
    const size_t size = t->json.size - (t->vocab_end - t->vocab_begin);
    if (size > REST_BYTES_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "%zu bytes beside the vocabulary, expected at most %d", size,
                         REST_BYTES_MAX);
    if (t->vocab_begin == t->vocab_end)
        return qeff_huggingface_read_rest(t, qeff_buffer_str(&t->json), err);
    qeff_huggingface_append_rest(t, &rest);
    qeff_status status = qeff_buffer_status(&rest, err);
    if (!status) status = qeff_huggingface_read_rest(t, qeff_buffer_str(&rest), err);
    qeff_buffer_deinit(&rest);
    return status;
}

qeff_status qeff_huggingface_read(qeff_buffer *json, const qeff_tokenizer_settings *settings,
                                  qeff_tokenizer **out, qeff_error *err)
{
    *out = NULL;
    qeff_tokenizer *t = qeff_alloc_zeroed(sizeof *t);
    if (!t) return no_memory(err);
    t->json = *json;
    *json = (qeff_buffer){0};
    t->settings = *settings;
    if (!has_settings(qeff_buffer_str(&t->json))) insert_settings(&t->json, settings);
    t->text = qeff_buffer_str(&t->json);
    qeff_status status = qeff_buffer_status(&t->json, err);
    if (!status) status = read_all(t, err);
    if (status) {
        qeff_tokenizer_destroy(t);
        return status;
    }
    *out = t;
    return QEFF_OK;
}
