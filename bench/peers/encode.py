"""Texts to vectors, tokenisation included, on two threads: part encode.

The 10,000 texts are cut into SLICES; a round is one slice, which each engine in turn encodes as one call, so that all of them
have had all texts after SLICES rounds and every PASS again. qeff gets a slice through its C interface, and so does
sentence-transformers by its encode() with batches of 32. The others are what a careful user writes: encode_batch() of
`tokenizers`, texts sorted by length, batches of 32, each padded to its longest text. Elapsed time counts, from a list of
str to one array; the engine before gets CALM_S for its spinning threads to go to sleep."""
import json
import os
import sys
import time

import numpy as np

import texts
from children import start
from engines import ENGINES
from grid import CALM_S, INT8
from qeff import Library, Tokenizer, strings
from rounds import Rounds, held, rotated

SLICES, PASSES, BATCH, MOST_TOKENS = 5, 2, 32, 256
FP32 = ["qeff", "onnxruntime-fused", "openvino", "ctranslate2", "sentence-transformers"]
BF16 = ["qeff-bf16", "openvino-bf16"]


class SentenceTransformers:
    def __init__(self, setup):
        import sentence_transformers
        import torch
        from convert import sentence_transformers as folder
        torch.set_num_threads(setup.threads)
        self.version = sentence_transformers.__version__
        self.model = sentence_transformers.SentenceTransformer(str(folder(setup)), device="cpu")

    def encode(self, lines):
        return self.model.encode(lines, batch_size=BATCH, show_progress_bar=False)


class Pipeline:
    """An engine of ids behind `tokenizers`."""

    def __init__(self, setup, name):
        from tokenizers import Tokenizer
        self.engine = ENGINES[name](setup)
        self.version = self.engine.version
        self.tokenizer = Tokenizer.from_file(str(setup.model / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MOST_TOKENS)

    def encode(self, lines):
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(lines)]
        order = sorted(range(len(ids)), key=lambda row: -len(ids[row]))
        vectors = None
        for at in range(0, len(order), BATCH):
            rows = order[at:at + BATCH]
            found = self.engine.run(self.engine.prepare([ids[row] for row in rows]))
            vectors = np.empty((len(ids), found.shape[1]), np.float32) if vectors is None else vectors
            vectors[rows] = found
        return vectors


def slices(setup):
    """The texts that measure() wrote down, in SLICES."""
    lines = json.loads((setup.work / "sentences.json").read_text())
    return [lines[i::SLICES] for i in range(SLICES)]


def serve(setup, name, arguments):
    """Answers the number of a slice with seconds, and where it is qeff with those of its tokenizer alone on one thread."""
    if name.startswith("qeff"):
        engine = ENGINES[name](setup)
    else:
        engine = SentenceTransformers(setup) if name == "sentence-transformers" else Pipeline(setup, name)
    tokenizer = Tokenizer(setup.build, setup.model, setup.work) if name == "qeff" else None
    parts = slices(setup)
    np.savez(setup.work / f"encode-{name}.npz", vectors=engine.encode(parts[0][:300]))
    order = yield {"version": engine.version}
    while True:
        lines = parts[order["slice"]]
        engine.encode(lines[:2 * BATCH])
        begin = time.perf_counter()
        engine.encode(lines)
        seconds = [time.perf_counter() - begin]
        if tokenizer:
            array, begin = strings(lines), time.perf_counter()
            tokenizer.count(array)
            seconds.append(time.perf_counter() - begin)
        order = yield {"seconds": seconds}


def cosines(options, labels):
    """{engine: [mean, worst]} to sentence-transformers, or to qeff where that is missing."""
    found = {label: np.load(options.work / f"encode-{label}.npz")["vectors"].astype(float) for label in labels}
    expected = found.get("sentence-transformers", found.get("qeff"))
    each = {label: (vectors * expected).sum(1) for label, vectors in found.items()} if expected is not None else {}
    return {label: [float(values.mean()), float(values.min())] for label, values in each.items()}


def measure(options, part):
    threads = 2
    os.sched_setaffinity(0, range(threads))
    (options.work / "sentences.json").write_text(json.dumps(texts.sentences()))
    names = [name for name in [*FP32, *INT8, *BF16] if not options.engines or name in options.engines]
    children, left_out = start(options, "encode", [(name, name, threads) for name in names])
    library, sizes = Library(options.build), [len(lines) for lines in slices(options)]

    def one_round(number):
        for label in rotated(list(children), number):
            print(f"  {label}", file=sys.stderr)
            with held(options.lock):
                time.sleep(CALM_S)
                before = library.probe(threads)
                seconds = children[label].order({"slice": number % SLICES})["seconds"]
                yield label, str(number % SLICES), [seconds[0], before, library.probe(threads), *seconds[1:]]

    rounds = Rounds(options, part, {"threads": threads, "library": library.digest(), "texts": texts.digest(texts.sentences()),
                                    "versions": {label: child.greeting["version"] for label, child in children.items()}},
                    {"left_out": left_out, "cosines": cosines(options, children), "sizes": sizes})
    rounds.run(options.rounds or SLICES * PASSES, one_round)
    for child in children.values():
        child.close()
    return rounds.result
