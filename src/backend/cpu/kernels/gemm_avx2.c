/* gemm_avx2.c - y = activation(x W^T + b) + r on packed panels of 16 columns, in tiles of up to six
 * rows.
 *
 * M is never padded; a tile's height and width do not change the bits of its rows. Tiles of six
 * rows by a panel and of four by one and a half are twelve chains of multiply-adds each, and reach
 * 99 % of the limit where five by a panel reach 94 %, four 92. So M is split into sixes and as many
 * fours as that takes (16 rows are 6 + 6 + 4, 8 are 4 + 4), and one tile of five where M is odd. K
 * is not blocked. Panels are the outer loop, and each tile prefetches its share of the next ones,
 * so that the weights stream in under the arithmetic. An x that would not leave room for them in L2
 * goes by blocks of rows, one after the other. */
#include "backend/cpu/kernels/kernels_avx2.h"

#include "backend/cpu/kernels/tile_avx2.h"

/* Half of an L2 of 512 KiB; the rest is for panels and those that follow. */
enum { BLOCK_BYTES = 1 << 18, AHEAD = 4096 };

/* Two wide tiles side by side are three panels. */
enum { LANES = 8, WIDE_ROWS = 4, PANELS = 3 };

/* What tiles prefetch, one after the other: each from `at` on, `step` bytes further with each step
 * of K, and the next tile `share` bytes further on. */
typedef struct stream {
    const char *at;
    size_t share, step;
} stream;

static size_t count_tiles(size_t n_rows)
{
    return (n_rows + QEFF_TILE_ROWS - 1) / QEFF_TILE_ROWS;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* So many tiles of four rows by 24 columns that the rest are tiles of six rows, and one of five or
 * three where M is odd. */
static size_t count_wide(size_t n_rows)
{
    static const size_t by_rest[QEFF_TILE_ROWS] = {0, 2, 2, 1, 1, 0};
    if (n_rows < 2 * WIDE_ROWS) return n_rows == 4 || n_rows == 7 ? 1 : 0;
    return by_rest[n_rows % QEFF_TILE_ROWS];
}

/* The last panel of a width that is no multiple of 16: through a buffer. */
static void
run_narrow_tile(const qeff_gemm *g, size_t rows, size_t row, size_t column, qeff_tile *tile)
{
    float buffer[QEFF_TILE_ROWS * QEFF_PANEL];
    const size_t n = g->n_out - column;
    tile->y = buffer;
    tile->y_stride = QEFF_PANEL;
    tile->residual = NULL;
    qeff_tile_avx2(rows, tile);
    for (size_t i = 0; i < rows; i++) {
        const float *residual =
            g->residual ? g->residual + (row + i) * g->residual_stride + column : NULL;
        float *y = g->y + (row + i) * g->y_stride + column;
        for (size_t c = 0; c < n; c++)
            y[c] = buffer[i * QEFF_PANEL + c] + (residual ? residual[c] : 0.0F);
    }
}

static qeff_tile make_tile(const qeff_gemm *g, size_t row, size_t column, stream *s)
{
    const qeff_tile tile = {
        .x = g->x + row * g->x_stride,
        .x_stride = g->x_stride,
        .panel = g->panels + column * g->n_in,
        .n_in = g->n_in,
        .prefetch = s->at,
        .prefetch_step = s->step,
        .bias = g->bias ? g->bias + column : NULL,
        .activation = g->activation,
        .residual = g->residual ? g->residual + row * g->residual_stride + column : NULL,
        .residual_stride = g->residual_stride,
        .y = g->y + row * g->y_stride + column,
        .y_stride = g->y_stride,
    };
    s->at += s->share;
    return tile;
}

static void run_tile(const qeff_gemm *g, size_t rows, size_t row, size_t column, stream *s)
{
    qeff_tile tile = make_tile(g, row, column, s);
    if (g->n_out - column < QEFF_PANEL)
        run_narrow_tile(g, rows, row, column, &tile);
    else
        qeff_tile_avx2(rows, &tile);
}

/* Four rows by 24 columns from `column` on, where a panel begins, or by the 24 after them. */
static void run_wide_tile(const qeff_gemm *g, size_t row, size_t column, size_t half, stream *s)
{
    const size_t to_next = QEFF_PANEL * g->n_in;
    qeff_tile tile = make_tile(g, row, column + half * QEFF_TILE_WIDE, s);
    tile.panel = g->panels + column * g->n_in + (half ? to_next + LANES : 0);
    tile.second = half ? to_next - LANES : LANES;
    tile.third = to_next;
    qeff_tile_wide_avx2(&tile);
}

/* Panels [first, last), one by one, or three by three where there are wide tiles. Together the
 * tiles prefetch as many panels as they compute: those that follow what the first of them read, and
 * behind the last panels what the plan reads next, as a rule. */
static void run_panels(const qeff_gemm *g, size_t first, size_t last, size_t n_wide)
{
    const size_t panel_bytes = g->n_in * QEFF_PANEL * sizeof(float);
    const size_t n_rows = g->n_rows - n_wide * WIDE_ROWS, n_tiles = count_tiles(n_rows);
    const size_t n_panels = n_wide > 0 ? PANELS : 1, n_shares = n_panels * n_tiles + 2 * n_wide;
    for (size_t p = first; p < last; p += n_panels) {
        const char *panel = (const char *)(g->panels + p * QEFF_PANEL * g->n_in);
        stream s = {panel + (n_wide > 0 ? 2 : 1) * panel_bytes, n_panels * panel_bytes / n_shares,
                    n_panels * QEFF_PANEL * sizeof(float) / n_shares + 1};
        if (n_shares == 1) s = (stream){panel + AHEAD, 0, QEFF_PANEL * sizeof(float)};
        for (size_t i = 0; i < n_panels; i++) {
            for (size_t t = 0; t < n_tiles; t++) {
                const size_t row = t * n_rows / n_tiles, end = (t + 1) * n_rows / n_tiles;
                run_tile(g, end - row, row, (p + i) * QEFF_PANEL, &s);
            }
            for (size_t row = n_rows; row < g->n_rows && i < 2; row += WIDE_ROWS)
                run_wide_tile(g, row, p * QEFF_PANEL, i, &s);
        }
    }
}

/* Wide tiles lie in whole panels; what is left of the threes has none. */
static void run_block(const qeff_gemm *g, size_t first, size_t last)
{
    const size_t n_wide = count_wide(g->n_rows), whole = smaller(last, g->n_out / QEFF_PANEL);
    const size_t n_threes = n_wide > 0 && whole > first ? (whole - first) / PANELS : 0;
    run_panels(g, first, first + n_threes * PANELS, n_wide);
    run_panels(g, first + n_threes * PANELS, last, 0);
}

/* Blocks are of whole tiles of six, but for the last. */
void qeff_gemm_f32_avx2(const qeff_gemm *g, size_t first_panel, size_t n_panels)
{
    const size_t n_tiles = count_tiles(g->n_rows), bytes = g->n_rows * g->n_in * sizeof(float);
    const size_t n_blocks = smaller((bytes + BLOCK_BYTES - 1) / BLOCK_BYTES, n_tiles);
    for (size_t i = 0; i < n_blocks; i++) {
        const size_t row = i * n_tiles / n_blocks * QEFF_TILE_ROWS;
        const size_t end = smaller((i + 1) * n_tiles / n_blocks * QEFF_TILE_ROWS, g->n_rows);
        qeff_gemm block = *g;
        block.n_rows = end - row;
        block.x += row * g->x_stride;
        block.y += row * g->y_stride;
        if (g->residual) block.residual += row * g->residual_stride;
        run_block(&block, first_panel, first_panel + n_panels);
    }
}
