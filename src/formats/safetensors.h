/* safetensors.h - one .safetensors file, mapped: names, types and shapes of its tensors, and views
 * of their bytes, which are never copied. */
#ifndef FORMATS_SAFETENSORS_H
#define FORMATS_SAFETENSORS_H

#include "formats/json.h"
#include "formats/weights.h"

typedef struct qeff_safetensors qeff_safetensors;

/** Maps a file and checks every number in its header. Accepts what the reference implementation
 * (safetensors 0.8) accepts, except that these are refused too: a name or key twice, an entry
 * written as an array, a NUL in a metadata key, names over 4 KiB, more than 8 dimensions, one of
 * 2^63 or more, more than 1,000,000 tensors, metadata over 16 MiB.
 * @return QEFF_ERR_NOT_FOUND, QEFF_ERR_IO, QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED (an element type
 *         of the format that this library does not know), QEFF_ERR_NO_MEMORY */
qeff_status qeff_safetensors_open(const char *path, qeff_safetensors **out, qeff_error *err);
/** NULL is allowed. */
void qeff_safetensors_close(qeff_safetensors *safetensors);

size_t qeff_safetensors_count(const qeff_safetensors *safetensors);
/** In the order of the names, bytewise; `index` < count. Valid until the file is closed. */
const qeff_tensor_view *qeff_safetensors_at(const qeff_safetensors *safetensors, size_t index);
/** The `__metadata__` object, of strings only; missing where the file has none. */
qeff_json qeff_safetensors_metadata(const qeff_safetensors *safetensors);

#endif /* FORMATS_SAFETENSORS_H */
