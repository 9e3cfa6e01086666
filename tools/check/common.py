"""What the checks share: running the program, the golden texts, and one line a figure."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "minilm"


def golden_texts():
    return [json.loads(line) for line in (GOLDEN / "texts.jsonl").read_text().splitlines()]


def workspace():
    """A folder that goes away with the script, with a program cache of its own."""
    folder = tempfile.TemporaryDirectory(prefix="qeff-check-")
    os.environ["QEFF_HOME"] = folder.name + "/cache"
    return folder


def run(*command):
    """Runs the program; its stdout. Ends the check with the program's own words where it fails."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


class Report:
    """Collects figures with their limits; prints each, and fails at the end where one is missed."""

    def __init__(self):
        self.missed = 0

    def figure(self, what, value, limit, unit="", at_least=False):
        good = value >= limit if at_least else value <= limit
        self.missed += not good
        relation = "at least" if at_least else "at most"
        print(f"{'ok  ' if good else 'FAIL'} {what}: {value:.4g}{unit} ({relation} {limit:g}{unit})", flush=True)

    def fact(self, what, good, found=""):
        self.missed += not good
        print(f"{'ok  ' if good else 'FAIL'} {what}{': ' + str(found) if found != '' else ''}", flush=True)

    def close(self):
        sys.exit(1 if self.missed else 0)
