"""Embed few rows, then many, then a long one; print the worker's peaks: ``python -m tests.ml.memory_run MB``.

Peaks are in MB and of one worker, so each includes those before it.
"""

import json
import os
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkalbert.ml import AlbertEmbeddings
from sparkalbert.ml.session.java import ensure_java
from tests.ml.xlarge_run import worker_peaks

LONG = 100_000


def main(budget_mb):
    ensure_java()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "2g")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    stage = AlbertEmbeddings(model="albert_mini_en", inputCols=["tokens"], outputCol="vectors", layers=[1])
    if budget_mb:
        stage.setMemoryBudgetMb(budget_mb)
    peaks = {}
    for name, rows, words in (("few", 10, 10), ("many", 20_000, 10), ("long", 1, LONG)):
        sentence = F.transform(F.sequence(F.lit(1), F.lit(words)), lambda i: (i * 7 + F.col("id")).cast("string"))
        frame = stage.transform(spark.range(0, rows, 1, 1).select(sentence.alias("tokens")))
        found = frame.select(F.sum(F.size("vectors"))).first()[0]
        assert found == rows * words
        peaks[name] = round(max(worker_peaks().values()))
    print(json.dumps(peaks))


if __name__ == "__main__":
    main(int(sys.argv[1]))
