/* qpc_fuzz.c - fuzz target of the program container: any bytes give images inside the file that do
 * not overlap, or one line of text. */
#include "base/span.h"
#include "base/utf8.h"
#include "file_of_bytes.h"
#include "formats/qpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static qeff_bytes image_at(const qeff_qpc *qpc, size_t index)
{
    char name[200] = "";
    qeff_bytes image = {NULL, 0};
    const qeff_str text = qeff_qpc_name(qpc, index);
    fuzz_check(text.size > 0 && text.size < sizeof name);
    memcpy(name, text.data, text.size);
    fuzz_check(qeff_qpc_find(qpc, name, &image));
    return image;
}

static void check_images(const qeff_qpc *qpc)
{
    unsigned sum = 0;
    for (size_t i = 0; i < qeff_qpc_count(qpc); i++) {
        const qeff_bytes image = image_at(qpc, i);
        for (size_t j = 0; j < image.size; j++)
            sum += image.data[j];
        for (size_t j = 0; j < i; j++) {
            const qeff_bytes other = image_at(qpc, j);
            fuzz_check(!image.size || !other.size || image.data >= other.data + other.size ||
                       other.data >= image.data + image.size);
        }
    }
    fuzz_check(sum < UINT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    file_of_bytes file;
    qeff_error err = {0};
    qeff_qpc *qpc = NULL;
    file_of_bytes_set(&file, data, size);
    const qeff_status status = qeff_qpc_open("programqpc.bin", &qpc, &err);
    if (status) {
        fuzz_check((status == QEFF_ERR_FORMAT || status == QEFF_ERR_UNSUPPORTED) && !qpc);
        fuzz_check(!strchr(err.message, '\n') && qeff_utf8_is_valid(qeff_str_of(err.message)));
    } else {
        check_images(qpc);
    }
    qeff_qpc_close(qpc);
    return 0;
}
