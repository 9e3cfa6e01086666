/* io.c - the system's file table: one POSIX call an entry, errno handed out as a value. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int result_of(int value, int *error)
{
    if (value < 0) *error = errno;
    return value;
}

static int system_open(void *ctx, const char *path, int flags, unsigned mode, int *error)
{
    (void)ctx;
    return result_of(open(path, flags | O_CLOEXEC, (mode_t)mode), error);
}

static int system_close(void *ctx, int fd, int *error)
{
    (void)ctx;
    return result_of(close(fd), error);
}

static int64_t system_read(void *ctx, int fd, void *buffer, size_t size, int *error)
{
    (void)ctx;
    const ssize_t n = read(fd, buffer, size);
    if (n < 0) *error = errno;
    return n;
}

static int64_t system_write(void *ctx, int fd, const void *data, size_t size, int *error)
{
    (void)ctx;
    const ssize_t n = write(fd, data, size);
    if (n < 0) *error = errno;
    return n;
}

static int64_t system_copy(void *ctx, int to, int from, int64_t offset, size_t size, int *error)
{
    (void)ctx;
    off_t at = (off_t)offset;
    const ssize_t n = copy_file_range(from, &at, to, NULL, size, 0);
    if (n < 0) *error = errno;
    return n;
}

static int system_stat(void *ctx, int fd, int64_t *size, bool *is_regular, int *error)
{
    (void)ctx;
    struct stat st;
    if (fstat(fd, &st) < 0) {
        *error = errno;
        return -1;
    }
    *size = (int64_t)st.st_size;
    *is_regular = S_ISREG(st.st_mode);
    return 0;
}

static void *system_map(void *ctx, int fd, size_t size, int *error)
{
    (void)ctx;
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
        *error = errno;
        return NULL;
    }
    return data;
}

static void system_unmap(void *ctx, void *data, size_t size)
{
    (void)ctx;
    (void)munmap(data, size);
}

static int system_sync(void *ctx, int fd, int *error)
{
    (void)ctx;
    return result_of(fsync(fd), error);
}

static int system_rename(void *ctx, const char *from, const char *to, int *error)
{
    (void)ctx;
    return result_of(rename(from, to), error);
}

static int system_unlink(void *ctx, const char *path, int *error)
{
    (void)ctx;
    return result_of(unlink(path), error);
}

static int system_mkdir(void *ctx, const char *path, unsigned mode, int *error)
{
    (void)ctx;
    return result_of(mkdir(path, (mode_t)mode), error);
}

static int system_rmdir(void *ctx, const char *path, int *error)
{
    (void)ctx;
    return result_of(rmdir(path), error);
}

static int system_lock(void *ctx, int fd, bool wait, int *error)
{
    (void)ctx;
    int value = 0;
    do
        value = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
    while (value < 0 && errno == EINTR);
    return result_of(value, error);
}

#define SYSTEM_IO                                                                                  \
    {                                                                                              \
        .open = system_open, .close = system_close, .read = system_read, .write = system_write,    \
        .copy = system_copy, .stat = system_stat, .map = system_map, .unmap = system_unmap,        \
        .sync = system_sync, .rename = system_rename, .unlink = system_unlink,                     \
        .mkdir = system_mkdir, .rmdir = system_rmdir, .lock = system_lock,                         \
    }

static const qeff_io system_io = SYSTEM_IO;
static qeff_io current_io = SYSTEM_IO; /* set once before first use; see qeff_io_set() */

void qeff_io_set(const qeff_io *io)
{
    current_io = io ? *io : system_io;
}

bool qeff_io_is_system_map(void)
{
    return current_io.map == system_map;
}

const qeff_io *qeff_io_get(void)
{
    return &current_io;
}
