/* decoder.c - the WordPiece decoder, and the plain one for files that name none.
 *
 * Reference: decoders/wordpiece.rs. Each token after the first loses its prefix or gets a space;
 * then the clean-up replaces, inside that token, each text of the list below, one after another. */
#include "tokenizer/decoder.h"

#include "base/error.h"
#include "base/span.h"

static void
append_plain(const qeff_decoder *decoder, size_t index, qeff_str token, qeff_buffer *out)
{
    (void)decoder;
    if (index > 0) qeff_buffer_append_byte(out, ' ');
    qeff_buffer_append_str(out, token);
}

/* Replaces every `from` in [begin, end of buffer) by `to`, which is shorter. */
static void replace_all(qeff_buffer *out, size_t begin, const char *from, const char *to)
{
    const size_t n_from = strlen(from), n_to = strlen(to);
    size_t write = begin;
    for (size_t read = begin; read < out->size;) {
        if (out->size - read >= n_from && memcmp(out->data + read, from, n_from) == 0) {
            memcpy(out->data + write, to, n_to);
            write += n_to;
            read += n_from;
        } else {
            out->data[write++] = out->data[read++];
        }
    }
    out->size = write;
}

static void
append_wordpiece(const qeff_decoder *decoder, size_t index, qeff_str token, qeff_buffer *out)
{
    static const char *const cleanups[][2] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    const size_t begin = out->size;
    if (index > 0) {
        const qeff_str prefix = decoder->prefix;
        if (token.size >= prefix.size && memcmp(token.data, prefix.data, prefix.size) == 0)
            token = (qeff_str){token.data + prefix.size, token.size - prefix.size};
        else
            qeff_buffer_append_byte(out, ' ');
    }
    qeff_buffer_append_str(out, token);
    if (!decoder->cleanup || out->failed || out->size == begin) return;
    if (!memchr(out->data + begin, ' ', out->size - begin)) return; /* all of them start with one */
    for (size_t i = 0; i < sizeof cleanups / sizeof *cleanups; i++)
        replace_all(out, begin, cleanups[i][0], cleanups[i][1]);
}

qeff_status qeff_decoder_read(qeff_json json, qeff_arena *arena, qeff_decoder *out, qeff_error *err)
{
    qeff_str type = {NULL, 0}, prefix = {NULL, 0};
    const qeff_json_kind kind = qeff_json_kind_of(json);
    *out = (qeff_decoder){.append = append_plain};
    if (kind == QEFF_JSON_MISSING || kind == QEFF_JSON_NULL) return QEFF_OK;
    QEFF_TRY(qeff_json_expect(json, QEFF_JSON_OBJECT, err));
    QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "type"), &type, err));
    if (!qeff_str_is(type, "WordPiece"))
        return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "unknown decoder '%.*s'", QEFF_STR_ARGS(type));
    QEFF_TRY(qeff_json_to_str(qeff_json_find(json, "prefix"), &prefix, err));
    QEFF_TRY(qeff_json_to_bool(qeff_json_find(json, "cleanup"), &out->cleanup, err));
    out->prefix = qeff_arena_str(arena, prefix);
    out->append = append_wordpiece;
    return out->prefix.data ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}
