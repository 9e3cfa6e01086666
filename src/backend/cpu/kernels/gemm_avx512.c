/* gemm_avx512.c - y = activation(x W^T + b) + r on packed panels of 16 columns, in tiles of up to
 * nine rows by three panels.
 *
 * M is split into even tiles (16 rows are 8 + 8) and never padded; K is not blocked. Triples of
 * panels are the outer loop, and each tile prefetches its share of the next triple, so that the
 * weights stream in under the arithmetic. An x that would not leave room for them in L2 goes by
 * blocks of tiles, one after the other. */
#include "backend/cpu/kernels/kernels_avx512.h"

#include "backend/cpu/kernels/simd_avx512.h"
#include "backend/cpu/kernels/tile_avx512.h"

/* Half of an L2 of 1 MiB; the rest is for a triple and the one that follows. */
enum { BLOCK_BYTES = 1 << 19 };

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

/* Tiles [first, last) of the rows. */
typedef struct block {
    size_t first, last;
} block;

/* Triple by triple; each of the tiles prefetches a share of the next one. Behind the last triple
 * come those of the next block, which are the first ones again, and behind the last block what the
 * plan reads next, as a rule. */
static void run_block(const qeff_gemm *g, size_t first, size_t last, size_t n_tiles, block b)
{
    const size_t panel_bytes = g->n_in * QEFF_PANEL * sizeof(float), n = b.last - b.first;
    const char *panels = (const char *)g->panels;
    for (size_t p = first; p < last; p += QEFF_TILE512_PANELS) {
        const size_t n_panels = fewer(QEFF_TILE512_PANELS, last - p), after = p + n_panels;
        size_t next = after, n_next = fewer(QEFF_TILE512_PANELS, last - after);
        if (after == last && b.last < n_tiles)
            next = first, n_next = fewer(QEFF_TILE512_PANELS, last - first);
        else if (after == qeff_gemm_panels(g->n_out))
            n_next = n_panels;
        else if (after == last)
            next = p;
        const size_t share = n_next * panel_bytes / n;
        for (size_t t = b.first; t < b.last; t++) {
            const size_t row = t * g->n_rows / n_tiles, end = (t + 1) * g->n_rows / n_tiles;
            run_tile(g, end - row, row, p, n_panels,
                     panels + next * panel_bytes + (t - b.first) * share, share / g->n_in + 1);
        }
    }
}

void qeff_gemm_f32_avx512(const qeff_gemm *g, size_t first_panel, size_t n_panels)
{
    const size_t n_tiles = (g->n_rows + QEFF_TILE512_ROWS - 1) / QEFF_TILE512_ROWS;
    const size_t bytes = g->n_rows * g->n_in * sizeof(float);
    const size_t n_blocks = fewer((bytes + BLOCK_BYTES - 1) / BLOCK_BYTES, n_tiles);
    for (size_t i = 0; i < n_blocks; i++) {
        const block b = {i * n_tiles / n_blocks, (i + 1) * n_tiles / n_blocks};
        run_block(g, first_panel, first_panel + n_panels, n_tiles, b);
    }
}
