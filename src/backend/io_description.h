/* io_description.h - networkdesc.bin: names, element types and shapes of a program's inputs and
 * outputs, as the protobuf message aicnwdesc.networkDescriptor that programs of Cloud AI 100
 * carry, too. */
#ifndef BACKEND_IO_DESCRIPTION_H
#define BACKEND_IO_DESCRIPTION_H

#include "backend/backend.h"

/** Appends the message. A dim that only run time knows is written as 0. */
void qeff_io_description_format(qeff_str network, const qeff_io_spec *inputs, size_t n_inputs,
                                const qeff_io_spec *outputs, size_t n_outputs, qeff_buffer *out);

#endif /* BACKEND_IO_DESCRIPTION_H */
