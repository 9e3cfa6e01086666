/* bench_test.c - encoding from ids, reports of steps, the probe. */
#include "base/cpu.h"
#include "test.h"

#include <math.h>
#include <qeff/qeff.h>
#include <stdlib.h>

#define GOLDEN QEFF_TEST_DATA "/golden/sentence_transformers/new_mean"

enum { N_TEXTS = 3, DIM = 16, EVENTS_MAX = 1024, THREADS_MAX = 4 };

static const int64_t ids[] = {2, 5, 3, 2, 9, 8, 7, 6, 3, 2, 3};
static const size_t offsets[] = {0, 3, 9, 11};

static qeff_auto_model *open_model(int n_threads)
{
    qeff_error err = {0};
    qeff_auto_model *model = NULL;
    const qeff_auto_model_options options = {.no_cache = true, .n_threads = n_threads};
    ASSERT_OK(qeff_auto_model_from_pretrained(GOLDEN, &options, &model, &err));
    return model;
}

static qeff_embeddings *encode(qeff_auto_model *model)
{
    qeff_error err = {0};
    qeff_embeddings *e = NULL;
    ASSERT_OK(qeff_auto_model_encode_ids(model, ids, offsets, N_TEXTS, NULL, &e, &err));
    assert_int_equal(e->count, N_TEXTS);
    assert_int_equal(e->dim, DIM);
    assert_int_equal(e->n_tokens, offsets[N_TEXTS]);
    return e;
}

TEST(encode_ids, gives_the_bits_of_the_text_with_these_ids)
{
    qeff_error err = {0};
    qeff_auto_model *model = open_model(1);
    const qeff_str text = {"the cat sat", 11};
    qeff_encoding encoding = {0};
    ASSERT_OK(qeff_tokenizer_encode(qeff_auto_model_tokenizer(model), text, NULL, &encoding, &err));
    int64_t wide[16];
    const size_t ends[] = {0, encoding.n};
    assert_true(encoding.n <= 16);
    for (size_t i = 0; i < encoding.n; i++)
        wide[i] = encoding.ids[i];
    qeff_embeddings *of_text = NULL, *of_ids = NULL;
    ASSERT_OK(qeff_auto_model_encode(model, &text, 1, NULL, &of_text, &err));
    ASSERT_OK(qeff_auto_model_encode_ids(model, wide, ends, 1, NULL, &of_ids, &err));
    assert_memory_equal(of_text->values, of_ids->values, DIM * sizeof(float));
    qeff_embeddings_destroy(of_text);
    qeff_embeddings_destroy(of_ids);
    qeff_encoding_deinit(&encoding);
    qeff_auto_model_destroy(model);
}

TEST(encode_ids, refuses_what_is_no_list_of_sequences)
{
    qeff_error err = {0};
    qeff_embeddings *e = NULL;
    qeff_auto_model *model = open_model(1);
    const int64_t foreign[] = {2, 57, 3}, negative[] = {2, -1, 3};
    const size_t late[] = {1, 3}, empty[] = {0, 2, 2}, back[] = {0, 2, 1}, three[] = {0, 3};
    const size_t longer[] = {0, 25};
    int64_t many[25] = {0};
    ASSERT_FAILS(qeff_auto_model_encode_ids(model, ids, late, 1, NULL, &e, &err), QEFF_ERR_INVALID,
                 "offsets: expected to begin at 0, found 1");
    ASSERT_FAILS(qeff_auto_model_encode_ids(model, ids, empty, 2, NULL, &e, &err), QEFF_ERR_INVALID,
                 "offsets of sequence 1");
    ASSERT_FAILS(qeff_auto_model_encode_ids(model, ids, back, 2, NULL, &e, &err), QEFF_ERR_INVALID,
                 "offsets of sequence 1");
    ASSERT_FAILS(qeff_auto_model_encode_ids(model, foreign, three, 1, NULL, &e, &err),
                 QEFF_ERR_INVALID, "id 57");
    ASSERT_FAILS(qeff_auto_model_encode_ids(model, negative, three, 1, NULL, &e, &err),
                 QEFF_ERR_INVALID, "id -1");
    ASSERT_FAILS(qeff_auto_model_encode_ids(model, many, longer, 1, NULL, &e, &err),
                 QEFF_ERR_CAPACITY, "sequence 0: expected at most 24 tokens, found 25");
    assert_null(e);
    qeff_auto_model_destroy(model);
}

/* Events of each thread in a list of its own, since threads may report at once. */
typedef struct events {
    size_t n[THREADS_MAX];
    qeff_profile_event items[THREADS_MAX][EVENTS_MAX];
} events;

static void record(void *ctx, const qeff_profile_event *event)
{
    events *e = ctx;
    if (e->n[event->thread] < EVENTS_MAX) e->items[event->thread][e->n[event->thread]++] = *event;
}

static double sum_flops(const events *e)
{
    double sum = 0;
    for (int t = 0; t < THREADS_MAX; t++)
        for (size_t i = 0; i < e->n[t]; i++)
            sum += e->items[t][i].flops;
    return sum;
}

static events *profile_one_call(int n_threads)
{
    qeff_error err = {0};
    qeff_auto_model *model = open_model(n_threads);
    events *e = calloc(1, sizeof *e);
    assert_non_null(e);
    const qeff_profile profile = {.record = record, .ctx = e};
    qeff_embeddings *before = encode(model);
    ASSERT_OK(qeff_auto_model_set_profile(model, &profile, &err));
    qeff_embeddings *during = encode(model);
    assert_memory_equal(before->values, during->values, N_TEXTS * DIM * sizeof(float));
    ASSERT_OK(qeff_auto_model_set_profile(model, NULL, &err));
    const size_t n = e->n[0];
    qeff_embeddings_destroy(encode(model));
    assert_int_equal(e->n[0], n); /* switched off */
    qeff_embeddings_destroy(before);
    qeff_embeddings_destroy(during);
    qeff_auto_model_destroy(model); /* ends the validity of names: they are not read below */
    return e;
}

TEST(profile, reports_steps_one_after_another)
{
    events *e = profile_one_call(1);
    assert_true(e->n[0] >= 6);
    for (size_t i = 0; i < e->n[0]; i++) {
        assert_true(e->items[0][i].begin_ns <= e->items[0][i].end_ns);
        if (i) assert_true(e->items[0][i - 1].end_ns <= e->items[0][i].begin_ns);
    }
    free(e);
}

/* Per token: q, k, v 16 x 48, output 16 x 16, feed-forward 16 x 24 and back; attention 4 x 16 T^2.
 */
TEST(profile, counts_the_operations_of_the_products_for_any_number_of_threads)
{
    const double per_token = 2.0 * (16 * 48 + 16 * 16 + 16 * 24 + 24 * 16);
    const double expected = 11 * per_token + 4.0 * 16 * (3 * 3 + 6 * 6 + 2 * 2);
    const int most = qeff_cpu_threads() < THREADS_MAX ? qeff_cpu_threads() : THREADS_MAX;
    for (int n_threads = 1; n_threads <= most; n_threads++) {
        events *e = profile_one_call(n_threads);
        assert_true(fabs(sum_flops(e) - expected) < 1e-6 * expected);
        free(e);
    }
}

TEST(probe, counts_and_refuses_no_threads_and_no_time)
{
    qeff_error err = {0};
    double flops = 0;
    ASSERT_OK(qeff_cpu_probe(1, 0.001, &flops, &err));
    assert_true(flops > 1e6);
    ASSERT_OK(qeff_cpu_probe(qeff_cpu_threads(), 0.001, &flops, &err));
    assert_true(flops > 1e6);
    ASSERT_FAILS(qeff_cpu_probe(qeff_cpu_threads() + 1, 0.001, &flops, &err), QEFF_ERR_INVALID,
                 "threads: expected at most");
    ASSERT_FAILS(qeff_cpu_probe(0, 0.001, &flops, &err), QEFF_ERR_INVALID, "found 0");
    ASSERT_FAILS(qeff_cpu_probe(1, (double)NAN, &flops, &err), QEFF_ERR_INVALID, "probe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(encode_ids, gives_the_bits_of_the_text_with_these_ids),
        RUN(encode_ids, refuses_what_is_no_list_of_sequences),
        RUN(profile, reports_steps_one_after_another),
        RUN(profile, counts_the_operations_of_the_products_for_any_number_of_threads),
        RUN(probe, counts_and_refuses_no_threads_and_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
