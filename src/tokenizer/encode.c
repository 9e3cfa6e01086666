/* encode.c - text to ids: the pipeline of the reference's TokenizerImpl::encode.
 *
 *   text ─ added tokens [0] ─┬─ token ──────────────────────────────────────────────┐
 *                            └─ text ─ normalizer ─ added tokens [1] ─┬─ token ─────┤
 *                                                                     └─ words ─ model ─ tokens
 *   tokens of A (and B) ─ truncation ─ template ─ padding
 *
 * A record's workspace keeps all memory between calls. */
#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/span.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unicode.h"

enum { TEXT_BYTES_MAX = 256 << 20 };

/* A token before the template. */
typedef struct raw_token {
    int32_t id;
    int32_t word;
    qeff_span span;
    bool is_added;
    uint32_t n_leading, n_trailing; /* white space in an added token's own text */
} raw_token;

typedef struct sequence {
    raw_token *items;
    size_t n, capacity;
} sequence;

typedef struct workspace {
    qeff_normalizer_workspace normalizer;
    qeff_ranges ranges[2];
    qeff_pieces pieces;
    qeff_hits hits[2];
    qeff_buffer repaired; /* the text with U+FFFD for what is no UTF-8 */
    sequence sequences[2];
    size_t capacity;    /* of the result's arrays */
    qeff_span *offsets; /* [capacity]; the result's, also while it shows none */
} workspace;

/* One sequence on its way through the pipeline. */
typedef struct encoder {
    const qeff_tokenizer *tokenizer;
    workspace *w;
    sequence *out;
    bool aligned; /* offsets are wanted */
    int32_t word; /* words so far */
    qeff_error *err;
} encoder;

static qeff_status no_memory(qeff_error *err)
{
    return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

static bool push_token(sequence *s, raw_token token)
{
    if (s->n == s->capacity) {
        void *moved = qeff_grow(s->items, s->n, &s->capacity, sizeof token);
        if (!moved) return false;
        s->items = moved;
    }
    s->items[s->n++] = token;
    return true;
}

/* What RobertaProcessing takes for white space in a token: GPT-2's mark for a space, too. */
static bool is_trimmed(uint32_t c)
{
    return c == 0x120 || qeff_unicode_is_space(c);
}

static void count_trimmed(qeff_str text, uint32_t *n_leading, uint32_t *n_trailing)
{
    bool is_leading = true;
    *n_leading = *n_trailing = 0;
    for (size_t i = 0; i < text.size;) {
        uint32_t c = 0;
        i += qeff_utf8_decode(text.data + i, text.size - i, &c);
        const bool trimmed = is_trimmed(c);
        is_leading = is_leading && trimmed;
        *n_leading += is_leading;
        *n_trailing = trimmed ? *n_trailing + 1 : 0;
    }
}

static qeff_status
add_added_token(encoder *e, const qeff_added_token *token, qeff_str text, qeff_span span)
{
    raw_token raw = {.id = token->id, .word = e->word++, .span = span, .is_added = true};
    if (e->tokenizer->post_processor.trim_offsets)
        count_trimmed(text, &raw.n_leading, &raw.n_trailing);
    return push_token(e->out, raw) ? QEFF_OK : no_memory(e->err);
}

/* Words of [begin, end) of normalized text, and their tokens. */
static qeff_status add_words(encoder *e, qeff_view text, size_t begin, size_t end)
{
    const qeff_token_model *model = &e->tokenizer->model;
    qeff_pieces *pieces = &e->w->pieces;
    qeff_ranges *words = NULL;
    const qeff_range piece = {(uint32_t)begin, (uint32_t)end};
    qeff_pre_tokenizer_run(&e->tokenizer->pre_tokenizer, text.data, piece, e->w->ranges, &words);
    if (words->failed) return no_memory(e->err);
    for (size_t i = 0; i < words->n; i++) {
        const qeff_range word = words->items[i];
        pieces->n = 0;
        QEFF_TRY(model->tokenize(model, (qeff_str){text.data + word.begin, word.end - word.begin},
                                 pieces, e->err));
        for (size_t k = 0; k < pieces->n; k++) {
            raw_token raw = {.id = pieces->items[k].id, .word = e->word};
            if (e->aligned) {
                raw.span.begin = text.spans[word.begin + pieces->items[k].begin].begin;
                raw.span.end = text.spans[word.begin + pieces->items[k].end - 1].end;
            }
            if (!push_token(e->out, raw)) return no_memory(e->err);
        }
        e->word++;
    }
    return QEFF_OK;
}

static qeff_status add_text(encoder *e, qeff_view original)
{
    const qeff_tokenizer *t = e->tokenizer;
    const qeff_view text =
        qeff_normalizer_run(&t->normalizer, original, e->aligned, &e->w->normalizer);
    if (e->w->normalizer.failed) return no_memory(e->err);
    qeff_hits *hits = &e->w->hits[1];
    if (!qeff_matcher_scan(&t->added.passes[1].matcher, text.data, text.size, hits))
        return no_memory(e->err);
    if (hits->n == 0) return add_words(e, text, 0, text.size);
    qeff_cutter cutter = {.tokens = &t->added,
                          .pass = &t->added.passes[1],
                          .text = {text.data, text.size},
                          .hits = hits};
    for (qeff_text_part part; qeff_cutter_next(&cutter, &part);) {
        if (!part.token) {
            QEFF_TRY(add_words(e, text, part.begin, part.end));
            continue;
        }
        qeff_span span = {0, 0};
        if (e->aligned)
            span = (qeff_span){text.spans[part.begin].begin, text.spans[part.end - 1].end};
        QEFF_TRY(add_added_token(e, part.token,
                                 (qeff_str){text.data + part.begin, part.end - part.begin}, span));
    }
    return QEFF_OK;
}

/* Characters of [from, to), for text that is valid UTF-8. */
static int32_t count_chars(qeff_str text, size_t from, size_t to)
{
    int32_t n = 0;
    for (size_t i = from; i < to; i++)
        n += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return n;
}

static qeff_status encode_sequence(encoder *e, qeff_str text)
{
    const qeff_tokenizer *t = e->tokenizer;
    qeff_hits *hits = &e->w->hits[0];
    if (!qeff_matcher_scan(&t->added.passes[0].matcher, text.data, text.size, hits))
        return no_memory(e->err);
    qeff_cutter cutter = {
        .tokens = &t->added, .pass = &t->added.passes[0], .text = text, .hits = hits};
    /* Character indices of the last part's start and end; starts never go back. */
    size_t begin_at = 0, end_at = 0;
    int32_t begin = 0, end = 0;
    for (qeff_text_part part; qeff_cutter_next(&cutter, &part);) {
        if (e->aligned) {
            begin += count_chars(text, begin_at, part.begin);
            if (end_at <= part.begin || end_at > part.end) {
                end_at = part.begin;
                end = begin;
            }
            end += count_chars(text, end_at, part.end);
            begin_at = part.begin;
            end_at = part.end;
        }
        const qeff_str bytes = {text.data + part.begin, part.end - part.begin};
        if (part.token)
            QEFF_TRY(add_added_token(e, part.token, bytes, (qeff_span){begin, end}));
        else
            QEFF_TRY(
                add_text(e, (qeff_view){.data = bytes.data, .size = bytes.size, .first = begin}));
    }
    return QEFF_OK;
}

static bool is_valid_utf8(qeff_str text)
{
    size_t at = 0;
    for (uint64_t word = 0; at + 8 <= text.size; at += 8) {
        memcpy(&word, text.data + at, 8);
        if (word & 0x8080808080808080u) break;
    }
    return qeff_utf8_is_valid((qeff_str){text.data + at, text.size - at});
}

/* The text itself, or a copy with U+FFFD for each invalid part. */
static qeff_status repair_text(workspace *w, qeff_str *text, qeff_error *err)
{
    if (text->size > TEXT_BYTES_MAX)
        return qeff_fail(err, QEFF_ERR_CAPACITY, "text of %zu bytes, expected at most %d",
                         text->size, TEXT_BYTES_MAX);
    if (text->size == 0) text->data = "";
    if (is_valid_utf8(*text)) return QEFF_OK;
    w->repaired.size = 0;
    w->repaired.failed = false;
    for (size_t i = 0; i < text->size;) {
        uint32_t c = 0;
        char encoded[4];
        i += qeff_utf8_decode(text->data + i, text->size - i, &c);
        qeff_buffer_append(&w->repaired, encoded, qeff_utf8_encode(c, encoded));
    }
    QEFF_TRY(qeff_buffer_status(&w->repaired, err));
    *text = qeff_buffer_str(&w->repaired);
    return QEFF_OK;
}

/* ---- truncation ---- */

static void share_longest_first(size_t budget, size_t *a, size_t *b)
{
    const bool swap = *a > *b;
    size_t n1 = swap ? *b : *a;
    size_t n2 = n1 > budget || n1 > budget - n1 ? n1 : budget - n1;
    if (n1 + n2 > budget) {
        n1 = budget / 2;
        n2 = n1 + budget % 2;
    }
    *a = swap ? n2 : n1;
    *b = swap ? n1 : n2;
}

/* How many tokens of each sequence stay. */
static qeff_status plan_truncation(const sequence *s, const qeff_encode_options *o, size_t n_added,
                                   size_t keep[2], qeff_error *err)
{
    keep[0] = s[0].n;
    keep[1] = s[1].n;
    if (o->max_length == 0) return QEFF_OK;
    if (o->max_length < n_added)
        return qeff_fail(err, QEFF_ERR_INVALID,
                         "max_length %zu is below the %zu special tokens that are added",
                         o->max_length, n_added);
    const size_t budget = o->max_length - n_added, total = s[0].n + s[1].n;
    if (total <= budget) return QEFF_OK;
    if (budget == 0 || (o->strategy == QEFF_TRUNCATE_LONGEST_FIRST && !o->pair)) {
        keep[0] = budget;
        keep[1] = 0;
        return QEFF_OK;
    }
    if (o->strategy == QEFF_TRUNCATE_LONGEST_FIRST) {
        share_longest_first(budget, &keep[0], &keep[1]);
        return QEFF_OK;
    }
    const int target = o->strategy == QEFF_TRUNCATE_ONLY_SECOND;
    if (target == 1 && !o->pair)
        return qeff_fail(err, QEFF_ERR_INVALID, "there is no second sequence to truncate");
    if (s[target].n <= total - budget)
        return qeff_fail(err, QEFF_ERR_INVALID,
                         "cutting the %s sequence of %zu tokens alone cannot reach max_length %zu",
                         target ? "second" : "first", s[target].n, o->max_length);
    keep[target] -= total - budget;
    return QEFF_OK;
}

/* Drops tokens at the start or the end; the array stays where it is. */
static raw_token *truncated(const sequence *s, size_t keep, bool left)
{
    return s->n ? s->items + (left ? s->n - keep : 0) : NULL;
}

/* RobertaProcessing: a span leaves out the white space at either end of its token. */
static void trim_offsets(const qeff_tokenizer *t, raw_token *tokens, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        raw_token *k = &tokens[i];
        uint32_t n_leading = k->n_leading, n_trailing = k->n_trailing;
        if (!k->is_added) count_trimmed(qeff_tokenizer_token(t, k->id), &n_leading, &n_trailing);
        if (n_leading > 0) {
            const bool is_first = i == 0 || k->span.begin == 0;
            /* A single space there is the one that add_prefix_space put. */
            if (is_first && t->post_processor.add_prefix_space && n_leading == 1) n_leading = 0;
            const int64_t begin = (int64_t)k->span.begin + n_leading;
            k->span.begin = begin < k->span.end ? (int32_t)begin : k->span.end;
        }
        if (n_trailing > 0 && (int64_t)k->span.end >= (int64_t)n_trailing) {
            const int64_t end = (int64_t)k->span.end - n_trailing;
            k->span.end = end > k->span.begin ? (int32_t)end : k->span.begin;
        }
    }
}

/* ---- the result ---- */

static bool resize(void *array, size_t n, size_t item_size)
{
    size_t bytes = 0;
    void **block = array;
    if (!qeff_mul_size(n, item_size, &bytes)) return false;
    void *moved = qeff_realloc(*block, bytes);
    if (moved) *block = moved;
    return moved != NULL;
}

static bool reserve(qeff_encoding *out, workspace *w, size_t n)
{
    if (n <= w->capacity) return true;
    size_t wanted = w->capacity < 64 ? 64 : w->capacity;
    while (wanted < n)
        if (!qeff_mul_size(wanted, 2, &wanted)) wanted = n;
    void *blocks[] = {out->ids,   out->type_ids,     out->word_ids,
                      w->offsets, out->special_mask, out->attention_mask};
    static const size_t sizes[] = {
        sizeof(int32_t), sizeof(int32_t), sizeof(int32_t), sizeof(qeff_span), 1, 1};
    bool done = true;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        done = resize(&blocks[i], wanted, sizes[i]) && done;
    out->ids = blocks[0];
    out->type_ids = blocks[1];
    out->word_ids = blocks[2];
    w->offsets = blocks[3];
    out->special_mask = blocks[4];
    out->attention_mask = blocks[5];
    if (done) w->capacity = wanted;
    return done;
}

static void put(qeff_encoding *out, const workspace *w, int32_t id, int32_t type_id, int32_t word,
                qeff_span span, bool is_special, bool is_padding)
{
    const size_t i = out->n++;
    out->ids[i] = id;
    out->type_ids[i] = type_id;
    out->word_ids[i] = word;
    w->offsets[i] = span;
    out->special_mask[i] = is_special;
    out->attention_mask[i] = !is_padding;
}

static void fill_template(qeff_encoding *out, const workspace *w, const qeff_template *template,
                          raw_token *const tokens[2], const size_t keep[2], bool with_special)
{
    const qeff_span none = {0, 0};
    for (size_t i = 0; i < template->n; i++) {
        const qeff_template_item *item = &template->items[i];
        if (item->kind == QEFF_TEMPLATE_TOKEN) {
            if (with_special) put(out, w, item->id, item->type_id, -1, none, true, false);
            continue;
        }
        const int s = item->kind == QEFF_TEMPLATE_B;
        for (size_t k = 0; k < keep[s]; k++) {
            const raw_token *raw = &tokens[s][k];
            put(out, w, raw->id, item->type_id, raw->word, raw->span, false, false);
        }
    }
}

static void fill_padding(qeff_encoding *out, const workspace *w, const qeff_tokenizer *t, size_t n)
{
    const qeff_span none = {0, 0};
    const int32_t pad = t->special[QEFF_TOKEN_PAD] < 0 ? 0 : t->special[QEFF_TOKEN_PAD];
    for (size_t i = 0; i < n; i++)
        put(out, w, pad, t->pad_type_id, -1, none, true, true);
}

static size_t padded_length(size_t n, const qeff_encode_options *o)
{
    if (n < o->pad_to) n = o->pad_to;
    const size_t unit = o->pad_to_multiple_of;
    if (unit > 0 && n % unit > 0) n += unit - n % unit;
    return n;
}

static qeff_status finish(const qeff_tokenizer *t, const qeff_encode_options *o, workspace *w,
                          qeff_encoding *out, qeff_error *err)
{
    const qeff_template *template = o->pair ? &t->post_processor.pair : &t->post_processor.single;
    const bool with_special = !o->no_special_tokens;
    sequence *s = w->sequences;
    size_t keep[2];
    QEFF_TRY(plan_truncation(s, o, with_special ? template->n_added : 0, keep, err));
    raw_token *tokens[2];
    for (int i = 0; i < 2; i++) {
        tokens[i] = truncated(&s[i], keep[i], o->truncate_left);
        if (t->post_processor.trim_offsets) trim_offsets(t, tokens[i], keep[i]);
    }
    size_t n = with_special ? template->n_added : 0;
    for (size_t i = 0; i < template->n; i++) {
        const qeff_template_kind kind = template->items[i].kind;
        if (kind != QEFF_TEMPLATE_TOKEN) n += keep[kind == QEFF_TEMPLATE_B];
    }
    const size_t padded = padded_length(n, o);
    if (padded < n || padded > INT32_MAX || !reserve(out, w, padded)) return no_memory(err);
    if (o->pad_left) fill_padding(out, w, t, padded - n);
    fill_template(out, w, template, tokens, keep, with_special);
    if (!o->pad_left) fill_padding(out, w, t, padded - n);
    out->n_truncated = s[0].n - keep[0] + s[1].n - keep[1];
    out->offsets = o->no_offsets ? NULL : w->offsets;
    return QEFF_OK;
}

/* The options in force: the file's own truncation and padding, where they were asked for. */
static qeff_encode_options options_in_force(const qeff_tokenizer *t, const qeff_encode_options *o)
{
    qeff_encode_options options = o ? *o : (qeff_encode_options){0};
    if (!options.use_file_settings) return options;
    const qeff_encode_options *file = &t->file_options;
    options.max_length = file->max_length;
    options.strategy = file->strategy;
    options.truncate_left = file->truncate_left;
    options.pad_to = file->pad_to;
    options.pad_to_multiple_of = file->pad_to_multiple_of;
    options.pad_left = file->pad_left;
    return options;
}

qeff_status
qeff_tokenizer_encode(const qeff_tokenizer *tokenizer, qeff_str text,
                      const qeff_encode_options *options, qeff_encoding *out, qeff_error *err)
{
    const qeff_encode_options o = options_in_force(tokenizer, options);
    out->n = out->n_truncated = 0;
    out->offsets = NULL;
    if (!out->workspace) out->workspace = qeff_alloc_zeroed(sizeof(workspace));
    workspace *w = out->workspace;
    if (!w) return no_memory(err);
    qeff_status status = QEFF_OK;
    w->sequences[0].n = w->sequences[1].n = 0;
    for (int i = 0; !status && i < (o.pair ? 2 : 1); i++) {
        encoder e = {tokenizer, w, &w->sequences[i], !o.no_offsets, 0, err};
        qeff_str bytes = i ? *o.pair : text;
        status = repair_text(w, &bytes, err);
        if (!status) status = encode_sequence(&e, bytes);
    }
    if (!status) status = finish(tokenizer, &o, w, out, err);
    if (status) out->n = 0;
    return status;
}

void qeff_encoding_deinit(qeff_encoding *encoding)
{
    workspace *w = encoding->workspace;
    qeff_free(encoding->ids);
    qeff_free(encoding->type_ids);
    qeff_free(encoding->word_ids);
    qeff_free(encoding->special_mask);
    qeff_free(encoding->attention_mask);
    if (w) {
        qeff_normalizer_workspace_deinit(&w->normalizer);
        for (int i = 0; i < 2; i++) {
            qeff_ranges_deinit(&w->ranges[i]);
            qeff_hits_deinit(&w->hits[i]);
            qeff_free(w->sequences[i].items);
        }
        qeff_pieces_deinit(&w->pieces);
        qeff_buffer_deinit(&w->repaired);
        qeff_free(w->offsets);
    }
    qeff_free(w);
    *encoding = (qeff_encoding){0};
}
