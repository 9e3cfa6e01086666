#!/usr/bin/env python3
"""Writes the seed inputs of all three targets; texts come from tests/golden/tokenizer/corpus.py."""
import json
import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "golden" / "tokenizer"))
import corpus  # noqa: E402

VOCAB = {t: i for i, t in enumerate(
    "[PAD] [UNK] [CLS] [SEP] [MASK] hello a ##a b un ##want ##ed . e \u4e2d foo".split())}

# Of the image in image_fuzz.c: numbers in the header, units of the trie, and the unit of "##a".
HEADER, UNITS, HASH_HASH_A = 16, 287, 100


def main():
    load, encode, image = HERE / "corpus_load", HERE / "corpus_encode", HERE / "corpus_image"
    for folder in (load, encode, image):
        folder.mkdir(exist_ok=True)
    for name, raw in corpus.variants(corpus.base(VOCAB), VOCAB).items():
        (load / name).write_text(corpus.dumps(raw), encoding="utf-8")
    raw = corpus.base(VOCAB)
    del raw["model"]["type"]
    (load / "old_without_type").write_text(json.dumps(raw))
    raw["model"]["type"] = "BPE"
    (load / "unknown_model").write_text(json.dumps(raw))
    (load / "settings").write_text(corpus.dumps(dict(corpus.base(VOCAB), qeff={
        "model_max_length": 5, "lowercase": True, "cls_token": "[MASK]"})), encoding="utf-8")

    texts = list(corpus.fixed())[::6] + list(corpus.mixes(150, seed=5))
    for i, text in enumerate(texts):
        if i % 4 == 0:  # in one pass and in steps
            (encode / ("pass_%03d" % i)).write_bytes(bytes([5, i % 2, 0]) + text.encode())
        head = bytes([i % 5, i * 7 % 16, [0, 0, 5, 9][i % 4]])
        pair = b"\xfe" + texts[i - 1].encode() if i % 3 == 2 else b""
        (encode / ("%03d" % i)).write_bytes(head + text.encode() + pair)
    for i, data in enumerate([b"\xff\xc0\x80", b"\xe2\x82", b"a\xf0\x9f\x98b", b"\xed\xa0\x80"]):
        (encode / ("invalid_%d" % i)).write_bytes(bytes([i, 0, 0]) + data)
    # The numbers of the header, and some of those behind it.
    (image / "good").write_bytes(b"")
    for at in list(range(HEADER)) + list(range(HEADER, HEADER + 2 * UNITS + 30, 13)):
        for value in (0, 1, 0xFFFFFFFF):
            (image / ("%d_%x" % (at, value))).write_bytes(struct.pack("<HI", at, value))
    forged = {
        "an_id_without_a_token": (HEADER + 2 * UNITS + 2 * 5 + 1, 0),
        "an_id_out_of_range": (HEADER + 2 * HASH_HASH_A + 1, 16),
        "a_base_out_of_the_trie": (HEADER + 2 * HASH_HASH_A, UNITS - 255 << 8 | ord("a")),
        "a_node_that_is_its_own_child": (HEADER + 2 * HASH_HASH_A, HASH_HASH_A - ord("a") << 8 | ord("a")),
    }
    for name, (at, value) in forged.items():
        (image / name).write_bytes(struct.pack("<HI", at, value))
    (image / "cut").write_bytes(b"\0")


if __name__ == "__main__":
    main()
