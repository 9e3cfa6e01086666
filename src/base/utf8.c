/* utf8.c - decoding and encoding UTF-8.
 *
 *   00..7f | c2..df x | e0 a0..bf x | e1..ec x x | ed 80..9f x | ee..ef x x
 *   f0 90..bf x x | f1..f3 x x x | f4 80..8f x x            with x = 80..bf */
#include "base/utf8.h"

size_t qeff_utf8_decode(const char *data, size_t size, uint32_t *c)
{
    const unsigned char *b = (const unsigned char *)data;
    const unsigned lead = b[0];
    *c = QEFF_UTF8_REPLACEMENT;
    if (lead < 0x80) {
        *c = lead;
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4) return 1;
    const size_t need = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    unsigned low = 0x80, high = 0xbf; /* what the second byte may be */
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
    uint32_t value = lead & (0x7fu >> need);
    for (size_t i = 1; i < need; i++) {
        if (i >= size || b[i] < low || b[i] > high) return i;
        value = value << 6 | (b[i] & 0x3fu);
        low = 0x80;
        high = 0xbf;
    }
    *c = value;
    return need;
}

size_t qeff_utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    const size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    out[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

bool qeff_utf8_is_valid(qeff_str text)
{
    size_t i = 0;
    for (uint64_t word = 0; i + 8 <= text.size; i += 8) { /* ASCII at the start */
        memcpy(&word, text.data + i, 8);
        if (word & 0x8080808080808080u) break;
    }
    while (i < text.size) {
        uint32_t c = 0;
        const size_t n = qeff_utf8_decode(text.data + i, text.size - i, &c);
        /* A real U+FFFD takes three bytes, and starts with ef bf bd. */
        if (c == QEFF_UTF8_REPLACEMENT && (n != 3 || (unsigned char)text.data[i] != 0xef ||
                                           (unsigned char)text.data[i + 2] != 0xbd))
            return false;
        i += n;
    }
    return true;
}

size_t qeff_utf8_length(qeff_str text)
{
    size_t length = 0;
    for (size_t i = 0; i < text.size; length++) {
        uint32_t c = 0;
        i += qeff_utf8_decode(text.data + i, text.size - i, &c);
    }
    return length;
}
