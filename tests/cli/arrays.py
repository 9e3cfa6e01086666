#!/usr/bin/env python3
"""Numpy's files for the tests of the program, without numpy.

    arrays.py ids OUT.npz 2,5,3 2,6,7,3      input_ids and attention_mask, padded to the longest
    arrays.py npz OUT.npz NAME=DTYPE:SHAPE…  arrays of zeros: input_ids=<i8:2x3
    arrays.py text IN.npy|IN.npz[:NAME]      shape, then one line a row, floats as hexadecimal bits
    arrays.py bits                           stdin: JSON lists of numbers, a line each, as bits of float32"""
import ast
import io
import json
import struct
import sys
import zipfile


def npy(descr, shape, data):
    header = repr({"descr": descr, "fortran_order": False, "shape": tuple(shape)}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def save(path, arrays):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in arrays.items():
            archive.writestr(name + ".npy", data)


def save_ids(path, rows):
    rows = [[int(n) for n in row.split(",")] for row in rows]
    width = max(map(len, rows))
    ids = [n for row in rows for n in row + [0] * (width - len(row))]
    mask = [n for row in rows for n in [1] * len(row) + [0] * (width - len(row))]
    shape = (len(rows), width)
    save(path, {name: npy("<i8", shape, struct.pack(f"<{len(values)}q", *values))
                for name, values in (("input_ids", ids), ("attention_mask", mask))})


def save_zeros(path, specs):
    arrays = {}
    for spec in specs:
        name, rest = spec.split("=", 1)
        descr, dims = rest.split(":")
        shape = [int(n) for n in dims.split("x")] if dims else []
        size = int(descr[-1])
        for n in shape:
            size *= n
        arrays[name] = npy(descr, shape, bytes(size))
    save(path, arrays)


def parse(data):
    if data[:8] != b"\x93NUMPY\x01\x00":
        sys.exit("not a .npy file of version 1")
    size = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + size].decode())
    if (10 + size) % 64 or header["descr"] != "<f4" or header["fortran_order"]:
        sys.exit(f"unexpected header {header}")
    return header["shape"], struct.unpack(f"<{len(data[10 + size:]) // 4}I", data[10 + size:])


def show(path):
    name = None
    if ".npz:" in path:
        path, name = path.rsplit(":", 1)
    data = open(path, "rb").read()
    if name:
        data = zipfile.ZipFile(io.BytesIO(data)).read(name + ".npy")
    shape, bits = parse(data)
    print("x".join(map(str, shape)))
    width = shape[-1]
    for at in range(0, len(bits), width):
        print(" ".join(f"{n:08x}" for n in bits[at:at + width]))


def bits():
    for line in sys.stdin:
        print(" ".join(f"{struct.unpack('<I', struct.pack('<f', x))[0]:08x}" for x in json.loads(line)))


def main():
    verb, *args = sys.argv[1:]
    if verb == "ids":
        save_ids(args[0], args[1:])
    elif verb == "npz":
        save_zeros(args[0], args[1:])
    elif verb == "text":
        show(args[0])
    else:
        bits()


if __name__ == "__main__":
    main()
