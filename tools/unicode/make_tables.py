#!/usr/bin/env python3
"""Writes src/tokenizer/unicode_tables.{h,c} from Debian's unicode-data 15.0.

The reference tokenizer is on several Unicode versions at once, so no system library is exact:

  clean_text, punctuation, strip_accents of BERT   Unicode 8, with a few slips of its own data
  NFD, NFC, NFKD, NFKC, StripAccents               Unicode 9
  \\w of single_word and of Whitespace              Unicode 16
  Lowercase                                        Unicode 17
  White_Space                                      the same in all of them

Older versions are the 15.0 data restricted by Age. What is newer than 15.0 comes from newer.json.

  make_tables.py                 writes the tables
  make_tables.py --probe         needs tokenizers==0.23.3: asks it about every code point, rewrites
                                 newer.json and fails where the other sets differ from the rules
"""
import json
import os
import sys

UCD = os.environ.get("UNICODE_DATA", "/usr/share/unicode")
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "src", "tokenizer")
LIMIT = 0x110000
HANGUL = range(0xAC00, 0xAC00 + 11172)

# Slips of the reference's Unicode 8 and 9 data against the published ones.
PUNCT_EXTRA = {0x166D, 0x111C9}
MN8_EXTRA, MN8_LESS = {0x1734}, {0x1885, 0x1886, 0xA9BD, 0x111C9}
M9_EXTRA, M9_LESS = {0x1CF2, 0x1CF3}, {0x111C9}

FLAGS = ["CLEAN", "PUNCT", "MN8", "MARK9", "WORD", "LOWER", "NFX", "SPACE"]


def ranges(name):
    """Yields (first, last, fields) of a UCD property file."""
    with open(os.path.join(UCD, name), encoding="utf-8") as f:
        for line in f:
            line = line.split("#")[0].strip()
            if not line:
                continue
            fields = [p.strip() for p in line.split(";")]
            first, _, last = fields[0].partition("..")
            yield int(first, 16), int(last or first, 16), fields[1:]


def property_set(name, wanted):
    return {c for a, b, p in ranges(name) if p[0] == wanted for c in range(a, b + 1)}


class Data:
    def __init__(self):
        self.category = ["Cn"] * LIMIT
        self.ccc, self.lower, self.canonical, self.compatible = {}, {}, {}, {}
        first = None
        with open(os.path.join(UCD, "UnicodeData.txt"), encoding="utf-8") as f:
            for line in f:
                p = line.rstrip("\n").split(";")
                c = int(p[0], 16)
                for d in range(first if first is not None else c, c + 1):
                    self.category[d] = p[2]
                first = c if p[1].endswith(", First>") else None
                if p[3] != "0":
                    self.ccc[c] = int(p[3])
                if p[13]:
                    self.lower[c] = [int(p[13], 16)]
                if p[5].startswith("<"):
                    self.compatible[c] = [int(x, 16) for x in p[5].split(">")[1].split()]
                elif p[5]:
                    self.canonical[c] = [int(x, 16) for x in p[5].split()]
        self.age = [99.0] * LIMIT
        for a, b, p in ranges("DerivedAge.txt"):
            for c in range(a, b + 1):
                self.age[c] = float(p[0])
        self.excluded = property_set("DerivedNormalizationProps.txt", "Full_Composition_Exclusion")
        for table in (self.ccc, self.canonical, self.compatible):
            for c in [c for c in table if self.age[c] > 9]:
                del table[c]

    def of_category(self, prefixes, age):
        return {c for c in range(LIMIT)
                if self.category[c].startswith(prefixes) and self.age[c] <= age}

    def decompose(self, c, compatible):
        parts = self.canonical.get(c) or (self.compatible.get(c) if compatible else None)
        if not parts:
            return [c]
        return [d for p in parts for d in self.decompose(p, compatible)]


def load_newer():
    path = os.path.join(HERE, "newer.json")
    if not os.path.exists(path):
        return {"word": [], "lower": {}}
    with open(path) as f:
        return json.load(f)


def sets_of(data, newer):
    sets = {}
    sets["CLEAN"] = (data.of_category(("Cc", "Cf", "Co"), 8) - {9, 10, 13}) | {0, 0xFFFD}
    ascii_punct = {ord(c) for c in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}
    sets["PUNCT"] = data.of_category(("P",), 8) | PUNCT_EXTRA | ascii_punct
    sets["MN8"] = (data.of_category(("Mn",), 8) | MN8_EXTRA) - MN8_LESS
    sets["MARK9"] = (data.of_category(("M",), 9) | M9_EXTRA) - M9_LESS
    sets["WORD"] = (property_set("DerivedCoreProperties.txt", "Alphabetic")
                    | data.of_category(("M", "Nd", "Pc"), 98) | {0x200C, 0x200D}
                    | {c for a, b in newer["word"] for c in range(a, b + 1)})
    sets["SPACE"] = property_set("PropList.txt", "White_Space")
    lower = dict(data.lower)
    lower.update({int(c): v for c, v in newer["lower"].items()})
    lower[0x130] = [0x69, 0x307]
    sets["LOWER"] = set(lower)
    decomposes = {c for c in list(data.canonical) + list(data.compatible)}
    sets["NFX"] = decomposes | set(data.ccc) | set(HANGUL)
    return sets, lower


def as_ranges(values):
    out = []
    for v in sorted(values):
        if out and out[-1][1] == v - 1:
            out[-1][1] = v
        else:
            out.append([v, v])
    return out


def probe(data):
    """Asks the reference about every code point."""
    from tokenizers import normalizers, pre_tokenizers
    cps = [c for c in range(LIMIT) if not 0xD800 <= c < 0xE000]
    lower = {c: normalizers.Lowercase().normalize_str(chr(c)) for c in cps}
    lower = {c: [ord(x) for x in v] for c, v in lower.items() if v != chr(c)}
    white = pre_tokenizers.Whitespace()
    word = {c for c in cps if len(white.pre_tokenize_str("a%sb" % chr(c))) == 1}
    base, base_lower = sets_of(data, {"word": [], "lower": {}})
    assert not base["WORD"] - word and not set(base_lower) - set(lower)
    newer = {"word": as_ranges(word - base["WORD"]),
             "lower": {str(c): v for c, v in sorted(lower.items()) if base_lower.get(c) != v}}
    with open(os.path.join(HERE, "newer.json"), "w") as f:
        json.dump(newer, f, indent=None, separators=(", ", ": "))
        f.write("\n")

    sets, _ = sets_of(data, newer)
    bert = dict(handle_chinese_chars=False, lowercase=False)
    clean = normalizers.BertNormalizer(clean_text=True, strip_accents=False, **bert)
    accents = normalizers.BertNormalizer(clean_text=False, strip_accents=True, **bert)
    strip, punct = normalizers.StripAccents(), pre_tokenizers.Punctuation()
    split = pre_tokenizers.WhitespaceSplit()
    found = {
        "CLEAN": {c for c in cps if clean.normalize_str("a%sb" % chr(c)) == "ab"},
        "MN8": {c for c in cps if accents.normalize_str(chr(c)) == ""},
        "MARK9": {c for c in cps if strip.normalize_str(chr(c)) == ""},
        "PUNCT": {c for c in cps if len(punct.pre_tokenize_str("a%sb" % chr(c))) == 3},
        "SPACE": {c for c in cps if len(split.pre_tokenize_str("a%sb" % chr(c))) == 2},
        "WORD": word,
    }
    # A mark may vanish by way of its decomposition: the rule is about what is left then.
    mine = {c for c in cps if all(d in sets["MN8"] for d in data.decompose(c, False))}
    bad = [(k, sorted(v ^ (mine if k == "MN8" else sets[k]))[:9]) for k, v in found.items()
           if v != (mine if k == "MN8" else sets[k])]
    for form, compatible in (("NFD", False), ("NFKD", True)):
        f = getattr(normalizers, form)()
        wrong = [c for c in cps if c not in HANGUL and
                 f.normalize_str(chr(c)) != "".join(map(chr, data.decompose(c, compatible)))]
        if wrong:
            bad.append((form, wrong[:9]))
    if bad:
        sys.exit("sets differ from the rules: %s" % bad)
    print("all sets agree on %d code points" % len(cps))


def two_level(values, end, shift):
    """Splits values[0:end] into blocks of 1 << shift; returns (stage1, stage2)."""
    index, blocks, stage1 = {}, [], []
    for start in range(0, end, 1 << shift):
        block = tuple(values[start:start + (1 << shift)])
        if block not in index:
            index[block] = len(index)
            blocks.extend(block)
        stage1.append(index[block])
    return stage1, blocks


class Pool:
    """UTF-16 units of all decompositions, with shared parts stored once."""

    def __init__(self):
        self.units = []

    def add_all(self, texts):
        where = {}
        for text in sorted(set(texts), key=lambda t: (-len(t), t)):
            where[text] = self.place(list(text))
        return where

    def place(self, text):
        n = len(text)
        for i in range(len(self.units) - n + 1):
            if self.units[i:i + n] == text:
                return i
        for k in range(min(n - 1, len(self.units)), 0, -1):
            if self.units[-k:] == text[:k]:
                self.units.extend(text[k:])
                return len(self.units) - n
        self.units.extend(text)
        return len(self.units) - n


def utf16(cps):
    raw = "".join(map(chr, cps)).encode("utf-16-le")
    return tuple(raw[i] | raw[i + 1] << 8 for i in range(0, len(raw), 2))


def emit(out, ctype, name, values, extern):
    extern.append("extern const %s %s[%d];" % (ctype, name, len(values)))
    out.append("const %s %s[%d] = {" % (ctype, name, len(values)))
    line = "   "
    for v in values:
        item = " %d," % v
        if len(line) + len(item) > 99:
            out.append(line)
            line = "   "
        line += item
    out.append(line)
    out.append("};\n")
    return len(values) * int("".join(ch for ch in ctype if ch.isdigit())) // 8


def build(data):
    sets, lower = sets_of(data, load_newer())
    out, extern, total = [], [], 0
    head = "/* %s - %s Written by tools/unicode/make_tables.py: do not edit. */\n"
    out.append(head % ("unicode_tables.c", "character data of the reference tokenizer."))
    out.append('#include "tokenizer/unicode_tables.h"\n')

    flags = [0] * LIMIT
    for bit, name in enumerate(FLAGS):
        for c in sets[name]:
            flags[c] |= 1 << bit
    # Planes above: tags and variation selectors of plane 14, and the private planes, where the two
    # noncharacters at the end of each have no flag.
    end, tags = 0x33480, range(0xE0000, 0xE0200)
    assert all(flags[c] == 0 for c in range(end, 0xE0000))
    assert all(flags[c] == 0 for c in range(tags.stop, 0xF0000))
    assert all(flags[c] == (0 if c & 0xFFFE == 0xFFFE else 1) for c in range(0xF0000, LIMIT))
    joined = flags[:end] + flags[tags.start:tags.stop]
    stage1, stage2 = two_level(joined, len(joined), 7)
    assert max(stage1) < 65536
    total += emit(out, "uint16_t" if max(stage1) > 255 else "uint8_t", "qeff_unicode_flag_blocks",
                  stage1, extern)
    total += emit(out, "uint8_t", "qeff_unicode_flags_", stage2, extern)

    deltas = sorted({v[0] - c for c, v in lower.items()} | {0}, key=lambda d: (d != 0, d))
    assert len(deltas) < 256
    lower_end = (max(lower) | 0x7F) + 1
    index = [0] * lower_end
    for c, v in lower.items():
        index[c] = deltas.index(v[0] - c)
    stage1, stage2 = two_level(index, lower_end, 7)
    total += emit(out, "uint8_t", "qeff_unicode_lower_blocks", stage1, extern)
    total += emit(out, "uint8_t", "qeff_unicode_lower_index", stage2, extern)
    total += emit(out, "int32_t", "qeff_unicode_lower_delta", deltas, extern)

    ccc_end = (max(data.ccc) | 0x7F) + 1
    stage1, stage2 = two_level([data.ccc.get(c, 0) for c in range(ccc_end)], ccc_end, 7)
    total += emit(out, "uint8_t", "qeff_unicode_ccc_blocks", stage1, extern)
    total += emit(out, "uint8_t", "qeff_unicode_ccc_", stage2, extern)

    # What NFD and strip_accents of BERT leave of a character that either of them changes: 0 itself,
    # 1 nothing, 2 more than one character or one that canonical ordering moves, else that character.
    touched = (sets["NFX"] | sets["MN8"]) - set(HANGUL)
    strip_end = (max(c for c in touched if c < 0xE0000) | 0x7F) + 1
    assert all(c in sets["MN8"] for c in touched if c >= strip_end)
    strip = [0] * strip_end
    for c in touched:
        if c < strip_end:
            parts = data.decompose(c, False)
            rest = [d for d in parts if d not in sets["MN8"]]
            single = len(rest) == 1 and rest[0] not in data.ccc and (rest[0] < 0x10000 or rest[0] == c)
            assert not single or rest[0] > 2 and parts[0] not in data.ccc
            strip[c] = 1 if not rest else 2 if not single else 0 if rest[0] == c else rest[0]
    stage1, stage2 = two_level(strip, strip_end, 6)
    assert max(stage1) < 256
    total += emit(out, "uint8_t", "qeff_unicode_strip_blocks", stage1, extern)
    total += emit(out, "uint16_t", "qeff_unicode_strip_", stage2, extern)

    # Full decompositions. A code point with a canonical one has a compatibility one of its own
    # only where they differ.
    entries = {}
    for kind, compatible in enumerate((False, True)):
        entries[kind] = {}
        for c in set(data.canonical) | (set(data.compatible) if compatible else set()):
            text = data.decompose(c, compatible)
            if compatible and c in entries[0] and entries[0][c] == utf16(text):
                continue
            entries[kind][c] = utf16(text)
    pool = Pool()
    where = pool.add_all([t for e in entries.values() for t in e.values()])
    assert len(pool.units) < 65536
    for kind, name in enumerate(("canonical", "compatible")):
        keys = sorted(entries[kind])
        assert max(keys) < 0x30000
        # Keys are kept without their plane; bounds[p] is where plane p starts.
        bounds = [sum(1 for k in keys if k >> 16 < p) for p in range(4)]
        base = "qeff_unicode_%s_" % name
        total += emit(out, "uint16_t", base + "bounds", bounds, extern)
        total += emit(out, "uint16_t", base + "keys", [k & 0xFFFF for k in keys], extern)
        total += emit(out, "uint16_t", base + "at", [where[entries[kind][k]] for k in keys], extern)
        total += emit(out, "uint8_t", base + "units", [len(entries[kind][k]) for k in keys],
                      extern)
    total += emit(out, "uint16_t", "qeff_unicode_pool", pool.units, extern)

    pairs = sorted((v[0], v[1], c) for c, v in data.canonical.items()
                   if len(v) == 2 and c not in data.excluded)
    low = [p for p in pairs if max(p) < 0x10000]
    high = [p for p in pairs if max(p) >= 0x10000]
    total += emit(out, "uint16_t", "qeff_unicode_compose_low", [x for p in low for x in p], extern)
    total += emit(out, "uint32_t", "qeff_unicode_compose_high", [x for p in high for x in p],
                  extern)

    header = [head % ("unicode_tables.h", "declares the tables of unicode_tables.c."),
              "#ifndef TOKENIZER_UNICODE_TABLES_H\n#define TOKENIZER_UNICODE_TABLES_H\n",
              "#include <stdint.h>\n"]
    header += ["#define QEFF_UNICODE_FLAGS_END 0x%x" % end,
               "#define QEFF_UNICODE_TAGS_FIRST 0x%x" % tags.start,
               "#define QEFF_UNICODE_TAGS_END 0x%x" % tags.stop,
               "#define QEFF_UNICODE_LOWER_END 0x%x" % lower_end,
               "#define QEFF_UNICODE_CCC_END 0x%x" % ccc_end,
               "#define QEFF_UNICODE_STRIP_END 0x%x" % strip_end,
               "#define QEFF_UNICODE_COMPOSE_LOW_N %d" % len(low),
               "#define QEFF_UNICODE_COMPOSE_HIGH_N %d\n" % len(high)]
    header += extern + ["\n#endif"]
    with open(os.path.join(OUT, "unicode_tables.h"), "w") as f:
        f.write("\n".join(header) + "\n")
    with open(os.path.join(OUT, "unicode_tables.c"), "w") as f:
        f.write("\n".join(out))
    print("%d bytes of tables" % total)


if __name__ == "__main__":
    ucd = Data()
    if "--probe" in sys.argv[1:]:
        probe(ucd)
    build(ucd)
