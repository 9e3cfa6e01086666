/* compile.c - qeff compile: a model folder or an ONNX file to a program. */
#include "cli/report.h"
#include "cli/shared.h"
#include "cli/terminal.h"

#include <qeff/program.h>

#include <string.h>

typedef struct compile_values {
    const char *output, *target, *pooling, *precision;
    int normalize;
    bool with_token_type_ids;
} compile_values;

static const char *const targets[] = {"cpu", NULL};

static const cli_option options[] = {
    {.name = "output",
     .short_name = 'o',
     .kind = CLI_FOLDER,
     .offset = offsetof(compile_values, output),
     .value_name = "DIR",
     .fallback = "the cache; an ONNX file needs a folder",
     .help = "folder of the program; it must not exist or be empty"},
    {.name = "target",
     .kind = CLI_WORD,
     .offset = offsetof(compile_values, target),
     .value_name = "NAME",
     .choices = targets,
     .fallback = "cpu",
     .help = "what the program runs on"},
    CLI_OPTION_POOLING(compile_values),
    CLI_OPTION_NORMALIZE(compile_values),
    CLI_OPTION_NO_NORMALIZE(compile_values),
    CLI_OPTION_TYPE_IDS(compile_values),
    CLI_OPTION_PRECISION(compile_values, "fp32"),
    {0}};

static const cli_operand operands[] = {{.name = "MODEL", .help = "a model folder, or a .onnx file"},
                                       {0}};

static const char *const description[] = {
    "Compiles a model for this machine and prints the path of the program folder. The program of "
    "a model folder holds the tokenizer and takes the place of the folder in qeff embed; that of "
    "an ONNX file takes arrays, see qeff run.",
    "The folder appears complete or not at all. Without --output the program goes to the cache, "
    "where an existing one is used as it is.",
    NULL};

static const cli_example examples[] = {
    {"Once for many runs", "qeff compile models/all-MiniLM-L6-v2 -o program"},
    {"A program that takes the first token for the text",
     "qeff compile models/all-MiniLM-L6-v2 -o cls --pooling cls --normalize"},
    {"With weights of 8 bits",
     "qeff compile models/all-MiniLM-L6-v2 -o program-int8 --precision int8"},
    {"From an ONNX file", "qeff compile model.onnx -o program-onnx"},
    {0}};

static bool is_onnx(const char *path)
{
    const size_t n = strlen(path);
    return n > 5 && strcmp(path + n - 5, ".onnx") == 0;
}

/* An ONNX file is what it is: options that change a model cannot be kept. */
static int check_onnx_options(const cli_command *command, const compile_values *v)
{
    const char *given = v->pooling               ? "--pooling"
                        : v->normalize           ? "--normalize"
                        : v->with_token_type_ids ? "--with-token-type-ids"
                                                 : NULL;
    if (given)
        return cli_report_usage(command, "%s: expected a model folder, found an ONNX file", given);
    if (!v->output)
        return cli_report_usage(command, "--output: expected a folder for the program of an ONNX "
                                         "file, found nothing");
    return CLI_CONTINUE;
}

static int compile_onnx(const cli_command *command, const compile_values *v, const char *path,
                        cli_progress *progress)
{
    qeff_error err = {0};
    const qeff_program_options how = {.target = v->target,
                                      .precision = v->precision,
                                      .progress = progress->is_on ? &progress->sink : NULL};
    const int code = check_onnx_options(command, v);
    if (code != CLI_CONTINUE) return code;
    const qeff_status status = qeff_program_compile_onnx(path, v->output, &how, &err);
    cli_progress_end(progress);
    return status ? cli_report(command, &err) : cli_print_line(command, v->output);
}

static int compile_model(const cli_command *command, const compile_values *v, const char *path,
                         cli_progress *progress)
{
    qeff_error err = {0};
    qeff_auto_model *model = NULL;
    char *folder = NULL;
    const qeff_auto_model_options how = {.pooling = v->pooling,
                                         .normalize = (qeff_toggle)v->normalize,
                                         .with_token_type_ids = v->with_token_type_ids,
                                         .target = v->target,
                                         .precision = v->precision,
                                         .progress = progress->is_on ? &progress->sink : NULL};
    qeff_status status = qeff_auto_model_from_pretrained(path, &how, &model, &err);
    if (!status) status = qeff_auto_model_compile(model, v->output, &folder, &err);
    cli_progress_end(progress);
    const int code = status ? cli_report(command, &err) : cli_print_line(command, folder);
    if (code == CLI_OK) cli_note_of_model(path, model);
    qeff_release(folder);
    qeff_auto_model_destroy(model);
    return code;
}

static int run(const cli_command *command, void *values, const cli_operands *args)
{
    const char *path = args->items[0];
    cli_progress progress;
    cli_progress_init(&progress);
    return is_onnx(path) ? compile_onnx(command, values, path, &progress)
                         : compile_model(command, values, path, &progress);
}

const cli_command cli_compile = {.name = "compile",
                                 .summary = "compile a model folder or an ONNX file",
                                 .description = description,
                                 .operands = operands,
                                 .options = options,
                                 .examples = examples,
                                 .values_size = sizeof(compile_values),
                                 .run = run};
_Static_assert(sizeof(compile_values) <= CLI_VALUES_MAX, "values do not fit");
