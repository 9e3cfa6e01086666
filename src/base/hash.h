/* hash.h - SHA-256 by libcrypto, incremental. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <qeff/base.h>

enum { QEFF_HASH_BYTES = 32, QEFF_HASH_HEX = 64 };

/** A running SHA-256. Zero-initialise, init, update, finish. Errors are sticky. */
typedef struct qeff_hash {
    void *state;
    bool failed;
} qeff_hash;

void qeff_hash_init(qeff_hash *hash);
void qeff_hash_update(qeff_hash *hash, const void *data, size_t size);
/** Length-prefixed, so that ("ab","c") and ("a","bc") differ. */
void qeff_hash_update_str(qeff_hash *hash, qeff_str text);
/** Writes the digest and frees the state; QEFF_ERR_NO_MEMORY or QEFF_ERR_INTERNAL on failure. */
qeff_status qeff_hash_finish(qeff_hash *hash, uint8_t digest[QEFF_HASH_BYTES], qeff_error *err);
/** Frees without a digest; allowed after finish. */
void qeff_hash_deinit(qeff_hash *hash);

/** Lower-case hex with a NUL. */
void qeff_hash_format(const uint8_t digest[QEFF_HASH_BYTES], char hex[QEFF_HASH_HEX + 1]);

/** Digest of one span. */
qeff_status qeff_hash_bytes(qeff_bytes data, uint8_t digest[QEFF_HASH_BYTES], qeff_error *err);

#endif /* BASE_HASH_H */
