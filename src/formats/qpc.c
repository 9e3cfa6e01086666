/* qpc.c - reading and writing the program container; its layout is in qpc.h.
 *
 * All positions in a file count from `base`, which the SDK's compiler sets to an address of its own
 * process and this writer to 0. The table comes before the data, so a writer declares all sizes
 * first. Reading allows any order and any gaps, but no overlap: two images that share bytes, or an
 * image that lies over the table, are signs of forgery. */
#include "formats/qpc.h"

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/span.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    MAGIC = 0x00a1cd7c,
    VERSION_MAJOR = 0,
    VERSION_MINOR = 1,
    COMPRESSION = 1, /* the loader's name for the plain layout */
    HEADER_BYTES = 40,
    ROW_BYTES = 32,
    NAME_ALIGNMENT = 8,
    DATA_ALIGNMENT = 64, /* of what is written; SDK files have 8 */
    NAME_BYTES_MAX = 127,
    REGIONS_MAX = 2 + 2 * QEFF_QPC_IMAGES_MAX, /* header, table, names and data */
};

typedef struct image {
    qeff_str name;
    qeff_bytes data;
} image;

struct qeff_qpc {
    qeff_file file;
    size_t n_images;
    image images[QEFF_QPC_IMAGES_MAX];
};

/* Part of the file that something claims: [begin, end). */
typedef struct region {
    uint64_t begin, end;
} region;

typedef struct reader {
    qeff_bytes file;
    uint64_t base;
    size_t n_regions;
    region regions[REGIONS_MAX];
    qeff_error *err;
} reader;

/* Turns a position into an offset, checks it, and claims `size` bytes from it. */
static qeff_status
claim(reader *r, const char *what, uint64_t position, uint64_t size, uint64_t *offset)
{
    if (position < r->base || position - r->base > r->file.size ||
        size > r->file.size - (position - r->base))
        return qeff_fail(r->err, QEFF_ERR_FORMAT,
                         "%s of %" PRIu64 " bytes at %" PRIu64 " is outside a file of %zu bytes",
                         what, size, position < r->base ? position : position - r->base,
                         r->file.size);
    *offset = position - r->base;
    if (*offset % NAME_ALIGNMENT != 0)
        return qeff_fail(r->err, QEFF_ERR_FORMAT, "%s at %" PRIu64 ", expected a multiple of %d",
                         what, *offset, NAME_ALIGNMENT);
    const region fresh = {*offset, *offset + size};
    for (size_t i = 0; i < r->n_regions && size; i++)
        if (fresh.begin < r->regions[i].end && r->regions[i].begin < fresh.end)
            return qeff_fail(r->err, QEFF_ERR_FORMAT, "%s at %" PRIu64 " overlaps another part",
                             what, *offset);
    if (size) r->regions[r->n_regions++] = fresh;
    return QEFF_OK;
}

static bool is_name(qeff_str name)
{
    if (name.size == 0 || name.size > NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~' || name.data[i] == '/') return false;
    return true;
}

static qeff_status read_name(reader *r, uint64_t position, qeff_str *out)
{
    if (position >= r->base && position - r->base < r->file.size) {
        const uint8_t *first = r->file.data + (position - r->base);
        const size_t rest = r->file.size - (size_t)(position - r->base);
        const uint8_t *end =
            memchr(first, 0, rest < NAME_BYTES_MAX + 1 ? rest : NAME_BYTES_MAX + 1);
        if (end) {
            uint64_t offset = 0;
            *out = (qeff_str){(const char *)first, (size_t)(end - first)};
            if (is_name(*out)) return claim(r, "name", position, out->size + 1, &offset);
        }
    }
    return qeff_fail(r->err, QEFF_ERR_FORMAT,
                     "expected a name of 1 to %d printable characters with a NUL behind it",
                     NAME_BYTES_MAX);
}

static qeff_status read_image(reader *r, const uint8_t *row, image *out)
{
    const uint64_t size = qeff_load_u64le(row);
    const uint64_t n_static = qeff_load_u64le(row + 8);
    uint64_t offset = 0;
    QEFF_TRY(read_name(r, qeff_load_u64le(row + 16), &out->name));
    QEFF_TRY(claim(r, "data", qeff_load_u64le(row + 24), size, &offset));
    if (n_static > size)
        return qeff_fail(r->err, QEFF_ERR_FORMAT, "%" PRIu64 " static bytes of %" PRIu64, n_static,
                         size);
    out->data = (qeff_bytes){r->file.data + offset, (size_t)size};
    return QEFF_OK;
}

static qeff_status read_header(const qeff_bytes file, qeff_error *err)
{
    if (file.size < HEADER_BYTES)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%zu bytes, expected at least %d", file.size,
                         HEADER_BYTES);
    if (qeff_load_u32le(file.data) != MAGIC)
        return qeff_fail(err, QEFF_ERR_FORMAT, "not a program: expected 0x%08x, found 0x%08x",
                         (unsigned)MAGIC, (unsigned)qeff_load_u32le(file.data));
    if (file.data[4] != VERSION_MAJOR)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "container version %u, expected %d",
                         (unsigned)file.data[4], VERSION_MAJOR);
    if (qeff_load_u16le(file.data + 6) != COMPRESSION)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "compression %u, expected %d",
                         (unsigned)qeff_load_u16le(file.data + 6), COMPRESSION);
    if (qeff_load_u64le(file.data + 8) != file.size)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%zu bytes, but the header says %" PRIu64, file.size,
                         qeff_load_u64le(file.data + 8));
    if (qeff_load_u64le(file.data + 24) > QEFF_QPC_IMAGES_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%" PRIu64 " images, expected at most %d",
                         qeff_load_u64le(file.data + 24), QEFF_QPC_IMAGES_MAX);
    return QEFF_OK;
}

static qeff_status read_file(qeff_qpc *qpc, qeff_error *err)
{
    reader r = {.file = {qpc->file.data, qpc->file.size}, .err = err};
    uint64_t table = 0;
    QEFF_TRY(read_header(r.file, err));
    r.base = qeff_load_u64le(r.file.data + 16);
    const uint64_t n = qeff_load_u64le(r.file.data + 24);
    r.regions[r.n_regions++] = (region){0, HEADER_BYTES};
    QEFF_TRY(claim(&r, "table", qeff_load_u64le(r.file.data + 32), n * ROW_BYTES, &table));
    for (size_t i = 0; i < n; i++) {
        image *out = &qpc->images[i];
        const qeff_status status = read_image(&r, r.file.data + table + i * ROW_BYTES, out);
        if (status) return qeff_within(err, status, "image %zu", i);
        for (size_t j = 0; j < i; j++)
            if (qeff_str_equal(out->name, qpc->images[j].name))
                return qeff_fail(err, QEFF_ERR_FORMAT, "image '%.*s' is there twice",
                                 QEFF_STR_ARGS(out->name));
        qpc->n_images++;
    }
    return QEFF_OK;
}

qeff_status qeff_qpc_open(const char *path, qeff_qpc **out, qeff_error *err)
{
    *out = NULL;
    qeff_qpc *qpc = qeff_alloc_zeroed(sizeof *qpc);
    if (!qpc) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': out of memory", path);
    qeff_status status = qeff_file_map(path, &qpc->file, err);
    if (!status) status = qeff_within(err, read_file(qpc, err), "'%s'", path);
    if (status) {
        qeff_qpc_close(qpc);
        return status;
    }
    *out = qpc;
    return QEFF_OK;
}

void qeff_qpc_close(qeff_qpc *qpc)
{
    if (!qpc) return;
    qeff_file_unmap(&qpc->file);
    qeff_free(qpc);
}

size_t qeff_qpc_count(const qeff_qpc *qpc)
{
    return qpc->n_images;
}

qeff_str qeff_qpc_name(const qeff_qpc *qpc, size_t index)
{
    return qpc->images[index].name;
}

bool qeff_qpc_find(const qeff_qpc *qpc, const char *name, qeff_bytes *out)
{
    for (size_t i = 0; i < qpc->n_images; i++)
        if (qeff_str_is(qpc->images[i].name, name)) {
            *out = qpc->images[i].data;
            return true;
        }
    return false;
}

static qeff_status check_images(const qeff_qpc_image *images, size_t n, qeff_error *err)
{
    if (n > QEFF_QPC_IMAGES_MAX)
        return qeff_fail(err, QEFF_ERR_INVALID, "%zu images, expected at most %d", n,
                         QEFF_QPC_IMAGES_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!is_name(qeff_str_of(images[i].name)))
            return qeff_fail(err, QEFF_ERR_INVALID, "'%s' cannot be the name of an image",
                             images[i].name);
        for (size_t j = 0; j < i; j++)
            if (strcmp(images[i].name, images[j].name) == 0)
                return qeff_fail(err, QEFF_ERR_INVALID, "image '%s' is there twice",
                                 images[i].name);
    }
    return QEFF_OK;
}

static uint64_t align_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* Where names and data go. Returns the size of the file, or 0 where it would not fit 63 bits. */
static uint64_t plan_layout(qeff_qpc_writer *w, const qeff_qpc_image *images, uint64_t *names)
{
    uint64_t at = HEADER_BYTES + w->n_images * (uint64_t)ROW_BYTES;
    for (size_t i = 0; i < w->n_images; i++) {
        names[i] = align_up(at, NAME_ALIGNMENT);
        at = names[i] + strlen(images[i].name) + 1;
    }
    for (size_t i = 0; i < w->n_images; i++) {
        w->starts[i] = align_up(at, DATA_ALIGNMENT);
        w->sizes[i] = images[i].size;
        if (!qeff_add_u64(w->starts[i], images[i].size, &at) ||
            at > (uint64_t)INT64_MAX - DATA_ALIGNMENT)
            return 0;
    }
    return at;
}

static void append_u64(qeff_writer *file, uint64_t value)
{
    uint8_t bytes[8];
    qeff_store_u64le(bytes, value);
    qeff_writer_append(file, bytes, sizeof bytes);
}

static void
write_head(qeff_qpc_writer *w, const qeff_qpc_image *images, const uint64_t *names, uint64_t size)
{
    uint8_t start[8] = {[4] = VERSION_MAJOR, [5] = VERSION_MINOR};
    qeff_store_u32le(start, MAGIC);
    qeff_store_u16le(start + 6, COMPRESSION);
    qeff_writer_append(&w->file, start, sizeof start);
    append_u64(&w->file, size);
    append_u64(&w->file, 0); /* base */
    append_u64(&w->file, w->n_images);
    append_u64(&w->file, HEADER_BYTES);
    for (size_t i = 0; i < w->n_images; i++) {
        const bool is_static = strcmp(images[i].name, "constants.bin") == 0;
        append_u64(&w->file, images[i].size);
        append_u64(&w->file, is_static ? images[i].size : 0);
        append_u64(&w->file, names[i]);
        append_u64(&w->file, w->starts[i]);
    }
    for (size_t i = 0; i < w->n_images; i++) {
        qeff_writer_pad(&w->file, NAME_ALIGNMENT);
        qeff_writer_append(&w->file, images[i].name, strlen(images[i].name) + 1);
    }
}

/* Moves on to the next image that has bytes to come, and to its start in the file. */
static void seek_image(qeff_qpc_writer *w)
{
    while (w->current < w->n_images && w->n_appended == w->sizes[w->current]) {
        w->current++;
        w->n_appended = 0;
        if (w->current < w->n_images) qeff_writer_pad(&w->file, DATA_ALIGNMENT);
    }
}

qeff_status qeff_qpc_writer_open(qeff_qpc_writer *w, const char *path, const qeff_qpc_image *images,
                                 size_t n_images, qeff_error *err)
{
    uint64_t names[QEFF_QPC_IMAGES_MAX];
    *w = (qeff_qpc_writer){.status = QEFF_OK};
    QEFF_TRY(qeff_within(err, check_images(images, n_images, err), "'%s'", path));
    w->n_images = n_images;
    const uint64_t size = plan_layout(w, images, names);
    if (size == 0) return qeff_fail(err, QEFF_ERR_INVALID, "'%s': images are too large", path);
    QEFF_TRY(qeff_writer_open(&w->file, path, err));
    write_head(w, images, names, size);
    if (n_images) qeff_writer_pad(&w->file, DATA_ALIGNMENT);
    seek_image(w);
    return QEFF_OK;
}

void qeff_qpc_writer_append(qeff_qpc_writer *w, const void *data, size_t size)
{
    if (w->status || size == 0) return;
    const uint64_t rest =
        w->current < w->n_images ? w->sizes[w->current] - w->n_appended : (uint64_t)0;
    if (size > rest) {
        w->status = qeff_fail(&w->error, QEFF_ERR_INTERNAL,
                              "'%s': %zu bytes for image %zu, which has room for %" PRIu64,
                              w->file.path, size, w->current, rest);
        return;
    }
    qeff_writer_append(&w->file, data, size);
    w->n_appended += size;
    seek_image(w);
}

qeff_status qeff_qpc_writer_commit(qeff_qpc_writer *w, qeff_error *err)
{
    if (!w->status && w->current < w->n_images)
        w->status = qeff_fail(&w->error, QEFF_ERR_INTERNAL,
                              "'%s': image %zu has %" PRIu64 " of %" PRIu64 " bytes", w->file.path,
                              w->current, w->n_appended, w->sizes[w->current]);
    if (!w->status) return qeff_writer_commit(&w->file, err);
    qeff_writer_abort(&w->file);
    if (err) *err = w->error;
    return w->status;
}

void qeff_qpc_writer_abort(qeff_qpc_writer *w)
{
    qeff_writer_abort(&w->file);
}
