/* precision.h - how weights become numbers of 8 bits; shared by what chooses scales and what packs.
 */
#ifndef BACKEND_CPU_PRECISION_H
#define BACKEND_CPU_PRECISION_H

#include "backend/cpu/plan.h"

/** What weights are multiplied with where `scale` is what one step of s8 is worth. */
static inline float qeff_weight_inverse(float scale)
{
    return scale > 0.0F ? 1.0F / scale : 0.0F;
}

/** A weight times `inverse`, rounded, in -127 to 127. */
int8_t qeff_quantize_weight(float w, float inverse);

#endif /* BACKEND_CPU_PRECISION_H */
