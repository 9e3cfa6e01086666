/* clock.h - a clock that only runs forward. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/** Nanoseconds since some fixed moment. */
int64_t qeff_clock_ns(void);

#endif /* BASE_CLOCK_H */
