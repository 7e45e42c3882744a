"""ALBERT's tokenizer: the pieces of a text, with offsets into the raw text.

:meth:`PieceTokenizer.encode` follows google-research/albert ``tokenization.py`` and the slow
``AlbertTokenizer`` of transformers 3 and 4: normalize, encode with sentencepiece, split pieces that end in a
digit and a comma. (transformers 5 does not split them.) :meth:`PieceTokenizer.encode_token` follows Spark
NLP's ``AlbertEmbeddings`` instead.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from sparkalbert.arrays import Int64Array
from sparkalbert.errors import ParamError
from sparkalbert.offsets import is_bmp
from sparkalbert.text.pieces.files import VOCABULARY_FILE, read_options, vocabulary_path
from sparkalbert.text.pieces.normalization import NormalizationOptions, NormalizedText, normalize
from sparkalbert.text.pieces.vocabulary import Pieces, Vocabulary

__all__ = ["PieceTokenizer"]

_BEYOND_BMP: Final = re.compile("[\U00010000-\U0010ffff]")
_UNKNOWN: Final = "\ue000"  # for private use: no vocabulary has it, and normalization does not change it
_MAX_CACHED_TOKENS: Final = 32_768
"""A full cache takes about 32 MB."""

_MAX_CACHED_LENGTH: Final = 64


class PieceTokenizer:
    """A SentencePiece vocabulary and the normalization that goes with it.

    Instances are immutable, can be shared between threads and can be pickled. Usually made by :meth:`load`.

    Parameters
    ----------
    vocabulary
        The bytes of a ``spiece.model``.
    options
        The normalization of the checkpoint; by default that of ``transformers.AlbertTokenizer``.
    source
        The name of the vocabulary in error messages.

    Raises
    ------
    CheckpointError
        If `vocabulary` is not a SentencePiece model or lacks ALBERT's special pieces.
    """

    def __init__(
        self,
        vocabulary: bytes,
        options: NormalizationOptions | None = None,
        *,
        source: str = VOCABULARY_FILE,
    ) -> None:
        self._vocabulary = Vocabulary(vocabulary, source)
        self._options = NormalizationOptions() if options is None else options
        # The cache must not hold `self`: a cycle would keep the vocabulary in memory until the garbage
        # collector runs.
        self._encode_short_token = lru_cache(_MAX_CACHED_TOKENS)(partial(_encode_token, self._vocabulary))

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        do_lower_case: bool | None = None,
        keep_accents: bool | None = None,
        remove_space: bool | None = None,
    ) -> PieceTokenizer:
        """Load the tokenizer of a model folder or a vocabulary file.

        Parameters
        ----------
        path
            A bundle, a Hugging Face checkpoint, a Spark NLP import folder (``assets/spiece.model``),
            or a SentencePiece file. The options come from ``tokenizer_config.json`` beside the vocabulary or
            in the folder; unknown keys are ignored, missing ones take Hugging Face's defaults.
        do_lower_case, keep_accents, remove_space
            Override the options of the file if not None.

        Raises
        ------
        ModelNotFoundError
            If `path` or its vocabulary does not exist.
        CheckpointError
            If the checkpoint has a WordPiece vocabulary, or one that ALBERT cannot have.
        ConfigError
            If ``tokenizer_config.json`` cannot be read; every problem is listed.
        """
        vocabulary = vocabulary_path(Path(path))
        overrides = {
            "do_lower_case": do_lower_case,
            "keep_accents": keep_accents,
            "remove_space": remove_space,
        }
        options = replace(
            read_options(vocabulary.parent, Path(path)),
            **{name: value for name, value in overrides.items() if value is not None},
        )
        return cls(vocabulary.read_bytes(), options, source=str(vocabulary))

    @property
    def options(self) -> NormalizationOptions:
        """The normalization that :meth:`encode` applies."""
        return self._options

    @property
    def vocabulary_size(self) -> int:
        """The number of pieces."""
        return len(self._vocabulary.pieces)

    @property
    def pad_id(self) -> int:
        """Id of ``<pad>``."""
        return self._vocabulary.special_ids["<pad>"]

    @property
    def unk_id(self) -> int:
        """Id of ``<unk>``."""
        return self._vocabulary.unk_id

    @property
    def cls_id(self) -> int:
        """Id of ``[CLS]``."""
        return self._vocabulary.special_ids["[CLS]"]

    @property
    def sep_id(self) -> int:
        """Id of ``[SEP]``."""
        return self._vocabulary.special_ids["[SEP]"]

    def piece(self, piece_id: int) -> str:
        """Return the piece with an id.

        Raises
        ------
        ParamError
            If the vocabulary has no such id.
        """
        if not 0 <= piece_id < self.vocabulary_size:
            msg = f"piece_id must be between 0 and {self.vocabulary_size - 1}, got {piece_id}."
            raise ParamError(msg)
        return self._vocabulary.pieces[piece_id]

    def encode(self, text: str) -> Pieces:
        """Encode a text by the rule of the reference tokenizers.

        Special pieces that are written in the text (``[MASK]``) are treated like any other text.

        Raises
        ------
        TextError
            If `text` contains a lone surrogate.
        """
        normalized = normalize(text, self._options)
        return _with_raw_offsets(self._vocabulary.encode(normalized.text, split_commas=True), normalized, len(text))

    def encode_token(self, token: str, case_sensitive: bool = False) -> Pieces:
        """Encode one token by the rule of Spark NLP.

        The token is lower-cased unless `case_sensitive` is true, and encoded on its own; pieces that are a
        lone ``▁`` are dropped. Accents and quotes are kept, and no piece is split at a comma (Spark NLP
        ``Albert.scala``, ``SentencepieceEncoder.scala``). A character beyond U+FFFF is unknown, even if the
        vocabulary has it or its normal form (U+1D59B, a v), because Spark NLP hands sentencepiece the JVM's
        modified UTF-8, in which such a character is invalid (seen in 5.5.3).

        Returns
        -------
        Pieces
            Offsets count from the start of `token`. Empty if no piece of the token is left.

        Raises
        ------
        TextError
            If `token` contains a lone surrogate.
        """
        if len(token) <= _MAX_CACHED_LENGTH:
            return self._encode_short_token(token, case_sensitive)
        return _encode_token(self._vocabulary, token, case_sensitive)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._vocabulary.serialized(), self._options)


_TOKEN_UNCHANGED: Final = NormalizationOptions(
    do_lower_case=False, keep_accents=True, remove_space=False, replace_quotes=False
)
_TOKEN_LOWERED: Final = replace(_TOKEN_UNCHANGED, do_lower_case=True)


def _encode_token(vocabulary: Vocabulary, token: str, case_sensitive: bool) -> Pieces:
    normalized = normalize(token, _TOKEN_UNCHANGED if case_sensitive else _TOKEN_LOWERED)
    text = normalized.text
    if not is_bmp(text):
        text = _BEYOND_BMP.sub(_UNKNOWN, text)
    encoded = _with_raw_offsets(vocabulary.encode(text, split_commas=False), normalized, len(token))
    kept = encoded.ids != vocabulary.space_id
    if kept.all():
        return encoded
    pieces = [piece for piece, keep in zip(encoded.pieces, kept, strict=True) if keep]
    return Pieces(encoded.ids[kept], pieces, encoded.offsets[kept])


def _with_raw_offsets(pieces: Pieces, normalized: NormalizedText, length: int) -> Pieces:
    """Map the offsets of pieces from a normalized text to the raw text of `length` characters."""
    starts, stops = normalized.starts, normalized.stops
    if starts is None or stops is None:
        return pieces
    raw_starts = np.append(starts, length)[pieces.offsets[:, 0]]
    raw_stops = raw_starts.copy()
    visible = pieces.offsets[:, 1] > pieces.offsets[:, 0]
    raw_stops[visible] = stops[pieces.offsets[visible, 1] - 1]
    offsets: Int64Array = np.stack([raw_starts, raw_stops], axis=1)
    return Pieces(pieces.ids, pieces.pieces, offsets)
