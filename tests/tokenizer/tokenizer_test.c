/* tokenizer_test.c - what the public functions promise, on a vocabulary of twenty tokens. */
#include "support.h"

#include "base/thread.h"

#include <stdlib.h>
#include <unistd.h>

static qeff_tokenizer *small(void)
{
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    ASSERT_OK(parse_parts(&(parts){0}, &tokenizer, &err));
    return tokenizer;
}

/* Encodes and compares with a line of format_encoding(). */
static void assert_encodes_with(const qeff_tokenizer *tokenizer, const char *text,
                                const qeff_encode_options *options, const char *expected)
{
    qeff_error err = {0};
    qeff_encoding encoding = {0};
    qeff_buffer line = {0};
    ASSERT_OK(qeff_tokenizer_encode(tokenizer, qeff_str_of(text), options, &encoding, &err));
    format_encoding(&encoding, true, &line);
    qeff_buffer_append_byte(&line, 0);
    assert_string_equal((const char *)line.data, expected);
    qeff_buffer_deinit(&line);
    qeff_encoding_deinit(&encoding);
}

static void assert_encodes(const parts *p, const char *text, const char *expected)
{
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    ASSERT_OK(parse_parts(p, &tokenizer, &err));
    assert_encodes_with(tokenizer, text, NULL, expected);
    qeff_tokenizer_destroy(tokenizer);
}

TEST(encode, gives_ids_types_offsets_words_and_mask)
{
    (void)state_;
    assert_encodes(&(parts){0}, "Hello, UNWANTED Caf\xc3\xa9",
                   "2 5 13 10 11 12 14 3|0 0 0 0 0 0 0 0|0:0 0:5 5:6 7:9 9:13 13:15 16:20 0:0|"
                   "-1 0 1 2 2 2 3 -1|1 0 0 0 0 0 0 1");
}

TEST(encode, counts_offsets_in_characters)
{
    (void)state_;
    assert_encodes(&(parts){0}, "\xf0\x9f\x98\x80 \xe4\xb8\xad hello",
                   "2 1 18 5 3|0 0 0 0 0|0:0 0:1 2:3 4:9 0:0|-1 0 1 2 -1|1 0 0 0 1");
}

TEST(encode, gives_only_special_tokens_for_blank_text)
{
    (void)state_;
    assert_encodes(&(parts){0}, "", "2 3|0 0|0:0 0:0|-1 -1|1 1");
    assert_encodes(&(parts){0}, " \n\t", "2 3|0 0|0:0 0:0|-1 -1|1 1");
}

TEST(encode, reads_each_invalid_part_as_one_replacement_character)
{
    (void)state_;
    /* BertNormalizer removes U+FFFD; offsets count one character for each. */
    assert_encodes(&(parts){0}, "a\xff\xe2\x82 b\xc0\x80",
                   "2 7 8 3|0 0 0 0|0:0 0:1 4:5 0:0|-1 0 1 -1|1 0 0 1");
    assert_encodes(&(parts){.normalizer = "null"}, "a\xff b",
                   "2 1 8 3|0 0 0 0|0:0 0:2 3:4 0:0|-1 0 1 -1|1 0 0 1");
}

TEST(encode, lets_nul_pass_as_a_character)
{
    (void)state_;
    qeff_error err = {0};
    qeff_encoding encoding = {0};
    qeff_tokenizer *tokenizer = small();
    ASSERT_OK(qeff_tokenizer_encode(tokenizer, (qeff_str){"a\0b", 3}, NULL, &encoding, &err));
    assert_int_equal(encoding.n, 4); /* removed: "ab" */
    assert_int_equal(encoding.ids[2], 9);
    assert_int_equal(encoding.offsets[2].begin, 2);
    qeff_encoding_deinit(&encoding);
    qeff_tokenizer_destroy(tokenizer);
}

TEST(encode, joins_a_pair)
{
    (void)state_;
    qeff_tokenizer *tokenizer = small();
    const qeff_str pair = QEFF_STR("world b");
    assert_encodes_with(tokenizer, "a", &(qeff_encode_options){.pair = &pair},
                        "2 7 3 6 8 3|0 0 0 1 1 1|0:0 0:1 0:0 0:5 6:7 0:0|-1 0 -1 0 1 -1|"
                        "1 0 1 0 0 1");
    qeff_tokenizer_destroy(tokenizer);
}

TEST(encode, leaves_out_special_tokens_and_offsets_on_request)
{
    (void)state_;
    qeff_tokenizer *tokenizer = small();
    const qeff_encode_options options = {.no_special_tokens = true, .no_offsets = true};
    assert_encodes_with(tokenizer, "a b", &options, "7 8|0 0||0 1|0 0");
    qeff_tokenizer_destroy(tokenizer);
}

TEST(encode, keeps_added_tokens_whole)
{
    (void)state_;
    assert_encodes(&(parts){0}, "a[MASK]b [mask]",
                   "2 7 4 8 1 1 1 3|0 0 0 0 0 0 0 0|0:0 0:1 1:7 7:8 9:10 10:14 14:15 0:0|"
                   "-1 0 1 2 3 4 5 -1|1 0 0 0 0 0 0 1");
}

TEST(encode, refuses_an_unknown_word_without_unknown_token)
{
    (void)state_;
    qeff_error err = {0};
    qeff_encoding encoding = {0};
    qeff_tokenizer *tokenizer = NULL;
    const parts p = {.model = SMALL_MODEL("\"[CLS]\":2,\"[SEP]\":3,\"a\":7"), .added = "[]"};
    ASSERT_OK(parse_parts(&p, &tokenizer, &err));
    ASSERT_OK(qeff_tokenizer_encode(tokenizer, QEFF_STR("a"), NULL, &encoding, &err));
    ASSERT_FAILS(qeff_tokenizer_encode(tokenizer, QEFF_STR("a zzz"), NULL, &encoding, &err),
                 QEFF_ERR_FORMAT, "word 'zzz' is unknown");
    assert_int_equal(encoding.n, 0);
    qeff_encoding_deinit(&encoding);
    qeff_tokenizer_destroy(tokenizer);
}

TEST(truncation, cuts_right_left_and_counts)
{
    (void)state_;
    qeff_error err = {0};
    qeff_encoding encoding = {0};
    qeff_tokenizer *tokenizer = small();
    qeff_encode_options options = {.max_length = 4};
    ASSERT_OK(
        qeff_tokenizer_encode(tokenizer, QEFF_STR("a b hello world"), &options, &encoding, &err));
    assert_int_equal(encoding.n, 4);
    assert_int_equal(encoding.n_truncated, 2);
    assert_int_equal(encoding.ids[1], 7);
    options.truncate_left = true;
    ASSERT_OK(
        qeff_tokenizer_encode(tokenizer, QEFF_STR("a b hello world"), &options, &encoding, &err));
    assert_int_equal(encoding.ids[1], 5);
    assert_int_equal(encoding.offsets[1].begin, 4);
    qeff_encoding_deinit(&encoding);
    qeff_tokenizer_destroy(tokenizer);
}

TEST(truncation, shares_the_budget_of_a_pair)
{
    (void)state_;
    qeff_tokenizer *tokenizer = small();
    const qeff_str pair = QEFF_STR("hello world");
    qeff_encode_options options = {.pair = &pair, .max_length = 6};
    assert_encodes_with(tokenizer, "a b a b", &options,
                        "2 7 8 3 5 3|0 0 0 0 1 1|0:0 0:1 2:3 0:0 0:5 0:0|-1 0 1 -1 0 -1|"
                        "1 0 0 1 0 1");
    options.strategy = QEFF_TRUNCATE_ONLY_FIRST;
    assert_encodes_with(tokenizer, "a b a b", &options,
                        "2 7 3 5 6 3|0 0 0 1 1 1|0:0 0:1 0:0 0:5 6:11 0:0|-1 0 -1 0 1 -1|"
                        "1 0 1 0 0 1");
    qeff_tokenizer_destroy(tokenizer);
}

TEST(truncation, refuses_what_cannot_be_reached)
{
    (void)state_;
    qeff_error err = {0};
    qeff_encoding encoding = {0};
    qeff_tokenizer *tokenizer = small();
    const qeff_str text = QEFF_STR("a b a b");
    qeff_encode_options options = {.max_length = 1};
    ASSERT_FAILS(qeff_tokenizer_encode(tokenizer, text, &options, &encoding, &err),
                 QEFF_ERR_INVALID, "max_length 1 is below the 2 special tokens");
    options = (qeff_encode_options){.max_length = 3, .strategy = QEFF_TRUNCATE_ONLY_SECOND};
    ASSERT_FAILS(qeff_tokenizer_encode(tokenizer, text, &options, &encoding, &err),
                 QEFF_ERR_INVALID, "no second sequence");
    options =
        (qeff_encode_options){.pair = &text, .max_length = 6, .strategy = QEFF_TRUNCATE_ONLY_FIRST};
    ASSERT_FAILS(qeff_tokenizer_encode(tokenizer, text, &options, &encoding, &err),
                 QEFF_ERR_INVALID, "cutting the first sequence of 4 tokens");
    qeff_encoding_deinit(&encoding);
    qeff_tokenizer_destroy(tokenizer);
}

TEST(padding, fills_to_a_length_and_a_multiple)
{
    (void)state_;
    qeff_error err = {0};
    qeff_encoding encoding = {0};
    qeff_tokenizer *tokenizer = small();
    qeff_encode_options options = {.pad_to = 5, .pad_to_multiple_of = 4, .pad_left = true};
    ASSERT_OK(qeff_tokenizer_encode(tokenizer, QEFF_STR("a"), &options, &encoding, &err));
    assert_int_equal(encoding.n, 8);
    assert_int_equal(encoding.ids[0], 0);
    assert_int_equal(encoding.attention_mask[4], 0);
    assert_int_equal(encoding.ids[5], 2);
    assert_int_equal(encoding.attention_mask[5], 1);
    options.pad_left = false;
    ASSERT_OK(qeff_tokenizer_encode(tokenizer, QEFF_STR("a"), &options, &encoding, &err));
    assert_int_equal(encoding.ids[0], 2);
    assert_int_equal(encoding.special_mask[7], 1);
    qeff_encoding_deinit(&encoding);
    qeff_tokenizer_destroy(tokenizer);
}

#define BAKED                                                                                      \
    "\"truncation\":{\"direction\":\"Right\",\"max_length\":4,\"strategy\":\"LongestFirst\","      \
    "\"stride\":0},\"padding\":{\"strategy\":{\"Fixed\":6},\"direction\":\"Right\","               \
    "\"pad_to_multiple_of\":null,\"pad_id\":0,\"pad_type_id\":1,\"pad_token\":\"[PAD]\"},"

TEST(file_settings, apply_only_on_request)
{
    (void)state_;
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    ASSERT_OK(parse_parts(&(parts){.more = BAKED}, &tokenizer, &err));
    assert_encodes_with(tokenizer, "a b a b", NULL,
                        "2 7 8 7 8 3|0 0 0 0 0 0|0:0 0:1 2:3 4:5 6:7 0:0|-1 0 1 2 3 -1|"
                        "1 0 0 0 0 1");
    assert_encodes_with(tokenizer, "a b a b", &(qeff_encode_options){.use_file_settings = true},
                        "2 7 8 3 0 0|0 0 0 0 1 1|0:0 0:1 2:3 0:0 0:0 0:0|-1 0 1 -1 -1 -1|"
                        "1 0 0 1 1 1");
    qeff_tokenizer_destroy(tokenizer);
}

TEST(questions, answer_tokens_ids_and_roles)
{
    (void)state_;
    qeff_tokenizer *tokenizer = small();
    assert_int_equal(qeff_tokenizer_vocab_size(tokenizer), 22);
    assert_int_equal(qeff_tokenizer_id_limit(tokenizer), 22);
    assert_true(qeff_str_is(qeff_tokenizer_token(tokenizer, 12), "##ed"));
    assert_null(qeff_tokenizer_token(tokenizer, 22).data);
    assert_null(qeff_tokenizer_token(tokenizer, -1).data);
    assert_int_equal(qeff_tokenizer_id(tokenizer, QEFF_STR("world")), 6);
    assert_int_equal(qeff_tokenizer_id(tokenizer, QEFF_STR("worl")), -1);
    assert_int_equal(qeff_tokenizer_special(tokenizer, QEFF_TOKEN_UNK), 1);
    assert_int_equal(qeff_tokenizer_special(tokenizer, QEFF_TOKEN_CLS), 2);
    assert_int_equal(qeff_tokenizer_special(tokenizer, QEFF_TOKEN_SEP), 3);
    assert_int_equal(qeff_tokenizer_special(tokenizer, QEFF_TOKEN_PAD), 0);
    assert_int_equal(qeff_tokenizer_special(tokenizer, QEFF_TOKEN_MASK), 4);
    assert_true(qeff_tokenizer_is_special(tokenizer, 4));
    assert_false(qeff_tokenizer_is_special(tokenizer, 5));
    assert_int_equal(qeff_tokenizer_n_added(tokenizer, false), 2);
    assert_int_equal(qeff_tokenizer_n_added(tokenizer, true), 3);
    assert_int_equal(qeff_tokenizer_max_length(tokenizer), 0);
    qeff_tokenizer_destroy(tokenizer);
}

TEST(decode, joins_pieces_and_cleans_up)
{
    (void)state_;
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = small();
    qeff_text text = {0};
    const int32_t ids[] = {2, 10, 11, 12, 13, 6, 17, 999, -5, 3};
    ASSERT_OK(qeff_tokenizer_decode(tokenizer, ids, 10, true, &text, &err));
    assert_string_equal(text.data, "unwanted, world.");
    ASSERT_OK(qeff_tokenizer_decode(tokenizer, ids, 10, false, &text, &err));
    assert_string_equal(text.data, "[CLS] unwanted, world. [SEP]");
    ASSERT_OK(qeff_tokenizer_decode(tokenizer, ids, 0, false, &text, &err));
    assert_int_equal(text.size, 0);
    qeff_text_deinit(&text);
    qeff_tokenizer_destroy(tokenizer);
}

TEST(lowercase_option, adds_a_step_where_there_is_none)
{
    (void)state_;
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    qeff_buffer json = {0};
    const parts p = {.normalizer = "null"};
    const qeff_tokenizer_options options = {.lowercase = true};
    ASSERT_OK(qeff_tokenizer_parse(make_json(&p, &json), &options, &tokenizer, &err));
    assert_int_equal(qeff_tokenizer_id(tokenizer, QEFF_STR("hello")), 5);
    assert_encodes_with(tokenizer, "HELLO", NULL, "2 5 3|0 0 0|0:0 0:5 0:0|-1 0 -1|1 0 1");
    qeff_buffer_deinit(&json);
    qeff_tokenizer_destroy(tokenizer);
}

TEST(json, gives_the_same_tokenizer_again)
{
    (void)state_;
    qeff_error err = {0};
    qeff_tokenizer *first = NULL, *second = NULL;
    qeff_buffer json = {0};
    const parts p = {.normalizer = "null"};
    const qeff_tokenizer_options options = {.lowercase = true};
    ASSERT_OK(qeff_tokenizer_parse(make_json(&p, &json), &options, &first, &err));
    const qeff_str text = qeff_tokenizer_json(first);
    ASSERT_OK(qeff_tokenizer_parse((qeff_bytes){(const uint8_t *)text.data, text.size}, NULL,
                                   &second, &err));
    const qeff_str again = qeff_tokenizer_json(second);
    assert_true(qeff_str_equal(text, again));
    assert_encodes_with(second, "HELLO", NULL, "2 5 3|0 0 0|0:0 0:5 0:0|-1 0 -1|1 0 1");
    qeff_buffer_deinit(&json);
    qeff_tokenizer_destroy(first);
    qeff_tokenizer_destroy(second);
}

typedef struct shared_job {
    const qeff_tokenizer *tokenizer;
    int n_wrong[4]; /* [thread] */
} shared_job;

static void encode_often(void *ctx, int index, int n_threads)
{
    static const int32_t expected[] = {2, 5, 13, 10, 11, 12, 14, 3};
    shared_job *job = ctx;
    qeff_encoding encoding = {0};
    (void)n_threads;
    for (int i = 0; i < 200; i++) {
        const qeff_status status = qeff_tokenizer_encode(
            job->tokenizer, QEFF_STR("Hello, UNWANTED Caf\xc3\xa9"), NULL, &encoding, NULL);
        job->n_wrong[index] +=
            status || encoding.n != 8 || memcmp(encoding.ids, expected, sizeof expected) != 0;
    }
    qeff_encoding_deinit(&encoding);
}

TEST(encode, may_run_on_many_threads_with_one_tokenizer)
{
    (void)state_;
    qeff_error err = {0};
    qeff_thread_pool *pool = NULL;
    qeff_tokenizer *tokenizer = small();
    shared_job job = {.tokenizer = tokenizer};
    ASSERT_OK(qeff_thread_pool_create(4, &pool, &err));
    qeff_thread_pool_run(pool, encode_often, &job);
    for (int i = 0; i < 4; i++)
        assert_int_equal(job.n_wrong[i], 0);
    qeff_thread_pool_destroy(pool);
    qeff_tokenizer_destroy(tokenizer);
}

/* ---- folders ---- */

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"vocab.txt", "tokenizer.json", "tokenizer_config.json",
                                        "special_tokens_map.json"};
    char path[512];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

static char *make_folder(char *name)
{
    assert_non_null(mkdtemp(name));
    return name;
}

#define VOCAB_TXT "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello \na\r\n##b\ncafe\nhello\nb"

TEST(folder, reads_vocab_txt_with_its_config)
{
    (void)state_;
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    char name[] = "/tmp/qeff-tokenizer-XXXXXX";
    const char *folder = make_folder(name);
    write_file(folder, "vocab.txt", VOCAB_TXT);
    ASSERT_OK(qeff_tokenizer_open(folder, NULL, &tokenizer, &err));
    assert_int_equal(qeff_tokenizer_id(tokenizer, QEFF_STR("hello")), 9); /* the later line */
    assert_encodes_with(tokenizer, "Caf\xc3\xa9 AB", NULL,
                        "2 8 6 7 3|0 0 0 0 0|0:0 0:4 5:6 6:7 0:0|-1 0 1 1 -1|1 0 0 0 1");
    qeff_tokenizer_destroy(tokenizer);

    write_file(folder, "vocab.txt",
               "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\na\n##b\ncafe\nx\nb\n");
    write_file(folder, "tokenizer_config.json",
               "{\"do_lower_case\":false,\"strip_accents\":true,\"model_max_length\":64,"
               "\"cls_token\":{\"content\":\"[MASK]\",\"lstrip\":true},\"added_tokens_decoder\":{"
               "\"11\":{\"content\":\"<x>\",\"lstrip\":false,\"rstrip\":true,\"normalized\":false,"
               "\"single_word\":false,\"special\":false}}}");
    ASSERT_OK(qeff_tokenizer_open(folder, NULL, &tokenizer, &err));
    assert_int_equal(qeff_tokenizer_max_length(tokenizer), 64);
    assert_int_equal(qeff_tokenizer_special(tokenizer, QEFF_TOKEN_CLS), 4);
    assert_encodes_with(tokenizer,
                        "c\xc3\xa1"
                        "fe<x>  AB",
                        NULL, "4 8 11 1 3|0 0 0 0 0|0:0 0:4 4:9 9:11 0:0|-1 0 1 2 -1|1 0 0 0 1");
    qeff_tokenizer_destroy(tokenizer);
    remove_folder(folder);
}

TEST(folder, prefers_tokenizer_json_and_reads_what_lies_beside_it)
{
    (void)state_;
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    qeff_buffer json = {0};
    char name[] = "/tmp/qeff-tokenizer-XXXXXX", path[512];
    const char *folder = make_folder(name);
    (void)make_json(&(parts){0}, &json);
    qeff_buffer_append_byte(&json, 0);
    write_file(folder, "vocab.txt", "x\n");
    write_file(folder, "tokenizer.json", (const char *)json.data);
    write_file(folder, "tokenizer_config.json",
               "{\"model_max_length\":1000000000000000019884624838656}");
    write_file(folder, "special_tokens_map.json", "{\"mask_token\":\"world\"}");
    (void)snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    ASSERT_OK(qeff_tokenizer_open(path, NULL, &tokenizer, &err));
    assert_int_equal(qeff_tokenizer_special(tokenizer, QEFF_TOKEN_MASK), 6);
    assert_int_equal(qeff_tokenizer_max_length(tokenizer), 0);
    qeff_tokenizer_destroy(tokenizer);
    qeff_buffer_deinit(&json);
    remove_folder(folder);
}

TEST(folder, names_the_file_in_errors)
{
    (void)state_;
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    char name[] = "/tmp/qeff-tokenizer-XXXXXX";
    const char *folder = make_folder(name);
    ASSERT_FAILS(qeff_tokenizer_open(folder, NULL, &tokenizer, &err), QEFF_ERR_NOT_FOUND,
                 "holds neither tokenizer.json nor vocab.txt");
    write_file(folder, "vocab.txt", "[PAD]\n[UNK]\n");
    ASSERT_FAILS(qeff_tokenizer_open(folder, NULL, &tokenizer, &err), QEFF_ERR_FORMAT,
                 "vocab.txt': no line holds the token '[CLS]'");
    write_file(folder, "vocab.txt", "[CLS]\n[SEP]\nab\xff\n");
    ASSERT_FAILS(qeff_tokenizer_open(folder, NULL, &tokenizer, &err), QEFF_ERR_FORMAT,
                 "line 3 is not valid UTF-8");
    write_file(folder, "vocab.txt", VOCAB_TXT);
    write_file(folder, "tokenizer_config.json", "{\"do_lower_case\":3}");
    ASSERT_FAILS(qeff_tokenizer_open(folder, NULL, &tokenizer, &err), QEFF_ERR_FORMAT,
                 "tokenizer_config.json': key 'do_lower_case'");
    write_file(folder, "tokenizer_config.json", "[]");
    ASSERT_FAILS(qeff_tokenizer_open(folder, NULL, &tokenizer, &err), QEFF_ERR_FORMAT,
                 "tokenizer_config.json': expected an object");
    write_file(folder, "tokenizer_config.json", "{}");
    write_file(folder, "tokenizer.json", "{");
    ASSERT_FAILS(qeff_tokenizer_open(folder, NULL, &tokenizer, &err), QEFF_ERR_FORMAT,
                 "tokenizer.json': line 1");
    assert_null(tokenizer);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(encode, gives_ids_types_offsets_words_and_mask),
        RUN(encode, counts_offsets_in_characters),
        RUN(encode, gives_only_special_tokens_for_blank_text),
        RUN(encode, reads_each_invalid_part_as_one_replacement_character),
        RUN(encode, lets_nul_pass_as_a_character),
        RUN(encode, joins_a_pair),
        RUN(encode, leaves_out_special_tokens_and_offsets_on_request),
        RUN(encode, keeps_added_tokens_whole),
        RUN(encode, refuses_an_unknown_word_without_unknown_token),
        RUN(encode, may_run_on_many_threads_with_one_tokenizer),
        RUN(truncation, cuts_right_left_and_counts),
        RUN(truncation, shares_the_budget_of_a_pair),
        RUN(truncation, refuses_what_cannot_be_reached),
        RUN(padding, fills_to_a_length_and_a_multiple),
        RUN(file_settings, apply_only_on_request),
        RUN(questions, answer_tokens_ids_and_roles),
        RUN(decode, joins_pieces_and_cleans_up),
        RUN(lowercase_option, adds_a_step_where_there_is_none),
        RUN(json, gives_the_same_tokenizer_again),
        RUN(folder, reads_vocab_txt_with_its_config),
        RUN(folder, prefers_tokenizer_json_and_reads_what_lies_beside_it),
        RUN(folder, names_the_file_in_errors),
    };
    return cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
}
