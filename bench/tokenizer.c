/* tokenizer.c - how fast texts become ids, one thread:
 *
 *     bench_tokenizer TOKENIZER FILE [SECONDS]
 *
 * FILE has one text a line. They are encoded one by one as they are, then joined to texts of about
 * 2 KB, each with and without offsets. A line of output for each: its name, MB/s (10^6 bytes of
 * UTF-8, median of the passes in SECONDS, 0.5 by default) and tokens. First how long it took to
 * open the tokenizer, and the form of it that programs carry, in ms. */
#include "tokenizer/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PASSES_MAX = 1000, TEXT_BYTES = 2048 };

static qeff_error err;

static void check(qeff_status status)
{
    if (!status) return;
    (void)fprintf(stderr, "bench_tokenizer: %s\n", err.message);
    exit(1);
}

/* The thread's own clock leaves out what other programs take. */
static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static char *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) {
        perror(path);
        exit(1);
    }
    const long end = ftell(f);
    char *data = end < 0 ? NULL : malloc((size_t)end + 1);
    rewind(f);
    if (!data || fread(data, 1, (size_t)end, f) != (size_t)end) exit(1);
    (void)fclose(f);
    *size = (size_t)end;
    return data;
}

/* The lines of `data`, joined until each text has at least `at_least` bytes. */
static qeff_str *cut(const char *data, size_t size, size_t at_least, size_t *n)
{
    qeff_str *texts = malloc((size + 1) * sizeof *texts);
    if (!texts) exit(1);
    *n = 0;
    for (size_t begin = 0, at = 0; at <= size; at++) {
        if (at < size && (data[at] != '\n' || at - begin < at_least)) continue;
        if (at > begin) texts[(*n)++] = (qeff_str){data + begin, at - begin};
        begin = at + 1;
    }
    return texts;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, const qeff_tokenizer *t, const qeff_str *texts, size_t n,
                    bool no_offsets, double seconds)
{
    const qeff_encode_options options = {.no_offsets = no_offsets};
    qeff_encoding encoding = {0};
    double rates[PASSES_MAX];
    size_t n_passes = 0, n_tokens = 0;
    for (const double start = now(); n_passes < 3 || now() - start < seconds; n_passes++) {
        if (n_passes == PASSES_MAX) break;
        const double begin = now();
        size_t bytes = 0;
        n_tokens = 0;
        for (size_t i = 0; i < n; i++) {
            check(qeff_tokenizer_encode(t, texts[i], &options, &encoding, &err));
            bytes += texts[i].size;
            n_tokens += encoding.n;
        }
        rates[n_passes] = (double)bytes / (now() - begin) / 1e6;
    }
    qeff_encoding_deinit(&encoding);
    qsort(rates, n_passes, sizeof *rates, compare);
    (void)printf("%-16s %8.1f %9zu\n", name, rates[n_passes / 2], n_tokens);
}

static void measure_image(const qeff_tokenizer *tokenizer)
{
    qeff_buffer image = {0};
    qeff_tokenizer *opened = NULL;
    qeff_tokenizer_image_append(tokenizer, &image);
    check(qeff_buffer_status(&image, &err));
    const double begin = now();
    check(qeff_tokenizer_image_open(qeff_buffer_bytes(&image), qeff_tokenizer_json(tokenizer),
                                    &opened, &err));
    (void)printf("%-16s %8.2f %9zu bytes\n", "open-image", 1e3 * (now() - begin), image.size);
    qeff_tokenizer_destroy(opened);
    qeff_buffer_deinit(&image);
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4)
        return fputs("usage: bench_tokenizer TOKENIZER FILE [SECONDS]\n", stderr), 2;
    const double seconds = argc > 3 ? strtod(argv[3], NULL) : 0.5;
    qeff_tokenizer *tokenizer = NULL;
    const double begin = now();
    check(qeff_tokenizer_open(argv[1], NULL, &tokenizer, &err));
    (void)printf("%-16s %8.2f\n", "open", 1e3 * (now() - begin));
    measure_image(tokenizer);
    size_t size = 0, n = 0;
    char *data = read_file(argv[2], &size);
    for (int whole = 0; whole < 2; whole++) {
        qeff_str *texts = cut(data, size, whole ? TEXT_BYTES : 1, &n);
        measure(whole ? "texts" : "lines", tokenizer, texts, n, false, seconds);
        measure(whole ? "texts-ids" : "lines-ids", tokenizer, texts, n, true, seconds);
        free(texts);
    }
    free(data);
    qeff_tokenizer_destroy(tokenizer);
    return 0;
}
