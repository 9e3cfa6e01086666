/* models_fuzz.c - fuzz target for config.json and the files of sentence-transformers modules.
 *
 * An input is a bundle of text files: a line "=== <name>" begins each, its bytes follow up to the
 * next such line. Only the names in `allowed` are written; the weights are always the same, those
 * of a small BERT, of a Dense and of a LayerNorm. A folder that opens is built, both ways. */
#include "models/model.h"
#include "models/model_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const allowed[] = {
    "config.json",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
    "2_Dense/config.json",
    "3_Normalize/config.json",
    "4_LayerNorm/config.json",
};
enum { N_ALLOWED = sizeof allowed / sizeof *allowed };

static char folder[FOLDER_PATH_MAX];

static void remove_folder(void)
{
    folder_remove(folder);
}

static void prepare(void)
{
    static const test_tensor dense[] = {{"linear.weight", "F32", 2, {8, 8}},
                                        {"linear.bias", "F32", 1, {8, 0}}};
    static const test_tensor norm[] = {{"norm.weight", "F32", 1, {8, 0}},
                                       {"norm.bias", "F32", 1, {8, 0}}};
    folder_create(folder);
    (void)atexit(remove_folder);
    folder_write_bert(folder);
    folder_write_tensors(folder, "2_Dense/model.safetensors", dense, 2);
    folder_write_tensors(folder, "4_LayerNorm/model.safetensors", norm, 2);
}

/* Where the next "=== " line begins, or the end. */
static const char *find_section(const char *at, const char *end)
{
    for (const char *p = at; end - p >= 4; p++)
        if (memcmp(p, "=== ", 4) == 0 && (p == at || p[-1] == '\n')) return p;
    return end;
}

static void write_sections(const char *at, const char *end)
{
    for (const char *p = find_section(at, end); p < end;) {
        const char *name = p + 4;
        const char *line_end = memchr(name, '\n', (size_t)(end - name));
        if (!line_end) return;
        const size_t n_name = (size_t)(line_end - name);
        p = find_section(line_end + 1, end);
        for (size_t i = 0; i < N_ALLOWED; i++)
            if (strlen(allowed[i]) == n_name && memcmp(allowed[i], name, n_name) == 0)
                folder_write_bytes(folder, allowed[i], line_end + 1, (size_t)(p - line_end - 1));
    }
}

static void build(const qeff_model *model, const qeff_model_options *options)
{
    qeff_graph *graph = NULL;
    qeff_error err = {0};
    if (qeff_model_build(model, options, &graph, &err) == QEFF_OK) {
        if (qeff_graph_verify(graph, &err) != QEFF_OK) abort();
        if (graph->n_outputs == 0) abort();
    } else if (err.message[0] == '\0' || strchr(err.message, '\n'))
        abort();
    qeff_graph_destroy(graph);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!folder[0]) prepare();
    for (size_t i = 0; i < N_ALLOWED; i++)
        folder_write(folder, allowed[i], NULL);
    write_sections((const char *)data, (const char *)data + size);

    qeff_error err = {0};
    qeff_model *model = NULL;
    if (qeff_model_open(folder, &model, &err) != QEFF_OK) {
        if (model || err.message[0] == '\0' || strchr(err.message, '\n')) abort();
        return 0;
    }
    const qeff_model_options hidden = {.pooling = "none", .with_token_type_ids = true};
    qeff_buffer text = {0};
    qeff_st_describe(qeff_model_st_config(model), &text);
    qeff_buffer_deinit(&text);
    build(model, NULL);
    build(model, &hidden);
    qeff_model_close(model);
    return 0;
}
