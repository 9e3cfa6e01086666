/* cpu.c - instruction sets by CPUID (through the compiler's builtin, which also asks the system
 * whether it saves the wide registers), and usable threads. */
#include "base/cpu.h"

#include "base/error.h"
#include "base/file.h"
#include "base/span.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#if defined(__x86_64__)
/* AVX-512 BF16 is bit 5 of EAX of leaf 7.1: clang 14 has no name for it in its builtin. It uses the
 * registers of AVX-512 F, which the caller has asked for. */
static bool has_bf16(void)
{
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 5 & 1) != 0;
}
#endif

static unsigned hardware_flags(void)
{
    unsigned flags = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    flags |= QEFF_CPU_AVX2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        flags |= QEFF_CPU_AVX512;
        if (__builtin_cpu_supports("avx512vnni")) flags |= QEFF_CPU_VNNI;
        if (has_bf16()) flags |= QEFF_CPU_BF16;
    }
#endif
    return flags;
}

qeff_status qeff_cpu_detect(unsigned *flags, qeff_error *err)
{
    const unsigned hardware = hardware_flags();
    const char *level = qeff_environment_get("QEFF_CPU");
    *flags = hardware;
    if (!level) return QEFF_OK;
    unsigned wanted = 0;
    if (strcmp(level, "scalar") == 0)
        wanted = 0;
    else if (strcmp(level, "avx2") == 0)
        wanted = QEFF_CPU_AVX2;
    else if (strcmp(level, "avx512") == 0)
        wanted = QEFF_CPU_AVX2 | QEFF_CPU_AVX512 | (hardware & (QEFF_CPU_VNNI | QEFF_CPU_BF16));
    else
        return qeff_fail(err, QEFF_ERR_INVALID,
                         "QEFF_CPU: expected scalar, avx2 or avx512, found '%s'", level);
    if ((wanted & hardware) != wanted)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "QEFF_CPU: this CPU has no %s", level);
    *flags = wanted;
    return QEFF_OK;
}

const char *qeff_cpu_level_name(unsigned flags)
{
    if (flags & QEFF_CPU_AVX512) return "avx512";
    return flags & QEFF_CPU_AVX2 ? "avx2" : "scalar";
}

const char *qeff_cpu_level(void)
{
    unsigned flags = 0;
    if (qeff_cpu_detect(&flags, NULL)) flags = 0;
    return qeff_cpu_level_name(flags);
}

/* cgroup 2: "max 100000" or "200000 100000" (quota and period in microseconds). */
static int quota_threads(void)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    long quota = 0, period = 0;
    int n = 0;
    if (!file) return 0;
    if (fscanf(file, "%ld %ld", &quota, &period) == 2 && quota > 0 && period > 0)
        n = (int)((quota + period - 1) / period);
    (void)fclose(file);
    return n;
}

int qeff_cpu_threads(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                        : (int)sysconf(_SC_NPROCESSORS_ONLN);
    const int quota = quota_threads();
    if (quota > 0 && quota < n) n = quota;
    return n < 1 ? 1 : n;
}
