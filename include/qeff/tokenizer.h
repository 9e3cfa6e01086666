/* qeff/tokenizer.h - text to token ids and back, exactly as the Hugging Face `tokenizers` library
 * does it.
 *
 * A tokenizer comes from a `tokenizer.json`, or from `vocab.txt` with its `tokenizer_config.json`.
 * Known components are those of the BERT family; a file that names any other is refused by that
 * name, because a tokenizer that guesses gives wrong vectors without a sign.
 *
 * Reference: tokenizers 0.23.3. Text that is not valid UTF-8 is read as if each maximal invalid
 * part were U+FFFD (the reference cannot receive such text). */
#ifndef QEFF_TOKENIZER_H
#define QEFF_TOKENIZER_H

#include <qeff/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A loaded tokenizer: immutable, so any number of threads may use one at a time. */
typedef struct qeff_tokenizer qeff_tokenizer;

/** Zero-initialise, then set what differs: zero always means the default. */
typedef struct qeff_tokenizer_options {
    /** Lower-case before everything else, unless the normalizer holds a Lowercase step already:
     * `do_lower_case` of sentence-transformers' Transformer module. */
    bool lowercase;
} qeff_tokenizer_options;

/** Opens a tokenizer; the caller owns `*out` and releases it with qeff_tokenizer_destroy().
 *
 * @param path     a model folder, or a tokenizer.json itself. A folder is searched for
 *                 tokenizer.json, then for vocab.txt; tokenizer_config.json and
 *                 special_tokens_map.json beside either are read where they exist.
 * @param options  NULL: all defaults
 * @return QEFF_OK, or, with `*out` set to NULL and a message that starts with the file:
 *         QEFF_ERR_NOT_FOUND    neither file exists
 *         QEFF_ERR_IO           the system refused to read
 *         QEFF_ERR_FORMAT       a file is malformed or contradicts itself
 *         QEFF_ERR_UNSUPPORTED  a component that this build does not know, named in the message
 *         QEFF_ERR_NO_MEMORY */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_tokenizer_open(const char *path,
                                                         const qeff_tokenizer_options *options,
                                                         qeff_tokenizer **out, qeff_error *err);

/** Builds a tokenizer from the text of a tokenizer.json, such as one that a compiled program
 * carries. `json` is read during the call only. Ownership and errors as qeff_tokenizer_open(),
 * except that messages name no file. */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_tokenizer_parse(qeff_bytes json,
                                                          const qeff_tokenizer_options *options,
                                                          qeff_tokenizer **out, qeff_error *err);

/** Releases the tokenizer and all it owns. NULL is allowed. */
QEFF_API void qeff_tokenizer_destroy(qeff_tokenizer *tokenizer);

/** The text of a tokenizer.json that gives this same tokenizer through qeff_tokenizer_parse(),
 * with default options: the file's own text, plus one key "qeff" for what came from elsewhere
 * (options, tokenizer_config.json, special_tokens_map.json). Other readers ignore that key.
 * Equal text means equal tokenizers, so its digest serves as content hash.
 * @return borrowed until the tokenizer is destroyed */
QEFF_API qeff_str qeff_tokenizer_json(const qeff_tokenizer *tokenizer);

/** Tokens the vocabulary holds, added tokens included. Ids lie in [0, qeff_tokenizer_id_limit()),
 * and need not be dense. */
QEFF_API size_t qeff_tokenizer_vocab_size(const qeff_tokenizer *tokenizer);

/** One more than the largest id: the rows an embedding table needs at least. */
QEFF_API size_t qeff_tokenizer_id_limit(const qeff_tokenizer *tokenizer);

/** Text of a token, such as "##ing"; `{NULL, 0}` where no token has this id.
 * Borrowed until the tokenizer is destroyed. */
QEFF_API qeff_str qeff_tokenizer_token(const qeff_tokenizer *tokenizer, int32_t id);

/** Id of a token given by its exact text; -1 where there is none. */
QEFF_API int32_t qeff_tokenizer_id(const qeff_tokenizer *tokenizer, qeff_str token);

/** Roles that tokens play. */
typedef enum qeff_special_token {
    QEFF_TOKEN_UNK,  /**< stands for words that cannot be built from the vocabulary */
    QEFF_TOKEN_CLS,  /**< opens a sequence */
    QEFF_TOKEN_SEP,  /**< closes a sequence */
    QEFF_TOKEN_PAD,  /**< fills up batches */
    QEFF_TOKEN_MASK, /**< hides a token */
    QEFF_TOKEN_ROLES
} qeff_special_token;

/** Id of the token with this role; -1 where the files name none. */
QEFF_API int32_t qeff_tokenizer_special(const qeff_tokenizer *tokenizer, qeff_special_token role);

/** Whether decoding with `skip_special` leaves this id out. */
QEFF_API bool qeff_tokenizer_is_special(const qeff_tokenizer *tokenizer, int32_t id);

/** `model_max_length` of tokenizer_config.json; 0 where it is absent or "very large". */
QEFF_API size_t qeff_tokenizer_max_length(const qeff_tokenizer *tokenizer);

/** Tokens that encoding adds around one sequence, or around a pair. */
QEFF_API size_t qeff_tokenizer_n_added(const qeff_tokenizer *tokenizer, bool is_pair);

/** Which sequence of a pair gives way to max_length. */
typedef enum qeff_truncation {
    QEFF_TRUNCATE_LONGEST_FIRST = 0, /**< the longer one first, then both alike */
    QEFF_TRUNCATE_ONLY_FIRST,
    QEFF_TRUNCATE_ONLY_SECOND
} qeff_truncation;

/** Zero-initialise, then set what differs: zero always means the default.
 *
 * Truncation and padding that are baked into a tokenizer.json are ignored, since the model's
 * configuration decides, unless `use_file_settings` is set. */
typedef struct qeff_encode_options {
    const qeff_str *pair;      /**< second sequence; NULL: none */
    bool no_special_tokens;    /**< do not add [CLS], [SEP] and the like */
    bool no_offsets;           /**< leave `offsets` of the result NULL: faster */
    bool truncate_left;        /**< cut at the start of a sequence instead of its end */
    bool pad_left;             /**< padding goes before the tokens */
    bool use_file_settings;    /**< truncate and pad as tokenizer.json says; the other truncation
                                    and padding options are then ignored */
    qeff_truncation strategy;  /**< matters for pairs only */
    size_t max_length;         /**< tokens at most, special ones included; 0: no limit */
    size_t pad_to;             /**< tokens at least, filled with padding; 0: none */
    size_t pad_to_multiple_of; /**< fill up to a multiple; 0: none */
} qeff_encode_options;

/** Characters [begin, end) of the original text; {0, 0} for tokens that were added. */
typedef struct qeff_span {
    int32_t begin;
    int32_t end;
} qeff_span;

/** What encoding gives; the arrays have `n` elements and belong to this record.
 *
 * Zero-initialise it, use it for any number of calls and tokenizers (each call replaces what is
 * there and keeps the memory), release it with qeff_encoding_deinit(). For one thread at a time.
 * After an error `n` is 0. */
typedef struct qeff_encoding {
    size_t n;
    size_t n_truncated;      /**< tokens that max_length cut off */
    int32_t *ids;            /**< [n] */
    int32_t *type_ids;       /**< [n] 0 or 1 in BERT: which sequence a token belongs to */
    int32_t *word_ids;       /**< [n] index of the word inside its sequence; -1: added token */
    qeff_span *offsets;      /**< [n] into the text or the pair; NULL with no_offsets */
    uint8_t *special_mask;   /**< [n] 1: added by the template or by padding */
    uint8_t *attention_mask; /**< [n] 0: padding */
    void *workspace;         /**< private */
} qeff_encoding;

/** Encodes one text, or a pair.
 *
 * Takes time linear in the text. No allocation happens where an earlier call of at least this
 * size used the same record, but for one: after 64 KiB of text a record gets a cache of words, of
 * half a megabyte.
 * @param text     any bytes, at most 256 MiB
 * @param options  NULL: all defaults
 * @return QEFF_OK, or QEFF_ERR_INVALID   max_length is below the number of special tokens, or a
 *                                        strategy that cuts one sequence only cannot reach it
 *                     QEFF_ERR_CAPACITY  the text is too long
 *                     QEFF_ERR_FORMAT    a word is unknown and the vocabulary has no unknown token
 *                     QEFF_ERR_NO_MEMORY */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_tokenizer_encode(const qeff_tokenizer *tokenizer,
                                                           qeff_str text,
                                                           const qeff_encode_options *options,
                                                           qeff_encoding *out, qeff_error *err);

/** Frees what the record owns and zeroes it. */
QEFF_API void qeff_encoding_deinit(qeff_encoding *encoding);

/** Text that grows; zero-initialise, reuse freely, release with qeff_text_deinit(). */
typedef struct qeff_text {
    char *data;      /**< NUL-terminated after a successful call; may hold NUL inside */
    size_t size;     /**< bytes, without the NUL */
    size_t capacity; /**< private */
} qeff_text;

QEFF_API void qeff_text_deinit(qeff_text *text);

/** Turns ids back into text with the tokenizer's decoder. Ids without a token are left out.
 * @param skip_special  leave out special tokens such as [CLS]
 * @param out           replaced; empty after an error
 * @return QEFF_OK or QEFF_ERR_NO_MEMORY */
QEFF_API QEFF_MUST_CHECK qeff_status qeff_tokenizer_decode(const qeff_tokenizer *tokenizer,
                                                           const int32_t *ids, size_t n,
                                                           bool skip_special, qeff_text *out,
                                                           qeff_error *err);

#ifdef __cplusplus
}
#endif
#endif /* QEFF_TOKENIZER_H */
