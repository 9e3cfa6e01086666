/* input.h - the texts a command works on: arguments, lines of a file, lines of JSON. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "cli/command.h"
#include "cli/text.h"

enum { CLI_ITEM_BYTES_MAX = 1 << 20 };

/** Texts in their order. Zero-initialise. */
typedef struct cli_input {
    const char *path; /**< NULL: arguments; "-": stdin */
    qeff_str *texts;  /**< [n] */
    size_t *lines;    /**< [n] line each stands on, from 1; NULL for arguments */
    size_t n;
    cli_text bytes; /**< of all texts from a file */
    size_t texts_capacity, lines_capacity;
} cli_input;

/** Takes TEXT operands from `first` on, or `path` (--input), or stdin where neither is given and it
 * is not a terminal.
 * @return CLI_CONTINUE, or the exit code of an error that was reported */
int cli_input_read(const cli_command *command, const char *path, const cli_operands *operands,
                   size_t first, cli_input *out);
void cli_input_deinit(cli_input *input);

/** Replaces `text N` at the start of a message by file and line. */
void cli_input_locate(const cli_input *input, qeff_error *err);

#endif /* CLI_INPUT_H */
