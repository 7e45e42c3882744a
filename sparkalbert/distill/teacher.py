"""The teacher: a BERT sentence encoder in Hugging Face's format, and what it says about texts.

It gives one vector a text (mean of its pieces, as sentence-transformers pools) and one a word (mean of
the word's pieces in the last layer). It knows nothing about the student.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModel, AutoTokenizer

from sparkalbert.annotations import Span
from sparkalbert.text.alignment import pieces_of_tokens

__all__ = ["Teacher", "device_of"]

Float32Array = npt.NDArray[np.float32]

_MAX_PIECES = 256


def device_of(name: str | None = None) -> torch.device:
    """Return the device of that name; by default the GPU where there is one, else the CPU."""
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


class Teacher:
    """A sentence encoder that pools by the mean of its pieces.

    Parameters
    ----------
    folder
        ``config.json``, weights and tokenizer in Hugging Face's format.
    device
        Where it runs.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder, dtype=torch.float32).to(device).eval()
        self._device = device

    @property
    def dimension(self) -> int:
        """Width of its vectors."""
        return int(self._model.config.hidden_size)

    def embed(self, texts: Sequence[str]) -> Float32Array:
        """Return float32 ``[texts, dimension]``, each of length 1."""
        return self.embed_words(texts, [[] for _ in texts])[0]

    def embed_words(
        self, texts: Sequence[str], words: Sequence[Sequence[Span]], batch_pieces: int = 8192
    ) -> tuple[Float32Array, list[Float32Array]]:
        """Return text vectors as :meth:`embed`, and for each text its word vectors.

        Parameters
        ----------
        texts
            The texts.
        words
            Where the words of each text lie in it.
        batch_pieces
            Most pieces in one call, padding included.

        Returns
        -------
        sentences : ndarray
            float32 ``[texts, dimension]``, each of length 1.
        words : list of ndarray
            float32 ``[words, dimension]``, each of length 1; zeros where the teacher has no piece.
        """
        coded = self._tokenizer(
            list(texts), truncation=True, max_length=_MAX_PIECES, return_offsets_mapping=True
        )
        lengths = np.array([len(ids) for ids in coded["input_ids"]])
        sentences = np.zeros((len(texts), self.dimension), dtype=np.float32)
        found: list[Float32Array] = [np.zeros((0, self.dimension), dtype=np.float32)] * len(texts)
        order = np.argsort(lengths, kind="stable")
        start = 0
        while start < len(order):
            stop = start + 1
            while stop < len(order) and lengths[order[stop]] * (stop + 1 - start) <= batch_pieces:
                stop += 1
            chosen = order[start:stop]
            hidden = self._hidden([coded["input_ids"][index] for index in chosen])
            for row, index in enumerate(chosen):
                pieces = hidden[row, : lengths[index]]
                sentences[index] = pieces.mean(axis=0)
                found[index] = _word_means(pieces, coded["offset_mapping"][index], words[index])
            start = stop
        return _unit(sentences), found

    def _hidden(self, ids: list[list[int]]) -> Float32Array:
        width = max(map(len, ids))
        padded = torch.tensor([row + [0] * (width - len(row)) for row in ids], device=self._device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids], device=self._device)
        with torch.inference_mode(), torch.autocast(self._device.type, dtype=torch.bfloat16):
            hidden = self._model(input_ids=padded, attention_mask=mask).last_hidden_state
        vectors: Float32Array = hidden.float().cpu().numpy()
        return vectors


def _word_means(
    pieces: Float32Array, offsets: Sequence[tuple[int, int]], words: Sequence[Span]
) -> Float32Array:
    if not words:
        return pieces[:0]
    spans = np.array(words, dtype=np.int64).reshape(-1, 2)
    # The empty offsets of [CLS] and [SEP] belong to no word; [SEP]'s must not break the order.
    inner = np.array(offsets[1:-1], dtype=np.int64).reshape(-1, 2)
    ranges = pieces_of_tokens(inner, spans[:, 0], spans[:, 1]) + 1
    sums = np.concatenate([np.zeros_like(pieces[:1]), np.cumsum(pieces, axis=0)])
    means = sums[ranges[:, 1]] - sums[ranges[:, 0]]
    return _unit(means)


def _unit(vectors: Float32Array) -> Float32Array:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Float32Array = vectors / np.maximum(norms, 1e-6)
    return unit
