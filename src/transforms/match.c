/* match.c - looking at a graph backwards from a node. */
#include "transforms/match.h"

#include "base/span.h"

#include <math.h>

enum { VIEWS_MAX = 8 }; /* longer chains are not looked through */

const qeff_node *qeff_match_producer(const qeff_graph *g, qeff_value value, qeff_op op)
{
    if (value == QEFF_VALUE_NONE || g->values[value].node < 0) return NULL;
    const qeff_node *node = &g->nodes[g->values[value].node];
    return node->op == op && node->outputs[0] == value ? node : NULL;
}

const qeff_shape *qeff_match_shape(const qeff_graph *g, qeff_value value)
{
    return &g->values[value].shape;
}

bool qeff_match_is_scalar(const qeff_graph *g, qeff_value value, double expected)
{
    double found = 0;
    return qeff_graph_read_scalar(g, value, &found) &&
           fabs(found - expected) <= 1e-6 * fabs(expected);
}

qeff_value qeff_match_beside_scalar(const qeff_graph *g, const qeff_node *node, double expected)
{
    if (qeff_match_is_scalar(g, node->inputs[1], expected)) return node->inputs[0];
    if (qeff_match_is_scalar(g, node->inputs[0], expected)) return node->inputs[1];
    return QEFF_VALUE_NONE;
}

qeff_value
qeff_match_with_scalar(const qeff_graph *g, qeff_value value, qeff_op op, double expected)
{
    const qeff_node *node = qeff_match_producer(g, value, op);
    return node ? qeff_match_beside_scalar(g, node, expected) : QEFF_VALUE_NONE;
}

qeff_value qeff_match_weight(const qeff_graph *g, qeff_value value)
{
    const qeff_node *cast = qeff_match_producer(g, value, QEFF_OP_CAST);
    if (!cast || !qeff_graph_is_weight(g, cast->inputs[0])) return value;
    const qeff_dtype from = g->values[cast->inputs[0]].dtype;
    const bool is_short = from == QEFF_DTYPE_F16 || from == QEFF_DTYPE_BF16;
    return is_short && g->values[value].dtype == QEFF_DTYPE_F32 ? cast->inputs[0] : value;
}

static bool is_axis(int64_t given, size_t rank, size_t axis)
{
    return (given < 0 ? given + (int64_t)rank : given) == (int64_t)axis;
}

bool qeff_match_reduces(const qeff_graph *g, const qeff_node *node, size_t axis)
{
    int64_t axes[QEFF_MAX_RANK];
    size_t n = 0;
    const size_t rank = qeff_match_shape(g, node->inputs[0])->rank;
    const qeff_attribute *attribute = qeff_node_find_attribute(node, "axes");
    if (attribute) return attribute->n_ints == 1 && is_axis(attribute->ints[0], rank, axis);
    return node->n_inputs > 1 &&
           qeff_graph_read_ints(g, node->inputs[1], QEFF_MAX_RANK, axes, &n) && n == 1 &&
           is_axis(axes[0], rank, axis);
}

bool qeff_match_has_axis(const qeff_graph *g, const qeff_node *node, int64_t fallback, size_t axis)
{
    return is_axis(qeff_node_int(node, "axis", fallback),
                   qeff_match_shape(g, node->inputs[0])->rank, axis);
}

bool qeff_match_has_perm(const qeff_node *node, const int64_t *perm, size_t n)
{
    const qeff_attribute *found = qeff_node_find_attribute(node, "perm");
    if (!found) { /* reverses */
        for (size_t i = 0; i < n; i++)
            if (perm[i] != (int64_t)(n - 1 - i)) return false;
        return true;
    }
    return found->n_ints == n && memcmp(found->ints, perm, n * sizeof *perm) == 0;
}

static bool is_mask(const qeff_value_info *info)
{
    return info->shape.rank == 2 &&
           (info->dtype == QEFF_DTYPE_I64 || info->dtype == QEFF_DTYPE_I32 ||
            info->dtype == QEFF_DTYPE_BOOL);
}

static bool is_view(qeff_op op)
{
    return op == QEFF_OP_UNSQUEEZE || op == QEFF_OP_EXPAND || op == QEFF_OP_IDENTITY;
}

/* The first [B, T] of integers, but not one that is cast from another: what the user gives is the
 * mask. */
qeff_value qeff_match_mask(const qeff_graph *g, qeff_value value)
{
    for (int i = 0; i < VIEWS_MAX && value != QEFF_VALUE_NONE; i++) {
        const qeff_value_info *info = &g->values[value];
        const qeff_node *node = info->node < 0 ? NULL : &g->nodes[info->node];
        const bool is_cast = node && node->op == QEFF_OP_CAST;
        if (is_mask(info) && !(is_cast && is_mask(&g->values[node->inputs[0]]))) return value;
        if (!node || !(is_cast || is_view(node->op))) return QEFF_VALUE_NONE;
        value = node->inputs[0];
    }
    return QEFF_VALUE_NONE;
}

qeff_value qeff_match_strip_views(const qeff_graph *g, qeff_value value)
{
    for (int i = 0; i < VIEWS_MAX; i++) {
        const qeff_value_info *info = &g->values[value];
        if (info->node < 0 || !is_view(g->nodes[info->node].op)) break;
        value = g->nodes[info->node].inputs[0];
    }
    return value;
}
