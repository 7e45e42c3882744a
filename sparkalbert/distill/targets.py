"""What the student shall learn of each text, asked of the teacher once and kept on disk.

Texts are cut into shards. A shard holds the pieces of each text as inference makes them, which piece is
the first of each word, the teacher's vector of each word turned into the student's width, and the
teacher's vector of the whole text. A shard is made when it is first asked for, so training can begin
at once and goes on where it stopped. It knows nothing about the loss.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sparkalbert.distill.teacher import Teacher
from sparkalbert.text import PieceTokenizer, WordTokenizer
from sparkalbert.text.encoding import encode_sentence

__all__ = ["Shard", "TargetCache", "fit_projection"]

Float32Array = npt.NDArray[np.float32]

_MAX_PIECES = 160
_PROJECTION_TEXTS = 4000


@dataclass(frozen=True)
class Shard:
    """Texts with their targets, flat.

    Attributes
    ----------
    ids
        int32 ``[pieces]``, special pieces included.
    lengths
        int32 ``[texts]``, pieces of each text.
    first_pieces
        int32 ``[words]``, place of each word's first piece in its text.
    word_counts
        int32 ``[texts]``.
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
        """Write it; a file of that name is either whole or absent."""
        unfinished = path.with_suffix(".unfinished.npz")
        np.savez(unfinished, **{field.name: getattr(self, field.name) for field in fields(self)})
        os.replace(unfinished, path)  # noqa: PTH105 - atomic, and says so

    @classmethod
    def load(cls, path: Path) -> Shard:
        """Read what :meth:`save` wrote."""
        with np.load(path) as stored:
            return cls(**{field.name: stored[field.name] for field in fields(cls)})


def fit_projection(teacher: Teacher, texts: Sequence[str], width: int) -> Float32Array:
    """Return float32 ``[teacher dimension, width]``: the main directions of the teacher's word vectors.

    The vectors are not centred, so that cosines survive as well as they can.
    """
    chosen = list(texts[:_PROJECTION_TEXTS])
    tokenizer = WordTokenizer()
    sentences, words = teacher.embed_words(chosen, [tokenizer.tokenize(text) for text in chosen])
    vectors = np.concatenate([*words, sentences])
    _, directions = np.linalg.eigh(vectors.T @ vectors)
    projection: Float32Array = np.ascontiguousarray(directions[:, ::-1][:, :width], dtype=np.float32)
    return projection


class TargetCache:
    """The shards of a list of texts.

    Parameters
    ----------
    folder
        Where shards are kept.
    texts
        The texts, in an order that is already random.
    teacher, tokenizer, projection
        What makes the targets.
    shard_texts
        Texts in a shard.
    """

    def __init__(
        self,
        folder: Path,
        texts: Sequence[str],
        teacher: Teacher,
        tokenizer: PieceTokenizer,
        projection: Float32Array,
        shard_texts: int = 16_384,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._texts = texts
        self._teacher = teacher
        self._tokenizer = tokenizer
        self._words = WordTokenizer()
        self._projection = projection
        self._shard_texts = shard_texts

    def __len__(self) -> int:
        return math.ceil(len(self._texts) / self._shard_texts)

    def shard(self, index: int) -> Shard:
        """Return a shard, from disk where it is there."""
        path = self._folder / f"shard-{index:05d}.npz"
        if not path.exists():
            start = index * self._shard_texts
            self._make(self._texts[start : start + self._shard_texts]).save(path)
        return Shard.load(path)

    def _make(self, texts: Sequence[str]) -> Shard:
        special = [self._tokenizer.cls_id], [self._tokenizer.sep_id]
        kept, words, ids, firsts = [], [], [], []
        for text in texts:
            spans = self._words.tokenize(text)
            encoded = encode_sentence(self._tokenizer, text, spans)
            present = encoded.ranges[:, 1] > encoded.ranges[:, 0]
            if not present.any() or len(encoded.ids) > _MAX_PIECES - 2:
                continue
            kept.append(text)
            words.append([span for span, here in zip(spans, present, strict=True) if here])
            ids.append(np.concatenate([special[0], encoded.ids, special[1]]).astype(np.int32))
            firsts.append((encoded.ranges[present, 0] + 1).astype(np.int32))
        sentences, vectors = self._teacher.embed_words(kept, words)
        return Shard(
            ids=np.concatenate(ids),
            lengths=np.array([len(row) for row in ids], dtype=np.int32),
            first_pieces=np.concatenate(firsts),
            word_counts=np.array([len(row) for row in firsts], dtype=np.int32),
            word_vectors=(np.concatenate(vectors) @ self._projection).astype(np.float16),
            sentences=sentences.astype(np.float16),
        )
