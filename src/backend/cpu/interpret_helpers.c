/* interpret_helpers.c - operands, shapes and strided walks of the interpreter. */
#include "backend/cpu/interpret.h"

#include "base/span.h"

bool qeff_run_has(const qeff_op_run *r, size_t i)
{
    return i < r->node->n_inputs && r->inputs[i] != NULL;
}

int64_t qeff_array_int(const qeff_array *a, size_t i)
{
    if (a->dtype == QEFF_DTYPE_I64) return ((const int64_t *)a->data)[i];
    if (a->dtype == QEFF_DTYPE_I32) return ((const int32_t *)a->data)[i];
    return ((const uint8_t *)a->data)[i] != 0;
}

qeff_status
qeff_run_ints(const qeff_op_run *r, size_t i, size_t max, int64_t *out, size_t *n, qeff_error *err)
{
    const qeff_array *a = r->inputs[i];
    if ((a->dtype != QEFF_DTYPE_I64 && a->dtype != QEFF_DTYPE_I32) || a->count > max)
        return qeff_fail(err, QEFF_ERR_INVALID,
                         "operand %zu: expected at most %zu integers, found %zu of %s", i, max,
                         a->count, qeff_dtype_name(a->dtype));
    *n = a->count;
    for (size_t k = 0; k < a->count; k++)
        out[k] = qeff_array_int(a, k);
    return QEFF_OK;
}

qeff_status
qeff_run_axis(const qeff_op_run *r, int64_t axis, size_t rank, size_t *out, qeff_error *err)
{
    (void)r;
    if (axis < -(int64_t)rank || axis >= (int64_t)rank)
        return qeff_fail(err, QEFF_ERR_INVALID, "axis %lld of an operand of rank %zu",
                         (long long)axis, rank);
    *out = (size_t)(axis < 0 ? axis + (int64_t)rank : axis);
    return QEFF_OK;
}

qeff_status qeff_run_expect(const qeff_op_run *r, size_t i, qeff_dtype dtype, qeff_error *err)
{
    if (r->inputs[i]->dtype == dtype) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_INVALID, "operand %zu: expected %s, found %s", i,
                     qeff_dtype_name(dtype), qeff_dtype_name(r->inputs[i]->dtype));
}

qeff_status qeff_run_expect_rank(const qeff_op_run *r, size_t i, size_t rank, qeff_error *err)
{
    if (r->inputs[i]->rank == rank) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_INVALID, "operand %zu: expected rank %zu, found %zu", i, rank,
                     r->inputs[i]->rank);
}

size_t qeff_dims_product(const qeff_array *a, size_t first, size_t last)
{
    size_t n = 1;
    for (size_t i = first; i < last; i++)
        n *= (size_t)a->dims[i];
    return n;
}

void qeff_array_strides(const qeff_array *a, int64_t strides[QEFF_MAX_RANK])
{
    int64_t stride = 1;
    for (size_t i = a->rank; i > 0; i--) {
        strides[i - 1] = stride;
        stride *= a->dims[i - 1];
    }
}

bool qeff_array_same_dims(const qeff_array *a, const qeff_array *b)
{
    bool is_same = a->rank == b->rank;
    for (size_t i = 0; is_same && i < a->rank; i++)
        is_same = a->dims[i] == b->dims[i];
    return is_same;
}

bool qeff_dims_broadcast(const qeff_array *a, size_t *rank, int64_t dims[QEFF_MAX_RANK])
{
    int64_t out[QEFF_MAX_RANK];
    const size_t n = a->rank > *rank ? a->rank : *rank;
    for (size_t i = 0; i < n; i++) { /* from the last dimension */
        const int64_t x = i < a->rank ? a->dims[a->rank - 1 - i] : 1;
        const int64_t y = i < *rank ? dims[*rank - 1 - i] : 1;
        if (x != y && x != 1 && y != 1) return false;
        out[n - 1 - i] = x == 1 ? y : x;
    }
    for (size_t i = 0; i < n; i++)
        dims[i] = out[i];
    *rank = n;
    return true;
}

void qeff_walk_init(qeff_walk *w, const qeff_array *out, const qeff_array *const *operands,
                    size_t n_operands)
{
    *w = (qeff_walk){.rank = out->rank, .n_operands = n_operands, .inner = 1};
    for (size_t i = 0; i < out->rank; i++)
        w->dims[i] = out->dims[i];
    if (out->rank) w->inner = (size_t)out->dims[out->rank - 1];
    w->n_rows = w->inner ? out->count / w->inner : 0;
    for (size_t k = 0; k < n_operands; k++) {
        int64_t strides[QEFF_MAX_RANK] = {0};
        const size_t shift = out->rank - operands[k]->rank;
        qeff_array_strides(operands[k], strides);
        for (size_t i = 0; i < operands[k]->rank; i++)
            w->strides[k][shift + i] = operands[k]->dims[i] == 1 ? 0 : strides[i];
        w->step[k] = out->rank ? (size_t)w->strides[k][out->rank - 1] : 0;
    }
}

void qeff_walk_next(qeff_walk *w)
{
    for (size_t i = w->rank > 1 ? w->rank - 1 : 0; i > 0; i--) {
        const size_t d = i - 1;
        w->index[d]++;
        for (size_t k = 0; k < w->n_operands; k++)
            w->at[k] += (size_t)w->strides[k][d];
        if (w->index[d] < w->dims[d]) return;
        for (size_t k = 0; k < w->n_operands; k++)
            w->at[k] -= (size_t)(w->strides[k][d] * w->dims[d]);
        w->index[d] = 0;
    }
}

static void copy_row(uint8_t *y, const uint8_t *x, size_t element, int64_t n, int64_t stride)
{
    if (stride == 1) {
        memcpy(y, x, (size_t)n * element);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        memcpy(y + i * (int64_t)element, x + i * stride * (int64_t)element, element);
}

void qeff_copy_strided(void *y, const void *x, size_t element, size_t rank, const int64_t *dims,
                       const int64_t *strides, int64_t offset)
{
    int64_t index[QEFF_MAX_RANK] = {0};
    uint8_t *to = y;
    const uint8_t *from = x;
    int64_t n_rows = 1;
    const int64_t inner = rank ? dims[rank - 1] : 1, step = rank ? strides[rank - 1] : 1;
    for (size_t i = 0; i + 1 < rank; i++)
        n_rows *= dims[i];
    if (inner == 0) return;
    for (int64_t row = 0; row < n_rows; row++) {
        copy_row(to, from + offset * (int64_t)element, element, inner, step);
        to += (size_t)inner * element;
        for (size_t i = rank > 1 ? rank - 1 : 0; i > 0; i--) {
            offset += strides[i - 1];
            if (++index[i - 1] < dims[i - 1]) break;
            offset -= strides[i - 1] * dims[i - 1];
            index[i - 1] = 0;
        }
    }
}

void qeff_pack_panels(const float *w, size_t n_stride, size_t k_stride, size_t n, size_t k,
                      float *panels)
{
    for (size_t p = 0; p < n; p += QEFF_PANEL)
        for (size_t i = 0; i < k; i++)
            for (size_t c = 0; c < QEFF_PANEL; c++)
                *panels++ = p + c < n ? w[(p + c) * n_stride + i * k_stride] : 0.0F;
}
