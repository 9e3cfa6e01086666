/* register_avx512.c - puts the AVX-512 variants into the struct of kernels. */
#include "backend/cpu/kernels/kernels_avx512.h"

void qeff_kernels_avx512(qeff_kernels *kernels)
{
    kernels->gemm_f32 = qeff_gemm_f32_avx512;
    kernels->attention_f32 = qeff_attention_f32_avx512;
    kernels->attention_bf16 = qeff_attention_f32_avx512;
    kernels->layer_norm_f32 = qeff_layer_norm_f32_avx512;
    kernels->rms_norm_f32 = qeff_rms_norm_f32_avx512;
    kernels->activate_f32 = qeff_activate_f32_avx512;
    kernels->add_row_f32 = qeff_add_row_f32_avx512;
    kernels->quantize_u8 = qeff_quantize_u8_avx512;
    kernels->round_row_bf16 = qeff_round_row_bf16_avx512;
}
