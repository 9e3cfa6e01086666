/* manual.h - the tables as text: help, man pages, bash completion, Markdown. */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include "cli/command.h"
#include "cli/text.h"

/** Help of a command, or of the program (NULL), in lines of at most `columns`. */
void cli_help(const cli_command *command, size_t columns, cli_text *out);
/** qeff(1), or qeff-<command>(1), in man(7) macros. */
void cli_man(const cli_command *command, cli_text *out);
/** Completion for bash 4 and later; needs no other script. */
void cli_completion_bash(cli_text *out);
/** docs/cli.md. */
void cli_markdown(cli_text *out);
/** Example commands, one a line. */
void cli_examples(const cli_command *command, cli_text *out);

/** "MODEL [TEXT...]" */
void cli_add_operands(const cli_command *command, cli_text *out);
/** The option's help with what can be said of its values: choices, range, default, variable. */
void cli_add_option_help(const cli_option *option, cli_text *out);
/** "--output FILE" */
void cli_add_option_form(const cli_option *option, cli_text *out);

#endif /* CLI_MANUAL_H */
