/* sentence_transformers_test.c - modules.json and its files: what they mean, and what is refused
 * by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "test.h"

#include "base/span.h"
#include "models/model.h"
#include "models/model_folder.h"

#define TYPE "sentence_transformers.models."
#define ENTRY(idx, path, type)                                                                     \
    "{\"idx\": " #idx ", \"name\": \"" #idx "\", \"path\": \"" path "\", \"type\": \"" type "\"}"
#define FIRST ENTRY(0, "", TYPE "Transformer")
#define POOL  ENTRY(1, "1_Pooling", TYPE "Pooling")

static char folder[FOLDER_PATH_MAX];

/* A folder with mean pooling and Normalize, as most are; each test changes one file. */
static int set_up(void **state)
{
    (void)state;
    folder_create(folder);
    folder_write_bert(folder);
    folder_write(folder, "modules.json",
                 "[" FIRST "," POOL "," ENTRY(2, "2_Normalize", TYPE "Normalize") "]");
    folder_write(folder, "1_Pooling/config.json",
                 "{\"word_embedding_dimension\": 8, \"pooling_mode_mean_tokens\": true}");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static void write_dense(const char *config, int64_t n_out, int64_t n_in, bool has_bias)
{
    test_tensor tensors[] = {{"linear.weight", "F32", 2, {n_out, n_in}},
                             {"linear.bias", "F32", 1, {n_out, 0}}};
    folder_write(folder, "modules.json",
                 "[" FIRST "," POOL "," ENTRY(2, "2_Dense", TYPE "Dense") "]");
    folder_write(folder, "2_Dense/config.json", config);
    folder_write_tensors(folder, "2_Dense/model.safetensors", tensors, has_bias ? 2 : 1);
}

#define DENSE_CONFIG                                                                               \
    "{\"in_features\": 8, \"out_features\": 4, \"bias\": true, \"activation_function\": "          \
    "\"torch.nn.modules.activation.Tanh\"}"

static qeff_status open_and_close(qeff_error *err)
{
    qeff_model *model = NULL;
    const qeff_status status = qeff_model_open(folder, &model, err);
    assert_true((status == QEFF_OK) == (model != NULL));
    qeff_model_close(model);
    return status;
}

static void refuse_now(const char *file, qeff_status status, const char *text)
{
    qeff_error err = {0};
    char named[400];
    ASSERT_FAILS(open_and_close(&err), status, text);
    (void)snprintf(named, sizeof named, "'%s/%s", folder, file);
    assert_memory_equal(err.message, named, strlen(named));
    assert_null(strchr(err.message, '\n'));
}

static void refuse(const char *file, const char *content, qeff_status status, const char *text)
{
    folder_write(folder, file, content);
    refuse_now(file, status, text);
}

/* What follows the transformer, as text; the model is opened and its graph built. */
static void expect_heads(const char *expected, int64_t dim)
{
    qeff_error err = {0};
    qeff_model *model = NULL;
    qeff_graph *graph = NULL;
    qeff_buffer text = {0};
    int64_t found_dim = 0;
    ASSERT_OK(qeff_model_open(folder, &model, &err));
    qeff_st_describe(qeff_model_st_config(model), &text);
    qeff_buffer_append_byte(&text, 0);
    assert_string_equal((const char *)text.data, expected);
    ASSERT_OK(qeff_model_output_dim(model, NULL, &found_dim, &err));
    assert_int_equal(found_dim, dim);
    ASSERT_OK(qeff_model_build(model, NULL, &graph, &err));
    assert_int_equal(graph->n_outputs, 1);
    const qeff_value_info *out = qeff_graph_value(graph, graph->outputs[0].value);
    assert_int_equal(out->shape.rank, 2);
    assert_int_equal(out->shape.dims[1].size, dim);
    qeff_graph_destroy(graph);
    qeff_buffer_deinit(&text);
    qeff_model_close(model);
}

/* --- what is read --------------------------------------------------------------------------- */

TEST(modules, read_an_absent_normalize_folder)
{
    (void)state_;
    expect_heads("mean, normalize", 8);
}

TEST(modules, assume_mean_without_modules_json)
{
    (void)state_;
    qeff_error err = {0};
    qeff_model *model = NULL;
    folder_write(folder, "modules.json", NULL);
    ASSERT_OK(qeff_model_open(folder, &model, &err));
    assert_false(qeff_model_st_config(model)->has_modules);
    qeff_model_close(model);
    expect_heads("mean", 8);
}

TEST(modules, match_the_paths_of_both_generations)
{
    (void)state_;
    folder_write(
        folder, "modules.json",
        "[" ENTRY(0, "", "sentence_transformers.base.modules.transformer.Transformer") "," ENTRY(
            1, "1_Pooling",
            "sentence_transformers.sentence_transformer.modules.pooling.Pooling") "]");
    expect_heads("mean", 8);
}

TEST(modules, find_the_transformer_in_a_subfolder)
{
    (void)state_;
    qeff_error err = {0};
    qeff_model *model = NULL;
    char home[400];
    folder_write(folder, "config.json", NULL);
    folder_write(folder, "model.safetensors", NULL);
    folder_write(folder, "modules.json",
                 "[" ENTRY(0, "0_Transformer", TYPE "Transformer") "," POOL "]");
    (void)snprintf(home, sizeof home, "%s/0_Transformer", folder);
    folder_write(home, "config.json", BERT_CONFIG);
    folder_write_bert(home);
    ASSERT_OK(qeff_model_open(folder, &model, &err));
    assert_string_equal(qeff_model_transformer_folder(model), home);
    qeff_model_close(model);
}

TEST(modules, skip_dropout)
{
    (void)state_;
    folder_write(folder, "modules.json",
                 "[" FIRST "," POOL "," ENTRY(2, "2_Dropout", TYPE "Dropout") "]");
    expect_heads("mean, dropout", 8);
}

TEST(pooling, concatenates_old_flags_in_the_order_of_columns)
{
    (void)state_;
    folder_write(folder, "1_Pooling/config.json",
                 "{\"word_embedding_dimension\": 8, \"pooling_mode_lasttoken\": true, "
                 "\"pooling_mode_mean_tokens\": true, \"pooling_mode_cls_token\": true}");
    expect_heads("cls + mean + lasttoken, normalize", 24);
}

TEST(pooling, concatenates_a_list_in_its_own_order)
{
    (void)state_;
    folder_write(folder, "1_Pooling/config.json",
                 "{\"embedding_dimension\": 8, \"pooling_mode\": [\"max\", \"cls\"]}");
    expect_heads("max + cls, normalize", 16);
}

TEST(pooling, reads_one_word)
{
    (void)state_;
    folder_write(folder, "1_Pooling/config.json",
                 "{\"embedding_dimension\": 8, \"pooling_mode\": \"weightedmean\"}");
    expect_heads("weightedmean, normalize", 8);
}

TEST(pooling, takes_mean_where_all_flags_are_false)
{
    (void)state_;
    folder_write(folder, "1_Pooling/config.json",
                 "{\"word_embedding_dimension\": 8, \"pooling_mode_cls_token\": false, "
                 "\"pooling_mode_mean_tokens\": false}");
    expect_heads("mean, normalize", 8);
}

TEST(dense, is_read_with_its_weights)
{
    (void)state_;
    write_dense(DENSE_CONFIG, 4, 8, true);
    expect_heads("mean, dense 4 tanh", 4);
}

TEST(dense, needs_no_bias)
{
    (void)state_;
    write_dense("{\"in_features\": 8, \"out_features\": 4, \"bias\": false, "
                "\"activation_function\": \"torch.nn.modules.linear.Identity\"}",
                4, 8, false);
    expect_heads("mean, dense 4 identity", 4);
}

TEST(dense, ignores_keys_of_later_releases)
{
    (void)state_;
    write_dense("{\"in_features\": 8, \"out_features\": 4, \"colour\": \"blue\"}", 4, 8, true);
    expect_heads("mean, dense 4 tanh", 4);
}

TEST(dense, knows_every_activation_it_lists)
{
    (void)state_;
    static const char *const names[] = {"Identity", "Tanh",      "ReLU", "GELU",    "SiLU",
                                        "Sigmoid",  "LeakyReLU", "ELU",  "Softplus"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        qeff_error err = {0};
        qeff_model *model = NULL;
        qeff_graph *graph = NULL;
        char config[300];
        (void)snprintf(config, sizeof config,
                       "{\"in_features\": 8, \"out_features\": 4, \"activation_function\": "
                       "\"torch.nn.modules.activation.%s\"}",
                       names[i]);
        write_dense(config, 4, 8, true);
        ASSERT_OK(qeff_model_open(folder, &model, &err));
        ASSERT_OK(qeff_model_build(model, NULL, &graph, &err));
        qeff_graph_destroy(graph);
        qeff_model_close(model);
    }
}

TEST(dense, twice_has_two_sets_of_weights)
{
    (void)state_;
    write_dense(DENSE_CONFIG, 4, 8, true);
    test_tensor tensors[] = {{"linear.weight", "F32", 2, {3, 4}},
                             {"linear.bias", "F32", 1, {3, 0}}};
    folder_write(folder, "modules.json",
                 "[" FIRST "," POOL
                 "," ENTRY(2, "2_Dense", TYPE "Dense") "," ENTRY(3, "3_Dense", TYPE "Dense") "]");
    folder_write(folder, "3_Dense/config.json", "{\"in_features\": 4, \"out_features\": 3}");
    folder_write_tensors(folder, "3_Dense/model.safetensors", tensors, 2);
    expect_heads("mean, dense 4 tanh, dense 3 tanh", 3);
}

static const qeff_st_config *open_settings(qeff_model **model)
{
    qeff_error err = {0};
    ASSERT_OK(qeff_model_open(folder, model, &err));
    return qeff_model_st_config(*model);
}

TEST(settings, read_prompts_in_order_and_the_default)
{
    (void)state_;
    qeff_model *model = NULL;
    folder_write(folder, "config_sentence_transformers.json",
                 "{\"prompts\": {\"zebra\": \"z: \", \"query\": \"q: \", \"none\": null}, "
                 "\"default_prompt_name\": \"query\", \"similarity_fn_name\": \"dot\", "
                 "\"truncate_dim\": 5}");
    const qeff_st_config *st = open_settings(&model);
    assert_int_equal(st->n_prompts, 4); /* "document" is always there */
    assert_true(qeff_str_is(st->prompts[0].name, "zebra"));
    assert_true(qeff_str_is(st->default_prompt_name, "query"));
    assert_true(qeff_str_is(qeff_st_find_prompt(st, QEFF_STR("query"))->text, "q: "));
    assert_int_equal(qeff_st_find_prompt(st, QEFF_STR("document"))->text.size, 0);
    assert_null(qeff_st_find_prompt(st, QEFF_STR("passage")));
    assert_true(qeff_str_is(st->similarity, "dot"));
    assert_int_equal(st->truncate_dim, 5);
    qeff_model_close(model);
}

static void expect_length(const char *transformer, const char *tokenizer, int64_t expected)
{
    qeff_model *model = NULL;
    folder_write(folder, "sentence_bert_config.json", transformer);
    folder_write(folder, "tokenizer_config.json", tokenizer);
    assert_int_equal(open_settings(&model)->max_seq_length, expected);
    qeff_model_close(model);
}

TEST(settings, take_the_explicit_length_over_the_tokenizers)
{
    (void)state_;
    expect_length("{\"max_seq_length\": 5}", "{\"model_max_length\": 3}", 5);
}

TEST(settings, take_the_tokenizers_length_without_an_explicit_one)
{
    (void)state_;
    expect_length("{\"max_seq_length\": null}", "{\"model_max_length\": 3}", 3);
}

TEST(settings, take_the_position_table_where_the_tokenizer_has_no_limit)
{
    (void)state_;
    expect_length("{}", "{\"model_max_length\": 1000000000000000019884624838656}", 6);
}

TEST(settings, never_exceed_the_position_table)
{
    (void)state_;
    expect_length("{\"max_seq_length\": 5000}", NULL, 6);
}

TEST(settings, take_the_length_of_the_tokenizer_arguments_first)
{
    (void)state_;
    expect_length("{\"max_seq_length\": 5, \"tokenizer_args\": {\"model_max_length\": 4}}", NULL,
                  4);
}

TEST(settings, read_the_file_of_an_older_name)
{
    (void)state_;
    qeff_model *model = NULL;
    folder_write(folder, "sentence_distilbert_config.json",
                 "{\"max_seq_length\": 4, \"do_lower_case\": true}");
    const qeff_st_config *st = open_settings(&model);
    assert_int_equal(st->max_seq_length, 4);
    assert_true(st->do_lower_case);
    qeff_model_close(model);
}

TEST(settings, do_not_count_without_modules_json)
{
    (void)state_;
    qeff_model *model = NULL;
    folder_write(folder, "modules.json", NULL);
    folder_write(folder, "sentence_bert_config.json", "{\"max_seq_length\": 4}");
    folder_write(folder, "config_sentence_transformers.json",
                 "{\"prompts\": {\"query\": \"q: \"}, \"default_prompt_name\": \"query\"}");
    const qeff_st_config *st = open_settings(&model);
    assert_int_equal(st->max_seq_length, 6);
    assert_null(st->default_prompt_name.data);
    assert_int_equal(qeff_st_find_prompt(st, QEFF_STR("query"))->text.size, 0);
    qeff_model_close(model);
}

/* --- what is refused ------------------------------------------------------------------------ */

#define MODULES  "modules.json"
#define POOLING  "1_Pooling/config.json"
#define SETTINGS "config_sentence_transformers.json"
#define FORMAT   QEFF_ERR_FORMAT
#define UNKNOWN  QEFF_ERR_UNSUPPORTED

#define FILE_CASES                                                                                 \
    REFUSES(modules_that_are_an_object, MODULES, "{}", FORMAT, "array")                            \
    REFUSES(modules_that_are_empty, MODULES, "[]", FORMAT, "no modules")                           \
    REFUSES(modules_that_are_numbers, MODULES, "[1]", FORMAT, "module 0: ")                        \
    REFUSES(a_module_without_a_type, MODULES, "[{\"path\": \"\"}]", FORMAT, "'type'")              \
    REFUSES(a_module_without_a_path, MODULES, "[{\"type\": \"" TYPE "Transformer\"}]", FORMAT,     \
            "'path'")                                                                              \
    REFUSES(a_module_path_upwards, MODULES, "[" FIRST "," ENTRY(1, "../../x", TYPE "Pooling") "]", \
            FORMAT, "key 'path': '../../x")                                                        \
    REFUSES(a_module_path_that_is_absolute, MODULES,                                               \
            "[" FIRST "," ENTRY(1, "/etc", TYPE "Pooling") "]", FORMAT, "key 'path': '/etc")       \
    REFUSES(a_module_path_with_a_nul, MODULES,                                                     \
            "[" FIRST "," ENTRY(1, "a\\u0000b", TYPE "Pooling") "]", FORMAT, "key 'path': 'a")     \
    REFUSES(a_transformer_path_upwards, MODULES, "[" ENTRY(0, "..", TYPE "Transformer") "]",       \
            FORMAT, "key 'path': '..")                                                             \
    REFUSES(a_gap_in_idx, MODULES, "[" FIRST "," ENTRY(2, "1_Pooling", TYPE "Pooling") "]",        \
            FORMAT, "'idx'")                                                                       \
    REFUSES(two_transformers, MODULES, "[" FIRST "," ENTRY(1, "", TYPE "Transformer") "]", FORMAT, \
            "module 1: a second Transformer")                                                      \
    REFUSES(no_transformer, MODULES, "[" ENTRY(0, "1_Pooling", TYPE "Pooling") "]", FORMAT,        \
            "expected a Transformer, found 'Pooling'")                                             \
    REFUSES(a_module_it_does_not_know, MODULES, "[" FIRST "," ENTRY(1, "1_CNN", TYPE "CNN") "]",   \
            UNKNOWN, "unknown module 'sentence_transformers.models.CNN'")                          \
    REFUSES(code_that_came_with_the_model, MODULES, "[" ENTRY(0, "", "custom_st.Transformer") "]", \
            UNKNOWN, "unknown module 'custom_st.Transformer'")                                     \
    REFUSES(only_a_transformer, MODULES, "[" FIRST "]", FORMAT,                                    \
            "no module makes a sentence embedding")                                                \
    REFUSES(pooling_that_is_missing, POOLING, NULL, QEFF_ERR_NOT_FOUND, "no such file")            \
    REFUSES(pooling_that_is_an_array, POOLING, "[]", FORMAT, "object")                             \
    REFUSES(pooling_without_a_dimension, POOLING, "{}", FORMAT, "'embedding_dimension': missing")  \
    REFUSES(pooling_of_another_dimension, POOLING, "{\"embedding_dimension\": 9}", FORMAT,         \
            "module 1 'Pooling' expects vectors of 9, found 8")                                    \
    REFUSES(pooling_dimension_string, POOLING, "{\"embedding_dimension\": \"8\"}", FORMAT,         \
            "string")                                                                              \
    REFUSES(pooling_mode_it_does_not_know, POOLING,                                                \
            "{\"embedding_dimension\": 8, \"pooling_mode\": \"median\"}", UNKNOWN,                 \
            "unknown 'median', known: cls, max")                                                   \
    REFUSES(pooling_list_with_junk, POOLING,                                                       \
            "{\"embedding_dimension\": 8, \"pooling_mode\": [\"cls\", 7]}", FORMAT, "string")      \
    REFUSES(pooling_list_that_is_empty, POOLING,                                                   \
            "{\"embedding_dimension\": 8, \"pooling_mode\": []}", FORMAT, "empty list")            \
    REFUSES(pooling_flag_that_is_a_number, POOLING,                                                \
            "{\"word_embedding_dimension\": 8, \"pooling_mode_cls_token\": 1}", FORMAT,            \
            "pooling_mode_cls_token")                                                              \
    REFUSES(pooling_without_the_prompt, POOLING,                                                   \
            "{\"embedding_dimension\": 8, \"include_prompt\": false}", UNKNOWN, "include_prompt")  \
    REFUSES(normalize_of_something_else, "2_Normalize/config.json",                                \
            "{\"module_input_name\": \"scores\"}", UNKNOWN, "unknown 'scores'")                    \
    REFUSES(a_length_of_zero, "sentence_bert_config.json", "{\"max_seq_length\": 0}", FORMAT,      \
            "max_seq_length")                                                                      \
    REFUSES(a_length_string, "sentence_bert_config.json", "{\"max_seq_length\": \"9\"}", FORMAT,   \
            "max_seq_length")                                                                      \
    REFUSES(another_task, "sentence_bert_config.json", "{\"transformer_task\": \"fill-mask\"}",    \
            UNKNOWN, "expected 'feature-extraction', found 'fill-mask'")                           \
    REFUSES(query_expansion, "sentence_bert_config.json",                                          \
            "{\"query_expansion\": {\"length\": 32}}", UNKNOWN, "query_expansion")                 \
    REFUSES(tokenizer_settings_it_does_not_know, "sentence_bert_config.json",                      \
            "{\"processing_kwargs\": {\"text\": {\"add_special_tokens\": false}}}", UNKNOWN,       \
            "add_special_tokens")                                                                  \
    REFUSES(a_tokenizer_length_of_zero, "tokenizer_config.json", "{\"model_max_length\": 0}",      \
            FORMAT, "model_max_length")                                                            \
    REFUSES(settings_that_are_an_array, SETTINGS, "[]", FORMAT, "object")                          \
    REFUSES(prompts_that_are_a_list, SETTINGS, "{\"prompts\": [\"a\"]}", FORMAT, "prompts")        \
    REFUSES(prompts_that_are_no_strings, SETTINGS, "{\"prompts\": {\"query\": 1}}", FORMAT,        \
            "key 'prompts': ")                                                                     \
    REFUSES(a_default_prompt_that_is_not_there, SETTINGS,                                          \
            "{\"prompts\": {}, \"default_prompt_name\": \"passage\"}", FORMAT,                     \
            "'passage' is not one of the prompts")                                                 \
    REFUSES(truncate_dim_zero, SETTINGS, "{\"truncate_dim\": 0}", FORMAT, "truncate_dim")          \
    REFUSES(truncate_dim_above_the_width, SETTINGS, "{\"truncate_dim\": 9}", FORMAT,               \
            "truncate_dim")                                                                        \
    REFUSES(a_sparse_encoder, SETTINGS, "{\"model_type\": \"SparseEncoder\"}", UNKNOWN,            \
            "expected 'SentenceTransformer', found 'SparseEncoder'")

#define REFUSES(statement, file, content, status, text)                                            \
    TEST(files, refuse_##statement)                                                                \
    {                                                                                              \
        (void)state_;                                                                              \
        refuse(file, content, status, text);                                                       \
    }
FILE_CASES
#undef REFUSES

TEST(files, refuse_a_prompt_of_a_megabyte)
{
    (void)state_;
    static char content[1100000];
    int n = snprintf(content, sizeof content, "{\"prompts\": {\"query\": \"");
    memset(content + n, 'a', 1048576);
    (void)snprintf(content + n + 1048576, 8, "\"}}");
    refuse(SETTINGS, content, FORMAT, "'query' takes 1048576 bytes, at most 65536");
}

TEST(files, refuse_65_modules)
{
    (void)state_;
    static char content[16384];
    size_t n = (size_t)snprintf(content, sizeof content, "[" FIRST);
    for (int i = 1; i <= 64; i++)
        n += (size_t)snprintf(content + n, sizeof content - n,
                              ",{\"path\": \"x\", \"type\": \"" TYPE "Normalize\"}");
    (void)snprintf(content + n, sizeof content - n, "]");
    refuse(MODULES, content, FORMAT, "65 modules, at most 64");
}

TEST(files, refuse_dense_before_pooling)
{
    (void)state_;
    write_dense(DENSE_CONFIG, 4, 8, true);
    folder_write(folder, MODULES,
                 "[" FIRST "," ENTRY(1, "2_Dense", TYPE "Dense") "," ENTRY(2, "1_Pooling",
                                                                           TYPE "Pooling") "]");
    refuse_now("2_Dense/config.json", FORMAT,
               "module 1 'Dense' needs 'sentence_embedding', which no module before it makes");
}

TEST(files, refuse_dense_of_another_width)
{
    (void)state_;
    write_dense("{\"in_features\": 9, \"out_features\": 4}", 4, 9, true);
    refuse_now("2_Dense/config.json", FORMAT, "module 2 'Dense' expects vectors of 9, found 8");
}

TEST(files, refuse_dense_with_shapes_swapped)
{
    (void)state_;
    write_dense(DENSE_CONFIG, 8, 4, true);
    refuse_now("2_Dense", FORMAT,
               "tensors that do not fit config.json: 'linear.weight' has shape [8, 4], expected "
               "[4, 8]; 'linear.bias' has shape [8], expected [4]");
}

TEST(files, refuse_dense_without_its_bias)
{
    (void)state_;
    write_dense(DENSE_CONFIG, 4, 8, false);
    refuse_now("2_Dense", FORMAT, "'linear.bias' [4] is missing");
}

TEST(files, refuse_dense_without_weights)
{
    (void)state_;
    write_dense(DENSE_CONFIG, 4, 8, true);
    folder_write(folder, "2_Dense/model.safetensors", NULL);
    refuse_now("2_Dense", QEFF_ERR_NOT_FOUND, "");
}

TEST(files, refuse_dense_of_integers)
{
    (void)state_;
    write_dense(DENSE_CONFIG, 4, 8, true);
    test_tensor tensors[] = {{"linear.weight", "I64", 2, {4, 8}},
                             {"linear.bias", "F32", 1, {4, 0}}};
    folder_write_tensors(folder, "2_Dense/model.safetensors", tensors, 2);
    refuse_now("2_Dense", UNKNOWN, "'linear.weight' has dtype i64, expected f32, f16 or bf16");
}

TEST(files, refuse_a_system_call_as_activation)
{
    (void)state_;
    write_dense("{\"in_features\": 8, \"out_features\": 4, \"activation_function\": \"os.system\"}",
                4, 8, true);
    refuse_now("2_Dense/config.json", UNKNOWN, "unknown 'os.system'");
}

TEST(files, refuse_an_activation_from_another_package)
{
    (void)state_;
    write_dense("{\"in_features\": 8, \"out_features\": 4, \"activation_function\": "
                "\"evil.nn.Tanh\"}",
                4, 8, true);
    refuse_now("2_Dense/config.json", UNKNOWN, "unknown 'evil.nn.Tanh'");
}

TEST(files, refuse_layer_norm_without_weights_of_its_width)
{
    (void)state_;
    test_tensor tensors[] = {{"norm.weight", "F32", 1, {8, 0}}, {"norm.bias", "F32", 1, {7, 0}}};
    folder_write(folder, MODULES,
                 "[" FIRST "," POOL "," ENTRY(2, "2_LayerNorm", TYPE "LayerNorm") "]");
    folder_write(folder, "2_LayerNorm/config.json", "{\"dimension\": 8}");
    folder_write_tensors(folder, "2_LayerNorm/model.safetensors", tensors, 2);
    refuse_now("2_LayerNorm", FORMAT,
               "tensors that do not fit config.json: 'norm.bias' has shape [7]");
}

#define HERE(subject, statement)                                                                   \
    cmocka_unit_test_setup_teardown(subject##__##statement, set_up, tear_down)
#define REFUSES(statement, ...) HERE(files, refuse_##statement),

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(modules, read_an_absent_normalize_folder),
        HERE(modules, assume_mean_without_modules_json),
        HERE(modules, match_the_paths_of_both_generations),
        HERE(modules, find_the_transformer_in_a_subfolder),
        HERE(modules, skip_dropout),
        HERE(pooling, concatenates_old_flags_in_the_order_of_columns),
        HERE(pooling, concatenates_a_list_in_its_own_order),
        HERE(pooling, reads_one_word),
        HERE(pooling, takes_mean_where_all_flags_are_false),
        HERE(dense, is_read_with_its_weights),
        HERE(dense, needs_no_bias),
        HERE(dense, ignores_keys_of_later_releases),
        HERE(dense, knows_every_activation_it_lists),
        HERE(dense, twice_has_two_sets_of_weights),
        HERE(settings, read_prompts_in_order_and_the_default),
        HERE(settings, take_the_explicit_length_over_the_tokenizers),
        HERE(settings, take_the_tokenizers_length_without_an_explicit_one),
        HERE(settings, take_the_position_table_where_the_tokenizer_has_no_limit),
        HERE(settings, never_exceed_the_position_table),
        HERE(settings, take_the_length_of_the_tokenizer_arguments_first),
        HERE(settings, read_the_file_of_an_older_name),
        HERE(settings, do_not_count_without_modules_json),
        FILE_CASES HERE(files, refuse_a_prompt_of_a_megabyte),
        HERE(files, refuse_65_modules),
        HERE(files, refuse_dense_before_pooling),
        HERE(files, refuse_dense_of_another_width),
        HERE(files, refuse_dense_with_shapes_swapped),
        HERE(files, refuse_dense_without_its_bias),
        HERE(files, refuse_dense_without_weights),
        HERE(files, refuse_dense_of_integers),
        HERE(files, refuse_a_system_call_as_activation),
        HERE(files, refuse_an_activation_from_another_package),
        HERE(files, refuse_layer_norm_without_weights_of_its_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
