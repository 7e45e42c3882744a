r"""Java regular expressions and texts to try them on: patterns written by hand, and patterns made up at random.

The random ones leave out what is not supported (``\G``, ``\b{g}``, some flags) and what nobody writes: repeated
look-arounds, and groups inside negative ones.
"""

import random

SEED = 17
NUM_RANDOM = 400
TEXTS_PER_PATTERN = 3

# Each with a text in which something matches or nearly does.
BY_HAND = [
    (r".+", "a\u2028b\x85c\rd"),
    (r"(?s).+", "a\nb"),
    (r"\S+", "a\u00a0b c"),
    (r"\w+", "été_1"),
    (r"\b\w", "ée a"),
    (r"\b", "a½b ²c e\u0301f \u0301g _x١"),
    (r"\B", "a½b ²c e\u0301f \u0301g _x١"),
    (r"a$", "a a\r\n"),
    (r"$", "a\r\n"),
    (r"a\z", "a\n"),
    (r"a\Z", "a\n"),
    (r"(?m)^.", "ab\rcd\r\nef\n"),
    (r"(?m).$", "ab\rcd\r\nef\n"),
    (r"(?m)$", "a\r\nb\n\nc"),
    (r"\p{L}+", "été 中文 a1"),
    (r"\P{L}+", "a, b"),
    (r"\pL\pN", "é٣ aa"),
    (r"\p{IsLu}\p{Ll}", "Éa ab"),
    (r"\p{Punct}+", "a.-~b¡"),
    (r"[^\p{Alnum}]+", "aé b"),
    (r"[a-c[x-z]]+", "abmyz"),
    (r"[^a-c[x-z]]+", "abmyz"),
    (r"[a-z&&[^bc]]+", "abcd"),
    (r"[^a-z&&[def]]+", "adz"),
    (r"[]a]+", "a]b"),
    (r"[a-]+", "a-b"),
    (r"[a-z-0-7]+", "ab-079"),
    (r"[\Qa-\E]+", "a-bQ"),
    (r"[a||b~~&c]+", "a|b~&c-d"),
    (r"\Qa.b\E+", "a.bb aab"),
    (r"a(?i)b|c", "aB C c"),
    (r"(?i:a)b", "Ab AB"),
    (r"(?i)é|k|[à-þ]|[j-l]", "É K k é \u212a Þ þ L"),
    (r"(?iu)é|k|[à-þ]|σ", "É K k é \u212a Þ þ ς Σ"),
    (r"(?i)\p{Lu}|\p{Lower}", "aA éÉ 1"),
    (r"\x41\x{1f642}\u0042\0103", "A🙂BC"),
    (r"\h+\v", "a \u00a0\u2028"),
    (r"[\h\v]+", "a \u00a0\u2028\x0b\x0c"),
    (r"\R", "\r\n\x85"),
    (r"\X", "e\u0301a👍🏽"),
    (r"(?<n>a)\k<n>", "aa"),
    (r"(a)(b)?\1", "aa aba"),
    (r"(a)\11", "aa1 a"),
    (r"\,|\-", "a-b,"),
    (r"(?<=\s|^)a", "a ba a"),
    (r"(?<=\d{1,3})\.(?=\S)", "1.x 12.y .z 123."),
    (r"(?<!\s|^)a", "a ba a"),
    (r"(?iu)p\.m\.*", "P.M. p.m"),
    (r"\p{IsAlphabetic}+", "aé中\u0345ⓐ1"),
    (r"\p{javaLowerCase}+", "aªé1A"),
    (r"\p{javaUpperCase}|\p{javaTitleCase}", "Aǅa"),
    (r"\p{javaWhitespace}+|\p{javaSpaceChar}", "a \u00a0\x1c\u2007\u3000"),
    (r"\p{IsLatin}+|\p{InGreek}|\p{script=Han}", "aé αβ 中"),
    (r"\p{IsWhite_Space}|\p{IsPunctuation}|\p{IsDigit}", "a\u00a0.١$"),
    (r"\p{L1}+|\p{LC}", "aß中Āⅷ"),
    (r"a{2}|b{1,}|c{0,2}+", "aabbbcc"),
    (r"a++b|(?>c+)d|e*?f", "aab ccd eef"),
    (r"(?=b)|b", "ab"),
    # Rules of Spark NLP itself, which people copy into customBounds.
    (r"(?<=\s|^)'[\w\s?!\.,|'\w]+'(?:\W)", "'Go. Now.' he 'said', it's 'so'."),
    (r"\s\d{1,2}\.\s|^\d{1,2}\.\s|\s\d{1,2}\.\)|^\d{1,2}\.\)", "1. a 2. b 3.) c"),
    (r"(?<=\S)[!\?]+(?=\s|\z|\$)", "Really?! Yes! No ! ?$"),
    (r"\b[a-zA-Z](?:\.[a-zA-Z])+(?:\.(?!\s[A-Z]))*", "The U.S.A. is. U.S. And e.g. e\u0301.a.b."),
    (r"(?<=\s[A-Z])\.(?=\s)|(?<=^[A-Z])\.(?=\s)", "J. R. Smith A. b"),
    (r"\.\.\.(?=\s+[A-Z])|(?<=\S)\.{3}(?=\.\s[A-Z])", "Well... Then.... And...so"),
]

_LITERALS = [
    *"abcAB12 _,;'\"é",
    "É",
    "ß",
    "k",
    "σ",
    "Σ",
    "\u0301",
    "½",
    "٣",
    "🙂",
    "\u2028",
    "\n",
    "\r",
    "\t",
    "ǅ",
    "中",
]
_SETS = [
    *(r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", r"\h", r"\v", r"\H", r"\p{L}", r"\P{L}", r"\p{Lu}", r"\p{Ll}", r"\pN"),
    *(r"\p{Punct}", r"\p{Alpha}", r"\p{Upper}", r"\p{Lower}", r"\p{Alnum}", r"\p{IsAlphabetic}", r"\p{IsUppercase}"),
    *(r"\p{IsPunctuation}", r"\p{javaLowerCase}", r"\p{javaLetterOrDigit}", r"\p{IsLatin}", r"\p{InGreek}", r"\p{M}"),
    *(r"\P{Alpha}", r"\p{S}", r"\p{Z}", r"\p{gc=Lu}", r"\p{Graph}", r"\p{Blank}", r"\p{LC}"),
]
_ESCAPES = [r"\.", r"\(", r"\x41", r"\u0061", r"\x{1f642}", r"\Qa.\E", r"\e", r"\0101", r"\-", r"\/", r"\R", "."]
_PLACES = ["^", "$", r"\b", r"\B", r"\A", r"\z", r"\Z"]
_REPETITIONS = [*[""] * 6, "*", "+", "?", "{2}", "{1,2}", "{0,3}", "*?", "+?", "??", "*+", "++"]
_BOUNDED = [*[""] * 4, "?", "{2}", "{1,2}", "{0,3}"]
_FLAGS = ["(?i)", "(?iu)", "(?s)", "(?m)", "(?-i)"]
_RANGES = ["a-c", "A-C", "0-2", "a-z", "α-ω", "à-þ", " -/", "-", "|", "~~", "(", "$", "^"]


def patterns_and_texts() -> list[tuple[str, list[str]]]:
    """Return each pattern with its texts; the same in every run."""
    chance = random.Random(SEED)  # noqa: S311
    made = [(_alternatives(chance, 0), [_text(chance) for _ in range(TEXTS_PER_PATTERN)]) for _ in range(NUM_RANDOM)]
    return [*((pattern, [text]) for pattern, text in BY_HAND), *made]


def _alternatives(chance: random.Random, depth: int) -> str:
    return "|".join(_sequence(chance, depth) for _ in range(chance.choice([1, 1, 2, 2, 3])))


def _sequence(chance: random.Random, depth: int) -> str:
    return "".join(_part(chance, depth) for _ in range(chance.randint(1, 2 if depth else 4)))


def _part(chance: random.Random, depth: int) -> str:
    kind = chance.random()
    if kind < 0.12:
        return chance.choice(_PLACES)
    if kind < 0.17:
        return chance.choice(_FLAGS)
    if kind < 0.3 and depth < 2:
        return f"{chance.choice(['(?=', '(?!'])}{_alternatives(chance, 2)})"
    if kind < 0.4 and depth < 2:
        behind = "".join(_character(chance) + chance.choice(_BOUNDED) for _ in range(chance.randint(1, 2)))
        return f"{chance.choice(['(?<=', '(?<!'])}{behind}|{chance.choice(['^', chance.choice(_SETS)])})"
    if kind < 0.5 and depth < 2:
        group = f"{chance.choice(['(', '(?:', '(?i:', '(?>'])}{_alternatives(chance, depth + 1)})"
        return group + chance.choice(["", "", "?"])
    return _character(chance) + chance.choice(_REPETITIONS)


def _character(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.45:
        return chance.choice(_LITERALS)
    if kind < 0.65:
        return chance.choice(_SETS)
    return chance.choice(_ESCAPES) if kind < 0.75 else _class(chance, 0)


def _class(chance: random.Random, depth: int) -> str:
    items = [
        chance.choice([*"abcAB12_.é, ", chance.choice(_RANGES), chance.choice(_SETS)])
        for _ in range(chance.randint(1, 3))
    ]
    if depth < 2 and chance.random() < 0.25:
        items.append(_class(chance, depth + 1))
    if depth < 2 and chance.random() < 0.2:
        items.append(f"&&{_class(chance, depth + 1)}")
    return f"[{chance.choice(['', '', '^'])}{''.join(items)}]"


def _text(chance: random.Random) -> str:
    parts = [
        *_LITERALS,
        *"aabbc  ,.ABCZ[(|~-^$/",
        "\r\n",
        "ab",
        "Ab",
        "12",
        "a.b",
        "e\u0301",
        "K",
        "\u212a",
        "ς",
        "ª",
        "ⅷ",
    ]
    return "".join(chance.choice(parts) for _ in range(chance.randint(4, 16)))
