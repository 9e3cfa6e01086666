/* match_norm.c - layer norm and rms norm out of means, and L2 normalisation.
 *
 *   layer_norm    (d / sqrt(mean(d^2) + eps)) * scale + bias with d = x - mean(x), as exporters
 *                 before opset 17 write it
 *   rms_norm      x * r * scale in any order, with r = 1 / sqrt(mean(x^2) + eps); or x / sqrt(...)
 *   l2_normalize  x / max(||x||, eps), the divisor perhaps expanded */
#include "transforms/match.h"

#include "base/span.h"

static qeff_value match_mean(const qeff_graph *g, qeff_value value)
{
    const qeff_node *mean = qeff_match_producer(g, value, QEFF_OP_REDUCE_MEAN);
    if (!mean || qeff_node_int(mean, "keepdims", 1) == 0) return QEFF_VALUE_NONE;
    const size_t rank = qeff_match_shape(g, mean->inputs[0])->rank;
    if (rank == 0 || !qeff_match_reduces(g, mean, rank - 1)) return QEFF_VALUE_NONE;
    return mean->inputs[0];
}

/* x of d = x - mean(x) */
static qeff_value match_centred(const qeff_graph *g, qeff_value value)
{
    const qeff_node *sub = qeff_match_producer(g, value, QEFF_OP_SUB);
    if (!sub || match_mean(g, sub->inputs[1]) != sub->inputs[0]) return QEFF_VALUE_NONE;
    return sub->inputs[0];
}

/* x of mean(d^2) */
static qeff_value match_variance(const qeff_graph *g, qeff_value value)
{
    const qeff_value square = match_mean(g, value);
    const qeff_node *pow = qeff_match_producer(g, square, QEFF_OP_POW);
    if (pow && qeff_match_is_scalar(g, pow->inputs[1], 2)) return match_centred(g, pow->inputs[0]);
    const qeff_node *mul = qeff_match_producer(g, square, QEFF_OP_MUL);
    if (mul && mul->inputs[0] == mul->inputs[1]) return match_centred(g, mul->inputs[0]);
    return QEFF_VALUE_NONE;
}

static bool match_normalized(const qeff_graph *g, qeff_value value, qeff_value *x, double *epsilon)
{
    const qeff_node *div = qeff_match_producer(g, value, QEFF_OP_DIV);
    const qeff_node *root = div ? qeff_match_producer(g, div->inputs[1], QEFF_OP_SQRT) : NULL;
    const qeff_node *sum = root ? qeff_match_producer(g, root->inputs[0], QEFF_OP_ADD) : NULL;
    if (!sum) return false;
    *x = match_centred(g, div->inputs[0]);
    if (*x == QEFF_VALUE_NONE) return false;
    for (size_t i = 0; i < 2; i++)
        if (qeff_graph_read_scalar(g, sum->inputs[i], epsilon) &&
            match_variance(g, sum->inputs[1 - i]) == *x)
            return true;
    return false;
}

static bool is_affine(const qeff_graph *g, qeff_value value, qeff_dim size)
{
    return qeff_graph_is_weight(g, value) && qeff_match_shape(g, value)->rank == 1 &&
           qeff_dim_equal(qeff_match_shape(g, value)->dims[0], size);
}

static bool match_scaled(const qeff_graph *g, qeff_value scaled, qeff_value bias, qeff_match *out)
{
    const qeff_node *mul = qeff_match_producer(g, scaled, QEFF_OP_MUL);
    for (size_t i = 0; mul && i < 2; i++) {
        double epsilon = 0;
        qeff_value x = QEFF_VALUE_NONE;
        if (!match_normalized(g, mul->inputs[i], &x, &epsilon)) continue;
        const qeff_shape *shape = qeff_match_shape(g, x);
        const qeff_dim size = shape->dims[shape->rank - 1];
        const qeff_value weight = qeff_match_weight(g, mul->inputs[1 - i]);
        bias = qeff_match_weight(g, bias);
        if (!is_affine(g, weight, size) || !is_affine(g, bias, size)) return false;
        *out = (qeff_match){.op = QEFF_OP_LAYER_NORM, .n_inputs = 3, .n_attributes = 2};
        out->inputs[0] = x;
        out->inputs[1] = weight;
        out->inputs[2] = bias;
        out->attributes[0] = QEFF_ATTR_INT("axis", -1);
        out->attributes[1] = QEFF_ATTR_FLOAT("epsilon", epsilon);
        return true;
    }
    return false;
}

bool qeff_match_layer_norm(qeff_matching *m, const qeff_node *root, qeff_match *out)
{
    return match_scaled(m->graph, root->inputs[0], root->inputs[1], out) ||
           match_scaled(m->graph, root->inputs[1], root->inputs[0], out);
}

/* x and epsilon of sqrt(mean(x^2) + eps) */
static bool
match_root_mean_square(const qeff_graph *g, qeff_value value, qeff_value *x, double *epsilon)
{
    const qeff_node *root = qeff_match_producer(g, value, QEFF_OP_SQRT);
    const qeff_node *sum = root ? qeff_match_producer(g, root->inputs[0], QEFF_OP_ADD) : NULL;
    for (size_t i = 0; sum && i < 2; i++) {
        if (!qeff_graph_read_scalar(g, sum->inputs[i], epsilon)) continue;
        const qeff_value square = match_mean(g, sum->inputs[1 - i]);
        const qeff_node *pow = qeff_match_producer(g, square, QEFF_OP_POW);
        const qeff_node *mul = qeff_match_producer(g, square, QEFF_OP_MUL);
        if (pow && qeff_match_is_scalar(g, pow->inputs[1], 2))
            *x = pow->inputs[0];
        else if (mul && mul->inputs[0] == mul->inputs[1])
            *x = mul->inputs[0];
        else
            continue;
        return true;
    }
    return false;
}

/* The same of 1 / sqrt(mean(x^2) + eps) */
static bool match_inverse(const qeff_graph *g, qeff_value value, qeff_value *x, double *epsilon)
{
    const qeff_node *reciprocal = qeff_match_producer(g, value, QEFF_OP_RECIPROCAL);
    if (reciprocal) return match_root_mean_square(g, reciprocal->inputs[0], x, epsilon);
    const qeff_node *div = qeff_match_producer(g, value, QEFF_OP_DIV);
    return div && qeff_match_is_scalar(g, div->inputs[0], 1) &&
           match_root_mean_square(g, div->inputs[1], x, epsilon);
}

/* x of x / sqrt(...) or x * (1 / sqrt(...)) */
static bool match_divided(const qeff_graph *g, qeff_value value, qeff_value *x, double *epsilon)
{
    const qeff_node *div = qeff_match_producer(g, value, QEFF_OP_DIV);
    if (div) return match_root_mean_square(g, div->inputs[1], x, epsilon) && *x == div->inputs[0];
    const qeff_node *mul = qeff_match_producer(g, value, QEFF_OP_MUL);
    for (size_t i = 0; mul && i < 2; i++)
        if (match_inverse(g, mul->inputs[i], x, epsilon) && *x == mul->inputs[1 - i]) return true;
    return false;
}

bool qeff_match_rms_norm(qeff_matching *m, const qeff_node *root, qeff_match *out)
{
    const qeff_graph *g = m->graph;
    for (size_t i = 0; i < 2; i++) {
        double epsilon = 0;
        qeff_value x = QEFF_VALUE_NONE;
        if (!match_divided(g, root->inputs[i], &x, &epsilon)) continue;
        const qeff_shape *shape = qeff_match_shape(g, x);
        const qeff_value weight = qeff_match_weight(g, root->inputs[1 - i]);
        if (!is_affine(g, weight, shape->dims[shape->rank - 1])) return false;
        *out = (qeff_match){.op = QEFF_OP_RMS_NORM, .n_inputs = 2, .n_attributes = 1};
        out->inputs[0] = x;
        out->inputs[1] = weight;
        out->attributes[0] = QEFF_ATTR_FLOAT("epsilon", epsilon);
        return true;
    }
    return false;
}

/* max(value, eps): what is under the floor. */
static qeff_value match_floor(const qeff_graph *g, qeff_value value, double *floor)
{
    const qeff_node *clip = qeff_match_producer(g, value, QEFF_OP_CLIP);
    if (clip && clip->n_inputs == 2 && qeff_graph_read_scalar(g, clip->inputs[1], floor))
        return clip->inputs[0];
    const qeff_node *max = qeff_match_producer(g, value, QEFF_OP_MAX);
    if (max && max->n_inputs == 2 && qeff_graph_read_scalar(g, max->inputs[1], floor))
        return max->inputs[0];
    return QEFF_VALUE_NONE;
}

bool qeff_match_l2_normalize(qeff_matching *m, const qeff_node *root, qeff_match *out)
{
    const qeff_graph *g = m->graph;
    double epsilon = 0;
    const qeff_value x = root->inputs[0];
    const qeff_shape *shape = qeff_match_shape(g, x);
    const qeff_value norm = match_floor(g, qeff_match_strip_views(g, root->inputs[1]), &epsilon);
    const qeff_node *reduce = qeff_match_producer(g, norm, QEFF_OP_REDUCE_L2);
    if (!reduce || reduce->inputs[0] != x || shape->rank == 0 ||
        !qeff_match_reduces(g, reduce, shape->rank - 1) ||
        qeff_node_int(reduce, "keepdims", 1) == 0 ||
        qeff_match_shape(g, root->inputs[1])->rank != shape->rank)
        return false;
    *out = (qeff_match){.op = QEFF_OP_L2_NORMALIZE, .n_inputs = 1, .n_attributes = 1};
    out->inputs[0] = x;
    out->attributes[0] = QEFF_ATTR_FLOAT("epsilon", epsilon);
    return true;
}
