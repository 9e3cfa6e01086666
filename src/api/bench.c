/* bench.c - the yardstick of this processor, and the switch for reports of steps. */
#include "api/auto_model_private.h"
#include "backend/cpu/kernels/probe.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/thread.h"

#include <qeff/bench.h>

#include <stdatomic.h>

enum { ROUNDS = 4096 }; /* some microseconds between looks at the clock */

typedef struct probe_run {
    qeff_probe probe;
    int64_t duration_ns;
    atomic_uint_fast64_t rounds_per_second; /* of all threads */
} probe_run;

/* The values are read at run time, so that no compiler computes the chains beforehand. */
static void run_probe(void *ctx, int index, int n_threads)
{
    probe_run *p = ctx;
    volatile float a = 0.5F, b = 1.0F, sink = 0;
    uint64_t rounds = 0;
    (void)index;
    (void)n_threads;
    const int64_t begin = qeff_clock_ns();
    int64_t now = begin;
    do {
        sink = sink + p->probe.run(ROUNDS, a, b);
        rounds += ROUNDS;
        now = qeff_clock_ns();
    } while (now - begin < p->duration_ns);
    (void)sink;
    atomic_fetch_add(&p->rounds_per_second,
                     (uint_fast64_t)(1e9 * (double)rounds / (double)(now - begin)));
}

qeff_status qeff_cpu_probe(int n_threads, double seconds, double *flops, qeff_error *err)
{
    unsigned flags = 0;
    qeff_thread_pool *pool = NULL;
    *flops = 0;
    if (n_threads < 1 || !(seconds > 0 && seconds <= 3600))
        return qeff_fail(err, QEFF_ERR_INVALID,
                         "probe: expected threads and up to an hour, found %d and %g s", n_threads,
                         seconds);
    QEFF_TRY(qeff_cpu_choose_threads(n_threads, &n_threads, err));
    QEFF_TRY(qeff_cpu_detect(&flags, err));
    QEFF_TRY(qeff_thread_pool_create(n_threads, &pool, err));
    probe_run p = {.probe = qeff_probe_for(flags), .duration_ns = (int64_t)(1e9 * seconds)};
    atomic_init(&p.rounds_per_second, 0);
    qeff_thread_pool_run(pool, run_probe, &p);
    qeff_thread_pool_destroy(pool);
    *flops = (double)atomic_load(&p.rounds_per_second) * (double)p.probe.flops;
    return QEFF_OK;
}

qeff_status
qeff_auto_model_set_profile(qeff_auto_model *model, const qeff_profile *profile, qeff_error *err)
{
    if (!profile && !model->session) return QEFF_OK;
    QEFF_TRY(qeff_auto_model_ready(model, err));
    return qeff_session_set_profile(model->session, profile, err);
}

int64_t qeff_profile_clock(void)
{
    return qeff_clock_ns();
}
