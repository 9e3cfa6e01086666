/* model.h - step 5 of encoding: a word to tokens.
 *
 * A new model (BPE, Unigram) is one file with a tokenize function and a reader, and a line in the
 * table of model.c. */
#ifndef TOKENIZER_MODEL_H
#define TOKENIZER_MODEL_H

#include "base/alloc.h"
#include "formats/json.h"
#include "tokenizer/vocab.h"

/** A token of a word: its id, and the bytes [begin, end) of the word that it covers. */
typedef struct qeff_piece {
    int32_t id;
    uint32_t begin;
    uint32_t end;
} qeff_piece;

/** Zero-initialise; reuse by setting `n` to 0. */
typedef struct qeff_pieces {
    qeff_piece *items;
    size_t n, capacity;
} qeff_pieces;

/** false: out of memory. */
bool qeff_pieces_append(qeff_pieces *pieces, qeff_piece piece);
void qeff_pieces_deinit(qeff_pieces *pieces);

/** WordPiece: most that max_input_chars_per_word may be. Real files say 100. The limit bounds both
 * the stack and the time a hostile vocabulary can take: each piece costs at most a walk over the
 * rest of its word. */
enum { QEFF_WORD_CHARS_MAX = 1000 };

typedef struct qeff_token_model qeff_token_model;

/** Appends the tokens of `word`, which is not empty.
 * @return QEFF_ERR_FORMAT (unknown word, and no unknown token), QEFF_ERR_NO_MEMORY */
typedef qeff_status (*qeff_token_model_tokenize)(const qeff_token_model *model, qeff_str word,
                                                 qeff_pieces *out, qeff_error *err);

struct qeff_token_model {
    qeff_token_model_tokenize tokenize;
    bool is_wordpiece;
    qeff_vocab vocab;
    qeff_str unk;     /**< text of the unknown token, in the tokenizer's arena */
    int32_t unk_id;   /**< -1: not in the vocabulary */
    uint32_t inside;  /**< WordPiece: node of what continuing pieces start with */
    size_t max_chars; /**< WordPiece: longer words are unknown */
};

/** Reads the "model" of a tokenizer.json; its vocabulary is in `model->vocab` already.
 * @return QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED (names the type), QEFF_ERR_NO_MEMORY */
qeff_status
qeff_token_model_read(qeff_json json, qeff_arena *arena, qeff_token_model *model, qeff_error *err);

/** The whole word as the unknown token. */
qeff_status qeff_token_model_append_unk(const qeff_token_model *model, qeff_str word,
                                        qeff_pieces *out, qeff_error *err);

/** Readers of the models, called by qeff_token_model_read(). */
qeff_status qeff_wordpiece_read(qeff_json json, qeff_token_model *model, qeff_error *err);
qeff_status qeff_wordlevel_read(qeff_json json, qeff_token_model *model, qeff_error *err);

#endif /* TOKENIZER_MODEL_H */
