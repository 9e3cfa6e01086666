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

enum { TEXT_BYTES_MAX = 256 << 20, CACHE_FROM_BYTES = 64 << 10 };

typedef struct workspace {
    qeff_normalizer_workspace normalizer;
    qeff_ranges ranges[2];
    qeff_pieces pieces;
    qeff_hits hits[2];
    qeff_buffer repaired; /* the text with U+FFFD for what is no UTF-8 */
    qeff_sequence sequences[2];
    qeff_bert_buffer *buffer;
    qeff_word_cache *cache;
    size_t n_bytes;     /* encoded so far: little text is not worth a cache */
    size_t capacity;    /* of the result's arrays */
    qeff_span *offsets; /* [capacity]; the result's, also while it shows none */
} workspace;

/* One sequence on its way through the pipeline. */
typedef struct encoder {
    const qeff_tokenizer *tokenizer;
    workspace *w;
    qeff_sequence *out;
    bool aligned;    /* offsets are wanted */
    bool is_invalid; /* a part was found to be no UTF-8 */
    int32_t word;    /* words so far */
    qeff_error *err;
} encoder;

static qeff_status no_memory(qeff_error *err)
{
    return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

/* What RobertaProcessing takes for white space in a token: GPT-2's mark for a space, too. */
static bool is_trimmed(uint32_t c)
{
    return c == 0x120 || qeff_unicode_is_space(c);
}

static qeff_trim count_trimmed(qeff_str text)
{
    bool is_leading = true;
    qeff_trim trim = {0, 0};
    for (size_t i = 0; i < text.size;) {
        uint32_t c = 0;
        i += qeff_utf8_decode(text.data + i, text.size - i, &c);
        const bool trimmed = is_trimmed(c);
        is_leading = is_leading && trimmed;
        trim.n_leading += is_leading;
        trim.n_trailing = trimmed ? trim.n_trailing + 1 : 0;
    }
    return trim;
}

/* Appends a token; `text` is what it covers. */
static bool push_token(encoder *e, int32_t id, qeff_str text, qeff_span span)
{
    if (!qeff_sequence_reserve(e->out, 1)) return false;
    qeff_sequence_put(e->out, id, e->word, span);
    return !e->tokenizer->post_processor.trim_offsets ||
           qeff_sequence_add_trim(e->out, count_trimmed(text));
}

static qeff_status
add_added_token(encoder *e, const qeff_added_token *token, qeff_str text, qeff_span span)
{
    if (!push_token(e, token->id, text, span)) return no_memory(e->err);
    e->word++;
    return QEFF_OK;
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
            const qeff_piece *piece_of_word = &pieces->items[k];
            qeff_span span = {0, 0};
            if (e->aligned) {
                span.begin = text.spans[word.begin + piece_of_word->begin].begin;
                span.end = text.spans[word.begin + piece_of_word->end - 1].end;
            }
            if (!push_token(e, piece_of_word->id,
                            qeff_tokenizer_token(e->tokenizer, piece_of_word->id), span))
                return no_memory(e->err);
        }
        e->word++;
    }
    return QEFF_OK;
}

static qeff_status add_text_in_steps(encoder *e, qeff_view original)
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

/* In one pass, where the tokenizer is a usual one; the steps take over where they have to. */
static qeff_status add_text(encoder *e, qeff_view original)
{
    const qeff_tokenizer *t = e->tokenizer;
    workspace *w = e->w;
    if (!t->is_bert) return add_text_in_steps(e, original);
    qeff_bert_pass pass = {.words = &t->bert,
                           .model = &t->model,
                           .text = {original.data, original.size},
                           .index = original.first,
                           .word = e->word,
                           .out = e->out,
                           .cache = w->cache,
                           .buffer = w->buffer,
                           .pieces = &w->pieces,
                           .err = e->err};
    for (size_t end = 0;;) {
        const qeff_bert_stop stop = qeff_bert_pass_run(&pass, &end);
        const qeff_str segment = {original.data + pass.at, end - pass.at};
        e->word = pass.word;
        if (stop == QEFF_BERT_END) return QEFF_OK;
        if (stop == QEFF_BERT_FAILED) return pass.status;
        e->is_invalid = stop == QEFF_BERT_INVALID || !qeff_utf8_is_valid(segment);
        if (e->is_invalid) return QEFF_OK;
        QEFF_TRY(add_text_in_steps(
            e, (qeff_view){.data = segment.data, .size = segment.size, .first = pass.index}));
        pass.word = e->word;
        pass.index += count_chars(segment, 0, segment.size);
        pass.at = end;
    }
}

/* The parts of a text in which added tokens were found. */
static qeff_status add_parts(encoder *e, qeff_str text)
{
    qeff_cutter cutter = {.tokens = &e->tokenizer->added,
                          .pass = &e->tokenizer->added.passes[0],
                          .text = text,
                          .hits = &e->w->hits[0]};
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

/* The text itself, or a copy with U+FFFD for each invalid part. */
static qeff_status repair_text(workspace *w, qeff_str *text, qeff_error *err)
{
    if (qeff_utf8_is_valid(*text)) return QEFF_OK;
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

static qeff_status find_added_tokens(encoder *e, qeff_str text)
{
    const qeff_matcher *matcher = &e->tokenizer->added.passes[0].matcher;
    const bool done = qeff_matcher_scan(matcher, text.data, text.size, &e->w->hits[0]);
    return done ? QEFF_OK : no_memory(e->err);
}

static qeff_status encode_sequence(encoder *e, qeff_str text)
{
    const qeff_str given = text;
    const qeff_hits *hits = &e->w->hits[0];
    if (text.size == 0) return QEFF_OK;
    if (text.size > TEXT_BYTES_MAX)
        return qeff_fail(e->err, QEFF_ERR_CAPACITY, "text of %zu bytes, expected at most %d",
                         text.size, TEXT_BYTES_MAX);
    QEFF_TRY(find_added_tokens(e, text));
    if (hits->n == 0 && e->tokenizer->is_bert) { /* the pass finds what is no UTF-8 by itself */
        QEFF_TRY(add_text(e, (qeff_view){.data = text.data, .size = text.size}));
        if (!e->is_invalid) return QEFF_OK;
        e->out->n = 0;
        e->word = 0;
        e->is_invalid = false;
    }
    QEFF_TRY(repair_text(e->w, &text, e->err));
    if (text.data != given.data) QEFF_TRY(find_added_tokens(e, text));
    return add_parts(e, text);
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
static qeff_status plan_truncation(const qeff_sequence *s, const qeff_encode_options *o,
                                   size_t n_added, size_t keep[2], qeff_error *err)
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

/* RobertaProcessing: a span leaves out the white space at either end of its token. */
static void trim_offsets(const qeff_tokenizer *t, const qeff_sequence *s, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) {
        qeff_span *span = &s->spans[i];
        uint32_t n_leading = s->trims[i].n_leading, n_trailing = s->trims[i].n_trailing;
        if (n_leading > 0) {
            const bool is_first = i == first || span->begin == 0;
            /* A single space there is the one that add_prefix_space put. */
            if (is_first && t->post_processor.add_prefix_space && n_leading == 1) n_leading = 0;
            const int64_t begin = (int64_t)span->begin + n_leading;
            span->begin = begin < span->end ? (int32_t)begin : span->end;
        }
        if (n_trailing > 0 && (int64_t)span->end >= (int64_t)n_trailing) {
            const int64_t end = (int64_t)span->end - n_trailing;
            span->end = end > span->begin ? (int32_t)end : span->begin;
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

/* Appends `n` tokens that are not from a text. */
static void put_special(qeff_encoding *out, const workspace *w, size_t n, int32_t id,
                        int32_t type_id, bool is_padding)
{
    for (size_t end = out->n + n; out->n < end; out->n++) {
        out->ids[out->n] = id;
        out->type_ids[out->n] = type_id;
        out->word_ids[out->n] = -1;
        w->offsets[out->n] = (qeff_span){0, 0};
        out->special_mask[out->n] = 1;
        out->attention_mask[out->n] = !is_padding;
    }
}

static void put_sequence(qeff_encoding *out, const workspace *w, const qeff_sequence *s,
                         size_t first, size_t n, int32_t type_id)
{
    const size_t at = out->n;
    if (n == 0) return;
    memcpy(out->ids + at, s->ids + first, n * sizeof *s->ids);
    memcpy(out->word_ids + at, s->words + first, n * sizeof *s->words);
    memcpy(w->offsets + at, s->spans + first, n * sizeof *s->spans);
    memset(out->special_mask + at, 0, n);
    memset(out->attention_mask + at, 1, n);
    for (size_t i = at; i < at + n; i++)
        out->type_ids[i] = type_id;
    out->n += n;
}

static void fill_template(qeff_encoding *out, const workspace *w, const qeff_template *template,
                          const size_t first[2], const size_t keep[2], bool with_special)
{
    for (size_t i = 0; i < template->n; i++) {
        const qeff_template_item *item = &template->items[i];
        const int s = item->kind == QEFF_TEMPLATE_B;
        if (item->kind != QEFF_TEMPLATE_TOKEN)
            put_sequence(out, w, &w->sequences[s], first[s], keep[s], item->type_id);
        else if (with_special)
            put_special(out, w, 1, item->id, item->type_id, false);
    }
}

static void fill_padding(qeff_encoding *out, const workspace *w, const qeff_tokenizer *t, size_t n)
{
    const int32_t pad = t->special[QEFF_TOKEN_PAD] < 0 ? 0 : t->special[QEFF_TOKEN_PAD];
    put_special(out, w, n, pad, t->pad_type_id, true);
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
    const qeff_sequence *s = w->sequences;
    size_t keep[2], first[2];
    QEFF_TRY(plan_truncation(s, o, with_special ? template->n_added : 0, keep, err));
    for (int i = 0; i < 2; i++) {
        first[i] = o->truncate_left ? s[i].n - keep[i] : 0;
        if (t->post_processor.trim_offsets) trim_offsets(t, &s[i], first[i], keep[i]);
    }
    size_t n = with_special ? template->n_added : 0;
    for (size_t i = 0; i < template->n; i++) {
        const qeff_template_kind kind = template->items[i].kind;
        if (kind != QEFF_TEMPLATE_TOKEN) n += keep[kind == QEFF_TEMPLATE_B];
    }
    const size_t padded = padded_length(n, o);
    if (padded < n || padded > INT32_MAX || !reserve(out, w, padded)) return no_memory(err);
    if (o->pad_left) fill_padding(out, w, t, padded - n);
    fill_template(out, w, template, first, keep, with_special);
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

/* The memory of the pass. The cache comes once there was text enough, and belongs to the tokenizer
 * that it was last used with; without memory for it things are slower, no more. */
static bool prepare_pass(const qeff_tokenizer *t, workspace *w, size_t n_bytes)
{
    const uint64_t owner[3] = {t->digest[0], t->digest[1], t->model.vocab.id_limit};
    if (!w->buffer) w->buffer = qeff_alloc(sizeof *w->buffer);
    if (!w->buffer) return false;
    w->n_bytes = w->n_bytes > SIZE_MAX - n_bytes ? SIZE_MAX : w->n_bytes + n_bytes;
    if (!w->cache && w->n_bytes >= CACHE_FROM_BYTES) w->cache = qeff_alloc_zeroed(sizeof *w->cache);
    if (w->cache && memcmp(w->cache->owner, owner, sizeof owner) != 0) {
        memset(w->cache, 0, sizeof *w->cache);
        memcpy(w->cache->owner, owner, sizeof owner);
    }
    return true;
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
    if (tokenizer->is_bert && !prepare_pass(tokenizer, w, text.size)) return no_memory(err);
    for (int i = 0; !status && i < (o.pair ? 2 : 1); i++) {
        encoder e = {.tokenizer = tokenizer,
                     .w = w,
                     .out = &w->sequences[i],
                     .aligned = !o.no_offsets,
                     .err = err};
        status = encode_sequence(&e, i ? *o.pair : text);
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
            qeff_sequence_deinit(&w->sequences[i]);
        }
        qeff_pieces_deinit(&w->pieces);
        qeff_buffer_deinit(&w->repaired);
        qeff_free(w->offsets);
        qeff_free(w->buffer);
        qeff_free(w->cache);
    }
    qeff_free(w);
    *encoding = (qeff_encoding){0};
}
