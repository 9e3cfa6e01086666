/* attention_cached_avx512.h - attention for as many keys as leave the scores of some queries in
 * cache. */
#ifndef BACKEND_CPU_KERNELS_ATTENTION_CACHED_AVX512_H
#define BACKEND_CPU_KERNELS_ATTENTION_CACHED_AVX512_H

#include "backend/cpu/kernels/kernels.h"

enum { QEFF_ATTENTION_CACHED_KEYS = 512 };

void qeff_attention_cached_avx512(const qeff_attention *a);

#endif /* BACKEND_CPU_KERNELS_ATTENTION_CACHED_AVX512_H */
