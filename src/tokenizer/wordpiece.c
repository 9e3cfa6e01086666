/* wordpiece.c - the WordPiece model: greedy, longest piece first.
 *
 *   word   = piece ##piece ##piece …        each the longest that the vocabulary holds
 *   a word of more than max_input_chars_per_word characters, or with a rest that no piece
 *   starts, is the unknown token as a whole
 *
 * From each start all prefixes are hashed in one walk, then looked up from the longest down. */
#include "base/error.h"
#include "base/span.h"
#include "base/utf8.h"
#include "tokenizer/model.h"

/* Place of a piece's first two bytes in the table of longest pieces. */
static inline size_t start_of(const char *text)
{
    return ((size_t)(unsigned char)text[0] * 37 ^ (size_t)(unsigned char)text[1] * 16) %
           QEFF_PIECE_STARTS;
}

static void note_length(uint8_t longest[QEFF_PIECE_STARTS], qeff_str piece)
{
    if (piece.size < 2) return; /* pieces of one byte are always looked for */
    uint8_t *known = &longest[start_of(piece.data)];
    const uint8_t size = piece.size < UINT8_MAX ? (uint8_t)piece.size : UINT8_MAX;
    if (size > *known) *known = size;
}

static void note_lengths(qeff_token_model *model)
{
    const qeff_str prefix = model->prefix;
    for (size_t i = 0; i < model->vocab.n; i++) {
        const qeff_str text = qeff_vocab_entry_text(&model->vocab, &model->vocab.entries[i]);
        note_length(model->longest[0], text);
        if (text.size < prefix.size || memcmp(text.data, prefix.data, prefix.size) != 0) continue;
        note_length(model->longest[1],
                    (qeff_str){text.data + prefix.size, text.size - prefix.size});
    }
}

/* Bytes that are worth hashing of the `left` ones at `text`. */
static inline size_t
limit_of(const qeff_token_model *model, const char *text, size_t left, bool is_inside)
{
    if (left < 2) return left;
    const size_t longest = model->longest[is_inside][start_of(text)];
    const size_t limit = longest == UINT8_MAX ? model->vocab.max_bytes : longest ? longest : 1;
    return left < limit ? left : limit;
}

/* The longest piece that starts at `at`, or NULL. */
static const qeff_vocab_entry *find_longest(const qeff_token_model *model, qeff_str word, size_t at)
{
    const qeff_vocab *vocab = &model->vocab;
    const qeff_str prefix = at ? model->prefix : (qeff_str){"", 0};
    const size_t limit = limit_of(model, word.data + at, word.size - at, at > 0);
    uint64_t hashes[QEFF_WORD_CHARS_MAX];
    uint16_t ends[QEFF_WORD_CHARS_MAX]; /* a character has at most 4 bytes */
    size_t n = 0;
    uint64_t hash = at ? model->prefix_hash : qeff_vocab_hash_start(vocab);
    for (size_t i = 0; i < limit;) {
        hash = qeff_vocab_hash_byte(vocab, hash, word.data[at + i]);
        i++;
        const bool is_boundary =
            at + i == word.size || ((unsigned char)word.data[at + i] & 0xc0) != 0x80;
        if (!is_boundary) continue;
        hashes[n] = hash;
        ends[n++] = (uint16_t)i;
    }
    while (n-- > 0) {
        const qeff_str part = {word.data + at, ends[n]};
        const qeff_vocab_entry *e = qeff_vocab_find_hashed(vocab, hashes[n], prefix, part);
        if (e) return e;
    }
    return NULL;
}

static qeff_status
tokenize_wordpiece(const qeff_token_model *model, qeff_str word, qeff_pieces *out, qeff_error *err)
{
    /* Bytes bound characters, so the common short word needs no counting. */
    if (word.size > model->max_chars && qeff_utf8_length(word) > model->max_chars)
        return qeff_token_model_append_unk(model, word, out, err);
    const size_t first = out->n;
    for (size_t at = 0; at < word.size;) {
        const qeff_vocab_entry *e = find_longest(model, word, at);
        if (!e) {
            out->n = first;
            return qeff_token_model_append_unk(model, word, out, err);
        }
        const size_t end = at + e->size - (at ? model->prefix.size : 0);
        if (!qeff_pieces_append(out, (qeff_piece){e->id, (uint32_t)at, (uint32_t)end}))
            return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        at = end;
    }
    return QEFF_OK;
}

qeff_status
qeff_wordpiece_read(qeff_json json, qeff_arena *arena, qeff_token_model *model, qeff_error *err)
{
    qeff_str prefix = {NULL, 0};
    int64_t max_chars = 0;
    QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "continuing_subword_prefix"), &prefix, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_find(json, "max_input_chars_per_word"), 0,
                              QEFF_WORD_CHARS_MAX, &max_chars, err));
    model->prefix = qeff_arena_str(arena, prefix);
    if (!model->prefix.data) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    model->prefix_hash =
        qeff_vocab_hash(&model->vocab, qeff_vocab_hash_start(&model->vocab), model->prefix);
    model->max_chars = (size_t)max_chars;
    note_lengths(model);
    model->tokenize = tokenize_wordpiece;
    model->is_wordpiece = true;
    return QEFF_OK;
}
