/* bench.c - qeff bench: how fast a model runs here, cell by cell of a grid. */
#include "cli/bench.h"
#include "cli/report.h"
#include "cli/shared.h"

#include <string.h>

typedef struct bench_values {
    const char *batch_sizes, *lengths, *precisions, *threads, *compare, *trace;
    size_t milliseconds, seed;
    bool json, profile, no_cache;
} bench_values;

enum { MILLISECONDS = 500, MILLISECONDS_MAX = 3600000, SEED_MAX = 0x7fffffff };

#define MEMBER(name) offsetof(bench_values, name)

static const cli_option options[] = {
    {.name = "batch-size",
     .short_name = 'b',
     .kind = CLI_TEXT,
     .offset = MEMBER(batch_sizes),
     .value_name = "LIST",
     .fallback = "1,32",
     .help = "sequences of one call"},
    {.name = "length",
     .short_name = 'l',
     .kind = CLI_TEXT,
     .offset = MEMBER(lengths),
     .value_name = "LIST",
     .fallback = "8,16,32,128,ragged, as far as the model takes them",
     .help = "tokens of each sequence; ragged: lengths from 8 to 128, evenly"},
    {.name = "precision",
     .kind = CLI_TEXT,
     .offset = MEMBER(precisions),
     .value_name = "LIST",
     .fallback = "fp32",
     .help = "in what numbers the model is computed"},
    {.name = "threads",
     .kind = CLI_TEXT,
     .offset = MEMBER(threads),
     .value_name = "LIST",
     .fallback = "1",
     .help = "threads that compute, no more than can run at once"},
    {.name = "milliseconds",
     .kind = CLI_COUNT,
     .offset = MEMBER(milliseconds),
     .value_name = "N",
     .min = 1,
     .max = MILLISECONDS_MAX,
     .fallback = "500",
     .help = "time for the samples of a cell; at least three are taken"},
    {.name = "seed",
     .kind = CLI_COUNT,
     .offset = MEMBER(seed),
     .value_name = "N",
     .min = 0,
     .max = SEED_MAX,
     .fallback = "0",
     .help = "which random token ids"},
    {.name = "json",
     .kind = CLI_FLAG,
     .offset = MEMBER(json),
     .help = "print one JSON object instead of a table"},
    {.name = "compare",
     .kind = CLI_PATH,
     .offset = MEMBER(compare),
     .value_name = "FILE",
     .help =
         "lay the cells beside those of an older --json; exit code 1 where one is significantly "
         "slower"},
    {.name = "profile",
     .kind = CLI_FLAG,
     .offset = MEMBER(profile),
     .help = "show the share of each kernel in the time of a cell"},
    {.name = "trace",
     .kind = CLI_PATH,
     .offset = MEMBER(trace),
     .value_name = "FILE",
     .help = "write what each thread did when, for ui.perfetto.dev"},
    CLI_OPTION_NO_CACHE(bench_values),
    {0}};

static const cli_operand operands[] = {
    {.name = "MODEL", .help = "a model folder, or a program that qeff compile made"}, {0}};

static const char *const description[] = {
    "Measures how long the model takes for batches of random token ids, from ids to vectors: each "
    "batch size with each length, precision and number of threads. Cells take turns, and a loop of "
    "multiply-adds is timed between the samples.",
    "% probe is the part of that loop's rate that the matrix products of the model reach: 100 would "
    "be a processor that does nothing else. Other work on the machine shows in p95, and in runs "
    "that differ.",
    "With --compare a cell counts as slower where its median is over 5 % worse than before and the "
    "quartiles of the two runs do not overlap; times count in units of the probe, so that another "
    "clock speed is no loss.",
    NULL};

static const cli_example examples[] = {
    {"How fast is it here?", "qeff bench models/all-MiniLM-L6-v2 --batch-size 1,32 --length 8,16"},
    {"One cell, and where its time goes",
     "qeff bench models/all-MiniLM-L6-v2 --batch-size 1 --length 16 --profile"},
    {"A measurement to keep, for --compare", "qeff bench models/all-MiniLM-L6-v2 -l 16 --json"},
    {"Pictures of every step",
     "qeff bench models/all-MiniLM-L6-v2 -b 1 -l 16 --threads 2 --trace trace.json"},
    {0}};

static int read_numbers(const cli_command *command, const char *option, const char *text,
                        const char *word, size_t max, size_t list[BENCH_LIST_MAX], size_t *n)
{
    *n = bench_parse_numbers(text, word, max, list);
    if (*n) return CLI_CONTINUE;
    return cli_report_usage(command,
                            "--%s: expected numbers from 1 to %zu%s%s, as in 1,32, found '%s'",
                            option, max, word ? " or " : "", word ? word : "", cli_show(text).text);
}

static int read_grid(const cli_command *command, const bench_values *v, bench_grid *grid)
{
    const char *batch_sizes = v->batch_sizes ? v->batch_sizes : "1,32";
    const char *lengths = v->lengths ? v->lengths : "8,16,32,128,ragged";
    const char *precisions = v->precisions ? v->precisions : "fp32";
    const char *threads = v->threads ? v->threads : "1";
    int code = read_numbers(command, "batch-size", batch_sizes, NULL, BENCH_BATCH_MAX,
                            grid->batch_sizes, &grid->n_batch_sizes);
    if (code == CLI_CONTINUE)
        code = read_numbers(command, "length", lengths, "ragged", BENCH_LENGTH_MAX, grid->lengths,
                            &grid->n_lengths);
    if (code == CLI_CONTINUE)
        code = read_numbers(command, "threads", threads, NULL, BENCH_THREADS_MAX, grid->threads,
                            &grid->n_threads);
    if (code != CLI_CONTINUE) return code;
    grid->n_precisions = bench_parse_names(precisions, grid->precisions);
    if (grid->n_precisions) return CLI_CONTINUE;
    return cli_report_usage(command, "--precision: expected names, as in fp32, found '%s'",
                            cli_show(precisions).text);
}

static void note_left_out(const bench_grid *grid)
{
    for (size_t l = 0; l < grid->n_lengths; l++)
        if (grid->cells[l].is_left_out)
            cli_note("length %zu is left out: the model has not so many positions",
                     grid->lengths[l]);
}

/* Before minutes of measuring. */
static qeff_status check_threads(const bench_grid *grid, qeff_error *err)
{
    qeff_status status = QEFF_OK;
    double flops = 0;
    for (size_t t = 0; t < grid->n_threads && !status; t++)
        status = qeff_cpu_probe((int)grid->threads[t], 1e-4, &flops, err);
    return status;
}

/* Everything that is printed comes at once, after the last thing that can fail. A trace's file was
 * opened before the measurement: minutes must not end at a path that cannot be written. */
static qeff_status
show(const bench_values *v, const bench_settings *settings, const bench_grid *grid,
     cli_output *trace_file, size_t *n_losses, qeff_error *err)
{
    cli_text text = {0}, comparison = {0};
    qeff_status status = QEFF_OK;
    if (v->compare) status = bench_compare(v->compare, grid, &comparison, n_losses, err);
    if (v->json)
        bench_write_json(grid, settings, &text);
    else
        bench_show(grid, &text);
    if (v->profile && !v->json) bench_show_profile(grid, &text);
    if (comparison.data && !v->json) cli_text_append(&text, comparison.data, comparison.size);
    if (!status) status = cli_text_status(&text, err);
    if (!status) status = cli_text_status(&comparison, err);
    if (!status && settings->trace) status = bench_trace_write(settings->trace, trace_file, err);
    if (!status) status = cli_print(text.data, text.size, err);
    cli_text_deinit(&text);
    cli_text_deinit(&comparison);
    return status;
}

static int
measure(const cli_command *command, const bench_values *v, const char *model, bench_grid *grid)
{
    qeff_error err = {0};
    cli_progress progress;
    bench_trace trace = {0};
    cli_output trace_file = {0};
    size_t n_losses = 0;
    cli_progress_init(&progress);
    const bench_settings settings = {.model = model,
                                     .milliseconds =
                                         v->milliseconds ? v->milliseconds : MILLISECONDS,
                                     .seed = v->seed,
                                     .no_cache = v->no_cache,
                                     .with_profile = v->profile,
                                     .trace = v->trace ? &trace : NULL,
                                     .skips_long = !v->lengths,
                                     .progress = &progress};
    qeff_status status = check_threads(grid, &err);
    if (!status) status = bench_grid_fill(grid, &err);
    if (!status && v->trace) status = cli_output_open(&trace_file, v->trace, &err);
    if (!status) status = bench_measure(&settings, grid, &err);
    cli_progress_end(&progress);
    if (!status) status = show(v, &settings, grid, &trace_file, &n_losses, &err);
    bench_trace_deinit(&trace);
    if (status) cli_output_abort(&trace_file);
    if (status) return cli_report(command, &err);
    note_left_out(grid);
    if (n_losses)
        cli_note("%zu cell%s significantly slower than in '%s'", n_losses,
                 n_losses == 1 ? " is" : "s are", v->compare);
    return n_losses ? CLI_FAILURE : CLI_OK;
}

static int run(const cli_command *command, void *values, const cli_operands *args)
{
    bench_grid grid = {.n_cells = 0};
    int code = read_grid(command, values, &grid);
    if (code == CLI_CONTINUE) code = measure(command, values, args->items[0], &grid);
    bench_grid_deinit(&grid);
    return code;
}

const cli_command cli_bench = {.name = "bench",
                               .summary = "measure how fast a model runs here",
                               .description = description,
                               .operands = operands,
                               .options = options,
                               .examples = examples,
                               .values_size = sizeof(bench_values),
                               .run = run};
_Static_assert(sizeof(bench_values) <= CLI_VALUES_MAX, "values do not fit");
