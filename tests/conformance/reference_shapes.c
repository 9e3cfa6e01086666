/* reference_shapes.c - ops that move elements, by the index each result element comes from. */
#include "conformance/reference.h"

#include "base/span.h"

#include <math.h>

static ref_tensor reshaped(const ref_tensor *x, size_t rank, const int64_t *dims)
{
    ref_tensor y = ref_make(rank, dims);
    memcpy(y.data, x->data, x->count * sizeof *x->data);
    return y;
}

static void run_reshape(ref_call *call)
{
    const ref_tensor *x = call->in[0], *shape = call->in[1];
    const bool allows_zero = qeff_node_int(call->node, "allowzero", 0) != 0;
    int64_t dims[QEFF_MAX_RANK], known = 1;
    for (size_t i = 0; i < shape->count; i++) {
        dims[i] = (int64_t)shape->data[i];
        if (dims[i] == 0 && !allows_zero) dims[i] = x->dims[i];
        if (dims[i] != -1) known *= dims[i];
    }
    for (size_t i = 0; i < shape->count; i++)
        if (dims[i] == -1) dims[i] = (int64_t)x->count / known;
    call->out[0] = reshaped(x, shape->count, dims);
}

static void run_flatten(ref_call *call)
{
    const ref_tensor *x = call->in[0];
    const size_t axis = ref_axis(call, "axis", 1, x->rank);
    int64_t dims[] = {1, 1};
    for (size_t i = 0; i < x->rank; i++)
        dims[i < axis ? 0 : 1] *= x->dims[i];
    call->out[0] = reshaped(x, 2, dims);
}

static bool lists(const ref_tensor *axes, size_t axis, size_t rank)
{
    for (size_t i = 0; i < axes->count; i++) {
        const int64_t given = (int64_t)axes->data[i];
        if ((given < 0 ? given + (int64_t)rank : given) == (int64_t)axis) return true;
    }
    return false;
}

static void run_squeeze(ref_call *call)
{
    const ref_tensor *x = call->in[0];
    int64_t dims[QEFF_MAX_RANK];
    size_t rank = 0;
    for (size_t i = 0; i < x->rank; i++)
        if (ref_has(call, 1) ? !lists(call->in[1], i, x->rank) : x->dims[i] != 1)
            dims[rank++] = x->dims[i];
    call->out[0] = reshaped(x, rank, dims);
}

static void run_unsqueeze(ref_call *call)
{
    const ref_tensor *x = call->in[0];
    const size_t rank = x->rank + call->in[1]->count;
    int64_t dims[QEFF_MAX_RANK];
    size_t from = 0;
    for (size_t i = 0; i < rank; i++)
        dims[i] = lists(call->in[1], i, rank) ? 1 : x->dims[from++];
    call->out[0] = reshaped(x, rank, dims);
}

static void run_transpose(ref_call *call)
{
    const ref_tensor *x = call->in[0];
    const qeff_attribute *perm = qeff_node_find_attribute(call->node, "perm");
    int64_t dims[QEFF_MAX_RANK], from[QEFF_MAX_RANK], index[QEFF_MAX_RANK];
    size_t axes[QEFF_MAX_RANK];
    for (size_t i = 0; i < x->rank; i++) {
        axes[i] = perm ? (size_t)perm->ints[i] : x->rank - 1 - i;
        dims[i] = x->dims[axes[i]];
    }
    ref_tensor y = ref_make(x->rank, dims);
    for (size_t i = 0; i < y.count; i++) {
        ref_unflatten(&y, i, index);
        for (size_t d = 0; d < x->rank; d++)
            from[axes[d]] = index[d];
        y.data[i] = x->data[ref_flatten(x, from)];
    }
    call->out[0] = y;
}

static void run_concat(ref_call *call)
{
    const size_t axis = ref_axis(call, "axis", 0, call->in[0]->rank);
    int64_t dims[QEFF_MAX_RANK], index[QEFF_MAX_RANK];
    memcpy(dims, call->in[0]->dims, sizeof dims);
    for (size_t k = 1; k < call->n_in; k++)
        dims[axis] += call->in[k]->dims[axis];
    ref_tensor y = ref_make(call->in[0]->rank, dims);
    for (size_t i = 0; i < y.count; i++) {
        size_t k = 0;
        ref_unflatten(&y, i, index);
        while (index[axis] >= call->in[k]->dims[axis])
            index[axis] -= call->in[k++]->dims[axis];
        y.data[i] = call->in[k]->data[ref_flatten(call->in[k], index)];
    }
    call->out[0] = y;
}

static void run_split(ref_call *call)
{
    const ref_tensor *x = call->in[0];
    const size_t axis = ref_axis(call, "axis", 0, x->rank);
    const int64_t n = (int64_t)call->n_out, each = (x->dims[axis] + n - 1) / n;
    int64_t first = 0, index[QEFF_MAX_RANK], dims[QEFF_MAX_RANK];
    memcpy(dims, x->dims, sizeof dims);
    for (size_t k = 0; k < call->n_out; k++) {
        const int64_t left = x->dims[axis] - first;
        dims[axis] = ref_has(call, 1) ? (int64_t)call->in[1]->data[k] : left < each ? left : each;
        ref_tensor y = ref_make(x->rank, dims);
        for (size_t i = 0; i < y.count; i++) {
            ref_unflatten(&y, i, index);
            index[axis] += first;
            y.data[i] = x->data[ref_flatten(x, index)];
        }
        call->out[k] = y;
        first += dims[axis];
    }
}

/* Elements of start, start + step, … before end, by walking. */
static void run_slice(ref_call *call)
{
    const ref_tensor *x = call->in[0];
    int64_t starts[QEFF_MAX_RANK] = {0}, steps[QEFF_MAX_RANK], dims[QEFF_MAX_RANK];
    int64_t index[QEFF_MAX_RANK];
    for (size_t i = 0; i < x->rank; i++) {
        steps[i] = 1;
        dims[i] = x->dims[i];
    }
    for (size_t k = 0; k < call->in[1]->count; k++) {
        int64_t axis = ref_has(call, 3) ? (int64_t)call->in[3]->data[k] : (int64_t)k;
        if (axis < 0) axis += (int64_t)x->rank;
        const int64_t n = x->dims[axis],
                      step = ref_has(call, 4) ? (int64_t)call->in[4]->data[k] : 1;
        double start = call->in[1]->data[k], end = call->in[2]->data[k];
        if (start < 0) start += (double)n;
        if (end < 0) end += (double)n;
        start = fmin(fmax(start, 0), (double)(step > 0 ? n : n - 1));
        end = fmin(fmax(end, step > 0 ? 0 : -1), (double)n);
        starts[axis] = (int64_t)start;
        steps[axis] = step;
        dims[axis] = 0;
        for (double at = start; step > 0 ? at < end : at > end; at += (double)step)
            dims[axis]++;
    }
    ref_tensor y = ref_make(x->rank, dims);
    for (size_t i = 0; i < y.count; i++) {
        ref_unflatten(&y, i, index);
        for (size_t d = 0; d < x->rank; d++)
            index[d] = starts[d] + index[d] * steps[d];
        y.data[i] = x->data[ref_flatten(x, index)];
    }
    call->out[0] = y;
}

static void run_gather(ref_call *call)
{
    const ref_tensor *x = call->in[0], *indices = call->in[1];
    const size_t axis = ref_axis(call, "axis", 0, x->rank);
    int64_t dims[QEFF_MAX_RANK], index[QEFF_MAX_RANK], from[QEFF_MAX_RANK];
    size_t rank = 0;
    for (size_t i = 0; i < axis; i++)
        dims[rank++] = x->dims[i];
    for (size_t i = 0; i < indices->rank; i++)
        dims[rank++] = indices->dims[i];
    for (size_t i = axis + 1; i < x->rank; i++)
        dims[rank++] = x->dims[i];
    ref_tensor y = ref_make(rank, dims);
    for (size_t i = 0; i < y.count; i++) {
        ref_unflatten(&y, i, index);
        const int64_t picked = (int64_t)indices->data[ref_flatten(indices, index + axis)];
        for (size_t d = 0; d < axis; d++)
            from[d] = index[d];
        from[axis] = picked < 0 ? picked + x->dims[axis] : picked;
        for (size_t d = axis + 1; d < x->rank; d++)
            from[d] = index[d - 1 + indices->rank];
        y.data[i] = x->data[ref_flatten(x, from)];
    }
    call->out[0] = y;
}

static void run_gather_elements(ref_call *call)
{
    const ref_tensor *x = call->in[0], *indices = call->in[1];
    const size_t axis = ref_axis(call, "axis", 0, x->rank);
    int64_t index[QEFF_MAX_RANK];
    ref_tensor y = ref_make(indices->rank, indices->dims);
    for (size_t i = 0; i < y.count; i++) {
        ref_unflatten(&y, i, index);
        const int64_t picked = (int64_t)indices->data[i];
        index[axis] = picked < 0 ? picked + x->dims[axis] : picked;
        y.data[i] = x->data[ref_flatten(x, index)];
    }
    call->out[0] = y;
}

static void run_expand(ref_call *call)
{
    const ref_tensor *x = call->in[0], *shape = call->in[1];
    const size_t rank = x->rank > shape->count ? x->rank : shape->count;
    int64_t dims[QEFF_MAX_RANK], index[QEFF_MAX_RANK];
    for (size_t d = 0; d < rank; d++) {
        const int64_t a = d + x->rank >= rank ? x->dims[d + x->rank - rank] : 1;
        const int64_t b =
            d + shape->count >= rank ? (int64_t)shape->data[d + shape->count - rank] : 1;
        dims[d] = a == 1 ? b : a;
    }
    ref_tensor y = ref_make(rank, dims);
    for (size_t i = 0; i < y.count; i++) {
        ref_unflatten(&y, i, index);
        y.data[i] = ref_broadcast(x, index, rank);
    }
    call->out[0] = y;
}

static void run_shape(ref_call *call)
{
    const int64_t rank = (int64_t)call->in[0]->rank;
    int64_t start = qeff_node_int(call->node, "start", 0);
    int64_t end = qeff_node_int(call->node, "end", rank);
    if (start < 0) start += rank;
    if (end < 0) end += rank;
    const int64_t n = end - start;
    call->out[0] = ref_make(1, &n);
    for (int64_t i = 0; i < n; i++)
        call->out[0].data[i] = (double)call->in[0]->dims[start + i];
}

static void run_constant_of_shape(ref_call *call)
{
    const qeff_attribute *value = qeff_node_find_attribute(call->node, "value");
    int64_t dims[QEFF_MAX_RANK];
    for (size_t i = 0; i < call->in[0]->count; i++)
        dims[i] = (int64_t)call->in[0]->data[i];
    call->out[0] = ref_make(call->in[0]->count, dims);
    for (size_t i = 0; i < call->out[0].count && value; i++)
        call->out[0].data[i] = value->kind == QEFF_ATTRIBUTE_FLOAT ? value->f : (double)value->i;
}

static void run_range(ref_call *call)
{
    const double start = call->in[0]->data[0], step = call->in[2]->data[0];
    const int64_t n = (int64_t)fmax(0, ceil((call->in[1]->data[0] - start) / step));
    call->out[0] = ref_make(1, &n);
    for (int64_t i = 0; i < n; i++)
        call->out[0].data[i] = start + (double)i * step;
}

bool ref_run_layout(ref_call *call)
{
    static const struct {
        qeff_op op;
        void (*run)(ref_call *call);
    } ops[] = {
        {QEFF_OP_TRANSPOSE, run_transpose},
        {QEFF_OP_RESHAPE, run_reshape},
        {QEFF_OP_FLATTEN, run_flatten},
        {QEFF_OP_SQUEEZE, run_squeeze},
        {QEFF_OP_UNSQUEEZE, run_unsqueeze},
        {QEFF_OP_CONCAT, run_concat},
        {QEFF_OP_SPLIT, run_split},
        {QEFF_OP_SLICE, run_slice},
        {QEFF_OP_GATHER, run_gather},
        {QEFF_OP_GATHER_ELEMENTS, run_gather_elements},
        {QEFF_OP_EXPAND, run_expand},
        {QEFF_OP_SHAPE, run_shape},
        {QEFF_OP_CONSTANT_OF_SHAPE, run_constant_of_shape},
        {QEFF_OP_RANGE, run_range},
    };
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (ops[i].op == call->node->op) {
            ops[i].run(call);
            return true;
        }
    return false;
}
