/* qeff/auto_model.h - encoders and text embeddings: load a model folder, export it to ONNX, compile
 * it for a target, run it on ids or on texts. */
#ifndef QEFF_AUTO_MODEL_H
#define QEFF_AUTO_MODEL_H

#include <qeff/tensor.h>
#include <qeff/tokenizer.h>
#include <qeff/transformers_base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A loaded model. Loading and describing are thread-safe on different models; one model serves
 * one caller at a time. */
typedef struct qeff_auto_model qeff_auto_model;

typedef enum qeff_toggle {
    QEFF_TOGGLE_DEFAULT = 0, /**< as the model folder says */
    QEFF_TOGGLE_ON,
    QEFF_TOGGLE_OFF
} qeff_toggle;

/** Zero-initialise, then set what differs: zero always means the default. */
typedef struct qeff_auto_model_options {
    /** "mean", "max", "cls", "mean_sqrt_len_tokens", "weightedmean", "lasttoken": overrides the
     * folder's modules, then without normalisation; "none": hidden states of every token. NULL:
     * the folder's modules, or mean where it has none. */
    const char *pooling;
    qeff_toggle normalize;    /**< L2-normalise the vectors */
    bool with_token_type_ids; /**< take token_type_ids as a third input */
    const char *target;       /**< "cpu", the default */
    /** In which numbers the products with weights are computed: "fp32"; "bf16"; "int8", the
     * fastest; "int8-mixed", between them. NULL: fp32, or what a program was compiled with. */
    const char *precision;
    int n_threads;                 /**< 0: as many as can run at once here; more are refused */
    bool no_cache;                 /**< neither read nor write the program cache */
    const qeff_progress *progress; /**< NULL: silent; must outlive the model */
} qeff_auto_model_options;

/** Loads a model folder (config.json, model.safetensors, tokenizer and module files), or a program
 * folder that qeff_auto_model_compile() made. The caller owns `*out`.
 * @return QEFF_ERR_NOT_FOUND, QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED (names what), QEFF_ERR_INVALID
 *         (an option), QEFF_ERR_IO, QEFF_ERR_NO_MEMORY; `*out` is NULL then */
QEFF_API QEFF_MUST_CHECK qeff_status
qeff_auto_model_from_pretrained(const char *path, const qeff_auto_model_options *options,
                                qeff_auto_model **out, qeff_error *err);

/** Releases the model and its sessions. NULL is allowed. */
QEFF_API void qeff_auto_model_destroy(qeff_auto_model *model);

/** The shared part; lives as long as the model. */
QEFF_API qeff_transformers_base *qeff_auto_model_base(qeff_auto_model *model);

/** The model's tokenizer, or NULL where it has none; lives as long as the model. It lower-cases
 * where the model's modules ask for it. */
QEFF_API const qeff_tokenizer *qeff_auto_model_tokenizer(const qeff_auto_model *model);

/** A remark worth showing to a person, such as that the folder names no pooling; NULL: none. */
QEFF_API const char *qeff_auto_model_notice(const qeff_auto_model *model);

/** Writes `<folder>/<name>.onnx` (opset 17; inputs input_ids, attention_mask [batch_size, seq_len]
 * i64; output `output`) and its external data. Atomic; the same model gives the same bytes.
 * @param folder  created where needed; NULL: the cache folder of the model
 * @param path    receives the path of the ONNX file, allocated: release with qeff_release();
 *                may be NULL
 * @return QEFF_ERR_UNSUPPORTED (a model loaded from a program), QEFF_ERR_IO, QEFF_ERR_NO_SPACE,
 *         QEFF_ERR_NO_MEMORY */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_auto_model_export(qeff_auto_model *model,
                                                            const char *folder, char **path,
                                                            qeff_error *err);

/** Compiles into a program folder that holds everything encode() needs, tokenizer included.
 * @param folder  must not exist or be empty; NULL: the program cache, keyed by content, where an
 *                existing entry is used as it is
 * @param path    receives the program folder, allocated: release with qeff_release(); may be NULL
 * @return QEFF_ERR_INVALID (folder not empty), QEFF_ERR_UNSUPPORTED, QEFF_ERR_IO,
 *         QEFF_ERR_NO_SPACE, QEFF_ERR_NO_MEMORY */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_auto_model_compile(qeff_auto_model *model,
                                                             const char *folder, char **path,
                                                             qeff_error *err);

/** Runs the model on ids, compiling first where that has not been done.
 * @param inputs  input_ids and attention_mask, [B, T] i64, and token_type_ids where asked for
 * @param outputs receives a list the caller owns: `output` f32, [B, H] pooled or [B, T, H]
 * @return as qeff_session_run() and qeff_auto_model_compile() */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_auto_model_generate(qeff_auto_model *model,
                                                              const qeff_tensor *inputs,
                                                              size_t n_inputs,
                                                              qeff_tensors **outputs,
                                                              qeff_error *err);

typedef enum qeff_overflow {
    QEFF_OVERFLOW_TRUNCATE_RIGHT = 0, /**< keep the beginning, as sentence-transformers */
    QEFF_OVERFLOW_TRUNCATE_LEFT,      /**< keep the end */
    QEFF_OVERFLOW_ERROR               /**< QEFF_ERR_CAPACITY, naming text and length */
} qeff_overflow;

/** Zero-initialise, then set what differs: zero always means the default. */
typedef struct qeff_auto_model_encode_options {
    const char *prompt_name; /**< a prompt of the model; NULL: its default prompt, if any */
    const char *prompt;      /**< a literal prefix instead; NULL: none */
    size_t truncate_dim;     /**< keep the first dimensions; 0: as the folder says, else all */
    qeff_overflow overflow;
    size_t max_length; /**< tokens, special ones included, up to the positions the model has; 0: its
                          max_seq_length */
    size_t batch_size; /**< texts at once; 0: 32. Never changes a result */
} qeff_auto_model_encode_options;

/** Vectors of texts, in their order. */
typedef struct qeff_embeddings {
    size_t count;       /**< N texts */
    size_t dim;         /**< D */
    float *values;      /**< pooled: [N, D]; without pooling: [offsets[N], D], token after token */
    size_t *offsets;    /**< without pooling: [N + 1] first token of each text; NULL where pooled */
    size_t n_tokens;    /**< tokens computed, special ones included */
    size_t n_truncated; /**< texts that were cut */
} qeff_embeddings;

/** Releases the vectors. NULL is allowed. */
QEFF_API void qeff_embeddings_destroy(qeff_embeddings *embeddings);

/** Turns texts into vectors, as sentence-transformers' encode does: prompt, tokenizer, model,
 * modules, then truncate_dim. The same text gives the same bits whatever its neighbours, their
 * order, the batch size and the number of threads.
 * @param texts  [n] UTF-8; invalid bytes count as U+FFFD
 * @return QEFF_ERR_NOT_FOUND (no such prompt, or no tokenizer), QEFF_ERR_INVALID,
 *         QEFF_ERR_CAPACITY (with overflow error), QEFF_ERR_NO_MEMORY, and those of compile */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_auto_model_encode(
    qeff_auto_model *model, const qeff_str *texts, size_t n,
    const qeff_auto_model_encode_options *options, qeff_embeddings **out, qeff_error *err);

/** The same from token ids, special ones included, without tokenizer and prompts: sequences lie one
 * after another and are not padded.
 * @param ids      [offsets[n]], each below the vocabulary's size; type ids are 0
 * @param offsets  [n + 1], from 0 upwards: where each sequence begins, none of them empty
 * @param options  of them truncate_dim and batch_size are read; NULL: the defaults
 * @return QEFF_ERR_INVALID (an id or offset), QEFF_ERR_CAPACITY (a sequence is longer than the
 *         positions the model has), QEFF_ERR_NO_MEMORY, and those of compile */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_auto_model_encode_ids(
    qeff_auto_model *model, const int64_t *ids, const size_t *offsets, size_t n,
    const qeff_auto_model_encode_options *options, qeff_embeddings **out, qeff_error *err);

#ifdef __cplusplus
}
#endif
#endif /* QEFF_AUTO_MODEL_H */
