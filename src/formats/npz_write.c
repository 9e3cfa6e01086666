/* npz_write.c - writing .npz archives; zip.h has the layout.
 *
 * As numpy.savez does it: each member is stored, with its sizes in a zip64 field so that no array
 * is too large. Unlike it, all times are 1980-01-01, and a padding field before each member puts
 * the data of its array at a multiple of 64 bytes in the file. */
#include "formats/npz.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"
#include "formats/crc32.h"
#include "formats/zip.h"

#include <stdlib.h>

enum {
    VERSION = 45, /* 4.5: zip64 */
    DATE = 33,    /* 1980-01-01 */
    ALIGNMENT = 64,
    LOCAL_64_BYTES = 20,  /* the zip64 field of a local header */
    PADDING_BYTES_MIN = 6 /* id, size, alignment */
};

typedef struct member {
    uint64_t offset; /* of the local header */
    uint64_t size;   /* of the .npy file */
    uint32_t crc;
} member;

typedef struct archive {
    qeff_writer file;
    const qeff_array *arrays;
    size_t n;
    member *members;
    qeff_buffer part; /* whatever is being put together */
    qeff_crc32 crc;
    qeff_error *err;
} archive;

static void put_u16(qeff_buffer *out, unsigned value)
{
    uint8_t bytes[2];
    qeff_store_u16le(bytes, (uint16_t)value);
    qeff_buffer_append(out, bytes, sizeof bytes);
}

static void put_u32(qeff_buffer *out, uint64_t value)
{
    uint8_t bytes[4];
    qeff_store_u32le(bytes, (uint32_t)value);
    qeff_buffer_append(out, bytes, sizeof bytes);
}

static void put_u64(qeff_buffer *out, uint64_t value)
{
    uint8_t bytes[8];
    qeff_store_u64le(bytes, value);
    qeff_buffer_append(out, bytes, sizeof bytes);
}

static unsigned flags_of(qeff_str name)
{
    for (size_t i = 0; i < name.size; i++)
        if ((unsigned char)name.data[i] >= 0x80) return QEFF_ZIP_FLAG_UTF8;
    return 0;
}

static void put_name(qeff_buffer *out, qeff_str name)
{
    qeff_buffer_append_str(out, name);
    qeff_buffer_append_text(out, ".npy");
}

static void put_local_header(archive *a, qeff_str name, const member *m)
{
    qeff_buffer *out = &a->part;
    const uint64_t fixed = m->offset + QEFF_ZIP_LOCAL_BYTES + name.size + 4 + LOCAL_64_BYTES;
    const uint64_t start = (fixed + PADDING_BYTES_MIN + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    const unsigned padding = (unsigned)(start - fixed);
    put_u32(out, QEFF_ZIP_LOCAL);
    put_u16(out, VERSION);
    put_u16(out, flags_of(name));
    put_u16(out, 0); /* stored */
    put_u16(out, 0);
    put_u16(out, DATE);
    put_u32(out, m->crc);
    put_u32(out, QEFF_ZIP_IN_64);
    put_u32(out, QEFF_ZIP_IN_64);
    put_u16(out, (unsigned)name.size + 4);
    put_u16(out, LOCAL_64_BYTES + padding);
    put_name(out, name);
    put_u16(out, QEFF_ZIP_EXTRA_64);
    put_u16(out, LOCAL_64_BYTES - 4);
    put_u64(out, m->size);
    put_u64(out, m->size);
    put_u16(out, QEFF_ZIP_EXTRA_PADDING);
    put_u16(out, padding - 4);
    put_u16(out, ALIGNMENT);
    for (unsigned i = PADDING_BYTES_MIN; i < padding; i++)
        qeff_buffer_append_byte(out, 0);
}

static qeff_status append_part(archive *a)
{
    QEFF_TRY(qeff_buffer_status(&a->part, a->err));
    qeff_writer_append(&a->file, a->part.data, a->part.size);
    a->part.size = 0;
    return QEFF_OK;
}

/* The checksum stands before the data, so the data is read twice. */
static qeff_status write_member(archive *a, size_t index)
{
    const qeff_array *array = &a->arrays[index];
    member *m = &a->members[index];
    qeff_buffer header = {0};
    qeff_crc32 *crc = &a->crc;
    qeff_status status = qeff_npy_write_header(array, &header, a->err);
    if (!status) {
        crc->value = 0;
        qeff_crc32_update(crc, header.data, header.size);
        qeff_crc32_update(crc, array->data.data, array->data.size);
        *m = (member){a->file.size, (uint64_t)header.size + array->data.size, crc->value};
        put_local_header(a, array->name, m);
        status = append_part(a);
    }
    if (!status) {
        qeff_writer_append(&a->file, header.data, header.size);
        qeff_writer_append(&a->file, array->data.data, array->data.size);
    }
    qeff_buffer_deinit(&header);
    return status;
}

static void put_entry(archive *a, size_t index)
{
    qeff_buffer *out = &a->part;
    const qeff_str name = a->arrays[index].name;
    const member *m = &a->members[index];
    const bool is_large = m->size >= QEFF_ZIP_IN_64, is_far = m->offset >= QEFF_ZIP_IN_64;
    const unsigned wide = (is_large ? 16u : 0u) + (is_far ? 8u : 0u);
    put_u32(out, QEFF_ZIP_ENTRY);
    put_u16(out, 3 << 8 | VERSION); /* made on Unix */
    put_u16(out, VERSION);
    put_u16(out, flags_of(name));
    put_u16(out, 0);
    put_u16(out, 0);
    put_u16(out, DATE);
    put_u32(out, m->crc);
    put_u32(out, is_large ? QEFF_ZIP_IN_64 : m->size);
    put_u32(out, is_large ? QEFF_ZIP_IN_64 : m->size);
    put_u16(out, (unsigned)name.size + 4);
    put_u16(out, wide ? wide + 4 : 0);
    put_u16(out, 0);
    put_u16(out, 0);
    put_u16(out, 0);
    put_u32(out, 0100600u << 16); /* a plain file of mode 0600 */
    put_u32(out, is_far ? QEFF_ZIP_IN_64 : m->offset);
    put_name(out, name);
    if (!wide) return;
    put_u16(out, QEFF_ZIP_EXTRA_64);
    put_u16(out, wide);
    if (is_large) put_u64(out, m->size);
    if (is_large) put_u64(out, m->size);
    if (is_far) put_u64(out, m->offset);
}

static void put_end(archive *a, uint64_t offset, uint64_t size)
{
    qeff_buffer *out = &a->part;
    const bool is_wide =
        a->n >= QEFF_ZIP_COUNT_IN_64 || offset >= QEFF_ZIP_IN_64 || size >= QEFF_ZIP_IN_64;
    if (is_wide) {
        put_u32(out, QEFF_ZIP_END64);
        put_u64(out, QEFF_ZIP_END64_BYTES - 12);
        put_u16(out, VERSION);
        put_u16(out, VERSION);
        put_u32(out, 0);
        put_u32(out, 0);
        put_u64(out, a->n);
        put_u64(out, a->n);
        put_u64(out, size);
        put_u64(out, offset);
        put_u32(out, QEFF_ZIP_LOCATOR);
        put_u32(out, 0);
        put_u64(out, offset + size);
        put_u32(out, 1);
    }
    put_u32(out, QEFF_ZIP_END);
    put_u16(out, 0);
    put_u16(out, 0);
    put_u16(out, is_wide ? QEFF_ZIP_COUNT_IN_64 : (unsigned)a->n);
    put_u16(out, is_wide ? QEFF_ZIP_COUNT_IN_64 : (unsigned)a->n);
    put_u32(out, is_wide ? QEFF_ZIP_IN_64 : size);
    put_u32(out, is_wide ? QEFF_ZIP_IN_64 : offset);
    put_u16(out, 0);
}

static qeff_status write_archive(archive *a)
{
    for (size_t i = 0; i < a->n; i++)
        QEFF_TRY(qeff_within(a->err, write_member(a, i), "array '%.*s'",
                             QEFF_STR_ARGS(a->arrays[i].name)));
    const uint64_t offset = a->file.size;
    for (size_t i = 0; i < a->n; i++) {
        put_entry(a, i);
        QEFF_TRY(append_part(a));
    }
    put_end(a, offset, a->file.size - offset);
    return append_part(a);
}

static int compare_names(const void *a, const void *b)
{
    return qeff_str_compare((*(const qeff_array *const *)a)->name,
                            (*(const qeff_array *const *)b)->name);
}

static qeff_status check_names(const qeff_array *arrays, size_t n, qeff_error *err)
{
    const qeff_array **sorted = qeff_alloc_array(n, sizeof *sorted);
    if (!sorted) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for %zu arrays", n);
    qeff_status status = QEFF_OK;
    for (size_t i = 0; i < n && !status; i++) {
        sorted[i] = &arrays[i];
        if (!qeff_zip_is_array_name(arrays[i].name))
            status = qeff_fail(err, QEFF_ERR_INVALID, "'%.*s' cannot be the name of an array",
                               QEFF_STR_ARGS(arrays[i].name));
    }
    if (!status && n > 1) qsort(sorted, n, sizeof *sorted, compare_names);
    for (size_t i = 1; i < n && !status; i++)
        if (qeff_str_equal(sorted[i]->name, sorted[i - 1]->name))
            status = qeff_fail(err, QEFF_ERR_INVALID, "array '%.*s' is there twice",
                               QEFF_STR_ARGS(sorted[i]->name));
    qeff_free((void *)sorted);
    return status;
}

qeff_status
qeff_npz_write(const char *path, const qeff_array *arrays, size_t count, qeff_error *err)
{
    archive a = {.arrays = arrays, .n = count, .err = err};
    QEFF_TRY(qeff_within(err, check_names(arrays, count, err), "'%s'", path));
    qeff_crc32_init(&a.crc);
    a.members = qeff_alloc_array(count, sizeof *a.members);
    qeff_status status = QEFF_OK;
    if (!a.members)
        status = qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': no memory for %zu arrays", path, count);
    if (!status) status = qeff_writer_open(&a.file, path, err);
    if (!status) {
        status = qeff_within(err, write_archive(&a), "'%s'", path);
        if (status)
            qeff_writer_abort(&a.file);
        else
            status = qeff_writer_commit(&a.file, err);
    }
    qeff_buffer_deinit(&a.part);
    qeff_free(a.members);
    return status;
}
