/* image.c - writing and opening the mapped form of a tokenizer; image.h has the layout. */
#include "tokenizer/image.h"

#include "base/error.h"
#include "tokenizer/tokenizer.h"

enum {
    SLOTS_MAX = 4 * QEFF_VOCAB_SIZE_MAX,
    /* Of slots in use without a free one between them: bounds a look-up. Half-full tables of
     * millions stay below a hundred or so. */
    RUN_MAX = 1024
};

/* "qefftok1" as a little-endian number. */
#define MAGIC 0x316b6f7466666571u

typedef struct header {
    uint64_t magic, seed, added_seed, n, n_slots, id_limit, max_bytes, text_bytes, rest_bytes, zero;
} header;

_Static_assert(sizeof(header) == 80, "as in image.h");
_Static_assert(sizeof(qeff_vocab_entry) == 12 && sizeof(qeff_vocab_slot) == 8, "as in image.h");

static void append_part(qeff_buffer *out, const void *data, size_t size)
{
    qeff_buffer_append(out, data, size);
    qeff_buffer_pad(out, 8);
}

void qeff_tokenizer_image_append(const qeff_tokenizer *t, qeff_buffer *out)
{
    const qeff_vocab *vocab = &t->model.vocab;
    qeff_buffer rest = {0};
    qeff_huggingface_append_rest(t, &rest);
    const header head = {.magic = MAGIC,
                         .seed = vocab->seed,
                         .added_seed = t->added.vocab.seed,
                         .n = vocab->n,
                         .n_slots = vocab->n_slots,
                         .id_limit = vocab->id_limit,
                         .max_bytes = vocab->max_bytes,
                         .text_bytes = vocab->text_bytes,
                         .rest_bytes = rest.size};
    append_part(out, &head, sizeof head);
    append_part(out, vocab->entries, vocab->n * sizeof *vocab->entries);
    append_part(out, vocab->slots, vocab->n_slots * sizeof *vocab->slots);
    append_part(out, vocab->by_id, vocab->id_limit * sizeof *vocab->by_id);
    append_part(out, vocab->text, vocab->text_bytes);
    append_part(out, rest.data, rest.size);
    out->failed |= rest.failed;
    qeff_buffer_deinit(&rest);
}

static size_t padded(uint64_t size)
{
    return (size_t)((size + 7) & ~(uint64_t)7);
}

static bool has_sound_header(const header *h, size_t size)
{
    return h->magic == MAGIC && h->n <= QEFF_VOCAB_SIZE_MAX && h->id_limit <= QEFF_VOCAB_SIZE_MAX &&
           h->n_slots <= SLOTS_MAX && (h->n_slots & (h->n_slots - 1)) == 0 &&
           h->n_slots >= 2 * h->n && h->max_bytes <= QEFF_TOKEN_BYTES_MAX &&
           h->text_bytes <= size && h->rest_bytes <= size && (h->seed & 1) && (h->added_seed & 1);
}

static bool has_sound_entries(const qeff_vocab *v)
{
    for (size_t i = 0; i < v->n; i++) {
        const qeff_vocab_entry *e = &v->entries[i];
        if (e->size > v->max_bytes || e->size > v->text_bytes || e->at > v->text_bytes - e->size ||
            e->id < 0 || (size_t)e->id >= v->id_limit || !v->by_id[e->id])
            return false; /* each id that a text may get has a token */
    }
    for (size_t id = 0; id < v->id_limit; id++) {
        const uint32_t entry = v->by_id[id];
        if (entry > v->n || (entry && (size_t)v->entries[entry - 1].id != id)) return false;
    }
    return true;
}

/* A look-up goes on from slot to slot until a free one. */
static bool has_sound_slots(const qeff_vocab *v)
{
    size_t run = 0, first_run = 0, n_used = 0;
    for (size_t i = 0; i < v->n_slots; i++) {
        if (v->slots[i].entry > v->n) return false;
        run = v->slots[i].entry ? run + 1 : 0;
        n_used += run > 0;
        if (run == i + 1) first_run = run;
        if (run > RUN_MAX) return false;
    }
    return n_used == v->n &&
           run + first_run <= RUN_MAX; /* the last one goes on at the first slot */
}

static qeff_status read_image(qeff_tokenizer *t, qeff_bytes image, qeff_error *err)
{
    header h = {0};
    qeff_vocab *v = &t->model.vocab;
    if (image.size >= sizeof h) memcpy(&h, image.data, sizeof h);
    if (!has_sound_header(&h, image.size))
        return qeff_fail(err, QEFF_ERR_FORMAT, "not an image of a tokenizer");
    const size_t entries = sizeof h, slots = entries + padded(h.n * sizeof *v->entries),
                 by_id = slots + padded(h.n_slots * sizeof *v->slots),
                 text = by_id + padded(h.id_limit * sizeof *v->by_id),
                 rest = text + padded(h.text_bytes), end = rest + padded(h.rest_bytes);
    if (image.size != end || (uintptr_t)image.data % 8)
        return qeff_fail(err, QEFF_ERR_FORMAT, "expected %zu bytes, found %zu", end, image.size);
    *v = (qeff_vocab){.seed = h.seed,
                      .text = (const char *)image.data + text,
                      .text_bytes = (size_t)h.text_bytes,
                      .entries = (const void *)(image.data + entries),
                      .n = (size_t)h.n,
                      .slots = (const void *)(image.data + slots),
                      .n_slots = (size_t)h.n_slots,
                      .by_id = (const void *)(image.data + by_id),
                      .id_limit = (size_t)h.id_limit,
                      .max_bytes = (size_t)h.max_bytes};
    t->added.vocab.seed = h.added_seed;
    t->rest = (qeff_str){(const char *)image.data + rest, (size_t)h.rest_bytes};
    if (!has_sound_entries(v) || !has_sound_slots(v))
        return qeff_fail(err, QEFF_ERR_FORMAT, "a vocabulary with numbers out of their range");
    return qeff_huggingface_read_rest(t, t->rest, err);
}

qeff_status
qeff_tokenizer_image_open(qeff_bytes image, qeff_str json, qeff_tokenizer **out, qeff_error *err)
{
    *out = NULL;
    qeff_tokenizer *t = qeff_alloc_zeroed(sizeof *t);
    if (!t) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    t->text = json;
    const qeff_status status = read_image(t, image, err);
    if (status)
        qeff_tokenizer_destroy(t);
    else
        *out = t;
    return status;
}
