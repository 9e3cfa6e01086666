/* matcher.c - an Aho-Corasick automaton over reversed texts, run from the end of the input.
 *
 * Leftmost-longest search means: at each place, from left to right, take the longest text that
 * starts there, and go on behind it. Run forwards, an automaton has to re-read after each match
 * that a longer candidate delayed, which a set like {a, aaaa…b} makes quadratic. Backwards, every
 * place is settled when it is read; the selection is then a walk over the hits.
 *
 * Reference: Aho and Corasick, Efficient String Matching (1975). */
#include "tokenizer/matcher.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

void qeff_hits_deinit(qeff_hits *hits)
{
    qeff_free(hits->items);
    *hits = (qeff_hits){0};
}

static size_t slot_of(const qeff_matcher *m, uint64_t key)
{
    const uint64_t product = key * m->seed;
    return (size_t)(product ^ product >> 32) & (m->n_edges - 1);
}

/* The child of `node` by `byte`; 0: none, as no edge leads to the root. */
static uint32_t child_of(const qeff_matcher *m, uint32_t node, unsigned char byte)
{
    const uint64_t key = ((uint64_t)node << 8 | byte) + 1;
    for (size_t i = slot_of(m, key); m->edges[i].key; i = (i + 1) & (m->n_edges - 1))
        if (m->edges[i].key == key) return m->edges[i].node;
    return 0;
}

static uint32_t add_child(qeff_matcher *m, uint32_t node, unsigned char byte)
{
    const uint64_t key = ((uint64_t)node << 8 | byte) + 1;
    size_t i = slot_of(m, key);
    while (m->edges[i].key)
        i = (i + 1) & (m->n_edges - 1);
    m->edges[i] = (qeff_matcher_edge){key, (uint32_t)m->n_nodes};
    return (uint32_t)m->n_nodes++;
}

static uint32_t next_state(const qeff_matcher *m, uint32_t state, unsigned char byte)
{
    for (;;) {
        const uint32_t child = child_of(m, state, byte);
        if (child || state == 0) return child;
        state = m->nodes[state].fail;
    }
}

static void insert(qeff_matcher *m, qeff_str text, uint32_t pattern)
{
    uint32_t node = 0;
    for (size_t i = text.size; i-- > 0;) {
        const unsigned char byte = (unsigned char)text.data[i];
        const uint32_t child = child_of(m, node, byte);
        node = child ? child : add_child(m, node, byte);
    }
    m->last[(unsigned char)text.data[text.size - 1]] = true;
    m->nodes[node].pattern = pattern + 1;
}

/* Failure links level by level: `at[k]` walks text k, one byte a round. */
static bool link_nodes(qeff_matcher *m, const qeff_str *texts, size_t n, size_t longest)
{
    uint32_t *at = qeff_alloc_array(n, sizeof *at);
    bool *is_linked = qeff_alloc_array(m->n_nodes, sizeof *is_linked);
    if (at && is_linked)
        for (size_t depth = 0; depth < longest; depth++)
            for (size_t k = 0; k < n; k++) {
                if (texts[k].size <= depth) continue;
                const unsigned char byte = (unsigned char)texts[k].data[texts[k].size - 1 - depth];
                const uint32_t parent = at[k], node = child_of(m, parent, byte);
                at[k] = node;
                if (is_linked[node]) continue;
                is_linked[node] = true;
                const uint32_t fail = depth ? next_state(m, m->nodes[parent].fail, byte) : 0;
                m->nodes[node].fail = fail;
                if (!m->nodes[node].pattern) m->nodes[node].pattern = m->nodes[fail].pattern;
            }
    const bool done = at && is_linked;
    qeff_free(at);
    qeff_free(is_linked);
    return done;
}

qeff_status qeff_matcher_init(qeff_matcher *matcher, const qeff_str *texts, size_t n, uint64_t seed,
                              qeff_error *err)
{
    size_t bytes = 0, longest = 0;
    for (size_t i = 0; i < n; i++) {
        if (texts[i].size > QEFF_MATCHER_BYTES_MAX - bytes)
            return qeff_fail(err, QEFF_ERR_FORMAT, "added tokens of more than %d bytes in all",
                             QEFF_MATCHER_BYTES_MAX);
        bytes += texts[i].size;
        if (texts[i].size > longest) longest = texts[i].size;
    }
    if (n == 0) return QEFF_OK;
    matcher->seed = seed | 1;
    matcher->n_edges = 64;
    while (matcher->n_edges < 2 * bytes)
        matcher->n_edges *= 2;
    matcher->nodes = qeff_alloc_array(bytes + 1, sizeof *matcher->nodes);
    matcher->edges = qeff_alloc_array(matcher->n_edges, sizeof *matcher->edges);
    if (!matcher->nodes || !matcher->edges) goto no_memory;
    matcher->n_nodes = 1;
    for (size_t i = 0; i < n; i++)
        insert(matcher, texts[i], (uint32_t)i);
    matcher->only_last = (unsigned char)texts[0].data[texts[0].size - 1];
    for (size_t i = 1; i < n; i++)
        if ((unsigned char)texts[i].data[texts[i].size - 1] != matcher->only_last)
            matcher->only_last = -1;
    if (link_nodes(matcher, texts, n, longest)) return QEFF_OK;
no_memory:
    return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

bool qeff_matcher_scan(const qeff_matcher *matcher, const char *text, size_t size, qeff_hits *hits)
{
    hits->n = 0;
    if (matcher->n_nodes == 0 || size == 0) return true;
    if (matcher->only_last >= 0 && !memchr(text, matcher->only_last, size)) return true;
    uint32_t state = 0;
    for (size_t i = size; i-- > 0;) {
        const unsigned char byte = (unsigned char)text[i];
        if (state == 0 && !matcher->last[byte]) continue;
        state = next_state(matcher, state, byte);
        const uint32_t pattern = matcher->nodes[state].pattern;
        if (!pattern) continue;
        if (hits->n == hits->capacity) {
            void *moved = qeff_grow(hits->items, hits->n, &hits->capacity, sizeof(qeff_hit));
            if (!moved) return false;
            hits->items = moved;
        }
        hits->items[hits->n++] = (qeff_hit){(uint32_t)i, pattern - 1};
    }
    return true;
}

void qeff_matcher_deinit(qeff_matcher *matcher)
{
    qeff_free(matcher->nodes);
    qeff_free(matcher->edges);
    *matcher = (qeff_matcher){0};
}
