/* fma_probe.c - how many fused multiply-adds one core does now: the yardstick beside a timing, made
 * of the same loops as that of `qeff bench`. */
#define _POSIX_C_SOURCE 200809L
#include "bench/fma_probe.h"

#include "backend/cpu/kernels/probe.h"
#include "base/cpu.h"

#include <time.h>

enum { ROUNDS = 20000 }; /* of the loop, between looks at the clock */

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* not what other programs take */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double run_probe(unsigned flags, double seconds)
{
    unsigned have = 0;
    if (qeff_cpu_detect(&have, NULL)) return 0.0;
    const qeff_probe probe = qeff_probe_for(have & flags);
    volatile float a = 0.5F, b = 1.0F, sink = 0.0F; /* read at run time: nothing is left out */
    const double start = now();
    double flops = 0, end = start;
    do {
        sink = sink + probe.run(ROUNDS, a, b);
        flops += (double)probe.flops * ROUNDS;
        end = now();
    } while (end - start < seconds);
    return 1e-9 * flops / (end - start);
}

double fma_probe(double seconds)
{
    return run_probe(QEFF_CPU_AVX2, seconds);
}

double fma_probe_wide(double seconds)
{
    return run_probe(QEFF_CPU_AVX2 | QEFF_CPU_AVX512, seconds);
}
