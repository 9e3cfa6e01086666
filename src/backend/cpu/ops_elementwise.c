/* ops_elementwise.c - ops of two or three operands that broadcast as numpy's do.
 *
 * Floats follow IEEE 754; integers wrap, as they do in other ONNX run times; division of integers
 * truncates, and division by zero is an error. */
#include "backend/cpu/ops.h"

#include "base/dtype.h"

#include <math.h>

static qeff_status broadcast(qeff_op_run *r, size_t first, size_t n, qeff_dtype dtype,
                             qeff_walk *walk, qeff_error *err)
{
    size_t rank = 0;
    int64_t dims[QEFF_MAX_RANK] = {0};
    for (size_t i = 0; i < r->node->n_inputs; i++)
        if (!qeff_dims_broadcast(r->inputs[i], &rank, dims))
            return qeff_fail(err, QEFF_ERR_INVALID, "operand %zu does not broadcast", i);
    QEFF_TRY(qeff_run_make(r, 0, dtype, rank, dims, err));
    qeff_walk_init(walk, r->outputs[0], r->inputs + first, n);
    return QEFF_OK;
}

/* Two operands of type T, a result of type R, one row after another. */
#define LOOP(T, R, expression)                                                                     \
    do {                                                                                           \
        R *y = r->outputs[0]->data;                                                                \
        for (size_t row = 0; row < w.n_rows; row++, y += w.inner, qeff_walk_next(&w)) {            \
            const T *p = (const T *)r->inputs[0]->data + w.at[0];                                  \
            const T *q = (const T *)r->inputs[1]->data + w.at[1];                                  \
            for (size_t i = 0; i < w.inner; i++) {                                                 \
                const T a = p[i * w.step[0]], b = q[i * w.step[1]];                                \
                y[i] = (R)(expression);                                                            \
            }                                                                                      \
        }                                                                                          \
        return QEFF_OK;                                                                            \
    } while (0)

static bool is_wide(const qeff_array *a)
{
    return a->dtype == QEFF_DTYPE_I64;
}

static qeff_status arithmetic_f32(qeff_op_run *r, qeff_error *err)
{
    qeff_walk w;
    QEFF_TRY(broadcast(r, 0, 2, QEFF_DTYPE_F32, &w, err));
    if (r->node->op == QEFF_OP_ADD) LOOP(float, float, a + b);
    if (r->node->op == QEFF_OP_SUB) LOOP(float, float, a - b);
    if (r->node->op == QEFF_OP_MUL) LOOP(float, float, a *b);
    LOOP(float, float, a / b);
}

static bool has_zero(const qeff_array *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (qeff_array_int(a, i) == 0) return true;
    return false;
}

/* a / -1 is written as a negation, which wraps; the machine's division would trap. */
static qeff_status divide_integers(qeff_op_run *r, qeff_error *err)
{
    qeff_walk w;
    if (has_zero(r->inputs[1])) return qeff_fail(err, QEFF_ERR_INVALID, "integer division by zero");
    QEFF_TRY(broadcast(r, 0, 2, r->inputs[0]->dtype, &w, err));
    if (is_wide(r->inputs[0])) LOOP(int64_t, int64_t, b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b);
    LOOP(int32_t, int32_t, b == -1 ? (int32_t)(0 - (uint32_t)a) : a / b);
}

static qeff_status arithmetic_integers(qeff_op_run *r, qeff_error *err)
{
    qeff_walk w;
    if (r->node->op == QEFF_OP_DIV) return divide_integers(r, err);
    QEFF_TRY(broadcast(r, 0, 2, r->inputs[0]->dtype, &w, err));
    if (is_wide(r->inputs[0])) {
        if (r->node->op == QEFF_OP_ADD) LOOP(int64_t, int64_t, (uint64_t)a + (uint64_t)b);
        if (r->node->op == QEFF_OP_SUB) LOOP(int64_t, int64_t, (uint64_t)a - (uint64_t)b);
        LOOP(int64_t, int64_t, (uint64_t)a * (uint64_t)b);
    }
    if (r->node->op == QEFF_OP_ADD) LOOP(int32_t, int32_t, (uint32_t)a + (uint32_t)b);
    if (r->node->op == QEFF_OP_SUB) LOOP(int32_t, int32_t, (uint32_t)a - (uint32_t)b);
    LOOP(int32_t, int32_t, (uint32_t)a * (uint32_t)b);
}

#define COMPARE(T)                                                                                 \
    do {                                                                                           \
        if (r->node->op == QEFF_OP_EQUAL) LOOP(T, uint8_t, a == b);                                \
        if (r->node->op == QEFF_OP_LESS) LOOP(T, uint8_t, a < b);                                  \
        LOOP(T, uint8_t, a > b);                                                                   \
    } while (0)

static qeff_status compare(qeff_op_run *r, qeff_error *err)
{
    qeff_walk w;
    QEFF_TRY(broadcast(r, 0, 2, QEFF_DTYPE_BOOL, &w, err));
    switch (qeff_dtype_size(r->inputs[0]->dtype)) {
    case 8:
        COMPARE(int64_t);
    case 1:
        COMPARE(uint8_t);
    }
    if (r->inputs[0]->dtype == QEFF_DTYPE_I32) COMPARE(int32_t);
    COMPARE(float);
}

static qeff_status combine_logic(qeff_op_run *r, qeff_error *err)
{
    qeff_walk w;
    QEFF_TRY(qeff_run_expect(r, 0, QEFF_DTYPE_BOOL, err));
    QEFF_TRY(broadcast(r, 0, 2, QEFF_DTYPE_BOOL, &w, err));
    if (r->node->op == QEFF_OP_AND) LOOP(uint8_t, uint8_t, a && b);
    LOOP(uint8_t, uint8_t, a || b);
}

static bool is_arithmetic(qeff_op op)
{
    return op == QEFF_OP_ADD || op == QEFF_OP_SUB || op == QEFF_OP_MUL || op == QEFF_OP_DIV;
}

qeff_status qeff_run_binary(qeff_op_run *r, qeff_error *err)
{
    const qeff_dtype dtype = r->inputs[0]->dtype;
    QEFF_TRY(qeff_run_expect(r, 1, dtype, err));
    if (r->node->op == QEFF_OP_AND || r->node->op == QEFF_OP_OR) return combine_logic(r, err);
    if (!is_arithmetic(r->node->op)) return compare(r, err);
    if (dtype == QEFF_DTYPE_F32) return arithmetic_f32(r, err);
    if (dtype == QEFF_DTYPE_I64 || dtype == QEFF_DTYPE_I32) return arithmetic_integers(r, err);
    return qeff_fail(err, QEFF_ERR_INVALID, "arithmetic of %s", qeff_dtype_name(dtype));
}

static double to_double(const qeff_array *a, size_t i)
{
    if (a->dtype == QEFF_DTYPE_F32) return (double)((const float *)a->data)[i];
    return (double)qeff_array_int(a, i);
}

static void store_double(qeff_array *a, size_t i, double v)
{
    if (a->dtype == QEFF_DTYPE_F32)
        ((float *)a->data)[i] = (float)v;
    else if (a->dtype == QEFF_DTYPE_I64)
        ((int64_t *)a->data)[i] = v >= 9.2e18    ? INT64_MAX
                                  : v <= -9.2e18 ? INT64_MIN
                                                 : (int64_t)(isnan(v) ? 0 : v);
    else
        ((int32_t *)a->data)[i] = v >= 2147483647.0    ? INT32_MAX
                                  : v <= -2147483648.0 ? INT32_MIN
                                                       : (int32_t)(isnan(v) ? 0 : v);
}

/* The result has the dtype of the base. */
qeff_status qeff_run_power(qeff_op_run *r, qeff_error *err)
{
    qeff_walk w;
    size_t at = 0;
    if (r->inputs[0]->dtype == QEFF_DTYPE_BOOL)
        return qeff_fail(err, QEFF_ERR_INVALID, "power of bool");
    QEFF_TRY(broadcast(r, 0, 2, r->inputs[0]->dtype, &w, err));
    for (size_t row = 0; row < w.n_rows; row++, qeff_walk_next(&w))
        for (size_t i = 0; i < w.inner; i++)
            store_double(r->outputs[0], at++,
                         pow(to_double(r->inputs[0], w.at[0] + i * w.step[0]),
                             to_double(r->inputs[1], w.at[1] + i * w.step[1])));
    return QEFF_OK;
}

/* Result so far against one more operand; NaN wins. */
static void keep_extremum(qeff_op_run *r, size_t operand, bool is_first)
{
    qeff_walk w;
    qeff_array *y = r->outputs[0];
    const qeff_array *x = r->inputs[operand];
    const bool is_max = r->node->op == QEFF_OP_MAX;
    size_t at = 0;
    qeff_walk_init(&w, y, &x, 1);
    for (size_t row = 0; row < w.n_rows; row++, qeff_walk_next(&w))
        for (size_t i = 0; i < w.inner; i++, at++) {
            const size_t from = w.at[0] + i * w.step[0];
            if (y->dtype == QEFF_DTYPE_F32) {
                const float v = ((const float *)x->data)[from];
                float *to = (float *)y->data + at;
                if (is_first || isnan(v) || (is_max ? v > *to : v < *to)) *to = v;
            } else {
                const int64_t v = qeff_array_int(x, from);
                const bool wins =
                    is_first || (is_max ? v > qeff_array_int(y, at) : v < qeff_array_int(y, at));
                if (wins && y->dtype == QEFF_DTYPE_I64) ((int64_t *)y->data)[at] = v;
                if (wins && y->dtype == QEFF_DTYPE_I32) ((int32_t *)y->data)[at] = (int32_t)v;
            }
        }
}

qeff_status qeff_run_extremum(qeff_op_run *r, qeff_error *err)
{
    qeff_walk w;
    const qeff_dtype dtype = r->inputs[0]->dtype;
    if (dtype == QEFF_DTYPE_BOOL) return qeff_fail(err, QEFF_ERR_INVALID, "extremum of bool");
    for (size_t i = 1; i < r->node->n_inputs; i++)
        QEFF_TRY(qeff_run_expect(r, i, dtype, err));
    QEFF_TRY(broadcast(r, 0, 1, dtype, &w, err));
    for (size_t i = 0; i < r->node->n_inputs; i++)
        keep_extremum(r, i, i == 0);
    return QEFF_OK;
}

qeff_status qeff_run_where(qeff_op_run *r, qeff_error *err)
{
    qeff_walk w;
    const qeff_dtype dtype = r->inputs[1]->dtype;
    const size_t size = qeff_dtype_size(dtype);
    QEFF_TRY(qeff_run_expect(r, 0, QEFF_DTYPE_BOOL, err));
    QEFF_TRY(qeff_run_expect(r, 2, dtype, err));
    QEFF_TRY(broadcast(r, 0, 3, dtype, &w, err));
    uint8_t *y = r->outputs[0]->data;
    for (size_t row = 0; row < w.n_rows; row++, qeff_walk_next(&w))
        for (size_t i = 0; i < w.inner; i++, y += size) {
            const bool is_true =
                ((const uint8_t *)r->inputs[0]->data)[w.at[0] + i * w.step[0]] != 0;
            const size_t k = is_true ? 1 : 2;
            memcpy(y, (const uint8_t *)r->inputs[k]->data + (w.at[k] + i * w.step[k]) * size, size);
        }
    return QEFF_OK;
}
