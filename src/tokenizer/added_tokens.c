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

/* Reads the tokens of the file, and where each content is found: the last one with it. */
static qeff_status read_items(qeff_json json, const qeff_normalizer *normalizer, qeff_arena *arena,
                              qeff_trie_keys *keys, qeff_added_tokens *out, qeff_error *err)
{
    const qeff_trie_key *repeated = NULL;
    size_t n_texts = 0;
    for (size_t i = 0; i < qeff_json_count(json); i++) {
        qeff_added_token token = {0};
        QEFF_TRY(
            qeff_within(err, read_flags(qeff_json_at(json, i), &token, err), "element %zu", i));
        if (token.content.size == 0) continue;
        token.text = token.content = qeff_arena_str(arena, token.content);
        if (!token.content.data) return no_memory(err);
        if (token.normalized) QEFF_TRY(normalize_content(normalizer, arena, &token, err));
        void *moved = qeff_grow(out->items, out->n, &out->capacity, sizeof *out->items);
        if (!moved) return no_memory(err);
        out->items = moved;
        QEFF_TRY(qeff_trie_keys_add(keys, token.content, (uint32_t)out->n, err));
        out->items[out->n++] = token;
    }
    return qeff_trie_build(keys, &out->trie, &n_texts, &repeated, err);
}

/* Gives the tokens their ids. One whose content was there before replaces that one. */
static qeff_status
settle_items(qeff_added_tokens *tokens, const qeff_vocab *model, qeff_arena *arena, qeff_error *err)
{
    int32_t next_id = (int32_t)model->n;
    const size_t n = tokens->n;
    uint32_t *places = qeff_arena_array(arena, n, sizeof *places); /* + 1, by what is found */
    if (!places) return no_memory(err);
    tokens->n = 0;
    for (size_t i = 0; i < n; i++) {
        qeff_added_token token = tokens->items[i];
        uint32_t *place = &places[qeff_trie_find(&tokens->trie, token.content)];
        if (*place) {
            qeff_added_token *before = &tokens->items[*place - 1];
            token.id = before->id;
            token.special |= before->special; /* a content once special stays so */
            *before = token;
            continue;
        }
        token.id = qeff_vocab_find(model, token.content);
        if (token.id < 0) token.id = next_id++;
        if ((size_t)token.id >= tokens->id_limit) tokens->id_limit = (size_t)token.id + 1;
        tokens->items[tokens->n++] = token;
        *place = (uint32_t)tokens->n;
    }
    for (size_t i = 0; i < tokens->trie.n; i++)
        if (tokens->trie.own[i].end) tokens->trie.own[i].end = places[tokens->trie.own[i].end - 1];
    return QEFF_OK;
}

static qeff_status index_ids(qeff_added_tokens *tokens, qeff_arena *arena, qeff_error *err)
{
    tokens->by_id = qeff_arena_array(arena, tokens->id_limit, sizeof *tokens->by_id);
    if (!tokens->by_id) return no_memory(err);
    for (size_t i = 0; i < tokens->n; i++) {
        const qeff_added_token *token = &tokens->items[i];
        const qeff_added_token *other = qeff_added_tokens_find(tokens, token->id);
        if (other)
            return qeff_fail(err, QEFF_ERR_FORMAT, "tokens '%.*s' and '%.*s' share id %d",
                             QEFF_STR_ARGS(other->content), QEFF_STR_ARGS(token->content),
                             (int)token->id);
        tokens->by_id[token->id] = (uint32_t)i + 1;
    }
    return QEFF_OK;
}

static qeff_status build_pass(qeff_added_tokens *tokens, bool normalized, uint64_t seed,
                              qeff_arena *arena, qeff_error *err)
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
    const qeff_status status = qeff_matcher_init(&pass->matcher, texts, n, seed, err);
    qeff_free(texts);
    return status;
}

static void mark_skipped(qeff_added_tokens *tokens)
{
    for (size_t i = 0; i < tokens->n; i++) {
        qeff_added_token *token = &tokens->items[i];
        const int32_t id = qeff_added_tokens_id(tokens, token->text);
        const qeff_added_token *same = qeff_added_tokens_find(tokens, id);
        token->is_skipped = same && same->special;
    }
}

qeff_status qeff_added_tokens_read(qeff_json json, uint64_t seed, const qeff_vocab *model,
                                   const qeff_normalizer *normalizer, qeff_arena *arena,
                                   qeff_added_tokens *out, qeff_error *err)
{
    qeff_trie_keys keys = {0};
    const qeff_json_kind kind = qeff_json_kind_of(json);
    if (kind == QEFF_JSON_MISSING || kind == QEFF_JSON_NULL) return QEFF_OK;
    QEFF_TRY(qeff_json_expect(json, QEFF_JSON_ARRAY, err));
    if (qeff_json_count(json) > QEFF_ADDED_TOKENS_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%zu added tokens, expected at most %d",
                         qeff_json_count(json), QEFF_ADDED_TOKENS_MAX);
    const qeff_status status = read_items(json, normalizer, arena, &keys, out, err);
    qeff_trie_keys_deinit(&keys);
    if (status) return status;
    QEFF_TRY(settle_items(out, model, arena, err));
    QEFF_TRY(index_ids(out, arena, err));
    QEFF_TRY(build_pass(out, false, seed, arena, err));
    QEFF_TRY(build_pass(out, true, seed, arena, err));
    mark_skipped(out);
    return QEFF_OK;
}

const qeff_added_token *qeff_added_tokens_find(const qeff_added_tokens *tokens, int32_t id)
{
    if (id < 0 || (size_t)id >= tokens->id_limit || !tokens->by_id[id]) return NULL;
    return &tokens->items[tokens->by_id[id] - 1];
}

int32_t qeff_added_tokens_id(const qeff_added_tokens *tokens, qeff_str content)
{
    const int32_t item = qeff_trie_find(&tokens->trie, content);
    return item < 0 ? -1 : tokens->items[item].id;
}

void qeff_added_tokens_deinit(qeff_added_tokens *tokens)
{
    qeff_free(tokens->items);
    qeff_trie_deinit(&tokens->trie);
    qeff_matcher_deinit(&tokens->passes[0].matcher);
    qeff_matcher_deinit(&tokens->passes[1].matcher);
    *tokens = (qeff_added_tokens){0};
}
