"""Model folders whose tokenizers are stored in files of every kind, and texts on which they disagree.

The vocabularies are written by hand, or are Google's (see README.md), so they are the same with every version of every
library.
"""

import json
import shutil
import string
from collections.abc import Callable
from pathlib import Path

from tests.peers import random_texts

FOLDER = Path(__file__).with_name("tokenizers")
VOCABULARY = Path(__file__).parent / "albert" / "spiece.model"
SEED = 12
SPECIAL = ("[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "<pad>", "<unk>")

WORDS = (
    "the river ##s ##er ##ing hello cafe caf ##e na ##ive stra ##ss ##e ω ##μ ##ε ##γ ##α 日 本 語 が か 한 ᄒ ##ᅡ ##ᆫ "
    "स ##न ##ा ع ##ر ##ب 。 ， ！ ½ ##2 frac ##c de ##cem ##ber 19 ##99 ##9"
).split()
CASED = ["The", "River", "Hello", "É", "##é", "café", "İ", "##ẞ", "Σ", "Ω"]
CHARACTERS = [each for each in string.printable if not each.isspace() and not each.isupper()]
PIECES = list(
    dict.fromkeys(
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS, *("##" + each for each in CHARACTERS), *WORDS]
    )
)
TEXTS = [
    *[
        "",
        " ",
        "Hello, the RIVER!",
        "café NAÏVE straße",
        "日本語が好き",
        "한글 한",
        "सना",
        "العربية",
        "ΩΜΈΓΑ Σ ΟΔΟΣ",
        "İstanbul",
    ],
    *[
        "\\frac{x}{y} \\FRAC",
        "a\\frac b",
        "x  \\frac  y",
        "{x}\t{x}",
        "e1 e1e1 (e1) the e1",
        "[E1] river [e1]",
        "''q'' ``q``",
    ],
    *[
        "1999, 9, 9,000, x9,",
        "½ ① ﬁ …",
        "e\u0301 \u0301",
        "a\u200bb\u00a0c\u3000d",
        "🙂 x",
        "(the) well-known U.S.",
        "\x00\x7f\ufffd x",
    ],
]


def texts() -> list[str]:
    """Return the texts; none spells a special token, which transformers would find in it."""
    made = [*TEXTS, *random_texts.texts(120, SEED), *random_texts.prose(20, SEED)]
    return [text for text in made if not any(name in text for name in SPECIAL)]


def token(content: str, **flags: bool) -> dict[str, object]:
    """Return an entry of added_tokens_decoder."""
    return {
        "content": content,
        "lstrip": False,
        "rstrip": False,
        "normalized": True,
        "single_word": False,
        "special": False,
        **flags,
    }


def _sentence_pieces(folder: Path) -> None:
    shutil.copyfile(VOCABULARY, folder / "spiece.model")


def _write(folder: Path, name: str, values: object) -> None:
    (folder / name).write_text(json.dumps(values), encoding="utf-8")


def _with_added_tokens(folder: Path) -> None:
    _sentence_pieces(folder)
    _write(folder, "added_tokens.json", {"\\frac": 30_000, "{x}": 30_001})


def _with_flags(folder: Path) -> None:
    _sentence_pieces(folder)
    tokens = [
        token("\\frac", lstrip=True),
        token("{x}", rstrip=True),
        token("e1", single_word=True),
        token("[E1]", special=True, normalized=False),
    ]
    decoder = {str(30_000 + index): each for index, each in enumerate(tokens)}
    _write(folder, "tokenizer_config.json", {"added_tokens_decoder": decoder, "additional_special_tokens": ["[E1]"]})


def _words(folder: Path, pieces: list[str], **options: bool) -> None:
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    _write(folder, "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", **options})


def _cased_words(folder: Path) -> None:
    _words(folder, [*PIECES, *CASED], do_lower_case=False)


def _words_with_options(folder: Path) -> None:
    _words(folder, [*PIECES, *CASED], do_lower_case=True, strip_accents=False, tokenize_chinese_chars=False)


def _words_with_added_tokens(folder: Path) -> None:
    _words(folder, PIECES, do_lower_case=True)
    _write(folder, "added_tokens.json", {"\\frac": len(PIECES), "{x}": len(PIECES) + 1})


SENTENCE_PIECES: dict[str, Callable[[Path], None]] = {"added": _with_added_tokens, "flags": _with_flags}
"""Read by the slow tokenizer of transformers 4."""

WORD_PIECES: dict[str, Callable[[Path], None]] = {
    "words": lambda folder: _words(folder, PIECES, do_lower_case=True),
    "cased words": _cased_words,
    "words with options": _words_with_options,
    "words with added tokens": _words_with_added_tokens,
}
"""Read by BertTokenizer, which uses the tokenizers library (BertTokenizerFast in transformers 4)."""
