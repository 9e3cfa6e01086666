"""Texts to measure with, made from what pip and Python bring along: English from the docstrings of Python's standard library
and its manual in pydoc_data, other languages from the translations inside the package Django. The same versions give the
same texts; texts.py FOLDER [MODEL] writes them into files, one a line, for bench_tokenizer, and prints their digests, sizes
and, for a model folder, their lengths in tokens."""
import ast
import gettext
import hashlib
import random
import re
import statistics
import sys
import sysconfig
from pathlib import Path

SEED = 20
# Of a text's words, the shares of each length that sentences in the wild have: mostly short, with a long tail.
MEDIAN_WORDS, SPREAD, MOST_WORDS = 16, 0.62, 80
OTHER_LANGUAGES = 0.15  # of the sentences


def docstrings(path):
    """The docstrings of a module, in the order of its source."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text:
                yield text


def english():
    """Lines of English text as it stands in the sources, without doubles."""
    library = Path(sysconfig.get_paths()["stdlib"])
    found = []
    for path in sorted(library.rglob("*.py")):
        if not {"site-packages", "dist-packages", "test", "tests", "pydoc_data"} & set(path.relative_to(library).parts):
            found += list(docstrings(path))
    from pydoc_data.topics import topics
    found += [topics[name] for name in sorted(topics)]
    lines = (line.strip() for text in found for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if len(line) > 1))


def multilingual():
    """Lines in about 90 languages, one language after another, without doubles."""
    import django
    found = []
    for path in sorted(Path(django.__file__).parent.rglob("locale/*/LC_MESSAGES/*.mo")):
        if not path.parts[-3].startswith("en"):
            with path.open("rb") as file:
                messages = gettext.GNUTranslations(file)._catalog
            found += [line.strip() for key, text in messages.items() if key and text != key for line in text.splitlines()]
    return list(dict.fromkeys(line for line in found if len(line) > 1))


def prose(lines):
    """The words of lines that read as sentences: code, tables and rulers are left out."""
    return [word for line in lines if re.fullmatch(r"[A-Z]?[\w ,.;:'\"()-]{30,}", line) for word in line.split()]


def sentences(n=10000):
    """Texts of 5 to 128 tokens with a median near 25: pieces of English prose of drawn lengths, and among them, at drawn places,
    messages in other languages of at least 20 characters."""
    rng = random.Random(SEED)
    words, others = prose(english()), [line for line in multilingual() if 20 <= len(line) <= 120]
    found, at = [], 0
    while len(found) < n:
        if rng.random() < OTHER_LANGUAGES:
            found.append(rng.choice(others))
            continue
        size = round(min(max(rng.lognormvariate(0, SPREAD) * MEDIAN_WORDS, 4), MOST_WORDS))
        found.append(" ".join(words[(at + i) % len(words)] for i in range(size)))
        at += size
    return found


def digest(lines):
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in (("english", english()), ("multilingual", multilingual()), ("sentences", sentences())):
        (folder / f"{name}.txt").write_text("".join(line + "\n" for line in lines))
        print(f"{name}: {len(lines)} lines, {sum(len(line.encode()) for line in lines) / 1e6:.2f} MB, sha256 {digest(lines)}")
        if len(sys.argv) > 2:
            from tokenizers import Tokenizer
            tokenizer = Tokenizer.from_file(sys.argv[2] + "/tokenizer.json")
            tokenizer.no_truncation()
            tokenizer.no_padding()
            lengths = sorted(len(e.ids) for e in tokenizer.encode_batch(lines))
            print(f"  tokens: median {statistics.median(lengths)}, mean {statistics.mean(lengths):.1f}, {lengths[0]} to {lengths[-1]}, "
                  f"{sum(n > 128 for n in lengths)} over 128")


if __name__ == "__main__":
    main()
