/* report.h - what the program says on stderr: one line an error, one line a hint, notes. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/command.h"

#include <qeff/base.h>

/** Writes the fact into `err` and returns `code`. Control characters become `?`, so that the
 * message stays one line. */
qeff_status cli_fail(qeff_error *err, qeff_status code, const char *format, ...) QEFF_PRINTF(3, 4);
/** The same for an errno value: `subject: what the system says`. */
qeff_status cli_fail_system(qeff_error *err, int error, const char *subject);
void cli_hint(qeff_error *err, const char *format, ...) QEFF_PRINTF(2, 3);

/** Reports an error of the library or of this program and returns its exit code. `command` may be
 * NULL; with it a message that names one of its options by the library's name (`max_length: …`)
 * names the option instead. */
int cli_report(const cli_command *command, const qeff_error *err);

/** Reports an error in the command line; the hint leads to --help. Returns CLI_USAGE. */
int cli_report_usage(const cli_command *command, const char *format, ...) QEFF_PRINTF(2, 3);
/** The same with a word that may have been meant; NULL: the hint leads to --help. */
int cli_report_unknown(const cli_command *command, const char *what, const char *found,
                       const char *nearest);

/** A remark that is no error. Held back by the caller until the work is done. */
void cli_note(const char *format, ...) QEFF_PRINTF(1, 2);

/** `text` with control characters as `?`, cut to about 60 bytes, valid UTF-8. */
typedef struct cli_shown {
    char text[80];
} cli_shown;
cli_shown cli_show(const char *text);

#endif /* CLI_REPORT_H */
