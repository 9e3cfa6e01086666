/* model_test.c - from a folder to a graph: the nodes of BERT, weights that are missing, mis-shaped
 * or too many, options, content hash, and what happens without memory.
 *
 * The graph texts in tests/golden/bert/ were printed by this test and read by a person; where one
 * differs, the new text is left in the working directory as <name>.actual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "test.h"

#include "base/span.h"
#include "formats/npz.h"
#include "models/model.h"
#include "models/model_folder.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[FOLDER_PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    folder_create(folder);
    folder_write_bert(folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static qeff_status
build_at(const char *path, const qeff_model_options *options, qeff_buffer *text, qeff_error *err)
{
    qeff_model *model = NULL;
    qeff_graph *graph = NULL;
    qeff_status status = qeff_model_open(path, &model, err);
    if (!status) status = qeff_model_build(model, options, &graph, err);
    assert_true((status == QEFF_OK) == (graph != NULL));
    if (graph && text) qeff_graph_print(graph, text);
    qeff_graph_destroy(graph);
    qeff_model_close(model);
    return status;
}

static void expect_text(const char *path, const qeff_model_options *options, const char *golden)
{
    qeff_error err = {0};
    qeff_buffer text = {0};
    qeff_file expected = {.fd = -1};
    char file[512];
    ASSERT_OK(build_at(path, options, &text, &err));
    (void)snprintf(file, sizeof file, "%s/golden/bert/%s", QEFF_TEST_DATA, golden);
    const qeff_status status = qeff_file_read(file, 1 << 20, &expected, &err);
    if (status || expected.size != text.size || memcmp(expected.data, text.data, text.size) != 0) {
        (void)snprintf(file, sizeof file, "%s.actual", golden);
        ASSERT_OK(qeff_file_write(file, qeff_buffer_bytes(&text), &err));
        fail_msg("the graph differs from %s: see %s", golden, file);
    }
    qeff_file_unmap(&expected);
    qeff_buffer_deinit(&text);
}

static const char *golden(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/golden/%s", QEFF_TEST_DATA, name);
    return path;
}

/* --- the graph ------------------------------------------------------------------------------ */

TEST(bert, builds_the_graph_of_hidden_states_and_pooler)
{
    (void)state_;
    const qeff_model_options options = {.pooling = "none", .with_token_type_ids = true};
    expect_text(golden("bert/plain"), &options, "plain_none.txt");
}

TEST(bert, builds_the_graph_of_mean_vectors)
{
    (void)state_;
    const qeff_model_options options = {.pooling = "mean", .normalize = QEFF_MODEL_NORMALIZE_ON};
    expect_text(golden("bert/plain"), &options, "plain_mean.txt");
}

TEST(bert, builds_every_golden_checkpoint)
{
    (void)state_;
    static const char *const names[] = {"plain",   "prefixed", "f16",  "bf16",
                                        "sharded", "gelu_new", "relu", "gamma_beta"};
    const qeff_model_options options = {.pooling = "none"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        qeff_error err = {0};
        char name[64];
        (void)snprintf(name, sizeof name, "bert/%s", names[i]);
        ASSERT_OK(build_at(golden(name), &options, NULL, &err));
    }
}

TEST(bert, gives_the_same_graph_with_and_without_prefix)
{
    (void)state_;
    qeff_error err = {0};
    qeff_buffer plain = {0}, prefixed = {0};
    test_tensor tensors[BERT_TENSORS_MAX];
    ASSERT_OK(build_at(folder, NULL, &plain, &err));
    const size_t n = bert_tensors(tensors, "bert.");
    folder_write_tensors(folder, "model.safetensors", tensors, n);
    ASSERT_OK(build_at(folder, NULL, &prefixed, &err));
    assert_int_equal(plain.size, prefixed.size);
    assert_memory_equal(plain.data, prefixed.data, plain.size);
    qeff_buffer_deinit(&plain);
    qeff_buffer_deinit(&prefixed);
}

static size_t count_outputs(const qeff_model_options *options, int64_t *rank)
{
    qeff_error err = {0};
    qeff_model *model = NULL;
    qeff_graph *graph = NULL;
    ASSERT_OK(qeff_model_open(folder, &model, &err));
    ASSERT_OK(qeff_model_build(model, options, &graph, &err));
    const size_t n = graph->n_outputs;
    assert_true(qeff_str_is(graph->outputs[0].name, "output"));
    assert_true(n < 2 || qeff_str_is(graph->outputs[1].name, "pooler_output"));
    *rank = (int64_t)qeff_graph_value(graph, graph->outputs[0].value)->shape.rank;
    assert_int_equal(graph->n_inputs, options && options->with_token_type_ids ? 3 : 2);
    qeff_graph_destroy(graph);
    qeff_model_close(model);
    return n;
}

TEST(bert, has_a_pooler_output_only_without_pooling)
{
    (void)state_;
    const qeff_model_options none = {.pooling = "none"}, cls = {.pooling = "cls"};
    int64_t rank = 0;
    assert_int_equal(count_outputs(&none, &rank), 2);
    assert_int_equal(rank, 3);
    assert_int_equal(count_outputs(&cls, &rank), 1);
    assert_int_equal(rank, 2);
}

TEST(bert, has_no_pooler_output_without_its_weights)
{
    (void)state_;
    const qeff_model_options none = {.pooling = "none", .with_token_type_ids = true};
    test_tensor tensors[BERT_TENSORS_MAX];
    int64_t rank = 0;
    const size_t n = bert_tensors(tensors, "");
    find_tensor(tensors, n, "pooler.dense.weight")->name[0] = '\0';
    folder_write_tensors(folder, "model.safetensors", tensors, n);
    assert_int_equal(count_outputs(&none, &rank), 1);
}

TEST(bert, builds_each_activation_of_the_table)
{
    (void)state_;
    static const char *const names[] = {
        "gelu",          "gelu_python", "gelu_new", "gelu_fast", "gelu_pytorch_tanh",
        "gelu_accurate", "relu",        "silu",     "swish",     "tanh",
        "sigmoid",       "identity",    "linear",   "leaky_relu"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        qeff_error err = {0};
        char config[4096], quoted[64];
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", names[i]);
        bert_config_with("hidden_act", quoted, config, sizeof config);
        folder_write(folder, "config.json", config);
        ASSERT_OK(build_at(folder, NULL, NULL, &err));
    }
}

/* --- options -------------------------------------------------------------------------------- */

TEST(options, refuse_an_unknown_pooling)
{
    (void)state_;
    qeff_error err = {0};
    const qeff_model_options options = {.pooling = "median"};
    ASSERT_FAILS(build_at(folder, &options, NULL, &err), QEFF_ERR_INVALID,
                 "pooling 'median': unknown, known: cls, max, mean,");
}

TEST(options, refuse_to_normalize_without_pooling)
{
    (void)state_;
    qeff_error err = {0};
    const qeff_model_options options = {.pooling = "none", .normalize = QEFF_MODEL_NORMALIZE_ON};
    ASSERT_FAILS(build_at(folder, &options, NULL, &err), QEFF_ERR_INVALID, "normalize needs");
}

static size_t count_ops(const char *path, const qeff_model_options *options, qeff_op op)
{
    qeff_error err = {0};
    qeff_model *model = NULL;
    qeff_graph *graph = NULL;
    size_t n = 0;
    ASSERT_OK(qeff_model_open(path, &model, &err));
    ASSERT_OK(qeff_model_build(model, options, &graph, &err));
    for (size_t i = 0; i < graph->n_nodes; i++)
        n += graph->nodes[i].op == op;
    qeff_graph_destroy(graph);
    qeff_model_close(model);
    return n;
}

TEST(options, normalize_once_where_the_folder_does_or_is_asked_to)
{
    (void)state_;
    const char *path = golden("sentence_transformers/old_dense_tanh");
    const qeff_model_options on = {.normalize = QEFF_MODEL_NORMALIZE_ON};
    const qeff_model_options off = {.normalize = QEFF_MODEL_NORMALIZE_OFF};
    const qeff_model_options mean = {.pooling = "mean"};
    const qeff_model_options both = {.pooling = "mean", .normalize = QEFF_MODEL_NORMALIZE_ON};
    assert_int_equal(count_ops(path, NULL, QEFF_OP_L2_NORMALIZE), 1);
    assert_int_equal(count_ops(path, &on, QEFF_OP_L2_NORMALIZE), 1);
    assert_int_equal(count_ops(path, &off, QEFF_OP_L2_NORMALIZE), 0);
    assert_int_equal(count_ops(path, &mean, QEFF_OP_L2_NORMALIZE), 0);
    assert_int_equal(count_ops(path, &both, QEFF_OP_L2_NORMALIZE), 1);
    assert_int_equal(count_ops(path, &on, QEFF_OP_TANH), 1);
    assert_int_equal(count_ops(path, &both, QEFF_OP_TANH), 0);
}

TEST(options, normalize_a_folder_that_does_not)
{
    (void)state_;
    const qeff_model_options on = {.normalize = QEFF_MODEL_NORMALIZE_ON};
    assert_int_equal(count_ops(folder, NULL, QEFF_OP_L2_NORMALIZE), 0);
    assert_int_equal(count_ops(folder, &on, QEFF_OP_L2_NORMALIZE), 1);
}

TEST(options, give_the_width_of_the_output)
{
    (void)state_;
    qeff_error err = {0};
    qeff_model *model = NULL;
    const qeff_model_options mean = {.pooling = "mean"}, none = {.pooling = "none"};
    int64_t dim = 0;
    ASSERT_OK(qeff_model_open(golden("sentence_transformers/old_concat"), &model, &err));
    ASSERT_OK(qeff_model_output_dim(model, NULL, &dim, &err));
    assert_int_equal(dim, 64);
    ASSERT_OK(qeff_model_output_dim(model, &mean, &dim, &err));
    assert_int_equal(dim, 16);
    ASSERT_OK(qeff_model_output_dim(model, &none, &dim, &err));
    assert_int_equal(dim, 16);
    qeff_model_close(model);
}

/* --- folders -------------------------------------------------------------------------------- */

/* The longest text and the width of a vector, as the reference has them. */
static void expect_reference(const char *folder_path)
{
    qeff_error err = {0};
    qeff_model *model = NULL;
    qeff_npz *npz = NULL;
    char path[600];
    int64_t dim = 0;
    (void)snprintf(path, sizeof path, "%s/expected.npz", folder_path);
    ASSERT_OK(qeff_npz_open(path, &npz, &err));
    ASSERT_OK(qeff_model_open(folder_path, &model, &err));
    const qeff_st_config *st = qeff_model_st_config(model);
    const qeff_array *length = qeff_npz_find(npz, QEFF_STR("max_seq_length"));
    const qeff_array *vectors = qeff_npz_find(npz, QEFF_STR("vectors"));
    assert_int_equal(st->max_seq_length, qeff_load_u64le(length->data.data));
    ASSERT_OK(qeff_model_output_dim(model, NULL, &dim, &err));
    assert_int_equal(st->truncate_dim ? st->truncate_dim : dim, vectors->shape[1]);
    qeff_model_close(model);
    qeff_npz_close(npz);
}

static int visit_golden(const char *name)
{
    qeff_error err = {0};
    char path[128];
    (void)snprintf(path, sizeof path, "sentence_transformers/%s", name);
    const qeff_status status = build_at(golden(path), NULL, NULL, &err);
    if (status) print_error("%s: %s\n", name, err.message);
    if (!status) expect_reference(golden(path));
    return status == QEFF_OK;
}

TEST(folder, builds_every_golden_sentence_transformer)
{
    (void)state_;
    static const char *const names[] = {"new_cls",
                                        "new_max",
                                        "new_mean",
                                        "new_mean_sqrt_len_tokens",
                                        "new_weightedmean",
                                        "new_lasttoken",
                                        "new_concat",
                                        "old_cls_token",
                                        "old_max_tokens",
                                        "old_mean_tokens",
                                        "old_mean_sqrt_len_tokens",
                                        "old_weightedmean_tokens",
                                        "old_lasttoken",
                                        "old_none_set",
                                        "old_concat",
                                        "old_dense_tanh",
                                        "old_subfolder",
                                        "dense_identity",
                                        "dense_no_bias",
                                        "dense_residual",
                                        "dense_projected",
                                        "dense_twice",
                                        "dense_tokens",
                                        "layer_norm",
                                        "dropout",
                                        "prompts",
                                        "truncate_dim",
                                        "no_modules"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(visit_golden(names[i]));
}

TEST(folder, is_not_found)
{
    (void)state_;
    qeff_error err = {0};
    ASSERT_FAILS(build_at("no/such/folder", NULL, NULL, &err), QEFF_ERR_NOT_FOUND,
                 "'no/such/folder': no such folder");
}

TEST(folder, is_not_a_file)
{
    (void)state_;
    qeff_error err = {0};
    char path[300];
    (void)snprintf(path, sizeof path, "%s/config.json", folder);
    ASSERT_FAILS(build_at(path, NULL, NULL, &err), QEFF_ERR_FORMAT, "expected a folder");
}

TEST(folder, lacks_weights)
{
    (void)state_;
    qeff_error err = {0};
    folder_write(folder, "model.safetensors", NULL);
    ASSERT_FAILS(build_at(folder, NULL, NULL, &err), QEFF_ERR_NOT_FOUND, folder);
}

/* models--x/snapshots/<commit>/file -> ../../blobs/<digest> */
TEST(folder, may_be_a_snapshot_of_a_hub_cache)
{
    (void)state_;
    static const char *const files[] = {"config.json", "model.safetensors", "modules.json"};
    qeff_error err = {0};
    char from[400], to[400], snapshot[200];
    folder_write(folder, "modules.json",
                 "[{\"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"},"
                 "{\"path\": \"1_Pooling\", \"type\": \"sentence_transformers.models.Pooling\"}]");
    (void)snprintf(snapshot, sizeof snapshot, "%s/snapshots", folder);
    assert_int_equal(mkdir(snapshot, 0777), 0);
    (void)snprintf(snapshot, sizeof snapshot, "%s/blobs", folder);
    assert_int_equal(mkdir(snapshot, 0777), 0);
    (void)snprintf(snapshot, sizeof snapshot, "%s/snapshots/0123", folder);
    assert_int_equal(mkdir(snapshot, 0777), 0);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(from, sizeof from, "%s/%s", folder, files[i]);
        (void)snprintf(to, sizeof to, "%s/blobs/b%zu", folder, i);
        assert_int_equal(rename(from, to), 0);
        (void)snprintf(from, sizeof from, "../../blobs/b%zu", i);
        (void)snprintf(to, sizeof to, "%s/%s", snapshot, files[i]);
        assert_int_equal(symlink(from, to), 0);
    }
    folder_write(folder, "blobs/b9", "{\"embedding_dimension\": 8}");
    (void)snprintf(to, sizeof to, "%s/1_Pooling", snapshot);
    assert_int_equal(mkdir(to, 0777), 0);
    (void)snprintf(to, sizeof to, "%s/1_Pooling/config.json", snapshot);
    assert_int_equal(symlink("../../../blobs/b9", to), 0);
    ASSERT_OK(build_at(snapshot, NULL, NULL, &err));
}

TEST(folder, may_not_link_out_of_itself)
{
    (void)state_;
    qeff_error err = {0};
    char link[400];
    folder_write(folder, "config.json", NULL);
    (void)snprintf(link, sizeof link, "%s/config.json", folder);
    assert_int_equal(symlink("/etc/hostname", link), 0);
    ASSERT_FAILS(build_at(folder, NULL, NULL, &err), QEFF_ERR_FORMAT,
                 "link that leads outside the folder");
}

/* --- weights that do not fit ---------------------------------------------------------------- */

TEST(weights, list_what_is_missing_and_what_has_another_shape)
{
    (void)state_;
    qeff_error err = {0};
    test_tensor tensors[BERT_TENSORS_MAX];
    const size_t n = bert_tensors(tensors, "");
    find_tensor(tensors, n, "encoder.layer.1.attention.self.key.bias")->name[0] = '\0';
    find_tensor(tensors, n, "encoder.layer.0.output.dense.weight")->name[0] = '\0';
    find_tensor(tensors, n, "encoder.layer.1.intermediate.dense.weight")->shape[0] = 13;
    folder_write_tensors(folder, "model.safetensors", tensors, n);
    ASSERT_FAILS(build_at(folder, NULL, NULL, &err), QEFF_ERR_FORMAT,
                 "encoder.layer.1.attention.self.key.bias");
    assert_non_null(strstr(err.message, "encoder.layer.0.output.dense.weight"));
    assert_non_null(strstr(err.message, "encoder.layer.1.intermediate.dense.weight"));
    assert_non_null(strstr(err.message, "13"));
    assert_memory_equal(err.message + 1, folder, strlen(folder));
    assert_null(strchr(err.message, '\n'));
}

TEST(weights, do_not_fit_another_vocabulary)
{
    (void)state_;
    qeff_error err = {0};
    char config[4096];
    bert_config_with("vocab_size", "11", config, sizeof config);
    folder_write(folder, "config.json", config);
    ASSERT_FAILS(build_at(folder, NULL, NULL, &err), QEFF_ERR_FORMAT,
                 "embeddings.word_embeddings.weight");
    assert_non_null(strstr(err.message, "11"));
    assert_non_null(strstr(err.message, "10"));
}

TEST(weights, must_be_floating_point)
{
    (void)state_;
    qeff_error err = {0};
    test_tensor tensors[BERT_TENSORS_MAX];
    const size_t n = bert_tensors(tensors, "");
    find_tensor(tensors, n, "encoder.layer.0.output.dense.weight")->dtype = "I64";
    folder_write_tensors(folder, "model.safetensors", tensors, n);
    ASSERT_FAILS(build_at(folder, NULL, NULL, &err), QEFF_ERR_UNSUPPORTED,
                 "encoder.layer.0.output.dense");
}

TEST(weights, are_refused_for_a_thousand_layers_that_are_not_there)
{
    (void)state_;
    qeff_error err = {0};
    char config[4096];
    bert_config_with("num_hidden_layers", "1000", config, sizeof config);
    folder_write(folder, "config.json", config);
    ASSERT_FAILS(build_at(folder, NULL, NULL, &err), QEFF_ERR_FORMAT, "encoder.layer.2.");
}

typedef struct names_seen {
    size_t n;
    char text[512];
} names_seen;

static void see(void *ctx, const qeff_tensor_view *tensor)
{
    names_seen *seen = ctx;
    const size_t used = strlen(seen->text);
    (void)snprintf(seen->text + used, sizeof seen->text - used, "%.*s;", (int)tensor->name.size,
                   tensor->name.data);
    seen->n++;
}

static void expect_extra(const char *path, const char *expected)
{
    qeff_error err = {0};
    qeff_model *model = NULL;
    names_seen seen = {0};
    ASSERT_OK(qeff_model_open(path, &model, &err));
    ASSERT_OK(qeff_model_visit_extra_tensors(model, see, &seen, &err));
    assert_string_equal(seen.text, expected);
    qeff_model_close(model);
}

TEST(weights, that_are_all_used_leave_nothing_extra)
{
    (void)state_;
    expect_extra(folder, "");
    expect_extra(golden("sentence_transformers/dense_projected"), "");
}

TEST(weights, that_no_graph_uses_are_named)
{
    (void)state_;
    test_tensor tensors[BERT_TENSORS_MAX];
    size_t n = bert_tensors(tensors, "");
    tensors[n++] = (test_tensor){"embeddings.position_ids", "I64", 2, {1, 6}};
    tensors[n++] = (test_tensor){"empty", "F32", 1, {0, 0}};
    folder_write_tensors(folder, "model.safetensors", tensors, n);
    expect_extra(folder, "embeddings.position_ids;empty;");
}

/* --- content -------------------------------------------------------------------------------- */

static void hash_folder(const char *path, const qeff_model_options *options, char hex[65])
{
    qeff_error err = {0};
    qeff_model *model = NULL;
    qeff_hash hash = {0};
    uint8_t digest[QEFF_HASH_BYTES];
    ASSERT_OK(qeff_model_open(path, &model, &err));
    ASSERT_OK(qeff_model_weights_digest(model, digest, &err));
    qeff_hash_init(&hash);
    qeff_model_hash(model, options, digest, &hash);
    ASSERT_OK(qeff_hash_finish(&hash, digest, &err));
    qeff_hash_format(digest, hex);
    qeff_model_close(model);
}

TEST(hash, does_not_depend_on_where_the_folder_lies)
{
    (void)state_;
    char a[65], b[65], moved[FOLDER_PATH_MAX];
    hash_folder(folder, NULL, a);
    (void)snprintf(moved, sizeof moved, "%.50s.moved", folder);
    assert_int_equal(rename(folder, moved), 0);
    hash_folder(moved, NULL, b);
    assert_int_equal(rename(moved, folder), 0);
    assert_string_equal(a, b);
}

TEST(hash, changes_with_config_modules_weights_and_options)
{
    (void)state_;
    const qeff_model_options options[] = {
        {.pooling = "mean"},           {.pooling = "cls"},
        {.pooling = "none"},           {.pooling = "mean", .normalize = QEFF_MODEL_NORMALIZE_ON},
        {.with_token_type_ids = true},
    };
    test_tensor tensors[BERT_TENSORS_MAX];
    char hex[9][65], config[4096];
    size_t n = 0;
    hash_folder(folder, NULL, hex[n++]);
    for (size_t i = 0; i < 5; i++)
        hash_folder(folder, &options[i], hex[n++]);
    bert_config_with("layer_norm_eps", "1e-5", config, sizeof config);
    folder_write(folder, "config.json", config);
    hash_folder(folder, NULL, hex[n++]);
    folder_write(folder, "config.json", BERT_CONFIG);
    folder_write(folder, "tokenizer_config.json", "{}");
    hash_folder(folder, NULL, hex[n++]);
    folder_write(folder, "tokenizer_config.json", NULL);
    const size_t n_tensors = bert_tensors(tensors, "");
    tensors[0].dtype = "F16";
    folder_write_tensors(folder, "model.safetensors", tensors, n_tensors);
    hash_folder(folder, NULL, hex[n++]);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(hex[i], hex[j]);
}

TEST(files, are_listed_by_role)
{
    (void)state_;
    qeff_error err = {0};
    qeff_model *model = NULL;
    size_t n = 0;
    ASSERT_OK(qeff_model_open(golden("sentence_transformers/old_dense_tanh"), &model, &err));
    const qeff_model_file *files = qeff_model_files_get(model, &n);
    assert_int_equal(n, 6);
    assert_string_equal(files[0].role, "modules.json");
    assert_string_equal(files[1].role, "config.json");
    assert_string_equal(files[2].role, "module 1");
    assert_string_equal(files[3].role, "module 2");
    assert_string_equal(files[4].role, "tokenizer_config.json");
    assert_string_equal(files[5].role, "module 0");
    qeff_model_close(model);
}

/* --- memory --------------------------------------------------------------------------------- */

static qeff_status do_everything(const char *path, qeff_error *err)
{
    qeff_model *model = NULL;
    qeff_graph *graph = NULL;
    names_seen seen = {0};
    qeff_status status = qeff_model_open(path, &model, err);
    if (!status) status = qeff_model_build(model, NULL, &graph, err);
    if (!status) status = qeff_model_visit_extra_tensors(model, see, &seen, err);
    qeff_graph_destroy(graph);
    qeff_model_close(model);
    return status;
}

TEST(memory, may_run_out_at_any_point)
{
    (void)state_;
    const char *path = golden("sentence_transformers/dense_projected");
    for (size_t nth = 1;; nth++) {
        qeff_error err = {0};
        failing_allocator_install(nth);
        const qeff_status status = do_everything(path, &err);
        const size_t live = failing_allocator_live();
        const int has_failed = failing_allocator_has_failed();
        failing_allocator_remove();
        assert_int_equal(live, 0);
        if (!has_failed) {
            assert_int_equal(status, QEFF_OK);
            assert_true(nth > 20);
            break;
        }
        if (status != QEFF_ERR_NO_MEMORY) print_error("call %zu: %s\n", nth, err.message);
        assert_int_equal(status, QEFF_ERR_NO_MEMORY);
        assert_true(err.message[0] != '\0');
    }
}

/* --- the real model ------------------------------------------------------------------------- */

TEST(minilm, opens_and_builds)
{
    (void)state_;
    const char *path = getenv("QEFF_TEST_MODEL");
    if (!path) {
        print_message("QEFF_TEST_MODEL is not set: the folder of all-MiniLM-L6-v2 is not tested\n");
        skip();
    }
    qeff_error err = {0};
    qeff_model *model = NULL;
    qeff_buffer text = {0};
    ASSERT_OK(qeff_model_open(path, &model, &err));
    qeff_st_describe(qeff_model_st_config(model), &text);
    assert_int_equal(text.size, strlen("mean, normalize"));
    assert_memory_equal(text.data, "mean, normalize", text.size);
    assert_int_equal(qeff_model_st_config(model)->max_seq_length, 256);
    qeff_buffer_deinit(&text);
    qeff_model_close(model);
    ASSERT_OK(build_at(path, NULL, NULL, &err));
    expect_extra(path, "embeddings.position_ids;");
}

#define HERE(subject, statement)                                                                   \
    cmocka_unit_test_setup_teardown(subject##__##statement, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(bert, builds_the_graph_of_hidden_states_and_pooler),
        HERE(bert, builds_the_graph_of_mean_vectors),
        HERE(bert, builds_every_golden_checkpoint),
        HERE(bert, gives_the_same_graph_with_and_without_prefix),
        HERE(bert, has_a_pooler_output_only_without_pooling),
        HERE(bert, has_no_pooler_output_without_its_weights),
        HERE(bert, builds_each_activation_of_the_table),
        HERE(options, refuse_an_unknown_pooling),
        HERE(options, refuse_to_normalize_without_pooling),
        HERE(options, normalize_once_where_the_folder_does_or_is_asked_to),
        HERE(options, normalize_a_folder_that_does_not),
        HERE(options, give_the_width_of_the_output),
        HERE(folder, builds_every_golden_sentence_transformer),
        HERE(folder, is_not_found),
        HERE(folder, is_not_a_file),
        HERE(folder, lacks_weights),
        HERE(folder, may_be_a_snapshot_of_a_hub_cache),
        HERE(folder, may_not_link_out_of_itself),
        HERE(weights, list_what_is_missing_and_what_has_another_shape),
        HERE(weights, do_not_fit_another_vocabulary),
        HERE(weights, must_be_floating_point),
        HERE(weights, are_refused_for_a_thousand_layers_that_are_not_there),
        HERE(weights, that_are_all_used_leave_nothing_extra),
        HERE(weights, that_no_graph_uses_are_named),
        HERE(hash, does_not_depend_on_where_the_folder_lies),
        HERE(hash, changes_with_config_modules_weights_and_options),
        HERE(files, are_listed_by_role),
        HERE(memory, may_run_out_at_any_point),
        HERE(minilm, opens_and_builds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
