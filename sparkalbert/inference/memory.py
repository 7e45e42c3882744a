"""What a process that embeds needs of memory, and how a budget is shared out.

Four things take it: the process itself with a batch of rows as Spark hands it over, the weights, the
activations of one call, and vectors on their way out. The first two are given; the others are sized here, so
that their sum stays within a budget whatever the number of rows and however long they are. It knows shapes
and sizes, and loads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sparkalbert.bundle import Bundle
from sparkalbert.bundle.folder import CONFIG_FILE, GRAPH_FILE, WEIGHTS_FILE
from sparkalbert.errors import ParamError
from sparkalbert.inference.batching import BatchingOptions
from sparkalbert.inference.engine import VectorOptions

__all__ = ["MemoryPlan", "VectorSizes", "plan_memory"]

_MB: Final = 1 << 20
_FLOAT_BYTES: Final = 4
_PROCESS_MB: Final = 250
"""Python, Spark's worker and the libraries take 150 to 180 MB; the rest is for rows as Spark hands them."""

_WINDOW_BYTES: Final = 32 * _MB
_SMALLEST_WINDOW_BYTES: Final = 2 * _MB
_OUTPUT_BYTES: Final = 16 * _MB
_HELD_WINDOWS: Final = 4
"""The window being computed, the one before it that Spark still reads, and as much again for the text of both
and for pooling."""

_WORKING_WIDTH: Final = 16
"""Hidden-sized rows that a layer's operators hold at a time for a piece, beside two of the feed-forward size:
measured as what a session grows by with its calls, 16.2 for xlarge, fp32; int8 takes less."""

_UNKNOWN_WIDE: Final = 4


@dataclass(frozen=True)
class VectorSizes:
    """How much of vectors a worker holds.

    Attributes
    ----------
    window_bytes
        Vectors computed at a time: enough sentences to sort by length, little enough to hold.
    output_bytes
        Vectors in one output array; the default is the size at which Spark reads fastest.
    row_bytes
        The vectors of the largest row that is held in memory; those of a larger one wait in a file. None for
        no bound.
    """

    window_bytes: int = _WINDOW_BYTES
    output_bytes: int = _OUTPUT_BYTES
    row_bytes: int | None = None


@dataclass(frozen=True)
class MemoryPlan:
    """Sizes that keep within a budget.

    Attributes
    ----------
    batching
        How calls are filled.
    sizes
        How much of vectors is held.
    """

    batching: BatchingOptions
    sizes: VectorSizes


def plan_memory(
    bundle: Bundle, vectors: VectorOptions, batching: BatchingOptions, budget_mb: int | None
) -> MemoryPlan:
    """Return sizes that keep a worker within a budget.

    Parameters
    ----------
    bundle
        The model.
    vectors
        What a vector is: its width and the longest sequence.
    batching
        How calls are to be filled; a small budget makes them smaller.
    budget_mb
        Resident memory of one Python worker, in MB of 2**20 bytes; None for the sizes that are fastest.

    Raises
    ------
    ParamError
        When the model does not fit; the message spells the sum out.
    """
    batching = batching.of_model(bundle.manifest)
    if budget_mb is None:
        return MemoryPlan(batching, VectorSizes())
    weights = _weights_bytes(bundle)
    per_piece = _bytes_per_piece(bundle, vectors.max_sentence_length)
    left = (budget_mb - _PROCESS_MB) * _MB - weights
    pieces = batching.pieces_per_call or vectors.max_sentence_length
    while pieces > vectors.max_sentence_length and _windows(left, pieces * per_piece) < 1:
        pieces = max(pieces // 2, vectors.max_sentence_length)
    call = max(pieces, vectors.max_sentence_length) * per_piece
    if _windows(left, call) < 1 or left < weights:
        raise ParamError(_refusal(bundle, budget_mb, weights, call, vectors.max_sentence_length))
    window = min((left - call) // _HELD_WINDOWS, _WINDOW_BYTES)
    row = left - call - (_HELD_WINDOWS - 1) * window
    sizes = VectorSizes(window, min(window // 2, _OUTPUT_BYTES), row)
    return MemoryPlan(replace(batching, pieces_per_call=pieces), sizes)


def _windows(left: int, call: int) -> float:
    """Return how often the smallest set of windows fits beside a call."""
    return (left - call) / (_HELD_WINDOWS * _SMALLEST_WINDOW_BYTES)


def _weights_bytes(bundle: Bundle) -> int:
    """Return what ONNX Runtime keeps, in the order its kernels read; while it loads, twice as much."""
    files = bundle.manifest.files
    return sum(files[name].size_bytes for name in (GRAPH_FILE, WEIGHTS_FILE) if name in files)


def _bytes_per_piece(bundle: Bundle, longest: int) -> int:
    """Return the activations of a piece in the layer that holds most, attention scores included."""
    hidden = bundle.manifest.dimension
    wide, heads = _UNKNOWN_WIDE * hidden, hidden // 64
    if CONFIG_FILE in bundle.manifest.files:
        wide, heads = bundle.config.intermediate_size, bundle.config.num_attention_heads
    return _FLOAT_BYTES * (_WORKING_WIDTH * hidden + 2 * wide + heads * longest)


def _refusal(bundle: Bundle, budget_mb: int, weights: int, call: int, pieces: int) -> str:
    windows = _HELD_WINDOWS * _SMALLEST_WINDOW_BYTES
    needed = _PROCESS_MB * _MB + weights + max(weights, call + windows)
    return (
        f"memoryBudgetMb is {budget_mb}, but a worker of model {bundle.manifest.name!r} "
        f"({bundle.manifest.precision}) needs {-(-needed // _MB)}: {_PROCESS_MB} for the process and a batch "
        f"of rows, {_in_mb(weights)} for the weights, and the larger of {_in_mb(weights)} to load them and "
        f"{_in_mb(call)} + {_in_mb(windows)} for a call of {pieces} pieces and for vectors. Give it as much, "
        "or take a model that is smaller or in int8."
    )


def _in_mb(num_bytes: int) -> str:
    return f"{-(-num_bytes // _MB)}"
