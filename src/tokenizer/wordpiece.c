/* wordpiece.c - the WordPiece model: greedy, longest piece first.
 *
 *   word   = piece ##piece ##piece …        each the longest that the vocabulary holds
 *   a word of more than max_input_chars_per_word characters, or with a rest that no piece
 *   starts, is the unknown token as a whole
 *
 * A piece is found by one walk in the trie: from its root at the start of a word, and from the node
 * of "##" inside. Texts and tokens are UTF-8, so that no piece ends inside a character. */
#include "base/error.h"
#include "base/span.h"
#include "base/utf8.h"
#include "tokenizer/model.h"

static qeff_status
tokenize_wordpiece(const qeff_token_model *model, qeff_str word, qeff_pieces *out, qeff_error *err)
{
    /* Bytes bound characters, so the common short word needs no counting. */
    if (word.size > model->max_chars && qeff_utf8_length(word) > model->max_chars)
        return qeff_token_model_append_unk(model, word, out, err);
    const size_t first = out->n;
    uint32_t node = QEFF_TRIE_ROOT;
    for (size_t at = 0; at < word.size; node = model->inside) {
        int32_t id = -1;
        const qeff_str rest = {word.data + at, word.size - at};
        const size_t size = qeff_trie_longest(&model->vocab.trie, node, rest, &id);
        if (size == 0) {
            out->n = first;
            return qeff_token_model_append_unk(model, word, out, err);
        }
        if (!qeff_pieces_append(out, (qeff_piece){id, (uint32_t)at, (uint32_t)(at + size)}))
            return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        at += size;
    }
    return QEFF_OK;
}

qeff_status qeff_wordpiece_read(qeff_json json, qeff_token_model *model, qeff_error *err)
{
    qeff_str prefix = {NULL, 0};
    int64_t max_chars = 0;
    QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "continuing_subword_prefix"), &prefix, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_find(json, "max_input_chars_per_word"), 0,
                              QEFF_WORD_CHARS_MAX, &max_chars, err));
    model->inside = qeff_trie_walk(&model->vocab.trie, prefix);
    model->max_chars = (size_t)max_chars;
    model->tokenize = tokenize_wordpiece;
    model->is_wordpiece = true;
    return QEFF_OK;
}
