/* tensors.c - lists of named arrays that own their memory: one block for the list, one an item. */
#include "base/alloc.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/span.h"
#include "runtime/session.h"

enum { TENSOR_ALIGNMENT = 64 };

qeff_status qeff_tensors_create(size_t count, qeff_tensors **out, qeff_error *err)
{
    *out = NULL;
    qeff_tensors *list = qeff_alloc_zeroed(sizeof *list);
    qeff_tensor *items = qeff_alloc_array(count, sizeof *items);
    if (!list || !items) {
        qeff_free(list);
        qeff_free(items);
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "no memory for %zu tensors", count);
    }
    *list = (qeff_tensors){.count = count, .items = items};
    *out = list;
    return QEFF_OK;
}

qeff_status
qeff_tensors_allocate(qeff_tensors *list, size_t index, const char *name, qeff_dtype dtype,
                      size_t rank, const int64_t *shape, qeff_error *err)
{
    qeff_tensor *item = &list->items[index];
    uint64_t bytes = 0;
    if (rank > QEFF_MAX_RANK || !qeff_tensor_bytes(dtype, rank, shape, &bytes) ||
        bytes > SIZE_MAX / 2)
        return qeff_fail(err, QEFF_ERR_INVALID, "tensor '%s': shape is too large", name);
    char *copy = qeff_copy_str(qeff_str_of(name));
    void *data = qeff_alloc_aligned((size_t)bytes, TENSOR_ALIGNMENT);
    if (!copy || !data) {
        qeff_free(copy);
        qeff_free_aligned(data);
        return qeff_fail(err, QEFF_ERR_NO_MEMORY, "tensor '%s': no memory for %llu bytes", name,
                         (unsigned long long)bytes);
    }
    *item = (qeff_tensor){.name = copy, .dtype = dtype, .rank = rank, .data = data};
    memcpy(item->shape, shape, rank * sizeof *shape);
    return QEFF_OK;
}

void qeff_tensors_destroy(qeff_tensors *tensors)
{
    if (!tensors) return;
    for (size_t i = 0; i < tensors->count; i++) {
        qeff_free((void *)(uintptr_t)tensors->items[i].name);
        qeff_free_aligned(tensors->items[i].data);
    }
    qeff_free(tensors->items);
    qeff_free(tensors);
}

const qeff_tensor *qeff_tensors_find(const qeff_tensors *tensors, const char *name)
{
    for (size_t i = 0; i < tensors->count; i++)
        if (strcmp(tensors->items[i].name, name) == 0) return &tensors->items[i];
    return NULL;
}

void qeff_release(void *block)
{
    qeff_free(block);
}
