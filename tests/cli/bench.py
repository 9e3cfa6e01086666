#!/usr/bin/env python3
"""Looks at what qeff bench writes, for the tests of the program.

    bench.py cells JSON BATCH LENGTH THREADS…   the file holds these cells, three words each, in this order
    bench.py shares JSON                        each cell's profile adds to 100
    bench.py trace TRACE NAME…                  the trace has a span of each name, and threads with names
    bench.py scale JSON FACTOR                  prints the file with all times FACTOR times as long"""
import json
import sys

KEYS = {"batch_size", "length", "precision", "threads", "n", "median_us", "p95_us", "sentences_per_s", "tokens_per_s",
        "percent_of_probe"}


def close(a, b):
    return abs(a - b) <= 1e-4 * max(abs(a), abs(b))


def cells(run, *expected):
    assert {"model", "version", "cpu", "level", "cells"} <= set(run), sorted(run)
    found = [str(c[k]) for c in run["cells"] for k in ("batch_size", "length", "threads")]
    assert found == list(expected), found
    for c in run["cells"]:
        assert KEYS <= set(c), sorted(KEYS - set(c))
        assert c["precision"] == "fp32" and c["n"] >= 3
        assert 0 < c["q1_us"] <= c["median_us"] <= c["q3_us"] <= c["p95_us"], c
        assert c["percent_of_probe"] > 0, c
        assert close(c["sentences_per_s"], 1e6 * c["batch_size"] / c["median_us"]), c
        assert close(c["tokens_per_s"], 1e6 * c["n_tokens"] / c["median_us"]), c
        if c["length"] != "ragged":
            assert c["n_tokens"] == c["batch_size"] * c["length"], c


def shares(run):
    assert run["cells"]
    for c in run["cells"]:
        percents = [k["percent"] for k in c["profile"]]
        assert len(percents) > 3 and min(percents) >= 0, percents
        assert abs(sum(percents) - 100) < 1e-3, sum(percents)
        names = [k["kernel"] for k in c["profile"]]
        assert len(names) == len(set(names)) and "attention" in names, names


def trace(events, *names):
    spans = [e for e in events["traceEvents"] if e["ph"] == "X"]
    for e in spans:
        assert e["ts"] >= 0 and e["dur"] >= 0 and {"name", "cat", "pid", "tid"} <= set(e), e
    missing = set(names) - {e["name"] for e in spans}
    assert not missing, missing
    named = {e["tid"] for e in events["traceEvents"] if e["ph"] == "M" and e["name"] == "thread_name"}
    assert {e["tid"] for e in spans} <= named, named


def scale(run, factor):
    for c in run["cells"]:
        for key in ("median_us", "q1_us", "q3_us", "p95_us"):
            c[key] *= float(factor)
        c["percent_of_probe"] /= float(factor)
    print(json.dumps(run))


if __name__ == "__main__":
    what, path, *rest = sys.argv[1:]
    with open(path) as file:
        {"cells": cells, "shares": shares, "trace": trace, "scale": scale}[what](json.load(file), *rest)
