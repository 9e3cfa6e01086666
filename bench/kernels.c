/* kernels.c - how fast each kernel of the CPU backend is at the sizes of MiniLM and BERT-base, at
 * every instruction-set level of this machine.
 *
 *   bench_kernels [PATTERN]     only lines whose text contains PATTERN
 *
 * Products and attention are given in GFLOP/s and as a share of what a loop of multiply-adds with
 * the vectors of the level reaches between the samples; the rest in elements a nanosecond. Figures
 * are medians; run it on a quiet machine, pinned to one core. */
#define _POSIX_C_SOURCE 200809L
#include "backend/cpu/kernels/kernels.h"
#include "base/alloc.h"
#include "base/cpu.h"
#include "bench/fma_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SAMPLES = 15 };

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One line of the table: work(ctx) does `amount` units, FLOPs or elements. */
typedef struct line {
    const char *level;
    char text[96];
    double amount;
    bool is_flops;
    void (*work)(const void *ctx);
    const void *ctx;
} line;

static const char *pattern = "";
static double (*probe)(double seconds) = fma_probe; /* of the level's vectors */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds a call takes, over about 2 ms of calls. */
static double sample(const line *l)
{
    size_t n = 1;
    for (;; n *= 2) {
        const double begin = now();
        for (size_t i = 0; i < n; i++)
            l->work(l->ctx);
        const double seconds = now() - begin;
        if (seconds > 2e-3) return seconds / (double)n;
    }
}

static void report(const line *l)
{
    double seconds[SAMPLES], probes[SAMPLES];
    char text[128];
    (void)snprintf(text, sizeof text, "%-8s %s", l->level, l->text);
    if (!strstr(text, pattern)) return;
    for (int i = 0; i < SAMPLES; i++) {
        probes[i] = probe(0.5e-3);
        seconds[i] = sample(l);
    }
    qsort(seconds, SAMPLES, sizeof *seconds, by_value);
    qsort(probes, SAMPLES, sizeof *probes, by_value);
    const double rate = l->amount / seconds[SAMPLES / 2] * 1e-9;
    if (l->is_flops)
        printf("%-56s %8.1f GFLOP/s  %4.0f %% of %.0f\n", text, rate,
               100.0 * rate / probes[SAMPLES / 2], probes[SAMPLES / 2]);
    else
        printf("%-56s %8.2f elements/ns\n", text, rate);
    (void)fflush(stdout);
}

/* Numbers around zero; the bits of a counter, so that every run sees the same. */
static float *numbers(size_t n)
{
    float *x = qeff_alloc_aligned(n * sizeof *x, 64);
    if (!x) exit(1);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((i * 2654435761U >> 8 & 0xffff)) / 32768.0F - 1.0F;
    return x;
}

/* --- one function a kernel ----------------------------------------------------------------------
 */

typedef struct level {
    const char *name;
    qeff_kernels kernels;
} level;

typedef struct gemm_work {
    const qeff_kernels *kernels;
    qeff_gemm g;
} gemm_work;

static void work_gemm(const void *ctx)
{
    const gemm_work *w = ctx;
    w->kernels->gemm_f32(&w->g, 0, qeff_gemm_panels(w->g.n_out));
}

/* What follows the sums: bias always, an activation and a residual where asked for. */
typedef struct epilogue {
    const char *text;
    qeff_activation activation;
    bool has_residual;
} epilogue;

static const epilogue plain = {"", QEFF_ACTIVATION_NONE, false};
static const epilogue epilogues[] = {
    {" + residual", QEFF_ACTIVATION_NONE, true},
    {" + gelu", QEFF_ACTIVATION_GELU_ERF, false},
    {" + gelu by tanh", QEFF_ACTIVATION_GELU_TANH, false},
    {" + relu", QEFF_ACTIVATION_RELU, false},
    {" + silu", QEFF_ACTIVATION_SILU, false},
};
enum { N_EPILOGUES = sizeof epilogues / sizeof *epilogues, WITH_GELU = 1 };

static void bench_gemm(const level *at, size_t m, size_t k, size_t n, const epilogue *after)
{
    const size_t slots = qeff_gemm_panels(n) * QEFF_PANEL;
    float *x = numbers(m * (k + 16)), *panels = numbers(slots * k), *bias = numbers(slots);
    float *y = numbers(m * (n + 16)), *residual = numbers(m * (n + 16));
    const gemm_work w = {.kernels = &at->kernels,
                         .g = {.n_rows = m,
                               .n_in = k,
                               .n_out = n,
                               .x = x,
                               .x_stride = k + 16,
                               .panels = panels,
                               .bias = bias,
                               .activation = after->activation,
                               .residual = after->has_residual ? residual : NULL,
                               .residual_stride = n + 16,
                               .y = y,
                               .y_stride = n + 16}};
    line l = {.level = at->name,
              .amount = 2.0 * (double)m * (double)k * (double)n,
              .is_flops = true,
              .work = work_gemm,
              .ctx = &w};
    (void)snprintf(l.text, sizeof l.text, "gemm %zu x %zu x %zu%s", m, k, n, after->text);
    report(&l);
    qeff_free_aligned(x);
    qeff_free_aligned(panels);
    qeff_free_aligned(bias);
    qeff_free_aligned(y);
    qeff_free_aligned(residual);
}

static void bench_gemm_f32(const level *at)
{
    static const size_t rows[] = {1, 6, 8, 9, 16, 32, 128, 256, 512};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench_gemm(at, rows[i], 384, 1152, &plain);
        bench_gemm(at, rows[i], 384, 1536, &epilogues[WITH_GELU]);
        bench_gemm(at, rows[i], 1536, 384, &plain);
        bench_gemm(at, rows[i], 768, 3072, &plain);
    }
    for (size_t i = 0; i < N_EPILOGUES; i++)
        if (i != WITH_GELU) bench_gemm(at, 128, 384, 1536, &epilogues[i]);
}

typedef struct packed_work {
    void (*gemm)(const qeff_gemm_packed *g, size_t first_panel, size_t n_panels);
    qeff_gemm_packed g;
} packed_work;

static void work_packed(const void *ctx)
{
    const packed_work *w = ctx;
    w->gemm(&w->g, 0, qeff_gemm_panels(w->g.n_out));
}

/* Any bytes will do; `group` elements of K are 32 bits. */
static void bench_packed(const level *at, size_t m, size_t k, size_t n, size_t group,
                         bool w_pairs_fit, const epilogue *after)
{
    const size_t slots = qeff_gemm_panels(n) * QEFF_PANEL, groups = k / group;
    float *x = numbers(m * (groups + 16)), *panels = numbers(slots * groups);
    float *vector = numbers(slots + m), *y = numbers(m * (n + 16));
    float *residual = numbers(m * (n + 16));
    const packed_work w = {.gemm = group == 4 ? at->kernels.gemm_i8 : at->kernels.gemm_bf16,
                           .g = {.n_rows = m,
                                 .n_groups = groups,
                                 .n_out = n,
                                 .x = (const int32_t *)(const void *)x,
                                 .x_stride = groups + 16,
                                 .panels = (const int32_t *)(const void *)panels,
                                 .x_scale = vector,
                                 .x_zero = (const int32_t *)(const void *)vector,
                                 .x_scale_stride = 1,
                                 .w_scale = vector,
                                 .w_sum = (const int32_t *)(const void *)vector,
                                 .w_pairs_fit = w_pairs_fit,
                                 .bias = vector,
                                 .activation = after->activation,
                                 .residual = after->has_residual ? residual : NULL,
                                 .residual_stride = n + 16,
                                 .y = y,
                                 .y_stride = n + 16}};
    line l = {.level = at->name,
              .amount = 2.0 * (double)m * (double)k * (double)n,
              .is_flops = true,
              .work = work_packed,
              .ctx = &w};
    (void)snprintf(l.text, sizeof l.text, "gemm %s %zu x %zu x %zu%s",
                   group == 4 ? w_pairs_fit ? "i8 paired" : "i8" : "bf16", m, k, n, after->text);
    report(&l);
    qeff_free_aligned(x);
    qeff_free_aligned(panels);
    qeff_free_aligned(vector);
    qeff_free_aligned(y);
    qeff_free_aligned(residual);
}

static void bench_gemm_i8(const level *at)
{
    for (size_t m = 8; m <= 512; m *= 4) {
        bench_packed(at, m, 384, 1536, 4, false, &plain);
        bench_packed(at, m, 384, 1536, 4, true, &plain);
    }
    for (size_t i = 0; i < N_EPILOGUES; i++)
        bench_packed(at, 128, 384, 1536, 4, true, &epilogues[i]);
}

static void bench_gemm_bf16(const level *at)
{
    for (size_t m = 8; m <= 512; m *= 4)
        bench_packed(at, m, 384, 1536, 2, false, &plain);
    for (size_t i = 0; i < N_EPILOGUES; i++)
        bench_packed(at, 128, 384, 1536, 2, false, &epilogues[i]);
}

typedef struct attention_work {
    const qeff_kernels *kernels;
    qeff_attention a;
} attention_work;

static void work_attention_f32(const void *ctx)
{
    const attention_work *w = ctx;
    w->kernels->attention_f32(&w->a);
}

static void work_attention_bf16(const void *ctx)
{
    const attention_work *w = ctx;
    w->kernels->attention_bf16(&w->a);
}

static void bench_attention(const level *at, const char *name, void (*work)(const void *ctx))
{
    static const size_t lengths[] = {8, 16, 64, 128, 256, 512, 1024, 2048, 4096}, dims[] = {32, 64};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t d = 0; d < 2; d++) {
            if (lengths[i] > 512 && strcmp(at->name, "scalar") == 0) continue; /* seconds a call */
            const size_t t = lengths[i], stride = 36 * dims[d] + 16;
            float *qkv = numbers(t * stride), *y = numbers(t * stride);
            float *scratch = numbers(qeff_attention_scratch(t, dims[d]));
            const attention_work w = {.kernels = &at->kernels,
                                      .a = {.n_queries = t,
                                            .n_keys = t,
                                            .head_dim = dims[d],
                                            .q = qkv,
                                            .k = qkv + 12 * dims[d],
                                            .v = qkv + 24 * dims[d],
                                            .q_stride = stride,
                                            .k_stride = stride,
                                            .v_stride = stride,
                                            .scale = 0.1F,
                                            .y = y,
                                            .y_stride = stride,
                                            .scratch = scratch}};
            line l = {.level = at->name,
                      .amount = 4.0 * (double)t * (double)t * (double)dims[d],
                      .is_flops = true,
                      .work = work,
                      .ctx = &w};
            (void)snprintf(l.text, sizeof l.text, "%s %zu tokens, head of %zu", name, t, dims[d]);
            report(&l);
            qeff_free_aligned(qkv);
            qeff_free_aligned(y);
            qeff_free_aligned(scratch);
        }
}

static void bench_attention_f32(const level *at)
{
    bench_attention(at, "attention", work_attention_f32);
}

static void bench_attention_bf16(const level *at)
{
    bench_attention(at, "attention bf16", work_attention_bf16);
}

/* Kernels over one row: what they read and write. */
typedef struct row_work {
    const qeff_kernels *kernels;
    float *y;
    const float *a, *b;
    size_t n;
    int option;
    qeff_pool pool;
} row_work;

static void work_layer_norm(const void *ctx)
{
    const row_work *w = ctx;
    w->kernels->layer_norm_f32(w->y, w->a, w->b, w->b, w->n, 1e-12F);
}

static void work_rms_norm(const void *ctx)
{
    const row_work *w = ctx;
    w->kernels->rms_norm_f32(w->y, w->a, w->b, w->n, 1e-6F);
}

static void work_quantize(const void *ctx)
{
    const row_work *w = ctx;
    float scale;
    int32_t zero;
    const qeff_quantize q = {.n_rows = 1,
                             .n = w->n,
                             .x = w->a,
                             .factor = w->b,
                             .y = (int32_t *)(void *)w->y,
                             .scale = &scale,
                             .zero = &zero};
    w->kernels->quantize_u8(&q);
}

static void work_round(const void *ctx)
{
    const row_work *w = ctx;
    w->kernels->round_row_bf16((uint16_t *)(void *)w->y, w->a, w->n);
}

static void work_softmax(const void *ctx)
{
    const row_work *w = ctx;
    w->kernels->softmax_f32(w->y, w->a, w->n);
}

static void work_activate(const void *ctx)
{
    const row_work *w = ctx;
    w->kernels->activate_f32(w->y, w->a, w->n, (qeff_activation)w->option);
}

static void work_arithmetic(const void *ctx)
{
    const row_work *w = ctx;
    w->kernels->arithmetic_f32(w->y, w->a, w->b, w->n, (qeff_arithmetic)w->option);
}

static void work_add_row(const void *ctx)
{
    const row_work *w = ctx;
    w->kernels->add_row_f32(w->y, w->a, w->n, (qeff_dtype)w->option, false);
}

static void work_pool(const void *ctx)
{
    const row_work *w = ctx;
    w->kernels->pool_f32(w->y, &w->pool);
}

static void work_l2_normalize(const void *ctx)
{
    const row_work *w = ctx;
    w->kernels->l2_normalize_f32(w->y, w->a, w->n, 1e-12F);
}

static void
bench_row(const level *at, const char *text, void (*work)(const void *), size_t n, int option)
{
    enum { POOLED_ROWS = 64 };
    static int32_t positions[POOLED_ROWS];
    const bool is_pool = work == work_pool;
    float *a = numbers(n * (is_pool ? POOLED_ROWS : 1)), *b = numbers(n), *y = numbers(n);
    const row_work w = {.kernels = &at->kernels,
                        .y = y,
                        .a = a,
                        .b = b,
                        .n = n,
                        .option = option,
                        .pool = {.mode = (qeff_pool_mode)option,
                                 .n_rows = POOLED_ROWS,
                                 .n = n,
                                 .x = a,
                                 .x_stride = n,
                                 .positions = positions}};
    line l = {.level = at->name,
              .amount = (double)(n * (is_pool ? POOLED_ROWS : 1)),
              .work = work,
              .ctx = &w};
    (void)snprintf(l.text, sizeof l.text, "%s of %zu", text, n);
    report(&l);
    qeff_free_aligned(a);
    qeff_free_aligned(b);
    qeff_free_aligned(y);
}

static void bench_layer_norm_f32(const level *at)
{
    bench_row(at, "layer norm", work_layer_norm, 384, 0);
    bench_row(at, "layer norm", work_layer_norm, 768, 0);
}

static void bench_rms_norm_f32(const level *at)
{
    bench_row(at, "rms norm", work_rms_norm, 384, 0);
    bench_row(at, "rms norm", work_rms_norm, 768, 0);
}

static void bench_quantize_u8(const level *at)
{
    bench_row(at, "quantize", work_quantize, 384, 0);
}

static void bench_round_row_bf16(const level *at)
{
    bench_row(at, "round to bf16", work_round, 384, 0);
}

static void bench_softmax_f32(const level *at)
{
    bench_row(at, "softmax", work_softmax, 128, 0);
}

static void bench_activate_f32(const level *at)
{
    static const char *const names[QEFF_ACTIVATION_COUNT] = {"copy", "gelu", "gelu by tanh", "relu",
                                                             "silu", "tanh", "sigmoid"};
    for (int i = 0; i < QEFF_ACTIVATION_COUNT; i++)
        bench_row(at, names[i], work_activate, 1536, i);
}

static void bench_arithmetic_f32(const level *at)
{
    bench_row(at, "add", work_arithmetic, 384, QEFF_ARITHMETIC_ADD);
    bench_row(at, "divide", work_arithmetic, 384, QEFF_ARITHMETIC_DIV);
}

static void bench_add_row_f32(const level *at)
{
    bench_row(at, "add row of f32", work_add_row, 384, QEFF_DTYPE_F32);
    bench_row(at, "add row of f16", work_add_row, 384, QEFF_DTYPE_F16);
    bench_row(at, "add row of bf16", work_add_row, 384, QEFF_DTYPE_BF16);
}

static void bench_pool_f32(const level *at)
{
    bench_row(at, "mean of 64 rows", work_pool, 384, QEFF_POOL_MEAN);
    bench_row(at, "maximum of 64 rows", work_pool, 384, QEFF_POOL_MAX);
}

static void bench_l2_normalize_f32(const level *at)
{
    bench_row(at, "l2 normalize", work_l2_normalize, 384, 0);
}

int main(int argc, char **argv)
{
    static void (*const benches[])(const level *) = {
#define KERNEL(name, parameters) bench_##name,
#include "backend/cpu/kernels/kernels.def"
#undef KERNEL
    };
    static const struct {
        const char *name;
        unsigned flags;
    } levels[] = {{"vnni", QEFF_CPU_AVX2 | QEFF_CPU_AVX512 | QEFF_CPU_VNNI | QEFF_CPU_BF16},
                  {"avx512", QEFF_CPU_AVX2 | QEFF_CPU_AVX512},
                  {"avx2", QEFF_CPU_AVX2},
                  {"avx2vnni", QEFF_CPU_AVX2 | QEFF_CPU_AVX_VNNI},
                  {"scalar", 0}};
    unsigned have = 0;
    if (argc > 1) pattern = argv[1];
    if (qeff_cpu_detect(&have, NULL)) return 1;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if ((have & levels[i].flags) != levels[i].flags) continue;
        probe = levels[i].flags & QEFF_CPU_AVX512 ? fma_probe_wide : fma_probe;
        const level l = {levels[i].name, qeff_kernels_for(levels[i].flags)};
        for (size_t k = 0; k < sizeof benches / sizeof *benches; k++)
            benches[k](&l);
    }
    return 0;
}
