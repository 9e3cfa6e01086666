/* npz_test.c - archives of arrays: what numpy wrote is read, what is written numpy reads (see
 * golden/numpy), and archives that contradict themselves are refused. */
#include "formats/npz.h"

#include "base/error.h"
#include "base/span.h"
#include "base/support.h"
#include "formats/crc32.h"

#include <errno.h>
#include <stdlib.h>

static qeff_error err;
TEST_FOLDER(folder, set_up, tear_down)

#define GOLDEN QEFF_TEST_DATA "/golden/numpy/"

static const float floats[6] = {0, 0.25f, 0.5f, 0.75f, 1, 1.25f};
static const qeff_array arrays[] = {
    {{"a", 1}, QEFF_DTYPE_F32, 2, {2, 3}, {(const uint8_t *)floats, sizeof floats}},
    {{"b", 1}, QEFF_DTYPE_U8, 1, {4}, {(const uint8_t *)"\1\2\3\4", 4}},
    {{"d/\xc3\xa9", 4}, QEFF_DTYPE_I64, 1, {0}, {NULL, 0}},
    {{"scalar", 6}, QEFF_DTYPE_U16, 0, {0}, {(const uint8_t *)"\5\6", 2}},
};
enum { N_ARRAYS = 4 };

static void assert_arrays(const char *path)
{
    qeff_npz *npz = NULL;
    ASSERT_OK(qeff_npz_open(path, &npz, &err));
    assert_int_equal(qeff_npz_count(npz), N_ARRAYS);
    for (size_t i = 0; i < N_ARRAYS; i++) {
        const qeff_array *array = qeff_npz_at(npz, i);
        assert_ptr_equal(qeff_npz_find(npz, arrays[i].name), array);
        assert_true(qeff_str_equal(array->name, arrays[i].name));
        assert_int_equal(array->dtype, arrays[i].dtype);
        assert_int_equal(array->rank, arrays[i].rank);
        for (size_t d = 0; d < array->rank; d++)
            assert_int_equal(array->shape[d], arrays[i].shape[d]);
        assert_int_equal(array->data.size, arrays[i].data.size);
        if (array->data.size)
            assert_memory_equal(array->data.data, arrays[i].data.data, array->data.size);
        assert_int_equal((uintptr_t)array->data.data % 64, 0); /* the mapping is page-aligned */
    }
    assert_null(qeff_npz_find(npz, QEFF_STR("none")));
    qeff_npz_close(npz);
}

/* An archive of the arrays above as bytes, to be spoilt. */
typedef struct archive {
    uint8_t *bytes;
    size_t size;
} archive;

static archive load(const char *path)
{
    qeff_file file = {0};
    ASSERT_OK(qeff_file_read(path, 1 << 20, &file, &err));
    archive a = {malloc(file.size), file.size};
    assert_non_null(a.bytes);
    memcpy(a.bytes, file.data, file.size);
    qeff_file_unmap(&file);
    return a;
}

static archive make_archive(void)
{
    const char *path = test_path(&folder, "good.npz");
    ASSERT_OK(qeff_npz_write(path, arrays, N_ARRAYS, &err));
    return load(path);
}

static void assert_refused(archive *a, qeff_status status, const char *text)
{
    qeff_npz *npz = NULL;
    const char *path = test_file(&folder, "bad.npz", a->bytes, a->size);
    ASSERT_FAILS(qeff_npz_open(path, &npz, &err), status, text);
    assert_null(npz);
    free(a->bytes);
}

/* The n-th directory entry, and its local header. */
static uint8_t *entry(const archive *a, size_t n)
{
    uint8_t *at = a->bytes + qeff_load_u32le(a->bytes + a->size - 22 + 16);
    for (; n > 0; n--)
        at += 46 + qeff_load_u16le(at + 28) + qeff_load_u16le(at + 30) + qeff_load_u16le(at + 32);
    return at;
}

static uint8_t *local(const archive *a, size_t n)
{
    return a->bytes + qeff_load_u32le(entry(a, n) + 42);
}

TEST(crc32, matches_known_values)
{
    (void)state_;
    qeff_crc32 crc;
    qeff_crc32_init(&crc);
    assert_int_equal(crc.value, 0);
    qeff_crc32_update(&crc, "123456789", 9);
    assert_int_equal(crc.value, 0xcbf43926u); /* the check value of CRC-32/ISO-HDLC */
    static const char fox[] = "The quick brown fox jumps over the lazy dog";
    for (size_t cut = 0; cut < sizeof fox; cut++) {
        crc.value = 0;
        qeff_crc32_update(&crc, fox, cut);
        qeff_crc32_update(&crc, fox + cut, sizeof fox - 1 - cut);
        assert_int_equal(crc.value, 0x414fa339u);
    }
}

TEST(npz, reads_what_numpy_saved)
{
    (void)state_;
    qeff_npz *npz = NULL;
    ASSERT_OK(qeff_npz_open(GOLDEN "arrays.npz", &npz, &err));
    assert_int_equal(qeff_npz_count(npz), 9);
    const qeff_array *f4 = qeff_npz_find(npz, QEFF_STR("f4"));
    const qeff_array *i8 = qeff_npz_find(npz, QEFF_STR("i8"));
    const qeff_array *u1 = qeff_npz_find(npz, QEFF_STR("u1"));
    assert_memory_equal(f4->data.data, floats, sizeof floats);
    assert_int_equal(i8->rank, 3);
    assert_true(qeff_load_u64le(i8->data.data) == (uint64_t)1 << 63);
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(u1->data.data[i], i);
    assert_int_equal(qeff_npz_find(npz, QEFF_STR("dir/é"))->data.data[0], 7);
    assert_int_equal(qeff_npz_find(npz, QEFF_STR("growth"))->shape[1], 123456789012345);
    qeff_npz_close(npz);
    qeff_npz_close(NULL);
}

TEST(npz, reads_what_it_wrote)
{
    (void)state_;
    const char *path = test_path(&folder, "out.npz");
    ASSERT_OK(qeff_npz_write(path, arrays, N_ARRAYS, &err));
    assert_arrays(path);
    assert_int_equal(test_count_names(&folder), 1);
}

TEST(npz, writes_the_same_bytes_as_before)
{
    (void)state_;
    archive now = make_archive(), golden = load(GOLDEN "written.npz");
    assert_int_equal(now.size, golden.size);
    assert_memory_equal(now.bytes, golden.bytes, now.size);
    free(now.bytes);
    free(golden.bytes);
}

TEST(npz, may_be_empty)
{
    (void)state_;
    qeff_npz *npz = NULL;
    const char *path = test_path(&folder, "out.npz");
    ASSERT_OK(qeff_npz_write(path, NULL, 0, &err));
    ASSERT_OK(qeff_npz_open(path, &npz, &err));
    assert_int_equal(qeff_npz_count(npz), 0);
    assert_null(qeff_npz_find(npz, QEFF_STR("a")));
    qeff_npz_close(npz);
}

/* 65,535 is the first count that needs the long form of the directory's end. */
TEST(npz, round_trips_more_members_than_16_bits_count)
{
    (void)state_;
    enum { COUNT = 65535 };
    qeff_array *many = calloc(COUNT, sizeof *many);
    char(*names)[8] = calloc(COUNT, sizeof *names);
    qeff_npz *npz = NULL;
    const char *path = test_path(&folder, "out.npz");
    assert_true(many && names);
    for (size_t n = COUNT - 1; n <= COUNT; n++) {
        for (size_t i = 0; i < n; i++) {
            const int size = snprintf(names[i], sizeof names[i], "%zx", i);
            many[i] = (qeff_array){{names[i], (size_t)size}, QEFF_DTYPE_U8, 1, {0}, {NULL, 0}};
        }
        ASSERT_OK(qeff_npz_write(path, many, n, &err));
        ASSERT_OK(qeff_npz_open(path, &npz, &err));
        assert_int_equal(qeff_npz_count(npz), n);
        assert_non_null(qeff_npz_find(npz, QEFF_STR("fffd")));
        qeff_npz_close(npz);
    }
    free(many);
    free(names);
}

TEST(npz, refuses_compressed_members_with_advice)
{
    (void)state_;
    qeff_npz *npz = NULL;
    ASSERT_FAILS(qeff_npz_open(GOLDEN "compressed.npz", &npz, &err), QEFF_ERR_UNSUPPORTED,
                 "member 'a.npy': compressed by method 8");
    assert_non_null(strstr(err.hint, "numpy.savez, not"));
}

TEST(npz, refuses_foreign_files)
{
    (void)state_;
    qeff_npz *npz = NULL;
    ASSERT_FAILS(qeff_npz_open(GOLDEN "f4.npy", &npz, &err), QEFF_ERR_FORMAT,
                 "f4.npy': not an .npz file");
    ASSERT_FAILS(qeff_npz_open(GOLDEN "none.npz", &npz, &err), QEFF_ERR_NOT_FOUND, "no such file");
    ASSERT_FAILS(qeff_npz_open(test_text_file(&folder, "e", ""), &npz, &err), QEFF_ERR_FORMAT,
                 "not an .npz file");
}

TEST(npz, refuses_a_file_cut_or_grown_anywhere)
{
    (void)state_;
    qeff_npz *npz = NULL;
    archive a = make_archive();
    for (size_t n = 0; n < a.size; n++)
        ASSERT_FAILS(qeff_npz_open(test_file(&folder, "bad.npz", a.bytes, n), &npz, &err),
                     QEFF_ERR_FORMAT, "/bad.npz': ");
    for (size_t n = 1; n < a.size; n += 7) /* and from the front */
        ASSERT_FAILS(
            qeff_npz_open(test_file(&folder, "bad.npz", a.bytes + n, a.size - n), &npz, &err),
            QEFF_ERR_FORMAT, "/bad.npz': ");
    uint8_t *longer = realloc(a.bytes, a.size + 1);
    assert_non_null(longer);
    longer[a.size] = 0;
    a = (archive){longer, a.size + 1};
    assert_refused(&a, QEFF_ERR_FORMAT, "does not end with a zip directory");
}

TEST(npz, refuses_a_wrong_checksum)
{
    (void)state_;
    archive a = make_archive();
    uint8_t *header = local(&a, 0);
    uint8_t *data = header + 30 + qeff_load_u16le(header + 26) + qeff_load_u16le(header + 28) + 128;
    data[0] ^= 1;
    assert_refused(&a, QEFF_ERR_FORMAT, "member 'a.npy': checksum 0x");
}

TEST(npz, refuses_headers_that_disagree_with_the_directory)
{
    (void)state_;
    /* flags, method, checksum, name, size in the zip64 field */
    static const size_t offsets[] = {6, 8, 14, 30, 30 + 5 + 4, 30 + 5 + 12};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        archive a = make_archive();
        local(&a, 0)[offsets[i]] ^= 1;
        assert_refused(&a, QEFF_ERR_FORMAT, "member 'a.npy': directory and header of the member");
    }
    archive a = make_archive();
    local(&a, 0)[0] = 'x';
    assert_refused(&a, QEFF_ERR_FORMAT, "does not fit the file");
}

TEST(npz, refuses_overlapping_members)
{
    (void)state_;
    archive a = make_archive();
    /* Two names for one member: its header says 'a', so make the directory say it twice. */
    memcpy(entry(&a, 1) + 42, entry(&a, 0) + 42, 4);
    assert_refused(&a, QEFF_ERR_FORMAT, "disagree");
    a = make_archive();
    uint8_t *second = entry(&a, 1);
    memcpy(second + 16, entry(&a, 0) + 16, 12);
    memcpy(second + 42, entry(&a, 0) + 42, 4);
    second[46] = 'a';
    assert_refused(&a, QEFF_ERR_FORMAT, "array 'a' is there twice");
}

/* A member inside the data of another one: both headers are honest, but they share bytes. */
TEST(npz, refuses_a_member_inside_another)
{
    (void)state_;
    archive inner = make_archive();
    uint8_t *first = local(&inner, 1);
    const size_t inner_size =
        30u + qeff_load_u16le(first + 26) + qeff_load_u16le(first + 28) + 132u;
    const qeff_array outer[] = {
        {{"a", 1}, QEFF_DTYPE_U8, 1, {(int64_t)inner_size}, {first, inner_size}},
        {{"b", 1}, QEFF_DTYPE_U8, 1, {4}, {(const uint8_t *)"\1\2\3\4", 4}},
    };
    const char *path = test_path(&folder, "outer.npz");
    ASSERT_OK(qeff_npz_write(path, outer, 2, &err));
    archive a = load(path);
    uint8_t *header = local(&a, 0);
    const size_t at = 30u + qeff_load_u16le(header + 26) + qeff_load_u16le(header + 28) + 128u;
    qeff_store_u32le(entry(&a, 1) + 42, (uint32_t)at);
    free(inner.bytes);
    assert_refused(&a, QEFF_ERR_FORMAT, "two members overlap");
}

TEST(npz, refuses_unsafe_names)
{
    (void)state_;
    static const char *const names[] = {"../x",  "/abs",  "a/./",
                                        "..\\x", "a\nbc", "\xff\xff\xff\xff"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        archive a = make_archive();
        memcpy(entry(&a, 2) + 46, names[i], 4); /* the third name has four bytes */
        memcpy(local(&a, 2) + 30, names[i], 4);
        assert_refused(&a, QEFF_ERR_FORMAT, "expected the name of an array");
    }
    archive a = make_archive();
    entry(&a, 2)[9] = local(&a, 2)[7] = 0; /* no longer said to be UTF-8 */
    assert_refused(&a, QEFF_ERR_FORMAT, "expected the name of an array");
    a = make_archive();
    entry(&a, 0)[46 + 2] = local(&a, 0)[30 + 2] = 'x'; /* a.xpy */
    assert_refused(&a, QEFF_ERR_FORMAT, "ending in '.npy'");
}

TEST(npz, refuses_encrypted_and_streamed_members)
{
    (void)state_;
    static const uint8_t flags[] = {1, 8, 0x40};
    for (size_t i = 0; i < sizeof flags; i++) {
        archive a = make_archive();
        entry(&a, 0)[8] = local(&a, 0)[6] = flags[i];
        assert_refused(&a, QEFF_ERR_UNSUPPORTED, "is not supported");
    }
}

TEST(npz, refuses_lies_in_the_directory)
{
    (void)state_;
    archive a = make_archive();
    entry(&a, 0)[42] ^= 4; /* the offset of the header */
    assert_refused(&a, QEFF_ERR_FORMAT, "member 'a.npy': ");
    a = make_archive();
    memset(entry(&a, 0) + 42, 0xff, 4); /* in a zip64 field that is not there */
    assert_refused(&a, QEFF_ERR_FORMAT, "malformed extra field");
    a = make_archive();
    memset(entry(&a, 0) + 20, 0xee, 8); /* sizes */
    assert_refused(&a, QEFF_ERR_FORMAT, "member 'a.npy': member of 4008636142 bytes");
    a = make_archive();
    entry(&a, 0)[20] ^= 1;
    assert_refused(&a, QEFF_ERR_FORMAT, "stored member of");
    a = make_archive();
    a.bytes[a.size - 22 + 10]--, a.bytes[a.size - 22 + 8]--; /* one entry fewer */
    assert_refused(&a, QEFF_ERR_FORMAT, "directory is longer than its 3 entries");
    a = make_archive();
    a.bytes[a.size - 22 + 10]++, a.bytes[a.size - 22 + 8]++;
    assert_refused(&a, QEFF_ERR_FORMAT, "5 members, expected at most");
    a = make_archive();
    entry(&a, 1)[0] = 'x';
    assert_refused(&a, QEFF_ERR_FORMAT, "malformed directory");
    a = make_archive();
    memset(a.bytes + a.size - 22 + 8, 0xff, 4); /* 65,535 entries */
    assert_refused(&a, QEFF_ERR_FORMAT, "65535 members");
    a = make_archive();
    a.bytes[a.size - 22 + 16] ^= 1; /* the offset of the directory */
    assert_refused(&a, QEFF_ERR_FORMAT, "does not end at");
    a = make_archive();
    a.bytes[a.size - 22 + 4] = 1; /* a second disk */
    assert_refused(&a, QEFF_ERR_FORMAT, "malformed end");
    a = make_archive();
    a.bytes[a.size - 2] = 1; /* a comment */
    assert_refused(&a, QEFF_ERR_FORMAT, "malformed end");
    a = make_archive();
    entry(&a, 0)[28] = 0xff, entry(&a, 0)[29] = 0xff; /* the length of the name */
    assert_refused(&a, QEFF_ERR_FORMAT, "directory ends in an entry");
}

TEST(npz, refuses_members_that_are_no_arrays)
{
    (void)state_;
    archive a = make_archive();
    uint8_t *header = local(&a, 0);
    header[30 + qeff_load_u16le(header + 26) + qeff_load_u16le(header + 28)] = 'x';
    assert_refused(&a, QEFF_ERR_FORMAT, "member 'a.npy': not a numpy array");
}

TEST(npz, survives_every_changed_byte)
{
    (void)state_;
    archive a = make_archive();
    for (size_t i = 0; i < a.size; i++) {
        qeff_npz *npz = NULL;
        a.bytes[i] ^= 0x11;
        const char *path = test_file(&folder, "bad.npz", a.bytes, a.size);
        a.bytes[i] ^= 0x11;
        if (!qeff_npz_open(path, &npz, &err)) assert_int_equal(qeff_npz_count(npz), N_ARRAYS);
        qeff_npz_close(npz);
    }
    free(a.bytes);
}

TEST(npz_writer, refuses_what_no_reader_would_take)
{
    (void)state_;
    const char *path = test_path(&folder, "out.npz");
    qeff_array two[] = {arrays[0], arrays[0]};
    ASSERT_FAILS(qeff_npz_write(path, two, 2, &err), QEFF_ERR_INVALID, "array 'a' is there twice");
    static const char *const names[] = {"", "..", "a/../b", "/a", "a\nb", "\xff", "a\\b", "a//b"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        two[0].name = qeff_str_of(names[i]);
        ASSERT_FAILS(qeff_npz_write(path, two, 1, &err), QEFF_ERR_INVALID,
                     "cannot be the name of an array");
    }
    two[0] = arrays[0];
    two[0].dtype = QEFF_DTYPE_BF16;
    ASSERT_FAILS(qeff_npz_write(path, two, 1, &err), QEFF_ERR_UNSUPPORTED,
                 "out.npz': array 'a': numpy has no element type bf16");
    two[0].dtype = QEFF_DTYPE_F64;
    ASSERT_FAILS(qeff_npz_write(path, two, 1, &err), QEFF_ERR_INVALID, "24 bytes of data");
    assert_int_equal(test_count_names(&folder), 0);
}

TEST(npz_writer, leaves_nothing_where_a_call_fails)
{
    (void)state_;
    static const int errors[] = {EIO, ENOSPC};
    for (size_t e = 0; e < 2; e++)
        for (size_t n = 1;; n++) {
            const char *path = test_path(&folder, "out.npz");
            test_io_arm(n, TEST_FAULT_ERROR, errors[e]);
            const qeff_status status = qeff_npz_write(path, arrays, N_ARRAYS, &err);
            const bool was_injected = test_io_disarm();
            if (status) {
                assert_int_equal(test_count_names(&folder), 0);
            } else {
                assert_arrays(path);
                ASSERT_OK(qeff_folder_remove(path, &err));
            }
            if (!was_injected) break;
        }
}

TEST(npz, survives_each_failing_allocation)
{
    (void)state_;
    qeff_npz *npz = NULL;
    const char *path = test_path(&folder, "out.npz");
    TEST_EACH_ALLOCATION(qeff_npz_write(path, arrays, N_ARRAYS, &err), (void)0);
    assert_int_equal(test_count_names(&folder), 1);
    TEST_EACH_ALLOCATION(qeff_npz_open(path, &npz, &err), qeff_npz_close(npz));
}

#define RUN_IN_FOLDER(subject, statement)                                                          \
    cmocka_unit_test_setup_teardown(subject##__##statement, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_IN_FOLDER(crc32, matches_known_values),
        RUN_IN_FOLDER(npz, reads_what_numpy_saved),
        RUN_IN_FOLDER(npz, reads_what_it_wrote),
        RUN_IN_FOLDER(npz, writes_the_same_bytes_as_before),
        RUN_IN_FOLDER(npz, may_be_empty),
        RUN_IN_FOLDER(npz, round_trips_more_members_than_16_bits_count),
        RUN_IN_FOLDER(npz, refuses_compressed_members_with_advice),
        RUN_IN_FOLDER(npz, refuses_foreign_files),
        RUN_IN_FOLDER(npz, refuses_a_file_cut_or_grown_anywhere),
        RUN_IN_FOLDER(npz, refuses_a_wrong_checksum),
        RUN_IN_FOLDER(npz, refuses_headers_that_disagree_with_the_directory),
        RUN_IN_FOLDER(npz, refuses_overlapping_members),
        RUN_IN_FOLDER(npz, refuses_a_member_inside_another),
        RUN_IN_FOLDER(npz, refuses_unsafe_names),
        RUN_IN_FOLDER(npz, refuses_encrypted_and_streamed_members),
        RUN_IN_FOLDER(npz, refuses_lies_in_the_directory),
        RUN_IN_FOLDER(npz, refuses_members_that_are_no_arrays),
        RUN_IN_FOLDER(npz, survives_every_changed_byte),
        RUN_IN_FOLDER(npz_writer, refuses_what_no_reader_would_take),
        RUN_IN_FOLDER(npz_writer, leaves_nothing_where_a_call_fails),
        RUN_IN_FOLDER(npz, survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
