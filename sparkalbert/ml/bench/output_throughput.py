"""Measures how fast vectors leave a worker: runs the real task with a model that computes nothing.

What is measured is the output: Arrow arrays built in the worker, the socket, Spark's rows, and the sink. On CPUs a
model is far slower than this; on a GPU, and into Parquet, the output is the limit.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkalbert.arrays import Float32Array
from sparkalbert.inference import Embedder, VectorSizes
from sparkalbert.ml.bench.pipeline import Sink, write
from sparkalbert.ml.schema import BINARY_VECTORS, VECTORS
from sparkalbert.ml.session.spark_session import QUIET, opened_session
from sparkalbert.ml.worker.embedding_tasks import TokenListTask
from sparkalbert.ml.worker.fields import TOKEN_LIST
from sparkalbert.ml.worker.udf import arrow_column
from sparkalbert.text.pieces.encoding import EncodedSentence

__all__ = ["StubModel", "VectorOutput", "output_throughput"]

_ROW_TOKENS: Final = 32
_FLOAT_BYTES: Final = 4
_MB: Final = 1_000_000


@dataclass(frozen=True)
class VectorOutput:
    """A form of vectors and where they go.

    Attributes
    ----------
    binary
        If true, vectors are ``array<binary>``, otherwise ``array<array<float>>``.
    sink
        ``noop`` or ``parquet``.
    """

    binary: bool
    sink: Sink

    @property
    def title(self) -> str:
        """A description for people.

        Examples
        --------
        >>> VectorOutput(binary=True, sink="parquet").title
        'array<binary> into parquet'
        """
        return f"{'array<binary>' if self.binary else 'array<array<float>>'} into {self.sink}"


_OUTPUTS: Final = (
    VectorOutput(binary=False, sink="noop"),
    VectorOutput(binary=True, sink="noop"),
    VectorOutput(binary=True, sink="parquet"),
    VectorOutput(binary=False, sink="parquet"),
)


@dataclass(frozen=True)
class StubModel:
    """A model that computes nothing, for :class:`~sparkalbert.ml.worker.embedding_tasks.TokenListTask`.

    Attributes
    ----------
    dimension
        Width of its vectors.
    sizes
        How many bytes of vectors are held.
    """

    dimension: int
    sizes: VectorSizes = field(default_factory=VectorSizes)

    def load(self) -> Embedder:
        """Return an object with the methods of an embedder that the task calls."""
        return cast(Embedder, _StubEmbedder(self.dimension))


@dataclass(frozen=True)
class _StubEmbedder:
    dimension: int

    def encode_token_lists(self, lists: Sequence[Sequence[str]]) -> list[EncodedSentence]:
        none = np.zeros(0, dtype=np.int64)
        return [EncodedSentence(none, np.zeros((len(tokens), 2), dtype=np.int64)) for tokens in lists]

    def vectors(self, sentences: Sequence[EncodedSentence]) -> Float32Array:
        count = sum(len(sentence.ranges) for sentence in sentences)
        # Rounded up to a power of two, so that groups of rows of different sizes share one cached array.
        return _random_vectors(1 << (max(count, 1) - 1).bit_length(), self.dimension)[:count]


@lru_cache(maxsize=4)
def _random_vectors(count: int, dimension: int) -> Float32Array:
    """Return random numbers, which Parquet can compress as little as the vectors of a real model."""
    return np.random.default_rng(0).standard_normal((count, dimension), dtype=np.float32)


def output_throughput(
    cores: int, *, dimension: int, megabytes: int, rounds: int, notify: Callable[[str, float, float], None]
) -> list[dict[str, Any]]:
    """Return how fast each form of vectors leaves the workers.

    Every form is warmed up by a whole round, because the JVM must compile the code that it runs. Then all forms run in
    alternation, and the median counts. Times are whole Spark jobs, including their fixed cost of some tenths of a
    second.

    Parameters
    ----------
    cores
        Number of tasks that run at a time.
    dimension
        Width of a vector.
    megabytes
        Size of the vectors per core and round, in MB.
    rounds
        How often each form runs.
    notify
        Called with what runs now, and how many of how many rounds are done; 0 of 0 while warming up.

    Returns
    -------
    list of dict
        ``title``, ``megabytes`` (of all cores), ``seconds`` of every round, ``median_s`` and ``mb_per_s_per_core``.
    """
    rows = max(1, megabytes * _MB // (_ROW_TOKENS * dimension * _FLOAT_BYTES)) * cores
    total_mb = rows * _ROW_TOKENS * dimension * _FLOAT_BYTES / _MB
    seconds: dict[VectorOutput, list[float]] = {output: [] for output in _OUTPUTS}
    session = opened_session(f"local[{cores}]", QUIET, log_level="ERROR")
    with session as opened, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        target = str(Path(folder) / "vectors")
        for output in _OUTPUTS:
            notify(f"warming up {output.title}", 0, 0)
            write(_frame(opened.spark, rows, cores, dimension, output), output.sink, target)
        for number in range(rounds):
            notify(f"round {number + 1} of {rounds}", number, rounds)
            for output in _OUTPUTS if number % 2 == 0 else reversed(_OUTPUTS):
                frame = _frame(opened.spark, rows, cores, dimension, output)
                started_s = time.perf_counter()
                write(frame, output.sink, target)
                seconds[output].append(time.perf_counter() - started_s)
    return [_speed(output, seconds[output], total_mb, cores) for output in _OUTPUTS]


def _speed(output: VectorOutput, seconds: list[float], total_mb: float, cores: int) -> dict[str, Any]:
    median_s = float(np.median(seconds))
    return {
        "title": output.title,
        "megabytes": total_mb,
        "seconds": seconds,
        "median_s": median_s,
        "mb_per_s_per_core": total_mb / median_s / cores,
    }


def _frame(spark: SparkSession, rows: int, cores: int, dimension: int, output: VectorOutput) -> DataFrame:
    tokens = spark.range(0, rows, 1, cores).selectExpr(
        f"transform(sequence(1, {_ROW_TOKENS}), number -> concat('token', number)) as tokens"
    )
    task = TokenListTask(StubModel(dimension), "binary" if output.binary else None)
    kind = BINARY_VECTORS if output.binary else VECTORS
    return tokens.select(arrow_column(task, [F.col("tokens")], (TOKEN_LIST.type,), kind).alias("vectors"))
