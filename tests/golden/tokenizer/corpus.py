"""Texts and tokenizers on which libqeff is compared with the reference tokenizer."""
import copy
import json
import random
import unicodedata

WORDS = """the of and to in is that it was for on are with as his they be at one have this from or had by
hot but some what there we can out other were all your when up use word how said an each she which do
their time if will way about many then them would write like so these her long make thing see him two
has look more day could go come did my sound no most number who over know water than call first people
may down side been now find any new work part take get place made live where after back little only
round man year came show every good me give our under name very through just form much great think say
help low line before turn cause same mean differ move right boy old too does tell sentence set three
want air well also play small end put home read hand port large spell add even land here must big high
such follow act why ask men change went light kind off need house picture try us again animal point
mother world near build self earth father unwanted running tokenization embedding transformers""".split()

# The full-width of trouble: spaces, invisible characters, case pairs, marks of many scripts,
# decompositions that reorder, ideographs at the borders of the blocks that BERT lists, and so on.
NASTY = [
    " ", "  ", "\t", "\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\xa0", "\u1680",
    "\u2000", "\u2003", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u180e",
    "\u200b", "\u200c", "\u200d", "\ufeff", "\xad", "\x00", "\x01", "\x7f", "\ufffd", "\u2060",
    "\u0890", "\u08e2", "\u061c", "\u110bd", "\U000110cd", "\U00013430", "\U000e0001",
    "\U000e0041", "\U000e0100", "\u017f", "\u212a", "\u0130", "\u0131", "\xdf", "\u1e9e", "\ufb01",
    "\ufb06", "I\u0307", "\u03a3", "\u03c2", "\u03c3", "\u0370", "\u1fb3", "\u1f88", "\u01c4",
    "\u01c5", "\u1c89", "\ua7cb", "\ua7dc", "\u10a0", "\u13a0", "\u24b6", "\uff21", "\U00010400",
    "\U0001e900", "\u0300", "\u0301", "\u0323", "\u0327", "\u0345", "\u0344", "\u0903", "\u094d",
    "\u0f71", "\u0f72", "\u0f73", "\u0f75", "\u0f81", "\u0338", "\u20dd", "\u302e", "\u302f",
    "\u3099", "\u309a", "\u1734", "\u1885", "\ua9bd", "\U000111c9", "\u1cf2", "\u1df9", "\u0e33",
    "\u0eb3", "\u0e49", "\u0e19\u0e33", "\u0626", "\u0622\u0653", "\ufdfa", "\u05d1\u05bc",
    "\ufb1d", "\u0915\u093c", "\u0958", "\u0b94", "\u0bca", "\u0ddd", "\u1100", "\u1161",
    "\u11a8", "\uac00", "\uac01", "\ud7a3", "\uff76\uff9e", "\u30ac", "\u4e00", "\u9fff", "\u3400",
    "\u4dbf", "\u4dc0", "\U00020000", "\U0002a6df", "\U0002a6e0", "\U0002a700", "\U0002b73f",
    "\U0002b740", "\U0002b81f", "\U0002b820", "\U0002b91f", "\U0002b920", "\U0002ceaf",
    "\U0002ceb0", "\uf900", "\ufaff", "\ufa0e", "\U0002f800", "\U0002fa1f", "\U00030000",
    "\U00031350", "\u3042", "\u30fc", "\u3007", "0", "7", "\u0663", "\u096b", "\u0e55", "\uff19",
    "\U0001d7d8", "\xb2", "\xbd", "\u2167", "\u00e9", "e\u0301", "\u1ec7", "e\u0323\u0302",
    "\u00c5", "\u212b", "\u1e69", "s\u0323\u0307", "s\u0307\u0323", "\U0001f600",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea",
    "3\ufe0f\u20e3", "\u2764\ufe0f", "\u2764\ufe0e", "\ue000", "\U000f0000", "\U0010fffd",
    "\U0010ffff", "\ufdd0", "\u0378", "'", "\u2019", "'s", "'S", "'\u017f", "n't", "-", "--", "_",
    ".", ",", "!", "?", "#", "##", "$", "+", "<", "=", ">", "^", "`", "|", "~", "[", "]", "\u00ab",
    "\u00b7", "\u2026", "\u2014", "\u3002", "\uff0c", "\u166d", "\u16eb", "\u2e52", "\U00011944",
    "a", "A", "b", "Z", "\u0416", "\u0436", "\u0451", "\u0439", "\u0391", "\u03ac", "\u0587",
]

ADDED = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[mask]", "[ MASK ]", "[CL", "S]", "foo",
         "foobar", "FOO", "Foo", "<x>", "<X>", "<xx>", "<w>", "<l>", "<r>", "<lr>", "<s1>", "caf\xe9",
         "cafe\u0301", "CAF\xc9", "hello world", "Hello  World", "\u4e2d\u6587", "a b", "##ing",
         "\u0130x", "<n>", "na\xefve", "\n\n"]


def flags(content, i=0, **given):
    token = dict(id=i, content=content, single_word=False, lstrip=False, rstrip=False,
                 normalized=False, special=False)
    token.update(given)
    return token


def bert_normalizer(**given):
    normalizer = dict(type="BertNormalizer", clean_text=True, handle_chinese_chars=True,
                      strip_accents=None, lowercase=True)
    normalizer.update(given)
    return normalizer


def template(vocab, cls="[CLS]", sep="[SEP]"):
    def special(token, type_id):
        return {"SpecialToken": {"id": token, "type_id": type_id}}

    def sequence(name, type_id):
        return {"Sequence": {"id": name, "type_id": type_id}}

    single = [special(cls, 0), sequence("A", 0), special(sep, 0)]
    return {"type": "TemplateProcessing", "single": single,
            "pair": single + [sequence("B", 1), special(sep, 1)],
            "special_tokens": {t: {"id": t, "ids": [vocab[t]], "tokens": [t]} for t in (cls, sep)}}


def trained_vocab():
    """A small vocabulary, trained here: no published one is in this repository."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False, lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rng = random.Random(1)
    text = [" ".join(rng.choice(WORDS) + rng.choice(["", "", "s", "ing", "ed", "'s", "."])
                     for _ in range(30)) for _ in range(400)]
    letters = [c for c in "".join(NASTY) if not c.isspace()]
    letters += [chr(c) for c in range(0x21, 0x7F)]
    letters += [chr(c) for c in range(0xC0, 0x180)] + [chr(c) for c in range(0x3B1, 0x3CA)]
    letters += [chr(c) for c in range(0x430, 0x460)] + [chr(c) for c in range(0x5D0, 0x5EB)]
    letters += [chr(c) for c in range(0x1100, 0x1113)] + [chr(c) for c in range(0x1161, 0x1176)]
    letters += [chr(c) for c in range(0x11A8, 0x11C3)] + [chr(c) for c in range(0x4E00, 0x4E20)]
    letters = sorted(set(letters + [unicodedata.normalize("NFD", c)[0] for c in letters]))
    text += [" ".join("x" + c + c for c in letters[i:i + 40]) for i in range(0, len(letters), 40)]
    text += ["".join(letters)] * 2
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=1600, special_tokens=special, show_progress=False,
                                        limit_alphabet=2000)
    tokenizer.train_from_iterator(text, trainer)
    vocab = tokenizer.get_vocab()
    tokens = sorted(vocab, key=vocab.get)
    return {t: i for i, t in enumerate(tokens)}


def base(vocab):
    special = [flags(t, vocab[t], special=True) for t in
               ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
            "normalizer": bert_normalizer(), "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": template(vocab),
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": vocab}}


def all_flags(raw):
    """Added tokens that show every flag, in both passes."""
    added = []
    for content, given in [
            ("<x>", {}), ("<xx>", {}), ("<w>", dict(single_word=True)), ("<l>", dict(lstrip=True)),
            ("<r>", dict(rstrip=True)), ("<lr>", dict(lstrip=True, rstrip=True)),
            ("<s1>", dict(special=True, single_word=True, lstrip=True, rstrip=True)),
            ("foo", dict(single_word=True)), ("foobar", dict(single_word=True)),
            ("Foo", dict(normalized=True, single_word=True)), ("Caf\xe9", dict(normalized=True)),
            ("Hello World", dict(normalized=True, lstrip=True)), ("<N>", dict(normalized=True)),
            ("\u4e2d\u6587", dict(normalized=True)), ("\u4e2d\u56fd", {}), ("##ing", {}),
            ("\u0130x", dict(normalized=True, special=True)), ("[MASK]", dict(lstrip=True, special=True)),
            ("a b", dict(rstrip=True)), ("na\xefve", dict(normalized=True, rstrip=True)),
            ("", {})]:
        if content not in [t["content"] for t in raw["added_tokens"]] or content == "[MASK]":
            added.append(flags(content, 7000 + len(added), **given))
    raw["added_tokens"] += added
    return raw


def variants(raw, vocab):
    """Name -> tokenizer.json, made from one WordPiece tokenizer."""
    def change(**given):
        out = copy.deepcopy(raw)
        out.update(given)
        return out

    def model(**given):
        return dict(raw["model"], **given)

    sep, cls = ["[SEP]", vocab["[SEP]"]], ["[CLS]", vocab["[CLS]"]]
    multi = template(vocab)
    multi["special_tokens"]["[CLS]"].update(
        ids=[vocab["[CLS]"], vocab["[MASK]"], vocab["[CLS]"]], tokens=["[CLS]", "[MASK]", "[CLS]"])
    multi["pair"][3]["Sequence"]["type_id"] = 3

    def sequence(*steps):
        return {"type": "Sequence", "normalizers": list(steps)}

    def pre_sequence(*steps):
        return {"type": "Sequence", "pretokenizers": list(steps)}

    white = {"type": "WhitespaceSplit"}
    out = {
        "uncased": change(),
        "cased": change(normalizer=bert_normalizer(lowercase=False)),
        "accents": change(normalizer=bert_normalizer(strip_accents=False)),
        "stripped": change(normalizer=bert_normalizer(strip_accents=True, lowercase=False)),
        "unclean": change(normalizer=bert_normalizer(clean_text=False, handle_chinese_chars=False)),
        "flags": all_flags(change()),
        "flags_cased": all_flags(change(normalizer=bert_normalizer(lowercase=False))),
        "flags_none": all_flags(change(normalizer=None, pre_tokenizer=white)),
        "bert": change(post_processor={"type": "BertProcessing", "sep": sep, "cls": cls}),
        "roberta": all_flags(change(post_processor={
            "type": "RobertaProcessing", "sep": sep, "cls": cls, "trim_offsets": True,
            "add_prefix_space": True})),
        "roberta_plain": all_flags(change(post_processor={
            "type": "RobertaProcessing", "sep": sep, "cls": cls, "trim_offsets": True,
            "add_prefix_space": False}, decoder=None)),
        "multi": change(post_processor=multi,
                        decoder={"type": "WordPiece", "prefix": "##", "cleanup": False}),
        "no_processor": change(post_processor=None, decoder=None),
        "short_words": change(model=model(max_input_chars_per_word=5)),
        "no_prefix": change(model=model(continuing_subword_prefix="")),
        "word_level": change(model={"type": "WordLevel", "unk_token": "[UNK]", "vocab": vocab}),
        "no_pre_tokenizer": change(pre_tokenizer=None),
        "file_settings": change(
            truncation={"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 0},
            padding={"strategy": {"Fixed": 12}, "direction": "Left", "pad_to_multiple_of": 5,
                     "pad_id": 0, "pad_type_id": 2, "pad_token": "[PAD]"}),
    }
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        out[form.lower()] = change(normalizer={"type": form}, pre_tokenizer={"type": "Whitespace"})
    out["lowercase"] = change(normalizer={"type": "Lowercase"}, pre_tokenizer={"type": "Whitespace"})
    out["chain"] = all_flags(change(
        normalizer=sequence({"type": "NFKD"}, sequence({"type": "StripAccents"}),
                            {"type": "Lowercase"}, {"type": "Strip", "strip_left": True,
                                                    "strip_right": True}),
        pre_tokenizer=pre_sequence(white, {"type": "Punctuation"})))
    out["chain2"] = change(
        normalizer=sequence({"type": "Replace", "pattern": {"String": "ab"}, "content": "\u2581x"},
                            {"type": "Replace", "pattern": {"String": "a a"}, "content": ""},
                            {"type": "NFC"}, {"type": "Prepend", "prepend": "\u2581a"},
                            bert_normalizer(lowercase=False, strip_accents=True)),
        pre_tokenizer=pre_sequence(white, {"type": "CharDelimiterSplit", "delimiter": "\u2581"}))
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        out["punct_" + behavior.lower()] = change(pre_tokenizer=pre_sequence(
            white, {"type": "Punctuation", "behavior": behavior}))
    return out


def assigned():
    """Every code point that any of the character tables could treat in a way of its own."""
    for c in range(0x110000):
        if 0xD800 <= c < 0xE000:
            continue
        if c < 0x323B0 or 0xE0000 <= c < 0xE0200 or c % 997 == 0 or c & 0xFFFE == 0xFFFE:
            yield chr(c)


def code_points():
    for c in assigned():
        yield c
        yield "a" + c + "b"


def blocks():
    row = list(assigned())
    for i in range(0, len(row), 64):
        yield " ".join("".join(row[k:k + 8]) for k in range(i, min(i + 64, len(row)), 8))


def mixes(n, seed=7):
    rng = random.Random(seed)
    for _ in range(n):
        kind = rng.random()
        size = rng.choice([1, 2, 3, 5, 8, 13, 30])
        if kind < 0.5:
            yield "".join(rng.choice(NASTY) for _ in range(size))
        elif kind < 0.7:
            pool = WORDS + NASTY
            yield rng.choice(["", " "]).join(rng.choice(pool) for _ in range(size))
        elif kind < 0.9:
            pool = ADDED + [" ", " ", "x", "\u3000", "_", ".", "\u0301"] + NASTY[:40]
            yield "".join(rng.choice(pool) for _ in range(size))
        else:
            yield "".join(chr(rng.choice([rng.randrange(0x20, 0x500), rng.randrange(0x500, 0xD800),
                                          rng.randrange(0xE000, 0x30000)])) for _ in range(size))


def fixed():
    yield from ["", " ", "  ", "\n", "\t \r\n"]
    yield from ADDED
    yield from NASTY
    for c in "aZ1.\u00e9\u4e00\u0301\u3042\U0001f600 ":
        for n in (2, 5, 50, 99, 100, 101, 150, 200):
            yield c * n
            yield "x" + c * n + " y"
    for sep in ("\r\n", "\n\r", "\r", "\n\n", " \n "):
        yield sep.join(WORDS[:9])
    for w in ("don't", "do not", "I'm", "they've", "we're", "it's", "can n't", "a , b . c ! d ?",
              "Unwanted, running", "\u4e2d\u6587 and Caf\xe9s", "[CLS] a [SEP]", "[CLS][SEP]"):
        yield w
        yield w.upper()
        yield w.title()
    base_marks = ["\u0301", "\u0323", "\u0327", "\u0345", "\u05b0", "\u0f71", "\u302a", "\u3099"]
    for a in ("e", "\u00e9", "\u4e00", "\uac00", "\u1100", ".", " "):
        for m in base_marks:
            for k in base_marks:
                yield a + m + k + "x" + k + m
    yield " ".join(WORDS)
    yield "".join(WORDS)


def dumps(raw):
    return json.dumps(raw, ensure_ascii=False, separators=(",", ":"))
