/* tile_avx512.h - the register tile that GEMM and attention are made of: up to nine rows of x
 * against one, two or three panels of sixteen columns. */
#ifndef BACKEND_CPU_KERNELS_TILE_AVX512_H
#define BACKEND_CPU_KERNELS_TILE_AVX512_H

#include "backend/cpu/kernels/kernels.h"

enum { QEFF_TILE512_ROWS = 9, QEFF_TILE512_PANELS = 3 };

/** y = activation(x panels + bias) + residual; y is [rows, 16 panels], all of it written. */
typedef struct qeff_tile512 {
    const float *x; /**< [rows, K] */
    size_t x_stride;
    const float *panel;   /**< [panels][K][16] */
    size_t n_in;          /**< K */
    const char *prefetch; /**< as many lines as panels are touched each step of K, */
    size_t prefetch_step; /**< this many bytes further on each time */
    const float *bias;    /**< [16 panels], or NULL */
    qeff_activation activation;
    const float *residual; /**< [rows, 16 panels], or NULL */
    size_t residual_stride;
    float *y;
    size_t y_stride;
} qeff_tile512;

/** Neither `rows`, 1 to 9, nor `panels`, 1 to 3, changes the bits of an element. */
void qeff_tile_avx512(size_t rows, size_t panels, const qeff_tile512 *tile);

/** y = activation(y) + residual over a tile whose products and bias are in y already; nothing where
 * there is no activation. */
void qeff_tile_finish_avx512(size_t rows, size_t columns, const qeff_tile512 *tile);

#endif /* BACKEND_CPU_KERNELS_TILE_AVX512_H */
