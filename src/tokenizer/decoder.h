/* decoder.h - ids back to text: what happens to the tokens' texts before they are joined. */
#ifndef TOKENIZER_DECODER_H
#define TOKENIZER_DECODER_H

#include "base/alloc.h"
#include "base/buffer.h"
#include "formats/json.h"

typedef struct qeff_decoder qeff_decoder;

/** Appends the text of token number `index` (0: the first that is decoded). */
typedef void (*qeff_decoder_append)(const qeff_decoder *decoder, size_t index, qeff_str token,
                                    qeff_buffer *out);

struct qeff_decoder {
    qeff_decoder_append append;
    qeff_str prefix; /**< WordPiece: marks a continuing piece; in the tokenizer's arena */
    bool cleanup;    /**< WordPiece: takes back the space before punctuation */
};

/** Reads the "decoder" of a tokenizer.json; null and missing join tokens by spaces.
 * @return QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED (names the type), QEFF_ERR_NO_MEMORY */
qeff_status
qeff_decoder_read(qeff_json json, qeff_arena *arena, qeff_decoder *out, qeff_error *err);

#endif /* TOKENIZER_DECODER_H */
