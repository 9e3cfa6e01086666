/* names.c - sorted name tables. */
#include "onnx/names.h"

#include "base/span.h"

#include <stdlib.h>

static int compare_text(qeff_str a, qeff_str b)
{
    const size_t n = a.size < b.size ? a.size : b.size;
    const int order = n ? memcmp(a.data, b.data, n) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_entries(const void *a, const void *b)
{
    const qeff_onnx_name *x = a, *y = b;
    const int order = compare_text(x->text, y->text);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

void qeff_onnx_names_sort(qeff_onnx_names *names)
{
    if (names->n_items > 1)
        qsort(names->items, names->n_items, sizeof *names->items, compare_entries);
}

const qeff_onnx_name *qeff_onnx_names_find_twin(const qeff_onnx_names *names)
{
    for (size_t i = 1; i < names->n_items; i++)
        if (qeff_str_equal(names->items[i - 1].text, names->items[i].text)) return &names->items[i];
    return NULL;
}

qeff_onnx_name *qeff_onnx_names_find(const qeff_onnx_names *names, qeff_str text)
{
    size_t low = 0, high = names->n_items;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = compare_text(names->items[middle].text, text);
        if (order == 0) return &names->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
