/* fuse.c - joins steps of a plan, so that a row is touched while it is in cache:
 *
 *   linear, linear, linear -> attention   one linear of three times the width
 *   linear -> activate                    the activation in the linear
 *   linear -> add                         the other operand as the linear's residual
 *   embed -> layer_norm                   the norm in the embedding
 *
 * A value goes away only where nothing else reads it. Arithmetic stays the same, operation by
 * operation, so fusing changes no bit. */
#include "backend/cpu/plan.h"

#include "base/error.h"

typedef struct fusing {
    qeff_plan *plan;
    uint32_t *n_uses;  /* by value: views that read it */
    int32_t *producer; /* by value: the step that writes all of it; -1: COPY, or none */
    bool *is_gone;     /* by step */
} fusing;

static void count_view(void *ctx, qeff_view *view)
{
    ((fusing *)ctx)->n_uses[view->value]++;
}

static void count_uses(fusing *f)
{
    qeff_plan *plan = f->plan;
    for (size_t i = 0; i < plan->n_values; i++)
        f->producer[i] = -1;
    for (size_t i = 0; i < plan->n_steps; i++) {
        qeff_step *step = &plan->steps[i];
        qeff_step_visit_views(step, count_view, f);
        if (step->kind != QEFF_STEP_COPY) f->producer[step->out.value] = (int32_t)i;
    }
    for (size_t i = 0; i < plan->n_outputs; i++)
        f->n_uses[plan->output_views[i].value]++;
}

/* The step of this kind that writes the view's value, where the view is all of it and the only
 * use; NULL otherwise. */
static qeff_step *sole_producer(const fusing *f, qeff_view view, qeff_step_kind kind)
{
    const int32_t producer = f->producer[view.value];
    if (producer < 0 || f->n_uses[view.value] != 1 || view.column != 0) return NULL;
    qeff_step *step = &f->plan->steps[producer];
    if (step->kind != kind || view.width != f->plan->values[view.value].width) return NULL;
    return step;
}

static bool is_plain(const qeff_step *linear)
{
    return linear && linear->activation == QEFF_ACTIVATION_NONE && linear->y.value < 0;
}

static void remove_step(fusing *f, const qeff_step *step)
{
    f->is_gone[step - f->plan->steps] = true;
}

static void set_producer(fusing *f, const qeff_step *step)
{
    f->producer[step->out.value] = (int32_t)(step - f->plan->steps);
}

/* --- query, key, value --------------------------------------------------------------------------
 */

static void append_sources(qeff_constant *to, const qeff_constant *from)
{
    for (size_t i = 0; i < from->n_sources; i++)
        to->sources[to->n_sources++] = from->sources[i];
}

/* Rows of the three weights one after another; -1 where there is no memory. */
static int32_t join_constants(qeff_plan *plan, int32_t a, int32_t b, int32_t c)
{
    qeff_constant joined = plan->constants[a];
    const qeff_constant *second = &plan->constants[b], *third = &plan->constants[c];
    if (joined.kind == QEFF_CONSTANT_PANELS)
        joined.rows += second->rows + third->rows;
    else
        joined.columns += second->columns + third->columns;
    append_sources(&joined, second);
    append_sources(&joined, third);
    return qeff_plan_add_constant(plan, &joined);
}

static bool can_join(const fusing *f, const qeff_step *q, const qeff_step *k, const qeff_step *v)
{
    if (!is_plain(q) || !is_plain(k) || !is_plain(v)) return false;
    if (!qeff_view_equal(q->x, k->x) || !qeff_view_equal(q->x, v->x)) return false;
    if ((q->bias < 0) != (k->bias < 0) || (q->bias < 0) != (v->bias < 0)) return false;
    const qeff_step *all[] = {q, k, v};
    for (size_t i = 0; i < 3; i++) {
        if (f->plan->constants[all[i]->weight].n_sources != 1) return false;
        if (all[i]->bias >= 0) {
            const qeff_constant *bias = &f->plan->constants[all[i]->bias];
            if (bias->n_sources != 1 || bias->sources[0].count != bias->columns) return false;
        }
    }
    return true;
}

/* The joined linear takes the place of the first of the three. */
static bool join_attention(fusing *f, qeff_step *attention)
{
    qeff_step *q = sole_producer(f, attention->x, QEFF_STEP_LINEAR);
    qeff_step *k = sole_producer(f, attention->y, QEFF_STEP_LINEAR);
    qeff_step *v = sole_producer(f, attention->z, QEFF_STEP_LINEAR);
    if (!can_join(f, q, k, v)) return true;
    const size_t width = attention->x.width;
    if (width > QEFF_PLAN_WIDTH_MAX / 3) return true;
    const int32_t weight = join_constants(f->plan, q->weight, k->weight, v->weight);
    const int32_t bias = q->bias < 0 ? -1 : join_constants(f->plan, q->bias, k->bias, v->bias);
    if (weight < 0 || (q->bias >= 0 && bias < 0)) return false;
    /* The query's value becomes the wide one; nothing else reads it. */
    const int32_t value = q->out.value;
    qeff_step *first = k < q ? k : q;
    if (v < first) first = v;
    qeff_step joined = *q;
    joined.weight = weight;
    joined.bias = bias;
    joined.out.width = 3 * width;
    qeff_plan_value *wide = &f->plan->values[value];
    wide->width = 3 * width;
    wide->stride = qeff_plan_stride(3 * width);
    remove_step(f, q);
    remove_step(f, k);
    remove_step(f, v);
    *first = joined;
    f->is_gone[first - f->plan->steps] = false;
    set_producer(f, first);
    attention->x = (qeff_view){value, 0, width};
    attention->y = (qeff_view){value, width, width};
    attention->z = (qeff_view){value, 2 * width, width};
    f->n_uses[value] = 3;
    return true;
}

/* --- epilogues ----------------------------------------------------------------------------------
 */

static void fuse_activation(fusing *f, qeff_step *activate)
{
    qeff_step *linear = sole_producer(f, activate->x, QEFF_STEP_LINEAR);
    if (!is_plain(linear)) return;
    linear->activation = activate->activation;
    linear->out = activate->out;
    set_producer(f, linear);
    remove_step(f, activate);
}

/* The linear moves to the place of the addition, where both operands are there. */
static void fuse_residual(fusing *f, qeff_step *add)
{
    qeff_step *linear = sole_producer(f, add->x, QEFF_STEP_LINEAR);
    qeff_view residual = add->y;
    if (!linear || linear->y.value >= 0) {
        linear = sole_producer(f, add->y, QEFF_STEP_LINEAR);
        residual = add->x;
    }
    if (add->arithmetic != QEFF_ARITHMETIC_ADD || !linear || linear->y.value >= 0) return;
    qeff_step joined = *linear;
    joined.y = residual;
    joined.out = add->out;
    remove_step(f, linear);
    *add = joined;
    set_producer(f, add);
}

static void fuse_norm(fusing *f, qeff_step *norm)
{
    qeff_step *embed = sole_producer(f, norm->x, QEFF_STEP_EMBED);
    if (!embed || embed->gamma >= 0) return;
    embed->gamma = norm->gamma;
    embed->beta = norm->beta;
    embed->eps = norm->eps;
    embed->out = norm->out;
    set_producer(f, embed);
    remove_step(f, norm);
}

static bool fuse_steps(fusing *f)
{
    qeff_plan *plan = f->plan;
    for (size_t i = 0; i < plan->n_steps; i++) {
        qeff_step *step = &plan->steps[i];
        if (f->is_gone[i]) continue;
        if (step->kind == QEFF_STEP_ACTIVATE) fuse_activation(f, step);
        if (step->kind == QEFF_STEP_ARITHMETIC) fuse_residual(f, step);
        if (step->kind == QEFF_STEP_LAYER_NORM) fuse_norm(f, step);
        if (step->kind == QEFF_STEP_ATTENTION && !join_attention(f, step)) return false;
    }
    size_t n = 0;
    for (size_t i = 0; i < plan->n_steps; i++)
        if (!f->is_gone[i]) plan->steps[n++] = plan->steps[i];
    plan->n_steps = n;
    return true;
}

/* --- values that are gone -----------------------------------------------------------------------
 */

static void renumber_view(void *ctx, qeff_view *view)
{
    view->value = ((const int32_t *)ctx)[view->value];
}

static void drop_values(qeff_plan *plan, int32_t *numbers)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->n_values; i++)
        numbers[i] = -1;
    for (size_t i = 0; i < plan->n_steps; i++)
        numbers[plan->steps[i].out.value] = 0;
    for (size_t i = 0; i < plan->n_values; i++) {
        if (numbers[i] < 0) continue;
        plan->values[n] = plan->values[i];
        numbers[i] = (int32_t)n++;
    }
    plan->n_values = n;
    for (size_t i = 0; i < plan->n_steps; i++) {
        renumber_view(numbers, &plan->steps[i].out);
        qeff_step_visit_views(&plan->steps[i], renumber_view, numbers);
    }
    for (size_t i = 0; i < plan->n_outputs; i++)
        renumber_view(numbers, &plan->output_views[i]);
}

qeff_status qeff_plan_fuse(qeff_plan *plan, qeff_error *err)
{
    fusing f = {.plan = plan};
    bool is_done = false;
    f.n_uses = qeff_alloc_array(plan->n_values + 1, sizeof *f.n_uses);
    f.producer = qeff_alloc_array(plan->n_values + 1, sizeof *f.producer);
    f.is_gone = qeff_alloc_array(plan->n_steps + 1, sizeof *f.is_gone);
    if (f.n_uses && f.producer && f.is_gone) {
        count_uses(&f);
        is_done = fuse_steps(&f);
        if (is_done) drop_values(plan, f.producer);
    }
    qeff_free(f.n_uses);
    qeff_free(f.producer);
    qeff_free(f.is_gone);
    return is_done ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}
