/* builder.h - writing a graph, one call a node.
 *
 * Errors are sticky: after a failure every call returns QEFF_VALUE_NONE and does nothing, and
 * qb_finish() reports the first one. Missing and mis-shaped weights are collected, and reported
 * as one error that lists them. Shapes are inferred by the op's rule as nodes are added.
 *
 * Never nest two builder calls in one argument list: C leaves their order open, and with it the
 * numbering of nodes. */
#ifndef GRAPH_BUILDER_H
#define GRAPH_BUILDER_H

#include "formats/weights.h"
#include "graph/graph.h"

typedef struct qeff_builder qeff_builder;

/** @param weights  where qb_weight() looks names up; may be NULL. Must outlive the graph. */
qeff_status
qb_create(const char *graph_name, const qeff_weights *weights, qeff_builder **out, qeff_error *err);
/** Drops the builder and what was built; NULL is allowed. */
void qb_destroy(qeff_builder *b);
/** Verifies and hands the graph over; the builder is destroyed either way. */
qeff_status qb_finish(qeff_builder *b, qeff_graph **out, qeff_error *err);

/** Prefix that the checkpoint puts before every name, such as "bert."; default "". A tensor is
 * looked up with the prefix; graph names do not carry it. */
void qb_set_weight_prefix(qeff_builder *b, const char *prefix);
/** Looks names up in another checkpoint from here on (a Dense module has a file of its own). */
void qb_set_weights(qeff_builder *b, const qeff_weights *weights);

/** Scopes make names follow the module path: "encoder.layer.0.attention". */
void qb_enter(qeff_builder *b, const char *format, ...) QEFF_PRINTF(2, 3);
void qb_leave(qeff_builder *b);

/** Records an error of the caller's; the first one stays. */
void qb_fail(qeff_builder *b, qeff_status code, const char *format, ...) QEFF_PRINTF(3, 4);
bool qb_has_failed(const qeff_builder *b);

/** The graph so far, for looking at shapes and dtypes. */
const qeff_graph *qb_graph(const qeff_builder *b);

/** Dims may have any name without '#', which marks those that only run time can tell; a size below
 * 0 without a name gives such a dim. */
qeff_value qb_input(qeff_builder *b, const char *name, qeff_dtype dtype, const qeff_shape *shape);
/** Marks a value as a graph output under the name the user sees. */
void qb_output(qeff_builder *b, const char *name, qeff_value value);

/** A checkpoint tensor `scope.name` that must have exactly this shape. Float weights keep the
 * dtype of the file (f32, f16, bf16); rules treat them as f32. Asking twice gives the same
 * value. */
qeff_value qb_weight(qeff_builder *b, const char *name, size_t rank, const int64_t *shape);
/** Whether the checkpoint has `scope.name`. */
bool qb_has_weight(const qeff_builder *b, const char *name);
/** A constant of the graph's own; the data is copied. `name` may be NULL; so may `data`: the
 * elements are 0 then. */
qeff_value qb_constant(qeff_builder *b, const char *name, qeff_dtype dtype, size_t rank,
                       const int64_t *shape, const void *data);
/** The bytes of a constant of the graph's own, to be filled in before anything uses it; NULL after
 * a failure. */
uint8_t *qb_constant_bytes(qeff_builder *b, qeff_value constant);
qeff_value qb_scalar_f32(qeff_builder *b, float value);
qeff_value qb_ints(qeff_builder *b, const int64_t *values, size_t n); /**< i64 [n] */
/** A weight that borrows `data`, which must outlive the graph; source_fd may be -1. */
qeff_value qb_borrowed(qeff_builder *b, const qeff_value_info *info);

/** Any node: arity and attributes are checked against ops.def, shapes inferred. The node and its
 * first output are called `scope.name`, or `scope.<op>` where name is NULL; "_1", "_2", … is added
 * to a name that is taken. Returns the first output; further ones follow it (value + 1, …) and
 * are called "<first>:1", "<first>:2", …. Absent inputs at the end are dropped. */
qeff_value qb_node(qeff_builder *b, qeff_op op, const char *name, const qeff_value *inputs,
                   size_t n_inputs, const qeff_attribute *attributes, size_t n_attributes);
qeff_value qb_unary(qeff_builder *b, qeff_op op, qeff_value x);
qeff_value qb_binary(qeff_builder *b, qeff_op op, qeff_value x, qeff_value y);

/* --- modules: `name` is the submodule that holds the weights ------------------------------- */

/** Rows of `name.weight` [n_rows, H] picked by ids: [B, T] -> [B, T, H]. */
qeff_value
qb_embedding(qeff_builder *b, const char *name, qeff_value ids, int64_t n_rows, int64_t hidden);
/** x W^T + b with `name.weight` [n_out, n_in] and, where `has_bias`, `name.bias` [n_out]. */
qeff_value qb_linear(qeff_builder *b, const char *name, qeff_value x, int64_t n_out, bool has_bias);
/** Over the last dimension, with `name.weight` and `name.bias` [H]. */
qeff_value qb_layer_norm(qeff_builder *b, const char *name, qeff_value x, double eps);

/* --- composites without weights ------------------------------------------------------------ */

/** GELU, exact (erf) or by tanh. */
qeff_value qb_gelu(qeff_builder *b, qeff_value x, bool by_tanh);
/** softmax(q k^T * scale + mask) v by heads. q, k, v [B, T, H]; mask [B, T] i64, 1 = attend;
 * result [B, T, H]. */
qeff_value qb_attention(qeff_builder *b, qeff_value q, qeff_value k, qeff_value v, qeff_value mask,
                        int64_t n_heads, double scale);
/** 0, 1, 2, … along the sequence: ids [B, T] -> [1, T] i64. */
qeff_value qb_position_ids(qeff_builder *b, qeff_value ids, int64_t n_positions);
/** One vector a sequence: x [B, T, H], mask [B, T] -> [B, H].
 * @param mode  "cls" (first token with mask 1), "max", "mean" (sum / max(count, 1e-9)),
 *              "mean_sqrt_len_tokens", "weightedmean" (weight: position + 1), "lasttoken" */
qeff_value qb_pool(qeff_builder *b, qeff_value x, qeff_value mask, const char *mode);
/** x / max(||x||, eps) over the last dimension; a zero vector stays zero. */
qeff_value qb_l2_normalize(qeff_builder *b, qeff_value x, double eps);
/** An activation by its Hugging Face name: "gelu", "gelu_new", "relu", "silu", "tanh", …; fails
 * with QEFF_ERR_UNSUPPORTED naming it. "identity" returns x. */
qeff_value qb_activation(qeff_builder *b, const char *name, qeff_value x);

#endif /* GRAPH_BUILDER_H */
