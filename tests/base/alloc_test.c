/* alloc_test.c - the allocator's wrappers, arenas, growing arrays. */
#include "base/alloc.h"

#include "base/span.h"
#include "base/support.h"

TEST(alloc, gives_a_block_for_size_zero)
{
    (void)state_;
    void *a = qeff_alloc(0), *b = qeff_alloc_zeroed(0);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    qeff_free(a);
    qeff_free(b);
    qeff_free(NULL);
}

TEST(alloc, refuses_products_that_overflow)
{
    (void)state_;
    qeff_arena arena = {0};
    assert_null(qeff_alloc_array(SIZE_MAX / 4, 8));
    assert_null(qeff_arena_array(&arena, SIZE_MAX / 4, 8));
    assert_null(qeff_arena_alloc(&arena, SIZE_MAX));
    assert_null(qeff_alloc_aligned(SIZE_MAX, 64));
    qeff_arena_deinit(&arena);
}

TEST(alloc, aligns_and_zeroes)
{
    (void)state_;
    for (size_t alignment = 1; alignment <= (size_t)4 << 20; alignment *= 2) {
        unsigned char *block = qeff_alloc_aligned(100, alignment);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % alignment, 0);
        for (int i = 0; i < 100; i++)
            assert_int_equal(block[i], 0);
        qeff_free_aligned(block);
    }
    qeff_free_aligned(NULL);
}

TEST(alloc, copies_text_with_a_nul)
{
    (void)state_;
    char *copy = qeff_copy_str(QEFF_STR("ab\0c"));
    char *empty = qeff_copy_str((qeff_str){NULL, 0});
    assert_memory_equal(copy, "ab\0c", 5);
    assert_string_equal(empty, "");
    qeff_free(copy);
    qeff_free(empty);
}

TEST(alloc, grows_arrays_by_doubling_and_keeps_them_on_failure)
{
    (void)state_;
    int *items = NULL;
    size_t capacity = 0, n_moves = 0;
    for (size_t n = 0; n < 1000; n++) {
        const size_t before = capacity;
        int *grown = qeff_grow(items, n, &capacity, sizeof *items);
        assert_non_null(grown);
        n_moves += capacity != before;
        items = grown;
        items[n] = (int)n;
    }
    assert_true(n_moves < 10);
    for (int n = 0; n < 1000; n++)
        assert_int_equal(items[n], n);
    const size_t before = capacity;
    assert_null(qeff_grow(items, capacity, &capacity, SIZE_MAX / 2));
    assert_int_equal(capacity, before);
    assert_int_equal(items[999], 999);
    qeff_free(items);
}

TEST(arena, gives_zeroed_aligned_parts_that_stay_apart)
{
    (void)state_;
    qeff_arena arena = {0};
    unsigned char *parts[500];
    for (size_t i = 0; i < 500; i++) {
        parts[i] = qeff_arena_alloc(&arena, 1 + i * 7);
        assert_non_null(parts[i]);
        assert_int_equal((uintptr_t)parts[i] % 16, 0);
        for (size_t j = 0; j < 1 + i * 7; j++)
            assert_int_equal(parts[i][j], 0);
        memset(parts[i], (int)(i % 251 + 1), 1 + i * 7);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t j = 0; j < 1 + i * 7; j++)
            assert_int_equal(parts[i][j], i % 251 + 1);
    assert_non_null(qeff_arena_alloc(&arena, 1 << 20));
    qeff_arena_deinit(&arena);
    assert_non_null(qeff_arena_alloc(&arena, 0)); /* and can be used again */
    qeff_arena_deinit(&arena);
}

TEST(arena, copies_text)
{
    (void)state_;
    qeff_arena arena = {0};
    const qeff_str text = qeff_arena_str(&arena, QEFF_STR("abc"));
    const qeff_str empty = qeff_arena_str(&arena, (qeff_str){NULL, 0});
    assert_string_equal(text.data, "abc");
    assert_int_equal(text.size, 3);
    assert_non_null(empty.data);
    assert_int_equal(empty.size, 0);
    qeff_arena_deinit(&arena);
}

TEST(arena, survives_failing_allocations)
{
    (void)state_;
    qeff_arena arena = {0};
    bool was_injected = false;
    test_allocator_arm(2);
    assert_non_null(qeff_arena_alloc(&arena, 60000));
    assert_null(qeff_arena_alloc(&arena, 60000));
    assert_null(qeff_arena_str(&arena, (qeff_str){"x", SIZE_MAX}).data);
    assert_non_null(qeff_arena_alloc(&arena, 60000));
    qeff_arena_deinit(&arena);
    assert_int_equal(test_allocator_disarm(&was_injected), 0);
    assert_true(was_injected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(alloc, gives_a_block_for_size_zero),
        RUN(alloc, refuses_products_that_overflow),
        RUN(alloc, aligns_and_zeroes),
        RUN(alloc, copies_text_with_a_nul),
        RUN(alloc, grows_arrays_by_doubling_and_keeps_them_on_failure),
        RUN(arena, gives_zeroed_aligned_parts_that_stay_apart),
        RUN(arena, copies_text),
        RUN(arena, survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
