#!/usr/bin/env python3
"""Fails for a function of more than 80 lines, a file of more than 1,000 or a header of more than 300.

Generated tables are exempt by name. size_exceptions.txt beside this script lists what may be larger,
one `path[:function] lines reason` a line. The list can only shrink: an entry that is no longer needed,
or whose subject has grown beyond the recorded figure, is an error. Run by ctest as lint.size."""
import re
import sys
from pathlib import Path

FUNCTION_MAX, FILE_MAX, HEADER_MAX = 80, 1000, 300
TABLES = re.compile(r"_tables\.[ch]$|\.def$")
FOLDERS = ("include", "src", "cli", "tests", "bench", "tools", "examples")
SUFFIXES = {".c", ".h", ".py", ".sh", ".cmake"}


def functions(lines):
    """(name, lines) of each function: its body stands between braces in column one."""
    start = None
    for n, line in enumerate(lines):
        if line == "{":
            start = n
        elif line.startswith("}") and start is not None:
            if line == "}":
                first = start
                while first > 0 and lines[first - 1] and not re.search(r"[;}]$|\*/$|^#", lines[first - 1]):
                    first -= 1
                name = re.search(r"(\w+)\s*\(", " ".join(lines[first:start]))
                yield (name[1] if name else "?"), n - first + 1
            start = None


def measure(root):
    """Size of everything that is over its limit, by `path` or `path:function`."""
    over = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix not in SUFFIXES or TABLES.search(name):
                continue
            lines = path.read_text().splitlines()
            limit = HEADER_MAX if path.suffix == ".h" else FILE_MAX
            if len(lines) > limit:
                over[name] = (len(lines), limit)
            if path.suffix in {".c", ".h"}:
                for function, size in functions(lines):
                    if size > FUNCTION_MAX:
                        over[f"{name}:{function}"] = (size, FUNCTION_MAX)
    return over


def exceptions(path):
    entries = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            subject, size, _reason = line.split(None, 2)
            entries[subject] = int(size)
    return entries


def main():
    root = Path(__file__).resolve().parents[2]
    allowed = exceptions(Path(__file__).with_name("size_exceptions.txt"))
    over = measure(root)
    bad = [f"{subject}: {size} lines, at most {max(limit, allowed.get(subject, 0))}"
           for subject, (size, limit) in over.items() if size > allowed.get(subject, 0)]
    bad += [f"size_exceptions.txt: '{subject}' is within the limit or gone: delete the line"
            for subject in allowed if subject not in over]
    bad += [f"size_exceptions.txt: '{subject}' is down to {over[subject][0]} lines: write that figure"
            for subject in allowed if subject in over and over[subject][0] < allowed[subject]]
    sys.exit("\n".join(bad) or None)


if __name__ == "__main__":
    main()
