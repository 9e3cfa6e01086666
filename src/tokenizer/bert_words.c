/* bert_words.c - the usual BERT pipeline in one pass over the bytes.
 *
 *   a run of ASCII letters and digits is lower-cased eight bytes at a time and is then the key of
 *   the word cache; from the first byte that is anything else, characters go one by one through
 *   the rules of bert_normalizer.c and split_bert()
 *
 * Why single characters suffice: NFD looks at more than one only to order marks, and strip_accents
 * drops marks. What is left of a character without them depends on it alone, and so does its span.
 * The exceptions, marks that are ordered but stay (class Mc, or newer than Unicode 8) and
 * characters with two parts that stay, are left to the steps: from the last place that nothing
 * reaches across, which is behind an ASCII character that is not dropped, to the next ASCII white
 * space. */
#include "tokenizer/bert_words.h"

#include "base/error.h"
#include "base/span.h"
#include "base/utf8.h"
#include "tokenizer/unicode.h"

#define EACH_BYTE(value) (0x0101010101010101u * (value))

/* ---- tables ---- */

static qeff_bert_kind kind_of(const qeff_bert_words *words, uint32_t c)
{
    const uint8_t flags = qeff_unicode_flags(c);
    if (words->clean && (flags & QEFF_UNICODE_CLEAN)) return QEFF_BERT_NONE;
    if (flags & QEFF_UNICODE_SPACE) return QEFF_BERT_SPACE;
    if (flags & QEFF_UNICODE_PUNCT) return QEFF_BERT_PUNCT;
    /* Control characters that clean_text would drop are rare enough without it. */
    return c > 0x20 && c < 0x7f ? QEFF_BERT_WORD : QEFF_BERT_OTHER;
}

bool qeff_bert_words_init(const qeff_normalizer *normalizer,
                          const qeff_pre_tokenizer *pre_tokenizer, const qeff_token_model *model,
                          qeff_bert_words *out)
{
    if (normalizer->n != 1 || pre_tokenizer->n != 1 || !model->is_wordpiece ||
        normalizer->steps[0].apply != qeff_bert_normalizer_apply ||
        pre_tokenizer->steps[0].split != qeff_pre_tokenizer_split_bert)
        return false;
    const qeff_normalizer_step *step = &normalizer->steps[0];
    *out = (qeff_bert_words){.clean = step->bert.clean,
                             .chinese = step->bert.chinese,
                             .accents = step->bert.accents,
                             .lowercase = step->bert.lowercase};
    out->notable = QEFF_UNICODE_SPACE | QEFF_UNICODE_PUNCT;
    if (out->clean) out->notable |= QEFF_UNICODE_CLEAN;
    if (out->accents) out->notable |= QEFF_UNICODE_NFX | QEFF_UNICODE_MN8;
    if (out->lowercase) out->notable |= QEFF_UNICODE_LOWER;
    memset(out->kinds, QEFF_BERT_OTHER, sizeof out->kinds);
    for (uint32_t c = 0; c < 128; c++) {
        out->kinds[c] = (uint8_t)kind_of(out, c);
        out->lower[c] = (uint8_t)(out->lowercase ? qeff_unicode_lower(c) : c);
        const char text = (char)c;
        out->punct[c] = model->max_chars > 0 ? qeff_vocab_find(&model->vocab, (qeff_str){&text, 1})
                                             : model->unk_id;
        if (out->punct[c] < 0) out->punct[c] = model->unk_id;
    }
    return true;
}

/* ---- words ---- */

static bool fail(qeff_bert_pass *pass, qeff_status status)
{
    pass->status = status;
    return false;
}

static bool fail_memory(qeff_bert_pass *pass)
{
    return fail(pass, qeff_fail(pass->err, QEFF_ERR_NO_MEMORY, "out of memory"));
}

static void keep(qeff_word_entry *e, const qeff_word_key *key, const qeff_pieces *pieces)
{
    if (pieces->n > QEFF_WORD_PIECES) return;
    e->key = *key;
    e->n = (uint8_t)pieces->n;
    for (size_t i = 0; i < pieces->n; i++) {
        e->ids[i] = pieces->items[i].id;
        e->ends[i] = (uint8_t)pieces->items[i].end;
    }
}

static bool ask_model(qeff_bert_pass *pass, qeff_str word)
{
    pass->pieces->n = 0;
    const qeff_status status = pass->model->tokenize(pass->model, word, pass->pieces, pass->err);
    if (status) return fail(pass, status);
    return qeff_sequence_reserve(pass->out, pass->pieces->n) || fail_memory(pass);
}

/* A word of ASCII, `n` <= 16 bytes in the first two parts of `key`, of which each byte is a
 * character of the original. */
static inline bool put_ascii_word(qeff_bert_pass *pass, const qeff_word_key *key, size_t n)
{
    qeff_sequence *out = pass->out;
    const int32_t word = pass->word++, first = pass->index;
    if (!qeff_sequence_reserve(out, QEFF_WORD_PIECES)) return fail_memory(pass);
    qeff_word_entry *e = NULL;
    if (pass->cache) {
        e = &pass->cache->entries[qeff_word_cache_slot(key)];
        if (qeff_word_entry_is(e, key)) {
            int32_t begin = first;
            for (size_t i = 0; i < e->n; i++) {
                const int32_t end = first + e->ends[i];
                qeff_sequence_put(out, e->ids[i], word, (qeff_span){begin, end});
                begin = end;
            }
            return true;
        }
    }
    char bytes[16];
    memcpy(bytes, key->part, sizeof bytes);
    if (!ask_model(pass, (qeff_str){bytes, n})) return false;
    for (size_t i = 0; i < pass->pieces->n; i++) {
        const qeff_piece *p = &pass->pieces->items[i];
        qeff_sequence_put(out, p->id, word,
                          (qeff_span){first + (int32_t)p->begin, first + (int32_t)p->end});
    }
    if (e) keep(e, key, pass->pieces);
    return true;
}

static void clear_buffer(qeff_bert_buffer *b)
{
    memset(b->bytes, 0, QEFF_WORD_BYTES); /* the key of a short word is what stands here */
    b->n = b->n_chars = 0;
}

static inline void append(qeff_bert_buffer *b, const char *bytes, size_t n, int32_t index)
{
    if (b->n_chars == 0) b->begin = index;
    b->end = index + 1;
    b->n_chars++;
    if (b->n + n > QEFF_BERT_BUFFER) return; /* has more characters than any word may have */
    for (size_t i = 0; i < n; i++) {
        b->bytes[b->n] = bytes[i];
        b->index[b->n++] = index;
    }
}

static void put_piece(qeff_bert_pass *pass, int32_t id, size_t begin, size_t end)
{
    const qeff_bert_buffer *b = pass->buffer;
    qeff_sequence_put(pass->out, id, pass->word,
                      (qeff_span){b->index[begin], b->index[end - 1] + 1});
}

/* The word in the buffer, if there is one. */
static bool put_buffer(qeff_bert_pass *pass)
{
    qeff_bert_buffer *b = pass->buffer;
    qeff_word_key key = {{0}};
    qeff_word_entry *e = NULL;
    if (b->n_chars == 0) return true;
    if (!qeff_sequence_reserve(pass->out, QEFF_WORD_PIECES)) return fail_memory(pass);
    if (b->n_chars > pass->model->max_chars) {
        const qeff_str word = {b->bytes, b->n};
        pass->pieces->n = 0;
        const qeff_status status =
            qeff_token_model_append_unk(pass->model, word, pass->pieces, pass->err);
        if (status) return fail(pass, status);
        qeff_sequence_put(pass->out, pass->model->unk_id, pass->word++,
                          (qeff_span){b->begin, b->end});
        clear_buffer(b);
        return true;
    }
    if (pass->cache && b->n <= QEFF_WORD_BYTES) {
        memcpy(&key, b->bytes, sizeof key);
        e = &pass->cache->entries[qeff_word_cache_slot(&key)];
        if (qeff_word_entry_is(e, &key)) {
            for (size_t i = 0; i < e->n; i++)
                put_piece(pass, e->ids[i], i ? e->ends[i - 1] : 0, e->ends[i]);
            pass->word++;
            clear_buffer(b);
            return true;
        }
    }
    if (!ask_model(pass, (qeff_str){b->bytes, b->n})) return false;
    for (size_t i = 0; i < pass->pieces->n; i++) {
        const qeff_piece *p = &pass->pieces->items[i];
        put_piece(pass, p->id, p->begin, p->end);
    }
    if (e) keep(e, &key, pass->pieces);
    pass->word++;
    clear_buffer(b);
    return true;
}

static bool put_punct(qeff_bert_pass *pass, unsigned char c)
{
    const int32_t id = pass->words->punct[c];
    if (id < 0) { /* for the message */
        const char text = (char)c;
        return ask_model(pass, (qeff_str){&text, 1});
    }
    if (!qeff_sequence_reserve(pass->out, 1)) return fail_memory(pass);
    qeff_sequence_put(pass->out, id, pass->word++, (qeff_span){pass->index, pass->index + 1});
    return true;
}

/* ---- characters ---- */

/* Length of the character at `b`, or 0 where it is no UTF-8. */
static inline size_t decode(const unsigned char *b, size_t left, uint32_t *c)
{
    if (b[0] < 0xe0) {
        if (b[0] < 0xc2 || left < 2 || (b[1] & 0xc0) != 0x80) return 0;
        *c = (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu);
        return 2;
    }
    if (b[0] < 0xf0) {
        if (left < 3 || (((b[1] ^ 0x80) | (b[2] ^ 0x80)) & 0xc0)) return 0;
        *c = (b[0] & 0xfu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
        return *c < 0x800 || (*c >= 0xd800 && *c < 0xe000) ? 0 : 3;
    }
    const size_t n = qeff_utf8_decode((const char *)b, left, c);
    return n == 4 ? 4 : 0;
}

typedef enum outcome { OUTCOME_TAKEN, OUTCOME_STEPS, OUTCOME_FAILED } outcome;

/* A word of one character. */
static outcome put_char(qeff_bert_pass *pass, const char *bytes, size_t n, int32_t index)
{
    if (!put_buffer(pass)) return OUTCOME_FAILED;
    append(pass->buffer, bytes, n, index);
    return put_buffer(pass) ? OUTCOME_TAKEN : OUTCOME_FAILED;
}

/* Its letters, which have no marks among them. */
static void append_syllable(qeff_bert_buffer *b, uint32_t c, int32_t index)
{
    uint32_t parts[QEFF_UNICODE_DECOMPOSITION_MAX];
    char bytes[4];
    const size_t n = qeff_unicode_decompose(c, false, parts);
    for (size_t i = 0; i < n; i++)
        append(b, bytes, qeff_utf8_encode(parts[i], bytes), index);
}

/* A character with a flag that matters. */
static outcome take_notable(qeff_bert_pass *pass, uint32_t c, int32_t index)
{
    const qeff_bert_words *w = pass->words;
    const bool isolated = w->chinese && qeff_unicode_is_chinese(c);
    char bytes[4];
    uint8_t flags = qeff_unicode_flags(c);
    if (w->clean && (flags & QEFF_UNICODE_CLEAN)) return OUTCOME_TAKEN;
    if (flags & QEFF_UNICODE_SPACE) return put_buffer(pass) ? OUTCOME_TAKEN : OUTCOME_FAILED;
    if (w->accents && (flags & (QEFF_UNICODE_NFX | QEFF_UNICODE_MN8))) {
        if (qeff_unicode_is_syllable(c)) {
            append_syllable(pass->buffer, c, index);
            return OUTCOME_TAKEN;
        }
        const uint32_t base = qeff_unicode_strip(c);
        if (base == QEFF_UNICODE_STRIP_ALL) return OUTCOME_TAKEN;
        if (base == QEFF_UNICODE_STRIP_NOT) return OUTCOME_STEPS;
        c = base;
        flags = qeff_unicode_flags(c);
    }
    if (w->lowercase && (flags & QEFF_UNICODE_LOWER)) {
        if (c == 0x130) return OUTCOME_STEPS; /* becomes two */
        c = qeff_unicode_lower(c);
        flags = qeff_unicode_flags(c);
    }
    const size_t n = qeff_utf8_encode(c, bytes);
    if (isolated || (flags & QEFF_UNICODE_PUNCT)) return put_char(pass, bytes, n, index);
    if (flags & QEFF_UNICODE_SPACE) return put_buffer(pass) ? OUTCOME_TAKEN : OUTCOME_FAILED;
    append(pass->buffer, bytes, n, index);
    return OUTCOME_TAKEN;
}

static size_t find_space(const qeff_bert_pass *pass, size_t at)
{
    while (at < pass->text.size &&
           pass->words->kinds[(unsigned char)pass->text.data[at]] != QEFF_BERT_SPACE)
        at++;
    return at;
}

/* Takes characters one by one, up to and with the next ASCII space or punctuation. */
static qeff_bert_stop run_characters(qeff_bert_pass *pass, size_t *segment_end)
{
    const unsigned char *data = (const unsigned char *)pass->text.data;
    const size_t size = pass->text.size, n_before = pass->out->n;
    const int32_t word_before = pass->word;
    const qeff_bert_words *words = pass->words;
    size_t at = pass->at;
    int32_t index = pass->index;
    outcome result = OUTCOME_TAKEN;
    for (clear_buffer(pass->buffer); result == OUTCOME_TAKEN && at < size; index++) {
        uint32_t c = data[at];
        const qeff_bert_kind kind = (qeff_bert_kind)words->kinds[c];
        if (c < 0x80) {
            if (kind == QEFF_BERT_SPACE || kind == QEFF_BERT_PUNCT) break;
            const char lower = (char)words->lower[c];
            if (kind == QEFF_BERT_WORD) append(pass->buffer, &lower, 1, index);
            if (kind == QEFF_BERT_OTHER) result = OUTCOME_STEPS;
            at++;
            continue;
        }
        const size_t n = decode(data + at, size - at, &c);
        if (n == 0) return QEFF_BERT_INVALID;
        if (qeff_unicode_flags(c) & words->notable)
            result = take_notable(pass, c, index);
        else if (words->chinese && qeff_unicode_is_chinese(c))
            result = put_char(pass, (const char *)data + at, n, index);
        else
            append(pass->buffer, (const char *)data + at, n, index);
        at += n;
    }
    if (result == OUTCOME_STEPS) {
        pass->out->n = n_before;
        pass->word = word_before;
        *segment_end = find_space(pass, at);
        return QEFF_BERT_STEPS;
    }
    if (result == OUTCOME_FAILED || !put_buffer(pass)) return QEFF_BERT_FAILED;
    pass->at = at;
    pass->index = index;
    return QEFF_BERT_END;
}

/* ---- ASCII ---- */

/* The high bit of each byte that lies in [low, high]; both are ASCII, and so is each byte of x. */
static inline uint64_t bytes_between(uint64_t x, uint8_t low, uint8_t high)
{
    return (x + EACH_BYTE(0x80u - low)) & ~(x + EACH_BYTE(0x7fu - high));
}

/* Up to eight bytes of a run of letters and digits, lower-cased if `lower` is ones, zero behind. */
static inline uint64_t take_run(const char *at, size_t left, uint64_t lower, size_t *n)
{
    uint64_t x = 0;
    if (left >= 8)
        x = qeff_load_u64le(at);
    else
        for (size_t i = 0; i < left; i++)
            x |= (uint64_t)(unsigned char)at[i] << 8 * i;
    const uint64_t low = x & EACH_BYTE(0x7fu);
    const uint64_t letters = bytes_between(low | EACH_BYTE(0x20u), 'a', 'z');
    const uint64_t digits = bytes_between(low, '0', '9');
    const uint64_t others = (~(letters | digits) | x) & EACH_BYTE(0x80u);
    const uint64_t run = others ? (others & (0 - others)) - 1 : ~(uint64_t)0; /* bits before it */
    *n = others ? (size_t)__builtin_ctzll(others) / 8 : 8;
    x |= letters >> 2 & EACH_BYTE(0x20u) & lower;
    return others ? x & run >> 7 : x;
}

qeff_bert_stop qeff_bert_pass_run(qeff_bert_pass *pass, size_t *segment_end)
{
    const char *data = pass->text.data;
    const size_t size = pass->text.size;
    const uint8_t *kinds = pass->words->kinds;
    const uint64_t lower = pass->words->lowercase ? ~(uint64_t)0 : 0;
    while (pass->at < size) {
        size_t n = 0, n2 = 0;
        const size_t at = pass->at;
        qeff_word_key key = {{take_run(data + at, size - at, lower, &n)}};
        if (n == 8) {
            key.part[1] = take_run(data + at + 8, size - at - 8, lower, &n2);
            n += n2;
        }
        const qeff_bert_kind next =
            at + n < size ? (qeff_bert_kind)kinds[(unsigned char)data[at + n]] : QEFF_BERT_SPACE;
        if (n > 15 || n > pass->model->max_chars || next == QEFF_BERT_OTHER ||
            next == QEFF_BERT_NONE) {
            const qeff_bert_stop stop = run_characters(pass, segment_end);
            if (stop != QEFF_BERT_END) return stop;
        } else if (n > 0) {
            if (!put_ascii_word(pass, &key, n)) return QEFF_BERT_FAILED;
            pass->at += n;
            pass->index += (int32_t)n;
        }
        for (; pass->at < size; pass->at++, pass->index++) {
            const unsigned char c = (unsigned char)data[pass->at];
            if (kinds[c] == QEFF_BERT_PUNCT) {
                if (!put_punct(pass, c)) return QEFF_BERT_FAILED;
            } else if (kinds[c] != QEFF_BERT_SPACE) {
                break;
            }
        }
    }
    return QEFF_BERT_END;
}
