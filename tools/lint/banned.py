#!/usr/bin/env python3
"""Fails where the library does what only its caller may do: print, end the process, read the environment,
take memory behind the allocator's back; and for language features that the project does without.
Run by ctest as lint.banned."""
import re
import sys
from pathlib import Path

from ctext import code

CALLS = {  # what, and the folders or files where it may stand
    r"abort|exit|_exit|_Exit|quick_exit|raise|signal|sigaction": (),
    r"printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|putc|fputc|perror": (),
    r"getenv|secure_getenv|setenv|putenv": ("src/base/",),
    r"malloc|calloc|realloc|strdup|strndup|asprintf": ("src/base/alloc.c",),
    r"free": ("src/base/alloc.c", "src/base/file.c"),  # file.c: what realpath() allocated
    r"open|openat|fopen|mmap|munmap|fsync|rename|unlink|mkdir|rmdir|flock": ("src/base/",),
    r"setlocale|system|popen|fork|execve?|execvp?|dlopen": ("src/base/",),
    r"setjmp|longjmp|alloca|gets|strcpy|strcat|sprintf|strtok|atoi|atol|atof|rand|srand": (),
}
WORDS = {r"\b_Thread_local\b|\b__thread\b": "state belongs to an object",
         r"\b_Complex\b|<complex\.h>|<threads\.h>|<tgmath\.h>": "not used here"}
DEFAULT = re.compile(r"\bcase\s+(QEFF_[A-Z]\w*)\s*:(?:(?!\b(?:case|switch)\b).)*?\bdefault\s*:", re.S)
OPEN_ENDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def check(name, text):
    plain = code(text)
    for n, line in enumerate(plain.splitlines(), 1):
        if line.lstrip().startswith("#") and "include" not in line:
            continue
        for calls, places in CALLS.items():
            match = re.search(rf"(?<![\w.>])({calls})\s*\(", line)
            if match and not name.startswith(places or ("\0",)):
                yield f"{name}:{n}: '{match[1]}' does not belong here"
        for word, why in WORDS.items():
            if re.search(word, line):
                yield f"{name}:{n}: '{line.strip()}': {why}"
    for match in DEFAULT.finditer(plain):
        n = plain.count("\n", 0, match.end()) + 1
        yield f"{name}:{n}: 'default:' after '{match[1]}': a switch over one of our enums lists every value"


def main():
    root = Path(__file__).resolve().parents[2]
    bad = []
    for path in sorted((root / "src").rglob("*.[ch]")):
        bad += check(path.relative_to(root).as_posix(), path.read_text())
    for folder in ("include", "src", "cli", "tests", "bench", "examples", "cmake"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in {".c", ".h", ".py", ".cmake", ".txt", ".def"} and path.is_file():
                bad += [f"{path.relative_to(root)}:{n}: left open: {line.strip()}"
                        for n, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
                        if OPEN_ENDS.search(line)]
    sys.exit("\n".join(bad) or None)


if __name__ == "__main__":
    main()
