"""The stages around tokens, on what the real Spark NLP recorded: on a DataFrame and in a LightPipeline."""

import json

import pytest
from pyspark.ml import Pipeline

from sparkalbert.ml import (
    DocumentAssembler,
    LightPipeline,
    MultiDocumentAssembler,
    Normalizer,
    RegexTokenizer,
    SentenceDetector,
    StopWordsCleaner,
    TextMatcher,
    TokenAssembler,
    Tokenizer,
)
from tests.peers.compare import with_params
from tests.recorded import settings
from tests.recorded.recordings import OWN

RECORDED = {
    **{name: (RegexTokenizer, ["sentence"], params) for name, params in settings.REGEX_TOKENS.items()},
    **{name: (StopWordsCleaner, ["token"], params) for name, params in settings.STOP_WORDS.items()},
    **{name: (Normalizer, ["token"], params) for name, params in settings.NORMALIZED.items()},
    **{name: (TextMatcher, ["sentence", "token"], params) for name, params in settings.MATCHED.items()},
    **{
        name: (TokenAssembler, ["document" if name.endswith("document") else "sentence", "clean"], params)
        for name, params in settings.ASSEMBLED.items()
    },
}


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """A pipeline that adds a column for each recording."""
    folder = tmp_path_factory.mktemp("files")
    settings.write_files(folder)
    return [
        DocumentAssembler(inputCol="text"),
        SentenceDetector(inputCols=["document"]),
        Tokenizer(inputCols=["sentence"]),
        StopWordsCleaner(inputCols=["token"], outputCol="kept"),
        Normalizer(inputCols=["kept"], outputCol="clean"),
        *(
            with_params(kind(inputCols=inputs, outputCol=name), settings.with_paths(params, folder))
            for name, (kind, inputs, params) in RECORDED.items()
        ),
    ]


@pytest.fixture(scope="module")
def texts():
    """The recorded texts by their ids."""
    made = {"null-0": None, "empty-0": "", **{name: row["text"] for name, row in OWN.texts().items()}}
    return {row["id"]: made[row["id"]] for row in OWN.output("regextokenizer-default")}


@pytest.fixture(scope="module")
def rows(spark, stages, texts):
    frame = spark.createDataFrame(list(texts.items()), "id string, text string").coalesce(1)
    return Pipeline(stages=stages).fit(frame).transform(frame).collect()


@pytest.fixture(scope="module")
def light_rows(stages, texts):
    return LightPipeline(stages).fullAnnotate([text or "" for text in texts.values()])


def plain(annotations):
    assert all(list(one.embeddings) == [] for one in annotations)
    return [[one.annotatorType, one.begin, one.end, one.result, one.metadata] for one in annotations]


@pytest.mark.parametrize("name", RECORDED)
def test_every_row_is_as_recorded(rows, light_rows, name):
    recorded = {row["id"]: row["out"] for row in OWN.output(name)}
    assert {row["id"]: plain(row[name]) for row in rows} == recorded
    assert [plain(row[name]) for row in light_rows] == list(recorded.values())


def test_every_recording_is_compared(recorded_stage_names):
    assert recorded_stage_names == {*RECORDED, *settings.SEVERAL_DOCUMENTS}


@pytest.fixture
def recorded_stage_names():
    kinds = {name.partition("-")[0] for name in (*RECORDED, *settings.SEVERAL_DOCUMENTS)}
    files = (OWN.folder / "annotators").glob("*.jsonl")
    return {path.stem for path in files if path.stem.partition("-")[0] in kinds}


@pytest.mark.parametrize("name", settings.SEVERAL_DOCUMENTS)
def test_several_documents_are_as_recorded(any_spark, texts, name):
    params = settings.SEVERAL_DOCUMENTS[name]
    frame = any_spark.createDataFrame(list(texts.items()), "id string, text string").coalesce(1)
    frame = frame.selectExpr("id", "text", "upper(text) AS upper", "map('src', id, 'id', 'x') AS m")
    made = with_params(MultiDocumentAssembler().setInputCols("text", "upper"), params).transform(frame)
    recorded = OWN.json(f"{name}.schema")
    assert made.columns == recorded["columns"]
    column = made.columns[-1]
    assert json.loads(made.schema[column].json()) == recorded["fields"][-1]
    expected = {row["id"]: [one[:-1] for one in row["out"]] for row in OWN.output(name)}
    assert {row["id"]: plain(row[column]) for row in made.collect()} == expected
