/* vocab.c - open addressing with linear probing, at most half full; a slot is a hash tag and an
 * entry index, so that a miss rarely touches the text. */
#include "tokenizer/vocab.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/span.h"

uint64_t qeff_vocab_hash(const qeff_vocab *vocab, uint64_t start, qeff_str text)
{
    for (size_t i = 0; i < text.size; i++)
        start = qeff_vocab_hash_byte(vocab, start, text.data[i]);
    return start;
}

static void place(qeff_vocab *vocab, uint64_t hash, size_t entry)
{
    size_t i = (size_t)hash & (vocab->n_slots - 1);
    while (vocab->own.slots[i].entry)
        i = (i + 1) & (vocab->n_slots - 1);
    vocab->own.slots[i] = (qeff_vocab_slot){(uint32_t)(hash >> 32), (uint32_t)entry + 1};
}

static bool rehash(qeff_vocab *vocab, size_t n_slots)
{
    qeff_vocab_slot *slots = qeff_alloc_array(n_slots, sizeof *slots);
    if (!slots) return false;
    qeff_free(vocab->own.slots);
    vocab->slots = vocab->own.slots = slots;
    vocab->n_slots = n_slots;
    for (size_t i = 0; i < vocab->n; i++)
        place(vocab,
              qeff_vocab_hash(vocab, vocab->seed, qeff_vocab_entry_text(vocab, &vocab->entries[i])),
              i);
    return true;
}

qeff_status qeff_vocab_reserve(qeff_vocab *vocab, size_t n, qeff_error *err)
{
    size_t n_slots = 256;
    while (n_slots < 2 * n && n_slots < 1 << 18)
        n_slots *= 2;
    return rehash(vocab, n_slots) ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

static bool grow(qeff_vocab *vocab)
{
    /* Small tables grow faster; large ones must not be mostly empty. */
    const size_t n = vocab->n_slots;
    return rehash(vocab, n == 0 ? 256 : n < 1 << 16 ? 4 * n : 2 * n);
}

const qeff_vocab_entry *
qeff_vocab_find_hashed(const qeff_vocab *vocab, uint64_t hash, qeff_str prefix, qeff_str text)
{
    if (!vocab->n_slots) return NULL;
    const uint32_t tag = (uint32_t)(hash >> 32);
    for (size_t i = (size_t)hash & (vocab->n_slots - 1); vocab->slots[i].entry;
         i = (i + 1) & (vocab->n_slots - 1)) {
        if (vocab->slots[i].tag != tag) continue;
        const qeff_vocab_entry *e = &vocab->entries[vocab->slots[i].entry - 1];
        if (e->size != prefix.size + text.size) continue;
        const char *data = vocab->text + e->at;
        if (prefix.size && memcmp(data, prefix.data, prefix.size) != 0) continue;
        if (text.size && memcmp(data + prefix.size, text.data, text.size) != 0) continue;
        return e;
    }
    return NULL;
}

int32_t qeff_vocab_find(const qeff_vocab *vocab, qeff_str text)
{
    const uint64_t hash = qeff_vocab_hash(vocab, qeff_vocab_hash_start(vocab), text);
    const qeff_vocab_entry *e = qeff_vocab_find_hashed(vocab, hash, (qeff_str){"", 0}, text);
    return e ? e->id : -1;
}

qeff_status
qeff_vocab_add(qeff_vocab *vocab, qeff_str text, int32_t id, bool *is_new, qeff_error *err)
{
    *is_new = false;
    if (text.size > QEFF_TOKEN_BYTES_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "token of %zu bytes, expected at most %d", text.size,
                         QEFF_TOKEN_BYTES_MAX);
    if (vocab->n == QEFF_VOCAB_SIZE_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "more than %d tokens", QEFF_VOCAB_SIZE_MAX);
    const uint64_t hash = qeff_vocab_hash(vocab, qeff_vocab_hash_start(vocab), text);
    if (qeff_vocab_find_hashed(vocab, hash, (qeff_str){"", 0}, text)) return QEFF_OK;
    qeff_vocab_memory *own = &vocab->own;
    qeff_vocab_entry *moved =
        qeff_grow(own->entries, vocab->n, &own->capacity, sizeof *own->entries);
    if (!moved) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    vocab->entries = own->entries = moved;
    const size_t at = own->text.size;
    if (at > UINT32_MAX - text.size)
        return qeff_fail(err, QEFF_ERR_FORMAT, "tokens of more than 4 GiB");
    qeff_buffer_append_str(&own->text, text);
    QEFF_TRY(qeff_buffer_status(&own->text, err));
    vocab->text = own->text.data ? (const char *)own->text.data : ""; /* an empty token is one */
    vocab->text_bytes = own->text.size;
    if (vocab->n_slots < 2 * (vocab->n + 1) && !grow(vocab))
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    own->entries[vocab->n] = (qeff_vocab_entry){(uint32_t)at, (uint32_t)text.size, id};
    place(vocab, hash, vocab->n++);
    if (text.size > vocab->max_bytes) vocab->max_bytes = text.size;
    *is_new = true;
    return QEFF_OK;
}

qeff_status qeff_vocab_finish(qeff_vocab *vocab, qeff_error *err)
{
    vocab->id_limit = 0;
    for (size_t i = 0; i < vocab->n; i++)
        if ((size_t)vocab->entries[i].id >= vocab->id_limit)
            vocab->id_limit = (size_t)vocab->entries[i].id + 1;
    vocab->by_id = vocab->own.by_id = qeff_alloc_array(vocab->id_limit, sizeof *vocab->by_id);
    if (!vocab->by_id) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < vocab->n; i++) {
        const qeff_vocab_entry *e = &vocab->entries[i];
        uint32_t *slot = &vocab->own.by_id[e->id];
        if (*slot) {
            const qeff_str other = qeff_vocab_text(vocab, e->id),
                           text = qeff_vocab_entry_text(vocab, e);
            return qeff_fail(err, QEFF_ERR_FORMAT, "tokens '%.*s' and '%.*s' share id %d",
                             QEFF_STR_ARGS(other), QEFF_STR_ARGS(text), (int)e->id);
        }
        *slot = (uint32_t)i + 1;
    }
    return QEFF_OK;
}

qeff_str qeff_vocab_text(const qeff_vocab *vocab, int32_t id)
{
    if (id < 0 || (size_t)id >= vocab->id_limit || !vocab->by_id[id]) return (qeff_str){NULL, 0};
    return qeff_vocab_entry_text(vocab, &vocab->entries[vocab->by_id[id] - 1]);
}

void qeff_vocab_set_id(qeff_vocab *vocab, const qeff_vocab_entry *entry, int32_t id)
{
    vocab->own.entries[entry - vocab->entries].id = id;
}

void qeff_vocab_deinit(qeff_vocab *vocab)
{
    qeff_buffer_deinit(&vocab->own.text);
    qeff_free(vocab->own.entries);
    qeff_free(vocab->own.slots);
    qeff_free(vocab->own.by_id);
    *vocab = (qeff_vocab){0};
}
