/* expand.c - operators that are not in ops.def, but that ONNX defines by operators which are.
 *
 *   GreaterOrEqual(x, y) = Or(Greater(x, y), Equal(x, y))      LessOrEqual likewise
 *   IsNaN(x)             = Not(Equal(x, x))
 *   Gelu(x)              is the graph's composite of the same name
 *
 * The first three are the function bodies of the reference, right for NaN too. */
#include "base/error.h"
#include "base/span.h"
#include "graph/op.h"
#include "onnx/messages.h"
#include "onnx/node.h"

#include <inttypes.h>

/* A node in the scope of the one that it is a part of. */
static qeff_value add_part(qeff_builder *b, const char *name, const char *part, qeff_op op,
                           qeff_value x, qeff_value y)
{
    const qeff_value inputs[] = {x, y};
    qeff_buffer full = {0};
    qeff_buffer_format(&full, "%s/%s", name, part);
    qeff_buffer_append_byte(&full, 0);
    qeff_value value = QEFF_VALUE_NONE;
    if (full.failed)
        qb_fail(b, QEFF_ERR_NO_MEMORY, "out of memory");
    else
        value = qb_node(b, op, (const char *)full.data, inputs, 2, NULL, 0);
    qeff_buffer_deinit(&full);
    return value;
}

static qeff_value or_equal(qeff_builder *b, const char *name, const qeff_value *x, qeff_op op)
{
    const qeff_value strict = add_part(b, name, qeff_op_get(op)->onnx, op, x[0], x[1]);
    const qeff_value equal = add_part(b, name, "Equal", QEFF_OP_EQUAL, x[0], x[1]);
    const qeff_value either[] = {strict, equal};
    return qb_node(b, QEFF_OP_OR, name, either, 2, NULL, 0);
}

static qeff_value
expand_greater_or_equal(qeff_builder *b, const char *name, const qeff_value *x, bool by_tanh)
{
    (void)by_tanh;
    return or_equal(b, name, x, QEFF_OP_GREATER);
}

static qeff_value
expand_less_or_equal(qeff_builder *b, const char *name, const qeff_value *x, bool by_tanh)
{
    (void)by_tanh;
    return or_equal(b, name, x, QEFF_OP_LESS);
}

static qeff_value
expand_is_nan(qeff_builder *b, const char *name, const qeff_value *x, bool by_tanh)
{
    (void)by_tanh;
    const qeff_value equal = add_part(b, name, "Equal", QEFF_OP_EQUAL, x[0], x[0]);
    return qb_node(b, QEFF_OP_NOT, name, &equal, 1, NULL, 0);
}

static qeff_value expand_gelu(qeff_builder *b, const char *name, const qeff_value *x, bool by_tanh)
{
    const qeff_attribute mode =
        QEFF_ATTR_STR("approximate", by_tanh ? QEFF_STR("tanh") : QEFF_STR("none"));
    return qb_node(b, QEFF_OP_GELU, name, x, 1, &mode, 1);
}

static const qeff_onnx_expansion expansions[] = {
    {"GreaterOrEqual", 12, 2, false, expand_greater_or_equal},
    {"LessOrEqual", 12, 2, false, expand_less_or_equal},
    {"IsNaN", 9, 1, false, expand_is_nan},
    {"Gelu", 20, 1, true, expand_gelu},
};

const qeff_onnx_expansion *qeff_onnx_expansion_find(qeff_str op_type, int64_t opset)
{
    for (size_t i = 0; i < sizeof expansions / sizeof *expansions; i++)
        if (qeff_str_is(op_type, expansions[i].op_type) && opset >= expansions[i].since)
            return &expansions[i];
    return NULL;
}

static qeff_status read_approximate(const qeff_onnx_node *n, const qeff_onnx_expansion *expansion,
                                    bool *by_tanh, qeff_error *err)
{
    *by_tanh = false;
    for (size_t i = 0; i < n->n_attributes; i++) {
        const qeff_onnx_attribute *a = &n->attributes[i];
        if (!expansion->has_approximate || !qeff_str_is(a->name, "approximate"))
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "attribute '%.*s' is not known",
                             QEFF_STR_ARGS(a->name));
        QEFF_TRY(qeff_onnx_expect_type(a, ATTRIBUTE_TYPE_STRING, err));
        *by_tanh = qeff_str_is(a->s, "tanh");
        if (!*by_tanh && !qeff_str_is(a->s, "none"))
            return qeff_fail(err, QEFF_ERR_FORMAT,
                             "attribute 'approximate': expected none or tanh");
    }
    return QEFF_OK;
}

qeff_status
qeff_onnx_expand(qeff_onnx_importer *im, const qeff_onnx_expansion *expansion,
                 const qeff_onnx_node *n, const char *name, qeff_value *out, qeff_error *err)
{
    bool by_tanh = false;
    *out = QEFF_VALUE_NONE;
    QEFF_TRY(read_approximate(n, expansion, &by_tanh, err));
    if (n->n_inputs != expansion->n_inputs)
        return qeff_fail(err, QEFF_ERR_FORMAT, "expected %zu inputs, found %zu",
                         expansion->n_inputs, n->n_inputs);
    for (size_t i = 0; i < n->n_inputs; i++)
        if (n->inputs[i] == QEFF_VALUE_NONE)
            return qeff_fail(err, QEFF_ERR_FORMAT, "input %zu is missing", i);
    *out = expansion->expand(im->builder, name, n->inputs, by_tanh);
    return QEFF_OK;
}
