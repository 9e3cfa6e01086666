/* kernels_avx512.h - the AVX-512 variants; kernels without one keep that of AVX2. */
#ifndef BACKEND_CPU_KERNELS_KERNELS_AVX512_H
#define BACKEND_CPU_KERNELS_KERNELS_AVX512_H

#include "backend/cpu/kernels/kernels.h"

void qeff_gemm_f32_avx512(const qeff_gemm *g, size_t first_panel, size_t n_panels);
void qeff_attention_f32_avx512(const qeff_attention *a);

#endif /* BACKEND_CPU_KERNELS_KERNELS_AVX512_H */
