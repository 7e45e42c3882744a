"""Estimates the memory of a process that embeds, and divides a budget.

Four things take memory: the process itself with the rows that Spark hands over, the weights, the activations of
one batch, and vectors on their way out. The first two are given; the others are sized here, so that the sum stays
within a budget for any number of rows of any length. MB are 1,000,000 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sparkalbert.bundle import Bundle
from sparkalbert.bundle.folder import CONFIG_FILE, GRAPH_FILE
from sparkalbert.config import AlbertConfig
from sparkalbert.errors import ParamError
from sparkalbert.inference.batching import BatchingOptions, best_pieces_per_batch
from sparkalbert.inference.pooling import VectorOptions

__all__ = ["MemoryPlan", "VectorSizes", "WorkerMemory", "expected_memory", "plan_memory", "worker_memory"]

_MB: Final = 1_000_000
_FLOAT_BYTES: Final = 4
_PROCESS_BYTES: Final = 260 * _MB
"""Python, Spark's worker and the libraries take 160 to 190 MB; the rest is for rows as Spark hands them over."""

_WINDOW_BYTES: Final = 32 * _MB
_GPU_WINDOW_BYTES: Final = 256 * _MB
"""Several batches of a GPU, so that it computes one while the host distributes the vectors of another."""

_MIN_WINDOW_BYTES: Final = 2 * _MB
_OUTPUT_BYTES: Final = 16 * _MB
_HELD_WINDOWS: Final = 4
"""The window that is computed, the one before it that Spark still reads, and as much again for the text of both and
for pooling."""

_WORKING_WIDTH: Final = 16
"""Rows of hidden size that the operators of a layer hold per piece, beside two of the feed-forward size: measured as
the growth of a session with its batches, 16.2 for xlarge in fp32, less in int8."""

_ASSUMED_FEED_FORWARD_RATIO: Final = 4
_ASSUMED_HEAD_SIZE: Final = 64


@dataclass(frozen=True)
class VectorSizes:
    """How many bytes of vectors a worker holds.

    Attributes
    ----------
    window_bytes
        Vectors computed together: enough sentences to sort by length, few enough to hold.
    output_bytes
        Vectors in one output array; the default is the size that Spark reads fastest.
    row_bytes
        The largest row whose vectors are held in memory; those of a larger row wait in a file. None for no limit.
    """

    window_bytes: int = _WINDOW_BYTES
    output_bytes: int = _OUTPUT_BYTES
    row_bytes: int | None = None


@dataclass(frozen=True)
class WorkerMemory:
    """The resident memory of one Python worker, in bytes.

    Attributes
    ----------
    process
        Python, Spark's worker, the libraries and a batch of rows.
    weights
        What ONNX Runtime keeps of the model. While it loads, it holds them twice.
    batch
        The activations of one batch.
    vectors
        Vectors that are computed, pooled and sent.
    """

    process: int
    weights: int
    batch: int
    vectors: int

    @property
    def total(self) -> int:
        """The largest sum at any time: loading and computing never happen together."""
        return self.process + self.weights + max(self.weights, self.batch + self.vectors)


@dataclass(frozen=True)
class MemoryPlan:
    """Sizes that keep a worker within a budget.

    Attributes
    ----------
    batching
        The size of a batch.
    sizes
        How many bytes of vectors are held.
    """

    batching: BatchingOptions
    sizes: VectorSizes


def worker_memory(
    bundle: Bundle,
    vectors: VectorOptions,
    batching: BatchingOptions,
    sizes: VectorSizes = VectorSizes(),
) -> WorkerMemory:
    """Return the memory that one Python worker takes with these options.

    Parameters
    ----------
    bundle
        The model.
    vectors
        What a vector is: its width and the longest sequence.
    batching
        The size of a batch.
    sizes
        How many bytes of vectors are held.
    """
    longest = vectors.max_sentence_length
    pieces = max(batching.for_model(bundle.manifest).pieces_per_batch or 0, longest)
    return WorkerMemory(
        process=_PROCESS_BYTES,
        weights=_weights_bytes(bundle),
        batch=pieces * _bytes_per_piece(bundle, longest),
        vectors=_HELD_WINDOWS * sizes.window_bytes,
    )


def expected_memory(config: AlbertConfig, weight_bytes: int) -> WorkerMemory:
    """Return the memory that one Python worker takes by default with a model that has not been converted yet.

    Parameters
    ----------
    config
        Shape of the model.
    weight_bytes
        Size of its weights; the graph beside them, some 30 kB, is not counted.
    """
    longest = VectorOptions().max_sentence_length
    pieces = max(best_pieces_per_batch(config.hidden_size), longest)
    per_piece = _layer_bytes(config.hidden_size, config.intermediate_size, config.num_attention_heads, longest)
    return WorkerMemory(_PROCESS_BYTES, weight_bytes, pieces * per_piece, _HELD_WINDOWS * _WINDOW_BYTES)


def plan_memory(
    bundle: Bundle,
    vectors: VectorOptions,
    batching: BatchingOptions,
    budget_mb: int | None,
    *,
    on_cpu: bool = True,
    annotator_bytes: int = 0,
) -> MemoryPlan:
    """Return sizes that keep the Python workers of a task within a budget.

    Parameters
    ----------
    bundle
        The model.
    vectors
        What a vector is: its width and the longest sequence.
    batching
        The preferred size of a batch; a small budget makes batches smaller.
    budget_mb
        Resident memory of the Python workers of a task, in MB; None for the fastest sizes.
    on_cpu
        If false, the graph runs on a GPU.
    annotator_bytes
        Memory that the workers of SentenceDetector and Tokenizer use, subtracted from the budget; 0 if those stages
        have no workers of their own.

    Raises
    ------
    ParamError
        If the model does not fit; the message gives the whole calculation. On a GPU, where the memory of a worker
        depends on the driver, every budget is refused.
    """
    batching = batching.for_model(bundle.manifest, on_cpu=on_cpu)
    if budget_mb is None:
        return MemoryPlan(batching, VectorSizes() if on_cpu else VectorSizes(window_bytes=_GPU_WINDOW_BYTES))
    if not on_cpu:
        msg = (
            f"memoryBudgetMb is {budget_mb}, but it is a limit for workers that compute on the CPU. Leave it unset, or "
            "set device to 'cpu'."
        )
        raise ParamError(msg)
    weights = _weights_bytes(bundle)
    longest = vectors.max_sentence_length
    per_piece = _bytes_per_piece(bundle, longest)
    available = budget_mb * _MB - annotator_bytes - _PROCESS_BYTES - weights
    held = _HELD_WINDOWS * _MIN_WINDOW_BYTES
    pieces = batching.pieces_per_batch or longest
    while pieces > longest and pieces * per_piece + held > available:
        pieces = max(pieces // 2, longest)
    batch = max(pieces, longest) * per_piece
    if max(weights, batch + held) > available:
        needed = WorkerMemory(_PROCESS_BYTES, weights, longest * per_piece, held)
        raise ParamError(_refusal(bundle, budget_mb, needed, longest, annotator_bytes))
    window = min((available - batch) // _HELD_WINDOWS, _WINDOW_BYTES)
    row = available - batch - (_HELD_WINDOWS - 1) * window
    sizes = VectorSizes(window, min(window // 2, _OUTPUT_BYTES), row)
    return MemoryPlan(replace(batching, pieces_per_batch=pieces), sizes)


def _weights_bytes(bundle: Bundle) -> int:
    """Return the size of the graph and its weights.

    A session holds the weights of an ``fp32`` bundle as float32, even if the file stores them as float16.
    """
    files = bundle.manifest.files
    weights = sum(files[name].size_bytes for name in bundle.weight_files if name != GRAPH_FILE)
    if bundle.manifest.precision == "fp32" and CONFIG_FILE in files:
        weights = max(weights, _FLOAT_BYTES * bundle.config.num_parameters)
    return files[GRAPH_FILE].size_bytes + weights


def _bytes_per_piece(bundle: Bundle, longest: int) -> int:
    """Return the activations per piece in the layer that holds most, attention scores included."""
    hidden = bundle.manifest.dimension
    wide, heads = _ASSUMED_FEED_FORWARD_RATIO * hidden, max(hidden // _ASSUMED_HEAD_SIZE, 1)
    if CONFIG_FILE in bundle.manifest.files:
        wide, heads = bundle.config.intermediate_size, bundle.config.num_attention_heads
    return _layer_bytes(hidden, wide, heads, longest)


def _layer_bytes(hidden: int, wide: int, heads: int, longest: int) -> int:
    return _FLOAT_BYTES * (_WORKING_WIDTH * hidden + 2 * wide + heads * longest)


def _refusal(bundle: Bundle, budget_mb: int, needed: WorkerMemory, pieces: int, annotator_bytes: int) -> str:
    weights = _in_mb(needed.weights)
    users, others = "a worker", ""
    if annotator_bytes:
        users = "a task"
        others = f" {_in_mb(annotator_bytes)} are for the workers of SentenceDetector and Tokenizer."
    return (
        f"memoryBudgetMb is {budget_mb}, but {users} of model {bundle.manifest.name!r} "
        f"({bundle.manifest.precision}) needs {_in_mb(needed.total + annotator_bytes)}: {_in_mb(needed.process)} for "
        f"the process and a batch of rows, {weights} for the weights, and the larger of {weights} to load them and "
        f"{_in_mb(needed.batch)} + {_in_mb(needed.vectors)} for a batch of {pieces} pieces and for vectors.{others} "
        "Increase memoryBudgetMb, or use a smaller or int8 model."
    )


def _in_mb(num_bytes: int) -> int:
    return -(-num_bytes // _MB)
