/* npy.c - the .npy format (numpy NEP 1), read without evaluating anything.
 *
 *   "\x93NUMPY" | u8 major | u8 minor | u16le size (major 1) or u32le size | header | data
 *   header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }  spaces, line feed
 *
 * The header is a Python literal. Only this much of the language is known: a dictionary of these
 * three keys in any order, strings without escapes, True, False, tuples of plain integers. */
#include "formats/npy.h"

#include "base/dtype.h"
#include "base/error.h"
#include "base/span.h"

#include <inttypes.h>

enum {
    PREFIX_BYTES = 8,
    HEADER_BYTES_MAX = 10000, /* what numpy reads without being told to trust the file */
    HEADER_ALIGNMENT = 64,
    GROWTH_DIGITS = 21, /* numpy leaves room for its first dimension to grow in place */
};

#define MAGIC "\x93NUMPY"

/* A cursor over the header; `failed` is sticky. */
typedef struct cursor {
    qeff_str text;
    size_t at;
    bool failed;
} cursor;

static void skip_space(cursor *c)
{
    while (c->at < c->text.size && (c->text.data[c->at] == ' ' || c->text.data[c->at] == '\n'))
        c->at++;
}

/* Skips space, then takes `wanted` where it comes next. */
static bool accept(cursor *c, const char *wanted)
{
    const size_t n = strlen(wanted);
    skip_space(c);
    if (c->failed || c->text.size - c->at < n || memcmp(c->text.data + c->at, wanted, n) != 0)
        return false;
    c->at += n;
    return true;
}

static void expect(cursor *c, const char *wanted)
{
    if (!accept(c, wanted)) c->failed = true;
}

static qeff_str read_string(cursor *c)
{
    const char *quote = accept(c, "'") ? "'" : "\"";
    if (*quote == '"') expect(c, quote);
    const size_t first = c->at;
    while (c->at < c->text.size && c->text.data[c->at] != *quote && c->text.data[c->at] != '\\')
        c->at++;
    const qeff_str text = {c->text.data + first, c->at - first};
    expect(c, quote);
    return text;
}

static int64_t read_count(cursor *c)
{
    int64_t value = 0;
    skip_space(c);
    const size_t first = c->at;
    for (; c->at < c->text.size; c->at++) {
        const char digit = c->text.data[c->at];
        if (digit < '0' || digit > '9') break;
        if (__builtin_mul_overflow(value, (int64_t)10, &value) ||
            __builtin_add_overflow(value, (int64_t)(digit - '0'), &value)) {
            c->failed = true;
            return 0;
        }
    }
    const bool has_leading_zero = c->at - first > 1 && c->text.data[first] == '0';
    if (c->at == first || has_leading_zero) c->failed = true;
    return value;
}

static qeff_status read_shape(cursor *c, qeff_array *array, qeff_error *err)
{
    array->rank = 0;
    expect(c, "(");
    while (!c->failed && !accept(c, ")")) {
        if (array->rank == QEFF_MAX_RANK)
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "more than %d dimensions", QEFF_MAX_RANK);
        array->shape[array->rank++] = read_count(c);
        if (accept(c, ",")) continue;
        if (array->rank == 1) c->failed = true; /* (3) is a number to Python, (3,) a tuple */
        expect(c, ")");
        break;
    }
    return QEFF_OK;
}

static qeff_status read_descr(cursor *c, qeff_array *array, qeff_error *err)
{
    if (accept(c, "["))
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "arrays of records are not supported");
    const qeff_str descr = read_string(c);
    if (c->failed) return QEFF_OK;
    array->dtype = qeff_dtype_from_numpy(descr);
    if (array->dtype != QEFF_DTYPE_NONE) return QEFF_OK;
    const qeff_status status = qeff_fail(
        err, QEFF_ERR_UNSUPPORTED, "element type '%.*s' is not supported", QEFF_STR_ARGS(descr));
    if (qeff_str_starts_with(descr, "|O"))
        qeff_hint(err, "object arrays are pickles, which are never read");
    else if (qeff_str_starts_with(descr, ">"))
        qeff_hint(err, "save it with array.astype(array.dtype.newbyteorder('<'))");
    return status;
}

static qeff_status read_fields(cursor *c, qeff_array *array, bool *is_fortran, qeff_error *err)
{
    bool has_descr = false, has_order = false, has_shape = false;
    expect(c, "{");
    while (!c->failed && !accept(c, "}")) {
        const qeff_str key = read_string(c);
        bool *has = qeff_str_is(key, "descr")           ? &has_descr
                    : qeff_str_is(key, "fortran_order") ? &has_order
                    : qeff_str_is(key, "shape")         ? &has_shape
                                                        : NULL;
        expect(c, ":");
        if (c->failed || !has || *has)
            return qeff_fail(err, QEFF_ERR_FORMAT, "header with an unexpected key '%.*s'",
                             QEFF_STR_ARGS(key));
        *has = true;
        if (has == &has_descr) QEFF_TRY(read_descr(c, array, err));
        if (has == &has_shape) QEFF_TRY(read_shape(c, array, err));
        if (has == &has_order) {
            *is_fortran = accept(c, "True");
            if (!*is_fortran) expect(c, "False");
        }
        if (accept(c, ",")) continue;
        expect(c, "}");
        break;
    }
    skip_space(c);
    if (c->failed || c->at != c->text.size)
        return qeff_fail(err, QEFF_ERR_FORMAT, "malformed header at its byte %zu", c->at);
    if (!has_descr || !has_order || !has_shape)
        return qeff_fail(err, QEFF_ERR_FORMAT, "header without its key '%s'",
                         !has_descr   ? "descr"
                         : !has_order ? "fortran_order"
                                      : "shape");
    return QEFF_OK;
}

/* Finds the header; what follows it is the data. */
static qeff_status find_header(qeff_bytes bytes, qeff_str *header, qeff_error *err)
{
    if (bytes.size < PREFIX_BYTES + 2 || memcmp(bytes.data, MAGIC, 6) != 0)
        return qeff_fail(err, QEFF_ERR_FORMAT, "not a numpy array");
    const unsigned major = bytes.data[6];
    if (major < 1 || major > 3 || bytes.data[7] != 0)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "numpy format %u.%u, expected 1.0 to 3.0",
                         major, (unsigned)bytes.data[7]);
    const size_t width = major == 1 ? 2 : 4;
    if (bytes.size < PREFIX_BYTES + width)
        return qeff_fail(err, QEFF_ERR_FORMAT, "ends inside its header");
    const size_t size = major == 1 ? qeff_load_u16le(bytes.data + PREFIX_BYTES)
                                   : qeff_load_u32le(bytes.data + PREFIX_BYTES);
    if (size > HEADER_BYTES_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "header of %zu bytes, expected at most %d", size,
                         HEADER_BYTES_MAX);
    if (size > bytes.size - PREFIX_BYTES - width)
        return qeff_fail(err, QEFF_ERR_FORMAT, "header of %zu bytes does not fit %zu bytes", size,
                         bytes.size);
    *header = (qeff_str){(const char *)bytes.data + PREFIX_BYTES + width, size};
    return QEFF_OK;
}

qeff_status qeff_npy_parse(qeff_bytes bytes, qeff_array *array, qeff_error *err)
{
    qeff_str header = {NULL, 0};
    bool is_fortran = false;
    uint64_t need = 0;
    QEFF_TRY(find_header(bytes, &header, err));
    cursor c = {.text = header};
    QEFF_TRY(read_fields(&c, array, &is_fortran, err));
    if (is_fortran && array->rank > 1) {
        const qeff_status status =
            qeff_fail(err, QEFF_ERR_UNSUPPORTED, "array in Fortran order, expected C order");
        qeff_hint(err, "save numpy.ascontiguousarray(array)");
        return status;
    }
    if (!qeff_tensor_bytes(array->dtype, array->rank, array->shape, &need))
        return qeff_fail(err, QEFF_ERR_FORMAT, "shape overflows 63 bits");
    const uint8_t *data = (const uint8_t *)header.data + header.size;
    const size_t rest = (size_t)(bytes.data + bytes.size - data);
    if (rest != need)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "%zu bytes of data, but dtype and shape need %" PRIu64, rest, need);
    array->data = (qeff_bytes){data, rest};
    return QEFF_OK;
}

qeff_status qeff_npy_open(const char *path, qeff_npy *out, qeff_error *err)
{
    *out = (qeff_npy){.file = {.fd = -1}};
    QEFF_TRY(qeff_file_map(path, &out->file, err));
    const qeff_bytes bytes = {out->file.data, out->file.size};
    const qeff_status status =
        qeff_within(err, qeff_npy_parse(bytes, &out->array, err), "'%s'", path);
    if (status) qeff_npy_close(out);
    return status;
}

void qeff_npy_close(qeff_npy *npy)
{
    qeff_file_unmap(&npy->file);
    *npy = (qeff_npy){.file = {.fd = -1}};
}

/* The literal as numpy.save writes it, byte for byte. */
static void write_literal(const qeff_array *array, const char *descr, qeff_buffer *out)
{
    char first[24] = "";
    qeff_buffer_format(out, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (size_t i = 0; i < array->rank; i++)
        qeff_buffer_format(out, "%s%" PRId64, i ? ", " : "", array->shape[i]);
    qeff_buffer_append_text(out, array->rank == 1 ? ",), }" : "), }");
    if (array->rank == 0) return;
    const int digits = snprintf(first, sizeof first, "%" PRId64, array->shape[0]);
    for (int i = digits; i < GROWTH_DIGITS; i++)
        qeff_buffer_append_byte(out, ' ');
}

qeff_status qeff_npy_write_header(const qeff_array *array, qeff_buffer *out, qeff_error *err)
{
    const char *descr = qeff_dtype_get(array->dtype)->numpy;
    uint64_t need = 0;
    if (!descr)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "numpy has no element type %s",
                         qeff_dtype_name(array->dtype));
    if (array->rank > QEFF_MAX_RANK ||
        !qeff_tensor_bytes(array->dtype, array->rank, array->shape, &need) ||
        need != array->data.size)
        return qeff_fail(err, QEFF_ERR_INVALID,
                         "%zu bytes of data, but dtype and shape need %" PRIu64, array->data.size,
                         need);
    const size_t start = out->size;
    qeff_buffer_append(out, MAGIC "\x01\x00", PREFIX_BYTES);
    qeff_buffer_append(out, "\0\0", 2); /* the size, known below */
    write_literal(array, descr, out);
    do /* numpy adds one space at least */
        qeff_buffer_append_byte(out, ' ');
    while (!out->failed && (out->size - start + 1) % HEADER_ALIGNMENT != 0);
    qeff_buffer_append_byte(out, '\n');
    QEFF_TRY(qeff_buffer_status(out, err));
    qeff_store_u16le(out->data + start + PREFIX_BYTES,
                     (uint16_t)(out->size - start - PREFIX_BYTES - 2));
    return QEFF_OK;
}
