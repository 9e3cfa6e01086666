/* match_attention.c - multi-head attention with a padding mask, and position ids.
 *
 *   reshape(transpose(matmul(softmax(scores), heads(v)), 0 2 1 3), [B, T, H])
 *   scores   matmul(heads(q), heads(k)^T) * scale + bias; the scale may also stand with q and k
 *   heads    transpose(reshape(x, [B, T, N, D]), 0 2 1 3)
 *   bias     (1 - mask) * lowest as [B, 1, 1, T], where lowest is -10000 or less, or
 *            where(1 - mask, lowest, 1 - mask)
 * Shapes are taken from inference, whatever the operands of reshape and expand look like. */
#include "transforms/match.h"

#include "base/span.h"

static const double masked_max = -1e4; /* what is added to a masked score, at least */

/* x [B, T, N * D] behind [B, N, T, D]; NONE where it is something else. */
static qeff_value
match_heads(const qeff_graph *g, qeff_value value, const int64_t perm[4], int64_t *n_heads)
{
    const qeff_node *transpose = qeff_match_producer(g, value, QEFF_OP_TRANSPOSE);
    if (!transpose || !qeff_match_has_perm(transpose, perm, 4)) return QEFF_VALUE_NONE;
    const qeff_node *reshape = qeff_match_producer(g, transpose->inputs[0], QEFF_OP_RESHAPE);
    if (!reshape) return QEFF_VALUE_NONE;
    const qeff_shape *split = qeff_match_shape(g, transpose->inputs[0]);
    const qeff_shape *x = qeff_match_shape(g, reshape->inputs[0]);
    if (split->rank != 4 || x->rank != 3 || !qeff_dim_equal(split->dims[0], x->dims[0]) ||
        !qeff_dim_equal(split->dims[1], x->dims[1]))
        return QEFF_VALUE_NONE;
    if (split->dims[2].symbol || split->dims[3].symbol || x->dims[2].symbol ||
        split->dims[2].size < 1 || split->dims[2].size * split->dims[3].size != x->dims[2].size)
        return QEFF_VALUE_NONE;
    if (*n_heads && *n_heads != split->dims[2].size) return QEFF_VALUE_NONE;
    *n_heads = split->dims[2].size;
    return reshape->inputs[0];
}

/* Takes a constant factor or divisor off a value. */
static qeff_value strip_scale(const qeff_graph *g, qeff_value value, double *scale)
{
    double factor = 0;
    const qeff_node *mul = qeff_match_producer(g, value, QEFF_OP_MUL);
    const qeff_node *div = qeff_match_producer(g, value, QEFF_OP_DIV);
    for (size_t i = 0; mul && i < 2; i++)
        if (qeff_graph_read_scalar(g, mul->inputs[i], &factor)) {
            *scale *= factor;
            return mul->inputs[1 - i];
        }
    if (div && qeff_graph_read_scalar(g, div->inputs[1], &factor) && factor != 0) {
        *scale /= factor;
        return div->inputs[0];
    }
    return value;
}

/* Keys come as [B, N, D, T]: in one transpose, or as heads whose last two dims are swapped. */
static qeff_value match_keys(const qeff_graph *g, qeff_value value, int64_t *n_heads, double *scale)
{
    static const int64_t at_once[] = {0, 2, 3, 1}, heads[] = {0, 2, 1, 3}, swap[] = {0, 1, 3, 2};
    value = strip_scale(g, value, scale);
    const qeff_node *transpose = qeff_match_producer(g, value, QEFF_OP_TRANSPOSE);
    if (!transpose) return QEFF_VALUE_NONE;
    if (!qeff_match_has_perm(transpose, swap, 4)) return match_heads(g, value, at_once, n_heads);
    return match_heads(g, strip_scale(g, transpose->inputs[0], scale), heads, n_heads);
}

/* 1 - mask, in any view. */
static qeff_value match_inverted(const qeff_graph *g, qeff_value value)
{
    const qeff_node *sub = qeff_match_producer(g, qeff_match_strip_views(g, value), QEFF_OP_SUB);
    if (!sub || !qeff_match_is_scalar(g, sub->inputs[0], 1)) return QEFF_VALUE_NONE;
    return qeff_match_mask(g, sub->inputs[1]);
}

static bool is_masked_score(const qeff_graph *g, qeff_value value)
{
    double x = 0;
    return qeff_graph_read_scalar(g, value, &x) && x <= masked_max;
}

static qeff_value match_mask_bias(const qeff_graph *g, qeff_value bias)
{
    const qeff_value inner = qeff_match_strip_views(g, bias);
    const qeff_node *mul = qeff_match_producer(g, inner, QEFF_OP_MUL);
    const qeff_node *where = qeff_match_producer(g, inner, QEFF_OP_WHERE);
    qeff_value mask = QEFF_VALUE_NONE;
    for (size_t i = 0; mul && i < 2 && mask == QEFF_VALUE_NONE; i++)
        if (is_masked_score(g, mul->inputs[i])) mask = match_inverted(g, mul->inputs[1 - i]);
    if (where && is_masked_score(g, where->inputs[1])) {
        const qeff_node *cast = qeff_match_producer(g, where->inputs[0], QEFF_OP_CAST);
        if (cast && cast->inputs[0] == where->inputs[2]) mask = match_inverted(g, where->inputs[2]);
    }
    if (mask == QEFF_VALUE_NONE) return QEFF_VALUE_NONE;
    const qeff_shape *shape = qeff_match_shape(g, bias), *of = qeff_match_shape(g, mask);
    const bool fits = shape->rank == 4 && qeff_dim_equal(shape->dims[0], of->dims[0]) &&
                      qeff_dim_equal(shape->dims[1], qeff_dim_of(1)) &&
                      qeff_dim_equal(shape->dims[3], of->dims[1]) &&
                      (qeff_dim_equal(shape->dims[2], qeff_dim_of(1)) ||
                       qeff_dim_equal(shape->dims[2], of->dims[1]));
    return fits ? mask : QEFF_VALUE_NONE;
}

static bool match_scores(const qeff_graph *g, qeff_value scores, int64_t *n_heads, double *scale,
                         qeff_match *out)
{
    static const int64_t heads[] = {0, 2, 1, 3};
    const qeff_node *add = qeff_match_producer(g, scores, QEFF_OP_ADD);
    for (size_t i = 0; add && i < 2; i++) {
        *scale = 1;
        out->inputs[3] = match_mask_bias(g, add->inputs[1 - i]);
        if (out->inputs[3] == QEFF_VALUE_NONE) continue;
        const qeff_value product = strip_scale(g, add->inputs[i], scale);
        const qeff_node *matmul = qeff_match_producer(g, product, QEFF_OP_MATMUL);
        if (!matmul) continue;
        out->inputs[0] = match_heads(g, strip_scale(g, matmul->inputs[0], scale), heads, n_heads);
        out->inputs[1] = match_keys(g, matmul->inputs[1], n_heads, scale);
        if (out->inputs[0] != QEFF_VALUE_NONE && out->inputs[1] != QEFF_VALUE_NONE) return true;
    }
    return false;
}

bool qeff_match_attention(qeff_matching *m, const qeff_node *root, qeff_match *out)
{
    static const int64_t heads[] = {0, 2, 1, 3};
    const qeff_graph *g = m->graph;
    int64_t n_heads = 0;
    double scale = 1;
    const qeff_node *merge = qeff_match_producer(g, root->inputs[0], QEFF_OP_TRANSPOSE);
    if (!merge || !qeff_match_has_perm(merge, heads, 4)) return false;
    const qeff_node *context = qeff_match_producer(g, merge->inputs[0], QEFF_OP_MATMUL);
    const qeff_node *softmax =
        context ? qeff_match_producer(g, context->inputs[0], QEFF_OP_SOFTMAX) : NULL;
    if (!softmax || !qeff_match_has_axis(g, softmax, -1, 3)) return false;
    *out = (qeff_match){.op = QEFF_OP_ATTENTION, .n_inputs = 4, .n_attributes = 2};
    out->inputs[2] = match_heads(g, context->inputs[1], heads, &n_heads);
    if (out->inputs[2] == QEFF_VALUE_NONE ||
        !match_scores(g, softmax->inputs[0], &n_heads, &scale, out))
        return false;
    const qeff_shape *shape = qeff_match_shape(g, root->outputs[0]);
    for (size_t i = 0; i < 3; i++)
        if (!qeff_shape_equal(shape, qeff_match_shape(g, out->inputs[i]))) return false;
    out->attributes[0] = QEFF_ATTR_INT("n_heads", n_heads);
    out->attributes[1] = QEFF_ATTR_FLOAT("scale", scale);
    return true;
}

/* --- position ids -------------------------------------------------------------------------------
 */

/* Whether a constant [1, n] of i64 holds 0, 1, …, n - 1. Told once for each constant. */
static bool counts_up(qeff_matching *m, qeff_value value)
{
    const qeff_value_info *info = &m->graph->values[value];
    if (info->kind != QEFF_VALUE_WEIGHT || info->dtype != QEFF_DTYPE_I64 || info->shape.rank != 2 ||
        info->shape.dims[0].size != 1 || info->shape.dims[1].size < 1)
        return false;
    if (m->tables[value] == 0) {
        m->tables[value] = 1;
        for (size_t i = 0; i < info->data.size / 8; i++)
            if (qeff_load_u64le(info->data.data + 8 * i) != i) m->tables[value] = 2;
    }
    return m->tables[value] == 1;
}

static bool is_ints(const qeff_graph *g, qeff_value value, int64_t expected)
{
    int64_t found = 0;
    size_t n = 0;
    return qeff_graph_read_ints(g, value, 1, &found, &n) && n == 1 && found == expected;
}

/* ids of which this is the length T, as shape(ids)[1]. */
static qeff_value match_length(const qeff_graph *g, qeff_value value)
{
    for (int i = 0; i < 4; i++) {
        const qeff_node *step = qeff_match_producer(g, value, QEFF_OP_UNSQUEEZE);
        if (!step) step = qeff_match_producer(g, value, QEFF_OP_RESHAPE);
        if (!step) step = qeff_match_producer(g, value, QEFF_OP_IDENTITY);
        if (!step) break;
        value = step->inputs[0];
    }
    const qeff_node *gather = qeff_match_producer(g, value, QEFF_OP_GATHER);
    if (!gather || !is_ints(g, gather->inputs[1], 1)) return QEFF_VALUE_NONE;
    const qeff_node *shape = qeff_match_producer(g, gather->inputs[0], QEFF_OP_SHAPE);
    if (!shape || qeff_node_int(shape, "start", 0) != 0) return QEFF_VALUE_NONE;
    return qeff_match_shape(g, shape->inputs[0])->rank == 2 ? shape->inputs[0] : QEFF_VALUE_NONE;
}

bool qeff_match_position_ids(qeff_matching *m, const qeff_node *root, qeff_match *out)
{
    const qeff_graph *g = m->graph;
    if (root->n_inputs < 4 || !counts_up(m, root->inputs[0])) return false;
    if (!is_ints(g, root->inputs[1], 0) || !is_ints(g, root->inputs[3], 1)) return false;
    if (root->n_inputs > 4 && !is_ints(g, root->inputs[4], 1)) return false;
    const qeff_value ids = match_length(g, root->inputs[2]);
    if (ids == QEFF_VALUE_NONE) return false;
    *out = (qeff_match){.op = QEFF_OP_POSITION_IDS, .n_inputs = 1, .n_attributes = 1};
    out->inputs[0] = ids;
    out->attributes[0] =
        QEFF_ATTR_INT("n_positions", qeff_match_shape(g, root->inputs[0])->dims[1].size);
    return true;
}
