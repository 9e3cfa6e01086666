/* arch.h - all that the rest of the library knows of an architecture.
 *
 * An architecture is one file that defines a qeff_arch, and one line in archs.def. Its build
 * function is pure: it sees hyperparameters and a builder, reads no file and keeps no state. */
#ifndef MODELS_ARCH_H
#define MODELS_ARCH_H

#include "models/blocks.h"
#include "models/hparams.h"

/** What an auto class may ask of an architecture. */
enum {
    QEFF_TASK_EMBED = 1 << 0, /**< hidden states of a text */
};

typedef struct qeff_arch_inputs {
    qeff_checkpoint checkpoint;
    qeff_value input_ids;      /**< [B, T] i64 */
    qeff_value attention_mask; /**< [B, T] i64, 1 = a token */
    qeff_value token_type_ids; /**< [B, T] i64, or QEFF_VALUE_NONE: all 0 */
    bool wants_pooler;         /**< build the pooler where the checkpoint has one */
} qeff_arch_inputs;

typedef struct qeff_arch_outputs {
    qeff_value hidden_states; /**< [B, T, H] f32 */
    qeff_value pooler;        /**< [B, H] f32, or QEFF_VALUE_NONE */
} qeff_arch_outputs;

typedef struct qeff_arch {
    const char *model_type;   /**< config.json "model_type" */
    const char *classes[12];  /**< config.json "architectures", the bare model first; NULL ends */
    unsigned tasks;           /**< QEFF_TASK_* bits */
    const qeff_field *fields; /**< config.json keys -> qeff_hparams; a NULL key ends */
    /** What checkpoints put before the names of the bare model; NULL ends. The first one under
     * which `probe` exists is taken, else the first. */
    const char *prefixes[4];
    const char *probe; /**< a tensor that every checkpoint has */
    /** Relations between fields; messages name the key. NULL: none. */
    qeff_status (*check)(const qeff_hparams *hp, qeff_error *err);
    qeff_arch_outputs (*build)(qeff_builder *b, const qeff_hparams *hp, const qeff_arch_inputs *in);
} qeff_arch;

#endif /* MODELS_ARCH_H */
