/* support.h - graphs and checkpoints for tests: shapes written as text, results read as text. */
#ifndef TESTS_GRAPH_SUPPORT_H
#define TESTS_GRAPH_SUPPORT_H

#include "base/support.h"
#include "graph/builder.h"

/** A builder over `weights` (NULL: none). */
qeff_builder *test_builder(const qeff_weights *weights);
/** Builds, prints, destroys: the text of the graph, to be freed by the caller. */
char *test_finish_text(qeff_builder *b);
char *test_graph_text(const qeff_graph *graph);
/** Fails the test with both texts where they differ. */
void test_expect_text(const qeff_graph *graph, const char *expected);
/** The same for the graph without its first lines: from the line that starts with `from`. */
void test_expect_text_from(const qeff_graph *graph, const char *from, const char *expected);

/** "B,T,4": names are dims of run time, numbers are sizes, "" is a scalar. */
qeff_shape test_shape(const char *dims);
/** An input of this shape, called by a counter. */
qeff_value test_input(qeff_builder *b, qeff_dtype dtype, const char *dims);
/** A weight of zeros, owned by the graph. */
qeff_value test_zeros(qeff_builder *b, const char *name, qeff_dtype dtype, const char *dims);

/** A node of up to three operands; `b` must not fail. */
qeff_value test_node(qeff_builder *b, qeff_op op, const qeff_value *inputs, size_t n,
                     const qeff_attribute *attributes, size_t n_attributes);
/** Checks dtype and shape: "f32 [B, T, 4]". Dims that only run time can tell print as "?". */
void test_expect_type(const qeff_builder *b, qeff_value value, const char *expected);
/** What is known of a value's elements: "{B, 12, ?}"; "" where nothing is. */
void test_expect_known(const qeff_builder *b, qeff_value value, const char *expected);
/** Finishes a builder that has failed, and checks how. */
void test_expect_failure(qeff_builder *b, qeff_status status, const char *text);

typedef struct test_tensor {
    const char *name;
    const char *dtype; /**< "F32" */
    size_t rank;
    int64_t shape[3];
} test_tensor;

/** A checkpoint with these tensors, whose elements differ, written and mapped. */
qeff_weights *test_weights(const test_folder *folder, const test_tensor *tensors, size_t n);

#endif /* TESTS_GRAPH_SUPPORT_H */
