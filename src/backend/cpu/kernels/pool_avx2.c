/* pool_avx2.c - one vector from the rows of a sequence. Columns are independent: eight at a time,
 * and down each column from the first row to the last. */
#include "backend/cpu/kernels/kernels_avx2.h"

#include "backend/cpu/kernels/simd_avx2.h"

#include <math.h>

/* Both operands' order matters where one is NaN: the sum is then NaN, the maximum the other one. */
static __m256 reduce_columns(const qeff_pool *p, size_t column, __m256i mask)
{
    __m256 r = _mm256_setzero_ps();
    for (size_t t = 0; t < p->n_rows; t++) {
        const __m256 v = _mm256_maskload_ps(p->x + t * p->x_stride + column, mask);
        if (p->mode == QEFF_POOL_WEIGHTED_MEAN)
            r = _mm256_fmadd_ps(v, _mm256_set1_ps((float)p->positions[t] + 1.0F), r);
        else if (p->mode != QEFF_POOL_MAX)
            r = _mm256_add_ps(r, v);
        else
            r = t == 0 ? v : _mm256_max_ps(r, v);
    }
    return r;
}

static float divisor_of(const qeff_pool *p)
{
    float total = 0.0F;
    if (p->mode == QEFF_POOL_MEAN) return (float)p->n_rows;
    if (p->mode == QEFF_POOL_MEAN_SQRT_LEN) return sqrtf((float)p->n_rows);
    if (p->mode != QEFF_POOL_WEIGHTED_MEAN) return 1.0F;
    for (size_t t = 0; t < p->n_rows; t++)
        total += (float)p->positions[t] + 1.0F;
    return total;
}

void qeff_pool_f32_avx2(float *y, const qeff_pool *p)
{
    qeff_pool one_row = *p; /* the first or the last row is the maximum of itself */
    if (p->mode == QEFF_POOL_LAST) one_row.x += (p->n_rows - 1) * p->x_stride;
    if (p->mode == QEFF_POOL_LAST || p->mode == QEFF_POOL_CLS) {
        one_row.mode = QEFF_POOL_MAX;
        one_row.n_rows = 1;
    }
    const __m256 divisor = _mm256_set1_ps(divisor_of(&one_row));
    for (size_t i = 0; i < p->n; i += LANES) {
        const __m256i mask = first_lanes(p->n - i < LANES ? p->n - i : LANES);
        const __m256 r = reduce_columns(&one_row, i, mask);
        _mm256_maskstore_ps(y + i, mask, _mm256_div_ps(r, divisor));
    }
}
