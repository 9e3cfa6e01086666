/* span.h - borrowed bytes and text: comparing, slicing, little-endian numbers. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <qeff/base.h>
#include <string.h>

#define QEFF_STR(literal) ((qeff_str){"" literal, sizeof(literal) - 1})

/** printf arguments for "%.*s". */
#define QEFF_STR_ARGS(text)                                                                        \
    (int)((text).size < 200 ? (text).size : 200), (text).data ? (text).data : ""

static inline qeff_str qeff_str_of(const char *text)
{
    return (qeff_str){text, text ? strlen(text) : 0};
}

static inline bool qeff_str_equal(qeff_str a, qeff_str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/** Order by bytes, as memcmp: below, equal to or above 0. */
static inline int qeff_str_compare(qeff_str a, qeff_str b)
{
    const size_t n = a.size < b.size ? a.size : b.size;
    const int order = n ? memcmp(a.data, b.data, n) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static inline bool qeff_str_is(qeff_str a, const char *b)
{
    return qeff_str_equal(a, qeff_str_of(b));
}

static inline bool qeff_str_starts_with(qeff_str a, const char *prefix)
{
    const size_t n = strlen(prefix);
    return a.size >= n && memcmp(a.data, prefix, n) == 0;
}

static inline bool qeff_str_ends_with(qeff_str a, const char *suffix)
{
    const size_t n = strlen(suffix);
    return a.size >= n && memcmp(a.data + a.size - n, suffix, n) == 0;
}

/** What follows the last `separator`; all of it where there is none. */
static inline qeff_str qeff_str_after_last(qeff_str a, char separator)
{
    for (size_t i = a.size; i > 0; i--)
        if (a.data[i - 1] == separator) return (qeff_str){a.data + i, a.size - i};
    return a;
}

static inline uint16_t qeff_load_u16le(const void *data)
{
    const uint8_t *b = data;
    return (uint16_t)(b[0] | (unsigned)b[1] << 8);
}

static inline uint32_t qeff_load_u32le(const void *data)
{
    const uint8_t *b = data;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t qeff_load_u64le(const void *data)
{
    const uint8_t *b = data;
    return (uint64_t)qeff_load_u32le(b) | (uint64_t)qeff_load_u32le(b + 4) << 32;
}

static inline void qeff_store_u16le(void *data, uint16_t v)
{
    uint8_t *b = data;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}

static inline void qeff_store_u32le(void *data, uint32_t v)
{
    uint8_t *b = data;
    for (int i = 0; i < 4; i++)
        b[i] = (uint8_t)(v >> (8 * i));
}

static inline void qeff_store_u64le(void *data, uint64_t v)
{
    uint8_t *b = data;
    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)(v >> (8 * i));
}

#endif /* BASE_SPAN_H */
