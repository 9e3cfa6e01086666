/* position.c - position ids: 0, 1, 2, … along the sequence, as exporters write them.
 *
 *   position_ids  table [1, n_positions] of 0, 1, …, cut to the length of ids [B, T] -> [1, T] */
#include "graph/ops/rules.h"

#include <inttypes.h>

enum { POSITIONS_MAX = 1 << 24 };

qeff_status qeff_shape_position_ids(qeff_op_call *call, qeff_error *err)
{
    const int64_t n_positions = qeff_node_int(call->node, "n_positions", 0);
    QEFF_TRY(qeff_rule_expect_rank(call, 0, 2, err));
    if (n_positions < 1 || n_positions > POSITIONS_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "n_positions: expected 1 to %d, found %" PRId64,
                         (int)POSITIONS_MAX, n_positions);
    const qeff_dim length = qeff_rule_shape(call, 0)->dims[1];
    if (!length.symbol && length.size > n_positions)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "length of %" PRId64 " exceeds %" PRId64 " positions", length.size,
                         n_positions);
    const qeff_shape shape = {.rank = 2, .dims = {qeff_dim_of(1), length}};
    return qeff_rule_output(call, QEFF_DTYPE_I64, shape);
}

static qeff_value make_table(qeff_builder *b, const qeff_node *node)
{
    const int64_t shape[] = {1, qeff_node_int(node, "n_positions", 1)};
    qeff_buffer name = {0};
    qeff_buffer_append_str(&name, node->name);
    qeff_buffer_append(&name, "/positions", sizeof "/positions");
    qeff_value table = QEFF_VALUE_NONE;
    if (name.failed)
        qb_fail(b, QEFF_ERR_NO_MEMORY, "out of memory");
    else
        table = qb_constant(b, (const char *)name.data, QEFF_DTYPE_I64, 2, shape, NULL);
    qeff_buffer_deinit(&name);
    uint8_t *bytes = qb_constant_bytes(b, table);
    for (size_t i = 0; bytes && i < (size_t)shape[1]; i++)
        qeff_store_u64le(bytes + 8 * i, i);
    return table;
}

qeff_value
qeff_decompose_position_ids(qeff_builder *b, const qeff_node *node, const qeff_value *inputs)
{
    static const int64_t first_axis[] = {0}, starts[] = {0}, axes[] = {1};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 0);
    const qeff_value table = make_table(b, node);
    const qeff_value shape = qeff_part_unary(b, node, QEFF_OP_SHAPE, inputs[0]);
    const qeff_value index = qeff_part_int(b, node, "axis", 1);
    const qeff_value gather[] = {shape, index};
    qeff_value length = qeff_part(b, node, QEFF_OP_GATHER, gather, 2, &axis, 1);
    length = qeff_part_with_ints(b, node, QEFF_OP_UNSQUEEZE, length, first_axis, 1);
    const qeff_value start = qeff_part_ints(b, node, "starts", starts, 1);
    const qeff_value along = qeff_part_ints(b, node, "axes", axes, 1);
    const qeff_value last[] = {table, start, length, along};
    return qeff_part_last(b, node, QEFF_OP_SLICE, last, 4, NULL, 0);
}
