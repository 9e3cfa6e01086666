/* cache_test.c - where entries go, and that a damaged one is told from a whole one. */
#include "compile/cache.h"

#include "base/error.h"
#include "base/span.h"
#include "compile/compile.h"
#include "compile/digest_memo.h"
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/qeff-cache-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unsetenv("QEFF_HOME");
    return qeff_folder_remove(folder, NULL) ? -1 : 0;
}

TEST(cache, root_is_QEFF_HOME_then_XDG_then_HOME)
{
    qeff_error err = {0};
    char root[QEFF_PATH_MAX];
    (void)setenv("HOME", "/home/someone", 1);
    (void)setenv("XDG_CACHE_HOME", "/xdg", 1);
    (void)setenv("QEFF_HOME", "/qeff", 1);
    ASSERT_OK(qeff_cache_root(root, &err));
    assert_string_equal(root, "/qeff");
    (void)setenv("QEFF_HOME", "", 1);
    ASSERT_OK(qeff_cache_root(root, &err));
    assert_string_equal(root, "/xdg/qeff_models");
    (void)unsetenv("XDG_CACHE_HOME");
    ASSERT_OK(qeff_cache_root(root, &err));
    assert_string_equal(root, "/home/someone/.cache/qeff_models");
    (void)unsetenv("HOME");
    ASSERT_FAILS(qeff_cache_root(root, &err), QEFF_ERR_NOT_FOUND, "HOME is not set");
    assert_string_equal(err.hint, "set QEFF_HOME to a folder");
}

TEST(cache, names_from_a_model_cannot_leave_the_root)
{
    qeff_error err = {0};
    char path[QEFF_PATH_MAX];
    const uint8_t digest[QEFF_HASH_BYTES] = {0xab, 0xcd};
    (void)setenv("QEFF_HOME", "/qeff", 1);
    ASSERT_OK(qeff_cache_model_folder(QEFF_STR("../../etc"), "../x", digest, path, &err));
    assert_string_equal(path, "/qeff/_._.._etc/_._x-abcd000000000000");
    ASSERT_OK(qeff_cache_model_folder(QEFF_STR(""), "BertModel", digest, path, &err));
    assert_string_equal(path, "/qeff/_/BertModel-abcd000000000000");
}

TEST(cache, quarantine_moves_an_entry_aside)
{
    qeff_error err = {0};
    char entry[QEFF_PATH_MAX];
    ASSERT_OK(qeff_path_join(folder, QEFF_STR("qpc-1"), entry, &err));
    ASSERT_OK(qeff_folder_create(entry, &err));
    ASSERT_OK(qeff_cache_quarantine(entry, &err));
    assert_false(qeff_path_exists(entry));
    ASSERT_OK(qeff_cache_quarantine(entry, &err));
}

static void write_program(const uint8_t *data, size_t size)
{
    qeff_error err = {0};
    char path[QEFF_PATH_MAX];
    qeff_qpc_writer writer = {0};
    const qeff_qpc_image images[] = {{"constants.bin", size}, {"plan.json", 2}};
    ASSERT_OK(qeff_path_join(folder, QEFF_STR(QEFF_PROGRAM_FILE), path, &err));
    ASSERT_OK(qeff_qpc_writer_open(&writer, path, images, 2, &err));
    qeff_qpc_writer_append(&writer, data, size);
    qeff_qpc_writer_append(&writer, "{}", 2);
    ASSERT_OK(qeff_qpc_writer_commit(&writer, &err));
}

static qeff_status check(qeff_error *err)
{
    char path[QEFF_PATH_MAX];
    qeff_qpc *qpc = NULL;
    QEFF_TRY(qeff_path_join(folder, QEFF_STR(QEFF_PROGRAM_FILE), path, err));
    QEFF_TRY(qeff_qpc_open(path, &qpc, err));
    const qeff_status status = qeff_integrity_check(folder, qpc, err);
    qeff_qpc_close(qpc);
    return status;
}

TEST(integrity, tells_every_flipped_byte_of_a_small_program)
{
    qeff_error err = {0};
    char path[QEFF_PATH_MAX];
    uint8_t data[300];
    qeff_qpc *qpc = NULL;
    memset(data, 7, sizeof data);
    write_program(data, sizeof data);
    ASSERT_OK(qeff_path_join(folder, QEFF_STR(QEFF_PROGRAM_FILE), path, &err));
    ASSERT_OK(qeff_qpc_open(path, &qpc, &err));
    ASSERT_OK(qeff_integrity_write(folder, qpc, &err));
    qeff_qpc_close(qpc);
    ASSERT_OK(check(&err));
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] ^= 1;
        write_program(data, sizeof data);
        ASSERT_FAILS(check(&err), QEFF_ERR_FORMAT, "damaged program");
        data[i] ^= 1;
    }
}

TEST(integrity, tells_a_lost_block_of_a_large_program)
{
    qeff_error err = {0};
    char path[QEFF_PATH_MAX];
    qeff_qpc *qpc = NULL;
    const size_t size = (3u << 20) + 123;
    uint8_t *data = malloc(size);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 31 >> 3);
    write_program(data, size);
    ASSERT_OK(qeff_path_join(folder, QEFF_STR(QEFF_PROGRAM_FILE), path, &err));
    ASSERT_OK(qeff_qpc_open(path, &qpc, &err));
    ASSERT_OK(qeff_integrity_write(folder, qpc, &err));
    qeff_qpc_close(qpc);
    ASSERT_OK(check(&err));
    memset(data + (1 << 20), 0, 1 << 20); /* a torn write */
    write_program(data, size);
    ASSERT_FAILS(check(&err), QEFF_ERR_FORMAT, "damaged program");
    free(data);
}

TEST(integrity, is_required_of_a_folder)
{
    qeff_error err = {0};
    char path[QEFF_PATH_MAX];
    write_program((const uint8_t *)"abc", 3);
    ASSERT_OK(qeff_path_join(folder, QEFF_STR(QEFF_INTEGRITY_FILE), path, &err));
    (void)unlink(path);
    ASSERT_FAILS(check(&err), QEFF_ERR_NOT_FOUND, QEFF_INTEGRITY_FILE);
}

TEST(digest_memo, finds_a_digest_by_the_stamps_alone)
{
    uint8_t found[QEFF_HASH_BYTES] = {0};
    const uint8_t digest[QEFF_HASH_BYTES] = {1, 2, 3, 0xff};
    qeff_file_stamp stamps[2] = {{1, 2, 3, 4, 5}, {1, 9, 3, 4, 5}};
    (void)setenv("QEFF_HOME", folder, 1);
    assert_false(qeff_digest_memo_find(stamps, 2, found));
    qeff_digest_memo_store(stamps, 2, digest);
    assert_true(qeff_digest_memo_find(stamps, 2, found));
    assert_memory_equal(found, digest, sizeof digest);
    stamps[1].changed_ns++;
    assert_false(qeff_digest_memo_find(stamps, 2, found));
    stamps[1].changed_ns--;
    stamps[0].size++;
    assert_false(qeff_digest_memo_find(stamps, 2, found));
}

TEST(digest_memo, does_not_remember_files_that_just_changed)
{
    uint8_t found[QEFF_HASH_BYTES];
    const uint8_t digest[QEFF_HASH_BYTES] = {1};
    qeff_error err = {0};
    char path[QEFF_PATH_MAX];
    qeff_file file;
    qeff_file_stamp stamp;
    (void)setenv("QEFF_HOME", folder, 1);
    ASSERT_OK(qeff_path_join(folder, QEFF_STR("fresh"), path, &err));
    ASSERT_OK(qeff_file_write(path, (qeff_bytes){digest, sizeof digest}, &err));
    ASSERT_OK(qeff_file_map(path, &file, &err));
    assert_true(qeff_file_stamp_read(file.fd, &stamp));
    qeff_file_unmap(&file);
    qeff_digest_memo_store(&stamp, 1, digest);
    assert_false(qeff_digest_memo_find(&stamp, 1, found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(cache, root_is_QEFF_HOME_then_XDG_then_HOME),
        RUN(cache, names_from_a_model_cannot_leave_the_root),
        RUN(cache, quarantine_moves_an_entry_aside),
        RUN(integrity, tells_every_flipped_byte_of_a_small_program),
        RUN(integrity, tells_a_lost_block_of_a_large_program),
        RUN(integrity, is_required_of_a_folder),
        RUN(digest_memo, finds_a_digest_by_the_stamps_alone),
        RUN(digest_memo, does_not_remember_files_that_just_changed),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
