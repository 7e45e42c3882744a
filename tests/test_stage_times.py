"""Where time goes: each stage of real work leaves its mark, and padding is counted to the piece."""

import time

import pyarrow as pa
import pytest

from sparkalbert.inference import BatchingOptions, EmbedderOptions, WordEmbedder
from sparkalbert.ml.worker.distribution import ModelHandle
from sparkalbert.ml.worker.embedding_tasks import TokenListTask, WorkerModel
from sparkalbert.stage_times import STAGE_TIMES, STAGES, StageTimes
from tests import tiny_bundle


def test_times_of_a_stage_add_up():
    times = StageTimes()
    for _ in range(2):
        with times.measure("run"):
            time.sleep(0.01)
    assert times.seconds["run"] >= 0.02
    assert [times.seconds[stage] for stage in STAGES if stage != "run"] == [0.0] * 5


def test_a_stage_that_fails_is_timed_and_one_that_does_not_exist_is_refused():
    times = StageTimes()
    with pytest.raises(ValueError, match="no number"), times.measure("run"):
        int("no number")
    assert times.seconds["run"] > 0
    with pytest.raises(KeyError), times.measure("rest"):
        pass


def test_a_task_of_a_worker_is_timed_in_every_stage():
    bundle = tiny_bundle.bundle(num_hidden_layers=2)
    handle = ModelHandle("tiny", bundle.digest, str(bundle.path))
    before = dict(STAGE_TIMES.seconds)
    rows = pa.array([["The", "river"], None, ["high"]], type=pa.list_(pa.string()))
    list(TokenListTask(WorkerModel(handle, EmbedderOptions()))(iter([(rows,)])))
    assert {stage for stage in STAGES if STAGE_TIMES.seconds[stage] > before[stage]} == set(STAGES)


def test_calls_and_padding_are_counted():
    options = EmbedderOptions(batching=BatchingOptions(pieces_per_call=1000))
    embedder = WordEmbedder(tiny_bundle.bundle(), options)
    encoded = [embedder.encode_list(tokens) for tokens in (["river"], ["The", "river", "was", "high"])]
    lengths = [len(sentence.ids) + 2 for sentence in encoded]
    assert lengths[0] < lengths[1]
    before = (STAGE_TIMES.calls, STAGE_TIMES.pieces, STAGE_TIMES.slots)
    embedder.vectors(encoded)
    after = (STAGE_TIMES.calls, STAGE_TIMES.pieces, STAGE_TIMES.slots)
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, sum(lengths), 2 * lengths[1]]
