/* inspect_weights.c - tensors of a .safetensors file, or of all the shards of an index. */
#include "api/inspect.h"
#include "base/error.h"
#include "base/file.h"
#include "base/span.h"

static void put_metadata(qeff_json metadata, qeff_buffer *out)
{
    void *iterator = NULL;
    qeff_str key, text = {NULL, 0};
    qeff_json value;
    qeff_inspect_begin(out, "metadata", '{');
    for (bool is_first = true; qeff_json_next(metadata, &iterator, &key, &value);) {
        if (qeff_json_to_str(value, &text, NULL)) continue;
        if (!is_first) qeff_buffer_append_text(out, ", ");
        is_first = false;
        qeff_buffer_append_json(out, key);
        qeff_buffer_append_text(out, ": ");
        qeff_buffer_append_json(out, text);
    }
    qeff_inspect_end(out, '}');
}

static void describe(const char *path, qeff_weights *weights, qeff_buffer *out)
{
    qeff_inspect_sum sum = {0};
    qeff_inspect_str(out, "kind", QEFF_STR("safetensors"));
    qeff_inspect_str(out, "path", qeff_str_of(path));
    qeff_inspect_add(&sum, weights);
    qeff_inspect_total(out, &sum);
    put_metadata(qeff_weights_metadata(weights), out);
    qeff_inspect_begin(out, "tensors", '[');
    for (size_t i = 0; i < qeff_weights_count(weights); i++)
        qeff_inspect_view(out, qeff_weights_at(weights, i));
    qeff_inspect_end(out, ']');
    qeff_weights_close(weights);
}

qeff_status qeff_inspect_safetensors(const char *path, qeff_buffer *out, qeff_error *err)
{
    qeff_weights *weights = NULL;
    QEFF_TRY(qeff_weights_open_file(path, &weights, err));
    describe(path, weights, out);
    return QEFF_OK;
}

/* Weights are opened by folder, and a single file there comes first: an index of another name, or
 * one that stands beside it, would not be the one that is read. */
qeff_status qeff_inspect_shards(const char *path, qeff_buffer *out, qeff_error *err)
{
    char folder[QEFF_PATH_MAX], single[QEFF_PATH_MAX];
    const qeff_str name = qeff_str_after_last(qeff_str_of(path), '/');
    qeff_weights *weights = NULL;
    QEFF_TRY(qeff_path_join("", qeff_str_of(path), folder, err));
    folder[strlen(path) - name.size] = '\0';
    if (!folder[0]) QEFF_TRY(qeff_path_join("", QEFF_STR("."), folder, err));
    QEFF_TRY(qeff_path_join(folder, QEFF_STR("model.safetensors"), single, err));
    if (!qeff_str_is(name, "model.safetensors.index.json") || qeff_path_exists(single))
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                         "'%s': expected model.safetensors.index.json without a model.safetensors "
                         "beside it",
                         path);
    QEFF_TRY(qeff_weights_open(folder, &weights, err));
    describe(path, weights, out);
    return QEFF_OK;
}
