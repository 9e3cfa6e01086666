/* tensor.c - TensorProto: where the bytes of a tensor lie, in the file, in a data file, or decoded.
 *
 * Elements come as raw_data (little-endian, as we want them), or in a typed list: float_data and
 * double_data, which in packed form are the same bytes; int64_data, uint64_data and int32_data as
 * varints, the last one for every type of at most 32 bits but float. Only what cannot be used where
 * it lies is decoded. A varint of one byte may become eight, so the sum of it is limited. */
#include "base/checked.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/span.h"
#include "onnx/messages.h"
#include "onnx/model.h"

#include <inttypes.h>

enum { DECODED_BYTES_MAX = 4 << 20 }; /* beyond the size of the file */

/* What the fields of a TensorProto say before any of it is believed. */
typedef struct fields {
    int64_t data_type, location;
    size_t rank;
    uint32_t data_field; /* the one that holds elements; 0: none */
    size_t n_parts;      /* times that it occurs */
    uint64_t n_elements; /* in typed lists */
    qeff_bytes data;     /* of the last part that is bytes or fixed numbers */
    uint64_t data_offset;
    bool has_entries; /* external_data */
} fields;

static const char *data_field_name(uint32_t field)
{
    switch (field) {
    case TENSOR_FLOAT_DATA:
        return "float_data";
    case TENSOR_INT32_DATA:
        return "int32_data";
    case TENSOR_INT64_DATA:
        return "int64_data";
    case TENSOR_DOUBLE_DATA:
        return "double_data";
    case TENSOR_UINT64_DATA:
        return "uint64_data";
    case TENSOR_STRING_DATA:
        return "string_data";
    default:
        return "raw_data";
    }
}

/* Bytes of a fixed-width typed list, or 0. */
static size_t width_of(uint32_t field)
{
    return field == TENSOR_FLOAT_DATA ? 4 : field == TENSOR_DOUBLE_DATA ? 8 : 0;
}

static qeff_status note_data(fields *f, qeff_protobuf *r, qeff_error *err)
{
    if (f->data_field && f->data_field != r->field)
        return qeff_fail(err, QEFF_ERR_FORMAT, "elements both in %s and in %s",
                         data_field_name(f->data_field), data_field_name(r->field));
    f->data_field = r->field;
    f->n_parts++;
    const size_t width = width_of(r->field);
    f->data_offset = qeff_protobuf_offset(r);
    if (r->field == TENSOR_RAW_DATA || r->field == TENSOR_STRING_DATA) {
        f->data = qeff_protobuf_bytes(r);
    } else if (width) {
        f->data = qeff_protobuf_fixed(r, width);
        f->n_elements += f->data.size / width;
    } else {
        f->n_elements += qeff_protobuf_count_varints(r);
    }
    return QEFF_OK;
}

static void read_dims(fields *f, qeff_protobuf *r, qeff_onnx_tensor *out)
{
    uint64_t dim = 0;
    for (size_t at = 0; qeff_protobuf_next_varint(r, &at, &dim); f->rank++)
        if (f->rank < QEFF_MAX_RANK) out->dims[f->rank] = (int64_t)dim;
}

static qeff_status read_fields(qeff_protobuf *r, fields *f, qeff_onnx_tensor *out, qeff_error *err)
{
    while (qeff_protobuf_next(r)) {
        switch (r->field) {
        case TENSOR_DIMS:
            read_dims(f, r, out);
            break;
        case TENSOR_DATA_TYPE:
            f->data_type = qeff_protobuf_int(r);
            break;
        case TENSOR_NAME:
            out->name = qeff_protobuf_str(r);
            break;
        case TENSOR_DATA_LOCATION:
            f->location = qeff_protobuf_int(r);
            break;
        case TENSOR_EXTERNAL_DATA:
            f->has_entries = true;
            break;
        case TENSOR_SEGMENT:
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "tensors in segments are not supported");
        case TENSOR_FLOAT_DATA:
        case TENSOR_INT32_DATA:
        case TENSOR_STRING_DATA:
        case TENSOR_INT64_DATA:
        case TENSOR_RAW_DATA:
        case TENSOR_DOUBLE_DATA:
        case TENSOR_UINT64_DATA:
            QEFF_TRY(note_data(f, r, err));
            break;
        default:
            break;
        }
    }
    return qeff_protobuf_status(r, err);
}

/* The typed list that holds elements of a type. */
static uint32_t data_field_of(qeff_dtype dtype)
{
    switch (dtype) {
    case QEFF_DTYPE_F32:
        return TENSOR_FLOAT_DATA;
    case QEFF_DTYPE_F64:
        return TENSOR_DOUBLE_DATA;
    case QEFF_DTYPE_I64:
        return TENSOR_INT64_DATA;
    case QEFF_DTYPE_U64:
    case QEFF_DTYPE_U32:
        return TENSOR_UINT64_DATA;
    case QEFF_DTYPE_F16:
    case QEFF_DTYPE_BF16:
    case QEFF_DTYPE_I32:
    case QEFF_DTYPE_I16:
    case QEFF_DTYPE_I8:
    case QEFF_DTYPE_U16:
    case QEFF_DTYPE_U8:
    case QEFF_DTYPE_BOOL:
    case QEFF_DTYPE_F8_E4M3:
    case QEFF_DTYPE_F8_E5M2:
        return TENSOR_INT32_DATA;
    case QEFF_DTYPE_NONE:
    case QEFF_DTYPE_COUNT:
        break;
    }
    return 0;
}

/* Whether a varint is a value, or for floating types the bits, of the type. */
static bool fits_dtype(qeff_dtype dtype, uint64_t value)
{
    const int64_t v = (int64_t)value;
    switch (dtype) {
    case QEFF_DTYPE_I32:
        return v >= INT32_MIN && v <= INT32_MAX;
    case QEFF_DTYPE_I16:
        return v >= INT16_MIN && v <= INT16_MAX;
    case QEFF_DTYPE_I8:
        return v >= INT8_MIN && v <= INT8_MAX;
    case QEFF_DTYPE_U32:
        return value <= UINT32_MAX;
    case QEFF_DTYPE_F16:
    case QEFF_DTYPE_BF16:
    case QEFF_DTYPE_U16:
        return value <= UINT16_MAX;
    case QEFF_DTYPE_U8:
    case QEFF_DTYPE_F8_E4M3:
    case QEFF_DTYPE_F8_E5M2:
        return value <= UINT8_MAX;
    case QEFF_DTYPE_BOOL:
        return value <= 1;
    case QEFF_DTYPE_F64:
    case QEFF_DTYPE_F32:
    case QEFF_DTYPE_I64:
    case QEFF_DTYPE_U64:
    case QEFF_DTYPE_NONE:
    case QEFF_DTYPE_COUNT:
        break;
    }
    return true;
}

static qeff_status
decode_varints(qeff_protobuf *r, qeff_dtype dtype, uint8_t *data, size_t *at, qeff_error *err)
{
    const size_t width = qeff_dtype_size(dtype);
    uint64_t value = 0;
    for (size_t i = 0; qeff_protobuf_next_varint(r, &i, &value);) {
        if (!fits_dtype(dtype, value))
            return qeff_fail(err, QEFF_ERR_FORMAT, "element %zu is no %s", *at / width,
                             qeff_dtype_name(dtype));
        uint8_t bytes[8];
        qeff_store_u64le(bytes, value);
        memcpy(data + *at, bytes, width);
        *at += width;
    }
    return QEFF_OK;
}

qeff_status
qeff_onnx_allocate_decoded(qeff_onnx_model *model, uint64_t size, uint8_t **out, qeff_error *err)
{
    const uint64_t limit = DECODED_BYTES_MAX + (uint64_t)model->file.size;
    if (size > limit - model->decoded_bytes)
        return qeff_fail(
            err, QEFF_ERR_UNSUPPORTED,
            "typed element lists of over %" PRIu64 " bytes: save the model with raw_data", limit);
    *out = qeff_arena_alloc(&model->arena, (size_t)size);
    if (!*out) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for %" PRIu64 " bytes", size);
    model->decoded_bytes += size;
    return QEFF_OK;
}

/* The second pass: `need` bytes were counted in the first. */
static qeff_status decode_elements(qeff_onnx_model *model, qeff_protobuf r, const fields *f,
                                   uint64_t need, qeff_onnx_tensor *out, qeff_error *err)
{
    size_t at = 0;
    uint8_t *data = NULL;
    QEFF_TRY(qeff_onnx_allocate_decoded(model, need, &data, err));
    while (qeff_protobuf_next(&r)) {
        if (r.field != f->data_field) continue;
        const size_t width = width_of(r.field);
        if (width) {
            const qeff_bytes part = qeff_protobuf_fixed(&r, width);
            if (part.size) memcpy(data + at, part.data, part.size);
            at += part.size;
        } else {
            QEFF_TRY(decode_varints(&r, out->dtype, data, &at, err));
        }
    }
    QEFF_TRY(qeff_protobuf_status(&r, err));
    out->data = (qeff_bytes){data, (size_t)need};
    qeff_file_release(&model->file, r.data); /* it is in memory once */
    return QEFF_OK;
}

static void borrow_from_file(const qeff_onnx_model *model, const fields *f, qeff_onnx_tensor *out)
{
    out->data = f->data;
    if (!model->file.is_mapped) return;
    out->source_fd = model->file.fd;
    out->source_offset = f->data_offset;
}

static qeff_status locate_elements(qeff_onnx_model *model, qeff_protobuf start, const fields *f,
                                   qeff_onnx_tensor *out, qeff_error *err)
{
    uint64_t elements = 0, need = 0;
    if (!qeff_shape_elements(out->rank, out->dims, &elements) ||
        !qeff_tensor_bytes(out->dtype, out->rank, out->dims, &need) || need > SIZE_MAX / 2)
        return qeff_fail(err, QEFF_ERR_FORMAT, "negative dimension, or shape overflows 64 bits");
    if (f->location == 1) {
        if (f->data_field)
            return qeff_fail(err, QEFF_ERR_FORMAT, "elements both external and in %s",
                             data_field_name(f->data_field));
        return qeff_onnx_find_external(model, start, need, out, err);
    }
    if (f->location != 0 || f->has_entries)
        return qeff_fail(err, QEFF_ERR_FORMAT, "external data with data location %" PRId64,
                         f->location);
    if (f->data_field == 0 || f->data_field == TENSOR_RAW_DATA) {
        if (f->data.size != need)
            return qeff_fail(err, QEFF_ERR_FORMAT,
                             "raw_data holds %zu bytes but dtype and shape need %" PRIu64,
                             f->data.size, need);
        borrow_from_file(model, f, out);
        return QEFF_OK;
    }
    if (f->data_field != data_field_of(out->dtype))
        return qeff_fail(err, QEFF_ERR_FORMAT, "%s cannot hold %s", data_field_name(f->data_field),
                         qeff_dtype_name(out->dtype));
    if (f->n_elements != elements)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "%s holds %" PRIu64 " elements but the shape needs %" PRIu64,
                         data_field_name(f->data_field), f->n_elements, elements);
    if (f->n_parts > 1 || !width_of(f->data_field))
        return decode_elements(model, start, f, need, out, err);
    borrow_from_file(model, f, out);
    return QEFF_OK;
}

static qeff_status check_fields(const fields *f, qeff_onnx_tensor *out, qeff_error *err)
{
    out->dtype = qeff_dtype_from_onnx(f->data_type);
    out->rank = f->rank;
    if (f->data_type == 0 || out->dtype == QEFF_DTYPE_NONE)
        return qeff_fail(err, f->data_type == 0 ? QEFF_ERR_FORMAT : QEFF_ERR_UNSUPPORTED,
                         "data type %" PRId64 " is not known", f->data_type);
    if (f->rank > QEFF_MAX_RANK)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "rank %zu exceeds the limit of %d", f->rank,
                         QEFF_MAX_RANK);
    return QEFF_OK;
}

qeff_status qeff_onnx_read_tensor(qeff_onnx_model *model, qeff_protobuf message,
                                  qeff_onnx_tensor *out, qeff_error *err)
{
    fields f = {0};
    qeff_protobuf r = message;
    *out = (qeff_onnx_tensor){.source_fd = -1};
    qeff_status status = read_fields(&r, &f, out, err);
    if (!status) status = qeff_onnx_check_name(out->name, "tensor", err);
    if (!status) status = check_fields(&f, out, err);
    if (!status) status = locate_elements(model, message, &f, out, err);
    if (status && qeff_onnx_check_name(out->name, "tensor", NULL)) return status; /* unprintable */
    return qeff_within(err, status, "tensor '%.*s'", QEFF_STR_ARGS(out->name));
}

qeff_value qeff_onnx_add_weight(qeff_builder *b, const qeff_onnx_tensor *tensor, qeff_str name)
{
    qeff_value_info info = {.name = name,
                            .kind = QEFF_VALUE_WEIGHT,
                            .dtype = tensor->dtype,
                            .shape = {.rank = tensor->rank},
                            .node = -1,
                            .data = tensor->data,
                            .source_fd = tensor->source_fd,
                            .source_offset = tensor->source_offset};
    for (size_t i = 0; i < tensor->rank; i++)
        info.shape.dims[i] = qeff_dim_of(tensor->dims[i]);
    return qb_borrowed(b, &info);
}
