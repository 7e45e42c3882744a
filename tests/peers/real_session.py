"""Starts the real Spark NLP from a folder that holds its ``jars/``."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["card_pipeline", "peer_folder", "start"]

_DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "peer" / "spark-nlp"


def peer_folder() -> Path:
    """Return the folder that SPARK_NLP_PEER names, by default that of the Makefile."""
    return Path(os.environ.get("SPARK_NLP_PEER") or _DEFAULT)


def start(peer: Path, *, cores: int = 2, onnx_threads: int | None = None, conf: Mapping[str, str] | None = None) -> Any:
    """Return a local classic session with Spark NLP on its class path.

    Parameters
    ----------
    peer
        The folder of ``jars/``.
    cores
        Tasks that run at a time.
    onnx_threads
        Threads of Spark NLP's ONNX Runtime; 6 by its default.
    conf
        More settings of Spark.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.sql import SparkSession

    settings = {
        "spark.jars": ",".join(map(str, sorted((peer / "jars").glob("*.jar")))),
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
        "spark.kryoserializer.buffer.max": "2000M",
        "spark.driver.memory": "6g",
        "spark.driver.maxResultSize": "0",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        **({} if onnx_threads is None else {"spark.jsl.settings.onnx.intraOpNumThreads": str(onnx_threads)}),
        **(conf or {}),
    }
    builder: Any = SparkSession.builder.master(f"local[{cores}]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def card_pipeline(spark: Any, model_folder: str, *, batch_size: int) -> Sequence[Any]:
    """Return the model card's stages on a model in Spark NLP's import layout, at Spark NLP's default lengths."""
    from sparknlp.annotator import AlbertEmbeddings, SentenceDetector, Tokenizer
    from sparknlp.base import DocumentAssembler

    embeddings = AlbertEmbeddings.loadSavedModel(model_folder, spark).setInputCols("sentence", "token")
    return [
        DocumentAssembler().setInputCol("text").setOutputCol("document"),
        SentenceDetector().setInputCols("document").setOutputCol("sentence"),
        Tokenizer().setInputCols("sentence").setOutputCol("token"),
        embeddings.setOutputCol("embeddings").setBatchSize(batch_size).setMaxSentenceLength(128).setDimension(768),
    ]
