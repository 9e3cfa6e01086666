/* kernels_avx512.h - the AVX-512 variants; kernels without one keep that of AVX2. */
#ifndef BACKEND_CPU_KERNELS_KERNELS_AVX512_H
#define BACKEND_CPU_KERNELS_KERNELS_AVX512_H

#include "backend/cpu/kernels/kernels.h"

void qeff_gemm_f32_avx512(const qeff_gemm *g, size_t first_panel, size_t n_panels);
void qeff_attention_f32_avx512(const qeff_attention *a);
/** For up to QEFF_ATTENTION_KEYS keys. */
void qeff_attention_cached_avx512(const qeff_attention *a);
void qeff_quantize_u8_avx512(const qeff_quantize *q);
void qeff_layer_norm_f32_avx512(float *y, const float *x, const float *gamma, const float *beta,
                                size_t n, float eps);
void qeff_rms_norm_f32_avx512(float *y, const float *x, const float *gamma, size_t n, float eps);
void qeff_activate_f32_avx512(float *y, const float *x, size_t n, qeff_activation activation);
void qeff_add_row_f32_avx512(float *y, const void *row, size_t n, qeff_dtype dtype, bool is_first);
void qeff_round_row_bf16_avx512(uint16_t *y, const float *x, size_t n);

#endif /* BACKEND_CPU_KERNELS_KERNELS_AVX512_H */
