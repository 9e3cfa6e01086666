/* digest_memo.c - `<cache root>/.digests/<32 hex of the stamps' digest>`:
 *
 *   64 hex digits: SHA-256 of the stamps | space | 64 hex digits: the remembered digest | newline
 */
#include "compile/digest_memo.h"

#include "base/alloc.h"
#include "base/span.h"
#include "compile/cache.h"

#include <stdio.h>

enum { MEMO_BYTES = 2 * QEFF_HASH_HEX + 2, NAME_HEX = 32, MEMO_FORMAT = 1 };

static bool digest_stamps(const qeff_file_stamp *stamps, size_t n, char hex[QEFF_HASH_HEX + 1])
{
    qeff_hash hash = {0};
    uint8_t digest[QEFF_HASH_BYTES], number[8];
    qeff_hash_init(&hash);
    qeff_store_u64le(number, MEMO_FORMAT);
    qeff_hash_update(&hash, number, sizeof number);
    for (size_t i = 0; i < n; i++) {
        const uint64_t fields[] = {stamps[i].device, stamps[i].inode, stamps[i].size,
                                   (uint64_t)stamps[i].modified_ns, (uint64_t)stamps[i].changed_ns};
        for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++) {
            qeff_store_u64le(number, fields[k]);
            qeff_hash_update(&hash, number, sizeof number);
        }
    }
    if (qeff_hash_finish(&hash, digest, NULL)) return false;
    qeff_hash_format(digest, hex);
    return true;
}

static bool memo_folder(char out[QEFF_PATH_MAX])
{
    char root[QEFF_PATH_MAX];
    return !qeff_cache_root(root, NULL) && !qeff_path_join(root, QEFF_STR(".digests"), out, NULL);
}

static bool memo_path(const char *hex, char out[QEFF_PATH_MAX])
{
    char folder[QEFF_PATH_MAX];
    return memo_folder(folder) && !qeff_path_join(folder, (qeff_str){hex, NAME_HEX}, out, NULL);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_digest(const char *hex, uint8_t digest[QEFF_HASH_BYTES])
{
    for (int i = 0; i < QEFF_HASH_BYTES; i++) {
        const int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        digest[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool qeff_digest_memo_find(const qeff_file_stamp *stamps, size_t n, uint8_t digest[QEFF_HASH_BYTES])
{
    char hex[QEFF_HASH_HEX + 1], path[QEFF_PATH_MAX];
    qeff_file file;
    if (!digest_stamps(stamps, n, hex) || !memo_path(hex, path)) return false;
    if (qeff_file_read(path, MEMO_BYTES, &file, NULL)) return false;
    const char *text = (const char *)file.data;
    const bool is_found = file.size == MEMO_BYTES && memcmp(text, hex, QEFF_HASH_HEX) == 0 &&
                          text[QEFF_HASH_HEX] == ' ' &&
                          parse_digest(text + QEFF_HASH_HEX + 1, digest);
    qeff_file_unmap(&file);
    return is_found;
}

void qeff_digest_memo_store(const qeff_file_stamp *stamps, size_t n,
                            const uint8_t digest[QEFF_HASH_BYTES])
{
    char key[QEFF_HASH_HEX + 1], value[QEFF_HASH_HEX + 1], text[MEMO_BYTES + 1];
    char folder[QEFF_PATH_MAX], path[QEFF_PATH_MAX];
    for (size_t i = 0; i < n; i++)
        if (!qeff_file_stamp_is_settled(&stamps[i])) return;
    if (!digest_stamps(stamps, n, key) || !memo_folder(folder) || !memo_path(key, path)) return;
    if (qeff_folder_create(folder, NULL)) return;
    qeff_hash_format(digest, value);
    (void)snprintf(text, sizeof text, "%s %s\n", key, value);
    (void)qeff_file_write(path, (qeff_bytes){(const uint8_t *)text, MEMO_BYTES}, NULL);
}
