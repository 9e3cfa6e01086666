/* input.c - texts from arguments, from lines of plain text, or from lines of JSON.
 *
 * A plain line ends with LF or CR LF and is a text, empty ones too. A line of a `.jsonl` file is a
 * JSON string, or an object with a member "text"; blank lines there are no texts. */
#include "cli/input.h"

#include "cli/report.h"
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 64 * 1024,
    LINE_BYTES_MAX = 8 * CLI_ITEM_BYTES_MAX, /* of JSON, where each byte may be an escape */
    VALUES_MAX = 100000                      /* of one line: jansson takes some 50 bytes for each */
};

/* Texts are kept as offsets until all are read, since their memory moves as it grows. */
typedef struct reader {
    cli_input *input;
    const char *subject; /* the file, for messages */
    bool is_jsonl;
    size_t line;      /* number of the line being read, from 1 */
    cli_text pending; /* the line so far */
    size_t *ends;     /* [n] in input->bytes */
    size_t ends_capacity;
} reader;

static qeff_status fail_line(const reader *r, qeff_error *err, const char *what)
{
    return cli_fail(err, QEFF_ERR_FORMAT, "%s: line %zu: %s", r->subject, r->line, what);
}

static qeff_status fail_memory(const reader *r, qeff_error *err)
{
    return cli_fail(err, QEFF_ERR_NO_MEMORY, "%s: line %zu: out of memory", r->subject, r->line);
}

static qeff_status add_text(reader *r, const char *data, size_t size, qeff_error *err)
{
    cli_input *in = r->input;
    if (size > CLI_ITEM_BYTES_MAX) {
        char what[96];
        (void)snprintf(what, sizeof what, "expected a text of at most %d bytes, found %s%zu",
                       CLI_ITEM_BYTES_MAX, r->is_jsonl ? "" : "over ",
                       r->is_jsonl ? size : (size_t)CLI_ITEM_BYTES_MAX);
        return fail_line(r, err, what);
    }
    size_t *lines = cli_grow(in->lines, in->n, &in->lines_capacity, sizeof *lines);
    if (lines) in->lines = lines;
    size_t *ends = cli_grow(r->ends, in->n, &r->ends_capacity, sizeof *ends);
    if (ends) r->ends = ends;
    cli_text_append(&in->bytes, data, size);
    if (!lines || !ends || in->bytes.failed) return fail_memory(r, err);
    lines[in->n] = r->line;
    ends[in->n++] = in->bytes.size;
    return QEFF_OK;
}

/* --- JSON lines ------------------------------------------------------------------------------- */

/* jansson refuses invalid UTF-8; here it counts as U+FFFD, as in plain lines. */
static void repair(const cli_text *line, cli_text *out)
{
    for (size_t i = 0; i < line->size;) {
        uint32_t c = 0;
        const size_t n = cli_utf8_decode(line->data + i, line->size - i, &c);
        if (c == 0xfffd)
            cli_text_append(out, "\xef\xbf\xbd", 3);
        else
            cli_text_append(out, line->data + i, n);
        i += n;
    }
}

static qeff_status add_value(reader *r, const json_t *value, qeff_error *err)
{
    static const char *const names[] = {"an object", "a list",        "a string",      "a number",
                                        "a number",  "a truth value", "a truth value", "null"};
    char what[96];
    const json_t *text = json_is_object(value) ? json_object_get(value, "text") : value;
    if (json_is_string(text))
        return add_text(r, json_string_value(text), json_string_length(text), err);
    if (!text) return fail_line(r, err, "expected a member 'text', found none");
    (void)snprintf(what, sizeof what, "expected a string%s, found %s",
                   json_is_object(value) ? " as 'text'" : " or an object with 'text'",
                   names[json_typeof(text)]);
    return fail_line(r, err, what);
}

/* Whether the line may hold more values than anyone needs: a bound for jansson's memory. */
static bool has_many_values(const cli_text *line)
{
    size_t n = 0;
    bool is_string = false;
    for (size_t i = 0; i < line->size; i++) {
        const char c = line->data[i];
        if (c == '"') is_string = !is_string;
        if (c == '\\' && is_string) i++;
        if (!is_string && (c == ',' || c == '[' || c == '{')) n++;
    }
    return n > VALUES_MAX;
}

static qeff_status add_json(reader *r, qeff_error *err)
{
    json_error_t fault;
    cli_text valid = {0};
    if (has_many_values(&r->pending))
        return fail_line(r, err, "expected a string or an object with 'text', found a huge value");
    repair(&r->pending, &valid);
    if (valid.failed) {
        cli_text_deinit(&valid);
        return fail_memory(r, err);
    }
    qeff_status status = QEFF_OK;
    json_t *value = json_loadb(valid.data ? valid.data : "", valid.size,
                               JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &fault);
    if (value) {
        status = add_value(r, value, err);
    } else {
        char what[JSON_ERROR_TEXT_LENGTH + 64];
        (void)snprintf(what, sizeof what, "column %d: expected JSON: %s",
                       fault.column > 0 ? fault.column : 1, fault.text);
        status = json_error_code(&fault) == json_error_out_of_memory ? fail_memory(r, err)
                                                                     : fail_line(r, err, what);
    }
    json_decref(value);
    cli_text_deinit(&valid);
    return status;
}

/* --- lines ------------------------------------------------------------------------------------ */

static bool is_blank(const cli_text *line)
{
    return !line->data || strspn(line->data, " \t\r") >= line->size;
}

static qeff_status finish_line(reader *r, qeff_error *err)
{
    cli_text *line = &r->pending;
    qeff_status status = QEFF_OK;
    if (line->failed) return fail_memory(r, err);
    if (line->size && line->data[line->size - 1] == '\r') line->data[--line->size] = '\0';
    if (!r->is_jsonl)
        status = add_text(r, line->data ? line->data : "", line->size, err);
    else if (!is_blank(line))
        status = add_json(r, err);
    line->size = 0;
    r->line++;
    return status;
}

/* Takes `size` bytes of the current line, which may go on. */
static qeff_status append_part(reader *r, const char *data, size_t size, qeff_error *err)
{
    const size_t limit =
        r->is_jsonl ? LINE_BYTES_MAX : CLI_ITEM_BYTES_MAX + 1; /* a CR may follow */
    if (size > limit - r->pending.size) {
        char what[96];
        (void)snprintf(what, sizeof what, "expected at most %d bytes, found more",
                       r->is_jsonl ? LINE_BYTES_MAX : CLI_ITEM_BYTES_MAX);
        return fail_line(r, err, what);
    }
    cli_text_append(&r->pending, data, size);
    return r->pending.failed ? fail_memory(r, err) : QEFF_OK;
}

static qeff_status read_chunk(reader *r, const char *data, size_t size, qeff_error *err)
{
    qeff_status status = QEFF_OK;
    while (size && !status) {
        const char *end = memchr(data, '\n', size);
        const size_t n = end ? (size_t)(end - data) : size;
        status = append_part(r, data, n, err);
        if (!status && end) status = finish_line(r, err);
        data += n + (end != NULL);
        size -= n + (end != NULL);
    }
    return status;
}

static qeff_status read_lines(reader *r, int fd, qeff_error *err)
{
    char *chunk = malloc(CHUNK_BYTES);
    qeff_status status = chunk ? QEFF_OK : fail_memory(r, err);
    while (!status) {
        const ssize_t n = read(fd, chunk, CHUNK_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) status = cli_fail_system(err, errno, r->subject);
        if (n <= 0) break;
        status = read_chunk(r, chunk, (size_t)n, err);
    }
    if (!status && r->pending.size) status = finish_line(r, err); /* no line feed at the end */
    free(chunk);
    return status;
}

static qeff_status publish(reader *r, qeff_error *err)
{
    cli_input *in = r->input;
    in->texts = malloc((in->n + 1) * sizeof *in->texts);
    if (!in->texts) return fail_memory(r, err);
    for (size_t i = 0; i < in->n; i++) {
        const size_t begin = i ? r->ends[i - 1] : 0;
        in->texts[i] = (qeff_str){in->bytes.data ? in->bytes.data + begin : "", r->ends[i] - begin};
    }
    return QEFF_OK;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static qeff_status read_file(cli_input *in, const char *path, qeff_error *err)
{
    const bool is_stdin = strcmp(path, "-") == 0;
    reader r = {.input = in, .subject = is_stdin ? "stdin" : path, .line = 1};
    r.is_jsonl = !is_stdin && ends_with(path, ".jsonl");
    const int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return cli_fail_system(err, errno, path);
    qeff_status status = read_lines(&r, fd, err);
    if (!status) status = publish(&r, err);
    if (!is_stdin) (void)close(fd);
    cli_text_deinit(&r.pending);
    free(r.ends);
    return status;
}

static qeff_status
read_arguments(cli_input *in, const cli_operands *operands, size_t first, qeff_error *err)
{
    in->n = operands->n - first;
    in->texts = malloc((in->n + 1) * sizeof *in->texts);
    if (!in->texts) return cli_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < in->n; i++) {
        const char *text = operands->items[first + i];
        in->texts[i] = (qeff_str){text, strlen(text)};
        if (in->texts[i].size > CLI_ITEM_BYTES_MAX)
            return cli_fail(err, QEFF_ERR_INVALID, "TEXT: expected at most %d bytes, found %zu",
                            CLI_ITEM_BYTES_MAX, in->texts[i].size);
    }
    return QEFF_OK;
}

int cli_input_read(const cli_command *command, const char *path, const cli_operands *operands,
                   size_t first, cli_input *out)
{
    qeff_error err = {0};
    qeff_status status = QEFF_OK;
    *out = (cli_input){.path = path};
    if (operands->n > first && path)
        return cli_report_usage(command, "--input: expected either TEXT or a file, found both");
    if (operands->n == first && !path) {
        if (isatty(STDIN_FILENO) == 1)
            return cli_report_usage(command, "TEXT: expected a text, --input or a pipe, found "
                                             "none");
        out->path = "-";
    }
    if (out->path)
        status = read_file(out, out->path, &err);
    else
        status = read_arguments(out, operands, first, &err);
    return status ? cli_report(command, &err) : CLI_CONTINUE;
}

void cli_input_deinit(cli_input *input)
{
    free(input->texts);
    free(input->lines);
    cli_text_deinit(&input->bytes);
    *input = (cli_input){0};
}

void cli_input_locate(const cli_input *input, qeff_error *err)
{
    size_t number = 0;
    int used = 0;
    if (!input->lines || sscanf(err->message, "text %zu%n", &number, &used) != 1) return;
    if (number < 1 || number > input->n) return;
    char rest[QEFF_ERROR_MESSAGE_MAX];
    const qeff_error before = *err;
    (void)snprintf(rest, sizeof rest, "%s", err->message + used);
    (void)cli_fail(err, err->code, "%s: line %zu%s",
                   strcmp(input->path, "-") == 0 ? "stdin" : input->path, input->lines[number - 1],
                   rest);
    memcpy(err->hint, before.hint, sizeof err->hint);
}
