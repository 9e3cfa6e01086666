/* encode_fuzz.c - fuzz target for encoding and decoding. The last kind of tokenizer runs in one
 * pass over the text, and must give what another one gives that runs the same steps one by one.
 *
 *   input  tokenizer, options, max_length: one byte each; then the text, up to the first byte 0xfe,
 *          and the pair behind it */
#include "check.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TOKEN(content, flags) "{\"id\":0,\"content\":\"" content "\"," flags "}"
#define FLAGS(single, left, right, normalized)                                                     \
    "\"single_word\":" single ",\"lstrip\":" left ",\"rstrip\":" right                             \
    ",\"normalized\":" normalized ",\"special\":true"
#define BERT(lower)                                                                                \
    "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"              \
    "\"strip_accents\":null,\"lowercase\":" lower "}"

static const char added[] = "[" TOKEN("[MASK]", FLAGS("false", "true", "false", "false")) "," TOKEN(
    "<x>",
    FLAGS(
        "false", "false", "true",
        "false")) "," TOKEN("foo",
                            FLAGS(
                                "true", "false", "false",
                                "false")) "," TOKEN("Foo Bar",
                                                    FLAGS(
                                                        "true", "true", "true",
                                                        "true")) "," TOKEN("\xc3\x89t\xc3\xa9",
                                                                           FLAGS(
                                                                               "false", "false",
                                                                               "false",
                                                                               "true")) "," TOKEN("\\n",
                                                                                                  FLAGS(
                                                                                                      "false",
                                                                                                      "true",
                                                                                                      "true",
                                                                                                      "false")) "]";

static const char vocab[] =
    "{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"hello\":4,\"a\":5,\"##a\":6,\"b\":7,"
    "\"##b\":8,\"un\":9,\"##want\":10,\"##ed\":11,\"e\":12,\"##e\":13,\".\":14,\"\xe4\xb8\xad\":15,"
    "\"\xcc\x81\":16,\"##\xcc\x81\":17,\"\xc3\xa9\":18,\"'\":19,\"s\":20,\"##s\":21,\"n\":22}";

static const char added_raw[] = "[" TOKEN("[MASK]", FLAGS("false", "true", "false", "false")) "]";

static const struct {
    const char *normalizer, *pre_tokenizer, *post_processor;
} kinds[] = {
    {BERT("true"), "{\"type\":\"BertPreTokenizer\"}",
     "{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2]}"},
    {BERT("false"), "{\"type\":\"WhitespaceSplit\"}", "null"},
    {"{\"type\":\"NFC\"}", "{\"type\":\"Whitespace\"}",
     "{\"type\":\"RobertaProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2],"
     "\"trim_offsets\":true,\"add_prefix_space\":true}"},
    {"{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKD\"},{\"type\":\"StripAccents\"},"
     "{\"type\":\"Replace\",\"pattern\":{\"String\":\"aa\"},\"content\":\"\"},"
     "{\"type\":\"Lowercase\"},{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true},"
     "{\"type\":\"Prepend\",\"prepend\":\"_\"}]}",
     "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Punctuation\",\"behavior\":"
     "\"MergedWithNext\"},{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"\xc3\xa9\"}]}",
     "null"},
    {"null", "null", "null"},
    {BERT("true"), "{\"type\":\"BertPreTokenizer\"}", "null"},
    {"{\"type\":\"Sequence\",\"normalizers\":[" BERT(
         "true") ",{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":false}]}",
     "{\"type\":\"BertPreTokenizer\"}", "null"},
};
enum { KIND_IN_STEPS = sizeof kinds / sizeof *kinds - 1, KIND_IN_ONE = KIND_IN_STEPS - 1 };

static qeff_tokenizer *make(size_t kind)
{
    static char json[16384];
    qeff_tokenizer *tokenizer = NULL;
    const int n = snprintf(
        json, sizeof json,
        "{\"added_tokens\":%s,\"normalizer\":%s,\"pre_tokenizer\":%s,\"post_processor\":%s,"
        "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},\"model\":{"
        "\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
        "\"max_input_chars_per_word\":100,\"vocab\":%s}}",
        kind >= KIND_IN_ONE ? added_raw : added, kinds[kind].normalizer, kinds[kind].pre_tokenizer,
        kinds[kind].post_processor, vocab);
    REQUIRE(n > 0 && (size_t)n < sizeof json);
    REQUIRE(!qeff_tokenizer_parse((qeff_bytes){(const uint8_t *)json, (size_t)n}, NULL, &tokenizer,
                                  NULL));
    return tokenizer;
}

static void encode(const qeff_tokenizer *tokenizer, qeff_str text, qeff_encode_options options)
{
    static qeff_encoding first, second; /* kept, as a program would */
    qeff_text decoded = {0};
    const size_t pair_size = options.pair ? options.pair->size : 0;
    if (qeff_tokenizer_encode(tokenizer, text, &options, &first, NULL)) {
        REQUIRE(first.n == 0);
        return;
    }
    check_encoding(tokenizer, &first, text.size, pair_size);
    REQUIRE(options.max_length == 0 || first.n <= options.max_length);
    REQUIRE(!qeff_tokenizer_decode(tokenizer, first.ids, first.n, true, &decoded, NULL));
    qeff_text_deinit(&decoded);
    options.no_offsets = true; /* another path through the normalizers, the same tokens */
    REQUIRE(!qeff_tokenizer_encode(tokenizer, text, &options, &second, NULL));
    REQUIRE(second.n == first.n && second.n_truncated == first.n_truncated);
    REQUIRE(first.n == 0 || memcmp(first.ids, second.ids, first.n * sizeof *first.ids) == 0);
}

static void
compare(qeff_tokenizer *const tokenizers[2], qeff_str text, const qeff_encode_options *options)
{
    static qeff_encoding encodings[2];
    qeff_status status[2];
    for (int k = 0; k < 2; k++)
        status[k] = qeff_tokenizer_encode(tokenizers[k], text, options, &encodings[k], NULL);
    const qeff_encoding *a = &encodings[0], *b = &encodings[1];
    REQUIRE(status[0] == status[1] && a->n == b->n && a->n_truncated == b->n_truncated);
    if (a->n == 0) return;
    REQUIRE(memcmp(a->ids, b->ids, a->n * sizeof *a->ids) == 0);
    REQUIRE(memcmp(a->word_ids, b->word_ids, a->n * sizeof *a->word_ids) == 0);
    REQUIRE(memcmp(a->offsets, b->offsets, a->n * sizeof *a->offsets) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static qeff_tokenizer *tokenizers[KIND_IN_STEPS + 1];
    if (size < 3) return 0;
    const size_t kind = data[0] % KIND_IN_STEPS;
    for (size_t i = kind; i <= kind + (kind == KIND_IN_ONE); i++)
        if (!tokenizers[i]) tokenizers[i] = make(i);
    const char *text = (const char *)data + 3;
    const char *mark = memchr(text, 0xfe, size - 3);
    const size_t n = mark ? (size_t)(mark - text) : size - 3;
    const qeff_str pair = {mark ? mark + 1 : NULL, mark ? size - 4 - n : 0};
    const qeff_encode_options options = {.pair = mark ? &pair : NULL,
                                         .no_special_tokens = data[1] & 1,
                                         .truncate_left = (data[1] & 2) != 0,
                                         .strategy = (qeff_truncation)(data[1] / 4 % 3),
                                         .max_length = data[2]};
    encode(tokenizers[kind], (qeff_str){text, n}, options);
    if (kind == KIND_IN_ONE) compare(&tokenizers[kind], (qeff_str){text, n}, &options);
    return 0;
}
