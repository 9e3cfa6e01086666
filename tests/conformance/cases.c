/* cases.c - lines of cases.def as graphs of one node, and running them. */
#include "conformance/conformance.h"

#include "base/dtype.h"
#include "base/span.h"

#include <math.h>
#include <stdlib.h>

const conformance_case conformance_cases[] = {
#define CASE(name, op, operands, attributes) {name, QEFF_OP_##op, operands, attributes},
#include "conformance/cases.def"
#undef CASE
};
const size_t conformance_n_cases = sizeof conformance_cases / sizeof *conformance_cases;

/* --- operands -----------------------------------------------------------------------------------
 */

typedef struct building {
    qeff_builder *b;
    ref_tensor *inputs; /* in the order of the graph's inputs */
    size_t n_inputs;
    qeff_value ids, mask, rows; /* QEFF_VALUE_NONE until they are needed */
} building;

/* One operand as it stands in cases.def. */
typedef struct operand {
    qeff_dtype dtype;
    bool is_constant;
    qeff_shape shape;
    int64_t dims[QEFF_MAX_RANK]; /* of run time */
    double low, high;
    const char *elements; /* after '=', or NULL */
} operand;

static qeff_dtype dtype_of(char kind)
{
    switch (kind) {
    case 'f':
    case 'F':
        return QEFF_DTYPE_F32;
    case 'l':
    case 'L':
        return QEFF_DTYPE_I64;
    case 'n':
    case 'N':
        return QEFF_DTYPE_I32;
    case 'b':
    case 'B':
        return QEFF_DTYPE_BOOL;
    case 'H':
        return QEFF_DTYPE_F16;
    }
    fail_msg("kind '%c'", kind);
    return QEFF_DTYPE_NONE;
}

static const char *read_dim(const char *at, operand *o)
{
    static const struct {
        char letter;
        const char *name;
        int64_t size;
    } names[] = {{'B', "batch_size", CONFORMANCE_BATCH},
                 {'T', "seq_len", CONFORMANCE_LENGTH},
                 {'K', "k", 4}};
    const size_t i = o->shape.rank++;
    for (size_t k = 0; k < 3; k++)
        if (*at == names[k].letter) {
            o->shape.dims[i] = qeff_dim_named(names[k].name);
            o->dims[i] = names[k].size;
            return at + 1;
        }
    char *end = NULL;
    o->dims[i] = strtol(at, &end, 10);
    o->shape.dims[i] = qeff_dim_of(o->dims[i]);
    return end;
}

static operand read_operand(const char *text)
{
    operand o = {.dtype = dtype_of(*text), .is_constant = *text >= 'A' && *text <= 'Z'};
    const bool is_float = o.dtype == QEFF_DTYPE_F32 || o.dtype == QEFF_DTYPE_F16;
    const char *at = text + 1;
    o.low = is_float ? -2.0 : o.dtype == QEFF_DTYPE_BOOL ? 0.0 : -7.0;
    o.high = is_float ? 2.0 : o.dtype == QEFF_DTYPE_BOOL ? 2.0 : 8.0;
    if (*at == '.') at++;
    while (*at && *at != '=' && *at != ':')
        at = *at == ',' ? at + 1 : read_dim(at, &o);
    if (*at == '=') o.elements = at + 1;
    if (*at == ':') {
        char *end = NULL;
        o.low = strtod(at + 1, &end);
        o.high = strtod(end + 1, NULL);
    }
    return o;
}

static double draw(const operand *o)
{
    const double v = o->low + ((double)test_uniform() + 1.0) / 2.0 * (o->high - o->low);
    return o->dtype == QEFF_DTYPE_F32 || o->dtype == QEFF_DTYPE_F16 ? (double)(float)v : floor(v);
}

static ref_tensor make_elements(const operand *o)
{
    ref_tensor t = ref_make(o->shape.rank, o->dims);
    const char *at = o->elements;
    for (size_t i = 0; i < t.count; i++) {
        if (!at) {
            t.data[i] = draw(o);
            continue;
        }
        char *end = NULL;
        t.data[i] = (double)(float)strtod(at, &end);
        at = *end == ',' ? end + 1 : end;
    }
    return t;
}

static void store(qeff_dtype dtype, void *data, size_t i, double v)
{
    uint8_t *bytes = data;
    const float f = (float)v;
    uint32_t bits = 0;
    memcpy(&bits, &f, sizeof bits);
    switch ((int)dtype) {
    case QEFF_DTYPE_F32:
        qeff_store_u32le(bytes + 4 * i, bits);
        break;
    case QEFF_DTYPE_F16:
        qeff_store_u16le(bytes + 2 * i, qeff_f32_to_f16(f));
        break;
    case QEFF_DTYPE_I64:
        qeff_store_u64le(bytes + 8 * i, (uint64_t)(int64_t)v);
        break;
    case QEFF_DTYPE_I32:
        qeff_store_u32le(bytes + 4 * i, (uint32_t)(int32_t)v);
        break;
    default:
        bytes[i] = v != 0.0;
    }
}

static double load(qeff_dtype dtype, const void *data, size_t i)
{
    const uint8_t *bytes = data;
    float f = 0;
    if (dtype == QEFF_DTYPE_I64) return (double)(int64_t)qeff_load_u64le(bytes + 8 * i);
    if (dtype == QEFF_DTYPE_I32) return (double)(int32_t)qeff_load_u32le(bytes + 4 * i);
    if (dtype == QEFF_DTYPE_BOOL) return bytes[i];
    const uint32_t bits = qeff_load_u32le(bytes + 4 * i);
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

static void *to_bytes(const ref_tensor *t, qeff_dtype dtype)
{
    void *bytes = calloc(t->count + 1, qeff_dtype_size(dtype));
    assert_non_null(bytes);
    for (size_t i = 0; i < t->count; i++)
        store(dtype, bytes, i, t->data[i]);
    return bytes;
}

static qeff_value
add_input(building *g, const char *name, qeff_dtype dtype, const qeff_shape *shape, ref_tensor t)
{
    assert_true(g->n_inputs < CONFORMANCE_INPUTS_MAX);
    g->inputs[g->n_inputs++] = t;
    return qb_input(g->b, name, dtype, shape);
}

static const qeff_shape token_shape = {.rank = 2, .dims = {{-1, "batch_size"}, {-1, "seq_len"}}};

/* Token ids below `n`. */
static qeff_value add_ids(building *g, int64_t n)
{
    if (g->ids != QEFF_VALUE_NONE) return g->ids;
    const int64_t dims[] = {CONFORMANCE_BATCH, CONFORMANCE_LENGTH};
    ref_tensor t = ref_make(2, dims);
    for (size_t i = 0; i < t.count; i++)
        t.data[i] = floor(((double)test_uniform() + 1.0) / 2.0 * (double)n);
    g->ids = add_input(g, "input_ids", QEFF_DTYPE_I64, &token_shape, t);
    return g->ids;
}

/* All tokens, three tokens, and two with a gap. */
static qeff_value add_mask(building *g)
{
    static const double rows[CONFORMANCE_BATCH][CONFORMANCE_LENGTH] = {
        {1, 1, 1, 1, 1}, {1, 1, 1, 0, 0}, {1, 0, 0, 1, 0}};
    if (g->mask != QEFF_VALUE_NONE) return g->mask;
    const int64_t dims[] = {CONFORMANCE_BATCH, CONFORMANCE_LENGTH};
    ref_tensor t = ref_make(2, dims);
    memcpy(t.data, rows, sizeof rows);
    g->mask = add_input(g, "attention_mask", QEFF_DTYPE_I64, &token_shape, t);
    return g->mask;
}

/* Rows of an embedding; each call picks from a table of its own. */
static qeff_value add_rows(building *g)
{
    const qeff_value ids = add_ids(g, 9);
    const qeff_value pick[] = {test_constant(g->b, "rows.weight", QEFF_DTYPE_F32, "9,8", 2.0F),
                               ids};
    const qeff_attribute axis = QEFF_ATTR_INT("axis", 0);
    return qb_node(g->b, QEFF_OP_GATHER, "rows", pick, 2, &axis, 1);
}

static qeff_value add_named(building *g, const char *text)
{
    if (strncmp(text, "ids", 3) == 0) return add_ids(g, strtol(text + 3, NULL, 10));
    if (*text == 'm') return add_mask(g);
    const qeff_value rows = add_rows(g);
    if (*text == 'x') return rows;
    return qb_pool(g->b, rows, add_mask(g), "mean");
}

static qeff_value add_operand(building *g, const char *text)
{
    char name[32];
    if (*text == '-') return QEFF_VALUE_NONE;
    if (*text == 'i' || *text == 'm' || *text == 'x' || *text == 'p') return add_named(g, text);
    const operand o = read_operand(text);
    ref_tensor t = make_elements(&o);
    if (!o.is_constant) {
        (void)snprintf(name, sizeof name, "input_%zu", g->n_inputs);
        return add_input(g, name, o.dtype, &o.shape, t);
    }
    void *bytes = to_bytes(&t, o.dtype);
    const qeff_value value = qb_constant(g->b, "constant", o.dtype, t.rank, t.dims, bytes);
    free(bytes);
    ref_free(&t);
    return value;
}

/* --- attributes ---------------------------------------------------------------------------------
 */

typedef struct attributes {
    qeff_attribute items[8];
    size_t n;
    int64_t ints[8];
    size_t n_ints;
    char text[128];
} attributes;

static void add_attribute(attributes *a, char *word)
{
    char *value = strchr(word, '=');
    qeff_attribute *to = &a->items[a->n++];
    assert_non_null(value);
    *value++ = '\0';
    *to = (qeff_attribute){.name = word};
    char *end = value;
    if (*value == '[') {
        to->kind = QEFF_ATTRIBUTE_INTS;
        to->ints = a->ints + a->n_ints;
        for (value++; *value != ']'; value = *end == ',' ? end + 1 : end) {
            a->ints[a->n_ints++] = strtol(value, &end, 10);
            to->n_ints++;
        }
    } else if ((*value >= '0' && *value <= '9') || *value == '-') {
        to->kind = strchr(value, '.') ? QEFF_ATTRIBUTE_FLOAT : QEFF_ATTRIBUTE_INT;
        to->i = strtol(value, NULL, 10);
        to->f = strtod(value, NULL);
    } else {
        to->kind = QEFF_ATTRIBUTE_STR;
        to->s = qeff_str_of(value);
    }
}

/* Calls `visit` for each word of a text, which it changes. */
static size_t split_words(char *text, char *words[], size_t max)
{
    size_t n = 0;
    while (*text) {
        assert_true(n < max);
        words[n++] = text;
        while (*text && *text != ' ')
            text++;
        if (*text) *text++ = '\0';
    }
    return n;
}

qeff_graph *conformance_build(const conformance_case *c, ref_tensor inputs[CONFORMANCE_INPUTS_MAX])
{
    building g = {
        .inputs = inputs, .ids = QEFF_VALUE_NONE, .mask = QEFF_VALUE_NONE, .rows = QEFF_VALUE_NONE};
    attributes a = {.n = 0};
    qeff_error err = {0};
    qeff_graph *graph = NULL;
    char operands[128], *words[8];
    qeff_value values[8];
    test_seed(5);
    ASSERT_OK(qb_create("case", NULL, &g.b, &err));
    (void)snprintf(operands, sizeof operands, "%s", c->operands);
    const size_t n = split_words(operands, words, 8);
    for (size_t i = 0; i < n; i++)
        values[i] = add_operand(&g, words[i]);
    (void)snprintf(a.text, sizeof a.text, "%s", c->attributes);
    const size_t n_words = split_words(a.text, words, 8);
    for (size_t i = 0; i < n_words; i++)
        add_attribute(&a, words[i]);
    const qeff_value first = qb_node(g.b, c->op, "node", values, n, a.items, a.n);
    if (qb_has_failed(g.b)) {
        (void)qb_finish(g.b, &graph, &err);
        fail_msg("case '%s': %s", c->name, err.message);
    }
    const qeff_graph *so_far = qb_graph(g.b);
    const size_t n_outputs = so_far->nodes[so_far->n_nodes - 1].n_outputs;
    for (size_t i = 0; i < n_outputs; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "output_%zu", i);
        qb_output(g.b, name, first + (qeff_value)i);
    }
    if (qb_finish(g.b, &graph, &err) != QEFF_OK) fail_msg("case '%s': %s", c->name, err.message);
    return graph;
}

/* --- running ------------------------------------------------------------------------------------
 */

static qeff_run_tensor to_tensor(qeff_str name, qeff_dtype dtype, const ref_tensor *t, void *data)
{
    qeff_run_tensor out = {.name = name, .dtype = dtype, .rank = t->rank, .data = data};
    memcpy(out.shape, t->dims, sizeof out.shape);
    return out;
}

void conformance_run(const qeff_backend *backend, unsigned cpu_flags, const qeff_graph *graph,
                     const ref_tensor *inputs, const ref_tensor *expected,
                     conformance_result *result)
{
    qeff_error err = {0};
    test_program p;
    void *session = NULL;
    qeff_run_tensor in[CONFORMANCE_INPUTS_MAX], out[8];
    const qeff_bind_options bind = {.n_threads = 2};
    for (size_t i = 0; i < graph->n_nodes; i++)
        assert_true(backend->supports(graph, &graph->nodes[i]));
    ASSERT_OK(test_program_compile(backend, graph, cpu_flags, &p, &err));
    result->is_ragged = backend->is_ragged(p.loaded);
    ASSERT_OK(backend->bind(p.loaded, &bind, &session, &err));
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const qeff_value_info *info = qeff_graph_value(graph, graph->inputs[i]);
        in[i] = to_tensor(info->name, info->dtype, &inputs[i], to_bytes(&inputs[i], info->dtype));
    }
    for (size_t i = 0; i < graph->n_outputs; i++) {
        const qeff_dtype dtype = qeff_graph_value(graph, graph->outputs[i].value)->dtype;
        void *data = calloc(expected[i].count + 1, qeff_dtype_size(dtype));
        assert_non_null(data);
        out[i] = to_tensor(graph->outputs[i].name, dtype, &expected[i], data);
    }
    const qeff_run_call call = {in, graph->n_inputs, 0, NULL, out, graph->n_outputs};
    ASSERT_OK(backend->reserve(session, 8, 64, 8, &err)); /* larger than any case */
    for (int i = 0; i < 2; i++) /* the second call finds memory that was used before */
        ASSERT_OK(backend->run(session, &call, &err));
    result->n_outputs = graph->n_outputs;
    for (size_t i = 0; i < graph->n_outputs; i++) {
        result->outputs[i] = ref_make(expected[i].rank, expected[i].dims);
        for (size_t k = 0; k < expected[i].count; k++)
            result->outputs[i].data[k] = load(out[i].dtype, out[i].data, k);
        free(out[i].data);
    }
    for (size_t i = 0; i < graph->n_inputs; i++)
        free(in[i].data);
    backend->unbind(session);
    test_program_close(&p);
}

void conformance_free(conformance_result *result)
{
    for (size_t i = 0; i < result->n_outputs; i++)
        ref_free(&result->outputs[i]);
}
