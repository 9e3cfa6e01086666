/* added_tokens.c - reading added tokens, and cutting them out of a text.
 *
 * Reference: tokenizer/added_vocabulary.rs. What may surprise:
 *   a match that single_word rejects still uses up its bytes: no shorter token is tried there
 *   white space taken by lstrip and rstrip becomes part of the token
 *   after rstrip the search goes on behind the match itself, not behind the white space */
#include "tokenizer/added_tokens.h"

#include "base/error.h"
#include "base/span.h"
#include "base/utf8.h"
#include "tokenizer/unicode.h"

static uint32_t char_before(qeff_str text, size_t at)
{
    uint32_t c = 0;
    size_t begin = at - 1;
    while (begin > 0 && ((unsigned char)text.data[begin] & 0xc0) == 0x80)
        begin--;
    (void)qeff_utf8_decode(text.data + begin, at - begin, &c);
    return c;
}

static bool is_beside_word(qeff_str text, size_t begin, size_t end)
{
    uint32_t c = 0;
    if (begin > 0 && qeff_unicode_is_word(char_before(text, begin))) return true;
    if (end == text.size) return false;
    (void)qeff_utf8_decode(text.data + end, text.size - end, &c);
    return qeff_unicode_is_word(c);
}

static size_t strip_left(qeff_str text, size_t begin, size_t limit)
{
    while (begin > limit && qeff_unicode_is_space(char_before(text, begin)))
        do
            begin--;
        while (begin > limit && ((unsigned char)text.data[begin] & 0xc0) == 0x80);
    return begin;
}

static size_t strip_right(qeff_cutter *cutter, size_t end)
{
    if (end < cutter->space_end) return cutter->space_end;
    const qeff_str text = cutter->text;
    while (end < text.size) {
        uint32_t c = 0;
        const size_t n = qeff_utf8_decode(text.data + end, text.size - end, &c);
        if (!qeff_unicode_is_space(c)) break;
        end += n;
    }
    cutter->space_end = end;
    return end;
}

/* The next accepted match as a token part; false where there is none. */
static bool next_token(qeff_cutter *cutter, qeff_text_part *part)
{
    while (cutter->n_used < cutter->hits->n) {
        const qeff_hit hit = cutter->hits->items[cutter->hits->n - ++cutter->n_used];
        if (hit.begin < cutter->matched) continue;
        const qeff_added_token *token = &cutter->tokens->items[cutter->pass->tokens[hit.pattern]];
        size_t begin = hit.begin, end = begin + token->text.size;
        cutter->matched = end;
        if (token->single_word && is_beside_word(cutter->text, begin, end)) continue;
        if (token->lstrip)
            begin =
                begin > cutter->done ? strip_left(cutter->text, begin, cutter->done) : cutter->done;
        if (token->rstrip) end = strip_right(cutter, end);
        *part = (qeff_text_part){begin, end, token};
        return true;
    }
    return false;
}

bool qeff_cutter_next(qeff_cutter *cutter, qeff_text_part *part)
{
    if (cutter->has_pending) {
        *part = cutter->pending;
        cutter->has_pending = false;
        return true;
    }
    while (next_token(cutter, part)) {
        const size_t before = cutter->done;
        cutter->done = part->end;
        if (part->begin >= part->end) continue;
        if (before >= part->begin) return true;
        cutter->pending = *part;
        cutter->has_pending = true;
        *part = (qeff_text_part){before, part->begin, NULL};
        return true;
    }
    if (cutter->done >= cutter->text.size) return false;
    *part = (qeff_text_part){cutter->done, cutter->text.size, NULL};
    cutter->done = cutter->text.size;
    return true;
}

/* ---- reading ---- */

static qeff_status no_memory(qeff_error *err)
{
    return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

static qeff_status read_flags(qeff_json json, qeff_added_token *token, qeff_error *err)
{
    int64_t id = 0;
    QEFF_TRY(qeff_json_expect(json, QEFF_JSON_OBJECT, err));
    QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "content"), &token->content, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_find(json, "id"), 0, UINT32_MAX, &id, err));
    QEFF_TRY(qeff_json_to_bool(qeff_json_find(json, "single_word"), &token->single_word, err));
    QEFF_TRY(qeff_json_to_bool(qeff_json_find(json, "lstrip"), &token->lstrip, err));
    QEFF_TRY(qeff_json_to_bool(qeff_json_find(json, "rstrip"), &token->rstrip, err));
    QEFF_TRY(qeff_json_to_bool(qeff_json_find(json, "normalized"), &token->normalized, err));
    return qeff_json_to_bool(qeff_json_find(json, "special"), &token->special, err);
}

static qeff_status normalize_content(const qeff_normalizer *normalizer, qeff_arena *arena,
                                     qeff_added_token *token, qeff_error *err)
{
    qeff_normalizer_workspace workspace = {0};
    const qeff_view in = {.data = token->content.data, .size = token->content.size};
    const qeff_view view = qeff_normalizer_run(normalizer, in, false, &workspace);
    const bool failed = workspace.failed;
    token->text = qeff_arena_str(arena, (qeff_str){view.data, view.size});
    qeff_normalizer_workspace_deinit(&workspace);
    return failed || !token->text.data ? no_memory(err) : QEFF_OK;
}

/* Adds a token, or replaces the one with the same content. */
static qeff_status put_token(qeff_added_tokens *tokens, qeff_added_token token,
                             const qeff_vocab *model, int32_t *next_id, qeff_error *err)
{
    const uint64_t hash =
        qeff_vocab_hash(&tokens->vocab, qeff_vocab_hash_start(&tokens->vocab), token.content);
    const qeff_vocab_entry *known =
        qeff_vocab_find_hashed(&tokens->vocab, hash, (qeff_str){"", 0}, token.content);
    if (known) {
        qeff_added_token *before = &tokens->items[known - tokens->vocab.entries];
        token.id = known->id;
        token.special |= before->special; /* a content once special stays so */
        *before = token;
        return QEFF_OK;
    }
    bool is_new = false;
    token.id = qeff_vocab_find(model, token.content);
    if (token.id < 0) token.id = (*next_id)++;
    void *moved = qeff_grow(tokens->items, tokens->n, &tokens->capacity, sizeof *tokens->items);
    if (!moved) return no_memory(err);
    tokens->items = moved;
    tokens->items[tokens->n++] = token;
    return qeff_vocab_add(&tokens->vocab, token.content, token.id, &is_new, err);
}

static qeff_status
build_pass(qeff_added_tokens *tokens, bool normalized, qeff_arena *arena, qeff_error *err)
{
    qeff_added_pass *pass = &tokens->passes[normalized];
    qeff_str *texts = qeff_alloc_array(tokens->n, sizeof *texts);
    pass->tokens = qeff_arena_array(arena, tokens->n, sizeof *pass->tokens);
    if (!texts || !pass->tokens) {
        qeff_free(texts);
        return no_memory(err);
    }
    size_t n = 0;
    for (size_t i = 0; i < tokens->n; i++) {
        const qeff_added_token *token = &tokens->items[i];
        /* Where normalization left nothing there is nothing to find. */
        if (token->normalized != normalized || token->text.size == 0) continue;
        texts[n] = token->text;
        pass->tokens[n++] = (uint32_t)i;
    }
    const qeff_status status = qeff_matcher_init(&pass->matcher, texts, n, tokens->vocab.seed, err);
    qeff_free(texts);
    return status;
}

static void mark_skipped(qeff_added_tokens *tokens)
{
    for (size_t i = 0; i < tokens->n; i++) {
        qeff_added_token *token = &tokens->items[i];
        const int32_t id = qeff_vocab_find(&tokens->vocab, token->text);
        const qeff_added_token *same = qeff_added_tokens_find(tokens, id);
        token->is_skipped = same && same->special;
    }
}

qeff_status
qeff_added_tokens_read(qeff_json json, const qeff_vocab *model, const qeff_normalizer *normalizer,
                       qeff_arena *arena, qeff_added_tokens *out, qeff_error *err)
{
    int32_t next_id = (int32_t)model->n;
    const qeff_json_kind kind = qeff_json_kind_of(json);
    if (kind == QEFF_JSON_MISSING || kind == QEFF_JSON_NULL) return QEFF_OK;
    QEFF_TRY(qeff_json_expect(json, QEFF_JSON_ARRAY, err));
    if (qeff_json_count(json) > QEFF_ADDED_TOKENS_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%zu added tokens, expected at most %d",
                         qeff_json_count(json), QEFF_ADDED_TOKENS_MAX);
    for (size_t i = 0; i < qeff_json_count(json); i++) {
        qeff_added_token token = {0};
        QEFF_TRY(
            qeff_within(err, read_flags(qeff_json_at(json, i), &token, err), "element %zu", i));
        if (token.content.size == 0) continue;
        token.text = token.content = qeff_arena_str(arena, token.content);
        if (!token.content.data) return no_memory(err);
        if (token.normalized) QEFF_TRY(normalize_content(normalizer, arena, &token, err));
        QEFF_TRY(put_token(out, token, model, &next_id, err));
    }
    QEFF_TRY(qeff_vocab_finish(&out->vocab, err));
    QEFF_TRY(build_pass(out, false, arena, err));
    QEFF_TRY(build_pass(out, true, arena, err));
    mark_skipped(out);
    return QEFF_OK;
}

const qeff_added_token *qeff_added_tokens_find(const qeff_added_tokens *tokens, int32_t id)
{
    if (id < 0 || (size_t)id >= tokens->vocab.id_limit || !tokens->vocab.by_id[id]) return NULL;
    return &tokens->items[tokens->vocab.by_id[id] - 1];
}

void qeff_added_tokens_deinit(qeff_added_tokens *tokens)
{
    qeff_free(tokens->items);
    qeff_vocab_deinit(&tokens->vocab);
    qeff_matcher_deinit(&tokens->passes[0].matcher);
    qeff_matcher_deinit(&tokens->passes[1].matcher);
    *tokens = (qeff_added_tokens){0};
}
