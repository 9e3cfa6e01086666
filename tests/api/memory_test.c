/* memory_test.c - what encoding and measuring take: nothing in the step path, the same few blocks a
 * call however many texts there are, and no harm where there is none left. */
#include "base/cpu.h"
#include "base/span.h"
#include "base/support.h"
#include "runtime/session.h"

#include <qeff/qeff.h>
#include <stdlib.h>

#define GOLDEN QEFF_TEST_DATA "/golden/sentence_transformers/new_mean"

enum { N_MANY = 1000, DIM = 16, VOCAB = 57, LENGTH_MAX = 24 };

static const char *const precisions[] = {"fp32", "bf16", "int8", "int8-mixed"};
enum { N_PRECISIONS = sizeof precisions / sizeof *precisions };

static qeff_error err;
static test_folder folder;
static char programs[N_PRECISIONS][300];

static int compile_programs(void **state)
{
    (void)state;
    test_folder_create(&folder);
    for (size_t i = 0; i < N_PRECISIONS; i++) {
        qeff_auto_model *model = NULL;
        const qeff_auto_model_options options = {.no_cache = true, .precision = precisions[i]};
        (void)snprintf(programs[i], sizeof programs[i], "%s/%s", folder.path, precisions[i]);
        if (qeff_auto_model_from_pretrained(GOLDEN, &options, &model, &err)) return -1;
        const qeff_status status = qeff_auto_model_compile(model, programs[i], NULL, &err);
        qeff_auto_model_destroy(model);
        if (status) return -1;
    }
    return 0;
}

static int remove_programs(void **state)
{
    (void)state;
    test_folder_remove(&folder);
    return 0;
}

static int threads_at_most_2(void)
{
    return qeff_cpu_threads() < 2 ? 1 : 2;
}

static qeff_auto_model *open_model(const char *program, int n_threads)
{
    qeff_auto_model *model = NULL;
    const qeff_auto_model_options options = {.n_threads = n_threads};
    ASSERT_OK(qeff_auto_model_from_pretrained(program, &options, &model, &err));
    return model;
}

/* Texts of 3 to 14 tokens. */
static const qeff_str *make_texts(void)
{
    static const char words[] = "the cat sat on the dog the cat sat on the dog";
    static qeff_str texts[N_MANY];
    for (size_t i = 0; i < N_MANY; i++)
        texts[i] = (qeff_str){words, 3 + i * 7 % (sizeof words - 4)};
    return texts;
}

/* --- the step path ------------------------------------------------------------------------------
 */

typedef struct ragged {
    int64_t ids[64 * LENGTH_MAX], offsets[65];
    float values[64 * DIM];
} ragged;

static void make_ragged(ragged *r)
{
    uint32_t seed = 3;
    r->offsets[0] = 0;
    for (size_t i = 0; i < 64; i++) {
        seed = seed * 1664525U + 1013904223U;
        r->offsets[i + 1] = r->offsets[i] + 1 + (seed >> 8) % LENGTH_MAX;
    }
    for (int64_t t = 0; t < r->offsets[64]; t++)
        r->ids[t] = t * 7 % VOCAB;
}

static qeff_status run_ragged(qeff_session *session, ragged *r, size_t n)
{
    const qeff_run_tensor in = {QEFF_STR("input_ids"), QEFF_DTYPE_I64, 1, {r->offsets[n]}, r->ids};
    qeff_run_tensor out = {QEFF_STR("output"), QEFF_DTYPE_F32, 2, {(int64_t)n, DIM}, r->values};
    const qeff_run_call call = {.inputs = &in,
                                .n_inputs = 1,
                                .n_sequences = n,
                                .offsets = r->offsets,
                                .outputs = &out,
                                .n_outputs = 1};
    return qeff_session_run_ragged(session, &call, &err);
}

TEST(session, allocates_nothing_once_it_has_seen_a_call_as_large)
{
    static ragged r;
    make_ragged(&r);
    for (size_t p = 0; p < N_PRECISIONS; p++) {
        qeff_program *program = NULL;
        ASSERT_OK(qeff_program_open(programs[p], &program, &err));
        for (int n_threads = 1; n_threads <= threads_at_most_2(); n_threads++) {
            qeff_session *session = NULL;
            bool was_injected = false;
            const qeff_session_options options = {.n_threads = n_threads};
            ASSERT_OK(qeff_session_create(program, &options, &session, &err));
            ASSERT_OK(run_ragged(session, &r, 64));
            test_allocator_arm(0);
            for (size_t n = 1; n <= 64; n++)
                ASSERT_OK(run_ragged(session, &r, n));
            assert_int_equal(test_allocator_calls(), 0);
            (void)test_allocator_disarm(&was_injected);
            assert_int_equal(qeff_session_destroy(session), QEFF_OK);
        }
        qeff_program_close(program);
    }
}

/* --- encode -------------------------------------------------------------------------------------
 */

static size_t count_allocations(qeff_auto_model *model, const qeff_str *texts, size_t n)
{
    bool was_injected = false;
    qeff_embeddings *e = NULL;
    test_allocator_arm(0);
    ASSERT_OK(qeff_auto_model_encode(model, texts, n, NULL, &e, &err));
    qeff_embeddings_destroy(e);
    const size_t n_calls = test_allocator_calls();
    assert_int_equal(test_allocator_disarm(&was_injected), 0); /* all was given back */
    return n_calls;
}

/* Lists that double are the only ones that know of the number of texts. */
TEST(encode, takes_a_few_blocks_a_call)
{
    const qeff_str *texts = make_texts();
    for (size_t p = 0; p < N_PRECISIONS; p++)
        for (int n_threads = 1; n_threads <= threads_at_most_2(); n_threads++) {
            qeff_embeddings *e = NULL;
            qeff_auto_model *model = open_model(programs[p], n_threads);
            ASSERT_OK(qeff_auto_model_encode(model, texts, N_MANY, NULL, &e, &err));
            qeff_embeddings_destroy(e);
            const size_t few = count_allocations(model, texts, 1);
            assert_in_range(few, 1, 30);
            assert_in_range(count_allocations(model, texts, 32), few, few + 8);
            assert_in_range(count_allocations(model, texts, N_MANY), few, few + 16);
            assert_int_equal(count_allocations(model, texts, 1), few);
            qeff_auto_model_destroy(model);
        }
}

static void expect_bits(qeff_auto_model *model, const qeff_str *texts, size_t n, const float *bits)
{
    qeff_embeddings *e = NULL;
    ASSERT_OK(qeff_auto_model_encode(model, texts, n, NULL, &e, &err));
    assert_memory_equal(e->values, bits, n * DIM * sizeof(float));
    qeff_embeddings_destroy(e);
}

/* Encodes with each allocation failing in turn; after each failure the model gives the right bits.
 * @param grows  only the growth of the workspace can fail, not what the first call takes */
static void fail_each_allocation(size_t p, int n_threads, bool grows)
{
    enum { N = 40 };
    const qeff_str *texts = make_texts();
    qeff_auto_model *model = open_model(programs[p], n_threads);
    qeff_embeddings *expected = NULL;
    ASSERT_OK(qeff_auto_model_encode(model, texts, N, NULL, &expected, &err));
    qeff_auto_model_destroy(model);
    bool was_injected = true;
    for (size_t fail_at = 1; was_injected; fail_at++) {
        qeff_embeddings *e = NULL;
        model = open_model(programs[p], n_threads);
        if (grows) expect_bits(model, texts, 1, expected->values);
        err = (qeff_error){0};
        test_allocator_arm(fail_at);
        const qeff_status status = qeff_auto_model_encode(model, texts, N, NULL, &e, &err);
        (void)test_allocator_disarm(&was_injected);
        if (was_injected) {
            assert_int_equal(status, QEFF_ERR_NO_MEMORY);
            assert_true(err.message[0] != '\0' && !strchr(err.message, '\n'));
            assert_null(e);
        } else {
            assert_int_equal(status, QEFF_OK);
        }
        qeff_embeddings_destroy(e);
        expect_bits(model, texts, N, expected->values);
        qeff_auto_model_destroy(model);
        assert_true(fail_at < 1000);
    }
    qeff_embeddings_destroy(expected);
}

TEST(encode, survives_each_failing_allocation)
{
    for (size_t p = 0; p < N_PRECISIONS; p++)
        for (int n_threads = 1; n_threads <= threads_at_most_2(); n_threads++) {
            fail_each_allocation(p, n_threads, false);
            fail_each_allocation(p, n_threads, true);
        }
}

/* --- measuring ----------------------------------------------------------------------------------
 */

TEST(probe, survives_each_failing_allocation)
{
    double flops = 0;
    TEST_EACH_ALLOCATION(qeff_cpu_probe(threads_at_most_2(), 1e-4, &flops, &err), (void)flops);
}

static void ignore_event(void *ctx, const qeff_profile_event *event)
{
    (void)ctx;
    (void)event;
}

TEST(profile, survives_each_failing_allocation)
{
    const qeff_str *texts = make_texts();
    const qeff_profile profile = {.record = ignore_event};
    bool was_injected = true;
    for (size_t fail_at = 1; was_injected; fail_at++) {
        qeff_embeddings *e = NULL;
        qeff_auto_model *model = open_model(programs[0], threads_at_most_2());
        test_allocator_arm(fail_at);
        const qeff_status status = qeff_auto_model_set_profile(model, &profile, &err);
        (void)test_allocator_disarm(&was_injected);
        assert_int_equal(status, was_injected ? QEFF_ERR_NO_MEMORY : QEFF_OK);
        ASSERT_OK(qeff_auto_model_encode(model, texts, 40, NULL, &e, &err)); /* on or off */
        qeff_embeddings_destroy(e);
        ASSERT_OK(qeff_auto_model_set_profile(model, NULL, &err));
        qeff_auto_model_destroy(model);
        assert_true(fail_at < 1000);
    }
}

TEST(encode_ids, survives_each_failing_allocation)
{
    static const int64_t ids[] = {2, 5, 3, 2, 9, 8, 7, 6, 3, 2, 3};
    static const size_t offsets[] = {0, 3, 9, 11};
    qeff_embeddings *e = NULL;
    qeff_auto_model *model = open_model(programs[0], threads_at_most_2());
    ASSERT_OK(qeff_auto_model_encode_ids(model, ids, offsets, 3, NULL, &e, &err));
    qeff_embeddings_destroy(e);
    TEST_EACH_ALLOCATION(qeff_auto_model_encode_ids(model, ids, offsets, 3, NULL, &e, &err),
                         qeff_embeddings_destroy(e));
    qeff_auto_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(session, allocates_nothing_once_it_has_seen_a_call_as_large),
        RUN(encode, takes_a_few_blocks_a_call),
        RUN(encode, survives_each_failing_allocation),
        RUN(probe, survives_each_failing_allocation),
        RUN(profile, survives_each_failing_allocation),
        RUN(encode_ids, survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, compile_programs, remove_programs);
}
