"""Alternation, steady rates and ratios; the systems here need no model."""

import io
import json
import os
import runpy
import subprocess
import sys
from statistics import median

import pytest

from sparkalbert.bench import bare, child, cpu_time, rounds
from sparkalbert.bench.bare import BareSystem, Split, _SessionPool, _shortest_s
from sparkalbert.bench.benchmark import BenchOptions, run_benchmark
from sparkalbert.bench.child import serve
from sparkalbert.bench.cpu_time import busy_cpu_s, family_cpu_s
from sparkalbert.bench.materials import prepare_materials
from sparkalbert.bench.rates import ratios, steady_rate
from sparkalbert.bench.record import prefix_counts, text_facts, whole_record
from sparkalbert.bench.rounds import Schedule, run_rounds, turns
from sparkalbert.bench.system import Job, Result, Slice, Spec
from sparkalbert.errors import InferenceError, MissingDependencyError, ParamError
from sparkalbert.inference.batching import pad
from sparkalbert.inference.sequences import encode_texts
from tests import tiny_bundle

COUNTS = {10: (80, 100), 40: (320, 400)}
PIECES = {rows: pieces for rows, (_, pieces) in COUNTS.items()}


def slice_at(place, rate, *, round=0, job_s=0.5, cpu_rate=None, other_cores=0.0):  # noqa: A002
    """A slice in which a job takes a fixed time and then runs at a rate; CPU seconds have a rate of their own."""
    jobs = []
    for rows, pieces in PIECES.items():
        seconds = job_s + pieces / rate
        jobs.append(Job(rows, seconds, 0.1 + pieces / (cpu_rate or rate), other_cores * seconds))
    return Slice(place, round, *jobs)


def result(name, slices=(), precision="fp32", **known):
    spec = Spec(name, name.partition("-")[0], precision, name, {})
    return Result(spec, slices=list(slices), **known)


def record_of(*results):
    record = whole_record({}, "model", {}, results, COUNTS)
    return record, {system["name"]: system for system in record["systems"]}


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
    assert (plan.jobs, plan.slices) == ([125, 500], 6)
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


def test_the_start_of_a_job_is_not_in_its_steady_rate():
    found = steady_rate(slice_at(0, 200.0, job_s=1.5, cpu_rate=100.0), PIECES)
    assert found.pieces_per_s == pytest.approx(200.0)
    assert found.pieces_per_cpu_s == pytest.approx(100.0)
    assert found.job_s == pytest.approx(1.5)


def test_without_a_small_job_the_large_one_counts_as_a_whole():
    alone = steady_rate(Slice(0, 0, None, Job(40, 2.0)), PIECES)
    assert (alone.pieces_per_s, alone.job_s) == (pytest.approx(200.0), None)


def test_a_slice_whose_small_job_took_as_long_as_the_large_one_is_left_out():
    """The rate of its whole large job, start included, would lower the median of steady rates without a word."""
    disturbed = Slice(1, 0, Job(10, 2.0, 0.01), Job(40, 2.0, 0.01))
    found = steady_rate(disturbed, PIECES)
    assert (found.pieces_per_s, found.pieces_per_cpu_s, found.job_s) == (None, None, None)
    _, systems = record_of(
        result("bare-fp32", [slice_at(place, 100.0) for place in (0, 2, 4)]),
        result("embedder-fp32", [disturbed, slice_at(3, 90.0)]),
        result("pipeline-noop-fp32", [disturbed]),
    )
    assert systems["embedder-fp32"]["pieces_per_s"] == pytest.approx(90.0)
    assert systems["embedder-fp32"]["of_limit"] == pytest.approx(0.9)
    assert [one["slices_left_out"] for one in systems.values()] == [0, 1, 1]
    assert systems["pipeline-noop-fp32"]["words_per_s"] is None


def test_a_job_without_words_has_no_rate():
    assert steady_rate(Slice(0, 0, Job(10, 1.0), Job(40, 2.0)), {10: 0, 40: 0}).pieces_per_s == 0


def test_load_that_comes_and_goes_is_in_no_ratio():
    """The machine becomes four times as slow from slice to slice; each system is compared with its neighbours."""
    speeds = [100.0, 90.0, 80.0, 50.0, 20.0, 60.0, 100.0]
    bare = [slice_at(place, speeds[place]) for place in (0, 2, 4, 6)]
    pipeline = [slice_at(place, 0.9 * speeds[place]) for place in (1, 3, 5)]
    spread = ratios(pipeline, bare, lambda one: steady_rate(one, PIECES).pieces_per_s)
    assert spread.minimum == pytest.approx(0.9)
    assert spread.maximum == pytest.approx(0.9)
    whole = median(steady_rate(one, PIECES).pieces_per_s for one in pipeline) / median(speeds[::2])
    assert whole != pytest.approx(0.9, abs=0.1), "medians of whole runs would be wrong"


def test_a_ratio_is_the_median_of_rounds_with_the_lowest_and_the_highest():
    bare = [slice_at(place, 100.0, round=place // 3) for place in (0, 2, 3, 5, 6, 8)]
    pipeline = [slice_at(1 + 3 * number, speed, round=number) for number, speed in enumerate((97.0, 90.0, 99.0))]
    _, found = record_of(result("bare-fp32", bare), result("pipeline-noop-fp32", pipeline))
    system = found["pipeline-noop-fp32"]
    assert system["of_limit"] == pytest.approx(0.97)
    assert system["of_limit_range"] == pytest.approx([0.90, 0.99])
    assert system["pieces_per_s"] == pytest.approx(97.0)
    assert system["words_per_s"] == pytest.approx(0.8 * 97.0)


def test_ratios_compare_systems_of_the_same_precision():
    def run(*speeds):
        return [slice_at(place, speed, cpu_rate=speed / 2) for place, speed in speeds]

    _, found = record_of(
        result("bare-fp32", run((0, 100.0), (2, 100.0), (4, 100.0), (6, 100.0), (8, 100.0), (10, 100.0))),
        result("product-fp32", run((1, 125.0))),
        result("pipeline-noop-fp32", run((3, 80.0)), measurements={"pieces": 120, "slots": 150}),
        result("spark_nlp-default-fp32", run((5, 40.0))),
        result("spark_nlp-32x1-fp32", run((7, 50.0))),
        result("naive_udf-fp32", skipped="no torch"),
        result("bare-int8", run((0, 400.0), (2, 400.0), (4, 400.0)), "int8"),
        result("pipeline-noop-int8", run((1, 200.0)), "int8"),
        result("spark_nlp-default-int8", run((3, 50.0)), "int8"),
    )
    pipeline, int8 = found["pipeline-noop-fp32"], found["pipeline-noop-int8"]
    assert pipeline["of_limit"] == pytest.approx(0.8)
    assert pipeline["of_limit_cpu"] == pytest.approx(0.8)
    assert pipeline["of_product"] == pytest.approx(80 / 125)
    assert pipeline["of_spark_nlp"] == pytest.approx(2.0)
    assert pipeline["of_best_spark_nlp"] == pytest.approx(1.6)
    assert pipeline["padding_share"] == pytest.approx(0.2)
    assert found["bare-fp32"]["of_limit"] == 1.0
    assert found["bare-fp32"]["of_product"] == pytest.approx(0.8)
    assert found["product-fp32"]["of_product"] == 1.0
    assert found["product-fp32"]["of_limit"] is None, "the products of a model are not the model"
    assert int8["of_limit"] == pytest.approx(0.5)
    assert int8["of_spark_nlp"] == pytest.approx(4.0), "int8 by int8, not by fp32"
    assert int8["of_product"] is None
    assert found["naive_udf-fp32"]["skipped"] == "no torch"
    assert found["naive_udf-fp32"]["words_per_s"] is None


def test_without_bare_onnx_runtime_there_is_no_limit_but_there_are_ratios():
    _, found = record_of(
        result("pipeline-noop-int8", [slice_at(0, 60.0), slice_at(2, 60.0)], "int8"),
        result("spark_nlp-default-int8", [slice_at(1, 20.0)], "int8"),
    )
    assert found["pipeline-noop-int8"]["of_limit"] is None
    assert found["pipeline-noop-int8"]["of_spark_nlp"] == pytest.approx(3.0)


def test_other_processes_are_counted_while_a_system_runs():
    record, found = record_of(
        result("bare-fp32", [slice_at(0, 100.0, other_cores=0.0)]),
        result("pipeline-noop-fp32", [slice_at(1, 100.0, other_cores=1.0)]),
    )
    assert record["other_cores"] == pytest.approx(0.5)
    assert found["pipeline-noop-fp32"]["other_cores"] == pytest.approx(1.0)
    assert record["machine_cores"] == os.cpu_count()


def test_phase_shares_are_of_all_cores_and_add_up_to_one():
    seconds = dict.fromkeys(("load", "tokenize", "batch", "run", "pool", "emit"), 0.0)
    measurements = {"seconds": {**seconds, "run": 6.0, "emit": 1.0}, "phase_cores": 2}
    slices = [slice_at(0, 1.0), Slice(1, 0, Job(10, 1.0), Job(40, 3.0))]
    _, found = record_of(result("pipeline", slices, measurements=measurements))
    shares = found["pipeline"]["phase_shares"]
    assert shares["run"] == pytest.approx(0.75), "6 of the 2 x 4 seconds of the last slice"
    assert shares["rest"] == pytest.approx(0.125)
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs Linux's /proc")  # noqa: PTH112
def test_cpu_seconds_are_those_of_a_process_and_of_what_it_started():
    """A child that works for 0.2 CPU seconds, then waits; before and after it has ended."""
    work = "import time\nwhile time.process_time() < 0.2: pass\nprint(flush=True)\ninput()"
    before_s = family_cpu_s(os.getpid())
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert family_cpu_s(process.pid) >= 0.15
        assert family_cpu_s(os.getpid()) - before_s >= 0.15
        process.communicate(b"\n")
    assert family_cpu_s(os.getpid()) - before_s >= 0.15
    assert family_cpu_s(process.pid) is None


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="needs POSIX's sysconf")
def test_cpu_seconds_are_read_from_the_fields_of_proc(tmp_path):
    ticks = os.sysconf("SC_CLK_TCK")
    # user, nice, system, idle, iowait, irq, softirq, steal; guests are a part of user and nice
    (tmp_path / "stat").write_text(
        "cpu  " + " ".join(str(count * ticks) for count in (1, 2, 4, 1000, 2000, 8, 16, 32, 1, 2)) + "\ncpu0 1 1 1\n"
    )
    assert busy_cpu_s(tmp_path) == 1 + 2 + 4 + 8 + 16 + 32
    processes = {7: ("python", 1, (1, 2, 4, 8)), 8: ("a) b (c", 7, (16, 0, 0, 0)), 9: ("other", 1, (64, 0, 0, 0))}
    for pid, (name, parent, spent) in processes.items():
        (tmp_path / str(pid)).mkdir()
        # pid (name) state parent group session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime
        unused = "99 " * 9
        fields = " ".join(str(count * ticks) for count in spent)
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} {unused}{fields} 20 0\n")
    assert family_cpu_s(7, tmp_path) == 1 + 2 + 4 + 8 + 16
    assert family_cpu_s(8, tmp_path) == 16


def test_without_sysconf_cpu_seconds_are_unknown(monkeypatch, tmp_path):
    """As on Windows."""
    monkeypatch.delattr(os, "sysconf", raising=False)
    module = runpy.run_path(cpu_time.__file__)
    assert module["busy_cpu_s"](tmp_path) is None
    assert module["family_cpu_s"](1, tmp_path) is None


def test_without_proc_cpu_seconds_are_unknown(tmp_path):
    assert family_cpu_s(os.getpid(), tmp_path) is None
    assert busy_cpu_s(tmp_path) is None


def test_words_and_pieces_are_counted_for_the_rows_of_each_job():
    bundle = tiny_bundle.bundle()
    texts = ["The river was high. The bank closed.", "The river was high.", "", "The bank."]
    ran = result("bare-fp32", [Slice(0, 0, Job(1, 1.0), Job(4, 1.0)), Slice(1, 0, Job(2, 1.0), Job(4, 1.0))])
    counts = prefix_counts(bundle, texts, [ran, result("skipped")])
    assert list(counts) == [1, 2, 4]
    for rows, found in counts.items():
        encoded = encode_texts(bundle, texts[:rows])
        assert found == (sum(encoded.words), encoded.pieces)


def test_the_text_is_counted_and_its_repeated_sentences_too():
    bundle = tiny_bundle.bundle()
    texts = ["The river was high. The bank closed.", "The river was high."]
    facts = text_facts(texts, encode_texts(bundle, texts))
    assert facts["words"] == 5 + 4 + 5
    assert facts["sequences"] == 3
    once = text_facts(texts[1:], encode_texts(bundle, texts[1:]))
    assert facts["repeated_share"] == pytest.approx(once["pieces"] / facts["pieces"])
    assert once["repeated_share"] == 0


def test_a_system_that_fails_is_reported_and_the_next_request_is_answered():
    requests = io.StringIO(
        '{"do": "run", "name": "nobody", "rows": [1]}\n{"do": "run", "name": "nobody", "rows": [1]}\n'
    )
    answers = io.StringIO()
    serve(requests, answers)
    assert [json.loads(line) for line in answers.getvalue().splitlines()] == [{"failed": "KeyError: 'nobody'"}] * 2


class Incomplete:
    """A system that needs a package only when it embeds, or already when it is loaded."""

    def __init__(self, *, at_once):
        self.at_once = at_once

    def load(self):
        if self.at_once:
            self.embed()
        return {}

    def warm_up(self):
        return None

    def take(self, rows):
        pass

    def embed(self):
        msg = "no torch"
        raise MissingDependencyError(msg)


def test_a_missing_package_skips_a_system_only_while_it_is_prepared(monkeypatch):
    monkeypatch.setattr(child, "_KINDS", {"incomplete": Incomplete})
    requests = [
        {"do": "prepare", "name": "early", "kind": "incomplete", "arguments": {"at_once": True}},
        {"do": "prepare", "name": "late", "kind": "incomplete", "arguments": {"at_once": False}},
        {"do": "run", "name": "late", "rows": [1]},
    ]
    answers = io.StringIO()
    serve(io.StringIO("".join(json.dumps(request) + "\n" for request in requests)), answers)
    early, late, failed = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert early == {"skipped": "no torch"}
    assert late.pop("start_s") >= 0
    assert [late, failed] == [
        {"warm_up_vectors": None},
        {"failed": "MissingDependencyError: no torch"},
    ]


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

    def load(self):
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


def test_only_the_systems_that_need_a_form_of_the_weights_cause_it(tmp_path):
    for kind, expected in {"embedder": (0, 0), "bare": (1, 0), "product": (0, 1)}.items():
        folder = tmp_path / kind
        folder.mkdir()
        found = prepare_materials(str(tiny_bundle.bundle().path), ["fp32"], [kind], folder)
        assert (len(found.unrolled), len(found.products)) == expected
        assert len([path for path in folder.iterdir() if path.name != "checkpoint"]) == sum(expected)


def test_the_process_of_a_system_runs_a_small_and_a_large_job_in_every_slice(monkeypatch):
    texts = ["The river was high."] * 8
    arguments = {"bundle": str(tiny_bundle.bundle().path), "texts": texts, "warm_up_texts": texts[:2], "cores": 1}
    spec = Spec("embedder-fp32", "embedder", "fp32", "WordEmbedder", arguments)
    monkeypatch.setattr(rounds, "_plan_after_unmeasured_round", rounds._plan)  # a round of 12 days
    (found,) = run_rounds([spec], Schedule(rounds=2, seconds=1e6, rows=8, min_rows=2), lambda *_: None)
    assert [[job.rows for job in measured.jobs] for measured in found.slices] == [[2, 8]] * 12
    assert found.warm_up_vectors == 2 * 5


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
    plan = rounds._plan_after_unmeasured_round(Process(), result("pipeline-noop-fp32"), schedule)
    assert requests == ran
    assert plan.jobs == ran[-1]


def test_texts_without_a_word_are_refused():
    options = BenchOptions(str(tiny_bundle.bundle().path), precisions=["fp32"], texts=["", " "], kinds=["embedder"])
    with pytest.raises(ParamError, match="texts holds 2 texts without a word"):
        run_benchmark(options, lambda *_: None)


def test_texts_of_which_most_are_empty_are_measured():
    texts = ["", "the river", "", "", " "]
    options = BenchOptions(
        str(tiny_bundle.bundle().path),
        precisions=["fp32"],
        texts=texts,
        kinds=["embedder"],
        rounds=1,
        seconds=1e-6,
        cores=1,
    )
    (system,) = run_benchmark(options, lambda *_: None)["systems"]
    assert system["warm_up_vectors"] == 2
    assert system["words_per_s"] > 0


def test_the_process_of_a_failed_system_ends_and_its_folder_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spec = Spec("embedder-fp32", "embedder", "fp32", "WordEmbedder", {"bundle": "nowhere"})
    with pytest.raises(InferenceError, match=r"The system embedder-fp32 failed: TypeError: .*warm_up_texts"):
        run_rounds([spec], Schedule(1, 0.1, 1, 1), lambda *_: None)
    assert list(tmp_path.iterdir()) == []
