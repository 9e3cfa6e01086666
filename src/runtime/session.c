/* session.c - one caller's workspace over a program: checks named arrays against what the program
 * takes, sizes the outputs, runs.
 *
 * The padded call binds the names of the dims: the first input that has `batch_size` says what it
 * is, all others must agree. */
#include "runtime/session.h"

#include "base/checked.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/float_mode.h"
#include "base/span.h"
#include "runtime/program.h"

#include <stdatomic.h>

enum { SYMBOLS_MAX = 16, IO_MAX = 32 };

struct qeff_session {
    const qeff_program *program;
    void *bound; /* the backend's session */
    atomic_flag is_busy;
};

/* Sizes that the inputs gave to named dims. */
typedef struct bindings {
    size_t n;
    const char *names[SYMBOLS_MAX];
    int64_t sizes[SYMBOLS_MAX];
} bindings;

static bool find_binding(const bindings *b, const char *name, int64_t *size)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->names[i], name) == 0) {
            *size = b->sizes[i];
            return true;
        }
    return false;
}

qeff_status qeff_session_create(const qeff_program *program, const qeff_session_options *options,
                                qeff_session **out, qeff_error *err)
{
    int n_threads = 0;
    *out = NULL;
    QEFF_TRY(qeff_cpu_choose_threads(options ? options->n_threads : 0, &n_threads, err));
    if (program->n_inputs > IO_MAX || program->n_outputs > IO_MAX)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "over %d inputs or outputs", IO_MAX);
    qeff_session *session = qeff_alloc_zeroed(sizeof *session);
    if (!session) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    session->program = program;
    atomic_flag_clear(&session->is_busy);
    const qeff_bind_options bind = {.n_threads = n_threads};
    const qeff_status status = program->backend->bind(program->loaded, &bind, &session->bound, err);
    if (status) {
        qeff_free(session);
        return status;
    }
    *out = session;
    return QEFF_OK;
}

qeff_status qeff_session_destroy(qeff_session *session)
{
    if (!session) return QEFF_OK;
    if (atomic_flag_test_and_set(&session->is_busy)) return QEFF_ERR_INVALID;
    session->program->backend->unbind(session->bound);
    qeff_free(session);
    return QEFF_OK;
}

static const qeff_tensor *
find_input(const qeff_tensor *inputs, size_t n, const char *name, size_t *times)
{
    const qeff_tensor *found = NULL;
    *times = 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(inputs[i].name, name) == 0) {
            found = &inputs[i];
            (*times)++;
        }
    return found;
}

static qeff_status
bind_dims(bindings *b, const qeff_program_io *io, const qeff_tensor *t, qeff_error *err)
{
    for (size_t d = 0; d < io->rank; d++) {
        int64_t expected = io->shape[d];
        if (t->shape[d] < 0)
            return qeff_fail(err, QEFF_ERR_INVALID, "input '%s': dimension %zu is negative",
                             io->name, d);
        if (io->dim_names[d] && !find_binding(b, io->dim_names[d], &expected)) {
            if (b->n == SYMBOLS_MAX)
                return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "over %d named dimensions",
                                 SYMBOLS_MAX);
            b->names[b->n] = io->dim_names[d];
            b->sizes[b->n++] = expected = t->shape[d];
        }
        if (t->shape[d] != expected)
            return qeff_fail(err, QEFF_ERR_INVALID,
                             "input '%s': dimension %zu: expected %lld, found %lld", io->name, d,
                             (long long)expected, (long long)t->shape[d]);
    }
    return QEFF_OK;
}

static qeff_run_tensor to_run_tensor(const qeff_tensor *t)
{
    qeff_run_tensor r = {
        .name = qeff_str_of(t->name), .dtype = t->dtype, .rank = t->rank, .data = t->data};
    memcpy(r.shape, t->shape, sizeof r.shape);
    return r;
}

static qeff_status match_inputs(const qeff_program *program, const qeff_tensor *inputs, size_t n,
                                qeff_run_tensor *out, bindings *b, qeff_error *err)
{
    for (size_t i = 0; i < program->n_inputs; i++) {
        const qeff_program_io *io = &program->inputs[i];
        size_t times = 0;
        const qeff_tensor *t = find_input(inputs, n, io->name, &times);
        if (times != 1)
            return qeff_fail(err, QEFF_ERR_INVALID, "input '%s': expected once, found %s", io->name,
                             times ? "more than once" : "nowhere");
        if (t->dtype != io->dtype || t->rank != io->rank)
            return qeff_fail(
                err, QEFF_ERR_INVALID, "input '%s': expected %s of rank %zu, found %s of rank %zu",
                io->name, qeff_dtype_name(io->dtype), io->rank, qeff_dtype_name(t->dtype), t->rank);
        QEFF_TRY(bind_dims(b, io, t, err));
        out[i] = to_run_tensor(t);
    }
    for (size_t i = 0; i < n; i++) {
        bool is_known = false;
        for (size_t k = 0; k < program->n_inputs; k++)
            is_known |= strcmp(inputs[i].name, program->inputs[k].name) == 0;
        if (!is_known)
            return qeff_fail(err, QEFF_ERR_INVALID, "input '%s': the program has no such input",
                             inputs[i].name);
    }
    return QEFF_OK;
}

static qeff_status allocate_outputs(const qeff_program *program, const bindings *b,
                                    qeff_tensors **out, qeff_error *err)
{
    qeff_tensors *list = NULL;
    QEFF_TRY(qeff_tensors_create(program->n_outputs, &list, err));
    qeff_status status = QEFF_OK;
    for (size_t i = 0; i < program->n_outputs && !status; i++) {
        const qeff_program_io *io = &program->outputs[i];
        int64_t shape[QEFF_MAX_RANK] = {0};
        for (size_t d = 0; d < io->rank && !status; d++) {
            shape[d] = io->shape[d];
            if (io->dim_names[d] && !find_binding(b, io->dim_names[d], &shape[d]))
                status = qeff_fail(err, QEFF_ERR_UNSUPPORTED,
                                   "output '%s': no input says how large '%s' is", io->name,
                                   io->dim_names[d]);
        }
        if (!status)
            status = qeff_tensors_allocate(list, i, io->name, io->dtype, io->rank, shape, err);
    }
    if (status)
        qeff_tensors_destroy(list);
    else
        *out = list;
    return status;
}

static qeff_status run_locked(qeff_session *session, const qeff_tensor *inputs, size_t n_inputs,
                              qeff_tensors **outputs, qeff_error *err)
{
    const qeff_program *program = session->program;
    const qeff_backend *backend = program->backend;
    qeff_run_tensor in[IO_MAX], out[IO_MAX];
    bindings b = {.n = 0};
    qeff_tensors *list = NULL;
    int64_t batch = 1, seq_len = 1, tokens = 0;
    QEFF_TRY(match_inputs(program, inputs, n_inputs, in, &b, err));
    (void)find_binding(&b, "batch_size", &batch);
    (void)find_binding(&b, "seq_len", &seq_len);
    if (!qeff_mul_i64(batch, seq_len, &tokens))
        return qeff_fail(err, QEFF_ERR_INVALID, "batch of %lld x %lld tokens is too large",
                         (long long)batch, (long long)seq_len);
    QEFF_TRY(allocate_outputs(program, &b, &list, err));
    for (size_t i = 0; i < list->count; i++)
        out[i] = to_run_tensor(&list->items[i]);
    const qeff_run_call call = {
        .inputs = in, .n_inputs = program->n_inputs, .outputs = out, .n_outputs = list->count};
    qeff_status status =
        backend->reserve(session->bound, (size_t)batch, (size_t)tokens, (size_t)seq_len, err);
    if (!status) status = backend->run(session->bound, &call, err);
    if (status)
        qeff_tensors_destroy(list);
    else
        *outputs = list;
    return status;
}

static qeff_status enter(qeff_session *session, qeff_error *err)
{
    if (!atomic_flag_test_and_set(&session->is_busy)) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_INVALID, "the session is running in another thread");
}

static qeff_status run(qeff_session *session, const qeff_tensor *inputs, size_t n_inputs,
                       qeff_tensors **outputs, qeff_error *err)
{
    *outputs = NULL;
    QEFF_TRY(enter(session, err));
    const qeff_status status = run_locked(session, inputs, n_inputs, outputs, err);
    atomic_flag_clear(&session->is_busy);
    return status;
}

qeff_status qeff_session_run(qeff_session *session, const qeff_tensor *inputs, size_t n_inputs,
                             qeff_tensors **outputs, qeff_error *err)
{
    const qeff_float_mode mode = qeff_float_mode_enter();
    const qeff_status status = run(session, inputs, n_inputs, outputs, err);
    qeff_float_mode_leave(&mode);
    return status;
}

qeff_status
qeff_session_run_ragged(qeff_session *session, const qeff_run_call *call, qeff_error *err)
{
    const qeff_backend *backend = session->program->backend;
    size_t longest = 0;
    QEFF_TRY(enter(session, err));
    for (size_t s = 0; s < call->n_sequences; s++) {
        const size_t length = (size_t)(call->offsets[s + 1] - call->offsets[s]);
        if (length > longest) longest = length;
    }
    qeff_status status = backend->reserve(session->bound, call->n_sequences,
                                          (size_t)call->offsets[call->n_sequences], longest, err);
    if (!status) status = backend->run(session->bound, call, err);
    atomic_flag_clear(&session->is_busy);
    return status;
}

qeff_status
qeff_session_set_profile(qeff_session *session, const qeff_profile *profile, qeff_error *err)
{
    const qeff_backend *backend = session->program->backend;
    if (!backend->set_profile)
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "target '%s' reports no steps", backend->name);
    QEFF_TRY(enter(session, err));
    const qeff_status status = backend->set_profile(session->bound, profile, err);
    atomic_flag_clear(&session->is_busy);
    return status;
}
