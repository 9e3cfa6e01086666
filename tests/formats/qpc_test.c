/* qpc_test.c - the program container: what is written is read, and forgeries are refused. */
#include "formats/qpc.h"

#include "base/error.h"
#include "base/span.h"
#include "base/support.h"

#include <errno.h>
#include <stdlib.h>

static qeff_error err;
TEST_FOLDER(folder, set_up, tear_down)

static const qeff_qpc_image images[] = {
    {"constants.bin", 100}, {"empty", 0}, {"networkdesc.bin", 7}, {"last", 0}};
enum { N_IMAGES = 4 };

/* Bytes 0, 1, 2, … of an image, in pieces of 33. */
static void append_image(qeff_qpc_writer *writer, size_t size)
{
    for (size_t at = 0; at < size;) {
        uint8_t piece[33];
        const size_t n = size - at < sizeof piece ? size - at : sizeof piece;
        for (size_t i = 0; i < n; i++)
            piece[i] = (uint8_t)(at + i);
        qeff_qpc_writer_append(writer, piece, n);
        at += n;
    }
}

static qeff_status write_container(const char *path)
{
    qeff_qpc_writer writer = {0};
    QEFF_TRY(qeff_qpc_writer_open(&writer, path, images, N_IMAGES, &err));
    for (size_t i = 0; i < N_IMAGES; i++)
        append_image(&writer, images[i].size);
    return qeff_qpc_writer_commit(&writer, &err);
}

static void assert_container(const char *path)
{
    qeff_qpc *qpc = NULL;
    ASSERT_OK(qeff_qpc_open(path, &qpc, &err));
    assert_int_equal(qeff_qpc_count(qpc), N_IMAGES);
    for (size_t i = 0; i < N_IMAGES; i++) {
        qeff_bytes data = {NULL, 0};
        assert_true(qeff_str_is(qeff_qpc_name(qpc, i), images[i].name));
        assert_true(qeff_qpc_find(qpc, images[i].name, &data));
        assert_int_equal(data.size, images[i].size);
        assert_int_equal((uintptr_t)data.data % 64, 0);
        for (size_t j = 0; j < data.size; j++)
            assert_int_equal(data.data[j], j);
    }
    qeff_bytes none = {NULL, 0};
    assert_false(qeff_qpc_find(qpc, "none", &none));
    qeff_qpc_close(qpc);
}

/* The container above as bytes, to be spoilt. */
typedef struct container {
    uint8_t *bytes;
    size_t size;
} container;

static container make_container(void)
{
    const char *path = test_path(&folder, "good.bin");
    qeff_file file = {0};
    ASSERT_OK(write_container(path));
    ASSERT_OK(qeff_file_read(path, 1 << 20, &file, &err));
    container c = {malloc(file.size + 64), file.size};
    assert_non_null(c.bytes);
    memcpy(c.bytes, file.data, file.size);
    memset(c.bytes + file.size, 0, 64);
    qeff_file_unmap(&file);
    return c;
}

static const char *save(const container *c)
{
    return test_file(&folder, "bad.bin", c->bytes, c->size);
}

static void assert_refused(container *c, qeff_status status, const char *text)
{
    qeff_qpc *qpc = NULL;
    ASSERT_FAILS(qeff_qpc_open(save(c), &qpc, &err), status, text);
    assert_null(qpc);
    free(c->bytes);
}

enum { ROW = 32, TABLE = 40, SIZE = 0, STATIC = 8, NAME = 16, START = 24 };

static uint8_t *field(container *c, size_t image, size_t which)
{
    return c->bytes + TABLE + image * ROW + which;
}

TEST(qpc, reads_what_it_wrote)
{
    (void)state_;
    const char *path = test_path(&folder, "programqpc.bin");
    ASSERT_OK(write_container(path));
    assert_container(path);
    assert_int_equal(test_count_names(&folder), 1);
    qeff_qpc_close(NULL);
}

TEST(qpc, writes_the_documented_layout)
{
    (void)state_;
    container c = make_container();
    static const uint8_t start[] = {0x7c, 0xcd, 0xa1, 0x00, 0, 1, 1, 0};
    assert_memory_equal(c.bytes, start, sizeof start);
    assert_int_equal(qeff_load_u64le(c.bytes + 8), c.size);
    assert_int_equal(qeff_load_u64le(c.bytes + 16), 0);
    assert_int_equal(qeff_load_u64le(c.bytes + 24), N_IMAGES);
    assert_int_equal(qeff_load_u64le(c.bytes + 32), TABLE);
    assert_int_equal(qeff_load_u64le(field(&c, 0, SIZE)), 100);
    assert_int_equal(qeff_load_u64le(field(&c, 0, STATIC)), 100); /* constants.bin alone */
    assert_int_equal(qeff_load_u64le(field(&c, 2, STATIC)), 0);
    assert_int_equal(qeff_load_u64le(field(&c, 0, NAME)), TABLE + N_IMAGES * ROW);
    assert_int_equal(qeff_load_u64le(field(&c, 0, START)) % 64, 0);
    free(c.bytes);
}

TEST(qpc, writes_the_same_bytes_twice)
{
    (void)state_;
    container a = make_container(), b = make_container();
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.bytes, b.bytes, a.size);
    free(a.bytes);
    free(b.bytes);
}

TEST(qpc, may_have_no_image)
{
    (void)state_;
    qeff_qpc_writer writer = {0};
    qeff_qpc *qpc = NULL;
    const char *path = test_path(&folder, "empty.bin");
    ASSERT_OK(qeff_qpc_writer_open(&writer, path, NULL, 0, &err));
    ASSERT_OK(qeff_qpc_writer_commit(&writer, &err));
    ASSERT_OK(qeff_qpc_open(path, &qpc, &err));
    assert_int_equal(qeff_qpc_count(qpc), 0);
    qeff_qpc_close(qpc);
}

/* As the SDK writes them: positions count from an address, and data is aligned to 8. */
TEST(qpc, reads_positions_that_count_from_a_base)
{
    (void)state_;
    container c = make_container();
    const uint64_t base = 0x7f1234567890;
    qeff_store_u64le(c.bytes + 16, base);
    qeff_store_u64le(c.bytes + 32, TABLE + base);
    for (size_t i = 0; i < N_IMAGES; i++) {
        qeff_store_u64le(field(&c, i, NAME), qeff_load_u64le(field(&c, i, NAME)) + base);
        qeff_store_u64le(field(&c, i, START), qeff_load_u64le(field(&c, i, START)) + base);
    }
    assert_container(save(&c));
    free(c.bytes);
}

TEST(qpc, refuses_short_files_and_foreign_ones)
{
    (void)state_;
    qeff_qpc *qpc = NULL;
    container c = make_container();
    for (size_t n = 0; n < c.size; n++) {
        const char *path = test_file(&folder, "bad.bin", c.bytes, n);
        ASSERT_FAILS(qeff_qpc_open(path, &qpc, &err), QEFF_ERR_FORMAT, "/bad.bin': ");
    }
    ASSERT_FAILS(qeff_qpc_open(test_path(&folder, "none"), &qpc, &err), QEFF_ERR_NOT_FOUND,
                 "no such file");
    ASSERT_FAILS(qeff_qpc_open(folder.path, &qpc, &err), QEFF_ERR_FORMAT, "regular file");
    c.bytes[0] = 0;
    assert_refused(&c, QEFF_ERR_FORMAT, "not a program: expected 0x00a1cd7c");
}

TEST(qpc, refuses_another_version_or_compression)
{
    (void)state_;
    container c = make_container();
    c.bytes[4] = 1;
    assert_refused(&c, QEFF_ERR_UNSUPPORTED, "container version 1");
    c = make_container();
    c.bytes[6] = 0;
    assert_refused(&c, QEFF_ERR_UNSUPPORTED, "compression 0, expected 1");
}

TEST(qpc, refuses_a_size_that_is_not_the_file_s)
{
    (void)state_;
    container c = make_container();
    c.size++;
    assert_refused(&c, QEFF_ERR_FORMAT, "but the header says");
}

TEST(qpc, refuses_too_many_images)
{
    (void)state_;
    container c = make_container();
    qeff_store_u64le(c.bytes + 24, 65);
    assert_refused(&c, QEFF_ERR_FORMAT, "65 images, expected at most 64");
    c = make_container();
    qeff_store_u64le(c.bytes + 24, UINT64_MAX);
    assert_refused(&c, QEFF_ERR_FORMAT, "expected at most 64");
}

TEST(qpc, refuses_a_table_outside_the_file)
{
    (void)state_;
    container c = make_container();
    qeff_store_u64le(c.bytes + 32, c.size - 8);
    assert_refused(&c, QEFF_ERR_FORMAT, "table of 128 bytes");
    c = make_container();
    qeff_store_u64le(c.bytes + 32, UINT64_MAX - 7);
    assert_refused(&c, QEFF_ERR_FORMAT, "is outside a file");
    c = make_container();
    qeff_store_u64le(c.bytes + 16, 48); /* the base alone: positions before it */
    assert_refused(&c, QEFF_ERR_FORMAT, "is outside a file");
    c = make_container();
    qeff_store_u64le(c.bytes + 32, 8);
    assert_refused(&c, QEFF_ERR_FORMAT, "table at 8 overlaps");
}

TEST(qpc, refuses_data_outside_the_file)
{
    (void)state_;
    container c = make_container();
    qeff_store_u64le(field(&c, 2, SIZE), c.size);
    assert_refused(&c, QEFF_ERR_FORMAT, "image 2: data of");
    c = make_container();
    qeff_store_u64le(field(&c, 2, SIZE), UINT64_MAX);
    assert_refused(&c, QEFF_ERR_FORMAT, "is outside a file");
    c = make_container();
    qeff_store_u64le(field(&c, 2, START), UINT64_MAX - 7);
    assert_refused(&c, QEFF_ERR_FORMAT, "is outside a file");
}

TEST(qpc, refuses_data_that_overlaps)
{
    (void)state_;
    container c = make_container();
    qeff_store_u64le(field(&c, 2, START), qeff_load_u64le(field(&c, 0, START)));
    assert_refused(&c, QEFF_ERR_FORMAT, "overlaps another part");
    c = make_container();
    qeff_store_u64le(field(&c, 2, START), TABLE);
    assert_refused(&c, QEFF_ERR_FORMAT, "overlaps another part");
    c = make_container();
    qeff_store_u64le(field(&c, 2, START), 0);
    assert_refused(&c, QEFF_ERR_FORMAT, "overlaps another part");
}

TEST(qpc, refuses_odd_alignment)
{
    (void)state_;
    container c = make_container();
    qeff_store_u64le(field(&c, 0, START), qeff_load_u64le(field(&c, 0, START)) + 4);
    assert_refused(&c, QEFF_ERR_FORMAT, "expected a multiple of 8");
}

TEST(qpc, refuses_more_static_bytes_than_there_are)
{
    (void)state_;
    container c = make_container();
    qeff_store_u64le(field(&c, 0, STATIC), 101);
    assert_refused(&c, QEFF_ERR_FORMAT, "101 static bytes of 100");
}

TEST(qpc, refuses_bad_names)
{
    (void)state_;
    container c = make_container();
    const size_t first = TABLE + N_IMAGES * ROW;
    c.bytes[first] = '\0';
    assert_refused(&c, QEFF_ERR_FORMAT, "expected a name");
    c = make_container();
    c.bytes[first + 3] = '\n';
    assert_refused(&c, QEFF_ERR_FORMAT, "expected a name");
    c = make_container();
    c.bytes[first + 3] = '/';
    assert_refused(&c, QEFF_ERR_FORMAT, "expected a name");
    c = make_container();
    qeff_store_u64le(field(&c, 0, NAME), c.size);
    assert_refused(&c, QEFF_ERR_FORMAT, "expected a name");
    c = make_container();
    memset(c.bytes + c.size - 8, 'n', 8); /* no NUL up to the end */
    qeff_store_u64le(field(&c, 3, NAME), c.size - 8);
    assert_refused(&c, QEFF_ERR_FORMAT, "image 3: expected a name");
}

TEST(qpc, refuses_a_name_twice)
{
    (void)state_;
    container c = make_container();
    const uint64_t name = qeff_load_u64le(field(&c, 3, NAME));
    memcpy(c.bytes + name, "empty", 6);
    assert_refused(&c, QEFF_ERR_FORMAT, "image 'empty' is there twice");
}

TEST(qpc_writer, refuses_what_it_cannot_write)
{
    (void)state_;
    qeff_qpc_writer writer = {0};
    qeff_qpc_image many[QEFF_QPC_IMAGES_MAX + 1];
    const char *path = test_path(&folder, "out");
    const qeff_qpc_image twice[] = {{"a", 1}, {"a", 1}}, huge[] = {{"a", UINT64_MAX - 100}};
    const qeff_qpc_image empty[] = {{"", 1}}, slash[] = {{"a/b", 1}};
    for (size_t i = 0; i <= QEFF_QPC_IMAGES_MAX; i++)
        many[i] = (qeff_qpc_image){"a", 0};
    ASSERT_FAILS(qeff_qpc_writer_open(&writer, path, twice, 2, &err), QEFF_ERR_INVALID, "twice");
    ASSERT_FAILS(qeff_qpc_writer_open(&writer, path, empty, 1, &err), QEFF_ERR_INVALID, "name");
    ASSERT_FAILS(qeff_qpc_writer_open(&writer, path, slash, 1, &err), QEFF_ERR_INVALID, "name");
    ASSERT_FAILS(qeff_qpc_writer_open(&writer, path, huge, 1, &err), QEFF_ERR_INVALID, "large");
    ASSERT_FAILS(qeff_qpc_writer_open(&writer, path, many, QEFF_QPC_IMAGES_MAX + 1, &err),
                 QEFF_ERR_INVALID, "65 images");
    assert_int_equal(test_count_names(&folder), 0);
}

TEST(qpc_writer, refuses_too_few_or_too_many_bytes)
{
    (void)state_;
    qeff_qpc_writer writer = {0};
    const char *path = test_path(&folder, "out");
    ASSERT_OK(qeff_qpc_writer_open(&writer, path, images, N_IMAGES, &err));
    append_image(&writer, 99);
    ASSERT_FAILS(qeff_qpc_writer_commit(&writer, &err), QEFF_ERR_INTERNAL,
                 "image 0 has 99 of 100 bytes");
    ASSERT_OK(qeff_qpc_writer_open(&writer, path, images, N_IMAGES, &err));
    append_image(&writer, 101);
    append_image(&writer, 7);
    ASSERT_FAILS(qeff_qpc_writer_commit(&writer, &err), QEFF_ERR_INTERNAL, "has room for");
    ASSERT_OK(qeff_qpc_writer_open(&writer, path, images, N_IMAGES, &err));
    qeff_qpc_writer_abort(&writer);
    assert_int_equal(test_count_names(&folder), 0);
}

TEST(qpc_writer, leaves_nothing_where_a_call_fails)
{
    (void)state_;
    static const int errors[] = {EIO, ENOSPC};
    const char *path = test_path(&folder, "out");
    for (size_t e = 0; e < 2; e++)
        for (size_t n = 1;; n++) {
            test_io_arm(n, TEST_FAULT_ERROR, errors[e]);
            const qeff_status status = write_container(path);
            const bool was_injected = test_io_disarm();
            if (status)
                assert_int_equal(test_count_names(&folder), 0);
            else
                ASSERT_OK(qeff_folder_remove(path, &err));
            if (!was_injected) break;
        }
}

TEST(qpc, survives_each_failing_allocation)
{
    (void)state_;
    qeff_qpc *qpc = NULL;
    const char *path = test_path(&folder, "out");
    TEST_EACH_ALLOCATION(write_container(path), (void)0);
    TEST_EACH_ALLOCATION(qeff_qpc_open(path, &qpc, &err), qeff_qpc_close(qpc));
}

#define RUN_IN_FOLDER(subject, statement)                                                          \
    cmocka_unit_test_setup_teardown(subject##__##statement, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_IN_FOLDER(qpc, reads_what_it_wrote),
        RUN_IN_FOLDER(qpc, writes_the_documented_layout),
        RUN_IN_FOLDER(qpc, writes_the_same_bytes_twice),
        RUN_IN_FOLDER(qpc, may_have_no_image),
        RUN_IN_FOLDER(qpc, reads_positions_that_count_from_a_base),
        RUN_IN_FOLDER(qpc, refuses_short_files_and_foreign_ones),
        RUN_IN_FOLDER(qpc, refuses_another_version_or_compression),
        RUN_IN_FOLDER(qpc, refuses_a_size_that_is_not_the_file_s),
        RUN_IN_FOLDER(qpc, refuses_too_many_images),
        RUN_IN_FOLDER(qpc, refuses_a_table_outside_the_file),
        RUN_IN_FOLDER(qpc, refuses_data_outside_the_file),
        RUN_IN_FOLDER(qpc, refuses_data_that_overlaps),
        RUN_IN_FOLDER(qpc, refuses_odd_alignment),
        RUN_IN_FOLDER(qpc, refuses_more_static_bytes_than_there_are),
        RUN_IN_FOLDER(qpc, refuses_bad_names),
        RUN_IN_FOLDER(qpc, refuses_a_name_twice),
        RUN_IN_FOLDER(qpc_writer, refuses_what_it_cannot_write),
        RUN_IN_FOLDER(qpc_writer, refuses_too_few_or_too_many_bytes),
        RUN_IN_FOLDER(qpc_writer, leaves_nothing_where_a_call_fails),
        RUN_IN_FOLDER(qpc, survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
