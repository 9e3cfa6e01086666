/* qpc.h - the program container: named images in one file, `programqpc.bin`, in the QPC layout of
 * Cloud AI 100.
 *
 *   0  u32 magic 0x00A1CD7C | u8 major 0 | u8 minor 1 | u16 compression 1
 *   8  u64 size | u64 base 0 | u64 n_images | u64 offset of the table (40)
 *   40 n_images x { u64 size, u64 offset, u64 name, u64 start }
 *   .. names, NUL-terminated, each 8-aligned; then data, each aligned to 64 bytes
 *
 * Little-endian. `offset` counts the leading static bytes of constants.bin and is 0 elsewhere. */
#ifndef FORMATS_QPC_H
#define FORMATS_QPC_H

#include "base/file.h"

enum { QEFF_QPC_IMAGES_MAX = 64 };

typedef struct qeff_qpc qeff_qpc;

/** Maps a container and checks every number in it: bounds, overlap, names, alignment.
 * @return QEFF_ERR_NOT_FOUND, QEFF_ERR_FORMAT, QEFF_ERR_IO, QEFF_ERR_NO_MEMORY */
qeff_status qeff_qpc_open(const char *path, qeff_qpc **out, qeff_error *err);
void qeff_qpc_close(qeff_qpc *qpc);

size_t qeff_qpc_count(const qeff_qpc *qpc);
/** Name of image `index` < count; valid while the container is open. */
qeff_str qeff_qpc_name(const qeff_qpc *qpc, size_t index);
/** Bytes of an image, mapped, 64-byte aligned; false where there is none of that name. */
bool qeff_qpc_find(const qeff_qpc *qpc, const char *name, qeff_bytes *out);

/** Writes a container. Sizes are declared first, since the table precedes the data; the data is
 * then appended image by image, in the declared order. Errors are sticky. Zero-initialise. */
typedef struct qeff_qpc_writer {
    qeff_writer file;
    size_t n_images;
    size_t current; /**< image being appended */
    uint64_t sizes[QEFF_QPC_IMAGES_MAX];
    uint64_t starts[QEFF_QPC_IMAGES_MAX];
    uint64_t n_appended; /**< bytes of the current image so far */
    qeff_status status;
    qeff_error error;
} qeff_qpc_writer;

typedef struct qeff_qpc_image {
    const char *name;
    uint64_t size;
} qeff_qpc_image;

/** Opens `path` for atomic writing and writes header, table and names. */
qeff_status qeff_qpc_writer_open(qeff_qpc_writer *writer, const char *path,
                                 const qeff_qpc_image *images, size_t n_images, qeff_error *err);
/** Appends to the current image; the next image begins when it is full. */
void qeff_qpc_writer_append(qeff_qpc_writer *writer, const void *data, size_t size);
/** Fails with QEFF_ERR_INTERNAL unless every declared byte was appended. Closes the writer. */
qeff_status qeff_qpc_writer_commit(qeff_qpc_writer *writer, qeff_error *err);
void qeff_qpc_writer_abort(qeff_qpc_writer *writer);

#endif /* FORMATS_QPC_H */
