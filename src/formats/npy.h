/* npy.h - numpy's format of one array: reading in place, and writing what numpy.save would write.
 */
#ifndef FORMATS_NPY_H
#define FORMATS_NPY_H

#include "base/buffer.h"
#include "base/file.h"

/** A dense row-major little-endian array. Borrows name and data. */
typedef struct qeff_array {
    qeff_str name; /**< empty for a single .npy file */
    qeff_dtype dtype;
    size_t rank;
    int64_t shape[QEFF_MAX_RANK];
    qeff_bytes data; /**< any alignment */
} qeff_array;

/** Reads the array in `bytes`, whole files of version 1, 2 or 3; the data stays where it is. The
 * name is left alone.
 * @return QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED (big-endian, object, structured or text elements,
 *         Fortran order) with a hint */
qeff_status qeff_npy_parse(qeff_bytes bytes, qeff_array *array, qeff_error *err);

/** A .npy file, mapped. Zero-initialise. */
typedef struct qeff_npy {
    qeff_file file;
    qeff_array array;
} qeff_npy;

/** Maps and reads a file; messages start with its path. Nothing is to be closed on failure. */
qeff_status qeff_npy_open(const char *path, qeff_npy *out, qeff_error *err);
void qeff_npy_close(qeff_npy *npy);

/** Appends the header, a multiple of 64 bytes in version 1, after which the data follows.
 * @return QEFF_ERR_UNSUPPORTED where numpy has no such element type, QEFF_ERR_INVALID where the
 *         data does not have the size of the shape, QEFF_ERR_NO_MEMORY */
qeff_status qeff_npy_write_header(const qeff_array *array, qeff_buffer *out, qeff_error *err);

#endif /* FORMATS_NPY_H */
