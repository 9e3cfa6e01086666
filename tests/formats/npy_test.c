/* npy_test.c - arrays as numpy saves them: read strictly, written byte for byte the same. */
#include "formats/npy.h"

#include "base/span.h"
#include "base/support.h"

#include <stdlib.h>

static qeff_error err;

#define GOLDEN QEFF_TEST_DATA "/golden/numpy/"

static void open_golden(const char *path, qeff_npy *npy)
{
    ASSERT_OK(qeff_npy_open(path, npy, &err));
}

TEST(npy, reads_what_numpy_saved)
{
    (void)state_;
    qeff_npy npy;
    float values[6];
    open_golden(GOLDEN "f4.npy", &npy);
    assert_int_equal(npy.array.dtype, QEFF_DTYPE_F32);
    assert_int_equal(npy.array.rank, 2);
    assert_int_equal(npy.array.shape[0], 2);
    assert_int_equal(npy.array.shape[1], 3);
    assert_int_equal(npy.array.data.size, sizeof values);
    memcpy(values, npy.array.data.data, sizeof values);
    for (int i = 0; i < 6; i++)
        assert_true(values[i] == (float)i / 4);
    qeff_npy_close(&npy);
    open_golden(GOLDEN "f8.npy", &npy);
    assert_int_equal(npy.array.dtype, QEFF_DTYPE_F64);
    assert_int_equal(npy.array.rank, 0);
    assert_int_equal(npy.array.data.size, 8);
    qeff_npy_close(&npy);
    open_golden(GOLDEN "empty.npy", &npy);
    assert_int_equal(npy.array.rank, 2);
    assert_int_equal(npy.array.shape[0], 0);
    assert_int_equal(npy.array.data.size, 0);
    qeff_npy_close(&npy);
}

TEST(npy, reads_versions_2_and_3)
{
    (void)state_;
    static const char *const paths[] = {GOLDEN "version_2.npy", GOLDEN "version_3.npy"};
    for (size_t i = 0; i < 2; i++) {
        qeff_npy npy;
        open_golden(paths[i], &npy);
        assert_int_equal(npy.array.shape[1], 3);
        assert_int_equal(npy.array.data.size, 24);
        qeff_npy_close(&npy);
    }
}

TEST(npy, writes_what_numpy_would)
{
    (void)state_;
    static const char *const names[] = {"f4", "f8", "i8", "empty", "growth"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[600];
        qeff_npy npy;
        qeff_buffer out = {0};
        (void)snprintf(path, sizeof path, GOLDEN "%s.npy", names[i]);
        open_golden(path, &npy);
        ASSERT_OK(qeff_npy_write_header(&npy.array, &out, &err));
        assert_int_equal(out.size % 64, 0);
        qeff_buffer_append(&out, npy.array.data.data, npy.array.data.size);
        assert_int_equal(out.size, npy.file.size);
        assert_memory_equal(out.data, npy.file.data, out.size);
        qeff_buffer_deinit(&out);
        qeff_npy_close(&npy);
    }
}

TEST(npy, refuses_what_it_does_not_know_with_advice)
{
    (void)state_;
    static const struct {
        const char *path, *text, *hint;
    } cases[] = {
        {GOLDEN "fortran.npy", "fortran.npy': array in Fortran order", "ascontiguousarray"},
        {GOLDEN "big_endian.npy", "element type '>f4'", "newbyteorder"},
        {GOLDEN "object.npy", "element type '|O'", "never read"},
        {GOLDEN "record.npy", "arrays of records", ""},
        {GOLDEN "text.npy", "element type '<U2'", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qeff_npy npy;
        ASSERT_FAILS(qeff_npy_open(cases[i].path, &npy, &err), QEFF_ERR_UNSUPPORTED, cases[i].text);
        assert_non_null(strstr(err.hint, cases[i].hint));
    }
}

/* Version 1, this header, `n_data` zeros; in a block of exact size. */
static qeff_status parse(qeff_str header, size_t n_data, qeff_array *array)
{
    const size_t size = 10 + header.size + n_data;
    uint8_t *bytes = calloc(1, size);
    assert_non_null(bytes);
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    qeff_store_u16le(bytes + 8, (uint16_t)header.size);
    memcpy(bytes + 10, header.data, header.size);
    err = (qeff_error){0};
    const qeff_status status = qeff_npy_parse((qeff_bytes){bytes, size}, array, &err);
    free(bytes);
    return status;
}

/* One test a line: name, header, bytes of data, status, what the message must say. */
#define REFUSED(X)                                                                                 \
    X(empty_header, "", 0, FORMAT, "malformed header at its byte 0")                               \
    X(no_dictionary, "[]", 0, FORMAT, "malformed header")                                          \
    X(empty_dictionary, "{}", 0, FORMAT, "without its key 'descr'")                                \
    X(no_descr, "{'fortran_order': False, 'shape': ()}", 0, FORMAT, "its key 'descr'")             \
    X(no_order, "{'descr': '|u1', 'shape': ()}", 1, FORMAT, "its key 'fortran_order'")             \
    X(no_shape, "{'descr': '|u1', 'fortran_order': False}", 1, FORMAT, "its key 'shape'")          \
    X(unknown_key, "{'descr': '|u1', 'x': 1}", 1, FORMAT, "unexpected key 'x'")                    \
    X(key_twice, "{'descr': '|u1', 'descr': '|u1'}", 1, FORMAT, "unexpected key 'descr'")          \
    X(expression, "{'descr': '|u1', 'fortran_order': False, 'shape': (1+1,)}", 2, FORMAT,          \
      "malformed header")                                                                          \
    X(call, "{'descr': exec('x'), 'fortran_order': False, 'shape': ()}", 1, FORMAT, "malformed")   \
    X(escape, "{'descr': '\\x7cu1', 'fortran_order': False, 'shape': ()}", 1, FORMAT, "malformed") \
    X(number_as_shape, "{'descr': '|u1', 'fortran_order': False, 'shape': (2)}", 2, FORMAT,        \
      "malformed")                                                                                 \
    X(list_as_shape, "{'descr': '|u1', 'fortran_order': False, 'shape': [2]}", 2, FORMAT,          \
      "malformed")                                                                                 \
    X(negative_dimension, "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}", 1, FORMAT,   \
      "malformed")                                                                                 \
    X(leading_zero, "{'descr': '|u1', 'fortran_order': False, 'shape': (02,)}", 2, FORMAT,         \
      "malformed")                                                                                 \
    X(long_integer, "{'descr': '|u1', 'fortran_order': False, 'shape': (2L,)}", 2, FORMAT,         \
      "malformed")                                                                                 \
    X(dimension_beyond_64_bits,                                                                    \
      "{'descr': '|u1', 'fortran_order': False, 'shape': (18446744073709551617,)}", 1, FORMAT,     \
      "malformed")                                                                                 \
    X(shape_that_overflows,                                                                        \
      "{'descr': '|u1', 'fortran_order': False, 'shape': (4194305, 4194305, 211106198978564)}", 4, \
      FORMAT, "shape overflows")                                                                   \
    X(nine_dimensions,                                                                             \
      "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1)}", 1,         \
      UNSUPPORTED, "more than 8 dimensions")                                                       \
    X(order_as_number, "{'descr': '|u1', 'fortran_order': 0, 'shape': ()}", 1, FORMAT,             \
      "malformed")                                                                                 \
    X(open_string, "{'descr", 0, FORMAT, "unexpected key")                                         \
    X(mixed_quotes, "{'descr\": '|u1'}", 0, FORMAT, "unexpected key")                              \
    X(trailing_text, "{'descr': '|u1', 'fortran_order': False, 'shape': ()} x", 1, FORMAT,         \
      "malformed header at its byte 54")                                                           \
    X(two_commas, "{'descr': '|u1',, 'fortran_order': False, 'shape': ()}", 1, FORMAT,             \
      "unexpected key")                                                                            \
    X(too_little_data, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 7, FORMAT,       \
      "7 bytes of data, but dtype and shape need 8")                                               \
    X(too_much_data, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 9, FORMAT,         \
      "9 bytes of data, but dtype and shape need 8")                                               \
    X(complex_numbers, "{'descr': '<c8', 'fortran_order': False, 'shape': ()}", 8, UNSUPPORTED,    \
      "element type '<c8'")                                                                        \
    X(empty_descr, "{'descr': '', 'fortran_order': False, 'shape': ()}", 1, UNSUPPORTED,           \
      "element type ''")

#define X(name, header, n_data, status, text)                                                      \
    TEST(npy, refuses_##name)                                                                      \
    {                                                                                              \
        (void)state_;                                                                              \
        qeff_array array = {.rank = 0};                                                            \
        assert_int_equal(parse(QEFF_STR(header), n_data, &array), QEFF_ERR_##status);              \
        assert_non_null(strstr(err.message, text));                                                \
    }
REFUSED(X)
#undef X

TEST(npy, accepts_keys_in_any_order_and_both_quotes)
{
    (void)state_;
    qeff_array array = {.rank = 0};
    ASSERT_OK(parse(QEFF_STR("{\"shape\":(2,3,),'descr':\"<i2\" , 'fortran_order':False }  \n"), 12,
                    &array));
    assert_int_equal(array.dtype, QEFF_DTYPE_I16);
    assert_int_equal(array.rank, 2);
    ASSERT_OK(
        parse(QEFF_STR("{'descr': '|b1', 'fortran_order': True, 'shape': (5,), }"), 5, &array));
    assert_int_equal(array.dtype, QEFF_DTYPE_BOOL); /* one dimension has no order */
}

TEST(npy, refuses_foreign_and_cut_files)
{
    (void)state_;
    qeff_npy npy;
    qeff_array array;
    open_golden(GOLDEN "f4.npy", &npy);
    for (size_t n = 0; n < npy.file.size; n++) {
        uint8_t *exact = malloc(n ? n : 1);
        assert_non_null(exact);
        memcpy(exact, npy.file.data, n);
        err = (qeff_error){0};
        assert_int_equal(qeff_npy_parse((qeff_bytes){exact, n}, &array, &err), QEFF_ERR_FORMAT);
        assert_true(err.message[0] != '\0');
        free(exact);
    }
    uint8_t bytes[152];
    assert_int_equal(npy.file.size, sizeof bytes);
    memcpy(bytes, npy.file.data, sizeof bytes);
    qeff_npy_close(&npy);
    bytes[6] = 4;
    ASSERT_FAILS(qeff_npy_parse((qeff_bytes){bytes, sizeof bytes}, &array, &err),
                 QEFF_ERR_UNSUPPORTED, "numpy format 4.0");
    bytes[6] = 2; /* the size is now that of four bytes */
    ASSERT_FAILS(qeff_npy_parse((qeff_bytes){bytes, sizeof bytes}, &array, &err), QEFF_ERR_FORMAT,
                 "expected at most 10000");
    bytes[0] = 'x';
    ASSERT_FAILS(qeff_npy_parse((qeff_bytes){bytes, sizeof bytes}, &array, &err), QEFF_ERR_FORMAT,
                 "not a numpy array");
    ASSERT_FAILS(qeff_npy_open(GOLDEN "none.npy", &npy, &err), QEFF_ERR_NOT_FOUND, "no such file");
}

TEST(npy, refuses_to_write_what_numpy_lacks_or_does_not_fit)
{
    (void)state_;
    qeff_buffer out = {0};
    qeff_array array = {.dtype = QEFF_DTYPE_BF16, .rank = 1, .shape = {1}, .data = {NULL, 2}};
    ASSERT_FAILS(qeff_npy_write_header(&array, &out, &err), QEFF_ERR_UNSUPPORTED, "bf16");
    array.dtype = QEFF_DTYPE_F32;
    ASSERT_FAILS(qeff_npy_write_header(&array, &out, &err), QEFF_ERR_INVALID,
                 "2 bytes of data, but dtype and shape need 4");
    array.rank = QEFF_MAX_RANK + 1;
    ASSERT_FAILS(qeff_npy_write_header(&array, &out, &err), QEFF_ERR_INVALID, "bytes of data");
    qeff_buffer_deinit(&out);
}

static qeff_status write_header(void)
{
    qeff_buffer out = {0};
    const qeff_array array = {.dtype = QEFF_DTYPE_U8, .rank = 1, .shape = {0}};
    const qeff_status status = qeff_npy_write_header(&array, &out, &err);
    qeff_buffer_deinit(&out);
    return status;
}

TEST(npy, survives_each_failing_allocation)
{
    (void)state_;
    TEST_EACH_ALLOCATION(write_header(), (void)0);
}

#define X(name, header, n_data, status, text) RUN(npy, refuses_##name),

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(npy, reads_what_numpy_saved),
        RUN(npy, reads_versions_2_and_3),
        RUN(npy, writes_what_numpy_would),
        RUN(npy, refuses_what_it_does_not_know_with_advice),
        REFUSED(X) RUN(npy, accepts_keys_in_any_order_and_both_quotes),
        RUN(npy, refuses_foreign_and_cut_files),
        RUN(npy, refuses_to_write_what_numpy_lacks_or_does_not_fit),
        RUN(npy, survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
