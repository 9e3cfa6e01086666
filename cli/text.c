/* text.c - growing text, UTF-8 for display, JSON strings. */
#include "cli/text.h"

#include "cli/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLACEMENT = 0xfffd, CAPACITY_MIN = 256 };

void *cli_grow(void *items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity) return items;
    const size_t wanted = *capacity ? *capacity * 2 : 16;
    if (wanted < *capacity || wanted > SIZE_MAX / item_size) return NULL;
    void *grown = realloc(items, wanted * item_size);
    if (grown) *capacity = wanted;
    return grown;
}

/* Room for `size` more bytes and a NUL. */
static bool reserve(cli_text *text, size_t size)
{
    if (text->failed) return false;
    size_t wanted = text->capacity ? text->capacity : CAPACITY_MIN;
    if (size >= SIZE_MAX / 2 - text->size) return !(text->failed = true);
    while (wanted < text->size + size + 1)
        wanted *= 2;
    if (wanted == text->capacity) return true;
    char *grown = realloc(text->data, wanted);
    if (!grown) return !(text->failed = true);
    text->data = grown;
    text->capacity = wanted;
    return true;
}

void cli_text_append(cli_text *text, const void *data, size_t size)
{
    if (!reserve(text, size)) return;
    if (size) memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void cli_text_add(cli_text *text, const char *more)
{
    cli_text_append(text, more, strlen(more));
}

void cli_text_format(cli_text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) text->failed = true;
    if (n >= 0 && reserve(text, (size_t)n)) {
        (void)vsnprintf(text->data + text->size, (size_t)n + 1, format, again);
        text->size += (size_t)n;
    }
    va_end(again);
}

qeff_status cli_text_status(const cli_text *text, qeff_error *err)
{
    return text->failed ? cli_fail(err, QEFF_ERR_NO_MEMORY, "out of memory") : QEFF_OK;
}

void cli_text_deinit(cli_text *text)
{
    free(text->data);
    *text = (cli_text){0};
}

/* --- UTF-8 ------------------------------------------------------------------------------------ */

/* Table 3-7 of the Unicode standard: what the second byte may be decides about overlong forms,
 * surrogates and the end of the code space. */
size_t cli_utf8_decode(const char *data, size_t size, uint32_t *c)
{
    const unsigned char *s = (const unsigned char *)data;
    *c = s[0];
    if (s[0] < 0x80) return 1;
    *c = REPLACEMENT;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 1;
    const size_t need = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    unsigned char low = 0x80, high = 0xbf;
    if (s[0] == 0xe0) low = 0xa0;
    if (s[0] == 0xed) high = 0x9f;
    if (s[0] == 0xf0) low = 0x90;
    if (s[0] == 0xf4) high = 0x8f;
    uint32_t value = s[0] & (0xffu >> (need + 1));
    for (size_t i = 1; i < need; i++) {
        if (i >= size || s[i] < low || s[i] > high) return i;
        value = value << 6 | (s[i] & 0x3fu);
        low = 0x80;
        high = 0xbf;
    }
    *c = value;
    return need;
}

static bool is_within(uint32_t c, const uint32_t (*ranges)[2], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1]) return true;
    return false;
}

/* Marks that combine, and invisible format characters: the blocks that text commonly has. */
static const uint32_t no_columns[][2] = {
    {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},    {0x610, 0x61a},   {0x64b, 0x65f},
    {0x6d6, 0x6dc},   {0x93c, 0x93c},   {0x941, 0x948},    {0x94d, 0x94d},   {0xe31, 0xe31},
    {0xe34, 0xe3a},   {0xe47, 0xe4e},   {0x1ab0, 0x1aff},  {0x1dc0, 0x1dff}, {0x200b, 0x200f},
    {0x202a, 0x202e}, {0x2060, 0x2069}, {0x20d0, 0x20ff},  {0x3099, 0x309a}, {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef}};

/* East Asian Wide and Fullwidth, and emoji. */
static const uint32_t two_columns[][2] = {
    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
    {0x4e00, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
    {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd}};

int cli_char_columns(uint32_t c)
{
    if (c < 0x300) return 1;
    if (is_within(c, no_columns, sizeof no_columns / sizeof no_columns[0])) return 0;
    return is_within(c, two_columns, sizeof two_columns / sizeof two_columns[0]) ? 2 : 1;
}

size_t cli_columns(qeff_str text)
{
    size_t columns = 0;
    for (size_t i = 0; i < text.size;) {
        uint32_t c = 0;
        i += cli_utf8_decode(text.data + i, text.size - i, &c);
        columns += (size_t)cli_char_columns(c);
    }
    return columns;
}

static bool is_direction(uint32_t c)
{
    return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
           c == 0x200f;
}

/* Appends one character of an excerpt. */
static void add_excerpt_char(cli_text *text, const char *data, size_t size, uint32_t c)
{
    if (c == '\n' || c == '\t' || c == '\r')
        cli_text_append(text, " ", 1);
    else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || is_direction(c))
        cli_text_append(text, "?", 1);
    else if (c == REPLACEMENT)
        cli_text_append(text, "\xef\xbf\xbd", 3);
    else
        cli_text_append(text, data, size);
}

void cli_text_add_excerpt(cli_text *text, qeff_str value, size_t columns)
{
    const size_t begin = text->size;
    size_t used = 0, fits = begin; /* `fits`: where the text may be cut to add the dots */
    for (size_t i = 0; i < value.size;) {
        uint32_t c = 0;
        const size_t n = cli_utf8_decode(value.data + i, value.size - i, &c);
        const size_t width = is_direction(c) ? 1 : (size_t)cli_char_columns(c);
        if (used + width > columns) {
            text->size = fits;
            cli_text_append(text, "...", columns < 3 ? columns : 3);
            return;
        }
        add_excerpt_char(text, value.data + i, n, c);
        used += width;
        if (used + 3 <= columns) fits = text->size;
        i += n;
    }
}

void cli_text_pad(cli_text *text, size_t column)
{
    size_t begin = text->size;
    while (begin > 0 && text->data[begin - 1] != '\n')
        begin--;
    const size_t at = cli_columns((qeff_str){text->data + begin, text->size - begin});
    if (at < column) cli_text_format(text, "%*s", (int)(column - at), "");
}

void cli_text_wrap(cli_text *text, const char *words, size_t indent, size_t width)
{
    size_t column = indent;
    while (*words) {
        const size_t size = strcspn(words, " ");
        const size_t columns = cli_columns((qeff_str){words, size});
        if (column > indent && column + 1 + columns > width) {
            cli_text_format(text, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            cli_text_append(text, " ", 1);
            column++;
        }
        cli_text_append(text, words, size);
        column += columns;
        words += size;
        words += strspn(words, " ");
    }
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void add_json_char(cli_text *text, const char *data, size_t size, uint32_t c)
{
    if (c == '"' || c == '\\')
        cli_text_format(text, "\\%c", (int)c);
    else if (c == '\n')
        cli_text_append(text, "\\n", 2);
    else if (c == '\t')
        cli_text_append(text, "\\t", 2);
    else if (c < 0x20 || c == 0x7f)
        cli_text_format(text, "\\u%04x", (unsigned)c);
    else if (c == REPLACEMENT)
        cli_text_append(text, "\xef\xbf\xbd", 3);
    else
        cli_text_append(text, data, size);
}

void cli_text_add_json(cli_text *text, qeff_str value)
{
    cli_text_append(text, "\"", 1);
    for (size_t i = 0; i < value.size;) {
        uint32_t c = 0;
        const size_t n = cli_utf8_decode(value.data + i, value.size - i, &c);
        add_json_char(text, value.data + i, n, c);
        i += n;
    }
    cli_text_append(text, "\"", 1);
}
