/* known.h - elements of small integer results that are known before run time. */
#ifndef GRAPH_KNOWN_H
#define GRAPH_KNOWN_H

#include "graph/graph.h"

/** Sets `known` of the node's first output where that can be told; it lies in the graph's arena.
 * False where there is no memory. */
bool qeff_known_evaluate(qeff_graph *graph, const qeff_node *node);

#endif /* GRAPH_KNOWN_H */
