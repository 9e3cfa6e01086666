/* blocks.h - parts that architectures share. Blocks take sizes and options, never an architecture;
 * what only one model needs stays in that model's file. */
#ifndef MODELS_BLOCKS_H
#define MODELS_BLOCKS_H

#include "graph/builder.h"

/** The names of config.json "hidden_act" that qeff_block_activation() knows; NULL ends. The first
 * one is what BERT-like models default to. */
extern const char *const qeff_block_activations[];

/** An activation by its Hugging Face name, aliases among them. */
qeff_value qeff_block_activation(qeff_builder *b, const char *name, qeff_value x);

/** The checkpoint, for asking what it holds; the builder looks tensors up in it by itself. */
typedef struct qeff_checkpoint {
    const qeff_weights *weights;
    const char *prefix; /**< in front of every name, one of the architecture's `prefixes` */
} qeff_checkpoint;

/** Whether the checkpoint has a tensor, named from the root of the bare model. */
bool qeff_checkpoint_has(const qeff_checkpoint *checkpoint, const char *name);

/** How a checkpoint calls the tensors of a layer norm. */
typedef enum qeff_norm_names {
    QEFF_NORM_WEIGHT_BIAS,
    QEFF_NORM_GAMMA_BETA, /**< as in checkpoints that were converted from TensorFlow */
} qeff_norm_names;

/** Layer norm over the last dimension by the submodule `name`. */
qeff_value qeff_block_layer_norm(qeff_builder *b, const char *name, qeff_value x, int64_t hidden,
                                 double eps, qeff_norm_names names);

/** One row of an embedding table: `name.weight` [n_rows, hidden] -> [1, hidden]. */
qeff_value qeff_block_table_row(qeff_builder *b, const char *name, int64_t n_rows, int64_t hidden,
                                int64_t row);

#endif /* MODELS_BLOCKS_H */
