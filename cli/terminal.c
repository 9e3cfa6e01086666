/* terminal.c - terminal, width, colours; the progress bar. */
#include "cli/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    COLUMNS_DEFAULT = 80,
    COLUMNS_MIN = 20,
    COLUMNS_MAX = 1000,
    PATIENCE_MS = 1000, /* shorter work needs no bar */
    REDRAW_MS = 100,
    BAR_COLUMNS_MAX = 30,
    BAR_COLUMNS_MIN = 5
};

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] != '\0';
}

static size_t columns_of(int fd)
{
    struct winsize size;
    size_t columns = 0;
    const char *text = getenv("COLUMNS");
    if (text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 5)
        columns = strtoul(text, NULL, 10);
    else if (ioctl(fd, TIOCGWINSZ, &size) == 0)
        columns = size.ws_col;
    if (columns == 0) return COLUMNS_DEFAULT;
    if (columns < COLUMNS_MIN) return COLUMNS_MIN;
    return columns > COLUMNS_MAX ? COLUMNS_MAX : columns;
}

static bool is_dumb(void)
{
    const char *term = getenv("TERM");
    return !term || term[0] == '\0' || strcmp(term, "dumb") == 0;
}

cli_terminal cli_terminal_of(int fd)
{
    cli_terminal t = {.is_terminal = isatty(fd) == 1, .columns = columns_of(fd)};
    if (!t.is_terminal || is_dumb() || is_set("NO_COLOR")) return t;
    t.colors =
        strstr(getenv("TERM"), "256color") || is_set("COLORTERM") ? CLI_COLORS_256 : CLI_COLORS_8;
    return t;
}

/* --- progress --------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_MONOTONIC, &t) == 0 ? (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000
                                                   : 0;
}

static void say(const char *text)
{
    if (fputs(text, stderr) < 0) return; /* nobody is left to be told */
}

static void draw(cli_progress *p, uint64_t done, uint64_t total, int64_t elapsed_ms)
{
    char line[256], bar[BAR_COLUMNS_MAX + 1];
    const size_t room = p->columns > 50 ? p->columns - 45 : 0;
    const size_t width = room > BAR_COLUMNS_MAX ? BAR_COLUMNS_MAX : room;
    const double part = total ? (double)done / (double)total : 0;
    if (total && part > 0 && part <= 1 && width >= BAR_COLUMNS_MIN) {
        const size_t filled = (size_t)(part * (double)width);
        memset(bar, '#', filled);
        memset(bar + filled, '.', width - filled);
        bar[width] = '\0';
        const double rest_s = (double)elapsed_ms / 1000 * (1 - part) / part;
        (void)snprintf(line, sizeof line, "\r\x1b[K%-12.12s [%s] %3.0f %%, %.0f s left", p->phase,
                       bar, 100 * part, rest_s);
    } else if (total && part <= 1) {
        (void)snprintf(line, sizeof line, "\r\x1b[K%.12s %3.0f %%", p->phase, 100 * part);
    } else {
        (void)snprintf(line, sizeof line, "\r\x1b[K%.12s, %lld s", p->phase,
                       (long long)(elapsed_ms / 1000));
    }
    say(line);
    p->is_drawn = true;
}

static void report(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
    cli_progress *p = ctx;
    const int64_t now = now_ms();
    if (!p->phase || strcmp(p->phase, phase) != 0) {
        p->phase = phase;
        p->begin_ms = now;
    }
    if (now - p->begin_ms < PATIENCE_MS || now - p->drawn_ms < REDRAW_MS) return;
    p->drawn_ms = now;
    draw(p, done, total, now - p->begin_ms);
}

void cli_progress_init(cli_progress *p)
{
    *p = (cli_progress){0};
    p->is_on = isatty(STDERR_FILENO) == 1 && !is_dumb();
    p->columns = columns_of(STDERR_FILENO);
    if (p->is_on) p->sink = (qeff_progress){.report = report, .ctx = p};
}

void cli_progress_end(cli_progress *p)
{
    if (p->is_drawn) say("\r\x1b[K");
    p->is_drawn = false;
}
