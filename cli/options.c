/* options.c - the arguments behind a command's name, read by its table of options.
 *
 * Forms: --name value, --name=value, -n value, -nvalue. `--` ends options; a lone `-` is an
 * operand. Numbers are decimal digits and nothing else. */
#include "cli/command.h"
#include "cli/manual.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64, HELP_COLUMNS = 80, HELP_COLUMNS_MIN = 40 };

typedef struct parser {
    const cli_command *command;
    unsigned char *values;
    bool is_given[CLI_OPTIONS_MAX];
} parser;

static bool takes_value(const cli_option *option)
{
    return option->kind != CLI_FLAG && option->kind != CLI_SWITCH;
}

static const cli_option *find_long(const cli_command *command, const char *name, size_t size)
{
    for (const cli_option *o = command->options; o->name; o++)
        if (strlen(o->name) == size && memcmp(o->name, name, size) == 0) return o;
    return NULL;
}

static const cli_option *find_short(const cli_command *command, char name)
{
    for (const cli_option *o = command->options; o->name; o++)
        if (o->short_name && o->short_name == name) return o;
    return NULL;
}

/* --- values ----------------------------------------------------------------------------------- */

static int
fail_choice(const parser *p, const cli_option *option, const char *subject, const char *value)
{
    cli_text list = {0};
    for (const char *const *c = option->choices; *c; c++)
        cli_text_format(&list, "%s%s", c == option->choices ? "" : c[1] ? ", " : " or ", *c);
    const int code =
        cli_report_usage(p->command, "%s: expected %s, found '%s'", subject,
                         list.failed ? "another word" : list.data, cli_show(value).text);
    cli_text_deinit(&list);
    return code;
}

static int
store_choice(const parser *p, const cli_option *option, const char *subject, const char *value)
{
    for (int i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], value) != 0) continue;
        if (option->kind == CLI_CHOICE)
            memcpy(p->values + option->offset, &i, sizeof i);
        else
            memcpy(p->values + option->offset, &option->choices[i], sizeof(const char *));
        return CLI_CONTINUE;
    }
    return fail_choice(p, option, subject, value);
}

static int
store_count(const parser *p, const cli_option *option, const char *subject, const char *value)
{
    size_t n = 0;
    bool is_number = value[0] != '\0';
    for (const char *c = value; *c && is_number; c++) {
        is_number = *c >= '0' && *c <= '9' && n <= (SIZE_MAX - 9) / 10;
        if (is_number) n = n * 10 + (size_t)(*c - '0');
    }
    if (!is_number || n < option->min || n > option->max)
        return cli_report_usage(p->command,
                                "%s: expected a whole number from %zu to %zu, found '%s'", subject,
                                option->min, option->max, cli_show(value).text);
    memcpy(p->values + option->offset, &n, sizeof n);
    return CLI_CONTINUE;
}

/* `subject` is the option or the variable as the person wrote it. */
static int store(const parser *p, const cli_option *option, const char *subject, const char *value)
{
    const bool yes = true;
    switch (option->kind) {
    case CLI_FLAG:
        memcpy(p->values + option->offset, &yes, sizeof yes);
        return CLI_CONTINUE;
    case CLI_SWITCH: {
        const int state = (int)option->min;
        memcpy(p->values + option->offset, &state, sizeof state);
        return CLI_CONTINUE;
    }
    case CLI_PATH:
    case CLI_FOLDER:
        if (value[0] == '\0')
            return cli_report_usage(p->command, "%s: expected a path, found nothing", subject);
        memcpy(p->values + option->offset, &value, sizeof value);
        return CLI_CONTINUE;
    case CLI_TEXT:
        memcpy(p->values + option->offset, &value, sizeof value);
        return CLI_CONTINUE;
    case CLI_COUNT:
        return store_count(p, option, subject, value);
    case CLI_CHOICE:
    case CLI_WORD:
        return store_choice(p, option, subject, value);
    }
    return CLI_FAILURE;
}

/* --- names ------------------------------------------------------------------------------------ */

typedef struct option_words {
    const cli_option *next;
    bool gave_help;
    char word[NAME_MAX_BYTES];
} option_words;

static const char *next_option_word(void *ctx)
{
    option_words *w = ctx;
    if (w->next->name) {
        (void)snprintf(w->word, sizeof w->word, "--%s", w->next->name);
        w->next++;
        return w->word;
    }
    if (w->gave_help) return NULL;
    w->gave_help = true;
    return "--help";
}

static int fail_unknown_option(const parser *p, const char *arg)
{
    option_words words = {.next = p->command->options};
    char name[NAME_MAX_BYTES], best[CLI_WORD_BYTES];
    (void)snprintf(name, sizeof name, "%s", arg);
    name[strcspn(name, "=")] = '\0';
    const char *nearest = cli_nearest(name, next_option_word, &words, best);
    return cli_report_unknown(p->command, "option", name, nearest);
}

static int print_help(const cli_command *command)
{
    const cli_terminal terminal = cli_terminal_of(1);
    size_t columns = terminal.columns < HELP_COLUMNS ? terminal.columns : HELP_COLUMNS;
    if (columns < HELP_COLUMNS_MIN) columns = HELP_COLUMNS_MIN;
    qeff_error err = {0};
    cli_text text = {0};
    cli_help(command, columns, &text);
    qeff_status status = cli_text_status(&text, &err);
    if (!status) status = cli_print(text.data, text.size, &err);
    cli_text_deinit(&text);
    return status ? cli_report(NULL, &err) : CLI_OK;
}

/* --- the walk --------------------------------------------------------------------------------- */

/* Reads the option at args[*i]; moves `*i` to the last argument it took. */
static int parse_option(parser *p, int n_args, char **args, int *i)
{
    const char *arg = args[*i], *value = NULL;
    char subject[NAME_MAX_BYTES + 3];
    const cli_option *option = NULL;
    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) return print_help(p->command);
    if (arg[1] == '-') {
        const size_t size = strcspn(arg + 2, "=");
        option = find_long(p->command, arg + 2, size);
        if (arg[2 + size] == '=') value = arg + 2 + size + 1;
    } else {
        option = find_short(p->command, arg[1]);
        if (arg[2] != '\0') value = arg + 2;
    }
    if (!option) return fail_unknown_option(p, arg);
    (void)snprintf(subject, sizeof subject, "--%s", option->name);
    if (!takes_value(option) && value)
        return cli_report_usage(p->command, "%s: expected no value, found '%s'", subject,
                                cli_show(value).text);
    if (takes_value(option) && !value) {
        if (*i + 1 >= n_args)
            return cli_report_usage(p->command, "%s: expected %s, found nothing", subject,
                                    option->value_name);
        value = args[++*i];
    }
    p->is_given[option - p->command->options] = true;
    return store(p, option, subject, value ? value : "");
}

static int read_variables(const parser *p)
{
    for (const cli_option *o = p->command->options; o->name; o++) {
        if (!o->variable || p->is_given[o - p->command->options]) continue;
        const char *value = getenv(o->variable);
        if (!value || value[0] == '\0') continue;
        const int code = store(p, o, o->variable, value);
        if (code != CLI_CONTINUE) return code;
    }
    return CLI_CONTINUE;
}

static int check_operands(const cli_command *command, const cli_operands *operands)
{
    size_t n = 0;
    for (const cli_operand *o = command->operands; o->name; o++, n++) {
        if (!o->is_optional && n >= operands->n)
            return cli_report_usage(command, "%s: expected %s, found nothing", o->name, o->help);
        if (!o->is_optional && operands->items[n][0] == '\0')
            return cli_report_usage(command, "%s: expected %s, found an empty argument", o->name,
                                    o->help);
        if (o->is_repeated) return CLI_CONTINUE;
    }
    if (operands->n > n)
        return cli_report_usage(command, "%s: one argument too many",
                                cli_show(operands->items[n]).text);
    return CLI_CONTINUE;
}

int cli_parse(const cli_command *command, int n_args, char **args, void *values,
              cli_operands *operands)
{
    parser p = {.command = command, .values = values};
    bool is_over = false;
    operands->items = args;
    operands->n = 0;
    for (int i = 0; i < n_args; i++) {
        if (!is_over && strcmp(args[i], "--") == 0) {
            is_over = true;
        } else if (!is_over && args[i][0] == '-' && args[i][1] != '\0') {
            const int code = parse_option(&p, n_args, args, &i);
            if (code != CLI_CONTINUE) return code;
        } else {
            operands->items[operands->n++] = args[i];
        }
    }
    const int code = read_variables(&p);
    return code == CLI_CONTINUE ? check_operands(command, operands) : code;
}
