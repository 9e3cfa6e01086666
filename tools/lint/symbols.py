#!/usr/bin/env python3
"""Compares what the libraries define with what the headers declare: symbols.py NM STATIC [SHARED]

- every global symbol of the objects starts with qeff_ or qb_;
- the shared library exports exactly the functions that include/qeff/ declares with QEFF_API.

Run by ctest as lint.symbols."""
import re
import subprocess
import sys
from pathlib import Path

from ctext import code


def defined(nm, library, *options):
    out = subprocess.run([nm, "--defined-only", "--extern-only", "--format=posix", *options, library],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    return {line.split()[0] for line in out.splitlines() if len(line.split()) >= 3}


def declared(root):
    names = set()
    for header in sorted((root / "include" / "qeff").glob("*.h")):
        for text in code(header.read_text()).split("QEFF_API")[1:]:
            match = re.match(r"[^;{]*?\b(qeff_\w+)\s*\(", text)
            if match:
                names.add(match[1])
    return names


def main():
    nm, static, *shared = sys.argv[1:]
    root = Path(__file__).resolve().parents[2]
    bad = [f"{static}: '{name}' is global and starts neither with qeff_ nor with qb_"
           for name in sorted(defined(nm, static)) if not re.match(r"qeff_|qb_", name)]
    for library in shared:
        exported, promised = defined(nm, library, "--dynamic"), declared(root)
        bad += [f"{library}: exports '{name}', which no public header declares" for name in sorted(exported - promised)]
        bad += [f"{library}: lacks '{name}', which a public header declares" for name in sorted(promised - exported)]
        print(f"{len(exported)} exported, {len(promised)} declared")
    sys.exit("\n".join(bad) or None)


if __name__ == "__main__":
    main()
