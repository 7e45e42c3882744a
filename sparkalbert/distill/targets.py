"""The targets of the student: the teacher's vectors of each text and its words, computed once and kept on disk.

Texts are divided into shards. A shard holds the pieces of each text as inference encodes them, the first piece of each
word, the teacher's vector of each word projected to the student's width, and the teacher's vector of the whole text.
A shard is computed when it is first needed, so training starts at once and continues where it stopped.
"""

from __future__ import annotations

import logging
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sparkalbert.arrays import Float32Array
from sparkalbert.distill.teacher import Teacher
from sparkalbert.distill.work import whole_file
from sparkalbert.errors import CheckpointError, InputError
from sparkalbert.offsets import span_array
from sparkalbert.text import PieceTokenizer, WordTokenizer
from sparkalbert.text.pieces.encoding import encode_sentence

__all__ = ["Shard", "TargetCache", "fit_projection", "load_projection"]

_LOGGER: Final = logging.getLogger(__name__)
_MAX_PIECES: Final = 160
_PROJECTION_TEXTS: Final = 4000


@dataclass(frozen=True)
class Shard:
    """Texts with their targets; the arrays of all texts are joined.

    Attributes
    ----------
    ids
        int32 ``[pieces]``, special pieces included.
    lengths
        int32 ``[texts]``, the number of pieces of each text.
    first_pieces
        int32 ``[words]``, the position of each word's first piece in its text.
    word_counts
        int32 ``[texts]``, the number of words of each text.
    word_vectors
        float16 ``[words, hidden_size]``.
    sentences
        float16 ``[texts, teacher dimension]``.
    """

    ids: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]
    first_pieces: npt.NDArray[np.int32]
    word_counts: npt.NDArray[np.int32]
    word_vectors: npt.NDArray[np.float16]
    sentences: npt.NDArray[np.float16]

    def save(self, path: Path) -> None:
        """Write the shard to a file, which is either complete or absent."""
        with whole_file(path) as unfinished:
            np.savez(unfinished, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Shard:
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
            raise CheckpointError(_damaged(path, error)) from error


def fit_projection(teacher: Teacher, texts: Sequence[str], width: int) -> Float32Array:
    """Return the main directions of the teacher's word vectors, float32 ``[teacher dimension, width]``.

    The vectors are not centred, so that cosines are preserved as well as possible.
    """
    sample = list(texts[:_PROJECTION_TEXTS])
    tokenizer = WordTokenizer()
    sentences, words = teacher.embed_words(sample, [span_array(tokenizer.tokenize(text)) for text in sample])
    vectors = np.concatenate([*words, sentences])
    _, directions = np.linalg.eigh(vectors.T @ vectors)
    projection: Float32Array = np.ascontiguousarray(directions[:, ::-1][:, :width], dtype=np.float32)
    return projection


def load_projection(path: Path) -> Float32Array:
    """Read a projection that was written with :func:`numpy.save`.

    Raises
    ------
    CheckpointError
        If the file is damaged.
    """
    try:
        with path.open("rb") as file:
            projection: Float32Array = np.load(file)
    except (OSError, ValueError, EOFError) as error:
        raise CheckpointError(_damaged(path, error)) from error
    return projection


class TargetCache:
    """The shards of a list of texts.

    Parameters
    ----------
    folder
        The folder of the shards. It must belong to these texts, teacher, tokenizer and projection alone.
    texts
        The texts, in random order.
    teacher, tokenizer, projection
        What the targets are made from.
    texts_per_shard
        Number of texts in a shard.
    """

    def __init__(
        self,
        folder: Path,
        texts: Sequence[str],
        teacher: Teacher,
        tokenizer: PieceTokenizer,
        projection: Float32Array,
        texts_per_shard: int = 16_384,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._texts = texts
        self._teacher = teacher
        self._tokenizer = tokenizer
        self._words = WordTokenizer()
        self._projection = projection
        self._texts_per_shard = texts_per_shard

    def __len__(self) -> int:
        return math.ceil(len(self._texts) / self._texts_per_shard)

    def shard(self, index: int) -> Shard:
        """Return a shard, from disk if it is there.

        Raises
        ------
        CheckpointError
            If its file is damaged.
        InputError
            If none of its texts can be learned from.
        """
        path = self._folder / f"shard-{index:05d}.npz"
        if not path.exists():
            start = index * self._texts_per_shard
            self._make(self._texts[start : start + self._texts_per_shard]).save(path)
        return Shard.load(path)

    def _make(self, texts: Sequence[str]) -> Shard:
        cls_id, sep_id = [self._tokenizer.cls_id], [self._tokenizer.sep_id]
        kept, words, ids, firsts = [], [], [], []
        for text in texts:
            spans = span_array(self._words.tokenize(text))
            encoded = encode_sentence(self._tokenizer, text, spans)
            present = encoded.ranges[:, 1] > encoded.ranges[:, 0]
            if not present.any() or len(encoded.ids) > _MAX_PIECES - 2:
                continue
            kept.append(text)
            words.append(spans[present])
            ids.append(np.concatenate([cls_id, encoded.ids, sep_id]).astype(np.int32))
            firsts.append((encoded.ranges[present, 0] + 1).astype(np.int32))
        dropped = len(texts) - len(kept)
        if dropped:
            level = logging.WARNING if dropped > len(kept) else logging.INFO
            _LOGGER.log(
                level, "dropped %d of %d texts: no word or more than %d pieces", dropped, len(texts), _MAX_PIECES
            )
        if not kept:
            msg = (
                f"None of {len(texts)} texts has a word and at most {_MAX_PIECES} pieces. Add shorter texts, or use a "
                "vocabulary that fits their language."
            )
            raise InputError(msg)
        sentences, vectors = self._teacher.embed_words(kept, words)
        return Shard(
            ids=np.concatenate(ids),
            lengths=np.array([len(row) for row in ids], dtype=np.int32),
            first_pieces=np.concatenate(firsts),
            word_counts=np.array([len(row) for row in firsts], dtype=np.int32),
            word_vectors=(np.concatenate(vectors) @ self._projection).astype(np.float16),
            sentences=sentences.astype(np.float16),
        )


def _damaged(path: Path, error: Exception) -> str:
    return f"{path} is damaged ({type(error).__name__}: {error}). Delete it; it will be computed again."
