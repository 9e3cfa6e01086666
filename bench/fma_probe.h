/* fma_probe.h - the yardstick of the benchmarks. */
#ifndef BENCH_FMA_PROBE_H
#define BENCH_FMA_PROBE_H

/** GFLOP/s that one core reaches in multiply-adds of 256 bits (without them: plain C), over so many
 * seconds of its own time. */
double fma_probe(double seconds);
/** The same with 512 bits, where the processor has them. */
double fma_probe_wide(double seconds);

#endif /* BENCH_FMA_PROBE_H */
