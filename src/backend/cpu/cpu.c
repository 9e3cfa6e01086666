/* cpu.c - the backend's table: compile picks the kind of program, load picks by plan.json, the rest
 * goes to whichever kind it is.
 *
 * Images: plan.json (plan.h or generic.h), constants.bin (pack.c or generic.c), networkdesc.bin. */
#include "backend/cpu/cpu.h"

#include "backend/cpu/execute.h"
#include "backend/cpu/generic.h"
#include "backend/cpu/plan.h"
#include "backend/cpu/plan_names.h"
#include "backend/io_description.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/span.h"

/* Bumped when plans, packing or kernels change what a program holds or gives. */
enum { BACKEND_VERSION = 6 };

static qeff_status available(qeff_error *err)
{
    unsigned flags = 0;
    return qeff_cpu_detect(&flags, err);
}

static bool supports(const qeff_graph *graph, const qeff_node *node)
{
    return qeff_generic_supports(graph, node);
}

/* Instruction sets by the names that stand in plan.json. */
static const struct {
    const char *name;
    unsigned flags;
} levels[] = {
    {"scalar", 0},
    {"avx2", QEFF_CPU_AVX2},
    {"avx2+vnni", QEFF_CPU_AVX2 | QEFF_CPU_AVX_VNNI},
    {"avx512", QEFF_CPU_AVX2 | QEFF_CPU_AVX512},
    {"avx512+vnni", QEFF_CPU_AVX2 | QEFF_CPU_AVX512 | QEFF_CPU_VNNI},
    {"avx512+bf16", QEFF_CPU_AVX2 | QEFF_CPU_AVX512 | QEFF_CPU_BF16},
    {"avx512+vnni+bf16", QEFF_CPU_AVX2 | QEFF_CPU_AVX512 | QEFF_CPU_VNNI | QEFF_CPU_BF16},
};

enum { N_LEVELS = sizeof levels / sizeof *levels };

/* Flags that make a difference to a program. AVX-VNNI is for processors without AVX-512. */
static unsigned used_flags(const qeff_compile_options *options)
{
    const bool is_wide = options->cpu_flags & QEFF_CPU_AVX512;
    const unsigned vnni = is_wide ? QEFF_CPU_VNNI : QEFF_CPU_AVX_VNNI;
    const unsigned more[QEFF_PRECISION_COUNT] = {
        [QEFF_PRECISION_BF16] = QEFF_CPU_BF16,
        [QEFF_PRECISION_INT8] = vnni | QEFF_CPU_BF16,
        [QEFF_PRECISION_INT8_MIXED] = vnni | QEFF_CPU_BF16,
    };
    return options->cpu_flags & (QEFF_CPU_AVX2 | QEFF_CPU_AVX512 | more[options->precision]);
}

static const char *level_name(unsigned flags)
{
    for (size_t i = 0; i < N_LEVELS; i++)
        if (levels[i].flags == flags) return levels[i].name;
    return levels[0].name;
}

static void hash(const qeff_compile_options *options, qeff_hash *state)
{
    uint8_t bytes[12];
    qeff_store_u32le(bytes, BACKEND_VERSION);
    qeff_store_u32le(bytes + 4, used_flags(options));
    qeff_store_u32le(bytes + 8, (uint32_t)options->precision);
    qeff_hash_update(state, bytes, sizeof bytes);
}

/* --- compile ------------------------------------------------------------------------------------
 */

typedef struct compiled {
    const qeff_graph *graph;
    bool is_ragged;
    qeff_plan plan;
    qeff_generic_layout layout;
    qeff_buffer text, description;
    qeff_progress progress;
    bool has_progress;
} compiled;

static void destroy_compiled(void *ctx)
{
    compiled *c = ctx;
    if (!c) return;
    qeff_plan_deinit(&c->plan);
    qeff_generic_layout_deinit(&c->layout);
    qeff_buffer_deinit(&c->text);
    qeff_buffer_deinit(&c->description);
    qeff_free(c);
}

static qeff_status write_constants(void *ctx, qeff_qpc_writer *out, qeff_error *err)
{
    const compiled *c = ctx;
    if (c->is_ragged)
        return qeff_plan_write_constants(&c->plan, c->graph, c->has_progress ? &c->progress : NULL,
                                         out, err);
    qeff_generic_write_constants(c->graph, &c->layout, out);
    return QEFF_OK;
}

static qeff_status
compile_ragged(compiled *c, unsigned flags, qeff_precision precision, qeff_error *err)
{
    QEFF_TRY(qeff_plan_prune(&c->plan, err));
    QEFF_TRY(qeff_plan_fuse(&c->plan, err));
    QEFF_TRY(qeff_plan_set_precision(&c->plan, c->graph, precision, flags, err));
    QEFF_TRY(qeff_plan_place_constants(&c->plan, err));
    qeff_plan_format(&c->plan, level_name(flags), &c->text);
    qeff_io_description_format(c->graph->name, c->plan.inputs, c->plan.n_inputs, c->plan.outputs,
                               c->plan.n_outputs, &c->description);
    return QEFF_OK;
}

static qeff_io_spec spec_of(const qeff_graph *graph, qeff_str name, qeff_value value)
{
    const qeff_value_info *info = qeff_graph_value(graph, value);
    return (qeff_io_spec){name, info->dtype, info->shape};
}

/* Specs of a graph's inputs and outputs, in one block: [n_inputs + n_outputs]. */
static qeff_io_spec *make_specs(const qeff_graph *graph)
{
    qeff_io_spec *specs = qeff_alloc_array(graph->n_inputs + graph->n_outputs + 1, sizeof *specs);
    for (size_t i = 0; specs && i < graph->n_inputs; i++)
        specs[i] =
            spec_of(graph, qeff_graph_value(graph, graph->inputs[i])->name, graph->inputs[i]);
    for (size_t i = 0; specs && i < graph->n_outputs; i++)
        specs[graph->n_inputs + i] =
            spec_of(graph, graph->outputs[i].name, graph->outputs[i].value);
    return specs;
}

static qeff_status compile_generic(compiled *c, unsigned flags, qeff_error *err)
{
    const qeff_graph *graph = c->graph;
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (!qeff_generic_supports(graph, &graph->nodes[i]))
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                             "node '%.*s': operands other than f32, i64, i32 and bool",
                             QEFF_STR_ARGS(graph->nodes[i].name));
    QEFF_TRY(qeff_generic_layout_init(graph, &c->layout, err));
    qeff_generic_format(graph, &c->layout, flags, &c->text);
    qeff_io_spec *specs = make_specs(graph);
    if (!specs) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    qeff_io_description_format(graph->name, specs, graph->n_inputs, specs + graph->n_inputs,
                               graph->n_outputs, &c->description);
    qeff_free(specs);
    return QEFF_OK;
}

static qeff_status fill_compiled(compiled *c, const qeff_compile_options *options, qeff_error *err)
{
    const unsigned flags = used_flags(options);
    QEFF_TRY(qeff_plan_lower(c->graph, &c->plan, &c->is_ragged, err));
    if (c->is_ragged)
        QEFF_TRY(compile_ragged(c, flags, options->precision, err));
    else if (options->precision != QEFF_PRECISION_FP32)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                         "graph '%.*s' runs op by op, which computes in fp32 only",
                         QEFF_STR_ARGS(c->graph->name));
    else
        QEFF_TRY(compile_generic(c, flags, err));
    QEFF_TRY(qeff_buffer_status(&c->text, err));
    return qeff_buffer_status(&c->description, err);
}

static qeff_status compile(const qeff_graph *graph, const qeff_compile_options *options,
                           qeff_compiled *out, qeff_error *err)
{
    *out = (qeff_compiled){0};
    compiled *c = qeff_alloc_zeroed(sizeof *c);
    if (!c) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    c->graph = graph;
    c->has_progress = options->progress != NULL;
    if (c->has_progress) c->progress = *options->progress;
    const qeff_status status = fill_compiled(c, options, err);
    if (status) {
        destroy_compiled(c);
        return status;
    }
    const uint64_t constants = c->is_ragged ? c->plan.constants_bytes : c->layout.total;
    out->images[0] = (qeff_program_image){
        .name = "constants.bin", .size = constants, .write = write_constants, .ctx = c};
    out->images[1] = (qeff_program_image){.name = "networkdesc.bin",
                                          .size = c->description.size,
                                          .data = qeff_buffer_bytes(&c->description)};
    out->images[2] = (qeff_program_image){
        .name = "plan.json", .size = c->text.size, .data = qeff_buffer_bytes(&c->text)};
    out->n_images = 3;
    out->ctx = c;
    out->destroy = destroy_compiled;
    return QEFF_OK;
}

/* --- load ---------------------------------------------------------------------------------------
 */

typedef struct program {
    bool is_ragged;
    qeff_kernels kernels;
    qeff_plan plan;
    qeff_graph *graph;
    qeff_io_spec *specs; /* of a generic program: inputs, then outputs */
    qeff_arena arena;
} program;

static void unload(void *loaded)
{
    program *p = loaded;
    if (!p) return;
    qeff_plan_deinit(&p->plan);
    qeff_graph_destroy(p->graph);
    qeff_free(p->specs);
    qeff_arena_deinit(&p->arena);
    qeff_free(p);
}

/* A program runs at the level it was compiled for, so that its results stay the same on every
 * machine that has it. */
static qeff_status choose_kernels(qeff_json root, qeff_kernels *kernels, qeff_error *err)
{
    qeff_str level = {NULL, 0};
    unsigned have = 0, need = 0;
    size_t i = 0;
    QEFF_TRY(qeff_json_to_str(qeff_json_find(root, "level"), &level, err));
    while (i < N_LEVELS && !qeff_str_is(level, levels[i].name))
        i++;
    if (i == N_LEVELS)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "key 'level': unknown instruction set '%.*s'",
                         QEFF_STR_ARGS(level));
    need = levels[i].flags;
    QEFF_TRY(qeff_cpu_detect(&have, err));
    if ((have & need) != need) {
        const qeff_status status =
            qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                      "program is compiled for '%.*s', this processor is used at level '%s'",
                      QEFF_STR_ARGS(level), qeff_cpu_level_name(have));
        qeff_hint(err, "compile it again on this machine");
        return status;
    }
    *kernels = qeff_kernels_for(need);
    return QEFF_OK;
}

static qeff_status parse_program(program *p, qeff_json root, qeff_bytes constants, qeff_error *err)
{
    int64_t format = 0;
    qeff_str kind = {NULL, 0};
    QEFF_TRY(qeff_json_expect(root, QEFF_JSON_OBJECT, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_find(root, "format"), 0, INT64_MAX, &format, err));
    if (format != QEFF_PLAN_FORMAT)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "key 'format': expected %d, found %lld",
                         QEFF_PLAN_FORMAT, (long long)format);
    QEFF_TRY(choose_kernels(root, &p->kernels, err));
    QEFF_TRY(qeff_json_to_str(qeff_json_find(root, "kind"), &kind, err));
    if (qeff_str_is(kind, "ragged")) {
        p->is_ragged = true;
        QEFF_TRY(qeff_plan_parse(root, constants, &p->arena, &p->plan, err));
        return qeff_plan_assign_slots(&p->plan, err);
    }
    if (!qeff_str_is(kind, "generic"))
        return qeff_fail(err, QEFF_ERR_FORMAT, "key 'kind': unknown kind '%.*s'",
                         QEFF_STR_ARGS(kind));
    QEFF_TRY(qeff_generic_parse(root, constants, &p->graph, err));
    p->specs = make_specs(p->graph);
    return p->specs ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

static qeff_status load(const qeff_qpc *qpc, void **out, qeff_error *err)
{
    qeff_bytes text, constants;
    qeff_json_document *document = NULL;
    *out = NULL;
    if (!qeff_qpc_find(qpc, "plan.json", &text))
        return qeff_fail(err, QEFF_ERR_FORMAT, "image 'plan.json' is missing");
    if (!qeff_qpc_find(qpc, "constants.bin", &constants))
        return qeff_fail(err, QEFF_ERR_FORMAT, "image 'constants.bin' is missing");
    program *p = qeff_alloc_zeroed(sizeof *p);
    if (!p) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    const qeff_str json = {(const char *)text.data, text.size};
    qeff_status status = qeff_json_parse(json, NULL, &document, err);
    if (!status) status = parse_program(p, qeff_json_root(document), constants, err);
    qeff_json_close(document);
    if (status)
        unload(p);
    else
        *out = p;
    return qeff_within(err, status, "image 'plan.json'");
}

static const qeff_io_spec *inputs(const void *loaded, size_t *n)
{
    const program *p = loaded;
    *n = p->is_ragged ? p->plan.n_inputs : p->graph->n_inputs;
    return p->is_ragged ? p->plan.inputs : p->specs;
}

static const qeff_io_spec *outputs(const void *loaded, size_t *n)
{
    const program *p = loaded;
    *n = p->is_ragged ? p->plan.n_outputs : p->graph->n_outputs;
    return p->is_ragged ? p->plan.outputs : p->specs + p->graph->n_inputs;
}

static bool is_ragged(const void *loaded)
{
    return ((const program *)loaded)->is_ragged;
}

/* --- sessions -----------------------------------------------------------------------------------
 */

typedef struct session {
    qeff_ragged_session *ragged; /* one of the two */
    qeff_generic_session *generic;
} session;

static void unbind(void *bound)
{
    session *s = bound;
    if (!s) return;
    qeff_ragged_unbind(s->ragged);
    qeff_generic_unbind(s->generic);
    qeff_free(s);
}

static qeff_status
bind(const void *loaded, const qeff_bind_options *options, void **out, qeff_error *err)
{
    const program *p = loaded;
    *out = NULL;
    session *s = qeff_alloc_zeroed(sizeof *s);
    if (!s) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    const qeff_status status =
        p->is_ragged ? qeff_ragged_bind(&p->plan, &p->kernels, options, &s->ragged, err)
                     : qeff_generic_bind(p->graph, &p->kernels, &s->generic, err);
    if (status)
        unbind(s);
    else
        *out = s;
    return status;
}

static qeff_status
reserve(void *bound, size_t n_sequences, size_t n_tokens, size_t max_seq_len, qeff_error *err)
{
    session *s = bound;
    if (!s->ragged) return QEFF_OK;
    return qeff_ragged_reserve(s->ragged, n_sequences, n_tokens, max_seq_len, err);
}

static qeff_status run(void *bound, const qeff_run_call *call, qeff_error *err)
{
    session *s = bound;
    if (s->ragged) return qeff_ragged_run(s->ragged, call, err);
    return qeff_generic_run(s->generic, call, err);
}

static qeff_status set_profile(void *bound, const qeff_profile *profile, qeff_error *err)
{
    session *s = bound;
    if (s->ragged) return qeff_ragged_set_profile(s->ragged, profile, err);
    if (!profile) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "the program runs op by op, not in steps");
}

const qeff_backend qeff_backend_cpu = {
    .name = "cpu",
    .available = available,
    .supports = supports,
    .hash = hash,
    .compile = compile,
    .load = load,
    .unload = unload,
    .inputs = inputs,
    .outputs = outputs,
    .is_ragged = is_ragged,
    .bind = bind,
    .unbind = unbind,
    .reserve = reserve,
    .run = run,
    .set_profile = set_profile,
};
