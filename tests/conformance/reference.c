/* reference.c - elementwise ops, products, reductions; see reference.h. */
#include "conformance/reference.h"

#include "base/dtype.h"
#include "base/span.h"

#include <math.h>
#include <stdlib.h>

ref_tensor ref_make(size_t rank, const int64_t *dims)
{
    ref_tensor t = {.rank = rank, .count = 1};
    for (size_t i = 0; i < rank; i++) {
        t.dims[i] = dims[i];
        t.count *= (size_t)dims[i];
    }
    t.data = calloc(t.count + 1, sizeof *t.data);
    if (!t.data) abort();
    return t;
}

void ref_free(ref_tensor *t)
{
    free(t->data);
    *t = (ref_tensor){0};
}

void ref_unflatten(const ref_tensor *t, size_t flat, int64_t index[QEFF_MAX_RANK])
{
    for (size_t i = t->rank; i > 0; i--) {
        index[i - 1] = (int64_t)(flat % (size_t)t->dims[i - 1]);
        flat /= (size_t)t->dims[i - 1];
    }
}

size_t ref_flatten(const ref_tensor *t, const int64_t *index)
{
    size_t flat = 0;
    for (size_t i = 0; i < t->rank; i++)
        flat = flat * (size_t)t->dims[i] + (size_t)index[i];
    return flat;
}

double ref_broadcast(const ref_tensor *t, const int64_t *index, size_t rank)
{
    int64_t own[QEFF_MAX_RANK] = {0};
    for (size_t i = 0; i < t->rank; i++)
        own[i] = t->dims[i] == 1 ? 0 : index[rank - t->rank + i];
    return t->data[ref_flatten(t, own)];
}

size_t ref_axis(const ref_call *call, const char *name, int64_t fallback, size_t rank)
{
    const int64_t axis = qeff_node_int(call->node, name, fallback);
    return (size_t)(axis < 0 ? axis + (int64_t)rank : axis);
}

bool ref_has(const ref_call *call, size_t i)
{
    return i < call->n_in && call->in[i];
}

static bool is_float(const ref_call *call)
{
    return qeff_graph_value(call->graph, call->node->outputs[0])->dtype == QEFF_DTYPE_F32;
}

/* --- elementwise --------------------------------------------------------------------------------
 */

static double of_one(const ref_call *call, double x)
{
    const double slope = call->node->op == QEFF_OP_LEAKY_RELU ? 0.01 : 1.0;
    const double alpha = qeff_node_float(call->node, "alpha", slope);
    switch ((int)call->node->op) {
    case QEFF_OP_NOT:
        return x == 0.0;
    case QEFF_OP_NEG:
        return -x;
    case QEFF_OP_ABS:
        return fabs(x);
    case QEFF_OP_SQRT:
        return sqrt(x);
    case QEFF_OP_RECIPROCAL:
        return 1.0 / x;
    case QEFF_OP_EXP:
        return exp(x);
    case QEFF_OP_LOG:
        return log(x);
    case QEFF_OP_ERF:
        return erf(x);
    case QEFF_OP_TANH:
        return tanh(x);
    case QEFF_OP_SIGMOID:
        return 1.0 / (1.0 + exp(-x));
    case QEFF_OP_RELU:
        return x > 0.0 ? x : 0.0;
    case QEFF_OP_LEAKY_RELU:
        return x < 0.0 ? alpha * x : x;
    case QEFF_OP_ELU:
        return x < 0.0 ? alpha * (exp(x) - 1.0) : x;
    case QEFF_OP_SOFTPLUS:
        return log1p(exp(x));
    case QEFF_OP_IDENTITY:
        return x;
    }
    return (double)NAN;
}

static double of_two(const ref_call *call, double x, double y)
{
    switch ((int)call->node->op) {
    case QEFF_OP_ADD:
        return x + y;
    case QEFF_OP_SUB:
        return x - y;
    case QEFF_OP_MUL:
        return x * y;
    case QEFF_OP_DIV:
        return is_float(call) ? x / y : trunc(x / y);
    case QEFF_OP_POW:
        return pow(x, y);
    case QEFF_OP_MIN:
        return x < y ? x : y;
    case QEFF_OP_MAX:
        return x > y ? x : y;
    case QEFF_OP_EQUAL:
        return x == y;
    case QEFF_OP_LESS:
        return x < y;
    case QEFF_OP_GREATER:
        return x > y;
    case QEFF_OP_AND:
        return x != 0.0 && y != 0.0;
    case QEFF_OP_OR:
        return x != 0.0 || y != 0.0;
    }
    return (double)NAN;
}

static ref_tensor broadcast_shape(const ref_call *call)
{
    int64_t dims[QEFF_MAX_RANK];
    size_t rank = 0;
    for (size_t i = 0; i < call->n_in; i++)
        if (call->in[i]->rank > rank) rank = call->in[i]->rank;
    for (size_t d = 0; d < rank; d++) {
        dims[d] = 1;
        for (size_t i = 0; i < call->n_in; i++) {
            const ref_tensor *t = call->in[i];
            const size_t shift = rank - t->rank;
            if (d >= shift && t->dims[d - shift] != 1) dims[d] = t->dims[d - shift];
        }
    }
    return ref_make(rank, dims);
}

static void run_elementwise(ref_call *call)
{
    ref_tensor y = broadcast_shape(call);
    int64_t index[QEFF_MAX_RANK];
    for (size_t i = 0; i < y.count; i++) {
        ref_unflatten(&y, i, index);
        double v = ref_broadcast(call->in[0], index, y.rank);
        if (call->node->op == QEFF_OP_WHERE)
            v = ref_broadcast(call->in[v != 0.0 ? 1 : 2], index, y.rank);
        else if (call->n_in == 1)
            v = call->node->op == QEFF_OP_MIN || call->node->op == QEFF_OP_MAX ? v
                                                                               : of_one(call, v);
        else
            for (size_t k = 1; k < call->n_in; k++)
                v = of_two(call, v, ref_broadcast(call->in[k], index, y.rank));
        y.data[i] = v;
    }
    call->out[0] = y;
}

static void run_clip(ref_call *call)
{
    call->out[0] = ref_make(call->in[0]->rank, call->in[0]->dims);
    for (size_t i = 0; i < call->in[0]->count; i++) {
        double v = call->in[0]->data[i];
        if (ref_has(call, 1) && v < call->in[1]->data[0]) v = call->in[1]->data[0];
        if (ref_has(call, 2) && v > call->in[2]->data[0]) v = call->in[2]->data[0];
        call->out[0].data[i] = v;
    }
}

static void run_cast(ref_call *call)
{
    const qeff_dtype to = qeff_dtype_from_onnx(qeff_node_int(call->node, "to", 0));
    call->out[0] = ref_make(call->in[0]->rank, call->in[0]->dims);
    for (size_t i = 0; i < call->in[0]->count; i++) {
        const double v = call->in[0]->data[i];
        call->out[0].data[i] = to == QEFF_DTYPE_BOOL  ? v != 0.0
                               : to == QEFF_DTYPE_F32 ? v
                                                      : trunc(v);
    }
}

/* --- products -----------------------------------------------------------------------------------
 */

static void run_matmul(ref_call *call)
{
    ref_tensor a = *call->in[0], b = *call->in[1];
    const bool a_is_vector = a.rank == 1, b_is_vector = b.rank == 1;
    if (a_is_vector) {
        a.rank = 2;
        a.dims[1] = a.dims[0];
        a.dims[0] = 1;
    }
    if (b_is_vector) {
        b.rank = 2;
        b.dims[1] = 1;
    }
    int64_t dims[QEFF_MAX_RANK];
    const size_t rank = a.rank > b.rank ? a.rank : b.rank;
    for (size_t d = 0; d + 2 < rank; d++) {
        const int64_t x = d + a.rank >= rank ? a.dims[d + a.rank - rank] : 1;
        const int64_t y = d + b.rank >= rank ? b.dims[d + b.rank - rank] : 1;
        dims[d] = x == 1 ? y : x;
    }
    dims[rank - 2] = a.dims[a.rank - 2];
    dims[rank - 1] = b.dims[b.rank - 1];
    ref_tensor y = ref_make(rank, dims);
    for (size_t i = 0; i < y.count; i++) {
        int64_t index[QEFF_MAX_RANK], left[QEFF_MAX_RANK], right[QEFF_MAX_RANK];
        ref_unflatten(&y, i, index);
        memcpy(left, index, sizeof left);
        memcpy(right, index, sizeof right);
        for (int64_t k = 0; k < a.dims[a.rank - 1]; k++) {
            left[rank - 1] = k;
            right[rank - 2] = k;
            y.data[i] += ref_broadcast(&a, left, rank) * ref_broadcast(&b, right, rank);
        }
    }
    if (b_is_vector) y.rank--;
    if (a_is_vector) {
        if (!b_is_vector) y.dims[y.rank - 2] = y.dims[y.rank - 1];
        y.rank--;
    }
    call->out[0] = y;
}

static void run_gemm(ref_call *call)
{
    const ref_tensor *a = call->in[0], *b = call->in[1];
    const bool ta = qeff_node_int(call->node, "transA", 0) != 0;
    const bool tb = qeff_node_int(call->node, "transB", 0) != 0;
    const double alpha = qeff_node_float(call->node, "alpha", 1.0);
    const double beta = qeff_node_float(call->node, "beta", 1.0);
    const int64_t dims[] = {a->dims[ta ? 1 : 0], b->dims[tb ? 0 : 1]};
    ref_tensor y = ref_make(2, dims);
    for (int64_t i = 0; i < dims[0]; i++)
        for (int64_t j = 0; j < dims[1]; j++) {
            double sum = 0.0;
            const int64_t index[] = {i, j};
            for (int64_t k = 0; k < a->dims[ta ? 0 : 1]; k++)
                sum += a->data[ta ? k * a->dims[1] + i : i * a->dims[1] + k] *
                       b->data[tb ? j * b->dims[1] + k : k * b->dims[1] + j];
            sum *= alpha;
            if (ref_has(call, 2)) sum += beta * ref_broadcast(call->in[2], index, 2);
            y.data[i * dims[1] + j] = sum;
        }
    call->out[0] = y;
}

/* --- reductions ---------------------------------------------------------------------------------
 */

static unsigned reduced_axes(const ref_call *call)
{
    const size_t rank = call->in[0]->rank;
    const qeff_attribute *attribute = qeff_node_find_attribute(call->node, "axes");
    unsigned bits = 0;
    size_t n = 0;
    if (ref_has(call, 1))
        n = call->in[1]->count;
    else if (attribute)
        n = attribute->n_ints;
    for (size_t i = 0; i < n; i++) {
        const int64_t axis = ref_has(call, 1) ? (int64_t)call->in[1]->data[i] : attribute->ints[i];
        bits |= 1U << (axis < 0 ? axis + (int64_t)rank : axis);
    }
    if (n == 0 && !qeff_node_int(call->node, "noop_with_empty_axes", 0)) bits = (1U << rank) - 1;
    return bits;
}

static void run_reduce(ref_call *call)
{
    const ref_tensor *x = call->in[0];
    const unsigned bits = reduced_axes(call);
    const bool keeps = qeff_node_int(call->node, "keepdims", 1) != 0;
    const qeff_op op = call->node->op;
    int64_t kept[QEFF_MAX_RANK], dims[QEFF_MAX_RANK], index[QEFF_MAX_RANK];
    size_t rank = 0;
    for (size_t i = 0; i < x->rank; i++) {
        kept[i] = bits & 1U << i ? 1 : x->dims[i];
        if (keeps || !(bits & 1U << i)) dims[rank++] = kept[i];
    }
    ref_tensor y = ref_make(x->rank, kept), first = ref_make(x->rank, kept);
    for (size_t i = 0; i < x->count; i++) {
        ref_unflatten(x, i, index);
        for (size_t d = 0; d < x->rank; d++)
            if (bits & 1U << d) index[d] = 0;
        const size_t to = ref_flatten(&y, index);
        const double v = x->data[i];
        if (op == QEFF_OP_REDUCE_MAX || op == QEFF_OP_REDUCE_MIN) {
            const bool wins = op == QEFF_OP_REDUCE_MAX ? v > y.data[to] : v < y.data[to];
            if (first.data[to] == 0.0 || wins) y.data[to] = v;
            first.data[to] = 1.0;
        } else {
            y.data[to] += op == QEFF_OP_REDUCE_L2 ? v * v : v;
        }
    }
    ref_free(&first);
    for (size_t i = 0; i < y.count; i++) {
        if (op == QEFF_OP_REDUCE_L2) y.data[i] = sqrt(y.data[i]);
        if (op == QEFF_OP_REDUCE_MEAN) y.data[i] /= (double)(x->count / y.count);
    }
    y.rank = rank;
    memcpy(y.dims, dims, sizeof dims);
    call->out[0] = y;
}

static void run_arg_max(ref_call *call)
{
    const ref_tensor *x = call->in[0];
    const size_t axis = ref_axis(call, "axis", 0, x->rank);
    const bool last = qeff_node_int(call->node, "select_last_index", 0) != 0;
    int64_t dims[QEFF_MAX_RANK], index[QEFF_MAX_RANK];
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = 1;
    ref_tensor y = ref_make(x->rank, dims);
    for (size_t i = 0; i < y.count; i++) {
        ref_unflatten(&y, i, index);
        double best = -(double)INFINITY;
        for (index[axis] = 0; index[axis] < x->dims[axis]; index[axis]++) {
            const double v = x->data[ref_flatten(x, index)];
            if (v > best || (last && v == best)) y.data[i] = (double)index[axis];
            if (v > best) best = v;
        }
    }
    if (!qeff_node_int(call->node, "keepdims", 1)) {
        for (size_t d = axis; d + 1 < y.rank; d++)
            y.dims[d] = y.dims[d + 1];
        y.rank--;
    }
    call->out[0] = y;
}

static void run_cum_sum(ref_call *call)
{
    const ref_tensor *x = call->in[0];
    const int64_t given = (int64_t)call->in[1]->data[0];
    const size_t axis = (size_t)(given < 0 ? given + (int64_t)x->rank : given);
    const bool exclusive = qeff_node_int(call->node, "exclusive", 0) != 0;
    const bool reverse = qeff_node_int(call->node, "reverse", 0) != 0;
    int64_t index[QEFF_MAX_RANK];
    ref_tensor y = ref_make(x->rank, x->dims);
    for (size_t i = 0; i < y.count; i++) {
        ref_unflatten(&y, i, index);
        const int64_t at = index[axis];
        for (index[axis] = 0; index[axis] < x->dims[axis]; index[axis]++) {
            const bool counts = reverse ? index[axis] > at : index[axis] < at;
            if (counts || (index[axis] == at && !exclusive))
                y.data[i] += x->data[ref_flatten(x, index)];
        }
    }
    call->out[0] = y;
}

static void run_softmax(ref_call *call)
{
    const ref_tensor *x = call->in[0];
    const size_t axis = ref_axis(call, "axis", -1, x->rank);
    int64_t index[QEFF_MAX_RANK];
    ref_tensor y = ref_make(x->rank, x->dims);
    for (size_t i = 0; i < y.count; i++) {
        double sum = 0.0;
        ref_unflatten(&y, i, index);
        for (index[axis] = 0; index[axis] < x->dims[axis]; index[axis]++)
            sum += exp(x->data[ref_flatten(x, index)] - x->data[i]);
        y.data[i] = 1.0 / sum;
    }
    call->out[0] = y;
}

static void run_layer_norm(ref_call *call)
{
    const ref_tensor *x = call->in[0];
    const size_t axis = ref_axis(call, "axis", -1, x->rank);
    const double eps = qeff_node_float(call->node, "epsilon", 1e-5);
    ref_tensor y = ref_make(x->rank, x->dims);
    size_t n = 1;
    for (size_t i = axis; i < x->rank; i++)
        n *= (size_t)x->dims[i];
    for (size_t at = 0; n && at < x->count; at += n) {
        double mean = 0.0, variance = 0.0;
        for (size_t i = 0; i < n; i++)
            mean += x->data[at + i] / (double)n;
        for (size_t i = 0; i < n; i++)
            variance += (x->data[at + i] - mean) * (x->data[at + i] - mean) / (double)n;
        for (size_t i = 0; i < n; i++)
            y.data[at + i] =
                (x->data[at + i] - mean) / sqrt(variance + eps) * call->in[1]->data[i] +
                (ref_has(call, 2) ? call->in[2]->data[i] : 0.0);
    }
    call->out[0] = y;
}

/* --- dispatch -----------------------------------------------------------------------------------
 */

static bool is_elementwise(qeff_op op)
{
    static const qeff_op ops[] = {
        QEFF_OP_ADD, QEFF_OP_SUB,      QEFF_OP_MUL,     QEFF_OP_DIV,     QEFF_OP_POW,
        QEFF_OP_MIN, QEFF_OP_MAX,      QEFF_OP_NOT,     QEFF_OP_EQUAL,   QEFF_OP_LESS,
        QEFF_OP_AND, QEFF_OP_OR,       QEFF_OP_NEG,     QEFF_OP_GREATER, QEFF_OP_WHERE,
        QEFF_OP_ABS, QEFF_OP_SQRT,     QEFF_OP_EXP,     QEFF_OP_LOG,     QEFF_OP_RECIPROCAL,
        QEFF_OP_ERF, QEFF_OP_TANH,     QEFF_OP_RELU,    QEFF_OP_SIGMOID, QEFF_OP_LEAKY_RELU,
        QEFF_OP_ELU, QEFF_OP_SOFTPLUS, QEFF_OP_IDENTITY};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (ops[i] == op) return true;
    return false;
}

bool ref_run_node(ref_call *call)
{
    static const struct {
        qeff_op op;
        void (*run)(ref_call *call);
    } others[] = {
        {QEFF_OP_CLIP, run_clip},
        {QEFF_OP_CAST, run_cast},
        {QEFF_OP_MATMUL, run_matmul},
        {QEFF_OP_GEMM, run_gemm},
        {QEFF_OP_REDUCE_MEAN, run_reduce},
        {QEFF_OP_REDUCE_MAX, run_reduce},
        {QEFF_OP_REDUCE_MIN, run_reduce},
        {QEFF_OP_REDUCE_L2, run_reduce},
        {QEFF_OP_REDUCE_SUM, run_reduce},
        {QEFF_OP_ARG_MAX, run_arg_max},
        {QEFF_OP_CUM_SUM, run_cum_sum},
        {QEFF_OP_SOFTMAX, run_softmax},
        {QEFF_OP_LAYER_NORM, run_layer_norm},
    };
    if (is_elementwise(call->node->op)) {
        run_elementwise(call);
        return true;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].op == call->node->op) {
            others[i].run(call);
            return true;
        }
    return ref_run_layout(call) || ref_run_composite(call);
}

static double read_element(const qeff_value_info *info, size_t i)
{
    const uint8_t *data = info->data.data;
    float f = 0;
    uint32_t bits = 0;
    switch ((int)info->dtype) {
    case QEFF_DTYPE_I64:
        return (double)(int64_t)qeff_load_u64le(data + 8 * i);
    case QEFF_DTYPE_I32:
        return (double)(int32_t)qeff_load_u32le(data + 4 * i);
    case QEFF_DTYPE_BOOL:
        return data[i] != 0;
    case QEFF_DTYPE_F16:
        return (double)qeff_f16_to_f32(qeff_load_u16le(data + 2 * i));
    case QEFF_DTYPE_BF16:
        return (double)qeff_bf16_to_f32(qeff_load_u16le(data + 2 * i));
    }
    bits = qeff_load_u32le(data + 4 * i);
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

static ref_tensor read_weight(const qeff_value_info *info)
{
    int64_t dims[QEFF_MAX_RANK];
    for (size_t i = 0; i < info->shape.rank; i++)
        dims[i] = info->shape.dims[i].size;
    ref_tensor t = ref_make(info->shape.rank, dims);
    for (size_t i = 0; i < t.count; i++)
        t.data[i] = read_element(info, i);
    return t;
}

static ref_tensor copy_tensor(const ref_tensor *t)
{
    ref_tensor copy = ref_make(t->rank, t->dims);
    memcpy(copy.data, t->data, t->count * sizeof *t->data);
    return copy;
}

bool ref_run(const qeff_graph *graph, const ref_tensor *inputs, ref_tensor *outputs)
{
    bool is_known = true;
    ref_tensor *values = calloc(graph->n_values + 1, sizeof *values);
    if (!values) abort();
    for (size_t i = 0; i < graph->n_inputs; i++)
        values[graph->inputs[i]] = copy_tensor(&inputs[i]);
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].kind == QEFF_VALUE_WEIGHT) values[i] = read_weight(&graph->values[i]);
    for (size_t i = 0; i < graph->n_nodes && is_known; i++) {
        const qeff_node *node = &graph->nodes[i];
        ref_call call = {.graph = graph,
                         .node = node,
                         .n_in = node->n_inputs,
                         .n_out = node->n_outputs,
                         .out = &values[node->outputs[0]]};
        for (size_t k = 0; k < node->n_inputs; k++)
            call.in[k] = node->inputs[k] == QEFF_VALUE_NONE ? NULL : &values[node->inputs[k]];
        is_known = ref_run_node(&call);
    }
    for (size_t i = 0; i < graph->n_outputs && is_known; i++)
        outputs[i] = copy_tensor(&values[graph->outputs[i].value]);
    for (size_t i = 0; i < graph->n_values; i++)
        ref_free(&values[i]);
    free(values);
    return is_known;
}
