"""Texts to sentences, tokens and pieces; strings and offsets only, nothing about vectors.

Names are imported when first used, so that importing this package does not load sentencepiece.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sparkalbert.text.pieces import Pieces, PieceTokenizer
    from sparkalbert.text.sentences import SentenceOptions, SentenceSplitter
    from sparkalbert.text.tokens import TokenizerOptions, WordTokenizer

__all__ = [
    "PieceTokenizer",
    "Pieces",
    "SentenceOptions",
    "SentenceSplitter",
    "TokenizerOptions",
    "WordTokenizer",
]

_HOMES: Final = {
    "PieceTokenizer": "pieces",
    "Pieces": "pieces",
    "SentenceOptions": "sentences",
    "SentenceSplitter": "sentences",
    "TokenizerOptions": "tokens",
    "WordTokenizer": "tokens",
}


def __getattr__(name: str) -> Any:  # PEP 562
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
