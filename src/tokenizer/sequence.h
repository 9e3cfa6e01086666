/* sequence.h - the tokens of one text before the template: an array for each property. */
#ifndef TOKENIZER_SEQUENCE_H
#define TOKENIZER_SEQUENCE_H

#include <qeff/tokenizer.h>

/** White space at the ends of a token's own text, for RobertaProcessing. */
typedef struct qeff_trim {
    uint32_t n_leading, n_trailing;
} qeff_trim;

/** Zero-initialise; reuse by setting `n` to 0. */
typedef struct qeff_sequence {
    int32_t *ids;
    int32_t *words;   /**< index of the word inside the sequence */
    qeff_span *spans; /**< characters of the original text; undefined where no offsets are wanted */
    qeff_trim *trims; /**< defined where qeff_sequence_add_trim() follows every token */
    size_t n;
    size_t capacity;
    size_t trim_capacity;
} qeff_sequence;

/** Makes room for `n` tokens more. false: out of memory, and nothing changed. */
bool qeff_sequence_grow(qeff_sequence *sequence, size_t n);

static inline bool qeff_sequence_reserve(qeff_sequence *sequence, size_t n)
{
    return sequence->capacity - sequence->n >= n || qeff_sequence_grow(sequence, n);
}

/** Appends a token; there must be room. */
static inline void
qeff_sequence_put(qeff_sequence *sequence, int32_t id, int32_t word, qeff_span span)
{
    sequence->ids[sequence->n] = id;
    sequence->words[sequence->n] = word;
    sequence->spans[sequence->n++] = span;
}

/** Sets the trim of the last token. false: out of memory. */
bool qeff_sequence_add_trim(qeff_sequence *sequence, qeff_trim trim);

void qeff_sequence_deinit(qeff_sequence *sequence);

#endif /* TOKENIZER_SEQUENCE_H */
