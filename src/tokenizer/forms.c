/* forms.c - Unicode normalization forms on Unicode 9 data (UAX #15), with the `change` of each
 * output character as the reference counts it.
 *
 * A decomposition's first part has change 0, the others 1; canonical ordering moves characters
 * with their changes. A composite's change is the sum of its parts', less one for each part taken.
 * Marks of one starter are put in order by counting, so that a million of them take linear time. */
#include "tokenizer/forms.h"

#include "base/alloc.h"
#include "tokenizer/unicode.h"

#include <string.h>

static bool push_char(qeff_form_char **items, size_t *n, size_t *capacity, qeff_form_char item)
{
    qeff_form_char *moved = qeff_grow(*items, *n, capacity, sizeof *moved);
    if (!moved) return false;
    moved[(*n)++] = item;
    *items = moved;
    return true;
}

static void release_blocked(qeff_forms *f)
{
    for (size_t i = 0; i < f->n_blocked; i++)
        f->sink(f->ctx, f->blocked[i].c, f->blocked[i].change);
    f->n_blocked = 0;
    f->has_last = false;
}

/* A starter that did not compose with the one before it takes its place. */
static void replace_starter(qeff_forms *f, qeff_form_char item)
{
    const qeff_form_char before = f->starter;
    f->starter = item;
    f->sink(f->ctx, before.c, before.change);
    release_blocked(f);
}

static void compose(qeff_forms *f, qeff_form_char item)
{
    const uint8_t ccc = qeff_unicode_ccc(item.c);
    if (!f->has_starter) {
        if (ccc != 0) {
            f->sink(f->ctx, item.c, item.change);
        } else {
            f->starter = item;
            f->has_starter = true;
        }
        return;
    }
    const bool is_blocked = f->has_last && f->last_ccc >= ccc;
    if (!is_blocked) {
        const uint32_t composite = qeff_unicode_compose(f->starter.c, item.c);
        if (composite) {
            f->starter.c = composite;
            f->starter.change += item.change - 1;
            return;
        }
    }
    if (ccc == 0) {
        replace_starter(f, item);
        return;
    }
    if (!push_char(&f->blocked, &f->n_blocked, &f->blocked_capacity, item)) f->failed = true;
    f->last_ccc = ccc;
    f->has_last = true;
}

static void release(qeff_forms *f, qeff_form_char item)
{
    if (f->compose)
        compose(f, item);
    else
        f->sink(f->ctx, item.c, item.change);
}

static bool sort_marks(qeff_forms *f)
{
    size_t first[256] = {0};
    while (f->sorted_capacity < f->n_marks) {
        void *moved =
            qeff_grow(f->sorted, f->sorted_capacity, &f->sorted_capacity, sizeof *f->sorted);
        if (!moved) return false;
        f->sorted = moved;
    }
    for (size_t i = 0; i < f->n_marks; i++)
        first[qeff_unicode_ccc(f->marks[i].c)]++;
    for (size_t i = 0, sum = 0; i < 256; i++) {
        const size_t count = first[i];
        first[i] = sum;
        sum += count;
    }
    for (size_t i = 0; i < f->n_marks; i++)
        f->sorted[first[qeff_unicode_ccc(f->marks[i].c)]++] = f->marks[i];
    return true;
}

static void release_marks(qeff_forms *f)
{
    if (f->n_marks == 0) return;
    const qeff_form_char *marks = f->marks;
    if (f->n_marks > 1) {
        if (sort_marks(f))
            marks = f->sorted;
        else
            f->failed = true;
    }
    for (size_t i = 0; i < f->n_marks; i++)
        release(f, marks[i]);
    f->n_marks = 0;
}

static void push_part(qeff_forms *f, uint32_t c, int32_t change)
{
    const qeff_form_char item = {c, change};
    if (qeff_unicode_ccc(c) == 0) {
        release_marks(f);
        release(f, item);
    } else if (!push_char(&f->marks, &f->n_marks, &f->marks_capacity, item)) {
        f->failed = true;
    }
}

void qeff_forms_push(qeff_forms *f, uint32_t c)
{
    if (c < 0x80 || !(qeff_unicode_flags(c) & QEFF_UNICODE_NFX)) {
        if (f->n_marks) release_marks(f);
        release(f, (qeff_form_char){c, 0});
        return;
    }
    uint32_t parts[QEFF_UNICODE_DECOMPOSITION_MAX];
    const size_t n = qeff_unicode_decompose(c, f->compatible, parts);
    if (n == 0) push_part(f, c, 0);
    for (size_t i = 0; i < n; i++)
        push_part(f, parts[i], i > 0);
}

void qeff_forms_flush(qeff_forms *f)
{
    release_marks(f);
    if (f->has_starter) f->sink(f->ctx, f->starter.c, f->starter.change);
    f->has_starter = false;
    release_blocked(f);
}

void qeff_forms_deinit(qeff_forms *f)
{
    qeff_free(f->marks);
    qeff_free(f->sorted);
    qeff_free(f->blocked);
    *f = (qeff_forms){0};
}
