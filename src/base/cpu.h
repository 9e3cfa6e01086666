/* cpu.h - which instruction sets the kernels may use here, and how many threads make sense. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <qeff/base.h>

/** Levels include all below them. */
typedef enum qeff_cpu_flags {
    QEFF_CPU_AVX2 = 1 << 0,    /**< AVX2, FMA and F16C */
    QEFF_CPU_AVX512 = 1 << 1,  /**< F, BW, DQ, VL */
    QEFF_CPU_VNNI = 1 << 2,    /**< AVX-512 VNNI */
    QEFF_CPU_BF16 = 1 << 3,    /**< AVX-512 BF16 */
    QEFF_CPU_AVX_VNNI = 1 << 4 /**< VNNI in the encoding of AVX2 */
} qeff_cpu_flags;

/** What this CPU has and the system saves, cut to what QEFF_CPU allows ("scalar", "avx2",
 * "avx2vnni", "avx512"). Read once.
 * @return QEFF_ERR_INVALID for an unknown level, QEFF_ERR_UNSUPPORTED for one the CPU lacks */
qeff_status qeff_cpu_detect(unsigned *flags, qeff_error *err);

/** The level's name for a set of flags: "scalar", "avx2" or "avx512". */
const char *qeff_cpu_level_name(unsigned flags);

enum { QEFF_CPU_THREADS_MAX = 1024 };

/** Threads that can run at once: the affinity mask, cut to the control group's quota; >= 1. */
int qeff_cpu_threads(void);

/** `wanted`, or as many as can run at once where it is 0.
 * @return QEFF_ERR_INVALID for a negative number, and for more than can run at once: they would
 *         wait for one another */
qeff_status qeff_cpu_choose_threads(int wanted, int *n_threads, qeff_error *err);

/** Whole cores that the control groups of a process leave it, of version 1 or 2, those above its
 * own included; at least 1, or 0 where there is no limit.
 * @param membership  such as "/proc/self/cgroup"
 * @param root        such as "/sys/fs/cgroup" */
int qeff_cpu_quota(const char *membership, const char *root);

#endif /* BASE_CPU_H */
