/* tile_avx512bf16.c - bf16 rows times bf16 weights by VDPBF16PS: two products a lane and
 * instruction, at the rate of a multiply-add. The instruction takes denormals for zero and rounds
 * to nearest even whatever the caller's mode is. */
#define ACCUMULATOR      __m512
#define DOT(sum, x, w)   _mm512_dpbf16_ps(sum, (__m512bh)(x), (__m512bh)(w))
#define BEGIN(p)         _mm512_setzero_ps()
#define COLUMN(p)        const __m512 bias##p = _mm512_loadu_ps(bias + (p)*LANES);
#define TO_FLOAT(sum, p) _mm512_add_ps(sum, bias##p)

#include "backend/cpu/kernels/tile_avx512bf16.h"
#include "backend/cpu/kernels/packed_avx512.inc"

static void gemm_bf16(const qeff_gemm_packed *g, size_t first_panel, size_t n_panels)
{
    run_gemm(g, first_panel, n_panels);
}

void qeff_kernels_avx512bf16(qeff_kernels *kernels)
{
    kernels->gemm_bf16 = gemm_bf16;
    kernels->round_row_bf16 = qeff_round_row_avx512bf16;
    kernels->attention_bf16 = qeff_attention_avx512bf16;
}
