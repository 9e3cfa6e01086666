/* print.c - a graph as text, for people, goldens and tests of passes.
 *
 *   graph BertModel
 *   input input_ids: i64 [batch_size, seq_len]
 *   weight dense.weight: f32 [384, 384]
 *   weight axis: i64 [1] = {1}
 *   dense: f32 [batch_size, seq_len, 384] = linear(x, dense.weight, dense.bias)
 *   act: f32 [batch_size, seq_len, 384] = gelu(dense) approximate="none"
 *   output output = act
 *
 * Names that could be taken for something else are written as JSON strings. */
#include "base/dtype.h"
#include "base/span.h"
#include "graph/op.h"

#include <inttypes.h>
#include <stdio.h>

enum { ELEMENTS_PRINTED = 16 };

static bool is_plain(qeff_str name)
{
    static const char marks[] = "_./:#-";
    for (size_t i = 0; i < name.size; i++) {
        const char c = name.data[i];
        const bool is_word =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && !memchr(marks, c, sizeof marks - 1)) return false;
    }
    return name.size > 0 && !qeff_str_is(name, "none");
}

static void print_name(qeff_buffer *out, qeff_str name)
{
    if (is_plain(name))
        qeff_buffer_append_str(out, name);
    else
        qeff_buffer_append_json(out, name);
}

/* Whatever the locale writes between the digits becomes a point. */
static void print_float(qeff_buffer *out, double value, int digits)
{
    char text[48];
    bool in_gap = false;
    (void)snprintf(text, sizeof text, "%.*g", digits, value);
    for (const char *c = text; *c; c++) {
        const bool is_kept = strchr("0123456789+-einfa", *c) != NULL;
        if (is_kept)
            qeff_buffer_append_byte(out, (uint8_t)*c);
        else if (!in_gap)
            qeff_buffer_append_byte(out, '.');
        in_gap = !is_kept;
    }
}

/* Nine digits tell all floats apart; shortest ones need fewer. */
static void print_f32(qeff_buffer *out, double value)
{
    print_float(out, qeff_float_shortest(value), 9);
}

static void print_shape(qeff_buffer *out, const qeff_shape *shape)
{
    qeff_buffer_append_byte(out, '[');
    for (size_t i = 0; i < shape->rank; i++) {
        if (i) qeff_buffer_append_text(out, ", ");
        if (shape->dims[i].symbol)
            print_name(out, qeff_str_of(shape->dims[i].symbol));
        else
            qeff_buffer_format(out, "%" PRId64, shape->dims[i].size);
    }
    qeff_buffer_append_byte(out, ']');
}

static void print_type(qeff_buffer *out, const qeff_value_info *info)
{
    print_name(out, info->name);
    qeff_buffer_format(out, ": %s ", qeff_dtype_name(info->dtype));
    print_shape(out, &info->shape);
}

static void print_element(qeff_buffer *out, const qeff_value_info *info, size_t i)
{
    const uint8_t *at = info->data.data + i * qeff_dtype_size(info->dtype);
    uint64_t bits = 0;
    for (size_t k = qeff_dtype_size(info->dtype); k > 0; k--)
        bits = bits << 8 | at[k - 1];
    switch (info->dtype) {
    case QEFF_DTYPE_F64: {
        double value;
        memcpy(&value, &bits, sizeof value);
        print_float(out, value, 17);
        return;
    }
    case QEFF_DTYPE_F32: {
        const uint32_t low = (uint32_t)bits;
        float value;
        memcpy(&value, &low, sizeof value);
        print_f32(out, (double)value);
        return;
    }
    case QEFF_DTYPE_F16:
        print_f32(out, (double)qeff_f16_to_f32((uint16_t)bits));
        return;
    case QEFF_DTYPE_BF16:
        print_f32(out, (double)qeff_bf16_to_f32((uint16_t)bits));
        return;
    case QEFF_DTYPE_I64:
        qeff_buffer_format(out, "%" PRId64, (int64_t)bits);
        return;
    case QEFF_DTYPE_I32:
        qeff_buffer_format(out, "%" PRId32, (int32_t)bits);
        return;
    case QEFF_DTYPE_I16:
        qeff_buffer_format(out, "%d", (int16_t)bits);
        return;
    case QEFF_DTYPE_I8:
        qeff_buffer_format(out, "%d", (int8_t)bits);
        return;
    case QEFF_DTYPE_BOOL:
        qeff_buffer_append_text(out, bits ? "true" : "false");
        return;
    case QEFF_DTYPE_NONE:
    case QEFF_DTYPE_U64:
    case QEFF_DTYPE_U32:
    case QEFF_DTYPE_U16:
    case QEFF_DTYPE_U8:
    case QEFF_DTYPE_F8_E4M3:
    case QEFF_DTYPE_F8_E5M2:
    case QEFF_DTYPE_COUNT:
        break;
    }
    qeff_buffer_format(out, "%" PRIu64, bits);
}

static void print_weight(qeff_buffer *out, const qeff_value_info *info)
{
    uint64_t n = 0;
    qeff_buffer_append_text(out, "weight ");
    print_type(out, info);
    if (qeff_shape_count(&info->shape, &n) && n <= ELEMENTS_PRINTED &&
        info->data.size == n * qeff_dtype_size(info->dtype)) {
        qeff_buffer_append_text(out, " = {");
        for (size_t i = 0; i < n; i++) {
            if (i) qeff_buffer_append_text(out, ", ");
            print_element(out, info, i);
        }
        qeff_buffer_append_byte(out, '}');
    }
    qeff_buffer_append_byte(out, '\n');
}

static void print_attribute(qeff_buffer *out, const qeff_attribute *a)
{
    qeff_buffer_format(out, " %s=", a->name);
    switch (a->kind) {
    case QEFF_ATTRIBUTE_INT:
        qeff_buffer_format(out, "%" PRId64, a->i);
        return;
    case QEFF_ATTRIBUTE_FLOAT:
        print_f32(out, a->f);
        return;
    case QEFF_ATTRIBUTE_INTS:
        qeff_buffer_append_byte(out, '[');
        for (size_t i = 0; i < a->n_ints; i++)
            qeff_buffer_format(out, "%s%" PRId64, i ? ", " : "", a->ints[i]);
        qeff_buffer_append_byte(out, ']');
        return;
    case QEFF_ATTRIBUTE_STR:
        qeff_buffer_append_json(out, a->s);
        return;
    }
}

static void print_node(qeff_buffer *out, const qeff_graph *graph, const qeff_node *node)
{
    for (size_t i = 0; i < node->n_outputs; i++) {
        if (i) qeff_buffer_append_text(out, ", ");
        print_type(out, qeff_graph_value(graph, node->outputs[i]));
    }
    qeff_buffer_format(out, " = %s(", qeff_op_get(node->op)->name);
    for (size_t i = 0; i < node->n_inputs; i++) {
        if (i) qeff_buffer_append_text(out, ", ");
        if (node->inputs[i] == QEFF_VALUE_NONE)
            qeff_buffer_append_text(out, "none");
        else
            print_name(out, qeff_graph_value(graph, node->inputs[i])->name);
    }
    qeff_buffer_append_byte(out, ')');
    for (size_t i = 0; i < node->n_attributes; i++)
        print_attribute(out, &node->attributes[i]);
    qeff_buffer_append_byte(out, '\n');
}

void qeff_graph_print(const qeff_graph *graph, qeff_buffer *out)
{
    qeff_buffer_append_text(out, "graph ");
    print_name(out, graph->name);
    qeff_buffer_append_byte(out, '\n');
    for (size_t i = 0; i < graph->n_inputs; i++) {
        qeff_buffer_append_text(out, "input ");
        print_type(out, qeff_graph_value(graph, graph->inputs[i]));
        qeff_buffer_append_byte(out, '\n');
    }
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].kind == QEFF_VALUE_WEIGHT) print_weight(out, &graph->values[i]);
    for (size_t i = 0; i < graph->n_nodes; i++)
        print_node(out, graph, &graph->nodes[i]);
    for (size_t i = 0; i < graph->n_outputs; i++) {
        qeff_buffer_append_text(out, "output ");
        print_name(out, graph->outputs[i].name);
        qeff_buffer_append_text(out, " = ");
        print_name(out, qeff_graph_value(graph, graph->outputs[i].value)->name);
        qeff_buffer_append_byte(out, '\n');
    }
}
