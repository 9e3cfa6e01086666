/* unfinished.c - removes half-made files and folders when a signal ends the program.
 *
 * The library writes under temporary names and renames, so that nothing half-made is ever seen
 * under a real name. What a signal would leave behind are those temporaries: the file table is
 * wrapped to know them, before they are there: a signal may come as soon as they are. A signal
 * handler can only reach static memory; a slot counts while its state says so, which is set last
 * and cleared first. The library calls the table on one thread. */
#include "cli/unfinished.h"

#include <qeff/base.h>

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 16, SLOT_PATH_BYTES = 4200 };

enum { SLOT_FREE, SLOT_FILE, SLOT_FOLDER };

typedef struct slot {
    atomic_int state;
    char path[SLOT_PATH_BYTES];
} slot;

static slot slots[SLOTS];
static qeff_io below; /* the table that is wrapped */

/* --- slots ------------------------------------------------------------------------------------ */

static void set(slot *s, const char *path, int state)
{
    if (strlen(path) >= sizeof s->path) return;
    (void)snprintf(s->path, sizeof s->path, "%s", path);
    atomic_store(&s->state, state);
}

static slot *find(const char *path)
{
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&slots[i].state) != SLOT_FREE && strcmp(slots[i].path, path) == 0)
            return &slots[i];
    return NULL;
}

void cli_unfinished_add(const char *path, bool is_folder)
{
    for (int i = 0; i < SLOTS; i++) {
        if (atomic_load(&slots[i].state) != SLOT_FREE) continue;
        set(&slots[i], path, is_folder ? SLOT_FOLDER : SLOT_FILE);
        return;
    }
}

static bool is_inside(const char *path, const char *folder)
{
    const size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

/* A folder that is gone, or has its name, takes what is in it along. */
void cli_unfinished_remove(const char *path)
{
    slot *s = find(path);
    if (!s) return;
    const bool is_folder = atomic_load(&s->state) == SLOT_FOLDER;
    atomic_store(&s->state, SLOT_FREE);
    for (int i = 0; is_folder && i < SLOTS; i++)
        if (is_inside(slots[i].path, path)) atomic_store(&slots[i].state, SLOT_FREE);
}

static bool is_in_unfinished_folder(const char *path)
{
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&slots[i].state) == SLOT_FOLDER && is_inside(path, slots[i].path))
            return true;
    return false;
}

/* --- the file table --------------------------------------------------------------------------- */

static int open_file(void *ctx, const char *path, int flags, unsigned mode, int *error)
{
    const bool is_new = (flags & O_EXCL) != 0;
    if (is_new) cli_unfinished_add(path, false);
    const int fd = below.open(ctx, path, flags, mode, error);
    if (is_new && fd < 0) cli_unfinished_remove(path);
    return fd;
}

static int rename_file(void *ctx, const char *from, const char *to, int *error)
{
    slot *s = find(from);
    const bool stays = s && is_in_unfinished_folder(to) && !find(to);
    if (stays) cli_unfinished_add(to, atomic_load(&s->state) == SLOT_FOLDER);
    const int result = below.rename(ctx, from, to, error);
    if (result == 0)
        cli_unfinished_remove(from);
    else if (stays)
        cli_unfinished_remove(to);
    return result;
}

static int unlink_file(void *ctx, const char *path, int *error)
{
    const int result = below.unlink(ctx, path, error);
    if (result == 0) cli_unfinished_remove(path);
    return result;
}

static int make_folder(void *ctx, const char *path, unsigned mode, int *error)
{
    const char *slash = strrchr(path, '/');
    const bool is_temporary = strncmp(slash ? slash + 1 : path, ".tmp-", 5) == 0;
    const bool is_unfinished = (is_temporary || is_in_unfinished_folder(path)) && !find(path);
    if (is_unfinished) cli_unfinished_add(path, true);
    const int result = below.mkdir(ctx, path, mode, error);
    if (is_unfinished && result < 0) cli_unfinished_remove(path);
    return result;
}

static int remove_folder(void *ctx, const char *path, int *error)
{
    const int result = below.rmdir(ctx, path, error);
    if (result == 0) cli_unfinished_remove(path);
    return result;
}

/* --- signals ---------------------------------------------------------------------------------- */

/* Inner folders first: each round removes those that are empty by now. */
static void remove_folders(void)
{
    bool has_removed = true;
    while (has_removed) {
        has_removed = false;
        for (int i = 0; i < SLOTS; i++) {
            if (atomic_load(&slots[i].state) != SLOT_FOLDER || rmdir(slots[i].path) != 0) continue;
            atomic_store(&slots[i].state, SLOT_FREE);
            has_removed = true;
        }
    }
}

static void end_by_signal(int number)
{
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&slots[i].state) == SLOT_FILE) (void)unlink(slots[i].path);
    remove_folders();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

void cli_unfinished_init(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {0};
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
    (void)sigaction(SIGXFSZ, &action, NULL);
    action.sa_handler = end_by_signal;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction before;
        /* nohup, and shells that run it in the background, asked for some to be ignored */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN) continue;
        (void)sigaction(numbers[i], &action, NULL);
    }
    below = *qeff_io_get();
    qeff_io wrapped = below;
    wrapped.open = open_file;
    wrapped.rename = rename_file;
    wrapped.unlink = unlink_file;
    wrapped.mkdir = make_folder;
    wrapped.rmdir = remove_folder;
    qeff_io_set(&wrapped);
}
