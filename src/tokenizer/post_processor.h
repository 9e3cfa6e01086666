/* post_processor.h - step 7 of encoding: which tokens stand around the sequences. Every known
 * post-processor is a pair of templates. */
#ifndef TOKENIZER_POST_PROCESSOR_H
#define TOKENIZER_POST_PROCESSOR_H

#include "base/alloc.h"
#include "formats/json.h"
#include "tokenizer/vocab.h"

enum { QEFF_TEMPLATE_ITEMS_MAX = 1024 };

typedef enum qeff_template_kind {
    QEFF_TEMPLATE_A,
    QEFF_TEMPLATE_B,
    QEFF_TEMPLATE_TOKEN
} qeff_template_kind;

typedef struct qeff_template_item {
    qeff_template_kind kind;
    int32_t id; /**< of the token */
    int32_t type_id;
} qeff_template_item;

typedef struct qeff_template {
    qeff_template_item *items; /**< in the tokenizer's arena */
    size_t n;
    size_t n_added; /**< how many are tokens */
} qeff_template;

typedef struct qeff_post_processor {
    qeff_template single, pair;
    bool trim_offsets;     /**< RobertaProcessing: spans without the white space of their tokens */
    bool add_prefix_space; /**< … but for one at the very start */
} qeff_post_processor;

/** Reads the "post_processor" of a tokenizer.json; null and missing add no tokens.
 * @return QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED (names the type), QEFF_ERR_NO_MEMORY */
qeff_status qeff_post_processor_read(qeff_json json, qeff_arena *arena, qeff_post_processor *out,
                                     qeff_error *err);

#endif /* TOKENIZER_POST_PROCESSOR_H */
