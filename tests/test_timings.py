"""Where time goes: each phase of real work is measured, and padding is counted to the piece."""

import time

import pyarrow as pa
import pytest

from sparkalbert import WordEmbedder
from sparkalbert.inference import BatchingOptions, EmbedderOptions
from sparkalbert.ml.worker.embedding_tasks import TokenListTask
from sparkalbert.ml.worker.model import ModelHandle, WorkerModel
from sparkalbert.timings import PHASES, TIMINGS, Timings
from tests import tiny_bundle


def test_times_of_a_phase_add_up():
    times = Timings()
    for _ in range(2):
        with times.measure("run"):
            time.sleep(0.01)
    assert times.seconds["run"] >= 0.02
    assert [times.seconds[phase] for phase in PHASES if phase != "run"] == [0.0] * 5


def test_a_phase_that_fails_is_measured_and_an_unknown_phase_is_refused():
    times = Timings()
    with pytest.raises(ValueError, match="no number"), times.measure("run"):
        int("no number")
    assert times.seconds["run"] > 0
    with pytest.raises(KeyError), times.measure("rest"):
        pass


def test_a_task_of_a_worker_is_measured_in_every_phase():
    handle = ModelHandle.in_place(tiny_bundle.bundle(num_hidden_layers=2))
    before = dict(TIMINGS.seconds)
    rows = pa.array([["The", "river"], None, ["high"]], type=pa.list_(pa.string()))
    list(TokenListTask(WorkerModel(handle, EmbedderOptions()))(iter([(rows,)])))
    assert {phase for phase in PHASES if TIMINGS.seconds[phase] > before[phase]} == set(PHASES)


def test_batches_and_padding_are_counted():
    options = EmbedderOptions(batching=BatchingOptions(pieces_per_batch=1000))
    embedder = WordEmbedder(tiny_bundle.bundle(), options)
    texts = ["river", "The river was high"]
    encoded = embedder._embedder.encode_token_lists([text.split() for text in texts])
    short, long = (len(sentence.ids) + 2 for sentence in encoded)
    assert short < long
    before = (TIMINGS.batches, TIMINGS.pieces, TIMINGS.slots)
    embedder.embed(texts)
    after = (TIMINGS.batches, TIMINGS.pieces, TIMINGS.slots)
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, short + long, 2 * long]
