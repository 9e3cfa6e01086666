"""Batches of token ids to vectors, over a grid of cells: parts fp32, int8, threads and avx2.

A round visits each cell, and in a cell each engine in turn has the time of one sample: a call to warm up, then calls
until BUDGET_S has passed, of which the median counts. The probe of multiply-adds is timed before and after each. With
one thread the clock is the process's CPU time, which equals elapsed time on an idle core and leaves out what other
processes had of a busy one; with two it is elapsed time, and the threads that the engine before left spinning get CALM_S to go
to sleep. Vectors are compared with those of PyTorch: of N_TEXTS texts, one a call, and of all sequences of the cells."""
import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

import texts
from children import AVX2, Child, start
from convert import tokenized
from engines import ENGINES, Setup
from qeff import Library
from report import ONE_THREAD
from rounds import Rounds, held, rotated

BUDGET_S, CALM_S = 0.15, 0.06
N_TEXTS = 300
CELLS = [("1 x 8", 1, 8), ("1 x 16", 1, 16), ("1 x 32", 1, 32), ("1 x 128", 1, 128), ("32 x 16", 32, 16), ("32 x 32", 32, 32),
         ("32 x 128", 32, 128), ("64 ragged", 64, 0)]
RAGGED_PART = 16  # sequences of a padded call where ragged ones are sorted first

FP32 = ["qeff", "onnxruntime", "onnxruntime-fused", "openvino", "ctranslate2", "pytorch", "pytorch-compiled", "llama.cpp"]
INT8 = ["qeff-int8", "qeff-int8-mixed", "onnxruntime-int8", "onnxruntime-fused-int8", "openvino-int8", "openvino-int8-bf16",
        "ctranslate2-int8"]
BF16 = ["qeff-bf16", "openvino-bf16", "ctranslate2-bf16"]
AVX2_ENGINES = ["qeff", "ctranslate2", "pytorch", "pytorch-compiled", "qeff-int8", "qeff-int8-mixed", "openvino-int8",
                "ctranslate2-int8"]
UNHELD = {"onnxruntime": "it has no switch for its instruction set", "llama.cpp": "its instruction set is chosen when it is built",
          "openvino": "only some of its fp32 products obey: with the switch set it reaches up to 112 % of the AVX2 probe"}


def all_with(names, threads):
    return [(name, name, threads) for name in names]


# part: threads, [(label, engine, its threads)], more environment, why some are not among them
PARTS = {
    "fp32": (1, all_with(FP32, 1), {}, {}),
    "int8": (1, all_with(["qeff", *INT8, *BF16], 1), {}, {}),
    "threads": (2, all_with([*FP32, *INT8, *BF16], 2) +
                [(name + ONE_THREAD, name, 1) for name in ("qeff", "qeff-int8", "qeff-bf16")], {}, {}),
    "avx2": (1, all_with(AVX2_ENGINES, 1), AVX2, UNHELD),
}


def ragged_lengths(n, rng):
    """Long-tailed lengths from 5 to 128, most of them short, as sentences are."""
    return np.clip(np.exp(rng.normal(3.1, 0.8, n)), 5, 128).round().astype(int)


def make_cells(setup):
    """{cell: id lists}: text, one sequence after another, and beside the cells the texts of the cosines."""
    lines = texts.sentences()
    cells, rng = {}, np.random.default_rng(7)
    stream = [i for ids in tokenized(setup, lines[N_TEXTS:4000]) for i in ids[1:-1]]
    first, *_, last = tokenized(setup, ["a"])[0]
    at = 0
    for name, batch, length in CELLS:
        cells[name] = []
        for n in ragged_lengths(batch, rng) if length == 0 else [length] * batch:
            cells[name].append([first, *stream[at:at + int(n) - 2], last])
            at += int(n) - 2
    return cells, tokenized(setup, lines[:N_TEXTS])


def flops_of(config, batch):
    """Floating-point operations of the matrix products of a batch, padding left out."""
    layers, width, inner = (config[k] for k in ("num_hidden_layers", "hidden_size", "intermediate_size"))
    return sum(layers * (2 * len(s) * (4 * width * width + 2 * width * inner) + 4 * len(s) ** 2 * width) for s in batch)


def split(batch, sorts):
    """Row numbers of each call. Engines that are faster so get ragged sequences sorted, in parts."""
    lengths = [len(s) for s in batch]
    if not sorts or min(lengths) == max(lengths):
        return [list(range(len(batch)))]
    order = sorted(range(len(batch)), key=lambda row: -lengths[row])
    return [order[i:i + RAGGED_PART] for i in range(0, len(order), RAGGED_PART)]


# --- the process of one engine ------------------------------------------------------------------------------------


def in_order(parts, found):
    """Rows of the calls, put back to where their sequences were."""
    rows, found = np.concatenate(parts), np.concatenate(found)
    vectors = np.empty_like(found)
    vectors[rows] = found
    return vectors


def serve(setup, name, arguments):
    """Writes the vectors into a file, then answers the name of a cell with milliseconds."""
    label, clock = arguments[0], time.process_time if arguments[1] == "cpu" else time.perf_counter
    data = json.loads((setup.work / "cells.json").read_text())
    engine = ENGINES[name](setup)
    prepared, vectors = {}, {}
    for cell, batch in data["cells"].items():
        parts = split(batch, engine.sorts)
        prepared[cell] = [engine.prepare([batch[row] for row in rows]) for rows in parts]
        vectors[cell] = in_order(parts, [np.array(engine.run(p)) for p in prepared[cell]])
    vectors["texts"] = np.concatenate([np.array(engine.run(engine.prepare([ids]))) for ids in data["texts"]])
    np.savez(setup.work / f"{label}.npz", **vectors)
    order = yield {"version": engine.version}
    while True:
        parts, times = prepared[order["cell"]], []
        for part in parts:
            engine.run(part)
        begin = time.perf_counter()
        while not times or time.perf_counter() - begin < BUDGET_S:
            at = clock()
            for part in parts:
                engine.run(part)
            times.append(clock() - at)
        order = yield {"ms": 1e3 * statistics.median(times)}


# --- rounds -------------------------------------------------------------------------------------------------------


def cosines(options, labels, data):
    """{engine: [mean over the texts, worst of them, worst of the cells]} to PyTorch's vectors."""
    expected, found = np.load(options.work / "reference.npz"), {}
    for label in labels:
        vectors = np.load(options.work / f"{label}.npz")

        def of(key):
            return (vectors[key].astype(float) * expected[key]).sum(1)
        texts_ = of("texts")
        found[label] = [float(texts_.mean()), float(texts_.min()), float(min(of(cell).min() for cell in data["cells"]))]
    return found


def reference(options, data):
    """PyTorch's vectors of these ids, made once."""
    stamp, now = options.work / "reference.cells", json.dumps(data)
    if not stamp.exists() or stamp.read_text() != now:
        Child(options, "grid", "pytorch", 1, ["reference", "cpu"]).close()
        stamp.write_text(now)


def measure(options, part):
    threads, engines, more_environment, excluded = PARTS[part]
    if options.engines:
        engines = [entry for entry in engines if entry[0] in options.engines]
    os.sched_setaffinity(0, range(threads))
    os.environ.update({key: value for key, value in more_environment.items() if key == "QEFF_CPU"})
    setup = Setup(options.build, options.model, options.work, threads)
    cells, lines = make_cells(setup)
    data = {"cells": cells, "texts": lines}
    (options.work / "cells.json").write_text(json.dumps(data))
    reference(options, data)
    children, left_out = {}, dict(excluded)
    for entry in engines:
        arguments = [entry[0], "cpu" if threads == 1 else "wall"]
        for known, new in zip((children, left_out), start(options, "grid", [entry], arguments, more_environment)):
            known |= new
    library, config = Library(options.build), json.loads((options.model / "config.json").read_text())

    def one_round(number):
        for cell in cells:
            print(f"  {cell}", file=sys.stderr)
            with held(options.lock):
                for label in rotated(list(children), number):
                    if threads > 1:
                        time.sleep(CALM_S)
                    before = library.probe(threads)
                    ms = children[label].order({"cell": cell})["ms"]
                    yield label, cell, [ms, before, library.probe(threads)]

    rounds = Rounds(options, part, {"threads": threads, "library": library.digest(), "texts": texts.digest(texts.sentences()),
                                    "versions": {label: child.greeting["version"] for label, child in children.items()}},
                    {"left_out": left_out, "cosines": cosines(options, children, data),
                     "flops": {cell: flops_of(config, batch) for cell, batch in cells.items()}})
    rounds.run(options.rounds or (7 if threads == 1 else 5), one_round)
    for child in children.values():
        child.close()
    return rounds.result
