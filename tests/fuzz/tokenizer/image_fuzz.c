/* image_fuzz.c - fuzz target for the mapped form of a tokenizer: whatever was changed in a good
 * one, it is refused or harmless.
 *
 *   input  any number of changes: u16le position, in units of 4 bytes from the start (top bit: in
 * bytes from the end), u32le value that is written there; the rest of a change cuts bytes off */
#include "check.h"
#include "tokenizer/image.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char json[] =
    "{\"added_tokens\":[{\"id\":4,\"content\":\"[MASK]\",\"single_word\":false,\"lstrip\":true,"
    "\"rstrip\":false,\"normalized\":false,\"special\":true}],"
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
    "\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2]},"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
    "\"max_input_chars_per_word\":100,\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,"
    "\"[MASK]\":4,\"hello\":5,\"un\":6,\"##want\":7,\"##ed\":8,\"a\":9,\"##a\":10,\"\":12,"
    "\"\\u4e2d\":14}}}";

static void make_good(qeff_buffer *good)
{
    qeff_tokenizer *tokenizer = NULL;
    const qeff_bytes bytes = {(const uint8_t *)json, sizeof json - 1};
    REQUIRE(!qeff_tokenizer_parse(bytes, NULL, &tokenizer, NULL));
    qeff_tokenizer_image_append(tokenizer, good);
    REQUIRE(!good->failed);
    qeff_tokenizer_destroy(tokenizer);
}

static void use(const qeff_tokenizer *tokenizer)
{
    static const char text[] = "Hello [MASK] \xe4\xb8\xad unwanted aaa\xff b. \xc3\xa9";
    qeff_encoding encoding = {0};
    qeff_text decoded = {0};
    if (!qeff_tokenizer_encode(tokenizer, (qeff_str){text, sizeof text - 1}, NULL, &encoding,
                               NULL)) {
        check_encoding(tokenizer, &encoding, sizeof text, 0);
        REQUIRE(!qeff_tokenizer_decode(tokenizer, encoding.ids, encoding.n, false, &decoded, NULL));
    }
    for (size_t id = 0; id < qeff_tokenizer_id_limit(tokenizer); id++)
        (void)qeff_tokenizer_id(tokenizer, qeff_tokenizer_token(tokenizer, (int32_t)id));
    qeff_encoding_deinit(&encoding);
    qeff_text_deinit(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static qeff_buffer good;
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    if (!good.size) make_good(&good);
    const size_t n_cut = size % 6 * 8, n = good.size > n_cut ? good.size - n_cut : 0;
    uint8_t *image = malloc(good.size); /* aligned, and a block that ends where the image does */
    REQUIRE(image);
    memcpy(image, good.data, n);
    for (size_t i = 0; i + 6 <= size; i += 6) {
        const size_t place = (size_t)data[i] | (size_t)(data[i + 1] & 0x7f) << 8;
        const size_t at = data[i + 1] & 0x80 ? n - 4 - place : 4 * place;
        if (n >= 4 && at <= n - 4) memcpy(image + at, data + i + 2, 4);
    }
    image = realloc(image, n ? n : 1);
    REQUIRE(image);
    const qeff_status status =
        qeff_tokenizer_image_open((qeff_bytes){image, n}, (qeff_str){"{}", 2}, &tokenizer, &err);
    if (status)
        REQUIRE(!tokenizer && err.message[0] && !strchr(err.message, '\n'));
    else
        use(tokenizer);
    qeff_tokenizer_destroy(tokenizer);
    free(image);
    return 0;
}
