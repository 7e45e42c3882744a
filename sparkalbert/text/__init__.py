"""Splits texts into sentences and tokens (:mod:`.segmentation`), and tokens into pieces (:mod:`.pieces`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkalbert.lazy import lazy_attributes

if TYPE_CHECKING:
    from sparkalbert.text.pieces.tokenizer import PieceTokenizer
    from sparkalbert.text.pieces.vocabulary import Pieces
    from sparkalbert.text.segmentation.sentences import SentenceOptions, SentenceSplitter
    from sparkalbert.text.segmentation.tokens import TokenizerOptions, WordTokenizer

__all__ = [
    "PieceTokenizer",
    "Pieces",
    "SentenceOptions",
    "SentenceSplitter",
    "TokenizerOptions",
    "WordTokenizer",
]

__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "PieceTokenizer": "sparkalbert.text.pieces.tokenizer",
        "Pieces": "sparkalbert.text.pieces.vocabulary",
        "SentenceOptions": "sparkalbert.text.segmentation.sentences",
        "SentenceSplitter": "sparkalbert.text.segmentation.sentences",
        "TokenizerOptions": "sparkalbert.text.segmentation.tokens",
        "WordTokenizer": "sparkalbert.text.segmentation.tokens",
    },
)
