/* pre_tokenizer.c - splitting at classes of characters.
 *
 * Reference: pre_tokenizers/ and NormalizedString::split of tokenizers. A text is a row of parts:
 * each splitting character alone, and the runs between them; the behavior says which parts are
 * kept and which are joined to the part before. "--the-final--countdown-" split at '-':
 *   Removed             the final countdown
 *   Isolated            - - the - final - - countdown -
 *   MergedWithPrevious  - - the- final- - countdown-
 *   MergedWithNext      - -the -final - -countdown -
 *   Contiguous          -- the - final -- countdown - */
#include "tokenizer/pre_tokenizer.h"

#include "base/error.h"
#include "base/span.h"
#include "base/utf8.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/unicode.h"

void qeff_ranges_clear(qeff_ranges *ranges)
{
    ranges->n = 0;
    ranges->failed = false;
}

void qeff_ranges_append(qeff_ranges *ranges, size_t begin, size_t end)
{
    if (begin >= end) return;
    if (ranges->n == ranges->capacity) {
        void *moved = qeff_grow(ranges->items, ranges->n, &ranges->capacity, sizeof(qeff_range));
        if (!moved) {
            ranges->failed = true;
            return;
        }
        ranges->items = moved;
    }
    ranges->items[ranges->n++] = (qeff_range){(uint32_t)begin, (uint32_t)end};
}

void qeff_ranges_deinit(qeff_ranges *ranges)
{
    qeff_free(ranges->items);
    *ranges = (qeff_ranges){0};
}

static inline size_t decode(const char *text, size_t at, size_t end, uint32_t *c)
{
    *c = (unsigned char)text[at];
    return *c < 0x80 ? 1 : qeff_utf8_decode(text + at, end - at, c);
}

void qeff_pre_tokenizer_split_bert(const qeff_pre_tokenizer_step *step, const char *text,
                                   qeff_range piece, qeff_ranges *out)
{
    (void)step;
    size_t begin = piece.begin, at = piece.begin;
    while (at < piece.end) {
        uint32_t c = 0;
        const size_t n = decode(text, at, piece.end, &c);
        const uint8_t flags = qeff_unicode_flags(c);
        if (flags & (QEFF_UNICODE_SPACE | QEFF_UNICODE_PUNCT)) {
            qeff_ranges_append(out, begin, at);
            if (!(flags & QEFF_UNICODE_SPACE)) qeff_ranges_append(out, at, at + n);
            begin = at + n;
        }
        at += n;
    }
    qeff_ranges_append(out, begin, at);
}

/* Keeps \w+ and [^\w\s]+. */
static void split_words(const qeff_pre_tokenizer_step *step, const char *text, qeff_range piece,
                        qeff_ranges *out)
{
    (void)step;
    const uint8_t mask = QEFF_UNICODE_SPACE | QEFF_UNICODE_WORD;
    size_t begin = piece.begin, at = piece.begin;
    uint8_t before = QEFF_UNICODE_SPACE;
    while (at < piece.end) {
        uint32_t c = 0;
        const size_t n = decode(text, at, piece.end, &c);
        const uint8_t flags = qeff_unicode_flags(c) & mask;
        if (flags != before) {
            if (before != QEFF_UNICODE_SPACE) qeff_ranges_append(out, begin, at);
            begin = at;
            before = flags;
        }
        at += n;
    }
    if (before != QEFF_UNICODE_SPACE) qeff_ranges_append(out, begin, at);
}

/* One part of the row; `first` is where the output of this piece starts. */
static void append_part(qeff_split_behavior behavior, qeff_range part, bool splits, bool before,
                        size_t first, qeff_ranges *out)
{
    bool joins = false;
    switch (behavior) {
    case QEFF_SPLIT_REMOVED:
        if (splits) return;
        break;
    case QEFF_SPLIT_ISOLATED:
        break;
    case QEFF_SPLIT_MERGED_WITH_PREVIOUS:
        joins = splits && !before;
        break;
    case QEFF_SPLIT_MERGED_WITH_NEXT:
        joins = !splits && before;
        break;
    case QEFF_SPLIT_CONTIGUOUS:
        joins = splits && before;
        break;
    }
    if (joins && out->n > first)
        out->items[out->n - 1].end = part.end;
    else
        qeff_ranges_append(out, part.begin, part.end);
}

static void
split_at(const qeff_pre_tokenizer_step *step, const char *text, qeff_range piece, qeff_ranges *out)
{
    const size_t first = out->n;
    size_t begin = piece.begin;
    bool before = false;
    for (size_t at = piece.begin; at < piece.end;) {
        uint32_t c = 0;
        const size_t n = decode(text, at, piece.end, &c);
        const bool splits =
            step->flags ? (qeff_unicode_flags(c) & step->flags) != 0 : c == step->character;
        if (splits) {
            if (begin < at) {
                append_part(step->behavior, (qeff_range){(uint32_t)begin, (uint32_t)at}, false,
                            before, first, out);
                before = false;
            }
            begin = at + n;
            append_part(step->behavior, (qeff_range){(uint32_t)at, (uint32_t)begin}, true, before,
                        first, out);
            before = true;
        }
        at += n;
    }
    if (begin < piece.end)
        append_part(step->behavior, (qeff_range){(uint32_t)begin, piece.end}, false, before, first,
                    out);
}

void qeff_pre_tokenizer_run(const qeff_pre_tokenizer *pre_tokenizer, const char *text,
                            qeff_range piece, qeff_ranges ranges[2], qeff_ranges **result)
{
    *result = &ranges[0];
    qeff_ranges_clear(&ranges[0]);
    qeff_ranges_append(&ranges[0], piece.begin, piece.end);
    for (size_t i = 0; i < pre_tokenizer->n; i++) {
        const qeff_pre_tokenizer_step *step = &pre_tokenizer->steps[i];
        qeff_ranges *in = &ranges[i % 2], *out = &ranges[(i + 1) % 2];
        qeff_ranges_clear(out);
        for (size_t k = 0; k < in->n; k++)
            step->split(step, text, in->items[k], out);
        out->failed |= in->failed;
        *result = out;
    }
}

/* ---- reading ---- */

typedef struct read_list {
    qeff_pre_tokenizer_step steps[QEFF_SEQUENCE_STEPS_MAX];
    size_t n;
} read_list;

static qeff_status read_behavior(qeff_json json, qeff_pre_tokenizer_step *step, qeff_error *err)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    qeff_str behavior = QEFF_STR("Isolated");
    QEFF_TRY(qeff_json_optional_str(json, "behavior", &behavior, err));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!qeff_str_is(behavior, names[i])) continue;
        step->behavior = (qeff_split_behavior)i;
        return QEFF_OK;
    }
    return qeff_fail(err, QEFF_ERR_FORMAT, "unknown behavior '%.*s'", QEFF_STR_ARGS(behavior));
}

static qeff_status read_delimiter(qeff_json json, qeff_pre_tokenizer_step *step, qeff_error *err)
{
    qeff_str text = {NULL, 0};
    QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "delimiter"), &text, err));
    if (qeff_utf8_length(text) != 1)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key 'delimiter': expected one character");
    (void)qeff_utf8_decode(text.data, text.size, &step->character);
    return QEFF_OK;
}

typedef struct step_type {
    const char *name;
    qeff_status (*read)(qeff_json json, qeff_pre_tokenizer_step *step, qeff_error *err);
    qeff_pre_tokenizer_step step;
} step_type;

static const step_type types[] = {
    {"BertPreTokenizer", NULL, {.split = qeff_pre_tokenizer_split_bert}},
    {"Whitespace", NULL, {.split = split_words}},
    {"WhitespaceSplit", NULL, {.split = split_at, .flags = QEFF_UNICODE_SPACE}},
    {"Punctuation", read_behavior, {.split = split_at, .flags = QEFF_UNICODE_PUNCT}},
    {"CharDelimiterSplit", read_delimiter, {.split = split_at}},
    {"Delimiter", read_delimiter, {.split = split_at}},
};

static qeff_status read_any(qeff_json json, size_t depth, read_list *list, qeff_error *err);

static qeff_status read_sequence(qeff_json json, size_t depth, read_list *list, qeff_error *err)
{
    const qeff_json steps = qeff_json_find(json, "pretokenizers");
    QEFF_TRY(qeff_json_expect(steps, QEFF_JSON_ARRAY, err));
    if (depth >= QEFF_SEQUENCE_DEPTH_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "sequences nested deeper than %d",
                         QEFF_SEQUENCE_DEPTH_MAX);
    for (size_t i = 0; i < qeff_json_count(steps); i++)
        QEFF_TRY(read_any(qeff_json_at(steps, i), depth + 1, list, err));
    return QEFF_OK;
}

static qeff_status read_any(qeff_json json, size_t depth, read_list *list, qeff_error *err)
{
    qeff_str type = {NULL, 0};
    QEFF_TRY(qeff_json_expect(json, QEFF_JSON_OBJECT, err));
    QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "type"), &type, err));
    if (qeff_str_is(type, "Sequence")) return read_sequence(json, depth, list, err);
    if (list->n == QEFF_SEQUENCE_STEPS_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "more than %d steps", QEFF_SEQUENCE_STEPS_MAX);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (!qeff_str_is(type, types[i].name)) continue;
        qeff_pre_tokenizer_step *step = &list->steps[list->n++];
        *step = types[i].step;
        return types[i].read ? types[i].read(json, step, err) : QEFF_OK;
    }
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "unknown pre-tokenizer '%.*s'",
                     QEFF_STR_ARGS(type));
}

qeff_status
qeff_pre_tokenizer_read(qeff_json json, qeff_arena *arena, qeff_pre_tokenizer *out, qeff_error *err)
{
    read_list list;
    list.n = 0;
    const qeff_json_kind kind = qeff_json_kind_of(json);
    if (kind != QEFF_JSON_MISSING && kind != QEFF_JSON_NULL)
        QEFF_TRY(read_any(json, 0, &list, err));
    *out = (qeff_pre_tokenizer){qeff_arena_array(arena, list.n, sizeof *out->steps), list.n};
    if (!out->steps) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < list.n; i++)
        out->steps[i] = list.steps[i];
    return QEFF_OK;
}
