/* model_folder.h - model folders for tests: written here, small, thrown away. */
#ifndef TESTS_MODEL_FOLDER_H
#define TESTS_MODEL_FOLDER_H

#include <stddef.h>
#include <stdint.h>

enum { FOLDER_PATH_MAX = 64, BERT_TENSORS_MAX = 64 };

typedef struct test_tensor {
    char name[96];
    const char *dtype; /* "F32", "I64"; values follow a fixed pattern */
    size_t rank;
    int64_t shape[2];
} test_tensor;

/* Creates an empty folder below the working directory. */
void folder_create(char path[FOLDER_PATH_MAX]);
void folder_remove(const char *path);

/* Writes `folder/name`, creating the folder in between; NULL text removes the file instead. */
void folder_write(const char *folder, const char *name, const char *text);
void folder_write_bytes(const char *folder, const char *name, const void *data, size_t size);
/* A .safetensors file with these tensors; those with an empty name are left out. */
void folder_write_tensors(const char *folder, const char *name, const test_tensor *tensors,
                          size_t n);

/* A BERT of 2 layers: H 8, N 2, F 12, V 10, 6 positions, 2 types, with a pooler. */
#define BERT_CONFIG                                                                                \
    "{\"model_type\": \"bert\", \"architectures\": [\"BertModel\"], \"vocab_size\": 10, "          \
    "\"hidden_size\": 8, \"num_hidden_layers\": 2, \"num_attention_heads\": 2, "                   \
    "\"intermediate_size\": 12, \"max_position_embeddings\": 6, \"type_vocab_size\": 2, "          \
    "\"layer_norm_eps\": 1e-12, \"hidden_act\": \"gelu\"}"

/* Its tensors, each name with `prefix` in front. Returns their number. */
size_t bert_tensors(test_tensor tensors[BERT_TENSORS_MAX], const char *prefix);
/* The tensor of that name, to be changed; aborts the program where there is none. */
test_tensor *find_tensor(test_tensor *tensors, size_t n, const char *name);

/* Writes config.json and model.safetensors of that BERT. */
void folder_write_bert(const char *folder);

/* BERT_CONFIG with the value of one key replaced, or the key left out where `value` is NULL, or
 * added where it is not there. */
void bert_config_with(const char *key, const char *value, char *out, size_t size);

/* An allocator that fails at the n-th call (1 is the first; 0: never) and counts live blocks. */
void failing_allocator_install(size_t nth);
void failing_allocator_remove(void);
/* Blocks that are still allocated, and whether the failure has come to pass. */
size_t failing_allocator_live(void);
int failing_allocator_has_failed(void);

#endif /* TESTS_MODEL_FOLDER_H */
