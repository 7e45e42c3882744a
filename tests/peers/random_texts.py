"""Texts and Param settings made up at random, the same ones in every run.

They are meant to hurt: what the sentence and token rules look for stands in all kinds of company.
"""

import random
from collections.abc import Callable
from typing import Any

_WORDS = (
    "the a of and to in is was said on he she it I for with at by from they we You who will not may no more "
    "market report company river Paris London Smith January Monday people government 'tis o'clock self-made "
    "naïve café Straße Ærø ΑΒΓ λόγος слово Москва 東京 日本語 한국어 العربية שלום ﬁne ＦＵＬＬ İstanbul ǅ ß "
    "don't can't it's I'd they're rock'n'roll e-mail co-op x y Z A B C iPhone U2 R2-D2 NASA ok OK yes"
).split()
_ABBREVIATIONS = (
    "Mr. Mrs. Ms. Dr. Prof. St. Mt. Jr. Sr. Co. Corp. Inc. Ltd. Bros. dept. etc. e.g. i.e. vs. No. no. p. "
    "px. a.m. p.m. A.M. P.M. U.S. U.S.A. U.K. u.s. Jan. Feb. Sept. Dec. col. Adj. approx. hr. min. Rep. Gov. "
    "B.C. Ph.D. D.C. J. K. R. J.K. Co.KG exp. ver. plz. btw. id. w.r.t. Mr Mrs Sen."
).split()
_NUMBERS = (
    "1 12 1996 3.14 .5 1,000 $17,000 €5.50 50% 10.30 12:45 1996-08-21 21.8.1996 +49-30 #1 No.5 1st 2nd 3/4 "
    "½ ² ٣ १२ 1. 2. 10. 4) (5) 6] -7 1.2.3 192.168.0.1 v1.0 5p. 10th 100,5 1e-3 20°C 0x1F"
).split()
_LISTS = ("a)", "(b)", "c.", "1)", "(2)", "3.", "i)", "ii.", "(iv)", "•", "⁃", "-", "*", "A.", "1.)", "a).")
_MARKS = (
    ". . . . . . . . , , , ; : ! ? ?! !! ... .... .. … .) .\" .' ?\" !' !) \" ' ` `` '' « » “ ” ‘ ’ ( ) [ ] "
    "{ } < > - -- – — / \\ | @ # & * + = ~ ^ _ % $ € £ ° § ¶ © ® ™ 。 ！ ？ 、 ¿ ¡ ؟ .[1] .2 .,"
).split()
_RARE = (
    "🙂",
    "👍🏽",
    "👨‍👩‍👧",
    "🇩🇪",
    "𝒜",
    "e\u0301",
    "a\u200bb",
    "\ufeff",
    "\u00ad",
    "\u200d",
    "x\u00b7y",
    "\U00010400",
    "ﷺ",
    "\u0000",
    "\x7f",
    "\x85",
)
_LINKS = (
    "http://example.com/a?b=c.d",
    "www.x.org.",
    "a.b@c-d.com,",
    "@user",
    "#tag",
    "C:\\dir\\f.txt",
    "file.txt",
    "and/or",
    "Node.js",
    ".NET",
    "C++",
    "Yahoo!",
    "Jeopardy!",
    "N°. 1026.253.553",
    ":)",
    ";-)",
    "<b>",
    "&amp;",
)
_SPACES = " " * 60 + "  \n\n\r\t\u00a0\u2009\u2028\u3000\x0b\x0c\x1c\u200b"
_QUOTES = (
    ('"', '"'),
    ("'", "'"),
    ("(", ")"),
    ("[", "]"),
    ("“", "”"),
    ("«", "»"),
    ("``", "''"),
    ("{", "}"),
    ("--", "--"),
)
_ALPHABET = "aAbzZ019 .. ,;:!?-'\"()[]\n\t#$%&*/@_é日🙂\u00a0\u2028"

Choice = random.Random


def texts(count: int, seed: int) -> list[str]:
    """Sentence-like texts, with some of mere characters among them."""
    chance = random.Random(seed)
    return [_fuzz(chance) if chance.random() < 0.15 else _text(chance) for _ in range(count)]


def prose(count: int, seed: int) -> list[str]:
    """Texts of plain sentences: words, a mark here and there, an abbreviation, a number."""
    chance = random.Random(seed)
    return [" ".join(_sentence(chance) for _ in range(chance.randint(1, 5))) for _ in range(count)]


def sentence_settings(count: int, seed: int) -> list[dict[str, Any]]:
    """Params of SentenceDetector by name."""
    bounds = ["\n", ";", "--", r"\.", "[!?]+", " and ", r"\s-\s", "…", ":", r"\|", "\u2028", ","]
    values: dict[str, Callable[[Choice], Any]] = {
        "useAbbreviations": lambda chance: chance.random() < 0.5,
        "detectLists": lambda chance: chance.random() < 0.5,
        "useCustomBoundsOnly": lambda chance: chance.random() < 0.5,
        "customBounds": lambda chance: chance.sample(bounds, chance.randint(1, 3)),
        "customBoundsStrategy": lambda chance: chance.choice(["none", "prepend", "append"]),
        "explodeSentences": lambda chance: chance.random() < 0.5,
        "splitLength": lambda chance: chance.choice([1, 5, 20, 60]),
        "minLength": lambda chance: chance.choice([1, 2, 5, 15]),
        "maxLength": lambda chance: chance.choice([15, 40, 100]),
    }
    return _settings(values, count, seed)


def token_settings(count: int, seed: int) -> list[dict[str, Any]]:
    """Params of Tokenizer by name."""
    exceptions = [
        "New York",
        "e-mail",
        "U.S.",
        "Mr.",
        "a.m.",
        "don't",
        "the market",
        "C++",
        "3.14",
        r"\.\.\.",  # plain dots would match a $, and theirs fails on that: a known difference
        "J. K.",
        "is",
    ]
    values: dict[str, Callable[[Choice], Any]] = {
        "targetPattern": lambda chance: chance.choice([r"\S+", r"\w+", r"[^\s,]+", r"\p{L}+|\d+", "[a-z]+"]),
        "prefixPattern": lambda chance: chance.choice([r"\A([^\s\w\$\.]*)", r"\A([\"'(\[]*)", r"\A(#?)(@?)"]),
        "suffixPattern": lambda chance: chance.choice(
            [r"([^\s\w]?)([^\s\w]*)\z", r"([.,!?]*)\z", r"([)\"']*)([.]?)\z"]
        ),
        "infixPatterns": lambda chance: chance.sample(
            [
                r"(\p{L}+)(n't\b)",
                r"(\w+)(-)(\w+)",
                r"([^\W\d]+)('s|'d|'re)",
                r"((?:\p{L}\.)+)",
                r"(\d+)(%)",
                r"([\$€])(\d.*)",
            ],
            chance.randint(1, 3),
        ),
        "contextChars": lambda chance: chance.sample(".,;:!?*-()\"'#@$%/[]", chance.randint(1, 8)),
        "exceptions": lambda chance: chance.sample(exceptions, chance.randint(1, 5)),
        "caseSensitiveExceptions": lambda chance: chance.random() < 0.5,
        "splitPattern": lambda chance: chance.choice(["[-/']", "-", r"\d+", "(?=[A-Z])", "[aeiou]"]),
        "splitChars": lambda chance: chance.sample("-/'.a_,", chance.randint(1, 3)),
        "minLength": lambda chance: chance.choice([1, 2, 3]),
        "maxLength": lambda chance: chance.choice([3, 6, 12]),
    }
    return _settings(values, count, seed)


def _settings(values: dict[str, Callable[[Choice], Any]], count: int, seed: int) -> list[dict[str, Any]]:
    """Each Param alone at first, then some of them together."""
    chance = random.Random(seed)
    alone = [{name: draw(chance)} for name, draw in values.items()]
    together = [
        {name: values[name](chance) for name in chance.sample(sorted(values), chance.randint(2, 4))}
        for _ in range(count - len(alone))
    ]
    return (alone + together)[:count]


def _text(chance: Choice) -> str:
    pieces = []
    for _ in range(chance.choice([1, 3, 8, 20, 40])):
        pieces.append(_piece(chance))
        pieces.append("" if chance.random() < 0.12 else chance.choice(_SPACES))
    return "".join(pieces)


def _piece(chance: Choice) -> str:
    kind = chance.random()
    if kind < 0.5:
        word = chance.choice(_WORDS)
        word = word.capitalize() if chance.random() < 0.25 else word
        return word + (chance.choice(_MARKS) if chance.random() < 0.3 else "")
    if kind < 0.9:
        return chance.choice(chance.choice([_ABBREVIATIONS, _ABBREVIATIONS, _NUMBERS, _LISTS, _MARKS, _RARE, _LINKS]))
    opening, closing = chance.choice(_QUOTES)
    inner = " ".join(_piece(chance) for _ in range(chance.randint(1, 3)))
    return opening + inner + chance.choice(["", ".", "!", "?", ","]) + closing


def _fuzz(chance: Choice) -> str:
    return "".join(chance.choice(_ALPHABET) for _ in range(chance.choice([1, 5, 20, 80])))


def _sentence(chance: Choice) -> str:
    words = [_prose_word(chance) for _ in range(chance.randint(3, 18))]
    ending = chance.choice([".", ".", ".", ".", "?", "!", "...", '."', ".)"])
    return (
        " ".join(words).capitalize() if chance.random() < 0.2 else words[0].capitalize() + " " + " ".join(words[1:])
    ) + ending


def _prose_word(chance: Choice) -> str:
    kind = chance.random()
    if kind < 0.05:
        return chance.choice(_ABBREVIATIONS)
    if kind < 0.1:
        return chance.choice(_NUMBERS)
    return chance.choice(_WORDS) + (chance.choice([",", ";", ":", " -", "'s"]) if kind > 0.88 else "")
