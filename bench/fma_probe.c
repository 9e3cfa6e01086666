/* fma_probe.c - how many fused multiply-adds one core does now: the yardstick beside a timing.
 *
 * Twelve chains of multiply-adds, independent of each other, keep two units of four to five cycles'
 * latency busy. Falls back to plain C where the processor lacks AVX2 and FMA. Linked into the
 * benchmarks, and a shared library of compare_onnxruntime.py. */
#define _POSIX_C_SOURCE 200809L
#include "bench/fma_probe.h"

#include <time.h>

enum { CHAINS = 12, LANES = 8, STEPS = 20000 };

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* not what other programs take */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if defined(__x86_64__)
#define CHAIN(i) "vfmadd213ps %%ymm13, %%ymm12, %%ymm" #i "\n\t"
#define ZERO(i)  "vxorps %%ymm" #i ", %%ymm" #i ", %%ymm" #i "\n\t"

/* Zero times x plus zero: no operand is ever denormal, which some processors take longer over. */
__attribute__((target("avx2,fma"))) static void chains_avx2(void)
{
    for (int i = 0; i < STEPS; i++)
        __asm__ volatile(ZERO(12) ZERO(13) CHAIN(0) CHAIN(1) CHAIN(2) CHAIN(3) CHAIN(4) CHAIN(5)
                             CHAIN(6) CHAIN(7) CHAIN(8) CHAIN(9) CHAIN(10) CHAIN(11)::
                                 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                                   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13");
}

#define CHAIN512(i) "vfmadd213ps %%zmm13, %%zmm12, %%zmm" #i "\n\t"

__attribute__((target("avx512f"))) static void chains_avx512(void)
{
    for (int i = 0; i < STEPS; i++)
        __asm__ volatile(ZERO(12) ZERO(13) CHAIN512(0) CHAIN512(1) CHAIN512(2) CHAIN512(3)
                             CHAIN512(4) CHAIN512(5) CHAIN512(6) CHAIN512(7) CHAIN512(8) CHAIN512(9)
                                 CHAIN512(10) CHAIN512(11)::
                                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13");
}
#endif

static float chains_plain(void)
{
    lanes x[CHAINS] = {{0}}, sum = {0};
    for (int i = 0; i < STEPS; i++)
        for (int c = 0; c < CHAINS; c++)
            x[c] = x[c] * 0.5F + 1.0F;
    for (int c = 0; c < CHAINS; c++)
        sum += x[c];
    return sum[0];
}

double fma_probe_wide(double seconds)
{
    const double start = now();
    double flops = 0;
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx512f")) return fma_probe(seconds);
    do {
        chains_avx512();
        flops += 2.0 * CHAINS * 2 * LANES * STEPS;
    } while (now() - start < seconds);
    return 1e-9 * flops / (now() - start);
#else
    (void)start, (void)flops;
    return fma_probe(seconds);
#endif
}

double fma_probe(double seconds)
{
    volatile float sink = 0.0F; /* keeps the plain loops from being left out */
    const double start = now();
    double flops = 0;
    do {
#if defined(__x86_64__)
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
            chains_avx2();
        else
#endif
            sink = sink + chains_plain();
        flops += 2.0 * CHAINS * LANES * STEPS;
    } while (now() - start < seconds);
    return 1e-9 * flops / (now() - start);
}
