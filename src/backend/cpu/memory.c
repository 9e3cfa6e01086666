/* memory.c - which values share memory: a value takes the best free slot when it is first written
 * and gives it back after its last read.
 *
 * A step's output never gets the slot of one of its inputs. The slots of a plan are worked out when
 * it is loaded, so nothing about memory is taken from the file. */
#include "backend/cpu/plan.h"

#include "base/error.h"

typedef struct assigning {
    qeff_plan *plan;
    size_t *last_use; /* by value: the step that reads it last; n_steps for outputs */
    bool *is_free;    /* by slot */
    bool *has_slot;   /* by value */
    size_t step;
} assigning;

static void note_use(void *ctx, qeff_view *view)
{
    assigning *a = ctx;
    a->last_use[view->value] = a->step;
}

static void find_last_uses(assigning *a)
{
    qeff_plan *plan = a->plan;
    for (a->step = 0; a->step < plan->n_steps; a->step++) {
        qeff_view out = plan->steps[a->step].out;
        note_use(a, &out); /* a value that nothing reads lives for its own step */
        qeff_step_visit_views(&plan->steps[a->step], note_use, a);
    }
    for (size_t i = 0; i < plan->n_outputs; i++)
        a->last_use[plan->output_views[i].value] = plan->n_steps;
}

/* The narrowest free slot that is wide enough, else the widest free one, widened, else a new one.
 */
static size_t pick_slot(assigning *a, const qeff_plan_value *value)
{
    qeff_plan *plan = a->plan;
    size_t best = plan->n_slots;
    for (size_t i = 0; i < plan->n_slots; i++) {
        if (!a->is_free[i] || plan->slots[i].rows != value->rows) continue;
        if (best == plan->n_slots) {
            best = i;
            continue;
        }
        const size_t stride = plan->slots[i].stride, least = plan->slots[best].stride;
        const bool fits = stride >= value->stride, best_fits = least >= value->stride;
        if (fits ? !best_fits || stride < least : !best_fits && stride > least) best = i;
    }
    if (best == plan->n_slots)
        plan->slots[plan->n_slots++] = (qeff_slot){.rows = value->rows, .stride = value->stride};
    if (plan->slots[best].stride < value->stride) plan->slots[best].stride = value->stride;
    a->is_free[best] = false;
    return best;
}

static void release(void *ctx, qeff_view *view)
{
    assigning *a = ctx;
    if (a->last_use[view->value] == a->step) a->is_free[a->plan->values[view->value].slot] = true;
}

static void note_packing(qeff_plan *plan, const qeff_step *step)
{
    const qeff_plan_value *out = &plan->values[step->out.value];
    const size_t block = out->block < out->width ? out->block : out->width;
    const size_t words = qeff_packed_words(step->numbers, step->x.width, step->block);
    if (block > plan->max_block) plan->max_block = block;
    if (plan->values[step->x.value].block == 0 && words > plan->max_words) plan->max_words = words;
}

static void assign(assigning *a)
{
    qeff_plan *plan = a->plan;
    for (a->step = 0; a->step < plan->n_steps; a->step++) {
        qeff_step *step = &plan->steps[a->step];
        qeff_plan_value *value = &plan->values[step->out.value];
        if (!a->has_slot[step->out.value]) {
            value->slot = pick_slot(a, value);
            a->has_slot[step->out.value] = true;
        }
        qeff_step_visit_views(step, release, a);
        release(a, &step->out);
        if (step->kind == QEFF_STEP_ATTENTION && step->x.width / step->n_heads > plan->max_head_dim)
            plan->max_head_dim = step->x.width / step->n_heads;
        if (step->kind == QEFF_STEP_LINEAR && step->numbers != QEFF_NUMBERS_F32)
            note_packing(plan, step);
    }
}

qeff_status qeff_plan_assign_slots(qeff_plan *plan, qeff_error *err)
{
    assigning a = {.plan = plan};
    const size_t n = plan->n_values + 1;
    a.last_use = qeff_alloc_array(n, sizeof *a.last_use);
    a.is_free = qeff_alloc_array(n, sizeof *a.is_free);
    a.has_slot = qeff_alloc_array(n, sizeof *a.has_slot);
    plan->slots = qeff_alloc_array(n, sizeof *plan->slots);
    const bool has_memory = a.last_use && a.is_free && a.has_slot && plan->slots;
    if (has_memory) {
        find_last_uses(&a);
        assign(&a);
    }
    qeff_free(a.last_use);
    qeff_free(a.is_free);
    qeff_free(a.has_slot);
    return has_memory ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}
