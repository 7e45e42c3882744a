"""How fast vectors leave a worker, whatever the model: the real task around an engine that computes nothing.

What is measured is the way out: Arrow arrays built in the worker, the socket, Spark's rows, and the sink.
On CPUs a model is far slower than this; on a GPU, and into Parquet, this is what limits.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkalbert.inference import EmbedderOptions, WordEmbedder
from sparkalbert.ml.bench.pipeline import Sink, write
from sparkalbert.ml.schema import BINARY_VECTORS, VECTORS
from sparkalbert.ml.session.spark_session import spark_session
from sparkalbert.ml.worker.distribution import ModelHandle
from sparkalbert.ml.worker.embedding_tasks import TOKEN_LIST_INPUTS, TokenListTask, WorkerModel
from sparkalbert.ml.worker.udf import arrow_column
from sparkalbert.text.encoding import EncodedSentence

__all__ = ["EmissionForm", "emission_speeds"]

_ROW_TOKENS: Final = 32
_FLOAT_BYTES: Final = 4
_MB: Final = 1_000_000


@dataclass(frozen=True)
class EmissionForm:
    """A form of vectors and where they go.

    Attributes
    ----------
    binary
        ``array<binary>`` rather than ``array<array<float>>``.
    sink
        ``noop`` or ``parquet``.
    """

    binary: bool
    sink: Sink

    @property
    def title(self) -> str:
        """For a person.

        Examples
        --------
        >>> EmissionForm(binary=True, sink="parquet").title
        'array<binary> into parquet'
        """
        return f"{'array<binary>' if self.binary else 'array<array<float>>'} into {self.sink}"


_FORMS: Final = (
    EmissionForm(binary=False, sink="noop"),
    EmissionForm(binary=True, sink="noop"),
    EmissionForm(binary=True, sink="parquet"),
    EmissionForm(binary=False, sink="parquet"),
)


@dataclass(frozen=True)
class _StubModel(WorkerModel):
    """A model of a width and nothing else."""

    width: int = 0

    def load(self) -> WordEmbedder:
        """Return what stands in for an embedder."""
        return cast(WordEmbedder, _StubEmbedder(self.width))


@dataclass(frozen=True)
class _StubEmbedder:
    dimension: int

    def encode_list(self, tokens: Sequence[str]) -> EncodedSentence:
        return EncodedSentence(np.zeros(0, dtype=np.int64), np.zeros((len(tokens), 2), dtype=np.int64))

    def vectors(self, sentences: Sequence[EncodedSentence]) -> npt.NDArray[np.float32]:
        count = sum(len(sentence.ranges) for sentence in sentences)
        return _numbers(1 << (max(count, 1) - 1).bit_length(), self.dimension)[:count]


@lru_cache(maxsize=4)
def _numbers(count: int, dimension: int) -> npt.NDArray[np.float32]:
    """Random numbers, so that Parquet cannot compress what no model's vectors would let it."""
    return np.random.default_rng(0).standard_normal((count, dimension), dtype=np.float32)


def emission_speeds(
    cores: int, *, dimension: int, megabytes: int, rounds: int, tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return how fast each form of vectors leaves the workers.

    Every form is warmed up by a whole round, which the JVM needs to compile what it will run; then all run
    in alternation, and the median counts. Times are whole Spark jobs, their fixed cost of some tenths of a
    second included.

    Parameters
    ----------
    cores
        Tasks that run at a time.
    dimension
        Width of a vector.
    megabytes
        Vectors that each core emits in a round.
    rounds
        How often each form runs.
    tell
        Told what is going on.

    Returns
    -------
    list of dict
        ``title``, ``megabytes`` (of all cores), ``seconds`` of every round, ``median_s`` and
        ``mb_per_s_a_core``.
    """
    rows = max(1, megabytes * _MB // (_ROW_TOKENS * dimension * _FLOAT_BYTES)) * cores
    total = rows * _ROW_TOKENS * dimension * _FLOAT_BYTES / _MB
    seconds: dict[EmissionForm, list[float]] = {form: [] for form in _FORMS}
    with spark_session(f"local[{cores}]") as opened, tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder) / "vectors")
        for form in _FORMS:
            tell(f"warming up {form.title}")
            write(_frame(opened.spark, rows, cores, dimension, form), form.sink, target)
        for number in range(rounds):
            tell(f"round {number + 1} of {rounds}")
            for form in _FORMS if number % 2 == 0 else reversed(_FORMS):
                frame = _frame(opened.spark, rows, cores, dimension, form)
                started_s = time.perf_counter()
                write(frame, form.sink, target)
                seconds[form].append(time.perf_counter() - started_s)
    return [dict(_speed(form, seconds[form], total, cores)) for form in _FORMS]


def _speed(form: EmissionForm, seconds: list[float], total: float, cores: int) -> Iterator[tuple[str, Any]]:
    median_s = float(np.median(seconds))
    yield "title", form.title
    yield "megabytes", total
    yield "seconds", seconds
    yield "median_s", median_s
    yield "mb_per_s_a_core", total / median_s / cores


def _frame(spark: SparkSession, rows: int, cores: int, dimension: int, form: EmissionForm) -> DataFrame:
    tokens = spark.range(0, rows, 1, cores).selectExpr(
        f"transform(sequence(1, {_ROW_TOKENS}), number -> concat('token', number)) as tokens"
    )
    task = TokenListTask(
        _StubModel(ModelHandle("stub", "", ""), EmbedderOptions(), width=dimension), form.binary
    )
    kind = BINARY_VECTORS if form.binary else VECTORS
    return tokens.select(arrow_column(task, [F.col("tokens")], TOKEN_LIST_INPUTS, kind).alias("vectors"))
