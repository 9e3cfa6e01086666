/* npz_read.c - reading .npz archives; zip.h has the layout.
 *
 * A zip file says everything twice, in the directory at its end and in the header before each
 * member, and readers that believe one of them can be shown another file than those that believe
 * the other. So both must agree here, no two members may share bytes, and the end of the directory
 * must be the end of the file. */
#include "formats/npz.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/span.h"
#include "base/utf8.h"
#include "formats/crc32.h"
#include "formats/zip.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    MEMBERS_MAX = 100000,
    CRC_CHUNK_BYTES = 4 << 20,           /* resident at a time while checksums are computed */
    KNOWN_FLAGS = QEFF_ZIP_FLAG_UTF8 | 6 /* bits 1 and 2 mean nothing to stored members */
};

struct qeff_npz {
    qeff_file file;
    size_t n_arrays;
    qeff_array *arrays;        /* [n_arrays], in the order of the file */
    const qeff_array **sorted; /* the same in the order of their names */
    qeff_crc32 crc;
};

/* A member as one of its two headers describes it. */
typedef struct member {
    qeff_str name;
    unsigned flags, method;
    uint32_t crc;
    uint64_t packed, size;
    uint64_t offset; /* of the local header; of the data once that is known */
} member;

/* Bytes of the file that a member takes, header included. */
typedef struct region {
    uint64_t begin, end;
} region;

typedef struct directory {
    uint64_t n_members, offset, end;
} directory;

/* Extra fields: u16 id | u16 size | content. Finds one; false where the list is malformed. */
static bool find_extra(qeff_bytes extra, unsigned id, qeff_bytes *found)
{
    *found = (qeff_bytes){NULL, 0};
    for (size_t at = 0; at < extra.size;) {
        if (extra.size - at < 4) return false;
        const size_t size = qeff_load_u16le(extra.data + at + 2);
        if (size > extra.size - at - 4) return false;
        if (qeff_load_u16le(extra.data + at) == id && !found->data)
            *found = (qeff_bytes){extra.data + at + 4, size};
        at += 4 + size;
    }
    return true;
}

/* Replaces a field of all ones by the next number of the zip64 extra field. */
static bool take_wide(uint64_t *field, qeff_bytes *wide)
{
    if (*field != QEFF_ZIP_IN_64) return true;
    if (wide->size < 8) return false;
    *field = qeff_load_u64le(wide->data);
    *wide = (qeff_bytes){wide->data + 8, wide->size - 8};
    return true;
}

static qeff_status read_entry(qeff_bytes rest, member *m, size_t *used, qeff_error *err)
{
    const uint8_t *b = rest.data;
    if (rest.size < QEFF_ZIP_ENTRY_BYTES || qeff_load_u32le(b) != QEFF_ZIP_ENTRY)
        return qeff_fail(err, QEFF_ERR_FORMAT, "malformed directory");
    const size_t name = qeff_load_u16le(b + 28), extra = qeff_load_u16le(b + 30);
    *used = QEFF_ZIP_ENTRY_BYTES + name + extra + qeff_load_u16le(b + 32);
    if (*used > rest.size) return qeff_fail(err, QEFF_ERR_FORMAT, "directory ends in an entry");
    *m = (member){.name = {(const char *)b + QEFF_ZIP_ENTRY_BYTES, name},
                  .flags = qeff_load_u16le(b + 8),
                  .method = qeff_load_u16le(b + 10),
                  .crc = qeff_load_u32le(b + 16),
                  .packed = qeff_load_u32le(b + 20),
                  .size = qeff_load_u32le(b + 24),
                  .offset = qeff_load_u32le(b + 42)};
    qeff_bytes wide = {NULL, 0};
    if (!find_extra((qeff_bytes){b + QEFF_ZIP_ENTRY_BYTES + name, extra}, QEFF_ZIP_EXTRA_64,
                    &wide) ||
        !take_wide(&m->size, &wide) || !take_wide(&m->packed, &wide) ||
        !take_wide(&m->offset, &wide))
        return qeff_fail(err, QEFF_ERR_FORMAT, "malformed extra field in the directory");
    return QEFF_OK;
}

/* Reads the header before the data, and checks that it says the same. */
static qeff_status
check_local(qeff_bytes file, const directory *dir, member *m, region *taken, qeff_error *err)
{
    if (m->offset > dir->offset || dir->offset - m->offset < QEFF_ZIP_LOCAL_BYTES)
        return qeff_fail(err, QEFF_ERR_FORMAT, "header at %" PRIu64 " is outside the members",
                         m->offset);
    const uint8_t *b = file.data + m->offset;
    const uint64_t room = dir->offset - m->offset - QEFF_ZIP_LOCAL_BYTES;
    const size_t name = qeff_load_u16le(b + 26), extra = qeff_load_u16le(b + 28);
    if (qeff_load_u32le(b) != QEFF_ZIP_LOCAL || name + extra > room ||
        m->packed > room - name - extra)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "member of %" PRIu64 " bytes at %" PRIu64 " does not fit the file",
                         m->packed, m->offset);
    uint64_t packed = qeff_load_u32le(b + 18), size = qeff_load_u32le(b + 22);
    qeff_bytes wide = {NULL, 0};
    const bool is_read = find_extra((qeff_bytes){b + QEFF_ZIP_LOCAL_BYTES + name, extra},
                                    QEFF_ZIP_EXTRA_64, &wide) &&
                         take_wide(&size, &wide) && take_wide(&packed, &wide);
    if (!is_read || qeff_load_u16le(b + 6) != m->flags || qeff_load_u16le(b + 8) != m->method ||
        qeff_load_u32le(b + 14) != m->crc || packed != m->packed || size != m->size ||
        !qeff_str_equal((qeff_str){(const char *)b + QEFF_ZIP_LOCAL_BYTES, name}, m->name))
        return qeff_fail(err, QEFF_ERR_FORMAT, "directory and header of the member disagree");
    taken->begin = m->offset;
    m->offset += QEFF_ZIP_LOCAL_BYTES + name + extra;
    taken->end = m->offset + m->packed;
    return QEFF_OK;
}

static qeff_status check_kind(const member *m, qeff_error *err)
{
    if (m->method != 0) {
        const qeff_status status =
            qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                      "compressed by method %u, expected a stored member", m->method);
        qeff_hint(err, "save with numpy.savez, not with numpy.savez_compressed");
        return status;
    }
    if (m->flags & ~(unsigned)KNOWN_FLAGS)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                         "encrypted or streamed member (flags 0x%04x) is not supported", m->flags);
    if (m->packed != m->size)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "stored member of %" PRIu64 " bytes that takes %" PRIu64, m->size,
                         m->packed);
    return QEFF_OK;
}

bool qeff_zip_is_array_name(qeff_str name)
{
    if (name.size == 0 || name.size > QEFF_ZIP_NAME_BYTES_MAX || !qeff_utf8_is_valid(name))
        return false;
    size_t segment = 0;
    for (size_t i = 0; i <= name.size; i++) {
        if (i < name.size && name.data[i] != '/') {
            const unsigned char c = (unsigned char)name.data[i];
            if (c < 0x20 || c == 0x7f || c == '\\') return false;
            continue;
        }
        const qeff_str part = {name.data + segment, i - segment};
        if (part.size == 0 || qeff_str_is(part, ".") || qeff_str_is(part, "..")) return false;
        segment = i + 1;
    }
    return true;
}

static bool is_ascii(qeff_str name)
{
    for (size_t i = 0; i < name.size; i++)
        if ((unsigned char)name.data[i] >= 0x80) return false;
    return true;
}

/* The name of the array in a member. Without the flag, bytes beyond ASCII are in some code page. */
static qeff_status read_name(const member *m, qeff_str *name, qeff_error *err)
{
    *name = m->name;
    if (qeff_str_ends_with(m->name, ".npy")) {
        name->size -= strlen(".npy");
        if (qeff_zip_is_array_name(*name) && (m->flags & QEFF_ZIP_FLAG_UTF8 || is_ascii(*name)))
            return QEFF_OK;
    }
    return qeff_fail(err, QEFF_ERR_FORMAT, "expected the name of an array, ending in '.npy'");
}

static qeff_status check_crc(qeff_npz *npz, const member *m, qeff_error *err)
{
    qeff_crc32 *crc = &npz->crc;
    crc->value = 0;
    for (uint64_t at = 0; at < m->size; at += CRC_CHUNK_BYTES) {
        const uint64_t rest = m->size - at;
        const qeff_bytes chunk = {npz->file.data + m->offset + at,
                                  rest < CRC_CHUNK_BYTES ? (size_t)rest : CRC_CHUNK_BYTES};
        qeff_crc32_update(crc, chunk.data, chunk.size);
        if (rest > CRC_CHUNK_BYTES) qeff_file_release(&npz->file, chunk);
    }
    if (crc->value == m->crc) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "checksum 0x%08x, expected 0x%08x", (unsigned)crc->value,
                     (unsigned)m->crc);
}

static qeff_status
read_member(qeff_npz *npz, const directory *dir, member *m, region *taken, qeff_error *err)
{
    const qeff_bytes file = {npz->file.data, npz->file.size};
    qeff_str name = {NULL, 0};
    QEFF_TRY(check_kind(m, err));
    QEFF_TRY(read_name(m, &name, err));
    QEFF_TRY(check_local(file, dir, m, taken, err));
    qeff_array *array = &npz->arrays[npz->n_arrays];
    QEFF_TRY(qeff_npy_parse((qeff_bytes){file.data + m->offset, (size_t)m->size}, array, err));
    array->name = name;
    npz->n_arrays++;
    return QEFF_OK;
}

static int compare_regions(const void *a, const void *b)
{
    const region *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static int compare_names(const void *a, const void *b)
{
    return qeff_str_compare((*(const qeff_array *const *)a)->name,
                            (*(const qeff_array *const *)b)->name);
}

static qeff_status check_members(qeff_npz *npz, region *taken, qeff_error *err)
{
    const size_t n = npz->n_arrays;
    for (size_t i = 0; i < n; i++)
        npz->sorted[i] = &npz->arrays[i];
    if (n > 1) {
        qsort(npz->sorted, n, sizeof *npz->sorted, compare_names);
        qsort(taken, n, sizeof *taken, compare_regions);
    }
    for (size_t i = 1; i < n; i++) {
        if (qeff_str_equal(npz->sorted[i]->name, npz->sorted[i - 1]->name))
            return qeff_fail(err, QEFF_ERR_FORMAT, "array '%.*s' is there twice",
                             QEFF_STR_ARGS(npz->sorted[i]->name));
        if (taken[i].begin < taken[i - 1].end)
            return qeff_fail(err, QEFF_ERR_FORMAT, "two members overlap at byte %" PRIu64,
                             taken[i].begin);
    }
    return QEFF_OK;
}

/* Where the directory lies, in its long form. */
static qeff_status read_end64(qeff_bytes file, uint64_t locator, directory *dir, qeff_error *err)
{
    const uint8_t *l = file.data + locator;
    const uint64_t at = qeff_load_u64le(l + 8);
    if (locator < QEFF_ZIP_END64_BYTES || at != locator - QEFF_ZIP_END64_BYTES ||
        qeff_load_u32le(file.data + at) != QEFF_ZIP_END64 ||
        qeff_load_u64le(file.data + at + 4) != QEFF_ZIP_END64_BYTES - 12 ||
        qeff_load_u64le(file.data + at + 24) != qeff_load_u64le(file.data + at + 32))
        return qeff_fail(err, QEFF_ERR_FORMAT, "malformed end of the directory");
    const uint64_t size = qeff_load_u64le(file.data + at + 40);
    *dir = (directory){.n_members = qeff_load_u64le(file.data + at + 32),
                       .offset = qeff_load_u64le(file.data + at + 48),
                       .end = at};
    if (size > at || dir->offset != at - size)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "directory of %" PRIu64 " bytes at %" PRIu64 " does not end at %" PRIu64,
                         size, dir->offset, at);
    return QEFF_OK;
}

static qeff_status find_directory(qeff_bytes file, directory *dir, qeff_error *err)
{
    const uint64_t end = file.size - QEFF_ZIP_END_BYTES; /* only used where it fits */
    if (file.size < QEFF_ZIP_END_BYTES || qeff_load_u32le(file.data + end) != QEFF_ZIP_END)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "not an .npz file, or cut: it does not end with a zip directory");
    const uint8_t *b = file.data + end;
    if (qeff_load_u16le(b + 4) || qeff_load_u16le(b + 6) || qeff_load_u16le(b + 20) ||
        qeff_load_u16le(b + 8) != qeff_load_u16le(b + 10))
        return qeff_fail(err, QEFF_ERR_FORMAT, "malformed end of the directory");
    const uint64_t size = qeff_load_u32le(b + 12);
    *dir = (directory){qeff_load_u16le(b + 10), qeff_load_u32le(b + 16), end};
    if (size <= end && dir->offset == end - size) return QEFF_OK;
    if (end >= QEFF_ZIP_LOCATOR_BYTES &&
        qeff_load_u32le(b - QEFF_ZIP_LOCATOR_BYTES) == QEFF_ZIP_LOCATOR)
        return read_end64(file, end - QEFF_ZIP_LOCATOR_BYTES, dir, err);
    return qeff_fail(err, QEFF_ERR_FORMAT,
                     "directory of %" PRIu64 " bytes at %" PRIu64 " does not end at %" PRIu64, size,
                     dir->offset, end);
}

/* Reads all members; their checksums come last, once everything cheap has been checked. */
static qeff_status
read_members(qeff_npz *npz, const directory *dir, member *members, region *taken, qeff_error *err)
{
    size_t at = (size_t)dir->offset;
    for (uint64_t i = 0; i < dir->n_members; i++) {
        member *m = &members[i];
        size_t used = 0;
        const qeff_bytes rest = {npz->file.data + at, (size_t)dir->end - at};
        QEFF_TRY(read_entry(rest, m, &used, err));
        QEFF_TRY(qeff_within(err, read_member(npz, dir, m, &taken[i], err), "member '%.*s'",
                             QEFF_STR_ARGS(m->name)));
        at += used;
    }
    if (at != dir->end)
        return qeff_fail(err, QEFF_ERR_FORMAT, "directory is longer than its %" PRIu64 " entries",
                         dir->n_members);
    QEFF_TRY(check_members(npz, taken, err));
    qeff_crc32_init(&npz->crc);
    for (uint64_t i = 0; i < dir->n_members; i++)
        QEFF_TRY(qeff_within(err, check_crc(npz, &members[i], err), "member '%.*s'",
                             QEFF_STR_ARGS(members[i].name)));
    return QEFF_OK;
}

static qeff_status read_archive(qeff_npz *npz, qeff_error *err)
{
    directory dir = {0};
    QEFF_TRY(find_directory((qeff_bytes){npz->file.data, npz->file.size}, &dir, err));
    if (dir.n_members > MEMBERS_MAX ||
        dir.n_members > (dir.end - dir.offset) / QEFF_ZIP_ENTRY_BYTES)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "%" PRIu64 " members, expected at most %d that fit the directory",
                         dir.n_members, MEMBERS_MAX);
    const size_t n = (size_t)dir.n_members;
    npz->arrays = qeff_alloc_array(n, sizeof *npz->arrays);
    npz->sorted = qeff_alloc_array(n, sizeof *npz->sorted);
    member *members = qeff_alloc_array(n, sizeof *members);
    region *taken = qeff_alloc_array(n, sizeof *taken);
    const qeff_status status =
        npz->arrays && npz->sorted && members && taken
            ? read_members(npz, &dir, members, taken, err)
            : qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for %zu members", n);
    qeff_free(members);
    qeff_free(taken);
    return status;
}

qeff_status qeff_npz_open(const char *path, qeff_npz **out, qeff_error *err)
{
    *out = NULL;
    qeff_npz *npz = qeff_alloc_zeroed(sizeof *npz);
    if (!npz) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': out of memory", path);
    qeff_status status = qeff_file_map(path, &npz->file, err);
    if (!status) status = qeff_within(err, read_archive(npz, err), "'%s'", path);
    if (status) {
        qeff_npz_close(npz);
        return status;
    }
    *out = npz;
    return QEFF_OK;
}

void qeff_npz_close(qeff_npz *npz)
{
    if (!npz) return;
    qeff_free(npz->arrays);
    qeff_free((void *)npz->sorted);
    qeff_file_unmap(&npz->file);
    qeff_free(npz);
}

size_t qeff_npz_count(const qeff_npz *npz)
{
    return npz->n_arrays;
}

const qeff_array *qeff_npz_at(const qeff_npz *npz, size_t index)
{
    return &npz->arrays[index];
}

const qeff_array *qeff_npz_find(const qeff_npz *npz, qeff_str name)
{
    size_t low = 0;
    for (size_t high = npz->n_arrays; low < high;) {
        const size_t middle = low + (high - low) / 2;
        const int order = qeff_str_compare(npz->sorted[middle]->name, name);
        if (order == 0) return npz->sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
