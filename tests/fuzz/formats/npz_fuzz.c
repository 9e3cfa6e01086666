/* npz_fuzz.c - fuzz target of .npy and .npz: any bytes give arrays whose data has the size of their
 * shape, or one line of text; what was read can be written, and reads the same.
 *
 * A fuzzer does not guess checksums: where the input is an archive, they are put right first. */
#include "base/dtype.h"
#include "base/span.h"
#include "base/utf8.h"
#include "file_of_bytes.h"
#include "formats/crc32.h"
#include "formats/npz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_array(const qeff_array *array)
{
    uint64_t bytes = 0;
    qeff_array again = {.name = array->name};
    qeff_buffer out = {0};
    fuzz_check(qeff_tensor_bytes(array->dtype, array->rank, array->shape, &bytes));
    fuzz_check(bytes == array->data.size);
    fuzz_check(qeff_npy_write_header(array, &out, NULL) == QEFF_OK);
    qeff_buffer_append(&out, array->data.data, array->data.size);
    fuzz_check(qeff_npy_parse(qeff_buffer_bytes(&out), &again, NULL) == QEFF_OK);
    fuzz_check(again.dtype == array->dtype && again.rank == array->rank);
    fuzz_check(memcmp(again.shape, array->shape, array->rank * sizeof *array->shape) == 0);
    qeff_buffer_deinit(&out);
}

static void check_status(qeff_status status, const qeff_error *err)
{
    fuzz_check(status == QEFF_ERR_FORMAT || status == QEFF_ERR_UNSUPPORTED);
    fuzz_check(!strchr(err->message, '\n') && qeff_utf8_is_valid(qeff_str_of(err->message)));
}

/* Sets the checksum in each directory entry and local header that can be found. */
static void mend_checksums(uint8_t *bytes, size_t size)
{
    qeff_crc32 crc;
    qeff_crc32_init(&crc);
    if (size < 22) return;
    size_t at = qeff_load_u32le(bytes + size - 6);
    while (at < size && size - at >= 46 && qeff_load_u32le(bytes + at) == 0x02014b50) {
        const size_t local = qeff_load_u32le(bytes + at + 42);
        const size_t n = qeff_load_u32le(bytes + at + 24);
        if (local < size && size - local >= 30) {
            const size_t data = local + 30 + qeff_load_u16le(bytes + local + 26) +
                                qeff_load_u16le(bytes + local + 28);
            if (data <= size && n <= size - data) {
                crc.value = 0;
                qeff_crc32_update(&crc, bytes + data, n);
                qeff_store_u32le(bytes + at + 16, crc.value);
                qeff_store_u32le(bytes + local + 14, crc.value);
            }
        }
        at += 46u + qeff_load_u16le(bytes + at + 28) + qeff_load_u16le(bytes + at + 30) +
              qeff_load_u16le(bytes + at + 32);
    }
}

static void read_archive(const uint8_t *data, size_t size)
{
    file_of_bytes file;
    qeff_error err = {0};
    qeff_npz *npz = NULL;
    file_of_bytes_set(&file, data, size);
    const qeff_status status = qeff_npz_open("x.npz", &npz, &err);
    if (status) check_status(status, &err);
    for (size_t i = 0; npz && i < qeff_npz_count(npz); i++) {
        const qeff_array *array = qeff_npz_at(npz, i);
        check_array(array);
        fuzz_check(qeff_npz_find(npz, array->name) == array);
    }
    qeff_npz_close(npz);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    file_of_bytes file;
    qeff_error err = {0};
    qeff_npy npy;
    file_of_bytes_set(&file, data, size);
    const qeff_status status = qeff_npy_open("x.npy", &npy, &err);
    if (status) {
        check_status(status, &err);
    } else {
        check_array(&npy.array);
        qeff_npy_close(&npy);
    }
    read_archive(data, size);
    uint8_t *mended = malloc(size ? size : 1);
    if (!mended) return 0;
    if (size) memcpy(mended, data, size);
    mend_checksums(mended, size);
    read_archive(mended, size);
    free(mended);
    return 0;
}
