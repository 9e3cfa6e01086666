/* qeff/inspect.h - what is in a file or folder, as JSON. Nothing is executed. */
#ifndef QEFF_INSPECT_H
#define QEFF_INSPECT_H

#include <qeff/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Describes a model folder, a .safetensors or .onnx file, a tokenizer.json, or a program (folder
 * or programqpc.bin): one JSON object with "kind" ("model", "safetensors", "onnx", "tokenizer",
 * "program") and, as they apply, "architecture", "parameters", "modules", "tensors" (name, dtype,
 * shape, bytes), "inputs", "outputs", "operators", "metadata", "extra_tensors".
 *
 * @param json  receives NUL-terminated UTF-8; release it with qeff_release()
 * @return QEFF_ERR_NOT_FOUND, QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED (no known kind), QEFF_ERR_IO,
 *         QEFF_ERR_NO_MEMORY */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_inspect(const char *path, char **json, qeff_error *err);

#ifdef __cplusplus
}
#endif
#endif /* QEFF_INSPECT_H */
