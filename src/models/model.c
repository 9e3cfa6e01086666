/* model.c - opens a model folder and builds its graph.
 *
 *   modules.json -> where the transformer lies -> config.json -> architecture, hyperparameters
 *                -> module files, text settings -> weights
 *
 * Small files come first, so that a folder that cannot be used is refused before any weights are
 * looked at. */
#include "models/model.h"

#include "base/error.h"
#include "base/span.h"
#include "models/blocks.h"
#include "models/registry.h"

#include <stdlib.h>

struct qeff_model {
    qeff_arena arena;
    const char *folder;
    const char *transformer_folder;
    qeff_model_files files;
    const qeff_arch *arch;
    const char *class_name;
    qeff_hparams hp;
    qeff_st_config st;
    qeff_weights *weights;
};

/* --- opening -------------------------------------------------------------------------------- */

static qeff_status check_folder(const char *folder, qeff_error *err)
{
    if (!qeff_path_exists(folder))
        return qeff_fail(err, QEFF_ERR_NOT_FOUND, "'%s': no such folder", folder);
    if (!qeff_path_is_folder(folder))
        return qeff_fail(err, QEFF_ERR_FORMAT, "'%s': expected a folder, found a file", folder);
    return QEFF_OK;
}

static qeff_status read_config(qeff_model *model, qeff_error *err)
{
    char path[QEFF_PATH_MAX];
    qeff_json_document *document = NULL;
    QEFF_TRY(qeff_model_files_read(&model->files, model->folder, model->st.modules[0].path,
                                   "config.json", NULL, false, path, &document, err));
    const qeff_json root = qeff_json_root(document);
    qeff_status status = qeff_arch_select(root, &model->arch, &model->class_name, err);
    if (!status) status = qeff_hparams_read(root, model->arch->fields, &model->hp, err);
    if (!status && model->arch->check) status = model->arch->check(&model->hp, err);
    qeff_json_close(document);
    return qeff_within(err, status, "'%s'", path);
}

static qeff_status find_transformer(qeff_model *model, qeff_error *err)
{
    char path[QEFF_PATH_MAX];
    const qeff_str name = model->st.modules[0].path;
    model->transformer_folder = model->folder;
    if (name.size == 0) return QEFF_OK;
    QEFF_TRY(qeff_path_join_untrusted(model->folder, name, path, err));
    model->transformer_folder = qeff_arena_str(&model->arena, qeff_str_of(path)).data;
    return model->transformer_folder ? QEFF_OK
                                     : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

static qeff_status open_all(qeff_model *model, const char *folder, qeff_error *err)
{
    QEFF_TRY(check_folder(folder, err));
    model->folder = qeff_arena_str(&model->arena, qeff_str_of(folder)).data;
    if (!model->folder) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    QEFF_TRY(qeff_st_read_modules(folder, &model->files, &model->arena, &model->st, err));
    QEFF_TRY(find_transformer(model, err));
    QEFF_TRY(read_config(model, err));
    QEFF_TRY(
        qeff_st_read_settings(folder, &model->hp, &model->files, &model->arena, &model->st, err));
    return qeff_weights_open(model->transformer_folder, &model->weights, err);
}

qeff_status qeff_model_open(const char *folder, qeff_model **out, qeff_error *err)
{
    *out = NULL;
    qeff_model *model = qeff_alloc_zeroed(sizeof *model);
    if (!model) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': out of memory", folder);
    model->files.arena = &model->arena;
    const qeff_status status = open_all(model, folder, err);
    if (status)
        qeff_model_close(model);
    else
        *out = model;
    return status;
}

void qeff_model_close(qeff_model *model)
{
    if (!model) return;
    qeff_weights_close(model->weights);
    qeff_st_close(&model->st);
    qeff_model_files_deinit(&model->files);
    qeff_arena_deinit(&model->arena);
    qeff_free(model);
}

const char *qeff_model_folder(const qeff_model *model)
{
    return model->folder;
}

const char *qeff_model_transformer_folder(const qeff_model *model)
{
    return model->transformer_folder;
}

const qeff_arch *qeff_model_arch(const qeff_model *model)
{
    return model->arch;
}

const char *qeff_model_class(const qeff_model *model)
{
    return model->class_name;
}

const qeff_hparams *qeff_model_hparams(const qeff_model *model)
{
    return &model->hp;
}

const qeff_st_config *qeff_model_st_config(const qeff_model *model)
{
    return &model->st;
}

const qeff_weights *qeff_model_weights(const qeff_model *model)
{
    return model->weights;
}

const qeff_model_file *qeff_model_files_get(const qeff_model *model, size_t *n)
{
    *n = model->files.n;
    return model->files.items;
}

/* --- options -------------------------------------------------------------------------------- */

/* What follows the hidden states. */
typedef struct plan {
    bool is_hidden;      /* nothing: the hidden states are the output */
    const char *mode;    /* this pooling alone; NULL: the folder's modules */
    bool with_normalize; /* modules: keep Normalize at the end */
    bool adds_normalize; /* one more, behind everything */
} plan;

static qeff_status
make_plan(const qeff_model *model, const qeff_model_options *options, plan *out, qeff_error *err)
{
    const bool is_on = options->normalize == QEFF_MODEL_NORMALIZE_ON;
    *out = (plan){.with_normalize = options->normalize != QEFF_MODEL_NORMALIZE_OFF};
    if (!options->pooling) {
        out->adds_normalize = is_on && !qeff_st_ends_normalized(&model->st);
        return QEFF_OK;
    }
    if (strcmp(options->pooling, "none") == 0) {
        out->is_hidden = true;
        if (is_on)
            return qeff_fail(err, QEFF_ERR_INVALID,
                             "normalize needs sentence vectors, but pooling is 'none'");
        return QEFF_OK;
    }
    out->mode = qeff_st_pooling_mode(qeff_str_of(options->pooling));
    out->adds_normalize = is_on;
    if (out->mode) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_INVALID,
                     "pooling '%s': unknown, known: cls, max, mean, mean_sqrt_len_tokens, "
                     "weightedmean, lasttoken, none",
                     options->pooling);
}

qeff_status qeff_model_output_dim(const qeff_model *model, const qeff_model_options *options,
                                  int64_t *dim, qeff_error *err)
{
    const qeff_model_options defaults = {0};
    plan p;
    QEFF_TRY(make_plan(model, options ? options : &defaults, &p, err));
    *dim = p.is_hidden || p.mode ? model->hp.hidden : qeff_st_output_dim(&model->st);
    return QEFF_OK;
}

/* --- building ------------------------------------------------------------------------------- */

static qeff_checkpoint find_checkpoint(const qeff_model *model)
{
    qeff_checkpoint checkpoint = {.weights = model->weights};
    for (size_t i = 0; model->arch->prefixes[i]; i++) {
        checkpoint.prefix = model->arch->prefixes[i];
        if (qeff_checkpoint_has(&checkpoint, model->arch->probe)) return checkpoint;
    }
    checkpoint.prefix = model->arch->prefixes[0];
    return checkpoint;
}

static qeff_arch_inputs add_inputs(qeff_builder *b, bool with_token_type_ids, bool wants_pooler)
{
    const qeff_shape shape = {.rank = 2,
                              .dims = {qeff_dim_named("batch_size"), qeff_dim_named("seq_len")}};
    qeff_arch_inputs in = {.token_type_ids = QEFF_VALUE_NONE, .wants_pooler = wants_pooler};
    in.input_ids = qb_input(b, "input_ids", QEFF_DTYPE_I64, &shape);
    in.attention_mask = qb_input(b, "attention_mask", QEFF_DTYPE_I64, &shape);
    if (with_token_type_ids)
        in.token_type_ids = qb_input(b, "token_type_ids", QEFF_DTYPE_I64, &shape);
    return in;
}

static void
add_outputs(qeff_builder *b, const qeff_model *model, const plan *p, const qeff_arch_inputs *in)
{
    const qeff_arch_outputs out = model->arch->build(b, &model->hp, in);
    if (p->is_hidden) {
        qb_output(b, "output", out.hidden_states);
        if (out.pooler != QEFF_VALUE_NONE) qb_output(b, "pooler_output", out.pooler);
        return;
    }
    qeff_value x = p->mode ? qb_pool(b, out.hidden_states, in->attention_mask, p->mode)
                           : qeff_st_append(b, &model->st, out.hidden_states, in->attention_mask,
                                            p->with_normalize);
    if (p->adds_normalize) x = qb_l2_normalize(b, x, 1e-12);
    qb_output(b, "output", x);
}

qeff_status qeff_model_build(const qeff_model *model, const qeff_model_options *options,
                             qeff_graph **out, qeff_error *err)
{
    const qeff_model_options defaults = {0};
    const qeff_model_options *o = options ? options : &defaults;
    qeff_builder *b = NULL;
    plan p;
    *out = NULL;
    QEFF_TRY(make_plan(model, o, &p, err));
    QEFF_TRY(qb_create(model->class_name, model->weights, &b, err));
    qeff_arch_inputs in = add_inputs(b, o->with_token_type_ids, p.is_hidden);
    in.checkpoint = find_checkpoint(model);
    qb_set_weight_prefix(b, in.checkpoint.prefix);
    add_outputs(b, model, &p, &in);
    return qeff_within(err, qb_finish(b, out, err), "'%s'", model->transformer_folder);
}

/* --- content -------------------------------------------------------------------------------- */

qeff_status
qeff_model_weights_digest(const qeff_model *model, uint8_t digest[QEFF_HASH_BYTES], qeff_error *err)
{
    qeff_hash hash = {0};
    qeff_hash_init(&hash);
    qeff_weights_hash(model->weights, &hash);
    for (size_t i = 0; i < model->st.n_modules; i++)
        if (model->st.modules[i].weights) qeff_weights_hash(model->st.modules[i].weights, &hash);
    return qeff_hash_finish(&hash, digest, err);
}

void qeff_model_hash(const qeff_model *model, const qeff_model_options *options,
                     const uint8_t weights_digest[QEFF_HASH_BYTES], qeff_hash *hash)
{
    const qeff_model_options defaults = {0};
    const qeff_model_options *o = options ? options : &defaults;
    plan p = {0};
    (void)make_plan(model, o, &p, NULL); /* a pooling that is not known is hashed by its name */
    const uint8_t switches[] = {p.is_hidden, p.with_normalize, p.adds_normalize,
                                o->with_token_type_ids};
    qeff_hash_update_str(hash, QEFF_STR("qeff model 1"));
    qeff_hash_update_str(hash, qeff_str_of(o->pooling));
    qeff_hash_update(hash, switches, sizeof switches);
    for (size_t i = 0; i < model->files.n; i++) {
        qeff_hash_update_str(hash, qeff_str_of(model->files.items[i].role));
        qeff_hash_update(hash, model->files.items[i].digest, QEFF_HASH_BYTES);
    }
    qeff_hash_update(hash, weights_digest, QEFF_HASH_BYTES);
}

/* Start addresses of the weights that graphs use. */
typedef struct used_set {
    uintptr_t *items;
    size_t n, capacity;
} used_set;

static int compare_addresses(const void *a, const void *b)
{
    const uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

static qeff_status add_used(used_set *used, const qeff_graph *graph, qeff_error *err)
{
    for (size_t i = 0; i < graph->n_values; i++) {
        if (graph->values[i].kind != QEFF_VALUE_WEIGHT) continue;
        uintptr_t *items = qeff_grow(used->items, used->n, &used->capacity, sizeof *items);
        if (!items) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        used->items = items;
        items[used->n++] = (uintptr_t)graph->values[i].data.data;
    }
    return QEFF_OK;
}

static void visit_unused(const used_set *used, const qeff_weights *weights,
                         void (*visit)(void *ctx, const qeff_tensor_view *tensor), void *ctx)
{
    for (size_t i = 0; i < qeff_weights_count(weights); i++) {
        const qeff_tensor_view *t = qeff_weights_at(weights, i);
        const uintptr_t address = (uintptr_t)t->data.data;
        /* An empty tensor shares its address with the one behind it, and no graph needs it. */
        const bool is_used =
            t->data.size > 0 && used->n > 0 &&
            bsearch(&address, used->items, used->n, sizeof address, compare_addresses) != NULL;
        if (!is_used) visit(ctx, t);
    }
}

/* The graph with the pooler and the one with the modules together use all that can be used. */
static qeff_status find_used(const qeff_model *model, used_set *used, qeff_error *err)
{
    static const char *const poolings[] = {"none", NULL};
    for (size_t i = 0; i < sizeof poolings / sizeof *poolings; i++) {
        const qeff_model_options options = {.pooling = poolings[i]};
        qeff_graph *graph = NULL;
        QEFF_TRY(qeff_model_build(model, &options, &graph, err));
        const qeff_status status = add_used(used, graph, err);
        qeff_graph_destroy(graph);
        QEFF_TRY(status);
    }
    if (used->n > 0) qsort(used->items, used->n, sizeof *used->items, compare_addresses);
    return QEFF_OK;
}

qeff_status qeff_model_visit_extra_tensors(const qeff_model *model,
                                           void (*visit)(void *ctx, const qeff_tensor_view *tensor),
                                           void *ctx, qeff_error *err)
{
    used_set used = {NULL, 0, 0};
    const qeff_status status = find_used(model, &used, err);
    if (!status) {
        visit_unused(&used, model->weights, visit, ctx);
        for (size_t i = 0; i < model->st.n_modules; i++)
            if (model->st.modules[i].weights)
                visit_unused(&used, model->st.modules[i].weights, visit, ctx);
    }
    qeff_free(used.items);
    return status;
}
