/* hparams.h - hyperparameters of a model, read from config.json by a table of fields. */
#ifndef MODELS_HPARAMS_H
#define MODELS_HPARAMS_H

#include "formats/json.h"

/** The union of what the architectures need; a field that an architecture does not list is 0. */
typedef struct qeff_hparams {
    int64_t vocab;          /**< rows of the word table */
    int64_t hidden;         /**< H */
    int64_t n_layers;       /**< */
    int64_t n_heads;        /**< N; the head dim is H / N */
    int64_t ffn;            /**< F */
    int64_t n_positions;    /**< rows of the position table: the longest sequence */
    int64_t n_types;        /**< rows of the token type table */
    double norm_eps;        /**< added to the variance */
    const char *activation; /**< Hugging Face name, one that qeff_block_activation() knows */
} qeff_hparams;

typedef enum qeff_field_kind {
    QEFF_FIELD_INT,    /**< an integer in [min, max] */
    QEFF_FIELD_REAL,   /**< a number in (0, 1] */
    QEFF_FIELD_CHOICE, /**< one of the words in `choices` */
    QEFF_FIELD_OFF, /**< a feature that is not supported: must be missing, null, false or empty */
} qeff_field_kind;

/** One key of config.json. A null value counts as a missing key. */
typedef struct qeff_field {
    const char *key; /**< NULL ends a table */
    qeff_field_kind kind;
    bool is_required; /**< false: a missing key takes the default */
    size_t offset;    /**< of the member in qeff_hparams; QEFF_FIELD_NOWHERE: only checked */
    int64_t min, max, fallback; /**< INT */
    double real_fallback;       /**< REAL */
    const char *const *choices; /**< CHOICE: NULL ends; the first is the default */
} qeff_field;

#define QEFF_FIELD_NOWHERE SIZE_MAX

/** Table lines. Upper bounds keep a hostile config.json from asking for a giant graph. */
#define QEFF_INT(name, member, lowest, highest)                                                    \
    {                                                                                              \
        .key = (name), .kind = QEFF_FIELD_INT, .is_required = true,                                \
        .offset = offsetof(qeff_hparams, member), .min = (lowest), .max = (highest)                \
    }
#define QEFF_INT_OR(name, member, lowest, highest, otherwise)                                      \
    {                                                                                              \
        .key = (name), .kind = QEFF_FIELD_INT, .offset = offsetof(qeff_hparams, member),           \
        .min = (lowest), .max = (highest), .fallback = (otherwise)                                 \
    }
#define QEFF_REAL_OR(name, member, otherwise)                                                      \
    {                                                                                              \
        .key = (name), .kind = QEFF_FIELD_REAL, .offset = offsetof(qeff_hparams, member),          \
        .real_fallback = (otherwise)                                                               \
    }
#define QEFF_CHOICE(name, member, words)                                                           \
    {                                                                                              \
        .key = (name), .kind = QEFF_FIELD_CHOICE, .offset = offsetof(qeff_hparams, member),        \
        .choices = (words)                                                                         \
    }
/** Checked, but nothing is stored. */
#define QEFF_ONLY(name, words)                                                                     \
    {                                                                                              \
        .key = (name), .kind = QEFF_FIELD_CHOICE, .offset = QEFF_FIELD_NOWHERE, .choices = (words) \
    }
#define QEFF_OFF(name)                                                                             \
    {                                                                                              \
        .key = (name), .kind = QEFF_FIELD_OFF, .offset = QEFF_FIELD_NOWHERE                        \
    }

/** Reads all fields of a table from the root object of config.json.
 * @return QEFF_ERR_FORMAT       a missing key, a wrong type, a number out of range
 *         QEFF_ERR_UNSUPPORTED  a word that is not among the choices, a feature that is not known
 *         Messages name the key, not the file. */
qeff_status
qeff_hparams_read(qeff_json config, const qeff_field *fields, qeff_hparams *out, qeff_error *err);

#endif /* MODELS_HPARAMS_H */
