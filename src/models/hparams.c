/* hparams.c - reads config.json into qeff_hparams.
 *
 * config.json is an object of some forty keys; an architecture lists the ones it understands, with
 * the range of each. Keys that are not listed are ignored, as in the reference, so a feature that
 * would change the result has to be listed with QEFF_OFF or QEFF_ONLY. */
#include "models/hparams.h"

#include "base/error.h"
#include "base/span.h"

#include <math.h>
#include <stdio.h>

static void *member_of(qeff_hparams *hp, const qeff_field *field)
{
    return (unsigned char *)hp + field->offset;
}

static qeff_status read_int(qeff_json value, const qeff_field *field, int64_t *out, qeff_error *err)
{
    return qeff_json_to_int(value, field->min, field->max, out, err);
}

static qeff_status read_real(qeff_json value, const qeff_field *field, double *out, qeff_error *err)
{
    double number = 0.0;
    QEFF_TRY(qeff_json_to_real(value, &number, err));
    if (!isfinite(number) || number <= 0.0 || number > 1.0)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "key '%s': expected a number above 0 and at most 1, found %g", field->key,
                         number);
    *out = number;
    return QEFF_OK;
}

/* "a, b, c" for the message; what does not fit is left out. */
static void list_words(const char *const *words, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (; *words; words++) {
        const int n = snprintf(text + used, size - used, "%s%s", used ? ", " : "", *words);
        if (n < 0 || (size_t)n >= size - used) {
            text[used] = '\0';
            return;
        }
        used += (size_t)n;
    }
}

static qeff_status
read_choice(qeff_json value, const qeff_field *field, const char **out, qeff_error *err)
{
    qeff_str word = {NULL, 0};
    QEFF_TRY(qeff_json_to_str(value, &word, err));
    for (const char *const *choice = field->choices; *choice; choice++) {
        if (qeff_str_is(word, *choice)) {
            *out = *choice;
            return QEFF_OK;
        }
    }
    char known[256];
    list_words(field->choices, known, sizeof known);
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "key '%s': unknown '%.*s', known: %s", field->key,
                     QEFF_STR_ARGS(word), known);
}

static qeff_status check_off(qeff_json value, const qeff_field *field, qeff_error *err)
{
    bool is_on = true;
    switch (qeff_json_kind_of(value)) {
    case QEFF_JSON_MISSING:
    case QEFF_JSON_NULL:
        return QEFF_OK;
    case QEFF_JSON_BOOL:
        QEFF_TRY(qeff_json_to_bool(value, &is_on, err));
        break;
    case QEFF_JSON_ARRAY:
    case QEFF_JSON_OBJECT:
        is_on = qeff_json_count(value) > 0;
        break;
    case QEFF_JSON_INT:
    case QEFF_JSON_REAL:
    case QEFF_JSON_STR:
        break;
    }
    if (!is_on) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "key '%s': models that use it are not supported",
                     field->key);
}

static qeff_status take_default(const qeff_field *field, qeff_hparams *hp, qeff_error *err)
{
    if (field->is_required) return qeff_fail(err, QEFF_ERR_FORMAT, "key '%s': missing", field->key);
    if (field->offset == QEFF_FIELD_NOWHERE) return QEFF_OK;
    switch (field->kind) {
    case QEFF_FIELD_INT:
        *(int64_t *)member_of(hp, field) = field->fallback;
        break;
    case QEFF_FIELD_REAL:
        *(double *)member_of(hp, field) = field->real_fallback;
        break;
    case QEFF_FIELD_CHOICE:
        *(const char **)member_of(hp, field) = field->choices[0];
        break;
    case QEFF_FIELD_OFF:
        break;
    }
    return QEFF_OK;
}

static qeff_status
read_field(qeff_json value, const qeff_field *field, qeff_hparams *hp, qeff_error *err)
{
    const char *unused = NULL;
    switch (field->kind) {
    case QEFF_FIELD_INT:
        return read_int(value, field, member_of(hp, field), err);
    case QEFF_FIELD_REAL:
        return read_real(value, field, member_of(hp, field), err);
    case QEFF_FIELD_CHOICE:
        return read_choice(value, field,
                           field->offset == QEFF_FIELD_NOWHERE ? &unused : member_of(hp, field),
                           err);
    case QEFF_FIELD_OFF:
        return check_off(value, field, err);
    }
    return QEFF_OK;
}

qeff_status
qeff_hparams_read(qeff_json config, const qeff_field *fields, qeff_hparams *out, qeff_error *err)
{
    *out = (qeff_hparams){0};
    for (const qeff_field *field = fields; field->key; field++) {
        const qeff_json value = qeff_json_find(config, field->key);
        const qeff_json_kind kind = qeff_json_kind_of(value);
        if (kind == QEFF_JSON_MISSING || kind == QEFF_JSON_NULL)
            QEFF_TRY(take_default(field, out, err));
        else
            QEFF_TRY(read_field(value, field, out, err));
    }
    return QEFF_OK;
}
