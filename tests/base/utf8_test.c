/* utf8_test.c - decoding valid and invalid UTF-8; subparts as Unicode 16, section 3.9, has them. */
#include "base/utf8.h"

#include "base/span.h"
#include "test.h"

#include <stdlib.h>

TEST(utf8, round_trips_every_code_point)
{
    (void)state_;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char text[4];
        uint32_t back = 0;
        if (c >= 0xd800 && c <= 0xdfff) continue;
        const size_t n = qeff_utf8_encode(c, text);
        assert_int_equal(n, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
        assert_int_equal(qeff_utf8_decode(text, n, &back), n);
        assert_int_equal(back, c);
        assert_true(qeff_utf8_is_valid((qeff_str){text, n}));
        for (size_t cut = 1; cut < n; cut++)
            assert_false(qeff_utf8_is_valid((qeff_str){text, cut}));
    }
}

/* Lengths of the subparts of an input, in order. */
static const struct {
    const char *text;
    const char *lengths;
} subparts[] = {
    {"\x80", "1"},
    {"\xbf\xbf", "11"},
    {"\xc0\xaf", "11"},
    {"\xc1\xbf", "11"},
    {"\xc3", "1"},
    {"\xc3(", "11"},
    {"\xe0\x80\x80", "111"},
    {"\xe0\x9f\xbf", "111"},
    {"\xe0\xa0", "2"},
    {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "21321"},
    {"\xed\xa0\x80", "111"},
    {"\xed\xbf\xbf", "111"},
    {"\xef\xbf", "2"},
    {"\xf0\x80\x80\xaf", "1111"},
    {"\xf0\x90\x80", "3"},
    {"\xf0\x8f\xbf\xbf", "1111"},
    {"\xf4\x90\x80\x80", "1111"},
    {"\xf5\x80\x80\x80", "1111"},
    {"\xfe\xff", "11"},
    {"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", "111111111"},
};

TEST(utf8, replaces_maximal_subparts)
{
    (void)state_;
    for (size_t i = 0; i < sizeof subparts / sizeof *subparts; i++) {
        const qeff_str text = qeff_str_of(subparts[i].text);
        size_t at = 0, part = 0;
        for (; at < text.size; part++) {
            uint32_t c = 0;
            const size_t n = qeff_utf8_decode(text.data + at, text.size - at, &c);
            assert_int_equal(n, subparts[i].lengths[part] - '0');
            if ((unsigned char)text.data[at] >= 0x80) assert_int_equal(c, QEFF_UTF8_REPLACEMENT);
            at += n;
        }
        assert_int_equal(at, text.size);
        assert_int_equal(subparts[i].lengths[part], '\0');
        assert_int_equal(qeff_utf8_length(text), part);
        assert_false(qeff_utf8_is_valid(text));
    }
}

TEST(utf8, accepts_a_real_replacement_character)
{
    (void)state_;
    assert_true(qeff_utf8_is_valid(QEFF_STR("a\xef\xbf\xbd")));
    assert_true(qeff_utf8_is_valid(QEFF_STR("")));
    assert_true(qeff_utf8_is_valid((qeff_str){NULL, 0}));
    assert_false(qeff_utf8_is_valid(QEFF_STR("\xef\xbf\xbe\xef\xbf")));
}

/* Checks every sequence of two bytes against the definition in Unicode's table 3-7. */
TEST(utf8, agrees_with_the_table_on_all_pairs)
{
    (void)state_;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            const char pair[2] = {(char)a, (char)b};
            const bool is_valid =
                (a < 0x80 && b < 0x80) || (a >= 0xc2 && a <= 0xdf && b >= 0x80 && b <= 0xbf);
            assert_int_equal(qeff_utf8_is_valid((qeff_str){pair, 2}), is_valid);
        }
}

TEST(utf8, never_reads_past_the_end)
{
    (void)state_;
    for (unsigned lead = 0xc0; lead < 0x100; lead++)
        for (size_t size = 1; size < 5; size++) {
            char *exact = malloc(size);
            uint32_t c = 0;
            assert_non_null(exact);
            memset(exact, 0x80, size);
            exact[0] = (char)lead;
            assert_true(qeff_utf8_decode(exact, size, &c) <= size);
            free(exact);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(utf8, round_trips_every_code_point),
        RUN(utf8, replaces_maximal_subparts),
        RUN(utf8, accepts_a_real_replacement_character),
        RUN(utf8, agrees_with_the_table_on_all_pairs),
        RUN(utf8, never_reads_past_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
