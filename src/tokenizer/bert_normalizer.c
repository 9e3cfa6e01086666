/* bert_normalizer.c - BertNormalizer in one pass over the text.
 *
 * The reference runs four passes, each over the result of the one before:
 *   clean    drops control characters, turns White_Space into ' '
 *   chinese  puts a space on either side of each ideograph
 *   accents  NFD (Unicode 9), then drops Mn (Unicode 8)
 *   lower    per character
 * Here a character goes through all of them at once. Only canonical ordering looks at more than
 * one: its characters wait in the forms, and their spans in the queue, because ordering moves
 * characters but not the spans that they are counted against. */
#include "tokenizer/normalizer.h"
#include "tokenizer/unicode.h"

#include <string.h>

typedef struct bert_pass {
    const qeff_normalizer_step *step;
    qeff_normalized *out;
    qeff_normalizer_workspace *workspace;
    qeff_span last; /* span of the character that the queue gave last */
} bert_pass;

static void finish_char(bert_pass *pass, uint32_t c, qeff_span span)
{
    const uint8_t flags = qeff_unicode_flags(c);
    if (pass->step->bert.accents && (flags & QEFF_UNICODE_MN8)) return;
    if (pass->step->bert.lowercase && (flags & QEFF_UNICODE_LOWER)) {
        qeff_normalized_append(pass->out, qeff_unicode_lower(c), span);
        if (c == 0x130) qeff_normalized_append(pass->out, 0x307, span);
        return;
    }
    qeff_normalized_append(pass->out, c, span);
}

static void finish_form_char(void *ctx, uint32_t c, int32_t change)
{
    bert_pass *pass = ctx;
    qeff_normalizer_workspace *w = pass->workspace;
    if (change <= 0 && w->queue_head < w->queue_size) pass->last = w->queue[w->queue_head++];
    finish_char(pass, c, pass->last);
}

static void decompose_char(bert_pass *pass, uint32_t c, qeff_span span)
{
    qeff_normalizer_workspace *w = pass->workspace;
    if (!pass->step->bert.accents ||
        (w->forms.n_marks == 0 && !(qeff_unicode_flags(c) & QEFF_UNICODE_NFX))) {
        finish_char(pass, c, span);
        return;
    }
    if (w->queue_head == w->queue_size) w->queue_head = w->queue_size = 0;
    qeff_span *moved = qeff_grow(w->queue, w->queue_size, &w->queue_capacity, sizeof *moved);
    if (!moved) {
        w->failed = true;
        return;
    }
    w->queue = moved;
    w->queue[w->queue_size++] = span;
    qeff_forms_push(&w->forms, c);
}

static void clean_char(bert_pass *pass, uint32_t c, qeff_span span)
{
    if (pass->step->bert.clean) {
        const uint8_t flags = qeff_unicode_flags(c);
        if (flags & QEFF_UNICODE_CLEAN) return;
        if (flags & QEFF_UNICODE_SPACE) c = ' ';
    }
    if (pass->step->bert.chinese && qeff_unicode_is_chinese(c)) {
        decompose_char(pass, ' ', span);
        decompose_char(pass, c, span);
        decompose_char(pass, ' ', span);
        return;
    }
    decompose_char(pass, c, span);
}

/* ASCII from `reader` on: no character of it meets another, so a table does. */
static void append_ascii(bert_pass *pass, qeff_reader *reader, size_t n)
{
    qeff_normalized *out = pass->out;
    const uint8_t *map = pass->step->bert.ascii;
    if (!qeff_normalized_reserve(out, n)) return;
    const unsigned char *in = (const unsigned char *)reader->view.data + reader->at;
    const qeff_span *spans = reader->view.spans;
    size_t size = out->size;
    for (size_t i = 0; i < n; i++) {
        const uint8_t c = map[in[i]];
        out->data[size] = (char)c;
        if (out->aligned) {
            const int32_t at = reader->next + (int32_t)i;
            out->spans[size] = spans ? spans[reader->at + i] : (qeff_span){at, at + 1};
        }
        size += c != QEFF_BERT_DROP;
    }
    out->size = size;
    reader->at += n;
    reader->next += (int32_t)n;
}

static size_t count_ascii(const char *data, size_t size)
{
    size_t n = 0;
    for (uint64_t word = 0; n + 8 <= size; n += 8) {
        memcpy(&word, data + n, 8);
        if (word & 0x8080808080808080u) break;
    }
    while (n < size && (unsigned char)data[n] < 0x80)
        n++;
    return n;
}

void qeff_bert_normalizer_apply(const qeff_normalizer_step *step, qeff_view in,
                                qeff_normalized *out, qeff_normalizer_workspace *workspace)
{
    bert_pass pass = {.step = step, .out = out, .workspace = workspace};
    qeff_forms *forms = &workspace->forms;
    forms->compatible = forms->compose = false;
    forms->sink = finish_form_char;
    forms->ctx = &pass;
    workspace->queue_head = workspace->queue_size = 0;
    qeff_reader reader = qeff_reader_of(in);
    while (reader.at < in.size && !out->failed) {
        const size_t n = count_ascii(in.data + reader.at, in.size - reader.at);
        /* A mark that waits may be followed by more marks only if all of the ASCII is dropped. */
        if (n > 0 && forms->n_marks == 0) {
            append_ascii(&pass, &reader, n);
            continue;
        }
        uint32_t c = 0;
        if (qeff_reader_next(&reader, &c)) clean_char(&pass, c, reader.span);
    }
    qeff_forms_flush(forms);
    forms->sink = NULL;
    forms->ctx = NULL;
}

void qeff_bert_normalizer_init(qeff_normalizer_step *step)
{
    step->apply = qeff_bert_normalizer_apply;
    for (uint32_t c = 0; c < 128; c++) {
        const uint8_t flags = qeff_unicode_flags(c);
        uint32_t to = c;
        if (step->bert.clean && (flags & QEFF_UNICODE_CLEAN))
            to = QEFF_BERT_DROP;
        else if (step->bert.clean && (flags & QEFF_UNICODE_SPACE))
            to = ' ';
        else if (step->bert.lowercase)
            to = qeff_unicode_lower(c);
        step->bert.ascii[c] = (uint8_t)to;
    }
}
