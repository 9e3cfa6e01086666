/* plan_names.h - the words that stand in plan.json for the enums of a plan, by value. */
#ifndef BACKEND_CPU_PLAN_NAMES_H
#define BACKEND_CPU_PLAN_NAMES_H

#include "backend/cpu/plan.h"

#define QEFF_PLAN_FORMAT 2

static const char *const qeff_row_names[] = {"token", "sequence"};
static const char *const qeff_constant_names[] = {"panels", "vector", "table"};
static const char *const qeff_activation_names[] = {"none", "gelu", "gelu_tanh", "relu",
                                                    "silu", "tanh", "sigmoid"};
static const char *const qeff_numbers_names[] = {"fp32", "bf16", "int8", "int8_paired"};
static const char *const qeff_arithmetic_names[] = {"add", "sub", "mul", "div"};
static const char *const qeff_pool_names[] = {
    "cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"};

_Static_assert(sizeof qeff_activation_names / sizeof(char *) == QEFF_ACTIVATION_COUNT, "names");
_Static_assert(sizeof qeff_numbers_names / sizeof(char *) == QEFF_NUMBERS_COUNT, "names");
_Static_assert(sizeof qeff_arithmetic_names / sizeof(char *) == QEFF_ARITHMETIC_COUNT, "names");
_Static_assert(sizeof qeff_pool_names / sizeof(char *) == QEFF_POOL_COUNT, "names");
_Static_assert(sizeof qeff_constant_names / sizeof(char *) == QEFF_CONSTANT_COUNT, "names");

#endif /* BACKEND_CPU_PLAN_NAMES_H */
