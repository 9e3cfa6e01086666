/* hparams.h - hyperparameters of a model, read from config.json by a table of fields. */
#ifndef MODELS_HPARAMS_H
#define MODELS_HPARAMS_H

#include "formats/json.h"

/** The union of what the architectures need; a field that an architecture does not list is 0. */
typedef struct qeff_hparams {
    int64_t vocab;  /**< rows of the word table */
    int64_t hidden; /**< H */
    int64_t n_layers;
    int64_t n_heads;     /**< N; head dim is H / N */
    int64_t ffn;         /**< F */
    int64_t n_positions; /**< rows of the position table: the longest sequence */
    int64_t n_types;     /**< rows of the token type table */
    double norm_eps;
    char activation[32]; /**< Hugging Face name, known to qb_activation() */
} qeff_hparams;

typedef enum qeff_field_kind {
    QEFF_FIELD_INT,    /**< an integer in [min, max] */
    QEFF_FIELD_REAL,   /**< a finite number in [min_real, max_real] */
    QEFF_FIELD_CHOICE, /**< one of the words in `choices` */
    QEFF_FIELD_ABSENT, /**< must be missing, null, false, or an empty object or array */
} qeff_field_kind;

/** One key of config.json. */
typedef struct qeff_field {
    const char *key; /**< NULL ends a table */
    qeff_field_kind kind;
    bool is_required;    /**< false: a missing or null key keeps the default */
    size_t offset;       /**< in qeff_hparams; CHOICE: of a char[32], or QEFF_FIELD_NOWHERE */
    int64_t min, max;    /**< INT */
    int64_t int_default; /**< INT */
    double min_real, max_real, real_default; /**< REAL */
    const char *const *choices;              /**< CHOICE: NULL-terminated; the first: the default */
} qeff_field;

#define QEFF_FIELD_NOWHERE SIZE_MAX

/** Reads all fields of a table from the root object of config.json.
 * @return QEFF_ERR_FORMAT       a missing key, a wrong type, a number out of range
 *         QEFF_ERR_UNSUPPORTED  a word that is not among the choices, or a feature switched on
 *         that must be absent. Messages name the key, not the file. */
qeff_status
qeff_hparams_read(qeff_json config, const qeff_field *fields, qeff_hparams *out, qeff_error *err);

#endif /* MODELS_HPARAMS_H */
