/* profile.c - what each step took, and the floating-point operations of its matrix products:
 *
 *   linear     2 M K N
 *   attention  4 D sum T^2 over the sequences, with D of all heads together; T instead of T^2 where
 *              only one token of each is wanted */
#include "backend/cpu/profile.h"

#include "backend/cpu/plan_names.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>

static void label_step(const qeff_step *s, char *label)
{
    const char *name = qeff_step_name(s->kind);
    const unsigned fields = qeff_step_fields(s->kind);
    if (s->kind == QEFF_STEP_LINEAR)
        (void)snprintf(label, QEFF_STEP_LABEL_BYTES, "%s %zux%zu%s%s%s", name, s->x.width,
                       s->out.width, s->activation ? " " : "",
                       s->activation ? qeff_activation_names[s->activation] : "",
                       s->y.value >= 0 ? " residual" : "");
    else if (fields & FIELD_ACTIVATION)
        (void)snprintf(label, QEFF_STEP_LABEL_BYTES, "%s %s", name,
                       qeff_activation_names[s->activation]);
    else if (fields & FIELD_MODE)
        (void)snprintf(label, QEFF_STEP_LABEL_BYTES, "%s %s", name, qeff_pool_names[s->mode]);
    else
        (void)snprintf(label, QEFF_STEP_LABEL_BYTES, "%s", name);
}

qeff_status qeff_step_profile_set(qeff_step_profile *profile, const qeff_plan *plan, int n_threads,
                                  const qeff_profile *sink, qeff_error *err)
{
    if (!sink) {
        qeff_step_profile_deinit(profile);
        return QEFF_OK;
    }
    if (!profile->labels) {
        profile->labels = qeff_alloc_array(plan->n_steps + 1, sizeof *profile->labels);
        profile->ended_ns = qeff_alloc_array((size_t)n_threads, sizeof *profile->ended_ns);
        profile->n_threads = n_threads;
        if (!profile->labels || !profile->ended_ns) {
            qeff_step_profile_deinit(profile);
            return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        }
        for (size_t i = 0; i < plan->n_steps; i++)
            label_step(&plan->steps[i], profile->labels[i]);
    }
    profile->sink = *sink;
    return QEFF_OK;
}

void qeff_step_profile_deinit(qeff_step_profile *profile)
{
    qeff_free(profile->labels);
    qeff_free(profile->ended_ns);
    *profile = (qeff_step_profile){0};
}

/* Of all workers together. */
static double count_flops(const qeff_step_call *c, const qeff_step *s)
{
    const qeff_chunk *chunk = c->chunk;
    const bool is_token = c->plan->values[s->out.value].rows == QEFF_ROWS_TOKEN;
    if (s->kind == QEFF_STEP_LINEAR) {
        const size_t rows = is_token ? chunk->n_tokens : chunk->n_sequences;
        return 2.0 * (double)rows * (double)s->x.width * (double)s->out.width;
    }
    if (s->kind != QEFF_STEP_ATTENTION) return 0;
    double pairs = 0; /* of query and key */
    for (size_t i = chunk->first_sequence; i < chunk->first_sequence + chunk->n_sequences; i++) {
        const double length = (double)(c->batch->offsets[i + 1] - c->batch->offsets[i]);
        pairs += is_token ? length * length : length;
    }
    return 4.0 * (double)s->x.width * pairs;
}

void qeff_step_profile_begin(qeff_step_profile *profile)
{
    memset(profile->ended_ns, 0, (size_t)profile->n_threads * sizeof *profile->ended_ns);
}

/* A wait is reported by the one that has waited, when it has work again: until then it may be away
 * for longer than the call takes. */
static void report_wait(const qeff_step_profile *profile, size_t thread, int64_t end_ns)
{
    const qeff_profile_event event = {.name = "wait",
                                      .thread = (int)thread,
                                      .begin_ns = profile->ended_ns[thread],
                                      .end_ns = end_ns};
    profile->sink.record(profile->sink.ctx, &event);
}

void qeff_step_run_profiled(qeff_step_profile *profile, const qeff_step_call *call,
                            const qeff_step *step, size_t thread)
{
    qeff_profile_event event = {.name = profile->labels[step - call->plan->steps],
                                .thread = (int)thread,
                                .begin_ns = qeff_clock_ns()};
    if (call->n_parts > 1 && profile->ended_ns[thread])
        report_wait(profile, thread, event.begin_ns);
    qeff_step_run(call, step);
    event.end_ns = qeff_clock_ns();
    event.flops = count_flops(call, step) / (double)call->n_parts;
    profile->sink.record(profile->sink.ctx, &event);
    profile->ended_ns[thread] = event.end_ns;
}
