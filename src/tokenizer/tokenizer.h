/* tokenizer.h - what a loaded tokenizer is made of. */
#ifndef TOKENIZER_TOKENIZER_H
#define TOKENIZER_TOKENIZER_H

#include "base/buffer.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/bert_words.h"
#include "tokenizer/decoder.h"
#include "tokenizer/model.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/pre_tokenizer.h"

#include <qeff/tokenizer.h>

/** What comes from beside tokenizer.json, and is kept in its key "qeff". */
typedef struct qeff_tokenizer_settings {
    size_t max_length;
    bool lowercase;
    qeff_str special[QEFF_TOKEN_ROLES]; /**< texts; empty: not named */
} qeff_tokenizer_settings;

struct qeff_tokenizer {
    qeff_arena arena;
    qeff_buffer json;              /**< empty where an image was opened */
    qeff_str text;                 /**< of tokenizer.json: in `json`, or with the image's owner */
    uint64_t digest[2];            /**< of the text */
    qeff_str rest;                 /**< of the image: the text without its vocabulary */
    size_t vocab_begin, vocab_end; /**< bytes of `json` that the vocabulary takes, or none */
    qeff_tokenizer_settings settings;
    qeff_normalizer normalizer;
    qeff_pre_tokenizer pre_tokenizer;
    qeff_token_model model;
    qeff_added_tokens added;
    bool is_bert; /**< `bert` stands for normalizer, pre-tokenizer and model */
    qeff_bert_words bert;
    qeff_post_processor post_processor;
    qeff_decoder decoder;
    int32_t special[QEFF_TOKEN_ROLES]; /**< ids, -1: none */
    int32_t pad_type_id;
    bool has_file_truncation, has_file_padding;
    qeff_encode_options file_options; /**< truncation and padding of tokenizer.json */
};

/** Builds a tokenizer from `json`, which it takes over, and `settings`, which lose against the
 * text's own key "qeff" and are written into the text where it has none.
 * @return as qeff_tokenizer_parse() */
qeff_status qeff_huggingface_read(qeff_buffer *json, const qeff_tokenizer_settings *settings,
                                  qeff_tokenizer **out, qeff_error *err);

/** Builds all but the vocabulary, which is there already, from `rest`: a tokenizer.json in whose
 * place of the vocabulary is an empty object.
 * @return as qeff_tokenizer_parse() */
qeff_status qeff_huggingface_read_rest(qeff_tokenizer *tokenizer, qeff_str rest, qeff_error *err);

/** Appends that text of a tokenizer; errors are the buffer's. */
void qeff_huggingface_append_rest(const qeff_tokenizer *tokenizer, qeff_buffer *out);

/** Texts of tokenizer_config.json and special_tokens_map.json beside a tokenizer. Zero-initialise;
 * `arena` holds the texts. */
typedef struct qeff_tokenizer_folder {
    qeff_arena arena;
    qeff_tokenizer_settings settings;
} qeff_tokenizer_folder;

/** Reads what there is in `folder`; missing files are fine. */
qeff_status
qeff_tokenizer_folder_read(const char *folder, qeff_tokenizer_folder *out, qeff_error *err);

/** Writes the tokenizer.json that vocab.txt and tokenizer_config.json of `folder` stand for. */
qeff_status qeff_vocab_txt_read(const char *folder, const qeff_tokenizer_settings *settings,
                                qeff_buffer *json, qeff_error *err);

#endif /* TOKENIZER_TOKENIZER_H */
