/* weights.h - name -> tensor, over the shards of a model folder, whatever the file format. */
#ifndef FORMATS_WEIGHTS_H
#define FORMATS_WEIGHTS_H

#include "base/file.h"
#include "base/hash.h"
#include "formats/json.h"

/** A tensor inside a mapped file. Borrows from the qeff_weights it came from. */
typedef struct qeff_tensor_view {
    qeff_str name;
    qeff_dtype dtype;
    size_t rank;
    int64_t shape[QEFF_MAX_RANK];
    qeff_bytes data;       /**< row-major, little-endian; any alignment */
    const qeff_file *file; /**< the mapping it lies in */
    uint64_t file_offset;  /**< of data[0] in that file */
} qeff_tensor_view;

typedef struct qeff_weights qeff_weights;

/** Opens `folder/model.safetensors`, or the shards of `folder/model.safetensors.index.json`.
 * @return QEFF_ERR_NOT_FOUND where there is neither (a hint names what was found instead, such as
 *         pytorch_model.bin), QEFF_ERR_FORMAT, QEFF_ERR_IO, QEFF_ERR_NO_MEMORY */
qeff_status qeff_weights_open(const char *folder, qeff_weights **out, qeff_error *err);
/** Opens one .safetensors file. */
qeff_status qeff_weights_open_file(const char *path, qeff_weights **out, qeff_error *err);
/** NULL is allowed. */
void qeff_weights_close(qeff_weights *weights);

size_t qeff_weights_count(const qeff_weights *weights);
/** In the order of the names, bytewise; `index` < count. */
const qeff_tensor_view *qeff_weights_at(const qeff_weights *weights, size_t index);
/** NULL where there is none. */
const qeff_tensor_view *qeff_weights_find(const qeff_weights *weights, qeff_str name);

/** The `__metadata__` of the first file, an object of strings; missing where it has none. */
qeff_json qeff_weights_metadata(const qeff_weights *weights);

/** Feeds names, dtypes, shapes and bytes of all tensors into `hash`, in the order of the names, so
 * that sharding does not matter; releases the pages it has read. */
void qeff_weights_hash(const qeff_weights *weights, qeff_hash *hash);

#endif /* FORMATS_WEIGHTS_H */
