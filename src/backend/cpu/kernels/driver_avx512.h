/* driver_avx512.h - the order in which a product of panels goes through its tiles, whatever the
 * numbers it is of. */
#ifndef BACKEND_CPU_KERNELS_DRIVER_AVX512_H
#define BACKEND_CPU_KERNELS_DRIVER_AVX512_H

#include "backend/cpu/kernels/kernels.h"

/** One tile of a product: rows [row, row + n_rows) and the whole panels from `column` on. */
typedef struct qeff_place512 {
    size_t row, n_rows, column, n_panels;
    const char *prefetch;  /**< as many lines as panels are touched each step of K, */
    size_t prefetch_step;  /**< this many bytes further on each time */
    const float *residual; /**< of the tile, or NULL */
    size_t residual_stride;
    float *y; /**< of the tile, room for whole panels */
    size_t y_stride;
} qeff_place512;

typedef struct qeff_product512 {
    size_t n_rows, n_out; /**< M, N */
    size_t row_bytes;     /**< of x */
    const void *panels;
    size_t panel_bytes, n_steps; /**< of a panel; steps of K that a tile takes */
    const float *residual;       /**< [M, N], or NULL */
    size_t residual_stride;
    float *y; /**< [M, N] */
    size_t y_stride;
    void (*run_tile)(const void *gemm, const qeff_place512 *place);
    const void *gemm;
} qeff_product512;

/** Runs the tiles of the panels [first, first + count). */
void qeff_drive_avx512(const qeff_product512 *product, size_t first_panel, size_t n_panels);

#endif /* BACKEND_CPU_KERNELS_DRIVER_AVX512_H */
