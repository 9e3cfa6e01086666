/* gemm_avx512.c - the product of f32: the tiles of tile_avx512.c by the driver of driver_avx512.c.
 * K is not blocked. */
#include "backend/cpu/kernels/driver_avx512.h"
#include "backend/cpu/kernels/kernels_avx512.h"
#include "backend/cpu/kernels/tile_avx512.h"

static void run_tile(const void *gemm, const qeff_place512 *p)
{
    const qeff_gemm *g = gemm;
    const qeff_tile512 tile = {
        .x = g->x + p->row * g->x_stride,
        .x_stride = g->x_stride,
        .panel = g->panels + p->column * g->n_in,
        .n_in = g->n_in,
        .prefetch = p->prefetch,
        .prefetch_step = p->prefetch_step,
        .bias = g->bias ? g->bias + p->column : NULL,
        .activation = g->activation,
        .residual = p->residual,
        .residual_stride = p->residual_stride,
        .y = p->y,
        .y_stride = p->y_stride,
    };
    qeff_tile_avx512(p->n_rows, p->n_panels, &tile);
}

void qeff_gemm_f32_avx512(const qeff_gemm *g, size_t first_panel, size_t n_panels)
{
    const qeff_product512 product = {
        .n_rows = g->n_rows,
        .n_out = g->n_out,
        .row_bytes = g->n_in * sizeof *g->x,
        .panels = g->panels,
        .panel_bytes = g->n_in * QEFF_PANEL * sizeof *g->panels,
        .n_steps = g->n_in,
        .residual = g->residual,
        .residual_stride = g->residual_stride,
        .y = g->y,
        .y_stride = g->y_stride,
        .run_tile = run_tile,
        .gemm = g,
    };
    qeff_drive_avx512(&product, first_panel, n_panels);
}
