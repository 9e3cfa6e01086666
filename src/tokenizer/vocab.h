/* vocab.h - token text to id and back: a hash table whose hash can be grown byte by byte, so that
 * all prefixes of a word are hashed in one walk. */
#ifndef TOKENIZER_VOCAB_H
#define TOKENIZER_VOCAB_H

#include "base/buffer.h"

enum { QEFF_VOCAB_SIZE_MAX = 4000000, QEFF_TOKEN_BYTES_MAX = 65536 };

typedef struct qeff_vocab_entry {
    uint32_t at; /**< of its text in the vocabulary's */
    uint32_t size;
    int32_t id;
} qeff_vocab_entry;

typedef struct qeff_vocab_slot {
    uint32_t tag;   /**< high half of the hash */
    uint32_t entry; /**< index + 1; 0: free */
} qeff_vocab_slot;

/** What a table that grows is made in. */
typedef struct qeff_vocab_memory {
    qeff_buffer text;
    qeff_vocab_entry *entries;
    size_t capacity;
    qeff_vocab_slot *slots;
    uint32_t *by_id;
} qeff_vocab_memory;

/** Zero-initialise, then set the seed. What is read lies in `own`, or in a mapped image. */
typedef struct qeff_vocab {
    uint64_t seed; /**< odd; from the digest of the file, so that no file can choose collisions */
    const char *text; /**< [text_bytes] the tokens one behind the other */
    size_t text_bytes;
    const qeff_vocab_entry *entries;
    size_t n;
    const qeff_vocab_slot *slots;
    size_t n_slots;        /**< a power of two; at least 2 n */
    const uint32_t *by_id; /**< [id_limit] entry index + 1, or 0; after qeff_vocab_finish() */
    size_t id_limit;
    size_t max_bytes; /**< of the longest token */
    qeff_vocab_memory own;
} qeff_vocab;

__extension__ typedef unsigned __int128 qeff_u128;

/** Hash of no bytes. */
static inline uint64_t qeff_vocab_hash_start(const qeff_vocab *vocab)
{
    return vocab->seed;
}

/** Hash of what `hash` stands for, followed by `byte`. */
static inline uint64_t qeff_vocab_hash_byte(const qeff_vocab *vocab, uint64_t hash, char byte)
{
    const qeff_u128 product =
        (qeff_u128)(hash + 0x9e3779b97f4a7c15u + (unsigned char)byte) * vocab->seed;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t qeff_vocab_hash(const qeff_vocab *vocab, uint64_t start, qeff_str text);

/** Makes room for about `n` tokens, at most 131,072, before the first one.
 * @return QEFF_ERR_NO_MEMORY */
qeff_status qeff_vocab_reserve(qeff_vocab *vocab, size_t n, qeff_error *err);

/** Adds a token.
 * @param is_new  false: there is one with this text, nothing was added
 * @return QEFF_ERR_FORMAT (too many, too long), QEFF_ERR_NO_MEMORY */
qeff_status
qeff_vocab_add(qeff_vocab *vocab, qeff_str text, int32_t id, bool *is_new, qeff_error *err);

/** Builds the way back from ids. QEFF_ERR_FORMAT where two tokens share one. */
qeff_status qeff_vocab_finish(qeff_vocab *vocab, qeff_error *err);

/** The entry whose text is `prefix` followed by `text`, given the hash of both; NULL: none. */
const qeff_vocab_entry *
qeff_vocab_find_hashed(const qeff_vocab *vocab, uint64_t hash, qeff_str prefix, qeff_str text);

/** Text of an entry. */
static inline qeff_str qeff_vocab_entry_text(const qeff_vocab *vocab, const qeff_vocab_entry *entry)
{
    return (qeff_str){vocab->text + entry->at, entry->size};
}

/** Changes the id of an entry, before qeff_vocab_finish(). */
void qeff_vocab_set_id(qeff_vocab *vocab, const qeff_vocab_entry *entry, int32_t id);

/** Id of a text; -1 where there is none. */
int32_t qeff_vocab_find(const qeff_vocab *vocab, qeff_str text);

/** Text of an id; `{NULL, 0}` where there is none. */
qeff_str qeff_vocab_text(const qeff_vocab *vocab, int32_t id);

void qeff_vocab_deinit(qeff_vocab *vocab);

#endif /* TOKENIZER_VOCAB_H */
