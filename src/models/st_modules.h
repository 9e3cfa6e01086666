/* st_modules.h - private to the sentence-transformers reader: the configuration and the weights of
 * each kind of module. */
#ifndef MODELS_ST_MODULES_H
#define MODELS_ST_MODULES_H

#include "models/sentence_transformers.h"

/** Widths of the features as they are before a module; 0: no module has made it yet. */
typedef struct qeff_st_widths {
    int64_t of[2]; /**< by qeff_st_feature */
} qeff_st_widths;

/** Reads `root/module->path/config.json` and the module's weights, checks them against the widths
 * before it and puts its own output in. The transformer is not among them. */
qeff_status qeff_st_read_module(const char *root, size_t index, qeff_model_files *files,
                                qeff_st_module *module, qeff_st_widths *widths, qeff_error *err);

/** "token_embeddings" or "sentence_embedding". */
const char *qeff_st_feature_name(qeff_st_feature feature);

#endif /* MODELS_ST_MODULES_H */
