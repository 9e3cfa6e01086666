/* interpret.h - what the interpreter gives to the function that runs one op, and the helpers those
 * functions share. Shapes are concrete here: they come from data, so each function checks its
 * operands against each other before it touches an element. */
#ifndef BACKEND_CPU_INTERPRET_H
#define BACKEND_CPU_INTERPRET_H

#include "backend/cpu/kernels/kernels.h"
#include "base/error.h"
#include "graph/graph.h"

/** A value at run time: f32, i64, i32 or bool (one byte), row-major. */
typedef struct qeff_array {
    qeff_dtype dtype;
    size_t rank;
    int64_t dims[QEFF_MAX_RANK];
    size_t count; /**< elements */
    void *data;
    int32_t block; /**< of the session's memory; -1: borrowed */
} qeff_array;

struct qeff_generic_session;

/** One op being run. */
typedef struct qeff_op_run {
    struct qeff_generic_session *session;
    const qeff_kernels *kernels;
    const qeff_node *node;
    const qeff_array *const *inputs; /**< [node->n_inputs]; NULL where absent */
    qeff_array *const *outputs;      /**< [node->n_outputs] */
    const float *panels; /**< of the second operand, where it is a constant matrix; else NULL */
    bool takes_first;    /**< nothing reads the first operand after this op */
} qeff_op_run;

typedef qeff_status (*qeff_op_function)(qeff_op_run *r, qeff_error *err);

/** NULL for none; every op of ops.def has one. */
qeff_op_function qeff_op_function_get(qeff_op op);

/* --- interpret.c --------------------------------------------------------------------------------
 */

/** Gives output `index` its shape and uninitialised memory. */
qeff_status qeff_run_make(qeff_op_run *r, size_t index, qeff_dtype dtype, size_t rank,
                          const int64_t *dims, qeff_error *err);
/** Output 0 has the elements of input 0 in another shape of as many; without a copy where that
 * input is not needed any more. */
qeff_status qeff_run_reshape(qeff_op_run *r, size_t rank, const int64_t *dims, qeff_error *err);
/** `count` elements of `size` bytes until the op ends, 64-byte aligned; NULL and an error where
 * there is no memory. */
void *qeff_run_scratch(qeff_op_run *r, size_t count, size_t size, qeff_error *err);

/* --- interpret_helpers.c ------------------------------------------------------------------------
 */

bool qeff_run_has(const qeff_op_run *r, size_t i);
/** Reads an i64 or i32 operand of at most `max` elements. */
qeff_status
qeff_run_ints(const qeff_op_run *r, size_t i, size_t max, int64_t *out, size_t *n, qeff_error *err);
qeff_status
qeff_run_axis(const qeff_op_run *r, int64_t axis, size_t rank, size_t *out, qeff_error *err);
qeff_status qeff_run_expect(const qeff_op_run *r, size_t i, qeff_dtype dtype, qeff_error *err);
qeff_status qeff_run_expect_rank(const qeff_op_run *r, size_t i, size_t rank, qeff_error *err);

/** Product of dims [first, last). */
size_t qeff_dims_product(const qeff_array *a, size_t first, size_t last);
void qeff_array_strides(const qeff_array *a, int64_t strides[QEFF_MAX_RANK]);
bool qeff_array_same_dims(const qeff_array *a, const qeff_array *b);
/** Element of an i64, i32 or bool array. */
int64_t qeff_array_int(const qeff_array *a, size_t i);

/** numpy's rule; false where the shapes do not go together. */
bool qeff_dims_broadcast(const qeff_array *a, size_t *rank, int64_t dims[QEFF_MAX_RANK]);

/** Rows of a result and where operands that broadcast to it have their elements. */
typedef struct qeff_walk {
    size_t rank, n_operands;
    size_t n_rows, inner; /**< inner: the last dimension */
    int64_t dims[QEFF_MAX_RANK], index[QEFF_MAX_RANK];
    int64_t strides[3][QEFF_MAX_RANK];
    size_t at[3];   /**< first element of the row, by operand */
    size_t step[3]; /**< from element to element of the row: 0 or 1 */
} qeff_walk;

void qeff_walk_init(qeff_walk *w, const qeff_array *out, const qeff_array *const *operands,
                    size_t n_operands);
void qeff_walk_next(qeff_walk *w);

/** y[i] = x[offset + i . strides] over all indices of `dims`; elements of 1, 4 or 8 bytes. */
void qeff_copy_strided(void *y, const void *x, size_t element, size_t rank, const int64_t *dims,
                       const int64_t *strides, int64_t offset);

/** W [N, K] with these strides -> panels of 16 columns. */
void qeff_pack_panels(const float *w, size_t n_stride, size_t k_stride, size_t n, size_t k,
                      float *panels);

#endif /* BACKEND_CPU_INTERPRET_H */
