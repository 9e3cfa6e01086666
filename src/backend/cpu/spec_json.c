/* spec_json.c - names, dtypes and shapes in plan.json, written and read. */
#include "backend/cpu/spec_json.h"

#include "base/error.h"
#include "base/span.h"

#include <inttypes.h>

void qeff_spec_format_shape(const qeff_shape *shape, qeff_buffer *out)
{
    qeff_buffer_append_byte(out, '[');
    for (size_t i = 0; i < shape->rank; i++) {
        if (i) qeff_buffer_append_text(out, ", ");
        if (shape->dims[i].symbol)
            qeff_buffer_append_json(out, qeff_str_of(shape->dims[i].symbol));
        else
            qeff_buffer_format(out, "%" PRId64, shape->dims[i].size);
    }
    qeff_buffer_append_byte(out, ']');
}

void qeff_spec_format(const qeff_io_spec *spec, qeff_buffer *out)
{
    qeff_buffer_append_text(out, "\"name\": ");
    qeff_buffer_append_json(out, spec->name);
    qeff_buffer_format(out, ", \"dtype\": \"%s\", \"shape\": ", qeff_dtype_name(spec->dtype));
    qeff_spec_format_shape(&spec->shape, out);
}

static qeff_status
copy_name(qeff_str text, const char *what, qeff_arena *arena, qeff_str *out, qeff_error *err)
{
    if (text.size == 0 || text.size > QEFF_SPEC_NAME_MAX || memchr(text.data, 0, text.size))
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "key '%s': expected 1 to %d bytes of text, found %zu", what,
                         QEFF_SPEC_NAME_MAX, text.size);
    *out = qeff_arena_str(arena, text);
    return out->data ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

qeff_status qeff_spec_parse_name(qeff_json object, const char *key, qeff_arena *arena,
                                 qeff_str *out, qeff_error *err)
{
    qeff_str text = {NULL, 0};
    QEFF_TRY(qeff_json_to_str(qeff_json_find(object, key), &text, err));
    return copy_name(text, key, arena, out, err);
}

qeff_status
qeff_spec_parse_shape(qeff_json array, qeff_arena *arena, qeff_shape *out, qeff_error *err)
{
    QEFF_TRY(qeff_json_expect(array, QEFF_JSON_ARRAY, err));
    out->rank = qeff_json_count(array);
    if (out->rank > QEFF_MAX_RANK)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key 'shape': expected at most %d dims, found %zu",
                         QEFF_MAX_RANK, out->rank);
    for (size_t i = 0; i < out->rank; i++) {
        const qeff_json dim = qeff_json_at(array, i);
        out->dims[i] = qeff_dim_of(0);
        if (qeff_json_kind_of(dim) == QEFF_JSON_STR) {
            qeff_str text = {NULL, 0}, symbol = {NULL, 0};
            QEFF_TRY(qeff_json_to_str(dim, &text, err));
            QEFF_TRY(copy_name(text, "shape", arena, &symbol, err));
            out->dims[i] = qeff_dim_named(symbol.data);
        } else {
            QEFF_TRY(qeff_json_to_int(dim, 0, INT32_MAX, &out->dims[i].size, err));
        }
    }
    return QEFF_OK;
}

qeff_status qeff_spec_parse_dtype(qeff_json object, qeff_dtype *out, qeff_error *err)
{
    qeff_str text = {NULL, 0};
    QEFF_TRY(qeff_json_to_str(qeff_json_find(object, "dtype"), &text, err));
    for (int i = QEFF_DTYPE_NONE + 1; i < QEFF_DTYPE_COUNT; i++) {
        *out = (qeff_dtype)i;
        if (qeff_str_is(text, qeff_dtype_name(*out))) return QEFF_OK;
    }
    return qeff_fail(err, QEFF_ERR_FORMAT, "key 'dtype': unknown dtype '%.*s'",
                     QEFF_STR_ARGS(text));
}

qeff_status qeff_spec_parse(qeff_json object, qeff_arena *arena, qeff_io_spec *out, qeff_error *err)
{
    QEFF_TRY(qeff_json_expect(object, QEFF_JSON_OBJECT, err));
    QEFF_TRY(qeff_spec_parse_name(object, "name", arena, &out->name, err));
    QEFF_TRY(qeff_spec_parse_dtype(object, &out->dtype, err));
    return qeff_spec_parse_shape(qeff_json_find(object, "shape"), arena, &out->shape, err);
}
