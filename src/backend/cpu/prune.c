/* prune.c - where only the first or the last token of a sequence is wanted, the steps before it run
 * on that token alone.
 *
 *   linear -> first          becomes   first -> linear
 *   attention -> first                 first of the queries -> attention, on all keys and values
 *
 * and so on towards the input, as far as nothing else reads the rows. Steps that work row by row
 * give a row the same bits whatever is around it, so pruning changes no bit. The last step, which
 * picked the token, stays: it gives zeros where there is none. */
#include "backend/cpu/plan.h"

#include "base/error.h"

typedef enum demand {
    DEMAND_NONE, /* nothing reads it */
    DEMAND_FIRST,
    DEMAND_LAST,
    DEMAND_ALL
} demand;

typedef struct pruning {
    qeff_plan *plan;
    demand *demands;        /* by value: the rows that are read */
    int32_t (*picked)[2];   /* by value: the value of its first and of its last rows, -1: not yet */
    const qeff_step *steps; /* as they were */
    size_t n_steps;
} pruning;

static bool is_picking(const qeff_step *step)
{
    return step->kind == QEFF_STEP_FIRST || step->kind == QEFF_STEP_POOL;
}

/* Kinds that can do some rows without the others. */
static bool works_by_rows(qeff_step_kind kind)
{
    switch (kind) {
    case QEFF_STEP_LINEAR:
    case QEFF_STEP_LAYER_NORM:
    case QEFF_STEP_RMS_NORM:
    case QEFF_STEP_ACTIVATE:
    case QEFF_STEP_ARITHMETIC:
    case QEFF_STEP_ARITHMETIC_CONSTANT:
    case QEFF_STEP_ATTENTION:
    case QEFF_STEP_L2_NORMALIZE:
        return true;
    case QEFF_STEP_EMBED:
    case QEFF_STEP_POOL:
    case QEFF_STEP_FIRST:
    case QEFF_STEP_COPY: /* writes parts of a value */
    case QEFF_STEP_COUNT:
        break;
    }
    return false;
}

/* What a step asks of its operand `x`. */
static demand demand_of(const pruning *p, const qeff_step *step)
{
    if (step->kind == QEFF_STEP_FIRST) return DEMAND_FIRST;
    if (step->kind == QEFF_STEP_POOL)
        return step->mode == QEFF_POOL_CLS    ? DEMAND_FIRST
               : step->mode == QEFF_POOL_LAST ? DEMAND_LAST
                                              : DEMAND_ALL;
    const demand out = p->demands[step->out.value];
    return works_by_rows(step->kind) && out != DEMAND_NONE ? out : DEMAND_ALL;
}

static void ask(pruning *p, qeff_view view, demand wanted)
{
    if (view.value < 0) return;
    demand *d = &p->demands[view.value];
    *d = *d == DEMAND_NONE || *d == wanted ? wanted : DEMAND_ALL;
}

/* From the last step to the first: a value's readers are all behind it. */
static void find_demands(pruning *p)
{
    for (size_t i = 0; i < p->plan->n_outputs; i++)
        ask(p, p->plan->output_views[i], DEMAND_ALL);
    for (size_t i = p->n_steps; i-- > 0;) {
        const qeff_step *step = &p->steps[i];
        const demand wanted = demand_of(p, step);
        const demand others = step->kind == QEFF_STEP_ATTENTION ? DEMAND_ALL : wanted;
        ask(p, step->x, wanted);
        ask(p, step->y, others);
        ask(p, step->z, others);
        if (!works_by_rows(step->kind)) ask(p, step->out, DEMAND_ALL);
    }
}

static bool is_pruned(const pruning *p, int32_t value)
{
    return p->plan->values[value].rows == QEFF_ROWS_TOKEN &&
           (p->demands[value] == DEMAND_FIRST || p->demands[value] == DEMAND_LAST);
}

/* Makes the view one of the wanted rows; the step that picks them goes before its first reader. */
static bool pick_rows(pruning *p, qeff_view *view, demand wanted)
{
    qeff_plan *plan = p->plan;
    if (view->value < 0 || plan->values[view->value].rows == QEFF_ROWS_SEQUENCE) return true;
    int32_t *picked = &p->picked[view->value][wanted == DEMAND_LAST];
    if (*picked < 0) {
        const size_t width = plan->values[view->value].width;
        qeff_step pick = qeff_step_of(QEFF_STEP_POOL);
        pick.mode = wanted == DEMAND_LAST ? QEFF_POOL_LAST : QEFF_POOL_CLS;
        pick.x = (qeff_view){view->value, 0, width};
        *picked = qeff_plan_add_value(plan, QEFF_ROWS_SEQUENCE, width);
        if (*picked < 0) return false;
        pick.out = (qeff_view){*picked, 0, width};
        if (qeff_plan_add_step(plan, &pick) < 0) return false;
    }
    view->value = *picked;
    return true;
}

static bool rewrite(pruning *p)
{
    for (size_t i = 0; i < p->n_steps; i++) {
        qeff_step step = p->steps[i];
        if (!is_picking(&step) && is_pruned(p, step.out.value)) {
            const demand wanted = p->demands[step.out.value];
            if (!pick_rows(p, &step.x, wanted)) return false;
            if (step.kind != QEFF_STEP_ATTENTION &&
                (!pick_rows(p, &step.y, wanted) || !pick_rows(p, &step.z, wanted)))
                return false;
            p->plan->values[step.out.value].rows = QEFF_ROWS_SEQUENCE;
        }
        if (qeff_plan_add_step(p->plan, &step) < 0) return false;
    }
    return true;
}

qeff_status qeff_plan_prune(qeff_plan *plan, qeff_error *err)
{
    const size_t n = plan->n_values + 1;
    qeff_step *steps = plan->steps;
    pruning p = {.plan = plan, .steps = steps, .n_steps = plan->n_steps};
    bool is_done = false;
    plan->steps = NULL;
    plan->n_steps = plan->steps_capacity = 0;
    p.demands = qeff_alloc_array(n, sizeof *p.demands);
    p.picked = qeff_alloc_array(n, sizeof *p.picked);
    if (p.demands && p.picked) {
        for (size_t i = 0; i < n; i++)
            p.picked[i][0] = p.picked[i][1] = -1;
        find_demands(&p);
        is_done = rewrite(&p);
    }
    qeff_free(p.demands);
    qeff_free(p.picked);
    qeff_free(steps);
    return is_done ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}
