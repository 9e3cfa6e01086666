/* file.h - files through the I/O table: mapping, reading, and writing so that a name appears
 * complete or not at all. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <qeff/base.h>

enum { QEFF_PATH_MAX = 4096 };

/** A file mapped read-only, or read into memory where it cannot be mapped. Zero-initialise. The
 * bytes stay valid until qeff_file_unmap(). */
typedef struct qeff_file {
    const uint8_t *data;
    size_t size;
    bool is_mapped; /**< false: `data` is a heap block */
    int fd;         /**< open while mapped, for copying ranges of it; else -1 */
} qeff_file;

/** Maps a regular file. Folders, devices and FIFOs are refused without being opened for reading
 * in a way that could block.
 * @return QEFF_ERR_NOT_FOUND, QEFF_ERR_IO, QEFF_ERR_FORMAT (not a regular file),
 *         QEFF_ERR_NO_MEMORY; messages start with the path in quotes */
qeff_status qeff_file_map(const char *path, qeff_file *out, qeff_error *err);
void qeff_file_unmap(qeff_file *file);

/** Tells the system that the pages of a mapped range are not needed for now, so that a pass over
 * a large file does not hold all of it in memory. `range` lies inside `file`. */
void qeff_file_release(const qeff_file *file, qeff_bytes range);
/** The same for a range that is known to lie in a mapped file. Memory of another kind would lose
 * its content. */
void qeff_bytes_release(qeff_bytes range);

/** Whether files are mapped by the system itself, so that a page can be dropped and comes back. */
bool qeff_io_is_system_map(void);

/** Reads a regular file of at most `max_bytes` into a heap block; larger: QEFF_ERR_FORMAT. */
qeff_status qeff_file_read(const char *path, size_t max_bytes, qeff_file *out, qeff_error *err);

/** What the system knows of an open file: two equal stamps mean the same content, unless the file
 * was written to within the clock's grain (see qeff_file_stamp_is_settled()). */
typedef struct qeff_file_stamp {
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns; /**< since 1970 */
} qeff_file_stamp;

/** Stamp of an open file; false where the system refuses. */
bool qeff_file_stamp_read(int fd, qeff_file_stamp *out);
/** Whether the last change lies two seconds or more back: later writes then change the stamp. */
bool qeff_file_stamp_is_settled(const qeff_file_stamp *stamp);

/** Whether the name exists at all, and whether it is a folder. */
bool qeff_path_exists(const char *path);
bool qeff_path_is_folder(const char *path);

/** `out` = `folder/name`; QEFF_ERR_INVALID where it does not fit. An empty folder gives `name`. */
qeff_status
qeff_path_join(const char *folder, qeff_str name, char out[QEFF_PATH_MAX], qeff_error *err);

/** Joins a name that a model file gave. Refuses absolute names, `.` and `..` segments, empty
 * segments, backslashes, NUL and control characters with QEFF_ERR_FORMAT, and, where the file
 * exists, a symbolic link that leads outside `folder`; links into the `blobs` folder of a
 * Hugging Face cache, as `<folder>/../../blobs`, are legal. */
qeff_status qeff_path_join_untrusted(const char *folder, qeff_str name, char out[QEFF_PATH_MAX],
                                     qeff_error *err);

/** Creates a folder and its parents; an existing folder is fine. */
qeff_status qeff_folder_create(const char *path, qeff_error *err);

/** Lists the plain names in a folder, sorted bytewise, without `.` and `..`. The visitor returns
 * false to stop. */
qeff_status qeff_folder_visit(const char *path, bool (*visit)(void *ctx, const char *name),
                              void *ctx, qeff_error *err);

/** Removes a folder with all that is in it, not following links. Missing is fine. */
qeff_status qeff_folder_remove(const char *path, qeff_error *err);

/** A file being written under a temporary name next to its final one. Zero-initialise.
 * Writes are sticky: after a failure the rest do nothing and the commit reports it. */
typedef struct qeff_writer {
    int fd;
    bool is_open;
    uint64_t size; /**< bytes written so far */
    size_t n_pending;
    uint8_t *pending;
    qeff_status status;
    qeff_error error;
    char path[QEFF_PATH_MAX];
    char temporary[QEFF_PATH_MAX + 32];
} qeff_writer;

/** Creates the temporary file. Until qeff_writer_commit() nothing exists under `path`. */
qeff_status qeff_writer_open(qeff_writer *writer, const char *path, qeff_error *err);
void qeff_writer_append(qeff_writer *writer, const void *data, size_t size);
/** Appends zero bytes up to a multiple of `unit`. */
void qeff_writer_pad(qeff_writer *writer, size_t unit);
/** Appends `size` bytes of the open file `from`, starting at `offset`, inside the kernel where
 * the file system can (reflink, copy_file_range), else through a small buffer. */
void qeff_writer_copy(qeff_writer *writer, int from, uint64_t offset, uint64_t size);
/** Flushes, syncs and renames; on any failure the temporary file is gone and `path` is as it was.
 * Either way the writer is closed. */
qeff_status qeff_writer_commit(qeff_writer *writer, qeff_error *err);
/** Drops what was written. Allowed on a zeroed, committed or failed writer. */
void qeff_writer_abort(qeff_writer *writer);

/** Writes a whole file at once, through a qeff_writer. */
qeff_status qeff_file_write(const char *path, qeff_bytes data, qeff_error *err);

/** Makes `out` a fresh folder next to `path`, to be filled and then moved there. */
qeff_status qeff_folder_stage(const char *path, char out[QEFF_PATH_MAX], qeff_error *err);
/** Moves a staged folder to its final name. `*was_there` tells that another one got there first:
 * then the staged one is removed and the existing one is to be used. */
qeff_status
qeff_folder_publish(const char *staged, const char *path, bool *was_there, qeff_error *err);

/** A held lock file. Zero-initialise. Advisory: correctness never rests on it. */
typedef struct qeff_lock {
    int fd;
    bool is_held;
} qeff_lock;

/** Creates `path` where needed and waits for the exclusive lock. Where the file system knows no
 * locks this succeeds without one. */
qeff_status qeff_lock_acquire(qeff_lock *lock, const char *path, qeff_error *err);
void qeff_lock_release(qeff_lock *lock);

/** The value of an environment variable, or NULL where it is unset or empty. The only place of
 * the library that reads the environment. */
const char *qeff_environment_get(const char *name);

#endif /* BASE_FILE_H */
