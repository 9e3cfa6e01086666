/* sentence_transformers.h - the files sentence-transformers keeps beside a model: which modules
 * follow the transformer, and how text is prepared for it.
 *
 * Both generations of the files are read (up to 5.3 and from 5.4 on). A module, mode or setting
 * that would change the vectors and is not known is refused by name; nothing is guessed. */
#ifndef MODELS_SENTENCE_TRANSFORMERS_H
#define MODELS_SENTENCE_TRANSFORMERS_H

#include "formats/weights.h"
#include "graph/builder.h"
#include "models/hparams.h"
#include "models/model_files.h"

enum {
    QEFF_ST_MODULES_MAX = 64,
    QEFF_ST_POOLING_MODES_MAX = 16,
    QEFF_ST_PROMPTS_MAX = 10000,
};

typedef enum qeff_st_module_kind {
    QEFF_ST_TRANSFORMER,
    QEFF_ST_POOLING,
    QEFF_ST_DENSE,
    QEFF_ST_LAYER_NORM,
    QEFF_ST_NORMALIZE,
    QEFF_ST_DROPOUT, /**< does nothing when a model is used */
} qeff_st_module_kind;

/** Which vectors a module reads or writes. */
typedef enum qeff_st_feature {
    QEFF_ST_TOKENS,   /**< "token_embeddings" [B, T, H] */
    QEFF_ST_SENTENCE, /**< "sentence_embedding" [B, H] */
} qeff_st_feature;

/** One entry of modules.json. Strings and arrays live as long as the configuration. */
typedef struct qeff_st_module {
    qeff_st_module_kind kind;
    qeff_str name; /**< "2": the first part of the names of its weights */
    qeff_str type; /**< "Dense": the last part of the Python path */
    qeff_str path; /**< "2_Dense", relative to the model folder; empty for the folder itself */
    qeff_st_feature input, output;
    int64_t n_in, n_out;                          /**< width of its input and output */
    const char *modes[QEFF_ST_POOLING_MODES_MAX]; /**< pooling: as qb_pool() names them, in order */
    size_t n_modes;
    const char *activation; /**< dense: as qb_activation() names it; "identity" for none */
    bool has_bias;          /**< dense */
    bool has_residual;      /**< dense: the input, projected where widths differ, is added */
    qeff_weights *weights;  /**< dense and layer norm: the module's own file; else NULL */
} qeff_st_module;

typedef struct qeff_st_prompt {
    qeff_str name; /**< "query" */
    qeff_str text; /**< put before the text as it is; may be empty */
} qeff_st_prompt;

/** What the folder says about sentences. Immutable once read. */
typedef struct qeff_st_config {
    bool has_modules; /**< false: there is no modules.json, and mean pooling is assumed */
    qeff_st_module modules[QEFF_ST_MODULES_MAX];
    size_t n_modules; /**< the first is the transformer */
    qeff_st_prompt *prompts;
    size_t n_prompts;
    qeff_str default_prompt_name; /**< one of the prompts; data is NULL where there is none */
    int64_t max_seq_length; /**< tokens with special ones: the explicit limit, else the tokenizer's
                             *   model_max_length; never above max_position_embeddings */
    int64_t truncate_dim;   /**< leading values of a vector to keep; 0: all */
    bool do_lower_case;     /**< lower-case the text where the tokenizer does not */
    qeff_str similarity;    /**< "cosine", "dot", "euclidean" or "manhattan" */
} qeff_st_config;

/** Reads modules.json: kinds, names and paths. Without the file the list is the transformer and
 * mean pooling. The folder is the model's; strings go to `arena`. */
qeff_status qeff_st_read_modules(const char *folder, qeff_model_files *files, qeff_arena *arena,
                                 qeff_st_config *out, qeff_error *err);

/** Reads the rest: each module's configuration and weights, the text settings of the transformer
 * and config_sentence_transformers.json. Call qeff_st_close() also after a failure. */
qeff_status
qeff_st_read_settings(const char *folder, const qeff_hparams *hp, qeff_model_files *files,
                      qeff_arena *arena, qeff_st_config *config, qeff_error *err);

/** Closes the weights of the modules. */
void qeff_st_close(qeff_st_config *config);

/** Appends the modules behind the transformer and returns the sentence vectors [B, dim].
 *
 * @param hidden_states  [B, T, H] of the transformer
 * @param mask           [B, T] i64
 * @param with_normalize false: Normalize modules at the end are left out */
qeff_value qeff_st_append(qeff_builder *b, const qeff_st_config *config, qeff_value hidden_states,
                          qeff_value mask, bool with_normalize);

/** Width of the sentence vectors. */
int64_t qeff_st_output_dim(const qeff_st_config *config);

/** Whether the last module that does anything is Normalize. */
bool qeff_st_ends_normalized(const qeff_st_config *config);

/** NULL where the folder has no prompt of that name. */
const qeff_st_prompt *qeff_st_find_prompt(const qeff_st_config *config, qeff_str name);

/** Describes the modules behind the transformer, such as "mean, dense 64 tanh, normalize", for
 * people to read. */
void qeff_st_describe(const qeff_st_config *config, qeff_buffer *out);

/** Whether `name` is a pooling mode: "cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean"
 * or "lasttoken". Returns the name as a constant, or NULL. */
const char *qeff_st_pooling_mode(qeff_str name);

#endif /* MODELS_SENTENCE_TRANSFORMERS_H */
