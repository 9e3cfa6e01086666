/* unfinished.h - files and folders that are being made, so that a signal can clear them away. */
#ifndef CLI_UNFINISHED_H
#define CLI_UNFINISHED_H

#include <stdbool.h>

/** From now on SIGINT, SIGTERM and SIGHUP remove what is unfinished before they end the program,
 * the library's temporaries too, and a closed pipe or a limit on sizes is an error of write(). Call
 * it once, before anything else of the library. */
void cli_unfinished_init(void);

/** Remembers a file or folder; forgets it. More than can be remembered are not. */
void cli_unfinished_add(const char *path, bool is_folder);
void cli_unfinished_remove(const char *path);

#endif /* CLI_UNFINISHED_H */
