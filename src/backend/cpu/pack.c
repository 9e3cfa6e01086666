/* pack.c - constants.bin: weights as the kernels read them, at multiples of 64 bytes.
 *
 *   panels  W [N, K] -> [ceil(N / 16)][K][16] f32, rows past N zero
 *           for linears of 16 and 8 bits [ceil(N / 16)][ceil(K / 2)][16][2] bf16 and
 *           [ceil(N / 16)][ceil(K / 4)][16][4] s8, elements past K zero, too
 *   vector  f32 or i32, padded with zeros to a multiple of 16
 *   table   as in the checkpoint
 *
 * Written as a stream, panel by panel, so that packing holds one panel in memory. */
#include "backend/cpu/precision.h"

#include "base/checked.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/span.h"

enum { ALIGNMENT = 64, SPAN = 1 << 20 };

/* --- places -------------------------------------------------------------------------------------
 */

bool qeff_constant_bytes(const qeff_constant *constant, uint64_t *bytes)
{
    uint64_t rows = constant->rows, columns = constant->columns;
    uint64_t size = qeff_dtype_size(constant->dtype);
    if (constant->kind == QEFF_CONSTANT_PANELS) {
        const uint64_t group = sizeof(float) / size; /* elements */
        columns = (columns + group - 1) / group * group;
    }
    if (constant->kind == QEFF_CONSTANT_PANELS)
        rows = (rows + QEFF_PANEL - 1) / QEFF_PANEL * QEFF_PANEL;
    if (constant->kind == QEFF_CONSTANT_VECTOR)
        columns = (columns + QEFF_PANEL - 1) / QEFF_PANEL * QEFF_PANEL;
    return qeff_mul_u64(rows, columns, bytes) && qeff_mul_u64(*bytes, size, bytes) &&
           *bytes <= INT64_MAX / 2;
}

static void mark(void *ctx, int32_t *constant)
{
    ((int32_t *)ctx)[*constant] = 0;
}

static void renumber(void *ctx, int32_t *constant)
{
    *constant = ((const int32_t *)ctx)[*constant];
}

static void drop_unread(qeff_plan *plan, int32_t *numbers)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->n_constants; i++)
        numbers[i] = -1;
    for (size_t i = 0; i < plan->n_steps; i++)
        qeff_step_visit_constants(&plan->steps[i], mark, numbers);
    for (size_t i = 0; i < plan->n_constants; i++) {
        if (numbers[i] < 0) continue;
        plan->constants[n] = plan->constants[i];
        numbers[i] = (int32_t)n++;
    }
    plan->n_constants = n;
    for (size_t i = 0; i < plan->n_steps; i++)
        qeff_step_visit_constants(&plan->steps[i], renumber, numbers);
}

qeff_status qeff_plan_place_constants(qeff_plan *plan, qeff_error *err)
{
    uint64_t at = 0;
    int32_t *numbers = qeff_alloc_array(plan->n_constants + 1, sizeof *numbers);
    if (!numbers) return qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
    drop_unread(plan, numbers);
    qeff_free(numbers);
    for (size_t i = 0; i < plan->n_constants; i++) {
        qeff_constant *c = &plan->constants[i];
        c->offset = at;
        if (!qeff_constant_bytes(c, &c->bytes) || !qeff_add_u64(at, c->bytes, &at) ||
            !qeff_add_u64(at, ALIGNMENT - 1, &at))
            return qeff_fail(err, QEFF_ERR_UNSUPPORTED, "weights do not fit 63 bits");
        at &= ~(uint64_t)(ALIGNMENT - 1);
    }
    plan->constants_bytes = at;
    return QEFF_OK;
}

/* --- writing ------------------------------------------------------------------------------------
 */

/* Elements [first, first + n) of a weight as floats. */
static void read_floats(const qeff_value_info *info, size_t first, size_t n, float *out)
{
    const uint8_t *data = info->data.data + first * qeff_dtype_size(info->dtype);
    for (size_t i = 0; i < n; i++) {
        if (info->dtype == QEFF_DTYPE_F16) {
            out[i] = qeff_f16_to_f32(qeff_load_u16le(data + 2 * i));
        } else if (info->dtype == QEFF_DTYPE_BF16) {
            out[i] = qeff_bf16_to_f32(qeff_load_u16le(data + 2 * i));
        } else {
            const uint32_t bits = qeff_load_u32le(data + 4 * i);
            memcpy(&out[i], &bits, sizeof bits);
        }
    }
}

typedef struct packing {
    const qeff_graph *graph;
    qeff_qpc_writer *out;
    float *panel, *row; /* [columns][16], [columns] of the widest panels or vector */
} packing;

/* Row `row` of the sources that lie one after another. */
void qeff_constant_read_row(const qeff_graph *graph, const qeff_constant *c, size_t row, float *out)
{
    for (size_t i = 0; i < c->n_sources; i++) {
        const size_t n = c->sources[i].count / c->columns;
        if (row < n) {
            read_floats(qeff_graph_value(graph, c->sources[i].weight),
                        c->sources[i].first + row * c->columns, c->columns, out);
            return;
        }
        row -= n;
    }
}

/* Row `row` of W in s8, column `i` of a panel. */
static void pack_row_s8(packing *p, const qeff_constant *c, size_t row, size_t i)
{
    const size_t n_rows = qeff_gemm_panels(c->rows) * QEFF_PANEL;
    const size_t block = c->block ? c->block : c->columns;
    int8_t *bytes = (int8_t *)p->panel;
    for (size_t first = 0; first < c->columns; first += block) {
        const float inverse = qeff_weight_inverse(c->w_scale[first / block * n_rows + row]);
        for (size_t k = first; k < first + block && k < c->columns; k++)
            bytes[(k / 4 * QEFF_PANEL + i) * 4 + k % 4] =
                qeff_quantize_weight(p->row[k] / c->w_factor[k], inverse);
    }
}

/* Column `i` of a panel, in floats or bf16. */
static void pack_row(packing *p, const qeff_constant *c, size_t i)
{
    uint8_t *bytes = (uint8_t *)p->panel;
    for (size_t k = 0; k < c->columns; k++) {
        const float w = p->row[k];
        if (c->dtype == QEFF_DTYPE_BF16)
            qeff_store_u16le(bytes + ((k / 2 * QEFF_PANEL + i) * 2 + k % 2) * 2,
                             qeff_f32_to_bf16(w));
        else
            p->panel[k * QEFF_PANEL + i] = w;
    }
}

static void write_panels(packing *p, const qeff_constant *c)
{
    const size_t n_panels = qeff_gemm_panels(c->rows);
    const size_t group = sizeof(float) / qeff_dtype_size(c->dtype); /* elements */
    const size_t bytes = (c->columns + group - 1) / group * QEFF_PANEL * sizeof(float);
    for (size_t panel = 0; panel < n_panels; panel++) {
        memset(p->panel, 0, bytes);
        for (size_t i = 0; i < QEFF_PANEL && panel * QEFF_PANEL + i < c->rows; i++) {
            const size_t row = panel * QEFF_PANEL + i;
            qeff_constant_read_row(p->graph, c, row, p->row);
            if (c->dtype == QEFF_DTYPE_I8)
                pack_row_s8(p, c, row, i);
            else
                pack_row(p, c, i);
        }
        qeff_qpc_writer_append(p->out, p->panel, bytes);
    }
}

/* A source of one element fills the vector. */
void qeff_constant_read_vector(const qeff_graph *graph, const qeff_constant *c, float *out)
{
    for (size_t i = 0; i < c->n_sources; i++) {
        const qeff_constant_source *s = &c->sources[i];
        const bool is_repeated = c->n_sources == 1 && s->count == 1;
        const size_t n = is_repeated ? c->columns : s->count;
        for (size_t k = 0; k < n; k++)
            read_floats(qeff_graph_value(graph, s->weight), s->first + (is_repeated ? 0 : k), 1,
                        out++);
    }
}

static void write_vector(packing *p, const qeff_constant *c)
{
    static const float zeros[QEFF_PANEL] = {0};
    if (!c->data) qeff_constant_read_vector(p->graph, c, p->row);
    qeff_qpc_writer_append(p->out, c->data ? c->data : p->row, c->columns * sizeof(float));
    const size_t rest = qeff_gemm_panels(c->columns) * QEFF_PANEL - c->columns;
    qeff_qpc_writer_append(p->out, zeros, rest * sizeof *zeros);
}

static void write_table(packing *p, const qeff_constant *c)
{
    const uint8_t *data = qeff_graph_value(p->graph, c->sources[0].weight)->data.data;
    for (uint64_t at = 0; at < c->bytes; at += SPAN) {
        const uint64_t left = c->bytes - at;
        qeff_qpc_writer_append(p->out, data + at, (size_t)(left < SPAN ? left : SPAN));
    }
}

static void write_constants(packing *p, const qeff_plan *plan, const qeff_progress *progress)
{
    static const uint8_t zeros[ALIGNMENT] = {0};
    for (size_t i = 0; i < plan->n_constants; i++) {
        const qeff_constant *c = &plan->constants[i];
        if (c->kind == QEFF_CONSTANT_PANELS)
            write_panels(p, c);
        else if (c->kind == QEFF_CONSTANT_VECTOR)
            write_vector(p, c);
        else
            write_table(p, c);
        const uint64_t next =
            i + 1 < plan->n_constants ? plan->constants[i + 1].offset : plan->constants_bytes;
        qeff_qpc_writer_append(p->out, zeros, (size_t)(next - c->offset - c->bytes));
        if (progress) progress->report(progress->ctx, "compiling", next, plan->constants_bytes);
    }
}

qeff_status
qeff_plan_write_constants(const qeff_plan *plan, const qeff_graph *graph,
                          const qeff_progress *progress, qeff_qpc_writer *out, qeff_error *err)
{
    packing p = {.graph = graph, .out = out};
    size_t widest = 1;
    for (size_t i = 0; i < plan->n_constants; i++)
        if (plan->constants[i].kind != QEFF_CONSTANT_TABLE && plan->constants[i].columns > widest)
            widest = plan->constants[i].columns;
    p.panel = qeff_alloc_array(widest, QEFF_PANEL * sizeof *p.panel);
    p.row = qeff_alloc_array(widest, sizeof *p.row);
    const bool has_memory = p.panel && p.row;
    if (has_memory) write_constants(&p, plan, progress);
    qeff_free(p.panel);
    qeff_free(p.row);
    return has_memory ? QEFF_OK : qeff_fail(err, QEFF_ERR_NO_MEMORY, "out of memory");
}
