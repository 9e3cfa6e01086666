/* command.h - what a subcommand is: one table of operands, options and examples, from which the
 * parser, --help, the man page, bash completion and docs/cli.md come. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What an option takes and which member of the command's values it fills. */
typedef enum cli_option_kind {
    CLI_FLAG,   /**< nothing; bool becomes true */
    CLI_TEXT,   /**< const char *: any text */
    CLI_PATH,   /**< const char *: a file; not empty */
    CLI_FOLDER, /**< const char *: a folder; not empty */
    CLI_COUNT,  /**< size_t in [min, max] */
    CLI_CHOICE, /**< int: index of one of the choices */
    CLI_WORD,   /**< const char *: one of the choices */
    CLI_SWITCH, /**< nothing; int becomes `min` */
} cli_option_kind;

typedef struct cli_option {
    const char *name; /**< without dashes; NULL ends a table */
    char short_name;  /**< '\0': none */
    cli_option_kind kind;
    size_t offset;              /**< of the member in the command's values */
    const char *value_name;     /**< "FILE"; NULL where it takes no value */
    size_t min, max;            /**< CLI_COUNT */
    const char *const *choices; /**< NULL ends */
    const char *fallback;       /**< for people: what holds where it is not given; NULL: nothing */
    const char *variable;       /**< environment variable that stands in for it; NULL: none.
                                 Needs a fallback */
    const char *help;           /**< a clause, lower case, without full stop */
} cli_option;

typedef struct cli_operand {
    const char *name; /**< "MODEL"; NULL ends a table */
    const char *help;
    bool is_optional;
    bool is_repeated; /**< any number; the last one only */
} cli_operand;

typedef struct cli_example {
    const char *help;    /**< NULL ends a table */
    const char *command; /**< runs as it stands, see tests/cli/run.sh */
} cli_example;

/** What is left of a command line once its options are taken out. */
typedef struct cli_operands {
    char **items;
    size_t n;
} cli_operands;

typedef struct cli_command {
    const char *name;
    const char *summary;            /**< a clause: "turn texts into vectors" */
    const char *const *description; /**< paragraphs; NULL ends */
    const cli_operand *operands;
    const cli_option *options;   /**< --help is understood everywhere and in no table */
    const cli_example *examples; /**< at least one */
    size_t values_size;          /**< of the struct that the options fill, at most CLI_VALUES_MAX */
    /** Runs with parsed options; returns the exit code. */
    int (*run)(const struct cli_command *command, void *values, const cli_operands *operands);
} cli_command;

enum { CLI_VALUES_MAX = 256, CLI_OPTIONS_MAX = 32 };

/** Exit codes. */
enum {
    CLI_OK = 0,
    CLI_FAILURE = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_MALFORMED = 5,
    CLI_UNSUPPORTED = 6,
    CLI_NO_RESOURCES = 7,
    CLI_CONTINUE = -1, /**< of the parser: nothing is decided yet */
};

/** Settings that come from the environment alone. NULL ends each list. */
typedef struct cli_variable {
    const char *name;
    const char *help;
} cli_variable;

typedef struct cli_exit_code {
    int code;
    const char *help; /**< NULL ends */
} cli_exit_code;

extern const cli_command *const cli_commands[]; /**< NULL ends */
extern const cli_variable cli_variables[];
extern const cli_exit_code cli_exit_codes[];
extern const char *const cli_about[]; /**< paragraphs on the program as a whole; NULL ends */

extern const cli_command cli_embed;
extern const cli_command cli_tokenize;
extern const cli_command cli_export;
extern const cli_command cli_compile;
extern const cli_command cli_run;
extern const cli_command cli_inspect;
extern const cli_command cli_bench;

/** NULL where there is no command of that name. */
const cli_command *cli_find_command(const char *name);

/** Reads the arguments behind the command's name into `values`, which is zeroed. Options may stand
 * anywhere before `--`; the last of two equal ones counts; environment variables fill in for those
 * that are not given. `args` is reordered.
 * @return CLI_CONTINUE, or an exit code: help was printed, or an error reported */
int cli_parse(const cli_command *command, int n_args, char **args, void *values,
              cli_operands *operands);

enum { CLI_WORD_BYTES = 41 };

/** The word that lies nearest to `text`, copied to `best`, or NULL where none lies near. `next`
 * gives the words one by one, then NULL. */
const char *
cli_nearest(const char *text, const char *(*next)(void *ctx), void *ctx, char best[CLI_WORD_BYTES]);

#endif /* CLI_COMMAND_H */
