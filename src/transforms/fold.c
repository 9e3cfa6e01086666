/* fold.c - constant folding: small results that are known before run time become constants, and
 * nodes that change nothing go.
 *
 * Known are results of exact ops over constants, and integer vectors whose elements the builder
 * could tell from shapes. Big weights are only read from, never rewritten: their bytes must stay
 * those of the checkpoint, so that an export can copy them from file to file. */
#include "transforms/transforms.h"

#include "base/error.h"
#include "base/span.h"
#include "graph/op.h"
#include "graph/rewrite.h"
#include "transforms/evaluate.h"

enum {
    RESULT_BYTES_MAX = 64 << 10,
    TOTAL_BYTES_MAX = 16 << 20 /* keeps a hostile graph from growing by folding */
};

typedef struct folding {
    qeff_rewrite rw;
    size_t total_bytes;
} folding;

/* Rows of a short weight stay short: as a constant they count as f32 again, as the result did. */
static qeff_dtype stored_dtype(const folding *f, const qeff_node *node, qeff_dtype inferred)
{
    const bool moves = node->op == QEFF_OP_GATHER || node->op == QEFF_OP_SLICE ||
                       node->op == QEFF_OP_RESHAPE || node->op == QEFF_OP_UNSQUEEZE;
    const qeff_value first = node->inputs[0];
    if (!moves) return inferred;
    return qeff_graph_is_weight(f->rw.in, first) ? f->rw.in->values[first].dtype : inferred;
}

/* Takes the result's type where it is small and of constant shape. */
static bool describe_result(const folding *f, const qeff_node *node, qeff_evaluation *e)
{
    const qeff_value_info *info = &f->rw.in->values[node->outputs[0]];
    uint64_t n = 0;
    if (node->n_outputs != 1 || !qeff_shape_count(&info->shape, &n)) return false;
    if (n > RESULT_BYTES_MAX / qeff_dtype_size(info->dtype)) return false;
    *e = (qeff_evaluation){.node = node, .dtype = info->dtype, .rank = info->shape.rank};
    for (size_t i = 0; i < e->rank; i++)
        e->shape[i] = info->shape.dims[i].size;
    e->n_elements = (size_t)n;
    e->dtype = stored_dtype(f, node, info->dtype);
    return f->total_bytes + RESULT_BYTES_MAX <= TOTAL_BYTES_MAX;
}

static bool is_known(const qeff_value_info *info, size_t n)
{
    for (size_t i = 0; info->known && i < n; i++)
        if (info->known[i].symbol) return false;
    return info->known != NULL;
}

static void fill_known(const qeff_value_info *info, qeff_evaluation *e)
{
    for (size_t i = 0; i < e->n_elements; i++) {
        const uint64_t bits = (uint64_t)info->known[i].size;
        if (e->dtype == QEFF_DTYPE_I64)
            qeff_store_u64le(e->out + 8 * i, bits);
        else if (e->dtype == QEFF_DTYPE_I32)
            qeff_store_u32le(e->out + 4 * i, (uint32_t)bits);
        else
            e->out[i] = bits != 0;
    }
}

/* Whether all operands are constants, in the old graph or by now. */
static bool has_constants(const folding *f, const qeff_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++) {
        const qeff_value old = node->inputs[i];
        if (old == QEFF_VALUE_NONE || qeff_graph_is_weight(f->rw.in, old)) continue;
        if (!qeff_graph_is_weight(qb_graph(f->rw.b), f->rw.map[old])) return false;
    }
    return true;
}

static bool compute(folding *f, qeff_evaluation *e)
{
    const qeff_node *node = e->node;
    qeff_value *inputs = qeff_alloc_array(node->n_inputs, sizeof *inputs);
    if (!inputs) {
        qb_fail(f->rw.b, QEFF_ERR_NO_MEMORY, "out of memory");
        return false;
    }
    for (size_t i = 0; i < node->n_inputs; i++)
        inputs[i] = qeff_rewrite_value(&f->rw, node->inputs[i]);
    e->graph = qb_graph(f->rw.b);
    e->inputs = inputs;
    const bool is_done = !qb_has_failed(f->rw.b) && qeff_evaluate(e);
    qeff_free(inputs);
    return is_done;
}

static bool fold_node(folding *f, const qeff_node *node)
{
    qeff_evaluation e;
    const qeff_value_info *info = &f->rw.in->values[node->outputs[0]];
    if (!describe_result(f, node, &e)) return false;
    const bool by_shape = is_known(info, e.n_elements);
    if (!by_shape && (!qeff_evaluate_knows(node->op) || !has_constants(f, node))) return false;
    const size_t bytes = e.n_elements * qeff_dtype_size(e.dtype);
    e.out = qeff_alloc_zeroed(bytes);
    if (!e.out) {
        qb_fail(f->rw.b, QEFF_ERR_NO_MEMORY, "out of memory");
        return false;
    }
    if (by_shape) fill_known(info, &e);
    const bool is_done = by_shape || compute(f, &e);
    if (is_done) {
        f->total_bytes += bytes;
        qeff_rewrite_set(&f->rw, node->outputs[0],
                         qb_constant(f->rw.b, node->name.data, e.dtype, e.rank, e.shape, e.out));
    }
    qeff_free(e.out);
    return is_done;
}

/* Casts to the same dtype, and reshapes and expansions to the same shape. */
static bool skip_node(folding *f, const qeff_node *node)
{
    const bool is_candidate = node->op == QEFF_OP_IDENTITY || node->op == QEFF_OP_CAST ||
                              node->op == QEFF_OP_RESHAPE || node->op == QEFF_OP_EXPAND;
    if (!is_candidate) return false;
    const qeff_value_info *x = &f->rw.in->values[node->inputs[0]];
    const qeff_value_info *y = &f->rw.in->values[node->outputs[0]];
    if (x->dtype != y->dtype || !qeff_shape_equal(&x->shape, &y->shape)) return false;
    qeff_rewrite_set(&f->rw, node->outputs[0], qeff_rewrite_value(&f->rw, node->inputs[0]));
    return true;
}

/* --- rows of tables -----------------------------------------------------------------------------
 */

/* Whether a constant of integers has the same number everywhere. */
static bool is_uniform(const qeff_value_info *info, int64_t *number)
{
    if (info->data.size == 0 || info->data.size > RESULT_BYTES_MAX) return false;
    if (info->dtype == QEFF_DTYPE_I64)
        *number = (int64_t)qeff_load_u64le(info->data.data);
    else if (info->dtype == QEFF_DTYPE_I32)
        *number = (int32_t)qeff_load_u32le(info->data.data);
    else
        return false;
    const size_t width = qeff_dtype_size(info->dtype);
    return memcmp(info->data.data, info->data.data + width, info->data.size - width) == 0;
}

/* Whether a value has the same number everywhere, behind ops that only pick and move elements. */
static bool find_uniform(const qeff_graph *g, qeff_value value, int64_t *number)
{
    enum { STEPS_MAX = 16 };
    for (int i = 0; i < STEPS_MAX; i++) {
        const qeff_value_info *info = &g->values[value];
        if (info->kind == QEFF_VALUE_WEIGHT) return is_uniform(info, number);
        if (info->kind != QEFF_VALUE_RESULT) return false;
        const qeff_node *node = &g->nodes[info->node];
        if (node->op == QEFF_OP_CONSTANT_OF_SHAPE) {
            *number = qeff_node_int(node, "value", 0);
            return info->dtype == QEFF_DTYPE_I64;
        }
        if (node->op != QEFF_OP_EXPAND && node->op != QEFF_OP_GATHER_ELEMENTS &&
            node->op != QEFF_OP_GATHER && node->op != QEFF_OP_SLICE &&
            node->op != QEFF_OP_RESHAPE && node->op != QEFF_OP_UNSQUEEZE)
            return false;
        value = node->inputs[0];
    }
    return false;
}

/* The row that a gather from a table [N, H] picks for each of its indices; or NULL. */
static const uint8_t *
find_row(const qeff_graph *g, qeff_value value, const qeff_node **gather, size_t *bytes)
{
    int64_t row = 0;
    if (value == QEFF_VALUE_NONE || g->values[value].node < 0) return NULL;
    *gather = &g->nodes[g->values[value].node];
    if ((*gather)->op != QEFF_OP_GATHER || qeff_node_int(*gather, "axis", 0) != 0) return NULL;
    const qeff_value_info *table = &g->values[(*gather)->inputs[0]];
    if (table->kind != QEFF_VALUE_WEIGHT || table->shape.rank != 2 ||
        g->values[(*gather)->inputs[1]].kind == QEFF_VALUE_WEIGHT ||
        !find_uniform(g, (*gather)->inputs[1], &row))
        return NULL;
    const int64_t n_rows = table->shape.dims[0].size;
    if (row < 0) row += n_rows;
    *bytes = (size_t)table->shape.dims[1].size * qeff_dtype_size(table->dtype);
    if (row < 0 || row >= n_rows || *bytes > RESULT_BYTES_MAX) return NULL;
    return table->data.data + (size_t)row * *bytes;
}

/* x + table[ids] where all ids are the same, as the token types that a user leaves out: the row is
 * added to all of x at once. */
static bool fold_row(folding *f, const qeff_node *node)
{
    const qeff_graph *g = f->rw.in;
    if (node->op != QEFF_OP_ADD) return false;
    for (size_t i = 0; i < 2; i++) {
        size_t bytes = 0;
        const qeff_node *gather = NULL;
        const uint8_t *data = find_row(g, node->inputs[i], &gather, &bytes);
        const qeff_value x = node->inputs[1 - i];
        if (!data || f->total_bytes + bytes > TOTAL_BYTES_MAX ||
            !qeff_shape_equal(&g->values[x].shape, &g->values[node->outputs[0]].shape))
            continue;
        const qeff_value_info *table = &g->values[gather->inputs[0]];
        const int64_t shape[] = {1, table->shape.dims[1].size};
        f->total_bytes += bytes;
        qeff_value inputs[2];
        inputs[i] = qb_constant(f->rw.b, gather->name.data, table->dtype, 2, shape, data);
        inputs[1 - i] = qeff_rewrite_value(&f->rw, x);
        qeff_rewrite_set(&f->rw, node->outputs[0],
                         qb_node(f->rw.b, QEFF_OP_ADD, node->name.data, inputs, 2, NULL, 0));
        return true;
    }
    return false;
}

/* --- the pass -----------------------------------------------------------------------------------
 */

qeff_status qeff_transform_fold(const qeff_graph *in, qeff_graph **out, qeff_error *err)
{
    folding f = {.total_bytes = 0};
    *out = NULL;
    QEFF_TRY(qeff_rewrite_begin(&f.rw, in, err));
    for (size_t i = 0; i < in->n_nodes && !qb_has_failed(f.rw.b); i++)
        if (!fold_node(&f, &in->nodes[i]) && !skip_node(&f, &in->nodes[i]) &&
            !fold_row(&f, &in->nodes[i]))
            qeff_rewrite_copy(&f.rw, &in->nodes[i]);
    return qeff_rewrite_finish(&f.rw, out, err);
}
