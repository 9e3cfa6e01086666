/* decimal_test.c - floats are written as printf writes them. */
#include "test.h"

#include "cli/decimal.h"

static void assert_as_printf(uint32_t bits)
{
    char wanted[64], found[CLI_DECIMAL_BYTES + 1];
    float value = 0;
    memcpy(&value, &bits, sizeof value);
    (void)snprintf(wanted, sizeof wanted, "%.9g", (double)value);
    const size_t n = cli_decimal(value, found);
    assert_in_range(n, 1, CLI_DECIMAL_BYTES);
    found[n] = '\0';
    if (strcmp(wanted, found) != 0) print_error("%08x: ", (unsigned)bits);
    assert_string_equal(found, wanted);
}

static uint32_t bits_of(float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

TEST(decimal, is_what_printf_writes)
{
    const uint32_t step = 4093; /* a prime number: a million of all floats, of both signs */
    for (uint32_t bits = 0; bits <= UINT32_MAX - step; bits += step)
        assert_as_printf(bits);
}

/* Where the number of digits before the point changes, and where printf takes over. */
TEST(decimal, is_right_around_powers_of_ten)
{
    static const float edges[] = {0.0F,   1e-5F, 6.1035156e-5F, 1e-4F, 1e-3F, 1e-2F,    1e-1F, 1.0F,
                                  1e1F,   1e2F,  1e3F,          1e4F,  1e5F,  1e6F,     1e7F,  1e8F,
                                  999999, 0.5F,  9999999,       4.5F,  1024,  8388608.F};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        for (uint32_t k = 0; k < 2000; k++) {
            assert_as_printf(bits_of(edges[i]) + k - 1000);
            assert_as_printf(bits_of(-edges[i]) + k - 1000);
        }
}

/* Halves, quarters, … of whole numbers: products with nothing or half a digit behind. */
TEST(decimal, rounds_ties_to_even)
{
    for (int i = 1; i < 100000; i += 7)
        for (float value = (float)i; value > 1e-4F; value /= 2)
            assert_as_printf(bits_of(value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(decimal, is_what_printf_writes),
        RUN(decimal, is_right_around_powers_of_ten),
        RUN(decimal, rounds_ties_to_even),
    };
    return cmocka_run_group_tests_name("cli_decimal", tests, NULL, NULL);
}
