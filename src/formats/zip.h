/* zip.h - what reading and writing .npz share of the zip format (APPNOTE 6.3): signatures and the
 * sizes of fixed parts. Private to npz_read.c and npz_write.c. */
#ifndef FORMATS_ZIP_H
#define FORMATS_ZIP_H

#include <qeff/base.h>

/* Local header, then name and extra fields, then data:
 *    0 u32 signature  4 u16 version  6 u16 flags  8 u16 method  10 u16 time  12 u16 date
 *   14 u32 crc       18 u32 packed  22 u32 size  26 u16 name size  28 u16 extra size
 * Directory entry, then name, extra fields and comment:
 *    0 u32 signature  4 u16 made by  6 u16 version  8 u16 flags  10 u16 method  12 u16 time
 *   14 u16 date      16 u32 crc     20 u32 packed  24 u32 size  28 u16 name size
 *   30 u16 extra size  32 u16 comment size  34 u16 disk  36 u16 attributes  38 u32 attributes
 *   42 u32 offset of the local header
 * End of the directory:
 *    0 u32 signature  4 u16 disk  6 u16 disk  8 u16 entries here  10 u16 entries
 *   12 u32 directory size  16 u32 directory offset  20 u16 comment size
 * Zip64: a size, offset or count of all ones is found in the extra field 1, or in
 *    0 u32 signature  4 u64 size of the rest  12 u16 made by  14 u16 version  16 u32 disk
 *   20 u32 disk  24 u64 entries here  32 u64 entries  40 u64 directory size  48 u64 its offset
 * which this locator, right before the end of the directory, points to:
 *    0 u32 signature  4 u32 disk  8 u64 offset  16 u32 disks */
enum {
    QEFF_ZIP_LOCAL = 0x04034b50,
    QEFF_ZIP_ENTRY = 0x02014b50,
    QEFF_ZIP_END = 0x06054b50,
    QEFF_ZIP_END64 = 0x06064b50,
    QEFF_ZIP_LOCATOR = 0x07064b50,

    QEFF_ZIP_LOCAL_BYTES = 30,
    QEFF_ZIP_ENTRY_BYTES = 46,
    QEFF_ZIP_END_BYTES = 22,
    QEFF_ZIP_END64_BYTES = 56,
    QEFF_ZIP_LOCATOR_BYTES = 20,

    QEFF_ZIP_EXTRA_64 = 0x0001,
    QEFF_ZIP_EXTRA_PADDING = 0xd935, /* registered for the alignment of data */
    QEFF_ZIP_FLAG_UTF8 = 1 << 11,
    QEFF_ZIP_NAME_BYTES_MAX = 4092,
};

/* Marks a field whose value is in its zip64 form. */
#define QEFF_ZIP_IN_64       UINT32_MAX
#define QEFF_ZIP_COUNT_IN_64 UINT16_MAX

/** Whether an array may have this name, which is that of its member without ".npy": UTF-8 without
 * control characters and backslashes, up to 4,092 bytes, no absolute path, no segment `.` or `..`.
 * Nothing is ever extracted here, but the name may well become one of a file elsewhere. */
bool qeff_zip_is_array_name(qeff_str name);

#endif /* FORMATS_ZIP_H */
