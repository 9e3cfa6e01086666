/* text_settings.h - how a model wants its text: prompts, limits, what comes out. One JSON image,
 * `text.json`, carries it inside a program; a model folder is read by writing that text first, so
 * that both ways meet in one reader. */
#ifndef API_TEXT_SETTINGS_H
#define API_TEXT_SETTINGS_H

#include "base/alloc.h"
#include "base/buffer.h"
#include "models/model.h"

typedef struct qeff_text_prompt {
    qeff_str name, text;
} qeff_text_prompt;

/** Strings live in the arena. */
typedef struct qeff_text_settings {
    qeff_str architecture;  /**< "BertModel" */
    qeff_str model_type;    /**< "bert" */
    qeff_str pooling;       /**< for people: "mean, normalize"; "none" */
    bool is_pooled;         /**< one vector a text, not one a token */
    bool is_normalized;     /**< the program ends with L2 normalisation */
    bool takes_type_ids;    /**< third input token_type_ids */
    bool has_modules;       /**< the folder had modules.json */
    bool do_lower_case;     /**< lower-case where the tokenizer does not */
    int64_t dim;            /**< width of `output` */
    int64_t max_seq_length; /**< tokens, special ones included, where nothing else is asked */
    int64_t max_positions;  /**< tokens the model can take at all */
    int64_t truncate_dim;   /**< 0: all */
    qeff_str default_prompt_name;
    qeff_text_prompt *prompts; /**< [n_prompts] */
    size_t n_prompts;
    qeff_arena arena;
} qeff_text_settings;

/** Writes the text of a model built with these options. */
qeff_status qeff_text_settings_format(const qeff_model *model, const qeff_model_options *options,
                                      qeff_buffer *out, qeff_error *err);
/** Reads it back; everything is checked, since a program may come from anywhere. */
qeff_status qeff_text_settings_parse(qeff_str json, qeff_text_settings *out, qeff_error *err);
void qeff_text_settings_deinit(qeff_text_settings *settings);

/** Finds a prompt; NULL where there is none of that name. */
const qeff_text_prompt *
qeff_text_settings_find_prompt(const qeff_text_settings *settings, qeff_str name);

#endif /* API_TEXT_SETTINGS_H */
