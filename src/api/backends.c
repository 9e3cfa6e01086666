/* backends.c - the targets this build knows. */
#include "api/backends.h"

#include "backend/cpu/cpu.h"
#include "backend/null/null.h"
#include "base/error.h"

static const qeff_backend *const backends[] = {
    &qeff_backend_cpu,
    &qeff_backend_null,
};

const qeff_backend *const *qeff_backends_get(size_t *n)
{
    *n = sizeof backends / sizeof backends[0];
    return backends;
}

qeff_status qeff_backends_find(const char *name, const qeff_backend **out, qeff_error *err)
{
    size_t n = 0;
    const qeff_backend *const *list = qeff_backends_get(&n);
    *out = NULL;
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i]->name, name ? name : "cpu") == 0) *out = list[i];
    if (!*out) return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "target '%s': expected cpu", name);
    return (*out)->available(err);
}
