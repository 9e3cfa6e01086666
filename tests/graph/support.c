/* support.c - see support.h. */
#include "graph/support.h"

#include "base/buffer.h"
#include "base/dtype.h"
#include "base/span.h"
#include "graph/op.h"

#include <inttypes.h>
#include <stdlib.h>

qeff_builder *test_builder(const qeff_weights *weights)
{
    qeff_error err = {0};
    qeff_builder *b = NULL;
    ASSERT_OK(qb_create("test", weights, &b, &err));
    return b;
}

char *test_graph_text(const qeff_graph *graph)
{
    qeff_buffer text = {0};
    qeff_graph_print(graph, &text);
    qeff_buffer_append_byte(&text, 0);
    assert_false(text.failed);
    char *copy = strdup((const char *)text.data);
    qeff_buffer_deinit(&text);
    return copy;
}

char *test_finish_text(qeff_builder *b)
{
    qeff_error err = {0};
    qeff_graph *graph = NULL;
    ASSERT_OK(qb_finish(b, &graph, &err));
    char *text = test_graph_text(graph);
    qeff_graph_destroy(graph);
    return text;
}

static void expect_same(const char *found, const char *expected)
{
    if (strcmp(found, expected) != 0) print_error("expected:\n%s\nfound:\n%s\n", expected, found);
    assert_string_equal(found, expected);
}

void test_expect_text(const qeff_graph *graph, const char *expected)
{
    char *text = test_graph_text(graph);
    expect_same(text, expected);
    free(text);
}

void test_expect_text_from(const qeff_graph *graph, const char *from, const char *expected)
{
    char *text = test_graph_text(graph);
    const char *start = strncmp(text, from, strlen(from)) == 0 ? text : NULL;
    for (const char *line = text; !start && (line = strchr(line, '\n')) != NULL; line++)
        if (strncmp(line + 1, from, strlen(from)) == 0) start = line + 1;
    expect_same(start ? start : text, expected);
    free(text);
}

qeff_shape test_shape(const char *dims)
{
    static char symbols[32][16];
    static unsigned next;
    qeff_shape shape = {.rank = 0};
    while (*dims) {
        const size_t n = strcspn(dims, ",");
        assert_true(n < sizeof symbols[0] && shape.rank < QEFF_MAX_RANK);
        if (dims[0] >= '0' && dims[0] <= '9') {
            shape.dims[shape.rank++] = qeff_dim_of(strtoll(dims, NULL, 10));
        } else {
            char *symbol = symbols[next++ % 32];
            (void)snprintf(symbol, sizeof symbols[0], "%.*s", (int)n, dims);
            shape.dims[shape.rank++] = qeff_dim_named(symbol);
        }
        dims += n + (dims[n] == ',');
    }
    return shape;
}

qeff_value test_input(qeff_builder *b, qeff_dtype dtype, const char *dims)
{
    char name[16];
    const qeff_shape shape = test_shape(dims);
    (void)snprintf(name, sizeof name, "x%zu", qb_graph(b)->n_inputs);
    return qb_input(b, name, dtype, &shape);
}

qeff_value test_zeros(qeff_builder *b, const char *name, qeff_dtype dtype, const char *dims)
{
    int64_t sizes[QEFF_MAX_RANK];
    const qeff_shape shape = test_shape(dims);
    for (size_t i = 0; i < shape.rank; i++)
        sizes[i] = shape.dims[i].size;
    return qb_constant(b, name, dtype, shape.rank, sizes, NULL);
}

qeff_value test_node(qeff_builder *b, qeff_op op, const qeff_value *inputs, size_t n,
                     const qeff_attribute *attributes, size_t n_attributes)
{
    const qeff_value value = qb_node(b, op, NULL, inputs, n, attributes, n_attributes);
    if (value == QEFF_VALUE_NONE) {
        qeff_error err = {0};
        qeff_graph *graph = NULL;
        (void)qb_finish(b, &graph, &err);
        print_error("%s\n", err.message);
    }
    assert_int_not_equal(value, QEFF_VALUE_NONE);
    return value;
}

static bool is_open(qeff_dim dim)
{
    return dim.symbol && (strchr(dim.symbol, '#') || strcmp(dim.symbol, "?") == 0);
}

static void append_dim(qeff_buffer *out, qeff_dim dim)
{
    if (is_open(dim))
        qeff_buffer_append_text(out, "?");
    else if (dim.symbol)
        qeff_buffer_append_text(out, dim.symbol);
    else
        qeff_buffer_format(out, "%" PRId64, dim.size);
}

void test_expect_type(const qeff_builder *b, qeff_value value, const char *expected)
{
    const qeff_value_info *info = qeff_graph_value(qb_graph(b), value);
    qeff_buffer text = {0};
    qeff_buffer_format(&text, "%s [", qeff_dtype_name(info->dtype));
    for (size_t i = 0; i < info->shape.rank; i++) {
        if (i) qeff_buffer_append_text(&text, ", ");
        append_dim(&text, info->shape.dims[i]);
    }
    qeff_buffer_append_byte(&text, ']');
    qeff_buffer_append_byte(&text, 0);
    assert_string_equal((const char *)text.data, expected);
    qeff_buffer_deinit(&text);
}

void test_expect_known(const qeff_builder *b, qeff_value value, const char *expected)
{
    qeff_dim known[QEFF_KNOWN_ELEMENTS_MAX];
    size_t n = 0;
    qeff_buffer text = {0};
    if (qeff_graph_read_known(qb_graph(b), value, known, &n)) {
        qeff_buffer_append_byte(&text, '{');
        for (size_t i = 0; i < n; i++) {
            if (i) qeff_buffer_append_text(&text, ", ");
            append_dim(&text, known[i]);
        }
        qeff_buffer_append_byte(&text, '}');
    }
    qeff_buffer_append_byte(&text, 0);
    assert_string_equal((const char *)text.data, expected);
    qeff_buffer_deinit(&text);
}

void test_expect_failure(qeff_builder *b, qeff_status status, const char *text)
{
    qeff_error err = {0};
    qeff_graph *graph = NULL;
    ASSERT_FAILS(qb_finish(b, &graph, &err), status, text);
    assert_null(graph);
}

/* Each element's bits follow from its index, so that no two tensors of a checkpoint are alike. */
static void append_elements(qeff_buffer *data, const char *dtype, size_t n, size_t seed)
{
    for (size_t i = 0; i < n; i++) {
        const float value = (float)((i * 37 + seed * 11) % 101) / 64.0f - 0.75f;
        uint8_t bytes[8] = {0};
        uint32_t bits = 0;
        memcpy(&bits, &value, sizeof bits);
        qeff_store_u32le(bytes, bits);
        if (strcmp(dtype, "F16") == 0) {
            qeff_store_u16le(bytes, qeff_f32_to_f16(value));
            qeff_buffer_append(data, bytes, 2);
        } else if (strcmp(dtype, "BF16") == 0) {
            qeff_buffer_append(data, bytes + 2, 2);
        } else if (strcmp(dtype, "I64") == 0) {
            qeff_store_u64le(bytes, i);
            qeff_buffer_append(data, bytes, 8);
        } else {
            qeff_buffer_append(data, bytes, 4);
        }
    }
}

qeff_weights *test_weights(const test_folder *folder, const test_tensor *tensors, size_t n)
{
    qeff_error err = {0};
    qeff_weights *weights = NULL;
    qeff_buffer header = {0}, data = {0}, file = {0};
    qeff_buffer_append_byte(&header, '{');
    for (size_t i = 0; i < n; i++) {
        const size_t start = data.size;
        size_t elements = 1;
        qeff_buffer_format(&header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "",
                           tensors[i].name, tensors[i].dtype);
        for (size_t k = 0; k < tensors[i].rank; k++) {
            elements *= (size_t)tensors[i].shape[k];
            qeff_buffer_format(&header, "%s%" PRId64, k ? "," : "", tensors[i].shape[k]);
        }
        append_elements(&data, tensors[i].dtype, elements, i);
        qeff_buffer_format(&header, "],\"data_offsets\":[%zu,%zu]}", start, data.size);
    }
    qeff_buffer_append_byte(&header, '}');
    uint8_t size[8];
    qeff_store_u64le(size, header.size);
    qeff_buffer_append(&file, size, sizeof size);
    qeff_buffer_append(&file, header.data, header.size);
    qeff_buffer_append(&file, data.data, data.size);
    assert_false(header.failed || data.failed || file.failed);
    const char *path = test_file(folder, "model.safetensors", file.data, file.size);
    ASSERT_OK(qeff_weights_open_file(path, &weights, &err));
    qeff_buffer_deinit(&header);
    qeff_buffer_deinit(&data);
    qeff_buffer_deinit(&file);
    return weights;
}
