/* plan_test.c - what a graph becomes: the steps of a ragged plan, their fusion, the packed weights,
 * and which graphs run op by op. */
#include "backend/cpu/cpu.h"
#include "backend/support.h"
#include "base/cpu.h"
#include "base/span.h"

#include <stdlib.h>

static qeff_str plan_text(const test_program *program)
{
    const qeff_bytes image = test_program_image(program, "plan.json");
    return (qeff_str){(const char *)image.data, image.size};
}

static size_t count_text(qeff_str text, const char *part)
{
    const size_t n = strlen(part);
    size_t count = 0;
    for (size_t i = 0; i + n <= text.size; i++)
        count += memcmp(text.data + i, part, n) == 0;
    return count;
}

static test_program compile(qeff_graph *graph, unsigned flags)
{
    qeff_error err = {0};
    test_program program;
    ASSERT_OK(test_program_compile(&qeff_backend_cpu, graph, flags, &program, &err));
    qeff_graph_destroy(graph);
    return program;
}

static test_program compile_encoder(const test_encoder *options)
{
    return compile(test_encoder_graph(options), 0);
}

TEST(plan, joins_the_steps_of_an_encoder)
{
    (void)state_;
    const test_encoder options = {.pooling = "mean", .is_normalized = true};
    test_program p = compile_encoder(&options);
    const qeff_str plan = plan_text(&p);
    assert_true(qeff_backend_cpu.is_ragged(p.loaded));
    /* One embedding with its norm, per layer four linears, attention and two norms, pooling, L2. */
    assert_int_equal(count_text(plan, "{\"do\": "), 1 + 2 * 7 + 2);
    assert_int_equal(count_text(plan, "{\"do\": \"linear\""), 2 * 4);
    assert_int_equal(count_text(plan, "\"activation\": \"gelu\""), 2);
    assert_int_equal(count_text(plan, "\"residual\": "), 2 * 2);
    assert_int_equal(count_text(plan, "\"rows\": 72, \"columns\": 24"), 2); /* q, k, v */
    assert_int_equal(count_text(plan, "\"do\": \"arithmetic\""), 0);
    assert_int_equal(count_text(plan, "\"by\": \"position\""), 1);
    assert_int_equal(count_text(plan, "\"by\": \"vector\""), 1); /* the row of the only type */
    test_program_close(&p);
}

TEST(plan, joins_a_dense_module_with_its_activation_and_residual)
{
    (void)state_;
    const test_encoder options = {.pooling = "cls", .has_dense = true, .n_columns = 10};
    test_program p = compile_encoder(&options);
    const qeff_str plan = plan_text(&p);
    assert_int_equal(count_text(plan, "\"activation\": \"tanh\""), 1);
    assert_int_equal(count_text(plan, "\"do\": \"arithmetic\""), 0);
    assert_int_equal(count_text(plan, "\"do\": \"copy\""), 0); /* the cut is a view */
    test_program_close(&p);
}

static size_t count_of(const test_encoder *options, const char *part)
{
    test_program p = compile_encoder(options);
    const size_t n = count_text(plan_text(&p), part);
    test_program_close(&p);
    return n;
}

/* Values of rows of sequences: of the last layer the query, attention, projection, norm, two of the
 * feed-forward network, norm; beside them the picked token, for the query and the residual, the
 * pooled vector and the dense module. Keys and values stay, of all tokens. */
TEST(plan, prunes_the_last_layer_where_one_token_is_wanted)
{
    (void)state_;
    static const char *const modes[] = {"cls", "lasttoken"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        const test_encoder pruned = {.pooling = modes[i], .has_dense = true};
        assert_int_equal(count_of(&pruned, "\"rows\": \"sequence\""), 7 + 1 + 2);
        assert_int_equal(count_of(&pruned, "\"do\": \"pool\""), 2);
        const test_encoder whole = {.pooling = modes[i], .has_dense = true, .has_hidden = true};
        assert_int_equal(count_of(&whole, "\"rows\": \"sequence\""), 2);
    }
    const test_encoder mean = {.pooling = "mean", .has_dense = true};
    assert_int_equal(count_of(&mean, "\"rows\": \"sequence\""), 2);
}

TEST(plan, keeps_a_value_that_is_read_twice)
{
    (void)state_;
    qeff_error err = {0};
    qeff_builder *b = NULL;
    qeff_graph *graph = NULL;
    const qeff_shape shape = {.rank = 2, .dims = {qeff_dim_named("b"), qeff_dim_named("t")}};
    ASSERT_OK(qb_create("twice", NULL, &b, &err));
    const qeff_value ids = qb_input(b, "ids", QEFF_DTYPE_I64, &shape);
    const qeff_value table = test_constant(b, "table", QEFF_DTYPE_F32, "5,16", 1.0F);
    const qeff_value pick[] = {table, ids};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 0);
    const qeff_value x = qb_node(b, QEFF_OP_GATHER, "x", pick, 2, &axis, 1);
    const qeff_value w = test_constant(b, "w", QEFF_DTYPE_F32, "16,16", 1.0F);
    const qeff_value operands[] = {x, w};
    const qeff_value h = qb_node(b, QEFF_OP_LINEAR, "h", operands, 2, NULL, 0);
    const qeff_value activated = qb_unary(b, QEFF_OP_RELU, h);
    const qeff_value sum = qb_binary(b, QEFF_OP_ADD, h, activated);
    qb_output(b, "output", sum);
    qb_output(b, "hidden", h);
    ASSERT_OK(qb_finish(b, &graph, &err));
    test_program p = compile(graph, 0);
    const qeff_str plan = plan_text(&p);
    assert_true(qeff_backend_cpu.is_ragged(p.loaded));
    assert_int_equal(count_text(plan, "\"do\": \"activate\""), 1);
    assert_int_equal(count_text(plan, "\"do\": \"arithmetic\""), 1);
    test_program_close(&p);
}

TEST(plan, runs_other_graphs_op_by_op)
{
    (void)state_;
    qeff_error err = {0};
    qeff_builder *b = NULL;
    qeff_graph *graph = NULL;
    const qeff_shape shape = {.rank = 1, .dims = {qeff_dim_named("n")}};
    ASSERT_OK(qb_create("other", NULL, &b, &err));
    const qeff_value x = qb_input(b, "x", QEFF_DTYPE_F32, &shape);
    qb_output(b, "y", qb_unary(b, QEFF_OP_EXP, x));
    ASSERT_OK(qb_finish(b, &graph, &err));
    test_program p = compile(graph, 0);
    assert_false(qeff_backend_cpu.is_ragged(p.loaded));
    test_program_close(&p);
}

TEST(plan, keeps_tables_as_they_are_and_weights_as_floats)
{
    (void)state_;
    for (qeff_dtype dtype = QEFF_DTYPE_F16; dtype <= QEFF_DTYPE_BF16; dtype++) {
        char expected[64];
        const test_encoder options = {.dtype = dtype};
        test_program p = compile_encoder(&options);
        const qeff_str plan = plan_text(&p);
        (void)snprintf(expected, sizeof expected, "\"kind\": \"table\", \"dtype\": \"%s\"",
                       qeff_dtype_name(dtype));
        assert_int_equal(count_text(plan, expected), 2);
        assert_int_equal(count_text(plan, "\"kind\": \"panels\", \"dtype\": \"f32\""), 8);
        test_program_close(&p);
    }
}

/* W [N, K] -> [ceil(N / 16)][K][16] with zeros past N. */
TEST(plan, packs_weights_in_panels_of_sixteen_columns)
{
    (void)state_;
    enum { K = 3, N = 20 };
    qeff_error err = {0};
    qeff_builder *b = NULL;
    qeff_graph *graph = NULL;
    float w[N * K];
    const int64_t w_shape[] = {N, K};
    const qeff_shape shape = {.rank = 2, .dims = {qeff_dim_named("b"), qeff_dim_named("t")}};
    for (size_t i = 0; i < N * K; i++)
        w[i] = (float)i + 1.0F;
    ASSERT_OK(qb_create("packed", NULL, &b, &err));
    const qeff_value ids = qb_input(b, "ids", QEFF_DTYPE_I64, &shape);
    const qeff_value pick[] = {test_constant(b, "table", QEFF_DTYPE_F32, "5,3", 1.0F), ids};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 0);
    const qeff_value x = qb_node(b, QEFF_OP_GATHER, "x", pick, 2, &axis, 1);
    const qeff_value operands[] = {x, qb_constant(b, "w", QEFF_DTYPE_F32, 2, w_shape, w)};
    qb_output(b, "y", qb_node(b, QEFF_OP_LINEAR, "h", operands, 2, NULL, 0));
    ASSERT_OK(qb_finish(b, &graph, &err));
    test_program p = compile(graph, 0);
    const qeff_bytes constants = test_program_image(&p, "constants.bin");
    const size_t offset = 64; /* behind the table of 5 x 3 floats */
    assert_int_equal(constants.size, offset + 2 * 16 * K * sizeof(float));
    for (size_t n = 0; n < 32; n++)
        for (size_t k = 0; k < K; k++) {
            const size_t at = offset + ((n / 16 * K + k) * 16 + n % 16) * sizeof(float);
            const uint32_t bits = qeff_load_u32le(constants.data + at);
            float value = 0;
            memcpy(&value, &bits, sizeof value);
            assert_true(value == (n < N ? w[n * K + k] : 0.0F));
        }
    test_program_close(&p);
}

TEST(plan, is_the_same_bytes_each_time)
{
    (void)state_;
    const test_encoder options = {.pooling = "mean", .has_type_input = true};
    test_program a = compile_encoder(&options), b = compile_encoder(&options);
    static const char *const names[] = {"constants.bin", "networkdesc.bin", "plan.json"};
    for (size_t i = 0; i < 3; i++) {
        const qeff_bytes x = test_program_image(&a, names[i]), y = test_program_image(&b, names[i]);
        assert_int_equal(x.size, y.size);
        assert_memory_equal(x.data, y.data, x.size);
    }
    test_program_close(&a);
    test_program_close(&b);
}

static void hash_of(unsigned flags, qeff_precision precision, uint8_t digest[QEFF_HASH_BYTES])
{
    qeff_hash hash = {0};
    const qeff_compile_options options = {.cpu_flags = flags, .precision = precision};
    qeff_hash_init(&hash);
    qeff_backend_cpu.hash(&options, &hash);
    assert_int_equal(qeff_hash_finish(&hash, digest, NULL), QEFF_OK);
}

TEST(plan, changes_its_hash_with_the_instruction_set_and_the_precision)
{
    (void)state_;
    enum { N_LEVELS = 3, N = N_LEVELS * QEFF_PRECISION_COUNT };
    static const unsigned flags[N_LEVELS] = {0, QEFF_CPU_AVX2, QEFF_CPU_AVX2 | QEFF_CPU_AVX512};
    uint8_t digests[N][QEFF_HASH_BYTES];
    for (size_t i = 0; i < N; i++)
        hash_of(flags[i % N_LEVELS], (qeff_precision)(i / N_LEVELS), digests[i]);
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(digests[i], digests[k], QEFF_HASH_BYTES);
}

/* Products of 8 and 16 bits have instructions of their own; f32 is the same with and without. */
TEST(plan, changes_its_hash_with_instructions_that_its_precision_uses)
{
    (void)state_;
    static const struct {
        qeff_precision precision;
        unsigned flags; /* beside AVX-512 */
        bool is_used;
    } cases[] = {{QEFF_PRECISION_FP32, QEFF_CPU_VNNI | QEFF_CPU_BF16, false},
                 {QEFF_PRECISION_BF16, QEFF_CPU_VNNI, false},
                 {QEFF_PRECISION_BF16, QEFF_CPU_BF16, true},
                 {QEFF_PRECISION_INT8, QEFF_CPU_VNNI, true},
                 {QEFF_PRECISION_INT8, QEFF_CPU_BF16, true},
                 {QEFF_PRECISION_INT8_MIXED, QEFF_CPU_BF16, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t with[QEFF_HASH_BYTES], without[QEFF_HASH_BYTES];
        const unsigned flags = QEFF_CPU_AVX2 | QEFF_CPU_AVX512;
        hash_of(flags, cases[i].precision, without);
        hash_of(flags | cases[i].flags, cases[i].precision, with);
        assert_int_equal(memcmp(with, without, QEFF_HASH_BYTES) != 0, cases[i].is_used);
    }
}

/* The message, by hand from its definition. */
TEST(io_description, is_the_message_of_the_programs_of_cards)
{
    (void)state_;
    static const uint8_t expected_input[] = {
        0x22, 0x21, 0x0a, 0x09, 'i',  'n', 'p', 'u',  't',  '_',  'i',  'd', 's', /* name */
        0x12, 0x09, 0x08, 0x07, 0x15, 0,   0,   0x80, 0x3f, 0x22, 0x02, 0,   0};
    const test_encoder options = {.pooling = "mean"};
    test_program p = compile_encoder(&options);
    const qeff_bytes image = test_program_image(&p, "networkdesc.bin");
    assert_true(image.size > 20);
    assert_memory_equal(image.data,
                        "\x08\x09\x1a\x07"
                        "encoder",
                        11);
    /* type i64, scale 1, two dims that run time gives: 7 + 2 + 5 + 4 bytes less the tag */
    assert_int_equal(image.data[11], 0x22);
    assert_memory_equal(image.data + 13, expected_input + 2, 11);
    assert_int_equal(image.data[24], 0x12);
    assert_memory_equal(image.data + 26, expected_input + 15, sizeof expected_input - 15);
    test_program_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(plan, joins_the_steps_of_an_encoder),
        RUN(plan, joins_a_dense_module_with_its_activation_and_residual),
        RUN(plan, prunes_the_last_layer_where_one_token_is_wanted),
        RUN(plan, keeps_a_value_that_is_read_twice),
        RUN(plan, runs_other_graphs_op_by_op),
        RUN(plan, keeps_tables_as_they_are_and_weights_as_floats),
        RUN(plan, packs_weights_in_panels_of_sixteen_columns),
        RUN(plan, is_the_same_bytes_each_time),
        RUN(plan, changes_its_hash_with_the_instruction_set_and_the_precision),
        RUN(plan, changes_its_hash_with_instructions_that_its_precision_uses),
        RUN(io_description, is_the_message_of_the_programs_of_cards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
