/* vocab.c - a trie from texts to ids, and a table from ids to texts. */
#include "tokenizer/vocab.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/span.h"

qeff_status qeff_vocab_add(qeff_vocab *vocab, qeff_str text, int32_t id, qeff_error *err)
{
    if (vocab->keys.n == QEFF_VOCAB_SIZE_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "more than %d tokens", QEFF_VOCAB_SIZE_MAX);
    if ((size_t)id >= vocab->id_limit) vocab->id_limit = (size_t)id + 1;
    return qeff_trie_keys_add(&vocab->keys, text, (uint32_t)id, err);
}

static qeff_str text_at(const qeff_vocab *vocab, qeff_vocab_place place)
{
    return (qeff_str){vocab->text + place.at, place.size_1 - 1};
}

static qeff_status place_texts(qeff_vocab *vocab, qeff_error *err)
{
    for (size_t i = 0; i < vocab->keys.n; i++) {
        const qeff_trie_key *key = &vocab->keys.items[i];
        qeff_vocab_place *place = &vocab->own_places[key->value];
        const qeff_vocab_place found = {key->at, key->size + 1};
        if (place->size_1) {
            const qeff_str other = text_at(vocab, *place), text = text_at(vocab, found);
            return qeff_fail(err, QEFF_ERR_FORMAT, "tokens '%.*s' and '%.*s' share id %d",
                             QEFF_STR_ARGS(other), QEFF_STR_ARGS(text), (int)key->value);
        }
        *place = found;
    }
    return QEFF_OK;
}

qeff_status qeff_vocab_finish(qeff_vocab *vocab, qeff_str *repeated, qeff_error *err)
{
    qeff_trie_keys *keys = &vocab->keys;
    const qeff_trie_key *twice = NULL;
    vocab->text = keys->text.data ? (const char *)keys->text.data : ""; /* "" may be a token */
    vocab->text_bytes = keys->text.size;
    vocab->own_places = qeff_alloc_array(vocab->id_limit, sizeof *vocab->own_places);
    if (!vocab->own_places) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    vocab->places = vocab->own_places;
    QEFF_TRY(place_texts(vocab, err));
    QEFF_TRY(qeff_trie_build(keys, &vocab->trie, &vocab->n, &twice, err));
    *repeated = twice ? (qeff_str){vocab->text + twice->at, twice->size} : (qeff_str){NULL, 0};
    qeff_free(keys->items);
    keys->items = NULL;
    keys->n = keys->capacity = 0;
    return QEFF_OK;
}

bool qeff_vocab_is_sound(const qeff_vocab *vocab)
{
    const qeff_trie *trie = &vocab->trie;
    if (!qeff_trie_is_sound(trie, vocab->id_limit)) return false;
    for (size_t id = 0; id < vocab->id_limit; id++) {
        const qeff_vocab_place place = vocab->places[id];
        if ((uint64_t)place.at + place.size_1 > (uint64_t)vocab->text_bytes + 1) return false;
    }
    for (size_t i = 0; i < trie->n; i++)
        if (trie->units[i].end && !vocab->places[trie->units[i].end - 1].size_1) return false;
    return true;
}

qeff_str qeff_vocab_text(const qeff_vocab *vocab, int32_t id)
{
    if (id < 0 || (size_t)id >= vocab->id_limit || !vocab->places[id].size_1)
        return (qeff_str){NULL, 0};
    return text_at(vocab, vocab->places[id]);
}

void qeff_vocab_deinit(qeff_vocab *vocab)
{
    qeff_trie_deinit(&vocab->trie);
    qeff_trie_keys_deinit(&vocab->keys);
    qeff_free(vocab->own_places);
    *vocab = (qeff_vocab){0};
}
