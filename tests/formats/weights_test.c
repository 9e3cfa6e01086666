/* weights_test.c - a model folder's tensors: one file or shards, found by name, hashed. */
#include "formats/weights.h"

#include "base/error.h"
#include "base/span.h"
#include "base/support.h"

#include <stdlib.h>
#include <unistd.h>

static qeff_error err;
TEST_FOLDER(folder, set_up, tear_down)

#define INDEX "model.safetensors.index.json"

/* A file of one-byte tensors, one for each letter of `names`, whose value is the letter. */
static void save_letters(const char *file, const char *names)
{
    char header[2000] = "{";
    uint8_t bytes[2200];
    size_t size = 1;
    const size_t n = strlen(names);
    for (size_t i = 0; i < n; i++)
        size += (size_t)snprintf(header + size, sizeof header - size,
                                 "%s\"%c\":{\"dtype\":\"U8\",\"shape\":[1],"
                                 "\"data_offsets\":[%zu,%zu]}",
                                 i ? "," : "", names[i], i, i + 1);
    header[size++] = '}';
    qeff_store_u64le(bytes, size);
    memcpy(bytes + 8, header, size);
    memcpy(bytes + 8 + size, names, n);
    (void)test_file(&folder, file, bytes, 8 + size + n);
}

static qeff_weights *open_weights(void)
{
    qeff_weights *weights = NULL;
    ASSERT_OK(qeff_weights_open(folder.path, &weights, &err));
    return weights;
}

static void assert_refused(qeff_status status, const char *text)
{
    qeff_weights *weights = NULL;
    ASSERT_FAILS(qeff_weights_open(folder.path, &weights, &err), status, text);
    assert_null(weights);
}

static void assert_letters(const qeff_weights *weights, const char *names)
{
    assert_int_equal(qeff_weights_count(weights), strlen(names));
    for (size_t i = 0; i < strlen(names); i++) {
        const qeff_tensor_view *view = qeff_weights_find(weights, (qeff_str){names + i, 1});
        assert_non_null(view);
        assert_int_equal(view->data.data[0], names[i]);
        assert_true(qeff_str_equal(qeff_weights_at(weights, i)->name, (qeff_str){names + i, 1}));
    }
    assert_null(qeff_weights_find(weights, QEFF_STR("none")));
    assert_null(qeff_weights_find(weights, QEFF_STR("")));
}

static void hash_of(const qeff_weights *weights, uint8_t digest[QEFF_HASH_BYTES])
{
    qeff_hash hash = {0};
    qeff_hash_init(&hash);
    qeff_weights_hash(weights, &hash);
    ASSERT_OK(qeff_hash_finish(&hash, digest, &err));
}

static void save_shards(void)
{
    save_letters("one.safetensors", "ca");
    save_letters("two.safetensors", "db");
    (void)test_text_file(&folder, INDEX,
                         "{\"metadata\":{\"total_size\":4},\"weight_map\":{"
                         "\"a\":\"one.safetensors\",\"b\":\"two.safetensors\","
                         "\"\\u0063\":\"one.safetensors\",\"d\":\"tw\\u006f.safetensors\"}}");
}

TEST(weights, finds_tensors_of_one_file)
{
    (void)state_;
    save_letters("model.safetensors", "dbca");
    qeff_weights *weights = open_weights();
    assert_letters(weights, "abcd");
    qeff_weights_close(weights);
    ASSERT_OK(qeff_weights_open_file(test_path(&folder, "model.safetensors"), &weights, &err));
    assert_letters(weights, "abcd");
    qeff_weights_close(weights);
    qeff_weights_close(NULL);
}

TEST(weights, finds_tensors_of_shards)
{
    (void)state_;
    save_shards();
    qeff_weights *weights = open_weights();
    assert_letters(weights, "abcd");
    assert_int_equal(qeff_json_kind_of(qeff_weights_metadata(weights)), QEFF_JSON_MISSING);
    qeff_weights_close(weights);
}

TEST(weights, prefers_the_single_file)
{
    (void)state_;
    save_shards();
    save_letters("model.safetensors", "x");
    qeff_weights *weights = open_weights();
    assert_letters(weights, "x");
    qeff_weights_close(weights);
}

TEST(weights, keeps_tensors_that_the_index_leaves_out)
{
    (void)state_;
    save_letters("one.safetensors", "ab");
    (void)test_text_file(&folder, INDEX, "{\"weight_map\":{\"a\":\"one.safetensors\"}}");
    qeff_weights *weights = open_weights();
    assert_letters(weights, "ab");
    qeff_weights_close(weights);
}

TEST(weights, hash_does_not_depend_on_sharding_but_on_everything_else)
{
    (void)state_;
    uint8_t whole[QEFF_HASH_BYTES], sharded[QEFF_HASH_BYTES], other[QEFF_HASH_BYTES];
    save_shards();
    qeff_weights *weights = open_weights();
    hash_of(weights, sharded);
    qeff_weights_close(weights);
    save_letters("model.safetensors", "bdac");
    weights = open_weights();
    hash_of(weights, whole);
    qeff_weights_close(weights);
    assert_memory_equal(whole, sharded, sizeof whole);
    static const char *const changed[] = {
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
        "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
        "{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1],\"data_offsets\":[0,1]}}",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}",
    };
    uint8_t seen[6][QEFF_HASH_BYTES];
    for (size_t i = 0; i < 6; i++) {
        uint8_t bytes[200];
        const char *header = changed[i < 5 ? i : 0];
        qeff_store_u64le(bytes, strlen(header));
        memcpy(bytes + 8, header, strlen(header));
        bytes[8 + strlen(header)] = i < 5 ? 1 : 2;
        (void)test_file(&folder, "model.safetensors", bytes, 9 + strlen(header));
        weights = open_weights();
        hash_of(weights, other);
        hash_of(weights, seen[i]);
        assert_memory_equal(other, seen[i], sizeof other); /* and again the same */
        qeff_weights_close(weights);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(seen[i], seen[j], sizeof other);
    }
}

/* Resident pages, from /proc: the second number is pages in memory. */
static size_t resident_bytes(void)
{
    unsigned long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &total, &resident), 2);
    (void)fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

TEST(weights, hash_gives_its_pages_back)
{
    (void)state_;
    enum { DATA = 64 << 20 };
    char header[100];
    uint8_t size[8], digest[QEFF_HASH_BYTES];
    const int n =
        snprintf(header, sizeof header,
                 "{\"a\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]}}", DATA, DATA);
    const char *path = test_path(&folder, "model.safetensors");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    qeff_store_u64le(size, (uint64_t)n);
    assert_int_equal(fwrite(size, 1, 8, file), 8);
    assert_int_equal(fwrite(header, 1, (size_t)n, file), n);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(truncate(path, 8 + n + DATA), 0);
    qeff_weights *weights = open_weights();
    const size_t before = resident_bytes();
    hash_of(weights, digest);
    assert_true(resident_bytes() < before + (16 << 20));
    qeff_weights_close(weights);
}

TEST(weights, missing_is_not_found_with_advice)
{
    (void)state_;
    qeff_weights *weights = NULL;
    assert_refused(QEFF_ERR_NOT_FOUND, "expected 'model.safetensors' or");
    assert_string_equal(err.hint, "");
    (void)test_text_file(&folder, "pytorch_model.bin", "x");
    assert_refused(QEFF_ERR_NOT_FOUND, "expected 'model.safetensors' or");
    assert_string_equal(err.hint, "'pytorch_model.bin' is there: convert it to safetensors");
    (void)test_text_file(&folder, "adapter.safetensors", "x");
    assert_refused(QEFF_ERR_NOT_FOUND, "expected 'model.safetensors' or");
    assert_string_equal(err.hint,
                        "'adapter.safetensors' is there: rename it to 'model.safetensors'");
    ASSERT_FAILS(qeff_weights_open(test_path(&folder, "none"), &weights, &err), QEFF_ERR_NOT_FOUND,
                 "/none': no such folder");
    ASSERT_FAILS(qeff_weights_open_file(test_path(&folder, "none"), &weights, &err),
                 QEFF_ERR_NOT_FOUND, "/none': no such file");
}

/* One test a line: name, text of the index, status, what the message must say. The shards hold
 * a, c and d, b. */
#define REFUSED(X)                                                                                 \
    X(empty, "", FORMAT, "index.json': line 1, column 1: expected a value")                        \
    X(array, "[]", FORMAT, "expected an object")                                                   \
    X(no_map, "{\"metadata\":{}}", FORMAT, "key 'weight_map': expected a tensor at least")         \
    X(empty_map, "{\"weight_map\":{}}", FORMAT, "expected a tensor at least")                      \
    X(map_twice, "{\"weight_map\":{\"a\":\"one.safetensors\"},\"weight_map\":{}}", FORMAT,         \
      "key 'weight_map' is there twice")                                                           \
    X(map_as_array, "{\"weight_map\":[]}", FORMAT, "key 'weight_map': line 1, column 15: expect")  \
    X(number_as_shard, "{\"weight_map\":{\"a\":1}}", FORMAT, "expected the name of a shard")       \
    X(trailing_text, "{\"weight_map\":{\"a\":\"one.safetensors\"}} x", FORMAT, "found 'x'")        \
    X(shard_above_the_folder, "{\"weight_map\":{\"a\":\"../one.safetensors\"}}", FORMAT,           \
      "'../one.safetensors': expected a relative file name")                                       \
    X(shard_above_by_a_folder, "{\"weight_map\":{\"a\":\"x/../../one.safetensors\"}}", FORMAT,     \
      "expected a relative file name")                                                             \
    X(absolute_shard, "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", FORMAT,                          \
      "'/etc/passwd': expected a relative file name")                                              \
    X(empty_shard, "{\"weight_map\":{\"a\":\"\"}}", FORMAT, "expected a relative file name")       \
    X(shard_with_nul, "{\"weight_map\":{\"a\":\"one.safetensors\\u0000\"}}", FORMAT,               \
      "expected a relative file name")                                                             \
    X(folder_as_shard, "{\"weight_map\":{\"a\":\".\"}}", FORMAT, "expected a relative file name")  \
    X(missing_shard, "{\"weight_map\":{\"a\":\"three.safetensors\"}}", NOT_FOUND,                  \
      "/three.safetensors': no such file")                                                         \
    X(index_as_shard, "{\"weight_map\":{\"a\":\"" INDEX "\"}}", FORMAT, INDEX "': header of")      \
    X(tensor_in_no_shard,                                                                          \
      "{\"weight_map\":{\"a\":\"one.safetensors\",\"x\":\"one.safetensors\"}}", FORMAT,            \
      "tensor 'x' is in no shard")                                                                 \
    X(tensor_in_another_shard,                                                                     \
      "{\"weight_map\":{\"a\":\"two.safetensors\",\"c\":\"one.safetensors\"}}", FORMAT,            \
      "tensor 'a' is in another shard than named")

#define X(name, text, status, expected)                                                            \
    TEST(weights, refuses_index_with_##name)                                                       \
    {                                                                                              \
        (void)state_;                                                                              \
        save_shards();                                                                             \
        (void)test_text_file(&folder, INDEX, text);                                                \
        assert_refused(QEFF_ERR_##status, expected);                                               \
    }
REFUSED(X)
#undef X

TEST(weights, refuses_a_tensor_in_two_shards)
{
    (void)state_;
    save_shards();
    save_letters("two.safetensors", "dba");
    assert_refused(QEFF_ERR_FORMAT, "tensor 'a' is in two shards");
}

TEST(weights, refuses_a_shard_that_links_outside)
{
    (void)state_;
    test_folder model;
    (void)snprintf(model.path, sizeof model.path, "%.200s/model", folder.path);
    ASSERT_OK(qeff_folder_create(model.path, &err));
    save_letters("secret.safetensors", "a");
    assert_int_equal(symlink("../secret.safetensors", test_path(&model, "one.safetensors")), 0);
    (void)test_text_file(&model, INDEX, "{\"weight_map\":{\"a\":\"one.safetensors\"}}");
    qeff_weights *weights = NULL;
    ASSERT_FAILS(qeff_weights_open(model.path, &weights, &err), QEFF_ERR_FORMAT,
                 "link that leads outside the folder");
}

TEST(weights, refuses_a_damaged_shard_by_its_name)
{
    (void)state_;
    save_shards();
    (void)test_text_file(&folder, "two.safetensors", "short");
    assert_refused(QEFF_ERR_FORMAT, "/two.safetensors': 5 bytes, expected at least 8");
}

TEST(weights, limits_the_number_of_shards)
{
    (void)state_;
    enum { SHARDS = 10001 };
    char *text = malloc(SHARDS * 32 + 100);
    assert_non_null(text);
    size_t size = (size_t)snprintf(text, 100, "{\"weight_map\":{");
    for (int i = 0; i < SHARDS; i++)
        size += (size_t)snprintf(text + size, 32, "\"%d\":\"s%d\",", i, i);
    memcpy(text + size - 1, "}}", 2);
    (void)test_file(&folder, INDEX, text, size + 1);
    assert_refused(QEFF_ERR_FORMAT, "more than 10000 shards");
    free(text);
}

TEST(weights, survives_each_failing_allocation)
{
    (void)state_;
    qeff_weights *weights = NULL;
    save_shards();
    TEST_EACH_ALLOCATION(qeff_weights_open(folder.path, &weights, &err),
                         qeff_weights_close(weights));
}

TEST(weights, survives_each_failing_file_call)
{
    (void)state_;
    static const int errors[] = {5 /* EIO */, 24 /* EMFILE */, 116 /* ESTALE */};
    save_shards();
    for (size_t e = 0; e < sizeof errors / sizeof *errors; e++)
        for (size_t n = 1;; n++) {
            qeff_weights *weights = NULL;
            test_io_arm(n, TEST_FAULT_ERROR, errors[e]);
            const qeff_status status = qeff_weights_open(folder.path, &weights, &err);
            const bool was_injected = test_io_disarm();
            if (!status) assert_letters(weights, "abcd");
            if (status) assert_null(weights);
            qeff_weights_close(weights);
            if (!was_injected) break;
        }
}

#define RUN_IN_FOLDER(subject, statement)                                                          \
    cmocka_unit_test_setup_teardown(subject##__##statement, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_IN_FOLDER(weights, finds_tensors_of_one_file),
        RUN_IN_FOLDER(weights, finds_tensors_of_shards),
        RUN_IN_FOLDER(weights, prefers_the_single_file),
        RUN_IN_FOLDER(weights, keeps_tensors_that_the_index_leaves_out),
        RUN_IN_FOLDER(weights, hash_does_not_depend_on_sharding_but_on_everything_else),
        RUN_IN_FOLDER(weights, hash_gives_its_pages_back),
        RUN_IN_FOLDER(weights, missing_is_not_found_with_advice),
#define X(name, text, status, expected) RUN_IN_FOLDER(weights, refuses_index_with_##name),
        REFUSED(X)
#undef X
            RUN_IN_FOLDER(weights, refuses_a_tensor_in_two_shards),
        RUN_IN_FOLDER(weights, refuses_a_shard_that_links_outside),
        RUN_IN_FOLDER(weights, refuses_a_damaged_shard_by_its_name),
        RUN_IN_FOLDER(weights, limits_the_number_of_shards),
        RUN_IN_FOLDER(weights, survives_each_failing_allocation),
        RUN_IN_FOLDER(weights, survives_each_failing_file_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
