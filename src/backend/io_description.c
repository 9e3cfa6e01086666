/* io_description.c - the part of aicnwdesc.networkDescriptor that says what goes in and out.
 *
 *   networkDescriptor  major_version 1 = 9, network_name 3, inputs 4, outputs 5, batch_size 14
 *   IOBinding          name 1, io_initial 2, io_transformed 3
 *   IODescriptor       type 1, qscale 2 = 1, dims 4 (packed)
 *
 * Fields of value 0 are left out, as in every proto3 message. */
#include "backend/io_description.h"

#include "formats/protobuf.h"

enum {
    DESCRIPTOR_MAJOR = 1,
    DESCRIPTOR_NAME = 3,
    DESCRIPTOR_INPUTS = 4,
    DESCRIPTOR_OUTPUTS = 5,
    DESCRIPTOR_BATCH = 14,
    BINDING_NAME = 1,
    BINDING_INITIAL = 2,
    BINDING_TRANSFORMED = 3,
    IO_TYPE = 1,
    IO_SCALE = 2,
    IO_DIMS = 4,
    MAJOR_VERSION = 9
};

/* aicnwdesc.dataType; a bool is a byte there. */
static int64_t type_of(qeff_dtype dtype)
{
    if (dtype == QEFF_DTYPE_F16) return 1;
    if (dtype == QEFF_DTYPE_I32) return 6;
    if (dtype == QEFF_DTYPE_I64) return 7;
    if (dtype == QEFF_DTYPE_I8 || dtype == QEFF_DTYPE_BOOL) return 8;
    return 0;
}

static void put_descriptor(qeff_buffer *out, uint32_t field, const qeff_io_spec *spec)
{
    const size_t mark = qeff_protobuf_begin(out, field);
    const int64_t type = type_of(spec->dtype);
    if (type) qeff_protobuf_put_int(out, IO_TYPE, type);
    qeff_protobuf_put_float(out, IO_SCALE, 1.0F);
    if (spec->shape.rank) {
        const size_t dims = qeff_protobuf_begin(out, IO_DIMS);
        for (size_t i = 0; i < spec->shape.rank; i++)
            qeff_protobuf_put_varint(
                out, spec->shape.dims[i].size > 0 ? (uint64_t)spec->shape.dims[i].size : 0);
        qeff_protobuf_end(out, dims);
    }
    qeff_protobuf_end(out, mark);
}

static void put_bindings(qeff_buffer *out, uint32_t field, const qeff_io_spec *specs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const size_t mark = qeff_protobuf_begin(out, field);
        qeff_protobuf_put_str(out, BINDING_NAME, specs[i].name);
        put_descriptor(out, BINDING_INITIAL, &specs[i]);
        put_descriptor(out, BINDING_TRANSFORMED, &specs[i]);
        qeff_protobuf_end(out, mark);
    }
}

void qeff_io_description_format(qeff_str network, const qeff_io_spec *inputs, size_t n_inputs,
                                const qeff_io_spec *outputs, size_t n_outputs, qeff_buffer *out)
{
    qeff_protobuf_put_int(out, DESCRIPTOR_MAJOR, MAJOR_VERSION);
    qeff_protobuf_put_str(out, DESCRIPTOR_NAME, network);
    put_bindings(out, DESCRIPTOR_INPUTS, inputs, n_inputs);
    put_bindings(out, DESCRIPTOR_OUTPUTS, outputs, n_outputs);
    qeff_protobuf_put_int(out, DESCRIPTOR_BATCH, 1);
}
