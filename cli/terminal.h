/* terminal.h - what stands at the other end: a terminal or not, how wide, with colours or not. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <qeff/base.h>

typedef enum cli_colors {
    CLI_COLORS_NONE, /**< no terminal, NO_COLOR, or TERM=dumb */
    CLI_COLORS_8,
    CLI_COLORS_256
} cli_colors;

typedef struct cli_terminal {
    bool is_terminal;
    size_t columns; /**< at least 20; 80 where it is not known */
    cli_colors colors;
} cli_terminal;

cli_terminal cli_terminal_of(int fd);

/** A bar on stderr for work that lasts over a second; silent where stderr is no terminal.
 * Zero-initialise and pass `sink` to the library. */
typedef struct cli_progress {
    qeff_progress sink;
    bool is_on, is_drawn;
    size_t columns;
    int64_t begin_ms, drawn_ms;
    const char *phase;
} cli_progress;

void cli_progress_init(cli_progress *progress);
/** Clears the bar; call it before anything else is printed. */
void cli_progress_end(cli_progress *progress);

#endif /* CLI_TERMINAL_H */
