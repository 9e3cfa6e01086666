/* json.c - JSON documents: json_scan checks the whole text first, then jansson builds the tree.
 *
 * So jansson never meets text that is malformed, too deep or too big; what is left for it to refuse
 * are duplicate keys, keys with a NUL, and numbers beyond a double.
 *
 * Python writes integers of any length, and tokenizer_config.json often holds int(1e30) as
 * "model_max_length". jansson refuses those; they become reals here, as in JavaScript and Rust.
 *
 * jansson keeps its own allocator: json_set_alloc_funcs() is process-wide, and the program around
 * this library may use jansson too. */
#include "formats/json.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/file.h"
#include "base/span.h"
#include "formats/json_scan.h"

#include <inttypes.h>
#include <jansson.h>

#define ROOT_INDEX SIZE_MAX /* of the root, which no message needs to name */

struct qeff_json_document {
    json_t *root;
};

static json_t *node_of(qeff_json value)
{
    return (json_t *)(uintptr_t)value.node;
}

/* Whether the integer that was just scanned is beyond int64. */
static bool is_beyond_int64(const qeff_json_scan *s)
{
    if (!s->is_integer || s->content.size < 19) return false;
    const bool is_negative = s->content.data[0] == '-';
    int64_t value = 0;
    for (size_t i = is_negative; i < s->content.size; i++) {
        const int64_t digit = s->content.data[i] - '0';
        if (__builtin_mul_overflow(value, (int64_t)10, &value) ||
            __builtin_sub_overflow(value, digit, &value)) /* downwards: reaches INT64_MIN */
            return true;
    }
    return !is_negative && value == INT64_MIN;
}

/* Checks the whole text. Where it holds integers beyond int64, `rewritten` gets a copy in which
 * they end in ".0"; else it stays empty. */
static qeff_status
check_text(qeff_str text, const qeff_json_limits *limits, qeff_buffer *rewritten, qeff_error *err)
{
    qeff_json_scan s;
    size_t copied = 0;
    qeff_json_scan_init(&s, text, limits, err);
    qeff_json_token token = qeff_json_scan_next(&s);
    if (!s.status && token != QEFF_JSON_TOKEN_OBJECT && token != QEFF_JSON_TOKEN_ARRAY)
        return qeff_json_scan_fail(&s, "expected an object or an array");
    while (token != QEFF_JSON_TOKEN_END) {
        if (token == QEFF_JSON_TOKEN_NUMBER && is_beyond_int64(&s)) {
            qeff_buffer_append(rewritten, text.data + copied, s.at - copied);
            qeff_buffer_append_text(rewritten, ".0");
            copied = s.at;
        }
        token = qeff_json_scan_next(&s);
    }
    if (s.status) return s.status;
    if (copied) qeff_buffer_append(rewritten, text.data + copied, text.size - copied);
    return qeff_buffer_status(rewritten, err);
}

/* Describes the token that jansson stopped behind. */
static qeff_status fail_at_token(qeff_str text, const qeff_json_limits *limits, size_t position,
                                 const char *key_fault, qeff_error *err)
{
    qeff_json_scan s;
    qeff_json_scan_init(&s, text, limits, err);
    for (qeff_json_token token = qeff_json_scan_next(&s); token != QEFF_JSON_TOKEN_END;
         token = qeff_json_scan_next(&s)) {
        const size_t end = (size_t)(s.content.data - text.data) + s.content.size;
        if (!key_fault && token == QEFF_JSON_TOKEN_NUMBER && end >= position)
            return qeff_json_scan_fail(&s, "number %.*s is beyond the range of a double",
                                       QEFF_STR_ARGS(s.content));
        if (key_fault && token == QEFF_JSON_TOKEN_KEY && end + 1 >= position)
            return qeff_json_scan_fail(&s, "key '%.*s' %s", QEFF_STR_ARGS(s.content), key_fault);
    }
    return qeff_fail(err, QEFF_ERR_FORMAT, "malformed JSON at byte %zu", position);
}

static qeff_status fail_jansson(qeff_str text, const qeff_json_limits *limits,
                                const json_error_t *fault, qeff_error *err)
{
    const size_t position = fault->position < 0 ? 0 : (size_t)fault->position;
    switch (json_error_code(fault)) {
    case json_error_duplicate_key:
        return fail_at_token(text, limits, position, "is there twice", err);
    case json_error_null_byte_in_key:
        return fail_at_token(text, limits, position, "holds a NUL", err);
    case json_error_numeric_overflow:
        return fail_at_token(text, limits, position, NULL, err);
    default: /* the scan has let nothing else through; jansson calls a failed allocation many names
              */
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for JSON of %zu bytes", text.size);
    }
}

qeff_status qeff_json_parse(qeff_str text, const qeff_json_limits *limits, qeff_json_document **out,
                            qeff_error *err)
{
    qeff_buffer rewritten = {0};
    json_error_t fault = {.position = 0};
    *out = NULL;
    qeff_status status = check_text(text, limits, &rewritten, err);
    qeff_json_document *document = status ? NULL : qeff_alloc_zeroed(sizeof *document);
    if (!status && !document) status = qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    if (!status) {
        if (rewritten.size) text = qeff_buffer_str(&rewritten);
        document->root =
            json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
        if (!document->root) status = fail_jansson(text, limits, &fault, err);
    }
    qeff_buffer_deinit(&rewritten);
    if (status) {
        qeff_free(document);
        return status;
    }
    *out = document;
    return QEFF_OK;
}

qeff_status qeff_json_open(const char *path, const qeff_json_limits *limits,
                           qeff_json_document **out, qeff_error *err)
{
    qeff_file file = {.fd = -1};
    qeff_json_scan defaults;
    *out = NULL;
    qeff_json_scan_init(&defaults, (qeff_str){NULL, 0}, limits, NULL);
    QEFF_TRY(qeff_file_read(path, defaults.limits.max_bytes, &file, err));
    const qeff_str text = {(const char *)file.data, file.size};
    const qeff_status status = qeff_json_parse(text, limits, out, err);
    qeff_file_unmap(&file);
    return qeff_within(err, status, "'%s'", path);
}

void qeff_json_close(qeff_json_document *document)
{
    if (!document) return;
    json_decref(document->root);
    qeff_free(document);
}

qeff_json qeff_json_root(const qeff_json_document *document)
{
    return (qeff_json){.node = document->root, .index = ROOT_INDEX};
}

qeff_json_kind qeff_json_kind_of(qeff_json value)
{
    if (!value.node) return QEFF_JSON_MISSING;
    switch (json_typeof(node_of(value))) {
    case JSON_OBJECT:
        return QEFF_JSON_OBJECT;
    case JSON_ARRAY:
        return QEFF_JSON_ARRAY;
    case JSON_STRING:
        return QEFF_JSON_STR;
    case JSON_INTEGER:
        return QEFF_JSON_INT;
    case JSON_REAL:
        return QEFF_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return QEFF_JSON_BOOL;
    case JSON_NULL:
        return QEFF_JSON_NULL;
    }
    return QEFF_JSON_MISSING;
}

qeff_json qeff_json_find(qeff_json value, const char *key)
{
    return (qeff_json){.node = json_object_get(node_of(value), key), .key = key};
}

size_t qeff_json_count(qeff_json value)
{
    return json_is_array(node_of(value)) ? json_array_size(node_of(value))
                                         : json_object_size(node_of(value));
}

qeff_json qeff_json_at(qeff_json value, size_t index)
{
    return (qeff_json){.node = json_array_get(node_of(value), index), .index = index};
}

bool qeff_json_next(qeff_json object, void **iterator, qeff_str *key, qeff_json *value)
{
    json_t *node = node_of(object);
    *iterator = *iterator ? json_object_iter_next(node, *iterator) : json_object_iter(node);
    if (!*iterator) return false;
    const char *name = json_object_iter_key(*iterator);
    *key = (qeff_str){name, json_object_iter_key_len(*iterator)};
    *value = (qeff_json){.node = json_object_iter_value(*iterator), .key = name};
    return true;
}

static const char *text_of_kind(qeff_json_kind kind)
{
    switch (kind) {
    case QEFF_JSON_MISSING:
        return "nothing";
    case QEFF_JSON_NULL:
        return "null";
    case QEFF_JSON_BOOL:
        return "true or false";
    case QEFF_JSON_INT:
        return "an integer";
    case QEFF_JSON_REAL:
        return "a number";
    case QEFF_JSON_STR:
        return "a string";
    case QEFF_JSON_ARRAY:
        return "an array";
    case QEFF_JSON_OBJECT:
        return "an object";
    }
    return "nothing";
}

/* Names the place of a value, then what is there instead. */
static qeff_status fail_value(qeff_json value, qeff_error *err, const char *expected)
{
    char found[48];
    const json_t *node = node_of(value);
    const qeff_json_kind kind = qeff_json_kind_of(value);
    if (kind == QEFF_JSON_BOOL)
        (void)snprintf(found, sizeof found, "%s", json_is_true(node) ? "true" : "false");
    else if (kind == QEFF_JSON_INT)
        (void)snprintf(found, sizeof found, "%" PRId64, (int64_t)json_integer_value(node));
    else if (kind == QEFF_JSON_REAL)
        (void)snprintf(found, sizeof found, "%.17g", json_real_value(node));
    else
        (void)snprintf(found, sizeof found, "%s", text_of_kind(kind));
    const qeff_status status =
        qeff_fail(err, QEFF_ERR_FORMAT, "expected %s, found %s", expected, found);
    if (value.key) return qeff_within(err, status, "key '%.200s'", value.key);
    if (value.index == ROOT_INDEX) return status;
    return qeff_within(err, status, "element %zu", value.index);
}

qeff_status qeff_json_expect(qeff_json value, qeff_json_kind kind, qeff_error *err)
{
    return qeff_json_kind_of(value) == kind ? QEFF_OK : fail_value(value, err, text_of_kind(kind));
}

qeff_status qeff_json_to_str(qeff_json value, qeff_str *out, qeff_error *err)
{
    QEFF_TRY(qeff_json_expect(value, QEFF_JSON_STR, err));
    *out = (qeff_str){json_string_value(node_of(value)), json_string_length(node_of(value))};
    return QEFF_OK;
}

qeff_status
qeff_json_to_int(qeff_json value, int64_t min, int64_t max, int64_t *out, qeff_error *err)
{
    const qeff_json_kind kind = qeff_json_kind_of(value);
    const int64_t number = kind == QEFF_JSON_INT ? json_integer_value(node_of(value)) : 0;
    if (kind == QEFF_JSON_INT && number >= min && number <= max) {
        *out = number;
        return QEFF_OK;
    }
    if (kind != QEFF_JSON_INT && kind != QEFF_JSON_REAL)
        return fail_value(value, err, "an integer");
    char expected[80];
    (void)snprintf(expected, sizeof expected, "an integer from %" PRId64 " to %" PRId64, min, max);
    return fail_value(value, err, expected);
}

qeff_status qeff_json_to_real(qeff_json value, double *out, qeff_error *err)
{
    const qeff_json_kind kind = qeff_json_kind_of(value);
    if (kind != QEFF_JSON_INT && kind != QEFF_JSON_REAL) return fail_value(value, err, "a number");
    *out = json_number_value(node_of(value));
    return QEFF_OK;
}

qeff_status qeff_json_to_bool(qeff_json value, bool *out, qeff_error *err)
{
    QEFF_TRY(qeff_json_expect(value, QEFF_JSON_BOOL, err));
    *out = json_is_true(node_of(value));
    return QEFF_OK;
}

static bool is_given(qeff_json value)
{
    const qeff_json_kind kind = qeff_json_kind_of(value);
    return kind != QEFF_JSON_MISSING && kind != QEFF_JSON_NULL;
}

qeff_status
qeff_json_optional_str(qeff_json object, const char *key, qeff_str *out, qeff_error *err)
{
    const qeff_json value = qeff_json_find(object, key);
    return is_given(value) ? qeff_json_to_str(value, out, err) : QEFF_OK;
}

qeff_status qeff_json_optional_int(qeff_json object, const char *key, int64_t min, int64_t max,
                                   int64_t *out, qeff_error *err)
{
    const qeff_json value = qeff_json_find(object, key);
    return is_given(value) ? qeff_json_to_int(value, min, max, out, err) : QEFF_OK;
}

qeff_status qeff_json_optional_bool(qeff_json object, const char *key, bool *out, qeff_error *err)
{
    const qeff_json value = qeff_json_find(object, key);
    return is_given(value) ? qeff_json_to_bool(value, out, err) : QEFF_OK;
}
