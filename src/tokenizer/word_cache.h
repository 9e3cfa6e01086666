/* word_cache.h - the tokens of words seen lately: bounded, one for each encoding record, so that
 * threads share nothing. */
#ifndef TOKENIZER_WORD_CACHE_H
#define TOKENIZER_WORD_CACHE_H

#include "tokenizer/model.h"

enum {
    QEFF_WORD_BYTES = 32, /**< longest word that is kept */
    QEFF_WORD_PIECES = 5, /**< most tokens of a word that is kept */
    QEFF_WORD_CACHE_BITS = 13
};

/** A word's bytes, filled up with zero; words that hold a zero byte are never kept. */
typedef struct qeff_word_key {
    uint64_t part[QEFF_WORD_BYTES / 8];
} qeff_word_key;

/** A cache line. */
typedef struct qeff_word_entry {
    qeff_word_key key;
    int32_t ids[QEFF_WORD_PIECES];
    uint8_t ends[QEFF_WORD_PIECES]; /**< byte of the word behind each token */
    uint8_t n;                      /**< 0: free */
} qeff_word_entry;

/** Direct-mapped: a word has one place, and the later word takes it. */
typedef struct qeff_word_cache {
    /** What tells the tokenizer that the entries are from: its digest, and the limit of its ids,
     * which holds even where a file lies about the digest. */
    uint64_t owner[3];
    qeff_word_entry entries[1 << QEFF_WORD_CACHE_BITS];
} qeff_word_cache;

static inline size_t qeff_word_cache_slot(const qeff_word_key *key)
{
    uint64_t h = key->part[0] * 0x9e3779b97f4a7c15u;
    h ^= (key->part[1] + (h >> 32)) * 0xc2b2ae3d27d4eb4fu;
    if (key->part[2]) {
        h ^= (key->part[2] + (h >> 32)) * 0x165667b19e3779f9u;
        h ^= (key->part[3] + (h >> 32)) * 0x9e3779b97f4a7c15u;
    }
    return (size_t)(h * 0xff51afd7ed558ccdu >> (64 - QEFF_WORD_CACHE_BITS));
}

static inline bool qeff_word_entry_is(const qeff_word_entry *e, const qeff_word_key *key)
{
    return ((e->key.part[0] ^ key->part[0]) | (e->key.part[1] ^ key->part[1]) |
            (e->key.part[2] ^ key->part[2]) | (e->key.part[3] ^ key->part[3])) == 0;
}

#endif /* TOKENIZER_WORD_CACHE_H */
