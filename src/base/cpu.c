/* cpu.c - instruction sets by CPUID (through the compiler's builtin, which also asks the system
 * whether it saves the wide registers), and usable threads. */
#include "base/cpu.h"

#include "base/error.h"
#include "base/file.h"
#include "base/span.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
/* Bits of EAX of leaf 7.1, for which clang 14 has no names in its builtin. They use the registers
 * of AVX-512 F and of AVX2, which the caller has asked for. */
enum { AVX_VNNI_BIT = 4, AVX512_BF16_BIT = 5 };

static bool has_bit_of_leaf_7_1(int bit)
{
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> bit & 1) != 0;
}
#endif

static unsigned hardware_flags(void)
{
    unsigned flags = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    flags |= QEFF_CPU_AVX2;
    if (has_bit_of_leaf_7_1(AVX_VNNI_BIT)) flags |= QEFF_CPU_AVX_VNNI;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        flags |= QEFF_CPU_AVX512;
        if (__builtin_cpu_supports("avx512vnni")) flags |= QEFF_CPU_VNNI;
        if (has_bit_of_leaf_7_1(AVX512_BF16_BIT)) flags |= QEFF_CPU_BF16;
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
    else if (strcmp(level, "avx2vnni") == 0)
        wanted = QEFF_CPU_AVX2 | QEFF_CPU_AVX_VNNI;
    else if (strcmp(level, "avx512") == 0)
        wanted = QEFF_CPU_AVX2 | QEFF_CPU_AVX512 | (hardware & (QEFF_CPU_VNNI | QEFF_CPU_BF16));
    else
        return qeff_fail(err, QEFF_ERR_INVALID,
                         "QEFF_CPU: expected scalar, avx2, avx2vnni or avx512, found '%s'", level);
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

/* --- quotas -------------------------------------------------------------------------------------
 */

enum { MEMBERSHIP_MAX = 4096, FOLDER_MAX = 8192, LINE_MAX_BYTES = 64 };

/* First line of a file of the group. */
static bool read_line(const char *folder, const char *name, char line[LINE_MAX_BYTES])
{
    char path[FOLDER_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    const bool is_read = fgets(line, LINE_MAX_BYTES, file) != NULL;
    (void)fclose(file);
    return is_read;
}

/* Whole cores that a group may use, at least one; 0: no limit. A thread that the system stops for
 * what is left of a period holds up those that wait for it, so part of a core is none. The files
 * hold microseconds of all cores, and of the period: "max 100000" or "200000 100000". */
static int quota_of_folder(const char *folder, bool is_version_1)
{
    char line[LINE_MAX_BYTES];
    long long limit = 0, period = 0;
    if (is_version_1) {
        if (!read_line(folder, "cpu.cfs_quota_us", line) || sscanf(line, "%lld", &limit) != 1 ||
            !read_line(folder, "cpu.cfs_period_us", line) || sscanf(line, "%lld", &period) != 1)
            return 0;
    } else if (!read_line(folder, "cpu.max", line) ||
               sscanf(line, "%lld %lld", &limit, &period) != 2) {
        return 0;
    }
    if (limit <= 0 || period <= 0) return 0;
    const long long n = limit / period;
    return n < 1 ? 1 : n > INT_MAX ? INT_MAX : (int)n;
}

/* The least of a group and all above it: `folder` ends in the group's path, which begins at
 * `root_size`. In a container the path may be that of the host, and its folders missing. */
static int quota_of_path(char *folder, size_t root_size, bool is_version_1)
{
    int least = 0;
    for (;;) {
        const int n = quota_of_folder(folder, is_version_1);
        if (n > 0 && (least == 0 || n < least)) least = n;
        char *slash = strrchr(folder + root_size, '/');
        if (!slash) return least;
        *slash = '\0';
    }
}

static bool has_word(const char *list, const char *word)
{
    const size_t size = strlen(word);
    for (const char *at = list; at[0] != '\0'; at += strcspn(at, ","), at += at[0] == ',')
        if (strncmp(at, word, size) == 0 && (at[size] == ',' || at[size] == '\0')) return true;
    return false;
}

int qeff_cpu_quota(const char *membership, const char *root)
{
    char line[MEMBERSHIP_MAX], folder[FOLDER_MAX];
    int least = 0;
    FILE *file = fopen(membership, "re");
    if (!file) return 0;
    while (fgets(line, sizeof line, file)) { /* hierarchy:controllers:path */
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path) continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        controllers++;
        const bool is_version_1 = has_word(controllers, "cpu");
        if (!is_version_1 && controllers[0] != '\0') continue;
        const int root_size =
            snprintf(folder, sizeof folder, "%s%s", root, is_version_1 ? "/cpu" : "");
        if (root_size < 0 || root_size >= FOLDER_MAX - MEMBERSHIP_MAX) continue;
        (void)snprintf(folder + root_size, sizeof folder - (size_t)root_size, "%s", path);
        const int n = quota_of_path(folder, (size_t)root_size, is_version_1);
        if (n > 0 && (least == 0 || n < least)) least = n;
    }
    (void)fclose(file);
    return least;
}

int qeff_cpu_threads(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                        : (int)sysconf(_SC_NPROCESSORS_ONLN);
    const int quota = qeff_cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    if (quota > 0 && quota < n) n = quota;
    return n < 1 ? 1 : n > QEFF_CPU_THREADS_MAX ? QEFF_CPU_THREADS_MAX : n;
}

qeff_status qeff_cpu_choose_threads(int wanted, int *n_threads, qeff_error *err)
{
    const int most = qeff_cpu_threads();
    *n_threads = wanted ? wanted : most;
    if (wanted < 0)
        return qeff_fail(err, QEFF_ERR_INVALID, "threads: expected 1 to %d, found %d", most,
                         wanted);
    if (wanted <= most) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_INVALID,
                     "threads: expected at most %d, since no more can run at once here, found %d",
                     most, wanted);
}
