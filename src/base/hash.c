/* hash.c - SHA-256 through libcrypto's EVP interface. */
#include "base/hash.h"

#include "base/error.h"
#include "base/span.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

void qeff_hash_init(qeff_hash *hash)
{
    /* Asked for by name: where memory ends inside the lazy start, libcrypto 3.0 itself crashes. */
    const bool is_ready = OPENSSL_init_crypto(OPENSSL_INIT_ADD_ALL_DIGESTS, NULL) == 1;
    EVP_MD_CTX *state = is_ready ? EVP_MD_CTX_new() : NULL;
    hash->state = state;
    hash->failed = !state || EVP_DigestInit_ex(state, EVP_sha256(), NULL) != 1;
}

void qeff_hash_update(qeff_hash *hash, const void *data, size_t size)
{
    if (!hash->failed && size && EVP_DigestUpdate(hash->state, data, size) != 1)
        hash->failed = true;
}

void qeff_hash_update_str(qeff_hash *hash, qeff_str text)
{
    uint8_t size[8];
    qeff_store_u64le(size, text.size);
    qeff_hash_update(hash, size, sizeof size);
    qeff_hash_update(hash, text.data, text.size);
}

qeff_status qeff_hash_finish(qeff_hash *hash, uint8_t digest[QEFF_HASH_BYTES], qeff_error *err)
{
    unsigned size = 0;
    const bool is_done = !hash->failed && EVP_DigestFinal_ex(hash->state, digest, &size) == 1 &&
                         size == QEFF_HASH_BYTES;
    qeff_hash_deinit(hash);
    if (!is_done) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "libcrypto could not compute SHA-256");
    return QEFF_OK;
}

void qeff_hash_deinit(qeff_hash *hash)
{
    EVP_MD_CTX_free(hash->state);
    *hash = (qeff_hash){0};
}

void qeff_hash_format(const uint8_t digest[QEFF_HASH_BYTES], char hex[QEFF_HASH_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < QEFF_HASH_BYTES; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[QEFF_HASH_HEX] = '\0';
}

qeff_status qeff_hash_bytes(qeff_bytes data, uint8_t digest[QEFF_HASH_BYTES], qeff_error *err)
{
    qeff_hash hash = {0};
    qeff_hash_init(&hash);
    qeff_hash_update(&hash, data.data, data.size);
    return qeff_hash_finish(&hash, digest, err);
}
