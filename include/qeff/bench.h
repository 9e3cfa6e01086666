/* qeff/bench.h - what a measurement needs beside the model: a yardstick for this processor, and
 * what each step of a run took. */
#ifndef QEFF_BENCH_H
#define QEFF_BENCH_H

#include <qeff/auto_model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Counts the fused multiply-adds in f32 that `n_threads` cores do now, at the level in force: the
 * ceiling of a matrix product. Time it beside each sample, since clocks drift.
 * @param n_threads  1 to as many as can run at once here
 * @param seconds    how long, at least; 0.002 is enough
 * @param flops      receives floating-point operations a second of all threads together, two a
 *                   multiply-add
 * @return QEFF_ERR_INVALID, QEFF_ERR_UNSUPPORTED (QEFF_CPU), QEFF_ERR_NO_MEMORY */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_cpu_probe(int n_threads, double seconds, double *flops,
                                                    qeff_error *err);

/** What one thread did from `begin_ns` to `end_ns`, on a clock that only runs forward. */
typedef struct qeff_profile_event {
    const char *name; /**< kind and shape of a step, such as "linear 384x1536 gelu", or "wait"
                           for the other threads; valid until the profile is switched off */
    int thread;       /**< 0: the one that called */
    int64_t begin_ns, end_ns;
    double flops; /**< of the step's matrix products, this thread's share; 0 for other steps */
} qeff_profile_event;

/** Receives events. `record` is called by the thread that the event is of: calls of different
 * threads may overlap, those of one come in order. It must not call the library. */
typedef struct qeff_profile {
    void (*record)(void *ctx, const qeff_profile_event *event);
    void *ctx;
} qeff_profile;

/** Reports the steps of every later run of the model, which is compiled where that has not been
 * done. Costs two looks at the clock a step; results stay the same bits.
 * @param profile  copied; NULL: no longer, which is how a model begins
 * @return QEFF_ERR_UNSUPPORTED where the program is not run in steps, QEFF_ERR_NO_MEMORY, and those
 *         of compile */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_auto_model_set_profile(qeff_auto_model *model,
                                                                 const qeff_profile *profile,
                                                                 qeff_error *err);

/** The clock of the events, in nanoseconds. */
QEFF_API int64_t qeff_profile_clock(void);

#ifdef __cplusplus
}
#endif
#endif /* QEFF_BENCH_H */
