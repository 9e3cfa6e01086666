/* hash.c - the digest of a graph: structure, names, attributes, and the bytes of all weights.
 *
 * Numbers are fed as 64-bit little-endian, text with its length, so that no two graphs feed the
 * same bytes. Weights are read in chunks, and pages of mapped files given back behind the reader.
 */
#include "base/error.h"
#include "base/file.h"
#include "base/span.h"
#include "graph/op.h"

enum { CHUNK_BYTES = 4 << 20 };

static void feed_number(qeff_hash *hash, int64_t number)
{
    uint8_t bytes[8];
    qeff_store_u64le(bytes, (uint64_t)number);
    qeff_hash_update(hash, bytes, sizeof bytes);
}

static void feed_weight(qeff_hash *hash, const qeff_value_info *info)
{
    for (size_t at = 0; at < info->data.size; at += CHUNK_BYTES) {
        const size_t left = info->data.size - at;
        const qeff_bytes chunk = {info->data.data + at, left < CHUNK_BYTES ? left : CHUNK_BYTES};
        qeff_hash_update(hash, chunk.data, chunk.size);
        if (info->source_fd >= 0) qeff_bytes_release(chunk);
    }
}

static void feed_value(qeff_hash *hash, const qeff_value_info *info)
{
    qeff_hash_update_str(hash, info->name);
    feed_number(hash, (int64_t)info->kind);
    qeff_hash_update_str(hash, qeff_str_of(qeff_dtype_name(info->dtype)));
    feed_number(hash, (int64_t)info->shape.rank);
    for (size_t i = 0; i < info->shape.rank; i++) {
        feed_number(hash, info->shape.dims[i].size);
        if (info->shape.dims[i].symbol)
            qeff_hash_update_str(hash, qeff_str_of(info->shape.dims[i].symbol));
    }
    if (info->kind == QEFF_VALUE_WEIGHT) feed_weight(hash, info);
}

static void feed_attribute(qeff_hash *hash, const qeff_attribute *a)
{
    qeff_hash_update_str(hash, qeff_str_of(a->name));
    feed_number(hash, (int64_t)a->kind);
    switch (a->kind) {
    case QEFF_ATTRIBUTE_INT:
        feed_number(hash, a->i);
        break;
    case QEFF_ATTRIBUTE_FLOAT: {
        uint64_t bits = 0;
        memcpy(&bits, &a->f, sizeof bits);
        feed_number(hash, (int64_t)bits);
        break;
    }
    case QEFF_ATTRIBUTE_INTS:
        feed_number(hash, (int64_t)a->n_ints);
        for (size_t i = 0; i < a->n_ints; i++)
            feed_number(hash, a->ints[i]);
        break;
    case QEFF_ATTRIBUTE_STR:
        qeff_hash_update_str(hash, a->s);
        break;
    }
}

static void feed_node(qeff_hash *hash, const qeff_node *node)
{
    qeff_hash_update_str(hash, qeff_str_of(qeff_op_get(node->op)->name));
    qeff_hash_update_str(hash, node->name);
    feed_number(hash, (int64_t)node->n_inputs);
    for (size_t i = 0; i < node->n_inputs; i++)
        feed_number(hash, node->inputs[i]);
    feed_number(hash, (int64_t)node->n_outputs);
    for (size_t i = 0; i < node->n_outputs; i++)
        feed_number(hash, node->outputs[i]);
    feed_number(hash, (int64_t)node->n_attributes);
    for (size_t i = 0; i < node->n_attributes; i++)
        feed_attribute(hash, &node->attributes[i]);
}

qeff_status
qeff_graph_hash(const qeff_graph *graph, uint8_t digest[QEFF_HASH_BYTES], qeff_error *err)
{
    qeff_hash hash = {0};
    qeff_hash_init(&hash);
    qeff_hash_update_str(&hash, graph->name);
    feed_number(&hash, (int64_t)graph->n_values);
    for (size_t i = 0; i < graph->n_values; i++)
        feed_value(&hash, &graph->values[i]);
    feed_number(&hash, (int64_t)graph->n_nodes);
    for (size_t i = 0; i < graph->n_nodes; i++)
        feed_node(&hash, &graph->nodes[i]);
    feed_number(&hash, (int64_t)graph->n_inputs);
    for (size_t i = 0; i < graph->n_inputs; i++)
        feed_number(&hash, graph->inputs[i]);
    feed_number(&hash, (int64_t)graph->n_outputs);
    for (size_t i = 0; i < graph->n_outputs; i++) {
        qeff_hash_update_str(&hash, graph->outputs[i].name);
        feed_number(&hash, graph->outputs[i].value);
    }
    return qeff_hash_finish(&hash, digest, err);
}
