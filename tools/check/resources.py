#!/usr/bin/env python3
"""Measures time and peak memory of whole processes: resources.py QEFF MODEL [--slack FACTOR]

Times are wall-clock medians; --slack widens their limits, for machines that do other work at the same time.
Memory is the peak resident set that the kernel reports for the child. Needs Python alone: a child starts
with its parent's peak, so this script must stay small."""
import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

from common import Report, run, workspace

MIB = 1 << 20
TEXT = "A house is built from the ground up."


def measure(command, runs, before=None):
    """Median seconds and largest peak RSS in bytes over some runs of a command."""
    seconds, peak = [], 0
    for n in range(runs):
        if before:
            before(n)
        with open(os.devnull, "w") as null:
            start = time.perf_counter()
            child = subprocess.Popen([part.format(n=n) for part in map(str, command)], stdout=null)
            _, status, usage = os.wait4(child.pid, 0)
            seconds.append(time.perf_counter() - start)
            child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))}: exit {child.returncode}")
        peak = max(peak, usage.ru_maxrss * 1024)
    return statistics.median(seconds), peak


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("qeff")
    parser.add_argument("model")
    parser.add_argument("--slack", type=float, default=1.0, help="factor on the limits of time")
    args = parser.parse_args()
    weights = Path(args.model, "model.safetensors").stat().st_size
    report = Report()
    with workspace() as folder:
        program = f"{folder}/program"

        def forget(n):  # a cache of its own, so that nothing is remembered from the run before
            os.environ["QEFF_HOME"] = f"{folder}/cache{n}"
        seconds, _ = measure([args.qeff, "compile", args.model, "-o", program + "{n}"], 3, before=forget)
        report.figure("first compile", seconds, 2.0 * args.slack, " s")

        seconds, peak = measure([args.qeff, "export", args.model, "-o", f"{folder}/onnx{{n}}"], 5)
        report.figure("export", seconds, 1.0 * args.slack, " s")
        report.figure("export, peak memory", peak / MIB, 64, " MiB")

        run(args.qeff, "embed", program + "0", TEXT)
        seconds, peak = measure([args.qeff, "embed", program + "0", TEXT], 21)
        report.figure("embed one sentence with a program", 1000 * seconds, 30 * args.slack, " ms")
        report.figure("embed, peak memory; the weights and 24 MiB", peak / MIB, weights / MIB + 24, " MiB")

        with open(f"{folder}/long.txt", "w") as file:  # 32 texts of 128 tokens
            for n in range(32):
                file.write(" ".join(["house", "ground", "water", "paper"][(n + w) % 4] for w in range(126)) + "\n")
        seconds, peak = measure([args.qeff, "embed", program + "0", "-i", f"{folder}/long.txt"], 5)
        report.figure("embed 32 texts of 128 tokens, peak memory; the weights and 24 MiB", peak / MIB,
                      weights / MIB + 24, " MiB")

        run(args.qeff, "embed", args.model, TEXT)
        seconds, peak = measure([args.qeff, "embed", args.model, TEXT], 21)
        report.figure("embed one sentence with a model folder whose program is cached", 1000 * seconds,
                      30 * args.slack, " ms")
        report.figure("embed, peak memory; the weights and 24 MiB", peak / MIB, weights / MIB + 24, " MiB")
    report.close()


if __name__ == "__main__":
    main()
