#!/usr/bin/env python3
"""Fails where a loop of multiply-adds touches the stack: spills.py OBJDUMP OBJECT...

A register tile whose accumulators do not all stay in registers loses half its speed and still gives right
results, so no other test would notice. Of each object called tile_<isa>.c, the innermost loops of the functions
tile_* and qeff_tile_wide* that hold multiply-adds are looked at; their operands may not lie in the stack frame. Run by
ctest as lint.spills on release builds."""
import re
import subprocess
import sys

FUNCTION = re.compile(r"^[0-9a-f]+ <(\w+)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(?:\{vex\}\s+)?(\S+)\s*(.*)$")
MULTIPLY_ADD = r"vfmadd|vpdpbusd|vdpbf16ps|vpmaddwd"
JUMP = re.compile(r"^j\w+$")


def functions(objdump, path):
    """(name, [(address, mnemonic, operands)]) of each function of an object."""
    text = subprocess.run([objdump, "-d", "--no-show-raw-insn", path], check=True, stdout=subprocess.PIPE, text=True).stdout
    name, body = None, []
    for line in text.splitlines():
        if match := FUNCTION.match(line):
            if name:
                yield name, body
            name, body = match[1], []
        elif match := INSTRUCTION.match(line):
            body.append((int(match[1], 16), match[2], match[3].split("#")[0]))
    if name:
        yield name, body


def loops(body):
    """Innermost loops: what lies between the target of a jump backwards and the jump. Where the function returns in
    between, the jump joins two ends of it."""
    start = body[0][0] if body else 0
    spans = []
    for address, mnemonic, operands in body:
        target = re.match(r"(?:0x)?([0-9a-f]+)\b", operands) if JUMP.match(mnemonic) else None
        if target and start <= int(target[1], 16) <= address:
            spans.append((int(target[1], 16), address))
    returns = [address for address, mnemonic, _ in body if mnemonic == "ret"]
    spans = [(first, last) for first, last in spans if not any(first < r < last for r in returns)]
    for first, last in spans:
        if not any(other != (first, last) and first <= other[0] and other[1] <= last for other in spans):
            yield [i for i in body if first <= i[0] <= last]


def main():
    objdump, *objects = sys.argv[1:]
    bad, n_loops = [], 0
    for path in objects:
        if not re.search(r"/tile_\w+\.c\.o", path):
            continue
        n_here = 0
        for name, body in functions(objdump, path):
            if not re.match(r"tile_\d|qeff_tile_wide", name):
                continue
            uses_frame = any(m in ("mov", "movq") and re.match(r"%rsp, ?%rbp", o) for _, m, o in body)
            frame = r"\((%rsp|%rbp)" if uses_frame else r"\(%rsp"
            for loop in loops(body):
                if not any(re.match(MULTIPLY_ADD, m) for _, m, _ in loop):
                    continue
                n_here += 1
                spilled = [i for i in loop if re.search(frame, i[2])]
                if spilled:
                    bad.append(f"{path}: {name}: {len(spilled)} stack accesses in a loop of {len(loop)} instructions, "
                               f"such as '{spilled[0][1]} {spilled[0][2].strip()}'")
        if n_here < 6:
            bad.append(f"{path}: {n_here} loops of multiply-adds found, expected one a tile height")
        n_loops += n_here
    if not n_loops:
        bad.append("no object called tile_<isa>.c was given")
    print(f"{n_loops} loops")
    sys.exit("\n".join(bad) or None)


if __name__ == "__main__":
    main()
