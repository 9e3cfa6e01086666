/* match_linear.c - x W^T + b, as
 *
 *   add(matmul(x, transpose(W)), b)     own export; W [M, K] in the checkpoint's layout
 *   add(b, matmul(x, V))                torch's; V [K, M] is W transposed
 *   matmul(x, …)                        without bias
 *   gemm(x, W, b) transB=1, gemm(x, V, b) */
#include "transforms/match.h"

#include "base/span.h"

static bool is_weight(const qeff_graph *g, qeff_value value, size_t rank)
{
    return qeff_graph_is_weight(g, value) && qeff_match_shape(g, value)->rank == rank;
}

static bool is_float(const qeff_graph *g, qeff_value value)
{
    const qeff_dtype dtype = g->values[value].dtype;
    return dtype == QEFF_DTYPE_F32 || dtype == QEFF_DTYPE_F16 || dtype == QEFF_DTYPE_BF16;
}

static bool set_weight(const qeff_graph *g, qeff_value value, qeff_match *out)
{
    static const int64_t perm[] = {1, 0};
    const qeff_node *transpose = qeff_match_producer(g, value, QEFF_OP_TRANSPOSE);
    out->transposes_weight = !transpose;
    out->inputs[1] = qeff_match_weight(g, transpose ? transpose->inputs[0] : value);
    return is_weight(g, out->inputs[1], 2) && is_float(g, out->inputs[1]) &&
           (!transpose || qeff_match_has_perm(transpose, perm, 2));
}

static bool match_product(const qeff_graph *g, const qeff_node *matmul, qeff_match *out)
{
    *out = (qeff_match){.op = QEFF_OP_LINEAR, .n_inputs = 2};
    out->inputs[0] = matmul->inputs[0];
    return !qeff_graph_is_weight(g, matmul->inputs[0]) && is_float(g, matmul->inputs[0]) &&
           set_weight(g, matmul->inputs[1], out);
}

static qeff_dim n_out(const qeff_graph *g, const qeff_match *match)
{
    return qeff_match_shape(g, match->inputs[1])->dims[match->transposes_weight ? 1 : 0];
}

static bool set_bias(const qeff_graph *g, qeff_value value, qeff_match *out)
{
    const qeff_value bias = qeff_match_weight(g, value);
    if (!is_weight(g, bias, 1) || !is_float(g, bias)) return false;
    if (!qeff_dim_equal(qeff_match_shape(g, bias)->dims[0], n_out(g, out))) return false;
    out->inputs[2] = bias;
    out->n_inputs = 3;
    return true;
}

bool qeff_match_linear(qeff_matching *m, const qeff_node *root, qeff_match *out)
{
    const qeff_graph *g = m->graph;
    if (root->op == QEFF_OP_MATMUL) return match_product(g, root, out);
    for (size_t i = 0; i < 2; i++) {
        const qeff_node *matmul = qeff_match_producer(g, root->inputs[i], QEFF_OP_MATMUL);
        if (matmul && match_product(g, matmul, out) && set_bias(g, root->inputs[1 - i], out))
            return true;
    }
    return false;
}

bool qeff_match_gemm(qeff_matching *m, const qeff_node *root, qeff_match *out)
{
    const qeff_graph *g = m->graph;
    *out = (qeff_match){.op = QEFF_OP_LINEAR, .n_inputs = 2};
    out->inputs[0] = root->inputs[0];
    out->inputs[1] = qeff_match_weight(g, root->inputs[1]);
    out->transposes_weight = qeff_node_int(root, "transB", 0) == 0;
    if (qeff_node_int(root, "transA", 0) != 0 || qeff_node_float(root, "alpha", 1) != 1 ||
        qeff_node_float(root, "beta", 1) != 1)
        return false;
    if (qeff_graph_is_weight(g, root->inputs[0]) || !is_weight(g, out->inputs[1], 2) ||
        !is_float(g, out->inputs[1]) || !is_float(g, root->inputs[0]))
        return false;
    return root->n_inputs < 3 || set_bias(g, root->inputs[2], out);
}
