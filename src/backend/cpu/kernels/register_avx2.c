/* register_avx2.c - puts the AVX2 variants into the struct of kernels. */
#include "backend/cpu/kernels/kernels_avx2.h"

void qeff_kernels_avx2(qeff_kernels *kernels)
{
#define KERNEL(name, parameters) kernels->name = qeff_##name##_avx2;
#include "backend/cpu/kernels/kernels.def"
#undef KERNEL
}
