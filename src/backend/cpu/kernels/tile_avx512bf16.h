/* tile_avx512bf16.h - the kernels that need instructions of bf16, and the register tile of
 * their products. */
#ifndef BACKEND_CPU_KERNELS_TILE_AVX512BF16_H
#define BACKEND_CPU_KERNELS_TILE_AVX512BF16_H

#include "backend/cpu/kernels/kernels.h"

/** y = x panels in f32, from pairs of bf16; y is [rows, 16 panels], all of it written. */
typedef struct qeff_tile_bf16 {
    const int32_t *x; /**< [rows, groups] */
    size_t x_stride, n_groups;
    const int32_t *panel; /**< [panels][groups][16] */
    float *y;
    size_t y_stride;
} qeff_tile_bf16;

/** @param rows    1 to QEFF_TILE512_ROWS
 *  @param panels  1 to QEFF_TILE512_PANELS */
void qeff_tile_avx512bf16(size_t rows, size_t panels, const qeff_tile_bf16 *tile);

void qeff_round_row_avx512bf16(uint16_t *y, const float *x, size_t n);

/** Rounds keys, queries, values and exponentials to bf16. */
void qeff_attention_avx512bf16(const qeff_attention *a);

#endif /* BACKEND_CPU_KERNELS_TILE_AVX512BF16_H */
