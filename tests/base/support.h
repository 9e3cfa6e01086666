/* support.h - what tests of files and memory share: a folder of their own, an allocator that fails
 * at the n-th call, a file table that fails at the n-th call. */
#ifndef TESTS_BASE_SUPPORT_H
#define TESTS_BASE_SUPPORT_H

#include "base/file.h"
#include "test.h"

/** A fresh folder; remove it with test_folder_remove(). */
typedef struct test_folder {
    char path[256];
} test_folder;

void test_folder_create(test_folder *folder);
void test_folder_remove(test_folder *folder);

/** A folder that is new for each test of a file, by two fixtures of cmocka. */
#define TEST_FOLDER(folder, set_up, tear_down)                                                     \
    static test_folder folder;                                                                     \
    static int set_up(void **state)                                                                \
    {                                                                                              \
        (void)state;                                                                               \
        test_folder_create(&(folder));                                                             \
        return 0;                                                                                  \
    }                                                                                              \
    static int tear_down(void **state)                                                             \
    {                                                                                              \
        (void)state;                                                                               \
        test_folder_remove(&(folder));                                                             \
        return 0;                                                                                  \
    }

/** `folder/name`, in a buffer of the folder that the next call but three overwrites. */
const char *test_path(const test_folder *folder, const char *name);
/** Writes a file and returns its path as test_path() does. */
const char *test_file(const test_folder *folder, const char *name, const void *data, size_t size);
const char *test_text_file(const test_folder *folder, const char *name, const char *text);
/** Names in the folder, plain ones and `.tmp-…` alike. */
size_t test_count_names(const test_folder *folder);

/** From now on the library's n-th allocation fails (1: the first), once; 0: none does. Counts
 * blocks that are not freed. */
void test_allocator_arm(size_t n);
/** Restores malloc; returns how many blocks are still held, and whether a failure was injected. */
size_t test_allocator_disarm(bool *was_injected);
/** Allocations since test_allocator_arm(), those that failed included. */
size_t test_allocator_calls(void);
/** Most bytes that were held at a time since test_allocator_arm(). */
size_t test_allocator_peak(void);
/** The same allocator for libraries with malloc hooks of their own, such as jansson. */
void *test_hook_malloc(size_t size);
void test_hook_free(void *block);

typedef enum test_fault {
    TEST_FAULT_ERROR, /**< the call fails with the errno value */
    TEST_FAULT_SHORT  /**< read, write and copy move one byte only; other calls are left alone */
} test_fault;

/** From now on the n-th call through the file table fails, once; 0: none does. */
void test_io_arm(size_t n, test_fault fault, int error);
/** Restores the system's table; returns whether a fault was injected. */
bool test_io_disarm(void);

/** Runs `expression`, which yields a qeff_status, with each allocation failing in turn, until it
 * succeeds: no failure may leave a block, or say anything but "out of memory". `cleanup` runs after
 * the success only. */
#define TEST_EACH_ALLOCATION(expression, cleanup)                                                  \
    do {                                                                                           \
        for (size_t test_n = 1;; test_n++) {                                                       \
            bool test_injected = false;                                                            \
            err = (qeff_error){0};                                                                 \
            test_allocator_arm(test_n);                                                            \
            const qeff_status test_status = (expression);                                          \
            if (!test_status) {                                                                    \
                cleanup;                                                                           \
            }                                                                                      \
            assert_int_equal(test_allocator_disarm(&test_injected), 0);                            \
            if (!test_status && !test_injected) break;                                             \
            if (test_status) {                                                                     \
                assert_int_equal(test_status, QEFF_ERR_NO_MEMORY);                                 \
                assert_true(err.message[0] != '\0');                                               \
            }                                                                                      \
            assert_true(test_n < 10000);                                                           \
        }                                                                                          \
    } while (0)

#endif /* TESTS_BASE_SUPPORT_H */
