/* compile.c - from a graph to a program folder.
 *
 *   graph -> passes -> backend images + caller's images -> <folder>.tmp/programqpc.bin -> rename
 *
 * Images lie in the container in the order of their names, so that the same program is the same
 * file. */
#include "compile/compile.h"

#include "base/cpu.h"
#include "base/error.h"
#include "base/span.h"
#include "transforms/transforms.h"

enum { IMAGES_MAX = QEFF_QPC_IMAGES_MAX };

typedef struct image_list {
    const qeff_program_image *items[IMAGES_MAX];
    qeff_qpc_image declared[IMAGES_MAX];
    size_t n;
} image_list;

static qeff_status
add_images(image_list *list, const qeff_program_image *images, size_t n, qeff_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (list->n == IMAGES_MAX)
            return qeff_fail(err, QEFF_ERR_INTERNAL, "over %d images in a program", IMAGES_MAX);
        size_t at = list->n++;
        for (; at > 0 && strcmp(list->items[at - 1]->name, images[i].name) > 0; at--)
            list->items[at] = list->items[at - 1];
        list->items[at] = &images[i];
    }
    for (size_t i = 0; i < list->n; i++)
        list->declared[i] = (qeff_qpc_image){list->items[i]->name, list->items[i]->size};
    return QEFF_OK;
}

static qeff_status write_container(const char *path, const image_list *list, qeff_error *err)
{
    qeff_qpc_writer writer = {0};
    QEFF_TRY(qeff_qpc_writer_open(&writer, path, list->declared, list->n, err));
    for (size_t i = 0; i < list->n; i++) {
        const qeff_program_image *image = list->items[i];
        qeff_status status = QEFF_OK;
        if (image->write)
            status = image->write(image->ctx, &writer, err);
        else
            qeff_qpc_writer_append(&writer, image->data.data, image->data.size);
        if (status) {
            qeff_qpc_writer_abort(&writer);
            return status;
        }
    }
    return qeff_qpc_writer_commit(&writer, err);
}

static qeff_status write_integrity(const char *folder, const char *container, qeff_error *err)
{
    qeff_qpc *qpc = NULL;
    QEFF_TRY(qeff_qpc_open(container, &qpc, err));
    const qeff_status status = qeff_integrity_write(folder, qpc, err);
    qeff_qpc_close(qpc);
    return status;
}

static qeff_status fill_folder(const char *staged, const image_list *list, qeff_error *err)
{
    char container[QEFF_PATH_MAX];
    QEFF_TRY(qeff_path_join(staged, QEFF_STR(QEFF_PROGRAM_FILE), container, err));
    QEFF_TRY(write_container(container, list, err));
    return write_integrity(staged, container, err);
}

/* An empty folder that the user made beforehand is as good as none. */
static qeff_status publish(const char *staged, const qeff_compile_request *request, qeff_error *err)
{
    bool was_there = false;
    QEFF_TRY(qeff_folder_publish(staged, request->folder, &was_there, err));
    if (was_there && !request->may_exist)
        return qeff_fail(err, QEFF_ERR_INVALID, "'%s': folder is not empty", request->folder);
    return QEFF_OK;
}

static qeff_status
check_supported(const qeff_graph *graph, const qeff_backend *backend, qeff_error *err)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (!backend->supports(graph, &graph->nodes[i]))
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                             "node '%.*s': target '%s' does not support this operation",
                             QEFF_STR_ARGS(graph->nodes[i].name), backend->name);
    return QEFF_OK;
}

static bool stop_at_first(void *ctx, const char *name)
{
    (void)name;
    *(bool *)ctx = false;
    return false;
}

/* Found out before the work is done: a program never replaces files that are in its way. */
static qeff_status check_target(const qeff_compile_request *request, qeff_error *err)
{
    bool is_empty = true;
    if (request->may_exist || !qeff_path_exists(request->folder)) return QEFF_OK;
    if (!qeff_path_is_folder(request->folder))
        return qeff_fail(err, QEFF_ERR_INVALID, "'%s': is a file, expected a folder",
                         request->folder);
    QEFF_TRY(qeff_folder_visit(request->folder, stop_at_first, &is_empty, err));
    if (is_empty) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_INVALID, "'%s': folder is not empty", request->folder);
}

qeff_status
qeff_compile_graph(const qeff_graph *graph, const qeff_compile_request *request, qeff_error *err)
{
    const qeff_backend *backend = request->backend;
    qeff_graph *lowered = NULL;
    qeff_compiled compiled = {0};
    image_list list = {.n = 0};
    char staged[QEFF_PATH_MAX] = "";
    QEFF_TRY(check_target(request, err));
    qeff_status status = qeff_pipeline_for_backend(graph, &lowered, err);
    if (!status) status = check_supported(lowered, backend, err);
    if (!status) status = backend->compile(lowered, &request->options, &compiled, err);
    if (!status) status = add_images(&list, compiled.images, compiled.n_images, err);
    if (!status) status = add_images(&list, request->images, request->n_images, err);
    if (!status) status = qeff_folder_stage(request->folder, staged, err);
    if (!status) {
        status = fill_folder(staged, &list, err);
        if (!status) status = publish(staged, request, err);
        if (status) (void)qeff_folder_remove(staged, NULL);
    }
    if (compiled.destroy) compiled.destroy(compiled.ctx);
    qeff_graph_destroy(lowered);
    return status;
}

static const char *const precisions[QEFF_PRECISION_COUNT] = {"fp32", "bf16", "int8", "int8-mixed"};

const char *qeff_compile_precision_name(qeff_precision precision)
{
    return precisions[precision];
}

qeff_status qeff_compile_precision(const char *name, qeff_precision *out, qeff_error *err)
{
    for (int i = 0; i < QEFF_PRECISION_COUNT; i++)
        if (strcmp(name ? name : precisions[0], precisions[i]) == 0) {
            *out = (qeff_precision)i;
            return QEFF_OK;
        }
    return qeff_fail(err, QEFF_ERR_INVALID,
                     "precision: expected fp32, bf16, int8 or int8-mixed, found '%s'", name);
}

void qeff_compile_begin_manifest(const qeff_backend *backend, const qeff_compile_options *options,
                                 qeff_buffer *out)
{
    qeff_buffer_format(out,
                       "{\"format\": %d, \"target\": \"%s\", \"qeff_version\": \"%s\", "
                       "\"cpu_level\": \"%s\", \"precision\": \"%s\", ",
                       QEFF_PROGRAM_FORMAT, backend->name, qeff_version(),
                       qeff_cpu_level_name(options->cpu_flags),
                       qeff_compile_precision_name(options->precision));
}

qeff_status
qeff_compile_key(const uint8_t model[QEFF_HASH_BYTES], const qeff_backend *backend,
                 const qeff_compile_options *options, uint8_t key[QEFF_HASH_BYTES], qeff_error *err)
{
    qeff_hash hash = {0};
    uint8_t format[4];
    qeff_store_u32le(format, QEFF_PROGRAM_FORMAT);
    qeff_hash_init(&hash);
    qeff_hash_update(&hash, format, sizeof format);
    qeff_hash_update_str(&hash, qeff_str_of(qeff_version()));
    qeff_hash_update(&hash, model, QEFF_HASH_BYTES);
    qeff_hash_update_str(&hash, qeff_str_of(backend->name));
    backend->hash(options, &hash);
    return qeff_hash_finish(&hash, key, err);
}
