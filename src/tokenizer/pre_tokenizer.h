/* pre_tokenizer.h - step 4 of encoding: canonical text to words, as byte ranges of it.
 *
 * A new pre-tokenizer is a split function, a reader and a line in the table of pre_tokenizer.c.
 * Sequences are flattened when they are read: each step splits the ranges of the one before. */
#ifndef TOKENIZER_PRE_TOKENIZER_H
#define TOKENIZER_PRE_TOKENIZER_H

#include "base/alloc.h"
#include "formats/json.h"

/** Bytes [begin, end) of a text; never empty. */
typedef struct qeff_range {
    uint32_t begin;
    uint32_t end;
} qeff_range;

/** Zero-initialise; `failed` is sticky until qeff_ranges_clear(). */
typedef struct qeff_ranges {
    qeff_range *items;
    size_t n, capacity;
    bool failed;
} qeff_ranges;

void qeff_ranges_clear(qeff_ranges *ranges);
void qeff_ranges_append(qeff_ranges *ranges, size_t begin, size_t end); /**< empty: nothing */
void qeff_ranges_deinit(qeff_ranges *ranges);

/** What happens to a character that splits. */
typedef enum qeff_split_behavior {
    QEFF_SPLIT_REMOVED,
    QEFF_SPLIT_ISOLATED,
    QEFF_SPLIT_MERGED_WITH_PREVIOUS,
    QEFF_SPLIT_MERGED_WITH_NEXT,
    QEFF_SPLIT_CONTIGUOUS
} qeff_split_behavior;

typedef struct qeff_pre_tokenizer_step qeff_pre_tokenizer_step;

/** Appends the parts of `piece`, a range of `text`, to `out`. */
typedef void (*qeff_pre_tokenizer_split)(const qeff_pre_tokenizer_step *step, const char *text,
                                         qeff_range piece, qeff_ranges *out);

struct qeff_pre_tokenizer_step {
    qeff_pre_tokenizer_split split;
    uint8_t flags;      /**< QEFF_UNICODE_… of the characters that split */
    uint32_t character; /**< CharDelimiterSplit */
    qeff_split_behavior behavior;
};

/** Steps in order; none: each piece is one word. Lives in the tokenizer's arena. */
typedef struct qeff_pre_tokenizer {
    qeff_pre_tokenizer_step *steps;
    size_t n;
} qeff_pre_tokenizer;

/** Reads the "pre_tokenizer" of a tokenizer.json; null and missing give no steps.
 * @return QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED (names the type), QEFF_ERR_NO_MEMORY */
qeff_status qeff_pre_tokenizer_read(qeff_json json, qeff_arena *arena, qeff_pre_tokenizer *out,
                                    qeff_error *err);

/** Splits [begin, end) of `text`; the words are in `*result`, one of the two. */
void qeff_pre_tokenizer_run(const qeff_pre_tokenizer *pre_tokenizer, const char *text,
                            qeff_range piece, qeff_ranges ranges[2], qeff_ranges **result);

/** BertPreTokenizer: splits at white space, which goes, and at punctuation, which stays as words of
 * one character. */
void qeff_pre_tokenizer_split_bert(const qeff_pre_tokenizer_step *step, const char *text,
                                   qeff_range piece, qeff_ranges *out);

#endif /* TOKENIZER_PRE_TOKENIZER_H */
