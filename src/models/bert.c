/* bert.c - the BERT encoder: BertModel and the part of it inside its task classes.
 *
 * Reference: transformers/models/bert/modeling_bert.py
 *   x = norm(word[ids] + type[type_ids] + position[0..T))
 *   x = norm(x + dense(attention(q, k, v)))        q, k, v = linear(x), bidirectional
 *   x = norm(x + dense(act(dense(x))))
 *   pooler = tanh(dense(x[:, 0]))
 * Shapes: B batch, T tokens, H hidden, F ffn; every x below is [B, T, H]. Norms come after the
 * residual sum. Positions count from the first column of input_ids, so padding belongs at the end.
 */
#include "models/blocks.h"
#include "models/registry.h"

#include "base/error.h"

#include <math.h>

static const char *const only_absolute[] = {"absolute", NULL};

static const qeff_field fields[] = {
    QEFF_INT("vocab_size", vocab, 1, 4000000),
    QEFF_INT("hidden_size", hidden, 1, 65536),
    QEFF_INT("num_hidden_layers", n_layers, 1, 1000),
    QEFF_INT("num_attention_heads", n_heads, 1, 65536),
    QEFF_INT("intermediate_size", ffn, 1, 1048576),
    QEFF_INT_OR("max_position_embeddings", n_positions, 1, 1048576, 512),
    QEFF_INT_OR("type_vocab_size", n_types, 1, 65536, 2),
    QEFF_REAL_OR("layer_norm_eps", norm_eps, 1e-12),
    QEFF_CHOICE("hidden_act", activation, qeff_block_activations),
    QEFF_ONLY("position_embedding_type", only_absolute),
    QEFF_OFF("is_decoder"),
    QEFF_OFF("add_cross_attention"),
    QEFF_OFF("pruned_heads"),
    QEFF_OFF("quantization_config"),
    {0},
};

static qeff_status check(const qeff_hparams *hp, qeff_error *err)
{
    if (hp->hidden % hp->n_heads != 0)
        return qeff_fail(
            err, QEFF_ERR_FORMAT,
            "key 'num_attention_heads': %lld heads do not divide a hidden_size of %lld",
            (long long)hp->n_heads, (long long)hp->hidden);
    return QEFF_OK;
}

/* What all layers of one model share. */
typedef struct encoder {
    const qeff_hparams *hp;
    qeff_value mask;
    qeff_norm_names norm_names;
} encoder;

static qeff_value norm(qeff_builder *b, const encoder *e, qeff_value x)
{
    return qeff_block_layer_norm(b, "LayerNorm", x, e->hp->hidden, e->hp->norm_eps, e->norm_names);
}

static qeff_value embeddings(qeff_builder *b, const encoder *e, const qeff_arch_inputs *in)
{
    const qeff_hparams *hp = e->hp;
    qb_enter(b, "embeddings");
    qeff_value x = qb_embedding(b, "word_embeddings", in->input_ids, hp->vocab, hp->hidden);
    const qeff_value type =
        in->token_type_ids == QEFF_VALUE_NONE
            ? qeff_block_table_row(b, "token_type_embeddings", hp->n_types, hp->hidden, 0)
            : qb_embedding(b, "token_type_embeddings", in->token_type_ids, hp->n_types, hp->hidden);
    x = qb_binary(b, QEFF_OP_ADD, x, type);
    const qeff_value ids = qb_position_ids(b, in->input_ids, hp->n_positions);
    const qeff_value position =
        qb_embedding(b, "position_embeddings", ids, hp->n_positions, hp->hidden);
    x = qb_binary(b, QEFF_OP_ADD, x, position);
    x = norm(b, e, x);
    qb_leave(b);
    return x;
}

static qeff_value attention(qeff_builder *b, const encoder *e, qeff_value x)
{
    const qeff_hparams *hp = e->hp;
    const double scale = 1.0 / sqrt((double)(hp->hidden / hp->n_heads));
    qb_enter(b, "attention");
    qb_enter(b, "self");
    const qeff_value q = qb_linear(b, "query", x, hp->hidden, true);
    const qeff_value k = qb_linear(b, "key", x, hp->hidden, true);
    const qeff_value v = qb_linear(b, "value", x, hp->hidden, true);
    qeff_value h = qb_attention(b, q, k, v, e->mask, hp->n_heads, scale);
    qb_leave(b);
    qb_enter(b, "output");
    h = qb_linear(b, "dense", h, hp->hidden, true);
    h = qb_binary(b, QEFF_OP_ADD, h, x);
    h = norm(b, e, h);
    qb_leave(b);
    qb_leave(b);
    return h;
}

static qeff_value feed_forward(qeff_builder *b, const encoder *e, qeff_value x)
{
    qb_enter(b, "intermediate");
    qeff_value h = qb_linear(b, "dense", x, e->hp->ffn, true);
    h = qeff_block_activation(b, e->hp->activation, h);
    qb_leave(b);
    qb_enter(b, "output");
    h = qb_linear(b, "dense", h, e->hp->hidden, true);
    h = qb_binary(b, QEFF_OP_ADD, h, x);
    h = norm(b, e, h);
    qb_leave(b);
    return h;
}

/* The first column of x, whatever the mask says of it. */
static qeff_value pooler(qeff_builder *b, const qeff_hparams *hp, qeff_value x)
{
    const int64_t first = 0;
    qb_enter(b, "pooler");
    const qeff_value index = qb_constant(b, "first_token", QEFF_DTYPE_I64, 0, NULL, &first);
    const qeff_value inputs[] = {x, index};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 1);
    qeff_value h = qb_node(b, QEFF_OP_GATHER, NULL, inputs, 2, &axis, 1);
    h = qb_linear(b, "dense", h, hp->hidden, true);
    h = qb_unary(b, QEFF_OP_TANH, h);
    qb_leave(b);
    return h;
}

static qeff_arch_outputs build(qeff_builder *b, const qeff_hparams *hp, const qeff_arch_inputs *in)
{
    encoder e = {.hp = hp, .mask = in->attention_mask, .norm_names = QEFF_NORM_WEIGHT_BIAS};
    if (qeff_checkpoint_has(&in->checkpoint, "embeddings.LayerNorm.gamma"))
        e.norm_names = QEFF_NORM_GAMMA_BETA;
    qeff_value x = embeddings(b, &e, in);
    qb_enter(b, "encoder");
    for (int64_t i = 0; i < hp->n_layers && !qb_has_failed(b); i++) {
        qb_enter(b, "layer.%d", (int)i);
        x = attention(b, &e, x);
        x = feed_forward(b, &e, x);
        qb_leave(b);
    }
    qb_leave(b);
    qeff_arch_outputs out = {.hidden_states = x, .pooler = QEFF_VALUE_NONE};
    if (in->wants_pooler && qeff_checkpoint_has(&in->checkpoint, "pooler.dense.weight"))
        out.pooler = pooler(b, hp, x);
    return out;
}

const qeff_arch qeff_arch_bert = {
    .model_type = "bert",
    .classes = {"BertModel", "BertForMaskedLM", "BertForPreTraining",
                "BertForSequenceClassification", "BertForTokenClassification",
                "BertForQuestionAnswering", "BertForMultipleChoice",
                "BertForNextSentencePrediction", NULL},
    .tasks = QEFF_TASK_EMBED,
    .fields = fields,
    .prefixes = {"", "bert.", NULL},
    .probe = "embeddings.word_embeddings.weight",
    .check = check,
    .build = build,
};
