/* quantize_avx512.c - rows as the packed products take them: u8 with a scale and a zero of their
 * own, or bf16. Two passes over a row that is in cache; tails by masks. */
#include "backend/cpu/kernels/kernels_avx512.h"

#include "backend/cpu/kernels/simd_avx512.h"

static inline __m512 load_scaled(const float *x, const float *factor, size_t i, __mmask16 mask)
{
    const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
    return factor ? _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, factor + i)) : v;
}

/* What the elements of a row, or of some lanes of it, range over, as the bits of floats. Those of
 * floats above zero are ordered like integers, and those of floats below zero backwards, with the
 * upper bit set: the largest signed number is the largest float, and the largest unsigned one the
 * least float, if there is one on that side of zero. NaN is beyond both ends. */
typedef struct range {
    __m512i least, most;
} range;

static inline void widen(range *r, __m512 v)
{
    r->least = _mm512_max_epu32(r->least, _mm512_castps_si512(v));
    r->most = _mm512_max_epi32(r->most, _mm512_castps_si512(v));
}

static inline void join(range *r, const range *other)
{
    r->least = _mm512_max_epu32(r->least, other->least);
    r->most = _mm512_max_epi32(r->most, other->most);
}

/* Four ranges at a time: one alone waits for its own last result. */
static inline range find_range(const float *x, const float *factor, size_t n)
{
    const __m512i zero = _mm512_setzero_si512();
    range a = {zero, zero}, b = a, c = a, d = a;
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        widen(&a, load_scaled(x, factor, i, 0xffff));
        widen(&b, load_scaled(x, factor, i + LANES, 0xffff));
        widen(&c, load_scaled(x, factor, i + 2 * LANES, 0xffff));
        widen(&d, load_scaled(x, factor, i + 3 * LANES, 0xffff));
    }
    for (; i < n; i += LANES)
        widen(&a, load_scaled(x, factor, i, lanes_left(n, i)));
    join(&a, &b);
    join(&c, &d);
    join(&a, &c);
    return a;
}

static inline __m128i max_quarters(__m512i v)
{
    const __m256i h = _mm256_max_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    return _mm_max_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
}

/* Across the lanes, the two of them side by side: with the upper bit turned over, unsigned numbers
 * are ordered like signed ones. */
static inline void reduce_range(const range *r, float *least, float *most)
{
    const __m128i sign = _mm_set1_epi32(INT32_MIN);
    const __m128i a = max_quarters(_mm512_xor_si512(r->least, _mm512_set1_epi32(INT32_MIN)));
    const __m128i b = max_quarters(r->most);
    __m128i v = _mm_max_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
    v = _mm_max_epi32(v, _mm_unpackhi_epi64(v, v));
    const float lowest = _mm_cvtss_f32(_mm_castsi128_ps(_mm_xor_si128(v, sign)));
    *least = lowest > 0.0F ? 0.0F : lowest;
    *most = _mm_cvtss_f32(_mm_movehdup_ps(_mm_castsi128_ps(v)));
}

/* round(x factor by) as integers; NaN and what does not fit become the least one. */
static inline __m512i
scaled_integers(const float *x, const float *factor, size_t i, __mmask16 mask, __m512 by)
{
    return _mm512_cvtps_epi32(_mm512_mul_ps(load_scaled(x, factor, i, mask), by));
}

/* The numbers of 64 elements. Saturating steps keep them in range, around -128 until the end, and
 * what is no number at zero. Packing goes by groups of four bytes in the lanes of 128 bits, so one
 * permutation brings them back in order. */
static inline void
quantize_64(uint8_t *y, const float *x, const float *factor, __m512 by, __m512i shift)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i a = scaled_integers(x, factor, 0, 0xffff, by);
    const __m512i b = scaled_integers(x, factor, LANES, 0xffff, by);
    const __m512i c = scaled_integers(x, factor, 2 * LANES, 0xffff, by);
    const __m512i d = scaled_integers(x, factor, 3 * LANES, 0xffff, by);
    const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(a, b), shift);
    const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(c, d), shift);
    const __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high));
    _mm512_storeu_si512(y, _mm512_xor_si512(bytes, _mm512_set1_epi8(-128)));
}

/* Up to 16 elements, with zeros up to a whole group. */
static inline void
quantize_16(uint8_t *y, const float *x, const float *factor, size_t n, __m512 by, __m512i shift)
{
    const __mmask16 mask = first_lanes(n);
    const __m512i q = scaled_integers(x, factor, 0, mask, by);
    const __m256i words =
        _mm256_adds_epi16(_mm512_cvtsepi32_epi16(q), _mm512_castsi512_si256(shift));
    const __m128i bytes = _mm_xor_si128(_mm256_cvtsepi16_epi8(words), _mm_set1_epi8(-128));
    _mm_mask_storeu_epi8(y, first_lanes((n + 3) / 4 * 4), _mm_maskz_mov_epi8(mask, bytes));
}

/* work = gelu(x) factor, and its range. */
static inline range activate_row(float *work, const float *x, const float *factor, size_t n)
{
    const __m512i zero = _mm512_setzero_si512();
    range r = {zero, zero};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        __m512 v = gelu_erf_rough(_mm512_loadu_ps(x + i));
        if (factor) v = _mm512_mul_ps(v, _mm512_loadu_ps(factor + i));
        _mm512_storeu_ps(work + i, v);
        widen(&r, v);
    }
    if (i < n) {
        const __mmask16 mask = lanes_left(n, i);
        __m512 v = gelu_erf_rough(_mm512_maskz_loadu_ps(mask, x + i));
        if (factor) v = _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, factor + i));
        _mm512_mask_storeu_ps(work + i, mask, v);
        widen(&r, v);
    }
    return r;
}

/* How a row becomes numbers, and from what. */
typedef struct spread {
    const float *x, *factor;
    float by;
    int32_t zero;
} spread;

static inline spread spread_row(const qeff_quantize *q, size_t row)
{
    spread s = {.x = q->x + row * q->x_stride, .factor = q->factor};
    float least, most;
    range r;
    if (q->activation == QEFF_ACTIVATION_NONE) {
        r = find_range(s.x, s.factor, q->n);
    } else if (q->activation == QEFF_ACTIVATION_GELU_ERF) {
        r = activate_row(q->work + row * q->x_stride, s.x, s.factor, q->n);
        s.x = q->work + row * q->x_stride;
        s.factor = NULL;
    } else {
        qeff_activate_f32_avx512(q->work + row * q->x_stride, s.x, q->n, q->activation);
        s.x = q->work + row * q->x_stride;
        r = find_range(s.x, s.factor, q->n);
    }
    reduce_range(&r, &least, &most);
    s.by = qeff_spread_u8(least, most, q->scale + row * q->scale_stride, &s.zero);
    q->zero[row * q->scale_stride] = s.zero;
    return s;
}

static inline void quantize_row(uint8_t *y, size_t n, const spread *s)
{
    const float *x = s->x, *factor = s->factor;
    const __m512 by = _mm512_set1_ps(s->by);
    const __m512i shift = _mm512_set1_epi16((int16_t)(s->zero - 128));
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        quantize_64(y + i, x + i, factor ? factor + i : NULL, by, shift);
    for (; i < n; i += LANES)
        quantize_16(y + i, x + i, factor ? factor + i : NULL, fewer(n - i, LANES), by, shift);
}

/* The ranges of some rows first, then their numbers: what a range has to wait for goes on beside
 * the next one. */
void qeff_quantize_u8_avx512(const qeff_quantize *q)
{
    enum { ROWS = 6 };
    spread spreads[ROWS];
    for (size_t first = 0; first < q->n_rows; first += ROWS) {
        const size_t n = fewer(q->n_rows - first, ROWS);
        for (size_t i = 0; i < n; i++)
            spreads[i] = spread_row(q, first + i);
        for (size_t i = 0; i < n; i++)
            quantize_row((uint8_t *)(q->y + (first + i) * q->y_stride), q->n, &spreads[i]);
    }
}

void qeff_round_row_bf16_avx512(uint16_t *y, const float *x, size_t n)
{
    const __m512i one = _mm512_set1_epi32(1), half = _mm512_set1_epi32(0x7fff);
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 mask = lanes_left(n, i);
        const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
        const __m512i bits = _mm512_castps_si512(v);
        const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
        __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, half));
        rounded = _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), bits,
                                       _mm512_set1_epi32(0x400000));
        const __m256i low = _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
        const size_t left = n - i < LANES ? (n - i + 1) / 2 * 2 : LANES;
        _mm256_mask_storeu_epi16(y + i, first_lanes(left), low);
    }
}
