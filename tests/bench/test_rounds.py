"""Alternation, medians, and what a record makes of them; contenders here need no model."""

import io
import json

import pytest

from sparkalbert.bench.child import serve
from sparkalbert.bench.contender import Entry, Outcome
from sparkalbert.bench.record import text_facts, whole_record
from sparkalbert.bench.rounds import alternation
from sparkalbert.bench.sequences import encode_texts
from tests import tiny_bundle


def outcome(name, seconds, precision="fp32", **known):
    entry = Entry(name, name.partition("-")[0], precision, name, {})
    return Outcome(entry, seconds=list(seconds), **known)


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_every_contender_runs_once_a_round_and_no_order_is_favoured(rounds):
    names = ["a", "b", "c"]
    order = list(alternation(names, rounds))
    for number in range(rounds):
        assert sorted(order[3 * number : 3 * number + 3]) == names
    places = {name: sum(place for place, one in enumerate(order) if one == name) for name in names}
    if rounds % 2 == 0:
        assert len(set(places.values())) == 1, "what drifts evenly hits all alike"


def test_the_median_counts_and_one_slow_round_does_not():
    assert outcome("x", [2.0, 50.0, 1.0]).median_s == 2.0
    assert outcome("x", [2.0, 4.0]).median_s == 3.0


def test_ratios_are_to_the_faster_bare_one_of_the_same_precision_and_to_spark_nlp():
    text = {"words": 100, "pieces": 120}
    record = whole_record(
        {},
        "model",
        text,
        [
            outcome("bare-loop", [4.0]),
            outcome("bare-unrolled", [5.0]),
            outcome("bare-loop-int8", [1.0], "int8"),
            outcome("pipeline-noop", [4.0, 5.0, 6.0], facts={"pieces": 120, "slots": 150}),
            outcome("pipeline-noop-int8", [2.0], "int8"),
            outcome("spark_nlp-default-fp32", [10.0]),
            outcome("naive_udf", [], skipped="no torch"),
        ],
    )
    found = {one["name"]: one for one in record["contenders"]}
    assert found["pipeline-noop"]["of_limit"] == pytest.approx(0.8)
    assert found["pipeline-noop"]["of_spark_nlp"] == pytest.approx(2.0)
    assert found["pipeline-noop"]["words_per_s"] == pytest.approx(20.0)
    assert found["pipeline-noop"]["pieces_per_s"] == pytest.approx(24.0)
    assert found["pipeline-noop"]["padding_share"] == pytest.approx(0.2)
    assert found["pipeline-noop-int8"]["of_limit"] == pytest.approx(0.5)
    assert found["pipeline-noop-int8"]["of_spark_nlp"] == pytest.approx(5.0)
    assert found["bare-unrolled"]["of_limit"] == pytest.approx(0.8)
    assert found["naive_udf"]["skipped"] == "no torch"
    assert found["naive_udf"]["words_per_s"] is None


def test_stage_shares_are_of_all_cores_and_add_up_to_one():
    seconds = dict.fromkeys(("load", "tokenize", "batch", "run", "pool", "emit"), 0.0)
    facts = {"seconds": {**seconds, "run": 6.0, "emit": 1.0}, "stage_cores": 2}
    record = whole_record(
        {}, "model", {"words": 1, "pieces": 1}, [outcome("pipeline", [9.0, 4.0], facts=facts)]
    )
    shares = record["contenders"][0]["stage_shares"]
    assert shares["run"] == pytest.approx(0.75), "6 of the 2 x 4 seconds of the last round"
    assert shares["rest"] == pytest.approx(0.125)
    assert sum(shares.values()) == pytest.approx(1)


def test_the_text_is_counted_and_repeated_sentences_told():
    bundle = tiny_bundle.bundle()
    texts = ["The river was high. The bank closed.", "The river was high."]
    facts = text_facts(texts, encode_texts(bundle, texts))
    assert facts["words"] == 5 + 4 + 5
    assert facts["sequences"] == 3
    once = text_facts(texts[1:], encode_texts(bundle, texts[1:]))
    assert facts["repeated_share"] == pytest.approx(once["pieces"] / facts["pieces"])
    assert once["repeated_share"] == 0


def test_a_contender_that_fails_says_so_and_the_next_request_is_answered():
    requests = io.StringIO('{"do": "run", "name": "nobody"}\n{"do": "run", "name": "nobody"}\n')
    answers = io.StringIO()
    serve(requests, answers)
    assert [json.loads(line) for line in answers.getvalue().splitlines()] == [
        {"failed": "KeyError: 'nobody'"}
    ] * 2
