/* float_mode.h - results do not depend on how the caller has set up floating point: rounding mode,
 * denormals taken for zero, exceptions that trap. Public functions that compute do so in the
 * default mode, and leave the thread as they found it. Threads of a pool start in the default mode.
 */
#ifndef BASE_FLOAT_MODE_H
#define BASE_FLOAT_MODE_H

#include <fenv.h>

/** What the caller's thread had. */
typedef struct qeff_float_mode {
    fenv_t saved;
} qeff_float_mode;

/** Sets this thread to the default mode: to nearest even, with denormals, no traps. */
qeff_float_mode qeff_float_mode_enter(void);

/** Restores mode and exception flags. */
void qeff_float_mode_leave(const qeff_float_mode *mode);

#endif /* BASE_FLOAT_MODE_H */
