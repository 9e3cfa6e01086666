/* error_test.c - the error record: one line, context in front, always valid text. */
#include "base/error.h"

#include "base/span.h"
#include "base/utf8.h"
#include "test.h"

#include <errno.h>

static qeff_error err;

TEST(error, keeps_code_and_message)
{
    (void)state_;
    assert_int_equal(qeff_fail(&err, QEFF_ERR_FORMAT, "header of %d bytes", 7), QEFF_ERR_FORMAT);
    assert_int_equal(err.code, QEFF_ERR_FORMAT);
    assert_string_equal(err.message, "header of 7 bytes");
    assert_string_equal(err.hint, "");
}

TEST(error, may_be_null)
{
    (void)state_;
    assert_int_equal(qeff_fail(NULL, QEFF_ERR_IO, "x"), QEFF_ERR_IO);
    assert_int_equal(qeff_within(NULL, QEFF_ERR_IO, "x"), QEFF_ERR_IO);
    assert_int_equal(qeff_fail_system(NULL, ENOENT, "x"), QEFF_ERR_NOT_FOUND);
    qeff_hint(NULL, "x");
}

TEST(error, puts_context_in_front_in_the_order_of_the_way_up)
{
    (void)state_;
    qeff_status status = qeff_fail(&err, QEFF_ERR_FORMAT, "shape overflows");
    status = qeff_within(&err, status, "tensor '%s'", "a");
    status = qeff_within(&err, status, "'%s'", "m.safetensors");
    assert_int_equal(status, QEFF_ERR_FORMAT);
    assert_string_equal(err.message, "'m.safetensors': tensor 'a': shape overflows");
}

TEST(error, is_left_alone_by_success)
{
    (void)state_;
    err = (qeff_error){.message = "kept"};
    assert_int_equal(qeff_within(&err, QEFF_OK, "context"), QEFF_OK);
    assert_string_equal(err.message, "kept");
}

TEST(error, stays_one_line_without_control_characters)
{
    (void)state_;
    (void)qeff_fail(&err, QEFF_ERR_FORMAT, "name '%s'", "a\nb\r\x1b[2J\x7f\tc\xc2\x9b");
    assert_string_equal(err.message, "name 'a?b??[2J??c?'");
    (void)qeff_within(&err, QEFF_ERR_FORMAT, "%s", "x\ny");
    assert_non_null(strstr(err.message, "x?y: name"));
    qeff_hint(&err, "try\n%s", "this");
    assert_string_equal(err.hint, "try?this");
}

TEST(error, replaces_invalid_utf8)
{
    (void)state_;
    (void)qeff_fail(&err, QEFF_ERR_FORMAT, "%s", "a\xff\xc3y\xe2\x82z\xed\xa0\x80");
    assert_string_equal(err.message, "a??y?z???");
    (void)qeff_fail(&err, QEFF_ERR_FORMAT, "%s", "é \xef\xbf\xbd 漢");
    assert_string_equal(err.message, "é \xef\xbf\xbd 漢");
}

TEST(error, cuts_long_messages_between_characters)
{
    (void)state_;
    char text[1600];
    for (size_t shift = 0; shift < 4; shift++) {
        size_t n = 0;
        for (; n < shift; n++)
            text[n] = 'x';
        for (; n + 4 < sizeof text; n += 4)
            memcpy(text + n, "\xf0\x9f\x98\x80", 4);
        text[n] = '\0';
        (void)qeff_fail(&err, QEFF_ERR_FORMAT, "%s", text);
        const size_t size = strlen(err.message);
        assert_true(size > sizeof err.message - 5 && size < sizeof err.message);
        assert_true(qeff_utf8_is_valid(qeff_str_of(err.message)));
        assert_null(strchr(err.message, '?'));
    }
}

TEST(error, keeps_the_fact_behind_an_endless_context)
{
    (void)state_;
    char path[3000];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    (void)qeff_fail(&err, QEFF_ERR_FORMAT, "header does not fit");
    (void)qeff_within(&err, QEFF_ERR_FORMAT, "'%s'", path);
    assert_true(qeff_str_ends_with(qeff_str_of(err.message), ": header does not fit"));
    assert_true(qeff_str_starts_with(qeff_str_of(err.message), "'ppp"));
    (void)qeff_fail_system(&err, ENOENT, "'%s'", path);
    assert_true(qeff_str_ends_with(qeff_str_of(err.message), ": no such file or folder"));
}

TEST(error, keeps_the_first_hint)
{
    (void)state_;
    (void)qeff_fail(&err, QEFF_ERR_NOT_FOUND, "no weights");
    qeff_hint(&err, "convert it");
    qeff_hint(&err, "or not");
    assert_string_equal(err.hint, "convert it");
    (void)qeff_fail(&err, QEFF_ERR_NOT_FOUND, "again");
    assert_string_equal(err.hint, "");
}

TEST(error, maps_what_the_system_says)
{
    (void)state_;
    static const struct {
        int error;
        qeff_status status;
        const char *text;
    } cases[] = {
        {ENOENT, QEFF_ERR_NOT_FOUND, "no such file"},  {EACCES, QEFF_ERR_IO, "permission denied"},
        {ENOSPC, QEFF_ERR_NO_SPACE, "no space left"},  {EDQUOT, QEFF_ERR_NO_SPACE, "quota"},
        {ENOMEM, QEFF_ERR_NO_MEMORY, "out of memory"}, {EIO, QEFF_ERR_IO, "input/output"},
        {12345, QEFF_ERR_IO, "system error 12345"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ASSERT_FAILS(qeff_fail_system(&err, cases[i].error, "'f'"), cases[i].status, cases[i].text);
}

TEST(error, names_every_status)
{
    (void)state_;
    for (int i = QEFF_OK; i <= QEFF_ERR_INTERNAL; i++) {
        assert_string_not_equal(qeff_status_name((qeff_status)i), "unknown status");
        for (int j = QEFF_OK; j < i; j++)
            assert_string_not_equal(qeff_status_name((qeff_status)i),
                                    qeff_status_name((qeff_status)j));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(error, keeps_code_and_message),
        RUN(error, may_be_null),
        RUN(error, puts_context_in_front_in_the_order_of_the_way_up),
        RUN(error, is_left_alone_by_success),
        RUN(error, stays_one_line_without_control_characters),
        RUN(error, replaces_invalid_utf8),
        RUN(error, cuts_long_messages_between_characters),
        RUN(error, keeps_the_fact_behind_an_endless_context),
        RUN(error, keeps_the_first_hint),
        RUN(error, maps_what_the_system_says),
        RUN(error, names_every_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
