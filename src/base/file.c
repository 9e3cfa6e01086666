/* file.c - reading and mapping files, paths that come from models, and folders. */
#include "base/file.h"

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/span.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *qeff_environment_get(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

static void close_quietly(int fd)
{
    int error = 0;
    const qeff_io *io = qeff_io_get();
    (void)io->close(io->ctx, fd, &error);
}

/* O_NONBLOCK: a FIFO without a writer must not hold us before fstat has told what it is. */
static qeff_status open_regular(const char *path, int *fd, size_t *size, qeff_error *err)
{
    const qeff_io *io = qeff_io_get();
    int error = 0;
    int64_t bytes = 0;
    bool is_regular = false;
    *fd = io->open(io->ctx, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &error);
    if (*fd < 0) return qeff_fail_system(err, error, "'%s'", path);
    if (io->stat(io->ctx, *fd, &bytes, &is_regular, &error) < 0) {
        close_quietly(*fd);
        return qeff_fail_system(err, error, "'%s'", path);
    }
    if (!is_regular) {
        close_quietly(*fd);
        return qeff_fail(err, QEFF_ERR_FORMAT, "'%s': expected a regular file", path);
    }
    if (bytes < 0 || (uint64_t)bytes > SIZE_MAX / 2) {
        close_quietly(*fd);
        return qeff_fail(err, QEFF_ERR_FORMAT, "'%s': a file of %lld bytes is too large", path,
                         (long long)bytes);
    }
    *size = (size_t)bytes;
    return QEFF_OK;
}

/* Reads exactly `size` bytes: a file that shrank meanwhile is an error, one that grew is cut. */
static qeff_status read_all(const char *path, int fd, uint8_t *data, size_t size, qeff_error *err)
{
    const qeff_io *io = qeff_io_get();
    for (size_t done = 0; done < size;) {
        int error = 0;
        const int64_t n = io->read(io->ctx, fd, data + done, size - done, &error);
        if (n < 0 && error == EINTR) continue;
        if (n < 0) return qeff_fail_system(err, error, "'%s'", path);
        if (n == 0)
            return qeff_fail(err, QEFF_ERR_IO, "'%s': ended after %zu of %zu bytes", path, done,
                             size);
        done += (size_t)n;
    }
    return QEFF_OK;
}

static qeff_status
read_open_file(const char *path, int fd, size_t size, qeff_file *out, qeff_error *err)
{
    uint8_t *data = qeff_alloc(size);
    if (!data)
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': no memory for %zu bytes", path, size);
    const qeff_status status = read_all(path, fd, data, size, err);
    if (status) {
        qeff_free(data);
        return status;
    }
    *out = (qeff_file){.data = data, .size = size, .is_mapped = false, .fd = -1};
    return QEFF_OK;
}

qeff_status qeff_file_map(const char *path, qeff_file *out, qeff_error *err)
{
    const qeff_io *io = qeff_io_get();
    int fd = -1, error = 0;
    size_t size = 0;
    *out = (qeff_file){.fd = -1};
    QEFF_TRY(open_regular(path, &fd, &size, err));
    qeff_status status = QEFF_OK;
    void *data = size ? io->map(io->ctx, fd, size, &error) : NULL;
    if (data)
        *out = (qeff_file){.data = data, .size = size, .is_mapped = true, .fd = fd};
    else if (size == 0 || error == ENODEV || error == EINVAL) /* no mapping on this file system */
        status = read_open_file(path, fd, size, out, err);
    else
        status = qeff_fail_system(err, error, "'%s'", path);
    if (!data) close_quietly(fd);
    return status;
}

void qeff_file_unmap(qeff_file *file)
{
    const qeff_io *io = qeff_io_get();
    if (file->is_mapped) {
        io->unmap(io->ctx, (void *)(uintptr_t)file->data, file->size);
        close_quietly(file->fd);
    } else
        qeff_free((void *)(uintptr_t)file->data);
    *file = (qeff_file){.fd = -1};
}

void qeff_file_release(const qeff_file *file, qeff_bytes range)
{
    if (file->is_mapped) qeff_bytes_release(range);
}

void qeff_bytes_release(qeff_bytes range)
{
    if (range.size == 0 || !qeff_io_is_system_map()) return; /* another store's may not come back */
    const uintptr_t page = 4096;
    const uintptr_t begin = ((uintptr_t)range.data + page - 1) & ~(page - 1);
    const uintptr_t end = ((uintptr_t)range.data + range.size) & ~(page - 1);
    if (begin < end) (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

qeff_status qeff_file_read(const char *path, size_t max_bytes, qeff_file *out, qeff_error *err)
{
    int fd = -1;
    size_t size = 0;
    *out = (qeff_file){.fd = -1};
    QEFF_TRY(open_regular(path, &fd, &size, err));
    qeff_status status = QEFF_OK;
    if (size > max_bytes)
        status = qeff_fail(err, QEFF_ERR_FORMAT, "'%s': %zu bytes exceed the limit of %zu", path,
                           size, max_bytes);
    else
        status = read_open_file(path, fd, size, out, err);
    close_quietly(fd);
    return status;
}

bool qeff_file_stamp_read(int fd, qeff_file_stamp *out)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) return false;
    *out = (qeff_file_stamp){
        .device = (uint64_t)st.st_dev,
        .inode = (uint64_t)st.st_ino,
        .size = (uint64_t)st.st_size,
        .modified_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
        .changed_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec};
    return true;
}

bool qeff_file_stamp_is_settled(const qeff_file_stamp *stamp)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return false;
    const int64_t now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    return now_ns - stamp->changed_ns >= 2000000000 && now_ns - stamp->modified_ns >= 2000000000;
}

bool qeff_path_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool qeff_path_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

qeff_status
qeff_path_join(const char *folder, qeff_str name, char out[QEFF_PATH_MAX], qeff_error *err)
{
    const size_t n = strlen(folder);
    const bool needs_slash = n > 0 && folder[n - 1] != '/';
    if (name.size >= QEFF_PATH_MAX || n + needs_slash + name.size >= QEFF_PATH_MAX)
        return qeff_fail(err, QEFF_ERR_INVALID, "'%.100s…': path of over %d bytes", folder,
                         QEFF_PATH_MAX - 1);
    memcpy(out, folder, n);
    if (needs_slash) out[n] = '/';
    if (name.size) memcpy(out + n + needs_slash, name.data, name.size);
    out[n + needs_slash + name.size] = '\0';
    return QEFF_OK;
}

static bool is_safe_relative_name(qeff_str name)
{
    if (name.size == 0 || name.data[0] == '/' || name.data[name.size - 1] == '/') return false;
    size_t segment = 0;
    for (size_t i = 0; i <= name.size; i++) {
        if (i < name.size && name.data[i] != '/') {
            const unsigned char c = (unsigned char)name.data[i];
            if (c < 0x20 || c == 0x7f || c == '\\') return false;
            continue;
        }
        const qeff_str part = {name.data + segment, i - segment};
        if (part.size == 0 || qeff_str_is(part, ".") || qeff_str_is(part, "..")) return false;
        segment = i + 1;
    }
    return true;
}

static bool is_inside(const char *folder, const char *path)
{
    const size_t n = strlen(folder);
    return strncmp(folder, path, n) == 0 && (path[n] == '/' || (n > 0 && folder[n - 1] == '/'));
}

/* Cuts `root`, a snapshot of a Hugging Face cache or a folder in one, to the model's cache folder:
 * .../models--x/snapshots/<commit>/... becomes .../models--x. False where it is none. */
static bool cut_to_cache(char *root)
{
    static const char name[] = "/snapshots/";
    char *last = NULL;
    for (char *at = root; (at = strstr(at, name)); at++)
        last = at;
    if (!last || !last[sizeof name - 1]) return false;
    *last = '\0';
    return true;
}

/* The file's own place must lie in the folder, or, where the folder is in the snapshots of a
 * Hugging Face cache, in its blob store: .../models--x/{blobs,snapshots/<commit>}. */
static qeff_status resolves_inside(const char *folder, const char *path, bool *is_legal)
{
    char root[PATH_MAX], real[PATH_MAX], blobs[PATH_MAX + 16];
    *is_legal = false;
    if (!realpath(folder, root) || !realpath(path, real))
        return errno == ENOMEM ? QEFF_ERR_NO_MEMORY : QEFF_OK;
    *is_legal = is_inside(root, real);
    if (!*is_legal && cut_to_cache(root)) {
        (void)snprintf(blobs, sizeof blobs, "%s/blobs", root);
        *is_legal = is_inside(blobs, real);
    }
    return QEFF_OK;
}

qeff_status qeff_path_join_untrusted(const char *folder, qeff_str name, char out[QEFF_PATH_MAX],
                                     qeff_error *err)
{
    struct stat st;
    bool is_legal = true;
    if (!is_safe_relative_name(name))
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "'%.*s': expected a relative file name inside the folder",
                         QEFF_STR_ARGS(name));
    QEFF_TRY(qeff_path_join(folder, name, out, err));
    if (lstat(out, &st) == 0 && resolves_inside(folder[0] ? folder : ".", out, &is_legal))
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': out of memory", out);
    if (!is_legal)
        return qeff_fail(err, QEFF_ERR_FORMAT, "'%s': link that leads outside the folder", out);
    return QEFF_OK;
}

qeff_status qeff_folder_create(const char *path, qeff_error *err)
{
    const qeff_io *io = qeff_io_get();
    char part[QEFF_PATH_MAX];
    QEFF_TRY(qeff_path_join("", qeff_str_of(path), part, err));
    const size_t n = strlen(part);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0') continue;
        const char kept = part[i];
        part[i] = '\0';
        int error = 0;
        if (io->mkdir(io->ctx, part, 0777, &error) < 0 && !qeff_path_is_folder(part))
            return qeff_fail_system(err, error, "'%s'", part);
        part[i] = kept;
    }
    return QEFF_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

qeff_status qeff_folder_visit(const char *path, bool (*visit)(void *ctx, const char *name),
                              void *ctx, qeff_error *err)
{
    qeff_status status = QEFF_OK;
    char **names = NULL;
    size_t n = 0, capacity = 0;
    DIR *folder = opendir(path);
    if (!folder) return qeff_fail_system(err, errno, "'%s'", path);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char **grown = qeff_grow(names, n, &capacity, sizeof *names);
        if (grown) names = grown;
        char *name = grown ? qeff_copy_str(qeff_str_of(entry->d_name)) : NULL;
        if (!name) {
            status = qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': out of memory", path);
            break;
        }
        names[n++] = name;
    }
    (void)closedir(folder);
    if (n > 1) qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < n && !status; i++)
        if (!visit(ctx, names[i])) break;
    for (size_t i = 0; i < n; i++)
        qeff_free(names[i]);
    qeff_free(names);
    return status;
}

enum { FOLDER_DEPTH_MAX = 16 };

typedef struct removal {
    const char *folder;
    int depth;
    qeff_status status;
    qeff_error *err;
} removal;

static qeff_status remove_tree(const char *path, int depth, qeff_error *err);

static bool remove_entry(void *ctx, const char *name)
{
    removal *r = ctx;
    char path[QEFF_PATH_MAX];
    r->status = qeff_path_join(r->folder, qeff_str_of(name), path, r->err);
    if (!r->status) r->status = remove_tree(path, r->depth + 1, r->err);
    return r->status == QEFF_OK;
}

static qeff_status remove_tree(const char *path, int depth, qeff_error *err)
{
    const qeff_io *io = qeff_io_get();
    struct stat st;
    int error = 0;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? QEFF_OK : qeff_fail_system(err, errno, "'%s'", path);
    if (!S_ISDIR(st.st_mode)) {
        if (io->unlink(io->ctx, path, &error) < 0 && error != ENOENT)
            return qeff_fail_system(err, error, "'%s'", path);
        return QEFF_OK;
    }
    if (depth >= FOLDER_DEPTH_MAX)
        return qeff_fail(err, QEFF_ERR_IO, "'%s': folders nested too deep", path);
    removal r = {path, depth, QEFF_OK, err};
    QEFF_TRY(qeff_folder_visit(path, remove_entry, &r, err));
    if (r.status) return r.status;
    if (io->rmdir(io->ctx, path, &error) < 0 && error != ENOENT)
        return qeff_fail_system(err, error, "'%s'", path);
    return QEFF_OK;
}

qeff_status qeff_folder_remove(const char *path, qeff_error *err)
{
    return remove_tree(path, 0, err);
}
