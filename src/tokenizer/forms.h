/* forms.h - the Unicode normalization forms NFD, NFKD, NFC and NFKC, character by character. */
#ifndef TOKENIZER_FORMS_H
#define TOKENIZER_FORMS_H

#include <qeff/base.h>

/** A character on its way out, with its `change` as in qeff_transform. */
typedef struct qeff_form_char {
    uint32_t c;
    int32_t change;
} qeff_form_char;

/** Receives the characters of a form in order. */
typedef void (*qeff_form_sink)(void *ctx, uint32_t c, int32_t change);

/** The state of one pass; zero-initialise, then set the first four. Its memory can be reused for
 * the next pass after qeff_forms_flush(). */
typedef struct qeff_forms {
    bool compatible; /**< NFKD, NFKC */
    bool compose;    /**< NFC, NFKC */
    qeff_form_sink sink;
    void *ctx;
    bool failed; /**< an allocation failed; sticky */
    /* Marks since the last starter, not yet in canonical order. */
    qeff_form_char *marks;
    qeff_form_char *sorted;
    size_t n_marks, marks_capacity, sorted_capacity;
    /* What composition holds back: a starter, and the marks it did not take. */
    bool has_starter, has_last;
    uint8_t last_ccc;
    qeff_form_char starter;
    qeff_form_char *blocked;
    size_t n_blocked, blocked_capacity;
} qeff_forms;

/** Feeds a character. */
void qeff_forms_push(qeff_forms *forms, uint32_t c);
/** Ends the text: all that was held back goes to the sink. */
void qeff_forms_flush(qeff_forms *forms);
void qeff_forms_deinit(qeff_forms *forms);

#endif /* TOKENIZER_FORMS_H */
