/* graph.h - the one shared language: named values with symbolic shapes, and the nodes between
 * them, in execution order.
 *
 * A graph owns one arena with its names, shapes, attributes and small constants. Weights are spans
 * into a mapped checkpoint, which must outlive the graph. Nodes are kept in topological order by
 * construction: a node's inputs exist before it. A graph is changed only by its builder and by
 * passes, which build a new graph from an old one. */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/hash.h"

/** Index of a value in its graph. */
typedef int32_t qeff_value;
enum { QEFF_VALUE_NONE = -1 };

typedef enum qeff_op {
#define OP(id, ...) QEFF_OP_##id,
#include "graph/ops.def"
#undef OP
    QEFF_OP_COUNT
} qeff_op;

/** A dimension: a constant, or a name that stands for a size known at run time. Two dims of the
 * same name are equal. */
typedef struct qeff_dim {
    int64_t size;       /**< >= 0, or -1 where `symbol` names it */
    const char *symbol; /**< NULL for a constant; "batch_size", "seq_len", … */
} qeff_dim;

static inline qeff_dim qeff_dim_of(int64_t size)
{
    return (qeff_dim){size, NULL};
}

static inline qeff_dim qeff_dim_named(const char *symbol)
{
    return (qeff_dim){-1, symbol};
}

bool qeff_dim_equal(qeff_dim a, qeff_dim b);

typedef struct qeff_shape {
    size_t rank;
    qeff_dim dims[QEFF_MAX_RANK];
} qeff_shape;

typedef enum qeff_value_kind {
    QEFF_VALUE_INPUT,  /**< given at run time */
    QEFF_VALUE_WEIGHT, /**< bytes known now: checkpoint tensor or constant */
    QEFF_VALUE_RESULT  /**< computed by a node */
} qeff_value_kind;

typedef struct qeff_value_info {
    qeff_str name; /**< unique in the graph */
    qeff_value_kind kind;
    qeff_dtype dtype;
    qeff_shape shape;
    int32_t node;           /**< producer of a RESULT; -1 otherwise */
    qeff_bytes data;        /**< of a WEIGHT: little-endian, row-major, any alignment */
    int source_fd;          /**< open file of which `data` is a mapping, or -1: `data` in memory */
    uint64_t source_offset; /**< of data[0] in that file */
    bool is_owned;          /**< `data` lies in the graph's arena */
    /** Elements of a small integer RESULT that are known before run time, such as the operand of a
     * reshape, [elements of shape]; NULL: unknown. A size without a symbol may be negative; the
     * symbol QEFF_ELEMENT_UNKNOWN stands for one that is not known. */
    const qeff_dim *known;
} qeff_value_info;

#define QEFF_ELEMENT_UNKNOWN "?"

enum { QEFF_KNOWN_ELEMENTS_MAX = 16 };

typedef enum qeff_attribute_kind {
    QEFF_ATTRIBUTE_INT,
    QEFF_ATTRIBUTE_FLOAT,
    QEFF_ATTRIBUTE_INTS,
    QEFF_ATTRIBUTE_STR
} qeff_attribute_kind;

typedef struct qeff_attribute {
    const char *name;
    qeff_attribute_kind kind;
    int64_t i;
    double f;
    const int64_t *ints; /**< [n_ints] */
    size_t n_ints;
    qeff_str s;
} qeff_attribute;

/** Attribute literals for qb_node(). */
#define QEFF_ATTR_INT(n, v) ((qeff_attribute){.name = (n), .kind = QEFF_ATTRIBUTE_INT, .i = (v)})
#define QEFF_ATTR_FLOAT(n, v)                                                                      \
    ((qeff_attribute){.name = (n), .kind = QEFF_ATTRIBUTE_FLOAT, .f = (v)})
#define QEFF_ATTR_INTS(n, p, c)                                                                    \
    ((qeff_attribute){.name = (n), .kind = QEFF_ATTRIBUTE_INTS, .ints = (p), .n_ints = (c)})
#define QEFF_ATTR_STR(n, v) ((qeff_attribute){.name = (n), .kind = QEFF_ATTRIBUTE_STR, .s = (v)})

typedef struct qeff_node {
    qeff_op op;
    qeff_str name; /**< module path, unique in the graph */
    size_t n_inputs;
    const qeff_value *inputs; /**< QEFF_VALUE_NONE for an optional input that is absent */
    size_t n_outputs;
    const qeff_value *outputs;
    size_t n_attributes;
    const qeff_attribute *attributes; /**< sorted by name */
} qeff_node;

typedef struct qeff_graph_output {
    qeff_str name; /**< what the user sees: "output" */
    qeff_value value;
} qeff_graph_output;

typedef struct qeff_graph {
    qeff_str name;
    qeff_value_info *values;
    size_t n_values, values_capacity;
    qeff_node *nodes;
    size_t n_nodes, nodes_capacity;
    qeff_value *inputs; /**< in the order the user sees */
    size_t n_inputs, inputs_capacity;
    qeff_graph_output *outputs;
    size_t n_outputs, outputs_capacity;
    qeff_arena arena;
} qeff_graph;

/** NULL is allowed. Frees the struct too. */
void qeff_graph_destroy(qeff_graph *graph);

static inline const qeff_value_info *qeff_graph_value(const qeff_graph *graph, qeff_value value)
{
    return &graph->values[value];
}

/** Attribute by name, or the fallback where it is absent. */
const qeff_attribute *qeff_node_find_attribute(const qeff_node *node, const char *name);
int64_t qeff_node_int(const qeff_node *node, const char *name, int64_t fallback);
double qeff_node_float(const qeff_node *node, const char *name, double fallback);
qeff_str qeff_node_str(const qeff_node *node, const char *name, const char *fallback);

/** Whether `value` is a WEIGHT; its elements as int64 or double where it is small and numeric. */
bool qeff_graph_is_weight(const qeff_graph *graph, qeff_value value);
/** Reads up to `max` integers of an i64 or i32 weight; false where it is not one or is larger. */
bool qeff_graph_read_ints(const qeff_graph *graph, qeff_value value, size_t max, int64_t *out,
                          size_t *n);
/** The single element of a floating-point or integer weight with one element. */
bool qeff_graph_read_scalar(const qeff_graph *graph, qeff_value value, double *out);

/** The elements of a rank 0 or 1 integer or bool value, weight or result, as far as they are known
 * before run time; false where nothing is, or there are over QEFF_KNOWN_ELEMENTS_MAX. */
bool qeff_graph_read_known(const qeff_graph *graph, qeff_value value,
                           qeff_dim out[QEFF_KNOWN_ELEMENTS_MAX], size_t *n);

/** Elements of a shape of constants; false where it has named dims or the product overflows. */
bool qeff_shape_count(const qeff_shape *shape, uint64_t *elements);
bool qeff_shape_equal(const qeff_shape *a, const qeff_shape *b);

/** Checks that the graph is whole: every input defined before its use, one producer a value,
 * unique names, arity, types and shapes as the op's rule says, outputs produced. The message
 * names the node and what was expected and found.
 * @return QEFF_ERR_FORMAT, QEFF_ERR_NO_MEMORY */
qeff_status qeff_graph_verify(const qeff_graph *graph, qeff_error *err);

/** The decimal number of fewest digits that means the same float: 1e-12, not 9.99999996e-13. Float
 * attributes are kept this way, since ONNX has no double ones. */
double qeff_float_shortest(double value);

/** Stable text: one line an input, weight, node and output. Weights print dtype and shape and,
 * up to 16 elements, their values. The same graph gives the same bytes everywhere. */
void qeff_graph_print(const qeff_graph *graph, qeff_buffer *out);

/** Digest over structure, names, attributes and the content of all weights. */
qeff_status
qeff_graph_hash(const qeff_graph *graph, uint8_t digest[QEFF_HASH_BYTES], qeff_error *err);

#endif /* GRAPH_GRAPH_H */
