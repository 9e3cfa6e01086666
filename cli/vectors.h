/* vectors.h - embeddings in the forms that `qeff embed` writes. */
#ifndef CLI_VECTORS_H
#define CLI_VECTORS_H

#include "cli/output.h"
#include "cli/terminal.h"
#include "cli/text.h"

#include <qeff/auto_model.h>

typedef enum cli_format {
    CLI_FORMAT_AUTO,
    CLI_FORMAT_PRETTY,
    CLI_FORMAT_JSONL,
    CLI_FORMAT_JSON,
    CLI_FORMAT_NPY,
    CLI_FORMAT_CSV
} cli_format;

/** Refuses what the format cannot hold: several lists of token vectors in one array, and numbers
 * that are none in JSON. */
qeff_status cli_vectors_check(const qeff_embeddings *e, cli_format format, qeff_error *err);

/** Writes all vectors; `format` is neither auto nor pretty. */
qeff_status
cli_vectors_write(const qeff_embeddings *e, cli_format format, cli_output *out, qeff_error *err);

/** For people: dimensions, norms, first values, and how similar the texts are. */
void cli_vectors_show(const qeff_embeddings *e, const qeff_str *texts, cli_terminal terminal,
                      cli_text *out);

#endif /* CLI_VECTORS_H */
