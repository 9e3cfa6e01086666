/* batching_test.c - ragged batching never changes a result, only the calls it takes. */
#include "runtime/batching.h"

#include "runtime/fake_backend.h"
#include "test.h"

#include <stdlib.h>

enum { N = 101 };

typedef struct texts {
    int64_t offsets[N + 1];
    int64_t ids[N * 40];
    float expected[N][FAKE_DIM];
} texts;

/* Lengths 1..39 in no order; the generator is fixed. */
static texts *make_texts(void)
{
    texts *t = calloc(1, sizeof *t);
    uint32_t state = 12345;
    for (int i = 0; i < N; i++) {
        state = state * 1664525u + 1013904223u;
        const int64_t length = 1 + (int64_t)(state >> 8) % 39;
        t->offsets[i + 1] = t->offsets[i] + length;
        for (int64_t k = t->offsets[i]; k < t->offsets[i + 1]; k++) {
            state = state * 1664525u + 1013904223u;
            t->ids[k] = (state >> 8) % 1000;
        }
        fake_vector(t->ids + t->offsets[i], (size_t)length, t->expected[i]);
    }
    return t;
}

static qeff_status
run(const texts *t, size_t n, size_t batch_size, size_t max_tokens, float *values, qeff_error *err)
{
    qeff_session *session = NULL;
    const qeff_session_options one = {.n_threads = 1};
    assert_int_equal(qeff_session_create(&fake_program, &one, &session, err), QEFF_OK);
    const qeff_token_batch batch = {t->ids, NULL, t->offsets, n};
    const qeff_batching_options options = {.batch_size = batch_size, .max_tokens = max_tokens};
    fake = (fake_log){.fails = fake.fails};
    const qeff_status status =
        qeff_batch_run(session, &batch, &options, "output", true, FAKE_DIM, values, err);
    assert_int_equal(qeff_session_destroy(session), QEFF_OK);
    return status;
}

TEST(batching, restores_the_order_for_every_batch_size)
{
    qeff_error err = {0};
    texts *t = make_texts();
    for (size_t batch_size = 1; batch_size <= N + 1; batch_size++) {
        float values[N][FAKE_DIM];
        memset(values, 0xff, sizeof values);
        ASSERT_OK(run(t, N, batch_size, 100000, &values[0][0], &err));
        assert_memory_equal(values, t->expected, sizeof values);
        assert_int_equal(fake.n_calls, (N + batch_size - 1) / batch_size);
    }
    free(t);
}

TEST(batching, keeps_calls_below_the_token_limit)
{
    qeff_error err = {0};
    texts *t = make_texts();
    float values[N][FAKE_DIM];
    ASSERT_OK(run(t, N, 1000, 64, &values[0][0], &err));
    assert_memory_equal(values, t->expected, sizeof values);
    assert_true(fake.largest_tokens <= 64);
    assert_true(fake.n_calls > N * 20 / 64 / 2);
    free(t);
}

TEST(batching, runs_a_sequence_over_the_limit_alone)
{
    qeff_error err = {0};
    texts *t = make_texts();
    float values[N][FAKE_DIM];
    ASSERT_OK(run(t, N, 1000, 1, &values[0][0], &err));
    assert_memory_equal(values, t->expected, sizeof values);
    assert_int_equal(fake.n_calls, N);
    free(t);
}

TEST(batching, of_nothing_runs_nothing)
{
    qeff_error err = {0};
    texts *t = make_texts();
    ASSERT_OK(run(t, 0, 8, 64, NULL, &err));
    assert_int_equal(fake.n_calls, 0);
    free(t);
}

TEST(batching, hands_a_device_error_on)
{
    qeff_error err = {0};
    texts *t = make_texts();
    float values[N][FAKE_DIM];
    fake.fails = true;
    ASSERT_FAILS(run(t, N, 8, 64, &values[0][0], &err), QEFF_ERR_DEVICE, "fake device");
    fake.fails = false;
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(batching, restores_the_order_for_every_batch_size),
        RUN(batching, keeps_calls_below_the_token_limit),
        RUN(batching, runs_a_sequence_over_the_limit_alone),
        RUN(batching, of_nothing_runs_nothing),
        RUN(batching, hands_a_device_error_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
