/* ragged_test.c - ragged programs of the CPU backend: the same text gives the same bits whatever is
 * around it, padding leaves no trace, nothing is allocated while a call runs, bad calls are
 * refused. */
#include "backend/cpu/cpu.h"
#include "backend/support.h"
#include "base/span.h"

#include <math.h>
#include <stdlib.h>

enum { TEXTS = 64, LENGTH_MAX = TEST_POSITIONS };

/* Sequences of 1 to 30 tokens, one after another. */
typedef struct texts {
    int64_t offsets[TEXTS + 1];
    int64_t ids[TEXTS * LENGTH_MAX], types[TEXTS * LENGTH_MAX];
} texts;

static void make_texts(texts *t)
{
    test_seed(3);
    t->offsets[0] = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        const int64_t length = 1 + (int64_t)((test_uniform() + 1.0F) * 14.9F);
        t->offsets[i + 1] = t->offsets[i] + length;
        for (int64_t k = t->offsets[i]; k < t->offsets[i + 1]; k++) {
            t->ids[k] = (int64_t)((test_uniform() + 1.0F) * 24.9F);
            t->types[k] = (int64_t)((test_uniform() + 1.0F) * 1.4F);
        }
    }
}

static test_program open_encoder(const test_encoder *options, unsigned flags)
{
    qeff_error err = {0};
    test_program program;
    qeff_graph *graph = test_encoder_graph(options);
    ASSERT_OK(test_program_compile(&qeff_backend_cpu, graph, flags, &program, &err));
    qeff_graph_destroy(graph);
    return program;
}

/* Each text alone: what all other calls must give, bit for bit. */
static void run_alone(const test_program *p, const texts *t, bool is_pooled, float *out)
{
    qeff_error err = {0};
    for (size_t i = 0; i < TEXTS; i++) {
        const int64_t offsets[] = {0, t->offsets[i + 1] - t->offsets[i]};
        const test_call call = {.batch = 1,
                                .offsets = offsets,
                                .ids = t->ids + t->offsets[i],
                                .width = TEST_HIDDEN,
                                .is_pooled = is_pooled,
                                .output =
                                    out + (is_pooled ? (int64_t)i : t->offsets[i]) * TEST_HIDDEN};
        ASSERT_OK(test_run_once(p, 1, &call, &err));
    }
}

/* --- bits ---------------------------------------------------------------------------------------
 */

static void check_batches(const test_program *p, const texts *t, const float *alone, int n_threads)
{
    qeff_error err = {0};
    static float out[TEXTS * TEST_HIDDEN];
    for (size_t size = 1; size <= TEXTS; size += size < 8 ? 1 : 7)
        for (size_t first = 0; first + size <= TEXTS; first += size) {
            int64_t offsets[TEXTS + 1];
            for (size_t i = 0; i <= size; i++)
                offsets[i] = t->offsets[first + i] - t->offsets[first];
            const test_call call = {.batch = size,
                                    .offsets = offsets,
                                    .ids = t->ids + t->offsets[first],
                                    .width = TEST_HIDDEN,
                                    .is_pooled = true,
                                    .output = out};
            ASSERT_OK(test_run_once(p, n_threads, &call, &err));
            assert_memory_equal(out, alone + first * TEST_HIDDEN, size * TEST_HIDDEN * sizeof *out);
        }
}

TEST(ragged, gives_the_same_bits_in_any_batch_on_any_number_of_threads)
{
    (void)state_;
    static texts t;
    static float alone[TEXTS * TEST_HIDDEN];
    unsigned flags[4];
    make_texts(&t);
    for (size_t level = test_levels(flags); level > 0; level--) {
        const test_encoder options = {.pooling = "mean", .is_normalized = true};
        test_program p = open_encoder(&options, flags[level - 1]);
        run_alone(&p, &t, true, alone);
        for (int n_threads = 1; n_threads <= 4; n_threads++)
            check_batches(&p, &t, alone, n_threads);
        test_program_close(&p);
    }
}

static void check_precisions(const texts *t, const test_encoder *options, unsigned flags)
{
    static float exact[TEXTS * TEST_HIDDEN], alone[TEXTS * TEST_HIDDEN];
    qeff_error err = {0};
    for (int precision = 0; precision < QEFF_PRECISION_COUNT; precision++) {
        test_program p;
        qeff_graph *graph = test_encoder_graph(options);
        ASSERT_OK(test_program_compile_precise(&qeff_backend_cpu, graph, flags,
                                               (qeff_precision)precision, &p, &err));
        qeff_graph_destroy(graph);
        run_alone(&p, t, true, precision ? alone : exact);
        for (int n_threads = 1; precision && n_threads <= 3; n_threads++)
            check_batches(&p, t, alone, n_threads);
        for (size_t i = 0; precision && i < TEXTS; i++) {
            float cosine = 0.0F;
            for (size_t d = 0; d < TEST_HIDDEN; d++)
                cosine += exact[i * TEST_HIDDEN + d] * alone[i * TEST_HIDDEN + d];
            assert_true(cosine > 0.99F && cosine < 1.01F);
        }
        test_program_close(&p);
    }
}

/* The wide one has rows of 8 bits in several blocks between its linears. */
TEST(precision, gives_the_same_bits_in_any_batch_and_stays_near_fp32)
{
    (void)state_;
    static texts t;
    unsigned flags[4];
    make_texts(&t);
    const test_encoder narrow = {.pooling = "mean", .is_normalized = true};
    const test_encoder wide = {.pooling = "mean", .is_normalized = true, .is_wide = true};
    for (size_t level = test_levels(flags); level > 0; level--) {
        check_precisions(&t, &narrow, flags[level - 1]);
        check_precisions(&t, &wide, flags[level - 1]);
    }
}

/* Writes `number` into the first row and column of each square weight of a linear. */
static void set_weights(qeff_graph *graph, float number)
{
    size_t n_set = 0;
    for (size_t i = 0; i < graph->n_values; i++) {
        const qeff_value_info *value = &graph->values[i];
        if (value->kind != QEFF_VALUE_WEIGHT || value->shape.rank != 2 ||
            value->shape.dims[0].size != TEST_HIDDEN || value->shape.dims[1].size != TEST_HIDDEN)
            continue;
        uint8_t *bytes = (uint8_t *)(uintptr_t)value->data.data; /* in the graph's arena */
        for (size_t k = 0; k < TEST_HIDDEN; k++) {
            memcpy(bytes + k * sizeof number, &number, sizeof number);
            memcpy(bytes + k * TEST_HIDDEN * sizeof number, &number, sizeof number);
        }
        n_set++;
    }
    assert_true(n_set > 0);
}

/* How many numbers of a vector are finite, with such weights. */
static size_t count_finite(unsigned flags, qeff_precision precision, float number)
{
    static const int64_t ids[] = {1, 2, 3}, mask[] = {1, 1, 1};
    float out[TEST_HIDDEN];
    size_t n = 0;
    qeff_error err = {0};
    test_program p;
    const test_encoder options = {.pooling = "mean"};
    const test_call call = {.batch = 1,
                            .length = 3,
                            .ids = ids,
                            .mask = mask,
                            .width = TEST_HIDDEN,
                            .is_pooled = true,
                            .output = out};
    qeff_graph *graph = test_encoder_graph(&options);
    set_weights(graph, number);
    ASSERT_OK(test_program_compile_precise(&qeff_backend_cpu, graph, flags, precision, &p, &err));
    qeff_graph_destroy(graph);
    ASSERT_OK(test_run_once(&p, 1, &call, &err));
    for (size_t i = 0; i < TEST_HIDDEN; i++)
        if (isfinite(out[i])) n++;
    test_program_close(&p);
    return n;
}

TEST(precision, takes_weights_of_any_size_and_hides_none_that_is_no_number)
{
    (void)state_;
    static const float numbers[] = {0.0F, -0.0F, 1e-42F, 1e-30F, 1e10F}, none[] = {NAN, INFINITY};
    unsigned flags[4];
    for (size_t level = test_levels(flags); level > 0; level--)
        for (int precision = 0; precision < QEFF_PRECISION_COUNT; precision++) {
            for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
                assert_int_equal(
                    count_finite(flags[level - 1], (qeff_precision)precision, numbers[i]),
                    TEST_HIDDEN);
            for (size_t i = 0; i < sizeof none / sizeof *none; i++)
                assert_int_equal(count_finite(flags[level - 1], (qeff_precision)precision, none[i]),
                                 0);
        }
}

TEST(ragged, gives_the_same_bits_in_another_order)
{
    (void)state_;
    static texts t, shuffled;
    static float alone[TEXTS * TEST_HIDDEN], out[TEXTS * TEST_HIDDEN];
    qeff_error err = {0};
    make_texts(&t);
    const test_encoder options = {.pooling = "mean"};
    unsigned flags[4];
    test_program p = open_encoder(&options, flags[test_levels(flags) - 1]);
    run_alone(&p, &t, true, alone);
    for (size_t i = 0; i < TEXTS; i++) { /* 37 is odd, so this visits each text once */
        const size_t from = i * 37 % TEXTS;
        const int64_t length = t.offsets[from + 1] - t.offsets[from];
        memcpy(shuffled.ids + shuffled.offsets[i], t.ids + t.offsets[from],
               (size_t)length * sizeof *t.ids);
        shuffled.offsets[i + 1] = shuffled.offsets[i] + length;
    }
    const test_call call = {.batch = TEXTS,
                            .offsets = shuffled.offsets,
                            .ids = shuffled.ids,
                            .width = TEST_HIDDEN,
                            .is_pooled = true,
                            .output = out};
    ASSERT_OK(test_run_once(&p, 2, &call, &err));
    for (size_t i = 0; i < TEXTS; i++)
        assert_memory_equal(out + i * TEST_HIDDEN, alone + i * 37 % TEXTS * TEST_HIDDEN,
                            TEST_HIDDEN * sizeof *out);
    test_program_close(&p);
}

TEST(ragged, gives_the_same_bits_padded)
{
    (void)state_;
    static texts t;
    static float alone[TEXTS * LENGTH_MAX * TEST_HIDDEN], out[TEXTS * LENGTH_MAX * TEST_HIDDEN];
    static int64_t ids[TEXTS * LENGTH_MAX], mask[TEXTS * LENGTH_MAX];
    qeff_error err = {0};
    unsigned flags[4];
    make_texts(&t);
    const test_encoder options = {.pooling = NULL};
    test_program p = open_encoder(&options, flags[test_levels(flags) - 1]);
    run_alone(&p, &t, false, alone);
    for (size_t i = 0; i < TEXTS; i++)
        for (size_t k = 0; k < LENGTH_MAX; k++) {
            const size_t length = (size_t)(t.offsets[i + 1] - t.offsets[i]);
            mask[i * LENGTH_MAX + k] = k < length;
            ids[i * LENGTH_MAX + k] = k < length ? t.ids[(size_t)t.offsets[i] + k] : -77;
        }
    for (size_t i = 0; i < TEXTS * LENGTH_MAX * TEST_HIDDEN; i++)
        out[i] = 99.0F;
    const test_call call = {.batch = TEXTS,
                            .length = LENGTH_MAX,
                            .ids = ids,
                            .mask = mask,
                            .width = TEST_HIDDEN,
                            .output = out};
    ASSERT_OK(test_run_once(&p, 3, &call, &err));
    static const float zeros[TEST_HIDDEN];
    for (size_t i = 0; i < TEXTS; i++)
        for (size_t k = 0; k < LENGTH_MAX; k++) {
            const bool is_token = mask[i * LENGTH_MAX + k] != 0;
            const float *row = is_token ? alone + ((size_t)t.offsets[i] + k) * TEST_HIDDEN : zeros;
            assert_memory_equal(out + (i * LENGTH_MAX + k) * TEST_HIDDEN, row, sizeof zeros);
        }
    test_program_close(&p);
}

/* With the hidden states as a second output all tokens go through all layers; without, the last
 * layer of a program that wants one token works on that token alone. */
TEST(ragged, gives_the_same_bits_whether_the_last_layer_is_pruned_or_not)
{
    (void)state_;
    static const char *const modes[] = {"cls", "first", "lasttoken"};
    static texts t;
    static float whole[TEXTS * TEST_HIDDEN], pruned[TEXTS * TEST_HIDDEN];
    qeff_error err = {0};
    unsigned flags[4];
    make_texts(&t);
    for (size_t level = test_levels(flags); level > 0; level--)
        for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
            test_encoder options = {.pooling = modes[i], .has_dense = true, .has_hidden = true};
            test_program p = open_encoder(&options, flags[level - 1]);
            run_alone(&p, &t, true, whole);
            test_program_close(&p);
            options.has_hidden = false;
            p = open_encoder(&options, flags[level - 1]);
            run_alone(&p, &t, true, pruned);
            assert_memory_equal(pruned, whole, sizeof whole);
            test_call call = {.batch = TEXTS,
                              .offsets = t.offsets,
                              .ids = t.ids,
                              .width = TEST_HIDDEN,
                              .is_pooled = true,
                              .output = pruned};
            for (int n_threads = 1; n_threads <= 3; n_threads++) {
                memset(pruned, 0, sizeof pruned);
                ASSERT_OK(test_run_once(&p, n_threads, &call, &err));
                assert_memory_equal(pruned, whole, sizeof whole);
            }
            test_program_close(&p);
        }
}

TEST(ragged, gives_the_same_bits_pruned_where_the_mask_hides_the_first_column)
{
    (void)state_;
    static const char *const modes[] = {"cls", "first", "lasttoken"};
    static const int64_t ids[] = {5, 6, 7, 9, 7, 8, 3, 2, 1, 4, 5, 6};
    static const int64_t mask[] = {0, 1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 1};
    float whole[3 * TEST_HIDDEN], pruned[3 * TEST_HIDDEN];
    qeff_error err = {0};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        for (int is_whole = 1; is_whole >= 0; is_whole--) {
            const test_encoder options = {.pooling = modes[i], .has_hidden = is_whole != 0};
            test_program p = open_encoder(&options, 0);
            const test_call call = {.batch = 3,
                                    .length = 4,
                                    .ids = ids,
                                    .mask = mask,
                                    .width = TEST_HIDDEN,
                                    .is_pooled = true,
                                    .output = is_whole ? whole : pruned};
            ASSERT_OK(test_run_once(&p, 1, &call, &err));
            test_program_close(&p);
            if (!is_whole) assert_memory_equal(pruned, whole, sizeof whole);
        }
}

/* --- masks --------------------------------------------------------------------------------------
 */

/* Padding on the left moves positions, as it does in the reference: the ids of the columns count.
 */
TEST(ragged, takes_columns_for_positions_where_padding_is_on_the_left_or_between)
{
    (void)state_;
    static const int64_t ids[] = {9, 9, 5, 6, 7, 9, 8, 9}, mask[] = {0, 0, 1, 1, 1, 0, 1, 0};
    static const int64_t more[] = {1, 2, 5, 6, 7, 30, 8, 4};
    float out[8 * TEST_HIDDEN], other[8 * TEST_HIDDEN], moved[8 * TEST_HIDDEN];
    qeff_error err = {0};
    unsigned flags[4];
    const test_encoder options = {.pooling = NULL};
    test_program p = open_encoder(&options, flags[test_levels(flags) - 1]);
    test_call call = {
        .batch = 1, .length = 8, .ids = ids, .mask = mask, .width = TEST_HIDDEN, .output = out};
    ASSERT_OK(test_run_once(&p, 1, &call, &err));
    call.ids = more; /* what is hidden does not count */
    call.output = other;
    ASSERT_OK(test_run_once(&p, 1, &call, &err));
    assert_memory_equal(out, other, sizeof out);
    static const int64_t at_zero[] = {1, 1, 1, 0, 1, 0, 0, 0};
    call.ids = ids + 2; /* six columns, the same tokens two columns earlier */
    call.mask = at_zero;
    call.length = 6;
    call.output = moved;
    ASSERT_OK(test_run_once(&p, 1, &call, &err));
    assert_memory_not_equal(moved, out + 2 * TEST_HIDDEN, TEST_HIDDEN * sizeof *out);
    test_program_close(&p);
}

TEST(ragged, gives_zeros_for_a_sequence_without_tokens)
{
    (void)state_;
    static const int64_t ids[] = {5, 6, 9, 9, 7, 8}, mask[] = {1, 1, 0, 0, 1, 1};
    static const char *const modes[] = {"cls",   "max",          "mean",     "mean_sqrt_len_tokens",
                                        "first", "weightedmean", "lasttoken"};
    qeff_error err = {0};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        float out[3 * TEST_HIDDEN];
        const test_encoder options = {
            .pooling = modes[i], .has_dense = true, .is_normalized = true};
        test_program p = open_encoder(&options, 0);
        const test_call call = {.batch = 3,
                                .length = 2,
                                .ids = ids,
                                .mask = mask,
                                .width = TEST_HIDDEN,
                                .is_pooled = true,
                                .output = out};
        ASSERT_OK(test_run_once(&p, 2, &call, &err));
        for (size_t k = 0; k < TEST_HIDDEN; k++) {
            assert_true(out[TEST_HIDDEN + k] == 0.0F);
            assert_true(out[k] == out[k] && out[k] != 0.0F);
        }
        test_program_close(&p);
    }
}

TEST(ragged, takes_calls_without_rows)
{
    (void)state_;
    float out[2 * TEST_HIDDEN] = {7};
    const int64_t none = 0;
    qeff_error err = {0};
    const test_encoder options = {.pooling = "mean"};
    test_program p = open_encoder(&options, 0);
    test_call call = {.batch = 2,
                      .length = 0,
                      .ids = &none,
                      .mask = &none,
                      .width = TEST_HIDDEN,
                      .is_pooled = true,
                      .output = out};
    ASSERT_OK(test_run_once(&p, 2, &call, &err));
    for (size_t i = 0; i < 2 * TEST_HIDDEN; i++)
        assert_true(out[i] == 0.0F);
    call.batch = 0;
    ASSERT_OK(test_run_once(&p, 1, &call, &err));
    test_program_close(&p);
}

/* --- sessions -----------------------------------------------------------------------------------
 */

TEST(ragged, allocates_nothing_while_it_runs)
{
    (void)state_;
    static texts t;
    static float out[TEXTS * TEST_HIDDEN];
    qeff_error err = {0};
    void *session = NULL;
    bool was_injected = false;
    const test_encoder options = {.pooling = "mean"};
    make_texts(&t);
    test_program p = open_encoder(&options, 0);
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
        const qeff_bind_options bind = {.n_threads = n_threads};
        ASSERT_OK(p.backend->bind(p.loaded, &bind, &session, &err));
        const test_call call = {.batch = TEXTS,
                                .offsets = t.offsets,
                                .ids = t.ids,
                                .width = TEST_HIDDEN,
                                .is_pooled = true,
                                .output = out};
        ASSERT_OK(test_reserve(&p, session, &call, &err));
        test_allocator_arm(1);
        const qeff_status status = test_run(&p, session, &call, &err);
        const qeff_status again = test_reserve(&p, session, &call, &err);
        (void)test_allocator_disarm(&was_injected);
        assert_int_equal(status, QEFF_OK);
        assert_int_equal(again, QEFF_OK);
        assert_false(was_injected);
        p.backend->unbind(session);
    }
    test_program_close(&p);
}

TEST(ragged, refuses_calls_that_nothing_was_reserved_for)
{
    (void)state_;
    static const int64_t ids[] = {1, 2, 3, 4}, offsets[] = {0, 2, 4}, long_offsets[] = {0, 4};
    float out[2 * TEST_HIDDEN];
    qeff_error err = {0};
    void *session = NULL;
    const qeff_bind_options bind = {.n_threads = 1};
    const test_encoder options = {.pooling = "mean"};
    test_program p = open_encoder(&options, 0);
    ASSERT_OK(p.backend->bind(p.loaded, &bind, &session, &err));
    test_call call = {.batch = 2,
                      .offsets = offsets,
                      .ids = ids,
                      .width = TEST_HIDDEN,
                      .is_pooled = true,
                      .output = out};
    ASSERT_FAILS(test_run(&p, session, &call, &err), QEFF_ERR_CAPACITY, "reserved");
    ASSERT_OK(test_reserve(&p, session, &call, &err));
    ASSERT_OK(test_run(&p, session, &call, &err));
    call.batch = 1;
    call.offsets = long_offsets;
    ASSERT_FAILS(test_run(&p, session, &call, &err), QEFF_ERR_CAPACITY, "length 2");
    p.backend->unbind(session);
    test_program_close(&p);
}

TEST(ragged, refuses_ids_outside_the_tables)
{
    (void)state_;
    int64_t ids[] = {1, 2, 50, 4}, types[] = {0, 1, 2, 0};
    static const int64_t offsets[] = {0, 1, 4};
    float out[2 * TEST_HIDDEN];
    qeff_error err = {0};
    const test_encoder options = {.pooling = "mean", .has_type_input = true};
    test_program p = open_encoder(&options, 0);
    const test_call call = {.batch = 2,
                            .offsets = offsets,
                            .ids = ids,
                            .types = types,
                            .width = TEST_HIDDEN,
                            .is_pooled = true,
                            .output = out};
    ASSERT_FAILS(test_run_once(&p, 1, &call, &err), QEFF_ERR_INVALID,
                 "input 'input_ids': id 50 at position 1 of sequence 1, expected 0 to 49");
    ids[2] = -1;
    ASSERT_FAILS(test_run_once(&p, 1, &call, &err), QEFF_ERR_INVALID, "id -1");
    ids[2] = INT64_MIN;
    ASSERT_FAILS(test_run_once(&p, 1, &call, &err), QEFF_ERR_INVALID, "id -9223372036854775808");
    ids[2] = 0;
    types[3] = 3;
    ASSERT_FAILS(test_run_once(&p, 1, &call, &err), QEFF_ERR_INVALID, "'token_type_ids': id 3");
    types[3] = 0;
    ASSERT_OK(test_run_once(&p, 1, &call, &err));
    test_program_close(&p);
}

TEST(ragged, refuses_sequences_longer_than_the_position_table)
{
    (void)state_;
    static int64_t ids[TEST_POSITIONS + 1];
    static const int64_t offsets[] = {0, TEST_POSITIONS + 1};
    float out[TEST_HIDDEN];
    qeff_error err = {0};
    const test_encoder options = {.pooling = "mean"};
    test_program p = open_encoder(&options, 0);
    const test_call call = {.batch = 1,
                            .offsets = offsets,
                            .ids = ids,
                            .width = TEST_HIDDEN,
                            .is_pooled = true,
                            .output = out};
    ASSERT_FAILS(test_run_once(&p, 1, &call, &err), QEFF_ERR_CAPACITY,
                 "sequence 0: expected at most 30 positions, found 31");
    test_program_close(&p);
}

/* Each change makes one call wrong in one way. */
TEST(ragged, refuses_calls_that_do_not_fit_the_program)
{
    (void)state_;
    int64_t ids[] = {1, 2, 3, 4}, mask[] = {1, 1, 1, 1};
    float out[4 * TEST_HIDDEN];
    qeff_error err = {0};
    void *session = NULL;
    const qeff_bind_options bind = {.n_threads = 1};
    const test_encoder options = {.pooling = "mean"};
    test_program p = open_encoder(&options, 0);
    ASSERT_OK(p.backend->bind(p.loaded, &bind, &session, &err));
    ASSERT_OK(p.backend->reserve(session, 4, 16, 4, &err));
    const qeff_run_tensor good_inputs[] = {
        {QEFF_STR("input_ids"), QEFF_DTYPE_I64, 2, {2, 2}, ids},
        {QEFF_STR("attention_mask"), QEFF_DTYPE_I64, 2, {2, 2}, mask}};
    const qeff_run_tensor good_output = {
        QEFF_STR("output"), QEFF_DTYPE_F32, 2, {2, TEST_HIDDEN}, out};
    qeff_run_tensor inputs[2], output;
    qeff_run_call call = {.inputs = inputs, .n_inputs = 2, .outputs = &output, .n_outputs = 1};
#define AFTER(change, status, text)                                                                \
    memcpy(inputs, good_inputs, sizeof inputs);                                                    \
    output = good_output;                                                                          \
    change;                                                                                        \
    ASSERT_FAILS(p.backend->run(session, &call, &err), status, text)
    AFTER(call.n_inputs = 1, QEFF_ERR_INVALID, "'attention_mask' is missing");
    call.n_inputs = 2;
    AFTER(inputs[1].name = QEFF_STR("mask"), QEFF_ERR_INVALID, "'mask'");
    AFTER(inputs[0].dtype = QEFF_DTYPE_I32, QEFF_ERR_INVALID, "expected i64 of rank 2, found i32");
    AFTER(inputs[0].rank = 1, QEFF_ERR_INVALID, "found i64 of rank 1");
    AFTER(inputs[1].shape[1] = 1, QEFF_ERR_INVALID, "differs from 'input_ids'");
    AFTER(inputs[0].shape[0] = -1, QEFF_ERR_INVALID, "'input_ids'");
    AFTER(output.shape[1] = 23, QEFF_ERR_INVALID, "'output'");
    AFTER(output.shape[0] = 3, QEFF_ERR_INVALID, "'output'");
    AFTER(output.dtype = QEFF_DTYPE_F16, QEFF_ERR_INVALID, "'output'");
    AFTER(output.name = QEFF_STR("sentence"), QEFF_ERR_INVALID, "output");
#undef AFTER
    static const int64_t backwards[] = {0, 3, 2, 4}, late[] = {1, 4}, short_of[] = {0, 3};
    const qeff_run_tensor flat = {QEFF_STR("input_ids"), QEFF_DTYPE_I64, 1, {4}, ids};
    output = good_output;
    call = (qeff_run_call){
        .inputs = &flat, .n_inputs = 1, .outputs = &output, .n_outputs = 1, .n_sequences = 3};
    call.offsets = backwards;
    ASSERT_FAILS(p.backend->run(session, &call, &err), QEFF_ERR_INVALID, "offsets");
    call.n_sequences = 1;
    call.offsets = late;
    ASSERT_FAILS(p.backend->run(session, &call, &err), QEFF_ERR_INVALID, "offsets");
    call.offsets = short_of;
    ASSERT_FAILS(p.backend->run(session, &call, &err), QEFF_ERR_INVALID, "offsets");
    p.backend->unbind(session);
    test_program_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(ragged, gives_the_same_bits_in_any_batch_on_any_number_of_threads),
        RUN(precision, gives_the_same_bits_in_any_batch_and_stays_near_fp32),
        RUN(precision, takes_weights_of_any_size_and_hides_none_that_is_no_number),
        RUN(ragged, gives_the_same_bits_in_another_order),
        RUN(ragged, gives_the_same_bits_padded),
        RUN(ragged, gives_the_same_bits_whether_the_last_layer_is_pruned_or_not),
        RUN(ragged, gives_the_same_bits_pruned_where_the_mask_hides_the_first_column),
        RUN(ragged, takes_columns_for_positions_where_padding_is_on_the_left_or_between),
        RUN(ragged, gives_zeros_for_a_sequence_without_tokens),
        RUN(ragged, takes_calls_without_rows),
        RUN(ragged, allocates_nothing_while_it_runs),
        RUN(ragged, refuses_calls_that_nothing_was_reserved_for),
        RUN(ragged, refuses_ids_outside_the_tables),
        RUN(ragged, refuses_sequences_longer_than_the_position_table),
        RUN(ragged, refuses_calls_that_do_not_fit_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
