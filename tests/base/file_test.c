/* file_test.c - mapping and reading files, paths from models, folders. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/span.h"
#include "base/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static qeff_error err;
TEST_FOLDER(folder, set_up, tear_down)

/* Both ways into a file have the same contract. */
typedef qeff_status (*opener)(const char *path, qeff_file *out, qeff_error *err);

static qeff_status read_up_to_1000(const char *path, qeff_file *out, qeff_error *error)
{
    return qeff_file_read(path, 1000, out, error);
}

static const opener openers[] = {qeff_file_map, read_up_to_1000};

TEST(file, is_mapped_and_read)
{
    (void)state_;
    const char *path = test_text_file(&folder, "a", "hello");
    for (size_t i = 0; i < 2; i++) {
        qeff_file file = {0};
        ASSERT_OK(openers[i](path, &file, &err));
        assert_int_equal(file.size, 5);
        assert_memory_equal(file.data, "hello", 5);
        assert_int_equal(file.is_mapped, openers[i] == qeff_file_map);
        qeff_file_release(&file, (qeff_bytes){file.data, file.size});
        assert_memory_equal(file.data, "hello", 5);
        qeff_file_unmap(&file);
        assert_null(file.data);
    }
}

TEST(file, may_be_empty)
{
    (void)state_;
    const char *path = test_text_file(&folder, "a", "");
    for (size_t i = 0; i < 2; i++) {
        qeff_file file = {0};
        ASSERT_OK(openers[i](path, &file, &err));
        assert_int_equal(file.size, 0);
        assert_non_null(file.data);
        qeff_file_unmap(&file);
    }
}

TEST(file, that_is_missing_is_not_found)
{
    (void)state_;
    const char *path = test_path(&folder, "none");
    qeff_file file = {0};
    for (size_t i = 0; i < 2; i++)
        ASSERT_FAILS(openers[i](path, &file, &err), QEFF_ERR_NOT_FOUND, "/none': no such file");
    (void)test_text_file(&folder, "a", "x");
    ASSERT_FAILS(qeff_file_map(test_path(&folder, "a/b"), &file, &err), QEFF_ERR_NOT_FOUND,
                 "not a folder");
}

TEST(file, that_is_a_folder_fifo_or_device_is_refused_at_once)
{
    (void)state_;
    qeff_file file = {0};
    assert_int_equal(mkfifo(test_path(&folder, "fifo"), 0600), 0);
    for (size_t i = 0; i < 2; i++) {
        ASSERT_FAILS(openers[i](folder.path, &file, &err), QEFF_ERR_FORMAT, "regular file");
        ASSERT_FAILS(openers[i](test_path(&folder, "fifo"), &file, &err), QEFF_ERR_FORMAT,
                     "regular file");
        ASSERT_FAILS(openers[i]("/dev/zero", &file, &err), QEFF_ERR_FORMAT, "regular file");
    }
}

TEST(file, without_permission_is_refused)
{
    (void)state_;
    if (geteuid() == 0) skip(); /* root reads everything */
    const char *path = test_text_file(&folder, "a", "x");
    qeff_file file = {0};
    assert_int_equal(chmod(path, 0), 0);
    ASSERT_FAILS(qeff_file_map(path, &file, &err), QEFF_ERR_IO, "permission denied");
}

TEST(file, over_the_limit_is_refused)
{
    (void)state_;
    const char *path = test_text_file(&folder, "a", "12345");
    qeff_file file = {0};
    ASSERT_OK(qeff_file_read(path, 5, &file, &err));
    qeff_file_unmap(&file);
    ASSERT_FAILS(qeff_file_read(path, 4, &file, &err), QEFF_ERR_FORMAT, "5 bytes exceed");
    assert_null(file.data);
}

static qeff_io base_io;

static int stat_one_more(void *ctx, int fd, int64_t *size, bool *is_regular, int *error)
{
    const int status = base_io.stat(ctx, fd, size, is_regular, error);
    *size += 1;
    return status;
}

static void *map_never(void *ctx, int fd, size_t size, int *error)
{
    (void)ctx, (void)fd, (void)size;
    *error = ENODEV;
    return NULL;
}

static void replace_io(void)
{
    base_io = *qeff_io_get();
}

TEST(file, that_shrinks_while_it_is_read_is_an_error)
{
    (void)state_;
    const char *path = test_text_file(&folder, "a", "12345");
    qeff_file file = {0};
    replace_io();
    qeff_io table = base_io;
    table.stat = stat_one_more;
    qeff_io_set(&table);
    const qeff_status status = qeff_file_read(path, 1000, &file, &err);
    qeff_io_set(NULL);
    assert_int_equal(status, QEFF_ERR_IO);
    assert_non_null(strstr(err.message, "ended after 5 of 6 bytes"));
    assert_null(file.data);
}

TEST(file, is_read_where_it_cannot_be_mapped)
{
    (void)state_;
    const char *path = test_text_file(&folder, "a", "12345");
    qeff_file file = {0};
    replace_io();
    qeff_io table = base_io;
    table.map = map_never;
    qeff_io_set(&table);
    const qeff_status status = qeff_file_map(path, &file, &err);
    qeff_io_set(NULL);
    ASSERT_OK(status);
    assert_false(file.is_mapped);
    assert_memory_equal(file.data, "12345", 5);
    qeff_file_unmap(&file);
}

static void *map_on_heap(void *ctx, int fd, size_t size, int *error)
{
    (void)ctx, (void)fd, (void)error;
    void *block = malloc(size);
    if (block) memset(block, 'h', size);
    return block;
}

static void unmap_from_heap(void *ctx, void *data, size_t size)
{
    (void)ctx, (void)size;
    free(data);
}

/* Dropping pages of a store's own memory would lose them. */
TEST(file, of_another_store_is_not_released)
{
    (void)state_;
    enum { SIZE = 64 * 1024 };
    qeff_file file = {0};
    char *zeros = calloc(1, SIZE);
    const char *path = test_file(&folder, "a", zeros, SIZE);
    replace_io();
    qeff_io table = base_io;
    table.map = map_on_heap;
    table.unmap = unmap_from_heap;
    qeff_io_set(&table);
    const qeff_status status = qeff_file_map(path, &file, &err);
    qeff_file_release(&file, (qeff_bytes){file.data, file.size});
    const bool is_kept = !status && file.data[SIZE / 2] == 'h';
    qeff_file_unmap(&file);
    qeff_io_set(NULL);
    free(zeros);
    ASSERT_OK(status);
    assert_true(is_kept);
}

/* Each call through the table fails in turn. Only an interrupted read and a failing close may pass
 * unnoticed; the bytes are right then. */
TEST(file, survives_each_failing_call)
{
    (void)state_;
    static const int errors[] = {EIO, EINTR, EACCES, EMFILE, ESTALE, ENOMEM, 0};
    const char *path = test_text_file(&folder, "a", "12345");
    for (size_t i = 0; i < 2; i++)
        for (size_t e = 0; e < sizeof errors / sizeof *errors; e++)
            for (size_t n = 1;; n++) {
                qeff_file file = {0};
                test_io_arm(n, errors[e] ? TEST_FAULT_ERROR : TEST_FAULT_SHORT, errors[e]);
                const qeff_status status = openers[i](path, &file, &err);
                const bool was_injected = test_io_disarm();
                if (status) {
                    assert_true(was_injected);
                    assert_null(file.data);
                    assert_true(qeff_str_starts_with(qeff_str_of(err.message), "'"));
                } else {
                    assert_memory_equal(file.data, "12345", 5);
                }
                qeff_file_unmap(&file);
                if (!was_injected) break;
            }
}

TEST(file, survives_each_failing_allocation)
{
    (void)state_;
    const char *path = test_text_file(&folder, "a", "12345");
    qeff_file file = {0};
    TEST_EACH_ALLOCATION(qeff_file_read(path, 1000, &file, &err), qeff_file_unmap(&file));
    TEST_EACH_ALLOCATION(qeff_file_map(path, &file, &err), qeff_file_unmap(&file));
}

TEST(path, is_joined_with_one_slash)
{
    (void)state_;
    char out[QEFF_PATH_MAX];
    ASSERT_OK(qeff_path_join("a", QEFF_STR("b"), out, &err));
    assert_string_equal(out, "a/b");
    ASSERT_OK(qeff_path_join("a/", QEFF_STR("b"), out, &err));
    assert_string_equal(out, "a/b");
    ASSERT_OK(qeff_path_join("", QEFF_STR("b"), out, &err));
    assert_string_equal(out, "b");
}

TEST(path, that_is_too_long_is_refused)
{
    (void)state_;
    static char name[QEFF_PATH_MAX + 1];
    char out[QEFF_PATH_MAX];
    memset(name, 'n', sizeof name);
    ASSERT_OK(qeff_path_join("f", (qeff_str){name, QEFF_PATH_MAX - 3}, out, &err));
    assert_int_equal(strlen(out), QEFF_PATH_MAX - 1);
    ASSERT_FAILS(qeff_path_join("f", (qeff_str){name, QEFF_PATH_MAX - 2}, out, &err),
                 QEFF_ERR_INVALID, "4095 bytes");
    ASSERT_FAILS(qeff_path_join("", (qeff_str){name, sizeof name}, out, &err), QEFF_ERR_INVALID,
                 "4095 bytes");
}

TEST(untrusted_path, stays_inside_the_folder)
{
    (void)state_;
    static const char *const bad[] = {"..",    "../x", "a/../b", "a/..",     "/etc/passwd", "./a",
                                      "a/./b", "a//b", "a/",     "/",        "a\\..\\b",    "a\nb",
                                      "a\x7f", "\x01", ".",      "a/../../b"};
    static const char *const good[] = {"a",   "a/b",          "model-00001-of-00002.safetensors",
                                       "..a", "a..b/.hidden", "é/漢"};
    char out[QEFF_PATH_MAX];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ASSERT_FAILS(qeff_path_join_untrusted(folder.path, qeff_str_of(bad[i]), out, &err),
                     QEFF_ERR_FORMAT, "relative file name");
    ASSERT_FAILS(qeff_path_join_untrusted(folder.path, QEFF_STR("a\0b"), out, &err),
                 QEFF_ERR_FORMAT, "relative file name");
    ASSERT_FAILS(qeff_path_join_untrusted(folder.path, QEFF_STR(""), out, &err), QEFF_ERR_FORMAT,
                 "relative file name");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ASSERT_OK(qeff_path_join_untrusted(folder.path, qeff_str_of(good[i]), out, &err));
}

static void make_link(const char *target, const char *name)
{
    assert_int_equal(symlink(target, test_path(&folder, name)), 0);
}

static void make_folder(const char *name)
{
    ASSERT_OK(qeff_folder_create(test_path(&folder, name), &err));
}

TEST(untrusted_path, may_not_leave_by_a_link)
{
    (void)state_;
    char out[QEFF_PATH_MAX];
    make_folder("model/sub");
    make_folder("outside");
    (void)test_text_file(&folder, "outside/secret", "s");
    (void)test_text_file(&folder, "model/real", "r");
    make_link("../outside/secret", "model/final");
    make_link("../outside", "model/parent");
    make_link("/etc/passwd", "model/absolute");
    make_link("nowhere", "model/dangling");
    make_link("real", "model/inside");
    make_link("../real", "model/sub/up");
    const char *root = test_path(&folder, "model");
    static const char *const bad[] = {"final", "parent/secret", "absolute", "dangling"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ASSERT_FAILS(qeff_path_join_untrusted(root, qeff_str_of(bad[i]), out, &err),
                     QEFF_ERR_FORMAT, "outside the folder");
    ASSERT_OK(qeff_path_join_untrusted(root, QEFF_STR("inside"), out, &err));
    ASSERT_OK(qeff_path_join_untrusted(root, QEFF_STR("sub/up"), out, &err));
    ASSERT_OK(qeff_path_join_untrusted(root, QEFF_STR("missing"), out, &err));
}

TEST(untrusted_path, follows_links_into_the_blobs_of_a_hub_cache)
{
    (void)state_;
    char out[QEFF_PATH_MAX];
    make_folder("models--m/blobs");
    make_folder("models--m/snapshots/0123/1_Pooling");
    make_folder("blobs");
    (void)test_text_file(&folder, "models--m/blobs/aa", "x");
    (void)test_text_file(&folder, "models--m/other", "x");
    (void)test_text_file(&folder, "blobs/bb", "x");
    make_link("../../blobs/aa", "models--m/snapshots/0123/model.safetensors");
    make_link("../../../blobs/aa", "models--m/snapshots/0123/1_Pooling/config.json");
    make_link("../../other", "models--m/snapshots/0123/escape");
    make_link("../../../blobs/bb", "models--m/snapshots/0123/foreign");
    const char *root = test_path(&folder, "models--m/snapshots/0123");
    ASSERT_OK(qeff_path_join_untrusted(root, QEFF_STR("model.safetensors"), out, &err));
    ASSERT_OK(qeff_path_join_untrusted(root, QEFF_STR("1_Pooling/config.json"), out, &err));
    ASSERT_OK(qeff_path_join_untrusted(test_path(&folder, "models--m/snapshots/0123/1_Pooling"),
                                       QEFF_STR("config.json"), out, &err));
    ASSERT_FAILS(qeff_path_join_untrusted(root, QEFF_STR("escape"), out, &err), QEFF_ERR_FORMAT,
                 "outside the folder");
    ASSERT_FAILS(qeff_path_join_untrusted(root, QEFF_STR("foreign"), out, &err), QEFF_ERR_FORMAT,
                 "outside the folder");
}

static bool note_name(void *ctx, const char *name)
{
    char *list = ctx;
    const size_t n = strlen(list);
    (void)snprintf(list + n, 100 - n, "%s ", name);
    return strcmp(name, "stop") != 0;
}

TEST(folder, is_created_listed_in_order_and_removed)
{
    (void)state_;
    char list[100] = "";
    make_folder("a/b/c");
    make_folder("a/b/c");
    assert_true(qeff_path_is_folder(test_path(&folder, "a/b/c")));
    assert_false(qeff_path_is_folder(test_path(&folder, "a/x")));
    (void)test_text_file(&folder, "a/z", "1");
    (void)test_text_file(&folder, "a/stop", "1");
    (void)test_text_file(&folder, "a/Z", "1");
    ASSERT_OK(qeff_folder_visit(test_path(&folder, "a"), note_name, list, &err));
    assert_string_equal(list, "Z b stop ");
    ASSERT_OK(qeff_folder_remove(test_path(&folder, "a"), &err));
    assert_false(qeff_path_exists(test_path(&folder, "a")));
    ASSERT_OK(qeff_folder_remove(test_path(&folder, "a"), &err));
}

TEST(folder, is_not_created_over_a_file)
{
    (void)state_;
    (void)test_text_file(&folder, "f", "1");
    assert_int_not_equal(qeff_folder_create(test_path(&folder, "f/g"), &err), QEFF_OK);
    assert_int_not_equal(qeff_folder_create(test_path(&folder, "f"), &err), QEFF_OK);
}

TEST(folder, is_removed_without_following_links)
{
    (void)state_;
    make_folder("keep");
    make_folder("gone");
    (void)test_text_file(&folder, "keep/file", "1");
    make_link("../keep", "gone/link");
    ASSERT_OK(qeff_folder_remove(test_path(&folder, "gone"), &err));
    assert_true(qeff_path_exists(test_path(&folder, "keep/file")));
}

TEST(folder, nested_too_deep_is_an_error)
{
    (void)state_;
    make_folder("d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d");
    ASSERT_FAILS(qeff_folder_remove(test_path(&folder, "d"), &err), QEFF_ERR_IO, "too deep");
    ASSERT_OK(qeff_folder_remove(test_path(&folder, "d/d/d/d"), &err));
}

TEST(folder, listing_survives_each_failing_allocation)
{
    (void)state_;
    char list[100] = "";
    (void)test_text_file(&folder, "a", "1");
    (void)test_text_file(&folder, "b", "1");
    TEST_EACH_ALLOCATION(qeff_folder_visit(folder.path, note_name, list, &err), (void)0);
}

#define RUN_IN_FOLDER(subject, statement)                                                          \
    cmocka_unit_test_setup_teardown(subject##__##statement, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_IN_FOLDER(file, is_mapped_and_read),
        RUN_IN_FOLDER(file, may_be_empty),
        RUN_IN_FOLDER(file, that_is_missing_is_not_found),
        RUN_IN_FOLDER(file, that_is_a_folder_fifo_or_device_is_refused_at_once),
        RUN_IN_FOLDER(file, without_permission_is_refused),
        RUN_IN_FOLDER(file, over_the_limit_is_refused),
        RUN_IN_FOLDER(file, that_shrinks_while_it_is_read_is_an_error),
        RUN_IN_FOLDER(file, is_read_where_it_cannot_be_mapped),
        RUN_IN_FOLDER(file, of_another_store_is_not_released),
        RUN_IN_FOLDER(file, survives_each_failing_call),
        RUN_IN_FOLDER(file, survives_each_failing_allocation),
        RUN_IN_FOLDER(path, is_joined_with_one_slash),
        RUN_IN_FOLDER(path, that_is_too_long_is_refused),
        RUN_IN_FOLDER(untrusted_path, stays_inside_the_folder),
        RUN_IN_FOLDER(untrusted_path, may_not_leave_by_a_link),
        RUN_IN_FOLDER(untrusted_path, follows_links_into_the_blobs_of_a_hub_cache),
        RUN_IN_FOLDER(folder, is_created_listed_in_order_and_removed),
        RUN_IN_FOLDER(folder, is_not_created_over_a_file),
        RUN_IN_FOLDER(folder, is_removed_without_following_links),
        RUN_IN_FOLDER(folder, nested_too_deep_is_an_error),
        RUN_IN_FOLDER(folder, listing_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
