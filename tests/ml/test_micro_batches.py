"""The measurement of micro-batches counts each of them."""

from tests import tiny_bundle
from tests.ml.micro_batches import ROWS_PER_BATCH, batch_times_ms


def test_each_micro_batch_is_timed(spark, tmp_path):
    for name, model in (("plain", None), ("embedded", str(tiny_bundle.bundle().path))):
        times_ms = batch_times_ms(spark, tmp_path / name, model, num_batches=2)
        assert len(times_ms) == 2
        assert min(times_ms) > 0
        written = spark.read.parquet(f"{tmp_path}/{name}/out")
        assert written.columns == ["id", "text" if model is None else "vectors"]
        assert written.count() == 2 * ROWS_PER_BATCH
