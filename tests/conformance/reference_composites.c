/* reference_composites.c - composites by their formulas. A sequence without tokens gives zeros. */
#include "conformance/reference.h"

#include "base/span.h"

#include <math.h>

static void run_linear(ref_call *call)
{
    const ref_tensor *x = call->in[0], *w = call->in[1];
    const size_t k = (size_t)w->dims[1], n = (size_t)w->dims[0];
    int64_t dims[QEFF_MAX_RANK];
    memcpy(dims, x->dims, sizeof dims);
    dims[x->rank - 1] = w->dims[0];
    ref_tensor y = ref_make(x->rank, dims);
    for (size_t i = 0; i < y.count; i++) {
        const double *row = x->data + i / n * k, *weights = w->data + i % n * k;
        y.data[i] = ref_has(call, 2) ? call->in[2]->data[i % n] : 0.0;
        for (size_t j = 0; j < k; j++)
            y.data[i] += row[j] * weights[j];
    }
    call->out[0] = y;
}

static void run_activation(ref_call *call)
{
    const bool is_silu = call->node->op == QEFF_OP_SILU;
    const bool is_tanh = qeff_str_is(qeff_node_str(call->node, "approximate", "none"), "tanh");
    call->out[0] = ref_make(call->in[0]->rank, call->in[0]->dims);
    for (size_t i = 0; i < call->in[0]->count; i++) {
        const double x = call->in[0]->data[i];
        double y = 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
        if (is_tanh)
            y = 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
        if (is_silu) y = x / (1.0 + exp(-x));
        call->out[0].data[i] = y;
    }
}

static void run_attention(ref_call *call)
{
    const ref_tensor *q = call->in[0], *k = call->in[1], *v = call->in[2], *mask = call->in[3];
    const size_t n_heads = (size_t)qeff_node_int(call->node, "n_heads", 1);
    const double scale = qeff_node_float(call->node, "scale", 1.0);
    const size_t length = (size_t)q->dims[1], width = (size_t)q->dims[2], head = width / n_heads;
    ref_tensor y = ref_make(3, q->dims);
    for (size_t i = 0; i < y.count; i++) {
        const size_t row = i / width, sequence = row / length, first = i % width / head * head;
        double sum = 0.0, value = 0.0;
        for (size_t t = 0; t < length; t++) {
            const size_t other = sequence * length + t;
            double score = 0.0;
            if (mask->data[other] == 0.0) continue;
            for (size_t d = 0; d < head; d++)
                score += q->data[row * width + first + d] * k->data[other * width + first + d];
            sum += exp(score * scale);
            value += exp(score * scale) * v->data[other * width + i % width];
        }
        y.data[i] = sum > 0.0 ? value / sum : 0.0;
    }
    call->out[0] = y;
}

static void run_position_ids(ref_call *call)
{
    const int64_t dims[] = {1, call->in[0]->dims[1]};
    call->out[0] = ref_make(2, dims);
    for (int64_t t = 0; t < dims[1]; t++)
        call->out[0].data[t] = (double)t;
}

static void run_pool(ref_call *call)
{
    const ref_tensor *x = call->in[0], *mask = call->in[1];
    const qeff_str mode = qeff_node_str(call->node, "mode", "");
    const size_t length = (size_t)x->dims[1], width = (size_t)x->dims[2];
    const int64_t dims[] = {x->dims[0], x->dims[2]};
    ref_tensor y = ref_make(2, dims);
    for (size_t i = 0; i < y.count; i++) {
        double sum = 0.0, total = 0.0, first = 0.0, last = 0.0, most = -(double)INFINITY;
        for (size_t t = 0; t < length; t++) {
            const size_t row = i / width * length + t;
            const double v = x->data[row * width + i % width];
            if (mask->data[row] == 0.0) continue;
            const double weight = qeff_str_is(mode, "weightedmean") ? (double)t + 1.0 : 1.0;
            if (total == 0.0) first = v;
            last = v;
            if (v > most) most = v;
            sum += weight * v;
            total += weight;
        }
        if (total == 0.0) continue;
        y.data[i] = sum / total;
        if (qeff_str_is(mode, "mean_sqrt_len_tokens")) y.data[i] = sum / sqrt(total);
        if (qeff_str_is(mode, "cls")) y.data[i] = first;
        if (qeff_str_is(mode, "lasttoken")) y.data[i] = last;
        if (qeff_str_is(mode, "max")) y.data[i] = most;
    }
    call->out[0] = y;
}

static void run_l2_normalize(ref_call *call)
{
    const ref_tensor *x = call->in[0];
    const size_t n = (size_t)x->dims[x->rank - 1];
    const double eps = qeff_node_float(call->node, "epsilon", 1e-12);
    call->out[0] = ref_make(x->rank, x->dims);
    for (size_t at = 0; n && at < x->count; at += n) {
        double squares = 0.0;
        for (size_t i = 0; i < n; i++)
            squares += x->data[at + i] * x->data[at + i];
        for (size_t i = 0; i < n; i++)
            call->out[0].data[at + i] = x->data[at + i] / fmax(sqrt(squares), eps);
    }
}

static void run_rms_norm(ref_call *call)
{
    const ref_tensor *x = call->in[0];
    const size_t n = (size_t)x->dims[x->rank - 1];
    const double eps = qeff_node_float(call->node, "epsilon", 1e-5);
    call->out[0] = ref_make(x->rank, x->dims);
    for (size_t at = 0; n && at < x->count; at += n) {
        double squares = 0.0;
        for (size_t i = 0; i < n; i++)
            squares += x->data[at + i] * x->data[at + i];
        for (size_t i = 0; i < n; i++)
            call->out[0].data[at + i] =
                x->data[at + i] / sqrt(squares / (double)n + eps) * call->in[1]->data[i];
    }
}

bool ref_run_composite(ref_call *call)
{
    switch ((int)call->node->op) {
    case QEFF_OP_LINEAR:
        run_linear(call);
        return true;
    case QEFF_OP_GELU:
    case QEFF_OP_SILU:
        run_activation(call);
        return true;
    case QEFF_OP_ATTENTION:
        run_attention(call);
        return true;
    case QEFF_OP_POSITION_IDS:
        run_position_ids(call);
        return true;
    case QEFF_OP_POOL:
        run_pool(call);
        return true;
    case QEFF_OP_RMS_NORM:
        run_rms_norm(call);
        return true;
    case QEFF_OP_L2_NORMALIZE:
        run_l2_normalize(call);
        return true;
    }
    return false;
}
