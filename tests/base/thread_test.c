/* thread_test.c - the pool: every member runs every job once, and barriers hold. */
#include "base/thread.h"

#include "base/support.h"

#include <stdatomic.h>

enum { THREADS_MAX = 8 };

static qeff_error err;

typedef struct tally {
    atomic_int n_calls[THREADS_MAX];
    atomic_int n_wrong;
    int n_threads;
    atomic_int phase_count;
    qeff_thread_pool *pool;
} tally;

static void count_calls(void *ctx, int index, int n_threads)
{
    tally *t = ctx;
    if (index < 0 || index >= n_threads || n_threads != t->n_threads)
        atomic_fetch_add(&t->n_wrong, 1);
    else
        atomic_fetch_add(&t->n_calls[index], 1);
}

TEST(thread_pool, runs_every_job_once_on_every_member)
{
    (void)state_;
    for (int n = 1; n <= THREADS_MAX; n++) {
        enum { JOBS = 2000 };
        tally t = {.n_threads = n};
        ASSERT_OK(qeff_thread_pool_create(n, &t.pool, &err));
        assert_int_equal(qeff_thread_pool_size(t.pool), n);
        for (int i = 0; i < JOBS; i++) {
            qeff_thread_pool_run(t.pool, count_calls, &t);
            for (int m = 0; m < n; m++) /* run returned, so all are done */
                assert_int_equal(atomic_load(&t.n_calls[m]), i + 1);
        }
        assert_int_equal(atomic_load(&t.n_wrong), 0);
        qeff_thread_pool_destroy(t.pool);
    }
}

/* In each phase all members add one; after the barrier everyone must see the sum. */
static void count_phases(void *ctx, int index, int n_threads)
{
    tally *t = ctx;
    (void)index;
    for (int phase = 1; phase <= 200; phase++) {
        atomic_fetch_add(&t->phase_count, 1);
        qeff_thread_pool_barrier(t->pool);
        if (atomic_load(&t->phase_count) != phase * n_threads) atomic_fetch_add(&t->n_wrong, 1);
        qeff_thread_pool_barrier(t->pool);
    }
}

TEST(thread_pool, barrier_waits_for_everyone)
{
    (void)state_;
    for (int n = 1; n <= THREADS_MAX; n++) {
        tally t = {.n_threads = n};
        ASSERT_OK(qeff_thread_pool_create(n, &t.pool, &err));
        qeff_thread_pool_run(t.pool, count_phases, &t);
        assert_int_equal(atomic_load(&t.n_wrong), 0);
        assert_int_equal(atomic_load(&t.phase_count), 200 * n);
        qeff_thread_pool_destroy(t.pool);
    }
}

/* Jobs see what the caller wrote before, and the caller sees what they wrote. */
static void double_own(void *ctx, int index, int n_threads)
{
    int *values = ctx;
    (void)n_threads;
    values[index] *= 2;
}

TEST(thread_pool, passes_plain_memory_both_ways)
{
    (void)state_;
    qeff_thread_pool *pool = NULL;
    ASSERT_OK(qeff_thread_pool_create(4, &pool, &err));
    for (int i = 1; i < 3000; i++) {
        int values[4] = {i, i + 1, i + 2, i + 3};
        qeff_thread_pool_run(pool, double_own, values);
        for (int m = 0; m < 4; m++)
            assert_int_equal(values[m], 2 * (i + m));
    }
    qeff_thread_pool_destroy(pool);
}

TEST(thread_pool, is_destroyed_unused_and_as_null)
{
    (void)state_;
    qeff_thread_pool_destroy(NULL);
    for (int i = 0; i < 50; i++) {
        qeff_thread_pool *pool = NULL;
        ASSERT_OK(qeff_thread_pool_create(4, &pool, &err));
        qeff_thread_pool_destroy(pool);
    }
}

TEST(thread_pool, refuses_impossible_numbers)
{
    (void)state_;
    qeff_thread_pool *pool = NULL;
    ASSERT_FAILS(qeff_thread_pool_create(0, &pool, &err), QEFF_ERR_INVALID, "found 0");
    ASSERT_FAILS(qeff_thread_pool_create(-1, &pool, &err), QEFF_ERR_INVALID, "found -1");
    ASSERT_FAILS(qeff_thread_pool_create(1025, &pool, &err), QEFF_ERR_INVALID, "found 1025");
    assert_null(pool);
}

TEST(thread_pool, does_not_allocate_while_it_runs)
{
    (void)state_;
    tally t = {.n_threads = 2};
    bool was_injected = false;
    ASSERT_OK(qeff_thread_pool_create(2, &t.pool, &err));
    test_allocator_arm(1);
    qeff_thread_pool_run(t.pool, count_calls, &t);
    (void)test_allocator_disarm(&was_injected);
    assert_false(was_injected);
    qeff_thread_pool_destroy(t.pool);
}

TEST(thread_pool, survives_each_failing_allocation)
{
    (void)state_;
    qeff_thread_pool *pool = NULL;
    TEST_EACH_ALLOCATION(qeff_thread_pool_create(3, &pool, &err), qeff_thread_pool_destroy(pool));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(thread_pool, runs_every_job_once_on_every_member),
        RUN(thread_pool, barrier_waits_for_everyone),
        RUN(thread_pool, passes_plain_memory_both_ways),
        RUN(thread_pool, is_destroyed_unused_and_as_null),
        RUN(thread_pool, refuses_impossible_numbers),
        RUN(thread_pool, does_not_allocate_while_it_runs),
        RUN(thread_pool, survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
