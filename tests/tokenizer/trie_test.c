/* trie_test.c - the trie finds what was put in and nothing else, from any bytes, always the same
 * way, and in time and space that grow with the texts. */
#include "support.h"

#include "base/hash.h"
#include "tokenizer/trie.h"

enum { WORD = 12 };

/* xorshift64 */
static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* Texts of up to `longest` bytes of a few that are easily taken for something else. */
static qeff_str make_text(uint64_t *state, char out[WORD], size_t longest)
{
    static const char bytes[] = {0, 1, 'a', 'b', '#', (char)0x80, (char)0xff};
    const size_t size = next(state) % (longest + 1);
    for (size_t i = 0; i < size; i++)
        out[i] = bytes[next(state) % sizeof bytes];
    return (qeff_str){out, size};
}

static void build(qeff_trie_keys *keys, qeff_trie *out, size_t *n_texts)
{
    qeff_error err = {0};
    const qeff_trie_key *repeated = NULL;
    ASSERT_OK(qeff_trie_build(keys, out, n_texts, &repeated, &err));
    assert_true(qeff_trie_is_sound(out, INT32_MAX));
}

static void add(qeff_trie_keys *keys, qeff_str text, uint32_t value)
{
    qeff_error err = {0};
    ASSERT_OK(qeff_trie_keys_add(keys, text, value, &err));
}

/* The value of the last key with this text: the specification. */
static int32_t find_slowly(const qeff_trie_keys *keys, qeff_str text)
{
    int32_t value = -1;
    for (size_t i = 0; i < keys->n; i++) {
        const qeff_trie_key *key = &keys->items[i];
        const qeff_str other = {(const char *)keys->text.data + key->at, key->size};
        if (qeff_str_equal(other, text) && (int32_t)key->value > value) value = (int32_t)key->value;
    }
    return value;
}

/* The longest start of `text` that is a text when it follows `prefix`. */
static size_t
find_longest_slowly(const qeff_trie_keys *keys, qeff_str prefix, qeff_str text, int32_t *value)
{
    char both[2 * WORD];
    memcpy(both, prefix.data, prefix.size);
    memcpy(both + prefix.size, text.data, text.size);
    for (size_t size = text.size; size > 0; size--) {
        *value = find_slowly(keys, (qeff_str){both, prefix.size + size});
        if (*value >= 0) return size;
    }
    *value = -1;
    return 0;
}

TEST(trie, finds_what_was_put_in_and_nothing_else)
{
    char bytes[WORD], more[WORD];
    uint64_t state = 42;
    for (size_t n = 0; n < 400; n = n * 3 / 2 + 1) {
        qeff_trie_keys keys = {0};
        qeff_trie trie = {0};
        size_t n_texts = 0;
        for (uint32_t i = 0; i < n; i++)
            add(&keys, make_text(&state, bytes, 6), i);
        build(&keys, &trie, &n_texts);
        for (size_t i = 0; i < 2000; i++) {
            const qeff_str prefix = make_text(&state, bytes, 3), text = make_text(&state, more, 8);
            int32_t wanted = -1, found = -1;
            assert_int_equal(qeff_trie_find(&trie, text), find_slowly(&keys, text));
            const size_t size = find_longest_slowly(&keys, prefix, text, &wanted);
            assert_int_equal(qeff_trie_longest(&trie, qeff_trie_walk(&trie, prefix), text, &found),
                             size);
            assert_int_equal(found, wanted);
        }
        qeff_trie_deinit(&trie);
        qeff_trie_keys_deinit(&keys);
    }
}

TEST(trie, holds_all_bytes_at_once)
{
    qeff_trie_keys keys = {0};
    qeff_trie trie = {0};
    size_t n_texts = 0;
    for (uint32_t i = 0; i < 65536; i++)
        add(&keys, (qeff_str){(const char[]){(char)(i >> 8), (char)i}, 2}, i);
    build(&keys, &trie, &n_texts);
    assert_int_equal(n_texts, 65536);
    for (uint32_t i = 0; i < 65536; i++) {
        const char bytes[] = {(char)(i >> 8), (char)i};
        assert_int_equal(qeff_trie_find(&trie, (qeff_str){bytes, 2}), i);
        assert_int_equal(qeff_trie_find(&trie, (qeff_str){bytes, 1}), -1);
    }
    qeff_trie_deinit(&trie);
    qeff_trie_keys_deinit(&keys);
}

TEST(trie, takes_the_last_of_equal_texts_and_tells)
{
    qeff_error err = {0};
    qeff_trie_keys keys = {0};
    qeff_trie trie = {0};
    const qeff_trie_key *repeated = NULL;
    size_t n_texts = 0;
    for (uint32_t i = 0; i < 100; i++) /* large groups and small ones are sorted in two ways */
        add(&keys, i % 2 ? QEFF_STR("same") : QEFF_STR(""), i);
    add(&keys, QEFF_STR("other"), 7);
    ASSERT_OK(qeff_trie_build(&keys, &trie, &n_texts, &repeated, &err));
    assert_int_equal(n_texts, 3);
    assert_non_null(repeated);
    assert_int_equal(qeff_trie_find(&trie, QEFF_STR("same")), 99);
    assert_int_equal(qeff_trie_find(&trie, QEFF_STR("")), 98);
    qeff_trie_deinit(&trie);
    qeff_trie_keys_deinit(&keys);
}

TEST(trie, finds_nothing_where_nothing_is)
{
    qeff_trie_keys keys = {0};
    qeff_trie trie = {0};
    size_t n_texts = 0;
    int32_t value = 0;
    assert_int_equal(qeff_trie_find(&trie, QEFF_STR("a")), -1);
    build(&keys, &trie, &n_texts);
    assert_int_equal(n_texts, 0);
    assert_int_equal(qeff_trie_find(&trie, QEFF_STR("")), -1);
    assert_int_equal(qeff_trie_find(&trie, (qeff_str){"\0\0", 2}), -1);
    assert_int_equal(qeff_trie_walk(&trie, QEFF_STR("a")), QEFF_TRIE_NOWHERE);
    for (int c = 0; c < 256; c++)
        for (int node = QEFF_TRIE_ROOT; node <= QEFF_TRIE_NOWHERE; node++) {
            const char bytes[] = {(char)c, (char)c};
            assert_int_equal(qeff_trie_longest(&trie, (uint32_t)node, (qeff_str){bytes, 2}, &value),
                             0);
            assert_int_equal(value, -1);
        }
    qeff_trie_deinit(&trie);
}

/* Words like those of a vocabulary: syllables of letters, half of them behind "##". */
static void add_words(qeff_trie_keys *keys, uint32_t n)
{
    uint64_t state = 7;
    for (uint32_t i = 0; i < n; i++) {
        char word[32] = "##";
        size_t size = i % 2 ? 2 : 0;
        for (uint64_t k = 2 + next(&state) % 3; k > 0; k--) {
            const uint64_t r = next(&state);
            word[size++] = "bcdfghjklmnprstvwz"[r % 18];
            word[size++] = "aeiou"[r / 18 % 5];
        }
        add(keys, (qeff_str){word, size}, i);
    }
}

/* By any compiler, on any machine: programs are compared by their bytes. */
TEST(trie, has_the_same_bytes_for_the_same_texts)
{
    qeff_error err = {0};
    qeff_trie_keys keys = {0};
    qeff_trie trie = {0};
    uint8_t digest[QEFF_HASH_BYTES];
    char hex[QEFF_HASH_HEX + 1];
    size_t n_texts = 0;
    add_words(&keys, 30000);
    build(&keys, &trie, &n_texts);
    const qeff_bytes units = {(const uint8_t *)trie.units, trie.n * sizeof *trie.units};
    ASSERT_OK(qeff_hash_bytes(units, digest, &err));
    qeff_hash_format(digest, hex);
    assert_string_equal(hex, "848faa40f3e23ad37a75920214bdd0e63d36cc6495643e261d04416f553e47ae");
    qeff_trie_deinit(&trie);
    qeff_trie_keys_deinit(&keys);
}

static size_t count_used(const qeff_trie *trie)
{
    size_t n = 0;
    for (size_t i = 0; i < trie->n; i++)
        n += trie->units[i].edge != 0 || trie->units[i].end != 0;
    return n;
}

TEST(trie, is_nearly_full)
{
    qeff_trie_keys keys = {0};
    qeff_trie trie = {0};
    size_t n_texts = 0;
    add_words(&keys, 30000);
    build(&keys, &trie, &n_texts);
    assert_true(count_used(&trie) * 100 > trie.n * 95);
    qeff_trie_deinit(&trie);
    qeff_trie_keys_deinit(&keys);
}

/* A text of `size` bytes that says its number at the end. */
static void add_long(qeff_trie_keys *keys, char *bytes, size_t size, uint32_t number)
{
    memcpy(bytes + size - sizeof number, &number, sizeof number);
    add(keys, (qeff_str){bytes, size}, number);
}

TEST(trie, takes_linear_time_for_texts_that_differ_at_the_end)
{
    static char bytes[QEFF_TOKEN_BYTES_MAX];
    qeff_trie_keys keys = {0};
    qeff_trie trie = {0};
    size_t n_texts = 0;
    for (uint32_t i = 0; i < 200; i++)
        add_long(&keys, bytes, sizeof bytes, i);
    build(&keys, &trie, &n_texts);
    assert_int_equal(n_texts, 200);
    assert_true(trie.n < 2 * sizeof bytes);
    qeff_trie_deinit(&trie);
    qeff_trie_keys_deinit(&keys);
}

TEST(trie, refuses_more_than_it_can_hold)
{
    static char bytes[QEFF_TOKEN_BYTES_MAX + 1];
    qeff_error err = {0};
    qeff_trie_keys keys = {0};
    qeff_trie trie = {0};
    const qeff_trie_key *repeated = NULL;
    size_t n_texts = 0;
    ASSERT_FAILS(qeff_trie_keys_add(&keys, (qeff_str){bytes, sizeof bytes}, 0, &err),
                 QEFF_ERR_FORMAT, "token of 65537 bytes, expected at most 65536");
    for (uint32_t i = 0; i < 130; i++) { /* of 65,536 bytes that no other one shares */
        bytes[0] = (char)i;
        add_long(&keys, bytes, QEFF_TOKEN_BYTES_MAX, i);
    }
    ASSERT_FAILS(qeff_trie_build(&keys, &trie, &n_texts, &repeated, &err), QEFF_ERR_FORMAT,
                 "tokens with more than 8388608 different starts");
    assert_null(trie.own);
    qeff_trie_keys_deinit(&keys);
}

TEST(trie, is_not_sound_where_a_walk_could_leave_it)
{
    qeff_trie_keys keys = {0};
    qeff_trie trie = {0};
    size_t n_texts = 0;
    add(&keys, QEFF_STR("ab"), 4);
    build(&keys, &trie, &n_texts);
    assert_true(qeff_trie_is_sound(&trie, 5));
    assert_false(qeff_trie_is_sound(&trie, 4));
    qeff_trie cut = trie;
    cut.n--;
    assert_false(qeff_trie_is_sound(&cut, 5));
    trie.own[2].edge = (uint32_t)(trie.n - 255) << 8;
    assert_false(qeff_trie_is_sound(&trie, 5));
    qeff_trie_deinit(&trie);
    qeff_trie_keys_deinit(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(trie, finds_what_was_put_in_and_nothing_else),
        RUN(trie, holds_all_bytes_at_once),
        RUN(trie, takes_the_last_of_equal_texts_and_tells),
        RUN(trie, finds_nothing_where_nothing_is),
        RUN(trie, has_the_same_bytes_for_the_same_texts),
        RUN(trie, is_nearly_full),
        RUN(trie, takes_linear_time_for_texts_that_differ_at_the_end),
        RUN(trie, refuses_more_than_it_can_hold),
        RUN(trie, is_not_sound_where_a_walk_could_leave_it),
    };
    return cmocka_run_group_tests_name("tokenizer_trie", tests, NULL, NULL);
}
