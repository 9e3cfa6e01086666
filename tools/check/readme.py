#!/usr/bin/env python3
"""Runs the commands that README.md shows and compares what they print: readme.py QEFF MODEL

Every ```console block is a session: a line that starts with `$ ` is a command, what follows is its output on
stdout and stderr. `…` at the end of a line stands for the rest of it, alone on a line for any number of lines."""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from common import ROOT, Report


def sessions(text):
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.S | re.M):
        yield [(part.split("\n", 1)[0], part.split("\n", 1)[1].splitlines())
               for part in re.split(r"^\$ ", block, flags=re.M)[1:]]


def pattern(lines):
    parts = []
    for line in lines:
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        elif line.endswith("…"):
            parts.append(re.escape(line[:-1].rstrip()) + r".*\n")
        else:
            parts.append(re.escape(line) + r"\n")
    return "".join(parts)


def main():
    qeff, model = (Path(arg).resolve() for arg in sys.argv[1:])
    report = Report()
    with tempfile.TemporaryDirectory(prefix="qeff-readme-") as folder:
        environment = dict(os.environ, PATH=f"{qeff.parent}:{os.environ['PATH']}", QEFF_HOME=f"{folder}/cache", LC_ALL="C.UTF-8")
        (Path(folder) / "models").mkdir()
        (Path(folder) / "models" / model.name).symlink_to(model)
        for name in ("examples", "include"):
            (Path(folder) / name).symlink_to(ROOT / name)
        for session in sessions((ROOT / "README.md").read_text()):
            for command, expected in session:
                done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                good = re.fullmatch(pattern(expected), done.stdout)
                report.fact(command, bool(good), "" if good else "it printed\n" + done.stdout)
    report.close()


if __name__ == "__main__":
    main()
