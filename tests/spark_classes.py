"""Loads the classes of Spark that the tests need: ``make test`` runs it once and keeps them for the starts that follow.

The JVM writes the archive when it ends, see the Makefile.
"""

import sys
import tempfile
from pathlib import Path

from sparkalbert import start
from sparkalbert.ml.session.spark_session import QUIET


def main() -> None:
    """Read CSV and JSON, run Python, a shuffle and a stream, and write Parquet."""
    from pyspark.sql import functions as F

    spark = start(master="local[1]", params=QUIET)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "texts.csv").write_text("id,text\n1,a\n2,b\n", encoding="utf-8")
        frame = spark.read.csv(str(folder / "texts.csv"), header=True)
        made = frame.mapInArrow(lambda batches: batches, frame.schema).withColumn("n", F.length("text"))
        made.groupBy("text").count().orderBy("text").write.parquet(f"{folder}/out")
        made.write.json(f"{folder}/lines")
        assert spark.read.parquet(f"{folder}/out").count() == 2
        lines = spark.readStream.schema("text string").json(f"{folder}/lines")
        stream = lines.writeStream.format("parquet").option("checkpointLocation", f"{folder}/checkpoint")
        stream.trigger(availableNow=True).start(f"{folder}/stream").awaitTermination()
    spark.stop()


if __name__ == "__main__":
    sys.exit(main())
