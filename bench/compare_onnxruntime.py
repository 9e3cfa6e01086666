#!/usr/bin/env python3
"""Times the CPU backend against onnxruntime on the same model, in the same run, on one thread.

    compare_onnxruntime.py BUILD MODEL [--rounds 9] [--at-least RATIO]

Two cases: one text of 16 tokens, and 64 texts of 5 to 100 tokens, most of them short. Both sides get the same ids and give pooled,
normalised vectors, which are compared. onnxruntime runs the file that `qeff export` writes, with all its
optimisations; for the 64 texts it may take the better of one padded batch and of batches of 16 sorted by
length. qeff is called through libqeff.so. The process is kept on one core and counts its processor time, which is
the time that passes on a quiet machine, and which others on the core do not add to. Rounds alternate between
the sides, so that a change of clock meets both; the figures are medians, and the rate of multiply-adds that a
loop reaches between the rounds shows how quiet the machine was. Needs numpy and onnxruntime."""
import argparse
import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime

MAX_RANK = 8
F32, I64 = 2, 5  # qeff_dtype


class Tensor(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_int), ("rank", ctypes.c_size_t),
                ("shape", ctypes.c_int64 * MAX_RANK), ("data", ctypes.c_void_p)]


class Tensors(ctypes.Structure):
    _fields_ = [("count", ctypes.c_size_t), ("items", ctypes.POINTER(Tensor))]


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("message", ctypes.c_char * 1024), ("hint", ctypes.c_char * 256)]


class Qeff:
    """A session on a compiled program, by the C interface."""

    def __init__(self, library, program):
        self.lib = ctypes.CDLL(str(library))
        self.err = Error()
        self.program, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.lib.qeff_program_open(str(program).encode(), ctypes.byref(self.program), ctypes.byref(self.err)))
        options = ctypes.c_int(1)  # qeff_session_options.n_threads
        self.check(self.lib.qeff_session_create(self.program, ctypes.byref(options), ctypes.byref(self.session),
                                                ctypes.byref(self.err)))
        self.lib.qeff_cpu_level.restype = ctypes.c_char_p
        self.name = f"qeff, {self.lib.qeff_cpu_level().decode()}"

    def check(self, status):
        if status:
            sys.exit(f"libqeff: {self.err.message.decode()}")

    def run(self, ids, mask):
        inputs = (Tensor * 2)()
        for tensor, name, array in zip(inputs, (b"input_ids", b"attention_mask"), (ids, mask)):
            tensor.name, tensor.dtype, tensor.rank = name, I64, 2
            tensor.shape[0], tensor.shape[1] = array.shape
            tensor.data = array.ctypes.data
        outputs = ctypes.POINTER(Tensors)()
        self.check(self.lib.qeff_session_run(self.session, inputs, ctypes.c_size_t(2), ctypes.byref(outputs),
                                             ctypes.byref(self.err)))
        output = outputs.contents.items[0]
        shape = [output.shape[i] for i in range(output.rank)]
        values = np.ctypeslib.as_array(ctypes.cast(output.data, ctypes.POINTER(ctypes.c_float)), shape).copy()
        self.lib.qeff_tensors_destroy(outputs)
        return values

    def probe(self):
        """The rate of multiply-adds that one core reaches right now, in GFLOP/s: that of `qeff bench`."""
        flops = ctypes.c_double()
        self.check(self.lib.qeff_cpu_probe(1, ctypes.c_double(0.05), ctypes.byref(flops), ctypes.byref(self.err)))
        return flops.value * 1e-9


class OnnxRuntime:
    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.name = f"onnxruntime {onnxruntime.__version__}"

    def run(self, ids, mask):
        return self.session.run(["output"], {"input_ids": ids, "attention_mask": mask})[0]


def pad(rows):
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, :len(row)], mask[i, :len(row)] = row, 1
    return ids, mask


def whole(side, rows):
    """One call for all rows: ids and mask are laid out before the clock starts."""
    ids, mask = pad(rows)
    return lambda: side.run(ids, mask)


def sorted_batches(side, rows, size=16):
    """Batches of rows of like length, as a careful user of a padding runtime feeds it."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    parts = [(order[at:at + size], *pad([rows[i] for i in order[at:at + size]])) for at in range(0, len(order), size)]

    def call():
        out = np.empty((len(rows), 384), np.float32)
        for where, ids, mask in parts:
            out[where] = side.run(ids, mask)
        return out
    return call


def ragged_lengths(n=64, lo=5, hi=128):
    """Long-tailed lengths, as sentences have them: most short, a few long."""
    z = np.random.default_rng(7).normal(size=n)
    return [int(x) for x in np.clip(np.exp(3.0 + 0.8 * z), lo, hi).round()]


def random_rows(lengths):
    rng = np.random.default_rng(11)
    return [[101, *rng.integers(1000, 29000, n - 2).tolist(), 102] for n in lengths]


def timed(call, budget):
    """Seconds of processor time a call takes: the median over a stretch of time."""
    samples, start = [], time.perf_counter()
    while len(samples) < 3 or time.perf_counter() - start < budget:
        begin = time.process_time()
        call()
        samples.append(time.process_time() - begin)
    return statistics.median(samples)


def compare(case, contenders, rounds, probe):
    """Prints a table of one case; the ratio of onnxruntime's best time to qeff's."""
    results = {name: call() for name, call in contenders.items()}
    reference = next(iter(results.values()))
    worst = max(np.abs(value - reference).max() for value in results.values())
    if worst > 1e-5:
        sys.exit(f"{case}: the sides differ by {worst:.2g}, more than 1e-5")
    times, peaks = {name: [] for name in contenders}, []
    for _ in range(rounds):
        for name, call in contenders.items():
            times[name].append(timed(call, 0.3))
        peaks.append(probe())
    medians = {name: statistics.median(t) for name, t in times.items()}
    print(f"\n{case}: medians of {rounds} rounds (fastest, slowest); multiply-adds {statistics.median(peaks):.0f} GFLOP/s "
          f"({min(peaks):.0f} to {max(peaks):.0f}); largest difference {worst:.1g}")
    for name, value in medians.items():
        print(f"  {name:45} {1000 * value:9.3f} ms  ({1000 * min(times[name]):.3f}, {1000 * max(times[name]):.3f})")
    ours, *theirs = medians.values()
    print(f"  {'ratio':45} {min(theirs) / ours:9.2f}")
    return min(theirs) / ours


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path)
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--at-least", type=float, default=0.0, help="fail below this ratio")
    args = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="qeff-bench-") as folder:
        os.environ["QEFF_HOME"] = f"{folder}/cache"
        program = args.build / "cli" / "qeff"
        subprocess.run([program, "export", args.model, "-o", f"{folder}/onnx"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([program, "compile", args.model, "-o", f"{folder}/program"], check=True, stdout=subprocess.DEVNULL)
        ours = Qeff(args.build / "src" / "libqeff.so", f"{folder}/program")
        theirs = OnnxRuntime(next(Path(folder, "onnx").rglob("*.onnx")))

        one = random_rows([16])
        ratios = [compare("1 text of 16 tokens", {ours.name: whole(ours, one), theirs.name: whole(theirs, one)},
                          args.rounds, ours.probe)]
        many = random_rows(ragged_lengths())
        lengths = list(map(len, many))
        ratios.append(compare(f"64 texts of {min(lengths)} to {max(lengths)} tokens, {sum(lengths)} in all",
                              {ours.name: whole(ours, many), f"{theirs.name}, one padded batch": whole(theirs, many),
                               f"{theirs.name}, sorted, batches of 16": sorted_batches(theirs, many)},
                              args.rounds, ours.probe))
    if min(ratios) < args.at_least:
        sys.exit(f"ratio {min(ratios):.2f}, expected at least {args.at_least}")


if __name__ == "__main__":
    main()
