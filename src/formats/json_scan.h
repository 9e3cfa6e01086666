/* json_scan.h - a JSON text token by token, checked against the grammar (RFC 8259), UTF-8 and the
 * limits, without a single allocation. json.c runs it before the document is built; readers that
 * must not build one (a safetensors header may have 100 MB) pull tokens from it.
 *
 *   qeff_json_scan s;
 *   qeff_json_scan_init(&s, text, NULL, err);
 *   while (qeff_json_scan_next(&s) == QEFF_JSON_TOKEN_KEY) ...
 *   return s.status; // sticky, and already described in err */
#ifndef FORMATS_JSON_SCAN_H
#define FORMATS_JSON_SCAN_H

#include "formats/json.h"

enum {
    QEFF_JSON_DEPTH_LIMIT = 1024, /* no limit may be set higher; jansson stops at 2048 */
    QEFF_JSON_STR_BYTES_MAX = 16 << 20,
    QEFF_JSON_NUMBER_BYTES_MAX = 64,
};

typedef enum qeff_json_token {
    QEFF_JSON_TOKEN_END, /**< of the text, or after a fault: look at `status` */
    QEFF_JSON_TOKEN_OBJECT,
    QEFF_JSON_TOKEN_OBJECT_END,
    QEFF_JSON_TOKEN_ARRAY,
    QEFF_JSON_TOKEN_ARRAY_END,
    QEFF_JSON_TOKEN_KEY, /**< its colon has been read too */
    QEFF_JSON_TOKEN_STR,
    QEFF_JSON_TOKEN_NUMBER,
    QEFF_JSON_TOKEN_TRUE,
    QEFF_JSON_TOKEN_FALSE,
    QEFF_JSON_TOKEN_NULL
} qeff_json_token;

typedef struct qeff_json_scan {
    qeff_str text;
    qeff_json_limits limits; /**< with the defaults filled in */
    qeff_error *err;         /**< nullable; written at the first fault */
    qeff_status status;

    size_t at;        /**< first byte that was not read yet */
    size_t start;     /**< of the current token in `text` */
    qeff_str content; /**< key and string: between the quotes, still escaped; number: all of it */
    bool has_escapes; /**< the content holds backslashes */
    bool is_integer;  /**< the number has neither fraction nor exponent */

    size_t n_values; /**< so far, counted as qeff_json_limits.max_values says */
    size_t depth;
    int expects;
    uint64_t is_object[QEFF_JSON_DEPTH_LIMIT / 64]; /**< one bit a level */
} qeff_json_scan;

/** The text must outlive the scan; `limits` and `err` may be NULL. */
void qeff_json_scan_init(qeff_json_scan *scan, qeff_str text, const qeff_json_limits *limits,
                         qeff_error *err);

/** Reads one token. Any root value is fine here, and exactly one. */
qeff_json_token qeff_json_scan_next(qeff_json_scan *scan);

/** Reads on to the end of the value that began with `first`, which was just returned. */
void qeff_json_scan_skip(qeff_json_scan *scan, qeff_json_token first);

/** Fails at the current token, with line and column, and ends the scan. */
qeff_status qeff_json_scan_fail(qeff_json_scan *scan, const char *format, ...) QEFF_PRINTF(2, 3);

/** Writes the current key or string, unescaped, to `out`, and returns how many bytes it takes. NULL
 * only counts. */
size_t qeff_json_scan_unescape(const qeff_json_scan *scan, char *out);

/** The current number as a count; false where it is negative, has a fraction or exponent, or does
 * not fit. */
bool qeff_json_scan_to_u64(const qeff_json_scan *scan, uint64_t *out);

#endif /* FORMATS_JSON_SCAN_H */
