/* plan.h - a ragged program: steps over rows of tokens and rows of sequences.
 *
 * Tokens of all sequences lie one after another, so a value is [rows, width] with one row a token
 * or one row a sequence; only attention, positions and pooling see where sequences begin. Every
 * value is written once (in parts by COPY) and before it is read. Constants are f32 packed for the
 * kernels, but for embedding tables, which keep the dtype of the checkpoint, and for the weights of
 * linears of 8 or 16 bits.
 *
 *   graph --lower.c--> plan --prune.c, fuse.c--> plan --plan_json.c, pack.c--> plan.json,
 *   constants.bin
 *   plan.json, constants.bin --load.c--> plan --memory.c--> slots --execute.c, steps.c--> results
 */
#ifndef BACKEND_CPU_PLAN_H
#define BACKEND_CPU_PLAN_H

#include "backend/backend.h"
#include "backend/cpu/kernels/kernels.h"
#include "formats/json.h"

enum {
    QEFF_PLAN_TERMS_MAX = 4,
    QEFF_PLAN_SOURCES_MAX = 3,
    QEFF_PLAN_IO_MAX = 32,
    QEFF_PLAN_LIST_MAX = 1 << 16, /* of steps, values, constants */
    QEFF_PLAN_WIDTH_MAX = 1 << 24
};

typedef enum qeff_rows { QEFF_ROWS_TOKEN, QEFF_ROWS_SEQUENCE } qeff_rows;

typedef enum qeff_step_kind {
#define STEP(id, name, fields) QEFF_STEP_##id,
#include "backend/cpu/steps.def"
#undef STEP
    QEFF_STEP_COUNT
} qeff_step_kind;

enum { /* what a kind of step has beside its output */
       FIELD_X = 1 << 0,
       FIELD_Y = 1 << 1,
       FIELD_Z = 1 << 2,
       FIELD_RESIDUAL = 1 << 3, /* `y`, which may be absent */
       FIELD_WEIGHT = 1 << 4,
       FIELD_BIAS = 1 << 5, /* may be absent */
       FIELD_NORM = 1 << 6, /* gamma, beta (may be absent), eps */
       FIELD_NORM_OPTIONAL = 1 << 7,
       FIELD_TERMS = 1 << 8,
       FIELD_ACTIVATION = 1 << 9,
       FIELD_ARITHMETIC = 1 << 10,
       FIELD_IS_REVERSED = 1 << 11,
       FIELD_HEADS = 1 << 12, /* and scale */
       FIELD_MODE = 1 << 13,
       FIELD_EPS = 1 << 14,
       FIELD_PRECISION = 1 << 15 /* and what goes with it, see qeff_numbers */
};

unsigned qeff_step_fields(qeff_step_kind kind);
const char *qeff_step_name(qeff_step_kind kind);

typedef enum qeff_constant_kind {
    QEFF_CONSTANT_PANELS, /**< weights of a linear: [rows = N, columns = K] in panels of 16, of f32,
                             or of 32-bit groups of bf16 or s8 */
    QEFF_CONSTANT_VECTOR, /**< [1, columns] of f32 or i32, padded with zeros to a multiple of 16 */
    QEFF_CONSTANT_TABLE,  /**< [rows, columns] as in the checkpoint */
    QEFF_CONSTANT_COUNT
} qeff_constant_kind;

/** Where a constant comes from; compile time only. */
typedef struct qeff_constant_source {
    qeff_value weight;
    size_t first; /**< element */
    size_t count; /**< elements */
} qeff_constant_source;

typedef struct qeff_constant {
    qeff_constant_kind kind;
    qeff_dtype dtype;
    size_t rows, columns;
    uint64_t offset, bytes; /**< in constants.bin; the offset is a multiple of 64 */
    const void *data;       /**< set by load; at compile time NULL, or a vector that was computed */
    size_t block;           /**< compile time: of s8 panels, as in qeff_step */
    const float *w_scale;   /**< compile time: of s8 panels, [blocks, N rounded up to 16] */
    const float *w_factor;  /**< compile time: of s8 panels, [K] */
    qeff_str name;          /**< of the first source, for the reader of plan.json */
    size_t n_sources;       /**< rows (panels) or elements (vector) one after another */
    qeff_constant_source sources[QEFF_PLAN_SOURCES_MAX];
} qeff_constant;

/** Columns [column, column + width) of a value; `value` -1: absent. */
typedef struct qeff_view {
    int32_t value;
    size_t column, width;
} qeff_view;

/** A value of f32, or of u8 in blocks of columns. A row of u8 is its numbers, then the scale of
 * each block (f32), then the zero of each (i32). */
typedef struct qeff_plan_value {
    qeff_rows rows;
    size_t width;
    size_t block;  /**< columns of a block of u8, a multiple of 16; 0: f32 */
    size_t stride; /**< floats from row to row */
    size_t slot;   /**< set by memory.c */
} qeff_plan_value;

/** Memory that values take in turns: [rows, stride]. */
typedef struct qeff_slot {
    qeff_rows rows;
    size_t stride;
} qeff_slot;

/** One summand of an embedding: a row of a table, picked by a token input, by the position, or the
 * same vector for every token. */
typedef struct qeff_term {
    int32_t constant;
    enum { QEFF_TERM_INPUT, QEFF_TERM_POSITION, QEFF_TERM_VECTOR } by;
    size_t input; /**< of the plan, for QEFF_TERM_INPUT */
} qeff_term;

/** What the products of a linear or of attention are computed in. */
typedef enum qeff_numbers {
    QEFF_NUMBERS_F32,
    QEFF_NUMBERS_BF16,      /**< rows rounded, weights in bf16 */
    QEFF_NUMBERS_I8,        /**< rows times `factor` in u8, weights in s8 times `w_scale` */
    QEFF_NUMBERS_I8_PAIRED, /**< the same, with qeff_gemm_packed.w_pairs_fit */
    QEFF_NUMBERS_COUNT
} qeff_numbers;

/** One step. Constants are indices, -1 where absent. */
typedef struct qeff_step {
    qeff_step_kind kind;
    qeff_view out;
    qeff_view x, y, z; /**< attention: q, k, v; linear: y is the residual */
    int32_t weight, bias, gamma, beta;
    qeff_numbers numbers; /**< of a linear, or of attention: f32 or bf16 */
    size_t block; /**< of a linear in i8: columns of x that have scales of their own, a multiple of
                     16; the last block may be narrower */
    int32_t factor;         /**< of a linear in i8 whose x is f32: [K] */
    int32_t w_scale, w_sum; /**< of a linear in i8: [blocks, N rounded up to 16] */
    int32_t out_factor;     /**< of a linear in i8 that writes u8: [N] */
    qeff_activation activation;
    qeff_arithmetic arithmetic;
    bool is_reversed; /**< constant op x instead of x op constant */
    qeff_pool_mode mode;
    size_t n_heads;
    double scale, eps;
    size_t n_terms;
    qeff_term terms[QEFF_PLAN_TERMS_MAX];
} qeff_step;

typedef struct qeff_plan_input {
    bool is_mask; /**< 1 where a token counts; absent from ragged calls */
} qeff_plan_input;

typedef struct qeff_plan {
    size_t n_inputs, n_outputs;
    qeff_io_spec inputs[QEFF_PLAN_IO_MAX], outputs[QEFF_PLAN_IO_MAX];
    qeff_plan_input input_roles[QEFF_PLAN_IO_MAX];
    qeff_view output_views[QEFF_PLAN_IO_MAX];
    qeff_constant *constants;
    size_t n_constants, constants_capacity;
    qeff_plan_value *values;
    size_t n_values, values_capacity;
    qeff_step *steps;
    size_t n_steps, steps_capacity;
    qeff_slot *slots; /**< memory.c */
    size_t n_slots;
    size_t max_head_dim; /**< memory.c */
    size_t max_words; /**< memory.c: 32-bit words of the widest row that a linear packs; 0: none */
    size_t max_block; /**< memory.c: widest block of u8 that a linear writes; 0: none */
    qeff_arena computed; /**< constants that compiling computes */
    uint64_t constants_bytes;
} qeff_plan;

void qeff_plan_deinit(qeff_plan *plan);

static inline qeff_view qeff_view_none(void)
{
    return (qeff_view){-1, 0, 0};
}

static inline bool qeff_view_equal(qeff_view a, qeff_view b)
{
    return a.value == b.value && a.column == b.column && a.width == b.width;
}

/** A step of this kind with everything absent. */
qeff_step qeff_step_of(qeff_step_kind kind);

/** Floats from row to row of a value of this width. */
size_t qeff_plan_stride(size_t width);

/* Adding to a plan; each returns the index, or -1 where there is no memory. */
int32_t qeff_plan_add_value(qeff_plan *plan, qeff_rows rows, size_t width);
/** Makes a value of f32 one of u8. */
void qeff_plan_pack_value(qeff_plan_value *value, size_t block);
int32_t qeff_plan_add_step(qeff_plan *plan, const qeff_step *step);
/** Finds the constant where an equal one is there. */
int32_t qeff_plan_add_constant(qeff_plan *plan, const qeff_constant *constant);
/** Adds one even where an equal one is there. */
int32_t qeff_plan_append_constant(qeff_plan *plan, const qeff_constant *constant);

/** Calls `visit` for each view that a step reads. */
void qeff_step_visit_views(qeff_step *step, void (*visit)(void *ctx, qeff_view *view), void *ctx);
/** Calls `visit` for each constant that a step reads. */
void qeff_step_visit_constants(qeff_step *step, void (*visit)(void *ctx, int32_t *constant),
                               void *ctx);

/* --- lower.c, prune.c, fuse.c
 * ----------------------------------------------------------------------------
 */

/** Writes the graph as a ragged plan. `*is_ragged` is false where some node, input or output does
 * not fit one; the plan is then to be dropped.
 * @return QEFF_ERR_NO_MEMORY */
qeff_status
qeff_plan_lower(const qeff_graph *graph, qeff_plan *plan, bool *is_ragged, qeff_error *err);

/** Lets steps whose rows only a pooling by first or last token reads work on that token alone.
 * @return QEFF_ERR_NO_MEMORY */
qeff_status qeff_plan_prune(qeff_plan *plan, qeff_error *err);

/** Joins steps: query, key and value into one linear, activations and residuals into the linear
 * before them, layer norm into the embedding before it.
 * @return QEFF_ERR_NO_MEMORY */
qeff_status qeff_plan_fuse(qeff_plan *plan, qeff_error *err);

/* --- precision.c --------------------------------------------------------------------------------
 */

/** Gives the linears over tokens numbers of 8 or 16 bits. For int8, runs the plan on random ids to
 * learn how large the inputs of each linear become.
 * @return QEFF_ERR_NO_MEMORY */
qeff_status qeff_plan_set_precision(qeff_plan *plan, const qeff_graph *graph,
                                    qeff_precision precision, unsigned cpu_flags, qeff_error *err);

bool qeff_numbers_are_i8(qeff_numbers numbers);

/** 32-bit groups that a row of K elements takes in these numbers. */
size_t qeff_numbers_groups(qeff_numbers numbers, size_t k);

static inline size_t qeff_blocks(size_t k, size_t block)
{
    return block ? (k + block - 1) / block : 1;
}

/** 32-bit words of a row of K elements: the groups and, of u8, what stands behind them. */
size_t qeff_packed_words(qeff_numbers numbers, size_t k, size_t block);

/* --- pack.c -------------------------------------------------------------------------------------
 */

/** Drops constants that no step reads and gives the others their places.
 * @return QEFF_ERR_UNSUPPORTED where the sizes overflow */
qeff_status qeff_plan_place_constants(qeff_plan *plan, qeff_error *err);
/** Bytes a constant takes; false where that overflows. */
bool qeff_constant_bytes(const qeff_constant *constant, uint64_t *bytes);
/** Row `row` of panels as floats, [K]. */
void qeff_constant_read_row(const qeff_graph *graph, const qeff_constant *constant, size_t row,
                            float *out);
/** Elements of a vector as floats. */
void qeff_constant_read_vector(const qeff_graph *graph, const qeff_constant *constant, float *out);
/** Appends constants.bin, panel by panel. */
qeff_status
qeff_plan_write_constants(const qeff_plan *plan, const qeff_graph *graph,
                          const qeff_progress *progress, qeff_qpc_writer *out, qeff_error *err);

/* --- plan_json.c, load.c ------------------------------------------------------------------------
 */

/** @param level  the instruction set that the program needs */
void qeff_plan_format(const qeff_plan *plan, const char *level, qeff_buffer *out);
/** Reads what qeff_plan_format() wrote and checks all of it: every number comes from a file.
 * Strings go to the arena. */
qeff_status qeff_plan_parse(qeff_json root, qeff_bytes constants, qeff_arena *arena,
                            qeff_plan *plan, qeff_error *err);

/* --- memory.c -----------------------------------------------------------------------------------
 */

/** Sets `slots`, so that values alive at the same time never share one.
 * @return QEFF_ERR_NO_MEMORY */
qeff_status qeff_plan_assign_slots(qeff_plan *plan, qeff_error *err);

#endif /* BACKEND_CPU_PLAN_H */
