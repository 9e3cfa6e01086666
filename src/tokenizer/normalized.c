/* normalized.c - aligned text: growth, reading, and the alignment rule of
 * NormalizedString::transform of the reference. */
#include "tokenizer/normalized.h"

#include "base/alloc.h"
#include "base/checked.h"
#include "base/utf8.h"

void qeff_normalized_clear(qeff_normalized *text, bool aligned)
{
    text->size = 0;
    text->aligned = aligned;
    text->failed = false;
}

void qeff_normalized_deinit(qeff_normalized *text)
{
    qeff_free(text->data);
    qeff_free(text->spans);
    *text = (qeff_normalized){0};
}

static bool grow(void **block, size_t *capacity, size_t need, size_t item_size)
{
    if (need <= *capacity) return true;
    size_t wanted = *capacity < 256 ? 256 : *capacity, bytes = 0;
    while (wanted < need)
        if (!qeff_mul_size(wanted, 2, &wanted)) wanted = need;
    if (!qeff_mul_size(wanted, item_size, &bytes)) return false;
    void *moved = qeff_realloc(*block, bytes);
    if (!moved) return false;
    *block = moved;
    *capacity = wanted;
    return true;
}

bool qeff_normalized_reserve(qeff_normalized *text, size_t size)
{
    size_t need = 0;
    void *data = text->data, *spans = text->spans;
    bool done = !text->failed && qeff_add_size(text->size, size, &need) &&
                grow(&data, &text->capacity, need, 1);
    text->data = data;
    if (done && text->aligned) done = grow(&spans, &text->span_capacity, need, sizeof(qeff_span));
    text->spans = spans;
    text->failed = !done;
    return done;
}

void qeff_normalized_append(qeff_normalized *text, uint32_t c, qeff_span span)
{
    const bool fits =
        text->capacity - text->size >= 4 &&
        (!text->aligned || (text->span_capacity >= 4 && text->span_capacity - 4 >= text->size));
    if (!fits && !qeff_normalized_reserve(text, 4)) return;
    const size_t n = qeff_utf8_encode(c, text->data + text->size);
    if (text->aligned)
        for (size_t i = 0; i < n; i++)
            text->spans[text->size + i] = span;
    text->size += n;
}

qeff_view qeff_normalized_view(const qeff_normalized *text)
{
    return (qeff_view){text->data, text->size, text->aligned ? text->spans : NULL, 0};
}

qeff_reader qeff_reader_of(qeff_view view)
{
    return (qeff_reader){.view = view, .next = view.first, .span = {view.first, view.first}};
}

bool qeff_reader_next(qeff_reader *reader, uint32_t *c)
{
    const qeff_view *view = &reader->view;
    if (reader->at >= view->size) return false;
    if (view->spans)
        reader->span = view->spans[reader->at];
    else
        reader->span = (qeff_span){reader->next, reader->next + 1};
    reader->next++;
    const unsigned char lead = (unsigned char)view->data[reader->at];
    if (lead < 0x80) {
        *c = lead;
        reader->at++;
    } else {
        reader->at += qeff_utf8_decode(view->data + reader->at, view->size - reader->at, c);
    }
    return true;
}

void qeff_transform_skip(qeff_transform *transform, size_t n)
{
    uint32_t dropped = 0;
    while (n > 0 && qeff_reader_next(&transform->reader, &dropped))
        n--;
}

void qeff_transform_append(qeff_transform *transform, uint32_t c, int32_t change)
{
    uint32_t replaced = 0;
    if (change <= 0) (void)qeff_reader_next(&transform->reader, &replaced);
    qeff_normalized_append(transform->out, c, transform->reader.span);
    if (change < 0) qeff_transform_skip(transform, (size_t)(-(int64_t)change));
}
