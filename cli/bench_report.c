/* bench_report.c - the cells as a table for people and as JSON for programs. */
#include "cli/bench.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef QEFF_COMMIT
#define QEFF_COMMIT ""
#endif

enum { NAME_BYTES = 128 };

double bench_sentences_per_second(const bench_cell *c)
{
    return c->median_us > 0 ? 1e6 * (double)c->batch_size / c->median_us : 0;
}

double bench_tokens_per_second(const bench_cell *c)
{
    return c->median_us > 0 ? 1e6 * (double)c->n_tokens / c->median_us : 0;
}

double bench_kernel_share(const bench_cell *c, size_t index)
{
    int64_t all = 0, ns = 0;
    for (size_t i = 0; i < c->n_kernels; i++)
        all += c->kernels[i].ns;
    const int64_t total = c->profiled_ns > all ? c->profiled_ns : all;
    ns = index < c->n_kernels ? c->kernels[index].ns : total - all;
    return total > 0 ? 100 * (double)ns / (double)total : 0;
}

/* The processor's name as the system gives it; "unknown" where it does not. */
static void find_cpu_name(char name[NAME_BYTES])
{
    static const char key[] = "model name";
    char line[NAME_BYTES + 64];
    FILE *file = fopen("/proc/cpuinfo", "r");
    (void)snprintf(name, NAME_BYTES, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        const char *value = strchr(line, ':');
        if (strncmp(line, key, sizeof key - 1) != 0 || !value) continue;
        value += strspn(value, ": \t");
        (void)snprintf(name, NAME_BYTES, "%.*s", (int)strcspn(value, "\n"), value);
        break;
    }
    if (file) (void)fclose(file);
}

static const char *show_length(const bench_cell *c, char text[24])
{
    if (c->length)
        (void)snprintf(text, 24, "%zu", c->length);
    else
        (void)snprintf(text, 24, "ragged");
    return text;
}

static const char *show_percent(double percent, char text[24])
{
    if (percent > 0)
        (void)snprintf(text, 24, "%.1f", percent);
    else
        (void)snprintf(text, 24, "-");
    return text;
}

static void show_cell(const bench_cell *c, cli_text *out)
{
    char length[24], percent[24];
    cli_text_format(out, "%5zu %7s  %-9s %7zu %6zu %11.1f %11.1f %11.1f %11.0f %8s\n",
                    c->batch_size, show_length(c, length), c->precision, c->threads, c->n,
                    c->median_us, c->p95_us, bench_sentences_per_second(c),
                    bench_tokens_per_second(c), show_percent(c->percent, percent));
}

void bench_show(const bench_grid *grid, cli_text *out)
{
    char cpu[NAME_BYTES];
    find_cpu_name(cpu);
    cli_text_format(out, "qeff %s%s%s, %s, %s\n\n", qeff_version(), QEFF_COMMIT[0] ? " at " : "",
                    QEFF_COMMIT, cpu, qeff_cpu_level());
    cli_text_format(out, "%5s %7s  %-9s %7s %6s %11s %11s %11s %11s %8s\n", "batch", "length",
                    "precision", "threads", "n", "median us", "p95 us", "sentences/s", "tokens/s",
                    "% probe");
    for (size_t i = 0; i < grid->n_cells; i++)
        if (!grid->cells[i].is_left_out) show_cell(&grid->cells[i], out);
}

/* --- shares of the kernels -------------------------------------------------------------------- */

static void show_kernel(const bench_cell *c, size_t index, cli_text *out)
{
    const bool is_kernel = index < c->n_kernels;
    const bench_kernel none = {.name = "outside of the steps"};
    const bench_kernel *k = is_kernel ? &c->kernels[index] : &none;
    char percent[24];
    const double rate = k->ns > 0 ? k->flops / (double)k->ns * 1e9 * (double)c->threads : 0;
    cli_text_format(out, "  %-40s %6.2f %%", k->name, bench_kernel_share(c, index));
    if (is_kernel && c->profiled_calls)
        cli_text_format(
            out, " %8.1f times %8s %% of the probe", (double)k->calls / (double)c->profiled_calls,
            show_percent(c->probe_flops > 0 ? 100 * rate / c->probe_flops : 0, percent));
    cli_text_add(out, "\n");
}

/* Indices of the kernels, the largest share first; then what lies outside. */
static size_t sort_kernels(const bench_cell *c, size_t order[BENCH_KERNELS_MAX + 1])
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_kernels; i++) {
        size_t at = n++;
        for (; at > 0 && c->kernels[order[at - 1]].ns < c->kernels[i].ns; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    order[n++] = c->n_kernels;
    return n;
}

void bench_show_profile(const bench_grid *grid, cli_text *out)
{
    size_t order[BENCH_KERNELS_MAX + 1];
    for (size_t i = 0; i < grid->n_cells; i++) {
        const bench_cell *c = &grid->cells[i];
        char length[24];
        if (c->is_left_out || !c->profiled_calls) continue;
        cli_text_format(out,
                        "\nbatch %zu, length %s, %s, %zu thread%s: share of the threads' time\n",
                        c->batch_size, show_length(c, length), c->precision, c->threads,
                        c->threads == 1 ? "" : "s");
        const size_t n = sort_kernels(c, order);
        for (size_t k = 0; k < n; k++)
            show_kernel(c, order[k], out);
    }
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void add_string(cli_text *out, const char *key, const char *value)
{
    cli_text_format(out, "\"%s\": ", key);
    cli_text_add_json(out, (qeff_str){value, strlen(value)});
    cli_text_add(out, ", ");
}

/* A number, or null where it is not known. */
static void add_known(cli_text *out, const char *key, double value)
{
    if (value > 0)
        cli_text_format(out, ", \"%s\": %.6g", key, value);
    else
        cli_text_format(out, ", \"%s\": null", key);
}

static void add_kernels(const bench_cell *c, cli_text *out)
{
    size_t order[BENCH_KERNELS_MAX + 1];
    const size_t n = sort_kernels(c, order);
    cli_text_add(out, ", \"profile\": [");
    for (size_t i = 0; i < n; i++) {
        const bool is_kernel = order[i] < c->n_kernels;
        cli_text_add(out, i ? ", {" : "{");
        add_string(out, "kernel", is_kernel ? c->kernels[order[i]].name : "outside of the steps");
        if (is_kernel)
            cli_text_format(out, "\"calls\": %.6g, \"us\": %.6g, ",
                            (double)c->kernels[order[i]].calls / (double)c->profiled_calls,
                            (double)c->kernels[order[i]].ns * 1e-3 / (double)c->profiled_calls);
        cli_text_format(out, "\"percent\": %.9g}", bench_kernel_share(c, order[i]));
    }
    cli_text_add(out, "]");
}

static void add_cell(const bench_cell *c, cli_text *out)
{
    char length[24];
    cli_text_format(out, "{\"batch_size\": %zu, \"length\": %s%s%s, ", c->batch_size,
                    c->length ? "" : "\"", show_length(c, length), c->length ? "" : "\"");
    add_string(out, "precision", c->precision);
    cli_text_format(out, "\"threads\": %zu, \"n\": %zu, \"n_tokens\": %zu", c->threads, c->n,
                    c->n_tokens);
    cli_text_format(out,
                    ", \"median_us\": %.6g, \"q1_us\": %.6g, \"q3_us\": %.6g, \"p95_us\": %.6g",
                    c->median_us, c->q1_us, c->q3_us, c->p95_us);
    cli_text_format(out, ", \"sentences_per_s\": %.6g, \"tokens_per_s\": %.6g",
                    bench_sentences_per_second(c), bench_tokens_per_second(c));
    add_known(out, "percent_of_probe", c->percent);
    add_known(out, "probe_gflops", c->probe_flops * 1e-9);
    add_known(out, "mflop", c->flops * 1e-6);
    if (c->n_kernels) add_kernels(c, out);
    cli_text_add(out, "}");
}

void bench_write_json(const bench_grid *grid, const bench_settings *settings, cli_text *out)
{
    char cpu[NAME_BYTES];
    bool is_first = true;
    find_cpu_name(cpu);
    cli_text_add(out, "{");
    add_string(out, "model", settings->model);
    add_string(out, "version", qeff_version());
    if (QEFF_COMMIT[0]) add_string(out, "commit", QEFF_COMMIT);
    add_string(out, "cpu", cpu);
    add_string(out, "level", qeff_cpu_level());
    cli_text_format(out, "\"seed\": %llu, \"milliseconds\": %zu, \"cells\": [",
                    (unsigned long long)settings->seed, settings->milliseconds);
    for (size_t i = 0; i < grid->n_cells; i++) {
        if (grid->cells[i].is_left_out) continue;
        cli_text_add(out, is_first ? "\n" : ",\n");
        add_cell(&grid->cells[i], out);
        is_first = false;
    }
    cli_text_add(out, "\n]}\n");
}
