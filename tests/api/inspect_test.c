/* inspect_test.c - descriptions of every kind of file, and of files that are none. */
#include "base/error.h"
#include "base/span.h"
#include "base/support.h"
#include "formats/json.h"
#include "formats/protobuf.h"
#include "onnx/messages.h"

#include <qeff/auto_model.h>
#include <qeff/inspect.h>

#include <stdlib.h>

#define GOLDENS QEFF_TEST_DATA "/golden/"
#define MODEL   GOLDENS "sentence_transformers/dense_projected"

/* A description as a document. */
typedef struct description {
    char *text;
    qeff_json_document *document;
    qeff_json root;
} description;

static description inspect(const char *path)
{
    description d = {0};
    qeff_error err = {0};
    ASSERT_OK(qeff_inspect(path, &d.text, &err));
    ASSERT_OK(qeff_json_parse(qeff_str_of(d.text), NULL, &d.document, &err));
    d.root = qeff_json_root(d.document);
    return d;
}

static void forget(description *d)
{
    qeff_json_close(d->document);
    qeff_release(d->text);
}

static bool is_str(qeff_json object, const char *key, const char *expected)
{
    qeff_str found = {NULL, 0};
    return !qeff_json_to_str(qeff_json_find(object, key), &found, NULL) &&
           qeff_str_is(found, expected);
}

static int64_t int_of(qeff_json object, const char *key)
{
    int64_t found = -1;
    (void)qeff_json_to_int(qeff_json_find(object, key), 0, INT64_MAX, &found, NULL);
    return found;
}

TEST(inspect, describes_a_model_with_its_modules)
{
    (void)state_;
    description d = inspect(MODEL);
    assert_true(is_str(d.root, "kind", "model"));
    assert_true(is_str(d.root, "architecture", "BertModel"));
    assert_int_equal(int_of(qeff_json_find(d.root, "config"), "hidden_size"), 16);
    const qeff_json modules = qeff_json_find(d.root, "modules");
    assert_true(qeff_json_count(modules) >= 3);
    assert_true(is_str(qeff_json_at(modules, 0), "type", "Transformer"));
    assert_true(is_str(qeff_json_at(modules, 2), "type", "Dense"));
    const qeff_json inputs = qeff_json_find(d.root, "inputs");
    assert_int_equal(qeff_json_count(inputs), 2);
    assert_true(is_str(qeff_json_at(inputs, 0), "name", "input_ids"));
    assert_int_equal(int_of(d.root, "bytes"), 4 * int_of(d.root, "parameters"));
    forget(&d);
}

TEST(inspect, lists_tensors_that_no_graph_uses)
{
    (void)state_;
    description d = inspect(GOLDENS "bert/prefixed");
    const qeff_json tensors = qeff_json_find(d.root, "tensors");
    const qeff_json extra = qeff_json_find(d.root, "extra_tensors");
    assert_true(qeff_json_count(extra) > 0);
    assert_true(qeff_json_count(extra) < qeff_json_count(tensors));
    forget(&d);
}

TEST(inspect, sums_the_shards_of_an_index)
{
    (void)state_;
    description whole = inspect(GOLDENS "bert/sharded");
    description index = inspect(GOLDENS "bert/sharded/model.safetensors.index.json");
    description shard = inspect(GOLDENS "bert/sharded/model-00001-of-00003.safetensors");
    assert_true(is_str(index.root, "kind", "safetensors"));
    assert_int_equal(int_of(index.root, "parameters"), int_of(whole.root, "parameters"));
    assert_true(int_of(shard.root, "parameters") < int_of(index.root, "parameters"));
    forget(&whole);
    forget(&index);
    forget(&shard);
}

TEST(inspect, names_the_steps_of_a_tokenizer)
{
    (void)state_;
    description d = inspect(MODEL "/tokenizer.json");
    qeff_str step = {NULL, 0};
    qeff_error err = {0};
    assert_true(is_str(d.root, "kind", "tokenizer"));
    assert_true(is_str(d.root, "model", "WordPiece"));
    ASSERT_OK(qeff_json_to_str(qeff_json_at(qeff_json_find(d.root, "normalizer"), 0), &step, &err));
    assert_true(qeff_str_is(step, "BertNormalizer"));
    const qeff_json cls = qeff_json_find(qeff_json_find(d.root, "special_tokens"), "cls_token");
    assert_int_equal(int_of(cls, "id"), 2);
    forget(&d);
}

/* Compiles and exports the model into `folder`. */
static void prepare(const test_folder *folder, const char **program, const char **onnx)
{
    qeff_error err = {0};
    qeff_auto_model *model = NULL;
    *program = test_path(folder, "program");
    *onnx = test_path(folder, "BertModel.onnx");
    ASSERT_OK(qeff_auto_model_from_pretrained(MODEL, NULL, &model, &err));
    ASSERT_OK(qeff_auto_model_compile(model, *program, NULL, &err));
    ASSERT_OK(qeff_auto_model_export(model, folder->path, NULL, &err));
    qeff_auto_model_destroy(model);
}

TEST(inspect, describes_programs_and_onnx_files)
{
    (void)state_;
    test_folder folder;
    const char *program = NULL, *onnx = NULL;
    test_folder_create(&folder);
    prepare(&folder, &program, &onnx);
    description d = inspect(program);
    assert_true(is_str(d.root, "kind", "program"));
    assert_true(is_str(d.root, "target", "cpu"));
    assert_true(is_str(qeff_json_find(d.root, "text"), "architecture", "BertModel"));
    assert_true(int_of(qeff_json_find(d.root, "plan"), "n_steps") > 0);
    assert_true(qeff_json_count(qeff_json_find(d.root, "images")) > 3);
    forget(&d);
    d = inspect(onnx);
    bool compiles = false;
    qeff_error err = {0};
    assert_true(is_str(d.root, "kind", "onnx"));
    ASSERT_OK(qeff_json_to_bool(qeff_json_find(d.root, "compiles"), &compiles, &err));
    assert_true(compiles);
    assert_int_equal(int_of(qeff_json_at(qeff_json_find(d.root, "opsets"), 0), "version"), 17);
    assert_true(is_str(qeff_json_at(qeff_json_find(d.root, "outputs"), 0), "name", "output"));
    forget(&d);
    test_folder_remove(&folder);
}

/* An ONNX file of one node on one number. */
static void make_onnx(qeff_buffer *out, const char *op, const char *domain)
{
    qeff_protobuf_put_int(out, MODEL_IR_VERSION, 8);
    size_t mark = qeff_protobuf_begin(out, MODEL_OPSET_IMPORT);
    qeff_protobuf_put_int(out, OPSET_VERSION, 17);
    qeff_protobuf_end(out, mark);
    const size_t graph = qeff_protobuf_begin(out, MODEL_GRAPH);
    mark = qeff_protobuf_begin(out, GRAPH_NODE);
    qeff_protobuf_put_str(out, NODE_INPUT, QEFF_STR("w"));
    qeff_protobuf_put_str(out, NODE_OUTPUT, QEFF_STR("y"));
    qeff_protobuf_put_str(out, NODE_OP_TYPE, qeff_str_of(op));
    qeff_protobuf_put_str(out, NODE_DOMAIN, qeff_str_of(domain));
    qeff_protobuf_end(out, mark);
    mark = qeff_protobuf_begin(out, GRAPH_INITIALIZER);
    qeff_protobuf_put_int(out, TENSOR_DIMS, 1);
    qeff_protobuf_put_int(out, TENSOR_DATA_TYPE, 1);
    qeff_protobuf_put_str(out, TENSOR_NAME, QEFF_STR("w"));
    qeff_protobuf_put_bytes(out, TENSOR_RAW_DATA, (qeff_bytes){(const uint8_t *)"four", 4});
    qeff_protobuf_end(out, mark);
    mark = qeff_protobuf_begin(out, GRAPH_OUTPUT);
    qeff_protobuf_put_str(out, VALUE_NAME, QEFF_STR("y"));
    qeff_protobuf_end(out, mark);
    qeff_protobuf_end(out, graph);
}

TEST(inspect, shows_onnx_files_that_cannot_be_compiled)
{
    (void)state_;
    test_folder folder;
    qeff_buffer bytes = {0};
    test_folder_create(&folder);
    make_onnx(&bytes, "Wobble", "com.example");
    description d = inspect(test_file(&folder, "a.onnx", bytes.data, bytes.size));
    bool compiles = true;
    assert_int_equal(qeff_json_to_bool(qeff_json_find(d.root, "compiles"), &compiles, NULL), 0);
    assert_false(compiles);
    const qeff_json op = qeff_json_at(qeff_json_find(d.root, "operators"), 0);
    assert_true(is_str(op, "name", "Wobble"));
    assert_true(is_str(op, "domain", "com.example"));
    forget(&d);
    qeff_buffer_deinit(&bytes);
    test_folder_remove(&folder);
}

TEST(inspect, refuses_files_that_are_damaged)
{
    (void)state_;
    test_folder folder;
    qeff_error err = {0};
    qeff_buffer bytes = {0};
    char *json = NULL;
    test_folder_create(&folder);
    make_onnx(&bytes, "Abs", "");
    ASSERT_FAILS(
        qeff_inspect(test_file(&folder, "cut.onnx", bytes.data, bytes.size - 3), &json, &err),
        QEFF_ERR_FORMAT, "cut.onnx'");
    ASSERT_FAILS(qeff_inspect(test_text_file(&folder, "a.safetensors", "no"), &json, &err),
                 QEFF_ERR_FORMAT, "a.safetensors'");
    ASSERT_FAILS(qeff_inspect(test_text_file(&folder, "tokenizer.json", "{}"), &json, &err),
                 QEFF_ERR_FORMAT, "tokenizer.json'");
    ASSERT_FAILS(qeff_inspect(test_text_file(&folder, "programqpc.bin", "no"), &json, &err),
                 QEFF_ERR_FORMAT, "programqpc.bin'");
    assert_null(json);
    qeff_buffer_deinit(&bytes);
    test_folder_remove(&folder);
}

TEST(inspect, says_what_it_expected_where_it_knows_nothing)
{
    (void)state_;
    test_folder folder;
    qeff_error err = {0};
    char *json = NULL;
    test_folder_create(&folder);
    ASSERT_FAILS(qeff_inspect(test_path(&folder, "absent"), &json, &err), QEFF_ERR_NOT_FOUND,
                 "absent'");
    ASSERT_FAILS(qeff_inspect(folder.path, &json, &err), QEFF_ERR_UNSUPPORTED,
                 "a folder of no known kind");
    assert_non_null(strstr(err.hint, "config.json"));
    ASSERT_FAILS(qeff_inspect(test_text_file(&folder, "notes.txt", "x"), &json, &err),
                 QEFF_ERR_UNSUPPORTED, "a file of no known kind");
    assert_non_null(strstr(err.hint, "*.safetensors"));
    test_folder_remove(&folder);
}

TEST(inspect, survives_failing_allocations)
{
    (void)state_;
    test_folder folder;
    qeff_error err = {0};
    char *json = NULL;
    const char *paths[6] = {MODEL, MODEL "/model.safetensors", MODEL "/tokenizer.json",
                            GOLDENS "bert/sharded/model.safetensors.index.json"};
    test_folder_create(&folder);
    prepare(&folder, &paths[4], &paths[5]);
    for (int i = 0; i < 6; i++)
        TEST_EACH_ALLOCATION(qeff_inspect(paths[i], &json, &err), qeff_release(json));
    test_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(inspect, describes_a_model_with_its_modules),
        RUN(inspect, lists_tensors_that_no_graph_uses),
        RUN(inspect, sums_the_shards_of_an_index),
        RUN(inspect, names_the_steps_of_a_tokenizer),
        RUN(inspect, describes_programs_and_onnx_files),
        RUN(inspect, shows_onnx_files_that_cannot_be_compiled),
        RUN(inspect, refuses_files_that_are_damaged),
        RUN(inspect, says_what_it_expected_where_it_knows_nothing),
        RUN(inspect, survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
