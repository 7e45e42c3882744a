"""The Params of the annotators in the recordings, by the name of the recording and as Spark NLP names them."""

import re
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


def as_options(params: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of SentenceOptions or TokenizerOptions for the Params of a stage."""
    return {
        re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name): tuple(value)
        if isinstance(value, list)
        else value
        for name, value in params.items()
    }
