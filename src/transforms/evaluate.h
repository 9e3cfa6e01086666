/* evaluate.h - small constant results, computed exactly; the arithmetic behind fold.c. */
#ifndef TRANSFORMS_EVALUATE_H
#define TRANSFORMS_EVALUATE_H

#include "graph/graph.h"

/** A node whose operands are weights of `graph`, and the place for its only result. */
typedef struct qeff_evaluation {
    const qeff_graph *graph;
    const qeff_node *node;    /**< op and attributes; `inputs` are not read */
    const qeff_value *inputs; /**< [node->n_inputs] weights of `graph`, or QEFF_VALUE_NONE */
    qeff_dtype dtype;         /**< of the result */
    size_t rank;
    int64_t shape[QEFF_MAX_RANK];
    size_t n_elements;
    uint8_t *out; /**< zeroed; n_elements of dtype, little-endian */
} qeff_evaluation;

/** Whether the op can be computed at all: those whose result is exact, that is, the same from
 * every machine and library. */
bool qeff_evaluate_knows(qeff_op op);

/** Computes the result. False where that is not possible: a dtype that is not known here, an index
 * out of range, a division by zero, a NaN. */
bool qeff_evaluate(const qeff_evaluation *e);

#endif /* TRANSFORMS_EVALUATE_H */
