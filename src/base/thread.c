/* thread.c - the thread pool: a generation announces a job, tickets hand its pieces out, a count of
 * what is done ends each step.
 *
 *   next  generation << 32 | tickets taken       done  generation << 32 | pieces finished
 *
 * A piece belongs to whoever exchanges `next` for its successor, which fails where the generation
 * is another by then. So nobody waits for a member that the system does not run: it finds nothing
 * left to take, or the job over, when it comes. Only one that holds a piece is waited for.
 *
 * Whoever waits spins for a moment (a sleep and a wake cost more than a step of a short sentence),
 * then parks, so that an idle pool costs nothing and a core is free for the member that is late. */
#include "base/thread.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/float_mode.h"

#include <stdatomic.h>

enum {
    SPIN_NS = 50000,
    SPINS_PER_CLOCK = 64, /* reading the clock costs as much as some dozen pauses */
    CACHE_LINE = 64,
};

/* No ticket: a job that is being written. */
#define CLOSED UINT32_MAX

typedef struct worker {
    qeff_thread_pool *pool;
    pthread_t thread;
    int index;
} worker;

/* What a generation does: `job` on every member, or else pieces. A member may read it while the
 * next one is written, and finds that out afterwards. */
typedef struct job_words {
    _Atomic(qeff_thread_job) job;
    _Atomic(qeff_thread_piece) piece;
    _Atomic(void *) ctx;
    atomic_size_t n_steps, n_pieces; /* pieces of each step */
} job_words;

typedef struct job {
    qeff_thread_job job;
    qeff_thread_piece piece;
    void *ctx;
    uint32_t generation;
    size_t n_steps, n_pieces;
} job;

struct qeff_thread_pool {
    int n_threads;
    int n_started;
    worker *workers; /* [n_threads]; entry 0 is the caller and has no thread */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    atomic_int n_parked;
    atomic_bool is_closing;
    job_words words;
    _Alignas(CACHE_LINE) atomic_uint_fast64_t generation;
    _Alignas(CACHE_LINE) atomic_uint_fast64_t next;
    _Alignas(CACHE_LINE) atomic_uint_fast64_t done;
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

static uint64_t word_of(uint32_t generation, size_t count)
{
    return (uint64_t)generation << 32 | (uint32_t)count;
}

static uint32_t generation_of(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static uint32_t count_of(uint64_t word)
{
    return (uint32_t)word;
}

/* --- waiting ------------------------------------------------------------------------------------
 */

/* Waits until a word has another generation, or at least that count. */
typedef struct awaited {
    const atomic_uint_fast64_t *word;
    uint32_t generation;
    size_t count;
} awaited;

static inline bool has_come(const awaited *a)
{
    const uint64_t now = atomic_load(a->word);
    return generation_of(now) != a->generation || count_of(now) >= a->count;
}

/* The count of the parked is written before the word is read, and in wake_parked() the other way
 * round, all in one order: so one of the two sees the other. */
static void park(qeff_thread_pool *pool, const awaited *a)
{
    (void)pthread_mutex_lock(&pool->mutex);
    (void)atomic_fetch_add(&pool->n_parked, 1);
    while (!has_come(a))
        (void)pthread_cond_wait(&pool->wake, &pool->mutex);
    (void)atomic_fetch_sub(&pool->n_parked, 1);
    (void)pthread_mutex_unlock(&pool->mutex);
}

static void await(qeff_thread_pool *pool, const awaited *a)
{
    int64_t deadline = 0;
    for (;;) {
        for (int i = 0; i < SPINS_PER_CLOCK; i++) {
            if (has_come(a)) return;
            pause_briefly();
        }
        const int64_t now = qeff_clock_ns();
        if (deadline && now >= deadline) break;
        if (!deadline) deadline = now + SPIN_NS;
    }
    park(pool, a);
}

static void wake_parked(qeff_thread_pool *pool)
{
    if (atomic_load(&pool->n_parked) == 0) return;
    (void)pthread_mutex_lock(&pool->mutex);
    (void)pthread_cond_broadcast(&pool->wake);
    (void)pthread_mutex_unlock(&pool->mutex);
}

/* --- jobs ---------------------------------------------------------------------------------------
 */

/* False where the job is over: what was read may then be of two jobs. */
static bool read_job(qeff_thread_pool *pool, uint32_t generation, job *j)
{
    *j = (job){.job = atomic_load(&pool->words.job),
               .piece = atomic_load(&pool->words.piece),
               .ctx = atomic_load(&pool->words.ctx),
               .generation = generation,
               .n_steps = atomic_load(&pool->words.n_steps),
               .n_pieces = atomic_load(&pool->words.n_pieces)};
    return generation_of(atomic_load(&pool->next)) == generation;
}

/* Tickets are closed first: from there on nobody starts a piece of the job before. */
static void announce(qeff_thread_pool *pool, job *j)
{
    j->generation = generation_of(atomic_load(&pool->generation)) + 1;
    atomic_store(&pool->next, word_of(j->generation, CLOSED));
    atomic_store(&pool->done, word_of(j->generation, 0));
    atomic_store(&pool->words.job, j->job);
    atomic_store(&pool->words.piece, j->piece);
    atomic_store(&pool->words.ctx, j->ctx);
    atomic_store(&pool->words.n_steps, j->n_steps);
    atomic_store(&pool->words.n_pieces, j->n_pieces);
    atomic_store(&pool->next, word_of(j->generation, 0));
    atomic_store(&pool->generation, word_of(j->generation, 0));
    wake_parked(pool);
}

/* Takes one of the tickets below `end`. */
static bool take_ticket(qeff_thread_pool *pool, uint32_t generation, size_t end, size_t *ticket)
{
    uint64_t next = atomic_load(&pool->next);
    do {
        if (generation_of(next) != generation || count_of(next) >= end) return false;
    } while (!atomic_compare_exchange_weak(&pool->next, &next, next + 1));
    *ticket = count_of(next);
    return true;
}

/* A step begins when all of the one before is done, so whoever gets a ticket below `end` is in the
 * step that it takes itself to be in. */
static void take_pieces(qeff_thread_pool *pool, const job *j, int member)
{
    for (size_t step = 0; step < j->n_steps;) {
        const size_t end = (step + 1) * j->n_pieces;
        size_t ticket = 0;
        while (take_ticket(pool, j->generation, end, &ticket)) {
            j->piece(j->ctx, member, step, ticket - step * j->n_pieces);
            if (count_of(atomic_fetch_add(&pool->done, 1)) + 1 == end) wake_parked(pool);
        }
        await(pool, &(awaited){&pool->done, j->generation, end});
        const uint64_t done = atomic_load(&pool->done);
        if (generation_of(done) != j->generation) return;
        step = count_of(done) / j->n_pieces;
    }
}

static void *work(void *arg)
{
    const worker *self = arg;
    qeff_thread_pool *pool = self->pool;
    (void)qeff_float_mode_enter(); /* a thread begins with the mode of the one that starts it */
    for (uint32_t seen = 0;;) {
        job j;
        await(pool, &(awaited){&pool->generation, seen, SIZE_MAX});
        /* In this order: whoever sees the last generation sees that it is the last. */
        seen = generation_of(atomic_load(&pool->generation));
        if (atomic_load(&pool->is_closing)) return NULL;
        if (!read_job(pool, seen, &j)) continue;
        if (j.piece) {
            take_pieces(pool, &j, self->index);
        } else {
            j.job(j.ctx, self->index, pool->n_threads);
            (void)atomic_fetch_add(&pool->done, 1);
            wake_parked(pool);
        }
    }
}

qeff_status qeff_thread_pool_create(int n_threads, qeff_thread_pool **out, qeff_error *err)
{
    *out = NULL;
    if (n_threads < 1 || n_threads > QEFF_CPU_THREADS_MAX)
        return qeff_fail(err, QEFF_ERR_INVALID, "threads: expected 1 to %d, found %d",
                         QEFF_CPU_THREADS_MAX, n_threads);
    qeff_thread_pool *pool = qeff_alloc_aligned(sizeof *pool, CACHE_LINE);
    worker *workers = qeff_alloc_array((size_t)n_threads, sizeof *workers);
    if (!pool || !workers) {
        qeff_free_aligned(pool);
        qeff_free(workers);
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for %d threads", n_threads);
    }
    memset(pool, 0, sizeof *pool);
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
    (void)atomic_fetch_add(&pool->generation, word_of(1, 0));
    wake_parked(pool);
    for (int i = 1; i <= pool->n_started; i++)
        (void)pthread_join(pool->workers[i].thread, NULL);
    (void)pthread_cond_destroy(&pool->wake);
    (void)pthread_mutex_destroy(&pool->mutex);
    qeff_free(pool->workers);
    qeff_free_aligned(pool);
}

int qeff_thread_pool_size(const qeff_thread_pool *pool)
{
    return pool->n_threads;
}

void qeff_thread_pool_run(qeff_thread_pool *pool, qeff_thread_job run, void *ctx)
{
    job j = {.job = run, .ctx = ctx};
    if (pool->n_threads == 1) {
        run(ctx, 0, 1);
        return;
    }
    announce(pool, &j);
    run(ctx, 0, pool->n_threads);
    await(pool, &(awaited){&pool->done, j.generation, (size_t)pool->n_threads - 1});
}

void qeff_thread_pool_share(qeff_thread_pool *pool, size_t n_steps, size_t n_pieces,
                            qeff_thread_piece piece, void *ctx)
{
    job j = {.piece = piece, .ctx = ctx, .n_steps = n_steps, .n_pieces = n_pieces};
    if (n_steps == 0 || n_pieces == 0) return;
    if (pool->n_threads > 1) {
        announce(pool, &j);
        take_pieces(pool, &j, 0);
        return;
    }
    for (size_t step = 0; step < n_steps; step++)
        for (size_t i = 0; i < n_pieces; i++)
            piece(ctx, 0, step, i);
}
