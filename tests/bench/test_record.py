"""Steady rates, ratios and the record that is made of them; the slices here are made up."""

import os
from statistics import median

import pytest

from sparkalbert.bench.rates import ratios, steady_rate
from sparkalbert.bench.record import prefix_counts, text_facts, whole_record
from sparkalbert.bench.system import Job, Result, Slice, Spec
from sparkalbert.inference.sequences import encode_texts
from sparkalbert.timings import PHASES
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
    record = whole_record({}, 2, "model", {}, results, COUNTS)
    return record, {system["name"]: system for system in record["systems"]}


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
    seconds = dict.fromkeys(PHASES, 0.0)
    measurements = {"seconds": {**seconds, "run": 6.0, "emit": 1.0}, "phase_cores": 2}
    slices = [slice_at(0, 1.0), Slice(1, 0, Job(10, 1.0), Job(40, 3.0))]
    _, found = record_of(result("pipeline", slices, measurements=measurements))
    shares = found["pipeline"]["phase_shares"]
    assert shares["run"] == pytest.approx(0.75), "6 of the 2 x 4 seconds of the last slice"
    assert shares["rest"] == pytest.approx(0.125)
    assert sum(shares.values()) == pytest.approx(1)


def test_a_system_that_failed_in_its_first_slice_has_no_figures():
    """Its unmeasured round has left measurements."""
    measurements = {"seconds": dict.fromkeys(PHASES, 1.0), "phase_cores": 2, "pieces": 120, "slots": 150}
    record, found = record_of(
        result("bare-fp32", [slice_at(0, 100.0)]),
        result("pipeline-noop-fp32", failed="no space left", measurements=measurements),
    )
    failed = found["pipeline-noop-fp32"]
    assert failed["failed"] == "no space left"
    assert (failed["words_per_s"], failed["of_limit"], failed["phase_shares"]) == (None, None, None)
    assert found["bare-fp32"]["pieces_per_s"] == pytest.approx(100.0)
    assert record["other_cores"] == 0


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
