/* clock.c - a clock that only runs forward, from POSIX. */
#include "base/clock.h"

#include <time.h>

int64_t qeff_clock_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
