/* buffer_test.c - growing bytes: appending, padding, quoting, sticky failures. */
#include "base/buffer.h"

#include "base/span.h"
#include "base/support.h"

static qeff_error err;

static void assert_quoted(qeff_str text, const char *expected)
{
    qeff_buffer b = {0};
    qeff_buffer_append_json(&b, text);
    ASSERT_OK(qeff_buffer_status(&b, &err));
    assert_int_equal(b.size, strlen(expected));
    assert_memory_equal(b.data, expected, b.size);
    qeff_buffer_deinit(&b);
}

TEST(buffer, appends_of_all_kinds)
{
    (void)state_;
    qeff_buffer b = {0};
    qeff_buffer_append(&b, NULL, 0);
    qeff_buffer_append_text(&b, "ab");
    qeff_buffer_append_str(&b, QEFF_STR("c"));
    qeff_buffer_append_byte(&b, 'd');
    qeff_buffer_format(&b, "%d-%s", 42, "x");
    assert_true(qeff_str_is(qeff_buffer_str(&b), "abcd42-x"));
    qeff_buffer_pad(&b, 16);
    assert_int_equal(b.size, 16);
    qeff_buffer_pad(&b, 16);
    assert_int_equal(b.size, 16);
    assert_memory_equal(b.data + 8, "\0\0\0\0\0\0\0\0", 8);
    assert_int_equal(qeff_buffer_bytes(&b).size, 16);
    qeff_buffer_deinit(&b);
    assert_null(b.data);
}

TEST(buffer, formats_text_longer_than_its_stack_buffer)
{
    (void)state_;
    for (size_t n = 505; n < 520; n++) {
        char text[600];
        qeff_buffer b = {0};
        memset(text, 'x', n);
        text[n] = '\0';
        qeff_buffer_format(&b, "%s", text);
        assert_int_equal(b.size, n);
        assert_memory_equal(b.data, text, n);
        qeff_buffer_deinit(&b);
    }
}

TEST(buffer, quotes_json)
{
    (void)state_;
    assert_quoted(QEFF_STR("plain é 漢 😀"), "\"plain é 漢 😀\"");
    assert_quoted(QEFF_STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    assert_quoted(QEFF_STR("\n\t\r\x01\x1f\x7f"), "\"\\n\\u0009\\u000d\\u0001\\u001f\\u007f\"");
    assert_quoted(QEFF_STR("\0z"), "\"\\u0000z\"");
    assert_quoted(QEFF_STR("\xff\xe2\x82(\xed\xa0\x80"),
                  "\"\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_quoted((qeff_str){NULL, 0}, "\"\"");
}

TEST(buffer, fails_stickily_and_keeps_what_it_had)
{
    (void)state_;
    qeff_buffer b = {0};
    qeff_buffer_append_text(&b, "kept");
    assert_null(qeff_buffer_extend(&b, SIZE_MAX));
    qeff_buffer_append_text(&b, " not");
    assert_true(qeff_str_is(qeff_buffer_str(&b), "kept"));
    ASSERT_FAILS(qeff_buffer_status(&b, &err), QEFF_ERR_NO_MEMORY, "out of memory");
    qeff_buffer_deinit(&b);
}

static qeff_status fill(qeff_buffer *b)
{
    for (int i = 0; i < 1000; i++) {
        qeff_buffer_append_byte(b, 'x');
        qeff_buffer_format(b, "%0600d", i);
        qeff_buffer_append_json(b, QEFF_STR("\"é\x01"));
        qeff_buffer_pad(b, 8);
    }
    const qeff_status status = qeff_buffer_status(b, &err);
    if (status) qeff_buffer_deinit(b);
    return status;
}

TEST(buffer, survives_each_failing_allocation)
{
    (void)state_;
    qeff_buffer b = {0};
    TEST_EACH_ALLOCATION(fill(&b), qeff_buffer_deinit(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(buffer, appends_of_all_kinds),
        RUN(buffer, formats_text_longer_than_its_stack_buffer),
        RUN(buffer, quotes_json),
        RUN(buffer, fails_stickily_and_keeps_what_it_had),
        RUN(buffer, survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
