/* json.h - JSON from untrusted files: parsed by jansson, behind limits on size, depth, number of
 * values and length of numbers that are checked before jansson sees the text. Duplicate keys are
 * refused. Values borrow from their document. */
#ifndef FORMATS_JSON_H
#define FORMATS_JSON_H

#include <qeff/base.h>

/** Zero means the default. */
typedef struct qeff_json_limits {
    size_t max_bytes;  /**< 64 MiB */
    size_t max_depth;  /**< 128; at most 1,024 */
    size_t max_values; /**< 500,000. Bounds the memory of the document, so each value and each key
                          counts 1, an array or object 2: about 120 bytes of memory a count, next to
                          the strings */
} qeff_json_limits;

typedef struct qeff_json_document qeff_json_document;

/** One value inside a document, or "missing" (`node` NULL). Copy it freely. */
typedef struct qeff_json {
    const void *node;
    const char *key; /**< name of the member it was read from, for messages; NULL: an element */
    size_t index;    /**< index of the element it was read from; SIZE_MAX: the root */
} qeff_json;

typedef enum qeff_json_kind {
    QEFF_JSON_MISSING, /**< no such key */
    QEFF_JSON_NULL,
    QEFF_JSON_BOOL,
    QEFF_JSON_INT, /**< fits int64 */
    QEFF_JSON_REAL,
    QEFF_JSON_STR,
    QEFF_JSON_ARRAY,
    QEFF_JSON_OBJECT
} qeff_json_kind;

/** Parses a text; `limits` may be NULL. Messages name line and column, not the file.
 * @return QEFF_ERR_FORMAT, QEFF_ERR_NO_MEMORY */
qeff_status qeff_json_parse(qeff_str text, const qeff_json_limits *limits, qeff_json_document **out,
                            qeff_error *err);
/** Reads and parses a file; messages start with its path. */
qeff_status qeff_json_open(const char *path, const qeff_json_limits *limits,
                           qeff_json_document **out, qeff_error *err);
/** NULL is allowed. */
void qeff_json_close(qeff_json_document *document);

qeff_json qeff_json_root(const qeff_json_document *document);
qeff_json_kind qeff_json_kind_of(qeff_json value);

/** Member of an object; missing where `value` is no object or has no such key. */
qeff_json qeff_json_find(qeff_json value, const char *key);
/** Members of an object or elements of an array; 0 for anything else. */
size_t qeff_json_count(qeff_json value);
/** Element of an array; missing where out of range. */
qeff_json qeff_json_at(qeff_json value, size_t index);

/** Walks an object in the order of the file. Start with `*iterator` NULL; false at the end.
 * `*key` borrows from the document. */
bool qeff_json_next(qeff_json object, void **iterator, qeff_str *key, qeff_json *value);

/** Typed reads. Each fails with QEFF_ERR_FORMAT and a message such as
 * `key 'hidden_size': expected an integer, found a string`; `*out` is untouched then. */
qeff_status qeff_json_to_str(qeff_json value, qeff_str *out, qeff_error *err);
qeff_status
qeff_json_to_int(qeff_json value, int64_t min, int64_t max, int64_t *out, qeff_error *err);
qeff_status qeff_json_to_real(qeff_json value, double *out, qeff_error *err); /**< int or real */
qeff_status qeff_json_to_bool(qeff_json value, bool *out, qeff_error *err);
/** Fails unless the value has that kind. */
qeff_status qeff_json_expect(qeff_json value, qeff_json_kind kind, qeff_error *err);

/** The same for members that may be absent or null: `*out` then keeps what it had. */
qeff_status
qeff_json_optional_str(qeff_json object, const char *key, qeff_str *out, qeff_error *err);
qeff_status qeff_json_optional_int(qeff_json object, const char *key, int64_t min, int64_t max,
                                   int64_t *out, qeff_error *err);
qeff_status qeff_json_optional_bool(qeff_json object, const char *key, bool *out, qeff_error *err);

#endif /* FORMATS_JSON_H */
