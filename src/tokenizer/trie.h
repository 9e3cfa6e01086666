/* trie.h - texts to values: a double-array trie, walked byte by byte, so that one walk from the
 * start of a word meets every text that the word starts with.
 *
 * Reference: Aoe, An Efficient Digital Search Algorithm by Using a Double-Array Structure (1989).
 */
#ifndef TOKENIZER_TRIE_H
#define TOKENIZER_TRIE_H

#include "base/buffer.h"

/** A place in the array, and the node that lies there: its children lie at base + byte. No two
 * nodes share a base, so a place and the byte that leads to it tell the parent. A free place is
 * zero: it looks like a child, by the byte 0, that ends nothing and leads nowhere, which is as good
 * as no child. Base 0 is that of nodes without children; no place answers to it. */
typedef struct qeff_trie_unit {
    uint32_t edge; /**< base << 8 | the byte that leads here; for the root, at 0, the byte 255 */
    uint32_t end;  /**< value of the text that ends here, + 1; 0: none does */
} qeff_trie_unit;

enum {
    QEFF_TOKEN_BYTES_MAX = 65536,
    QEFF_TRIE_UNITS_MAX = 1 << 23,
    QEFF_TRIE_ROOT = 0,
    QEFF_TRIE_NOWHERE = 1 /**< a node that ends nothing and has no children */
};

/** Zero-initialise: qeff_trie_find() finds nothing then. */
typedef struct qeff_trie {
    const qeff_trie_unit *units; /**< in `own`, or in a mapped image */
    size_t n;
    qeff_trie_unit *own;
} qeff_trie;

/** A text to be put in: bytes [at, at + size) of all of them. */
typedef struct qeff_trie_key {
    uint32_t at, size;
    uint32_t value;
} qeff_trie_key;

/** What a trie is made of. Zero-initialise. */
typedef struct qeff_trie_keys {
    qeff_buffer text;
    qeff_trie_key *items;
    size_t n, capacity;
} qeff_trie_keys;

/** Adds a text, which may hold any bytes. `value` is below INT32_MAX.
 * @return QEFF_ERR_FORMAT (too long, or 4 GiB of texts), QEFF_ERR_NO_MEMORY */
qeff_status
qeff_trie_keys_add(qeff_trie_keys *keys, qeff_str text, uint32_t value, qeff_error *err);
void qeff_trie_keys_deinit(qeff_trie_keys *keys);

/** Builds the trie, and brings the keys into another order. The same keys give the same bytes. Of
 * equal texts the last one added counts.
 * @param n_texts   set to how many different texts there are
 * @param repeated  set to one of the keys whose text is there more than once; NULL: none is
 * @return QEFF_ERR_FORMAT (too many units), QEFF_ERR_NO_MEMORY */
qeff_status qeff_trie_build(qeff_trie_keys *keys, qeff_trie *out, size_t *n_texts,
                            const qeff_trie_key **repeated, qeff_error *err);

/** Whether no walk can leave the array, and each value is below `limit`. */
bool qeff_trie_is_sound(const qeff_trie *trie, size_t limit);

/** The node that `text` leads to. */
uint32_t qeff_trie_walk(const qeff_trie *trie, qeff_str text);

/** The value of a text; -1: none. */
int32_t qeff_trie_find(const qeff_trie *trie, qeff_str text);

/** Bytes of the longest text that ends behind `node`, of those that `text` starts with from there;
 * 0: none. `value` is set to its value. */
static inline size_t
qeff_trie_longest(const qeff_trie *trie, uint32_t node, qeff_str text, int32_t *value)
{
    size_t size = 0;
    uint32_t end = 0, edge = trie->units[node].edge;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t byte = (uint8_t)text.data[i];
        const qeff_trie_unit *unit = &trie->units[(edge >> 8) + byte];
        edge = unit->edge;
        if ((uint8_t)edge != byte) break;
        if (!unit->end) continue;
        end = unit->end;
        size = i + 1;
    }
    *value = (int32_t)end - 1;
    return size;
}

void qeff_trie_deinit(qeff_trie *trie);

#endif /* TOKENIZER_TRIE_H */
