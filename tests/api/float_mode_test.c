/* float_mode_test.c - the caller's rounding mode, denormal flags and traps change no bit of a
 * program or of a result, on any thread, and are as before after each call. */
#define _GNU_SOURCE /* feenableexcept */
#include "test.h"

#include <fenv.h>
#include <qeff/qeff.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#define GOLDEN QEFF_TEST_DATA "/golden/sentence_transformers/new_mean"

static const struct {
    const char *name;
    int rounding;
    unsigned denormals; /* bits of MXCSR: FTZ, DAZ */
    int traps;
} modes[] = {
    {"upward", FE_UPWARD, 0, 0},
    {"downward", FE_DOWNWARD, 0, 0},
    {"towards zero, no denormals", FE_TOWARDZERO, 0x8040, 0},
    {"no denormals", FE_TONEAREST, 0x8040, 0},
    {"traps", FE_TONEAREST, 0, FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW | FE_UNDERFLOW},
};
enum { N_MODES = sizeof modes / sizeof *modes };

static unsigned control_word(void)
{
#if defined(__x86_64__)
    return _mm_getcsr();
#else
    return (unsigned)fegetround();
#endif
}

static void set_mode(size_t i)
{
    assert_int_equal(fesetenv(FE_DFL_ENV), 0);
    assert_int_equal(fesetround(modes[i].rounding), 0);
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | modes[i].denormals);
#endif
    if (modes[i].traps) assert_true(feenableexcept(modes[i].traps) != -1);
}

static int set_default_mode(void **state)
{
    (void)state;
    return fesetenv(FE_DFL_ENV);
}

typedef struct loaded {
    qeff_auto_model *model;
    qeff_embeddings *vectors;
} loaded;

static loaded load_and_encode(const char *precision, int n_threads)
{
    static const qeff_str texts[] = {{"a cat sleeps", 12}, {"stocks", 6}, {"", 0}};
    loaded l = {0};
    qeff_error err = {0};
    const qeff_auto_model_options options = {
        .no_cache = true, .n_threads = n_threads, .precision = precision};
    ASSERT_OK(qeff_auto_model_from_pretrained(GOLDEN, &options, &l.model, &err));
    ASSERT_OK(qeff_auto_model_encode(l.model, texts, 3, NULL, &l.vectors, &err));
    return l;
}

static void unload(loaded *l)
{
    qeff_embeddings_destroy(l->vectors);
    qeff_auto_model_destroy(l->model);
}

static void check_mode(size_t mode, const char *precision, int n_threads)
{
    loaded expected = load_and_encode(precision, 1);
    set_mode(mode);
    const unsigned before = control_word();
    loaded found = load_and_encode(precision, n_threads);
    const unsigned after = control_word();
    assert_int_equal(fesetenv(FE_DFL_ENV), 0);
    if (after != before) fail_msg("%s: mode %x became %x", modes[mode].name, before, after);
    assert_int_equal(found.vectors->dim, expected.vectors->dim);
    if (memcmp(found.vectors->values, expected.vectors->values,
               expected.vectors->count * expected.vectors->dim * sizeof(float)) != 0)
        fail_msg("%s, %s, %d threads: other bits", modes[mode].name, precision, n_threads);
    unload(&expected);
    unload(&found);
}

TEST(encoding, gives_the_same_bits_in_every_mode)
{
    (void)state_;
    for (size_t i = 0; i < N_MODES; i++) {
        check_mode(i, "fp32", 1);
        check_mode(i, "bf16", 1);
        check_mode(i, "int8", 1);
    }
}

TEST(encoding, gives_the_same_bits_on_threads_that_start_in_a_mode)
{
    (void)state_;
    for (size_t i = 0; i < N_MODES; i++)
        check_mode(i, "fp32", 2);
}

static size_t read_program(const char *folder, unsigned char *out, size_t most)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/programqpc.bin", folder);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t n = fread(out, 1, most, file);
    (void)fclose(file);
    assert_true(n > 0 && n < most);
    return n;
}

static size_t compile(const char *precision, unsigned char *out, size_t most)
{
    char folder[64] = "/tmp/qeff-modes-XXXXXX", command[128];
    qeff_error err = {0};
    qeff_auto_model *model = NULL;
    const qeff_auto_model_options options = {.no_cache = true, .precision = precision};
    assert_non_null(mkdtemp(folder));
    ASSERT_OK(qeff_auto_model_from_pretrained(GOLDEN, &options, &model, &err));
    ASSERT_OK(qeff_auto_model_compile(model, folder, NULL, &err));
    qeff_auto_model_destroy(model);
    const size_t n = read_program(folder, out, most);
    (void)snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
    return n;
}

TEST(compiling, gives_the_same_program_in_every_mode)
{
    (void)state_;
    enum { MOST = 1 << 22 };
    static const char *const precisions[] = {"fp32", "bf16", "int8"};
    unsigned char *expected = test_malloc(MOST), *found = test_malloc(MOST);
    for (size_t p = 0; p < 3; p++) {
        const size_t n = compile(precisions[p], expected, MOST);
        for (size_t i = 0; i < N_MODES; i++) {
            set_mode(i);
            const size_t n_found = compile(precisions[p], found, MOST);
            assert_int_equal(fesetenv(FE_DFL_ENV), 0);
            assert_int_equal(n_found, n);
            if (memcmp(found, expected, n) != 0)
                fail_msg("%s, %s: other bytes", modes[i].name, precisions[p]);
        }
    }
    test_free(expected);
    test_free(found);
}

#define RUN_IN_MODES(subject, statement)                                                           \
    cmocka_unit_test_teardown(subject##__##statement, set_default_mode)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_IN_MODES(encoding, gives_the_same_bits_in_every_mode),
        RUN_IN_MODES(encoding, gives_the_same_bits_on_threads_that_start_in_a_mode),
        RUN_IN_MODES(compiling, gives_the_same_program_in_every_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
