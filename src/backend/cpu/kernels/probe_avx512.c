/* probe_avx512.c - twelve chains of multiply-adds in zmm registers. */
#include "backend/cpu/kernels/probe.h"

#include <immintrin.h>

/* Chains that begin alike would become one. */
#define START(i) _mm512_mul_ps(vb, _mm512_set1_ps(i + 1.0F))
#define CHAIN(i) x##i = _mm512_fmadd_ps(x##i, va, vb)

float qeff_probe_avx512(size_t rounds, float a, float b)
{
    const __m512 va = _mm512_set1_ps(a), vb = _mm512_set1_ps(b);
    __m512 x0 = vb, x1 = START(1), x2 = START(2), x3 = START(3), x4 = START(4), x5 = START(5);
    __m512 x6 = START(6), x7 = START(7), x8 = START(8), x9 = START(9), x10 = START(10);
    __m512 x11 = START(11);
    for (size_t r = 0; r < rounds; r++) {
        CHAIN(0), CHAIN(1), CHAIN(2), CHAIN(3), CHAIN(4), CHAIN(5);
        CHAIN(6), CHAIN(7), CHAIN(8), CHAIN(9), CHAIN(10), CHAIN(11);
    }
    x0 = _mm512_add_ps(_mm512_add_ps(x0, x1), _mm512_add_ps(x2, x3));
    x4 = _mm512_add_ps(_mm512_add_ps(x4, x5), _mm512_add_ps(x6, x7));
    x8 = _mm512_add_ps(_mm512_add_ps(x8, x9), _mm512_add_ps(x10, x11));
    return _mm512_cvtss_f32(_mm512_add_ps(_mm512_add_ps(x0, x4), x8));
}
