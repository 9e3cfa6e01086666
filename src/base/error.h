/* error.h - filling in the caller's error record: facts where they are noticed, context on the
 * way up. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <qeff/base.h>

/** Writes the fact into `err` (nullable) and returns `code`, so that it can be returned directly.
 * `format` is lower case, without full stop, subjects in single quotes. Control characters that
 * come from a file are written as `?`, so that the message stays one line. */
qeff_status qeff_fail(qeff_error *err, qeff_status code, const char *format, ...) QEFF_PRINTF(3, 4);

/** On failure puts `context: ` before the message; returns `status` unchanged. QEFF_OK passes. */
qeff_status
qeff_within(qeff_error *err, qeff_status status, const char *format, ...) QEFF_PRINTF(3, 4);

/** Sets the advice that follows the error; a hint that is already there stays. */
void qeff_hint(qeff_error *err, const char *format, ...) QEFF_PRINTF(2, 3);

/** Fails with what the system said: maps an errno value to a status and adds its text. */
qeff_status qeff_fail_system(qeff_error *err, int error, const char *format, ...) QEFF_PRINTF(3, 4);

/** Early return for functions that own nothing yet. */
#define QEFF_TRY(expression)                                                                       \
    do {                                                                                           \
        const qeff_status qeff_try_status = (expression);                                          \
        if (qeff_try_status) return qeff_try_status;                                               \
    } while (0)

#endif /* BASE_ERROR_H */
