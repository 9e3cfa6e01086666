/* json_scan.c - checks and splits a JSON text, byte by byte, with a stack of one bit a level.
 *
 *   value  = object | array | string | number | true | false | null
 *   object = { } | { string : value , … }      array = [ ] | [ value , … ]
 *
 * Stricter than most: no byte order mark, no comment, no NaN, no lone surrogate (RFC 8259 leaves
 * them undefined, and UTF-8 cannot hold them). */
#include "formats/json_scan.h"

#include "base/error.h"
#include "base/span.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

enum { DEFAULT_BYTES = 64 << 20, DEFAULT_DEPTH = 128, DEFAULT_VALUES = 500000 };

/* What may come next. */
enum {
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END, /* after [ */
    EXPECT_KEY,          /* after a comma in an object */
    EXPECT_KEY_OR_END,   /* after { */
    EXPECT_COMMA_OR_END,
    EXPECT_NOTHING
};

static qeff_json_token
fail_at(qeff_json_scan *s, size_t offset, const char *format, ...) QEFF_PRINTF(3, 4);

static qeff_status write_fault(qeff_json_scan *s, size_t offset, const char *text)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < offset; i++) {
        const unsigned char c = (unsigned char)s->text.data[i];
        if (c == '\n') {
            line++;
            column = 1;
        } else if ((c & 0xc0) != 0x80) {
            column++; /* characters, not bytes */
        }
    }
    s->status = qeff_fail(s->err, QEFF_ERR_FORMAT, "line %zu, column %zu: %s", line, column, text);
    return s->status;
}

static qeff_json_token fail_at(qeff_json_scan *s, size_t offset, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)write_fault(s, offset, text);
    return QEFF_JSON_TOKEN_END;
}

qeff_status qeff_json_scan_fail(qeff_json_scan *s, const char *format, ...)
{
    char text[512];
    va_list args;
    if (s->status) return s->status;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return write_fault(s, s->start, text);
}

/* Fails with what stands at the current byte. */
static qeff_json_token fail_expected(qeff_json_scan *s, const char *expected)
{
    if (s->at >= s->text.size)
        return fail_at(s, s->at, "expected %s, found the end of the text", expected);
    const unsigned char c = (unsigned char)s->text.data[s->at];
    if (c < 0x20 || c >= 0x7f)
        return fail_at(s, s->at, "expected %s, found byte 0x%02x", expected, (unsigned)c);
    size_t n = 1; /* a bare word, such as NaN, is shown whole */
    while (n < 16 && s->at + n < s->text.size) {
        const char w = s->text.data[s->at + n];
        if (!((w >= 'a' && w <= 'z') || (w >= 'A' && w <= 'Z'))) break;
        n++;
    }
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) n = 1;
    return fail_at(s, s->at, "expected %s, found '%.*s'", expected, (int)n, s->text.data + s->at);
}

void qeff_json_scan_init(qeff_json_scan *s, qeff_str text, const qeff_json_limits *limits,
                         qeff_error *err)
{
    *s = (qeff_json_scan){.text = text, .err = err, .expects = EXPECT_VALUE};
    if (limits) s->limits = *limits;
    if (!s->limits.max_bytes) s->limits.max_bytes = DEFAULT_BYTES;
    if (!s->limits.max_depth) s->limits.max_depth = DEFAULT_DEPTH;
    if (s->limits.max_depth > QEFF_JSON_DEPTH_LIMIT) s->limits.max_depth = QEFF_JSON_DEPTH_LIMIT;
    if (!s->limits.max_values) s->limits.max_values = DEFAULT_VALUES;
    if (text.size > s->limits.max_bytes)
        s->status = qeff_fail(err, QEFF_ERR_FORMAT, "JSON of %zu bytes, expected at most %zu",
                              text.size, s->limits.max_bytes);
    else if (text.size >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
        (void)write_fault(s, 0, "expected a value, found a byte order mark");
}

static void skip_space(qeff_json_scan *s)
{
    while (s->at < s->text.size) {
        const char c = s->text.data[s->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
        s->at++;
    }
}

/* Four hexadecimal digits at `at`; -1 where there are none. */
static int32_t read_hex4(qeff_str text, size_t at)
{
    int32_t value = 0;
    if (text.size < 4 || at > text.size - 4) return -1;
    for (size_t i = at; i < at + 4; i++) {
        const char c = text.data[i];
        int digit = 0;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if (c >= 'a' && c <= 'f')
            digit = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F')
            digit = c - 'A' + 10;
        else
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* One escape at `at`, a backslash: the character, and the bytes it takes; 0: not valid. */
static size_t read_escape(qeff_str text, size_t at, uint32_t *c)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (text.size - at < 2) return 0;
    const char kind = text.data[at + 1];
    if (kind != 'u') {
        const char *name = kind ? strchr(names, kind) : NULL;
        if (!name) return 0;
        *c = (uint32_t)values[name - names];
        return 2;
    }
    const int32_t high = read_hex4(text, at + 2);
    if (high < 0 || (high >= 0xdc00 && high <= 0xdfff)) return 0;
    *c = (uint32_t)high;
    if (high < 0xd800 || high > 0xdbff) return 6;
    if (text.size - at < 12 || text.data[at + 6] != '\\' || text.data[at + 7] != 'u') return 0;
    const int32_t low = read_hex4(text, at + 8);
    if (low < 0xdc00 || low > 0xdfff) return 0;
    *c = 0x10000u + (((uint32_t)high - 0xd800u) << 10) + ((uint32_t)low - 0xdc00u);
    return 12;
}

static bool fail_escape(qeff_json_scan *s, size_t at)
{
    const bool is_unicode = at + 1 < s->text.size && s->text.data[at + 1] == 'u';
    (void)fail_at(s, at, "%s",
                  is_unicode && read_hex4(s->text, at + 2) >= 0
                      ? "escape of a lone surrogate, which no text can hold"
                      : "invalid escape in a string");
    return false;
}

/* The string whose opening quote is at `s->at`. */
static bool read_string(qeff_json_scan *s)
{
    const qeff_str text = s->text;
    size_t at = s->at + 1;
    const size_t first = at;
    s->has_escapes = false;
    for (;;) {
        while (at < text.size && (unsigned char)text.data[at] >= 0x20 &&
               (unsigned char)text.data[at] < 0x80 && text.data[at] != '"' && text.data[at] != '\\')
            at++;
        if (at >= text.size) {
            (void)fail_at(s, s->start, "string without its closing quote");
            return false;
        }
        const unsigned char c = (unsigned char)text.data[at];
        uint32_t decoded = 0;
        if (c == '"') break;
        if (c < 0x20) {
            (void)fail_at(s, at, "control character 0x%02x in a string", (unsigned)c);
            return false;
        }
        if (c == '\\') {
            const size_t n = read_escape(text, at, &decoded);
            if (!n) return fail_escape(s, at);
            s->has_escapes = true;
            at += n;
            continue;
        }
        const size_t n = qeff_utf8_decode(text.data + at, text.size - at, &decoded);
        if (decoded == QEFF_UTF8_REPLACEMENT &&
            (n != 3 || memcmp(text.data + at, "\xef\xbf\xbd", 3) != 0)) {
            (void)fail_at(s, at, "byte 0x%02x is not valid UTF-8", (unsigned)c);
            return false;
        }
        at += n;
    }
    s->content = (qeff_str){text.data + first, at - first};
    s->at = at + 1;
    if (s->content.size > QEFF_JSON_STR_BYTES_MAX) {
        (void)fail_at(s, s->start, "string of %zu bytes, expected at most %d", s->content.size,
                      QEFF_JSON_STR_BYTES_MAX);
        return false;
    }
    return true;
}

static size_t count_digits(qeff_str text, size_t at)
{
    size_t n = 0;
    while (at + n < text.size && text.data[at + n] >= '0' && text.data[at + n] <= '9')
        n++;
    return n;
}

/* Whether a number of valid syntax lies far beyond a double: its first digit that is not 0 stands
 * for 10^309 or more. (Between 1.8e308 and that, jansson decides.) */
static bool is_out_of_range(qeff_str number)
{
    bool has_digit = false, is_fraction = false;
    int64_t power = -1; /* of ten, of the first digit that counts */
    size_t i = number.data[0] == '-';
    for (; i < number.size && number.data[i] != 'e' && number.data[i] != 'E'; i++) {
        if (number.data[i] == '.')
            is_fraction = true;
        else if (!is_fraction)
            power += has_digit || number.data[i] != '0';
        else if (!has_digit)
            power -= number.data[i] == '0';
        has_digit = has_digit || (number.data[i] >= '1' && number.data[i] <= '9');
    }
    if (!has_digit || i == number.size) return false;
    const bool is_negative = number.data[++i] == '-';
    int64_t exponent = 0;
    for (i += is_negative || number.data[i] == '+'; i < number.size; i++)
        if (exponent < 1000000) exponent = exponent * 10 + (number.data[i] - '0');
    return power + (is_negative ? -exponent : exponent) > 308;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static qeff_json_token read_number(qeff_json_scan *s)
{
    const qeff_str text = s->text;
    size_t at = s->at + (text.data[s->at] == '-');
    size_t n = count_digits(text, at);
    s->is_integer = true;
    if (n == 0) return fail_at(s, s->at, "'-' without digits");
    if (n > 1 && text.data[at] == '0') return fail_at(s, s->at, "number with a leading zero");
    at += n;
    if (at < text.size && text.data[at] == '.') {
        n = count_digits(text, at + 1);
        if (n == 0) return fail_at(s, s->at, "number without digits after its point");
        at += 1 + n;
        s->is_integer = false;
    }
    if (at < text.size && (text.data[at] == 'e' || text.data[at] == 'E')) {
        at++;
        if (at < text.size && (text.data[at] == '+' || text.data[at] == '-')) at++;
        n = count_digits(text, at);
        if (n == 0) return fail_at(s, s->at, "number without digits in its exponent");
        at += n;
        s->is_integer = false;
    }
    s->content = (qeff_str){text.data + s->at, at - s->at};
    if (s->content.size > QEFF_JSON_NUMBER_BYTES_MAX)
        return fail_at(s, s->at, "number of %zu characters, expected at most %d", s->content.size,
                       QEFF_JSON_NUMBER_BYTES_MAX);
    if (!s->is_integer && is_out_of_range(s->content))
        return fail_at(s, s->at, "number %.*s is beyond the range of a double",
                       QEFF_STR_ARGS(s->content));
    s->at = at;
    return QEFF_JSON_TOKEN_NUMBER;
}

static bool is_word(const qeff_json_scan *s, const char *word)
{
    const size_t n = strlen(word);
    return s->text.size - s->at >= n && memcmp(s->text.data + s->at, word, n) == 0;
}

static bool count_values(qeff_json_scan *s, size_t n)
{
    s->n_values += n;
    if (s->n_values <= s->limits.max_values) return true;
    (void)fail_at(s, s->at, "more than %zu values", s->limits.max_values);
    return false;
}

static bool in_object(const qeff_json_scan *s)
{
    const size_t level = s->depth - 1;
    return (s->is_object[level / 64] >> (level % 64)) & 1u;
}

static qeff_json_token open_level(qeff_json_scan *s, bool is_object)
{
    if (s->depth >= s->limits.max_depth)
        return fail_at(s, s->at, "nested deeper than %zu levels", s->limits.max_depth);
    if (!count_values(s, 2)) return QEFF_JSON_TOKEN_END;
    const uint64_t bit = (uint64_t)1 << (s->depth % 64);
    if (is_object)
        s->is_object[s->depth / 64] |= bit;
    else
        s->is_object[s->depth / 64] &= ~bit;
    s->depth++;
    s->at++;
    s->expects = is_object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return is_object ? QEFF_JSON_TOKEN_OBJECT : QEFF_JSON_TOKEN_ARRAY;
}

static void end_value(qeff_json_scan *s)
{
    s->expects = s->depth ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
}

static qeff_json_token close_level(qeff_json_scan *s)
{
    const bool was_object = in_object(s);
    s->depth--;
    s->at++;
    end_value(s);
    return was_object ? QEFF_JSON_TOKEN_OBJECT_END : QEFF_JSON_TOKEN_ARRAY_END;
}

static qeff_json_token read_value(qeff_json_scan *s)
{
    static const struct {
        const char *word;
        qeff_json_token token;
    } words[] = {{"true", QEFF_JSON_TOKEN_TRUE},
                 {"false", QEFF_JSON_TOKEN_FALSE},
                 {"null", QEFF_JSON_TOKEN_NULL}};
    const char c = s->text.data[s->at];
    if (c == '{' || c == '[') return open_level(s, c == '{');
    if (!count_values(s, 1)) return QEFF_JSON_TOKEN_END;
    qeff_json_token token = QEFF_JSON_TOKEN_END;
    if (c == '"')
        token = read_string(s) ? QEFF_JSON_TOKEN_STR : QEFF_JSON_TOKEN_END;
    else if (c == '-' || (c >= '0' && c <= '9'))
        token = read_number(s);
    else {
        for (size_t i = 0; i < sizeof words / sizeof *words && !token; i++)
            if (is_word(s, words[i].word)) {
                token = words[i].token;
                s->at += strlen(words[i].word);
            }
        if (token == QEFF_JSON_TOKEN_END) return fail_expected(s, "a value");
    }
    if (!s->status) end_value(s);
    return token;
}

static qeff_json_token read_key(qeff_json_scan *s)
{
    if (!count_values(s, 1) || !read_string(s)) return QEFF_JSON_TOKEN_END;
    skip_space(s);
    if (s->at >= s->text.size || s->text.data[s->at] != ':') return fail_expected(s, "':'");
    s->at++;
    s->expects = EXPECT_VALUE;
    return QEFF_JSON_TOKEN_KEY;
}

/* For messages. */
static const char *text_of_expected(const qeff_json_scan *s)
{
    switch (s->expects) {
    case EXPECT_VALUE_OR_END:
        return "a value or ']'";
    case EXPECT_KEY:
        return "a key in double quotes";
    case EXPECT_KEY_OR_END:
        return "a key in double quotes or '}'";
    case EXPECT_COMMA_OR_END:
        return in_object(s) ? "',' or '}'" : "',' or ']'";
    case EXPECT_NOTHING:
        return "the end of the text";
    default:
        return "a value";
    }
}

/* Reads the token that begins with `c`, which is neither space nor a comma between two values. */
static qeff_json_token read_token(qeff_json_scan *s, char c)
{
    switch (s->expects) {
    case EXPECT_COMMA_OR_END:
        if (c == (in_object(s) ? '}' : ']')) return close_level(s);
        break;
    case EXPECT_KEY_OR_END:
        if (c == '}') return close_level(s);
        if (c == '"') return read_key(s);
        break;
    case EXPECT_KEY:
        if (c == '"') return read_key(s);
        break;
    case EXPECT_VALUE_OR_END:
        return c == ']' ? close_level(s) : read_value(s);
    case EXPECT_VALUE:
        return read_value(s);
    default:
        break;
    }
    return fail_expected(s, text_of_expected(s));
}

qeff_json_token qeff_json_scan_next(qeff_json_scan *s)
{
    if (s->status) return QEFF_JSON_TOKEN_END;
    skip_space(s);
    if (s->expects == EXPECT_COMMA_OR_END && s->at < s->text.size && s->text.data[s->at] == ',') {
        s->at++;
        s->expects = in_object(s) ? EXPECT_KEY : EXPECT_VALUE;
        skip_space(s);
    }
    if (s->at < s->text.size) {
        s->start = s->at;
        return read_token(s, s->text.data[s->at]);
    }
    if (s->expects == EXPECT_NOTHING) return QEFF_JSON_TOKEN_END;
    return fail_expected(s, text_of_expected(s));
}

void qeff_json_scan_skip(qeff_json_scan *s, qeff_json_token first)
{
    if (first != QEFF_JSON_TOKEN_OBJECT && first != QEFF_JSON_TOKEN_ARRAY) return;
    const size_t outside = s->depth - 1;
    while (!s->status && s->depth > outside)
        (void)qeff_json_scan_next(s);
}

size_t qeff_json_scan_unescape(const qeff_json_scan *s, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < s->content.size;) {
        char encoded[4] = {s->content.data[i]};
        size_t size = 1, used = 1;
        if (encoded[0] == '\\') {
            uint32_t c = 0;
            used = read_escape(s->content, i, &c);
            if (!used) break; /* cannot be: the content was checked when it was read */
            size = qeff_utf8_encode(c, encoded);
        }
        if (out) memcpy(out + n, encoded, size);
        n += size;
        i += used;
    }
    return n;
}

bool qeff_json_scan_to_u64(const qeff_json_scan *s, uint64_t *out)
{
    uint64_t value = 0;
    if (!s->is_integer || s->content.size == 0 || s->content.data[0] == '-') return false;
    for (size_t i = 0; i < s->content.size; i++) {
        const uint64_t digit = (uint64_t)(s->content.data[i] - '0');
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}
