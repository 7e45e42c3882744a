"""The one-liner through Spark: the bits and rows of this process, classic and Connect."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.ml import Pipeline, PipelineModel

import sparkalbert
from sparkalbert import AlbertEmbeddings, DocumentAssembler, SentenceDetector, Tokenizer
from sparkalbert.errors import BundleError, ColumnError, InputError, ParamError, ParamTypeError
from sparkalbert.ml.job import annotated_frame, saved_pipeline
from sparkalbert.ml.job.text_pipeline import text_pipeline
from sparkalbert.nlu import loading, progress
from sparkalbert.nlu import predictor as predictor_module
from tests import tiny_bundle

TEXTS = ["The river was high. Nobody could cross it!", "", None, "Café 😀 prices: £5.\u200b Then £9.", "One\ntwo"]
EVERYTHING = {"positions": True, "metadata": True}


@pytest.fixture(scope="module")
def predictor():
    return sparkalbert.load(tiny_bundle.bundle().path, max_sentence_length=64)


@pytest.fixture
def frame():
    return pd.DataFrame({"number": range(5), "text": TEXTS}, index=list("vwxyz"))


def assert_same(found, expected):
    assert found.columns.tolist() == expected.columns.tolist()
    assert found.index.tolist() == expected.index.tolist()
    for name in expected.columns:
        for one, other in zip(found[name], expected[name], strict=True):
            if isinstance(other, np.ndarray):
                assert one.shape == other.shape or other.size == one.size == 0
                assert one.tobytes() == other.tobytes(), name
            else:
                assert one == other or (pd.isna(one) and pd.isna(other)), name


@pytest.mark.parametrize("level", ["token", "sentence", "document"])
def test_a_spark_frame_gives_the_bits_of_this_process(any_spark, predictor, frame, level):
    data = any_spark.createDataFrame(list(enumerate(TEXTS)), "number long, text string").repartition(3).sort("number")
    found = predictor.predict(data, level, **EVERYTHING)
    expected = predictor.predict(frame.reset_index(drop=True), level, **EVERYTHING)
    assert_same(found, expected)
    assert found["number"].dtype == np.int64


def test_invalid_utf8_in_any_column_is_replaced(any_spark, predictor):
    bad = "cast(X'536E6F77E9' as string)"
    data = any_spark.sql(f"SELECT {bad} AS text, {bad} AS other, array({bad}) AS list, 7 AS number")
    found = predictor.predict(data, "document")
    assert found[["text", "other", "number"]].to_numpy().tolist() == [["Snow\ufffd", "Snow\ufffd", 7]]
    assert list(found["list"][0]) == ["Snow\ufffd"]


def test_large_local_data_goes_through_a_session(any_spark, predictor, frame, monkeypatch):
    many = pd.concat([frame] * 40)
    expected = predictor.predict(many, "sentence", pooling="mean")
    monkeypatch.setattr(predictor_module, "LOCAL_CHARACTERS", 100)
    monkeypatch.setattr(sparkalbert.WordEmbedder, "embed", None)
    assert_same(predictor.predict(many, "sentence", pooling="mean"), expected)


def test_large_results_are_collected_in_slices(spark, predictor, frame, monkeypatch):
    """Each below ``spark.driver.maxResultSize``; the rows and the index are those of one process."""
    many = pd.concat([frame] * 5)
    expected = predictor.predict(many, **EVERYTHING)
    collected, slices = annotated_frame.collect_annotated, []

    def counted(*arguments, **options):
        found = collected(*arguments, **options)
        slices.append(len(found[1]))
        return found

    monkeypatch.setattr(annotated_frame, "collect_annotated", counted)
    monkeypatch.setattr(predictor_module, "LOCAL_CHARACTERS", 100)
    token_bytes = 64 + 4 * tiny_bundle.bundle().manifest.dimension
    monkeypatch.setattr(predictor_module, "_SLICE_BYTES", 100 * token_bytes // 2)  # 100 characters
    assert_same(predictor.predict(many, **EVERYTHING), expected)
    assert len(slices) == 5
    assert sum(slices) == len(many)


def test_a_text_longer_than_a_slice_is_alone():
    assert list(predictor_module._slices(["ab", "c", "defgh", "i", ""], 3)) == [["ab", "c"], ["defgh"], ["i", ""]]


def test_small_local_data_takes_no_job(spark, predictor, frame, no_spark_job):
    with no_spark_job():
        assert predictor.predict("The river was high.")["token"].tolist() == ["The", "river", "was", "high", "."]
        assert predictor.predict(frame)["number"].unique().tolist() == [0, 1, 2, 3, 4]


def test_no_model_runs_for_tokens_alone(spark, predictor, frame, monkeypatch):
    data = spark.createDataFrame(list(enumerate(TEXTS)), "number long, text string").coalesce(1)
    found = predictor.predict(data, get_embeddings=False)
    assert found.columns.tolist() == ["number", "text", "token"], "as in NLU, which has no LightPipeline for it"
    monkeypatch.setattr(sparkalbert.WordEmbedder, "embed", None)
    assert_same(found, predictor.predict(frame.reset_index(drop=True), get_embeddings=False))


def test_names_are_checked_before_the_job(spark, predictor, no_spark_job):
    data = spark.createDataFrame([("The river.", 1)], "text string, token long")
    with no_spark_job(), pytest.raises(ColumnError, match="named as columns of the result: token"):
        predictor.predict(data)
    assert predictor.predict(data, keep_stranger_features=False)["token"].tolist() == ["The", "river", "."]


def test_columns_that_are_not_kept_are_not_collected(any_spark, predictor, monkeypatch):
    data = any_spark.createDataFrame([("The river.", 1)], "`the.text` string, other long")
    collected, columns = annotated_frame.collect_annotated, []

    def watched(frame, *arguments, **options):
        columns.extend(frame.columns)
        return collected(frame, *arguments, **options)

    monkeypatch.setattr(annotated_frame, "collect_annotated", watched)
    found = predictor.predict(data, keep_stranger_features=False)
    assert found.columns.tolist() == ["text", "token", "word_embedding_from_disk"]
    assert columns == ["text"]


def test_the_raw_frame_has_the_annotations(any_spark, predictor):
    data = any_spark.createDataFrame([("The river.", 1)], "body string, number long")
    raw = predictor.predict(data, text_col="body", return_spark_df=True)
    columns = ["document", "sentence", "token", "word_embedding_from_disk"]
    assert raw.columns == ["text", "number", *columns]
    assert raw.schema["word_embedding_from_disk"].metadata["annotatorType"] == "word_embeddings"
    (row,) = raw.collect()
    assert [word.result for word in row.word_embedding_from_disk] == ["the", "river", "."]


def test_local_data_becomes_a_raw_frame_of_the_session(spark, predictor, frame):
    raw = predictor.predict(frame, return_spark_df=True)
    assert raw.sparkSession is spark
    assert [row.text for row in raw.select("text").sort("number").collect()] == TEXTS
    assert predictor.predict("The river.", return_spark_df=True).head().text == "The river."


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        ([], []),
        ([None], [""]),
        (pd.DataFrame({"text": [], "number": pd.Series([], dtype=int)}), []),
        (pd.DataFrame({"text": [None, float("nan")], "number": [1, 2]}), [None, None]),
    ],
    ids=["nothing", "None", "no rows", "no texts"],
)
def test_data_without_texts_becomes_a_raw_frame(any_spark, predictor, data, texts):
    raw = predictor.predict(data, return_spark_df=True)
    assert dict(raw.dtypes)["text"] == "string"
    assert dict(raw.dtypes).get("number", "bigint") == "bigint"
    assert [row.text for row in raw.collect()] == texts


@pytest.mark.parametrize("texts", [[], ["Snow"], [None]], ids=["no rows", "a text", "no text"])
def test_columns_without_values_have_the_types_of_pandas(any_spark, predictor, texts):
    """Spark infers none from them."""
    data = pd.DataFrame({
        "text": pd.Series(texts, dtype=object),
        "note": pd.Series([None] * len(texts), dtype=object),
        "score": pd.Series([None] * len(texts), dtype=float),
    })  # fmt: skip
    raw = predictor.predict(data, return_spark_df=True)
    types = dict(raw.dtypes)
    assert (types["text"], types["note"], types["score"]) == ("string", "string", "double")
    assert [(row.text, row.note, row.score) for row in raw.collect()] == [(text, None, None) for text in texts]


@pytest.mark.filterwarnings("ignore:createDataFrame attempted Arrow optimization")
def test_values_of_several_types_are_refused(any_spark, predictor):
    data = pd.DataFrame({"text": ["Snow", "Ice"], "mixed": [1, ["x"]]})
    with pytest.raises(ColumnError, match="Expected values of one type in each column"):
        predictor.predict(data, return_spark_df=True)


@pytest.fixture(scope="module")
def pipeline(spark):
    stages = [
        DocumentAssembler(inputCol="body", outputCol="doc"),
        SentenceDetector(inputCols=["doc"], outputCol="sent", customBounds=[";"]),
        Tokenizer(inputCols=["sent"], outputCol="tok"),
        AlbertEmbeddings(model=str(tiny_bundle.bundle().path), inputCols=["tok", "sent"], outputCol="emb"),
    ]
    return Pipeline(stages=stages).fit(spark.createDataFrame([("",)], "body string"))


class TestPipelines:
    """Saved ones and ones in memory, with Params of their own."""

    def test_a_saved_pipeline_predicts_as_the_one_in_memory(self, spark, pipeline, tmp_path, no_spark_job):
        pipeline.save(str(tmp_path / "saved"))
        saved = sparkalbert.load(tmp_path / "saved")
        data = pd.DataFrame({"number": [1, 2], "body": ["High rivers; low bridges", "Snow."]})
        with no_spark_job():
            found = saved.predict(data, "sentence", **EVERYTHING)
        assert found["sentence"].tolist() == ["High rivers", "low bridges", "Snow."]
        assert_same(found, sparkalbert.load(pipeline).predict(data, "sentence", **EVERYTHING))
        on_spark = saved.predict(spark.createDataFrame(data).coalesce(1), "sentence", **EVERYTHING)
        assert_same(on_spark, found)
        assert saved.predict(data, get_embeddings=False)["token"].tolist() == [
            "High", "rivers", "low", "bridges", "Snow", ".",
        ]  # fmt: skip

    def test_other_columns_named_as_the_text_stay_apart(self, any_spark, pipeline):
        """The pipeline reads ``body``; a chosen column runs under that name, and all others come back unchanged."""
        predictor = sparkalbert.load(pipeline)
        data = pd.DataFrame({"number": [7], "body": ["Snow fell"], "title": ["High rivers"]})
        on_spark = any_spark.createDataFrame(data)
        for frame in (data, on_spark):
            found = predictor.predict(frame, text_col="title")
            assert found["token"].tolist() == ["High", "rivers"]
            assert found[["number", "body", "text"]].to_numpy().tolist() == [[7, "Snow fell", "High rivers"]] * 2
            raw = predictor.predict(frame, text_col="title", return_spark_df=True)
            assert raw.columns == ["number", "body", "text", "doc", "sent", "tok", "word_embedding_from_disk"]
            row = raw.select("body", "text", "word_embedding_from_disk").head()
            assert (row.body, row.text) == ("Snow fell", "High rivers")
            assert [word.result for word in row.word_embedding_from_disk] == ["high", "rivers"]
        upper = on_spark.withColumnRenamed("body", "BODY")
        assert predictor.predict(upper, text_col="title")["BODY"].tolist() == ["Snow fell"] * 2

    def test_the_column_that_the_pipeline_reads_comes_before_text(self, any_spark, pipeline):
        predictor = sparkalbert.load(pipeline)
        data = pd.DataFrame({"text": ["Snow fell"], "body": ["High rivers"]})
        for frame in (data, any_spark.createDataFrame(data)):
            with pytest.raises(ColumnError, match="a column 'text' beside the column of texts, 'body'"):
                predictor.predict(frame)
            with pytest.raises(ColumnError, match="a column 'text' beside the column of texts, 'body'"):
                predictor.predict(frame, return_spark_df=True)
            alone = predictor.predict(frame, keep_stranger_features=False)
            assert alone[["text", "token"]].to_numpy().tolist() == [["High rivers", "High"], ["High rivers", "rivers"]]
            chosen = predictor.predict(frame, text_col="text")
            assert chosen["token"].tolist() == ["Snow", "fell"]
            assert chosen["body"].tolist() == ["High rivers"] * 2

    def test_a_raw_frame_has_each_name_once(self, spark, pipeline):
        data = spark.createDataFrame([("Snow", 1)], "body string, word_embedding_from_disk long")
        with pytest.raises(ColumnError, match="named as columns of the result: word_embedding_from_disk"):
            sparkalbert.load(pipeline).predict(data, return_spark_df=True)

    @pytest.mark.usefixtures("spark")
    def test_a_saved_stage_predicts_with_its_params(self, tmp_path):
        model = str(tiny_bundle.bundle().path)
        AlbertEmbeddings(model=model, pooling="first_last").save(str(tmp_path / "stage"))
        found = sparkalbert.load(tmp_path / "stage").predict("The rivers")
        expected = sparkalbert.load(model, pooling="first_last").predict("The rivers")
        assert_same(found, expected)

    @pytest.mark.usefixtures("spark")
    def test_a_saved_pipeline_is_read_from_another_file_system(self, pipeline, tmp_path, monkeypatch):
        """Stands for ``hdfs:`` and ``s3a:``: everything is read by Spark."""
        pipeline.save(str(tmp_path / "saved"))
        monkeypatch.setattr(loading, "is_remote", lambda _: True)
        monkeypatch.setattr(saved_pipeline, "local_path", lambda _: None)
        data = pd.DataFrame({"body": ["High rivers; low bridges"]})
        found = sparkalbert.load(f"file:{tmp_path}/saved").predict(data)
        assert_same(found, sparkalbert.load(pipeline).predict(data))
        with pytest.raises(
            InputError, match=r"nothing/metadata cannot be read: .* Expected a saved pipeline; copy the"
        ):
            sparkalbert.load(f"file:{tmp_path}/nothing")

    @pytest.mark.parametrize("as_pipeline", [False, True])
    def test_later_changes_of_params_reach_neither_way(self, spark, as_pipeline):
        """The vectors of this process and of Spark stay the same."""
        stage = AlbertEmbeddings(model=str(tiny_bundle.bundle().path))
        empty = spark.createDataFrame([("",)], "text string")
        model = text_pipeline(stage).fit(empty) if as_pipeline else stage
        predictor = sparkalbert.load(model)
        text = "The unbelievable rivers"
        expected = predictor.predict(text)
        (model.stages[-1] if as_pipeline else stage).setPooling("mean")
        data = spark.createDataFrame([(text,)], "text string")
        on_spark = predictor.predict(data).drop(columns="text")
        assert_same(on_spark, expected)
        assert_same(predictor.predict(text), expected)

    def test_a_pipeline_without_vectors_is_refused(self, pipeline):
        with pytest.raises(ParamError, match="0 stages that add a column of type 'word_embeddings'"):
            sparkalbert.load(PipelineModel(pipeline.stages[:3]))

    @pytest.mark.parametrize("params", [{"outputLevel": "document"}, {"vectorFormat": "binary"}])
    def test_a_pipeline_without_annotations_of_tokens_is_refused(self, params):
        stage = AlbertEmbeddings(model=str(tiny_bundle.bundle().path), **params)
        with pytest.raises(ParamError, match=r"expected 'token' and 'float'; predict\(\) has output_level"):
            sparkalbert.load(stage)

    def test_options_of_a_pipeline_are_its_own(self, pipeline):
        with pytest.raises(ParamError, match="A pipeline has its own pooling"):
            sparkalbert.load(pipeline, pooling="mean")

    @pytest.mark.usefixtures("spark")
    def test_another_saved_stage_is_refused(self, tmp_path):
        Tokenizer(inputCols=["sentence"]).save(str(tmp_path / "tokenizer"))
        with pytest.raises(InputError, match=r"contains a sparkalbert\S+Tokenizer, expected one of AlbertEmbeddings"):
            sparkalbert.load(tmp_path / "tokenizer")

    def test_something_else_is_refused(self):
        with pytest.raises(ParamTypeError, match="got int"):
            sparkalbert.load(3)


def test_spark_nlps_rows_leave_a_token_without_a_vector_in_its_place(spark):
    """NLU moves the vectors that follow beside the wrong tokens."""
    text = "A \u200b river."
    predictor = sparkalbert.load(tiny_bundle.bundle().path, compatibility="spark-nlp")
    found = predictor.predict(text)
    assert found["token"].tolist() == ["A", "\u200b", "river", "."]
    assert found["word_embedding_from_disk"].isna().tolist() == [False, True, False, False]
    stage = AlbertEmbeddings(model=str(tiny_bundle.bundle().path), compatibility="spark-nlp")
    data = spark.createDataFrame([(text,)], "text string")
    row = text_pipeline(stage).fit(data).transform(data).head()
    vectors = np.array([word.embeddings for word in row.embeddings], dtype=np.float32)
    assert np.array_equal(np.stack(found["word_embedding_from_disk"].dropna()), vectors)
    assert_same(predictor.predict(data), predictor.predict(pd.DataFrame({"text": [text]})))


@pytest.mark.usefixtures("spark")
def test_options_of_the_tokenizer_reach_the_model_of_a_stage(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path))
    options = {"do_lower_case": False, "keep_accents": True, "remove_space": True}
    stage = sparkalbert.load(tiny_bundle.checkpoint(), compatibility="spark-nlp", **options)
    expected = sparkalbert.load(tiny_bundle.checkpoint(), encoding="token", **options)
    assert_same(stage.predict("The rivers"), expected.predict("The rivers"))
    for name, value in {"do_lower_case": False, "keep_accents": True, "remove_space": False}.items():
        with pytest.raises(ParamError, match=f"{name} is {value}, but the bundle .* was converted with"):
            sparkalbert.load(tiny_bundle.bundle().path, compatibility="spark-nlp", **{name: value})


def test_a_missing_or_wrong_column_is_named(any_spark, predictor):
    data = any_spark.createDataFrame([(1, "a")], "number long, body string")
    with pytest.raises(ColumnError, match=r"no column 'bodi'\. Did you mean 'body'\? Its columns: number, body"):
        predictor.predict(data, text_col="bodi")
    with pytest.raises(ColumnError, match="column 'text' is bigint, expected string"):
        predictor.predict(data)


def test_progress_is_logged_off_a_terminal(spark, predictor, frame, monkeypatch, caplog):
    monkeypatch.setattr(predictor_module, "LOCAL_CHARACTERS", 100)
    monkeypatch.setattr(progress, "_FIRST_S", 0.0)
    with caplog.at_level(logging.INFO, "sparkalbert"):
        predictor.predict(pd.concat([frame] * 10))
    assert any(record.message.startswith("Predicting: ") for record in caplog.records)


@pytest.mark.parametrize("kind", ["model", "stage", "pipeline"])
def test_a_folder_that_holds_another_model_by_now_is_refused(spark, tmp_path, monkeypatch, kind):
    """In this process the model that was loaded goes on; Spark would load the other one."""
    folder = Path(shutil.copytree(tiny_bundle.bundle().path, tmp_path / "model"))
    texts = spark.createDataFrame([("Snow fell.",)], "text string")
    stage = AlbertEmbeddings.pretrained(str(folder)).setInputCols("sentence", "token").setOutputCol("embeddings")
    loaded = {
        "model": lambda: sparkalbert.load(folder),
        "stage": lambda: sparkalbert.load(folder, compatibility="spark-nlp"),
        "pipeline": lambda: sparkalbert.load(text_pipeline(stage).fit(texts)),
    }[kind]()
    assert len(loaded.predict(["Snow fell."])) == 3
    shutil.rmtree(folder)
    shutil.copytree(tiny_bundle.bundle(num_hidden_layers=2).path, folder)
    monkeypatch.setattr(predictor_module, "LOCAL_CHARACTERS", 1)
    with pytest.raises(BundleError, match="but modelDigest requires"):
        loaded.predict(["Snow fell."])


def test_a_pipeline_that_adds_rows_is_refused(spark, monkeypatch):
    """The words of a second row of a text would be those of the next text."""
    stages = [
        DocumentAssembler().setInputCol("text").setOutputCol("document"),
        SentenceDetector().setInputCols("document").setOutputCol("sentence").setExplodeSentences(True),
        Tokenizer().setInputCols("sentence").setOutputCol("token"),
        AlbertEmbeddings.pretrained(str(tiny_bundle.bundle().path)).setInputCols("sentence", "token").setOutputCol("v"),
    ]
    texts = ["High rivers. Low bridges.", "", "Snow."]
    frame = spark.createDataFrame([(text,) for text in texts], "text string")
    predictor = sparkalbert.load(Pipeline(stages=stages).fit(frame))
    monkeypatch.setattr(predictor_module, "LOCAL_CHARACTERS", 1)
    with pytest.raises(ParamError, match=r"^predict\(\) expects one row for each text, but a stage"):
        predictor.predict(texts)
