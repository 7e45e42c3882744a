"""The chart of a benchmark's record."""

import json

import pytest

from sparkalbert.errors import InputError
from sparkalbert.plots import throughput


def system(name, precision, speed, share, of_product=None):
    return {
        "name": f"{name}-{precision}",
        "title": name,
        "precision": precision,
        "words_per_s": speed,
        "of_limit": share,
        "of_product": of_product,
    }


RECORD = {
    "model": "base",
    "machine": {"cores": 2, "cpu_features": ["AVX2"]},
    "systems": [
        system("bare", "fp32", 800.0, 1.0, 0.83),
        system("pipeline", "fp32", 600.0, 0.75),
        system("spark_nlp", "fp32", None, None),
        system("pipeline", "int8", 1500.0, None),
    ],
}


def test_each_precision_has_a_panel_with_the_speeds_and_the_limit(tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(RECORD))
    figure = throughput(path)
    fp32, int8 = figure.axes
    assert [bar.get_width() for bar in fp32.patches] == [800, 600]
    assert [text.get_text() for text in fp32.texts] == ["800  1.00 of limit, 0.83 of product", "600  0.75 of limit"]
    assert [text.get_text() for text in int8.texts] == ["1,500"]
    assert fp32.lines[0].get_xdata() == [800, 800]
    assert not int8.lines
    assert "words per second" in int8.get_xlabel()
    assert figure.get_suptitle() == "base; 2 cores, AVX2"


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "record.json"
    with pytest.raises(InputError, match="cannot be read"):
        throughput(path)
    path.write_text("[" * 100_000)
    with pytest.raises(InputError, match="cannot be read"):
        throughput(path)
    path.write_text("{}")
    with pytest.raises(InputError, match="found other or incomplete JSON"):
        throughput(path)
    with pytest.raises(InputError, match="no system that was measured"):
        throughput({**RECORD, "systems": [system("bare", "fp32", None, None)]})


def test_a_record_of_an_earlier_version_has_no_product():
    systems = [{name: value for name, value in one.items() if name != "of_product"} for one in RECORD["systems"]]
    fp32, _ = throughput({**RECORD, "systems": systems}).axes
    assert [text.get_text() for text in fp32.texts] == ["800  1.00 of limit", "600  0.75 of limit"]


@pytest.mark.parametrize("key", ["name", "title", "precision", "words_per_s", "of_limit"])
def test_a_record_without_a_value_is_refused(key):
    systems = [{name: value for name, value in one.items() if name != key} for one in RECORD["systems"]]
    with pytest.raises(InputError, match=f"incomplete JSON .KeyError: '{key}'"):
        throughput({**RECORD, "systems": systems})
