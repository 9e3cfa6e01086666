/* builder_test.c - names, weights, sticky errors, and memory that runs out. */
#include "graph/support.h"

#include "base/span.h"
#include "graph/op.h"

#include <stdlib.h>

static test_folder folder;

static int make_folder(void **state)
{
    (void)state;
    test_folder_create(&folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    test_folder_remove(&folder);
    return 0;
}

static const test_tensor tensors[] = {
    {"bert.layer.query.weight", "F32", 2, {4, 4}}, {"bert.layer.query.bias", "F32", 1, {4}},
    {"bert.layer.norm.weight", "F16", 1, {4}},     {"bert.layer.norm.bias", "F16", 1, {4}},
    {"bert.embedding.weight", "BF16", 2, {10, 4}}, {"bert.numbers", "I64", 1, {4}},
};

static qeff_weights *open_weights(void)
{
    return test_weights(&folder, tensors, sizeof tensors / sizeof *tensors);
}

static qeff_str name_of(const qeff_builder *b, qeff_value value)
{
    return qeff_graph_value(qb_graph(b), value)->name;
}

static void expect_name(const qeff_builder *b, qeff_value value, const char *expected)
{
    assert_string_equal(name_of(b, value).data, expected);
}

/* --- names --------------------------------------------------------------------------------------
 */

TEST(names, follow_the_module_path)
{
    (void)state_;
    qeff_weights *weights = open_weights();
    qeff_builder *b = test_builder(weights);
    qb_set_weight_prefix(b, "bert.");
    const qeff_value ids = test_input(b, QEFF_DTYPE_I64, "B,T");
    const qeff_value x = qb_embedding(b, "embedding", ids, 10, 4);
    qb_enter(b, "layer");
    const qeff_value query = qb_linear(b, "query", x, 4, true);
    const qeff_value gelu = qb_gelu(b, query, false);
    qb_leave(b);
    const qeff_value tanh = qb_unary(b, QEFF_OP_TANH, gelu);
    expect_name(b, x, "embedding");
    expect_name(b, query, "layer.query");
    expect_name(b, gelu, "layer.gelu");
    expect_name(b, tanh, "tanh");
    qb_destroy(b);
    qeff_weights_close(weights);
}

TEST(names, that_are_taken_get_a_counter)
{
    (void)state_;
    qeff_builder *b = test_builder(NULL);
    const qeff_value x = test_input(b, QEFF_DTYPE_F32, "B");
    const qeff_value first = qb_unary(b, QEFF_OP_TANH, x), second = qb_unary(b, QEFF_OP_TANH, x);
    const qeff_value third = qb_node(b, QEFF_OP_TANH, "tanh_1", &x, 1, NULL, 0);
    const qeff_value fourth = qb_unary(b, QEFF_OP_TANH, x);
    expect_name(b, first, "tanh");
    expect_name(b, second, "tanh_1");
    expect_name(b, third, "tanh_1_1");
    expect_name(b, fourth, "tanh_2");
    qb_destroy(b);
}

TEST(names, of_further_outputs_are_numbered)
{
    (void)state_;
    qeff_builder *b = test_builder(NULL);
    const qeff_value x = test_input(b, QEFF_DTYPE_F32, "B,12");
    const qeff_attribute attributes[] = {QEFF_ATTR_INT("axis", 1), QEFF_ATTR_INT("num_outputs", 3)};
    const qeff_value first = qb_node(b, QEFF_OP_SPLIT, "qkv", &x, 1, attributes, 2);
    expect_name(b, first, "qkv");
    expect_name(b, first + 2, "qkv:2");
    qb_destroy(b);
}

TEST(names, take_linear_time_when_all_are_alike)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *graph = NULL;
    qeff_builder *b = test_builder(NULL);
    qeff_value x = test_input(b, QEFF_DTYPE_F32, "B");
    for (int i = 0; i < 50000; i++) /* a search for each free name would take minutes */
        x = qb_unary(b, QEFF_OP_NEG, x);
    qb_output(b, "y", x);
    ASSERT_OK(qb_finish(b, &graph, &err));
    assert_string_equal(graph->nodes[49999].name.data, "neg_49999");
    qeff_graph_destroy(graph);
}

TEST(names, of_inputs_and_outputs_must_differ)
{
    (void)state_;
    const qeff_shape shape = test_shape("B");
    qeff_builder *b = test_builder(NULL);
    (void)qb_input(b, "x", QEFF_DTYPE_F32, &shape);
    (void)qb_input(b, "x", QEFF_DTYPE_F32, &shape);
    test_expect_failure(b, QEFF_ERR_FORMAT, "input 'x': the name is taken");
    b = test_builder(NULL);
    const qeff_value x = qb_input(b, "x", QEFF_DTYPE_F32, &shape);
    qb_output(b, "y", x);
    qb_output(b, "y", x);
    test_expect_failure(b, QEFF_ERR_FORMAT, "output 'y': the name is taken");
}

TEST(names, of_dims_cannot_imitate_those_of_run_time)
{
    (void)state_;
    qeff_builder *b = test_builder(NULL);
    const qeff_shape shape = test_shape("add#0");
    (void)qb_input(b, "x", QEFF_DTYPE_F32, &shape);
    test_expect_failure(b, QEFF_ERR_FORMAT, "input 'x': dimension 'add#0' contains '#'");
}

TEST(names, of_dims_stay_short)
{
    (void)state_;
    char name[200];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    qeff_builder *b = test_builder(NULL);
    const qeff_value inputs[] = {test_input(b, QEFF_DTYPE_F32, "B"),
                                 test_input(b, QEFF_DTYPE_F32, "C")};
    const qeff_value sum = qb_node(b, QEFF_OP_ADD, name, inputs, 2, NULL, 0);
    assert_string_equal(qeff_graph_value(qb_graph(b), sum)->shape.dims[0].symbol, "#2#0");
    qb_destroy(b);
}

TEST(scopes, refuse_to_nest_without_end)
{
    (void)state_;
    qeff_builder *b = test_builder(NULL);
    for (int i = 0; i < 65; i++)
        qb_enter(b, "s%d", i);
    test_expect_failure(b, QEFF_ERR_INTERNAL, "scope 's64': nested too deep");
}

/* --- weights ------------------------------------------------------------------------------------
 */

TEST(weights, lie_in_the_mapped_file_under_their_names_without_prefix)
{
    (void)state_;
    qeff_weights *weights = open_weights();
    qeff_builder *b = test_builder(weights);
    const int64_t shape[] = {4, 4};
    qb_set_weight_prefix(b, "bert.");
    qb_enter(b, "layer");
    assert_true(qb_has_weight(b, "query.weight"));
    assert_false(qb_has_weight(b, "key.weight"));
    const qeff_value w = qb_weight(b, "query.weight", 2, shape);
    assert_int_equal(qb_weight(b, "query.weight", 2, shape), w);
    const qeff_value_info *info = qeff_graph_value(qb_graph(b), w);
    const qeff_tensor_view *t = qeff_weights_find(weights, QEFF_STR("bert.layer.query.weight"));
    assert_string_equal(info->name.data, "layer.query.weight");
    assert_ptr_equal(info->data.data, t->data.data);
    assert_int_equal(info->source_fd, t->file->fd);
    assert_int_equal(info->source_offset, t->file_offset);
    assert_false(info->is_owned);
    qb_destroy(b);
    qeff_weights_close(weights);
}

TEST(weights, keep_the_dtype_of_the_file_and_count_as_f32)
{
    (void)state_;
    qeff_weights *weights = open_weights();
    qeff_builder *b = test_builder(weights);
    qb_set_weight_prefix(b, "bert.");
    const qeff_value x = test_input(b, QEFF_DTYPE_F32, "B,4");
    const qeff_value y = qb_layer_norm(b, "layer.norm", x, 1e-12);
    const qeff_value ids = test_input(b, QEFF_DTYPE_I64, "B");
    const qeff_value rows = qb_embedding(b, "embedding", ids, 10, 4);
    test_expect_type(b, x + 1, "f16 [4]");
    test_expect_type(b, y, "f32 [B, 4]");
    test_expect_type(b, rows, "f32 [B, 4]");
    qb_destroy(b);
    qeff_weights_close(weights);
}

TEST(weights, that_are_missing_are_listed_together)
{
    (void)state_;
    const int64_t shape[] = {4, 4};
    qeff_weights *weights = open_weights();
    qeff_builder *b = test_builder(weights);
    qb_set_weight_prefix(b, "bert.");
    const qeff_value x = test_input(b, QEFF_DTYPE_F32, "B,4");
    qb_enter(b, "layer");
    (void)qb_linear(b, "key", x, 4, true);
    qeff_value h = qb_weight(b, "value.weight", 2, shape);
    for (int i = 0; i < 10; i++) {
        qb_enter(b, "%d", i);
        h = qb_weight(b, "w", 2, shape);
        qb_leave(b);
    }
    qb_leave(b);
    qb_output(b, "y", h);
    assert_false(qb_has_failed(b)); /* building goes on, to find the others */
    test_expect_failure(b, QEFF_ERR_FORMAT,
                        "missing: bert.layer.key.weight, bert.layer.key.bias, "
                        "bert.layer.value.weight, bert.layer.0.w, bert.layer.1.w, bert.layer.2.w, "
                        "bert.layer.3.w, bert.layer.4.w and 5 more");
    qeff_weights_close(weights);
}

TEST(weights, of_another_shape_are_named_with_both_shapes)
{
    (void)state_;
    qeff_weights *weights = open_weights();
    qeff_builder *b = test_builder(weights);
    const int64_t shape[] = {4, 3}, flat[] = {16};
    qb_set_weight_prefix(b, "bert.layer.");
    (void)qb_weight(b, "query.weight", 2, shape);
    (void)qb_weight(b, "query.weight", 1, flat);
    (void)qb_weight(b, "key.weight", 2, shape);
    test_expect_failure(b, QEFF_ERR_FORMAT,
                        "missing: bert.layer.key.weight; "
                        "'bert.layer.query.weight': expected [4, 3], found [4, 4]; "
                        "'bert.layer.query.weight': expected [16], found [4, 4]");
    qeff_weights_close(weights);
}

TEST(weights, that_are_no_floats_are_refused)
{
    (void)state_;
    qeff_weights *weights = open_weights();
    qeff_builder *b = test_builder(weights);
    const int64_t shape[] = {4};
    (void)qb_weight(b, "bert.numbers", 1, shape);
    test_expect_failure(b, QEFF_ERR_UNSUPPORTED,
                        "'bert.numbers': expected f32, f16 or bf16, found i64");
    qeff_weights_close(weights);
}

TEST(weights, without_a_checkpoint_are_missing)
{
    (void)state_;
    const int64_t shape[] = {4};
    qeff_builder *b = test_builder(NULL);
    (void)qb_weight(b, "w", 1, shape);
    test_expect_failure(b, QEFF_ERR_FORMAT, "missing: w");
}

TEST(borrowed, must_hold_as_many_bytes_as_their_shape_says)
{
    (void)state_;
    static const uint8_t bytes[12];
    qeff_value_info info = {.name = QEFF_STR("w"),
                            .dtype = QEFF_DTYPE_F32,
                            .shape = {1, {{4, NULL}}},
                            .data = {bytes, sizeof bytes},
                            .source_fd = -1};
    qeff_builder *b = test_builder(NULL);
    (void)qb_borrowed(b, &info);
    test_expect_failure(b, QEFF_ERR_FORMAT, "weight 'w': expected 16 bytes, found 12");
    b = test_builder(NULL);
    info.shape.dims[0] = qeff_dim_named("B");
    (void)qb_borrowed(b, &info);
    test_expect_failure(b, QEFF_ERR_FORMAT, "weight 'w': expected");
}

/* --- modules ------------------------------------------------------------------------------------
 */

TEST(modules, need_a_constant_last_dimension)
{
    (void)state_;
    qeff_builder *b = test_builder(NULL);
    (void)qb_linear(b, "dense", test_input(b, QEFF_DTYPE_F32, "B,T"), 4, true);
    test_expect_failure(b, QEFF_ERR_FORMAT,
                        "module 'dense': expected an operand with a constant last dimension");
}

TEST(activations, are_known_by_name)
{
    (void)state_;
    static const char *const names[] = {"gelu", "gelu_new", "relu",     "silu",      "tanh",
                                        "elu",  "sigmoid",  "softplus", "leaky_relu"};
    qeff_builder *b = test_builder(NULL);
    const qeff_value x = test_input(b, QEFF_DTYPE_F32, "B,4");
    assert_int_equal(qb_activation(b, "identity", x), x);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(qb_activation(b, names[i], x), x + 1 + (qeff_value)i);
    (void)qb_activation(b, "swirl", x);
    test_expect_failure(b, QEFF_ERR_UNSUPPORTED, "unknown activation 'swirl'");
}

/* --- errors -------------------------------------------------------------------------------------
 */

TEST(errors, are_sticky_and_the_first_one_stays)
{
    (void)state_;
    qeff_builder *b = test_builder(NULL);
    const qeff_value x = test_input(b, QEFF_DTYPE_F32, "B,4");
    const qeff_value bad = qb_unary(b, QEFF_OP_NOT, x);
    assert_int_equal(bad, QEFF_VALUE_NONE);
    assert_int_equal(qb_unary(b, QEFF_OP_TANH, x), QEFF_VALUE_NONE);
    assert_int_equal(qb_scalar_f32(b, 1), QEFF_VALUE_NONE);
    qb_fail(b, QEFF_ERR_IO, "another");
    qb_output(b, "y", bad);
    test_expect_failure(b, QEFF_ERR_FORMAT, "node 'not' (not): operand 0: expected bool");
}

TEST(errors, of_the_caller_are_reported_at_the_end)
{
    (void)state_;
    qeff_builder *b = test_builder(NULL);
    qb_fail(b, QEFF_ERR_UNSUPPORTED, "layer %d is odd", 7);
    assert_true(qb_has_failed(b));
    test_expect_failure(b, QEFF_ERR_UNSUPPORTED, "layer 7 is odd");
}

TEST(errors, come_for_a_graph_without_outputs)
{
    (void)state_;
    qeff_builder *b = test_builder(NULL);
    (void)test_input(b, QEFF_DTYPE_F32, "B");
    test_expect_failure(b, QEFF_ERR_FORMAT, "graph without outputs");
}

/* --- memory -------------------------------------------------------------------------------------
 */

static qeff_status build(const qeff_weights *weights, qeff_graph **out, qeff_error *err)
{
    qeff_builder *b = NULL;
    const qeff_shape shape = test_shape("B,T");
    const qeff_status status = qb_create("small", weights, &b, err);
    if (status) return status;
    qb_set_weight_prefix(b, "bert.");
    const qeff_value ids = qb_input(b, "ids", QEFF_DTYPE_I64, &shape);
    qeff_value x = qb_embedding(b, "embedding", ids, 10, 4);
    qb_enter(b, "layer");
    const qeff_value query = qb_linear(b, "query", x, 4, true);
    x = qb_attention(b, query, x, query, ids, 2, 0.5);
    x = qb_layer_norm(b, "norm", x, 1e-12);
    qb_leave(b);
    x = qb_pool(b, x, ids, "mean");
    qb_output(b, "y", qb_binary(b, QEFF_OP_ADD, x, qb_scalar_f32(b, 1)));
    return qb_finish(b, out, err);
}

TEST(builder, survives_every_failed_allocation)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *graph = NULL;
    qeff_weights *weights = open_weights();
    TEST_EACH_ALLOCATION(build(weights, &graph, &err), qeff_graph_destroy(graph));
    qeff_weights_close(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(names, follow_the_module_path),
        RUN(names, that_are_taken_get_a_counter),
        RUN(names, of_further_outputs_are_numbered),
        RUN(names, take_linear_time_when_all_are_alike),
        RUN(names, of_inputs_and_outputs_must_differ),
        RUN(names, of_dims_cannot_imitate_those_of_run_time),
        RUN(names, of_dims_stay_short),
        RUN(scopes, refuse_to_nest_without_end),
        RUN(weights, lie_in_the_mapped_file_under_their_names_without_prefix),
        RUN(weights, keep_the_dtype_of_the_file_and_count_as_f32),
        RUN(weights, that_are_missing_are_listed_together),
        RUN(weights, of_another_shape_are_named_with_both_shapes),
        RUN(weights, that_are_no_floats_are_refused),
        RUN(weights, without_a_checkpoint_are_missing),
        RUN(borrowed, must_hold_as_many_bytes_as_their_shape_says),
        RUN(modules, need_a_constant_last_dimension),
        RUN(activations, are_known_by_name),
        RUN(errors, are_sticky_and_the_first_one_stays),
        RUN(errors, of_the_caller_are_reported_at_the_end),
        RUN(errors, come_for_a_graph_without_outputs),
        RUN(builder, survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
