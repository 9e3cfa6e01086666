/* rules.c - what shape rules share: operands, dtypes, axes, broadcasting. */
#include "graph/ops/rules.h"

#include <inttypes.h>
#include <stdio.h>

bool qeff_rule_has(const qeff_op_call *call, size_t i)
{
    return i < call->node->n_inputs && call->node->inputs[i] != QEFF_VALUE_NONE;
}

static const qeff_value_info *operand(const qeff_op_call *call, size_t i)
{
    return qeff_graph_value(call->graph, call->node->inputs[i]);
}

const qeff_shape *qeff_rule_shape(const qeff_op_call *call, size_t i)
{
    return &operand(call, i)->shape;
}

qeff_dtype qeff_rule_dtype(const qeff_op_call *call, size_t i)
{
    return qeff_op_operand_dtype(call->graph, call->node->inputs[i]);
}

/* --- dtypes -------------------------------------------------------------------------------------
 */

static bool is_flexible(const qeff_op_call *call, size_t i)
{
    return operand(call, i)->dtype != qeff_rule_dtype(call, i);
}

qeff_status qeff_rule_common_dtype(const qeff_op_call *call, size_t first, size_t last,
                                   qeff_dtype *dtype, qeff_error *err)
{
    size_t fixed = last;
    for (size_t i = first; i < last && i < call->node->n_inputs; i++)
        if (fixed == last && qeff_rule_has(call, i) && !is_flexible(call, i)) fixed = i;
    *dtype = fixed < last ? operand(call, fixed)->dtype : QEFF_DTYPE_F32;
    for (size_t i = first; i < last && i < call->node->n_inputs; i++) {
        if (!qeff_rule_has(call, i)) continue;
        const qeff_dtype own = operand(call, i)->dtype;
        if (own == *dtype || qeff_rule_dtype(call, i) == *dtype) continue;
        return qeff_fail(err, QEFF_ERR_FORMAT, "operand %zu: expected %s as operand %zu, found %s",
                         i, qeff_dtype_name(*dtype), fixed < last ? fixed : first,
                         qeff_dtype_name(own));
    }
    return QEFF_OK;
}

static bool is_float(qeff_dtype dtype)
{
    return dtype == QEFF_DTYPE_F32 || dtype == QEFF_DTYPE_F64 || dtype == QEFF_DTYPE_F16 ||
           dtype == QEFF_DTYPE_BF16;
}

qeff_status qeff_rule_expect_float(qeff_dtype dtype, size_t index, qeff_error *err)
{
    if (is_float(dtype)) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "operand %zu: expected floats, found %s", index,
                     qeff_dtype_name(dtype));
}

qeff_status qeff_rule_expect_integer(const qeff_op_call *call, size_t i, qeff_error *err)
{
    const qeff_dtype dtype = operand(call, i)->dtype;
    if (dtype == QEFF_DTYPE_I64 || dtype == QEFF_DTYPE_I32) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "operand %zu: expected i64 or i32, found %s", i,
                     qeff_dtype_name(dtype));
}

qeff_status qeff_rule_expect_rank(const qeff_op_call *call, size_t i, size_t rank, qeff_error *err)
{
    const size_t found = operand(call, i)->shape.rank;
    if (found == rank) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "operand %zu: expected rank %zu, found %zu", i, rank,
                     found);
}

qeff_status qeff_rule_expect_one_element(const qeff_op_call *call, size_t i, qeff_error *err)
{
    uint64_t n = 0;
    if (qeff_shape_count(&operand(call, i)->shape, &n) && n == 1) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "operand %zu: expected one element", i);
}

/* --- axes and constants -------------------------------------------------------------------------
 */

qeff_status qeff_rule_axis(int64_t axis, size_t rank, size_t *out, qeff_error *err)
{
    const int64_t n = (int64_t)rank;
    if (axis < -n || axis >= n)
        return qeff_fail(err, QEFF_ERR_FORMAT, "axis %" PRId64 " outside rank %zu", axis, rank);
    *out = (size_t)(axis < 0 ? axis + n : axis);
    return QEFF_OK;
}

qeff_status qeff_rule_constants(const qeff_op_call *call, size_t i,
                                int64_t out[QEFF_KNOWN_ELEMENTS_MAX], size_t *n, qeff_error *err)
{
    qeff_dim known[QEFF_KNOWN_ELEMENTS_MAX];
    QEFF_TRY(qeff_rule_expect_integer(call, i, err));
    if (!qeff_graph_read_known(call->graph, call->node->inputs[i], known, n))
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "operand %zu: expected constants", i);
    for (size_t k = 0; k < *n; k++) {
        if (known[k].symbol)
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "operand %zu: expected constants", i);
        out[k] = known[k].size;
    }
    return QEFF_OK;
}

/* --- dims ---------------------------------------------------------------------------------------
 */

qeff_status
qeff_rule_match(qeff_dim a, qeff_dim b, const char *what, qeff_dim *out, qeff_error *err)
{
    if (!a.symbol && !b.symbol && a.size >= 0 && b.size >= 0 && a.size != b.size)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%s: expected %" PRId64 ", found %" PRId64, what,
                         a.size, b.size);
    *out = !a.symbol && a.size >= 0 ? a : !b.symbol && b.size >= 0 ? b : a;
    return QEFF_OK;
}

static qeff_status broadcast_dim(qeff_dim a, qeff_dim b, qeff_dim *out, qeff_error *err)
{
    const bool a_is_number = !a.symbol && a.size >= 0, b_is_number = !b.symbol && b.size >= 0;
    if (a_is_number && a.size == 1) {
        *out = b;
    } else if (b_is_number && b.size == 1) {
        *out = a;
    } else if (a_is_number && b_is_number) {
        if (a.size != b.size)
            return qeff_fail(err, QEFF_ERR_FORMAT,
                             "dimensions %" PRId64 " and %" PRId64 " do not broadcast", a.size,
                             b.size);
        *out = a;
    } else if (a_is_number || b_is_number) {
        *out = a_is_number ? a : b; /* the other one must be 1 or the same at run time */
    } else {
        *out = qeff_dim_equal(a, b) ? a : rule_unknown_dim;
    }
    return QEFF_OK;
}

qeff_status
qeff_rule_broadcast(const qeff_shape *a, const qeff_shape *b, qeff_shape *out, qeff_error *err)
{
    qeff_shape shape = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (size_t i = 0; i < shape.rank; i++) { /* from the last dimension */
        const qeff_dim x = i < a->rank ? a->dims[a->rank - 1 - i] : qeff_dim_of(1);
        const qeff_dim y = i < b->rank ? b->dims[b->rank - 1 - i] : qeff_dim_of(1);
        QEFF_TRY(broadcast_dim(x, y, &shape.dims[shape.rank - 1 - i], err));
    }
    *out = shape;
    return QEFF_OK;
}

qeff_status qeff_rule_output(qeff_op_call *call, qeff_dtype dtype, qeff_shape shape)
{
    call->n_outputs = 1;
    call->dtypes[0] = dtype;
    call->shapes[0] = shape;
    return QEFF_OK;
}
