/* writer_test.c - a name appears complete or not at all, whatever call fails on the way. */
#include "base/error.h"
#include "base/file.h"
#include "base/span.h"
#include "base/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static qeff_error err;
TEST_FOLDER(folder, set_up, tear_down)

enum { BIG = 200000 }; /* several times the writer's buffer */

static void assert_content(const char *path, const void *data, size_t size)
{
    qeff_file file = {0};
    ASSERT_OK(qeff_file_read(path, 1 << 24, &file, &err));
    assert_int_equal(file.size, size);
    assert_memory_equal(file.data, data, size);
    qeff_file_unmap(&file);
}

TEST(writer, writes_what_was_appended)
{
    (void)state_;
    qeff_writer w = {0};
    const char *path = test_path(&folder, "out");
    uint8_t *big = calloc(1, BIG);
    assert_non_null(big);
    ASSERT_OK(qeff_writer_open(&w, path, &err));
    qeff_writer_append(&w, "abc", 3);
    qeff_writer_append(&w, NULL, 0);
    qeff_writer_pad(&w, 64);
    assert_int_equal(w.size, 64);
    qeff_writer_pad(&w, 64);
    assert_int_equal(w.size, 64);
    qeff_writer_append(&w, big, BIG);
    qeff_writer_pad(&w, 4096);
    qeff_writer_append(&w, "end", 3);
    assert_false(qeff_path_exists(path)); /* not before the commit */
    ASSERT_OK(qeff_writer_commit(&w, &err));
    const size_t size = (64 + BIG + 4095) / 4096 * 4096 + 3;
    uint8_t *expected = calloc(1, size);
    assert_non_null(expected);
    memcpy(expected, "abc", 3);
    memcpy(expected + size - 3, "end", 3);
    assert_content(path, expected, size);
    assert_int_equal(test_count_names(&folder), 1);
    free(expected);
    free(big);
}

TEST(writer, replaces_a_file_at_once)
{
    (void)state_;
    const char *path = test_text_file(&folder, "out", "old");
    ASSERT_OK(qeff_file_write(path, (qeff_bytes){(const uint8_t *)"new!", 4}, &err));
    assert_content(path, "new!", 4);
    assert_int_equal(test_count_names(&folder), 1);
}

TEST(writer, aborts_without_a_trace)
{
    (void)state_;
    qeff_writer w = {0};
    qeff_writer_abort(&w);
    ASSERT_OK(qeff_writer_open(&w, test_path(&folder, "out"), &err));
    qeff_writer_append(&w, "abc", 3);
    qeff_writer_abort(&w);
    qeff_writer_abort(&w);
    assert_int_equal(test_count_names(&folder), 0);
    ASSERT_FAILS(qeff_writer_commit(&w, &err), QEFF_ERR_INTERNAL, "not being written");
}

TEST(writer, refuses_a_missing_folder)
{
    (void)state_;
    qeff_writer w = {0};
    ASSERT_FAILS(qeff_writer_open(&w, test_path(&folder, "no/out"), &err), QEFF_ERR_NOT_FOUND,
                 "no/out'");
}

TEST(writer, keeps_two_writers_of_one_name_apart)
{
    (void)state_;
    qeff_writer a = {0}, b = {0};
    const char *path = test_path(&folder, "out");
    ASSERT_OK(qeff_writer_open(&a, path, &err));
    ASSERT_OK(qeff_writer_open(&b, path, &err));
    qeff_writer_append(&a, "aaa", 3);
    qeff_writer_append(&b, "bbbb", 4);
    ASSERT_OK(qeff_writer_commit(&a, &err));
    assert_content(path, "aaa", 3);
    ASSERT_OK(qeff_writer_commit(&b, &err));
    assert_content(path, "bbbb", 4);
}

/* The whole life of a file, with every kind of call. */
static qeff_status write_file(const char *path, int from, qeff_error *error)
{
    static const uint8_t zeros[BIG];
    qeff_writer w = {0};
    QEFF_TRY(qeff_writer_open(&w, path, error));
    qeff_writer_append(&w, "head", 4);
    qeff_writer_copy(&w, from, 1, 3);
    qeff_writer_append(&w, zeros, BIG);
    qeff_writer_pad(&w, 64);
    return qeff_writer_commit(&w, error);
}

static void assert_written(const char *path)
{
    static uint8_t expected[(7 + BIG + 63) / 64 * 64];
    memcpy(expected, "head123", 7);
    assert_content(path, expected, sizeof expected);
}

/* Fails every call in turn; returns how many of the failures were noticed. */
static size_t fail_each_call(test_fault fault, int error, bool has_old)
{
    const int from = open(test_text_file(&folder, "from", "01234"), O_RDONLY);
    size_t n_noticed = 0;
    assert_true(from >= 0);
    for (size_t n = 1;; n++) {
        const char *path = test_path(&folder, "out");
        if (has_old) (void)test_text_file(&folder, "out", "old");
        test_io_arm(n, fault, error);
        const qeff_status status = write_file(path, from, &err);
        const bool was_injected = test_io_disarm();
        if (!status) {
            assert_written(path);
        } else if (has_old) {
            assert_content(path, "old", 3);
        } else {
            assert_false(qeff_path_exists(path));
        }
        n_noticed += status != QEFF_OK;
        (void)unlink(path);
        assert_int_equal(test_count_names(&folder), 1); /* `from` alone: no stray temporary */
        if (!was_injected) break;
    }
    (void)close(from);
    return n_noticed;
}

TEST(writer, leaves_nothing_where_a_call_fails)
{
    (void)state_;
    static const int errors[] = {EIO, ENOSPC, EDQUOT, EROFS, EACCES, ESTALE, ENAMETOOLONG};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        for (int has_old = 0; has_old < 2; has_old++)
            assert_true(fail_each_call(TEST_FAULT_ERROR, errors[i], has_old) >= 5);
}

TEST(writer, reports_a_full_disk_as_such)
{
    (void)state_;
    test_io_arm(2, TEST_FAULT_ERROR, ENOSPC);
    const qeff_status status =
        qeff_file_write(test_path(&folder, "out"), (qeff_bytes){(const uint8_t *)"x", 1}, &err);
    (void)test_io_disarm();
    assert_int_equal(status, QEFF_ERR_NO_SPACE);
    assert_non_null(strstr(err.message, "/out': no space left"));
}

TEST(writer, carries_on_after_interrupts_and_short_writes)
{
    (void)state_;
    const char *path = test_path(&folder, "out");
    assert_int_equal(fail_each_call(TEST_FAULT_SHORT, 0, false), 0);
    (void)fail_each_call(TEST_FAULT_ERROR, EINTR, false);
    test_io_arm(2, TEST_FAULT_ERROR, EINTR); /* 1: open, 2: write */
    ASSERT_OK(qeff_file_write(path, (qeff_bytes){(const uint8_t *)"xy", 2}, &err));
    assert_true(test_io_disarm());
    assert_content(path, "xy", 2);
}

TEST(writer, copies_by_hand_where_the_kernel_cannot)
{
    (void)state_;
    qeff_writer w = {0};
    const char *path = test_path(&folder, "out");
    const int from = open(test_text_file(&folder, "from", "0123456789"), O_RDONLY);
    test_io_arm(2, TEST_FAULT_ERROR, EXDEV); /* 1: open, 2: copy */
    ASSERT_OK(qeff_writer_open(&w, path, &err));
    qeff_writer_copy(&w, from, 2, 5);
    ASSERT_OK(qeff_writer_commit(&w, &err));
    assert_true(test_io_disarm());
    (void)close(from);
    assert_content(path, "23456", 5);
}

TEST(writer, reports_a_source_that_is_too_short)
{
    (void)state_;
    qeff_writer w = {0};
    const char *path = test_path(&folder, "out");
    const int from = open(test_text_file(&folder, "from", "0123456789"), O_RDONLY);
    ASSERT_OK(qeff_writer_open(&w, path, &err));
    qeff_writer_copy(&w, from, 8, 5);
    ASSERT_FAILS(qeff_writer_commit(&w, &err), QEFF_ERR_IO, "/out'");
    (void)close(from);
    assert_false(qeff_path_exists(path));
}

TEST(writer, survives_each_failing_allocation)
{
    (void)state_;
    const char *path = test_path(&folder, "out");
    const qeff_bytes data = {(const uint8_t *)"x", 1};
    TEST_EACH_ALLOCATION(qeff_file_write(path, data, &err), (void)0);
    assert_int_equal(test_count_names(&folder), 1);
}

static qeff_status publish(const char *path, bool *was_there)
{
    char staged[QEFF_PATH_MAX], name[QEFF_PATH_MAX];
    QEFF_TRY(qeff_folder_stage(path, staged, &err));
    QEFF_TRY(qeff_path_join(staged, QEFF_STR("file"), name, &err));
    qeff_status status = qeff_file_write(name, (qeff_bytes){(const uint8_t *)"x", 1}, &err);
    if (status) {
        (void)qeff_folder_remove(staged, NULL);
        return status;
    }
    return qeff_folder_publish(staged, path, was_there, &err);
}

TEST(publish, moves_a_whole_folder)
{
    (void)state_;
    bool was_there = true;
    const char *path = test_path(&folder, "a/b/entry");
    ASSERT_OK(publish(path, &was_there));
    assert_false(was_there);
    assert_content(test_path(&folder, "a/b/entry/file"), "x", 1);
    ASSERT_OK(publish(path, &was_there));
    assert_true(was_there); /* the first one stays, the staged one is gone */
    ASSERT_OK(qeff_folder_remove(path, &err));
    test_folder parent;
    (void)snprintf(parent.path, sizeof parent.path, "%.200s/a/b", folder.path);
    assert_int_equal(test_count_names(&parent), 0);
}

TEST(publish, refuses_paths_whose_temporary_name_would_be_cut)
{
    (void)state_;
    static char path[QEFF_PATH_MAX];
    char staged[QEFF_PATH_MAX];
    memset(path, 'p', sizeof path - 1);
    path[0] = '/';
    ASSERT_FAILS(qeff_folder_stage(path, staged, &err), QEFF_ERR_INVALID, "bytes");
}

TEST(publish, shows_all_or_nothing_where_a_call_fails)
{
    (void)state_;
    static const int errors[] = {EIO, ENOSPC, EACCES, EROFS};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        for (size_t n = 1;; n++) {
            const char *path = test_path(&folder, "entry");
            bool was_there = false;
            test_io_arm(n, TEST_FAULT_ERROR, errors[i]);
            const qeff_status status = publish(path, &was_there);
            const bool was_injected = test_io_disarm();
            if (status) {
                assert_false(qeff_path_exists(path));
                assert_int_equal(test_count_names(&folder), 0);
            } else {
                assert_content(test_path(&folder, "entry/file"), "x", 1);
                ASSERT_OK(qeff_folder_remove(path, &err));
            }
            if (!was_injected) break;
        }
}

TEST(lock, is_exclusive_until_released)
{
    (void)state_;
    qeff_lock lock = {0};
    const char *path = test_path(&folder, "lock");
    ASSERT_OK(qeff_lock_acquire(&lock, path, &err));
    assert_true(lock.is_held);
    const int other = open(path, O_RDWR);
    assert_true(other >= 0);
    assert_int_not_equal(flock(other, LOCK_EX | LOCK_NB), 0);
    qeff_lock_release(&lock);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
    (void)close(other);
    qeff_lock_release(&lock);
}

TEST(lock, is_not_needed_where_the_file_system_has_none)
{
    (void)state_;
    static const int none[] = {ENOLCK, ENOSYS, EOPNOTSUPP};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        qeff_lock lock = {0};
        test_io_arm(2, TEST_FAULT_ERROR, none[i]); /* 1: open, 2: lock */
        ASSERT_OK(qeff_lock_acquire(&lock, test_path(&folder, "lock"), &err));
        assert_true(test_io_disarm());
        qeff_lock_release(&lock);
    }
    qeff_lock lock = {0};
    test_io_arm(2, TEST_FAULT_ERROR, EIO);
    const qeff_status status = qeff_lock_acquire(&lock, test_path(&folder, "lock"), &err);
    (void)test_io_disarm();
    assert_int_equal(status, QEFF_ERR_IO);
    assert_false(lock.is_held);
}

#define RUN_IN_FOLDER(subject, statement)                                                          \
    cmocka_unit_test_setup_teardown(subject##__##statement, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_IN_FOLDER(writer, writes_what_was_appended),
        RUN_IN_FOLDER(writer, replaces_a_file_at_once),
        RUN_IN_FOLDER(writer, aborts_without_a_trace),
        RUN_IN_FOLDER(writer, refuses_a_missing_folder),
        RUN_IN_FOLDER(writer, keeps_two_writers_of_one_name_apart),
        RUN_IN_FOLDER(writer, leaves_nothing_where_a_call_fails),
        RUN_IN_FOLDER(writer, reports_a_full_disk_as_such),
        RUN_IN_FOLDER(writer, carries_on_after_interrupts_and_short_writes),
        RUN_IN_FOLDER(writer, copies_by_hand_where_the_kernel_cannot),
        RUN_IN_FOLDER(writer, reports_a_source_that_is_too_short),
        RUN_IN_FOLDER(writer, survives_each_failing_allocation),
        RUN_IN_FOLDER(publish, moves_a_whole_folder),
        RUN_IN_FOLDER(publish, refuses_paths_whose_temporary_name_would_be_cut),
        RUN_IN_FOLDER(publish, shows_all_or_nothing_where_a_call_fails),
        RUN_IN_FOLDER(lock, is_exclusive_until_released),
        RUN_IN_FOLDER(lock, is_not_needed_where_the_file_system_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
