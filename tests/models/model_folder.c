/* model_folder.c - writes small model folders. Failures of the test's own machinery abort. */
#include "models/model_folder.h"

#include <inttypes.h>
#include <qeff/base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static void must(int is_true)
{
    if (!is_true) abort();
}

void folder_create(char path[FOLDER_PATH_MAX])
{
    (void)snprintf(path, FOLDER_PATH_MAX, "model_folder.XXXXXX");
    must(mkdtemp(path) != NULL);
}

void folder_remove(const char *path)
{
    must(qeff_folder_remove(path, NULL) == QEFF_OK);
}

void folder_write_bytes(const char *folder, const char *name, const void *data, size_t size)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    (void)mkdir(path, 0777);
    *slash = '/';
    FILE *file = fopen(path, "wb");
    must(file != NULL);
    must(size == 0 || fwrite(data, 1, size, file) == size);
    must(fclose(file) == 0);
}

void folder_write(const char *folder, const char *name, const char *text)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if (text)
        folder_write_bytes(folder, name, text, strlen(text));
    else
        (void)unlink(path);
}

/* Appends to `header` and counts the bytes of the data behind it. */
static void add_tensor(char **header, size_t *used, size_t *data_size, const test_tensor *t)
{
    size_t bytes = strcmp(t->dtype, "I64") == 0 ? 8 : strcmp(t->dtype, "F32") == 0 ? 4 : 2;
    char shape[64] = "";
    for (size_t i = 0; i < t->rank; i++) {
        const size_t n = strlen(shape);
        (void)snprintf(shape + n, sizeof shape - n, "%s%" PRId64, i ? "," : "", t->shape[i]);
        bytes *= (size_t)t->shape[i];
    }
    *header = realloc(*header, *used + 400);
    must(*header != NULL);
    *used += (size_t)snprintf(*header + *used, 400,
                              "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],"
                              "\"data_offsets\":[%zu,%zu]}",
                              *used > 1 ? "," : "", t->name, t->dtype, shape, *data_size,
                              *data_size + bytes);
    *data_size += bytes;
}

void folder_write_tensors(const char *folder, const char *name, const test_tensor *tensors,
                          size_t n)
{
    char *header = malloc(2);
    size_t used = 1, data_size = 0;
    must(header != NULL);
    header[0] = '{';
    for (size_t i = 0; i < n; i++)
        if (tensors[i].name[0]) add_tensor(&header, &used, &data_size, &tensors[i]);
    header[used++] = '}';
    uint8_t *file = calloc(1, 8 + used + data_size);
    must(file != NULL);
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)used >> (8 * i));
    memcpy(file + 8, header, used);
    for (size_t i = 0; i + 4 <= data_size; i += 4) {
        const float value = 0.01F * (float)(i / 4 % 23) - 0.1F;
        memcpy(file + 8 + used + i, &value, sizeof value);
    }
    folder_write_bytes(folder, name, file, 8 + used + data_size);
    free(file);
    free(header);
}

static void push(test_tensor *out, size_t *n, const char *prefix, const char *scope,
                 const char *name, int64_t rows, int64_t columns)
{
    must(*n < BERT_TENSORS_MAX);
    test_tensor *t = &out[(*n)++];
    *t = (test_tensor){.dtype = "F32", .rank = columns ? 2 : 1, .shape = {rows, columns}};
    (void)snprintf(t->name, sizeof t->name, "%s%s%s", prefix, scope, name);
}

static void push_linear(test_tensor *out, size_t *n, const char *prefix, const char *scope,
                        const char *name, int64_t rows, int64_t columns)
{
    char full[64];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    push(out, n, prefix, scope, full, rows, columns);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    push(out, n, prefix, scope, full, rows, 0);
}

size_t bert_tensors(test_tensor out[BERT_TENSORS_MAX], const char *prefix)
{
    const int64_t H = 8, F = 12;
    size_t n = 0;
    push(out, &n, prefix, "embeddings.", "word_embeddings.weight", 10, H);
    push(out, &n, prefix, "embeddings.", "position_embeddings.weight", 6, H);
    push(out, &n, prefix, "embeddings.", "token_type_embeddings.weight", 2, H);
    push_linear(out, &n, prefix, "embeddings.", "LayerNorm", H, 0);
    for (int i = 0; i < 2; i++) {
        char scope[32];
        (void)snprintf(scope, sizeof scope, "encoder.layer.%d.", i);
        push_linear(out, &n, prefix, scope, "attention.self.query", H, H);
        push_linear(out, &n, prefix, scope, "attention.self.key", H, H);
        push_linear(out, &n, prefix, scope, "attention.self.value", H, H);
        push_linear(out, &n, prefix, scope, "attention.output.dense", H, H);
        push_linear(out, &n, prefix, scope, "attention.output.LayerNorm", H, 0);
        push_linear(out, &n, prefix, scope, "intermediate.dense", F, H);
        push_linear(out, &n, prefix, scope, "output.dense", H, F);
        push_linear(out, &n, prefix, scope, "output.LayerNorm", H, 0);
    }
    push_linear(out, &n, prefix, "", "pooler.dense", H, H);
    return n;
}

test_tensor *find_tensor(test_tensor *tensors, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(tensors[i].name, name) == 0) return &tensors[i];
    abort();
}

void folder_write_bert(const char *folder)
{
    test_tensor tensors[BERT_TENSORS_MAX];
    const size_t n = bert_tensors(tensors, "");
    folder_write(folder, "config.json", BERT_CONFIG);
    folder_write_tensors(folder, "model.safetensors", tensors, n);
}

void bert_config_with(const char *key, const char *value, char *out, size_t size)
{
    char quoted[64];
    const char *config = BERT_CONFIG;
    (void)snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    const char *at = strstr(config, quoted);
    if (!at) {
        must(value != NULL);
        (void)snprintf(out, size, "{\"%s\": %s, %s", key, value, config + 1);
        return;
    }
    const char *end = at + strlen(quoted);
    end += *end == '[' ? strcspn(end, "]") + 1 : strcspn(end, ",}");
    if (value)
        (void)snprintf(out, size, "%.*s%s%s%s", (int)(at - config), config, quoted, value, end);
    else if (*end == ',')
        (void)snprintf(out, size, "%.*s%s", (int)(at - config), config, end + 2);
    else
        (void)snprintf(out, size, "%.*s%s", (int)(at - config) - 2, config, end);
}

/* --- allocator ------------------------------------------------------------------------------ */

static struct {
    size_t nth, calls, live;
} faults;

static int is_due(void)
{
    return ++faults.calls == faults.nth;
}

static void *failing_allocate(void *ctx, size_t size)
{
    (void)ctx;
    void *block = is_due() ? NULL : malloc(size);
    faults.live += block != NULL;
    return block;
}

static void *failing_reallocate(void *ctx, void *block, size_t size)
{
    (void)ctx;
    return is_due() ? NULL : realloc(block, size);
}

static void failing_deallocate(void *ctx, void *block)
{
    (void)ctx;
    faults.live--;
    free(block);
}

void failing_allocator_install(size_t nth)
{
    const qeff_allocator allocator = {failing_allocate, failing_reallocate, failing_deallocate,
                                      NULL};
    faults.nth = nth;
    faults.calls = faults.live = 0;
    qeff_allocator_set(&allocator);
}

void failing_allocator_remove(void)
{
    qeff_allocator_set(NULL);
}

size_t failing_allocator_live(void)
{
    return faults.live;
}

int failing_allocator_has_failed(void)
{
    return faults.nth && faults.calls >= faults.nth;
}
