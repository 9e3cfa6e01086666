/* tensor_test.c - tensors in all their forms, in the file and outside it, good and bad. */
#include "make.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* start_graph() and y = x + w, where w is still to come. */
static qeff_buffer graph_without_w(void)
{
    qeff_buffer graph = start_graph();
    put_node(&graph, "Add", "sum", "x,w", "y");
    return graph;
}

/* Same, with y = Cast(w) and y i64. */
static qeff_buffer cast_graph(void)
{
    qeff_buffer graph = {0};
    qeff_protobuf_put_str(&graph, GRAPH_NAME, QEFF_STR("test"));
    put_value(&graph, GRAPH_OUTPUT, "y", 7, NULL);
    const size_t mark = begin_node(&graph, "Cast", "cast", "w", "y");
    put_int_attribute(&graph, "to", 7);
    qeff_protobuf_end(&graph, mark);
    return graph;
}

/* --- inside the file ------------------------------------------------------------------------- */

static const uint8_t zeros[64];

static void refuse_raw(int64_t data_type, const char *dims, size_t raw_bytes, qeff_status status,
                       const char *text)
{
    qeff_buffer graph = graph_without_w();
    const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", data_type, dims);
    qeff_protobuf_put_bytes(&graph, TENSOR_RAW_DATA, (qeff_bytes){zeros, raw_bytes});
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, status, text);
}

TEST(tensor, refuses_negative_dimensions)
{
    (void)state_;
    refuse_raw(1, "-4", 16, QEFF_ERR_FORMAT, "tensor 'w': negative dimension");
}

TEST(tensor, refuses_shapes_whose_product_overflows)
{
    (void)state_;
    refuse_raw(1, "4194305,4194305,211106198978564", 16, QEFF_ERR_FORMAT, "overflows 64 bits");
    refuse_raw(1, "0,9223372036854775807,9223372036854775807", 0, QEFF_ERR_FORMAT,
               "overflows 64 bits");
    refuse_raw(1, "4611686018427387904", 0, QEFF_ERR_FORMAT, "overflows 64 bits");
}

TEST(tensor, refuses_rank_9)
{
    (void)state_;
    refuse_raw(1, "1,1,1,1,1,1,1,1,4", 16, QEFF_ERR_UNSUPPORTED,
               "tensor 'w': rank 9 exceeds the limit of 8");
}

TEST(tensor, refuses_raw_data_one_byte_short_or_long)
{
    (void)state_;
    refuse_raw(1, "4", 15, QEFF_ERR_FORMAT,
               "tensor 'w': raw_data holds 15 bytes but dtype and shape need 16");
    refuse_raw(1, "4", 17, QEFF_ERR_FORMAT, "raw_data holds 17 bytes");
    refuse_raw(1, "4", 0, QEFF_ERR_FORMAT, "raw_data holds 0 bytes");
    refuse_raw(1, "0", 1, QEFF_ERR_FORMAT, "raw_data holds 1 bytes");
}

TEST(tensor, refuses_data_types_0_99_and_string)
{
    (void)state_;
    refuse_raw(0, "4", 16, QEFF_ERR_FORMAT, "tensor 'w': data type 0 is not known");
    refuse_raw(99, "4", 16, QEFF_ERR_UNSUPPORTED, "tensor 'w': data type 99 is not known");
    refuse_raw(8, "4", 16, QEFF_ERR_UNSUPPORTED, "tensor 'w': data type 8 is not known");
}

TEST(tensor, refuses_int4_also_with_an_odd_count)
{
    (void)state_;
    refuse_raw(22, "5", 3, QEFF_ERR_UNSUPPORTED, "tensor 'w': data type 22 is not known");
}

TEST(tensor, refuses_raw_data_and_float_data_together)
{
    (void)state_;
    qeff_buffer graph = graph_without_w();
    const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", 1, "4");
    qeff_protobuf_put_bytes(&graph, TENSOR_RAW_DATA, (qeff_bytes){zeros, 16});
    qeff_protobuf_put_bytes(&graph, TENSOR_FLOAT_DATA, (qeff_bytes){zeros, 16});
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT,
                   "tensor 'w': elements both in raw_data and in float_data");
}

TEST(tensor, refuses_typed_data_of_another_type)
{
    (void)state_;
    qeff_buffer graph = graph_without_w();
    const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", 1, "4");
    qeff_protobuf_put_bytes(&graph, TENSOR_INT64_DATA, (qeff_bytes){zeros, 4});
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT, "tensor 'w': int64_data cannot hold f32");
}

TEST(tensor, refuses_typed_data_of_the_wrong_count)
{
    (void)state_;
    qeff_buffer graph = graph_without_w();
    const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", 1, "4");
    qeff_protobuf_put_bytes(&graph, TENSOR_FLOAT_DATA, (qeff_bytes){zeros, 12});
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT, "float_data holds 3 elements but the shape needs 4");
}

TEST(tensor, refuses_elements_that_do_not_fit_their_type)
{
    (void)state_;
    qeff_buffer graph = cast_graph();
    const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", 2, "2"); /* u8 */
    qeff_protobuf_put_int(&graph, TENSOR_INT32_DATA, 255);
    qeff_protobuf_put_int(&graph, TENSOR_INT32_DATA, 256);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT, "tensor 'w': element 1 is no u8");
}

TEST(tensor, refuses_segments)
{
    (void)state_;
    qeff_buffer graph = graph_without_w();
    const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", 1, "4");
    qeff_protobuf_put_bytes(&graph, TENSOR_SEGMENT, (qeff_bytes){NULL, 0});
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "tensor 'w': tensors in segments");
}

/* 40 MB of one-byte varints would become 320 MB of integers. */
TEST(tensor, refuses_to_decode_far_beyond_the_size_of_the_file)
{
    (void)state_;
    enum { N = 40000000 };
    uint8_t *ones = malloc(N);
    assert_non_null(ones);
    memset(ones, 1, N);
    qeff_buffer graph = cast_graph();
    const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", 7, "40000000");
    qeff_protobuf_put_bytes(&graph, TENSOR_INT64_DATA, (qeff_bytes){ones, N});
    qeff_protobuf_end(&graph, mark);
    free(ones);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "save the model with raw_data");
}

/* The same by way of many Constant nodes. */
TEST(tensor, refuses_to_decode_constants_far_beyond_the_size_of_the_file)
{
    (void)state_;
    enum { NODES = 300, N = 60000 };
    uint8_t *ones = malloc(N);
    assert_non_null(ones);
    memset(ones, 1, N);
    qeff_buffer graph = graph_without_w();
    for (int i = 0; i < NODES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%d", i);
        const size_t mark = begin_node(&graph, "Constant", NULL, NULL, name);
        const size_t attribute = qeff_protobuf_begin(&graph, NODE_ATTRIBUTE);
        qeff_protobuf_put_str(&graph, ATTRIBUTE_NAME, QEFF_STR("value_ints"));
        qeff_protobuf_put_bytes(&graph, ATTRIBUTE_INTS, (qeff_bytes){ones, N});
        qeff_protobuf_put_int(&graph, ATTRIBUTE_TYPE, ATTRIBUTE_TYPE_INTS);
        qeff_protobuf_end(&graph, attribute);
        qeff_protobuf_end(&graph, mark);
    }
    free(ones);
    put_f32_tensor(&graph, "w", "4", (const float[]){0, 0, 0, 0}, 4);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "save the model with raw_data");
}

TEST(tensor, loads_every_form_of_the_same_floats)
{
    (void)state_;
    const float values[4] = {1.5f, -2, 0, 8};
    qeff_buffer expected = {0};
    for (int form = 0; form < 4; form++) {
        qeff_buffer graph = graph_without_w();
        const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", 1, "4");
        if (form == 0)
            qeff_protobuf_put_bytes(&graph, TENSOR_RAW_DATA,
                                    (qeff_bytes){(const uint8_t *)values, 16});
        if (form == 1)
            qeff_protobuf_put_bytes(&graph, TENSOR_FLOAT_DATA,
                                    (qeff_bytes){(const uint8_t *)values, 16});
        if (form >= 2)
            qeff_protobuf_put_bytes(&graph, TENSOR_FLOAT_DATA,
                                    (qeff_bytes){(const uint8_t *)values, form == 2 ? 0 : 4});
        for (int i = form == 2 ? 0 : 1; form >= 2 && i < 4; i++)
            qeff_protobuf_put_float(&graph, TENSOR_FLOAT_DATA, values[i]);
        qeff_protobuf_end(&graph, mark);
        make_model(&graph, 17);
        qeff_buffer text = expect_text();
        if (form == 0)
            expected = text;
        else
            assert_string_equal((const char *)text.data, (const char *)expected.data);
        if (form > 0) qeff_buffer_deinit(&text);
    }
    qeff_buffer_deinit(&expected);
}

/* The weight called w after loading. */
static void expect_bytes(qeff_buffer *graph, const void *expected, size_t size)
{
    qeff_graph *out = NULL;
    qeff_onnx_model *model = NULL;
    qeff_error err = {0};
    make_model(graph, 17);
    ASSERT_OK(qeff_onnx_import(make_path("model.onnx"), &out, &model, &err));
    for (size_t i = 0; i < out->n_values; i++) {
        if (!qeff_str_is(out->values[i].name, "w")) continue;
        assert_int_equal(out->values[i].data.size, size);
        assert_memory_equal(out->values[i].data.data, expected, size);
    }
    qeff_graph_destroy(out);
    qeff_onnx_close(model);
}

static void
expect_int32_data(int64_t data_type, const int64_t *values, const void *expected, size_t width)
{
    qeff_buffer graph = cast_graph();
    const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", data_type, "2");
    for (int i = 0; i < 2; i++)
        qeff_protobuf_put_int(&graph, TENSOR_INT32_DATA, values[i]);
    qeff_protobuf_end(&graph, mark);
    expect_bytes(&graph, expected, 2 * width);
}

TEST(tensor, decodes_int32_data_to_every_small_type)
{
    (void)state_;
    expect_int32_data(6, (const int64_t[]){-1, 7}, (const int32_t[]){-1, 7}, 4);
    expect_int32_data(5, (const int64_t[]){-32768, 7}, (const int16_t[]){INT16_MIN, 7}, 2);
    expect_int32_data(4, (const int64_t[]){65535, 7}, (const uint16_t[]){65535, 7}, 2);
    expect_int32_data(3, (const int64_t[]){-128, 7}, (const int8_t[]){-128, 7}, 1);
    expect_int32_data(2, (const int64_t[]){255, 7}, (const uint8_t[]){255, 7}, 1);
    expect_int32_data(9, (const int64_t[]){1, 0}, (const uint8_t[]){1, 0}, 1);
}

TEST(tensor, decodes_int64_data_packed_and_single_mixed)
{
    (void)state_;
    qeff_buffer graph = cast_graph();
    const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", 7, "4");
    qeff_protobuf_put_int(&graph, TENSOR_INT64_DATA, -1);
    qeff_protobuf_put_bytes(&graph, TENSOR_INT64_DATA,
                            (qeff_bytes){(const uint8_t *)"\x01\x83\x01", 3});
    qeff_protobuf_put_int(&graph, TENSOR_INT64_DATA, INT64_MIN);
    qeff_protobuf_end(&graph, mark);
    expect_bytes(&graph, (const int64_t[]){-1, 1, 131, INT64_MIN}, 32);
}

TEST(tensor, loads_empty_tensors)
{
    (void)state_;
    qeff_buffer graph = cast_graph();
    put_i64_tensor(&graph, "w", "0", NULL, 0);
    expect_bytes(&graph, "", 0);
    graph = cast_graph();
    qeff_protobuf_end(&graph, begin_tensor(&graph, GRAPH_INITIALIZER, "w", 7, "0"));
    expect_bytes(&graph, "", 0);
}

/* --- outside the file ------------------------------------------------------------------------ */

typedef struct entry {
    const char *key, *value;
} entry;

static qeff_buffer external_graph(const entry *entries, size_t n)
{
    qeff_buffer graph = graph_without_w();
    const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", 1, "4");
    for (size_t i = 0; i < n; i++)
        put_pair(&graph, TENSOR_EXTERNAL_DATA, entries[i].key, entries[i].value);
    qeff_protobuf_put_int(&graph, TENSOR_DATA_LOCATION, 1);
    qeff_protobuf_end(&graph, mark);
    return graph;
}

static void refuse_entries(const entry *entries, size_t n, qeff_status status, const char *text)
{
    make_file("w.data", zeros, sizeof zeros);
    qeff_buffer graph = external_graph(entries, n);
    expect_refused(&graph, status, text);
}

#define REFUSE(status, text, ...)                                                                  \
    refuse_entries((const entry[]){__VA_ARGS__},                                                   \
                   sizeof((const entry[]){__VA_ARGS__}) / sizeof(entry), status, text)

static void refuse_location(const char *location, qeff_status status, const char *text)
{
    REFUSE(status, text, {"location", location}, {"offset", "0"}, {"length", "16"});
}

TEST(external, loads_a_file_in_the_folder)
{
    (void)state_;
    make_file("w.data", zeros, sizeof zeros);
    qeff_buffer graph = external_graph(
        (const entry[]){{"location", "w.data"}, {"offset", "48"}, {"length", "16"}}, 3);
    expect_loaded(&graph, 17, "sum");
}

TEST(external, takes_offset_0_and_the_length_of_the_shape_by_default)
{
    (void)state_;
    make_file("w.data", zeros, sizeof zeros);
    qeff_buffer graph = external_graph((const entry[]){{"location", "w.data"}}, 1);
    expect_loaded(&graph, 17, "sum");
}

TEST(external, loads_from_a_folder_below)
{
    (void)state_;
    assert_int_equal(mkdir(make_path("sub"), 0700), 0);
    make_file("sub/w.data", zeros, sizeof zeros);
    qeff_buffer graph = external_graph((const entry[]){{"location", "sub/w.data"}}, 1);
    expect_loaded(&graph, 17, "sum");
    make_empty_folder();
}

TEST(external, refuses_absolute_locations)
{
    (void)state_;
    refuse_location("/etc/passwd", QEFF_ERR_FORMAT, "expected a relative file name");
    refuse_location(make_path("w.data"), QEFF_ERR_FORMAT, "expected a relative file name");
}

TEST(external, refuses_parent_folders)
{
    (void)state_;
    refuse_location("../w.data", QEFF_ERR_FORMAT, "expected a relative file name");
    refuse_location("a/../../w.data", QEFF_ERR_FORMAT, "expected a relative file name");
    refuse_location("a/../w.data", QEFF_ERR_FORMAT, "expected a relative file name");
    refuse_location("..", QEFF_ERR_FORMAT, "expected a relative file name");
}

TEST(external, refuses_locations_with_empty_or_dot_segments)
{
    (void)state_;
    refuse_location("./w.data", QEFF_ERR_FORMAT, "expected a relative file name");
    refuse_location("", QEFF_ERR_FORMAT, "expected a relative file name");
    refuse_location("a//w.data", QEFF_ERR_FORMAT, "expected a relative file name");
    refuse_location("w.data/", QEFF_ERR_FORMAT, "expected a relative file name");
    refuse_location("..\\w.data", QEFF_ERR_FORMAT, "expected a relative file name");
}

TEST(external, refuses_locations_with_a_nul)
{
    (void)state_;
    make_file("w.data", zeros, sizeof zeros);
    qeff_buffer graph = graph_without_w();
    const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", 1, "4");
    const size_t pair = qeff_protobuf_begin(&graph, TENSOR_EXTERNAL_DATA);
    qeff_protobuf_put_str(&graph, ENTRY_KEY, QEFF_STR("location"));
    qeff_protobuf_put_str(&graph, ENTRY_VALUE, QEFF_STR("w.data\0.png"));
    qeff_protobuf_end(&graph, pair);
    qeff_protobuf_put_int(&graph, TENSOR_DATA_LOCATION, 1);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT, "expected a relative file name");
}

TEST(external, refuses_a_missing_location)
{
    (void)state_;
    REFUSE(QEFF_ERR_FORMAT, "tensor 'w': external data without a location", {"offset", "0"});
    REFUSE(QEFF_ERR_NOT_FOUND, "none.data': no such file", {"location", "none.data"});
}

TEST(external, refuses_a_symbolic_link_that_leads_outside)
{
    (void)state_;
    assert_int_equal(symlink("/etc/passwd", make_path("link")), 0);
    refuse_location("link", QEFF_ERR_FORMAT, "link that leads outside the folder");
    assert_int_equal(unlink(make_path("link")), 0);
}

TEST(external, refuses_a_folder_that_is_a_link_outside)
{
    (void)state_;
    assert_int_equal(symlink("/etc", make_path("folder")), 0);
    refuse_location("folder/passwd", QEFF_ERR_FORMAT, "link that leads outside the folder");
    assert_int_equal(unlink(make_path("folder")), 0);
}

TEST(external, refuses_a_file_with_two_names)
{
    (void)state_;
    make_file("first", zeros, sizeof zeros);
    assert_int_equal(link(make_path("first"), make_path("second")), 0);
    refuse_location("second", QEFF_ERR_FORMAT, "file with 2 names");
    make_empty_folder();
}

TEST(external, refuses_what_is_no_regular_file)
{
    (void)state_;
    assert_int_equal(mkdir(make_path("sub"), 0700), 0);
    assert_int_equal(mkfifo(make_path("fifo"), 0600), 0);
    refuse_location("sub", QEFF_ERR_FORMAT, "expected a regular file");
    refuse_location("fifo", QEFF_ERR_FORMAT, "expected a regular file");
    assert_int_equal(symlink("/dev/zero", make_path("device")), 0);
    refuse_location("device", QEFF_ERR_FORMAT, "link that leads outside the folder");
    make_empty_folder();
}

TEST(external, loads_the_layout_of_a_hugging_face_cache)
{
    (void)state_;
    static const char *const folders[] = {"models--x", "models--x/blobs", "models--x/snapshots",
                                          "models--x/snapshots/c0ffee"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(mkdir(make_path(folders[i]), 0700), 0);
    qeff_buffer graph = external_graph((const entry[]){{"location", "w.data"}}, 1);
    qeff_buffer bytes = wrap_model(&graph, 17);
    make_file("models--x/blobs/aaaa", bytes.data, bytes.size);
    make_file("models--x/blobs/bbbb", zeros, sizeof zeros);
    qeff_buffer_deinit(&bytes);
    assert_int_equal(
        symlink("../../blobs/aaaa", make_path("models--x/snapshots/c0ffee/model.onnx")), 0);
    assert_int_equal(symlink("../../blobs/bbbb", make_path("models--x/snapshots/c0ffee/w.data")),
                     0);
    qeff_graph *out = NULL;
    qeff_onnx_model *model = NULL;
    qeff_error err = {0};
    ASSERT_OK(
        qeff_onnx_import(make_path("models--x/snapshots/c0ffee/model.onnx"), &out, &model, &err));
    qeff_graph_destroy(out);
    qeff_onnx_close(model);
    make_empty_folder();
}

TEST(external, refuses_ranges_outside_the_file)
{
    (void)state_;
    REFUSE(QEFF_ERR_FORMAT, "bytes 49 + 16 outside the 64 bytes of 'w.data'",
           {"location", "w.data"}, {"offset", "49"});
    REFUSE(QEFF_ERR_FORMAT, "outside the 64 bytes", {"location", "w.data"}, {"offset", "65"});
    REFUSE(QEFF_ERR_FORMAT, "outside the 64 bytes", {"location", "w.data"},
           {"offset", "9223372036854775807"});
}

TEST(external, refuses_numbers_that_are_none)
{
    (void)state_;
    static const char *const bad[] = {
        "-1", "+1", "", " 0", "0x10", "1e3", "9223372036854775808", "99999999999999999999", "0\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        REFUSE(QEFF_ERR_FORMAT, "is no byte count", {"location", "w.data"}, {"offset", bad[i]});
        REFUSE(QEFF_ERR_FORMAT, "is no byte count", {"location", "w.data"}, {"length", bad[i]});
    }
}

TEST(external, refuses_a_length_that_differs_from_the_shape)
{
    (void)state_;
    REFUSE(QEFF_ERR_FORMAT, "external data holds 15 bytes but dtype and shape need 16",
           {"location", "w.data"}, {"length", "15"});
    REFUSE(QEFF_ERR_FORMAT, "external data holds 64 bytes", {"location", "w.data"},
           {"length", "64"});
}

TEST(external, refuses_unknown_keys_and_keys_given_twice)
{
    (void)state_;
    REFUSE(QEFF_ERR_FORMAT, "unknown external data key 'basepath'", {"location", "w.data"},
           {"basepath", "/"});
    REFUSE(QEFF_ERR_FORMAT, "external data key 'location' occurs twice", {"location", "w.data"},
           {"location", "/etc/passwd"});
}

TEST(external, refuses_data_inside_as_well)
{
    (void)state_;
    qeff_buffer graph = graph_without_w();
    const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", 1, "4");
    qeff_protobuf_put_bytes(&graph, TENSOR_RAW_DATA, (qeff_bytes){zeros, 16});
    put_pair(&graph, TENSOR_EXTERNAL_DATA, "location", "w.data");
    qeff_protobuf_put_int(&graph, TENSOR_DATA_LOCATION, 1);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT, "elements both external and in raw_data");
}

TEST(external, refuses_a_location_where_the_tensor_is_not_external)
{
    (void)state_;
    qeff_buffer graph = graph_without_w();
    const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, "w", 1, "4");
    qeff_protobuf_put_bytes(&graph, TENSOR_RAW_DATA, (qeff_bytes){zeros, 16});
    put_pair(&graph, TENSOR_EXTERNAL_DATA, "location", "w.data");
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT, "external data with data location 0");
}

TEST(external, refuses_more_tensors_on_one_range_than_the_limit)
{
    (void)state_;
    make_file("w.data", zeros, sizeof zeros);
    qeff_buffer graph = graph_without_w();
    char name[16];
    for (int i = 0; i <= QEFF_ONNX_VALUES_MAX; i++) {
        (void)snprintf(name, sizeof name, "w%d", i);
        const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, name, 1, "4");
        put_pair(&graph, TENSOR_EXTERNAL_DATA, "location", "w.data");
        qeff_protobuf_put_int(&graph, TENSOR_DATA_LOCATION, 1);
        qeff_protobuf_end(&graph, mark);
    }
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "60001 initializers");
}

/* The most that is read before the last tensor is refused. */
TEST(external, stays_in_bounds_for_as_many_tensors_as_the_limit)
{
    (void)state_;
    make_file("w.data", zeros, sizeof zeros);
    qeff_buffer graph = graph_without_w();
    char name[16];
    for (int i = 0; i < QEFF_ONNX_VALUES_MAX - 3; i++) {
        (void)snprintf(name, sizeof name, "w%d", i);
        const size_t mark = begin_tensor(&graph, GRAPH_INITIALIZER, name, 1, "4");
        put_pair(&graph, TENSOR_EXTERNAL_DATA, "location", "w.data");
        qeff_protobuf_put_int(&graph, TENSOR_DATA_LOCATION, 1);
        qeff_protobuf_end(&graph, mark);
    }
    qeff_protobuf_end(&graph, begin_tensor(&graph, GRAPH_INITIALIZER, "w", 1, "4"));
    expect_refused(&graph, QEFF_ERR_FORMAT, "tensor 'w': raw_data holds 0 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(tensor, refuses_negative_dimensions),
        RUN(tensor, refuses_shapes_whose_product_overflows),
        RUN(tensor, refuses_rank_9),
        RUN(tensor, refuses_raw_data_one_byte_short_or_long),
        RUN(tensor, refuses_data_types_0_99_and_string),
        RUN(tensor, refuses_int4_also_with_an_odd_count),
        RUN(tensor, refuses_raw_data_and_float_data_together),
        RUN(tensor, refuses_typed_data_of_another_type),
        RUN(tensor, refuses_typed_data_of_the_wrong_count),
        RUN(tensor, refuses_elements_that_do_not_fit_their_type),
        RUN(tensor, refuses_segments),
        RUN(tensor, refuses_to_decode_far_beyond_the_size_of_the_file),
        RUN(tensor, refuses_to_decode_constants_far_beyond_the_size_of_the_file),
        RUN(tensor, loads_every_form_of_the_same_floats),
        RUN(tensor, decodes_int32_data_to_every_small_type),
        RUN(tensor, decodes_int64_data_packed_and_single_mixed),
        RUN(tensor, loads_empty_tensors),
        RUN(external, loads_a_file_in_the_folder),
        RUN(external, takes_offset_0_and_the_length_of_the_shape_by_default),
        RUN(external, loads_from_a_folder_below),
        RUN(external, refuses_absolute_locations),
        RUN(external, refuses_parent_folders),
        RUN(external, refuses_locations_with_empty_or_dot_segments),
        RUN(external, refuses_locations_with_a_nul),
        RUN(external, refuses_a_missing_location),
        RUN(external, refuses_a_symbolic_link_that_leads_outside),
        RUN(external, refuses_a_folder_that_is_a_link_outside),
        RUN(external, refuses_a_file_with_two_names),
        RUN(external, refuses_what_is_no_regular_file),
        RUN(external, loads_the_layout_of_a_hugging_face_cache),
        RUN(external, refuses_ranges_outside_the_file),
        RUN(external, refuses_numbers_that_are_none),
        RUN(external, refuses_a_length_that_differs_from_the_shape),
        RUN(external, refuses_unknown_keys_and_keys_given_twice),
        RUN(external, refuses_data_inside_as_well),
        RUN(external, refuses_a_location_where_the_tensor_is_not_external),
        RUN(external, refuses_more_tensors_on_one_range_than_the_limit),
        RUN(external, stays_in_bounds_for_as_many_tensors_as_the_limit),
    };
    return cmocka_run_group_tests(tests, make_setup, make_teardown);
}
