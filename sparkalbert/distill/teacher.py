"""The teacher: a BERT sentence encoder in Hugging Face's format that returns vectors of texts and words.

A text's vector is the mean of its pieces, as sentence-transformers pools; a word's vector is the mean of the word's
pieces in the last layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

from sparkalbert.arrays import Float32Array, Int64Array
from sparkalbert.errors import CheckpointError, ParamError
from sparkalbert.text.pieces.encoding import pieces_of_tokens
from sparkalbert.vectors import unit_vectors

if TYPE_CHECKING:
    from sparkalbert.distill.batches import Batch

__all__ = ["Targets", "Teacher", "device_of"]

_MAX_PIECES = 256


def device_of(name: str | None = None) -> torch.device:
    """Return the device with that name; by default a GPU if there is one, else the CPU.

    Raises
    ------
    ParamError
        If there is no such device.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        msg = f"device is {name!r}, expected cpu, cuda or cuda:N of this machine: {error}"
        raise ParamError(msg) from error
    return device


@dataclass(frozen=True)
class Targets:
    """The teacher's vectors of a batch.

    Attributes
    ----------
    words
        float32 ``[words, dimension]``, each row of length 1.
    sentences
        float32 ``[texts, dimension]``, each row of length 1.
    """

    words: Tensor
    sentences: Tensor


class Teacher:
    """A sentence encoder that pools by the mean of its pieces.

    Parameters
    ----------
    folder
        Folder with ``config.json``, weights and a fast tokenizer in Hugging Face's format.
    device
        The device to run on.

    Attributes
    ----------
    folder, device
        As given.

    Raises
    ------
    CheckpointError
        If the folder does not hold such an encoder.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.folder = folder
        self.device = device
        if not (folder / "config.json").is_file():
            msg = f"{folder} has no config.json, expected the Hugging Face folder of a sentence encoder."
            raise CheckpointError(msg)
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder)
            self._model = AutoModel.from_pretrained(folder, dtype=torch.float32).to(device).eval()
        except Exception as error:
            msg = f"transformers cannot load the teacher {folder}: {error}"
            raise CheckpointError(msg) from error
        if not self._tokenizer.is_fast:
            msg = f"{folder} has no tokenizer.json, expected a fast tokenizer, which returns offsets."
            raise CheckpointError(msg)

    @property
    def dimension(self) -> int:
        """Width of its vectors."""
        return int(self._model.config.hidden_size)

    @property
    def special_ids(self) -> tuple[int, int]:
        """The ids of ``[CLS]`` and ``[SEP]``."""
        return self._tokenizer.cls_token_id, self._tokenizer.sep_token_id

    def encode(self, texts: Sequence[str]) -> list[tuple[Int64Array, Int64Array]]:
        """Return the ids of each text's pieces, without special pieces, and their code point spans."""
        encoded = self._tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)
        return [
            (np.array(ids, dtype=np.int64), np.array(offsets, dtype=np.int64).reshape(-1, 2))
            for ids, offsets in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        ]

    def targets(self, batch: Batch) -> Targets:
        """Return the vectors of a batch's words and texts, pooled as :meth:`embed_words` pools."""
        with torch.no_grad(), torch.autocast(self.device.type, dtype=torch.bfloat16):
            hidden = self._model(input_ids=batch.teacher_ids, attention_mask=batch.teacher_mask).last_hidden_state
            hidden = hidden.float() * batch.teacher_mask[:, :, None]
            sums = functional.pad(hidden.cumsum(dim=1), (0, 0, 1, 0))
            rows = batch.word_rows
            words = sums[rows, batch.teacher_stops] - sums[rows, batch.teacher_starts]
        return Targets(functional.normalize(words, dim=1), functional.normalize(sums[:, -1], dim=1))

    def embed(self, texts: Sequence[str]) -> Float32Array:
        """Return one vector of length 1 per text, float32 ``[texts, dimension]``."""
        return self.embed_words(texts, [np.zeros((0, 2), dtype=np.int64)] * len(texts))[0]

    def embed_words(
        self, texts: Sequence[str], words: Sequence[Int64Array], pieces_per_batch: int = 8192
    ) -> tuple[Float32Array, list[Float32Array]]:
        """Return text vectors as :meth:`embed`, and the word vectors of each text.

        Parameters
        ----------
        texts
            The texts.
        words
            int64 ``[words, 2]`` for each text: the code point spans of its words.
        pieces_per_batch
            Largest number of pieces in a batch, padding included.

        Returns
        -------
        sentences : ndarray
            float32 ``[texts, dimension]``, each of length 1.
        words : list of ndarray
            float32 ``[words, dimension]`` for each text, each row of length 1; zeros for a word without a piece.
        """
        encoded = self._tokenizer(list(texts), truncation=True, max_length=_MAX_PIECES, return_offsets_mapping=True)
        lengths = np.array([len(ids) for ids in encoded["input_ids"]])
        sentences = np.zeros((len(texts), self.dimension), dtype=np.float32)
        vectors: list[Float32Array] = [np.zeros((0, self.dimension), dtype=np.float32)] * len(texts)
        order = np.argsort(lengths, kind="stable")
        start = 0
        while start < len(order):
            stop = start + 1
            while stop < len(order) and lengths[order[stop]] * (stop + 1 - start) <= pieces_per_batch:
                stop += 1
            batch = order[start:stop]
            hidden = self._hidden([encoded["input_ids"][index] for index in batch])
            for row, index in enumerate(batch):
                pieces = hidden[row, : lengths[index]]
                sentences[index] = pieces.mean(axis=0)
                vectors[index] = _word_means(pieces, encoded["offset_mapping"][index], words[index])
            start = stop
        return unit_vectors(sentences), vectors

    def _hidden(self, ids: list[list[int]]) -> Float32Array:
        width = max(map(len, ids))
        padded = torch.tensor([row + [0] * (width - len(row)) for row in ids], device=self.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids], device=self.device)
        with torch.inference_mode(), torch.autocast(self.device.type, dtype=torch.bfloat16):
            hidden = self._model(input_ids=padded, attention_mask=mask).last_hidden_state
        vectors: Float32Array = hidden.float().cpu().numpy()
        return vectors


def _word_means(pieces: Float32Array, offsets: Sequence[tuple[int, int]], words: Int64Array) -> Float32Array:
    if not len(words):
        return pieces[:0]
    # [CLS] and [SEP] have empty offsets; those of [SEP] would break the order.
    piece_offsets = np.array(offsets[1:-1], dtype=np.int64).reshape(-1, 2)
    ranges = pieces_of_tokens(piece_offsets, words) + 1
    sums = np.concatenate([np.zeros_like(pieces[:1]), np.cumsum(pieces, axis=0)])
    return unit_vectors(sums[ranges[:, 1]] - sums[ranges[:, 0]])
