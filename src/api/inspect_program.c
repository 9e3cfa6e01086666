/* inspect_program.c - a program: manifest, inputs and outputs, images, steps of its plan. */
#include "api/inspect.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/span.h"
#include "runtime/program.h"

enum { STEP_KINDS_MAX = 64 };

static void put_io(const qeff_program_io *io, qeff_buffer *out)
{
    qeff_shape shape = {.rank = io->rank};
    for (size_t d = 0; d < io->rank; d++)
        shape.dims[d] = (qeff_dim){io->shape[d], io->dim_names[d]};
    qeff_inspect_value(out, qeff_str_of(io->name), io->dtype, &shape);
}

/* An image that must be JSON, since it is shown as such. */
static qeff_status put_json_image(const qeff_program *program, const char *image, const char *key,
                                  qeff_buffer *out, qeff_error *err)
{
    qeff_str text = {NULL, 0};
    qeff_json_document *document = NULL;
    if (!qeff_program_find_text(program, image, &text)) return QEFF_OK;
    const qeff_status status = qeff_json_parse(text, NULL, &document, err);
    if (status) return qeff_within(err, status, "image '%s'", image);
    while (text.size && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == ' '))
        text.size--;
    qeff_inspect_json(out, key, text);
    qeff_json_close(document);
    return QEFF_OK;
}

static void put_images(const qeff_program *program, qeff_buffer *out)
{
    qeff_inspect_begin(out, "images", '[');
    for (size_t i = 0; i < qeff_qpc_count(program->qpc); i++) {
        qeff_bytes data = {NULL, 0};
        const qeff_str name = qeff_qpc_name(program->qpc, i);
        qeff_inspect_begin(out, NULL, '{');
        qeff_inspect_str(out, "name", name);
        if (qeff_qpc_find(program->qpc, name.data, &data))
            qeff_inspect_int(out, "bytes", (int64_t)data.size);
        qeff_inspect_end(out, '}');
    }
    qeff_inspect_end(out, ']');
}

/* Steps of a ragged plan ("do") or nodes of a generic one ("op"), in the order in which each kind
 * comes first. */
typedef struct step_counts {
    size_t n_kinds, n_steps;
    struct {
        qeff_str name;
        size_t count;
    } kinds[STEP_KINDS_MAX];
} step_counts;

static void count_step(step_counts *counts, qeff_json step)
{
    qeff_str name = {NULL, 0};
    if (qeff_json_to_str(qeff_json_find(step, "do"), &name, NULL) &&
        qeff_json_to_str(qeff_json_find(step, "op"), &name, NULL))
        return;
    counts->n_steps++;
    for (size_t i = 0; i < counts->n_kinds; i++) {
        if (!qeff_str_equal(counts->kinds[i].name, name)) continue;
        counts->kinds[i].count++;
        return;
    }
    if (counts->n_kinds == STEP_KINDS_MAX) return;
    counts->kinds[counts->n_kinds].name = name;
    counts->kinds[counts->n_kinds++].count = 1;
}

static void put_plan(qeff_json plan, qeff_buffer *out)
{
    step_counts counts = {0};
    qeff_json steps = qeff_json_find(plan, "steps");
    if (qeff_json_kind_of(steps) == QEFF_JSON_MISSING) steps = qeff_json_find(plan, "nodes");
    for (size_t i = 0; i < qeff_json_count(steps); i++)
        count_step(&counts, qeff_json_at(steps, i));
    qeff_str kind = {NULL, 0}, level = {NULL, 0};
    (void)qeff_json_to_str(qeff_json_find(plan, "kind"), &kind, NULL);
    (void)qeff_json_to_str(qeff_json_find(plan, "level"), &level, NULL);
    qeff_inspect_begin(out, "plan", '{');
    qeff_inspect_str(out, "kind", kind);
    qeff_inspect_str(out, "level", level);
    qeff_inspect_int(out, "n_steps", (int64_t)counts.n_steps);
    qeff_inspect_begin(out, "steps", '[');
    for (size_t i = 0; i < counts.n_kinds; i++) {
        qeff_inspect_begin(out, NULL, '{');
        qeff_inspect_str(out, "do", counts.kinds[i].name);
        qeff_inspect_int(out, "count", (int64_t)counts.kinds[i].count);
        qeff_inspect_end(out, '}');
    }
    qeff_inspect_end(out, ']');
    qeff_inspect_end(out, '}');
}

static qeff_status put_plan_image(const qeff_program *program, qeff_buffer *out, qeff_error *err)
{
    qeff_str text = {NULL, 0};
    qeff_json_document *document = NULL;
    if (!qeff_program_find_text(program, "plan.json", &text)) return QEFF_OK;
    const qeff_status status = qeff_json_parse(text, NULL, &document, err);
    if (status) return qeff_within(err, status, "image 'plan.json'");
    put_plan(qeff_json_root(document), out);
    qeff_json_close(document);
    return QEFF_OK;
}

static qeff_status describe(const qeff_program *program, qeff_buffer *out, qeff_error *err)
{
    qeff_inspect_str(out, "target", qeff_str_of(qeff_program_target(program)));
    QEFF_TRY(put_json_image(program, "manifest.json", "manifest", out, err));
    QEFF_TRY(put_json_image(program, "text.json", "text", out, err));
    qeff_inspect_begin(out, "inputs", '[');
    for (size_t i = 0; i < qeff_program_n_inputs(program); i++)
        put_io(qeff_program_input(program, i), out);
    qeff_inspect_end(out, ']');
    qeff_inspect_begin(out, "outputs", '[');
    for (size_t i = 0; i < qeff_program_n_outputs(program); i++)
        put_io(qeff_program_output(program, i), out);
    qeff_inspect_end(out, ']');
    put_images(program, out);
    return put_plan_image(program, out, err);
}

qeff_status qeff_inspect_program(const char *path, qeff_buffer *out, qeff_error *err)
{
    qeff_program *program = NULL;
    QEFF_TRY(qeff_program_open(path, &program, err));
    qeff_inspect_str(out, "kind", QEFF_STR("program"));
    qeff_inspect_str(out, "path", qeff_str_of(path));
    const qeff_status status = describe(program, out, err);
    qeff_program_close(program);
    return qeff_within(err, status, "'%s'", path);
}
