/* image.c - writing and opening the mapped form of a tokenizer; image.h has the layout. */
#include "tokenizer/image.h"

#include "base/error.h"
#include "tokenizer/tokenizer.h"

/* "qefftok2" as a little-endian number. */
#define MAGIC 0x326b6f7466666571u

typedef struct header {
    uint64_t magic, digest[2], n, n_units, id_limit, text_bytes, rest_bytes;
} header;

_Static_assert(sizeof(header) == 64, "as in image.h");
_Static_assert(sizeof(qeff_trie_unit) == 8 && sizeof(qeff_vocab_place) == 8, "as in image.h");

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
                         .digest = {t->digest[0], t->digest[1]},
                         .n = vocab->n,
                         .n_units = vocab->trie.n,
                         .id_limit = vocab->id_limit,
                         .text_bytes = vocab->text_bytes,
                         .rest_bytes = rest.size};
    append_part(out, &head, sizeof head);
    append_part(out, vocab->trie.units, vocab->trie.n * sizeof *vocab->trie.units);
    append_part(out, vocab->places, vocab->id_limit * sizeof *vocab->places);
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
    return h->magic == MAGIC && h->n <= h->id_limit && h->id_limit <= QEFF_VOCAB_SIZE_MAX &&
           h->n_units <= QEFF_TRIE_UNITS_MAX && h->text_bytes <= size && h->rest_bytes <= size;
}

static qeff_status read_image(qeff_tokenizer *t, qeff_bytes image, qeff_error *err)
{
    header h = {0};
    qeff_vocab *v = &t->model.vocab;
    if (image.size >= sizeof h) memcpy(&h, image.data, sizeof h);
    if (!has_sound_header(&h, image.size))
        return qeff_fail(err, QEFF_ERR_FORMAT, "not an image of a tokenizer");
    const size_t units = sizeof h, places = units + (size_t)h.n_units * sizeof *v->trie.units,
                 text = places + (size_t)h.id_limit * sizeof *v->places,
                 rest = text + padded(h.text_bytes), end = rest + padded(h.rest_bytes);
    if (image.size != end || (uintptr_t)image.data % 8)
        return qeff_fail(err, QEFF_ERR_FORMAT, "expected %zu bytes, found %zu", end, image.size);
    *v = (qeff_vocab){.trie = {.units = (const void *)(image.data + units), .n = (size_t)h.n_units},
                      .n = (size_t)h.n,
                      .text = (const char *)image.data + text,
                      .text_bytes = (size_t)h.text_bytes,
                      .places = (const void *)(image.data + places),
                      .id_limit = (size_t)h.id_limit};
    memcpy(t->digest, h.digest, sizeof t->digest);
    t->rest = (qeff_str){(const char *)image.data + rest, (size_t)h.rest_bytes};
    if (!qeff_vocab_is_sound(v))
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
