"""A SentencePiece vocabulary: splits normalized text into pieces and reports where each piece comes from.

This is the only module that runs sentencepiece; :mod:`sparkalbert.distill.vocabulary` trains vocabularies with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final

import numpy as np
import sentencepiece

from sparkalbert.arrays import Int64Array
from sparkalbert.errors import CheckpointError, problem_list
from sparkalbert.text.pieces.special_tokens import MAX_TOKENS

__all__ = ["Pieces", "Vocabulary"]

_SPACE: Final = "▁"
_CACHED_CHARACTERS: Final = 32_768
_BYTE_PIECE: Final = re.compile("<0x[0-9A-F]{2}>")
_LAST_ASCII: Final = 0x7F


@dataclass(frozen=True, eq=False)
class Pieces:
    """The pieces of one text, without special pieces. The arrays are read-only.

    Attributes
    ----------
    ids
        int64 ``[pieces]``, the piece ids.
    pieces
        The piece strings. An unknown piece is the normalized text that it stands for.
    offsets
        int64 ``[pieces, 2]``, half-open code point spans of the raw text. A span covers the characters
        that the piece shows, without the space before or after them. A lone ``▁`` shows none: its span is
        empty, at the start of the next piece that shows a character. A character that becomes several
        pieces (``½``, or the bytes of an unknown character) is in the span of each. Starts never decrease,
        and neither do the stops of spans that are not empty.
    """

    ids: Int64Array
    pieces: list[str]
    offsets: Int64Array

    def __post_init__(self) -> None:
        self.ids.flags.writeable = False
        self.offsets.flags.writeable = False

    def __len__(self) -> int:
        return len(self.pieces)


class Vocabulary:
    """The pieces of a SentencePiece model, and how a text is split into them.

    Vocabularies that fall back to bytes, put the white space after a word or have no space before the first word
    take the general path, which is slower.

    Parameters
    ----------
    model
        The bytes of the file.
    source
        The name of the file in error messages.

    Attributes
    ----------
    pieces
        Every piece, by id.
    unk_id, space_id
        Ids of ``<unk>`` and of the lone ``▁``; `space_id` is -1 if the vocabulary has no such piece.

    Raises
    ------
    CheckpointError
        If `model` is not a SentencePiece model, or has pieces whose parts would have no offsets.
    """

    def __init__(self, model: bytes, source: str) -> None:
        self._source = source
        self._processor = processor = _load(model, source)
        if processor.get_piece_size() > MAX_TOKENS:
            msg = (
                f"{source} has {processor.get_piece_size():,} pieces, expected at most {MAX_TOKENS:,}. "
                "Copy the model's tokenizer files again."
            )
            raise CheckpointError(msg)
        self.pieces: list[str] = processor.id_to_piece(list(range(processor.get_piece_size())))
        self.unk_id: int = processor.unk_id()
        self._bytes = _byte_pieces(self.pieces) if any(processor.is_byte(list(range(len(self.pieces))))) else {}
        self._check()
        # A text that spells a control piece such as [CLS] does not get its id. A user-defined symbol does get it.
        self._ids = {piece: index for index, piece in enumerate(self.pieces) if not processor.is_control(index)}
        self.space_id = self._ids.get(_SPACE, -1)
        self._comma_splits = {
            index: tuple(self._ids_of(self._split_at_comma(piece)).tolist())
            for index, piece in enumerate(self.pieces)
            if _ends_in_digit_comma(piece)
        }
        # By id: the length of the piece, and its number of characters after the leading ▁.
        self._lengths = _lengths(self.pieces)
        self._num_shown = _lengths([piece.removeprefix(_SPACE) for piece in self.pieces])
        # Pieces whose offsets do not follow from these two numbers.
        irregular = {index for index, piece in enumerate(self.pieces) if _SPACE in piece[1:]} | {self.unk_id}
        self._irregular_ids = irregular | {
            index for index, parts in self._comma_splits.items() if not irregular.isdisjoint(parts)
        }
        # The cache must not hold `self`: a cycle would keep the model alive until the garbage collector runs.
        self._is_dropped = lru_cache(_CACHED_CHARACTERS)(partial(_is_dropped, processor))

    def encode(self, text: str, *, split_commas: bool) -> Pieces:
        """Split a text into pieces; the offsets count in `text`.

        Parameters
        ----------
        text
            A text that is valid Unicode.
        split_commas
            If true, split pieces that end in a digit and a comma, as the reference tokenizers do.
        """
        # A text beyond ASCII usually has an unknown piece, so encoding it to ids first would be wasted.
        ids: list[int] = self._processor.encode(text) if text.isascii() else [self.unk_id]
        if self._irregular_ids.isdisjoint(ids):
            splits = self._comma_splits
            if split_commas and not splits.keys().isdisjoint(ids):
                ids = [part for index in ids for part in splits.get(index, (index,))]
            pieces = [self.pieces[index] for index in ids]
            if _is_in_place(text, pieces):
                return self._with_table_offsets(ids, pieces)
        whole: list[str] = self._processor.encode(text, out_type=str)
        pieces = [part for piece in whole for part in self._split_at_comma(piece)] if split_commas else whole
        in_place = _is_in_place(text, pieces)
        offsets = _offsets_in_place(pieces) if in_place else self._matched_offsets(text, whole, pieces)
        return Pieces(self._ids_of(pieces), pieces, offsets)

    def serialized(self) -> bytes:
        """Return the bytes of the ``spiece.model``."""
        model: bytes = self._processor.serialized_model_proto()
        return model

    def id_of(self, piece: str) -> int | None:
        """Return the id of a piece of any kind, control pieces included; None if there is no such piece."""
        index: int = self._processor.piece_to_id(piece)
        return index if self.pieces[index] == piece else None

    def texts(self) -> dict[str, str]:
        """Return the text that each ordinary piece spells, without ``▁``, by piece."""
        processor = self._processor
        return {
            piece: piece.replace(_SPACE, "")
            for index, piece in enumerate(self.pieces)
            if not (processor.is_control(index) or processor.is_unknown(index) or processor.is_byte(index))
        }

    def normalized(self, text: str) -> str:
        """Return a text without spaces as the normalization inside sentencepiece leaves it."""
        return str(self._processor.normalize(text)).replace(_SPACE, "")

    def _check(self) -> None:
        problems = [
            f"the piece {piece!r} is a user-defined symbol, so its parts have no offsets when it is split at its comma"
            for piece in self.pieces
            if _ends_in_digit_comma(piece) and self._is_symbol(piece)
        ]
        if problems:
            raise CheckpointError(problem_list(f"The vocabulary {self._source}", problems))

    def _is_symbol(self, piece: str) -> bool:
        """Return whether sentencepiece treats a piece as one character, as it does user-defined symbols."""
        text = piece.replace(_SPACE, " ").strip()
        _, origins = self._processor.normalize(text, with_offsets=True)
        return len(set(origins)) != len(text) + 1

    def _with_table_offsets(self, ids: list[int], pieces: list[str]) -> Pieces:
        """Return regular pieces with the offsets of :func:`_offsets_in_place`, without a loop over them."""
        id_array = np.array(ids, dtype=np.int64)
        offsets = np.empty((len(ids), 2), dtype=np.int64)
        lengths = self._lengths[id_array]
        lengths[0] -= 1  # the text does not have the ▁ in front
        stops = np.add.accumulate(lengths, out=offsets[:, 1])
        np.subtract(stops, self._num_shown[id_array], out=offsets[:, 0])
        return Pieces(id_array, pieces, offsets)

    def _matched_offsets(self, text: str, whole: list[str], pieces: list[str]) -> Int64Array:
        """Return the offsets of pieces by counting the characters that they show.

        Splitting a piece at a comma may change its ``▁``, but not the characters that it shows, so `pieces`
        show the same characters as the pieces before the split (`whole`), whose origin sentencepiece knows.
        """
        whole_texts, _ = self._decoded(whole)
        starts, stops = self._shown_characters(text, whole_texts)
        texts, continues = self._decoded(pieces)
        num_shown = _lengths([shown.replace(_SPACE, "") for shown in texts])
        ends = num_shown.cumsum()
        firsts = ends - num_shown - continues
        offsets = np.repeat(starts[firsts, None], 2, axis=1)
        visible = ends > firsts
        offsets[visible, 1] = stops[ends[visible] - 1]
        return offsets

    def _decoded(self, pieces: list[str]) -> tuple[list[str], Int64Array]:
        """Return the text of each piece: for the bytes of an unknown character, that of its first byte.

        Returns
        -------
        texts, continues
            The texts; int64 ``[pieces]``, 1 for each later byte of a character that is shown, whose text is empty.
        """
        continues = np.zeros(len(pieces), dtype=np.int64)
        if self._bytes.keys().isdisjoint(pieces):
            return pieces, continues
        texts, index = list(pieces), 0
        while index < len(pieces):
            first = self._bytes.get(pieces[index])
            if first is None:
                index += 1
                continue
            length = _utf8_length(first)
            encoded = bytes(self._bytes[piece] for piece in pieces[index : index + length])
            texts[index : index + length] = [encoded.decode("utf-8"), *[""] * (length - 1)]
            continues[index + 1 : index + length] = texts[index] != _SPACE
            index += length
        return texts, continues

    def _shown_characters(self, text: str, pieces: list[str]) -> tuple[Int64Array, Int64Array]:
        """Return the span of `text` that each character of the pieces other than ``▁`` comes from.

        Returns
        -------
        starts, stops
            int64 ``[characters + 1]`` and ``[characters]``; the last start is the end of the text.
        """
        codes = np.frombuffer("".join(pieces).encode("utf-32-le"), dtype="<u4")
        shown = np.append(np.flatnonzero(codes != ord(_SPACE)), len(codes))
        _, origin_list = self._processor.normalize(text, with_offsets=True)
        origins = np.array(origin_list, dtype=np.int64)
        starts = origins[shown]
        stops = origins[np.searchsorted(origins, starts[:-1], side="right")]
        # A wide span is several characters made one, or a character with dropped characters after it.
        for index in np.flatnonzero(stops - starts[:-1] > 1):
            while stops[index] - starts[index] > 1 and self._is_dropped(text[stops[index] - 1]):
                stops[index] -= 1
        return starts, stops

    def _split_at_comma(self, piece: str) -> list[str]:
        """Split a piece that ends in a digit and a comma, as both reference tokenizers do.

        Raises
        ------
        CheckpointError
            If the parts do not spell the piece.
        """
        if not _ends_in_digit_comma(piece):
            return [piece]
        digits = piece[:-1].replace(_SPACE, "")
        parts: list[str] = self._processor.encode(digits, out_type=str)
        if "".join(self._decoded(parts)[0]).replace(_SPACE, "") != digits:
            msg = (
                f"The vocabulary {self._source} normalizes its own pieces to other characters, so offsets "
                "would be wrong. Train it with a normalization rule that leaves normalized text unchanged."
            )
            raise CheckpointError(msg)
        if not piece.startswith(_SPACE) and parts[0].startswith(_SPACE):
            parts = [parts[0][1:], *parts[1:]] if len(parts[0]) > 1 else parts[1:]
        return [*parts, ","]

    def _ids_of(self, pieces: list[str]) -> Int64Array:
        return np.array([self._ids.get(piece, self.unk_id) for piece in pieces], dtype=np.int64)


def _load(model: bytes, source: str) -> sentencepiece.SentencePieceProcessor:
    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.load_from_serialized_proto(model)
    except (RuntimeError, OSError) as error:
        msg = (
            f"Expected a SentencePiece model, but {source} ({len(model)} bytes) is not one. "
            "Download the checkpoint again."
        )
        raise CheckpointError(msg) from error
    return processor


def _is_in_place(text: str, pieces: list[str]) -> bool:
    """Return whether the pieces spell `text`, with one ``▁`` in front and in place of each single space."""
    joined = "".join(pieces)
    return joined == _SPACE + text.replace(" ", _SPACE) and _SPACE * 2 not in joined


def _offsets_in_place(pieces: list[str]) -> Int64Array:
    """Return the offsets of pieces that spell a text (see :func:`_is_in_place`)."""
    offsets = np.empty((len(pieces), 2), dtype=np.int64)
    offsets[:, 0] = _lengths(pieces).cumsum() - _lengths([piece.lstrip(_SPACE) for piece in pieces]) - 1
    offsets[:, 1] = offsets[:, 0] + _lengths([piece.strip(_SPACE) for piece in pieces])
    return offsets


def _byte_pieces(pieces: Iterable[str]) -> dict[str, int]:
    """Return the byte that each byte piece (``<0xE2>``) stands for."""
    return {piece: int(piece[3:5], 16) for piece in pieces if _BYTE_PIECE.fullmatch(piece)}


def _utf8_length(first_byte: int) -> int:
    """Return the number of bytes of a character in UTF-8."""
    return 1 if first_byte <= _LAST_ASCII else 8 - (first_byte ^ 0xFF).bit_length()


def _ends_in_digit_comma(piece: str) -> bool:
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()


def _is_dropped(processor: sentencepiece.SentencePieceProcessor, character: str) -> bool:
    return bool(processor.normalize(f"a{character}b") == processor.normalize("ab"))


def _lengths(pieces: list[str]) -> Int64Array:
    return np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces))
