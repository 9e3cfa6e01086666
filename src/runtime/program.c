/* program.c - opening a program: map the container, pick the backend by the manifest's target, let
 * it check and load its images. */
#include "runtime/program.h"

#include "base/error.h"
#include "base/span.h"

static qeff_status find_container(const char *path, qeff_program *program,
                                  char container[QEFF_PATH_MAX], qeff_error *err)
{
    if (qeff_path_is_folder(path)) {
        QEFF_TRY(qeff_path_join("", qeff_str_of(path), program->folder, err));
        QEFF_TRY(qeff_path_join(path, QEFF_STR("programqpc.bin"), container, err));
        if (!qeff_path_exists(container))
            return qeff_fail(err, QEFF_ERR_NOT_FOUND, "'%s': no programqpc.bin in it", path);
        return QEFF_OK;
    }
    return qeff_path_join("", qeff_str_of(path), container, err);
}

/* Finds "target" in the manifest without a JSON parser: this room reads no formats but the
 * container. The manifest was written by us, and a wrong target is refused by the backend. */
static qeff_str target_of(qeff_str manifest)
{
    const qeff_str key = QEFF_STR("\"target\": \"");
    for (size_t i = 0; i + key.size < manifest.size; i++) {
        if (memcmp(manifest.data + i, key.data, key.size) != 0) continue;
        const char *begin = manifest.data + i + key.size;
        const char *end = memchr(begin, '"', manifest.size - i - key.size);
        if (end) return (qeff_str){begin, (size_t)(end - begin)};
    }
    return (qeff_str){NULL, 0};
}

static qeff_status pick_backend(qeff_program *program, const qeff_backend *const *backends,
                                size_t n_backends, qeff_error *err)
{
    qeff_str manifest = {NULL, 0};
    if (!qeff_program_find_text(program, "manifest.json", &manifest))
        return qeff_fail(err, QEFF_ERR_FORMAT, "image 'manifest.json' is missing");
    const qeff_str copy = qeff_arena_str(&program->arena, manifest);
    if (!copy.data) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    program->manifest = copy.data;
    const qeff_str target = target_of(manifest);
    for (size_t i = 0; i < n_backends; i++)
        if (qeff_str_is(target, backends[i]->name)) program->backend = backends[i];
    if (!program->backend)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "program for the unknown target '%.*s'",
                         QEFF_STR_ARGS(target));
    return program->backend->available(err);
}

static qeff_status publish_io(qeff_arena *arena, const qeff_io_spec *specs, size_t n,
                              qeff_program_io **out, qeff_error *err)
{
    qeff_program_io *list = qeff_arena_array(arena, n, sizeof *list);
    if (!list) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const qeff_str name = qeff_arena_str(arena, specs[i].name);
        if (!name.data) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        list[i].name = name.data;
        list[i].dtype = specs[i].dtype;
        list[i].rank = specs[i].shape.rank;
        for (size_t d = 0; d < list[i].rank; d++) {
            list[i].shape[d] = specs[i].shape.dims[d].size;
            list[i].dim_names[d] = specs[i].shape.dims[d].symbol;
        }
    }
    *out = list;
    return QEFF_OK;
}

static qeff_status load(qeff_program *program, const char *container,
                        const qeff_backend *const *backends, size_t n_backends, qeff_error *err)
{
    QEFF_TRY(qeff_qpc_open(container, &program->qpc, err));
    qeff_status status = pick_backend(program, backends, n_backends, err);
    if (!status) status = program->backend->load(program->qpc, &program->loaded, err);
    if (status) return qeff_within(err, status, "'%s'", container);
    const qeff_io_spec *specs = program->backend->inputs(program->loaded, &program->n_inputs);
    QEFF_TRY(publish_io(&program->arena, specs, program->n_inputs, &program->inputs, err));
    specs = program->backend->outputs(program->loaded, &program->n_outputs);
    return publish_io(&program->arena, specs, program->n_outputs, &program->outputs, err);
}

qeff_status qeff_program_load(const char *path, const qeff_backend *const *backends,
                              size_t n_backends, qeff_program **out, qeff_error *err)
{
    char container[QEFF_PATH_MAX];
    *out = NULL;
    qeff_program *program = qeff_alloc_zeroed(sizeof *program);
    if (!program) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': out of memory", path);
    qeff_status status = find_container(path, program, container, err);
    if (!status) status = load(program, container, backends, n_backends, err);
    if (status)
        qeff_program_close(program);
    else
        *out = program;
    return status;
}

void qeff_program_close(qeff_program *program)
{
    if (!program) return;
    if (program->loaded) program->backend->unload(program->loaded);
    qeff_qpc_close(program->qpc);
    qeff_arena_deinit(&program->arena);
    qeff_free(program);
}

bool qeff_program_find_text(const qeff_program *program, const char *image, qeff_str *out)
{
    qeff_bytes data;
    if (!qeff_qpc_find(program->qpc, image, &data)) return false;
    *out = (qeff_str){(const char *)data.data, data.size};
    return true;
}

const char *qeff_program_target(const qeff_program *program)
{
    return program->backend->name;
}

size_t qeff_program_n_inputs(const qeff_program *program)
{
    return program->n_inputs;
}

size_t qeff_program_n_outputs(const qeff_program *program)
{
    return program->n_outputs;
}

const qeff_program_io *qeff_program_input(const qeff_program *program, size_t index)
{
    return &program->inputs[index];
}

const qeff_program_io *qeff_program_output(const qeff_program *program, size_t index)
{
    return &program->outputs[index];
}

const char *qeff_program_manifest(const qeff_program *program)
{
    return program->manifest;
}
