"""The emission benchmark runs every form on the real task; nothing here depends on time."""

import pyarrow as pa
import pytest

from sparkalbert.cli import run
from sparkalbert.cli.bench import EMISSION_COLUMNS
from sparkalbert.inference import EmbedderOptions
from sparkalbert.ml.bench.emission import _StubModel, emission_speeds
from sparkalbert.ml.worker.distribution import ModelHandle
from sparkalbert.ml.worker.embedding_tasks import TokenListTask


def test_every_form_emits_as_much_in_every_round(spark):
    told = []
    found = emission_speeds(2, dimension=16, megabytes=1, rounds=2, tell=told.append)
    assert [one["title"] for one in found] == [
        "array<array<float>> into noop",
        "array<binary> into noop",
        "array<binary> into parquet",
        "array<array<float>> into parquet",
    ]
    for one in found:
        assert len(one["seconds"]) == 2
        assert one["megabytes"] == pytest.approx(2, rel=0.01)
        assert one["mb_per_s_a_core"] == pytest.approx(one["megabytes"] / one["median_s"] / 2)
    assert told[-1] == "round 2 of 2"


@pytest.mark.parametrize("binary", [False, True])
def test_the_stub_gives_each_token_a_vector(binary):
    model = _StubModel(ModelHandle("stub", "", ""), EmbedderOptions(), width=3)
    rows = pa.array([["a", "b"], None, []], type=pa.list_(pa.string()))
    (array,) = TokenListTask(model, binary)(iter([(rows,)]))
    sizes = [None if row is None else [len(vector) for vector in row] for row in array.to_pylist()]
    assert sizes == [[12, 12] if binary else [3, 3], None, []]


def test_the_command_shows_it(spark, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")  # as in a pipe
    monkeypatch.setattr("sparkalbert.cli.bench._EMITTED_MB", 1)
    assert run(["bench", "--emission", "--rounds", "1", "--cores", "2"]) == 0
    shown = capsys.readouterr().out
    for column in EMISSION_COLUMNS:
        assert column in shown
    assert "array<binary> into parquet" in shown
