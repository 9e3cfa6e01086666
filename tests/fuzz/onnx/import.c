/* import.c - fuzz target: bytes as an ONNX file, and what is imported is whole and prints.
 *
 * Files are kept in memory: a table of I/O calls that knows "/fuzz/model.onnx" and nothing else, so
 * that external data is never there. */
#include "graph/graph.h"
#include "onnx/onnx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t input_size;

static int memory_open(void *ctx, const char *path, int flags, unsigned mode, int *error)
{
    (void)ctx;
    (void)flags;
    (void)mode;
    if (strcmp(path, "/fuzz/model.onnx") == 0) return 1000;
    *error = ENOENT;
    return -1;
}

static int memory_close(void *ctx, int fd, int *error)
{
    (void)ctx;
    (void)fd;
    (void)error;
    return 0;
}

static int memory_stat(void *ctx, int fd, int64_t *size, bool *is_regular, int *error)
{
    (void)ctx;
    (void)fd;
    (void)error;
    *size = (int64_t)input_size;
    *is_regular = true;
    return 0;
}

/* A copy of its own, so that a read past the end is seen. */
static void *memory_map(void *ctx, int fd, size_t size, int *error)
{
    (void)ctx;
    (void)fd;
    void *copy = malloc(size);
    *error = ENOMEM;
    if (copy) memcpy(copy, input, size);
    return copy;
}

static void memory_unmap(void *ctx, void *data, size_t size)
{
    (void)ctx;
    (void)size;
    free(data);
}

static int64_t memory_read(void *ctx, int fd, void *buffer, size_t size, int *error)
{
    (void)ctx;
    (void)fd;
    (void)buffer;
    (void)size;
    *error = EIO;
    return -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qeff_io io = *qeff_io_get();
    io.open = memory_open;
    io.close = memory_close;
    io.stat = memory_stat;
    io.map = memory_map;
    io.unmap = memory_unmap;
    io.read = memory_read;
    qeff_io_set(&io);
    input = data;
    input_size = size;

    qeff_graph *graph = NULL;
    qeff_onnx_model *model = NULL;
    qeff_error err = {0};
    const qeff_status status = qeff_onnx_import("/fuzz/model.onnx", &graph, &model, &err);
    if (status ? graph || model || !err.message[0] || strchr(err.message, '\n')
               : !graph || !model || qeff_graph_verify(graph, &err) != QEFF_OK)
        abort();
    if (graph) {
        qeff_buffer text = {0};
        qeff_graph_print(graph, &text);
        qeff_buffer_deinit(&text);
    }
    qeff_graph_destroy(graph);
    qeff_onnx_close(model);
    qeff_io_set(NULL);
    return 0;
}
