/* image.h - a tokenizer as a compiled program carries it: the vocabulary in the form in which it is
 * used, so that opening one means mapping it, and a check of every number.
 *
 *   u64 x 8       "qefftok2"; 16 bytes of the digest of tokenizer.json; n tokens; u units; id limit
 *                 i; t bytes of all texts; r bytes of the rest
 *   u32 x 2 x u   the trie of the vocabulary, see trie.h
 *   u32 x 2 x i   offset of the text, size + 1; 0, 0 where no token has the id
 *   t bytes       texts
 *   r bytes       tokenizer.json with an empty object in the vocabulary's place
 *
 * Little-endian; each part is filled up with zero to a multiple of 8 bytes. */
#ifndef TOKENIZER_IMAGE_H
#define TOKENIZER_IMAGE_H

#include "base/buffer.h"

#include <qeff/tokenizer.h>

#define QEFF_TOKENIZER_IMAGE "tokenizer.bin"

/** Appends the image of a tokenizer; errors are the buffer's. */
void qeff_tokenizer_image_append(const qeff_tokenizer *tokenizer, qeff_buffer *out);

/** Opens an image, which is hostile until it is checked.
 * @param image  8-aligned; borrowed until the tokenizer is destroyed
 * @param json   what qeff_tokenizer_json() will give; borrowed as well
 * @return QEFF_OK, or, with `*out` set to NULL: QEFF_ERR_FORMAT, QEFF_ERR_UNSUPPORTED,
 *         QEFF_ERR_NO_MEMORY */
qeff_status
qeff_tokenizer_image_open(qeff_bytes image, qeff_str json, qeff_tokenizer **out, qeff_error *err);

#endif /* TOKENIZER_IMAGE_H */
