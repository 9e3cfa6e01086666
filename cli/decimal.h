/* decimal.h - floats as decimal numbers. */
#ifndef CLI_DECIMAL_H
#define CLI_DECIMAL_H

#include <stddef.h>

enum { CLI_DECIMAL_BYTES = 24 };

/** Writes what printf writes for "%.9g", and returns how many bytes that takes. Nine digits tell
 * any two floats apart (FLT_DECIMAL_DIG); the program never calls setlocale(), so the point is a
 * point. */
size_t cli_decimal(float value, char out[CLI_DECIMAL_BYTES]);

#endif /* CLI_DECIMAL_H */
