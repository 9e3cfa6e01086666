/* op.c - the table of ops, made from ops.def, and lookups in it. */
#include "graph/op.h"

#include "base/error.h"
#include "base/span.h"
#include "graph/ops/rules.h"

/* A primitive's decomposition is the word NULL, which must not get a prefix. */
#define DECOMPOSE_PRIMITIVE(function) NULL
#define DECOMPOSE_COMPOSITE(function) qeff_##function

static const qeff_op_info table[QEFF_OP_COUNT] = {
#define OP(op, printed, op_kind, operator, min_in, max_in, rule, decomposition, gradient)          \
    {.id = #op,                                                                                    \
     .name = printed,                                                                              \
     .kind = QEFF_OP_##op_kind,                                                                    \
     .onnx = operator,                                                                             \
     .min_inputs =(min_in),                                                                        \
     .max_inputs = (max_in),                                                                       \
     .shape = qeff_##rule,                                                                         \
     .decompose = DECOMPOSE_##op_kind(decomposition)},
#include "graph/ops.def"
#undef OP
};

const qeff_op_info *qeff_op_get(qeff_op op)
{
    return &table[op];
}

qeff_op qeff_op_find_onnx(qeff_str onnx_name)
{
    for (int i = 0; i < QEFF_OP_COUNT; i++)
        if (table[i].onnx && qeff_str_is(onnx_name, table[i].onnx)) return (qeff_op)i;
    return QEFF_OP_COUNT;
}

qeff_op qeff_op_find(qeff_str name)
{
    for (int i = 0; i < QEFF_OP_COUNT; i++)
        if (qeff_str_is(name, table[i].name)) return (qeff_op)i;
    return QEFF_OP_COUNT;
}

/* --- checks before a rule runs ------------------------------------------------------------------
 */

/* An attribute name means the same kind in every op. */
static const struct {
    const char *name;
    unsigned kinds; /* bits of qeff_attribute_kind */
} attributes[] = {
    {"allowzero", 1u << QEFF_ATTRIBUTE_INT},
    {"alpha", 1u << QEFF_ATTRIBUTE_FLOAT},
    {"approximate", 1u << QEFF_ATTRIBUTE_STR},
    {"axes", 1u << QEFF_ATTRIBUTE_INTS},
    {"axis", 1u << QEFF_ATTRIBUTE_INT},
    {"beta", 1u << QEFF_ATTRIBUTE_FLOAT},
    {"dtype", 1u << QEFF_ATTRIBUTE_INT},
    {"end", 1u << QEFF_ATTRIBUTE_INT},
    {"epsilon", 1u << QEFF_ATTRIBUTE_FLOAT},
    {"exclusive", 1u << QEFF_ATTRIBUTE_INT},
    {"keepdims", 1u << QEFF_ATTRIBUTE_INT},
    {"mode", 1u << QEFF_ATTRIBUTE_STR},
    {"n_heads", 1u << QEFF_ATTRIBUTE_INT},
    {"n_positions", 1u << QEFF_ATTRIBUTE_INT},
    {"noop_with_empty_axes", 1u << QEFF_ATTRIBUTE_INT},
    {"num_outputs", 1u << QEFF_ATTRIBUTE_INT},
    {"perm", 1u << QEFF_ATTRIBUTE_INTS},
    {"reverse", 1u << QEFF_ATTRIBUTE_INT},
    {"round_mode", 1u << QEFF_ATTRIBUTE_STR},
    {"saturate", 1u << QEFF_ATTRIBUTE_INT},
    {"scale", 1u << QEFF_ATTRIBUTE_FLOAT},
    {"select_last_index", 1u << QEFF_ATTRIBUTE_INT},
    {"start", 1u << QEFF_ATTRIBUTE_INT},
    {"stash_type", 1u << QEFF_ATTRIBUTE_INT},
    {"to", 1u << QEFF_ATTRIBUTE_INT},
    {"transA", 1u << QEFF_ATTRIBUTE_INT},
    {"transB", 1u << QEFF_ATTRIBUTE_INT},
    {"value", 1u << QEFF_ATTRIBUTE_INT | 1u << QEFF_ATTRIBUTE_FLOAT},
};

static qeff_status check_attribute(const qeff_attribute *a, qeff_error *err)
{
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        if (strcmp(a->name, attributes[i].name) != 0) continue;
        if (attributes[i].kinds & 1u << a->kind) return QEFF_OK;
        return qeff_fail(err, QEFF_ERR_FORMAT, "attribute '%s' is of the wrong kind", a->name);
    }
    return qeff_fail(err, QEFF_ERR_FORMAT, "attribute '%s' is not known", a->name);
}

static qeff_status check_arity(const qeff_node *node, const qeff_op_info *op, qeff_error *err)
{
    const size_t min = (size_t)op->min_inputs;
    const size_t max = op->max_inputs < 0 ? SIZE_MAX : (size_t)op->max_inputs;
    if (node->n_inputs < min)
        return qeff_fail(err, QEFF_ERR_FORMAT, "expected at least %zu operands, found %zu", min,
                         node->n_inputs);
    if (node->n_inputs > max)
        return qeff_fail(err, QEFF_ERR_FORMAT, "expected at most %zu operands, found %zu", max,
                         node->n_inputs);
    for (size_t i = 0; i < node->n_inputs; i++) {
        const bool is_optional = op->max_inputs >= 0 && i >= min;
        if (node->inputs[i] == QEFF_VALUE_NONE && !is_optional)
            return qeff_fail(err, QEFF_ERR_FORMAT, "operand %zu is missing", i);
    }
    return QEFF_OK;
}

/* Elements of a constant shape must be countable: sizes are multiplied all over the library. */
static qeff_status check_size(const qeff_shape *shape, qeff_error *err)
{
    uint64_t elements = 1;
    for (size_t i = 0; i < shape->rank; i++) {
        const int64_t size = shape->dims[i].size;
        if (size <= 0) continue;
        if (__builtin_mul_overflow(elements, (uint64_t)size, &elements) || elements > (uint64_t)1
                                                                                          << 48)
            return qeff_fail(err, QEFF_ERR_FORMAT, "result of over 2^48 elements");
    }
    return QEFF_OK;
}

qeff_status qeff_op_infer(qeff_op_call *call, qeff_error *err)
{
    const qeff_op_info *op = qeff_op_get(call->node->op);
    QEFF_TRY(check_arity(call->node, op, err));
    for (size_t i = 0; i < call->node->n_attributes; i++)
        QEFF_TRY(check_attribute(&call->node->attributes[i], err));
    call->n_outputs = 1;
    QEFF_TRY(op->shape(call, err));
    for (size_t i = 0; i < call->n_outputs; i++)
        QEFF_TRY(check_size(&call->shapes[i], err));
    return QEFF_OK;
}

qeff_dtype qeff_op_operand_dtype(const qeff_graph *graph, qeff_value value)
{
    const qeff_value_info *info = qeff_graph_value(graph, value);
    const bool is_short = info->dtype == QEFF_DTYPE_F16 || info->dtype == QEFF_DTYPE_BF16;
    return info->kind == QEFF_VALUE_WEIGHT && is_short ? QEFF_DTYPE_F32 : info->dtype;
}
