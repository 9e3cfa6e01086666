/* index.c - slices, gathers, and what makes shapes and ranges. */
#include "graph/ops/rules.h"

#include "base/dtype.h"

#include <inttypes.h>
#include <math.h>

/* --- slice --------------------------------------------------------------------------------------
 */

typedef struct slice_bounds {
    qeff_dim start, end; /* known elements; of any sign */
    int64_t step;
} slice_bounds;

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

static bool is_number(qeff_dim x)
{
    return !x.symbol;
}

/* ONNX: negative bounds count from the end, then both are clamped into the dimension. */
static qeff_dim slice_number(int64_t size, int64_t start, int64_t end, int64_t step)
{
    if (start < 0) start = clamp(start, -size, 0) + size;
    if (end < 0) end = clamp(end, -size - 1, 0) + size;
    if (step > 0) {
        start = clamp(start, 0, size);
        end = clamp(end, 0, size);
        return qeff_dim_of(end > start ? (end - start - 1) / step + 1 : 0);
    }
    start = clamp(start, 0, size - 1);
    end = clamp(end, -1, size - 1);
    if (size == 0 || start <= end) return qeff_dim_of(0);
    return qeff_dim_of(step == INT64_MIN ? 1 : (start - end - 1) / -step + 1);
}

/* A slice [0, name) of a dimension is taken to be `name` long: where the dimension is shorter, what
 * follows does not fit, and run time says so. */
static qeff_dim slice_dim(qeff_dim dim, const slice_bounds *by)
{
    if (is_number(dim) && is_number(by->start) && is_number(by->end))
        return slice_number(dim.size, by->start.size, by->end.size, by->step);
    if (by->step != 1 || !is_number(by->start) || by->start.size != 0) return rule_unknown_dim;
    if (!is_number(by->end))
        return strcmp(by->end.symbol, QEFF_ELEMENT_UNKNOWN) == 0 ? rule_unknown_dim : by->end;
    return by->end.size >= INT32_MAX ? dim : rule_unknown_dim;
}

static qeff_status expect_bounds(const qeff_op_call *call, size_t i, size_t *n, qeff_error *err)
{
    QEFF_TRY(qeff_rule_expect_rank(call, i, 1, err));
    QEFF_TRY(qeff_rule_expect_integer(call, i, err));
    const qeff_dim size = qeff_rule_shape(call, i)->dims[0];
    if (size.symbol || size.size > QEFF_MAX_RANK)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "operand %zu: expected up to %d constants", i,
                         QEFF_MAX_RANK);
    if (i > 1 && *n != (size_t)size.size)
        return qeff_fail(err, QEFF_ERR_FORMAT, "operand %zu: expected %zu elements, found %" PRId64,
                         i, *n, size.size);
    *n = (size_t)size.size;
    return QEFF_OK;
}

static qeff_dim read_bound(const qeff_op_call *call, size_t i, size_t k)
{
    qeff_dim known[QEFF_KNOWN_ELEMENTS_MAX];
    size_t n = 0;
    if (qeff_graph_read_known(call->graph, call->node->inputs[i], known, &n) && k < n)
        return known[k];
    return (qeff_dim){-1, QEFF_ELEMENT_UNKNOWN};
}

qeff_status qeff_shape_slice(qeff_op_call *call, qeff_error *err)
{
    int64_t axes[QEFF_KNOWN_ELEMENTS_MAX], steps[QEFF_KNOWN_ELEMENTS_MAX];
    size_t n = 0, n_axes = 0, n_steps = 0;
    unsigned seen = 0;
    qeff_shape shape = *qeff_rule_shape(call, 0);
    for (size_t i = 1; i < call->node->n_inputs; i++)
        if (qeff_rule_has(call, i)) QEFF_TRY(expect_bounds(call, i, &n, err));
    for (size_t i = 0; i < n; i++) {
        axes[i] = (int64_t)i;
        steps[i] = 1;
    }
    if (qeff_rule_has(call, 3)) QEFF_TRY(qeff_rule_constants(call, 3, axes, &n_axes, err));
    if (qeff_rule_has(call, 4)) QEFF_TRY(qeff_rule_constants(call, 4, steps, &n_steps, err));
    for (size_t i = 0; i < n; i++) {
        size_t axis = 0;
        const slice_bounds by = {read_bound(call, 1, i), read_bound(call, 2, i), steps[i]};
        QEFF_TRY(qeff_rule_axis(axes[i], shape.rank, &axis, err));
        if (seen & 1u << axis) return qeff_fail(err, QEFF_ERR_FORMAT, "axis %zu twice", axis);
        if (steps[i] == 0) return qeff_fail(err, QEFF_ERR_FORMAT, "step 0");
        seen |= 1u << axis;
        shape.dims[axis] = slice_dim(shape.dims[axis], &by);
    }
    return qeff_rule_output(call, qeff_rule_dtype(call, 0), shape);
}

/* --- gather -------------------------------------------------------------------------------------
 */

qeff_status qeff_shape_gather(qeff_op_call *call, qeff_error *err)
{
    size_t axis = 0;
    const qeff_shape *x = qeff_rule_shape(call, 0), *index = qeff_rule_shape(call, 1);
    QEFF_TRY(qeff_rule_axis(qeff_node_int(call->node, "axis", 0), x->rank, &axis, err));
    QEFF_TRY(qeff_rule_expect_integer(call, 1, err));
    qeff_shape shape = {.rank = 0};
    if (x->rank - 1 + index->rank > QEFF_MAX_RANK)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "rank %zu exceeds the limit of %d",
                         x->rank - 1 + index->rank, QEFF_MAX_RANK);
    for (size_t i = 0; i < axis; i++)
        shape.dims[shape.rank++] = x->dims[i];
    for (size_t i = 0; i < index->rank; i++)
        shape.dims[shape.rank++] = index->dims[i];
    for (size_t i = axis + 1; i < x->rank; i++)
        shape.dims[shape.rank++] = x->dims[i];
    return qeff_rule_output(call, qeff_rule_dtype(call, 0), shape);
}

qeff_status qeff_shape_gather_elements(qeff_op_call *call, qeff_error *err)
{
    size_t axis = 0;
    const qeff_shape *x = qeff_rule_shape(call, 0), *index = qeff_rule_shape(call, 1);
    QEFF_TRY(qeff_rule_axis(qeff_node_int(call->node, "axis", 0), x->rank, &axis, err));
    QEFF_TRY(qeff_rule_expect_integer(call, 1, err));
    QEFF_TRY(qeff_rule_expect_rank(call, 1, x->rank, err));
    return qeff_rule_output(call, qeff_rule_dtype(call, 0), *index);
}

/* --- shapes and ranges --------------------------------------------------------------------------
 */

qeff_status qeff_shape_shape(qeff_op_call *call, qeff_error *err)
{
    (void)err;
    const int64_t rank = (int64_t)qeff_rule_shape(call, 0)->rank;
    int64_t start = qeff_node_int(call->node, "start", 0);
    int64_t end = qeff_node_int(call->node, "end", rank);
    start = clamp(start < 0 ? start + rank : start, 0, rank);
    end = clamp(end < 0 ? end + rank : end, 0, rank);
    const qeff_shape shape = {.rank = 1, .dims = {qeff_dim_of(end > start ? end - start : 0)}};
    return qeff_rule_output(call, QEFF_DTYPE_I64, shape);
}

qeff_status qeff_shape_constant_of_shape(qeff_op_call *call, qeff_error *err)
{
    qeff_dim known[QEFF_KNOWN_ELEMENTS_MAX];
    size_t n = 0;
    qeff_shape shape = {.rank = 0};
    const int64_t number = qeff_node_int(call->node, "dtype", qeff_dtype_get(QEFF_DTYPE_F32)->onnx);
    const qeff_dtype dtype = qeff_dtype_from_onnx(number);
    if (dtype == QEFF_DTYPE_NONE)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "dtype: element type %" PRId64 " is not known",
                         number);
    QEFF_TRY(qeff_rule_expect_rank(call, 0, 1, err));
    QEFF_TRY(qeff_rule_expect_integer(call, 0, err));
    const qeff_dim size = qeff_rule_shape(call, 0)->dims[0];
    if (size.symbol || size.size > QEFF_MAX_RANK)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "operand 0: expected up to %d elements",
                         QEFF_MAX_RANK);
    shape.rank = (size_t)size.size;
    const bool is_known = qeff_graph_read_known(call->graph, call->node->inputs[0], known, &n);
    for (size_t i = 0; i < shape.rank; i++) {
        shape.dims[i] = is_known ? known[i] : rule_unknown_dim;
        if (shape.dims[i].symbol && strcmp(shape.dims[i].symbol, QEFF_ELEMENT_UNKNOWN) == 0)
            shape.dims[i] = rule_unknown_dim;
        else if (is_known && !known[i].symbol && known[i].size < 0)
            return qeff_fail(err, QEFF_ERR_FORMAT, "size %" PRId64, known[i].size);
    }
    return qeff_rule_output(call, dtype, shape);
}

static qeff_dim range_size(const qeff_op_call *call)
{
    double start, limit, delta;
    const qeff_graph *g = call->graph;
    const qeff_value *in = call->node->inputs;
    if (qeff_graph_read_scalar(g, in[0], &start) && qeff_graph_read_scalar(g, in[1], &limit) &&
        qeff_graph_read_scalar(g, in[2], &delta) && delta != 0) {
        const double n = ceil((limit - start) / delta);
        if (n >= 0 && n < 1e15) return qeff_dim_of((int64_t)n);
        return n < 0 ? qeff_dim_of(0) : rule_unknown_dim;
    }
    const qeff_dim from = read_bound(call, 0, 0), to = read_bound(call, 1, 0);
    const qeff_dim by = read_bound(call, 2, 0);
    const bool counts = is_number(from) && from.size == 0 && is_number(by) && by.size == 1;
    if (!counts) return rule_unknown_dim;
    if (is_number(to)) return qeff_dim_of(to.size > 0 ? to.size : 0);
    return strcmp(to.symbol, QEFF_ELEMENT_UNKNOWN) == 0 ? rule_unknown_dim : to;
}

qeff_status qeff_shape_range(qeff_op_call *call, qeff_error *err)
{
    qeff_dtype dtype;
    QEFF_TRY(qeff_rule_common_dtype(call, 0, 3, &dtype, err));
    for (size_t i = 0; i < 3; i++)
        QEFF_TRY(qeff_rule_expect_one_element(call, i, err));
    const qeff_shape shape = {.rank = 1, .dims = {range_size(call)}};
    return qeff_rule_output(call, dtype, shape);
}
