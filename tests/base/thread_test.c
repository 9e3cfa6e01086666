/* thread_test.c - the pool: every member runs every job once, pieces are shared in order, and
 * nobody sleeps on. */
#include "base/thread.h"

#include "base/support.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

enum { THREADS_MAX = 8 };

static qeff_error err;

typedef struct tally {
    atomic_int n_calls[THREADS_MAX];
    atomic_int n_wrong;
    int n_threads;
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

enum { STEPS = 200, PIECES = 5 };

typedef struct share {
    atomic_int n_taken[STEPS][PIECES];
    atomic_int n_finished; /* pieces */
    atomic_int n_wrong;
    int n_threads;
    int last_step; /* plain memory that every piece reads and piece 0 writes in another step */
} share;

static void take_piece(void *ctx, int member, size_t step, size_t piece)
{
    share *s = ctx;
    atomic_fetch_add(&s->n_taken[step][piece], 1);
    const int finished = atomic_load(&s->n_finished);
    if (member < 0 || member >= s->n_threads || finished < (int)step * PIECES ||
        finished >= (int)(step + 1) * PIECES)
        atomic_fetch_add(&s->n_wrong, 1);
    if (step % 2 == 0 && piece == 0) s->last_step = (int)step;
    if (step % 2 == 1 && s->last_step != (int)step - 1) atomic_fetch_add(&s->n_wrong, 1);
    atomic_fetch_add(&s->n_finished, 1);
}

TEST(thread_pool, shares_each_piece_once_and_steps_in_order)
{
    (void)state_;
    for (int n = 1; n <= THREADS_MAX; n++) {
        qeff_thread_pool *pool = NULL;
        ASSERT_OK(qeff_thread_pool_create(n, &pool, &err));
        for (int round = 0; round < 10; round++) {
            share s = {.n_threads = n};
            qeff_thread_pool_share(pool, STEPS, PIECES, take_piece, &s);
            assert_int_equal(atomic_load(&s.n_wrong), 0);
            assert_int_equal(atomic_load(&s.n_finished), STEPS * PIECES);
            for (int i = 0; i < STEPS * PIECES; i++)
                assert_int_equal(atomic_load(&s.n_taken[i / PIECES][i % PIECES]), 1);
        }
        qeff_thread_pool_destroy(pool);
    }
}

static void add_piece(void *ctx, int member, size_t step, size_t piece)
{
    int *sums = ctx; /* on the caller's stack, which is gone when the call is over */
    (void)member;
    sums[piece] += (int)step;
}

/* Members come late for most of these, and must not touch what was of an earlier call. */
TEST(thread_pool, shares_many_short_jobs)
{
    (void)state_;
    qeff_thread_pool *pool = NULL;
    ASSERT_OK(qeff_thread_pool_create(4, &pool, &err));
    for (size_t i = 0; i < 20000; i++) {
        int sums[3] = {0};
        const size_t n_steps = i % 4;
        qeff_thread_pool_share(pool, n_steps, 1 + i % 3, add_piece, sums);
        for (size_t p = 0; p < 3; p++)
            assert_int_equal(sums[p], p <= i % 3 && n_steps ? (n_steps - 1) * n_steps / 2 : 0);
    }
    qeff_thread_pool_destroy(pool);
}

static void release(void *ctx, int member, size_t step, size_t piece)
{
    atomic_bool *is_released = ctx;
    const struct timespec pause = {.tv_nsec = 2000000}; /* long enough for the others to park */
    (void)member;
    (void)piece;
    if (step == 1) {
        (void)nanosleep(&pause, NULL);
        atomic_store(is_released, true);
    }
}

TEST(thread_pool, wakes_members_that_parked)
{
    (void)state_;
    qeff_thread_pool *pool = NULL;
    const struct timespec pause = {.tv_nsec = 1000000};
    ASSERT_OK(qeff_thread_pool_create(3, &pool, &err));
    for (int i = 0; i < 50; i++) {
        tally t = {.n_threads = 3};
        atomic_bool is_released = false;
        (void)nanosleep(&pause, NULL); /* between jobs */
        qeff_thread_pool_run(pool, count_calls, &t);
        assert_int_equal(atomic_load(&t.n_calls[2]), 1);
        qeff_thread_pool_share(pool, 3, 1, release, &is_released); /* between steps */
        assert_true(atomic_load(&is_released));
    }
    qeff_thread_pool_destroy(pool);
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
    share s = {.n_threads = 2};
    qeff_thread_pool_run(t.pool, count_calls, &t);
    qeff_thread_pool_share(t.pool, STEPS, PIECES, take_piece, &s);
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
        RUN(thread_pool, shares_each_piece_once_and_steps_in_order),
        RUN(thread_pool, shares_many_short_jobs),
        RUN(thread_pool, wakes_members_that_parked),
        RUN(thread_pool, passes_plain_memory_both_ways),
        RUN(thread_pool, is_destroyed_unused_and_as_null),
        RUN(thread_pool, refuses_impossible_numbers),
        RUN(thread_pool, does_not_allocate_while_it_runs),
        RUN(thread_pool, survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
