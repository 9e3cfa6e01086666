/* graph_test.c - verification of graphs that were tampered with, text, digest, rewriting. */
#include "graph/support.h"

#include "base/error.h"
#include "base/span.h"
#include "graph/op.h"
#include "graph/rewrite.h"

#include <stdlib.h>

/* ids -> rows of a table -> + 1 -> y, and the row of position 0 as z */
static qeff_graph *build(void)
{
    static const float table[] = {0.5f, -1.25f, 3, 1e-12f, 65504, -0.0f};
    static const int64_t shape[] = {3, 2}, first = 0;
    qeff_error err = {0};
    qeff_graph *graph = NULL;
    qeff_builder *b = test_builder(NULL);
    const qeff_shape ids_shape = test_shape("batch_size,seq_len");
    const qeff_value ids = qb_input(b, "input_ids", QEFF_DTYPE_I64, &ids_shape);
    const qeff_value rows = qb_constant(b, "table", QEFF_DTYPE_F32, 2, shape, table);
    const qeff_value gather[] = {rows, ids};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 0), second = QEFF_ATTR_INT("axis", 1);
    const qeff_value x = qb_node(b, QEFF_OP_GATHER, "embedding", gather, 2, &axis, 1);
    const qeff_value one = qb_scalar_f32(b, 1);
    const qeff_value sum = qb_binary(b, QEFF_OP_ADD, x, one);
    const qeff_value index = qb_constant(b, "first token", QEFF_DTYPE_I64, 0, NULL, &first);
    const qeff_value pick[] = {sum, index};
    const qeff_value z = qb_node(b, QEFF_OP_GATHER, NULL, pick, 2, &second, 1);
    qb_output(b, "y", sum);
    qb_output(b, "z", qb_l2_normalize(b, z, 1e-12));
    ASSERT_OK(qb_finish(b, &graph, &err));
    return graph;
}

/* --- text ---------------------------------------------------------------------------------------
 */

TEST(text, is_one_line_for_each_part)
{
    (void)state_;
    qeff_graph *graph = build();
    test_expect_text(graph,
                     "graph test\n"
                     "input input_ids: i64 [batch_size, seq_len]\n"
                     "weight table: f32 [3, 2] = {0.5, -1.25, 3, 1e-12, 65504, -0}\n"
                     "weight constant: f32 [] = {1}\n"
                     "weight \"first token\": i64 [] = {0}\n"
                     "embedding: f32 [batch_size, seq_len, 2] = gather(table, input_ids) axis=0\n"
                     "add: f32 [batch_size, seq_len, 2] = add(embedding, constant)\n"
                     "gather: f32 [batch_size, 2] = gather(add, \"first token\") axis=1\n"
                     "l2_normalize: f32 [batch_size, 2] = l2_normalize(gather) epsilon=1e-12\n"
                     "output y = add\n"
                     "output z = l2_normalize\n");
    qeff_graph_destroy(graph);
}

TEST(text, shows_all_kinds_of_attributes_and_absent_operands)
{
    (void)state_;
    static const int64_t axes[] = {0, 2};
    qeff_builder *b = test_builder(NULL);
    const qeff_value x = test_input(b, QEFF_DTYPE_F32, "B,T,4");
    const qeff_attribute reduce[] = {QEFF_ATTR_INT("keepdims", 0), QEFF_ATTR_INTS("axes", axes, 2)};
    const qeff_value mean = qb_node(b, QEFF_OP_REDUCE_MEAN, NULL, &x, 1, reduce, 2);
    const qeff_value zero = qb_scalar_f32(b, 0);
    const qeff_value clip[] = {mean, QEFF_VALUE_NONE, zero};
    const qeff_value clipped = qb_node(b, QEFF_OP_CLIP, NULL, clip, 3, NULL, 0);
    qb_output(b, "y", qb_gelu(b, clipped, true));
    char *text = test_finish_text(b);
    assert_string_equal(text, "graph test\n"
                              "input x0: f32 [B, T, 4]\n"
                              "weight constant: f32 [] = {0}\n"
                              "reduce_mean: f32 [T] = reduce_mean(x0) axes=[0, 2] keepdims=0\n"
                              "clip: f32 [T] = clip(reduce_mean, none, constant)\n"
                              "gelu: f32 [T] = gelu(clip) approximate=\"tanh\"\n"
                              "output y = gelu\n");
    free(text);
}

TEST(text, leaves_out_the_elements_of_large_weights)
{
    (void)state_;
    qeff_builder *b = test_builder(NULL);
    qb_output(b, "a", test_zeros(b, "a", QEFF_DTYPE_BOOL, "16"));
    qb_output(b, "b", test_zeros(b, "b", QEFF_DTYPE_F16, "17"));
    char *text = test_finish_text(b);
    assert_non_null(strstr(text, "weight a: bool [16] = {false, false"));
    assert_non_null(strstr(text, "weight b: f16 [17]\n"));
    free(text);
}

TEST(floats, have_their_shortest_decimal)
{
    (void)state_;
    assert_true(qeff_float_shortest(1.0 / 5.656854249492381) == 0.17677669);
    assert_true(qeff_float_shortest((double)1e-12f) == 1e-12);
    assert_true(qeff_float_shortest(-0.5) == -0.5);
    assert_true((float)qeff_float_shortest((double)3.4028234663852886e38f) ==
                3.4028234663852886e38f);
}

/* --- verification -------------------------------------------------------------------------------
 */

static void expect_broken(qeff_graph *graph, const char *text)
{
    qeff_error err = {0};
    ASSERT_FAILS(qeff_graph_verify(graph, &err), QEFF_ERR_FORMAT, text);
    qeff_graph_destroy(graph);
}

TEST(verify, finds_values_of_one_name)
{
    (void)state_;
    qeff_graph *graph = build();
    graph->values[graph->nodes[1].outputs[0]].name = QEFF_STR("embedding");
    expect_broken(graph, "value 'embedding': the name is taken");
}

TEST(verify, finds_operands_from_later_nodes)
{
    (void)state_;
    qeff_graph *graph = build();
    qeff_value inputs[] = {graph->nodes[0].inputs[0], graph->nodes[1].outputs[0]};
    graph->nodes[0].inputs = inputs;
    expect_broken(graph, "node 'embedding' (gather): operand 1 is used before it is defined");
}

TEST(verify, finds_shapes_that_the_rule_does_not_infer)
{
    (void)state_;
    qeff_graph *graph = build();
    graph->values[graph->nodes[1].outputs[0]].shape.dims[2].size = 3;
    expect_broken(graph, "node 'add' (add): output 0: shape is not what the rule infers");
}

TEST(verify, finds_dtypes_that_the_rule_does_not_infer)
{
    (void)state_;
    qeff_graph *graph = build();
    graph->values[graph->nodes[1].outputs[0]].dtype = QEFF_DTYPE_F64;
    expect_broken(graph, "node 'add' (add): output 0: expected f32, found f64");
}

TEST(verify, finds_weights_whose_bytes_do_not_fit)
{
    (void)state_;
    qeff_graph *graph = build();
    graph->values[1].data.size = 20;
    expect_broken(graph, "value 'table': expected 24 bytes, found 20");
}

TEST(verify, finds_values_without_producer)
{
    (void)state_;
    qeff_graph *graph = build();
    graph->values[graph->nodes[1].outputs[0]].node = 0;
    expect_broken(graph, "value 'add': node 'embedding' does not produce it");
}

TEST(verify, finds_values_that_two_nodes_produce)
{
    (void)state_;
    qeff_graph *graph = build();
    graph->nodes[2].outputs = graph->nodes[1].outputs;
    expect_broken(graph, "value 'gather': node 'gather' does not produce it");
}

TEST(verify, finds_outputs_without_value)
{
    (void)state_;
    qeff_graph *graph = build();
    graph->outputs[1].value = 99;
    expect_broken(graph, "output 'z': no value");
}

TEST(verify, finds_missing_operands)
{
    (void)state_;
    qeff_graph *graph = build();
    graph->nodes[1].n_inputs = 1;
    expect_broken(graph, "node 'add' (add): expected at least 2 operands, found 1");
}

TEST(verify, finds_unknown_ops)
{
    (void)state_;
    qeff_graph *graph = build();
    graph->nodes[1].op = QEFF_OP_COUNT;
    expect_broken(graph, "node 1 of an unknown op");
}

/* --- digest -------------------------------------------------------------------------------------
 */

static void digest_of(const qeff_graph *graph, char hex[QEFF_HASH_HEX + 1])
{
    qeff_error err = {0};
    uint8_t digest[QEFF_HASH_BYTES];
    ASSERT_OK(qeff_graph_hash(graph, digest, &err));
    qeff_hash_format(digest, hex);
}

/* Known from a first run: a change of it makes all compiled programs stale, and must be meant. */
TEST(digest, of_a_graph_never_changes)
{
    (void)state_;
    char hex[QEFF_HASH_HEX + 1];
    qeff_graph *graph = build();
    digest_of(graph, hex);
    assert_string_equal(hex, "acf4cdeb4dbc548dff141c4f15aa8e56fe072d20ba4cbb17c0e3ae80a1ce5dc0");
    qeff_graph_destroy(graph);
}

TEST(digest, tells_one_bit_of_a_weight)
{
    (void)state_;
    char before[QEFF_HASH_HEX + 1], after[QEFF_HASH_HEX + 1];
    qeff_graph *graph = build();
    digest_of(graph, before);
    uint8_t bytes[24];
    memcpy(bytes, graph->values[1].data.data, sizeof bytes);
    bytes[23] ^= 1;
    graph->values[1].data.data = bytes;
    digest_of(graph, after);
    assert_string_not_equal(before, after);
    qeff_graph_destroy(graph);
}

TEST(digest, tells_attributes_dims_and_output_names)
{
    (void)state_;
    char before[QEFF_HASH_HEX + 1], after[QEFF_HASH_HEX + 1];
    qeff_graph *graph = build();
    digest_of(graph, before);
    qeff_attribute axis = graph->nodes[2].attributes[0];
    axis.i = 0;
    const qeff_attribute *kept = graph->nodes[2].attributes;
    graph->nodes[2].attributes = &axis;
    digest_of(graph, after);
    assert_string_not_equal(before, after);
    graph->nodes[2].attributes = kept;
    graph->values[0].shape.dims[0].symbol = "other";
    digest_of(graph, after);
    assert_string_not_equal(before, after);
    graph->values[0].shape.dims[0].symbol = "batch_size";
    graph->outputs[0].name = QEFF_STR("w");
    digest_of(graph, after);
    assert_string_not_equal(before, after);
    qeff_graph_destroy(graph);
}

/* --- reading ------------------------------------------------------------------------------------
 */

TEST(constants, read_as_numbers_where_they_are_small)
{
    (void)state_;
    int64_t values[4];
    size_t n = 0;
    double x = 0;
    qeff_builder *b = test_builder(NULL);
    const qeff_value three = qb_ints(b, (const int64_t[]){1, -2, 3}, 3);
    const qeff_value half = qb_scalar_f32(b, 0.5f);
    const qeff_value input = test_input(b, QEFF_DTYPE_I64, "2");
    const qeff_graph *g = qb_graph(b);
    assert_true(qeff_graph_read_ints(g, three, 4, values, &n));
    assert_int_equal(n, 3);
    assert_int_equal(values[1], -2);
    assert_false(qeff_graph_read_ints(g, three, 2, values, &n));
    assert_false(qeff_graph_read_ints(g, half, 4, values, &n));
    assert_false(qeff_graph_read_ints(g, input, 4, values, &n));
    assert_true(qeff_graph_read_scalar(g, half, &x));
    assert_true(x == 0.5);
    assert_false(qeff_graph_read_scalar(g, three, &x));
    assert_false(qeff_graph_read_scalar(g, QEFF_VALUE_NONE, &x));
    qb_destroy(b);
}

/* --- rewriting ----------------------------------------------------------------------------------
 */

static qeff_status copy(const qeff_graph *in, qeff_graph **out, qeff_error *err)
{
    qeff_rewrite rw;
    QEFF_TRY(qeff_rewrite_begin(&rw, in, err));
    for (size_t i = 0; i < in->n_nodes; i++)
        qeff_rewrite_copy(&rw, &in->nodes[i]);
    return qeff_rewrite_finish(&rw, out, err);
}

TEST(rewriting, nothing_gives_the_same_graph_with_bytes_of_its_own)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *graph = build(), *twin = NULL;
    char before[QEFF_HASH_HEX + 1], after[QEFF_HASH_HEX + 1];
    digest_of(graph, before);
    char *text = test_graph_text(graph);
    ASSERT_OK(copy(graph, &twin, &err));
    qeff_graph_destroy(graph);
    test_expect_text(twin, text);
    digest_of(twin, after);
    assert_string_equal(before, after);
    free(text);
    qeff_graph_destroy(twin);
}

TEST(rewriting, survives_every_failed_allocation)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *graph = build(), *twin = NULL;
    TEST_EACH_ALLOCATION(copy(graph, &twin, &err), qeff_graph_destroy(twin));
    qeff_graph_destroy(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(text, is_one_line_for_each_part),
        RUN(text, shows_all_kinds_of_attributes_and_absent_operands),
        RUN(text, leaves_out_the_elements_of_large_weights),
        RUN(floats, have_their_shortest_decimal),
        RUN(verify, finds_values_of_one_name),
        RUN(verify, finds_operands_from_later_nodes),
        RUN(verify, finds_shapes_that_the_rule_does_not_infer),
        RUN(verify, finds_dtypes_that_the_rule_does_not_infer),
        RUN(verify, finds_weights_whose_bytes_do_not_fit),
        RUN(verify, finds_values_without_producer),
        RUN(verify, finds_values_that_two_nodes_produce),
        RUN(verify, finds_outputs_without_value),
        RUN(verify, finds_missing_operands),
        RUN(verify, finds_unknown_ops),
        RUN(digest, of_a_graph_never_changes),
        RUN(digest, tells_one_bit_of_a_weight),
        RUN(digest, tells_attributes_dims_and_output_names),
        RUN(constants, read_as_numbers_where_they_are_small),
        RUN(rewriting, nothing_gives_the_same_graph_with_bytes_of_its_own),
        RUN(rewriting, survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
