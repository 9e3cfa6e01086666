/* dtype.h - the table of element types, and how many bytes a shape takes. */
#ifndef BASE_DTYPE_H
#define BASE_DTYPE_H

#include <qeff/base.h>

/** One row of the table. ONNX numbers are TensorProto.DataType; 0 where ONNX has none. */
typedef struct qeff_dtype_info {
    const char *name;        /**< "f32" */
    const char *safetensors; /**< "F32" */
    const char *numpy;       /**< "<f4"; NULL where numpy has none */
    int onnx;
    size_t size; /**< bytes */
} qeff_dtype_info;

const qeff_dtype_info *qeff_dtype_get(qeff_dtype dtype);

/** QEFF_DTYPE_NONE where nothing matches. */
qeff_dtype qeff_dtype_from_safetensors(qeff_str name);
qeff_dtype qeff_dtype_from_onnx(int64_t number);
qeff_dtype qeff_dtype_from_numpy(qeff_str descr);

/** Elements of a shape; false where a dimension is negative or the product overflows int64. */
bool qeff_shape_elements(size_t rank, const int64_t *shape, uint64_t *elements);

/** Bytes of a tensor; false where a dimension is negative or the product overflows. */
bool qeff_tensor_bytes(qeff_dtype dtype, size_t rank, const int64_t *shape, uint64_t *bytes);

/** Conversions, exact to the bit: IEEE binary16 and bfloat16, to nearest even. */
float qeff_f16_to_f32(uint16_t bits);
uint16_t qeff_f32_to_f16(float value);
float qeff_bf16_to_f32(uint16_t bits);
uint16_t qeff_f32_to_bf16(float value);

#endif /* BASE_DTYPE_H */
