/* float_mode.c - the floating-point environment of C; the default one also clears the flags of x86
 * and Arm that make denormals zero. */
#include "base/float_mode.h"

qeff_float_mode qeff_float_mode_enter(void)
{
    qeff_float_mode mode;
    (void)fegetenv(&mode.saved);
    (void)fesetenv(FE_DFL_ENV);
    return mode;
}

void qeff_float_mode_leave(const qeff_float_mode *mode)
{
    (void)fesetenv(&mode->saved);
}
