"""ALBERT's SentencePiece tokenizer, by the reference rule, with offsets into the raw text.

The rule is that of google-research/albert ``tokenization.py`` and of the slow ``AlbertTokenizer`` of
transformers 3 and 4: normalize, encode with sentencepiece, re-split pieces that end in a digit and a
comma. transformers 5 follows another rule. ``encode_token`` is the rule of Spark NLP's
``AlbertEmbeddings`` instead.

This is the only module that knows sentencepiece. It knows nothing about words, special tokens around
a text, or the length a model can take.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import sentencepiece

from sparkalbert.annotations import is_bmp
from sparkalbert.errors import CheckpointError, ParamError, problem_list
from sparkalbert.text.normalization import NormalizationOptions, NormalizedText, normalize
from sparkalbert.text.tokenizer_files import VOCABULARY_FILE, read_options, vocabulary_path

__all__ = ["PieceTokenizer", "Pieces"]

IntArray = npt.NDArray[np.int64]

_SPACE: Final = "▁"
_BEYOND_BMP: Final = re.compile("[\U00010000-\U0010ffff]")
_UNKNOWN: Final = "\ue000"  # for private use: no vocabulary has it, no normalization changes it
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))
_CACHED_TOKENS: Final = 32_768
"""They take 32 MB."""

_LONGEST_CACHED_TOKEN: Final = 64


@dataclass(frozen=True, eq=False)
class Pieces:
    """One encoded text, without special tokens. The arrays are read-only.

    Attributes
    ----------
    ids
        int64 ``[pieces]``, the piece ids.
    pieces
        The piece strings. For an unknown piece it is the normalized text it stands for.
    offsets
        int64 ``[pieces, 2]``, half-open code point ranges of the raw text. A range covers what the
        piece shows and not the space before it; a lone ``▁`` has an empty range where the next piece
        begins. Characters that normalize to several pieces (``½``) are in the range of each.
        Begins never decrease, and neither do the ends of ranges that are not empty.
    """

    ids: IntArray
    pieces: list[str]
    offsets: IntArray

    def __len__(self) -> int:
        return len(self.pieces)


class PieceTokenizer:
    """A SentencePiece vocabulary and the normalization that goes with it.

    Instances are immutable, safe to share between threads, and can be pickled. Use :meth:`load`.

    Parameters
    ----------
    vocabulary
        The bytes of a ``spiece.model``.
    options
        The normalization of the checkpoint.
    source
        Name used in messages.

    Raises
    ------
    CheckpointError
        When `vocabulary` is no SentencePiece model or lacks ALBERT's special pieces.
    """

    def __init__(
        self,
        vocabulary: bytes,
        options: NormalizationOptions | None = None,
        *,
        source: str = VOCABULARY_FILE,
    ) -> None:
        self._processor = _processor(vocabulary, source)
        self._options = NormalizationOptions() if options is None else options
        self._vocabulary = _Vocabulary(self._processor, source)
        self._encode_short_token = lru_cache(_CACHED_TOKENS)(self._encode_token)

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
            or a SentencePiece file. ``tokenizer_config.json`` beside the vocabulary or in the folder
            gives the options; unknown keys are ignored, missing ones take Hugging Face's defaults.
        do_lower_case, keep_accents, remove_space
            Take the place of what the file says, unless None.

        Raises
        ------
        ModelNotFoundError
            When `path` or its vocabulary does not exist.
        CheckpointError
            When the checkpoint is a WordPiece one, or the vocabulary cannot be an ALBERT's.
        ConfigError
            When ``tokenizer_config.json`` cannot be read; every problem is listed.
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
            When the vocabulary has no such id.
        """
        if not 0 <= piece_id < self.vocabulary_size:
            msg = f"piece_id is {piece_id}, expected 0 to {self.vocabulary_size - 1}."
            raise ParamError(msg)
        return self._vocabulary.pieces[piece_id]

    def encode(self, text: str) -> Pieces:
        """Encode a text by the reference rule.

        Special pieces written in the text (``[MASK]``) are text like any other.

        Raises
        ------
        TextError
            When `text` holds a lone surrogate.
        """
        return self._encode(text, normalize(text, self._options), resplit=True)

    def encode_token(self, token: str, case_sensitive: bool = False) -> Pieces:
        """Encode one token by the rule of Spark NLP.

        The token is lower-cased unless `case_sensitive`, and encoded on its own; pieces that are a
        lone ``▁`` are dropped. Accents and quotes stay, and nothing is re-split
        (Spark NLP ``Albert.scala``, ``SentencepieceEncoder.scala``). A character beyond U+FFFF is unknown,
        also where the vocabulary has it or its normal form (U+1D59B, a v): Spark NLP hands sentencepiece the
        JVM's UTF-8, in which such a character is no character (seen in 5.5.3).

        Returns
        -------
        Pieces
            Offsets count from the start of `token`. Empty when nothing of the token is left.

        Raises
        ------
        TextError
            When `token` holds a lone surrogate.
        """
        if len(token) <= _LONGEST_CACHED_TOKEN:
            return self._encode_short_token(token, case_sensitive)
        return self._encode_token(token, case_sensitive)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._processor.serialized_model_proto(), self._options)

    def _encode_token(self, token: str, case_sensitive: bool) -> Pieces:
        options = _TOKEN_AS_IS if case_sensitive else _TOKEN_LOWERED
        normalized = normalize(token, options)
        if not is_bmp(normalized.text):
            normalized = normalized._replace(text=_BEYOND_BMP.sub(_UNKNOWN, normalized.text))
        encoded = self._encode(token, normalized, resplit=False)
        kept = encoded.ids != self._vocabulary.space_id
        if kept.all():
            return encoded
        pieces = [piece for piece, keep in zip(encoded.pieces, kept, strict=True) if keep]
        return Pieces(_frozen(encoded.ids[kept]), pieces, _frozen(encoded.offsets[kept]))

    def _encode(self, raw: str, normalized: NormalizedText, *, resplit: bool) -> Pieces:
        text = normalized.text
        vocabulary = self._vocabulary
        # The unknown piece stands for a text whose offsets cannot be told from lengths.
        ids: list[int] = self._processor.encode(text) if self._keeps_places(text) else [vocabulary.unk_id]
        if resplit and not vocabulary.comma_splits.keys().isdisjoint(ids):
            ids = [part for piece_id in ids for part in vocabulary.comma_splits.get(piece_id, (piece_id,))]
        if vocabulary.irregular_ids.isdisjoint(ids):
            id_array = np.array(ids, dtype=np.int64)
            pieces = [vocabulary.pieces[piece_id] for piece_id in ids]
            offsets = vocabulary.plain_offsets(id_array)
        else:
            pieces = self._processor.encode(text, out_type=str)
            if resplit:
                pieces = _resplit(self._processor, pieces)
            id_array = vocabulary.ids_of(pieces)
            offsets = self._offsets(text, pieces)
        if normalized.starts is not None and normalized.stops is not None:
            offsets = _to_raw(offsets, normalized.starts, normalized.stops, len(raw))
        return Pieces(_frozen(id_array), pieces, _frozen(offsets))

    def _offsets(self, text: str, pieces: list[str]) -> IntArray:
        """Return int64 ``[pieces, 2]`` into `text`; the pieces joined are sentencepiece's own text."""
        shown = _lengths([piece.lstrip(_SPACE) for piece in pieces])
        firsts = _lengths(pieces).cumsum() - shown
        lasts = firsts + _lengths([piece.strip(_SPACE) for piece in pieces]) - 1
        offsets = np.empty((len(pieces), 2), dtype=np.int64)
        if self._keeps_places(text):
            offsets[:, 0] = firsts - 1
            offsets[:, 1] = lasts
            return offsets
        _, origins = self._processor.normalize(text, with_offsets=True)
        starts = np.array(origins, dtype=np.int64)
        offsets[:] = starts[firsts, None]
        showing = np.flatnonzero(lasts >= firsts)
        begins = starts[lasts[showing]]
        ends = starts[np.searchsorted(starts, begins, side="right")]
        # A last character that is wide is several made one, or has dropped characters after it.
        for index in np.flatnonzero(ends - begins > 1):
            while ends[index] - begins[index] > 1 and self._vocabulary.drops(text[ends[index] - 1]):
                ends[index] -= 1
        offsets[showing, 1] = ends
        return offsets

    def _keeps_places(self, text: str) -> bool:
        """Whether sentencepiece puts one ``▁`` in front and leaves every character in its place."""
        return (
            self._vocabulary.keeps_ascii
            and text.isascii()
            and text.isprintable()
            and "  " not in text
            and text.strip(" ") == text
        )


_TOKEN_AS_IS: Final = NormalizationOptions(
    do_lower_case=False, keep_accents=True, remove_space=False, replace_quotes=False
)
_TOKEN_LOWERED: Final = replace(_TOKEN_AS_IS, do_lower_case=True)


class _Vocabulary:
    """What the pieces look like, prepared so that a text needs no look at each of its pieces."""

    def __init__(self, processor: sentencepiece.SentencePieceProcessor, source: str) -> None:
        self._processor = processor
        size = processor.get_piece_size()
        self.pieces: list[str] = processor.id_to_piece(list(range(size)))
        self.unk_id: int = processor.unk_id()
        self.special_ids: dict[str, int] = {
            name: processor.piece_to_id(name) for name in ("<pad>", "[CLS]", "[SEP]")
        }
        _check(self, processor, source)
        self._ids = {
            piece: index for index, piece in enumerate(self.pieces) if not processor.is_control(index)
        }
        self.space_id = self._ids.get(_SPACE, -1)
        self._lengths = _lengths(self.pieces)
        self._shown = _lengths([piece.removeprefix(_SPACE) for piece in self.pieces])
        self.irregular_ids = {i for i, piece in enumerate(self.pieces) if _SPACE in piece[1:]} | {self.unk_id}
        self.comma_splits = {
            index: tuple(self.ids_of(_resplit(processor, [piece])).tolist())
            for index, piece in enumerate(self.pieces)
            if _ends_in_digit_comma(piece)
        }
        spaced = " ".join(_PRINTABLE)
        self.keeps_ascii = processor.normalize(spaced, with_offsets=True) == (
            _SPACE + spaced.replace(" ", _SPACE),
            [0, *range(len(spaced) + 1)],
        )
        self.drops = lru_cache(_CACHED_TOKENS)(self._drops)

    def ids_of(self, pieces: list[str]) -> IntArray:
        """Return int64 ``[pieces]``. A text that spells a control piece does not get its id."""
        return np.array([self._ids.get(piece, self.unk_id) for piece in pieces], dtype=np.int64)

    def plain_offsets(self, ids: IntArray) -> IntArray:
        """Return int64 ``[pieces, 2]`` from lengths alone: sentencepiece only put one ``▁`` in front."""
        offsets = np.empty((len(ids), 2), dtype=np.int64)
        stops = np.subtract(self._lengths[ids].cumsum(), 1, out=offsets[:, 1])
        np.subtract(stops, self._shown[ids], out=offsets[:, 0])
        return offsets

    def _drops(self, character: str) -> bool:
        return bool(self._processor.normalize(f"a{character}b") == self._processor.normalize("ab"))


def _check(vocabulary: _Vocabulary, processor: sentencepiece.SentencePieceProcessor, source: str) -> None:
    missing = [name for name, index in vocabulary.special_ids.items() if index == vocabulary.unk_id]
    problems = [f"the piece {name} is missing" for name in missing]
    if any(processor.is_byte(list(range(len(vocabulary.pieces))))):
        problems.append("it spells unknown characters in bytes, which no ALBERT does")
    if problems:
        raise CheckpointError(problem_list(f"The vocabulary {source}", problems))


def _processor(vocabulary: bytes, source: str) -> sentencepiece.SentencePieceProcessor:
    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.load_from_serialized_proto(vocabulary)
    except (RuntimeError, OSError) as error:
        msg = f"{source} is no SentencePiece model ({len(vocabulary)} bytes); download the checkpoint again."
        raise CheckpointError(msg) from error
    return processor


def _resplit(processor: sentencepiece.SentencePieceProcessor, pieces: list[str]) -> list[str]:
    """Split pieces that end in a digit and a comma, as both reference tokenizers do."""
    resplit: list[str] = []
    for piece in pieces:
        if not _ends_in_digit_comma(piece):
            resplit.append(piece)
            continue
        parts: list[str] = processor.encode(piece[:-1].replace(_SPACE, ""), out_type=str)
        if not piece.startswith(_SPACE) and parts[0].startswith(_SPACE):
            parts = [parts[0][1:], *parts[1:]] if len(parts[0]) > 1 else parts[1:]
        resplit += [*parts, ","]
    return resplit


def _ends_in_digit_comma(piece: str) -> bool:
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()


def _to_raw(offsets: IntArray, starts: IntArray, stops: IntArray, length: int) -> IntArray:
    begins = np.append(starts, length)[offsets[:, 0]]
    ends = begins.copy()
    visible = offsets[:, 1] > offsets[:, 0]
    ends[visible] = stops[offsets[visible, 1] - 1]
    return np.stack([begins, ends], axis=1)


def _lengths(pieces: list[str]) -> IntArray:
    return np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces))


def _frozen(array: IntArray) -> IntArray:
    array.flags.writeable = False
    return array
