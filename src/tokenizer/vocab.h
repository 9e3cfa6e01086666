/* vocab.h - tokens to ids and back. */
#ifndef TOKENIZER_VOCAB_H
#define TOKENIZER_VOCAB_H

#include "tokenizer/trie.h"

enum { QEFF_VOCAB_SIZE_MAX = 4000000 };

/** Where the text of an id is. */
typedef struct qeff_vocab_place {
    uint32_t at;
    uint32_t size_1; /**< bytes, + 1; 0: no token has this id */
} qeff_vocab_place;

/** Zero-initialise. What is read lies in `keys` and `own_places`, or in a mapped image. */
typedef struct qeff_vocab {
    qeff_trie trie;
    size_t n;         /**< tokens */
    const char *text; /**< [text_bytes] of all tokens */
    size_t text_bytes;
    const qeff_vocab_place *places; /**< [id_limit] */
    size_t id_limit;
    qeff_trie_keys keys;
    qeff_vocab_place *own_places;
} qeff_vocab;

/** Adds a token.
 * @return QEFF_ERR_FORMAT (too many, too long), QEFF_ERR_NO_MEMORY */
qeff_status qeff_vocab_add(qeff_vocab *vocab, qeff_str text, int32_t id, qeff_error *err);

/** Makes the vocabulary ready for look-ups, once. Where a text was added more than once its last id
 * counts.
 * @param repeated  set to such a text, valid while the vocabulary is; `{NULL, 0}`: there is none
 * @return QEFF_ERR_FORMAT (two tokens share an id; too large), QEFF_ERR_NO_MEMORY */
qeff_status qeff_vocab_finish(qeff_vocab *vocab, qeff_str *repeated, qeff_error *err);

/** Whether each number of a mapped vocabulary may be used, and each id that a text may get has a
 * token. */
bool qeff_vocab_is_sound(const qeff_vocab *vocab);

/** Id of a text; -1 where there is none. */
static inline int32_t qeff_vocab_find(const qeff_vocab *vocab, qeff_str text)
{
    return qeff_trie_find(&vocab->trie, text);
}

/** Text of an id; `{NULL, 0}` where there is none. */
qeff_str qeff_vocab_text(const qeff_vocab *vocab, int32_t id);

void qeff_vocab_deinit(qeff_vocab *vocab);

#endif /* TOKENIZER_VOCAB_H */
