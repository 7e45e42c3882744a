"""Run the whole pipeline and print its workers' peaks: ``python -m tests.ml.task_memory_run MODEL BUDGET_MB``.

There is one task at a time, so all workers are those of one task. Peaks are in MB. Spark hands an idle worker to any
stage of the next task, so the tasks are several. One layer is enough: all layers share their weights, and activations
are those of one layer at a time.
"""

import json
import os
import sys

import pyspark
from pyspark.ml import Pipeline
from pyspark.sql import SparkSession

from sparkalbert.ml import AlbertEmbeddings, DocumentAssembler, SentenceDetector, Tokenizer
from sparkalbert.ml.session.java import ensure_java
from tests.ml.xlarge_run import sentences, worker_peaks

TASKS = 4
REPEATS = 3  # per task: its vectors fill more than one window of 32 MB


def main(folder, budget_mb):
    ensure_java()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    rows = [(text,) for text in sentences()] * (TASKS * REPEATS)
    frame = spark.createDataFrame(rows, "text string").repartition(TASKS)
    embeddings = AlbertEmbeddings(model=folder, inputCols=["sentence", "token"], outputCol="embeddings", layers=[1])
    stages = [
        DocumentAssembler().setInputCol("text").setOutputCol("document"),
        SentenceDetector().setInputCols("document").setOutputCol("sentence"),
        Tokenizer().setInputCols("sentence").setOutputCol("token"),
        embeddings.setMemoryBudgetMb(budget_mb),
    ]
    out = Pipeline(stages=stages).fit(frame).transform(frame)
    out.write.format("noop").mode("overwrite").save()
    peaks = sorted(map(round, worker_peaks().values()))
    print(json.dumps({"spark": pyspark.__version__, "budget_mb": budget_mb, "workers_mb": peaks, "sum_mb": sum(peaks)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
