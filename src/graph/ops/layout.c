/* layout.c - ops that move elements without computing: transpose, reshape, concat, split, expand.
 */
#include "graph/ops/rules.h"

#include "base/checked.h"

#include <inttypes.h>

qeff_status qeff_shape_transpose(qeff_op_call *call, qeff_error *err)
{
    const qeff_shape *x = qeff_rule_shape(call, 0);
    const qeff_attribute *perm = qeff_node_find_attribute(call->node, "perm");
    qeff_shape shape = {.rank = x->rank};
    unsigned seen = 0;
    if (perm && perm->n_ints != x->rank)
        return qeff_fail(err, QEFF_ERR_FORMAT, "perm: expected %zu axes, found %zu", x->rank,
                         perm->n_ints);
    for (size_t i = 0; i < x->rank; i++) {
        const int64_t from = perm ? perm->ints[i] : (int64_t)(x->rank - 1 - i);
        if (from < 0 || from >= (int64_t)x->rank || seen & 1u << from)
            return qeff_fail(err, QEFF_ERR_FORMAT, "perm: axis %" PRId64 " is no permutation",
                             from);
        seen |= 1u << from;
        shape.dims[i] = x->dims[from];
    }
    return qeff_rule_output(call, qeff_rule_dtype(call, 0), shape);
}

/* --- reshape ------------------------------------------------------------------------------------
 */

/* Takes a dim out of a list, where it is in it. */
static bool cancel(qeff_shape *dims, qeff_dim dim)
{
    for (size_t i = 0; i < dims->rank; i++) {
        if (!qeff_dim_equal(dims->dims[i], dim)) continue;
        dims->dims[i] = dims->dims[--dims->rank];
        return true;
    }
    return false;
}

static bool multiply_constants(const qeff_shape *shape, int64_t *product)
{
    *product = 1;
    for (size_t i = 0; i < shape->rank; i++)
        if (!shape->dims[i].symbol && shape->dims[i].size >= 0 &&
            !qeff_mul_i64(*product, shape->dims[i].size, product))
            return false;
    return true;
}

static qeff_shape named_dims(const qeff_shape *shape)
{
    qeff_shape named = {.rank = 0};
    for (size_t i = 0; i < shape->rank; i++)
        if (shape->dims[i].symbol || shape->dims[i].size < 0)
            named.dims[named.rank++] = shape->dims[i];
    return named;
}

/* What is left of the elements of x behind the dims of `target` but the one at `open`. Names cancel
 * each other; a name that stays alone is the answer where the numbers cancel too. */
static qeff_status infer_dim(const qeff_shape *x, const qeff_shape *target, size_t open,
                             qeff_dim *out, qeff_error *err)
{
    int64_t have = 1, used = 1;
    qeff_shape rest = named_dims(x), others = *target;
    *out = rule_unknown_dim;
    others.dims[open] = qeff_dim_of(1);
    if (!multiply_constants(x, &have) || !multiply_constants(&others, &used))
        return qeff_fail(err, QEFF_ERR_FORMAT, "number of elements overflows");
    others = named_dims(&others);
    for (size_t i = 0; i < others.rank; i++)
        if (!others.dims[i].symbol || !cancel(&rest, others.dims[i])) return QEFF_OK;
    if (rest.rank == 0) {
        if (used == 0 || have % used != 0)
            return qeff_fail(err, QEFF_ERR_FORMAT,
                             "%" PRId64 " elements do not divide by the %" PRId64
                             " of the other dimensions",
                             have, used);
        *out = qeff_dim_of(have / used);
    } else if (rest.rank == 1 && have == used && rest.dims[0].symbol) {
        *out = rest.dims[0];
    }
    return QEFF_OK;
}

/* Where all is known, the elements must be as many as before. */
static qeff_status check_elements(const qeff_shape *x, const qeff_shape *target, qeff_error *err)
{
    uint64_t have = 0, wanted = 0;
    for (size_t i = 0; i < target->rank; i++)
        if (target->dims[i].symbol || target->dims[i].size < 0) return QEFF_OK;
    if (!qeff_shape_count(x, &have) || !qeff_shape_count(target, &wanted) || have == wanted)
        return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "expected %" PRIu64 " elements, found %" PRIu64, have,
                     wanted);
}

static qeff_status read_target(qeff_op_call *call, const qeff_shape *x, qeff_shape *target,
                               size_t *open, qeff_error *err)
{
    qeff_dim known[QEFF_KNOWN_ELEMENTS_MAX];
    size_t n = target->rank;
    if (!qeff_graph_read_known(call->graph, call->node->inputs[1], known, &n)) {
        for (size_t i = 0; i < target->rank; i++)
            target->dims[i] = rule_unknown_dim;
        return QEFF_OK;
    }
    const bool allows_zero = qeff_node_int(call->node, "allowzero", 0) != 0;
    for (size_t i = 0; i < n; i++) {
        target->dims[i] = known[i];
        if (known[i].symbol) {
            if (strcmp(known[i].symbol, QEFF_ELEMENT_UNKNOWN) == 0)
                target->dims[i] = rule_unknown_dim;
        } else if (known[i].size == 0 && !allows_zero) {
            if (i >= x->rank)
                return qeff_fail(err, QEFF_ERR_FORMAT, "size 0 at %zu copies no dimension", i);
            target->dims[i] = x->dims[i];
        } else if (known[i].size == -1) {
            if (*open < n) return qeff_fail(err, QEFF_ERR_FORMAT, "size -1 twice");
            *open = i;
        } else if (known[i].size < 0) {
            return qeff_fail(err, QEFF_ERR_FORMAT, "size %" PRId64, known[i].size);
        }
    }
    return QEFF_OK;
}

static qeff_status expect_vector(const qeff_op_call *call, size_t i, size_t *n, qeff_error *err)
{
    QEFF_TRY(qeff_rule_expect_rank(call, i, 1, err));
    QEFF_TRY(qeff_rule_expect_integer(call, i, err));
    const qeff_dim size = qeff_rule_shape(call, i)->dims[0];
    if (size.symbol)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "operand %zu: rank known only at run time", i);
    if (size.size > QEFF_MAX_RANK)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "operand %zu: rank %" PRId64 " exceeds %d", i,
                         size.size, QEFF_MAX_RANK);
    *n = (size_t)size.size;
    return QEFF_OK;
}

qeff_status qeff_shape_reshape(qeff_op_call *call, qeff_error *err)
{
    const qeff_shape *x = qeff_rule_shape(call, 0);
    qeff_shape target = {.rank = 0};
    size_t open = QEFF_MAX_RANK;
    QEFF_TRY(expect_vector(call, 1, &target.rank, err));
    QEFF_TRY(read_target(call, x, &target, &open, err));
    if (open < target.rank) QEFF_TRY(infer_dim(x, &target, open, &target.dims[open], err));
    QEFF_TRY(check_elements(x, &target, err));
    return qeff_rule_output(call, qeff_rule_dtype(call, 0), target);
}

static qeff_dim product_of(const qeff_dim *dims, size_t n)
{
    qeff_shape shape = {.rank = n};
    int64_t constants = 1;
    memcpy(shape.dims, dims, n * sizeof *dims);
    const qeff_shape named = named_dims(&shape);
    if (!multiply_constants(&shape, &constants)) return rule_unknown_dim;
    if (named.rank == 0) return qeff_dim_of(constants);
    return named.rank == 1 && constants == 1 ? named.dims[0] : rule_unknown_dim;
}

/* axis == rank is allowed: [elements, 1]. */
qeff_status qeff_shape_flatten(qeff_op_call *call, qeff_error *err)
{
    const qeff_shape *x = qeff_rule_shape(call, 0);
    const int64_t given = qeff_node_int(call->node, "axis", 1);
    size_t axis = x->rank;
    if (given != (int64_t)x->rank) QEFF_TRY(qeff_rule_axis(given, x->rank, &axis, err));
    qeff_shape shape = {.rank = 2};
    shape.dims[0] = product_of(x->dims, axis);
    shape.dims[1] = product_of(x->dims + axis, x->rank - axis);
    return qeff_rule_output(call, qeff_rule_dtype(call, 0), shape);
}

/* --- squeeze, unsqueeze -------------------------------------------------------------------------
 */

static qeff_status
read_axis_bits(const qeff_op_call *call, size_t rank, unsigned *bits, qeff_error *err)
{
    int64_t axes[QEFF_KNOWN_ELEMENTS_MAX];
    size_t n = 0;
    *bits = 0;
    QEFF_TRY(qeff_rule_constants(call, 1, axes, &n, err));
    for (size_t i = 0; i < n; i++) {
        size_t axis = 0;
        QEFF_TRY(qeff_rule_axis(axes[i], rank, &axis, err));
        if (*bits & 1u << axis) return qeff_fail(err, QEFF_ERR_FORMAT, "axis %zu twice", axis);
        *bits |= 1u << axis;
    }
    return QEFF_OK;
}

qeff_status qeff_shape_squeeze(qeff_op_call *call, qeff_error *err)
{
    const qeff_shape *x = qeff_rule_shape(call, 0);
    qeff_shape shape = {.rank = 0};
    unsigned bits = 0;
    const bool has_axes = qeff_rule_has(call, 1);
    if (has_axes) QEFF_TRY(read_axis_bits(call, x->rank, &bits, err));
    for (size_t i = 0; i < x->rank; i++) {
        const qeff_dim dim = x->dims[i];
        const bool is_one = !dim.symbol && dim.size == 1;
        if (!has_axes && dim.symbol)
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                             "dimension %zu: whether it is 1 is known only at run time", i);
        if (has_axes && bits & 1u << i && !dim.symbol && !is_one)
            return qeff_fail(err, QEFF_ERR_FORMAT, "axis %zu: expected 1, found %" PRId64, i,
                             dim.size);
        if (has_axes ? !(bits & 1u << i) : !is_one) shape.dims[shape.rank++] = dim;
    }
    return qeff_rule_output(call, qeff_rule_dtype(call, 0), shape);
}

qeff_status qeff_shape_unsqueeze(qeff_op_call *call, qeff_error *err)
{
    const qeff_shape *x = qeff_rule_shape(call, 0);
    int64_t axes[QEFF_KNOWN_ELEMENTS_MAX];
    size_t n = 0, from = 0;
    unsigned bits = 0;
    QEFF_TRY(qeff_rule_constants(call, 1, axes, &n, err));
    qeff_shape shape = {.rank = x->rank + n};
    if (shape.rank > QEFF_MAX_RANK)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "rank %zu exceeds the limit of %d", shape.rank,
                         QEFF_MAX_RANK);
    QEFF_TRY(read_axis_bits(call, shape.rank, &bits, err));
    for (size_t i = 0; i < shape.rank; i++)
        shape.dims[i] = bits & 1u << i ? qeff_dim_of(1) : x->dims[from++];
    return qeff_rule_output(call, qeff_rule_dtype(call, 0), shape);
}

/* --- concat, split, expand ----------------------------------------------------------------------
 */

static qeff_dim sum_of(qeff_dim a, qeff_dim b)
{
    int64_t sum = 0;
    if (!a.symbol && a.size == 0) return b;
    if (!b.symbol && b.size == 0) return a;
    if (a.symbol || b.symbol || a.size < 0 || b.size < 0 || !qeff_add_i64(a.size, b.size, &sum))
        return rule_unknown_dim;
    return qeff_dim_of(sum);
}

qeff_status qeff_shape_concat(qeff_op_call *call, qeff_error *err)
{
    qeff_dtype dtype;
    size_t axis = 0;
    const qeff_attribute *attribute = qeff_node_find_attribute(call->node, "axis");
    if (!attribute) return qeff_fail(err, QEFF_ERR_FORMAT, "attribute 'axis' is missing");
    QEFF_TRY(qeff_rule_common_dtype(call, 0, call->node->n_inputs, &dtype, err));
    qeff_shape shape = *qeff_rule_shape(call, 0);
    QEFF_TRY(qeff_rule_axis(attribute->i, shape.rank, &axis, err));
    for (size_t i = 1; i < call->node->n_inputs; i++) {
        QEFF_TRY(qeff_rule_expect_rank(call, i, shape.rank, err));
        const qeff_shape *x = qeff_rule_shape(call, i);
        for (size_t k = 0; k < shape.rank; k++) {
            if (k == axis)
                shape.dims[k] = sum_of(shape.dims[k], x->dims[k]);
            else
                QEFF_TRY(
                    qeff_rule_match(shape.dims[k], x->dims[k], "dimension", &shape.dims[k], err));
        }
    }
    return qeff_rule_output(call, dtype, shape);
}

/* Sizes of the parts, as given or even; the last of even ones is smaller where they do not fit. */
static qeff_status split_sizes(const qeff_op_call *call, qeff_dim whole,
                               int64_t sizes[QEFF_KNOWN_ELEMENTS_MAX], size_t *n, qeff_error *err)
{
    if (qeff_rule_has(call, 1)) return qeff_rule_constants(call, 1, sizes, n, err);
    const int64_t parts = qeff_node_int(call->node, "num_outputs", 0);
    if (parts < 1 || parts > QEFF_MAX_RANK)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "%" PRId64 " parts: expected 1 to %d", parts,
                         QEFF_MAX_RANK);
    if (whole.symbol)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "even parts of a size known only at run time");
    const int64_t size = (whole.size + parts - 1) / parts;
    *n = (size_t)parts;
    for (int64_t i = 0; i < parts; i++)
        sizes[i] = i < parts - 1 ? size : whole.size - size * (parts - 1);
    return QEFF_OK;
}

qeff_status qeff_shape_split(qeff_op_call *call, qeff_error *err)
{
    int64_t sizes[QEFF_KNOWN_ELEMENTS_MAX], sum = 0;
    size_t axis = 0, n = 0;
    qeff_dim matched;
    const qeff_shape *x = qeff_rule_shape(call, 0);
    QEFF_TRY(qeff_rule_axis(qeff_node_int(call->node, "axis", 0), x->rank, &axis, err));
    QEFF_TRY(split_sizes(call, x->dims[axis], sizes, &n, err));
    if (n < 1 || n > sizeof call->dtypes / sizeof *call->dtypes)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "%zu parts: expected 1 to %zu", n,
                         sizeof call->dtypes / sizeof *call->dtypes);
    call->n_outputs = n;
    for (size_t i = 0; i < n; i++) {
        if (sizes[i] < 0 || !qeff_add_i64(sum, sizes[i], &sum))
            return qeff_fail(err, QEFF_ERR_FORMAT, "part %zu of size %" PRId64, i, sizes[i]);
        call->dtypes[i] = qeff_rule_dtype(call, 0);
        call->shapes[i] = *x;
        call->shapes[i].dims[axis] = qeff_dim_of(sizes[i]);
    }
    return qeff_rule_match(x->dims[axis], qeff_dim_of(sum), "sum of parts", &matched, err);
}

qeff_status qeff_shape_expand(qeff_op_call *call, qeff_error *err)
{
    qeff_dim known[QEFF_KNOWN_ELEMENTS_MAX];
    qeff_shape target = {.rank = 0}, shape;
    size_t n = 0;
    QEFF_TRY(expect_vector(call, 1, &target.rank, err));
    const bool is_known = qeff_graph_read_known(call->graph, call->node->inputs[1], known, &n);
    for (size_t i = 0; i < target.rank; i++) {
        target.dims[i] = is_known ? known[i] : rule_unknown_dim;
        if (target.dims[i].symbol && strcmp(target.dims[i].symbol, QEFF_ELEMENT_UNKNOWN) == 0)
            target.dims[i] = rule_unknown_dim;
        else if (is_known && !known[i].symbol && known[i].size < 0)
            return qeff_fail(err, QEFF_ERR_FORMAT, "size %" PRId64, known[i].size);
    }
    QEFF_TRY(qeff_rule_broadcast(qeff_rule_shape(call, 0), &target, &shape, err));
    return qeff_rule_output(call, qeff_rule_dtype(call, 0), shape);
}
