/* session.h - what the rooms above may do with a session beyond the public header. */
#ifndef RUNTIME_SESSION_H
#define RUNTIME_SESSION_H

#include "backend/backend.h"

#include <qeff/session.h>

/** A list of `count` empty tensors, to be filled by qeff_tensors_allocate(). */
qeff_status qeff_tensors_create(size_t count, qeff_tensors **out, qeff_error *err);
/** Gives item `index` a name, shape and zeroed memory of its own. */
qeff_status
qeff_tensors_allocate(qeff_tensors *list, size_t index, const char *name, qeff_dtype dtype,
                      size_t rank, const int64_t *shape, qeff_error *err);

/** Runs sequences that lie one after another, without padding; `call` as backend.h describes it.
 * Reserves first, so only growth allocates. */
qeff_status
qeff_session_run_ragged(qeff_session *session, const qeff_run_call *call, qeff_error *err);

/** As qeff_auto_model_set_profile(). */
qeff_status
qeff_session_set_profile(qeff_session *session, const qeff_profile *profile, qeff_error *err);

#endif /* RUNTIME_SESSION_H */
