/* support.c - see support.h. */
#include "backend/support.h"

#include "base/cpu.h"
#include "base/dtype.h"
#include "base/span.h"

#include <stdlib.h>

/* --- programs -----------------------------------------------------------------------------------
 */

qeff_status test_program_write(qeff_compiled *compiled, const char *path, qeff_error *err)
{
    qeff_qpc_image images[QEFF_PROGRAM_IMAGES_MAX];
    qeff_qpc_writer writer = {0};
    for (size_t i = 0; i < compiled->n_images; i++)
        images[i] = (qeff_qpc_image){compiled->images[i].name, compiled->images[i].size};
    qeff_status status = qeff_qpc_writer_open(&writer, path, images, compiled->n_images, err);
    if (status) return status;
    for (size_t i = 0; i < compiled->n_images && !status; i++) {
        qeff_program_image *image = &compiled->images[i];
        if (image->write)
            status = image->write(image->ctx, &writer, err);
        else
            qeff_qpc_writer_append(&writer, image->data.data, image->data.size);
    }
    if (!status) return qeff_qpc_writer_commit(&writer, err);
    qeff_qpc_writer_abort(&writer);
    return status;
}

static qeff_status open_program(test_program *program, const char *path, qeff_error *err)
{
    const qeff_status status = qeff_qpc_open(path, &program->qpc, err);
    return status ? status : program->backend->load(program->qpc, &program->loaded, err);
}

qeff_status test_program_compile(const qeff_backend *backend, const qeff_graph *graph,
                                 unsigned cpu_flags, test_program *program, qeff_error *err)
{
    return test_program_compile_precise(backend, graph, cpu_flags, QEFF_PRECISION_FP32, program,
                                        err);
}

qeff_status test_program_compile_precise(const qeff_backend *backend, const qeff_graph *graph,
                                         unsigned cpu_flags, qeff_precision precision,
                                         test_program *program, qeff_error *err)
{
    const qeff_compile_options options = {.cpu_flags = cpu_flags, .precision = precision};
    qeff_compiled compiled = {0};
    *program = (test_program){.backend = backend};
    test_folder_create(&program->folder);
    qeff_status status = backend->compile(graph, &options, &compiled, err);
    if (!status)
        status = test_program_write(&compiled, test_path(&program->folder, "program.bin"), err);
    if (compiled.destroy) compiled.destroy(compiled.ctx);
    if (!status) status = open_program(program, test_path(&program->folder, "program.bin"), err);
    if (status) test_program_close(program);
    return status;
}

qeff_status test_program_load(const qeff_backend *backend, qeff_bytes plan, qeff_bytes constants,
                              test_program *program, qeff_error *err)
{
    const qeff_qpc_image images[] = {{"constants.bin", constants.size}, {"plan.json", plan.size}};
    qeff_qpc_writer writer = {0};
    *program = (test_program){.backend = backend};
    test_folder_create(&program->folder);
    const char *path = test_path(&program->folder, "program.bin");
    qeff_status status = qeff_qpc_writer_open(&writer, path, images, 2, err);
    qeff_qpc_writer_append(&writer, constants.data, constants.size);
    qeff_qpc_writer_append(&writer, plan.data, plan.size);
    if (!status) status = qeff_qpc_writer_commit(&writer, err);
    if (!status) status = open_program(program, path, err);
    if (status) test_program_close(program);
    return status;
}

void test_program_close(test_program *program)
{
    if (program->loaded) program->backend->unload(program->loaded);
    if (program->qpc) qeff_qpc_close(program->qpc);
    test_folder_remove(&program->folder);
    *program = (test_program){0};
}

qeff_bytes test_program_image(const test_program *program, const char *name)
{
    qeff_bytes image = {NULL, 0};
    assert_true(qeff_qpc_find(program->qpc, name, &image));
    return image;
}

size_t test_levels(unsigned flags[4])
{
    unsigned have = 0;
    size_t n = 0;
    assert_int_equal(qeff_cpu_detect(&have, NULL), QEFF_OK);
    flags[n++] = 0;
    if (have & QEFF_CPU_AVX2) flags[n++] = QEFF_CPU_AVX2;
    if (have & QEFF_CPU_AVX512) flags[n++] = QEFF_CPU_AVX2 | QEFF_CPU_AVX512;
    if (have & (QEFF_CPU_VNNI | QEFF_CPU_BF16)) flags[n++] = have;
    return n;
}

/* --- numbers ------------------------------------------------------------------------------------
 */

static uint64_t state = 1;

void test_seed(uint64_t seed)
{
    state = seed;
}

float test_uniform(void)
{
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (float)(state >> 40) / 8388608.0F - 1.0F;
}

static size_t read_dims(const char *text, int64_t dims[QEFF_MAX_RANK])
{
    size_t rank = 0;
    for (char *end; *text; text = *end ? end + 1 : end)
        dims[rank++] = strtol(text, &end, 10);
    return rank;
}

qeff_value
test_constant(qeff_builder *b, const char *name, qeff_dtype dtype, const char *dims, float scale)
{
    int64_t shape[QEFF_MAX_RANK];
    uint64_t n = 0;
    const size_t rank = read_dims(dims, shape);
    const size_t size = qeff_dtype_size(dtype);
    assert_true(qeff_shape_elements(rank, shape, &n));
    uint8_t *bytes = malloc(n * size + 1);
    assert_non_null(bytes);
    for (uint64_t i = 0; i < n; i++) {
        const float value = test_uniform() * scale;
        uint32_t bits = 0;
        memcpy(&bits, &value, sizeof bits);
        if (dtype == QEFF_DTYPE_F32)
            qeff_store_u32le(bytes + 4 * i, bits);
        else
            qeff_store_u16le(bytes + 2 * i, dtype == QEFF_DTYPE_F16 ? qeff_f32_to_f16(value)
                                                                    : (uint16_t)(bits >> 16));
    }
    const qeff_value value = qb_constant(b, name, dtype, rank, shape, bytes);
    free(bytes);
    return value;
}

/* --- the encoder --------------------------------------------------------------------------------
 */

typedef struct encoder {
    qeff_builder *b;
    qeff_dtype dtype;
    bool is_wide;
    qeff_value ids, mask, types;
} encoder;

static qeff_value
linear(encoder *e, const char *name, const char *dims, const char *bias, qeff_value x)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s.weight", name);
    const qeff_value w = test_constant(e->b, text, e->dtype, dims, 0.4F);
    (void)snprintf(text, sizeof text, "%s.bias", name);
    const qeff_value inputs[] = {x, w, test_constant(e->b, text, e->dtype, bias, 0.2F)};
    return qb_node(e->b, QEFF_OP_LINEAR, name, inputs, 3, NULL, 0);
}

static qeff_value norm(encoder *e, const char *name, qeff_value x)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s.weight", name);
    const qeff_value gamma = test_constant(e->b, text, e->dtype, "24", 1.0F);
    (void)snprintf(text, sizeof text, "%s.bias", name);
    const qeff_value beta = test_constant(e->b, text, e->dtype, "24", 0.5F);
    const qeff_value inputs[] = {x, gamma, beta};
    const qeff_attribute attributes[] = {QEFF_ATTR_INT("axis", -1),
                                         QEFF_ATTR_FLOAT("epsilon", 1e-12)};
    return qb_node(e->b, QEFF_OP_LAYER_NORM, name, inputs, 3, attributes, 2);
}

static qeff_value gather(encoder *e, const char *name, const char *dims, qeff_value ids)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s.weight", name);
    const qeff_value inputs[] = {test_constant(e->b, text, e->dtype, dims, 1.0F), ids};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 0);
    return qb_node(e->b, QEFF_OP_GATHER, name, inputs, 2, &axis, 1);
}

static qeff_value embeddings(encoder *e)
{
    const int64_t row = 1;
    qeff_value x = gather(e, "word", "50,24", e->ids);
    if (e->types == QEFF_VALUE_NONE) e->types = qb_ints(e->b, &row, 1);
    const qeff_value type = gather(e, "type", "3,24", e->types);
    x = qb_binary(e->b, QEFF_OP_ADD, x, type);
    const qeff_value positions = qb_position_ids(e->b, e->ids, TEST_POSITIONS);
    const qeff_value position = gather(e, "position", "30,24", positions);
    x = qb_binary(e->b, QEFF_OP_ADD, x, position);
    return norm(e, "embedding_norm", x);
}

static qeff_value layer(encoder *e, qeff_value x)
{
    const qeff_value q = linear(e, "query", "24,24", "24", x);
    const qeff_value k = linear(e, "key", "24,24", "24", x);
    const qeff_value v = linear(e, "value", "24,24", "24", x);
    qeff_value h = qb_attention(e->b, q, k, v, e->mask, 3, 0.35355339);
    h = linear(e, "output", "24,24", "24", h);
    h = qb_binary(e->b, QEFF_OP_ADD, h, x);
    x = norm(e, "attention_norm", h);
    h = linear(e, "intermediate", e->is_wide ? "400,24" : "40,24", e->is_wide ? "400" : "40", x);
    h = qb_gelu(e->b, h, false);
    h = linear(e, "ffn", e->is_wide ? "24,400" : "24,40", "24", h);
    h = qb_binary(e->b, QEFF_OP_ADD, h, x);
    return norm(e, "ffn_norm", h);
}

static qeff_value pool(encoder *e, const test_encoder *options, qeff_value x)
{
    const int64_t first = 0;
    if (strcmp(options->pooling, "first") != 0) return qb_pool(e->b, x, e->mask, options->pooling);
    const qeff_value inputs[] = {x, qb_constant(e->b, "first", QEFF_DTYPE_I64, 0, NULL, &first)};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 1);
    x = qb_node(e->b, QEFF_OP_GATHER, NULL, inputs, 2, &axis, 1);
    x = linear(e, "pooler", "24,24", "24", x);
    return qb_unary(e->b, QEFF_OP_TANH, x);
}

static qeff_value cut(encoder *e, qeff_value x, int64_t n)
{
    const int64_t zero = 0, last = -1;
    const qeff_value start = qb_ints(e->b, &zero, 1), end = qb_ints(e->b, &n, 1);
    const qeff_value inputs[] = {x, start, end, qb_ints(e->b, &last, 1)};
    return qb_node(e->b, QEFF_OP_SLICE, NULL, inputs, 4, NULL, 0);
}

qeff_graph *test_encoder_graph(const test_encoder *options)
{
    qeff_error err = {0};
    qeff_graph *graph = NULL;
    const qeff_shape shape = {.rank = 2,
                              .dims = {qeff_dim_named("batch_size"), qeff_dim_named("seq_len")}};
    encoder e = {.dtype = options->dtype ? options->dtype : QEFF_DTYPE_F32,
                 .is_wide = options->is_wide,
                 .types = QEFF_VALUE_NONE};
    test_seed(7);
    ASSERT_OK(qb_create("encoder", NULL, &e.b, &err));
    e.ids = qb_input(e.b, "input_ids", QEFF_DTYPE_I64, &shape);
    e.mask = qb_input(e.b, "attention_mask", QEFF_DTYPE_I64, &shape);
    if (options->has_type_input) e.types = qb_input(e.b, "token_type_ids", QEFF_DTYPE_I64, &shape);
    qeff_value x = embeddings(&e);
    for (int i = 0; i < 2; i++) {
        qb_enter(e.b, "layer.%d", i);
        x = layer(&e, x);
        qb_leave(e.b);
    }
    const qeff_value hidden = x;
    if (options->pooling) x = pool(&e, options, x);
    if (options->has_dense) {
        const qeff_value dense = linear(&e, "dense", "24,24", "24", x);
        const qeff_value activated = qb_unary(e.b, QEFF_OP_TANH, dense);
        x = qb_binary(e.b, QEFF_OP_ADD, activated, x);
    }
    if (options->is_normalized) x = qb_l2_normalize(e.b, x, 1e-12);
    if (options->n_columns) x = cut(&e, x, options->n_columns);
    qb_output(e.b, "output", x);
    if (options->has_hidden) qb_output(e.b, "hidden", hidden);
    ASSERT_OK(qb_finish(e.b, &graph, &err));
    return graph;
}

/* --- calls --------------------------------------------------------------------------------------
 */

static int64_t count_tokens(const test_call *call)
{
    return call->offsets ? call->offsets[call->batch] : (int64_t)(call->batch * call->length);
}

static qeff_run_tensor token_tensor(const test_call *call, const char *name, const int64_t *data)
{
    qeff_run_tensor t = {.name = qeff_str_of(name),
                         .dtype = QEFF_DTYPE_I64,
                         .rank = call->offsets ? 1 : 2,
                         .shape = {(int64_t)call->batch, (int64_t)call->length},
                         .data = (void *)(uintptr_t)data};
    if (call->offsets) t.shape[0] = count_tokens(call);
    return t;
}

qeff_status
test_reserve(const test_program *program, void *session, const test_call *call, qeff_error *err)
{
    size_t longest = call->length;
    for (size_t i = 0; call->offsets && i < call->batch; i++) {
        const size_t length = (size_t)(call->offsets[i + 1] - call->offsets[i]);
        if (length > longest) longest = length;
    }
    return program->backend->reserve(session, call->batch, (size_t)count_tokens(call), longest,
                                     err);
}

qeff_status
test_run(const test_program *program, void *session, const test_call *call, qeff_error *err)
{
    qeff_run_tensor inputs[3], output;
    size_t n = 0;
    inputs[n++] = token_tensor(call, "input_ids", call->ids);
    if (!call->offsets) inputs[n++] = token_tensor(call, "attention_mask", call->mask);
    if (call->types) inputs[n++] = token_tensor(call, "token_type_ids", call->types);
    output = token_tensor(call, "output", NULL);
    output.dtype = QEFF_DTYPE_F32;
    output.data = call->output;
    if (call->is_pooled) {
        output.rank = 1;
        output.shape[0] = (int64_t)call->batch;
    }
    output.shape[output.rank++] = call->width;
    const qeff_run_call run = {.inputs = inputs,
                               .n_inputs = n,
                               .n_sequences = call->offsets ? call->batch : 0,
                               .offsets = call->offsets,
                               .outputs = &output,
                               .n_outputs = 1};
    return program->backend->run(session, &run, err);
}

qeff_status
test_run_once(const test_program *program, int n_threads, const test_call *call, qeff_error *err)
{
    void *session = NULL;
    const qeff_bind_options options = {.n_threads = n_threads};
    qeff_status status = program->backend->bind(program->loaded, &options, &session, err);
    if (!status) status = test_reserve(program, session, call, err);
    if (!status) status = test_run(program, session, call, err);
    if (session) program->backend->unbind(session);
    return status;
}
