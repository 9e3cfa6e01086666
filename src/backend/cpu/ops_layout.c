/* ops_layout.c - ops that move elements without looking at them. */
#include "backend/cpu/ops.h"

#include "base/checked.h"
#include "base/dtype.h"

qeff_status qeff_run_transpose(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    const qeff_attribute *perm = qeff_node_find_attribute(r->node, "perm");
    int64_t strides[QEFF_MAX_RANK] = {0}, dims[QEFF_MAX_RANK], turned[QEFF_MAX_RANK];
    unsigned seen = 0;
    if (perm && (perm->kind != QEFF_ATTRIBUTE_INTS || perm->n_ints != x->rank))
        return qeff_fail(err, QEFF_ERR_INVALID, "attribute 'perm' does not fit rank %zu", x->rank);
    qeff_array_strides(x, strides);
    for (size_t i = 0; i < x->rank; i++) {
        size_t from = 0;
        QEFF_TRY(qeff_run_axis(r, perm ? perm->ints[i] : (int64_t)(x->rank - 1 - i), x->rank, &from,
                               err));
        if (seen & 1U << from) return qeff_fail(err, QEFF_ERR_INVALID, "axis %zu twice", from);
        seen |= 1U << from;
        dims[i] = x->dims[from];
        turned[i] = strides[from];
    }
    QEFF_TRY(qeff_run_make(r, 0, x->dtype, x->rank, dims, err));
    if (x->count)
        qeff_copy_strided(r->outputs[0]->data, x->data, qeff_dtype_size(x->dtype), x->rank, dims,
                          turned, 0);
    return QEFF_OK;
}

/* 0 keeps a dimension, -1 takes what is left. */
qeff_status qeff_run_reshape_op(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    const bool allows_zero = qeff_node_int(r->node, "allowzero", 0) != 0;
    int64_t dims[QEFF_MAX_RANK];
    uint64_t known = 1;
    size_t rank = 0, open = QEFF_MAX_RANK;
    QEFF_TRY(qeff_run_ints(r, 1, QEFF_MAX_RANK, dims, &rank, err));
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] == 0 && !allows_zero) dims[i] = i < x->rank ? x->dims[i] : -2;
        if (dims[i] == -1 && open == QEFF_MAX_RANK)
            open = i;
        else if (dims[i] < 0 || !qeff_mul_u64(known, (uint64_t)dims[i], &known))
            return qeff_fail(err, QEFF_ERR_INVALID, "size %zu of the new shape cannot be used", i);
    }
    if (open < QEFF_MAX_RANK) {
        if (known == 0 || x->count % known != 0)
            return qeff_fail(err, QEFF_ERR_INVALID, "%zu elements do not fit the new shape",
                             x->count);
        dims[open] = (int64_t)(x->count / known);
    }
    return qeff_run_reshape(r, rank, dims, err);
}

qeff_status qeff_run_flatten(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    const int64_t axis = qeff_node_int(r->node, "axis", 1);
    const int64_t at = axis < 0 ? axis + (int64_t)x->rank : axis;
    if (at < 0 || at > (int64_t)x->rank)
        return qeff_fail(err, QEFF_ERR_INVALID, "axis %lld of rank %zu", (long long)axis, x->rank);
    const int64_t dims[] = {(int64_t)qeff_dims_product(x, 0, (size_t)at),
                            (int64_t)qeff_dims_product(x, (size_t)at, x->rank)};
    return qeff_run_reshape(r, 2, dims, err);
}

/* Bits of the axes of operand 1, counted in a shape of `rank`. */
static qeff_status read_axes(const qeff_op_run *r, size_t rank, unsigned *bits, qeff_error *err)
{
    int64_t axes[QEFF_MAX_RANK];
    size_t n = 0;
    *bits = 0;
    QEFF_TRY(qeff_run_ints(r, 1, QEFF_MAX_RANK, axes, &n, err));
    for (size_t i = 0; i < n; i++) {
        size_t axis = 0;
        QEFF_TRY(qeff_run_axis(r, axes[i], rank, &axis, err));
        if (*bits & 1U << axis) return qeff_fail(err, QEFF_ERR_INVALID, "axis %zu twice", axis);
        *bits |= 1U << axis;
    }
    return QEFF_OK;
}

qeff_status qeff_run_squeeze(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    int64_t dims[QEFF_MAX_RANK];
    unsigned bits = 0;
    size_t rank = 0;
    if (qeff_run_has(r, 1)) {
        QEFF_TRY(read_axes(r, x->rank, &bits, err));
    } else {
        for (size_t i = 0; i < x->rank; i++)
            if (x->dims[i] == 1) bits |= 1U << i;
    }
    for (size_t i = 0; i < x->rank; i++) {
        if (!(bits & 1U << i))
            dims[rank++] = x->dims[i];
        else if (x->dims[i] != 1)
            return qeff_fail(err, QEFF_ERR_INVALID, "dimension %zu is %lld, expected 1", i,
                             (long long)x->dims[i]);
    }
    return qeff_run_reshape(r, rank, dims, err);
}

qeff_status qeff_run_unsqueeze(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    const size_t rank = x->rank + r->inputs[1]->count;
    int64_t dims[QEFF_MAX_RANK];
    unsigned bits = 0;
    if (r->inputs[1]->count > QEFF_MAX_RANK || rank > QEFF_MAX_RANK)
        return qeff_fail(err, QEFF_ERR_INVALID, "rank is over %d", QEFF_MAX_RANK);
    QEFF_TRY(read_axes(r, rank, &bits, err));
    for (size_t i = 0, from = 0; i < rank; i++)
        dims[i] = bits & 1U << i ? 1 : x->dims[from++];
    return qeff_run_reshape(r, rank, dims, err);
}

qeff_status qeff_run_concat(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    const size_t size = qeff_dtype_size(x->dtype);
    size_t axis = 0;
    int64_t dims[QEFF_MAX_RANK];
    QEFF_TRY(qeff_run_axis(r, qeff_node_int(r->node, "axis", 0), x->rank, &axis, err));
    memcpy(dims, x->dims, sizeof dims);
    for (size_t i = 1; i < r->node->n_inputs; i++) {
        qeff_array other = *r->inputs[i];
        QEFF_TRY(qeff_run_expect(r, i, x->dtype, err));
        QEFF_TRY(qeff_run_expect_rank(r, i, x->rank, err));
        if (!qeff_add_i64(dims[axis], other.dims[axis], &dims[axis]))
            return qeff_fail(err, QEFF_ERR_INVALID, "result is too large");
        other.dims[axis] = x->dims[axis];
        if (!qeff_array_same_dims(&other, x))
            return qeff_fail(err, QEFF_ERR_INVALID, "operand %zu: shapes differ", i);
    }
    QEFF_TRY(qeff_run_make(r, 0, x->dtype, x->rank, dims, err));
    if (r->outputs[0]->count == 0) return QEFF_OK;
    const size_t outer = qeff_dims_product(x, 0, axis);
    uint8_t *y = r->outputs[0]->data;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < r->node->n_inputs; i++) {
            const size_t bytes = r->inputs[i]->count / outer * size;
            memcpy(y, (const uint8_t *)r->inputs[i]->data + o * bytes, bytes);
            y += bytes;
        }
    return QEFF_OK;
}

/* Sizes of the parts: an operand, or parts of ceil(n / count) with a smaller last one. */
static qeff_status
read_parts(const qeff_op_run *r, int64_t n, int64_t parts[], size_t n_parts, qeff_error *err)
{
    size_t given = 0;
    int64_t sum = 0;
    if (qeff_run_has(r, 1)) {
        QEFF_TRY(qeff_run_ints(r, 1, n_parts, parts, &given, err));
        if (given != n_parts)
            return qeff_fail(err, QEFF_ERR_INVALID, "%zu sizes for %zu parts", given, n_parts);
    } else {
        const int64_t each = (n + (int64_t)n_parts - 1) / (int64_t)n_parts;
        for (size_t i = 0; i < n_parts; i++) {
            const int64_t left = n - (int64_t)i * each;
            parts[i] = left < 0 ? 0 : left < each ? left : each;
        }
    }
    for (size_t i = 0; i < n_parts; i++)
        if (parts[i] < 0 || !qeff_add_i64(sum, parts[i], &sum))
            return qeff_fail(err, QEFF_ERR_INVALID, "part %zu has a size of %lld", i,
                             (long long)parts[i]);
    if (sum == n) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_INVALID, "parts add up to %lld of %lld", (long long)sum,
                     (long long)n);
}

qeff_status qeff_run_split(qeff_op_run *r, qeff_error *err)
{
    enum { PARTS_MAX = 8 };
    const qeff_array *x = r->inputs[0];
    int64_t parts[PARTS_MAX], dims[QEFF_MAX_RANK], strides[QEFF_MAX_RANK] = {0}, first = 0;
    size_t axis = 0;
    if (r->node->n_outputs > PARTS_MAX)
        return qeff_fail(err, QEFF_ERR_INVALID, "over %d parts", PARTS_MAX);
    QEFF_TRY(qeff_run_axis(r, qeff_node_int(r->node, "axis", 0), x->rank, &axis, err));
    QEFF_TRY(read_parts(r, x->dims[axis], parts, r->node->n_outputs, err));
    memcpy(dims, x->dims, sizeof dims);
    qeff_array_strides(x, strides);
    for (size_t i = 0; i < r->node->n_outputs; i++) {
        dims[axis] = parts[i];
        QEFF_TRY(qeff_run_make(r, i, x->dtype, x->rank, dims, err));
        if (r->outputs[i]->count)
            qeff_copy_strided(r->outputs[i]->data, x->data, qeff_dtype_size(x->dtype), x->rank,
                              dims, strides, first * strides[axis]);
        first += parts[i];
    }
    return QEFF_OK;
}

/* --- slice --------------------------------------------------------------------------------------
 */

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* ONNX: negative bounds count from the end, then both are cut to the dimension; backwards, the end
 * may lie before the first element. Returns the number of elements. */
static int64_t slice_axis(int64_t n, int64_t *start, int64_t end, int64_t step)
{
    if (*start < 0) *start = clamp(*start, -n, 0) + n;
    if (end < 0) end = clamp(end, -n - 1, 0) + n;
    if (step > 0) {
        *start = clamp(*start, 0, n);
        end = clamp(end, 0, n);
        return end > *start ? (end - *start - 1) / step + 1 : 0;
    }
    *start = clamp(*start, 0, n - 1);
    end = clamp(end, -1, n - 1);
    if (n == 0 || *start <= end) return 0;
    return step == INT64_MIN ? 1 : (*start - end - 1) / -step + 1;
}

qeff_status qeff_run_slice(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    int64_t starts[QEFF_MAX_RANK], ends[QEFF_MAX_RANK], axes[QEFF_MAX_RANK], steps[QEFF_MAX_RANK];
    int64_t dims[QEFF_MAX_RANK], strides[QEFF_MAX_RANK] = {0}, offset = 0;
    size_t n = 0, n_ends = 0, n_axes = 0, n_steps = 0;
    unsigned seen = 0;
    QEFF_TRY(qeff_run_ints(r, 1, QEFF_MAX_RANK, starts, &n, err));
    QEFF_TRY(qeff_run_ints(r, 2, QEFF_MAX_RANK, ends, &n_ends, err));
    n_axes = n_steps = n;
    for (size_t i = 0; i < n; i++) {
        axes[i] = (int64_t)i;
        steps[i] = 1;
    }
    if (qeff_run_has(r, 3)) QEFF_TRY(qeff_run_ints(r, 3, QEFF_MAX_RANK, axes, &n_axes, err));
    if (qeff_run_has(r, 4)) QEFF_TRY(qeff_run_ints(r, 4, QEFF_MAX_RANK, steps, &n_steps, err));
    if (n_ends != n || n_axes != n || n_steps != n)
        return qeff_fail(err, QEFF_ERR_INVALID, "starts, ends, axes and steps differ in length");
    memcpy(dims, x->dims, sizeof dims);
    qeff_array_strides(x, strides);
    for (size_t i = 0; i < n; i++) {
        size_t axis = 0;
        QEFF_TRY(qeff_run_axis(r, axes[i], x->rank, &axis, err));
        if (seen & 1U << axis || steps[i] == 0)
            return qeff_fail(err, QEFF_ERR_INVALID, "axis %zu twice, or a step of 0", axis);
        seen |= 1U << axis;
        dims[axis] = slice_axis(x->dims[axis], &starts[i], ends[i], steps[i]);
        if (dims[axis] == 0) continue; /* nothing is read */
        offset += starts[i] * strides[axis];
        strides[axis] = dims[axis] == 1 ? strides[axis] : strides[axis] * steps[i];
    }
    QEFF_TRY(qeff_run_make(r, 0, x->dtype, x->rank, dims, err));
    if (r->outputs[0]->count)
        qeff_copy_strided(r->outputs[0]->data, x->data, qeff_dtype_size(x->dtype), x->rank, dims,
                          strides, offset);
    return QEFF_OK;
}

qeff_status qeff_run_expand(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    int64_t dims[QEFF_MAX_RANK], strides[QEFF_MAX_RANK] = {0}, own[QEFF_MAX_RANK] = {0};
    size_t rank = 0;
    QEFF_TRY(qeff_run_ints(r, 1, QEFF_MAX_RANK, dims, &rank, err));
    for (size_t i = 0; i < rank; i++)
        if (dims[i] < 0) return qeff_fail(err, QEFF_ERR_INVALID, "size %lld", (long long)dims[i]);
    if (!qeff_dims_broadcast(x, &rank, dims))
        return qeff_fail(err, QEFF_ERR_INVALID, "operand does not broadcast to the shape");
    QEFF_TRY(qeff_run_make(r, 0, x->dtype, rank, dims, err));
    qeff_array_strides(x, own);
    for (size_t i = 0; i < x->rank; i++)
        strides[rank - x->rank + i] = x->dims[i] == 1 ? 0 : own[i];
    if (r->outputs[0]->count)
        qeff_copy_strided(r->outputs[0]->data, x->data, qeff_dtype_size(x->dtype), rank, dims,
                          strides, 0);
    return QEFF_OK;
}
