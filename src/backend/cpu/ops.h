/* ops.h - the functions that run ops, by the file they are in. */
#ifndef BACKEND_CPU_OPS_H
#define BACKEND_CPU_OPS_H

#include "backend/cpu/interpret.h"

/* ops_elementwise.c */
qeff_status qeff_run_binary(qeff_op_run *r, qeff_error *err); /* add sub mul div, compare, logic */
qeff_status qeff_run_power(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_extremum(qeff_op_run *r, qeff_error *err); /* min max of many */
qeff_status qeff_run_where(qeff_op_run *r, qeff_error *err);
/* ops_unary.c */
qeff_status qeff_run_not(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_sign(qeff_op_run *r, qeff_error *err); /* neg abs */
qeff_status qeff_run_function(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_activation(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_clip(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_cast(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_identity(qeff_op_run *r, qeff_error *err);
/* ops_product.c */
qeff_status qeff_run_matmul(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_gemm(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_linear(qeff_op_run *r, qeff_error *err);
/* ops_reduce.c */
qeff_status qeff_run_reduce(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_arg_max(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_cum_sum(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_softmax(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_layer_norm(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_rms_norm(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_l2_normalize(qeff_op_run *r, qeff_error *err);
/* ops_layout.c */
qeff_status qeff_run_transpose(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_reshape_op(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_flatten(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_squeeze(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_unsqueeze(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_concat(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_split(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_slice(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_expand(qeff_op_run *r, qeff_error *err);
/* ops_index.c */
qeff_status qeff_run_gather(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_gather_elements(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_shape(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_constant_of_shape(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_range(qeff_op_run *r, qeff_error *err);
/* ops_model.c */
qeff_status qeff_run_attention(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_position_ids(qeff_op_run *r, qeff_error *err);
qeff_status qeff_run_pool(qeff_op_run *r, qeff_error *err);

#endif /* BACKEND_CPU_OPS_H */
