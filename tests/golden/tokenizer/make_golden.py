#!/usr/bin/env python3
"""Writes golden.json: what tokenizers 0.23.3 makes of a few thousand texts, for golden_test.c.

    {"vocab": text, "tokenizers": {name: text with "@" for the vocabulary},
     "cases": [[name, flags, max_length, text, pair or null, line, decoded, decoded without special]]}

Flags are those of tests/tokenizer/dump.c, and so is the line. Run it with tokenizers==0.23.3.
"""
import json
import os
import random
import tempfile

import compare
import corpus
from tokenizers import Tokenizer

PER_TOKENIZER = 92
HERE = os.path.dirname(os.path.abspath(__file__))


def cases_of(name, raw, folder, texts, rng):
    path = os.path.join(folder, name + ".json")
    with open(path, "w", encoding="utf-8") as f:
        f.write(corpus.dumps(raw))
    for i, text in enumerate(rng.sample(texts, PER_TOKENIZER)):
        pair = rng.choice(texts) if i % 3 == 2 else None
        flags = "p" if pair is not None else ""
        max_length = rng.choice([0, 0, 5, 8, 13])
        flags += rng.choice(["", "", "n"]) + (rng.choice(["", "l"]) if max_length else "")
        if name == "file_settings":
            flags, max_length = flags.replace("l", "") + "f", 0
        tokenizer = Tokenizer.from_file(path)
        compare.set_up(tokenizer, flags, max_length)
        if max_length and max_length < tokenizer.num_special_tokens_to_add(pair is not None):
            continue
        e = tokenizer.encode(text, pair, add_special_tokens="n" not in flags)
        line = compare.expected(tokenizer, flags, e).split("|")
        if "l" in flags or name == "file_settings":
            line[3] = ""  # the reference numbers the words that are left
        yield [name, flags, max_length, text, pair, "|".join(line), tokenizer.decode(e.ids, False),
               tokenizer.decode(e.ids, True)]


def main():
    rng = random.Random(11)
    vocab = corpus.trained_vocab()
    texts = [t for t in list(corpus.fixed()) + list(corpus.mixes(6000, seed=3)) if len(t) < 60]
    texts += [w * 25 + "x" for w in ("abcd", "\u00e9bcd")]
    points = list(corpus.code_points())
    texts += rng.sample(points, 1500)
    tokenizers, cases = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for name, raw in corpus.variants(corpus.base(vocab), vocab).items():
            cases += cases_of(name, raw, folder, texts, rng)
            raw["model"] = dict(raw["model"], vocab="@")
            tokenizers[name] = corpus.dumps(raw).replace('"vocab":"@"', '"vocab":@')
    with open(os.path.join(HERE, "golden.json"), "w", encoding="utf-8") as f:
        f.write('{"vocab":%s,\n"tokenizers":{\n' % corpus.dumps(corpus.dumps(vocab)))
        f.write(",\n".join("%s:%s" % (corpus.dumps(k), corpus.dumps(v))
                           for k, v in tokenizers.items()))
        f.write('},\n"cases":[\n')
        f.write(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
        f.write("]}\n")
    print("%d cases" % len(cases))


if __name__ == "__main__":
    main()
