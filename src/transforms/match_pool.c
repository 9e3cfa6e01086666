/* match_pool.c - one vector a sequence: the patterns of graph/ops/pool.c, and the mean as
 * sentence-transformers computes it, with the mask expanded to the width of x. */
#include "transforms/match.h"

#include "base/span.h"

static bool
finish(const qeff_graph *g, qeff_value x, qeff_value mask, const char *mode, qeff_match *out)
{
    if (x == QEFF_VALUE_NONE || mask == QEFF_VALUE_NONE) return false;
    const qeff_shape *shape = qeff_match_shape(g, x), *of = qeff_match_shape(g, mask);
    if (shape->rank != 3 || !qeff_dim_equal(shape->dims[0], of->dims[0]) ||
        !qeff_dim_equal(shape->dims[1], of->dims[1]))
        return false;
    *out = (qeff_match){.op = QEFF_OP_POOL, .n_inputs = 2, .n_attributes = 1};
    out->inputs[0] = x;
    out->inputs[1] = mask;
    out->attributes[0] = QEFF_ATTR_STR("mode", qeff_str_of(mode));
    return true;
}

/* --- one token ----------------------------------------------------------------------------------
 */

bool qeff_match_pool_token(qeff_matching *m, const qeff_node *root, qeff_match *out)
{
    const qeff_graph *g = m->graph;
    const qeff_node *pick = qeff_match_producer(g, root->inputs[0], QEFF_OP_GATHER_ELEMENTS);
    if (!pick || !qeff_match_has_axis(g, pick, 0, 1) ||
        qeff_match_shape(g, root->outputs[0])->rank != 2 ||
        !qeff_dim_equal(qeff_match_shape(g, pick->inputs[1])->dims[1], qeff_dim_of(1)))
        return false;
    const qeff_node *search =
        qeff_match_producer(g, qeff_match_strip_views(g, pick->inputs[1]), QEFF_OP_ARG_MAX);
    if (!search || !qeff_match_has_axis(g, search, 0, 1) ||
        qeff_node_int(search, "keepdims", 1) == 0)
        return false;
    const bool takes_last = qeff_node_int(search, "select_last_index", 0) != 0;
    return finish(g, pick->inputs[0], qeff_match_mask(g, search->inputs[0]),
                  takes_last ? "lasttoken" : "cls", out);
}

/* --- maximum ------------------------------------------------------------------------------------
 */

static bool is_lowest(const qeff_graph *g, qeff_value value)
{
    double x = 0;
    return qeff_graph_read_scalar(g, value, &x) && x <= -65504;
}

/* where(any(mask), max(where(mask, x, lowest)), 0) */
bool qeff_match_pool_max(qeff_matching *m, const qeff_node *root, qeff_match *out)
{
    const qeff_graph *g = m->graph;
    if (!qeff_match_is_scalar(g, root->inputs[2], 0)) return false;
    const qeff_node *reduce = qeff_match_producer(g, root->inputs[1], QEFF_OP_REDUCE_MAX);
    const qeff_node *where =
        reduce ? qeff_match_producer(g, reduce->inputs[0], QEFF_OP_WHERE) : NULL;
    const qeff_node *to_bool = qeff_match_producer(g, root->inputs[0], QEFF_OP_CAST);
    const qeff_node *any =
        to_bool ? qeff_match_producer(g, to_bool->inputs[0], QEFF_OP_REDUCE_MAX) : NULL;
    if (!where || !any || !qeff_match_reduces(g, reduce, 1) || !qeff_match_reduces(g, any, 1) ||
        qeff_node_int(reduce, "keepdims", 1) != 0 || qeff_node_int(any, "keepdims", 1) == 0 ||
        !is_lowest(g, where->inputs[2]))
        return false;
    const qeff_value mask = qeff_match_mask(g, any->inputs[0]);
    if (mask != qeff_match_mask(g, where->inputs[0])) return false;
    return finish(g, where->inputs[1], mask, "max", out);
}

/* --- means --------------------------------------------------------------------------------------
 */

static qeff_value match_sum(const qeff_graph *g, qeff_value value)
{
    const qeff_node *sum = qeff_match_producer(g, value, QEFF_OP_REDUCE_SUM);
    if (!sum || !qeff_match_reduces(g, sum, 1)) return QEFF_VALUE_NONE;
    return sum->inputs[0];
}

static qeff_value match_floor(const qeff_graph *g, qeff_value value)
{
    const qeff_node *clip = qeff_match_producer(g, value, QEFF_OP_CLIP);
    if (!clip) clip = qeff_match_producer(g, value, QEFF_OP_MAX);
    if (!clip || clip->n_inputs != 2 || !qeff_match_is_scalar(g, clip->inputs[1], 1e-9))
        return QEFF_VALUE_NONE;
    return clip->inputs[0];
}

static bool is_position_weight(const qeff_graph *g, qeff_value value)
{
    const qeff_node *cast = qeff_match_producer(g, value, QEFF_OP_CAST);
    const qeff_value range =
        cast ? qeff_match_with_scalar(g, cast->inputs[0], QEFF_OP_ADD, 1) : QEFF_VALUE_NONE;
    const qeff_node *node = qeff_match_producer(g, range, QEFF_OP_RANGE);
    return node && qeff_match_is_scalar(g, node->inputs[0], 0) &&
           qeff_match_is_scalar(g, node->inputs[2], 1);
}

/* The mask of a weight [B, T] or a view of one, and whether positions weigh in. */
static qeff_value match_token_weight(const qeff_graph *g, qeff_value value, bool *is_weighted)
{
    const qeff_value mask = qeff_match_mask(g, value);
    *is_weighted = false;
    if (mask != QEFF_VALUE_NONE) return mask;
    const qeff_node *mul = qeff_match_producer(g, qeff_match_strip_views(g, value), QEFF_OP_MUL);
    for (size_t i = 0; mul && i < 2; i++)
        if (is_position_weight(g, mul->inputs[1 - i])) {
            *is_weighted = true;
            return qeff_match_mask(g, mul->inputs[i]);
        }
    return QEFF_VALUE_NONE;
}

/* sum(x w) / [sqrt] max(sum(w), 1e-9) */
bool qeff_match_pool_mean(qeff_matching *m, const qeff_node *root, qeff_match *out)
{
    const qeff_graph *g = m->graph;
    const qeff_node *product = qeff_match_producer(g, match_sum(g, root->inputs[0]), QEFF_OP_MUL);
    const qeff_node *root_of = qeff_match_producer(g, root->inputs[1], QEFF_OP_SQRT);
    const qeff_value count = match_floor(g, root_of ? root_of->inputs[0] : root->inputs[1]);
    const qeff_value weight = match_sum(g, count);
    if (!product || weight == QEFF_VALUE_NONE || qeff_match_shape(g, count)->rank != 2 ||
        qeff_match_shape(g, root->inputs[0])->rank != 2)
        return false;
    bool weighs = false, weighs_too = false;
    const qeff_value mask = match_token_weight(g, weight, &weighs);
    for (size_t i = 0; i < 2 && mask != QEFF_VALUE_NONE; i++) {
        if (match_token_weight(g, product->inputs[1 - i], &weighs_too) != mask) continue;
        if (weighs != weighs_too || (weighs && root_of)) continue;
        const char *mode = weighs ? "weightedmean" : root_of ? "mean_sqrt_len_tokens" : "mean";
        return finish(g, product->inputs[i], mask, mode, out);
    }
    return false;
}
