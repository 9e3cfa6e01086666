/* reference.h - what a graph means, computed naively in double: one loop over the elements of each
 * result, straight from the definition of the op. Slow and obvious on purpose. */
#ifndef TESTS_CONFORMANCE_REFERENCE_H
#define TESTS_CONFORMANCE_REFERENCE_H

#include "graph/graph.h"

/** Elements as doubles, whatever the dtype: integers of tests are small enough to be exact. */
typedef struct ref_tensor {
    size_t rank;
    int64_t dims[QEFF_MAX_RANK];
    size_t count;
    double *data; /**< malloc */
} ref_tensor;

ref_tensor ref_make(size_t rank, const int64_t *dims);
void ref_free(ref_tensor *t);

/** One op: operands (NULL where absent) to results, which the function makes. */
typedef struct ref_call {
    const qeff_graph *graph;
    const qeff_node *node;
    const ref_tensor *in[16];
    size_t n_in, n_out;
    ref_tensor *out; /**< [n_out] */
} ref_call;

/** Runs a node; false where the op has no reference (a test fails then). */
bool ref_run_node(ref_call *call);

/** Runs the graph: `inputs` by graph input, `outputs` by graph output, made here. */
bool ref_run(const qeff_graph *graph, const ref_tensor *inputs, ref_tensor *outputs);

/* reference_shapes.c */
bool ref_run_layout(ref_call *call);
/* reference_composites.c */
bool ref_run_composite(ref_call *call);

/** Helpers shared by the three files. */
void ref_unflatten(const ref_tensor *t, size_t flat, int64_t index[QEFF_MAX_RANK]);
size_t ref_flatten(const ref_tensor *t, const int64_t *index);
/** Element of `t` for an index of a result of `rank` that it broadcasts to. */
double ref_broadcast(const ref_tensor *t, const int64_t *index, size_t rank);
size_t ref_axis(const ref_call *call, const char *name, int64_t fallback, size_t rank);
bool ref_has(const ref_call *call, size_t i);

#endif /* TESTS_CONFORMANCE_REFERENCE_H */
