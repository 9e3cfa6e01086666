/* batching.c - ragged batching.
 *
 * Sequences are sorted by length, longest first, so that threads get work of like size and the
 * largest call comes first: the workspace grows once. The sort is stable and results are written
 * to the place of the original, so the order of calls never shows. */
#include "runtime/batching.h"

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/span.h"

typedef struct item {
    size_t index;
    int64_t length;
} item;

/* All that one pass needs, in one arena-like block list freed at the end. */
typedef struct plan {
    item *order;       /* [n] */
    int64_t *ids;      /* [largest call] */
    int64_t *type_ids; /* [largest call], or NULL */
    int64_t *offsets;  /* [batch_size + 1] */
    float *values;     /* [rows of the largest call, D] */
} plan;

static int longest_first(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->length != y->length) return x->length > y->length ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index; /* qsort is not stable by itself */
}

/* How many sequences from `first` on fit one call. */
static size_t call_length(const plan *p, size_t n, size_t first,
                          const qeff_batching_options *options, size_t *tokens)
{
    size_t count = 0;
    *tokens = 0;
    while (first + count < n && count < options->batch_size) {
        const size_t length = (size_t)p->order[first + count].length;
        if (count > 0 && *tokens + length > options->max_tokens) break;
        *tokens += length;
        count++;
    }
    return count;
}

static void free_plan(plan *p)
{
    qeff_free(p->order);
    qeff_free(p->ids);
    qeff_free(p->type_ids);
    qeff_free(p->offsets);
    qeff_free_aligned(p->values);
}

static qeff_status make_plan(const qeff_token_batch *batch, const qeff_batching_options *options,
                             bool is_pooled, size_t dim, plan *p, qeff_error *err)
{
    size_t most_tokens = 0, most_rows = 0, cells = 0;
    p->order = qeff_alloc_array(batch->n, sizeof *p->order);
    if (!p->order) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < batch->n; i++)
        p->order[i] = (item){i, batch->offsets[i + 1] - batch->offsets[i]};
    qsort(p->order, batch->n, sizeof *p->order, longest_first);
    for (size_t i = 0; i < batch->n;) {
        size_t tokens = 0;
        const size_t count = call_length(p, batch->n, i, options, &tokens);
        const size_t rows = is_pooled ? count : tokens;
        if (tokens > most_tokens) most_tokens = tokens;
        if (rows > most_rows) most_rows = rows;
        i += count;
    }
    const size_t most = options->batch_size < batch->n ? options->batch_size : batch->n;
    p->ids = qeff_alloc_array(most_tokens, sizeof *p->ids);
    if (batch->type_ids) p->type_ids = qeff_alloc_array(most_tokens, sizeof *p->type_ids);
    p->offsets = qeff_alloc_array(most + 1, sizeof *p->offsets);
    if (qeff_mul_size(most_rows, dim, &cells) && qeff_mul_size(cells, sizeof(float), &cells))
        p->values = qeff_alloc_aligned(cells, 64);
    if (!p->ids || (batch->type_ids && !p->type_ids) || !p->offsets || !p->values)
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for a batch of %zu tokens",
                         most_tokens);
    return QEFF_OK;
}

static void gather_call(const qeff_token_batch *batch, plan *p, size_t first, size_t count)
{
    p->offsets[0] = 0;
    for (size_t i = 0; i < count; i++) {
        const item *it = &p->order[first + i];
        const int64_t begin = batch->offsets[it->index], to = p->offsets[i];
        const size_t bytes = (size_t)it->length * sizeof *p->ids;
        memcpy(p->ids + to, batch->ids + begin, bytes);
        if (p->type_ids) memcpy(p->type_ids + to, batch->type_ids + begin, bytes);
        p->offsets[i + 1] = to + it->length;
    }
}

static void scatter_call(const qeff_token_batch *batch, const plan *p, size_t first, size_t count,
                         bool is_pooled, size_t dim, float *values)
{
    for (size_t i = 0; i < count; i++) {
        const item *it = &p->order[first + i];
        const size_t from = is_pooled ? i : (size_t)p->offsets[i];
        const size_t to = is_pooled ? it->index : (size_t)batch->offsets[it->index];
        const size_t rows = is_pooled ? 1 : (size_t)it->length;
        memcpy(values + to * dim, p->values + from * dim, rows * dim * sizeof(float));
    }
}

static qeff_status run_call(qeff_session *session, plan *p, size_t count, const char *output,
                            bool is_pooled, size_t dim, qeff_error *err)
{
    const int64_t tokens = p->offsets[count];
    const qeff_run_tensor inputs[] = {
        {QEFF_STR("input_ids"), QEFF_DTYPE_I64, 1, {tokens}, p->ids},
        {QEFF_STR("token_type_ids"), QEFF_DTYPE_I64, 1, {tokens}, p->type_ids},
    };
    qeff_run_tensor out = {qeff_str_of(output),
                           QEFF_DTYPE_F32,
                           2,
                           {is_pooled ? (int64_t)count : tokens, (int64_t)dim},
                           p->values};
    const qeff_run_call call = {.inputs = inputs,
                                .n_inputs = p->type_ids ? 2 : 1,
                                .n_sequences = count,
                                .offsets = p->offsets,
                                .outputs = &out,
                                .n_outputs = 1};
    return qeff_session_run_ragged(session, &call, err);
}

qeff_status qeff_batch_run(qeff_session *session, const qeff_token_batch *batch,
                           const qeff_batching_options *options, const char *output, bool is_pooled,
                           size_t dim, float *values, qeff_error *err)
{
    plan p = {0};
    if (batch->n == 0) return QEFF_OK;
    qeff_status status = make_plan(batch, options, is_pooled, dim, &p, err);
    for (size_t i = 0; i < batch->n && !status;) {
        size_t tokens = 0;
        const size_t count = call_length(&p, batch->n, i, options, &tokens);
        gather_call(batch, &p, i, count);
        status = run_call(session, &p, count, output, is_pooled, dim, err);
        if (!status) scatter_call(batch, &p, i, count, is_pooled, dim, values);
        i += count;
        if (options->progress)
            options->progress->report(options->progress->ctx, "embedding", i, batch->n);
    }
    free_plan(&p);
    return status;
}
