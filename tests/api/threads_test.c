/* threads_test.c - one program, many threads: each has its own session, all get the same bits. */
#include "base/cpu.h"
#include "test.h"

#include <pthread.h>
#include <qeff/qeff.h>
#include <stdatomic.h>
#include <stdlib.h>

#define GOLDEN QEFF_TEST_DATA "/golden/sentence_transformers/new_mean"

enum { THREADS = 64, ROUNDS = 10 };

static const char *const precisions[] = {"fp32", "bf16", "int8", "int8-mixed"};
enum { N_PRECISIONS = sizeof precisions / sizeof *precisions };

static char folder[64], programs[N_PRECISIONS][80];
static qeff_tensors *golden;

static qeff_status compile_program(size_t i, qeff_error *err)
{
    qeff_auto_model *model = NULL;
    const qeff_auto_model_options options = {.no_cache = true, .precision = precisions[i]};
    (void)snprintf(programs[i], sizeof programs[i], "%s/%s", folder, precisions[i]);
    qeff_status status = qeff_auto_model_from_pretrained(GOLDEN, &options, &model, err);
    if (!status) status = qeff_auto_model_compile(model, programs[i], NULL, err);
    qeff_auto_model_destroy(model);
    return status;
}

static int compile_programs(void **state)
{
    (void)state;
    qeff_error err = {0};
    (void)snprintf(folder, sizeof folder, "/tmp/qeff-threads-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    if (qeff_tensors_read_npz(GOLDEN "/expected.npz", &golden, &err)) return -1;
    for (size_t i = 0; i < N_PRECISIONS; i++)
        if (compile_program(i, &err)) return -1;
    return 0;
}

static int remove_programs(void **state)
{
    (void)state;
    char command[128];
    qeff_tensors_destroy(golden);
    (void)snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static qeff_status run_once(qeff_session *session, qeff_tensors **out, qeff_error *err)
{
    const qeff_tensor in[] = {*qeff_tensors_find(golden, "input_ids"),
                              *qeff_tensors_find(golden, "attention_mask")};
    return qeff_session_run(session, in, 2, out, err);
}

static bool same_output(const qeff_tensors *a, const qeff_tensors *b)
{
    const qeff_tensor *x = qeff_tensors_find(a, "output"), *y = qeff_tensors_find(b, "output");
    return memcmp(x->data, y->data, (size_t)(x->shape[0] * x->shape[1]) * sizeof(float)) == 0;
}

typedef struct job {
    const qeff_program *program;
    const qeff_tensors *expected;
    int n_threads;
    bool is_right;
} job;

static void *use_own_session(void *arg)
{
    job *j = arg;
    qeff_error err = {0};
    qeff_session *session = NULL;
    const qeff_session_options options = {.n_threads = j->n_threads};
    bool is_right = qeff_session_create(j->program, &options, &session, &err) == QEFF_OK;
    for (int i = 0; i < ROUNDS && is_right; i++) {
        qeff_tensors *out = NULL;
        is_right = run_once(session, &out, &err) == QEFF_OK && same_output(out, j->expected);
        qeff_tensors_destroy(out);
    }
    j->is_right = is_right && qeff_session_destroy(session) == QEFF_OK;
    return NULL;
}

static void serve_64_threads(const char *program_folder)
{
    qeff_error err = {0};
    qeff_program *program = NULL;
    qeff_session *session = NULL;
    qeff_tensors *expected = NULL;
    pthread_t threads[THREADS];
    const int most = qeff_cpu_threads() < 3 ? qeff_cpu_threads() : 3;
    job jobs[THREADS];
    ASSERT_OK(qeff_program_open(program_folder, &program, &err));
    ASSERT_OK(qeff_session_create(program, NULL, &session, &err));
    ASSERT_OK(run_once(session, &expected, &err));
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (job){program, expected, 1 + i % most, false};
        assert_int_equal(pthread_create(&threads[i], NULL, use_own_session, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(jobs[i].is_right);
    }
    qeff_tensors_destroy(expected);
    assert_int_equal(qeff_session_destroy(session), QEFF_OK);
    qeff_program_close(program);
}

TEST(program, serves_64_threads_with_sessions_of_their_own)
{
    for (size_t i = 0; i < N_PRECISIONS; i++)
        serve_64_threads(programs[i]);
}

typedef struct busy_job {
    qeff_session *session;
    atomic_bool must_stop;
    atomic_int n_runs;
} busy_job;

static void *run_until_told(void *arg)
{
    busy_job *j = arg;
    while (!atomic_load(&j->must_stop)) {
        qeff_tensors *out = NULL;
        if (run_once(j->session, &out, NULL) == QEFF_OK) (void)atomic_fetch_add(&j->n_runs, 1);
        qeff_tensors_destroy(out);
    }
    return NULL;
}

TEST(session, refuses_a_second_caller_while_it_runs)
{
    qeff_error err = {0};
    qeff_program *program = NULL;
    busy_job j = {.session = NULL};
    pthread_t thread;
    bool was_refused = false;
    const qeff_session_options one = {.n_threads = 1};
    ASSERT_OK(qeff_program_open(programs[0], &program, &err));
    ASSERT_OK(qeff_session_create(program, &one, &j.session, &err));
    assert_int_equal(pthread_create(&thread, NULL, run_until_told, &j), 0);
    while (!was_refused || atomic_load(&j.n_runs) < ROUNDS) {
        qeff_tensors *out = NULL;
        const qeff_status status = run_once(j.session, &out, &err);
        if (status) {
            assert_int_equal(status, QEFF_ERR_INVALID);
            assert_non_null(strstr(err.message, "running in another thread"));
            was_refused = true;
        }
        qeff_tensors_destroy(out);
    }
    atomic_store(&j.must_stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(qeff_session_destroy(j.session), QEFF_OK);
    qeff_program_close(program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(program, serves_64_threads_with_sessions_of_their_own),
        RUN(session, refuses_a_second_caller_while_it_runs),
    };
    return cmocka_run_group_tests(tests, compile_programs, remove_programs);
}
