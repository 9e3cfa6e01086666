/* make.h - ONNX files written field by field, so that each can be wrong in one way, and what every
 * import must hold: one line of error that starts with the path, nothing leaked, memory bounded. */
#ifndef TESTS_ONNX_MAKE_H
#define TESTS_ONNX_MAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "test.h"

#include "base/span.h"
#include "formats/protobuf.h"
#include "onnx/messages.h"
#include "onnx/onnx.h"

/** cmocka group fixtures: a fresh folder, and an allocator that counts. */
int make_setup(void **state);
int make_teardown(void **state);

/** `folder/name`; valid until the next call. */
const char *make_path(const char *name);
void make_file(const char *name, const void *data, size_t size);
bool make_exists(const char *name);
/** Names in the folder. */
size_t make_count_files(void);
/** Removes all that is in the folder. */
void make_empty_folder(void);

/** Bytes in use now. */
size_t make_bytes_in_use(void);
/** The allocation after `n` more fails, once (`forever` false) or from then on; -1: never. */
void make_fail_allocation(long n, bool forever);

/** `dims` as "N,4": numbers are sizes, names are symbols, "?" is neither, "" is a scalar. NULL: no
 * shape at all. */
void put_value(qeff_buffer *graph, uint32_t field, const char *name, int64_t elem_type,
               const char *dims);
/** `inputs` and `outputs` as "a,,b". Begin leaves the node open for attributes. */
size_t begin_node(qeff_buffer *graph, const char *op_type, const char *name, const char *inputs,
                  const char *outputs);
void put_node(qeff_buffer *graph, const char *op_type, const char *name, const char *inputs,
              const char *outputs);
void put_int_attribute(qeff_buffer *node, const char *name, int64_t value);
void put_ints_attribute(qeff_buffer *node, const char *name, const int64_t *values, size_t n);
void put_float_attribute(qeff_buffer *node, const char *name, float value);
/** A tensor as field `field` of what is being written; begin leaves it open for its data. */
size_t begin_tensor(qeff_buffer *out, uint32_t field, const char *name, int64_t data_type,
                    const char *dims);
void put_f32_tensor(qeff_buffer *graph, const char *name, const char *dims, const float *values,
                    size_t n);
void put_i64_tensor(qeff_buffer *graph, const char *name, const char *dims, const int64_t *values,
                    size_t n);
void put_pair(qeff_buffer *out, uint32_t field, const char *key, const char *value);

/** An input x f32 [N, 4] and an output y f32 [N, 4]; something must produce y. */
qeff_buffer start_graph(void);
/** start_graph(), a weight w f32 [4], and the node 'sum': y = x + w. */
qeff_buffer sum_graph(void);

/** Wraps and frees the graph, and writes it as `folder/model.onnx`. */
void make_model(qeff_buffer *graph, int64_t opset);
/** The same, as bytes. */
qeff_buffer wrap_model(qeff_buffer *graph, int64_t opset);

/** Imports `folder/model.onnx` and checks that it is refused so, within bounds. */
void expect_refusal(qeff_status status, const char *text);
/** make_model() at opset 17, then expect_refusal(). */
void expect_refused(qeff_buffer *graph, qeff_status status, const char *text);
/** Imports `folder/model.onnx` and returns its text, to be freed by qeff_buffer_deinit(). */
qeff_buffer expect_text(void);
/** make_model(), then checks that the graph's text contains `text`. */
void expect_loaded(qeff_buffer *graph, int64_t opset, const char *text);

#endif /* TESTS_ONNX_MAKE_H */
