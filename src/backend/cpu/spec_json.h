/* spec_json.h - inputs and outputs of a program in plan.json:
 *
 *   {"name": "input_ids", "dtype": "i64", "shape": ["batch_size", "seq_len"]}
 *
 * A dim is a number, or the name of a size known at run time. */
#ifndef BACKEND_CPU_SPEC_JSON_H
#define BACKEND_CPU_SPEC_JSON_H

#include "backend/backend.h"
#include "formats/json.h"

enum { QEFF_SPEC_NAME_MAX = 65536 }; /* bytes of a name or symbol */

/** Appends the members, without braces. */
void qeff_spec_format(const qeff_io_spec *spec, qeff_buffer *out);
void qeff_spec_format_shape(const qeff_shape *shape, qeff_buffer *out);

/** Reads and checks the members; strings are copied to the arena.
 * @return QEFF_ERR_FORMAT, QEFF_ERR_NO_MEMORY */
qeff_status
qeff_spec_parse(qeff_json object, qeff_arena *arena, qeff_io_spec *out, qeff_error *err);
qeff_status
qeff_spec_parse_shape(qeff_json array, qeff_arena *arena, qeff_shape *out, qeff_error *err);
qeff_status qeff_spec_parse_dtype(qeff_json object, qeff_dtype *out, qeff_error *err);
/** Member `key`, a non-empty string of at most QEFF_SPEC_NAME_MAX bytes without NUL, copied. */
qeff_status qeff_spec_parse_name(qeff_json object, const char *key, qeff_arena *arena,
                                 qeff_str *out, qeff_error *err);

#endif /* BACKEND_CPU_SPEC_JSON_H */
