/* attention_cached_avx512.c - attention of up to 512 keys in f32; keys and values are read as they
 * lie. */
#include "backend/cpu/kernels/attention_cached_avx512.h"
#include "backend/cpu/kernels/kernels_avx512.h"

static void
pack_queries(const qeff_attention *a, const float *q, size_t n, float *panel, size_t stride)
{
    const __m512 factor = _mm512_set1_ps(a->scale * 1.44269504F);
    for (size_t d = 0; d < a->head_dim; d += LANES) {
        const size_t n_columns = fewer(a->head_dim - d, LANES);
        const __mmask16 columns = first_lanes(n_columns);
        __m512 rows[16], transposed[16];
        for (size_t i = 0; i < 16; i++) {
            const float *row = q + fewer(i, n - 1) * a->q_stride + d;
            rows[i] = _mm512_mul_ps(factor, _mm512_maskz_loadu_ps(i < n ? columns : 0, row));
        }
        transpose_lanes(rows, transposed);
        if (n_columns == LANES)
            for (size_t i = 0; i < 16; i++)
                _mm512_storeu_ps(panel + (d + i) * stride, transposed[i]);
        else
            for (size_t i = 0; i < n_columns; i++)
                _mm512_storeu_ps(panel + (d + i) * stride, transposed[i]);
    }
}

static __m512 exponentiate(float *scores, size_t n_rows, size_t stride)
{
    const __m512 most = max_column(scores, n_rows, stride);
    __m512 even = _mm512_setzero_ps(), odd = even;
    for (size_t t = 0; t < n_rows; t += CACHED_ROWS) {
        float *s = scores + t * stride;
        const __m512 a = power_of_two(_mm512_sub_ps(_mm512_loadu_ps(s), most));
        const __m512 b = power_of_two(_mm512_sub_ps(_mm512_loadu_ps(s + stride), most));
        const __m512 c = power_of_two(_mm512_sub_ps(_mm512_loadu_ps(s + 2 * stride), most));
        const __m512 d = power_of_two(_mm512_sub_ps(_mm512_loadu_ps(s + 3 * stride), most));
        _mm512_storeu_ps(s, a);
        _mm512_storeu_ps(s + stride, b);
        _mm512_storeu_ps(s + 2 * stride, c);
        _mm512_storeu_ps(s + 3 * stride, d);
        even = _mm512_add_ps(even, _mm512_add_ps(a, c));
        odd = _mm512_add_ps(odd, _mm512_add_ps(b, d));
    }
    return _mm512_div_ps(_mm512_set1_ps(1.0F), _mm512_add_ps(even, odd));
}

void qeff_attention_cached_avx512(const qeff_attention *a)
{
    static const cached_steps steps = {pack_queries, exponentiate, qeff_tile_attention_avx512};
    const cached_head h = {.keys = a->k,
                           .values = a->v,
                           .keys_stride = a->k_stride,
                           .values_stride = a->v_stride,
                           .column_steps = a->head_dim,
                           .key_steps = a->n_keys,
                           .queries = a->scratch,
                           .scores = a->scratch + CACHED_QUERIES * a->head_dim};
    run_cached(a, &h, &steps);
}
