#!/usr/bin/env python3
"""Compiles each header alone as C11, and the public ones as C++11 too: headers.py CC
Takes the C++ compiler that is called c++, g++ or clang++. Run by ctest as lint.headers."""
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wundef", "-Werror"]
# What each source sees from the build: the POSIX level, and the kernels' instruction sets.
FLAGS = ["-fsyntax-only", "-Iinclude", "-Isrc", "-Itests", "-D_POSIX_C_SOURCE=200809L", "-Wno-unused-function"]
ISA = {"_avx2": ["-mavx2", "-mfma", "-mf16c"],
       "_avx512": ["-mavx2", "-mfma", "-mf16c", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"]}


def compile_alone(root, command, header):
    isa = next((flags for suffix, flags in ISA.items() if header.stem.endswith(suffix)), [])
    # Named by an #include, since a header given as the main file warns about itself.
    include = f'#include "{header.relative_to(root).as_posix()}"\nextern int qeff_header_alone;\n'
    done = subprocess.run([*command, *FLAGS, *WARNINGS, *isa, "-I.", "-"], input=include, text=True,
                          cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return f"{header.relative_to(root)} ({' '.join(command)}):\n{done.stdout}" if done.returncode else None


def main():
    cc = sys.argv[1]
    cxx = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if not cxx:
        sys.exit("no C++ compiler: c++, g++ or clang++")
    root = Path(__file__).resolve().parents[2]
    jobs = [([cc, "-std=c11", "-x", "c"], h) for top in ("include", "src", "cli") for h in sorted((root / top).rglob("*.h"))]
    jobs += [([cxx, "-std=c++11", "-x", "c++"], h) for h in sorted((root / "include").rglob("*.h"))]
    with ThreadPoolExecutor(2) as pool:
        bad = [text for text in pool.map(lambda job: compile_alone(root, *job), jobs) if text]
    print(f"{len(jobs)} compilations")
    sys.exit("\n".join(bad) or None)


if __name__ == "__main__":
    main()
