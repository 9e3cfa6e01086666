/* cpu.c - the CPU backend passes every case. */
#include "backend/cpu/cpu.h"

#include "conformance/conformance.h"

static const conformance_exception exceptions[] = {{NULL, NULL}};

const conformance_backend conformance_cpu = {&qeff_backend_cpu, exceptions};
