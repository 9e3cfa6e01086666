/* test.h - tests as statements: TEST(safetensors, rejects_offsets_beyond_data) { … }, collected in
 * one list a file and run by cmocka. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <qeff/base.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* needs what stands above */
#include <cmocka.h>

#define TEST(subject, statement)                                                                   \
    static void subject##__##statement(__attribute__((unused)) void **state_)
#define RUN(subject, statement) cmocka_unit_test(subject##__##statement)

/** The call succeeds; shows the error's text where it does not. */
#define ASSERT_OK(expression)                                                                      \
    do {                                                                                           \
        const qeff_status assert_status = (expression);                                            \
        if (assert_status) print_error("%s: %s\n", #expression, err.message);                      \
        assert_int_equal(assert_status, QEFF_OK);                                                  \
    } while (0)

/** The call fails with this status, and its message contains the text. */
#define ASSERT_FAILS(expression, status, text)                                                     \
    do {                                                                                           \
        err = (qeff_error){0};                                                                     \
        assert_int_equal((expression), (status));                                                  \
        if (!strstr(err.message, (text))) print_error("'%s' lacks '%s'\n", err.message, (text));   \
        assert_non_null(strstr(err.message, (text)));                                              \
    } while (0)

#endif /* TESTS_TEST_H */
