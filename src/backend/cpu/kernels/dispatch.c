/* dispatch.c - picks the variants of the kernels. A build for a processor family without a variant
 * leaves it out. */
#include "backend/cpu/kernels/kernels.h"

#include "base/cpu.h"

qeff_kernels qeff_kernels_for(unsigned cpu_flags)
{
    qeff_kernels kernels;
    qeff_kernels_scalar(&kernels);
#if defined(__x86_64__)
    if (cpu_flags & QEFF_CPU_AVX2) qeff_kernels_avx2(&kernels);
    if (cpu_flags & QEFF_CPU_AVX_VNNI) qeff_kernels_avxvnni(&kernels);
    if (cpu_flags & QEFF_CPU_AVX512) qeff_kernels_avx512(&kernels);
    if (cpu_flags & QEFF_CPU_VNNI) qeff_kernels_avx512vnni(&kernels);
    if (cpu_flags & QEFF_CPU_BF16) qeff_kernels_avx512bf16(&kernels);
#else
    (void)cpu_flags;
#endif
    return kernels;
}
