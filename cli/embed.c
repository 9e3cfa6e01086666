/* embed.c - qeff embed: texts to vectors. */
#include "cli/input.h"
#include "cli/report.h"
#include "cli/shared.h"
#include "cli/vectors.h"

#include <jansson.h>
#include <unistd.h>

typedef struct embed_values {
    const char *input, *output, *pooling, *prompt_name, *precision;
    int normalize, overflow, format;
    size_t truncate_dim, max_length, batch_size, threads;
    bool no_cache;
} embed_values;

static const char *const overflows[] = {"truncate-right", "truncate-left", "error", NULL};
static const char *const formats[] = {"auto", "pretty", "jsonl", "json", "npy", "csv", NULL};

#define MEMBER(name) offsetof(embed_values, name)

static const cli_option options[] = {
    CLI_OPTION_INPUT(embed_values),
    CLI_OPTION_OUTPUT(embed_values),
    CLI_OPTION_FORMAT(embed_values, "form of the vectors"),
    CLI_OPTION_POOLING(embed_values),
    CLI_OPTION_NORMALIZE(embed_values),
    CLI_OPTION_NO_NORMALIZE(embed_values),
    {.name = "prompt-name",
     .kind = CLI_TEXT,
     .offset = MEMBER(prompt_name),
     .value_name = "NAME",
     .fallback = "the model's default prompt, if it has one",
     .help = "put a prompt of the model before each text"},
    {.name = "truncate-dim",
     .kind = CLI_COUNT,
     .offset = MEMBER(truncate_dim),
     .value_name = "N",
     .min = 1,
     .max = CLI_LENGTH_MAX,
     .fallback = "as the model folder says, else all",
     .help = "keep the first dimensions of each vector"},
    {.name = "on-overflow",
     .kind = CLI_CHOICE,
     .offset = MEMBER(overflow),
     .value_name = "HOW",
     .choices = overflows,
     .fallback = "truncate-right",
     .help = "what happens to texts over the limit of tokens"},
    {.name = "max-length",
     .kind = CLI_COUNT,
     .offset = MEMBER(max_length),
     .value_name = "N",
     .min = 1,
     .max = CLI_LENGTH_MAX,
     .fallback = "the model's limit",
     .help = "tokens of a text at most, special ones included"},
    {.name = "batch-size",
     .kind = CLI_COUNT,
     .offset = MEMBER(batch_size),
     .value_name = "N",
     .min = 1,
     .max = CLI_BATCH_MAX,
     .fallback = "32",
     .variable = "QEFF_BATCH_SIZE",
     .help = "texts at once; never changes a result"},
    CLI_OPTION_PRECISION(embed_values, "fp32, or that of the program"),
    CLI_OPTION_THREADS(embed_values),
    CLI_OPTION_NO_CACHE(embed_values),
    {0}};

static const cli_operand operands[] = {
    {.name = "MODEL", .help = "a model folder, or a program that qeff compile made"},
    CLI_OPERAND_TEXTS,
    {0}};

static const char *const description[] = {
    "Turns texts into vectors, as encode() of sentence-transformers does: prompt, tokenizer, "
    "model, the modules of the folder. The vectors come in the order of the texts, and the same "
    "text gives the same bits whatever else is in the batch.",
    "--pooling replaces the modules of the folder, and its vectors are normalised only where "
    "--normalize asks for it; with --pooling none every token keeps its vector.",
    "The first run compiles the model and keeps the program in a cache. Texts with more tokens "
    "than the model takes are cut, and counted on stderr. A text may have up to 1 MiB; invalid "
    "UTF-8 in it counts as U+FFFD.",
    "jsonl is one object a line, {\"index\": 0, \"embedding\": [...]}; json is one list of "
    "vectors; npy an array of float32 [texts, dimensions]; csv a header dim0,dim1,... and one "
    "line a text. With --pooling none, jsonl has \"token_embeddings\", a list of vectors, csv has "
    "two more columns, text and token, and npy takes a single text.",
    NULL};

static const cli_example examples[] = {
    {"The vector of a text", "qeff embed models/all-MiniLM-L6-v2 \"The water is cold today.\""},
    {"How similar some texts are",
     "qeff embed models/all-MiniLM-L6-v2 -f pretty \"a cat\" \"a dog\" \"tax law\""},
    {"All lines of a file, as a numpy array",
     "qeff embed models/all-MiniLM-L6-v2 -i texts.txt -f npy -o vectors.npy"},
    {"From a pipe, as a table", "cat texts.txt | qeff embed models/all-MiniLM-L6-v2 -f csv"},
    {"Refuse texts that are too long, instead of cutting them",
     "qeff embed models/all-MiniLM-L6-v2 --on-overflow error \"a short text\""},
    {0}};

/* --- running ---------------------------------------------------------------------------------- */

static size_t limit_of(qeff_auto_model *model, const embed_values *v)
{
    qeff_error ignored;
    char *text = NULL;
    if (v->max_length) return v->max_length;
    if (qeff_transformers_base_describe(qeff_auto_model_base(model), &text, &ignored)) return 0;
    json_t *root = json_loads(text, 0, NULL);
    const json_int_t limit = json_integer_value(json_object_get(root, "max_seq_length"));
    json_decref(root);
    qeff_release(text);
    return limit > 0 ? (size_t)limit : 0;
}

static void
add_notes(qeff_auto_model *model, const char *path, const embed_values *v, const qeff_embeddings *e)
{
    cli_note_of_model(path, model);
    if (e->n_truncated)
        cli_note("%zu of %zu input%s cut to %zu tokens", e->n_truncated, e->count,
                 e->count == 1 ? " was" : "s were", limit_of(model, v));
}

static qeff_status
show(const qeff_embeddings *e, const cli_input *input, cli_output *out, qeff_error *err)
{
    cli_text text = {0};
    cli_terminal terminal = cli_terminal_of(STDOUT_FILENO);
    if (out->path) terminal.colors = CLI_COLORS_NONE;
    cli_vectors_show(e, input->texts, terminal, &text);
    const qeff_status status = cli_text_status(&text, err);
    if (!status) cli_output_write(out, text.data, text.size);
    cli_text_deinit(&text);
    return status;
}

static qeff_status write_vectors(int format, const qeff_embeddings *e, const cli_input *input,
                                 cli_output *out, qeff_error *err)
{
    if (format == CLI_FORMAT_AUTO)
        format = !out->path && cli_terminal_of(STDOUT_FILENO).is_terminal ? CLI_FORMAT_PRETTY
                                                                          : CLI_FORMAT_JSONL;
    qeff_status status = cli_vectors_check(e, (cli_format)format, err);
    if (!status)
        status = format == CLI_FORMAT_PRETTY ? show(e, input, out, err)
                                             : cli_vectors_write(e, (cli_format)format, out, err);
    return status ? status : cli_output_close(out, err);
}

static qeff_status encode(const embed_values *v, qeff_auto_model *model, const cli_input *input,
                          qeff_embeddings **out, qeff_error *err)
{
    const qeff_auto_model_encode_options how = {.prompt_name = v->prompt_name,
                                                .truncate_dim = v->truncate_dim,
                                                .overflow = (qeff_overflow)v->overflow,
                                                .max_length = v->max_length,
                                                .batch_size = v->batch_size};
    return qeff_auto_model_encode(model, input->texts, input->n, &how, out, err);
}

/* The output is opened first: hours of work must not end at a path that cannot be written. */
static qeff_status embed(const embed_values *v, qeff_auto_model *model, const cli_input *input,
                         cli_progress *progress, qeff_embeddings **e, qeff_error *err)
{
    cli_output out = {0};
    qeff_status status = cli_output_open(&out, v->output, err);
    if (!status) status = encode(v, model, input, e, err);
    cli_progress_end(progress);
    if (!status) status = write_vectors(v->format, *e, input, &out, err);
    if (!status) return status;
    cli_output_abort(&out);
    cli_input_locate(input, err);
    return status;
}

static int run_with_model(const cli_command *command, const embed_values *v,
                          const cli_operands *args, qeff_auto_model *model, cli_progress *progress)
{
    qeff_error err = {0};
    cli_input input = {0};
    qeff_embeddings *e = NULL;
    int code = cli_input_read(command, v->input, args, 1, &input);
    if (code == CLI_CONTINUE)
        code = embed(v, model, &input, progress, &e, &err) ? cli_report(command, &err) : CLI_OK;
    if (code == CLI_OK) add_notes(model, args->items[0], v, e);
    qeff_embeddings_destroy(e);
    cli_input_deinit(&input);
    return code;
}

static int run(const cli_command *command, void *values, const cli_operands *args)
{
    const embed_values *v = values;
    qeff_error err = {0};
    cli_progress progress;
    qeff_auto_model *model = NULL;
    cli_progress_init(&progress);
    const qeff_auto_model_options how = {.pooling = v->pooling,
                                         .normalize = (qeff_toggle)v->normalize,
                                         .precision = v->precision,
                                         .n_threads = (int)v->threads,
                                         .no_cache = v->no_cache,
                                         .progress = progress.is_on ? &progress.sink : NULL};
    if (qeff_auto_model_from_pretrained(args->items[0], &how, &model, &err))
        return cli_report(command, &err);
    const int code = run_with_model(command, v, args, model, &progress);
    qeff_auto_model_destroy(model);
    return code;
}

const cli_command cli_embed = {.name = "embed",
                               .summary = "turn texts into vectors",
                               .description = description,
                               .operands = operands,
                               .options = options,
                               .examples = examples,
                               .values_size = sizeof(embed_values),
                               .run = run};
_Static_assert(sizeof(embed_values) <= CLI_VALUES_MAX, "values do not fit");
