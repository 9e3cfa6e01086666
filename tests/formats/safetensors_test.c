/* safetensors_test.c - which files are read and which are refused, bad input by bad input.
 *
 * The accepted and refused sets are those of the reference implementation, but for what
 * safetensors.h names. */
#include "formats/safetensors.h"

#include "base/span.h"
#include "base/support.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static qeff_error err;
TEST_FOLDER(folder, set_up, tear_down)

/* Writes `header_size | header | data` with `n_data` bytes 0, 1, 2, …; the size may lie. */
static const char *save_as(uint64_t header_size, qeff_str header, size_t n_data)
{
    const size_t size = 8 + header.size + n_data;
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    qeff_store_u64le(bytes, header_size);
    if (header.size) memcpy(bytes + 8, header.data, header.size);
    for (size_t i = 0; i < n_data; i++)
        bytes[8 + header.size + i] = (uint8_t)i;
    const char *path = test_file(&folder, "m.safetensors", bytes, size);
    free(bytes);
    return path;
}

static const char *save(qeff_str header, size_t n_data)
{
    return save_as(header.size, header, n_data);
}

static void assert_refused(const char *path, qeff_status status, const char *text)
{
    qeff_safetensors *st = NULL;
    ASSERT_FAILS(qeff_safetensors_open(path, &st, &err), status, text);
    assert_null(st);
    assert_true(qeff_str_starts_with(qeff_str_of(err.message), "'"));
}

static qeff_safetensors *open_file(const char *path)
{
    qeff_safetensors *st = NULL;
    ASSERT_OK(qeff_safetensors_open(path, &st, &err));
    return st;
}

#define T(dtype, shape, begin, end)                                                                \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

/* One test a line: name, header, bytes of data, status, what the message must say. */
#define REFUSED(X)                                                                                 \
    X(empty_header, "", 0, FORMAT, "expected a value, found the end of the text")                  \
    X(invalid_utf8_in_name, "{\"\xff\":" T("U8", "[1]", 0, 1) "}", 1, FORMAT, "not valid UTF-8")   \
    X(invalid_utf8_before, "\xff{}", 0, FORMAT, "found byte 0xff")                                 \
    X(byte_order_mark, "\xef\xbb\xbf{}", 0, FORMAT, "byte order mark")                             \
    X(array_as_header, "[]", 0, FORMAT, "header: line 1, column 1: expected an object")            \
    X(number_as_header, "3", 0, FORMAT, "expected an object")                                      \
    X(other_leading_byte, "x{}", 0, FORMAT, "found 'x'")                                           \
    X(vertical_tab, "\v{}", 0, FORMAT, "found byte 0x0b")                                          \
    X(trailing_nul, "{}\0", 0, FORMAT, "found byte 0x00")                                          \
    X(trailing_object, "{}{}", 0, FORMAT, "expected the end of the text")                          \
    X(data_without_tensors, "{}", 1, FORMAT, "tensors end at byte 0 of 1 bytes of data")           \
    X(same_name_twice, "{\"a\":" T("U8", "[1]", 0, 1) ",\"a\":" T("U8", "[1]", 1, 2) "}", 2,       \
      FORMAT, "tensor 'a' is there twice")                                                         \
    X(same_name_by_escape,                                                                         \
      "{\"a\":" T("U8", "[1]", 0, 1) ",\"\\u0061\":" T("U8", "[1]", 1, 2) "}", 2, FORMAT,          \
      "tensor 'a' is there twice")                                                                 \
    X(same_empty_tensor_twice, "{\"a\":" T("U8", "[0]", 0, 0) ",\"a\":" T("U8", "[0]", 0, 0) "}",  \
      0, FORMAT, "tensor 'a' is there twice")                                                      \
    X(metadata_twice, "{\"__metadata__\":{},\"__metadata__\":{}}", 0, FORMAT,                      \
      "key '__metadata__' is there twice")                                                         \
    X(metadata_twice_by_escape, "{\"__metadata__\":{},\"\\u005f_metadata__\":{}}", 0, FORMAT,      \
      "key '__metadata__' is there twice")                                                         \
    X(metadata_key_twice, "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, FORMAT,               \
      "'__metadata__': line 1, column 10: key 'a' is there twice")                                 \
    X(metadata_with_number, "{\"__metadata__\":{\"a\":1}}", 0, FORMAT, "expected a string")        \
    X(metadata_with_null, "{\"__metadata__\":{\"a\":null}}", 0, FORMAT, "expected a string")       \
    X(metadata_with_object, "{\"__metadata__\":{\"a\":{}}}", 0, FORMAT, "expected a string")       \
    X(metadata_as_array, "{\"__metadata__\":[]}", 0, FORMAT, "expected an object of strings")      \
    X(metadata_as_text, "{\"__metadata__\":\"x\"}", 0, FORMAT, "expected an object of strings")    \
    X(metadata_key_with_nul, "{\"__metadata__\":{\"a\\u0000\":\"x\"}}", 0, FORMAT, "holds a NUL")  \
    X(tensor_as_array, "{\"a\":[\"U8\",[1],[0,1]]}", 1, FORMAT, "expected an object")              \
    X(tensor_as_null, "{\"a\":null}", 0, FORMAT, "tensor 'a': line 1, column 6: expected an obj")  \
    X(unknown_dtype, "{\"a\":" T("U9", "[1]", 0, 1) "}", 1, FORMAT, "unknown dtype 'U9'")          \
    X(lower_case_dtype, "{\"a\":" T("u8", "[1]", 0, 1) "}", 1, FORMAT, "unknown dtype 'u8'")       \
    X(empty_dtype, "{\"a\":" T("", "[1]", 0, 1) "}", 1, FORMAT, "unknown dtype ''")                \
    X(four_bit_dtype, "{\"a\":" T("F4", "[2]", 0, 1) "}", 1, UNSUPPORTED, "'F4' is not supported") \
    X(odd_four_bits, "{\"a\":" T("F4", "[3]", 0, 1) "}", 1, UNSUPPORTED, "'F4' is not supported")  \
    X(six_bit_dtype, "{\"a\":" T("F6_E2M3", "[4]", 0, 3) "}", 3, UNSUPPORTED, "'F6_E2M3'")         \
    X(complex_dtype, "{\"a\":" T("C64", "[1]", 0, 8) "}", 8, UNSUPPORTED, "'C64'")                 \
    X(dtype_as_number, "{\"a\":{\"dtype\":1,\"shape\":[],\"data_offsets\":[0,1]}}", 1, FORMAT,     \
      "expected a string as dtype")                                                                \
    X(no_dtype, "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, FORMAT, "no dtype")           \
    X(no_shape, "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, FORMAT, "no shape")        \
    X(no_offsets, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, FORMAT, "no data_offsets")        \
    X(dtype_twice,                                                                                 \
      "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,       \
      FORMAT, "key 'dtype' is there twice")                                                        \
    X(negative_dimension, "{\"a\":" T("U8", "[-1]", 0, 1) "}", 1, FORMAT, "expected a count")      \
    X(negative_zero, "{\"a\":" T("U8", "[-0]", 0, 0) "}", 0, FORMAT, "expected a count")           \
    X(real_dimension, "{\"a\":" T("U8", "[1.0]", 0, 1) "}", 1, FORMAT, "expected a count")         \
    X(dimension_with_exponent, "{\"a\":" T("U8", "[1e0]", 0, 1) "}", 1, FORMAT,                    \
      "expected a count")                                                                          \
    X(dimension_beyond_64_bits, "{\"a\":" T("U8", "[18446744073709551616]", 0, 1) "}", 1, FORMAT,  \
      "expected a count below 2^63")                                                               \
    X(dimension_as_text, "{\"a\":" T("U8", "[\"1\"]", 0, 1) "}", 1, FORMAT, "expected a count")    \
    X(shape_as_number, "{\"a\":" T("U8", "1", 0, 1) "}", 1, FORMAT, "expected an array as shape")  \
    X(shape_that_wraps_to_4, "{\"a\":" T("U8", "[4194305,4194305,211106198978564]", 0, 4) "}", 4,  \
      FORMAT, "shape overflows 63 bits")                                                           \
    X(bytes_that_wrap, "{\"a\":" T("F64", "[4611686018427387904]", 0, 8) "}", 8, FORMAT,           \
      "shape overflows 63 bits")                                                                   \
    X(nine_dimensions, "{\"a\":" T("U8", "[1,1,1,1,1,1,1,1,1]", 0, 1) "}", 1, FORMAT,              \
      "more than 8 dimensions")                                                                    \
    X(reversed_offsets, "{\"a\":" T("U8", "[1]", 1, 0) "}", 1, FORMAT, "outside 1 bytes of data")  \
    X(overlapping_tensors, "{\"a\":" T("U8", "[2]", 0, 2) ",\"b\":" T("U8", "[2]", 1, 3) "}", 3,   \
      FORMAT, "tensor 'b': data begins at 1, expected 2")                                          \
    X(aliased_tensors, "{\"a\":" T("U8", "[2]", 0, 2) ",\"b\":" T("U8", "[2]", 0, 2) "}", 2,       \
      FORMAT, "data begins at 0, expected 2")                                                      \
    X(hole_between_tensors, "{\"a\":" T("U8", "[1]", 0, 1) ",\"b\":" T("U8", "[1]", 2, 3) "}", 3,  \
      FORMAT, "tensor 'b': data begins at 2, expected 1")                                          \
    X(hole_at_the_start, "{\"a\":" T("U8", "[1]", 1, 2) "}", 2, FORMAT, "begins at 1, expected 0") \
    X(data_behind_the_last, "{\"a\":" T("U8", "[1]", 0, 1) "}", 2, FORMAT,                         \
      "tensors end at byte 1 of 2 bytes of data")                                                  \
    X(end_one_past_the_file, "{\"a\":" T("U8", "[2]", 0, 2) "}", 1, FORMAT, "outside 1 bytes")     \
    X(end_far_past_the_file, "{\"a\":" T("U8", "[9]", 0, 9223372036854775807) "}", 1, FORMAT,      \
      "outside 1 bytes")                                                                           \
    X(offset_beyond_64_bits, "{\"a\":" T("U8", "[1]", 0, 18446744073709551617) "}", 1, FORMAT,     \
      "expected two counts of bytes")                                                              \
    X(negative_offset, "{\"a\":" T("U8", "[1]", -1, 0) "}", 1, FORMAT, "expected two counts")      \
    X(text_as_offset, "{\"a\":" T("U8", "[1]", "0", 1) "}", 1, FORMAT, "expected two counts")      \
    X(one_offset, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, FORMAT,      \
      "expected two counts")                                                                       \
    X(three_offsets, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1,       \
      FORMAT, "expected only two numbers")                                                         \
    X(offsets_as_object, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":{}}}", 1,        \
      FORMAT, "expected an array as data_offsets")                                                 \
    X(size_unlike_shape, "{\"a\":" T("F32", "[2]", 0, 4) "}", 4, FORMAT,                           \
      "data_offsets hold 4 bytes, but dtype and shape need 8")                                     \
    X(empty_tensor_inside_another,                                                                 \
      "{\"a\":" T("U8", "[2]", 0, 2) ",\"b\":" T("U8", "[0]", 1, 1) "}", 2, FORMAT,                \
      "tensor 'b': data begins at 1, expected 2")

#define X(name, header, n_data, status, text)                                                      \
    TEST(safetensors, refuses_##name)                                                              \
    {                                                                                              \
        (void)state_;                                                                              \
        assert_refused(save(QEFF_STR(header), n_data), QEFF_ERR_##status, text);                   \
    }
REFUSED(X)
#undef X

/* One test a line: name, header, bytes of data, tensors. */
#define ACCEPTED(X)                                                                                \
    X(no_tensor, "{}", 0, 0)                                                                       \
    X(leading_and_trailing_space, " \t\r\n{}\n\r\t ", 0, 0)                                        \
    X(leading_space_before_tensors, "  {\"a\":" T("U8", "[1]", 0, 1) "}", 1, 1)                    \
    X(null_metadata, "{\"__metadata__\":null}", 0, 0)                                              \
    X(empty_metadata, "{\"__metadata__\":{}}", 0, 0)                                               \
    X(rank_0, "{\"a\":" T("F32", "[]", 0, 4) "}", 4, 1)                                            \
    X(rank_8, "{\"a\":" T("U8", "[1,1,1,1,1,1,1,2]", 0, 2) "}", 2, 1)                              \
    X(tensors_out_of_order, "{\"b\":" T("U8", "[1]", 2, 3) ",\"a\":" T("U8", "[2]", 0, 2) "}", 3,  \
      2)                                                                                           \
    X(empty_tensors_that_share_an_offset,                                                          \
      "{\"a\":" T("U8", "[1]", 0, 1) ",\"b\":" T("F32", "[0,7]", 1, 1) ",\"c\":" T(                \
          "F32", "[7,0]", 1, 1) ",\"d\":" T("U8", "[0]", 0, 0) "}",                                \
      1, 4)                                                                                        \
    X(names_with_slash_dots_and_nul,                                                               \
      "{\"../x\":" T("U8", "[1]", 0, 1) ",\"a/b\":" T("U8", "[1]", 1, 2) ",\"\\u0000\":" T(        \
          "U8", "[1]", 2, 3) ",\"\":" T("U8", "[1]", 3, 4) "}",                                    \
      4, 4)                                                                                        \
    X(unknown_fields,                                                                              \
      "{\"a\":{\"x\":[{\"y\":1}],\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, 1)   \
    X(fields_in_any_order, "{\"a\":{\"data_offsets\":[0,1],\"shape\":[1],\"dtype\":\"U8\"}}", 1,   \
      1)                                                                                           \
    X(data_of_odd_alignment, "{\"a\":" T("U8", "[1]", 0, 1) ",\"b\":" T("F64", "[1]", 1, 9) "}",   \
      9, 2)

#define X(name, header, n_data, count)                                                             \
    TEST(safetensors, accepts_##name)                                                              \
    {                                                                                              \
        (void)state_;                                                                              \
        qeff_safetensors *st = open_file(save(QEFF_STR(header), n_data));                          \
        assert_int_equal(qeff_safetensors_count(st), count);                                       \
        qeff_safetensors_close(st);                                                                \
    }
ACCEPTED(X)
#undef X

#define TWO_TENSORS                                                                                \
    "{\"__metadata__\":{\"format\":\"pt\"},\"w.b\":" T("I16", "[3]", 8, 14) ",\"w\\u002ea\":" T(   \
        "F32", "[2,1]", 0, 8) "}"

TEST(safetensors, gives_views_in_the_order_of_the_names)
{
    (void)state_;
    qeff_safetensors *st = open_file(save(QEFF_STR(TWO_TENSORS), 14));
    assert_int_equal(qeff_safetensors_count(st), 2);
    const qeff_tensor_view *a = qeff_safetensors_at(st, 0), *b = qeff_safetensors_at(st, 1);
    assert_true(qeff_str_is(a->name, "w.a") && qeff_str_is(b->name, "w.b"));
    assert_int_equal(a->dtype, QEFF_DTYPE_F32);
    assert_int_equal(a->rank, 2);
    assert_int_equal(a->shape[0], 2);
    assert_int_equal(a->shape[1], 1);
    assert_int_equal(a->data.size, 8);
    assert_int_equal(a->data.data[7], 7);
    assert_int_equal(b->dtype, QEFF_DTYPE_I16);
    assert_int_equal(b->data.size, 6);
    assert_int_equal(b->data.data[0], 8);
    assert_int_equal(b->file_offset, 8 + strlen(TWO_TENSORS) + 8);
    assert_ptr_equal(b->file->data + b->file_offset, b->data.data);
    qeff_safetensors_close(st);
    qeff_safetensors_close(NULL);
}

TEST(safetensors, exposes_metadata)
{
    (void)state_;
    qeff_str text = {NULL, 0};
    qeff_safetensors *st = open_file(save(QEFF_STR(TWO_TENSORS), 14));
    ASSERT_OK(
        qeff_json_to_str(qeff_json_find(qeff_safetensors_metadata(st), "format"), &text, &err));
    assert_true(qeff_str_is(text, "pt"));
    qeff_safetensors_close(st);
    st = open_file(save(QEFF_STR("{}"), 0));
    assert_int_equal(qeff_json_kind_of(qeff_safetensors_metadata(st)), QEFF_JSON_MISSING);
    qeff_safetensors_close(st);
}

TEST(safetensors, refuses_files_under_8_bytes)
{
    (void)state_;
    for (size_t n = 0; n < 8; n++)
        assert_refused(test_file(&folder, "m", "\2\0\0\0\0\0\0", n), QEFF_ERR_FORMAT,
                       "bytes, expected at least 8");
}

TEST(safetensors, refuses_header_sizes_beyond_the_file_or_the_limit)
{
    (void)state_;
    assert_refused(save_as(0, QEFF_STR("{}"), 0), QEFF_ERR_FORMAT, "found the end");
    assert_refused(save_as(1, QEFF_STR("{}"), 0), QEFF_ERR_FORMAT, "expected a key");
    assert_refused(save_as(3, QEFF_STR("{}"), 0), QEFF_ERR_FORMAT,
                   "header of 3 bytes does not fit a file of 10 bytes");
    assert_refused(save_as(100000000, QEFF_STR("{}"), 0), QEFF_ERR_FORMAT, "does not fit");
    assert_refused(save_as(100000001, QEFF_STR("{}"), 0), QEFF_ERR_FORMAT,
                   "header of 100000001 bytes, expected at most 100000000");
    assert_refused(save_as((uint64_t)1 << 63, QEFF_STR("{}"), 0), QEFF_ERR_FORMAT, "at most");
    assert_refused(save_as(UINT64_MAX, QEFF_STR("{}"), 0), QEFF_ERR_FORMAT, "at most");
}

/* Sparse, so that a file of 100 MB takes no room: a header of NULs is refused at its first byte. */
TEST(safetensors, refuses_a_real_header_over_the_limit_by_its_size)
{
    (void)state_;
    const char *path = save_as(100000001, QEFF_STR("{"), 0);
    assert_int_equal(truncate(path, 8 + 100000001), 0);
    assert_refused(path, QEFF_ERR_FORMAT, "expected at most 100000000");
}

TEST(safetensors, refuses_deep_nesting)
{
    (void)state_;
    enum { DEPTH = 1000000 };
    char *text = malloc(DEPTH + 16);
    assert_non_null(text);
    memcpy(text, "{\"a\":{\"x\":", 10);
    memset(text + 10, '[', DEPTH);
    assert_refused(save((qeff_str){text, DEPTH + 10}, 0), QEFF_ERR_FORMAT, "nested deeper");
    free(text);
}

TEST(safetensors, refuses_a_hundred_thousand_dimensions)
{
    (void)state_;
    enum { RANK = 100000 };
    char *text = malloc(2 * RANK + 100);
    assert_non_null(text);
    size_t n = (size_t)snprintf(text, 100, "{\"a\":{\"dtype\":\"U8\",\"shape\":[");
    for (int i = 0; i < RANK; i++, n += 2)
        memcpy(text + n, "1,", 2);
    memcpy(text + n, "1]}}", 4);
    assert_refused(save((qeff_str){text, n + 4}, 0), QEFF_ERR_FORMAT, "more than 8 dimensions");
    free(text);
}

TEST(safetensors, limits_the_length_of_names)
{
    (void)state_;
    for (size_t n = 4095; n <= 4097; n++) {
        char text[4400], name[4100];
        memset(name, 'n', n);
        name[n] = '\0';
        const int size = snprintf(text, sizeof text, "{\"%s\":" T("U8", "[1]", 0, 1) "}", name);
        const char *path = save((qeff_str){text, (size_t)size}, 1);
        if (n <= 4096)
            qeff_safetensors_close(open_file(path));
        else
            assert_refused(path, QEFF_ERR_FORMAT, "name of 4097 bytes, expected at most 4096");
    }
}

/* A header of `n` tensors of one byte; the last one is `last`, where given. */
static const char *save_many(size_t n, const char *last, size_t n_data)
{
    char *text = malloc(n * 64 + 256);
    assert_non_null(text);
    size_t size = 1;
    text[0] = '{';
    for (size_t i = 0; i < n; i++)
        size += (size_t)snprintf(
            text + size, 64, "\"%zx\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},", i);
    size += (size_t)snprintf(text + size, 128, "%s}", last);
    const char *path = save((qeff_str){text, size}, n_data);
    free(text);
    return path;
}

TEST(safetensors, limits_the_number_of_tensors)
{
    (void)state_;
    static const char last[] = "\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";
    qeff_safetensors *st = open_file(save_many(999999, last, 0));
    assert_int_equal(qeff_safetensors_count(st), 1000000);
    qeff_safetensors_close(st);
    assert_refused(save_many(1000000, last, 0), QEFF_ERR_FORMAT, "more than 1000000 tensors");
}

/* Nothing is made of a bad header beyond 64 bytes a tensor and 8 a dimension. */
TEST(safetensors, holds_its_memory_bound_for_bad_headers)
{
    (void)state_;
    static const char *const last[] = {
        "\"z\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}", /* a hole */
        "\"z\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}", /* data behind */
        "\"z\":{",
    };
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        bool was_injected = false;
        const char *path = save_many(99999, last[i], 2);
        test_allocator_arm(0);
        assert_refused(path, QEFF_ERR_FORMAT, "");
        assert_int_equal(test_allocator_disarm(&was_injected), 0);
        assert_true(test_allocator_peak() <
                    (size_t)64 * 131072 + 8 * 131072); /* capacities double */
    }
}

TEST(safetensors, refuses_a_file_cut_anywhere)
{
    (void)state_;
    uint8_t bytes[8 + sizeof TWO_TENSORS + 14] = {0};
    const size_t size = 8 + strlen(TWO_TENSORS) + 14;
    qeff_store_u64le(bytes, strlen(TWO_TENSORS));
    memcpy(bytes + 8, TWO_TENSORS, strlen(TWO_TENSORS));
    for (size_t n = 0; n < size; n++) /* each byte of the header, each border of a tensor */
        assert_refused(test_file(&folder, "m", bytes, n), QEFF_ERR_FORMAT, "/m': ");
    qeff_safetensors_close(open_file(test_file(&folder, "m", bytes, size)));
    assert_refused(test_file(&folder, "m", bytes, size + 1), QEFF_ERR_FORMAT,
                   "tensors end at byte 14 of 15");
}

TEST(safetensors, refuses_every_changed_byte_or_reads_within_the_file)
{
    (void)state_;
    uint8_t bytes[8 + sizeof TWO_TENSORS + 14] = {0};
    const size_t size = 8 + strlen(TWO_TENSORS) + 14;
    qeff_store_u64le(bytes, strlen(TWO_TENSORS));
    memcpy(bytes + 8, TWO_TENSORS, strlen(TWO_TENSORS));
    for (size_t i = 0; i < 8 + strlen(TWO_TENSORS); i++)
        for (int bit = 0; bit < 8; bit++) {
            qeff_safetensors *st = NULL;
            bytes[i] ^= (uint8_t)(1 << bit);
            const char *path = test_file(&folder, "m", bytes, size);
            bytes[i] ^= (uint8_t)(1 << bit);
            if (qeff_safetensors_open(path, &st, &err)) continue;
            for (size_t t = 0; t < qeff_safetensors_count(st); t++) {
                const qeff_tensor_view *view = qeff_safetensors_at(st, t);
                assert_true(view->data.data >= view->file->data);
                assert_true(view->file_offset + view->data.size <= view->file->size);
            }
            qeff_safetensors_close(st);
        }
}

TEST(safetensors, refuses_what_is_no_file)
{
    (void)state_;
    assert_int_equal(mkfifo(test_path(&folder, "fifo"), 0600), 0);
    assert_refused(test_path(&folder, "none"), QEFF_ERR_NOT_FOUND, "no such file");
    assert_refused(test_path(&folder, "fifo"), QEFF_ERR_FORMAT, "regular file");
    assert_refused(folder.path, QEFF_ERR_FORMAT, "regular file");
    assert_refused("/dev/null", QEFF_ERR_FORMAT, "regular file");
}

TEST(safetensors, survives_each_failing_allocation)
{
    (void)state_;
    qeff_safetensors *st = NULL;
    const char *path = save(QEFF_STR(TWO_TENSORS), 14);
    TEST_EACH_ALLOCATION(qeff_safetensors_open(path, &st, &err), qeff_safetensors_close(st));
}

#define RUN_IN_FOLDER(subject, statement)                                                          \
    cmocka_unit_test_setup_teardown(subject##__##statement, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
#define X(name, header, n_data, status, text) RUN_IN_FOLDER(safetensors, refuses_##name),
        REFUSED(X)
#undef X
#define X(name, header, n_data, count) RUN_IN_FOLDER(safetensors, accepts_##name),
            ACCEPTED(X)
#undef X
                RUN_IN_FOLDER(safetensors, gives_views_in_the_order_of_the_names),
        RUN_IN_FOLDER(safetensors, exposes_metadata),
        RUN_IN_FOLDER(safetensors, refuses_files_under_8_bytes),
        RUN_IN_FOLDER(safetensors, refuses_header_sizes_beyond_the_file_or_the_limit),
        RUN_IN_FOLDER(safetensors, refuses_a_real_header_over_the_limit_by_its_size),
        RUN_IN_FOLDER(safetensors, refuses_deep_nesting),
        RUN_IN_FOLDER(safetensors, refuses_a_hundred_thousand_dimensions),
        RUN_IN_FOLDER(safetensors, limits_the_length_of_names),
        RUN_IN_FOLDER(safetensors, limits_the_number_of_tensors),
        RUN_IN_FOLDER(safetensors, holds_its_memory_bound_for_bad_headers),
        RUN_IN_FOLDER(safetensors, refuses_a_file_cut_anywhere),
        RUN_IN_FOLDER(safetensors, refuses_every_changed_byte_or_reads_within_the_file),
        RUN_IN_FOLDER(safetensors, refuses_what_is_no_file),
        RUN_IN_FOLDER(safetensors, survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
