#!/usr/bin/env python3
"""Measures the engines of engines.py in turns: peers.py BUILD MODEL WORK [options]; run.sh is the way to start it.

Every engine is a process of its own, pinned to the same cores, that waits for orders on its standard input, so all
of them are loaded before the first sample and none pays for another's import. A round visits each cell, and in a cell
each engine in turn has the time of one sample: a call to warm up, then calls until BUDGET_S has passed, of which the
median counts. The probe of multiply-adds is timed before and after each sample, and a sample whose two probes differ by
over 10 % is left out: something else began or ended meanwhile. Medians of the rounds are shown; engines are compared
by their shares of their own probes, so that a slower moment of the machine favours none. With one thread the clock is the
process's CPU time, which equals elapsed time on an idle core and leaves out what other processes had of a busy one. Vectors are compared with those of
PyTorch in the same run, or of qeff where PyTorch is missing."""
import argparse
import contextlib
import fcntl
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from engines import ENGINES, Qeff
import report

BUDGET_S = 0.15
CELLS = [("1 x 8", 1, 8), ("1 x 16", 1, 16), ("1 x 32", 1, 32), ("1 x 128", 1, 128), ("32 x 16", 32, 16), ("32 x 32", 32, 32),
         ("32 x 128", 32, 128), ("64 ragged", 64, 0)]
RAGGED_PART = 16  # sequences of a padded call where ragged ones are sorted first


def ragged_lengths(n, rng):
    """Long-tailed lengths from 5 to 128, most of them short, as sentences are."""
    return np.clip(np.exp(rng.normal(3.1, 0.8, n)), 5, 128).round().astype(int)


def make_cells(vocab_size):
    rng = np.random.default_rng(7)
    cells = {}
    for name, batch, length in CELLS:
        lengths = ragged_lengths(batch, rng) if length == 0 else [length] * batch
        cells[name] = [[101, *rng.integers(1000, vocab_size, int(n) - 2).tolist(), 102] for n in lengths]
    return cells


def split(batch, sorts):
    """Row numbers of each call. Engines that are faster so get ragged sequences sorted, in parts."""
    lengths = [len(s) for s in batch]
    if not sorts or min(lengths) == max(lengths):
        return [list(range(len(batch)))]
    order = sorted(range(len(batch)), key=lambda row: -lengths[row])
    return [order[i:i + RAGGED_PART] for i in range(0, len(order), RAGGED_PART)]


def clock_for(threads):
    return time.process_time if threads == 1 else time.perf_counter


# --- the process of one engine ------------------------------------------------------------------------------------


def serve(args):
    """Answers `{"cell": name}` with {"ms", "n"}, the first time after checking the vectors into a file."""
    os.sched_setaffinity(0, range(args.threads))
    cells = json.loads((args.work / "cells.json").read_text())
    out = os.fdopen(os.dup(1), "w")  # engines may print what they like to stderr
    os.dup2(2, 1)
    engine = ENGINES[args.serve](args.build, args.model, args.work, args.threads)
    clock, prepared, vectors = clock_for(args.threads), {}, {}
    for name, batch in cells.items():
        parts = split(batch, engine.sorts)
        prepared[name] = [engine.prepare([batch[row] for row in rows]) for rows in parts]
        rows = np.concatenate(parts)
        found = np.concatenate([np.array(engine.run(p)) for p in prepared[name]])
        vectors[name] = np.empty_like(found)
        vectors[name][rows] = found
    np.savez(args.work / f"{args.serve}.npz", **vectors)
    print(json.dumps({"version": engine.version}), file=out, flush=True)
    for line in sys.stdin:
        parts, times = prepared[json.loads(line)["cell"]], []
        for part in parts:
            engine.run(part)
        begin = time.perf_counter()
        while not times or time.perf_counter() - begin < BUDGET_S:
            start = clock()
            for part in parts:
                engine.run(part)
            times.append(clock() - start)
        print(json.dumps({"ms": 1e3 * statistics.median(times), "n": len(times)}), file=out, flush=True)


class Child:
    def __init__(self, name, args):
        command = [sys.executable, "-B", __file__, str(args.build), str(args.model), str(args.work), "--serve", name,
                   "--threads", str(args.threads)]
        environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads))
        self.log = open(args.work / f"{name}.log", "w")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env=environment)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError((args.work / f"{name}.log").read_text().strip().splitlines()[-1])
        self.version = json.loads(line)["version"]

    def sample(self, cell):
        self.process.stdin.write(json.dumps({"cell": cell}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


# --- rounds -------------------------------------------------------------------------------------------------------


def start(args):
    children = {}
    for name in args.peers.split(","):
        try:
            children[name] = Child(name, args)
            print(f"{name} {children[name].version}", file=sys.stderr)
        except RuntimeError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return children


@contextlib.contextmanager
def held(path):
    """The lock of everybody who measures on this machine, where there is one."""
    if not path:
        yield
        return
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def measure(args, children, cells):
    """[{round, cell, engine, ms, probe: [before, after]}]"""
    os.sched_setaffinity(0, range(args.threads))
    qeff, clock = Qeff(args.build, args.model, args.work, args.threads), clock_for(args.threads)

    def probe(threads):
        elapsed, begin = time.perf_counter(), clock()
        flops = qeff.probe(threads)
        return flops * (time.perf_counter() - elapsed) / (clock() - begin)

    samples, names = [], list(children)
    for number in range(args.rounds):
        for cell in cells:
            print(f"\rround {number + 1} of {args.rounds}: {cell:12}", end="", file=sys.stderr, flush=True)
            order = names[number % len(names):] + names[:number % len(names)]
            with held(args.lock):
                for name in order:
                    before = probe(args.threads)
                    ms = children[name].sample(cell)["ms"]
                    samples.append({"round": number, "cell": cell, "engine": name, "ms": ms,
                                    "probe": [before, probe(args.threads)]})
    print(file=sys.stderr)
    return samples


def worst_cosines(args, children, cells):
    reference = "pytorch" if "pytorch" in children else "qeff"
    expected, worst = np.load(args.work / f"{reference}.npz"), {}
    for name in children:
        found = np.load(args.work / f"{name}.npz")
        worst[name] = float(min((found[c].astype(float) * expected[c]).sum(1).min() for c in cells))
    return worst


def flops_of(args, cells):
    """Floating-point operations of each cell's matrix products, padding left out."""
    config = json.loads((args.model / "config.json").read_text())
    layers, width, inner = (config[k] for k in ("num_hidden_layers", "hidden_size", "intermediate_size"))
    each = {}
    for name, batch in cells.items():
        each[name] = sum(layers * (2 * len(s) * (4 * width * width + 2 * width * inner) + 4 * len(s) ** 2 * width) for s in batch)
    return each


def main():
    parser = argparse.ArgumentParser()
    for name in ("build", "model", "work"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", default=",".join(ENGINES))
    parser.add_argument("--docs", action="store_true", help="write the results into docs/performance.md")
    parser.add_argument("--lock", help="file to lock while a cell is measured")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(args)
    cells = make_cells(json.loads((args.model / "config.json").read_text())["vocab_size"])
    (args.work / "cells.json").write_text(json.dumps(cells))
    children = start(args)
    samples = measure(args, children, cells)
    result = {"machine": report.machine(), "threads": args.threads, "rounds": args.rounds, "model": args.model.name,
              "versions": {name: child.version for name, child in children.items()},
              "cosines": worst_cosines(args, children, cells), "flops": flops_of(args, cells), "samples": samples}
    for child in children.values():
        child.close()
    (args.work / f"result-{args.threads}.json").write_text(json.dumps(result, indent=1))
    report.show(result, Path(__file__).resolve().parents[2] / "docs" if args.docs else None)


if __name__ == "__main__":
    main()
