/* golden_test.c - replays tests/golden/tokenizer/golden.json: what the reference made of a few
 * thousand texts with some thirty tokenizers. */
#include "support.h"

#include "formats/json.h"

/* The tokenizer called `name`, its "@" replaced by the vocabulary. */
static qeff_tokenizer *load(qeff_json root, qeff_str name)
{
    qeff_error err = {0};
    qeff_str vocab = {NULL, 0}, key = {NULL, 0}, text = {NULL, 0};
    qeff_json value = {0};
    qeff_tokenizer *tokenizer = NULL;
    qeff_buffer json = {0};
    ASSERT_OK(qeff_json_to_str(qeff_json_find(root, "vocab"), &vocab, &err));
    for (void *it = NULL; qeff_json_next(qeff_json_find(root, "tokenizers"), &it, &key, &value);) {
        if (!qeff_str_equal(key, name)) continue;
        ASSERT_OK(qeff_json_to_str(value, &text, &err));
        const char *mark = strstr(text.data, "\"vocab\":@");
        assert_non_null(mark);
        const size_t before = (size_t)(mark - text.data) + 8;
        qeff_buffer_append(&json, text.data, before);
        qeff_buffer_append_str(&json, vocab);
        qeff_buffer_append(&json, text.data + before + 1, text.size - before - 1);
    }
    ASSERT_OK(qeff_tokenizer_parse(qeff_buffer_bytes(&json), NULL, &tokenizer, &err));
    qeff_buffer_deinit(&json);
    return tokenizer;
}

static qeff_str text_at(qeff_json item, size_t index)
{
    qeff_error err = {0};
    qeff_str text = {NULL, 0};
    ASSERT_OK(qeff_json_to_str(qeff_json_at(item, index), &text, &err));
    return text;
}

static qeff_encode_options options_of(qeff_json item, const qeff_str *pair)
{
    qeff_error err = {0};
    int64_t max_length = 0;
    const char *flags = text_at(item, 1).data;
    ASSERT_OK(qeff_json_to_int(qeff_json_at(item, 2), 0, 1000, &max_length, &err));
    return (qeff_encode_options){.pair = strchr(flags, 'p') ? pair : NULL,
                                 .no_special_tokens = strchr(flags, 'n') != NULL,
                                 .truncate_left = strchr(flags, 'l') != NULL,
                                 .use_file_settings = strchr(flags, 'f') != NULL,
                                 .max_length = (size_t)max_length};
}

static bool is_same(const char *what, qeff_json item, qeff_str expected, qeff_str found)
{
    if (qeff_str_equal(expected, found)) return true;
    print_error("%s, %s of '%s':\n  expected %.*s\n  found    %.*s\n", text_at(item, 0).data, what,
                text_at(item, 3).data, (int)expected.size, expected.data, (int)found.size,
                found.data);
    return false;
}

/* Number of differences in one case. */
static int replay(const qeff_tokenizer *tokenizer, qeff_json item, qeff_encoding *encoding)
{
    qeff_error err = {0};
    qeff_str pair = {NULL, 0};
    if (qeff_json_kind_of(qeff_json_at(item, 4)) == QEFF_JSON_STR) pair = text_at(item, 4);
    const qeff_encode_options options = options_of(item, &pair);
    qeff_buffer line = {0};
    int n_bad = 0;
    ASSERT_OK(qeff_tokenizer_encode(tokenizer, text_at(item, 3), &options, encoding, &err));
    format_encoding(encoding, !options.truncate_left && !options.use_file_settings, &line);
    n_bad += !is_same("tokens", item, text_at(item, 5), qeff_buffer_str(&line));
    for (int skip = 0; skip < 2; skip++) {
        qeff_text text = {0};
        ASSERT_OK(qeff_tokenizer_decode(tokenizer, encoding->ids, encoding->n, skip, &text, &err));
        n_bad += !is_same("text", item, text_at(item, (size_t)(6 + skip)),
                          (qeff_str){text.data, text.size});
        qeff_text_deinit(&text);
    }
    qeff_buffer_deinit(&line);
    return n_bad;
}

TEST(golden, equals_the_reference)
{
    (void)state_;
    qeff_error err = {0};
    qeff_json_document *document = NULL;
    qeff_encoding encoding = {0};
    qeff_tokenizer *tokenizer = NULL;
    qeff_str name = {NULL, 0};
    int n_bad = 0;
    ASSERT_OK(
        qeff_json_open(QEFF_TEST_DATA "/golden/tokenizer/golden.json", NULL, &document, &err));
    const qeff_json root = qeff_json_root(document), cases = qeff_json_find(root, "cases");
    assert_true(qeff_json_count(cases) > 2000);
    for (size_t i = 0; i < qeff_json_count(cases); i++) {
        const qeff_json item = qeff_json_at(cases, i);
        if (!qeff_str_equal(name, text_at(item, 0))) {
            name = text_at(item, 0);
            qeff_tokenizer_destroy(tokenizer);
            tokenizer = load(root, name);
        }
        n_bad += replay(tokenizer, item, &encoding);
    }
    assert_int_equal(n_bad, 0);
    qeff_tokenizer_destroy(tokenizer);
    qeff_encoding_deinit(&encoding);
    qeff_json_close(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {RUN(golden, equals_the_reference)};
    return cmocka_run_group_tests_name("tokenizer_golden", tests, NULL, NULL);
}
