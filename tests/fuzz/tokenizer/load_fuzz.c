/* load_fuzz.c - fuzz target for tokenizer.json: what loads also encodes, decodes, and loads again
 * from its own text. */
#include "check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const qeff_tokenizer *tokenizer)
{
    static const char text[] = "Hello [MASK] \xe4\xb8\xad <x>e\xcc\x81 unwanted\xff foo  Foo.";
    const qeff_str pair = {"a b", 3};
    const qeff_encode_options options[] = {
        {0}, {.pair = &pair, .max_length = 6}, {.use_file_settings = true, .no_offsets = true}};
    qeff_encoding encoding = {0};
    qeff_text decoded = {0};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        /* Files may ask to pad to millions of tokens; that is theirs to ask. */
        if (qeff_tokenizer_encode(tokenizer, (qeff_str){text, sizeof text - 1}, &options[i],
                                  &encoding, NULL))
            continue;
        check_encoding(tokenizer, &encoding, sizeof text, 3);
        REQUIRE(!qeff_tokenizer_decode(tokenizer, encoding.ids, encoding.n < 64 ? encoding.n : 64,
                                       i == 1, &decoded, NULL));
    }
    qeff_encoding_deinit(&encoding);
    qeff_text_deinit(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL, *again = NULL;
    const qeff_tokenizer_options options = {.lowercase = size % 2 == 1};
    const qeff_status status =
        qeff_tokenizer_parse((qeff_bytes){data, size}, &options, &tokenizer, &err);
    if (status) {
        REQUIRE(!tokenizer && err.message[0] && !strchr(err.message, '\n'));
        return 0;
    }
    use(tokenizer);
    const qeff_str json = qeff_tokenizer_json(tokenizer);
    REQUIRE(!qeff_tokenizer_parse((qeff_bytes){(const uint8_t *)json.data, json.size}, NULL, &again,
                                  &err));
    const qeff_str same = qeff_tokenizer_json(again);
    REQUIRE(same.size == json.size && memcmp(same.data, json.data, json.size) == 0);
    qeff_tokenizer_destroy(again);
    qeff_tokenizer_destroy(tokenizer);
    return 0;
}
