"""The stage on real Spark sessions: coverage, invariance, schema, plans, shipping, persistence."""

import re
import shutil
import uuid

import numpy as np
import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.sql import functions as F

from sparkalbert.convert import convert_checkpoint
from sparkalbert.errors import BundleError, ColumnError, ModelNotFoundError, ParamError, ParamTypeError
from sparkalbert.ml import AlbertEmbeddings, DocumentAssembler, SentenceDetector, Tokenizer
from sparkalbert.ml.failures import raise_job_errors
from sparkalbert.ml.schema import ANNOTATION_COLUMN_TYPE, VECTORS
from sparkalbert.ml.stages import albert_embeddings, model_params, python_pass
from sparkalbert.models import find_model
from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from sparkalbert.word_embedder import WordEmbedder
from tests import tiny_bundle, tiny_checkpoint

TEXTS = [
    "The old man walked to the market. She said that it was cold.",
    "",
    None,
    "A smile 🙂 and a café, then\u200b 1,999 things; naïve Zoë … ½!",
    "word " * 200,
    "The old man walked to the market. She said that it was cold.",
    "\u200b \u00ad x",
    "İstanbul is a town. ﬁne!",
]

ANNOTATORS_MB = python_pass.annotator_workers_bytes() // 1_000_000


@pytest.fixture(scope="module")
def folder():
    return str(tiny_bundle.bundle().path)


def pipeline(folder, **params):
    return Pipeline(
        stages=[
            DocumentAssembler().setInputCol("text").setOutputCol("document"),
            SentenceDetector().setInputCols("document").setOutputCol("sentence"),
            Tokenizer().setInputCols("sentence").setOutputCol("token"),
            AlbertEmbeddings(model=folder, inputCols=["sentence", "token"], outputCol="embeddings", **params),
        ]
    )


def text_frame(spark, texts=TEXTS):
    return spark.createDataFrame(list(enumerate(texts)), "id long, text string")


def embedded(frame, folder, **params):
    rows = pipeline(folder, **params).fit(frame).transform(frame).orderBy("id").collect()
    return {row.id: row for row in rows}


def vectors_of(row):
    return np.array([a.embeddings for a in row.embeddings], dtype=np.float32).reshape(-1, 32)


def test_every_token_has_its_vector_in_order(any_spark, folder):
    rows = embedded(text_frame(any_spark), folder)
    plain = WordEmbedder.load(folder)
    for number, text in enumerate(TEXTS):
        row = rows[number]
        assert [(a.begin, a.end) for a in row.embeddings] == [(t.begin, t.end) for t in row.token]
        assert [a.result for a in row.embeddings] == [t.result.lower() for t in row.token]
        (words,) = plain.embed([text or ""])
        assert words.tokens == [t.result for t in row.token]
        np.testing.assert_array_equal(vectors_of(row), words.vectors)


def test_annotations_have_spark_nlps_metadata(spark, folder):
    frame = text_frame(spark, ["He said hi. A \u200b b"])
    row = embedded(frame, folder)[0]
    first, *_, blank, last = row.embeddings
    assert first.annotatorType == "word_embeddings"
    piece = PieceTokenizer.load(folder).encode("He said hi.").ids[0]
    assert first.metadata == {
        "sentence": "0", "token": "he", "pieceId": str(piece), "isWordStart": "true", "isOOV": "false",
    }  # fmt: skip
    assert last.metadata["sentence"] == "1"
    assert blank.metadata["isOOV"] == "true"
    assert blank.metadata["pieceId"] == "-1"
    assert not any(blank.embeddings)


def test_the_schema_is_spark_nlps(any_spark, folder):
    frame = text_frame(any_spark)
    out = pipeline(folder).fit(frame).transform(frame)
    field = out.schema["embeddings"]
    assert field.dataType == ANNOTATION_COLUMN_TYPE
    assert field.nullable
    name = tiny_bundle.bundle().manifest.name
    assert field.metadata == {"annotatorType": "word_embeddings", "dimension": 32, "ref": name}


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_partitions_and_arrow_batches_never_change_a_bit(spark, precision, setting):
    folder = str(tiny_bundle.bundle(precision).path)
    frame = text_frame(spark)
    expected = None
    for partitions, batch, params in [(1, 10_000, {}), (2, 3, {"memoryBudgetMb": 269 + ANNOTATORS_MB}), (7, 1, {})]:
        with setting(spark, "spark.sql.execution.arrow.maxRecordsPerBatch", str(batch)):
            rows = embedded(frame.repartition(partitions), folder, **params)
        found = np.concatenate([vectors_of(rows[key]) for key in sorted(rows)])
        expected = found if expected is None else expected
        np.testing.assert_array_equal(found, expected)
    assert len(expected) > 200


def test_token_lists_give_one_vector_each(any_spark, folder):
    lists = [["I", "love", "NLP"], [], None, ["a b", "", "\u200b", "x"], ["word"] * 2000]
    frame = any_spark.createDataFrame(list(enumerate(lists)), "id long, tokens array<string>")
    stage = AlbertEmbeddings(model=folder, inputCols=["tokens"], outputCol="vectors")
    out = stage.transform(frame)
    assert out.schema["vectors"].dataType == VECTORS
    rows = {row.id: row for row in out.collect()}
    assert rows[2].vectors is None
    assert rows[1].vectors == []
    plain = WordEmbedder.load(folder)
    for number in (0, 3, 4):
        (words,) = plain.embed_tokens([lists[number]])
        np.testing.assert_array_equal(np.array(rows[number].vectors, dtype=np.float32), words.vectors)


def test_null_tokens_inside_a_list_keep_their_place(spark, folder):
    frame = spark.createDataFrame([(["a", None, "b"],)], "tokens array<string>")
    (row,) = AlbertEmbeddings(model=folder, inputCols=["tokens"], outputCol="v").transform(frame).collect()
    assert len(row.v) == 3
    assert not any(row.v[1])


def python_evaluations(frame):
    plan = frame._jdf.queryExecution().executedPlan().toString()
    return plan.count("ArrowEvalPython")


def test_explode_and_filter_run_the_model_once(spark, folder):
    frame = spark.createDataFrame([(["a", "b"],)], "tokens array<string>")
    out = AlbertEmbeddings(model=folder, inputCols=["tokens"], outputCol="v").transform(frame)
    assert python_evaluations(out.selectExpr("explode(v) AS one")) == 1
    assert python_evaluations(out.where("size(v) > 0")) == 1
    assert out.selectExpr("explode(v) AS one").count() == 2


@pytest.fixture
def moved_bundle(tmp_path):
    """A bundle that a test hides from the workers once the driver has planned the job."""
    # Other weights in each test: no worker has this model loaded or in its cache.
    checkpoint = tiny_checkpoint.write(tmp_path / "checkpoint", seed=uuid.uuid4().int)
    return convert_checkpoint(checkpoint, tmp_path / "driver" / "bundle").path


def hide(folder):
    folder.rename(folder.with_name("hidden"))


def test_a_model_that_spark_sends_reaches_workers_that_do_not_see_the_folder(any_spark, moved_bundle):
    frame = any_spark.createDataFrame([(["a", "b"],)], "tokens array<string>")
    stage = AlbertEmbeddings(model=str(moved_bundle), inputCols=["tokens"], outputCol="v", modelDistribution="file")
    out = stage.transform(frame)
    (words,) = WordEmbedder.load(moved_bundle).embed_tokens([["a", "b"]])
    hide(moved_bundle)
    (row,) = out.collect()
    np.testing.assert_array_equal(np.array(row.v, dtype=np.float32), words.vectors)


def test_a_model_on_a_shared_path_is_not_sent(any_spark, moved_bundle):
    frame = any_spark.createDataFrame([(["a", "b"],)], "tokens array<string>")
    stage = AlbertEmbeddings(model=str(moved_bundle), inputCols=["tokens"], outputCol="v", modelDistribution="path")
    out = stage.transform(frame)
    hide(moved_bundle)
    with pytest.raises(Exception, match="Set modelDistribution to 'file'"):
        out.collect()


def flip_byte(path):
    """Change one byte, as a disk may: the size stays."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_model_that_changed_after_planning_is_refused(any_spark, moved_bundle):
    frame = any_spark.createDataFrame([(["a", "b"],)], "tokens array<string>")
    stage = AlbertEmbeddings(model=str(moved_bundle), inputCols=["tokens"], outputCol="v", modelDistribution="path")
    out = stage.transform(frame)
    flip_byte(moved_bundle / "model.onnx.data")
    with pytest.raises(BundleError, match=r"model\.onnx\.data has sha256 .*, expected"), raise_job_errors():
        out.collect()


def test_a_model_that_changed_after_planning_is_replaced_by_what_spark_sent(any_spark, moved_bundle):
    frame = any_spark.createDataFrame([(["a", "b"],)], "tokens array<string>")
    stage = AlbertEmbeddings(model=str(moved_bundle), inputCols=["tokens"], outputCol="v", modelDistribution="file")
    (words,) = WordEmbedder.load(moved_bundle).embed_tokens([["a", "b"]])
    out = stage.transform(frame)
    flip_byte(moved_bundle / "model.onnx.data")
    (row,) = out.collect()
    np.testing.assert_array_equal(np.array(row.v, dtype=np.float32), words.vectors)


@pytest.mark.parametrize("how", ["reference", "value"])
def test_stage_and_pipeline_are_saved_and_loaded(any_spark, folder, how, tmp_path):
    frame = text_frame(any_spark)
    fitted = pipeline(folder, persistModel=how, pooling="mean").fit(frame)
    stage = fitted.stages[-1]
    stage.write().save(str(tmp_path / "stage"))
    with pytest.raises(Exception, match=r"(?i)already exists"):
        stage.write().save(str(tmp_path / "stage"))
    stage.write().overwrite().save(str(tmp_path / "stage"))
    again = AlbertEmbeddings.load(str(tmp_path / "stage"))
    assert again.uid == stage.uid
    assert again.getPooling() == "mean"
    assert (tmp_path / "stage" / "bundle").is_dir() == (how == "value")
    fitted.write().overwrite().save(str(tmp_path / "pipeline"))
    loaded = PipelineModel.load(str(tmp_path / "pipeline"))
    for left, right in zip(
        fitted.transform(frame).orderBy("id").collect(),
        loaded.transform(frame).orderBy("id").collect(),
        strict=True,
    ):
        assert left == right


def test_a_converted_model_is_found_again_in_its_precision(spark, tmp_path):
    stage = AlbertEmbeddings.pretrained(str(tiny_bundle.checkpoint()), precision="int8").setInputCols("tokens")
    assert stage.getPrecision() == "int8"
    stage.save(str(tmp_path / "stage"))
    again = AlbertEmbeddings.load(str(tmp_path / "stage"))
    frame = spark.createDataFrame([(["a"],)], "tokens array<string>")
    assert again.setOutputCol("v").transform(frame).first().v
    assert again._bundle().manifest.precision == "int8"


def test_another_model_under_the_saved_name_is_refused(spark, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(tiny_bundle.bundle().path, folder)
    saved = AlbertEmbeddings(model=str(folder), inputCols=["tokens"], persistModel="reference")
    saved.save(str(tmp_path / "stage"))
    shutil.rmtree(folder)
    shutil.copytree(tiny_bundle.bundle("int8").path, folder)
    stage = AlbertEmbeddings.load(str(tmp_path / "stage"))
    with pytest.raises(ValueError, match=r"is not the model that .* was saved with"):
        stage.transform(spark.createDataFrame([(["a"],)], "tokens array<string>"))


def test_column_order_does_not_matter(spark, folder):
    frame = text_frame(spark, TEXTS[:1])
    one = embedded(frame, folder)[0]
    swapped = pipeline(folder)
    swapped.getStages()[-1].setInputCols("token", "sentence")
    assert swapped.fit(frame).transform(frame).first().embeddings == one.embeddings


def test_wrong_columns_are_refused_before_any_job(spark, folder):
    frame = text_frame(spark)
    stage = AlbertEmbeddings(model=folder, outputCol="e")
    with pytest.raises(ParamError, match="has no inputCols"):
        stage.transform(frame)
    with pytest.raises(ColumnError, match="does not have any 'nope' column"):
        stage.setInputCols("nope", "text").transform(frame)
    with pytest.raises(ColumnError, match="Wrong or missing inputCols annotators"):
        stage.setInputCols("id", "text").transform(frame)
    with pytest.raises(ColumnError, match=r"Column 'text' is string, .* expects array<string>"):
        stage.setInputCols("text").transform(frame)
    with pytest.raises(ParamTypeError, match=r"expecting 2 columns\. Provided column amount: 3"):
        stage.setInputCols("a", "b", "c")
    with pytest.raises(ParamTypeError, match="It must be either str or list"):
        stage.setInputCols(("a", "b"))


def test_a_stage_without_a_model_says_so(spark):
    with pytest.raises(ParamError, match=r"has no model\. Use pretrained"):
        AlbertEmbeddings(inputCols=["tokens"]).transform(spark.createDataFrame([(["a"],)], "tokens array<string>"))


@pytest.mark.parametrize(("name", "value"), [("threads", 0), ("maxErrorFraction", 2.0)])
def test_no_model_is_sent_with_an_invalid_param(spark, folder, monkeypatch, name, value):
    sent = []
    monkeypatch.setattr(albert_embeddings, "ship_model", lambda *parts: sent.append(parts))
    frame = spark.createDataFrame([(["a"],)], "tokens array<string>")
    stage = AlbertEmbeddings(model=folder, inputCols=["tokens"], outputCol="vectors", onError="null")
    with pytest.raises(ParamError, match=name):
        stage.copy({getattr(stage, name): value}).transform(frame)
    assert not sent


def test_an_empty_storage_ref_is_kept(spark, folder):
    frame = text_frame(spark)
    out = pipeline(folder, storageRef="").fit(frame).transform(frame)
    assert out.schema["embeddings"].metadata["ref"] == ""


def test_loading_a_folder_and_a_name(folder, tmp_path):
    stage = AlbertEmbeddings.loadSavedModel(str(tiny_bundle.checkpoint()), None)
    assert stage.uid.startswith("ALBERT_EMBEDDINGS_")
    assert stage.getDimension() == 32
    assert AlbertEmbeddings.pretrained(folder).getDimension() == 32
    with pytest.raises(ModelNotFoundError, match="albert_xlarge_uncased"):
        AlbertEmbeddings.pretrained("albert_tiny_martian")
    with pytest.raises(ModelNotFoundError, match="lang 'fr'"):
        AlbertEmbeddings.pretrained("albert_base_uncased", "fr")
    with pytest.raises(ModelNotFoundError, match="lang 'en': it is listed for 'fr'"):
        AlbertEmbeddings.pretrained("albert_embeddings_fralbert_base", "en")
    with pytest.raises(ModelNotFoundError, match="no model 'albert_mini_en' for lang 'fr'"):
        AlbertEmbeddings.pretrained("albert_mini_en", "fr")
    assert AlbertEmbeddings.pretrained("albert_mini_en", "en").getDimension() == 256
    with pytest.raises(ModelNotFoundError, match="lang 'fr': it is listed for 'en'"):
        AlbertEmbeddings.pretrained("albert_base_uncased", "fr", remote_loc=str(tmp_path))
    with pytest.raises(ModelNotFoundError, match=r"^s3a://bucket/models/mine is not a path of this machine\. Copy the"):
        AlbertEmbeddings.pretrained("mine", remote_loc="s3a://bucket/models/")
    parent, name = folder.rsplit("/", 1)
    for place in (parent, f"file://{parent}"):
        assert AlbertEmbeddings.pretrained(name, remote_loc=place).getModel() == folder
    with pytest.raises(ModelNotFoundError, match="not found"):
        AlbertEmbeddings.loadSavedModel(str(tmp_path / "nothing"), None)


@pytest.mark.parametrize("params", [{}, {"dimension": 32}, {"vectorFormat": "binary"}])
def test_a_model_is_looked_for_once_in_each_transform(spark, folder, monkeypatch, params):
    """It takes a while, because every byte is checked, and what is found must be what is sent."""
    looked_for = []

    def find(name, **options):
        looked_for.append(name)
        return find_model(name, **options)

    monkeypatch.setattr(model_params, "find_model", find)
    frame = text_frame(spark)
    *front, stage = pipeline(folder, **params).fit(frame).stages
    embedded_frame = stage.transform(PipelineModel(front).transform(frame))
    assert looked_for == [folder]
    if "vectorFormat" not in params:
        assert embedded_frame.schema["embeddings"].metadata["ref"] == stage.getStorageRef()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("maxSentenceLength", 600, "do not support token sequences longer than 512"),
        ("maxSentenceLength", 2, "maxSentenceLength is 2, expected at least 3"),
        ("batchSize", 0, "batchSize is 0, expected at least 1"),
        ("pooling", "max", "expected one of first"),
        ("pooling", 5, "pooling is 5, expected one of first"),
        ("encoding", "word", "expected one of sentence, token"),
        ("engine", "tensorflow", "expected one of onnx"),
        ("modelDistribution", "pigeon", "expected one of auto"),
        ("persistModel", "maybe", "expected one of value, reference"),
        ("device", "tpu", "expected 'cpu'"),
        ("memoryBudgetMb", 0, "expected at least 1"),
    ],
)
def test_setters_refuse_what_cannot_work(name, value, message):
    with pytest.raises(ParamError, match=message):
        AlbertEmbeddings(**{name: value})


def test_a_wrong_dimension_is_found_on_the_driver(spark, folder):
    frame = spark.createDataFrame([(["a"],)], "tokens array<string>")
    stage = AlbertEmbeddings(model=folder, inputCols=["tokens"], dimension=768)
    with pytest.raises(ParamError, match="has vectors of 32"):
        stage.transform(frame)


def test_a_model_that_cannot_fit_is_refused_on_the_driver(spark, folder, no_spark_job):
    frame = spark.createDataFrame([(["a"],)], "tokens array<string>")
    stage = AlbertEmbeddings(model=folder, inputCols=["tokens"], memoryBudgetMb=200)
    with (
        no_spark_job(),
        pytest.raises(ParamError, match=r"memoryBudgetMb is 200, but .* needs \d+: 260 for the"),
    ):
        stage.transform(frame)


def test_a_budget_is_for_all_workers_of_a_task(spark, folder, no_spark_job, monkeypatch):
    """Before Spark 4.1 the annotators have workers of their own, but token lists need no annotators."""
    frame = text_frame(spark)
    monkeypatch.setattr(python_pass, "JOINS_STAGES", False)
    message = r"memoryBudgetMb is 748, but a task .* 480 are for the workers of SentenceDetector and Tokenizer\."
    with no_spark_job(), pytest.raises(ParamError, match=message):
        pipeline(folder, memoryBudgetMb=748).fit(frame).transform(frame)
    pipeline(folder, memoryBudgetMb=749).fit(frame).transform(frame)
    tokens = spark.createDataFrame([(["a"],)], "tokens array<string>")
    AlbertEmbeddings(model=folder, inputCols=["tokens"], memoryBudgetMb=269).transform(tokens)


@pytest.mark.parametrize(
    ("precision", "params", "message"),
    [
        ("int8", {}, r"device is 'cuda', but .*\(int8\) on the CPU only"),
        (
            "fp16",
            {"memoryBudgetMb": 900},
            "memoryBudgetMb is 900, but it is a limit for workers that compute on the CPU",
        ),
    ],
)
def test_what_a_gpu_cannot_do_is_refused_on_the_driver(spark, no_spark_job, precision, params, message):
    frame = spark.createDataFrame([(["a"],)], "tokens array<string>")
    model = str(tiny_bundle.bundle(precision).path)
    stage = AlbertEmbeddings(model=model, inputCols=["tokens"], device="cuda", **params)
    with no_spark_job(), pytest.raises(ParamError, match=message):
        stage.transform(frame)


def test_changed_tokens_are_embedded_as_they_are(spark, folder):
    """A stage between may have stemmed the tokens; then they are not substrings of the sentence."""
    frame = text_frame(spark, ["He walked home"])
    parts = pipeline(folder).fit(frame).stages
    tokens = parts[2].transform(parts[1].transform(parts[0].transform(frame)))
    metadata = tokens.schema["token"].metadata
    stemmed = F.transform("token", lambda token: token.withField("result", F.lit("walk")))
    changed = tokens.withColumn("token", stemmed).withMetadata("token", metadata)
    row = parts[3].transform(changed).first()
    (words,) = WordEmbedder.load(folder).embed_tokens([[a.result for a in row.token]])
    np.testing.assert_array_equal(vectors_of(row), words.vectors)


def test_tokens_outside_every_sentence_get_zeros(spark, folder):
    frame = text_frame(spark, ["First one. Second one."])
    parts = pipeline(folder).fit(frame).stages
    tokens = parts[2].transform(parts[1].transform(parts[0].transform(frame)))
    metadata = tokens.schema["sentence"].metadata
    fewer = (
        tokens.selectExpr("id", "text", "slice(sentence, 2, 1) AS sentence", "token")
        .withMetadata("sentence", metadata)
        .withMetadata("token", tokens.schema["token"].metadata)
    )
    row = parts[3].transform(fewer).first()
    assert len(row.embeddings) == len(row.token) == 6
    assert [any(a.embeddings) for a in row.embeddings] == [False] * 3 + [True] * 3
    metadata = row.embeddings[0].metadata
    assert (metadata["sentence"], metadata["pieceId"], metadata["isOOV"]) == ("-1", "-1", "true")


def test_spark_plans_with_a_column_that_is_declared_deterministic(spark):
    frame = spark.range(3).selectExpr("id", "array('a', 'word') AS tokens")
    stage = AlbertEmbeddings(model=str(tiny_bundle.bundle().path), inputCols=["tokens"], outputCol="vectors")
    expected = stage.transform(frame).where("id = 2").collect()
    assert stage.setDeterministic(True).transform(frame).where("id = 2").collect() == expected

    def steps(deterministic):
        found = stage.setDeterministic(deterministic).transform(frame).where("id = 2")
        plan = found._jdf.queryExecution().optimizedPlan().toString()
        return re.findall(r"Filter|EvalPython", plan)

    assert steps(deterministic=False) == ["Filter", "EvalPython"], "each row is computed, whatever is read of them"
    assert steps(deterministic=True) == ["EvalPython", "Filter"]
