/* fp16_clip.c - weights cut to the range of f16, for targets that compute in it.
 *
 *   y = min(max(x, -65504), 65504); -inf and NaN stay as they are
 * -inf stays since masks use it, and every target has it. Reference: FP16ClipTransform of
 * efficient-transformers, QEfficient/base/onnx_transforms.py. Weights are read in chunks, and the
 * pages of mapped files given back behind the reader. */
#include "transforms/transforms.h"

#include "base/error.h"
#include "base/file.h"
#include "base/span.h"
#include "graph/rewrite.h"

enum { CHUNK_BYTES = 4 << 20 };

static const uint32_t sign_bit = UINT32_C(0x80000000);
static const uint32_t infinity_bits = UINT32_C(0x7f800000);
static const uint32_t limit_bits = UINT32_C(0x477fe000); /* 65504.0f */

/* Magnitudes of floats are in the order of their bits; NaNs come behind infinity. */
static bool is_clipped(uint32_t bits)
{
    const uint32_t magnitude = bits & ~sign_bit;
    return magnitude > limit_bits && magnitude <= infinity_bits &&
           bits != (sign_bit | infinity_bits);
}

static bool chunk_is_clipped(const uint8_t *data, size_t n)
{
    bool is_large = false; /* the loop without a branch is the one that vectorises */
    for (size_t i = 0; i < n; i++)
        is_large |= (qeff_load_u32le(data + 4 * i) & ~sign_bit) > limit_bits;
    for (size_t i = 0; is_large && i < n; i++)
        if (is_clipped(qeff_load_u32le(data + 4 * i))) return true;
    return false;
}

static qeff_bytes chunk_at(const qeff_value_info *info, size_t at)
{
    const size_t left = info->data.size - at;
    return (qeff_bytes){info->data.data + at, left < CHUNK_BYTES ? left : CHUNK_BYTES};
}

static bool weight_is_clipped(const qeff_value_info *info)
{
    bool found = false;
    if (info->dtype != QEFF_DTYPE_F32) return false;
    for (size_t at = 0; at < info->data.size && !found; at += CHUNK_BYTES) {
        const qeff_bytes chunk = chunk_at(info, at);
        found = chunk_is_clipped(chunk.data, chunk.size / 4);
        if (info->source_fd >= 0) qeff_bytes_release(chunk);
    }
    return found;
}

static void clip_chunk(uint8_t *to, qeff_bytes chunk)
{
    for (size_t i = 0; i + 4 <= chunk.size; i += 4) {
        const uint32_t bits = qeff_load_u32le(chunk.data + i);
        qeff_store_u32le(to + i, is_clipped(bits) ? limit_bits | (bits & sign_bit) : bits);
    }
}

static void add_weight(qeff_rewrite *rw, qeff_value old)
{
    int64_t shape[QEFF_MAX_RANK];
    const qeff_value_info *info = &rw->in->values[old];
    if (rw->map[old] != QEFF_VALUE_NONE || !weight_is_clipped(info)) return;
    for (size_t i = 0; i < info->shape.rank; i++)
        shape[i] = info->shape.dims[i].size;
    const qeff_value value =
        qb_constant(rw->b, info->name.data, info->dtype, info->shape.rank, shape, NULL);
    uint8_t *bytes = qb_constant_bytes(rw->b, value);
    for (size_t at = 0; bytes && at < info->data.size; at += CHUNK_BYTES) {
        const qeff_bytes chunk = chunk_at(info, at);
        clip_chunk(bytes + at, chunk);
        if (info->source_fd >= 0) qeff_bytes_release(chunk);
    }
    qeff_rewrite_set(rw, old, value);
}

qeff_status qeff_transform_fp16_clip(const qeff_graph *in, qeff_graph **out, qeff_error *err)
{
    qeff_rewrite rw;
    *out = NULL;
    QEFF_TRY(qeff_rewrite_begin(&rw, in, err));
    for (size_t i = 0; i < in->n_nodes && !qb_has_failed(rw.b); i++) {
        const qeff_node *node = &in->nodes[i];
        for (size_t k = 0; k < node->n_inputs; k++)
            if (qeff_graph_is_weight(in, node->inputs[k])) add_weight(&rw, node->inputs[k]);
        qeff_rewrite_copy(&rw, node);
    }
    for (size_t i = 0; i < in->n_outputs; i++)
        if (qeff_graph_is_weight(in, in->outputs[i].value)) add_weight(&rw, in->outputs[i].value);
    return qeff_rewrite_finish(&rw, out, err);
}
