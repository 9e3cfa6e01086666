/* thread.h - mutex, condition and threads, so that pthread.h stays in this folder. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <qeff/base.h>

typedef struct qeff_mutex {
    pthread_mutex_t native;
} qeff_mutex;

typedef struct qeff_condition {
    pthread_cond_t native;
} qeff_condition;

void qeff_mutex_init(qeff_mutex *mutex);
void qeff_mutex_deinit(qeff_mutex *mutex);
void qeff_mutex_lock(qeff_mutex *mutex);
void qeff_mutex_unlock(qeff_mutex *mutex);

/** A team of worker threads that run one job at a time, all of them together. */
typedef struct qeff_thread_pool qeff_thread_pool;

/** What every member of the team runs: `index` in [0, n_threads). Index 0 is the caller. */
typedef void (*qeff_thread_job)(void *ctx, int index, int n_threads);

/** @param n_threads members including the caller; 1 starts no thread
 * @return QEFF_ERR_INVALID (n_threads < 1 or > 1024), QEFF_ERR_NO_MEMORY (also: no thread) */
qeff_status qeff_thread_pool_create(int n_threads, qeff_thread_pool **out, qeff_error *err);
void qeff_thread_pool_destroy(qeff_thread_pool *pool);

int qeff_thread_pool_size(const qeff_thread_pool *pool);

/** One piece of a step; `member` in [0, n_threads) is who does it, 0 the caller. */
typedef void (*qeff_thread_piece)(void *ctx, int member, size_t step, size_t piece);

/** Runs the job on every member and returns when all are done. One caller at a time. Does not
 * allocate. Who waits, a worker between jobs also, spins for about 50 us, then sleeps. */
void qeff_thread_pool_run(qeff_thread_pool *pool, qeff_thread_job job, void *ctx);

/** Runs `n_steps` steps of `n_pieces` pieces each. The members that come take the pieces one by
 * one; a step begins when the one before is done. Returns when the last one is, without waiting for
 * members that hold no piece. One caller at a time; does not allocate.
 * @param n_steps, n_pieces  their product is below 2^32 - 1 */
void qeff_thread_pool_share(qeff_thread_pool *pool, size_t n_steps, size_t n_pieces,
                            qeff_thread_piece piece, void *ctx);

#endif /* BASE_THREAD_H */
