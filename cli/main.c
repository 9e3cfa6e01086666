/* main.c - the program qeff: finds the command and runs it. */
#include "cli/command.h"
#include "cli/manual.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "cli/unfinished.h"

#include <qeff/base.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELP_COLUMNS = 80, HELP_COLUMNS_MIN = 40 };

const cli_command *const cli_commands[] = {&cli_embed, &cli_tokenize, &cli_export, &cli_compile,
                                           &cli_run,   &cli_inspect,  &cli_bench,  NULL};

const char *const cli_about[] = {
    "Turns texts into vectors with a transformer model, straight from the files of a Hugging Face "
    "model folder: the vectors are those of sentence-transformers. The same model can be exported "
    "to ONNX, compiled into a program, and run on arrays.",
    "Data goes to stdout, everything else to stderr. An error is one line that names the file or "
    "the key, what was expected and what was found; stdout is empty then.",
    NULL};

const cli_variable cli_variables[] = {
    {"QEFF_HOME", "folder of compiled programs (default: $XDG_CACHE_HOME/qeff_models, else "
                  "~/.cache/qeff_models)"},
    {"QEFF_CPU", "best instruction set that may be used: scalar, avx2, avx2vnni or avx512 "
                 "(default: the processor's)"},
    {"QEFF_THREADS", "stands in for --threads"},
    {"QEFF_BATCH_SIZE", "stands in for --batch-size"},
    {"NO_COLOR", "where set, no colours on a terminal"},
    {"COLUMNS", "width to lay out for (default: the terminal's, else 80)"},
    {NULL, NULL}};

const cli_exit_code cli_exit_codes[] = {
    {CLI_OK, "success"},
    {CLI_FAILURE, "failure: the system refused to read or write, a text is over a limit; "
                  "or qeff bench --compare found a loss"},
    {CLI_USAGE, "usage: an unknown option or command, a value out of range, unfit arrays"},
    {CLI_NOT_FOUND, "not found: a file, folder or prompt that was named"},
    {CLI_MALFORMED, "a file is damaged or malformed"},
    {CLI_UNSUPPORTED, "a model, operator or file that this build does not know"},
    {CLI_NO_RESOURCES, "out of memory or space"},
    {0, NULL}};

const cli_command *cli_find_command(const char *name)
{
    for (const cli_command *const *c = cli_commands; *c; c++)
        if (strcmp((*c)->name, name) == 0) return *c;
    return NULL;
}

typedef struct command_words {
    const cli_command *const *next;
    int n_more;
} command_words;

static const char *next_command_word(void *ctx)
{
    static const char *const more[] = {"help", "version", "--help", "--version"};
    command_words *w = ctx;
    if (*w->next) return (*w->next++)->name;
    return w->n_more < (int)(sizeof more / sizeof more[0]) ? more[w->n_more++] : NULL;
}

static int fail_unknown_command(const char *name)
{
    command_words words = {.next = cli_commands};
    char best[CLI_WORD_BYTES];
    const char *nearest = cli_nearest(name, next_command_word, &words, best);
    return cli_report_unknown(NULL, name[0] == '-' ? "option" : "command", name, nearest);
}

static int print_text(cli_text *text)
{
    qeff_error err = {0};
    qeff_status status = cli_text_status(text, &err);
    if (!status) status = cli_print(text->data, text->size, &err);
    cli_text_deinit(text);
    return status ? cli_report(NULL, &err) : CLI_OK;
}

static int print_help(const cli_command *command)
{
    cli_text text = {0};
    size_t columns = cli_terminal_of(STDOUT_FILENO).columns;
    if (columns > HELP_COLUMNS) columns = HELP_COLUMNS;
    if (columns < HELP_COLUMNS_MIN) columns = HELP_COLUMNS_MIN;
    cli_help(command, columns, &text);
    return print_text(&text);
}

static int run_help(int n_args, char **args)
{
    if (n_args == 0) return print_help(NULL);
    const cli_command *command = cli_find_command(args[0]);
    if (!command) return fail_unknown_command(args[0]);
    return print_help(command);
}

/* What the build and the tests take from the tables. */
static int run_hidden(const char *name, int n_args, char **args)
{
    cli_text text = {0};
    const cli_command *command = n_args ? cli_find_command(args[0]) : NULL;
    if (strcmp(name, "__man") == 0)
        cli_man(command, &text);
    else if (strcmp(name, "__completion") == 0 && n_args && strcmp(args[0], "bash") == 0)
        cli_completion_bash(&text);
    else if (strcmp(name, "__markdown") == 0)
        cli_markdown(&text);
    else if (strcmp(name, "__examples") == 0 && command)
        cli_examples(command, &text);
    else
        return fail_unknown_command(name);
    return print_text(&text);
}

static int run_version(void)
{
    cli_text text = {0};
    cli_text_format(&text, "qeff %s (cpu: %s)\n", qeff_version(), qeff_cpu_level());
    return print_text(&text);
}

static int run_command(const cli_command *command, int n_args, char **args)
{
    union {
        max_align_t alignment;
        unsigned char bytes[CLI_VALUES_MAX];
    } values;
    cli_operands operands;
    memset(&values, 0, sizeof values);
    const int code = cli_parse(command, n_args, args, &values, &operands);
    return code == CLI_CONTINUE ? command->run(command, &values, &operands) : code;
}

/* A file that is opened must not become stdout because stdout was closed. The stand-ins cannot be
 * used in their direction, so that reading and writing fail as they would have. */
static void reserve_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int n_args, char **args)
{
    reserve_standard_files();
    cli_unfinished_init();
    if (n_args < 2) return cli_report_usage(NULL, "COMMAND: expected a command, found nothing");
    const char *name = args[1];
    const cli_command *command = cli_find_command(name);
    if (command) return run_command(command, n_args - 2, args + 2);
    if (strcmp(name, "help") == 0) return run_help(n_args - 2, args + 2);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return print_help(NULL);
    if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0) return run_version();
    if (strncmp(name, "__", 2) == 0) return run_hidden(name, n_args - 2, args + 2);
    return fail_unknown_command(name);
}
