/* nearest.c - the word that was probably meant: smallest Damerau-Levenshtein distance (insert,
 * delete, replace, swap of neighbours), as long as it is small against the word's length. */
#include "cli/command.h"

#include <string.h>

enum { WORD_MAX = CLI_WORD_BYTES - 1 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t d[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            const size_t replaced = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = smaller(replaced, smaller(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = smaller(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n][m];
}

/* A word that is cut short ("--norm") is closer than its distance says. */
static size_t cost(const char *text, const char *word)
{
    const size_t n = strlen(text), m = strlen(word);
    if (n > WORD_MAX || m > WORD_MAX) return SIZE_MAX;
    if (n >= 3 && n < m && strncmp(text, word, n) == 0) return 1;
    const size_t d = distance(text, n, word, m);
    return d <= 1 + n / 4 ? d : SIZE_MAX;
}

const char *
cli_nearest(const char *text, const char *(*next)(void *ctx), void *ctx, char best[CLI_WORD_BYTES])
{
    size_t lowest = SIZE_MAX;
    for (const char *word; (word = next(ctx)) != NULL;) {
        const size_t c = cost(text, word);
        if (c >= lowest) continue;
        lowest = c;
        memcpy(best, word, strlen(word) + 1);
    }
    return lowest == SIZE_MAX ? NULL : best;
}
