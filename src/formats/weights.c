/* weights.c - the tensors of a model folder, from one safetensors file or from shards.
 *
 *   model.safetensors.index.json: {"metadata": {…}, "weight_map": {"tensor": "shard file", …}}
 *
 * Shard names are untrusted. The index must agree with the shards: each tensor it names lies in the
 * shard it names, and no tensor lies in two. A shard may hold tensors that the index leaves out. */
#include "formats/weights.h"

#include "base/alloc.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/span.h"
#include "formats/json_scan.h"
#include "formats/safetensors.h"

#include <stdlib.h>

#define ONE_FILE   "model.safetensors"
#define INDEX_FILE "model.safetensors.index.json"

enum {
    SHARDS_MAX = 10000,
    TENSORS_MAX = 1000000,
    INDEX_BYTES_MAX = 64 << 20,
    HASH_CHUNK_BYTES = 4 << 20, /* resident at a time while all weights are hashed */
};

struct qeff_weights {
    size_t n_shards, capacity;
    qeff_safetensors **shards;
    size_t n_tensors;
    const qeff_tensor_view **tensors; /* [n_tensors], in the order of the names */
};

/* The index while it is being read. */
typedef struct shard_name {
    qeff_str name;
    size_t number; /* in the order of first mention */
} shard_name;

typedef struct index_entry {
    qeff_str tensor;
    uint32_t shard; /* number of the shard */
} index_entry;

typedef struct index_reader {
    qeff_json_scan scan;
    qeff_error *err;
    qeff_arena texts;   /* of names that were written with escapes */
    shard_name *shards; /* sorted by name */
    size_t n_shards, shards_capacity;
    index_entry *entries;
    size_t n_entries, entries_capacity;
} index_reader;

static qeff_status fail_memory(qeff_error *err)
{
    return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for the list of tensors");
}

static int compare_views(const void *a, const void *b)
{
    return qeff_str_compare((*(const qeff_tensor_view *const *)a)->name,
                            (*(const qeff_tensor_view *const *)b)->name);
}

static qeff_status add_shard(qeff_weights *w, const char *path, qeff_error *err)
{
    qeff_safetensors **grown = qeff_grow(w->shards, w->n_shards, &w->capacity, sizeof *w->shards);
    if (!grown) return fail_memory(err);
    w->shards = grown;
    QEFF_TRY(qeff_safetensors_open(path, &w->shards[w->n_shards], err));
    w->n_shards++;
    w->n_tensors += qeff_safetensors_count(w->shards[w->n_shards - 1]);
    if (w->n_tensors > TENSORS_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "'%s': more than %d tensors in all shards", path,
                         TENSORS_MAX);
    return QEFF_OK;
}

/* Lists the tensors of all shards in the order of their names. */
static qeff_status list_tensors(qeff_weights *w, qeff_error *err)
{
    size_t n = 0;
    w->tensors = qeff_alloc_array(w->n_tensors, sizeof *w->tensors);
    if (!w->tensors) return fail_memory(err);
    for (size_t i = 0; i < w->n_shards; i++)
        for (size_t j = 0; j < qeff_safetensors_count(w->shards[i]); j++)
            w->tensors[n++] = qeff_safetensors_at(w->shards[i], j);
    if (w->n_shards > 1) qsort(w->tensors, n, sizeof *w->tensors, compare_views);
    for (size_t i = 1; i < n; i++)
        if (compare_views(&w->tensors[i - 1], &w->tensors[i]) == 0)
            return qeff_fail(err, QEFF_ERR_FORMAT, "tensor '%.*s' is in two shards",
                             QEFF_STR_ARGS(w->tensors[i]->name));
    return QEFF_OK;
}

static qeff_status read_text(index_reader *r, qeff_str *out)
{
    *out = r->scan.content;
    if (!r->scan.has_escapes) return QEFF_OK;
    char *text = qeff_arena_alloc(&r->texts, qeff_json_scan_unescape(&r->scan, NULL));
    if (!text) return fail_memory(r->err);
    *out = (qeff_str){text, qeff_json_scan_unescape(&r->scan, text)};
    return QEFF_OK;
}

/* The number of a shard, new or known. */
static qeff_status find_shard(index_reader *r, qeff_str name, uint32_t *number)
{
    size_t low = 0;
    for (size_t high = r->n_shards; low < high;) {
        const size_t middle = low + (high - low) / 2;
        const int order = qeff_str_compare(r->shards[middle].name, name);
        if (order == 0) {
            *number = (uint32_t)r->shards[middle].number;
            return QEFF_OK;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (r->n_shards == SHARDS_MAX)
        return qeff_json_scan_fail(&r->scan, "more than %d shards", SHARDS_MAX);
    shard_name *grown = qeff_grow(r->shards, r->n_shards, &r->shards_capacity, sizeof *r->shards);
    if (!grown) return fail_memory(r->err);
    r->shards = grown;
    memmove(r->shards + low + 1, r->shards + low, (r->n_shards - low) * sizeof *r->shards);
    r->shards[low] = (shard_name){name, r->n_shards};
    *number = (uint32_t)r->n_shards++;
    return QEFF_OK;
}

static qeff_status read_weight_map(index_reader *r)
{
    if (qeff_json_scan_next(&r->scan) != QEFF_JSON_TOKEN_OBJECT)
        return qeff_json_scan_fail(&r->scan, "expected an object");
    while (qeff_json_scan_next(&r->scan) == QEFF_JSON_TOKEN_KEY) {
        qeff_str shard = {NULL, 0};
        index_entry e = {.shard = 0};
        QEFF_TRY(read_text(r, &e.tensor));
        if (qeff_json_scan_next(&r->scan) != QEFF_JSON_TOKEN_STR)
            return qeff_json_scan_fail(&r->scan, "expected the name of a shard");
        QEFF_TRY(read_text(r, &shard));
        QEFF_TRY(find_shard(r, shard, &e.shard));
        if (r->n_entries == TENSORS_MAX)
            return qeff_json_scan_fail(&r->scan, "more than %d tensors", TENSORS_MAX);
        index_entry *grown =
            qeff_grow(r->entries, r->n_entries, &r->entries_capacity, sizeof *r->entries);
        if (!grown) return fail_memory(r->err);
        r->entries = grown;
        r->entries[r->n_entries++] = e;
    }
    return r->scan.status;
}

static qeff_status read_index(index_reader *r, qeff_str text, qeff_error *err)
{
    const qeff_json_limits limits = {.max_bytes = INDEX_BYTES_MAX, .max_values = SIZE_MAX};
    bool has_map = false;
    r->err = err;
    qeff_json_scan_init(&r->scan, text, &limits, err);
    if (qeff_json_scan_next(&r->scan) != QEFF_JSON_TOKEN_OBJECT)
        return qeff_json_scan_fail(&r->scan, "expected an object");
    while (qeff_json_scan_next(&r->scan) == QEFF_JSON_TOKEN_KEY) {
        qeff_str key = {NULL, 0};
        QEFF_TRY(read_text(r, &key));
        if (!qeff_str_is(key, "weight_map")) {
            qeff_json_scan_skip(&r->scan, qeff_json_scan_next(&r->scan));
            continue;
        }
        if (has_map) return qeff_json_scan_fail(&r->scan, "key 'weight_map' is there twice");
        has_map = true;
        QEFF_TRY(qeff_within(err, read_weight_map(r), "key 'weight_map'"));
    }
    if (!r->scan.status) (void)qeff_json_scan_next(&r->scan);
    if (r->scan.status) return r->scan.status;
    if (r->n_shards == 0)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key 'weight_map': expected a tensor at least");
    return QEFF_OK;
}

/* Opens the shards in the order of first mention, so that entries can name them by number. */
static qeff_status
open_shards(qeff_weights *w, const char *folder, const index_reader *r, qeff_error *err)
{
    const qeff_str **names = qeff_alloc_array(r->n_shards, sizeof *names);
    if (!names) return fail_memory(err);
    for (size_t i = 0; i < r->n_shards; i++)
        names[r->shards[i].number] = &r->shards[i].name;
    qeff_status status = QEFF_OK;
    for (size_t i = 0; i < r->n_shards && !status; i++) {
        char path[QEFF_PATH_MAX];
        status = qeff_path_join_untrusted(folder, *names[i], path, err);
        if (!status) status = add_shard(w, path, err);
    }
    qeff_free(names);
    return status;
}

static bool is_in_shard(const qeff_safetensors *shard, const qeff_tensor_view *view)
{
    const size_t n = qeff_safetensors_count(shard);
    if (n == 0) return false;
    const qeff_tensor_view *first = qeff_safetensors_at(shard, 0);
    return view >= first && view < first + n;
}

static qeff_status check_index(const qeff_weights *w, const index_reader *r, qeff_error *err)
{
    for (size_t i = 0; i < r->n_entries; i++) {
        const index_entry *e = &r->entries[i];
        const qeff_tensor_view *view = qeff_weights_find(w, e->tensor);
        if (!view)
            return qeff_fail(err, QEFF_ERR_FORMAT, "tensor '%.*s' is in no shard",
                             QEFF_STR_ARGS(e->tensor));
        if (!is_in_shard(w->shards[e->shard], view))
            return qeff_fail(err, QEFF_ERR_FORMAT, "tensor '%.*s' is in another shard than named",
                             QEFF_STR_ARGS(e->tensor));
    }
    return QEFF_OK;
}

static qeff_status
open_sharded(qeff_weights *w, const char *folder, const char *path, qeff_error *err)
{
    qeff_file file = {.fd = -1};
    index_reader r = {.err = err};
    QEFF_TRY(qeff_file_read(path, INDEX_BYTES_MAX, &file, err));
    qeff_status status = read_index(&r, (qeff_str){(const char *)file.data, file.size}, err);
    status = qeff_within(err, status, "'%s'", path);
    if (!status) status = open_shards(w, folder, &r, err);
    if (!status) {
        status = list_tensors(w, err);
        if (!status) status = check_index(w, &r, err);
        status = qeff_within(err, status, "'%s'", path);
    }
    qeff_free(r.entries);
    qeff_free(r.shards);
    qeff_arena_deinit(&r.texts);
    qeff_file_unmap(&file);
    return status;
}

static bool note_weights_file(void *ctx, const char *name)
{
    static const char *const endings[] = {".safetensors", ".bin",  ".pt",      ".pth", ".gguf",
                                          ".h5",          ".onnx", ".msgpack", ".ckpt"};
    char *found = ctx;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (qeff_str_ends_with(qeff_str_of(name), endings[i])) {
            (void)snprintf(found, 128, "%.100s", name);
            return false;
        }
    return true;
}

static qeff_status fail_no_weights(const char *folder, qeff_error *err)
{
    char found[128] = "";
    if (!qeff_path_is_folder(folder))
        return qeff_fail(err, QEFF_ERR_NOT_FOUND, "'%s': no such folder", folder);
    (void)qeff_folder_visit(folder, note_weights_file, found, NULL);
    const qeff_status status = qeff_fail(
        err, QEFF_ERR_NOT_FOUND, "'%s': expected '" ONE_FILE "' or '" INDEX_FILE "'", folder);
    if (qeff_str_ends_with(qeff_str_of(found), ".safetensors"))
        qeff_hint(err, "'%s' is there: rename it to '" ONE_FILE "'", found);
    else if (found[0])
        qeff_hint(err, "'%s' is there: convert it to safetensors", found);
    return status;
}

static qeff_status open_folder(qeff_weights *w, const char *folder, qeff_error *err)
{
    char path[QEFF_PATH_MAX];
    QEFF_TRY(qeff_path_join(folder, QEFF_STR(ONE_FILE), path, err));
    if (qeff_path_exists(path)) {
        QEFF_TRY(add_shard(w, path, err));
        return list_tensors(w, err);
    }
    QEFF_TRY(qeff_path_join(folder, QEFF_STR(INDEX_FILE), path, err));
    if (qeff_path_exists(path)) return open_sharded(w, folder, path, err);
    return fail_no_weights(folder, err);
}

static qeff_status finish_open(qeff_weights *w, qeff_status status, qeff_weights **out)
{
    if (status)
        qeff_weights_close(w);
    else
        *out = w;
    return status;
}

qeff_status qeff_weights_open(const char *folder, qeff_weights **out, qeff_error *err)
{
    *out = NULL;
    qeff_weights *w = qeff_alloc_zeroed(sizeof *w);
    if (!w) return fail_memory(err);
    return finish_open(w, open_folder(w, folder, err), out);
}

qeff_status qeff_weights_open_file(const char *path, qeff_weights **out, qeff_error *err)
{
    *out = NULL;
    qeff_weights *w = qeff_alloc_zeroed(sizeof *w);
    if (!w) return fail_memory(err);
    qeff_status status = add_shard(w, path, err);
    if (!status) status = list_tensors(w, err);
    return finish_open(w, status, out);
}

void qeff_weights_close(qeff_weights *w)
{
    if (!w) return;
    for (size_t i = 0; i < w->n_shards; i++)
        qeff_safetensors_close(w->shards[i]);
    qeff_free(w->shards);
    qeff_free((void *)w->tensors);
    qeff_free(w);
}

size_t qeff_weights_count(const qeff_weights *w)
{
    return w->n_tensors;
}

const qeff_tensor_view *qeff_weights_at(const qeff_weights *w, size_t index)
{
    return w->tensors[index];
}

const qeff_tensor_view *qeff_weights_find(const qeff_weights *w, qeff_str name)
{
    size_t low = 0;
    for (size_t high = w->n_tensors; low < high;) {
        const size_t middle = low + (high - low) / 2;
        const int order = qeff_str_compare(w->tensors[middle]->name, name);
        if (order == 0) return w->tensors[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

qeff_json qeff_weights_metadata(const qeff_weights *w)
{
    return qeff_safetensors_metadata(w->shards[0]);
}

static void hash_number(qeff_hash *hash, uint64_t number)
{
    uint8_t bytes[8];
    qeff_store_u64le(bytes, number);
    qeff_hash_update(hash, bytes, sizeof bytes);
}

void qeff_weights_hash(const qeff_weights *w, qeff_hash *hash)
{
    hash_number(hash, w->n_tensors);
    for (size_t i = 0; i < w->n_tensors; i++) {
        const qeff_tensor_view *view = w->tensors[i];
        qeff_hash_update_str(hash, view->name);
        qeff_hash_update_str(hash, qeff_str_of(qeff_dtype_name(view->dtype)));
        hash_number(hash, view->rank);
        for (size_t d = 0; d < view->rank; d++)
            hash_number(hash, (uint64_t)view->shape[d]);
        for (size_t at = 0; at < view->data.size; at += HASH_CHUNK_BYTES) {
            const size_t rest = view->data.size - at;
            const qeff_bytes chunk = {view->data.data + at,
                                      rest < HASH_CHUNK_BYTES ? rest : HASH_CHUNK_BYTES};
            qeff_hash_update(hash, chunk.data, chunk.size);
            qeff_file_release(view->file, chunk);
        }
    }
}
