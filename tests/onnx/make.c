/* make.c - ONNX files for the tests, field by field. */
#include "make.h"

#include "base/alloc.h"
#include "base/file.h"

#include <dirent.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REFUSED_BYTES_MAX = 64 << 20 };

static char folder[64];
static size_t in_use, peak;
static long fail_after = -1;
static bool fails_forever;

static bool must_fail(void)
{
    if (fail_after < 0) return false;
    if (fail_after > 0) {
        fail_after--;
        return false;
    }
    if (!fails_forever) fail_after = -1;
    return true;
}

static void count(void *block)
{
    in_use += malloc_usable_size(block);
    if (in_use > peak) peak = in_use;
}

static void *allocate(void *ctx, size_t size)
{
    (void)ctx;
    void *block = must_fail() ? NULL : malloc(size);
    if (block) count(block);
    return block;
}

static void *reallocate(void *ctx, void *block, size_t size)
{
    (void)ctx;
    if (must_fail()) return NULL;
    const size_t before = malloc_usable_size(block);
    void *moved = realloc(block, size);
    if (!moved) return NULL;
    in_use -= before;
    count(moved);
    return moved;
}

static void deallocate(void *ctx, void *block)
{
    (void)ctx;
    in_use -= malloc_usable_size(block);
    free(block);
}

size_t make_bytes_in_use(void)
{
    return in_use;
}

void make_fail_allocation(long n, bool forever)
{
    fail_after = n;
    fails_forever = forever;
}

int make_setup(void **state)
{
    (void)state;
    qeff_allocator_set(&(qeff_allocator){allocate, reallocate, deallocate, NULL});
    (void)snprintf(folder, sizeof folder, "/tmp/qeff-onnx-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

int make_teardown(void **state)
{
    (void)state;
    (void)qeff_folder_remove(folder, NULL);
    return in_use == 0 ? 0 : -1;
}

const char *make_path(const char *name)
{
    static char path[4][512];
    static unsigned next;
    char *out = path[next++ % 4];
    (void)snprintf(out, sizeof path[0], "%s%s%s", folder, name[0] ? "/" : "", name);
    return out;
}

void make_file(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(make_path(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

bool make_exists(const char *name)
{
    struct stat st;
    return lstat(make_path(name), &st) == 0;
}

size_t make_count_files(void)
{
    size_t n = 0;
    DIR *open_folder = opendir(folder);
    assert_non_null(open_folder);
    for (struct dirent *entry; (entry = readdir(open_folder));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    (void)closedir(open_folder);
    return n;
}

void make_empty_folder(void)
{
    assert_int_equal(qeff_folder_remove(folder, NULL), QEFF_OK);
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* --- parts ----------------------------------------------------------------------------------- */

/* The next piece of "a,,b"; false at its end. Start with *at 0. */
static bool next_piece(const char *list, size_t *at, qeff_str *piece)
{
    if (!list || *at > strlen(list) || !list[0]) return false;
    const char *start = list + *at, *end = strchr(start, ',');
    *piece = (qeff_str){start, end ? (size_t)(end - start) : strlen(start)};
    *at += piece->size + 1;
    return true;
}

static bool is_number(qeff_str text)
{
    return text.size && ((text.data[0] >= '0' && text.data[0] <= '9') || text.data[0] == '-');
}

static int64_t number_of(qeff_str text)
{
    return strtoll(text.data, NULL, 10);
}

static void put_shape(qeff_buffer *out, const char *dims)
{
    const size_t shape = qeff_protobuf_begin(out, TENSOR_TYPE_SHAPE);
    qeff_str piece;
    for (size_t at = 0; next_piece(dims, &at, &piece);) {
        const size_t dim = qeff_protobuf_begin(out, SHAPE_DIM);
        if (is_number(piece))
            qeff_protobuf_put_int(out, DIM_VALUE, number_of(piece));
        else if (!qeff_str_is(piece, "?"))
            qeff_protobuf_put_str(out, DIM_PARAM, piece);
        qeff_protobuf_end(out, dim);
    }
    qeff_protobuf_end(out, shape);
}

void put_value(qeff_buffer *graph, uint32_t field, const char *name, int64_t elem_type,
               const char *dims)
{
    const size_t mark = qeff_protobuf_begin(graph, field);
    qeff_protobuf_put_str(graph, VALUE_NAME, qeff_str_of(name));
    const size_t type = qeff_protobuf_begin(graph, VALUE_TYPE);
    const size_t tensor = qeff_protobuf_begin(graph, TYPE_TENSOR);
    qeff_protobuf_put_int(graph, TENSOR_TYPE_ELEM, elem_type);
    if (dims) put_shape(graph, dims);
    qeff_protobuf_end(graph, tensor);
    qeff_protobuf_end(graph, type);
    qeff_protobuf_end(graph, mark);
}

static void put_names(qeff_buffer *out, uint32_t field, const char *names)
{
    qeff_str piece;
    for (size_t at = 0; next_piece(names, &at, &piece);)
        qeff_protobuf_put_str(out, field, piece);
}

size_t begin_node(qeff_buffer *graph, const char *op_type, const char *name, const char *inputs,
                  const char *outputs)
{
    const size_t mark = qeff_protobuf_begin(graph, GRAPH_NODE);
    put_names(graph, NODE_INPUT, inputs);
    put_names(graph, NODE_OUTPUT, outputs);
    if (name) qeff_protobuf_put_str(graph, NODE_NAME, qeff_str_of(name));
    if (op_type) qeff_protobuf_put_str(graph, NODE_OP_TYPE, qeff_str_of(op_type));
    return mark;
}

void put_node(qeff_buffer *graph, const char *op_type, const char *name, const char *inputs,
              const char *outputs)
{
    qeff_protobuf_end(graph, begin_node(graph, op_type, name, inputs, outputs));
}

void put_int_attribute(qeff_buffer *node, const char *name, int64_t value)
{
    const size_t mark = qeff_protobuf_begin(node, NODE_ATTRIBUTE);
    qeff_protobuf_put_str(node, ATTRIBUTE_NAME, qeff_str_of(name));
    qeff_protobuf_put_int(node, ATTRIBUTE_I, value);
    qeff_protobuf_put_int(node, ATTRIBUTE_TYPE, ATTRIBUTE_TYPE_INT);
    qeff_protobuf_end(node, mark);
}

void put_ints_attribute(qeff_buffer *node, const char *name, const int64_t *values, size_t n)
{
    const size_t mark = qeff_protobuf_begin(node, NODE_ATTRIBUTE);
    qeff_protobuf_put_str(node, ATTRIBUTE_NAME, qeff_str_of(name));
    for (size_t i = 0; i < n; i++)
        qeff_protobuf_put_int(node, ATTRIBUTE_INTS, values[i]);
    qeff_protobuf_put_int(node, ATTRIBUTE_TYPE, ATTRIBUTE_TYPE_INTS);
    qeff_protobuf_end(node, mark);
}

void put_float_attribute(qeff_buffer *node, const char *name, float value)
{
    const size_t mark = qeff_protobuf_begin(node, NODE_ATTRIBUTE);
    qeff_protobuf_put_str(node, ATTRIBUTE_NAME, qeff_str_of(name));
    qeff_protobuf_put_float(node, ATTRIBUTE_F, value);
    qeff_protobuf_put_int(node, ATTRIBUTE_TYPE, ATTRIBUTE_TYPE_FLOAT);
    qeff_protobuf_end(node, mark);
}

size_t begin_tensor(qeff_buffer *out, uint32_t field, const char *name, int64_t data_type,
                    const char *dims)
{
    const size_t mark = qeff_protobuf_begin(out, field);
    qeff_str piece;
    for (size_t at = 0; next_piece(dims, &at, &piece);)
        qeff_protobuf_put_int(out, TENSOR_DIMS, number_of(piece));
    qeff_protobuf_put_int(out, TENSOR_DATA_TYPE, data_type);
    if (name) qeff_protobuf_put_str(out, TENSOR_NAME, qeff_str_of(name));
    return mark;
}

static void put_raw(qeff_buffer *out, const void *data, size_t size)
{
    qeff_protobuf_put_bytes(out, TENSOR_RAW_DATA, (qeff_bytes){data, size});
}

void put_f32_tensor(qeff_buffer *graph, const char *name, const char *dims, const float *values,
                    size_t n)
{
    const size_t mark = begin_tensor(graph, GRAPH_INITIALIZER, name, 1, dims);
    put_raw(graph, values, n * sizeof *values);
    qeff_protobuf_end(graph, mark);
}

void put_i64_tensor(qeff_buffer *graph, const char *name, const char *dims, const int64_t *values,
                    size_t n)
{
    const size_t mark = begin_tensor(graph, GRAPH_INITIALIZER, name, 7, dims);
    put_raw(graph, values, n * sizeof *values);
    qeff_protobuf_end(graph, mark);
}

void put_pair(qeff_buffer *out, uint32_t field, const char *key, const char *value)
{
    const size_t mark = qeff_protobuf_begin(out, field);
    qeff_protobuf_put_str(out, ENTRY_KEY, qeff_str_of(key));
    qeff_protobuf_put_str(out, ENTRY_VALUE, qeff_str_of(value));
    qeff_protobuf_end(out, mark);
}

/* --- models ---------------------------------------------------------------------------------- */

qeff_buffer start_graph(void)
{
    qeff_buffer graph = {0};
    qeff_protobuf_put_str(&graph, GRAPH_NAME, QEFF_STR("test"));
    put_value(&graph, GRAPH_INPUT, "x", 1, "N,4");
    put_value(&graph, GRAPH_OUTPUT, "y", 1, "N,4");
    return graph;
}

qeff_buffer sum_graph(void)
{
    const float values[4] = {1, 2, 3, 4};
    qeff_buffer graph = start_graph();
    put_f32_tensor(&graph, "w", "4", values, 4);
    put_node(&graph, "Add", "sum", "x,w", "y");
    return graph;
}

qeff_buffer wrap_model(qeff_buffer *graph, int64_t opset)
{
    qeff_buffer model = {0};
    qeff_protobuf_put_int(&model, MODEL_IR_VERSION, 8);
    qeff_protobuf_put_bytes(&model, MODEL_GRAPH, qeff_buffer_bytes(graph));
    const size_t mark = qeff_protobuf_begin(&model, MODEL_OPSET_IMPORT);
    qeff_protobuf_put_int(&model, OPSET_VERSION, opset);
    qeff_protobuf_end(&model, mark);
    assert_false(graph->failed || model.failed);
    qeff_buffer_deinit(graph);
    *graph = (qeff_buffer){0};
    return model;
}

void make_model(qeff_buffer *graph, int64_t opset)
{
    qeff_buffer model = wrap_model(graph, opset);
    make_file("model.onnx", model.data, model.size);
    qeff_buffer_deinit(&model);
}

void expect_refusal(qeff_status status, const char *text)
{
    const char *path = make_path("model.onnx");
    const size_t before = in_use;
    qeff_graph *graph = NULL;
    qeff_onnx_model *model = NULL;
    qeff_error err = {0};
    peak = in_use;
    ASSERT_FAILS(qeff_onnx_import(path, &graph, &model, &err), status, text);
    assert_null(graph);
    assert_null(model);
    assert_int_equal(err.message[0], '\'');
    assert_memory_equal(err.message + 1, path, strlen(path));
    assert_null(strchr(err.message, '\n'));
    assert_int_equal(in_use, before);
    if (peak - before >= REFUSED_BYTES_MAX)
        print_error("%zu bytes in use, limit %d\n", peak - before, REFUSED_BYTES_MAX);
    assert_true(peak - before < REFUSED_BYTES_MAX);
}

void expect_refused(qeff_buffer *graph, qeff_status status, const char *text)
{
    make_model(graph, 17);
    expect_refusal(status, text);
}

qeff_buffer expect_text(void)
{
    qeff_buffer text = {0};
    qeff_graph *graph = NULL;
    qeff_onnx_model *model = NULL;
    qeff_error err = {0};
    ASSERT_OK(qeff_onnx_import(make_path("model.onnx"), &graph, &model, &err));
    qeff_graph_print(graph, &text);
    qeff_buffer_append_byte(&text, 0);
    qeff_graph_destroy(graph);
    qeff_onnx_close(model);
    return text;
}

void expect_loaded(qeff_buffer *graph, int64_t opset, const char *text)
{
    make_model(graph, opset);
    qeff_buffer found = expect_text();
    if (!strstr((const char *)found.data, text))
        print_error("'%s' lacks '%s'\n", (const char *)found.data, text);
    assert_non_null(strstr((const char *)found.data, text));
    qeff_buffer_deinit(&found);
}
