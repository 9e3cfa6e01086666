/* checked_test.c - arithmetic that reports overflow; spans. */
#include "base/checked.h"

#include "base/span.h"
#include "test.h"

TEST(checked, adds_and_multiplies_up_to_the_border)
{
    (void)state_;
    size_t size = 0;
    uint64_t u = 0;
    int64_t i = 0;
    assert_true(qeff_add_size(SIZE_MAX - 1, 1, &size) && size == SIZE_MAX);
    assert_false(qeff_add_size(SIZE_MAX, 1, &size));
    assert_true(qeff_mul_size(SIZE_MAX / 2, 2, &size) && size == SIZE_MAX - 1);
    assert_false(qeff_mul_size(SIZE_MAX / 2 + 1, 2, &size));
    assert_true(qeff_add_u64(UINT64_MAX, 0, &u) && u == UINT64_MAX);
    assert_false(qeff_add_u64(UINT64_MAX, UINT64_MAX, &u));
    assert_true(qeff_mul_u64(UINT32_MAX, UINT32_MAX, &u));
    assert_false(qeff_mul_u64((uint64_t)1 << 32, (uint64_t)1 << 32, &u));
    assert_true(qeff_add_i64(INT64_MIN, INT64_MAX, &i) && i == -1);
    assert_false(qeff_add_i64(INT64_MIN, -1, &i));
    assert_false(qeff_mul_i64(INT64_MIN, -1, &i));
    assert_true(qeff_mul_i64(INT64_MIN, 1, &i) && i == INT64_MIN);
}

TEST(checked, aligns_upwards)
{
    (void)state_;
    size_t size = 0;
    assert_true(qeff_align_size(0, 64, &size) && size == 0);
    assert_true(qeff_align_size(1, 64, &size) && size == 64);
    assert_true(qeff_align_size(64, 64, &size) && size == 64);
    assert_true(qeff_align_size(65, 64, &size) && size == 128);
    assert_true(qeff_align_size(SIZE_MAX - 63, 64, &size) && size == SIZE_MAX - 63);
    assert_false(qeff_align_size(SIZE_MAX - 62, 64, &size));
}

TEST(span, compares_by_bytes)
{
    (void)state_;
    assert_int_equal(qeff_str_compare(QEFF_STR("a"), QEFF_STR("a")), 0);
    assert_true(qeff_str_compare(QEFF_STR("a"), QEFF_STR("ab")) < 0);
    assert_true(qeff_str_compare(QEFF_STR("b"), QEFF_STR("ab")) > 0);
    assert_true(qeff_str_compare(QEFF_STR("\xc3"), QEFF_STR("z")) > 0);
    assert_true(qeff_str_compare((qeff_str){NULL, 0}, QEFF_STR("")) == 0);
    assert_true(qeff_str_equal((qeff_str){NULL, 0}, QEFF_STR("")));
    assert_false(qeff_str_equal(QEFF_STR("a\0b"), QEFF_STR("a\0c")));
}

TEST(span, finds_starts_ends_and_separators)
{
    (void)state_;
    assert_true(qeff_str_starts_with(QEFF_STR("model.bin"), "model"));
    assert_false(qeff_str_starts_with(QEFF_STR("mo"), "model"));
    assert_true(qeff_str_ends_with(QEFF_STR("model.bin"), ".bin"));
    assert_false(qeff_str_ends_with(QEFF_STR("in"), ".bin"));
    assert_true(qeff_str_is(qeff_str_after_last(QEFF_STR("a/b/c"), '/'), "c"));
    assert_true(qeff_str_is(qeff_str_after_last(QEFF_STR("abc"), '/'), "abc"));
    assert_true(qeff_str_is(qeff_str_after_last(QEFF_STR("abc/"), '/'), ""));
}

TEST(span, stores_and_loads_little_endian)
{
    (void)state_;
    uint8_t bytes[8];
    qeff_store_u64le(bytes, 0x0123456789abcdefu);
    assert_int_equal(bytes[0], 0xef);
    assert_int_equal(bytes[7], 0x01);
    assert_true(qeff_load_u64le(bytes) == 0x0123456789abcdefu);
    assert_int_equal(qeff_load_u32le(bytes), 0x89abcdef);
    assert_int_equal(qeff_load_u16le(bytes), 0xcdef);
    qeff_store_u32le(bytes, 0xfedcba98u);
    qeff_store_u16le(bytes + 4, 0x8001);
    assert_int_equal(qeff_load_u32le(bytes), 0xfedcba98u);
    assert_int_equal(qeff_load_u16le(bytes + 4), 0x8001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(checked, adds_and_multiplies_up_to_the_border),
        RUN(checked, aligns_upwards),
        RUN(span, compares_by_bytes),
        RUN(span, finds_starts_ends_and_separators),
        RUN(span, stores_and_loads_little_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
