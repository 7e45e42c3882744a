"""The Params of the annotators in the recordings, by the name of the recording and as Spark NLP names them."""

import re
from pathlib import Path
from typing import Any

_CONTEXT = [".", ",", ";", ":", "!", "?", "*", "-", "(", ")", '"', "'"]

# Of SentenceDetector, recorded as annotators/sentence-NAME.jsonl.
SENTENCES: dict[str, dict[str, Any]] = {
    "default": {},
    "no-abbreviations": {"useAbbreviations": False},
    "no-lists": {"detectLists": False},
    "split-30": {"splitLength": 30},
    "min-10": {"minLength": 10},
    "max-50": {"maxLength": 50},
    "custom-added": {"customBounds": ["\n", "--"]},
    "custom-append": {"customBounds": [";", "--"], "customBoundsStrategy": "append"},
    "custom-prepend": {"customBounds": [";", "--"], "customBoundsStrategy": "prepend"},
    **{
        f"custom-only{suffix}": {
            "customBounds": ["\n", ";", "--"],
            "useCustomBoundsOnly": True,
            "customBoundsStrategy": strategy,
        }
        for suffix, strategy in [("", "none"), ("-append", "append"), ("-prepend", "prepend")]
    },
}

# Of the own recordings only, as annotators/NAME.jsonl. The patterns are Java's: look-behind of several widths, as
# in Spark NLP's own rules, flags inside the pattern, properties and methods of java.lang.Character.
JAVA_SENTENCES: dict[str, dict[str, Any]] = {
    "java-sentence-rules": {
        "customBounds": [r"(?<=\s|^)'[\w\s?!\.,|'\w]+'(?:\W)", r"(?<=\d{1,3})\.(?=\S)", r"(?i)p\.m\.*"],
        "customBoundsStrategy": "append",
    },
    "java-sentence-unicode": {
        "customBounds": [
            r"(?<=\p{IsAlphabetic}{2,9})[;:]\s",
            r"(?iu)\bτελος\b",
            r"\p{IsHan}+。",
            r"(?<=\p{javaLowerCase})\?",
        ],
        "useCustomBoundsOnly": True,
        "customBoundsStrategy": "prepend",
    },
}

# Of Tokenizer, recorded as annotators/token-NAME.jsonl; "document" splits documents instead of sentences.
TOKENS: dict[str, dict[str, Any]] = {
    "default": {},
    "document": {},
    "exceptions": {"exceptions": ["New York", "e-mail", "U.S.", "Mr.", "a b", "Mr. Jones"]},
    "exceptions-nocase": {"exceptions": ["new york", "E-MAIL", "u.s.", "mr."], "caseSensitiveExceptions": False},
    "splitchars": {"splitChars": ["-", "/"]},
    "splitpattern": {"splitPattern": "[-/']"},
    "target-w": {"targetPattern": r"\w+"},
    "target-nonspace-comma": {"targetPattern": r"[^\s,]+"},
    "context": {"contextChars": [".", ",", "$", "%"]},
    "add-context": {"contextChars": [*_CONTEXT, "#", "@"]},
    "min-2": {"minLength": 2},
    "max-6": {"maxLength": 6},
    "infix": {"infixPatterns": [r"(\p{L}+)(n't\b)"]},
    "prefix": {"prefixPattern": r"\A([^\s\w\$\.]*)"},
    "suffix": {"suffixPattern": r"([^\s\w]?)([^\s\w]*)\z"},
}
JAVA_TOKENS: dict[str, dict[str, Any]] = {
    "java-token-infix": {
        "infixPatterns": [
            r"(\p{IsAlphabetic}+)((?<=\p{L}{2,4})['\u2019]\p{javaLowerCase}{1,2}+)",
            r"((?iu)é\p{IsLatin}*+)",
        ]
    },
    "java-token-split": {"splitPattern": r"(?<=\p{javaLowerCase})(?=\p{Lu})|(?<=\d{1,3})[,.](?=\d)|[\p{Punct}&&[^'$]]"},
}

# Of the own recordings only, as annotators/NAME.jsonl. A tuple holds the arguments of a setter; the names of FILES in
# it become paths.
REGEX_TOKENS: dict[str, dict[str, Any]] = {
    "regextokenizer-default": {},
    "regextokenizer-lengths": {"toLowercase": True, "minLength": 2, "maxLength": 7},
    "regextokenizer-pattern": {"pattern": r"(?<=\p{javaLowerCase})[,.;]|(?=[A-Z])|\s+|-", "positionalMask": True},
    "regextokenizer-earlier": {"pattern": r"[^ ]*e[^ ]* "},
    "regextokenizer-trim": {"pattern": "[,.;]", "trimWhitespace": True},
    "regextokenizer-trim-edges": {"pattern": "[,.;]", "trimWhitespace": True, "preservePosition": False},
}
STOP_WORDS: dict[str, dict[str, Any]] = {
    "stopwordscleaner-default": {},
    "stopwordscleaner-case": {"caseSensitive": True},
    "stopwordscleaner-own": {"stopWords": ["NEW", ".", "\u03a4\u0395\u039b\u039f\u03a3", "1987"]},
    "stopwordscleaner-turkish": {"stopWords": ["I", "\u0130STANBUL", "\u0131t", "is"], "locale": "tr"},
}
NORMALIZED: dict[str, dict[str, Any]] = {
    "normalizer-default": {},
    "normalizer-lengths": {"lowercase": True, "minLength": 2, "maxLength": 6},
    "normalizer-patterns": {"cleanupPatterns": [r"[^\w\d\s]", "(?<=[a-z])e$", "(?=a)|a"]},
    "normalizer-slang": {"slangDictionary": ("slang.txt", ",")},
    "normalizer-slang-case": {
        "slangDictionary": ("slang.txt", " *[,=]"),
        "slangMatchCase": True,
        "cleanupPatterns": ["[.,]"],
        "lowercase": True,
    },
}
# Of the tokens that a StopWordsCleaner and then a Normalizer leave; "document" puts documents together.
ASSEMBLED: dict[str, dict[str, Any]] = {
    "tokenassembler-default": {},
    "tokenassembler-document": {},
    "tokenassembler-positions": {"preservePosition": True},
}
MATCHED: dict[str, dict[str, Any]] = {
    "textmatcher-default": {"entities": ("phrases.txt",)},
    "textmatcher-nocase": {"entities": ("phrases.txt",), "caseSensitive": False, "entityValue": "place"},
    "textmatcher-merged": {"entities": ("phrases.txt",), "caseSensitive": False, "mergeOverlapping": True},
    "textmatcher-tokens": {"entities": ("phrases.txt",), "caseSensitive": False, "buildFromTokens": True},
}
# Of the columns text and upper (its upper-case form).
SEVERAL_DOCUMENTS: dict[str, dict[str, Any]] = {
    "multidocumentassembler-default": {},
    "multidocumentassembler-shrink": {"outputCols": ["a", "b"], "cleanupMode": "shrink_full"},
    "multidocumentassembler-id": {"idCol": "id", "metadataCol": "m"},
}
FILES = {
    "slang.txt": [
        "Mr.,Mister",
        " Mrs. , Missis  and more ",
        "New=New New",
        "The",
        "the,a,b",
        "",
        "it,",
        ",x",
        "bought,1 2 3",
        "no.,\u2116 ok",
    ],
    "phrases.txt": [
        "New York",
        "York",
        "York , N.Y",
        "",
        "the mill",
        "MR . Alder",
        "  ",
        "the e-mail ",
        "Mr Alder and Mrs . Finch",
        "the",
        "is new ;",
        "x\U0001f642y",
        "\U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467",
        "ferry left at",
        "left",
        "at 6.45 a.m",
    ],
}


def write_files(folder: Path) -> None:
    """Write the files that Params name."""
    for name, lines in FILES.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def with_paths(params: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return Params in which the names of files are paths in a folder."""
    return {
        name: tuple(str(folder / part) if part in FILES else part for part in value)
        if isinstance(value, tuple)
        else value
        for name, value in params.items()
    }


def as_options(params: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of SentenceOptions or TokenizerOptions for the Params of a stage."""
    return {
        re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name): tuple(value)
        if isinstance(value, list)
        else value
        for name, value in params.items()
    }
