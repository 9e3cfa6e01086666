/* inspect.h - inside qeff_inspect(): one describer a kind of file, all writing the same JSON. */
#ifndef API_INSPECT_H
#define API_INSPECT_H

#include "base/buffer.h"
#include "formats/weights.h"
#include "graph/graph.h"

/** Each appends the members of the object for its kind, "kind" first, without braces. Messages
 * start with the path. */
qeff_status qeff_inspect_model(const char *path, qeff_buffer *out, qeff_error *err);
qeff_status qeff_inspect_safetensors(const char *path, qeff_buffer *out, qeff_error *err);
qeff_status qeff_inspect_shards(const char *path, qeff_buffer *out, qeff_error *err);
qeff_status qeff_inspect_onnx(const char *path, qeff_buffer *out, qeff_error *err);
qeff_status qeff_inspect_tokenizer(const char *path, qeff_buffer *out, qeff_error *err);
qeff_status qeff_inspect_program(const char *path, qeff_buffer *out, qeff_error *err);

/** Members and elements; a comma is put where one is needed. `key` NULL: an element of a list.
 * Nothing is written for a string whose data is NULL. */
void qeff_inspect_str(qeff_buffer *out, const char *key, qeff_str value);
void qeff_inspect_int(qeff_buffer *out, const char *key, int64_t value);
void qeff_inspect_real(qeff_buffer *out, const char *key, double value);
void qeff_inspect_bool(qeff_buffer *out, const char *key, bool value);
/** Text that is JSON already. */
void qeff_inspect_json(qeff_buffer *out, const char *key, qeff_str json);
/** `bracket` is `{` or `[`; the same with `}` or `]` ends it. */
void qeff_inspect_begin(qeff_buffer *out, const char *key, char bracket);
void qeff_inspect_end(qeff_buffer *out, char bracket);

/** An element {"name", "dtype", "shape", "bytes"}. */
void qeff_inspect_view(qeff_buffer *out, const qeff_tensor_view *tensor);
/** An element {"name", "dtype", "shape"}, where named dims stand as strings and unknown ones as
 * null. */
void qeff_inspect_value(qeff_buffer *out, qeff_str name, qeff_dtype dtype, const qeff_shape *shape);

/** Elements and bytes of all tensors together. */
typedef struct qeff_inspect_sum {
    uint64_t parameters, bytes;
} qeff_inspect_sum;
void qeff_inspect_add(qeff_inspect_sum *sum, const qeff_weights *weights);
/** Writes "parameters" and "bytes". */
void qeff_inspect_total(qeff_buffer *out, const qeff_inspect_sum *sum);

#endif /* API_INSPECT_H */
