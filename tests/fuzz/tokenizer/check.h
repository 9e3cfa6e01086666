/* check.h - what holds for every encoding, whatever the tokenizer and the text. */
#ifndef FUZZ_TOKENIZER_CHECK_H
#define FUZZ_TOKENIZER_CHECK_H

#include <qeff/tokenizer.h>
#include <stdlib.h>

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) abort();                                                                 \
    } while (0)

static inline void check_encoding(const qeff_tokenizer *tokenizer, const qeff_encoding *e,
                                  size_t text_size, size_t pair_size)
{
    const size_t longest = text_size > pair_size ? text_size : pair_size;
    for (size_t i = 0; i < e->n; i++) {
        REQUIRE(e->attention_mask[i] == 0 ||
                (e->ids[i] >= 0 && (size_t)e->ids[i] < qeff_tokenizer_id_limit(tokenizer)));
        REQUIRE(e->attention_mask[i] == 0 || qeff_tokenizer_token(tokenizer, e->ids[i]).data);
        REQUIRE(e->special_mask[i] == (e->word_ids[i] < 0));
        if (!e->offsets) continue;
        REQUIRE(e->offsets[i].begin >= 0 && e->offsets[i].begin <= e->offsets[i].end);
        REQUIRE((size_t)e->offsets[i].end <= longest);
    }
}

#endif /* FUZZ_TOKENIZER_CHECK_H */
