/* vectors_show.c - embeddings for people: what each vector looks like, and a matrix of cosine
 * similarities, coloured where the terminal can. */
#include "cli/vectors.h"

#include <math.h>
#include <stdio.h>

enum {
    CELL_COLUMNS = 7,
    LABEL_COLUMNS = 6,
    VALUE_COLUMNS = 9,
    VALUES_MAX = 8,
    MATRIX_MAX = 32 /* more texts than that make no picture */
};

static double norm_of(const float *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)v[i] * (double)v[i];
    return sqrt(sum);
}

static double cosine_of(const float *a, const float *b, size_t n)
{
    const double scale = norm_of(a, n) * norm_of(b, n);
    double dot = 0;
    for (size_t i = 0; i < n; i++)
        dot += (double)a[i] * (double)b[i];
    return scale > 0 ? dot / scale : 0;
}

/* As many of the first values as fit behind `used` columns. */
static void add_values(const float *v, size_t n, size_t used, size_t columns, cli_text *out)
{
    size_t fit = columns > used + VALUE_COLUMNS ? (columns - used - 5) / VALUE_COLUMNS : 1;
    if (fit > VALUES_MAX) fit = VALUES_MAX;
    if (fit > n) fit = n;
    cli_text_add(out, "[");
    for (size_t i = 0; i < fit; i++)
        cli_text_format(out, "%s%7.4f", i ? ", " : "", (double)v[i]);
    cli_text_add(out, fit < n ? ", ...]\n" : "]\n");
}

static void add_vector(const char *label, const float *v, size_t n, size_t columns, cli_text *out)
{
    char head[64];
    const int used = snprintf(head, sizeof head, "   %s norm %.4f  ", label, norm_of(v, n));
    cli_text_add(out, head);
    add_values(v, n, used > 0 ? (size_t)used : 0, columns, out);
}

static void
add_texts(const qeff_embeddings *e, const qeff_str *texts, size_t columns, cli_text *out)
{
    for (size_t i = 0; i < e->count; i++) {
        cli_text_format(out, "%2zu ", i + 1);
        if (texts[i].size == 0)
            cli_text_add(out, "(empty)");
        else
            cli_text_add_excerpt(out, texts[i], columns - 5);
        cli_text_add(out, "\n");
        if (!e->offsets) {
            add_vector("", e->values + i * e->dim, e->dim, columns, out);
            continue;
        }
        for (size_t t = e->offsets[i]; t < e->offsets[i + 1]; t++) {
            char label[32];
            (void)snprintf(label, sizeof label, "token %zu,", t - e->offsets[i]);
            add_vector(label, e->values + t * e->dim, e->dim, columns, out);
        }
    }
}

/* --- matrix ----------------------------------------------------------------------------------- */

/* Background and foreground of a similarity, dark blue to yellow; all below 0 look alike. */
static void add_color(double similarity, cli_colors colors, cli_text *out)
{
    static const struct {
        unsigned char background, foreground;
    } ramp[] = {{17, 15}, {18, 15}, {25, 15},  {31, 15},  {37, 16},
                {36, 16}, {72, 16}, {113, 16}, {155, 16}, {227, 16}};
    const int n = (int)(sizeof ramp / sizeof ramp[0]);
    int i = similarity > 0 ? (int)(similarity * n) : 0;
    if (i >= n) i = n - 1;
    switch (colors) {
    case CLI_COLORS_NONE:
        return;
    case CLI_COLORS_8:
        cli_text_add(out, i < 3 ? "\x1b[44;37m" : i < 6 ? "\x1b[46;30m" : "\x1b[43;30m");
        return;
    case CLI_COLORS_256:
        cli_text_format(out, "\x1b[48;5;%d;38;5;%dm", ramp[i].background, ramp[i].foreground);
        return;
    }
}

static void add_matrix(const qeff_embeddings *e, cli_terminal terminal, cli_text *out)
{
    size_t fit = (terminal.columns - LABEL_COLUMNS) / CELL_COLUMNS;
    if (fit > MATRIX_MAX) fit = MATRIX_MAX;
    const size_t n = e->count < fit ? e->count : fit;
    cli_text_add(out, "\ncosine similarity");
    if (n < e->count) cli_text_format(out, " of the first %zu texts", n);
    cli_text_format(out, "\n%*s", LABEL_COLUMNS, "");
    for (size_t j = 0; j < n; j++)
        cli_text_format(out, "%*zu", CELL_COLUMNS, j + 1);
    for (size_t i = 0; i < n; i++) {
        cli_text_format(out, "\n%*zu", LABEL_COLUMNS, i + 1);
        for (size_t j = 0; j < n; j++) {
            const double c = cosine_of(e->values + i * e->dim, e->values + j * e->dim, e->dim);
            add_color(c, terminal.colors, out);
            cli_text_format(out, "%*.3f", CELL_COLUMNS, c);
            if (terminal.colors != CLI_COLORS_NONE) cli_text_add(out, "\x1b[0m");
        }
    }
    cli_text_add(out, "\n");
}

void cli_vectors_show(const qeff_embeddings *e, const qeff_str *texts, cli_terminal terminal,
                      cli_text *out)
{
    cli_text_format(out, "%zu text%s, %zu dimensions, %zu tokens\n", e->count,
                    e->count == 1 ? "" : "s", e->dim, e->n_tokens);
    add_texts(e, texts, terminal.columns, out);
    if (e->count > 1 && !e->offsets) add_matrix(e, terminal, out);
}
