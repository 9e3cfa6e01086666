/* crc32.h - the checksum of zip: CRC-32 with polynomial 0xedb88320, reflected. */
#ifndef FORMATS_CRC32_H
#define FORMATS_CRC32_H

#include <qeff/base.h>

/** A running checksum, with its tables (8 KiB). init, update, read `value`. */
typedef struct qeff_crc32 {
    uint32_t tables[8][256];
    uint32_t value; /**< of what was fed so far */
} qeff_crc32;

void qeff_crc32_init(qeff_crc32 *crc);
void qeff_crc32_update(qeff_crc32 *crc, const void *data, size_t size);

#endif /* FORMATS_CRC32_H */
