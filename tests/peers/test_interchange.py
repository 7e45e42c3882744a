"""Either's stages in one pipeline: what one of them writes, the other reads."""

from types import SimpleNamespace

import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.sql import functions as F

from tests.known_differences import CHUNKS
from tests.peers import random_texts
from tests.peers.compare import annotators, assert_same_rows, assert_same_schema, column

KINDS = [
    "DocumentAssembler",
    "SentenceDetector",
    "Tokenizer",
    "AlbertEmbeddings",
    "SentenceEmbeddings",
    "NGramGenerator",
    "Doc2Chunk",
    "ChunkEmbeddings",
    "EmbeddingsFinisher",
    "Finisher",
]
TEXTS = [
    "I love NLP. Rare Hendrix song draft sells for almost $17,000.",
    "He said 🙂 no, Mr. Wu (a café owner) didn't.\n\nNaïve 1996-08-21…",
    "",
    None,
]


def stages(homes, model_folder, spark):
    """One pipeline through every stage, each from the home of its name."""
    assembler, detector, tokenizer, albert, sentences, ngrams, phrases, chunks, finisher, words = (
        homes[name] for name in KINDS
    )
    embeddings = albert.AlbertEmbeddings.loadSavedModel(model_folder, spark)
    if hasattr(embeddings, "setCompatibility"):  # ours
        embeddings.setCompatibility("spark-nlp")
    return [
        *annotators(
            SimpleNamespace(
                DocumentAssembler=assembler.DocumentAssembler,
                SentenceDetector=detector.SentenceDetector,
                Tokenizer=tokenizer.Tokenizer,
            )
        ),
        embeddings.setInputCols("sentence", "token")
        .setOutputCol("embeddings")
        .setBatchSize(1)
        .setDimension(32)
        .setStorageRef("tiny"),
        sentences.SentenceEmbeddings().setInputCols("sentence", "embeddings").setOutputCol("sentence_vectors"),
        ngrams.NGramGenerator().setInputCols("token").setOutputCol("ngram").setN(2),
        chunks.ChunkEmbeddings().setInputCols("ngram", "embeddings").setOutputCol("chunk_vectors"),
        phrases.Doc2Chunk().setInputCols("document").setChunkCol("phrase").setOutputCol("chunk"),
        chunks.ChunkEmbeddings()
        .setInputCols("chunk", "embeddings")
        .setOutputCol("phrase_vectors")
        .setPoolingStrategy("SUM"),
        finisher.EmbeddingsFinisher()
        .setInputCols("embeddings", "sentence_vectors", "chunk_vectors")
        .setOutputCols("vectors", "sentence_arrays", "chunk_arrays")
        .setOutputAsVector(True),
        words.Finisher().setInputCols("token", "ngram").setOutputCols("words", "pairs").setCleanAnnotations(False),
    ]


@pytest.fixture(scope="module")
def texts(spark):
    rows = list(enumerate(TEXTS + random_texts.texts(40, seed=5) + random_texts.prose(20, seed=5)))
    frame = spark.createDataFrame(rows, "id int, text string").coalesce(2)
    # The real Doc2Chunk fails on null.
    phrase = F.coalesce(F.regexp_extract("text", r"(\w+ \w+)", 1), F.lit(""))
    return frame.withColumn("phrase", phrase).cache()


@pytest.fixture(scope="module")
def expected(spark, theirs, model_folder, texts):
    """The real one's output, all its own."""
    frame = Pipeline(stages=stages(dict.fromkeys(KINDS, theirs), model_folder, spark)).fit(texts).transform(texts)
    return SimpleNamespace(frame=frame, rows=frame.collect())


@pytest.fixture
def homes(theirs, ours):
    """Homes of the stages where those named are of the other one."""

    def make(kinds, mostly):
        other = {"theirs": ours, "ours": theirs}[mostly]
        mostly = {"theirs": theirs, "ours": ours}[mostly]
        return {name: other if name in kinds else mostly for name in KINDS}

    return make


@pytest.mark.parametrize("mostly", ["theirs", "ours"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_stage_may_be_the_others(kind, mostly, homes, spark, model_folder, texts, expected):
    mixed = stages(homes({kind}, mostly), model_folder, spark)
    frame = Pipeline(stages=mixed).fit(texts).transform(texts)
    assert_same_schema(frame, expected.frame)
    assert_same_rows(frame.collect(), expected.rows)


@pytest.mark.parametrize("mostly", ["theirs", "ours"])
def test_a_mixed_pipeline_saves_and_loads(mostly, homes, spark, model_folder, texts, expected, tmp_path):
    """Every second stage is the other's."""
    pipeline = Pipeline(stages=stages(homes(set(KINDS[::2]), mostly), model_folder, spark))
    pipeline.write().overwrite().save(f"{tmp_path}/pipeline")
    model = Pipeline.load(f"{tmp_path}/pipeline").fit(texts)
    model.write().overwrite().save(f"{tmp_path}/model")
    loaded = PipelineModel.load(f"{tmp_path}/model")
    assert [stage.uid for stage in loaded.stages] == [stage.uid for stage in model.stages]
    frame = loaded.transform(texts)
    assert_same_schema(frame, expected.frame)
    assert_same_rows(frame.collect(), expected.rows)


@pytest.mark.parametrize("known", CHUNKS)
def test_known_differences_of_chunks(known, theirs, ours, spark, model_folder):
    """Each still is one: `real` is what theirs says, `ours` what we say."""
    frame = spark.createDataFrame([(0, known.text, "")], "id int, text string, phrase string")
    for home, expected in [(theirs, known.real), (ours, known.ours)]:
        made = stages(dict.fromkeys(KINDS, home), model_folder, spark)
        out = Pipeline(stages=made[:7]).fit(frame).transform(frame)
        chunks = column(out, "chunk_vectors")[0]
        assert [(begin, end, result) for _, begin, end, result, _ in chunks] == expected
