/* utf8.h - UTF-8 as text arrives: valid or not. Invalid bytes decode as U+FFFD, one for each
 * maximal subpart (Unicode 16, section 3.9; the same as WHATWG and Python's "replace"). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <qeff/base.h>

enum { QEFF_UTF8_REPLACEMENT = 0xfffd };

/** Decodes the first character of `data`, which holds `size` >= 1 bytes, into `*c`.
 * @return bytes consumed, 1 to 4; invalid input gives U+FFFD and the length of its subpart. */
size_t qeff_utf8_decode(const char *data, size_t size, uint32_t *c);

/** Writes a code point (not a surrogate, at most U+10FFFF) and returns its length, 1 to 4. */
size_t qeff_utf8_encode(uint32_t c, char out[4]);

/** Whether all of `text` is valid UTF-8. */
bool qeff_utf8_is_valid(qeff_str text);

/** Characters in `text`, invalid subparts counting one each. */
size_t qeff_utf8_length(qeff_str text);

#endif /* BASE_UTF8_H */
