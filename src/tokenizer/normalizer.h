/* normalizer.h - step 2 of encoding: text to canonical text, with alignment to the original.
 *
 * A new normalizer is a value of the enum, a member of the union, a reader and an apply function,
 * and a line in the table of normalizer.c. Sequences are flattened when they are read, so running
 * one never recurses. */
#ifndef TOKENIZER_NORMALIZER_H
#define TOKENIZER_NORMALIZER_H

#include "base/alloc.h"
#include "formats/json.h"
#include "tokenizer/forms.h"
#include "tokenizer/normalized.h"

/** Deepest nesting of Sequence components in any list of a tokenizer.json. */
enum { QEFF_SEQUENCE_DEPTH_MAX = 16, QEFF_SEQUENCE_STEPS_MAX = 256 };

typedef struct qeff_normalizer_step qeff_normalizer_step;

/** Memory that one encoding lends to the normalizers. Zero-initialise. */
typedef struct qeff_normalizer_workspace {
    qeff_normalized texts[2];
    qeff_forms forms;
    qeff_span *queue; /**< spans of characters that wait for canonical ordering */
    size_t queue_head, queue_size, queue_capacity;
    bool failed; /**< an allocation failed */
} qeff_normalizer_workspace;

void qeff_normalizer_workspace_deinit(qeff_normalizer_workspace *workspace);

/** Writes the normalized form of `in` to `out`, which is empty. */
typedef void (*qeff_normalizer_apply)(const qeff_normalizer_step *step, qeff_view in,
                                      qeff_normalized *out, qeff_normalizer_workspace *workspace);

struct qeff_normalizer_step {
    qeff_normalizer_apply apply;
    bool is_lowercase; /**< the Lowercase normalizer itself */
    union {
        struct {
            bool clean, chinese, accents, lowercase;
            uint8_t ascii[128]; /**< what an ASCII character becomes; QEFF_BERT_DROP: nothing */
        } bert;
        struct {
            bool compatible, compose;
        } form;
        struct {
            bool left, right;
        } strip;
        struct {
            qeff_str pattern, content; /**< in the tokenizer's arena */
        } replace;
        qeff_str prepend;
    };
};

enum { QEFF_BERT_DROP = 0xff };

/** Steps in order; none: the text stays as it is. Lives in the tokenizer's arena. */
typedef struct qeff_normalizer {
    qeff_normalizer_step *steps;
    size_t n;
} qeff_normalizer;

/** Reads the "normalizer" of a tokenizer.json; null and missing give no steps.
 * @param lowercase  put Lowercase first, unless there is one
 * @return QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED (names the type), QEFF_ERR_NO_MEMORY */
qeff_status qeff_normalizer_read(qeff_json json, bool lowercase, qeff_arena *arena,
                                 qeff_normalizer *out, qeff_error *err);

/** Runs all steps.
 * @param aligned  the result has spans
 * @return the result, which lies in `in` or in the workspace until its next use; check
 *         `workspace->failed` */
qeff_view qeff_normalizer_run(const qeff_normalizer *normalizer, qeff_view in, bool aligned,
                              qeff_normalizer_workspace *workspace);

/** BertNormalizer (bert_normalizer.c). */
void qeff_bert_normalizer_init(qeff_normalizer_step *step);
void qeff_bert_normalizer_apply(const qeff_normalizer_step *step, qeff_view in,
                                qeff_normalized *out, qeff_normalizer_workspace *workspace);

#endif /* TOKENIZER_NORMALIZER_H */
