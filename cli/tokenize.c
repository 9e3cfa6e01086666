/* tokenize.c - qeff tokenize: texts to token ids. */
#include "cli/input.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/shared.h"
#include "cli/terminal.h"

#include <qeff/tokenizer.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct tokenize_values {
    const char *input, *output, *pair;
    int format;
    bool no_special_tokens;
} tokenize_values;

enum { FORMAT_AUTO, FORMAT_PRETTY, FORMAT_JSONL };

static const char *const formats[] = {"auto", "pretty", "jsonl", NULL};

#define MEMBER(name) offsetof(tokenize_values, name)

static const cli_option options[] = {CLI_OPTION_INPUT(tokenize_values),
                                     CLI_OPTION_OUTPUT(tokenize_values),
                                     CLI_OPTION_FORMAT(tokenize_values, "form of the tokens"),
                                     {.name = "pair",
                                      .kind = CLI_TEXT,
                                      .offset = MEMBER(pair),
                                      .value_name = "TEXT",
                                      .help = "second sequence of each text"},
                                     {.name = "no-special-tokens",
                                      .kind = CLI_FLAG,
                                      .offset = MEMBER(no_special_tokens),
                                      .help = "leave out tokens such as [CLS] and [SEP]"},
                                     {0}};

static const cli_operand operands[] = {
    {.name = "MODEL", .help = "a model folder, a tokenizer.json, or a compiled program"},
    CLI_OPERAND_TEXTS,
    {0}};

static const char *const description[] = {
    "Turns texts into token ids, as the Hugging Face tokenizers library does, without cutting or "
    "padding.",
    "jsonl is one object a line: {\"ids\": [...], \"tokens\": [...], \"offsets\": [[begin, end], "
    "...], \"type_ids\": [...]}. Offsets count characters of the text (or of the pair, where the "
    "type id is 1); tokens that were added have [0, 0].",
    NULL};

static const cli_example examples[] = {
    {"The tokens of a text, as a table",
     "qeff tokenize models/all-MiniLM-L6-v2 -f pretty \"The cat sat.\""},
    {"A pair of sequences", "qeff tokenize models/all-MiniLM-L6-v2 \"a cat\" --pair \"a dog\""},
    {"All lines of a file, without special tokens",
     "qeff tokenize models/all-MiniLM-L6-v2 -i texts.txt --no-special-tokens"},
    {0}};

/* --- the tokenizer ---------------------------------------------------------------------------- */

/* The tokenizer of a model that says more about it than the tokenizer's own files do, or one that
 * stands alone. */
typedef struct source {
    qeff_auto_model *model;
    qeff_tokenizer *own;
    const qeff_tokenizer *tokenizer;
} source;

static bool has(const char *folder, const char *name)
{
    char path[4096];
    const int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    return n > 0 && (size_t)n < sizeof path && access(path, F_OK) == 0;
}

static bool is_container(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strcmp(slash ? slash + 1 : path, "programqpc.bin") == 0;
}

static qeff_status open_source(const char *path, source *out, qeff_error *err)
{
    *out = (source){0};
    if (!has(path, "modules.json") && !has(path, "programqpc.bin") && !is_container(path)) {
        const qeff_status status = qeff_tokenizer_open(path, NULL, &out->own, err);
        out->tokenizer = out->own;
        return status;
    }
    const qeff_status status = qeff_auto_model_from_pretrained(path, NULL, &out->model, err);
    if (status) return status;
    out->tokenizer = qeff_auto_model_tokenizer(out->model);
    if (out->tokenizer) return QEFF_OK;
    return cli_fail(err, QEFF_ERR_NOT_FOUND, "%s: expected a tokenizer, found none", path);
}

static void close_source(source *s)
{
    qeff_auto_model_destroy(s->model);
    qeff_tokenizer_destroy(s->own);
}

/* --- writing ---------------------------------------------------------------------------------- */

typedef void (*add_tokens)(const qeff_tokenizer *tokenizer, const qeff_encoding *e, qeff_str text,
                           cli_text *out);

static void add_ints(cli_text *out, const char *key, const int32_t *values, size_t n)
{
    cli_text_format(out, "\"%s\": [", key);
    for (size_t i = 0; i < n; i++)
        cli_text_format(out, "%s%d", i ? ", " : "", (int)values[i]);
    cli_text_add(out, "]");
}

static void
add_jsonl(const qeff_tokenizer *tokenizer, const qeff_encoding *e, qeff_str text, cli_text *out)
{
    (void)text;
    cli_text_add(out, "{");
    add_ints(out, "ids", e->ids, e->n);
    cli_text_add(out, ", \"tokens\": [");
    for (size_t i = 0; i < e->n; i++) {
        if (i) cli_text_add(out, ", ");
        cli_text_add_json(out, qeff_tokenizer_token(tokenizer, e->ids[i]));
    }
    cli_text_add(out, "], \"offsets\": [");
    for (size_t i = 0; i < e->n; i++)
        cli_text_format(out, "%s[%d, %d]", i ? ", " : "", (int)e->offsets[i].begin,
                        (int)e->offsets[i].end);
    cli_text_add(out, "], ");
    add_ints(out, "type_ids", e->type_ids, e->n);
    cli_text_add(out, "}\n");
}

static void
add_pretty(const qeff_tokenizer *tokenizer, const qeff_encoding *e, qeff_str text, cli_text *out)
{
    const size_t columns = cli_terminal_of(STDOUT_FILENO).columns;
    size_t width = 5; /* of "token" */
    for (size_t i = 0; i < e->n; i++) {
        const size_t n = cli_columns(qeff_tokenizer_token(tokenizer, e->ids[i]));
        if (n > width) width = n;
    }
    if (width > columns - 20) width = columns - 20;
    if (text.size == 0) cli_text_add(out, "(empty)");
    cli_text_add_excerpt(out, text, columns - 1);
    cli_text_format(out, "\n%7s  token", "id");
    cli_text_pad(out, width + 11);
    cli_text_add(out, "   offsets  type\n");
    for (size_t i = 0; i < e->n; i++) {
        char span[32];
        cli_text_format(out, "%7d  ", (int)e->ids[i]);
        cli_text_add_excerpt(out, qeff_tokenizer_token(tokenizer, e->ids[i]), width);
        cli_text_pad(out, width + 9);
        (void)snprintf(span, sizeof span, "%d-%d", (int)e->offsets[i].begin,
                       (int)e->offsets[i].end);
        cli_text_format(out, "  %10s  %4d\n", span, (int)e->type_ids[i]);
    }
    cli_text_format(out, "%zu token%s\n", e->n, e->n == 1 ? "" : "s");
}

/* Encodes all texts and writes them, or only encodes them where `out` is NULL. */
static qeff_status
encode_all(const qeff_tokenizer *tokenizer, const tokenize_values *v, const cli_input *input,
           add_tokens add, cli_output *out, qeff_error *err)
{
    const qeff_str pair = {v->pair, v->pair ? strlen(v->pair) : 0};
    const qeff_encode_options how = {.pair = v->pair ? &pair : NULL,
                                     .no_special_tokens = v->no_special_tokens};
    qeff_encoding encoding = {0};
    cli_text text = {0};
    qeff_status status = QEFF_OK;
    for (size_t i = 0; i < input->n && !status; i++) {
        status = qeff_tokenizer_encode(tokenizer, input->texts[i], &how, &encoding, err);
        if (status) {
            const qeff_error fact = *err;
            (void)cli_fail(err, status, "text %zu: %.900s", i + 1, fact.message);
        } else if (out) {
            text.size = 0;
            add(tokenizer, &encoding, input->texts[i], &text);
            status = cli_text_status(&text, err);
            if (!status) cli_output_write(out, text.data, text.size);
        }
    }
    cli_text_deinit(&text);
    qeff_encoding_deinit(&encoding);
    return status;
}

static qeff_status tokenize(const qeff_tokenizer *tokenizer, const tokenize_values *v,
                            const cli_input *input, qeff_error *err)
{
    cli_output out = {0};
    qeff_status status = cli_output_open(&out, v->output, err);
    if (status) return status;
    const bool is_pretty =
        v->format == FORMAT_PRETTY ||
        (v->format == FORMAT_AUTO && !out.path && cli_terminal_of(STDOUT_FILENO).is_terminal);
    /* A text may fail only where words can be unknown without a token for it. Then nothing may
     * have been written, so all are tried first. */
    if (qeff_tokenizer_special(tokenizer, QEFF_TOKEN_UNK) < 0)
        status = encode_all(tokenizer, v, input, NULL, NULL, err);
    if (!status)
        status = encode_all(tokenizer, v, input, is_pretty ? add_pretty : add_jsonl, &out, err);
    if (!status) return cli_output_close(&out, err);
    cli_output_abort(&out);
    cli_input_locate(input, err);
    return status;
}

static int run(const cli_command *command, void *values, const cli_operands *args)
{
    const tokenize_values *v = values;
    qeff_error err = {0};
    source from;
    cli_input input = {0};
    int code = CLI_CONTINUE;
    if (open_source(args->items[0], &from, &err)) code = cli_report(command, &err);
    if (code == CLI_CONTINUE) code = cli_input_read(command, v->input, args, 1, &input);
    if (code == CLI_CONTINUE)
        code = tokenize(from.tokenizer, v, &input, &err) ? cli_report(command, &err) : CLI_OK;
    cli_input_deinit(&input);
    close_source(&from);
    return code;
}

const cli_command cli_tokenize = {.name = "tokenize",
                                  .summary = "turn texts into token ids",
                                  .description = description,
                                  .operands = operands,
                                  .options = options,
                                  .examples = examples,
                                  .values_size = sizeof(tokenize_values),
                                  .run = run};
_Static_assert(sizeof(tokenize_values) <= CLI_VALUES_MAX, "values do not fit");
