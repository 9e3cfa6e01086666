/* tile_avx2.h - the register tile that GEMM and attention are made of: up to six rows of x against
 * one panel of sixteen columns. */
#ifndef BACKEND_CPU_KERNELS_TILE_AVX2_H
#define BACKEND_CPU_KERNELS_TILE_AVX2_H

#include "backend/cpu/kernels/kernels.h"

enum { QEFF_TILE_ROWS = 6, QEFF_TILE_WIDE = 24 };

/** y = activation(x panel + bias) + residual; y is [rows, 16], all of it written. */
typedef struct qeff_tile {
    const float *x; /**< [rows, K] */
    size_t x_stride;
    const float *panel;   /**< [K][16] */
    size_t second, third; /**< of a wide tile: floats from eight columns of the panel to the next */
    size_t n_in;          /**< K */
    const char *prefetch; /**< touched once a step of K, */
    size_t prefetch_step; /**< this many bytes further on each time */
    const float *bias;    /**< [16], or NULL */
    qeff_activation activation;
    const float *residual; /**< [rows, 16], or NULL */
    size_t residual_stride;
    float *y;
    size_t y_stride;
} qeff_tile;

/** @param rows  1 to QEFF_TILE_ROWS; does not change the bits of a row */
void qeff_tile_avx2(size_t rows, const qeff_tile *tile);

/** The same for four rows and QEFF_TILE_WIDE columns, bias and residual as well. */
void qeff_tile_wide_avx2(const qeff_tile *tile);

/** y = activation(y) + residual over a tile whose products and bias are in y already; nothing where
 * there is no activation. */
void qeff_tile_finish_avx2(size_t rows, const qeff_tile *tile);

#endif /* BACKEND_CPU_KERNELS_TILE_AVX2_H */
