/* bench.h - the parts of qeff bench: a grid of cells, each measured in rounds. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "cli/output.h"
#include "cli/terminal.h"
#include "cli/text.h"

#include <qeff/auto_model.h>
#include <qeff/bench.h>

enum {
    BENCH_LIST_MAX = 32,     /* entries of one list on the command line */
    BENCH_THREADS_MAX = 64,  /* whose events are kept */
    BENCH_KERNELS_MAX = 256, /* names of steps of one model */
    BENCH_LENGTH_MAX = 1 << 16,
    BENCH_BATCH_MAX = 1 << 14,
    BENCH_RAGGED_MIN = 8, /* lengths of a ragged batch are even between these */
    BENCH_RAGGED_MAX = 128
};

#define BENCH_TRY(expression)                                                                      \
    do {                                                                                           \
        const qeff_status status_ = (expression);                                                  \
        if (status_) return status_;                                                               \
    } while (0)

/** Time of one kernel in the profiled calls. */
typedef struct bench_kernel {
    char name[64];
    size_t calls;
    int64_t ns; /**< of all threads together */
    double flops;
} bench_kernel;

/** One line of the table. Times are of one call that encodes the whole batch. */
typedef struct bench_cell {
    size_t batch_size;
    size_t length; /**< 0: ragged */
    const char *precision;
    size_t threads;
    bool is_left_out; /**< the model does not take sequences of this length */
    size_t n_tokens;
    /* samples */
    double *us;    /**< [n] */
    double *share; /**< [n]: part of the probe timed just before; 0 where flops are not known */
    double *probe; /**< [n]: FLOP/s */
    size_t n, capacity;
    /* what comes of them */
    double median_us, q1_us, q3_us, p95_us, percent, probe_flops;
    double flops; /**< of one call's matrix products; 0: not known */
    bench_kernel *kernels;
    size_t n_kernels;
    size_t profiled_calls;
    int64_t profiled_ns; /**< wall time of those calls, times threads */
} bench_cell;

typedef struct bench_grid {
    size_t batch_sizes[BENCH_LIST_MAX], n_batch_sizes;
    size_t lengths[BENCH_LIST_MAX], n_lengths;
    char precisions[BENCH_LIST_MAX][16];
    size_t n_precisions;
    size_t threads[BENCH_LIST_MAX], n_threads;
    bench_cell *cells;
    size_t n_cells;
} bench_grid;

/** Sequences of random ids, one after another. */
typedef struct bench_input {
    int64_t *ids;
    size_t *offsets; /**< [n + 1] */
    size_t n;
} bench_input;

/** Reads a list such as `1,32`; the word stands for 0 where it is not NULL.
 * @return the entries, or 0 where the list is malformed or an entry is outside [1, max] */
size_t
bench_parse_numbers(const char *text, const char *word, size_t max, size_t list[BENCH_LIST_MAX]);
/** The same for names of up to 15 letters. */
size_t bench_parse_names(const char *text, char list[BENCH_LIST_MAX][16]);
/** Makes the cells: by precision, threads, batch size, length. */
qeff_status bench_grid_fill(bench_grid *grid, qeff_error *err);
void bench_grid_deinit(bench_grid *grid);
/** Ids below `vocab_size` that the seed and the cell's shape determine; `longest` cuts ragged
 * lengths. */
qeff_status bench_input_fill(bench_input *input, const bench_cell *cell, size_t vocab_size,
                             size_t longest, uint64_t seed, qeff_error *err);
void bench_input_deinit(bench_input *input);

/** What happened, for a trace. */
typedef struct bench_span {
    char name[64];
    const char *category; /**< "phase", "call" or "step" */
    int thread;
    int64_t begin_ns, end_ns;
} bench_span;

typedef struct bench_trace {
    bench_span *spans;
    size_t n, capacity;
} bench_trace;

/** Appends a span; out of memory drops it. NULL is allowed. */
void bench_trace_add(bench_trace *trace, const bench_span *span);
/** Writes trace events that ui.perfetto.dev and chrome://tracing open, and closes the output. */
qeff_status bench_trace_write(const bench_trace *trace, cli_output *out, qeff_error *err);
void bench_trace_deinit(bench_trace *trace);

typedef struct bench_settings {
    const char *model;
    size_t milliseconds; /**< a cell */
    uint64_t seed;
    bool no_cache, with_profile;
    bench_trace *trace; /**< NULL: none */
    bool skips_long;    /**< lengths that the model lacks are left out */
    cli_progress *progress;
} bench_settings;

/** Measures all cells; those whose length the model does not take are left out where `skips_long`
 * says so. */
qeff_status bench_measure(const bench_settings *settings, bench_grid *grid, qeff_error *err);

/** The value below which the part `q` of the sorted values lies. */
double bench_quantile(const double *sorted, size_t n, double q);

void bench_show(const bench_grid *grid, cli_text *out);
void bench_show_profile(const bench_grid *grid, cli_text *out);
void bench_write_json(const bench_grid *grid, const bench_settings *settings, cli_text *out);
double bench_tokens_per_second(const bench_cell *cell);
double bench_sentences_per_second(const bench_cell *cell);
/** Share of one kernel in the threads' time, in percent; `index` n_kernels is what lies outside of
 * all of them. */
double bench_kernel_share(const bench_cell *cell, size_t index);

/** Lays the cells beside those of an older file of bench_write_json().
 * @param n_losses receives the cells that are significantly slower
 * @return QEFF_ERR_NOT_FOUND, QEFF_ERR_IO, QEFF_ERR_FORMAT, QEFF_ERR_INVALID (no cell in common) */
qeff_status bench_compare(const char *path, const bench_grid *grid, cli_text *out, size_t *n_losses,
                          qeff_error *err);

#endif /* CLI_BENCH_H */
