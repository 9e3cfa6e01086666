/* hostile_test.c - every tokenizer.json that must be refused is, by name and key; and texts meant
 * to be slow are not. Slowness shows as the test's time limit: what is linear takes a moment here,
 * what is quadratic takes hours. */
#include "support.h"

#include <stdlib.h>

static void assert_refused(const parts *p, qeff_status status, const char *text)
{
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    ASSERT_FAILS(parse_parts(p, &tokenizer, &err), status, text);
    assert_null(tokenizer);
    assert_null(strchr(err.message, '\n'));
}

static void assert_text_refused(const char *json, size_t size, qeff_status status, const char *text)
{
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    ASSERT_FAILS(
        qeff_tokenizer_parse((qeff_bytes){(const uint8_t *)json, size}, NULL, &tokenizer, &err),
        status, text);
    assert_null(tokenizer);
}

static void assert_model_refused(const char *model, const char *text)
{
    assert_refused(&(parts){.model = model}, QEFF_ERR_FORMAT, text);
}

/* `text`, `n` times over, between `before` and `after`. */
static char *repeat(const char *before, const char *text, size_t n, const char *after)
{
    qeff_buffer out = {0};
    qeff_buffer_append_text(&out, before);
    for (size_t i = 0; i < n; i++)
        qeff_buffer_append_text(&out, text);
    qeff_buffer_append_text(&out, after);
    qeff_buffer_append_byte(&out, 0);
    assert_false(out.failed);
    return (char *)out.data; /* freed by qeff_allocator's free: see drop() */
}

static void drop(char *text)
{
    qeff_buffer out = {.data = (uint8_t *)text};
    qeff_buffer_deinit(&out);
}

TEST(json, refuses_what_is_no_object)
{
    (void)state_;
    assert_text_refused("", 0, QEFF_ERR_FORMAT, "");
    assert_text_refused("[]", 2, QEFF_ERR_FORMAT, "expected an object");
    assert_text_refused("{", 1, QEFF_ERR_FORMAT, "line 1");
    assert_text_refused("{}", 2, QEFF_ERR_FORMAT, "key 'model' is missing");
    assert_text_refused("{ } x", 5, QEFF_ERR_FORMAT, "line 1");
    assert_text_refused("{\"a\":\"\xff\"}", 9, QEFF_ERR_FORMAT, "UTF-8");
}

TEST(json, refuses_every_truncation)
{
    (void)state_;
    qeff_error err = {0};
    qeff_buffer json = {0};
    const qeff_bytes whole = make_json(&(parts){0}, &json);
    for (size_t n = 0; n < whole.size; n++) {
        qeff_tokenizer *tokenizer = NULL;
        const qeff_status status =
            qeff_tokenizer_parse((qeff_bytes){whole.data, n}, NULL, &tokenizer, &err);
        assert_int_equal(status, QEFF_ERR_FORMAT);
    }
    qeff_buffer_deinit(&json);
}

TEST(json, refuses_an_unknown_version)
{
    (void)state_;
    assert_text_refused("{\"version\":\"2.0\"}", 17, QEFF_ERR_UNSUPPORTED, "version '2.0'");
}

TEST(json, refuses_deep_nesting)
{
    (void)state_;
    char *deep = repeat("{\"x\":", "[", 1000000, "");
    assert_text_refused(deep, strlen(deep), QEFF_ERR_FORMAT, "");
    drop(deep);
}

TEST(json, limits_what_is_not_vocabulary)
{
    (void)state_;
    char *junk = repeat("\"junk\":\"", "0123456789abcdef", (17 << 20) / 16, "\",");
    assert_refused(&(parts){.more = junk}, QEFF_ERR_FORMAT, "");
    junk[8 + (9 << 20)] = '"'; /* two strings, each of a legal size */
    junk[9 + (9 << 20)] = ',';
    junk[10 + (9 << 20)] = '"';
    memcpy(junk + 11 + (9 << 20), "x\":\"", 4);
    assert_refused(&(parts){.more = junk}, QEFF_ERR_FORMAT, "bytes beside the vocabulary");
    drop(junk);
}

TEST(vocab, refuses_bad_ids)
{
    (void)state_;
    assert_model_refused(SMALL_MODEL("\"a\":-1"), "token 'a': expected an id");
    assert_model_refused(SMALL_MODEL("\"a\":2147483648"), "token 'a': expected an id");
    assert_model_refused(SMALL_MODEL("\"a\":4000000"), "token 'a': expected an id");
    assert_model_refused(SMALL_MODEL("\"a\":1.5"), "token 'a': expected an id");
    assert_model_refused(SMALL_MODEL("\"a\":1e3"), "token 'a': expected an id");
    assert_model_refused(SMALL_MODEL("\"a\":\"1\""), "token 'a': expected an id");
    assert_model_refused(SMALL_MODEL("\"a\":null"), "token 'a': expected an id");
    assert_model_refused(SMALL_MODEL("\"a\":{\"b\":1}"), "token 'a': expected an id");
    assert_model_refused(SMALL_MODEL("\"a\":1,\"b\":1"), "tokens 'a' and 'b' share id 1");
}

TEST(vocab, accepts_gaps_between_ids)
{
    (void)state_;
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    ASSERT_OK(parse_parts(&(parts){.model = SMALL_MODEL(SMALL_VOCAB ",\"far\":3999999")},
                          &tokenizer, &err));
    assert_int_equal(qeff_tokenizer_id_limit(tokenizer), 4000000);
    assert_null(qeff_tokenizer_token(tokenizer, 100).data);
    qeff_tokenizer_destroy(tokenizer);
}

TEST(vocab, refuses_a_token_twice)
{
    (void)state_;
    assert_model_refused(SMALL_MODEL("\"a\":1,\"a\":2"), "token 'a' stands twice");
    assert_model_refused(SMALL_MODEL("\"a\":1,\"\\u0061\":2"), "token 'a' stands twice");
}

TEST(vocab, refuses_texts_that_are_no_utf8)
{
    (void)state_;
    assert_model_refused(SMALL_MODEL("\"\xc0\x80\":1"), "UTF-8");
    assert_model_refused(SMALL_MODEL("\"\\ud800\":1"), "lone surrogate");
}

TEST(vocab, limits_the_length_of_a_token)
{
    (void)state_;
    static const char head[] =
        "{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
        "\"max_input_chars_per_word\":100,\"vocab\":{\"";
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    char *longest = repeat(head, "ab", 32768, "\":0,\"[SEP]\":3,\"[CLS]\":2}}");
    char *too_long = repeat(head, "ab", 500000, "\":0}}");
    ASSERT_OK(parse_parts(&(parts){.model = longest, .added = "[]"}, &tokenizer, &err));
    qeff_tokenizer_destroy(tokenizer);
    assert_model_refused(too_long, "token of 1000000 bytes, expected at most 65536");
    drop(longest);
    drop(too_long);
}

TEST(vocab, lets_empty_and_nul_tokens_be)
{
    (void)state_;
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    const parts p = {.model = SMALL_MODEL(SMALL_VOCAB ",\"\":22,\"\\u0000\":23,\"##\":24")};
    ASSERT_OK(parse_parts(&p, &tokenizer, &err));
    assert_int_equal(qeff_tokenizer_id(tokenizer, QEFF_STR("")), 22);
    assert_int_equal(qeff_tokenizer_id(tokenizer, (qeff_str){"\0", 1}), 23);
    qeff_tokenizer_destroy(tokenizer);
}

TEST(model, refuses_missing_or_wrong_members)
{
    (void)state_;
    assert_model_refused("3", "key 'model'");
    assert_model_refused("{\"type\":\"WordPiece\",\"vocab\":[]}", "key 'vocab'");
    assert_model_refused("{\"type\":\"WordPiece\",\"vocab\":{}}", "key 'unk_token'");
    assert_model_refused("{\"type\":\"WordPiece\",\"vocab\":{\"a\":0},\"vocab\":{\"b\":1}}",
                         "vocab");
    assert_model_refused("{\"type\":\"WordPiece\",\"unk_token\":\"x\",\"vocab\":{},"
                         "\"continuing_subword_prefix\":1,\"max_input_chars_per_word\":100}",
                         "continuing_subword_prefix");
    assert_model_refused("{\"type\":\"WordPiece\",\"unk_token\":\"x\",\"vocab\":{},"
                         "\"continuing_subword_prefix\":\"\",\"max_input_chars_per_word\":1e9}",
                         "max_input_chars_per_word");
    assert_model_refused("{\"type\":\"WordPiece\",\"unk_token\":\"x\",\"vocab\":{},"
                         "\"continuing_subword_prefix\":\"\",\"max_input_chars_per_word\":1001}",
                         "max_input_chars_per_word");
}

TEST(components, refuses_unknown_types_by_name)
{
    (void)state_;
    const qeff_status no = QEFF_ERR_UNSUPPORTED;
    assert_refused(&(parts){.model = "{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}"}, no,
                   "key 'model': unknown model 'BPE'");
    assert_refused(&(parts){.model = "{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1.5]]}"}, no,
                   "unknown model 'Unigram'");
    assert_refused(&(parts){.normalizer = "{\"type\":\"Precompiled\"}"}, no,
                   "key 'normalizer': unknown normalizer 'Precompiled'");
    assert_refused(&(parts){.normalizer =
                                "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(a+)+$\"},"
                                "\"content\":\"\"}"},
                   no, "'Replace' with a 'Regex' pattern");
    assert_refused(&(parts){.pre_tokenizer =
                                "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(x*)*\"},"
                                "\"behavior\":\"Removed\",\"invert\":false}"},
                   no, "key 'pre_tokenizer': unknown pre-tokenizer 'Split'");
    assert_refused(&(parts){.pre_tokenizer = "{\"type\":\"ByteLevel\"}"}, no, "'ByteLevel'");
    assert_refused(&(parts){.post_processor = "{\"type\":\"ByteLevel\"}"}, no,
                   "key 'post_processor': unknown post-processor 'ByteLevel'");
    assert_refused(&(parts){.decoder = "{\"type\":\"CTC\"}"}, no,
                   "key 'decoder': unknown decoder 'CTC'");
    assert_refused(&(parts){.post_processor = "{\"type\":\"Sequence\",\"processors\":[]}"}, no,
                   "'Sequence' of 0 post-processors");
}

TEST(components, refuses_sequences_that_nest_or_repeat_without_end)
{
    (void)state_;
    char *open = repeat("", "{\"type\":\"Sequence\",\"normalizers\":[", 17, "");
    char *deep = repeat(open, "]}", 17, "");
    assert_refused(&(parts){.normalizer = deep}, QEFF_ERR_FORMAT, "nested deeper than 16");
    drop(open);
    drop(deep);
    open = repeat("", "{\"type\":\"Sequence\",\"pretokenizers\":[", 100000, "");
    assert_refused(&(parts){.pre_tokenizer = open}, QEFF_ERR_FORMAT, "");
    drop(open);
    char *wide = repeat("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFD\"}",
                        ",{\"type\":\"NFD\"}", 256, "]}");
    assert_refused(&(parts){.normalizer = wide}, QEFF_ERR_FORMAT, "more than 256 steps");
    drop(wide);
}

TEST(components, refuses_malformed_members)
{
    (void)state_;
    const qeff_status bad = QEFF_ERR_FORMAT;
    assert_refused(&(parts){.normalizer = "[]"}, bad, "key 'normalizer'");
    assert_refused(&(parts){.normalizer = "{}"}, bad, "'type'");
    assert_refused(&(parts){.normalizer = "{\"type\":\"BertNormalizer\"}"}, bad, "'clean_text'");
    assert_refused(&(parts){.normalizer = "{\"type\":\"Strip\",\"strip_left\":1}"}, bad,
                   "'strip_left'");
    assert_refused(&(parts){.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},"
                                          "\"content\":\"x\"}"},
                   bad, "empty pattern");
    assert_refused(&(parts){.normalizer = "{\"type\":\"Replace\",\"pattern\":3}"}, bad, "pattern");
    assert_refused(&(parts){.pre_tokenizer = "{\"type\":\"Punctuation\",\"behavior\":\"X\"}"}, bad,
                   "unknown behavior 'X'");
    assert_refused(
        &(parts){.pre_tokenizer = "{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"}"}, bad,
        "expected one character");
    assert_refused(&(parts){.decoder = "{\"type\":\"WordPiece\"}"}, bad, "'prefix'");
    assert_refused(&(parts){.more = "\"truncation\":{\"max_length\":4,\"stride\":4,"
                                    "\"strategy\":\"LongestFirst\",\"direction\":\"Right\"},"},
                   bad, "stride 4 is not below max_length 4");
    assert_refused(&(parts){.more = "\"truncation\":{\"max_length\":-1},"}, bad, "'max_length'");
    assert_refused(&(parts){.more = "\"padding\":{\"strategy\":\"X\",\"direction\":\"Left\"},"},
                   bad, "unknown strategy 'X'");
    assert_refused(&(parts){.more = "\"qeff\":[],"}, bad, "key 'qeff'");
}

#define PIECE_A   "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}"
#define PIECE_B   "{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}"
#define PIECE_CLS "{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}}"
#define TEMPLATE(single, pair, ids)                                                                \
    "{\"type\":\"TemplateProcessing\",\"single\":[" single "],\"pair\":[" pair "],"                \
    "\"special_tokens\":{\"[CLS]\":{\"id\":\"[CLS]\",\"ids\":[" ids "],\"tokens\":[\"[CLS]\"]}}}"

TEST(template, refuses_what_it_could_not_fill)
{
    (void)state_;
    const qeff_status bad = QEFF_ERR_FORMAT;
    assert_refused(&(parts){.post_processor = TEMPLATE("", PIECE_A "," PIECE_B, "2")}, bad,
                   "key 'single': expected sequence A once, found A 0 times, B 0 times");
    assert_refused(&(parts){.post_processor = TEMPLATE(PIECE_B, PIECE_A "," PIECE_B, "2")}, bad,
                   "found A 0 times, B 1 times");
    assert_refused(&(parts){.post_processor = TEMPLATE(PIECE_A, PIECE_A, "2")}, bad,
                   "key 'pair': expected sequence A once and B once, found A 1 times, B 0 times");
    assert_refused(&(parts){.post_processor = TEMPLATE(
                                PIECE_A ",{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}}",
                                PIECE_A "," PIECE_B, "2")},
                   bad, "template names '<s>', which 'special_tokens' lacks");
    assert_refused(&(parts){.post_processor = TEMPLATE(
                                "{\"Sequence\":{\"id\":\"C\",\"type_id\":0}}", PIECE_A, "2")},
                   bad, "names sequence 'C'");
    assert_refused(&(parts){.post_processor = TEMPLATE("{}", PIECE_A, "2")}, bad, "neither a");
    assert_refused(
        &(parts){.post_processor = TEMPLATE(PIECE_CLS "," PIECE_A, PIECE_A "," PIECE_B, "-1")}, bad,
        "key 'single', element 0");
    assert_refused(
        &(parts){.post_processor = TEMPLATE(PIECE_CLS "," PIECE_A, PIECE_A "," PIECE_B, "999")},
        bad, "no token has the id 999");
    char *ids = repeat("2", ",2", 1024, "");
    char *many = repeat("{\"type\":\"TemplateProcessing\",\"single\":[" PIECE_CLS "],\"pair\":[],"
                        "\"special_tokens\":{\"[CLS]\":{\"ids\":[",
                        ids, 1, "]}}}");
    assert_refused(&(parts){.post_processor = many}, bad, "template of more than 1024 tokens");
    drop(ids);
    drop(many);
}

TEST(added_tokens, refuses_malformed_ones)
{
    (void)state_;
    const qeff_status bad = QEFF_ERR_FORMAT;
    assert_refused(&(parts){.added = "{}"}, bad, "key 'added_tokens'");
    assert_refused(&(parts){.added = "[3]"}, bad, "key 'added_tokens': element 0");
    assert_refused(&(parts){.added = "[{\"id\":0,\"content\":\"x\"}]"}, bad, "'single_word'");
    assert_refused(&(parts){.added = "[" SPECIAL_TOKEN(-1, "x") "]"}, bad, "'id'");
    assert_refused(&(parts){.added = "[" SPECIAL_TOKEN(4294967296, "x") "]"}, bad, "'id'");
    assert_refused(&(parts){.added = "[" SPECIAL_TOKEN(0, "\\ud800") "]"}, bad, "surrogate");
}

TEST(added_tokens, limits_their_bytes)
{
    (void)state_;
    char *content = repeat("", "ab", 2200000, "");
    char *token = repeat("[{\"id\":0,\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                         "\"normalized\":false,\"special\":true,\"content\":\"",
                         content, 1, "\"}]");
    assert_refused(&(parts){.added = token}, QEFF_ERR_FORMAT, "bytes, expected at most 65536");
    drop(content);
    drop(token);
}

/* ---- slow texts ---- */

static void encode_repeated(const parts *p, const char *text, size_t n)
{
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    qeff_encoding encoding = {0};
    ASSERT_OK(parse_parts(p, &tokenizer, &err));
    char *all = repeat("", text, n, "");
    const qeff_str input = {all, strlen(all)};
    ASSERT_OK(qeff_tokenizer_encode(tokenizer, input, NULL, &encoding, &err));
    assert_true(encoding.n >= 2);
    qeff_encoding_deinit(&encoding);
    qeff_tokenizer_destroy(tokenizer);
    drop(all);
}

TEST(encode, takes_linear_time_for_runs_of_one_character)
{
    (void)state_;
    encode_repeated(&(parts){0}, "a", 10000000);
    encode_repeated(&(parts){0}, " ", 10000000);
    encode_repeated(&(parts){0}, ".", 1000000);
    encode_repeated(&(parts){0}, "\xe4\xb8\xad", 1000000);
    encode_repeated(&(parts){0}, "\xc3\xa9", 1000000);
    encode_repeated(&(parts){0}, "\xea\xb0\x81", 1000000);
    encode_repeated(&(parts){0}, "\xe0\xaf\x8a", 1000000); /* NFD makes two of it */
    encode_repeated(&(parts){0}, "\xe3\x80\xae", 1000000); /* a mark that stays */
    encode_repeated(&(parts){0}, "a\xe3\x80\xae ", 1000000);
    encode_repeated(&(parts){0}, "\xe2\x80\x8b", 1000000);
    encode_repeated(&(parts){0}, "##", 1000000);
    encode_repeated(&(parts){0}, "a ", 1000000);
    encode_repeated(&(parts){0}, "ab", 1000000);
    encode_repeated(&(parts){0}, "\xff", 1000000);
    encode_repeated(&(parts){0}, "\xf0\x9f\x91\xa8\xe2\x80\x8d", 1000000); /* ZWJ chain */
}

TEST(encode, takes_linear_time_for_marks_on_one_letter)
{
    (void)state_;
    encode_repeated(&(parts){0}, "\xcc\x81", 1000000);
    encode_repeated(&(parts){0}, "\xcc\xa3\xcc\x81", 1000000); /* needs reordering */
    encode_repeated(&(parts){.normalizer = "{\"type\":\"NFC\"}"}, "\xcc\xa3\xcc\x81", 1000000);
    encode_repeated(&(parts){.normalizer = "{\"type\":\"NFKD\"}"}, "\xef\xb7\xba", 300000);
}

TEST(encode, takes_linear_time_for_added_tokens)
{
    (void)state_;
    encode_repeated(&(parts){0}, "[MASK]", 1000000);
    encode_repeated(&(parts){0}, "[", 1000000);
    /* One long token and its first letter: after each match the rest is read anew by a naive
     * search. */
    char *content = repeat("", "a", 60000, "b");
    char *added = repeat(
        "[" SPECIAL_TOKEN(
            30, "a") ",{\"id\":31,\"single_word\":false,"
                     "\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true,"
                     "\"content\":\"",
        content, 1, "\"}]");
    encode_repeated(&(parts){.added = added}, "a", 1000000);
    drop(content);
    drop(added);
    /* White space that each of many tokens would measure again. */
    encode_repeated(&(parts){.added = "[{\"id\":30,\"content\":\"\\n\",\"single_word\":false,"
                                      "\"lstrip\":false,\"rstrip\":true,\"normalized\":false,"
                                      "\"special\":true}]"},
                    "\n", 1000000);
}

TEST(encode, takes_linear_time_for_patterns_that_nearly_match)
{
    (void)state_;
    char *pattern = repeat("{\"type\":\"Replace\",\"content\":\"x\",\"pattern\":{\"String\":\"",
                           "a", 50000, "b\"}}");
    encode_repeated(&(parts){.normalizer = pattern}, "a", 1000000);
    drop(pattern);
}

TEST(encode, takes_linear_time_for_words_that_nearly_match)
{
    (void)state_;
    /* Each letter of a word of 1,000 is looked up with every length. */
    char *vocab = repeat("{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","
                         "\"continuing_subword_prefix\":\"\",\"max_input_chars_per_word\":1000,"
                         "\"vocab\":{\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"a\":0,\"",
                         "a", 999, "b\":4}}");
    char *word = repeat("", "a", 999, " ");
    encode_repeated(&(parts){.model = vocab}, word, 1000);
    drop(word);
    drop(vocab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(json, refuses_what_is_no_object),
        RUN(json, refuses_every_truncation),
        RUN(json, refuses_an_unknown_version),
        RUN(json, refuses_deep_nesting),
        RUN(json, limits_what_is_not_vocabulary),
        RUN(vocab, refuses_bad_ids),
        RUN(vocab, accepts_gaps_between_ids),
        RUN(vocab, refuses_a_token_twice),
        RUN(vocab, refuses_texts_that_are_no_utf8),
        RUN(vocab, limits_the_length_of_a_token),
        RUN(vocab, lets_empty_and_nul_tokens_be),
        RUN(model, refuses_missing_or_wrong_members),
        RUN(components, refuses_unknown_types_by_name),
        RUN(components, refuses_sequences_that_nest_or_repeat_without_end),
        RUN(components, refuses_malformed_members),
        RUN(template, refuses_what_it_could_not_fill),
        RUN(added_tokens, refuses_malformed_ones),
        RUN(added_tokens, limits_their_bytes),
        RUN(encode, takes_linear_time_for_runs_of_one_character),
        RUN(encode, takes_linear_time_for_marks_on_one_letter),
        RUN(encode, takes_linear_time_for_added_tokens),
        RUN(encode, takes_linear_time_for_patterns_that_nearly_match),
        RUN(encode, takes_linear_time_for_words_that_nearly_match),
    };
    return cmocka_run_group_tests_name("tokenizer_hostile", tests, NULL, NULL);
}
