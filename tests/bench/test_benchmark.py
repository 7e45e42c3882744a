"""A whole run in this process, with the system that needs no Spark."""

import pytest

from sparkalbert.bench.benchmark import BenchOptions, run_benchmark
from sparkalbert.bench.materials import prepare_materials
from sparkalbert.errors import ParamError
from tests import tiny_bundle


def test_only_the_systems_that_need_a_form_of_the_weights_cause_it(tmp_path):
    for kind, expected in {"embedder": (0, 0), "bare": (1, 0), "product": (0, 1)}.items():
        folder = tmp_path / kind
        folder.mkdir()
        found = prepare_materials(str(tiny_bundle.bundle().path), ["fp32"], [kind], folder)
        assert (len(found.unrolled), len(found.products)) == expected
        assert len([path for path in folder.iterdir() if path.name != "checkpoint"]) == sum(expected)


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
