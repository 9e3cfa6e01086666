#!/usr/bin/env python3
"""Compares libqeff with the reference on well over 100,000 texts: ids, offsets, type_ids, word_ids,
special tokens and decoded text, with and without pairs, truncation and special tokens.

Needs tokenizers==0.23.3 and nothing else:

    python3 -m venv V && V/bin/pip install tokenizers==0.23.3
    V/bin/python tests/golden/tokenizer/compare.py BUILD/tests/tokenizer/tokenizer_dump
        [--model FOLDER]   also with the tokenizer.json of a real BERT model, cased and uncased
        [--full]           all of it: ten million texts, seven minutes; else three million, two
                           minutes, with every code point through five of the tokenizers

Prints a line a tokenizer and exits with 1 where anything differs.
"""
import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile

import corpus
import tokenizers
from tokenizers import Tokenizer


def run(program, path, flags, max_length, records):
    data = b"".join(struct.pack("<I", len(t)) + t for t in records)
    done = subprocess.run([program, path, flags or "-", str(max_length)], input=data,
                          stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().split("\n")[:-1]


def expected(tokenizer, flags, e):
    words = [-1 if w is None else w for w in e.word_ids]
    line = "|".join([" ".join(map(str, e.ids)), " ".join(map(str, e.type_ids)),
                     " ".join("%d:%d" % o for o in e.offsets), " ".join(map(str, words)),
                     " ".join(map(str, e.special_tokens_mask))])
    if "d" in flags:
        for skip in (False, True):
            text = tokenizer.decode(e.ids, skip_special_tokens=skip)
            line += "|" + text.encode().hex()
    return line


def set_up(tokenizer, flags, max_length):
    if "f" not in flags:
        tokenizer.no_truncation()
        tokenizer.no_padding()
    if max_length:
        strategy = "only_first" if "1" in flags else "only_second" if "2" in flags else "longest_first"
        tokenizer.enable_truncation(max_length, strategy=strategy,
                                    direction="left" if "l" in flags else "right")


def compare(args, name, path, texts, flags="", max_length=0):
    """Returns (texts compared, differences)."""
    tokenizer = Tokenizer.from_file(path)
    n_special = 0 if "n" in flags else tokenizer.num_special_tokens_to_add("p" in flags)
    if max_length and max_length < n_special:  # libqeff refuses; the reference does not truncate
        return 0, 0
    set_up(tokenizer, flags, max_length)
    pairs = list(zip(texts, texts[1:] + texts[:1])) if "p" in flags else None
    records = [t.encode() for p in pairs for t in p] if pairs else [t.encode() for t in texts]
    mine = run(args.program, path, flags, max_length, records)
    items = pairs or texts
    bad = 0 if len(mine) == len(items) else 1
    for start in range(0, len(items), 20000):
        part = items[start:start + 20000]
        try:
            encodings = tokenizer.encode_batch(part, add_special_tokens="n" not in flags)
        except BaseException:  # one refused text spoils a batch of the reference
            encodings = []
            for item in part:
                try:
                    encodings += tokenizer.encode_batch([item], add_special_tokens="n" not in flags)
                except BaseException:
                    encodings.append(None)
        for item, e, line in zip(part, encodings, mine[start:start + 20000]):
            want = "!" if e is None else expected(tokenizer, flags, e)
            got = line[:1] if line.startswith("!") else line
            if "l" in flags:  # the reference numbers the words that are left; libqeff all of them
                want, got = ["|".join(s.split("|")[:3] + s.split("|")[4:]) for s in (want, got)]
            if got != want:
                bad += 1
                if bad <= 3:
                    print("%s %r:\n  want %s\n  got  %s" % (name, item, want, line))
    return len(items), bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--model")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only")
    args = parser.parse_args()
    if tokenizers.__version__ != "0.23.3":
        sys.exit("tokenizers %s, expected 0.23.3" % tokenizers.__version__)
    n = 20000 if args.full else 2000
    total = different = 0

    vocab = corpus.trained_vocab()
    jobs = []
    for name, raw in corpus.variants(corpus.base(vocab), vocab).items():
        wide = name in ("uncased", "nfc", "nfkd", "chain2") or args.full and name in (
            "cased", "accents", "unclean", "nfd", "nfkc", "lowercase", "chain", "flags")
        jobs.append((name, raw, wide))
    if args.model:
        with open(os.path.join(args.model, "tokenizer.json"), encoding="utf-8") as f:
            raw = json.load(f)
        jobs.append(("model", raw, True))
        real = raw["model"]["vocab"]
        cased = dict(raw, normalizer=corpus.bert_normalizer(lowercase=False))
        jobs.append(("model_cased", cased, args.full))
        jobs.append(("model_flags", corpus.all_flags(corpus.base(real)), False))

    fixed, mixes = list(corpus.fixed()), list(corpus.mixes(n))
    blocks, points = list(corpus.blocks()), list(corpus.code_points())
    with tempfile.TemporaryDirectory() as folder:
        for name, raw, wide in jobs:
            if args.only and name != args.only:
                continue
            path = os.path.join(folder, name + ".json")
            with open(path, "w", encoding="utf-8") as f:
                f.write(corpus.dumps(raw))
            texts = fixed + mixes + (blocks + points if wide else blocks[::9])
            some = fixed + mixes[:n // 4]
            runs = [("d", 0, texts), ("n", 0, some), ("pd", 0, some), ("pn", 0, some)]
            for length in (3, 4, 7, 8, 12, 21):
                for side in ("", "l"):
                    runs.append((side, length, some[::4]))
                    for strategy in ("p", "p1", "p2", "pn"):
                        runs.append((strategy + side, length, some[::4]))
            if name == "file_settings":
                runs = [("f", 0, some), ("pf", 0, some), ("d", 0, some)]
            counts = [compare(args, name, path, t, flags, length) for flags, length, t in runs]
            bad = sum(c[1] for c in counts)
            print("%-24s %7d texts, %d differences" % (name, sum(c[0] for c in counts), bad),
                  flush=True)
            total += sum(c[0] for c in counts)
            different += bad
    print("%d texts, %d differences" % (total, different))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
