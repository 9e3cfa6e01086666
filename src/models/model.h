/* model.h - a model folder, opened: configuration, weights, sentence-transformers settings, and
 * the graph they make together.
 *
 * A folder is plain, or a snapshot of a Hugging Face cache. All small files are read and checked
 * when it is opened; the weights are mapped. */
#ifndef MODELS_MODEL_H
#define MODELS_MODEL_H

#include "graph/graph.h"
#include "models/arch.h"
#include "models/model_files.h"
#include "models/sentence_transformers.h"

/** Immutable after qeff_model_open(), so that threads may share it. */
typedef struct qeff_model qeff_model;

typedef enum qeff_model_normalize {
    QEFF_MODEL_NORMALIZE_DEFAULT = 0, /**< as the folder says; not, where pooling is overridden */
    QEFF_MODEL_NORMALIZE_ON,          /**< unit length, once, at the end */
    QEFF_MODEL_NORMALIZE_OFF,         /**< leaves out the Normalize modules at the end */
} qeff_model_normalize;

/** Zero-initialise: zero is the default. */
typedef struct qeff_model_options {
    const char *pooling; /**< NULL: the folder's modules; a mode of qeff_st_pooling_mode(): that
                          * mode alone, without any other module; "none": the hidden states */
    qeff_model_normalize normalize;
    bool with_token_type_ids; /**< adds the input "token_type_ids"; otherwise all types are 0 */
} qeff_model_options;

/** Opens a folder.
 *
 * @return QEFF_ERR_NOT_FOUND    no folder, no config.json, no weights
 *         QEFF_ERR_FORMAT       a file is damaged or contradicts another one
 *         QEFF_ERR_UNSUPPORTED  an architecture, module or setting that is not known
 *         QEFF_ERR_IO, QEFF_ERR_NO_MEMORY
 *         Messages start with the path of the file and name the key. */
qeff_status qeff_model_open(const char *folder, qeff_model **out, qeff_error *err);
/** NULL is allowed. Graphs that were built from the model are no longer valid. */
void qeff_model_close(qeff_model *model);

/** The folder as it was given. */
const char *qeff_model_folder(const qeff_model *model);
/** Where config.json, the weights and the tokenizer are: the folder, or the subfolder of the
 * Transformer module. */
const char *qeff_model_transformer_folder(const qeff_model *model);
const qeff_arch *qeff_model_arch(const qeff_model *model);
/** Name of the checkpoint's class where it is a known one, such as "BertForMaskedLM"; else that of
 * the bare model. Safe as a part of a path. */
const char *qeff_model_class(const qeff_model *model);
const qeff_hparams *qeff_model_hparams(const qeff_model *model);
const qeff_st_config *qeff_model_st_config(const qeff_model *model);
/** The encoder's weights; modules have their own in the st config. */
const qeff_weights *qeff_model_weights(const qeff_model *model);
/** The small files that were read, in a fixed order. */
const qeff_model_file *qeff_model_files_get(const qeff_model *model, size_t *n);

/** Width of "output" for these options, before any cut to truncate_dim.
 * @return QEFF_ERR_INVALID for an unknown pooling */
qeff_status qeff_model_output_dim(const qeff_model *model, const qeff_model_options *options,
                                  int64_t *dim, qeff_error *err);

/** Builds the graph.
 *
 * Inputs, i64 ["batch_size", "seq_len"]: "input_ids", "attention_mask", and "token_type_ids" where
 * asked for. Output "output", f32: [batch_size, dim] pooled, or [batch_size, seq_len, hidden] with
 * pooling "none"; then "pooler_output" [batch_size, hidden] follows where the checkpoint has a
 * pooler. The cut to truncate_dim is left to the caller. The graph borrows the model.
 *
 * @param options  NULL: all defaults
 * @return QEFF_ERR_INVALID      an unknown pooling, or normalize on without pooling
 *         QEFF_ERR_FORMAT       missing or mis-shaped tensors, all of them in one message
 *         QEFF_ERR_UNSUPPORTED  an activation that is not known
 *         QEFF_ERR_NO_MEMORY */
qeff_status qeff_model_build(const qeff_model *model, const qeff_model_options *options,
                             qeff_graph **out, qeff_error *err);

/** SHA-256 over the content of all weights, those of the modules included; reads every byte. */
qeff_status qeff_model_weights_digest(const qeff_model *model, uint8_t digest[QEFF_HASH_BYTES],
                                      qeff_error *err);

/** Feeds all that decides about the graph's results into `hash`: options, small files, weights.
 * Neither paths nor times.
 * @param weights_digest  what qeff_model_weights_digest() gives for this model */
void qeff_model_hash(const qeff_model *model, const qeff_model_options *options,
                     const uint8_t weights_digest[QEFF_HASH_BYTES], qeff_hash *hash);

/** Calls `visit` for each tensor of the checkpoint and of the modules that no graph of this model
 * uses, in the order of the files. */
qeff_status qeff_model_visit_extra_tensors(const qeff_model *model,
                                           void (*visit)(void *ctx, const qeff_tensor_view *tensor),
                                           void *ctx, qeff_error *err);

#endif /* MODELS_MODEL_H */
