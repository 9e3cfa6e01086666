/* evaluate.c - small constant results: element-wise arithmetic of i64, i32, bool and f32, and ops
 * that move elements of any dtype.
 *
 * Only operations that IEEE 754 defines to the bit are here, so that folding gives the same graph
 * everywhere: no exp, no erf. Results have up to 65,536 elements; the loops are plain. */
#include "transforms/evaluate.h"

#include "base/dtype.h"
#include "base/span.h"

#include <math.h>

static const qeff_value_info *operand(const qeff_evaluation *e, size_t i)
{
    return &e->graph->values[e->inputs[i]];
}

static bool has_operand(const qeff_evaluation *e, size_t i)
{
    return i < e->node->n_inputs && e->inputs[i] != QEFF_VALUE_NONE;
}

/* --- elements -----------------------------------------------------------------------------------
 */

/* One number: `i` of integers and bools, `f` of f32. */
typedef struct element {
    int64_t i;
    float f;
} element;

static bool is_integer(qeff_dtype dtype)
{
    return dtype == QEFF_DTYPE_I64 || dtype == QEFF_DTYPE_I32 || dtype == QEFF_DTYPE_BOOL;
}

static bool is_number(qeff_dtype dtype)
{
    return is_integer(dtype) || dtype == QEFF_DTYPE_F32;
}

static element load(qeff_dtype dtype, const uint8_t *data, size_t index)
{
    element x = {0, 0};
    if (dtype == QEFF_DTYPE_I64) {
        x.i = (int64_t)qeff_load_u64le(data + 8 * index);
    } else if (dtype == QEFF_DTYPE_I32) {
        x.i = (int32_t)qeff_load_u32le(data + 4 * index);
    } else if (dtype == QEFF_DTYPE_BOOL) {
        x.i = data[index] != 0;
    } else {
        const uint32_t bits = qeff_load_u32le(data + 4 * index);
        memcpy(&x.f, &bits, sizeof x.f);
    }
    return x;
}

static void store(qeff_dtype dtype, uint8_t *data, size_t index, element x)
{
    if (dtype == QEFF_DTYPE_I64) {
        qeff_store_u64le(data + 8 * index, (uint64_t)x.i);
    } else if (dtype == QEFF_DTYPE_I32) {
        qeff_store_u32le(data + 4 * index, (uint32_t)x.i);
    } else if (dtype == QEFF_DTYPE_BOOL) {
        data[index] = x.i != 0;
    } else {
        uint32_t bits = 0;
        memcpy(&bits, &x.f, sizeof bits);
        qeff_store_u32le(data + 4 * index, bits);
    }
}

/* Where an operand that broadcasts to the result has the element for the result's element. */
static size_t broadcast_index(const qeff_evaluation *e, const qeff_shape *shape, size_t index)
{
    size_t at = 0, stride = 1;
    for (size_t i = 0; i < shape->rank; i++) {
        const size_t size = (size_t)shape->dims[shape->rank - 1 - i].size;
        const size_t out_size = (size_t)e->shape[e->rank - 1 - i];
        if (size != 1) at += index % out_size * stride;
        index /= out_size;
        stride *= size;
    }
    return at;
}

static element load_broadcast(const qeff_evaluation *e, size_t i, size_t index)
{
    const qeff_value_info *info = operand(e, i);
    return load(info->dtype, info->data.data, broadcast_index(e, &info->shape, index));
}

/* --- element-wise -------------------------------------------------------------------------------
 */

/* Two's complement, as ONNX run times compute. */
static int64_t wrap(uint64_t bits)
{
    int64_t value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static bool divide(int64_t x, int64_t y, int64_t *out)
{
    if (y == 0 || (y == -1 && x == INT64_MIN)) return false;
    *out = x / y;
    return true;
}

static bool combine_integers(qeff_op op, int64_t x, int64_t y, int64_t *out)
{
    if (op == QEFF_OP_ADD)
        *out = wrap((uint64_t)x + (uint64_t)y);
    else if (op == QEFF_OP_SUB)
        *out = wrap((uint64_t)x - (uint64_t)y);
    else if (op == QEFF_OP_MUL)
        *out = wrap((uint64_t)x * (uint64_t)y);
    else if (op == QEFF_OP_DIV)
        return divide(x, y, out);
    else if (op == QEFF_OP_MIN)
        *out = x < y ? x : y;
    else if (op == QEFF_OP_MAX)
        *out = x > y ? x : y;
    else
        return false;
    return true;
}

static bool combine_floats(qeff_op op, float x, float y, float *out)
{
    if (op == QEFF_OP_ADD)
        *out = x + y;
    else if (op == QEFF_OP_SUB)
        *out = x - y;
    else if (op == QEFF_OP_MUL)
        *out = x * y;
    else if (op == QEFF_OP_DIV)
        *out = x / y;
    else if (op == QEFF_OP_MIN)
        *out = x < y ? x : y;
    else if (op == QEFF_OP_MAX)
        *out = x > y ? x : y;
    else
        return false;
    return !isnan(*out) && !isnan(x) && !isnan(y);
}

static bool evaluate_binary(const qeff_evaluation *e)
{
    if (e->node->n_inputs != 2 || !is_number(e->dtype) || operand(e, 0)->dtype != e->dtype ||
        operand(e, 1)->dtype != e->dtype)
        return false;
    for (size_t k = 0; k < e->n_elements; k++) {
        const element x = load_broadcast(e, 0, k), y = load_broadcast(e, 1, k);
        element z = {0, 0};
        if (is_integer(e->dtype) ? !combine_integers(e->node->op, x.i, y.i, &z.i)
                                 : !combine_floats(e->node->op, x.f, y.f, &z.f))
            return false;
        store(e->dtype, e->out, k, z);
    }
    return true;
}

static bool evaluate_compare(const qeff_evaluation *e)
{
    const qeff_dtype dtype = operand(e, 0)->dtype;
    if (!is_number(dtype) || operand(e, 1)->dtype != dtype) return false;
    for (size_t k = 0; k < e->n_elements; k++) {
        const element x = load_broadcast(e, 0, k), y = load_broadcast(e, 1, k);
        const bool is_int = is_integer(dtype);
        const bool less = is_int ? x.i < y.i : x.f < y.f;
        const bool greater = is_int ? x.i > y.i : x.f > y.f;
        const bool equal = is_int ? x.i == y.i : !(less || greater) && !isnan(x.f) && !isnan(y.f);
        element z = {equal, 0};
        if (e->node->op == QEFF_OP_LESS) z.i = less;
        if (e->node->op == QEFF_OP_GREATER) z.i = greater;
        store(QEFF_DTYPE_BOOL, e->out, k, z);
    }
    return true;
}

static bool evaluate_logical(const qeff_evaluation *e)
{
    for (size_t k = 0; k < e->n_elements; k++) {
        const int64_t x = load_broadcast(e, 0, k).i;
        const int64_t y = e->node->n_inputs > 1 ? load_broadcast(e, 1, k).i : 0;
        element z = {!x, 0};
        if (e->node->op == QEFF_OP_AND) z.i = x && y;
        if (e->node->op == QEFF_OP_OR) z.i = x || y;
        store(QEFF_DTYPE_BOOL, e->out, k, z);
    }
    return true;
}

static bool evaluate_where(const qeff_evaluation *e)
{
    if (!is_number(e->dtype) || operand(e, 1)->dtype != e->dtype ||
        operand(e, 2)->dtype != e->dtype)
        return false;
    for (size_t k = 0; k < e->n_elements; k++) {
        const bool condition = load_broadcast(e, 0, k).i != 0;
        store(e->dtype, e->out, k, load_broadcast(e, condition ? 1 : 2, k));
    }
    return true;
}

static bool evaluate_unary(const qeff_evaluation *e)
{
    if (!is_number(e->dtype) || operand(e, 0)->dtype != e->dtype) return false;
    for (size_t k = 0; k < e->n_elements; k++) {
        const element x = load_broadcast(e, 0, k);
        element y = x;
        if (e->node->op == QEFF_OP_NEG) {
            y = (element){wrap(-(uint64_t)x.i), -x.f};
        } else if (e->node->op == QEFF_OP_ABS) {
            y = (element){x.i < 0 ? wrap(-(uint64_t)x.i) : x.i, fabsf(x.f)};
        } else if (e->node->op == QEFF_OP_SQRT) {
            y.f = sqrtf(x.f);
        } else {
            y.f = 1.0f / x.f;
        }
        if (isnan(y.f)) return false;
        store(e->dtype, e->out, k, y);
    }
    return true;
}

static bool evaluate_cast(const qeff_evaluation *e)
{
    const qeff_dtype from = operand(e, 0)->dtype;
    if (!is_number(from) || !is_number(e->dtype)) return false;
    for (size_t k = 0; k < e->n_elements; k++) {
        element x = load(from, operand(e, 0)->data.data, k);
        if (is_integer(from)) {
            x.f = (float)x.i;
        } else if (e->dtype == QEFF_DTYPE_BOOL) {
            x.i = x.f != 0;
        } else if (e->dtype != QEFF_DTYPE_F32) {
            const float limit = e->dtype == QEFF_DTYPE_I32 ? 2147483520.0f : 9.2e18f;
            if (!(x.f >= -limit && x.f <= limit)) return false;
            x.i = (int64_t)x.f;
        }
        store(e->dtype, e->out, k, x);
    }
    return true;
}

/* --- moving elements ----------------------------------------------------------------------------
 */

static bool evaluate_copy(const qeff_evaluation *e)
{
    const qeff_value_info *x = operand(e, 0);
    if (x->dtype != e->dtype || x->data.size != e->n_elements * qeff_dtype_size(e->dtype))
        return false;
    if (x->data.size) memcpy(e->out, x->data.data, x->data.size);
    return true;
}

static bool evaluate_expand(const qeff_evaluation *e)
{
    const qeff_value_info *x = operand(e, 0);
    const size_t width = qeff_dtype_size(e->dtype);
    if (x->dtype != e->dtype) return false;
    for (size_t k = 0; k < e->n_elements; k++)
        memcpy(e->out + k * width, x->data.data + broadcast_index(e, &x->shape, k) * width, width);
    return true;
}

/* Elements of the dims in front of and behind an axis. */
static void split_at(const qeff_evaluation *e, size_t axis, size_t *outer, size_t *inner)
{
    *outer = *inner = 1;
    for (size_t i = 0; i < e->rank; i++)
        if (i < axis)
            *outer *= (size_t)e->shape[i];
        else if (i > axis)
            *inner *= (size_t)e->shape[i];
}

static bool find_axis(const qeff_evaluation *e, size_t rank, size_t *axis)
{
    const int64_t n = (int64_t)rank;
    int64_t given = qeff_node_int(e->node, "axis", 0);
    if (given < 0) given += n;
    *axis = (size_t)given;
    return given >= 0 && given < n;
}

static bool evaluate_concat(const qeff_evaluation *e)
{
    size_t axis = 0, outer = 0, inner = 0, done = 0;
    const size_t width = qeff_dtype_size(e->dtype);
    if (!find_axis(e, e->rank, &axis)) return false;
    split_at(e, axis, &outer, &inner);
    const size_t row = (size_t)e->shape[axis] * inner * width;
    for (size_t i = 0; i < e->node->n_inputs; i++) {
        const qeff_value_info *x = operand(e, i);
        if (x->dtype != e->dtype) return false;
        const size_t part = (size_t)x->shape.dims[axis].size * inner * width;
        for (size_t k = 0; k < outer && part; k++)
            memcpy(e->out + k * row + done, x->data.data + k * part, part);
        done += part;
    }
    return true;
}

/* x [outer, N, inner] by n indices -> [outer, n, inner] */
static bool evaluate_gather(const qeff_evaluation *e)
{
    size_t axis = 0, outer = 1, inner = 1;
    const qeff_value_info *x = operand(e, 0), *index = operand(e, 1);
    const size_t width = qeff_dtype_size(e->dtype);
    uint64_t n = 0;
    if (x->dtype != e->dtype || !is_integer(index->dtype)) return false;
    if (!find_axis(e, x->shape.rank, &axis) || !qeff_shape_count(&index->shape, &n)) return false;
    for (size_t i = 0; i < x->shape.rank; i++)
        if (i < axis)
            outer *= (size_t)x->shape.dims[i].size;
        else if (i > axis)
            inner *= (size_t)x->shape.dims[i].size;
    const int64_t n_rows = x->shape.dims[axis].size;
    for (size_t k = 0; k < outer; k++)
        for (size_t i = 0; i < n; i++) {
            int64_t row = load(index->dtype, index->data.data, i).i;
            if (row < 0) row += n_rows;
            if (row < 0 || row >= n_rows) return false;
            const size_t from = (k * (size_t)n_rows + (size_t)row) * inner * width;
            memcpy(e->out + (k * n + i) * inner * width, x->data.data + from, inner * width);
        }
    return true;
}

typedef struct slice {
    int64_t start[QEFF_MAX_RANK], step[QEFF_MAX_RANK]; /* by axis */
} slice;

static bool read_slice(const qeff_evaluation *e, const qeff_shape *shape, slice *s)
{
    int64_t starts[QEFF_MAX_RANK], axes[QEFF_MAX_RANK], steps[QEFF_MAX_RANK];
    size_t n = 0, n_axes = 0, n_steps = 0;
    if (!qeff_graph_read_ints(e->graph, e->inputs[1], QEFF_MAX_RANK, starts, &n)) return false;
    for (size_t i = 0; i < n; i++) {
        axes[i] = (int64_t)i;
        steps[i] = 1;
    }
    if (has_operand(e, 3) &&
        (!qeff_graph_read_ints(e->graph, e->inputs[3], QEFF_MAX_RANK, axes, &n_axes) ||
         n_axes != n))
        return false;
    if (has_operand(e, 4) &&
        (!qeff_graph_read_ints(e->graph, e->inputs[4], QEFF_MAX_RANK, steps, &n_steps) ||
         n_steps != n))
        return false;
    for (size_t i = 0; i < QEFF_MAX_RANK; i++) {
        s->start[i] = 0;
        s->step[i] = 1;
    }
    for (size_t i = 0; i < n; i++) {
        const int64_t rank = (int64_t)shape->rank;
        const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank) return false;
        const int64_t size = shape->dims[axis].size, top = steps[i] > 0 ? size : size - 1;
        int64_t start = starts[i];
        if (start < 0) start = start < -size ? 0 : start + size;
        s->start[axis] = start > top ? top : start;
        s->step[axis] = steps[i];
    }
    return true;
}

static bool evaluate_slice(const qeff_evaluation *e)
{
    slice s;
    const qeff_value_info *x = operand(e, 0);
    const size_t width = qeff_dtype_size(e->dtype);
    if (x->dtype != e->dtype || !read_slice(e, &x->shape, &s)) return false;
    for (size_t k = 0; k < e->n_elements; k++) {
        size_t rest = k, from = 0, stride = 1;
        for (size_t i = e->rank; i > 0; i--) {
            const size_t axis = i - 1, size = (size_t)e->shape[axis];
            const int64_t at = s.start[axis] + (int64_t)(rest % size) * s.step[axis];
            if (at < 0 || at >= x->shape.dims[axis].size) return false;
            from += (size_t)at * stride;
            stride *= (size_t)x->shape.dims[axis].size;
            rest /= size;
        }
        memcpy(e->out + k * width, x->data.data + from * width, width);
    }
    return true;
}

static bool evaluate_fill(const qeff_evaluation *e)
{
    const qeff_attribute *value = qeff_node_find_attribute(e->node, "value");
    element x = {0, 0};
    if (!is_number(e->dtype)) return false;
    if (value && value->kind == QEFF_ATTRIBUTE_INT) {
        x.i = value->i;
        x.f = (float)value->i;
    } else if (value) {
        if (is_integer(e->dtype)) return false;
        x.f = (float)value->f;
    }
    for (size_t k = 0; k < e->n_elements; k++)
        store(e->dtype, e->out, k, x);
    return true;
}

/* Floats are left to run time: whether a sum or a product gives the n-th is not said. */
static bool evaluate_range(const qeff_evaluation *e)
{
    if (!is_integer(e->dtype)) return false;
    element x = load(operand(e, 0)->dtype, operand(e, 0)->data.data, 0);
    const element delta = load(operand(e, 2)->dtype, operand(e, 2)->data.data, 0);
    for (size_t k = 0; k < e->n_elements; k++) {
        store(e->dtype, e->out, k, x);
        x.i = wrap((uint64_t)x.i + (uint64_t)delta.i);
    }
    return true;
}

/* --- entry --------------------------------------------------------------------------------------
 */

static bool (*const evaluators[QEFF_OP_COUNT])(const qeff_evaluation *e) = {
    [QEFF_OP_ADD] = evaluate_binary,       [QEFF_OP_SUB] = evaluate_binary,
    [QEFF_OP_MUL] = evaluate_binary,       [QEFF_OP_DIV] = evaluate_binary,
    [QEFF_OP_MIN] = evaluate_binary,       [QEFF_OP_MAX] = evaluate_binary,
    [QEFF_OP_EQUAL] = evaluate_compare,    [QEFF_OP_LESS] = evaluate_compare,
    [QEFF_OP_GREATER] = evaluate_compare,  [QEFF_OP_AND] = evaluate_logical,
    [QEFF_OP_OR] = evaluate_logical,       [QEFF_OP_NOT] = evaluate_logical,
    [QEFF_OP_WHERE] = evaluate_where,      [QEFF_OP_NEG] = evaluate_unary,
    [QEFF_OP_ABS] = evaluate_unary,        [QEFF_OP_SQRT] = evaluate_unary,
    [QEFF_OP_RECIPROCAL] = evaluate_unary, [QEFF_OP_CAST] = evaluate_cast,
    [QEFF_OP_IDENTITY] = evaluate_copy,    [QEFF_OP_RESHAPE] = evaluate_copy,
    [QEFF_OP_FLATTEN] = evaluate_copy,     [QEFF_OP_SQUEEZE] = evaluate_copy,
    [QEFF_OP_UNSQUEEZE] = evaluate_copy,   [QEFF_OP_EXPAND] = evaluate_expand,
    [QEFF_OP_CONCAT] = evaluate_concat,    [QEFF_OP_GATHER] = evaluate_gather,
    [QEFF_OP_SLICE] = evaluate_slice,      [QEFF_OP_CONSTANT_OF_SHAPE] = evaluate_fill,
    [QEFF_OP_RANGE] = evaluate_range,
};

bool qeff_evaluate_knows(qeff_op op)
{
    return evaluators[op] != NULL;
}

bool qeff_evaluate(const qeff_evaluation *e)
{
    return evaluators[e->node->op] && evaluators[e->node->op](e);
}
