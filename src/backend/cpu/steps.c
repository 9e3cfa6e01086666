/* steps.c - one step over the rows of a chunk: the kernels, called on this worker's share.
 *
 * Linears are shared by panels of output columns, attention by sequence and head, the rest by rows.
 * A row's bits do not depend on the share it falls into, since kernels promise that. */
#include "backend/cpu/steps.h"

#include "base/span.h"

enum { CACHE_LINE = 64, TOKENS_AHEAD = 3 };

typedef struct range {
    size_t first, last;
} range;

static range share_of(const qeff_step_call *c, size_t n)
{
    return (range){n * c->part / c->n_parts, n * (c->part + 1) / c->n_parts};
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static float *rows_at(const qeff_step_call *c, qeff_view view, size_t *stride)
{
    const qeff_plan_value *value = &c->plan->values[view.value];
    *stride = value->stride;
    return c->workspace.slots[value->slot] + view.column;
}

const float *qeff_step_rows(const qeff_step_call *call, qeff_view view, size_t *stride)
{
    return rows_at(call, view, stride);
}

static size_t count_rows(const qeff_step_call *c, qeff_view view)
{
    return c->plan->values[view.value].rows == QEFF_ROWS_TOKEN ? c->chunk->n_tokens
                                                               : c->chunk->n_sequences;
}

static const float *vector_at(const qeff_step_call *c, int32_t constant)
{
    return constant < 0 ? NULL : c->plan->constants[constant].data;
}

int64_t qeff_input_element(const void *data, qeff_dtype dtype, size_t index)
{
    const uint8_t *bytes = data;
    if (dtype == QEFF_DTYPE_I32) return (int32_t)qeff_load_u32le(bytes + 4 * index);
    return (int64_t)qeff_load_u64le(bytes + 8 * index);
}

/* Bytes of the table row that a term gives to a token of the call. */
static const void *term_row(const qeff_step_call *c, const qeff_term *term, size_t token)
{
    const qeff_constant *table = &c->plan->constants[term->constant];
    size_t row = 0;
    if (term->by == QEFF_TERM_POSITION)
        row = (size_t)c->batch->positions[token];
    else if (term->by == QEFF_TERM_INPUT)
        row = (size_t)qeff_input_element(c->batch->inputs[term->input],
                                         c->plan->inputs[term->input].dtype,
                                         c->batch->elements[token]);
    return (const uint8_t *)table->data + row * table->columns * qeff_dtype_size(table->dtype);
}

/* Rows of the vocabulary lie anywhere in memory: they are asked for some tokens ahead. */
static void prefetch_terms(const qeff_step_call *c, const qeff_step *s, size_t token)
{
    for (size_t i = 0; i < s->n_terms; i++) {
        if (s->terms[i].by != QEFF_TERM_INPUT) continue;
        const qeff_constant *table = &c->plan->constants[s->terms[i].constant];
        const char *row = term_row(c, &s->terms[i], token);
        for (size_t at = 0; at < table->columns * qeff_dtype_size(table->dtype); at += CACHE_LINE)
            __builtin_prefetch(row + at);
    }
}

static void run_embed(const qeff_step_call *c, const qeff_step *s)
{
    size_t stride;
    float *out = rows_at(c, s->out, &stride);
    const range rows = share_of(c, c->chunk->n_tokens);
    for (size_t t = rows.first; t < rows.last; t++) {
        float *y = out + t * stride;
        if (t + TOKENS_AHEAD < rows.last)
            prefetch_terms(c, s, c->chunk->first_token + t + TOKENS_AHEAD);
        for (size_t i = 0; i < s->n_terms; i++)
            c->kernels->add_row_f32(y, term_row(c, &s->terms[i], c->chunk->first_token + t),
                                    s->out.width, c->plan->constants[s->terms[i].constant].dtype,
                                    i == 0);
        if (s->gamma >= 0)
            c->kernels->layer_norm_f32(y, y, vector_at(c, s->gamma), vector_at(c, s->beta),
                                       s->out.width, (float)s->eps);
    }
}

/* Rows that a linear quantises at a time: a multiple of the heights of tiles, 4, 6 and 9. Room lies
 * between them as in qeff_plan_stride(). */
enum { QUANTIZED_ROWS = 36 };

/* The scratch of a worker holds the rows that a linear packs, then those that it quantises. */
size_t qeff_packed_scratch(const qeff_plan *plan, size_t n_rows)
{
    const size_t packed = plan->max_words ? n_rows * qeff_plan_stride(plan->max_words) : 0;
    const size_t quantized = smaller(n_rows, QUANTIZED_ROWS) * qeff_plan_stride(plan->max_block);
    return packed + (plan->max_block ? quantized : 0);
}

/* Columns [first, first + n) of rows of u8 that are `width` wide, a block of them. */
typedef struct block {
    size_t width, block, first, n;
} block;

/* From floats at q->x, with the factors of the whole row. */
static void quantize_block(const qeff_kernels *kernels, qeff_quantize q, block b)
{
    const size_t index = b.block ? b.first / b.block : 0;
    int32_t *scales = q.y + qeff_numbers_groups(QEFF_NUMBERS_I8, b.width);
    q.n = b.n;
    q.factor += b.first;
    q.scale = (float *)(void *)(scales + index);
    q.zero = scales + qeff_blocks(b.width, b.block) + index;
    q.scale_stride = q.y_stride;
    q.y += b.first / 4;
    kernels->quantize_u8(&q);
}

/* Workers that share the step pack all rows each: less work than waiting for one another. */
static void
pack_rows(const qeff_step_call *c, const qeff_step *s, size_t n_rows, int32_t *out, size_t stride)
{
    qeff_quantize q = {
        .n_rows = n_rows, .factor = vector_at(c, s->factor), .y = out, .y_stride = stride};
    const float *x = rows_at(c, s->x, &q.x_stride);
    const size_t width = s->x.width, step = s->block ? s->block : width;
    for (size_t first = 0; first < width && qeff_numbers_are_i8(s->numbers); first += step) {
        q.x = x + first;
        quantize_block(c->kernels, q,
                       (block){width, s->block, first, smaller(step, width - first)});
    }
    for (size_t row = 0; row < n_rows && !qeff_numbers_are_i8(s->numbers); row++)
        c->kernels->round_row_bf16((uint16_t *)(void *)(out + row * stride), x + row * q.x_stride,
                                   width);
}

/* The rows of x in groups, in the workspace already or packed now. */
static const int32_t *
packed_rows(const qeff_step_call *c, const qeff_step *s, size_t n_rows, size_t *stride)
{
    int32_t *rows = (int32_t *)(void *)c->workspace.scratch;
    if (c->plan->values[s->x.value].block > 0)
        return (const int32_t *)(const void *)rows_at(c, s->x, stride);
    *stride = qeff_plan_stride(qeff_packed_words(s->numbers, s->x.width, s->block));
    pack_rows(c, s, n_rows, rows, *stride);
    return rows;
}

static qeff_gemm_packed make_packed_gemm(const qeff_step_call *c, const qeff_step *s, size_t n_rows)
{
    qeff_gemm_packed g = {.n_rows = n_rows,
                          .n_groups = qeff_numbers_groups(s->numbers, s->x.width),
                          .n_out = s->out.width,
                          .panels = c->plan->constants[s->weight].data,
                          .bias = vector_at(c, s->bias),
                          .activation = s->activation};
    g.x = packed_rows(c, s, n_rows, &g.x_stride);
    if (s->y.value >= 0) g.residual = rows_at(c, s->y, &g.residual_stride);
    if (!qeff_numbers_are_i8(s->numbers)) return g;
    g.block_groups = s->block / 4;
    g.x_scale = (const float *)(const void *)(g.x + g.n_groups);
    g.x_zero = g.x + g.n_groups + qeff_blocks(s->x.width, s->block);
    g.x_scale_stride = g.x_stride;
    g.w_scale = vector_at(c, s->w_scale);
    g.w_sum = c->plan->constants[s->w_sum].data;
    g.w_scale_stride = qeff_gemm_panels(g.n_out) * QEFF_PANEL;
    g.w_pairs_fit = s->numbers == QEFF_NUMBERS_I8_PAIRED;
    return g;
}

/* Rows [row, row + n_rows) and columns [column, column + n_out) of a product, into a buffer. */
static qeff_gemm_packed cut_gemm(const qeff_gemm_packed *g, size_t row, size_t n_rows,
                                 size_t column, size_t n_out, float *buffer)
{
    qeff_gemm_packed part = *g;
    part.n_rows = n_rows;
    part.n_out = n_out;
    part.x += row * g->x_stride;
    part.x_scale += row * g->x_scale_stride;
    part.x_zero += row * g->x_scale_stride;
    part.panels += column * g->n_groups;
    part.w_scale += column;
    part.w_sum += column;
    if (g->bias) part.bias += column;
    if (g->residual) part.residual += row * g->residual_stride + column;
    part.y = buffer;
    part.y_stride = qeff_plan_stride(n_out);
    return part;
}

/* A linear that writes u8. Some rows of a block at a time go through a buffer, which is still in
 * cache when they are quantised; workers share these pieces. */
static void
run_quantized_linear(const qeff_step_call *c, const qeff_step *s, size_t n_rows, float *buffer)
{
    const qeff_plan_value *value = &c->plan->values[s->out.value];
    const size_t n_parts = (n_rows + QUANTIZED_ROWS - 1) / QUANTIZED_ROWS;
    const range pieces = share_of(c, qeff_blocks(value->width, value->block) * n_parts);
    if (n_rows == 0 || pieces.first == pieces.last) return;
    const qeff_gemm_packed g = make_packed_gemm(c, s, n_rows);
    int32_t *out = (int32_t *)(void *)(c->workspace.slots[value->slot]);
    for (size_t i = pieces.first; i < pieces.last; i++) {
        const size_t column = i / n_parts * value->block, part = i % n_parts;
        const size_t row = part * n_rows / n_parts, end = (part + 1) * n_rows / n_parts;
        qeff_gemm_packed p = cut_gemm(&g, row, end - row, column,
                                      smaller(value->block, value->width - column), buffer);
        p.activation = QEFF_ACTIVATION_NONE; /* goes with the rounding */
        c->kernels->gemm_i8(&p, 0, qeff_gemm_panels(p.n_out));
        const qeff_quantize q = {.n_rows = p.n_rows,
                                 .x = p.y,
                                 .x_stride = p.y_stride,
                                 .activation = s->activation,
                                 .work = p.y,
                                 .factor = vector_at(c, s->out_factor),
                                 .y = out + row * value->stride,
                                 .y_stride = value->stride};
        quantize_block(c->kernels, q, (block){value->width, value->block, column, p.n_out});
    }
}

static void run_packed_linear(const qeff_step_call *c, const qeff_step *s)
{
    const range panels = share_of(c, qeff_gemm_panels(s->out.width));
    const size_t n_rows = count_rows(c, s->out);
    if (c->plan->values[s->out.value].block > 0) {
        const size_t words = c->plan->max_words;
        run_quantized_linear(c, s, n_rows,
                             c->workspace.scratch + (words ? n_rows * qeff_plan_stride(words) : 0));
        return;
    }
    if (n_rows == 0 || panels.first == panels.last) return;
    qeff_gemm_packed g = make_packed_gemm(c, s, n_rows);
    g.y = rows_at(c, s->out, &g.y_stride);
    if (qeff_numbers_are_i8(s->numbers))
        c->kernels->gemm_i8(&g, panels.first, panels.last - panels.first);
    else
        c->kernels->gemm_bf16(&g, panels.first, panels.last - panels.first);
}

static void run_linear(const qeff_step_call *c, const qeff_step *s)
{
    if (s->numbers != QEFF_NUMBERS_F32) {
        run_packed_linear(c, s);
        return;
    }
    qeff_gemm g = {.n_rows = count_rows(c, s->out),
                   .n_in = s->x.width,
                   .n_out = s->out.width,
                   .panels = c->plan->constants[s->weight].data,
                   .bias = vector_at(c, s->bias),
                   .activation = s->activation};
    g.x = rows_at(c, s->x, &g.x_stride);
    g.y = rows_at(c, s->out, &g.y_stride);
    if (s->y.value >= 0) g.residual = rows_at(c, s->y, &g.residual_stride);
    const range panels = share_of(c, qeff_gemm_panels(g.n_out));
    if (g.n_rows > 0 && panels.first < panels.last)
        c->kernels->gemm_f32(&g, panels.first, panels.last - panels.first);
}

static void run_attention(const qeff_step_call *c, const qeff_step *s)
{
    const size_t *offsets = c->batch->offsets + c->chunk->first_sequence;
    const size_t head_dim = s->x.width / s->n_heads;
    qeff_attention a = {
        .head_dim = head_dim, .scale = (float)s->scale, .scratch = c->workspace.scratch};
    const float *q = rows_at(c, s->x, &a.q_stride), *k = rows_at(c, s->y, &a.k_stride);
    const float *v = rows_at(c, s->z, &a.v_stride);
    float *y = rows_at(c, s->out, &a.y_stride);
    const bool is_one_query = c->plan->values[s->out.value].rows == QEFF_ROWS_SEQUENCE;
    const range units = share_of(c, c->chunk->n_sequences * s->n_heads);
    for (size_t unit = units.first; unit < units.last; unit++) {
        const size_t sequence = unit / s->n_heads, column = unit % s->n_heads * head_dim;
        const size_t row = offsets[sequence] - c->chunk->first_token;
        const size_t query = is_one_query ? sequence : row;
        a.n_keys = offsets[sequence + 1] - offsets[sequence];
        a.n_queries = is_one_query ? 1 : a.n_keys;
        a.q = q + query * a.q_stride + column;
        a.y = y + query * a.y_stride + column;
        if (a.n_keys == 0) {
            if (is_one_query) memset(a.y, 0, head_dim * sizeof *a.y);
            continue;
        }
        a.k = k + row * a.k_stride + column;
        a.v = v + row * a.v_stride + column;
        if (s->numbers == QEFF_NUMBERS_BF16)
            c->kernels->attention_bf16(&a);
        else
            c->kernels->attention_f32(&a);
    }
}

/* The first row of a sequence is its first column only where that is position 0. */
static bool starts_at_zero(const qeff_step_call *c, size_t token)
{
    return c->batch->positions[token] == 0;
}

/* Rows of sequences are the token that the pooling picks, already. */
static void run_pool(const qeff_step_call *c, const qeff_step *s)
{
    const size_t *offsets = c->batch->offsets + c->chunk->first_sequence;
    size_t stride;
    qeff_pool p = {.mode = s->kind == QEFF_STEP_FIRST ? QEFF_POOL_CLS : s->mode, .n = s->x.width};
    const float *x = rows_at(c, s->x, &p.x_stride);
    float *out = rows_at(c, s->out, &stride);
    const bool is_picked = c->plan->values[s->x.value].rows == QEFF_ROWS_SEQUENCE;
    const range sequences = share_of(c, c->chunk->n_sequences);
    for (size_t i = sequences.first; i < sequences.last; i++) {
        p.n_rows = offsets[i + 1] - offsets[i];
        if (is_picked && p.n_rows > 1) p.n_rows = 1;
        p.x = x + (is_picked ? i : offsets[i] - c->chunk->first_token) * p.x_stride;
        p.positions = c->batch->positions + offsets[i];
        if (p.n_rows == 0 || (s->kind == QEFF_STEP_FIRST && !starts_at_zero(c, offsets[i])))
            memset(out + i * stride, 0, p.n * sizeof *out);
        else
            c->kernels->pool_f32(out + i * stride, &p);
    }
}

static void
run_row(const qeff_step_call *c, const qeff_step *s, float *y, const float *x, const float *other)
{
    const qeff_kernels *kernels = c->kernels;
    const size_t n = s->out.width;
    switch (s->kind) {
    case QEFF_STEP_LAYER_NORM:
        kernels->layer_norm_f32(y, x, vector_at(c, s->gamma), vector_at(c, s->beta), n,
                                (float)s->eps);
        break;
    case QEFF_STEP_RMS_NORM:
        kernels->rms_norm_f32(y, x, vector_at(c, s->gamma), n, (float)s->eps);
        break;
    case QEFF_STEP_ACTIVATE:
        kernels->activate_f32(y, x, n, s->activation);
        break;
    case QEFF_STEP_ARITHMETIC:
        kernels->arithmetic_f32(y, x, other, n, s->arithmetic);
        break;
    case QEFF_STEP_ARITHMETIC_CONSTANT:
        other = vector_at(c, s->weight);
        kernels->arithmetic_f32(y, s->is_reversed ? other : x, s->is_reversed ? x : other, n,
                                s->arithmetic);
        break;
    case QEFF_STEP_L2_NORMALIZE:
        kernels->l2_normalize_f32(y, x, n, (float)s->eps);
        break;
    case QEFF_STEP_COPY:
        memcpy(y, x, n * sizeof *y);
        break;
    case QEFF_STEP_EMBED:
    case QEFF_STEP_LINEAR:
    case QEFF_STEP_ATTENTION:
    case QEFF_STEP_POOL:
    case QEFF_STEP_FIRST:
    case QEFF_STEP_COUNT:
        break;
    }
}

static void run_rows(const qeff_step_call *c, const qeff_step *s)
{
    size_t stride, x_stride, other_stride = 0;
    float *out = rows_at(c, s->out, &stride);
    const float *x = rows_at(c, s->x, &x_stride);
    const float *other = s->y.value >= 0 ? rows_at(c, s->y, &other_stride) : NULL;
    const range rows = share_of(c, count_rows(c, s->out));
    for (size_t i = rows.first; i < rows.last; i++)
        run_row(c, s, out + i * stride, x + i * x_stride, other ? other + i * other_stride : NULL);
}

void qeff_step_run(const qeff_step_call *call, const qeff_step *step)
{
    switch (step->kind) {
    case QEFF_STEP_EMBED:
        run_embed(call, step);
        break;
    case QEFF_STEP_LINEAR:
        run_linear(call, step);
        break;
    case QEFF_STEP_ATTENTION:
        run_attention(call, step);
        break;
    case QEFF_STEP_POOL:
    case QEFF_STEP_FIRST:
        run_pool(call, step);
        break;
    case QEFF_STEP_LAYER_NORM:
    case QEFF_STEP_RMS_NORM:
    case QEFF_STEP_ACTIVATE:
    case QEFF_STEP_ARITHMETIC:
    case QEFF_STEP_ARITHMETIC_CONSTANT:
    case QEFF_STEP_L2_NORMALIZE:
    case QEFF_STEP_COPY:
        run_rows(call, step);
        break;
    case QEFF_STEP_COUNT:
        break;
    }
}
