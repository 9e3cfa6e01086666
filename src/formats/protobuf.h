/* protobuf.h - the Protocol Buffers wire format: a reader that leaves all bytes where they are, and
 * a writer that appends to a buffer.
 *
 *   qeff_protobuf r;
 *   qeff_protobuf_init(&r, bytes, 0);
 *   while (qeff_protobuf_next(&r)) {
 *       if (r.field == 1) version = qeff_protobuf_int(&r);
 *       else if (r.field == 7) QEFF_TRY(read_graph(qeff_protobuf_message(&r), err));
 *   }                                     // a field that is not asked for is skipped
 *   return qeff_protobuf_status(&r, err); // sticky: one check covers the whole loop
 *
 * Nothing here recurses or allocates; the caller decides how deep it follows messages. */
#ifndef FORMATS_PROTOBUF_H
#define FORMATS_PROTOBUF_H

#include "base/buffer.h"

/** Wire types. 3 and 4 (groups) are refused, 6 and 7 do not exist. */
typedef enum qeff_wire {
    QEFF_WIRE_VARINT = 0,
    QEFF_WIRE_FIXED64 = 1,
    QEFF_WIRE_BYTES = 2,
    QEFF_WIRE_FIXED32 = 5
} qeff_wire;

enum { QEFF_PROTOBUF_FIELD_MAX = (1 << 29) - 1 };

/** One message, read field by field. Copy it freely; it borrows the bytes. */
typedef struct qeff_protobuf {
    qeff_bytes data; /**< the message */
    size_t at;       /**< of the next field in `data` */
    uint64_t origin; /**< of data[0] in the file */

    uint32_t field;   /**< the current field */
    qeff_wire wire;   /**< its wire type */
    uint64_t number;  /**< its value, where it is a varint */
    qeff_bytes bytes; /**< its content otherwise: 4 or 8 bytes little-endian, or any number */

    const char *fault;     /**< NULL: none so far */
    uint64_t fault_offset; /**< in the file */
} qeff_protobuf;

/** @param offset  of the message in its file; messages name offsets in the file */
void qeff_protobuf_init(qeff_protobuf *r, qeff_bytes message, uint64_t offset);
/** Moves to the next field; false at the end and after a fault. */
bool qeff_protobuf_next(qeff_protobuf *r);
/** QEFF_OK, or QEFF_ERR_FORMAT with the first fault and its offset. */
qeff_status qeff_protobuf_status(const qeff_protobuf *r, qeff_error *err);
/** Offset in the file of the content of the current field. */
uint64_t qeff_protobuf_offset(const qeff_protobuf *r);

/** The current field as a singular one. Another wire type is a fault; the result is then empty.
 * Where a field occurs again the later one counts, as the format demands. */
int64_t qeff_protobuf_int(qeff_protobuf *r);
float qeff_protobuf_float(qeff_protobuf *r);
qeff_bytes qeff_protobuf_bytes(qeff_protobuf *r);
qeff_str qeff_protobuf_str(qeff_protobuf *r); /**< any bytes: UTF-8 is for the caller to check */
qeff_protobuf qeff_protobuf_message(qeff_protobuf *r);

/** The current field as a part of a repeated one, which may come one by one or packed, mixed at
 * will. Walks the varints of this part: start with `*at` 0; false at their end. */
bool qeff_protobuf_next_varint(qeff_protobuf *r, size_t *at, uint64_t *value);
/** How many varints the part holds. A fault where the last one is cut. */
size_t qeff_protobuf_count_varints(qeff_protobuf *r);
/** The part as elements of `width` bytes (4 or 8), little-endian, in place. */
qeff_bytes qeff_protobuf_fixed(qeff_protobuf *r, size_t width);

/* --- writing: errors are the buffer's, sticky ------------------------------------------------ */

void qeff_protobuf_put_varint(qeff_buffer *out, uint64_t value);
void qeff_protobuf_put_int(qeff_buffer *out, uint32_t field, int64_t value);
void qeff_protobuf_put_float(qeff_buffer *out, uint32_t field, float value);
void qeff_protobuf_put_str(qeff_buffer *out, uint32_t field, qeff_str text);
void qeff_protobuf_put_bytes(qeff_buffer *out, uint32_t field, qeff_bytes bytes);
/** Tag and length of a field whose `size` bytes of content follow. */
void qeff_protobuf_put_header(qeff_buffer *out, uint32_t field, uint64_t size);
/** A message: begin, put its fields, end with what begin returned. Lengths take as few bytes as
 * they can, so that the same content always gives the same bytes. */
size_t qeff_protobuf_begin(qeff_buffer *out, uint32_t field);
void qeff_protobuf_end(qeff_buffer *out, size_t mark);

#endif /* FORMATS_PROTOBUF_H */
