/* tile_attention_avx512bf16.c - attention's products in bf16, two elements a step. */
#define DOT(sum, x, v)                                                                             \
    _mm512_dpbf16_ps(sum, (__m512bh)_mm512_castps_si512(x), (__m512bh)_mm512_castps_si512(v))

#include "backend/cpu/kernels/tile_attention_avx512.inc"

void qeff_tile_attention_avx512bf16(size_t rows, size_t columns, const qeff_attention512 *tile)
{
    compute_tile(rows, columns, tile);
}
