#!/usr/bin/env python3
"""Runs the commands that README.md shows and compares what they print: readme.py QEFF MODEL

Every ```console block is a session: a line that starts with `$ ` is a command, what follows is its output on
stdout and stderr. `…` at the end of a line stands for the rest of it, alone on a line for any number of lines.
The ```c block is examples/embed.c. QEFF belongs to a build, which is installed for the commands."""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from common import ROOT, Report, run


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
        prefix, build = Path(folder, "prefix"), qeff.parents[1]
        run("cmake", "--install", build, "--prefix", prefix)
        libdir = next(prefix.rglob("libqeff.a")).parent
        environment = dict(os.environ, PATH=f"{prefix}/bin:{os.environ['PATH']}", QEFF_HOME=f"{folder}/cache",
                           LC_ALL="C.UTF-8", PKG_CONFIG_PATH=f"{libdir}/pkgconfig", LD_LIBRARY_PATH=str(libdir))
        (Path(folder) / "models").mkdir()
        (Path(folder) / "models" / model.name).symlink_to(model)
        (Path(folder) / "examples").symlink_to(ROOT / "examples")
        text = (ROOT / "README.md").read_text()
        shown = re.search(r"^```c\n(.*?)^```$", text, re.S | re.M)
        report.fact("the C example is examples/embed.c",
                    bool(shown) and shown[1] == (ROOT / "examples" / "embed.c").read_text())
        for session in sessions(text):
            for command, expected in session:
                done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                good = re.fullmatch(pattern(expected), done.stdout)
                report.fact(command, bool(good), "" if good else "it printed\n" + done.stdout[:2000])
    report.close()


if __name__ == "__main__":
    main()
