/* probe.c - picks the loop for an instruction set; the one in plain C. */
#include "backend/cpu/kernels/probe.h"

#include "base/cpu.h"

enum { LANES = 4 }; /* what every 64-bit processor has */

static float run_plain(size_t rounds, float a, float b)
{
    float x[QEFF_PROBE_CHAINS * LANES], sum = 0;
    for (int i = 0; i < QEFF_PROBE_CHAINS * LANES;
         i++) /* those that begin alike would become one */
        x[i] = b * (float)i;
    for (size_t r = 0; r < rounds; r++)
        for (int i = 0; i < QEFF_PROBE_CHAINS * LANES; i++)
            x[i] = x[i] * a + b;
    for (int i = 0; i < QEFF_PROBE_CHAINS * LANES; i++)
        sum += x[i];
    return sum;
}

qeff_probe qeff_probe_for(unsigned cpu_flags)
{
    const size_t flops = 2 * QEFF_PROBE_CHAINS;
#if defined(__x86_64__)
    if (cpu_flags & QEFF_CPU_AVX512) return (qeff_probe){flops * 16, qeff_probe_avx512};
    if (cpu_flags & QEFF_CPU_AVX2) return (qeff_probe){flops * 8, qeff_probe_avx2};
#else
    (void)cpu_flags;
#endif
    return (qeff_probe){flops * LANES, run_plain};
}
