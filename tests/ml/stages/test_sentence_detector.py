import json

import pytest
from pyspark.sql import functions as F

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml import DocumentAssembler, SentenceDetector
from sparkalbert.ml.worker.text_tasks import SentenceTask
from sparkalbert.offsets import utf16_length
from sparkalbert.text.segmentation.sentences import SentenceOptions, SentenceSplitter

TEXT = "Dr. Wu 🙂 paid (a) $3.50; cheap--very!  She left.\nThe end"
ROWS = [("a", TEXT), ("b", ""), ("c", None), ("d", "One. Two.")]

SETTINGS = {
    "default": {},
    "no-abbreviations": {"useAbbreviations": False},
    "no-lists": {"detectLists": False},
    "split-30": {"splitLength": 30},
    "min-10": {"minLength": 10},
    "max-50": {"maxLength": 50},
    "custom-added": {"customBounds": ["\n", "--"]},
    "custom-append": {"customBounds": [";", "--"], "customBoundsStrategy": "append"},
    "custom-prepend": {"customBounds": [";", "--"], "customBoundsStrategy": "prepend"},
    "custom-only": {"customBounds": ["\n", ";", "--"], "useCustomBoundsOnly": True},
    "custom-only-append": {
        "customBounds": ["\n", ";", "--"],
        "useCustomBoundsOnly": True,
        "customBoundsStrategy": "append",
    },
    "custom-only-prepend": {
        "customBounds": ["\n", ";", "--"],
        "useCustomBoundsOnly": True,
        "customBoundsStrategy": "prepend",
    },
}
OPTIONS = {
    "useAbbreviations": "use_abbreviations",
    "detectLists": "detect_lists",
    "splitLength": "split_length",
    "minLength": "min_length",
    "maxLength": "max_length",
    "customBounds": "custom_bounds",
    "customBoundsStrategy": "custom_bounds_strategy",
    "useCustomBoundsOnly": "use_custom_bounds_only",
}


@pytest.fixture(scope="module")
def documents(spark):
    texts = spark.createDataFrame(ROWS, "id string, text string").coalesce(1)
    return DocumentAssembler(inputCol="text", idCol="id").transform(texts).cache()


def plain(annotations):
    return [[*tuple(one)[:4], one.metadata] for one in annotations]


def expected(text, options):
    """The sentences that the rules find, as annotations of one document."""
    out = []
    for start, stop in SentenceSplitter(options).split(text or ""):
        begin = utf16_length(text[:start])
        result = text[start:stop]
        end = begin + utf16_length(result) - 1
        out.append(["document", begin, end, result, {"sentence": str(len(out))}])
    return out


def test_every_param_reaches_the_rules():
    for params in SETTINGS.values():
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in params.items()}
        options = SentenceOptions(**{OPTIONS[key]: value for key, value in values.items()})
        assert SentenceDetector(**params)._task() == SentenceTask(options)
    assert set().union(*SETTINGS.values()) == set(OPTIONS)
    assert len({SentenceDetector(**params)._task() for params in SETTINGS.values()}) == len(SETTINGS)


def test_max_length_applies_if_it_is_set():
    """Spark NLP's SentenceDetector ignores the default, 99,999, but not the same value from a user."""
    assert SentenceDetector().getMaxLength() == 99_999
    assert SentenceDetector()._task() == SentenceTask(SentenceOptions())
    assert SentenceDetector(maxLength=99_999)._task() == SentenceTask(SentenceOptions(max_length=99_999))


@pytest.fixture(scope="module")
def recorded_sentences(recorded_frame):
    """A column of sentences for each setting."""
    made = DocumentAssembler(inputCol="text").transform(recorded_frame)
    for name, params in SETTINGS.items():
        made = SentenceDetector(inputCols=["document"], outputCol=f"sentence-{name}", **params).transform(made)
    return made.cache()


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_gives_what_was_recorded(name, recorded_sentences, recorded_output, as_recorded):
    assert as_recorded(recorded_sentences, f"sentence-{name}") == recorded_output(f"sentence-{name}")


def test_sentences_in_rows_of_their_own_are_as_recorded(recorded_frame, recorded_output, as_recorded):
    documents = DocumentAssembler(inputCol="text").transform(recorded_frame)
    exploded = SentenceDetector(inputCols=["document"], explodeSentences=True).transform(documents)
    assert as_recorded(exploded, "sentence") == recorded_output("sentence-explode")


def test_empty_and_null_texts_give_what_was_recorded(spark, recorded_output, as_recorded):
    rows = [("a", "One text.", {"src": "x"}), ("b", "", {"src": "y"}), ("c", None, {"src": "z"})]
    texts = spark.createDataFrame(rows, "id string, text string, m map<string,string>").coalesce(1)
    documents = DocumentAssembler(inputCol="text", idCol="id", metadataCol="m").transform(texts)
    found = as_recorded(SentenceDetector(inputCols=["document"]).transform(documents), "sentence")
    assert found == recorded_output("sentence-null-empty")


def test_every_recording_is_tested(recorded_names):
    assert recorded_names("sentence-") == {*SETTINGS, "explode", "null-empty"}


def test_sentences_on_either_session(any_spark, annotation_field):
    texts = any_spark.createDataFrame(ROWS, "id string, text string").coalesce(1)
    documents = DocumentAssembler(inputCol="text", idCol="id").transform(texts)
    bounds = {"customBounds": ["--"], "customBoundsStrategy": "append", "minLength": 6}
    detector = SentenceDetector(inputCols=["document"], outputCol="bounded", **bounds)
    sentences = detector.transform(SentenceDetector().setInputCols("document").transform(documents))
    assert json.loads(sentences.schema["sentence"].json()) == annotation_field("sentence", "document")
    found = sentences.collect()
    assert [plain(row.sentence) for row in found] == [expected(text, SentenceOptions()) for _, text in ROWS]
    options = SentenceOptions(custom_bounds=("--",), custom_bounds_strategy="append", min_length=6)
    assert [plain(row.bounded) for row in found] == [expected(text, options) for _, text in ROWS]
    assert found[0].bounded != found[0].sentence
    assert all(one.embeddings == [] for row in found for one in row.sentence)


def test_several_documents_and_null_rows(any_spark):
    texts = any_spark.createDataFrame([(1, ["One. Two.", "", "Three."]), (2, [])], "n int, texts array<string>")
    documents = DocumentAssembler(inputCol="texts").transform(texts)
    either = documents.withColumn("document", F.when(F.col("n") == 1, F.col("document")))
    found = SentenceDetector(inputCols=["document"]).transform(either).orderBy("n").collect()
    assert plain(found[0].sentence) == [
        ["document", 0, 3, "One.", {"sentence": "0"}],
        ["document", 5, 8, "Two.", {"sentence": "1"}],
        ["document", 0, 5, "Three.", {"sentence": "2"}],
    ]
    assert found[1].sentence is None


def test_exploding_gives_one_row_per_sentence(any_spark, annotation_field):
    texts = any_spark.createDataFrame(ROWS, "id string, text string").coalesce(1)
    documents = DocumentAssembler(inputCol="text", idCol="id").transform(texts)
    detector = SentenceDetector(inputCols=["document"], explodeSentences=True)
    exploded = detector.transform(documents)
    assert exploded.columns == ["id", "text", "document", "sentence"]
    field = annotation_field("sentence", "document")
    assert json.loads(exploded.schema["sentence"].json()) == {**field, "nullable": False}
    whole = [(name, one) for name, text in ROWS for one in expected(text, SentenceOptions())]
    assert [(row.id, *plain(row.sentence)) for row in exploded.collect()] == whole


def test_rules_run_once_for_any_plan(documents):
    detector = SentenceDetector(inputCols=["document"])
    sentences = detector.transform(documents)
    exploded = SentenceDetector(inputCols=["document"], explodeSentences=True).transform(documents)
    for frame in [
        sentences,
        sentences.select("id", F.explode("sentence")),
        sentences.select("id", F.posexplode("sentence")).filter("pos > 0"),
        sentences.filter(F.size("sentence") > 0),
        exploded,
        exploded.select(F.explode("sentence").alias("one")).filter("one.result = 'One.'"),
    ]:
        plan = frame._jdf.queryExecution().executedPlan().toString()
        assert plan.count("ArrowEvalPython") == 1


def test_sentences_in_rows_of_their_own_keep_a_column_of_any_name(documents):
    """The batch job has a column of this name."""
    frame = documents.withColumn("_sparkalbert_sentence", F.lit(1))
    exploded = SentenceDetector(inputCols=["document"], explodeSentences=True).transform(frame)
    assert exploded.columns == [*frame.columns, "sentence"]


def test_wrong_columns_and_params_fail_before_any_job(documents, no_spark_job):
    with no_spark_job():
        with pytest.raises(ColumnError, match=r"(?i)dataset does not have any 'nope' column"):
            SentenceDetector(inputCols=["nope"]).transform(documents)
        with pytest.raises(ColumnError) as raised:
            SentenceDetector(inputCols=["text"]).transform(documents)
        assert "Wrong or missing inputCols annotators in SentenceDetector_" in str(raised.value)
        assert "(column_name=text,is_nlp_annotator=false)" in str(raised.value)
        assert "(column_name=document,is_nlp_annotator=true,type=document)" in str(raised.value)
        with pytest.raises(ParamError, match="has no inputCols"):
            SentenceDetector().transform(documents)
        with pytest.raises(ParamError, match="customBounds"):
            SentenceDetector(inputCols=["document"], customBounds=["("]).transform(documents)
        with pytest.raises(ParamError, match="maxLength"):
            SentenceDetector(inputCols=["document"], minLength=9, maxLength=3).transform(documents)
        SentenceDetector(inputCols=["document"], explodeSentences=True).transform(documents)


def test_setters_refuse_what_cannot_work():
    with pytest.raises(ParamError, match="none, prepend or append"):
        SentenceDetector(customBoundsStrategy="replace")
    with pytest.raises(TypeError, match=r"expecting 1 columns\. Provided column amount: 2"):
        SentenceDetector().setInputCols("a", "b")
