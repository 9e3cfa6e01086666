/* kernels_avx2.h - the AVX2 variants, one file each, and where they are registered. */
#ifndef BACKEND_CPU_KERNELS_KERNELS_AVX2_H
#define BACKEND_CPU_KERNELS_KERNELS_AVX2_H

#include "backend/cpu/kernels/kernels.h"

#define KERNEL(name, parameters) void qeff_##name##_avx2 parameters;
#include "backend/cpu/kernels/kernels.def"
#undef KERNEL

#endif /* BACKEND_CPU_KERNELS_KERNELS_AVX2_H */
