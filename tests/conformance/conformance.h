/* conformance.h - one list of cases for every backend. */
#ifndef TESTS_CONFORMANCE_CONFORMANCE_H
#define TESTS_CONFORMANCE_CONFORMANCE_H

#include "backend/support.h"
#include "conformance/reference.h"

/** A case that a backend need not pass, and why. */
typedef struct conformance_exception {
    const char *name; /**< of the case; "*": all */
    const char *reason;
} conformance_exception;

/** A backend under test; one file a backend lists its exceptions. */
typedef struct conformance_backend {
    const qeff_backend *backend;
    const conformance_exception *exceptions; /**< ends with a NULL name */
} conformance_backend;

extern const conformance_backend conformance_cpu, conformance_null;

/** A line of cases.def. */
typedef struct conformance_case {
    const char *name;
    qeff_op op;
    const char *operands, *attributes;
} conformance_case;

extern const conformance_case conformance_cases[];
extern const size_t conformance_n_cases;

enum { CONFORMANCE_BATCH = 3, CONFORMANCE_LENGTH = 5, CONFORMANCE_INPUTS_MAX = 8 };

/** Builds the graph of a case; `inputs` receives the elements of its inputs. */
qeff_graph *conformance_build(const conformance_case *c, ref_tensor inputs[CONFORMANCE_INPUTS_MAX]);

/** What a backend made of one graph, next to the reference. */
typedef struct conformance_result {
    bool is_ragged;
    size_t n_outputs;
    ref_tensor outputs[8];
} conformance_result;

/** Compiles, loads, runs with one call, all of it required to succeed. */
void conformance_run(const qeff_backend *backend, unsigned cpu_flags, const qeff_graph *graph,
                     const ref_tensor *inputs, const ref_tensor *expected,
                     conformance_result *result);
void conformance_free(conformance_result *result);

#endif /* TESTS_CONFORMANCE_CONFORMANCE_H */
