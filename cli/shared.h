/* shared.h - what several commands offer alike. */
#ifndef CLI_SHARED_H
#define CLI_SHARED_H

#include "cli/command.h"

#include <qeff/auto_model.h>

enum { CLI_THREADS_MAX = 1024, CLI_LENGTH_MAX = 1 << 20, CLI_BATCH_MAX = 65536 };

/** Names of qeff_auto_model_options.pooling; NULL ends. */
extern const char *const cli_pooling_modes[];

/** Names of qeff_auto_model_options.precision; NULL ends. */
extern const char *const cli_precisions[];

/** Rows of option tables; `type` is the command's values. */
#define CLI_OPTION_POOLING(type)                                                                   \
    {                                                                                              \
        .name = "pooling", .kind = CLI_WORD, .offset = offsetof(type, pooling),                    \
        .value_name = "MODE", .choices = cli_pooling_modes,                                        \
        .fallback = "as the folder says, else mean",                                               \
        .help = "how the vectors of tokens become one"                                             \
    }
#define CLI_OPTION_NORMALIZE(type)                                                                 \
    {                                                                                              \
        .name = "normalize", .kind = CLI_SWITCH, .offset = offsetof(type, normalize),              \
        .min = QEFF_TOGGLE_ON, .help = "scale vectors to unit length"                              \
    }
#define CLI_OPTION_NO_NORMALIZE(type)                                                              \
    {                                                                                              \
        .name = "no-normalize", .kind = CLI_SWITCH, .offset = offsetof(type, normalize),           \
        .min = QEFF_TOGGLE_OFF, .help = "leave vectors as long as the model makes them"            \
    }
#define CLI_OPTION_TYPE_IDS(type)                                                                  \
    {                                                                                              \
        .name = "with-token-type-ids", .kind = CLI_FLAG,                                           \
        .offset = offsetof(type, with_token_type_ids),                                             \
        .help = "take token_type_ids as a third input; without it every token has type 0"          \
    }
#define CLI_OPTION_PRECISION(type, default_text)                                                   \
    {                                                                                              \
        .name = "precision", .kind = CLI_WORD, .offset = offsetof(type, precision),                \
        .value_name = "NUMBERS", .choices = cli_precisions, .fallback = default_text,              \
        .help = "numbers in which the products with weights are computed: bf16 and int8 are "      \
                "faster and less exact, int8-mixed lies between them"                              \
    }
#define CLI_OPTION_THREADS(type)                                                                   \
    {                                                                                              \
        .name = "threads", .kind = CLI_COUNT, .offset = offsetof(type, threads),                   \
        .value_name = "N", .min = 1, .max = CLI_THREADS_MAX, .variable = "QEFF_THREADS",           \
        .fallback = "as many as can run at once",                                                  \
        .help = "threads that compute, no more than can run at once; never changes a result"       \
    }
#define CLI_OPTION_INPUT(type)                                                                     \
    {                                                                                              \
        .name = "input", .short_name = 'i', .kind = CLI_PATH, .offset = offsetof(type, input),     \
        .value_name = "FILE",                                                                      \
        .help = "read the texts from a file, or from stdin for -: one a line; in a .jsonl file "   \
                "one JSON string a line, or an object with \"text\""                               \
    }
#define CLI_OPTION_OUTPUT(type)                                                                    \
    {                                                                                              \
        .name = "output", .short_name = 'o', .kind = CLI_PATH, .offset = offsetof(type, output),   \
        .value_name = "FILE", .fallback = "stdout",                                                \
        .help = "write there; the file appears complete or not at all"                             \
    }
#define CLI_OPTION_FORMAT(type, what)                                                              \
    {                                                                                              \
        .name = "format", .short_name = 'f', .kind = CLI_CHOICE, .offset = offsetof(type, format), \
        .value_name = "FORMAT", .choices = formats,                                                \
        .fallback = "auto, which is pretty on a terminal and jsonl elsewhere", .help = what        \
    }
#define CLI_OPTION_NO_CACHE(type)                                                                  \
    {                                                                                              \
        .name = "no-cache", .kind = CLI_FLAG, .offset = offsetof(type, no_cache),                  \
        .help = "neither read nor write the cache of compiled programs"                            \
    }
/** The operand of commands that work on texts. */
#define CLI_OPERAND_TEXTS                                                                          \
    {                                                                                              \
        .name = "TEXT",                                                                            \
        .help = "texts; without any, and without --input, they are read from "                     \
                "stdin",                                                                           \
        .is_optional = true, .is_repeated = true                                                   \
    }

/** Tells of a model's remark, once all is done. `model` may be NULL. */
void cli_note_of_model(const char *path, const qeff_auto_model *model);

/** Prints a line to stdout, such as the path of what was made. Returns the exit code. */
int cli_print_line(const cli_command *command, const char *line);

#endif /* CLI_SHARED_H */
