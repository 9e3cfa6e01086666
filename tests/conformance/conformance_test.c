/* conformance_test.c - one suite for every backend: each case of cases.def and some small encoders,
 * against the reference in double, as they stand and with their composites decomposed, at each
 * instruction-set level. */
#include "conformance/conformance.h"

#include "base/span.h"
#include "graph/op.h"
#include "transforms/transforms.h"

#include <math.h>

static const conformance_backend *const backends[] = {&conformance_cpu, &conformance_null};
enum { BACKENDS = 2, CALL_INPUTS = 3 };

static const char *exception_of(const conformance_backend *backend, const char *name)
{
    for (const conformance_exception *e = backend->exceptions; e->name; e++)
        if (strcmp(e->name, "*") == 0 || strcmp(e->name, name) == 0) return e->reason;
    return NULL;
}

/* Ragged programs give zeros for hidden rows: with a mask, only the others are compared. */
static bool is_hidden(const ref_tensor *mask, const ref_tensor *t, size_t element)
{
    if (!mask || t->rank != 3) return false;
    return mask->data[element / (size_t)t->dims[2]] == 0.0;
}

static void compare(const char *name, const char *how, const ref_tensor *expected,
                    const ref_tensor *found, const ref_tensor *mask)
{
    for (size_t i = 0; i < expected->count; i++) {
        const double e = expected->data[i], f = found->data[i];
        if (is_hidden(mask, expected, i)) continue;
        if (!(fabs(e - f) <= 4e-6 * fmax(1.0, fabs(e))))
            fail_msg("case '%s', %s: element %zu: expected %.9g, found %.9g", name, how, i, e, f);
    }
}

static const ref_tensor *find_mask(const qeff_graph *graph, const ref_tensor *inputs)
{
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (qeff_str_is(qeff_graph_value(graph, graph->inputs[i])->name, "attention_mask"))
            return &inputs[i];
    return NULL;
}

/* Returns whether the backend made a ragged program of it. */
static bool check(const conformance_backend *backend, const char *name, const char *how,
                  const qeff_graph *graph, const ref_tensor *inputs, const ref_tensor *expected)
{
    unsigned flags[4];
    bool is_ragged = false;
    for (size_t level = test_levels(flags); level > 0; level--) {
        conformance_result result = {.n_outputs = 0};
        conformance_run(backend->backend, flags[level - 1], graph, inputs, expected, &result);
        is_ragged = result.is_ragged;
        for (size_t i = 0; i < result.n_outputs; i++)
            compare(name, how, &expected[i], &result.outputs[i],
                    is_ragged ? find_mask(graph, inputs) : NULL);
        conformance_free(&result);
    }
    return is_ragged;
}

static void check_both_ways(const conformance_backend *backend, const char *name,
                            const qeff_graph *graph, const ref_tensor *inputs, bool *is_ragged)
{
    qeff_error err = {0};
    qeff_graph *parts = NULL;
    ref_tensor expected[8], again[8];
    if (!ref_run(graph, inputs, expected)) fail_msg("case '%s' has no reference", name);
    *is_ragged = check(backend, name, "as it is", graph, inputs, expected);
    ASSERT_OK(qeff_transform_decompose(graph, &parts, &err));
    assert_true(ref_run(parts, inputs, again));
    for (size_t i = 0; i < graph->n_outputs; i++)
        compare(name, "reference decomposed", &expected[i], &again[i], NULL);
    (void)check(backend, name, "decomposed", parts, inputs, expected);
    for (size_t i = 0; i < graph->n_outputs; i++) {
        ref_free(&expected[i]);
        ref_free(&again[i]);
    }
    qeff_graph_destroy(parts);
}

TEST(backend, runs_every_case)
{
    (void)state_;
    for (size_t b = 0; b < BACKENDS; b++)
        for (size_t i = 0; i < conformance_n_cases; i++) {
            const conformance_case *c = &conformance_cases[i];
            ref_tensor inputs[CONFORMANCE_INPUTS_MAX] = {{0}};
            bool is_ragged = false;
            if (exception_of(backends[b], c->name)) continue;
            qeff_graph *graph = conformance_build(c, inputs);
            check_both_ways(backends[b], c->name, graph, inputs, &is_ragged);
            /* Cases over rows are there for the steps of ragged programs. */
            if (strstr(c->name, "rows") && !is_ragged)
                fail_msg("case '%s' did not become a ragged program", c->name);
            for (size_t k = 0; k < CONFORMANCE_INPUTS_MAX; k++)
                ref_free(&inputs[k]);
            qeff_graph_destroy(graph);
        }
}

static void make_encoder_inputs(const qeff_graph *graph, ref_tensor *inputs)
{
    static const double mask[4][6] = {
        {1, 1, 1, 1, 1, 1}, {1, 1, 0, 0, 0, 0}, {1, 0, 1, 1, 0, 1}, {1, 1, 1, 1, 0, 0}};
    const int64_t dims[] = {4, 6};
    for (size_t i = 0; i < graph->n_inputs; i++) {
        inputs[i] = ref_make(2, dims);
        for (size_t k = 0; k < inputs[i].count; k++)
            inputs[i].data[k] =
                floor(((double)test_uniform() + 1.0) / 2.0 * (i == 0 ? TEST_WORDS : 3));
    }
    memcpy(inputs[1].data, mask, sizeof mask);
}

TEST(backend, runs_encoders)
{
    (void)state_;
    static const test_encoder encoders[] = {
        {.pooling = NULL},
        {.pooling = "mean", .is_normalized = true},
        {.pooling = "cls", .has_type_input = true},
        {.pooling = "max", .has_dense = true},
        {.pooling = "weightedmean", .dtype = QEFF_DTYPE_F16},
        {.pooling = "lasttoken", .dtype = QEFF_DTYPE_BF16, .is_normalized = true},
        {.pooling = "mean_sqrt_len_tokens", .n_columns = 7},
        {.pooling = "first"},
    };
    for (size_t b = 0; b < BACKENDS; b++)
        for (size_t i = 0; i < sizeof encoders / sizeof *encoders; i++) {
            ref_tensor inputs[CALL_INPUTS] = {{0}};
            bool is_ragged = false;
            char name[64];
            (void)snprintf(name, sizeof name, "encoder %zu", i);
            if (exception_of(backends[b], name)) continue;
            qeff_graph *graph = test_encoder_graph(&encoders[i]);
            make_encoder_inputs(graph, inputs);
            check_both_ways(backends[b], name, graph, inputs, &is_ragged);
            for (size_t k = 0; k < CALL_INPUTS; k++)
                ref_free(&inputs[k]);
            qeff_graph_destroy(graph);
        }
}

TEST(cases, cover_every_op)
{
    (void)state_;
    for (int op = 0; op < QEFF_OP_COUNT; op++) {
        bool is_covered = false;
        for (size_t i = 0; i < conformance_n_cases; i++)
            is_covered |= conformance_cases[i].op == (qeff_op)op;
        if (!is_covered) fail_msg("op '%s' has no case", qeff_op_get((qeff_op)op)->name);
    }
}

TEST(exceptions, name_cases_that_exist)
{
    (void)state_;
    for (size_t b = 0; b < BACKENDS; b++)
        for (const conformance_exception *e = backends[b]->exceptions; e->name; e++) {
            bool exists = strcmp(e->name, "*") == 0 || strncmp(e->name, "encoder ", 8) == 0;
            for (size_t i = 0; i < conformance_n_cases; i++)
                exists |= strcmp(conformance_cases[i].name, e->name) == 0;
            assert_true(exists);
            assert_true(e->reason && e->reason[0]);
        }
}

/* What every backend owes its callers, whatever it runs. */
TEST(backend, says_why_where_it_cannot_be_used)
{
    (void)state_;
    for (size_t b = 0; b < BACKENDS; b++) {
        const qeff_backend *backend = backends[b]->backend;
        qeff_error err = {0};
        assert_non_null(backend->name);
        if (backend->available(&err) == QEFF_OK) continue;
        assert_true(err.message[0] != '\0');
        const test_encoder options = {.pooling = "mean"};
        qeff_graph *graph = test_encoder_graph(&options);
        const qeff_compile_options compile = {.cpu_flags = 0};
        qeff_compiled compiled;
        void *loaded = &compiled;
        ASSERT_FAILS(backend->compile(graph, &compile, &compiled, &err), QEFF_ERR_UNSUPPORTED,
                     backend->name);
        assert_int_equal(compiled.n_images, 0);
        ASSERT_FAILS(backend->load(NULL, &loaded, &err), QEFF_ERR_UNSUPPORTED, backend->name);
        assert_null(loaded);
        assert_false(backend->supports(graph, &graph->nodes[0]));
        qeff_graph_destroy(graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(cases, cover_every_op),
        RUN(exceptions, name_cases_that_exist),
        RUN(backend, says_why_where_it_cannot_be_used),
        RUN(backend, runs_every_case),
        RUN(backend, runs_encoders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
