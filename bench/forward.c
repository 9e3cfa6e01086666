/* forward.c - a compiled encoder over random ids, from the inside:
 *
 *     forward PROGRAM/programqpc.bin [-t THREADS] [-l LEVEL] [-s] [BATCHxLENGTH | ragged]...
 *
 * For each cell: median and fastest time, percent of the FMA probe that is timed between the
 * samples (one thread), and with -s the share of each kind of step, in runs of their own with one
 * thread. What counts as operations is in profile.c, the same as for `qeff bench`. */
#include "backend/cpu/execute.h"
#include "base/cpu.h"
#include "base/span.h"
#include "bench/fma_probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LENGTH_MAX = 4096,
    SEQUENCES_MAX = 512,
    TOKENS_MAX = 1 << 14,
    SAMPLES_MAX = 400,
    SHARES = 32
};

/* --- shares of the steps ------------------------------------------------------------------------
 */

typedef struct share {
    char name[64];
    double seconds, flops;
} share;

/* What the steps of some runs of one thread took. */
typedef struct shares {
    share items[SHARES];
    size_t n;
} shares;

static void add_event(void *ctx, const qeff_profile_event *event)
{
    shares *all = ctx;
    size_t i = 0;
    while (i < all->n && strcmp(all->items[i].name, event->name) != 0)
        i++;
    if (i == SHARES) return;
    share *s = &all->items[i];
    if (i == all->n) {
        *s = (share){{0}, 0, 0};
        (void)snprintf(s->name, sizeof s->name, "%s", event->name);
        all->n++;
    }
    s->seconds += 1e-9 * (double)(event->end_ns - event->begin_ns);
    s->flops += event->flops;
}

/* One thread is timed by its own clock, which leaves out what other programs take. */
static clockid_t timer = CLOCK_THREAD_CPUTIME_ID;

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(timer, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- program and calls --------------------------------------------------------------------------
 */

static qeff_error err;

static void check(qeff_status status)
{
    if (!status) return;
    (void)fprintf(stderr, "forward: %s\n", err.message);
    exit(1);
}

typedef struct cell {
    size_t n_sequences;
    int64_t offsets[SEQUENCES_MAX + 1];
    int64_t ids[TOKENS_MAX];
} cell;

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(*state >> 11) / 9007199254740992.0;
}

/* "32x16", or "ragged": 64 sequences of 5 to 128 tokens, most of them short. */
static bool make_cell(const char *text, cell *c, int64_t n_words)
{
    uint64_t state = 7;
    size_t batch = 64, length = 0;
    const bool is_ragged = strcmp(text, "ragged") == 0;
    if (!is_ragged && sscanf(text, "%zux%zu", &batch, &length) != 2) return false;
    if (batch < 1 || batch > SEQUENCES_MAX || length > LENGTH_MAX) return false;
    c->n_sequences = batch;
    c->offsets[0] = 0;
    for (size_t i = 0; i < batch; i++) {
        double n = (double)length;
        if (is_ragged) {
            const double z =
                sqrt(-2.0 * log(1.0 - uniform(&state))) * cos(6.2831853 * uniform(&state));
            n = fmin(fmax(exp(3.0 + 0.8 * z), 5.0), 128.0);
        }
        c->offsets[i + 1] = c->offsets[i] + (int64_t)n;
    }
    if (c->offsets[batch] > TOKENS_MAX) return false;
    for (int64_t t = 0; t < c->offsets[batch]; t++)
        c->ids[t] = (int64_t)(uniform(&state) * (double)n_words);
    return true;
}

static void run(qeff_ragged_session *s, const qeff_plan *plan, cell *c, float *out)
{
    const int64_t n_tokens = c->offsets[c->n_sequences];
    qeff_run_tensor inputs[QEFF_PLAN_IO_MAX],
        output = {.name = plan->outputs[0].name, .dtype = QEFF_DTYPE_F32, .rank = 2, .data = out};
    size_t n_inputs = 0;
    for (size_t i = 0; i < plan->n_inputs; i++)
        if (!plan->input_roles[i].is_mask)
            inputs[n_inputs++] = (qeff_run_tensor){.name = plan->inputs[i].name,
                                                   .dtype = plan->inputs[i].dtype,
                                                   .rank = 1,
                                                   .shape = {n_tokens},
                                                   .data = c->ids};
    const bool is_token = plan->values[plan->output_views[0].value].rows == QEFF_ROWS_TOKEN;
    output.shape[0] = is_token ? n_tokens : (int64_t)c->n_sequences;
    output.shape[1] = (int64_t)plan->output_views[0].width;
    const qeff_run_call call = {inputs, n_inputs, c->n_sequences, c->offsets, &output, 1};
    check(qeff_ragged_run(s, &call, &err));
}

static qeff_ragged_session *
open_session(const qeff_plan *plan, const qeff_kernels *kernels, int n_threads)
{
    qeff_ragged_session *s = NULL;
    const qeff_bind_options options = {.n_threads = n_threads};
    check(qeff_ragged_bind(plan, kernels, &options, &s, &err));
    check(qeff_ragged_reserve(s, SEQUENCES_MAX, TOKENS_MAX, LENGTH_MAX, &err));
    return s;
}

/* --- timing -------------------------------------------------------------------------------------
 */

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Runs the cell with a report of its steps. */
static shares
profile_cell(qeff_ragged_session *s, const qeff_plan *plan, cell *c, float *out, int n_runs)
{
    shares all = {.n = 0};
    const qeff_profile profile = {.record = add_event, .ctx = &all};
    check(qeff_ragged_set_profile(s, &profile, &err));
    for (int i = 0; i < n_runs; i++)
        run(s, plan, c, out);
    check(qeff_ragged_set_profile(s, NULL, &err));
    return all;
}

static double sum_flops(const shares *all)
{
    double flops = 0;
    for (size_t i = 0; i < all->n; i++)
        flops += all->items[i].flops;
    return flops;
}

static void print_shares(const shares *all, double peak)
{
    double total = 0;
    for (size_t i = 0; i < all->n; i++)
        total += all->items[i].seconds;
    for (size_t i = 0; i < all->n; i++) {
        const share *s = &all->items[i];
        printf("    %-32s %5.1f %%", s->name, 100.0 * s->seconds / total);
        if (s->flops > 0)
            printf("   at %5.1f %% of the probe", 1e-7 * s->flops / s->seconds / peak);
        puts("");
    }
}

static void
time_cell(const char *text, cell *c, qeff_ragged_session *session, qeff_ragged_session *single,
          const qeff_plan *plan, double (*probe)(double), bool has_shares)
{
    static float out[(size_t)TOKENS_MAX * 1024];
    static double times[SAMPLES_MAX], percents[SAMPLES_MAX];
    const shares once = profile_cell(single, plan, c, out, 1);
    const double flops = sum_flops(&once), begin = now();
    size_t n = 0;
    while (n < SAMPLES_MAX && (n < 7 || now() - begin < 0.7)) {
        const double before = probe(0.0004), start = now();
        run(session, plan, c, out);
        times[n] = now() - start;
        percents[n] = 1e-7 * flops / times[n] / (0.5 * (before + probe(0.0004)));
        n++;
    }
    qsort(times, n, sizeof *times, compare_doubles);
    qsort(percents, n, sizeof *percents, compare_doubles);
    printf("%-8s %9.0f us  (fastest %9.0f, n %3zu)  %5.1f %% of the probe\n", text,
           1e6 * times[n / 2], 1e6 * times[0], n, percents[n / 2]);
    if (has_shares) {
        const double before = probe(0.005);
        const shares all = profile_cell(single, plan, c, out, 1 + (int)(0.1 / times[n / 2]));
        print_shares(&all, 0.5 * (before + probe(0.005)));
    }
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    static const char *standard[] = {"1x8",   "1x16",  "1x32",   "1x128", "1x256",
                                     "32x16", "32x32", "32x128", "ragged"};
    static cell c;
    const char *level = NULL, *path = NULL;
    size_t n_cells = sizeof standard / sizeof standard[0];
    int n_threads = 1, first_cell = 0;
    bool has_shares = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-t") && i + 1 < argc)
            n_threads = atoi(argv[++i]);
        else if (!strcmp(argv[i], "-l") && i + 1 < argc)
            level = argv[++i];
        else if (!strcmp(argv[i], "-s"))
            has_shares = true;
        else if (!path)
            path = argv[i];
        else {
            first_cell = i;
            n_cells = (size_t)(argc - i);
            break;
        }
    }
    if (!path)
        return fprintf(stderr,
                       "usage: forward programqpc.bin [-t THREADS] [-l LEVEL] [-s] [CELL]...\n"),
               2;

    if (n_threads > 1) timer = CLOCK_MONOTONIC;

    qeff_qpc *qpc = NULL;
    qeff_bytes text = {0}, constants = {0};
    qeff_json_document *document = NULL;
    qeff_arena arena = {0};
    qeff_plan plan = {0};
    check(qeff_qpc_open(path, &qpc, &err));
    if (!qeff_qpc_find(qpc, "plan.json", &text) || !qeff_qpc_find(qpc, "constants.bin", &constants))
        return fprintf(stderr, "forward: no program of the CPU backend\n"), 1;
    const qeff_str json = {(const char *)text.data, text.size};
    check(qeff_json_parse(json, NULL, &document, &err));
    check(qeff_plan_parse(qeff_json_root(document), constants, &arena, &plan, &err));
    check(qeff_plan_assign_slots(&plan, &err));

    unsigned flags = 0;
    check(qeff_cpu_detect(&flags, &err));
    if (level && !strcmp(level, "avx2")) flags &= QEFF_CPU_AVX2;
    if (level && !strcmp(level, "scalar")) flags = 0;
    const qeff_kernels kernels = qeff_kernels_for(flags);
    qeff_ragged_session *session = open_session(&plan, &kernels, n_threads);
    qeff_ragged_session *single = open_session(&plan, &kernels, 1);
    const size_t words = plan.constants[plan.steps[0].terms[0].constant].rows;
    for (size_t i = 0; i < n_cells; i++) {
        const char *name = first_cell ? argv[(size_t)first_cell + i] : standard[i];
        if (!make_cell(name, &c, words < 256 ? (int64_t)words : 30000))
            return fprintf(stderr, "forward: no cell: %s\n", name), 2;
        for (size_t t = 0; plan.n_inputs > 2 && t < TOKENS_MAX; t++)
            c.ids[t] %= 2;
        time_cell(name, &c, session, single, &plan,
                  flags & QEFF_CPU_AVX512 ? fma_probe_wide : fma_probe, has_shares);
    }
    qeff_ragged_unbind(single);
    qeff_ragged_unbind(session);
    qeff_plan_deinit(&plan);
    qeff_arena_deinit(&arena);
    qeff_json_close(document);
    qeff_qpc_close(qpc);
    return 0;
}
