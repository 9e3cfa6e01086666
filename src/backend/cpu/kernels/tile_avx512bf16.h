/* tile_avx512bf16.h - the kernels that need instructions of bf16. */
#ifndef BACKEND_CPU_KERNELS_TILE_AVX512BF16_H
#define BACKEND_CPU_KERNELS_TILE_AVX512BF16_H

#include "backend/cpu/kernels/kernels.h"

void qeff_round_row_avx512bf16(uint16_t *y, const float *x, size_t n);

/** Rounds keys, queries and values to bf16, exponentials to 2^-7 of themselves. */
void qeff_attention_avx512bf16(const qeff_attention *a);

#endif /* BACKEND_CPU_KERNELS_TILE_AVX512BF16_H */
