/* cse.c - common subexpressions: of nodes that compute the same, the first one stays.
 *
 * Two nodes are the same where op, attributes and (new) operands are. Each is written down as
 * bytes, and looked up among those before it. Of constants, those that a checkpoint cannot hold
 * under names of their own are compared too: integers, scalars, and what the library made. */
#include "transforms/transforms.h"

#include "base/error.h"
#include "base/span.h"
#include "graph/names.h"
#include "graph/rewrite.h"

enum { CONSTANT_BYTES_MAX = 64 << 10 };

typedef struct search {
    qeff_rewrite rw;
    qeff_names seen; /* bytes -> new value */
    qeff_arena arena;
    qeff_buffer key;
} search;

static void put(qeff_buffer *key, int64_t number)
{
    uint8_t bytes[8];
    qeff_store_u64le(bytes, (uint64_t)number);
    qeff_buffer_append(key, bytes, sizeof bytes);
}

static void put_text(qeff_buffer *key, qeff_str text)
{
    put(key, (int64_t)text.size);
    qeff_buffer_append_str(key, text);
}

/* --- keys ---------------------------------------------------------------------------------------
 */

static void put_attribute(qeff_buffer *key, const qeff_attribute *a)
{
    put_text(key, qeff_str_of(a->name));
    put(key, (int64_t)a->kind);
    switch (a->kind) {
    case QEFF_ATTRIBUTE_INT:
        put(key, a->i);
        return;
    case QEFF_ATTRIBUTE_FLOAT: {
        int64_t bits = 0;
        memcpy(&bits, &a->f, sizeof bits);
        put(key, bits);
        return;
    }
    case QEFF_ATTRIBUTE_INTS:
        put(key, (int64_t)a->n_ints);
        for (size_t i = 0; i < a->n_ints; i++)
            put(key, a->ints[i]);
        return;
    case QEFF_ATTRIBUTE_STR:
        put_text(key, a->s);
        return;
    }
}

static bool is_comparable(const qeff_value_info *info)
{
    uint64_t elements = 0;
    if (info->data.size > CONSTANT_BYTES_MAX) return false;
    const bool is_integer = info->dtype == QEFF_DTYPE_I64 || info->dtype == QEFF_DTYPE_I32 ||
                            info->dtype == QEFF_DTYPE_BOOL;
    return info->is_owned || is_integer ||
           (qeff_shape_count(&info->shape, &elements) && elements == 1);
}

static void make_constant_key(search *s, const qeff_value_info *info)
{
    s->key.size = 0;
    put(&s->key, -1); /* no op */
    put(&s->key, (int64_t)info->dtype);
    put(&s->key, (int64_t)info->shape.rank);
    for (size_t i = 0; i < info->shape.rank; i++)
        put(&s->key, info->shape.dims[i].size);
    qeff_buffer_append(&s->key, info->data.data, info->data.size);
}

static void make_node_key(search *s, const qeff_node *node)
{
    s->key.size = 0;
    put(&s->key, (int64_t)node->op);
    put(&s->key, (int64_t)node->n_inputs);
    for (size_t i = 0; i < node->n_inputs; i++)
        put(&s->key, node->inputs[i] == QEFF_VALUE_NONE ? -1 : s->rw.map[node->inputs[i]]);
    for (size_t i = 0; i < node->n_attributes; i++)
        put_attribute(&s->key, &node->attributes[i]);
}

/* --- search -------------------------------------------------------------------------------------
 */

static const qeff_names_entry *find(search *s)
{
    if (s->key.failed) qb_fail(s->rw.b, QEFF_ERR_NO_MEMORY, "out of memory");
    return s->key.failed ? NULL : qeff_names_find(&s->seen, qeff_buffer_str(&s->key));
}

static void remember(search *s, qeff_value value)
{
    if (value == QEFF_VALUE_NONE || s->key.failed) return;
    const qeff_str key = qeff_arena_str(&s->arena, qeff_buffer_str(&s->key));
    if (!key.data || !qeff_names_add(&s->seen, key, value))
        qb_fail(s->rw.b, QEFF_ERR_NO_MEMORY, "out of memory");
}

static void add_weight(search *s, qeff_value old)
{
    const qeff_value_info *info = &s->rw.in->values[old];
    if (s->rw.map[old] != QEFF_VALUE_NONE) return;
    if (!is_comparable(info)) {
        (void)qeff_rewrite_value(&s->rw, old);
        return;
    }
    make_constant_key(s, info);
    const qeff_names_entry *entry = find(s);
    if (entry)
        qeff_rewrite_set(&s->rw, old, entry->value);
    else
        remember(s, qeff_rewrite_value(&s->rw, old));
}

static void add_node(search *s, const qeff_node *node)
{
    for (size_t i = 0; i < node->n_inputs; i++)
        if (qeff_graph_is_weight(s->rw.in, node->inputs[i])) add_weight(s, node->inputs[i]);
    if (qb_has_failed(s->rw.b)) return;
    make_node_key(s, node);
    const qeff_names_entry *entry = find(s);
    if (entry) {
        for (size_t i = 0; i < node->n_outputs; i++)
            qeff_rewrite_set(&s->rw, node->outputs[i], entry->value + (qeff_value)i);
        return;
    }
    qeff_rewrite_copy(&s->rw, node);
    remember(s, qeff_rewrite_value(&s->rw, node->outputs[0]));
}

qeff_status qeff_transform_cse(const qeff_graph *in, qeff_graph **out, qeff_error *err)
{
    search s = {.seen = {0}};
    *out = NULL;
    qeff_status status = qeff_rewrite_begin(&s.rw, in, err);
    if (!status) {
        for (size_t i = 0; i < in->n_nodes && !qb_has_failed(s.rw.b); i++)
            add_node(&s, &in->nodes[i]);
        status = qeff_rewrite_finish(&s.rw, out, err);
    }
    qeff_names_deinit(&s.seen);
    qeff_arena_deinit(&s.arena);
    qeff_buffer_deinit(&s.key);
    return status;
}
