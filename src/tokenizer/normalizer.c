/* normalizer.c - the normalizers other than BERT's, how all of them are read, and running them.
 *
 * Reference: normalizers/ of tokenizers. Spans follow qeff_transform, the reference's rule. */
#include "tokenizer/normalizer.h"

#include "base/error.h"
#include "base/span.h"
#include "base/utf8.h"
#include "tokenizer/unicode.h"

static void append_form_char(void *ctx, uint32_t c, int32_t change)
{
    qeff_transform_append(ctx, c, change);
}

static void apply_form(const qeff_normalizer_step *step, qeff_view in, qeff_normalized *out,
                       qeff_normalizer_workspace *workspace)
{
    qeff_transform transform = {qeff_reader_of(in), out};
    qeff_forms *forms = &workspace->forms;
    forms->compatible = step->form.compatible;
    forms->compose = step->form.compose;
    forms->sink = append_form_char;
    forms->ctx = &transform;
    uint32_t c = 0;
    for (qeff_reader reader = qeff_reader_of(in); qeff_reader_next(&reader, &c);)
        qeff_forms_push(forms, c);
    qeff_forms_flush(forms);
    forms->sink = NULL;
    forms->ctx = NULL;
}

static void apply_lowercase(const qeff_normalizer_step *step, qeff_view in, qeff_normalized *out,
                            qeff_normalizer_workspace *workspace)
{
    (void)step, (void)workspace;
    uint32_t c = 0;
    for (qeff_reader reader = qeff_reader_of(in); qeff_reader_next(&reader, &c);) {
        qeff_normalized_append(out, qeff_unicode_lower(c), reader.span);
        if (c == 0x130) qeff_normalized_append(out, 0x307, reader.span);
    }
}

static void apply_strip_accents(const qeff_normalizer_step *step, qeff_view in,
                                qeff_normalized *out, qeff_normalizer_workspace *workspace)
{
    (void)step, (void)workspace;
    uint32_t c = 0;
    for (qeff_reader reader = qeff_reader_of(in); qeff_reader_next(&reader, &c);)
        if (!(qeff_unicode_flags(c) & QEFF_UNICODE_MARK9))
            qeff_normalized_append(out, c, reader.span);
}

static void apply_strip(const qeff_normalizer_step *step, qeff_view in, qeff_normalized *out,
                        qeff_normalizer_workspace *workspace)
{
    (void)workspace;
    uint32_t c = 0;
    bool is_leading = step->strip.left;
    size_t end = 0; /* output bytes up to the last character that is no space */
    for (qeff_reader reader = qeff_reader_of(in); qeff_reader_next(&reader, &c);) {
        const bool is_space = qeff_unicode_is_space(c);
        if (is_leading && is_space) continue;
        is_leading = false;
        qeff_normalized_append(out, c, reader.span);
        if (!is_space) end = out->size;
    }
    if (step->strip.right) out->size = end;
}

static void append_content(qeff_normalized *out, qeff_str content, qeff_span span)
{
    for (size_t i = 0; i < content.size;) {
        uint32_t c = 0;
        i += qeff_utf8_decode(content.data + i, content.size - i, &c);
        qeff_normalized_append(out, c, span);
    }
}

/* All of the content takes the span of the last character it replaces. The pattern is searched by
 * its first byte; `skip` from the Knuth-Morris-Pratt table would help only for patterns that
 * repeat themselves, so the border table keeps even those linear. */
static void apply_replace(const qeff_normalizer_step *step, qeff_view in, qeff_normalized *out,
                          qeff_normalizer_workspace *workspace)
{
    const qeff_str pattern = step->replace.pattern;
    size_t *border = qeff_alloc_array(pattern.size + 1, sizeof *border);
    if (!border) {
        workspace->failed = true;
        return;
    }
    for (size_t i = 1, k = 0; i < pattern.size; i++) {
        while (k > 0 && pattern.data[i] != pattern.data[k])
            k = border[k];
        if (pattern.data[i] == pattern.data[k]) k++;
        border[i + 1] = k;
    }
    qeff_reader reader = qeff_reader_of(in);
    uint32_t c = 0;
    for (size_t i = 0, k = 0; i < in.size; i++) {
        while (k > 0 && in.data[i] != pattern.data[k])
            k = border[k];
        if (in.data[i] == pattern.data[k]) k++;
        if (k < pattern.size) continue;
        while (reader.at + pattern.size <= i && qeff_reader_next(&reader, &c))
            qeff_normalized_append(out, c, reader.span);
        while (reader.at <= i && qeff_reader_next(&reader, &c))
            continue;
        append_content(out, step->replace.content, reader.span);
        k = 0;
    }
    while (qeff_reader_next(&reader, &c))
        qeff_normalized_append(out, c, reader.span);
    qeff_free(border);
}

static void apply_prepend(const qeff_normalizer_step *step, qeff_view in, qeff_normalized *out,
                          qeff_normalizer_workspace *workspace)
{
    (void)workspace;
    qeff_reader reader = qeff_reader_of(in);
    uint32_t c = 0;
    if (!qeff_reader_next(&reader, &c)) return;
    append_content(out, step->prepend, reader.span);
    do
        qeff_normalized_append(out, c, reader.span);
    while (qeff_reader_next(&reader, &c));
}

void qeff_normalizer_workspace_deinit(qeff_normalizer_workspace *workspace)
{
    qeff_normalized_deinit(&workspace->texts[0]);
    qeff_normalized_deinit(&workspace->texts[1]);
    qeff_forms_deinit(&workspace->forms);
    qeff_free(workspace->queue);
    *workspace = (qeff_normalizer_workspace){0};
}

qeff_view qeff_normalizer_run(const qeff_normalizer *normalizer, qeff_view in, bool aligned,
                              qeff_normalizer_workspace *workspace)
{
    workspace->failed = false;
    workspace->forms.failed = false;
    qeff_view view = in;
    if (normalizer->n == 0 && aligned) { /* the caller looks spans up by byte */
        qeff_normalized *out = &workspace->texts[0];
        uint32_t c = 0;
        qeff_normalized_clear(out, true);
        for (qeff_reader reader = qeff_reader_of(in); qeff_reader_next(&reader, &c);)
            qeff_normalized_append(out, c, reader.span);
        workspace->failed = out->failed;
        return qeff_normalized_view(out);
    }
    for (size_t i = 0; i < normalizer->n; i++) {
        const qeff_normalizer_step *step = &normalizer->steps[i];
        qeff_normalized *out = &workspace->texts[i % 2];
        qeff_normalized_clear(out, aligned);
        step->apply(step, view, out, workspace);
        if (out->failed || workspace->forms.failed) workspace->failed = true;
        view = qeff_normalized_view(out);
    }
    return view;
}

/* ---- reading ---- */

typedef struct read_list {
    qeff_normalizer_step steps[QEFF_SEQUENCE_STEPS_MAX];
    size_t n;
} read_list;

static qeff_status
read_bert(qeff_json json, qeff_arena *arena, qeff_normalizer_step *step, qeff_error *err)
{
    (void)arena;
    QEFF_TRY(qeff_json_to_bool(qeff_json_find(json, "clean_text"), &step->bert.clean, err));
    QEFF_TRY(
        qeff_json_to_bool(qeff_json_find(json, "handle_chinese_chars"), &step->bert.chinese, err));
    QEFF_TRY(qeff_json_to_bool(qeff_json_find(json, "lowercase"), &step->bert.lowercase, err));
    step->bert.accents = step->bert.lowercase;
    QEFF_TRY(qeff_json_optional_bool(json, "strip_accents", &step->bert.accents, err));
    qeff_bert_normalizer_init(step);
    return QEFF_OK;
}

static qeff_status
read_strip(qeff_json json, qeff_arena *arena, qeff_normalizer_step *step, qeff_error *err)
{
    (void)arena;
    step->apply = apply_strip;
    QEFF_TRY(qeff_json_to_bool(qeff_json_find(json, "strip_left"), &step->strip.left, err));
    return qeff_json_to_bool(qeff_json_find(json, "strip_right"), &step->strip.right, err);
}

static qeff_status read_text(qeff_json json, qeff_arena *arena, qeff_str *out, qeff_error *err)
{
    qeff_str text = {NULL, 0};
    QEFF_TRY(qeff_json_to_str(json, &text, err));
    *out = qeff_arena_str(arena, text);
    return out->data ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

static qeff_status
read_replace(qeff_json json, qeff_arena *arena, qeff_normalizer_step *step, qeff_error *err)
{
    step->apply = apply_replace;
    const qeff_json pattern = qeff_json_find(json, "pattern");
    const qeff_json text = qeff_json_find(pattern, "String");
    if (qeff_json_kind_of(qeff_json_find(pattern, "Regex")) != QEFF_JSON_MISSING)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "'Replace' with a 'Regex' pattern");
    if (qeff_json_kind_of(text) == QEFF_JSON_MISSING)
        return qeff_fail(err, QEFF_ERR_FORMAT, "'Replace' without a 'String' pattern");
    QEFF_TRY(read_text(text, arena, &step->replace.pattern, err));
    if (step->replace.pattern.size == 0)
        return qeff_fail(err, QEFF_ERR_FORMAT, "'Replace' with an empty pattern");
    return read_text(qeff_json_find(json, "content"), arena, &step->replace.content, err);
}

static qeff_status
read_prepend(qeff_json json, qeff_arena *arena, qeff_normalizer_step *step, qeff_error *err)
{
    step->apply = apply_prepend;
    return read_text(qeff_json_find(json, "prepend"), arena, &step->prepend, err);
}

typedef qeff_status (*read_step)(qeff_json json, qeff_arena *arena, qeff_normalizer_step *step,
                                 qeff_error *err);

typedef struct step_type {
    const char *name;
    read_step read; /* NULL: the template below says all */
    qeff_normalizer_step step;
} step_type;

static const step_type types[] = {
    {"BertNormalizer", read_bert, {0}},
    {"Bert", read_bert, {0}},
    {"NFD", NULL, {.apply = apply_form}},
    {"NFKD", NULL, {.apply = apply_form, .form = {.compatible = true}}},
    {"NFC", NULL, {.apply = apply_form, .form = {.compose = true}}},
    {"NFKC", NULL, {.apply = apply_form, .form = {.compatible = true, .compose = true}}},
    {"Lowercase", NULL, {.apply = apply_lowercase, .is_lowercase = true}},
    {"StripAccents", NULL, {.apply = apply_strip_accents}},
    {"Strip", read_strip, {0}},
    {"Replace", read_replace, {0}},
    {"Prepend", read_prepend, {0}},
};

static qeff_status
read_any(qeff_json json, size_t depth, qeff_arena *arena, read_list *list, qeff_error *err);

static qeff_status
read_sequence(qeff_json json, size_t depth, qeff_arena *arena, read_list *list, qeff_error *err)
{
    const qeff_json steps = qeff_json_find(json, "normalizers");
    QEFF_TRY(qeff_json_expect(steps, QEFF_JSON_ARRAY, err));
    if (depth >= QEFF_SEQUENCE_DEPTH_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "sequences nested deeper than %d",
                         QEFF_SEQUENCE_DEPTH_MAX);
    for (size_t i = 0; i < qeff_json_count(steps); i++)
        QEFF_TRY(read_any(qeff_json_at(steps, i), depth + 1, arena, list, err));
    return QEFF_OK;
}

static qeff_status
read_any(qeff_json json, size_t depth, qeff_arena *arena, read_list *list, qeff_error *err)
{
    qeff_str type = {NULL, 0};
    QEFF_TRY(qeff_json_expect(json, QEFF_JSON_OBJECT, err));
    QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "type"), &type, err));
    if (qeff_str_is(type, "Sequence")) return read_sequence(json, depth, arena, list, err);
    if (list->n == QEFF_SEQUENCE_STEPS_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "more than %d steps", QEFF_SEQUENCE_STEPS_MAX);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (!qeff_str_is(type, types[i].name)) continue;
        qeff_normalizer_step *step = &list->steps[list->n++];
        *step = types[i].step;
        return types[i].read ? types[i].read(json, arena, step, err) : QEFF_OK;
    }
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "unknown normalizer '%.*s'", QEFF_STR_ARGS(type));
}

qeff_status qeff_normalizer_read(qeff_json json, bool lowercase, qeff_arena *arena,
                                 qeff_normalizer *out, qeff_error *err)
{
    qeff_status status = QEFF_OK;
    read_list *list = qeff_alloc_zeroed(sizeof *list);
    if (!list) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    const qeff_json_kind kind = qeff_json_kind_of(json);
    if (kind != QEFF_JSON_MISSING && kind != QEFF_JSON_NULL)
        status = read_any(json, 0, arena, list, err);
    bool has_lowercase = false;
    for (size_t i = 0; i < list->n; i++)
        has_lowercase |= list->steps[i].is_lowercase;
    const size_t extra = lowercase && !has_lowercase;
    *out = (qeff_normalizer){NULL, list->n + extra};
    if (!status) {
        out->steps = qeff_arena_array(arena, out->n, sizeof *out->steps);
        if (!out->steps) status = qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    }
    if (!status && extra)
        out->steps[0] = (qeff_normalizer_step){.apply = apply_lowercase, .is_lowercase = true};
    for (size_t i = 0; !status && i < list->n; i++)
        out->steps[i + extra] = list->steps[i];
    qeff_free(list);
    return status;
}
