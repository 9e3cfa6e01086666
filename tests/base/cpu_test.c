/* cpu_test.c - how many threads control groups leave, from folders such as the system's; levels. */
#include "base/cpu.h"

#include "base/support.h"

#include <stdlib.h>
#include <sys/stat.h>

static qeff_error err;

static void make_folder(const test_folder *folder, const char *name)
{
    assert_int_equal(mkdir(test_path(folder, name), 0700), 0);
}

static int quota_of(const test_folder *folder, const char *membership)
{
    const char *path = test_text_file(folder, "membership", membership);
    return qeff_cpu_quota(path, folder->path);
}

TEST(quota, is_absent_without_groups)
{
    test_folder folder;
    test_folder_create(&folder);
    assert_int_equal(qeff_cpu_quota(test_path(&folder, "missing"), folder.path), 0);
    assert_int_equal(quota_of(&folder, ""), 0);
    assert_int_equal(quota_of(&folder, "0::/\n"), 0);
    assert_int_equal(quota_of(&folder, "no colons\n0:\n"), 0);
    assert_int_equal(quota_of(&folder, "0::/of/the/host\n1:name=systemd:/x\n"), 0);
    test_folder_remove(&folder);
}

TEST(quota, of_version_2_is_whole_cores_and_at_least_one)
{
    static const struct {
        const char *text;
        int expected;
    } cases[] = {{"max 100000\n", 0},    {"200000 100000\n", 2},
                 {"250000 100000\n", 2}, {"50000 100000\n", 1},
                 {"1000 100000\n", 1},   {"6400000 100000\n", 64},
                 {"300000 50000\n", 6},  {"", 0},
                 {"none\n", 0},          {"-1 100000\n", 0},
                 {"200000 0\n", 0},      {"200000\n", 0},
                 {"0 100000\n", 0},      {"9223372036854775807 1\n", 2147483647}};
    test_folder folder;
    test_folder_create(&folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)test_text_file(&folder, "cpu.max", cases[i].text);
        assert_int_equal(quota_of(&folder, "0::/\n"), cases[i].expected);
    }
    test_folder_remove(&folder);
}

TEST(quota, of_version_2_is_the_least_on_the_way_up)
{
    test_folder folder;
    test_folder_create(&folder);
    make_folder(&folder, "a");
    make_folder(&folder, "a/b");
    (void)test_text_file(&folder, "a/b/cpu.max", "800000 100000\n");
    assert_int_equal(quota_of(&folder, "0::/a/b\n"), 8);
    (void)test_text_file(&folder, "a/cpu.max", "300000 100000\n");
    assert_int_equal(quota_of(&folder, "0::/a/b\n"), 3);
    (void)test_text_file(&folder, "cpu.max", "500000 100000\n");
    assert_int_equal(quota_of(&folder, "0::/a/b\n"), 3);
    assert_int_equal(quota_of(&folder, "0::/not/here\n"), 5); /* a path of the host */
    test_folder_remove(&folder);
}

TEST(quota, of_version_1_is_two_files_below_its_controller)
{
    test_folder folder;
    test_folder_create(&folder);
    make_folder(&folder, "cpu");
    make_folder(&folder, "cpu/a");
    (void)test_text_file(&folder, "cpu/a/cpu.cfs_quota_us", "400000\n");
    assert_int_equal(quota_of(&folder, "4:cpu,cpuacct:/a\n"), 0); /* without a period */
    (void)test_text_file(&folder, "cpu/a/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota_of(&folder, "5:memory:/a\n4:cpu,cpuacct:/a\n0::/a\n"), 4);
    assert_int_equal(quota_of(&folder, "4:cpuacct,cpu:/a\n"), 4);
    assert_int_equal(quota_of(&folder, "3:cpuset:/a\n4:cpuacct:/a\n"), 0);
    (void)test_text_file(&folder, "cpu/a/cpu.cfs_quota_us", "-1\n");
    assert_int_equal(quota_of(&folder, "4:cpu,cpuacct:/a\n"), 0);
    test_folder_remove(&folder);
}

TEST(threads, are_no_more_than_can_run_at_once)
{
    const int most = qeff_cpu_threads();
    int n = 0;
    assert_in_range(most, 1, QEFF_CPU_THREADS_MAX);
    ASSERT_OK(qeff_cpu_choose_threads(0, &n, &err));
    assert_int_equal(n, most);
    ASSERT_OK(qeff_cpu_choose_threads(1, &n, &err));
    assert_int_equal(n, 1);
    ASSERT_OK(qeff_cpu_choose_threads(most, &n, &err));
    assert_int_equal(n, most);
    ASSERT_FAILS(qeff_cpu_choose_threads(most + 1, &n, &err), QEFF_ERR_INVALID,
                 "threads: expected at most ");
    ASSERT_FAILS(qeff_cpu_choose_threads(-1, &n, &err), QEFF_ERR_INVALID, "found -1");
}

TEST(level, is_a_known_one_and_one_that_the_processor_has)
{
    static const struct {
        const char *name, *shown;
        unsigned needs;
    } levels[] = {{"scalar", "scalar", 0},
                  {"avx2", "avx2", QEFF_CPU_AVX2},
                  {"avx2vnni", "avx2", QEFF_CPU_AVX2 | QEFF_CPU_AVX_VNNI},
                  {"avx512", "avx512", QEFF_CPU_AVX2 | QEFF_CPU_AVX512}};
    unsigned hardware = 0, flags = 0;
    assert_int_equal(unsetenv("QEFF_CPU"), 0);
    ASSERT_OK(qeff_cpu_detect(&hardware, &err));
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        assert_int_equal(setenv("QEFF_CPU", levels[i].name, 1), 0);
        if ((hardware & levels[i].needs) == levels[i].needs) {
            ASSERT_OK(qeff_cpu_detect(&flags, &err));
            assert_string_equal(qeff_cpu_level_name(flags), levels[i].shown);
        } else {
            ASSERT_FAILS(qeff_cpu_detect(&flags, &err), QEFF_ERR_UNSUPPORTED, levels[i].name);
        }
        assert_int_equal(flags & ~hardware, 0);
    }
    assert_int_equal(setenv("QEFF_CPU", "bogus", 1), 0);
    ASSERT_FAILS(qeff_cpu_detect(&flags, &err), QEFF_ERR_INVALID,
                 "QEFF_CPU: expected scalar, avx2, avx2vnni or avx512, found 'bogus'");
    assert_int_equal(unsetenv("QEFF_CPU"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(quota, is_absent_without_groups),
        RUN(quota, of_version_2_is_whole_cores_and_at_least_one),
        RUN(quota, of_version_2_is_the_least_on_the_way_up),
        RUN(quota, of_version_1_is_two_files_below_its_controller),
        RUN(threads, are_no_more_than_can_run_at_once),
        RUN(level, is_a_known_one_and_one_that_the_processor_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
