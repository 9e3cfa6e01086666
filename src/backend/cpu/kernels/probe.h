/* probe.h - chains of multiply-adds that are bound by nothing but the units that do them. */
#ifndef BACKEND_CPU_KERNELS_PROBE_H
#define BACKEND_CPU_KERNELS_PROBE_H

#include <stddef.h>

/** Chains that do not depend on each other: two units of up to six cycles' latency stay busy. */
enum { QEFF_PROBE_CHAINS = 12 };

/** One instruction set's loop. */
typedef struct qeff_probe {
    size_t flops; /**< of one round */
    /** x = x a + b, `rounds` times in each chain; returns something made of all results, so that
     * none can be left out. No operand ever becomes denormal or infinite for a = 1/2, b = 1. */
    float (*run)(size_t rounds, float a, float b);
} qeff_probe;

/** The fastest for a set of QEFF_CPU_* flags. */
qeff_probe qeff_probe_for(unsigned cpu_flags);

float qeff_probe_avx2(size_t rounds, float a, float b);
float qeff_probe_avx512(size_t rounds, float a, float b);

#endif /* BACKEND_CPU_KERNELS_PROBE_H */
