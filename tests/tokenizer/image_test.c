/* image_test.c - the mapped form of a tokenizer: it gives the same tokens, and a damaged one is
 * refused or harmless. */
#include "support.h"
#include "tokenizer/image.h"

#include <stdlib.h>

static const char text[] = "Hello, [MASK] unwanted Caf\xc3\xa9 \xe4\xb8\xad doesn't \"quoted\"";
static const parts quoted = {.model =
                                 SMALL_MODEL(SMALL_VOCAB ",\"\\\"\":22,\"\":23,\"\\u00e9\":40")};

static qeff_tokenizer *make_image(const parts *p, qeff_buffer *image)
{
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    ASSERT_OK(parse_parts(p, &tokenizer, &err));
    qeff_tokenizer_image_append(tokenizer, image);
    assert_false(image->failed);
    return tokenizer;
}

static void encode(const qeff_tokenizer *tokenizer, qeff_buffer *out)
{
    qeff_error err = {0};
    qeff_encoding encoding = {0};
    ASSERT_OK(qeff_tokenizer_encode(tokenizer, qeff_str_of(text), NULL, &encoding, &err));
    format_encoding(&encoding, true, out);
    qeff_encoding_deinit(&encoding);
}

TEST(image, gives_the_same_tokenizer)
{
    (void)state_;
    qeff_error err = {0};
    qeff_buffer image = {0}, again = {0}, wanted = {0}, found = {0};
    qeff_tokenizer *opened = NULL, *made = make_image(&quoted, &image);
    const qeff_str json = qeff_tokenizer_json(made);
    ASSERT_OK(qeff_tokenizer_image_open(qeff_buffer_bytes(&image), json, &opened, &err));
    encode(made, &wanted);
    encode(opened, &found);
    assert_true(qeff_str_equal(qeff_buffer_str(&wanted), qeff_buffer_str(&found)));
    assert_ptr_equal(qeff_tokenizer_json(opened).data, json.data);
    assert_int_equal(qeff_tokenizer_id_limit(opened), qeff_tokenizer_id_limit(made));
    assert_int_equal(qeff_tokenizer_vocab_size(opened), qeff_tokenizer_vocab_size(made));
    for (int32_t id = -1; id < 50; id++) {
        const qeff_str token = qeff_tokenizer_token(opened, id);
        assert_true(qeff_str_equal(token, qeff_tokenizer_token(made, id)));
        assert_int_equal(token.data ? qeff_tokenizer_id(opened, token) : id, id);
    }
    qeff_tokenizer_image_append(opened, &again);
    assert_true(qeff_str_equal(qeff_buffer_str(&image), qeff_buffer_str(&again)));
    qeff_tokenizer_destroy(opened);
    qeff_tokenizer_destroy(made);
    qeff_buffer_deinit(&image);
    qeff_buffer_deinit(&again);
    qeff_buffer_deinit(&wanted);
    qeff_buffer_deinit(&found);
}

TEST(image, is_refused_when_cut_off_or_misaligned)
{
    (void)state_;
    qeff_error err = {0};
    qeff_buffer image = {0};
    qeff_tokenizer *opened = NULL;
    qeff_tokenizer_destroy(make_image(&quoted, &image));
    for (size_t n = 0; n < image.size; n++) {
        uint8_t *copy = malloc(n ? n : 1); /* its own block, so that reading behind it shows */
        assert_non_null(copy);
        memcpy(copy, image.data, n);
        ASSERT_FAILS(
            qeff_tokenizer_image_open((qeff_bytes){copy, n}, QEFF_STR("{}"), &opened, &err),
            QEFF_ERR_FORMAT, "");
        assert_null(opened);
        free(copy);
    }
    qeff_buffer_append_text(&image, "12345678");
    memmove(image.data + 1, image.data, image.size - 8);
    ASSERT_FAILS(qeff_tokenizer_image_open((qeff_bytes){image.data + 1, image.size - 8},
                                           QEFF_STR("{}"), &opened, &err),
                 QEFF_ERR_FORMAT, "");
    qeff_buffer_deinit(&image);
}

/* Whatever stands in the numbers, nothing is read outside of the image, no search is endless, and
 * each id has a token. */
TEST(image, is_harmless_with_any_number_changed)
{
    (void)state_;
    static const uint32_t values[] = {0, 1, 255, 4096, 0x7fffffff, 0x80000000, 0xffffffff};
    qeff_buffer image = {0};
    size_t n_opened = 0;
    qeff_tokenizer_destroy(make_image(&quoted, &image));
    for (size_t at = 0; at + 4 <= image.size; at += 4)
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            qeff_tokenizer *opened = NULL;
            qeff_encoding encoding = {0};
            uint32_t kept = 0;
            memcpy(&kept, image.data + at, 4);
            memcpy(image.data + at, &values[i], 4);
            if (!qeff_tokenizer_image_open(qeff_buffer_bytes(&image), QEFF_STR("{}"), &opened,
                                           NULL)) {
                n_opened++;
                if (!qeff_tokenizer_encode(opened, qeff_str_of(text), NULL, &encoding, NULL))
                    for (size_t k = 0; k < encoding.n; k++)
                        assert_non_null(qeff_tokenizer_token(opened, encoding.ids[k]).data);
                qeff_tokenizer_destroy(opened);
            }
            qeff_encoding_deinit(&encoding);
            memcpy(image.data + at, &kept, 4);
        }
    assert_true(n_opened > 0);
    qeff_buffer_deinit(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(image, gives_the_same_tokenizer),
        RUN(image, is_refused_when_cut_off_or_misaligned),
        RUN(image, is_harmless_with_any_number_changed),
    };
    return cmocka_run_group_tests_name("tokenizer_image", tests, NULL, NULL);
}
