/* sequence.c - the growth of the arrays of tokens. */
#include "tokenizer/sequence.h"

#include "base/alloc.h"
#include "base/checked.h"

static bool resize(void **block, size_t n, size_t item_size)
{
    size_t bytes = 0;
    void *moved = qeff_mul_size(n, item_size, &bytes) ? qeff_realloc(*block, bytes) : NULL;
    if (moved) *block = moved;
    return moved != NULL;
}

bool qeff_sequence_grow(qeff_sequence *s, size_t n)
{
    size_t need = 0, wanted = s->capacity < 64 ? 64 : s->capacity;
    if (!qeff_add_size(s->n, n, &need)) return false;
    while (wanted < need)
        if (!qeff_mul_size(wanted, 2, &wanted)) return false;
    void *ids = s->ids, *words = s->words, *spans = s->spans;
    const bool done = resize(&ids, wanted, sizeof *s->ids) &&
                      resize(&words, wanted, sizeof *s->words) &&
                      resize(&spans, wanted, sizeof *s->spans);
    s->ids = ids;
    s->words = words;
    s->spans = spans;
    if (done) s->capacity = wanted;
    return done;
}

bool qeff_sequence_add_trim(qeff_sequence *s, qeff_trim trim)
{
    if (s->trim_capacity < s->n) {
        void *trims = s->trims;
        if (!resize(&trims, s->capacity, sizeof *s->trims)) return false;
        s->trims = trims;
        s->trim_capacity = s->capacity;
    }
    s->trims[s->n - 1] = trim;
    return true;
}

void qeff_sequence_deinit(qeff_sequence *s)
{
    qeff_free(s->ids);
    qeff_free(s->words);
    qeff_free(s->spans);
    qeff_free(s->trims);
    *s = (qeff_sequence){0};
}
