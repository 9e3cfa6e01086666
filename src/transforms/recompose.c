/* recompose.c - primitives become composites again, so that a backend need not guess.
 *
 * Each node is tried as the last one of each pattern that ends in its op. The composite takes its
 * place and its name; nodes that then nothing uses are left out. A weight that an exporter has
 * transposed is transposed back, into memory. */
#include "transforms/transforms.h"

#include "base/error.h"
#include "base/span.h"
#include "graph/op.h"
#include "graph/rewrite.h"
#include "transforms/match.h"

static const struct {
    qeff_op root;
    qeff_matcher match;
} patterns[] = {
    {QEFF_OP_ADD, qeff_match_linear},        {QEFF_OP_ADD, qeff_match_layer_norm},
    {QEFF_OP_MATMUL, qeff_match_linear},     {QEFF_OP_GEMM, qeff_match_gemm},
    {QEFF_OP_MUL, qeff_match_gelu},          {QEFF_OP_MUL, qeff_match_silu},
    {QEFF_OP_RESHAPE, qeff_match_attention}, {QEFF_OP_SLICE, qeff_match_position_ids},
    {QEFF_OP_MUL, qeff_match_rms_norm},      {QEFF_OP_DIV, qeff_match_l2_normalize},
    {QEFF_OP_DIV, qeff_match_pool_mean},     {QEFF_OP_SQUEEZE, qeff_match_pool_token},
    {QEFF_OP_WHERE, qeff_match_pool_max},
};

typedef struct recomposition {
    const qeff_graph *in;
    qeff_match *matches;    /* [n_nodes] of op QEFF_OP_COUNT: none */
    bool *is_live;          /* [n_nodes] */
    qeff_value *transposed; /* [n_values] new value of a weight transposed back */
    qeff_matching matching;
    qeff_rewrite rw;
} recomposition;

/* --- matching -----------------------------------------------------------------------------------
 */

static void match_node(recomposition *r, size_t index)
{
    const qeff_node *node = &r->in->nodes[index];
    r->matches[index].op = QEFF_OP_COUNT;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        qeff_match match;
        if (patterns[i].root != node->op || !patterns[i].match(&r->matching, node, &match))
            continue;
        r->matches[index] = match;
        return;
    }
}

static bool is_matched(const recomposition *r, size_t index)
{
    return r->matches[index].op != QEFF_OP_COUNT;
}

static void mark(recomposition *r, qeff_value value)
{
    if (value != QEFF_VALUE_NONE && r->in->values[value].node >= 0)
        r->is_live[r->in->values[value].node] = true;
}

/* Backwards through what composites take, not through what they replace. */
static void mark_live(recomposition *r)
{
    const qeff_graph *g = r->in;
    for (size_t i = 0; i < g->n_outputs; i++)
        mark(r, g->outputs[i].value);
    for (size_t i = g->n_nodes; i > 0; i--) {
        if (!r->is_live[i - 1]) continue;
        const qeff_node *node = &g->nodes[i - 1];
        const bool replaced = is_matched(r, i - 1);
        const size_t n = replaced ? r->matches[i - 1].n_inputs : node->n_inputs;
        const qeff_value *inputs = replaced ? r->matches[i - 1].inputs : node->inputs;
        for (size_t k = 0; k < n; k++)
            mark(r, replaced ? inputs[k] : qeff_match_weight(g, inputs[k]));
    }
}

/* --- emitting -----------------------------------------------------------------------------------
 */

/* data [rows, columns] -> [columns, rows], in tiles that fit the cache. */
static void
transpose_bytes(uint8_t *to, const uint8_t *from, size_t rows, size_t columns, size_t width)
{
    enum { TILE = 16 };
    for (size_t r0 = 0; r0 < rows; r0 += TILE)
        for (size_t c0 = 0; c0 < columns; c0 += TILE)
            for (size_t r = r0; r < rows && r < r0 + TILE; r++)
                for (size_t c = c0; c < columns && c < c0 + TILE; c++)
                    memcpy(to + (c * rows + r) * width, from + (r * columns + c) * width, width);
}

static qeff_value transpose_weight(recomposition *r, qeff_value old)
{
    if (r->transposed[old] != QEFF_VALUE_NONE) return r->transposed[old];
    const qeff_value_info *info = &r->in->values[old];
    const int64_t shape[] = {info->shape.dims[1].size, info->shape.dims[0].size};
    const qeff_value value = qb_constant(r->rw.b, info->name.data, info->dtype, 2, shape, NULL);
    uint8_t *bytes = qb_constant_bytes(r->rw.b, value);
    if (bytes)
        transpose_bytes(bytes, info->data.data, (size_t)shape[1], (size_t)shape[0],
                        qeff_dtype_size(info->dtype));
    r->transposed[old] = value;
    return value;
}

static void emit_match(recomposition *r, const qeff_node *node, const qeff_match *match)
{
    qeff_value inputs[4];
    for (size_t i = 0; i < match->n_inputs; i++)
        inputs[i] = match->transposes_weight && i == 1
                        ? transpose_weight(r, match->inputs[i])
                        : qeff_rewrite_value(&r->rw, match->inputs[i]);
    qeff_rewrite_set(&r->rw, node->outputs[0],
                     qb_node(r->rw.b, match->op, node->name.data, inputs, match->n_inputs,
                             match->attributes, match->n_attributes));
}

/* A primitive takes a short weight as it is: rules take it for the f32 that the cast would give. */
static void emit_primitive(recomposition *r, const qeff_node *node)
{
    qeff_value *inputs = qeff_alloc_array(node->n_inputs, sizeof *inputs);
    if (!inputs) {
        qb_fail(r->rw.b, QEFF_ERR_NO_MEMORY, "out of memory");
        return;
    }
    for (size_t i = 0; i < node->n_inputs; i++)
        inputs[i] = qeff_match_weight(r->in, node->inputs[i]);
    qeff_rewrite_replace(&r->rw, node, node->op, inputs, node->n_inputs, node->attributes,
                         node->n_attributes);
    qeff_free(inputs);
}

static qeff_status emit(recomposition *r, qeff_graph **out, qeff_error *err)
{
    QEFF_TRY(qeff_rewrite_begin(&r->rw, r->in, err));
    for (size_t i = 0; i < r->in->n_nodes && !qb_has_failed(r->rw.b); i++) {
        if (!r->is_live[i]) continue;
        if (is_matched(r, i))
            emit_match(r, &r->in->nodes[i], &r->matches[i]);
        else
            emit_primitive(r, &r->in->nodes[i]);
    }
    return qeff_rewrite_finish(&r->rw, out, err);
}

qeff_status qeff_transform_recompose(const qeff_graph *in, qeff_graph **out, qeff_error *err)
{
    recomposition r = {.in = in};
    qeff_status status = QEFF_OK;
    *out = NULL;
    r.matches = qeff_alloc_array(in->n_nodes, sizeof *r.matches);
    r.is_live = qeff_alloc_array(in->n_nodes, sizeof *r.is_live);
    r.transposed = qeff_alloc_array(in->n_values, sizeof *r.transposed);
    r.matching = (qeff_matching){in, qeff_alloc_array(in->n_values, 1)};
    if (!r.matches || !r.is_live || !r.transposed || !r.matching.tables) {
        status = qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    } else {
        for (size_t i = 0; i < in->n_values; i++)
            r.transposed[i] = QEFF_VALUE_NONE;
        for (size_t i = 0; i < in->n_nodes; i++)
            match_node(&r, i);
        mark_live(&r);
        status = emit(&r, out, err);
    }
    qeff_free(r.matches);
    qeff_free(r.is_live);
    qeff_free(r.transposed);
    qeff_free(r.matching.tables);
    return status;
}
