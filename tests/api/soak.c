/* soak.c - many sentences through one model in one process: its memory must not grow.
 *
 *     soak MODEL [SENTENCES [THREADS [PRECISION]]]      1,000,000 sentences, 2 threads or 1, fp32
 *
 * Sentences of 1 to 24 words, in calls of 1 to 500 texts, which both repeat only after a long time.
 * Prints the resident set 20 times; fails where a later one lies over all of the first quarter,
 * which is the warm-up, by more than what the allocator of the system may keep. */
#include "base/cpu.h"

#include <qeff/qeff.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CALL_MAX = 500, WORDS_MAX = 24, SAMPLES = 20, SLACK_KIB = 512 };

static const char *const words[] = {"the",   "cat",    "sat",    "on",  "a",      "mat",
                                    "while", "prices", "fell",   "and", "nobody", "saw",
                                    "rain",  "in",     "winter", "42",  "houses", "un",
                                    "happy", "water",  "cold",   "is",  "today",  ","};
enum { N_WORDS = sizeof words / sizeof *words };

typedef struct call {
    char text[CALL_MAX][WORDS_MAX * 8];
    qeff_str texts[CALL_MAX];
    size_t n;
} call;

static uint32_t next_number(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void fill(call *c, uint32_t *seed, size_t most)
{
    c->n = 1 + next_number(seed) % CALL_MAX;
    if (c->n > most) c->n = most;
    for (size_t i = 0; i < c->n; i++) {
        const uint32_t n_words = 1 + next_number(seed) % WORDS_MAX;
        size_t size = 0;
        for (uint32_t w = 0; w < n_words; w++) {
            const char *word = words[next_number(seed) % N_WORDS];
            size += (size_t)snprintf(c->text[i] + size, sizeof c->text[i] - size, "%s ", word);
        }
        c->texts[i] = (qeff_str){c->text[i], size - 1};
    }
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file || fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    if (file) (void)fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static qeff_status encode(qeff_auto_model *model, const call *c, qeff_error *err)
{
    qeff_embeddings *e = NULL;
    const qeff_status status = qeff_auto_model_encode(model, c->texts, c->n, NULL, &e, err);
    qeff_embeddings_destroy(e);
    return status;
}

/* Returns whether memory stayed flat. */
static bool soak(qeff_auto_model *model, size_t n_sentences, qeff_error *err)
{
    static call c;
    uint32_t seed = 1;
    long most = 0, last = 0;
    const time_t begin = time(NULL);
    bool is_flat = true;
    for (size_t done = 0, sample = 1; done < n_sentences;) {
        fill(&c, &seed, n_sentences - done);
        if (encode(model, &c, err)) return false;
        done += c.n;
        if (done < n_sentences * sample / SAMPLES) continue;
        last = resident_kib();
        (void)printf("%9zu sentences  %4ld s  %7ld KiB\n", done, (long)(time(NULL) - begin), last);
        (void)fflush(stdout);
        if (sample <= SAMPLES / 4) most = last > most ? last : most;
        is_flat &= last <= most + SLACK_KIB;
        sample = done * SAMPLES / n_sentences + 1;
    }
    if (!is_flat)
        (void)fprintf(stderr, "soak: memory grew: at most %ld KiB at first, %ld KiB at the end\n",
                      most, last);
    return is_flat;
}

int main(int argc, char **argv)
{
    qeff_error err = {0};
    qeff_auto_model *model = NULL;
    const size_t n_sentences = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;
    const int two = qeff_cpu_threads() < 2 ? 1 : 2;
    const qeff_auto_model_options options = {.n_threads =
                                                 argc > 3 ? (int)strtol(argv[3], NULL, 10) : two,
                                             .precision = argc > 4 ? argv[4] : NULL,
                                             .no_cache = true};
    if (argc < 2 || n_sentences < SAMPLES)
        return fprintf(stderr, "usage: soak MODEL [SENTENCES [THREADS [PRECISION]]]\n"), 2;
    bool is_good = qeff_auto_model_from_pretrained(argv[1], &options, &model, &err) == QEFF_OK &&
                   soak(model, n_sentences, &err);
    if (err.code) (void)fprintf(stderr, "soak: %s\n", err.message);
    qeff_auto_model_destroy(model);
    return is_good ? 0 : 1;
}
