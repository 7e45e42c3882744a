"""The benchmark of output throughput runs every form on the real task; nothing here depends on time."""

import pyarrow as pa
import pytest

from sparkalbert.cli import run
from sparkalbert.cli.bench import THROUGHPUT_COLUMNS
from sparkalbert.ml.bench.output_throughput import StubModel, output_throughput
from sparkalbert.ml.worker.embedding_tasks import TokenListTask


def test_every_form_leaves_equally_often_in_every_round(spark):
    notes = []
    found = output_throughput(2, dimension=16, megabytes=1, rounds=2, notify=lambda *note: notes.append(note))
    assert [output["title"] for output in found] == [
        "array<array<float>> into noop",
        "array<binary> into noop",
        "array<binary> into parquet",
        "array<array<float>> into parquet",
    ]
    for output in found:
        assert len(output["seconds"]) == 2
        assert output["megabytes"] == pytest.approx(2, rel=0.01)
        assert output["mb_per_s_per_core"] == pytest.approx(output["megabytes"] / output["median_s"] / 2)
    assert notes[-1] == ("round 2 of 2", 1, 2)


@pytest.mark.parametrize(("binary", "size"), [(None, 3), ("binary", 12), ("binary16", 6)])
def test_the_stub_gives_each_token_a_vector(binary, size):
    rows = pa.array([["a", "b"], None, []], type=pa.list_(pa.string()))
    arrays = list(TokenListTask(StubModel(dimension=3), binary)(iter([(rows,)])))
    found = [row for array in arrays for row in array.to_pylist()]
    sizes = [None if row is None else [len(vector) for vector in row] for row in found]
    assert sizes == [[size, size], None, []]


def test_the_command_shows_it(spark, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")  # as in a pipe
    monkeypatch.setattr("sparkalbert.cli.bench._OUTPUT_MB", 1)
    assert run(["bench", "--output-throughput", "--rounds", "1", "--cores", "2"]) == 0
    shown = capsys.readouterr().out
    for column in THROUGHPUT_COLUMNS:
        assert column in shown
    assert "array<binary> into parquet" in shown
