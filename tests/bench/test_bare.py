"""Bare ONNX Runtime: the search for its fastest setting, and what it counts."""

import pytest

from sparkalbert.bench import bare
from sparkalbert.bench.bare import BareSystem, Split, _SessionPool, _shortest_s
from sparkalbert.inference.batching import pad
from sparkalbert.inference.sequences import encode_texts
from tests import tiny_bundle


def test_bare_onnx_runtime_runs_no_sequences():
    pool = _SessionPool(str(tiny_bundle.bundle().path), Split(1, 1, 64))
    assert pool.batches([]) == []
    pool.run([])
    pool.close()


class ClockedPool:
    """Takes the place of the processes: one batch, whose time depends on the setting alone, by a clock of its own."""

    now_s = 0.0

    def __init__(self, _bundle, split):
        self.split = split

    def run_on_each_process(self, _batches):
        pass

    def batches(self, sequences):
        return [pad(sequences, 0)]

    def run(self, _batches):
        ClockedPool.now_s += {256: 0.3, 512: 0.4, 1024: 0.5}[self.split.pieces_per_batch]

    def close(self):
        pass


def test_a_trial_is_repeated_and_its_fastest_run_counts(monkeypatch):
    durations = iter([0.4, 0.3, 0.5])
    now_s = 0.0

    def run_once():
        nonlocal now_s
        now_s += next(durations)

    monkeypatch.setattr(bare.time, "perf_counter", lambda: now_s)
    assert _shortest_s(run_once, 1.0) == pytest.approx(0.3)
    assert next(durations, None) is None
    durations = iter([0.4])
    assert _shortest_s(run_once, 0.0) == pytest.approx(0.4), "once at least"


def test_the_batch_size_is_searched_on_one_core_too(monkeypatch):
    monkeypatch.setattr(bare, "_SessionPool", ClockedPool)
    monkeypatch.setattr(bare.time, "perf_counter", lambda: ClockedPool.now_s)
    texts = ["The river was high.", "The bank."]
    system = BareSystem({"products": str(tiny_bundle.bundle().path)}, texts, texts, cores=1)
    assert system.load() == {"settings": "processes: 1, threads in each: 1, pieces per batch: 256"}


def test_bare_onnx_runtime_counts_all_jobs_since_the_warm_up(monkeypatch):
    monkeypatch.setattr(bare, "_SessionPool", ClockedPool)
    texts = ["The river was high.", "The bank closed.", "The bank."]
    bundle = tiny_bundle.bundle()
    system = BareSystem({"loop": str(bundle.path)}, texts, texts, cores=1, split=[1, 1, 512])
    system.load()
    for _ in range(2):
        system.warm_up()
        for rows in (1, 3):
            system.take(rows)
            system.embed()
    counts = system.measurements()
    assert counts["pieces"] == sum(encode_texts(bundle, texts[:rows]).pieces for rows in (1, 3))
    assert counts["batches"] == 2
    assert counts["slots"] >= counts["pieces"]
