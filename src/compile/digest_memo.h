/* digest_memo.h - remembers the digest of large files, so that a second run need not read them.
 *
 * A digest is found again only by the files' stamps: device, inode, size, and the times of the last
 * write and change to the nanosecond. The change time cannot be set by a program, so a file that
 * was written to has another stamp; files that changed within the last two seconds are not
 * remembered, since a later write could fall into the same tick of the clock. */
#ifndef COMPILE_DIGEST_MEMO_H
#define COMPILE_DIGEST_MEMO_H

#include "base/file.h"
#include "base/hash.h"

/** Looks a digest up; false where none is remembered, or the cache cannot be read. */
bool qeff_digest_memo_find(const qeff_file_stamp *stamps, size_t n,
                           uint8_t digest[QEFF_HASH_BYTES]);
/** Remembers a digest. Failure to write costs time later, nothing else. */
void qeff_digest_memo_store(const qeff_file_stamp *stamps, size_t n,
                            const uint8_t digest[QEFF_HASH_BYTES]);

#endif /* COMPILE_DIGEST_MEMO_H */
