/* matcher.h - finds the leftmost-longest occurrences of a set of texts, in linear time. */
#ifndef TOKENIZER_MATCHER_H
#define TOKENIZER_MATCHER_H

#include <qeff/base.h>

/** Most bytes that all texts of a set may have together: bounds the automaton's memory. */
enum { QEFF_MATCHER_BYTES_MAX = 4 << 20 };

/** Bytes [begin, begin + size) hold text number `pattern`. */
typedef struct qeff_hit {
    uint32_t begin;
    uint32_t pattern;
} qeff_hit;

/** Zero-initialise. Filled from the end of the text to its start. */
typedef struct qeff_hits {
    qeff_hit *items;
    size_t n, capacity;
} qeff_hits;

void qeff_hits_deinit(qeff_hits *hits);

typedef struct qeff_matcher_node {
    uint32_t fail;    /**< longest proper suffix that is a node */
    uint32_t pattern; /**< + 1: longest text that ends here, reading backwards; 0: none */
} qeff_matcher_node;

typedef struct qeff_matcher_edge {
    uint64_t key; /**< (node << 8 | byte) + 1; 0: free */
    uint32_t node;
} qeff_matcher_edge;

/** An automaton over the texts read backwards: so the state at a byte tells the longest text that
 * starts there. Zero-initialise. */
typedef struct qeff_matcher {
    qeff_matcher_node *nodes; /**< 0 is the root */
    size_t n_nodes;
    qeff_matcher_edge *edges; /**< open addressing */
    size_t n_edges;           /**< a power of two */
    uint64_t seed;            /**< odd */
    bool last[256];           /**< whether some text ends with this byte */
    int only_last;            /**< the byte that all texts end with; -1: there are several */
} qeff_matcher;

/** Builds the automaton; texts are not empty, and of equal ones the last counts.
 * @return QEFF_ERR_FORMAT (too many bytes), QEFF_ERR_NO_MEMORY */
qeff_status qeff_matcher_init(qeff_matcher *matcher, const qeff_str *texts, size_t n, uint64_t seed,
                              qeff_error *err);

/** For each byte at which a text starts, the longest one. false: out of memory. */
bool qeff_matcher_scan(const qeff_matcher *matcher, const char *text, size_t size, qeff_hits *hits);

void qeff_matcher_deinit(qeff_matcher *matcher);

#endif /* TOKENIZER_MATCHER_H */
