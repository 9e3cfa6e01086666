/* node.c - NodeProto and AttributeProto, field by field.
 *
 * Fields come in any order and may be repeated, so each message is gone through twice: counts
 * first, which are checked before anything is allocated, then contents. Graphs in attributes are
 * not read: the operators that have them are not known. */
#include "onnx/node.h"

#include "base/error.h"
#include "base/span.h"
#include "onnx/messages.h"

#include <inttypes.h>

enum {
    OPERANDS_MAX = 65535,
    INTS_MAX = 65535 /* of an attribute */
};

static qeff_status count_numbers(qeff_protobuf r, qeff_onnx_attribute *a, qeff_error *err)
{
    while (qeff_protobuf_next(&r)) {
        if (r.field == ATTRIBUTE_INTS) a->n_ints += qeff_protobuf_count_varints(&r);
        if (r.field == ATTRIBUTE_FLOATS) a->n_floats += qeff_protobuf_fixed(&r, 4).size / 4;
    }
    QEFF_TRY(qeff_protobuf_status(&r, err));
    if (a->n_ints > INTS_MAX || a->n_floats > INTS_MAX)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "%zu numbers exceed the limit of %d",
                         a->n_ints + a->n_floats, INTS_MAX);
    return QEFF_OK;
}

static void read_floats(qeff_protobuf *r, float *out, size_t *n)
{
    const qeff_bytes part = qeff_protobuf_fixed(r, 4);
    for (size_t i = 0; i + 4 <= part.size; i += 4) {
        const uint32_t bits = qeff_load_u32le(part.data + i);
        memcpy(&out[(*n)++], &bits, sizeof bits);
    }
}

/* Lists of numbers, counted before. */
static qeff_status
read_numbers(qeff_onnx_importer *im, qeff_protobuf r, qeff_onnx_attribute *a, qeff_error *err)
{
    int64_t *ints = qeff_arena_array(&im->node_memory, a->n_ints, sizeof *ints);
    float *floats = qeff_arena_array(&im->node_memory, a->n_floats, sizeof *floats);
    if (!ints || !floats) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    size_t n_ints = 0, n_floats = 0;
    while (qeff_protobuf_next(&r)) {
        uint64_t value = 0;
        if (r.field == ATTRIBUTE_INTS)
            for (size_t at = 0; qeff_protobuf_next_varint(&r, &at, &value);)
                ints[n_ints++] = (int64_t)value;
        if (r.field == ATTRIBUTE_FLOATS) read_floats(&r, floats, &n_floats);
    }
    a->ints = ints;
    a->floats = floats;
    return qeff_protobuf_status(&r, err);
}

/* Files older than IR version 2 left `type` out; it then follows from the value. */
static qeff_status read_attribute(qeff_onnx_importer *im, qeff_protobuf message,
                                  qeff_onnx_attribute *a, qeff_error *err)
{
    qeff_protobuf r = message;
    while (qeff_protobuf_next(&r)) {
        switch (r.field) {
        case ATTRIBUTE_NAME:
            a->name = qeff_protobuf_str(&r);
            break;
        case ATTRIBUTE_TYPE:
            a->type = qeff_protobuf_int(&r);
            break;
        case ATTRIBUTE_I:
            a->i = qeff_protobuf_int(&r);
            break;
        case ATTRIBUTE_F:
            a->f = qeff_protobuf_float(&r);
            break;
        case ATTRIBUTE_S:
            a->s = qeff_protobuf_str(&r);
            break;
        case ATTRIBUTE_T:
            a->has_tensor = true;
            a->tensor = qeff_protobuf_message(&r);
            break;
        case ATTRIBUTE_REF_ATTR_NAME:
            a->has_reference = true;
            break;
        default:
            break;
        }
    }
    QEFF_TRY(qeff_protobuf_status(&r, err));
    QEFF_TRY(qeff_onnx_check_name(a->name, "attribute", err));
    QEFF_TRY(count_numbers(message, a, err));
    QEFF_TRY(read_numbers(im, message, a, err));
    if (a->has_reference)
        return qeff_fail(err, QEFF_ERR_FORMAT, "attribute '%.*s' refers to a function's attribute",
                         QEFF_STR_ARGS(a->name));
    return QEFF_OK;
}

static qeff_status count_fields(qeff_protobuf r, qeff_onnx_node *n, qeff_error *err)
{
    while (qeff_protobuf_next(&r)) {
        switch (r.field) {
        case NODE_INPUT:
            n->n_inputs++;
            break;
        case NODE_OUTPUT:
            n->n_outputs++;
            break;
        case NODE_ATTRIBUTE:
            n->n_attributes++;
            break;
        case NODE_NAME:
            n->name = qeff_protobuf_str(&r);
            break;
        case NODE_OP_TYPE:
            n->op_type = qeff_protobuf_str(&r);
            break;
        case NODE_DOMAIN:
            n->domain = qeff_protobuf_str(&r);
            break;
        case NODE_OVERLOAD:
            if (qeff_protobuf_str(&r).size)
                return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "functions are not supported");
            break;
        default:
            break;
        }
    }
    return qeff_protobuf_status(&r, err);
}

static qeff_status check_counts(const qeff_onnx_node *n, qeff_error *err)
{
    if (n->op_type.size == 0) return qeff_fail(err, QEFF_ERR_FORMAT, "no operator");
    if (n->n_inputs > OPERANDS_MAX || n->n_outputs > OPERANDS_MAX)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "%zu inputs and %zu outputs exceed %d",
                         n->n_inputs, n->n_outputs, OPERANDS_MAX);
    if (n->n_attributes > QEFF_ONNX_ATTRIBUTES_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%zu attributes exceed the limit of %d",
                         n->n_attributes, QEFF_ONNX_ATTRIBUTES_MAX);
    return QEFF_OK;
}

static qeff_status
find_input(const qeff_onnx_importer *im, qeff_str name, qeff_value *out, qeff_error *err)
{
    *out = QEFF_VALUE_NONE;
    if (name.size == 0) return QEFF_OK; /* optional and absent */
    const qeff_onnx_name *entry = qeff_onnx_names_find(&im->values, name);
    if (!entry)
        return qeff_fail(err, QEFF_ERR_FORMAT, "input '%.*s' is not defined", QEFF_STR_ARGS(name));
    if (entry->index == QEFF_VALUE_NONE)
        return qeff_fail(
            err, QEFF_ERR_FORMAT,
            "input '%.*s' is produced only later: expected nodes in order of execution",
            QEFF_STR_ARGS(name));
    *out = entry->index;
    return QEFF_OK;
}

qeff_status qeff_onnx_read_node_head(qeff_protobuf message, qeff_onnx_node *out, qeff_error *err)
{
    *out = (qeff_onnx_node){0};
    QEFF_TRY(count_fields(message, out, err));
    return check_counts(out, err);
}

qeff_status qeff_onnx_read_node_body(qeff_onnx_importer *im, qeff_protobuf r, qeff_onnx_node *n,
                                     qeff_error *err)
{
    n->inputs = qeff_arena_array(&im->node_memory, n->n_inputs, sizeof *n->inputs);
    n->outputs = qeff_arena_array(&im->node_memory, n->n_outputs, sizeof *n->outputs);
    n->attributes = qeff_arena_array(&im->node_memory, n->n_attributes, sizeof *n->attributes);
    if (!n->inputs || !n->outputs || !n->attributes)
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    size_t n_inputs = 0, n_outputs = 0, n_attributes = 0;
    while (qeff_protobuf_next(&r)) {
        if (r.field == NODE_INPUT)
            QEFF_TRY(find_input(im, qeff_protobuf_str(&r), &n->inputs[n_inputs++], err));
        if (r.field == NODE_OUTPUT) n->outputs[n_outputs++] = qeff_protobuf_str(&r);
        if (r.field != NODE_ATTRIBUTE) continue;
        qeff_onnx_attribute *a = &n->attributes[n_attributes++];
        QEFF_TRY(read_attribute(im, qeff_protobuf_message(&r), a, err));
        for (qeff_onnx_attribute *other = n->attributes; other < a; other++)
            if (qeff_str_equal(other->name, a->name))
                return qeff_fail(err, QEFF_ERR_FORMAT, "attribute '%.*s' occurs twice",
                                 QEFF_STR_ARGS(a->name));
    }
    return qeff_protobuf_status(&r, err);
}

/* --- constants ------------------------------------------------------------------------------- */

qeff_status qeff_onnx_expect_type(const qeff_onnx_attribute *a, int type, qeff_error *err)
{
    if (a->type == type) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "attribute '%.*s' of type %" PRId64 ", expected %d",
                     QEFF_STR_ARGS(a->name), a->type, type);
}

/* value_int, value_ints, value_float, value_floats: one number, or a list. */
static qeff_status make_numbers(qeff_onnx_importer *im, const qeff_onnx_attribute *a, bool is_list,
                                bool is_float, qeff_onnx_tensor *out, qeff_error *err)
{
    const size_t count = !is_list ? 1 : is_float ? a->n_floats : a->n_ints;
    const size_t width = is_float ? 4 : 8;
    const float *floats = is_list ? a->floats : &a->f;
    const int64_t *ints = is_list ? a->ints : &a->i;
    uint8_t *data = NULL;
    QEFF_TRY(qeff_onnx_allocate_decoded(im->model, count * width, &data, err));
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = 0;
        if (is_float) {
            memcpy(&bits, &floats[i], sizeof bits);
            qeff_store_u32le(data + i * width, bits);
        } else {
            qeff_store_u64le(data + i * width, (uint64_t)ints[i]);
        }
    }
    *out = (qeff_onnx_tensor){.dtype = is_float ? QEFF_DTYPE_F32 : QEFF_DTYPE_I64,
                              .rank = is_list ? 1 : 0,
                              .dims = {(int64_t)count},
                              .data = {data, count * width},
                              .source_fd = -1};
    return QEFF_OK;
}

qeff_status qeff_onnx_read_constant(qeff_onnx_importer *im, const qeff_onnx_node *n,
                                    qeff_onnx_tensor *out, qeff_error *err)
{
    if (n->n_attributes != 1)
        return qeff_fail(err, QEFF_ERR_FORMAT, "expected one attribute, found %zu",
                         n->n_attributes);
    const qeff_onnx_attribute *a = &n->attributes[0];
    if (qeff_str_is(a->name, "value")) {
        QEFF_TRY(qeff_onnx_expect_type(a, ATTRIBUTE_TYPE_TENSOR, err));
        if (!a->has_tensor) return qeff_fail(err, QEFF_ERR_FORMAT, "attribute 'value' is empty");
        return qeff_onnx_read_tensor(im->model, a->tensor, out, err);
    }
    const bool is_list = qeff_str_ends_with(a->name, "s");
    if (qeff_str_is(a->name, "value_int") || qeff_str_is(a->name, "value_ints")) {
        QEFF_TRY(qeff_onnx_expect_type(a, is_list ? ATTRIBUTE_TYPE_INTS : ATTRIBUTE_TYPE_INT, err));
        return make_numbers(im, a, is_list, false, out, err);
    }
    if (qeff_str_is(a->name, "value_float") || qeff_str_is(a->name, "value_floats")) {
        QEFF_TRY(
            qeff_onnx_expect_type(a, is_list ? ATTRIBUTE_TYPE_FLOATS : ATTRIBUTE_TYPE_FLOAT, err));
        return make_numbers(im, a, is_list, true, out, err);
    }
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "attribute '%.*s' is not supported",
                     QEFF_STR_ARGS(a->name));
}
