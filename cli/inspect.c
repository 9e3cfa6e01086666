/* inspect.c - qeff inspect: what is in a file or folder, as tables or as JSON.
 *
 * The library describes things in JSON; tables follow its shape: single values become lines, lists
 * of objects become tables with a column a key. All of it may come from untrusted files, so that
 * every word goes through cli_text_add_excerpt(). */
#include "cli/output.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "cli/text.h"

#include <qeff/inspect.h>
#include <qeff/tensor.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LABEL_COLUMNS = 25,
    CELL_COLUMNS_MAX = 72,
    TABLE_KEYS_MAX = 12,
    LIST_MAX = 16,
    LINE_COLUMNS_MAX = 1200
};

typedef struct inspect_values {
    bool as_json;
} inspect_values;

static const cli_option options[] = {{.name = "json",
                                      .kind = CLI_FLAG,
                                      .offset = offsetof(inspect_values, as_json),
                                      .help = "print one JSON object instead of tables"},
                                     {0}};

static const cli_operand operands[] = {
    {.name = "PATH",
     .help = "a model folder, a .safetensors or .onnx file, an index of shards, a tokenizer.json, "
             "or a program"},
    {0}};

static const char *const description[] = {
    "Shows what is in a file or folder: architecture, sizes, modules and tensors of a model; "
    "tensors of a file; operators, inputs and outputs of an ONNX file; steps of a tokenizer; "
    "manifest, inputs, outputs and steps of a program. Nothing in it is executed.",
    NULL};

static const cli_example examples[] = {
    {"A model folder", "qeff inspect models/all-MiniLM-L6-v2"},
    {"The tensors of a file", "qeff inspect models/all-MiniLM-L6-v2/model.safetensors"},
    {"An ONNX file", "qeff inspect model.onnx"},
    {"The inputs of a program, for a script", "qeff inspect program --json"},
    {0}};

/* --- values ----------------------------------------------------------------------------------- */

static void add_number(cli_text *out, long long value)
{
    char digits[32];
    const int n = snprintf(digits, sizeof digits, "%lld", value);
    for (int i = 0; i < n; i++) {
        cli_text_append(out, &digits[i], 1);
        if (digits[i] != '-' && i + 1 < n && (n - i - 1) % 3 == 0) cli_text_append(out, ",", 1);
    }
}

static void add_bytes(cli_text *out, long long value)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double scaled = (double)value;
    int unit = -1;
    while (scaled >= 1024 && unit < 3) {
        scaled /= 1024;
        unit++;
    }
    add_number(out, value);
    if (unit >= 0) cli_text_format(out, " (%.1f %s)", scaled, units[unit]);
}

static void add_string(cli_text *out, const json_t *value)
{
    const qeff_str text = {json_string_value(value), json_string_length(value)};
    cli_text_add_excerpt(out, text, CELL_COLUMNS_MAX);
}

/* A value that is not opened up any further. */
static void add_compact(cli_text *out, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    if (text)
        cli_text_add_excerpt(out, (qeff_str){text, strlen(text)}, CELL_COLUMNS_MAX);
    else
        out->failed = true;
    free(text);
}

static void add_list(cli_text *out, const json_t *list)
{
    const size_t n = json_array_size(list);
    cli_text_add(out, "[");
    for (size_t i = 0; i < n && i < LIST_MAX; i++) {
        const json_t *item = json_array_get(list, i);
        if (i) cli_text_add(out, ", ");
        if (json_is_string(item))
            add_string(out, item);
        else
            add_compact(out, item);
    }
    cli_text_add(out, n > LIST_MAX ? ", ...]" : "]");
}

static void add_cell(cli_text *out, const json_t *value)
{
    if (json_is_array(value))
        add_list(out, value);
    else if (json_is_string(value))
        add_string(out, value);
    else if (json_is_integer(value))
        add_number(out, json_integer_value(value));
    else if (value)
        add_compact(out, value);
}

/* --- tables ----------------------------------------------------------------------------------- */

typedef struct table {
    size_t n_keys;
    const char *keys[TABLE_KEYS_MAX];
    size_t widths[TABLE_KEYS_MAX];
    bool is_number[TABLE_KEYS_MAX];
} table;

static size_t find_key(table *t, const char *key)
{
    for (size_t k = 0; k < t->n_keys; k++)
        if (strcmp(t->keys[k], key) == 0) return k;
    if (t->n_keys == TABLE_KEYS_MAX) return TABLE_KEYS_MAX;
    t->keys[t->n_keys] = key;
    t->widths[t->n_keys] = cli_columns((qeff_str){key, strlen(key)});
    t->is_number[t->n_keys] = true;
    return t->n_keys++;
}

static bool measure(table *t, json_t *rows)
{
    size_t i = 0;
    json_t *row = NULL, *value = NULL;
    const char *key = NULL;
    cli_text cell = {0};
    json_array_foreach(rows, i, row)
    {
        json_object_foreach(row, key, value)
        {
            const size_t k = find_key(t, key);
            if (k == TABLE_KEYS_MAX) continue;
            cell.size = 0;
            add_cell(&cell, value);
            const size_t width = cli_columns((qeff_str){cell.data, cell.size});
            if (width > t->widths[k]) t->widths[k] = width;
            if (!json_is_integer(value)) t->is_number[k] = false;
        }
    }
    const bool failed = cell.failed;
    cli_text_deinit(&cell);
    return !failed;
}

/* Numbers stand at the right of their column, everything else at the left. */
static void add_row(const table *t, const json_t *row, cli_text *line, cli_text *out)
{
    size_t column = 2;
    for (size_t k = 0; k < t->n_keys; k++) {
        line->size = 0;
        if (row)
            add_cell(line, json_object_get(row, t->keys[k]));
        else
            cli_text_add(line, t->keys[k]);
        const size_t width = cli_columns((qeff_str){line->data, line->size});
        if (line->size) { /* no spaces at the end of a line */
            cli_text_pad(out, t->is_number[k] ? column + t->widths[k] - width : column);
            cli_text_append(out, line->data, line->size);
        }
        column += t->widths[k] + 2;
    }
    cli_text_add(out, "\n");
}

static void add_table(const char *label, json_t *rows, cli_text *out)
{
    table t = {0};
    cli_text line = {0};
    size_t i = 0;
    json_t *row = NULL;
    cli_text_format(out, "\n%s: %zu\n", label, json_array_size(rows));
    if (!measure(&t, rows)) out->failed = true;
    add_row(&t, NULL, &line, out);
    json_array_foreach(rows, i, row) add_row(&t, row, &line, out);
    if (line.failed) out->failed = true;
    cli_text_deinit(&line);
}

/* --- the object ------------------------------------------------------------------------------- */

static void add_label(size_t indent, const char *key, cli_text *out)
{
    cli_text_format(out, "%*s", (int)indent, "");
    const size_t begin = out->size;
    cli_text_add_excerpt(out, (qeff_str){key, strlen(key)}, CELL_COLUMNS_MAX);
    for (size_t i = begin; i < out->size; i++)
        if (out->data[i] == '_') out->data[i] = ' ';
    cli_text_pad(out, LABEL_COLUMNS);
    cli_text_add(out, " ");
}

static void add_words(const json_t *list, cli_text *out)
{
    const size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++) {
        if (i) cli_text_add(out, ", ");
        add_cell(out, json_array_get(list, i));
    }
    if (n == 0) cli_text_add(out, "none");
    cli_text_add(out, "\n");
}

static void add_members(json_t *object, size_t indent, cli_text *out);

static void add_member(const char *key, json_t *value, size_t indent, cli_text *out)
{
    if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
        add_table(key, value, out);
        return;
    }
    if (json_is_object(value) && indent == 0 && json_object_size(value) > 0) {
        cli_text_format(out, "%s\n", key);
        add_members(value, 2, out);
        return;
    }
    if (json_is_string(value) && json_string_length(value) == 0) {
        add_label(indent, key, out);
        cli_text_add(out, "(empty)\n");
        return;
    }
    add_label(indent, key, out);
    if (json_is_array(value)) {
        add_words(value, out);
        return;
    }
    if (json_is_object(value) && json_object_size(value) == 0)
        cli_text_add(out, "none");
    else if (json_is_integer(value) && strcmp(key, "bytes") == 0)
        add_bytes(out, json_integer_value(value));
    else if (json_is_boolean(value))
        cli_text_add(out, json_is_true(value) ? "yes" : "no");
    else if (json_is_string(value))
        cli_text_add_excerpt(out, (qeff_str){json_string_value(value), json_string_length(value)},
                             LINE_COLUMNS_MAX);
    else
        add_cell(out, value);
    cli_text_add(out, "\n");
}

/* Lists of objects come behind everything else of their level, since tables are long. */
static void add_members(json_t *object, size_t indent, cli_text *out)
{
    const char *key = NULL;
    json_t *value = NULL;
    for (int wants_tables = 0; wants_tables < 2; wants_tables++) {
        json_object_foreach(object, key, value)
        {
            const bool is_table = json_is_array(value) && json_is_object(json_array_get(value, 0));
            if (is_table == (wants_tables == 1)) add_member(key, value, indent, out);
        }
    }
}

static qeff_status render(const char *json, cli_text *out, qeff_error *err)
{
    json_error_t fault;
    json_t *root = json_loads(json, JSON_ALLOW_NUL, &fault);
    if (!root && json_error_code(&fault) == json_error_out_of_memory)
        return cli_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    if (!root) return cli_fail(err, QEFF_ERR_INTERNAL, "description: %s", fault.text);
    add_members(root, 0, out);
    json_decref(root);
    return cli_text_status(out, err);
}

static int run(const cli_command *command, void *values, const cli_operands *args)
{
    const inspect_values *v = values;
    qeff_error err = {0};
    cli_text text = {0};
    char *json = NULL;
    qeff_status status = qeff_inspect(args->items[0], &json, &err);
    if (!status && v->as_json) {
        cli_text_format(&text, "%s\n", json);
        status = cli_text_status(&text, &err);
    } else if (!status) {
        status = render(json, &text, &err);
    }
    qeff_release(json);
    if (!status) status = cli_print(text.data, text.size, &err);
    cli_text_deinit(&text);
    return status ? cli_report(command, &err) : CLI_OK;
}

const cli_command cli_inspect = {.name = "inspect",
                                 .summary = "show what is in a file or folder",
                                 .description = description,
                                 .operands = operands,
                                 .options = options,
                                 .examples = examples,
                                 .values_size = sizeof(inspect_values),
                                 .run = run};
_Static_assert(sizeof(inspect_values) <= CLI_VALUES_MAX, "values do not fit");
