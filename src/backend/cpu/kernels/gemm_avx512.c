/* gemm_avx512.c - y = activation(x W^T + b) + r on packed panels of 16 columns, in tiles of up to
 * nine rows by three panels.
 *
 * M is split into even tiles (16 rows are 8 + 8) and never padded; K is not blocked. Triples of
 * panels are the outer loop as long as x stays in L2, and each tile prefetches its share of the
 * next triple, so that the weights stream in under the arithmetic; larger x goes by groups of
 * three triples that stay in cache while the rows pass. */
#include "backend/cpu/kernels/kernels_avx512.h"

#include "backend/cpu/kernels/tile_avx512.h"

enum { X_BYTES_IN_CACHE = 1 << 20, GROUP = 9, AHEAD = 8192, LINE = 64 };

/* The last panel of a width that is no multiple of 16: through a buffer. */
static void
run_narrow_tile(const qeff_gemm *g, size_t rows, size_t row, size_t column, qeff_tile512 *tile)
{
    float buffer[QEFF_TILE512_ROWS * QEFF_PANEL];
    const size_t n = g->n_out - column;
    tile->y = buffer;
    tile->y_stride = QEFF_PANEL;
    tile->residual = NULL;
    qeff_tile_avx512(rows, 1, tile);
    for (size_t i = 0; i < rows; i++) {
        const float *residual =
            g->residual ? g->residual + (row + i) * g->residual_stride + column : NULL;
        float *y = g->y + (row + i) * g->y_stride + column;
        for (size_t c = 0; c < n; c++)
            y[c] = buffer[i * QEFF_PANEL + c] + (residual ? residual[c] : 0.0F);
    }
}

static void run_tile(const qeff_gemm *g, size_t rows, size_t row, size_t panel, size_t n_panels,
                     const char *prefetch, size_t prefetch_step)
{
    size_t column = panel * QEFF_PANEL;
    const size_t n_whole = g->n_out / QEFF_PANEL > panel ? g->n_out / QEFF_PANEL - panel : 0;
    const size_t n = n_panels < n_whole ? n_panels : n_whole;
    qeff_tile512 tile = {
        .x = g->x + row * g->x_stride,
        .x_stride = g->x_stride,
        .panel = g->panels + column * g->n_in,
        .n_in = g->n_in,
        .prefetch = prefetch,
        .prefetch_step = prefetch_step,
        .bias = g->bias ? g->bias + column : NULL,
        .activation = g->activation,
        .residual = g->residual ? g->residual + row * g->residual_stride + column : NULL,
        .residual_stride = g->residual_stride,
        .y = g->y + row * g->y_stride + column,
        .y_stride = g->y_stride,
    };
    if (n) qeff_tile_avx512(rows, n, &tile);
    if (n == n_panels) return;
    column += n * QEFF_PANEL;
    tile.panel = g->panels + column * g->n_in;
    tile.bias = g->bias ? g->bias + column : NULL;
    run_narrow_tile(g, rows, row, column, &tile);
}

static size_t fewer(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Triple by triple; tile t of n prefetches the t-th share of the next one. Behind the last triple
 * of all is what the plan reads next, as a rule. */
static void run_panels(const qeff_gemm *g, size_t first, size_t last, size_t n_tiles)
{
    const size_t panel_bytes = g->n_in * QEFF_PANEL * sizeof(float),
                 n_all = qeff_gemm_panels(g->n_out);
    for (size_t p = first; p < last; p += QEFF_TILE512_PANELS) {
        const size_t n = fewer(QEFF_TILE512_PANELS, last - p);
        const char *panel = (const char *)(g->panels + p * QEFF_PANEL * g->n_in);
        const size_t n_next = p + n == n_all ? n : fewer(QEFF_TILE512_PANELS, last - p - n);
        const size_t next_bytes = n_next * panel_bytes;
        const char *next = next_bytes ? panel + n * panel_bytes : panel;
        for (size_t t = 0; t < n_tiles; t++) {
            const size_t row = t * g->n_rows / n_tiles, end = (t + 1) * g->n_rows / n_tiles;
            const size_t share = next_bytes / n_tiles;
            run_tile(g, end - row, row, p, n, next + t * share, share / g->n_in + 1);
        }
    }
}

static void run_groups(const qeff_gemm *g, size_t first, size_t last, size_t n_tiles)
{
    for (size_t begin = first; begin < last; begin += GROUP) {
        const size_t end = fewer(begin + GROUP, last);
        for (size_t t = 0; t < n_tiles; t++) {
            const size_t row = t * g->n_rows / n_tiles, next = (t + 1) * g->n_rows / n_tiles;
            for (size_t p = begin; p < end; p += QEFF_TILE512_PANELS) {
                const char *panel = (const char *)(g->panels + p * QEFF_PANEL * g->n_in);
                run_tile(g, next - row, row, p, fewer(QEFF_TILE512_PANELS, end - p),
                         panel + AHEAD / 2, LINE);
            }
        }
    }
}

void qeff_gemm_f32_avx512(const qeff_gemm *g, size_t first_panel, size_t n_panels)
{
    const size_t n_tiles = (g->n_rows + QEFF_TILE512_ROWS - 1) / QEFF_TILE512_ROWS;
    const size_t last = first_panel + n_panels;
    if (g->n_rows * g->n_in * sizeof(float) <= X_BYTES_IN_CACHE)
        run_panels(g, first_panel, last, n_tiles);
    else
        run_groups(g, first_panel, last, n_tiles);
}
