/* known.c - partial evaluation of the integer vectors from which graphs compute shapes.
 *
 * Exporters write reshape(x, concat(shape(x)[0], [12, 64])): nodes over vectors of up to 8 sizes,
 * some of them constants, some of them dims that have only a name yet. Each element here is a
 * number, a dim's name, or QEFF_ELEMENT_UNKNOWN. A dim's name stands for a size >= 0. */
#include "graph/known.h"

#include "base/checked.h"
#include "base/span.h"
#include "graph/op.h"

typedef struct elements {
    qeff_dim at[QEFF_KNOWN_ELEMENTS_MAX];
    size_t n;
} elements;

typedef struct evaluation {
    const qeff_graph *graph;
    const qeff_node *node;
    elements out; /* n is fixed by the result's shape */
} evaluation;

static const qeff_dim unknown = {-1, QEFF_ELEMENT_UNKNOWN};

static bool is_unknown(qeff_dim e)
{
    return e.symbol && strcmp(e.symbol, QEFF_ELEMENT_UNKNOWN) == 0;
}

static bool read_operand(const evaluation *e, size_t i, elements *out)
{
    return i < e->node->n_inputs &&
           qeff_graph_read_known(e->graph, e->node->inputs[i], out->at, &out->n);
}

/* Operand of which all elements are numbers. */
static bool read_numbers(const evaluation *e, size_t i, elements *out)
{
    if (!read_operand(e, i, out)) return false;
    for (size_t k = 0; k < out->n; k++)
        if (out->at[k].symbol) return false;
    return true;
}

/* --- moving elements ----------------------------------------------------------------------------
 */

static bool evaluate_shape(evaluation *e)
{
    const qeff_shape *shape = &e->graph->values[e->node->inputs[0]].shape;
    int64_t start = qeff_node_int(e->node, "start", 0);
    if (start < 0) start += (int64_t)shape->rank;
    if (start < 0) start = 0;
    for (size_t i = 0; i < e->out.n; i++) {
        const size_t axis = (size_t)start + i;
        if (axis >= shape->rank) return false;
        e->out.at[i] = shape->dims[axis];
    }
    return true;
}

static bool evaluate_copy(evaluation *e)
{
    elements x;
    if (!read_operand(e, 0, &x) || x.n != e->out.n) return false;
    e->out = x;
    return true;
}

static bool evaluate_cast(evaluation *e)
{
    if (!evaluate_copy(e)) return false;
    const qeff_dtype to = e->graph->values[e->node->outputs[0]].dtype;
    for (size_t i = 0; i < e->out.n; i++) {
        qeff_dim *x = &e->out.at[i];
        if (x->symbol) {
            if (to == QEFF_DTYPE_BOOL) *x = unknown;
        } else if (to == QEFF_DTYPE_BOOL) {
            x->size = x->size != 0;
        } else if (to == QEFF_DTYPE_I32 && (x->size > INT32_MAX || x->size < INT32_MIN)) {
            *x = unknown;
        }
    }
    return true;
}

static bool evaluate_expand(evaluation *e)
{
    elements x;
    if (!read_operand(e, 0, &x) || (x.n != 1 && x.n != e->out.n)) return false;
    for (size_t i = 0; i < e->out.n; i++)
        e->out.at[i] = x.at[x.n == 1 ? 0 : i];
    return true;
}

static bool evaluate_gather(evaluation *e)
{
    elements x, index;
    if (!read_operand(e, 0, &x) || !read_numbers(e, 1, &index)) return false;
    if (e->graph->values[e->node->inputs[0]].shape.rank != 1 || index.n != e->out.n) return false;
    for (size_t i = 0; i < index.n; i++) {
        int64_t k = index.at[i].size;
        if (k < 0) k += (int64_t)x.n;
        if (k < 0 || k >= (int64_t)x.n) return false;
        e->out.at[i] = x.at[k];
    }
    return true;
}

static bool evaluate_concat(evaluation *e)
{
    size_t n = 0;
    for (size_t i = 0; i < e->node->n_inputs; i++) {
        elements x;
        if (!read_operand(e, i, &x)) { /* parts that nothing is known of still take their place */
            uint64_t count = 0;
            const qeff_value_info *info = &e->graph->values[e->node->inputs[i]];
            if (!qeff_shape_count(&info->shape, &count) || count > e->out.n) return false;
            x.n = (size_t)count;
            for (size_t k = 0; k < x.n; k++)
                x.at[k] = unknown;
        }
        for (size_t k = 0; k < x.n && n < e->out.n; k++)
            e->out.at[n++] = x.at[k];
    }
    return n == e->out.n;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

static bool evaluate_slice(evaluation *e)
{
    elements x, start, step = {.at = {{1, NULL}}, .n = 1};
    if (!read_operand(e, 0, &x) || !read_numbers(e, 1, &start) || start.n != 1) return false;
    if (e->node->n_inputs > 4 && !read_numbers(e, 4, &step)) return false;
    if (step.n != 1 || step.at[0].size == 0) return false;
    const int64_t n = (int64_t)x.n, by = step.at[0].size;
    int64_t at = start.at[0].size;
    if (at < 0) at = clamp(at, -n, 0) + n;
    at = by > 0 ? clamp(at, 0, n) : clamp(at, 0, n - 1);
    for (size_t i = 0; i < e->out.n; i++) {
        if (at < 0 || at >= n) return false;
        e->out.at[i] = x.at[at];
        if (!qeff_add_i64(at, by, &at)) at = -1;
    }
    return true;
}

static bool evaluate_range(evaluation *e)
{
    elements start, delta;
    if (!read_numbers(e, 0, &start) || !read_numbers(e, 2, &delta) || start.n != 1 || delta.n != 1)
        return false;
    int64_t x = start.at[0].size;
    for (size_t i = 0; i < e->out.n; i++) {
        e->out.at[i] = qeff_dim_of(x);
        if (!qeff_add_i64(x, delta.at[0].size, &x)) return false;
    }
    return true;
}

static bool evaluate_constant_of_shape(evaluation *e)
{
    for (size_t i = 0; i < e->out.n; i++)
        e->out.at[i] = qeff_dim_of(qeff_node_int(e->node, "value", 0));
    return true;
}

/* --- arithmetic ---------------------------------------------------------------------------------
 */

static bool is_number(qeff_dim x, int64_t value)
{
    return !x.symbol && x.size == value;
}

static qeff_dim add(qeff_dim x, qeff_dim y)
{
    qeff_dim sum = {0, NULL};
    if (is_number(x, 0)) return y;
    if (is_number(y, 0)) return x;
    if (x.symbol || y.symbol || !qeff_add_i64(x.size, y.size, &sum.size)) return unknown;
    return sum;
}

static qeff_dim subtract(qeff_dim x, qeff_dim y)
{
    qeff_dim difference = {0, NULL};
    if (is_number(y, 0)) return x;
    if (x.symbol && y.symbol && !is_unknown(x) && qeff_dim_equal(x, y)) return difference;
    if (x.symbol || y.symbol || __builtin_sub_overflow(x.size, y.size, &difference.size))
        return unknown;
    return difference;
}

static qeff_dim multiply(qeff_dim x, qeff_dim y)
{
    qeff_dim product = {0, NULL};
    if (is_number(x, 1)) return y;
    if (is_number(y, 1)) return x;
    if (is_number(x, 0) || is_number(y, 0)) return product;
    if (x.symbol || y.symbol || !qeff_mul_i64(x.size, y.size, &product.size)) return unknown;
    return product;
}

static qeff_dim divide(qeff_dim x, qeff_dim y)
{
    if (is_number(y, 1)) return x;
    if (x.symbol || y.symbol || y.size == 0 || y.size == -1) return unknown;
    return qeff_dim_of(x.size / y.size);
}

static qeff_dim smaller(qeff_dim x, qeff_dim y)
{
    if (!is_unknown(x) && qeff_dim_equal(x, y)) return x;
    if (x.symbol || y.symbol) return unknown;
    return x.size < y.size ? x : y;
}

static qeff_dim larger(qeff_dim x, qeff_dim y)
{
    if (!is_unknown(x) && qeff_dim_equal(x, y)) return x;
    if (x.symbol || y.symbol) return unknown;
    return x.size > y.size ? x : y;
}

/* A dim never equals a negative number: graphs ask so before they expand by -1. */
static qeff_dim equal(qeff_dim x, qeff_dim y)
{
    if (is_unknown(x) || is_unknown(y)) return unknown;
    if (qeff_dim_equal(x, y)) return qeff_dim_of(1);
    if (!x.symbol && !y.symbol) return qeff_dim_of(0);
    if ((!x.symbol && x.size < 0) || (!y.symbol && y.size < 0)) return qeff_dim_of(0);
    return unknown;
}

static bool evaluate_binary(evaluation *e, qeff_dim (*function)(qeff_dim, qeff_dim))
{
    elements x, y;
    if (e->node->n_inputs != 2 || !read_operand(e, 0, &x) || !read_operand(e, 1, &y)) return false;
    if ((x.n != 1 && x.n != e->out.n) || (y.n != 1 && y.n != e->out.n)) return false;
    for (size_t i = 0; i < e->out.n; i++)
        e->out.at[i] = function(x.at[x.n == 1 ? 0 : i], y.at[y.n == 1 ? 0 : i]);
    return true;
}

static bool evaluate_add(evaluation *e)
{
    return evaluate_binary(e, add);
}

static bool evaluate_sub(evaluation *e)
{
    return evaluate_binary(e, subtract);
}

static bool evaluate_mul(evaluation *e)
{
    return evaluate_binary(e, multiply);
}

static bool evaluate_div(evaluation *e)
{
    return evaluate_binary(e, divide);
}

static bool evaluate_min(evaluation *e)
{
    return evaluate_binary(e, smaller);
}

static bool evaluate_max(evaluation *e)
{
    return evaluate_binary(e, larger);
}

static bool evaluate_equal(evaluation *e)
{
    return evaluate_binary(e, equal);
}

static bool evaluate_where(evaluation *e)
{
    elements c, x, y;
    if (!read_operand(e, 0, &c) || !read_operand(e, 1, &x) || !read_operand(e, 2, &y)) return false;
    if ((c.n != 1 && c.n != e->out.n) || (x.n != 1 && x.n != e->out.n) ||
        (y.n != 1 && y.n != e->out.n))
        return false;
    for (size_t i = 0; i < e->out.n; i++) {
        const qeff_dim condition = c.at[c.n == 1 ? 0 : i];
        const qeff_dim yes = x.at[x.n == 1 ? 0 : i], no = y.at[y.n == 1 ? 0 : i];
        if (condition.symbol)
            e->out.at[i] = qeff_dim_equal(yes, no) ? yes : unknown;
        else
            e->out.at[i] = condition.size ? yes : no;
    }
    return true;
}

/* --- entry --------------------------------------------------------------------------------------
 */

static bool (*const evaluators[QEFF_OP_COUNT])(evaluation *e) = {
    [QEFF_OP_SHAPE] = evaluate_shape,   [QEFF_OP_IDENTITY] = evaluate_copy,
    [QEFF_OP_SQUEEZE] = evaluate_copy,  [QEFF_OP_UNSQUEEZE] = evaluate_copy,
    [QEFF_OP_RESHAPE] = evaluate_copy,  [QEFF_OP_CAST] = evaluate_cast,
    [QEFF_OP_EXPAND] = evaluate_expand, [QEFF_OP_GATHER] = evaluate_gather,
    [QEFF_OP_CONCAT] = evaluate_concat, [QEFF_OP_SLICE] = evaluate_slice,
    [QEFF_OP_RANGE] = evaluate_range,   [QEFF_OP_CONSTANT_OF_SHAPE] = evaluate_constant_of_shape,
    [QEFF_OP_ADD] = evaluate_add,       [QEFF_OP_SUB] = evaluate_sub,
    [QEFF_OP_MUL] = evaluate_mul,       [QEFF_OP_DIV] = evaluate_div,
    [QEFF_OP_MIN] = evaluate_min,       [QEFF_OP_MAX] = evaluate_max,
    [QEFF_OP_EQUAL] = evaluate_equal,   [QEFF_OP_WHERE] = evaluate_where,
};

bool qeff_known_evaluate(qeff_graph *graph, const qeff_node *node)
{
    evaluation e = {.graph = graph, .node = node};
    uint64_t count = 0;
    qeff_value_info *result = &graph->values[node->outputs[0]];
    if (!evaluators[node->op] || node->n_outputs != 1 || result->shape.rank > 1) return true;
    if (result->dtype != QEFF_DTYPE_I64 && result->dtype != QEFF_DTYPE_I32 &&
        result->dtype != QEFF_DTYPE_BOOL)
        return true;
    if (!qeff_shape_count(&result->shape, &count) || count > QEFF_KNOWN_ELEMENTS_MAX) return true;
    e.out.n = (size_t)count;
    if (!evaluators[node->op](&e)) return true;
    qeff_dim *known = qeff_arena_array(&graph->arena, e.out.n, sizeof *known);
    if (!known) return false;
    memcpy(known, e.out.at, e.out.n * sizeof *known);
    result->known = known;
    return true;
}
