/* protobuf.c - the Protocol Buffers wire format, read in place and written into a buffer.
 *
 *   message: fields, one after another
 *   field:   varint tag = field number << 3 | wire type, then
 *            0: varint | 1: 8 bytes | 2: varint length, bytes | 5: 4 bytes
 *   varint:  7 bits a byte, lowest first; the top bit says that more follow; at most 10 bytes
 *
 * Reference: protobuf.dev/programming-guides/encoding. Groups (3, 4) are deprecated there and
 * refused here: nothing that this library reads uses them, and they nest without a length. */
#include "formats/protobuf.h"

#include "base/error.h"
#include "base/span.h"

#include <inttypes.h>
#include <string.h>

enum { VARINT_BYTES_MAX = 10 };

/* First fault wins: what follows it is noise. */
static void fail_reader(qeff_protobuf *r, uint64_t offset, const char *fault)
{
    if (r->fault) return;
    r->fault = fault;
    r->fault_offset = offset;
}

void qeff_protobuf_init(qeff_protobuf *r, qeff_bytes message, uint64_t offset)
{
    *r = (qeff_protobuf){.data = message, .origin = offset};
}

qeff_status qeff_protobuf_status(const qeff_protobuf *r, qeff_error *err)
{
    if (!r->fault) return QEFF_OK;
    return qeff_fail(err, QEFF_ERR_FORMAT, "offset %" PRIu64 ": %s", r->fault_offset, r->fault);
}

uint64_t qeff_protobuf_offset(const qeff_protobuf *r)
{
    const size_t size = r->wire == QEFF_WIRE_VARINT ? 0 : r->bytes.size;
    return r->origin + r->at - size;
}

/* Decodes a varint at *at and moves past it; names what is wrong, or returns NULL. */
static const char *decode_varint(qeff_bytes data, size_t *at, uint64_t *value)
{
    uint64_t v = 0;
    for (size_t i = 0; i < VARINT_BYTES_MAX; i++) {
        if (*at + i >= data.size) return "message ends inside a varint";
        const uint8_t byte = data.data[*at + i];
        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return byte & 0x80 ? "varint of more than 10 bytes" : "varint exceeds 64 bits";
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80) continue;
        *at += i + 1;
        *value = v;
        return NULL;
    }
    return "varint of more than 10 bytes";
}

static bool read_varint(qeff_protobuf *r, uint64_t *value)
{
    const char *fault = decode_varint(r->data, &r->at, value);
    if (fault) fail_reader(r, r->origin + r->at, fault);
    return !fault;
}

static bool read_content(qeff_protobuf *r, uint64_t size)
{
    if (size > r->data.size - r->at) {
        fail_reader(r, r->origin + r->at, "field is longer than the rest of its message");
        return false;
    }
    r->bytes = (qeff_bytes){r->data.data + r->at, (size_t)size};
    r->at += (size_t)size;
    return true;
}

bool qeff_protobuf_next(qeff_protobuf *r)
{
    if (r->fault || r->at >= r->data.size) return false;
    const uint64_t start = r->origin + r->at;
    uint64_t tag = 0, size = 0;
    r->number = 0;
    r->bytes = (qeff_bytes){NULL, 0};
    if (!read_varint(r, &tag)) return false;
    if (tag >> 3 == 0 || tag >> 3 > QEFF_PROTOBUF_FIELD_MAX) {
        fail_reader(r, start, "field number outside 1 to 2^29 - 1");
        return false;
    }
    r->field = (uint32_t)(tag >> 3);
    switch (tag & 7) {
    case QEFF_WIRE_VARINT:
        r->wire = QEFF_WIRE_VARINT;
        return read_varint(r, &r->number);
    case QEFF_WIRE_FIXED64:
        r->wire = QEFF_WIRE_FIXED64;
        return read_content(r, 8);
    case QEFF_WIRE_BYTES:
        r->wire = QEFF_WIRE_BYTES;
        return read_varint(r, &size) && read_content(r, size);
    case QEFF_WIRE_FIXED32:
        r->wire = QEFF_WIRE_FIXED32;
        return read_content(r, 4);
    case 3:
    case 4:
        fail_reader(r, start, "groups are not supported");
        return false;
    default:
        fail_reader(r, start, "unknown wire type");
        return false;
    }
}

static bool expect_wire(qeff_protobuf *r, qeff_wire wire, const char *fault)
{
    if (!r->fault && r->wire == wire) return true;
    fail_reader(r, qeff_protobuf_offset(r), fault);
    return false;
}

int64_t qeff_protobuf_int(qeff_protobuf *r)
{
    if (!expect_wire(r, QEFF_WIRE_VARINT, "expected an integer field")) return 0;
    return (int64_t)r->number;
}

float qeff_protobuf_float(qeff_protobuf *r)
{
    float value = 0;
    if (!expect_wire(r, QEFF_WIRE_FIXED32, "expected a float field")) return value;
    const uint32_t bits = qeff_load_u32le(r->bytes.data);
    memcpy(&value, &bits, sizeof value);
    return value;
}

qeff_bytes qeff_protobuf_bytes(qeff_protobuf *r)
{
    if (!expect_wire(r, QEFF_WIRE_BYTES, "expected a field of bytes")) return (qeff_bytes){NULL, 0};
    return r->bytes;
}

qeff_str qeff_protobuf_str(qeff_protobuf *r)
{
    const qeff_bytes bytes = qeff_protobuf_bytes(r);
    return (qeff_str){(const char *)bytes.data, bytes.size};
}

qeff_protobuf qeff_protobuf_message(qeff_protobuf *r)
{
    const uint64_t offset = qeff_protobuf_offset(r);
    qeff_protobuf message;
    qeff_protobuf_init(&message, qeff_protobuf_bytes(r), offset);
    message.fault = r->fault;
    message.fault_offset = r->fault_offset;
    return message;
}

bool qeff_protobuf_next_varint(qeff_protobuf *r, size_t *at, uint64_t *value)
{
    if (r->fault) return false;
    if (r->wire == QEFF_WIRE_VARINT) {
        if (*at > 0) return false;
        *at = 1;
        *value = r->number;
        return true;
    }
    if (!expect_wire(r, QEFF_WIRE_BYTES, "expected integers")) return false;
    if (*at >= r->bytes.size) return false;
    const char *fault = decode_varint(r->bytes, at, value);
    if (fault) fail_reader(r, qeff_protobuf_offset(r) + *at, fault);
    return !fault;
}

/* Each varint has exactly one byte without the top bit. */
size_t qeff_protobuf_count_varints(qeff_protobuf *r)
{
    size_t n = 0;
    if (r->fault) return 0;
    if (r->wire == QEFF_WIRE_VARINT) return 1;
    if (!expect_wire(r, QEFF_WIRE_BYTES, "expected integers")) return 0;
    for (size_t i = 0; i < r->bytes.size; i++)
        n += !(r->bytes.data[i] & 0x80);
    if (r->bytes.size && r->bytes.data[r->bytes.size - 1] & 0x80)
        fail_reader(r, qeff_protobuf_offset(r), "message ends inside a varint");
    return n;
}

qeff_bytes qeff_protobuf_fixed(qeff_protobuf *r, size_t width)
{
    const qeff_wire single = width == 4 ? QEFF_WIRE_FIXED32 : QEFF_WIRE_FIXED64;
    if (r->fault) return (qeff_bytes){NULL, 0};
    if (r->wire == single) return r->bytes;
    if (!expect_wire(r, QEFF_WIRE_BYTES, "expected numbers of a fixed size"))
        return (qeff_bytes){NULL, 0};
    if (r->bytes.size % width != 0) {
        fail_reader(r, qeff_protobuf_offset(r), "packed numbers do not fill their field");
        return (qeff_bytes){NULL, 0};
    }
    return r->bytes;
}

/* --- writing --------------------------------------------------------------------------------- */

static size_t encode_varint(uint64_t value, uint8_t out[VARINT_BYTES_MAX])
{
    size_t n = 0;
    for (; value > 0x7f; value >>= 7)
        out[n++] = (uint8_t)(value | 0x80);
    out[n++] = (uint8_t)value;
    return n;
}

void qeff_protobuf_put_varint(qeff_buffer *out, uint64_t value)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    qeff_buffer_append(out, bytes, encode_varint(value, bytes));
}

static void put_tag(qeff_buffer *out, uint32_t field, qeff_wire wire)
{
    qeff_protobuf_put_varint(out, (uint64_t)field << 3 | (uint64_t)wire);
}

void qeff_protobuf_put_int(qeff_buffer *out, uint32_t field, int64_t value)
{
    put_tag(out, field, QEFF_WIRE_VARINT);
    qeff_protobuf_put_varint(out, (uint64_t)value);
}

void qeff_protobuf_put_float(qeff_buffer *out, uint32_t field, float value)
{
    uint32_t bits;
    uint8_t bytes[4];
    memcpy(&bits, &value, sizeof bits);
    qeff_store_u32le(bytes, bits);
    put_tag(out, field, QEFF_WIRE_FIXED32);
    qeff_buffer_append(out, bytes, sizeof bytes);
}

void qeff_protobuf_put_header(qeff_buffer *out, uint32_t field, uint64_t size)
{
    put_tag(out, field, QEFF_WIRE_BYTES);
    qeff_protobuf_put_varint(out, size);
}

void qeff_protobuf_put_bytes(qeff_buffer *out, uint32_t field, qeff_bytes bytes)
{
    qeff_protobuf_put_header(out, field, bytes.size);
    qeff_buffer_append(out, bytes.data, bytes.size);
}

void qeff_protobuf_put_str(qeff_buffer *out, uint32_t field, qeff_str text)
{
    qeff_protobuf_put_bytes(out, field, (qeff_bytes){(const uint8_t *)text.data, text.size});
}

/* One byte is set aside for the length; the few messages of over 127 bytes move up at their end. */
size_t qeff_protobuf_begin(qeff_buffer *out, uint32_t field)
{
    put_tag(out, field, QEFF_WIRE_BYTES);
    qeff_buffer_append_byte(out, 0);
    return out->size;
}

void qeff_protobuf_end(qeff_buffer *out, size_t mark)
{
    uint8_t length[VARINT_BYTES_MAX];
    if (out->failed) return;
    const size_t size = out->size - mark;
    const size_t n = encode_varint(size, length);
    if (n > 1) {
        if (!qeff_buffer_extend(out, n - 1)) return;
        memmove(out->data + mark + n - 1, out->data + mark, size);
    }
    memcpy(out->data + mark - 1, length, n);
}
