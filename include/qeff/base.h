/* qeff/base.h - what every other header of libqeff builds on: status codes, the error record,
 * spans of bytes and text, element types, and the hooks through which the library reaches
 * memory and files. */
#ifndef QEFF_BASE_H
#define QEFF_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define QEFF_API          __attribute__((visibility("default")))
#define QEFF_MUST_CHECK   __attribute__((warn_unused_result))
#define QEFF_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define QEFF_API
#define QEFF_MUST_CHECK
#define QEFF_PRINTF(f, a)
#endif

/** What a function that can fail returns. Zero is success; the meaning of each other value is
 * fixed, the text of the error record says what happened. */
typedef enum qeff_status {
    QEFF_OK = 0,
    QEFF_ERR_INVALID = 1,     /**< an argument or option is out of its documented range */
    QEFF_ERR_NOT_FOUND = 2,   /**< a file, key, prompt or output that was named does not exist */
    QEFF_ERR_IO = 3,          /**< the system refused to read or write */
    QEFF_ERR_FORMAT = 4,      /**< a file is damaged, truncated, inconsistent or hostile */
    QEFF_ERR_UNSUPPORTED = 5, /**< well-formed, but this build does not know it */
    QEFF_ERR_NO_MEMORY = 6,   /**< an allocation failed */
    QEFF_ERR_NO_SPACE = 7,    /**< the disk or quota is full */
    QEFF_ERR_CAPACITY = 8,    /**< more than the program was compiled for, or over a set limit */
    QEFF_ERR_DEVICE = 9,      /**< the backend or its device refused */
    QEFF_ERR_INTERNAL = 10    /**< a fault of the library itself: please report it */
} qeff_status;

/** Stable lower-case name of a status, such as "not found". Never NULL. */
QEFF_API const char *qeff_status_name(qeff_status status);

enum { QEFF_ERROR_MESSAGE_MAX = 1024 };

/** The caller's record of what went wrong. Every function that can fail takes a pointer to one,
 * which may be NULL. It needs no clean-up, and is written only on failure. Zero-initialise it. */
typedef struct qeff_error {
    qeff_status code;
    char message[QEFF_ERROR_MESSAGE_MAX]; /**< one line, NUL-terminated, no line feed at its end */
    char hint[256];                       /**< what to try next; empty where there is no advice */
} qeff_error;

/** Borrowed bytes; not NUL-terminated. `{NULL, 0}` is empty. */
typedef struct qeff_bytes {
    const uint8_t *data;
    size_t size;
} qeff_bytes;

/** Borrowed UTF-8 text; not NUL-terminated, may hold NUL. `{NULL, 0}` is empty. */
typedef struct qeff_str {
    const char *data;
    size_t size; /**< bytes */
} qeff_str;

/** Element types, and their safetensors and ONNX counterparts. */
typedef enum qeff_dtype {
    QEFF_DTYPE_NONE = 0,
    QEFF_DTYPE_F64,
    QEFF_DTYPE_F32,
    QEFF_DTYPE_F16,
    QEFF_DTYPE_BF16,
    QEFF_DTYPE_I64,
    QEFF_DTYPE_I32,
    QEFF_DTYPE_I16,
    QEFF_DTYPE_I8,
    QEFF_DTYPE_U64,
    QEFF_DTYPE_U32,
    QEFF_DTYPE_U16,
    QEFF_DTYPE_U8,
    QEFF_DTYPE_BOOL,
    QEFF_DTYPE_F8_E4M3,
    QEFF_DTYPE_F8_E5M2,
    QEFF_DTYPE_COUNT
} qeff_dtype;

/** Bytes an element takes; 0 for QEFF_DTYPE_NONE. */
QEFF_API size_t qeff_dtype_size(qeff_dtype dtype);

/** Lower-case name: "f32", "i64"; "none" for QEFF_DTYPE_NONE. Never NULL. */
QEFF_API const char *qeff_dtype_name(qeff_dtype dtype);

/** Most dimensions a tensor may have. */
enum { QEFF_MAX_RANK = 8 };

/** Memory as the library gets it. All three are called with `ctx`; `allocate` and `reallocate`
 * return NULL when there is none. Must be thread-safe. */
typedef struct qeff_allocator {
    void *(*allocate)(void *ctx, size_t size);
    void *(*reallocate)(void *ctx, void *block, size_t size);
    void (*deallocate)(void *ctx, void *block); /**< NULL blocks are never passed */
    void *ctx;
} qeff_allocator;

/** Replaces the process-wide allocator; NULL restores malloc, realloc and free.
 *
 * Call it before anything else of the library, from one thread: a block must go back to the
 * allocator it came from. The struct is copied. */
QEFF_API void qeff_allocator_set(const qeff_allocator *allocator);

/** Files as the library reaches them. Each entry behaves as the POSIX call of its name and
 * reports failure by returning -1 (map: NULL) and storing a positive errno value in `*error`.
 * The table exists so that faults can be injected and other stores plugged in. */
typedef struct qeff_io {
    int (*open)(void *ctx, const char *path, int flags, unsigned mode, int *error);
    int (*close)(void *ctx, int fd, int *error);
    int64_t (*read)(void *ctx, int fd, void *buffer, size_t size, int *error);
    int64_t (*write)(void *ctx, int fd, const void *data, size_t size, int *error);
    int64_t (*copy)(void *ctx, int to, int from, int64_t offset, size_t size, int *error);
    int (*stat)(void *ctx, int fd, int64_t *size, bool *is_regular, int *error);
    void *(*map)(void *ctx, int fd, size_t size, int *error); /**< read-only, private */
    void (*unmap)(void *ctx, void *data, size_t size);
    int (*sync)(void *ctx, int fd, int *error);
    int (*rename)(void *ctx, const char *from, const char *to, int *error);
    int (*unlink)(void *ctx, const char *path, int *error);
    int (*mkdir)(void *ctx, const char *path, unsigned mode, int *error);
    int (*rmdir)(void *ctx, const char *path, int *error);
    int (*lock)(void *ctx, int fd, bool wait, int *error); /**< exclusive, whole file, advisory */
    void *ctx;
} qeff_io;

/** Replaces the process-wide file table; NULL restores the system's. Same rule of use as
 * qeff_allocator_set(). The struct is copied. */
QEFF_API void qeff_io_set(const qeff_io *io);

/** The file table in force; never NULL, and with every entry set. */
QEFF_API const qeff_io *qeff_io_get(void);

/** Receives progress of long work. `done` of `total` units (bytes or items); `total` is 0 where it
 * is not known. `phase` is a short lower-case phrase such as "compiling". Called on the thread
 * that called the library. */
typedef struct qeff_progress {
    void (*report)(void *ctx, const char *phase, uint64_t done, uint64_t total);
    void *ctx;
} qeff_progress;

/** Version of the library as "major.minor.patch". */
QEFF_API const char *qeff_version(void);

/** Name of the fastest instruction-set level the CPU kernels use here: "scalar", "avx2", …
 * The environment variable QEFF_CPU forces a lower one; this reports what is in force. */
QEFF_API const char *qeff_cpu_level(void);

#ifdef __cplusplus
}
#endif
#endif /* QEFF_BASE_H */
