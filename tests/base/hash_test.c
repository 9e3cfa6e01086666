/* hash_test.c - SHA-256 against the vectors of FIPS 180-4 and NIST's examples. */
#include "base/hash.h"

#include "base/span.h"
#include "test.h"

static qeff_error err;

static void assert_digest(qeff_str text, const char *expected)
{
    uint8_t digest[QEFF_HASH_BYTES];
    char hex[QEFF_HASH_HEX + 1];
    ASSERT_OK(qeff_hash_bytes((qeff_bytes){(const uint8_t *)text.data, text.size}, digest, &err));
    qeff_hash_format(digest, hex);
    assert_string_equal(hex, expected);
}

TEST(hash, matches_known_vectors)
{
    (void)state_;
    assert_digest((qeff_str){NULL, 0},
                  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest(QEFF_STR("abc"),
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest(QEFF_STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(hash, matches_a_million_letters_in_pieces)
{
    (void)state_;
    char letters[1000];
    uint8_t digest[QEFF_HASH_BYTES];
    char hex[QEFF_HASH_HEX + 1];
    qeff_hash hash = {0};
    memset(letters, 'a', sizeof letters);
    qeff_hash_init(&hash);
    for (int i = 0; i < 1000; i++)
        qeff_hash_update(&hash, letters, sizeof letters);
    ASSERT_OK(qeff_hash_finish(&hash, digest, &err));
    qeff_hash_format(digest, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    qeff_hash_deinit(&hash);
}

static void digest_of_pair(qeff_str a, qeff_str b, uint8_t digest[QEFF_HASH_BYTES])
{
    qeff_hash hash = {0};
    qeff_hash_init(&hash);
    qeff_hash_update_str(&hash, a);
    qeff_hash_update_str(&hash, b);
    ASSERT_OK(qeff_hash_finish(&hash, digest, &err));
}

TEST(hash, tells_texts_apart_by_their_borders)
{
    (void)state_;
    uint8_t a[QEFF_HASH_BYTES], b[QEFF_HASH_BYTES];
    digest_of_pair(QEFF_STR("ab"), QEFF_STR("c"), a);
    digest_of_pair(QEFF_STR("a"), QEFF_STR("bc"), b);
    assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(hash, matches_known_vectors),
        RUN(hash, matches_a_million_letters_in_pieces),
        RUN(hash, tells_texts_apart_by_their_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
