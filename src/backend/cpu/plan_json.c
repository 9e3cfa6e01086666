/* plan_json.c - a ragged plan as text, one line a constant, value and step:
 *
 *   {"format": 1, "kind": "ragged", "level": "avx2",
 *    "inputs": [{"name": …, "dtype": …, "shape": […], "role": "ids"}, …],
 *    "outputs": [{"name": …, "dtype": …, "shape": […], "from": [value, column, width]}, …],
 *    "constants": [{"name": …, "kind": "panels", "dtype": "f32", "rows": N, "columns": K,
 *                   "offset": …}, …],
 *    "values": [{"rows": "token", "width": …}, …],
 *    "steps": [{"do": "linear", "out": […], "x": […], "weight": 5, "bias": 6, …}, …]}
 *
 * A linear whose weights are bf16 or s8 says "precision": "bf16" or "int8". With int8 come the
 * scales and sums of the weights' rows, "w_scale" and "w_sum", what its input is multiplied with,
 * "factor", and, where blocks of columns have scales of their own, their width, "block". A value
 * with a "block" is u8: the linear that writes it multiplies with "out_factor", the one that reads
 * it has no factor.
 *
 * Views are [value, column, width]; constants are indices, absent ones are left out. */
#include "backend/cpu/plan_names.h"
#include "backend/cpu/spec_json.h"
#include "base/span.h"

#include <inttypes.h>

static void put_view(qeff_buffer *out, const char *key, qeff_view view)
{
    if (view.value < 0) return;
    qeff_buffer_format(out, ", \"%s\": [%d, %zu, %zu]", key, (int)view.value, view.column,
                       view.width);
}

static void put_index(qeff_buffer *out, const char *key, int32_t index)
{
    if (index >= 0) qeff_buffer_format(out, ", \"%s\": %d", key, (int)index);
}

static void put_terms(qeff_buffer *out, const qeff_plan *plan, const qeff_step *step)
{
    qeff_buffer_append_text(out, ", \"terms\": [");
    for (size_t i = 0; i < step->n_terms; i++) {
        const qeff_term *t = &step->terms[i];
        qeff_buffer_format(out, "%s{\"constant\": %d, \"by\": ", i ? ", " : "", (int)t->constant);
        if (t->by == QEFF_TERM_INPUT) {
            qeff_buffer_append_text(out, "\"input\", \"input\": ");
            qeff_buffer_append_json(out, plan->inputs[t->input].name);
        } else {
            qeff_buffer_append_text(out,
                                    t->by == QEFF_TERM_POSITION ? "\"position\"" : "\"vector\"");
        }
        qeff_buffer_append_byte(out, '}');
    }
    qeff_buffer_append_byte(out, ']');
}

static void put_step(qeff_buffer *out, const qeff_plan *plan, const qeff_step *step)
{
    const unsigned fields = qeff_step_fields(step->kind);
    qeff_buffer_format(out, "{\"do\": \"%s\"", qeff_step_name(step->kind));
    put_view(out, "out", step->out);
    put_view(out, "x", step->x);
    put_view(out, fields & FIELD_RESIDUAL ? "residual" : "y", step->y);
    put_view(out, "z", step->z);
    if (fields & FIELD_TERMS) put_terms(out, plan, step);
    put_index(out, "weight", step->weight);
    put_index(out, "bias", step->bias);
    if (fields & FIELD_PRECISION && step->numbers != QEFF_NUMBERS_F32)
        qeff_buffer_format(out, ", \"precision\": \"%s\"", qeff_numbers_names[step->numbers]);
    put_index(out, "factor", step->factor);
    put_index(out, "w_scale", step->w_scale);
    put_index(out, "w_sum", step->w_sum);
    put_index(out, "out_factor", step->out_factor);
    if (step->block) qeff_buffer_format(out, ", \"block\": %zu", step->block);
    put_index(out, "gamma", step->gamma);
    put_index(out, "beta", step->beta);
    if (step->gamma >= 0 || fields & FIELD_EPS)
        qeff_buffer_format(out, ", \"eps\": %.17g", step->eps);
    if (fields & FIELD_ACTIVATION && step->activation != QEFF_ACTIVATION_NONE)
        qeff_buffer_format(out, ", \"activation\": \"%s\"",
                           qeff_activation_names[step->activation]);
    if (fields & FIELD_ARITHMETIC)
        qeff_buffer_format(out, ", \"arithmetic\": \"%s\"",
                           qeff_arithmetic_names[step->arithmetic]);
    if (fields & FIELD_IS_REVERSED && step->is_reversed)
        qeff_buffer_append_text(out, ", \"is_reversed\": true");
    if (fields & FIELD_MODE)
        qeff_buffer_format(out, ", \"mode\": \"%s\"", qeff_pool_names[step->mode]);
    if (fields & FIELD_HEADS)
        qeff_buffer_format(out, ", \"n_heads\": %zu, \"scale\": %.17g", step->n_heads, step->scale);
    qeff_buffer_append_byte(out, '}');
}

static void put_constant(qeff_buffer *out, const qeff_constant *c)
{
    qeff_buffer_append_text(out, "{\"name\": ");
    qeff_buffer_append_json(out, c->name);
    qeff_buffer_format(out,
                       ", \"kind\": \"%s\", \"dtype\": \"%s\", \"rows\": %zu, \"columns\": %zu, "
                       "\"offset\": %" PRIu64 "}",
                       qeff_constant_names[c->kind], qeff_dtype_name(c->dtype), c->rows, c->columns,
                       c->offset);
}

static void put_io(qeff_buffer *out, const qeff_plan *plan)
{
    qeff_buffer_append_text(out, "  \"inputs\": [");
    for (size_t i = 0; i < plan->n_inputs; i++) {
        qeff_buffer_append_text(out, i ? ",\n    {" : "\n    {");
        qeff_spec_format(&plan->inputs[i], out);
        qeff_buffer_format(out, ", \"role\": \"%s\"}",
                           plan->input_roles[i].is_mask ? "mask" : "ids");
    }
    qeff_buffer_append_text(out, "],\n  \"outputs\": [");
    for (size_t i = 0; i < plan->n_outputs; i++) {
        qeff_buffer_append_text(out, i ? ",\n    {" : "\n    {");
        qeff_spec_format(&plan->outputs[i], out);
        put_view(out, "from", plan->output_views[i]);
        qeff_buffer_append_byte(out, '}');
    }
}

void qeff_plan_format(const qeff_plan *plan, const char *level, qeff_buffer *out)
{
    qeff_buffer_format(out, "{\n  \"format\": %d, \"kind\": \"ragged\", \"level\": \"%s\",\n",
                       QEFF_PLAN_FORMAT, level);
    put_io(out, plan);
    qeff_buffer_append_text(out, "],\n  \"constants\": [");
    for (size_t i = 0; i < plan->n_constants; i++) {
        qeff_buffer_append_text(out, i ? ",\n    " : "\n    ");
        put_constant(out, &plan->constants[i]);
    }
    qeff_buffer_append_text(out, "],\n  \"values\": [");
    for (size_t i = 0; i < plan->n_values; i++) {
        const qeff_plan_value *value = &plan->values[i];
        qeff_buffer_format(out, "%s{\"rows\": \"%s\", \"width\": %zu", i ? ",\n    " : "\n    ",
                           qeff_row_names[value->rows], value->width);
        if (value->block) qeff_buffer_format(out, ", \"block\": %zu", value->block);
        qeff_buffer_append_byte(out, '}');
    }
    qeff_buffer_append_text(out, "],\n  \"steps\": [");
    for (size_t i = 0; i < plan->n_steps; i++) {
        qeff_buffer_append_text(out, i ? ",\n    " : "\n    ");
        put_step(out, plan, &plan->steps[i]);
    }
    qeff_buffer_append_text(out, "]\n}\n");
}
