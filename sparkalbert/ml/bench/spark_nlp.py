"""Runs the system that sparkalbert replaces: the real Spark NLP, in an environment of its own.

This module runs in the Python of that environment, which has pyspark and spark-nlp but not our dependencies, so it
imports nothing else. The model comes in Spark NLP's import layout.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sparkalbert.errors import MissingDependencyError

__all__ = ["SparkNlpSystem"]

_PACKAGE: Final = "com.johnsnowlabs.nlp:spark-nlp_2.12"
_DEFAULT_BATCH_SIZE: Final = 8
_THREADS_SETTING: Final = "spark.jsl.settings.onnx.intraOpNumThreads"


class SparkNlpSystem:
    """Spark NLP's pipeline of the model card, into ``noop``.

    Parameters
    ----------
    model
        Folder in import layout: ``model.onnx`` and ``assets/spiece.model``.
    dimension
        Width of a vector.
    texts, warm_up_texts
        The texts to embed, and a small part of them.
    cores
        Number of tasks that run at a time.
    jars
        Folder of the jars; if empty, Spark downloads them from Maven.
    batch_size, onnx_threads
        Sentences per batch and ONNX threads; None for Spark NLP's defaults, 8 sentences and 6 threads.

    Raises
    ------
    MissingDependencyError
        If spark-nlp is not installed.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each argument is a setting of the run
        self,
        model: str,
        dimension: int,
        texts: Sequence[str],
        warm_up_texts: Sequence[str],
        cores: int,
        jars: str = "",
        batch_size: int | None = None,
        onnx_threads: int | None = None,
    ) -> None:
        try:
            import sparknlp
        except ImportError as error:
            msg = f"{sys.executable} has no spark-nlp: {error}"
            raise MissingDependencyError(msg) from error
        self._version = sparknlp.version()
        self._model, self._dimension = model, dimension
        self._texts, self._warm_up_texts = texts, warm_up_texts
        self._cores = cores
        self._jars = jars
        self._batch_size = batch_size or _DEFAULT_BATCH_SIZE
        self._onnx_threads = onnx_threads

    def load(self) -> dict[str, Any]:
        """Start Spark with Spark NLP and load the model."""
        from pyspark.ml import Pipeline

        from sparkalbert.ml.bench.rows import CachedPrefixes, cached_rows

        self._spark = self._session()
        self._prefixes = CachedPrefixes(self._spark, self._texts, self._cores)
        warm_up = cached_rows(self._spark, self._warm_up_texts, self._cores)
        self._pipeline = Pipeline(stages=self._stages(self._spark)).fit(warm_up)
        self._warm_up = self._pipeline.transform(warm_up)
        threads = self._onnx_threads or "default"
        return {"settings": f"Spark NLP {self._version}, batchSize {self._batch_size}, ONNX threads {threads}"}

    def warm_up(self) -> int:
        """Embed a few rows and return the number of vectors."""
        from pyspark.sql import functions as F

        vectors = self._warm_up.select(F.sum(F.size("embeddings"))).head()
        return int(vectors[0] or 0) if vectors else 0

    def take(self, rows: int) -> None:
        """Cache the first rows."""
        self._taken = self._pipeline.transform(self._prefixes.first(rows))

    def embed(self) -> None:
        """Embed the rows."""
        self._taken.write.format("noop").mode("overwrite").save()

    def measurements(self) -> dict[str, Any]:
        """Return nothing: Spark NLP does not measure itself."""
        return {}

    def _session(self) -> Any:
        from pyspark.sql import SparkSession

        builder = (
            SparkSession.builder.master(f"local[{self._cores}]")
            .config("spark.serializer", "org.apache.spark.serializer.KryoSerializer")
            .config("spark.kryoserializer.buffer.max", "2000M")
            .config("spark.driver.memory", "6g")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.ui.enabled", "false")
        )
        if self._jars:
            jars = sorted(str(jar) for jar in Path(self._jars).glob("*.jar"))
            builder = builder.config("spark.jars", ",".join(jars))
        else:
            builder = builder.config("spark.jars.packages", f"{_PACKAGE}:{self._version}")
        if self._onnx_threads is not None:
            builder = builder.config(_THREADS_SETTING, str(self._onnx_threads))
        spark = builder.getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
        return spark

    def _stages(self, spark: Any) -> list[Any]:
        from sparknlp.annotator import AlbertEmbeddings, SentenceDetector, Tokenizer
        from sparknlp.base import DocumentAssembler

        embeddings = (
            AlbertEmbeddings.loadSavedModel(self._model, spark)
            .setInputCols("sentence", "token")
            .setOutputCol("embeddings")
            .setBatchSize(self._batch_size)
            .setDimension(self._dimension)
        )
        return [
            DocumentAssembler().setInputCol("text").setOutputCol("document"),
            SentenceDetector().setInputCols("document").setOutputCol("sentence"),
            Tokenizer().setInputCols("sentence").setOutputCol("token"),
            embeddings,
        ]
