/* inspect.c - what is in a file or folder: finds out of which kind it is, and has it described.
 *
 * A folder is a program if it holds programqpc.bin, a model if it holds config.json or
 * modules.json, a tokenizer if it holds only that. A file goes by its name. Nothing is executed. */
#include "api/inspect.h"
#include "base/alloc.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/file.h"
#include "base/float_mode.h"
#include "base/span.h"
#include "compile/compile.h"

#include <qeff/inspect.h>

#include <math.h>

/* --- writing ---------------------------------------------------------------------------------- */

static void begin_member(qeff_buffer *out, const char *key)
{
    const uint8_t last = out->size ? out->data[out->size - 1] : '{';
    if (last != '{' && last != '[') qeff_buffer_append_text(out, ", ");
    if (!key) return;
    qeff_buffer_append_json(out, qeff_str_of(key));
    qeff_buffer_append_text(out, ": ");
}

void qeff_inspect_str(qeff_buffer *out, const char *key, qeff_str value)
{
    if (!value.data) return;
    begin_member(out, key);
    qeff_buffer_append_json(out, value);
}

void qeff_inspect_int(qeff_buffer *out, const char *key, int64_t value)
{
    begin_member(out, key);
    qeff_buffer_format(out, "%lld", (long long)value);
}

void qeff_inspect_real(qeff_buffer *out, const char *key, double value)
{
    begin_member(out, key);
    if (isfinite(value))
        qeff_buffer_format(out, "%.9g", value);
    else
        qeff_buffer_append_text(out, "null"); /* JSON has no such number */
}

void qeff_inspect_bool(qeff_buffer *out, const char *key, bool value)
{
    begin_member(out, key);
    qeff_buffer_append_text(out, value ? "true" : "false");
}

void qeff_inspect_json(qeff_buffer *out, const char *key, qeff_str json)
{
    begin_member(out, key);
    qeff_buffer_append_str(out, json);
}

void qeff_inspect_begin(qeff_buffer *out, const char *key, char bracket)
{
    begin_member(out, key);
    qeff_buffer_append_byte(out, (uint8_t)bracket);
}

void qeff_inspect_end(qeff_buffer *out, char bracket)
{
    qeff_buffer_append_byte(out, (uint8_t)bracket);
}

void qeff_inspect_view(qeff_buffer *out, const qeff_tensor_view *tensor)
{
    qeff_inspect_begin(out, NULL, '{');
    qeff_inspect_str(out, "name", tensor->name);
    qeff_inspect_str(out, "dtype", qeff_str_of(qeff_dtype_name(tensor->dtype)));
    qeff_inspect_begin(out, "shape", '[');
    for (size_t d = 0; d < tensor->rank; d++)
        qeff_inspect_int(out, NULL, tensor->shape[d]);
    qeff_inspect_end(out, ']');
    qeff_inspect_int(out, "bytes", (int64_t)tensor->data.size);
    qeff_inspect_end(out, '}');
}

void qeff_inspect_value(qeff_buffer *out, qeff_str name, qeff_dtype dtype, const qeff_shape *shape)
{
    qeff_inspect_begin(out, NULL, '{');
    qeff_inspect_str(out, "name", name);
    qeff_inspect_str(out, "dtype", qeff_str_of(qeff_dtype_name(dtype)));
    qeff_inspect_begin(out, "shape", '[');
    for (size_t d = 0; d < shape->rank; d++) {
        if (shape->dims[d].symbol)
            qeff_inspect_str(out, NULL, qeff_str_of(shape->dims[d].symbol));
        else if (shape->dims[d].size < 0)
            qeff_inspect_json(out, NULL, QEFF_STR("null"));
        else
            qeff_inspect_int(out, NULL, shape->dims[d].size);
    }
    qeff_inspect_end(out, ']');
    qeff_inspect_end(out, '}');
}

void qeff_inspect_add(qeff_inspect_sum *sum, const qeff_weights *weights)
{
    for (size_t i = 0; weights && i < qeff_weights_count(weights); i++) {
        const qeff_tensor_view *tensor = qeff_weights_at(weights, i);
        uint64_t elements = 0;
        /* The views lie in files, so that the sums stay below 2^64. */
        if (qeff_shape_elements(tensor->rank, tensor->shape, &elements))
            sum->parameters += elements;
        sum->bytes += tensor->data.size;
    }
}

void qeff_inspect_total(qeff_buffer *out, const qeff_inspect_sum *sum)
{
    qeff_inspect_int(out, "parameters", (int64_t)sum->parameters);
    qeff_inspect_int(out, "bytes", (int64_t)sum->bytes);
}

/* --- kinds ------------------------------------------------------------------------------------ */

typedef qeff_status (*describer)(const char *path, qeff_buffer *out, qeff_error *err);

static bool holds(const char *folder, qeff_str name)
{
    char path[QEFF_PATH_MAX];
    return !qeff_path_join(folder, name, path, NULL) && qeff_path_exists(path);
}

static describer describer_of_folder(const char *path)
{
    if (holds(path, QEFF_STR(QEFF_PROGRAM_FILE))) return qeff_inspect_program;
    if (holds(path, QEFF_STR("config.json")) || holds(path, QEFF_STR("modules.json")))
        return qeff_inspect_model;
    if (holds(path, QEFF_STR("tokenizer.json")) || holds(path, QEFF_STR("vocab.txt")))
        return qeff_inspect_tokenizer;
    return NULL;
}

static describer describer_of_file(const char *path)
{
    const qeff_str name = qeff_str_after_last(qeff_str_of(path), '/');
    if (qeff_str_ends_with(name, ".safetensors")) return qeff_inspect_safetensors;
    if (qeff_str_ends_with(name, ".safetensors.index.json")) return qeff_inspect_shards;
    if (qeff_str_ends_with(name, ".onnx")) return qeff_inspect_onnx;
    if (qeff_str_is(name, QEFF_PROGRAM_FILE)) return qeff_inspect_program;
    if (qeff_str_ends_with(name, "tokenizer.json")) return qeff_inspect_tokenizer;
    return NULL;
}

static qeff_status find_describer(const char *path, describer *out, qeff_error *err)
{
    const bool is_folder = qeff_path_is_folder(path);
    if (!qeff_path_exists(path))
        return qeff_fail(err, QEFF_ERR_NOT_FOUND, "'%s': no such file or folder", path);
    *out = is_folder ? describer_of_folder(path) : describer_of_file(path);
    if (*out) return QEFF_OK;
    const qeff_status status = qeff_fail(err, QEFF_ERR_UNSUPPORTED, "'%s': %s of no known kind",
                                         path, is_folder ? "a folder" : "a file");
    qeff_hint(err, is_folder ? "expected a folder with config.json, tokenizer.json or "
                               "programqpc.bin"
                             : "expected *.safetensors, *.safetensors.index.json, *.onnx, "
                               "tokenizer.json or programqpc.bin");
    return status;
}

static qeff_status inspect(const char *path, char **json, qeff_error *err)
{
    describer describe = NULL;
    qeff_buffer out = {0};
    *json = NULL;
    QEFF_TRY(find_describer(path, &describe, err));
    qeff_buffer_append_byte(&out, '{');
    qeff_status status = describe(path, &out, err);
    if (!status) {
        qeff_buffer_append_text(&out, "}");
        qeff_buffer_append_byte(&out, 0);
        status = qeff_buffer_status(&out, err);
    }
    if (status)
        qeff_buffer_deinit(&out);
    else
        *json = (char *)out.data; /* the block now belongs to the caller */
    return status;
}

qeff_status qeff_inspect(const char *path, char **json, qeff_error *err)
{
    const qeff_float_mode mode = qeff_float_mode_enter();
    const qeff_status status = inspect(path, json, err);
    qeff_float_mode_leave(&mode);
    return status;
}
