/* hostile_test.c - programs that were damaged or made to do harm are refused when they are loaded,
 * with a message; whatever is accepted runs within its memory. Also: every allocation fails once.
 */
#include "backend/cpu/cpu.h"
#include "backend/support.h"
#include "base/cpu.h"
#include "base/span.h"

#include <stdlib.h>

/* A program to be changed. */
typedef struct victim {
    qeff_buffer plan, constants;
} victim;

static victim make_precise_victim(qeff_graph *graph, qeff_precision precision)
{
    qeff_error err = {0};
    test_program p;
    victim v = {0};
    ASSERT_OK(test_program_compile_precise(&qeff_backend_cpu, graph, 0, precision, &p, &err));
    qeff_graph_destroy(graph);
    const qeff_bytes plan = test_program_image(&p, "plan.json");
    const qeff_bytes constants = test_program_image(&p, "constants.bin");
    qeff_buffer_append(&v.plan, plan.data, plan.size);
    qeff_buffer_append(&v.constants, constants.data, constants.size);
    test_program_close(&p);
    return v;
}

static victim make_victim(qeff_graph *graph)
{
    return make_precise_victim(graph, QEFF_PRECISION_FP32);
}

static victim make_ragged(void)
{
    const test_encoder options = {.pooling = "mean", .has_type_input = true, .has_dense = true};
    return make_victim(test_encoder_graph(&options));
}

/* With values of 8 bits. */
static victim make_wide_int8(void)
{
    const test_encoder options = {.pooling = "mean", .is_wide = true};
    return make_precise_victim(test_encoder_graph(&options), QEFF_PRECISION_INT8);
}

/* y = exp(x) w + c, and its shape. */
static victim make_generic(void)
{
    qeff_error err = {0};
    qeff_builder *b = NULL;
    qeff_graph *graph = NULL;
    const int64_t axis_value = 0;
    const qeff_shape shape = {.rank = 2, .dims = {qeff_dim_named("n"), qeff_dim_of(3)}};
    ASSERT_OK(qb_create("generic", NULL, &b, &err));
    const qeff_value x = qb_input(b, "x", QEFF_DTYPE_F32, &shape);
    const qeff_value e = qb_unary(b, QEFF_OP_EXP, x);
    const qeff_value w = test_constant(b, "w", QEFF_DTYPE_F32, "3,4", 1.0F);
    const qeff_value h = qb_binary(b, QEFF_OP_MATMUL, e, w);
    const qeff_value c = test_constant(b, "c", QEFF_DTYPE_F16, "4", 1.0F);
    const qeff_value y = qb_binary(b, QEFF_OP_ADD, h, c);
    const qeff_value axes = qb_ints(b, &axis_value, 1);
    const qeff_value sum = qb_binary(b, QEFF_OP_REDUCE_SUM, y, axes);
    qb_output(b, "y", y);
    qb_output(b, "sum", sum);
    ASSERT_OK(qb_finish(b, &graph, &err));
    return make_victim(graph);
}

static void free_victim(victim *v)
{
    qeff_buffer_deinit(&v->plan);
    qeff_buffer_deinit(&v->constants);
}

/* The plan with the first `from` replaced by `to`. */
static qeff_buffer replace(const qeff_buffer *plan, const char *from, const char *to)
{
    qeff_buffer out = {0};
    const size_t n = strlen(from);
    size_t at = 0;
    while (at + n <= plan->size && memcmp(plan->data + at, from, n) != 0)
        at++;
    if (at + n > plan->size)
        fail_msg("the plan has no %s:\n%.*s", from, (int)plan->size, plan->data);
    qeff_buffer_append(&out, plan->data, at);
    qeff_buffer_append_text(&out, to);
    qeff_buffer_append(&out, plan->data + at + n, plan->size - at - n);
    return out;
}

static qeff_status
try_load(qeff_bytes plan, qeff_bytes constants, test_program *program, qeff_error *err)
{
    return test_program_load(&qeff_backend_cpu, plan, constants, program, err);
}

static void refuse(const victim *v, const char *from, const char *to, const char *message)
{
    qeff_error err = {0};
    test_program p;
    qeff_buffer changed = replace(&v->plan, from, to);
    const qeff_status status =
        try_load(qeff_buffer_bytes(&changed), qeff_buffer_bytes(&v->constants), &p, &err);
    if (status == QEFF_OK || !strstr(err.message, message))
        fail_msg("'%s' -> '%s': status %d, '%s' lacks '%s'", from, to, (int)status, err.message,
                 message);
    assert_true(status == QEFF_ERR_FORMAT || status == QEFF_ERR_UNSUPPORTED);
    qeff_buffer_deinit(&changed);
}

/* --- ragged plans -------------------------------------------------------------------------------
 */

TEST(load, takes_the_program_as_it_was_written)
{
    (void)state_;
    qeff_error err = {0};
    for (int i = 0; i < 2; i++) {
        test_program p;
        victim v = i ? make_generic() : make_ragged();
        ASSERT_OK(try_load(qeff_buffer_bytes(&v.plan), qeff_buffer_bytes(&v.constants), &p, &err));
        test_program_close(&p);
        free_victim(&v);
    }
}

TEST(load, refuses_another_format_kind_or_instruction_set)
{
    (void)state_;
    victim v = make_ragged();
    refuse(&v, "\"format\": 2", "\"format\": 1", "key 'format': expected 2, found 1");
    refuse(&v, "\"format\": 2", "\"format\": \"2\"", "key 'format'");
    refuse(&v, "\"ragged\"", "\"square\"", "unknown kind 'square'");
    refuse(&v, "\"level\": \"scalar\"", "\"level\": \"sse9\"", "unknown instruction set 'sse9'");
    refuse(&v, "\"level\": \"scalar\"", "\"levels\": 1", "key 'level'");
    refuse(&v, "{", "[{", "line");
    free_victim(&v);
}

TEST(load, refuses_constants_outside_their_image)
{
    (void)state_;
    victim v = make_ragged();
    refuse(&v, "\"offset\": 0", "\"offset\": 123456789", "lie outside constants.bin");
    refuse(&v, "\"offset\": 0", "\"offset\": 9223372036854775807", "lie outside constants.bin");
    refuse(&v, "\"offset\": 0", "\"offset\": -64", "key 'offset'");
    refuse(&v, "\"offset\": 0", "\"offset\": 4", "is not a multiple of 64");
    refuse(&v, "\"rows\": 50", "\"rows\": 2147483647", "lie outside constants.bin");
    refuse(&v, "\"rows\": 50", "\"rows\": 0", "key 'rows'");
    refuse(&v, "\"dtype\": \"f32\", \"rows\": 50", "\"dtype\": \"i64\", \"rows\": 50",
           "table of i64");
    refuse(&v, "\"kind\": \"panels\", \"dtype\": \"f32\"",
           "\"kind\": \"panels\", \"dtype\": \"f16\"", "panels of f16");
    refuse(&v, "\"kind\": \"vector\"", "\"kind\": \"matrix\"", "unknown word 'matrix'");
    free_victim(&v);
}

TEST(load, refuses_steps_that_read_what_is_not_there)
{
    (void)state_;
    victim v = make_ragged();
    refuse(&v, "\"do\": \"linear\", \"out\": [1, 0, 72], \"x\": [0,",
           "\"do\": \"linear\", \"out\": [1, 0, 72], \"x\": [3,", "read before it is written");
    refuse(&v, "\"x\": [0, 0, 24]", "\"x\": [1000, 0, 24]", "value 1000 of");
    refuse(&v, "\"x\": [0, 0, 24]", "\"x\": [-1, 0, 24]", "element 0");
    refuse(&v, "\"x\": [0, 0, 24]", "\"x\": [0, 1, 24]", "columns 1 to 25 of a value of 24");
    refuse(&v, "\"x\": [0, 0, 24]", "\"x\": [0, 0, 0]", "element 2");
    refuse(&v, "\"x\": [0, 0, 24]", "\"x\": [0, 0]", "expected 3 numbers, found 2");
    refuse(&v, "\"weight\": 5", "\"weight\": 500", "constant 500 of");
    refuse(&v, "\"weight\": 5", "\"weight\": 0", "expected panels");
    refuse(&v, "\"do\": \"linear\"", "\"do\": \"loop\"", "unknown word 'loop'");
    free_victim(&v);
}

TEST(load, refuses_linears_of_8_bits_without_what_they_need)
{
    (void)state_;
    const test_encoder options = {.pooling = "mean"};
    victim v = make_precise_victim(test_encoder_graph(&options), QEFF_PRECISION_INT8);
    refuse(&v, "\"precision\": \"bf16\"", "\"precision\": \"int8\"",
           "expected 'bf16' of attention");
    refuse(&v, "\"precision\": \"int8\"", "\"precision\": \"int4\"", "unknown word 'int4'");
    refuse(&v, "\"precision\": \"int8\"", "\"precision\": \"bf16\"", "expected panels of bf16");
    refuse(&v, "\"precision\": \"int8\"", "\"_\": 0", "expected panels of f32");
    refuse(&v, "\"w_scale\": ", "\"scale\": ", "key 'w_scale'");
    refuse(&v, "\"w_sum\": ", "\"sum\": ", "key 'w_sum'");
    refuse(&v, "\"dtype\": \"i32\"", "\"dtype\": \"f32\"", "expected vector of i32");
    refuse(&v, "\"factor\": ", "\"_\": ", "key 'factor'");
    free_victim(&v);
}

TEST(load, refuses_values_of_8_bits_where_they_do_not_belong)
{
    (void)state_;
    victim v = make_wide_int8();
    const char *const packed = "\"width\": 400, \"block\": 384}";
    refuse(&v, packed, "\"width\": 400}", "key 'factor'");
    refuse(&v, packed, "\"width\": 400, \"block\": 0}", "key 'block'");
    refuse(&v, packed, "\"width\": 400, \"block\": 24}", "expected a multiple of 16, found 24");
    refuse(&v, packed, "\"width\": 400, \"block\": 192}", "operands of these numbers");
    refuse(&v, "\"width\": 24}", "\"width\": 24, \"block\": 384}", "operands of these numbers");
    refuse(&v, "\"width\": 72}", "\"width\": 72, \"block\": 384}", "key 'out_factor'");
    refuse(&v, "\"out_factor\": ", "\"_\": ", "key 'out_factor'");
    free_victim(&v);
}

TEST(load, refuses_values_written_twice_or_in_parts)
{
    (void)state_;
    victim v = make_ragged();
    refuse(&v, "\"out\": [2,", "\"out\": [0,", "written out of order");
    refuse(&v, "\"out\": [2, 0, 24]", "\"out\": [2, 0, 12]", "do not agree");
    free_victim(&v);
}

TEST(load, refuses_shapes_that_kernels_do_not_take)
{
    (void)state_;
    victim v = make_ragged();
    refuse(&v, "\"n_heads\": 3", "\"n_heads\": 5", "do not agree");
    refuse(&v, "\"n_heads\": 3", "\"n_heads\": 0", "key 'n_heads'");
    refuse(&v, "\"scale\": 0.35", "\"scale\": 1e300, \"_\": 0.35", "finite");
    refuse(&v, "{\"rows\": \"token\", \"width\": 72}", "{\"rows\": \"sequence\", \"width\": 72}",
           "do not agree");
    refuse(&v, "{\"rows\": \"token\", \"width\": 72}", "{\"rows\": \"token\", \"width\": 0}",
           "key 'width'");
    refuse(&v, "{\"rows\": \"token\", \"width\": 72}", "{\"rows\": \"token\", \"width\": 1e9}",
           "key 'width'");
    refuse(&v, "\"mode\": \"mean\"", "\"mode\": \"median\"", "unknown word 'median'");
    refuse(&v, "\"terms\": [{", "\"terms\": [], \"_\": [{", "expected at least one");
    refuse(&v, "\"by\": \"position\"", "\"by\": \"vector\"", "expected vector");
    free_victim(&v);
}

/* A pruned plan mixes both kinds of rows: no value may change from one to the other. */
TEST(load, refuses_rows_of_another_kind_wherever_they_are)
{
    (void)state_;
    static const char *const from[] = {"\"token\", \"width\"", "\"sequence\", \"width\""};
    const test_encoder options = {.pooling = "cls", .has_dense = true};
    victim v = make_victim(test_encoder_graph(&options));
    size_t n_changed = 0;
    for (size_t kind = 0; kind < 2; kind++)
        for (size_t at = 0; at + strlen(from[kind]) <= v.plan.size; at++) {
            qeff_error err = {0};
            test_program p;
            if (memcmp(v.plan.data + at, from[kind], strlen(from[kind])) != 0) continue;
            qeff_buffer changed = {0};
            qeff_buffer_append(&changed, v.plan.data, at);
            qeff_buffer_append_text(&changed, from[1 - kind]);
            qeff_buffer_append(&changed, v.plan.data + at + strlen(from[kind]),
                               v.plan.size - at - strlen(from[kind]));
            assert_int_equal(
                try_load(qeff_buffer_bytes(&changed), qeff_buffer_bytes(&v.constants), &p, &err),
                QEFF_ERR_FORMAT);
            qeff_buffer_deinit(&changed);
            n_changed++;
        }
    assert_true(n_changed >= 15);
    free_victim(&v);
}

TEST(load, refuses_inputs_and_outputs_that_do_not_fit)
{
    (void)state_;
    victim v = make_ragged();
    refuse(&v, "\"role\": \"mask\"", "\"role\": \"spare\"", "unknown word 'spare'");
    refuse(&v, "\"role\": \"ids\"", "\"role\": \"mask\"", "at most one mask, found 1 and 2");
    refuse(&v, "\"name\": \"attention_mask\"", "\"name\": \"input_ids\"", "'input_ids' is taken");
    refuse(&v, "\"name\": \"attention_mask\"", "\"name\": \"\"", "key 'name'");
    refuse(&v, "[\"batch_size\", \"seq_len\"]", "[\"batch_size\", 7]",
           "integers [batch, sequence]");
    refuse(&v, "[\"batch_size\", \"seq_len\"]", "[\"n\", \"seq_len\"]",
           "integers [batch, sequence]");
    refuse(&v, "[\"batch_size\", 24]", "[\"batch_size\", 23]", "not that of its value");
    refuse(&v, "[\"batch_size\", 24]", "[1, 24]", "not that of its value");
    refuse(&v, "[\"batch_size\", 24]", "[1, 1, 1, 1, 1, 1, 1, 1, 1]", "at most 8 dims");
    refuse(&v, "\"input\": \"token_type_ids\"", "\"input\": \"attention_mask\"", "no token input");
    free_victim(&v);
}

TEST(load, refuses_a_truncated_plan)
{
    (void)state_;
    qeff_error err = {0};
    for (int kind = 0; kind < 2; kind++) {
        victim v = kind ? make_generic() : make_ragged();
        for (size_t size = 0; size + 3 < v.plan.size; size += 41) {
            test_program p;
            const qeff_bytes plan = {v.plan.data, size};
            assert_int_equal(try_load(plan, qeff_buffer_bytes(&v.constants), &p, &err),
                             QEFF_ERR_FORMAT);
        }
        for (size_t size = 0; size < v.constants.size; size += 64) {
            test_program p;
            const qeff_bytes constants = {v.constants.data, size};
            ASSERT_FAILS(try_load(qeff_buffer_bytes(&v.plan), constants, &p, &err), QEFF_ERR_FORMAT,
                         "constants.bin");
        }
        free_victim(&v);
    }
}

TEST(load, refuses_a_program_for_instructions_that_are_not_in_use)
{
    (void)state_;
    qeff_error err = {0};
    test_program p;
    unsigned flags = 0;
    assert_int_equal(qeff_cpu_detect(&flags, NULL), QEFF_OK);
    /* The test runs again with QEFF_CPU=scalar and avx2. */
    const unsigned all = QEFF_CPU_AVX2 | QEFF_CPU_AVX512 | QEFF_CPU_VNNI | QEFF_CPU_BF16;
    if ((flags & all) == all) return;
    victim v = make_ragged();
    qeff_buffer changed =
        replace(&v.plan, "\"level\": \"scalar\"", "\"level\": \"avx512+vnni+bf16\"");
    ASSERT_FAILS(try_load(qeff_buffer_bytes(&changed), qeff_buffer_bytes(&v.constants), &p, &err),
                 QEFF_ERR_UNSUPPORTED,
                 "program is compiled for 'avx512+vnni+bf16', this processor is used at level '");
    assert_null(strchr(err.message, '\n'));
    qeff_buffer_deinit(&changed);
    free_victim(&v);
}

/* --- graphs -------------------------------------------------------------------------------------
 */

TEST(load, refuses_graphs_that_do_not_hold_together)
{
    (void)state_;
    victim v = make_generic();
    refuse(&v, "\"op\": \"exp\"", "\"op\": \"fork\"", "unknown op 'fork'");
    refuse(&v, "\"op\": \"exp\"", "\"op\": \"matmul\"", "operand");
    refuse(&v, "\"inputs\": [0]", "\"inputs\": [4]", "element 0"); /* its own result */
    refuse(&v, "\"inputs\": [0]", "\"inputs\": [-2]", "element 0");
    refuse(&v, "\"inputs\": [0]", "\"inputs\": [0, 0]", "operand");
    refuse(&v, "\"shape\": [3, 4]", "\"shape\": [4, 4]", "inner dimension");
    refuse(&v, "\"shape\": [3, 4]", "\"shape\": [2147483647, 2147483647]", "outside constants.bin");
    refuse(&v, "\"offset\": 0", "\"offset\": 32", "offset 32");
    refuse(&v, "\"dtype\": \"f32\"", "\"dtype\": \"f64\"", "f64");
    refuse(&v, "\"attributes\": {}", "\"attributes\": {\"axis\": \"one\"}", "axis");
    refuse(&v, "\"attributes\": {}", "\"attributes\": {\"colour\": 1}", "colour");
    free_victim(&v);
}

/* --- any change ---------------------------------------------------------------------------------
 */

/* What still loads must run, or refuse the call, without touching memory that is not its own. */
static void run_anything(const test_program *p)
{
    int64_t integers[64] = {0};
    float *floats = calloc(1 << 16, sizeof *floats);
    qeff_run_tensor inputs[8], outputs[8];
    size_t n_inputs = 0, n_outputs = 0;
    void *session = NULL;
    const qeff_bind_options bind = {.n_threads = 1};
    const qeff_io_spec *in = p->backend->inputs(p->loaded, &n_inputs);
    const qeff_io_spec *out = p->backend->outputs(p->loaded, &n_outputs);
    assert_non_null(floats);
    if (n_inputs <= 8 && n_outputs <= 8 &&
        p->backend->bind(p->loaded, &bind, &session, NULL) == QEFF_OK) {
        for (size_t i = 0; i < n_inputs; i++) {
            inputs[i] = (qeff_run_tensor){in[i].name,
                                          in[i].dtype,
                                          in[i].shape.rank,
                                          {0},
                                          in[i].dtype == QEFF_DTYPE_F32 ? (void *)floats
                                                                        : (void *)integers};
            for (size_t d = 0; d < in[i].shape.rank; d++)
                inputs[i].shape[d] = in[i].shape.dims[d].symbol ? 2 : in[i].shape.dims[d].size % 4;
        }
        for (size_t i = 0; i < n_outputs; i++) {
            outputs[i] =
                (qeff_run_tensor){out[i].name, out[i].dtype, out[i].shape.rank, {0}, floats};
            for (size_t d = 0; d < out[i].shape.rank; d++)
                outputs[i].shape[d] =
                    out[i].shape.dims[d].size > 0 ? out[i].shape.dims[d].size % 4096 : 2;
        }
        const qeff_run_call call = {inputs, n_inputs, 0, NULL, outputs, n_outputs};
        if (p->backend->reserve(session, 2, 4, 2, NULL) == QEFF_OK)
            (void)p->backend->run(session, &call, NULL);
        p->backend->unbind(session);
    }
    free(floats);
}

TEST(load, survives_any_changed_character)
{
    (void)state_;
    static const char characters[] = "0123456789-,[]{}\"aeox";
    test_seed(11);
    for (int kind = 0; kind < 3; kind++) {
        victim v = kind == 0 ? make_ragged() : kind == 1 ? make_generic() : make_wide_int8();
        for (int i = 0; i < 600; i++) {
            test_program p;
            const size_t at = (size_t)((test_uniform() + 1.0F) * 0.4999F * (float)v.plan.size);
            const size_t c = (size_t)((test_uniform() + 1.0F) * 10.4F);
            const uint8_t before = v.plan.data[at];
            v.plan.data[at] = (uint8_t)characters[c];
            if (try_load(qeff_buffer_bytes(&v.plan), qeff_buffer_bytes(&v.constants), &p, NULL) ==
                QEFF_OK) {
                run_anything(&p);
                test_program_close(&p);
            }
            v.plan.data[at] = before;
        }
        free_victim(&v);
    }
}

/* --- memory -------------------------------------------------------------------------------------
 */

static qeff_status compile_and_run(const qeff_graph *graph, qeff_precision precision,
                                   const char *path, const test_call *call, qeff_error *err)
{
    const qeff_compile_options options = {.cpu_flags = 0, .precision = precision};
    test_program p = {.backend = &qeff_backend_cpu};
    qeff_compiled compiled = {0};
    qeff_status status = qeff_backend_cpu.compile(graph, &options, &compiled, err);
    if (!status) status = test_program_write(&compiled, path, err);
    if (compiled.destroy) compiled.destroy(compiled.ctx);
    if (!status) status = qeff_qpc_open(path, &p.qpc, err);
    if (!status) status = qeff_backend_cpu.load(p.qpc, &p.loaded, err);
    if (!status) status = test_run_once(&p, 2, call, err);
    if (p.loaded) qeff_backend_cpu.unload(p.loaded);
    qeff_qpc_close(p.qpc);
    return status;
}

TEST(memory, may_end_anywhere)
{
    (void)state_;
    static const int64_t ids[] = {1, 2, 3}, mask[] = {1, 1, 0};
    float out[3 * TEST_HIDDEN];
    qeff_error err = {0};
    test_folder folder;
    test_folder_create(&folder);
    const char *path = test_path(&folder, "program.bin");
    /* int8-mixed does what int8 and bf16 do. */
    static const qeff_precision precisions[] = {QEFF_PRECISION_FP32, QEFF_PRECISION_INT8_MIXED,
                                                QEFF_PRECISION_FP32};
    for (int i = 0; i < 3; i++) {
        const bool is_generic = i == 2;
        const test_encoder options = {.pooling = "mean", .has_dense = true};
        qeff_graph *graph = test_encoder_graph(&options);
        const test_call call = {.batch = 1,
                                .length = 3,
                                .ids = ids,
                                .mask = mask,
                                .width = TEST_HIDDEN,
                                .is_pooled = true,
                                .output = out};
        if (is_generic) /* a dim of its own name keeps the graph from being ragged */
            graph->values[graph->inputs[1]].shape.dims[1].symbol = "mask_len";
        TEST_EACH_ALLOCATION(compile_and_run(graph, precisions[i], path, &call, &err), (void)0);
        qeff_graph_destroy(graph);
    }
    test_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(load, takes_the_program_as_it_was_written),
        RUN(load, refuses_another_format_kind_or_instruction_set),
        RUN(load, refuses_constants_outside_their_image),
        RUN(load, refuses_steps_that_read_what_is_not_there),
        RUN(load, refuses_linears_of_8_bits_without_what_they_need),
        RUN(load, refuses_values_of_8_bits_where_they_do_not_belong),
        RUN(load, refuses_values_written_twice_or_in_parts),
        RUN(load, refuses_shapes_that_kernels_do_not_take),
        RUN(load, refuses_rows_of_another_kind_wherever_they_are),
        RUN(load, refuses_inputs_and_outputs_that_do_not_fit),
        RUN(load, refuses_a_truncated_plan),
        RUN(load, refuses_a_program_for_instructions_that_are_not_in_use),
        RUN(load, refuses_graphs_that_do_not_hold_together),
        RUN(load, survives_any_changed_character),
        RUN(memory, may_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
