/* precision.c - which linears of a plan compute in 8 or 16 bits, and what they need for it.
 *
 * int8: y = (x factor) (W / factor)^T with a row of x factor in u8, asymmetric, with a scale of its
 * own, and a row of W / factor in s8, symmetric, with a scale of its own. The factors smooth: they
 * divide columns in which inputs are large by
 *
 *   f = sqrt(max |x|) / sqrt(max |w|), with mean 1
 *
 * and multiply the weights by the same, so that neither side has outliers that eat up its 255
 * numbers (Xiao et al., SmoothQuant, 2022, with exponent 0.5). How large x becomes is learned from
 * a forward pass in f32 over texts of random ids, so no data are needed and the same model always
 * gives the same program.
 *
 * The linear behind an activation costs the most accuracy, since a row of its inputs has a long
 * tail: each 384 columns of it have scales of their own, in rows of x and of W. int8-mixed leaves
 * it in bf16 and gives scales to each 192 columns of the other linears without an activation.
 * Figures are in docs/accuracy.md. Where one linear writes the input of another and nothing else
 * reads it, it writes u8 at once, so that the widest rows of a plan are never there as floats.
 *
 * Where the processor has no instruction for u8 times s8 (VNNI), it multiplies twice as fast if no
 * two neighbours in a row of W add up to more than 128, see tile_i8_avx2.c. int8 chooses the scales
 * of rows so there, which costs a third of a bit of them, and has blocks of 192 columns behind an
 * activation, which wins that back; int8-mixed, for accuracy, does not.
 *
 * Linears over sequences, behind the pooling, stay in f32: they are a thousandth of the work. */
#include "backend/cpu/precision.h"

#include "backend/cpu/steps.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/span.h"

#include <math.h>

enum { N_LENGTHS = 5, REPEATS = 4, N_SEQUENCES = N_LENGTHS * REPEATS, W_MAX = 127 };

/* Columns that have scales of their own. */
enum { TAILED_BLOCK = 384, PAIRED_BLOCK = 192, MIXED_BLOCK = 192 };

static const size_t lengths[N_LENGTHS] = {8, 16, 32, 64, 128};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

bool qeff_numbers_are_i8(qeff_numbers numbers)
{
    return numbers == QEFF_NUMBERS_I8 || numbers == QEFF_NUMBERS_I8_PAIRED;
}

size_t qeff_numbers_groups(qeff_numbers numbers, size_t k)
{
    const size_t group = qeff_numbers_are_i8(numbers) ? 4 : numbers == QEFF_NUMBERS_BF16 ? 2 : 1;
    return (k + group - 1) / group;
}

int8_t qeff_quantize_weight(float w, float inverse)
{
    const float q = rintf(w * inverse);
    return (int8_t)(q > W_MAX ? W_MAX : q < -W_MAX ? -W_MAX : q == q ? q : 0.0F);
}

size_t qeff_packed_words(qeff_numbers numbers, size_t k, size_t block)
{
    const size_t scales = qeff_numbers_are_i8(numbers) ? 2 * qeff_blocks(k, block) : 0;
    return qeff_numbers_groups(numbers, k) + scales;
}

/* --- the forward pass ---------------------------------------------------------------------------
 */

typedef struct sampling {
    const qeff_graph *graph;
    qeff_plan *plan;
    qeff_kernels kernels;
    qeff_arena arena; /* all of the below */
    size_t offsets[N_SEQUENCES + 1];
    qeff_batch batch;
    qeff_chunk chunk;
    float **slots;
    float *scratch;
    float *panels;   /* of the widest linear */
    float **largest; /* by step: max |x| of each column, of linears over tokens */
    bool has_no_memory;
} sampling;

static void *take(sampling *s, size_t count, size_t size)
{
    void *block = qeff_arena_array(&s->arena, count, size);
    if (!block) s->has_no_memory = true;
    return block;
}

static bool is_token_linear(const qeff_plan *plan, const qeff_step *step)
{
    return step->kind == QEFF_STEP_LINEAR &&
           plan->values[step->out.value].rows == QEFF_ROWS_TOKEN &&
           step->x.width <= QEFF_INT8_WIDTH_MAX;
}

/* Rows of the smallest table that an input, or with `by` the position, picks from. */
static size_t count_rows(const qeff_plan *plan, int by, size_t input)
{
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < plan->n_steps; i++)
        for (size_t t = 0; t < plan->steps[i].n_terms; t++) {
            const qeff_term *term = &plan->steps[i].terms[t];
            if ((int)term->by != by || (by == QEFF_TERM_INPUT && term->input != input)) continue;
            if (plan->constants[term->constant].rows < least)
                least = plan->constants[term->constant].rows;
        }
    return least;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

static void make_texts(sampling *s)
{
    const size_t n_positions = count_rows(s->plan, QEFF_TERM_POSITION, 0);
    size_t n = 0;
    for (size_t i = 0; i < N_SEQUENCES; i++) {
        const size_t length = lengths[i % N_LENGTHS];
        s->offsets[i] = n;
        n += length < n_positions ? length : n_positions;
    }
    s->offsets[N_SEQUENCES] = n;
    int32_t *positions = take(s, n, sizeof *positions);
    size_t *elements = take(s, n, sizeof *elements);
    if (s->has_no_memory) return;
    for (size_t i = 0; i < N_SEQUENCES; i++)
        for (size_t t = s->offsets[i]; t < s->offsets[i + 1]; t++) {
            positions[t] = (int32_t)(t - s->offsets[i]);
            elements[t] = t;
        }
    s->batch.offsets = s->offsets;
    s->batch.positions = positions;
    s->batch.elements = elements;
    s->chunk = (qeff_chunk){.n_sequences = N_SEQUENCES, .n_tokens = n};
}

static void make_ids(sampling *s)
{
    uint64_t state = 1;
    for (size_t i = 0; i < s->plan->n_inputs; i++) {
        const size_t n_rows = count_rows(s->plan, QEFF_TERM_INPUT, i);
        if (n_rows == SIZE_MAX) continue; /* the mask, or an input that nothing reads */
        const size_t size = s->plan->inputs[i].dtype == QEFF_DTYPE_I32 ? 4 : 8;
        uint8_t *ids = take(s, s->chunk.n_tokens, size);
        for (size_t t = 0; ids && t < s->chunk.n_tokens; t++) {
            const uint64_t id = next_random(&state) % n_rows;
            if (size == 4)
                qeff_store_u32le(ids + 4 * t, (uint32_t)id);
            else
                qeff_store_u64le(ids + 8 * t, id);
        }
        s->batch.inputs[i] = ids;
    }
}

static void make_workspace(sampling *s)
{
    const qeff_plan *plan = s->plan;
    size_t widest = 0;
    s->slots = take(s, plan->n_slots, sizeof *s->slots);
    s->largest = take(s, plan->n_steps, sizeof *s->largest);
    for (size_t i = 0; i < plan->n_slots && !s->has_no_memory; i++) {
        const size_t rows =
            plan->slots[i].rows == QEFF_ROWS_TOKEN ? s->chunk.n_tokens : s->chunk.n_sequences;
        s->slots[i] = take(s, rows, plan->slots[i].stride * sizeof(float));
    }
    for (size_t i = 0; i < plan->n_steps && !s->has_no_memory; i++) {
        const qeff_step *step = &plan->steps[i];
        if (step->kind != QEFF_STEP_LINEAR) continue;
        const size_t size = qeff_gemm_panels(step->out.width) * step->x.width;
        if (size > widest) widest = size;
        if (is_token_linear(plan, step)) s->largest[i] = take(s, step->x.width, sizeof(float));
    }
    s->panels = take(s, widest + 1, QEFF_PANEL * sizeof *s->panels);
    s->scratch = take(s, qeff_attention_scratch(lengths[N_LENGTHS - 1], plan->max_head_dim + 1),
                      sizeof *s->scratch);
}

static void pack_panels(sampling *s, qeff_constant *c)
{
    float *row = take(s, c->columns, sizeof *row);
    for (size_t n = 0; row && n < qeff_gemm_panels(c->rows) * QEFF_PANEL; n++) {
        float *column = s->panels + n / QEFF_PANEL * QEFF_PANEL * c->columns + n % QEFF_PANEL;
        if (n < c->rows)
            qeff_constant_read_row(s->graph, c, n, row);
        else
            memset(row, 0, c->columns * sizeof *row);
        for (size_t k = 0; k < c->columns; k++)
            column[k * QEFF_PANEL] = row[k];
    }
    c->data = s->panels;
}

/* Gives a constant of the next step its data. */
static void load_constant(void *ctx, int32_t *index)
{
    sampling *s = ctx;
    qeff_constant *c = &s->plan->constants[*index];
    if (c->kind == QEFF_CONSTANT_PANELS) {
        pack_panels(s, c);
    } else if (c->kind == QEFF_CONSTANT_TABLE) {
        const qeff_value_info *info = qeff_graph_value(s->graph, c->sources[0].weight);
        c->data = info->data.data + c->sources[0].first * qeff_dtype_size(info->dtype);
    } else if (!c->data) {
        float *vector = take(s, qeff_gemm_panels(c->columns), QEFF_PANEL * sizeof *vector);
        if (vector) qeff_constant_read_vector(s->graph, c, vector);
        c->data = vector;
    }
}

static void note_largest(const qeff_step_call *call, const qeff_step *step, float *largest)
{
    size_t stride;
    const float *x = qeff_step_rows(call, step->x, &stride);
    for (size_t row = 0; row < call->chunk->n_tokens; row++)
        for (size_t k = 0; k < step->x.width; k++) {
            const float size = fabsf(x[row * stride + k]);
            if (size > largest[k]) largest[k] = size;
        }
}

static void run_steps(sampling *s)
{
    const qeff_step_call call = {.plan = s->plan,
                                 .kernels = &s->kernels,
                                 .batch = &s->batch,
                                 .chunk = &s->chunk,
                                 .workspace = {.slots = s->slots, .scratch = s->scratch},
                                 .n_parts = 1};
    for (size_t i = 0; i < s->plan->n_steps && !s->has_no_memory; i++) {
        qeff_step *step = &s->plan->steps[i];
        qeff_step_visit_constants(step, load_constant, s);
        if (s->has_no_memory) break;
        if (s->largest[i]) note_largest(&call, step, s->largest[i]);
        qeff_step_run(&call, step);
    }
    for (size_t i = 0; i < s->plan->n_constants; i++)
        s->plan->constants[i].data = NULL;
}

static void sample(sampling *s)
{
    make_texts(s);
    if (!s->has_no_memory) make_ids(s);
    if (!s->has_no_memory) make_workspace(s);
    if (!s->has_no_memory) run_steps(s);
}

/* --- constants of a linear ----------------------------------------------------------------------
 */

/* A vector that is written as it is; -1 where there is no memory. */
static int32_t
add_vector(qeff_plan *plan, qeff_dtype dtype, size_t n, const void *data, qeff_str name)
{
    const qeff_constant c = {.kind = QEFF_CONSTANT_VECTOR,
                             .dtype = dtype,
                             .rows = 1,
                             .columns = n,
                             .data = data,
                             .name = name};
    return qeff_plan_append_constant(plan, &c);
}

static bool is_usable(float size)
{
    return size > 0.0F && size <= 1e30F;
}

/* factor = 1 / f, from max |x| and max |w| of each column; f within 2^-10 to 2^10. */
static void smooth(const float *largest_x, const float *largest_w, size_t n, float *factor)
{
    double sum = 0.0;
    for (size_t k = 0; k < n; k++) {
        factor[k] = is_usable(largest_x[k]) && is_usable(largest_w[k])
                        ? sqrtf(largest_x[k]) / sqrtf(largest_w[k])
                        : 0.0F;
        sum += (double)factor[k];
    }
    const float mean = (float)(sum / (double)n);
    for (size_t k = 0; k < n; k++) {
        const float f = mean > 0.0F && factor[k] > 0.0F ? factor[k] / mean : 1.0F;
        factor[k] = 1.0F / (f < 0x1p-10F ? 0x1p-10F : f > 0x1p10F ? 0x1p10F : f);
    }
}

/* What all linears of a plan share. */
typedef struct setting {
    qeff_plan *plan;
    const qeff_graph *graph;
    qeff_precision precision;
    qeff_numbers i8; /* or paired */
} setting;

typedef struct quantizing {
    const qeff_graph *graph;
    const qeff_constant *weight; /* [N, K] */
    size_t block;                /* columns */
    float *row, *largest_w;      /* [K] */
    float *factor;               /* [K] */
    float *scale;                /* [blocks, N rounded up to 16] */
    int32_t *sum;                /* the same */
    bool is_paired;
} quantizing;

static void find_largest_weights(quantizing *q)
{
    for (size_t n = 0; n < q->weight->rows; n++) {
        qeff_constant_read_row(q->graph, q->weight, n, q->row);
        for (size_t k = 0; k < q->weight->columns; k++)
            if (fabsf(q->row[k]) > q->largest_w[k]) q->largest_w[k] = fabsf(q->row[k]);
    }
}

/* What one step of s8 is worth in a row; NaN where a weight is not finite, so that what depends on
 * it becomes NaN, as it does in f32. Pairs add up to 127, and at most 1 more by rounding. */
static float scale_of(const float *row, size_t n, bool is_paired)
{
    float largest = 0.0F, nan = 0.0F;
    for (size_t k = 0; k < n; k++) {
        if (fabsf(row[k]) > largest) largest = fabsf(row[k]);
        nan += row[k] * 0.0F;
    }
    for (size_t k = 0; is_paired && k + 1 < n; k += 2)
        if (fabsf(row[k] + row[k + 1]) > largest) largest = fabsf(row[k] + row[k + 1]);
    return (largest >= 1e-30F ? largest / (float)W_MAX : 0.0F) + nan;
}

/* Scale and sum of `n` weights of a row, in place `at`. */
static void scale_block(quantizing *q, const float *w, size_t n, size_t at)
{
    q->scale[at] = scale_of(w, n, q->is_paired);
    const float inverse = qeff_weight_inverse(q->scale[at]);
    for (size_t k = 0; k < n; k++)
        q->sum[at] += qeff_quantize_weight(w[k], inverse);
}

static void scale_rows(quantizing *q)
{
    const size_t n_in = q->weight->columns;
    const size_t stride = qeff_gemm_panels(q->weight->rows) * QEFF_PANEL;
    for (size_t n = 0; n < q->weight->rows; n++) {
        qeff_constant_read_row(q->graph, q->weight, n, q->row);
        for (size_t k = 0; k < n_in; k++)
            q->row[k] /= q->factor[k];
        for (size_t k = 0; k < n_in; k += q->block)
            scale_block(q, q->row + k, smaller(q->block, n_in - k), k / q->block * stride + n);
    }
}

static void quantize(quantizing *q, const float *largest_x)
{
    const size_t n_in = q->weight->columns;
    find_largest_weights(q);
    for (size_t k = 0; k < n_in; k += q->block)
        smooth(largest_x + k, q->largest_w + k, smaller(q->block, n_in - k), q->factor + k);
    scale_rows(q);
}

/* Gives the step weights in s8, with scales of their own for each `block` columns; 0: for all. */
static bool set_int8(const setting *set, qeff_step *step, const float *largest_x, size_t block)
{
    qeff_plan *plan = set->plan;
    qeff_constant packed = plan->constants[step->weight];
    const size_t n = packed.rows, k = packed.columns;
    const size_t n_scales = qeff_blocks(k, block) * qeff_gemm_panels(n) * QEFF_PANEL;
    qeff_arena work = {0};
    quantizing q = {.graph = set->graph,
                    .weight = &packed,
                    .block = block ? block : k,
                    .is_paired = set->i8 == QEFF_NUMBERS_I8_PAIRED};
    q.row = qeff_arena_array(&work, k, sizeof *q.row);
    q.largest_w = qeff_arena_array(&work, k, sizeof *q.largest_w);
    q.factor = qeff_arena_array(&plan->computed, k, sizeof *q.factor);
    q.scale = qeff_arena_array(&plan->computed, n_scales, sizeof *q.scale);
    q.sum = qeff_arena_array(&plan->computed, n_scales, sizeof *q.sum);
    bool is_done = q.row && q.largest_w && q.factor && q.scale && q.sum;
    if (is_done) {
        quantize(&q, largest_x);
        packed.dtype = QEFF_DTYPE_I8;
        packed.block = block;
        packed.w_scale = q.scale;
        packed.w_factor = q.factor;
        step->numbers = set->i8;
        step->block = block;
        step->weight = qeff_plan_append_constant(plan, &packed);
        step->factor = add_vector(plan, QEFF_DTYPE_F32, k, q.factor, packed.name);
        step->w_scale = add_vector(plan, QEFF_DTYPE_F32, n_scales, q.scale, packed.name);
        step->w_sum = add_vector(plan, QEFF_DTYPE_I32, n_scales, q.sum, packed.name);
        is_done = step->weight >= 0 && step->factor >= 0 && step->w_scale >= 0 && step->w_sum >= 0;
    }
    qeff_arena_deinit(&work);
    return is_done;
}

static bool add_bf16(qeff_plan *plan, const qeff_step *linear)
{
    qeff_step step = *linear;
    qeff_constant packed = plan->constants[step.weight];
    packed.dtype = QEFF_DTYPE_BF16;
    step.numbers = QEFF_NUMBERS_BF16;
    step.weight = qeff_plan_add_constant(plan, &packed);
    return step.weight >= 0 && qeff_plan_add_step(plan, &step) >= 0;
}

static bool add_attention(qeff_plan *plan, const qeff_step *attention)
{
    qeff_step step = *attention;
    step.numbers = QEFF_NUMBERS_BF16;
    return qeff_plan_add_step(plan, &step) >= 0;
}

/* Whether a linear with an activation gives the step its input: the second linear of a feed-forward
 * network. */
static bool follows_activation(const qeff_step *steps, size_t n_steps, const qeff_step *step)
{
    for (size_t i = 0; i < n_steps; i++)
        if (steps[i].out.value == step->x.value)
            return steps[i].kind == QEFF_STEP_ACTIVATE ||
                   (steps[i].kind == QEFF_STEP_LINEAR &&
                    steps[i].activation != QEFF_ACTIVATION_NONE);
    return false;
}

static size_t choose_block(const setting *set, const qeff_step *step, bool is_tailed)
{
    if (is_tailed) return set->i8 == QEFF_NUMBERS_I8_PAIRED ? PAIRED_BLOCK : TAILED_BLOCK;
    const bool is_cut =
        set->precision == QEFF_PRECISION_INT8_MIXED && step->activation == QEFF_ACTIVATION_NONE;
    return is_cut ? MIXED_BLOCK : 0;
}

/* The steps of a plan of f32, which are written anew. */
typedef struct old_steps {
    qeff_step *steps;
    size_t n_steps;
    float *const *largest; /* by step; NULL: nothing was sampled */
} old_steps;

typedef struct counting {
    int32_t value;
    size_t n;
} counting;

static void count_view(void *ctx, qeff_view *view)
{
    counting *c = ctx;
    if (view->value == c->value) c->n++;
}

/* Steps and outputs that read a value. */
static size_t count_readers(const qeff_plan *plan, const old_steps *old, int32_t value)
{
    counting c = {.value = value};
    for (size_t i = 0; i < old->n_steps; i++)
        qeff_step_visit_views(&old->steps[i], count_view, &c);
    for (size_t i = 0; i < plan->n_outputs; i++)
        c.n += plan->output_views[i].value == value;
    return c.n;
}

/* Lets the linear that writes the input of `step` write it as u8, where it is one of 8 bits and
 * nothing else reads it. */
static void pack_input(qeff_plan *plan, const old_steps *old, qeff_step *step)
{
    qeff_plan_value *x = &plan->values[step->x.value];
    if (!step->block || step->x.width != x->width || count_readers(plan, old, step->x.value) != 1)
        return;
    for (size_t i = 0; i < plan->n_steps; i++) {
        qeff_step *writer = &plan->steps[i];
        if (writer->out.value != step->x.value || writer->kind != QEFF_STEP_LINEAR ||
            !qeff_numbers_are_i8(writer->numbers))
            continue;
        writer->out_factor = step->factor;
        step->factor = -1;
        qeff_plan_pack_value(x, step->block);
    }
}

static bool add_int8(const setting *set, const old_steps *old, const qeff_step *linear,
                     size_t block, const float *largest_x)
{
    qeff_step step = *linear;
    if (!set_int8(set, &step, largest_x, block)) return false;
    pack_input(set->plan, old, &step);
    return qeff_plan_add_step(set->plan, &step) >= 0;
}

static bool add_step(const setting *set, const old_steps *old, size_t i)
{
    qeff_plan *plan = set->plan;
    const qeff_step *step = &old->steps[i];
    if (step->kind == QEFF_STEP_ATTENTION) return add_attention(plan, step);
    if (!is_token_linear(plan, step)) return qeff_plan_add_step(plan, step) >= 0;
    const bool is_tailed = follows_activation(old->steps, old->n_steps, step);
    if (set->precision == QEFF_PRECISION_BF16 ||
        (set->precision == QEFF_PRECISION_INT8_MIXED && is_tailed))
        return add_bf16(plan, step);
    return add_int8(set, old, step, choose_block(set, step, is_tailed), old->largest[i]);
}

static bool set_all(const setting *set, float *const *largest)
{
    qeff_plan *plan = set->plan;
    const old_steps old = {.steps = plan->steps, .n_steps = plan->n_steps, .largest = largest};
    bool is_done = true;
    plan->steps = NULL;
    plan->n_steps = plan->steps_capacity = 0;
    for (size_t i = 0; i < old.n_steps && is_done; i++)
        is_done = add_step(set, &old, i);
    qeff_free(old.steps);
    return is_done;
}

/* Without VNNI the AVX2 kernel computes int8; scalar code takes any weights. */
static qeff_numbers choose_i8(qeff_precision precision, unsigned cpu_flags)
{
    const bool has_product = cpu_flags & (QEFF_CPU_VNNI | QEFF_CPU_AVX_VNNI);
    return precision == QEFF_PRECISION_INT8 && cpu_flags & QEFF_CPU_AVX2 && !has_product
               ? QEFF_NUMBERS_I8_PAIRED
               : QEFF_NUMBERS_I8;
}

qeff_status qeff_plan_set_precision(qeff_plan *plan, const qeff_graph *graph,
                                    qeff_precision precision, unsigned cpu_flags, qeff_error *err)
{
    sampling s = {.graph = graph, .plan = plan, .kernels = qeff_kernels_for(cpu_flags)};
    const setting set = {plan, graph, precision, choose_i8(precision, cpu_flags)};
    if (precision == QEFF_PRECISION_FP32) return QEFF_OK;
    if (precision != QEFF_PRECISION_BF16) {
        QEFF_TRY(qeff_plan_assign_slots(plan, err));
        sample(&s);
    }
    const bool is_done = !s.has_no_memory && set_all(&set, s.largest);
    qeff_arena_deinit(&s.arena);
    return is_done ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}
