#!/usr/bin/env python3
"""Writes reference vectors of all-MiniLM-L6-v2.

    python3 make_minilm.py MODEL_FOLDER      (torch, sentence-transformers, numpy)

    texts.jsonl         one JSON string a line, ASCII with escapes
    vectors.npy         float32 [n, 384]: SentenceTransformer.encode(texts), unit length
    hidden_states.npz   for the texts of indices [m]: int64 indices; float32 t<i> [T, 384] for the
                        i-th of them: the encoder's last hidden state, all T tokens with special ones

The reference runs on one text at a time, so that no padding takes part, in float32 as users run it.
The texts are made here, from tables and a seeded generator, and belong to nobody.
"""
import json
import random
import sys
import unicodedata
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

HERE = Path(__file__).resolve().parent

# One short sentence in each of many scripts, "the water is cold today" or near it.
SCRIPTS = [
    "The water is cold today.", "L\u2019eau est froide aujourd\u2019hui, d\u00e9j\u00e0.",
    "Das Wasser ist heute k\u00e4lter als \u00fcblich; Stra\u00dfe.", "El agua est\u00e1 fr\u00eda, \u00bfno?",
    "\u0412\u043e\u0434\u0430 \u0441\u0435\u0433\u043e\u0434\u043d\u044f \u0445\u043e\u043b\u043e\u0434\u043d\u0430\u044f.", "\u03a4\u03bf \u03bd\u03b5\u03c1\u03cc \u03b5\u03af\u03bd\u03b1\u03b9 \u03ba\u03c1\u03cd\u03bf \u03c3\u03ae\u03bc\u03b5\u03c1\u03b1.",
    "\u0627\u0644\u0645\u0627\u0621 \u0628\u0627\u0631\u062f \u0627\u0644\u064a\u0648\u0645.", "\u05d4\u05de\u05d9\u05dd \u05e7\u05e8\u05d9\u05dd \u05d4\u05d9\u05d5\u05dd.",
    "\u4eca\u5929\u7684\u6c34\u5f88\u51b7\u3002", "\u4eca\u65e5\u306e\u6c34\u306f\u51b7\u305f\u3044\u3067\u3059\u3002\u30ab\u30bf\u30ab\u30ca", "\uc624\ub298 \ubb3c\uc774 \ucc28\uac11\uc2b5\ub2c8\ub2e4.",
    "\u0906\u091c \u092a\u093e\u0928\u0940 \u0920\u0902\u0921\u093e \u0939\u0948\u0964", "\u0e27\u0e31\u0e19\u0e19\u0e35\u0e49\u0e19\u0e49\u0e33\u0e40\u0e22\u0e47\u0e19", "N\u01b0\u1edbc h\u00f4m nay l\u1ea1nh.",
    "\u054b\u0578\u0582\u0580\u0568 \u057d\u0561\u057c\u0568 \u0567:", "\u10ec\u10e7\u10d0\u10da\u10d8 \u10d3\u10e6\u10d4\u10e1 \u10ea\u10d8\u10d5\u10d8\u10d0.",
    "\u0b87\u0ba9\u0bcd\u0bb1\u0bc1 \u0ba4\u0ba3\u0bcd\u0ba3\u0bc0\u0bb0\u0bcd \u0b95\u0bc1\u0bb3\u0bbf\u0bb0\u0bcd.", "\u0986\u099c \u099c\u09b2 \u09a0\u09be\u09a8\u09cd\u09a1\u09be\u0964",
    "\u12cd\u1203\u12cd \u12db\u122c \u1240\u12dd\u1243\u12db \u1290\u12cd\u1362", "\u1011\u102d\u102f\u101b\u1031 \u1021\u1031\u1038\u101e\u100a\u103a",
    "\u179f\u1796\u17d2\u179c\u1790\u17d2\u1784\u17c3 \u1791\u17b9\u1780", "\u0e99\u0ec9\u0eb3 \u0ec0\u0ea2\u0eb1\u0e99", "\u0f46\u0f74\u0f0b\u0f42\u0fb2\u0f44\u0f0b\u0f58\u0f7c\u0f0d",
    "\u1826\u1830\u1824 \u182c\u1826\u1822\u1832\u1821\u1828", "\u13a0\u13b9 \u13a4\u13f4\u13e2", "\u1403\u14c4\u1483\u144e\u1450\u1466",
    "\u0c28\u0c40\u0c30\u0c41 \u0c1a\u0c32\u0c4d\u0c32\u0c17\u0c3e", "\u0ca8\u0cc0\u0cb0\u0cc1 \u0ca4\u0c82\u0caa\u0cc1", "\u0d35\u0d46\u0d33\u0d4d\u0d33\u0d02 \u0d24\u0d23\u0d41\u0d2a\u0d4d\u0d2a\u0d4d",
    "\u0aaa\u0abe\u0aa3\u0ac0 \u0aa0\u0a82\u0aa1\u0ac1\u0a82", "\u0a2a\u0a3e\u0a23\u0a40 \u0a20\u0a70\u0a22\u0a3e", "\u0d9a\u0dd2\u0dbb\u0dd2 \u0da2\u0dbd\u0dba",
    "\U00010330\U00010331 \U00010332", "\U00012000\U00012001", "\U000104d8\U000104d9 \U000104da", "\u2d30\u2d4e\u2d30\u2d4f", "\ua4d0\ua4e1 \ua4d5",
]
ODD = [
    "", " ", "   \t  \n ", "\u00a0", "\u3000\u2003", "\u200b", "\ufeff", ".", "...", "?!", "-", "a", "A", "0", "\u00e9", "e\u0301",
    "\u0130stanbul \u0131", "\ufb01ne \ufb02ow", "\u1e9e \u00df", "\uff26\uff35\uff2c\uff2c width", "x\u00b2 + y\u00b3 = \u00bd", "\u2460\u2461\u2462", "\u2122 \u00ae \u00a9",
    "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 family", "\U0001f1e9\U0001f1ea \U0001f1ef\U0001f1f5", "\U0001f44d\U0001f3fd ok",
    "\u2764\ufe0f love", "1\ufe0f\u20e3", "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\U0001f600" * 40,
    "\x00", "a\x00b", "\x01\x02\x03", "tab\tline\ncarriage\rend", "\x1b[31mred\x1b[0m", "\x7f\x80\x85\x9f", "soft\u00adhyphen",
    "zero\u200bwidth\u200cnon\u200djoiner", "left\u200eto\u200fright\u202a\u202b\u202c", "\u2028line\u2029paragraph", "\ufffd", "\ufffc object",
    "\ue000\uf8ff private", "\U0010fffd", "\ufdd0\uffff", "a\u0300\u0301\u0302\u0303\u0304" * 6, "\u0e01\u0e33\u0e49", "\u1100\u1161\u11a8",
    "[CLS]", "[SEP] [PAD]", "a [MASK] b", "[UNK]", "[cls] [sep]", "[ CLS ]", "##ing", "##", "un##related", "[unused0]", "[PAD]" * 8,
    "don't can't won't it's", "state-of-the-art", "C++ and C#", "e-mail: me@example.org", "https://example.org/a?b=c&d=%20#e",
    "3.14159 2,718,281 1e-9", "$5.00 \u20ac7,50 \u00a39 \u00a53", "2026-11-24T12:00:00Z", "v1.2.3-rc.4+build.5", "/usr/lib/x86_64/libm.so.6",
    "<b>bold</b> &amp; <i>x</i>", "{\"key\": [1, 2, null]}", "for (int i = 0; i < n; i++) x[i] *= 2;", "SELECT * FROM t WHERE a='b';",
    "a" * 99, "a" * 100, "a" * 101, "ab" * 60, "-" * 300, "!" * 300, "\u6f22" * 300, "word " * 254, "word " * 255, "word " * 500,
    "Antidisestablishmentarianism", "pneumonoultramicroscopicsilicovolcanoconiosis", "ALL CAPS SENTENCE HERE", "mIxEd CaSe TeXt",
    "\u201ccurly\u201d \u2018quotes\u2019 \u2014 dash \u2013 \u2026", "\u00ab guillemets \u00bb", "\u3010\u65e5\u672c\u8a9e\u3011\uff01\uff1f", "a\u3000b\u3000c", "x" + " " * 200 + "y",
    "caf\u00e9 na\u00efve r\u00e9sum\u00e9 co\u00f6perate", "\u0141\u00f3d\u017a \u017b\u00f3\u0142w \u0110\u1eb7ng", "\u00c5ngstr\u00f6m \u212b \u2126 \u212a", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u03a3",
]
SUBJECTS = ["The river", "A small dog", "Our neighbour", "The committee", "An old engine", "My sister",
            "The patient", "Every student", "The satellite", "A violinist", "The harbour", "No one"]
VERBS = ["crossed", "ignored", "repaired", "described", "lost", "painted", "measured", "remembered",
         "sold", "followed", "rejected", "celebrated"]
OBJECTS = ["the narrow bridge", "an unexpected letter", "three heavy boxes", "the new regulation",
           "a question of taste", "the melting glacier", "his grandmother's recipe",
           "the interest rate", "a broken telescope", "the last train", "their quarterly report",
           "a field of sunflowers"]
ENDINGS = [".", " yesterday.", " before the storm arrived.", ", although nobody had asked for it.",
           " and then went home.", " in less than an hour!", "; was that wise?",
           " because the instructions were unclear.", " for the 3rd time since 1998."]


def sentences(rng, n):
    return [f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)}{rng.choice(ENDINGS)}"
            for _ in range(n)]


def random_text(rng, lo, hi, length):
    chars = []
    while len(chars) < length:
        c = chr(rng.randrange(lo, hi))
        if unicodedata.category(c) != "Cs":
            chars.append(" " if rng.random() < 0.15 else c)
    return "".join(chars)


def texts():
    rng = random.Random(20261124)
    out = SCRIPTS + ODD + sentences(rng, 110)
    out += [" ".join(sentences(rng, k)) for k in (2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 40, 80, 160)]
    ranges = [(0x20, 0x7f), (0xa0, 0x250), (0x250, 0x400), (0x400, 0x600), (0x600, 0x900),
              (0x900, 0xe00), (0xe00, 0x1200), (0x1200, 0x1800), (0x1800, 0x2000), (0x2000, 0x2c00),
              (0x2c00, 0x3000), (0x3000, 0x3400), (0x4e00, 0xa000), (0xa000, 0xac00),
              (0xac00, 0xd7b0), (0xf900, 0x10000), (0x10000, 0x11000), (0x1d000, 0x1f000),
              (0x1f000, 0x1fb00), (0x20000, 0x20100), (0, 0xd800)]
    for lo, hi in ranges:
        out += [random_text(rng, lo, hi, n) for n in (3, 17, 120)]
    return out


def main():
    torch.set_num_threads(1)
    model = SentenceTransformer(sys.argv[1], device="cpu")
    all_texts = texts()
    with open(HERE / "texts.jsonl", "w") as f:
        f.writelines(json.dumps(t) + "\n" for t in all_texts)
    vectors = np.concatenate([model.encode([t]) for t in all_texts])
    np.save(HERE / "vectors.npy", vectors.astype(np.float32))

    indices = [all_texts.index(t) for t in ("", "a", SCRIPTS[0], SCRIPTS[8], "C++ and C#",
                                            "caf\u00e9 na\u00efve r\u00e9sum\u00e9 co\u00f6perate")]
    states = {"indices": np.array(indices, np.int64)}
    for k, i in enumerate(indices):
        h = model.encode([all_texts[i]], output_value="token_embeddings")[0]
        states[f"t{k}"] = h.cpu().numpy().astype(np.float32)
    np.savez(HERE / "hidden_states.npz", **states)
    print(f"{len(all_texts)} texts, {vectors.shape}, tokens {[len(states[f't{k}']) for k in range(6)]}")


if __name__ == "__main__":
    main()
