"""The one-liner beside what the real NLU returned, see tests/recorded/README.md."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sparkalbert
from sparkalbert.errors import ParamError
from tests.recorded.recordings import OWN

RECORDING = json.loads((Path(OWN.folder).parent / "nlu" / "predict.json").read_text(encoding="utf-8"))
TEXTS = RECORDING["texts"]
SHARED = Path(__file__).parents[3] / "shared" / "data"
FIRST_SENTENCE = 4
"""Number of tokens in the first of the two sentences of the first text; the other texts are one sentence each."""

FRAME = pd.DataFrame(
    {"id": RECORDING["ids"], "text": TEXTS, "label": ["aa", "bb", "cc", "dd", "ee"]}, index=RECORDING["index"]
)
INPUTS = {
    "str": ([0], TEXTS[0]),
    "list": (range(5), TEXTS),
    "array": (range(5), np.array(TEXTS, dtype=object)),
    "series": (range(5), FRAME["text"]),
    "pandas": (range(5), FRAME),
    "pandas-first-column": ([0, 1], pd.DataFrame({"body": TEXTS[:2], "n": [1.5, 2.5]})),
    "pandas-null": ([2, 0], pd.DataFrame({"text": [None, TEXTS[0]], "k": ["x", "y"]})),
    "spark": (range(5), None),
}
ALWAYS_FAILS = {"keep_stranger_features": False}


def name_of(case):
    options = "-".join(f"{name}-{value}" for name, value in case["options"].items())
    return "-".join(filter(None, [case["input"], case["output_level"] or "default", options]))


CASES = {name_of(case): case for case in RECORDING["cases"] if case["options"] != ALWAYS_FAILS}


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return sparkalbert.load(
        OWN.write_checkpoint(tmp_path_factory.mktemp("nlu") / "checkpoint"), compatibility="spark-nlp"
    )


@pytest.fixture(scope="module")
def names(predictor):
    """Each vector's name in the recording."""
    documents = predictor.predict(TEXTS, "document")["word_embedding_from_disk"]
    return {
        vector.tobytes(): f"vector {number}.{position}"
        for number, vectors in enumerate(documents)
        for position, vector in enumerate(vectors)
    }


def data_of(case, request):
    numbers, data = INPUTS[case["input"]]
    if case["input"] == "spark":
        data = request.getfixturevalue("spark").createDataFrame(FRAME)
    return list(numbers), data


def expected_rows(case, numbers):
    """The recorded rows in the order of the texts, with each sentence's own tokens."""
    of_text = {number: [] for number in numbers}
    for row in case["rows"]:
        number = number_of(case, row)
        of_text[number].append(dict(zip(case["columns"], row, strict=True)))
    if case["output_level"] == "sentence":
        for position, row in enumerate(of_text[0]):
            own = slice(FIRST_SENTENCE) if position == 0 else slice(FIRST_SENTENCE, None)
            for name in row:
                if name.startswith(("token", "word_embedding")):
                    row[name] = row[name][own]
    rows = [row for number in numbers for row in of_text[number]]
    return rows, [position for position, number in enumerate(numbers) for _ in of_text[number]]


def number_of(case, row):
    cells = dict(zip(case["columns"], row, strict=True))
    if "id" in cells:
        return RECORDING["ids"].index(cells["id"])
    if case["input"] == "str":
        return 0
    named = json.dumps(row).partition("vector ")[2]
    return int(named.partition(".")[0]) if named else 2


def plain(cell, names):
    """A cell as the recording has it."""
    if isinstance(cell, np.ndarray):
        return names[cell.tobytes()] if cell.ndim == 1 else [plain(vector, names) for vector in cell]
    if isinstance(cell, list):
        return [plain(item, names) for item in cell]
    return None if cell is None or cell != cell else cell  # noqa: PLR0124 - true of NaN only


@pytest.mark.parametrize("name", CASES)
def test_columns_rows_and_types_are_nlus(predictor, names, name, request):
    case = CASES[name]
    numbers, data = data_of(case, request)
    found = predictor.predict(data, case["output_level"], reset_index=True, **case["options"])
    rows, index = expected_rows(case, numbers)
    assert found.columns.tolist() == case["columns"]
    assert {column: str(kind) for column, kind in found.dtypes.items()} == case["dtypes"]
    assert [{column: plain(cell, names) for column, cell in row.items()} for row in found.to_dict("records")] == rows
    assert found.index.tolist() == index


def test_each_kind_of_case_is_there():
    assert len(CASES) == 60
    assert {case["input"] for case in CASES.values()} == set(INPUTS)
    assert {case["output_level"] for case in CASES.values()} == {"", "token", "sentence", "document", "chunk"}


def test_strangers_are_left_out_where_nlu_fails(predictor):
    failed = [case for case in RECORDING["cases"] if case["options"] == ALWAYS_FAILS]
    assert {case["error"] for case in failed} == {"Exception: Failure to process data with NLU"}
    found = predictor.predict(FRAME, "document", keep_stranger_features=False)
    assert found.columns.tolist() == ["document", "text", "word_embedding_from_disk"]


@cache
def second_opinion():
    return json.loads((SHARED / "nlu" / "predict.json").read_text(encoding="utf-8"))


@pytest.mark.skipif(not (SHARED / "nlu").is_dir(), reason="the recording is not beside this checkout")
@pytest.mark.parametrize("level", ["token", "document"])
def test_vectors_are_nlus(level):
    """With the model that NLU ran; the own recording has names in the place of its numbers."""
    case = next(
        case
        for case in second_opinion()["cases"]
        if (case["input"], case["output_level"], case["options"]) == ("pandas", level, {})
    )
    predictor = sparkalbert.load(path=SHARED / "spark-nlp" / "tiny-import", compatibility="spark-nlp")
    found = predictor.predict(FRAME, level).set_index("id")
    vector = "word_embedding_from_disk"
    compared = 0
    for number in RECORDING["ids"]:
        rows = [dict(zip(case["columns"], row, strict=True)) for row in case["rows"]]
        expected = [row[vector] for row in rows if row["id"] == number]
        ours = found.loc[[number], vector]
        for one, other in zip(ours, expected, strict=True):
            if other is None:
                assert np.isnan(one)
            elif other:
                np.testing.assert_allclose(one, other, atol=1e-4)
                compared += 1
    assert compared >= 4


def test_an_unknown_level_is_refused(predictor):
    """NLU changes its columns instead."""
    with pytest.raises(
        ParamError, match=r"output_level is 'tokens', expected one of token, sentence, document, chunk\. Did"
    ):
        predictor.predict("I love NLP.", "tokens")
