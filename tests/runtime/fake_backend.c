/* fake_backend.c - see fake_backend.h. */
#include "runtime/fake_backend.h"

#include "base/error.h"

fake_log fake;

void fake_vector(const int64_t *ids, size_t n, float out[FAKE_DIM])
{
    for (int d = 0; d < FAKE_DIM; d++)
        out[d] = (float)(d + 1) * (float)n;
    for (size_t i = 0; i < n; i++)
        out[i % FAKE_DIM] += (float)ids[i] * (float)(i + 1);
}

static qeff_status
fake_bind(const void *program, const qeff_bind_options *options, void **session, qeff_error *err)
{
    (void)program;
    (void)err;
    static int bound;
    bound = options->n_threads;
    *session = &bound;
    return QEFF_OK;
}

static void fake_unbind(void *session)
{
    (void)session;
}

static qeff_status fake_reserve(void *session, size_t n_sequences, size_t n_tokens,
                                size_t max_seq_len, qeff_error *err)
{
    (void)session;
    (void)max_seq_len;
    (void)err;
    if (n_sequences > fake.largest_sequences) fake.largest_sequences = n_sequences;
    if (n_tokens > fake.largest_tokens) fake.largest_tokens = n_tokens;
    return QEFF_OK;
}

static void run_padded(const qeff_run_call *call, float *out)
{
    const int64_t *ids = call->inputs[0].data, *mask = call->inputs[1].data;
    const int64_t batch = call->inputs[0].shape[0], seq_len = call->inputs[0].shape[1];
    for (int64_t b = 0; b < batch; b++) {
        size_t n = 0;
        while ((int64_t)n < seq_len && mask[b * seq_len + (int64_t)n])
            n++;
        fake_vector(ids + b * seq_len, n, out + b * FAKE_DIM);
    }
}

static qeff_status fake_run(void *session, const qeff_run_call *call, qeff_error *err)
{
    (void)session;
    float *out = call->outputs[0].data;
    const int64_t *ids = call->inputs[0].data;
    fake.n_calls++;
    if (fake.on_run) fake.on_run(fake.ctx);
    if (fake.fails) return qeff_fail(err, QEFF_ERR_DEVICE, "the fake device is off");
    if (call->n_sequences == 0) run_padded(call, out);
    for (size_t s = 0; s < call->n_sequences; s++) {
        const int64_t begin = call->offsets[s];
        fake_vector(ids + begin, (size_t)(call->offsets[s + 1] - begin), out + s * FAKE_DIM);
    }
    return QEFF_OK;
}

const qeff_backend fake_backend = {.name = "fake",
                                   .bind = fake_bind,
                                   .unbind = fake_unbind,
                                   .reserve = fake_reserve,
                                   .run = fake_run};

static qeff_program_io inputs[] = {
    {"input_ids", QEFF_DTYPE_I64, 2, {-1, -1}, {"batch_size", "seq_len"}},
    {"attention_mask", QEFF_DTYPE_I64, 2, {-1, -1}, {"batch_size", "seq_len"}},
};
static qeff_program_io outputs[] = {
    {"output", QEFF_DTYPE_F32, 2, {-1, FAKE_DIM}, {"batch_size", NULL}},
};

qeff_program fake_program = {.backend = &fake_backend,
                             .inputs = inputs,
                             .n_inputs = 2,
                             .outputs = outputs,
                             .n_outputs = 1,
                             .manifest = "{}"};
