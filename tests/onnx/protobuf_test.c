/* protobuf_test.c - the wire format, well-formed and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "test.h"

#include "base/span.h"
#include "formats/protobuf.h"

#include <stdlib.h>

#define BYTES(...) ((const uint8_t[]){__VA_ARGS__})

static qeff_protobuf open_bytes(const uint8_t *data, size_t size)
{
    qeff_protobuf r;
    qeff_protobuf_init(&r, (qeff_bytes){data, size}, 0);
    return r;
}

#define OPEN(...) open_bytes(BYTES(__VA_ARGS__), sizeof BYTES(__VA_ARGS__))

/* Reads to the end without asking for anything. */
static qeff_status skip_all(qeff_protobuf r, qeff_error *err)
{
    while (qeff_protobuf_next(&r)) {
    }
    return qeff_protobuf_status(&r, err);
}

TEST(protobuf, writes_the_bytes_of_the_reference)
{
    (void)state_;
    qeff_buffer out = {0};
    qeff_protobuf_put_int(&out, 1, 150); /* the example of the encoding guide */
    qeff_protobuf_put_str(&out, 2, QEFF_STR("testing"));
    const size_t mark = qeff_protobuf_begin(&out, 3);
    qeff_protobuf_put_int(&out, 1, -1);
    qeff_protobuf_end(&out, mark);
    qeff_protobuf_put_float(&out, 4, 1.0f);
    const uint8_t expected[] = {0x08, 0x96, 0x01, 0x12, 7,    't',  'e',  's',  't',  'i',
                                'n',  'g',  0x1a, 11,   0x08, 0xff, 0xff, 0xff, 0xff, 0xff,
                                0xff, 0xff, 0xff, 0xff, 0x01, 0x25, 0,    0,    0x80, 0x3f};
    assert_int_equal(out.size, sizeof expected);
    assert_memory_equal(out.data, expected, sizeof expected);
    qeff_buffer_deinit(&out);
}

TEST(protobuf, moves_a_message_that_outgrows_one_length_byte)
{
    (void)state_;
    for (size_t size = 120; size < 140; size++) {
        qeff_buffer out = {0};
        uint8_t content[140];
        for (size_t i = 0; i < sizeof content; i++)
            content[i] = (uint8_t)i;
        const size_t outer = qeff_protobuf_begin(&out, 1);
        const size_t mark = qeff_protobuf_begin(&out, 16);
        qeff_protobuf_put_bytes(&out, 5, (qeff_bytes){content, size});
        qeff_protobuf_end(&out, mark);
        qeff_protobuf_end(&out, outer);
        qeff_protobuf r = open_bytes(out.data, out.size);
        assert_true(qeff_protobuf_next(&r));
        qeff_protobuf inner = qeff_protobuf_message(&r);
        assert_true(qeff_protobuf_next(&inner));
        assert_int_equal(inner.field, 16);
        qeff_protobuf last = qeff_protobuf_message(&inner);
        assert_true(qeff_protobuf_next(&last));
        const qeff_bytes found = qeff_protobuf_bytes(&last);
        assert_int_equal(found.size, size);
        assert_memory_equal(found.data, content, size);
        assert_int_equal(qeff_protobuf_offset(&last), (size_t)(found.data - out.data));
        assert_false(qeff_protobuf_next(&r));
        qeff_buffer_deinit(&out);
    }
}

TEST(protobuf, reads_back_every_length_of_varint)
{
    (void)state_;
    for (int bits = 0; bits < 64; bits++) {
        const int64_t value = (int64_t)(1ull << bits);
        const int64_t negated = (int64_t)(0 - (1ull << bits));
        qeff_buffer out = {0};
        qeff_protobuf_put_int(&out, QEFF_PROTOBUF_FIELD_MAX, value);
        qeff_protobuf_put_int(&out, 1, negated);
        qeff_protobuf r = open_bytes(out.data, out.size);
        assert_true(qeff_protobuf_next(&r));
        assert_int_equal(r.field, QEFF_PROTOBUF_FIELD_MAX);
        assert_true(qeff_protobuf_int(&r) == value);
        assert_true(qeff_protobuf_next(&r));
        assert_true(qeff_protobuf_int(&r) == negated);
        qeff_buffer_deinit(&out);
    }
}

TEST(protobuf, refuses_a_varint_of_11_bytes)
{
    (void)state_;
    qeff_error err = {0};
    ASSERT_FAILS(
        skip_all(OPEN(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1), &err),
        QEFF_ERR_FORMAT, "offset 1: varint of more than 10 bytes");
}

TEST(protobuf, refuses_a_varint_over_64_bits)
{
    (void)state_;
    qeff_error err = {0};
    ASSERT_FAILS(
        skip_all(OPEN(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2), &err),
        QEFF_ERR_FORMAT, "exceeds 64 bits");
}

TEST(protobuf, refuses_a_length_over_the_rest)
{
    (void)state_;
    qeff_error err = {0};
    ASSERT_FAILS(skip_all(OPEN(0x0a, 3, 'a', 'b'), &err), QEFF_ERR_FORMAT,
                 "offset 2: field is longer than the rest of its message");
}

TEST(protobuf, refuses_a_length_of_2_to_the_63)
{
    (void)state_;
    qeff_error err = {0};
    ASSERT_FAILS(
        skip_all(OPEN(0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1), &err),
        QEFF_ERR_FORMAT, "longer than the rest");
}

TEST(protobuf, refuses_fixed_numbers_that_are_cut)
{
    (void)state_;
    qeff_error err = {0};
    ASSERT_FAILS(skip_all(OPEN(0x0d, 1, 2, 3), &err), QEFF_ERR_FORMAT, "longer than the rest");
    ASSERT_FAILS(skip_all(OPEN(0x09, 1, 2, 3, 4, 5, 6, 7), &err), QEFF_ERR_FORMAT,
                 "longer than the rest");
}

TEST(protobuf, refuses_groups)
{
    (void)state_;
    qeff_error err = {0};
    ASSERT_FAILS(skip_all(OPEN(0x0b, 0x0c), &err), QEFF_ERR_FORMAT, "groups are not supported");
    ASSERT_FAILS(skip_all(OPEN(0x0c), &err), QEFF_ERR_FORMAT, "groups are not supported");
}

TEST(protobuf, refuses_a_million_nested_groups_at_the_first)
{
    (void)state_;
    qeff_error err = {0};
    uint8_t *nested = malloc(1000000);
    assert_non_null(nested);
    memset(nested, 0x0b, 1000000);
    ASSERT_FAILS(skip_all(open_bytes(nested, 1000000), &err), QEFF_ERR_FORMAT, "offset 0: groups");
    free(nested);
}

TEST(protobuf, refuses_wire_types_6_and_7)
{
    (void)state_;
    qeff_error err = {0};
    ASSERT_FAILS(skip_all(OPEN(0x0e), &err), QEFF_ERR_FORMAT, "offset 0: unknown wire type");
    ASSERT_FAILS(skip_all(OPEN(0x08, 1, 0x0f), &err), QEFF_ERR_FORMAT,
                 "offset 2: unknown wire type");
}

TEST(protobuf, refuses_field_0_and_2_to_the_29)
{
    (void)state_;
    qeff_error err = {0};
    ASSERT_FAILS(skip_all(OPEN(0x00, 1), &err), QEFF_ERR_FORMAT, "field number outside");
    ASSERT_FAILS(skip_all(OPEN(0x80, 0x80, 0x80, 0x80, 0x10, 1), &err), QEFF_ERR_FORMAT,
                 "field number outside");
}

TEST(protobuf, refuses_every_truncation_inside_a_field)
{
    (void)state_;
    qeff_error err = {0};
    const uint8_t message[] = {0x08, 0x96, 0x01, 0x12, 3, 'a', 'b', 'c', 0x1d, 1, 2, 3, 4};
    for (size_t size = 0; size <= sizeof message; size++) {
        const bool is_border = size == 0 || size == 3 || size == 8 || size == sizeof message;
        assert_int_equal(skip_all(open_bytes(message, size), &err),
                         is_border ? QEFF_OK : QEFF_ERR_FORMAT);
    }
}

TEST(protobuf, skips_fields_that_nobody_asks_for)
{
    (void)state_;
    qeff_error err = {0};
    qeff_protobuf r = OPEN(0x9a, 0x3f, 3, 1, 2, 3, 0x08, 7, 0x9d, 0x3f, 1, 2, 3, 4);
    int64_t found = 0;
    while (qeff_protobuf_next(&r))
        if (r.field == 1) found = qeff_protobuf_int(&r);
    ASSERT_OK(qeff_protobuf_status(&r, &err));
    assert_int_equal(found, 7);
}

TEST(protobuf, takes_the_later_of_a_scalar_given_twice)
{
    (void)state_;
    qeff_error err = {0};
    qeff_protobuf r = OPEN(0x08, 1, 0x08, 2);
    int64_t found = 0;
    while (qeff_protobuf_next(&r))
        found = qeff_protobuf_int(&r);
    ASSERT_OK(qeff_protobuf_status(&r, &err));
    assert_int_equal(found, 2);
}

TEST(protobuf, reads_packed_and_single_integers_mixed)
{
    (void)state_;
    qeff_error err = {0};
    qeff_protobuf r = OPEN(0x08, 1, 0x0a, 3, 2, 0x83, 0x01, 0x0a, 0, 0x08, 4);
    int64_t found[4] = {0};
    size_t n = 0, counted = 0;
    while (qeff_protobuf_next(&r)) {
        uint64_t value = 0;
        counted += qeff_protobuf_count_varints(&r);
        for (size_t at = 0; qeff_protobuf_next_varint(&r, &at, &value); n++)
            if (n < 4) found[n] = (int64_t)value;
    }
    ASSERT_OK(qeff_protobuf_status(&r, &err));
    assert_int_equal(n, 4);
    assert_int_equal(counted, 4);
    assert_int_equal(found[0], 1);
    assert_int_equal(found[1], 2);
    assert_int_equal(found[2], 131);
    assert_int_equal(found[3], 4);
}

TEST(protobuf, refuses_packed_integers_that_are_cut)
{
    (void)state_;
    qeff_error err = {0};
    qeff_protobuf r = OPEN(0x0a, 2, 1, 0x80, 0x08, 1);
    size_t at = 0, n = 0;
    uint64_t value = 0;
    assert_true(qeff_protobuf_next(&r));
    qeff_protobuf counting = r;
    (void)qeff_protobuf_count_varints(&counting);
    ASSERT_FAILS(qeff_protobuf_status(&counting, &err), QEFF_ERR_FORMAT, "inside a varint");
    while (qeff_protobuf_next_varint(&r, &at, &value))
        n++;
    assert_int_equal(n, 1);
    ASSERT_FAILS(qeff_protobuf_status(&r, &err), QEFF_ERR_FORMAT, "inside a varint");
    assert_false(qeff_protobuf_next(&r));
}

TEST(protobuf, reads_packed_and_single_floats_in_place)
{
    (void)state_;
    qeff_error err = {0};
    qeff_protobuf r = OPEN(0x0d, 0, 0, 0x80, 0x3f, 0x0a, 8, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40);
    assert_true(qeff_protobuf_next(&r));
    assert_int_equal(qeff_protobuf_fixed(&r, 4).size, 4);
    assert_true(qeff_protobuf_next(&r));
    const qeff_bytes part = qeff_protobuf_fixed(&r, 4);
    assert_int_equal(part.size, 8);
    assert_ptr_equal(part.data, r.data.data + 7);
    ASSERT_OK(qeff_protobuf_status(&r, &err));
}

TEST(protobuf, refuses_packed_floats_that_do_not_fill_their_field)
{
    (void)state_;
    qeff_error err = {0};
    qeff_protobuf r = OPEN(0x0a, 5, 0, 0, 0x80, 0x3f, 0);
    assert_true(qeff_protobuf_next(&r));
    assert_int_equal(qeff_protobuf_fixed(&r, 4).size, 0);
    ASSERT_FAILS(qeff_protobuf_status(&r, &err), QEFF_ERR_FORMAT, "do not fill their field");
}

TEST(protobuf, refuses_a_field_of_another_wire_type)
{
    (void)state_;
    qeff_error err = {0};
    qeff_protobuf r = OPEN(0x0a, 1, 'x');
    assert_true(qeff_protobuf_next(&r));
    assert_int_equal(qeff_protobuf_int(&r), 0);
    ASSERT_FAILS(qeff_protobuf_status(&r, &err), QEFF_ERR_FORMAT,
                 "offset 2: expected an integer field");
    r = OPEN(0x08, 1);
    assert_true(qeff_protobuf_next(&r));
    qeff_protobuf message = qeff_protobuf_message(&r);
    assert_false(qeff_protobuf_next(&message));
    ASSERT_FAILS(qeff_protobuf_status(&message, &err), QEFF_ERR_FORMAT,
                 "expected a field of bytes");
    ASSERT_FAILS(qeff_protobuf_status(&r, &err), QEFF_ERR_FORMAT, "expected a field of bytes");
}

TEST(protobuf, names_offsets_in_the_file_from_inside_messages)
{
    (void)state_;
    qeff_error err = {0};
    qeff_protobuf r = OPEN(0x08, 1, 0x12, 3, 0x0a, 9, 'x');
    assert_true(qeff_protobuf_next(&r));
    assert_true(qeff_protobuf_next(&r));
    ASSERT_FAILS(skip_all(qeff_protobuf_message(&r), &err), QEFF_ERR_FORMAT, "offset 6:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(protobuf, writes_the_bytes_of_the_reference),
        RUN(protobuf, moves_a_message_that_outgrows_one_length_byte),
        RUN(protobuf, reads_back_every_length_of_varint),
        RUN(protobuf, refuses_a_varint_of_11_bytes),
        RUN(protobuf, refuses_a_varint_over_64_bits),
        RUN(protobuf, refuses_a_length_over_the_rest),
        RUN(protobuf, refuses_a_length_of_2_to_the_63),
        RUN(protobuf, refuses_fixed_numbers_that_are_cut),
        RUN(protobuf, refuses_groups),
        RUN(protobuf, refuses_a_million_nested_groups_at_the_first),
        RUN(protobuf, refuses_wire_types_6_and_7),
        RUN(protobuf, refuses_field_0_and_2_to_the_29),
        RUN(protobuf, refuses_every_truncation_inside_a_field),
        RUN(protobuf, skips_fields_that_nobody_asks_for),
        RUN(protobuf, takes_the_later_of_a_scalar_given_twice),
        RUN(protobuf, reads_packed_and_single_integers_mixed),
        RUN(protobuf, refuses_packed_integers_that_are_cut),
        RUN(protobuf, reads_packed_and_single_floats_in_place),
        RUN(protobuf, refuses_packed_floats_that_do_not_fill_their_field),
        RUN(protobuf, refuses_a_field_of_another_wire_type),
        RUN(protobuf, names_offsets_in_the_file_from_inside_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
