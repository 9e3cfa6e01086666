/* json_test.c - JSON documents: what is read, what is refused and how it is said, limits at their
 * borders, memory. */
#include "formats/json.h"

#include "base/span.h"
#include "base/support.h"
#include "formats/json_scan.h"

#include <jansson.h>
#include <stdlib.h>

static qeff_error err;

static qeff_json_document *parse(const char *text)
{
    qeff_json_document *document = NULL;
    ASSERT_OK(qeff_json_parse(qeff_str_of(text), NULL, &document, &err));
    return document;
}

static void assert_refused(qeff_str text, const char *expected)
{
    qeff_json_document *document = NULL;
    ASSERT_FAILS(qeff_json_parse(text, NULL, &document, &err), QEFF_ERR_FORMAT, expected);
    assert_null(document);
    assert_null(strchr(err.message, '\n'));
}

/* One test a line: name, text, what the message must say. */
#define REFUSED(X)                                                                                 \
    X(empty_text, "", "line 1, column 1: expected a value, found the end of the text")             \
    X(only_space, " \n\t\r ", "line 2, column 4: expected a value")                                \
    X(scalar_root, "3", "line 1, column 1: expected an object or an array")                        \
    X(text_root, "\"a\"", "expected an object or an array")                                        \
    X(two_documents, "{}\n{}", "line 2, column 1: expected the end of the text, found '{'")        \
    X(trailing_nul, "{}\0", "found byte 0x00")                                                     \
    X(trailing_text, "[] x", "expected the end of the text, found 'x'")                            \
    X(byte_order_mark, "\xef\xbb\xbf{}", "found a byte order mark")                                \
    X(utf16, "\xff\xfe{\0}\0", "found byte 0xff")                                                  \
    X(utf16_big_endian, "\0{\0}", "found byte 0x00")                                               \
    X(comment, "{} // c", "expected the end of the text, found '/'")                               \
    X(comment_inside, "[/* c */]", "found '/'")                                                    \
    X(trailing_comma_in_array, "[1,]", "line 1, column 4: expected a value, found ']'")            \
    X(trailing_comma_in_object, "{\"a\":1,}", "expected a key in double quotes, found '}'")        \
    X(missing_comma, "[1 2]", "expected ',' or ']', found '2'")                                    \
    X(missing_colon, "{\"a\" 1}", "expected ':', found '1'")                                       \
    X(missing_value, "{\"a\":}", "expected a value, found '}'")                                    \
    X(single_quotes, "{'a':1}", "expected a key in double quotes or '}'")                          \
    X(bare_key, "{a:1}", "expected a key in double quotes or '}', found 'a'")                      \
    X(wrong_bracket, "[1}", "expected ',' or ']', found '}'")                                      \
    X(wrong_brace, "{\"a\":1]", "expected ',' or '}', found ']'")                                  \
    X(open_array, "[[1]", "expected ',' or ']', found the end of the text")                        \
    X(open_object, "{\"a\":1", "expected ',' or '}', found the end of the text")                   \
    X(open_string, "{\"a", "string without its closing quote")                                     \
    X(cut_escape, "[\"\\", "invalid escape")                                                       \
    X(cut_unicode_escape, "[\"\\u00", "invalid escape")                                            \
    X(nan, "[NaN]", "expected a value, found 'NaN'")                                               \
    X(infinity, "[-Infinity]", "'-' without digits")                                               \
    X(upper_case_true, "[True]", "found 'True'")                                                   \
    X(two_words_in_one, "[truenull]", "expected ',' or ']', found 'null'")                         \
    X(word_and_letter, "[truex]", "expected ',' or ']', found 'x'")                                \
    X(cut_word, "[tru]", "expected a value, found 'tru'")                                          \
    X(leading_zero, "[01]", "leading zero")                                                        \
    X(leading_plus, "[+1]", "found '+'")                                                           \
    X(leading_point, "[.5]", "found '.'")                                                          \
    X(trailing_point, "[1.]", "without digits after its point")                                    \
    X(empty_exponent, "[1e]", "without digits in its exponent")                                    \
    X(hexadecimal, "[0x10]", "expected ',' or ']', found 'x'")                                     \
    X(number_beyond_double, "[1e400]", "column 2: number 1e400 is beyond the range of a double")   \
    X(negative_beyond_double, "[-0.1e310]", "number -0.1e310 is beyond")                           \
    X(number_just_beyond_double, "[1.8e308]", "number 1.8e308 is beyond")                          \
    X(endless_exponent, "[1e99999999999999999999]", "is beyond the range")                         \
    X(control_character, "[\"a\nb\"]", "control character 0x0a in a string")                       \
    X(nul_in_string, "[\"a\0b\"]", "control character 0x00 in a string")                           \
    X(unknown_escape, "[\"\\x41\"]", "column 3: invalid escape")                                   \
    X(short_unicode_escape, "[\"\\u12g4\"]", "invalid escape")                                     \
    X(lone_high_surrogate, "[\"\\ud800\"]", "lone surrogate")                                      \
    X(lone_low_surrogate, "[\"\\udc00\"]", "lone surrogate")                                       \
    X(high_surrogate_twice, "[\"\\ud800\\ud800\"]", "lone surrogate")                              \
    X(high_surrogate_and_letter, "[\"\\ud800a\"]", "lone surrogate")                               \
    X(raw_surrogate, "[\"\xed\xa0\x80\"]", "byte 0xed is not valid UTF-8")                         \
    X(invalid_utf8, "[\"\xff\"]", "byte 0xff is not valid UTF-8")                                  \
    X(overlong_utf8, "[\"\xc0\xaf\"]", "byte 0xc0 is not valid UTF-8")                             \
    X(cut_utf8, "[\"\xe2\x82\"]", "byte 0xe2 is not valid UTF-8")                                  \
    X(duplicate_key, "{\"a\":1,\n \"a\":2}", "line 2, column 2: key 'a' is there twice")           \
    X(duplicate_key_by_escape, "{\"a\":1,\"\\u0061\":2}", "key '\\u0061' is there twice")          \
    X(duplicate_key_inside, "{\"x\":[{\"b\":1,\"b\":1}]}", "key 'b' is there twice")               \
    X(key_with_nul, "{\"a\\u0000\":1}", "holds a NUL")                                             \
    X(object_as_key, "{{}:1}", "expected a key")                                                   \
    X(lone_comma, "{,}", "expected a key")                                                         \
    X(only_closing, "]", "expected a value, found ']'")                                            \
    X(column_in_characters, "[\"é漢😀\", x]", "column 9: expected a value, found 'x'")

#define X(name, text, expected)                                                                    \
    TEST(json, refuses_##name)                                                                     \
    {                                                                                              \
        (void)state_;                                                                              \
        assert_refused(QEFF_STR(text), expected);                                                  \
    }
REFUSED(X)
#undef X

TEST(json, reads_every_kind_of_value)
{
    (void)state_;
    qeff_json_document *document =
        parse(" {\"s\": \"x\", \"i\": -5, \"r\": 2.5, \"t\": true, \"f\": false, \"n\": null,"
              " \"a\": [1, [], {}], \"o\": {\"k\": 1}} \n");
    const qeff_json root = qeff_json_root(document);
    qeff_str text = {NULL, 0};
    int64_t number = 0;
    double real = 0;
    bool flag = false;
    assert_int_equal(qeff_json_kind_of(root), QEFF_JSON_OBJECT);
    assert_int_equal(qeff_json_count(root), 8);
    ASSERT_OK(qeff_json_to_str(qeff_json_find(root, "s"), &text, &err));
    assert_true(qeff_str_is(text, "x"));
    ASSERT_OK(qeff_json_to_int(qeff_json_find(root, "i"), -5, -5, &number, &err));
    assert_int_equal(number, -5);
    ASSERT_OK(qeff_json_to_real(qeff_json_find(root, "r"), &real, &err));
    assert_true(real == 2.5);
    ASSERT_OK(qeff_json_to_real(qeff_json_find(root, "i"), &real, &err));
    assert_true(real == -5);
    ASSERT_OK(qeff_json_to_bool(qeff_json_find(root, "t"), &flag, &err));
    assert_true(flag);
    ASSERT_OK(qeff_json_to_bool(qeff_json_find(root, "f"), &flag, &err));
    assert_false(flag);
    assert_int_equal(qeff_json_kind_of(qeff_json_find(root, "n")), QEFF_JSON_NULL);
    assert_int_equal(qeff_json_kind_of(qeff_json_find(root, "none")), QEFF_JSON_MISSING);
    const qeff_json array = qeff_json_find(root, "a");
    assert_int_equal(qeff_json_count(array), 3);
    assert_int_equal(qeff_json_kind_of(qeff_json_at(array, 2)), QEFF_JSON_OBJECT);
    assert_int_equal(qeff_json_kind_of(qeff_json_at(array, 3)), QEFF_JSON_MISSING);
    assert_int_equal(qeff_json_kind_of(qeff_json_find(array, "x")), QEFF_JSON_MISSING);
    assert_int_equal(qeff_json_count(qeff_json_find(root, "i")), 0);
    qeff_json_close(document);
    qeff_json_close(NULL);
}

TEST(json, decodes_escapes_and_keeps_nul)
{
    (void)state_;
    qeff_json_document *document =
        parse("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\ud83d\\ude00\", \"a\\u0000b\"]");
    qeff_str text = {NULL, 0};
    ASSERT_OK(qeff_json_to_str(qeff_json_at(qeff_json_root(document), 0), &text, &err));
    assert_true(qeff_str_is(text, "\"\\/\b\f\n\r\tAé😀"));
    ASSERT_OK(qeff_json_to_str(qeff_json_at(qeff_json_root(document), 1), &text, &err));
    assert_true(qeff_str_equal(text, QEFF_STR("a\0b")));
    qeff_json_close(document);
}

TEST(json, walks_objects_in_the_order_of_the_file)
{
    (void)state_;
    qeff_json_document *document = parse("{\"z\":1,\"a\":2,\"m\":3,\"\":4}");
    char order[16] = "";
    void *iterator = NULL;
    qeff_str key;
    qeff_json value;
    int64_t expected = 0;
    while (qeff_json_next(qeff_json_root(document), &iterator, &key, &value)) {
        int64_t number = 0;
        ASSERT_OK(qeff_json_to_int(value, 0, 9, &number, &err));
        assert_int_equal(number, ++expected);
        (void)snprintf(order + strlen(order), sizeof order - strlen(order), "%.*s,",
                       QEFF_STR_ARGS(key));
    }
    assert_string_equal(order, "z,a,m,,");
    iterator = NULL;
    assert_false(qeff_json_next(value, &iterator, &key, &value)); /* no object */
    qeff_json_close(document);
}

TEST(json, keeps_integers_to_the_border_of_64_bits)
{
    (void)state_;
    qeff_json_document *document =
        parse("[9223372036854775807, -9223372036854775808, 9007199254740993, -0]");
    const qeff_json root = qeff_json_root(document);
    static const int64_t expected[] = {INT64_MAX, INT64_MIN, 9007199254740993, 0};
    for (size_t i = 0; i < 4; i++) {
        int64_t number = 1;
        ASSERT_OK(qeff_json_to_int(qeff_json_at(root, i), INT64_MIN, INT64_MAX, &number, &err));
        assert_int_equal(number, expected[i]);
    }
    qeff_json_close(document);
}

/* Python's int(1e30), as many tokenizer_config.json have it. */
TEST(json, reads_integers_beyond_64_bits_as_reals)
{
    (void)state_;
    qeff_json_document *document =
        parse("{\"model_max_length\": 1000000000000000019884624838656, \"b\": "
              "-9223372036854775809, \"c\": 9223372036854775808, \"d\": 7}");
    const qeff_json root = qeff_json_root(document);
    double real = 0;
    int64_t number = 3;
    ASSERT_OK(qeff_json_to_real(qeff_json_find(root, "model_max_length"), &real, &err));
    assert_true(real == 1e30);
    ASSERT_FAILS(qeff_json_to_int(qeff_json_find(root, "model_max_length"), 0, 9, &number, &err),
                 QEFF_ERR_FORMAT,
                 "key 'model_max_length': expected an integer from 0 to 9, found 1e+30");
    assert_int_equal(number, 3);
    assert_int_equal(qeff_json_kind_of(qeff_json_find(root, "b")), QEFF_JSON_REAL);
    assert_int_equal(qeff_json_kind_of(qeff_json_find(root, "c")), QEFF_JSON_REAL);
    ASSERT_OK(qeff_json_to_int(qeff_json_find(root, "d"), 7, 7, &number, &err));
    qeff_json_close(document);
}

TEST(json, says_what_it_expected_and_found)
{
    (void)state_;
    qeff_json_document *document =
        parse("{\"size\":\"768\",\"n\":0,\"r\":768.5,\"l\":[1],\"b\":true,\"z\":null}");
    const qeff_json root = qeff_json_root(document);
    int64_t number = 0;
    bool flag = false;
    double real = 0;
    qeff_str text;
    ASSERT_FAILS(qeff_json_to_int(qeff_json_find(root, "size"), 1, 9, &number, &err),
                 QEFF_ERR_FORMAT, "key 'size': expected an integer, found a string");
    ASSERT_FAILS(qeff_json_to_int(qeff_json_find(root, "n"), 1, 9, &number, &err), QEFF_ERR_FORMAT,
                 "key 'n': expected an integer from 1 to 9, found 0");
    ASSERT_FAILS(qeff_json_to_int(qeff_json_find(root, "r"), 1, 999, &number, &err),
                 QEFF_ERR_FORMAT, "key 'r': expected an integer from 1 to 999, found 768.5");
    ASSERT_FAILS(qeff_json_to_int(qeff_json_find(root, "none"), 1, 9, &number, &err),
                 QEFF_ERR_FORMAT, "key 'none': expected an integer, found nothing");
    ASSERT_FAILS(qeff_json_to_bool(qeff_json_find(root, "n"), &flag, &err), QEFF_ERR_FORMAT,
                 "key 'n': expected true or false, found 0");
    ASSERT_FAILS(qeff_json_to_real(qeff_json_find(root, "b"), &real, &err), QEFF_ERR_FORMAT,
                 "key 'b': expected a number, found true");
    ASSERT_FAILS(qeff_json_to_str(qeff_json_find(root, "l"), &text, &err), QEFF_ERR_FORMAT,
                 "key 'l': expected a string, found an array");
    ASSERT_FAILS(qeff_json_to_str(qeff_json_at(qeff_json_find(root, "l"), 0), &text, &err),
                 QEFF_ERR_FORMAT, "element 0: expected a string, found 1");
    ASSERT_FAILS(qeff_json_expect(root, QEFF_JSON_ARRAY, &err), QEFF_ERR_FORMAT,
                 "expected an array, found an object");
    assert_int_equal(err.message[0], 'e'); /* the root has no name */
    ASSERT_FAILS(qeff_json_to_str(qeff_json_find(root, "z"), &text, &err), QEFF_ERR_FORMAT,
                 "key 'z': expected a string, found null");
    qeff_json_close(document);
}

TEST(json, leaves_defaults_where_a_member_is_absent_or_null)
{
    (void)state_;
    qeff_json_document *document = parse("{\"null\":null,\"s\":\"x\",\"i\":3,\"b\":true}");
    const qeff_json root = qeff_json_root(document);
    static const char *const absent[] = {"none", "null"};
    qeff_str text = QEFF_STR("default");
    int64_t number = 42;
    bool flag = false;
    for (size_t i = 0; i < 2; i++) {
        ASSERT_OK(qeff_json_optional_str(root, absent[i], &text, &err));
        ASSERT_OK(qeff_json_optional_int(root, absent[i], 0, 9, &number, &err));
        ASSERT_OK(qeff_json_optional_bool(root, absent[i], &flag, &err));
    }
    assert_true(qeff_str_is(text, "default") && number == 42 && !flag);
    ASSERT_OK(qeff_json_optional_str(root, "s", &text, &err));
    ASSERT_OK(qeff_json_optional_int(root, "i", 0, 9, &number, &err));
    ASSERT_OK(qeff_json_optional_bool(root, "b", &flag, &err));
    assert_true(qeff_str_is(text, "x") && number == 3 && flag);
    ASSERT_FAILS(qeff_json_optional_int(root, "s", 0, 9, &number, &err), QEFF_ERR_FORMAT,
                 "key 's': expected an integer");
    qeff_json_close(document);
}

/* `n` times `part`, between two brackets of `open` and `close`. */
static char *repeat(const char *open, const char *part, size_t n, const char *close, size_t *size)
{
    const size_t width = strlen(part);
    *size = strlen(open) + n * width + strlen(close);
    char *text = malloc(*size + 1);
    assert_non_null(text);
    memcpy(text, open, strlen(open));
    for (size_t i = 0; i < n; i++)
        memcpy(text + strlen(open) + i * width, part, width);
    memcpy(text + *size - strlen(close), close, strlen(close) + 1);
    return text;
}

static qeff_status try_parse(qeff_str text, const qeff_json_limits *limits)
{
    qeff_json_document *document = NULL;
    err = (qeff_error){0};
    const qeff_status status = qeff_json_parse(text, limits, &document, &err);
    qeff_json_close(document);
    return status;
}

static qeff_status try_nested(size_t depth, const qeff_json_limits *limits)
{
    char *text = malloc(2 * depth);
    assert_non_null(text);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    const qeff_status status = try_parse((qeff_str){text, 2 * depth}, limits);
    free(text);
    return status;
}

TEST(json, limits_depth)
{
    (void)state_;
    const qeff_json_limits two = {.max_depth = 2}, endless = {.max_depth = SIZE_MAX};
    ASSERT_OK(try_nested(127, NULL));
    ASSERT_OK(try_nested(128, NULL));
    ASSERT_FAILS(try_nested(129, NULL), QEFF_ERR_FORMAT, "nested deeper than 128 levels");
    ASSERT_FAILS(try_nested(10000000, NULL), QEFF_ERR_FORMAT, "nested deeper than 128 levels");
    ASSERT_OK(try_nested(2, &two));
    ASSERT_FAILS(try_nested(3, &two), QEFF_ERR_FORMAT, "nested deeper than 2 levels");
    ASSERT_OK(try_nested(1024, &endless));
    ASSERT_FAILS(try_nested(1025, &endless), QEFF_ERR_FORMAT, "nested deeper than 1024 levels");
}

TEST(json, limits_bytes)
{
    (void)state_;
    const qeff_json_limits limits = {.max_bytes = 6};
    ASSERT_OK(try_parse(QEFF_STR("[1, 2]"), &limits));
    ASSERT_FAILS(try_parse(QEFF_STR("[1, 2] "), &limits), QEFF_ERR_FORMAT,
                 "JSON of 7 bytes, expected at most 6");
}

TEST(json, limits_values)
{
    (void)state_;
    const qeff_json_limits limits = {.max_values = 5};
    ASSERT_OK(try_parse(QEFF_STR("[1,2,3]"), &limits)); /* 2 + 3 */
    ASSERT_FAILS(try_parse(QEFF_STR("[1,2,3,4]"), &limits), QEFF_ERR_FORMAT, "more than 5 values");
    ASSERT_OK(try_parse(QEFF_STR("{\"a\":[]}"), &limits)); /* 2 + 1 + 2 */
    ASSERT_FAILS(try_parse(QEFF_STR("{\"a\":[1]}"), &limits), QEFF_ERR_FORMAT,
                 "more than 5 values");
}

TEST(json, limits_numbers)
{
    (void)state_;
    size_t size = 0;
    for (size_t n = 63; n <= 65; n++) {
        char *text = repeat("[", "7", n, "]", &size);
        const qeff_status status = try_parse((qeff_str){text, size}, NULL);
        assert_int_equal(status, n <= 64 ? QEFF_OK : QEFF_ERR_FORMAT);
        free(text);
    }
    char *text = repeat("[", "7", 1000000, "]", &size);
    ASSERT_FAILS(try_parse((qeff_str){text, size}, NULL), QEFF_ERR_FORMAT,
                 "number of 1000000 characters, expected at most 64");
    free(text);
}

TEST(json, limits_strings)
{
    (void)state_;
    for (size_t n = QEFF_JSON_STR_BYTES_MAX; n <= QEFF_JSON_STR_BYTES_MAX + 1; n++) {
        size_t size = 0;
        char *text = repeat("[\"", "x", n, "\"]", &size);
        const qeff_status status = try_parse((qeff_str){text, size}, NULL);
        assert_int_equal(status, n <= QEFF_JSON_STR_BYTES_MAX ? QEFF_OK : QEFF_ERR_FORMAT);
        free(text);
    }
}

/* What costs most memory for each byte and each counted value stays within 64 MiB. */
TEST(json, holds_its_memory_bound)
{
    (void)state_;
    static const char *const parts[] = {"{},", "[],", "0,", "\"\",", "[0],", "{\"\":0},"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t size = 0;
        bool was_injected = false;
        qeff_json_document *document = NULL;
        const size_t n = i < 2 ? 249000 : i < 4 ? 499000 : i < 5 ? 166000 : 124000;
        char *text = repeat("[", parts[i], n, "0]", &size);
        test_allocator_arm(0);
        json_set_alloc_funcs(test_hook_malloc, test_hook_free);
        const qeff_status status = qeff_json_parse((qeff_str){text, size}, NULL, &document, &err);
        qeff_json_close(document);
        json_set_alloc_funcs(malloc, free);
        assert_int_equal(test_allocator_disarm(&was_injected), 0);
        ASSERT_OK(status);
        assert_true(test_allocator_peak() < (size_t)64 << 20);
        free(text);
    }
}

TEST(json, holds_its_memory_bound_for_members)
{
    (void)state_;
    enum { MEMBERS = 249000 };
    bool was_injected = false;
    qeff_json_document *document = NULL;
    char *text = malloc(MEMBERS * 16);
    assert_non_null(text);
    size_t size = 1;
    text[0] = '{';
    for (int i = 0; i < MEMBERS; i++)
        size += (size_t)snprintf(text + size, 16, "\"%06x\":0,", (unsigned)i);
    text[size - 1] = '}';
    test_allocator_arm(0);
    json_set_alloc_funcs(test_hook_malloc, test_hook_free);
    const qeff_status status = qeff_json_parse((qeff_str){text, size}, NULL, &document, &err);
    qeff_json_close(document);
    json_set_alloc_funcs(malloc, free);
    assert_int_equal(test_allocator_disarm(&was_injected), 0);
    ASSERT_OK(status);
    assert_true(test_allocator_peak() < (size_t)64 << 20);
    free(text);
}

TEST(json, survives_each_failing_allocation)
{
    (void)state_;
    const qeff_str text =
        QEFF_STR("{\"a\":[1,2.5,\"x\",{\"b\":null}],\"long\":\"0123456789012345678\","
                 "\"big\":123456789012345678901234567890,\"t\":true}");
    qeff_json_document *document = NULL;
    json_set_alloc_funcs(test_hook_malloc, test_hook_free);
    json_object_seed(1); /* so that the first object does not seed in the middle of a run */
    TEST_EACH_ALLOCATION(qeff_json_parse(text, NULL, &document, &err), qeff_json_close(document));
    json_set_alloc_funcs(malloc, free);
}

TEST(json, opens_files_and_names_them)
{
    (void)state_;
    test_folder folder;
    qeff_json_document *document = NULL;
    const qeff_json_limits limits = {.max_bytes = 4};
    test_folder_create(&folder);
    ASSERT_OK(
        qeff_json_open(test_text_file(&folder, "a.json", "{\"a\":1}"), NULL, &document, &err));
    assert_int_equal(qeff_json_count(qeff_json_root(document)), 1);
    qeff_json_close(document);
    ASSERT_FAILS(qeff_json_open(test_text_file(&folder, "b.json", "{"), NULL, &document, &err),
                 QEFF_ERR_FORMAT, "/b.json': line 1, column 2: expected a key");
    ASSERT_FAILS(qeff_json_open(test_path(&folder, "c.json"), NULL, &document, &err),
                 QEFF_ERR_NOT_FOUND, "/c.json': no such file");
    ASSERT_FAILS(
        qeff_json_open(test_text_file(&folder, "d.json", "[1,2]"), &limits, &document, &err),
        QEFF_ERR_FORMAT, "/d.json': 5 bytes exceed the limit of 4");
    ASSERT_FAILS(qeff_json_open(folder.path, NULL, &document, &err), QEFF_ERR_FORMAT,
                 "regular file");
    test_folder_remove(&folder);
}

/* Cut anywhere, a text is refused with one line, and nothing is read past its end. */
TEST(json, refuses_every_prefix)
{
    (void)state_;
    static const char text[] =
        "{\"a\": [1, -2.5e+3, true, null], \"\\u00e9\\ud83d\\ude00\": {\"é\": \"\\n\"}}";
    for (size_t n = 0; n + 1 < sizeof text; n++) {
        char *exact = malloc(n ? n : 1);
        assert_non_null(exact);
        memcpy(exact, text, n);
        assert_refused((qeff_str){exact, n}, "line 1, column");
        free(exact);
    }
}

TEST(json_scan, skips_and_unescapes)
{
    (void)state_;
    qeff_json_scan s;
    char out[16];
    qeff_json_scan_init(&s, QEFF_STR("{\"\\u0061\\n\":[[1],{}],\"b\":18446744073709551615}"), NULL,
                        &err);
    assert_int_equal(qeff_json_scan_next(&s), QEFF_JSON_TOKEN_OBJECT);
    assert_int_equal(qeff_json_scan_next(&s), QEFF_JSON_TOKEN_KEY);
    assert_true(s.has_escapes);
    assert_int_equal(qeff_json_scan_unescape(&s, NULL), 2);
    assert_int_equal(qeff_json_scan_unescape(&s, out), 2);
    assert_memory_equal(out, "a\n", 2);
    qeff_json_scan_skip(&s, qeff_json_scan_next(&s));
    uint64_t number = 0;
    assert_int_equal(qeff_json_scan_next(&s), QEFF_JSON_TOKEN_KEY);
    assert_int_equal(qeff_json_scan_next(&s), QEFF_JSON_TOKEN_NUMBER);
    assert_true(qeff_json_scan_to_u64(&s, &number) && number == UINT64_MAX);
    assert_int_equal(qeff_json_scan_next(&s), QEFF_JSON_TOKEN_OBJECT_END);
    assert_int_equal(qeff_json_scan_next(&s), QEFF_JSON_TOKEN_END);
    ASSERT_OK(s.status);
}

#define X(name, text, expected) RUN(json, refuses_##name),

int main(void)
{
    const struct CMUnitTest tests[] = {
        REFUSED(X) RUN(json, reads_every_kind_of_value),
        RUN(json, decodes_escapes_and_keeps_nul),
        RUN(json, walks_objects_in_the_order_of_the_file),
        RUN(json, keeps_integers_to_the_border_of_64_bits),
        RUN(json, reads_integers_beyond_64_bits_as_reals),
        RUN(json, says_what_it_expected_and_found),
        RUN(json, leaves_defaults_where_a_member_is_absent_or_null),
        RUN(json, limits_depth),
        RUN(json, limits_bytes),
        RUN(json, limits_values),
        RUN(json, limits_numbers),
        RUN(json, limits_strings),
        RUN(json, holds_its_memory_bound),
        RUN(json, holds_its_memory_bound_for_members),
        RUN(json, survives_each_failing_allocation),
        RUN(json, opens_files_and_names_them),
        RUN(json, refuses_every_prefix),
        RUN(json_scan, skips_and_unescapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
