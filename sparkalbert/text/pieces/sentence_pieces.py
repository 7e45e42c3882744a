"""Encodes texts with a SentencePiece vocabulary by ALBERT's rule, and tokens by Spark NLP's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Final

import numpy as np

from sparkalbert.arrays import Int64Array
from sparkalbert.bundle.folder import VOCABULARY_FILE
from sparkalbert.errors import CheckpointError, problem_list
from sparkalbert.offsets import is_bmp
from sparkalbert.text.pieces.added_tokens import AddedTokens
from sparkalbert.text.pieces.normalization import NormalizationOptions, NormalizedText, check_unicode, normalize
from sparkalbert.text.pieces.special_tokens import AddedToken, SpecialNames
from sparkalbert.text.pieces.vocabulary import Pieces, Vocabulary

__all__ = ["TOKEN_LOWERED", "TOKEN_UNCHANGED", "SentencePieces", "with_raw_offsets", "without_lone_spaces"]

_BEYOND_BMP: Final = re.compile("[\U00010000-\U0010ffff]")
_UNKNOWN: Final = "\ue000"  # for private use: no vocabulary has it, and normalization does not change it
_SIGMAS: Final = str.maketrans("\u03a3\u03f9", "\u03c3\u03f2")
"""transformers 4 lower-cases each character alone, before anything else. Only these two letters then differ from
Google's rule, in which the letters around a sigma decide."""

_MAX_CACHED_TOKENS: Final = 32_768
"""A full cache takes about 32 MB."""

_MAX_CACHED_LENGTH: Final = 64

TOKEN_UNCHANGED: Final = NormalizationOptions(
    do_lower_case=False, keep_accents=True, remove_space=False, replace_quotes=False
)
TOKEN_LOWERED: Final = replace(TOKEN_UNCHANGED, do_lower_case=True)
"""What Spark NLP does to a token before it splits it into pieces, with and without ``caseSensitive``."""


class SentencePieces:
    """A SentencePiece vocabulary with its normalization, special tokens and added tokens.

    Parameters
    ----------
    model
        The bytes of the vocabulary.
    options
        The normalization.
    names
        How the vocabulary spells its special tokens.
    added_tokens
        Tokens that were added to it.
    source
        The name of the vocabulary in error messages.

    Attributes
    ----------
    kind, file
        For the manifest of a bundle, and the name of the vocabulary in a bundle.
    pieces
        Every piece by id, added tokens included; empty for an id that nothing names.
    unk_id, cls_id, sep_id, pad_id
        Ids of special tokens. Padding is masked, so without a piece for it `pad_id` is `unk_id`.

    Raises
    ------
    CheckpointError
        If `model` is not a vocabulary that ALBERT can have, or has no piece for the first or last token.
    """

    kind = "sentencepiece"
    file = VOCABULARY_FILE

    def __init__(
        self,
        model: bytes,
        options: NormalizationOptions,
        names: SpecialNames,
        added_tokens: Sequence[AddedToken],
        source: str,
    ) -> None:
        self.options, self.names, self.added_tokens = options, names, tuple(added_tokens)
        self.vocabulary = vocabulary = Vocabulary(model, source)
        by_content = {token.content: token.id for token in added_tokens}
        special = {name: by_content.get(name, vocabulary.id_of(name)) for name in (names.cls_token, names.sep_token)}
        additional = {
            name: vocabulary.id_of(name) for name in names.additional_special_tokens if name not in by_content
        }
        missing = [f"the piece {name} is missing" for name, index in (special | additional).items() if index is None]
        if missing:
            raise CheckpointError(problem_list(f"The vocabulary {source}", missing))
        self.unk_id = vocabulary.unk_id
        self.cls_id, self.sep_id = (special[name] or 0 for name in (names.cls_token, names.sep_token))
        pad_id = vocabulary.id_of(names.pad_token)
        self.pad_id = self.unk_id if pad_id is None else pad_id
        found = [token for token in added_tokens if token.content not in names.all()]
        found += [AddedToken(name, index or 0, special=True) for name, index in additional.items()]
        emitted = [*found, *(token for token in added_tokens if token.content in special)]
        self.pieces = _with_added(vocabulary.pieces, emitted)
        self._added: AddedTokens | None = None
        if found:
            self._added = AddedTokens(found, names.additional_special_tokens, lower_case=options.do_lower_case)
        # The cache must not hold `self`: a cycle would keep the vocabulary in memory until the garbage
        # collector runs.
        self._encode_short_token = lru_cache(_MAX_CACHED_TOKENS)(partial(_encode_token, vocabulary))

    def serialized(self) -> bytes:
        """Return the bytes of the ``spiece.model``."""
        return self.vocabulary.serialized()

    def texts(self) -> dict[str, str]:
        """Return the text that each ordinary piece spells, by piece."""
        return self.vocabulary.texts()

    def normalized(self, text: str, options: NormalizationOptions) -> str:
        """Return a text without spaces as `options` and the normalization inside sentencepiece leave it."""
        changed = normalize(text, options).text
        # sentencepiece may compose what the options decompose, for instance Hangul.
        return changed if changed == text else self.vocabulary.normalized(changed)

    def encode(self, text: str) -> Pieces:
        """Encode a text by ALBERT's rule."""
        return self._encode_between(text) if self._added is None else self._encode_around(text, self._added)

    def encode_token(self, token: str, *, case_sensitive: bool) -> Pieces:
        """Encode a token by Spark NLP's rule, which does not know added tokens."""
        if len(token) <= _MAX_CACHED_LENGTH:
            return self._encode_short_token(token, case_sensitive)
        return _encode_token(self.vocabulary, token, case_sensitive)

    def _encode_between(self, text: str) -> Pieces:
        # Only the rule of transformers has the quote step, so it tells the two rules apart (see `_SIGMAS`).
        if self.options.do_lower_case and self.options.replace_quotes and not text.isascii():
            text = text.translate(_SIGMAS)
        normalized = normalize(text, self.options)
        return with_raw_offsets(self.vocabulary.encode(normalized.text, split_commas=True), normalized, len(text))

    def _encode_around(self, text: str, added: AddedTokens) -> Pieces:
        check_unicode(text)
        lowered, origins = added.lowered(text)
        ids, pieces, offsets = [_NO_IDS], [], [_NO_OFFSETS]
        for segment in added.split(lowered):
            if segment.token is None:
                found = self._encode_between(segment.text)
                ids.append(found.ids)
                pieces += found.pieces
                offsets.append(found.offsets + segment.start)
            else:
                ids.append(np.array([segment.token.id], dtype=np.int64))
                pieces.append(segment.text)
                stop = segment.start + len(segment.text)
                offsets.append(np.array([[segment.start, stop]], dtype=np.int64))
        spans: Int64Array = np.concatenate(offsets)
        if origins is not None:
            visible = spans[:, 1] > spans[:, 0]
            spans = np.where(visible[:, None], np.stack([origins[spans[:, 0]], origins[spans[:, 1] - 1] + 1], axis=1),
                             origins[spans])  # fmt: skip
        return Pieces(np.concatenate(ids), pieces, spans)


_NO_IDS: Final[Int64Array] = np.zeros(0, dtype=np.int64)
_NO_OFFSETS: Final[Int64Array] = np.zeros((0, 2), dtype=np.int64)


def with_raw_offsets(pieces: Pieces, normalized: NormalizedText, length: int) -> Pieces:
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


def without_lone_spaces(encoded: Pieces, space_id: int) -> Pieces:
    """Drop the pieces that are a lone ``▁``, as Spark NLP does."""
    kept = encoded.ids != space_id
    if kept.all():
        return encoded
    pieces = [piece for piece, keep in zip(encoded.pieces, kept, strict=True) if keep]
    return Pieces(encoded.ids[kept], pieces, encoded.offsets[kept])


def _encode_token(vocabulary: Vocabulary, token: str, case_sensitive: bool) -> Pieces:
    normalized = normalize(token, TOKEN_UNCHANGED if case_sensitive else TOKEN_LOWERED)
    text = normalized.text
    if not is_bmp(text):
        text = _BEYOND_BMP.sub(_UNKNOWN, text)
    encoded = with_raw_offsets(vocabulary.encode(text, split_commas=False), normalized, len(token))
    return without_lone_spaces(encoded, vocabulary.space_id)


def _with_added(pieces: list[str], added_tokens: Sequence[AddedToken]) -> list[str]:
    size = max([len(pieces) - 1, *(token.id for token in added_tokens)]) + 1
    result = pieces + [""] * (size - len(pieces))
    for token in added_tokens:
        result[token.id] = token.content
    return result
