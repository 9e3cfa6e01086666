/* load.c - plan.json and constants.bin as a plan. The container may come from anywhere, so every
 * index, size and offset is checked, and each step is checked against the kernels' contracts:
 *
 *   - a view lies inside its value, and a value is read only after all of it was written, so steps
 *     that wait for each other are refused;
 *   - rows of operands agree in kind, widths in size, constants in shape;
 *   - a constant lies inside constants.bin, at a multiple of 64. */
#include "backend/cpu/plan_names.h"
#include "backend/cpu/spec_json.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/span.h"

#include <inttypes.h>
#include <math.h>

typedef struct loading {
    qeff_plan *plan;
    qeff_arena *arena;
    qeff_bytes constants;
    size_t *n_written; /* by value: columns written so far */
} loading;

static qeff_status find_word(qeff_json object, const char *key, const char *const *words,
                             size_t count, int *out, qeff_error *err)
{
    qeff_str text = {NULL, 0};
    QEFF_TRY(qeff_json_to_str(qeff_json_find(object, key), &text, err));
    for (size_t i = 0; i < count; i++)
        if (qeff_str_is(text, words[i])) {
            *out = (int)i;
            return QEFF_OK;
        }
    return qeff_fail(err, QEFF_ERR_FORMAT, "key '%s': unknown word '%.*s'", key,
                     QEFF_STR_ARGS(text));
}

static qeff_status
read_size(qeff_json object, const char *key, int64_t min, int64_t max, size_t *out, qeff_error *err)
{
    int64_t value = 0;
    QEFF_TRY(qeff_json_to_int(qeff_json_find(object, key), min, max, &value, err));
    *out = (size_t)value;
    return QEFF_OK;
}

static bool has(qeff_json object, const char *key)
{
    return qeff_json_kind_of(qeff_json_find(object, key)) != QEFF_JSON_MISSING;
}

static qeff_status
read_list(qeff_json root, const char *key, size_t max, qeff_json *list, size_t *n, qeff_error *err)
{
    *list = qeff_json_find(root, key);
    QEFF_TRY(qeff_json_expect(*list, QEFF_JSON_ARRAY, err));
    *n = qeff_json_count(*list);
    if (*n <= max) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "key '%s': expected at most %zu entries, found %zu", key,
                     max, *n);
}

/* --- constants and values -----------------------------------------------------------------------
 */

static bool is_usable_dtype(qeff_constant_kind kind, qeff_dtype dtype)
{
    switch (kind) {
    case QEFF_CONSTANT_PANELS:
        return dtype == QEFF_DTYPE_F32 || dtype == QEFF_DTYPE_BF16 || dtype == QEFF_DTYPE_I8;
    case QEFF_CONSTANT_VECTOR:
        return dtype == QEFF_DTYPE_F32 || dtype == QEFF_DTYPE_I32;
    case QEFF_CONSTANT_TABLE:
        return dtype == QEFF_DTYPE_F32 || dtype == QEFF_DTYPE_F16 || dtype == QEFF_DTYPE_BF16;
    case QEFF_CONSTANT_COUNT:
        break;
    }
    return false;
}

static qeff_status read_constant(loading *l, qeff_json object, qeff_constant *c, qeff_error *err)
{
    int kind = 0;
    int64_t offset = 0;
    QEFF_TRY(qeff_json_expect(object, QEFF_JSON_OBJECT, err));
    QEFF_TRY(find_word(object, "kind", qeff_constant_names, QEFF_CONSTANT_COUNT, &kind, err));
    QEFF_TRY(qeff_spec_parse_dtype(object, &c->dtype, err));
    QEFF_TRY(read_size(object, "rows", 1, INT32_MAX, &c->rows, err));
    QEFF_TRY(read_size(object, "columns", 1, QEFF_PLAN_WIDTH_MAX, &c->columns, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_find(object, "offset"), 0, INT64_MAX, &offset, err));
    c->kind = (qeff_constant_kind)kind;
    c->offset = (uint64_t)offset;
    if (!is_usable_dtype(c->kind, c->dtype))
        return qeff_fail(err, QEFF_ERR_FORMAT, "key 'dtype': %s of %s cannot be used",
                         qeff_constant_names[kind], qeff_dtype_name(c->dtype));
    if (c->kind == QEFF_CONSTANT_VECTOR && c->rows != 1)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key 'rows': expected 1 for a vector, found %zu",
                         c->rows);
    if (!qeff_constant_bytes(c, &c->bytes) || c->offset > l->constants.size ||
        c->bytes > l->constants.size - c->offset)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "%" PRIu64 " bytes at %" PRIu64 " lie outside constants.bin of %zu bytes",
                         c->bytes, c->offset, l->constants.size);
    c->data = l->constants.data + c->offset;
    if ((uintptr_t)c->data % 64 != 0)
        return qeff_fail(err, QEFF_ERR_FORMAT, "offset %" PRIu64 " is not a multiple of 64",
                         c->offset);
    return QEFF_OK;
}

static qeff_status read_constants(loading *l, qeff_json root, qeff_error *err)
{
    qeff_json list;
    size_t n = 0;
    QEFF_TRY(read_list(root, "constants", QEFF_PLAN_LIST_MAX, &list, &n, err));
    for (size_t i = 0; i < n; i++) {
        qeff_constant constant = {.n_sources = 0};
        QEFF_TRY(qeff_within(err, read_constant(l, qeff_json_at(list, i), &constant, err),
                             "constant %zu", i));
        if (qeff_plan_add_constant(l->plan, &constant) < 0)
            return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    }
    return QEFF_OK;
}

/* Columns that have scales of their own; 0 where the object does not say. */
static qeff_status read_block(qeff_json object, size_t *block, qeff_error *err)
{
    if (!has(object, "block")) return QEFF_OK;
    QEFF_TRY(read_size(object, "block", 1, QEFF_PLAN_WIDTH_MAX, block, err));
    if (*block % QEFF_PANEL == 0) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "key 'block': expected a multiple of %d, found %zu",
                     QEFF_PANEL, *block);
}

static qeff_status read_values(loading *l, qeff_json root, qeff_error *err)
{
    qeff_json list;
    size_t n = 0;
    QEFF_TRY(read_list(root, "values", QEFF_PLAN_LIST_MAX, &list, &n, err));
    for (size_t i = 0; i < n; i++) {
        const qeff_json object = qeff_json_at(list, i);
        int rows = 0;
        size_t width = 0, block = 0;
        qeff_status status = qeff_json_expect(object, QEFF_JSON_OBJECT, err);
        if (!status) status = find_word(object, "rows", qeff_row_names, 2, &rows, err);
        if (!status) status = read_size(object, "width", 1, QEFF_PLAN_WIDTH_MAX, &width, err);
        if (!status) status = read_block(object, &block, err);
        QEFF_TRY(qeff_within(err, status, "value %zu", i));
        if (qeff_plan_add_value(l->plan, (qeff_rows)rows, width) < 0)
            return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        if (block) qeff_plan_pack_value(&l->plan->values[i], block);
    }
    l->n_written = qeff_alloc_array(n + 1, sizeof *l->n_written);
    return l->n_written ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}

/* --- views --------------------------------------------------------------------------------------
 */

static qeff_status
read_view(const loading *l, qeff_json object, const char *key, qeff_view *out, qeff_error *err)
{
    const qeff_json list = qeff_json_find(object, key);
    int64_t value = 0, column = 0, width = 0;
    QEFF_TRY(qeff_json_expect(list, QEFF_JSON_ARRAY, err));
    if (qeff_json_count(list) != 3)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key '%s': expected 3 numbers, found %zu", key,
                         qeff_json_count(list));
    QEFF_TRY(qeff_json_to_int(qeff_json_at(list, 0), 0, INT32_MAX, &value, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_at(list, 1), 0, QEFF_PLAN_WIDTH_MAX, &column, err));
    QEFF_TRY(qeff_json_to_int(qeff_json_at(list, 2), 1, QEFF_PLAN_WIDTH_MAX, &width, err));
    if ((size_t)value >= l->plan->n_values)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key '%s': value %" PRId64 " of %zu", key, value,
                         l->plan->n_values);
    const size_t all = l->plan->values[value].width;
    if ((size_t)(column + width) > all)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "key '%s': columns %" PRId64 " to %" PRId64 " of a value of %zu", key,
                         column, column + width, all);
    *out = (qeff_view){(int32_t)value, (size_t)column, (size_t)width};
    return QEFF_OK;
}

/* A view that is read: its value must be complete by now. */
static qeff_status
read_operand(const loading *l, qeff_json object, const char *key, qeff_view *out, qeff_error *err)
{
    QEFF_TRY(read_view(l, object, key, out, err));
    if (l->n_written[out->value] == l->plan->values[out->value].width) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "key '%s': value %d is read before it is written", key,
                     (int)out->value);
}

/* Values are written once: whole, or by copies that fill them from left to right. */
static qeff_status write_view(loading *l, const qeff_step *step, qeff_error *err)
{
    const qeff_view out = step->out;
    const bool is_whole = out.width == l->plan->values[out.value].width;
    if (out.column != l->n_written[out.value] || (step->kind != QEFF_STEP_COPY && !is_whole))
        return qeff_fail(err, QEFF_ERR_FORMAT, "key 'out': value %d is written out of order",
                         (int)out.value);
    l->n_written[out.value] += out.width;
    return QEFF_OK;
}

/* --- steps --------------------------------------------------------------------------------------
 */

static bool is_packed(const loading *l, qeff_view view)
{
    return view.value >= 0 && l->plan->values[view.value].block > 0;
}

static qeff_status
read_constant_index(const loading *l, qeff_json object, const char *key, qeff_constant_kind kind,
                    qeff_dtype dtype, size_t rows, size_t columns, int32_t *out, qeff_error *err)
{
    int64_t index = 0;
    QEFF_TRY(qeff_json_to_int(qeff_json_find(object, key), 0, INT32_MAX, &index, err));
    if ((size_t)index >= l->plan->n_constants)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key '%s': constant %" PRId64 " of %zu", key, index,
                         l->plan->n_constants);
    const qeff_constant *c = &l->plan->constants[index];
    if (c->kind != kind || (rows && c->rows != rows) || c->columns != columns)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "key '%s': expected %s [%zu, %zu], found %s [%zu, %zu]", key,
                         qeff_constant_names[kind], rows, columns, qeff_constant_names[c->kind],
                         c->rows, c->columns);
    if (dtype && c->dtype != dtype)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key '%s': expected %s of %s, found %s", key,
                         qeff_constant_names[kind], qeff_dtype_name(dtype),
                         qeff_dtype_name(c->dtype));
    *out = (int32_t)index;
    return QEFF_OK;
}

static qeff_status read_vector(const loading *l, qeff_json object, const char *key, size_t width,
                               int32_t *out, qeff_error *err)
{
    return read_constant_index(l, object, key, QEFF_CONSTANT_VECTOR, QEFF_DTYPE_F32, 1, width, out,
                               err);
}

static qeff_status read_number(qeff_json object, const char *key, double *out, qeff_error *err)
{
    QEFF_TRY(qeff_json_to_real(qeff_json_find(object, key), out, err));
    if (isfinite(*out) && isfinite((float)*out)) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "key '%s': expected a finite number", key);
}

static qeff_status
read_term(const loading *l, qeff_json object, size_t width, qeff_term *term, qeff_error *err)
{
    static const char *const words[] = {"input", "position", "vector"};
    int by = 0;
    QEFF_TRY(qeff_json_expect(object, QEFF_JSON_OBJECT, err));
    QEFF_TRY(find_word(object, "by", words, 3, &by, err));
    term->by = by == 0 ? QEFF_TERM_INPUT : by == 1 ? QEFF_TERM_POSITION : QEFF_TERM_VECTOR;
    if (term->by == QEFF_TERM_VECTOR)
        return read_vector(l, object, "constant", width, &term->constant, err);
    QEFF_TRY(read_constant_index(l, object, "constant", QEFF_CONSTANT_TABLE, QEFF_DTYPE_NONE, 0,
                                 width, &term->constant, err));
    if (term->by == QEFF_TERM_POSITION) return QEFF_OK;
    qeff_str name = {NULL, 0};
    QEFF_TRY(qeff_json_to_str(qeff_json_find(object, "input"), &name, err));
    for (size_t i = 0; i < l->plan->n_inputs; i++)
        if (qeff_str_equal(l->plan->inputs[i].name, name) && !l->plan->input_roles[i].is_mask) {
            term->input = i;
            return QEFF_OK;
        }
    return qeff_fail(err, QEFF_ERR_FORMAT, "key 'input': no token input '%.*s'",
                     QEFF_STR_ARGS(name));
}

static qeff_status read_terms(const loading *l, qeff_json object, qeff_step *step, qeff_error *err)
{
    qeff_json list;
    QEFF_TRY(read_list(object, "terms", QEFF_PLAN_TERMS_MAX, &list, &step->n_terms, err));
    if (step->n_terms == 0)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key 'terms': expected at least one");
    for (size_t i = 0; i < step->n_terms; i++)
        QEFF_TRY(qeff_within(
            err, read_term(l, qeff_json_at(list, i), step->out.width, &step->terms[i], err),
            "term %zu", i));
    return QEFF_OK;
}

static qeff_status
read_operands(const loading *l, qeff_json object, qeff_step *step, qeff_error *err)
{
    const unsigned fields = qeff_step_fields(step->kind);
    QEFF_TRY(read_view(l, object, "out", &step->out, err));
    if (fields & FIELD_X) QEFF_TRY(read_operand(l, object, "x", &step->x, err));
    if (fields & FIELD_Y) QEFF_TRY(read_operand(l, object, "y", &step->y, err));
    if (fields & FIELD_Z) QEFF_TRY(read_operand(l, object, "z", &step->z, err));
    if (fields & FIELD_RESIDUAL && has(object, "residual"))
        QEFF_TRY(read_operand(l, object, "residual", &step->y, err));
    return QEFF_OK;
}

static qeff_status read_norm(const loading *l, qeff_json object, qeff_step *step, qeff_error *err)
{
    const size_t width = step->out.width;
    QEFF_TRY(read_vector(l, object, "gamma", width, &step->gamma, err));
    if (has(object, "beta")) QEFF_TRY(read_vector(l, object, "beta", width, &step->beta, err));
    return read_number(object, "eps", &step->eps, err);
}

static qeff_status read_numbers(qeff_json object, qeff_step *step, qeff_error *err)
{
    int word = 0;
    if (!has(object, "precision")) return QEFF_OK;
    QEFF_TRY(find_word(object, "precision", qeff_numbers_names, QEFF_NUMBERS_COUNT, &word, err));
    step->numbers = (qeff_numbers)word;
    if (step->kind == QEFF_STEP_ATTENTION && qeff_numbers_are_i8(step->numbers))
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "key 'precision': expected 'bf16' of attention, found '%s'",
                         qeff_numbers_names[word]);
    return QEFF_OK;
}

/* What a linear of s8 weights needs. */
static qeff_status read_scales(const loading *l, qeff_json object, qeff_step *step, qeff_error *err)
{
    const size_t n = step->out.width, k = step->x.width;
    QEFF_TRY(read_block(object, &step->block, err));
    if ((step->block ? step->block : k) > QEFF_INT8_WIDTH_MAX)
        return qeff_fail(err, QEFF_ERR_FORMAT, "key 'x': expected blocks of up to %d columns",
                         QEFF_INT8_WIDTH_MAX);
    const size_t n_scales = qeff_blocks(k, step->block) * qeff_gemm_panels(n) * QEFF_PANEL;
    if (is_packed(l, step->x) == false)
        QEFF_TRY(read_vector(l, object, "factor", k, &step->factor, err));
    if (is_packed(l, step->out))
        QEFF_TRY(read_vector(l, object, "out_factor", n, &step->out_factor, err));
    QEFF_TRY(read_vector(l, object, "w_scale", n_scales, &step->w_scale, err));
    return read_constant_index(l, object, "w_sum", QEFF_CONSTANT_VECTOR, QEFF_DTYPE_I32, 1,
                               n_scales, &step->w_sum, err);
}

/* The weights of a linear, with what its numbers need. */
static qeff_status read_panels(const loading *l, qeff_json object, qeff_step *step, qeff_error *err)
{
    static const qeff_dtype dtypes[] = {QEFF_DTYPE_F32, QEFF_DTYPE_BF16, QEFF_DTYPE_I8,
                                        QEFF_DTYPE_I8};
    const size_t n = step->out.width, k = step->x.width;
    QEFF_TRY(read_constant_index(l, object, "weight", QEFF_CONSTANT_PANELS, dtypes[step->numbers],
                                 n, k, &step->weight, err));
    return qeff_numbers_are_i8(step->numbers) ? read_scales(l, object, step, err) : QEFF_OK;
}

static qeff_status
read_weights(const loading *l, qeff_json object, qeff_step *step, qeff_error *err)
{
    const unsigned fields = qeff_step_fields(step->kind);
    const size_t width = step->out.width;
    if (fields & FIELD_PRECISION) QEFF_TRY(read_numbers(object, step, err));
    if (step->kind == QEFF_STEP_LINEAR)
        QEFF_TRY(read_panels(l, object, step, err));
    else if (fields & FIELD_WEIGHT)
        QEFF_TRY(read_vector(l, object, "weight", width, &step->weight, err));
    if (fields & FIELD_BIAS && has(object, "bias"))
        QEFF_TRY(read_vector(l, object, "bias", width, &step->bias, err));
    if (fields & FIELD_NORM || (fields & FIELD_NORM_OPTIONAL && has(object, "gamma")))
        QEFF_TRY(read_norm(l, object, step, err));
    if (fields & FIELD_TERMS) QEFF_TRY(read_terms(l, object, step, err));
    return QEFF_OK;
}

static qeff_status read_settings(qeff_json object, qeff_step *step, qeff_error *err)
{
    const unsigned fields = qeff_step_fields(step->kind);
    int word = 0;
    if (fields & FIELD_ACTIVATION && has(object, "activation")) {
        QEFF_TRY(find_word(object, "activation", qeff_activation_names, QEFF_ACTIVATION_COUNT,
                           &word, err));
        step->activation = (qeff_activation)word;
    }
    if (fields & FIELD_ARITHMETIC) {
        QEFF_TRY(find_word(object, "arithmetic", qeff_arithmetic_names, QEFF_ARITHMETIC_COUNT,
                           &word, err));
        step->arithmetic = (qeff_arithmetic)word;
    }
    if (fields & FIELD_IS_REVERSED)
        QEFF_TRY(qeff_json_optional_bool(object, "is_reversed", &step->is_reversed, err));
    if (fields & FIELD_MODE) {
        QEFF_TRY(find_word(object, "mode", qeff_pool_names, QEFF_POOL_COUNT, &word, err));
        step->mode = (qeff_pool_mode)word;
    }
    if (fields & FIELD_HEADS) {
        QEFF_TRY(read_size(object, "n_heads", 1, QEFF_PLAN_WIDTH_MAX, &step->n_heads, err));
        QEFF_TRY(read_number(object, "scale", &step->scale, err));
    }
    if (fields & FIELD_EPS) QEFF_TRY(read_number(object, "eps", &step->eps, err));
    return QEFF_OK;
}

static qeff_rows rows_of(const loading *l, qeff_view view)
{
    return l->plan->values[view.value].rows;
}

/* The kind of rows of operand x, y or z. Pooling also takes rows of sequences, one of each; keys
 * and values are of all tokens, whatever queries there are. */
static bool has_rows(const loading *l, const qeff_step *step, size_t operand, qeff_rows rows)
{
    if (step->kind == QEFF_STEP_POOL || step->kind == QEFF_STEP_FIRST) return true;
    if (step->kind == QEFF_STEP_ATTENTION && operand > 0) return rows == QEFF_ROWS_TOKEN;
    return rows == rows_of(l, step->out);
}

/* Only linears of 8 bits read and write u8: whole values, in the blocks of their weights. */
static bool has_numbers(const loading *l, const qeff_step *step)
{
    const bool is_i8 = step->kind == QEFF_STEP_LINEAR && qeff_numbers_are_i8(step->numbers);
    if (is_packed(l, step->y) || is_packed(l, step->z)) return false;
    if (is_packed(l, step->out) && !is_i8) return false;
    if (!is_packed(l, step->x)) return true;
    const qeff_plan_value *x = &l->plan->values[step->x.value];
    return is_i8 && step->x.width == x->width && step->block == x->block;
}

/* Kinds of rows and widths, by what the kernels take. Linears were checked against their weights;
 * their residual is as wide as the output, as is every operand of the rest. */
static bool is_consistent(const loading *l, const qeff_step *step)
{
    const bool pools = step->kind == QEFF_STEP_POOL || step->kind == QEFF_STEP_FIRST;
    const qeff_rows out = rows_of(l, step->out);
    const qeff_view operands[] = {step->x, step->y, step->z};
    if (pools && out != QEFF_ROWS_SEQUENCE) return false;
    if (step->kind == QEFF_STEP_EMBED && out != QEFF_ROWS_TOKEN) return false;
    for (size_t i = 0; i < 3; i++) {
        if (operands[i].value < 0) continue;
        if (!has_rows(l, step, i, rows_of(l, operands[i]))) return false;
        if (operands[i].value == step->out.value) return false;
        const bool is_linear_input = step->kind == QEFF_STEP_LINEAR && i == 0;
        if (!is_linear_input && operands[i].width != step->out.width) return false;
    }
    return step->x.width % step->n_heads == 0;
}

static qeff_status read_step(loading *l, qeff_json object, qeff_error *err)
{
    static const char *const words[QEFF_STEP_COUNT] = {
#define STEP(id, name, fields) name,
#include "backend/cpu/steps.def"
#undef STEP
    };
    int kind = 0;
    QEFF_TRY(qeff_json_expect(object, QEFF_JSON_OBJECT, err));
    QEFF_TRY(find_word(object, "do", words, QEFF_STEP_COUNT, &kind, err));
    qeff_step step = qeff_step_of((qeff_step_kind)kind);
    QEFF_TRY(read_operands(l, object, &step, err));
    QEFF_TRY(read_weights(l, object, &step, err));
    QEFF_TRY(read_settings(object, &step, err));
    if (!has_numbers(l, &step))
        return qeff_fail(err, QEFF_ERR_FORMAT, "it does not take operands of these numbers");
    if (!is_consistent(l, &step))
        return qeff_fail(err, QEFF_ERR_FORMAT, "rows or widths of its operands do not agree");
    QEFF_TRY(write_view(l, &step, err));
    if (qeff_plan_add_step(l->plan, &step) < 0)
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    return QEFF_OK;
}

static qeff_status read_steps(loading *l, qeff_json root, qeff_error *err)
{
    qeff_json list;
    size_t n = 0;
    QEFF_TRY(read_list(root, "steps", QEFF_PLAN_LIST_MAX, &list, &n, err));
    for (size_t i = 0; i < n; i++)
        QEFF_TRY(qeff_within(err, read_step(l, qeff_json_at(list, i), err), "step %zu", i));
    return QEFF_OK;
}

/* --- inputs and outputs -------------------------------------------------------------------------
 */

static bool is_symbol(qeff_dim dim, const char *symbol)
{
    return dim.symbol && strcmp(dim.symbol, symbol) == 0;
}

/* All inputs are [batch, sequence] by the same two names. */
static qeff_status check_input(const qeff_plan *plan, size_t i, qeff_error *err)
{
    const qeff_io_spec *spec = &plan->inputs[i];
    const qeff_shape *s = &spec->shape, *first = &plan->inputs[0].shape;
    if ((spec->dtype != QEFF_DTYPE_I64 && spec->dtype != QEFF_DTYPE_I32) || s->rank != 2 ||
        !s->dims[0].symbol || !s->dims[1].symbol || is_symbol(s->dims[0], s->dims[1].symbol) ||
        !qeff_dim_equal(s->dims[0], first->dims[0]) || !qeff_dim_equal(s->dims[1], first->dims[1]))
        return qeff_fail(err, QEFF_ERR_FORMAT, "expected integers [batch, sequence]");
    for (size_t k = 0; k < i; k++)
        if (qeff_str_equal(plan->inputs[k].name, spec->name))
            return qeff_fail(err, QEFF_ERR_FORMAT, "its name '%.*s' is taken",
                             QEFF_STR_ARGS(spec->name));
    return QEFF_OK;
}

static qeff_status read_inputs(loading *l, qeff_json root, qeff_error *err)
{
    static const char *const roles[] = {"ids", "mask"};
    qeff_json list;
    size_t n = 0, n_masks = 0;
    QEFF_TRY(read_list(root, "inputs", QEFF_PLAN_IO_MAX, &list, &n, err));
    for (size_t i = 0; i < n; i++) {
        const qeff_json object = qeff_json_at(list, i);
        int role = 0;
        qeff_status status = qeff_spec_parse(object, l->arena, &l->plan->inputs[i], err);
        if (!status) status = find_word(object, "role", roles, 2, &role, err);
        if (!status) status = check_input(l->plan, i, err);
        QEFF_TRY(qeff_within(err, status, "input %zu", i));
        l->plan->input_roles[i].is_mask = role == 1;
        l->plan->n_inputs = i + 1;
        n_masks += role == 1;
    }
    if (n_masks > 1 || n_masks == n)
        return qeff_fail(err, QEFF_ERR_FORMAT,
                         "expected token inputs and at most one mask, found %zu and %zu",
                         n - n_masks, n_masks);
    return QEFF_OK;
}

static qeff_status check_output(const loading *l, size_t i, qeff_error *err)
{
    const qeff_plan *plan = l->plan;
    const qeff_io_spec *spec = &plan->outputs[i];
    const qeff_shape *s = &spec->shape, *input = &plan->inputs[0].shape;
    const qeff_view view = plan->output_views[i];
    const size_t rank = rows_of(l, view) == QEFF_ROWS_TOKEN ? 3 : 2;
    if (spec->dtype != QEFF_DTYPE_F32 || is_packed(l, view) || s->rank != rank ||
        !qeff_dim_equal(s->dims[0], input->dims[0]) ||
        (rank == 3 && !qeff_dim_equal(s->dims[1], input->dims[1])) || s->dims[rank - 1].symbol ||
        (size_t)s->dims[rank - 1].size != view.width)
        return qeff_fail(err, QEFF_ERR_FORMAT, "its shape is not that of its value");
    for (size_t k = 0; k < i; k++)
        if (qeff_str_equal(plan->outputs[k].name, spec->name))
            return qeff_fail(err, QEFF_ERR_FORMAT, "its name '%.*s' is taken",
                             QEFF_STR_ARGS(spec->name));
    return QEFF_OK;
}

static qeff_status read_outputs(loading *l, qeff_json root, qeff_error *err)
{
    qeff_json list;
    size_t n = 0;
    QEFF_TRY(read_list(root, "outputs", QEFF_PLAN_IO_MAX, &list, &n, err));
    if (n == 0) return qeff_fail(err, QEFF_ERR_FORMAT, "key 'outputs': expected at least one");
    for (size_t i = 0; i < n; i++) {
        const qeff_json object = qeff_json_at(list, i);
        qeff_status status = qeff_spec_parse(object, l->arena, &l->plan->outputs[i], err);
        if (!status) status = read_operand(l, object, "from", &l->plan->output_views[i], err);
        if (!status) status = check_output(l, i, err);
        QEFF_TRY(qeff_within(err, status, "output %zu", i));
        l->plan->n_outputs = i + 1;
    }
    return QEFF_OK;
}

qeff_status qeff_plan_parse(qeff_json root, qeff_bytes constants, qeff_arena *arena,
                            qeff_plan *plan, qeff_error *err)
{
    loading l = {.plan = plan, .arena = arena, .constants = constants};
    qeff_status status = read_inputs(&l, root, err);
    if (!status) status = read_constants(&l, root, err);
    if (!status) status = read_values(&l, root, err);
    if (!status) status = read_steps(&l, root, err);
    if (!status) status = read_outputs(&l, root, err);
    qeff_free(l.n_written);
    return status;
}
