/* round_trip_test.c - composites, lowered to primitives for an export and raised again, are the
 * same graph: same ops, same operands, same names. */
#include "graph/support.h"

#include "base/span.h"
#include "graph/op.h"
#include "transforms/transforms.h"

#include <stdlib.h>

enum { VOCAB = 20, H = 8, FFN = 12, HEADS = 2, POSITIONS = 16, LAYERS = 2, TENSORS_MAX = 64 };

typedef struct encoder {
    const char *dtype; /* of the weights: "F32", "F16", "BF16" */
    const char *pooling;
    bool by_tanh, has_bias;
} encoder;

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

/* --- a checkpoint --------------------------------------------------------------------------------
 */

static test_tensor tensors[TENSORS_MAX];
static char names[TENSORS_MAX][64];
static size_t n_tensors;

static void add_tensor(const char *dtype, size_t rank, int64_t rows, int64_t columns,
                       const char *module, const char *name)
{
    assert_true(n_tensors < TENSORS_MAX);
    (void)snprintf(names[n_tensors], sizeof names[0], "%s.%s", module, name);
    tensors[n_tensors] = (test_tensor){names[n_tensors], dtype, rank, {rows, columns, 0}};
    n_tensors++;
}

static void
add_linear(const char *dtype, const char *layer, const char *module, int64_t n_out, int64_t n_in)
{
    char name[48];
    (void)snprintf(name, sizeof name, "%s.%s", layer, module);
    add_tensor(dtype, 2, n_out, n_in, name, "weight");
    add_tensor(dtype, 1, n_out, 0, name, "bias");
}

static qeff_weights *make_weights(const encoder *e)
{
    n_tensors = 0;
    add_tensor(e->dtype, 2, VOCAB, H, "word", "weight");
    add_tensor(e->dtype, 2, POSITIONS, H, "position", "weight");
    add_tensor(e->dtype, 2, 2, H, "type", "weight");
    for (int i = 0; i < LAYERS; i++) {
        char layer[32];
        (void)snprintf(layer, sizeof layer, "layer.%d", i);
        add_linear(e->dtype, layer, "query", H, H);
        add_linear(e->dtype, layer, "key", H, H);
        add_linear(e->dtype, layer, "value", H, H);
        add_linear(e->dtype, layer, "up", FFN, H);
        add_linear(e->dtype, layer, "down", H, FFN);
        add_tensor(e->dtype, 1, H, 0, layer, "norm.weight");
        add_tensor(e->dtype, 1, H, 0, layer, "norm.bias");
    }
    return test_weights(&folder, tensors, n_tensors);
}

/* --- an encoder with all composites --------------------------------------------------------------
 */

static qeff_value embed(qeff_builder *b, qeff_value ids)
{
    static const int64_t row = 0;
    const int64_t one = 1, shape[] = {2, H};
    qeff_value x = qb_embedding(b, "word", ids, VOCAB, H);
    const qeff_value positions = qb_position_ids(b, ids, POSITIONS);
    const qeff_value position = qb_embedding(b, "position", positions, POSITIONS, H);
    x = qb_binary(b, QEFF_OP_ADD, x, position);
    const qeff_value table = qb_weight(b, "type.weight", 2, shape);
    const qeff_value index = qb_constant(b, "row", QEFF_DTYPE_I64, 1, &one, &row);
    const qeff_value inputs[] = {table, index};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 0);
    const qeff_value type = qb_node(b, QEFF_OP_GATHER, "type", inputs, 2, &axis, 1);
    return qb_binary(b, QEFF_OP_ADD, x, type);
}

static qeff_value layer(qeff_builder *b, const encoder *e, qeff_value x, qeff_value mask)
{
    const qeff_value q = qb_linear(b, "query", x, H, e->has_bias);
    const qeff_value k = qb_linear(b, "key", x, H, e->has_bias);
    const qeff_value v = qb_linear(b, "value", x, H, e->has_bias);
    const qeff_value context = qb_attention(b, q, k, v, mask, HEADS, 0.5);
    x = qb_binary(b, QEFF_OP_ADD, x, context);
    qeff_value h = qb_linear(b, "up", x, FFN, e->has_bias);
    h = qb_gelu(b, h, e->by_tanh);
    h = qb_linear(b, "down", h, H, e->has_bias);
    h = qb_unary(b, QEFF_OP_SILU, h);
    h = qb_binary(b, QEFF_OP_ADD, h, x);
    return qb_layer_norm(b, "norm", h, 1e-12);
}

static qeff_graph *build(const encoder *e, const qeff_weights *weights)
{
    qeff_error err = {0};
    qeff_graph *graph = NULL;
    const qeff_shape shape = test_shape("batch_size,seq_len");
    qeff_builder *b = test_builder(weights);
    const qeff_value ids = qb_input(b, "input_ids", QEFF_DTYPE_I64, &shape);
    const qeff_value mask = qb_input(b, "attention_mask", QEFF_DTYPE_I64, &shape);
    qeff_value x = embed(b, ids);
    for (int i = 0; i < LAYERS; i++) {
        qb_enter(b, "layer.%d", i);
        x = layer(b, e, x, mask);
        qb_leave(b);
    }
    if (e->pooling) {
        x = qb_pool(b, x, mask, e->pooling);
        x = qb_l2_normalize(b, x, 1e-12);
    }
    qb_output(b, "output", x);
    ASSERT_OK(qb_finish(b, &graph, &err));
    return graph;
}

static size_t count_composites(const qeff_graph *graph)
{
    size_t n = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        n += qeff_op_get(graph->nodes[i].op)->kind == QEFF_OP_COMPOSITE;
    return n;
}

static void expect_round_trip(const encoder *e)
{
    qeff_error err = {0};
    qeff_weights *weights = make_weights(e);
    qeff_graph *graph = build(e, weights), *canonical = NULL, *lowered = NULL, *raised = NULL;
    ASSERT_OK(qeff_pipeline_for_backend(graph, &canonical, &err));
    ASSERT_OK(qeff_pipeline_for_export(graph, &lowered, &err));
    ASSERT_OK(qeff_pipeline_for_backend(lowered, &raised, &err));
    assert_int_equal(count_composites(canonical), count_composites(graph));
    assert_int_equal(count_composites(lowered), 0);
    char *expected = test_graph_text(canonical);
    test_expect_text(raised, expected);
    free(expected);
    qeff_graph_destroy(graph);
    qeff_graph_destroy(canonical);
    qeff_graph_destroy(lowered);
    qeff_graph_destroy(raised);
    qeff_weights_close(weights);
}

/* --- statements ----------------------------------------------------------------------------------
 */

TEST(round_trip, restores_an_encoder)
{
    (void)state_;
    expect_round_trip(&(encoder){"F32", NULL, false, true});
}

TEST(round_trip, restores_linears_without_bias_and_gelu_by_tanh)
{
    (void)state_;
    expect_round_trip(&(encoder){"F32", NULL, true, false});
}

TEST(round_trip, restores_weights_of_f16_and_bf16)
{
    (void)state_;
    expect_round_trip(&(encoder){"F16", "mean", false, true});
    expect_round_trip(&(encoder){"BF16", "cls", true, false});
}

TEST(round_trip, restores_every_pooling)
{
    (void)state_;
    static const char *const modes[] = {
        "cls", "lasttoken", "max", "mean", "mean_sqrt_len_tokens", "weightedmean"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        expect_round_trip(&(encoder){"F32", modes[i], false, true});
}

TEST(round_trip, gives_the_text_of_the_graph_itself)
{
    (void)state_;
    qeff_error err = {0};
    qeff_graph *graph = NULL, *lowered = NULL, *raised = NULL;
    qeff_builder *b = test_builder(NULL);
    const qeff_value x = test_input(b, QEFF_DTYPE_F32, "B,T,4");
    const qeff_value mask = test_input(b, QEFF_DTYPE_I64, "B,T");
    const qeff_value dense[] = {x, test_zeros(b, "w", QEFF_DTYPE_F32, "4,4"),
                                test_zeros(b, "bias", QEFF_DTYPE_F32, "4")};
    qb_enter(b, "layer.0");
    qeff_value h = qb_node(b, QEFF_OP_LINEAR, "dense", dense, 3, NULL, 0);
    h = qb_attention(b, h, x, h, mask, 2, 0.70710678118654757);
    h = qb_gelu(b, h, false);
    qb_leave(b);
    h = qb_pool(b, h, mask, "mean");
    qb_output(b, "output", qb_l2_normalize(b, h, 1e-12));
    ASSERT_OK(qb_finish(b, &graph, &err));
    ASSERT_OK(qeff_pipeline_for_export(graph, &lowered, &err));
    ASSERT_OK(qeff_pipeline_for_backend(lowered, &raised, &err));
    char *text = test_graph_text(graph);
    test_expect_text(raised, text);
    assert_non_null(strstr(text, "layer.0.attention: f32 [B, T, 4] = attention(layer.0.dense, x0, "
                                 "layer.0.dense, x1) n_heads=2 scale=0.70710677\n"));
    free(text);
    qeff_graph_destroy(graph);
    qeff_graph_destroy(lowered);
    qeff_graph_destroy(raised);
}

TEST(round_trip, shares_what_all_layers_compute)
{
    (void)state_;
    qeff_error err = {0};
    const encoder e = {"F32", "mean", false, true};
    qeff_weights *weights = make_weights(&e);
    qeff_graph *graph = build(&e, weights), *lowered = NULL;
    size_t n_casts = 0;
    ASSERT_OK(qeff_pipeline_for_export(graph, &lowered, &err));
    for (size_t i = 0; i < lowered->n_nodes; i++)
        n_casts += lowered->nodes[i].op == QEFF_OP_CAST;
    assert_int_equal(n_casts, 1); /* of the mask */
    qeff_graph_destroy(graph);
    qeff_graph_destroy(lowered);
    qeff_weights_close(weights);
}

TEST(round_trip, never_copies_a_weight_of_the_checkpoint)
{
    (void)state_;
    qeff_error err = {0};
    const encoder e = {"F32", "mean", false, true};
    qeff_weights *weights = make_weights(&e);
    qeff_graph *graph = build(&e, weights), *lowered = NULL;
    size_t n = 0;
    ASSERT_OK(qeff_pipeline_for_export(graph, &lowered, &err));
    for (size_t i = 0; i < lowered->n_values; i++) {
        const qeff_tensor_view *t = qeff_weights_find(weights, lowered->values[i].name);
        if (!t) continue;
        assert_ptr_equal(lowered->values[i].data.data, t->data.data);
        n++;
    }
    assert_int_equal(n, n_tensors - 1); /* all but the token types, of which one row stays */
    qeff_graph_destroy(graph);
    qeff_graph_destroy(lowered);
    qeff_weights_close(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(round_trip, restores_an_encoder),
        RUN(round_trip, restores_linears_without_bias_and_gelu_by_tanh),
        RUN(round_trip, restores_weights_of_f16_and_bf16),
        RUN(round_trip, restores_every_pooling),
        RUN(round_trip, gives_the_text_of_the_graph_itself),
        RUN(round_trip, shares_what_all_layers_compute),
        RUN(round_trip, never_copies_a_weight_of_the_checkpoint),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
