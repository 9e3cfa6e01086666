/* plan.c - building blocks of a ragged plan: its lists, and what the kinds of steps read. */
#include "backend/cpu/plan.h"

#include "base/span.h"

static const struct {
    const char *name;
    unsigned fields;
} kinds[QEFF_STEP_COUNT] = {
#define STEP(id, name, fields) {name, fields},
#include "backend/cpu/steps.def"
#undef STEP
};

unsigned qeff_step_fields(qeff_step_kind kind)
{
    return kinds[kind].fields;
}

const char *qeff_step_name(qeff_step_kind kind)
{
    return kinds[kind].name;
}

qeff_step qeff_step_of(qeff_step_kind kind)
{
    return (qeff_step){.kind = kind,
                       .out = qeff_view_none(),
                       .x = qeff_view_none(),
                       .y = qeff_view_none(),
                       .z = qeff_view_none(),
                       .weight = -1,
                       .bias = -1,
                       .gamma = -1,
                       .beta = -1,
                       .factor = -1,
                       .w_scale = -1,
                       .w_sum = -1,
                       .out_factor = -1,
                       .n_heads = 1,
                       .scale = 1.0};
}

void qeff_plan_deinit(qeff_plan *plan)
{
    qeff_free(plan->constants);
    qeff_free(plan->values);
    qeff_free(plan->steps);
    qeff_free(plan->slots);
    qeff_arena_deinit(&plan->computed);
    *plan = (qeff_plan){0};
}

/* Sixteen floats of room after each row keep strides off multiples of 4 KiB, at which the rows of a
 * tile would fall into one set of the L1 cache. */
size_t qeff_plan_stride(size_t width)
{
    return (width + QEFF_PANEL - 1) / QEFF_PANEL * QEFF_PANEL + QEFF_PANEL;
}

int32_t qeff_plan_add_value(qeff_plan *plan, qeff_rows rows, size_t width)
{
    qeff_plan_value *values =
        qeff_grow(plan->values, plan->n_values, &plan->values_capacity, sizeof *values);
    if (!values) return -1;
    plan->values = values;
    values[plan->n_values] =
        (qeff_plan_value){.rows = rows, .width = width, .stride = qeff_plan_stride(width)};
    return (int32_t)plan->n_values++;
}

void qeff_plan_pack_value(qeff_plan_value *value, size_t block)
{
    value->block = block;
    value->stride = qeff_plan_stride(qeff_packed_words(QEFF_NUMBERS_I8, value->width, block));
}

int32_t qeff_plan_add_step(qeff_plan *plan, const qeff_step *step)
{
    qeff_step *steps = qeff_grow(plan->steps, plan->n_steps, &plan->steps_capacity, sizeof *steps);
    if (!steps) return -1;
    plan->steps = steps;
    steps[plan->n_steps] = *step;
    return (int32_t)plan->n_steps++;
}

static bool is_same_constant(const qeff_constant *a, const qeff_constant *b)
{
    if (a->n_sources == 0 || a->kind != b->kind || a->dtype != b->dtype || a->rows != b->rows ||
        a->columns != b->columns || a->n_sources != b->n_sources)
        return false;
    for (size_t i = 0; i < a->n_sources; i++)
        if (a->sources[i].weight != b->sources[i].weight ||
            a->sources[i].first != b->sources[i].first ||
            a->sources[i].count != b->sources[i].count)
            return false;
    return true;
}

int32_t qeff_plan_add_constant(qeff_plan *plan, const qeff_constant *constant)
{
    for (size_t i = 0; i < plan->n_constants; i++)
        if (is_same_constant(&plan->constants[i], constant)) return (int32_t)i;
    return qeff_plan_append_constant(plan, constant);
}

int32_t qeff_plan_append_constant(qeff_plan *plan, const qeff_constant *constant)
{
    qeff_constant *constants =
        qeff_grow(plan->constants, plan->n_constants, &plan->constants_capacity, sizeof *constants);
    if (!constants) return -1;
    plan->constants = constants;
    constants[plan->n_constants] = *constant;
    return (int32_t)plan->n_constants++;
}

void qeff_step_visit_views(qeff_step *step, void (*visit)(void *ctx, qeff_view *view), void *ctx)
{
    if (step->x.value >= 0) visit(ctx, &step->x);
    if (step->y.value >= 0) visit(ctx, &step->y);
    if (step->z.value >= 0) visit(ctx, &step->z);
}

void qeff_step_visit_constants(qeff_step *step, void (*visit)(void *ctx, int32_t *constant),
                               void *ctx)
{
    for (size_t i = 0; i < step->n_terms; i++)
        visit(ctx, &step->terms[i].constant);
    if (step->weight >= 0) visit(ctx, &step->weight);
    if (step->bias >= 0) visit(ctx, &step->bias);
    if (step->gamma >= 0) visit(ctx, &step->gamma);
    if (step->beta >= 0) visit(ctx, &step->beta);
    if (step->factor >= 0) visit(ctx, &step->factor);
    if (step->w_scale >= 0) visit(ctx, &step->w_scale);
    if (step->w_sum >= 0) visit(ctx, &step->w_sum);
    if (step->out_factor >= 0) visit(ctx, &step->out_factor);
}
