/* program.h - a loaded program: the mapped container, the backend that runs it, and its inputs and
 * outputs in the form the public header shows. */
#ifndef RUNTIME_PROGRAM_H
#define RUNTIME_PROGRAM_H

#include "backend/backend.h"
#include "base/alloc.h"
#include "base/file.h"

#include <qeff/program.h>

struct qeff_program {
    qeff_qpc *qpc;
    const qeff_backend *backend;
    void *loaded; /**< the backend's program */
    size_t n_inputs, n_outputs;
    qeff_program_io *inputs;  /**< [n_inputs] */
    qeff_program_io *outputs; /**< [n_outputs] */
    const char *manifest;
    char folder[QEFF_PATH_MAX];
    qeff_arena arena;
};

/** Opens `path`, a program folder or the container in it, for one of the backends.
 * @param backends  [n_backends]; the manifest's target picks one */
qeff_status qeff_program_load(const char *path, const qeff_backend *const *backends,
                              size_t n_backends, qeff_program **out, qeff_error *err);

/** An image of the container as text; false where there is none. */
bool qeff_program_find_text(const qeff_program *program, const char *image, qeff_str *out);

#endif /* RUNTIME_PROGRAM_H */
