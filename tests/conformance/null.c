/* null.c - the template runs nothing. */
#include "backend/null/null.h"

#include "conformance/conformance.h"

static const conformance_exception exceptions[] = {
    {"*", "a template for new backends: refuses every graph"},
    {NULL, NULL},
};

const conformance_backend conformance_null = {&qeff_backend_null, exceptions};
