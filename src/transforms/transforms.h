/* transforms.h - passes over graphs, and the orders in which they are of use.
 *
 * A pass builds a new graph from an old one, which it leaves as it is; the new one borrows the same
 * checkpoint bytes. Passes look at ops, never at architectures or targets.
 *
 * Each returns QEFF_OK, or QEFF_ERR_NO_MEMORY, or what the builder and qeff_graph_verify() say of
 * a graph that is not whole; `*out` is NULL then. */
#ifndef TRANSFORMS_TRANSFORMS_H
#define TRANSFORMS_TRANSFORMS_H

#include "graph/graph.h"

/** Composites become primitives, as ops.def says, and weights of f16 and bf16 that primitives use
 * are cast to f32. The last primitive of a composite bears its name. */
qeff_status qeff_transform_decompose(const qeff_graph *in, qeff_graph **out, qeff_error *err);

/** Primitives become composites again: the patterns of qeff_transform_decompose(), and those of
 * other exporters where they are cheap to find. Leaves out nodes that are then unused. */
qeff_status qeff_transform_recompose(const qeff_graph *in, qeff_graph **out, qeff_error *err);

/** Small results that are known before run time become constants: up to 64 KiB each, computed
 * exactly, from constants or from shapes. Weights stay as they are. Nodes that change nothing go.
 */
qeff_status qeff_transform_fold(const qeff_graph *in, qeff_graph **out, qeff_error *err);

/** Nodes that compute the same become one, and so do equal small constants. */
qeff_status qeff_transform_cse(const qeff_graph *in, qeff_graph **out, qeff_error *err);

/** Leaves out nodes and weights that no output needs. Inputs stay. */
qeff_status qeff_transform_dce(const qeff_graph *in, qeff_graph **out, qeff_error *err);

/** f32 weights and constants are cut to what f16 can hold, [-65504, 65504]. -inf and NaN stay, +inf
 * becomes 65504. A weight without such values is not copied. */
qeff_status qeff_transform_fp16_clip(const qeff_graph *in, qeff_graph **out, qeff_error *err);

/** For an ONNX file: fold, decompose, fold, cse, dce, fp16_clip. */
qeff_status qeff_pipeline_for_export(const qeff_graph *in, qeff_graph **out, qeff_error *err);

/** For a backend that executes composites: fold, cse, recompose. */
qeff_status qeff_pipeline_for_backend(const qeff_graph *in, qeff_graph **out, qeff_error *err);

#endif /* TRANSFORMS_TRANSFORMS_H */
