/* session_test.c - what a session accepts, and what it says of what it does not. */
#include "runtime/session.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "runtime/fake_backend.h"
#include "test.h"

#include <pthread.h>
#include <stdlib.h>

static int64_t ids[6] = {5, 6, 7, 8, 9, 0};
static int64_t mask[6] = {1, 1, 1, 1, 1, 0};

static qeff_tensor tensor(const char *name, void *data, int64_t rows, int64_t columns)
{
    return (qeff_tensor){name, QEFF_DTYPE_I64, 2, {rows, columns}, data};
}

static qeff_session *open_session(void)
{
    qeff_error err = {0};
    qeff_session *session = NULL;
    const qeff_session_options one = {.n_threads = 1};
    ASSERT_OK(qeff_session_create(&fake_program, &one, &session, &err));
    return session;
}

TEST(session, runs_inputs_in_any_order)
{
    qeff_error err = {0};
    qeff_session *session = open_session();
    qeff_tensors *out = NULL;
    const qeff_tensor in[] = {tensor("attention_mask", mask, 2, 3), tensor("input_ids", ids, 2, 3)};
    ASSERT_OK(qeff_session_run(session, in, 2, &out, &err));
    const qeff_tensor *output = qeff_tensors_find(out, "output");
    float expected[2][FAKE_DIM];
    fake_vector(ids, 3, expected[0]);
    fake_vector(ids + 3, 2, expected[1]);
    assert_non_null(output);
    assert_int_equal(output->shape[0], 2);
    assert_int_equal(output->shape[1], FAKE_DIM);
    assert_memory_equal(output->data, expected, sizeof expected);
    assert_null(qeff_tensors_find(out, "other"));
    qeff_tensors_destroy(out);
    assert_int_equal(qeff_session_destroy(session), QEFF_OK);
}

static void refuses(const qeff_tensor *in, size_t n, const char *text)
{
    qeff_error err = {0};
    qeff_session *session = open_session();
    qeff_tensors *out = NULL;
    ASSERT_FAILS(qeff_session_run(session, in, n, &out, &err), QEFF_ERR_INVALID, text);
    assert_null(out);
    assert_int_equal(qeff_session_destroy(session), QEFF_OK);
}

TEST(session, refuses_a_missing_input)
{
    const qeff_tensor in[] = {tensor("input_ids", ids, 2, 3)};
    refuses(in, 1, "'attention_mask': expected once, found nowhere");
}

TEST(session, refuses_an_input_given_twice)
{
    const qeff_tensor in[] = {tensor("input_ids", ids, 2, 3), tensor("attention_mask", mask, 2, 3),
                              tensor("input_ids", ids, 2, 3)};
    refuses(in, 3, "'input_ids': expected once, found more than once");
}

TEST(session, refuses_an_unknown_input)
{
    const qeff_tensor in[] = {tensor("input_ids", ids, 2, 3), tensor("attention_mask", mask, 2, 3),
                              tensor("position_ids", ids, 2, 3)};
    refuses(in, 3, "'position_ids': the program has no such input");
}

TEST(session, refuses_another_dtype)
{
    qeff_tensor in[] = {tensor("input_ids", ids, 2, 3), tensor("attention_mask", mask, 2, 3)};
    in[1].dtype = QEFF_DTYPE_I32;
    refuses(in, 2, "'attention_mask': expected i64 of rank 2, found i32 of rank 2");
}

TEST(session, refuses_inputs_that_disagree_on_a_dimension)
{
    const qeff_tensor in[] = {tensor("input_ids", ids, 2, 3), tensor("attention_mask", mask, 3, 2)};
    refuses(in, 2, "'attention_mask': dimension 0: expected 2, found 3");
}

TEST(session, refuses_a_negative_dimension)
{
    const qeff_tensor in[] = {tensor("input_ids", ids, -1, 3),
                              tensor("attention_mask", mask, -1, 3)};
    refuses(in, 2, "'input_ids': dimension 0 is negative");
}

TEST(session, refuses_a_batch_whose_size_overflows)
{
    const qeff_tensor in[] = {tensor("input_ids", ids, INT64_MAX / 2, 3),
                              tensor("attention_mask", mask, INT64_MAX / 2, 3)};
    refuses(in, 2, "is too large");
}

TEST(session, refuses_a_negative_number_of_threads)
{
    qeff_error err = {0};
    qeff_session *session = NULL;
    const qeff_session_options options = {.n_threads = -1};
    ASSERT_FAILS(qeff_session_create(&fake_program, &options, &session, &err), QEFF_ERR_INVALID,
                 "found -1");
    assert_null(session);
}

/* Fails the allocation number `countdown`, counting from 0. */
static int countdown;

static void *failing_allocate(void *ctx, size_t size)
{
    (void)ctx;
    return countdown-- == 0 ? NULL : malloc(size);
}

static void *failing_reallocate(void *ctx, void *block, size_t size)
{
    (void)ctx;
    return countdown-- == 0 ? NULL : realloc(block, size);
}

static void plain_free(void *ctx, void *block)
{
    (void)ctx;
    free(block);
}

static void *destroy_session(void *session)
{
    return (void *)(uintptr_t)qeff_session_destroy(session);
}

static void destroy_from_another_thread(void *session)
{
    pthread_t thread;
    void *status = NULL;
    assert_int_equal(pthread_create(&thread, NULL, destroy_session, session), 0);
    assert_int_equal(pthread_join(thread, &status), 0);
    assert_int_equal((uintptr_t)status, QEFF_ERR_INVALID);
}

TEST(session, is_not_destroyed_while_another_thread_runs_it)
{
    qeff_error err = {0};
    qeff_session *session = open_session();
    const qeff_tensor in[] = {tensor("input_ids", ids, 2, 3), tensor("attention_mask", mask, 2, 3)};
    fake.on_run = destroy_from_another_thread;
    fake.ctx = session;
    for (int i = 0; i < 3; i++) {
        qeff_tensors *out = NULL;
        ASSERT_OK(qeff_session_run(session, in, 2, &out, &err));
        qeff_tensors_destroy(out);
    }
    fake.on_run = NULL;
    assert_int_equal(qeff_session_destroy(session), QEFF_OK);
}

TEST(session, refuses_more_threads_than_can_run_at_once)
{
    qeff_error err = {0};
    qeff_session *session = NULL;
    const qeff_session_options options = {.n_threads = qeff_cpu_threads() + 1};
    ASSERT_FAILS(qeff_session_create(&fake_program, &options, &session, &err), QEFF_ERR_INVALID,
                 "threads: expected at most ");
    assert_null(session);
}

TEST(session, survives_every_failing_allocation)
{
    const qeff_allocator failing = {failing_allocate, failing_reallocate, plain_free, NULL};
    const qeff_tensor in[] = {tensor("input_ids", ids, 2, 3), tensor("attention_mask", mask, 2, 3)};
    int n = 0;
    for (qeff_status status = QEFF_ERR_NO_MEMORY; status; n++) {
        qeff_error err = {0};
        qeff_session *session = NULL;
        qeff_tensors *out = NULL;
        assert_true(n < 100);
        qeff_allocator_set(&failing);
        countdown = n;
        status = qeff_session_create(&fake_program, NULL, &session, &err);
        if (!status) status = qeff_session_run(session, in, 2, &out, &err);
        countdown = -1;
        if (status) assert_int_equal(status, QEFF_ERR_NO_MEMORY);
        qeff_tensors_destroy(out);
        (void)qeff_session_destroy(session);
        qeff_allocator_set(NULL);
    }
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(session, runs_inputs_in_any_order),
        RUN(session, refuses_a_missing_input),
        RUN(session, refuses_an_input_given_twice),
        RUN(session, refuses_an_unknown_input),
        RUN(session, refuses_another_dtype),
        RUN(session, refuses_inputs_that_disagree_on_a_dimension),
        RUN(session, refuses_a_negative_dimension),
        RUN(session, refuses_a_batch_whose_size_overflows),
        RUN(session, refuses_a_negative_number_of_threads),
        RUN(session, is_not_destroyed_while_another_thread_runs_it),
        RUN(session, refuses_more_threads_than_can_run_at_once),
        RUN(session, survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
