/* inspect_tokenizer.c - the steps of a tokenizer and the size of its vocabulary.
 *
 * The file is read as a tokenizer first, so that what is shown is known to be sound. Then the names
 * of its steps are picked out of the text token by token: a document of it would be far larger than
 * the tokenizer, for the sake of a few words. */
#include "api/inspect.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/span.h"
#include "formats/json_scan.h"

#include <qeff/tokenizer.h>

enum { SCAN_BYTES_MAX = 512 << 20, SCAN_VALUES_MAX = 1 << 28 };

/* Inside a step's value, behind its `{`: lists the "type" of it and of the steps it consists of, in
 * order. Sequences only name their parts. */
static void put_types(qeff_json_scan *scan, qeff_json_token first, qeff_buffer *out)
{
    const size_t outside = scan->depth - 1;
    bool is_type = false;
    for (qeff_json_token t = first; scan->depth > outside; t = qeff_json_scan_next(scan)) {
        if (t == QEFF_JSON_TOKEN_STR && is_type && !qeff_str_is(scan->content, "Sequence") &&
            !scan->has_escapes)
            qeff_inspect_str(out, NULL, scan->content);
        is_type = t == QEFF_JSON_TOKEN_KEY && qeff_str_is(scan->content, "type");
        if (scan->status || t == QEFF_JSON_TOKEN_END) return;
    }
}

static const char *const steps[] = {"normalizer", "pre_tokenizer", "post_processor", "decoder"};

static const char *find_step(qeff_str key)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (qeff_str_is(key, steps[i])) return steps[i];
    return NULL;
}

/* "type" of the model; the vocabulary is passed over. */
static void put_model(qeff_json_scan *scan, qeff_buffer *out)
{
    while (qeff_json_scan_next(scan) == QEFF_JSON_TOKEN_KEY) {
        const bool is_type = qeff_str_is(scan->content, "type");
        const qeff_json_token value = qeff_json_scan_next(scan);
        if (is_type && value == QEFF_JSON_TOKEN_STR && !scan->has_escapes)
            qeff_inspect_str(out, "model", scan->content);
        qeff_json_scan_skip(scan, value);
    }
}

static qeff_status put_steps(qeff_str json, qeff_buffer *out, qeff_error *err)
{
    const qeff_json_limits limits = {.max_bytes = SCAN_BYTES_MAX, .max_values = SCAN_VALUES_MAX};
    qeff_json_scan scan;
    qeff_json_scan_init(&scan, json, &limits, err);
    if (qeff_json_scan_next(&scan) != QEFF_JSON_TOKEN_OBJECT) return scan.status;
    while (qeff_json_scan_next(&scan) == QEFF_JSON_TOKEN_KEY) {
        const char *step = find_step(scan.content);
        const bool is_model = qeff_str_is(scan.content, "model");
        const qeff_json_token value = qeff_json_scan_next(&scan);
        if (is_model && value == QEFF_JSON_TOKEN_OBJECT) {
            put_model(&scan, out);
        } else if (step && value == QEFF_JSON_TOKEN_OBJECT) {
            qeff_inspect_begin(out, step, '[');
            put_types(&scan, value, out);
            qeff_inspect_end(out, ']');
        } else {
            qeff_json_scan_skip(&scan, value);
        }
    }
    return scan.status;
}

static void put_special(const qeff_tokenizer *tokenizer, qeff_buffer *out)
{
    static const char *const roles[QEFF_TOKEN_ROLES] = {"unk_token", "cls_token", "sep_token",
                                                        "pad_token", "mask_token"};
    qeff_inspect_begin(out, "special_tokens", '{');
    for (int role = 0; role < QEFF_TOKEN_ROLES; role++) {
        const int32_t id = qeff_tokenizer_special(tokenizer, (qeff_special_token)role);
        if (id < 0) continue;
        qeff_inspect_begin(out, roles[role], '{');
        qeff_inspect_str(out, "token", qeff_tokenizer_token(tokenizer, id));
        qeff_inspect_int(out, "id", id);
        qeff_inspect_end(out, '}');
    }
    qeff_inspect_end(out, '}');
}

qeff_status qeff_inspect_tokenizer(const char *path, qeff_buffer *out, qeff_error *err)
{
    qeff_tokenizer *tokenizer = NULL;
    QEFF_TRY(qeff_tokenizer_open(path, NULL, &tokenizer, err));
    qeff_inspect_str(out, "kind", QEFF_STR("tokenizer"));
    qeff_inspect_str(out, "path", qeff_str_of(path));
    qeff_inspect_int(out, "vocab_size", (int64_t)qeff_tokenizer_vocab_size(tokenizer));
    qeff_inspect_int(out, "id_limit", (int64_t)qeff_tokenizer_id_limit(tokenizer));
    if (qeff_tokenizer_max_length(tokenizer))
        qeff_inspect_int(out, "max_length", (int64_t)qeff_tokenizer_max_length(tokenizer));
    qeff_status status = put_steps(qeff_tokenizer_json(tokenizer), out, err);
    if (status) (void)qeff_within(err, status, "'%s'", path);
    put_special(tokenizer, out);
    qeff_tokenizer_destroy(tokenizer);
    return status;
}
