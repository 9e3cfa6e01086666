/* null.c - refuses everything, politely. */
#include "backend/null/null.h"

#include "base/error.h"

static qeff_status refuse(qeff_error *err)
{
    const qeff_status status =
        qeff_fail(err, QEFF_ERR_UNSUPPORTED, "target 'null' runs nothing; it is a template");
    qeff_hint(err, "use --target cpu");
    return status;
}

static qeff_status available(qeff_error *err)
{
    return refuse(err);
}

static bool supports(const qeff_graph *graph, const qeff_node *node)
{
    (void)graph;
    (void)node;
    return false;
}

static void hash(const qeff_compile_options *options, qeff_hash *state)
{
    static const uint8_t version = 1;
    (void)options;
    qeff_hash_update(state, &version, sizeof version);
}

static qeff_status compile(const qeff_graph *graph, const qeff_compile_options *options,
                           qeff_compiled *out, qeff_error *err)
{
    (void)graph;
    (void)options;
    *out = (qeff_compiled){0};
    return refuse(err);
}

static qeff_status load(const qeff_qpc *qpc, void **program, qeff_error *err)
{
    (void)qpc;
    *program = NULL;
    return refuse(err);
}

static void unload(void *program)
{
    (void)program;
}

static const qeff_io_spec *no_specs(const void *program, size_t *n)
{
    (void)program;
    *n = 0;
    return NULL;
}

static bool is_ragged(const void *program)
{
    (void)program;
    return false;
}

static qeff_status
bind(const void *program, const qeff_bind_options *options, void **session, qeff_error *err)
{
    (void)program;
    (void)options;
    *session = NULL;
    return refuse(err);
}

static void unbind(void *session)
{
    (void)session;
}

static qeff_status
reserve(void *session, size_t n_sequences, size_t n_tokens, size_t max_seq_len, qeff_error *err)
{
    (void)session;
    (void)n_sequences;
    (void)n_tokens;
    (void)max_seq_len;
    return refuse(err);
}

static qeff_status run(void *session, const qeff_run_call *call, qeff_error *err)
{
    (void)session;
    (void)call;
    return refuse(err);
}

const qeff_backend qeff_backend_null = {
    .name = "null",
    .available = available,
    .supports = supports,
    .hash = hash,
    .compile = compile,
    .load = load,
    .unload = unload,
    .inputs = no_specs,
    .outputs = no_specs,
    .is_ragged = is_ragged,
    .bind = bind,
    .unbind = unbind,
    .reserve = reserve,
    .run = run,
};
