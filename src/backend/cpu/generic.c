/* generic.c - a graph as plan.json and constants.bin, and back. */
#include "backend/cpu/generic.h"

#include "backend/cpu/plan_names.h"
#include "backend/cpu/spec_json.h"
#include "base/checked.h"
#include "base/cpu.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/span.h"
#include "graph/op.h"

#include <inttypes.h>
#include <math.h>

enum { ALIGNMENT = 64, LIST_MAX = 1 << 18, OPERANDS_MAX = 1 << 12 };

static bool is_short_float(qeff_dtype dtype)
{
    return dtype == QEFF_DTYPE_F16 || dtype == QEFF_DTYPE_BF16;
}

static bool is_known_dtype(qeff_dtype dtype)
{
    return dtype == QEFF_DTYPE_F32 || dtype == QEFF_DTYPE_I64 || dtype == QEFF_DTYPE_I32 ||
           dtype == QEFF_DTYPE_BOOL;
}

static bool is_known_value(const qeff_graph *graph, qeff_value value)
{
    const qeff_value_info *info = qeff_graph_value(graph, value);
    return is_known_dtype(info->dtype) ||
           (info->kind == QEFF_VALUE_WEIGHT && is_short_float(info->dtype));
}

bool qeff_generic_supports(const qeff_graph *graph, const qeff_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != QEFF_VALUE_NONE && !is_known_value(graph, node->inputs[i]))
            return false;
    for (size_t i = 0; i < node->n_outputs; i++)
        if (!is_known_dtype(qeff_graph_value(graph, node->outputs[i])->dtype)) return false;
    return node->n_inputs <= OPERANDS_MAX;
}

/* --- layout -------------------------------------------------------------------------------------
 */

static qeff_dtype kept_dtype(const qeff_value_info *info)
{
    return is_short_float(info->dtype) ? QEFF_DTYPE_F32 : info->dtype;
}

static bool place(const qeff_value_info *info, uint64_t *offset, uint64_t *total)
{
    uint64_t elements = 0, bytes = 0;
    *offset = *total;
    if (!qeff_shape_count(&info->shape, &elements) ||
        !qeff_mul_u64(elements, qeff_dtype_size(kept_dtype(info)), &bytes) ||
        !qeff_add_u64(*total, bytes, total) || !qeff_add_u64(*total, ALIGNMENT - 1, total))
        return false;
    *total &= ~(uint64_t)(ALIGNMENT - 1);
    return *total <= INT64_MAX / 2;
}

/* Marks the weights that nodes and outputs read. */
static void mark_used(const qeff_graph *graph, int32_t *numbers)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t k = 0; k < graph->nodes[i].n_inputs; k++)
            if (graph->nodes[i].inputs[k] != QEFF_VALUE_NONE)
                numbers[graph->nodes[i].inputs[k]] = 0;
    for (size_t i = 0; i < graph->n_outputs; i++)
        numbers[graph->outputs[i].value] = 0;
}

static bool number_values(const qeff_graph *graph, qeff_generic_layout *layout)
{
    int32_t n = 0;
    for (size_t i = 0; i < graph->n_values; i++) {
        layout->numbers[i] = -1;
        layout->offsets[i] = UINT64_MAX;
    }
    mark_used(graph, layout->numbers);
    for (size_t i = 0; i < graph->n_inputs; i++)
        layout->numbers[graph->inputs[i]] = n++;
    for (size_t i = 0; i < graph->n_values; i++) {
        if (graph->values[i].kind != QEFF_VALUE_WEIGHT || layout->numbers[i] < 0) continue;
        if (!place(&graph->values[i], &layout->offsets[i], &layout->total)) return false;
        layout->numbers[i] = n++;
    }
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t k = 0; k < graph->nodes[i].n_outputs; k++)
            layout->numbers[graph->nodes[i].outputs[k]] = n++;
    return true;
}

qeff_status
qeff_generic_layout_init(const qeff_graph *graph, qeff_generic_layout *layout, qeff_error *err)
{
    *layout = (qeff_generic_layout){0};
    layout->offsets = qeff_alloc_array(graph->n_values + 1, sizeof *layout->offsets);
    layout->numbers = qeff_alloc_array(graph->n_values + 1, sizeof *layout->numbers);
    if (!layout->offsets || !layout->numbers)
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    if (!number_values(graph, layout))
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "constants do not fit 63 bits");
    return QEFF_OK;
}

void qeff_generic_layout_deinit(qeff_generic_layout *layout)
{
    qeff_free(layout->offsets);
    qeff_free(layout->numbers);
    *layout = (qeff_generic_layout){0};
}

static void write_floats(const qeff_value_info *info, uint64_t elements, qeff_qpc_writer *out)
{
    float buffer[256];
    for (uint64_t at = 0; at < elements;) {
        size_t n = 0;
        for (; n < 256 && at < elements; n++, at++) {
            const uint16_t bits = qeff_load_u16le(info->data.data + 2 * at);
            buffer[n] =
                info->dtype == QEFF_DTYPE_F16 ? qeff_f16_to_f32(bits) : qeff_bf16_to_f32(bits);
        }
        qeff_qpc_writer_append(out, buffer, n * sizeof *buffer);
    }
}

void qeff_generic_write_constants(const qeff_graph *graph, const qeff_generic_layout *layout,
                                  qeff_qpc_writer *out)
{
    static const uint8_t zeros[ALIGNMENT] = {0};
    for (size_t i = 0; i < graph->n_values; i++) {
        const qeff_value_info *info = &graph->values[i];
        uint64_t elements = 0;
        if (layout->offsets[i] == UINT64_MAX || !qeff_shape_count(&info->shape, &elements))
            continue;
        const uint64_t bytes = elements * qeff_dtype_size(kept_dtype(info));
        if (is_short_float(info->dtype))
            write_floats(info, elements, out);
        else if (bytes)
            qeff_qpc_writer_append(out, info->data.data, (size_t)bytes);
        qeff_qpc_writer_append(out, zeros, (size_t)(-bytes % ALIGNMENT));
    }
}

/* --- text ---------------------------------------------------------------------------------------
 */

static void put_attribute(qeff_buffer *out, const qeff_attribute *a)
{
    qeff_buffer_append_json(out, qeff_str_of(a->name));
    qeff_buffer_append_text(out, ": ");
    switch (a->kind) {
    case QEFF_ATTRIBUTE_INT:
        qeff_buffer_format(out, "%" PRId64, a->i);
        break;
    case QEFF_ATTRIBUTE_FLOAT: /* JSON has no infinity; a float stays one by its text */
        if (isfinite(a->f))
            qeff_buffer_format(out, "{\"float\": %.17g}", a->f);
        else
            qeff_buffer_format(out, "{\"float\": \"%s\"}",
                               isnan(a->f) ? "nan"
                               : a->f > 0  ? "inf"
                                           : "-inf");
        break;
    case QEFF_ATTRIBUTE_INTS:
        qeff_buffer_append_byte(out, '[');
        for (size_t i = 0; i < a->n_ints; i++)
            qeff_buffer_format(out, "%s%" PRId64, i ? ", " : "", a->ints[i]);
        qeff_buffer_append_byte(out, ']');
        break;
    case QEFF_ATTRIBUTE_STR:
        qeff_buffer_append_json(out, a->s);
        break;
    }
}

static void put_node(qeff_buffer *out, const qeff_node *node, const int32_t *numbers)
{
    qeff_buffer_format(out, "{\"op\": \"%s\", \"name\": ", qeff_op_get(node->op)->name);
    qeff_buffer_append_json(out, node->name);
    qeff_buffer_append_text(out, ", \"inputs\": [");
    for (size_t i = 0; i < node->n_inputs; i++)
        qeff_buffer_format(out, "%s%d", i ? ", " : "",
                           node->inputs[i] == QEFF_VALUE_NONE ? -1 : (int)numbers[node->inputs[i]]);
    qeff_buffer_append_text(out, "], \"attributes\": {");
    for (size_t i = 0; i < node->n_attributes; i++) {
        if (i) qeff_buffer_append_text(out, ", ");
        put_attribute(out, &node->attributes[i]);
    }
    qeff_buffer_append_text(out, "}}");
}

static void
put_constants(qeff_buffer *out, const qeff_graph *graph, const qeff_generic_layout *layout)
{
    bool is_first = true;
    for (size_t i = 0; i < graph->n_values; i++) {
        const qeff_value_info *info = &graph->values[i];
        if (layout->offsets[i] == UINT64_MAX) continue;
        qeff_buffer_append_text(out, is_first ? "\n    {" : ",\n    {");
        const qeff_io_spec spec = {info->name, kept_dtype(info), info->shape};
        qeff_spec_format(&spec, out);
        qeff_buffer_format(out, ", \"offset\": %" PRIu64 "}", layout->offsets[i]);
        is_first = false;
    }
}

void qeff_generic_format(const qeff_graph *graph, const qeff_generic_layout *layout,
                         unsigned cpu_flags, qeff_buffer *out)
{
    qeff_buffer_format(out, "{\n  \"format\": %d, \"kind\": \"generic\", \"level\": \"%s\",\n",
                       QEFF_PLAN_FORMAT, qeff_cpu_level_name(cpu_flags));
    qeff_buffer_append_text(out, "  \"name\": ");
    qeff_buffer_append_json(out, graph->name.size ? graph->name : QEFF_STR("graph"));
    qeff_buffer_append_text(out, ",\n  \"inputs\": [");
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const qeff_value_info *info = qeff_graph_value(graph, graph->inputs[i]);
        const qeff_io_spec spec = {info->name, info->dtype, info->shape};
        qeff_buffer_append_text(out, i ? ",\n    {" : "\n    {");
        qeff_spec_format(&spec, out);
        qeff_buffer_append_byte(out, '}');
    }
    qeff_buffer_append_text(out, "],\n  \"constants\": [");
    put_constants(out, graph, layout);
    qeff_buffer_append_text(out, "],\n  \"nodes\": [");
    for (size_t i = 0; i < graph->n_nodes; i++) {
        qeff_buffer_append_text(out, i ? ",\n    " : "\n    ");
        put_node(out, &graph->nodes[i], layout->numbers);
    }
    qeff_buffer_append_text(out, "],\n  \"outputs\": [");
    for (size_t i = 0; i < graph->n_outputs; i++) {
        qeff_buffer_append_text(out, i ? ",\n    {\"name\": " : "\n    {\"name\": ");
        qeff_buffer_append_json(out, graph->outputs[i].name);
        qeff_buffer_format(out, ", \"value\": %d}", (int)layout->numbers[graph->outputs[i].value]);
    }
    qeff_buffer_append_text(out, "]\n}\n");
}

/* --- reading ------------------------------------------------------------------------------------
 */

typedef struct reading {
    qeff_builder *b;
    qeff_bytes constants;
    qeff_value *values; /* by number */
    size_t n_values, values_capacity;
    qeff_arena arena; /* operands and attributes of the node being read, and names */
} reading;

static qeff_status push(reading *r, qeff_value value, qeff_error *err)
{
    qeff_value *values = qeff_grow(r->values, r->n_values, &r->values_capacity, sizeof *values);
    if (!values) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    r->values = values;
    values[r->n_values++] = value;
    return QEFF_OK;
}

static qeff_status read_list(qeff_json object, const char *key, size_t max, qeff_json *list,
                             size_t *n, qeff_error *err)
{
    *list = qeff_json_find(object, key);
    QEFF_TRY(qeff_json_expect(*list, QEFF_JSON_ARRAY, err));
    *n = qeff_json_count(*list);
    if (*n <= max) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "key '%s': expected at most %zu entries, found %zu", key,
                     max, *n);
}

static qeff_status read_inputs(reading *r, qeff_json root, qeff_error *err)
{
    qeff_json list;
    size_t n = 0;
    QEFF_TRY(read_list(root, "inputs", 32, &list, &n, err));
    for (size_t i = 0; i < n; i++) {
        qeff_io_spec spec;
        QEFF_TRY(qeff_within(err, qeff_spec_parse(qeff_json_at(list, i), &r->arena, &spec, err),
                             "input %zu", i));
        if (!is_known_dtype(spec.dtype))
            return qeff_fail(err, QEFF_ERR_FORMAT, "input %zu: %s cannot be used", i,
                             qeff_dtype_name(spec.dtype));
        QEFF_TRY(push(r, qb_input(r->b, spec.name.data, spec.dtype, &spec.shape), err));
    }
    return QEFF_OK;
}

static qeff_status read_constant(reading *r, qeff_json object, qeff_error *err)
{
    qeff_io_spec spec;
    int64_t offset = 0;
    uint64_t elements = 0, bytes = 0;
    QEFF_TRY(qeff_spec_parse(object, &r->arena, &spec, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_find(object, "offset"), 0, INT64_MAX, &offset, err));
    if (!is_known_dtype(spec.dtype) || offset % ALIGNMENT != 0)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%s at offset %" PRId64 " cannot be used",
                         qeff_dtype_name(spec.dtype), offset);
    if (!qeff_shape_count(&spec.shape, &elements) ||
        !qeff_mul_u64(elements, qeff_dtype_size(spec.dtype), &bytes) ||
        (uint64_t)offset > r->constants.size || bytes > r->constants.size - (uint64_t)offset)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "%" PRIu64 " bytes at %" PRId64 " lie outside constants.bin of %zu bytes",
                         bytes, offset, r->constants.size);
    const qeff_value_info info = {.name = spec.name,
                                  .kind = QEFF_VALUE_WEIGHT,
                                  .dtype = spec.dtype,
                                  .shape = spec.shape,
                                  .node = -1,
                                  .data = {r->constants.data + offset, (size_t)bytes},
                                  .source_fd = -1};
    if ((uintptr_t)info.data.data % ALIGNMENT != 0)
        return qeff_fail(err, QEFF_ERR_FORMAT, "image 'constants.bin' is not aligned");
    return push(r, qb_borrowed(r->b, &info), err);
}

static qeff_status read_constants(reading *r, qeff_json root, qeff_error *err)
{
    qeff_json list;
    size_t n = 0;
    QEFF_TRY(read_list(root, "constants", LIST_MAX, &list, &n, err));
    for (size_t i = 0; i < n; i++)
        QEFF_TRY(qeff_within(err, read_constant(r, qeff_json_at(list, i), err), "constant %zu", i));
    return QEFF_OK;
}

static qeff_status read_float(qeff_json object, double *out, qeff_error *err)
{
    const qeff_json value = qeff_json_find(object, "float");
    if (qeff_json_kind_of(value) != QEFF_JSON_STR) return qeff_json_to_real(value, out, err);
    qeff_str text = {NULL, 0};
    QEFF_TRY(qeff_json_to_str(value, &text, err));
    *out = qeff_str_is(text, "inf")    ? (double)INFINITY
           : qeff_str_is(text, "-inf") ? -(double)INFINITY
                                       : (double)NAN;
    return QEFF_OK;
}

static qeff_status
read_attribute(reading *r, qeff_str key, qeff_json value, qeff_attribute *out, qeff_error *err)
{
    const qeff_str name = qeff_arena_str(&r->arena, key);
    *out = (qeff_attribute){.name = name.data};
    if (!name.data) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    if (qeff_json_kind_of(value) == QEFF_JSON_OBJECT) {
        out->kind = QEFF_ATTRIBUTE_FLOAT;
        return read_float(value, &out->f, err);
    }
    if (qeff_json_kind_of(value) == QEFF_JSON_STR) {
        out->kind = QEFF_ATTRIBUTE_STR;
        return qeff_json_to_str(value, &out->s, err);
    }
    if (qeff_json_kind_of(value) != QEFF_JSON_ARRAY) {
        out->kind = QEFF_ATTRIBUTE_INT;
        return qeff_json_to_int(value, INT64_MIN, INT64_MAX, &out->i, err);
    }
    out->kind = QEFF_ATTRIBUTE_INTS;
    out->n_ints = qeff_json_count(value);
    int64_t *ints = qeff_arena_array(&r->arena, out->n_ints + 1, sizeof *ints);
    if (!ints) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    out->ints = ints;
    for (size_t i = 0; i < out->n_ints; i++)
        QEFF_TRY(qeff_json_to_int(qeff_json_at(value, i), INT64_MIN, INT64_MAX, &ints[i], err));
    return QEFF_OK;
}

static qeff_status
read_attributes(reading *r, qeff_json object, qeff_attribute **out, size_t *n, qeff_error *err)
{
    const qeff_json list = qeff_json_find(object, "attributes");
    QEFF_TRY(qeff_json_expect(list, QEFF_JSON_OBJECT, err));
    *n = 0;
    *out = qeff_arena_array(&r->arena, qeff_json_count(list) + 1, sizeof **out);
    if (!*out) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    void *iterator = NULL;
    qeff_str key;
    qeff_json value;
    while (qeff_json_next(list, &iterator, &key, &value))
        QEFF_TRY(read_attribute(r, key, value, &(*out)[(*n)++], err));
    return QEFF_OK;
}

static qeff_status
read_operands(reading *r, qeff_json object, qeff_value **out, size_t *n, qeff_error *err)
{
    qeff_json list;
    QEFF_TRY(read_list(object, "inputs", OPERANDS_MAX, &list, n, err));
    *out = qeff_arena_array(&r->arena, *n + 1, sizeof **out);
    if (!*out) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < *n; i++) {
        int64_t number = 0;
        /* Only values that are there by now: nodes that wait for each other are refused. */
        QEFF_TRY(
            qeff_json_to_int(qeff_json_at(list, i), -1, (int64_t)r->n_values - 1, &number, err));
        (*out)[i] = number < 0 ? QEFF_VALUE_NONE : r->values[number];
    }
    return QEFF_OK;
}

static qeff_status read_node(reading *r, qeff_json object, qeff_error *err)
{
    qeff_str name, text = {NULL, 0};
    qeff_value *operands = NULL;
    qeff_attribute *attributes = NULL;
    size_t n_operands = 0, n_attributes = 0;
    QEFF_TRY(qeff_json_expect(object, QEFF_JSON_OBJECT, err));
    QEFF_TRY(qeff_json_to_str(qeff_json_find(object, "op"), &text, err));
    const qeff_op op = qeff_op_find(text);
    if (op == QEFF_OP_COUNT)
        return qeff_fail(err, QEFF_ERR_FORMAT, "unknown op '%.*s'", QEFF_STR_ARGS(text));
    QEFF_TRY(qeff_spec_parse_name(object, "name", &r->arena, &name, err));
    QEFF_TRY(read_operands(r, object, &operands, &n_operands, err));
    QEFF_TRY(read_attributes(r, object, &attributes, &n_attributes, err));
    const qeff_value first =
        qb_node(r->b, op, name.data, operands, n_operands, attributes, n_attributes);
    if (qb_has_failed(r->b)) return QEFF_OK; /* qb_finish() says why */
    const qeff_graph *graph = qb_graph(r->b);
    const qeff_node *node = &graph->nodes[graph->n_nodes - 1];
    if (!qeff_generic_supports(graph, node))
        return qeff_fail(err, QEFF_ERR_FORMAT, "operands other than f32, i64, i32 and bool");
    for (size_t i = 0; i < node->n_outputs; i++)
        QEFF_TRY(push(r, first + (qeff_value)i, err));
    return QEFF_OK;
}

static qeff_status read_nodes(reading *r, qeff_json root, qeff_error *err)
{
    qeff_json list;
    size_t n = 0;
    QEFF_TRY(read_list(root, "nodes", LIST_MAX, &list, &n, err));
    for (size_t i = 0; i < n && !qb_has_failed(r->b); i++)
        QEFF_TRY(qeff_within(err, read_node(r, qeff_json_at(list, i), err), "node %zu", i));
    return QEFF_OK;
}

static qeff_status read_outputs(reading *r, qeff_json root, qeff_error *err)
{
    qeff_json list;
    size_t n = 0;
    QEFF_TRY(read_list(root, "outputs", 32, &list, &n, err));
    for (size_t i = 0; i < n && !qb_has_failed(r->b); i++) {
        const qeff_json object = qeff_json_at(list, i);
        qeff_str name;
        int64_t number = 0;
        qeff_status status = qeff_spec_parse_name(object, "name", &r->arena, &name, err);
        if (!status)
            status = qeff_json_to_int(qeff_json_find(object, "value"), 0, (int64_t)r->n_values - 1,
                                      &number, err);
        QEFF_TRY(qeff_within(err, status, "output %zu", i));
        qb_output(r->b, name.data, r->values[number]);
    }
    return QEFF_OK;
}

qeff_status
qeff_generic_parse(qeff_json root, qeff_bytes constants, qeff_graph **out, qeff_error *err)
{
    reading r = {.constants = constants};
    qeff_str name = {NULL, 0};
    *out = NULL;
    qeff_status status = qeff_spec_parse_name(root, "name", &r.arena, &name, err);
    if (!status) status = qb_create(name.data, NULL, &r.b, err);
    if (!status) status = read_inputs(&r, root, err);
    if (!status) status = read_constants(&r, root, err);
    if (!status) status = read_nodes(&r, root, err);
    if (!status) status = read_outputs(&r, root, err);
    if (status)
        qb_destroy(r.b);
    else
        status = qb_finish(r.b, out, err);
    qeff_free(r.values);
    qeff_arena_deinit(&r.arena);
    return status;
}
