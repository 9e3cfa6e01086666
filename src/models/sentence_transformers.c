/* sentence_transformers.c - modules.json and the text settings of a sentence-transformers folder.
 *
 *   modules.json                        [{"idx", "name", "path", "type"}, …], applied in order
 *   sentence_bert_config.json           of the transformer: max_seq_length, do_lower_case; from 5.4
 *                                       on also transformer_task, module_output_name, …
 *   tokenizer_config.json               model_max_length
 *   config_sentence_transformers.json   prompts, default_prompt_name, truncate_dim, …
 *
 * Reference: sentence_transformers/base/model.py and base/modules/transformer.py. A folder without
 * modules.json takes mean pooling and none of the settings, only the tokenizer's limit. */
#include "models/sentence_transformers.h"

#include "base/error.h"
#include "base/span.h"
#include "models/st_modules.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    PROMPT_BYTES_MAX = 65536,
    LENGTH_MAX = 2147483647,
};

static qeff_status no_memory(qeff_error *err)
{
    return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

/* --- modules.json --------------------------------------------------------------------------- */

static const struct {
    const char *type;
    qeff_st_module_kind kind;
} kinds[] = {
    {"Transformer", QEFF_ST_TRANSFORMER},
    {"Pooling", QEFF_ST_POOLING},
    {"Dense", QEFF_ST_DENSE},
    {"LayerNorm", QEFF_ST_LAYER_NORM},
    {"Normalize", QEFF_ST_NORMALIZE},
    {"Dropout", QEFF_ST_DROPOUT},
};

/* The path in front of the class changed over the years; a class outside the package is code that
 * came with the model. */
static qeff_status read_kind(qeff_json entry, qeff_st_module *module, qeff_error *err)
{
    qeff_str path = {NULL, 0};
    QEFF_TRY(qeff_json_to_str(qeff_json_find(entry, "type"), &path, err));
    module->type = qeff_str_after_last(path, '.');
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!qeff_str_is(module->type, kinds[i].type)) continue;
        if (!qeff_str_starts_with(path, "sentence_transformers.")) break;
        module->kind = kinds[i].kind;
        return QEFF_OK;
    }
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                     "key 'type': unknown module '%.*s', known: Transformer, Pooling, Dense, "
                     "LayerNorm, Normalize, Dropout",
                     QEFF_STR_ARGS(path));
}

static qeff_status read_entry(qeff_json entry, size_t index, const char *folder, qeff_arena *arena,
                              qeff_st_module *module, qeff_error *err)
{
    char unused[QEFF_PATH_MAX];
    char name[24];
    int64_t idx = (int64_t)index;
    qeff_str path = {NULL, 0};
    QEFF_TRY(qeff_json_expect(entry, QEFF_JSON_OBJECT, err));
    QEFF_TRY(qeff_json_optional_int(entry, "idx", (int64_t)index, (int64_t)index, &idx, err));
    QEFF_TRY(qeff_json_to_str(qeff_json_find(entry, "path"), &path, err));
    if (path.size)
        QEFF_TRY(
            qeff_within(err, qeff_path_join_untrusted(folder, path, unused, err), "key 'path'"));
    QEFF_TRY(read_kind(entry, module, err));
    if (index == 0 && module->kind != QEFF_ST_TRANSFORMER)
        return qeff_fail(err, QEFF_ERR_FORMAT, "expected a Transformer, found '%.*s'",
                         QEFF_STR_ARGS(module->type));
    if (index > 0 && module->kind == QEFF_ST_TRANSFORMER)
        return qeff_fail(err, QEFF_ERR_FORMAT, "a second Transformer");

    (void)snprintf(name, sizeof name, "%zu", index);
    module->name = qeff_arena_str(arena, qeff_str_of(name));
    module->type = qeff_arena_str(arena, module->type);
    module->path = qeff_arena_str(arena, path);
    return module->name.data && module->type.data && module->path.data ? QEFF_OK : no_memory(err);
}

static qeff_status read_modules(qeff_json list, const char *folder, qeff_arena *arena,
                                qeff_st_config *out, qeff_error *err)
{
    QEFF_TRY(qeff_json_expect(list, QEFF_JSON_ARRAY, err));
    const size_t n = qeff_json_count(list);
    if (n == 0) return qeff_fail(err, QEFF_ERR_FORMAT, "no modules");
    if (n > QEFF_ST_MODULES_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "%zu modules, at most %d are allowed", n,
                         QEFF_ST_MODULES_MAX);
    for (size_t i = 0; i < n; i++)
        QEFF_TRY(qeff_within(
            err, read_entry(qeff_json_at(list, i), i, folder, arena, &out->modules[i], err),
            "module %zu", i));
    out->n_modules = n;
    return QEFF_OK;
}

qeff_status qeff_st_read_modules(const char *folder, qeff_model_files *files, qeff_arena *arena,
                                 qeff_st_config *out, qeff_error *err)
{
    char path[QEFF_PATH_MAX];
    qeff_json_document *document = NULL;
    *out = (qeff_st_config){.similarity = QEFF_STR("cosine")};
    QEFF_TRY(qeff_model_files_read(files, folder, QEFF_STR(""), "modules.json", NULL, true, path,
                                   &document, err));
    if (document) {
        const qeff_status status = read_modules(qeff_json_root(document), folder, arena, out, err);
        qeff_json_close(document);
        out->has_modules = true;
        return qeff_within(err, status, "'%s'", path);
    }
    out->modules[0] = (qeff_st_module){.kind = QEFF_ST_TRANSFORMER,
                                       .name = QEFF_STR("0"),
                                       .type = QEFF_STR("Transformer"),
                                       .path = QEFF_STR("")};
    out->modules[1] = (qeff_st_module){.kind = QEFF_ST_POOLING,
                                       .name = QEFF_STR("1"),
                                       .type = QEFF_STR("Pooling"),
                                       .path = QEFF_STR(""),
                                       .input = QEFF_ST_TOKENS,
                                       .output = QEFF_ST_SENTENCE,
                                       .modes = {"mean"},
                                       .n_modes = 1};
    out->n_modules = 2;
    return QEFF_OK;
}

/* --- sentence_bert_config.json --------------------------------------------------------------- */

/* A key that, where it is present, must have the one value that is supported. */
static qeff_status expect_word(qeff_json object, const char *key, const char *word, qeff_error *err)
{
    qeff_str found = {NULL, 0};
    QEFF_TRY(qeff_json_optional_str(object, key, &found, err));
    if (!found.data || qeff_str_is(found, word)) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "key '%s': expected '%s', found '%.*s'", key, word,
                     QEFF_STR_ARGS(found));
}

static bool is_absent(qeff_json value)
{
    const qeff_json_kind kind = qeff_json_kind_of(value);
    return kind == QEFF_JSON_MISSING || kind == QEFF_JSON_NULL;
}

static qeff_status refuse_key(qeff_json object, const char *key, qeff_error *err)
{
    if (is_absent(qeff_json_find(object, key))) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "key '%s': not supported", key);
}

/* Settings of the tokenizer call. The length is a limit; padding does not change the vectors. */
static qeff_status read_call_settings(qeff_json settings, int64_t *length, qeff_error *err)
{
    static const char *const harmless[] = {"padding", "pad_to_multiple_of", "return_tensors", NULL};
    void *iterator = NULL;
    qeff_str key = {NULL, 0};
    qeff_json value = {NULL, NULL, 0};
    bool truncates = true;
    QEFF_TRY(qeff_json_optional_int(settings, "max_length", 1, LENGTH_MAX, length, err));
    QEFF_TRY(qeff_json_optional_bool(settings, "truncation", &truncates, err));
    if (!truncates)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "key 'truncation': false is not supported");
    while (qeff_json_next(settings, &iterator, &key, &value)) {
        bool is_known = qeff_str_is(key, "max_length") || qeff_str_is(key, "truncation");
        for (size_t i = 0; harmless[i]; i++)
            is_known = is_known || qeff_str_is(key, harmless[i]);
        if (!is_known)
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "key '%.*s': not supported",
                             QEFF_STR_ARGS(key));
    }
    return QEFF_OK;
}

/* From 5.4 on: what the transformer is asked for, and how. */
static qeff_status read_task(qeff_json root, int64_t *length, qeff_error *err)
{
    QEFF_TRY(expect_word(root, "transformer_task", "feature-extraction", err));
    QEFF_TRY(expect_word(root, "module_output_name", "token_embeddings", err));
    const qeff_json text = qeff_json_find(qeff_json_find(root, "modality_config"), "text");
    QEFF_TRY(expect_word(text, "method", "forward", err));
    QEFF_TRY(expect_word(text, "method_output_name", "last_hidden_state", err));
    QEFF_TRY(refuse_key(root, "query_length", err));
    QEFF_TRY(refuse_key(root, "document_length", err));
    QEFF_TRY(refuse_key(root, "query_expansion", err));
    const qeff_json settings = qeff_json_find(root, "processing_kwargs");
    QEFF_TRY(qeff_within(err, read_call_settings(qeff_json_find(settings, "common"), length, err),
                         "key 'processing_kwargs'"));
    return qeff_within(err, read_call_settings(qeff_json_find(settings, "text"), length, err),
                       "key 'processing_kwargs'");
}

/* The explicit limit, in `*length`; untouched where there is none. */
static qeff_status
read_transformer(qeff_json root, qeff_st_config *config, int64_t *length, qeff_error *err)
{
    static const char *const tokenizer_keys[] = {"processor_kwargs", "tokenizer_args",
                                                 "tokenizer_kwargs", NULL};
    QEFF_TRY(qeff_json_expect(root, QEFF_JSON_OBJECT, err));
    QEFF_TRY(qeff_json_optional_int(root, "max_seq_length", 1, LENGTH_MAX, length, err));
    QEFF_TRY(qeff_json_optional_bool(root, "do_lower_case", &config->do_lower_case, err));
    for (size_t i = 0; tokenizer_keys[i]; i++)
        QEFF_TRY(qeff_json_optional_int(qeff_json_find(root, tokenizer_keys[i]), "model_max_length",
                                        1, LENGTH_MAX, length, err));
    return read_task(root, length, err);
}

/* The first of these names that exists is the transformer's file. */
static const char *const transformer_files[] = {
    "sentence_bert_config.json",       "sentence_roberta_config.json",
    "sentence_distilbert_config.json", "sentence_camembert_config.json",
    "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",      NULL,
};

static qeff_status read_transformer_file(const char *root, qeff_model_files *files,
                                         qeff_st_config *config, int64_t *length, qeff_error *err)
{
    char path[QEFF_PATH_MAX];
    for (size_t i = 0; transformer_files[i]; i++) {
        qeff_json_document *document = NULL;
        QEFF_TRY(qeff_model_files_read(files, root, config->modules[0].path, transformer_files[i],
                                       "module 0", true, path, &document, err));
        if (!document) continue;
        const qeff_status status = read_transformer(qeff_json_root(document), config, length, err);
        qeff_json_close(document);
        return qeff_within(err, status, "'%s'", path);
    }
    return QEFF_OK;
}

/* --- tokenizer_config.json ------------------------------------------------------------------- */

/* Tokenizers without a limit say 1e30, as an integer: everything from LENGTH_MAX on means none. */
static qeff_status read_model_max_length(qeff_json root, int64_t *length, qeff_error *err)
{
    double number = 0.0;
    QEFF_TRY(qeff_json_expect(root, QEFF_JSON_OBJECT, err));
    qeff_json value = qeff_json_find(root, "model_max_length");
    if (is_absent(value)) value = qeff_json_find(root, "max_len");
    if (is_absent(value)) return QEFF_OK;
    QEFF_TRY(qeff_json_to_real(value, &number, err));
    if (!(number >= 1.0))
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "key 'model_max_length': expected a number of at least 1, found %g",
                         number);
    if (number < (double)LENGTH_MAX) *length = (int64_t)number;
    return QEFF_OK;
}

static qeff_status
read_tokenizer_limit(const char *root, qeff_model_files *files, const qeff_st_config *config,
                     int64_t *length, qeff_error *err)
{
    char path[QEFF_PATH_MAX];
    qeff_json_document *document = NULL;
    QEFF_TRY(qeff_model_files_read(files, root, config->modules[0].path, "tokenizer_config.json",
                                   NULL, true, path, &document, err));
    if (!document) return QEFF_OK;
    const qeff_status status = read_model_max_length(qeff_json_root(document), length, err);
    qeff_json_close(document);
    return qeff_within(err, status, "'%s'", path);
}

/* --- config_sentence_transformers.json ------------------------------------------------------- */

static qeff_status
add_prompt(qeff_st_config *config, qeff_arena *arena, qeff_str name, qeff_str text, qeff_error *err)
{
    if (text.size > PROMPT_BYTES_MAX || name.size > PROMPT_BYTES_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key 'prompts': '%.*s' takes %zu bytes, at most %d",
                         QEFF_STR_ARGS(name), name.size > text.size ? name.size : text.size,
                         PROMPT_BYTES_MAX);
    qeff_st_prompt *prompt = &config->prompts[config->n_prompts];
    prompt->name = qeff_arena_str(arena, name);
    prompt->text = qeff_arena_str(arena, text);
    if (!prompt->name.data || !prompt->text.data) return no_memory(err);
    config->n_prompts++;
    return QEFF_OK;
}

static qeff_status
read_prompts(qeff_json prompts, qeff_arena *arena, qeff_st_config *config, qeff_error *err)
{
    static const char *const always[] = {"query", "document"};
    void *iterator = NULL;
    qeff_str name = {NULL, 0};
    qeff_json value = {NULL, NULL, 0};
    if (!is_absent(prompts)) QEFF_TRY(qeff_json_expect(prompts, QEFF_JSON_OBJECT, err));
    const size_t n = qeff_json_count(prompts);
    if (n > QEFF_ST_PROMPTS_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key 'prompts': %zu prompts, at most %d", n,
                         QEFF_ST_PROMPTS_MAX);
    config->prompts = qeff_arena_array(arena, n + 2, sizeof *config->prompts);
    if (!config->prompts) return no_memory(err);
    while (qeff_json_next(prompts, &iterator, &name, &value)) {
        qeff_str text = QEFF_STR("");
        if (!is_absent(value))
            QEFF_TRY(qeff_within(err, qeff_json_to_str(value, &text, err), "key 'prompts'"));
        QEFF_TRY(add_prompt(config, arena, name, text, err));
    }
    /* These two can always be named, and are empty where the model does not set them. */
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (!qeff_st_find_prompt(config, qeff_str_of(always[i])))
            QEFF_TRY(add_prompt(config, arena, qeff_str_of(always[i]), QEFF_STR(""), err));
    return QEFF_OK;
}

static qeff_status read_default_prompt(qeff_json root, qeff_st_config *config, qeff_error *err)
{
    qeff_str name = {NULL, 0};
    QEFF_TRY(qeff_json_optional_str(root, "default_prompt_name", &name, err));
    if (!name.data) return QEFF_OK;
    const qeff_st_prompt *prompt = qeff_st_find_prompt(config, name);
    if (!prompt)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "key 'default_prompt_name': '%.*s' is not one of the prompts",
                         QEFF_STR_ARGS(name));
    config->default_prompt_name = prompt->name;
    return QEFF_OK;
}

static qeff_status read_similarity(qeff_json root, qeff_st_config *config, qeff_error *err)
{
    static const char *const known[] = {"cosine", "dot", "euclidean", "manhattan"};
    qeff_str name = {NULL, 0};
    QEFF_TRY(qeff_json_optional_str(root, "similarity_fn_name", &name, err));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (qeff_str_is(name, known[i])) config->similarity = qeff_str_of(known[i]);
    return QEFF_OK; /* an unknown one leaves cosine, as in the reference */
}

static qeff_status
read_sentence_settings(qeff_json root, qeff_arena *arena, qeff_st_config *config, qeff_error *err)
{
    QEFF_TRY(qeff_json_expect(root, QEFF_JSON_OBJECT, err));
    QEFF_TRY(expect_word(root, "model_type", "SentenceTransformer", err));
    QEFF_TRY(read_prompts(qeff_json_find(root, "prompts"), arena, config, err));
    QEFF_TRY(read_default_prompt(root, config, err));
    QEFF_TRY(read_similarity(root, config, err));
    return qeff_json_optional_int(root, "truncate_dim", 1, qeff_st_output_dim(config),
                                  &config->truncate_dim, err);
}

static qeff_status read_sentence_file(const char *root, qeff_model_files *files, qeff_arena *arena,
                                      qeff_st_config *config, qeff_error *err)
{
    char path[QEFF_PATH_MAX];
    qeff_json_document *document = NULL;
    QEFF_TRY(qeff_model_files_read(files, root, QEFF_STR(""), "config_sentence_transformers.json",
                                   NULL, true, path, &document, err));
    if (!document) return read_prompts((qeff_json){NULL, NULL, 0}, arena, config, err);
    const qeff_status status = read_sentence_settings(qeff_json_root(document), arena, config, err);
    qeff_json_close(document);
    return qeff_within(err, status, "'%s'", path);
}

/* --- all of it ------------------------------------------------------------------------------- */

static qeff_status
read_each_module(const char *root, const qeff_hparams *hp, qeff_model_files *files,
                 qeff_st_config *config, qeff_error *err)
{
    qeff_st_widths widths = {{0, 0}};
    qeff_st_module *modules = config->modules;
    widths.of[QEFF_ST_TOKENS] = modules[0].n_in = modules[0].n_out = hp->hidden;
    if (!config->has_modules) {
        modules[1].n_in = modules[1].n_out = hp->hidden;
        return QEFF_OK;
    }
    for (size_t i = 1; i < config->n_modules; i++)
        QEFF_TRY(qeff_st_read_module(root, i, files, &modules[i], &widths, err));
    if (widths.of[QEFF_ST_SENTENCE] == 0)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "'%s/modules.json': no module makes a sentence embedding", root);
    return QEFF_OK;
}

qeff_status
qeff_st_read_settings(const char *folder, const qeff_hparams *hp, qeff_model_files *files,
                      qeff_arena *arena, qeff_st_config *config, qeff_error *err)
{
    int64_t explicit_length = 0, tokenizer_length = hp->n_positions;
    QEFF_TRY(read_each_module(folder, hp, files, config, err));
    QEFF_TRY(read_tokenizer_limit(folder, files, config, &tokenizer_length, err));
    if (config->has_modules) {
        QEFF_TRY(read_transformer_file(folder, files, config, &explicit_length, err));
        QEFF_TRY(read_sentence_file(folder, files, arena, config, err));
    } else
        QEFF_TRY(read_prompts((qeff_json){NULL, NULL, 0}, arena, config, err));
    /* The reference lets an explicit limit exceed the position table and then fails on long texts:
     * the table is the limit in any case. */
    config->max_seq_length = explicit_length ? explicit_length : tokenizer_length;
    if (config->max_seq_length > hp->n_positions) config->max_seq_length = hp->n_positions;
    return QEFF_OK;
}

void qeff_st_close(qeff_st_config *config)
{
    for (size_t i = 0; i < QEFF_ST_MODULES_MAX; i++) {
        qeff_weights_close(config->modules[i].weights);
        config->modules[i].weights = NULL;
    }
}

const qeff_st_prompt *qeff_st_find_prompt(const qeff_st_config *config, qeff_str name)
{
    for (size_t i = 0; i < config->n_prompts; i++)
        if (qeff_str_equal(config->prompts[i].name, name)) return &config->prompts[i];
    return NULL;
}
