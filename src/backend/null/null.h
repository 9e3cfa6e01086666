/* null.h - a backend that runs nothing: the template for a new one. */
#ifndef BACKEND_NULL_NULL_H
#define BACKEND_NULL_NULL_H

#include "backend/backend.h"

/** Every call that can fail returns QEFF_ERR_UNSUPPORTED and says so. To make a backend of it, copy
 * the folder, fill in the functions one after another, and let tests/conformance show what is
 * left. */
extern const qeff_backend qeff_backend_null;

#endif /* BACKEND_NULL_NULL_H */
