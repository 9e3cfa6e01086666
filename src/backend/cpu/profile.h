/* profile.h - steps of a ragged plan with a look at the clock before and after. */
#ifndef BACKEND_CPU_PROFILE_H
#define BACKEND_CPU_PROFILE_H

#include "backend/cpu/steps.h"

#include <qeff/bench.h>

enum { QEFF_STEP_LABEL_BYTES = 64 };

/** Zero-initialise: off. */
typedef struct qeff_step_profile {
    qeff_profile sink;                     /**< `record` NULL: off */
    char (*labels)[QEFF_STEP_LABEL_BYTES]; /**< [n_steps] */
    int64_t *ended_ns; /**< [n_threads]: end of each one's last step of the call; 0: none yet */
    int n_threads;
} qeff_step_profile;

/** Replaces what is reported; a sink of NULL switches off.
 * @return QEFF_ERR_NO_MEMORY, and the profile is as it was */
qeff_status qeff_step_profile_set(qeff_step_profile *profile, const qeff_plan *plan, int n_threads,
                                  const qeff_profile *sink, qeff_error *err);
void qeff_step_profile_deinit(qeff_step_profile *profile);

/** A call begins: nobody has waited. */
void qeff_step_profile_begin(qeff_step_profile *profile);
/** qeff_step_run(), reported as done by `thread`, after its wait for the others since its last
 * step, if there was one. */
void qeff_step_run_profiled(qeff_step_profile *profile, const qeff_step_call *call,
                            const qeff_step *step, size_t thread);

#endif /* BACKEND_CPU_PROFILE_H */
