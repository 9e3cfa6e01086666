#!/usr/bin/env python3
"""Compares what `qeff embed` prints with stored vectors of sentence-transformers: accuracy.py QEFF MODEL

MODEL is all-MiniLM-L6-v2; tests/golden/minilm/make_minilm.py made the references. Needs numpy."""
import io
import json
import sys

import numpy as np

from common import GOLDEN, Report, golden_texts, run, workspace


def main():
    qeff, model = sys.argv[1:]
    texts, report = golden_texts(), Report()
    reference = np.load(GOLDEN / "vectors.npy")
    states = np.load(GOLDEN / "hidden_states.npz")
    with workspace() as folder:
        vectors = np.load(io.BytesIO(run(qeff, "embed", model, "--input", GOLDEN / "texts.jsonl", "--format", "npy")))
        report.fact("shape and type of the vectors", vectors.shape == reference.shape and vectors.dtype == np.float32,
                    f"{vectors.dtype} {vectors.shape}")
        a, b = vectors.astype(np.float64), reference.astype(np.float64)
        cosine = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
        report.figure(f"largest difference of unit vectors over {len(texts)} texts", np.abs(a - b).max(), 2e-6)
        report.figure("smallest cosine", cosine.min(), 0.999999, at_least=True)

        worst = 0.0
        for k, index in enumerate(states["indices"]):
            path = f"{folder}/text.jsonl"
            with open(path, "w") as f:
                f.write(json.dumps(texts[index]) + "\n")
            hidden = np.load(io.BytesIO(run(qeff, "embed", model, "--input", path, "--pooling", "none", "--format", "npy")))
            expected = states[f"t{k}"]
            if hidden.size != expected.size:
                sys.exit(f"hidden states of text {index}: expected {expected.shape}, found {hidden.shape}")
            worst = max(worst, np.abs(hidden.reshape(expected.shape) - expected).max())
        report.figure(f"largest difference of hidden states over {len(states['indices'])} texts", worst, 5e-5)
    report.close()


if __name__ == "__main__":
    main()
