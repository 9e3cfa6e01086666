/* dump.c - encodes records from standard input and prints what came out, for comparison with the
 * reference by tests/golden/tokenizer/compare.py.
 *
 *   tokenizer_dump PATH FLAGS MAX_LENGTH      FLAGS: letters of the list below, or -
 *     p pairs   n no special tokens   l truncate left   1 only first   2 only second
 *     f settings of the file   c lower-case option   d decode the ids, too   o no offsets
 *   input   u32le size, text, and with p once more for the pair; until the end
 *   output  a line a record: ids|type_ids|begin:end|word_ids|special[|text in hex], or !message */
#include <qeff/tokenizer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads one text; NULL at the end of the input. */
static char *read_text(size_t *size)
{
    unsigned char head[4];
    if (fread(head, 1, 4, stdin) != 4) return NULL;
    *size = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    char *text = malloc(*size ? *size : 1);
    if (text && fread(text, 1, *size, stdin) == *size) return text;
    free(text);
    return NULL;
}

static void print_ints(const int32_t *values, size_t n, const char *end)
{
    for (size_t i = 0; i < n; i++)
        (void)printf("%s%d", i ? " " : "", (int)values[i]);
    (void)fputs(end, stdout);
}

static int print_encoding(const qeff_tokenizer *tokenizer, const qeff_encoding *e, bool decode)
{
    qeff_error err = {0};
    print_ints(e->ids, e->n, "|");
    print_ints(e->type_ids, e->n, "|");
    for (size_t i = 0; e->offsets && i < e->n; i++)
        (void)printf("%s%d:%d", i ? " " : "", (int)e->offsets[i].begin, (int)e->offsets[i].end);
    (void)fputs("|", stdout);
    print_ints(e->word_ids, e->n, "|");
    for (size_t i = 0; i < e->n; i++)
        (void)printf("%s%d", i ? " " : "", (int)e->special_mask[i]);
    for (int skip = 0; decode && skip < 2; skip++) {
        qeff_text text = {0};
        if (qeff_tokenizer_decode(tokenizer, e->ids, e->n, skip, &text, &err)) return 1;
        (void)fputs("|", stdout);
        for (size_t i = 0; i < text.size; i++)
            (void)printf("%02x", (unsigned)(unsigned char)text.data[i]);
        qeff_text_deinit(&text);
    }
    (void)fputs("\n", stdout);
    return 0;
}

int main(int argc, char **argv)
{
    qeff_error err = {0};
    qeff_tokenizer *tokenizer = NULL;
    qeff_encoding encoding = {0};
    if (argc != 4) return 2;
    const char *flags = argv[2];
    const qeff_tokenizer_options open_options = {.lowercase = strchr(flags, 'c') != NULL};
    if (qeff_tokenizer_open(argv[1], &open_options, &tokenizer, &err)) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    qeff_str pair = {NULL, 0};
    const bool has_pair = strchr(flags, 'p') != NULL;
    const qeff_encode_options options = {.pair = has_pair ? &pair : NULL,
                                         .no_special_tokens = strchr(flags, 'n') != NULL,
                                         .no_offsets = strchr(flags, 'o') != NULL,
                                         .truncate_left = strchr(flags, 'l') != NULL,
                                         .use_file_settings = strchr(flags, 'f') != NULL,
                                         .strategy = strchr(flags, '1') ? QEFF_TRUNCATE_ONLY_FIRST
                                                     : strchr(flags, '2')
                                                         ? QEFF_TRUNCATE_ONLY_SECOND
                                                         : QEFF_TRUNCATE_LONGEST_FIRST,
                                         .max_length = strtoul(argv[3], NULL, 10)};
    int failed = 0;
    for (size_t size = 0; !failed;) {
        char *text = read_text(&size), *second = NULL;
        if (!text) break;
        if (has_pair) {
            second = read_text(&pair.size);
            pair.data = second;
        }
        if (has_pair && !second)
            failed = 1;
        else if (qeff_tokenizer_encode(tokenizer, (qeff_str){text, size}, &options, &encoding,
                                       &err))
            (void)printf("!%s\n", err.message);
        else
            failed = print_encoding(tokenizer, &encoding, strchr(flags, 'd') != NULL);
        free(text);
        free(second);
    }
    qeff_encoding_deinit(&encoding);
    qeff_tokenizer_destroy(tokenizer);
    return failed;
}
