/* output.h - where data goes: stdout, or a file that appears complete or not at all. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <qeff/base.h>

enum { CLI_OUTPUT_PATH_MAX = 4096, CLI_OUTPUT_BYTES = 64 * 1024 };

/** Zero-initialise. Errors are sticky and come out of cli_output_close(). */
typedef struct cli_output {
    int fd;
    bool is_open;
    int error;        /**< errno of the first failed write */
    const char *path; /**< NULL: stdout */
    char target[CLI_OUTPUT_PATH_MAX];
    char temporary[CLI_OUTPUT_PATH_MAX + 32]; /**< empty: written in place */
    char *buffer;
    size_t used;
} cli_output;

/** @param path  NULL or "-": stdout. Files other than regular ones are written in place. */
qeff_status cli_output_open(cli_output *out, const char *path, qeff_error *err);
void cli_output_write(cli_output *out, const void *data, size_t size);
void cli_output_add(cli_output *out, const char *text);
void cli_output_format(cli_output *out, const char *format, ...) QEFF_PRINTF(2, 3);
/** A float with the digits that give the same float again. */
void cli_output_float(cli_output *out, float value);
/** Writes what is left; a file gets its name now. On failure the old file is as it was. */
qeff_status cli_output_close(cli_output *out, qeff_error *err);
/** Drops a file that is being written. Allowed on a zeroed or closed output. */
void cli_output_abort(cli_output *out);

/** Writes a whole text to stdout. */
qeff_status cli_print(const char *data, size_t size, qeff_error *err);

#endif /* CLI_OUTPUT_H */
