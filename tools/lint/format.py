#!/usr/bin/env python3
"""Runs clang-format 14 over all C sources and fails for the first difference: format.py [CLANG_FORMAT]
Exits 77, which ctest shows as skipped, where clang-format is not installed. Run as lint.format."""
import re
import shutil
import subprocess
import sys
from pathlib import Path


def main():
    tool = shutil.which(sys.argv[1] if len(sys.argv) > 1 else "clang-format")
    if not tool:
        print("clang-format is not installed")
        sys.exit(77)
    version = subprocess.run([tool, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    if not re.search(r"version 14\.", version):
        print(f"other versions format differently: expected 14, found {version.strip()}")
        sys.exit(77)
    root = Path(__file__).resolve().parents[2]
    files = sorted(p for top in ("include", "src", "cli", "tests", "bench", "examples")
                   for p in (root / top).rglob("*.[ch]") if not p.stem.endswith("_tables"))
    done = subprocess.run([tool, "--dry-run", "--Werror", "--ferror-limit=1", *map(str, files)], cwd=root)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
