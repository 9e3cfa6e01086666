/* ops_unary.c - functions of one operand, clipping, casts. */
#include "backend/cpu/ops.h"

#include "base/dtype.h"
#include "base/span.h"

#include <math.h>

static qeff_status make_like(qeff_op_run *r, qeff_dtype dtype, qeff_error *err)
{
    return qeff_run_make(r, 0, dtype, r->inputs[0]->rank, r->inputs[0]->dims, err);
}

qeff_status qeff_run_identity(qeff_op_run *r, qeff_error *err)
{
    return qeff_run_reshape(r, r->inputs[0]->rank, r->inputs[0]->dims, err);
}

qeff_status qeff_run_not(qeff_op_run *r, qeff_error *err)
{
    QEFF_TRY(qeff_run_expect(r, 0, QEFF_DTYPE_BOOL, err));
    QEFF_TRY(make_like(r, QEFF_DTYPE_BOOL, err));
    const uint8_t *x = r->inputs[0]->data;
    uint8_t *y = r->outputs[0]->data;
    for (size_t i = 0; i < r->inputs[0]->count; i++)
        y[i] = x[i] == 0;
    return QEFF_OK;
}

qeff_status qeff_run_sign(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    const bool is_abs = r->node->op == QEFF_OP_ABS;
    QEFF_TRY(make_like(r, x->dtype, err));
    for (size_t i = 0; i < x->count; i++) {
        if (x->dtype == QEFF_DTYPE_F32) {
            const float v = ((const float *)x->data)[i];
            ((float *)r->outputs[0]->data)[i] = is_abs ? fabsf(v) : -v;
            continue;
        }
        const int64_t v = qeff_array_int(x, i);
        const int64_t result = is_abs && v > 0 ? v : (int64_t)(0 - (uint64_t)v); /* wraps */
        if (x->dtype == QEFF_DTYPE_I64)
            ((int64_t *)r->outputs[0]->data)[i] = result;
        else if (x->dtype == QEFF_DTYPE_I32)
            ((int32_t *)r->outputs[0]->data)[i] = (int32_t)result;
        else
            return qeff_fail(err, QEFF_ERR_INVALID, "sign of bool");
    }
    return QEFF_OK;
}

static float function_of(const qeff_op_run *r, float x, float alpha)
{
    switch ((int)r->node->op) {
    case QEFF_OP_SQRT:
        return sqrtf(x);
    case QEFF_OP_RECIPROCAL:
        return 1.0F / x;
    case QEFF_OP_EXP:
        return expf(x);
    case QEFF_OP_LOG:
        return logf(x);
    case QEFF_OP_ERF:
        return erff(x);
    case QEFF_OP_LEAKY_RELU:
        return x < 0.0F ? alpha * x : x;
    case QEFF_OP_ELU:
        return x < 0.0F ? alpha * expm1f(x) : x;
    case QEFF_OP_SOFTPLUS: /* log(1 + e^x) without overflow */
        return (x > 0.0F ? x : 0.0F) + log1pf(expf(-fabsf(x)));
    }
    return x;
}

qeff_status qeff_run_function(qeff_op_run *r, qeff_error *err)
{
    QEFF_TRY(qeff_run_expect(r, 0, QEFF_DTYPE_F32, err));
    QEFF_TRY(make_like(r, QEFF_DTYPE_F32, err));
    const double fallback = r->node->op == QEFF_OP_LEAKY_RELU ? 0.01 : 1.0;
    const float alpha = (float)qeff_node_float(r->node, "alpha", fallback);
    const float *x = r->inputs[0]->data;
    float *y = r->outputs[0]->data;
    for (size_t i = 0; i < r->inputs[0]->count; i++)
        y[i] = function_of(r, x[i], alpha);
    return QEFF_OK;
}

static qeff_activation activation_of(const qeff_node *node)
{
    switch ((int)node->op) {
    case QEFF_OP_TANH:
        return QEFF_ACTIVATION_TANH;
    case QEFF_OP_SIGMOID:
        return QEFF_ACTIVATION_SIGMOID;
    case QEFF_OP_RELU:
        return QEFF_ACTIVATION_RELU;
    case QEFF_OP_SILU:
        return QEFF_ACTIVATION_SILU;
    }
    const qeff_str approximate = qeff_node_str(node, "approximate", "none");
    return qeff_str_is(approximate, "tanh") ? QEFF_ACTIVATION_GELU_TANH : QEFF_ACTIVATION_GELU_ERF;
}

qeff_status qeff_run_activation(qeff_op_run *r, qeff_error *err)
{
    QEFF_TRY(qeff_run_expect(r, 0, QEFF_DTYPE_F32, err));
    QEFF_TRY(make_like(r, QEFF_DTYPE_F32, err));
    if (r->inputs[0]->count)
        r->kernels->activate_f32(r->outputs[0]->data, r->inputs[0]->data, r->inputs[0]->count,
                                 activation_of(r->node));
    return QEFF_OK;
}

/* --- clip ---------------------------------------------------------------------------------------
 */

static qeff_status check_bound(const qeff_op_run *r, size_t i, qeff_error *err)
{
    if (!qeff_run_has(r, i)) return QEFF_OK;
    QEFF_TRY(qeff_run_expect(r, i, r->inputs[0]->dtype, err));
    if (r->inputs[i]->count == 1) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_INVALID, "operand %zu: expected one element, found %zu", i,
                     r->inputs[i]->count);
}

static void clip_floats(qeff_op_run *r)
{
    const float *x = r->inputs[0]->data;
    const float *low = qeff_run_has(r, 1) ? r->inputs[1]->data : NULL;
    const float *high = qeff_run_has(r, 2) ? r->inputs[2]->data : NULL;
    float *y = r->outputs[0]->data;
    for (size_t i = 0; i < r->inputs[0]->count; i++) {
        float v = x[i];
        if (low && v < *low) v = *low;
        if (high && v > *high) v = *high;
        y[i] = v;
    }
}

static void clip_integers(qeff_op_run *r)
{
    const int64_t low = qeff_run_has(r, 1) ? qeff_array_int(r->inputs[1], 0) : INT64_MIN;
    const int64_t high = qeff_run_has(r, 2) ? qeff_array_int(r->inputs[2], 0) : INT64_MAX;
    for (size_t i = 0; i < r->inputs[0]->count; i++) {
        int64_t v = qeff_array_int(r->inputs[0], i);
        if (v < low) v = low;
        if (v > high) v = high;
        if (r->inputs[0]->dtype == QEFF_DTYPE_I64)
            ((int64_t *)r->outputs[0]->data)[i] = v;
        else
            ((int32_t *)r->outputs[0]->data)[i] = (int32_t)v;
    }
}

qeff_status qeff_run_clip(qeff_op_run *r, qeff_error *err)
{
    const qeff_dtype dtype = r->inputs[0]->dtype;
    if (dtype == QEFF_DTYPE_BOOL) return qeff_fail(err, QEFF_ERR_INVALID, "clip of bool");
    QEFF_TRY(check_bound(r, 1, err));
    QEFF_TRY(check_bound(r, 2, err));
    QEFF_TRY(make_like(r, dtype, err));
    if (dtype == QEFF_DTYPE_F32)
        clip_floats(r);
    else
        clip_integers(r);
    return QEFF_OK;
}

/* --- cast ---------------------------------------------------------------------------------------
 */

/* Truncates; what does not fit is cut to the nearest that does, NaN to 0. */
static int64_t truncate(float x, bool is_wide)
{
    const float limit = is_wide ? 9223372036854775808.0F : 2147483648.0F; /* 2^63, 2^31 */
    if (isnan(x)) return 0;
    if (x >= limit) return is_wide ? INT64_MAX : INT32_MAX;
    if (x < -limit) return is_wide ? INT64_MIN : INT32_MIN;
    return (int64_t)x;
}

static void cast_element(const qeff_array *x, qeff_array *y, size_t i)
{
    const bool from_float = x->dtype == QEFF_DTYPE_F32;
    const float f = from_float ? ((const float *)x->data)[i] : (float)qeff_array_int(x, i);
    if (y->dtype == QEFF_DTYPE_F32)
        ((float *)y->data)[i] = f;
    else if (y->dtype == QEFF_DTYPE_BOOL)
        ((uint8_t *)y->data)[i] = from_float ? f != 0.0F : qeff_array_int(x, i) != 0;
    else if (y->dtype == QEFF_DTYPE_I64)
        ((int64_t *)y->data)[i] = from_float ? truncate(f, true) : qeff_array_int(x, i);
    else
        ((int32_t *)y->data)[i] =
            (int32_t)(from_float ? truncate(f, false) : qeff_array_int(x, i)); /* wraps */
}

qeff_status qeff_run_cast(qeff_op_run *r, qeff_error *err)
{
    const qeff_dtype to = qeff_dtype_from_onnx(qeff_node_int(r->node, "to", 0));
    if (to == r->inputs[0]->dtype) return qeff_run_identity(r, err);
    if (to != QEFF_DTYPE_F32 && to != QEFF_DTYPE_I64 && to != QEFF_DTYPE_I32 &&
        to != QEFF_DTYPE_BOOL)
        return qeff_fail(err, QEFF_ERR_INVALID, "cast to %s", qeff_dtype_name(to));
    QEFF_TRY(make_like(r, to, err));
    for (size_t i = 0; i < r->inputs[0]->count; i++)
        cast_element(r->inputs[0], r->outputs[0], i);
    return QEFF_OK;
}
