/* bench_compare.c - the cells beside those of an older run.
 *
 * Times are first laid on the same clock: where both runs know the share of the probe, a time
 * counts in units of what the probe did meanwhile, so another clock or a slower moment of the
 * machine is no loss. A loss is significant where both hold:
 *
 *   the median is over 5 % slower, and
 *   the spreads do not meet: the first quartile now lies above the third quartile then.
 *
 * A file without quartiles (they may be left out) is held against the median alone. */
#include "cli/bench.h"
#include "cli/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define LOSS 1.05

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : 0;
}

static bool is_same_cell(const json_t *old, const bench_cell *c)
{
    const json_t *length = json_object_get(old, "length");
    const char *precision = json_string_value(json_object_get(old, "precision"));
    const bool has_length =
        c->length ? json_integer_value(length) == (json_int_t)c->length : json_is_string(length);
    return has_length && precision && strcmp(precision, c->precision) == 0 &&
           json_integer_value(json_object_get(old, "batch_size")) == (json_int_t)c->batch_size &&
           json_integer_value(json_object_get(old, "threads")) == (json_int_t)c->threads;
}

static const json_t *find_cell(const json_t *cells, const bench_cell *c)
{
    for (size_t i = 0; i < json_array_size(cells); i++)
        if (is_same_cell(json_array_get(cells, i), c)) return json_array_get(cells, i);
    return NULL;
}

/* Time then over time now of equal work: below 1, the cell is slower now. */
static double compare_medians(const json_t *old, const bench_cell *c)
{
    const double then = number_of(old, "percent_of_probe");
    if (then > 0 && c->percent > 0) return c->percent / then;
    return number_of(old, "median_us") / c->median_us;
}

/* Whether the quartiles keep apart, in the units of compare_medians(). */
static bool is_apart(const json_t *old, const bench_cell *c, double speed)
{
    const double median = number_of(old, "median_us"), q3 = number_of(old, "q3_us");
    if (q3 <= 0 || median <= 0 || c->median_us <= 0) return true;
    return c->q1_us / c->median_us / speed > q3 / median;
}

static bool compare_cell(const json_t *old, const bench_cell *c, cli_text *out)
{
    char length[24] = "ragged";
    if (c->length) (void)snprintf(length, sizeof length, "%zu", c->length);
    const double speed = compare_medians(old, c);
    const bool is_loss = speed > 0 && 1 / speed > LOSS && is_apart(old, c, speed);
    const bool is_gain = speed > LOSS;
    cli_text_format(out, "%5zu %7s  %-9s %7zu %11.1f %11.1f %7.2fx%s\n", c->batch_size, length,
                    c->precision, c->threads, number_of(old, "median_us"), c->median_us, speed,
                    is_loss   ? "  slower"
                    : is_gain ? "  faster"
                              : "");
    return is_loss;
}

static qeff_status fail_json(const char *path, const json_error_t *error, qeff_error *err)
{
    if (json_error_code(error) == json_error_cannot_open_file)
        return cli_fail_system(err, errno, path);
    return cli_fail(err, QEFF_ERR_FORMAT, "'%s': line %d: %s", path, error->line, error->text);
}

static qeff_status compare_cells(const json_t *root, const char *path, const bench_grid *grid,
                                 cli_text *out, size_t *n_losses, qeff_error *err)
{
    const json_t *cells = json_object_get(root, "cells");
    size_t n_common = 0;
    if (!json_is_array(cells))
        return cli_fail(err, QEFF_ERR_FORMAT, "'%s': expected an object with a list 'cells'", path);
    cli_text_format(out, "\n%5s %7s  %-9s %7s %11s %11s %8s\n", "batch", "length", "precision",
                    "threads", "then us", "now us", "speed");
    for (size_t i = 0; i < grid->n_cells; i++) {
        const bench_cell *c = &grid->cells[i];
        const json_t *old = c->is_left_out ? NULL : find_cell(cells, c);
        if (!old) continue;
        if (number_of(old, "median_us") <= 0)
            return cli_fail(err, QEFF_ERR_FORMAT, "'%s': a cell lacks 'median_us'", path);
        n_common++;
        if (compare_cell(old, c, out)) (*n_losses)++;
    }
    if (n_common > 0) return QEFF_OK;
    return cli_fail(err, QEFF_ERR_INVALID, "'%s': expected a cell of this grid, found none", path);
}

qeff_status bench_compare(const char *path, const bench_grid *grid, cli_text *out, size_t *n_losses,
                          qeff_error *err)
{
    json_error_t error = {0};
    *n_losses = 0;
    errno = 0;
    json_t *root = json_load_file(path, 0, &error);
    if (!root) return fail_json(path, &error, err);
    const qeff_status status = compare_cells(root, path, grid, out, n_losses, err);
    json_decref(root);
    return status;
}
