/* added_tokens.h - tokens that are found in the text before any model sees it: steps 1 and 3 of
 * encoding. */
#ifndef TOKENIZER_ADDED_TOKENS_H
#define TOKENIZER_ADDED_TOKENS_H

#include "tokenizer/matcher.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/vocab.h"

enum { QEFF_ADDED_TOKENS_MAX = 100000 };

typedef struct qeff_added_token {
    qeff_str content; /**< as the file has it; in the arena */
    qeff_str text;    /**< what is searched for, and what its id turns back into: the content,
                           or its normalized form */
    int32_t id;
    bool single_word;    /**< not inside or beside a word */
    bool lstrip, rstrip; /**< takes the white space before, behind */
    bool normalized;     /**< searched for in normalized text */
    bool special;
    bool is_skipped; /**< decoding may leave it out */
} qeff_added_token;

/** One pass: which tokens it looks for. */
typedef struct qeff_added_pass {
    qeff_matcher matcher;
    uint32_t *tokens; /**< pattern number -> index in `items`; in the arena */
} qeff_added_pass;

/** Zero-initialise. */
typedef struct qeff_added_tokens {
    qeff_added_token *items;
    size_t n, capacity;
    qeff_trie trie;  /**< content -> item */
    uint32_t *by_id; /**< [id_limit] item + 1, or 0; in the arena */
    size_t id_limit;
    qeff_added_pass passes[2]; /**< [0] in the original text, [1] in normalized text */
} qeff_added_tokens;

/** Reads "added_tokens" of a tokenizer.json. Ids follow the reference: that of the model where it
 * has the content, else the next free one in file order; the file's own "id" is only checked.
 * @return QEFF_ERR_FORMAT, QEFF_ERR_NO_MEMORY */
qeff_status qeff_added_tokens_read(qeff_json json, uint64_t seed, const qeff_vocab *model,
                                   const qeff_normalizer *normalizer, qeff_arena *arena,
                                   qeff_added_tokens *out, qeff_error *err);

/** Id of the token with this content; -1: none. */
int32_t qeff_added_tokens_id(const qeff_added_tokens *tokens, qeff_str content);

/** The token with this id; NULL: none. */
const qeff_added_token *qeff_added_tokens_find(const qeff_added_tokens *tokens, int32_t id);

/** A part of a text: bytes [begin, end), and the token that it is; NULL: text for what follows.
 * Parts are in order; a token that strips may reach over the next one's start. */
typedef struct qeff_text_part {
    size_t begin, end;
    const qeff_added_token *token;
} qeff_text_part;

/** Cuts a text into parts. Zero-initialise but for the first four, whose hits come from
 * qeff_matcher_scan(). */
typedef struct qeff_cutter {
    const qeff_added_tokens *tokens;
    const qeff_added_pass *pass;
    qeff_str text;
    const qeff_hits *hits;
    size_t n_used;          /**< hits looked at, from the last one on */
    size_t matched;         /**< end of the last match, accepted or not */
    size_t done;            /**< end of the last part */
    size_t space_end;       /**< end of a run of white space that was measured already */
    qeff_text_part pending; /**< token part that follows a text part */
    bool has_pending;
} qeff_cutter;

/** The next part that is not empty; false at the end. */
bool qeff_cutter_next(qeff_cutter *cutter, qeff_text_part *part);

void qeff_added_tokens_deinit(qeff_added_tokens *tokens);

#endif /* TOKENIZER_ADDED_TOKENS_H */
