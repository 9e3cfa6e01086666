/* bench_grid.c - lists of the command line, the cells they span, and the ids of each. */
#include "cli/bench.h"
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

/* Copies the next entry of a list to `word`; NULL at its end. `*is_bad`: an entry is empty or too
 * long. */
static const char *next_entry(const char *text, char word[16], bool *is_bad)
{
    const size_t size = strcspn(text, ",");
    *is_bad = size == 0 || size >= 16;
    if (*is_bad) return NULL;
    memcpy(word, text, size);
    word[size] = '\0';
    return text[size] == ',' ? text + size + 1 : NULL;
}

static bool parse_number(const char *word, size_t max, size_t *out)
{
    size_t n = 0;
    for (const char *c = word; *c; c++) {
        if (*c < '0' || *c > '9' || n > max) return false;
        n = n * 10 + (size_t)(*c - '0');
    }
    *out = n;
    return n >= 1 && n <= max;
}

size_t
bench_parse_numbers(const char *text, const char *word, size_t max, size_t list[BENCH_LIST_MAX])
{
    size_t n = 0;
    while (text) {
        char entry[16];
        bool is_bad = false;
        text = next_entry(text, entry, &is_bad);
        if (is_bad || n == BENCH_LIST_MAX) return 0;
        if (word && strcmp(entry, word) == 0)
            list[n++] = 0;
        else if (!parse_number(entry, max, &list[n++]))
            return 0;
    }
    return n;
}

size_t bench_parse_names(const char *text, char list[BENCH_LIST_MAX][16])
{
    size_t n = 0;
    while (text) {
        bool is_bad = n == BENCH_LIST_MAX;
        if (!is_bad) text = next_entry(text, list[n++], &is_bad);
        if (is_bad) return 0;
    }
    return n;
}

qeff_status bench_grid_fill(bench_grid *g, qeff_error *err)
{
    const size_t n = g->n_precisions * g->n_threads * g->n_batch_sizes * g->n_lengths;
    g->cells = calloc(n, sizeof *g->cells);
    if (!g->cells) return cli_fail(err, QEFF_ERR_NO_MEMORY, "no memory for %zu cells", n);
    for (size_t p = 0; p < g->n_precisions; p++)
        for (size_t t = 0; t < g->n_threads; t++)
            for (size_t b = 0; b < g->n_batch_sizes; b++)
                for (size_t l = 0; l < g->n_lengths; l++)
                    g->cells[g->n_cells++] = (bench_cell){.batch_size = g->batch_sizes[b],
                                                          .length = g->lengths[l],
                                                          .precision = g->precisions[p],
                                                          .threads = g->threads[t]};
    return QEFF_OK;
}

void bench_grid_deinit(bench_grid *g)
{
    for (size_t i = 0; i < g->n_cells; i++) {
        free(g->cells[i].us);
        free(g->cells[i].share);
        free(g->cells[i].probe);
        free(g->cells[i].kernels);
    }
    free(g->cells);
    *g = (bench_grid){.n_cells = 0};
}

/* splitmix64 by Sebastiano Vigna, which is in the public domain. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static size_t length_of(const bench_cell *cell, size_t longest, uint64_t *state)
{
    if (cell->length) return cell->length;
    const size_t max = longest < BENCH_RAGGED_MAX ? longest : BENCH_RAGGED_MAX;
    const size_t min = max < BENCH_RAGGED_MIN ? max : BENCH_RAGGED_MIN;
    return min + (size_t)(next_random(state) % (max - min + 1));
}

qeff_status bench_input_fill(bench_input *input, const bench_cell *cell, size_t vocab_size,
                             size_t longest, uint64_t seed, qeff_error *err)
{
    uint64_t state = seed;
    size_t n = 0;
    *input = (bench_input){.n = cell->batch_size};
    input->offsets = calloc(input->n + 1, sizeof *input->offsets);
    for (size_t i = 0; input->offsets && i < input->n; i++)
        input->offsets[i + 1] = input->offsets[i] + length_of(cell, longest, &state);
    if (input->offsets) n = input->offsets[input->n];
    if (n) input->ids = calloc(n, sizeof *input->ids);
    if (!input->ids) {
        bench_input_deinit(input);
        return cli_fail(err, QEFF_ERR_NO_MEMORY, "no memory for a batch of %zu", cell->batch_size);
    }
    for (size_t i = 0; i < n; i++)
        input->ids[i] = (int64_t)(next_random(&state) % vocab_size);
    return QEFF_OK;
}

void bench_input_deinit(bench_input *input)
{
    free(input->ids);
    free(input->offsets);
    *input = (bench_input){.n = 0};
}
