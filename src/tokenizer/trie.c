/* trie.c - building a double-array trie.
 *
 * Keys are grouped by the byte at a depth, level by level: a group is a node, and a group of the
 * same texts up to their ends is a text. The children of a node take the first base that puts all
 * of them on free places, for 64 bases at a time by bits: base b is free for the children c1, c2, …
 * where no node has it, and places b + c1, b + c2, … are free.
 *
 * The search goes on where the last node with as many children found its base, so that it passes
 * over the array once for each number of children, and time is linear in the bytes of the texts.
 * Nodes of one child fill what the others leave. */
#include "tokenizer/trie.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

enum { BYTES = 256, CHILDREN_APART = 16, SMALL_GROUP = 24 };

/* Of 64 places, and of the 64 bases with the same numbers, which are taken. */
typedef struct block {
    uint64_t places, bases;
} block;

/* Keys [begin, end), whose first `depth` bytes lead to `unit`. */
typedef struct group {
    uint32_t begin, end, depth, unit;
} group;

typedef struct builder {
    const uint8_t *text;
    qeff_trie_key *keys, *spare;
    qeff_trie_unit *units;
    block *blocks;                   /* two more than the units take */
    size_t n, capacity;              /* of units: behind each base there is a byte's worth */
    size_t from[CHILDREN_APART + 1]; /* block of the last base, by number of children */
    group *groups;
    size_t n_groups, groups_capacity;
    size_t n_texts;
    const qeff_trie_key *repeated;
} builder;

static qeff_status no_memory(qeff_error *err)
{
    return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

qeff_status qeff_trie_keys_add(qeff_trie_keys *keys, qeff_str text, uint32_t value, qeff_error *err)
{
    if (text.size > QEFF_TOKEN_BYTES_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "token of %zu bytes, expected at most %d", text.size,
                         QEFF_TOKEN_BYTES_MAX);
    qeff_trie_key *moved = qeff_grow(keys->items, keys->n, &keys->capacity, sizeof *keys->items);
    if (!moved) return no_memory(err);
    keys->items = moved;
    const size_t at = keys->text.size;
    if (text.size > UINT32_MAX - at || keys->n == UINT32_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "texts of more than 4 GiB");
    qeff_buffer_append_str(&keys->text, text);
    QEFF_TRY(qeff_buffer_status(&keys->text, err));
    keys->items[keys->n++] = (qeff_trie_key){(uint32_t)at, (uint32_t)text.size, value};
    return QEFF_OK;
}

void qeff_trie_keys_deinit(qeff_trie_keys *keys)
{
    qeff_buffer_deinit(&keys->text);
    qeff_free(keys->items);
    *keys = (qeff_trie_keys){0};
}

/* ---- groups ---- */

/* 0: the key ends at `depth`; else its byte there + 1. */
static inline unsigned rank_of(const builder *b, const qeff_trie_key *key, size_t depth)
{
    return key->size == depth ? 0 : b->text[key->at + depth] + 1u;
}

/* Sorts a group's keys by what follows, and leaves those with the same in their order. */
static void sort_group(builder *b, group g)
{
    qeff_trie_key *keys = b->keys;
    if (g.end - g.begin <= SMALL_GROUP) {
        for (size_t i = g.begin + 1; i < g.end; i++) {
            const qeff_trie_key key = keys[i];
            const unsigned rank = rank_of(b, &key, g.depth);
            size_t k = i;
            for (; k > g.begin && rank_of(b, &keys[k - 1], g.depth) > rank; k--)
                keys[k] = keys[k - 1];
            keys[k] = key;
        }
        return;
    }
    size_t begins[BYTES + 2] = {0};
    for (size_t i = g.begin; i < g.end; i++)
        begins[rank_of(b, &keys[i], g.depth) + 1]++;
    for (size_t r = 1; r < BYTES + 2; r++)
        begins[r] += begins[r - 1];
    for (size_t i = g.begin; i < g.end; i++)
        b->spare[begins[rank_of(b, &keys[i], g.depth)]++] = keys[i];
    memcpy(keys + g.begin, b->spare, (g.end - g.begin) * sizeof *keys);
}

static bool push(builder *b, group g)
{
    group *moved = qeff_grow(b->groups, b->n_groups, &b->groups_capacity, sizeof g);
    if (!moved) return false;
    b->groups = moved;
    b->groups[b->n_groups++] = g;
    return true;
}

/* ---- places ---- */

static bool reserve(builder *b, size_t n)
{
    if (n <= b->capacity) return true;
    const size_t more = b->capacity + b->capacity / 4, capacity = ((n > more ? n : more) | 63) + 1;
    qeff_trie_unit *units = qeff_realloc(b->units, capacity * sizeof *units);
    if (!units) return false;
    b->units = units;
    memset(units + b->capacity, 0, (capacity - b->capacity) * sizeof *units);
    const size_t n_blocks = b->capacity ? b->capacity / 64 + 2 : 0;
    block *blocks = qeff_realloc(b->blocks, (capacity / 64 + 2) * sizeof *blocks);
    if (!blocks) return false;
    b->blocks = blocks;
    memset(blocks + n_blocks, 0, (capacity / 64 + 2 - n_blocks) * sizeof *blocks);
    b->capacity = capacity;
    return true;
}

/* Bit i: place `at` + i is taken. */
static inline uint64_t places_at(const block *blocks, size_t at)
{
    const block *first = &blocks[at / 64];
    return first[0].places >> at % 64 | first[1].places << 1 << (63 - at % 64);
}

/* The base for children by these bytes. */
static qeff_status
find_base(builder *b, const uint8_t *bytes, size_t n, size_t *base, qeff_error *err)
{
    size_t *from = &b->from[n < CHILDREN_APART ? n : CHILDREN_APART];
    for (;; ++*from) {
        const size_t first = 64 * *from, size = first + 64 + BYTES;
        if (size > QEFF_TRIE_UNITS_MAX)
            return qeff_fail(err, QEFF_ERR_FORMAT, "tokens with more than %d different starts",
                             QEFF_TRIE_UNITS_MAX);
        if (!reserve(b, size)) return no_memory(err);
        uint64_t taken = b->blocks[*from].bases;
        for (size_t i = 0; i < n && ~taken; i++)
            taken |= places_at(b->blocks, first + bytes[i]);
        if (!~taken) continue;
        *base = first + (size_t)__builtin_ctzll(~taken);
        b->blocks[*from].bases |= ~taken & (taken + 1);
        if (*base + BYTES > b->n) b->n = *base + BYTES;
        return QEFF_OK;
    }
}

static void put_child(builder *b, size_t at, uint8_t byte)
{
    b->blocks[at / 64].places |= (uint64_t)1 << at % 64;
    b->units[at].edge = byte;
}

/* ---- nodes ---- */

/* Gives a node its value and its children their places. */
static qeff_status add_node(builder *b, group g, qeff_error *err)
{
    uint8_t bytes[BYTES];
    uint32_t begins[BYTES + 1];
    size_t n = 0, base = 0, i = g.begin;
    sort_group(b, g);
    while (i < g.end && b->keys[i].size == g.depth)
        i++;
    if (i > g.begin) {
        b->units[g.unit].end = b->keys[i - 1].value + 1;
        b->n_texts++;
        if (i - g.begin > 1) b->repeated = &b->keys[i - 1];
    }
    for (; i < g.end; i++) {
        const uint8_t byte = b->text[b->keys[i].at + g.depth];
        if (n > 0 && bytes[n - 1] == byte) continue;
        begins[n] = (uint32_t)i;
        bytes[n++] = byte;
    }
    if (n == 0) return QEFF_OK;
    begins[n] = g.end;
    QEFF_TRY(find_base(b, bytes, n, &base, err));
    b->units[g.unit].edge |= (uint32_t)base << 8;
    while (n-- > 0) {
        const size_t at = base + bytes[n];
        put_child(b, at, bytes[n]);
        if (!push(b, (group){begins[n], begins[n + 1], g.depth + 1, (uint32_t)at}))
            return no_memory(err);
    }
    return QEFF_OK;
}

static qeff_status build(builder *b, size_t n_keys, qeff_error *err)
{
    b->spare = qeff_alloc_array(n_keys, sizeof *b->spare);
    if (!b->spare || !reserve(b, 2 * n_keys + BYTES) ||
        !push(b, (group){0, (uint32_t)n_keys, 0, 0}))
        return no_memory(err);
    b->units[QEFF_TRIE_ROOT].edge = 0xff;
    b->blocks[0] = (block){.places = 1 << QEFF_TRIE_ROOT | 1 << QEFF_TRIE_NOWHERE, .bases = 1};
    while (b->n_groups > 0)
        QEFF_TRY(add_node(b, b->groups[--b->n_groups], err));
    return QEFF_OK;
}

qeff_status qeff_trie_build(qeff_trie_keys *keys, qeff_trie *out, size_t *n_texts,
                            const qeff_trie_key **repeated, qeff_error *err)
{
    builder b = {.text = keys->text.data, .keys = keys->items, .n = BYTES};
    const qeff_status status = build(&b, keys->n, err);
    qeff_free(b.spare);
    qeff_free(b.blocks);
    qeff_free(b.groups);
    if (status) {
        qeff_free(b.units);
        return status;
    }
    *out = (qeff_trie){.units = b.units, .n = b.n, .own = b.units};
    *n_texts = b.n_texts;
    *repeated = b.repeated;
    return QEFF_OK;
}

void qeff_trie_deinit(qeff_trie *trie)
{
    qeff_free(trie->own);
    *trie = (qeff_trie){0};
}

/* ---- use ---- */

bool qeff_trie_is_sound(const qeff_trie *trie, size_t limit)
{
    if (trie->n < BYTES || trie->n > QEFF_TRIE_UNITS_MAX) return false;
    uint32_t last = 0, end = 0;
    for (size_t i = 0; i < trie->n; i++) {
        if (trie->units[i].edge > last) last = trie->units[i].edge;
        if (trie->units[i].end > end) end = trie->units[i].end;
    }
    return (last >> 8) <= trie->n - BYTES && end <= limit;
}

uint32_t qeff_trie_walk(const qeff_trie *trie, qeff_str text)
{
    uint32_t node = QEFF_TRIE_ROOT;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t byte = (uint8_t)text.data[i];
        node = (trie->units[node].edge >> 8) + byte;
        if ((uint8_t)trie->units[node].edge != byte) return QEFF_TRIE_NOWHERE;
    }
    return node;
}

int32_t qeff_trie_find(const qeff_trie *trie, qeff_str text)
{
    return trie->n ? (int32_t)trie->units[qeff_trie_walk(trie, text)].end - 1 : -1;
}
