/* tile_attention_avx512.c - attention's products in f32. */
#define DOT(sum, x, v) _mm512_fmadd_ps(x, v, sum)

#include "backend/cpu/kernels/tile_attention_avx512.inc"

void qeff_tile_attention_avx512(size_t rows, size_t columns, const qeff_attention512 *tile)
{
    compute_tile(rows, columns, tile);
}
