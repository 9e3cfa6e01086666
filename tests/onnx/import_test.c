/* import_test.c - the forms in which other exporters write the same thing. */
#include "make.h"

/* Both graphs give the same text. Frees them. */
static void expect_same(qeff_buffer *a, int64_t opset_a, qeff_buffer *b, int64_t opset_b)
{
    make_model(a, opset_a);
    qeff_buffer x = expect_text();
    make_model(b, opset_b);
    qeff_buffer y = expect_text();
    assert_string_equal((const char *)x.data, (const char *)y.data);
    qeff_buffer_deinit(&x);
    qeff_buffer_deinit(&y);
}

/* x [N, 4] and an output y of any shape. */
static qeff_buffer open_graph(void)
{
    qeff_buffer graph = {0};
    qeff_protobuf_put_str(&graph, GRAPH_NAME, QEFF_STR("test"));
    put_value(&graph, GRAPH_INPUT, "x", 1, "N,4");
    put_value(&graph, GRAPH_OUTPUT, "y", 1, NULL);
    return graph;
}

static qeff_buffer reduce_graph(const char *op, bool as_input)
{
    const int64_t axes[] = {1};
    qeff_buffer graph = open_graph();
    if (as_input) put_i64_tensor(&graph, "axes", "1", axes, 1);
    const size_t mark = begin_node(&graph, op, "n", as_input ? "x,axes" : "x", "y");
    if (!as_input) put_ints_attribute(&graph, "axes", axes, 1);
    put_int_attribute(&graph, "keepdims", 0);
    qeff_protobuf_end(&graph, mark);
    return graph;
}

TEST(import, takes_axes_of_reductions_from_attribute_and_input)
{
    (void)state_;
    static const char *const ops[] = {"ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2"};
    for (size_t i = 0; i < 4; i++) {
        qeff_buffer graph = reduce_graph(ops[i], false);
        expect_loaded(&graph, 13, "axes");
        graph = reduce_graph(ops[i], true);
        expect_loaded(&graph, 18, "axes");
    }
}

TEST(import, refuses_axes_that_are_not_constant)
{
    (void)state_;
    qeff_buffer graph = open_graph();
    put_value(&graph, GRAPH_INPUT, "axes", 7, "1");
    put_node(&graph, "ReduceMean", "n", "x,axes", "y");
    make_model(&graph, 18);
    expect_refusal(QEFF_ERR_UNSUPPORTED, "node 'n': axes that are not a constant list");
}

TEST(import, takes_no_axes_as_all_or_none)
{
    (void)state_;
    qeff_buffer graph = open_graph();
    put_node(&graph, "ReduceMean", "n", "x", "y");
    expect_loaded(&graph, 18, "reduce_mean");
    graph = open_graph();
    const size_t mark = begin_node(&graph, "ReduceMean", "n", "x", "y");
    put_int_attribute(&graph, "noop_with_empty_axes", 1);
    qeff_protobuf_end(&graph, mark);
    expect_loaded(&graph, 18, "identity");
}

static qeff_buffer unsqueeze_graph(bool as_input)
{
    const int64_t axes[] = {1};
    qeff_buffer graph = open_graph();
    if (as_input) put_i64_tensor(&graph, "constant", "1", axes, 1);
    const size_t mark = begin_node(&graph, "Unsqueeze", "n", as_input ? "x,constant" : "x", "y");
    if (!as_input) put_ints_attribute(&graph, "axes", axes, 1);
    qeff_protobuf_end(&graph, mark);
    return graph;
}

TEST(import, takes_axes_of_unsqueeze_from_attribute_and_input)
{
    (void)state_;
    qeff_buffer old = unsqueeze_graph(false), new = unsqueeze_graph(true);
    expect_same(&old, 11, &new, 17);
}

TEST(import, refuses_axes_given_in_both_ways)
{
    (void)state_;
    const int64_t axes[] = {1};
    qeff_buffer graph = open_graph();
    put_i64_tensor(&graph, "axes", "1", axes, 1);
    const size_t mark = begin_node(&graph, "Unsqueeze", "n", "x,axes", "y");
    put_ints_attribute(&graph, "axes", axes, 1);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT, "node 'n': 'axes' both as attribute and as input");
}

static qeff_buffer split_graph(int form)
{
    const int64_t parts[] = {2, 2};
    qeff_buffer graph = open_graph();
    if (form == 1) put_i64_tensor(&graph, "constant", "2", parts, 2);
    const size_t mark =
        begin_node(&graph, "Split", "n", form == 1 ? "x,constant" : "x", "first,second");
    put_int_attribute(&graph, "axis", 1);
    if (form == 0) put_ints_attribute(&graph, "split", parts, 2);
    if (form == 3) put_int_attribute(&graph, "num_outputs", 2);
    qeff_protobuf_end(&graph, mark);
    put_node(&graph, "Add", "sum", "first,second", "y");
    return graph;
}

TEST(import, takes_parts_of_split_in_all_four_ways)
{
    (void)state_;
    qeff_buffer a = split_graph(0), b = split_graph(1);
    expect_same(&a, 11, &b, 13);
    a = split_graph(2);
    b = split_graph(3);
    expect_same(&a, 13, &b, 18);
}

TEST(import, takes_uneven_parts_from_opset_18_on)
{
    (void)state_;
    for (int opset = 17; opset <= 18; opset++) {
        qeff_buffer graph = open_graph();
        const size_t mark = begin_node(&graph, "Split", "n", "x", "a,b,y");
        put_int_attribute(&graph, "axis", -1);
        if (opset == 18) put_int_attribute(&graph, "num_outputs", 3);
        qeff_protobuf_end(&graph, mark);
        if (opset == 18) {
            expect_loaded(&graph, opset, "= {2, 2, 0}");
            continue;
        }
        make_model(&graph, opset);
        expect_refusal(QEFF_ERR_FORMAT, "node 'n': 4 elements in 3 even parts");
    }
}

TEST(import, refuses_splits_into_another_number_of_parts)
{
    (void)state_;
    const int64_t parts[] = {1, 1, 2};
    qeff_buffer graph = open_graph();
    put_i64_tensor(&graph, "parts", "3", parts, 3);
    const size_t mark = begin_node(&graph, "Split", "n", "x,parts", "y,z");
    put_int_attribute(&graph, "axis", 1);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT, "node 'n': 3 parts for 2 outputs");
}

TEST(import, names_values_after_nodes_and_nodes_after_values)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Neg", "/encoder/Neg", "x", "/encoder/Neg_output_0");
    put_node(&graph, "Abs", NULL, "/encoder/Neg_output_0", "magnitude");
    put_node(&graph, "Exp", "x", "magnitude", "y"); /* the node bears the name of a value */
    make_model(&graph, 17);
    qeff_graph *out = NULL;
    qeff_onnx_model *model = NULL;
    qeff_error err = {0};
    ASSERT_OK(qeff_onnx_import(make_path("model.onnx"), &out, &model, &err));
    assert_true(qeff_str_is(out->nodes[0].name, "/encoder/Neg"));
    assert_true(qeff_str_is(out->values[out->nodes[0].outputs[0]].name, "/encoder/Neg"));
    assert_true(qeff_str_is(out->nodes[1].name, "magnitude"));
    assert_true(qeff_str_is(out->nodes[2].name, "y"));
    assert_true(qeff_str_is(out->outputs[0].name, "y"));
    qeff_graph_destroy(out);
    qeff_onnx_close(model);
}

TEST(import, makes_weights_of_constant_nodes)
{
    (void)state_;
    for (int form = 0; form < 3; form++) {
        qeff_buffer graph = start_graph();
        const size_t mark = begin_node(&graph, "Constant", "c", NULL, "c");
        if (form == 0) put_float_attribute(&graph, "value_float", 2.5f);
        if (form == 1) {
            const size_t attribute = qeff_protobuf_begin(&graph, NODE_ATTRIBUTE);
            qeff_protobuf_put_str(&graph, ATTRIBUTE_NAME, QEFF_STR("value_floats"));
            qeff_protobuf_put_float(&graph, ATTRIBUTE_FLOATS, 2.5f);
            qeff_protobuf_put_int(&graph, ATTRIBUTE_TYPE, ATTRIBUTE_TYPE_FLOATS);
            qeff_protobuf_end(&graph, attribute);
        }
        if (form == 2) {
            const size_t attribute = qeff_protobuf_begin(&graph, NODE_ATTRIBUTE);
            qeff_protobuf_put_str(&graph, ATTRIBUTE_NAME, QEFF_STR("value"));
            const size_t tensor = begin_tensor(&graph, ATTRIBUTE_T, NULL, 1, NULL);
            qeff_protobuf_put_float(&graph, TENSOR_FLOAT_DATA, 2.5f);
            qeff_protobuf_end(&graph, tensor);
            qeff_protobuf_put_int(&graph, ATTRIBUTE_TYPE, ATTRIBUTE_TYPE_TENSOR);
            qeff_protobuf_end(&graph, attribute);
        }
        qeff_protobuf_end(&graph, mark);
        put_node(&graph, "Mul", "n", "x,c", "y");
        expect_loaded(&graph, 17, "2.5");
    }
}

TEST(import, makes_weights_of_constant_integers)
{
    (void)state_;
    qeff_buffer graph = open_graph();
    const size_t mark = begin_node(&graph, "Constant", "shape", NULL, "shape");
    put_ints_attribute(&graph, "value_ints", (const int64_t[]){-1, 2}, 2);
    qeff_protobuf_end(&graph, mark);
    put_node(&graph, "Reshape", "n", "x,shape", "y");
    expect_loaded(&graph, 17, "reshape");
}

TEST(import, refuses_constants_of_text_and_sparse_ones)
{
    (void)state_;
    static const char *const names[] = {"value_string", "value_strings", "sparse_value"};
    for (size_t i = 0; i < 3; i++) {
        char text[80];
        (void)snprintf(text, sizeof text, "node 'c': attribute '%s' is not supported", names[i]);
        qeff_buffer graph = start_graph();
        const size_t mark = begin_node(&graph, "Constant", "c", NULL, "c");
        put_int_attribute(&graph, names[i], 1);
        qeff_protobuf_end(&graph, mark);
        put_node(&graph, "Mul", "n", "x,c", "y");
        expect_refused(&graph, QEFF_ERR_UNSUPPORTED, text);
    }
}

TEST(import, refuses_constants_without_a_value)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    put_node(&graph, "Constant", "c", NULL, "c");
    put_node(&graph, "Mul", "n", "x,c", "y");
    expect_refused(&graph, QEFF_ERR_FORMAT, "node 'c': expected one attribute, found 0");
}

TEST(import, takes_initializers_that_are_listed_as_inputs_for_weights)
{
    (void)state_;
    qeff_buffer plain = sum_graph(), listed = sum_graph();
    put_value(&listed, GRAPH_INPUT, "w", 1, "4");
    expect_same(&plain, 17, &listed, 17);
}

TEST(import, gives_dimensions_without_a_name_one_of_their_own)
{
    (void)state_;
    qeff_buffer graph = {0};
    qeff_protobuf_put_str(&graph, GRAPH_NAME, QEFF_STR("test"));
    put_value(&graph, GRAPH_INPUT, "x", 1, "?,4");
    put_value(&graph, GRAPH_OUTPUT, "y", 1, "M,4");
    put_node(&graph, "Neg", "n", "x", "y");
    expect_loaded(&graph, 17, "x_dim_0");
}

TEST(import, drops_identities_that_only_name_an_output)
{
    (void)state_;
    qeff_buffer graph = open_graph();
    put_node(&graph, "Neg", "n", "x", "inner");
    put_node(&graph, "Identity", NULL, "inner", "y");
    make_model(&graph, 17);
    qeff_buffer text = expect_text();
    assert_null(strstr((const char *)text.data, "identity"));
    assert_non_null(strstr((const char *)text.data, "neg"));
    qeff_buffer_deinit(&text);
}

TEST(import, keeps_identities_with_a_name)
{
    (void)state_;
    qeff_buffer graph = open_graph();
    put_node(&graph, "Neg", "n", "x", "inner");
    put_node(&graph, "Identity", "same", "inner", "y");
    expect_loaded(&graph, 17, "identity");
}

TEST(import, knows_the_default_domain_by_both_names)
{
    (void)state_;
    qeff_buffer graph = start_graph();
    const size_t mark = begin_node(&graph, "Neg", "n", "x", "y");
    qeff_protobuf_put_str(&graph, NODE_DOMAIN, QEFF_STR("ai.onnx"));
    qeff_protobuf_end(&graph, mark);
    expect_loaded(&graph, 17, "neg");
}

TEST(import, fills_with_the_element_of_a_tensor)
{
    (void)state_;
    qeff_buffer graph = {0};
    qeff_protobuf_put_str(&graph, GRAPH_NAME, QEFF_STR("test"));
    put_value(&graph, GRAPH_INPUT, "x", 1, "N,4");
    put_value(&graph, GRAPH_OUTPUT, "y", 7, "N,4");
    put_node(&graph, "Shape", "s", "x", "s");
    const size_t mark = begin_node(&graph, "ConstantOfShape", "n", "s", "y");
    const size_t attribute = qeff_protobuf_begin(&graph, NODE_ATTRIBUTE);
    qeff_protobuf_put_str(&graph, ATTRIBUTE_NAME, QEFF_STR("value"));
    const size_t tensor = begin_tensor(&graph, ATTRIBUTE_T, NULL, 7, "1");
    qeff_protobuf_put_int(&graph, TENSOR_INT64_DATA, 41);
    qeff_protobuf_end(&graph, tensor);
    qeff_protobuf_put_int(&graph, ATTRIBUTE_TYPE, ATTRIBUTE_TYPE_TENSOR);
    qeff_protobuf_end(&graph, attribute);
    qeff_protobuf_end(&graph, mark);
    expect_loaded(&graph, 17, "41");
}

TEST(import, refuses_fills_of_two_elements)
{
    (void)state_;
    qeff_buffer graph = open_graph();
    put_node(&graph, "Shape", "s", "x", "s");
    const size_t mark = begin_node(&graph, "ConstantOfShape", "n", "s", "y");
    const size_t attribute = qeff_protobuf_begin(&graph, NODE_ATTRIBUTE);
    qeff_protobuf_put_str(&graph, ATTRIBUTE_NAME, QEFF_STR("value"));
    const size_t tensor = begin_tensor(&graph, ATTRIBUTE_T, NULL, 1, "2");
    qeff_protobuf_put_float(&graph, TENSOR_FLOAT_DATA, 1);
    qeff_protobuf_put_float(&graph, TENSOR_FLOAT_DATA, 1);
    qeff_protobuf_end(&graph, tensor);
    qeff_protobuf_put_int(&graph, ATTRIBUTE_TYPE, ATTRIBUTE_TYPE_TENSOR);
    qeff_protobuf_end(&graph, attribute);
    qeff_protobuf_end(&graph, mark);
    expect_refused(&graph, QEFF_ERR_FORMAT, "node 'n': attribute 'value': expected one element");
}

/* z = op(x, w) as a bool, cast to y. */
static qeff_buffer compare_graph(const char *op, const char *inputs)
{
    const float values[4] = {0};
    qeff_buffer graph = open_graph();
    put_f32_tensor(&graph, "w", "4", values, 4);
    put_node(&graph, op, "z", inputs, "z");
    const size_t mark = begin_node(&graph, "Cast", "y", "z", "y");
    put_int_attribute(&graph, "to", 1);
    qeff_protobuf_end(&graph, mark);
    return graph;
}

TEST(import, expands_operators_that_others_define)
{
    (void)state_;
    qeff_buffer graph = compare_graph("GreaterOrEqual", "x,w");
    expect_loaded(&graph, 17, "z: bool [N, 4] = or(z/Greater, z/Equal)");
    graph = compare_graph("LessOrEqual", "x,w");
    expect_loaded(&graph, 17, "z: bool [N, 4] = or(z/Less, z/Equal)");
    graph = compare_graph("IsNaN", "x");
    expect_loaded(&graph, 17, "z: bool [N, 4] = not(z/Equal)");
}

TEST(import, refuses_expansions_of_the_wrong_arity)
{
    (void)state_;
    qeff_buffer graph = compare_graph("GreaterOrEqual", "x");
    expect_refused(&graph, QEFF_ERR_FORMAT, "node 'z': expected 2 inputs, found 1");
    graph = compare_graph("LessOrEqual", "x,");
    expect_refused(&graph, QEFF_ERR_FORMAT, "node 'z': input 1 is missing");
}

TEST(import, takes_gelu_of_opset_20_for_the_composite)
{
    (void)state_;
    for (int form = 0; form < 3; form++) {
        static const char *const modes[] = {"none", "tanh", "fast"};
        qeff_buffer graph = start_graph();
        const size_t mark = begin_node(&graph, "Gelu", "n", "x", "y");
        const size_t attribute = qeff_protobuf_begin(&graph, NODE_ATTRIBUTE);
        qeff_protobuf_put_str(&graph, ATTRIBUTE_NAME, QEFF_STR("approximate"));
        qeff_protobuf_put_str(&graph, ATTRIBUTE_S, qeff_str_of(modes[form]));
        qeff_protobuf_put_int(&graph, ATTRIBUTE_TYPE, ATTRIBUTE_TYPE_STRING);
        qeff_protobuf_end(&graph, attribute);
        qeff_protobuf_end(&graph, mark);
        if (form == 0) expect_loaded(&graph, 20, "= gelu(x) approximate=\"none\"");
        if (form == 1) expect_loaded(&graph, 20, "= gelu(x) approximate=\"tanh\"");
        if (form < 2) continue;
        make_model(&graph, 20);
        expect_refusal(QEFF_ERR_FORMAT, "attribute 'approximate': expected none or tanh");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(import, takes_axes_of_reductions_from_attribute_and_input),
        RUN(import, refuses_axes_that_are_not_constant),
        RUN(import, takes_no_axes_as_all_or_none),
        RUN(import, takes_axes_of_unsqueeze_from_attribute_and_input),
        RUN(import, refuses_axes_given_in_both_ways),
        RUN(import, takes_parts_of_split_in_all_four_ways),
        RUN(import, takes_uneven_parts_from_opset_18_on),
        RUN(import, refuses_splits_into_another_number_of_parts),
        RUN(import, names_values_after_nodes_and_nodes_after_values),
        RUN(import, makes_weights_of_constant_nodes),
        RUN(import, makes_weights_of_constant_integers),
        RUN(import, refuses_constants_of_text_and_sparse_ones),
        RUN(import, refuses_constants_without_a_value),
        RUN(import, takes_initializers_that_are_listed_as_inputs_for_weights),
        RUN(import, gives_dimensions_without_a_name_one_of_their_own),
        RUN(import, drops_identities_that_only_name_an_output),
        RUN(import, keeps_identities_with_a_name),
        RUN(import, knows_the_default_domain_by_both_names),
        RUN(import, fills_with_the_element_of_a_tensor),
        RUN(import, refuses_fills_of_two_elements),
        RUN(import, expands_operators_that_others_define),
        RUN(import, refuses_expansions_of_the_wrong_arity),
        RUN(import, takes_gelu_of_opset_20_for_the_composite),
    };
    return cmocka_run_group_tests(tests, make_setup, make_teardown);
}
