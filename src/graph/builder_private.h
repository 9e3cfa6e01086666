/* builder_private.h - the builder's state, shared by the files that make it up. */
#ifndef GRAPH_BUILDER_PRIVATE_H
#define GRAPH_BUILDER_PRIVATE_H

#include "base/error.h"
#include "base/span.h"
#include "graph/builder.h"
#include "graph/names.h"

enum {
    QB_SCOPES_MAX = 64,
    QB_MISFITS_LISTED = 8 /* of each kind, in the one error that lists them */
};

/* What the checkpoint lacks or has in another shape. */
typedef struct qb_misfits {
    size_t n_missing, n_wrong, n_wrong_dtype;
    qeff_buffer missing; /* "a, b" */
    qeff_buffer wrong;   /* "'a': expected …; 'b': …" */
} qb_misfits;

struct qeff_builder {
    qeff_graph *graph;
    const qeff_weights *weights;
    qeff_status status;
    qeff_error error;
    qeff_buffer prefix; /* of checkpoint names */
    qeff_buffer scope;  /* "encoder.layer.0." */
    size_t scope_ends[QB_SCOPES_MAX];
    size_t n_scopes;
    qeff_names names;   /* of values and nodes -> value */
    qeff_names symbols; /* of dims */
    qb_misfits misfits;
    qeff_buffer text; /* scratch */
};

/* The sticky error for a failed allocation; returns QEFF_VALUE_NONE. */
qeff_value qb_fail_memory(qeff_builder *b);

/* `scope.name` in the scratch buffer; empty on failure. */
qeff_str qb_scoped(qeff_builder *b, const char *name);

/* Adds a value under its name, or the name with "_1", "_2", … where it is taken, and copies name
 * and symbols into the arena. `data` and `known` are taken as they are. */
qeff_value qb_add_value(qeff_builder *b, const qeff_value_info *info);

/* QEFF_OK, or the error that lists all misfits. */
qeff_status qb_misfits_status(const qb_misfits *misfits, qeff_error *err);
void qb_misfits_deinit(qb_misfits *misfits);

#endif /* GRAPH_BUILDER_PRIVATE_H */
