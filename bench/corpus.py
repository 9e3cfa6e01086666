#!/usr/bin/env python3
"""Writes two corpora of about 2 MB, one text a line, for timing tokenizers: corpus.py FOLDER [--bytes N].

    english.txt       docstrings and comments of Python's standard library, a paragraph a line. Real English with the
                      names and signs of technical text. It depends on the version of Python, so compare within one run.
    multilingual.txt  26 languages in turn, 14 scripts. The seed of each is article 1 of the Universal Declaration of
                      Human Rights; of the words of a line two thirds come from it, the rest are made letter by letter
                      from its letter triples, so that words repeat about as often as in real text. Chinese, Japanese
                      and Thai lines have no spaces, and of their characters some are from all over the script. The
                      letters are as in real text, the sentences mean nothing. The same bytes on every machine.

Needs nothing but Python 3.8 or later."""
import argparse
import ast
import glob
import itertools
import os
import random
import warnings
from pathlib import Path

ARTICLE_1 = {
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de conscience et doivent agir les uns envers les autres dans un esprit de fraternité.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono dotati di ragione e di coscienza e devono agire gli uni verso gli altri in spirito di fratellanza.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos. Dotados de razão e de consciência, devem agir uns para com os outros em espírito de fraternidade.",
    "nl": "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd met verstand en geweten, en behoren zich jegens elkander in een geest van broederschap te gedragen.",
    "pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni rozumem i sumieniem i powinni postępować wobec innych w duchu braterstwa.",
    "cs": "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv. Jsou nadáni rozumem a svědomím a mají spolu jednat v duchu bratrství.",
    "sv": "Alla människor är födda fria och lika i värde och rättigheter. De har utrustats med förnuft och samvete och bör handla gentemot varandra i en anda av gemenskap.",
    "fi": "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan. Heille on annettu järki ja omatunto, ja heidän on toimittava toisiaan kohtaan veljeyden hengessä.",
    "hu": "Minden emberi lény szabadon születik és egyenlő méltósága és joga van. Az emberek, ésszel és lelkiismerettel bírván, egymással szemben testvéri szellemben kell hogy viseltessenek.",
    "tr": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler ve birbirlerine karşı kardeşlik zihniyeti ile hareket etmelidirler.",
    "vi": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi. Mọi con người đều được tạo hóa ban cho lý trí và lương tâm và cần phải đối xử với nhau trong tình bằng hữu.",
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. Είναι προικισμένοι με λογική και συνείδηση, και οφείλουν να συμπεριφέρονται μεταξύ τους με πνεύμα αδελφοσύνης.",
    "ru": "Все люди рождаются свободными и равными в своём достоинстве и правах. Они наделены разумом и совестью и должны поступать в отношении друг друга в духе братства.",
    "uk": "Всі люди народжуються вільними і рівними у своїй гідності та правах. Вони наділені розумом і совістю і повинні діяти у відношенні один до одного в дусі братерства.",
    "hy": "Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ ու իրավունքներով։ Նրանք ունեն բանականություն ու խիղճ և միմյանց պետք է եղբայրաբար վերաբերվեն։",
    "ka": "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით. მათ მინიჭებული აქვთ გონება და სინდისი და ერთმანეთის მიმართ უნდა იქცეოდნენ ძმობის სულისკვეთებით.",
    "he": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון, לפיכך חובה עליהם לנהוג איש ברעהו ברוח של אחווה.",
    "ar": "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق. وقد وهبوا عقلاً وضميراً وعليهم أن يعامل بعضهم بعضاً بروح الإخاء.",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। उन्हें बुद्धि और अन्तरात्मा की देन प्राप्त है और परस्पर उन्हें भाईचारे के भाव से बर्ताव करना चाहिए।",
    "ta": "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும், உரிமைகளிலும் சமமானவர்கள், அவர்கள் நியாயத்தையும் மனச்சாட்சியையும் இயற்பண்பாகப் பெற்றவர்கள்.",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았으며 서로 형제애의 정신으로 행동하여야 한다.",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิต่างมีเหตุผลและมโนธรรมและควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ",
    "zh": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
}
# Languages that write no spaces, and ranges of characters that the article is too short to show.
UNSPACED = {"th": (0xE01, 0xE2E), "zh": (0x4E00, 0x9FA5), "ja": (0x3041, 0x30F6)}
FOREIGN = ["Linux", "GPT", "2026", "3,14", "Zürich", "São", "100", "km", "Unicode", "(a)", "№", "5.", "café", "“x”", "—", "C11"]


def paragraphs(path):
    """Docstrings and comments of a source, a paragraph each, without what is only code."""
    with open(path, encoding="utf-8", errors="replace") as f:
        source = f.read()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        text = ast.get_docstring(node) if isinstance(node, kinds) else None
        for paragraph in (text or "").split("\n\n"):
            yield " ".join(paragraph.split())
    comment = []
    for line in source.split("\n") + [""]:
        line = line.strip()
        if line.startswith("#"):
            comment.append(line.lstrip("# "))
        elif comment:
            yield " ".join(" ".join(comment).split())
            comment = []


def english(n_bytes):
    root = os.path.dirname(os.__file__)
    lines = []
    for path in sorted(glob.glob(os.path.join(root, "**", "*.py"), recursive=True)):
        if os.path.relpath(path, root).split(os.sep)[0] in ("test", "site-packages", "dist-packages"):
            continue
        for line in paragraphs(path):
            if len(line) >= 40 and not line.startswith(">>>"):
                lines.append(line)
    random.Random(1).shuffle(lines)
    out, size = [], 0
    for line in itertools.cycle(lines):
        if size >= n_bytes:
            break
        out.append(line)
        size += len(line.encode()) + 1
    return out


class Language:
    """Words, or characters, as one article has them."""

    def __init__(self, name, rng):
        text = ARTICLE_1[name]
        self.rng, self.range = rng, UNSPACED.get(name)
        self.words = [w.strip(".,;。。，、") for w in text.split()]
        self.characters = text.replace(" ", "")
        self.marks = [c for c in text if c in ".,;，。、；。।։"] or ["."]
        self.follow = {}
        for word in self.words:
            padded = "\0\0" + word + "\0"
            for i in range(len(word) + 1):
                self.follow.setdefault(padded[i:i + 2], []).append(padded[i + 2])

    def made_word(self):
        state, word = "\0\0", ""
        while len(word) < 24:
            c = self.rng.choice(self.follow[state])
            if c == "\0":
                break
            word += c
            state = state[1] + c
        return word

    def word(self):
        kind = self.rng.random()
        if kind < 0.03:
            return self.rng.choice(FOREIGN)
        word = self.made_word() if kind < 0.35 else self.rng.choice(self.words)
        return word[:1].upper() + word[1:] if self.rng.random() < 0.08 else word

    def line(self):
        n = self.rng.randrange(8, 40)
        if not self.range:
            words = [self.word() + (self.rng.choice(self.marks) if self.rng.random() < 0.12 else "") for _ in range(n)]
            return " ".join(words) + self.marks[-1]
        out = ""
        for _ in range(3 * n):
            kind = self.rng.random()
            if kind < 0.01:
                out += self.rng.choice(FOREIGN)
            elif kind < 0.3:
                out += chr(self.rng.randrange(*self.range))
            else:
                at = self.rng.randrange(len(self.characters))
                out += self.characters[at:at + self.rng.randrange(1, 5)]
        return out


def multilingual(n_bytes):
    rng = random.Random(2)
    languages = [Language(name, rng) for name in ARTICLE_1]
    out, size = [], 0
    while size < n_bytes:
        line = languages[len(out) % len(languages)].line()
        out.append(line)
        size += len(line.encode()) + 1
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bytes", type=int, default=2_000_000, help="of each file (%(default)s)")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for name, make in (("english", english), ("multilingual", multilingual)):
        lines = make(args.bytes)
        path = args.folder / (name + ".txt")
        path.write_bytes("".join(line + "\n" for line in lines).encode())
        print("%s: %d lines, %d bytes" % (path, len(lines), path.stat().st_size))


if __name__ == "__main__":
    main()
