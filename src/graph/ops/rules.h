/* rules.h - the rules that ops.def names, and what they share. Only the files in this folder and
 * op.c include it. */
#ifndef GRAPH_OPS_RULES_H
#define GRAPH_OPS_RULES_H

#include "base/error.h"
#include "base/span.h"
#include "graph/op.h"

/* --- shape rules, by family ---------------------------------------------------------------------
 */

qeff_status qeff_shape_broadcast(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_power(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_compare(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_logical(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_where(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_same(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_same_float(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_cast(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_matmul(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_gemm(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_linear(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_softmax(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_layer_norm(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_rms_norm(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_reduce(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_arg_max(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_cum_sum(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_transpose(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_reshape(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_flatten(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_squeeze(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_unsqueeze(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_concat(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_split(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_slice(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_gather(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_gather_elements(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_expand(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_shape(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_constant_of_shape(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_range(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_attention(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_position_ids(qeff_op_call *call, qeff_error *err);
qeff_status qeff_shape_pool(qeff_op_call *call, qeff_error *err);

/* --- decompositions ------------------------------------------------------------------------------
 */

qeff_value qeff_decompose_linear(qeff_builder *b, const qeff_node *node, const qeff_value *inputs);
qeff_value qeff_decompose_gelu(qeff_builder *b, const qeff_node *node, const qeff_value *inputs);
qeff_value qeff_decompose_silu(qeff_builder *b, const qeff_node *node, const qeff_value *inputs);
qeff_value
qeff_decompose_attention(qeff_builder *b, const qeff_node *node, const qeff_value *inputs);
qeff_value
qeff_decompose_position_ids(qeff_builder *b, const qeff_node *node, const qeff_value *inputs);
qeff_value qeff_decompose_pool(qeff_builder *b, const qeff_node *node, const qeff_value *inputs);
qeff_value
qeff_decompose_rms_norm(qeff_builder *b, const qeff_node *node, const qeff_value *inputs);
qeff_value
qeff_decompose_l2_normalize(qeff_builder *b, const qeff_node *node, const qeff_value *inputs);

/* --- operands of a rule
 * --------------------------------------------------------------------------- */

static const qeff_dim rule_unknown_dim = {-1, NULL};

bool qeff_rule_has(const qeff_op_call *call, size_t i);
/** Shape of an operand that is there. */
const qeff_shape *qeff_rule_shape(const qeff_op_call *call, size_t i);
qeff_dtype qeff_rule_dtype(const qeff_op_call *call, size_t i);

/** The one dtype of operands [first, last); absent ones do not count. Short float weights take the
 * dtype of the results they meet. */
qeff_status qeff_rule_common_dtype(const qeff_op_call *call, size_t first, size_t last,
                                   qeff_dtype *dtype, qeff_error *err);
/** Fails where the operand is of another dtype class. */
qeff_status qeff_rule_expect_float(qeff_dtype dtype, size_t operand, qeff_error *err);
qeff_status qeff_rule_expect_integer(const qeff_op_call *call, size_t i, qeff_error *err);
qeff_status qeff_rule_expect_rank(const qeff_op_call *call, size_t i, size_t rank, qeff_error *err);
qeff_status qeff_rule_expect_one_element(const qeff_op_call *call, size_t i, qeff_error *err);

/** Counts negative axes from the end; fails outside [-rank, rank). */
qeff_status qeff_rule_axis(int64_t axis, size_t rank, size_t *out, qeff_error *err);
/** Constant integers of an operand: lists of axes and the like. */
qeff_status qeff_rule_constants(const qeff_op_call *call, size_t i,
                                int64_t out[QEFF_KNOWN_ELEMENTS_MAX], size_t *n, qeff_error *err);

/** Whether two dims can be equal at run time, and the better known of the two. */
qeff_status
qeff_rule_match(qeff_dim a, qeff_dim b, const char *what, qeff_dim *out, qeff_error *err);
/** numpy's rule. Two names that differ give a dim of its own. */
qeff_status
qeff_rule_broadcast(const qeff_shape *a, const qeff_shape *b, qeff_shape *out, qeff_error *err);

/** Sets the only output. */
qeff_status qeff_rule_output(qeff_op_call *call, qeff_dtype dtype, qeff_shape shape);

/* --- parts of a decomposition
 * ---------------------------------------------------------------------- */

/** A primitive called "<node>/<operator>"; with `is_last` it has the name of the composite. */
qeff_value qeff_part(qeff_builder *b, const qeff_node *node, qeff_op op, const qeff_value *inputs,
                     size_t n_inputs, const qeff_attribute *attributes, size_t n_attributes);
qeff_value
qeff_part_last(qeff_builder *b, const qeff_node *node, qeff_op op, const qeff_value *inputs,
               size_t n_inputs, const qeff_attribute *attributes, size_t n_attributes);
qeff_value qeff_part_unary(qeff_builder *b, const qeff_node *node, qeff_op op, qeff_value x);
qeff_value
qeff_part_binary(qeff_builder *b, const qeff_node *node, qeff_op op, qeff_value x, qeff_value y);
/** Reshape, unsqueeze, squeeze, expand, reduce_sum: a second operand of constant integers. */
qeff_value qeff_part_with_ints(qeff_builder *b, const qeff_node *node, qeff_op op, qeff_value x,
                               const int64_t *ints, size_t n);
qeff_value qeff_part_transpose(qeff_builder *b, const qeff_node *node, qeff_value x,
                               const int64_t *perm, size_t n);
qeff_value qeff_part_cast(qeff_builder *b, const qeff_node *node, qeff_value x, qeff_dtype to);
/** Constants called "<node>/<name>". */
qeff_value qeff_part_scalar(qeff_builder *b, const qeff_node *node, const char *name, float value);
qeff_value qeff_part_ints(qeff_builder *b, const qeff_node *node, const char *name,
                          const int64_t *values, size_t n);
qeff_value qeff_part_int(qeff_builder *b, const qeff_node *node, const char *name, int64_t value);
/** A weight cast to the dtype that rules take `x` for; as it is where it has it. */
qeff_value qeff_part_like(qeff_builder *b, const qeff_node *node, qeff_value weight, qeff_value x);

#endif /* GRAPH_OPS_RULES_H */
