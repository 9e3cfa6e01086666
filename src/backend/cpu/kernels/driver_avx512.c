/* driver_avx512.c - y = activation(x W^T + b) + r on packed panels of 16 columns, in tiles of up to
 * nine rows by three panels.
 *
 * M is split into even tiles (16 rows are 8 + 8) and never padded. Triples of panels are the outer
 * loop, and each tile prefetches its share of the next triple, so that the weights stream in under
 * the arithmetic. An x that would not leave room for them in L2 goes by blocks of tiles, one after
 * the other. */
#include "backend/cpu/kernels/driver_avx512.h"

#include "backend/cpu/kernels/simd_avx512.h"
#include "backend/cpu/kernels/tile_avx512.h"

/* Half of an L2 of 1 MiB; the rest is for a triple and the one that follows. */
enum { BLOCK_BYTES = 1 << 19 };

/* The last panel of a width that is no multiple of 16: through a buffer. */
static void run_narrow_tile(const qeff_product512 *p, qeff_place512 *place)
{
    float buffer[QEFF_TILE512_ROWS * QEFF_PANEL];
    const float *residual = place->residual;
    float *y = place->y;
    const size_t n = p->n_out - place->column;
    place->y = buffer;
    place->y_stride = QEFF_PANEL;
    place->residual = NULL;
    p->run_tile(p->gemm, place);
    for (size_t i = 0; i < place->n_rows; i++)
        for (size_t c = 0; c < n; c++)
            y[i * p->y_stride + c] = buffer[i * QEFF_PANEL + c] +
                                     (residual ? residual[i * p->residual_stride + c] : 0.0F);
}

/* A tile whose rows, columns and prefetches are set. */
static void run_tile(const qeff_product512 *p, qeff_place512 *place)
{
    const size_t n_panels = place->n_panels;
    const size_t n_whole = fewer((p->n_out - place->column) / QEFF_PANEL, n_panels);
    place->y = p->y + place->row * p->y_stride + place->column;
    place->y_stride = p->y_stride;
    place->residual =
        p->residual ? p->residual + place->row * p->residual_stride + place->column : NULL;
    place->residual_stride = p->residual_stride;
    if (n_whole == n_panels) {
        p->run_tile(p->gemm, place);
        return;
    }
    place->n_panels = n_whole;
    if (n_whole) p->run_tile(p->gemm, place);
    place->column += n_whole * QEFF_PANEL;
    place->y += n_whole * QEFF_PANEL;
    if (place->residual) place->residual += n_whole * QEFF_PANEL;
    place->n_panels = 1;
    run_narrow_tile(p, place);
}

/* Tiles [first, last) of the rows. */
typedef struct block {
    size_t first, last;
} block;

/* Triple by triple; each of the tiles prefetches a share of the next one. Behind the last triple
 * come those of the next block, which are the first ones again, and behind the last block what the
 * plan reads next, as a rule. */
static void run_block(const qeff_product512 *p, size_t first, size_t last, size_t n_tiles, block b)
{
    const size_t n = b.last - b.first, height = p->n_rows / n_tiles, n_higher = p->n_rows % n_tiles;
    const size_t first_row = b.first * height + fewer(b.first, n_higher);
    const char *panels = p->panels;
    for (size_t panel = first; panel < last; panel += QEFF_TILE512_PANELS) {
        const size_t n_panels = fewer(QEFF_TILE512_PANELS, last - panel), after = panel + n_panels;
        size_t next = after, n_next = fewer(QEFF_TILE512_PANELS, last - after);
        if (after == last && b.last < n_tiles)
            next = first, n_next = fewer(QEFF_TILE512_PANELS, last - first);
        else if (after == qeff_gemm_panels(p->n_out))
            n_next = n_panels;
        else if (after == last)
            next = panel;
        const size_t share = n_next * p->panel_bytes / n, step = share / p->n_steps + 1;
        const char *prefetch = panels + next * p->panel_bytes;
        for (size_t t = b.first, row = first_row; t < b.last; t++, prefetch += share) {
            qeff_place512 place = {.row = row,
                                   .n_rows = height + (t < n_higher),
                                   .column = panel * QEFF_PANEL,
                                   .n_panels = n_panels,
                                   .prefetch = prefetch,
                                   .prefetch_step = step};
            row += place.n_rows;
            run_tile(p, &place);
        }
    }
}

void qeff_drive_avx512(const qeff_product512 *p, size_t first_panel, size_t n_panels)
{
    const size_t n_tiles = (p->n_rows + QEFF_TILE512_ROWS - 1) / QEFF_TILE512_ROWS;
    const size_t bytes = p->n_rows * p->row_bytes;
    const size_t n_blocks = fewer((bytes + BLOCK_BYTES - 1) / BLOCK_BYTES, n_tiles);
    for (size_t i = 0; i < n_blocks; i++) {
        const block b = {i * n_tiles / n_blocks, (i + 1) * n_tiles / n_blocks};
        run_block(p, first_panel, first_panel + n_panels, n_tiles, b);
    }
}
