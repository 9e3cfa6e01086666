/* pipeline.c - which passes run, and in which order. */
#include "transforms/transforms.h"

#include "base/error.h"

typedef qeff_status (*pass)(const qeff_graph *in, qeff_graph **out, qeff_error *err);

static qeff_status
run(const pass *passes, size_t n, const qeff_graph *in, qeff_graph **out, qeff_error *err)
{
    qeff_graph *graph = NULL;
    *out = NULL;
    for (size_t i = 0; i < n; i++) {
        qeff_graph *next = NULL;
        const qeff_status status = passes[i](graph ? graph : in, &next, err);
        qeff_graph_destroy(graph);
        if (status) return status;
        graph = next;
    }
    *out = graph;
    return QEFF_OK;
}

/* Folding comes first too, so that rows are picked before whole tables are cast. Clipping comes
 * last: what it clips lies in memory, and each pass behind it would copy that. */
qeff_status qeff_pipeline_for_export(const qeff_graph *in, qeff_graph **out, qeff_error *err)
{
    static const pass passes[] = {qeff_transform_fold, qeff_transform_decompose,
                                  qeff_transform_fold, qeff_transform_cse,
                                  qeff_transform_dce,  qeff_transform_fp16_clip};
    return run(passes, sizeof passes / sizeof *passes, in, out, err);
}

/* Folding comes first, so that patterns meet constants where exporters write arithmetic. */
qeff_status qeff_pipeline_for_backend(const qeff_graph *in, qeff_graph **out, qeff_error *err)
{
    static const pass passes[] = {qeff_transform_fold, qeff_transform_cse,
                                  qeff_transform_recompose};
    return run(passes, sizeof passes / sizeof *passes, in, out, err);
}
