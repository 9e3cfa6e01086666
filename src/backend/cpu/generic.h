/* generic.h - a program that runs op by op: the graph itself, kept in plan.json, and its constants.
 *
 *   {"format": 1, "kind": "generic", "level": "avx2", "name": …,
 *    "inputs": [{"name": …, "dtype": …, "shape": […]}, …],
 *    "constants": [{"name": …, "dtype": …, "shape": […], "offset": …}, …],
 *    "nodes": [{"op": "add", "name": …, "inputs": [0, -1, 3], "attributes": {…}}, …],
 *    "outputs": [{"name": …, "value": 7}, …]}
 *
 * Values are numbered: inputs, constants, then the results of the nodes in order; -1 is an absent
 * operand. Constants of f16 and bf16 are kept as f32, which is what the ops take them for. */
#ifndef BACKEND_CPU_GENERIC_H
#define BACKEND_CPU_GENERIC_H

#include "backend/backend.h"
#include "backend/cpu/kernels/kernels.h"
#include "formats/json.h"

/** Where each weight of a graph lies in constants.bin. */
typedef struct qeff_generic_layout {
    uint64_t *offsets; /**< by value; UINT64_MAX where it is no weight, or an unused one */
    int32_t *numbers;  /**< by value: the number in plan.json; -1 where unused */
    uint64_t total;    /**< bytes */
} qeff_generic_layout;

/** Whether results and operands of this node are of dtypes that the interpreter has: f32, i64, i32
 * and bool, and short floats as constants. */
bool qeff_generic_supports(const qeff_graph *graph, const qeff_node *node);

qeff_status
qeff_generic_layout_init(const qeff_graph *graph, qeff_generic_layout *layout, qeff_error *err);
void qeff_generic_layout_deinit(qeff_generic_layout *layout);

void qeff_generic_format(const qeff_graph *graph, const qeff_generic_layout *layout,
                         unsigned cpu_flags, qeff_buffer *out);
void qeff_generic_write_constants(const qeff_graph *graph, const qeff_generic_layout *layout,
                                  qeff_qpc_writer *out);

/** Reads the graph back through the builder, which checks arity, attributes, dtypes and shapes.
 * Constants borrow from `constants`.
 * @return QEFF_ERR_FORMAT, QEFF_ERR_NO_MEMORY */
qeff_status
qeff_generic_parse(qeff_json root, qeff_bytes constants, qeff_graph **out, qeff_error *err);

/* --- interpret.c: the contracts of bind, reserve and run of backend.h ---------------------------
 */

typedef struct qeff_generic_session qeff_generic_session;

/** `graph` and `kernels` outlive the session. */
qeff_status qeff_generic_bind(const qeff_graph *graph, const qeff_kernels *kernels,
                              qeff_generic_session **out, qeff_error *err);
/** NULL is allowed. */
void qeff_generic_unbind(qeff_generic_session *session);
/** Sizes depend on values, so memory grows at the first sight of a larger call; calls of sizes that
 * were seen do not allocate. */
qeff_status
qeff_generic_run(qeff_generic_session *session, const qeff_run_call *call, qeff_error *err);

#endif /* BACKEND_CPU_GENERIC_H */
