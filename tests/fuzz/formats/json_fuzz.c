/* json_fuzz.c - fuzz target of JSON: any bytes give a document or one line of text; the scan and
 * jansson agree; every value of a document can be read. */
#include "base/span.h"
#include "base/utf8.h"
#include "file_of_bytes.h"
#include "formats/json.h"
#include "formats/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_tokens(qeff_str text, qeff_status *status)
{
    qeff_json_scan scan;
    size_t n = 0;
    char *out = malloc(text.size + 1);
    qeff_json_scan_init(&scan, text, NULL, NULL);
    for (qeff_json_token t = qeff_json_scan_next(&scan); t != QEFF_JSON_TOKEN_END;
         t = qeff_json_scan_next(&scan)) {
        n++;
        if (out && (t == QEFF_JSON_TOKEN_KEY || t == QEFF_JSON_TOKEN_STR)) {
            const size_t used = qeff_json_scan_unescape(&scan, out);
            fuzz_check(used <= scan.content.size && qeff_utf8_is_valid((qeff_str){out, used}));
        }
    }
    free(out);
    *status = scan.status;
    return n;
}

static size_t visit(qeff_json value)
{
    size_t n = 1;
    qeff_str text = {NULL, 0}, key;
    qeff_json member;
    int64_t number = 0;
    double real = 0;
    void *iterator = NULL;
    if (qeff_json_to_str(value, &text, NULL) == QEFF_OK) fuzz_check(qeff_utf8_is_valid(text));
    (void)qeff_json_to_int(value, INT64_MIN, INT64_MAX, &number, NULL);
    (void)qeff_json_to_real(value, &real, NULL);
    if (qeff_json_kind_of(value) == QEFF_JSON_ARRAY)
        for (size_t i = 0; i < qeff_json_count(value); i++)
            n += visit(qeff_json_at(value, i)); /* as deep as the limit, 128 */
    while (qeff_json_next(value, &iterator, &key, &member)) {
        fuzz_check(qeff_json_find(value, key.data).node == member.node);
        n += visit(member);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qeff_error err = {0};
    qeff_json_document *document = NULL;
    qeff_status scanned = QEFF_OK;
    const qeff_str text = {(const char *)data, size};
    const size_t n_tokens = count_tokens(text, &scanned);
    const qeff_status status = qeff_json_parse(text, NULL, &document, &err);
    if (status) {
        fuzz_check(status == QEFF_ERR_FORMAT && !document && err.message[0]);
        fuzz_check(!strchr(err.message, '\n') && qeff_utf8_is_valid(qeff_str_of(err.message)));
    } else {
        fuzz_check(scanned == QEFF_OK && visit(qeff_json_root(document)) <= n_tokens);
    }
    qeff_json_close(document);
    return 0;
}
