/* thread.c - the thread pool: a generation counter announces a job, a count of arrivals ends it.
 *
 * Workers spin briefly on the counter (a futex sleep and wake costs more than a whole layer of a
 * short sentence), then park on a condition, so that an idle pool costs nothing. */
#include "base/thread.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdatomic.h>

enum {
    THREADS_MAX = 1024,
    SPIN_NS = 50000,
    SPINS_PER_CLOCK = 64, /* reading the clock costs as much as some dozen pauses */
};

typedef struct worker {
    qeff_thread_pool *pool;
    pthread_t thread;
    int index;
} worker;

struct qeff_thread_pool {
    int n_threads;
    int n_started;
    worker *workers; /* [n_threads]; entry 0 is the caller and has no thread */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    atomic_uint generation;
    atomic_int n_running;
    atomic_uint barrier_phase;
    atomic_int n_at_barrier;
    atomic_bool is_closing;
    qeff_thread_job job;
    void *ctx;
};

void qeff_mutex_init(qeff_mutex *mutex)
{
    (void)pthread_mutex_init(&mutex->native, NULL);
}

void qeff_mutex_deinit(qeff_mutex *mutex)
{
    (void)pthread_mutex_destroy(&mutex->native);
}

void qeff_mutex_lock(qeff_mutex *mutex)
{
    (void)pthread_mutex_lock(&mutex->native);
}

void qeff_mutex_unlock(qeff_mutex *mutex)
{
    (void)pthread_mutex_unlock(&mutex->native);
}

static inline void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Returns the new generation: spins first, then sleeps until it changes. */
static unsigned await_generation(qeff_thread_pool *pool, unsigned seen)
{
    const int64_t deadline = qeff_clock_ns() + SPIN_NS;
    do {
        for (int i = 0; i < SPINS_PER_CLOCK; i++) {
            const unsigned now = atomic_load_explicit(&pool->generation, memory_order_acquire);
            if (now != seen) return now;
            pause_briefly();
        }
    } while (qeff_clock_ns() < deadline);
    (void)pthread_mutex_lock(&pool->mutex);
    unsigned now = atomic_load(&pool->generation);
    while (now == seen) {
        (void)pthread_cond_wait(&pool->wake, &pool->mutex);
        now = atomic_load(&pool->generation);
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return now;
}

static void *work(void *arg)
{
    const worker *self = arg;
    qeff_thread_pool *pool = self->pool;
    for (unsigned seen = 0;;) {
        seen = await_generation(pool, seen);
        if (atomic_load(&pool->is_closing)) return NULL;
        pool->job(pool->ctx, self->index, pool->n_threads);
        (void)atomic_fetch_sub_explicit(&pool->n_running, 1, memory_order_release);
    }
}

static void announce(qeff_thread_pool *pool)
{
    (void)pthread_mutex_lock(&pool->mutex);
    (void)atomic_fetch_add_explicit(&pool->generation, 1u, memory_order_release);
    (void)pthread_cond_broadcast(&pool->wake);
    (void)pthread_mutex_unlock(&pool->mutex);
}

qeff_status qeff_thread_pool_create(int n_threads, qeff_thread_pool **out, qeff_error *err)
{
    *out = NULL;
    if (n_threads < 1 || n_threads > THREADS_MAX)
        return qeff_fail(err, QEFF_ERR_INVALID, "threads: expected 1 to %d, found %d", THREADS_MAX,
                         n_threads);
    qeff_thread_pool *pool = qeff_alloc_zeroed(sizeof *pool);
    worker *workers = qeff_alloc_array((size_t)n_threads, sizeof *workers);
    if (!pool || !workers) {
        qeff_free(pool);
        qeff_free(workers);
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for %d threads", n_threads);
    }
    pool->n_threads = n_threads;
    pool->workers = workers;
    (void)pthread_mutex_init(&pool->mutex, NULL);
    (void)pthread_cond_init(&pool->wake, NULL);
    for (int i = 1; i < n_threads; i++) {
        workers[i] = (worker){.pool = pool, .index = i};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            qeff_thread_pool_destroy(pool);
            return qeff_fail(err, QEFF_ERR_NO_MEMORY, "the system starts no thread %d of %d", i + 1,
                             n_threads);
        }
        pool->n_started++;
    }
    *out = pool;
    return QEFF_OK;
}

void qeff_thread_pool_destroy(qeff_thread_pool *pool)
{
    if (!pool) return;
    atomic_store(&pool->is_closing, true);
    announce(pool);
    for (int i = 1; i <= pool->n_started; i++)
        (void)pthread_join(pool->workers[i].thread, NULL);
    (void)pthread_cond_destroy(&pool->wake);
    (void)pthread_mutex_destroy(&pool->mutex);
    qeff_free(pool->workers);
    qeff_free(pool);
}

int qeff_thread_pool_size(const qeff_thread_pool *pool)
{
    return pool->n_threads;
}

void qeff_thread_pool_run(qeff_thread_pool *pool, qeff_thread_job job, void *ctx)
{
    if (pool->n_threads == 1) {
        job(ctx, 0, 1);
        return;
    }
    pool->job = job;
    pool->ctx = ctx;
    atomic_store(&pool->n_running, pool->n_threads - 1);
    announce(pool);
    job(ctx, 0, pool->n_threads);
    for (int spins = 0; atomic_load_explicit(&pool->n_running, memory_order_acquire); spins++) {
        pause_briefly();
        if (spins > 1000) sched_yield(); /* more threads than cores: let the others finish */
    }
}

void qeff_thread_pool_barrier(qeff_thread_pool *pool)
{
    const unsigned phase = atomic_load(&pool->barrier_phase);
    if (atomic_fetch_add(&pool->n_at_barrier, 1) == pool->n_threads - 1) {
        atomic_store(&pool->n_at_barrier, 0);
        (void)atomic_fetch_add(&pool->barrier_phase, 1u);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&pool->barrier_phase, memory_order_acquire) == phase;
         spins++) {
        pause_briefly();
        if (spins > 1000) sched_yield();
    }
}
