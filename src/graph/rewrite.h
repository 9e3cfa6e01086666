/* rewrite.h - how a pass makes its new graph: walk the old one, copy or replace, finish.
 *
 *   qeff_rewrite rw;
 *   QEFF_TRY(qeff_rewrite_begin(&rw, in, err));
 *   for (size_t i = 0; i < in->n_nodes; i++)
 *       qeff_rewrite_copy(&rw, &in->nodes[i]);
 *   return qeff_rewrite_finish(&rw, out, err);
 *
 * Names stay. Inputs are copied at once, weights when something first uses them, so that unused
 * ones go, and nodes in the order of the calls. Errors are sticky in the builder. */
#ifndef GRAPH_REWRITE_H
#define GRAPH_REWRITE_H

#include "graph/builder.h"

typedef struct qeff_rewrite {
    const qeff_graph *in;
    qeff_builder *b;
    qeff_value *map; /**< [in->n_values] the value in the new graph, or QEFF_VALUE_NONE */
} qeff_rewrite;

qeff_status qeff_rewrite_begin(qeff_rewrite *rw, const qeff_graph *in, qeff_error *err);

/** The new value for an old one; QEFF_VALUE_NONE for QEFF_VALUE_NONE. */
qeff_value qeff_rewrite_value(qeff_rewrite *rw, qeff_value old);
/** The new graph's value stands for the old one from here on. */
void qeff_rewrite_set(qeff_rewrite *rw, qeff_value old, qeff_value replacement);
/** Adds the node as it is, or with other op, operands and attributes but its name and outputs.
 * `inputs` are old values. */
void qeff_rewrite_copy(qeff_rewrite *rw, const qeff_node *node);
void qeff_rewrite_replace(qeff_rewrite *rw, const qeff_node *node, qeff_op op,
                          const qeff_value *inputs, size_t n_inputs,
                          const qeff_attribute *attributes, size_t n_attributes);

/** Outputs, verification, release of the rewrite. `in` is untouched and may be destroyed, but
 * weights that it borrows must go on living. */
qeff_status qeff_rewrite_finish(qeff_rewrite *rw, qeff_graph **out, qeff_error *err);
/** Drops it all; for a pass that fails on its own. Allowed after finish. */
void qeff_rewrite_abort(qeff_rewrite *rw);

#endif /* GRAPH_REWRITE_H */
