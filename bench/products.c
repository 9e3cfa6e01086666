/* products.c - how close the products come to the limit when weights come from L3 or memory:
 *
 *     bench_products [avx512 | avx2 | scalar]
 *
 * Percent of what a loop of multiply-adds of the level's own width reaches, timed next to each
 * sample, for rows M and shapes K x N. Weights rotate through copies of 24 MiB in all, so that no
 * call finds them in L2, as in a forward. Medians over ROUNDS samples of the thread's own time. */
#include "backend/cpu/kernels/kernels.h"
#include "base/cpu.h"
#include "bench/fma_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 11, ROWS_MAX = 512, K_MAX = 1536, ROTATED_BYTES = 24 << 20, WIDTH = 384 };

static const size_t row_counts[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
enum { N_ROW_COUNTS = sizeof row_counts / sizeof row_counts[0] };

typedef struct level {
    const char *name;
    unsigned flags;
    double (*probe)(double seconds);
} level;

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *numbers(size_t n)
{
    const size_t bytes = (n * sizeof(float) + 63) / 64 * 64;
    float *x = aligned_alloc(64, bytes);
    if (!x) {
        (void)fputs("products: out of memory\n", stderr);
        exit(1);
    }
    uint32_t state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525U + 1013904223U;
        x[i] = (float)(state >> 8) / 8388608.0F - 1.0F;
    }
    return x;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, compare_doubles);
    return x[n / 2];
}

/* Percent of the probe for one shape and number of rows. */
static double
time_gemm(const level *l, const qeff_kernels *kernels, qeff_gemm g, const float *weights)
{
    const size_t size = g.n_in * g.n_out, n_copies = ROTATED_BYTES / sizeof(float) / size;
    const double flops = 2.0 * (double)g.n_rows * (double)size;
    const size_t n_calls = n_copies * (1 + (size_t)(3e8 / flops / (double)n_copies));
    double percent[ROUNDS];
    for (int r = -1; r < ROUNDS; r++) {
        const double before = l->probe(0.001), start = now();
        for (size_t i = 0; i < n_calls; i++) {
            g.panels = weights + i % n_copies * size;
            kernels->gemm_f32(&g, 0, qeff_gemm_panels(g.n_out));
        }
        const double rate = 1e-9 * flops * (double)n_calls / (now() - start);
        const double peak = 0.5 * (before + l->probe(0.001));
        if (r >= 0) percent[r] = 100.0 * rate / peak;
    }
    return median(percent, ROUNDS);
}

static void bench_gemm(const level *l, const qeff_kernels *kernels)
{
    static const struct {
        size_t k, n;
        qeff_activation activation;
    } shapes[] = {{384, 384, QEFF_ACTIVATION_NONE},  {384, 1152, QEFF_ACTIVATION_NONE},
                  {384, 1536, QEFF_ACTIVATION_NONE}, {384, 1536, QEFF_ACTIVATION_GELU_ERF},
                  {1536, 384, QEFF_ACTIVATION_NONE}, {768, 3072, QEFF_ACTIVATION_NONE},
                  {1536, 1536, QEFF_ACTIVATION_NONE}};
    float *x = numbers((size_t)ROWS_MAX * (K_MAX + 16)), *y = numbers((size_t)ROWS_MAX * 3088);
    float *weights = numbers(ROTATED_BYTES / sizeof(float)), *bias = numbers(3072);
    printf("gemm_f32, percent of the probe (%.0f GFLOP/s)\n%16s M", l->probe(0.02), "K x N");
    for (size_t m = 0; m < N_ROW_COUNTS; m++)
        printf("%6zu", row_counts[m]);
    puts("");
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        printf("%5zu x %4zu%s", shapes[s].k, shapes[s].n,
               shapes[s].activation == QEFF_ACTIVATION_GELU_ERF ? " gelu " : "      ");
        for (size_t m = 0; m < N_ROW_COUNTS; m++) {
            const qeff_gemm g = {.n_rows = row_counts[m],
                                 .n_in = shapes[s].k,
                                 .n_out = shapes[s].n,
                                 .x = x,
                                 .x_stride = shapes[s].k + 16,
                                 .bias = bias,
                                 .activation = shapes[s].activation,
                                 .y = y,
                                 .y_stride = shapes[s].n + 16};
            printf("%6.1f", time_gemm(l, kernels, g, weights));
            (void)fflush(stdout);
        }
        puts("");
    }
    free(x);
    free(y);
    free(weights);
    free(bias);
}

/* Attention of twelve heads of 32, as in MiniLM; 4 S T D operations a head. */
static void bench_attention(const level *l, const qeff_kernels *kernels)
{
    enum { STRIDE = 3 * WIDTH + 16, HEADS = 12, HEAD = 32 };
    float *qkv = numbers((size_t)ROWS_MAX * STRIDE), *y = numbers((size_t)ROWS_MAX * WIDTH);
    float *scratch = numbers(qeff_attention_scratch(ROWS_MAX, HEAD));
    printf("attention_f32, percent of the probe");
    for (size_t t = 8; t <= ROWS_MAX; t *= 2) {
        double percent[ROUNDS];
        const double flops = 4.0 * HEADS * (double)t * (double)t * HEAD;
        const size_t n_calls = 1 + (size_t)(5e7 / flops);
        for (int r = 0; r < ROUNDS; r++) {
            const double peak = l->probe(0.001), start = now();
            for (size_t i = 0; i < n_calls * HEADS; i++) {
                const float *q = qkv + i % HEADS * HEAD;
                const qeff_attention a = {t,      t,      HEAD,   q,     q + WIDTH, q + 2 * WIDTH,
                                          STRIDE, STRIDE, STRIDE, 0.17F, y,         WIDTH,
                                          scratch};
                kernels->attention_f32(&a);
            }
            percent[r] = 1e-7 * flops * (double)n_calls / (now() - start) / peak;
        }
        printf("  %zu: %.1f", t, median(percent, ROUNDS));
    }
    puts("");
    free(qkv);
    free(y);
    free(scratch);
}

int main(int argc, char **argv)
{
    static const level levels[] = {{"avx512", QEFF_CPU_AVX2 | QEFF_CPU_AVX512, fma_probe_wide},
                                   {"avx2", QEFF_CPU_AVX2, fma_probe},
                                   {"scalar", 0, fma_probe}};
    unsigned have = 0;
    if (qeff_cpu_detect(&have, NULL)) return 1;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        const level *l = &levels[i];
        if (argc > 1 ? strcmp(argv[1], l->name) != 0 : l->flags == 0) continue;
        if ((have & l->flags) != l->flags) continue;
        const qeff_kernels kernels = qeff_kernels_for(l->flags);
        printf("-- %s\n", l->name);
        bench_gemm(l, &kernels);
        bench_attention(l, &kernels);
    }
    return 0;
}
