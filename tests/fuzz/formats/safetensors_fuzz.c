/* safetensors_fuzz.c - fuzz target of safetensors: any bytes give views that cover the data
 * exactly, in the order of their names, or one line of text. */
#include "base/dtype.h"
#include "base/span.h"
#include "base/utf8.h"
#include "file_of_bytes.h"
#include "formats/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_views(const qeff_weights *weights, const uint8_t *data, size_t size)
{
    uint64_t covered = 0;
    for (size_t i = 0; i < qeff_weights_count(weights); i++) {
        const qeff_tensor_view *view = qeff_weights_at(weights, i);
        uint64_t bytes = 0;
        fuzz_check(qeff_tensor_bytes(view->dtype, view->rank, view->shape, &bytes));
        fuzz_check(bytes == view->data.size && view->file_offset + bytes <= size);
        fuzz_check(view->data.data == view->file->data + view->file_offset);
        fuzz_check(qeff_weights_find(weights, view->name) == view);
        fuzz_check(qeff_utf8_is_valid(view->name));
        if (i) fuzz_check(qeff_str_compare(qeff_weights_at(weights, i - 1)->name, view->name) < 0);
        covered += bytes;
    }
    fuzz_check(covered == size - 8 - qeff_load_u64le(data));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    file_of_bytes file;
    qeff_error err = {0};
    qeff_weights *weights = NULL;
    file_of_bytes_set(&file, data, size);
    const qeff_status status = qeff_weights_open_file("m.safetensors", &weights, &err);
    if (status) {
        fuzz_check((status == QEFF_ERR_FORMAT || status == QEFF_ERR_UNSUPPORTED) && !weights);
        fuzz_check(!strchr(err.message, '\n') && qeff_utf8_is_valid(qeff_str_of(err.message)));
    } else {
        uint8_t digest[QEFF_HASH_BYTES];
        qeff_hash hash = {0};
        check_views(weights, data, size);
        qeff_hash_init(&hash);
        qeff_weights_hash(weights, &hash); /* reads every byte */
        fuzz_check(qeff_hash_finish(&hash, digest, NULL) == QEFF_OK);
    }
    qeff_weights_close(weights);
    return 0;
}
