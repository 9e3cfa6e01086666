/* names.h - text -> number, for the names of a graph under construction. */
#ifndef GRAPH_NAMES_H
#define GRAPH_NAMES_H

#include <qeff/base.h>

typedef struct qeff_names_entry {
    qeff_str text; /**< borrowed; data NULL: free slot */
    int32_t value;
    uint32_t n_copies; /**< for the user: names that were made from this one */
} qeff_names_entry;

/** Zero-initialise. Open addressing; lookups take constant time whatever the names are: the hash
 * is seeded by the table's place in memory, which a file cannot know. Entries have no order. */
typedef struct qeff_names {
    qeff_names_entry *slots;
    size_t n_slots; /**< a power of two, or 0 */
    size_t n;
} qeff_names;

/** NULL where there is none. Valid until the next qeff_names_add(). */
qeff_names_entry *qeff_names_find(const qeff_names *names, qeff_str text);
/** `text` must not be there yet and must outlive the table. False where there is no memory. */
bool qeff_names_add(qeff_names *names, qeff_str text, int32_t value);
void qeff_names_deinit(qeff_names *names);

#endif /* GRAPH_NAMES_H */
