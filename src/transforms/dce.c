/* dce.c - dead code: what no output needs is left out. */
#include "transforms/transforms.h"

#include "base/error.h"
#include "graph/rewrite.h"

static void mark(const qeff_graph *g, bool *is_live, qeff_value value)
{
    if (value != QEFF_VALUE_NONE && g->values[value].node >= 0)
        is_live[g->values[value].node] = true;
}

/* Nodes come in topological order, so one walk from the end sees every user before its producer. */
static void mark_live(const qeff_graph *g, bool *is_live)
{
    for (size_t i = 0; i < g->n_outputs; i++)
        mark(g, is_live, g->outputs[i].value);
    for (size_t i = g->n_nodes; i > 0; i--)
        for (size_t k = 0; is_live[i - 1] && k < g->nodes[i - 1].n_inputs; k++)
            mark(g, is_live, g->nodes[i - 1].inputs[k]);
}

qeff_status qeff_transform_dce(const qeff_graph *in, qeff_graph **out, qeff_error *err)
{
    qeff_rewrite rw;
    *out = NULL;
    bool *is_live = qeff_alloc_array(in->n_nodes, sizeof *is_live);
    if (!is_live) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    mark_live(in, is_live);
    qeff_status status = qeff_rewrite_begin(&rw, in, err);
    if (!status) {
        for (size_t i = 0; i < in->n_nodes; i++)
            if (is_live[i]) qeff_rewrite_copy(&rw, &in->nodes[i]);
        status = qeff_rewrite_finish(&rw, out, err);
    }
    qeff_free(is_live);
    return status;
}
