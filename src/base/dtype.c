/* dtype.c - element types: one table that every format looks up. */
#include "base/dtype.h"

#include "base/checked.h"
#include "base/span.h"

#include <string.h>

static const qeff_dtype_info table[QEFF_DTYPE_COUNT] = {
    [QEFF_DTYPE_NONE] = {"none", "", NULL, 0, 0},
    [QEFF_DTYPE_F64] = {"f64", "F64", "<f8", 11, 8},
    [QEFF_DTYPE_F32] = {"f32", "F32", "<f4", 1, 4},
    [QEFF_DTYPE_F16] = {"f16", "F16", "<f2", 10, 2},
    [QEFF_DTYPE_BF16] = {"bf16", "BF16", NULL, 16, 2},
    [QEFF_DTYPE_I64] = {"i64", "I64", "<i8", 7, 8},
    [QEFF_DTYPE_I32] = {"i32", "I32", "<i4", 6, 4},
    [QEFF_DTYPE_I16] = {"i16", "I16", "<i2", 5, 2},
    [QEFF_DTYPE_I8] = {"i8", "I8", "|i1", 3, 1},
    [QEFF_DTYPE_U64] = {"u64", "U64", "<u8", 13, 8},
    [QEFF_DTYPE_U32] = {"u32", "U32", "<u4", 12, 4},
    [QEFF_DTYPE_U16] = {"u16", "U16", "<u2", 4, 2},
    [QEFF_DTYPE_U8] = {"u8", "U8", "|u1", 2, 1},
    [QEFF_DTYPE_BOOL] = {"bool", "BOOL", "|b1", 9, 1},
    [QEFF_DTYPE_F8_E4M3] = {"f8_e4m3", "F8_E4M3", NULL, 17, 1},
    [QEFF_DTYPE_F8_E5M2] = {"f8_e5m2", "F8_E5M2", NULL, 19, 1},
};

const qeff_dtype_info *qeff_dtype_get(qeff_dtype dtype)
{
    return &table[(unsigned)dtype < QEFF_DTYPE_COUNT ? dtype : QEFF_DTYPE_NONE];
}

size_t qeff_dtype_size(qeff_dtype dtype)
{
    return qeff_dtype_get(dtype)->size;
}

const char *qeff_dtype_name(qeff_dtype dtype)
{
    return qeff_dtype_get(dtype)->name;
}

qeff_dtype qeff_dtype_from_safetensors(qeff_str name)
{
    for (int i = 1; i < QEFF_DTYPE_COUNT; i++)
        if (qeff_str_is(name, table[i].safetensors)) return (qeff_dtype)i;
    return QEFF_DTYPE_NONE;
}

qeff_dtype qeff_dtype_from_onnx(int64_t number)
{
    for (int i = 1; i < QEFF_DTYPE_COUNT; i++)
        if (table[i].onnx == number) return (qeff_dtype)i;
    return QEFF_DTYPE_NONE;
}

qeff_dtype qeff_dtype_from_numpy(qeff_str descr)
{
    for (int i = 1; i < QEFF_DTYPE_COUNT; i++)
        if (table[i].numpy && qeff_str_is(descr, table[i].numpy)) return (qeff_dtype)i;
    return QEFF_DTYPE_NONE;
}

bool qeff_shape_elements(size_t rank, const int64_t *shape, uint64_t *elements)
{
    int64_t n = 1;
    bool is_empty = false;
    for (size_t i = 0; i < rank; i++) {
        if (shape[i] < 0) return false;
        if (shape[i] == 0)
            is_empty = true; /* and still check the others: 0 * 2^62 * 2^62 is no honest shape */
        else if (!qeff_mul_i64(n, shape[i], &n))
            return false;
    }
    *elements = is_empty ? 0 : (uint64_t)n;
    return true;
}

bool qeff_tensor_bytes(qeff_dtype dtype, size_t rank, const int64_t *shape, uint64_t *bytes)
{
    uint64_t elements = 0;
    if (!qeff_shape_elements(rank, shape, &elements)) return false;
    return qeff_mul_u64(elements, qeff_dtype_size(dtype), bytes);
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float qeff_f16_to_f32(uint16_t bits)
{
    const uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
    const uint32_t exponent = (bits >> 10) & 0x1fu;
    const uint32_t mantissa = bits & 0x3ffu;
    if (exponent == 0) {
        const float magnitude = (float)mantissa * 0x1p-24f; /* zero and subnormals, exact */
        return float_of_bits(bits_of_float(magnitude) | sign);
    }
    if (exponent == 31) return float_of_bits(sign | 0x7f800000u | mantissa << 13);
    return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t qeff_f32_to_f16(float value)
{
    const uint32_t bits = bits_of_float(value);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
    if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* rounds to infinity */
    if (magnitude < 0x38800000u) { /* subnormal or zero: let the adder round at 2^-24 */
        const float shifted = float_of_bits(magnitude) + 0.5f;
        return (uint16_t)(sign | (bits_of_float(shifted) - 0x3f000000u));
    }
    const uint32_t odd = (magnitude >> 13) & 1u;
    return (uint16_t)(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

float qeff_bf16_to_f32(uint16_t bits)
{
    return float_of_bits((uint32_t)bits << 16);
}

uint16_t qeff_f32_to_bf16(float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    const bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
    bits = is_nan ? bits | 0x400000 : bits + 0x7fff + (bits >> 16 & 1);
    return (uint16_t)(bits >> 16);
}
