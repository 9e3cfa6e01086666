/* man.c - manual pages in the macros of man(7): one of the program, one of each command. */
#include "cli/manual.h"

#include <qeff/base.h>

#include <string.h>

/* The day the interface of the program last changed. */
#define MAN_DATE "2026-11-24"

/* Characters that roff would take as commands. */
static void add_escaped(cli_text *out, const char *text)
{
    if (*text == '.' || *text == '\'') cli_text_add(out, "\\&");
    for (; *text; text++) {
        if (*text == '\\')
            cli_text_add(out, "\\e");
        else if (*text == '-')
            cli_text_add(out, "\\-");
        else if (*text == '\'')
            cli_text_add(out, "\\(aq");
        else if (*text == '"')
            cli_text_add(out, "\\(dq");
        else if (*text == '`')
            cli_text_add(out, "\\(ga");
        else if (*text == '~')
            cli_text_add(out, "\\(ti");
        else if (*text == '^')
            cli_text_add(out, "\\(ha");
        else
            cli_text_append(out, text, 1);
    }
}

static void add_line(cli_text *out, const char *macro, const char *text)
{
    cli_text_add(out, macro);
    add_escaped(out, text);
    cli_text_add(out, "\n");
}

static void add_title(cli_text *out, const char *page, const char *summary)
{
    cli_text_format(out, ".TH %s 1 " MAN_DATE " \"qeff %s\" \"User Commands\"\n", page,
                    qeff_version());
    cli_text_add(out, ".SH NAME\n");
    add_escaped(out, page);
    cli_text_add(out, " \\- ");
    add_escaped(out, summary);
    cli_text_add(out, "\n");
}

static void add_paragraphs(cli_text *out, const char *const *paragraphs)
{
    for (const char *const *p = paragraphs; *p; p++) {
        if (p != paragraphs) cli_text_add(out, ".PP\n");
        add_line(out, "", *p);
    }
}

static void add_tagged(cli_text *out, const char *tag, const char *text)
{
    add_line(out, ".TP\n.B ", tag);
    add_line(out, "", text);
}

static void add_options(cli_text *out, const cli_command *command)
{
    cli_text_add(out, ".SH OPTIONS\n");
    for (const cli_option *o = command->options; o->name; o++) {
        cli_text help = {0};
        cli_add_option_help(o, &help);
        cli_text_add(out, ".TP\n");
        if (o->short_name) cli_text_format(out, "\\fB\\-%c\\fR, ", o->short_name);
        cli_text_add(out, "\\fB");
        add_escaped(out, "--");
        add_escaped(out, o->name);
        cli_text_add(out, "\\fR");
        if (o->value_name) cli_text_format(out, " \\fI%s\\fR", o->value_name);
        cli_text_add(out, "\n");
        add_line(out, "", help.data ? help.data : "");
        if (help.failed) out->failed = true;
        cli_text_deinit(&help);
    }
    cli_text_add(out, ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nshow the help\n");
}

static void add_examples(cli_text *out, const cli_command *command)
{
    cli_text_add(out, ".SH EXAMPLES\n");
    for (const cli_example *e = command->examples; e->help; e++) {
        if (e != command->examples) cli_text_add(out, ".PP\n");
        add_line(out, "", e->help);
        cli_text_add(out, ".PP\n.nf\n.RS 4\n");
        add_line(out, "", e->command);
        cli_text_add(out, ".RE\n.fi\n");
    }
}

static void add_exit_status(cli_text *out)
{
    cli_text_add(out, ".SH EXIT STATUS\n");
    for (const cli_exit_code *e = cli_exit_codes; e->help; e++) {
        cli_text_format(out, ".TP\n.B %d\n", e->code);
        add_line(out, "", e->help);
    }
}

static void add_command_page(cli_text *out, const cli_command *command)
{
    cli_text page = {0};
    cli_text_format(&page, "qeff-%s", command->name);
    if (page.failed) {
        out->failed = true;
        return;
    }
    add_title(out, page.data, command->summary);
    cli_text_format(out, ".SH SYNOPSIS\n.B qeff %s\n", command->name);
    cli_text_add(out, "\\fI");
    cli_add_operands(command, out);
    cli_text_add(out, "\\fR [\\fIOPTION\\fR...]\n.SH DESCRIPTION\n");
    add_paragraphs(out, command->description);
    for (const cli_operand *o = command->operands; o->name; o++)
        add_tagged(out, o->name, o->help);
    add_options(out, command);
    add_examples(out, command);
    add_exit_status(out);
    cli_text_add(out, ".SH SEE ALSO\n.BR qeff (1)\n");
    cli_text_deinit(&page);
}

void cli_man(const cli_command *command, cli_text *out)
{
    if (command) {
        add_command_page(out, command);
        return;
    }
    add_title(out, "qeff", "turn texts into vectors with transformer models");
    cli_text_add(out, ".SH SYNOPSIS\n.B qeff\n\\fICOMMAND\\fR [\\fIARGUMENT\\fR...] "
                      "[\\fIOPTION\\fR...]\n.SH DESCRIPTION\n");
    add_paragraphs(out, cli_about);
    cli_text_add(out, ".SH COMMANDS\n");
    for (const cli_command *const *c = cli_commands; *c; c++)
        add_tagged(out, (*c)->name, (*c)->summary);
    cli_text_add(out, ".SH ENVIRONMENT\n");
    for (const cli_variable *v = cli_variables; v->name; v++)
        add_tagged(out, v->name, v->help);
    add_exit_status(out);
    cli_text_add(out, ".SH SEE ALSO\n");
    for (const cli_command *const *c = cli_commands; *c; c++)
        cli_text_format(out, ".BR qeff\\-%s (1)%s\n", (*c)->name, c[1] ? "," : "");
}
