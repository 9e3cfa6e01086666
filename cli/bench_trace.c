/* bench_trace.c - what happened when, in the trace event format: a JSON object whose `traceEvents`
 * are complete events (ph X) with times in microseconds, and names of threads (ph M). */
#include "cli/bench.h"

#include <stdlib.h>
#include <string.h>

void bench_trace_add(bench_trace *trace, const bench_span *span)
{
    if (!trace) return;
    bench_span *spans = cli_grow(trace->spans, trace->n, &trace->capacity, sizeof *spans);
    if (!spans) return;
    trace->spans = spans;
    spans[trace->n++] = *span;
}

void bench_trace_deinit(bench_trace *trace)
{
    free(trace->spans);
    *trace = (bench_trace){0};
}

static void write_threads(const bench_trace *trace, cli_output *out)
{
    int last = 0;
    for (size_t i = 0; i < trace->n; i++)
        if (trace->spans[i].thread > last) last = trace->spans[i].thread;
    cli_output_format(out, "{\"name\": \"process_name\", \"ph\": \"M\", \"pid\": 1, \"tid\": 0, "
                           "\"args\": {\"name\": \"qeff bench\"}}");
    for (int t = 0; t <= last; t++)
        cli_output_format(out,
                          ",\n{\"name\": \"thread_name\", \"ph\": \"M\", \"pid\": 1, \"tid\": %d, "
                          "\"args\": {\"name\": \"thread %d\"}}",
                          t, t);
}

qeff_status bench_trace_write(const bench_trace *trace, cli_output *out, qeff_error *err)
{
    int64_t begin = INT64_MAX;
    for (size_t i = 0; i < trace->n; i++)
        if (trace->spans[i].begin_ns < begin) begin = trace->spans[i].begin_ns;
    cli_output_add(out, "{\"displayTimeUnit\": \"ns\", \"traceEvents\": [\n");
    write_threads(trace, out);
    for (size_t i = 0; i < trace->n; i++) {
        const bench_span *s = &trace->spans[i];
        cli_text name = {0};
        cli_text_add_json(&name, (qeff_str){s->name, strlen(s->name)});
        cli_output_format(out,
                          ",\n{\"name\": %s, \"cat\": \"%s\", \"ph\": \"X\", \"ts\": %.3f, "
                          "\"dur\": %.3f, \"pid\": 1, \"tid\": %d}",
                          name.failed ? "\"\"" : name.data, s->category,
                          (double)(s->begin_ns - begin) * 1e-3,
                          (double)(s->end_ns - s->begin_ns) * 1e-3, s->thread);
        cli_text_deinit(&name);
    }
    cli_output_add(out, "\n]}\n");
    return cli_output_close(out, err);
}
