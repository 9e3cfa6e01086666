/* operators.c - the operators of ops.def as ONNX defines them, by opset.
 *
 * An operator is read from the first opset in which it has the operands and the meaning of opset
 * 17, or differs only in where it takes its axes or parts from (attribute or input), which
 * import_node.c evens out. Reference: github.com/onnx/onnx, docs/Changelog.md. Nothing in this list
 * changes its meaning again up to opset 25. */
#include "onnx/operators.h"

#include "base/dtype.h"
#include "base/span.h"

#define INT(n)                                                                                     \
    {                                                                                              \
        (n), QEFF_ATTRIBUTE_INT, false                                                             \
    }
#define INT_REQ(n)                                                                                 \
    {                                                                                              \
        (n), QEFF_ATTRIBUTE_INT, true                                                              \
    }
#define INTS(n)                                                                                    \
    {                                                                                              \
        (n), QEFF_ATTRIBUTE_INTS, false                                                            \
    }
#define REAL(n)                                                                                    \
    {                                                                                              \
        (n), QEFF_ATTRIBUTE_FLOAT, false                                                           \
    }
#define TEXT(n)                                                                                    \
    {                                                                                              \
        (n), QEFF_ATTRIBUTE_STR, false                                                             \
    }
#define REDUCTION                                                                                  \
    {                                                                                              \
        INTS("axes"), INT("keepdims"), INT("noop_with_empty_axes")                                 \
    }

static const qeff_onnx_operator table[QEFF_OP_COUNT] = {
    [QEFF_OP_ADD] = {7, {{0}}},
    [QEFF_OP_SUB] = {7, {{0}}},
    [QEFF_OP_MUL] = {7, {{0}}},
    [QEFF_OP_DIV] = {7, {{0}}},
    [QEFF_OP_POW] = {7, {{0}}},
    [QEFF_OP_MIN] = {8, {{0}}},
    [QEFF_OP_MAX] = {8, {{0}}},
    [QEFF_OP_EQUAL] = {7, {{0}}},
    [QEFF_OP_LESS] = {7, {{0}}},
    [QEFF_OP_GREATER] = {7, {{0}}},
    [QEFF_OP_AND] = {7, {{0}}},
    [QEFF_OP_OR] = {7, {{0}}},
    [QEFF_OP_NOT] = {1, {{0}}},
    [QEFF_OP_WHERE] = {9, {{0}}},
    [QEFF_OP_NEG] = {6, {{0}}},
    [QEFF_OP_ABS] = {6, {{0}}},
    [QEFF_OP_SQRT] = {6, {{0}}},
    [QEFF_OP_RECIPROCAL] = {6, {{0}}},
    [QEFF_OP_EXP] = {6, {{0}}},
    [QEFF_OP_LOG] = {6, {{0}}},
    [QEFF_OP_ERF] = {9, {{0}}},
    [QEFF_OP_TANH] = {6, {{0}}},
    [QEFF_OP_SIGMOID] = {6, {{0}}},
    [QEFF_OP_RELU] = {6, {{0}}},
    [QEFF_OP_LEAKY_RELU] = {6, {REAL("alpha")}},
    [QEFF_OP_ELU] = {6, {REAL("alpha")}},
    [QEFF_OP_SOFTPLUS] = {1, {{0}}},
    [QEFF_OP_CLIP] = {11, {{0}}}, /* bounds were attributes */
    [QEFF_OP_IDENTITY] = {1, {{0}}},
    [QEFF_OP_CAST] = {6, {INT_REQ("to"), INT("saturate"), TEXT("round_mode")}},
    [QEFF_OP_MATMUL] = {1, {{0}}},
    [QEFF_OP_GEMM] = {7, {REAL("alpha"), REAL("beta"), INT("transA"), INT("transB")}},
    [QEFF_OP_SOFTMAX] = {13, {INT("axis")}}, /* flattened its operand to two dimensions */
    [QEFF_OP_LAYER_NORM] = {17, {INT("axis"), REAL("epsilon"), INT("stash_type")}},
    [QEFF_OP_REDUCE_MEAN] = {1, REDUCTION},
    [QEFF_OP_REDUCE_MAX] = {1, REDUCTION},
    [QEFF_OP_REDUCE_MIN] = {1, REDUCTION},
    [QEFF_OP_REDUCE_L2] = {1, REDUCTION},
    [QEFF_OP_REDUCE_SUM] = {1, REDUCTION},
    [QEFF_OP_ARG_MAX] = {1, {INT("axis"), INT("keepdims"), INT("select_last_index")}},
    [QEFF_OP_CUM_SUM] = {11, {INT("exclusive"), INT("reverse")}},
    [QEFF_OP_TRANSPOSE] = {1, {INTS("perm")}},
    [QEFF_OP_RESHAPE] = {5, {INT("allowzero")}}, /* the shape was an attribute */
    [QEFF_OP_FLATTEN] = {1, {INT("axis")}},
    [QEFF_OP_SQUEEZE] = {1, {INTS("axes")}},
    [QEFF_OP_UNSQUEEZE] = {1, {INTS("axes")}},
    [QEFF_OP_CONCAT] = {4, {INT_REQ("axis")}},
    [QEFF_OP_SPLIT] = {2, {INT("axis"), INTS("split"), INT("num_outputs")}},
    [QEFF_OP_SLICE] = {10, {{0}}}, /* bounds were attributes */
    [QEFF_OP_GATHER] = {1, {INT("axis")}},
    [QEFF_OP_GATHER_ELEMENTS] = {11, {INT("axis")}},
    [QEFF_OP_EXPAND] = {8, {{0}}},
    [QEFF_OP_SHAPE] = {1, {INT("start"), INT("end")}},
    [QEFF_OP_CONSTANT_OF_SHAPE] = {9, {{0}}}, /* "value" is a tensor: see import_node.c */
    [QEFF_OP_RANGE] = {11, {{0}}},
};

const qeff_onnx_operator *qeff_onnx_operator_get(qeff_op op)
{
    return &table[op];
}

const qeff_onnx_attribute_rule *qeff_onnx_operator_find_attribute(qeff_op op, qeff_str name)
{
    for (size_t i = 0; i < QEFF_ONNX_RULE_ATTRIBUTES && table[op].attributes[i].name; i++)
        if (qeff_str_is(name, table[op].attributes[i].name)) return &table[op].attributes[i];
    return NULL;
}

bool qeff_onnx_is_implied(qeff_op op, const char *name)
{
    const qeff_str text = qeff_str_of(name);
    if (op == QEFF_OP_SPLIT) return qeff_str_is(text, "num_outputs");
    if (op != QEFF_OP_CONSTANT_OF_SHAPE) return false;
    return qeff_str_is(text, "value") || qeff_str_is(text, "dtype");
}

bool qeff_onnx_write_fill(qeff_dtype dtype, const qeff_attribute *value, uint8_t out[8])
{
    const bool is_int = value && value->kind == QEFF_ATTRIBUTE_INT;
    const double real = !value ? 0 : is_int ? (double)value->i : value->f;
    const float single = (float)real;
    uint64_t bits64 = 0;
    uint32_t bits32 = 0;
    memcpy(&bits64, &real, sizeof bits64);
    memcpy(&bits32, &single, sizeof bits32);
    switch (dtype) {
    case QEFF_DTYPE_F64:
        qeff_store_u64le(out, bits64);
        return true;
    case QEFF_DTYPE_F32:
        qeff_store_u64le(out, bits32);
        return true;
    case QEFF_DTYPE_F16:
        qeff_store_u64le(out, qeff_f32_to_f16(single));
        return true;
    case QEFF_DTYPE_BF16:
        qeff_store_u64le(out, bits32 >> 16);
        return true;
    case QEFF_DTYPE_I64:
    case QEFF_DTYPE_I32:
    case QEFF_DTYPE_I16:
    case QEFF_DTYPE_I8:
    case QEFF_DTYPE_U64:
    case QEFF_DTYPE_U32:
    case QEFF_DTYPE_U16:
    case QEFF_DTYPE_U8:
    case QEFF_DTYPE_BOOL:
        qeff_store_u64le(out, value && is_int ? (uint64_t)value->i : 0);
        return !value || is_int;
    case QEFF_DTYPE_F8_E4M3:
    case QEFF_DTYPE_F8_E5M2:
    case QEFF_DTYPE_NONE:
    case QEFF_DTYPE_COUNT:
        break;
    }
    return false;
}

/* Little-endian two's complement of `size` bytes. */
static int64_t load_signed(qeff_bytes data)
{
    uint64_t value = 0;
    for (size_t i = 0; i < data.size; i++)
        value |= (uint64_t)data.data[i] << (8 * i);
    if (data.size < 8 && value >> (8 * data.size - 1)) value |= ~UINT64_C(0) << (8 * data.size);
    return (int64_t)value;
}

bool qeff_onnx_read_fill(qeff_dtype dtype, qeff_bytes data, qeff_attribute *out)
{
    const int64_t integer = load_signed(data);
    const uint32_t bits32 = (uint32_t)integer;
    float single = 0;
    *out = QEFF_ATTR_INT("value", integer);
    switch (dtype) {
    case QEFF_DTYPE_I64:
    case QEFF_DTYPE_I32:
    case QEFF_DTYPE_I16:
    case QEFF_DTYPE_I8:
        return true;
    case QEFF_DTYPE_BOOL:
        out->i = integer != 0;
        return true;
    case QEFF_DTYPE_U64:
        return integer >= 0;
    case QEFF_DTYPE_U32:
    case QEFF_DTYPE_U16:
    case QEFF_DTYPE_U8:
        out->i = (int64_t)((uint64_t)integer & (UINT64_MAX >> (64 - 8 * data.size)));
        return true;
    case QEFF_DTYPE_F64:
        *out = QEFF_ATTR_FLOAT("value", 0);
        memcpy(&out->f, &integer, sizeof out->f);
        return (double)(float)out->f == out->f; /* attributes are kept as floats */
    case QEFF_DTYPE_F32:
        memcpy(&single, &bits32, sizeof single);
        break;
    case QEFF_DTYPE_F16:
        single = qeff_f16_to_f32((uint16_t)bits32);
        break;
    case QEFF_DTYPE_BF16:
        single = qeff_bf16_to_f32((uint16_t)bits32);
        break;
    case QEFF_DTYPE_F8_E4M3:
    case QEFF_DTYPE_F8_E5M2:
    case QEFF_DTYPE_NONE:
    case QEFF_DTYPE_COUNT:
        return false;
    }
    *out = QEFF_ATTR_FLOAT("value", (double)single);
    return true;
}
