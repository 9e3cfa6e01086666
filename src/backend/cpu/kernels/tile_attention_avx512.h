/* tile_attention_avx512.h - the register tile of both products of attention: up to eight rows
 * against up to three vectors of columns. */
#ifndef BACKEND_CPU_KERNELS_TILE_ATTENTION_AVX512_H
#define BACKEND_CPU_KERNELS_TILE_ATTENTION_AVX512_H

#include <stddef.h>

enum { QEFF_ATTENTION512_ROWS = 8, QEFF_ATTENTION512_COLUMNS = 48 };

/** y = factor x v, summed over the steps from the first to the last. A step is one element of f32,
 * or two of bf16, which are of 32 bits as well. */
typedef struct qeff_attention512 {
    size_t n_steps; /**< at least 1 */
    const float *x; /**< [rows, steps], by two strides */
    size_t x_row, x_step;
    const float *v; /**< [steps, columns] */
    size_t v_stride;
    const float *factor; /**< [rows] */
    float *y;            /**< [rows, columns] */
    size_t y_stride;
} qeff_attention512;

/** Neither `rows`, 1 to 8, nor `columns`, 1 to 48, changes the bits of an element. */
void qeff_tile_attention_avx512(size_t rows, size_t columns, const qeff_attention512 *tile);
void qeff_tile_attention_avx512bf16(size_t rows, size_t columns, const qeff_attention512 *tile);

#endif /* BACKEND_CPU_KERNELS_TILE_ATTENTION_AVX512_H */
