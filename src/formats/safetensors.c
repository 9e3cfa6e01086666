/* safetensors.c - views into a .safetensors file.
 *
 *   u64le header_size | header_size bytes of JSON | data
 *   JSON: {"name": {"dtype": "F16", "shape": [2, 3], "data_offsets": [begin, end]}, …,
 *          "__metadata__": {"key": "value", …}}
 *
 * Offsets count from the first byte after the JSON; `end` is exclusive. In the order of their
 * offsets the tensors cover the data from 0 to its end, without hole or overlap.
 *
 * The header may have 100 MB and a million entries, so it is read token by token into small
 * records, all of them are checked, and only then the views are made. */
#include "formats/safetensors.h"

#include "base/alloc.h"
#include "base/checked.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/span.h"
#include "formats/json_scan.h"

#include <inttypes.h>

enum {
    HEADER_BYTES_MAX = 100000000, /* the limit of the reference implementation */
    TENSORS_MAX = 1000000,
    NAME_BYTES_MAX = 4096,
    METADATA_BYTES_MAX = 16 << 20,
    METADATA_VALUES_MAX = 200000,
    JSON_DEPTH_MAX = 127, /* what the reference's parser allows */
};

struct qeff_safetensors {
    qeff_file file;
    qeff_arena names; /* of names that were written with escapes */
    qeff_json_document *metadata;
    size_t n_tensors;
    qeff_tensor_view *tensors; /* [n_tensors], in the order of the names */
};

/* A tensor while the header is being checked. */
typedef struct entry {
    const char *name;
    uint64_t begin, end; /* in the data */
    uint32_t name_size;
    uint32_t first_dimension; /* in reader.dimensions */
    uint8_t rank;
    uint8_t dtype; /* qeff_dtype */
} entry;

typedef struct reader {
    qeff_json_scan scan;
    qeff_error *err;
    qeff_safetensors *owner;
    qeff_str header;
    qeff_bytes data;
    entry *entries;
    size_t n_entries, capacity;
    int64_t *dimensions; /* of all tensors, one after the other */
    size_t n_dimensions, dimensions_capacity;
} reader;

/* Fields of an entry, as bits. */
enum { HAS_DTYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

static qeff_status fail_memory(qeff_error *err)
{
    return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for the header");
}

/* The current key or string; where it has escapes, a copy that lives as long as the file. */
static qeff_status read_text(reader *r, qeff_str *out)
{
    *out = r->scan.content;
    if (!r->scan.has_escapes) return QEFF_OK;
    char *text = qeff_arena_alloc(&r->owner->names, qeff_json_scan_unescape(&r->scan, NULL));
    if (!text) return fail_memory(r->err);
    *out = (qeff_str){text, qeff_json_scan_unescape(&r->scan, text)};
    return QEFF_OK;
}

static qeff_status read_dtype(reader *r, entry *e)
{
    /* in the format, but without a counterpart here */
    static const char *const foreign[] = {"F4",  "F6_E2M3",     "F6_E3M2",    "F8_E8M0",
                                          "C64", "F8_E4M3FNUZ", "F8_E5M2FNUZ"};
    if (qeff_json_scan_next(&r->scan) != QEFF_JSON_TOKEN_STR)
        return qeff_json_scan_fail(&r->scan, "expected a string as dtype");
    const qeff_str name = r->scan.content;
    const qeff_dtype dtype = qeff_dtype_from_safetensors(name);
    e->dtype = (uint8_t)dtype;
    if (dtype != QEFF_DTYPE_NONE) return QEFF_OK;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (qeff_str_is(name, foreign[i]))
            return qeff_fail(r->err, QEFF_ERR_UNSUPPORTED, "dtype '%s' is not supported",
                             foreign[i]);
    return qeff_json_scan_fail(&r->scan, "unknown dtype '%.*s'", QEFF_STR_ARGS(name));
}

static qeff_status read_shape(reader *r, entry *e)
{
    if (qeff_json_scan_next(&r->scan) != QEFF_JSON_TOKEN_ARRAY)
        return qeff_json_scan_fail(&r->scan, "expected an array as shape");
    e->rank = 0;
    e->first_dimension = (uint32_t)r->n_dimensions;
    for (;;) {
        uint64_t n = 0;
        const qeff_json_token token = qeff_json_scan_next(&r->scan);
        if (token == QEFF_JSON_TOKEN_ARRAY_END) return QEFF_OK;
        if (token != QEFF_JSON_TOKEN_NUMBER || !qeff_json_scan_to_u64(&r->scan, &n) ||
            n > INT64_MAX)
            return qeff_json_scan_fail(&r->scan, "expected a count below 2^63 as dimension");
        if (e->rank == QEFF_MAX_RANK)
            return qeff_json_scan_fail(&r->scan, "more than %d dimensions", QEFF_MAX_RANK);
        int64_t *grown = qeff_grow(r->dimensions, r->n_dimensions, &r->dimensions_capacity,
                                   sizeof *r->dimensions);
        if (!grown) return fail_memory(r->err);
        r->dimensions = grown;
        r->dimensions[r->n_dimensions++] = (int64_t)n;
        e->rank++;
    }
}

static qeff_status read_offsets(reader *r, entry *e)
{
    uint64_t *const fields[] = {&e->begin, &e->end};
    if (qeff_json_scan_next(&r->scan) != QEFF_JSON_TOKEN_ARRAY)
        return qeff_json_scan_fail(&r->scan, "expected an array as data_offsets");
    for (size_t i = 0; i < 2; i++)
        if (qeff_json_scan_next(&r->scan) != QEFF_JSON_TOKEN_NUMBER ||
            !qeff_json_scan_to_u64(&r->scan, fields[i]))
            return qeff_json_scan_fail(&r->scan, "expected two counts of bytes as data_offsets");
    if (qeff_json_scan_next(&r->scan) != QEFF_JSON_TOKEN_ARRAY_END)
        return qeff_json_scan_fail(&r->scan, "expected only two numbers as data_offsets");
    return QEFF_OK;
}

/* Sizes are compared three ways: offsets with the file, shape with the offsets, and later the
 * offsets with one another. */
static qeff_status check_entry(reader *r, const entry *e)
{
    uint64_t need = 0;
    const int64_t *shape = e->rank ? r->dimensions + e->first_dimension : NULL;
    if (!qeff_tensor_bytes((qeff_dtype)e->dtype, e->rank, shape, &need))
        return qeff_fail(r->err, QEFF_ERR_FORMAT, "shape overflows 63 bits");
    if (e->end < e->begin || e->end > r->data.size)
        return qeff_fail(r->err, QEFF_ERR_FORMAT,
                         "data_offsets [%" PRIu64 ", %" PRIu64 "] outside %zu bytes of data",
                         e->begin, e->end, r->data.size);
    if (e->end - e->begin != need)
        return qeff_fail(r->err, QEFF_ERR_FORMAT,
                         "data_offsets hold %" PRIu64 " bytes, but dtype and shape need %" PRIu64,
                         e->end - e->begin, need);
    return QEFF_OK;
}

static qeff_status read_field(reader *r, entry *e, unsigned *found)
{
    const qeff_str key = r->scan.content;
    unsigned bit = 0;
    if (qeff_str_is(key, "dtype"))
        bit = HAS_DTYPE;
    else if (qeff_str_is(key, "shape"))
        bit = HAS_SHAPE;
    else if (qeff_str_is(key, "data_offsets"))
        bit = HAS_OFFSETS;
    if (*found & bit)
        return qeff_json_scan_fail(&r->scan, "key '%.*s' is there twice", QEFF_STR_ARGS(key));
    *found |= bit;
    if (bit == HAS_DTYPE) return read_dtype(r, e);
    if (bit == HAS_SHAPE) return read_shape(r, e);
    if (bit == HAS_OFFSETS) return read_offsets(r, e);
    qeff_json_scan_skip(&r->scan, qeff_json_scan_next(&r->scan));
    return r->scan.status;
}

/* The value of a tensor's key. */
static qeff_status read_fields(reader *r, entry *e)
{
    unsigned found = 0;
    if (qeff_json_scan_next(&r->scan) != QEFF_JSON_TOKEN_OBJECT)
        return qeff_json_scan_fail(&r->scan, "expected an object");
    while (qeff_json_scan_next(&r->scan) == QEFF_JSON_TOKEN_KEY)
        QEFF_TRY(read_field(r, e, &found));
    if (r->scan.status) return r->scan.status;
    if (found != HAS_ALL)
        return qeff_json_scan_fail(&r->scan, "no %s",
                                   !(found & HAS_DTYPE)   ? "dtype"
                                   : !(found & HAS_SHAPE) ? "shape"
                                                          : "data_offsets");
    return check_entry(r, e);
}

static qeff_status read_tensor(reader *r, qeff_str name)
{
    if (name.size > NAME_BYTES_MAX)
        return qeff_json_scan_fail(&r->scan, "name of %zu bytes, expected at most %d", name.size,
                                   NAME_BYTES_MAX);
    if (r->n_entries == TENSORS_MAX)
        return qeff_json_scan_fail(&r->scan, "more than %d tensors", TENSORS_MAX);
    entry *grown = qeff_grow(r->entries, r->n_entries, &r->capacity, sizeof *r->entries);
    if (!grown) return fail_memory(r->err);
    r->entries = grown;
    entry *e = &r->entries[r->n_entries++];
    *e = (entry){.name = name.data, .name_size = (uint32_t)name.size};
    return qeff_within(r->err, read_fields(r, e), "tensor '%.*s'", QEFF_STR_ARGS(name));
}

/* Null, or an object of strings. */
static qeff_status read_metadata(reader *r)
{
    const qeff_json_limits limits = {METADATA_BYTES_MAX, 1, METADATA_VALUES_MAX};
    const qeff_json_token first = qeff_json_scan_next(&r->scan);
    const size_t start = r->scan.start;
    if (first == QEFF_JSON_TOKEN_NULL) return QEFF_OK;
    if (first != QEFF_JSON_TOKEN_OBJECT)
        return qeff_json_scan_fail(&r->scan, "expected an object of strings");
    while (qeff_json_scan_next(&r->scan) == QEFF_JSON_TOKEN_KEY)
        if (qeff_json_scan_next(&r->scan) != QEFF_JSON_TOKEN_STR)
            return qeff_json_scan_fail(&r->scan, "expected a string");
    if (r->scan.status) return r->scan.status;
    const qeff_str text = {r->header.data + start, r->scan.at - start};
    return qeff_json_parse(text, &limits, &r->owner->metadata, r->err);
}

static qeff_status read_header(reader *r)
{
    const qeff_json_limits limits = {HEADER_BYTES_MAX, JSON_DEPTH_MAX, SIZE_MAX};
    bool has_metadata = false;
    qeff_json_scan_init(&r->scan, r->header, &limits, r->err);
    if (qeff_json_scan_next(&r->scan) != QEFF_JSON_TOKEN_OBJECT)
        return qeff_json_scan_fail(&r->scan, "expected an object");
    while (qeff_json_scan_next(&r->scan) == QEFF_JSON_TOKEN_KEY) {
        qeff_str name = {NULL, 0};
        QEFF_TRY(read_text(r, &name));
        if (!qeff_str_is(name, "__metadata__")) {
            QEFF_TRY(read_tensor(r, name));
            continue;
        }
        if (has_metadata) return qeff_json_scan_fail(&r->scan, "key '__metadata__' is there twice");
        has_metadata = true;
        QEFF_TRY(qeff_within(r->err, read_metadata(r), "'__metadata__'"));
    }
    if (!r->scan.status) (void)qeff_json_scan_next(&r->scan); /* nothing may follow */
    return r->scan.status;
}

static int compare_offsets(const entry *a, const entry *b)
{
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end) return a->end < b->end ? -1 : 1;
    return 0;
}

static int compare_names(const entry *a, const entry *b)
{
    return qeff_str_compare((qeff_str){a->name, a->name_size}, (qeff_str){b->name, b->name_size});
}

/* Merges two neighbouring runs of `order` by way of `scratch`. */
static void merge(const entry *entries, uint32_t *order, uint32_t *scratch, size_t begin,
                  size_t middle, size_t end, int (*compare)(const entry *, const entry *))
{
    if (compare(&entries[order[middle - 1]], &entries[order[middle]]) <= 0) return;
    size_t a = begin, b = middle;
    for (size_t i = begin; i < end; i++) {
        const bool takes_a =
            b == end || (a < middle && compare(&entries[order[a]], &entries[order[b]]) <= 0);
        scratch[i] = takes_a ? order[a++] : order[b++];
    }
    memcpy(order + begin, scratch + begin, (end - begin) * sizeof *order);
}

/* A stable merge sort of indices: a million entries take 8 MB, and sorted input no time. */
static void sort_entries(const entry *entries, size_t n, uint32_t *order, uint32_t *scratch,
                         int (*compare)(const entry *, const entry *))
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t run = 1; run < n; run *= 2)
        for (size_t begin = 0; begin + run < n; begin += 2 * run) {
            const size_t end = begin + 2 * run < n ? begin + 2 * run : n;
            merge(entries, order, scratch, begin, begin + run, end, compare);
        }
}

static qeff_status check_coverage(const reader *r, const uint32_t *order)
{
    uint64_t end = 0;
    for (size_t i = 0; i < r->n_entries; i++) {
        const entry *e = &r->entries[order[i]];
        const qeff_str name = {e->name, e->name_size};
        if (e->begin != end)
            return qeff_fail(r->err, QEFF_ERR_FORMAT,
                             "tensor '%.*s': data begins at %" PRIu64 ", expected %" PRIu64
                             ", where the tensor before it ends",
                             QEFF_STR_ARGS(name), e->begin, end);
        end = e->end;
    }
    if (end != r->data.size)
        return qeff_fail(r->err, QEFF_ERR_FORMAT,
                         "tensors end at byte %" PRIu64 " of %zu bytes of data", end, r->data.size);
    return QEFF_OK;
}

static qeff_status check_names(const reader *r, const uint32_t *order)
{
    for (size_t i = 1; i < r->n_entries; i++) {
        const entry *e = &r->entries[order[i]];
        const qeff_str name = {e->name, e->name_size};
        if (compare_names(&r->entries[order[i - 1]], e) == 0)
            return qeff_fail(r->err, QEFF_ERR_FORMAT, "tensor '%.*s' is there twice",
                             QEFF_STR_ARGS(name));
    }
    return QEFF_OK;
}

static qeff_status make_views(const reader *r, const uint32_t *order)
{
    qeff_safetensors *st = r->owner;
    st->tensors = qeff_alloc_array(r->n_entries, sizeof *st->tensors);
    if (!st->tensors) return fail_memory(r->err);
    st->n_tensors = r->n_entries;
    for (size_t i = 0; i < r->n_entries; i++) {
        const entry *e = &r->entries[order[i]];
        const size_t size = (size_t)(e->end - e->begin);
        qeff_tensor_view *view = &st->tensors[i];
        *view = (qeff_tensor_view){.name = {e->name, e->name_size},
                                   .dtype = (qeff_dtype)e->dtype,
                                   .rank = e->rank,
                                   .data = {r->data.data + e->begin, size},
                                   .file = &st->file,
                                   .file_offset = st->file.size - r->data.size + e->begin};
        if (e->rank)
            memcpy(view->shape, r->dimensions + e->first_dimension,
                   e->rank * sizeof *r->dimensions);
    }
    return QEFF_OK;
}

static qeff_status check_entries(const reader *r)
{
    if (r->n_entries == 0) return check_coverage(r, NULL);
    uint32_t *order = qeff_alloc_array(r->n_entries, sizeof *order);
    uint32_t *scratch = qeff_alloc_array(r->n_entries, sizeof *scratch);
    qeff_status status = QEFF_OK;
    if (!order || !scratch) status = fail_memory(r->err);
    if (!status) {
        sort_entries(r->entries, r->n_entries, order, scratch, compare_offsets);
        status = check_coverage(r, order);
    }
    if (!status) {
        sort_entries(r->entries, r->n_entries, order, scratch, compare_names);
        status = check_names(r, order);
    }
    if (!status) status = make_views(r, order);
    qeff_free(order);
    qeff_free(scratch);
    return status;
}

static qeff_status read_file(qeff_safetensors *st, qeff_error *err)
{
    const qeff_bytes file = {st->file.data, st->file.size};
    if (file.size < 8)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%zu bytes, expected at least 8", file.size);
    const uint64_t size = qeff_load_u64le(file.data);
    if (size > HEADER_BYTES_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "header of %" PRIu64 " bytes, expected at most %d",
                         size, HEADER_BYTES_MAX);
    if (size > file.size - 8)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "header of %" PRIu64 " bytes does not fit a file of %zu bytes", size,
                         file.size);
    reader r = {.err = err, .owner = st};
    r.header = (qeff_str){(const char *)file.data + 8, (size_t)size};
    r.data = (qeff_bytes){file.data + 8 + size, file.size - 8 - (size_t)size};
    qeff_status status = qeff_within(err, read_header(&r), "header");
    if (!status) status = check_entries(&r);
    qeff_free(r.entries);
    qeff_free(r.dimensions);
    return status;
}

qeff_status qeff_safetensors_open(const char *path, qeff_safetensors **out, qeff_error *err)
{
    *out = NULL;
    qeff_safetensors *st = qeff_alloc_zeroed(sizeof *st);
    if (!st) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': out of memory", path);
    qeff_status status = qeff_file_map(path, &st->file, err);
    if (!status) status = qeff_within(err, read_file(st, err), "'%s'", path);
    if (status) {
        qeff_safetensors_close(st);
        return status;
    }
    *out = st;
    return QEFF_OK;
}

void qeff_safetensors_close(qeff_safetensors *st)
{
    if (!st) return;
    qeff_json_close(st->metadata);
    qeff_free(st->tensors);
    qeff_arena_deinit(&st->names);
    qeff_file_unmap(&st->file);
    qeff_free(st);
}

size_t qeff_safetensors_count(const qeff_safetensors *st)
{
    return st->n_tensors;
}

const qeff_tensor_view *qeff_safetensors_at(const qeff_safetensors *st, size_t index)
{
    return &st->tensors[index];
}

qeff_json qeff_safetensors_metadata(const qeff_safetensors *st)
{
    return st->metadata ? qeff_json_root(st->metadata) : (qeff_json){.node = NULL};
}
