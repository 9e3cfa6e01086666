#!/usr/bin/env python3
"""Measures qeff beside other engines: peers.py BUILD MODEL WORK --part NAME [options]; run.sh is the way to start it."""
import argparse
import importlib
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Modules are imported when they are needed: a process that start-up is measured from must be small, since a child's peak of
# memory begins with its parent's.
PARTS = {"fp32": "grid", "int8": "grid", "threads": "grid", "avx2": "grid", "encode": "encode", "startup": "startup",
         "tokenize": "wordpiece"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("build", "model", "work"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--part", choices=PARTS, help="one part (default: all, one after the other)")
    parser.add_argument("--rounds", type=int, help="rounds in all, those of earlier calls included")
    parser.add_argument("--minutes", type=float, default=7.0, help="of one call: it begins no round that would end later")
    parser.add_argument("--again", action="store_true", help="leave out what earlier calls measured")
    parser.add_argument("--engines", type=lambda names: names.split(","), help="only these, separated by commas; for trials")
    parser.add_argument("--results", type=Path, help="folder of the results; where --engines is given not that of the repository")
    parser.add_argument("--docs", action="store_true", help="write the results into docs/performance.md")
    parser.add_argument("--lock", help="file to lock while engines have their turns")
    options = parser.parse_args()
    options.begin = time.monotonic()
    if not options.part:
        for part in PARTS:
            subprocess.run([sys.executable, "-B", __file__, *sys.argv[1:], "--part", part], check=True)
        return
    options.results = options.results or (options.work if options.engines else HERE) / "results"
    options.work.mkdir(parents=True, exist_ok=True)
    result = importlib.import_module(PARTS[options.part]).measure(options, options.part)
    report = importlib.import_module("report")
    report.show(result, HERE.parents[1] / "docs" if options.docs else None)


if __name__ == "__main__":
    main()
