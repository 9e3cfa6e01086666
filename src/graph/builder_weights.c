/* builder_weights.c - checkpoint tensors and constants as values; what does not fit is collected.
 *
 * A tensor that is missing or of another shape becomes a value of the shape that was asked for,
 * without bytes, so that building goes on and finds the other misfits too; qb_finish() fails. */
#include "graph/builder_private.h"

#include "base/dtype.h"

#include <inttypes.h>
#include <stdio.h>

void qb_set_weights(qeff_builder *b, const qeff_weights *weights)
{
    b->weights = weights;
}

void qb_set_weight_prefix(qeff_builder *b, const char *prefix)
{
    b->prefix.size = 0;
    qeff_buffer_append_text(&b->prefix, prefix);
    if (b->prefix.failed) (void)qb_fail_memory(b);
}

/* --- misfits ------------------------------------------------------------------------------------
 */

void qb_misfits_deinit(qb_misfits *misfits)
{
    qeff_buffer_deinit(&misfits->missing);
    qeff_buffer_deinit(&misfits->wrong);
}

static void append_count(qeff_buffer *out, size_t n)
{
    if (n > QB_MISFITS_LISTED)
        qeff_buffer_format(out, " and %zu more", n - (size_t)QB_MISFITS_LISTED);
}

qeff_status qb_misfits_status(const qb_misfits *m, qeff_error *err)
{
    if (m->n_missing + m->n_wrong == 0) return QEFF_OK;
    qeff_buffer text = {0};
    if (m->n_missing) {
        qeff_buffer_append_text(&text, "missing: ");
        qeff_buffer_append_str(&text, qeff_buffer_str(&m->missing));
        append_count(&text, m->n_missing);
    }
    if (m->n_wrong) {
        if (m->n_missing) qeff_buffer_append_text(&text, "; ");
        qeff_buffer_append_str(&text, qeff_buffer_str(&m->wrong));
        append_count(&text, m->n_wrong);
    }
    const bool is_unsupported = m->n_missing == 0 && m->n_wrong == m->n_wrong_dtype;
    qeff_status status = is_unsupported ? QEFF_ERR_UNSUPPORTED : QEFF_ERR_FORMAT;
    if (text.failed || m->missing.failed || m->wrong.failed)
        status = qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    else
        status = qeff_fail(err, status, "%.*s", (int)text.size, (const char *)text.data);
    qeff_buffer_deinit(&text);
    return status;
}

static void add_missing(qb_misfits *m, qeff_str name)
{
    if (m->n_missing++ >= QB_MISFITS_LISTED) return;
    if (m->missing.size) qeff_buffer_append_text(&m->missing, ", ");
    qeff_buffer_format(&m->missing, "%.*s", QEFF_STR_ARGS(name));
}

static qeff_buffer *begin_wrong(qb_misfits *m, qeff_str name)
{
    if (m->n_wrong++ >= QB_MISFITS_LISTED) return NULL;
    if (m->wrong.size) qeff_buffer_append_text(&m->wrong, "; ");
    qeff_buffer_format(&m->wrong, "'%.*s': expected ", QEFF_STR_ARGS(name));
    return &m->wrong;
}

static void append_sizes(qeff_buffer *out, size_t rank, const int64_t *shape)
{
    for (size_t i = 0; i < rank; i++)
        qeff_buffer_format(out, "%s%" PRId64, i ? ", " : "[", shape[i]);
    qeff_buffer_append_text(out, rank ? "]" : "[]");
}

static bool is_float_weight(qeff_dtype dtype)
{
    return dtype == QEFF_DTYPE_F32 || dtype == QEFF_DTYPE_F16 || dtype == QEFF_DTYPE_BF16;
}

static bool check_tensor(qb_misfits *m, const qeff_tensor_view *t, qeff_str name, size_t rank,
                         const int64_t *shape)
{
    if (!t) {
        add_missing(m, name);
        return false;
    }
    if (t->rank != rank || (rank && memcmp(t->shape, shape, rank * sizeof *shape) != 0)) {
        qeff_buffer *text = begin_wrong(m, name);
        if (!text) return false;
        append_sizes(text, rank, shape);
        qeff_buffer_append_text(text, ", found ");
        append_sizes(text, t->rank, t->shape);
        return false;
    }
    if (!is_float_weight(t->dtype)) {
        m->n_wrong_dtype++;
        qeff_buffer *text = begin_wrong(m, name);
        if (!text) return false;
        qeff_buffer_format(text, "f32, f16 or bf16, found %s", qeff_dtype_name(t->dtype));
        return false;
    }
    return true;
}

/* --- weights ------------------------------------------------------------------------------------
 */

/* The checkpoint's name: prefix, scope, name. In the scratch buffer. */
static qeff_str checkpoint_name(qeff_builder *b, const char *name)
{
    b->text.size = 0;
    qeff_buffer_append_str(&b->text, qeff_buffer_str(&b->prefix));
    qeff_buffer_append_str(&b->text, qeff_buffer_str(&b->scope));
    qeff_buffer_append_text(&b->text, name);
    return qeff_buffer_str(&b->text);
}

/* On the stack: a question has no way to say that memory ran out. No checkpoint has longer names.
 */
bool qb_has_weight(const qeff_builder *b, const char *name)
{
    char text[4096];
    const size_t size = strlen(name);
    if (!b->weights || b->prefix.size + b->scope.size + size > sizeof text) return false;
    size_t n = 0;
    if (b->prefix.size) memcpy(text, b->prefix.data, b->prefix.size);
    n += b->prefix.size;
    if (b->scope.size) memcpy(text + n, b->scope.data, b->scope.size);
    n += b->scope.size;
    memcpy(text + n, name, size);
    return qeff_weights_find(b->weights, (qeff_str){text, n + size}) != NULL;
}

static qeff_shape shape_of(size_t rank, const int64_t *sizes)
{
    qeff_shape shape = {.rank = rank};
    for (size_t i = 0; i < rank; i++)
        shape.dims[i] = qeff_dim_of(sizes[i]);
    return shape;
}

/* The value under the scoped name where it is this very tensor. */
static qeff_value
find_again(const qeff_builder *b, qeff_str name, const uint8_t *data, const qeff_shape *shape)
{
    const qeff_names_entry *entry = qeff_names_find(&b->names, name);
    if (!entry) return QEFF_VALUE_NONE;
    const qeff_value_info *info = &b->graph->values[entry->value];
    const bool is_same = info->kind == QEFF_VALUE_WEIGHT && info->data.data == data &&
                         qeff_shape_equal(&info->shape, shape);
    return is_same ? entry->value : QEFF_VALUE_NONE;
}

qeff_value qb_weight(qeff_builder *b, const char *name, size_t rank, const int64_t *shape)
{
    if (b->status) return QEFF_VALUE_NONE;
    if (rank > QEFF_MAX_RANK) {
        qb_fail(b, QEFF_ERR_INTERNAL, "weight '%s' of rank %zu", name, rank);
        return QEFF_VALUE_NONE;
    }
    const qeff_str full = checkpoint_name(b, name);
    if (b->text.failed) return qb_fail_memory(b);
    const qeff_tensor_view *t = b->weights ? qeff_weights_find(b->weights, full) : NULL;
    const qeff_str own = {full.data + b->prefix.size, full.size - b->prefix.size};
    const qeff_shape wanted = shape_of(rank, shape);
    const qeff_value again = find_again(b, own, t ? t->data.data : NULL, &wanted);
    if (again != QEFF_VALUE_NONE) return again;

    qeff_value_info info = {.name = own,
                            .kind = QEFF_VALUE_WEIGHT,
                            .dtype = QEFF_DTYPE_F32,
                            .shape = wanted,
                            .node = -1,
                            .source_fd = -1};
    if (check_tensor(&b->misfits, t, full, rank, shape)) {
        info.dtype = t->dtype;
        info.data = t->data;
        info.source_fd = t->file ? t->file->fd : -1;
        info.source_offset = t->file_offset;
    }
    return qb_add_value(b, &info);
}

/* --- constants ----------------------------------------------------------------------------------
 */

qeff_value qb_constant(qeff_builder *b, const char *name, qeff_dtype dtype, size_t rank,
                       const int64_t *shape, const void *data)
{
    uint64_t bytes = 0;
    if (b->status) return QEFF_VALUE_NONE;
    if (rank > QEFF_MAX_RANK || !qeff_tensor_bytes(dtype, rank, shape, &bytes) ||
        bytes > SIZE_MAX / 2) {
        qb_fail(b, QEFF_ERR_FORMAT, "constant '%s': shape overflows", name ? name : "");
        return QEFF_VALUE_NONE;
    }
    const qeff_str full = qb_scoped(b, name ? name : "constant");
    uint8_t *copy = full.data ? qeff_arena_alloc(&b->graph->arena, (size_t)bytes) : NULL;
    if (!copy) return qb_fail_memory(b);
    if (bytes && data) memcpy(copy, data, (size_t)bytes);
    return qb_add_value(b, &(qeff_value_info){.name = full,
                                              .kind = QEFF_VALUE_WEIGHT,
                                              .dtype = dtype,
                                              .shape = shape_of(rank, shape),
                                              .node = -1,
                                              .data = {copy, (size_t)bytes},
                                              .source_fd = -1,
                                              .is_owned = true});
}

uint8_t *qb_constant_bytes(qeff_builder *b, qeff_value constant)
{
    if (b->status || constant == QEFF_VALUE_NONE) return NULL;
    const qeff_value_info *info = &b->graph->values[constant];
    return info->is_owned ? (uint8_t *)(uintptr_t)info->data.data : NULL;
}

qeff_value qb_scalar_f32(qeff_builder *b, float value)
{
    uint8_t bytes[4];
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    qeff_store_u32le(bytes, bits);
    return qb_constant(b, NULL, QEFF_DTYPE_F32, 0, NULL, bytes);
}

qeff_value qb_ints(qeff_builder *b, const int64_t *values, size_t n)
{
    const int64_t size = (int64_t)n;
    return qb_constant(b, NULL, QEFF_DTYPE_I64, 1, &size, values);
}

qeff_value qb_borrowed(qeff_builder *b, const qeff_value_info *info)
{
    uint64_t elements = 0, bytes = 0;
    if (b->status) return QEFF_VALUE_NONE;
    const bool is_sized =
        info->shape.rank <= QEFF_MAX_RANK && qeff_shape_count(&info->shape, &elements) &&
        !__builtin_mul_overflow(elements, (uint64_t)qeff_dtype_size(info->dtype), &bytes);
    if (!is_sized || bytes != info->data.size) {
        qb_fail(b, QEFF_ERR_FORMAT, "weight '%.*s': expected %" PRIu64 " bytes, found %zu",
                QEFF_STR_ARGS(info->name), bytes, info->data.size);
        return QEFF_VALUE_NONE;
    }
    qeff_value_info own = *info;
    own.kind = QEFF_VALUE_WEIGHT;
    own.node = -1;
    own.known = NULL;
    own.is_owned = false;
    return qb_add_value(b, &own);
}
