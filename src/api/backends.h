/* backends.h - the list of targets. A new backend is one folder and one line here. */
#ifndef API_BACKENDS_H
#define API_BACKENDS_H

#include "backend/backend.h"

/** All backends of this build; `*n` receives their number. */
const qeff_backend *const *qeff_backends_get(size_t *n);

/** The backend of that name; NULL name: "cpu".
 * @return QEFF_ERR_UNSUPPORTED, naming those there are, or why this one cannot be used here */
qeff_status qeff_backends_find(const char *name, const qeff_backend **out, qeff_error *err);

#endif /* API_BACKENDS_H */
