/* output.c - buffered writing to stdout, or to a temporary file that is renamed when it is whole.
 *
 * Every failed write counts: a program that lost its output must not exit with 0. */
#include "cli/output.h"

#include "cli/decimal.h"
#include "cli/report.h"
#include "cli/unfinished.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- opening ---------------------------------------------------------------------------------- */

/* Follows symbolic links, so that the file they lead to is replaced and not the link. */
static qeff_status find_target(cli_output *out, const char *path, qeff_error *err)
{
    char *real = realpath(path, NULL);
    const int n = snprintf(out->target, sizeof out->target, "%s", real ? real : path);
    free(real);
    if (n < 0 || (size_t)n >= sizeof out->target)
        return cli_fail_system(err, ENAMETOOLONG, cli_show(path).text);
    return QEFF_OK;
}

static qeff_status open_file(cli_output *out, const char *path, qeff_error *err)
{
    struct stat info;
    const qeff_status status = find_target(out, path, err);
    if (status) return status;
    out->temporary[0] = '\0';
    if (stat(out->target, &info) == 0 && !S_ISREG(info.st_mode)) {
        out->fd = open(out->target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    } else {
        const char *slash = strrchr(out->target, '/');
        (void)snprintf(out->temporary, sizeof out->temporary, "%.*s.tmp-%ld-out",
                       slash ? (int)(slash - out->target + 1) : 0, out->target, (long)getpid());
        cli_unfinished_add(out->temporary, false);
        out->fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    if (out->fd >= 0) return QEFF_OK;
    const int error = errno;
    cli_unfinished_remove(out->temporary);
    return cli_fail_system(err, error, path);
}

qeff_status cli_output_open(cli_output *out, const char *path, qeff_error *err)
{
    *out = (cli_output){.fd = STDOUT_FILENO};
    out->buffer = malloc(CLI_OUTPUT_BYTES);
    if (!out->buffer) return cli_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    if (path && strcmp(path, "-") != 0) out->path = path;
    const qeff_status status = out->path ? open_file(out, path, err) : QEFF_OK;
    out->is_open = !status;
    if (status) {
        free(out->buffer);
        out->buffer = NULL;
    }
    return status;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void write_through(cli_output *out, const char *data, size_t size)
{
    while (size && !out->error) {
        const ssize_t n = write(out->fd, data, size);
        if (n > 0) {
            data += n;
            size -= (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) { /* a pipe that its other end made non-blocking */
            struct pollfd wait = {.fd = out->fd, .events = POLLOUT};
            (void)poll(&wait, 1, -1);
            continue;
        }
        out->error = n < 0 ? errno : EIO;
    }
}

static void flush(cli_output *out)
{
    write_through(out, out->buffer, out->used);
    out->used = 0;
}

void cli_output_write(cli_output *out, const void *data, size_t size)
{
    if (out->error || size == 0) return;
    if (size > CLI_OUTPUT_BYTES - out->used) flush(out);
    if (size > CLI_OUTPUT_BYTES) {
        write_through(out, data, size);
        return;
    }
    memcpy(out->buffer + out->used, data, size);
    out->used += size;
}

void cli_output_add(cli_output *out, const char *text)
{
    cli_output_write(out, text, strlen(text));
}

void cli_output_format(cli_output *out, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text)
        out->error = out->error ? out->error : EOVERFLOW;
    else
        cli_output_write(out, text, (size_t)n);
}

void cli_output_float(cli_output *out, float value)
{
    char text[CLI_DECIMAL_BYTES];
    cli_output_write(out, text, cli_decimal(value, text));
}

static qeff_status commit(cli_output *out, qeff_error *err)
{
    const char *subject = out->path ? out->path : "stdout";
    if (!out->error && out->temporary[0] && fsync(out->fd) != 0) out->error = errno;
    if (out->path && close(out->fd) != 0 && !out->error) out->error = errno;
    if (!out->error && out->temporary[0] && rename(out->temporary, out->target) != 0)
        out->error = errno;
    if (out->error && out->temporary[0]) (void)unlink(out->temporary);
    cli_unfinished_remove(out->temporary);
    return out->error ? cli_fail_system(err, out->error, subject) : QEFF_OK;
}

qeff_status cli_output_close(cli_output *out, qeff_error *err)
{
    if (!out->is_open) return QEFF_OK;
    flush(out);
    const qeff_status status = commit(out, err);
    free(out->buffer);
    *out = (cli_output){0};
    return status;
}

void cli_output_abort(cli_output *out)
{
    qeff_error ignored;
    if (!out->is_open) return;
    out->used = 0;
    out->error = ECANCELED; /* whatever was written goes */
    (void)commit(out, &ignored);
    free(out->buffer);
    *out = (cli_output){0};
}

qeff_status cli_print(const char *data, size_t size, qeff_error *err)
{
    cli_output out;
    const qeff_status status = cli_output_open(&out, NULL, err);
    if (status) return status;
    cli_output_write(&out, data, size);
    return cli_output_close(&out, err);
}
