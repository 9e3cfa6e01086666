/* checked.h - size arithmetic that reports overflow instead of wrapping. Parsers use nothing else
 * on numbers that come from a file. */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** `*out = a + b`; false on overflow, `*out` is then unspecified. */
static inline bool qeff_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/** `*out = a * b`; false on overflow. */
static inline bool qeff_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool qeff_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool qeff_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool qeff_add_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool qeff_mul_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/** `*out = value` rounded up to a multiple of `unit`, a power of two; false on overflow. */
static inline bool qeff_align_size(size_t value, size_t unit, size_t *out)
{
    if (!qeff_add_size(value, unit - 1, out)) return false;
    *out &= ~(unit - 1);
    return true;
}

#endif /* BASE_CHECKED_H */
