/* bert_words_test.c - the one pass over the usual BERT pipeline gives what its steps give one after
 * the other. A second step that does nothing makes a tokenizer run the steps. */
#include "base/utf8.h"
#include "support.h"

#define BERT(clean, chinese, accents, lower)                                                       \
    "{\"type\":\"BertNormalizer\",\"clean_text\":" clean ",\"handle_chinese_chars\":" chinese      \
    ",\"strip_accents\":" accents ",\"lowercase\":" lower "}"
#define IN_STEPS(normalizer)                                                                       \
    "{\"type\":\"Sequence\",\"normalizers\":[" normalizer                                          \
    ",{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":false}]}"
#define BOTH(normalizer)                                                                           \
    {                                                                                              \
        normalizer, IN_STEPS(normalizer)                                                           \
    }

static const char *const normalizers[][2] = {
    BOTH(BERT("true", "true", "null", "true")),   BOTH(BERT("true", "true", "null", "false")),
    BOTH(BERT("true", "true", "true", "false")),  BOTH(BERT("true", "false", "false", "true")),
    BOTH(BERT("false", "false", "null", "true")), BOTH(BERT("false", "true", "false", "false")),
};
enum { N_NORMALIZERS = sizeof normalizers / sizeof *normalizers };

#define VOCAB                                                                                      \
    SMALL_VOCAB ",\"##\xe1\x85\xa1\":22,\"\xe1\x84\x80\":23,\"\xd0\xb6\":24,\"##\xd0\xb6\":25,"    \
                "\"##e\":26,\"e\":27,\"\xc3\xa9\":28,\"##\xc3\xa9\":29,\"\xe0\xa4\x95\":30,"       \
                "\"##\xe3\x80\xae\":31,\"\xe3\x80\xae\":32,\"##i\":33,\"i\":34,\"##\xcc\x87\":35," \
                "\"\xe2\x80\x99\":36,\"##b##b\":37,\"##0\":38,\"0\":39"

/* Text of parts that meet in every way: words around eight and sixteen bytes, marks that go, move
 * or stay, what becomes two characters or none, what is dropped, spaces and punctuation of all
 * kinds. */
static const char *const pieces[] = {"a",
                                     "b",
                                     "B",
                                     "hello",
                                     "World",
                                     "unwanted",
                                     "abababab",
                                     "abababababababa",
                                     "bbbbbbbbbbbbbbbb",
                                     "0",
                                     " ",
                                     "  ",
                                     "\n",
                                     ".",
                                     ",",
                                     "'",
                                     "[",
                                     "hello",
                                     " do not ",
                                     "\t",
                                     "\x01",
                                     "\x7f",
                                     "\xc2\xad",
                                     "\xe2\x80\x8b",
                                     "\xcc\x81",
                                     "\xcc\xa3",
                                     "\xe3\x80\xae",
                                     "\xe3\x80\xaf",
                                     "\xf0\x9d\x85\xa5",
                                     "\xf0\x9d\x85\x9e",
                                     "\xc3\xa9",
                                     "\xc3\x89",
                                     "\xc4\xb0",
                                     "\xc3\x85",
                                     "\xe2\x84\xab",
                                     "\xcd\xbe",
                                     "\xe4\xb8\xad",
                                     "\xef\xa4\x80",
                                     "\xf0\xaf\xa0\x80",
                                     "\xea\xb0\x80",
                                     "\xea\xb0\x81",
                                     "\xd0\x96",
                                     "\xd0\xb6",
                                     "\xd1\x91",
                                     "\xe0\xa4\x95",
                                     "\xe0\xa4\xbf",
                                     "\xe0\xa5\x98",
                                     "\xe0\xaf\x8a",
                                     "\xe0\xb3\x80",
                                     "\xe0\xb3\x8a",
                                     "\xcd\x84",
                                     "\xe1\xad\x83",
                                     "\xe2\x80\x99",
                                     "\xe3\x80\x82",
                                     "\xc2\x85",
                                     "\xe3\x80\x80",
                                     "\xe2\x80\xa8",
                                     "\xef\xbf\xbd",
                                     "\xf0\x9f\x98\x80",
                                     "\xef\xb8\x8f",
                                     "\xf3\xa0\x84\x80",
                                     "\xf3\xb0\x80\x80",
                                     "\xe1\xa0\x8e",
                                     "\xff",
                                     "\xe2\x82",
                                     "\xed\xa0\x80",
                                     "[MASK]"};
enum { N_PIECES = sizeof pieces / sizeof *pieces };

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static void assert_same(qeff_tokenizer *const tokenizers[2], qeff_str text,
                        qeff_encoding encodings[2], qeff_buffer formatted[2], bool no_offsets)
{
    qeff_error err = {0};
    const qeff_encode_options options = {.no_offsets = no_offsets};
    for (int k = 0; k < 2; k++) {
        ASSERT_OK(qeff_tokenizer_encode(tokenizers[k], text, &options, &encodings[k], &err));
        format_encoding(&encodings[k], true, &formatted[k]);
    }
    if (qeff_str_equal(qeff_buffer_str(&formatted[0]), qeff_buffer_str(&formatted[1]))) return;
    for (size_t i = 0; i < text.size; i++)
        print_error("%02x", (unsigned)(unsigned char)text.data[i]);
    fail_msg(":\n%.*s\n%.*s", (int)formatted[0].size, (char *)formatted[0].data,
             (int)formatted[1].size, (char *)formatted[1].data);
}

TEST(pass, gives_what_the_steps_give)
{
    (void)state_;
    qeff_error err = {0};
    qeff_encoding encodings[2] = {{0}, {0}};
    qeff_buffer formatted[2] = {{0}, {0}}, text = {0};
    uint64_t random = 1;
    for (size_t i = 0; i < N_NORMALIZERS; i++) {
        qeff_tokenizer *tokenizers[2] = {NULL, NULL};
        for (int k = 0; k < 2; k++)
            ASSERT_OK(
                parse_parts(&(parts){.normalizer = normalizers[i][k], .model = SMALL_MODEL(VOCAB)},
                            &tokenizers[k], &err));
        for (int round = 0; round < 20000; round++) { /* enough text for the cache to be in use */
            text.size = 0;
            for (uint32_t n = 1 + next_random(&random) % 12; n > 0; n--)
                qeff_buffer_append_text(&text, pieces[next_random(&random) % N_PIECES]);
            assert_same(tokenizers, qeff_buffer_str(&text), encodings, formatted, round % 8 == 0);
        }
        for (int k = 0; k < 2; k++)
            qeff_tokenizer_destroy(tokenizers[k]);
    }
    for (int k = 0; k < 2; k++) {
        qeff_encoding_deinit(&encodings[k]);
        qeff_buffer_deinit(&formatted[k]);
    }
    qeff_buffer_deinit(&text);
}

TEST(pass, gives_what_the_steps_give_for_every_code_point)
{
    (void)state_;
    qeff_error err = {0};
    qeff_encoding encodings[2] = {{0}, {0}};
    qeff_buffer formatted[2] = {{0}, {0}};
    qeff_tokenizer *tokenizers[2] = {NULL, NULL};
    for (int k = 0; k < 2; k++)
        ASSERT_OK(
            parse_parts(&(parts){.normalizer = normalizers[0][k], .model = SMALL_MODEL(VOCAB)},
                        &tokenizers[k], &err));
    for (uint32_t c = 0; c < 0x30000; c++) {
        char text[16] = "ab";
        const size_t n = c < 0xd800 || c >= 0xe000 ? 2 + qeff_utf8_encode(c, text + 2) : 2;
        text[n] = 'B';
        assert_same(tokenizers, (qeff_str){text, n + 1}, encodings, formatted, false);
    }
    for (int k = 0; k < 2; k++) {
        qeff_tokenizer_destroy(tokenizers[k]);
        qeff_encoding_deinit(&encodings[k]);
        qeff_buffer_deinit(&formatted[k]);
    }
}

/* The cache goes with the record: it must not answer for another tokenizer. */
TEST(pass, keeps_tokenizers_apart_that_share_a_record)
{
    (void)state_;
    static const char *const models[2] = {
        SMALL_MODEL(SMALL_VOCAB),
        SMALL_MODEL("\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"hello\":9")};
    qeff_error err = {0};
    qeff_tokenizer *tokenizers[2] = {NULL, NULL};
    qeff_encoding encoding = {0};
    for (int k = 0; k < 2; k++)
        ASSERT_OK(parse_parts(&(parts){.model = models[k]}, &tokenizers[k], &err));
    for (int i = 0; i < 40000; i++) {
        const int k = i / 7 % 2;
        ASSERT_OK(qeff_tokenizer_encode(tokenizers[k], QEFF_STR("hello"), NULL, &encoding, &err));
        assert_int_equal(encoding.n, 3);
        assert_int_equal(encoding.ids[1], k ? 9 : 5);
    }
    qeff_encoding_deinit(&encoding);
    for (int k = 0; k < 2; k++)
        qeff_tokenizer_destroy(tokenizers[k]);
}

TEST(pass, says_which_word_is_unknown_where_no_token_stands_for_it)
{
    (void)state_;
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    qeff_encoding encoding = {0};
    const parts p = {.added = "[]",
                     .post_processor = "null",
                     .model = SMALL_MODEL("\"hello\":0,\"a\":1,\"##a\":2")};
    ASSERT_OK(parse_parts(&p, &tokenizer, &err));
    static const char *const texts[] = {"hello b", "hello.", "hello \xc3\xa9\xd0\xb6"};
    static const char *const words[] = {"word 'b' is unknown", "word '.' is unknown",
                                        "word 'e\xd0\xb6' is unknown"};
    for (int i = 0; i < 3; i++) {
        ASSERT_FAILS(qeff_tokenizer_encode(tokenizer, qeff_str_of(texts[i]), NULL, &encoding, &err),
                     QEFF_ERR_FORMAT, words[i]);
        assert_int_equal(encoding.n, 0);
    }
    qeff_encoding_deinit(&encoding);
    qeff_tokenizer_destroy(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(pass, gives_what_the_steps_give),
        RUN(pass, gives_what_the_steps_give_for_every_code_point),
        RUN(pass, keeps_tokenizers_apart_that_share_a_record),
        RUN(pass, says_which_word_is_unknown_where_no_token_stands_for_it),
    };
    return cmocka_run_group_tests_name("tokenizer_bert_words", tests, NULL, NULL);
}
