/* vectors.c - embeddings as JSON lines, JSON, .npy and CSV.
 *
 *   jsonl  {"index": 0, "embedding": [..]}          one line a text, in the order of the texts
 *          {"index": 0, "token_embeddings": [[..]]} without pooling
 *   json   [[..], ..]                               without pooling [[[..], ..], ..]
 *   npy    f32 [N, D]                               without pooling [T, D] of a single text
 *   csv    dim0,dim1,..                             without pooling text,token,dim0,..
 *
 * Numbers have the digits that give the same f32 again. */
#include "cli/vectors.h"

#include "cli/report.h"

#include <math.h>

static size_t n_rows(const qeff_embeddings *e)
{
    return e->offsets ? e->offsets[e->count] : e->count;
}

/* Text that a row belongs to, from 0. */
static size_t text_of_row(const qeff_embeddings *e, size_t row)
{
    size_t text = 0;
    if (!e->offsets) return row;
    while (e->offsets[text + 1] <= row)
        text++;
    return text;
}

qeff_status cli_vectors_check(const qeff_embeddings *e, cli_format format, qeff_error *err)
{
    if (format == CLI_FORMAT_NPY && e->offsets && e->count != 1) {
        (void)cli_fail(err, QEFF_ERR_INVALID,
                       "--format: npy holds the token vectors of one text, found %zu texts",
                       e->count);
        cli_hint(err, "--format jsonl holds any number of texts");
        return QEFF_ERR_INVALID;
    }
    if (format != CLI_FORMAT_JSONL && format != CLI_FORMAT_JSON) return QEFF_OK;
    const size_t n = n_rows(e) * e->dim;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(e->values[i])) continue;
        (void)cli_fail(err, QEFF_ERR_DEVICE, "text %zu: value %zu of the vector is not finite",
                       text_of_row(e, i / e->dim) + 1, i % e->dim + 1);
        cli_hint(err, "--format npy keeps such values; JSON has none");
        return QEFF_ERR_DEVICE;
    }
    return QEFF_OK;
}

static void write_row(const float *row, size_t n, cli_output *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i) cli_output_write(out, ", ", 2);
        cli_output_float(out, row[i]);
    }
}

/* The vector of text `i`, or the list of those of its tokens. */
static void write_item(const qeff_embeddings *e, size_t i, cli_output *out)
{
    const size_t begin = e->offsets ? e->offsets[i] : i;
    const size_t end = e->offsets ? e->offsets[i + 1] : i + 1;
    cli_output_add(out, e->offsets ? "[[" : "[");
    for (size_t row = begin; row < end; row++) {
        if (row > begin) cli_output_add(out, "], [");
        write_row(e->values + row * e->dim, e->dim, out);
    }
    cli_output_add(out, e->offsets ? "]]" : "]");
}

static void write_jsonl(const qeff_embeddings *e, cli_output *out)
{
    for (size_t i = 0; i < e->count; i++) {
        cli_output_format(out, "{\"index\": %zu, \"%s\": ", i,
                          e->offsets ? "token_embeddings" : "embedding");
        write_item(e, i, out);
        cli_output_add(out, "}\n");
    }
}

static void write_json(const qeff_embeddings *e, cli_output *out)
{
    cli_output_add(out, "[");
    for (size_t i = 0; i < e->count; i++) {
        if (i) cli_output_add(out, ",\n ");
        write_item(e, i, out);
    }
    cli_output_add(out, "]\n");
}

static void write_csv(const qeff_embeddings *e, cli_output *out)
{
    if (e->offsets) cli_output_add(out, "text,token,");
    for (size_t d = 0; d < e->dim; d++)
        cli_output_format(out, "%sdim%zu", d ? "," : "", d);
    cli_output_add(out, "\n");
    size_t text = 0;
    for (size_t row = 0; row < n_rows(e); row++) {
        while (e->offsets && row >= e->offsets[text + 1])
            text++;
        if (e->offsets) cli_output_format(out, "%zu,%zu,", text, row - e->offsets[text]);
        for (size_t d = 0; d < e->dim; d++) {
            if (d) cli_output_add(out, ",");
            cli_output_float(out, e->values[row * e->dim + d]);
        }
        cli_output_add(out, "\n");
    }
}

static qeff_status write_npy(const qeff_embeddings *e, cli_output *out, qeff_error *err)
{
    const qeff_tensor tensor = {.name = "output",
                                .dtype = QEFF_DTYPE_F32,
                                .rank = 2,
                                .shape = {(int64_t)n_rows(e), (int64_t)e->dim},
                                .data = e->values};
    uint8_t *data = NULL;
    size_t size = 0;
    const qeff_status status = qeff_tensor_encode_npy(&tensor, &data, &size, err);
    if (!status) cli_output_write(out, data, size);
    qeff_release(data);
    return status;
}

qeff_status
cli_vectors_write(const qeff_embeddings *e, cli_format format, cli_output *out, qeff_error *err)
{
    switch (format) {
    case CLI_FORMAT_AUTO:
    case CLI_FORMAT_PRETTY:
    case CLI_FORMAT_JSONL:
        write_jsonl(e, out);
        return QEFF_OK;
    case CLI_FORMAT_JSON:
        write_json(e, out);
        return QEFF_OK;
    case CLI_FORMAT_CSV:
        write_csv(e, out);
        return QEFF_OK;
    case CLI_FORMAT_NPY:
        return write_npy(e, out, err);
    }
    return QEFF_OK;
}
