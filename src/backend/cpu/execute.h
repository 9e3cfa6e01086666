/* execute.h - sessions over ragged plans. Same contracts as bind, reserve and run of backend.h. */
#ifndef BACKEND_CPU_EXECUTE_H
#define BACKEND_CPU_EXECUTE_H

#include "backend/cpu/plan.h"

typedef struct qeff_ragged_session qeff_ragged_session;

/** `plan` and `kernels` outlive the session. */
qeff_status
qeff_ragged_bind(const qeff_plan *plan, const qeff_kernels *kernels,
                 const qeff_bind_options *options, qeff_ragged_session **out, qeff_error *err);
/** NULL is allowed. */
void qeff_ragged_unbind(qeff_ragged_session *session);
qeff_status qeff_ragged_reserve(qeff_ragged_session *session, size_t n_sequences, size_t n_tokens,
                                size_t max_seq_len, qeff_error *err);
qeff_status
qeff_ragged_run(qeff_ragged_session *session, const qeff_run_call *call, qeff_error *err);

/** As set_profile of backend.h. */
qeff_status
qeff_ragged_set_profile(qeff_ragged_session *session, const qeff_profile *profile, qeff_error *err);

#endif /* BACKEND_CPU_EXECUTE_H */
