"""Computes the word vectors of encoded sentences: windows, batches, pooling, in the order of the input.

On a CPU, a sentence's vectors depend on its own pieces alone; the other sentences of a batch only affect speed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from sparkalbert.arrays import Float32Array, Int64Array
from sparkalbert.inference.batching import BatchingOptions, distinct, pad, plan_batches
from sparkalbert.inference.pooling import VectorOptions, layer_weights, pieces_needed, pool
from sparkalbert.inference.session import EncoderSession
from sparkalbert.inference.windows import best_window, window_starts
from sparkalbert.text.pieces.encoding import EncodedSentence
from sparkalbert.timings import TIMINGS

__all__ = ["Engine", "SpecialPieces"]

_LOGGER: Final = logging.getLogger("sparkalbert")

_GPU_THREADS: Final = 3
"""Threads that feed a GPU. 60,000 pieces of xlarge with one, two and three: 90,700, 94,100 and 98,800 pieces per second
(NVIDIA H100, measured with only the forward pass in the threads, without the copy of its vectors)."""


@dataclass(frozen=True)
class SpecialPieces:
    """Ids of the pieces that frame and pad a sequence."""

    cls_id: int
    sep_id: int
    pad_id: int


@dataclass(frozen=True)
class _Request:
    """The sequences to run, and the rows of their hidden states that are needed.

    Attributes
    ----------
    sequences
        int64 ``[pieces]`` each, ``[CLS]`` and ``[SEP]`` included.
    sequence, row
        int64 ``[needed]``: the sequence of each vector that is needed, and its row there.
    counts
        int64 ``[words]``: how many of them belong to each word.
    """

    sequences: list[Int64Array]
    sequence: Int64Array
    row: Int64Array
    counts: Int64Array


@dataclass(frozen=True)
class _ForwardPass:
    """The input of one forward pass, which of its rows are needed, and where their vectors go."""

    ids: Int64Array
    mask: Int64Array
    rows: Int64Array
    targets: Int64Array


class Engine:
    """Computes word vectors of encoded sentences.

    Parameters
    ----------
    session
        The loaded graph.
    special
        Ids of ``[CLS]``, ``[SEP]`` and padding.
    vectors
        What a vector is.
    batching
        The size of a batch.

    Attributes
    ----------
    dimension
        Width of a word vector.

    Raises
    ------
    ParamError
        If a layer does not exist or a window exceeds the model's positions.
    """

    def __init__(
        self,
        session: EncoderSession,
        special: SpecialPieces,
        vectors: VectorOptions | None = None,
        batching: BatchingOptions | None = None,
    ) -> None:
        self.session = session
        self.options = vectors or VectorOptions()
        self._special = special
        manifest = session.bundle.manifest
        self._batching = (batching or BatchingOptions()).for_model(manifest, on_cpu=session.options.on_cpu)
        self.options.check(manifest)
        self._layer_weights = layer_weights(self.options.layers, manifest.num_layers)
        self.dimension = self.options.dimension(manifest)
        _LOGGER.info(
            "Embedding with %s (%s): at most %d pieces per batch and %d per window",
            manifest.name, manifest.precision, self._batching.pieces_per_batch, self.options.max_sentence_length,
        )  # fmt: skip

    def embed(self, sentences: Sequence[EncodedSentence]) -> Float32Array:
        """Return the vectors of all words of all sentences, in order.

        Parameters
        ----------
        sentences
            Any number of encoded sentences of any length.

        Returns
        -------
        ndarray
            float32 ``[words, dimension]``; zeros for words without a piece.

        Raises
        ------
        InferenceError
            If ONNX Runtime fails.
        """
        if not sentences:
            return np.zeros((0, self.dimension), dtype=np.float32)
        with TIMINGS.measure("batch"):
            request = self._request(sentences)
        rows = self._run(request)
        with TIMINGS.measure("pool"):
            return pool(rows, request.counts, self.options.pooling)

    def _request(self, sentences: Sequence[EncodedSentence]) -> _Request:
        """Cut sentences into windows and note where the vector of each needed piece will be."""
        token_counts = [len(sentence.ranges) for sentence in sentences]
        pieces, counts = pieces_needed(
            np.concatenate([sentence.ranges for sentence in sentences]), self.options.pooling
        )
        owner = np.repeat(np.repeat(np.arange(len(sentences)), token_counts), counts)
        row = pieces + 1
        window = np.zeros(len(pieces), dtype=np.int64)
        first_window = np.zeros(len(sentences), dtype=np.int64)
        windows: list[Int64Array] = []
        capacity = self.options.window_capacity
        word_stops = np.cumsum(token_counts).tolist()
        bounds = np.searchsorted(owner, np.arange(len(sentences) + 1)).tolist()
        for index, sentence in enumerate(sentences):
            needed = slice(bounds[index], bounds[index + 1])
            if needed.start == needed.stop:
                continue
            first_window[index] = len(windows)
            if len(sentence.ids) <= capacity:
                windows.append(sentence.ids)
                continue
            words = slice(word_stops[index] - token_counts[index], word_stops[index])
            starts, window[needed] = self._windows(sentence, pieces[needed], counts[words])
            row[needed] -= starts[window[needed]]
            windows += [sentence.ids[start : start + capacity] for start in starts.tolist()]
        return _Request(self._framed(windows), first_window[owner] + window, row, counts)

    def _windows(
        self, sentence: EncodedSentence, pieces: Int64Array, counts: Int64Array
    ) -> tuple[Int64Array, Int64Array]:
        """Return where the windows of a long sentence start, and the window of each piece that is needed.

        Parameters
        ----------
        sentence
            The sentence.
        pieces, counts
            The pieces that are needed, and how many of them belong to each word, see :func:`.pooling.pieces_needed`.
        """
        capacity = self.options.window_capacity
        num_pieces = len(sentence.ids)
        # A range may point one past the last piece, at [SEP] (see `truncate`); use the window of the last piece.
        first, last = np.minimum(sentence.ranges.T - [[0], [1]], num_pieces - 1)
        window = np.repeat(best_window(first, last, num_pieces, capacity), counts)
        # A word longer than a window fits into none: each of its pieces gets its own best window.
        alone = window < 0
        single = np.minimum(pieces[alone], num_pieces - 1)
        window[alone] = best_window(single, single, num_pieces, capacity)
        # When only some words are requested, windows that contain none of them are left out.
        needed, window = np.unique(window, return_inverse=True)
        return window_starts(num_pieces, capacity)[needed], window

    def _framed(self, windows: Sequence[Int64Array]) -> list[Int64Array]:
        """Put ``[CLS]`` and ``[SEP]`` around each window; the sequences are parts of one array."""
        if not windows:
            return []
        stops = np.cumsum([len(window) + 2 for window in windows])
        starts = np.concatenate([[0], stops[:-1]])
        ids = np.empty(stops[-1], dtype=np.int64)
        inside = np.ones(len(ids), dtype=bool)
        inside[starts] = inside[stops - 1] = False
        ids[starts], ids[stops - 1] = self._special.cls_id, self._special.sep_id
        ids[inside] = np.concatenate(windows)
        return [ids[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]

    def _run(self, request: _Request) -> Float32Array:
        """Return the needed rows of hidden states, float32 ``[rows, hidden]``."""
        hidden_size = self.session.bundle.manifest.dimension
        if not request.sequences:
            return np.zeros((0, hidden_size), dtype=np.float32)
        with TIMINGS.measure("batch"):
            unique, index = distinct(request.sequences)
            needed_sequence = index[request.sequence]
            by_sequence = np.argsort(needed_sequence, kind="stable")
            bounds = np.searchsorted(needed_sequence[by_sequence], np.arange(len(unique) + 1))
            out = np.empty((len(request.row), hidden_size), dtype=np.float32)
            lengths = np.array([len(sequence) for sequence in unique], dtype=np.int64)
            batches = list(plan_batches(lengths, self._batching))
        passes = (self._forward_pass(unique, batch, request.row, by_sequence, bounds) for batch in batches)
        if self.session.options.on_cpu:
            for forward_pass in passes:
                with TIMINGS.measure("run"):
                    vectors = self._compute(forward_pass)
                with TIMINGS.measure("pool"):
                    out[forward_pass.targets] = vectors
        else:
            self._fill_from_gpu(out, passes)
        return out

    def _forward_pass(
        self,
        sequences: Sequence[Int64Array],
        batch: Int64Array,
        needed_row: Int64Array,
        by_sequence: Int64Array,
        bounds: Int64Array,
    ) -> _ForwardPass:
        """Pad the sequences of a batch and find their needed rows, which `by_sequence` lists within `bounds`."""
        with TIMINGS.measure("batch"):
            ids, mask = pad([sequences[sequence] for sequence in batch], self._special.pad_id)
            targets = np.concatenate([by_sequence[bounds[sequence] : bounds[sequence + 1]] for sequence in batch])
            positions = np.repeat(np.arange(len(batch)), bounds[batch + 1] - bounds[batch])
        TIMINGS.count_batch(pieces=int(mask.sum()), slots=ids.size)
        return _ForwardPass(ids, mask, positions * ids.shape[1] + needed_row[targets], targets)

    def _compute(self, forward_pass: _ForwardPass) -> Float32Array:
        return self.session.run_rows(forward_pass.ids, forward_pass.mask, self._layer_weights, forward_pass.rows)

    def _fill_from_gpu(self, out: Float32Array, passes: Iterable[_ForwardPass]) -> None:
        """Run forward passes in several threads, so that the GPU computes while the host pads and copies vectors."""

        def fill(forward_pass: _ForwardPass) -> None:
            out[forward_pass.targets] = self._compute(forward_pass)

        with ThreadPoolExecutor(_GPU_THREADS) as executor:
            running = executor.map(fill, passes)  # the first pass runs while the next one is padded
            with TIMINGS.measure("run"):
                list(running)
