/* unicode.c - looks up the generated tables: two-level arrays, sorted keys, and the Hangul
 * syllables by arithmetic (Unicode 9, section 3.12). */
#include "tokenizer/unicode.h"

enum {
    HANGUL_S = 0xac00,
    HANGUL_L = 0x1100,
    HANGUL_V = 0x1161,
    HANGUL_T = 0x11a7,
    HANGUL_NL = 19,
    HANGUL_NV = 21,
    HANGUL_NT = 28
};

uint8_t qeff_unicode_ccc(uint32_t c)
{
    if (c >= QEFF_UNICODE_CCC_END) return 0;
    return qeff_unicode_ccc_[(size_t)qeff_unicode_ccc_blocks[c >> 7] << 7 | (c & 0x7f)];
}

/* Keys are sorted without their plane; bounds[p] is where those of plane p start. */
static bool find_key(const uint16_t *keys, const uint16_t bounds[4], uint32_t c, size_t *found)
{
    if (c >= 0x30000) return false;
    size_t low = bounds[c >> 16], high = bounds[(c >> 16) + 1];
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (keys[middle] < (c & 0xffff))
            low = middle + 1;
        else
            high = middle;
    }
    *found = low;
    return low < bounds[(c >> 16) + 1] && keys[low] == (c & 0xffff);
}

static size_t read_pool(size_t at, size_t n_units, uint32_t *out)
{
    size_t n = 0;
    for (size_t i = at; i < at + n_units; i++) {
        uint32_t unit = qeff_unicode_pool[i];
        if ((unit & 0xfc00) == 0xd800)
            unit = 0x10000 + ((unit & 0x3ff) << 10) + (qeff_unicode_pool[++i] & 0x3ff);
        out[n++] = unit;
    }
    return n;
}

size_t
qeff_unicode_decompose(uint32_t c, bool compatible, uint32_t out[QEFF_UNICODE_DECOMPOSITION_MAX])
{
    if (qeff_unicode_is_syllable(c)) {
        const uint32_t s = c - HANGUL_S;
        out[0] = HANGUL_L + s / (HANGUL_NV * HANGUL_NT);
        out[1] = HANGUL_V + s % (HANGUL_NV * HANGUL_NT) / HANGUL_NT;
        out[2] = HANGUL_T + s % HANGUL_NT;
        return s % HANGUL_NT ? 3 : 2;
    }
    size_t at = 0;
    if (compatible &&
        find_key(qeff_unicode_compatible_keys, qeff_unicode_compatible_bounds, c, &at))
        return read_pool(qeff_unicode_compatible_at[at], qeff_unicode_compatible_units[at], out);
    if (find_key(qeff_unicode_canonical_keys, qeff_unicode_canonical_bounds, c, &at))
        return read_pool(qeff_unicode_canonical_at[at], qeff_unicode_canonical_units[at], out);
    return 0;
}

static uint32_t compose_hangul(uint32_t a, uint32_t b)
{
    if (a >= HANGUL_L && a < HANGUL_L + HANGUL_NL && b >= HANGUL_V && b < HANGUL_V + HANGUL_NV)
        return HANGUL_S + ((a - HANGUL_L) * HANGUL_NV + (b - HANGUL_V)) * HANGUL_NT;
    if (qeff_unicode_is_syllable(a) && (a - HANGUL_S) % HANGUL_NT == 0 && b > HANGUL_T &&
        b < HANGUL_T + HANGUL_NT)
        return a + (b - HANGUL_T);
    return 0;
}

uint32_t qeff_unicode_compose(uint32_t first, uint32_t second)
{
    const uint32_t syllable = compose_hangul(first, second);
    if (syllable) return syllable;
    if (first >= 0x10000 || second >= 0x10000) {
        const uint32_t *t = qeff_unicode_compose_high;
        for (size_t i = 0; i < QEFF_UNICODE_COMPOSE_HIGH_N; i++, t += 3)
            if (t[0] == first && t[1] == second) return t[2];
        return 0;
    }
    size_t low = 0, high = QEFF_UNICODE_COMPOSE_LOW_N;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const uint16_t *t = qeff_unicode_compose_low + 3 * middle;
        if (t[0] == first && t[1] == second) return t[2];
        if (t[0] < first || (t[0] == first && t[1] < second))
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}
