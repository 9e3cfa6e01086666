/* export.c - qeff export: a model folder to ONNX. */
#include "cli/report.h"
#include "cli/shared.h"
#include "cli/terminal.h"

typedef struct export_values {
    const char *output, *pooling;
    int normalize;
    bool with_token_type_ids;
} export_values;

static const cli_option options[] = {{.name = "output",
                                      .short_name = 'o',
                                      .kind = CLI_FOLDER,
                                      .offset = offsetof(export_values, output),
                                      .value_name = "DIR",
                                      .fallback = "the cache folder of the model",
                                      .help = "folder that takes the files; created where needed"},
                                     CLI_OPTION_POOLING(export_values),
                                     CLI_OPTION_NORMALIZE(export_values),
                                     CLI_OPTION_NO_NORMALIZE(export_values),
                                     CLI_OPTION_TYPE_IDS(export_values),
                                     {0}};

static const cli_operand operands[] = {{.name = "MODEL", .help = "a model folder"}, {0}};

static const char *const description[] = {
    "Writes the model with its modules as an ONNX file of opset 17, and prints the path of the "
    "file. Inputs are input_ids and attention_mask, int64 [batch_size, seq_len]; the output is "
    "output, float32 [batch_size, dimensions], or [batch_size, seq_len, dimensions] with "
    "--pooling none.",
    "Tensors of over 1,024 bytes lie in one data file beside it. The same model gives the same "
    "bytes.",
    NULL};

static const cli_example examples[] = {
    {"To ONNX", "qeff export models/all-MiniLM-L6-v2 -o onnx"},
    {"Hidden states of every token", "qeff export models/all-MiniLM-L6-v2 -o onnx --pooling none"},
    {"Into the cache, and what it holds",
     "qeff inspect \"$(qeff export models/all-MiniLM-L6-v2)\""},
    {0}};

static int run(const cli_command *command, void *values, const cli_operands *args)
{
    const export_values *v = values;
    qeff_error err = {0};
    cli_progress progress;
    qeff_auto_model *model = NULL;
    char *path = NULL;
    cli_progress_init(&progress);
    const qeff_auto_model_options how = {.pooling = v->pooling,
                                         .normalize = (qeff_toggle)v->normalize,
                                         .with_token_type_ids = v->with_token_type_ids,
                                         .progress = progress.is_on ? &progress.sink : NULL};
    qeff_status status = qeff_auto_model_from_pretrained(args->items[0], &how, &model, &err);
    if (!status) status = qeff_auto_model_export(model, v->output, &path, &err);
    cli_progress_end(&progress);
    const int code = status ? cli_report(command, &err) : cli_print_line(command, path);
    if (code == CLI_OK) cli_note_of_model(args->items[0], model);
    qeff_release(path);
    qeff_auto_model_destroy(model);
    return code;
}

const cli_command cli_export = {.name = "export",
                                .summary = "write a model as ONNX",
                                .description = description,
                                .operands = operands,
                                .options = options,
                                .examples = examples,
                                .values_size = sizeof(export_values),
                                .run = run};
_Static_assert(sizeof(export_values) <= CLI_VALUES_MAX, "values do not fit");
