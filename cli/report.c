/* report.c - errors as people read them: `qeff: <file or key>: <what>`, then at most one hint. */
#include "cli/report.h"

#include "cli/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = QEFF_ERROR_MESSAGE_MAX + 64, SHOWN_BYTES = 60 };

/* Keeps a message on one line, free of terminal commands, and valid UTF-8. Never lengthens. */
static void make_printable(char *text)
{
    const size_t size = strlen(text);
    size_t n = 0;
    for (size_t i = 0; i < size;) {
        uint32_t c = 0;
        const size_t used = cli_utf8_decode(text + i, size - i, &c);
        const bool is_valid =
            c != 0xfffd || (used == 3 && memcmp(text + i, "\xef\xbf\xbd", 3) == 0);
        if (c < 0x20 || (c >= 0x7f && c < 0xa0) || !is_valid) {
            text[n++] = '?';
        } else {
            memmove(text + n, text + i, used);
            n += used;
        }
        i += used;
    }
    text[n] = '\0';
}

cli_shown cli_show(const char *text)
{
    cli_shown shown;
    const size_t size = strlen(text);
    size_t n = 0;
    while (n < size) {
        uint32_t c = 0;
        const size_t used = cli_utf8_decode(text + n, size - n, &c);
        if (n + used > SHOWN_BYTES) break;
        n += used;
    }
    (void)snprintf(shown.text, sizeof shown.text, "%.*s%s", (int)n, text, n < size ? "..." : "");
    make_printable(shown.text);
    return shown;
}

qeff_status cli_fail(qeff_error *err, qeff_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    make_printable(err->message);
    err->code = code;
    err->hint[0] = '\0';
    return code;
}

qeff_status cli_fail_system(qeff_error *err, int error, const char *subject)
{
    qeff_status code = QEFF_ERR_IO;
    if (error == ENOENT || error == ENOTDIR) code = QEFF_ERR_NOT_FOUND;
    if (error == ENOMEM) code = QEFF_ERR_NO_MEMORY;
    if (error == ENOSPC || error == EDQUOT || error == EFBIG) code = QEFF_ERR_NO_SPACE;
    /* The program never calls setlocale(), so that this is English. */
    char what[128];
    (void)snprintf(what, sizeof what, "%s", strerror(error));
    if (what[0] >= 'A' && what[0] <= 'Z' && what[1] >= 'a') what[0] = (char)(what[0] - 'A' + 'a');
    return cli_fail(err, code, "%s: %s", subject, what);
}

void cli_hint(qeff_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->hint, sizeof err->hint, format, args);
    va_end(args);
    make_printable(err->hint);
}

static int exit_code_of(qeff_status status)
{
    switch (status) {
    case QEFF_OK:
        return CLI_OK;
    case QEFF_ERR_INVALID:
        return CLI_USAGE;
    case QEFF_ERR_NOT_FOUND:
        return CLI_NOT_FOUND;
    case QEFF_ERR_FORMAT:
        return CLI_MALFORMED;
    case QEFF_ERR_UNSUPPORTED:
        return CLI_UNSUPPORTED;
    case QEFF_ERR_NO_MEMORY:
    case QEFF_ERR_NO_SPACE:
        return CLI_NO_RESOURCES;
    case QEFF_ERR_IO:
    case QEFF_ERR_CAPACITY:
    case QEFF_ERR_DEVICE:
    case QEFF_ERR_INTERNAL:
        return CLI_FAILURE;
    }
    return CLI_FAILURE;
}

/* One write() each, so that lines of several processes do not mix. stderr is unbuffered. */
static void say(const char *prefix, const char *text)
{
    char line[LINE_MAX_BYTES];
    const int n = snprintf(line, sizeof line, "%s%s\n", prefix, text);
    if (n <= 0) return;
    const size_t size = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    if (fwrite(line, 1, size, stderr) != size) return; /* nobody is left to be told */
}

/* The length of the option's name where `message` starts with it as the library writes it, with
 * underscores, and a colon; else 0. */
static size_t matches_option(const char *message, const char *name)
{
    size_t n = 0;
    while (name[n] && (name[n] == message[n] || (name[n] == '-' && message[n] == '_')))
        n++;
    return !name[n] && message[n] == ':' ? n : 0;
}

/* `'path': what` is written without quotes; `max_length: what` with the option's name. */
static void adapt(const cli_command *command, const char *message, char *out, size_t size)
{
    const char *end = message[0] == '\'' ? strstr(message + 1, "': ") : NULL;
    if (end) {
        (void)snprintf(out, size, "%.*s%s", (int)(end - message - 1), message + 1, end + 1);
        return;
    }
    for (const cli_option *o = command ? command->options : NULL; o && o->name; o++) {
        const size_t n = matches_option(message, o->name);
        if (n == 0) continue;
        (void)snprintf(out, size, "--%s%s", o->name, message + n);
        return;
    }
    (void)snprintf(out, size, "%s", message);
}

int cli_report(const cli_command *command, const qeff_error *err)
{
    char line[QEFF_ERROR_MESSAGE_MAX + CLI_OPTIONS_MAX];
    adapt(command, err->message[0] ? err->message : qeff_status_name(err->code), line, sizeof line);
    say("qeff: ", line);
    if (err->hint[0]) say("hint: ", err->hint);
    return exit_code_of(err->code);
}

static int report_with_help(const cli_command *command, qeff_error *err)
{
    if (!err->hint[0])
        cli_hint(err, "see qeff %s%s--help", command ? command->name : "", command ? " " : "");
    err->code = QEFF_ERR_INVALID;
    return cli_report(NULL, err);
}

int cli_report_usage(const cli_command *command, const char *format, ...)
{
    qeff_error err = {0};
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err.message, sizeof err.message, format, args);
    va_end(args);
    make_printable(err.message);
    return report_with_help(command, &err);
}

int cli_report_unknown(const cli_command *command, const char *what, const char *found,
                       const char *nearest)
{
    qeff_error err = {0};
    (void)cli_fail(&err, QEFF_ERR_INVALID, "%s: unknown %s", cli_show(found).text, what);
    if (nearest) cli_hint(&err, "did you mean %s?", nearest);
    return report_with_help(command, &err);
}

void cli_note(const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    make_printable(text);
    say("note: ", text);
}
