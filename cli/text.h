/* text.h - bytes that grow, and the few things this program needs to know of UTF-8 and JSON. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <qeff/base.h>

/** Zero-initialise. Errors are sticky: append freely, check `failed` once. */
typedef struct cli_text {
    char *data;
    size_t size, capacity;
    bool failed; /**< out of memory */
} cli_text;

void cli_text_append(cli_text *text, const void *data, size_t size);
void cli_text_add(cli_text *text, const char *more);
void cli_text_format(cli_text *text, const char *format, ...) QEFF_PRINTF(2, 3);
/** Appends a JSON string; invalid UTF-8 becomes U+FFFD. */
void cli_text_add_json(cli_text *text, qeff_str value);
/** Appends spaces up to `column`, counted from the last line feed in display columns. */
void cli_text_pad(cli_text *text, size_t column);
/** QEFF_OK or QEFF_ERR_NO_MEMORY. */
qeff_status cli_text_status(const cli_text *text, qeff_error *err);
void cli_text_deinit(cli_text *text);

/** Doubles `*capacity` where `count` has reached it; NULL where there is no memory, and `items` is
 * as it was. */
void *cli_grow(void *items, size_t count, size_t *capacity, size_t item_size);

/** Decodes the first character of `data`, which holds `size` >= 1 bytes; invalid input gives U+FFFD
 * and the length of its maximal subpart. Returns the bytes consumed. */
size_t cli_utf8_decode(const char *data, size_t size, uint32_t *c);

/** Columns a character takes on a terminal: 0, 1 or 2. */
int cli_char_columns(uint32_t c);
size_t cli_columns(qeff_str text);

/** Appends at most `columns` columns of `text` for people to read: control and direction
 * characters as `?`, line feeds and tabs as spaces, `...` at the end where it was cut. */
void cli_text_add_excerpt(cli_text *text, qeff_str value, size_t columns);

/** Appends `text` wrapped at spaces: lines start at column `indent` (the first one where the text
 * stands now) and end before column `width`. No line feed follows the last. */
void cli_text_wrap(cli_text *text, const char *words, size_t indent, size_t width);

#endif /* CLI_TEXT_H */
