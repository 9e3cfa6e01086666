/* names.h - names sorted for look-up: n log n whatever the names are, where a hash table could be
 * slowed down by names made to collide. */
#ifndef ONNX_NAMES_H
#define ONNX_NAMES_H

#include "base/alloc.h"

/** A name and what it stands for: an index whose meaning is the table's. */
typedef struct qeff_onnx_name {
    qeff_str text;
    int32_t index;
    uint32_t flags; /**< the user's */
} qeff_onnx_name;

/** Sorts bytewise, equal texts by index; the caller fills `items` [n_items]. */
typedef struct qeff_onnx_names {
    qeff_onnx_name *items;
    size_t n_items;
} qeff_onnx_names;

void qeff_onnx_names_sort(qeff_onnx_names *names);
/** In a sorted table: the first name that occurs twice (its second entry), or NULL. */
const qeff_onnx_name *qeff_onnx_names_find_twin(const qeff_onnx_names *names);
/** In a sorted table: the entry, or NULL. */
qeff_onnx_name *qeff_onnx_names_find(const qeff_onnx_names *names, qeff_str text);

#endif /* ONNX_NAMES_H */
