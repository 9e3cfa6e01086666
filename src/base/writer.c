/* writer.c - names that appear complete or not at all: temporary file or folder, sync, rename.
 *
 * Protocol (Pillai et al., OSDI 2014): write under a name of our own in the same folder, sync the
 * data, rename, sync the folder. A killed process leaves only `.tmp-*` names, which nothing
 * reads. */
#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum {
    PENDING_BYTES = 64 * 1024,
    TEMPORARY_BYTES_MAX = 48, /* of "/.tmp-<pid>-<number>" */
};

/* Distinguishes the temporaries of one process; other processes differ by pid. */
static atomic_uint next_temporary;

static void temporary_name(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');
    const int folder = slash ? (int)(slash - path + 1) : 0;
    (void)snprintf(out, size, "%.*s.tmp-%ld-%u", folder, path, (long)getpid(),
                   atomic_fetch_add(&next_temporary, 1u));
}

static qeff_status fail_writer(qeff_writer *w, int error)
{
    if (!w->status) w->status = qeff_fail_system(&w->error, error, "'%s'", w->path);
    return w->status;
}

static void write_through(qeff_writer *w, const uint8_t *data, size_t size)
{
    const qeff_io *io = qeff_io_get();
    while (size && !w->status) {
        int error = 0;
        const int64_t n = io->write(io->ctx, w->fd, data, size, &error);
        if (n < 0 && error == EINTR) continue;
        if (n <= 0) {
            (void)fail_writer(w, n < 0 ? error : EIO);
            return;
        }
        data += n;
        size -= (size_t)n;
    }
}

static void flush_pending(qeff_writer *w)
{
    write_through(w, w->pending, w->n_pending);
    w->n_pending = 0;
}

qeff_status qeff_writer_open(qeff_writer *w, const char *path, qeff_error *err)
{
    const qeff_io *io = qeff_io_get();
    int error = 0;
    *w = (qeff_writer){0};
    QEFF_TRY(qeff_path_join("", qeff_str_of(path), w->path, err));
    temporary_name(path, w->temporary, sizeof w->temporary);
    w->pending = qeff_alloc(PENDING_BYTES);
    if (!w->pending) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': out of memory", path);
    w->fd = io->open(io->ctx, w->temporary, O_WRONLY | O_CREAT | O_EXCL, 0666, &error);
    if (w->fd < 0) {
        qeff_free(w->pending);
        w->pending = NULL;
        return qeff_fail_system(err, error, "'%s'", path);
    }
    w->is_open = true;
    return QEFF_OK;
}

void qeff_writer_append(qeff_writer *w, const void *data, size_t size)
{
    if (w->status || !size) return;
    w->size += size;
    if (size > PENDING_BYTES - w->n_pending) flush_pending(w);
    if (size >= PENDING_BYTES) {
        write_through(w, data, size);
        return;
    }
    memcpy(w->pending + w->n_pending, data, size);
    w->n_pending += size;
}

void qeff_writer_pad(qeff_writer *w, size_t unit)
{
    static const uint8_t zeros[256];
    size_t rest = (size_t)(w->size % unit);
    for (rest = rest ? unit - rest : 0; rest;) {
        const size_t n = rest < sizeof zeros ? rest : sizeof zeros;
        qeff_writer_append(w, zeros, n);
        rest -= n;
    }
}

/* Used where the kernel cannot copy between these two files. */
static void copy_through_buffer(qeff_writer *w, int from, uint64_t offset, uint64_t size)
{
    const qeff_io *io = qeff_io_get();
    const off_t at = lseek(from, (off_t)offset, SEEK_SET);
    if (at < 0) {
        (void)fail_writer(w, errno);
        return;
    }
    while (size && !w->status) {
        int error = 0;
        const size_t want = size < PENDING_BYTES ? (size_t)size : PENDING_BYTES;
        const int64_t n = io->read(io->ctx, from, w->pending, want, &error);
        if (n < 0 && error == EINTR) continue;
        if (n <= 0) {
            (void)fail_writer(w, n < 0 ? error : EIO);
            return;
        }
        write_through(w, w->pending, (size_t)n);
        size -= (uint64_t)n;
    }
}

void qeff_writer_copy(qeff_writer *w, int from, uint64_t offset, uint64_t size)
{
    const qeff_io *io = qeff_io_get();
    if (w->status) return;
    flush_pending(w);
    w->size += size;
    while (size && !w->status) {
        int error = 0;
        const size_t want = size < (1u << 30) ? (size_t)size : (size_t)1 << 30;
        const int64_t n = io->copy(io->ctx, w->fd, from, (int64_t)offset, want, &error);
        if (n < 0 && error == EINTR) continue;
        if (n <= 0) { /* not between these file systems: same bytes by hand */
            copy_through_buffer(w, from, offset, size);
            return;
        }
        offset += (uint64_t)n;
        size -= (uint64_t)n;
    }
}

static void sync_folder_of(const char *path)
{
    const qeff_io *io = qeff_io_get();
    char folder[QEFF_PATH_MAX];
    const char *slash = strrchr(path, '/');
    (void)snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1,
                   slash ? path : ".");
    int error = 0;
    const int fd = io->open(io->ctx, folder[0] ? folder : "/", O_RDONLY | O_DIRECTORY, 0, &error);
    if (fd < 0) return; /* a folder that may not be read cannot be synced; the data is */
    (void)io->sync(io->ctx, fd, &error);
    (void)io->close(io->ctx, fd, &error);
}

qeff_status qeff_writer_commit(qeff_writer *w, qeff_error *err)
{
    const qeff_io *io = qeff_io_get();
    int error = 0;
    if (!w->is_open) return qeff_fail(err, QEFF_ERR_INTERNAL, "'%s': not being written", w->path);
    flush_pending(w);
    if (!w->status && io->sync(io->ctx, w->fd, &error) < 0) (void)fail_writer(w, error);
    if (io->close(io->ctx, w->fd, &error) < 0) (void)fail_writer(w, error);
    w->is_open = false;
    if (!w->status && io->rename(io->ctx, w->temporary, w->path, &error) < 0)
        (void)fail_writer(w, error);
    const qeff_status status = w->status;
    if (status) {
        (void)io->unlink(io->ctx, w->temporary, &error);
        if (err) *err = w->error;
    } else {
        sync_folder_of(w->path);
    }
    qeff_free(w->pending);
    w->pending = NULL;
    return status;
}

void qeff_writer_abort(qeff_writer *w)
{
    const qeff_io *io = qeff_io_get();
    int error = 0;
    if (w->is_open) {
        (void)io->close(io->ctx, w->fd, &error);
        (void)io->unlink(io->ctx, w->temporary, &error);
    }
    qeff_free(w->pending);
    *w = (qeff_writer){0};
}

qeff_status qeff_file_write(const char *path, qeff_bytes data, qeff_error *err)
{
    qeff_writer w;
    QEFF_TRY(qeff_writer_open(&w, path, err));
    qeff_writer_append(&w, data.data, data.size);
    return qeff_writer_commit(&w, err);
}

qeff_status qeff_folder_stage(const char *path, char out[QEFF_PATH_MAX], qeff_error *err)
{
    const qeff_io *io = qeff_io_get();
    char name[QEFF_PATH_MAX];
    int error = 0;
    QEFF_TRY(qeff_path_join("", qeff_str_of(path), name, err));
    for (size_t n = strlen(name); n > 1 && name[n - 1] == '/'; n--)
        name[n - 1] = '\0';
    if (strlen(name) > QEFF_PATH_MAX - TEMPORARY_BYTES_MAX) /* a cut name is another folder's */
        return qeff_fail(err, QEFF_ERR_INVALID, "'%.100s…': path of over %d bytes", name,
                         QEFF_PATH_MAX - TEMPORARY_BYTES_MAX);
    char *slash = strrchr(name, '/');
    if (slash && slash != name) {
        *slash = '\0';
        QEFF_TRY(qeff_folder_create(name, err));
        *slash = '/';
    }
    temporary_name(name, out, QEFF_PATH_MAX);
    (void)qeff_folder_remove(out, NULL); /* of a killed process whose pid came round again */
    if (io->mkdir(io->ctx, out, 0777, &error) < 0) return qeff_fail_system(err, error, "'%s'", out);
    return QEFF_OK;
}

qeff_status
qeff_folder_publish(const char *staged, const char *path, bool *was_there, qeff_error *err)
{
    const qeff_io *io = qeff_io_get();
    int error = 0;
    *was_there = false;
    sync_folder_of(staged);
    if (io->rename(io->ctx, staged, path, &error) < 0) {
        if (error == ENOTEMPTY || error == EEXIST) { /* never replaces a folder that has files */
            *was_there = true;
            return qeff_folder_remove(staged, err);
        }
        (void)qeff_folder_remove(staged, NULL);
        return qeff_fail_system(err, error, "'%s'", path);
    }
    sync_folder_of(path);
    return QEFF_OK;
}

qeff_status qeff_lock_acquire(qeff_lock *lock, const char *path, qeff_error *err)
{
    const qeff_io *io = qeff_io_get();
    int error = 0;
    *lock = (qeff_lock){0};
    const int fd = io->open(io->ctx, path, O_RDWR | O_CREAT, 0666, &error);
    if (fd < 0) return qeff_fail_system(err, error, "'%s'", path);
    if (io->lock(io->ctx, fd, true, &error) < 0 && error != ENOSYS && error != EOPNOTSUPP &&
        error != ENOLCK) {
        int ignored = 0;
        (void)io->close(io->ctx, fd, &ignored);
        return qeff_fail_system(err, error, "'%s'", path);
    }
    *lock = (qeff_lock){.fd = fd, .is_held = true};
    return QEFF_OK;
}

void qeff_lock_release(qeff_lock *lock)
{
    const qeff_io *io = qeff_io_get();
    int error = 0;
    if (lock->is_held) (void)io->close(io->ctx, lock->fd, &error); /* closing drops the lock */
    *lock = (qeff_lock){0};
}
