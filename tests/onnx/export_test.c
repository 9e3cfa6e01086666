/* export_test.c - what is written, that it reads back as the same graph, and that a failed export
 * leaves nothing behind. */
#include "make.h"

#include "base/alloc.h"
#include "base/file.h"
#include "graph/builder.h"
#include "graph/op.h"
#include "onnx/operators.h"

#include <errno.h>
#include <stdlib.h>

/* --- a small encoder of primitives ----------------------------------------------------------- */

enum { HIDDEN = 16, ROWS = 50, LARGE = 300000 };

static float table[ROWS * HIDDEN], square[HIDDEN * HIDDEN], wide[HIDDEN * 4 * HIDDEN], ones[HIDDEN];

static void fill(float *values, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) / (float)(1u << 24) - 0.5f;
    }
}

static qeff_value
borrow(qeff_builder *b, const char *name, int64_t rows, int64_t columns, const float *data)
{
    qeff_value_info info = {
        .name = qeff_str_of(name),
        .dtype = QEFF_DTYPE_F32,
        .shape = {.rank = rows ? 2 : 1},
        .data = {(const uint8_t *)data, (size_t)((rows ? rows : 1) * columns) * sizeof *data},
        .source_fd = -1};
    info.shape.dims[0] = qeff_dim_of(rows ? rows : columns);
    info.shape.dims[1] = qeff_dim_of(columns);
    return qb_borrowed(b, &info);
}

static qeff_value node(qeff_builder *b, qeff_op op, const char *name, qeff_value x, qeff_value y,
                       const qeff_attribute *attribute)
{
    const qeff_value inputs[] = {x, y};
    return qb_node(b, op, name, inputs, y == QEFF_VALUE_NONE ? 1 : 2, attribute, attribute != NULL);
}

/* [B, T, H] -> [B, N, T, H / N] */
static qeff_value split_heads(qeff_builder *b, const char *name, qeff_value x, qeff_value shape)
{
    qb_enter(b, "%s", name);
    const qeff_value heads = node(b, QEFF_OP_RESHAPE, "heads", x, shape, NULL);
    const qeff_attribute perm = QEFF_ATTR_INTS("perm", ((const int64_t[]){0, 2, 1, 3}), 4);
    const qeff_value out = node(b, QEFF_OP_TRANSPOSE, "swap", heads, QEFF_VALUE_NONE, &perm);
    qb_leave(b);
    return out;
}

static qeff_value attention(qeff_builder *b, qeff_value x, qeff_value bias)
{
    qb_enter(b, "attention");
    const qeff_value w = borrow(b, "attention.weight", HIDDEN, HIDDEN, square);
    const qeff_value shape = qb_ints(b, (const int64_t[]){0, 0, 4, HIDDEN / 4}, 4);
    const qeff_value q = node(b, QEFF_OP_MATMUL, "query", x, w, NULL);
    const qeff_value heads = split_heads(b, "q", q, shape);
    const qeff_attribute perm = QEFF_ATTR_INTS("perm", ((const int64_t[]){0, 1, 3, 2}), 4);
    const qeff_value k = node(b, QEFF_OP_TRANSPOSE, "k", heads, QEFF_VALUE_NONE, &perm);
    qeff_value scores = node(b, QEFF_OP_MATMUL, "scores", heads, k, NULL);
    const qeff_value scale = qb_scalar_f32(b, 0.17677669f);
    scores = node(b, QEFF_OP_MUL, "scaled", scores, scale, NULL);
    scores = node(b, QEFF_OP_ADD, "masked", scores, bias, NULL);
    const qeff_attribute axis = QEFF_ATTR_INT("axis", -1);
    const qeff_value p = node(b, QEFF_OP_SOFTMAX, "softmax", scores, QEFF_VALUE_NONE, &axis);
    qeff_value y = node(b, QEFF_OP_MATMUL, "context", p, heads, NULL);
    const qeff_attribute back = QEFF_ATTR_INTS("perm", ((const int64_t[]){0, 2, 1, 3}), 4);
    y = node(b, QEFF_OP_TRANSPOSE, "join", y, QEFF_VALUE_NONE, &back);
    const qeff_value flat = qb_ints(b, (const int64_t[]){0, 0, HIDDEN}, 3);
    y = node(b, QEFF_OP_RESHAPE, "flat", y, flat, NULL);
    qb_leave(b);
    return y;
}

static qeff_value layer_norm(qeff_builder *b, qeff_value x)
{
    const qeff_value weight = borrow(b, "norm.weight", 0, HIDDEN, ones);
    const qeff_value inputs[] = {x, weight};
    const qeff_attribute attributes[] = {QEFF_ATTR_FLOAT("epsilon", 1e-12),
                                         QEFF_ATTR_INT("axis", -1)};
    return qb_node(b, QEFF_OP_LAYER_NORM, "norm", inputs, 2, attributes, 2);
}

/* mask [B, T] -> 0 or -1e4 as [B, 1, 1, T] */
static qeff_value mask_bias(qeff_builder *b, qeff_value mask)
{
    const qeff_attribute to = QEFF_ATTR_INT("to", 1);
    const qeff_value axes = qb_ints(b, (const int64_t[]){1, 2}, 2);
    const qeff_value bits = node(b, QEFF_OP_CAST, "mask.float", mask, QEFF_VALUE_NONE, &to);
    const qeff_value one = qb_scalar_f32(b, 1);
    const qeff_value hidden = node(b, QEFF_OP_SUB, "mask.hidden", one, bits, NULL);
    const qeff_value low = qb_scalar_f32(b, -1e4f);
    const qeff_value scaled = node(b, QEFF_OP_MUL, "mask.scaled", hidden, low, NULL);
    return node(b, QEFF_OP_UNSQUEEZE, "mask.bias", scaled, axes, NULL);
}

/* Operators whose attributes or operands the file says in another way. */
static void odd_operators(qeff_builder *b, qeff_value x, qeff_value ids)
{
    const qeff_attribute halves[] = {QEFF_ATTR_INT("num_outputs", 2), QEFF_ATTR_INT("axis", 2)};
    const qeff_value first = qb_node(b, QEFF_OP_SPLIT, "halves", &x, 1, halves, 2);
    const qeff_value swapped[] = {first + 1, first};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", -1);
    const qeff_value y = qb_node(b, QEFF_OP_CONCAT, "swapped", swapped, 2, &axis, 1);
    const qeff_value shape = node(b, QEFF_OP_SHAPE, "shape", ids, QEFF_VALUE_NONE, NULL);
    const qeff_attribute sevens[] = {QEFF_ATTR_INT("value", 7), QEFF_ATTR_INT("dtype", 7)};
    const qeff_value filled = qb_node(b, QEFF_OP_CONSTANT_OF_SHAPE, "sevens", &shape, 1, sevens, 2);
    const qeff_value zeros =
        node(b, QEFF_OP_CONSTANT_OF_SHAPE, "zeros", shape, QEFF_VALUE_NONE, NULL);
    const qeff_value low = qb_scalar_f32(b, -1), high = QEFF_VALUE_NONE;
    const qeff_value bounds[] = {y, low, high};
    const qeff_value clipped = qb_node(b, QEFF_OP_CLIP, "clip", bounds, 3, NULL, 0);
    qb_output(b, "clipped", clipped);
    qb_output(b, "sevens", filled);
    qb_output(b, "zeros", zeros);
}

static qeff_graph *build(const char *name, qeff_value_info *large)
{
    qeff_builder *b = NULL;
    qeff_graph *graph = NULL;
    qeff_error err = {0};
    ASSERT_OK(qb_create(name, NULL, &b, &err));
    const qeff_shape shape = {.rank = 2,
                              .dims = {qeff_dim_named("batch_size"), qeff_dim_named("seq_len")}};
    const qeff_value ids = qb_input(b, "input_ids", QEFF_DTYPE_I64, &shape);
    const qeff_value mask = qb_input(b, "attention_mask", QEFF_DTYPE_I64, &shape);
    const qeff_value rows = borrow(b, "embeddings.weight", ROWS, HIDDEN, table);
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 0);
    qeff_value x = node(b, QEFF_OP_GATHER, "embeddings", rows, ids, &axis);
    const qeff_value bias = mask_bias(b, mask);
    const qeff_value y = attention(b, x, bias);
    x = node(b, QEFF_OP_ADD, NULL, x, y, NULL);
    x = layer_norm(b, x);
    const qeff_value w = borrow(b, "ffn.weight", HIDDEN, 4 * HIDDEN, wide);
    const qeff_value h = node(b, QEFF_OP_MATMUL, "ffn", x, w, NULL);
    const qeff_value act = node(b, QEFF_OP_ERF, NULL, h, QEFF_VALUE_NONE, NULL);
    if (large) {
        const qeff_value big = qb_borrowed(b, large);
        qb_output(b, "big", node(b, QEFF_OP_ABS, "abs", big, QEFF_VALUE_NONE, NULL));
    }
    const qeff_attribute mean[] = {QEFF_ATTR_INTS("axes", ((const int64_t[]){1}), 1),
                                   QEFF_ATTR_INT("keepdims", 0)};
    const qeff_value pooled = qb_node(b, QEFF_OP_REDUCE_MEAN, "pooled", &act, 1, mean, 2);
    odd_operators(b, x, ids);
    qb_output(b, "output", pooled);
    ASSERT_OK(qb_finish(b, &graph, &err));
    return graph;
}

static int setup(void **state)
{
    fill(table, ROWS * HIDDEN, 1);
    fill(square, HIDDEN * HIDDEN, 2);
    fill(wide, 4 * HIDDEN * HIDDEN, 3);
    fill(ones, HIDDEN, 4);
    return make_setup(state);
}

/* --- helpers --------------------------------------------------------------------------------- */

static qeff_status export_to(const qeff_graph *graph, const char *name, qeff_error *err)
{
    const qeff_onnx_property items[] = {{QEFF_STR("zebra"), QEFF_STR("2")},
                                        {QEFF_STR("aardvark"), QEFF_STR("1")}};
    return qeff_onnx_export(graph, make_path(""), name, &(qeff_onnx_metadata){items, 2}, err);
}

static qeff_file read_file(const char *name)
{
    qeff_file file;
    qeff_error err = {0};
    ASSERT_OK(qeff_file_read(make_path(name), 64 << 20, &file, &err));
    return file;
}

static void expect_same_file(const char *a, const char *b)
{
    qeff_file x = read_file(a), y = read_file(b);
    assert_int_equal(x.size, y.size);
    assert_memory_equal(x.data, y.data, x.size);
    qeff_file_unmap(&x);
    qeff_file_unmap(&y);
}

static qeff_buffer text_of(const qeff_graph *graph)
{
    qeff_buffer text = {0};
    qeff_graph_print(graph, &text);
    qeff_buffer_append_byte(&text, 0);
    return text;
}

static void expect_same_text(const qeff_graph *a, const qeff_graph *b)
{
    qeff_buffer x = text_of(a), y = text_of(b);
    assert_string_equal((const char *)x.data, (const char *)y.data);
    qeff_buffer_deinit(&x);
    qeff_buffer_deinit(&y);
}

static const qeff_value_info *find_value(const qeff_graph *graph, qeff_str name)
{
    for (size_t i = 0; i < graph->n_values; i++)
        if (qeff_str_equal(graph->values[i].name, name)) return &graph->values[i];
    return NULL;
}

/* --- tests ----------------------------------------------------------------------------------- */

TEST(export, reads_back_as_the_same_graph)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *back = NULL;
    qeff_onnx_model *model = NULL;
    qeff_graph *graph = build("encoder", NULL);
    ASSERT_OK(export_to(graph, "model", &err));
    ASSERT_OK(qeff_onnx_import(make_path("model.onnx"), &back, &model, &err));
    expect_same_text(graph, back);
    qeff_graph_destroy(back);
    qeff_onnx_close(model);
    qeff_graph_destroy(graph);
}

TEST(export, tells_producer_versions_and_sorted_metadata)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *back = NULL;
    qeff_onnx_model *model = NULL;
    qeff_graph *graph = build("encoder", NULL);
    ASSERT_OK(export_to(graph, "model", &err));
    ASSERT_OK(qeff_onnx_import(make_path("model.onnx"), &back, &model, &err));
    assert_true(qeff_str_is(qeff_onnx_producer(model), "qeff"));
    assert_true(qeff_str_is(qeff_onnx_producer_version(model), qeff_version()));
    assert_int_equal(qeff_onnx_opset(model), 17);
    assert_int_equal(qeff_onnx_ir_version(model), 8);
    const qeff_onnx_metadata metadata = qeff_onnx_get_metadata(model);
    assert_int_equal(metadata.n_items, 2);
    assert_true(qeff_str_is(metadata.items[0].key, "aardvark"));
    assert_true(qeff_str_is(metadata.items[1].key, "zebra"));
    assert_true(qeff_str_is(metadata.items[1].value, "2"));
    assert_true(qeff_onnx_file_bytes(model) > sizeof table + sizeof wide);
    qeff_graph_destroy(back);
    qeff_onnx_close(model);
    qeff_graph_destroy(graph);
}

TEST(export, gives_the_same_bytes_twice)
{
    (void)state_;
    qeff_error err = {0};
    for (int i = 0; i < 2; i++) {
        qeff_graph *graph = build("encoder", NULL);
        ASSERT_OK(export_to(graph, "model", &err));
        qeff_graph_destroy(graph);
        if (i == 0) {
            assert_int_equal(rename(make_path("model.onnx"), make_path("first.onnx")), 0);
            assert_int_equal(rename(make_path("model_0.onnx.data"), make_path("first.data")), 0);
        }
    }
    expect_same_file("model.onnx", "first.onnx");
    expect_same_file("model_0.onnx.data", "first.data");
    make_empty_folder();
}

/* The field of the model that holds the graph: all but versions and metadata. */
static qeff_bytes graph_bytes(const qeff_file *file)
{
    qeff_bytes bytes = {NULL, 0};
    qeff_protobuf r;
    qeff_protobuf_init(&r, (qeff_bytes){file->data, file->size}, 0);
    while (qeff_protobuf_next(&r))
        if (r.field == MODEL_GRAPH) bytes = qeff_protobuf_bytes(&r);
    return bytes;
}

/* Pins the bytes, so that other compilers and machines are compared with the one that wrote them.
 * After a wanted change: run this test with QEFF_TEST_UPDATE=1. */
TEST(export, gives_the_same_bytes_everywhere)
{
    (void)state_;
    qeff_error err = {0};
    const char *golden_path = QEFF_TEST_DATA "/onnx/encoder.onnx";
    qeff_graph *graph = build("encoder", NULL);
    ASSERT_OK(export_to(graph, "model", &err));
    qeff_graph_destroy(graph);
    qeff_file model = read_file("model.onnx"), golden;
    if (getenv("QEFF_TEST_UPDATE"))
        ASSERT_OK(qeff_file_write(golden_path, (qeff_bytes){model.data, model.size}, &err));
    ASSERT_OK(qeff_file_read(golden_path, 1 << 20, &golden, &err));
    const qeff_bytes found = graph_bytes(&model), expected = graph_bytes(&golden);
    assert_true(found.size > 1000);
    assert_int_equal(found.size, expected.size);
    assert_memory_equal(found.data, expected.data, expected.size);
    qeff_file_unmap(&model);
    qeff_file_unmap(&golden);
    make_empty_folder();
}

TEST(export, puts_tensors_over_1024_bytes_into_one_aligned_data_file)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *back = NULL;
    qeff_onnx_model *model = NULL;
    float *values = malloc(LARGE * sizeof *values);
    assert_non_null(values);
    fill(values, LARGE, 5);
    make_file("source.bin", "head", 4);
    FILE *file = fopen(make_path("source.bin"), "ab");
    assert_non_null(file);
    assert_int_equal(fwrite(values, sizeof *values, LARGE, file), LARGE);
    assert_int_equal(fclose(file), 0);
    qeff_file source;
    ASSERT_OK(qeff_file_map(make_path("source.bin"), &source, &err));
    qeff_value_info large = {.name = QEFF_STR("large"),
                             .dtype = QEFF_DTYPE_F32,
                             .shape = {.rank = 1, .dims = {{LARGE, NULL}}},
                             .data = {source.data + 4, LARGE * sizeof *values},
                             .source_fd = source.fd,
                             .source_offset = 4};
    qeff_graph *graph = build("encoder", &large);
    ASSERT_OK(export_to(graph, "model", &err));
    assert_int_equal(make_count_files(), 3);
    ASSERT_OK(qeff_onnx_import(make_path("model.onnx"), &back, &model, &err));
    expect_same_text(graph, back);
    size_t n_external = 0;
    for (size_t i = 0; i < back->n_values; i++) {
        const qeff_value_info *info = &back->values[i];
        if (info->kind != QEFF_VALUE_WEIGHT || info->data.size <= 1024) continue;
        n_external++;
        assert_int_equal(info->source_offset % (info->data.size >= 1 << 20 ? 4096 : 64), 0);
        const qeff_value_info *original = find_value(graph, info->name);
        assert_int_equal(original->data.size, info->data.size);
        assert_memory_equal(info->data.data, original->data.data, info->data.size);
    }
    assert_int_equal(n_external, 3); /* the square weight has exactly 1,024 bytes */
    qeff_graph_destroy(back);
    qeff_onnx_close(model);
    qeff_graph_destroy(graph);
    qeff_file_unmap(&source);
    free(values);
    make_empty_folder();
}

TEST(export, writes_no_data_file_where_all_tensors_are_small)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *graph = NULL;
    qeff_onnx_model *model = NULL;
    qeff_buffer small = sum_graph();
    make_model(&small, 17);
    ASSERT_OK(qeff_onnx_import(make_path("model.onnx"), &graph, &model, &err));
    ASSERT_OK(export_to(graph, "small", &err));
    assert_true(make_exists("small.onnx"));
    assert_false(make_exists("small_0.onnx.data"));
    qeff_graph_destroy(graph);
    qeff_onnx_close(model);
    make_empty_folder();
}

static qeff_graph *build_outputs(const char *result_name, const char *output_name)
{
    qeff_builder *b = NULL;
    qeff_graph *graph = NULL;
    qeff_error err = {0};
    ASSERT_OK(qb_create("outputs", NULL, &b, &err));
    const qeff_shape shape = {.rank = 1, .dims = {qeff_dim_named("n")}};
    const qeff_value x = qb_input(b, "x", QEFF_DTYPE_F32, &shape);
    const qeff_value y = node(b, QEFF_OP_NEG, result_name, x, QEFF_VALUE_NONE, NULL);
    const qeff_value z = node(b, QEFF_OP_ABS, "last", y, QEFF_VALUE_NONE, NULL);
    qb_output(b, output_name, z);
    qb_output(b, "again", z);
    qb_output(b, "through", x);
    ASSERT_OK(qb_finish(b, &graph, &err));
    return graph;
}

TEST(export, feeds_an_output_that_has_a_name_already_by_identity)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *back = NULL;
    qeff_onnx_model *model = NULL;
    qeff_graph *graph = build_outputs("first", "output");
    ASSERT_OK(export_to(graph, "model", &err));
    ASSERT_OK(qeff_onnx_import(make_path("model.onnx"), &back, &model, &err));
    expect_same_text(graph, back);
    assert_int_equal(back->n_outputs, 3);
    assert_int_equal(back->n_nodes, 2);
    qeff_graph_destroy(back);
    qeff_onnx_close(model);
    qeff_graph_destroy(graph);
}

TEST(export, renames_a_value_that_has_the_name_of_an_output)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *back = NULL;
    qeff_onnx_model *model = NULL;
    qeff_graph *graph = build_outputs("output", "output");
    ASSERT_OK(export_to(graph, "model", &err));
    ASSERT_OK(qeff_onnx_import(make_path("model.onnx"), &back, &model, &err));
    assert_int_equal(back->n_nodes, 2);
    assert_true(qeff_str_is(back->outputs[0].name, "output"));
    assert_true(qeff_str_is(back->nodes[0].name, "output_1"));
    qeff_graph_destroy(back);
    qeff_onnx_close(model);
    qeff_graph_destroy(graph);
}

TEST(export, refuses_an_output_with_the_name_of_an_input)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *graph = build_outputs("first", "x");
    make_empty_folder();
    ASSERT_FAILS(export_to(graph, "model", &err), QEFF_ERR_INVALID,
                 "output 'x' has the name of an input");
    assert_int_equal(make_count_files(), 0);
    qeff_graph_destroy(graph);
}

TEST(export, refuses_composites)
{
    (void)state_;
    qeff_error err = {0};
    qeff_builder *b = NULL;
    qeff_graph *graph = NULL;
    ASSERT_OK(qb_create("composite", NULL, &b, &err));
    const qeff_shape shape = {.rank = 1, .dims = {qeff_dim_named("n")}};
    const qeff_value x = qb_input(b, "x", QEFF_DTYPE_F32, &shape);
    const qeff_value y = node(b, QEFF_OP_GELU, "act", x, QEFF_VALUE_NONE, NULL);
    qb_output(b, "output", y);
    ASSERT_OK(qb_finish(b, &graph, &err));
    ASSERT_FAILS(export_to(graph, "model", &err), QEFF_ERR_INVALID,
                 "node 'act': 'gelu' has no operator in ONNX");
    qeff_graph_destroy(graph);
}

TEST(export, refuses_short_weights_that_are_used_as_f32)
{
    (void)state_;
    qeff_error err = {0};
    qeff_builder *b = NULL;
    qeff_graph *graph = NULL;
    static const uint16_t halves[4];
    const qeff_shape shape = {.rank = 1, .dims = {{4, NULL}}};
    ASSERT_OK(qb_create("short", NULL, &b, &err));
    const qeff_value x = qb_input(b, "x", QEFF_DTYPE_F32, &shape);
    const qeff_value w = qb_borrowed(b, &(qeff_value_info){.name = QEFF_STR("w"),
                                                           .dtype = QEFF_DTYPE_BF16,
                                                           .shape = shape,
                                                           .data = {(const uint8_t *)halves, 8},
                                                           .source_fd = -1});
    qb_output(b, "output", node(b, QEFF_OP_ADD, "sum", x, w, NULL));
    ASSERT_OK(qb_finish(b, &graph, &err));
    ASSERT_FAILS(export_to(graph, "model", &err), QEFF_ERR_INVALID,
                 "node 'sum': weight 'w' of bf16 is not cast to f32");
    qeff_graph_destroy(graph);
}

TEST(export, refuses_names_that_are_no_file_names)
{
    (void)state_;
    qeff_error err = {0};
    static const char *const bad[] = {"", "a/b", "..", "a\\b", "a\nb"};
    qeff_graph *graph = build_outputs("first", "output");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ASSERT_FAILS(export_to(graph, bad[i], &err), QEFF_ERR_INVALID,
                     "expected a plain file name");
    qeff_graph_destroy(graph);
}

TEST(export, refuses_metadata_with_a_key_twice)
{
    (void)state_;
    qeff_error err = {0};
    const qeff_onnx_property items[] = {{QEFF_STR("k"), QEFF_STR("1")},
                                        {QEFF_STR("k"), QEFF_STR("2")}};
    qeff_graph *graph = build_outputs("first", "output");
    ASSERT_FAILS(
        qeff_onnx_export(graph, make_path(""), "model", &(qeff_onnx_metadata){items, 2}, &err),
        QEFF_ERR_INVALID, "metadata key 'k' occurs twice");
    qeff_graph_destroy(graph);
}

/* --- faults ---------------------------------------------------------------------------------- */

TEST(export, survives_every_failing_allocation)
{
    (void)state_;
    qeff_graph *graph = build("encoder", NULL);
    make_empty_folder();
    const size_t before = make_bytes_in_use();
    qeff_status status = QEFF_ERR_NO_MEMORY;
    for (long n = 0; status; n++) {
        qeff_error err = {0};
        make_fail_allocation(n, n % 2);
        status = export_to(graph, "model", &err);
        make_fail_allocation(-1, false);
        if (status) assert_int_equal(status, QEFF_ERR_NO_MEMORY);
        if (status) assert_int_equal(make_count_files(), 0);
        assert_int_equal(make_bytes_in_use(), before);
        assert_true(n < 100000);
    }
    qeff_graph_destroy(graph);
}

TEST(import, survives_every_failing_allocation)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *graph = build("encoder", NULL);
    ASSERT_OK(export_to(graph, "model", &err));
    qeff_graph_destroy(graph);
    const size_t before = make_bytes_in_use();
    qeff_status status = QEFF_ERR_NO_MEMORY;
    for (long n = 0; status; n++) {
        qeff_onnx_model *model = NULL;
        make_fail_allocation(n, n % 2);
        status = qeff_onnx_import(make_path("model.onnx"), &graph, &model, &err);
        make_fail_allocation(-1, false);
        if (status) assert_int_equal(status, QEFF_ERR_NO_MEMORY);
        qeff_graph_destroy(graph);
        qeff_onnx_close(model);
        assert_int_equal(make_bytes_in_use(), before);
        assert_true(n < 100000);
    }
}

/* The system's table, with the n-th writing call failing. */
static struct {
    qeff_io io;
    long countdown;
    int error;
} faults;

static bool strikes(int *error)
{
    if (faults.countdown-- != 0) return false;
    *error = faults.error;
    return true;
}

static int faulty_open(void *ctx, const char *path, int flags, unsigned mode, int *error)
{
    (void)ctx;
    return strikes(error) ? -1 : faults.io.open(faults.io.ctx, path, flags, mode, error);
}

static int64_t faulty_write(void *ctx, int fd, const void *data, size_t size, int *error)
{
    (void)ctx;
    return strikes(error) ? -1 : faults.io.write(faults.io.ctx, fd, data, size, error);
}

static int faulty_sync(void *ctx, int fd, int *error)
{
    (void)ctx;
    return strikes(error) ? -1 : faults.io.sync(faults.io.ctx, fd, error);
}

static int faulty_rename(void *ctx, const char *from, const char *to, int *error)
{
    (void)ctx;
    return strikes(error) ? -1 : faults.io.rename(faults.io.ctx, from, to, error);
}

static void fail_each_call(int error, qeff_status expected)
{
    qeff_graph *graph = build("encoder", NULL);
    make_empty_folder();
    faults.io = *qeff_io_get();
    faults.error = error;
    qeff_io io = faults.io;
    io.open = faulty_open;
    io.write = faulty_write;
    io.sync = faulty_sync;
    io.rename = faulty_rename;
    qeff_io_set(&io);
    long n = 0;
    for (bool struck = true; struck; n++) {
        qeff_error err = {0};
        faults.countdown = n;
        const qeff_status status = export_to(graph, "model", &err);
        struck = faults.countdown < 0;
        if (status) {
            assert_int_equal(status, expected);
            assert_int_equal(err.message[0], '\'');
            assert_int_equal(make_count_files(), 0);
        } else { /* nothing failed, or only the sync of the folder */
            assert_int_equal(make_count_files(), 2);
            make_empty_folder();
        }
    }
    assert_true(n > 8);
    qeff_io_set(NULL);
    qeff_graph_destroy(graph);
}

TEST(export, leaves_nothing_behind_on_a_full_disk)
{
    (void)state_;
    fail_each_call(ENOSPC, QEFF_ERR_NO_SPACE);
}

TEST(export, leaves_nothing_behind_on_an_io_error)
{
    (void)state_;
    fail_each_call(EIO, QEFF_ERR_IO);
}

static int faulty_stat(void *ctx, int fd, int64_t *size, bool *is_regular, int *error)
{
    (void)ctx;
    return strikes(error) ? -1 : faults.io.stat(faults.io.ctx, fd, size, is_regular, error);
}

static void *faulty_map(void *ctx, int fd, size_t size, int *error)
{
    (void)ctx;
    return strikes(error) ? NULL : faults.io.map(faults.io.ctx, fd, size, error);
}

TEST(import, reports_every_failing_call)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *graph = build("encoder", NULL);
    ASSERT_OK(export_to(graph, "model", &err));
    qeff_graph_destroy(graph);
    faults.io = *qeff_io_get();
    faults.error = EIO;
    qeff_io io = faults.io;
    io.open = faulty_open;
    io.stat = faulty_stat;
    io.map = faulty_map;
    qeff_io_set(&io);
    const size_t before = make_bytes_in_use();
    long n = 0;
    for (qeff_status status = QEFF_ERR_IO; status; n++) {
        qeff_onnx_model *model = NULL;
        faults.countdown = n;
        status = qeff_onnx_import(make_path("model.onnx"), &graph, &model, &err);
        if (status) assert_int_equal(status, QEFF_ERR_IO);
        qeff_graph_destroy(graph);
        qeff_onnx_close(model);
        assert_int_equal(make_bytes_in_use(), before);
    }
    assert_int_equal(n, 7); /* open, stat and map, of both files */
    qeff_io_set(NULL);
}

TEST(export, does_not_touch_what_is_there_where_it_cannot_write)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *graph = build_outputs("first", "output");
    ASSERT_FAILS(qeff_onnx_export(graph, make_path("missing"), "model", NULL, &err),
                 QEFF_ERR_NOT_FOUND, "model.onnx': no such file or folder");
    qeff_graph_destroy(graph);
}

/* --- operators ------------------------------------------------------------------------------- */

TEST(operators, have_a_rule_for_each_primitive_and_none_for_composites)
{
    (void)state_;
    for (int op = 0; op < QEFF_OP_COUNT; op++) {
        const bool is_primitive = qeff_op_get((qeff_op)op)->onnx != NULL;
        const int since = qeff_onnx_operator_get((qeff_op)op)->since;
        if (is_primitive != (since > 0))
            print_error("%s: since %d\n", qeff_op_get((qeff_op)op)->id, since);
        assert_int_equal(is_primitive, since > 0);
        assert_true(since <= QEFF_ONNX_OPSET);
    }
}

TEST(operators, fills_survive_the_way_through_a_tensor)
{
    (void)state_;
    static const qeff_dtype dtypes[] = {QEFF_DTYPE_F64,  QEFF_DTYPE_F32, QEFF_DTYPE_F16,
                                        QEFF_DTYPE_BF16, QEFF_DTYPE_I64, QEFF_DTYPE_I32,
                                        QEFF_DTYPE_I16,  QEFF_DTYPE_I8,  QEFF_DTYPE_U64,
                                        QEFF_DTYPE_U32,  QEFF_DTYPE_U16, QEFF_DTYPE_U8};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        uint8_t bytes[8];
        qeff_attribute back;
        const bool is_float = i < 4;
        const int64_t integer = i < 8 ? -3 : 200;
        const qeff_attribute value =
            is_float ? QEFF_ATTR_FLOAT("value", -1.5) : QEFF_ATTR_INT("value", integer);
        assert_true(qeff_onnx_write_fill(dtypes[i], &value, bytes));
        assert_true(
            qeff_onnx_read_fill(dtypes[i], (qeff_bytes){bytes, qeff_dtype_size(dtypes[i])}, &back));
        assert_int_equal(back.kind, value.kind);
        if (is_float)
            assert_true(back.f == -1.5);
        else
            assert_int_equal(back.i, integer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(export, reads_back_as_the_same_graph),
        RUN(export, tells_producer_versions_and_sorted_metadata),
        RUN(export, gives_the_same_bytes_twice),
        RUN(export, gives_the_same_bytes_everywhere),
        RUN(export, puts_tensors_over_1024_bytes_into_one_aligned_data_file),
        RUN(export, writes_no_data_file_where_all_tensors_are_small),
        RUN(export, feeds_an_output_that_has_a_name_already_by_identity),
        RUN(export, renames_a_value_that_has_the_name_of_an_output),
        RUN(export, refuses_an_output_with_the_name_of_an_input),
        RUN(export, refuses_composites),
        RUN(export, refuses_short_weights_that_are_used_as_f32),
        RUN(export, refuses_names_that_are_no_file_names),
        RUN(export, refuses_metadata_with_a_key_twice),
        RUN(export, survives_every_failing_allocation),
        RUN(import, survives_every_failing_allocation),
        RUN(export, leaves_nothing_behind_on_a_full_disk),
        RUN(export, leaves_nothing_behind_on_an_io_error),
        RUN(import, reports_every_failing_call),
        RUN(export, does_not_touch_what_is_there_where_it_cannot_write),
        RUN(operators, have_a_rule_for_each_primitive_and_none_for_composites),
        RUN(operators, fills_survive_the_way_through_a_tensor),
    };
    return cmocka_run_group_tests(tests, setup, make_teardown);
}
