#!/usr/bin/env python3
"""Checks the size of the stripped program and what it needs at run time: footprint.py QEFF
Needs Python, strip and ldd."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from common import Report

LIBRARIES = {"libc", "libm", "libjansson", "libcrypto", "ld-linux-x86-64", "ld-linux-aarch64", "linux-vdso"}


def main():
    qeff, report = sys.argv[1], Report()
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder, "qeff")
        subprocess.run(["strip", "-o", stripped, qeff], check=True)
        report.figure("stripped program, library inside", stripped.stat().st_size / (1 << 20), 3, " MiB")
    out = subprocess.run(["ldd", qeff], check=True, stdout=subprocess.PIPE, text=True).stdout
    found = {re.match(r"(?:.*/)?([\w-]+?)(?:\.so.*)?$", line.split()[0])[1] for line in out.splitlines()}
    report.fact("run-time libraries", found <= LIBRARIES, ", ".join(sorted(found)))
    report.close()


if __name__ == "__main__":
    main()
