/* auto_model_private.h - the auto model's state, shared by the files that make up the class. */
#ifndef API_AUTO_MODEL_PRIVATE_H
#define API_AUTO_MODEL_PRIVATE_H

#include "api/backends.h"
#include "api/text_settings.h"
#include "compile/compile.h"
#include "runtime/program.h"
#include "runtime/session.h"

#include <qeff/auto_model.h>
#include <qeff/tokenizer.h>

struct qeff_transformers_base {
    qeff_model *model;         /**< NULL where loaded from a program */
    qeff_tokenizer *tokenizer; /**< NULL where the folder has none */
    qeff_model_options options;
    qeff_text_settings text;
    qeff_buffer text_json; /**< of a model folder; empty for a program */
    qeff_str config;       /**< text of config.json */
    qeff_file config_file; /**< holds `config` of a model folder */
    bool no_cache;         /**< neither read nor write what is remembered between runs */
    bool has_digest;
    uint8_t digest[QEFF_HASH_BYTES];
    char hex[QEFF_HASH_HEX + 1];
};

struct qeff_auto_model {
    qeff_transformers_base base;
    const qeff_backend *backend;
    qeff_compile_options compile;
    bool wants_unit_length; /**< normalize was switched on: also after a cut */
    int n_threads;
    const qeff_progress *progress;
    char *pooling; /**< copy of the option; base.options borrows it */
    char notice[256];
    qeff_program *program; /**< NULL until needed */
    qeff_session *session; /**< NULL until needed */
};

/** Loads the shared part from a model folder. */
qeff_status
qeff_transformers_base_open(qeff_transformers_base *base, const char *folder, qeff_error *err);
/** Loads it from a program, which must outlive it. */
qeff_status qeff_transformers_base_open_program(qeff_transformers_base *base,
                                                const qeff_program *program, qeff_error *err);
void qeff_transformers_base_close(qeff_transformers_base *base);

/** Makes sure that program and session are there: from the cache, or compiled now. */
qeff_status qeff_auto_model_ready(qeff_auto_model *model, qeff_error *err);

#endif /* API_AUTO_MODEL_PRIVATE_H */
