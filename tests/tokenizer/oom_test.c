/* oom_test.c - every allocation fails once: a clean error, nothing leaks, and the same record works
 * again afterwards. And: encoding again what fitted before allocates nothing. */
#include "support.h"

#include <stdlib.h>

/* Counts, and fails the allocation number `fail_at` (from 1; 0: none). */
typedef struct counter {
    size_t n, fail_at;
    long n_live;
} counter;

static bool fails(counter *c)
{
    return ++c->n == c->fail_at;
}

static void *count_allocate(void *ctx, size_t size)
{
    counter *c = ctx;
    if (fails(c)) return NULL;
    c->n_live++;
    return malloc(size);
}

static void *count_reallocate(void *ctx, void *block, size_t size)
{
    counter *c = ctx;
    if (fails(c)) return NULL;
    return realloc(block, size);
}

static void count_deallocate(void *ctx, void *block)
{
    counter *c = ctx;
    c->n_live--;
    free(block);
}

static const char text[] =
    "Hello, [MASK] unwanted e\xcc\x81\xcc\xa3 \xe4\xb8\xad\xff <n>  Caf\xc3\xa9";

static const parts everything = {
    .added = "[" SPECIAL_TOKEN(4, "[MASK]") ",{\"id\":30,\"content\":\"<N>\",\"single_word\":false,"
                                            "\"lstrip\":true,\"rstrip\":true,\"normalized\":true,"
                                            "\"special\":false}]",
    .normalizer =
        "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Replace\",\"pattern\":{"
        "\"String\":\"want\"},\"content\":\"want\"},{\"type\":\"NFC\"}," BERT_NORMALIZER "]}"};

static qeff_status
use_everything(qeff_bytes json, qeff_encoding *encoding, qeff_text *decoded, qeff_error *err)
{
    qeff_tokenizer *tokenizer = NULL;
    const qeff_str pair = QEFF_STR("world");
    const qeff_encode_options options = {.pair = &pair, .pad_to = 80};
    qeff_status status = qeff_tokenizer_parse(json, NULL, &tokenizer, err);
    if (!status)
        status = qeff_tokenizer_encode(tokenizer, qeff_str_of(text), &options, encoding, err);
    if (!status)
        status = qeff_tokenizer_decode(tokenizer, encoding->ids, encoding->n, false, decoded, err);
    qeff_tokenizer_destroy(tokenizer);
    return status;
}

static void assert_survives(const parts *p)
{
    counter c = {0};
    qeff_error err = {0};
    qeff_buffer json = {0};
    const qeff_allocator allocator = {count_allocate, count_reallocate, count_deallocate, &c};
    const qeff_bytes bytes = make_json(p, &json);
    qeff_status status = QEFF_ERR_NO_MEMORY;
    for (size_t n = 1; status; n++) {
        qeff_encoding encoding = {0};
        qeff_text decoded = {0};
        c = (counter){.fail_at = n};
        qeff_allocator_set(&allocator);
        status = use_everything(bytes, &encoding, &decoded, &err);
        if (status) {
            assert_int_equal(status, QEFF_ERR_NO_MEMORY);
            assert_int_equal(use_everything(bytes, &encoding, &decoded, &err), QEFF_OK);
        }
        qeff_encoding_deinit(&encoding);
        qeff_text_deinit(&decoded);
        qeff_allocator_set(NULL);
        assert_int_equal(c.n_live, 0);
    }
    qeff_buffer_deinit(&json);
}

TEST(allocation, failing_at_any_point_is_reported_and_leaks_nothing)
{
    (void)state_;
    assert_survives(&everything);
    assert_survives(&(parts){0}); /* in one pass */
}

TEST(allocation, is_not_needed_for_a_text_that_fitted_before)
{
    (void)state_;
    counter c = {0};
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    qeff_encoding encoding = {0};
    const qeff_allocator allocator = {count_allocate, count_reallocate, count_deallocate, &c};
    qeff_allocator_set(&allocator);
    ASSERT_OK(parse_parts(&(parts){.added = everything.added}, &tokenizer, &err));
    ASSERT_OK(qeff_tokenizer_encode(tokenizer, qeff_str_of(text), NULL, &encoding, &err));
    const size_t n = c.n;
    for (int i = 0; i < 3; i++)
        ASSERT_OK(qeff_tokenizer_encode(tokenizer, qeff_str_of(text), NULL, &encoding, &err));
    assert_int_equal(c.n, n);
    qeff_encoding_deinit(&encoding);
    qeff_tokenizer_destroy(tokenizer);
    qeff_allocator_set(NULL);
    assert_int_equal(c.n_live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(allocation, failing_at_any_point_is_reported_and_leaks_nothing),
        RUN(allocation, is_not_needed_for_a_text_that_fitted_before),
    };
    return cmocka_run_group_tests_name("tokenizer_oom", tests, NULL, NULL);
}
