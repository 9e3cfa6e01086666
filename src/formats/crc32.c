/* crc32.c - CRC-32, eight bytes a step.
 *
 * tables[k][b] is the checksum of byte b followed by k zero bytes, so that eight look-ups that do
 * not wait for each other replace eight that do (Kounavis and Berry, "slicing-by-8", 2008). */
#include "formats/crc32.h"

#include "base/span.h"

#define POLYNOMIAL 0xedb88320u

void qeff_crc32_init(qeff_crc32 *crc)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t c = b;
        for (int i = 0; i < 8; i++)
            c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
        crc->tables[0][b] = c;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t b = 0; b < 256; b++) {
            const uint32_t c = crc->tables[k - 1][b];
            crc->tables[k][b] = c >> 8 ^ crc->tables[0][c & 0xff];
        }
    crc->value = 0;
}

void qeff_crc32_update(qeff_crc32 *crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint32_t c = ~crc->value;
    for (; size >= 8; bytes += 8, size -= 8) {
        const uint32_t low = c ^ qeff_load_u32le(bytes);
        const uint32_t high = qeff_load_u32le(bytes + 4);
        c = crc->tables[7][low & 0xff] ^ crc->tables[6][low >> 8 & 0xff] ^
            crc->tables[5][low >> 16 & 0xff] ^ crc->tables[4][low >> 24] ^
            crc->tables[3][high & 0xff] ^ crc->tables[2][high >> 8 & 0xff] ^
            crc->tables[1][high >> 16 & 0xff] ^ crc->tables[0][high >> 24];
    }
    for (; size; bytes++, size--)
        c = c >> 8 ^ crc->tables[0][(c ^ *bytes) & 0xff];
    crc->value = ~c;
}
