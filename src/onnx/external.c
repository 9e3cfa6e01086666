/* external.c - tensors whose bytes lie in a file next to the model.
 *
 *   external_data: {"location": relative path, "offset": decimal, "length": decimal, "checksum"}
 *
 * The location is hostile: it may only name a regular file below the model's folder, without ".."
 * and without links that lead outside. A file that has a second name (hard link) is refused, as
 * its other name may lie anywhere; the blob store of a Hugging Face cache is legal. The checksum is
 * SHA-1 and optional in the format; it is not looked at. Reference: docs/ExternalData.md. */
#include "base/error.h"
#include "base/span.h"
#include "onnx/messages.h"
#include "onnx/model.h"

#include <inttypes.h>
#include <sys/stat.h>

typedef struct place {
    qeff_str location, offset, length, checksum; /* data NULL: absent */
} place;

static qeff_status read_entry(qeff_protobuf r, place *p, qeff_error *err)
{
    qeff_str key = {"", 0}, value = {"", 0};
    while (qeff_protobuf_next(&r)) {
        if (r.field == ENTRY_KEY) key = qeff_protobuf_str(&r);
        if (r.field == ENTRY_VALUE) value = qeff_protobuf_str(&r);
    }
    QEFF_TRY(qeff_protobuf_status(&r, err));
    qeff_str *slot = NULL;
    if (qeff_str_is(key, "location")) slot = &p->location;
    if (qeff_str_is(key, "offset")) slot = &p->offset;
    if (qeff_str_is(key, "length")) slot = &p->length;
    if (qeff_str_is(key, "checksum")) slot = &p->checksum;
    if (!slot)
        return qeff_fail(err, QEFF_ERR_FORMAT, "unknown external data key '%.*s'",
                         QEFF_STR_ARGS(key));
    if (slot->data)
        return qeff_fail(err, QEFF_ERR_FORMAT, "external data key '%.*s' occurs twice",
                         QEFF_STR_ARGS(key));
    *slot = value;
    return QEFF_OK;
}

/* Digits only: no sign, no space, no exponent; at most 2^63 - 1. */
static qeff_status parse_number(qeff_str text, const char *key, uint64_t *out, qeff_error *err)
{
    uint64_t value = 0;
    bool is_number = text.size > 0 && text.size <= 19;
    for (size_t i = 0; is_number && i < text.size; i++) {
        is_number = text.data[i] >= '0' && text.data[i] <= '9';
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (!is_number || value > INT64_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "external data %s '%.*s' is no byte count", key,
                         QEFF_STR_ARGS(text));
    *out = value;
    return QEFF_OK;
}

/* A hard link is a second name that the containment check cannot see. Where the name is a symbolic
 * link the check has already followed it to its end. */
static qeff_status check_links(const char *path, qeff_error *err)
{
    struct stat st;
    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink <= 1) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "'%s': file with %ju names (hard links)", path,
                     (uintmax_t)st.st_nlink);
}

static qeff_status
open_data_file(qeff_onnx_model *model, qeff_str location, const qeff_file **out, qeff_error *err)
{
    char path[QEFF_PATH_MAX];
    for (size_t i = 0; i < model->n_files; i++) {
        *out = &model->files[i].file;
        if (qeff_str_equal(model->files[i].location, location)) return QEFF_OK;
    }
    if (model->n_files >= QEFF_ONNX_FILES_MAX)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "more than %d external data files",
                         QEFF_ONNX_FILES_MAX);
    QEFF_TRY(qeff_path_join_untrusted(model->folder, location, path, err));
    QEFF_TRY(check_links(path, err));
    qeff_onnx_data_file *files =
        qeff_grow(model->files, model->n_files, &model->files_capacity, sizeof *model->files);
    if (!files) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    model->files = files;
    qeff_onnx_data_file *file = &files[model->n_files];
    QEFF_TRY(qeff_file_map(path, &file->file, err));
    file->location = location; /* in the mapped model */
    model->n_files++;
    *out = &file->file;
    return QEFF_OK;
}

static qeff_status read_place(qeff_protobuf r, place *p, qeff_error *err)
{
    while (qeff_protobuf_next(&r))
        if (r.field == TENSOR_EXTERNAL_DATA)
            QEFF_TRY(read_entry(qeff_protobuf_message(&r), p, err));
    return qeff_protobuf_status(&r, err);
}

qeff_status qeff_onnx_find_external(qeff_onnx_model *model, qeff_protobuf message, uint64_t need,
                                    qeff_onnx_tensor *out, qeff_error *err)
{
    place p = {0};
    uint64_t offset = 0, length = need;
    const qeff_file *file = NULL;
    QEFF_TRY(read_place(message, &p, err));
    if (!p.location.data)
        return qeff_fail(err, QEFF_ERR_FORMAT, "external data without a location");
    if (p.offset.data) QEFF_TRY(parse_number(p.offset, "offset", &offset, err));
    if (p.length.data) QEFF_TRY(parse_number(p.length, "length", &length, err));
    if (length != need)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "external data holds %" PRIu64 " bytes but dtype and shape need %" PRIu64,
                         length, need);
    QEFF_TRY(open_data_file(model, p.location, &file, err));
    if (offset > file->size || length > file->size - offset)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "bytes %" PRIu64 " + %" PRIu64 " outside the %zu bytes of '%.*s'", offset,
                         length, file->size, QEFF_STR_ARGS(p.location));
    out->data = (qeff_bytes){file->data + offset, (size_t)length};
    out->source_fd = file->is_mapped ? file->fd : -1;
    out->source_offset = offset;
    return QEFF_OK;
}
