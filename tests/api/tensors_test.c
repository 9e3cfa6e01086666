/* tensors_test.c - named arrays through numpy's files. */
#include "base/support.h"
#include "formats/npy.h"

#include <qeff/tensor.h>

static int64_t ids[] = {101, 2023, 102, 101, 102, 0};
static float values[] = {0.5F, -1.25F, 3e-38F};
static float scalar[] = {7.0F};
static uint8_t nothing[1];

static const qeff_tensor samples[] = {
    {.name = "input_ids", .dtype = QEFF_DTYPE_I64, .rank = 2, .shape = {2, 3}, .data = ids},
    {.name = "values", .dtype = QEFF_DTYPE_F32, .rank = 1, .shape = {3}, .data = values},
    {.name = "scalar", .dtype = QEFF_DTYPE_F32, .rank = 0, .data = scalar},
    {.name = "empty", .dtype = QEFF_DTYPE_U8, .rank = 2, .shape = {0, 4}, .data = nothing},
};
enum { N_SAMPLES = sizeof samples / sizeof samples[0] };

TEST(tensors, come_back_from_npz_as_they_were)
{
    (void)state_;
    qeff_error err = {0};
    test_folder folder;
    qeff_tensors *read = NULL;
    test_folder_create(&folder);
    const char *path = test_path(&folder, "a.npz");
    ASSERT_OK(qeff_tensors_write_npz(path, samples, N_SAMPLES, &err));
    ASSERT_OK(qeff_tensors_read_npz(path, &read, &err));
    assert_int_equal(read->count, N_SAMPLES);
    for (size_t i = 0; i < N_SAMPLES; i++) {
        const qeff_tensor *found = qeff_tensors_find(read, samples[i].name);
        size_t bytes = qeff_dtype_size(samples[i].dtype);
        assert_non_null(found);
        assert_int_equal(found->dtype, samples[i].dtype);
        assert_int_equal(found->rank, samples[i].rank);
        for (size_t d = 0; d < found->rank; d++) {
            assert_int_equal(found->shape[d], samples[i].shape[d]);
            bytes *= (size_t)found->shape[d];
        }
        assert_memory_equal(found->data, samples[i].data, bytes);
        assert_int_equal((uintptr_t)found->data % 64, 0);
    }
    assert_null(qeff_tensors_find(read, "absent"));
    qeff_tensors_destroy(read);
    test_folder_remove(&folder);
}

TEST(tensors, are_refused_with_the_path_in_front)
{
    (void)state_;
    qeff_error err = {0};
    test_folder folder;
    qeff_tensors *read = NULL;
    test_folder_create(&folder);
    ASSERT_FAILS(qeff_tensors_read_npz(test_path(&folder, "absent.npz"), &read, &err),
                 QEFF_ERR_NOT_FOUND, "absent.npz'");
    assert_int_equal(err.message[0], '\'');
    assert_null(read);
    ASSERT_FAILS(qeff_tensors_read_npz(test_text_file(&folder, "text.npz", "text"), &read, &err),
                 QEFF_ERR_FORMAT, "text.npz'");
    const qeff_tensor twice[] = {samples[0], samples[0]};
    ASSERT_FAILS(qeff_tensors_write_npz(test_path(&folder, "twice.npz"), twice, 2, &err),
                 QEFF_ERR_INVALID, "input_ids");
    assert_int_equal(test_count_names(&folder), 1);
    test_folder_remove(&folder);
}

TEST(tensors, with_impossible_shapes_are_refused)
{
    (void)state_;
    qeff_error err = {0};
    uint8_t *data = NULL;
    size_t size = 0;
    qeff_tensor bad = samples[0];
    bad.shape[0] = -1;
    ASSERT_FAILS(qeff_tensor_encode_npy(&bad, &data, &size, &err), QEFF_ERR_INVALID, "input_ids");
    bad.shape[0] = INT64_MAX;
    ASSERT_FAILS(qeff_tensor_encode_npy(&bad, &data, &size, &err), QEFF_ERR_INVALID, "input_ids");
    bad.rank = QEFF_MAX_RANK + 1;
    ASSERT_FAILS(qeff_tensor_encode_npy(&bad, &data, &size, &err), QEFF_ERR_INVALID, "input_ids");
    assert_null(data);
}

TEST(tensors, become_npy_that_can_be_read)
{
    (void)state_;
    qeff_error err = {0};
    uint8_t *data = NULL;
    size_t size = 0;
    qeff_array array = {0};
    ASSERT_OK(qeff_tensor_encode_npy(&samples[0], &data, &size, &err));
    ASSERT_OK(qeff_npy_parse((qeff_bytes){data, size}, &array, &err));
    assert_int_equal(array.rank, 2);
    assert_int_equal(array.shape[1], 3);
    assert_int_equal((size - array.data.size) % 64, 0);
    assert_memory_equal(array.data.data, ids, sizeof ids);
    qeff_release(data);
}

TEST(files, are_saved_whole)
{
    (void)state_;
    qeff_error err = {0};
    test_folder folder;
    test_folder_create(&folder);
    const char *path = test_text_file(&folder, "file", "before");
    test_io_arm(2, TEST_FAULT_ERROR, 28); /* ENOSPC at the first write */
    const qeff_status status = qeff_file_save(path, "after", 5, &err);
    assert_true(test_io_disarm());
    assert_int_equal(status, QEFF_ERR_NO_SPACE);
    assert_int_equal(test_count_names(&folder), 1);
    ASSERT_OK(qeff_file_save(path, "after", 5, &err));
    qeff_file file = {0};
    ASSERT_OK(qeff_file_read(path, 100, &file, &err));
    assert_int_equal(file.size, 5);
    assert_memory_equal(file.data, "after", 5);
    qeff_file_unmap(&file);
    test_folder_remove(&folder);
}

TEST(tensors, survive_failing_allocations)
{
    (void)state_;
    qeff_error err = {0};
    test_folder folder;
    qeff_tensors *read = NULL;
    uint8_t *data = NULL;
    size_t size = 0;
    test_folder_create(&folder);
    const char *path = test_path(&folder, "a.npz");
    TEST_EACH_ALLOCATION(qeff_tensors_write_npz(path, samples, N_SAMPLES, &err), (void)0);
    TEST_EACH_ALLOCATION(qeff_tensors_read_npz(path, &read, &err), qeff_tensors_destroy(read));
    TEST_EACH_ALLOCATION(qeff_tensor_encode_npy(&samples[0], &data, &size, &err),
                         qeff_release(data));
    test_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(tensors, come_back_from_npz_as_they_were),
        RUN(tensors, are_refused_with_the_path_in_front),
        RUN(tensors, with_impossible_shapes_are_refused),
        RUN(tensors, become_npy_that_can_be_read),
        RUN(files, are_saved_whole),
        RUN(tensors, survive_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
