/* hostile_test.c - models and graphs that must be refused: damaged, inconsistent, or made to do
 * harm. Each file differs from a good one in one thing. */
#include "make.h"

#include <stdlib.h>

/* --- the model ------------------------------------------------------------------------------- */

TEST(model, loads_the_graph_that_the_others_differ_from)
{
    (void)state_;
    qeff_buffer graph = sum_graph();
    expect_loaded(&graph, 17, "sum");
}

TEST(model, refuses_an_empty_file)
{
    (void)state_;
    make_file("model.onnx", "", 0);
    expect_refusal(QEFF_ERR_FORMAT, "empty file");
}

TEST(model, refuses_text)
{
    (void)state_;
    make_file("model.onnx", "<html><body>404</body></html>", 29);
    expect_refusal(QEFF_ERR_FORMAT, "offset");
}

TEST(model, refuses_truncation_at_every_byte)
{
    (void)state_;
    qeff_buffer graph = sum_graph();
    qeff_buffer model = wrap_model(&graph, 17);
    for (size_t size = 0; size < model.size; size++) {
        make_file("model.onnx", model.data, size);
        expect_refusal(QEFF_ERR_FORMAT, "");
    }
    qeff_buffer_deinit(&model);
}

/* Any change of one byte is refused or harmless. */
TEST(model, survives_every_byte_being_changed)
{
    (void)state_;
    static const uint8_t changes[] = {0x01, 0x80, 0xff, 0x0f, 0x08};
    qeff_buffer graph = sum_graph();
    qeff_buffer model = wrap_model(&graph, 17);
    const size_t before = make_bytes_in_use();
    for (size_t i = 0; i < model.size * sizeof changes; i++) {
        qeff_graph *out = NULL;
        qeff_onnx_model *owner = NULL;
        qeff_error err = {0};
        const uint8_t kept = model.data[i / sizeof changes];
        model.data[i / sizeof changes] ^= changes[i % sizeof changes];
        make_file("model.onnx", model.data, model.size);
        const qeff_status status = qeff_onnx_import(make_path("model.onnx"), &out, &owner, &err);
        assert_true(status == QEFF_OK || status == QEFF_ERR_FORMAT ||
                    status == QEFF_ERR_UNSUPPORTED);
        assert_int_equal(status == QEFF_OK, out != NULL);
        qeff_graph_destroy(out);
        qeff_onnx_close(owner);
        model.data[i / sizeof changes] = kept;
        assert_int_equal(make_bytes_in_use(), before);
    }
    qeff_buffer_deinit(&model);
}

/* Bytes put in front of a good model. */
static void
refuse_with_prefix(const void *prefix, size_t size, qeff_status status, const char *text)
{
    qeff_buffer graph = sum_graph(), all = {0};
    qeff_buffer model = wrap_model(&graph, 17);
    qeff_buffer_append(&all, prefix, size);
    qeff_buffer_append(&all, model.data, model.size);
    make_file("model.onnx", all.data, all.size);
    qeff_buffer_deinit(&all);
    qeff_buffer_deinit(&model);
    expect_refusal(status, text);
}

TEST(model, refuses_a_varint_of_11_bytes)
{
    (void)state_;
    refuse_with_prefix("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, QEFF_ERR_FORMAT,
                       "varint of more than 10 bytes");
}

TEST(model, refuses_a_length_of_2_to_the_63)
{
    (void)state_;
    refuse_with_prefix("\x1a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11, QEFF_ERR_FORMAT,
                       "longer than the rest");
}

TEST(model, refuses_a_million_nested_groups)
{
    (void)state_;
    char *groups = malloc(1000000);
    assert_non_null(groups);
    memset(groups, 0x0b, 1000000);
    refuse_with_prefix(groups, 1000000, QEFF_ERR_FORMAT, "groups are not supported");
    free(groups);
}

TEST(model, skips_unknown_fields_of_100_megabytes)
{
    (void)state_;
    enum { SIZE = 100000000 };
    qeff_buffer graph = sum_graph(), head = {0};
    qeff_buffer model = wrap_model(&graph, 17);
    qeff_protobuf_put_header(&head, 999, SIZE);
    qeff_protobuf_put_header(&model, 6, SIZE); /* doc_string */
    FILE *file = fopen(make_path("model.onnx"), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(head.data, 1, head.size, file), head.size);
    assert_int_equal(fseek(file, SIZE, SEEK_CUR), 0); /* a hole: reads as zeros */
    assert_int_equal(fwrite(model.data, 1, model.size, file), model.size);
    assert_int_equal(fseek(file, SIZE - 1, SEEK_CUR), 0);
    assert_int_equal(fputc(0, file), 0);
    assert_int_equal(fclose(file), 0);
    qeff_buffer_deinit(&head);
    qeff_buffer_deinit(&model);
    qeff_buffer text = expect_text();
    qeff_buffer_deinit(&text);
}

TEST(model, refuses_a_file_over_2_gib)
{
    (void)state_;
    FILE *file = fopen(make_path("model.onnx"), "wb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 1l << 31, SEEK_SET), 0);
    assert_int_equal(fputc(0, file), 0);
    assert_int_equal(fclose(file), 0);
    expect_refusal(QEFF_ERR_FORMAT, "exceed the limit of 2147483647");
    make_file("model.onnx", "", 0);
}

TEST(model, refuses_a_model_without_a_graph)
{
    (void)state_;
    make_file("model.onnx", "\x08\x08\x42\x02\x10\x11", 6);
    expect_refusal(QEFF_ERR_FORMAT, "no graph");
}

TEST(model, refuses_two_graphs)
{
    (void)state_;
    refuse_with_prefix("\x3a\x00", 2, QEFF_ERR_FORMAT, "two graphs");
}

static void refuse_versions(int64_t ir_version, int64_t opset, qeff_status status, const char *text)
{
    qeff_buffer graph = sum_graph(), model = {0};
    if (ir_version) qeff_protobuf_put_int(&model, MODEL_IR_VERSION, ir_version);
    qeff_protobuf_put_bytes(&model, MODEL_GRAPH, qeff_buffer_bytes(&graph));
    const size_t mark = qeff_protobuf_begin(&model, MODEL_OPSET_IMPORT);
    qeff_protobuf_put_int(&model, OPSET_VERSION, opset);
    qeff_protobuf_end(&model, mark);
    make_file("model.onnx", model.data, model.size);
    qeff_buffer_deinit(&graph);
    qeff_buffer_deinit(&model);
    expect_refusal(status, text);
}

TEST(model, refuses_opset_0)
{
    (void)state_;
    refuse_versions(8, 0, QEFF_ERR_FORMAT, "opset 0");
}

TEST(model, refuses_opset_2_to_the_63)
{
    (void)state_;
    refuse_versions(8, INT64_MIN, QEFF_ERR_FORMAT, "opset -9223372036854775808");
}

TEST(model, refuses_opset_6_and_26)
{
    (void)state_;
    refuse_versions(8, 6, QEFF_ERR_UNSUPPORTED, "opset 6: expected 7 to 25");
    refuse_versions(8, 26, QEFF_ERR_UNSUPPORTED, "opset 26: expected 7 to 25");
}

TEST(model, loads_opset_7_and_25)
{
    (void)state_;
    qeff_buffer graph = sum_graph();
    expect_loaded(&graph, 7, "sum");
    graph = sum_graph();
    expect_loaded(&graph, 25, "sum");
}

TEST(model, refuses_ir_versions_that_are_missing_or_unknown)
{
    (void)state_;
    refuse_versions(0, 17, QEFF_ERR_FORMAT, "no IR version");
    refuse_versions(2, 17, QEFF_ERR_UNSUPPORTED, "IR version 2");
    refuse_versions(99, 17, QEFF_ERR_UNSUPPORTED, "IR version 99");
}

TEST(model, refuses_a_model_without_an_opset)
{
    (void)state_;
    qeff_buffer graph = sum_graph(), model = {0};
    qeff_protobuf_put_int(&model, MODEL_IR_VERSION, 8);
    qeff_protobuf_put_bytes(&model, MODEL_GRAPH, qeff_buffer_bytes(&graph));
    const size_t mark = qeff_protobuf_begin(&model, MODEL_OPSET_IMPORT);
    qeff_protobuf_put_str(&model, OPSET_DOMAIN, QEFF_STR("com.example"));
    qeff_protobuf_put_int(&model, OPSET_VERSION, 1);
    qeff_protobuf_end(&model, mark);
    make_file("model.onnx", model.data, model.size);
    qeff_buffer_deinit(&graph);
    qeff_buffer_deinit(&model);
    expect_refusal(QEFF_ERR_FORMAT, "no opset for the default domain");
}

TEST(model, refuses_two_opsets_for_one_domain)
{
    (void)state_;
    refuse_with_prefix("\x42\x02\x10\x0d", 4, QEFF_ERR_FORMAT, "two opsets, 13 and 17");
}

TEST(model, refuses_metadata_with_a_key_twice)
{
    (void)state_;
    refuse_with_prefix("\x72\x06\x0a\x01k\x12\x01v\x72\x06\x0a\x01k\x12\x01w", 16, QEFF_ERR_FORMAT,
                       "metadata key 'k' occurs twice");
}

TEST(model, refuses_functions_by_name)
{
    (void)state_;
    refuse_with_prefix("\xca\x01\x08\x0a\x03"
                       "Foo\x52\x01m",
                       11, QEFF_ERR_UNSUPPORTED, "function 'm::Foo'");
}

TEST(model, refuses_training_information)
{
    (void)state_;
    refuse_with_prefix("\xa2\x01\x00", 3, QEFF_ERR_UNSUPPORTED, "training information");
}

/* --- names and edges ------------------------------------------------------------------------- */

TEST(graph, refuses_an_output_that_is_never_produced)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Neg", "n", "x", "z");
    expect_refused(&graph, QEFF_ERR_FORMAT, "output 'y' is never produced");
}

TEST(graph, refuses_an_undefined_input)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Add", "sum", "x,nowhere", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "node 'sum': input 'nowhere' is not defined");
}

TEST(graph, refuses_a_self_loop)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Add", "sum", "x,y", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "input 'y' is produced only later");
}

TEST(graph, refuses_a_cycle)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Add", "first", "x,b", "a");
    put_node(&graph, "Add", "second", "x,a", "b");
    put_node(&graph, "Neg", "third", "b", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "node 'first': input 'b' is produced only later");
}

TEST(graph, refuses_nodes_out_of_order)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Neg", "second", "a", "y");
    put_node(&graph, "Abs", "first", "x", "a");
    expect_refused(&graph, QEFF_ERR_FORMAT, "expected nodes in order of execution");
}

TEST(graph, refuses_a_value_produced_twice)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Neg", "a", "x", "y");
    put_node(&graph, "Abs", "b", "x", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "two values are called 'y'");
}

TEST(graph, refuses_a_result_with_the_name_of_an_input)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Neg", "a", "x", "x");
    put_node(&graph, "Abs", "b", "x", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "two values are called 'x'");
}

TEST(graph, refuses_an_initializer_given_twice)
{
    (void)state_;
    const float values[4] = {0};
    qeff_buffer graph = sum_graph();
    put_f32_tensor(&graph, "w", "4", values, 4);
    expect_refused(&graph, QEFF_ERR_FORMAT, "two values are called 'w'");
}

TEST(graph, refuses_an_input_given_twice)
{
    (void)state_;
    qeff_buffer graph = sum_graph();
    put_value(&graph, GRAPH_INPUT, "x", 1, "N,4");
    expect_refused(&graph, QEFF_ERR_FORMAT, "two values are called 'x'");
}

TEST(graph, refuses_an_output_listed_twice)
{
    (void)state_;
    qeff_buffer graph = sum_graph();
    put_value(&graph, GRAPH_OUTPUT, "y", 1, "N,4");
    expect_refused(&graph, QEFF_ERR_FORMAT, "output 'y' is listed twice");
}

TEST(graph, refuses_two_nodes_of_one_name)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Neg", "n", "x", "a");
    put_node(&graph, "Abs", "n", "a", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "two nodes are called 'n'");
}

TEST(graph, refuses_names_that_are_missing)
{
    (void)state_;
    const float values[4] = {0};
    qeff_buffer graph = sum_graph();
    put_f32_tensor(&graph, "", "4", values, 4);
    expect_refused(&graph, QEFF_ERR_FORMAT, "initializer without a name");
    graph = sum_graph();
    put_value(&graph, GRAPH_INPUT, "", 1, "N,4");
    expect_refused(&graph, QEFF_ERR_FORMAT, "input without a name");
}

TEST(graph, refuses_a_name_of_a_megabyte)
{
    (void)state_;
    char *name = malloc(1 << 20);
    assert_non_null(name);
    memset(name, 'n', 1 << 20);
    name[(1 << 20) - 1] = '\0';
    qeff_buffer graph = sum_graph();
    put_value(&graph, GRAPH_INPUT, name, 1, "N,4");
    expect_refused(&graph, QEFF_ERR_FORMAT,
                   "input name of 1048575 bytes exceeds the limit of 4096");
    free(name);
}

TEST(graph, refuses_names_that_are_not_utf8)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Neg", "n\xff", "x", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "node name that is not UTF-8");
}

TEST(graph, refuses_names_with_control_characters)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Neg", "n\nqeff: all is well", "x", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "holds a control character");
}

TEST(graph, refuses_a_graph_without_outputs)
{
    (void)state_;
    qeff_buffer graph = {0};
    put_value(&graph, GRAPH_INPUT, "x", 1, "N,4");
    put_node(&graph, "Neg", "n", "x", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "graph without outputs");
}

TEST(graph, refuses_sparse_initializers_by_name)
{
    (void)state_;
    qeff_buffer graph = sum_graph();
    const size_t mark = qeff_protobuf_begin(&graph, GRAPH_SPARSE_INITIALIZER);
    const size_t tensor = begin_tensor(&graph, 1, "thin", 1, "4");
    qeff_protobuf_end(&graph, tensor);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED,
                   "initializer 'thin': sparse tensors are not supported");
}

TEST(graph, refuses_a_million_nodes_before_it_reads_them)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    for (int i = 0; i < 1000000; i++)
        qeff_buffer_append(&graph, "\x0a\x00", 2);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "1000000 nodes exceed the limit of");
}

TEST(graph, refuses_a_million_initializers_before_it_reads_them)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    for (int i = 0; i < 1000000; i++)
        qeff_buffer_append(&graph, "\x2a\x00", 2);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "1000000 initializers");
}

TEST(graph, refuses_a_million_names_of_outputs)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    const size_t node = begin_node(&graph, "Split", "s", "x", "");
    char name[16];
    for (int i = 0; i < 1000000; i++) {
        (void)snprintf(name, sizeof name, "o%d", i);
        qeff_protobuf_put_str(&graph, NODE_OUTPUT, qeff_str_of(name));
    }
    qeff_protobuf_end(&graph, node);
    put_node(&graph, "Neg", "n", "x", "y");
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "values exceed the limit of");
}

/* What takes most memory before the last node is refused: as many nodes as the limit lets in, and
 * of each much is to be remembered. expect_refused() holds them to 64 MiB. */
static void refuse_after_nodes(qeff_buffer *graph)
{
    put_node(graph, "Frobnicate", NULL, "x", "y");
    expect_refused(graph, QEFF_ERR_UNSUPPORTED, "operator 'Frobnicate' of node 'y' is not known");
}

TEST(graph, stays_in_bounds_for_a_chain_of_nodes)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    char from[16] = "x", to[16];
    for (int i = 0; i < QEFF_ONNX_NODES_MAX - 1; i++) {
        (void)snprintf(to, sizeof to, "v%d", i);
        put_node(&graph, "Abs", NULL, from, to);
        memcpy(from, to, sizeof from);
    }
    refuse_after_nodes(&graph);
}

TEST(graph, stays_in_bounds_for_vectors_that_are_known_in_part)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    char from[16] = "v", to[16];
    put_value(&graph, GRAPH_INPUT, "big", 1, "a,b,c,d,e,f,g,h");
    put_node(&graph, "Shape", NULL, "big", "s");
    const size_t mark = begin_node(&graph, "Concat", NULL, "s,s,s,s", "v");
    put_int_attribute(&graph, "axis", 0);
    qeff_protobuf_end(&graph, mark);
    for (int i = 0; i < QEFF_ONNX_NODES_MAX - 3; i++) {
        (void)snprintf(to, sizeof to, "v%d", i);
        put_node(&graph, "Identity", NULL, from, to);
        memcpy(from, to, sizeof from);
    }
    refuse_after_nodes(&graph);
}

TEST(graph, stays_in_bounds_for_dimensions_named_after_long_names)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    char name[QEFF_ONNX_NAME_MAX + 1];
    put_value(&graph, GRAPH_INPUT, "s", 7, "8");
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 1200; i++) {
        (void)snprintf(name, 16, "%08d", i);
        name[8] = 'n';
        put_node(&graph, "ConstantOfShape", NULL, "s", name);
    }
    refuse_after_nodes(&graph);
}

TEST(graph, stays_in_bounds_for_dimensions_named_after_short_names)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    char name[16];
    put_value(&graph, GRAPH_INPUT, "s", 7, "8");
    for (int i = 0; i < QEFF_ONNX_NODES_MAX - 1; i++) {
        (void)snprintf(name, sizeof name, "v%d", i);
        put_node(&graph, "ConstantOfShape", NULL, "s", name);
    }
    refuse_after_nodes(&graph);
}

TEST(graph, stays_in_bounds_for_all_of_these_at_once)
{
    (void)state_;
    enum { N = 15000, LONG = 60 };
    const float values[1] = {0};
    qeff_buffer graph = start_graph();
    char name[LONG + 1];
    put_value(&graph, GRAPH_INPUT, "s", 7, "8");
    memset(name, 'n', sizeof name);
    name[LONG] = '\0';
    for (int i = 0; i < N; i++) {
        (void)snprintf(name, 16, "%08d", i);
        name[8] = 'n';
        put_node(&graph, "ConstantOfShape", NULL, "s", name);
        name[9] = 'w';
        put_f32_tensor(&graph, name, "1", values, 1);
        name[9] = 'n';
    }
    refuse_after_nodes(&graph);
}

/* Each of these becomes three nodes. */
TEST(graph, stays_in_bounds_for_operators_that_are_expanded)
{
    (void)state_;
    enum { N = 25000 };
    qeff_buffer graph = start_graph();
    char name[16];
    put_value(&graph, GRAPH_INPUT, "p", 1, "a,b,c,d,e,f,g,h");
    put_value(&graph, GRAPH_INPUT, "q", 1, "i,j,k,l,m,n,o,p");
    for (int i = 0; i < N; i++) {
        (void)snprintf(name, sizeof name, "v%d", i);
        put_node(&graph, "GreaterOrEqual", NULL, "p,q", name);
    }
    put_node(&graph, "Neg", NULL, "x", "y");
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "nodes, values and names may take");
}

TEST(graph, refuses_names_of_too_many_bytes_together)
{
    (void)state_;
    qeff_buffer graph = sum_graph();
    char name[QEFF_ONNX_NAME_MAX + 1];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i <= 2000; i++) {
        (void)snprintf(name, 16, "%08d", i);
        name[8] = 'n';
        put_value(&graph, GRAPH_INPUT, name, 1, "4");
    }
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "nodes, values and names may take");
}

/* --- types of inputs and outputs ------------------------------------------------------------- */

TEST(graph, refuses_inputs_that_are_no_tensors)
{
    (void)state_;
    qeff_buffer graph = sum_graph();
    const size_t mark = qeff_protobuf_begin(&graph, GRAPH_INPUT);
    qeff_protobuf_put_str(&graph, VALUE_NAME, QEFF_STR("list"));
    const size_t type = qeff_protobuf_begin(&graph, VALUE_TYPE);
    qeff_protobuf_put_bytes(&graph, 4, (qeff_bytes){NULL, 0}); /* sequence_type */
    qeff_protobuf_end(&graph, type);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "input 'list': expected a tensor");
}

/* A type inside a type inside a type, written from the outside in. */
TEST(graph, refuses_types_nested_a_hundred_thousand_deep)
{
    (void)state_;
    enum { DEPTH = 100000, OPTIONAL_TYPE = 9, ELEM_TYPE = 1 };
    uint64_t *sizes = calloc(2 * DEPTH + 1, sizeof *sizes);
    assert_non_null(sizes);
    for (int i = 0; i < 2 * DEPTH; i++) { /* tag, length, content */
        size_t length_bytes = 1;
        for (uint64_t rest = sizes[i] >> 7; rest; rest >>= 7)
            length_bytes++;
        sizes[i + 1] = 1 + length_bytes + sizes[i];
    }
    qeff_buffer type = {0};
    for (int i = 2 * DEPTH; i > 0; i--)
        qeff_protobuf_put_header(&type, i % 2 ? ELEM_TYPE : OPTIONAL_TYPE, sizes[i - 1]);
    free(sizes);
    qeff_buffer graph = sum_graph();
    const size_t mark = qeff_protobuf_begin(&graph, GRAPH_INPUT);
    qeff_protobuf_put_str(&graph, VALUE_NAME, QEFF_STR("deep"));
    qeff_protobuf_put_bytes(&graph, VALUE_TYPE, qeff_buffer_bytes(&type));
    qeff_protobuf_end(&graph, mark);
    qeff_buffer_deinit(&type);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "input 'deep': expected a tensor");
}

TEST(graph, refuses_inputs_of_unknown_type)
{
    (void)state_;
    qeff_buffer graph = sum_graph();
    put_value(&graph, GRAPH_INPUT, "text", 8, "N");
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED,
                   "input 'text': expected a tensor, found data type 8");
}

TEST(graph, refuses_inputs_without_a_shape)
{
    (void)state_;
    qeff_buffer graph = sum_graph();
    put_value(&graph, GRAPH_INPUT, "z", 1, NULL);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "input 'z': expected a shape");
}

TEST(graph, refuses_inputs_of_rank_9)
{
    (void)state_;
    qeff_buffer graph = sum_graph();
    put_value(&graph, GRAPH_INPUT, "z", 1, "1,1,1,1,1,1,1,1,1");
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "input 'z': rank exceeds the limit of 8");
}

TEST(graph, refuses_negative_dimensions)
{
    (void)state_;
    qeff_buffer graph = sum_graph();
    put_value(&graph, GRAPH_INPUT, "z", 1, "-1,4");
    expect_refused(&graph, QEFF_ERR_FORMAT, "input 'z': dimension of -1");
}

TEST(graph, refuses_outputs_of_another_type_than_computed)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_value(&graph, GRAPH_OUTPUT, "z", 7, "N,4");
    put_node(&graph, "Neg", "n", "x", "y");
    put_node(&graph, "Abs", "m", "x", "z");
    expect_refused(&graph, QEFF_ERR_FORMAT, "output 'z': declared as data type 7, computed as f32");
}

TEST(graph, refuses_outputs_of_another_shape_than_computed)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_value(&graph, GRAPH_OUTPUT, "z", 1, "N,5");
    put_node(&graph, "Neg", "n", "x", "y");
    put_node(&graph, "Abs", "m", "x", "z");
    expect_refused(&graph, QEFF_ERR_FORMAT, "output 'z': dimension 1 declared as 5, computed as 4");
    graph = start_graph();
    put_value(&graph, GRAPH_OUTPUT, "z", 1, "4");
    put_node(&graph, "Neg", "n", "x", "y");
    put_node(&graph, "Abs", "m", "x", "z");
    expect_refused(&graph, QEFF_ERR_FORMAT, "output 'z': declared with rank 1");
}

/* --- nodes ----------------------------------------------------------------------------------- */

TEST(node, refuses_operators_by_name_and_node)
{
    (void)state_;
    static const char *const operators[] = {"If",     "Loop",  "Scan", "NonZero", "QLinearMatMul",
                                            "LINEAR", "linear"};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        char text[100];
        (void)snprintf(text, sizeof text, "operator '%s' of node 'n' is not known", operators[i]);
        qeff_buffer graph = start_graph();
        put_node(&graph, operators[i], "n", "x", "y");
        expect_refused(&graph, QEFF_ERR_UNSUPPORTED, text);
    }
}

TEST(node, refuses_other_domains_even_for_known_operators)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    const size_t mark = begin_node(&graph, "Neg", "n", "x", "y");
    qeff_protobuf_put_str(&graph, NODE_DOMAIN, QEFF_STR("com.example"));
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED,
                   "operator 'com.example::Neg' of node 'n' is not known");
}

TEST(node, refuses_an_empty_operator)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "", "n", "x", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "node 'n': no operator");
}

TEST(node, refuses_calls_of_overloaded_functions)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    const size_t mark = begin_node(&graph, "Neg", "n", "x", "y");
    qeff_protobuf_put_str(&graph, NODE_OVERLOAD, QEFF_STR("second"));
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "node 'n': functions are not supported");
}

TEST(node, refuses_nodes_without_output)
{
    (void)state_;
    qeff_buffer graph = sum_graph();
    put_node(&graph, "Neg", "n", "x", NULL);
    expect_refused(&graph, QEFF_ERR_FORMAT, "node 'n': no output");
}

TEST(node, refuses_too_few_and_too_many_inputs)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Add", "n", "x", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "'n'");
    graph = start_graph();
    put_node(&graph, "Neg", "n", "x,x", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "'n'");
}

TEST(node, refuses_a_million_inputs)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    const size_t mark = begin_node(&graph, "Max", "n", "x", "y");
    for (int i = 0; i < 1000000; i++)
        qeff_protobuf_put_str(&graph, NODE_INPUT, QEFF_STR("x"));
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "1000001 inputs");
}

TEST(node, refuses_further_outputs)
{
    (void)state_;
    const float values[4] = {0};
    qeff_buffer graph = start_graph();
    put_f32_tensor(&graph, "w", "4", values, 4);
    put_node(&graph, "LayerNormalization", "n", "x,w", "y,mean");
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "node 'n': output 1, 'mean', is not supported");
}

TEST(node, refuses_operators_that_meant_something_else)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Softmax", "n", "x", "y");
    make_model(&graph, 12);
    expect_refusal(QEFF_ERR_UNSUPPORTED,
                   "operator 'Softmax' of node 'n' in opset 12: expected opset 13 or later");
}

TEST(node, refuses_attributes_that_are_missing)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Concat", "n", "x,x", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "node 'n': attribute 'axis' is missing");
}

TEST(node, refuses_attributes_given_twice)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    const size_t mark = begin_node(&graph, "Softmax", "n", "x", "y");
    put_int_attribute(&graph, "axis", 1);
    put_int_attribute(&graph, "axis", 0);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT, "node 'n': attribute 'axis' occurs twice");
}

TEST(node, refuses_attributes_of_the_wrong_type)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    const size_t mark = begin_node(&graph, "Softmax", "n", "x", "y");
    put_float_attribute(&graph, "axis", 1);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT, "node 'n': attribute 'axis' of type 1, expected 2");
}

TEST(node, refuses_attributes_that_the_operator_does_not_have)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    const size_t mark = begin_node(&graph, "Neg", "n", "x", "y");
    put_int_attribute(&graph, "consumed_inputs", 1);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED,
                   "node 'n': attribute 'consumed_inputs' is not known");
}

TEST(node, refuses_attributes_out_of_range)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    const size_t mark = begin_node(&graph, "Softmax", "n", "x", "y");
    put_int_attribute(&graph, "axis", INT64_MIN);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT, "'n'");
}

TEST(node, refuses_references_to_attributes_of_functions)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    const size_t mark = begin_node(&graph, "Softmax", "n", "x", "y");
    const size_t attribute = qeff_protobuf_begin(&graph, NODE_ATTRIBUTE);
    qeff_protobuf_put_str(&graph, ATTRIBUTE_NAME, QEFF_STR("axis"));
    qeff_protobuf_put_str(&graph, ATTRIBUTE_REF_ATTR_NAME, QEFF_STR("axis"));
    qeff_protobuf_put_int(&graph, ATTRIBUTE_TYPE, ATTRIBUTE_TYPE_INT);
    qeff_protobuf_end(&graph, attribute);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT, "refers to a function's attribute");
}

TEST(node, refuses_lists_of_a_million_numbers)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    const size_t mark = begin_node(&graph, "Transpose", "n", "x", "y");
    int64_t *perm = calloc(1000000, sizeof *perm);
    assert_non_null(perm);
    put_ints_attribute(&graph, "perm", perm, 1000000);
    free(perm);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "1000000 numbers exceed the limit");
}

/* A graph in an attribute of an If in a graph in an attribute …: nothing goes down into it. */
TEST(node, refuses_graphs_nested_in_attributes_without_reading_them)
{
    (void)state_;
    qeff_buffer inner = {0};
    for (int depth = 0; depth < 300; depth++) {
        qeff_buffer outer = {0};
        const size_t node = begin_node(&outer, "If", NULL, "c", "o");
        const size_t attribute = qeff_protobuf_begin(&outer, NODE_ATTRIBUTE);
        qeff_protobuf_put_str(&outer, ATTRIBUTE_NAME, QEFF_STR("then_branch"));
        qeff_protobuf_put_bytes(&outer, ATTRIBUTE_G, qeff_buffer_bytes(&inner));
        qeff_protobuf_end(&outer, attribute);
        qeff_protobuf_end(&outer, node);
        qeff_buffer_deinit(&inner);
        inner = outer;
    }
    qeff_buffer graph = start_graph();
    qeff_buffer_append(&graph, inner.data, inner.size);
    qeff_buffer_deinit(&inner);
    put_node(&graph, "Neg", "n", "x", "y");
    expect_refused(&graph, QEFF_ERR_UNSUPPORTED, "operator 'If' of node 'o' is not known");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(model, loads_the_graph_that_the_others_differ_from),
        RUN(model, refuses_an_empty_file),
        RUN(model, refuses_text),
        RUN(model, refuses_truncation_at_every_byte),
        RUN(model, survives_every_byte_being_changed),
        RUN(model, refuses_a_varint_of_11_bytes),
        RUN(model, refuses_a_length_of_2_to_the_63),
        RUN(model, refuses_a_million_nested_groups),
        RUN(model, skips_unknown_fields_of_100_megabytes),
        RUN(model, refuses_a_file_over_2_gib),
        RUN(model, refuses_a_model_without_a_graph),
        RUN(model, refuses_two_graphs),
        RUN(model, refuses_opset_0),
        RUN(model, refuses_opset_2_to_the_63),
        RUN(model, refuses_opset_6_and_26),
        RUN(model, loads_opset_7_and_25),
        RUN(model, refuses_ir_versions_that_are_missing_or_unknown),
        RUN(model, refuses_a_model_without_an_opset),
        RUN(model, refuses_two_opsets_for_one_domain),
        RUN(model, refuses_metadata_with_a_key_twice),
        RUN(model, refuses_functions_by_name),
        RUN(model, refuses_training_information),
        RUN(graph, refuses_an_output_that_is_never_produced),
        RUN(graph, refuses_an_undefined_input),
        RUN(graph, refuses_a_self_loop),
        RUN(graph, refuses_a_cycle),
        RUN(graph, refuses_nodes_out_of_order),
        RUN(graph, refuses_a_value_produced_twice),
        RUN(graph, refuses_a_result_with_the_name_of_an_input),
        RUN(graph, refuses_an_initializer_given_twice),
        RUN(graph, refuses_an_input_given_twice),
        RUN(graph, refuses_an_output_listed_twice),
        RUN(graph, refuses_two_nodes_of_one_name),
        RUN(graph, refuses_names_that_are_missing),
        RUN(graph, refuses_a_name_of_a_megabyte),
        RUN(graph, refuses_names_that_are_not_utf8),
        RUN(graph, refuses_names_with_control_characters),
        RUN(graph, refuses_a_graph_without_outputs),
        RUN(graph, refuses_sparse_initializers_by_name),
        RUN(graph, refuses_a_million_nodes_before_it_reads_them),
        RUN(graph, refuses_a_million_initializers_before_it_reads_them),
        RUN(graph, refuses_a_million_names_of_outputs),
        RUN(graph, stays_in_bounds_for_a_chain_of_nodes),
        RUN(graph, stays_in_bounds_for_vectors_that_are_known_in_part),
        RUN(graph, stays_in_bounds_for_dimensions_named_after_long_names),
        RUN(graph, stays_in_bounds_for_dimensions_named_after_short_names),
        RUN(graph, stays_in_bounds_for_all_of_these_at_once),
        RUN(graph, stays_in_bounds_for_operators_that_are_expanded),
        RUN(graph, refuses_names_of_too_many_bytes_together),
        RUN(graph, refuses_inputs_that_are_no_tensors),
        RUN(graph, refuses_types_nested_a_hundred_thousand_deep),
        RUN(graph, refuses_inputs_of_unknown_type),
        RUN(graph, refuses_inputs_without_a_shape),
        RUN(graph, refuses_inputs_of_rank_9),
        RUN(graph, refuses_negative_dimensions),
        RUN(graph, refuses_outputs_of_another_type_than_computed),
        RUN(graph, refuses_outputs_of_another_shape_than_computed),
        RUN(node, refuses_operators_by_name_and_node),
        RUN(node, refuses_other_domains_even_for_known_operators),
        RUN(node, refuses_an_empty_operator),
        RUN(node, refuses_calls_of_overloaded_functions),
        RUN(node, refuses_nodes_without_output),
        RUN(node, refuses_too_few_and_too_many_inputs),
        RUN(node, refuses_a_million_inputs),
        RUN(node, refuses_further_outputs),
        RUN(node, refuses_operators_that_meant_something_else),
        RUN(node, refuses_attributes_that_are_missing),
        RUN(node, refuses_attributes_given_twice),
        RUN(node, refuses_attributes_of_the_wrong_type),
        RUN(node, refuses_attributes_that_the_operator_does_not_have),
        RUN(node, refuses_attributes_out_of_range),
        RUN(node, refuses_references_to_attributes_of_functions),
        RUN(node, refuses_lists_of_a_million_numbers),
        RUN(node, refuses_graphs_nested_in_attributes_without_reading_them),
    };
    return cmocka_run_group_tests(tests, make_setup, make_teardown);
}
