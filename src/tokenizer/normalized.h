/* normalized.h - text on its way through the normalizers: UTF-8, and for each byte the characters
 * of the original text that it came from. */
#ifndef TOKENIZER_NORMALIZED_H
#define TOKENIZER_NORMALIZED_H

#include <qeff/tokenizer.h>

/** Text that grows at its end. Zero-initialise; reuse by qeff_normalized_clear(). Errors are
 * sticky: append freely, check `failed` once. */
typedef struct qeff_normalized {
    char *data;
    qeff_span *spans; /**< [size], the same for all bytes of a character; used while `aligned` */
    size_t size;
    size_t capacity;
    size_t span_capacity;
    bool aligned; /**< offsets are wanted */
    bool failed;  /**< an allocation failed */
} qeff_normalized;

void qeff_normalized_clear(qeff_normalized *text, bool aligned);
void qeff_normalized_deinit(qeff_normalized *text);

/** Makes room for `size` more bytes; false, and `failed`, where there is none. */
bool qeff_normalized_reserve(qeff_normalized *text, size_t size);

/** Appends a character. */
void qeff_normalized_append(qeff_normalized *text, uint32_t c, qeff_span span);

/** Borrowed text to read from: valid UTF-8. */
typedef struct qeff_view {
    const char *data;
    size_t size;
    const qeff_span *spans; /**< NULL: the original itself, one span a character */
    int32_t first;          /**< index of the first character in the original */
} qeff_view;

qeff_view qeff_normalized_view(const qeff_normalized *text);

/** Walks a view, character by character. Start with `{.view = view, .next = view.first}`. */
typedef struct qeff_reader {
    qeff_view view;
    size_t at;      /**< byte that comes next */
    int32_t next;   /**< index of the next character, where the view has no spans */
    qeff_span span; /**< of the last character read; {first, first} before it */
} qeff_reader;

qeff_reader qeff_reader_of(qeff_view view);

/** Reads a character; false at the end. */
bool qeff_reader_next(qeff_reader *reader, uint32_t *c);

/** The reference's rule for what a normalizer's output is aligned with. A step describes each
 * character it writes by `change`:
 *    1   a new character: it takes the span of the character consumed last
 *    0   it replaces the next character of the input, and takes its span
 *   -n   as 0, and the n characters after it are dropped */
typedef struct qeff_transform {
    qeff_reader reader;
    qeff_normalized *out;
} qeff_transform;

void qeff_transform_skip(qeff_transform *transform, size_t n);
void qeff_transform_append(qeff_transform *transform, uint32_t c, int32_t change);

#endif /* TOKENIZER_NORMALIZED_H */
