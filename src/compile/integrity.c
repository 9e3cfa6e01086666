/* integrity.c - tells a damaged program file from a whole one without reading all of it.
 *
 * The digest is SHA-256 over, image by image: name, size, and the bytes; of an image over 1 MiB the
 * first 4 KiB of each MiB and its last 4 KiB. A file that was truncated, swapped, overwritten or
 * torn shows; a single flipped bit in the weights shows with the probability 1/256. */
#include "base/error.h"
#include "base/span.h"
#include "compile/compile.h"
#include "formats/json.h"

#include <stdio.h>

enum {
    WHOLE_BYTES_MAX = 1 << 20,
    SAMPLE_STRIDE = 1 << 20,
    SAMPLE_BYTES = 4096,
};

static void hash_image(qeff_hash *hash, qeff_str name, qeff_bytes data)
{
    uint8_t size[8];
    qeff_store_u64le(size, data.size);
    qeff_hash_update_str(hash, name);
    qeff_hash_update(hash, size, sizeof size);
    if (data.size <= WHOLE_BYTES_MAX) {
        qeff_hash_update(hash, data.data, data.size);
        return;
    }
    for (size_t at = 0; at + SAMPLE_BYTES <= data.size; at += SAMPLE_STRIDE)
        qeff_hash_update(hash, data.data + at, SAMPLE_BYTES);
    qeff_hash_update(hash, data.data + data.size - SAMPLE_BYTES, SAMPLE_BYTES);
}

static qeff_status digest_of(const qeff_qpc *qpc, char hex[QEFF_HASH_HEX + 1], qeff_error *err)
{
    qeff_hash hash = {0};
    uint8_t digest[QEFF_HASH_BYTES];
    qeff_hash_init(&hash);
    for (size_t i = 0; i < qeff_qpc_count(qpc); i++) {
        char name[256];
        qeff_bytes data = {NULL, 0};
        const qeff_str text = qeff_qpc_name(qpc, i);
        (void)snprintf(name, sizeof name, "%.*s", QEFF_STR_ARGS(text));
        (void)qeff_qpc_find(qpc, name, &data);
        hash_image(&hash, text, data);
    }
    QEFF_TRY(qeff_hash_finish(&hash, digest, err));
    qeff_hash_format(digest, hex);
    return QEFF_OK;
}

qeff_status qeff_integrity_write(const char *folder, const qeff_qpc *qpc, qeff_error *err)
{
    char path[QEFF_PATH_MAX], hex[QEFF_HASH_HEX + 1], text[128];
    QEFF_TRY(qeff_path_join(folder, QEFF_STR(QEFF_INTEGRITY_FILE), path, err));
    QEFF_TRY(digest_of(qpc, hex, err));
    const int n = snprintf(text, sizeof text, "{\"sampled_sha256\": \"%s\"}\n", hex);
    return qeff_file_write(path, (qeff_bytes){(const uint8_t *)text, (size_t)n}, err);
}

qeff_status qeff_integrity_check(const char *folder, const qeff_qpc *qpc, qeff_error *err)
{
    char path[QEFF_PATH_MAX], hex[QEFF_HASH_HEX + 1];
    qeff_json_document *json = NULL;
    qeff_str expected = {NULL, 0};
    QEFF_TRY(qeff_path_join(folder, QEFF_STR(QEFF_INTEGRITY_FILE), path, err));
    QEFF_TRY(qeff_json_open(path, NULL, &json, err));
    qeff_status status =
        qeff_json_to_str(qeff_json_find(qeff_json_root(json), "sampled_sha256"), &expected, err);
    if (!status) status = digest_of(qpc, hex, err);
    if (!status && !qeff_str_is(expected, hex))
        status = qeff_fail(err, QEFF_ERR_FORMAT,
                           "'%s': damaged program: expected digest %.16s…, found %.16s…", folder,
                           expected.size >= 16 ? expected.data : "none", hex);
    qeff_json_close(json);
    return status;
}
