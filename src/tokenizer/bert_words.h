/* bert_words.h - the usual BERT pipeline in one pass: BertNormalizer, BertPreTokenizer and
 * WordPiece, from the bytes of a text to its tokens.
 *
 * It gives what the steps give one after the other, and stops where only they can tell. */
#ifndef TOKENIZER_BERT_WORDS_H
#define TOKENIZER_BERT_WORDS_H

#include "tokenizer/model.h"
#include "tokenizer/normalized.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"
#include "tokenizer/sequence.h"
#include "tokenizer/word_cache.h"

typedef enum qeff_bert_kind {
    QEFF_BERT_WORD,  /**< a letter or digit */
    QEFF_BERT_SPACE, /**< ends a word */
    QEFF_BERT_PUNCT, /**< a word of its own */
    QEFF_BERT_NONE,  /**< dropped */
    QEFF_BERT_OTHER  /**< not ASCII, or left to the steps */
} qeff_bert_kind;

/** What the pass knows of a tokenizer. */
typedef struct qeff_bert_words {
    bool clean, chinese, accents, lowercase;
    uint8_t notable; /**< flags of code points that do not simply go into a word */
    uint8_t kinds[256];
    uint8_t lower[128];
    int32_t punct[128]; /**< id of a punctuation character; -1: ask the model */
} qeff_bert_words;

/** Whether these steps are the ones that the pass stands for; fills `out` if so. */
bool qeff_bert_words_init(const qeff_normalizer *normalizer,
                          const qeff_pre_tokenizer *pre_tokenizer, const qeff_token_model *model,
                          qeff_bert_words *out);

/** Bytes of the longest word that is looked at; longer ones have too many characters. */
enum { QEFF_BERT_BUFFER = 4 * QEFF_WORD_CHARS_MAX + 8 };

/** A word under construction. */
typedef struct qeff_bert_buffer {
    char bytes[QEFF_BERT_BUFFER];
    int32_t index[QEFF_BERT_BUFFER]; /**< character of the original that a byte comes from */
    size_t n, n_chars;
    int32_t begin, end; /**< characters of the original */
} qeff_bert_buffer;

/** One text on its way. */
typedef struct qeff_bert_pass {
    const qeff_bert_words *words;
    const qeff_token_model *model;
    qeff_str text;
    size_t at;     /**< byte that comes next */
    int32_t index; /**< its character's index in the original */
    int32_t word;  /**< words so far */
    qeff_sequence *out;
    qeff_word_cache *cache; /**< NULL: none */
    qeff_bert_buffer *buffer;
    qeff_pieces *pieces;
    qeff_error *err;
    qeff_status status; /**< of what failed */
} qeff_bert_pass;

typedef enum qeff_bert_stop {
    QEFF_BERT_END,     /**< all of the text is done */
    QEFF_BERT_STEPS,   /**< the steps have to take over from `at` up to `segment_end` */
    QEFF_BERT_INVALID, /**< no UTF-8: what was appended is worth nothing */
    QEFF_BERT_FAILED   /**< `status` says why */
} qeff_bert_stop;

/** Appends the tokens of the text from `at` on, until one of the reasons to stop.
 * @param segment_end  set with QEFF_BERT_STEPS: the next ASCII white space, or the end */
qeff_bert_stop qeff_bert_pass_run(qeff_bert_pass *pass, size_t *segment_end);

#endif /* TOKENIZER_BERT_WORDS_H */
