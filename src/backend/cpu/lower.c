/* lower.c - a graph of composites as a ragged plan.
 *
 * Each graph value becomes one of: a token input, the mask, the positions, a constant, a sum of
 * embedding rows that is not yet written, or a view of rows. A node whose operands are of other
 * kinds, or whose shapes are not [batch, sequence, X] and [batch, X], makes the graph not ragged:
 * it then runs op by op (interpret.c). */
#include "backend/cpu/plan.h"

#include "base/error.h"
#include "base/span.h"

typedef enum lowered_kind {
    LOWERED_NONE,
    LOWERED_IDS,       /* a token input: `input` */
    LOWERED_MASK,      /* the input that says which tokens count */
    LOWERED_POSITIONS, /* 0, 1, 2, …: `n_positions` */
    LOWERED_WEIGHT,    /* elements [first, first + count) of a weight: `source` */
    LOWERED_TERMS,     /* a sum of embedding rows */
    LOWERED_ROWS       /* `view` */
} lowered_kind;

typedef struct lowered {
    lowered_kind kind;
    size_t input;
    int64_t n_positions;
    qeff_constant_source source;
    size_t n_terms;
    qeff_term terms[QEFF_PLAN_TERMS_MAX];
    qeff_view view;
} lowered;

typedef struct lowering {
    const qeff_graph *graph;
    qeff_plan *plan;
    lowered *values; /* by graph value */
    const char *batch, *sequence;
    bool has_no_memory;
} lowering;

/* --- shapes -------------------------------------------------------------------------------------
 */

static bool is_symbol(qeff_dim dim, const char *symbol)
{
    return dim.symbol && symbol && strcmp(dim.symbol, symbol) == 0;
}

/* [batch, sequence, X] or [batch, X]; `any_batch` also takes [1, sequence, X]. */
static bool find_rows(const lowering *l, qeff_value value, qeff_rows *rows, size_t *width)
{
    const qeff_value_info *info = qeff_graph_value(l->graph, value);
    const qeff_shape *s = &info->shape;
    if (info->dtype != QEFF_DTYPE_F32 || s->rank < 2 || s->rank > 3) return false;
    const qeff_dim last = s->dims[s->rank - 1];
    if (last.symbol || last.size < 1 || last.size > QEFF_PLAN_WIDTH_MAX) return false;
    *width = (size_t)last.size;
    *rows = s->rank == 3 ? QEFF_ROWS_TOKEN : QEFF_ROWS_SEQUENCE;
    if (s->rank == 2) return is_symbol(s->dims[0], l->batch);
    return is_symbol(s->dims[1], l->sequence) &&
           (is_symbol(s->dims[0], l->batch) || (!s->dims[0].symbol && s->dims[0].size == 1));
}

static bool is_float_weight(const lowering *l, qeff_value value)
{
    if (!qeff_graph_is_weight(l->graph, value)) return false;
    const qeff_dtype dtype = qeff_graph_value(l->graph, value)->dtype;
    return dtype == QEFF_DTYPE_F32 || dtype == QEFF_DTYPE_F16 || dtype == QEFF_DTYPE_BF16;
}

/* A float weight of constant dims [rows, columns]. */
static bool is_matrix(const lowering *l, qeff_value value, size_t *rows, size_t *columns)
{
    if (!is_float_weight(l, value)) return false;
    const qeff_shape *s = &qeff_graph_value(l->graph, value)->shape;
    if (s->rank != 2 || s->dims[0].size < 1 || s->dims[1].size < 1 ||
        s->dims[1].size > QEFF_PLAN_WIDTH_MAX || s->dims[0].size > INT32_MAX)
        return false;
    *rows = (size_t)s->dims[0].size;
    *columns = (size_t)s->dims[1].size;
    return true;
}

/* --- constants ----------------------------------------------------------------------------------
 */

static int32_t add_constant(lowering *l, qeff_constant_kind kind, qeff_dtype dtype, size_t rows,
                            size_t columns, qeff_constant_source source)
{
    const qeff_constant constant = {.kind = kind,
                                    .dtype = dtype,
                                    .rows = rows,
                                    .columns = columns,
                                    .name = qeff_graph_value(l->graph, source.weight)->name,
                                    .n_sources = 1,
                                    .sources = {source}};
    const int32_t index = qeff_plan_add_constant(l->plan, &constant);
    if (index < 0) l->has_no_memory = true;
    return index;
}

/* A vector of `width` elements; a source of one element is repeated. */
static bool add_vector(lowering *l, qeff_constant_source source, size_t width, int32_t *out)
{
    if (source.count != width && source.count != 1) return false;
    *out = add_constant(l, QEFF_CONSTANT_VECTOR, QEFF_DTYPE_F32, 1, width, source);
    return *out >= 0;
}

/* A whole weight as a vector of exactly `width` elements. */
static bool add_weight_vector(lowering *l, qeff_value value, size_t width, int32_t *out)
{
    uint64_t count = 0;
    if (!is_float_weight(l, value) ||
        !qeff_shape_count(&qeff_graph_value(l->graph, value)->shape, &count) || count != width)
        return false;
    return add_vector(l, (qeff_constant_source){value, 0, width}, width, out);
}

/* --- results ------------------------------------------------------------------------------------
 */

static bool new_rows(lowering *l, qeff_rows rows, size_t width, qeff_view *out)
{
    const int32_t value = qeff_plan_add_value(l->plan, rows, width);
    if (value < 0) l->has_no_memory = true;
    *out = (qeff_view){value, 0, width};
    return value >= 0;
}

static bool add_step(lowering *l, const qeff_step *step)
{
    if (qeff_plan_add_step(l->plan, step) >= 0) return true;
    l->has_no_memory = true;
    return false;
}

static void set_rows(lowering *l, const qeff_node *node, qeff_view view)
{
    lowered *to = &l->values[node->outputs[0]];
    to->kind = LOWERED_ROWS;
    to->view = view;
}

/* Gives the step a value as wide as the node's result says, appends it, and binds the node to it.
 */
static bool finish_step(lowering *l, const qeff_node *node, qeff_step *step)
{
    qeff_rows rows;
    size_t width;
    if (!find_rows(l, node->outputs[0], &rows, &width)) return false;
    if (!new_rows(l, rows, width, &step->out) || !add_step(l, step)) return false;
    set_rows(l, node, step->out);
    return true;
}

/* The rows of an operand; an embedding sum is written out on first use. */
static bool get_rows(lowering *l, qeff_value value, qeff_view *out)
{
    if (value == QEFF_VALUE_NONE) return false;
    lowered *from = &l->values[value];
    if (from->kind == LOWERED_TERMS) {
        qeff_step step = qeff_step_of(QEFF_STEP_EMBED);
        qeff_rows rows;
        size_t width;
        if (!find_rows(l, value, &rows, &width) || rows != QEFF_ROWS_TOKEN) return false;
        if (!new_rows(l, rows, width, &step.out)) return false;
        step.n_terms = from->n_terms;
        memcpy(step.terms, from->terms, sizeof step.terms);
        if (!add_step(l, &step)) return false;
        from->kind = LOWERED_ROWS;
        from->view = step.out;
    }
    *out = from->view;
    return from->kind == LOWERED_ROWS;
}

static qeff_rows rows_of(const lowering *l, qeff_view view)
{
    return l->plan->values[view.value].rows;
}

/* --- embeddings ---------------------------------------------------------------------------------
 */

static bool append_terms(const lowered *from, lowered *to)
{
    if (to->n_terms + from->n_terms > QEFF_PLAN_TERMS_MAX) return false;
    memcpy(to->terms + to->n_terms, from->terms, from->n_terms * sizeof *from->terms);
    to->n_terms += from->n_terms;
    return true;
}

/* x + y where one is a sum of embedding rows and the other one such row or a vector: the sum grows
 * in the order of the additions, which keeps the bits of the graph. */
static bool add_to_terms(lowering *l, const qeff_node *node)
{
    const lowered *x = &l->values[node->inputs[0]], *y = &l->values[node->inputs[1]];
    qeff_rows rows;
    size_t width, operand_width;
    for (size_t i = 0; i < 2; i++)
        if (l->values[node->inputs[i]].kind == LOWERED_TERMS &&
            (!find_rows(l, node->inputs[i], &rows, &operand_width) ||
             !find_rows(l, node->outputs[0], &rows, &width) || operand_width != width))
            return false;
    if (x->kind != LOWERED_TERMS) { /* addition commutes */
        const lowered *swapped = x;
        x = y;
        y = swapped;
    }
    if (x->kind != LOWERED_TERMS || !find_rows(l, node->outputs[0], &rows, &width)) return false;
    lowered sum = *x;
    if (y->kind == LOWERED_TERMS) {
        if (y->n_terms > 1 && sum.n_terms == 1) {
            const lowered *swapped = x;
            x = y;
            y = swapped;
            sum = *x;
        }
        if (y->n_terms > 1 || !append_terms(y, &sum)) return false;
    } else {
        lowered term = {.n_terms = 1, .terms = {{.by = QEFF_TERM_VECTOR}}};
        if (y->kind != LOWERED_WEIGHT ||
            !add_vector(l, y->source, width, &term.terms[0].constant) || !append_terms(&term, &sum))
            return false;
    }
    l->values[node->outputs[0]] = sum;
    return true;
}

/* Rows of a table by ids, positions, or a constant index. */
static bool lower_table_gather(lowering *l, const qeff_node *node)
{
    size_t n_rows, width;
    int64_t index = 0;
    size_t n = 0;
    const lowered *ids = &l->values[node->inputs[1]];
    lowered *to = &l->values[node->outputs[0]];
    if (!is_matrix(l, node->inputs[0], &n_rows, &width)) return false;
    const qeff_constant_source all = {node->inputs[0], 0, n_rows * width};
    if (qeff_graph_read_ints(l->graph, node->inputs[1], 1, &index, &n) && n == 1) {
        if (index < 0) index += (int64_t)n_rows;
        if (index < 0 || (size_t)index >= n_rows) return false;
        to->kind = LOWERED_WEIGHT;
        to->source = (qeff_constant_source){all.weight, (size_t)index * width, width};
        return true;
    }
    const bool is_position = ids->kind == LOWERED_POSITIONS;
    if (is_position ? ids->n_positions != (int64_t)n_rows : ids->kind != LOWERED_IDS) return false;
    const qeff_dtype dtype = qeff_graph_value(l->graph, node->inputs[0])->dtype;
    const int32_t table = add_constant(l, QEFF_CONSTANT_TABLE, dtype, n_rows, width, all);
    to->kind = LOWERED_TERMS;
    to->n_terms = 1;
    to->terms[0] = (qeff_term){.constant = table,
                               .by = is_position ? QEFF_TERM_POSITION : QEFF_TERM_INPUT,
                               .input = ids->input};
    return table >= 0;
}

/* The first column of [batch, sequence, X]. */
static bool lower_first(lowering *l, const qeff_node *node)
{
    int64_t index = -1;
    size_t n = 0;
    qeff_step step = qeff_step_of(QEFF_STEP_FIRST);
    if (!qeff_graph_read_ints(l->graph, node->inputs[1], 1, &index, &n) || n != 1 || index != 0 ||
        qeff_graph_value(l->graph, node->inputs[1])->shape.rank != 0)
        return false;
    if (!get_rows(l, node->inputs[0], &step.x) || rows_of(l, step.x) != QEFF_ROWS_TOKEN)
        return false;
    return finish_step(l, node, &step);
}

static bool lower_gather(lowering *l, const qeff_node *node)
{
    const int64_t axis = qeff_node_int(node, "axis", 0);
    if (axis == 0) return lower_table_gather(l, node);
    return (axis == 1 || axis == -2) && lower_first(l, node);
}

/* --- rows ---------------------------------------------------------------------------------------
 */

static bool lower_activation(lowering *l, const qeff_node *node, qeff_activation activation)
{
    qeff_step step = qeff_step_of(QEFF_STEP_ACTIVATE);
    step.activation = activation;
    return get_rows(l, node->inputs[0], &step.x) && finish_step(l, node, &step);
}

static bool lower_gelu(lowering *l, const qeff_node *node)
{
    const qeff_str approximate = qeff_node_str(node, "approximate", "none");
    return lower_activation(l, node,
                            qeff_str_is(approximate, "tanh") ? QEFF_ACTIVATION_GELU_TANH
                                                             : QEFF_ACTIVATION_GELU_ERF);
}

static bool lower_arithmetic_constant(lowering *l, const qeff_node *node, size_t constant,
                                      qeff_arithmetic operation)
{
    qeff_step step = qeff_step_of(QEFF_STEP_ARITHMETIC_CONSTANT);
    step.arithmetic = operation;
    step.is_reversed = constant == 0;
    const lowered *weight = &l->values[node->inputs[constant]];
    return get_rows(l, node->inputs[1 - constant], &step.x) &&
           add_vector(l, weight->source, step.x.width, &step.weight) && finish_step(l, node, &step);
}

static bool lower_arithmetic(lowering *l, const qeff_node *node, qeff_arithmetic operation)
{
    if (operation == QEFF_ARITHMETIC_ADD && add_to_terms(l, node)) return true;
    for (size_t i = 0; i < 2; i++)
        if (l->values[node->inputs[i]].kind == LOWERED_WEIGHT)
            return lower_arithmetic_constant(l, node, i, operation);
    qeff_step step = qeff_step_of(QEFF_STEP_ARITHMETIC);
    step.arithmetic = operation;
    if (!get_rows(l, node->inputs[0], &step.x) || !get_rows(l, node->inputs[1], &step.y))
        return false;
    if (step.x.width != step.y.width || rows_of(l, step.x) != rows_of(l, step.y)) return false;
    return finish_step(l, node, &step);
}

static bool lower_linear(lowering *l, const qeff_node *node)
{
    qeff_step step = qeff_step_of(QEFF_STEP_LINEAR);
    size_t n_out, n_in;
    if (!get_rows(l, node->inputs[0], &step.x) || !is_matrix(l, node->inputs[1], &n_out, &n_in) ||
        n_in != step.x.width || n_out > QEFF_PLAN_WIDTH_MAX)
        return false;
    step.weight = add_constant(l, QEFF_CONSTANT_PANELS, QEFF_DTYPE_F32, n_out, n_in,
                               (qeff_constant_source){node->inputs[1], 0, n_out * n_in});
    if (step.weight < 0) return false;
    if (node->n_inputs > 2 && node->inputs[2] != QEFF_VALUE_NONE &&
        !add_weight_vector(l, node->inputs[2], n_out, &step.bias))
        return false;
    return finish_step(l, node, &step);
}

static bool lower_layer_norm(lowering *l, const qeff_node *node)
{
    qeff_step step = qeff_step_of(QEFF_STEP_LAYER_NORM);
    const size_t rank = qeff_graph_value(l->graph, node->inputs[0])->shape.rank;
    const int64_t axis = qeff_node_int(node, "axis", -1);
    if (axis != -1 && axis != (int64_t)rank - 1) return false;
    if (!get_rows(l, node->inputs[0], &step.x) ||
        !add_weight_vector(l, node->inputs[1], step.x.width, &step.gamma))
        return false;
    if (node->n_inputs > 2 && node->inputs[2] != QEFF_VALUE_NONE &&
        !add_weight_vector(l, node->inputs[2], step.x.width, &step.beta))
        return false;
    step.eps = qeff_node_float(node, "epsilon", 1e-5);
    return finish_step(l, node, &step);
}

static bool lower_rms_norm(lowering *l, const qeff_node *node)
{
    qeff_step step = qeff_step_of(QEFF_STEP_RMS_NORM);
    step.eps = qeff_node_float(node, "epsilon", 1e-5);
    return get_rows(l, node->inputs[0], &step.x) &&
           add_weight_vector(l, node->inputs[1], step.x.width, &step.gamma) &&
           finish_step(l, node, &step);
}

static bool lower_attention(lowering *l, const qeff_node *node)
{
    qeff_step step = qeff_step_of(QEFF_STEP_ATTENTION);
    const int64_t n_heads = qeff_node_int(node, "n_heads", 1);
    if (l->values[node->inputs[3]].kind != LOWERED_MASK || n_heads < 1) return false;
    if (!get_rows(l, node->inputs[0], &step.x) || !get_rows(l, node->inputs[1], &step.y) ||
        !get_rows(l, node->inputs[2], &step.z))
        return false;
    if (rows_of(l, step.x) != QEFF_ROWS_TOKEN || rows_of(l, step.y) != QEFF_ROWS_TOKEN ||
        rows_of(l, step.z) != QEFF_ROWS_TOKEN || step.x.width != step.y.width ||
        step.x.width != step.z.width || step.x.width % (size_t)n_heads != 0)
        return false;
    step.n_heads = (size_t)n_heads;
    step.scale = qeff_node_float(node, "scale", 1.0);
    return finish_step(l, node, &step);
}

static bool lower_pool(lowering *l, const qeff_node *node)
{
    static const char *const modes[QEFF_POOL_COUNT] = {
        "cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"};
    qeff_step step = qeff_step_of(QEFF_STEP_POOL);
    const qeff_str mode = qeff_node_str(node, "mode", "");
    int found = 0;
    while (found < QEFF_POOL_COUNT && !qeff_str_is(mode, modes[found]))
        found++;
    if (found == QEFF_POOL_COUNT || l->values[node->inputs[1]].kind != LOWERED_MASK) return false;
    step.mode = (qeff_pool_mode)found;
    if (!get_rows(l, node->inputs[0], &step.x) || rows_of(l, step.x) != QEFF_ROWS_TOKEN)
        return false;
    return finish_step(l, node, &step);
}

static bool lower_l2_normalize(lowering *l, const qeff_node *node)
{
    qeff_step step = qeff_step_of(QEFF_STEP_L2_NORMALIZE);
    step.eps = qeff_node_float(node, "epsilon", 1e-12);
    return get_rows(l, node->inputs[0], &step.x) && finish_step(l, node, &step);
}

static bool lower_concat(lowering *l, const qeff_node *node)
{
    qeff_rows rows;
    size_t width, column = 0;
    qeff_view out;
    const int64_t rank = (int64_t)qeff_graph_value(l->graph, node->outputs[0])->shape.rank;
    const int64_t axis = qeff_node_int(node, "axis", 0);
    if ((axis != -1 && axis != rank - 1) || !find_rows(l, node->outputs[0], &rows, &width) ||
        !new_rows(l, rows, width, &out))
        return false;
    for (size_t i = 0; i < node->n_inputs; i++) {
        qeff_step step = qeff_step_of(QEFF_STEP_COPY);
        if (!get_rows(l, node->inputs[i], &step.x) || rows_of(l, step.x) != rows ||
            column + step.x.width > width)
            return false;
        step.out = (qeff_view){out.value, column, step.x.width};
        column += step.x.width;
        if (!add_step(l, &step)) return false;
    }
    set_rows(l, node, out);
    return column == width;
}

static bool read_int(const lowering *l, const qeff_node *node, size_t operand, int64_t *out)
{
    size_t n = 0;
    return operand < node->n_inputs &&
           qeff_graph_read_ints(l->graph, node->inputs[operand], 1, out, &n) && n == 1;
}

/* Columns [start, end) of the last axis: a view, not a copy. */
static bool lower_slice(lowering *l, const qeff_node *node)
{
    int64_t start = 0, end = 0, axis = 0, step = 1;
    qeff_view view;
    if (!read_int(l, node, 1, &start) || !read_int(l, node, 2, &end) ||
        !read_int(l, node, 3, &axis) || !get_rows(l, node->inputs[0], &view))
        return false;
    if (node->n_inputs > 4 && node->inputs[4] != QEFF_VALUE_NONE && !read_int(l, node, 4, &step))
        return false;
    const int64_t rank = (int64_t)qeff_graph_value(l->graph, node->inputs[0])->shape.rank;
    const int64_t width = (int64_t)view.width;
    if ((axis != -1 && axis != rank - 1) || step != 1) return false;
    if (start < 0) start += width;
    if (end < 0) end += width;
    if (end > width) end = width;
    if (start < 0 || start >= end) return false;
    set_rows(l, node, (qeff_view){view.value, view.column + (size_t)start, (size_t)(end - start)});
    return true;
}

static bool lower_position_ids(lowering *l, const qeff_node *node)
{
    lowered *to = &l->values[node->outputs[0]];
    if (l->values[node->inputs[0]].kind != LOWERED_IDS) return false;
    to->kind = LOWERED_POSITIONS;
    to->n_positions = qeff_node_int(node, "n_positions", 0);
    return true;
}

static bool lower_identity(lowering *l, const qeff_node *node)
{
    l->values[node->outputs[0]] = l->values[node->inputs[0]];
    return l->values[node->inputs[0]].kind != LOWERED_NONE;
}

static bool lower_node(lowering *l, const qeff_node *node)
{
    const qeff_op op = node->op;
    if (op == QEFF_OP_ADD) return lower_arithmetic(l, node, QEFF_ARITHMETIC_ADD);
    if (op == QEFF_OP_SUB) return lower_arithmetic(l, node, QEFF_ARITHMETIC_SUB);
    if (op == QEFF_OP_MUL) return lower_arithmetic(l, node, QEFF_ARITHMETIC_MUL);
    if (op == QEFF_OP_DIV) return lower_arithmetic(l, node, QEFF_ARITHMETIC_DIV);
    if (op == QEFF_OP_RELU) return lower_activation(l, node, QEFF_ACTIVATION_RELU);
    if (op == QEFF_OP_TANH) return lower_activation(l, node, QEFF_ACTIVATION_TANH);
    if (op == QEFF_OP_SIGMOID) return lower_activation(l, node, QEFF_ACTIVATION_SIGMOID);
    if (op == QEFF_OP_SILU) return lower_activation(l, node, QEFF_ACTIVATION_SILU);
    if (op == QEFF_OP_GELU) return lower_gelu(l, node);
    if (op == QEFF_OP_LINEAR) return lower_linear(l, node);
    if (op == QEFF_OP_LAYER_NORM) return lower_layer_norm(l, node);
    if (op == QEFF_OP_RMS_NORM) return lower_rms_norm(l, node);
    if (op == QEFF_OP_ATTENTION) return lower_attention(l, node);
    if (op == QEFF_OP_POOL) return lower_pool(l, node);
    if (op == QEFF_OP_L2_NORMALIZE) return lower_l2_normalize(l, node);
    if (op == QEFF_OP_GATHER) return lower_gather(l, node);
    if (op == QEFF_OP_CONCAT) return lower_concat(l, node);
    if (op == QEFF_OP_SLICE) return lower_slice(l, node);
    if (op == QEFF_OP_POSITION_IDS) return lower_position_ids(l, node);
    if (op == QEFF_OP_IDENTITY) return lower_identity(l, node);
    return false;
}

/* --- inputs and outputs -------------------------------------------------------------------------
 */

/* The mask is what attention and pooling take for one; an input of that name that nothing reads is
 * one, too: it says which rows of an output count. */
static bool is_mask(const lowering *l, qeff_value input)
{
    bool is_read = false;
    for (size_t i = 0; i < l->graph->n_nodes; i++) {
        const qeff_node *node = &l->graph->nodes[i];
        for (size_t k = 0; k < node->n_inputs; k++) {
            if (node->inputs[k] != input) continue;
            is_read = true;
            if ((node->op == QEFF_OP_ATTENTION && k == 3) || (node->op == QEFF_OP_POOL && k == 1))
                return true;
        }
    }
    return !is_read && qeff_str_is(qeff_graph_value(l->graph, input)->name, "attention_mask");
}

/* [batch, sequence] integers, the same two names for all. */
static bool lower_inputs(lowering *l)
{
    const qeff_graph *graph = l->graph;
    size_t n_masks = 0;
    if (graph->n_inputs == 0 || graph->n_inputs > QEFF_PLAN_IO_MAX) return false;
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const qeff_value_info *info = qeff_graph_value(graph, graph->inputs[i]);
        if (info->shape.rank != 2 ||
            (info->dtype != QEFF_DTYPE_I64 && info->dtype != QEFF_DTYPE_I32))
            return false;
        const char *batch = info->shape.dims[0].symbol, *sequence = info->shape.dims[1].symbol;
        if (!batch || !sequence || strcmp(batch, sequence) == 0) return false;
        if (i == 0) l->batch = batch, l->sequence = sequence;
        if (strcmp(batch, l->batch) != 0 || strcmp(sequence, l->sequence) != 0) return false;
        const bool mask = is_mask(l, graph->inputs[i]);
        n_masks += mask;
        l->values[graph->inputs[i]].kind = mask ? LOWERED_MASK : LOWERED_IDS;
        l->values[graph->inputs[i]].input = i;
        l->plan->inputs[i] = (qeff_io_spec){info->name, info->dtype, info->shape};
        l->plan->input_roles[i].is_mask = mask;
    }
    l->plan->n_inputs = graph->n_inputs;
    return n_masks <= 1 && n_masks < graph->n_inputs;
}

static void lower_weights(lowering *l)
{
    for (size_t i = 0; i < l->graph->n_values; i++) {
        const qeff_value_info *info = &l->graph->values[i];
        uint64_t count = 0;
        if (!is_float_weight(l, (qeff_value)i) || !qeff_shape_count(&info->shape, &count)) continue;
        const size_t rank = info->shape.rank;
        const size_t last = rank ? (size_t)info->shape.dims[rank - 1].size : 1;
        if (count == 0 || count != last) continue; /* only vectors and scalars broadcast to rows */
        l->values[i].kind = LOWERED_WEIGHT;
        l->values[i].source = (qeff_constant_source){(qeff_value)i, 0, (size_t)count};
    }
}

static bool lower_outputs(lowering *l)
{
    const qeff_graph *graph = l->graph;
    if (graph->n_outputs == 0 || graph->n_outputs > QEFF_PLAN_IO_MAX) return false;
    for (size_t i = 0; i < graph->n_outputs; i++) {
        const qeff_graph_output *output = &graph->outputs[i];
        const qeff_value_info *info = qeff_graph_value(graph, output->value);
        qeff_rows rows;
        size_t width;
        if (!find_rows(l, output->value, &rows, &width) ||
            !is_symbol(info->shape.dims[0], l->batch) ||
            !get_rows(l, output->value, &l->plan->output_views[i]) ||
            l->plan->output_views[i].width != width || rows_of(l, l->plan->output_views[i]) != rows)
            return false;
        l->plan->outputs[i] = (qeff_io_spec){output->name, info->dtype, info->shape};
    }
    l->plan->n_outputs = graph->n_outputs;
    return true;
}

static bool lower_graph(lowering *l)
{
    if (!lower_inputs(l)) return false;
    lower_weights(l);
    for (size_t i = 0; i < l->graph->n_nodes; i++)
        if (l->graph->nodes[i].n_outputs != 1 || !lower_node(l, &l->graph->nodes[i])) return false;
    return lower_outputs(l);
}

qeff_status
qeff_plan_lower(const qeff_graph *graph, qeff_plan *plan, bool *is_ragged, qeff_error *err)
{
    lowering l = {.graph = graph, .plan = plan};
    *is_ragged = false;
    l.values = qeff_alloc_array(graph->n_values + 1, sizeof *l.values);
    if (!l.values) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    *is_ragged = lower_graph(&l);
    qeff_free(l.values);
    if (l.has_no_memory) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    return QEFF_OK;
}
