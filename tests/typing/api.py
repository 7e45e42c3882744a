"""Code as users write it, checked by ``mypy --strict`` and never run."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.ml import Pipeline, PipelineModel
from pyspark.sql import DataFrame, SparkSession

from sparkalbert import (
    AlbertEmbeddings,
    DocumentAssembler,
    EmbeddingsFinisher,
    LightPipeline,
    SentenceDetector,
    Tokenizer,
    WordEmbedder,
    binary_to_numpy,
    convert_checkpoint,
    find_model,
    load,
    version,
)
from sparkalbert.annotator import ChunkEmbeddings, NGramGenerator, SentenceEmbeddings
from sparkalbert.base import Doc2Chunk, Finisher
from sparkalbert.bundle import Bundle
from sparkalbert.errors import ModelNotFoundError, SparkAlbertError
from sparkalbert.ml import Annotation
from sparkalbert.text import PieceTokenizer


def without_spark() -> npt.NDArray[np.float32]:
    embedder = WordEmbedder.load("albert_mini_en", pooling="mean", layers=[-2, -1], threads=2)
    (words,) = embedder.embed(["I love NLP."])
    spans: list[tuple[int, int]] = list(zip(words.start, words.stop, strict=True))
    tokens: list[str] = words.tokens
    (given,) = embedder.embed_tokens([tokens])
    assert len(spans) == len(given.vectors)
    with WordEmbedder.load(Path("checkpoint"), revision="main", precision="int8", allow_download=False) as other:
        for text in other.stream(["I love NLP."], batch_size=8):
            sentences: npt.NDArray[np.float32] = text.sentence_vectors()
            assert len(sentences) <= len(text)
        frame: pd.DataFrame = other.to_pandas(["I love NLP."])
        cosines: npt.NDArray[np.float32] = other.similarity(other.text_vectors(tokens), words.vectors)
        other.save("bundle", overwrite=True)
    assert len(frame) == len(cosines)
    return binary_to_numpy([row.tobytes() for row in words.vectors])


def in_one_line(frame: DataFrame) -> pd.Series:
    model = load("en.embed.albert.xlarge_uncased", pooling="mean", gpu=False)
    words: pd.DataFrame = model.predict("I love NLP.", output_level="token", positions=True)
    texts: pd.DataFrame = model.predict(["I love NLP."], "document", pooling="mean")
    raw: DataFrame = model.predict(frame, return_spark_df=True)
    assert len(words) > len(texts)
    assert raw.columns
    assert version()
    return texts["word_embedding_albert"]


def as_in_spark_nlp(spark: SparkSession, frame: DataFrame) -> DataFrame:
    document = DocumentAssembler().setInputCol("text").setOutputCol("document")
    sentence = SentenceDetector().setInputCols(["document"]).setOutputCol("sentence")
    token = Tokenizer().setInputCols("sentence").setOutputCol("token")
    embeddings = (
        AlbertEmbeddings.pretrained("albert_mini_en", "en")
        .setInputCols("sentence", "token")
        .setOutputCol("embeddings")
        .setMaxSentenceLength(256)
        .setCaseSensitive(False)
        .setLayers([-4, -3, -2, -1])
        .setPooling("first_last")
    )
    finisher = EmbeddingsFinisher().setInputCols("embeddings").setOutputCols("vectors").setOutputAsVector(True)
    pipeline = Pipeline(stages=[document, sentence, token, embeddings, finisher])
    model: PipelineModel = pipeline.fit(frame)
    imported = AlbertEmbeddings.loadSavedModel("checkpoint", spark)
    length: int = imported.getMaxSentenceLength()
    assert length
    return model.transform(frame)


def on_strings(model: PipelineModel) -> list[float]:
    light = LightPipeline(model, parse_embeddings=True, output_cols=["embeddings"])
    words: list[str] = light.annotate("I love NLP.")["token"]
    rows: list[dict[str, list[str]]] = light.annotate(["I love NLP.", "You too?"])
    first: Annotation = light.setIgnoreUnsupported(True).fullAnnotate(words)[0]["embeddings"][0]
    assert rows
    return first.copy("other").embeddings


def after_the_embeddings(frame: DataFrame) -> DataFrame:
    pooled = SentenceEmbeddings().setInputCols("sentence", "embeddings").setPoolingStrategy("SUM")
    ngrams = NGramGenerator().setInputCols(["token"]).setOutputCol("ngrams").setN(3)
    chunks = Doc2Chunk().setInputCols("document").setOutputCol("chunk").setChunkCol("target").setIsArray(True)
    vectors = ChunkEmbeddings(inputCols=["chunk", "embeddings"], skipOOV=False).setOutputCol("vectors")
    finisher = Finisher().setInputCols("ngrams").setOutputCols("texts").setIncludeMetadata(True)
    column: str | None = chunks.getChunkCol()
    assert column
    model: PipelineModel = Pipeline(stages=[pooled, ngrams, chunks, vectors, finisher]).fit(frame)
    return model.transform(frame)


def with_keywords() -> AlbertEmbeddings:
    return AlbertEmbeddings(model="albert_mini_en", inputCols=["tokens"], outputCol="vectors", pooling="mean")


def converted(folder: Path) -> Bundle | None:
    try:
        return convert_checkpoint(folder, folder / "bundle", precision="int8", overwrite=True)
    except ModelNotFoundError as error:
        message: str = str(error)
        assert message
    except SparkAlbertError:
        return None
    return None


def found() -> str:
    bundle: Bundle = find_model("albert_mini_en", precision="int8")
    return bundle.digest


def pieces(folder: Path) -> list[int]:
    ids: list[int] = PieceTokenizer.load(folder).encode("spring").ids.tolist()
    return ids
