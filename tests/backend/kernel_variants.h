/* kernel_variants.h - what the tests of the kernels share: numbers, comparison, and the variants of
 * the kernels that this machine can run. */
#ifndef TESTS_BACKEND_KERNEL_VARIANTS_H
#define TESTS_BACKEND_KERNEL_VARIANTS_H

#include "backend/cpu/kernels/kernels.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/dtype.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

enum { SIZE_MAX_TESTED = 70 };

static uint64_t seed;

static inline float uniform(void)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (float)(seed >> 40) / 8388608.0F - 1.0F;
}

/* A block of its own, so that the first byte past it is not readable under ASan. */
static inline float *numbers(size_t n)
{
    float *x = test_malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = uniform();
    return x;
}

static inline float *copy(const float *x, size_t n)
{
    float *y = test_malloc(n * sizeof *y);
    memcpy(y, x, n * sizeof *y);
    return y;
}

static inline void assert_close(const float *a, const float *b, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++) {
        const double bound = tolerance * fmax(1.0, fabs((double)a[i]));
        if (fabs((double)a[i] - (double)b[i]) > bound)
            fail_msg("element %zu: expected %.9g, found %.9g", i, (double)a[i], (double)b[i]);
    }
}

/* What this machine can run; everything where the instructions are emulated. */
static inline unsigned tested_flags(void)
{
    unsigned flags =
        QEFF_CPU_AVX2 | QEFF_CPU_AVX_VNNI | QEFF_CPU_AVX512 | QEFF_CPU_VNNI | QEFF_CPU_BF16;
#if !defined(QEFF_EMULATED)
    assert_int_equal(qeff_cpu_detect(&flags, NULL), QEFF_OK);
#endif
    return flags;
}

/* The variants of the kernels in f32, the scalar one last. */
static inline size_t variants(qeff_kernels out[3])
{
    const unsigned flags = tested_flags();
    size_t n = 0;
    if (flags & QEFF_CPU_AVX512) out[n++] = qeff_kernels_for(QEFF_CPU_AVX2 | QEFF_CPU_AVX512);
    if (flags & QEFF_CPU_AVX2) out[n++] = qeff_kernels_for(QEFF_CPU_AVX2);
    out[n++] = qeff_kernels_for(0);
    return n;
}

enum { PACKED_VARIANTS = 4 };

/* The variants of the kernels of 8 and 16 bits, the scalar one last. */
static inline size_t packed_variants(qeff_kernels out[PACKED_VARIANTS])
{
    const unsigned flags = tested_flags();
    size_t n = 0;
    if (flags & (QEFF_CPU_VNNI | QEFF_CPU_BF16)) out[n++] = qeff_kernels_for(flags);
    if (flags & QEFF_CPU_AVX_VNNI) out[n++] = qeff_kernels_for(QEFF_CPU_AVX2 | QEFF_CPU_AVX_VNNI);
    if (flags & QEFF_CPU_AVX2) out[n++] = qeff_kernels_for(QEFF_CPU_AVX2);
    out[n++] = qeff_kernels_for(0);
    return n;
}

#endif /* TESTS_BACKEND_KERNEL_VARIANTS_H */
