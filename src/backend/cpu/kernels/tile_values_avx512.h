/* tile_values_avx512.h - the register tile of attention's second product: up to eight queries
 * against up to two vectors of columns. */
#ifndef BACKEND_CPU_KERNELS_TILE_VALUES_AVX512_H
#define BACKEND_CPU_KERNELS_TILE_VALUES_AVX512_H

#include <stddef.h>

enum { QEFF_VALUES512_ROWS = 8, QEFF_VALUES512_COLUMNS = 32 };

/** y = factor P^T V, where P holds one row a key and one column a query. */
typedef struct qeff_values512 {
    size_t n_keys;  /**< T >= 1 */
    const float *p; /**< [T, rows] */
    size_t p_stride;
    const float *v; /**< [T, columns] */
    size_t v_stride;
    const float *factor; /**< [rows] */
    float *y;            /**< [rows, columns] */
    size_t y_stride;
} qeff_values512;

/** Neither `rows`, 1 to 8, nor `columns`, 1 to 32, changes the bits of an element. */
void qeff_tile_values_avx512(size_t rows, size_t columns, const qeff_values512 *tile);

#endif /* BACKEND_CPU_KERNELS_TILE_VALUES_AVX512_H */
