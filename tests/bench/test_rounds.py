"""The order and the length of slices, and the processes that run them."""

import pytest

from sparkalbert.bench import rounds
from sparkalbert.bench.rounds import Schedule, run_rounds, turns
from sparkalbert.bench.system import Job, Result, Spec
from sparkalbert.errors import InferenceError
from tests import tiny_bundle


def test_every_slice_stands_between_two_of_the_reference():
    order = list(turns({"bare": 6, "a": 6, "slow": 1, "b": 6}, "bare"))
    assert order[::2] == ["bare"] * 14
    others = order[1::2]
    assert [others.count(name) for name in ("a", "slow", "b")] == [6, 1, 6]
    assert others[:3] == ["a", "slow", "b"]
    assert others[3:7] == ["b", "a", "a", "b"], "forwards and backwards in turn"


def test_a_system_alone_runs_as_often_as_planned():
    assert list(turns({"bare": 3}, "bare")) == ["bare"] * 3


def test_a_slice_is_as_long_as_a_sixth_of_a_round_but_has_rows_for_every_core():
    schedule = Schedule(rounds=3, seconds=30.0, rows=1000, min_rows=16)
    plan = schedule.slice_of(100, 1.0)
    assert (plan.jobs, plan.slices) == ([125, 500], 5), "of 6.25 s"
    assert schedule.slice_of(100, 0.01).jobs == [250, 1000], "no more than there are"
    assert schedule.slice_of(100, 1e-9).slices == 6


def test_both_jobs_of_a_slice_have_rows_for_every_core():
    """Else the small job is slower per row, and the steady rate, that of the difference, is above the true one."""
    schedule = Schedule(rounds=3, seconds=30.0, rows=1000, min_rows=16)
    medium = schedule.slice_of(16, 5.0)
    assert (medium.jobs, medium.slices) == ([16, 64], 2), "more than 5 s"
    slow = schedule.slice_of(16, 10.0)
    assert (slow.jobs, slow.slices) == ([48], 1), "as many as the round allows, without a small job"
    slowest = schedule.slice_of(16, 60.0)
    assert (slowest.jobs, slowest.slices) == ([16], 1), "longer than a round"
    assert Schedule(1, 30.0, 63, 16).slice_of(63, 1.0).jobs == [63]
    assert Schedule(1, 30.0, 64, 16).slice_of(64, 1.0).jobs == [16, 64]


def test_a_round_of_a_microsecond_has_one_slice():
    plan = Schedule(1, 1e-6, 7, 8).slice_of(7, 0.001)
    assert (plan.jobs, plan.slices) == ([7], 1)


def test_the_process_of_a_system_runs_a_small_and_a_large_job_in_every_slice(monkeypatch):
    texts = ["The river was high."] * 8
    arguments = {"bundle": str(tiny_bundle.bundle().path), "texts": texts, "warm_up_texts": texts[:2], "cores": 1}
    spec = Spec("embedder-fp32", "embedder", "fp32", "WordEmbedder", arguments)
    monkeypatch.setattr(rounds, "_plan_after_unmeasured_round", rounds._plan)  # a round of 12 days
    (found,) = run_rounds([spec], Schedule(rounds=2, seconds=1e6, rows=8, min_rows=2), lambda *_: None)
    assert [[job.rows for job in measured.jobs] for measured in found.slices] == [[2, 8]] * 12
    assert found.failed == ""
    assert found.warm_up_vectors == 2 * 5


class FailingProcess:
    """Takes the place of a system's process; the system named ``failing`` fails in its second slice."""

    failing = ""

    def __init__(self, _python):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def prepare(self, result):
        pass

    def run(self, result, rows):
        if result.spec.name == self.failing and len(result.slices) == 1:
            msg = f"The system {self.failing} failed"
            raise InferenceError(msg)
        return None, Job(rows[-1], 1.0)


def test_a_system_that_fails_in_a_round_loses_no_figure_of_another(monkeypatch):
    monkeypatch.setattr(rounds, "_SystemProcess", FailingProcess)
    monkeypatch.setattr(rounds, "_plan_after_unmeasured_round", lambda *_: rounds._Plan([8], 2))
    specs = [Spec(name, "", "fp32", name, {}) for name in ("bare-fp32", "pipeline-noop-fp32", "spark_nlp-default-fp32")]

    def slices():
        return run_rounds(specs, Schedule(rounds=3, seconds=1.0, rows=8, min_rows=2), lambda *_: None)

    monkeypatch.setattr(FailingProcess, "failing", "spark_nlp-default-fp32")
    bare, pipeline, spark_nlp = slices()
    assert [len(one.slices) for one in (bare, pipeline, spark_nlp)] == [15, 6, 1]
    assert [one.failed for one in (bare, pipeline, spark_nlp)] == ["", "", "The system spark_nlp-default-fp32 failed"]
    monkeypatch.setattr(FailingProcess, "failing", "bare-fp32")
    with pytest.raises(InferenceError, match="The system bare-fp32 failed"):
        slices()


@pytest.mark.parametrize(
    ("slow_s", "ran"),
    [
        (0.0, [[2], [8], [32], *[[12, 50]] * 5]),
        (10.0, [[2], [8], [3, 12], [3, 12], *[[12, 50]] * 3]),  # compiling: four times as slow for 10 s
        (1e9, [[2], [8], *[[3, 12]] * 5]),
    ],
)
def test_a_system_runs_for_a_round_before_it_is_measured(monkeypatch, slow_s, ran):
    clock, requests = [0.0], []

    class Process:
        def run(self, _result, rows):
            requests.append(rows)
            row_s = 0.1 if clock[0] >= slow_s else 0.4
            clock[0] += sum(rows) * row_s
            return None, Job(rows[-1], rows[-1] * row_s)

    monkeypatch.setattr(rounds.time, "monotonic", lambda: clock[0])
    schedule = Schedule(3, 30.0, rows=1000, min_rows=2)
    plan = rounds._plan_after_unmeasured_round(
        Process(), Result(Spec("pipeline-noop-fp32", "pipeline", "fp32", "", {})), schedule
    )
    assert requests == ran
    assert plan.jobs == ran[-1]


def test_the_process_of_a_failed_system_ends_and_its_folder_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spec = Spec("embedder-fp32", "embedder", "fp32", "WordEmbedder", {"bundle": "nowhere"})
    with pytest.raises(InferenceError, match=r"The system embedder-fp32 failed: TypeError: .*warm_up_texts"):
        run_rounds([spec], Schedule(1, 0.1, 1, 1), lambda *_: None)
    assert list(tmp_path.iterdir()) == []
