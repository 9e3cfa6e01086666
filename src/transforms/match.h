/* match.h - looking at a graph backwards from a node, and the patterns that stand for composites.
 *
 * A matcher gets the last primitive of a pattern and says which composite of which operands has
 * the same result. What else uses the inner nodes does not matter: they stay where they are needed.
 * Matchers look at a bounded number of nodes. */
#ifndef TRANSFORMS_MATCH_H
#define TRANSFORMS_MATCH_H

#include "graph/graph.h"

typedef struct qeff_match {
    qeff_op op;
    qeff_value inputs[4];
    size_t n_inputs;
    qeff_attribute attributes[2];
    size_t n_attributes;
    bool transposes_weight; /**< inputs[1] is a constant [K, M] whose transpose is the operand */
} qeff_match;

typedef struct qeff_matching {
    const qeff_graph *graph;
    uint8_t *tables; /**< [n_values] what is known of constants: 1 counts up from 0, 2 does not */
} qeff_matching;

/** Attempts are made in the order of the list in recompose.c. */
typedef bool (*qeff_matcher)(qeff_matching *m, const qeff_node *root, qeff_match *out);

bool qeff_match_linear(qeff_matching *m, const qeff_node *root, qeff_match *out);
bool qeff_match_gemm(qeff_matching *m, const qeff_node *root, qeff_match *out);
bool qeff_match_gelu(qeff_matching *m, const qeff_node *root, qeff_match *out);
bool qeff_match_silu(qeff_matching *m, const qeff_node *root, qeff_match *out);
bool qeff_match_attention(qeff_matching *m, const qeff_node *root, qeff_match *out);
bool qeff_match_position_ids(qeff_matching *m, const qeff_node *root, qeff_match *out);
bool qeff_match_layer_norm(qeff_matching *m, const qeff_node *root, qeff_match *out);
bool qeff_match_rms_norm(qeff_matching *m, const qeff_node *root, qeff_match *out);
bool qeff_match_l2_normalize(qeff_matching *m, const qeff_node *root, qeff_match *out);
bool qeff_match_pool_token(qeff_matching *m, const qeff_node *root, qeff_match *out);
bool qeff_match_pool_max(qeff_matching *m, const qeff_node *root, qeff_match *out);
bool qeff_match_pool_mean(qeff_matching *m, const qeff_node *root, qeff_match *out);

/* --- looking ------------------------------------------------------------------------------------
 */

/** The node that makes the value, where it is of this op; else NULL. */
const qeff_node *qeff_match_producer(const qeff_graph *g, qeff_value value, qeff_op op);
const qeff_shape *qeff_match_shape(const qeff_graph *g, qeff_value value);
/** A constant of one element that is within 1e-6 of `expected`, relatively. */
bool qeff_match_is_scalar(const qeff_graph *g, qeff_value value, double expected);
/** The operand of a commutative node beside the constant `expected`; or QEFF_VALUE_NONE. */
qeff_value qeff_match_beside_scalar(const qeff_graph *g, const qeff_node *node, double expected);
/** The same for a value that is made by an op: `op(x, expected)` or `op(expected, x)`. */
qeff_value
qeff_match_with_scalar(const qeff_graph *g, qeff_value value, qeff_op op, double expected);
/** Behind a cast from f16 or bf16 to f32 of a weight: the weight; else the value itself. */
qeff_value qeff_match_weight(const qeff_graph *g, qeff_value value);
/** Whether the node reduces, or works on, this one axis, counted from 0. */
bool qeff_match_reduces(const qeff_graph *g, const qeff_node *node, size_t axis);
bool qeff_match_has_axis(const qeff_graph *g, const qeff_node *node, int64_t fallback, size_t axis);
bool qeff_match_has_perm(const qeff_node *node, const int64_t *perm, size_t n);
/** The mask behind casts, unsqueezes, expands: the first [B, T] of integers or bools, or
 * QEFF_VALUE_NONE. */
qeff_value qeff_match_mask(const qeff_graph *g, qeff_value value);
/** What is behind unsqueezes, expands and identities. */
qeff_value qeff_match_strip_views(const qeff_graph *g, qeff_value value);

#endif /* TRANSFORMS_MATCH_H */
