/* interpret.c - runs a graph node by node on padded tensors.
 *
 * Results live in blocks: a result takes the smallest free block that holds it, else the largest
 * free one is replaced by a larger one, and gives it back after its last reader. Blocks stay with
 * the session, so calls of sizes that were seen before allocate nothing. Constant matrices on the
 * right of a product are packed when the session is made. */
#include "backend/cpu/interpret.h"

#include "backend/cpu/generic.h"
#include "base/checked.h"
#include "base/dtype.h"
#include "base/span.h"

enum { ALIGNMENT = 64, SCRATCH_MAX = 8 };

typedef struct block {
    void *data;
    size_t size;
    bool is_used;
} block;

struct qeff_generic_session {
    const qeff_graph *graph;
    const qeff_kernels *kernels;
    qeff_array *values;        /* by graph value */
    size_t *last_use;          /* by value: the node that reads it last; n_nodes for outputs */
    float **panels;            /* by node */
    bool *is_needed;           /* by node: something reads a result of it */
    const qeff_array **inputs; /* [widest node] */
    qeff_array **outputs;      /* [widest node] */
    block *blocks;
    size_t n_blocks, blocks_capacity;
    int32_t scratch[SCRATCH_MAX];
    size_t n_scratch;
};

/* --- blocks -------------------------------------------------------------------------------------
 */

static int32_t find_block(const qeff_generic_session *s, size_t size)
{
    int32_t best = -1;
    for (size_t i = 0; i < s->n_blocks; i++) {
        if (s->blocks[i].is_used) continue;
        const size_t have = s->blocks[i].size, least = best < 0 ? 0 : s->blocks[best].size;
        const bool fits = have >= size, best_fits = least >= size;
        if (best < 0 || (fits ? !best_fits || have < least : !best_fits && have > least))
            best = (int32_t)i;
    }
    return best;
}

/* -1 where there is no memory. */
static int32_t take_block(qeff_generic_session *s, size_t size)
{
    int32_t index = find_block(s, size);
    if (index < 0) {
        block *blocks = qeff_grow(s->blocks, s->n_blocks, &s->blocks_capacity, sizeof *blocks);
        if (!blocks) return -1;
        s->blocks = blocks;
        index = (int32_t)s->n_blocks;
        blocks[s->n_blocks++] = (block){0};
    }
    block *b = &s->blocks[index];
    if (!b->data || b->size < size) {
        void *data = qeff_alloc_aligned(size ? size : 1, ALIGNMENT);
        if (!data) return -1;
        qeff_free_aligned(b->data);
        b->data = data;
        b->size = size;
    }
    b->is_used = true;
    return index;
}

static void release_value(qeff_generic_session *s, qeff_value value)
{
    qeff_array *a = &s->values[value];
    if (a->block >= 0) s->blocks[a->block].is_used = false;
    a->block = -1;
}

static void release_all(qeff_generic_session *s)
{
    for (size_t i = 0; i < s->n_blocks; i++)
        s->blocks[i].is_used = false;
    for (size_t i = 0; i < s->graph->n_values; i++)
        s->values[i].block = -1;
    s->n_scratch = 0;
}

static qeff_status make_array(qeff_generic_session *s, qeff_array *a, qeff_dtype dtype, size_t rank,
                              const int64_t *dims, qeff_error *err)
{
    uint64_t count = 0, bytes = 0;
    if (rank > QEFF_MAX_RANK || !qeff_shape_elements(rank, dims, &count) ||
        !qeff_tensor_bytes(dtype, rank, dims, &bytes) || bytes > SIZE_MAX / 2)
        return qeff_fail(err, QEFF_ERR_INVALID, "its result is too large");
    const int32_t index = take_block(s, (size_t)bytes);
    if (index < 0)
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for a result of %llu bytes",
                         (unsigned long long)bytes);
    *a = (qeff_array){.dtype = dtype,
                      .rank = rank,
                      .count = (size_t)count,
                      .data = s->blocks[index].data,
                      .block = index};
    for (size_t i = 0; i < rank; i++)
        a->dims[i] = dims[i];
    return QEFF_OK;
}

qeff_status qeff_run_make(qeff_op_run *r, size_t index, qeff_dtype dtype, size_t rank,
                          const int64_t *dims, qeff_error *err)
{
    return make_array(r->session, r->outputs[index], dtype, rank, dims, err);
}

qeff_status qeff_run_reshape(qeff_op_run *r, size_t rank, const int64_t *dims, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    qeff_array *y = r->outputs[0];
    uint64_t count = 0;
    if (rank > QEFF_MAX_RANK || !qeff_shape_elements(rank, dims, &count) || count != x->count)
        return qeff_fail(err, QEFF_ERR_INVALID, "%zu elements do not fit the new shape", x->count);
    if (!r->takes_first || x->block < 0) {
        QEFF_TRY(qeff_run_make(r, 0, x->dtype, rank, dims, err));
        memcpy(y->data, x->data, x->count * qeff_dtype_size(x->dtype));
        return QEFF_OK;
    }
    *y = *x;
    y->rank = rank;
    for (size_t i = 0; i < rank; i++)
        y->dims[i] = dims[i];
    r->session->values[r->node->inputs[0]].block = -1; /* the result owns the block now */
    return QEFF_OK;
}

void *qeff_run_scratch(qeff_op_run *r, size_t count, size_t size, qeff_error *err)
{
    qeff_generic_session *s = r->session;
    size_t bytes = 0;
    int32_t index = -1;
    if (s->n_scratch < SCRATCH_MAX && qeff_mul_size(count, size, &bytes) && bytes < SIZE_MAX / 2)
        index = take_block(s, bytes);
    if (index < 0) {
        (void)qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for %zu elements of scratch", count);
        return NULL;
    }
    s->scratch[s->n_scratch++] = index;
    return s->blocks[index].data;
}

/* --- sessions -----------------------------------------------------------------------------------
 */

static void note_uses(qeff_generic_session *s)
{
    const qeff_graph *graph = s->graph;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const qeff_node *node = &graph->nodes[i];
        for (size_t k = 0; k < node->n_outputs; k++)
            s->last_use[node->outputs[k]] = i; /* a result that nothing reads */
        for (size_t k = 0; k < node->n_inputs; k++)
            if (node->inputs[k] != QEFF_VALUE_NONE) s->last_use[node->inputs[k]] = i;
    }
    for (size_t i = 0; i < graph->n_outputs; i++)
        s->last_use[graph->outputs[i].value] = graph->n_nodes;
}

static void bind_constants(qeff_generic_session *s)
{
    for (size_t i = 0; i < s->graph->n_values; i++) {
        const qeff_value_info *info = &s->graph->values[i];
        qeff_array *a = &s->values[i];
        uint64_t count = 0;
        a->block = -1;
        if (info->kind != QEFF_VALUE_WEIGHT || !qeff_shape_count(&info->shape, &count)) continue;
        a->dtype = info->dtype;
        a->rank = info->shape.rank;
        for (size_t d = 0; d < a->rank; d++)
            a->dims[d] = info->shape.dims[d].size;
        a->count = (size_t)count;
        a->data = (void *)(uintptr_t)info->data.data; /* never written to */
    }
}

/* The constant f32 matrix behind the right operand of a product: a weight, or the transposition of
 * one, which is then left out. */
static const qeff_array *
find_matrix(const qeff_generic_session *s, qeff_value value, bool *is_transposed)
{
    const qeff_value_info *info = qeff_graph_value(s->graph, value);
    *is_transposed = false;
    if (info->kind == QEFF_VALUE_RESULT) {
        const qeff_node *node = &s->graph->nodes[info->node];
        if (node->op != QEFF_OP_TRANSPOSE || info->shape.rank != 2) return NULL;
        const qeff_attribute *perm = qeff_node_find_attribute(node, "perm");
        if (perm && (perm->n_ints != 2 || perm->ints[0] != 1)) return NULL;
        value = node->inputs[0];
        info = qeff_graph_value(s->graph, value);
        *is_transposed = true;
    }
    const qeff_array *w = &s->values[value];
    const bool is_matrix = info->kind == QEFF_VALUE_WEIGHT && w->rank == 2 &&
                           w->dtype == QEFF_DTYPE_F32 && w->count > 0;
    return is_matrix ? w : NULL;
}

/* Panels of a constant f32 matrix on the right of a product. */
static qeff_status pack_node(qeff_generic_session *s, size_t index, qeff_error *err)
{
    const qeff_node *node = &s->graph->nodes[index];
    bool is_transposed = false;
    if (node->op != QEFF_OP_MATMUL && node->op != QEFF_OP_LINEAR && node->op != QEFF_OP_GEMM)
        return QEFF_OK;
    const qeff_array *w = find_matrix(s, node->inputs[1], &is_transposed);
    if (!w) return QEFF_OK;
    const bool is_turned =
        is_transposed != (node->op == QEFF_OP_LINEAR ||
                          (node->op == QEFF_OP_GEMM && qeff_node_int(node, "transB", 0)));
    const size_t rows = (size_t)w->dims[0], columns = (size_t)w->dims[1];
    const size_t n = is_turned ? rows : columns, k = is_turned ? columns : rows;
    size_t floats = 0;
    if (!qeff_mul_size(qeff_gemm_panels(n) * QEFF_PANEL, k, &floats) ||
        !qeff_mul_size(floats, sizeof(float), &floats))
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    s->panels[index] = qeff_alloc_aligned(floats, ALIGNMENT);
    if (!s->panels[index])
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for %zu bytes of weights", floats);
    qeff_pack_panels(w->data, is_turned ? columns : 1, is_turned ? 1 : columns, n, k,
                     s->panels[index]);
    if (!is_transposed) return QEFF_OK;
    qeff_array *turned = &s->values[node->inputs[1]]; /* its shape is read, its elements are not */
    *turned = *w;
    turned->dims[0] = w->dims[1];
    turned->dims[1] = w->dims[0];
    return QEFF_OK;
}

/* Backwards from the outputs; the right operand of a packed product is not read. */
static void mark_needed(qeff_generic_session *s, bool *is_read)
{
    const qeff_graph *graph = s->graph;
    for (size_t i = 0; i < graph->n_outputs; i++)
        is_read[graph->outputs[i].value] = true;
    for (size_t i = graph->n_nodes; i > 0; i--) {
        const qeff_node *node = &graph->nodes[i - 1];
        for (size_t k = 0; k < node->n_outputs; k++)
            s->is_needed[i - 1] |= is_read[node->outputs[k]];
        for (size_t k = 0; s->is_needed[i - 1] && k < node->n_inputs; k++)
            if (node->inputs[k] != QEFF_VALUE_NONE && !(k == 1 && s->panels[i - 1]))
                is_read[node->inputs[k]] = true;
    }
}

static bool allocate_session(qeff_generic_session *s)
{
    size_t n_inputs = 1, n_outputs = 1;
    for (size_t i = 0; i < s->graph->n_nodes; i++) {
        if (s->graph->nodes[i].n_inputs > n_inputs) n_inputs = s->graph->nodes[i].n_inputs;
        if (s->graph->nodes[i].n_outputs > n_outputs) n_outputs = s->graph->nodes[i].n_outputs;
    }
    s->values = qeff_alloc_array(s->graph->n_values + 1, sizeof *s->values);
    s->last_use = qeff_alloc_array(s->graph->n_values + 1, sizeof *s->last_use);
    s->panels = qeff_alloc_array(s->graph->n_nodes + 1, sizeof *s->panels);
    s->is_needed = qeff_alloc_array(s->graph->n_nodes + 1, sizeof *s->is_needed);
    s->inputs = qeff_alloc_array(n_inputs, sizeof *s->inputs);
    s->outputs = qeff_alloc_array(n_outputs, sizeof *s->outputs);
    return s->values && s->last_use && s->panels && s->is_needed && s->inputs && s->outputs;
}

qeff_status qeff_generic_bind(const qeff_graph *graph, const qeff_kernels *kernels,
                              qeff_generic_session **out, qeff_error *err)
{
    qeff_status status = QEFF_OK;
    *out = NULL;
    qeff_generic_session *s = qeff_alloc_zeroed(sizeof *s);
    if (!s) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    s->graph = graph;
    s->kernels = kernels;
    bool *is_read = qeff_alloc_array(graph->n_values + 1, sizeof *is_read);
    if (allocate_session(s) && is_read) {
        note_uses(s);
        bind_constants(s);
        for (size_t i = 0; i < graph->n_nodes && !status; i++)
            status = pack_node(s, i, err);
        if (!status) mark_needed(s, is_read);
    } else {
        status = qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    }
    qeff_free(is_read);
    if (status)
        qeff_generic_unbind(s);
    else
        *out = s;
    return status;
}

void qeff_generic_unbind(qeff_generic_session *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->n_blocks; i++)
        qeff_free_aligned(s->blocks[i].data);
    for (size_t i = 0; s->panels && i < s->graph->n_nodes; i++)
        qeff_free_aligned(s->panels[i]);
    qeff_free(s->values);
    qeff_free(s->last_use);
    qeff_free(s->panels);
    qeff_free(s->is_needed);
    qeff_free(s->inputs);
    qeff_free(s->outputs);
    qeff_free(s->blocks);
    qeff_free(s);
}

/* --- a call -------------------------------------------------------------------------------------
 */

/* Copied, since a caller's memory may have any alignment. */
static qeff_status
bind_input(qeff_generic_session *s, qeff_value value, const qeff_run_call *call, qeff_error *err)
{
    const qeff_value_info *info = qeff_graph_value(s->graph, value);
    for (size_t i = 0; i < call->n_inputs; i++) {
        const qeff_run_tensor *t = &call->inputs[i];
        if (!qeff_str_equal(t->name, info->name)) continue;
        if (t->dtype != info->dtype || t->rank != info->shape.rank)
            return qeff_fail(err, QEFF_ERR_INVALID,
                             "input '%.*s': expected %s of rank %zu, found %s of rank %zu",
                             QEFF_STR_ARGS(info->name), qeff_dtype_name(info->dtype),
                             info->shape.rank, qeff_dtype_name(t->dtype), t->rank);
        for (size_t d = 0; d < t->rank; d++)
            if (t->shape[d] < 0 ||
                (!info->shape.dims[d].symbol && info->shape.dims[d].size != t->shape[d]))
                return qeff_fail(err, QEFF_ERR_INVALID, "input '%.*s': dimension %zu is %lld",
                                 QEFF_STR_ARGS(info->name), d, (long long)t->shape[d]);
        QEFF_TRY(make_array(s, &s->values[value], t->dtype, t->rank, t->shape, err));
        if (s->values[value].count)
            memcpy(s->values[value].data, t->data,
                   s->values[value].count * qeff_dtype_size(t->dtype));
        return QEFF_OK;
    }
    return qeff_fail(err, QEFF_ERR_INVALID, "input '%.*s' is missing", QEFF_STR_ARGS(info->name));
}

static qeff_status run_node(qeff_generic_session *s, size_t index, qeff_error *err)
{
    const qeff_node *node = &s->graph->nodes[index];
    qeff_op_run r = {.session = s,
                     .kernels = s->kernels,
                     .node = node,
                     .inputs = s->inputs,
                     .outputs = s->outputs,
                     .panels = s->panels[index]};
    size_t n_first = 0; /* readers of the first operand in this node */
    for (size_t i = 0; i < node->n_inputs; i++) {
        const qeff_value value = node->inputs[i];
        s->inputs[i] = value == QEFF_VALUE_NONE ? NULL : &s->values[value];
        if (value != QEFF_VALUE_NONE && value == node->inputs[0]) n_first++;
    }
    for (size_t i = 0; i < node->n_outputs; i++)
        s->outputs[i] = &s->values[node->outputs[i]];
    r.takes_first = n_first == 1 && s->last_use[node->inputs[0]] == index;
    QEFF_TRY(qeff_op_function_get(node->op)(&r, err));
    while (s->n_scratch > 0)
        s->blocks[s->scratch[--s->n_scratch]].is_used = false;
    for (size_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != QEFF_VALUE_NONE && s->last_use[node->inputs[i]] == index)
            release_value(s, node->inputs[i]);
    for (size_t i = 0; i < node->n_outputs; i++)
        if (s->last_use[node->outputs[i]] == index) release_value(s, node->outputs[i]);
    return QEFF_OK;
}

static qeff_status
copy_output(const qeff_generic_session *s, const qeff_run_tensor *t, qeff_error *err)
{
    for (size_t i = 0; i < s->graph->n_outputs; i++) {
        if (!qeff_str_equal(s->graph->outputs[i].name, t->name)) continue;
        const qeff_array *a = &s->values[s->graph->outputs[i].value];
        bool is_same = t->dtype == a->dtype && t->rank == a->rank;
        for (size_t d = 0; is_same && d < a->rank; d++)
            is_same = t->shape[d] == a->dims[d];
        if (!is_same)
            return qeff_fail(err, QEFF_ERR_INVALID, "output '%.*s': not the shape of this call",
                             QEFF_STR_ARGS(t->name));
        if (a->count) memcpy(t->data, a->data, a->count * qeff_dtype_size(a->dtype));
        return QEFF_OK;
    }
    return qeff_fail(err, QEFF_ERR_INVALID, "output '%.*s': the program has no such output",
                     QEFF_STR_ARGS(t->name));
}

static qeff_status run_graph(qeff_generic_session *s, const qeff_run_call *call, qeff_error *err)
{
    if (call->n_sequences > 0)
        return qeff_fail(err, QEFF_ERR_INVALID, "the program takes padded calls only");
    for (size_t i = 0; i < s->graph->n_inputs; i++)
        QEFF_TRY(bind_input(s, s->graph->inputs[i], call, err));
    for (size_t i = 0; i < s->graph->n_nodes; i++)
        if (s->is_needed[i])
            QEFF_TRY(qeff_within(err, run_node(s, i, err), "node '%.*s'",
                                 QEFF_STR_ARGS(s->graph->nodes[i].name)));
    for (size_t i = 0; i < call->n_outputs; i++)
        QEFF_TRY(copy_output(s, &call->outputs[i], err));
    return QEFF_OK;
}

qeff_status qeff_generic_run(qeff_generic_session *s, const qeff_run_call *call, qeff_error *err)
{
    release_all(s);
    const qeff_status status = run_graph(s, call, err);
    release_all(s);
    return status;
}
