"""Alternation, medians and ratios; the systems here need no model."""

import io
import json

import pytest

from sparkalbert.bench import child
from sparkalbert.bench.bare import Split, _SessionPool
from sparkalbert.bench.benchmark import BenchOptions, run_benchmark
from sparkalbert.bench.child import serve
from sparkalbert.bench.record import text_facts, whole_record
from sparkalbert.bench.rounds import alternation, run_rounds
from sparkalbert.bench.system import Result, Spec
from sparkalbert.errors import InferenceError, MissingDependencyError, ParamError
from sparkalbert.inference.sequences import encode_texts
from tests import tiny_bundle


def result(name, seconds, precision="fp32", **known):
    spec = Spec(name, name.partition("-")[0], precision, name, {})
    return Result(spec, seconds=list(seconds), **known)


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_every_system_runs_once_per_round_and_no_order_is_favoured(rounds):
    names = ["a", "b", "c"]
    order = list(alternation(names, rounds))
    for number in range(rounds):
        assert sorted(order[3 * number : 3 * number + 3]) == names
    places = {name: sum(place for place, one in enumerate(order) if one == name) for name in names}
    if rounds % 2 == 0:
        assert len(set(places.values())) == 1, "what drifts evenly hits all alike"


def test_the_median_counts_and_one_slow_round_does_not():
    assert result("x", [2.0, 50.0, 1.0]).median_s == 2.0
    assert result("x", [2.0, 4.0]).median_s == 3.0


def test_ratios_compare_systems_of_the_same_precision():
    results = [
        result("bare-loop", [4.0]),
        result("bare-unrolled", [5.0]),
        result("bare-loop-int8", [1.0], "int8"),
        result("pipeline-noop", [4.0, 5.0, 6.0], measurements={"pieces": 120, "slots": 150}),
        result("pipeline-noop-int8", [2.0], "int8"),
        result("spark_nlp-default-fp32", [10.0]),
        result("spark_nlp-32x1-fp32", [8.0]),
        result("spark_nlp-default-int8", [6.0], "int8"),
        result("spark_nlp-32x1-int8", [7.0], "int8"),
        result("naive_udf", [], skipped="no torch"),
    ]
    record = whole_record({}, "model", {"words": 100, "pieces": 120}, results)
    found = {system["name"]: system for system in record["systems"]}
    pipeline, int8 = found["pipeline-noop"], found["pipeline-noop-int8"]
    assert pipeline["of_limit"] == pytest.approx(4 / 5)
    assert pipeline["of_spark_nlp"] == pytest.approx(10 / 5)
    assert pipeline["of_best_spark_nlp"] == pytest.approx(8 / 5)
    assert pipeline["words_per_s"] == pytest.approx(20.0)
    assert pipeline["pieces_per_s"] == pytest.approx(24.0)
    assert pipeline["padding_share"] == pytest.approx(0.2)
    assert int8["of_limit"] == pytest.approx(1 / 2)
    assert int8["of_spark_nlp"] == pytest.approx(6 / 2), "int8 by int8, not by the 10 s of fp32"
    assert int8["of_best_spark_nlp"] == pytest.approx(6 / 2)
    assert found["bare-unrolled"]["of_limit"] == pytest.approx(4 / 5)
    assert found["naive_udf"]["skipped"] == "no torch"
    assert found["naive_udf"]["words_per_s"] is None


def test_without_spark_nlp_in_int8_its_fp32_is_no_substitute():
    results = [result("pipeline-noop-int8", [2.0], "int8"), result("spark_nlp-default-fp32", [10.0])]
    record = whole_record({}, "model", {"words": 1, "pieces": 1}, results)
    assert record["systems"][0]["of_spark_nlp"] is None


def test_phase_shares_are_of_all_cores_and_add_up_to_one():
    seconds = dict.fromkeys(("load", "tokenize", "batch", "run", "pool", "emit"), 0.0)
    measurements = {"seconds": {**seconds, "run": 6.0, "emit": 1.0}, "phase_cores": 2}
    record = whole_record(
        {}, "model", {"words": 1, "pieces": 1}, [result("pipeline", [9.0, 4.0], measurements=measurements)]
    )
    shares = record["systems"][0]["phase_shares"]
    assert shares["run"] == pytest.approx(0.75), "6 of the 2 x 4 seconds of the last round"
    assert shares["rest"] == pytest.approx(0.125)
    assert sum(shares.values()) == pytest.approx(1)


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
    requests = io.StringIO('{"do": "run", "name": "nobody"}\n{"do": "run", "name": "nobody"}\n')
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

    def embed(self):
        msg = "no torch"
        raise MissingDependencyError(msg)


def test_a_missing_package_skips_a_system_only_while_it_is_prepared(monkeypatch):
    monkeypatch.setattr(child, "_KINDS", {"incomplete": Incomplete})
    requests = [
        {"do": "prepare", "name": "early", "kind": "incomplete", "arguments": {"at_once": True}},
        {"do": "prepare", "name": "late", "kind": "incomplete", "arguments": {"at_once": False}},
        {"do": "run", "name": "late"},
    ]
    answers = io.StringIO()
    serve(io.StringIO("".join(json.dumps(request) + "\n" for request in requests)), answers)
    assert [json.loads(line) for line in answers.getvalue().splitlines()] == [
        {"skipped": "no torch"},
        {"warm_up_vectors": None},
        {"failed": "MissingDependencyError: no torch"},
    ]


def test_bare_onnx_runtime_runs_no_sequences():
    pool = _SessionPool(str(tiny_bundle.bundle().path), Split(1, 1, 64))
    assert pool.run([]) == {"batches": 0, "pieces": 0, "slots": 0}
    pool.close()


def test_texts_without_a_word_are_refused():
    options = BenchOptions(str(tiny_bundle.bundle().path), precisions=["fp32"], texts=["", " "], kinds=["embedder"])
    with pytest.raises(ParamError, match="texts holds 2 texts without a word"):
        run_benchmark(options, lambda *_: None)


def test_texts_of_which_most_are_empty_are_measured():
    texts = ["", "the river", "", "", " "]
    options = BenchOptions(
        str(tiny_bundle.bundle().path), precisions=["fp32"], texts=texts, kinds=["embedder"], rounds=1, cores=1
    )
    (system,) = run_benchmark(options, lambda *_: None)["systems"]
    assert system["warm_up_vectors"] == 2
    assert system["words_per_s"] > 0


def test_the_process_of_a_failed_system_ends_and_its_folder_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spec = Spec("embedder-fp32", "embedder", "fp32", "WordEmbedder", {"bundle": "nowhere"})
    with pytest.raises(InferenceError, match=r"The system embedder-fp32 failed: TypeError: .*warm_up_texts"):
        run_rounds([spec], 1, lambda *_: None)
    assert list(tmp_path.iterdir()) == []
