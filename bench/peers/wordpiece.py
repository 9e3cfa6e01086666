"""Texts to token ids with the model's tokenizer, on one thread: part tokenize.

Engines take turns, each with whole passes over a text for BUDGET_S after one that does not count; CPU time, MB of UTF-8
without line ends. The texts are those of texts.py in pieces of about 100 bytes, and one megabyte of one letter."""
import json
import os
import statistics
import sys
import time

import texts
from children import start
from qeff import Library, Tokenizer, strings
from rounds import Rounds, held, rotated

BUDGET_S, BATCH, PIECE = 0.3, 1000, 80
ENGINES = ["qeff", "tokenizers", "tokenizers-batch", "tokenizers-batch-fast"]


def pieces(lines):
    """Lines put together until they have PIECE bytes."""
    found, piece = [], ""
    for line in lines:
        piece = f"{piece} {line}" if piece else line
        if len(piece.encode()) >= PIECE:
            found.append(piece)
            piece = ""
    return [*found, piece] if piece else found


def contents():
    return {"English": pieces(texts.english()), "90 languages": pieces(texts.multilingual()), "one letter": ["a" * 1000000]}


class Qeff(Tokenizer):
    def __init__(self, setup):
        super().__init__(setup.build, setup.model, setup.work)
        self.version = super().version()

    prepare = staticmethod(strings)


class Reference:
    """`tokenizers`: text after text, or lists of BATCH texts with its batch functions."""
    prepare = staticmethod(list)

    def __init__(self, setup, batch=None):
        import tokenizers
        self.version = tokenizers.__version__
        self.tokenizer = tokenizers.Tokenizer.from_file(str(setup.model / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.batch = getattr(self.tokenizer, batch) if batch else None

    def count(self, lines):
        if self.batch:
            return sum(len(e) for at in range(0, len(lines), BATCH) for e in self.batch(lines[at:at + BATCH]))
        return sum(len(self.tokenizer.encode(line)) for line in lines)


def serve(setup, name, arguments):
    batch = {"tokenizers-batch": "encode_batch", "tokenizers-batch-fast": "encode_batch_fast"}.get(name)
    engine = Qeff(setup) if name == "qeff" else Reference(setup, batch)
    prepared = {cell: engine.prepare(lines) for cell, lines in json.loads((setup.work / "tokenize.json").read_text()).items()}
    order = yield {"version": engine.version, "tokens": {cell: engine.count(lines) for cell, lines in prepared.items()}}
    while True:
        lines, seconds, begin = prepared[order["text"]], [], time.perf_counter()
        while not seconds or time.perf_counter() - begin < BUDGET_S:
            at = time.process_time()
            engine.count(lines)
            seconds.append(time.process_time() - at)
        order = yield {"seconds": statistics.median(seconds)}


def measure(options, part):
    os.sched_setaffinity(0, {0})
    lines = contents()
    (options.work / "tokenize.json").write_text(json.dumps(lines))
    children, left_out = start(options, "wordpiece", [(name, name, 1) for name in ENGINES if not options.engines or name in options.engines])
    counts = {label: child.greeting["tokens"] for label, child in children.items()}
    if any(found != counts["qeff"] for found in counts.values()):
        print(f"the numbers of tokens differ: {counts}", file=sys.stderr)
    library = Library(options.build)

    def one_round(number):
        for cell in lines:
            with held(options.lock):
                for label in rotated(list(children), number):
                    before = library.probe(1)
                    seconds = children[label].order({"text": cell})["seconds"]
                    yield label, cell, [1e3 * seconds, before, library.probe(1)]

    rounds = Rounds(options, part, {"threads": 1, "library": library.digest(), "bytes": {cell: sum(len(t.encode()) for t in found) for cell, found in lines.items()},
                                    "texts": {cell: texts.digest(found) for cell, found in lines.items()},
                                    "versions": {label: child.greeting["version"] for label, child in children.items()}},
                    {"left_out": left_out, "tokens": counts})
    rounds.run(options.rounds or 9, one_round)
    for child in children.values():
        child.close()
    return rounds.result
