/* golden_test.c - numbers end to end: the checkpoints and folders of tests/golden, loaded,
 * compiled and run by the public API alone, against what the reference computed for them. */
#include "base/cpu.h"
#include "test.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <qeff/qeff.h>
#include <stdlib.h>

#define GOLDEN QEFF_TEST_DATA "/golden"

enum { TEXTS_MAX = 512, FOLDERS_MAX = 64 };

typedef struct text_list {
    size_t n;
    qeff_str items[TEXTS_MAX];
    json_t *owner;
} text_list;

static text_list read_texts(const char *path, bool is_lines)
{
    text_list list = {.n = 0};
    if (!is_lines) {
        list.owner = json_load_file(path, 0, NULL);
    } else {
        char *line = NULL;
        size_t capacity = 0;
        FILE *file = fopen(path, "r");
        list.owner = json_array();
        while (file && getline(&line, &capacity, file) > 0)
            json_array_append_new(list.owner,
                                  json_loads(line, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
        free(line);
        if (file) (void)fclose(file);
    }
    assert_true(json_is_array(list.owner));
    list.n = json_array_size(list.owner);
    assert_true(list.n > 0 && list.n <= TEXTS_MAX);
    for (size_t i = 0; i < list.n; i++) {
        const json_t *item = json_array_get(list.owner, i);
        list.items[i] = (qeff_str){json_string_value(item), json_string_length(item)};
    }
    return list;
}

static void assert_close(const char *what, const float *found, const float *expected, size_t n,
                         double tolerance)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)found[i] - (double)expected[i]);
        if (!(d <= worst)) worst = d; /* a NaN becomes the worst and fails below */
    }
    if (!(worst <= tolerance)) print_error("%s: off by %g\n", what, worst);
    assert_true(worst <= tolerance);
}

static qeff_auto_model *load(const char *folder, const qeff_auto_model_options *options)
{
    qeff_error err = {0};
    qeff_auto_model *model = NULL;
    qeff_auto_model_options o = options ? *options : (qeff_auto_model_options){0};
    o.no_cache = true;
    o.n_threads = 1;
    ASSERT_OK(qeff_auto_model_from_pretrained(folder, &o, &model, &err));
    return model;
}

/* --- BERT checkpoints --------------------------------------------------------------------------
 */

static void check_outputs(const char *folder, const qeff_tensors *golden, bool with_types)
{
    qeff_error err = {0};
    qeff_tensors *out = NULL;
    const qeff_auto_model_options options = {.pooling = "none", .with_token_type_ids = with_types};
    qeff_auto_model *model = load(folder, &options);
    const qeff_tensor in[] = {*qeff_tensors_find(golden, "input_ids"),
                              *qeff_tensors_find(golden, "attention_mask"),
                              *qeff_tensors_find(golden, "token_type_ids")};
    ASSERT_OK(qeff_auto_model_generate(model, in, with_types ? 3 : 2, &out, &err));
    const qeff_tensor *hidden = qeff_tensors_find(out, "output");
    const qeff_tensor *expected =
        qeff_tensors_find(golden, with_types ? "last_hidden_state_typed" : "last_hidden_state");
    assert_non_null(hidden);
    assert_int_equal(hidden->rank, 3);
    assert_memory_equal(hidden->shape, expected->shape, 3 * sizeof(int64_t));
    assert_close(folder, hidden->data, expected->data,
                 (size_t)(hidden->shape[0] * hidden->shape[1] * hidden->shape[2]), 2e-5);
    const qeff_tensor *pooler = qeff_tensors_find(golden, "pooler_output");
    const qeff_tensor *found = qeff_tensors_find(out, "pooler_output");
    assert_int_equal(pooler != NULL, found != NULL);
    if (pooler && !with_types)
        assert_close(folder, found->data, pooler->data,
                     (size_t)(pooler->shape[0] * pooler->shape[1]), 2e-5);
    qeff_tensors_destroy(out);
    qeff_auto_model_destroy(model);
}

/* Visits the folders of a golden topic that hold expected.npz. */
static size_t
visit_folders(const char *topic, void (*visit)(const char *folder, const qeff_tensors *golden))
{
    size_t n = 0;
    DIR *dir = opendir(topic);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        char folder[1024], path[1100];
        qeff_tensors *golden = NULL;
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(folder, sizeof folder, "%s/%s", topic, entry->d_name);
        (void)snprintf(path, sizeof path, "%s/expected.npz", folder);
        if (qeff_tensors_read_npz(path, &golden, NULL)) continue;
        visit(folder, golden);
        qeff_tensors_destroy(golden);
        n++;
    }
    (void)closedir(dir);
    return n;
}

static void check_bert(const char *folder, const qeff_tensors *golden)
{
    check_outputs(folder, golden, false);
    check_outputs(folder, golden, true);
}

TEST(bert, gives_the_hidden_states_of_the_reference)
{
    assert_true(visit_folders(GOLDEN "/bert", check_bert) >= 7);
}

/* --- sentence-transformers folders -------------------------------------------------------------
 */

static void check_vectors(const char *folder, qeff_auto_model *model, const text_list *texts,
                          const qeff_tensor *expected, const char *prompt_name)
{
    qeff_error err = {0};
    qeff_embeddings *e = NULL;
    const qeff_auto_model_encode_options options = {.prompt_name = prompt_name};
    ASSERT_OK(qeff_auto_model_encode(model, texts->items, texts->n, &options, &e, &err));
    assert_int_equal(e->count, expected->shape[0]);
    assert_int_equal(e->dim, expected->shape[1]);
    assert_close(folder, e->values, expected->data, e->count * e->dim, 1e-5);
    qeff_embeddings_destroy(e);
}

static void check_sentences(const char *folder, const qeff_tensors *golden)
{
    text_list texts = read_texts(GOLDEN "/sentence_transformers/texts.json", false);
    qeff_auto_model *model = load(folder, NULL);
    check_vectors(folder, model, &texts, qeff_tensors_find(golden, "vectors"), NULL);
    const qeff_tensor *query = qeff_tensors_find(golden, "vectors_query");
    if (query) check_vectors(folder, model, &texts, query, "query");
    qeff_auto_model_destroy(model);
    const qeff_auto_model_options unit = {.normalize = QEFF_TOGGLE_ON};
    model = load(folder, &unit);
    check_vectors(folder, model, &texts, qeff_tensors_find(golden, "vectors_normalized"), NULL);
    qeff_auto_model_destroy(model);
    json_decref(texts.owner);
}

TEST(sentence_transformers, folders_give_the_vectors_of_the_reference)
{
    assert_true(visit_folders(GOLDEN "/sentence_transformers", check_sentences) >= 20);
}

/* --- one text, one vector -----------------------------------------------------------------------
 */

static qeff_embeddings *
encode(qeff_auto_model *model, const qeff_str *texts, size_t n, size_t batch_size)
{
    qeff_error err = {0};
    qeff_embeddings *e = NULL;
    const qeff_auto_model_encode_options options = {.batch_size = batch_size};
    ASSERT_OK(qeff_auto_model_encode(model, texts, n, &options, &e, &err));
    return e;
}

TEST(encode, gives_the_same_bits_for_any_batch_order_and_thread_count)
{
    enum { COPIES = 9 };
    const char *folder = GOLDEN "/sentence_transformers/new_concat";
    text_list texts = read_texts(GOLDEN "/sentence_transformers/texts.json", false);
    qeff_auto_model *model = load(folder, NULL);
    qeff_embeddings *alone[TEXTS_MAX];
    for (size_t i = 0; i < texts.n; i++)
        alone[i] = encode(model, &texts.items[i], 1, 1);
    qeff_auto_model_destroy(model);
    const int most = qeff_cpu_threads() < 4 ? qeff_cpu_threads() : 4;
    for (int threads = 1; threads <= most; threads++) {
        qeff_error err = {0};
        const qeff_auto_model_options o = {.n_threads = threads, .no_cache = true};
        ASSERT_OK(qeff_auto_model_from_pretrained(folder, &o, &model, &err));
        for (size_t batch_size = 1; batch_size <= 64; batch_size++) {
            qeff_str mixed[TEXTS_MAX];
            const size_t n = texts.n * COPIES;
            for (size_t i = 0; i < n; i++)
                mixed[i] = texts.items[(i * 7 + batch_size) % texts.n];
            qeff_embeddings *e = encode(model, mixed, n, batch_size);
            for (size_t i = 0; i < n; i++)
                assert_memory_equal(e->values + i * e->dim,
                                    alone[(i * 7 + batch_size) % texts.n]->values,
                                    e->dim * sizeof(float));
            qeff_embeddings_destroy(e);
        }
        qeff_auto_model_destroy(model);
    }
    for (size_t i = 0; i < texts.n; i++)
        qeff_embeddings_destroy(alone[i]);
    json_decref(texts.owner);
}

TEST(generate, of_a_padded_batch_gives_the_bits_of_ragged_encode)
{
    qeff_error err = {0};
    const char *folder = GOLDEN "/sentence_transformers/new_mean";
    text_list texts = read_texts(GOLDEN "/sentence_transformers/texts.json", false);
    qeff_tensors *golden = NULL, *out = NULL;
    ASSERT_OK(qeff_tensors_read_npz(GOLDEN "/sentence_transformers/new_mean/expected.npz", &golden,
                                    &err));
    qeff_auto_model *model = load(folder, NULL);
    qeff_embeddings *e = encode(model, texts.items, texts.n, 4);
    const qeff_tensor in[] = {*qeff_tensors_find(golden, "input_ids"),
                              *qeff_tensors_find(golden, "attention_mask")};
    ASSERT_OK(qeff_auto_model_generate(model, in, 2, &out, &err));
    const qeff_tensor *output = qeff_tensors_find(out, "output");
    assert_int_equal(output->shape[0], texts.n);
    assert_memory_equal(output->data, e->values, e->count * e->dim * sizeof(float));
    qeff_tensors_destroy(out);
    qeff_tensors_destroy(golden);
    qeff_embeddings_destroy(e);
    qeff_auto_model_destroy(model);
    json_decref(texts.owner);
}

/* --- the real model ------------------------------------------------------------------------------
 */

/* Reads the data of a version-1 .npy file of float32; the header was written by numpy. */
static float *read_vectors(const char *path, size_t *n)
{
    FILE *file = fopen(path, "rb");
    unsigned char head[10];
    assert_non_null(file);
    assert_int_equal(fread(head, 1, 10, file), 10);
    const long skip = 10 + head[8] + 256 * head[9];
    (void)fseek(file, 0, SEEK_END);
    const long bytes = ftell(file) - skip;
    float *values = malloc((size_t)bytes);
    (void)fseek(file, skip, SEEK_SET);
    assert_int_equal(fread(values, 1, (size_t)bytes, file), bytes);
    (void)fclose(file);
    *n = (size_t)bytes / sizeof(float);
    return values;
}

static const char *model_or_skip(void)
{
    const char *folder = getenv("QEFF_TEST_MODEL");
    if (folder && folder[0]) return folder;
    print_message("skipped: QEFF_TEST_MODEL names no folder of all-MiniLM-L6-v2\n");
    skip();
    return NULL;
}

TEST(minilm, vectors_are_within_2e_6_of_sentence_transformers)
{
    const char *folder = model_or_skip();
    text_list texts = read_texts(GOLDEN "/minilm/texts.jsonl", true);
    size_t n = 0;
    float *expected = read_vectors(GOLDEN "/minilm/vectors.npy", &n);
    qeff_auto_model *model = load(folder, NULL);
    qeff_embeddings *e = encode(model, texts.items, texts.n, 32);
    assert_true(e->count >= 300);
    assert_int_equal(e->count * e->dim, n);
    assert_close("vectors", e->values, expected, n, 2e-6);
    for (size_t i = 0; i < e->count; i++) {
        double dot = 0;
        for (size_t d = 0; d < e->dim; d++)
            dot += (double)e->values[i * e->dim + d] * (double)expected[i * e->dim + d];
        assert_true(dot >= 0.999999);
    }
    qeff_embeddings_destroy(e);
    qeff_auto_model_destroy(model);
    json_decref(texts.owner);
    free(expected);
}

/* Means and worst cases over all texts, as docs/accuracy.md has them. */
TEST(minilm, vectors_of_lower_precision_stay_near_sentence_transformers)
{
    static const struct {
        const char *precision;
        double mean, worst;
    } cases[] = {{"bf16", 0.99995, 0.9999}, {"int8", 0.9988, 0.993}, {"int8-mixed", 0.9993, 0.998}};
    const char *folder = model_or_skip();
    text_list texts = read_texts(GOLDEN "/minilm/texts.jsonl", true);
    size_t n = 0;
    float *expected = read_vectors(GOLDEN "/minilm/vectors.npy", &n);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const qeff_auto_model_options options = {.precision = cases[c].precision};
        qeff_auto_model *model = load(folder, &options);
        qeff_embeddings *e = encode(model, texts.items, texts.n, 32);
        double sum = 0, worst = 1;
        for (size_t i = 0; i < e->count; i++) {
            double dot = 0;
            for (size_t d = 0; d < e->dim; d++)
                dot += (double)e->values[i * e->dim + d] * (double)expected[i * e->dim + d];
            sum += dot;
            if (dot < worst) worst = dot;
        }
        print_message("%s: cosine mean %.6f, worst %.6f\n", cases[c].precision,
                      sum / (double)e->count, worst);
        assert_true(sum / (double)e->count >= cases[c].mean && worst >= cases[c].worst);
        for (size_t i = 0; i < 20; i++) {
            qeff_embeddings *alone = encode(model, &texts.items[i * 16], 1, 1);
            assert_memory_equal(alone->values, e->values + i * 16 * e->dim, e->dim * sizeof(float));
            qeff_embeddings_destroy(alone);
        }
        qeff_embeddings_destroy(e);
        qeff_auto_model_destroy(model);
    }
    json_decref(texts.owner);
    free(expected);
}

TEST(minilm, hidden_states_are_within_5e_5_of_the_reference)
{
    qeff_error err = {0};
    const char *folder = model_or_skip();
    text_list texts = read_texts(GOLDEN "/minilm/texts.jsonl", true);
    qeff_tensors *golden = NULL;
    ASSERT_OK(qeff_tensors_read_npz(GOLDEN "/minilm/hidden_states.npz", &golden, &err));
    const qeff_tensor *indices = qeff_tensors_find(golden, "indices");
    const qeff_auto_model_options options = {.pooling = "none"};
    qeff_auto_model *model = load(folder, &options);
    for (int64_t k = 0; k < indices->shape[0]; k++) {
        char name[32];
        const int64_t index = ((const int64_t *)indices->data)[k];
        (void)snprintf(name, sizeof name, "t%lld", (long long)k);
        const qeff_tensor *expected = qeff_tensors_find(golden, name);
        qeff_embeddings *e = encode(model, &texts.items[index], 1, 1);
        assert_int_equal(e->n_tokens, expected->shape[0]);
        assert_close(name, e->values, expected->data, e->n_tokens * e->dim, 5e-5);
        qeff_embeddings_destroy(e);
    }
    qeff_auto_model_destroy(model);
    qeff_tensors_destroy(golden);
    json_decref(texts.owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(bert, gives_the_hidden_states_of_the_reference),
        RUN(sentence_transformers, folders_give_the_vectors_of_the_reference),
        RUN(encode, gives_the_same_bits_for_any_batch_order_and_thread_count),
        RUN(generate, of_a_padded_batch_gives_the_bits_of_ragged_encode),
        RUN(minilm, vectors_are_within_2e_6_of_sentence_transformers),
        RUN(minilm, vectors_of_lower_precision_stay_near_sentence_transformers),
        RUN(minilm, hidden_states_are_within_5e_5_of_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
