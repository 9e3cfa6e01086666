/* qeff/session.h - run a compiled program on named arrays. */
#ifndef QEFF_SESSION_H
#define QEFF_SESSION_H

#include <qeff/program.h>
#include <qeff/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One caller's workspace over a program, which it borrows and which must outlive it. Not
 * thread-safe: one call at a time. Destroying it, or calling it, while another thread runs it is
 * refused with QEFF_ERR_INVALID by run, and leaves it alive in destroy. */
typedef struct qeff_session qeff_session;

/** Zero-initialise, then set what differs: zero always means the default. */
typedef struct qeff_session_options {
    int n_threads; /**< threads that work, the caller's included; 0: as many as can run at once
                    here, which is what the affinity mask and the control group's quota allow */
} qeff_session_options;

/** Creates a session; the caller owns `*out`.
 * @return QEFF_ERR_INVALID (more threads than can run at once here), QEFF_ERR_NO_MEMORY,
 *         QEFF_ERR_DEVICE; `*out` is NULL then */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_session_create(const qeff_program *program,
                                                         const qeff_session_options *options,
                                                         qeff_session **out, qeff_error *err);

/** Releases the session and all it owns. NULL is allowed.
 * @return QEFF_ERR_INVALID where another thread is inside run: nothing was released */
QEFF_API qeff_status qeff_session_destroy(qeff_session *session);

/** Runs the program once.
 *
 * @param inputs   [n_inputs] by name, each input of the program exactly once, in any order; dtype
 *                 and rank as qeff_program_input() says. A token model takes `input_ids` and
 *                 `attention_mask`, both [B, T] i64; the mask holds 0 and 1.
 * @param outputs  receives a list that the caller owns. Rows that the mask hides are zero.
 * @return QEFF_ERR_INVALID (missing, unknown or mis-shaped input, id outside the vocabulary),
 *         QEFF_ERR_CAPACITY (longer than the model's positions), QEFF_ERR_NO_MEMORY,
 *         QEFF_ERR_DEVICE; `*outputs` is NULL then and the session stays usable */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_session_run(qeff_session *session,
                                                      const qeff_tensor *inputs, size_t n_inputs,
                                                      qeff_tensors **outputs, qeff_error *err);

#ifdef __cplusplus
}
#endif
#endif /* QEFF_SESSION_H */
