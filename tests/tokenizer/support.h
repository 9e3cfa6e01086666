/* support.h - a small BERT tokenizer as text, with parts that a test can exchange, and encodings as
 * text. */
#ifndef TOKENIZER_TEST_SUPPORT_H
#define TOKENIZER_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "test.h"

#include "base/buffer.h"
#include "base/span.h"

#include <qeff/tokenizer.h>

/* Parts of a tokenizer.json; NULL: as in BERT. */
typedef struct parts {
    const char *added, *normalizer, *pre_tokenizer, *post_processor, *decoder, *model, *more;
} parts;

#define SMALL_VOCAB                                                                                \
    "\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"hello\":5,\"world\":6,"        \
    "\"a\":7,\"b\":8,\"##b\":9,\"un\":10,\"##want\":11,\"##ed\":12,\",\":13,\"cafe\":14,"          \
    "\"do\":15,\"not\":16,\".\":17,\"\xe4\xb8\xad\":18,\"##a\":19,\"'\":20,\"s\":21"
#define SMALL_MODEL(vocab)                                                                         \
    "{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","        \
    "\"max_input_chars_per_word\":100,\"vocab\":{" vocab "}}"
#define SPECIAL_TOKEN(id, text)                                                                    \
    "{\"id\":" #id ",\"content\":\"" text "\",\"single_word\":false,\"lstrip\":false,"             \
    "\"rstrip\":false,\"normalized\":false,\"special\":true}"
#define BERT_PROCESSING "{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2]}"
#define BERT_NORMALIZER                                                                            \
    "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"              \
    "\"strip_accents\":null,\"lowercase\":true}"
#define SMALL_ADDED                                                                                \
    "[" SPECIAL_TOKEN(0, "[PAD]") "," SPECIAL_TOKEN(1, "[UNK]") "," SPECIAL_TOKEN(                 \
        2, "[CLS]") "," SPECIAL_TOKEN(3, "[SEP]") "," SPECIAL_TOKEN(4, "[MASK]") "]"

static inline void
append_part(qeff_buffer *out, const char *key, const char *given, const char *usual)
{
    qeff_buffer_format(out, "\"%s\":", key);
    qeff_buffer_append_text(out, given ? given : usual);
    qeff_buffer_append_byte(out, ',');
}

/* The text of a tokenizer.json; the caller deinits `out`. */
static inline qeff_bytes make_json(const parts *p, qeff_buffer *out)
{
    qeff_buffer_append_text(out, "{\"version\":\"1.0\",");
    append_part(out, "added_tokens", p->added, SMALL_ADDED);
    append_part(out, "normalizer", p->normalizer, BERT_NORMALIZER);
    append_part(out, "pre_tokenizer", p->pre_tokenizer, "{\"type\":\"BertPreTokenizer\"}");
    append_part(out, "post_processor", p->post_processor, BERT_PROCESSING);
    append_part(out, "decoder", p->decoder,
                "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}");
    if (p->more) qeff_buffer_append_text(out, p->more);
    qeff_buffer_append_text(out, "\"model\":");
    qeff_buffer_append_text(out, p->model ? p->model : SMALL_MODEL(SMALL_VOCAB));
    qeff_buffer_append_byte(out, '}');
    return qeff_buffer_bytes(out);
}

static inline qeff_status parse_parts(const parts *p, qeff_tokenizer **out, qeff_error *err)
{
    qeff_buffer json = {0};
    const qeff_status status = qeff_tokenizer_parse(make_json(p, &json), NULL, out, err);
    qeff_buffer_deinit(&json);
    return status;
}

/* ids|type_ids|begin:end|word_ids|special, as tests/tokenizer/dump.c prints it. */
static inline void format_encoding(const qeff_encoding *e, bool with_words, qeff_buffer *out)
{
    out->size = 0;
    for (size_t i = 0; i < e->n; i++)
        qeff_buffer_format(out, "%s%d", i ? " " : "", (int)e->ids[i]);
    qeff_buffer_append_byte(out, '|');
    for (size_t i = 0; i < e->n; i++)
        qeff_buffer_format(out, "%s%d", i ? " " : "", (int)e->type_ids[i]);
    qeff_buffer_append_byte(out, '|');
    for (size_t i = 0; e->offsets && i < e->n; i++)
        qeff_buffer_format(out, "%s%d:%d", i ? " " : "", (int)e->offsets[i].begin,
                           (int)e->offsets[i].end);
    qeff_buffer_append_byte(out, '|');
    for (size_t i = 0; with_words && i < e->n; i++)
        qeff_buffer_format(out, "%s%d", i ? " " : "", (int)e->word_ids[i]);
    qeff_buffer_append_byte(out, '|');
    for (size_t i = 0; i < e->n; i++)
        qeff_buffer_format(out, "%s%d", i ? " " : "", (int)e->special_mask[i]);
}

#endif /* TOKENIZER_TEST_SUPPORT_H */
