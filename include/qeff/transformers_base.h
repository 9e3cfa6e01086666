/* qeff/transformers_base.h - what every wrapper of a transformer shares: where it came from, its
 * configuration, its name, and the digest of its content. */
#ifndef QEFF_TRANSFORMERS_BASE_H
#define QEFF_TRANSFORMERS_BASE_H

#include <qeff/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The shared part of a loaded model. Immutable; lives as long as the wrapper that gave it. */
typedef struct qeff_transformers_base qeff_transformers_base;

/** Name of the architecture's class, such as "BertModel". All of these borrow from the base. */
QEFF_API const char *qeff_transformers_base_name(const qeff_transformers_base *base);
/** The configuration's model_type, such as "bert". */
QEFF_API const char *qeff_transformers_base_model_type(const qeff_transformers_base *base);
/** The text of config.json as it was read. */
QEFF_API qeff_str qeff_transformers_base_config(const qeff_transformers_base *base);
/** SHA-256, as 64 hex digits, over everything that can change a result: weights, configuration,
 * tokenizer, module files, options. Two folders with the same content give the same digest.
 * The first call reads all weights.
 * @return QEFF_ERR_IO, QEFF_ERR_NO_MEMORY */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_transformers_base_hash(qeff_transformers_base *base,
                                                                 const char **hex, qeff_error *err);
/** One JSON object that describes the model: class, sizes, modules, prompts, limits. Release it
 * with qeff_release(). */
QEFF_API QEFF_MUST_CHECK qeff_status
qeff_transformers_base_describe(const qeff_transformers_base *base, char **json, qeff_error *err);

#ifdef __cplusplus
}
#endif
#endif /* QEFF_TRANSFORMERS_BASE_H */
