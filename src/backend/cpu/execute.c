/* execute.c - a call on a ragged plan: inputs are checked and packed, chunks of whole sequences go
 * through the steps, results are unpacked.
 *
 *   padded [B, T] + mask, or ragged + offsets
 *     -> offsets [S + 1], positions and element indices [tokens]
 *     -> chunks of about 256 tokens, which fit the cache, each through all steps
 *     -> output rows to where their token or sequence belongs
 *
 * With several threads, chunks are handed out one by one; where there are fewer chunks than
 * threads, the parts of each step of a chunk are, step after step. Either way each row gets the
 * same bits. All memory is taken in reserve(). */
#include "backend/cpu/execute.h"

#include "backend/cpu/profile.h"
#include "backend/cpu/steps.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/span.h"
#include "base/thread.h"

#include <inttypes.h>

enum { CHUNK_TOKENS = 256, CHUNK_TOKENS_MIN = 64, CHUNK_SEQUENCES = 256, ALIGNMENT = 64 };

/* What the memory is enough for. */
typedef struct capacity {
    size_t n_sequences, n_tokens, max_seq_len;
    size_t chunk_tokens, chunk_sequences;
} capacity;

/* All of one size class of memory; replaced as a whole when it grows. */
typedef struct memory {
    size_t *offsets;    /* [n_sequences + 1] */
    size_t *elements;   /* [n_tokens] */
    int32_t *positions; /* [n_tokens] */
    qeff_chunk *chunks; /* [n_sequences] */
    float **slots;      /* [n_threads][n_slots] */
    float *floats;      /* what the slots and scratches point into */
    float **scratch;    /* [n_threads] */
} memory;

struct qeff_ragged_session {
    const qeff_plan *plan;
    const qeff_kernels *kernels;
    int n_threads;
    qeff_thread_pool *pool; /* NULL for one thread */
    capacity capacity;
    memory memory;
    qeff_step_profile profile;
    /* the call that is running */
    const qeff_run_call *call;
    size_t n_sequences, n_tokens, n_columns, n_chunks; /* n_columns: T of a padded call, else 0 */
    bool shares_steps;
    qeff_batch batch;
    qeff_run_tensor *outputs[QEFF_PLAN_IO_MAX];
    size_t shared_chunk; /* whose steps are being shared */
};

/* --- memory -------------------------------------------------------------------------------------
 */

static void free_memory(memory *m)
{
    qeff_free(m->offsets);
    qeff_free(m->elements);
    qeff_free(m->positions);
    qeff_free(m->chunks);
    qeff_free(m->slots);
    qeff_free_aligned(m->floats);
    qeff_free(m->scratch);
    *m = (memory){0};
}

/* Floats for the slots of one worker; `places` receives where each begins. */
static bool measure_slots(const qeff_plan *plan, const capacity *c, size_t *places, size_t *total)
{
    *total = 0;
    for (size_t i = 0; i < plan->n_slots; i++) {
        const qeff_slot *slot = &plan->slots[i];
        const size_t rows = slot->rows == QEFF_ROWS_TOKEN ? c->chunk_tokens : c->chunk_sequences;
        size_t floats = 0;
        if (places) places[i] = *total;
        if (!qeff_mul_size(rows, slot->stride, &floats) || !qeff_add_size(*total, floats, total))
            return false;
    }
    return true;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static bool measure_scratch(const qeff_plan *plan, const capacity *c, size_t *floats)
{
    size_t product = 0;
    /* Bounds every product in qeff_attention_scratch(). */
    if (!qeff_mul_size(c->max_seq_len + 2 * QEFF_PANEL, plan->max_head_dim + 2 * QEFF_PANEL,
                       &product) ||
        product > SIZE_MAX / 64)
        return false;
    *floats = plan->max_head_dim ? qeff_attention_scratch(c->max_seq_len, plan->max_head_dim) : 0;
    const size_t n_rows = larger(c->chunk_tokens, c->chunk_sequences);
    if (!qeff_mul_size(n_rows, plan->max_words + 2 * QEFF_PANEL, &product) ||
        product > SIZE_MAX / 64)
        return false;
    *floats = larger(*floats, qeff_packed_scratch(plan, n_rows));
    return qeff_align_size(*floats, QEFF_PANEL, floats);
}

static bool place_floats(const qeff_ragged_session *s, const capacity *c, memory *m)
{
    const qeff_plan *plan = s->plan;
    const size_t n_workers = (size_t)s->n_threads;
    size_t slots = 0, scratch = 0, each = 0, total = 0;
    if (!measure_slots(plan, c, NULL, &slots) || !measure_scratch(plan, c, &scratch) ||
        !qeff_add_size(slots, scratch, &each) || !qeff_mul_size(each, n_workers, &total) ||
        !qeff_mul_size(total, sizeof(float), &total))
        return false;
    m->floats = qeff_alloc_aligned(total, ALIGNMENT);
    if (!m->floats) return false;
    for (size_t w = 0; w < n_workers; w++) {
        size_t at = w * each;
        m->scratch[w] = m->floats + at;
        at += scratch;
        for (size_t i = 0; i < plan->n_slots; i++) {
            const qeff_slot *slot = &plan->slots[i];
            m->slots[w * plan->n_slots + i] = m->floats + at;
            at += (slot->rows == QEFF_ROWS_TOKEN ? c->chunk_tokens : c->chunk_sequences) *
                  slot->stride;
        }
    }
    return true;
}

static bool allocate(const qeff_ragged_session *s, const capacity *c, memory *m)
{
    size_t n_slots = 0, n_offsets = 0;
    if (!qeff_mul_size((size_t)s->n_threads, s->plan->n_slots, &n_slots) ||
        !qeff_add_size(c->n_sequences, 1, &n_offsets))
        return false;
    m->offsets = qeff_alloc_array(n_offsets, sizeof *m->offsets);
    m->elements = qeff_alloc_array(c->n_tokens, sizeof *m->elements);
    m->positions = qeff_alloc_array(c->n_tokens, sizeof *m->positions);
    m->chunks = qeff_alloc_array(c->n_sequences, sizeof *m->chunks);
    m->slots = qeff_alloc_array(n_slots, sizeof *m->slots);
    m->scratch = qeff_alloc_array((size_t)s->n_threads, sizeof *m->scratch);
    return m->offsets && m->elements && m->positions && m->chunks && m->slots && m->scratch &&
           place_floats(s, c, m);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

qeff_status qeff_ragged_reserve(qeff_ragged_session *s, size_t n_sequences, size_t n_tokens,
                                size_t max_seq_len, qeff_error *err)
{
    const capacity *have = &s->capacity;
    memory fresh = {0};
    if (s->memory.floats && n_sequences <= have->n_sequences && n_tokens <= have->n_tokens &&
        max_seq_len <= have->max_seq_len)
        return QEFF_OK;
    capacity c = {.n_sequences = larger(n_sequences, have->n_sequences),
                  .n_tokens = larger(n_tokens, have->n_tokens),
                  .max_seq_len = larger(max_seq_len, have->max_seq_len)};
    if (c.n_tokens > INT32_MAX || c.n_sequences > INT32_MAX || c.max_seq_len > INT32_MAX)
        return qeff_fail(err, QEFF_ERR_CAPACITY,
                         "call of %zu sequences with %zu tokens is too large", n_sequences,
                         n_tokens);
    c.chunk_tokens = smaller(larger(CHUNK_TOKENS, c.max_seq_len), c.n_tokens);
    c.chunk_sequences = smaller(CHUNK_SEQUENCES, c.n_sequences);
    if (!allocate(s, &c, &fresh)) {
        free_memory(&fresh);
        return qeff_fail(err, QEFF_ERR_NO_MEMORY,
                         "no memory for a workspace of %zu sequences and %zu tokens", n_sequences,
                         n_tokens);
    }
    free_memory(&s->memory);
    s->memory = fresh;
    s->capacity = c;
    return QEFF_OK;
}

qeff_status
qeff_ragged_bind(const qeff_plan *plan, const qeff_kernels *kernels,
                 const qeff_bind_options *options, qeff_ragged_session **out, qeff_error *err)
{
    qeff_status status = QEFF_OK;
    *out = NULL;
    if (options->n_threads < 1)
        return qeff_fail(err, QEFF_ERR_INVALID, "threads: expected at least 1, found %d",
                         options->n_threads);
    qeff_ragged_session *s = qeff_alloc_zeroed(sizeof *s);
    if (!s) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    s->plan = plan;
    s->kernels = kernels;
    s->n_threads = options->n_threads;
    if (options->n_threads > 1) status = qeff_thread_pool_create(s->n_threads, &s->pool, err);
    if (!status && options->max_tokens)
        status = qeff_ragged_reserve(s, options->max_tokens, options->max_tokens,
                                     options->max_tokens, err);
    if (status)
        qeff_ragged_unbind(s);
    else
        *out = s;
    return status;
}

void qeff_ragged_unbind(qeff_ragged_session *s)
{
    if (!s) return;
    qeff_thread_pool_destroy(s->pool);
    qeff_step_profile_deinit(&s->profile);
    free_memory(&s->memory);
    qeff_free(s);
}

qeff_status
qeff_ragged_set_profile(qeff_ragged_session *s, const qeff_profile *profile, qeff_error *err)
{
    return qeff_step_profile_set(&s->profile, s->plan, s->n_threads, profile, err);
}

/* --- inputs -------------------------------------------------------------------------------------
 */

static const qeff_run_tensor *find_input(const qeff_run_call *call, qeff_str name)
{
    for (size_t i = 0; i < call->n_inputs; i++)
        if (qeff_str_equal(call->inputs[i].name, name)) return &call->inputs[i];
    return NULL;
}

static qeff_status
check_names(const qeff_ragged_session *s, const qeff_run_call *call, qeff_error *err)
{
    for (size_t i = 0; i < call->n_inputs; i++) {
        bool is_known = false;
        for (size_t k = 0; k < s->plan->n_inputs; k++)
            is_known |= qeff_str_equal(call->inputs[i].name, s->plan->inputs[k].name) &&
                        !(call->n_sequences && s->plan->input_roles[k].is_mask);
        if (!is_known)
            return qeff_fail(err, QEFF_ERR_INVALID, "input '%.*s': the program does not take it",
                             QEFF_STR_ARGS(call->inputs[i].name));
    }
    return QEFF_OK;
}

/* Finds each input and checks dtype and shape: [tokens], or [B, T] where `batch` receives B. */
static qeff_status
bind_inputs(qeff_ragged_session *s, const qeff_run_call *call, const qeff_run_tensor **mask,
            int64_t *batch, int64_t *columns, qeff_error *err)
{
    const qeff_plan *plan = s->plan;
    const bool is_ragged = call->n_sequences > 0;
    const qeff_run_tensor *first = NULL;
    *mask = NULL;
    QEFF_TRY(check_names(s, call, err));
    for (size_t i = 0; i < plan->n_inputs; i++) {
        const qeff_io_spec *spec = &plan->inputs[i];
        if (plan->input_roles[i].is_mask && is_ragged) continue;
        const qeff_run_tensor *t = find_input(call, spec->name);
        if (!t)
            return qeff_fail(err, QEFF_ERR_INVALID, "input '%.*s' is missing",
                             QEFF_STR_ARGS(spec->name));
        if (t->dtype != spec->dtype || t->rank != (is_ragged ? 1U : 2U) || t->shape[0] < 0 ||
            (!is_ragged && t->shape[1] < 0) || (!t->data && t->shape[0] > 0))
            return qeff_fail(err, QEFF_ERR_INVALID,
                             "input '%.*s': expected %s of rank %d, found %s of rank %zu",
                             QEFF_STR_ARGS(spec->name), qeff_dtype_name(spec->dtype),
                             is_ragged ? 1 : 2, qeff_dtype_name(t->dtype), t->rank);
        if (!first) first = t;
        if (t->shape[0] != first->shape[0] || (!is_ragged && t->shape[1] != first->shape[1]))
            return qeff_fail(err, QEFF_ERR_INVALID, "input '%.*s': its shape differs from '%.*s'",
                             QEFF_STR_ARGS(spec->name), QEFF_STR_ARGS(first->name));
        s->batch.inputs[i] = t->data;
        if (plan->input_roles[i].is_mask) *mask = t;
    }
    *batch = first->shape[0];
    *columns = is_ragged ? 0 : first->shape[1];
    return QEFF_OK;
}

static qeff_status fail_capacity(const qeff_ragged_session *s, qeff_error *err)
{
    return qeff_fail(err, QEFF_ERR_CAPACITY,
                     "call exceeds the reserved %zu sequences, %zu tokens or length %zu",
                     s->capacity.n_sequences, s->capacity.n_tokens, s->capacity.max_seq_len);
}

static qeff_status
pack_ragged(qeff_ragged_session *s, const qeff_run_call *call, int64_t n_tokens, qeff_error *err)
{
    const capacity *c = &s->capacity;
    if (!call->offsets || call->offsets[0] != 0 || call->offsets[call->n_sequences] != n_tokens)
        return qeff_fail(err, QEFF_ERR_INVALID, "offsets do not span the %" PRId64 " tokens",
                         n_tokens);
    if (call->n_sequences > c->n_sequences || (size_t)n_tokens > c->n_tokens)
        return fail_capacity(s, err);
    for (size_t i = 0; i < call->n_sequences; i++) {
        const int64_t begin = call->offsets[i], end = call->offsets[i + 1];
        if (begin > end || end > n_tokens)
            return qeff_fail(err, QEFF_ERR_INVALID, "offsets of sequence %zu decrease", i);
        if ((size_t)(end - begin) > c->max_seq_len) return fail_capacity(s, err);
        s->memory.offsets[i] = (size_t)begin;
        for (int64_t t = begin; t < end; t++) {
            s->memory.elements[t] = (size_t)t;
            s->memory.positions[t] = (int32_t)(t - begin);
        }
    }
    s->memory.offsets[call->n_sequences] = (size_t)n_tokens;
    s->n_sequences = call->n_sequences;
    s->n_tokens = (size_t)n_tokens;
    return QEFF_OK;
}

static qeff_status pack_padded(qeff_ragged_session *s, const qeff_run_tensor *mask, int64_t batch,
                               int64_t columns, qeff_error *err)
{
    const capacity *c = &s->capacity;
    size_t n = 0, cells = 0;
    if (!qeff_mul_size((size_t)batch, (size_t)columns, &cells) || cells > c->n_tokens ||
        (size_t)batch > c->n_sequences || (size_t)columns > c->max_seq_len)
        return fail_capacity(s, err);
    for (size_t i = 0; i < (size_t)batch; i++) {
        s->memory.offsets[i] = n;
        for (size_t t = 0; t < (size_t)columns; t++) {
            const size_t cell = i * (size_t)columns + t;
            if (mask && qeff_input_element(mask->data, mask->dtype, cell) == 0) continue;
            s->memory.elements[n] = cell;
            s->memory.positions[n++] = (int32_t)t;
        }
    }
    s->memory.offsets[batch] = n;
    s->n_sequences = (size_t)batch;
    s->n_tokens = n;
    return QEFF_OK;
}

/* --- ids ----------------------------------------------------------------------------------------
 */

static qeff_status
check_term(const qeff_ragged_session *s, const qeff_term *term, size_t sequence, qeff_error *err)
{
    const qeff_plan *plan = s->plan;
    const memory *m = &s->memory;
    const size_t begin = m->offsets[sequence], end = m->offsets[sequence + 1];
    const size_t n_rows = plan->constants[term->constant].rows;
    if (term->by == QEFF_TERM_VECTOR || begin == end) return QEFF_OK;
    if (term->by == QEFF_TERM_POSITION) {
        if ((size_t)m->positions[end - 1] < n_rows) return QEFF_OK;
        return qeff_fail(err, QEFF_ERR_CAPACITY,
                         "sequence %zu: expected at most %zu positions, found %d", sequence, n_rows,
                         (int)m->positions[end - 1] + 1);
    }
    const qeff_io_spec *spec = &plan->inputs[term->input];
    for (size_t t = begin; t < end; t++) {
        const int64_t id =
            qeff_input_element(s->batch.inputs[term->input], spec->dtype, m->elements[t]);
        if (id < 0 || (uint64_t)id >= n_rows)
            return qeff_fail(
                err, QEFF_ERR_INVALID,
                "input '%.*s': id %" PRId64 " at position %d of sequence %zu, expected 0 to %zu",
                QEFF_STR_ARGS(spec->name), id, (int)m->positions[t], sequence, n_rows - 1);
    }
    return QEFF_OK;
}

static qeff_status check_ids(const qeff_ragged_session *s, qeff_error *err)
{
    for (size_t i = 0; i < s->plan->n_steps; i++) {
        const qeff_step *step = &s->plan->steps[i];
        for (size_t t = 0; t < step->n_terms; t++)
            for (size_t sequence = 0; sequence < s->n_sequences; sequence++)
                QEFF_TRY(check_term(s, &step->terms[t], sequence, err));
    }
    return QEFF_OK;
}

/* --- outputs ------------------------------------------------------------------------------------
 */

static bool is_token_output(const qeff_plan *plan, size_t i)
{
    return plan->values[plan->output_views[i].value].rows == QEFF_ROWS_TOKEN;
}

static bool has_shape(const qeff_ragged_session *s, size_t i, const qeff_run_tensor *t)
{
    const int64_t width = (int64_t)s->plan->output_views[i].width;
    const int64_t batch = (int64_t)s->n_sequences;
    if (!is_token_output(s->plan, i))
        return t->rank == 2 && t->shape[0] == batch && t->shape[1] == width;
    if (s->call->n_sequences > 0)
        return t->rank == 2 && t->shape[0] == (int64_t)s->n_tokens && t->shape[1] == width;
    return t->rank == 3 && t->shape[0] == batch && t->shape[1] == (int64_t)s->n_columns &&
           t->shape[2] == width;
}

/* An output that the caller does not ask for is left out. */
static qeff_status bind_outputs(qeff_ragged_session *s, qeff_error *err)
{
    const qeff_run_call *call = s->call;
    size_t n_bound = 0;
    for (size_t i = 0; i < s->plan->n_outputs; i++) {
        s->outputs[i] = NULL;
        for (size_t k = 0; k < call->n_outputs; k++)
            if (qeff_str_equal(call->outputs[k].name, s->plan->outputs[i].name))
                s->outputs[i] = &call->outputs[k];
        qeff_run_tensor *t = s->outputs[i];
        if (!t) continue;
        n_bound++;
        if (t->dtype != QEFF_DTYPE_F32 || !has_shape(s, i, t) || (!t->data && s->n_sequences > 0))
            return qeff_fail(err, QEFF_ERR_INVALID, "output '%.*s': not the shape of this call",
                             QEFF_STR_ARGS(t->name));
        if (is_token_output(s->plan, i) && s->n_columns > 0) /* rows that the mask hides */
            memset(t->data, 0,
                   s->n_sequences * s->n_columns * s->plan->output_views[i].width * sizeof(float));
    }
    if (n_bound == call->n_outputs) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_INVALID, "an output is not one of the program, or named twice");
}

static void unpack_output(const qeff_step_call *c, const qeff_ragged_session *s, size_t i)
{
    size_t stride;
    const qeff_view view = c->plan->output_views[i];
    const float *rows = qeff_step_rows(c, view, &stride);
    const qeff_chunk *chunk = c->chunk;
    float *out = s->outputs[i]->data;
    const bool is_token = is_token_output(c->plan, i);
    const size_t n = is_token ? chunk->n_tokens : chunk->n_sequences;
    for (size_t r = n * c->part / c->n_parts; r < n * (c->part + 1) / c->n_parts; r++) {
        const size_t sequence = chunk->first_sequence + r;
        const size_t to = is_token ? c->batch->elements[chunk->first_token + r] : sequence;
        float *y = out + to * view.width;
        if (!is_token && c->batch->offsets[sequence] == c->batch->offsets[sequence + 1])
            memset(y, 0, view.width * sizeof *y); /* no tokens: zeros, whatever the biases */
        else
            memcpy(y, rows + r * stride, view.width * sizeof *y);
    }
}

/* --- running ------------------------------------------------------------------------------------
 */

/* Whole sequences, up to `most` tokens a chunk, in rounds of one chunk a worker; towards the end
 * less, so that the workers finish together: a worker's share of what is left before the round, but
 * no fewer tokens than products run well on. */
static void make_chunks(qeff_ragged_session *s, size_t most, size_t n_workers)
{
    const size_t *offsets = s->memory.offsets;
    size_t target = 0;
    s->n_chunks = 0;
    for (size_t i = 0; i < s->n_sequences;) {
        qeff_chunk chunk = {.first_sequence = i, .first_token = offsets[i]};
        const size_t share = (s->n_tokens - chunk.first_token + n_workers - 1) / n_workers;
        if (s->n_chunks % n_workers == 0) target = smaller(larger(share, CHUNK_TOKENS_MIN), most);
        do {
            chunk.n_sequences++;
            i++;
        } while (i < s->n_sequences && chunk.n_sequences < s->capacity.chunk_sequences &&
                 offsets[i + 1] - chunk.first_token <= target);
        chunk.n_tokens = offsets[i] - chunk.first_token;
        s->memory.chunks[s->n_chunks++] = chunk;
    }
}

/* Whether one chunk takes its worker so long that the others would wait for it. */
static bool is_uneven(const qeff_ragged_session *s)
{
    size_t most = 0;
    for (size_t i = 0; i < s->n_chunks; i++)
        most = larger(most, s->memory.chunks[i].n_tokens);
    return s->n_chunks < (size_t)s->n_threads ||
           most * (size_t)s->n_threads > s->n_tokens + s->n_tokens / 4;
}

static void plan_work(qeff_ragged_session *s)
{
    make_chunks(s, smaller(CHUNK_TOKENS, s->capacity.chunk_tokens), (size_t)s->n_threads);
    s->shares_steps = s->n_threads > 1 && is_uneven(s);
    if (s->shares_steps) make_chunks(s, s->capacity.chunk_tokens, 1);
}

static qeff_step_call
make_step_call(const qeff_ragged_session *s, size_t chunk, size_t worker, size_t workspace)
{
    return (qeff_step_call){
        .plan = s->plan,
        .kernels = s->kernels,
        .batch = &s->batch,
        .chunk = &s->memory.chunks[chunk],
        .workspace = {.slots = s->memory.slots + workspace * s->plan->n_slots,
                      .scratch = s->memory.scratch[worker]},
        .part = 0,
        .n_parts = 1,
    };
}

static void unpack_outputs(const qeff_step_call *c, const qeff_ragged_session *s)
{
    for (size_t i = 0; i < s->plan->n_outputs; i++)
        if (s->outputs[i]) unpack_output(c, s, i);
}

static void run_step(qeff_ragged_session *s, const qeff_step_call *c, size_t i, size_t worker)
{
    if (s->profile.labels)
        qeff_step_run_profiled(&s->profile, c, &s->plan->steps[i], worker);
    else
        qeff_step_run(c, &s->plan->steps[i]);
}

/* A piece of work: one chunk, all steps. */
static void run_chunk(void *ctx, int member, size_t step, size_t chunk)
{
    qeff_ragged_session *s = ctx;
    const size_t worker = (size_t)member;
    const qeff_step_call c = make_step_call(s, chunk, worker, worker);
    (void)step;
    for (size_t i = 0; i < s->plan->n_steps; i++)
        run_step(s, &c, i, worker);
    unpack_outputs(&c, s);
}

/* A piece of work: a part of one step of the shared chunk. */
static void run_part(void *ctx, int member, size_t step, size_t part)
{
    qeff_ragged_session *s = ctx;
    qeff_step_call c = make_step_call(s, s->shared_chunk, (size_t)member, 0);
    c.part = part;
    c.n_parts = (size_t)s->n_threads;
    if (step < s->plan->n_steps)
        run_step(s, &c, step, (size_t)member);
    else
        unpack_outputs(&c, s);
}

static void run_all(qeff_ragged_session *s)
{
    if (s->profile.labels) qeff_step_profile_begin(&s->profile);
    if (!s->shares_steps) {
        if (s->pool) qeff_thread_pool_share(s->pool, 1, s->n_chunks, run_chunk, s);
        for (size_t i = 0; i < s->n_chunks && !s->pool; i++)
            run_chunk(s, 0, 0, i);
        return;
    }
    for (s->shared_chunk = 0; s->shared_chunk < s->n_chunks; s->shared_chunk++)
        qeff_thread_pool_share(s->pool, s->plan->n_steps + 1, (size_t)s->n_threads, run_part, s);
}

qeff_status qeff_ragged_run(qeff_ragged_session *s, const qeff_run_call *call, qeff_error *err)
{
    const qeff_run_tensor *mask = NULL;
    int64_t batch = 0, columns = 0;
    s->call = call;
    QEFF_TRY(bind_inputs(s, call, &mask, &batch, &columns, err));
    s->n_columns = (size_t)columns;
    s->batch.offsets = s->memory.offsets;
    s->batch.positions = s->memory.positions;
    s->batch.elements = s->memory.elements;
    if (!s->memory.floats) return fail_capacity(s, err);
    if (call->n_sequences > 0)
        QEFF_TRY(pack_ragged(s, call, batch, err));
    else
        QEFF_TRY(pack_padded(s, mask, batch, columns, err));
    QEFF_TRY(check_ids(s, err));
    QEFF_TRY(bind_outputs(s, err));
    plan_work(s);
    run_all(s);
    return QEFF_OK;
}
