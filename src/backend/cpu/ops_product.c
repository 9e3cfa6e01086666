/* ops_product.c - products of matrices.
 *
 * f32 goes through the GEMM kernel: the right operand is packed into panels, once for a constant
 * (interpret.c), per call otherwise. Integers, which graphs use for shapes, take plain loops. */
#include "backend/cpu/ops.h"

#include "base/checked.h"

/* One product [M, K] x [K, N]; the right operand by strides. */
typedef struct product {
    size_t m, k, n;
    const float *x;
    const float *w;
    size_t n_stride, k_stride;
    float *y;
} product;

static float *take_panels(qeff_op_run *r, size_t n, size_t k, qeff_error *err)
{
    size_t floats = 0;
    if (!qeff_mul_size(qeff_gemm_panels(n) * QEFF_PANEL, k, &floats)) floats = SIZE_MAX;
    return qeff_run_scratch(r, floats, sizeof(float), err);
}

static void multiply(const qeff_op_run *r, const product *p, const float *panels, const float *bias)
{
    const qeff_gemm g = {.n_rows = p->m,
                         .n_in = p->k,
                         .n_out = p->n,
                         .x = p->x,
                         .x_stride = p->k,
                         .panels = panels,
                         .bias = bias,
                         .y = p->y,
                         .y_stride = p->n};
    if (p->m && p->n && p->k) r->kernels->gemm_f32(&g, 0, qeff_gemm_panels(p->n));
    for (size_t i = 0; p->k == 0 && i < p->m * p->n; i++) /* kernels take sizes of 1 and more */
        p->y[i] = bias ? bias[i % p->n] : 0.0F;
}

/* --- matmul -------------------------------------------------------------------------------------
 */

/* Operands as stacks of matrices: vectors count as [1, K] and [K, 1]. */
typedef struct stacks {
    qeff_array x, y; /* batch dims only: what is broadcast */
    size_t m, k, n;
    size_t rank;
    int64_t dims[QEFF_MAX_RANK];
} stacks;

static qeff_array batch_of(const qeff_array *a)
{
    qeff_array batch = *a;
    batch.rank = a->rank > 2 ? a->rank - 2 : 0;
    batch.count = qeff_dims_product(a, 0, batch.rank);
    return batch;
}

static qeff_status stack(const qeff_op_run *r, stacks *s, qeff_error *err)
{
    const qeff_array *x = r->inputs[0], *y = r->inputs[1];
    if (x->rank == 0 || y->rank == 0)
        return qeff_fail(err, QEFF_ERR_INVALID, "product of a scalar");
    *s = (stacks){.x = batch_of(x), .y = batch_of(y)};
    s->m = x->rank > 1 ? (size_t)x->dims[x->rank - 2] : 1;
    s->k = (size_t)x->dims[x->rank - 1];
    s->n = y->rank > 1 ? (size_t)y->dims[y->rank - 1] : 1;
    const int64_t inner = y->dims[y->rank > 1 ? y->rank - 2 : 0];
    if ((int64_t)s->k != inner)
        return qeff_fail(err, QEFF_ERR_INVALID, "inner dimensions are %zu and %lld", s->k,
                         (long long)inner);
    if (!qeff_dims_broadcast(&s->x, &s->rank, s->dims) ||
        !qeff_dims_broadcast(&s->y, &s->rank, s->dims))
        return qeff_fail(err, QEFF_ERR_INVALID, "operands do not broadcast");
    if (s->rank + 2 > QEFF_MAX_RANK)
        return qeff_fail(err, QEFF_ERR_INVALID, "rank %zu is over %d", s->rank + 2, QEFF_MAX_RANK);
    return QEFF_OK;
}

/* Index of the matrices that go together, in the order of the result. */
static qeff_walk walk_stacks(const stacks *s)
{
    qeff_walk w;
    qeff_array out = {.rank = s->rank, .count = 1};
    for (size_t i = 0; i < s->rank; i++) {
        out.dims[i] = s->dims[i];
        out.count *= (size_t)s->dims[i];
    }
    const qeff_array *operands[] = {&s->x, &s->y};
    qeff_walk_init(&w, &out, operands, 2);
    return w;
}

static qeff_status multiply_floats(qeff_op_run *r, const stacks *s, qeff_error *err)
{
    float *scratch = NULL;
    const float *packed = NULL;
    float *y = r->outputs[0]->data;
    if (!r->panels) {
        scratch = take_panels(r, s->n, s->k, err);
        if (!scratch) return QEFF_ERR_NO_MEMORY;
    }
    qeff_walk w = walk_stacks(s);
    for (size_t row = 0; row < w.n_rows; row++, qeff_walk_next(&w))
        for (size_t i = 0; i < w.inner; i++, y += s->m * s->n) {
            const size_t at = w.at[1] + i * w.step[1];
            const product p = {.m = s->m,
                               .k = s->k,
                               .n = s->n,
                               .x = (const float *)r->inputs[0]->data +
                                    (w.at[0] + i * w.step[0]) * s->m * s->k,
                               .w = (const float *)r->inputs[1]->data + at * s->k * s->n,
                               .y = y};
            if (!r->panels && packed != p.w) qeff_pack_panels(p.w, 1, s->n, s->n, s->k, scratch);
            packed = p.w;
            multiply(r, &p, r->panels ? r->panels : scratch, NULL);
        }
    return QEFF_OK;
}

static int64_t dot_integers(const qeff_op_run *r, const stacks *s, size_t x, size_t y)
{
    uint64_t sum = 0; /* wraps */
    for (size_t k = 0; k < s->k; k++)
        sum += (uint64_t)qeff_array_int(r->inputs[0], x + k) *
               (uint64_t)qeff_array_int(r->inputs[1], y + k * s->n);
    return (int64_t)sum;
}

static void multiply_integers(qeff_op_run *r, const stacks *s)
{
    qeff_walk w = walk_stacks(s);
    size_t at = 0;
    for (size_t row = 0; row < w.n_rows; row++, qeff_walk_next(&w))
        for (size_t i = 0; i < w.inner; i++)
            for (size_t m = 0; m < s->m; m++)
                for (size_t n = 0; n < s->n; n++, at++) {
                    const size_t x = ((w.at[0] + i * w.step[0]) * s->m + m) * s->k;
                    const size_t y = (w.at[1] + i * w.step[1]) * s->k * s->n + n;
                    const int64_t v = dot_integers(r, s, x, y);
                    if (r->outputs[0]->dtype == QEFF_DTYPE_I64)
                        ((int64_t *)r->outputs[0]->data)[at] = v;
                    else
                        ((int32_t *)r->outputs[0]->data)[at] = (int32_t)v;
                }
}

qeff_status qeff_run_matmul(qeff_op_run *r, qeff_error *err)
{
    stacks s;
    int64_t dims[QEFF_MAX_RANK];
    const qeff_dtype dtype = r->inputs[0]->dtype;
    QEFF_TRY(qeff_run_expect(r, 1, dtype, err));
    QEFF_TRY(stack(r, &s, err));
    size_t rank = s.rank;
    memcpy(dims, s.dims, sizeof dims);
    if (r->inputs[0]->rank > 1) dims[rank++] = (int64_t)s.m;
    if (r->inputs[1]->rank > 1) dims[rank++] = (int64_t)s.n;
    QEFF_TRY(qeff_run_make(r, 0, dtype, rank, dims, err));
    if (dtype == QEFF_DTYPE_F32) return multiply_floats(r, &s, err);
    if (dtype == QEFF_DTYPE_BOOL) return qeff_fail(err, QEFF_ERR_INVALID, "product of bool");
    multiply_integers(r, &s);
    return QEFF_OK;
}

/* --- linear -------------------------------------------------------------------------------------
 */

/* A bias as long as the kernel reads it: padded to a multiple of 16. */
static qeff_status pad_bias(qeff_op_run *r, size_t n, const float **out, qeff_error *err)
{
    *out = NULL;
    if (!qeff_run_has(r, 2)) return QEFF_OK;
    const size_t slots = qeff_gemm_panels(n) * QEFF_PANEL;
    QEFF_TRY(qeff_run_expect(r, 2, QEFF_DTYPE_F32, err));
    if (r->inputs[2]->count != n)
        return qeff_fail(err, QEFF_ERR_INVALID, "bias of %zu elements, expected %zu",
                         r->inputs[2]->count, n);
    float *bias = qeff_run_scratch(r, slots, sizeof *bias, err);
    if (!bias) return QEFF_ERR_NO_MEMORY;
    memset(bias, 0, slots * sizeof *bias);
    memcpy(bias, r->inputs[2]->data, n * sizeof *bias);
    *out = bias;
    return QEFF_OK;
}

qeff_status qeff_run_linear(qeff_op_run *r, qeff_error *err)
{
    const qeff_array *x = r->inputs[0], *w = r->inputs[1];
    int64_t dims[QEFF_MAX_RANK];
    const float *bias = NULL, *panels = r->panels;
    QEFF_TRY(qeff_run_expect(r, 0, QEFF_DTYPE_F32, err));
    QEFF_TRY(qeff_run_expect(r, 1, QEFF_DTYPE_F32, err));
    QEFF_TRY(qeff_run_expect_rank(r, 1, 2, err));
    if (x->rank == 0 || x->dims[x->rank - 1] != w->dims[1])
        return qeff_fail(err, QEFF_ERR_INVALID, "inner dimensions differ");
    memcpy(dims, x->dims, sizeof dims);
    dims[x->rank - 1] = w->dims[0];
    const product p = {.m = qeff_dims_product(x, 0, x->rank - 1),
                       .k = (size_t)w->dims[1],
                       .n = (size_t)w->dims[0],
                       .x = x->data};
    QEFF_TRY(qeff_run_make(r, 0, QEFF_DTYPE_F32, x->rank, dims, err));
    QEFF_TRY(pad_bias(r, p.n, &bias, err));
    if (!panels) {
        float *scratch = take_panels(r, p.n, p.k, err);
        if (!scratch) return QEFF_ERR_NO_MEMORY;
        qeff_pack_panels(w->data, p.k, 1, p.n, p.k, scratch);
        panels = scratch;
    }
    product out = p;
    out.y = r->outputs[0]->data;
    multiply(r, &out, panels, bias);
    return QEFF_OK;
}

/* --- gemm: alpha A' B' + beta C -----------------------------------------------------------------
 */

static qeff_status add_scaled(qeff_op_run *r, float alpha, float beta, qeff_error *err)
{
    qeff_array *y = r->outputs[0];
    float *out = y->data;
    for (size_t i = 0; alpha != 1.0F && i < y->count; i++)
        out[i] *= alpha;
    if (!qeff_run_has(r, 2)) return QEFF_OK;
    qeff_walk w;
    size_t rank = y->rank;
    int64_t dims[QEFF_MAX_RANK];
    memcpy(dims, y->dims, sizeof dims);
    QEFF_TRY(qeff_run_expect(r, 2, QEFF_DTYPE_F32, err));
    if (!qeff_dims_broadcast(r->inputs[2], &rank, dims) || rank != 2 || dims[0] != y->dims[0] ||
        dims[1] != y->dims[1])
        return qeff_fail(err, QEFF_ERR_INVALID, "operand 2 does not broadcast to the product");
    qeff_walk_init(&w, y, &r->inputs[2], 1);
    for (size_t row = 0; row < w.n_rows; row++, qeff_walk_next(&w))
        for (size_t i = 0; i < w.inner; i++)
            *out++ += beta * ((const float *)r->inputs[2]->data)[w.at[0] + i * w.step[0]];
    return QEFF_OK;
}

/* The left operand as [M, K], transposed into scratch where that is asked for. */
static const float *
left_rows(qeff_op_run *r, size_t m, size_t k, bool is_transposed, qeff_error *err)
{
    const float *a = r->inputs[0]->data;
    if (!is_transposed) return a;
    float *rows = qeff_run_scratch(r, r->inputs[0]->count, sizeof *rows, err);
    for (size_t i = 0; rows && i < m; i++)
        for (size_t j = 0; j < k; j++)
            rows[i * k + j] = a[j * m + i];
    return rows;
}

qeff_status qeff_run_gemm(qeff_op_run *r, qeff_error *err)
{
    const bool a_turned = qeff_node_int(r->node, "transA", 0) != 0;
    const bool b_turned = qeff_node_int(r->node, "transB", 0) != 0;
    const float *panels = r->panels;
    for (size_t i = 0; i < 2; i++) {
        QEFF_TRY(qeff_run_expect(r, i, QEFF_DTYPE_F32, err));
        QEFF_TRY(qeff_run_expect_rank(r, i, 2, err));
    }
    const int64_t *a = r->inputs[0]->dims, *b = r->inputs[1]->dims;
    product p = {.m = (size_t)a[a_turned ? 1 : 0],
                 .k = (size_t)a[a_turned ? 0 : 1],
                 .n = (size_t)b[b_turned ? 0 : 1]};
    if (b[b_turned ? 1 : 0] != (int64_t)p.k)
        return qeff_fail(err, QEFF_ERR_INVALID, "inner dimensions differ");
    const int64_t dims[] = {(int64_t)p.m, (int64_t)p.n};
    QEFF_TRY(qeff_run_make(r, 0, QEFF_DTYPE_F32, 2, dims, err));
    p.x = left_rows(r, p.m, p.k, a_turned, err);
    if (!p.x && p.m && p.k) return QEFF_ERR_NO_MEMORY;
    if (!panels) {
        float *scratch = take_panels(r, p.n, p.k, err);
        if (!scratch) return QEFF_ERR_NO_MEMORY;
        qeff_pack_panels(r->inputs[1]->data, b_turned ? p.k : 1, b_turned ? 1 : p.n, p.n, p.k,
                         scratch);
        panels = scratch;
    }
    p.y = r->outputs[0]->data;
    multiply(r, &p, panels, NULL);
    return add_scaled(r, (float)qeff_node_float(r->node, "alpha", 1.0),
                      (float)qeff_node_float(r->node, "beta", 1.0), err);
}
