/* quantize_avx512bf16.c - rows rounded to bf16 by VCVTNE2PS2BF16, 32 elements at a time. The
 * instruction takes denormals for zero, as the products of bf16 do. */
#include "backend/cpu/kernels/tile_avx512bf16.h"

#include "backend/cpu/kernels/simd_avx512.h"

void qeff_round_row_avx512bf16(uint16_t *y, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        _mm512_storeu_si512(y + i, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + LANES),
                                                                _mm512_loadu_ps(x + i)));
    if (i == n) return;
    const size_t left = n - i, n_groups = (left + 1) / 2;
    const __m512 low = _mm512_maskz_loadu_ps(first_lanes(left < LANES ? left : LANES), x + i);
    const __m512 high =
        _mm512_maskz_loadu_ps(left > LANES ? first_lanes(left - LANES) : 0, x + i + LANES);
    _mm512_mask_storeu_ps(y + i, first_lanes(n_groups),
                          _mm512_castsi512_ps((__m512i)_mm512_cvtne2ps_pbh(high, low)));
}
