/* ops_reduce.c - reductions, cumulative sums, softmax, norms. Sums of floats run in double, from
 * the first element to the last. */
#include "backend/cpu/ops.h"

#include "base/dtype.h"

#include <math.h>

/* --- reductions ---------------------------------------------------------------------------------
 */

/* Bits of the reduced axes: an operand (reduce_sum) or an attribute; none given means all, unless
 * noop_with_empty_axes says none. */
static qeff_status read_axes(const qeff_op_run *r, size_t rank, unsigned *bits, qeff_error *err)
{
    int64_t axes[QEFF_MAX_RANK];
    size_t n = 0;
    const qeff_attribute *attribute = qeff_node_find_attribute(r->node, "axes");
    if (qeff_run_has(r, 1)) {
        QEFF_TRY(qeff_run_ints(r, 1, QEFF_MAX_RANK, axes, &n, err));
    } else if (attribute && attribute->kind == QEFF_ATTRIBUTE_INTS) {
        n = attribute->n_ints < QEFF_MAX_RANK ? attribute->n_ints : QEFF_MAX_RANK;
        for (size_t i = 0; i < n; i++)
            axes[i] = attribute->ints[i];
    }
    *bits = 0;
    for (size_t i = 0; i < n; i++) {
        size_t axis = 0;
        QEFF_TRY(qeff_run_axis(r, axes[i], rank, &axis, err));
        *bits |= 1U << axis;
    }
    if (n == 0 && !qeff_node_int(r->node, "noop_with_empty_axes", 0)) *bits = (1U << rank) - 1;
    return QEFF_OK;
}

static qeff_status make_reduced(qeff_op_run *r, unsigned bits, qeff_dtype dtype, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    const bool keeps = qeff_node_int(r->node, "keepdims", 1) != 0;
    int64_t dims[QEFF_MAX_RANK];
    size_t rank = 0;
    for (size_t i = 0; i < x->rank; i++) {
        if (!(bits & 1U << i))
            dims[rank++] = x->dims[i];
        else if (keeps)
            dims[rank++] = 1;
    }
    return qeff_run_make(r, 0, dtype, rank, dims, err);
}

/* Strides by which an index of x walks through the result: 0 along reduced axes. */
static void reduced_strides(const qeff_array *x, unsigned bits, int64_t strides[QEFF_MAX_RANK])
{
    int64_t stride = 1;
    for (size_t i = x->rank; i > 0; i--) {
        strides[i - 1] = bits & 1U << (i - 1) ? 0 : stride;
        if (!(bits & 1U << (i - 1))) stride *= x->dims[i - 1];
    }
}

static double combine(qeff_op op, double so_far, double x)
{
    switch ((int)op) {
    case QEFF_OP_REDUCE_MAX:
        return isnan(so_far) || so_far > x ? so_far : x;
    case QEFF_OP_REDUCE_MIN:
        return isnan(so_far) || so_far < x ? so_far : x;
    case QEFF_OP_REDUCE_L2:
        return so_far + x * x;
    }
    return so_far + x;
}

static int64_t combine_integers(qeff_op op, int64_t so_far, int64_t x)
{
    if (op == QEFF_OP_REDUCE_MAX) return so_far > x ? so_far : x;
    if (op == QEFF_OP_REDUCE_MIN) return so_far < x ? so_far : x;
    const uint64_t square = (uint64_t)x * (uint64_t)x;
    return (int64_t)((uint64_t)so_far + (op == QEFF_OP_REDUCE_L2 ? square : (uint64_t)x));
}

/* Walks x in its own order and folds each element into its place. */
static void fold_elements(const qeff_op_run *r, unsigned bits, double *floats, int64_t *integers)
{
    const qeff_array *x = r->inputs[0];
    int64_t strides[QEFF_MAX_RANK] = {0}, index[QEFF_MAX_RANK] = {0}, at = 0;
    reduced_strides(x, bits, strides);
    for (size_t i = 0; i < x->count; i++) {
        if (floats)
            floats[at] = combine(r->node->op, floats[at], (double)((const float *)x->data)[i]);
        else
            integers[at] = combine_integers(r->node->op, integers[at], qeff_array_int(x, i));
        for (size_t d = x->rank; d > 0; d--) {
            at += strides[d - 1];
            if (++index[d - 1] < x->dims[d - 1]) break;
            at -= strides[d - 1] * x->dims[d - 1];
            index[d - 1] = 0;
        }
    }
}

static double start_of(qeff_op op)
{
    if (op == QEFF_OP_REDUCE_MAX) return -(double)INFINITY;
    if (op == QEFF_OP_REDUCE_MIN) return (double)INFINITY;
    return 0.0;
}

static qeff_status reduce_floats(qeff_op_run *r, unsigned bits, qeff_error *err)
{
    qeff_array *y = r->outputs[0];
    const qeff_op op = r->node->op;
    double *sums = qeff_run_scratch(r, y->count, sizeof *sums, err);
    if (!sums) return QEFF_ERR_NO_MEMORY;
    for (size_t i = 0; i < y->count; i++)
        sums[i] = start_of(op);
    fold_elements(r, bits, sums, NULL);
    const double n = y->count ? (double)r->inputs[0]->count / (double)y->count : 1.0;
    for (size_t i = 0; i < y->count; i++) {
        double v = sums[i];
        if (op == QEFF_OP_REDUCE_MEAN) v /= n;
        if (op == QEFF_OP_REDUCE_L2) v = sqrt(v);
        ((float *)y->data)[i] = (float)v;
    }
    return QEFF_OK;
}

static qeff_status reduce_integers(qeff_op_run *r, unsigned bits, qeff_error *err)
{
    qeff_array *y = r->outputs[0];
    const qeff_op op = r->node->op;
    int64_t *sums = qeff_run_scratch(r, y->count, sizeof *sums, err);
    if (!sums) return QEFF_ERR_NO_MEMORY;
    for (size_t i = 0; i < y->count; i++)
        sums[i] = op == QEFF_OP_REDUCE_MAX ? INT64_MIN : op == QEFF_OP_REDUCE_MIN ? INT64_MAX : 0;
    fold_elements(r, bits, NULL, sums);
    const int64_t n = y->count ? (int64_t)(r->inputs[0]->count / y->count) : 1;
    for (size_t i = 0; i < y->count; i++) {
        int64_t v = sums[i];
        if (op == QEFF_OP_REDUCE_MEAN && n > 0) v /= n;
        if (op == QEFF_OP_REDUCE_L2) v = (int64_t)sqrt((double)v);
        if (y->dtype == QEFF_DTYPE_I64)
            ((int64_t *)y->data)[i] = v;
        else
            ((int32_t *)y->data)[i] = (int32_t)v;
    }
    return QEFF_OK;
}

qeff_status qeff_run_reduce(qeff_op_run *r, qeff_error *err)
{
    unsigned bits = 0;
    const qeff_dtype dtype = r->inputs[0]->dtype;
    if (dtype == QEFF_DTYPE_BOOL) return qeff_fail(err, QEFF_ERR_INVALID, "reduction of bool");
    QEFF_TRY(read_axes(r, r->inputs[0]->rank, &bits, err));
    QEFF_TRY(make_reduced(r, bits, dtype, err));
    return dtype == QEFF_DTYPE_F32 ? reduce_floats(r, bits, err) : reduce_integers(r, bits, err);
}

/* --- along one axis: [outer, n, inner] ----------------------------------------------------------
 */

typedef struct axis_view {
    size_t outer, n, inner;
} axis_view;

static qeff_status view_axis(const qeff_op_run *r, int64_t axis, axis_view *v, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    size_t at = 0;
    QEFF_TRY(qeff_run_axis(r, axis, x->rank, &at, err));
    *v = (axis_view){.n = (size_t)x->dims[at]};
    v->outer = x->count ? qeff_dims_product(x, 0, at) : 0;
    v->inner = x->count ? qeff_dims_product(x, at + 1, x->rank) : 0;
    return QEFF_OK;
}

/* Whether element i is to be taken instead of `best`. */
static bool is_larger(const qeff_array *x, size_t i, size_t best, bool takes_last)
{
    if (x->dtype == QEFF_DTYPE_F32) {
        const float a = ((const float *)x->data)[i], b = ((const float *)x->data)[best];
        return a > b || (takes_last && a == b);
    }
    const int64_t a = qeff_array_int(x, i), b = qeff_array_int(x, best);
    return a > b || (takes_last && a == b);
}

qeff_status qeff_run_arg_max(qeff_op_run *r, qeff_error *err)
{
    axis_view v;
    const qeff_array *x = r->inputs[0];
    const int64_t axis = qeff_node_int(r->node, "axis", 0);
    const bool takes_last = qeff_node_int(r->node, "select_last_index", 0) != 0;
    QEFF_TRY(view_axis(r, axis, &v, err));
    if (v.n == 0) return qeff_fail(err, QEFF_ERR_INVALID, "arg_max of nothing");
    const size_t at = (size_t)(axis < 0 ? axis + (int64_t)x->rank : axis);
    QEFF_TRY(make_reduced(r, 1U << at, QEFF_DTYPE_I64, err));
    int64_t *y = r->outputs[0]->data;
    for (size_t o = 0; o < v.outer; o++)
        for (size_t i = 0; i < v.inner; i++) {
            const size_t first = o * v.n * v.inner + i;
            size_t best = 0;
            for (size_t k = 1; k < v.n; k++)
                if (is_larger(x, first + k * v.inner, first + best * v.inner, takes_last)) best = k;
            *y++ = (int64_t)best;
        }
    return QEFF_OK;
}

typedef struct cumulation {
    bool is_exclusive, is_reversed;
} cumulation;

static void
cumulate(const qeff_array *x, qeff_array *y, size_t first, const axis_view *v, cumulation c)
{
    double sum = 0.0;
    uint64_t integer = 0; /* wraps */
    for (size_t k = 0; k < v->n; k++) {
        const size_t at = first + (c.is_reversed ? v->n - 1 - k : k) * v->inner;
        const bool is_float = x->dtype == QEFF_DTYPE_F32;
        const double before = sum;
        const uint64_t integer_before = integer;
        if (is_float)
            sum += (double)((const float *)x->data)[at];
        else
            integer += (uint64_t)qeff_array_int(x, at);
        if (is_float)
            ((float *)y->data)[at] = (float)(c.is_exclusive ? before : sum);
        else if (y->dtype == QEFF_DTYPE_I64)
            ((int64_t *)y->data)[at] = (int64_t)(c.is_exclusive ? integer_before : integer);
        else
            ((int32_t *)y->data)[at] = (int32_t)(c.is_exclusive ? integer_before : integer);
    }
}

qeff_status qeff_run_cum_sum(qeff_op_run *r, qeff_error *err)
{
    axis_view v;
    int64_t axis = 0;
    size_t n = 0;
    const qeff_array *x = r->inputs[0];
    const cumulation c = {.is_exclusive = qeff_node_int(r->node, "exclusive", 0) != 0,
                          .is_reversed = qeff_node_int(r->node, "reverse", 0) != 0};
    if (x->dtype == QEFF_DTYPE_BOOL) return qeff_fail(err, QEFF_ERR_INVALID, "sum of bool");
    QEFF_TRY(qeff_run_ints(r, 1, 1, &axis, &n, err));
    if (n != 1) return qeff_fail(err, QEFF_ERR_INVALID, "operand 1: expected one element");
    QEFF_TRY(view_axis(r, axis, &v, err));
    QEFF_TRY(qeff_run_make(r, 0, x->dtype, x->rank, x->dims, err));
    for (size_t o = 0; o < v.outer; o++)
        for (size_t i = 0; i < v.inner; i++)
            cumulate(x, r->outputs[0], o * v.n * v.inner + i, &v, c);
    return QEFF_OK;
}

qeff_status qeff_run_softmax(qeff_op_run *r, qeff_error *err)
{
    axis_view v;
    const qeff_array *x = r->inputs[0];
    QEFF_TRY(qeff_run_expect(r, 0, QEFF_DTYPE_F32, err));
    QEFF_TRY(view_axis(r, qeff_node_int(r->node, "axis", -1), &v, err));
    QEFF_TRY(qeff_run_make(r, 0, QEFF_DTYPE_F32, x->rank, x->dims, err));
    if (v.n == 0) return QEFF_OK;
    float *row = qeff_run_scratch(r, v.n, sizeof *row, err);
    if (!row) return QEFF_ERR_NO_MEMORY;
    for (size_t o = 0; o < v.outer; o++)
        for (size_t i = 0; i < v.inner; i++) {
            const float *from = (const float *)x->data + o * v.n * v.inner + i;
            float *to = (float *)r->outputs[0]->data + o * v.n * v.inner + i;
            for (size_t k = 0; k < v.n; k++)
                row[k] = from[k * v.inner];
            r->kernels->softmax_f32(row, row, v.n);
            for (size_t k = 0; k < v.n; k++)
                to[k * v.inner] = row[k];
        }
    return QEFF_OK;
}

/* --- norms --------------------------------------------------------------------------------------
 */

static qeff_status check_norm_operand(const qeff_op_run *r, size_t i, size_t axis, qeff_error *err)
{
    const qeff_array *x = r->inputs[0], *w = r->inputs[i];
    QEFF_TRY(qeff_run_expect(r, i, QEFF_DTYPE_F32, err));
    bool is_same = w->rank == x->rank - axis;
    for (size_t k = 0; is_same && k < w->rank; k++)
        is_same = w->dims[k] == x->dims[axis + k];
    if (is_same) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_INVALID, "operand %zu: not the shape of what is normalised", i);
}

qeff_status qeff_run_layer_norm(qeff_op_run *r, qeff_error *err)
{
    size_t axis = 0;
    const qeff_array *x = r->inputs[0];
    QEFF_TRY(qeff_run_expect(r, 0, QEFF_DTYPE_F32, err));
    QEFF_TRY(qeff_run_axis(r, qeff_node_int(r->node, "axis", -1), x->rank, &axis, err));
    QEFF_TRY(check_norm_operand(r, 1, axis, err));
    if (qeff_run_has(r, 2)) QEFF_TRY(check_norm_operand(r, 2, axis, err));
    QEFF_TRY(qeff_run_make(r, 0, QEFF_DTYPE_F32, x->rank, x->dims, err));
    if (x->count == 0) return QEFF_OK;
    const size_t n = qeff_dims_product(x, axis, x->rank);
    const float eps = (float)qeff_node_float(r->node, "epsilon", 1e-5);
    for (size_t at = 0; at < x->count; at += n)
        r->kernels->layer_norm_f32((float *)r->outputs[0]->data + at, (const float *)x->data + at,
                                   r->inputs[1]->data,
                                   qeff_run_has(r, 2) ? r->inputs[2]->data : NULL, n, eps);
    return QEFF_OK;
}

qeff_status qeff_run_rms_norm(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    QEFF_TRY(qeff_run_expect(r, 0, QEFF_DTYPE_F32, err));
    if (x->rank == 0) return qeff_fail(err, QEFF_ERR_INVALID, "operand 0: expected a dimension");
    QEFF_TRY(check_norm_operand(r, 1, x->rank - 1, err));
    QEFF_TRY(qeff_run_make(r, 0, QEFF_DTYPE_F32, x->rank, x->dims, err));
    const size_t n = (size_t)x->dims[x->rank - 1];
    const float eps = (float)qeff_node_float(r->node, "epsilon", 1e-5);
    for (size_t at = 0; at < x->count; at += n)
        r->kernels->rms_norm_f32((float *)r->outputs[0]->data + at, (const float *)x->data + at,
                                 r->inputs[1]->data, n, eps);
    return QEFF_OK;
}

qeff_status qeff_run_l2_normalize(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    const float eps = (float)qeff_node_float(r->node, "epsilon", 1e-12);
    QEFF_TRY(qeff_run_expect(r, 0, QEFF_DTYPE_F32, err));
    QEFF_TRY(qeff_run_make(r, 0, QEFF_DTYPE_F32, x->rank, x->dims, err));
    const size_t n = x->rank ? (size_t)x->dims[x->rank - 1] : 1;
    for (size_t at = 0; at < x->count; at += n)
        r->kernels->l2_normalize_f32((float *)r->outputs[0]->data + at, (const float *)x->data + at,
                                     n, eps);
    return QEFF_OK;
}
