/* program.c - opening programs for any target of this build, and compiling ONNX files. */
#include "runtime/program.h"
#include "api/backends.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/float_mode.h"
#include "base/span.h"
#include "compile/compile.h"
#include "onnx/onnx.h"

/* A container that was copied alone, without its folder, has no integrity file to check. */
static qeff_status check_integrity(const qeff_program *program, qeff_error *err)
{
    return program->folder[0] ? qeff_integrity_check(program->folder, program->qpc, err) : QEFF_OK;
}

static qeff_status open_program(const char *path, qeff_program **out, qeff_error *err)
{
    size_t n = 0;
    const qeff_backend *const *backends = qeff_backends_get(&n);
    QEFF_TRY(qeff_program_load(path, backends, n, out, err));
    const qeff_status status = check_integrity(*out, err);
    if (status) {
        qeff_program_close(*out);
        *out = NULL;
    }
    return status;
}

qeff_status qeff_program_open(const char *path, qeff_program **out, qeff_error *err)
{
    const qeff_float_mode mode = qeff_float_mode_enter();
    const qeff_status status = open_program(path, out, err);
    qeff_float_mode_leave(&mode);
    return status;
}

static qeff_status compile_imported(const qeff_graph *graph, const char *folder,
                                    const qeff_program_options *options, qeff_error *err)
{
    qeff_buffer manifest = {0};
    qeff_compile_request request = {.folder = folder};
    qeff_program_image image = {.name = "manifest.json"};
    uint8_t digest[QEFF_HASH_BYTES];
    char hex[QEFF_HASH_HEX + 1];
    QEFF_TRY(qeff_backends_find(options ? options->target : NULL, &request.backend, err));
    QEFF_TRY(qeff_compile_precision(options ? options->precision : NULL, &request.options.precision,
                                    err));
    QEFF_TRY(qeff_cpu_detect(&request.options.cpu_flags, err));
    QEFF_TRY(qeff_graph_hash(graph, digest, err));
    qeff_hash_format(digest, hex);
    request.options.progress = options ? options->progress : NULL;
    qeff_compile_begin_manifest(request.backend, &request.options, &manifest);
    qeff_buffer_format(&manifest, "\"graph_sha256\": \"%s\"}\n", hex);
    qeff_status status = qeff_buffer_status(&manifest, err);
    image.size = manifest.size;
    image.data = qeff_buffer_bytes(&manifest);
    request.images = &image;
    request.n_images = 1;
    if (!status) status = qeff_compile_graph(graph, &request, err);
    qeff_buffer_deinit(&manifest);
    return status;
}

static qeff_status compile_onnx(const char *onnx_path, const char *folder,
                                const qeff_program_options *options, qeff_error *err)
{
    qeff_graph *graph = NULL;
    qeff_onnx_model *model = NULL;
    QEFF_TRY(qeff_onnx_import(onnx_path, &graph, &model, err));
    const qeff_status status = compile_imported(graph, folder, options, err);
    qeff_graph_destroy(graph);
    qeff_onnx_close(model);
    return status;
}

qeff_status qeff_program_compile_onnx(const char *onnx_path, const char *folder,
                                      const qeff_program_options *options, qeff_error *err)
{
    const qeff_float_mode mode = qeff_float_mode_enter();
    const qeff_status status = compile_onnx(onnx_path, folder, options, err);
    qeff_float_mode_leave(&mode);
    return status;
}
