/* tensors.c - named arrays from and to numpy's files.
 *
 * Arrays of a .npz lie at any alignment in its mapping, so they are copied into aligned blocks. */
#include "base/alloc.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/span.h"
#include "formats/npz.h"
#include "runtime/session.h"

static qeff_status copy_arrays(const qeff_npz *npz, qeff_tensors *list, qeff_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const qeff_array *array = qeff_npz_at(npz, i);
        char *name = qeff_copy_str(array->name); /* the list wants a NUL behind it */
        if (!name) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
        const qeff_status status =
            qeff_tensors_allocate(list, i, name, array->dtype, array->rank, array->shape, err);
        qeff_free(name);
        if (status) return status;
        if (array->data.size) memcpy(list->items[i].data, array->data.data, array->data.size);
    }
    return QEFF_OK;
}

qeff_status qeff_tensors_read_npz(const char *path, qeff_tensors **out, qeff_error *err)
{
    qeff_npz *npz = NULL;
    qeff_tensors *list = NULL;
    *out = NULL;
    QEFF_TRY(qeff_npz_open(path, &npz, err));
    qeff_status status = qeff_tensors_create(qeff_npz_count(npz), &list, err);
    if (!status) status = copy_arrays(npz, list, err);
    qeff_npz_close(npz);
    if (status) {
        qeff_tensors_destroy(list);
        return qeff_within(err, status, "'%s'", path);
    }
    *out = list;
    return QEFF_OK;
}

static qeff_status to_array(const qeff_tensor *tensor, qeff_array *out, qeff_error *err)
{
    uint64_t bytes = 0;
    const char *name = tensor->name ? tensor->name : "";
    *out = (qeff_array){.name = qeff_str_of(name), .dtype = tensor->dtype, .rank = tensor->rank};
    if (tensor->rank > QEFF_MAX_RANK ||
        !qeff_tensor_bytes(tensor->dtype, tensor->rank, tensor->shape, &bytes) || bytes > SIZE_MAX)
        return qeff_fail(err, QEFF_ERR_INVALID, "tensor '%s': its shape is none, or too large",
                         name);
    memcpy(out->shape, tensor->shape, tensor->rank * sizeof *out->shape);
    out->data = (qeff_bytes){tensor->data, (size_t)bytes};
    return QEFF_OK;
}

qeff_status
qeff_tensors_write_npz(const char *path, const qeff_tensor *tensors, size_t count, qeff_error *err)
{
    qeff_array *arrays = qeff_alloc_array(count, sizeof *arrays);
    if (!arrays) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "'%s': out of memory", path);
    qeff_status status = QEFF_OK;
    for (size_t i = 0; i < count && !status; i++)
        status = to_array(&tensors[i], &arrays[i], err);
    if (status)
        (void)qeff_within(err, status, "'%s'", path);
    else
        status = qeff_npz_write(path, arrays, count, err);
    qeff_free(arrays);
    return status;
}

qeff_status
qeff_tensor_encode_npy(const qeff_tensor *tensor, uint8_t **data, size_t *size, qeff_error *err)
{
    qeff_array array;
    qeff_buffer out = {0};
    *data = NULL;
    *size = 0;
    QEFF_TRY(to_array(tensor, &array, err));
    qeff_status status = qeff_npy_write_header(&array, &out, err);
    if (!status) {
        qeff_buffer_append(&out, array.data.data, array.data.size);
        status = qeff_buffer_status(&out, err);
    }
    if (status) {
        qeff_buffer_deinit(&out);
        return status;
    }
    *data = out.data; /* the block now belongs to the caller */
    *size = out.size;
    return QEFF_OK;
}

qeff_status qeff_file_save(const char *path, const void *data, size_t size, qeff_error *err)
{
    return qeff_file_write(path, (qeff_bytes){data, size}, err);
}
