#!/usr/bin/env python3
"""Shows that a text's vector has the same bits whatever runs beside it: invariance.py QEFF MODEL

The reference is each text alone, in a process of its own. Then the same texts in batches of 1 to 64, in other
orders, with 1 to 4 threads or as many as can run at once, and as padded arrays through `qeff run`. Counts rows that
differ. Needs numpy."""
import io
import json
import os
import random
import sys

import numpy as np

from common import Report, golden_texts, run, workspace

N_TEXTS = 64


def pick(texts):
    """Texts of all lengths, the shortest and the longest among them, in a fixed random order."""
    by_length = sorted(set(texts), key=lambda t: (len(t), t))
    step = (len(by_length) - 1) / (N_TEXTS - 1)
    chosen = [by_length[round(i * step)] for i in range(N_TEXTS)]
    random.Random(4).shuffle(chosen)
    return chosen


class Program:
    def __init__(self, qeff, model, folder):
        self.qeff, self.model, self.folder = qeff, model, folder
        self.path = f"{folder}/program"
        run(qeff, "compile", model, "-o", self.path)

    def embed(self, texts, batch_size, threads):
        path = f"{self.folder}/texts.jsonl"
        with open(path, "w") as f:
            f.writelines(json.dumps(t) + "\n" for t in texts)
        out = run(self.qeff, "embed", self.path, "--input", path, "--format", "npy", "--batch-size", batch_size,
                  "--threads", threads)
        return np.load(io.BytesIO(out))

    def ids(self, texts):
        path = f"{self.folder}/texts.jsonl"
        with open(path, "w") as f:
            f.writelines(json.dumps(t) + "\n" for t in texts)
        out = run(self.qeff, "tokenize", self.model, "--input", path, "--format", "jsonl")
        return [json.loads(line)["ids"] for line in out.splitlines()]

    def padded(self, rows, width, rng):
        """Runs ids as a [B, width] array whose padding holds other ids, each row flush left."""
        ids = np.array([[rng.randrange(1000, 30000) for _ in range(width)] for _ in rows], np.int64)
        mask = np.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, :len(row)], mask[i, :len(row)] = row, 1
        np.savez(f"{self.folder}/in.npz", input_ids=ids, attention_mask=mask)
        run(self.qeff, "run", self.path, f"{self.folder}/in.npz", "-o", f"{self.folder}/out.npz")
        return np.load(f"{self.folder}/out.npz")["output"]


def differing(found, expected):
    return int((found.view(np.uint32) != expected.view(np.uint32)).any(axis=1).sum())


def main():
    qeff, model = sys.argv[1:]
    report, rng = Report(), random.Random(5)
    texts = pick(golden_texts())
    with workspace() as folder:
        program = Program(qeff, model, folder)
        alone = np.concatenate([program.embed([t], 1, 1) for t in texts])

        bad = sum(differing(program.embed(texts, size, 1), alone) for size in range(1, N_TEXTS + 1))
        report.figure(f"rows that differ, batches of 1 to {N_TEXTS}", bad, 0)

        bad = 0
        for seed in range(8):
            order = list(range(N_TEXTS))
            random.Random(seed).shuffle(order)
            bad += differing(program.embed([texts[i] for i in order], 1 + 9 * seed, 1), alone[order])
        report.figure("rows that differ, 8 other orders", bad, 0)

        numbers = list(range(2, min(4, len(os.sched_getaffinity(0))) + 1)) or [1]
        bad = sum(differing(program.embed(texts, size, threads), alone) for threads in numbers for size in (1, 7, 32, 64))
        report.figure(f"rows that differ, {' and '.join(map(str, numbers))} threads", bad, 0)

        short = [i for i, row in enumerate(program.ids(texts)) if len(row) <= 64]
        rows = [program.ids([texts[i]])[0] for i in short]
        longest = max(map(len, rows))
        bad = sum(differing(program.padded(rows[at:at + 8], longest + extra, rng), alone[short[at:at + 8]])
                  for at in range(0, len(rows), 8) for extra in (0, 1, 37))
        report.figure(f"rows that differ, padded arrays of up to {longest + 37} tokens", bad, 0)
    report.close()


if __name__ == "__main__":
    main()
