/* ops_index.c - gathers, and what makes shapes and ranges. */
#include "backend/cpu/ops.h"

#include "base/dtype.h"

#include <math.h>

static qeff_status
read_index(const qeff_array *indices, size_t i, int64_t n, int64_t *out, qeff_error *err)
{
    const int64_t index = qeff_array_int(indices, i);
    *out = index < 0 ? index + n : index;
    if (index >= -n && index < n) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_INVALID, "index %lld at %zu, expected below %lld",
                     (long long)index, i, (long long)n);
}

static qeff_status expect_indices(const qeff_op_run *r, qeff_error *err)
{
    const qeff_dtype dtype = r->inputs[1]->dtype;
    if (dtype == QEFF_DTYPE_I64 || dtype == QEFF_DTYPE_I32) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_INVALID, "operand 1: expected integers, found %s",
                     qeff_dtype_name(dtype));
}

qeff_status qeff_run_gather(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0], *indices = r->inputs[1];
    size_t axis = 0, rank = 0;
    int64_t dims[2 * QEFF_MAX_RANK], index = 0;
    QEFF_TRY(expect_indices(r, err));
    QEFF_TRY(qeff_run_axis(r, qeff_node_int(r->node, "axis", 0), x->rank, &axis, err));
    for (size_t i = 0; i < axis; i++)
        dims[rank++] = x->dims[i];
    for (size_t i = 0; i < indices->rank; i++)
        dims[rank++] = indices->dims[i];
    for (size_t i = axis + 1; i < x->rank; i++)
        dims[rank++] = x->dims[i];
    if (rank > QEFF_MAX_RANK)
        return qeff_fail(err, QEFF_ERR_INVALID, "rank is over %d", QEFF_MAX_RANK);
    QEFF_TRY(qeff_run_make(r, 0, x->dtype, rank, dims, err));
    for (size_t i = 0; i < indices->count; i++)
        QEFF_TRY(read_index(indices, i, x->dims[axis], &index, err));
    if (r->outputs[0]->count == 0) return QEFF_OK;
    const size_t outer = qeff_dims_product(x, 0, axis), n = (size_t)x->dims[axis];
    const size_t bytes = qeff_dims_product(x, axis + 1, x->rank) * qeff_dtype_size(x->dtype);
    uint8_t *y = r->outputs[0]->data;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < indices->count; i++, y += bytes) {
            QEFF_TRY(read_index(indices, i, (int64_t)n, &index, err));
            memcpy(y, (const uint8_t *)x->data + (o * n + (size_t)index) * bytes, bytes);
        }
    return QEFF_OK;
}

/* y[i][j][k] = x[i][indices[i][j][k]][k] for axis 1; other dims of the indices may be smaller. */
qeff_status qeff_run_gather_elements(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0], *indices = r->inputs[1];
    const size_t size = qeff_dtype_size(x->dtype);
    int64_t strides[QEFF_MAX_RANK] = {0}, at[QEFF_MAX_RANK] = {0};
    size_t axis = 0;
    QEFF_TRY(expect_indices(r, err));
    QEFF_TRY(qeff_run_expect_rank(r, 1, x->rank, err));
    QEFF_TRY(qeff_run_axis(r, qeff_node_int(r->node, "axis", 0), x->rank, &axis, err));
    for (size_t i = 0; i < x->rank; i++)
        if (i != axis && indices->dims[i] > x->dims[i])
            return qeff_fail(err, QEFF_ERR_INVALID, "dimension %zu: %lld indices into %lld", i,
                             (long long)indices->dims[i], (long long)x->dims[i]);
    QEFF_TRY(qeff_run_make(r, 0, x->dtype, indices->rank, indices->dims, err));
    qeff_array_strides(x, strides);
    uint8_t *y = r->outputs[0]->data;
    for (size_t i = 0; i < indices->count; i++, y += size) {
        int64_t index = 0, from = 0;
        QEFF_TRY(read_index(indices, i, x->dims[axis], &index, err));
        for (size_t d = 0; d < x->rank; d++)
            from += (d == axis ? index : at[d]) * strides[d];
        memcpy(y, (const uint8_t *)x->data + (size_t)from * size, size);
        for (size_t d = x->rank; d > 0; d--) {
            if (++at[d - 1] < indices->dims[d - 1]) break;
            at[d - 1] = 0;
        }
    }
    return QEFF_OK;
}

qeff_status qeff_run_shape(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    const int64_t rank = (int64_t)x->rank;
    int64_t start = qeff_node_int(r->node, "start", 0), end = qeff_node_int(r->node, "end", rank);
    start = start < -rank ? 0 : start < 0 ? start + rank : start > rank ? rank : start;
    end = end < -rank ? 0 : end < 0 ? end + rank : end > rank ? rank : end;
    const int64_t n = end > start ? end - start : 0;
    QEFF_TRY(qeff_run_make(r, 0, QEFF_DTYPE_I64, 1, &n, err));
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)r->outputs[0]->data)[i] = x->dims[start + i];
    return QEFF_OK;
}

/* A FLOAT value makes f32, an INT value the dtype that the attribute names. */
qeff_status qeff_run_constant_of_shape(qeff_op_run *r, qeff_error *err)
{
    const qeff_attribute *value = qeff_node_find_attribute(r->node, "value");
    const qeff_attribute *type = qeff_node_find_attribute(r->node, "dtype");
    const qeff_dtype dtype = type ? qeff_dtype_from_onnx(type->i) : QEFF_DTYPE_F32;
    int64_t dims[QEFF_MAX_RANK];
    size_t rank = 0;
    QEFF_TRY(qeff_run_ints(r, 0, QEFF_MAX_RANK, dims, &rank, err));
    for (size_t i = 0; i < rank; i++)
        if (dims[i] < 0) return qeff_fail(err, QEFF_ERR_INVALID, "size %lld", (long long)dims[i]);
    const bool is_float = value && value->kind == QEFF_ATTRIBUTE_FLOAT;
    const double f = !value ? 0.0 : is_float ? value->f : (double)value->i;
    const int64_t v = value && !is_float ? value->i : 0;
    QEFF_TRY(qeff_run_make(r, 0, dtype, rank, dims, err));
    for (size_t i = 0; i < r->outputs[0]->count; i++) {
        if (dtype == QEFF_DTYPE_F32)
            ((float *)r->outputs[0]->data)[i] = (float)f;
        else if (dtype == QEFF_DTYPE_I64)
            ((int64_t *)r->outputs[0]->data)[i] = v;
        else if (dtype == QEFF_DTYPE_I32)
            ((int32_t *)r->outputs[0]->data)[i] = (int32_t)v;
        else
            ((uint8_t *)r->outputs[0]->data)[i] = v != 0;
    }
    return QEFF_OK;
}

/* start, start + step, … below the limit: ceil((limit - start) / step) of them. */
static qeff_status range_floats(qeff_op_run *r, qeff_error *err)
{
    const double start = (double)*(const float *)r->inputs[0]->data;
    const double limit = (double)*(const float *)r->inputs[1]->data;
    const double step = (double)*(const float *)r->inputs[2]->data;
    const double count = ceil((limit - start) / step);
    if (step == 0.0 || !(count < 2147483647.0))
        return qeff_fail(err, QEFF_ERR_INVALID, "range has no end");
    const int64_t n = count > 0.0 ? (int64_t)count : 0;
    QEFF_TRY(qeff_run_make(r, 0, QEFF_DTYPE_F32, 1, &n, err));
    for (int64_t i = 0; i < n; i++)
        ((float *)r->outputs[0]->data)[i] = (float)(start + (double)i * step);
    return QEFF_OK;
}

static qeff_status range_integers(qeff_op_run *r, qeff_error *err)
{
    const qeff_dtype dtype = r->inputs[0]->dtype;
    const int64_t start = qeff_array_int(r->inputs[0], 0), limit = qeff_array_int(r->inputs[1], 0);
    const int64_t step = qeff_array_int(r->inputs[2], 0);
    if (step == 0) return qeff_fail(err, QEFF_ERR_INVALID, "step 0");
    const double span = ((double)limit - (double)start) / (double)step;
    if (!(span < 2147483647.0)) return qeff_fail(err, QEFF_ERR_INVALID, "range is too long");
    int64_t n = 0; /* the distance is below 2^31 steps, so nothing here wraps */
    if (span > 0.0)
        n = (int64_t)(((step > 0 ? (uint64_t)limit - (uint64_t)start
                                 : (uint64_t)start - (uint64_t)limit) -
                       1) /
                      (step > 0 ? (uint64_t)step : 0 - (uint64_t)step)) +
            1;
    QEFF_TRY(qeff_run_make(r, 0, dtype, 1, &n, err));
    for (int64_t i = 0; i < n; i++) {
        const int64_t v = (int64_t)((uint64_t)start + (uint64_t)i * (uint64_t)step);
        if (dtype == QEFF_DTYPE_I64)
            ((int64_t *)r->outputs[0]->data)[i] = v;
        else
            ((int32_t *)r->outputs[0]->data)[i] = (int32_t)v;
    }
    return QEFF_OK;
}

qeff_status qeff_run_range(qeff_op_run *r, qeff_error *err)
{
    const qeff_dtype dtype = r->inputs[0]->dtype;
    for (size_t i = 0; i < 3; i++) {
        QEFF_TRY(qeff_run_expect(r, i, dtype, err));
        if (r->inputs[i]->count != 1)
            return qeff_fail(err, QEFF_ERR_INVALID, "operand %zu: expected one element", i);
    }
    if (dtype == QEFF_DTYPE_BOOL) return qeff_fail(err, QEFF_ERR_INVALID, "range of bool");
    return dtype == QEFF_DTYPE_F32 ? range_floats(r, err) : range_integers(r, err);
}
