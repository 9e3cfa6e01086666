/* config_test.c - config.json: what is read, and what is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "test.h"

#include "base/error.h"
#include "models/model.h"
#include "models/model_folder.h"
#include "models/registry.h"

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

static qeff_status open_and_close(qeff_error *err)
{
    qeff_model *model = NULL;
    const qeff_status status = qeff_model_open(folder, &model, err);
    assert_true((status == QEFF_OK) == (model != NULL));
    qeff_model_close(model);
    return status;
}

static void write_config(const char *key, const char *value)
{
    char config[4096];
    bert_config_with(key, value, config, sizeof config);
    folder_write(folder, "config.json", config);
}

/* The message names the file and the key, and says what was found. */
static void refuse(const char *key, const char *value, qeff_status status, const char *text)
{
    qeff_error err = {0};
    char named[128];
    write_config(key, value);
    ASSERT_FAILS(open_and_close(&err), status, text);
    (void)snprintf(named, sizeof named, "'%s/config.json': ", folder);
    assert_memory_equal(err.message, named, strlen(named));
    assert_non_null(strstr(err.message, key));
    assert_null(strchr(err.message, '\n'));
}

static void accept(const char *key, const char *value)
{
    qeff_error err = {0};
    write_config(key, value);
    ASSERT_OK(open_and_close(&err));
}

#define REFUSES(statement, key, value, status, text)                                               \
    TEST(config, statement)                                                                        \
    {                                                                                              \
        (void)state_;                                                                              \
        refuse(key, value, status, text);                                                          \
    }
#define ACCEPTS(statement, key, value)                                                             \
    TEST(config, statement)                                                                        \
    {                                                                                              \
        (void)state_;                                                                              \
        accept(key, value);                                                                        \
    }

#define CONFIG_CASES                                                                               \
    REFUSES(refuses_hidden_size_zero, "hidden_size", "0", QEFF_ERR_FORMAT, "0")                    \
    REFUSES(refuses_hidden_size_negative, "hidden_size", "-1", QEFF_ERR_FORMAT, "-1")              \
    REFUSES(refuses_hidden_size_2_to_31, "hidden_size", "2147483648", QEFF_ERR_FORMAT,             \
            "2147483648")                                                                          \
    REFUSES(refuses_hidden_size_string, "hidden_size", "\"768\"", QEFF_ERR_FORMAT, "string")       \
    REFUSES(refuses_hidden_size_fraction, "hidden_size", "768.5", QEFF_ERR_FORMAT, "integer")      \
    REFUSES(refuses_hidden_size_missing, "hidden_size", NULL, QEFF_ERR_FORMAT, "missing")          \
    REFUSES(refuses_hidden_size_null, "hidden_size", "null", QEFF_ERR_FORMAT, "missing")           \
    REFUSES(refuses_no_heads, "num_attention_heads", "0", QEFF_ERR_FORMAT, "0")                    \
    REFUSES(refuses_heads_that_do_not_divide, "num_attention_heads", "3", QEFF_ERR_FORMAT,         \
            "3 heads do not divide a hidden_size of 8")                                            \
    REFUSES(refuses_no_layers, "num_hidden_layers", "0", QEFF_ERR_FORMAT, "0")                     \
    REFUSES(refuses_a_billion_layers, "num_hidden_layers", "1000000000", QEFF_ERR_FORMAT,          \
            "1000000000")                                                                          \
    REFUSES(refuses_ffn_zero, "intermediate_size", "0", QEFF_ERR_FORMAT, "0")                      \
    REFUSES(refuses_vocab_zero, "vocab_size", "0", QEFF_ERR_FORMAT, "0")                           \
    REFUSES(refuses_positions_zero, "max_position_embeddings", "0", QEFF_ERR_FORMAT, "0")          \
    REFUSES(refuses_types_zero, "type_vocab_size", "0", QEFF_ERR_FORMAT, "0")                      \
    REFUSES(refuses_eps_zero, "layer_norm_eps", "0", QEFF_ERR_FORMAT, "found 0")                   \
    REFUSES(refuses_eps_negative, "layer_norm_eps", "-1e-5", QEFF_ERR_FORMAT, "-1e-05")            \
    REFUSES(refuses_eps_string, "layer_norm_eps", "\"1e-12\"", QEFF_ERR_FORMAT, "string")          \
    REFUSES(refuses_unknown_activation, "hidden_act", "\"os.system\"", QEFF_ERR_UNSUPPORTED,       \
            "unknown 'os.system', known: gelu, ")                                                  \
    REFUSES(refuses_activation_number, "hidden_act", "3", QEFF_ERR_FORMAT, "string")               \
    REFUSES(refuses_relative_positions, "position_embedding_type", "\"relative_key\"",             \
            QEFF_ERR_UNSUPPORTED, "unknown 'relative_key', known: absolute")                       \
    REFUSES(refuses_decoder, "is_decoder", "true", QEFF_ERR_UNSUPPORTED, "is_decoder")             \
    REFUSES(refuses_cross_attention, "add_cross_attention", "true", QEFF_ERR_UNSUPPORTED,          \
            "add_cross_attention")                                                                 \
    REFUSES(refuses_pruned_heads, "pruned_heads", "{\"0\": [1]}", QEFF_ERR_UNSUPPORTED,            \
            "pruned_heads")                                                                        \
    REFUSES(refuses_quantized_checkpoint, "quantization_config", "{\"bits\": 4}",                  \
            QEFF_ERR_UNSUPPORTED, "quantization_config")                                           \
    REFUSES(refuses_unknown_model_type, "model_type", "\"llama\"", QEFF_ERR_UNSUPPORTED,           \
            "unknown architecture 'llama', known: bert")                                           \
    REFUSES(refuses_model_type_number, "model_type", "7", QEFF_ERR_FORMAT, "string")               \
    REFUSES(refuses_architectures_string, "architectures", "\"BertModel\"", QEFF_ERR_FORMAT,       \
            "array")                                                                               \
    REFUSES(refuses_architectures_of_numbers, "architectures", "[1]", QEFF_ERR_FORMAT, "string")   \
    ACCEPTS(accepts_architectures_null, "architectures", "null")                                   \
    ACCEPTS(accepts_architectures_empty, "architectures", "[]")                                    \
    ACCEPTS(accepts_architectures_missing, "architectures", NULL)                                  \
    ACCEPTS(accepts_model_type_missing, "model_type", NULL)                                        \
    ACCEPTS(accepts_class_it_does_not_know, "architectures", "[\"BertForMyTask\"]")                \
    ACCEPTS(accepts_features_switched_off, "is_decoder", "false")                                  \
    ACCEPTS(accepts_no_pruned_heads, "pruned_heads", "{}")                                         \
    ACCEPTS(accepts_absolute_positions, "position_embedding_type", "\"absolute\"")                 \
    ACCEPTS(accepts_unknown_keys, "gradient_checkpointing", "false")

CONFIG_CASES

/* Faults of the file rather than of a key. */
static void refuse_file(const char *text, qeff_status status, const char *expected)
{
    qeff_error err = {0};
    folder_write(folder, "config.json", text);
    ASSERT_FAILS(open_and_close(&err), status, expected);
    assert_non_null(strstr(err.message, "/config.json"));
}

TEST(config, refuses_eps_nan)
{
    (void)state_;
    char config[4096];
    bert_config_with("layer_norm_eps", "NaN", config, sizeof config);
    refuse_file(config, QEFF_ERR_FORMAT, "");
}

TEST(config, refuses_eps_beyond_a_double)
{
    (void)state_;
    char config[4096];
    bert_config_with("layer_norm_eps", "1e400", config, sizeof config);
    refuse_file(config, QEFF_ERR_FORMAT, "1e400");
}

TEST(config, refuses_missing_file)
{
    (void)state_;
    refuse_file(NULL, QEFF_ERR_NOT_FOUND, "no such file");
}

TEST(config, refuses_empty_file)
{
    (void)state_;
    refuse_file("", QEFF_ERR_FORMAT, "");
}

TEST(config, refuses_array)
{
    (void)state_;
    refuse_file("[]", QEFF_ERR_FORMAT, "object");
}

TEST(config, refuses_neither_type_nor_architectures)
{
    (void)state_;
    refuse_file("{\"hidden_size\": 8}", QEFF_ERR_FORMAT, "neither key 'model_type'");
}

TEST(config, refuses_unknown_class_without_type)
{
    (void)state_;
    refuse_file("{\"architectures\": [\"LlamaModel\"]}", QEFF_ERR_UNSUPPORTED,
                "unknown architecture 'LlamaModel', known: BertModel");
}

TEST(config, refuses_duplicate_key)
{
    (void)state_;
    refuse_file("{\"model_type\": \"bert\", \"model_type\": \"bert\"}", QEFF_ERR_FORMAT,
                "model_type");
}

TEST(config, keeps_message_on_one_line)
{
    (void)state_;
    qeff_error err = {0};
    folder_write(folder, "config.json", "{\"model_type\": \"a\\nqeff: fine\\u001b[31m\"}");
    ASSERT_FAILS(open_and_close(&err), QEFF_ERR_UNSUPPORTED, "a?qeff: fine?[31m");
}

TEST(config, takes_the_defaults_of_the_reference)
{
    (void)state_;
    qeff_error err = {0};
    qeff_model *model = NULL;
    folder_write(
        folder, "config.json",
        "{\"model_type\": \"bert\", \"vocab_size\": 10, \"hidden_size\": 8, "
        "\"num_hidden_layers\": 2, \"num_attention_heads\": 2, \"intermediate_size\": 12}");
    ASSERT_OK(qeff_model_open(folder, &model, &err));
    const qeff_hparams *hp = qeff_model_hparams(model);
    assert_int_equal(hp->n_positions, 512);
    assert_int_equal(hp->n_types, 2);
    assert_true(hp->norm_eps == 1e-12);
    assert_string_equal(hp->activation, "gelu");
    assert_string_equal(qeff_model_class(model), "BertModel");
    qeff_model_close(model);
}

TEST(config, names_the_class_of_the_checkpoint)
{
    (void)state_;
    qeff_error err = {0};
    qeff_model *model = NULL;
    write_config("architectures", "[\"BertForMaskedLM\"]");
    ASSERT_OK(qeff_model_open(folder, &model, &err));
    assert_string_equal(qeff_model_class(model), "BertForMaskedLM");
    qeff_model_close(model);
}

TEST(config, never_repeats_a_hostile_class_name)
{
    (void)state_;
    qeff_error err = {0};
    qeff_model *model = NULL;
    write_config("architectures", "[\"../../etc\"]");
    ASSERT_OK(qeff_model_open(folder, &model, &err));
    assert_string_equal(qeff_model_class(model), "BertModel");
    qeff_model_close(model);
}

TEST(registry, lists_every_architecture_once)
{
    (void)state_;
    size_t n = 0;
    for (; qeff_arch_at(n); n++) {
        const qeff_arch *arch = qeff_arch_at(n);
        assert_ptr_equal(qeff_arch_find((qeff_str){arch->model_type, strlen(arch->model_type)}),
                         arch);
        assert_non_null(arch->classes[0]);
        assert_non_null(arch->prefixes[0]);
    }
    assert_true(n > 0);
    assert_null(qeff_arch_at(n + 1));
}

#undef REFUSES
#undef ACCEPTS
#define REFUSES(statement, ...)                                                                    \
    cmocka_unit_test_setup_teardown(config__##statement, set_up, tear_down),
#define ACCEPTS(statement, ...)                                                                    \
    cmocka_unit_test_setup_teardown(config__##statement, set_up, tear_down),
#define RUN_HERE(subject, statement)                                                               \
    cmocka_unit_test_setup_teardown(subject##__##statement, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG_CASES RUN_HERE(config, refuses_eps_nan),
        RUN_HERE(config, refuses_eps_beyond_a_double),
        RUN_HERE(config, refuses_missing_file),
        RUN_HERE(config, refuses_empty_file),
        RUN_HERE(config, refuses_array),
        RUN_HERE(config, refuses_neither_type_nor_architectures),
        RUN_HERE(config, refuses_unknown_class_without_type),
        RUN_HERE(config, refuses_duplicate_key),
        RUN_HERE(config, keeps_message_on_one_line),
        RUN_HERE(config, takes_the_defaults_of_the_reference),
        RUN_HERE(config, names_the_class_of_the_checkpoint),
        RUN_HERE(config, never_repeats_a_hostile_class_name),
        RUN_HERE(registry, lists_every_architecture_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
