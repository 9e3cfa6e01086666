/* bench_measure.c - one model after another, its cells in turns: probe, call, call, …, probe, call
 * …
 *
 * Each cell gets its time in ROUNDS parts, and between two parts the other cells have theirs: a
 * change of clock or a busy neighbour meets all of them. The probe of multiply-adds is timed again
 * after every PROBE_EVERY_NS, so a sample is laid beside the speed of its own moment. */
#include "cli/bench.h"
#include "cli/report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3, SAMPLES_MAX = 20000, PROFILED_CALLS = 3, WORDS = 64 };
#define PROBE_SECONDS  0.002
#define PROBE_EVERY_NS 30000000
#define MICROSECOND    1e-3 /* of a nanosecond */

/* Events of one thread. */
typedef struct events {
    qeff_profile_event *items;
    size_t n, capacity;
} events;

typedef struct bench_run {
    const bench_settings *settings;
    qeff_auto_model *model;
    size_t vocab_size, longest;
    bench_input *inputs; /* [n_cells] of this model */
    bench_cell *cells;
    size_t n_cells;
    size_t n_done, n_total; /* parts, for the bar */
    events threads[BENCH_THREADS_MAX];
} bench_run;

static void report_progress(const bench_run *run, const char *phase)
{
    const cli_progress *p = run->settings->progress;
    if (p->is_on) p->sink.report(p->sink.ctx, phase, run->n_done, run->n_total);
}

static void copy_name(char to[64], const char *name)
{
    (void)snprintf(to, 64, "%s", name);
}

static void add_phase(const bench_run *run, const char *name, int64_t begin_ns)
{
    bench_span span = {.category = "phase", .begin_ns = begin_ns, .end_ns = qeff_profile_clock()};
    copy_name(span.name, name);
    bench_trace_add(run->settings->trace, &span);
}

/* --- samples ---------------------------------------------------------------------------------- */

static bool make_room(bench_cell *cell)
{
    if (cell->n < cell->capacity) return true;
    const size_t capacity = cell->capacity ? 2 * cell->capacity : 64;
    double **arrays[] = {&cell->us, &cell->share, &cell->probe};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        double *grown = realloc(*arrays[i], capacity * sizeof *grown);
        if (!grown) return false;
        *arrays[i] = grown;
    }
    cell->capacity = capacity;
    return true;
}

static qeff_status encode(const bench_run *run, const bench_cell *cell, const bench_input *input,
                          int64_t *ns, qeff_error *err)
{
    qeff_embeddings *e = NULL;
    const qeff_auto_model_encode_options how = {.batch_size = cell->batch_size};
    const int64_t begin = qeff_profile_clock();
    const qeff_status status =
        qeff_auto_model_encode_ids(run->model, input->ids, input->offsets, input->n, &how, &e, err);
    *ns = qeff_profile_clock() - begin;
    qeff_embeddings_destroy(e);
    return status;
}

/* One part of a cell's time. */
static qeff_status
measure_part(const bench_run *run, bench_cell *cell, const bench_input *input, qeff_error *err)
{
    const int64_t budget = (int64_t)run->settings->milliseconds * 1000000 / ROUNDS;
    const int64_t begin = qeff_profile_clock();
    int64_t ns = 0, probed = 0, spent = 0;
    double probe = 0;
    BENCH_TRY(encode(run, cell, input, &ns, err)); /* brings the weights back into the caches */
    do {
        const int64_t now = qeff_profile_clock();
        if (probe <= 0 || now - probed > PROBE_EVERY_NS) {
            BENCH_TRY(qeff_cpu_probe((int)cell->threads, PROBE_SECONDS, &probe, err));
            probed = qeff_profile_clock();
        }
        BENCH_TRY(encode(run, cell, input, &ns, err));
        if (cell->n == SAMPLES_MAX) break;
        if (!make_room(cell)) return cli_fail(err, QEFF_ERR_NO_MEMORY, "no memory for samples");
        cell->us[cell->n] = (double)ns * MICROSECOND;
        cell->share[cell->n] = probe > 0 ? cell->flops / ((double)ns * 1e-9) / probe : 0;
        cell->probe[cell->n++] = probe;
        spent = qeff_profile_clock() - begin;
    } while (spent < budget);
    return QEFF_OK;
}

/* --- events ----------------------------------------------------------------------------------- */

/* Called by several threads at once, each with a list of its own. */
static void record(void *ctx, const qeff_profile_event *event)
{
    bench_run *run = ctx;
    if (event->thread < 0 || event->thread >= BENCH_THREADS_MAX) return;
    events *e = &run->threads[event->thread];
    qeff_profile_event *items = cli_grow(e->items, e->n, &e->capacity, sizeof *items);
    if (!items) return;
    e->items = items;
    items[e->n++] = *event;
}

static bench_kernel *find_kernel(bench_cell *cell, const char *name)
{
    if (!cell->kernels) cell->kernels = calloc(BENCH_KERNELS_MAX, sizeof *cell->kernels);
    if (!cell->kernels) return NULL;
    for (size_t i = 0; i < cell->n_kernels; i++)
        if (strcmp(cell->kernels[i].name, name) == 0) return &cell->kernels[i];
    if (cell->n_kernels == BENCH_KERNELS_MAX) return NULL;
    bench_kernel *k = &cell->kernels[cell->n_kernels++];
    copy_name(k->name, name);
    return k;
}

static void keep_events(bench_run *run, bench_cell *cell, bool with_kernels)
{
    for (int t = 0; t < BENCH_THREADS_MAX; t++) {
        events *e = &run->threads[t];
        for (size_t i = 0; i < e->n; i++) {
            const qeff_profile_event *event = &e->items[i];
            bench_span span = {.category = "step",
                               .thread = t,
                               .begin_ns = event->begin_ns,
                               .end_ns = event->end_ns};
            copy_name(span.name, event->name);
            bench_trace_add(run->settings->trace, &span);
            bench_kernel *k = with_kernels ? find_kernel(cell, event->name) : NULL;
            if (!k) continue;
            k->calls++;
            k->ns += event->end_ns - event->begin_ns;
            k->flops += event->flops;
        }
        e->n = 0;
    }
}

static double sum_flops(const bench_run *run)
{
    double sum = 0;
    for (int t = 0; t < BENCH_THREADS_MAX; t++)
        for (size_t i = 0; i < run->threads[t].n; i++)
            sum += run->threads[t].items[i].flops;
    return sum;
}

static void drop_events(bench_run *run)
{
    for (int t = 0; t < BENCH_THREADS_MAX; t++)
        run->threads[t].n = 0;
}

/* Counts the operations of a cell's call by having the program report one. A program without steps
 * leaves them unknown, and with them the percentage. */
static qeff_status
count_flops(bench_run *run, bench_cell *cell, const bench_input *input, qeff_error *err)
{
    const qeff_profile profile = {.record = record, .ctx = run};
    int64_t ns = 0;
    qeff_status status = qeff_auto_model_set_profile(run->model, &profile, err);
    if (status == QEFF_ERR_UNSUPPORTED) return QEFF_OK;
    if (!status) status = encode(run, cell, input, &ns, err);
    cell->flops = sum_flops(run);
    drop_events(run);
    if (!status) status = qeff_auto_model_set_profile(run->model, NULL, err);
    return status;
}

static qeff_status
profile_cell(bench_run *run, bench_cell *cell, const bench_input *input, qeff_error *err)
{
    const qeff_profile profile = {.record = record, .ctx = run};
    const bool with_kernels = run->settings->with_profile;
    int64_t ns = 0;
    qeff_status status = encode(run, cell, input, &ns, err); /* warm */
    if (!status) status = qeff_auto_model_set_profile(run->model, &profile, err);
    for (int i = 0; i < PROFILED_CALLS && !status; i++) {
        bench_span span = {.category = "call", .begin_ns = qeff_profile_clock()};
        status = encode(run, cell, input, &ns, err);
        span.end_ns = span.begin_ns + ns;
        copy_name(span.name, "encode");
        bench_trace_add(run->settings->trace, &span);
        cell->profiled_ns += ns * (int64_t)cell->threads;
        cell->profiled_calls++;
        keep_events(run, cell, with_kernels);
    }
    if (!status) status = qeff_auto_model_set_profile(run->model, NULL, err);
    return status;
}

/* --- a model ---------------------------------------------------------------------------------- */

static qeff_status read_limits(bench_run *run, qeff_error *err)
{
    const qeff_str config = qeff_transformers_base_config(qeff_auto_model_base(run->model));
    json_t *root = json_loadb(config.data, config.size, 0, NULL);
    const json_int_t vocab = json_integer_value(json_object_get(root, "vocab_size"));
    const json_int_t longest = json_integer_value(json_object_get(root, "max_position_embeddings"));
    json_decref(root);
    if (vocab < 1 || longest < 1)
        return cli_fail(err, QEFF_ERR_UNSUPPORTED,
                        "'%s': config.json lacks vocab_size or max_position_embeddings",
                        run->settings->model);
    run->vocab_size = (size_t)vocab;
    run->longest = (size_t)longest;
    return QEFF_OK;
}

/* Text of random ids through the tokenizer, for the trace. */
static qeff_status tokenize(const bench_run *run, qeff_error *err)
{
    const qeff_tokenizer *tokenizer = qeff_auto_model_tokenizer(run->model);
    const qeff_encode_options how = {.no_offsets = true};
    int32_t ids[WORDS];
    qeff_text text = {0};
    qeff_encoding encoding = {0};
    if (!tokenizer || !run->settings->trace) return QEFF_OK;
    const size_t limit = (size_t)qeff_tokenizer_id_limit(tokenizer);
    for (size_t i = 0; i < WORDS; i++)
        ids[i] = (int32_t)((i * 7919 + 1) % limit);
    qeff_status status = qeff_tokenizer_decode(tokenizer, ids, WORDS, true, &text, err);
    const int64_t begin = qeff_profile_clock();
    if (!status)
        status = qeff_tokenizer_encode(tokenizer, (qeff_str){text.data, text.size}, &how, &encoding,
                                       err);
    add_phase(run, "tokenize", begin);
    qeff_encoding_deinit(&encoding);
    qeff_text_deinit(&text);
    return status;
}

/* Switching reports on needs the program, which the cache has or which is compiled now. */
static qeff_status make_ready(bench_run *run, qeff_error *err)
{
    const qeff_profile profile = {.record = record, .ctx = run};
    const qeff_status status = qeff_auto_model_set_profile(run->model, &profile, err);
    if (status == QEFF_ERR_UNSUPPORTED) return QEFF_OK;
    return status ? status : qeff_auto_model_set_profile(run->model, NULL, err);
}

static qeff_status open_model(bench_run *run, const bench_cell *first, qeff_error *err)
{
    const bench_settings *s = run->settings;
    qeff_auto_model_options how = {.precision = first->precision,
                                   .n_threads = (int)first->threads,
                                   .no_cache = s->no_cache,
                                   .progress = s->progress->is_on ? &s->progress->sink : NULL};
    int64_t begin = qeff_profile_clock();
    BENCH_TRY(qeff_auto_model_from_pretrained(s->model, &how, &run->model, err));
    add_phase(run, "load", begin);
    BENCH_TRY(read_limits(run, err));
    begin = qeff_profile_clock();
    BENCH_TRY(make_ready(run, err));
    add_phase(run, "compile", begin);
    return tokenize(run, err);
}

static void leave_out_long_cells(bench_run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->n_cells; i++) {
        bench_cell *cell = &run->cells[i];
        cell->is_left_out = run->settings->skips_long && cell->length > run->longest;
        if (!cell->is_left_out) n++;
    }
    run->n_total = n * (ROUNDS + 1);
}

static qeff_status prepare_cells(bench_run *run, qeff_error *err)
{
    for (size_t i = 0; i < run->n_cells; i++) {
        bench_cell *cell = &run->cells[i];
        bench_input *input = &run->inputs[i];
        if (cell->is_left_out) continue;
        const int64_t begin = qeff_profile_clock();
        BENCH_TRY(
            bench_input_fill(input, cell, run->vocab_size, run->longest, run->settings->seed, err));
        cell->n_tokens = input->offsets[input->n];
        BENCH_TRY(count_flops(run, cell, input, err));
        add_phase(run, "first call", begin);
    }
    return QEFF_OK;
}

static qeff_status measure_cells(bench_run *run, qeff_error *err)
{
    const bool is_profiled = run->settings->with_profile || run->settings->trace;
    for (int round = 0; round <= ROUNDS; round++)
        for (size_t i = 0; i < run->n_cells; i++) {
            if (run->cells[i].is_left_out) continue;
            report_progress(run, "measuring");
            if (round < ROUNDS)
                BENCH_TRY(measure_part(run, &run->cells[i], &run->inputs[i], err));
            else if (is_profiled)
                BENCH_TRY(profile_cell(run, &run->cells[i], &run->inputs[i], err));
            run->n_done++;
        }
    return QEFF_OK;
}

static qeff_status measure_model(bench_run *run, qeff_error *err)
{
    run->inputs = calloc(run->n_cells, sizeof *run->inputs);
    if (!run->inputs) return cli_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    qeff_status status = open_model(run, &run->cells[0], err);
    if (!status) leave_out_long_cells(run);
    if (!status) status = prepare_cells(run, err);
    if (!status) status = measure_cells(run, err);
    for (size_t i = 0; i < run->n_cells; i++)
        bench_input_deinit(&run->inputs[i]);
    for (int t = 0; t < BENCH_THREADS_MAX; t++)
        free(run->threads[t].items);
    free(run->inputs);
    qeff_auto_model_destroy(run->model);
    return status;
}

/* --- all -------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_quantile(const double *sorted, size_t n, double q)
{
    if (n == 0) return 0;
    const double at = q * (double)(n - 1);
    const size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (at - (double)below) * (sorted[above] - sorted[below]);
}

static void summarize(bench_cell *cell)
{
    qsort(cell->us, cell->n, sizeof *cell->us, by_value);
    qsort(cell->share, cell->n, sizeof *cell->share, by_value);
    qsort(cell->probe, cell->n, sizeof *cell->probe, by_value);
    cell->median_us = bench_quantile(cell->us, cell->n, 0.5);
    cell->q1_us = bench_quantile(cell->us, cell->n, 0.25);
    cell->q3_us = bench_quantile(cell->us, cell->n, 0.75);
    cell->p95_us = bench_quantile(cell->us, cell->n, 0.95);
    cell->percent = 100 * bench_quantile(cell->share, cell->n, 0.5);
    cell->probe_flops = bench_quantile(cell->probe, cell->n, 0.5);
}

qeff_status bench_measure(const bench_settings *settings, bench_grid *grid, qeff_error *err)
{
    const size_t each = grid->n_batch_sizes * grid->n_lengths;
    for (size_t first = 0; first < grid->n_cells; first += each) {
        bench_run *run = calloc(1, sizeof *run);
        if (!run) return cli_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        run->settings = settings;
        run->cells = grid->cells + first;
        run->n_cells = each;
        const qeff_status status = measure_model(run, err);
        free(run);
        if (status) return status;
    }
    for (size_t i = 0; i < grid->n_cells; i++)
        if (grid->cells[i].n) summarize(&grid->cells[i]);
    return QEFF_OK;
}
