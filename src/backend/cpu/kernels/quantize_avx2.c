/* quantize_avx2.c - rows as the packed products take them: u8 with a scale and a zero of their own,
 * or bf16. Two passes over a row that is in cache; what is left of a row goes through a buffer. */
#include "backend/cpu/kernels/kernels_avx2.h"

#include "backend/cpu/kernels/simd_avx2.h"

#include <string.h>

/* The product with `factor`, where there is one. */
static inline __m256 load_scaled(const float *x, const float *factor, size_t i)
{
    const __m256 v = _mm256_loadu_ps(x + i);
    return factor ? _mm256_mul_ps(v, _mm256_loadu_ps(factor + i)) : v;
}

static inline __m256 load_scaled_tail(const float *x, const float *factor, size_t i, __m256i mask)
{
    const __m256 v = _mm256_maskload_ps(x + i, mask);
    return factor ? _mm256_mul_ps(v, _mm256_maskload_ps(factor + i, mask)) : v;
}

/* What the elements of a row, or of some lanes of it, range over, as the bits of floats. Those of
 * floats above zero are ordered like integers, and those of floats below zero backwards, with the
 * upper bit set: the largest signed number is the largest float, and the largest unsigned one the
 * least float, if there is one on that side of zero. NaN is beyond both ends. */
typedef struct range {
    __m256i least, most;
} range;

static inline void widen(range *r, __m256 v)
{
    r->least = _mm256_max_epu32(r->least, _mm256_castps_si256(v));
    r->most = _mm256_max_epi32(r->most, _mm256_castps_si256(v));
}

/* Two ranges at a time: one alone waits for its own last result. */
static inline range find_range(const float *x, const float *factor, size_t n)
{
    range a = {_mm256_setzero_si256(), _mm256_setzero_si256()}, b = a;
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        widen(&a, load_scaled(x, factor, i));
        widen(&b, load_scaled(x, factor, i + LANES));
    }
    for (; i < n; i += LANES)
        widen(&a, load_scaled_tail(x, factor, i, lanes_left(n, i)));
    a.least = _mm256_max_epu32(a.least, b.least);
    a.most = _mm256_max_epi32(a.most, b.most);
    return a;
}

static inline __m128i max_halves(__m256i v)
{
    return _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

/* Across the lanes, the two of them side by side: with the upper bit turned over, unsigned numbers
 * are ordered like signed ones. */
static inline void reduce_range(const range *r, float *least, float *most)
{
    const __m128i a = max_halves(_mm256_xor_si256(r->least, _mm256_set1_epi32(INT32_MIN)));
    const __m128i b = max_halves(r->most);
    __m128i v = _mm_max_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
    v = _mm_max_epi32(v, _mm_unpackhi_epi64(v, v));
    const float lowest =
        _mm_cvtss_f32(_mm_castsi128_ps(_mm_xor_si128(v, _mm_set1_epi32(INT32_MIN))));
    *least = lowest > 0.0F ? 0.0F : lowest;
    *most = _mm_cvtss_f32(_mm_movehdup_ps(_mm_castsi128_ps(v)));
}

/* How a row becomes numbers, and from what. */
typedef struct spread {
    const float *x;
    float by;
    int32_t zero;
} spread;

static inline spread spread_row(const qeff_quantize *q, size_t row)
{
    spread s = {.x = q->x + row * q->x_stride};
    float least, most;
    if (q->activation != QEFF_ACTIVATION_NONE) {
        float *work = q->work + row * q->x_stride;
        qeff_activate_f32_avx2(work, s.x, q->n, q->activation);
        s.x = work;
    }
    const range r = find_range(s.x, q->factor, q->n);
    reduce_range(&r, &least, &most);
    s.by = qeff_spread_u8(least, most, q->scale + row * q->scale_stride, &s.zero);
    q->zero[row * q->scale_stride] = s.zero;
    return s;
}

/* round(x factor by) as integers; NaN and what does not fit become the least one. */
static inline __m256i scaled_integers(const float *x, const float *factor, size_t i, __m256 by)
{
    return _mm256_cvtps_epi32(_mm256_mul_ps(load_scaled(x, factor, i), by));
}

/* The numbers of 32 elements. Saturating steps keep them in range, around -128 until the end, and
 * what is no number at zero. Packing goes by groups of four bytes in the lanes of 128 bits, so one
 * permutation brings them back in order. */
static inline void
quantize_32(uint8_t *y, const float *x, const float *factor, size_t i, __m256 by, __m256i shift)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i a = scaled_integers(x, factor, i, by);
    const __m256i b = scaled_integers(x, factor, i + LANES, by);
    const __m256i c = scaled_integers(x, factor, i + 2 * LANES, by);
    const __m256i d = scaled_integers(x, factor, i + 3 * LANES, by);
    const __m256i low = _mm256_adds_epi16(_mm256_packs_epi32(a, b), shift);
    const __m256i high = _mm256_adds_epi16(_mm256_packs_epi32(c, d), shift);
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    _mm256_storeu_si256((__m256i *)(void *)(y + i),
                        _mm256_xor_si256(bytes, _mm256_set1_epi8(-128)));
}

/* The last ones, up to 8 of n, with zeros up to a whole group. */
static inline void quantize_8(uint8_t *y, const float *x, const float *factor, size_t i, size_t n,
                              __m256 by, __m256i shift)
{
    const __m256i mask = lanes_left(n, i);
    const __m256i q = _mm256_cvtps_epi32(_mm256_mul_ps(load_scaled_tail(x, factor, i, mask), by));
    const __m128i words =
        _mm_adds_epi16(_mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1)),
                       _mm256_castsi256_si128(shift));
    uint8_t bytes[16];
    _mm_storeu_si128((__m128i *)(void *)bytes,
                     _mm_xor_si128(_mm_packs_epi16(words, words), _mm_set1_epi8(-128)));
    for (size_t k = 0; k < LANES && i + k < (n + 3) / 4 * 4; k++)
        y[i + k] = i + k < n ? bytes[k] : 0;
}

static inline void quantize_row(const qeff_quantize *q, size_t row, const spread *s)
{
    const size_t n = q->n;
    uint8_t *y = (uint8_t *)(q->y + row * q->y_stride);
    const __m256 by = _mm256_set1_ps(s->by);
    const __m256i shift = _mm256_set1_epi16((int16_t)(s->zero - 128));
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        quantize_32(y, s->x, q->factor, i, by, shift);
    for (; i < n; i += LANES)
        quantize_8(y, s->x, q->factor, i, n, by, shift);
}

/* The ranges of some rows first, then their numbers: what a range has to wait for goes on beside
 * the next one. */
void qeff_quantize_u8_avx2(const qeff_quantize *q)
{
    enum { ROWS = 6 };
    spread spreads[ROWS];
    for (size_t first = 0; first < q->n_rows; first += ROWS) {
        const size_t n = q->n_rows - first < ROWS ? q->n_rows - first : ROWS;
        for (size_t i = 0; i < n; i++)
            spreads[i] = spread_row(q, first + i);
        for (size_t i = 0; i < n; i++)
            quantize_row(q, first + i, &spreads[i]);
    }
}

void qeff_round_row_bf16_avx2(uint16_t *y, const float *x, size_t n)
{
    const __m256i one = _mm256_set1_epi32(1), half = _mm256_set1_epi32(0x7fff);
    for (size_t i = 0; i < n; i += LANES) {
        const __m256 v = _mm256_maskload_ps(x + i, lanes_left(n, i));
        const __m256i bits = _mm256_castps_si256(v);
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), one);
        const __m256i nan = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
        __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, half));
        rounded = _mm256_blendv_epi8(rounded, nan,
                                     _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
        rounded = _mm256_srli_epi32(rounded, 16);
        uint16_t words[LANES];
        _mm_storeu_si128((__m128i *)(void *)words,
                         _mm_packus_epi32(_mm256_castsi256_si128(rounded),
                                          _mm256_extracti128_si256(rounded, 1)));
        memcpy(y + i, words, (n - i < LANES ? (n - i + 1) / 2 * 2 : LANES) * sizeof *y);
    }
}
