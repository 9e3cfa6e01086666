/* dtype_test.c - element types: the table, sizes of shapes, conversions of halves bit by bit. */
#include "base/dtype.h"

#include "base/span.h"
#include "test.h"

#include <math.h>

static float from_bits(uint32_t bits)
{
    float value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t to_bits(float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The value of a half by its definition. */
static double value_of_f16(uint16_t bits)
{
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const double magnitude =
        exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return bits & 0x8000 ? -magnitude : magnitude;
}

/* The nearest half by bisection over all finite magnitudes; ties go to the even one. */
static uint16_t nearest_f16(double value)
{
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    const double magnitude = fabs(value);
    if (magnitude >= 65520) return sign | 0x7c00; /* half way from 65504 to 2^16 */
    uint16_t low = 0, high = 0x7bff;
    while (low < high) {
        const uint16_t middle = (uint16_t)((low + high + 1) / 2);
        if (value_of_f16(middle) <= magnitude)
            low = middle;
        else
            high = (uint16_t)(middle - 1);
    }
    if (low < 0x7bff) {
        const double below = magnitude - value_of_f16(low);
        const double above = value_of_f16((uint16_t)(low + 1)) - magnitude;
        if (above < below || (above == below && low % 2 == 1)) low++;
    }
    return sign | low;
}

TEST(dtype, widens_every_half_exactly)
{
    (void)state_;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        const float value = qeff_f16_to_f32((uint16_t)bits);
        if ((bits & 0x7c00) != 0x7c00)
            assert_true((double)value == value_of_f16((uint16_t)bits));
        else if (bits & 0x3ff)
            assert_true(isnan(value));
        else
            assert_true(isinf(value));
        assert_int_equal(signbit(value) != 0, bits >> 15);
    }
}

TEST(dtype, round_trips_every_half)
{
    (void)state_;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        const uint16_t back = qeff_f32_to_f16(qeff_f16_to_f32((uint16_t)bits));
        const bool is_nan = (bits & 0x7c00) == 0x7c00 && (bits & 0x3ff);
        assert_int_equal(back, is_nan ? bits | 0x200 : bits); /* NaNs become quiet, no more */
    }
}

/* Around every half: the half itself, the points half way to its neighbour, and just beside. */
TEST(dtype, rounds_to_nearest_even_around_every_half)
{
    (void)state_;
    for (uint32_t bits = 0; bits < 0x7c00; bits++) {
        const uint32_t here = to_bits(qeff_f16_to_f32((uint16_t)bits));
        const double next = bits == 0x7bff ? 65536 : value_of_f16((uint16_t)(bits + 1));
        const float middle = (float)((value_of_f16((uint16_t)bits) + next) / 2); /* exact */
        const uint32_t around[] = {here,
                                   here + 1,
                                   here ? here - 1 : 0,
                                   to_bits(middle),
                                   to_bits(middle) - 1,
                                   to_bits(middle) + 1};
        for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
            const float value = from_bits(around[i]);
            assert_int_equal(qeff_f32_to_f16(value), nearest_f16((double)value));
            assert_int_equal(qeff_f32_to_f16(-value), nearest_f16(-(double)value));
        }
    }
}

TEST(dtype, rounds_floats_of_all_exponents)
{
    (void)state_;
    uint64_t random = 88172645463325252u; /* xorshift64 */
    for (int i = 0; i < 2000000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        const uint32_t bits = (uint32_t)(random >> 16);
        const float value = from_bits(bits);
        if (isnan(value))
            assert_int_equal(qeff_f32_to_f16(value) & 0x7e00, 0x7e00);
        else
            assert_int_equal(qeff_f32_to_f16(value), nearest_f16((double)value));
    }
}

TEST(dtype, widens_bfloat16)
{
    (void)state_;
    for (uint32_t bits = 0; bits < 0x10000; bits++)
        assert_int_equal(to_bits(qeff_bf16_to_f32((uint16_t)bits)), bits << 16);
}

TEST(dtype, table_is_consistent)
{
    (void)state_;
    for (int i = 1; i < QEFF_DTYPE_COUNT; i++) {
        const qeff_dtype_info *info = qeff_dtype_get((qeff_dtype)i);
        assert_int_equal(qeff_dtype_from_safetensors(qeff_str_of(info->safetensors)), i);
        assert_int_equal(qeff_dtype_from_onnx(info->onnx), i);
        if (info->numpy) {
            assert_int_equal(qeff_dtype_from_numpy(qeff_str_of(info->numpy)), i);
            assert_int_equal(info->numpy[2] - '0', info->size);
        }
        assert_true(info->size == 1 || info->size == 2 || info->size == 4 || info->size == 8);
    }
    assert_int_equal(qeff_dtype_from_safetensors(QEFF_STR("f32")), QEFF_DTYPE_NONE);
    assert_int_equal(qeff_dtype_from_safetensors(QEFF_STR("")), QEFF_DTYPE_NONE);
    assert_int_equal(qeff_dtype_from_numpy(QEFF_STR(">f4")), QEFF_DTYPE_NONE);
    assert_int_equal(qeff_dtype_from_onnx(0), QEFF_DTYPE_NONE);
    assert_int_equal(qeff_dtype_size(QEFF_DTYPE_NONE), 0);
    assert_string_equal(qeff_dtype_name((qeff_dtype)99), "none");
}

TEST(dtype, sizes_shapes_without_overflow)
{
    (void)state_;
    const int64_t wraps[] = {4194305, 4194305, 211106198978564}; /* wraps to 4 in 64 bits */
    const int64_t negative[] = {2, -1};
    const int64_t empty[] = {INT64_MAX, 0};
    const int64_t hidden[] = {0, (int64_t)1 << 62, (int64_t)1 << 62};
    const int64_t half[] = {(int64_t)1 << 62};
    const int64_t plain[] = {2, 3, 5};
    uint64_t n = 7;
    assert_false(qeff_shape_elements(3, wraps, &n));
    assert_false(qeff_shape_elements(2, negative, &n));
    assert_false(qeff_shape_elements(3, hidden, &n));
    assert_true(qeff_shape_elements(2, empty, &n));
    assert_int_equal(n, 0);
    assert_true(qeff_shape_elements(0, NULL, &n));
    assert_int_equal(n, 1);
    assert_true(qeff_tensor_bytes(QEFF_DTYPE_F32, 3, plain, &n));
    assert_int_equal(n, 120);
    assert_false(qeff_tensor_bytes(QEFF_DTYPE_F64, 1, half, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(dtype, widens_every_half_exactly),
        RUN(dtype, round_trips_every_half),
        RUN(dtype, rounds_to_nearest_even_around_every_half),
        RUN(dtype, rounds_floats_of_all_exponents),
        RUN(dtype, widens_bfloat16),
        RUN(dtype, table_is_consistent),
        RUN(dtype, sizes_shapes_without_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
