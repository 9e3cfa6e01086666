/* auto_model.c - loading, exporting, compiling and running an encoder.
 *
 * A program is made at most once and kept in the cache under the digest of all that can change a
 * result. A damaged entry is moved aside and made again; where the cache cannot be written, the
 * program is made in a temporary folder, mapped, and the folder removed. */
#include "api/auto_model_private.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/float_mode.h"
#include "base/span.h"
#include "compile/cache.h"
#include "onnx/onnx.h"
#include "tokenizer/image.h"
#include "transforms/transforms.h"

#include <stdio.h>

enum { MODEL_IMAGES = 5 };

static qeff_model_options
to_model_options(const qeff_auto_model_options *options, const char *pooling)
{
    qeff_model_options m = {.pooling = pooling,
                            .with_token_type_ids = options->with_token_type_ids};
    switch (options->normalize) {
    case QEFF_TOGGLE_DEFAULT:
        m.normalize = QEFF_MODEL_NORMALIZE_DEFAULT;
        break;
    case QEFF_TOGGLE_ON:
        m.normalize = QEFF_MODEL_NORMALIZE_ON;
        break;
    case QEFF_TOGGLE_OFF:
        m.normalize = QEFF_MODEL_NORMALIZE_OFF;
        break;
    }
    return m;
}

static bool is_program(const char *path)
{
    char container[QEFF_PATH_MAX];
    if (qeff_str_is(qeff_str_after_last(qeff_str_of(path), '/'), QEFF_PROGRAM_FILE)) return true;
    return !qeff_path_join(path, QEFF_STR(QEFF_PROGRAM_FILE), container, NULL) &&
           qeff_path_exists(container);
}

/* What the manifest says; programs of other makers may say nothing. */
static bool has_precision(const qeff_program *program, qeff_precision precision)
{
    char expected[64];
    (void)snprintf(expected, sizeof expected, "\"precision\": \"%s\"",
                   qeff_compile_precision_name(precision));
    return strstr(qeff_program_manifest(program), expected) != NULL;
}

/* A program is what it was compiled as: options that would change it are refused, not ignored. */
static qeff_status open_program(qeff_auto_model *m, const char *path,
                                const qeff_auto_model_options *options, qeff_error *err)
{
    QEFF_TRY(qeff_program_open(path, &m->program, err));
    QEFF_TRY(qeff_transformers_base_open_program(&m->base, m->program, err));
    const qeff_text_settings *text = &m->base.text;
    if (options->pooling && !qeff_str_is(text->pooling, options->pooling))
        return qeff_fail(err, QEFF_ERR_INVALID,
                         "'%s': compiled with pooling '%.*s', which cannot become '%s'", path,
                         QEFF_STR_ARGS(text->pooling), options->pooling);
    if (options->normalize == QEFF_TOGGLE_OFF && text->is_normalized)
        return qeff_fail(err, QEFF_ERR_INVALID, "'%s': compiled with normalisation", path);
    if (options->with_token_type_ids && !text->takes_type_ids)
        return qeff_fail(err, QEFF_ERR_INVALID, "'%s': compiled without token_type_ids", path);
    if (options->precision && !has_precision(m->program, m->compile.precision))
        return qeff_fail(err, QEFF_ERR_INVALID, "'%s': not compiled with precision '%s'", path,
                         options->precision);
    return QEFF_OK;
}

static void note_missing_modules(qeff_auto_model *m)
{
    if (m->base.text.has_modules || m->base.options.pooling) return;
    (void)snprintf(m->notice, sizeof m->notice,
                   "the folder names no pooling (no modules.json): using mean");
}

static qeff_status
load(qeff_auto_model *m, const char *path, const qeff_auto_model_options *options, qeff_error *err)
{
    m->progress = options->progress;
    m->base.no_cache = options->no_cache;
    QEFF_TRY(qeff_cpu_choose_threads(options->n_threads, &m->n_threads, err));
    m->wants_unit_length = options->normalize == QEFF_TOGGLE_ON;
    m->compile.progress = options->progress;
    QEFF_TRY(qeff_compile_precision(options->precision, &m->compile.precision, err));
    if (options->pooling) {
        m->pooling = qeff_copy_str(qeff_str_of(options->pooling));
        if (!m->pooling) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': out of memory", path);
    }
    m->base.options = to_model_options(options, m->pooling);
    if (!qeff_path_exists(path))
        return qeff_fail(err, QEFF_ERR_NOT_FOUND, "'%s': no such file or folder", path);
    if (is_program(path)) return open_program(m, path, options, err);
    QEFF_TRY(qeff_backends_find(options->target, &m->backend, err));
    QEFF_TRY(qeff_cpu_detect(&m->compile.cpu_flags, err));
    QEFF_TRY(qeff_transformers_base_open(&m->base, path, err));
    note_missing_modules(m);
    return QEFF_OK;
}

static qeff_status open_model(const char *path, const qeff_auto_model_options *options,
                              qeff_auto_model **out, qeff_error *err)
{
    static const qeff_auto_model_options defaults;
    *out = NULL;
    qeff_auto_model *m = qeff_alloc_zeroed(sizeof *m);
    if (!m) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': out of memory", path);
    const qeff_status status = load(m, path, options ? options : &defaults, err);
    if (status)
        qeff_auto_model_destroy(m);
    else
        *out = m;
    return status;
}

qeff_status
qeff_auto_model_from_pretrained(const char *path, const qeff_auto_model_options *options,
                                qeff_auto_model **out, qeff_error *err)
{
    const qeff_float_mode mode = qeff_float_mode_enter();
    const qeff_status status = open_model(path, options, out, err);
    qeff_float_mode_leave(&mode);
    return status;
}

void qeff_auto_model_destroy(qeff_auto_model *model)
{
    if (!model) return;
    (void)qeff_session_destroy(model->session);
    qeff_transformers_base_close(&model->base);
    qeff_program_close(model->program);
    qeff_free(model->pooling);
    qeff_free(model);
}

qeff_transformers_base *qeff_auto_model_base(qeff_auto_model *model)
{
    return &model->base;
}

const char *qeff_auto_model_notice(const qeff_auto_model *model)
{
    return model->notice[0] ? model->notice : NULL;
}

static qeff_status require_folder(const qeff_auto_model *model, const char *verb, qeff_error *err)
{
    if (model->base.model) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                     "'%s': a compiled program cannot be %s: give the model folder",
                     model->program->folder, verb);
}

static qeff_status model_folder(qeff_auto_model *model, char out[QEFF_PATH_MAX], qeff_error *err)
{
    const char *hex = NULL, *name = qeff_model_class(model->base.model);
    QEFF_TRY(qeff_transformers_base_hash(&model->base, &hex, err));
    return qeff_cache_model_folder(qeff_str_of(name), name, model->base.digest, out, err);
}

/* --- export ----------------------------------------------------------------------------------- */

static qeff_status export_graph(qeff_auto_model *model, const char *folder, qeff_error *err)
{
    qeff_graph *graph = NULL, *lowered = NULL;
    const qeff_onnx_property properties[] = {
        {QEFF_STR("qeff_version"), qeff_str_of(qeff_version())},
        {QEFF_STR("architecture"), model->base.text.architecture},
        {QEFF_STR("pooling"), model->base.text.pooling},
    };
    const qeff_onnx_metadata metadata = {properties, sizeof properties / sizeof properties[0]};
    qeff_status status = qeff_model_build(model->base.model, &model->base.options, &graph, err);
    if (!status) status = qeff_pipeline_for_export(graph, &lowered, err);
    if (!status)
        status =
            qeff_onnx_export(lowered, folder, qeff_model_class(model->base.model), &metadata, err);
    qeff_graph_destroy(lowered);
    qeff_graph_destroy(graph);
    return status;
}

static qeff_status hand_over_path(const char *folder, const char *name, const char *suffix,
                                  char **path, qeff_error *err)
{
    char full[QEFF_PATH_MAX + 512];
    if (!path) return QEFF_OK;
    (void)snprintf(full, sizeof full, "%s%s%s%s", folder, name ? "/" : "", name ? name : "",
                   suffix);
    *path = qeff_copy_str(qeff_str_of(full));
    return *path ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

static qeff_status
export_model(qeff_auto_model *model, const char *folder, char **path, qeff_error *err)
{
    char cached[QEFF_PATH_MAX];
    if (path) *path = NULL;
    QEFF_TRY(require_folder(model, "exported", err));
    if (!folder) {
        QEFF_TRY(model_folder(model, cached, err));
        folder = cached;
    }
    QEFF_TRY(qeff_folder_create(folder, err));
    QEFF_TRY(export_graph(model, folder, err));
    return hand_over_path(folder, qeff_model_class(model->base.model), ".onnx", path, err);
}

qeff_status
qeff_auto_model_export(qeff_auto_model *model, const char *folder, char **path, qeff_error *err)
{
    const qeff_float_mode mode = qeff_float_mode_enter();
    const qeff_status status = export_model(model, folder, path, err);
    qeff_float_mode_leave(&mode);
    return status;
}

/* --- compile ---------------------------------------------------------------------------------- */

static void
append_manifest(const qeff_auto_model *m, const uint8_t key[QEFF_HASH_BYTES], qeff_buffer *out)
{
    char hex[QEFF_HASH_HEX + 1];
    qeff_hash_format(key, hex);
    qeff_compile_begin_manifest(m->backend, &m->compile, out);
    qeff_buffer_append_text(out, "\"architecture\": ");
    qeff_buffer_append_json(out, m->base.text.architecture);
    qeff_buffer_append_text(out, ", \"pooling\": ");
    qeff_buffer_append_json(out, m->base.text.pooling);
    qeff_buffer_format(out, ", \"model_sha256\": \"%s\", \"key\": \"%s\"}\n", m->base.hex, hex);
}

static size_t list_images(const qeff_auto_model *m, const qeff_buffer *manifest,
                          const qeff_buffer *tokenizer, qeff_program_image images[MODEL_IMAGES])
{
    const qeff_bytes config = {(const uint8_t *)m->base.config.data, m->base.config.size};
    const qeff_bytes text = qeff_buffer_bytes(&m->base.text_json);
    size_t n = 0;
    images[n++] = (qeff_program_image){"manifest.json", manifest->size, qeff_buffer_bytes(manifest),
                                       NULL, NULL};
    images[n++] = (qeff_program_image){"text.json", text.size, text, NULL, NULL};
    images[n++] = (qeff_program_image){"config.json", config.size, config, NULL, NULL};
    if (m->base.tokenizer) {
        const qeff_str json = qeff_tokenizer_json(m->base.tokenizer);
        const qeff_bytes bytes = {(const uint8_t *)json.data, json.size};
        images[n++] = (qeff_program_image){"tokenizer.json", bytes.size, bytes, NULL, NULL};
        images[n++] = (qeff_program_image){QEFF_TOKENIZER_IMAGE, tokenizer->size,
                                           qeff_buffer_bytes(tokenizer), NULL, NULL};
    }
    return n;
}

static qeff_status compile_into(qeff_auto_model *m, const char *folder, bool may_exist,
                                const uint8_t key[QEFF_HASH_BYTES], qeff_error *err)
{
    qeff_graph *graph = NULL;
    qeff_buffer manifest = {0}, tokenizer = {0};
    qeff_program_image images[MODEL_IMAGES];
    append_manifest(m, key, &manifest);
    if (m->base.tokenizer) qeff_tokenizer_image_append(m->base.tokenizer, &tokenizer);
    qeff_status status = qeff_buffer_status(&manifest, err);
    if (!status) status = qeff_buffer_status(&tokenizer, err);
    if (!status) status = qeff_model_build(m->base.model, &m->base.options, &graph, err);
    if (!status) {
        const qeff_compile_request request = {.backend = m->backend,
                                              .options = m->compile,
                                              .folder = folder,
                                              .may_exist = may_exist,
                                              .images = images,
                                              .n_images =
                                                  list_images(m, &manifest, &tokenizer, images)};
        status = qeff_compile_graph(graph, &request, err);
    }
    qeff_graph_destroy(graph);
    qeff_buffer_deinit(&tokenizer);
    qeff_buffer_deinit(&manifest);
    return status;
}

static qeff_status key_of(qeff_auto_model *m, uint8_t key[QEFF_HASH_BYTES], qeff_error *err)
{
    const char *hex = NULL;
    QEFF_TRY(qeff_transformers_base_hash(&m->base, &hex, err));
    return qeff_compile_key(m->base.digest, m->backend, &m->compile, key, err);
}

/* A hit is an entry that is whole and whose manifest carries the whole key: the folder's name
 * alone has 64 bits of it. */
static qeff_status open_entry(const char *folder, const uint8_t key[QEFF_HASH_BYTES],
                              qeff_program **out, qeff_error *err)
{
    char hex[QEFF_HASH_HEX + 1], expected[QEFF_HASH_HEX + 16];
    qeff_hash_format(key, hex);
    (void)snprintf(expected, sizeof expected, "\"key\": \"%s\"", hex);
    QEFF_TRY(qeff_program_open(folder, out, err));
    qeff_status status = QEFF_OK;
    if (!strstr(qeff_program_manifest(*out), expected))
        status = qeff_fail(err, QEFF_ERR_FORMAT, "'%s': entry of another key", folder);
    if (!status && (*out)->folder[0] == '\0')
        status = qeff_fail(err, QEFF_ERR_INTERNAL, "'%s': not a folder", folder);
    if (status) {
        qeff_program_close(*out);
        *out = NULL;
    }
    return status;
}

/* Under the lock: looks again, since another process may have been faster, then compiles. */
static qeff_status
make_entry(qeff_auto_model *m, const char *folder, const uint8_t key[QEFF_HASH_BYTES],
           qeff_program **out, qeff_error *err)
{
    qeff_lock lock = {0};
    QEFF_TRY(qeff_cache_lock(folder, &lock, err));
    qeff_status status = open_entry(folder, key, out, NULL);
    if (status && status != QEFF_ERR_NO_MEMORY) {
        status = qeff_cache_quarantine(folder, err);
        if (!status) status = compile_into(m, folder, true, key, err);
        if (!status) status = open_entry(folder, key, out, err);
    }
    qeff_lock_release(&lock);
    return status;
}

static qeff_status
open_cached(qeff_auto_model *m, char folder[QEFF_PATH_MAX], qeff_program **out, qeff_error *err)
{
    char models[QEFF_PATH_MAX];
    uint8_t key[QEFF_HASH_BYTES];
    QEFF_TRY(key_of(m, key, err));
    QEFF_TRY(model_folder(m, models, err));
    QEFF_TRY(qeff_cache_program_folder(models, key, folder, err));
    if (open_entry(folder, key, out, NULL) == QEFF_OK) return QEFF_OK;
    return make_entry(m, folder, key, out, err);
}

/* Mapped files live on after their names are gone. */
static qeff_status open_temporary(qeff_auto_model *m, qeff_program **out, qeff_error *err)
{
    const char *root = qeff_environment_get("TMPDIR");
    char base[QEFF_PATH_MAX], staged[QEFF_PATH_MAX], folder[QEFF_PATH_MAX];
    uint8_t key[QEFF_HASH_BYTES];
    QEFF_TRY(key_of(m, key, err));
    QEFF_TRY(qeff_path_join(root ? root : "/tmp", QEFF_STR("qeff"), base, err));
    QEFF_TRY(qeff_folder_stage(base, staged, err));
    qeff_status status = qeff_path_join(staged, QEFF_STR("program"), folder, err);
    if (!status) status = compile_into(m, folder, false, key, err);
    if (!status) status = qeff_program_open(folder, out, err);
    (void)qeff_folder_remove(staged, NULL);
    return status;
}

static bool is_cache_unusable(qeff_status status)
{
    return status == QEFF_ERR_IO || status == QEFF_ERR_NOT_FOUND;
}

static qeff_status open_compiled(qeff_auto_model *m, qeff_error *err)
{
    char folder[QEFF_PATH_MAX];
    if (!m->base.no_cache) {
        const qeff_status status = open_cached(m, folder, &m->program, err);
        if (!is_cache_unusable(status)) return status;
        (void)snprintf(m->notice, sizeof m->notice,
                       "the program cache cannot be used (%.150s): compiled for this run only",
                       err ? err->message : qeff_status_name(status));
    }
    return open_temporary(m, &m->program, err);
}

qeff_status qeff_auto_model_ready(qeff_auto_model *m, qeff_error *err)
{
    if (!m->program) QEFF_TRY(open_compiled(m, err));
    if (m->session) return QEFF_OK;
    const qeff_session_options options = {.n_threads = m->n_threads};
    return qeff_session_create(m->program, &options, &m->session, err);
}

static qeff_status
compile_model(qeff_auto_model *model, const char *folder, char **path, qeff_error *err)
{
    char cached[QEFF_PATH_MAX];
    uint8_t key[QEFF_HASH_BYTES];
    if (path) *path = NULL;
    QEFF_TRY(require_folder(model, "compiled", err));
    if (folder) {
        QEFF_TRY(key_of(model, key, err));
        QEFF_TRY(compile_into(model, folder, false, key, err));
        return hand_over_path(folder, NULL, "", path, err);
    }
    qeff_program *program = NULL;
    QEFF_TRY(open_cached(model, cached, &program, err));
    if (model->program)
        qeff_program_close(program);
    else
        model->program = program;
    return hand_over_path(cached, NULL, "", path, err);
}

qeff_status
qeff_auto_model_compile(qeff_auto_model *model, const char *folder, char **path, qeff_error *err)
{
    const qeff_float_mode mode = qeff_float_mode_enter();
    const qeff_status status = compile_model(model, folder, path, err);
    qeff_float_mode_leave(&mode);
    return status;
}

static qeff_status generate(qeff_auto_model *model, const qeff_tensor *inputs, size_t n_inputs,
                            qeff_tensors **outputs, qeff_error *err)
{
    *outputs = NULL;
    QEFF_TRY(qeff_auto_model_ready(model, err));
    return qeff_session_run(model->session, inputs, n_inputs, outputs, err);
}

qeff_status qeff_auto_model_generate(qeff_auto_model *model, const qeff_tensor *inputs,
                                     size_t n_inputs, qeff_tensors **outputs, qeff_error *err)
{
    const qeff_float_mode mode = qeff_float_mode_enter();
    const qeff_status status = generate(model, inputs, n_inputs, outputs, err);
    qeff_float_mode_leave(&mode);
    return status;
}
