/* The loop that tokenises many texts for a measurement; compiled by qeff.py beside libqeff.so. */
#include <qeff/tokenizer.h>

QEFF_API qeff_status tokenizer_loop(const qeff_tokenizer *tokenizer, const qeff_str *texts,
                                    size_t n, size_t *n_tokens, qeff_error *err);

/* Ids only, as encode() of a model asks for them; `n_tokens` receives their number. */
qeff_status tokenizer_loop(const qeff_tokenizer *tokenizer, const qeff_str *texts, size_t n,
                           size_t *n_tokens, qeff_error *err)
{
    const qeff_encode_options options = {.no_offsets = true};
    qeff_encoding encoding = {0};
    qeff_status status = QEFF_OK;

    *n_tokens = 0;
    for (size_t i = 0; i < n && status == QEFF_OK; i++) {
        status = qeff_tokenizer_encode(tokenizer, texts[i], &options, &encoding, err);
        *n_tokens += encoding.n;
    }
    qeff_encoding_deinit(&encoding);
    return status;
}
