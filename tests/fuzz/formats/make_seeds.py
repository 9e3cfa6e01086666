"""Writes the first inputs of the fuzz targets json, safetensors, qpc and npz. The rest of each corpus
was found by libFuzzer and merged down to what adds coverage."""
import io
import pathlib
import struct
import zipfile

import numpy as np

here = pathlib.Path(__file__).parent / "corpus"


def save(target, name, data):
    folder = here / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


json_texts = {
    "config": b'{"hidden_size": 768, "eps": 1e-12, "architectures": ["BertModel"], "x": null}',
    "escapes": '{"é漢😀": "\\u00e9\\ud83d\\ude00\\n\\"\\\\\\/\\b\\f\\r\\t\\u0000"}'.encode(),
    "numbers": b"[0, -0, 1.5, -2.5e+3, 1E-400, 9223372036854775807, 1000000000000000019884624838656]",
    "nested": b"[[[[{\"a\":[{}]}]]], true, false, null]",
    "duplicate": b'{"a":1,"b":2,"\\u0061":3}',
    "overflow": b"[1.8e308]",
    "surrogate": b'["\\ud800"]',
    "space": b" \t\r\n[ 1 , 2 ] \n",
}
for name, text in json_texts.items():
    save("json", name, text)


def tensor(dtype, shape, begin, end):
    return f'{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}'


def safetensors(header, size):
    return struct.pack("<Q", len(header)) + header.encode() + bytes(range(size))


save("safetensors", "empty", safetensors("{}", 0))
save("safetensors", "two", safetensors(
    f'{{"__metadata__":{{"format":"pt"}},"b":{tensor("I16", [3], 8, 14)},"a":{tensor("F32", [2, 1], 0, 8)}}}', 14))
save("safetensors", "zero_size", safetensors(
    f'{{"a":{tensor("F32", [0, 7], 1, 1)},"b":{tensor("U8", [1], 0, 1)},"c":{tensor("BF16", [7, 0], 1, 1)}}}', 1))
save("safetensors", "wraps_to_4", safetensors(
    f'{{"a":{tensor("U8", [4194305, 4194305, 211106198978564], 0, 4)}}}', 4))
save("safetensors", "escaped_name", safetensors(
    f'  {{"\\u0061":{tensor("BOOL", [], 0, 1)},"b":{{"x":[1,{{}}],"dtype":"F8_E4M3","shape":[1],"data_offsets":[1,2]}}}}  ', 2))
save("safetensors", "hole", safetensors(f'{{"a":{tensor("U8", [1], 0, 1)},"b":{tensor("U8", [1], 2, 3)}}}', 3))


def qpc(images, base=0):
    names, data, at = b"", b"", 40 + 32 * len(images)
    name_at, starts = [], []
    for name, _ in images:
        names += bytes(-(at + len(names)) % 8)
        name_at.append(at + len(names))
        names += name.encode() + b"\0"
    at += len(names)
    for _, content in images:
        data += bytes(-(at + len(data)) % 64)
        starts.append(at + len(data))
        data += content
    head = struct.pack("<IBBHQQQQ", 0x00A1CD7C, 0, 1, 1, at + len(data), base, len(images), 40 + base)
    for (_, content), name, start in zip(images, name_at, starts):
        head += struct.pack("<QQQQ", len(content), 0, name + base, start + base)
    return head + names + data


save("qpc", "none", qpc([]))
save("qpc", "two", qpc([("constants.bin", bytes(100)), ("networkdesc.bin", b"abc")]))
save("qpc", "base", qpc([("a", b"1"), ("b", b""), ("c", b"333")], base=0x7F0000001000))


def npy(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue()


def npz(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


save("npz", "f4.npy", npy(np.ones((2, 3), dtype="<f4")))
save("npz", "scalar.npy", npy(np.array(7, dtype="<i8"), (2, 0)))
save("npz", "fortran.npy", npy(np.asfortranarray(np.ones((2, 3)))))
save("npz", "two.npz", npz(a=np.arange(3), b=np.zeros((0, 2), dtype="<f2")))
save("npz", "empty.npz", npz())
compressed = io.BytesIO()
np.savez_compressed(compressed, a=np.zeros(9))
save("npz", "compressed.npz", compressed.getvalue())
small = io.BytesIO()
with zipfile.ZipFile(small, "w") as archive:
    archive.writestr(zipfile.ZipInfo("x.npy"), npy(np.array([True])))
    archive.writestr(zipfile.ZipInfo("é.npy"), npy(np.array([1], dtype="|u1")))
save("npz", "small.npz", small.getvalue())
