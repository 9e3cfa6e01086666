/* attention_cached_avx512.h - attention for up to QEFF_ATTENTION_KEYS keys, which leave the scores
 * of some queries in cache. */
#ifndef BACKEND_CPU_KERNELS_ATTENTION_CACHED_AVX512_H
#define BACKEND_CPU_KERNELS_ATTENTION_CACHED_AVX512_H

#include "backend/cpu/kernels/kernels.h"

void qeff_attention_cached_avx512(const qeff_attention *a);

#endif /* BACKEND_CPU_KERNELS_ATTENTION_CACHED_AVX512_H */
