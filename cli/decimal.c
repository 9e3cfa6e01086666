/* decimal.c - floats as decimal numbers of nine digits, exactly.
 *
 * A float is m / 2^s with a whole number m < 2^24. From 0.0001 up to 2^23, where printf writes no
 * exponent and 1 <= s <= 37, its nine digits are the whole number closest to m * 10^p / 2^s, for
 * 2 <= p <= 12, so that the product stays below 2^64. What lies in the middle of two whole numbers
 * goes to the even one, as in printf, which is left with all other numbers. */
#include "cli/decimal.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS = 9, LEAST = 100000000, MANTISSA_BITS = 23 };

/* The nine digits of a number that is not negative, and how many of them stand before the point
 * (-3 to 7); 0: it is left to printf. */
static uint32_t find_digits(uint32_t bits, int *n_before)
{
    const int shift = 150 - (int)(bits >> MANTISSA_BITS);
    if (shift < 1 || shift > 37) return 0;
    const uint64_t mantissa = (bits & 0x7fffff) | 0x800000;
    const uint64_t half = (uint64_t)1 << (shift - 1);
    uint64_t power = 100;
    for (*n_before = 7; *n_before >= -3; --*n_before, power *= 10) {
        const uint64_t product = mantissa * power, rest = product & (2 * half - 1);
        uint64_t digits = product >> shift;
        if (digits < LEAST) continue;
        digits += rest > half || (rest == half && digits % 2);
        return digits < (uint64_t)10 * LEAST ? (uint32_t)digits : 0;
    }
    return 0;
}

size_t cli_decimal(float value, char out[CLI_DECIMAL_BYTES])
{
    uint32_t bits = 0;
    int n_before = 0, n = DIGITS;
    char digits[DIGITS], *at = out;
    memcpy(&bits, &value, sizeof bits);
    uint32_t rest = find_digits(bits & 0x7fffffff, &n_before);
    if (!rest) return (size_t)snprintf(out, CLI_DECIMAL_BYTES, "%.9g", (double)value);
    for (int i = DIGITS; i-- > 0; rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    while (n > 1 && n > n_before && digits[n - 1] == '0')
        n--;
    if (bits >> 31) *at++ = '-';
    const int n_whole = n_before > 0 ? n_before : 0, n_zeros = n_before < 0 ? -n_before : 0;
    if (n_whole == 0) *at++ = '0';
    memcpy(at, digits, (size_t)n_whole);
    at += n_whole;
    if (n > n_whole) *at++ = '.';
    memcpy(at, "000", (size_t)n_zeros);
    at += n_zeros;
    memcpy(at, digits + n_whole, (size_t)(n - n_whole));
    return (size_t)(at - out) + (size_t)(n - n_whole);
}
