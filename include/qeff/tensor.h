/* qeff/tensor.h - named arrays in memory, and the numpy files they come from and go to. */
#ifndef QEFF_TENSOR_H
#define QEFF_TENSOR_H

#include <qeff/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A dense row-major array in native byte order. Borrows its name and data. */
typedef struct qeff_tensor {
    const char *name;
    qeff_dtype dtype;
    size_t rank;
    int64_t shape[QEFF_MAX_RANK]; /**< [rank]; each >= 0 */
    void *data;                   /**< never written to where the tensor is an input */
} qeff_tensor;

/** A list of tensors that owns names and data. */
typedef struct qeff_tensors {
    size_t count;
    qeff_tensor *items; /**< [count] */
} qeff_tensors;

/** Releases the list and all it owns. NULL is allowed. */
QEFF_API void qeff_tensors_destroy(qeff_tensors *tensors);

/** The tensor of that name, or NULL. Borrows from the list. */
QEFF_API const qeff_tensor *qeff_tensors_find(const qeff_tensors *tensors, const char *name);

/** Reads the arrays of a .npz file as numpy.savez writes it (stored, not compressed).
 * @return QEFF_ERR_NOT_FOUND, QEFF_ERR_IO, QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED (compressed
 *         member, Fortran order, object arrays), QEFF_ERR_NO_MEMORY */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_tensors_read_npz(const char *path, qeff_tensors **out,
                                                           qeff_error *err);

/** Writes a .npz file, atomically; the same tensors give the same bytes.
 * @return QEFF_ERR_IO, QEFF_ERR_NO_SPACE, QEFF_ERR_NO_MEMORY, QEFF_ERR_INVALID (a name twice) */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_tensors_write_npz(const char *path,
                                                            const qeff_tensor *tensors,
                                                            size_t count, qeff_error *err);

/** Encodes one tensor as a .npy file in memory; release `*data` with qeff_release(). */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_tensor_encode_npy(const qeff_tensor *tensor,
                                                            uint8_t **data, size_t *size,
                                                            qeff_error *err);

/** Writes a whole file atomically: it appears complete under `path`, or not at all. */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_file_save(const char *path, const void *data, size_t size,
                                                    qeff_error *err);

/** Releases a block that the library handed over as such. NULL is allowed. */
QEFF_API void qeff_release(void *block);

#ifdef __cplusplus
}
#endif
#endif /* QEFF_TENSOR_H */
