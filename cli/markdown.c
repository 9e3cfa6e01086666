/* markdown.c - docs/cli.md: the same tables as a page. */
#include "cli/manual.h"

/* `|` would end a cell. */
static void add_cell(cli_text *out, const char *text)
{
    for (; *text; text++)
        cli_text_format(out, *text == '|' ? "\\%c" : "%c", *text);
}

static void add_paragraphs(cli_text *out, const char *const *paragraphs)
{
    for (const char *const *p = paragraphs; *p; p++)
        cli_text_format(out, "\n%s\n", *p);
}

static void add_options(cli_text *out, const cli_command *command)
{
    cli_text_add(out, "\n| option | |\n| --- | --- |\n");
    for (const cli_option *o = command->options; o->name; o++) {
        cli_text help = {0};
        cli_add_option_help(o, &help);
        cli_text_add(out, "| ");
        if (o->short_name) cli_text_format(out, "`-%c`, ", o->short_name);
        cli_text_add(out, "`");
        cli_add_option_form(o, out);
        cli_text_add(out, "` | ");
        add_cell(out, help.data ? help.data : "");
        cli_text_add(out, " |\n");
        if (help.failed) out->failed = true;
        cli_text_deinit(&help);
    }
    cli_text_add(out, "| `-h`, `--help` | show the help |\n");
}

static void add_command(cli_text *out, const cli_command *command)
{
    cli_text_format(out, "\n## qeff %s\n\n```\nqeff %s ", command->name, command->name);
    cli_add_operands(command, out);
    cli_text_add(out, " [OPTION...]\n```\n");
    add_paragraphs(out, command->description);
    cli_text_add(out, "\n| argument | |\n| --- | --- |\n");
    for (const cli_operand *o = command->operands; o->name; o++) {
        cli_text_format(out, "| `%s` | ", o->name);
        add_cell(out, o->help);
        cli_text_add(out, " |\n");
    }
    add_options(out, command);
    for (const cli_example *e = command->examples; e->help; e++)
        cli_text_format(out, "\n%s:\n\n```sh\n%s\n```\n", e->help, e->command);
}

void cli_markdown(cli_text *out)
{
    cli_text_add(out, "# The program `qeff`\n\n"
                      "This page is made from the tables in `cli/` by `qeff __markdown`; a test "
                      "compares the two.\n");
    add_paragraphs(out, cli_about);
    cli_text_add(out, "\n| command | |\n| --- | --- |\n");
    for (const cli_command *const *c = cli_commands; *c; c++)
        cli_text_format(out, "| [%s](#qeff-%s) | %s |\n", (*c)->name, (*c)->name, (*c)->summary);
    cli_text_add(out, "\n| exit code | |\n| --- | --- |\n");
    for (const cli_exit_code *e = cli_exit_codes; e->help; e++)
        cli_text_format(out, "| %d | %s |\n", e->code, e->help);
    cli_text_add(out, "\n| variable | |\n| --- | --- |\n");
    for (const cli_variable *v = cli_variables; v->name; v++) {
        cli_text_format(out, "| `%s` | ", v->name);
        add_cell(out, v->help);
        cli_text_add(out, " |\n");
    }
    for (const cli_command *const *c = cli_commands; *c; c++)
        add_command(out, *c);
}
