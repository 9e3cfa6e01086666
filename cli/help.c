/* help.c - a command's tables as --help, and what the other renderings share. */
#include "cli/manual.h"

#include <stdio.h>
#include <string.h>

enum { OPTION_COLUMN = 27, EXAMPLE_INDENT = 4 };

void cli_add_operands(const cli_command *command, cli_text *out)
{
    for (const cli_operand *o = command->operands; o->name; o++)
        cli_text_format(out, "%s%s%s%s%s", o == command->operands ? "" : " ",
                        o->is_optional ? "[" : "", o->name, o->is_repeated ? "..." : "",
                        o->is_optional ? "]" : "");
}

void cli_add_option_form(const cli_option *option, cli_text *out)
{
    cli_text_format(out, "--%s%s%s", option->name, option->value_name ? " " : "",
                    option->value_name ? option->value_name : "");
}

void cli_add_option_help(const cli_option *option, cli_text *out)
{
    cli_text_add(out, option->help);
    if (option->choices) {
        cli_text_add(out, ": ");
        for (const char *const *c = option->choices; *c; c++)
            cli_text_format(out, "%s%s", c == option->choices ? "" : ", ", *c);
    }
    if (option->kind == CLI_COUNT && option->max < SIZE_MAX / 2)
        cli_text_format(out, ", %zu to %zu", option->min, option->max);
    if (option->variable)
        cli_text_format(out, " (default: $%s, else %s)", option->variable, option->fallback);
    else if (option->fallback)
        cli_text_format(out, " (default: %s)", option->fallback);
}

/* A row of two columns; a left part that is too wide has a line of its own. */
static void
add_row(const char *left, const char *right, size_t column, size_t columns, cli_text *out)
{
    cli_text_format(out, "  %s", left);
    if (strlen(left) + 4 > column) cli_text_add(out, "\n");
    cli_text_pad(out, column);
    cli_text_wrap(out, right, column, columns);
    cli_text_add(out, "\n");
}

static size_t option_column(size_t columns)
{
    return columns < 60 ? OPTION_COLUMN / 3 : OPTION_COLUMN;
}

static void add_options(const cli_command *command, size_t columns, cli_text *out)
{
    cli_text_add(out, "\nOptions:\n");
    for (const cli_option *o = command->options; o->name; o++) {
        cli_text left = {0}, right = {0};
        if (o->short_name)
            cli_text_format(&left, "-%c, ", o->short_name);
        else
            cli_text_add(&left, "    ");
        cli_add_option_form(o, &left);
        cli_add_option_help(o, &right);
        if (left.failed || right.failed)
            out->failed = true;
        else
            add_row(left.data, right.data, option_column(columns), columns, out);
        cli_text_deinit(&left);
        cli_text_deinit(&right);
    }
    add_row("-h, --help", "show this help", option_column(columns), columns, out);
}

static void add_operand_help(const cli_command *command, size_t columns, cli_text *out)
{
    size_t column = 4;
    for (const cli_operand *o = command->operands; o->name; o++)
        if (strlen(o->name) + 4 > column) column = strlen(o->name) + 4;
    cli_text_add(out, "\nArguments:\n");
    for (const cli_operand *o = command->operands; o->name; o++)
        add_row(o->name, o->help, column, columns, out);
}

static void add_paragraphs(const char *const *paragraphs, size_t columns, cli_text *out)
{
    for (const char *const *p = paragraphs; *p; p++) {
        cli_text_add(out, "\n");
        cli_text_wrap(out, *p, 0, columns);
        cli_text_add(out, "\n");
    }
}

static void add_examples(const cli_command *command, size_t columns, cli_text *out)
{
    cli_text_add(out, "\nExamples:\n");
    for (const cli_example *e = command->examples; e->help; e++) {
        cli_text_add(out, "  ");
        cli_text_wrap(out, e->help, 2, columns);
        cli_text_format(out, "\n%*s%s\n", EXAMPLE_INDENT, "", e->command);
    }
}

static void add_command_help(const cli_command *command, size_t columns, cli_text *out)
{
    cli_text_format(out, "Usage: qeff %s ", command->name);
    cli_add_operands(command, out);
    cli_text_add(out, " [OPTION...]\n");
    add_paragraphs(command->description, columns, out);
    add_operand_help(command, columns, out);
    add_options(command, columns, out);
    add_examples(command, columns, out);
}

void cli_help(const cli_command *command, size_t columns, cli_text *out)
{
    if (command) {
        add_command_help(command, columns, out);
        return;
    }
    cli_text_add(out, "Usage: qeff COMMAND [ARGUMENT...] [OPTION...]\n");
    add_paragraphs(cli_about, columns, out);
    cli_text_add(out, "\nCommands:\n");
    for (const cli_command *const *c = cli_commands; *c; c++)
        add_row((*c)->name, (*c)->summary, 12, columns, out);
    add_row("help", "show this help, or that of a command", 12, columns, out);
    add_row("version", "show the version", 12, columns, out);
    cli_text_add(out, "\nEnvironment:\n");
    for (const cli_variable *v = cli_variables; v->name; v++)
        add_row(v->name, v->help, 17, columns, out);
    cli_text_add(out, "\nExit codes:\n");
    for (const cli_exit_code *e = cli_exit_codes; e->help; e++) {
        char code[16];
        (void)snprintf(code, sizeof code, "%d", e->code);
        add_row(code, e->help, 5, columns, out);
    }
}

void cli_examples(const cli_command *command, cli_text *out)
{
    for (const cli_example *e = command->examples; e->help; e++)
        cli_text_format(out, "%s\n", e->command);
}
