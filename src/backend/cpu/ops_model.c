/* ops_model.c - composites that see sequences: attention with a padding mask, positions, pooling.
 *
 * Rows that the mask hides are left out, as in a ragged program, so both kinds of program run the
 * same kernels on the same rows. A sequence without tokens attends to nothing: its rows, and what
 * is pooled from it, are zeros. */
#include "backend/cpu/ops.h"

#include "base/checked.h"
#include "base/span.h"

/* Packs rows [T, n] of one sequence that count; returns how many. */
static size_t pack_rows(const qeff_array *mask, size_t sequence, const float *x, size_t n,
                        float *out, int32_t *positions)
{
    const size_t length = (size_t)mask->dims[1];
    size_t rows = 0;
    for (size_t t = 0; t < length; t++) {
        if (qeff_array_int(mask, sequence * length + t) == 0) continue;
        memcpy(out + rows * n, x + t * n, n * sizeof *out);
        if (positions) positions[rows] = (int32_t)t;
        rows++;
    }
    return rows;
}

/* x [B, T, H] and mask [B, T]. */
static qeff_status check_sequences(const qeff_op_run *r, size_t mask, qeff_error *err)
{
    const qeff_array *x = r->inputs[0], *m = r->inputs[mask];
    QEFF_TRY(qeff_run_expect(r, 0, QEFF_DTYPE_F32, err));
    QEFF_TRY(qeff_run_expect_rank(r, 0, 3, err));
    QEFF_TRY(qeff_run_expect_rank(r, mask, 2, err));
    if (m->dtype == QEFF_DTYPE_F32 || m->dims[0] != x->dims[0] || m->dims[1] != x->dims[1] ||
        x->dims[1] > INT32_MAX)
        return qeff_fail(err, QEFF_ERR_INVALID, "the mask is not [%lld, %lld] integers",
                         (long long)x->dims[0], (long long)x->dims[1]);
    return QEFF_OK;
}

typedef struct heads {
    size_t batch, length, width, head_dim, n_heads;
    float *k, *v, *scratch;
    float scale;
} heads;

static void attend(qeff_op_run *r, const heads *h, size_t sequence)
{
    const size_t first = sequence * h->length * h->width;
    const qeff_array *mask = r->inputs[3];
    const size_t n =
        pack_rows(mask, sequence, (const float *)r->inputs[1]->data + first, h->width, h->k, NULL);
    (void)pack_rows(mask, sequence, (const float *)r->inputs[2]->data + first, h->width, h->v,
                    NULL);
    for (size_t head = 0; head < h->n_heads && n > 0; head++) {
        const size_t column = head * h->head_dim;
        const qeff_attention a = {.n_queries = h->length,
                                  .n_keys = n,
                                  .head_dim = h->head_dim,
                                  .q = (const float *)r->inputs[0]->data + first + column,
                                  .k = h->k + column,
                                  .v = h->v + column,
                                  .q_stride = h->width,
                                  .k_stride = h->width,
                                  .v_stride = h->width,
                                  .scale = h->scale,
                                  .y = (float *)r->outputs[0]->data + first + column,
                                  .y_stride = h->width,
                                  .scratch = h->scratch};
        r->kernels->attention_f32(&a);
    }
}

/* Bounds the products in qeff_attention_scratch(). */
static bool measure_scratch(const heads *h, size_t *floats)
{
    size_t product = 0;
    if (!qeff_mul_size(h->length + 2 * QEFF_PANEL, h->head_dim + 2 * QEFF_PANEL, &product) ||
        product > SIZE_MAX / 64)
        return false;
    *floats = qeff_attention_scratch(h->length, h->head_dim);
    return true;
}

qeff_status qeff_run_attention(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *q = r->inputs[0];
    const int64_t n_heads = qeff_node_int(r->node, "n_heads", 1);
    size_t floats = 0;
    QEFF_TRY(check_sequences(r, 3, err));
    for (size_t i = 1; i < 3; i++)
        if (r->inputs[i]->dtype != QEFF_DTYPE_F32 || !qeff_array_same_dims(r->inputs[i], q))
            return qeff_fail(err, QEFF_ERR_INVALID, "operand %zu: not the shape of operand 0", i);
    if (n_heads < 1 || q->dims[2] % n_heads != 0)
        return qeff_fail(err, QEFF_ERR_INVALID, "%lld heads do not divide %lld columns",
                         (long long)n_heads, (long long)q->dims[2]);
    QEFF_TRY(qeff_run_make(r, 0, QEFF_DTYPE_F32, 3, q->dims, err));
    if (q->count == 0) return QEFF_OK;
    heads h = {.batch = (size_t)q->dims[0],
               .length = (size_t)q->dims[1],
               .width = (size_t)q->dims[2],
               .head_dim = (size_t)(q->dims[2] / n_heads),
               .n_heads = (size_t)n_heads,
               .scale = (float)qeff_node_float(r->node, "scale", 1.0)};
    if (!measure_scratch(&h, &floats)) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "too large");
    h.k = qeff_run_scratch(r, h.length * h.width, sizeof(float), err);
    h.v = qeff_run_scratch(r, h.length * h.width, sizeof(float), err);
    h.scratch = qeff_run_scratch(r, floats, sizeof(float), err);
    if (!h.k || !h.v || !h.scratch) return QEFF_ERR_NO_MEMORY;
    memset(r->outputs[0]->data, 0, q->count * sizeof(float));
    for (size_t i = 0; i < h.batch; i++)
        attend(r, &h, i);
    return QEFF_OK;
}

qeff_status qeff_run_position_ids(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *ids = r->inputs[0];
    const int64_t n_positions = qeff_node_int(r->node, "n_positions", 0);
    QEFF_TRY(qeff_run_expect_rank(r, 0, 2, err));
    if (ids->dims[1] > n_positions)
        return qeff_fail(err, QEFF_ERR_CAPACITY, "expected at most %lld positions, found %lld",
                         (long long)n_positions, (long long)ids->dims[1]);
    const int64_t dims[] = {1, ids->dims[1]};
    QEFF_TRY(qeff_run_make(r, 0, QEFF_DTYPE_I64, 2, dims, err));
    for (int64_t t = 0; t < dims[1]; t++)
        ((int64_t *)r->outputs[0]->data)[t] = t;
    return QEFF_OK;
}

static bool find_mode(qeff_str mode, qeff_pool_mode *out)
{
    static const char *const names[QEFF_POOL_COUNT] = {
        "cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"};
    for (int i = 0; i < QEFF_POOL_COUNT; i++)
        if (qeff_str_is(mode, names[i])) {
            *out = (qeff_pool_mode)i;
            return true;
        }
    return false;
}

qeff_status qeff_run_pool(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0];
    qeff_pool p = {.mode = QEFF_POOL_MEAN};
    QEFF_TRY(check_sequences(r, 1, err));
    if (!find_mode(qeff_node_str(r->node, "mode", "mean"), &p.mode))
        return qeff_fail(err, QEFF_ERR_INVALID, "unknown mode");
    const size_t length = (size_t)x->dims[1], width = (size_t)x->dims[2];
    const int64_t dims[] = {x->dims[0], x->dims[2]};
    QEFF_TRY(qeff_run_make(r, 0, QEFF_DTYPE_F32, 2, dims, err));
    if (r->outputs[0]->count == 0) return QEFF_OK;
    float *rows = qeff_run_scratch(r, length * width, sizeof *rows, err);
    int32_t *positions = qeff_run_scratch(r, length, sizeof *positions, err);
    if (!rows || !positions) return QEFF_ERR_NO_MEMORY;
    p.n = p.x_stride = width;
    p.x = rows;
    p.positions = positions;
    for (size_t i = 0; i < (size_t)dims[0]; i++) {
        float *y = (float *)r->outputs[0]->data + i * width;
        p.n_rows = pack_rows(r->inputs[1], i, (const float *)x->data + i * length * width, width,
                             rows, positions);
        if (p.n_rows > 0)
            r->kernels->pool_f32(y, &p);
        else
            memset(y, 0, width * sizeof *y);
    }
    return QEFF_OK;
}
