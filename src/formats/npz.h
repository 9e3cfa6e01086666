/* npz.h - named arrays in one file, as numpy.savez writes them: a zip archive whose members are
 * .npy files, stored without compression. */
#ifndef FORMATS_NPZ_H
#define FORMATS_NPZ_H

#include "formats/npy.h"

typedef struct qeff_npz qeff_npz;

/** Maps an archive, checks its directory against the members, and their checksums; the arrays stay
 * in the mapping, at any alignment.
 * @return QEFF_ERR_NOT_FOUND, QEFF_ERR_IO, QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED (a compressed or
 *         encrypted member, an element type or order that qeff_npy_parse() refuses), with hints,
 *         QEFF_ERR_NO_MEMORY */
qeff_status qeff_npz_open(const char *path, qeff_npz **out, qeff_error *err);
/** NULL is allowed. */
void qeff_npz_close(qeff_npz *npz);

size_t qeff_npz_count(const qeff_npz *npz);
/** In the order of the file; `index` < count. The name lacks ".npy". Valid until the archive is
 * closed. */
const qeff_array *qeff_npz_at(const qeff_npz *npz, size_t index);
/** NULL where there is none. */
const qeff_array *qeff_npz_find(const qeff_npz *npz, qeff_str name);

/** Writes an archive atomically. The same arrays in the same order give the same bytes, without any
 * time; the data of each begins at a multiple of 64 bytes in the file.
 * @return QEFF_ERR_INVALID (a name twice, or no name for a member, or data that does not fit its
 *         shape), QEFF_ERR_UNSUPPORTED (an element type numpy lacks), QEFF_ERR_IO,
 *         QEFF_ERR_NO_SPACE, QEFF_ERR_NO_MEMORY */
qeff_status
qeff_npz_write(const char *path, const qeff_array *arrays, size_t count, qeff_error *err);

#endif /* FORMATS_NPZ_H */
