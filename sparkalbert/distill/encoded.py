"""Texts as the student and the teacher read them: every chunk between white space is encoded once.

Both tokenizers, and the words, depend on nothing beyond such a chunk. So a text is a list of chunks, and batches can be
assembled, and chunks exchanged, without a tokenizer.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sparkalbert.arrays import Int64Array
from sparkalbert.distill.teacher import Teacher
from sparkalbert.distill.work import whole_file
from sparkalbert.errors import CheckpointError, InputError
from sparkalbert.offsets import span_array
from sparkalbert.text import PieceTokenizer, WordTokenizer
from sparkalbert.text.pieces.encoding import encode_sentence, pieces_of_tokens

__all__ = ["MAX_PIECES", "NUM_SPECIAL", "EncodedTexts", "encode_texts", "joined_ranges"]

_LOGGER: Final = logging.getLogger(__name__)
MAX_PIECES: Final = 160
"""Largest number of the student's pieces in a text, special pieces included."""

NUM_SPECIAL: Final = 2
_MAX_TEACHER_PIECES: Final = 256

_Int32Array = npt.NDArray[np.int32]


@dataclass(frozen=True)
class EncodedTexts:
    """Texts as chunks, and the pieces and words of each different chunk; the arrays of all chunks are joined.

    Attributes
    ----------
    special
        int32 ``[4]``: the ids of ``[CLS]`` and ``[SEP]`` of the student, then of the teacher.
    ids, counts
        int32 ``[pieces]`` and ``[chunks]``: the student's pieces, and their number in each chunk.
    teacher_ids, teacher_counts
        The same for the teacher.
    first_pieces
        int32 ``[words]``: the position of each word's first piece in its chunk.
    teacher_starts, teacher_stops
        int32 ``[words]``: the range of each word's teacher pieces in its chunk.
    word_counts
        int32 ``[chunks]``.
    chunks, chunk_counts
        int32 ``[chunks of all texts]`` and ``[texts]``: the chunks of each text.
    """

    special: _Int32Array
    ids: _Int32Array
    counts: _Int32Array
    teacher_ids: _Int32Array
    teacher_counts: _Int32Array
    first_pieces: _Int32Array
    teacher_starts: _Int32Array
    teacher_stops: _Int32Array
    word_counts: _Int32Array
    chunks: _Int32Array
    chunk_counts: _Int32Array

    def save(self, path: Path) -> None:
        """Write the arrays to a file, which is either complete or absent."""
        with whole_file(path) as unfinished:
            np.savez_compressed(unfinished, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> EncodedTexts:
        """Read what :meth:`save` wrote.

        Raises
        ------
        CheckpointError
            If the file is damaged.
        """
        try:
            with path.open("rb") as file, np.load(file) as stored:
                return cls(**{field.name: stored[field.name] for field in fields(cls)})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            msg = f"{path} is damaged ({type(error).__name__}: {error}). Delete it; it will be computed again."
            raise CheckpointError(msg) from error

    def sums(self, counts: _Int32Array) -> Int64Array:
        """Return the sum over each text's chunks of a count of each chunk, int64 ``[texts]``."""
        starts = np.cumsum(self.chunk_counts) - self.chunk_counts
        sums: Int64Array = np.add.reduceat(counts[self.chunks], starts, dtype=np.int64)
        return sums


def joined_ranges(starts: Int64Array, counts: npt.NDArray[np.integer]) -> Int64Array:
    """Return the indices of several ranges, joined.

    Examples
    --------
    >>> joined_ranges(np.array([5, 1]), np.array([2, 3])).tolist()
    [5, 6, 1, 2, 3]
    """
    stops = np.cumsum(counts)
    indices: Int64Array = np.arange(stops[-1]) + np.repeat(starts - (stops - counts), counts)
    return indices


def encode_texts(texts: Sequence[str], teacher: Teacher, tokenizer: PieceTokenizer) -> EncodedTexts:
    """Encode texts for student and teacher.

    Texts without a word, or with more than 160 pieces of the student or 256 of the teacher, are left out.

    Parameters
    ----------
    texts
        The texts.
    teacher, tokenizer
        The teacher, and the student's vocabulary.

    Raises
    ------
    InputError
        If no text is left.
    """
    lists = [text.split() for text in texts]
    indices = {chunk: index for index, chunk in enumerate(dict.fromkeys(chunk for chunks in lists for chunk in chunks))}
    encoded = _encode_chunks(list(indices), teacher, tokenizer)
    kept: list[_Int32Array] = []
    for chunks in lists:
        numbers = np.fromiter((indices[chunk] for chunk in chunks), np.int32, len(chunks))
        pieces, teacher_pieces, words = (
            int(encoded[name][numbers].sum()) for name in ("counts", "teacher_counts", "word_counts")
        )
        if words and max(pieces - MAX_PIECES, teacher_pieces - _MAX_TEACHER_PIECES) <= -NUM_SPECIAL:
            kept.append(numbers)
    dropped = len(texts) - len(kept)
    if dropped:
        level = logging.WARNING if dropped > len(kept) else logging.INFO
        _LOGGER.log(level, "dropped %d of %d texts: no word or more than %d pieces", dropped, len(texts), MAX_PIECES)
    if not kept:
        msg = (
            f"None of {len(texts)} texts has a word and at most {MAX_PIECES} pieces. Add shorter texts, or use a "
            "vocabulary that fits their language."
        )
        raise InputError(msg)
    special = np.array([tokenizer.cls_id, tokenizer.sep_id, *teacher.special_ids], dtype=np.int32)
    lengths = np.array(list(map(len, kept)), dtype=np.int32)
    return EncodedTexts(special=special, chunks=np.concatenate(kept), chunk_counts=lengths, **encoded)


def _encode_chunks(chunks: list[str], teacher: Teacher, tokenizer: PieceTokenizer) -> dict[str, _Int32Array]:
    split = WordTokenizer()
    teacher_pieces = teacher.encode(chunks)
    joined: dict[str, list[Int64Array]] = {
        name: [] for name in ("ids", "teacher_ids", "first_pieces", "teacher_starts", "teacher_stops")
    }
    for chunk, (teacher_ids, offsets) in zip(chunks, teacher_pieces, strict=True):
        spans = span_array(split.tokenize(chunk))
        pieces = encode_sentence(tokenizer, chunk, spans)
        ranges = pieces_of_tokens(offsets, spans)
        present = (pieces.ranges[:, 1] > pieces.ranges[:, 0]) & (ranges[:, 1] > ranges[:, 0])
        values = (pieces.ids, teacher_ids, pieces.ranges[present, 0], *ranges[present].T)
        for found, value in zip(joined.values(), values, strict=True):
            found.append(value)
    counts = {"counts": "ids", "teacher_counts": "teacher_ids", "word_counts": "first_pieces"}
    return {name: np.concatenate(found).astype(np.int32) for name, found in joined.items()} | {
        name: np.array(list(map(len, joined[source])), dtype=np.int32) for name, source in counts.items()
    }
