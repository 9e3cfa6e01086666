/* unicode_tables.h - declares the tables of unicode_tables.c. Written by
 * tools/unicode/make_tables.py: do not edit. */

#ifndef TOKENIZER_UNICODE_TABLES_H
#define TOKENIZER_UNICODE_TABLES_H

#include <stdint.h>

#define QEFF_UNICODE_FLAGS_END      0x33480
#define QEFF_UNICODE_TAGS_FIRST     0xe0000
#define QEFF_UNICODE_TAGS_END       0xe0200
#define QEFF_UNICODE_LOWER_END      0x1e980
#define QEFF_UNICODE_CCC_END        0x1e980
#define QEFF_UNICODE_STRIP_END      0x2fa80
#define QEFF_UNICODE_COMPOSE_LOW_N  928
#define QEFF_UNICODE_COMPOSE_HIGH_N 12

extern const uint8_t qeff_unicode_flag_blocks[1645];
extern const uint8_t qeff_unicode_flags_[30208];
extern const uint8_t qeff_unicode_lower_blocks[979];
extern const uint8_t qeff_unicode_lower_index[4864];
extern const int32_t qeff_unicode_lower_delta[85];
extern const uint8_t qeff_unicode_ccc_blocks[979];
extern const uint8_t qeff_unicode_ccc_[9728];
extern const uint8_t qeff_unicode_strip_blocks[3050];
extern const uint16_t qeff_unicode_strip_[11136];
extern const uint16_t qeff_unicode_canonical_bounds[4];
extern const uint16_t qeff_unicode_canonical_keys[2060];
extern const uint16_t qeff_unicode_canonical_at[2060];
extern const uint8_t qeff_unicode_canonical_units[2060];
extern const uint16_t qeff_unicode_compatible_bounds[4];
extern const uint16_t qeff_unicode_compatible_keys[3678];
extern const uint16_t qeff_unicode_compatible_at[3678];
extern const uint8_t qeff_unicode_compatible_units[3678];
extern const uint16_t qeff_unicode_pool[5710];
extern const uint16_t qeff_unicode_compose_low[2784];
extern const uint32_t qeff_unicode_compose_high[36];

#endif
