/* model.c - what the models share, WordLevel, and the table of known models. */
#include "tokenizer/model.h"

#include "base/error.h"
#include "base/span.h"

bool qeff_pieces_append(qeff_pieces *pieces, qeff_piece piece)
{
    if (pieces->n == pieces->capacity) {
        void *moved = qeff_grow(pieces->items, pieces->n, &pieces->capacity, sizeof piece);
        if (!moved) return false;
        pieces->items = moved;
    }
    pieces->items[pieces->n++] = piece;
    return true;
}

void qeff_pieces_deinit(qeff_pieces *pieces)
{
    qeff_free(pieces->items);
    *pieces = (qeff_pieces){0};
}

qeff_status qeff_token_model_append_unk(const qeff_token_model *model, qeff_str word,
                                        qeff_pieces *out, qeff_error *err)
{
    if (model->unk_id < 0)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "word '%.*s' is unknown, and the vocabulary has no token '%.*s'",
                         QEFF_STR_ARGS(word), QEFF_STR_ARGS(model->unk));
    if (!qeff_pieces_append(out, (qeff_piece){model->unk_id, 0, (uint32_t)word.size}))
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    return QEFF_OK;
}

static qeff_status
tokenize_wordlevel(const qeff_token_model *model, qeff_str word, qeff_pieces *out, qeff_error *err)
{
    const int32_t id = qeff_vocab_find(&model->vocab, word);
    if (id < 0) return qeff_token_model_append_unk(model, word, out, err);
    if (!qeff_pieces_append(out, (qeff_piece){id, 0, (uint32_t)word.size}))
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    return QEFF_OK;
}

qeff_status qeff_wordlevel_read(qeff_json json, qeff_token_model *model, qeff_error *err)
{
    (void)json, (void)err;
    model->tokenize = tokenize_wordlevel;
    return QEFF_OK;
}

qeff_status
qeff_token_model_read(qeff_json json, qeff_arena *arena, qeff_token_model *model, qeff_error *err)
{
    static const struct {
        const char *name;
        qeff_status (*read)(qeff_json, qeff_token_model *, qeff_error *);
    } types[] = {{"WordPiece", qeff_wordpiece_read}, {"WordLevel", qeff_wordlevel_read}};

    qeff_str type = {NULL, 0}, unk = {NULL, 0};
    QEFF_TRY(qeff_json_expect(json, QEFF_JSON_OBJECT, err));
    /* Files of before 2020 name no type: WordPiece is the one with this key. */
    if (qeff_json_kind_of(qeff_json_find(json, "type")) == QEFF_JSON_MISSING &&
        qeff_json_kind_of(qeff_json_find(json, "max_input_chars_per_word")) != QEFF_JSON_MISSING)
        type = QEFF_STR("WordPiece");
    else
        QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "type"), &type, err));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (!qeff_str_is(type, types[i].name)) continue;
        QEFF_TRY(qeff_json_expect(qeff_json_find(json, "vocab"), QEFF_JSON_OBJECT, err));
        QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "unk_token"), &unk, err));
        model->unk = qeff_arena_str(arena, unk);
        if (!model->unk.data) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        model->unk_id = qeff_vocab_find(&model->vocab, model->unk);
        return types[i].read(json, model, err);
    }
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "unknown model '%.*s'", QEFF_STR_ARGS(type));
}
