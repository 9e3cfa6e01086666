/* graph.c - reading a graph: dims and shapes, attributes, small constants. */
#include "graph/graph.h"

#include "base/checked.h"
#include "base/dtype.h"
#include "base/span.h"

#include <stdio.h>
#include <stdlib.h>

void qeff_graph_destroy(qeff_graph *graph)
{
    if (!graph) return;
    qeff_free(graph->values);
    qeff_free(graph->nodes);
    qeff_free(graph->inputs);
    qeff_free(graph->outputs);
    qeff_arena_deinit(&graph->arena);
    qeff_free(graph);
}

bool qeff_dim_equal(qeff_dim a, qeff_dim b)
{
    if (!a.symbol || !b.symbol) return a.symbol == b.symbol && a.size == b.size;
    return a.symbol == b.symbol || strcmp(a.symbol, b.symbol) == 0;
}

bool qeff_shape_equal(const qeff_shape *a, const qeff_shape *b)
{
    if (a->rank != b->rank) return false;
    for (size_t i = 0; i < a->rank; i++)
        if (!qeff_dim_equal(a->dims[i], b->dims[i])) return false;
    return true;
}

bool qeff_shape_count(const qeff_shape *shape, uint64_t *elements)
{
    int64_t sizes[QEFF_MAX_RANK];
    for (size_t i = 0; i < shape->rank; i++) {
        if (shape->dims[i].symbol) return false;
        sizes[i] = shape->dims[i].size;
    }
    return qeff_shape_elements(shape->rank, sizes, elements);
}

const qeff_attribute *qeff_node_find_attribute(const qeff_node *node, const char *name)
{
    for (size_t i = 0; i < node->n_attributes; i++)
        if (strcmp(node->attributes[i].name, name) == 0) return &node->attributes[i];
    return NULL;
}

int64_t qeff_node_int(const qeff_node *node, const char *name, int64_t fallback)
{
    const qeff_attribute *a = qeff_node_find_attribute(node, name);
    return a && a->kind == QEFF_ATTRIBUTE_INT ? a->i : fallback;
}

double qeff_node_float(const qeff_node *node, const char *name, double fallback)
{
    const qeff_attribute *a = qeff_node_find_attribute(node, name);
    return a && a->kind == QEFF_ATTRIBUTE_FLOAT ? a->f : fallback;
}

qeff_str qeff_node_str(const qeff_node *node, const char *name, const char *fallback)
{
    const qeff_attribute *a = qeff_node_find_attribute(node, name);
    return a && a->kind == QEFF_ATTRIBUTE_STR ? a->s : qeff_str_of(fallback);
}

bool qeff_graph_is_weight(const qeff_graph *graph, qeff_value value)
{
    return value != QEFF_VALUE_NONE && graph->values[value].kind == QEFF_VALUE_WEIGHT;
}

/* A weight whose bytes are there: a missing checkpoint tensor has none until the builder fails. */
static bool has_elements(const qeff_value_info *info, uint64_t *elements)
{
    return info->kind == QEFF_VALUE_WEIGHT && qeff_shape_count(&info->shape, elements) &&
           info->data.size / qeff_dtype_size(info->dtype) >= *elements;
}

static bool read_integer(const qeff_value_info *info, size_t i, int64_t *out)
{
    const uint8_t *data = info->data.data;
    if (info->dtype == QEFF_DTYPE_I64)
        *out = (int64_t)qeff_load_u64le(data + 8 * i);
    else if (info->dtype == QEFF_DTYPE_I32)
        *out = (int32_t)qeff_load_u32le(data + 4 * i);
    else if (info->dtype == QEFF_DTYPE_BOOL)
        *out = data[i] != 0;
    else
        return false;
    return true;
}

bool qeff_graph_read_ints(const qeff_graph *graph, qeff_value value, size_t max, int64_t *out,
                          size_t *n)
{
    uint64_t elements = 0;
    if (value == QEFF_VALUE_NONE) return false;
    const qeff_value_info *info = &graph->values[value];
    if (info->dtype != QEFF_DTYPE_I64 && info->dtype != QEFF_DTYPE_I32) return false;
    if (!has_elements(info, &elements) || elements > max) return false;
    for (size_t i = 0; i < elements; i++)
        if (!read_integer(info, i, &out[i])) return false;
    *n = (size_t)elements;
    return true;
}

bool qeff_graph_read_scalar(const qeff_graph *graph, qeff_value value, double *out)
{
    uint64_t elements = 0;
    int64_t integer = 0;
    if (value == QEFF_VALUE_NONE) return false;
    const qeff_value_info *info = &graph->values[value];
    if (!has_elements(info, &elements) || elements != 1) return false;
    if (read_integer(info, 0, &integer)) {
        *out = (double)integer;
    } else if (info->dtype == QEFF_DTYPE_F32) {
        const uint32_t bits = qeff_load_u32le(info->data.data);
        float f = 0;
        memcpy(&f, &bits, sizeof f);
        *out = (double)f;
    } else if (info->dtype == QEFF_DTYPE_F64) {
        const uint64_t bits = qeff_load_u64le(info->data.data);
        memcpy(out, &bits, sizeof *out);
    } else if (info->dtype == QEFF_DTYPE_F16) {
        *out = (double)qeff_f16_to_f32(qeff_load_u16le(info->data.data));
    } else if (info->dtype == QEFF_DTYPE_BF16) {
        *out = (double)qeff_bf16_to_f32(qeff_load_u16le(info->data.data));
    } else {
        return false;
    }
    return true;
}

bool qeff_graph_read_known(const qeff_graph *graph, qeff_value value,
                           qeff_dim out[QEFF_KNOWN_ELEMENTS_MAX], size_t *n)
{
    uint64_t elements = 0;
    if (value == QEFF_VALUE_NONE) return false;
    const qeff_value_info *info = &graph->values[value];
    if (info->shape.rank > 1 || !qeff_shape_count(&info->shape, &elements) ||
        elements > QEFF_KNOWN_ELEMENTS_MAX)
        return false;
    if (info->kind == QEFF_VALUE_WEIGHT && !has_elements(info, &elements)) return false;
    if (info->kind != QEFF_VALUE_WEIGHT && !info->known) return false;
    for (size_t i = 0; i < elements; i++) {
        out[i] = (qeff_dim){0, NULL};
        if (info->kind != QEFF_VALUE_WEIGHT)
            out[i] = info->known[i];
        else if (!read_integer(info, i, &out[i].size))
            return false;
    }
    *n = (size_t)elements;
    return true;
}

/* Both calls follow the same locale, whatever it is. */
double qeff_float_shortest(double value)
{
    const float f = (float)value;
    for (int digits = 1; digits <= 9; digits++) {
        char text[48];
        (void)snprintf(text, sizeof text, "%.*e", digits - 1, (double)f);
        const double shortest = strtod(text, NULL);
        if ((float)shortest == f) return shortest;
    }
    return (double)f; /* not a number */
}
